package control_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func codes(list []control.OpenAlarm) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Name+":"+a.Code)
	}
	return strings.Join(out, " ")
}

func TestAlarms(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	_, s := w.office(p.ID)
	w.live.states[s.ID] = room(time.Now())
	alarms := func() string { return codes(must(w.centre.Alarms(t.Context(), w.admin, w.acme.ID))(t)) }
	assert.Equal(t, "Acme 365:consent-missing", alarms())
	w.consent.tenants["acme.example"] = "tenant-1"
	link := must(w.centre.ConsentLink(t.Context(), w.admin, p.ID))(t)
	must(w.centre.FinishConsent(t.Context(), link[strings.Index(link, "state=")+6:], "tenant-1", ""))(t)
	assert.Empty(t, alarms())
	w.live.set(s.ID, func(st *control.LiveState) {
		st.Room.Alarms = []otj.Alarm{{Code: "clock-wrong", Text: "x"}, {Code: otj.AlarmUnreachable, Text: "y"}}
	})
	assert.Equal(t, "Boardroom:device-unreachable Boardroom:clock-wrong", alarms())
	s = must(w.centre.PauseSystem(t.Context(), w.admin, s.ID, s.Revision, true))(t)
	assert.Empty(t, alarms(), "a paused system raises none")
	must(w.centre.PauseSystem(t.Context(), w.admin, s.ID, s.Revision, false))(t)
	w.live.states[s.ID] = control.LiveState{Problem: "It has no password."}
	assert.Equal(t, "Boardroom:not-kept", alarms())
}

func TestAlarmHookChecks(t *testing.T) {
	w := newWorld(t)
	for address, good := range map[string]bool{
		"https://alarms.example.com/otj?token=x": true, "https://198.51.100.7/": true, "https://[2a00:1450::1]/": true,
		"http://alarms.example.com/": false, "": false, "https://": false, "https://user:pw@alarms.example.com/": false, "ftp://x.example/": false,
		"https://127.0.0.1/": false, "https://10.0.0.1/": false, "https://169.254.169.254/latest/": false, "https://[::1]/": false, "https://[::ffff:10.0.0.1]/": false,
		"https://alarms.example.com/\r\nX: y": false, "https://a.example/#x": false, "https://" + strings.Repeat("a", 2100) + ".example/": false, "javascript:alert(1)": false,
	} {
		_, err := w.centre.SaveAlarmHook(t.Context(), w.admin, control.AlarmHook{Company: w.acme.ID, Name: address[:min(len(address), 40)] + "x", URL: address})
		if good {
			assert.NoError(t, err, address)
			continue
		}
		fields := fieldsOf(t, err)
		assert.Contains(t, fields, "url", address)
	}
	for ip, want := range map[string][2]bool{ // without and with leave for private addresses
		"198.51.100.7": {true, true}, "10.1.2.3": {false, true}, "127.0.0.1": {false, true}, "::1": {false, true}, "fd00::1": {false, true},
		"169.254.169.254": {false, false}, "fe80::1": {false, false}, "0.0.0.0": {false, false}, "224.0.0.1": {false, false},
		"100.64.0.1": {false, true}, "::ffff:192.168.0.1": {false, true}, "64:ff9b::7f00:1": {false, true}, "2002:7f00:1::": {false, true},
	} {
		addr := netip.MustParseAddr(ip)
		assert.Equal(t, want, [2]bool{control.MayCall(addr, false), control.MayCall(addr, true)}, ip)
	}
}

// receiver is an address for alarms that checks signatures.
type receiver struct {
	mu     sync.Mutex
	key    calendar.Secret
	status int
	bad    []error
	got    []control.HookMessage
	calls  int
}

func (r *receiver) take(header http.Header, body []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.status != 0 {
		return r.status
	}
	if err := feed.Verify(r.key, header, body, time.Now()); err != nil {
		r.bad = append(r.bad, err)
	}
	var m control.HookMessage
	if err := json.Unmarshal(body, &m); err != nil {
		r.bad = append(r.bad, err)
	}
	r.got = append(r.got, m)
	return http.StatusNoContent
}

