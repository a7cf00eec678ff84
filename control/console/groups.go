package console

import (
	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) groupRoutes() {
	c.inOrg("GET /o/{org}/groups", control.ReadCompany, c.groups)
	c.inOrg("GET /o/{org}/groups/new", control.Configure, c.newGroup)
	c.inOrg("POST /o/{org}/groups/new", control.Configure, c.createGroup)
	c.inOrg("GET /o/{org}/groups/{id}", control.ReadCompany, c.group)
	c.inOrg("POST /o/{org}/groups/{id}", control.Configure, c.saveGroup)
}

func (c *Console) groups(r *request) error {
	list, err := c.centre.Groups(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	data := make([]group, len(list))
	for i, g := range list {
		data[i] = group{g}
	}
	return r.show(page{Template: "groups", Title: text("menu.groups"), Data: data})
}

// findGroup returns the group of the path.
func (c *Console) findGroup(r *request) (control.Group, error) {
	g, err := c.centre.Group(r.Context(), r.actor, r.PathValue("id"))
	return g, r.ofOrg(g.Company, err)
}

func (c *Console) newGroup(r *request) error { return r.showGroup(newForm(), control.Group{}) }

// showGroup shows the form for a group; a new one has no ID.
func (r *request) showGroup(f *form, g control.Group) error {
	p := page{Template: "group", Title: text("groups.new"), Crumbs: []crumb{r.crumb("groups")}, Form: f, Data: group{g}}
	if g.ID != "" {
		p.Title = g.Name
	}
	return r.show(p)
}

func (c *Console) createGroup(r *request) error {
	f := r.sent()
	g, err := c.keepGroup(r, f, control.Group{Company: r.org.ID})
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return r.showGroup(f, control.Group{})
	case err != nil:
		return err
	}
	return r.redirect(r.path("groups"), "groups.added", g.Name)
}

// keepGroup saves a group with the fields of the form, and its password where one
// was typed or is to go.
func (c *Console) keepGroup(r *request, f *form, g control.Group) (control.Group, error) {
	g.Name, g.User = f.get("name"), f.get("user")
	secret := calendar.Secret(f.get("password"))
	if len(secret) > 1024 {
		f.wrong("password", text("systems.password.long"))
		return g, nil
	}
	g, err := c.centre.SaveGroup(r.Context(), r.actor, g)
	if err == nil && (secret != "" || f.checked("forget")) {
		err = c.centre.SetPassword(r.Context(), r.actor, "group", g.ID, secret)
	}
	return g, err
}

func (c *Console) group(r *request) error {
	g, err := c.findGroup(r)
	if err != nil {
		return err
	}
	return r.showGroup(newForm("name", g.Name, "user", g.User, "revision", revision(g.Revision)), g)
}

func (c *Console) saveGroup(r *request) error {
	g, err := c.findGroup(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), g
	changed.Revision = f.revision()
	changed, err = c.keepGroup(r, f, changed)
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return r.showGroup(f, g)
	case err != nil:
		return err
	}
	return r.redirect(r.path("groups"), "groups.saved", changed.Name)
}
