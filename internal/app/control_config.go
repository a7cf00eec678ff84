package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/oidc"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// ControlConfig is the control centre of the program.
type ControlConfig struct {
	// Listen is the address to listen at for administrators, as in ":443".
	Listen string `json:"listen"`
	// URL is how they reach it, as in "https://otj.fabrikam.example".
	URL string `json:"url"`
	// CertFile and KeyFile are the certificate and its key in PEM form. They are
	// read again when they have changed.
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
	// HTTP listens without TLS, for a proxy in front that has it, or for a
	// browser on the same machine.
	HTTP bool `json:"http"`
	// Data is the folder of the database and of the key that its secrets are
	// encrypted with. It is made if it is not there.
	Data string `json:"data"`
	// Proxies are the networks of proxies in front, as in "10.0.0.0/8": for calls
	// from there X-Forwarded-For says who calls. Limits and the audit log need it.
	Proxies []string `json:"proxies"`
	// Microsoft365 is the entry of Config.Microsoft365 whose application companies
	// agree to. It has to be one for many tenants.
	Microsoft365 string `json:"microsoft365"`
	// DNS is the server that is asked for the TXT records of domains, as in
	// "9.9.9.9:53", where that of the machine does not know what the world sees.
	DNS string `json:"dns"`
	// OIDC is where users have accounts to sign in with.
	OIDC OIDCConfig `json:"oidc"`
	// PrivateWebhooks lets companies name addresses inside of this server's own
	// network, for alarms and for video systems that are webhooks.
	PrivateWebhooks bool `json:"private_webhooks"`
	// Folders are the folders below which iCalendar folders may be read.
	Folders []string `json:"folders"`

	proxies []netip.Prefix
}

// OIDCConfig is a provider of OpenID Connect.
type OIDCConfig struct {
	// Name is what people call it, as in "Microsoft". Default: its host.
	Name string `json:"name"`
	// Issuer is its address, as its discovery document has it.
	Issuer string `json:"issuer"`
	// ClientID is this program's there. The secret is given here, as the content
	// of a file, or as that of an environment variable.
	ClientID         string          `json:"client_id"`
	ClientSecret     calendar.Secret `json:"client_secret"`
	ClientSecretFile string          `json:"client_secret_file"`
	ClientSecretEnv  string          `json:"client_secret_env"`
	// TrustEmail takes addresses that the provider does not call verified. It is
	// for one whose administrators alone give addresses out.
	TrustEmail bool `json:"trust_email"`
	// CAFile has the authority of the provider's certificate, if it is none that
	// the machine knows.
	CAFile string `json:"ca_file"`
}

// LocalConfig is the configuration of a program that was given none: a control
// centre for browsers on this machine, with its data in a folder, and iCalendar
// folders in the folder "calendars" below that. Listen is an address of this machine
// with a port, as in "127.0.0.1:8080".
func LocalConfig(data, listen string) (*Config, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf(`%q is no address with a port, as in "127.0.0.1:8080"`, listen)
	}
	if !webaddr.IsLocal(host) {
		return nil, fmt.Errorf("%q is not an address of this machine alone; others need a certificate: write a configuration file", listen)
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	return &Config{
		Settings: otj.DefaultSettings(), noFile: true,
		Control: &ControlConfig{
			Listen: listen, URL: "http://" + net.JoinHostPort("localhost", port), HTTP: true,
			Data: data, Folders: []string{calendarsIn(data)},
		},
	}, nil
}

// calendarsIn is where iCalendar folders are without a file, in a folder for data.
func calendarsIn(data string) string { return filepath.Join(data, "calendars") }

// at returns the address of a path.
func (c *ControlConfig) at(path string) string { return strings.TrimRight(c.URL, "/") + path }

// clientAddress returns the network address of whoever sent a request: that of
// the connection, or what the nearest proxy has written if that is one of ours.
func (c *ControlConfig) clientAddress(r *http.Request) string {
	address := r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && c.isProxy(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap().String()
	}
	return address
}

