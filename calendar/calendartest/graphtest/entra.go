package graphtest

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// CalendarsRead is the application permission that reading calendars needs.
const CalendarsRead = "Calendars.Read"

// graphID is the app ID of Microsoft Graph itself.
const graphID = "00000003-0000-0000-c000-000000000000"

var quiet = log.New(io.Discard, "", 0)

// Tenant is an organization with its mailboxes.
type Tenant struct {
	s          *Server
	id, domain string
	mailboxes  []*Mailbox
	grants     map[string]*grant // by client ID
	declines   bool
}

// grant is what a tenant lets an app do.
type grant struct {
	roles  []string        // consented in Entra, for every mailbox
	policy map[string]bool // application access policy: the only mailboxes; nil is none
	rbac   map[string]bool // RBAC for Applications: these mailboxes too
}

// App is an application registration. Tenants have to consent to it.
type App struct {
	s         *Server
	name, id  string
	secrets   []secret
	certs     []certificate
	redirects []string
}

type secret struct {
	value  string
	expiry time.Time // zero: never
}

type certificate struct {
	cert   *x509.Certificate
	expiry time.Time
}

// AddTenant adds a tenant with a domain, such as "example.com".
func (s *Server) AddTenant(domain string) *Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &Tenant{s: s, id: s.guid("tenant", domain), domain: domain, grants: map[string]*grant{}}
	s.tenants = append(s.tenants, t)
	return t
}

// ID returns the tenant's GUID.
func (t *Tenant) ID() string { return t.id }

// Domain returns the tenant's domain.
func (t *Tenant) Domain() string { return t.domain }

// AddApp registers an application that every tenant may consent to. The
// redirects are the addresses to which admin consent may return.
func (s *Server) AddApp(name string, redirects ...string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &App{s: s, name: name, id: s.guid("app", name, len(s.apps)), redirects: slices.Clone(redirects)}
	s.apps[a.id] = a
	return a
}

// ClientID returns the application's GUID.
func (a *App) ClientID() string { return a.id }

// AddSecret makes a client secret that expires at a time; the zero time is
// never.
func (a *App) AddSecret(expiry time.Time) calendar.Secret {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	v := fmt.Sprintf("tst8Q~%x", sha256.Sum256(fmt.Append(nil, a.id, len(a.secrets))))[:40]
	a.secrets = append(a.secrets, secret{v, expiry})
	return calendar.Secret(v)
}

// ExpireSecrets makes every client secret and certificate of the app expired.
func (a *App) ExpireSecrets() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	for i := range a.secrets {
		a.secrets[i].expiry = a.s.now()
	}
	for i := range a.certs {
		a.certs[i].expiry = a.s.now()
	}
}

// AddCertificate registers a certificate with an RSA key, by which the app may
// sign client assertions until the certificate expires.
func (a *App) AddCertificate(cert *x509.Certificate) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.certs = append(a.certs, certificate{cert, cert.NotAfter})
}

func (t *Tenant) grant(a *App) *grant {
	g := t.grants[a.id]
	if g == nil {
		g = &grant{}
		t.grants[a.id] = g
	}
	return g
}

// Consent grants application permissions to an app for the whole tenant, as an
// administrator does. Tokens have them as roles.
func (t *Tenant) Consent(a *App, roles ...string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	g := t.grant(a)
	for _, r := range roles {
		if !slices.Contains(g.roles, r) {
			g.roles = append(g.roles, r)
		}
	}
}

// RevokeRoles takes the app's permissions away. The app stays in the tenant: it
// gets tokens, which allow nothing.
func (t *Tenant) RevokeRoles(a *App) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.grant(a).roles = nil
}

// Remove removes the app from the tenant, with all that it was granted: it gets
// no more tokens.
func (t *Tenant) Remove(a *App) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	delete(t.grants, a.id)
}

// Restrict makes an application access policy: what the app was consented to it
// may do in these mailboxes only.
// https://learn.microsoft.com/graph/auth-limit-mailbox-access
func (t *Tenant) Restrict(a *App, mailboxes ...*Mailbox) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.grant(a).policy = ids(mailboxes)
}

// Assign gives the app the role "Application Calendars.Read" for some mailboxes,
// by RBAC for Applications in Exchange. It adds to what Consent grants, and does
// not narrow it; tokens do not show it.
// https://learn.microsoft.com/exchange/permissions-exo/application-rbac
func (t *Tenant) Assign(a *App, mailboxes ...*Mailbox) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.grant(a).rbac = ids(mailboxes)
}

func ids(mailboxes []*Mailbox) map[string]bool {
	out := make(map[string]bool)
	for _, m := range mailboxes {
		out[m.id] = true
	}
	return out
}

