package msgraph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Consent gets an app that many tenants use into one of them: an administrator of
// the tenant agrees on a page of Microsoft's, at once or later by a link that was
// sent to them, and comes back with an answer that nobody can trust. So the
// answer counts only if
//   - its state is one that the caller gave out, for this domain and not used
//     before, which is the caller's to check;
//   - its tenant is the one that the domain belongs to, by Entra's own discovery
//     document, and the caller has proof that the domain is the company's;
//   - Entra issues a token for the app in that tenant, with the permission.
//
// It is safe for concurrent use.
type Consent struct {
	clientID, redirect string
	credential         func(tenantID string) (azcore.TokenCredential, error)
	opts               ConsentOptions
	graph, authority   *url.URL
	client             *http.Client
}

// ConsentOptions changes how a Consent works. The zero value is usable.
type ConsentOptions struct {
	// Cloud, Proxy, Transport and Timeout are those of [Options].
	Cloud     Cloud
	Proxy     *url.URL
	Transport http.RoundTripper
	Timeout   time.Duration
	// Wait is how long Check waits for a consent to take effect, which needs some
	// seconds in Entra. The default is 30 s.
	Wait time.Duration
	// NoPermission is for an app registration without permissions, to which
	// tenants grant their rooms by RBAC for Applications in Exchange: the consent
	// makes the app known in the tenant only, and tokens show no permission.
	NoPermission bool
}

// NewConsent returns a Consent for the app with a client ID. The redirect is the
// address at which Microsoft's page ends, as the app registration has it. The
// credential is that of the app in a tenant, such as
// azidentity.NewClientSecretCredential makes; it is called anew for each try.
func NewConsent(clientID, redirect string, credential func(tenantID string) (azcore.TokenCredential, error), opts *ConsentOptions) (*Consent, error) {
	c := &Consent{clientID: clientID, redirect: redirect, credential: credential}
	if opts != nil {
		c.opts = *opts
	}
	o := &c.opts
	o.Cloud.Graph = cmp.Or(o.Cloud.Graph, Global.Graph)
	o.Cloud.Authority = cmp.Or(o.Cloud.Authority, Global.Authority)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 30*time.Second)
	o.Wait = cmp.Or(max(o.Wait, 0), 30*time.Second)
	var err1, err2 error
	c.graph, err1 = address("Graph", o.Cloud.Graph)
	c.authority, err2 = address("Entra", o.Cloud.Authority)
	to, err3 := url.Parse(redirect)
	switch {
	case err1 != nil || err2 != nil:
		return nil, fmt.Errorf("msgraph: %w", cmp.Or(err1, err2))
	case !guid.MatchString(clientID):
		return nil, fmt.Errorf("msgraph: the client ID %.60q is not a GUID; the app registration shows it", clientID)
	case err3 != nil || to.Scheme != "https" && to.Scheme != "http" || to.Host == "" || to.Fragment != "":
		return nil, fmt.Errorf("msgraph: the redirect address %.200q is not an http(s) address", redirect)
	}
	c.client = (&Options{Proxy: o.Proxy, Transport: o.Transport}).Client()
	return c, nil
}

