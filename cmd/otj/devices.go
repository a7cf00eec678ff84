package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// newDemoDevice starts a simulated device on this machine: "cisco", "poly", or
// a client of the "feed".
func newDemoDevice(kind, room string) (*demoDevice, error) {
	switch kind {
	case "poly":
		return newDemoPoly(room)
	case "feed":
		return newDemoFeed(room)
	}
	return newDemoCisco(room)
}

// newDemoCisco starts a simulated Cisco device, and makes the endpoint that
// calls it over TLS.
func newDemoCisco(room string) (*demoDevice, error) {
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

// serveDemo serves what devices poll, on this machine only and without TLS.
func serveDemo(h http.Handler) (url string, stop func(), _ error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	return "http://" + l.Addr().String(), func() { srv.Close() }, nil
}

// demoAhead is further than the demo plans.
const demoAhead = 31 * 24 * time.Hour

// newDemoPoly starts a server and a simulated Poly device, which polls it.
func newDemoPoly(room string) (*demoDevice, error) {
	s, err := poly.New(&poly.Options{AllowHTTP: true})
	if err != nil {
		return nil, err
	}
	c, password := poly.NewCredential()
	ep, err := s.Add(room, c, nil)
	if err != nil {
		return nil, err
	}
	url, stop, err := serveDemo(s)
	if err != nil {
		return nil, err
	}
	d := polytest.New(&polytest.Options{Name: room, Server: url, User: c.User, Password: string(password), Ahead: demoAhead})
	shown := func(ctx context.Context) (out []otj.Meeting, _ error) {
		if err := d.Poll(ctx); err != nil {
			return nil, err
		}
		for _, i := range d.Items() {
			out = append(out, otj.Meeting{ID: i.ID, Title: i.Subject, Start: i.Start, End: i.End, Private: i.Private,
				Organizer: calendar.Person{Name: i.Organizer, Email: i.OrganizerEmail}, Join: rules.ParseAddress(i.Dial)})
		}
		return out, nil
	}
	return &demoDevice{kind: "poly", endpoint: ep, shown: shown, close: stop}, nil
}

// newDemoFeed starts the feed and reads it as any client does.
func newDemoFeed(room string) (*demoDevice, error) {
	s := feed.New(nil)
	c, secret := feed.NewCredential()
	ep, err := s.Add(room, c)
	if err != nil {
		return nil, err
	}
	url, stop, err := serveDemo(s)
	if err != nil {
		return nil, err
	}
	shown := func(ctx context.Context) (out []otj.Meeting, _ error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/meetings?limit=100", nil)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(c.ID, string(secret))
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		defer w.Body.Close()
		if w.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the feed answers with status %d", w.StatusCode)
		}
		var page struct{ Meetings []feed.Meeting }
		if err := json.NewDecoder(w.Body).Decode(&page); err != nil {
			return nil, err
		}
		for _, m := range page.Meetings {
			out = append(out, otj.Meeting{ID: m.ID, Title: m.Subject, Start: m.StartTime, End: m.EndTime, Private: m.Private,
				Organizer: calendar.Person{Name: m.OrganizerName, Email: m.OrganizerEmail}, Join: rules.ParseAddress(m.JoinURI)})
		}
		return out, nil
	}
	return &demoDevice{kind: "feed", endpoint: ep, shown: shown, close: stop}, nil
}
