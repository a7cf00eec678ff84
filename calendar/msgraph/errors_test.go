package msgraph_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// registered is a tenant with an app that authenticates as in production.
type registered struct {
	*graphtest.Site
	t      *testing.T
	tenant string // that the credential is for
	client string
	secret string
}

func register(t *testing.T) *registered {
	site := quiet(nil)
	site.Secret = site.App.AddSecret(time.Time{})
	return &registered{site, t, site.Tenant.ID(), site.App.ClientID(), string(site.Secret)}
}

func (r *registered) options() azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: "https://graph.example"},
		Transport: &http.Client{Transport: r.Transport()}, Retry: policy.RetryOptions{MaxRetries: -1},
	}
}

func (r *registered) bySecret() *msgraph.Provider {
	cred, err := azidentity.NewClientSecretCredential(r.tenant, r.client, r.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: r.options(), DisableInstanceDiscovery: true})
	require.NoError(r.t, err)
	return msgraph.New(cred, local(r.Site))
}

func (r *registered) byCertificate(known bool, until time.Time) *msgraph.Provider {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(r.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rooms"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(r.t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(r.t, err)
	if known {
		r.App.AddCertificate(cert)
	}
	cred, err := azidentity.NewClientCertificateCredential(r.tenant, r.client, []*x509.Certificate{cert}, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: r.options(), DisableInstanceDiscovery: true})
	require.NoError(r.t, err)
	return msgraph.New(cred, local(r.Site))
}

