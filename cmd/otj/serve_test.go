package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
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
	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/internal/office"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// serveDir is a folder with the calendars of the office, and a configuration
// for one of its rooms whose device is d.
func serveDir(t *testing.T, d *ciscotest.Device, listen string) (config string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "calendars"), 0o700))
	for _, r := range office.Rooms(time.Now()) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "calendars", r.Mailbox+".ics"), []byte(r.Calendar), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte(d.Password()+"\n"), 0o600))
	text, err := json.MarshalIndent(map[string]any{
		"listen":    listen,
		"calendars": map[string]any{"office": map[string]any{"type": "ics-folder", "path": "calendars", "poll": "1s"}},
		"rooms": []any{map[string]any{
			"name": "Fjord", "calendar": "office", "mailbox": "fjord@fabrikam.example",
			"device": map[string]any{
				"type": "cisco", "address": d.Addr(), "username": d.User(), "password_file": "password", "fingerprint": d.Fingerprint(),
			},
		}},
	}, "", "  ")
	require.NoError(t, err)
	config = filepath.Join(dir, "otj.json")
	require.NoError(t, os.WriteFile(config, text, 0o600))
	return config
}

func startDevice(t *testing.T) *ciscotest.Device {
	t.Helper()
	d := ciscotest.New(nil)
	require.NoError(t, d.Start(""))
	t.Cleanup(func() { d.Close() })
	return d
}

// logBuffer is a writer that may be read while it is written to.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := l.Addr().String()
	require.NoError(t, l.Close())
	d := startDevice(t)
	config := serveDir(t, d, listen)

	var logs logBuffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- serve(ctx, []string{"--config", config}, stdio{out: &logs, err: &logs}) }()
	require.Eventually(t, func() bool { return len(d.Bookings()) == 2 }, 15*time.Second, 10*time.Millisecond, logs.String())
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + listen + "/health")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var h struct{ Status string }
		return json.NewDecoder(resp.Body).Decode(&h) == nil && h.Status == "ok"
	}, 15*time.Second, 10*time.Millisecond)

	// The calendar changes.
	calendars := filepath.Join(filepath.Dir(config), "calendars")
	require.NoError(t, os.Rename(filepath.Join(calendars, "atrium@fabrikam.example.ics"), filepath.Join(calendars, "fjord@fabrikam.example.ics")))
	require.Eventually(t, func() bool { return len(d.Bookings()) == 3 }, 15*time.Second, 10*time.Millisecond, logs.String())

	cancel()
	require.Zero(t, <-ended)
	assert.Len(t, d.Bookings(), 3, "the device keeps what it shows")
	text := logs.String()
	assert.Contains(t, text, "the devices keep what they show")
	for _, secret := range []string{d.Password(), "Steering", "Weekly", "550917"} {
		assert.NotContains(t, text, secret)
	}
}

// What SIGHUP does.
func TestServeReload(t *testing.T) {
	d := startDevice(t)
	config := serveDir(t, d, "")
	c, err := app.Read(config, app.Builders())
	require.NoError(t, err)
	var logs logBuffer
	log, std := slog.New(slog.NewTextHandler(&logs, nil)), stdio{out: &logs, err: &logs}
	a, err := app.New(c, app.Builders(), log)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	require.Eventually(t, func() bool { return len(d.Bookings()) == 2 }, 15*time.Second, 10*time.Millisecond, logs.String())

	text, err := os.ReadFile(config)
	require.NoError(t, err)
	change := func(from, to string) {
		require.Contains(t, string(text), from)
		require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
		reload(a, config, log, std)
	}
	change(`"name": "Fjord"`, `"nam": "Fjord"`)
	assert.Contains(t, logs.String(), `did you mean "name"?`)
	assert.Contains(t, logs.String(), "stays as it was")
	change(`"name": "Fjord"`, `"settings": {"private": false}, "name": "Fjord"`)
	require.Eventually(t, func() bool { return len(d.Bookings()) == 1 }, 15*time.Second, 10*time.Millisecond, logs.String())
	cancel()
	require.NoError(t, <-ended)
}

// The same room over a WebSocket: a restart of the device is heard of at once.
func TestServeWebSocket(t *testing.T) {
	d := startDevice(t)
	config := serveDir(t, d, "")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), `"username"`, `"via": "websocket", "username"`, 1)), 0o600))
	var logs logBuffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- serve(ctx, []string{"--config", config}, stdio{out: &logs, err: &logs}) }()
	full := func() bool { return len(d.Bookings()) == 2 }
	require.Eventually(t, full, 15*time.Second, 10*time.Millisecond, logs.String())
	d.Reboot()
	require.Eventually(t, full, 30*time.Second, 10*time.Millisecond, logs.String())
	cancel()
	require.Zero(t, <-ended)
}

