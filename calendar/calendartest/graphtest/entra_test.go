package graphtest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

func certificate(t *testing.T, lasts time.Duration) (*x509.Certificate, crypto.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Rooms"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return cert, key
}

func certCredential(t *testing.T, site *graphtest.Site, cert *x509.Certificate, key crypto.PrivateKey) *azidentity.ClientCertificateCredential {
	t.Helper()
	cred, err := azidentity.NewClientCertificateCredential(site.Tenant.ID(), site.App.ClientID(), []*x509.Certificate{cert}, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options(site), DisableInstanceDiscovery: true})
	require.NoError(t, err)
	return cred
}

// Microsoft's client gets a token by a certificate, and Graph accepts it.
func TestCertificate(t *testing.T) {
	c := newClient(t, nil)
	cert, key := certificate(t, 24*time.Hour)
	_, err := getToken(c.site, certCredential(t, c.site, cert, key))
	require.ErrorContains(t, err, "AADSTS700027", "the certificate is not registered yet")

	c.site.App.AddCertificate(cert)
	c.token, err = getToken(c.site, certCredential(t, c.site, cert, key))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, c.get(room(c.site.Room)+"/calendarView"+span(week)).status)

	_, another := certificate(t, 24*time.Hour)
	forged := &x509.Certificate{Raw: cert.Raw, PublicKey: another.(*rsa.PrivateKey).Public()}
	_, err = getToken(c.site, certCredential(t, c.site, forged, another))
	require.ErrorContains(t, err, "AADSTS700027", "signed by another key")

	c.site.SetSkew(time.Hour)
	_, err = getToken(c.site, certCredential(t, c.site, cert, key))
	require.ErrorContains(t, err, "AADSTS700024", "the clocks differ")
	c.site.SetSkew(0)

	c.site.App.ExpireSecrets()
	_, err = getToken(c.site, certCredential(t, c.site, cert, key))
	require.ErrorContains(t, err, "The key used is expired")
}

// Each way in which the token endpoint refuses, with the code that
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes has.
func TestTokenErrors(t *testing.T) {
	good := func(s *graphtest.Site) url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {s.App.ClientID()}, "client_secret": {string(s.Secret)}, "scope": {"https://graph.microsoft.com/.default"}}
	}
	for name, tt := range map[string]struct {
		tenant string
		change func(s *graphtest.Site, f url.Values)
		status int
		kind   string
		code   float64
	}{
		"tenant":     {"nowhere.example", func(*graphtest.Site, url.Values) {}, 400, "invalid_tenant", 90002},
		"app":        {"", func(_ *graphtest.Site, f url.Values) { f.Set("client_id", "6d9a1e3c-0000-4000-8000-000000000000") }, 400, "unauthorized_client", 700016},
		"secret":     {"", func(_ *graphtest.Site, f url.Values) { f.Set("client_secret", "guess") }, 401, "invalid_client", 7000215},
		"no secret":  {"", func(_ *graphtest.Site, f url.Values) { f.Del("client_secret") }, 401, "invalid_client", 7000218},
		"expired":    {"", func(s *graphtest.Site, _ url.Values) { s.App.ExpireSecrets() }, 401, "invalid_client", 7000222},
		"no consent": {"", func(s *graphtest.Site, _ url.Values) { s.Tenant.Remove(s.App) }, 400, "unauthorized_client", 7000229},
		"no scope":   {"", func(_ *graphtest.Site, f url.Values) { f.Del("scope") }, 400, "invalid_request", 900144},
		"scope":      {"", func(_ *graphtest.Site, f url.Values) { f.Set("scope", "Calendars.Read") }, 400, "invalid_scope", 1002012},
		"resource":   {"", func(_ *graphtest.Site, f url.Values) { f.Set("scope", "https://other.example/.default") }, 400, "invalid_resource", 500011},
		"grant":      {"", func(_ *graphtest.Site, f url.Values) { f.Set("grant_type", "password") }, 400, "unsupported_grant_type", 70003},
		"bad assertion": {"", func(_ *graphtest.Site, f url.Values) {
			f.Set("client_assertion", "a.b")
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		}, 401, "invalid_client", 50027},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, nil)
			f := good(c.site)
			tenant := c.site.Tenant.Domain()
			require.Equal(t, http.StatusOK, c.do(http.MethodPost, "/"+tenant+"/oauth2/v2.0/token", f).status)
			if tt.tenant != "" {
				tenant = tt.tenant
			}
			tt.change(c.site, f)
			a := c.do(http.MethodPost, "/"+tenant+"/oauth2/v2.0/token", f)
			assert.Equal(t, tt.status, a.status)
			assert.Equal(t, tt.kind, a.body["error"])
			assert.Equal(t, []any{tt.code}, a.body["error_codes"])
		})
	}
}

