package control

import (
	"context"
	"errors"
	"fmt"
)

// Consequence is something that a deletion takes along.
type Consequence struct {
	Kind string // "mailbox", "system", …
	ID   string
	Name string
	// What happens: "deleted", or "loses its mailbox and is disabled".
	What string
}

// removal is a deletion worked out: what goes, in an order in which nothing is
// left that refers to what is gone.
type removal struct {
	list  []Consequence
	steps []func(*change) error
}

func (r *removal) add(kind, id, name, what string, step func(*change) error) {
	r.list = append(r.list, Consequence{kind, id, name, what})
	r.steps = append(r.steps, step)
}

// Consequences says what deleting an object would take along, without the object
// itself.
func (c *Centre) Consequences(ctx context.Context, actor Actor, kind, id string) (list []Consequence, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		r, _, err := plan(tx, actor, kind, id)
		list = r.list
		return err
	})
	return list, err
}

// Remove deletes an object at a revision and what Consequences names. Devices of
// deleted systems are cleared by the service.
func (c *Centre) Remove(ctx context.Context, actor Actor, kind, id string, revision int64) error {
	return c.update(ctx, actor, "", func(ch *change) error {
		r, last, err := plan(ch, actor, kind, id)
		if err != nil {
			return err
		}
		for _, step := range r.steps {
			if err := step(ch); err != nil {
				return err
			}
		}
		return last(ch, revision)
	})
}

// plan works out a deletion; last deletes the object itself.
func plan(tx Tx, actor Actor, kind, id string) (r removal, last func(*change, int64) error, err error) {
	switch kind {
	case "org":
		o, err := get[Org](tx, id)
		if err != nil {
			return r, nil, err
		}
		if o.Partner == "" {
			return r, nil, fmt.Errorf("%s has no partner that could delete it: %w", o.Name, ErrDenied)
		}
		if _, err := actor.org(tx, o.Partner, ManageCompanies); err != nil {
			return r, nil, err
		}
		if err := planCompany(tx, &r, o); err != nil {
			return r, nil, err
		}
		return r, deleteAt(o), nil
	case "tenant":
		return planOf(tx, actor, id, func(r *removal, t Tenant) error {
			providers, err := all[Provider](tx, t.Company)
			for _, p := range providers {
				if p.Tenant == t.ID {
					if err := planProvider(tx, r, p); err != nil {
						return err
					}
					r.add("provider", p.ID, p.Name, "deleted", deleteNow(p))
				}
			}
			return err
		})
	case "provider":
		return planOf(tx, actor, id, func(r *removal, p Provider) error { return planProvider(tx, r, p) })
	case "mailbox":
		return planOf(tx, actor, id, func(r *removal, m Mailbox) error { return planMailbox(tx, r, m) })
	case "system":
		return planOf(tx, actor, id, func(r *removal, s System) error { return planSecret(tx, r, "system", s.ID) })
	case "group":
		return planOf(tx, actor, id, func(r *removal, g Group) error {
			systems, err := all[System](tx, g.Company)
			for _, s := range systems {
				if s.Group == g.ID {
					r.add("system", s.ID, s.Name, "leaves the group", func(ch *change) error {
						return edit(ch, s.ID, func(s *System) { s.Group = "" })
					})
				}
			}
			if err == nil {
				err = planSecret(tx, r, "group", g.ID)
			}
			return err
		})
	case "alarm_hook":
		return planOf(tx, actor, id, func(r *removal, h AlarmHook) error {
			r.steps = append(r.steps, func(ch *change) error {
				return errors.Join(ch.keepSecret("", "alarm_hook", h.ID, hookKey, ""), ch.dropHookState(h.ID))
			})
			return nil
		})
	case "user":
		u, err := get[User](tx, id)
		if err != nil {
			return r, nil, err
		}
		o, err := actor.org(tx, u.Org, ManageUsers)
		if err != nil {
			return r, nil, err
		}
		return r, func(ch *change, revision int64) error {
			u.Revision = revision
			if err := remove(ch, &u); err != nil {
				return err
			}
			claim, err := ch.Get("email", u.ID)
			if err != nil {
				return err
			}
			if err := ch.Delete("email", u.ID, claim.Revision); err != nil {
				return err
			}
			return keepAccessAdmin(ch, o)
		}, nil
	}
	return r, nil, fmt.Errorf("%s %s: %w", kind, id, ErrNotFound)
}

