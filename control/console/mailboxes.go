package console

import (
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) mailboxRoutes() {
	c.inOrg("GET /o/{org}/mailboxes", control.ReadCompany, c.mailboxes)
	c.inOrg("GET /o/{org}/mailboxes/new", control.Configure, c.newMailbox)
	c.inOrg("POST /o/{org}/mailboxes/new", control.Configure, c.createMailbox)
	c.inOrg("GET /o/{org}/mailboxes/{id}", control.ReadCompany, c.mailbox)
	c.inOrg("POST /o/{org}/mailboxes/{id}", control.Configure, c.saveMailbox)
}

// mailboxPages lists the mailboxes of the organization.
func (c *Console) mailboxPages(r *request) pages[control.Mailbox] {
	return func(after string, limit int) (control.Page[control.Mailbox], error) {
		return c.centre.Mailboxes(r.Context(), r.actor, r.org.ID, after, limit)
	}
}

// providerNames are the names of the company's providers by ID.
func (c *Console) providerNames(r *request) (names map[string]string, choices []option, err error) {
	list, err := c.centre.Providers(r.Context(), r.actor, r.org.ID)
	names = map[string]string{}
	for _, p := range list {
		names[p.ID] = p.Name
		choices = append(choices, option{p.ID, p.Name, ""})
	}
	return names, choices, err
}

func (c *Console) mailboxes(r *request) error {
	l, err := list(r, c.mailboxPages(r), func(m control.Mailbox, q string) bool {
		return strings.Contains(m.Address, q) || strings.Contains(strings.ToLower(m.Name), q)
	})
	if err != nil {
		return err
	}
	names, choices, err := c.providerNames(r)
	if err != nil {
		return err
	}
	return r.show(page{Template: "mailboxes", Title: text("menu.mailboxes"), Data: struct {
		listing[control.Mailbox]
		Providers map[string]string
		Ready     bool
	}{l, names, len(choices) > 0}})
}

// mailboxKinds are the choices of a mailbox's kind.
func mailboxKinds() []option {
	return []option{
		{string(control.RoomMailbox), text("mailboxes.kind.room"), text("mailboxes.kind.room.text")},
		{string(control.PersonalMailbox), text("mailboxes.kind.person"), text("mailboxes.kind.person.text")},
	}
}

func (c *Console) newMailbox(r *request) error {
	return c.showMailboxForm(r, newForm("provider", r.URL.Query().Get("provider"), "kind", string(control.RoomMailbox)), nil)
}

// showMailboxForm shows the form for a new mailbox, or for m.
func (c *Console) showMailboxForm(r *request, f *form, m *control.Mailbox) error {
	_, choices, err := c.providerNames(r)
	if err != nil {
		return err
	}
	p := page{Template: "mailbox-form", Title: text("mailboxes.new"), Crumbs: []crumb{r.crumb("mailboxes")}, Form: f}
	if m != nil {
		p.Title = m.Address
	}
	p.Data = struct {
		Providers, Kinds []option
		Mailbox          *control.Mailbox
	}{choices, mailboxKinds(), m}
	return r.show(p)
}

func (f *form) fillMailbox(m *control.Mailbox) {
	m.Provider, m.Address, m.Name, m.Kind = f.get("provider"), f.get("address"), f.get("name"), control.MailboxKind(f.get("kind"))
}

func (c *Console) createMailbox(r *request) error {
	f := r.sent()
	m := control.Mailbox{Company: r.org.ID}
	f.fillMailbox(&m)
	m, err := c.centre.SaveMailbox(r.Context(), r.actor, m)
	switch {
	case f.failed(err, "address"):
		return c.showMailboxForm(r, f, nil)
	case err != nil:
		return err
	}
	if f.get("then") == "another" {
		return r.redirect(r.path("mailboxes", "new")+"?provider="+m.Provider, "mailboxes.added", m.Address)
	}
	return r.redirect(r.path("mailboxes"), "mailboxes.added", m.Address)
}

// findMailbox returns the mailbox of the path.
func (c *Console) findMailbox(r *request) (control.Mailbox, error) {
	m, err := c.centre.Mailbox(r.Context(), r.actor, r.PathValue("id"))
	return m, r.ofOrg(m.Company, err)
}

func (c *Console) mailbox(r *request) error {
	m, err := c.findMailbox(r)
	if err != nil {
		return err
	}
	f := newForm("provider", m.Provider, "address", m.Address, "name", m.Name, "kind", string(m.Kind), "revision", revision(m.Revision))
	return c.showMailboxForm(r, f, &m)
}

func (c *Console) saveMailbox(r *request) error {
	m, err := c.findMailbox(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), m
	f.fillMailbox(&changed)
	changed.Revision = f.revision()
	changed, err = c.centre.SaveMailbox(r.Context(), r.actor, changed)
	switch {
	case f.failed(err, "address"):
		return c.showMailboxForm(r, f, &m)
	case err != nil:
		return err
	}
	return r.redirect(r.path("mailboxes"), "mailboxes.saved", changed.Address)
}

// mailboxByAddress returns the company's mailbox with an address.
func (c *Console) mailboxByAddress(r *request, address string) (found control.Mailbox, err error) {
	err = control.ErrNotFound
	if _, lerr := each(c.mailboxPages(r), func(m control.Mailbox) bool {
		if m.Address == address {
			found, err = m, nil
		}
		return err != nil
	}); lerr != nil {
		return found, lerr
	}
	return found, err
}
