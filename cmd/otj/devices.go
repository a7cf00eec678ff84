package main

import (
	"context"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

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
