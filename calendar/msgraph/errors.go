package msgraph

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
)

// Cause says why Microsoft 365 refuses, as far as its answers tell. Programs may
// compare it; [calendar.Error.Fix] says the same to people.
type Cause string

// The causes.
const (
	// Unknown is every refusal that none of the others fits.
	Unknown Cause = ""
	// ConsentMissing: the tenant has not consented to the app, or has taken its
	// consent back. An app that reads by RBAC for Applications looks the same until
	// it has read a first mailbox: see OutOfScope.
	ConsentMissing Cause = "consent missing"
	// OutOfScope: the app may read calendars, but not this mailbox's. Tokens do not
	// show RBAC for Applications, so that it is known only after another mailbox
	// could be read.
	OutOfScope Cause = "mailbox out of scope"
	// MailboxUnknown: the tenant has no mailbox with this address.
	MailboxUnknown Cause = "mailbox unknown"
	// MailboxDisabled: it has no licence, was deleted, or is on a server of the
	// company's own.
	MailboxDisabled Cause = "mailbox disabled"
	// TenantUnknown: there is no such tenant in this cloud.
	TenantUnknown Cause = "tenant unknown"
	// AppUnknown: the tenant, or this cloud, does not know the app.
	AppUnknown Cause = "app unknown"
	// AppDisabled: the tenant's administrator has switched the app off.
	AppDisabled Cause = "app disabled"
	// SecretExpired, SecretWrong: the client secret.
	SecretExpired Cause = "secret expired"
	SecretWrong   Cause = "secret wrong"
	// CertificateExpired, CertificateUnknown: the certificate in the place of a
	// client secret.
	CertificateExpired Cause = "certificate expired"
	CertificateUnknown Cause = "certificate unknown"
	// FederationWrong: a workload identity that the app's federated credential
	// does not fit.
	FederationWrong Cause = "federated credential wrong"
	// PolicyBlocks: Conditional Access.
	PolicyBlocks Cause = "blocked by policy"
	// ClockSkew: this machine's clock is wrong.
	ClockSkew Cause = "clock skew"
	// CloudWrong: the tenant is in another of Microsoft's clouds.
	CloudWrong Cause = "wrong cloud"
	// TokenRefused: Graph does not accept a token that Entra has issued.
	TokenRefused Cause = "token refused"
)

// Refusal is an answer of Graph's or Entra's in the place of what was asked for.
// It is inside the [*calendar.Error]s of this package, for errors.As.
type Refusal struct {
	Cause Cause
	// Status is that of Graph's answer; 0 if Entra has refused a token.
	Status int
	// Code is Graph's, as "ErrorAccessDenied", or Entra's, as "AADSTS7000222".
	Code string
	// RequestID is what Microsoft's support wants to know: Graph's request ID, or
	// the correlation ID or trace ID of Entra's answer.
	RequestID string

	kind error         // a sentinel of package calendar
	says string        // in the place of an answer
	wait time.Duration // that Entra asks for; 0 if it does not say
}

// Error returns one line, without the request ID.
func (r *Refusal) Error() string {
	if r.says != "" {
		return fmt.Sprintf("%v: %s", r.kind, r.says)
	}
	if r.Status == 0 {
		return fmt.Sprintf("%v: Entra answered %s", r.kind, r.Code)
	}
	return fmt.Sprintf("%v: Graph answered %s", r.kind, strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code)))
}

// Unwrap returns the sentinel of package calendar that it is a case of.
func (r *Refusal) Unwrap() error { return r.kind }

func (p *Provider) fail(r *request, err error, fix string) *calendar.Error {
	return &calendar.Error{Op: r.op, Mailbox: r.mailbox, Err: err, Fix: fix}
}

// Ways to consent, and what to look at where the consent is there after all.
const (
	grantConsent = "open the consent link as a Global Administrator, or, for an app of your own tenant, press \"Grant admin consent\" in Entra under App registrations, API permissions"
	wrongTenant  = "If you have done so, check the tenant ID: it may be that of another tenant."
)

