package console

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) providerRoutes() {
	c.inOrg("GET /o/{org}/providers", control.ReadCompany, c.providers)
	c.inOrg("GET /o/{org}/providers/new", control.Configure, c.newProvider)
	c.inOrg("POST /o/{org}/providers/new", control.Configure, c.createProvider)
	c.inOrg("GET /o/{org}/providers/{id}", control.ReadCompany, c.provider)
	c.inOrg("GET /o/{org}/providers/{id}/edit", control.Configure, c.editProvider)
	c.inOrg("POST /o/{org}/providers/{id}/edit", control.Configure, c.saveProvider)
	c.inOrg("POST /o/{org}/providers/{id}/pause", control.Configure, c.pauseProvider)
	c.inOrg("POST /o/{org}/providers/{id}/consent", control.Configure, c.consentLink)
	c.open("GET "+ConsentPath, c.finishConsent)
}

// readable are the kinds of provider that can be added; later are those to come.
var (
	readable = []control.ProviderKind{control.Microsoft365, control.ICSFolder, control.ICSFeed}
	later    = []control.ProviderKind{control.Google, control.Exchange, control.CalDAV}
)

// provider is a provider as pages show it.
type provider struct {
	control.Provider
	Domain string // of its tenant
	State  badge
	// Link is the consent link, just made; else empty.
	Link string
	// Quota is nil where there is none, or nobody knows.
	Quota *control.Quota
}

// Every is how often each calendar is read.
func (p provider) Every() string {
	return text("providers.quota.seconds", strconv.FormatFloat(math.Round(10*p.Quota.PollSeconds)/10, 'f', -1, 64))
}

// KindName is what people call the kind.
func (p provider) KindName() string { return text("providers.kind." + string(p.Kind)) }

func (c *Console) providerOf(r *request, p control.Provider) (provider, error) {
	out := provider{Provider: p}
	switch {
	case p.Paused:
		out.State = badge{"off", text("providers.paused")}
	case p.Kind == control.Microsoft365:
		kinds := map[control.ConsentState]string{control.ConsentGranted: "good", control.ConsentMissing: "warn", control.ConsentRefused: "bad"}
		out.State = badge{kinds[p.Consent], text("providers.consent." + string(p.Consent))}
	case slices.Contains(later, p.Kind):
		out.State = badge{"off", text("providers.later")}
	default:
		out.State = badge{"good", text("providers.ready")}
	}
	if p.Tenant != "" {
		t, err := c.findTenant(r, p.Tenant)
		if err != nil && !errors.Is(err, control.ErrNotFound) {
			return out, err
		}
		out.Domain = t.Domain
	}
	return out, nil
}

// findProvider returns the provider of the path.
func (c *Console) findProvider(r *request) (control.Provider, error) {
	p, err := c.centre.Provider(r.Context(), r.actor, r.PathValue("id"))
	return p, r.ofOrg(p.Company, err)
}

func (c *Console) providers(r *request) error {
	list, err := c.centre.Providers(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	var data []provider
	for _, p := range list {
		v, err := c.providerOf(r, p)
		if err != nil {
			return err
		}
		data = append(data, v)
	}
	return r.show(page{Template: "providers", Title: text("menu.providers"), Data: data})
}

func (c *Console) pickProvider(r *request) error {
	lacks := map[control.ProviderKind]string{}
	for _, kind := range readable {
		lacks[kind] = c.centre.Lacks(kind)
	}
	return r.show(page{Template: "provider-pick", Title: text("providers.new"), Crumbs: []crumb{r.crumb("providers")}, Data: struct {
		Now, Later []control.ProviderKind
		Lacks      map[control.ProviderKind]string
	}{readable, later, lacks}})
}

// providerForm is what the pages to add and to edit a provider need.
type providerForm struct {
	Kind    control.ProviderKind
	Tenants []option // verified ones
	New     bool
	Lacks   string // what the server lacks for the kind
}

func (c *Console) kindOf(r *request) (control.ProviderKind, error) {
	kind := control.ProviderKind(r.URL.Query().Get("kind"))
	if !slices.Contains(readable, kind) {
		return "", control.ErrNotFound
	}
	return kind, nil
}

// newProvider asks for the kind first, so that the form has its fields only.
func (c *Console) newProvider(r *request) error {
	if !r.URL.Query().Has("kind") {
		return c.pickProvider(r)
	}
	kind, err := c.kindOf(r)
	if err != nil {
		return err
	}
	f := newForm("daily_quota", revision(control.DefaultDailyQuota))
	if folders := c.centre.Folders(); len(folders) == 1 {
		f.Values.Set("folder", folders[0])
	}
	return c.showProviderForm(r, f, kind, nil)
}

// showProviderForm shows the form for a new provider, or for p.
func (c *Console) showProviderForm(r *request, f *form, kind control.ProviderKind, p *control.Provider) error {
	data := providerForm{Kind: kind, New: p == nil, Lacks: c.centre.Lacks(kind)}
	crumbs, title := []crumb{r.crumb("providers")}, text("providers.new.kind", text("providers.kind."+string(kind)))
	if p != nil {
		crumbs, title = append(crumbs, crumb{p.Name, r.path("providers", p.ID)}), text("providers.edit")
	}
	if kind == control.Microsoft365 && p == nil {
		tenants, err := c.centre.Tenants(r.Context(), r.actor, r.org.ID)
		if err != nil {
			return err
		}
		for _, t := range tenants {
			if t.State == control.TenantVerified {
				data.Tenants = append(data.Tenants, option{t.ID, t.Domain, ""})
			}
		}
	}
	return r.show(page{Template: "provider-form", Title: title, Crumbs: crumbs, Form: f, Data: data})
}

// fill takes the fields of the form that the kind has.
func (f *form) fillProvider(p *control.Provider) {
	p.Name, p.Folder, p.URL = f.get("name"), "", ""
	switch p.Kind {
	case control.Microsoft365:
		if p.ID == "" {
			p.Tenant = f.get("tenant")
		}
		p.DailyQuota = f.number("daily_quota")
	case control.ICSFolder:
		p.Folder = f.get("folder")
	case control.ICSFeed:
		p.URL = f.get("url")
	}
}

func (c *Console) createProvider(r *request) error {
	kind, err := c.kindOf(r)
	if err != nil {
		return err
	}
	f := r.sent()
	p := control.Provider{Company: r.org.ID, Kind: kind}
	if f.fillProvider(&p); len(f.Problems) == 0 {
		p, err = c.centre.SaveProvider(r.Context(), r.actor, p)
	}
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return c.showProviderForm(r, f, kind, nil)
	case err != nil:
		return err
	}
	if f.get("then") == "consent" {
		return c.showConsentLink(r, p)
	}
	return r.redirect(r.path("providers", p.ID), "providers.added", p.Name)
}

