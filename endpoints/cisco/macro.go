package cisco

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

//go:embed macro.js
var macroSource string

// MacroTokens are what a device's macro may call with, as SHA-256 sums: the
// tokens themselves are on the device alone.
type MacroTokens struct {
	// Current is the token in use. Next is one that the device was given and has
	// not used yet; with its first use it becomes Current.
	Current, Next string
	// Issued is when Current was issued.
	Issued time.Time
	// Code is the sum of the enrolment code, which can be used once before
	// CodeUntil; empty if there is none.
	Code      string
	CodeUntil time.Time
}

// TokenStore keeps the sums of tokens over restarts. Load returns the zero value
// for a device that it does not know. The methods may be called by several
// goroutines, of one device by one at a time.
type TokenStore interface {
	Load(ctx context.Context, device string) (MacroTokens, error)
	Save(ctx context.Context, device string, t MacroTokens) error
}

// memoryTokens is a TokenStore that forgets.
type memoryTokens struct{ sync.Map }

func (m *memoryTokens) Load(_ context.Context, device string) (MacroTokens, error) {
	t, _ := m.Map.Load(device)
	tokens, _ := t.(MacroTokens)
	return tokens, nil
}

func (m *memoryTokens) Save(_ context.Context, device string, t MacroTokens) error {
	m.Store(device, t)
	return nil
}

// MacroOptions change a MacroServer. The zero value of a field is its default.
type MacroOptions struct {
	// Tokens keep the devices enrolled over restarts. Default in memory.
	Tokens TokenStore
	// Interval is how often a macro calls. Default one minute.
	Interval time.Duration
	// ErrorAfter is for how long a macro must have failed before it says so on
	// the device. Default 30 minutes.
	ErrorAfter time.Duration
	// RenewAfter is the age from which a token is replaced. Default 30 days.
	RenewAfter time.Duration
	// CodeFor is how long an enrolment code is valid. Default 24 hours.
	CodeFor time.Duration
}

// MacroServer is called by a macro on each device, which it also hands out. It
// is an http.Handler, to be served over HTTPS below the base URL that it was
// made with. Make one with [NewMacroServer]; it is safe for concurrent use.
//
// Below the base URL are
//
//	GET  {device}/meetings   for the macro, with its token: the bookings
//	POST {device}/status     for the macro, with its token: how it went
//	GET  {device}/enrol      for the installer: a page to enter the code on
//	POST {device}/enrol      with the code: the macro, with a new token
type MacroServer struct {
	base *url.URL
	opts MacroOptions
	mux  *http.ServeMux

	mu      sync.Mutex
	devices map[string]*macroDevice
}

type macroDevice struct {
	*PullEndpoint
	tokens sync.Mutex // held while the tokens are read and written
}

// NewMacroServer returns a server for macros whose devices reach it at baseURL.
func NewMacroServer(baseURL string, opts *MacroOptions) (*MacroServer, error) {
	u, err := url.Parse(strings.TrimSuffix(baseURL, "/"))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("macro server: base URL %q: want https://host/path", baseURL)
	}
	s := &MacroServer{base: u, devices: map[string]*macroDevice{}, mux: http.NewServeMux()}
	if opts != nil {
		s.opts = *opts
	}
	o := &s.opts
	if o.Tokens == nil {
		o.Tokens = &memoryTokens{}
	}
	for d, otherwise := range map[*time.Duration]time.Duration{
		&o.Interval: time.Minute, &o.ErrorAfter: 30 * time.Minute, &o.RenewAfter: 30 * 24 * time.Hour, &o.CodeFor: 24 * time.Hour,
	} {
		if *d < 0 {
			return nil, errors.New("macro server: durations must not be negative")
		}
		if *d == 0 {
			*d = otherwise
		}
	}
	s.mux.HandleFunc("GET "+u.Path+"/{device}/meetings", s.authorized(s.meetings))
	s.mux.HandleFunc("POST "+u.Path+"/{device}/status", s.authorized(s.status))
	s.mux.HandleFunc("GET "+u.Path+"/{device}/enrol", s.enrolPage)
	s.mux.HandleFunc("POST "+u.Path+"/{device}/enrol", s.enrol)
	return s, nil
}

// Device returns the endpoint of the device with that name, and makes it if
// there is none. The name is part of URLs: A-Z a-z 0-9 - _ only.
func (s *MacroServer) Device(name string) (*PullEndpoint, error) {
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	}) {
		return nil, fmt.Errorf("macro device %q: want 1 to 100 characters of A-Z a-z 0-9 - _", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[name]
	if d == nil {
		d = &macroDevice{PullEndpoint: newPull(name, max(5*s.opts.Interval, time.Minute), abilities{sip: true, h323: true})}
		s.devices[name] = d
	}
	return d.PullEndpoint, nil
}

// Remove takes a device away: its macro is refused from now on. What the token
// store has of it stays.
func (s *MacroServer) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.devices, name)
}

