package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

// TestEveryPageForEveryRole calls each page of a company as every kind of user:
// who may not do what it needs is refused, and who cannot see the company does
// not find it.
func TestEveryPageForEveryRole(t *testing.T) {
	w, _, systems := newOffice(t, "Board")
	site := console.New(w.centre, nil)
	require.NotEmpty(t, site.Routes())
	acme := w.acme

	// The users, by the roles that they have for Acme.
	kinds := map[string][]control.Role{
		"nobody": nil, "admin": {control.Admin}, "access": {control.AccessAdmin}, "otj": {control.OTJAdmin}, "configurer": {control.Admin, control.OTJAdmin},
	}
	browsers, users := map[string]*browser{}, map[string]control.User{}
	for name, roles := range kinds {
		u, err := w.centre.CreateUser(t.Context(), w.ann, acme.ID, name+"@acme.example", name)
		require.NoError(t, err)
		for _, role := range roles {
			u, err = w.centre.SetRole(t.Context(), w.ann, acme.ID, u.ID, role, true)
			require.NoError(t, err)
		}
		users[name], browsers[name] = u, w.signIn(u.Email)
	}
	s := systems[0]
	providers, err := w.centre.Providers(t.Context(), w.ann, acme.ID)
	require.NoError(t, err)
	tenant, err := w.centre.CreateTenant(t.Context(), w.ann, acme.ID, "acme.example")
	require.NoError(t, err)
	group, err := w.centre.SaveGroup(t.Context(), w.ann, control.Group{Company: acme.ID, Name: "Oslo"})
	require.NoError(t, err)
	ids := map[string]string{
		"systems": s.ID, "rooms": s.ID, "mailboxes": s.Mailbox, "providers": providers[0].ID, "tenants": tenant.ID, "groups": group.ID, "users": w.ann.User.ID,
	}
	acme, err = w.centre.Org(t.Context(), w.ann, acme.ID)
	require.NoError(t, err)

	for pattern, action := range site.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.Replace(path, "{org}", acme.ID, 1)
		if method == http.MethodPost && !drafts[pattern] {
			assert.NotContains(t, []control.Action{control.ReadCompany, control.ReadAudit}, action, "%s changes something for whoever may read", pattern)
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/o/"+acme.ID+"/"), "/")
		id := ids[kind]
		if id == "" {
			id = "1" // of what this world has none of: the role is asked first
		}
		path = strings.Replace(path, "{id}", id, 1)
		for name, b := range browsers {
			status := b.call(method, path)
			what := name + ": " + pattern
			switch {
			case name == "nobody":
				assert.Equal(t, http.StatusNotFound, status, what)
			case !control.Allowed(users[name], action, acme):
				assert.Equal(t, http.StatusForbidden, status, what)
			case method == http.MethodGet:
				assert.Less(t, status, 500, what)
				assert.NotEqual(t, http.StatusForbidden, status, what)
			}
		}
		assert.Equal(t, http.StatusSeeOther, w.visitor().call(method, path), "nobody signed in: %s", pattern)
	}
}

// drafts are forms that change only what the browser holds until it is saved,
// which the Centre checks.
var drafts = map[string]bool{"POST /o/{org}/rules": true, "POST /o/{org}/settings": true, "POST /o/{org}/groups/{id}/settings": true}

// call sends a request with the token of the session and no form, and returns the
// status of the answer itself.
func (b *browser) call(method, path string) int {
	t := b.w.t
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var body string
	if method == http.MethodPost && b.at != nil {
		// The bar has it on every page.
		body = "csrf=" + b.at.Find("input[name=csrf]").First().AttrOr("value", "")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, b.w.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	return res.StatusCode
}

// TestAddressesDoNotLie: somebody who may see two companies finds an object of one
// below that one only.
func TestAddressesDoNotLie(t *testing.T) {
	w := partner(t)
	b := w.signIn("boss@msp.example")
	var orgs []string
	for _, name := range []string{"Acme", "Globex"} {
		b.open("/")
		b.follow("Add a company")
		b.send("Add the company", map[string][]string{"name": v(name)})
		org := strings.Split(b.at.url.Path, "/")[2]
		orgs = append(orgs, org)
		b.open("/o/" + org + "/users")
		b.follow("Boss")
		b.send("Save", map[string][]string{"role": v("admin", "otj_admin")})
	}
	b.open("/o/" + orgs[0] + "/groups/new")
	b.send("Add the group", map[string][]string{"name": v("Oslo")})
	href := b.at.Find("tbody th a").AttrOr("href", "")
	require.Equal(t, http.StatusOK, b.open(href).status)
	other := strings.Replace(href, orgs[0], orgs[1], 1)
	for _, path := range []string{other, other + "/delete", strings.Replace(other, "groups", "systems", 1)} {
		assert.Equal(t, http.StatusNotFound, b.open(path).status, path)
	}
}
