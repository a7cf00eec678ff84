package app

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

// authority writes the certificate of a server with TLS into a file.
func authority(t *testing.T, dir string, client *http.Client, base string) (path string) {
	t.Helper()
	resp, err := client.Get(base)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return write(t, dir, "microsoft.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: resp.TLS.PeerCertificates[0].Raw})))
}

// soonMeeting is a meeting that can be joined, some minutes from now.
func soonMeeting(subject string, in time.Duration) graphtest.Event {
	start := time.Now().UTC().Truncate(time.Minute).Add(in)
	return graphtest.Event{
		Subject: subject, Start: start, End: start.Add(30 * time.Minute), Response: calendar.Accepted,
		HTML: `<p><a href="https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1">Join Zoom Meeting</a></p>`,
	}
}

func bookings(d *ciscotest.Device) []string {
	var out []string
	for _, b := range d.Bookings() {
		out = append(out, b.Title)
	}
	return out
}

const graphConfig = `{
	"microsoft365": {"house": {"client_id": "CLIENT", "client_secret_file": "client.secret", "graph_url": "GRAPH", "authority_url": "GRAPH", "ca_file": "microsoft.crt"}},
	"calendars": {"rooms": {"type": "microsoft365", "app": "house", "tenant": "TENANT", "daily_quota": 20000}},
	"notifications": "https://LISTEN",
	"site": {"listen": "LISTEN", "url": "https://LISTEN", "cert_file": "site.crt", "key_file": "site.key", "state": "state"},
	"rooms": [{"name": "Fjord", "calendar": "rooms", "mailbox": "fjord@example.com",
		"device": {"type": "cisco", "address": "DEVICE", "username": "USER", "password": "PASSWORD", "fingerprint": "FINGER"}}],
}`

// A room of Microsoft 365 from a file, to a device: read, and then told of changes.
func TestMicrosoft365(t *testing.T) {
	dir, pool := siteFolder(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 3 * time.Second}
	site := graphtest.NewSite(&graphtest.Options{Client: client})
	defer site.Close()
	site.Room.AddSingle(soonMeeting("Planning", 5*time.Minute))
	d := ciscotest.New(nil)
	require.NoError(t, d.Start(""))
	defer d.Close()
	authority(t, dir, site.Client(), site.URL)
	write(t, dir, "client.secret", string(site.Secret)+"\n")
	listen := freeAddress(t)
	text := strings.NewReplacer("CLIENT", site.App.ClientID(), "GRAPH", site.URL, "TENANT", site.Tenant.ID(), "LISTEN", listen,
		"DEVICE", d.Addr(), "USER", d.User(), "PASSWORD", d.Password(), "FINGER", d.Fingerprint()).Replace(graphConfig)
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(text), Builders())
	require.NoError(t, err)
	a, err := New(c, Builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-done) }()
	shows := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return fmt.Sprint(bookings(d)) == fmt.Sprint(want) }, 20*time.Second, 20*time.Millisecond)
	}
	shows("Planning")
	require.Eventually(t, func() bool { return a.Service().Status().Rooms[0].Sources[0].Notified }, 20*time.Second, 20*time.Millisecond)
	site.Room.AddSingle(soonMeeting("Review", time.Hour))
	shows("Planning", "Review") // long before the next poll
	require.Eventually(t, func() bool { return a.Service().Status().Rooms[0].UpToDate }, 20*time.Second, 20*time.Millisecond)
	kept, err := os.ReadFile(filepath.Join(dir, "state", graphKeysFile))
	require.NoError(t, err)
	assert.NotEmpty(t, kept, "subscriptions outlive a restart")

	resp, err := http.Get("http://" + serveHealthOf(t, a) + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, want := range []string{
		`otj_graph_quota{tenant="` + site.Tenant.ID() + `"} 20000`, `otj_graph_notifications{result="forged"} 0`, `otj_rooms{state="up_to_date"} 1`,
		`otj_meetings{button="yes"} 2`, `otj_device_writes_total{result="ok"}`, `otj_calendar_reads_total{result="ok"}`, "otj_device_write_seconds_bucket", `otj_waiting{work="write"} 0`,
	} {
		assert.Contains(t, string(body), want)
	}
	for _, secret := range []string{"Planning", "Review", "Fjord", "fjord", d.Password()} {
		assert.NotContains(t, string(body), secret)
	}
}

// serveHealthOf serves the health of a program at an address of its own.
func serveHealthOf(t *testing.T, a *App) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

// names is a DNS server with TXT records.
type names struct {
	mu  sync.Mutex
	txt map[string]string
}

func (n *names) set(domain, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.txt[domain+"."] = text
}

