package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/internal/office"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// screens are devices in memory, by their address.
type screens map[string]*endpointtest.Screen

func (s screens) builders() map[string]Builder {
	return map[string]Builder{"screen": func(_ *Site, room string, d Device) (otj.Endpoint, error) {
		if d.Address == "" {
			return nil, &MemberError{"address", errors.New(`a screen needs an "address"`)}
		}
		if d.Username != "" && d.Password != "right" {
			return nil, errors.New("that is not the password")
		}
		sc := endpointtest.NewScreen(nil)
		if s != nil {
			s[d.Address] = sc
		}
		return sc, nil
	}}
}

// write writes a file and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const officeConfig = `{
	// Everything that a room needs.
	"poll": "2s",
	"settings": {"days_ahead": 3, "private_button": false},
	"calendars": {"office": {"type": "ics-folder", "path": "calendars"}},
	"rooms": [
		{"name": "Fjord", "calendar": "office", "mailbox": "fjord@fabrikam.example",
		 "settings": {"private_button": true},
		 "device": {"type": "screen", "address": "one"}},
		{"name": "Atrium", "calendars": [{"calendar": "office", "mailbox": "atrium@fabrikam.example"}],
		 "time_zone": "Europe/Stockholm",
		 "device": {"type": "screen", "address": "two", "username": "otj", "password_file": "secret"}},
	],
}`

// folder is one with the calendars of the demo's office.
func folder(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "calendars"), 0o700))
	for _, r := range office.Rooms(time.Now()) {
		write(t, filepath.Join(dir, "calendars"), r.Mailbox+".ics", r.Calendar)
	}
	write(t, dir, "secret", "right\n")
	return dir
}

func TestConfig(t *testing.T) {
	dir := folder(t)
	c, err := Read(write(t, dir, "otj.json", officeConfig), screens(nil).builders())
	require.NoError(t, err)
	assert.Equal(t, 2*time.Second, c.Poll)
	assert.Equal(t, filepath.Join(dir, "calendars"), c.Calendars["office"].Path)
	fjord, atrium := c.Rooms[0].Settings, c.Rooms[1].Settings
	assert.Equal(t, 3, fjord.DaysAhead, "from the settings of all rooms")
	assert.True(t, fjord.PrivateButton, "its own")
	assert.False(t, atrium.PrivateButton)
	assert.True(t, atrium.NonVideo, "the default")
	assert.Equal(t, otj.DefaultSettings().Prefer, atrium.Prefer)
	assert.EqualValues(t, "right", c.Rooms[1].Device.Password)
	assert.NotContains(t, fmt.Sprintf("%v %+v", c.Rooms, c.Rooms), "right")
}

func TestConfigRules(t *testing.T) {
	dir := folder(t)
	write(t, dir, "rules.json", `[{"name": "house", "type": "domain", "priority": 1, "domain": "video.fabrikam.example"}]`)
	text := strings.Replace(officeConfig, `"poll": "2s"`, `"rules": ["rules.json"], "own_domains": ["fabrikam.example"]`, 1)
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
	require.NoError(t, err)
	m, ok := c.engine.Find(&calendar.Event{Location: "sip:board@video.fabrikam.example"})
	require.True(t, ok)
	assert.Equal(t, "house", m.Rule)
	// The same files make no other engine: nothing need be read again.
	a, err := New(c, screens{}.builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	engine := a.made.engines[c.ruleTexts]
	require.NotNil(t, engine)
	again, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
	require.NoError(t, err)
	require.NoError(t, a.Set(again))
	assert.Same(t, engine, a.made.engines[again.ruleTexts])
}

func TestConfigErrors(t *testing.T) {
	dir := folder(t)
	t.Setenv("OTJ_TEST_PASSWORD", "wrong")
	for _, tt := range []struct{ old, new, want string }{
		{`"poll": "2s"`, `"poll": "2ms"`, `otj.json:3:10: must be at least 1s`},
		{`"poll": "2s"`, `"pol": "2s"`, `otj.json:3:2: unknown member "pol"; did you mean "poll"?`},
		{`"poll": "2s"`, `"listen": "8080"`, `otj.json:3:12: must be an address with a port`},
		{`"poll": "2s"`, `"time_zone": "Stockholm"`, `otj.json:3:15: there is no time zone "Stockholm"`},
		{`"poll": "2s"`, `"own_domains": ["@fabrikam.example"]`, `otj.json:3:18: must be a domain alone`},
		{`"poll": "2s",`, `"poll": "2s"`, `otj.json:3:14: a comma is missing`},
		{`"days_ahead": 3`, `"days_ahead": 400`, `otj.json:4:29: days_ahead must be 0 to 365, and is 400`},
		{`"days_ahead": 3`, `"prefer": ["sip", "skype"]`, `unknown scheme "skype"`},
		{`{"private_button": true}`, `{"end_buffer": 181}`, `otj.json:8:31: end_buffer must be 0 to 180, and is 181`},
		{`"ics-folder"`, `"exchange"`, `there is no calendar type "exchange"`},
		{`"ics-folder"`, `"ics-feed"`, `has a "url" and no "path"`},
		{`"ics-folder"`, `"ics-file"`, `calendars is no file`},
		{`"path": "calendars"`, `"path": "nowhere"`, `no such file`},
		{`"path": "calendars"`, `"url": "https://x"`, `needs a "path"`},
		{`"calendar": "office", "mailbox": "fjord`, `"calendar": "ofice", "mailbox": "fjord`, `otj.json:7:33: there is no calendar "ofice"; did you mean "office"?`},
		{`"mailbox": "fjord@fabrikam.example",`, ``, `the calendar "office" needs a "mailbox"`},
		{`"calendar": "office", "mailbox": "fjord@fabrikam.example",`, ``, `the room needs a "calendar"`},
		{`"name": "Atrium"`, `"name": "Fjord"`, `otj.json:10:12: there are two rooms named "Fjord"`},
		{`"name": "Atrium", `, ``, `the room needs a name`},
		{`"address": "two"`, `"address": "one"`, `room "Fjord" has the same device`},
		{`"address": "one"`, `"address": ""`, `otj.json:9:44: a screen needs an "address"`},
		{`"type": "screen", "address": "one"`, `"type": "projector"`, `there is no device type "projector": use screen`},
		{`"type": "screen", "address": "one"`, `"address": "one"`, `the device needs a "type": screen`},
		{`"password_file": "secret"`, `"password_file": "nothing"`, `no such file`},
		{`"password_file": "secret"`, `"password_env": "OTJ_TEST_PASSWORD"`, `that is not the password`},
		{`"password_file": "secret"`, `"password_env": "OTJ_TEST_NOTHING"`, `OTJ_TEST_NOTHING is not set`},
		{`"password_file": "secret"`, `"password": "x", "password_env": "X"`, `give one of`},
	} {
		t.Run(tt.new, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(officeConfig, tt.old))
			text := strings.Replace(officeConfig, tt.old, tt.new, 1)
			_, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
			require.ErrorContains(t, err, tt.want)
			var e *jsonc.Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, e.Snippet, "^")
		})
	}
	write(t, dir, "rules.json", `[{"name": "x", "typ": "regex"}]`)
	_, err := parse(filepath.Join(dir, "otj.json"), []byte(strings.Replace(officeConfig, `"poll": "2s"`, `"rules": ["rules.json"]`, 1)), screens(nil).builders())
	require.ErrorContains(t, err, `rules.json:1:16: unknown member "typ"`)
	require.ErrorContains(t, err, `otj.json:3:12: the rule file has mistakes`)
	_, err = parse("otj.json", []byte(`{}`), screens(nil).builders())
	require.ErrorContains(t, err, "there is no room")
	_, err = Read(filepath.Join(dir, "nothing.json"), nil)
	require.ErrorContains(t, err, "read configuration")
}

// All mistakes are said at once: those of meaning too, but for what may only follow
// from a value that could not be read.
func TestConfigErrorsTogether(t *testing.T) {
	dir := folder(t)
	said := func(changes ...string) string {
		t.Helper()
		text := officeConfig
		for i := 0; i < len(changes); i += 2 {
			require.Equal(t, 1, strings.Count(text, changes[i]), changes[i])
			text = strings.Replace(text, changes[i], changes[i+1], 1)
		}
		_, err := parse(filepath.Join(dir, "otj.json"), []byte(text), screens(nil).builders())
		require.Error(t, err)
		return err.Error()
	}
	got := said(`"poll": "2s"`, `"pol": "2s"`, `"days_ahead": 3`, `"days_ahead": 400`, `"type": "screen", "address": "one"`, `"type": "screen", "adress": "one"`, `"name": "Atrium", `, ``)
	for _, want := range []string{`unknown member "pol"`, "days_ahead must be 0 to 365", `unknown member "adress"`, "the room needs a name"} {
		assert.Contains(t, got, want)
	}
	assert.NotContains(t, got, `needs an "address"`, "that follows from the misspelt one")
	got = said(`"poll": "2s"`, `"poll": "2ms"`, `"calendars": {`, `"calendars": [], "others": {`)
	assert.NotContains(t, got, "no calendar", "the rooms are right")
	got = said(`"poll": "2s",`, `"poll": "2ms"`)
	assert.Contains(t, got, "a comma is missing")
	assert.Contains(t, got, "the rest of the file is checked once this is mended")
}

// A secret feed address is in no error.
func TestConfigFeedIsNotPrinted(t *testing.T) {
	_, err := parse("x", []byte(`{"calendars": {"a": {"type": "ics-feed", "url": "http://h/topsecret"}}, "rooms": []}`), nil)
	require.ErrorContains(t, err, "https://")
	assert.NotContains(t, err.Error(), "topsecret")
}

func TestAppRuns(t *testing.T) {
	dir, devices := folder(t), screens{}
	path := write(t, dir, "otj.json", officeConfig)
	c, err := Read(path, screens(nil).builders())
	require.NoError(t, err)
	c.Listen = freeAddress(t)
	a, err := New(c, devices.builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()

	one, two := devices["one"], devices["two"]
	require.Eventually(t, func() bool { return len(one.Meetings()) == 2 && len(two.Meetings()) == 2 }, 10*time.Second, 10*time.Millisecond)
	var h health
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + c.Listen + "/health")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200 && json.NewDecoder(resp.Body).Decode(&h) == nil && h.Status == "ok"
	}, 10*time.Second, 10*time.Millisecond)
	assert.Len(t, h.Rooms, 2)

	// A new configuration: what has not changed stays.
	text := strings.Replace(officeConfig, `"two"`, `"three"`, 1)
	c2, err := parse(path, []byte(text), screens(nil).builders())
	require.NoError(t, err)
	require.NoError(t, a.Set(c2))
	assert.Same(t, one, devices["one"])
	require.Eventually(t, func() bool { return len(two.Meetings()) == 0 && len(devices["three"].Meetings()) == 2 }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, 1, one.Shows())

	cancel()
	require.NoError(t, <-done)
	_, err = http.Get("http://" + c.Listen + "/live")
	require.Error(t, err, "it no longer listens")
}

func TestHealthNamesNoMeeting(t *testing.T) {
	dir, devices := folder(t), screens{}
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(officeConfig), screens(nil).builders())
	require.NoError(t, err)
	a, err := New(c, devices.builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	devices["one"].Unplug()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var body string
	require.Eventually(t, func() bool {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
		b, _ := io.ReadAll(w.Body)
		body = string(b)
		return strings.Contains(body, "device unreachable")
	}, 10*time.Second, 10*time.Millisecond)
	assert.Contains(t, body, `"degraded"`)
	assert.NotContains(t, body, "Steering")
	cancel()
	require.NoError(t, <-done)
}

// calling is a device that fetches its meetings, and has not yet.
type calling struct{ *endpointtest.Screen }

func (calling) LastCall() (time.Time, string) { return time.Time{}, "" }

func TestHealthOfADeviceThatHasNotCalled(t *testing.T) {
	dir := folder(t)
	builders := map[string]Builder{"screen": func(*Site, string, Device) (otj.Endpoint, error) { return calling{endpointtest.NewScreen(nil)}, nil }}
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(officeConfig), builders)
	require.NoError(t, err)
	a, err := New(c, builders, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	require.Eventually(t, func() bool { return a.svc.Status().Rooms[0].UpToDate }, 10*time.Second, 10*time.Millisecond)
	var h health
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
	require.NoError(t, json.NewDecoder(w.Body).Decode(&h))
	assert.Equal(t, "degraded", h.Status)
	assert.False(t, h.Rooms[0].UpToDate, "nobody knows what it shows")
	cancel()
	require.NoError(t, <-done)
}

// Who has only the log learns of alarms too, once each.
func TestAlarmsAreLogged(t *testing.T) {
	dir, log := folder(t), &bytes.Buffer{}
	device := &alarming{Screen: endpointtest.NewScreen(nil), alarms: []otj.Alarm{{Code: "clock-wrong", Text: "Its clock is wrong."}}}
	builders := map[string]Builder{"screen": func(_ *Site, room string, _ Device) (otj.Endpoint, error) {
		if room == "Fjord" {
			return device, nil
		}
		return endpointtest.NewScreen(nil), nil
	}}
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(officeConfig), builders)
	require.NoError(t, err)
	a, err := New(c, builders, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	known := a.logNewAlarms(a.logNewAlarms(nil))
	device.alarms = nil
	a.logNewAlarms(a.logNewAlarms(known))
	assert.Equal(t, 1, strings.Count(log.String(), `room=Fjord alarm=clock-wrong text="Its clock is wrong."`), log)
	assert.Equal(t, 1, strings.Count(log.String(), `msg="alarm ended" room=Fjord alarm=clock-wrong`), log)
}

// alarming is a device with alarms.
type alarming struct {
	*endpointtest.Screen
	alarms []otj.Alarm
}

func (a *alarming) Alarms() []otj.Alarm { return a.alarms }

func TestAppCannotListen(t *testing.T) {
	dir := folder(t)
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(officeConfig), screens(nil).builders())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c.Listen = l.Addr().String()
	a, err := New(c, screens{}.builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.ErrorContains(t, a.Run(t.Context()), "listen for health")
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
