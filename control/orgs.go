package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
)

// Setup makes the first organization and its first user, who gets the roles
// Admin and AccessAdmin, and OTJAdmin too in a company. It fails with ErrExists
// once there is an organization.
func (c *Centre) Setup(ctx context.Context, kind OrgKind, name, email, userName string) (Org, User, error) {
	org := Org{Kind: kind, Name: strings.TrimSpace(name), Enabled: kind == Company}
	user := User{Email: strings.ToLower(strings.TrimSpace(email)), Name: strings.TrimSpace(userName)}
	err := c.update(ctx, Actor{}, "", func(ch *change) error {
		n, err := ch.Count("org", "")
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("an organization: %w", ErrExists)
		}
		org.Meta, user.Meta = Meta{}, Meta{}
		if err := org.check(); err != nil {
			return err
		}
		if err := put(ch, &org); err != nil {
			return err
		}
		user.Org = org.ID
		user.Grants = []Grant{{org.ID, Admin}, {org.ID, AccessAdmin}}
		if kind == Company {
			user.Grants = append(user.Grants, Grant{org.ID, OTJAdmin})
		}
		if err := user.check(); err != nil {
			return err
		}
		return claimEmail(ch, &user)
	})
	return org, user, err
}

// IsSetUp reports whether there is an organization.
func (c *Centre) IsSetUp(ctx context.Context) (bool, error) {
	n := 0
	err := c.store.View(ctx, func(tx Tx) (err error) {
		n, err = tx.Count("org", "")
		return err
	})
	return n > 0, err
}

// Orgs returns the organizations that the actor may see: their own first, then
// those that it manages, by name.
func (c *Centre) Orgs(ctx context.Context, actor Actor) (orgs []Org, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		orgs = nil
		own, err := get[Org](tx, actor.User.Org)
		if err != nil {
			return err
		}
		orgs = append(orgs, own)
		if own.Kind == Company {
			return nil
		}
		managed, err := all[Org](tx, own.ID)
		if err != nil {
			return err
		}
		managed = slices.DeleteFunc(managed, func(o Org) bool { return !actor.may(ReadCompany, o) })
		sortByName(managed, func(*Org) int { return 0 }, func(o *Org) string { return o.Name })
		orgs = append(orgs, managed...)
		return nil
	})
	return orgs, err
}

// Org returns one organization.
func (c *Centre) Org(ctx context.Context, actor Actor, id string) (o Org, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		o, err = actor.org(tx, id, ReadCompany)
		return err
	})
	return o, err
}

// CreateCompany makes a company that partner manages. The actor, who made it,
// gets the role Admin for it.
func (c *Centre) CreateCompany(ctx context.Context, actor Actor, partner, name string) (o Org, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		p, err := actor.org(ch, partner, ManageCompanies)
		if err != nil {
			return err
		}
		o = Org{Kind: Company, Name: strings.TrimSpace(name), Partner: p.ID}
		if err := o.check(); err != nil {
			return err
		}
		siblings, err := all[Org](ch, p.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(siblings, func(s Org) bool { return strings.EqualFold(s.Name, o.Name) }) {
			return fmt.Errorf("company %q: %w", o.Name, ErrExists)
		}
		if err := put(ch, &o); err != nil {
			return err
		}
		user, err := get[User](ch, actor.User.ID)
		if err != nil {
			return err
		}
		user.Grants = append(user.Grants, Grant{o.ID, Admin})
		return put(ch, &user)
	})
	return o, err
}

// OrgChange is what can be changed of an organization. What is nil stays.
type OrgChange struct {
	Name                *string
	Enabled             *bool // needs Configure; the others need EditOrg
	PartnerSeesSubjects *bool
}

// ChangeOrg changes an organization at a revision.
func (c *Centre) ChangeOrg(ctx context.Context, actor Actor, id string, revision int64, what OrgChange) (o Org, err error) {
	err = c.update(ctx, actor, id, func(ch *change) error {
		action := EditOrg
		if what.Enabled != nil {
			action = Configure
		}
		if o, err = actor.org(ch, id, action); err != nil {
			return err
		}
		if what.Enabled != nil && (what.Name != nil || what.PartnerSeesSubjects != nil) {
			if _, err := actor.org(ch, id, EditOrg); err != nil {
				return err
			}
		}
		o.Revision = revision
		if what.Name != nil {
			o.Name = strings.TrimSpace(*what.Name)
		}
		if what.Enabled != nil {
			o.Enabled = *what.Enabled
		}
		if what.PartnerSeesSubjects != nil {
			o.PartnerSeesSubjects = *what.PartnerSeesSubjects
		}
		if err := o.check(); err != nil {
			return err
		}
		return put(ch, &o)
	})
	return o, err
}

