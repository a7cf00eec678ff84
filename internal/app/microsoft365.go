package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

// Microsoft365 is an application of Microsoft Entra by which calendars are read,
// and the way to Microsoft.
type Microsoft365 struct {
	// ClientID is the application's GUID.
	ClientID string `json:"client_id"`
	// The client secret is given here, as the content of a file, or as that of an
	// environment variable.
	ClientSecret     calendar.Secret `json:"client_secret"`
	ClientSecretFile string          `json:"client_secret_file"`
	ClientSecretEnv  string          `json:"client_secret_env"`
	// CertificateFile has a certificate with its key, as PEM or PKCS#12, in the
	// place of a secret. The password of the key is given in the same ways.
	CertificateFile         string          `json:"certificate_file"`
	CertificatePassword     calendar.Secret `json:"certificate_password"`
	CertificatePasswordFile string          `json:"certificate_password_file"`
	CertificatePasswordEnv  string          `json:"certificate_password_env"`
	// Identity is "managed" or "workload": what the machine or the pod in Azure
	// has in the place of a secret.
	Identity string `json:"identity"`

	// Cloud is "global", "gcc", "gcc-high", "dod" or "china". Default "global".
	Cloud string `json:"cloud"`
	// GraphURL and AuthorityURL are the addresses of Graph and Entra where they
	// are others than those of Cloud.
	GraphURL     string `json:"graph_url"`
	AuthorityURL string `json:"authority_url"`
	// Proxy is the proxy to Microsoft, and CAFile the authority that signs what it
	// makes of Microsoft's certificates.
	Proxy  string `json:"proxy"`
	CAFile string `json:"ca_file"`
}

// cloud returns where Graph and Entra are.
func (m *Microsoft365) cloud() (msgraph.Cloud, error) {
	c, err := msgraph.ParseCloud(m.Cloud)
	c.Graph, c.Authority = cmp.Or(m.GraphURL, c.Graph), cmp.Or(m.AuthorityURL, c.Authority)
	return c, err
}

// options are those of providers with the application.
func (m *Microsoft365) options() (*msgraph.Options, error) {
	c, err := m.cloud()
	if err != nil {
		return nil, err
	}
	o := &msgraph.Options{Cloud: c}
	if m.Proxy != "" {
		if o.Proxy, err = url.Parse(m.Proxy); err != nil {
			return nil, errors.New("the proxy is no address") // it may have a password
		}
	}
	if m.CAFile != "" {
		pool, err := readPool(m.CAFile)
		if err != nil {
			return nil, err
		}
		t := (&msgraph.Options{Proxy: o.Proxy}).Client().Transport.(*http.Transport)
		t.TLSClientConfig = trusting(pool)
		o.Transport = t
	}
	return o, nil
}

// credential returns the application's credential in a tenant.
func (m *Microsoft365) credential(tenant string) (azcore.TokenCredential, error) {
	o, err := m.options()
	if err != nil {
		return nil, err
	}
	client := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: o.Cloud.Authority}, Transport: o.Client()}
	own := m.AuthorityURL != "" // azidentity would ask Microsoft whether it is theirs
	switch {
	case m.Identity == "managed":
		opts := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: client}
		if m.ClientID != "" {
			opts.ID = azidentity.ClientID(m.ClientID)
		}
		return azidentity.NewManagedIdentityCredential(opts)
	case m.Identity == "workload":
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: client, ClientID: m.ClientID, TenantID: tenant, DisableInstanceDiscovery: own})
	case m.CertificateFile != "":
		text, err := os.ReadFile(m.CertificateFile)
		if err != nil {
			return nil, err
		}
		certs, key, err := azidentity.ParseCertificates(text, []byte(string(m.CertificatePassword)))
		if err != nil {
			return nil, fmt.Errorf("%s has no certificate with its key, or another password: %w", m.CertificateFile, err)
		}
		return azidentity.NewClientCertificateCredential(tenant, m.ClientID, certs, key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: client, DisableInstanceDiscovery: own, SendCertificateChain: true})
	}
	return azidentity.NewClientSecretCredential(tenant, m.ClientID, string(m.ClientSecret), &azidentity.ClientSecretCredentialOptions{ClientOptions: client, DisableInstanceDiscovery: own})
}

// newGraph returns a provider of a tenant's calendars, which hears of changes if
// there is a webhook.
func newGraph(c Calendar, hook *msgraph.Webhook) (calendar.Provider, error) {
	o, err := c.app.options()
	if err != nil {
		return nil, err
	}
	o.DailyQuota = c.DailyQuota
	cred, err := c.app.credential(c.Tenant)
	if err != nil {
		return nil, fmt.Errorf("the credential of the Microsoft 365 application: %w", err)
	}
	p := msgraph.New(cred, o)
	if hook == nil {
		return p, nil
	}
	return hook.Notifier(c.notifier(), p), nil
}

