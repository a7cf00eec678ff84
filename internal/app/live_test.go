package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// fabrikam is a running program with a company in its control centre.
type fabrikam struct {
	t      *testing.T
	app    *App
	centre *control.Centre
	live   control.Live
	ann    control.Actor
	org    control.Org
	box    control.Mailbox // Fjord's
}

// startFabrikam starts a program of a configuration that has a control centre,
// and sets a company up whose calendars are those of the office. It is stopped at
// the end of the test.
func startFabrikam(t *testing.T, c *Config, builders map[string]Builder) *fabrikam {
	t.Helper()
	dir := folder(t)
	c.Control.Folders = []string{dir}
	a, err := New(c, builders, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, a.Close())
	})
	<-a.Up()
	f := &fabrikam{t: t, app: a, centre: a.Centre(), live: a.Live()}
	org, user, err := f.centre.Setup(t.Context(), control.Company, "Fabrikam", "ann@fabrikam.example", "Ann")
	require.NoError(t, err)
	f.org, f.ann = org, control.Actor{User: user}
	p, err := f.centre.SaveProvider(t.Context(), f.ann, control.Provider{Company: org.ID, Name: "Folder", Kind: control.ICSFolder, Folder: filepath.Join(dir, "calendars")})
	require.NoError(t, err)
	f.box, err = f.centre.SaveMailbox(t.Context(), f.ann, control.Mailbox{Company: org.ID, Provider: p.ID, Address: "fjord@fabrikam.example"})
	require.NoError(t, err)
	return f
}

// add adds a system that shows Fjord's meetings, with a password.
func (f *fabrikam) add(s control.System) (control.System, calendar.Secret) {
	f.t.Helper()
	s.Company, s.Mailbox, s.Enabled = f.org.ID, f.box.ID, true
	s, err := f.centre.SaveSystem(f.t.Context(), f.ann, s)
	require.NoError(f.t, err)
	if !s.Kind.Calls() {
		require.NoError(f.t, f.centre.SetPassword(f.t.Context(), f.ann, "system", s.ID, "secret-of-the-device"))
		return s, ""
	}
	password, err := f.centre.NewPassword(f.t.Context(), f.ann, s.ID)
	require.NoError(f.t, err)
	return s, password
}

// eventually waits for something that the running program does.
func (f *fabrikam) eventually(ok func() bool, what string) {
	f.t.Helper()
	require.Eventually(f.t, ok, 10*time.Second, 10*time.Millisecond, what)
}

// upToDate waits until the device of a system shows what it should.
func (f *fabrikam) upToDate(s control.System) {
	f.t.Helper()
	f.eventually(func() bool {
		state, err := f.live.State(s.ID)
		return err == nil && state.Room.UpToDate && len(state.Room.Meetings) > 0
	}, "the system "+s.Name+" shows its meetings")
}

func localConfig(t *testing.T) *Config {
	c, err := LocalConfig(filepath.Join(t.TempDir(), "data"), freeAddress(t))
	require.NoError(t, err)
	return c
}

