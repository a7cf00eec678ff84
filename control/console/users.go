package console

import (
	"errors"
	"slices"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) userRoutes() {
	c.inOrg("GET /o/{org}/users", control.ReadUsers, c.users)
	c.inOrg("GET /o/{org}/users/new", control.ManageUsers, c.newUser)
	c.inOrg("POST /o/{org}/users/new", control.ManageUsers, c.createUser)
	c.inOrg("GET /o/{org}/users/{id}", control.ReadUsers, c.user)
	c.inOrg("POST /o/{org}/users/{id}", control.ReadUsers, c.saveRoles)
	c.inOrg("POST /o/{org}/users/{id}/details", control.ManageUsers, c.changeUser)
	c.inOrg("POST /o/{org}/users/{id}/disabled", control.ManageUsers, c.disableUser)
}

// user is a user as a page shows them.
type user struct {
	control.User
	// Own says that the user belongs to the organization, and not to its partner.
	Own   bool
	Roles []roleBox
}

// roleBox is one role of a user. Fixed says why the caller may not change it.
type roleBox struct {
	Role    control.Role
	Name    string
	What    string
	Granted bool
	Fixed   string
}

func (r *request) userOf(u control.User) user {
	out := user{User: u, Own: u.Org == r.org.ID}
	for _, role := range control.Roles {
		if role == control.OTJAdmin && r.org.Kind != control.Company {
			continue // there is nothing to configure
		}
		box := roleBox{Role: role, Name: text("users.role." + string(role)), What: text("users.what." + string(role))}
		box.Granted = slices.Contains(u.Grants, control.Grant{Org: r.org.ID, Role: role})
		action := control.ManageUsers
		if role == control.OTJAdmin {
			action = control.GrantOTJ
		}
		if !r.may(action) {
			box.Fixed = text("error.need." + string(action))
		}
		out.Roles = append(out.Roles, box)
	}
	return out
}

func (c *Console) users(r *request) error {
	list, err := c.centre.Users(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	var data struct {
		Users []user
		// Partners are users of the partner who could get a role here.
		Partners []control.User
	}
	for _, u := range list {
		data.Users = append(data.Users, r.userOf(u))
	}
	others, err := c.partners(r)
	if err != nil {
		return err
	}
	for _, u := range others {
		if !slices.ContainsFunc(list, func(l control.User) bool { return l.ID == u.ID }) {
			data.Partners = append(data.Partners, u)
		}
	}
	return r.show(page{Template: "users", Title: text("menu.users"), Data: data})
}

// partners returns the users of the partner of a company, for callers who may see
// them.
func (c *Console) partners(r *request) ([]control.User, error) {
	if r.org.Partner == "" || r.actor.User.Org != r.org.Partner {
		return nil, nil
	}
	partner, err := c.centre.Org(r.Context(), r.actor, r.org.Partner)
	if err != nil || !control.Allowed(r.actor.User, control.ReadUsers, partner) {
		return nil, nil //nolint:nilerr // whoever may not see the partner sees none of its users
	}
	return c.centre.Users(r.Context(), r.actor, partner.ID)
}

// findUser returns the user of the path, with the roles for the organization.
func (c *Console) findUser(r *request, id string) (control.User, error) {
	list, err := c.centre.Users(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return control.User{}, err
	}
	others, err := c.partners(r)
	if err != nil {
		return control.User{}, err
	}
	for i := range others {
		others[i].Grants = nil // those in the list above have their roles
	}
	list = append(list, others...)
	if i := slices.IndexFunc(list, func(u control.User) bool { return u.ID == id }); i >= 0 {
		return list[i], nil
	}
	return control.User{}, control.ErrNotFound
}

func (c *Console) newUser(r *request) error { return r.showNewUser(newForm()) }

func (r *request) showNewUser(f *form) error {
	return r.show(page{Template: "user-new", Title: text("users.new"), Crumbs: []crumb{r.crumb("users")}, Form: f})
}

func (c *Console) createUser(r *request) error {
	f := r.sent()
	u, err := c.centre.CreateUser(r.Context(), r.actor, r.org.ID, f.get("email"), f.get("name"))
	switch {
	case f.failedAddress(err):
		return r.showNewUser(f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("users", u.ID), "users.created", u.Email)
}

// failedAddress is failed for a user, whose address is nobody else's.
func (f *form) failedAddress(err error) bool {
	if errors.Is(err, control.ErrExists) {
		f.wrong("email", text("users.taken"))
		return true
	}
	return f.failed(err, "email")
}

func (c *Console) user(r *request) error {
	u, err := c.findUser(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	return r.showUser(u, newForm())
}

func (r *request) showUser(u control.User, f *form) error {
	title := u.Name
	if title == "" {
		title = u.Email
	}
	for field, value := range map[string]string{"name": u.Name, "email": u.Email} {
		if !f.Values.Has(field) {
			f.Values.Set(field, value) // the form is another one of the page
		}
	}
	return r.show(page{Template: "user", Title: title, Crumbs: []crumb{r.crumb("users")}, Form: f, Data: r.userOf(u)})
}

// saveRoles grants and takes the roles that differ from what the form says, of
// those that the caller may change. Roles are granted first: whoever gives their
// own role to somebody else may not lose it before.
func (c *Console) saveRoles(r *request) error {
	u, err := c.findUser(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := r.sent()
	want := f.Values["role"]
	for _, granted := range []bool{true, false} {
		for _, box := range r.userOf(u).Roles {
			if box.Fixed != "" || box.Granted == granted || slices.Contains(want, string(box.Role)) != granted {
				continue
			}
			_, err := c.centre.SetRole(r.Context(), r.actor, r.org.ID, u.ID, box.Role, granted)
			switch {
			case f.failed(err, "role"):
				return r.showUser(u, f)
			case err != nil:
				return err
			}
		}
	}
	return r.redirect(r.path("users"), "users.saved", u.Email)
}

func (c *Console) changeUser(r *request) error {
	u, err := c.findUser(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := r.sent()
	name, email := f.get("name"), f.get("email")
	changed, err := c.centre.ChangeUser(r.Context(), r.actor, u.ID, f.revision(), control.UserChange{Name: &name, Email: &email})
	switch {
	case f.failedAddress(err):
		return r.showUser(u, f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("users", u.ID), "users.changed", changed.Email)
}

func (c *Console) disableUser(r *request) error {
	u, err := c.findUser(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := r.sent()
	off := f.get("disabled") == "yes"
	_, err = c.centre.DisableUser(r.Context(), r.actor, u.ID, f.revision(), off)
	switch {
	case f.failed(err, "role"):
		return r.showUser(u, f)
	case err != nil:
		return err
	}
	key := "users.enabled"
	if off {
		key = "users.disabled"
	}
	return r.redirect(r.path("users", u.ID), key, u.Email)
}
