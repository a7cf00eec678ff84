package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func TestSign(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		d := &device{token: "secret"}
		server := httptest.NewServer(d)
		answer := func(status int) func() { return func() { d.set(func(d *device) { d.answer = status }) } }
		return &endpointtest.Harness{
			Endpoint:   NewSign(server.URL, "secret"),
			Shown:      func(context.Context) ([]otj.Meeting, error) { return meetings(d), nil },
			Dialable:   []rules.Address{{Scheme: rules.SIP, URI: "sip:1.482913@example.com"}, {Scheme: rules.SIP, URI: "sip:2@example.com"}},
			Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://example.com/"}},
			Unplug:     func() { d.set(func(d *device) { d.unplug = true }) },
			Stall:      func() { d.set(func(d *device) { d.stall = make(chan struct{}) }) },
			Plug: func() {
				d.set(func(d *device) {
					d.unplug = false
					if d.stall != nil {
						close(d.stall)
						d.stall = nil
					}
				})
			},
			Faults: map[error]func(){
				otj.ErrUnauthorized: func() { d.set(func(d *device) { d.token = "changed" }) },
				otj.ErrBusy:         answer(http.StatusTooManyRequests),
				otj.ErrRejected:     answer(http.StatusBadRequest),
				otj.ErrNotDevice:    answer(http.StatusOK),
			},
			Requests: func() (n int) { d.set(func(d *device) { n = d.puts }); return n },
			Reset:    func() { d.set(func(d *device) { d.bookings = nil }) },
			Close:    server.Close,
		}, nil
	})
}

// meetings is what the device shows, in our terms.
func meetings(d *device) []otj.Meeting {
	var out []otj.Meeting
	for _, b := range d.screen() {
		m := otj.Meeting{
			ID: b.ID, Title: b.Title, Organizer: calendar.Person{Name: b.Organizer, Email: b.Email}, Start: b.Start, End: b.End,
			StartBuffer: time.Duration(b.Early) * time.Second, EndBuffer: time.Duration(b.Late) * time.Second, Private: b.Private,
		}
		if b.Dial != "" {
			m.Join = rules.Address{Scheme: rules.SIP, URI: b.Dial}
		}
		out = append(out, m)
	}
	return out
}

func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, "Design review, by Ada Example: sip:design.review@video.example.com\n", out.String())
}