// What an administrator reads, for everything that can be wrong with access.
func TestWhatAnAdministratorReads(t *testing.T) {
	const (
		wait  = "; a change can take two hours."
		grant = "open the consent link as a Global Administrator, or, for an app of your own tenant, press \"Grant admin consent\" in Entra under App registrations, API permissions"
		wrong = " If you have done so, check the tenant ID: it may be that of another tenant."
	)
	for name, x := range map[string]struct {
		set   func(r *registered) *msgraph.Provider
		room  string // the default is the site's
		cause msgraph.Cause
		kind  error
		want  string
		bare  bool // an answer without an ID of the request
	}{
		"no consent": {
			set:   func(r *registered) *msgraph.Provider { r.Tenant.Remove(r.App); return r.bySecret() },
			cause: msgraph.ConsentMissing, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS7000229. The tenant has not consented to the app, or has removed it: " + grant + "." + wrong,
		},
		"consent revoked": {
			set:   func(r *registered) *msgraph.Provider { r.Tenant.RevokeRoles(r.App); return r.bySecret() },
			cause: msgraph.ConsentMissing, kind: calendar.ErrForbidden,
			want: "access denied: Graph answered 403 ErrorAccessDenied. If the app is to read the rooms only, by RBAC for Applications, put this mailbox into the scope of its role Application Calendars.Read in Exchange" + wait +
				" Otherwise consent to Calendars.Read is missing or was revoked: " + grant + "; that opens every mailbox of the tenant, whatever the scope of the role is." + wrong,
		},
		"outside the access policy": {
			set: func(r *registered) *msgraph.Provider {
				r.Tenant.Restrict(r.App, r.Other)
				return r.bySecret()
			},
			cause: msgraph.OutOfScope, kind: calendar.ErrForbidden,
			want: "access denied: Graph answered 403 ErrorAccessDenied. The tenant's application access policy does not list this mailbox: add it to the policy's group" + wait,
		},
		"outside the RBAC scope, at first": {
			set: func(r *registered) *msgraph.Provider {
				r.Tenant.RevokeRoles(r.App)
				r.Tenant.Assign(r.App, r.Other)
				return r.bySecret()
			},
			cause: msgraph.ConsentMissing, kind: calendar.ErrForbidden,
			want: "access denied: Graph answered 403 ErrorAccessDenied. If the app is to read the rooms only, by RBAC for Applications, put this mailbox into the scope of its role Application Calendars.Read in Exchange" + wait +
				" Otherwise consent to Calendars.Read is missing or was revoked: " + grant + "; that opens every mailbox of the tenant, whatever the scope of the role is." + wrong,
		},
		"request refused": {
			set: func(r *registered) *msgraph.Provider {
				r.Inject(graphtest.Fault{Status: http.StatusBadRequest, Code: "BadRequest"})
				return r.bySecret()
			},
			kind: calendar.ErrUnavailable,
			want: "unavailable: Graph answered 400 BadRequest. Graph refuses the request itself, so that repeating it does not help: check the mailbox's address.",
		},
		"outside the RBAC scope": {
			set: func(r *registered) *msgraph.Provider {
				r.Tenant.RevokeRoles(r.App)
				r.Tenant.Assign(r.App, r.Other)
				p := r.bySecret()
				require.NoError(r.t, p.CheckAccess(r.t.Context(), r.Other.Address()))
				return p
			},
			cause: msgraph.OutOfScope, kind: calendar.ErrForbidden,
			want: "access denied: Graph answered 403 ErrorAccessDenied. The app reads other mailboxes by RBAC for Applications: put this one into the scope of its role Application Calendars.Read" + wait,
		},
		"denied with consent": {
			set: func(r *registered) *msgraph.Provider {
				r.Inject(graphtest.Fault{Status: http.StatusForbidden})
				return r.bySecret()
			},
			cause: msgraph.OutOfScope, kind: calendar.ErrForbidden,
			want: "access denied: Graph answered 403 ErrorAccessDenied. Consent to Calendars.Read is there, but not for this mailbox: put it into the scope of the app's application access policy" + wait,
		},
		"secret expired": {
			set:   func(r *registered) *msgraph.Provider { r.App.ExpireSecrets(); return r.bySecret() },
			cause: msgraph.SecretExpired, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS7000222. The client secret has expired: make a new one in the app registration and configure it.",
		},
		"secret wrong": {
			set:   func(r *registered) *msgraph.Provider { r.secret = "guess"; return r.bySecret() },
			cause: msgraph.SecretWrong, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS7000215. The client secret is wrong: configure the secret's value, not its ID.",
		},
		"certificate expired": {
			set:   func(r *registered) *msgraph.Provider { return r.byCertificate(true, time.Now().Add(-time.Hour)) },
			cause: msgraph.CertificateExpired, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS700027. The certificate has expired: make a new one, upload it to the app registration and configure it.",
		},
		"certificate unknown": {
			set:   func(r *registered) *msgraph.Provider { return r.byCertificate(false, time.Now().Add(time.Hour)) },
			cause: msgraph.CertificateUnknown, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS700027. The app registration does not have this certificate: upload it there, or configure the one that is there.",
		},
		"mailbox unknown": {
			set: (*registered).bySecret, room: "nobody@example.com",
			cause: msgraph.MailboxUnknown, kind: calendar.ErrNotFound,
			want: "mailbox not found: Graph answered 404 ErrorInvalidUser. Check the address, and that the mailbox is in Exchange Online, in this tenant, and has a licence if it needs one.",
		},
		"mailbox without licence": {
			set:   func(r *registered) *msgraph.Provider { r.Room.Disable(true); return r.bySecret() },
			cause: msgraph.MailboxDisabled, kind: calendar.ErrNotFound,
			want: "mailbox not found: Graph answered 404 MailboxNotEnabledForRESTAPI. The address has no mailbox in Exchange Online that can be read: check that it has a licence if it needs one, was not deleted, and is not on a server of your own.",
		},
		"tenant unknown": {
			set: func(r *registered) *msgraph.Provider {
				r.tenant = "11111111-2222-4333-8444-555555555555"
				return r.bySecret()
			},
			cause: msgraph.TenantUnknown, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS90002. There is no such tenant: check the tenant ID, and the cloud if it is none of the global one.",
		},
		"tenant of somebody else": {
			set: func(r *registered) *msgraph.Provider {
				other := r.AddTenant("fabrikam.example")
				other.Consent(r.App, graphtest.CalendarsRead)
				r.tenant = other.ID()
				return r.bySecret()
			},
			cause: msgraph.MailboxUnknown, kind: calendar.ErrNotFound,
			want: "mailbox not found: Graph answered 404 ErrorInvalidUser. Check the address, and that the mailbox is in Exchange Online, in this tenant, and has a licence if it needs one.",
		},
		"app unknown": {
			set: func(r *registered) *msgraph.Provider {
				r.client = "11111111-2222-4333-8444-555555555555"
				return r.bySecret()
			},
			cause: msgraph.AppUnknown, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS700016. The app is not known in this tenant: check the client ID and tenant, and that an administrator has consented.",
		},
		"clock wrong, with a certificate": {
			set: func(r *registered) *msgraph.Provider {
				p := r.byCertificate(true, time.Now().Add(24*time.Hour))
				r.SetSkew(time.Hour)
				return p
			},
			cause: msgraph.ClockSkew, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Entra answered AADSTS700024. The certificate's assertion is not valid at this time: set this machine's clock.",
		},
		"clock behind": {
			set: func(r *registered) *msgraph.Provider {
				token := r.Tenant.Token(r.App)
				r.SetSkew(2 * time.Hour)
				return msgraph.New(fixed(token), local(r.Site))
			},
			cause: msgraph.ClockSkew, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Graph answered 401 InvalidAuthenticationToken. This machine's clock is 2h0m0s behind Graph's: set it, and keep it right by NTP.",
		},
		"clock ahead": {
			set: func(r *registered) *msgraph.Provider {
				r.SetSkew(-26 * time.Hour)
				return msgraph.New(fixed("not.a.token"), local(r.Site))
			},
			cause: msgraph.ClockSkew, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Graph answered 401 InvalidAuthenticationToken. This machine's clock is 26h0m0s ahead of Graph's: set it, and keep it right by NTP.",
		},
		"token of another cloud": {
			set:   func(r *registered) *msgraph.Provider { return msgraph.New(fixed("not.a.token"), local(r.Site)) },
			cause: msgraph.TokenRefused, kind: calendar.ErrUnauthorized,
			want: "unauthorized: Graph answered 401 InvalidAuthenticationToken. Check that the credential is for the cloud and tenant of the mailbox, and that this machine's clock is right.",
		},
		"cloud wrong": entra("AADSTS900382: Confidential Client is not supported in Cross Cloud request.", msgraph.CloudWrong, calendar.ErrUnauthorized,
			"unauthorized: Entra answered AADSTS900382. The tenant is in another of Microsoft's clouds: check the cloud in the configuration."),
		"app disabled": entra("AADSTS7000112: Application is disabled.", msgraph.AppDisabled, calendar.ErrUnauthorized,
			"unauthorized: Entra answered AADSTS7000112. The app is disabled: enable it in Entra, under Enterprise applications."),
		"blocked by policy": entra("AADSTS53003: Access has been blocked by Conditional Access policies.", msgraph.PolicyBlocks, calendar.ErrUnauthorized,
			"unauthorized: Entra answered AADSTS53003. A Conditional Access policy of the tenant blocks the app: exclude it, or allow this machine's address."),
		"workload identity": entra("AADSTS700213: No matching federated identity record found.", msgraph.FederationWrong, calendar.ErrUnauthorized,
			"unauthorized: Entra answered AADSTS700213. The app's federated credential has another subject than this workload: correct it in the app registration."),
		"Entra is ill": entra("AADSTS90033: A transient error has occurred.", msgraph.Unknown, calendar.ErrUnavailable,
			"unavailable: Entra answered AADSTS90033"),
		"a code of which nobody knows": entra("AADSTS99999999: Surprise.", msgraph.Unknown, calendar.ErrUnauthorized,
			"unauthorized: Entra answered AADSTS99999999. Check the tenant, the client ID and the credential; https://login.microsoftonline.com/error explains the code."),
	} {
		t.Run(name, func(t *testing.T) {
			r := register(t)
			p := x.set(r)
			room := x.room
			if room == "" {
				room = r.Room.Address()
			}
			err := p.CheckAccess(t.Context(), room)
			require.EqualError(t, err, "read calendar of "+room+": "+x.want)
			require.ErrorIs(t, err, x.kind)
			var ref *msgraph.Refusal
			require.ErrorAs(t, err, &ref)
			assert.Equal(t, x.cause, ref.Cause)
			if !x.bare {
				assert.NotEmpty(t, ref.RequestID, "Microsoft's support asks for it")
			}
			assert.NotContains(t, err.Error(), r.secret)
			for range 2 { // also by those who read, and again at once
				_, err2 := p.Events(t.Context(), room, week)
				require.EqualError(t, err2, err.Error())
				_, err2 = p.Sync(t.Context(), room, week, "")
				require.EqualError(t, err2, err.Error())
			}
		})
	}
}

