package console

import (
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) tenantRoutes() {
	c.inOrg("GET /o/{org}/tenants", control.ReadCompany, c.tenants)
	c.inOrg("GET /o/{org}/tenants/new", control.Configure, c.newTenant)
	c.inOrg("POST /o/{org}/tenants/new", control.Configure, c.createTenant)
	c.inOrg("GET /o/{org}/tenants/{id}", control.ReadCompany, c.tenant)
	c.inOrg("POST /o/{org}/tenants/{id}/verify", control.Configure, c.verifyTenant)
}

var tenantBadges = map[control.TenantState]string{
	control.TenantPending: "warn", control.TenantVerified: "good", control.TenantFailed: "bad",
}

// tenantBadge says how far the proof of a domain is.
func tenantBadge(s control.TenantState) badge {
	return badge{tenantBadges[s], text("tenants.state." + string(s))}
}

func (c *Console) tenants(r *request) error {
	list, err := c.centre.Tenants(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	return r.show(page{Template: "tenants", Title: text("menu.tenants"), Data: list})
}

func (c *Console) newTenant(r *request) error { return r.showNewTenant(newForm()) }

func (r *request) showNewTenant(f *form) error {
	return r.show(page{Template: "tenant-new", Title: text("tenants.new"), Crumbs: []crumb{r.crumb("tenants")}, Form: f})
}

func (c *Console) createTenant(r *request) error {
	f := r.sent()
	t, err := c.centre.CreateTenant(r.Context(), r.actor, r.org.ID, f.get("domain"))
	switch {
	case f.failed(err, "domain"):
		return r.showNewTenant(f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("tenants", t.ID), "")
}

// findTenant returns a tenant of the organization.
func (c *Console) findTenant(r *request, id string) (control.Tenant, error) {
	list, err := c.centre.Tenants(r.Context(), r.actor, r.org.ID)
	for _, t := range list {
		if t.ID == id {
			return t, nil
		}
	}
	if err == nil {
		err = control.ErrNotFound
	}
	return control.Tenant{}, err
}

func (c *Console) tenant(r *request) error {
	t, err := c.findTenant(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	return r.show(page{Template: "tenant", Title: t.Domain, Crumbs: []crumb{r.crumb("tenants")}, Data: t})
}

func (c *Console) verifyTenant(r *request) error {
	t, err := c.findTenant(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if t, err = c.centre.VerifyTenant(r.Context(), r.actor, t.ID); err != nil {
		return err
	}
	if t.State != control.TenantVerified {
		return r.redirect(r.path("tenants", t.ID), "")
	}
	return r.redirect(r.path("tenants", t.ID), "tenants.verified", t.Domain)
}