// toFake sends the requests for any host to the fake.
type toFake struct {
	site  *graphtest.Site
	paths *[]string
}

func (f toFake) Do(r *http.Request) (*http.Response, error) {
	*f.paths = append(*f.paths, r.URL.Host+r.URL.Path)
	to, err := url.Parse(f.site.URL)
	if err != nil {
		return nil, err
	}
	r.Host, r.URL.Host = r.URL.Host, to.Host
	return f.site.Client().Do(r)
}

// azidentity asks whether the authority is one of Entra's, where it is not told
// to leave that out.
func TestDiscovery(t *testing.T) {
	c := newClient(t, nil)
	var paths []string
	o := options(c.site)
	o.Cloud.ActiveDirectoryAuthorityHost, o.Transport = "https://login.fake.example/", toFake{c.site, &paths}
	cred, err := azidentity.NewClientSecretCredential(c.site.Tenant.ID(), c.site.App.ClientID(), string(c.site.Secret), &azidentity.ClientSecretCredentialOptions{ClientOptions: o})
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	require.NoError(t, err)
	tenant := c.site.Tenant.ID()
	assert.Equal(t, []string{"login.microsoftonline.com/common/discovery/instance", "login.fake.example/" + tenant + "/v2.0/.well-known/openid-configuration",
		"login.fake.example/" + tenant + "/oauth2/v2.0/token"}, slices.Compact(paths))
	assert.Equal(t, http.StatusBadRequest, c.get("/common/discovery/instance?authorization_endpoint=x").status)

	var a answer
	for _, name := range []string{c.site.Tenant.ID(), c.site.Tenant.Domain()} {
		a = c.get("/" + name + "/v2.0/.well-known/openid-configuration")
		assert.Equal(t, c.site.URL+"/"+c.site.Tenant.ID()+"/v2.0", a.body["issuer"])
	}
	assert.Equal(t, http.StatusBadRequest, c.get("/nowhere.example/v2.0/.well-known/openid-configuration").status)
	assert.Equal(t, []any{}, c.get("/" + c.site.Tenant.ID() + "/discovery/v2.0/keys").body["keys"])
}

// A token is good for its life, on the server's clock.
func TestTokenLifetime(t *testing.T) {
	c := newClient(t, &graphtest.Options{TokenLifetime: time.Minute})
	view := room(c.site.Room) + "/calendarView" + span(week)
	assert.Equal(t, http.StatusOK, c.get(view).status)
	good := c.token
	for _, token := range []string{"", "nonsense", "a.b.c", good + "x", good[:len(good)-8] + "AAAAAAAA"} {
		c.token = token
		assert.Equal(t, http.StatusUnauthorized, c.get(view).status, token)
	}
	c.token = good
	c.site.SetSkew(time.Hour)
	a := c.get(view)
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Equal(t, "InvalidAuthenticationToken", a.code())
	assert.Contains(t, a.header.Get("WWW-Authenticate"), "authorization_uri")
	date, err := http.ParseTime(a.header.Get("Date"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), date, time.Minute)
}