type entraCase = struct {
	set   func(r *registered) *msgraph.Provider
	room  string
	cause msgraph.Cause
	kind  error
	want  string
	bare  bool
}

// entra is a credential that has an answer which the fake of Entra does not give.
func entra(text string, cause msgraph.Cause, kind error, want string) entraCase {
	return entraCase{func(r *registered) *msgraph.Provider { return msgraph.New(failing{errors.New(text)}, local(r.Site)) }, "", cause, kind, want, true}
}

type failing struct{ err error }

func (f failing) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, f.err
}

// Entra asks to wait: the error says so and for how long, and nobody asks again
// before that.
func TestEntraThrottles(t *testing.T) {
	for _, code := range []string{"AADSTS50196", "AADSTS90033"} {
		synctest.Test(t, func(t *testing.T) {
			r := register(t)
			r.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpToken}, Status: http.StatusTooManyRequests, Code: code, RetryAfter: time.Minute, Count: 1})
			p := r.bySecret()
			err := p.CheckAccess(t.Context(), r.Room.Address())
			require.EqualError(t, err, "read calendar of fjord@example.com: throttled: Entra answered "+code+" (retry after 1m0s)")
			require.ErrorIs(t, err, calendar.ErrThrottled)
			var ref *msgraph.Refusal
			require.ErrorAs(t, err, &ref)
			assert.Equal(t, code, ref.Code)
			time.Sleep(40 * time.Second)
			_, err = p.Events(t.Context(), r.Room.Address(), week)
			var ce *calendar.Error
			require.ErrorAs(t, err, &ce)
			assert.Equal(t, 20*time.Second, ce.RetryAfter, "of the answer that it has")
			time.Sleep(ce.RetryAfter)
			require.NoError(t, p.CheckAccess(t.Context(), r.Room.Address()))
		})
	}
	// Other credentials than azidentity's may have the text alone.
	err := msgraph.New(failing{errors.New("AADSTS50196: The server terminated an operation because it encountered a client request loop.")}, local(quiet(nil))).CheckAccess(t.Context(), "fjord@example.com")
	require.ErrorIs(t, err, calendar.ErrThrottled)
}