func planOf[T any, P object[T]](tx Tx, actor Actor, id string, more func(*removal, T) error) (r removal, last func(*change, int64) error, err error) {
	v, err := get[T, P](tx, id)
	if err != nil {
		return r, nil, err
	}
	_, company, _ := P(&v).place()
	if _, err := actor.org(tx, company, Configure); err != nil {
		return r, nil, err
	}
	if err := more(&r, v); err != nil {
		return r, nil, err
	}
	return r, deleteAt[T, P](v), nil
}

func planProvider(tx Tx, r *removal, p Provider) error {
	mailboxes, err := all[Mailbox](tx, p.Company)
	for _, m := range mailboxes {
		if m.Provider == p.ID {
			if err := planMailbox(tx, r, m); err != nil {
				return err
			}
			r.add("mailbox", m.ID, m.Address, "deleted", deleteNow(m))
		}
	}
	return err
}

func planMailbox(tx Tx, r *removal, m Mailbox) error {
	systems, err := all[System](tx, m.Company)
	for _, s := range systems {
		if s.Mailbox == m.ID {
			r.add("system", s.ID, s.Name, "loses its mailbox and is disabled", func(ch *change) error {
				return edit(ch, s.ID, func(s *System) { s.Mailbox, s.Enabled = "", false })
			})
		}
	}
	return err
}

func planSecret(tx Tx, r *removal, kind, id string) error {
	r.steps = append(r.steps, func(ch *change) error { return ch.keepSecret("", kind, id, passwordField, "") })
	return nil
}

// planCompany takes everything of a company along, its log and secrets too.
func planCompany(tx Tx, r *removal, o Org) error {
	for _, kind := range []string{"system", "group", "mailbox", "provider", "tenant", "processing", "alarm_hook", "user"} {
		n, err := tx.Count(kind, o.ID)
		if err != nil {
			return err
		}
		if n > 0 {
			r.list = append(r.list, Consequence{Kind: kind, Name: fmt.Sprintf("%d", n), What: "deleted"})
		}
	}
	r.steps = append(r.steps, func(ch *change) error {
		for _, kind := range []string{"secret", "system", "group", "mailbox", "provider", "tenant", "processing", "alarm_hook", "hookstate", "report", "token", "session", "look", "user", "audit"} {
			for {
				records, err := ch.List(kind, o.ID, Cursor{}, PageLimit)
				if err != nil {
					return err
				}
				if len(records) == 0 {
					break
				}
				for _, rec := range records {
					if err := ch.Delete(kind, rec.ID, rec.Revision); err != nil {
						return err
					}
					if kind == "user" {
						if claim, err := ch.Get("email", rec.ID); err == nil {
							if err := ch.Delete("email", rec.ID, claim.Revision); err != nil {
								return err
							}
						}
					}
				}
			}
		}
		return nil
	})
	return nil
}

// deleteNow deletes an object whatever its revision is by now.
func deleteNow[T any, P object[T]](v T) func(*change) error {
	return func(ch *change) error {
		now, err := get[T, P](ch, P(&v).meta().ID)
		if err != nil {
			return err
		}
		return remove[T, P](ch, &now)
	}
}

// deleteAt deletes an object at a revision.
func deleteAt[T any, P object[T]](v T) func(*change, int64) error {
	return func(ch *change, revision int64) error {
		P(&v).meta().Revision = revision
		return remove[T, P](ch, &v)
	}
}

// edit changes an object whatever its revision is by now.
func edit[T any, P object[T]](ch *change, id string, fn func(*T)) error {
	v, err := get[T, P](ch, id)
	if err != nil {
		return err
	}
	fn(&v)
	return put[T, P](ch, &v)
}
