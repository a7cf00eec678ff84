package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
)

// lines is a log that is written to while it is read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const privateConfig = `{
	"poll": "1s", "listen": "HEALTH",
	"calendars": {"office": {"type": "ics-folder", "path": "calendars"}},
	"site": {"listen": "LISTEN", "url": "https://LISTEN", "cert_file": "site.crt", "key_file": "site.key", "state": "state"},
	"webex": {"house": {"base_url": "CLOUD/v1", "ca_file": "fake.crt", "token": "canary-bot-token"}},
	"rooms": [
		{"name": "Push", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "address": "PUSH", "username": "otj", "password": "canary-push", "fingerprint": "FINGER1"}},
		{"name": "Socket", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "via": "websocket", "address": "SOCKET", "username": "otj", "password": "canary-socket", "fingerprint": "FINGER2"}},
		{"name": "Refusing", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "address": "REFUSING", "username": "otj", "password": "canary-refusing", "fingerprint": "FINGER3"}},
		{"name": "Locked", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "via": "websocket", "address": "LOCKED", "username": "otj", "password": "canary-wrong", "fingerprint": "FINGER4"}},
		{"name": "Macro", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "via": "macro", "id": "attic"}},
		{"name": "TMS", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "via": "tms", "password": "canary-secret-path", "serial": "SERIAL"}},
		{"name": "Cloud", "calendar": "office", "mailbox": "m", "device": {"type": "cisco", "via": "cloud", "address": "device-1", "webex": "house"}},
		{"name": "Poly", "calendar": "office", "mailbox": "m", "device": {"type": "poly", "username": "poly-1", "password": "canary-poly-password"}},
		{"name": "Feed", "calendar": "office", "mailbox": "m", "device": {"type": "feed", "username": "feed-1", "password": "canary-feed-password"}},
		{"name": "Hook", "calendar": "office", "mailbox": "m", "device": {"type": "webhook", "address": "HOOK/canary-path", "ca_file": "fake.crt", "password": "canary-hook-password"}},
	],
}`

const privateCalendar = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:private@example.com
DTSTAMP:20260101T000000Z
DTSTART:%[1]s
DTEND:%[2]s
CLASS:PRIVATE
SUMMARY:Zebrafish takeover
DESCRIPTION:Zebrafish. Join: https://us02web.zoom.us/j/81177003344?pwd=canarypwd\nMeeting ID: 811 7700 3344\nPasscode: 771199
ORGANIZER;CN=Ines Calder:mailto:ines@example.com
ATTENDEE;CN=Zebrafish Banker:mailto:zebrafish@example.com
END:VEVENT
BEGIN:VEVENT
UID:broken@example.com
DTSTAMP:20260101T000000Z
DTSTART:20269999T999999Z
CLASS:PRIVATE
SUMMARY:Zebrafish broken
END:VEVENT
END:VCALENDAR
`

