package msgraph_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
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

// What package control asks of a calendar system.
var _ interface {
	URL(domain, state string) string
	Check(ctx context.Context, domain, tenantID string) error
} = (*msgraph.Consent)(nil)

const redirect = "https://rooms.example.com/consent"

// office is an app of our own, and a tenant that has not heard of it.
func office() (*graphtest.Site, *graphtest.Tenant) {
	site := quiet(nil)
	site.App = site.AddApp("Rooms", redirect)
	site.Secret = site.App.AddSecret(time.Time{})
	return site, site.AddTenant("fabrikam.example")
}

// identity is Microsoft's own client of Entra, on the fake.
func identity(site *graphtest.Site, secret string) func(string) (azcore.TokenCredential, error) {
	return func(tenant string) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(tenant, site.App.ClientID(), secret, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: azcore.ClientOptions{
				Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: "https://graph.example"},
				Transport: &http.Client{Transport: site.Transport()}, Retry: policy.RetryOptions{MaxRetries: -1},
			},
			DisableInstanceDiscovery: true,
		})
	}
}

func consent(t *testing.T, site *graphtest.Site, o msgraph.ConsentOptions) *msgraph.Consent {
	l := local(site)
	o.Cloud, o.Transport = l.Cloud, l.Transport
	c, err := msgraph.NewConsent(site.App.ClientID(), redirect, identity(site, string(site.Secret)), &o)
	require.NoError(t, err)
	return c
}

// An administrator opens the link, agrees, and comes back; a token for the tenant
// proves it.
func TestConsent(t *testing.T) {
	site, tenant := office()
	c := consent(t, site, msgraph.ConsentOptions{Wait: time.Nanosecond})
	link := c.URL("fabrikam.example", "s3cr3t & more")
	assert.Equal(t, "https://graph.example/fabrikam.example/v2.0/adminconsent?client_id="+site.App.ClientID()+
		"&redirect_uri=https%3A%2F%2Frooms.example.com%2Fconsent&scope=https%3A%2F%2Fgraph.example%2F.default&state=s3cr3t+%26+more", link)

	err := c.Check(t.Context(), "fabrikam.example", tenant.ID())
	require.EqualError(t, err, "check the consent of fabrikam.example: unauthorized: Entra answered AADSTS7000229. "+
		"The tenant has not consented to the app, or has removed it: open the consent link as a Global Administrator, or, for an app of your own tenant, press \"Grant admin consent\" in Entra under App registrations, API permissions. "+
		"If you have done so, check the tenant ID: it may be that of another tenant.")

	cb := visit(t, site, link)
	assert.Equal(t, msgraph.Callback{State: "s3cr3t & more", TenantID: tenant.ID()}, cb)
	require.NoError(t, c.Check(t.Context(), "fabrikam.example", cb.TenantID))
	require.NoError(t, c.Check(t.Context(), "FABRIKAM.example", strings.ToUpper(cb.TenantID)))

	tenant.RevokeRoles(site.App)
	err = c.Check(t.Context(), "fabrikam.example", tenant.ID())
	require.EqualError(t, err, "check the consent of fabrikam.example: access denied: the token lacks Calendars.Read. "+
		"Consent to Calendars.Read is missing: see that the app registration has it as an application permission, then open the consent link again as a Global Administrator.")
	require.NoError(t, consent(t, site, msgraph.ConsentOptions{NoPermission: true}).Check(t.Context(), "fabrikam.example", tenant.ID()), "rooms may be granted in Exchange")

	tenant.Decline(true)
	cb = visit(t, site, link)
	assert.Empty(t, cb.TenantID)
	assert.Equal(t, "access_denied: AADSTS65004: User declined to consent to access the app.", cb.Refused)
}

// visit opens a link as an administrator's browser does.
func visit(t *testing.T, site *graphtest.Site, link string) msgraph.Callback {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	require.NoError(t, err)
	res, err := site.Transport().RoundTrip(req)
	require.NoError(t, err)
	back, err := res.Location()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(back.String(), redirect+"?"))
	cb, err := msgraph.ParseCallback(back.Query())
	require.NoError(t, err)
	return cb
}