func TestServeCheck(t *testing.T) {
	d := startDevice(t)
	config := serveDir(t, d, "")
	var out, errs bytes.Buffer
	std := stdio{out: &out, err: &errs}
	require.Zero(t, serve(t.Context(), []string{"--check", "--config", config}, std), errs.String())
	assert.Contains(t, out.String(), "1 rooms, no mistake found")
	assert.Empty(t, d.Bookings(), "a check writes to no device")

	text, err := os.ReadFile(config)
	require.NoError(t, err)
	for _, tt := range []struct{ old, new, want string }{
		{`"address": "` + d.Addr() + `"`, `"address": ""`, `a Cisco device needs an "address"`},
		{`"username": "admin"`, `"username": ""`, `a Cisco device needs a "username"`},
		{`"password_file": "password"`, `"password": ""`, `a Cisco device needs a "password"`},
		{`"fingerprint": "`, `"fingerprint": "x`, `want the SHA-256 of the certificate`},
		{`"username"`, `"ca_file": "password", "username"`, `there is no certificate in PEM form`},
		{`"username"`, `"via": "carrier pigeon", "username"`, `use https, websocket, cloud, macro or tms`},
		{`"username"`, `"usrname"`, `did you mean "username"?`},
	} {
		require.Contains(t, string(text), tt.old)
		require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), tt.old, tt.new, 1)), 0o600))
		errs.Reset()
		assert.Equal(t, no, serve(t.Context(), []string{"--check", "--config", config}, std))
		assert.Contains(t, errs.String(), tt.want)
		assert.Regexp(t, `otj\.json:\d+:\d+: `, errs.String())
		assert.Contains(t, errs.String(), "^\n", "a caret shows the place")
		assert.NotContains(t, errs.String(), d.Password())
	}
}

func TestServeCalledWrongly(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--config", "otj.json", "--data", "x"}, wrong, "--data is for a program without --config"},
		{[]string{"--demo", "--data", "x"}, wrong, "leave --config, --data and --check out"},
		{[]string{"--data", t.TempDir(), "--listen", "0.0.0.0:8080"}, no, "not an address of this machine alone"},
		{[]string{"--data", t.TempDir(), "--listen", "8080"}, no, "no address with a port"},
		{[]string{"otj.json"}, wrong, `unexpected "otj.json"`},
		{[]string{"--config", filepath.Join(t.TempDir(), "nothing")}, no, "no such file"},
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, tt.status, serve(t.Context(), tt.args, stdio{out: &out, err: &errs}))
		assert.Contains(t, errs.String(), tt.want)
		assert.Equal(t, 1, strings.Count(errs.String(), "\n"), "one line")
	}
}

// The examples of the documentation are configurations that work.
func TestServeDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"calendars", "state"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	files := map[string]string{"rules.json": "[]", "lobby.ics": ""}
	for _, m := range regexp.MustCompile(`"([a-z]+\.(?:secret|token))"`).FindAllStringSubmatch(string(text), -1) {
		files[m[1]] = "a-long-enough-secret-" + strings.ReplaceAll(m[1], ".", "-")
	}
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	key, err := x509.MarshalPKCS8PrivateKey(cert.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	files["site.crt"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate().Raw}))
	files["site.key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	examples := regexp.MustCompile("(?s)```jsonc\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, examples, 3)
	for i, e := range examples {
		files[fmt.Sprintf("otj%d.json", i)] = e[1]
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for i := range examples {
		var out, errs bytes.Buffer
		require.Zero(t, serve(t.Context(), []string{"--check", "--config", filepath.Join(dir, fmt.Sprintf("otj%d.json", i))}, stdio{out: &out, err: &errs}), errs.String())
	}

	// The settings in it are the defaults.
	c, err := app.Read(filepath.Join(dir, "otj0.json"), app.Builders())
	require.NoError(t, err)
	assert.Equal(t, otj.DefaultSettings(), c.Settings)
	// It names every alarm of the service.
	source, err := os.ReadFile("../../otj/status.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`Alarm\w+ += "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		assert.Contains(t, string(text), "`"+m[1]+"`")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// printed waits for a link in what a command prints, and returns it.
func printed(t *testing.T, out *logBuffer, pattern string) string {
	t.Helper()
	var link string
	require.Eventually(t, func() bool {
		link = regexp.MustCompile(pattern).FindString(out.String())
		return link != ""
	}, 20*time.Second, 10*time.Millisecond)
	return link
}

func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// Without a file there is a control centre, and a link to set it up.
func TestServeWithoutFile(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	run := func(args ...string) (out *logBuffer, stop func() int) {
		out = &logBuffer{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() { ended <- serve(ctx, append(args, "--data", data), stdio{out: out, err: out}) }()
		return out, func() int {
			cancel()
			return <-ended
		}
	}
	listen := freeAddress(t)
	out, stop := run("--listen", listen)
	link := printed(t, out, `http://localhost:\d+/setup\?t=\w+`)
	status, page := get(t, link)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "<form")

	assert.DirExists(t, filepath.Join(data, "calendars"), "iCalendar folders can be used without a file too")
	second, _ := run("--listen", freeAddress(t))
	require.Eventually(t, func() bool { return strings.Contains(second.String(), "another otj uses this folder") }, 10*time.Second, 10*time.Millisecond)
	assert.Zero(t, stop())

	// Its address is taken.
	l, err := net.Listen("tcp", listen)
	require.NoError(t, err)
	out, stop = run("--listen", listen)
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "--listen takes another address") }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, no, stop())
	assert.NotContains(t, out.String(), "/setup?t=")
	require.NoError(t, l.Close())
}

