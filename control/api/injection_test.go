package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// nasty are values that mean something to what is behind or beside the API.
var nasty = map[string]string{
	"SQL":               `'; DROP TABLE record; --`,
	"SQL of SQLite":     `x' OR 1=1 UNION SELECT data FROM record WHERE kind='secret`,
	"HTML":              `<script>alert(1)</script>`,
	"attribute":         `" onmouseover="alert(1)`,
	"header":            "x\r\nSet-Cookie: admin=1",
	"PowerShell":        `'; Remove-Mailbox * -Confirm:$false #`,
	"PowerShell's own":  "\u2019; Remove-Mailbox * #",
	"subexpression":     `$(Remove-Mailbox *)`,
	"formula":           `=HYPERLINK("https://evil.example","x")`,
	"path":              `../../../etc/passwd`,
	"template":          `{{.}} {{template "x"}} %s %n`,
	"NUL":               "a\x00b",
	"turned around":     "a\u202eb",
	"not UTF-8":         "a\xffb",
	"long":              strings.Repeat("x", 100_000),
	"a number's string": "1e999",
}

// places lists the strings in a JSON value, as functions that replace them.
func places(v any, set func(any), visit func(set func(any))) {
	switch v := v.(type) {
	case string:
		visit(set)
	case map[string]any:
		for k := range v {
			places(v[k], func(n any) { v[k] = n }, visit)
		}
	case []any:
		for i := range v {
			places(v[i], func(n any) { v[i] = n }, visit)
		}
	}
}

// TestInjection puts values that mean something elsewhere into every text of
// every body, on the SQLite store: each is refused with a reason, or kept and
// given back as what it is.
func TestInjection(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "otj.db"))
	require.NoError(t, err)
	defer store.Close()
	w := newWorldOn(t, store)
	table := documented(t)
	tried, kept := 0, 0
	for _, o := range operations(w.server) {
		sound := bodies[o.name()]
		if sound == "" || o.name() == "POST /orgs/{org}/companies" {
			continue
		}
		var fields []string
		var walk func(v any, at string)
		walk = func(v any, at string) {
			switch v := v.(type) {
			case string:
				fields = append(fields, at)
			case map[string]any:
				for k := range v {
					walk(v[k], at+"/"+k)
				}
			case []any:
				for _, e := range v {
					walk(e, at+"/0")
				}
			}
		}
		var value any
		r := w.sound(o, table[o.name()])
		require.NoError(t, json.Unmarshal(r.body, &value))
		walk(value, "")
		for i := range fields {
			for name, bad := range nasty {
				var body any
				require.NoError(t, json.Unmarshal(r.body, &body))
				n := 0
				places(body, nil, func(set func(any)) {
					if n == i {
						set(bad)
					}
					n++
				})
				data, err := json.Marshal(body)
				require.NoError(t, err)
				if name == "not UTF-8" {
					data = []byte(strings.Replace(string(data), `a\ufffdb`, "a\xffb", 1))
				}
				send := r
				send.body = data
				resp := w.send(w.server, o, send)
				answer, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				tried++
				assert.Contains(t, []int{200, 201, 204, 404, 409, 412, 413, 422}, resp.StatusCode, "%s with %s: %.300s", o.name(), name, answer)
				assert.Empty(t, resp.Header.Get("Set-Cookie"))
				assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
				if resp.StatusCode == 201 && json.Valid(answer) {
					kept++
				}
				if o.OperationID == "edit-rules" {
					continue // it gives back what it was given, and stores nothing
				}
				if slices.Contains([]string{"header", "NUL", "turned around", "not UTF-8"}, name) && resp.StatusCode < 300 && o.OperationID != "set-system-password" && o.OperationID != "set-group-password" {
					assert.NotContains(t, string(answer), bad, "%s keeps %s", o.name(), name)
				}
			}
		}
	}
	t.Logf("%d requests, %d objects made", tried, kept)
	assert.Greater(t, tried, 500)
	assert.Positive(t, kept, "some of these are good names")
	require.NoError(t, store.Check(t.Context()))
	boss := w.users["boss"]
	resp := w.call(boss, "GET", w.fill("/api/"+api.Version+"/orgs/{org}/systems"), "", nil)
	assert.Equal(t, http.StatusOK, resp.StatusCode, "the table is still there")
	csv, err := w.centre.ExportSystems(t.Context(), control.Actor{User: boss}, w.acme.ID)
	require.NoError(t, err)
	for line := range strings.Lines(strings.TrimPrefix(string(csv), "\ufeff")) {
		for cell := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			cell = strings.Trim(cell, `"`)
			assert.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@"), "%q is a formula", cell)
		}
	}
}

// A link for a sign-in or consent that was used, has expired or was made up does
// nothing; of whom it was is not told.
func TestForgedLinks(t *testing.T) {
	w := newWorld(t)
	for _, secret := range []string{"", "forged", strings.Repeat("A", 10_000), "'; DROP TABLE record; --", "a\x00b"} {
		_, err := w.centre.SignInByLink(t.Context(), calendar.Secret(secret), "")
		assert.ErrorIs(t, err, control.ErrNotFound)
		_, err = w.centre.FinishConsent(t.Context(), secret, "tenant", "")
		assert.ErrorIs(t, err, control.ErrNotFound)
	}
	// A token of another user, of another installation, or half of one.
	_, text, err := w.centre.CreateToken(t.Context(), control.Actor{User: w.users["boss"]}, "x", []control.Action{control.ReadCompany}, time.Hour)
	require.NoError(t, err)
	for _, token := range []string{string(text)[:len(text)-1], string(text) + "A", strings.ToUpper(string(text)), "otj_" + w.ids["systems"] + "_x"} {
		resp := w.send(w.server, operation{"GET", "/me", nil}, request{path: "/api/" + api.Version + "/me", token: calendar.Secret(token)})
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
}