func (c *Console) provider(r *request) error {
	p, err := c.findProvider(r)
	if err != nil {
		return err
	}
	return c.showProvider(r, p, "")
}

func (c *Console) showProvider(r *request, p control.Provider, link string) error {
	v, err := c.providerOf(r, p)
	if err != nil {
		return err
	}
	v.Link = link
	if p.Kind == control.Microsoft365 {
		switch q, err := c.centre.ProviderQuota(r.Context(), r.actor, p.ID); {
		case err == nil:
			v.Quota = &q
		case !errors.Is(err, control.ErrNoService):
			return err
		}
	}
	return r.show(page{Template: "provider", Title: p.Name, Crumbs: []crumb{r.crumb("providers")}, Data: v})
}

func (c *Console) editProvider(r *request) error {
	p, err := c.findProvider(r)
	if err != nil {
		return err
	}
	f := newForm("name", p.Name, "folder", p.Folder, "url", p.URL, "daily_quota", revision(int64(p.DailyQuota)), "revision", revision(p.Revision))
	return c.showProviderForm(r, f, p.Kind, &p)
}

func (c *Console) saveProvider(r *request) error {
	p, err := c.findProvider(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), p
	changed.Revision = f.revision()
	if f.fillProvider(&changed); len(f.Problems) == 0 {
		changed, err = c.centre.SaveProvider(r.Context(), r.actor, changed)
	}
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return c.showProviderForm(r, f, p.Kind, &p)
	case err != nil:
		return err
	}
	return r.redirect(r.path("providers", p.ID), "providers.saved", changed.Name)
}

func (c *Console) pauseProvider(r *request) error {
	p, err := c.findProvider(r)
	if err != nil {
		return err
	}
	f := r.sent()
	p.Revision, p.Paused = f.revision(), f.get("paused") == "yes"
	if p, err = c.centre.SaveProvider(r.Context(), r.actor, p); err != nil {
		return err
	}
	key := "providers.resumed"
	if p.Paused {
		key = "providers.is.paused"
	}
	return r.redirect(r.path("providers", p.ID), key, p.Name)
}

func (c *Console) consentLink(r *request) error {
	p, err := c.findProvider(r)
	if err != nil {
		return err
	}
	return c.showConsentLink(r, p)
}

// showConsentLink makes a link and shows it with the provider. The browser does
// not go there by itself: a form may only lead to this host, and the link may be
// for somebody else.
func (c *Console) showConsentLink(r *request, p control.Provider) error {
	link, err := c.centre.ConsentLink(r.Context(), r.actor, p.ID)
	if err != nil {
		return err
	}
	return c.showProvider(r, p, link)
}

// consent is what the page after a consent says.
type consent struct {
	Good bool
	Text string
	Fix  string
	// Back is the provider's page, for whoever may see it.
	Back string
}

// finishConsent is where the browser of a Global Administrator comes back to.
// That person need not be signed in; nothing is shown but what they did.
func (c *Console) finishConsent(r *request) error {
	q := r.URL.Query()
	refusal := q.Get("error")
	if refusal == "" && q.Get("admin_consent") != "True" {
		refusal = "no consent"
	}
	p, err := c.centre.FinishConsent(r.Context(), q.Get("state"), q.Get("tenant"), refusal)
	data, status := consent{}, http.StatusOK
	var why *calendar.Error
	switch {
	case errors.Is(err, control.ErrNotFound), errors.Is(err, control.ErrNoApplication):
		c.opts.Guard.Failed(r.Request)
		status, data.Text = http.StatusForbidden, text("providers.consent.unknown")
	case errors.As(err, &why):
		status, data.Text, data.Fix = http.StatusBadGateway, text("providers.consent.failed"), why.Fix
	case errors.Is(err, calendar.ErrUnauthorized), errors.Is(err, calendar.ErrForbidden), errors.Is(err, calendar.ErrUnavailable):
		status, data.Text = http.StatusBadGateway, text("providers.consent.failed")
	case err != nil:
		return err
	case p.Consent == control.ConsentGranted:
		data.Good, data.Text = true, text("providers.consent.thanks", p.Name)
	default:
		data.Text = text("providers.consent.not", p.Name)
	}
	if err == nil && r.session != nil {
		if _, err := c.centre.Provider(r.Context(), r.actor, p.ID); err == nil {
			data.Back = orgPath(p.Company, "providers", p.ID)
		}
	}
	return r.show(page{Template: "consent", Title: text("providers.consent.title"), Status: status, Data: data})
}