// notifier names what hears of changes of a calendar. Two calendars of the same
// tenant that have a provider each have a notifier each; a new secret changes
// nothing.
func (c *Calendar) notifier() string {
	return fmt.Sprintf("%s %s %s %d %v", c.App, c.app.ClientID, c.Tenant, c.DailyQuota, c.Poll)
}

// unsubscribeTime is for deleting the subscriptions of one provider.
const unsubscribeTime = time.Minute

// unsubscribe deletes the subscriptions of providers that were there before and
// are not any more, so that Microsoft does not go on telling of calendars that
// nobody reads. It does not wait for that, and a subscription that is left ends by
// itself within days. a.mu is held.
func (a *App) unsubscribe(before map[Calendar]calendar.Provider) {
	kept := map[string]bool{}
	for cal := range a.made.providers {
		name := cal.notifier()
		kept[name] = true
		if stop := a.leaving[name]; stop != nil {
			stop() // it is back
			delete(a.leaving, name)
		}
	}
	for cal, p := range before {
		name := cal.notifier()
		n, ok := p.(interface{ Unsubscribe(context.Context) error })
		if !ok || kept[name] || a.background == nil {
			continue
		}
		a.leaving[name] = a.background(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, unsubscribeTime)
			defer cancel()
			if err := n.Unsubscribe(ctx); err != nil {
				a.log.Info("the subscriptions of a calendar that is not read any more are left to run out", "tenant", cal.Tenant, "error", err)
			}
		})
	}
}

// newConsent returns what gets the application into other tenants.
func newConsent(m *Microsoft365, home string) (control.Consent, error) {
	o, err := m.options()
	if err != nil {
		return nil, err
	}
	return msgraph.NewConsent(m.ClientID, home+console.ConsentPath, m.credential, &msgraph.ConsentOptions{Cloud: o.Cloud, Proxy: o.Proxy, Transport: o.Transport})
}

// The path of the webhook below Config.Notifications, and the file of its key.
const (
	graphPath     = "/graph"
	graphKeysFile = "graph.key"
)

// newGraphWebhook returns the webhook of Microsoft Graph; nil if there is to be none.
// Its key is kept, so that subscriptions outlive a restart.
func newGraphWebhook(c *Config, a *App) (*msgraph.Webhook, error) {
	if c.Notifications == "" {
		return nil, nil
	}
	var key calendar.Secret
	if dir := c.devices().State; dir != "" {
		path := filepath.Join(dir, graphKeysFile)
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			key = calendar.Secret(text)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		default:
			key = calendar.Secret(rand.Text() + rand.Text())
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, err
			}
			if err := replaceFile(path, []byte(key)); err != nil {
				return nil, err
			}
		}
	}
	base, err := url.Parse(c.Notifications)
	if err != nil {
		return nil, err
	}
	return msgraph.NewWebhook(base.JoinPath(graphPath).String(), &msgraph.WebhookOptions{Key: key, Logger: a.log})
}

// waitingProvider is a provider that cannot be read yet, or not now. A calendar
// that cannot be read clears nothing: devices keep what they show until it ends.
type waitingProvider struct{ id, why string }

// waitingType is the type of its Calendar, which no file can have.
const waitingType = "waiting"

// The reasons to wait.
const (
	whyPaused  = "the provider is paused; devices keep what they show until it ends"
	whyConsent = "the tenant's administrator has not agreed that calendars may be read; open the provider's consent link"
	whyNoApp   = "this server has no Microsoft 365 application; name one in its configuration"
)

func (p waitingProvider) Events(context.Context, string, calendar.Window) ([]calendar.Event, error) {
	return nil, errors.New(p.why)
}

// graphCalendar returns the calendar of a Microsoft 365 provider of the control
// centre.
func graphCalendar(p control.Provider, base *Config) Calendar {
	switch app, ok := base.controlApp(); {
	case !ok:
		return Calendar{Type: waitingType, Path: p.ID, URL: whyNoApp}
	case p.Consent != control.ConsentGranted || p.TenantID == "":
		return Calendar{Type: waitingType, Path: p.ID, URL: whyConsent}
	default:
		return Calendar{Type: "microsoft365", Tenant: p.TenantID, DailyQuota: p.DailyQuota, app: app}
	}
}

// controlApp returns the application of the control centre.
func (c *Config) controlApp() (Microsoft365, bool) {
	if c.Control == nil || c.Control.Microsoft365 == "" {
		return Microsoft365{}, false
	}
	m, ok := c.Microsoft365[c.Control.Microsoft365]
	return m, ok
}

// pacer is a provider that knows how often it may be read.
type pacer interface{ PollInterval() time.Duration }
