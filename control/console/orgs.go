package console

import (
	"net/http"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) orgRoutes() {
	c.signedIn("GET /companies", c.allOrgs)
	c.inOrg("GET /o/{org}", control.ReadCompany, c.home)
	c.inOrg("GET /o/{org}/companies", control.ReadCompany, c.companies)
	c.inOrg("GET /o/{org}/companies/new", control.ManageCompanies, c.newCompany)
	c.inOrg("POST /o/{org}/companies/new", control.ManageCompanies, c.createCompany)
	c.inOrg("GET /o/{org}/general", control.ReadCompany, c.general)
	c.inOrg("POST /o/{org}/general", control.EditOrg, c.saveGeneral)
	c.inOrg("POST /o/{org}/general/enable", control.Configure, c.enable)
	c.inOrg("GET /o/{org}/general/disable", control.Configure, c.askDisable)
	c.inOrg("POST /o/{org}/general/disable", control.Configure, c.disable)
}

// home is the overview of a company, and the companies of a partner.
func (c *Console) home(r *request) error {
	if r.org.Kind != control.Partner {
		return c.showOverview(r)
	}
	http.Redirect(r.w, r.Request, r.path("companies"), http.StatusSeeOther)
	return nil
}

// allOrgs lists every organization that the caller may see, for partners with
// more of them than the switch has room for.
func (c *Console) allOrgs(r *request) error {
	orgs, err := c.centre.Orgs(r.Context(), r.actor)
	if err != nil {
		return err
	}
	return r.show(page{Template: "companies", Title: text("orgs.all"), Data: companies{Items: orgs}})
}

type companies struct {
	Items []control.Org
	// Partner is the partner of the page, or nil.
	Partner *control.Org
}

func (c *Console) companies(r *request) error {
	if r.org.Kind != control.Partner {
		return control.ErrNotFound
	}
	orgs, err := c.centre.Orgs(r.Context(), r.actor)
	if err != nil {
		return err
	}
	return r.show(page{Template: "companies", Title: text("menu.companies"), Data: companies{orgs[1:], r.org}})
}

func (c *Console) newCompany(r *request) error { return r.showNewCompany(newForm()) }

func (r *request) showNewCompany(f *form) error {
	return r.show(page{Template: "company-new", Title: text("orgs.new"), Crumbs: []crumb{r.crumb("companies")}, Form: f})
}

func (c *Console) createCompany(r *request) error {
	f := r.sent()
	o, err := c.centre.CreateCompany(r.Context(), r.actor, r.org.ID, f.get("name"))
	switch {
	case f.failed(err, "name"):
		return r.showNewCompany(f)
	case err != nil:
		return err
	}
	return r.redirect(orgPath(o.ID, "general"), "orgs.created", o.Name)
}

func (c *Console) general(r *request) error {
	f := newForm("name", r.org.Name, "revision", revision(r.org.Revision))
	if r.org.PartnerSeesSubjects {
		f.Values.Set("partner_sees_subjects", "on")
	}
	return r.showGeneral(f)
}

func (r *request) showGeneral(f *form) error {
	return r.show(page{Template: "general", Title: text("menu.general"), Form: f})
}

func (c *Console) saveGeneral(r *request) error {
	f := r.sent()
	name, sees := f.get("name"), f.checked("partner_sees_subjects")
	what := control.OrgChange{Name: &name}
	if r.org.Partner != "" {
		what.PartnerSeesSubjects = &sees
	}
	_, err := c.centre.ChangeOrg(r.Context(), r.actor, r.org.ID, f.revision(), what)
	switch {
	case f.failed(err, "name"):
		return r.showGeneral(f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("general"), "orgs.saved")
}

func (c *Console) enable(r *request) error {
	on := true
	if _, err := c.centre.ChangeOrg(r.Context(), r.actor, r.org.ID, r.sent().revision(), control.OrgChange{Enabled: &on}); err != nil {
		return err
	}
	return r.redirect(r.path("general"), "orgs.enabled", r.org.Name)
}

func (c *Console) askDisable(r *request) error {
	return r.confirm(confirmation{
		Title: text("orgs.disable.title", r.org.Name), Texts: []string{text("orgs.disable.text")},
		Button: text("orgs.disable"), Back: "general", Revision: r.org.Revision,
	})
}

func (c *Console) disable(r *request) error {
	off := false
	if _, err := c.centre.ChangeOrg(r.Context(), r.actor, r.org.ID, r.sent().revision(), control.OrgChange{Enabled: &off}); err != nil {
		return err
	}
	return r.redirect(r.path("general"), "orgs.disabled", r.org.Name)
}