// entraCodes are what Entra's codes mean. Sources:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes,
// https://learn.microsoft.com/troubleshoot/entra/entra-id/app-integration/.
var entraCodes = []struct {
	code  string
	cause Cause
	fix   string
}{
	{"AADSTS7000222", SecretExpired, "The client secret has expired: make a new one in the app registration and configure it."},
	{"AADSTS7000215", SecretWrong, "The client secret is wrong: configure the secret's value, not its ID."},
	{"AADSTS7000218", SecretWrong, "The app has no client secret or certificate here: configure one."},
	{"AADSTS7000229", ConsentMissing, "The tenant has not consented to the app, or has removed it: " + grantConsent + ". " + wrongTenant},
	{"AADSTS65001", ConsentMissing, "The tenant has not consented to the app, or has taken its consent back: " + grantConsent + ". " + wrongTenant},
	{"AADSTS700016", AppUnknown, "The app is not known in this tenant: check the client ID and tenant, and that an administrator has consented."},
	{"AADSTS500011", CloudWrong, "The tenant does not know Graph at this address: check the cloud in the configuration."},
	{"AADSTS900382", CloudWrong, "The tenant is in another of Microsoft's clouds: check the cloud in the configuration."},
	{"AADSTS90002", TenantUnknown, "There is no such tenant: check the tenant ID, and the cloud if it is none of the global one."},
	{"AADSTS900021", TenantUnknown, "The tenant ID is not one: configure the directory's GUID or one of its domains."},
	{"AADSTS900023", TenantUnknown, "The tenant ID is not one: configure the directory's GUID or one of its domains."},
	{"AADSTS7000112", AppDisabled, "The app is disabled: enable it in Entra, under Enterprise applications."},
	{"AADSTS700024", ClockSkew, "The certificate's assertion is not valid at this time: set this machine's clock."},
	{"AADSTS700027", CertificateUnknown, "The app registration does not have this certificate: upload it there, or configure the one that is there."},
	{"AADSTS70021", FederationWrong, "The app's federated credential does not fit this workload: check its issuer, subject and audience."},
	{"AADSTS700211", FederationWrong, "The app's federated credential has another issuer than this workload: correct it in the app registration."},
	{"AADSTS700212", FederationWrong, "The app's federated credential has another audience than this workload: correct it in the app registration."},
	{"AADSTS700213", FederationWrong, "The app's federated credential has another subject than this workload: correct it in the app registration."},
	{"AADSTS53003", PolicyBlocks, "A Conditional Access policy of the tenant blocks the app: exclude it, or allow this machine's address."},
}

var entraCode = regexp.MustCompile(`AADSTS[0-9]+`)

// tokenError makes an error of a credential's.
func (p *Provider) tokenError(ctx context.Context, r *request, err error) error {
	if ctx.Err() != nil {
		return p.fail(r, ctx.Err(), "")
	}
	ref, fix := entraRefusal(err)
	if ref == nil {
		if fix = certificateFix(err, "Entra"); fix == "" {
			fix = "Check that Entra can be reached, and the proxy; with a managed or workload identity, that this machine has one."
		}
		return p.fail(r, fmt.Errorf("%w: no token: %s", calendar.ErrUnavailable, brief(err)), fix)
	}
	e := p.fail(r, ref, fix)
	if ref.wait > 0 {
		e.RetryAfter = p.tokens.pause()
	}
	return e
}

// certificateFix says what to do about a certificate that is not accepted, or
// nothing if err is about none. Credentials keep the text of such an error only.
func certificateFix(err error, host string) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	text := err.Error()
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired, strings.Contains(text, "x509: certificate has expired or is not yet valid"):
		return "The certificate of " + host + " is not valid at this time: set this machine's clock."
	case errors.As(err, &unknown), strings.Contains(text, "x509: "), strings.Contains(text, "failed to verify certificate"):
		return "If a proxy opens TLS here, let it pass " + host + " untouched, or trust its certificate on this machine."
	}
	return ""
}