// Nothing of a private meeting but its time, its organizer and its button
// reaches a device, and nothing at all of it the log and health; no secret does
// either. What a device has stays there while the program starts again.
func TestPrivateMeetingsAndSecrets(t *testing.T) {
	dir, pool := siteFolder(t)
	listen, health := freeAddress(t), freeAddress(t)
	start := time.Now().UTC().Add(10 * time.Minute).Truncate(time.Minute)
	const utc = "20060102T150405Z"
	events := write(t, filepath.Join(dir, "calendars"), "m.ics",
		strings.ReplaceAll(fmt.Sprintf(privateCalendar, start.Format(utc), start.Add(time.Hour).Format(utc)), "\n", "\r\n"))

	device := func(name, password string) *ciscotest.Device {
		d := ciscotest.New(&ciscotest.Options{Name: name, User: "otj", Password: password})
		require.NoError(t, d.Start(""))
		t.Cleanup(func() { d.Close() })
		return d
	}
	push, socket := device("push", "canary-push"), device("socket", "canary-socket")
	refusing, locked := device("refusing", "canary-refusing"), device("locked", "canary-locked")
	refusing.SetFault(ciscotest.FaultParameter)
	tms, cloudDevice := ciscotest.New(nil), ciscotest.New(nil)
	tms.Trust(pool)
	fake := ciscotest.NewCloud("canary-bot-token", "")
	fake.Add("device-1", cloudDevice)
	var hooked lines
	hook := http.NewServeMux()
	hook.Handle("/v1/", fake)
	hook.HandleFunc("/canary-path", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(&hooked, r.Body)
		http.Error(w, "canary-path", http.StatusForbidden)
	})
	others := httptest.NewTLSServer(hook)
	defer others.Close()
	write(t, dir, "fake.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: others.Certificate().Raw})))
	path := write(t, dir, "otj.json", strings.NewReplacer("HEALTH", health, "LISTEN", listen, "CLOUD", others.URL, "HOOK", others.URL,
		"PUSH", push.Addr(), "SOCKET", socket.Addr(), "REFUSING", refusing.Addr(), "LOCKED", locked.Addr(),
		"FINGER1", push.Fingerprint(), "FINGER2", socket.Fingerprint(), "FINGER3", refusing.Fingerprint(), "FINGER4", locked.Fingerprint(),
		"SERIAL", tms.Serial()).Replace(privateConfig))
	var log lines
	c, err := Read(path, Builders())
	require.NoError(t, err)
	run := func() (stop func()) {
		handler := slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
		a, err := New(c, Builders(), slog.New(handler))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		return func() { cancel(); require.NoError(t, <-done) }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	call := func(r *http.Request) (int, string) {
		resp, err := client.Do(r)
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	get := func(address, user, password string) (int, string) {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		return call(r)
	}
	token := "" // of the macro
	macro := func(method, path, body string) (int, string) {
		r, err := http.NewRequest(method, "https://"+listen+"/macro/attic/"+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return call(r)
	}
	poly := polytest.New(&polytest.Options{Server: "https://" + listen, User: "poly-1", Password: "canary-poly-password", Transport: client.Transport})
	feed := func() (int, string) {
		return get("https://"+listen+"/v1/meetings", "feed-1", "canary-feed-password")
	}

	stop := run()
	var steps bytes.Buffer
	require.NoError(t, c.Setup(t.Context(), "Macro", false, &steps))
	code := regexp.MustCompile(`/enrol\n  (\w+)`).FindStringSubmatch(steps.String())
	require.Len(t, code, 2, steps.String())
	require.Eventually(t, func() bool {
		_, source := macro("POST", "enrol", "code="+code[1])
		if found := regexp.MustCompile(`"token":"(\w+)"`).FindStringSubmatch(source); found != nil {
			token = found[1]
		}
		return token != ""
	}, 10*time.Second, 20*time.Millisecond)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		tms.CallManager(t.Context(), "https://"+listen+"/tms/canary-secret-path", "Beat", true)
		for _, d := range []*ciscotest.Device{push, socket, tms, cloudDevice} {
			assert.Len(c, d.Bookings(), 1, d.Name())
		}
		_, meetings := macro("GET", "meetings", "")
		assert.Contains(c, meetings, "otj-")
		assert.NoError(c, poly.Poll(t.Context()))
		assert.Contains(c, log.String(), "Refusing")
		assert.Contains(c, log.String(), "Locked")
		assert.Contains(c, log.String(), "broken@example.com")
		assert.NotEmpty(c, hooked.String())
	}, 20*time.Second, 200*time.Millisecond)
	shown := map[string]string{}
	for _, d := range []*ciscotest.Device{push, socket, tms, cloudDevice} {
		shown[d.Name()] = fmt.Sprintf("%+v", d.Bookings())
		assert.True(t, d.Bookings()[0].Joinable(), d.Name())
	}
	require.Len(t, poly.Items(), 1)
	shown["poly"] = fmt.Sprintf("%+v", poly.Items())
	_, shown["macro"] = macro("GET", "meetings", "")
	_, shown["feed"] = feed()
	_, shown["calendar"] = get("https://"+listen+"/v1/calendar.ics", "feed-1", "canary-feed-password")
	shown["webhook"] = hooked.String()
	for name, text := range shown {
		assert.NotContains(t, strings.ToLower(text), "zebrafish", name)
		assert.Contains(t, text, "Ines Calder", name)
		assert.Contains(t, text, "81177003344", name)
	}
	// The device repeats what it was given, and the server none of it.
	words, err := json.Marshal(map[string]string{"error": "cannot store " + shown["macro"]})
	require.NoError(t, err)
	reported, _ := macro("POST", "status", string(words))
	assert.Equal(t, http.StatusNoContent, reported)
	status, state := get("http://"+health+"/health", "", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, 1, push.Sessions())
	stop()
	assert.Zero(t, push.Sessions(), "a device keeps only a few sessions")

	// The calendar cannot be read while the program starts again.
	good, err := os.ReadFile(events)
	require.NoError(t, err)
	require.NoError(t, os.Remove(events))
	stop = run()
	require.Eventually(t, func() bool { code, _ := feed(); return code != 0 }, 5*time.Second, 20*time.Millisecond)
	assert.Error(t, poly.Poll(t.Context()))
	assert.Len(t, poly.Items(), 1, "the device keeps what it has")
	refused, _ := feed()
	assert.Equal(t, http.StatusServiceUnavailable, refused)
	_, kept := macro("GET", "meetings", "")
	assert.Contains(t, kept, `"ready":false`, "the macro keeps what the device has")
	_, err = tms.CallManager(t.Context(), "https://"+listen+"/tms/canary-secret-path", "Beat", true)
	require.NoError(t, err)
	assert.Len(t, tms.Bookings(), 1)
	assert.Len(t, push.Bookings(), 1)
	require.NoError(t, os.WriteFile(events, good, 0o600))
	require.Eventually(t, func() bool { return poly.Poll(t.Context()) == nil && len(poly.Items()) == 1 }, 20*time.Second, 200*time.Millisecond)
	stop()

	for name, text := range map[string]string{"log": log.String(), "health": state} {
		for _, secret := range []string{"zebrafish", "canary", "771199", "81177003344", "ines", strings.ToLower(token), strings.ToLower(code[1])} {
			assert.NotContains(t, strings.ToLower(text), secret, name)
		}
	}
}