// The consent's check waits for nobody, but says when to come again.
func TestEntraThrottlesConsent(t *testing.T) {
	r := register(t)
	r.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpToken}, Status: http.StatusTooManyRequests, RetryAfter: time.Minute})
	l := local(r.Site)
	c, err := msgraph.NewConsent(r.client, redirect, func(string) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(r.tenant, r.client, r.secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: r.options(), DisableInstanceDiscovery: true})
	}, &msgraph.ConsentOptions{Cloud: l.Cloud, Transport: l.Transport})
	require.NoError(t, err)
	err = c.Check(t.Context(), "example.com", r.tenant)
	var ce *calendar.Error
	require.ErrorAs(t, err, &ce)
	require.ErrorIs(t, err, calendar.ErrThrottled)
	assert.Equal(t, time.Minute, ce.RetryAfter)
}

// What support asks for is in Entra's answers as text or as JSON.
func TestEntraRequestID(t *testing.T) {
	const trace, correlation = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"
	for text, want := range map[string]string{
		"AADSTS65001: No. Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: 2026-03-02": correlation,
		`{"error_description": "AADSTS65001: No.", "trace_id": "` + trace + `"}`:                             trace,
		"AADSTS65001: No. Trace ID: none": "",
	} {
		err := msgraph.New(failing{errors.New(text)}, local(quiet(nil))).CheckAccess(t.Context(), "fjord@example.com")
		var ref *msgraph.Refusal
		require.ErrorAs(t, err, &ref)
		assert.Equal(t, want, ref.RequestID, text)
	}
}

