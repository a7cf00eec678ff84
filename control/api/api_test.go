package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

// world is an API on a store with a partner, a company of the partner that has
// one of each object, and another company.
type world struct {
	t      *testing.T
	centre *control.Centre
	server *api.Server
	ids    map[string]string // placeholder in a path -> ID
	etags  map[string]string
	acme   control.Org
	msp    control.Org
	users  map[string]control.User
}

type dns struct{ challenge *string }

func (d dns) LookupTXT(_ context.Context, name string) ([]string, error) {
	if *d.challenge == "" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []string{*d.challenge}, nil
}

func newWorld(t *testing.T) *world {
	keys, err := control.NewKeys()
	require.NoError(t, err)
	challenge := new(string)
	w := &world{t: t, ids: map[string]string{}, etags: map[string]string{}, users: map[string]control.User{}}
	w.centre, err = control.New(new(storetest.Memory), keys, &control.Options{Resolver: dns{challenge}, Consent: consent{}})
	require.NoError(t, err)
	w.server = api.New(w.centre, &api.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6, Failures: 1e6})})

	ctx := t.Context()
	msp, boss, err := w.centre.Setup(ctx, control.Partner, "Providers Ltd", "boss@msp.example", "Boss")
	require.NoError(t, err)
	w.msp = msp
	as := control.Actor{User: boss}
	w.acme, err = w.centre.CreateCompany(ctx, as, msp.ID, "Acme")
	require.NoError(t, err)
	as = w.refresh(boss)
	_, err = w.centre.CreateCompany(ctx, as, msp.ID, "Globex")
	require.NoError(t, err)
	as = w.refresh(boss)
	boss, err = w.centre.SetRole(ctx, as, w.acme.ID, boss.ID, control.OTJAdmin, true)
	require.NoError(t, err)
	as = control.Actor{User: boss}
	on := true
	w.acme, err = w.centre.ChangeOrg(ctx, as, w.acme.ID, w.acme.Revision, control.OrgChange{Enabled: &on})
	require.NoError(t, err)

	// One of each object.
	tenant, err := w.centre.CreateTenant(ctx, as, w.acme.ID, "acme.example")
	require.NoError(t, err)
	*challenge = tenant.Challenge
	tenant, err = w.centre.VerifyTenant(ctx, as, tenant.ID)
	require.NoError(t, err)
	provider, err := w.centre.SaveProvider(ctx, as, control.Provider{Company: w.acme.ID, Name: "365", Kind: control.Microsoft365, Tenant: tenant.ID})
	require.NoError(t, err)
	mailbox, err := w.centre.SaveMailbox(ctx, as, control.Mailbox{Company: w.acme.ID, Provider: provider.ID, Address: "board@acme.example"})
	require.NoError(t, err)
	group, err := w.centre.SaveGroup(ctx, as, control.Group{Company: w.acme.ID, Name: "Oslo"})
	require.NoError(t, err)
	system, err := w.centre.SaveSystem(ctx, as, control.System{Company: w.acme.ID, Name: "Board", Kind: control.Poly, Mailbox: mailbox.ID, Enabled: true})
	require.NoError(t, err)
	for plural, m := range map[string]control.Meta{
		"orgs": w.acme.Meta, "tenants": tenant.Meta, "providers": provider.Meta, "mailboxes": mailbox.Meta, "groups": group.Meta, "systems": system.Meta,
	} {
		w.ids[plural], w.etags[plural] = m.ID, fmt.Sprintf(`"%d"`, m.Revision)
	}
	w.ids["org"] = w.acme.ID
	w.users["boss"] = boss
	w.users["nobody"] = w.user("nobody", as, msp.ID)
	w.ids["users"] = w.users["nobody"].ID
	w.ids["tokens"] = "none"
	return w
}

type consent struct{}

func (consent) URL(domain, state string) string {
	return "https://login.example/" + domain + "?state=" + state
}
func (consent) Check(context.Context, string, string) error { return nil }

// refresh reads a user's grants again, by way of a new session.
func (w *world) refresh(u control.User) control.Actor {
	s, err := w.centre.SignInByEmail(w.t.Context(), u.Email, "")
	require.NoError(w.t, err)
	return control.Actor{User: s.User}
}

