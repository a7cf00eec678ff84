package oidc

import (
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// A provider that others wrote, https://github.com/vercel-labs/emulate in the part
// of Google, signs somebody in: its discovery, its code flow with PKCE, its ID
// token.
func TestPeerEmulate(t *testing.T) {
	dir := os.Getenv("OTJ_NODE")
	if dir == "" {
		t.Skip("OTJ_NODE is not set: it names a folder with node_modules, made by `npm ci` with .ci/package.json; .ci/run does so")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	issuer := "http://localhost:" + port
	w := newWorld(t, func(o *Options) {
		o.Issuer, o.ClientSecret, o.Client = issuer, calendar.Secret("client secret"), nil
	})
	seed, err := json.Marshal(map[string]any{"google": map[string]any{
		"users":         []any{map[string]any{"email": "ann@fabrikam.example", "name": "Ann"}, map[string]any{"email": "eve@evil.example", "name": "Eve"}},
		"oauth_clients": []any{map[string]any{"client_id": "otj", "client_secret": "client secret", "name": "Rooms", "redirect_uris": []string{w.site.URL + CallbackPath}}},
	}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "seed.json")
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	cmd := exec.Command("node", filepath.Join(dir, "node_modules/emulate/dist/index.js"), "start", //nolint:gosec // a folder that .ci/run made
		"--service", "google", "--port", port, "--seed", file, "--base-url", issuer)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	require.Eventually(t, func() bool {
		res, err := http.Get(issuer + "/.well-known/openid-configuration")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, 60*time.Second, 100*time.Millisecond)

	form := regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)".*?</form>`)
	field := regexp.MustCompile(`name="([^"]*)"\s+value="([^"]*)"`)
	as := func(email string) string {
		t.Helper()
		_, page := w.open(t, w.site.URL+StartPath+"?next=/here")
		for _, f := range form.FindAllStringSubmatch(page, -1) {
			if !strings.Contains(f[0], email) {
				continue
			}
			values := url.Values{}
			for _, m := range field.FindAllStringSubmatch(f[0], -1) {
				values.Set(m[1], html.UnescapeString(m[2]))
			}
			resp, err := w.browser.PostForm(issuer+f[1], values)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return string(body)
		}
		require.FailNow(t, "the provider offers no such account", "%s: %s", email, page)
		return ""
	}
	assert.Contains(t, as("eve@evil.example"), "no user here has this e-mail address")
	assert.Equal(t, "ann@fabrikam.example at /here", as("ann@fabrikam.example"))
}
