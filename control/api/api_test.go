package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control/api"
)

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