// What Graph would refuse whatever the calendar has is not asked.
func TestRefusedBeforeTheRequest(t *testing.T) {
	r := register(t)
	p := r.bySecret()
	read := map[string]func(mailbox string, w calendar.Window) error{
		"Events": func(mailbox string, w calendar.Window) error {
			_, err := p.Events(t.Context(), mailbox, w)
			return err
		},
		"Sync": func(mailbox string, w calendar.Window) error {
			_, err := p.Sync(t.Context(), mailbox, w, "")
			return err
		},
	}
	for name, f := range read {
		for w, want := range map[calendar.Window]string{
			{}:                               "the window has no beginning or no end. Set both From and To.",
			{From: week.From}:                "the window has no beginning or no end. Set both From and To.",
			{To: week.To}:                    "the window has no beginning or no end. Set both From and To.",
			{From: week.To, To: week.From}:   "the window does not end after it begins. Set To to a later time than From.",
			{From: week.From, To: week.From}: "the window does not end after it begins. Set To to a later time than From.",
		} {
			err := f("fjord@example.com", w)
			require.EqualError(t, err, "read calendar of fjord@example.com: "+want, name)
			require.NotErrorIs(t, err, calendar.ErrUnavailable, "it is not Graph's failure")
		}
		for _, bad := range []string{"Fjord <fjord@example.com>", "fjord@example.com;annex@example.com", "fjord example.com", "fjord@example.com\x00", "fjord\u200b@example.com", "fjord\xff@example.com"} {
			err := f(bad, week)
			require.ErrorIs(t, err, calendar.ErrNotFound, name)
			require.ErrorContains(t, err, "it is no mail address or object ID. Give the mail address of the room, without a name, brackets or spaces.")
			require.Error(t, p.CheckAccess(t.Context(), bad))
		}
	}
	assert.Zero(t, r.Stats().Requests)
	for _, good := range []string{"guest_contoso.com#EXT#@example.com", "o'brien+room1@example.com", "größe@example.com"} {
		require.ErrorContains(t, p.CheckAccess(t.Context(), good), "404", "Graph is asked")
	}
}

// A certificate that is not accepted where tokens come from is said to be one:
// credentials keep its text only.
func TestInterceptedTLSOfEntra(t *testing.T) {
	site := graphtest.NewSite(nil)
	defer site.Close()
	cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), string(site.Secret), &azidentity.ClientSecretCredentialOptions{
		ClientOptions:            azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: site.URL}, Retry: policy.RetryOptions{MaxRetries: -1}},
		DisableInstanceDiscovery: true,
	})
	require.NoError(t, err)
	err = msgraph.New(cred, local(site)).CheckAccess(t.Context(), site.Room.Address())
	require.ErrorIs(t, err, calendar.ErrUnavailable)
	require.ErrorContains(t, err, "If a proxy opens TLS here, let it pass Entra untouched, or trust its certificate on this machine.")
	err = msgraph.New(failing{errors.New("Get: tls: failed to verify certificate: x509: certificate has expired or is not yet valid")}, local(site)).CheckAccess(t.Context(), site.Room.Address())
	require.ErrorContains(t, err, "The certificate of Entra is not valid at this time: set this machine's clock.")
}

