package control

import (
	"context"
	"net"
	"strings"
)

// Tenants returns the tenants of a company.
func (c *Centre) Tenants(ctx context.Context, actor Actor, company string) (out []Tenant, err error) {
	return listAll[Tenant](ctx, c, actor, company)
}

// CreateTenant adds a domain. It is pending until VerifyTenant or WatchTenants
// finds the TXT record with its Challenge.
func (c *Centre) CreateTenant(ctx context.Context, actor Actor, company, domain string) (t Tenant, err error) {
	err = c.update(ctx, actor, company, func(ch *change) error {
		if _, err := actor.org(ch, company, Configure); err != nil {
			return err
		}
		t = Tenant{
			Company:   company,
			Domain:    strings.TrimSuffix(strings.ToLower(strings.TrimSpace(domain)), "."),
			Challenge: challengePrefix + newID(),
			State:     TenantPending,
		}
		if err := t.check(); err != nil {
			return err
		}
		return put(ch, &t)
	})
	return t, err
}

func (t *Tenant) check() error {
	var c checks
	c.domain("domain", t.Domain)
	return c.err()
}

// domain demands a DNS name of at least two labels, in its ASCII form.
func (c *checks) domain(field, value string) {
	labels := strings.Split(value, ".")
	good := len(labels) >= 2 && len(value) <= 253
	for _, l := range labels {
		good = good && len(l) >= 1 && len(l) <= 63 && l[0] != '-' && l[len(l)-1] != '-' &&
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	}
	if !good || net.ParseIP(value) != nil {
		c.fail(field, "%.60q is not a domain such as example.com; write an international one in its xn-- form", value)
	}
}

// listAll reads all objects of a company that the actor may see.
func listAll[T any, P object[T]](ctx context.Context, c *Centre, actor Actor, company string) (out []T, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err != nil {
			return err
		}
		out, err = all[T, P](tx, company)
		for i := range out {
			concealFrom[T, P](&out[i], actor, o)
		}
		return err
	})
	return out, err
}

// listPage reads a page of the objects of a company that the actor may see.
func listPage[T any, P object[T]](ctx context.Context, c *Centre, actor Actor, company, after string, limit int) (p Page[T], err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err != nil {
			return err
		}
		p, err = page[T, P](tx, company, after, limit)
		for i := range p.Items {
			concealFrom[T, P](&p.Items[i], actor, o)
		}
		return err
	})
	return p, err
}

// one reads one object of a company that the actor may see.
func one[T any, P object[T]](ctx context.Context, c *Centre, actor Actor, id string) (v T, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if v, err = get[T, P](tx, id); err != nil {
			return err
		}
		_, owner, _ := P(&v).place()
		o, err := actor.org(tx, owner, ReadCompany)
		concealFrom[T, P](&v, actor, o)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// own reads an object of a company that the actor may configure.
func own[T any, P object[T]](ch *change, id string) (v T, err error) {
	if v, err = get[T, P](ch, id); err != nil {
		return v, err
	}
	_, owner, _ := P(&v).place()
	if _, err = ch.actor.org(ch, owner, Configure); err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// sameCompany demands that a referenced object is there and is the company's
// own; that it belongs to somebody else is not told apart from its absence.
func sameCompany[T any, P object[T]](c *checks, tx Tx, field, id, company string) (v T, ok bool) {
	v, err := get[T, P](tx, id)
	if err == nil {
		if _, owner, _ := P(&v).place(); owner == company {
			return v, true
		}
	}
	c.fail(field, "%.40q is not there", id)
	var none T
	return none, false
}
