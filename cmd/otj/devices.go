package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// builders are the types of devices that a configuration may have.
func builders() map[string]app.Builder {
	return map[string]app.Builder{"cisco": newCisco}
}

// newCisco makes the endpoint of a Cisco device that is called over HTTPS or a
// WebSocket.
func newCisco(room string, d app.Device) (otj.Endpoint, error) {
	switch {
	case d.Address == "":
		return nil, &app.MemberError{Member: "address", Err: errors.New(`a Cisco device needs an "address": its name or IP address`)}
	case d.Username == "":
		return nil, &app.MemberError{Member: "username", Err: errors.New(`a Cisco device needs a "username", of an account with the role Admin`)}
	case d.Password == "":
		return nil, errors.New(`a Cisco device needs a "password", "password_file" or "password_env"`)
	}
	opts := &cisco.Options{Name: room, Fingerprint: d.Fingerprint, TakeOver: d.TakeOver}
	if d.CAFile != "" {
		text, err := os.ReadFile(d.CAFile)
		if err != nil {
			return nil, &app.MemberError{Member: "ca_file", Err: err}
		}
		opts.CA = x509.NewCertPool()
		if !opts.CA.AppendCertsFromPEM(text) {
			return nil, &app.MemberError{Member: "ca_file", Err: errors.New("there is no certificate in PEM form in it")}
		}
	}
	creds := cisco.Password{User: d.Username, Password: d.Password}
	switch d.Via {
	case "", "https":
		return cisco.New(d.Address, creds, opts)
	case "websocket":
		return cisco.NewWebSocket(d.Address, creds, cisco.SocketHeader, opts)
	default:
		return nil, &app.MemberError{Member: "via", Err: fmt.Errorf("there is no way %q to a Cisco device: use https or websocket", d.Via)}
	}
}

// newDemoDevice starts a simulated Cisco device on this machine, and makes the
// endpoint that calls it over TLS.
func newDemoDevice(room string) (*demoDevice, error) {
	d := ciscotest.New(&ciscotest.Options{Name: room})
	if err := d.Start(""); err != nil {
		return nil, err
	}
	ep, err := cisco.New(d.Addr(), cisco.Password{User: d.User(), Password: calendar.Secret(d.Password())},
		&cisco.Options{Name: room, Fingerprint: d.Fingerprint()})
	if err != nil {
		d.Close()
		return nil, err
	}
	shown := func(context.Context) ([]otj.Meeting, error) {
		var out []otj.Meeting
		for _, b := range d.Bookings() {
			m := otj.Meeting{
				ID: strings.TrimPrefix(b.ID, cisco.IDPrefix), Title: b.Title, Start: b.Start, End: b.End, Private: b.Private,
				Organizer: calendar.Person{Name: b.Organizer(), Email: b.OrganizerEmail},
			}
			if b.Joinable() {
				m.Join = cisco.AddressOf(b.Number, b.Protocol)
			}
			out = append(out, m)
		}
		return out, nil
	}
	return &demoDevice{kind: "cisco", endpoint: ep, shown: shown, close: func() { d.Close() }}, nil
}
