package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"encoding/json"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

func TestSetupFromTheLinkToTheFirstAdministrator(t *testing.T) {
	w := emptyWorld(t, nil)
	secret, err := w.centre.SetupLink(t.Context())
	require.NoError(t, err)
	b := w.visitor()

	b.open(console.SetupPath("not-the-secret"))
	assert.Equal(t, http.StatusForbidden, b.at.status)

	b.open(console.SetupPath(secret))
	b.open(console.SetupPath(secret)) // looking does not use it up
	b.send("Set up", map[string][]string{"name": v(""), "email": v("nobody")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.Len(t, b.at.problems(), 1, "the organization is checked first")
	b.send("Set up", map[string][]string{"name": v("Acme"), "email": v("ann@acme.example"), "user": v("Ann")})
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.Contains(t, b.at.flash(), "Acme is set up")
	assert.Contains(t, b.at.text, "Ann")

	b.open(console.SetupPath(secret))
	assert.Equal(t, http.StatusForbidden, b.at.status, "a link works once")
}

func TestSignInByLinkAndOut(t *testing.T) {
	w := newWorld(t, nil)
	b := w.visitor()
	b.open("users?x=1")
	assert.Equal(t, "/sign-in", b.at.url.Path)
	assert.Equal(t, "/o/"+w.acme.ID+"/users?x=1", b.at.url.Query().Get("next"))

	secret, err := w.centre.SignInLink(t.Context(), "ann@acme.example")
	require.NoError(t, err)
	b.open(console.SignInPath(secret))
	b.send("Sign in", nil)
	assert.Equal(t, "Welcome, Ann.", b.at.flash())
	b.open("users")
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.Empty(t, b.at.flash(), "a message is shown once")

	again := w.visitor()
	again.open(console.SignInPath(secret))
	again.send("Sign in", nil)
	assert.Equal(t, http.StatusForbidden, again.at.status)

	b.send("Sign out", nil)
	assert.Equal(t, "/sign-in", b.at.url.Path)
	b.open("users")
	assert.Equal(t, "/sign-in", b.at.url.Path)
}

func TestOpenIDIsOffered(t *testing.T) {
	w := newWorld(t, func(_ *control.Options, o *console.Options) {
		o.OpenID = &console.OpenID{Name: "Example ID", Path: "/sign-in/openid"}
	})
	b := w.visitor()
	b.open("users")
	href, _ := b.at.Find("a.button.main").Attr("href")
	assert.Equal(t, "/sign-in/openid?next=%2fo%2f"+w.acme.ID+"%2fusers", strings.ToLower(href))
	assert.Contains(t, b.at.text, "Sign in with Example ID")
}

func TestNextStaysOnThisHost(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/%0d%0aX: y", "evil.example"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/sign-in?next="+strings.ReplaceAll(next, "%", "%25"), nil)
		require.NoError(t, err)
		p := b.do(req)
		assert.Equal(t, strings.TrimPrefix(w.server.URL, "https://"), p.url.Host, next)
	}
}

func TestFormsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	post := func(token, site string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/tenants/new", strings.NewReader("domain=acme.example&csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if site != "" {
			req.Header.Set("Sec-Fetch-Site", site)
		}
		return b.do(req).status
	}
	b.open("tenants/new")
	token, _ := b.at.Find("input[name=csrf]").Attr("value")
	require.NotEmpty(t, token)
	assert.Equal(t, http.StatusForbidden, post("", ""))
	assert.Equal(t, http.StatusForbidden, post("x", "same-origin"))
	assert.Equal(t, http.StatusForbidden, post(token, "cross-site"))
	list, err := w.centre.Tenants(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Empty(t, list)
	assert.Equal(t, http.StatusOK, post(token, "same-origin"))
}

func TestErrorsHavePages(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	assert.Equal(t, http.StatusNotFound, b.open("/nowhere").status)
	assert.Equal(t, http.StatusNotFound, b.open("/o/other/users").status)
	assert.Equal(t, http.StatusNotFound, b.open("tenants/zzz").status)
	b.open("tenants/new")
	b.send("Next", map[string][]string{"domain": v(strings.Repeat("a", 9<<20))})
	assert.Equal(t, http.StatusRequestEntityTooLarge, b.at.status)

	limited := newWorld(t, func(_ *control.Options, o *console.Options) {
		o.Guard = api.NewGuard(&api.GuardOptions{Rate: 1e-9, Burst: 1})
	})
	v := limited.visitor()
	v.open("/sign-in")
	assert.Equal(t, http.StatusTooManyRequests, v.open("/sign-in").status)
	assert.NotEmpty(t, v.at.header.Get("Retry-After"))
}

func TestWrongLinksLockOut(t *testing.T) {
	w := newWorld(t, func(_ *control.Options, o *console.Options) {
		o.Guard = api.NewGuard(&api.GuardOptions{Failures: 3})
	})
	b := w.visitor()
	for range 3 {
		b.open(console.SignInPath("wrong"))
		b.send("Sign in", nil)
		assert.Equal(t, http.StatusForbidden, b.at.status)
	}
	assert.Equal(t, http.StatusTooManyRequests, b.open("/sign-in").status)
}

func TestStaticFiles(t *testing.T) {
	w := newWorld(t, nil)
	b := w.visitor()
	b.open("/sign-in")
	for _, attr := range []string{"link[rel=stylesheet]", "link[rel=icon]", "script"} {
		s := b.at.Find(attr)
		path := s.AttrOr("href", "") + s.AttrOr("src", "")
		res, err := w.server.Client().Get(w.server.URL + path)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, http.StatusOK, res.StatusCode, path)
		assert.Contains(t, res.Header.Get("Cache-Control"), "immutable")
	}
}

// TestCatalogue holds the texts and their uses together: a key that a template or
// a handler names is there, and each text is used.
func TestCatalogue(t *testing.T) {
	texts := map[string]string{}
	files, err := filepath.Glob("texts/en/*.json")
	require.NoError(t, err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &texts), f)
	}
	used, prefixes := map[string]bool{}, map[string]bool{}
	topics := map[string]bool{}
	for key := range texts {
		topic, _, _ := strings.Cut(key, ".")
		topics[topic] = true
	}
	// Keys are string literals that begin with a topic; those that end with a dot
	// are put together from there.
	literal := regexp.MustCompile(`"([a-z0-9]+)\.([a-z0-9_.]*)"`)
	var sources []string
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		sources = append(sources, more...)
	}
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") || f == "doc.go" {
			continue
		}
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range literal.FindAllStringSubmatch(string(data), -1) {
			key := m[1] + "." + m[2]
			if !topics[m[1]] {
				continue
			}
			if strings.HasSuffix(key, ".") {
				prefixes[key] = true
				continue
			}
			_, one := texts[key+".one"]
			_, label := texts[key]
			assert.True(t, one || label || isFile(key), "%s uses %q, which the catalogue does not have", f, key)
			used[key] = true
		}
	}
	for key, text := range texts {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(key, ".hint"), ".one"), ".other")
		ok := used[key] || used[base]
		for p := range prefixes {
			ok = ok || strings.HasPrefix(key, p)
		}
		assert.True(t, ok, "nothing uses the text %q", key)
		assert.NotEmpty(t, strings.TrimSpace(text), key)
	}
}

// isFile reports whether what looks like a key is the name of a file.
func isFile(s string) bool {
	return strings.HasSuffix(s, ".html") || strings.HasSuffix(s, ".css") || strings.HasSuffix(s, ".js") || strings.HasSuffix(s, ".svg")
}