var (
	guid   = regexp.MustCompile(`^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	domain = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// URL returns the address of the page on which a Global Administrator of the
// domain's tenant agrees. Microsoft's page ends at the redirect address with
// state, which should be long, random, and good for one use. The address can be
// sent to somebody. Source:
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent.
func (c *Consent) URL(domain, state string) string {
	u := c.authority.JoinPath(url.PathEscape(domain), "v2.0", "adminconsent")
	u.RawQuery = url.Values{"client_id": {c.clientID}, "redirect_uri": {c.redirect}, "state": {state}, "scope": {c.scope()}}.Encode()
	return u.String()
}

// scope asks for the permissions that the app registration has.
func (c *Consent) scope() string { return c.graph.Scheme + "://" + c.graph.Host + "/.default" }

// Callback is what a browser has brought back from Microsoft's page. All of it
// may be invented: State has to be one that was given out, and the tenant has to
// pass [Consent.Check].
type Callback struct {
	State string
	// TenantID is a GUID in lower case; it is empty if Refused is not.
	TenantID string
	// Refused is why there is no consent, as one line for people.
	Refused string
}

// ParseCallback reads the query of a request to the redirect address. It refuses
// what Microsoft's page cannot have sent.
func ParseCallback(q url.Values) (Callback, error) {
	const maxState = 1024
	var cb Callback
	for _, name := range []string{"state", "tenant", "admin_consent", "error", "error_description"} {
		if len(q[name]) > 1 {
			return cb, fmt.Errorf("msgraph: the answer of the consent page has more than one %q", name)
		}
	}
	cb.State = q.Get("state")
	switch {
	case cb.State == "":
		return Callback{}, errors.New("msgraph: the answer of the consent page has no state; begin with a new link")
	case len(cb.State) > maxState:
		return Callback{}, fmt.Errorf("msgraph: the answer of the consent page has a state of %d bytes", len(cb.State))
	case q.Has("error"):
		cb.Refused = line(q.Get("error"), 100)
		if why := line(q.Get("error_description"), 300); why != "" {
			cb.Refused += ": " + why
		}
		if cb.Refused == "" {
			cb.Refused = "no reason given"
		}
	case !strings.EqualFold(q.Get("admin_consent"), "true"):
		return Callback{}, errors.New("msgraph: the answer of the consent page does not say that somebody has consented")
	case !guid.MatchString(q.Get("tenant")):
		return Callback{}, errors.New("msgraph: the answer of the consent page names no tenant")
	default:
		cb.TenantID = strings.ToLower(q.Get("tenant"))
	}
	return cb, nil
}

// line makes one printable line of a text from outside.
func line(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// TenantID returns the GUID of the tenant that a domain belongs to, by the
// OpenID Connect discovery document that Entra publishes for it. It needs no
// credential.
func (c *Consent) TenantID(ctx context.Context, name string) (string, error) {
	fail := func(err error, fix string) error {
		return &calendar.Error{Op: "find the tenant of " + line(name, 100), Err: err, Fix: fix}
	}
	if !domain.MatchString(name) || len(name) > 253 {
		return "", fail(&Refusal{Cause: TenantUnknown, says: "it is no domain", kind: calendar.ErrNotFound}, "Give a domain of the tenant, such as example.com.")
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	at := c.authority.JoinPath(name, "v2.0", ".well-known", "openid-configuration").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", fail(err, "")
	}
	res, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fail(fmt.Errorf("%w: %s: %w", calendar.ErrUnavailable, c.authority.Host, err), cmp.Or(certificateFix(err, c.authority.Host), "Check the network and the proxy."))
	}
	defer res.Body.Close()
	var doc struct {
		Issuer           string `json:"issuer"`
		GraphHost        string `json:"msgraph_host"`
		ErrorDescription string `json:"error_description"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	if ref, fix := entraRefusal(errors.New(doc.ErrorDescription)); ref != nil && res.StatusCode/100 == 4 {
		if ref.Cause == TenantUnknown {
			ref.kind, fix = calendar.ErrNotFound, "The domain belongs to no tenant in this cloud: check its spelling, and the cloud."
		}
		return "", fail(ref, fix)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fail(fmt.Errorf("%w: Entra answered %d", calendar.ErrUnavailable, res.StatusCode), "Check that no proxy answers in the place of Entra.")
	}
	// Those of the United States' government have two hosts, and it is not
	// documented which of them a tenant's document names.
	if doc.GraphHost != "" && !strings.EqualFold(parent(doc.GraphHost), parent(c.graph.Host)) {
		return "", fail(&Refusal{Cause: CloudWrong, says: "its Graph is at " + line(doc.GraphHost, 100), kind: calendar.ErrNotFound}, "The tenant is in another of Microsoft's clouds: check the cloud in the configuration.")
	}
	issuer, err := url.Parse(doc.Issuer)
	if err == nil {
		if id, _, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/"); guid.MatchString(id) {
			return strings.ToLower(id), nil
		}
	}
	return "", fail(fmt.Errorf("%w: Entra's document names no tenant", calendar.ErrUnavailable), "")
}