// Decline makes the tenant's administrator decline admin consent, or grant it
// again.
func (t *Tenant) Decline(yes bool) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.declines = yes
}

// Token returns an access token for the app in the tenant, without asking for
// any credential: for clients of Graph that need no fake of Entra.
func (t *Tenant) Token(a *App) string {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.issue(t, a, "https://graph.microsoft.com")
}

// serveEntra serves /TENANT/… and /common/discovery/instance.
func (s *Server) serveEntra(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := map[string]Op{
		"discovery/instance": OpDiscovery, "v2.0/.well-known/openid-configuration": OpDiscovery,
		".well-known/openid-configuration": OpDiscovery, "discovery/v2.0/keys": OpDiscovery,
		"oauth2/v2.0/token": OpToken, "v2.0/adminconsent": OpConsent, "adminconsent": OpConsent,
	}[rest]
	if op == "" {
		http.NotFound(w, r)
		return
	}
	fx := s.fault(op, "")
	out := w
	if fx.breaks() {
		rec := newRecorder(w.Header())
		defer func() { fx.send(out, rec) }()
		w = rec
	}
	if !fx.wait(r) {
		panic(http.ErrAbortHandler)
	}
	if fx.Status != 0 {
		fx.headers(w.Header())
		kind, code := cmp.Or(fx.Code, "temporarily_unavailable"), 90033
		if n, err := strconv.Atoi(strings.TrimPrefix(fx.Code, "AADSTS")); err == nil {
			kind, code = "temporarily_unavailable", n
		}
		entraError(s, w, fx.Status, kind, code, "A transient error has occurred. Please try again.")
		return
	}
	switch rest {
	case "discovery/instance":
		s.instanceDiscovery(w, r)
		return
	case "v2.0/adminconsent", "adminconsent":
		s.adminConsent(w, r, name, rest[0] == 'v')
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenant(name)
	switch {
	case t == nil && !(op == OpDiscovery && (name == "common" || name == "organizations")):
		entraErrorLocked(s, w, http.StatusBadRequest, "invalid_tenant", 90002,
			fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name))
	case rest == "discovery/v2.0/keys":
		writeJSON(w, http.StatusOK, map[string]any{"keys": []any{}})
	case op == OpDiscovery:
		issuer := "{tenantid}"
		if t != nil {
			issuer = t.id
		}
		base := origin(r) + "/" + name
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer":                                origin(r) + "/" + issuer + "/v2.0",
			"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
			"token_endpoint":                        base + "/oauth2/v2.0/token",
			"jwks_uri":                              base + "/discovery/v2.0/keys",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			"response_types_supported":              []string{"code", "id_token"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
			"cloud_instance_name":                   r.Host,
			"msgraph_host":                          r.Host,
		})
	default:
		s.serveToken(w, r, t)
	}
}

// instanceDiscovery says that an authority is one of Entra's, as clients want to
// know of hosts that they have not heard of. This server knows every host.
func (s *Server) instanceDiscovery(w http.ResponseWriter, r *http.Request) {
	u, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if err != nil || u.Host == "" || tenant == "" {
		entraError(s, w, http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance.")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": u.Scheme + "://" + u.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []any{map[string]any{"preferred_network": u.Host, "preferred_cache": u.Host, "aliases": []string{u.Host}}},
	})
}

