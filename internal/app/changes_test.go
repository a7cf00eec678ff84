package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Whatever is saved in the control centre reaches the devices while the program
// runs.
func TestEverySavedChangeArrives(t *testing.T) {
	d := newDevices()
	f := startFabrikam(t, localConfig(t), d.builders())
	ctx, c, ann := t.Context(), f.centre, f.ann
	fjord, _ := f.add(control.System{Name: "Fjord", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"})
	f.upToDate(fjord)
	shown := func() []string {
		s := d.at("192.0.2.1")
		if s == nil {
			return nil
		}
		return titles(s.Meetings())
	}
	has := func(what, title string, yes bool) {
		t.Helper()
		f.eventually(func() bool { return slices.Contains(shown(), title) == yes && len(shown()) > 0 }, what)
	}
	has("at first", "Steering group", true)
	reread := func() control.System {
		t.Helper()
		s, err := c.System(ctx, ann, fjord.ID)
		require.NoError(t, err)
		return s
	}

	// Rules of the company.
	p, err := c.Processing(ctx, ann, f.org.ID)
	require.NoError(t, err)
	p.Rules = `[{"name": "house", "type": "domain", "priority": 1, "domain": "vc.fabrikam.example"}]`
	p, err = c.SaveProcessing(ctx, ann, p)
	require.NoError(t, err)
	f.eventually(func() bool {
		f.app.mu.Lock()
		defer f.app.mu.Unlock()
		return len(f.app.made.engines) > 1
	}, "the rules make another engine")
	// Settings of the company.
	p.Settings.ReplaceSubject = "ALL"
	p, err = c.SaveProcessing(ctx, ann, p)
	require.NoError(t, err)
	has("subjects are replaced", "Steering group", false)
	// Settings of a group stand for those of the company.
	whose := otj.ReplaceNever
	g, err := c.SaveGroup(ctx, ann, control.Group{Company: f.org.ID, Name: "Board", Settings: &control.OwnSettings{ReplaceSubject: &whose}})
	require.NoError(t, err)
	s := reread()
	s.Group = g.ID
	_, err = c.SaveSystem(ctx, ann, s)
	require.NoError(t, err)
	has("the group shows subjects", "Salary review: J. Doe", true)
	whose = otj.ReplacePrivate
	g.Settings = &control.OwnSettings{ReplaceSubject: &whose}
	_, err = c.SaveGroup(ctx, ann, g)
	require.NoError(t, err)
	has("the group hides private ones", "Salary review: J. Doe", false)
	// Another mailbox.
	m, err := c.SaveMailbox(ctx, ann, control.Mailbox{Company: f.org.ID, Provider: f.box.Provider, Address: "atrium@fabrikam.example"})
	require.NoError(t, err)
	s = reread()
	s.Mailbox = m.ID
	_, err = c.SaveSystem(ctx, ann, s)
	require.NoError(t, err)
	has("another calendar", "Weekly planning", true)
	// Another address of the mailbox.
	m.Address = "summit@fabrikam.example"
	_, err = c.SaveMailbox(ctx, ann, m)
	require.NoError(t, err)
	has("another address", "Supplier call", true)
	// Another folder of the provider.
	provider, err := c.Provider(ctx, ann, f.box.Provider)
	require.NoError(t, err)
	other := filepath.Join(filepath.Dir(provider.Folder), "other")
	require.NoError(t, os.Mkdir(other, 0o700))
	text, err := os.ReadFile(filepath.Join(provider.Folder, "fjord@fabrikam.example.ics"))
	require.NoError(t, err)
	write(t, other, "summit@fabrikam.example.ics", string(text))
	provider.Folder = other
	provider, err = c.SaveProvider(ctx, ann, provider)
	require.NoError(t, err)
	has("another folder", "Steering group", true)
	// Another name.
	s = reread()
	s.Name = "Harbour"
	s, err = c.SaveSystem(ctx, ann, s)
	require.NoError(t, err)
	f.eventually(func() bool {
		state, err := f.live.State(s.ID)
		return err == nil && state.Room.Name == "Fabrikam / Harbour" && state.Room.UpToDate
	}, "another name")
	// Another device: the old one is cleared.
	old := d.at("192.0.2.1")
	s.Host = "192.0.2.2"
	s, err = c.SaveSystem(ctx, ann, s)
	require.NoError(t, err)
	d.shows(t, "192.0.2.2", 2)
	f.eventually(func() bool { return len(old.Meetings()) == 0 }, "the old device is cleared")
	// The company is switched off, and on again.
	set := func(on bool) {
		t.Helper()
		o, err := c.Org(ctx, ann, f.org.ID)
		require.NoError(t, err)
		_, err = c.ChangeOrg(ctx, ann, o.ID, o.Revision, control.OrgChange{Enabled: &on})
		require.NoError(t, err)
	}
	device := d.at("192.0.2.2")
	set(false)
	f.eventually(func() bool { return len(device.Meetings()) == 0 }, "devices of a company that is off are cleared")
	set(true)
	d.shows(t, "192.0.2.2", 2)
	// The provider is deleted, and takes its mailboxes along.
	device = d.at("192.0.2.2")
	require.NoError(t, c.Remove(ctx, ann, "provider", provider.ID, provider.Revision))
	f.eventually(func() bool { return len(device.Meetings()) == 0 }, "the system has no mailbox any more")
}

// The control centre offers the provider of OpenID Connect, and the program says
// whether it is ready.
func TestControlCentreSignInAndProbes(t *testing.T) {
	c := localConfig(t)
	c.Control.OIDC = OIDCConfig{Name: "Fabrikam's accounts", Issuer: "https://login.fabrikam.example", ClientID: "otj", ClientSecret: "x"}
	f := startFabrikam(t, c, newDevices().builders())
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(c.Control.URL + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	f.eventually(func() bool { status, _ := get("/ready"); return status == http.StatusNoContent }, "ready")
	status, _ := get("/live")
	assert.Equal(t, http.StatusNoContent, status)
	_, page := get("/sign-in")
	assert.Contains(t, page, "/oidc/start")
	assert.Contains(t, page, "Fabrikam&#39;s accounts")
	for _, path := range []string{"/health", "/metrics"} {
		status, _ = get(path)
		assert.Equal(t, http.StatusNotFound, status, "not where everybody comes")
	}
}

// Behind a proxy, limits and the log have the address of the caller.
func TestClientAddress(t *testing.T) {
	dir := folder(t)
	text := `{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "http": true, "data": "d", "proxies": ["10.0.0.0/8", "fd00::/8"]}}`
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
	require.NoError(t, err)
	for _, tt := range []struct{ from, header, want string }{
		{"192.0.2.1:5000", "", "192.0.2.1"},
		{"192.0.2.1:5000", "198.51.100.1", "192.0.2.1"}, // anybody can write that
		{"10.1.1.1:5000", "198.51.100.1", "198.51.100.1"},
		{"10.1.1.1:5000", "203.0.113.9, 198.51.100.1", "198.51.100.1"}, // the first is the caller's own
		{"10.1.1.1:5000", "198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"[fd00::1]:5000", "2001:db8::1", "2001:db8::1"},
		{"10.1.1.1:5000", "nonsense", "10.1.1.1"},
		{"10.1.1.1:5000", "", "10.1.1.1"},
	} {
		r := &http.Request{RemoteAddr: tt.from, Header: http.Header{}}
		if tt.header != "" {
			r.Header.Set("X-Forwarded-For", tt.header)
		}
		assert.Equal(t, tt.want, c.Control.clientAddress(r), tt)
	}
	for change, want := range map[string]string{
		`"proxies": ["10.0.0.1"`:                                                     `must be a network`,
		`"dns": "9.9.9.9", "proxies": ["10.0.0.0/8"`:                                 `must be an address with a port`,
		`"oidc": {"issuer": "http://x", "client_id": "y"}, "proxies": ["10.0.0.0/8"`: `must be the provider's address`,
		`"oidc": {"issuer": "https://x"}, "proxies": ["10.0.0.0/8"`:                  `must be this program's id at the provider`,
	} {
		_, err := parse(filepath.Join(dir, "otj.json"), []byte(strings.Replace(text, `"proxies": ["10.0.0.0/8"`, change, 1)), screens(nil).builders())
		require.ErrorContains(t, err, want)
		assert.Regexp(t, `otj\.json:1:\d+: `, err.Error())
	}
}
