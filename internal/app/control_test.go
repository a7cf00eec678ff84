package app

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// devices are screens that the control centre takes for Cisco devices, by their
// address.
type devices struct {
	mu   sync.Mutex
	made map[string]*endpointtest.Screen
}

func newDevices() *devices { return &devices{made: map[string]*endpointtest.Screen{}} }

func (d *devices) builders() map[string]Builder {
	return map[string]Builder{"cisco": func(_ *Site, _ string, device Device) (otj.Endpoint, error) {
		if device.Password == "" {
			return nil, &MemberError{"password", assert.AnError}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.made[device.Address] = endpointtest.NewScreen(nil)
		return d.made[device.Address], nil
	}}
}

func (d *devices) at(address string) *endpointtest.Screen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made[address]
}

// shows waits until the device at an address shows so many meetings.
func (d *devices) shows(t *testing.T, address string, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s := d.at(address)
		return s != nil && s.Shows() > 0 && len(s.Meetings()) == n
	}, 10*time.Second, 10*time.Millisecond)
}

// What an administrator changes in the control centre reaches the devices while
// the program runs, and is there again after a restart.
func TestControlCentreKeepsRooms(t *testing.T) {
	dir := folder(t)
	data := filepath.Join(t.TempDir(), "data")
	d := newDevices()
	c, err := LocalConfig(data, freeAddress(t))
	require.NoError(t, err)
	c.Control.Folders = []string{dir}
	start := func() (*App, func()) {
		a, err := New(c, d.builders(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		return a, func() {
			cancel()
			require.NoError(t, <-done)
			require.NoError(t, a.Close())
		}
	}
	a, stop := start()
	ctx, centre := t.Context(), a.Centre()

	org, user, err := centre.Setup(ctx, control.Company, "Fabrikam", "ann@fabrikam.example", "Ann")
	require.NoError(t, err)
	ann := control.Actor{User: user}
	on := true
	org, err = centre.ChangeOrg(ctx, ann, org.ID, org.Revision, control.OrgChange{Enabled: &on})
	require.NoError(t, err)
	p, err := centre.SaveProvider(ctx, ann, control.Provider{Company: org.ID, Name: "Folder", Kind: control.ICSFolder, Folder: filepath.Join(dir, "calendars")})
	require.NoError(t, err)
	m, err := centre.SaveMailbox(ctx, ann, control.Mailbox{Company: org.ID, Provider: p.ID, Address: "fjord@fabrikam.example"})
	require.NoError(t, err)
	fjord, err := centre.SaveSystem(ctx, ann, control.System{Company: org.ID, Name: "Fjord", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj", Mailbox: m.ID, Enabled: true})
	require.NoError(t, err)
	problem := func() string {
		s, _ := a.Live().State(fjord.ID)
		return s.Problem
	}
	require.Eventually(t, func() bool { return problem() != "" }, 10*time.Second, 10*time.Millisecond, "it has no password, and the others go on")
	require.NoError(t, centre.SetPassword(ctx, ann, "system", fjord.ID, "secret"))
	d.shows(t, "192.0.2.1", 2)
	assert.Empty(t, problem())
	state, err := a.Live().State(fjord.ID)
	require.NoError(t, err)
	assert.Equal(t, "Fabrikam / Fjord", state.Room.Name)

	resp, err := http.Get("http://" + c.Control.Listen + "/api/openapi.json")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)

	// A setting.
	settings, err := centre.Processing(ctx, ann, org.ID)
	require.NoError(t, err)
	settings.Settings.StartBuffer = 17
	_, err = centre.SaveProcessing(ctx, ann, settings)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s := d.at("192.0.2.1").Meetings()
		return len(s) == 2 && s[0].StartBuffer == 17*time.Minute
	}, 10*time.Second, 10*time.Millisecond)

	// A paused provider clears nothing.
	p, err = centre.Provider(ctx, ann, p.ID)
	require.NoError(t, err)
	p.Paused = true
	_, err = centre.SaveProvider(ctx, ann, p)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s := a.Service().Status().Rooms[0].Sources
		return len(s) == 1 && s[0].Error != ""
	}, 10*time.Second, 10*time.Millisecond)

	assert.Len(t, d.at("192.0.2.1").Meetings(), 2)
	p, err = centre.Provider(ctx, ann, p.ID)
	require.NoError(t, err)
	p.Paused = false
	stop()
	d.made = map[string]*endpointtest.Screen{}
	a, stop = start()
	centre = a.Centre()
	_, err = centre.SaveProvider(ctx, ann, p)
	require.NoError(t, err)
	d.shows(t, "192.0.2.1", 2)

	// Disabled: the device is cleared.
	fjord, err = centre.System(ctx, ann, fjord.ID)
	require.NoError(t, err)
	fjord.Enabled = false
	_, err = centre.SaveSystem(ctx, ann, fjord)
	require.NoError(t, err)
	d.shows(t, "192.0.2.1", 0)
	stop()

	// Without its key the database is of no use, and no new key is made for it.
	require.NoError(t, os.Remove(filepath.Join(data, keysFile)))
	_, err = New(c, d.builders(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "put it back from the backup")
}

func TestControlConfig(t *testing.T) {
	dir := folder(t)
	for text, want := range map[string]string{
		`{"control": {"listen": "8080", "url": "https://otj.fabrikam.example", "http": true, "data": "d"}}`:                                `otj.json:1:24: must be an address with a port`,
		`{"control": {"listen": ":8080", "url": "http://otj.fabrikam.example", "http": true, "data": "d"}}`:                                `http:// is for localhost alone`,
		`{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "data": "d"}}`:                                             `administrators send secrets`,
		`{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "http": true}}`:                                            `must be the folder`,
		`{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "http": true, "data": "d", "folders": ["x", "otj.json"]}}`: `no such file`,
	} {
		_, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
		assert.ErrorContains(t, err, want)
	}
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(`{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "http": true, "data": "d", "folders": ["calendars"]}}`), screens(nil).builders())
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "d"), c.Control.Data)
	assert.Equal(t, []string{filepath.Join(dir, "calendars")}, c.Control.Folders)

	// A file that is named from where it is allows the same folders.
	t.Chdir(dir)
	c, err = parse("otj.json", []byte(`{"control": {"listen": ":8080", "url": "https://otj.fabrikam.example", "http": true, "data": "d", "folders": ["calendars"]}}`), screens(nil).builders())
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "calendars")}, c.Control.Folders)
}