// Nothing that the browser says is believed.
func TestConsentIsNotBelieved(t *testing.T) {
	site, tenant := office()
	mallory := site.AddTenant("mallory.example")
	mallory.Consent(site.App, graphtest.CalendarsRead)
	c := consent(t, site, msgraph.ConsentOptions{Wait: time.Nanosecond})
	for _, x := range []struct{ domain, tenant, want string }{
		{"fabrikam.example", mallory.ID(), "check the consent of fabrikam.example: access denied: the domain belongs to another tenant than the one that consented. " +
			"Open the consent link as an administrator of the tenant that has the domain fabrikam.example."},
		{"fabrikam.example", "common", "the tenant is no GUID. Begin with a new consent link."},
		{"fabrikam.example", "", "the tenant is no GUID"},
		{"nowhere.example", tenant.ID(), "find the tenant of nowhere.example: mailbox not found: Entra answered AADSTS90002. The domain belongs to no tenant in this cloud: check its spelling, and the cloud."},
		{"common", tenant.ID(), "it is no domain"},
		{"a.example/../../x", tenant.ID(), "it is no domain"},
		{"a.example?x=1", tenant.ID(), "it is no domain"},
	} {
		require.ErrorContains(t, c.Check(t.Context(), x.domain, x.tenant), x.want)
	}

	// A credential that does not look at the tenant, or is of another app.
	tenant.Consent(site.App, graphtest.CalendarsRead)
	other := site.AddApp("Other")
	for want, token := range map[string]string{"the token is of another tenant": mallory.Token(site.App), "the token is of another app": tenant.Token(other)} {
		l := local(site)
		c, err := msgraph.NewConsent(site.App.ClientID(), redirect, func(string) (azcore.TokenCredential, error) { return fixed(token), nil },
			&msgraph.ConsentOptions{Cloud: l.Cloud, Transport: l.Transport, Wait: time.Nanosecond})
		require.NoError(t, err)
		require.ErrorContains(t, c.Check(t.Context(), "fabrikam.example", tenant.ID()), want)
	}
}

type fixed string

func (f fixed) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(f), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A consent takes some seconds to have an effect.
func TestConsentTakesEffectLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site, tenant := office()
		l := local(site)
		c, err := msgraph.NewConsent(site.App.ClientID(), redirect, func(string) (azcore.TokenCredential, error) { return fixed(tenant.Token(site.App)), nil },
			&msgraph.ConsentOptions{Cloud: l.Cloud, Transport: l.Transport})
		require.NoError(t, err)
		go func() {
			time.Sleep(10 * time.Second)
			tenant.Consent(site.App, graphtest.CalendarsRead)
		}()
		begin := time.Now()
		require.NoError(t, c.Check(t.Context(), "fabrikam.example", tenant.ID()))
		assert.Equal(t, 15*time.Second, time.Since(begin))

		tenant.RevokeRoles(site.App)
		require.ErrorContains(t, c.Check(t.Context(), "fabrikam.example", tenant.ID()), "the token lacks Calendars.Read")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.ErrorIs(t, c.Check(ctx, "fabrikam.example", tenant.ID()), context.DeadlineExceeded)
	})
}