func TestAdminConsent(t *testing.T) {
	c := newClient(t, nil)
	const back = "https://otj.example.com/consent?keep=1"
	app := c.site.AddApp("Other", back)
	secret := app.AddSecret(time.Time{})
	q := url.Values{"client_id": {app.ClientID()}, "redirect_uri": {back}, "state": {"st&te"}, "scope": {"https://graph.microsoft.com/.default"}}
	token := func() answer {
		return c.do(http.MethodPost, "/"+c.site.Tenant.ID()+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
			"client_id": {app.ClientID()}, "client_secret": {string(secret)}, "scope": {"https://graph.microsoft.com/.default"}})
	}
	require.Equal(t, http.StatusBadRequest, token().status)

	c.site.Tenant.Decline(true)
	a := c.get("/organizations/v2.0/adminconsent?" + q.Encode())
	require.Equal(t, http.StatusFound, a.status)
	u, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, "access_denied", u.Query().Get("error"))
	assert.Equal(t, "st&te", u.Query().Get("state"))
	require.Equal(t, http.StatusBadRequest, token().status)
	c.site.Tenant.Decline(false)

	for _, path := range []string{"/organizations/v2.0/adminconsent?", "/example.com/v2.0/adminconsent?", "/example.com/adminconsent?"} {
		a = c.get(path + q.Encode())
		require.Equal(t, http.StatusFound, a.status)
		u, err = url.Parse(a.header.Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, "otj.example.com", u.Host)
		assert.Equal(t, []string{"True", c.site.Tenant.ID(), "st&te", "1"}, []string{u.Query().Get("admin_consent"), u.Query().Get("tenant"), u.Query().Get("state"), u.Query().Get("keep")})
	}
	require.Equal(t, http.StatusOK, token().status)

	for name, value := range map[string]string{"client_id": "unknown", "redirect_uri": "https://evil.example", "scope": ""} {
		wrong := url.Values{}
		for k, v := range q {
			wrong[k] = v
		}
		wrong.Set(name, value)
		assert.Equal(t, http.StatusBadRequest, c.get("/example.com/v2.0/adminconsent?"+wrong.Encode()).status, name)
	}
	assert.Equal(t, http.StatusBadRequest, c.get("/common/v2.0/adminconsent?"+q.Encode()).status, "v2 has no common")
}

// What an app may read: grants add up, and a policy narrows only consent.
func TestAccess(t *testing.T) {
	c := newClient(t, nil)
	s := c.site
	status := func(m *graphtest.Mailbox) answer { return c.get(room(m) + "/calendarView" + span(week)) }
	both := func(want ...int) {
		t.Helper()
		c.token = s.Tenant.Token(s.App)
		assert.Equal(t, want, []int{status(s.Room).status, status(s.Other).status})
	}
	both(200, 200)
	s.Tenant.Restrict(s.App, s.Room)
	both(200, 403)
	assert.Equal(t, "ErrorAccessDenied", status(s.Other).code())
	s.Tenant.Assign(s.App, s.Other)
	both(200, 200) // the trap
	s.Tenant.RevokeRoles(s.App)
	both(403, 200) // RBAC alone: the token has no role
	s.Tenant.Remove(s.App)
	both(403, 403)
	s.Tenant.Consent(s.App, graphtest.CalendarsRead)
	both(200, 200)
	s.Room.Disable(true)
	a := status(s.Room)
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Equal(t, "MailboxNotEnabledForRESTAPI", a.code())
	a = c.get("/v1.0/users/nobody@example.com/calendarView" + span(week))
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Equal(t, "ErrorInvalidUser", a.code())
	other := s.AddTenant("example.org")
	other.Consent(s.App, graphtest.CalendarsRead)
	c.token = other.Token(s.App)
	assert.Equal(t, http.StatusNotFound, status(s.Other).status, "a tenant does not see the mailboxes of another")
}

// A token that the client fetched is refused once it is too old, and azidentity
// then gets another.
func TestSecretExpires(t *testing.T) {
	c := newClient(t, nil)
	cred := secretCredential(t, c.site)
	_, err := getToken(c.site, cred)
	require.NoError(t, err)
	c.site.App.ExpireSecrets()
	_, err = getToken(c.site, secretCredential(t, c.site))
	require.ErrorContains(t, err, "AADSTS7000222")
	secret := c.site.App.AddSecret(time.Now().Add(time.Hour))
	again, err := azidentity.NewClientSecretCredential(c.site.Tenant.ID(), c.site.App.ClientID(), string(secret),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options(c.site), DisableInstanceDiscovery: true})
	require.NoError(t, err)
	_, err = getToken(c.site, again)
	require.NoError(t, err)

	c.site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpToken}, Status: http.StatusServiceUnavailable})
	_, err = getToken(c.site, again)
	require.NoError(t, err, "azidentity keeps the token that it has")
}