func (s *MacroServer) find(name string) *macroDevice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.devices[name]
}

// EnrolURL is the page that an installer opens for a device.
func (s *MacroServer) EnrolURL(device string) string {
	return s.base.String() + "/" + device + "/enrol"
}

// DeviceCommands are what an administrator enters on the terminal of a device
// before a macro of this server can run there.
func (s *MacroServer) DeviceCommands() []string {
	return []string{
		"xConfiguration Macros Mode: On",
		"xConfiguration HttpClient Mode: On",
		`xCommand HttpClient Allow Hostname Add Expression: "^` + strings.ReplaceAll(s.base.Hostname(), ".", `\.`) + `$"`,
	}
}

// FetchCommand is a command line that fetches the macro of a device with a code.
// A refusal leaves no file: it would be taken for the macro.
func (s *MacroServer) FetchCommand(device string, code calendar.Secret) string {
	return "curl -sS --fail -o otj.js -d code=" + string(code) + " " + s.EnrolURL(device)
}

// FetchHint is what to know of FetchCommand.
const FetchHint = "If the site's certificate is not from a public authority, curl needs --cacert too, with the site's certificate file."

// NewCode makes a code by which the macro of a device can be fetched once. A
// code from before is void. What the device already has goes on working until
// the new macro is fetched.
func (s *MacroServer) NewCode(ctx context.Context, device string) (calendar.Secret, error) {
	d := s.find(device)
	if d == nil {
		return "", fmt.Errorf("enrolment code: there is no macro device %q", device)
	}
	code := rand.Text()
	err := s.change(ctx, d, func(t *MacroTokens) error {
		t.Code, t.CodeUntil = sumHex(code), time.Now().Add(s.opts.CodeFor).UTC()
		return nil
	})
	return calendar.Secret(code), err
}

// Accepts reports whether a code of NewCode can still be used: it has not been,
// is not too old, and none was made since.
func (s *MacroServer) Accepts(ctx context.Context, device string, code calendar.Secret) (bool, error) {
	d := s.find(device)
	if d == nil {
		return false, nil
	}
	d.tokens.Lock()
	defer d.tokens.Unlock()
	t, err := s.opts.Tokens.Load(ctx, d.name)
	return err == nil && sameSum(t.Code, string(code)) && time.Now().Before(t.CodeUntil), err
}

func sumHex(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func sameSum(sum, of string) bool {
	return sum != "" && subtle.ConstantTimeCompare([]byte(sum), []byte(sumHex(of))) == 1
}

// change reads, changes and writes the tokens of a device.
func (s *MacroServer) change(ctx context.Context, d *macroDevice, do func(t *MacroTokens) error) error {
	d.tokens.Lock()
	defer d.tokens.Unlock()
	t, err := s.opts.Tokens.Load(ctx, d.name)
	if err != nil {
		return err
	}
	before := t
	if err := do(&t); err != nil || t == before {
		return err
	}
	return s.opts.Tokens.Save(ctx, d.name, t)
}

// ServeHTTP serves the macros and the installer.
func (s *MacroServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

var errToken = errors.New("wrong token")

// authorized lets macros through that have the token of their device.
func (s *MacroServer) authorized(next func(w http.ResponseWriter, r *http.Request, d *macroDevice, t MacroTokens)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		d := s.find(r.PathValue("device"))
		if !ok || d == nil {
			http.Error(w, "wrong device or token: enrol the device again", http.StatusUnauthorized)
			return
		}
		var tokens MacroTokens
		err := s.change(r.Context(), d, func(t *MacroTokens) error {
			switch {
			case sameSum(t.Next, token):
				t.Current, t.Next, t.Issued = t.Next, "", time.Now().UTC()
			case !sameSum(t.Current, token):
				return errToken
			}
			tokens = *t
			return nil
		})
		switch {
		case errors.Is(err, errToken):
			http.Error(w, "wrong device or token: enrol the device again", http.StatusUnauthorized)
		case err != nil:
			w.Header().Set("Retry-After", "60")
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		default:
			next(w, r, d, tokens)
		}
	}
}

// macroAnswer is what a macro gets.
type macroAnswer struct {
	// Ready is false until the service knows what to show: the device then keeps
	// what it has.
	Ready    bool         `json:"ready"`
	Tag      string       `json:"tag"`
	Interval int          `json:"interval"` // seconds
	Token    string       `json:"token,omitempty"`
	Bookings []putBooking `json:"bookings"`
}

func (s *MacroServer) meetings(w http.ResponseWriter, r *http.Request, d *macroDevice, t MacroTokens) {
	q := r.URL.Query()
	d.called(q.Get("version"), q.Get("product"), q.Get("webex") == "Registered", false)
	if q.Get("tag") == "" {
		d.lost()
	}
	d.mu.Lock()
	a := macroAnswer{Ready: d.ready, Tag: d.tag, Interval: max(1, int(s.opts.Interval/time.Second)), Bookings: d.list}
	d.mu.Unlock()
	if time.Since(t.Issued) > s.opts.RenewAfter {
		a.Token = rand.Text()
		err := s.change(r.Context(), d, func(t *MacroTokens) error {
			t.Next = sumHex(a.Token)
			return nil
		})
		if err != nil {
			a.Token = "" // at its next call
		}
	}
	if a.Bookings == nil {
		a.Bookings = []putBooking{}
	}
	if a.Ready && a.Token == "" && q.Get("tag") == a.Tag {
		a.Bookings = nil // the device has them
	} else {
		d.mu.Lock()
		d.given = a.Bookings
		d.mu.Unlock()
	}
	writeJSON(w, a)
}

func writeJSON(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b.Bytes())
}