func (w *world) user(name string, as control.Actor, org string) control.User {
	u, err := w.centre.CreateUser(w.t.Context(), as, org, name+"@msp.example", name)
	require.NoError(w.t, err)
	return u
}

// call makes a request as a user, by a session.
func (w *world) call(u control.User, method, path, etag string, body any) *http.Response {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		require.NoError(w.t, err)
		payload = bytes.NewReader(data)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, payload)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	if u.Email != "" {
		s, err := w.centre.SignInByEmail(w.t.Context(), u.Email, "")
		require.NoError(w.t, err)
		r.AddCookie(&http.Cookie{Name: api.SessionCookie, Value: string(s.Token)})
		r.Header.Set(api.CSRFHeader, string(s.CSRF))
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec.Result()
}

// TestDocumentIsWhole walks the OpenAPI document: every operation answers
// nobody with 401, and says in a problem what to do.
func TestDocumentIsWhole(t *testing.T) {
	w := newWorld(t)
	operations := 0
	for path, item := range w.server.OpenAPI().Paths {
		for method, op := range map[string]any{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if fmt.Sprint(op) == "<nil>" {
				continue
			}
			operations++
			resp := w.call(control.User{}, method, w.fill(path), "", nil)
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, "%s %s", method, path)
			assert.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"), "%s %s", method, path)
		}
	}
	assert.Greater(t, operations, 40)

	resp := w.call(control.User{}, "GET", "/api/openapi.json", "", nil)
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&doc))
	assert.Equal(t, "3.1.0", doc.OpenAPI)
	assert.Len(t, doc.Paths, len(w.server.OpenAPI().Paths))
}

// fill puts the IDs of the world's objects into a path.
func (w *world) fill(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		switch p {
		case "{org}":
			parts[i] = w.ids["org"]
		case "{id}":
			parts[i] = w.ids[parts[i-1]]
		case "{user}":
			parts[i] = w.users["nobody"].ID
		case "{role}":
			parts[i] = "otj_admin"
		}
	}
	return strings.Join(parts, "/")
}

// matrix says which action each operation needs in the company. Operations that
// need none are about the caller.
var matrix = map[string]control.Action{
	"GET /orgs/{id}": control.ReadCompany, "PATCH /orgs/{id}": control.EditOrg,
	"GET /orgs/{org}/audit":   control.ReadAudit,
	"GET /orgs/{org}/tenants": control.ReadCompany, "POST /orgs/{org}/tenants": control.Configure,
	"POST /tenants/{id}/verify": control.Configure, "DELETE /tenants/{id}": control.Configure, "GET /tenants/{id}/consequences": control.Configure,
	"GET /orgs/{org}/providers": control.ReadCompany, "POST /orgs/{org}/providers": control.Configure,
	"GET /providers/{id}": control.ReadCompany, "PUT /providers/{id}": control.Configure, "DELETE /providers/{id}": control.Configure,
	"GET /providers/{id}/consequences": control.Configure, "POST /providers/{id}/consent-link": control.Configure,
	"GET /orgs/{org}/mailboxes": control.ReadCompany, "POST /orgs/{org}/mailboxes": control.Configure,
	"GET /mailboxes/{id}": control.ReadCompany, "PUT /mailboxes/{id}": control.Configure, "DELETE /mailboxes/{id}": control.Configure,
	"GET /mailboxes/{id}/consequences": control.Configure,
	"GET /orgs/{org}/processing":       control.ReadCompany, "PUT /orgs/{org}/processing": control.Configure,
	"GET /orgs/{org}/systems": control.ReadCompany, "POST /orgs/{org}/systems": control.Configure,
	"GET /systems/{id}": control.ReadCompany, "PUT /systems/{id}": control.Configure, "DELETE /systems/{id}": control.Configure,
	"GET /systems/{id}/consequences": control.Configure, "PUT /systems/{id}/password": control.Configure, "POST /systems/{id}/new-password": control.Configure,
	"GET /orgs/{org}/groups": control.ReadCompany, "POST /orgs/{org}/groups": control.Configure,
	"GET /groups/{id}": control.ReadCompany, "PUT /groups/{id}": control.Configure, "DELETE /groups/{id}": control.Configure,
	"GET /groups/{id}/consequences": control.Configure, "PUT /groups/{id}/password": control.Configure,
	"GET /orgs/{org}/users": control.ReadUsers, "POST /orgs/{org}/users": control.ManageUsers,
	"PUT /orgs/{org}/users/{user}/roles/{role}": control.GrantOTJ, "DELETE /orgs/{org}/users/{user}/roles/{role}": control.GrantOTJ,
}