// serveToken is the client credentials flow. The caller holds s.mu.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, t *Tenant) {
	fail := func(status int, kind string, code int, text string) { entraErrorLocked(s, w, status, kind, code, text) }
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a "+r.Method+" request.")
		return
	}
	f := r.PostForm
	id, pass := f.Get("client_id"), f.Get("client_secret")
	if u, p, ok := r.BasicAuth(); ok && id == "" {
		id, _ = url.QueryUnescape(u)
		pass, _ = url.QueryUnescape(p)
	}
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if f.Get(name) == "" && (name != "client_id" || id == "") {
			fail(http.StatusBadRequest, "invalid_request", 900144, fmt.Sprintf("The request body must contain the following parameter: '%s'.", name))
			return
		}
	}
	if g := f.Get("grant_type"); g != "client_credentials" {
		fail(http.StatusBadRequest, "unsupported_grant_type", 70003, fmt.Sprintf("The app requested an unsupported grant type '%s'.", g))
		return
	}
	a := s.apps[strings.ToLower(id)]
	if a == nil {
		fail(http.StatusBadRequest, "unauthorized_client", 700016,
			fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", id, t.domain))
		return
	}
	if assertion := f.Get("client_assertion"); assertion != "" {
		if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			fail(http.StatusUnauthorized, "invalid_client", 50027, "JWT token is invalid or malformed: the client_assertion_type is unknown.")
			return
		}
		if code, text := a.checkAssertion(assertion, t, origin(r), s.now()); code != 0 {
			fail(http.StatusUnauthorized, "invalid_client", code, text)
			return
		}
	} else if code, text := a.checkSecret(pass, s.now()); code != 0 {
		fail(http.StatusUnauthorized, "invalid_client", code, text)
		return
	}
	var resource string
	for scope := range strings.FieldsSeq(f.Get("scope")) {
		if scope == "openid" || scope == "profile" || scope == "offline_access" {
			continue
		}
		base, ok := strings.CutSuffix(scope, "/.default")
		if !ok || resource != "" {
			fail(http.StatusBadRequest, "invalid_scope", 1002012, fmt.Sprintf("The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", f.Get("scope")))
			return
		}
		resource = base
	}
	if !isGraph(resource, r) {
		fail(http.StatusBadRequest, "invalid_resource", 500011, fmt.Sprintf("The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.", resource, t.domain))
		return
	}
	if t.grants[a.id] == nil {
		fail(http.StatusBadRequest, "unauthorized_client", 7000229, fmt.Sprintf("The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119", a.id, t.id))
		return
	}
	s.stats.Tokens++
	seconds := int(s.opts.TokenLifetime.Seconds())
	w.Header().Set("Cache-Control", "no-store, no-cache")
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds,
		"access_token": s.issue(t, a, resource),
	})
}

// isGraph reports whether a resource is Graph, in any cloud or as this server.
func isGraph(resource string, r *http.Request) bool {
	u, err := url.Parse(strings.TrimRight(resource, "/"))
	switch {
	case resource == graphID:
		return true
	case err != nil:
		return false
	}
	return slices.Contains([]string{r.Host, "graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}, u.Host)
}

func (a *App) checkSecret(value string, now time.Time) (code int, text string) {
	if value == "" {
		return 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
	}
	for _, s := range a.secrets {
		if subtle.ConstantTimeCompare([]byte(s.value), []byte(value)) != 1 {
			continue
		}
		if !s.expiry.IsZero() && !now.Before(s.expiry) {
			return 7000222, fmt.Sprintf("The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", a.id)
		}
		return 0, ""
	}
	return 7000215, fmt.Sprintf("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", a.id)
}

// claims are those of an access token that the server looks at.
type claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	NotYet   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	App      string   `json:"appid"`
	Name     string   `json:"app_displayname"`
	Type     string   `json:"idtyp"`
	Object   string   `json:"oid"`
	Tenant   string   `json:"tid"`
	Roles    []string `json:"roles,omitempty"`
	Version  string   `json:"ver"`
	ID       string   `json:"uti"`
}

// issue makes an access token. The caller holds s.mu.
func (s *Server) issue(t *Tenant, a *App, audience string) string {
	now := s.now()
	s.serial++
	c := claims{
		Audience: audience, Issuer: "https://sts.windows.net/" + t.id + "/", IssuedAt: now.Unix(), NotYet: now.Unix(),
		Expires: now.Add(s.opts.TokenLifetime).Unix(), App: a.id, Name: a.name, Type: "app", Object: s.guid("principal", t.id, a.id),
		Tenant: t.id, Version: "1.0", ID: s.guid("token", s.serial),
	}
	if g := t.grants[a.id]; g != nil {
		c.Roles = g.roles
	}
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	return text + "." + s.sign(text)
}

func (s *Server) sign(text string) string {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// entraError answers as Entra does.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func entraError(s *Server, w http.ResponseWriter, status int, kind string, code int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entraErrorLocked(s, w, status, kind, code, text)
}

func entraErrorLocked(s *Server, w http.ResponseWriter, status int, kind string, code int, text string) {
	s.serial++
	trace, correlation := s.guid("trace", s.serial), s.guid("correlation", s.serial)
	stamp := s.now().UTC().Format("2006-01-02 15:04:05Z")
	writeJSON(w, status, map[string]any{
		"error":             kind,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", code, text, trace, correlation, stamp),
		"error_codes":       []int{code},
		"timestamp":         stamp, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", code),
	})
}

// origin is where the client believes the server to be.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// writeJSON answers with a JSON value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("graphtest: an answer cannot be encoded: " + err.Error()) // Event.Raw
	}
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// thumbprints are the names by which a client assertion may mean a certificate.
func thumbprints(raw []byte) []string {
	long := sha256.Sum256(raw)
	short := sha1Sum(raw)
	var out []string
	for _, b := range [][]byte{long[:], short} {
		out = append(out, strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="), strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="), strings.ToUpper(hex.EncodeToString(b)))
	}
	return out
}
