package console

import (
	"slices"
	"strconv"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// removable is a kind of object that pages delete.
type removable struct {
	kind string // of Centre.Remove
	page string // below /o/{org}
	// action is what one has to be allowed to do.
	action control.Action
	// name returns the object's name and revision, if it belongs to the page's
	// organization.
	name func(r *request, id string) (name string, revision int64, err error)
}

// most is how many consequences of a kind the page lists.
const most = 20

func (c *Console) removeRoutes() {
	for _, k := range c.removables() {
		c.inOrg("GET /o/{org}/"+k.page+"/{id}/delete", k.action, func(r *request) error { return c.askRemove(r, k) })
		c.inOrg("POST /o/{org}/"+k.page+"/{id}/delete", k.action, func(r *request) error { return c.doRemove(r, k) })
	}
}

// removables are the kinds of object that pages delete.
func (c *Console) removables() []removable {
	return []removable{
		{"org", "companies", control.ManageCompanies, func(r *request, id string) (string, int64, error) {
			o, err := c.centre.Org(r.Context(), r.actor, id)
			return o.Name, o.Revision, r.ofOrg(o.Partner, err)
		}},
		{"user", "users", control.ManageUsers, func(r *request, id string) (string, int64, error) {
			u, err := c.findUser(r, id)
			return u.Email, u.Revision, r.ofOrg(u.Org, err)
		}},
		{"tenant", "tenants", control.Configure, func(r *request, id string) (string, int64, error) {
			t, err := c.findTenant(r, id)
			return t.Domain, t.Revision, err
		}},
		{"provider", "providers", control.Configure, func(r *request, _ string) (string, int64, error) {
			p, err := c.findProvider(r)
			return p.Name, p.Revision, err
		}},
		{"mailbox", "mailboxes", control.Configure, func(r *request, _ string) (string, int64, error) {
			m, err := c.findMailbox(r)
			return m.Address, m.Revision, err
		}},
		{"system", "systems", control.Configure, func(r *request, _ string) (string, int64, error) {
			s, err := c.findSystem(r)
			return s.Name, s.Revision, err
		}},
		{"group", "groups", control.Configure, func(r *request, _ string) (string, int64, error) {
			g, err := c.findGroup(r)
			return g.Name, g.Revision, err
		}},
		{"alarm_hook", "hooks", control.Configure, func(r *request, _ string) (string, int64, error) {
			h, err := c.findHook(r)
			return h.Name, h.Revision, err
		}},
	}
}

// consequences are those of one kind.
type consequences struct {
	Name  string
	Items []control.Consequence
	More  int
}

func (c *Console) askRemove(r *request, k removable) error {
	id := r.PathValue("id")
	name, revision, err := k.name(r, id)
	if err != nil {
		return err
	}
	list, err := c.centre.Consequences(r.Context(), r.actor, k.kind, id)
	if err != nil {
		return err
	}
	var groups []consequences
	for _, q := range list {
		label := hint("remove.kind." + q.Kind)
		if label == "" {
			label = text("remove.kind.other")
		}
		i := slices.IndexFunc(groups, func(g consequences) bool { return g.Name == label })
		if i < 0 {
			groups = append(groups, consequences{Name: label})
			i = len(groups) - 1
		}
		if len(groups[i].Items) == most {
			groups[i].More++
			continue
		}
		groups[i].Items = append(groups[i].Items, q)
	}
	return r.show(page{
		Template: "remove", Title: text("remove.title", name), Crumbs: []crumb{r.crumb(k.page)},
		Data: struct {
			Name, Back string
			Revision   int64
			Groups     []consequences
		}{name, r.path(k.page), revision, groups},
	})
}

func (c *Console) doRemove(r *request, k removable) error {
	name, _, err := k.name(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.centre.Remove(r.Context(), r.actor, k.kind, r.PathValue("id"), r.sent().revision()); err != nil {
		return err
	}
	return r.redirect(r.path(k.page), "remove.done", name)
}

// confirmation asks before something that is not so easily undone.
type confirmation struct {
	Title    string
	Texts    []string
	Button   string
	Back     string // the page below /o/{org} to go back to
	Revision int64
}

// confirm shows a confirmation. Its form goes to the page that shows it.
func (r *request) confirm(q confirmation) error {
	return r.show(page{Template: "confirm", Title: q.Title, Crumbs: []crumb{r.crumb(q.Back)}, Data: q})
}

// revision is a revision as forms carry it.
func revision(n int64) string { return strconv.FormatInt(n, 10) }

// crumb returns the step to a page of the menu.
func (r *request) crumb(page string) crumb { return crumb{text("menu." + page), r.path(page)} }

// ofOrg is control.ErrNotFound unless an object of company belongs to the page's
// organization: the caller may see both, and the address would lie.
func (r *request) ofOrg(company string, err error) error {
	if err == nil && company != r.org.ID {
		return control.ErrNotFound
	}
	return err
}