var entraID = regexp.MustCompile(`(?i)\b(correlation|trace)[ _]id"?:\s*"?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`)

// entraRequest is the correlation ID in an answer of Entra's, else its trace ID.
func entraRequest(text string) (id string) {
	for _, m := range entraID.FindAllStringSubmatch(text, -1) {
		if strings.EqualFold(m[1], "correlation") {
			return m[2]
		}
		id = cmp.Or(id, m[2])
	}
	return id
}

// responseOf returns the answer that a credential's error is about, or nil. The
// errors of azcore and azidentity have it in a field of the same name. It is read
// without their types, since this package does without azidentity.
func responseOf(err error) *http.Response {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			continue
		}
		if f := v.FieldByName("RawResponse"); f.IsValid() && f.CanInterface() {
			if res, ok := f.Interface().(*http.Response); ok && res != nil {
				return res
			}
		}
	}
	return nil
}

// entraRefusal finds Entra's answer in a credential's error; nil if there is none.
func entraRefusal(err error) (ref *Refusal, fix string) {
	text := err.Error()
	ref = &Refusal{Code: entraCode.FindString(text), RequestID: entraRequest(text), kind: calendar.ErrUnauthorized}
	if ref.Code == "" {
		return nil, ""
	}
	res := responseOf(err) //nolint:bodyclose // the credential has read it
	if ref.Code == "AADSTS50196" || res != nil && res.StatusCode == http.StatusTooManyRequests {
		ref.kind = calendar.ErrThrottled
		if res != nil {
			ref.wait = retryAfter(res.Header)
		}
		return ref, ""
	}
	fix = "Check the tenant, the client ID and the credential; https://login.microsoftonline.com/error explains the code."
	if i := slices.IndexFunc(entraCodes, func(c struct {
		code  string
		cause Cause
		fix   string
	}) bool {
		return c.code == ref.Code
	}); i >= 0 {
		ref.Cause, fix = entraCodes[i].cause, entraCodes[i].fix
	}
	if ref.Cause == CertificateUnknown && strings.Contains(strings.ToLower(text), "expired") {
		ref.Cause, fix = CertificateExpired, "The certificate has expired: make a new one, upload it to the app registration and configure it."
	}
	if strings.HasPrefix(ref.Code, "AADSTS90033") || strings.HasPrefix(ref.Code, "AADSTS90037") { // transient, by their descriptions
		ref.kind, fix = calendar.ErrUnavailable, ""
	}
	return ref, fix
}

