package api_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
)

var update = flag.Bool("update", false, "write what the tests make into docs/control.md")

const document = "../../docs/control.md"

// operation is one of the OpenAPI document.
type operation struct {
	method, path string // the path without /api/v1
	*huma.Operation
}

func (o operation) name() string { return o.method + " " + o.path }

// plural is the first part of the path: what the ETag is of.
func (o operation) plural() string { return strings.Split(o.path, "/")[1] }

func operations(s *api.Server) (out []operation) {
	for path, item := range s.OpenAPI().Paths {
		short := strings.TrimPrefix(path, "/api/"+api.Version)
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil {
				out = append(out, operation{method, short, op})
			}
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
}

// section returns what stands in the document between the comments that begin
// with "name:" and "/name".
func section(t *testing.T, name string) (before, inside, after string) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	i := strings.Index(string(text), "<!-- "+name+":")
	require.Positive(t, i)
	i += strings.Index(string(text[i:]), "-->\n") + 4
	j := strings.Index(string(text), "<!-- /"+name+" -->")
	require.Greater(t, j, i-1)
	return string(text[:i]), string(text[i:j]), string(text[j:])
}

// need is what an operation needs, as the document says.
type need struct{ action, where string }

func documented(t *testing.T) map[string]need {
	_, table, _ := section(t, "operations")
	out := map[string]need{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && strings.Contains(cells[1], "`") {
			out[strings.Trim(cells[1], " `")] = need{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])}
		}
	}
	return out
}

// bodies are sound bodies of operations that take one; {…} stands for an ID.
var bodies = map[string]string{
	"POST /orgs/{org}/companies":           `{"name": "Initech"}`,
	"POST /orgs/{org}/tenants":             `{"domain": "more.example"}`,
	"POST /orgs/{org}/providers":           `{"name": "new", "kind": "google"}`,
	"POST /orgs/{org}/mailboxes":           `{"address": "x@acme.example", "provider": "{providers}"}`,
	"POST /orgs/{org}/systems":             `{"name": "new", "kind": "feed"}`,
	"POST /orgs/{org}/groups":              `{"name": "new"}`,
	"POST /orgs/{org}/users":               `{"email": "new@acme.example"}`,
	"POST /orgs/{org}/alarm-hooks":         `{"name": "new", "url": "https://alarms.example.com/"}`,
	"PATCH /users/{id}":                    `{"name": "Nobody"}`,
	"PUT /providers/{id}":                  `{"name": "365"}`,
	"PUT /mailboxes/{id}":                  `{"address": "board@acme.example", "provider": "{providers}"}`,
	"PUT /systems/{id}":                    `{"name": "Board", "mailbox": "{mailboxes}", "enabled": true}`,
	"PUT /groups/{id}":                     `{"name": "Oslo"}`,
	"PUT /alarm-hooks/{id}":                `{"name": "Ops", "url": "https://alarms.example.com/"}`,
	"PUT /orgs/{org}/processing":           `{"settings": ` + settings + `}`,
	"POST /orgs/{org}/processing/preview":  `{"settings": ` + settings + `}`,
	"POST /orgs/{org}/processing/previews": `{"settings": ` + settings + `}`,
	"POST /settings/preview":               settings,
	"PUT /systems/{id}/password":           `{"password": "x"}`,
	"PUT /groups/{id}/password":            `{"password": "x"}`,
	"PUT /systems/{id}/paused":             `{"paused": true}`,
	"POST /systems/{id}/test-meeting":      `{"join": "sip:test@example.com"}`,
	"PATCH /orgs/{id}":                     `{"name": "Acme"}`,
	"PUT /users/{id}/disabled":             `{"disabled": true}`,
	"POST /tokens":                         `{"name": "ci", "scopes": ["read_company"], "days": 7}`,
	"POST /rules/check":                    `{"rules": "[]"}`,
	"POST /rules/list":                     `{"rules": "[{\"name\": \"a\", \"priority\": 1, \"type\": \"zoom\"}]"}`,
	"POST /rules/edit":                     `{"rules": "[]", "edit": {"op": "add", "rule": {"name": "a", "type": "zoom"}}}`,
	"POST /rules/import":                   `{"rules": "{\"objects\": []}"}`,
	"POST /orgs/{org}/rules/test":          `{"invite": "aHR0cHM6Ly9hY21lLnpvb20udXMvai85ODc2NTQzMjEwMQ=="}`,
	"POST /orgs/{org}/mailboxes/import":    `{"csv": "bmV3QGFjbWUuZXhhbXBsZQ=="}`,
	"POST /orgs/{org}/systems/import":      `{"csv": "bmFtZSxraW5kCm5ldyxwb2x5"}`,
	"PUT /orgs/{org}/readiness/report":     `{"report": "W3siUHJpbWFyeVNtdHBBZGRyZXNzIjogImJvYXJkQGFjbWUuZXhhbXBsZSJ9XQ=="}`,
	"POST /orgs/{org}/scripts":             `{"group": "rooms@acme.example"}`,
}

const settings = `{"days_ahead": 7, "start_buffer": 5, "non_video": true, "private": true, "private_button": true, "replace_subject": "PRIVATE", "replace_empty_subject": true, "tentative": true, "all_day": "video", "overlapping": true, "prefer": ["sip"]}`

// body fills a sound body.
func (w *world) body(o operation) []byte {
	text, ok := bodies[o.name()]
	if !ok {
		return nil
	}
	for plural, id := range w.ids {
		text = strings.ReplaceAll(text, "{"+plural+"}", id)
	}
	return []byte(text)
}