// elsewhere are operations that need an action in the partner, or in the
// organization of a user, and those that are about the caller.
var elsewhere = []string{
	"GET /orgs", "POST /orgs/{org}/companies", "DELETE /orgs/{id}", "GET /orgs/{id}/consequences",
	"GET /me", "GET /tokens", "POST /tokens", "DELETE /tokens/{id}",
	"PUT /users/{id}/disabled", "DELETE /users/{id}", "GET /users/{id}/consequences",
}

// TestAuthorizationMatrix walks every operation of the document with every set
// of roles, and expects exactly what control.Allowed says.
func TestAuthorizationMatrix(t *testing.T) {
	body := map[string]any{
		"POST /orgs/{org}/tenants":   map[string]any{"domain": "more.example"},
		"POST /orgs/{org}/providers": map[string]any{"name": "new", "kind": "google"},
		"POST /orgs/{org}/mailboxes": map[string]any{"address": "x@acme.example"},
		"POST /orgs/{org}/systems":   map[string]any{"name": "new", "kind": "feed"},
		"POST /orgs/{org}/groups":    map[string]any{"name": "new"},
		"POST /orgs/{org}/users":     map[string]any{"email": "new@acme.example"},
		"PUT /providers/{id}":        map[string]any{"name": "365"}, "PUT /mailboxes/{id}": map[string]any{"address": "board@acme.example"},
		"PUT /systems/{id}": map[string]any{"name": "Board"}, "PUT /groups/{id}": map[string]any{"name": "Oslo"},
		"PUT /orgs/{org}/processing": map[string]any{}, "PUT /systems/{id}/password": map[string]any{"password": "x"}, "PUT /groups/{id}/password": map[string]any{"password": "x"},
		"PATCH /orgs/{id}": map[string]any{"name": "Acme"},
	}
	documented := newWorld(t)
	for path, item := range documented.server.OpenAPI().Paths {
		short := strings.TrimPrefix(path, "/api/"+api.Version)
		for method, op := range map[string]any{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			name := method + " " + short
			if fmt.Sprint(op) == "<nil>" || slices.Contains(elsewhere, name) {
				continue
			}
			action, known := matrix[name]
			if !assert.True(t, known, "%s is in no table of this test: say which action it needs", name) {
				continue
			}
			for mask := range 1 << len(control.Roles) {
				for _, home := range []string{"company", "partner", "stranger"} {
					w := documented
					if method != "GET" {
						w = newWorld(t) // what is allowed changes the world
					}
					user := w.member(home, mask)
					resp := w.call(user, method, w.fill(path), w.etags[strings.Split(short, "/")[1]], body[name])
					allowed := resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusNotFound
					assert.Equal(t, control.Allowed(user, action, w.acme), allowed, "%s by %s with %v: %d", name, home, user.Grants, resp.StatusCode)
				}
			}
		}
	}
}

// member makes a user with some roles for the company.
func (w *world) member(home string, mask int) control.User {
	boss := control.Actor{User: w.users["boss"]}
	org := w.msp.ID
	name := fmt.Sprintf("%s-%d", home, mask)
	if home == "company" {
		org = w.acme.ID
	}
	boss.User.Grants = append(slices.Clone(boss.User.Grants), control.Grant{Org: w.acme.ID, Role: control.AccessAdmin})
	u, err := w.centre.SignInByEmail(w.t.Context(), name+"@msp.example", "")
	if err == nil {
		return u.User
	}
	user, err := w.centre.CreateUser(w.t.Context(), boss, org, name+"@msp.example", name)
	require.NoError(w.t, err)
	if home == "stranger" {
		return user // without any role, whatever the mask
	}
	for i, role := range control.Roles {
		if mask&(1<<i) != 0 {
			user, err = w.centre.SetRole(w.t.Context(), boss, w.acme.ID, user.ID, role, true)
			require.NoError(w.t, err)
		}
	}
	return user
}