// A calendar that can be read passes, by consent, by RBAC, and by a certificate.
func TestCheckAccess(t *testing.T) {
	r := register(t)
	require.NoError(t, r.bySecret().CheckAccess(t.Context(), r.Room.Address()))
	require.NoError(t, r.bySecret().CheckAccess(t.Context(), "FJORD@example.com"))
	require.NoError(t, r.bySecret().CheckAccess(t.Context(), r.Room.ID()))
	require.NoError(t, r.byCertificate(true, time.Now().Add(time.Hour)).CheckAccess(t.Context(), r.Room.Address()))
	r.Tenant.RevokeRoles(r.App)
	r.Tenant.Assign(r.App, r.Room)
	require.NoError(t, r.bySecret().CheckAccess(t.Context(), r.Room.Address()))
}

// Grants add up: a scope does not narrow a consent.
func TestGrantsAddUp(t *testing.T) {
	r := register(t)
	r.Tenant.Assign(r.App, r.Room)
	require.NoError(t, r.bySecret().CheckAccess(t.Context(), r.Other.Address()), "the consent is for every mailbox")
	r.Tenant.RevokeRoles(r.App)
	require.Error(t, r.bySecret().CheckAccess(t.Context(), r.Other.Address()))
}

// A certificate that nobody has issued for Graph is said to be one.
func TestInterceptedTLS(t *testing.T) {
	site := graphtest.NewSite(nil)
	defer site.Close()
	err := msgraph.New(app{site}, &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}}).CheckAccess(t.Context(), site.Room.Address())
	require.ErrorIs(t, err, calendar.ErrUnavailable)
	require.ErrorContains(t, err, "If a proxy opens TLS here, let it pass 127.0.0.1:")
	require.NoError(t, msgraph.New(app{site}, &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport}).CheckAccess(t.Context(), site.Room.Address()))
}

// What cannot be Graph's answer is not taken for an empty calendar.
func TestOtherAnswers(t *testing.T) {
	for name, x := range map[string]struct {
		body string
		want string
	}{
		"page of a proxy": {"<html>Sign in</html>", "the answer is not what was asked for. Check that no proxy answers in the place of Graph."},
		"no list":         {"{}", "the answer is not a list of events. Check that no proxy answers in the place of Graph."},
		"other host":      {`{"value":[],"@odata.nextLink":"https://elsewhere.example/v1.0/users/x"}`, "a link of Graph's does not lead to graph.example."},
		"other user":      {`{"value":[],"@odata.nextLink":"https://me@graph.example/v1.0/users/x"}`, "a link of Graph's does not lead to graph.example."},
		"other path":      {`{"value":[],"@odata.nextLink":"https://graph.example/beta/users/x"}`, "a link of Graph's does not lead to graph.example."},
	} {
		t.Run(name, func(t *testing.T) {
			site := quiet(nil)
			o := local(site)
			o.Transport = answering(x.body)
			p := msgraph.New(app{site}, o)
			_, err := p.Events(t.Context(), "fjord@example.com", week)
			require.ErrorIs(t, err, calendar.ErrUnavailable)
			require.ErrorContains(t, err, x.want)
			_, err = p.Sync(t.Context(), "fjord@example.com", week, "")
			require.ErrorContains(t, err, x.want)
			if strings.HasPrefix(name, "other") {
				return // it asks for no further page
			}
			require.ErrorContains(t, p.CheckAccess(t.Context(), "fjord@example.com"), x.want)
		})
	}
}