func (o *Org) check() error {
	var c checks
	c.text("name", o.Name, 250)
	if o.Kind != Company && o.Kind != Partner {
		c.fail("kind", "is %q; it is %q or %q", o.Kind, Company, Partner)
	}
	if o.Enabled && o.Kind != Company {
		c.fail("enabled", "is for companies only")
	}
	return c.err()
}

// Users returns the users who belong to org, or have a role for it.
func (c *Centre) Users(ctx context.Context, actor Actor, org string) (users []User, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, org, ReadUsers)
		if err != nil {
			return err
		}
		if users, err = all[User](tx, o.ID); err != nil {
			return err
		}
		if o.Partner == "" {
			return nil
		}
		partners, err := all[User](tx, o.Partner)
		for _, u := range partners {
			if slices.ContainsFunc(u.Grants, func(g Grant) bool { return g.Org == o.ID }) {
				users = append(users, u)
			}
		}
		return err
	})
	for i := range users {
		users[i].Grants = slices.DeleteFunc(users[i].Grants, func(g Grant) bool { return g.Org != org })
	}
	return users, err
}

// CreateUser makes a user of org, without any role.
func (c *Centre) CreateUser(ctx context.Context, actor Actor, org, email, name string) (u User, err error) {
	err = c.update(ctx, actor, org, func(ch *change) error {
		if _, err := actor.org(ch, org, ManageUsers); err != nil {
			return err
		}
		u = User{Org: org, Email: strings.ToLower(strings.TrimSpace(email)), Name: strings.TrimSpace(name)}
		if err := u.check(); err != nil {
			return err
		}
		return claimEmail(ch, &u)
	})
	return u, err
}

func (u *User) check() error {
	var c checks
	c.optional("name", u.Name, 250)
	c.email("email", u.Email)
	return c.err()
}

// email demands one bare address.
func (c *checks) email(field, value string) {
	a, err := mail.ParseAddress(value)
	if err != nil || a.Address != value || len(value) > 254 || !isPrintable(value) {
		c.fail(field, "%.60q is not an e-mail address such as room@example.com", value)
	}
}

// SetRole grants a role for org to a user, or takes it away. OTJAdmin needs
// GrantOTJ; the others need ManageUsers, in the organization that they are for.
// An organization keeps at least one enabled AccessAdmin of its own.
func (c *Centre) SetRole(ctx context.Context, actor Actor, org, user string, role Role, granted bool) (u User, err error) {
	err = c.update(ctx, actor, org, func(ch *change) error {
		if !slices.Contains(Roles[:], role) {
			return &InvalidError{[]FieldError{{"role", fmt.Sprintf("%.40q is no role; roles are %q", role, Roles)}}}
		}
		action := ManageUsers
		if role == OTJAdmin {
			action = GrantOTJ
		}
		o, err := actor.org(ch, org, action)
		if err != nil {
			return err
		}
		if u, err = get[User](ch, user); err != nil {
			return err
		}
		if u.Org != o.ID && (o.Partner == "" || u.Org != o.Partner) {
			return fmt.Errorf("user %s: %w", user, ErrNotFound) // of somebody else
		}
		grant := Grant{o.ID, role}
		u.Grants = slices.DeleteFunc(u.Grants, func(g Grant) bool { return g == grant })
		if granted {
			u.Grants = append(u.Grants, grant)
		}
		if err := put(ch, &u); err != nil {
			return err
		}
		return keepAccessAdmin(ch, o)
	})
	return u, err
}

// DisableUser ends what a user may do, or lets them in again. Their sessions
// and tokens end with it.
func (c *Centre) DisableUser(ctx context.Context, actor Actor, user string, revision int64, disabled bool) (u User, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		if u, err = get[User](ch, user); err != nil {
			return err
		}
		o, err := actor.org(ch, u.Org, ManageUsers)
		if err != nil {
			return err
		}
		u.Disabled, u.Revision = disabled, revision
		if err := put(ch, &u); err != nil {
			return err
		}
		return keepAccessAdmin(ch, o)
	})
	return u, err
}

