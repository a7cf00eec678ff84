package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

// request is a call in the making.
type request struct {
	path, etag string
	body       []byte
	session    control.Session
	token      calendar.Secret // instead of the session
	noCSRF     bool
}

func (w *world) send(server http.Handler, o operation, r request) *http.Response {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req := httptest.NewRequestWithContext(w.t.Context(), o.method, r.path, body)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.etag != "" {
		req.Header.Set("If-Match", r.etag)
	}
	switch {
	case r.token != "":
		req.Header.Set("Authorization", "Bearer "+string(r.token))
	case r.session.Token != "":
		req.AddCookie(&http.Cookie{Name: api.SessionCookie, Value: string(r.session.Token)})
		if !r.noCSRF {
			req.Header.Set(api.CSRFHeader, string(r.session.CSRF))
		}
	}
	rec := httptest.NewRecorder()
	server.ServeHTTP(rec, req)
	return rec.Result()
}

// sound returns a call of an operation that is right in every way.
func (w *world) sound(o operation, n need) request {
	ctx := w.t.Context()
	org, home := w.acme, "company"
	if n.where == "partner" || o.plural() == "users" {
		org, home = w.msp, "partner"
	}
	user := w.memberOf(org, home, 1<<len(control.Roles)-1)
	session, err := w.centre.SignInByEmail(ctx, user.Email, "")
	require.NoError(w.t, err)
	ids, etags := w.ids, w.etags
	ids["org"] = w.acme.ID
	if n.where == "partner" && strings.HasPrefix(o.path, "/orgs/{org}") {
		ids["org"] = w.msp.ID
	}
	if o.path == "/systems/{id}/password" {
		// A device that is called.
		boss := control.Actor{User: w.users["boss"]}
		s, err := w.centre.SaveSystem(ctx, boss, control.System{Company: w.acme.ID, Name: fmt.Sprint("Cisco ", time.Now().UnixNano()), Kind: control.CiscoHTTPS})
		require.NoError(w.t, err)
		ids["systems"] = s.ID
	}
	if o.plural() == "tokens" {
		t, _, err := w.centre.CreateToken(ctx, control.Actor{User: session.User}, fmt.Sprint("old ", time.Now().UnixNano()), []control.Action{control.ReadCompany}, time.Hour)
		require.NoError(w.t, err)
		ids["tokens"] = t.ID
	}
	r := request{path: w.fill("/api/" + api.Version + o.path), body: w.body(o), session: session}
	if o.Responses["428"] != nil {
		r.etag = etags[o.plural()]
		if r.etag == `` {
			r.etag = `"0"`
		}
		if strings.HasSuffix(o.path, "/processing") {
			r.etag = `"0"` // nothing has been stored yet
		}
	}
	return r
}

// failing is a store that fails, when it is told to, for all that is not about
// signing in.
type failing struct {
	control.Store
	on *bool
}

var errBroken = errors.New("the disk is broken")

func (f failing) View(ctx context.Context, fn func(control.Tx) error) error {
	return f.Store.View(ctx, func(tx control.Tx) error { return fn(failingTx{tx, f.on}) })
}

func (f failing) Update(ctx context.Context, fn func(control.Tx) error) error {
	return f.Store.Update(ctx, func(tx control.Tx) error { return fn(failingTx{tx, f.on}) })
}

type failingTx struct {
	control.Tx
	on *bool
}

func (f failingTx) Get(kind, id string) (control.Record, error) {
	if *f.on && kind != "session" && (kind != "user" || strings.HasPrefix(id, "nobody")) {
		return control.Record{}, errBroken
	}
	return f.Tx.Get(kind, id)
}

func (f failingTx) List(kind, owner string, after control.Cursor, limit int) ([]control.Record, error) {
	if *f.on {
		return nil, errBroken
	}
	return f.Tx.List(kind, owner, after, limit)
}

func (f failingTx) Count(kind, owner string) (int, error) {
	if *f.on {
		return 0, errBroken
	}
	return f.Tx.Count(kind, owner)
}