func startDNS(t *testing.T) (*names, string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	n := &names{txt: map[string]string{}}
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			n.mu.Lock()
			text, ok := n.txt[q.Name.String()]
			n.mu.Unlock()
			if ok && q.Type == dnsmessage.TypeTXT {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.TXTResource{TXT: []string{text}}}}
			} else {
				m.RCode = dnsmessage.RCodeNameError
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return n, conn.LocalAddr().String()
}

// A company proves its domain, agrees to the server's application, and its room
// gets a button.
func TestMicrosoft365OfTheControlCentre(t *testing.T) {
	dns, server := startDNS(t)
	srv := graphtest.New(nil)
	defer srv.Close()
	base := srv.StartTLS()
	c := localConfig(t)
	redirect := c.Control.URL + "/consent"
	tenant, app := srv.AddTenant("example.com"), srv.AddApp("Rooms", redirect)
	box := tenant.AddMailbox("fjord@example.com")
	box.AddSingle(soonMeeting("Planning", 5*time.Minute))
	secret := app.AddSecret(time.Time{})
	c.Control.DNS, c.Control.Microsoft365 = server, "house"
	c.Microsoft365 = map[string]Microsoft365{"house": {
		ClientID: app.ClientID(), ClientSecret: secret, GraphURL: base, AuthorityURL: base, CAFile: authority(t, t.TempDir(), srv.Client(), base),
	}}
	c.Notifications = c.Control.URL // graphtest is on this machine
	f := startFabrikam(t, c, Builders())
	ctx, d := t.Context(), ciscotest.New(nil)
	require.NoError(t, d.Start(""))
	defer d.Close()

	domain, err := f.centre.CreateTenant(ctx, f.ann, f.org.ID, "example.com")
	require.NoError(t, err)
	domain, err = f.centre.VerifyTenant(ctx, f.ann, domain.ID)
	require.NoError(t, err)
	require.NotEqual(t, control.TenantVerified, domain.State)
	dns.set("example.com", domain.Challenge)
	domain, err = f.centre.VerifyTenant(ctx, f.ann, domain.ID)
	require.NoError(t, err)
	require.Equal(t, control.TenantVerified, domain.State, domain.Why)

	p, err := f.centre.SaveProvider(ctx, f.ann, control.Provider{Company: f.org.ID, Name: "Microsoft", Kind: control.Microsoft365, Tenant: domain.ID})
	require.NoError(t, err)
	m, err := f.centre.SaveMailbox(ctx, f.ann, control.Mailbox{Company: f.org.ID, Provider: p.ID, Address: "fjord@example.com"})
	require.NoError(t, err)
	s, err := f.centre.SaveSystem(ctx, f.ann, control.System{Company: f.org.ID, Name: "Fjord", Kind: control.CiscoHTTPS, Mailbox: m.ID, Host: d.Addr(), User: d.User(), Fingerprint: d.Fingerprint(), Enabled: true})
	require.NoError(t, err)
	require.NoError(t, f.centre.SetPassword(ctx, f.ann, "system", s.ID, calendar.Secret(d.Password())))
	f.eventually(func() bool {
		state, err := f.live.State(s.ID)
		return err == nil && len(state.Room.Sources) == 1 && strings.Contains(state.Room.Sources[0].Error, "consent link")
	}, "without consent the state says what is missing")

	// The administrator of the tenant opens the link, and comes back.
	link, err := f.centre.ConsentLink(ctx, f.ann, p.ID)
	require.NoError(t, err)
	browser := srv.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(link)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(t, err, resp.Status)
	require.True(t, strings.HasPrefix(back.String(), redirect), back)
	forged := *back
	forged.RawQuery = url.Values{"state": {"made-up"}, "tenant": {tenant.ID()}, "admin_consent": {"True"}}.Encode()
	for address, want := range map[string]int{forged.String(): http.StatusForbidden, back.String(): http.StatusOK} {
		resp, err = http.Get(address)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode)
	}
	p, err = f.centre.Provider(ctx, f.ann, p.ID)
	require.NoError(t, err)
	require.Equal(t, control.ConsentGranted, p.Consent)
	f.eventually(func() bool { return fmt.Sprint(bookings(d)) == "[Planning]" }, "the room has its button")
	events, err := f.live.Events(ctx, m.ID, calendar.Window{From: time.Now(), To: time.Now().AddDate(0, 0, 1)})
	require.NoError(t, err)
	assert.Len(t, events, 1)
	q, err := f.live.Quota(p.ID)
	require.NoError(t, err)
	assert.Equal(t, control.DefaultDailyQuota, q.PerDay)
	assert.Positive(t, q.Used)
	assert.Contains(t, q.Arithmetic, "1 mailboxes")
	_, err = f.live.Quota("nothing")
	require.ErrorIs(t, err, control.ErrNotFound)

	// Of a provider that is not read any more Microsoft tells nobody.
	told := func() int { return len(srv.Subscriptions()) }
	f.eventually(func() bool { return told() == 1 }, "Microsoft tells of changes")
	p.Paused = true
	p, err = f.centre.SaveProvider(ctx, f.ann, p)
	require.NoError(t, err)
	f.eventually(func() bool { return told() == 0 }, "paused, it has no subscription")
	p.Paused = false
	p, err = f.centre.SaveProvider(ctx, f.ann, p)
	require.NoError(t, err)
	f.eventually(func() bool { return told() == 1 }, "resumed, it has one again")
	// Another quota is another provider: the new one's stay, the old one's go.
	p.DailyQuota = 20_000
	p, err = f.centre.SaveProvider(ctx, f.ann, p)
	require.NoError(t, err)
	f.eventually(func() bool {
		q, err := f.live.Quota(p.ID)
		state, _ := f.live.State(s.ID)
		return err == nil && q.PerDay == 20_000 && told() == 1 && len(state.Room.Sources) == 1 && state.Room.Sources[0].Notified
	}, "another quota")
	require.NoError(t, f.centre.Remove(ctx, f.ann, "provider", p.ID, p.Revision))
	f.eventually(func() bool { return told() == 0 }, "removed, it has none")
}