// parent is the host without its first label.
func parent(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}

// Check reports whether tenantID is the tenant of the domain, and the app can get
// a token for it with the permission Calendars.Read. It waits a while for a
// consent that was given just now.
func (c *Consent) Check(ctx context.Context, domain, tenantID string) error {
	fail := func(err error, fix string) error {
		e := &calendar.Error{Op: "check the consent of " + line(domain, 100), Err: err, Fix: fix}
		if ref := (*Refusal)(nil); errors.As(err, &ref) {
			e.RetryAfter = ref.wait
		}
		return e
	}
	if !guid.MatchString(tenantID) {
		return fail(fmt.Errorf("%w: the tenant is no GUID", calendar.ErrUnauthorized), "Begin with a new consent link.")
	}
	id, err := c.TenantID(ctx, domain)
	if err != nil {
		return err
	}
	if !strings.EqualFold(id, tenantID) {
		return fail(&Refusal{Cause: TenantUnknown, says: "the domain belongs to another tenant than the one that consented", kind: calendar.ErrForbidden},
			"Open the consent link as an administrator of the tenant that has the domain "+line(domain, 100)+".")
	}
	until := time.Now().Add(c.opts.Wait)
	for pause := time.Second; ; pause = min(2*pause, 8*time.Second) {
		ref, fix, err := c.token(ctx, id)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fail(ctx.Err(), "")
		case ref == nil:
			return fail(err, fix)
		case ref.Cause != ConsentMissing && ref.Cause != AppUnknown || time.Now().Add(pause).After(until):
			return fail(ref, fix)
		}
		if err := sleep(ctx, pause); err != nil {
			return fail(err, "")
		}
	}
}

// token gets a token for a tenant and looks at what it says. The Refusal is nil
// where Entra did not answer.
func (c *Consent) token(ctx context.Context, id string) (*Refusal, string, error) {
	cred, err := c.credential(id)
	if err != nil {
		return nil, "Check the server's credential of the app.", fmt.Errorf("%w: %s", calendar.ErrUnauthorized, brief(err))
	}
	got, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope()}})
	if err != nil {
		ref, fix := entraRefusal(err)
		if ref == nil {
			return nil, cmp.Or(certificateFix(err, "Entra"), "Check that Entra can be reached, and the proxy."), fmt.Errorf("%w: no token: %s", calendar.ErrUnavailable, brief(err))
		}
		return ref, fix, ref
	}
	// A token that cannot be read says nothing, for or against: it came from the
	// tenant's own address.
	cl := claimsOf(got.Token)
	if cl.Tenant == "" {
		return nil, "", nil
	}
	wrong := func(cause Cause, what, fix string) (*Refusal, string, error) {
		ref := &Refusal{Cause: cause, says: what, kind: calendar.ErrForbidden}
		return ref, fix, ref
	}
	switch {
	case !strings.EqualFold(cl.Tenant, id):
		return wrong(TenantUnknown, "the token is of another tenant", "Check that the server's credential of the app is not bound to one tenant.")
	case !strings.EqualFold(cmp.Or(cl.App, cl.Azp), c.clientID):
		return wrong(AppUnknown, "the token is of another app", "Check that the client ID and the credential are of the same app registration.")
	case !c.opts.NoPermission && !slices.ContainsFunc(cl.Roles, isCalendarsRead):
		return wrong(ConsentMissing, "the token lacks Calendars.Read",
			"Consent to Calendars.Read is missing: see that the app registration has it as an application permission, then open the consent link again as a Global Administrator.")
	}
	return nil, "", nil
}

// isCalendarsRead reports whether a role lets an app read calendars.
func isCalendarsRead(role string) bool {
	return strings.EqualFold(role, "Calendars.Read") || strings.EqualFold(role, "Calendars.ReadWrite")
}