// TestAuthorizationMatrix walks every operation of the OpenAPI document with
// every set of roles, from the company, its partner and elsewhere, and expects
// exactly what the table of the document and control.Allowed say.
func TestAuthorizationMatrix(t *testing.T) {
	shared := newWorld(t)
	table := documented(t)
	for _, o := range operations(shared.server) {
		n, ok := table[o.name()]
		if !assert.True(t, ok, "docs/control.md does not say what %s needs", o.name()) {
			continue
		}
		delete(table, o.name())
		for mask := range 1 << len(control.Roles) {
			for _, home := range []string{"company", "partner", "stranger"} {
				w := shared
				w.ids["org"], w.ids["orgs"], w.etags["orgs"] = w.acme.ID, w.acme.ID, fmt.Sprintf(`"%d"`, w.acme.Revision)
				org := w.acme
				if n.where == "partner" || o.plural() == "users" {
					org = w.msp
					if strings.HasPrefix(o.path, "/orgs/{org}") {
						w.ids["org"] = w.msp.ID
					}
				}
				var user control.User
				if org.ID == w.msp.ID {
					user = w.memberOf(w.msp, home, mask)
				} else {
					user = w.memberOf(w.acme, home, mask)
				}
				want := n.action == "signed in" || control.Allowed(user, control.Action(n.action), org)
				resp := w.call(user, o.method, w.fill("/api/"+api.Version+o.path), w.etags[o.plural()], w.body(o))
				allowed := resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusNotFound
				if n.action == "signed in" && strings.Contains(o.path, "{id}") {
					allowed = resp.StatusCode != http.StatusForbidden // the world has no token of the caller
				}
				if o.method != "GET" && resp.StatusCode < 300 {
					shared = newWorld(t) // what is allowed changes the world
				}
				answer, _ := io.ReadAll(resp.Body)
				assert.Equal(t, want, allowed, "%s by %s with %v: %d %s", o.name(), home, user.Grants, resp.StatusCode, answer)
			}
		}
	}
	assert.Empty(t, table, "docs/control.md has operations that are not there")
}

// Granting other roles than OTJ Admin needs another action.
func TestGrantingOtherRoles(t *testing.T) {
	for mask := range 1 << len(control.Roles) {
		for _, home := range []string{"company", "partner"} {
			for _, role := range []string{"admin", "access_admin"} {
				w := newWorld(t)
				user := w.memberOf(w.acme, home, mask)
				path := "/api/" + api.Version + "/orgs/" + w.acme.ID + "/users/" + w.users["nobody"].ID + "/roles/" + role
				resp := w.call(user, "PUT", path, "", nil)
				assert.Equal(t, control.Allowed(user, control.ManageUsers, w.acme), resp.StatusCode == http.StatusOK, "%s by %s with %v: %d", role, home, user.Grants, resp.StatusCode)
			}
		}
	}
}

// TestRolesTable keeps the table of roles in the document true.
func TestRolesTable(t *testing.T) {
	partner := control.Org{Meta: control.Meta{ID: "msp"}, Kind: control.Partner}
	company := control.Org{Meta: control.Meta{ID: "acme"}, Kind: control.Company, Partner: "msp"}
	open := company
	open.PartnerSeesSubjects = true
	var b strings.Builder
	b.WriteString("\nRoles in a company, of its own users and of its partner's (\"if allowed\": if the company lets the partner see subjects;\n\"with partner's\": together with Access Admin in the partner):\n\n| User of | Roles there |")
	for _, a := range control.Actions[:len(control.Actions)-1] { // manage_companies is the partner's
		fmt.Fprintf(&b, " %s |", a)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(control.Actions)-1) + "\n")
	for _, home := range []string{"acme", "msp"} {
		for mask := 1; mask < 1<<len(control.Roles); mask++ {
			u := control.User{Org: home}
			var names []string
			for i, r := range control.Roles {
				if mask&(1<<i) != 0 {
					u.Grants = append(u.Grants, control.Grant{Org: "acme", Role: r})
					names = append(names, string(r))
				}
			}
			more := u
			more.Grants = append(slices.Clone(u.Grants), control.Grant{Org: "msp", Role: control.AccessAdmin})
			fmt.Fprintf(&b, "| %s | %s |", map[string]string{"acme": "company", "msp": "partner"}[home], strings.Join(names, ", "))
			for _, a := range control.Actions[:len(control.Actions)-1] {
				switch {
				case control.Allowed(u, a, company):
					b.WriteString(" yes |")
				case control.Allowed(u, a, open):
					b.WriteString(" if allowed |")
				case home == "msp" && control.Allowed(more, a, company):
					b.WriteString(" with partner's |")
				default:
					b.WriteString(" |")
				}
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\nRoles of a partner's user in the partner itself:\n\n| Roles there | May |\n| --- | --- |\n")
	for mask := 1; mask < 1<<len(control.Roles); mask++ {
		u := control.User{Org: "msp"}
		var names, may []string
		for i, r := range control.Roles {
			if mask&(1<<i) != 0 {
				u.Grants = append(u.Grants, control.Grant{Org: "msp", Role: r})
				names = append(names, string(r))
			}
		}
		for _, a := range control.Actions {
			if control.Allowed(u, a, partner) {
				may = append(may, string(a))
			}
		}
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(names, ", "), strings.Join(may, ", "))
	}
	b.WriteString("\n")
	before, inside, after := section(t, "roles")
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(before+b.String()+after), 0o644))
		return
	}
	assert.Equal(t, b.String(), inside, "run this test with -update")
}