// The demo signs its administrator in, and its devices show buttons.
func TestServeDemo(t *testing.T) {
	var out, logs logBuffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- serve(ctx, []string{"--demo", "--listen", freeAddress(t)}, stdio{out: &out, err: &logs})
	}()
	link := printed(t, &out, `http://localhost:\d+/sign-in/link\?t=\w+`)
	status, page := get(t, link)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "<form")
	screens := printed(t, &out, `http://127.0.0.1:\d+/`)
	var shown string
	require.Eventually(t, func() bool {
		_, shown = get(t, screens)
		return strings.Count(shown, "[ Join ]") >= 3 && strings.Contains(shown, "Steering group") && strings.Contains(shown, "Weekly planning") && strings.Contains(shown, "Supplier call")
	}, 20*time.Second, 50*time.Millisecond)
	assert.NotContains(t, shown, "Salary review")
	cancel()
	assert.Zero(t, <-ended)
	assert.NotContains(t, logs.String(), "Steering group")
	assert.NotContains(t, logs.String(), "level=WARN")
}

func TestAdminCalledWrongly(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, wrong, "name what to do"},
		{[]string{"backup"}, wrong, "name what to do"},
		{[]string{"rotate-keys", "now"}, wrong, "name what to do"},
		{[]string{"destroy"}, wrong, "name what to do"},
		{[]string{"link", "--data", filepath.Join(t.TempDir(), "nothing")}, no, "start otj serve first"},
		{[]string{"rotate-keys", "--data", filepath.Join(t.TempDir(), "nothing")}, no, "start otj serve first"},
		{[]string{"link", "--config", serveDir(t, startDevice(t), "")}, no, "there is no control centre"},
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, tt.status, admin(t.Context(), tt.args, stdio{out: &out, err: &errs}))
		assert.Contains(t, errs.String(), tt.want)
		assert.Empty(t, out.String())
	}
}

// What whoever runs the server does to its data.
func TestAdminCommands(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var log logBuffer
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- serve(ctx, []string{"--data", data, "--listen", freeAddress(t)}, stdio{out: &log, err: &log})
	}()
	printed(t, &log, `/setup\?t=\w+`)
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		status := admin(t.Context(), append(args, "--data", data), stdio{out: &out, err: &out})
		return status, out.String()
	}
	status, text := run("link")
	assert.Zero(t, status)
	assert.Contains(t, text, "http://localhost:8080/setup?t=")
	backup := filepath.Join(t.TempDir(), "backup.db")
	status, text = run("backup", backup)
	assert.Zero(t, status)
	assert.Contains(t, text, "keys.json")
	status, text = run("rotate-keys")
	assert.Equal(t, no, status)
	assert.Contains(t, text, "another otj uses this folder")
	cancel()
	require.Zero(t, <-ended)
	status, text = run("rotate-keys")
	assert.Zero(t, status)
	assert.Contains(t, text, "0 passwords")
	status, text = run("restore", backup)
	assert.Zero(t, status)
	assert.Contains(t, text, "before-restore-")
}
