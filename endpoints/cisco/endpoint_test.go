package cisco_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// dialable are addresses that a current device can dial.
var dialable = []rules.Address{
	{Scheme: rules.SIP, URI: "sip:1@example.com"},
	{Scheme: rules.SIPS, URI: "sips:3@example.com"},
	{Scheme: rules.HTTPS, URI: "https://teams.microsoft.com/l/meetup-join/4?a=b&c=%20d"},
	{Scheme: rules.SIP, URI: "sip:25521234567@acme.webex.com"},
}

var undialable = []rules.Address{
	{Scheme: rules.HTTPS, URI: "https://zoom.us/j/1"},
	{Scheme: rules.HTTPS, URI: "https://teams.microsoft.com.evil.example/l/1"},
	{Scheme: rules.HTTPS, URI: "https://teams.microsoft.com@evil.example/l/1"},
	{Scheme: rules.HTTPS, URI: "http://teams.microsoft.com/l/1"},
	{Scheme: rules.TEL, URI: "tel:+15550100"},
}

// shown returns what a device has as meetings.
func shown(d *ciscotest.Device) []otj.Meeting {
	var out []otj.Meeting
	for _, b := range d.Bookings() {
		m := otj.Meeting{
			ID: strings.TrimPrefix(b.ID, cisco.IDPrefix), Title: b.Title, Organizer: calendar.Person{Name: b.Organizer(), Email: b.OrganizerEmail},
			Start: b.Start, End: b.End, StartBuffer: b.StartBuffer, EndBuffer: b.EndBuffer, Private: b.Private,
		}
		if b.Joinable() {
			m.Join = cisco.AddressOf(b.Number, b.Protocol)
		}
		out = append(out, m)
	}
	return out
}

// wholeMinutes is what a device makes of the length of a meeting.
func wholeMinutes(m otj.Meeting) otj.Meeting {
	m.End = m.Start.Add((m.End.Sub(m.Start) + time.Minute - 1) / time.Minute * time.Minute)
	return m
}

func start(t testing.TB, opts *ciscotest.Options) *ciscotest.Device {
	t.Helper()
	d := ciscotest.New(opts)
	require.NoError(t, d.Start(""))
	t.Cleanup(func() { d.Close() })
	return d
}

func password(d *ciscotest.Device) cisco.Password {
	return cisco.Password{User: d.User(), Password: calendar.Secret(d.Password())}
}

// harness is that of a device and the endpoint that newEndpoint makes for it.
func harness(o ciscotest.Options, newEndpoint func(*ciscotest.Device, *cisco.Options) (*cisco.Endpoint, error)) func() (*endpointtest.Harness, error) {
	return func() (*endpointtest.Harness, error) {
		d := ciscotest.New(&o)
		d.SetConfig("NetworkServices/H323/Mode", "Off")
		if err := d.Start(""); err != nil {
			return nil, err
		}
		opts := &cisco.Options{Fingerprint: d.Fingerprint(), MaxBookings: 13, Poll: 20 * time.Millisecond, Relearn: 20 * time.Millisecond}
		if o.NoRateLimit {
			opts.Rate = 10_000
		}
		ep, err := newEndpoint(d, opts)
		return &endpointtest.Harness{
			Endpoint:   ep,
			Shown:      func(context.Context) ([]otj.Meeting, error) { return shown(d), nil },
			Dialable:   dialable,
			Undialable: undialable,
			Normalize:  wholeMinutes,
			Capacity:   13,
			Unplug:     d.Unplug,
			Plug:       d.Plug,
			Stall:      d.Stall,
			Faults: map[error]func(){
				otj.ErrUnauthorized:    func() { d.SetAccount(d.User(), "changed", ciscotest.Admin) },
				otj.ErrCertificate:     func() { d.RenewCertificate() },
				otj.ErrBusy:            func() { d.SetFault(ciscotest.FaultBusy) },
				otj.ErrRejected:        func() { d.SetFault(ciscotest.FaultRefuse) },
				otj.ErrNotDevice:       func() { d.SetFault(ciscotest.FaultNotDevice) },
				otj.ErrForeignBookings: func() { d.WriteForeign() },
			},
			Requests: func() int { return d.Stats().Requests },
			Reset:    d.Reboot,
			Tamper:   func() { d.DeleteBooking(0) },
			Learn:    func() { d.SetConfig("NetworkServices/H323/Mode", "On") },
			Close:    func() { d.Close() },
		}, err
	}
}

func overHTTPS(d *ciscotest.Device, o *cisco.Options) (*cisco.Endpoint, error) {
	return cisco.New(d.Addr(), password(d), o)
}

func TestHTTPS(t *testing.T) {
	for _, version := range []string{"RoomOS 10.19.4.2", "ce11.14.4.0", "ce11.27.2.0", "ce26.4.1"} {
		t.Run(version, func(t *testing.T) {
			endpointtest.Run(t, harness(ciscotest.Options{Version: version, NoRateLimit: version != "ce11.14.4.0"}, overHTTPS))
		})
	}
}

func TestWebSocket(t *testing.T) {
	for _, auth := range []cisco.SocketAuth{cisco.SocketHeader, cisco.SocketSubprotocol} {
		t.Run("auth "+string(auth), func(t *testing.T) {
			endpointtest.Run(t, harness(ciscotest.Options{NoRateLimit: true}, func(d *ciscotest.Device, o *cisco.Options) (*cisco.Endpoint, error) {
				return cisco.NewWebSocket(d.Addr(), password(d), auth, o)
			}))
		})
	}
}