// brief is the first line of an error's text: credentials print whole answers.
func brief(err error) string {
	s, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	s = strings.TrimRight(s, ":. ")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

// statusError makes an error of an answer of Graph's.
func (p *Provider) statusError(r *request, status int, h http.Header, body []byte) *calendar.Error {
	var answer struct {
		Error struct {
			Code, Message string
			InnerError    struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // without a code there is still the status
	code, text := answer.Error.Code, answer.Error.Message
	ref := &Refusal{Status: status, Code: code, RequestID: h.Get("request-id"), kind: calendar.ErrUnavailable}
	if ref.RequestID == "" {
		ref.RequestID = answer.Error.InnerError.RequestID
	}
	e := p.fail(r, ref, "")
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.RetryAfter = retryAfter(h)
	}
	switch status {
	case http.StatusUnauthorized:
		ref.kind, ref.Cause = calendar.ErrUnauthorized, TokenRefused
		e.Fix = "Check that the credential is for the cloud and tenant of the mailbox, and that this machine's clock is right."
		if skew := p.clock.skew(); skew.Abs() > maxSkew {
			ref.Cause = ClockSkew
			e.Fix = fmt.Sprintf("This machine's clock is %v %s Graph's: set it, and keep it right by NTP.", skew.Abs().Round(time.Second), aheadOf(skew))
		}
	case http.StatusForbidden:
		ref.kind = calendar.ErrForbidden
		ref.Cause, e.Fix = p.forbidden(code, text)
	case http.StatusNotFound:
		ref.kind = calendar.ErrNotFound
		switch code {
		case "MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI":
			ref.Cause, e.Fix = MailboxDisabled, "The address has no mailbox in Exchange Online that can be read: check that it has a licence if it needs one, was not deleted, and is not on a server of your own."
		default:
			ref.Cause, e.Fix = MailboxUnknown, "Check the address, and that the mailbox is in Exchange Online, in this tenant, and has a licence if it needs one."
		}
	case http.StatusTooManyRequests:
		ref.kind = calendar.ErrThrottled
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnprocessableEntity:
		e.Fix = "Graph refuses the request itself, so that repeating it does not help: check the mailbox's address."
	case http.StatusProxyAuthRequired:
		e.Fix = "The proxy wants a user name and password: put them into its address in the configuration."
	}
	return e
}

func aheadOf(skew time.Duration) string {
	if skew > 0 {
		return "ahead of"
	}
	return "behind"
}

// forbidden says why Graph answers 403. The token tells whether the tenant has
// consented; it does not show what RBAC for Applications grants.
func (p *Provider) forbidden(code, text string) (Cause, string) {
	const wait = "; a change can take two hours"
	consented := slices.ContainsFunc(claimsOf(p.tokens.current()).Roles, isCalendarsRead)
	switch {
	case strings.Contains(text, "Access to OData is disabled"):
		return OutOfScope, "The tenant's application access policy does not list this mailbox: add it to the policy's group" + wait + "."
	case consented:
		return OutOfScope, "Consent to Calendars.Read is there, but not for this mailbox: put it into the scope of the app's application access policy" + wait + "."
	case p.worked.Load():
		return OutOfScope, "The app reads other mailboxes by RBAC for Applications: put this one into the scope of its role Application Calendars.Read" + wait + "."
	default:
		return ConsentMissing, "If the app is to read the rooms only, by RBAC for Applications, put this mailbox into the scope of its role Application Calendars.Read in Exchange" + wait + ". " +
			"Otherwise consent to Calendars.Read is missing or was revoked: " + grantConsent + "; that opens every mailbox of the tenant, whatever the scope of the role is. " + wrongTenant
	}
}

// networkError makes an error of one of net/http's. The address stays out of it,
// but for the host.
func (p *Provider) networkError(ctx context.Context, r *request, err error) error {
	if ctx.Err() != nil {
		return p.fail(r, ctx.Err(), "")
	}
	cause := webaddr.Cause(err)
	fix := "Check the network and the proxy."
	if errors.Is(err, context.DeadlineExceeded) {
		cause = fmt.Errorf("no answer within %v", p.opts.Timeout)
	}
	switch certificate := certificateFix(err, p.base.Host); {
	case certificate != "":
		fix = certificate
	case strings.HasPrefix(cause.Error(), "proxyconnect"):
		fix = "The proxy cannot be reached: check its address in the configuration."
	}
	return p.fail(r, fmt.Errorf("%w: %s: %w", calendar.ErrUnavailable, p.base.Host, cause), fix)
}

// claims are those of an access token that a diagnosis wants. Nothing is decided
// by them: only Graph can check a token.
type claims struct {
	Tenant string   `json:"tid"`
	App    string   `json:"appid"`
	Azp    string   `json:"azp"` // appid, in version 2 of tokens
	Roles  []string `json:"roles"`
}

func claimsOf(token string) (c claims) {
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(raw, &c) // a token that is none of Entra's has no claims
		}
	}
	return c
}

// maxSkew is what Entra and Graph allow for between the clocks.
const maxSkew = 5 * time.Minute

// clock compares this machine's clock with Graph's.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// saw reads the Date header of an answer that has just come.
func (c *clock) saw(h http.Header) {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ahead = time.Since(t.Add(500 * time.Millisecond)) // it is in whole seconds
	}
}

// skew is positive if this machine's clock is ahead.
func (c *clock) skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}