// macroStatus is what a macro reports.
type macroStatus struct {
	Tag   string `json:"tag"`
	Error string `json:"error"`
}

func (s *MacroServer) status(w http.ResponseWriter, r *http.Request, d *macroDevice, _ MacroTokens) {
	var st macroStatus
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	if err != nil {
		http.Error(w, "want {\"tag\":…,\"error\":…}", http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.seen = time.Now()
	text := ""
	switch {
	case st.Error == "":
	case d.given == nil: // by another run of the program: what the words may repeat is not known
		text = fmt.Sprintf("The macro on %s got the meetings, and the device refused them", d.name)
	default:
		text = fmt.Sprintf("The macro on %s got the meetings, and the device refused them: %s", d.name, redact(clean(st.Error), d.given))
	}
	d.alarm(AlarmPut, text)
	d.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

var enrolTemplate = template.Must(template.New("enrol").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Join buttons for {{.Device}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}pre{background:#eef1f4;padding:1rem;overflow:auto}</style>
<h1>Join buttons for {{.Device}}</h1>
<ol>
<li>On the device, switch macros and its HTTP client on:
<pre>{{range .Commands}}{{.}}
{{end}}</pre></li>
<li>Enter the enrolment code. The macro can be fetched once with it.
<form method="post"><input name="code" autocomplete="off" required> <button>Download the macro</button></form>
or <pre>{{.Fetch}}</pre>
{{.Hint}}</li>
<li>Open the macro editor of the device as an administrator, import <code>otj.js</code> under the name <code>otj</code> and switch it on. Or, in a terminal on the device:
<pre>xCommand Macros Macro Save Name: otj Overwrite: True
(the content of otj.js, then a line with a single dot)
xCommand Macros Macro Activate Name: otj
xCommand Macros Runtime Restart</pre></li>
</ol></html>
`))

func (s *MacroServer) enrolPage(w http.ResponseWriter, r *http.Request) {
	// The same page for devices that there are not: it tells nothing.
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	device := r.PathValue("device")
	enrolTemplate.Execute(w, map[string]any{ //nolint:errcheck // the visitor is gone
		"Device": device, "Commands": s.DeviceCommands(), "Fetch": s.FetchCommand(device, "CODE"), "Hint": FetchHint})
}

func (s *MacroServer) enrol(w http.ResponseWriter, r *http.Request) {
	d := s.find(r.PathValue("device"))
	code := strings.TrimSpace(r.PostFormValue("code"))
	if d == nil || code == "" {
		http.Error(w, "wrong device or code: ask for a new code", http.StatusForbidden)
		return
	}
	token := rand.Text()
	err := s.change(r.Context(), d, func(t *MacroTokens) error {
		if !sameSum(t.Code, code) || time.Now().After(t.CodeUntil) {
			return errToken
		}
		*t = MacroTokens{Current: sumHex(token), Issued: time.Now().UTC()}
		return nil
	})
	switch {
	case errors.Is(err, errToken):
		http.Error(w, "wrong device or code: ask for a new code", http.StatusForbidden)
		return
	case err != nil:
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="otj.js"`)
	io.WriteString(w, s.macro(d.name, token))
}

// macro returns the macro for a device.
func (s *MacroServer) macro(device, token string) string {
	config, err := json.Marshal(map[string]any{
		"url": s.base.String() + "/" + device, "token": token,
		"interval": max(1, int(s.opts.Interval/time.Second)), "errorAfter": int(s.opts.ErrorAfter / time.Second),
	})
	if err != nil {
		panic(err) // texts and numbers do encode
	}
	return strings.Replace(macroSource, "{/* filled in by the server */}", string(config), 1)
}
