package poly_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// site is a server over TLS with one room, and what its device needs.
type site struct {
	*httptest.Server
	server   *poly.Server
	room     *poly.Room
	user     string
	password calendar.Secret
}

var ntlmKey = []byte("0123456789abcdef0123456789abcdef")

func serve(opts poly.Options, room *poly.RoomOptions) (*site, error) {
	opts.NTLMKey = ntlmKey
	s, err := poly.New(&opts)
	if err != nil {
		return nil, err
	}
	c, password := poly.NewCredential()
	if c, err = c.WithNTLM(password, ntlmKey); err != nil {
		return nil, err
	}
	r, err := s.Add("Fjord", c, room)
	if err != nil {
		return nil, err
	}
	if err := r.Show(context.Background(), nil); err != nil {
		return nil, err
	}
	h := httptest.NewUnstartedServer(s)
	h.Config.ConnContext = s.ConnContext
	h.StartTLS()
	return &site{h, s, r, c.User, password}, nil
}

func (s *site) device(o polytest.Options) *polytest.Device {
	o.Server, o.User, o.Password = s.URL, s.user, string(s.password)
	t := s.Client().Transport.(*http.Transport).Clone()
	t.MaxConnsPerHost = 1
	o.Transport = t
	return polytest.New(&o)
}

func shown(d *polytest.Device) (out []otj.Meeting) {
	for _, i := range d.Items() {
		out = append(out, otj.Meeting{ID: i.ID, Title: i.Subject, Organizer: calendar.Person{Name: i.Organizer, Email: i.OrganizerEmail},
			Start: i.Start, End: i.End, Private: i.Private, Join: rules.ParseAddress(i.Dial)})
	}
	return out
}

func TestEndpoint(t *testing.T) {
	for name, o := range map[string]struct {
		device polytest.Options
		room   poly.RoomOptions
	}{
		"basic":       {},
		"ntlm":        {device: polytest.Options{NTLM: true, Domain: "EXAMPLE"}},
		"split token": {room: poly.RoomOptions{Token: poly.TokenSplit}},
		"no token":    {room: poly.RoomOptions{Token: poly.TokenNone, Mailbox: "fjord@example.com"}, device: polytest.Options{Mailbox: "Fjord@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			endpointtest.Run(t, func() (*endpointtest.Harness, error) {
				s, err := serve(poly.Options{PerMinute: 100_000}, &o.room)
				if err != nil {
					return nil, err
				}
				o.device.Ahead, o.device.Max = 14*24*time.Hour, 1000
				d := s.device(o.device)
				return &endpointtest.Harness{
					Endpoint:   s.room,
					Dialable:   []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.H323, URI: "h323:2@example.com"}, {Scheme: rules.SIPS, URI: "sips:3@example.com"}},
					Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://example.com/"}},
					Normalize: func(m otj.Meeting) otj.Meeting {
						m.StartBuffer, m.EndBuffer = 0, 0
						m.Start, m.End = m.Start.Truncate(time.Second), m.End.Truncate(time.Second)
						return m
					},
					Shown: func(ctx context.Context) ([]otj.Meeting, error) {
						err := d.Poll(ctx)
						return shown(d), err
					},
					Close: s.Close,
				}, nil
			})
		})
	}
}

func TestPanel(t *testing.T) {
	s, err := serve(poly.Options{}, nil)
	require.NoError(t, err)
	defer s.Close()
	now := time.Now().UTC().Truncate(time.Minute)
	require.NoError(t, s.room.Show(t.Context(), []otj.Meeting{
		{ID: "a", Title: "Review <b> & \"more\"", Organizer: calendar.Person{Name: "Ada"}, Start: now, End: now.Add(time.Hour), Join: rules.ParseAddress("sip:1@example.com")},
		{ID: "b", Title: "Ben", Organizer: calendar.Person{Name: "Ben"}, Private: true, Start: now.Add(2 * time.Hour), End: now.Add(3 * time.Hour)},
	}))
	d := s.device(polytest.Options{Name: "Fjord", NTLM: true})
	require.NoError(t, d.Poll(t.Context()))
	panel := d.Panel(now)
	assert.Contains(t, panel, `Review <b> & "more" (Ada)  [ Join ]`)
	assert.Contains(t, panel, "Ben\n")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	assert.Contains(t, w.Body.String(), "Review &lt;b&gt;")

	status := s.room.Status()
	assert.Equal(t, poly.NTLM, status.Scheme)
	assert.Equal(t, "polytest/1.0", status.UserAgent)
	assert.Equal(t, map[string]int{"FindItem": 1, "GetItem": 1}, status.Operations)
	assert.Equal(t, 2, status.Given)
	assert.WithinDuration(t, time.Now(), status.LastPoll, time.Minute)

	// A device that is removed is refused also on a connection that it has.
	s.server.Remove(s.room)
	assert.Error(t, d.Poll(t.Context()))
}