func TestUnknownPathsAreProblems(t *testing.T) {
	w := newWorld(t)
	resp := w.call(w.users["boss"], "GET", "/api/v1/toasters", "", nil)
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	assert.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
}

func TestPreconditions(t *testing.T) {
	w := newWorld(t)
	boss := w.users["boss"]
	path := w.fill("/api/v1/systems/{id}")
	assert.Equal(t, http.StatusPreconditionRequired, w.call(boss, "PUT", path, "", map[string]any{"name": "x"}).StatusCode)
	assert.Equal(t, http.StatusPreconditionFailed, w.call(boss, "PUT", path, `"77"`, map[string]any{"name": "x"}).StatusCode)
	assert.Equal(t, http.StatusPreconditionFailed, w.call(boss, "DELETE", path, `"abc"`, nil).StatusCode)

	resp := w.call(boss, "PUT", path, w.etags["systems"], map[string]any{"name": "Renamed", "mailbox": w.ids["mailboxes"]})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, `"2"`, resp.Header.Get("ETag"))
	// The same request once more, as a browser that lost the answer sends it.
	assert.Equal(t, http.StatusPreconditionFailed, w.call(boss, "PUT", path, w.etags["systems"], map[string]any{"name": "Renamed"}).StatusCode)
}

func TestProblemsNameTheField(t *testing.T) {
	w := newWorld(t)
	for body, location := range map[string]string{
		`{"name": "x", "kind": "toaster"}`:                              "body.kind",
		`{"name": "x", "kind": "poly", "colour": "red"}`:                "body.colour",
		`{"name": 7, "kind": "poly"}`:                                   "body.name",
		`{"name": "a\u202eb", "kind": "poly"}`:                          "body.name",
		`{"name": "x", "kind": "poly", "mailbox": "` + w.acme.ID + `"}`: "body.mailbox",
	} {
		resp := w.call(w.users["boss"], "POST", w.fill("/api/v1/orgs/{org}/systems"), "", json.RawMessage(body))
		assert.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode, body)
		var problem struct {
			Errors []struct{ Location string }
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&problem), body)
		require.NotEmpty(t, problem.Errors, body)
		assert.Equal(t, location, problem.Errors[0].Location, body)
	}
}

func TestChangesNeedTheSessionsOwnToken(t *testing.T) {
	w := newWorld(t)
	s, err := w.centre.SignInByEmail(t.Context(), "boss@msp.example", "")
	require.NoError(t, err)
	for csrf, want := range map[string]int{"": 403, "forged": 403, string(s.CSRF): 201} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", w.fill("/api/v1/orgs/{org}/groups"), strings.NewReader(`{"name":"g"}`))
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: api.SessionCookie, Value: string(s.Token)})
		r.Header.Set(api.CSRFHeader, csrf)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		assert.Equal(t, want, rec.Code, "token %q", csrf)
	}
}

func TestTokensOverHTTP(t *testing.T) {
	w := newWorld(t)
	resp := w.call(w.users["boss"], "POST", "/api/v1/tokens", "", map[string]any{"name": "ci", "scopes": []string{"read_company"}})
	require.Equal(t, http.StatusCreated, resp.StatusCode)
	var made struct {
		Token string `json:"token"`
		Hash  string `json:"hash"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&made))
	assert.Empty(t, made.Hash)
	for path, want := range map[string]int{"/api/v1/orgs/{org}/systems": 200, "/api/v1/orgs/{org}/audit": 403} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", w.fill(path), nil)
		r.Header.Set("Authorization", "Bearer "+made.Token)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		assert.Equal(t, want, rec.Code, path)
	}
}

func TestGuessersWait(t *testing.T) {
	w := newWorld(t)
	server := api.New(w.centre, &api.Options{Guard: api.NewGuard(&api.GuardOptions{Failures: 3, Lockout: time.Hour})})
	codes := []int{}
	for range 5 {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/me", nil)
		r.Header.Set("Authorization", "Bearer otj_guess_guess")
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, r)
		codes = append(codes, rec.Code)
		if rec.Code == http.StatusTooManyRequests {
			assert.NotEmpty(t, rec.Header().Get("Retry-After"))
		}
	}
	assert.Equal(t, []int{401, 401, 401, 429, 429}, codes)
}