// UserChange is what can be changed of a user. What is nil stays.
type UserChange struct {
	Name  *string
	Email *string
}

// ChangeUser changes a user at a revision. An address is what a user signs in by,
// so whoever gives a user another one gives away the user's roles: it needs the
// right to grant each of them, unless it is one's own address. The user's sessions
// end with it; API tokens stay.
func (c *Centre) ChangeUser(ctx context.Context, actor Actor, user string, revision int64, what UserChange) (u User, err error) {
	err = c.update(ctx, actor, "", func(ch *change) error {
		if u, err = get[User](ch, user); err != nil {
			return err
		}
		if _, err := actor.org(ch, u.Org, ManageUsers); err != nil {
			return err
		}
		before := u.Email
		u.Revision = revision
		if what.Name != nil {
			u.Name = strings.TrimSpace(*what.Name)
		}
		if what.Email != nil {
			u.Email = strings.ToLower(strings.TrimSpace(*what.Email))
		}
		if err := u.check(); err != nil {
			return err
		}
		if u.Email == before {
			return put(ch, &u)
		}
		if u.ID != actor.User.ID {
			if err := mayGiveAway(ch, actor, &u); err != nil {
				return err
			}
			if err := endSessions(ch, &u); err != nil {
				return err
			}
		}
		if err := put(ch, &u); err != nil {
			return err
		}
		claim, err := ch.Get("email", u.ID)
		if err != nil {
			return err
		}
		claim.Key, claim.Changed = u.Email, ch.now
		if _, err := ch.Put(claim); err != nil {
			return fmt.Errorf("user %s: %w", u.Email, err)
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// mayGiveAway demands that the actor may grant every role that a user has.
func mayGiveAway(tx Tx, actor Actor, u *User) error {
	for _, g := range u.Grants {
		o, err := get[Org](tx, g.Org)
		if errors.Is(err, ErrNotFound) {
			continue // left over from a company that is gone
		}
		if err != nil {
			return err
		}
		action := ManageUsers
		if g.Role == OTJAdmin {
			action = GrantOTJ
		}
		if !actor.may(action, o) {
			return &InvalidError{[]FieldError{{"email", "cannot be changed by you: whoever has the new address gets the user's roles, and some of them you may not grant. Somebody who may can do it; or add a new user"}}}
		}
	}
	return nil
}

// endSessions signs a user out everywhere.
func endSessions(ch *change, u *User) error {
	return eachRecord(ch, "session", u.Org, func(r Record) error {
		var s sessionRecord
		if err := json.Unmarshal(r.Data, &s); err != nil {
			return fmt.Errorf("sign-in: %w", err)
		}
		if s.User != u.ID {
			return nil
		}
		return ch.Delete("session", r.ID, r.Revision)
	})
}

// keepAccessAdmin refuses a change that would lock everybody out.
func keepAccessAdmin(ch *change, o Org) error {
	users, err := all[User](ch, o.ID)
	if err != nil {
		return err
	}
	if o.Partner != "" {
		return nil // the partner can help
	}
	if !slices.ContainsFunc(users, func(u User) bool { return Allowed(u, ManageUsers, o) }) {
		return &InvalidError{[]FieldError{{"role", "nobody in " + o.Name + " could manage users any more; give the role access_admin to somebody else first"}}}
	}
	return nil
}

// An e-mail address signs in to one organization, so it is unique among all
// users: a record of kind "email" says whose it is.

// claimEmail stores a new user and its claim on the address.
func claimEmail(ch *change, u *User) error {
	if err := put(ch, u); err != nil {
		return err
	}
	_, err := ch.Put(Record{Kind: "email", ID: u.ID, Key: u.Email, Changed: ch.now, Data: []byte("{}")})
	return err
}

// userByEmail finds a user in any organization.
func userByEmail(tx Tx, email string) (User, error) {
	r, err := tx.Find("email", "", strings.ToLower(email))
	if err != nil {
		return User{}, err
	}
	return get[User](tx, r.ID)
}