// Two calendars of one tenant are told of changes apart.
func TestNotifiersOfOneTenant(t *testing.T) {
	a := Calendar{Type: "microsoft365", Tenant: "t", DailyQuota: 20_000, app: Microsoft365{ClientID: "c", ClientSecret: "old"}}
	b := a
	b.DailyQuota = 30_000
	assert.NotEqual(t, a.notifier(), b.notifier())
	b = a
	b.app.ClientSecret = "new"
	assert.Equal(t, a.notifier(), b.notifier(), "a new secret takes the subscriptions over")
	assert.NotContains(t, a.notifier(), "old")
}

func TestMicrosoft365ConfigErrors(t *testing.T) {
	dir, _ := siteFolder(t)
	write(t, dir, "client.secret", "a secret of the application")
	write(t, dir, "microsoft.crt", "nonsense")
	base := strings.NewReplacer("CLIENT", "0b1c2d3e-0000-4a5b-8c6d-7e8f90a1b2c3", "GRAPH", "https://graph.example", "TENANT", "example.com", "LISTEN", "127.0.0.1:8443",
		"DEVICE", "192.0.2.1", "USER", "otj", "PASSWORD", "x", `, "fingerprint": "FINGER"`, "", `, "ca_file": "microsoft.crt"`, "").Replace(graphConfig)
	_, err := parse(filepath.Join(dir, "otj.json"), []byte(base), Builders())
	require.NoError(t, err)
	for _, tt := range []struct{ old, new, want string }{
		{`"client_secret_file": "client.secret"`, `"identity": "managed", "client_secret_file": "client.secret"`, `give one of "client_secret"`},
		{`"client_secret_file": "client.secret", `, ``, `give one of "client_secret"`},
		{`"client_secret_file": "client.secret"`, `"identity": "pod"`, `must be "managed" or "workload"`},
		{`"client_secret_file": "client.secret"`, `"certificate_file": "site.crt"`, `otj.json:2:`},
		{`"client_secret_file": "client.secret"`, `"client_secret_env": "OTJ_NO_SUCH"`, `OTJ_NO_SUCH is not set`},
		{`"client_id": "0b1c2d3e-`, `"client_id": "x`, `must be the application's GUID`},
		{`"graph_url": "https://`, `"graph_url": "http://`, `must begin with https://`},
		{`"graph_url"`, `"proxy": "proxy:3128", "graph_url"`, `must begin with http://`},
		{`"graph_url"`, `"cloud": "moon", "graph_url"`, `there is no cloud "moon"`},
		{`"graph_url"`, `"ca_file": "microsoft.crt", "graph_url"`, `there is no certificate in PEM form`},
		{`"app": "house"`, `"app": "hose"`, `did you mean "house"?`},
		{`"app": "house", `, ``, `needs an "app"`},
		{`, "tenant": "example.com"`, ``, `needs a "tenant"`},
		{`20000`, `20`, `must be 10000 to 10000000, and is 20`},
		{`"daily_quota"`, `"path": "x", "daily_quota"`, `has no "path" and no "url"`},
		{`"notifications": "https://`, `"notifications": "http://`, `must be how Microsoft reaches this program`},
		{`"mailbox": "fjord@example.com",`, ``, `needs a "mailbox"`},
		{`"rooms": [`, `"control": {"listen": ":1", "url": "https://x", "http": true, "data": "d", "microsoft365": "home"}, "rooms": [`, `there is no "home" in "microsoft365"`},
	} {
		t.Run(tt.new, func(t *testing.T) {
			require.Contains(t, base, tt.old)
			_, err := parse(filepath.Join(dir, "otj.json"), []byte(strings.Replace(base, tt.old, tt.new, 1)), Builders())
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "a secret of the application")
		})
	}
}
