package control

import (
	"context"
	"errors"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Fleet is what the service that keeps the devices has to know of one company.
type Fleet struct {
	Org        Org
	Processing Processing
	Providers  map[string]Provider // by ID
	Mailboxes  map[string]Mailbox  // by ID
	Groups     map[string]Group    // by ID
	Systems    []FleetSystem       // those that are enabled, by name
}

// FleetSystem is a video system with what the service signs in to it by, or
// knows it by.
type FleetSystem struct {
	System
	// DeviceUser is the system's user, or that of its group.
	DeviceUser string
	// Password is the system's password, or that of its group, which webhooks do
	// not have; empty if there is neither.
	Password calendar.Secret
}

// Companies returns the companies whose One-Touch Join is enabled. It is for the
// service that keeps the devices, and checks nobody's role.
func (c *Centre) Companies(ctx context.Context) (out []Org, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		orgs, err := all[Org](tx, "")
		if err != nil {
			return err
		}
		out = out[:0]
		for _, o := range orgs {
			if o.Kind == Company && o.Enabled {
				out = append(out, o)
			}
		}
		return nil
	})
	return out, err
}

// Fleet returns what the service has to know of a company, as it is at one
// moment. The error wraps ErrNotFound if there is no such company, or its
// One-Touch Join is not enabled. It checks nobody's role.
func (c *Centre) Fleet(ctx context.Context, company string) (f Fleet, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		f = Fleet{}
		var err error
		if f.Org, err = get[Org](tx, company); err != nil {
			return err
		}
		if f.Org.Kind != Company || !f.Org.Enabled {
			return ErrNotFound
		}
		if f.Processing, err = processing(tx, company); err != nil {
			return err
		}
		var e1, e2, e3 error
		f.Providers, e1 = byID[Provider](tx, company)
		f.Mailboxes, e2 = byID[Mailbox](tx, company)
		f.Groups, e3 = byID[Group](tx, company)
		systems, err := all[System](tx, company)
		if err := errors.Join(e1, e2, e3, err); err != nil {
			return err
		}
		ofGroup := map[string]calendar.Secret{}
		for _, s := range systems {
			if !s.Enabled {
				continue
			}
			out := FleetSystem{System: s, DeviceUser: s.User}
			if out.DeviceUser == "" {
				out.DeviceUser = f.Groups[s.Group].User
			}
			if out.Password, err = secretOf(tx, c.keys, "system", s.ID, passwordField); err != nil {
				return err
			}
			if out.Password == "" && s.Group != "" && s.Kind != Webhook {
				if _, ok := ofGroup[s.Group]; !ok {
					if ofGroup[s.Group], err = secretOf(tx, c.keys, "group", s.Group, passwordField); err != nil {
						return err
					}
				}
				out.Password = ofGroup[s.Group]
			}
			f.Systems = append(f.Systems, out)
		}
		return nil
	})
	return f, err
}

func byID[T any, P object[T]](tx Tx, company string) (map[string]T, error) {
	list, err := all[T, P](tx, company)
	out := make(map[string]T, len(list))
	for i := range list {
		out[P(&list[i]).meta().ID] = list[i]
	}
	return out, err
}