// answer makes status what it answers from now on; 0 is what it should, 1 that
// there is nobody.
func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) called() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

func (r *receiver) wrong() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	status := r.take(req.Header, body)
	if status == http.StatusSeeOther { // repeats the address, in one that is none
		w.Header().Set("Location", "https://%zz"+req.URL.RequestURI())
	}
	w.WriteHeader(status)
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	status := r.take(req.Header, body)
	if status == 1 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}}, nil
}

func TestAlarmHookOverTLS(t *testing.T) {
	r := &receiver{}
	srv := httptest.NewUnstartedServer(r)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // a certificate is refused below
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	w := newWorld(t, func(o *control.Options) {
		o.PrivateHooks, o.HookTLS = true, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	})
	h := must(w.centre.SaveAlarmHook(t.Context(), w.admin, control.AlarmHook{Company: w.acme.ID, Name: "Ops", URL: srv.URL + "/hook?token=secret", Enabled: true}))(t)
	r.key = must(w.centre.NewAlarmHookKey(t.Context(), w.admin, h.ID))(t)
	require.NoError(t, w.centre.TestAlarmHook(t.Context(), w.admin, h.ID))
	require.Len(t, r.got, 1)
	assert.Empty(t, r.wrong())
	assert.Equal(t, "test", r.got[0].Type)
	assert.Equal(t, "Acme", r.got[0].Company)
	h = must(w.centre.AlarmHook(t.Context(), w.admin, h.ID))(t)
	assert.False(t, h.Last.When.IsZero())
	assert.Empty(t, h.Last.Error)

	r.answer(http.StatusFound)
	err := w.centre.TestAlarmHook(t.Context(), w.admin, h.ID)
	assert.Equal(t, []string{"url"}, fieldsOf(t, err))
	assert.ErrorContains(t, err, "redirects are not followed")
	assert.NotContains(t, err.Error(), "token")
	r.answer(http.StatusSeeOther)
	err = w.centre.TestAlarmHook(t.Context(), w.admin, h.ID)
	assert.ErrorContains(t, err, "redirects to an address that is not valid")
	assert.NotContains(t, err.Error(), "token")

	// The same server is out of reach where private addresses are not allowed, by
	// whatever name.
	strict := newWorld(t, func(o *control.Options) { o.HookTLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
	h2 := must(strict.centre.SaveAlarmHook(t.Context(), strict.admin, control.AlarmHook{Company: strict.acme.ID, Name: "Ops", URL: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), Enabled: true}))(t)
	before := r.called()
	assert.ErrorContains(t, strict.centre.TestAlarmHook(t.Context(), strict.admin, h2.ID), "own network")
	assert.Equal(t, before, r.called())

	// A certificate that nobody trusts is refused.
	untrusting := newWorld(t, func(o *control.Options) { o.PrivateHooks = true })
	h3 := must(untrusting.centre.SaveAlarmHook(t.Context(), untrusting.admin, control.AlarmHook{Company: untrusting.acme.ID, Name: "Ops", URL: srv.URL, Enabled: true}))(t)
	assert.ErrorContains(t, untrusting.centre.TestAlarmHook(t.Context(), untrusting.admin, h3.ID), "certificate")

	require.NoError(t, w.centre.Remove(t.Context(), w.admin, "alarm_hook", h.ID, h.Revision))
	require.NoError(t, w.store.View(t.Context(), func(tx control.Tx) error {
		for _, kind := range []string{"alarm_hook", "hookstate", "secret"} {
			n, err := tx.Count(kind, "")
			assert.NoError(t, err)
			assert.Zero(t, n, kind)
		}
		return nil
	}))
}

func TestRunAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, s := w.office(must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(t).ID)
		r := &receiver{}
		w.centre.SetHookTransport(r)
		h := must(w.centre.SaveAlarmHook(t.Context(), w.admin, control.AlarmHook{Company: w.acme.ID, Name: "Ops", URL: "https://alarms.example.com/", Enabled: true, SeriousOnly: true}))(t)
		r.key = must(w.centre.NewAlarmHookKey(t.Context(), w.admin, h.ID))(t)
		off := must(w.centre.SaveAlarmHook(t.Context(), w.admin, control.AlarmHook{Company: w.acme.ID, Name: "Off", URL: "https://alarms.example.com/off"}))(t)
		_ = off
		w.live.states[s.ID] = room(time.Now())
		raise := func(codes ...string) {
			w.live.set(s.ID, func(st *control.LiveState) {
				st.Room.Alarms = nil
				for _, c := range codes {
					st.Room.Alarms = append(st.Room.Alarms, otj.Alarm{Code: c, Text: "x", Since: time.Now().UTC()})
				}
			})
		}
		start := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- w.centre.RunAlarms(ctx) }()
			synctest.Wait()
			return func() { cancel(); assert.ErrorIs(t, <-done, context.Canceled) }
		}
		messages := func() []control.HookMessage { r.mu.Lock(); defer r.mu.Unlock(); out := r.got; r.got = nil; return out }
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

		stop := start()
		pass(2 * time.Minute)
		assert.Empty(t, messages(), "nothing to tell")

		raise("clock-wrong", otj.AlarmUnreachable)
		pass(31 * time.Second)
		assert.Empty(t, messages(), "one look is not enough")
		pass(30 * time.Second)
		got := messages()
		require.Len(t, got, 1)
		assert.Equal(t, "Boardroom:device-unreachable", codes(got[0].Raised), "amber ones are left out")
		assert.Equal(t, 1, got[0].Open)
		pass(10 * time.Minute)
		assert.Empty(t, messages(), "told once")

		// A restart tells nothing again, and takes silence for nothing.
		stop()
		w.live.set(s.ID, func(st *control.LiveState) { *st = control.LiveState{} })
		stop = start()
		pass(5 * time.Minute)
		assert.Empty(t, messages())
		w.live.set(s.ID, func(st *control.LiveState) { *st = room(time.Now()) })
		pass(61 * time.Second)
		got = messages()
		require.Len(t, got, 1)
		assert.Equal(t, "Boardroom:device-unreachable", codes(got[0].Cleared))
		assert.Zero(t, got[0].Open)

		// What does not arrive comes later, with the same ID.
		r.answer(1)
		raise(otj.AlarmCertificate)
		pass(2 * time.Minute)
		assert.Empty(t, messages())
		assert.GreaterOrEqual(t, r.called(), 3, "tried again at once")
		assert.Contains(t, must(w.centre.AlarmHook(t.Context(), w.admin, h.ID))(t).Last.Error, "does not answer")
		calls := r.called()
		r.answer(503)
		pass(time.Hour)
		assert.Less(t, r.called()-calls, 40, "and less often as it goes on failing")
		r.answer(0)
		pass(20 * time.Minute)
		got = messages()
		require.Len(t, got, 1)
		assert.Equal(t, "Boardroom:device-certificate", codes(got[0].Raised))
		assert.Empty(t, r.wrong())
		assert.Empty(t, must(w.centre.AlarmHook(t.Context(), w.admin, h.ID))(t).Last.Error)

		// Switched off and on again, it is told what is open.
		h = must(w.centre.AlarmHook(t.Context(), w.admin, h.ID))(t)
		h.Enabled = false
		h = must(w.centre.SaveAlarmHook(t.Context(), w.admin, h))(t)
		pass(2 * time.Minute)
		h.Enabled = true
		must(w.centre.SaveAlarmHook(t.Context(), w.admin, h))(t)
		pass(2 * time.Minute)
		got = messages()
		require.Len(t, got, 1)
		assert.Equal(t, "Boardroom:device-certificate", codes(got[0].Raised))
		stop()
	})
}