// TestContract calls every operation of the OpenAPI document so that each status
// that the document names is seen, and checks each answer against the document.
func TestContract(t *testing.T) {
	taker := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer taker.Close()
	roots := x509.NewCertPool()
	roots.AddCert(taker.Certificate())
	broken := false
	fresh := func() *world {
		w := newWorld(t, func(o *control.Options) { o.HookTLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
		boss := control.Actor{User: w.users["boss"]}
		h, err := w.centre.SaveAlarmHook(t.Context(), boss, control.AlarmHook{Meta: control.Meta{ID: w.ids["alarm-hooks"], Revision: 1}, Company: w.acme.ID, Name: "Ops", URL: taker.URL})
		require.NoError(t, err)
		w.etags["alarm-hooks"] = fmt.Sprintf(`"%d"`, h.Revision)
		return w
	}
	limited := func(w *world) http.Handler {
		g := api.NewGuard(&api.GuardOptions{Rate: 1e-9, Burst: 1})
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		require.NoError(t, g.Allow(r))
		return api.New(w.centre, &api.Options{Guard: g})
	}
	table := documented(t)
	w := fresh()
	for _, o := range operations(w.server) {
		n := table[o.name()]
		for code := range o.Responses {
			status, err := strconv.Atoi(code)
			require.NoError(t, err)
			r := w.sound(o, n)
			var server http.Handler = w.server
			switch status {
			case 401:
				r.session = control.Session{}
			case 403:
				if r.noCSRF = n.action == "signed in"; !r.noCSRF {
					scope := control.ReadAudit
					if n.action == string(scope) {
						scope = control.ReadCompany
					}
					_, r.token, err = w.centre.CreateToken(t.Context(), control.Actor{User: r.session.User}, fmt.Sprint("few ", o.name()), []control.Action{scope}, time.Hour)
					require.NoError(t, err)
				}
			case 404:
				for _, id := range w.ids {
					r.path = strings.ReplaceAll(r.path, id, "nobodyknows")
				}
			case 409:
				if o.OperationID == "start-preview" {
					w = newWorld(t) // of which one goes on
					server = w.server
					w.live.hold = make(chan struct{})
					defer close(w.live.hold)
					r = w.sound(o, n)
					require.Equal(t, 202, w.send(server, o, r).StatusCode)
				}
				require.Less(t, w.send(server, o, r).StatusCode, 300, o.name())
				if o.method == "PUT" || o.method == "PATCH" { // give it the name of another one
					w = fresh()
					r = w.sound(o, n)
					if o.plural() == "users" {
						w.ids["org"] = w.msp.ID // the caller's
					}
					other := operation{"POST", "/orgs/{org}/" + o.plural(), nil}
					resp := w.call(r.session.User, "POST", w.fill("/api/"+api.Version+other.path), "", w.body(other))
					require.Equal(t, 201, resp.StatusCode, o.name())
					r.body = w.body(other)
					server = w.server
				}
			case 412:
				r.etag = `"999"`
			case 413:
				r.body = fmt.Appendf(nil, `{"x": "%s"}`, strings.Repeat("x", int(o.MaxBodyBytes)))
			case 422:
				r.path += "?toast=1"
			case 428:
				r.etag = ""
			case 429:
				server = limited(w)
			case 500:
				if slices.Contains([]string{"get-me", "check-rules", "list-rules", "edit-rules", "import-rules", "preview-settings"}, o.OperationID) {
					continue // they ask nobody
				}
				if o.plural() == "previews" {
					continue // another Centre has no previews
				}
				c, err := control.New(failing{w.store, &broken}, keys(), &control.Options{Live: w.live, Consent: consent{}})
				require.NoError(t, err)
				server = api.New(c, nil)
			case 503:
				shut := new(storetest.Memory)
				require.NoError(t, shut.Close())
				c, err := control.New(shut, keys(), nil)
				require.NoError(t, err)
				server = api.New(c, nil)
			}
			broken = status == 500
			resp := w.send(server, o, r)
			broken = false
			if !assert.Equal(t, status, resp.StatusCode, "%s", o.name()) {
				answer, _ := io.ReadAll(resp.Body)
				t.Logf("%s %s: %s", o.method, r.path, answer)
			} else {
				w.conforms(o, resp)
			}
			if o.method != "GET" && status < 300 || status == 409 {
				w = fresh()
			}
		}
	}
}

// conforms checks an answer against the document.
func (w *world) conforms(o operation, resp *http.Response) {
	t := w.t
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	what := fmt.Sprintf("%s: %d: %s", o.name(), resp.StatusCode, data)
	described := o.Responses[strconv.Itoa(resp.StatusCode)]
	if len(described.Content) == 0 {
		assert.Empty(t, data, what)
		return
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	media := described.Content[kind]
	if !assert.NotNil(t, media, "%s: the document has no %s", what, kind) || !strings.HasSuffix(kind, "json") {
		return
	}
	var value any
	require.NoError(t, json.Unmarshal(data, &value), what)
	result := &huma.ValidateResult{}
	registry := w.server.OpenAPI().Components.Schemas
	huma.Validate(registry, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	assert.Empty(t, result.Errors, what)
	if described.Headers["ETag"] != nil {
		assert.Regexp(t, `^"\d+"$`, resp.Header.Get("ETag"), what)
	}
	if resp.StatusCode >= 400 {
		p := value.(map[string]any)
		assert.EqualValues(t, resp.StatusCode, p["status"], what)
		assert.NotEmpty(t, p["detail"], "%s: it does not say what to do", what)
		assert.NotContains(t, string(data), "disk is broken", "the server's own troubles are for its log")
	}
	if resp.StatusCode == 429 {
		assert.NotEmpty(t, resp.Header.Get("Retry-After"), what)
	}
}

func TestDocumentIsServed(t *testing.T) {
	w := newWorld(t)
	resp := w.call(control.User{}, "GET", "/api/openapi.json", "", nil)
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&doc))
	assert.Equal(t, "3.1.0", doc.OpenAPI)
	assert.Len(t, doc.Paths, len(w.server.OpenAPI().Paths))
	assert.Greater(t, len(operations(w.server)), 80)
}
