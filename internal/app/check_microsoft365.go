package app

import (
	"net/url"
	"regexp"

	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (k *checker) microsoft365(at string, m *Microsoft365) {
	ok := k.secret(at, "client_secret", &m.ClientSecret, m.ClientSecretFile, m.ClientSecretEnv)
	ok = k.secret(at, "certificate_password", &m.CertificatePassword, m.CertificatePasswordFile, m.CertificatePasswordEnv) && ok
	given := 0
	for _, s := range []string{string(m.ClientSecret), m.CertificateFile, m.Identity} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1 || ok && given == 0:
		k.bad(at, `give one of "client_secret", "certificate_file" and "identity"`)
	case m.Identity != "" && m.Identity != "managed" && m.Identity != "workload":
		k.bad(child(at, "identity"), `must be "managed" or "workload"`)
	}
	switch {
	case m.ClientID == "" && m.Identity == "":
		k.bad(at, `the application needs its "client_id"`)
	case m.ClientID != "" && !guid.MatchString(m.ClientID):
		k.bad(child(at, "client_id"), "must be the application's GUID, as its page in Entra shows it")
	}
	if m.CertificateFile != "" {
		m.CertificateFile = k.c.path(m.CertificateFile)
	}
	if m.CAFile != "" {
		m.CAFile = k.c.path(m.CAFile)
		if _, err := readPool(m.CAFile); err != nil {
			k.bad(child(at, "ca_file"), "%v", err)
			ok = false
		}
	}
	if _, err := msgraph.ParseCloud(m.Cloud); err != nil {
		k.bad(child(at, "cloud"), "there is no cloud %q: use global, gcc, gcc-high, dod or china", m.Cloud)
		ok = false
	}
	for name, address := range map[string]string{"graph_url": m.GraphURL, "authority_url": m.AuthorityURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			k.bad(child(at, name), "must begin with https://")
			ok = false
		}
	}
	if u, err := url.Parse(m.Proxy); m.Proxy != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5") {
		k.bad(child(at, "proxy"), "must begin with http://, https:// or socks5://")
		ok = false
	}
	if ok && given == 1 && m.CertificateFile != "" && m.ClientID != "" {
		if _, err := m.credential("00000000-0000-0000-0000-000000000000"); err != nil {
			k.bad(child(at, "certificate_file"), "%v", err)
		}
	}
}

// graph checks a calendar of Microsoft 365.
func (k *checker) graph(at string, cal *Calendar) {
	app, ok := k.c.Microsoft365[cal.App]
	switch {
	case cal.App == "":
		k.bad(child(at, "app"), `a calendar of type "microsoft365" needs an "app": the name of an entry of "microsoft365" in the file`)
	case !ok:
		k.bad(child(at, "app"), "there is no %q in \"microsoft365\"%s", cal.App, jsonc.Suggest(cal.App, sortedKeys(k.c.Microsoft365)))
	default:
		cal.app = app
	}
	if cal.Tenant == "" {
		k.bad(child(at, "tenant"), `a calendar of type "microsoft365" needs a "tenant": its GUID, or one of its domains`)
	}
	if q := cal.DailyQuota; q != 0 && (q < msgraph.MinDailyQuota || q > msgraph.MaxDailyQuota) {
		k.bad(child(at, "daily_quota"), "must be %d to %d, and is %d", msgraph.MinDailyQuota, msgraph.MaxDailyQuota, q)
	}
	if cal.Path != "" || cal.URL != "" {
		k.bad(at, `a calendar of type "microsoft365" has no "path" and no "url"`)
	}
}

// controlApplication checks which application the control centre has.
func (k *checker) controlApplication(at, name string) {
	if name == "" {
		return
	}
	m, ok := k.c.Microsoft365[name]
	switch {
	case !ok:
		k.bad(at, "there is no %q in \"microsoft365\"%s", name, jsonc.Suggest(name, sortedKeys(k.c.Microsoft365)))
	case m.Identity == "managed":
		k.bad(at, "a managed identity is good in its own tenant only: the control centre needs an application with a secret or certificate")
	case m.ClientID == "":
		k.bad(at, `the application of the control centre needs its "client_id": the page for consent names it`)
	}
}

// notifications checks the address at which Microsoft calls.
func (k *checker) notifications(at, address string) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		k.bad(at, `must be how Microsoft reaches this program from the internet, as in "https://otj.fabrikam.example"`)
	}
	if k.c.Site.Listen == "" && k.c.Control == nil {
		k.bad(at, `nobody listens there: add "site" or "control" to the file`)
	}
}