func TestLive(t *testing.T) {
	d := newDevices()
	f := startFabrikam(t, localConfig(t), d.builders())
	ctx := t.Context()
	fjord, _ := f.add(control.System{Name: "Fjord", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"})
	f.upToDate(fjord)
	screen := d.at("192.0.2.1")

	t.Run("unknown", func(t *testing.T) {
		_, err := f.live.State("nothing")
		require.ErrorIs(t, err, control.ErrNotFound)
		_, err = f.live.Events(ctx, "nothing", calendar.Window{})
		require.ErrorIs(t, err, control.ErrNotFound)
		_, err = f.live.Dials("nothing", rules.Address{})
		require.ErrorIs(t, err, control.ErrNotFound)
		require.ErrorIs(t, f.live.Wake("nothing"), control.ErrNotFound)
		require.ErrorIs(t, f.live.Test(ctx, "nothing", otj.Meeting{}), control.ErrNotFound)
		_, err = f.live.Setup(ctx, "nothing")
		require.ErrorIs(t, err, control.ErrNotFound)
		_, err = f.live.Check(ctx, "nothing")
		require.ErrorIs(t, err, control.ErrNotFound)
	})
	t.Run("events and dials", func(t *testing.T) {
		now := time.Now()
		events, err := f.live.Events(ctx, f.box.ID, calendar.Window{From: now.AddDate(0, 0, -1), To: now.AddDate(0, 0, 2)})
		require.NoError(t, err)
		assert.Len(t, events, 2)
		ok, err := f.live.Dials(fjord.ID, rules.Address{Scheme: rules.SIP, URI: "sip:1@example.com"})
		require.NoError(t, err)
		assert.True(t, ok)
	})
	t.Run("test meeting", func(t *testing.T) {
		now := time.Now().UTC().Truncate(time.Second)
		m := otj.Meeting{ID: "test", Title: "Does it work?", Start: now, End: now.Add(time.Hour)}
		require.NoError(t, f.live.Test(ctx, fjord.ID, m))
		assert.Contains(t, titles(screen.Meetings()), m.Title)
		assert.Len(t, screen.Meetings(), 3)
		state, err := f.live.State(fjord.ID)
		require.NoError(t, err)
		assert.Equal(t, titles(screen.Meetings()), titles(state.Room.Meetings), "the panel is that of the device")

		// It survives other meetings, another setting, and a new configuration.
		p, err := f.centre.Processing(ctx, f.ann, f.org.ID)
		require.NoError(t, err)
		p.Settings.Private = false
		_, err = f.centre.SaveProcessing(ctx, f.ann, p)
		require.NoError(t, err)
		f.eventually(func() bool { return len(screen.Meetings()) == 2 }, "the private meeting goes")
		assert.Contains(t, titles(screen.Meetings()), m.Title)
		require.NoError(t, f.centre.SetPassword(ctx, f.ann, "system", fjord.ID, "another password"))
		f.eventually(func() bool {
			s := d.at("192.0.2.1")
			return s != screen && len(s.Meetings()) == 2
		}, "the device is signed in to anew")
		screen = d.at("192.0.2.1")
		assert.Contains(t, titles(screen.Meetings()), m.Title)

		m.End = now.Add(-time.Minute)
		require.ErrorContains(t, f.live.Test(ctx, fjord.ID, m), "ends before it starts")
		m.ID, m.End = "late", now.Add(time.Hour)
		screen.Unplug()
		require.Error(t, f.live.Test(ctx, fjord.ID, m))
		screen.Plug()
	})
	t.Run("wake", func(t *testing.T) {
		screen.Restart()
		require.NoError(t, f.live.Wake(fjord.ID))
		f.eventually(func() bool { return len(screen.Meetings()) == 2 }, "the device shows its meetings again")
	})
	t.Run("pause", func(t *testing.T) {
		s, err := f.centre.System(ctx, f.ann, fjord.ID)
		require.NoError(t, err)
		s.Paused = true
		s, err = f.centre.SaveSystem(ctx, f.ann, s)
		require.NoError(t, err)
		f.eventually(func() bool { return f.app.live.Load().systems[fjord.ID].room.paused }, "the pause is taken over")
		private := func(on bool) {
			p, err := f.centre.Processing(ctx, f.ann, f.org.ID)
			require.NoError(t, err)
			p.Settings.Private = on
			_, err = f.centre.SaveProcessing(ctx, f.ann, p)
			require.NoError(t, err)
			f.eventually(func() bool { return f.app.live.Load().systems[fjord.ID].room.Settings.Private == on }, "the setting is taken over")
		}
		private(true)
		require.NoError(t, f.live.Wake(fjord.ID))
		require.ErrorContains(t, f.live.Test(ctx, fjord.ID, otj.Meeting{ID: "x", Start: time.Now(), End: time.Now().Add(time.Hour)}), "paused")
		assert.Len(t, screen.Meetings(), 2, "what it shows stays")
		s.Paused = false
		_, err = f.centre.SaveSystem(ctx, f.ann, s)
		require.NoError(t, err)
		f.eventually(func() bool { return len(screen.Meetings()) == 3 }, "the private meeting comes")
		private(false)
		f.eventually(func() bool { return len(screen.Meetings()) == 2 }, "the private meeting goes")
	})
	t.Run("problems", func(t *testing.T) {
		s := control.System{Name: "Twin", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"}
		twin, _ := f.add(s)
		f.eventually(func() bool {
			state, _ := f.live.State(twin.ID)
			return state.Problem == "Another system has the same device: remove or disable one of them."
		}, "two systems do not write to one device")
		found, err := f.live.Check(ctx, twin.ID)
		require.NoError(t, err)
		assert.Equal(t, readiness.Fail, readiness.Worst(found))
		require.ErrorContains(t, f.live.Wake(twin.ID), "same device")
		require.NoError(t, f.centre.Remove(ctx, f.ann, "system", twin.ID, 2))
		f.eventually(func() bool {
			_, err := f.live.State(twin.ID)
			return err != nil
		}, "it is gone")
	})
	assert.Equal(t, []string{"192.0.2.1"}, f.live.Network().Pushed)
	assert.Equal(t, f.app.config.Control.URL, f.live.Network().Service)
}

// The names of two companies and their systems may be the same when they are put
// together.
func TestSystemsOfTheSameName(t *testing.T) {
	d := newDevices()
	a := &App{builders: d.builders(), config: &Config{}, fleets: map[string]*Config{}, made: newMade(), extras: map[string]*extras{}}
	for id, names := range map[string][2]string{"1": {"A", "B / C"}, "2": {"A / B", "C"}} {
		a.fleets[id] = fleetConfig(&control.Fleet{
			Org: control.Org{Name: names[0]}, Processing: control.Processing{Settings: otj.DefaultSettings()}, Providers: map[string]control.Provider{"p": {Kind: control.ICSFolder, Folder: "/"}},
			Mailboxes: map[string]control.Mailbox{"m": {Provider: "p", Address: "m"}},
			Systems:   []control.FleetSystem{{System: control.System{Meta: control.Meta{ID: id}, Name: names[1], Kind: control.CiscoHTTPS, Host: "192.0.2.1", Mailbox: "m"}, Password: "x"}},
		}, a.config)
	}
	rooms, err := a.rooms()
	require.NoError(t, err)
	_, err = otj.New(rooms, nil)
	require.NoError(t, err)
	assert.Equal(t, "A / B / C (2)", rooms[1].Name)
}

// The day of a room ends where its group, its company or the server is.
func TestTimeZonesOfSystems(t *testing.T) {
	a := &App{builders: newDevices().builders(), config: &Config{TimeZone: "Europe/Stockholm"}, fleets: map[string]*Config{}, made: newMade(), extras: map[string]*extras{}}
	for name, f := range map[string]control.Fleet{
		"Europe/Stockholm": {},
		"Asia/Tokyo":       {Processing: control.Processing{TimeZone: "Asia/Tokyo"}},
		"America/Lima":     {Processing: control.Processing{TimeZone: "Asia/Tokyo"}, Groups: map[string]control.Group{"g": {TimeZone: "America/Lima"}}},
	} {
		f.Processing.Settings = otj.DefaultSettings()
		f.Org.Name, f.Providers, f.Mailboxes = name, map[string]control.Provider{"p": {Kind: control.ICSFolder, Folder: "/"}}, map[string]control.Mailbox{"m": {Provider: "p", Address: "m"}}
		f.Systems = []control.FleetSystem{{System: control.System{Meta: control.Meta{ID: name}, Kind: control.CiscoHTTPS, Host: "192.0.2.1", Mailbox: "m", Group: "g"}, Password: "x"}}
		a.fleets[name] = fleetConfig(&f, a.config)
	}
	rooms, err := a.rooms()
	require.NoError(t, err)
	require.Len(t, rooms, 3)
	for _, r := range rooms {
		assert.Contains(t, r.Name, r.TimeZone.String())
	}
}

// A device that calls is known by its calls, and what has to be done at it is said.
func TestLiveOfCallingDevices(t *testing.T) {
	certs := t.TempDir()
	pool := selfSigned(t, certs)
	c := localConfig(t)
	c.Control.HTTP = false
	c.Control.URL = "https://" + c.Control.Listen
	c.Control.CertFile, c.Control.KeyFile = filepath.Join(certs, "site.crt"), filepath.Join(certs, "site.key")
	f := startFabrikam(t, c, Builders())
	ctx := t.Context()
	tms := ciscotest.New(nil)
	tms.Trust(pool)
	macro, _ := f.add(control.System{Name: "Macro", Kind: control.CiscoMacro})
	loft, path := f.add(control.System{Name: "Loft", Kind: control.CiscoTMS, Serial: tms.Serial()})
	pier, pierSecret := f.add(control.System{Name: "Pier", Kind: control.Poly})
	quay, quaySecret := f.add(control.System{Name: "Quay", Kind: control.Feed})
	push, _ := f.add(control.System{Name: "Push", Kind: control.CiscoWebSocket, Host: "127.0.0.1:1", User: "otj"})
	for _, s := range []control.System{macro, loft, pier, quay} {
		f.upToDate(s)
	}

	setup := func(s control.System) (lines string, done bool) {
		t.Helper()
		steps, err := f.live.Setup(ctx, s.ID)
		require.NoError(t, err)
		for _, step := range steps {
			lines += step.Title + "\n" + strings.Join(step.Lines, "\n") + "\n"
			done = step.Done
		}
		for _, secret := range []calendar.Secret{path, pierSecret, quaySecret} {
			assert.NotContains(t, lines, string(secret))
		}
		return lines, done
	}
	first, done := setup(macro)
	again, _ := setup(macro)
	assert.Equal(t, first, again, "looking twice voids nothing")
	assert.False(t, done)
	assert.Contains(t, first, c.Control.URL+"/macro/"+macro.ID+"/enrol")
	lines, _ := setup(loft)
	assert.Contains(t, lines, "ExternalManager Address: "+c.Control.Listen)
	lines, _ = setup(pier)
	assert.Contains(t, lines, pier.User)
	lines, _ = setup(push)
	assert.Contains(t, lines, `Username: "otj" Role: Admin`)
	assert.Contains(t, lines, "FollowHTTPService")
	assert.Contains(t, lines, "unreachable", "why it cannot be asked")

	check := func(s control.System) readiness.Result {
		found, err := f.live.Check(ctx, s.ID)
		require.NoError(t, err)
		return found[0].Result
	}
	assert.NotEqual(t, readiness.Pass, check(quay), "it has never called")
	assert.Equal(t, readiness.Fail, check(push))

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	call := func(path, user string, password calendar.Secret) int {
		r, err := http.NewRequest(http.MethodGet, c.Control.URL+path, nil)
		require.NoError(t, err)
		r.SetBasicAuth(user, string(password))
		r.Header.Set("User-Agent", "Test device/1")
		resp, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	f.upToDate(quay)
	state, err := f.live.State(quay.ID)
	require.NoError(t, err)
	assert.True(t, state.Offered, "up to date is what it was offered, and not what it has")
	assert.Equal(t, http.StatusOK, call("/v1/meetings", quay.User, quaySecret))
	call("/EWS/Exchange.asmx", pier.User, pierSecret)
	_, err = tms.CallManager(ctx, c.Control.URL+"/tms/"+string(path), "Boot", true)
	require.NoError(t, err)
	for _, s := range []control.System{loft, pier, quay} {
		state, err := f.live.State(s.ID)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), state.Room.LastCall, time.Minute, s.Name)
		assert.False(t, state.Offered, s.Name)
		assert.NotEmpty(t, state.Agent, s.Name)
		assert.Equal(t, readiness.Pass, check(s), s.Name)
		_, done := setup(s)
		assert.True(t, done, s.Name)
	}
	assert.True(t, f.live.Network().Calling)
}

// A program for one machine says so before it gives its address to an installer,
// and how it is reached by others.
func TestLiveOfOneMachine(t *testing.T) {
	c := localConfig(t)
	require.NoError(t, os.MkdirAll(c.Control.Folders[0], 0o700))
	f := startFabrikam(t, c, Builders())
	pier, _ := f.add(control.System{Name: "Pier", Kind: control.Poly})
	f.upToDate(pier)
	steps, err := f.live.Setup(t.Context(), pier.ID)
	require.NoError(t, err)
	assert.Contains(t, steps[0].Title, "Other machines cannot reach this program at "+c.Control.URL)

	certs := t.TempDir()
	selfSigned(t, certs)
	file := strings.NewReplacer("otj.crt", "site.crt", "otj.key", "site.key").Replace(steps[0].Lines[0])
	with, err := parse(filepath.Join(certs, "otj.json"), []byte(file), Builders())
	require.NoError(t, err)
	assert.Equal(t, c.Control.Data, with.Control.Data, "what was entered stays")
	assert.Equal(t, []string{filepath.Join(c.Control.Data, "calendars")}, with.Control.Folders)

	loft, _ := f.add(control.System{Name: "Loft", Kind: control.CiscoTMS, Serial: "ABC123"})
	f.eventually(func() bool {
		state, err := f.live.State(loft.ID)
		return err == nil && strings.Contains(state.Problem, steps[0].Lines[0])
	}, "it says with which file")
}
