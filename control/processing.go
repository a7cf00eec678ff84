package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Processing returns how a company's invites are processed and shown. A company
// that has changed nothing has the defaults, at revision 0.
func (c *Centre) Processing(ctx context.Context, actor Actor, company string) (p Processing, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if _, err := actor.org(tx, company, ReadCompany); err != nil {
			return err
		}
		p, err = processing(tx, company)
		return err
	})
	return p, err
}

func processing(tx Tx, company string) (Processing, error) {
	p, err := find[Processing](tx, company, "processing")
	if errors.Is(err, ErrNotFound) {
		return Processing{Company: company, Settings: otj.DefaultSettings()}, nil
	}
	return p, err
}

// SaveProcessing stores how a company's invites are processed and shown, at the
// revision that p was read with.
func (c *Centre) SaveProcessing(ctx context.Context, actor Actor, p Processing) (Processing, error) {
	given := p
	err := c.update(ctx, actor, p.Company, func(ch *change) error {
		p = given
		if _, err := actor.org(ch, p.Company, Configure); err != nil {
			return err
		}
		old, err := processing(ch, p.Company)
		if err != nil {
			return err
		}
		p.ID, p.Created = old.ID, old.Created
		if p.Revision != old.Revision {
			return fmt.Errorf("processing settings: %w", ErrStale)
		}
		if err := p.check(); err != nil {
			return err
		}
		return put(ch, &p)
	})
	if err != nil {
		return Processing{}, err
	}
	return p, nil
}

// CheckProcessing says what is wrong with settings and rules, without storing them.
// It needs nobody's role: it looks at nothing but its argument.
func (c *Centre) CheckProcessing(p Processing) error { return p.check() }

// check brings p into its form and says what is wrong with it.
func (p *Processing) check() error {
	var ck checks
	ck.settings("settings", p.Settings)
	ck.rules("rules", p.Rules)
	p.TimeZone = strings.TrimSpace(p.TimeZone)
	ck.zone("time_zone", p.TimeZone)
	p.OwnDomains = slices.Clone(p.OwnDomains) // the caller's
	for i, d := range p.OwnDomains {
		p.OwnDomains[i] = strings.ToLower(strings.TrimSpace(d))
		ck.domain(fmt.Sprintf("own_domains.%d", i), p.OwnDomains[i])
	}
	if len(p.OwnDomains) > 1000 {
		ck.fail("own_domains", "has %d domains; the most is 1000", len(p.OwnDomains))
	}
	return ck.err()
}

// zone demands the name of a time zone; it may be empty.
func (c *checks) zone(field, name string) {
	if name == "" {
		return
	}
	if _, err := time.LoadLocation(name); err != nil || name == "Local" || len(name) > 64 {
		c.fail(field, "%.60q is no time zone; use a name such as Europe/Stockholm", name)
	}
}

// zones are time zones by name: to load one reads a file. That of the empty name is
// the server's.
type zones map[string]*time.Location

// of returns the zone of the first name that is not empty.
func (z zones) of(names ...string) *time.Location {
	name := cmp.Or(names...)
	loc := z[name]
	if loc == nil {
		var err error
		if loc, err = time.LoadLocation(name); err != nil {
			loc = z[""] // a later version of the database lacks it
		}
		z[name] = loc
	}
	return loc
}

func (c *checks) settings(field string, s otj.Settings) {
	if err := s.Validate(); err != nil {
		c.fail(field, "%v", err)
	}
}