// What goes wrong on the way is said as what it is.
func TestConsentFails(t *testing.T) {
	site, tenant := office()
	c := consent(t, site, msgraph.ConsentOptions{})
	site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDiscovery}, Status: http.StatusBadGateway})
	err := c.Check(t.Context(), "fabrikam.example", tenant.ID())
	require.ErrorIs(t, err, calendar.ErrUnavailable)
	require.ErrorContains(t, err, "Entra answered 502")
	site.ClearFaults()
	site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDiscovery}, Drop: true})
	err = c.Check(t.Context(), "fabrikam.example", tenant.ID())
	require.ErrorContains(t, err, "find the tenant of fabrikam.example: unavailable: graph.example: ")
	site.ClearFaults()
	site.App.ExpireSecrets()
	tenant.Consent(site.App, graphtest.CalendarsRead)
	err = c.Check(t.Context(), "fabrikam.example", tenant.ID())
	require.ErrorContains(t, err, "The client secret has expired")
	var ref *msgraph.Refusal
	require.ErrorAs(t, err, &ref)
	assert.Equal(t, msgraph.SecretExpired, ref.Cause)

	l := local(site)
	l.Cloud.Graph = "https://graph.microsoft.us"
	c, err = msgraph.NewConsent(site.App.ClientID(), redirect, func(string) (azcore.TokenCredential, error) { return nil, errors.New("no such file") },
		&msgraph.ConsentOptions{Cloud: msgraph.Cloud{Graph: "https://graph.example", Authority: "https://graph.example"}, Transport: l.Transport})
	require.NoError(t, err)
	require.EqualError(t, c.Check(t.Context(), "fabrikam.example", tenant.ID()), "check the consent of fabrikam.example: unauthorized: no such file. Check the server's credential of the app.")

	c, err = msgraph.NewConsent(site.App.ClientID(), redirect, nil, &msgraph.ConsentOptions{Cloud: l.Cloud, Transport: l.Transport})
	require.NoError(t, err)
	_, err = c.TenantID(t.Context(), "fabrikam.example")
	require.EqualError(t, err, "find the tenant of fabrikam.example: mailbox not found: its Graph is at graph.example. The tenant is in another of Microsoft's clouds: check the cloud in the configuration.")

	for want, f := range map[string]func() error{
		`the client ID "rooms" is not a GUID`: func() error {
			_, err := msgraph.NewConsent("rooms", redirect, nil, nil)
			return err
		},
		`the redirect address "/consent" is not an http(s) address`: func() error {
			_, err := msgraph.NewConsent(site.App.ClientID(), "/consent", nil, nil)
			return err
		},
		`the address of Entra, "login", is not an https address`: func() error {
			_, err := msgraph.NewConsent(site.App.ClientID(), redirect, nil, &msgraph.ConsentOptions{Cloud: msgraph.Cloud{Authority: "login"}})
			return err
		},
	} {
		require.ErrorContains(t, f(), want)
	}
}

func TestParseCallback(t *testing.T) {
	const id = "11111111-2222-4333-8444-555555555555"
	for query, want := range map[string]string{
		"admin_consent=True&tenant=" + id:                                         "has no state",
		"state=s&tenant=" + id:                                                    "does not say that somebody has consented",
		"state=s&admin_consent=False&tenant=" + id:                                "does not say that somebody has consented",
		"state=s&admin_consent=True":                                              "names no tenant",
		"state=s&admin_consent=True&tenant=common":                                "names no tenant",
		"state=s&admin_consent=True&tenant=" + id + "/x":                          "names no tenant",
		"state=s&state=t&admin_consent=True&tenant=" + id:                         `more than one "state"`,
		"state=s&admin_consent=True&tenant=" + id + "&tenant=" + id:               `more than one "tenant"`,
		"admin_consent=True&tenant=" + id + "&state=" + strings.Repeat("s", 2000): "a state of 2000 bytes",
	} {
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		cb, err := msgraph.ParseCallback(q)
		require.ErrorContains(t, err, want, query)
		assert.Zero(t, cb)
	}
	cb, err := msgraph.ParseCallback(url.Values{"state": {"s"}, "admin_consent": {"True"}, "tenant": {id}, "error": {"x"}, "error_description": {"a\r\nb\x1b[31m\u202e" + strings.Repeat("c", 400)}})
	require.NoError(t, err)
	assert.Empty(t, cb.TenantID, "a refusal counts")
	assert.Equal(t, "x: a b [31m "+strings.Repeat("c", 291)+"…", cb.Refused)
}