func (c *ControlConfig) isProxy(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

func (k *checker) control(at string, c *ControlConfig) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		k.bad(child(at, "listen"), `must be an address with a port, as in ":443"`)
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "",
		u.Scheme != "https" && !(u.Scheme == "http" && u.Hostname() == "localhost"):
		k.bad(child(at, "url"), `must be how administrators reach the program, as in "https://otj.fabrikam.example"; http:// is for localhost alone`)
	}
	k.certificate(at, c.HTTP, &c.CertFile, &c.KeyFile, "administrators send secrets")
	if c.Data == "" {
		k.bad(child(at, "data"), "must be the folder for the database and its key")
	} else {
		c.Data = k.c.path(c.Data)
	}
	k.oidc(child(at, "oidc"), &c.OIDC)
	k.controlApplication(child(at, "microsoft365"), c.Microsoft365)
	if _, _, err := net.SplitHostPort(c.DNS); c.DNS != "" && err != nil {
		k.bad(child(at, "dns"), `must be an address with a port, as in "9.9.9.9:53"`)
	}
	for i, text := range c.Proxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			k.bad(fmt.Sprintf("%s/proxies/%d", at, i), `must be a network, as in "10.0.0.0/8"`)
		}
		c.proxies = append(c.proxies, p)
	}
	for i, f := range c.Folders {
		// Whole, as companies have to give theirs, wherever the file was named from.
		whole, err := filepath.Abs(k.c.path(f))
		if err != nil {
			k.bad(fmt.Sprintf("%s/folders/%d", at, i), "%v", err)
			continue
		}
		c.Folders[i] = whole
		if info, err := os.Stat(c.Folders[i]); err != nil {
			k.bad(fmt.Sprintf("%s/folders/%d", at, i), "%v", err)
		} else if !info.IsDir() {
			k.bad(fmt.Sprintf("%s/folders/%d", at, i), "%s is no folder", c.Folders[i])
		}
	}
}

// resolver returns what looks up the TXT records of domains; nil for that of the
// machine.
func (c *ControlConfig) resolver() control.Resolver {
	if c.DNS == "" {
		return nil
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, c.DNS)
	}}
}

func (k *checker) oidc(at string, o *OIDCConfig) {
	if !k.c.doc.Has(at) {
		return
	}
	if u, err := url.Parse(o.Issuer); err != nil || u.Scheme != "https" || u.Host == "" {
		k.bad(child(at, "issuer"), `must be the provider's address, as in "https://login.fabrikam.example"`)
	} else if o.Name == "" {
		o.Name = u.Host
	}
	if o.ClientID == "" {
		k.bad(child(at, "client_id"), "must be this program's id at the provider")
	}
	k.secret(at, "client_secret", &o.ClientSecret, o.ClientSecretFile, o.ClientSecretEnv)
	if o.CAFile != "" {
		o.CAFile = k.c.path(o.CAFile)
		if _, err := readPool(o.CAFile); err != nil {
			k.bad(child(at, "ca_file"), "%v", err)
		}
	}
}

// signIn returns what signs users in by OpenID Connect; nil without a provider.
func (c *ControlConfig) signIn(centre *control.Centre, guard *api.Guard, log *slog.Logger) (*oidc.SignIn, error) {
	if c.OIDC.Issuer == "" {
		return nil, nil
	}
	o := oidc.Options{
		Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret, Site: c.URL, TrustEmail: c.OIDC.TrustEmail, Guard: guard, Logger: log,
	}
	if c.OIDC.CAFile != "" {
		pool, err := readPool(c.OIDC.CAFile)
		if err != nil {
			return nil, err
		}
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = trusting(pool)
		o.Client = &http.Client{Transport: t, Timeout: 10 * time.Second}
	}
	return oidc.New(centre, o)
}
