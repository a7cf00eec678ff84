package graphtest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

// A second opinion on the token flow: what azidentity gets from the Entra part
// of https://github.com/vercel-labs/emulate, it gets from this fake too, and
// what both answer is of the same shape.
func TestPeerEmulate(t *testing.T) {
	dir := os.Getenv("OTJ_NODE")
	if dir == "" {
		t.Skip("OTJ_NODE is not set: it names a folder with node_modules, made by `npm ci` with .ci/package.json; .ci/run does so")
	}
	site := graphtest.NewSite(nil)
	defer site.Close()

	var target url.URL
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&target) }})
	defer front.Close()
	free := httptest.NewServer(nil)
	target = url.URL{Scheme: "http", Host: strings.TrimPrefix(free.URL, "http://")}
	free.Close()
	seed, err := json.Marshal(map[string]any{"microsoft": map[string]any{"oauth_clients": []any{map[string]any{
		"client_id": site.App.ClientID(), "client_secret": string(site.Secret), "name": "Rooms", "redirect_uris": []string{"http://localhost/"}}}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "seed.json")
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	cmd := exec.Command("node", filepath.Join(dir, "node_modules/emulate/dist/index.js"), "start", //nolint:gosec // a folder that .ci/run made
		"--service", "microsoft", "--port", target.Port(), "--seed", file, "--base-url", front.URL)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), front.URL) {
				ready <- true
			}
		}
	}()
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "emulate does not start")
	}
	require.Eventually(t, func() bool {
		res, err := front.Client().Get(front.URL + "/x/v2.0/.well-known/openid-configuration")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, 30*time.Second, 50*time.Millisecond)

	type opinion struct{ ok, refused bool }
	ask := func(base string, client *http.Client) (op opinion) {
		get := func(secret string) bool {
			cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), secret, &azidentity.ClientSecretCredentialOptions{
				DisableInstanceDiscovery: true,
				ClientOptions:            azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: base}, Transport: client, Retry: policy.RetryOptions{MaxRetries: -1}},
			})
			require.NoError(t, err)
			token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
			return err == nil && token.Token != "" && time.Until(token.ExpiresOn) > 50*time.Minute
		}
		return opinion{get(string(site.Secret)), !get("guess")}
	}
	assert.Equal(t, opinion{true, true}, ask(front.URL, front.Client()))
	assert.Equal(t, opinion{true, true}, ask(site.URL, site.Client()))

	// Each member that emulate answers with is in our answer too, and is of the
	// same type.
	members := func(client *http.Client, address string, form url.Values) map[string]string {
		var res *http.Response
		if form == nil {
			res, err = client.Get(address)
		} else {
			res, err = client.PostForm(address, form)
		}
		require.NoError(t, err)
		defer res.Body.Close()
		var v map[string]any
		require.NoError(t, json.NewDecoder(res.Body).Decode(&v))
		out := map[string]string{"status": res.Status}
		for name, value := range v {
			out[name] = fmt.Sprintf("%T", value)
		}
		return out
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {site.App.ClientID()}, "client_secret": {string(site.Secret)}, "scope": {"https://graph.microsoft.com/.default"}}
	wrong := url.Values{"grant_type": {"client_credentials"}, "client_id": {site.App.ClientID()}, "client_secret": {"guess"}, "scope": {"https://graph.microsoft.com/.default"}}
	path := "/" + site.Tenant.ID() + "/v2.0/.well-known/openid-configuration"
	for name, pair := range map[string][2]map[string]string{
		"discovery": {members(front.Client(), front.URL+path, nil), members(site.Client(), site.URL+path, nil)},
		"token":     {members(front.Client(), front.URL+"/oauth2/v2.0/token", form), members(site.Client(), site.URL+"/"+site.Tenant.ID()+"/oauth2/v2.0/token", form)},
		"refusal":   {members(front.Client(), front.URL+"/oauth2/v2.0/token", wrong), members(site.Client(), site.URL+"/"+site.Tenant.ID()+"/oauth2/v2.0/token", wrong)},
	} {
		for member, kind := range pair[0] {
			switch member {
			case "scope": // Entra answers a client credentials request without it
			case "userinfo_endpoint", "end_session_endpoint", "response_modes_supported", "grant_types_supported", "claims_supported", "code_challenge_methods_supported":
				// For people who sign in: the fake has none.
			default:
				assert.Equal(t, kind, pair[1][member], "%s: %s", name, member)
			}
		}
	}
}
