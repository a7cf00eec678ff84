package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// The proof that a company owns a domain: a TXT record with a value that only
// the company has been given. It is our own, and not the one of Microsoft 365,
// which everybody can read who looks the domain up.
//
// It is here, and not with the calendars, since it does not ask a calendar
// system: it keeps one company of this server from claiming the domain of
// another. What may be read is decided by the consent of the tenant's own
// administrator, and Consent.Check sees to it that the tenant is the domain's.
// So a domain that was verified is not looked up again: what changes afterwards
// takes away nothing that the record has given.

// challengePrefix begins the TXT record that proves a domain.
const challengePrefix = "onetouchjoin-verification="

// lookupTime is for all lookups of one check.
const lookupTime = 10 * time.Second

// mailResolver is a Resolver that knows mail servers too, as a *net.Resolver
// does: it tells a domain that does not exist from one without a TXT record.
type mailResolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
}

// prove looks up the TXT records of a domain, and says in a sentence what was
// seen, unless the domain is proved. The state is pending if the DNS could not
// be asked, which says nothing about the domain.
func prove(ctx context.Context, r Resolver, domain, challenge string) (TenantState, string) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	records, err := r.LookupTXT(ctx, absolute(domain))
	if err == nil && slices.ContainsFunc(records, func(s string) bool { return sameValue(s, challenge) }) {
		return TenantVerified, ""
	}
	var dns *net.DNSError
	switch {
	case err == nil, errors.As(err, &dns) && dns.IsNotFound:
	case ctx.Err() != nil, errors.As(err, &dns) && dns.IsTimeout:
		return TenantPending, fmt.Sprintf("The DNS did not answer for %s in time. It is asked again in a few minutes; if that does not help, check the network of this server and the name servers of the domain.", domain)
	case errors.As(err, &dns) && dns.IsTemporary:
		return TenantPending, fmt.Sprintf("The name servers of %s answer with an error (SERVFAIL). It is asked again in a few minutes; if that does not help, check the domain's name servers and its DNSSEC.", domain)
	default:
		return TenantPending, fmt.Sprintf("The DNS could not be asked for %s. It is asked again in a few minutes.", domain)
	}
	return TenantFailed, missing(ctx, r, domain, challenge, records)
}

// missing says why the record is not among those of the domain.
func missing(ctx context.Context, r Resolver, domain, challenge string, records []string) string {
	const soon = "the change can take an hour to be seen"
	token := strings.TrimPrefix(challenge, challengePrefix)
	for _, s := range records {
		switch v := value(s); {
		case strings.EqualFold(v, token):
			return fmt.Sprintf("The TXT record of %s lacks its beginning: the whole value is %s. Replace it; %s.", domain, challenge, soon)
		case hasFold(v, challenge):
			return fmt.Sprintf("%s has a TXT record with more than the value in it: %.160q. Make it a record of its own with the value %s; %s.", domain, v, challenge, soon)
		}
	}
	for _, s := range records {
		if v := value(s); len(v) >= len(challengePrefix) && strings.EqualFold(v[:len(challengePrefix)], challengePrefix) {
			return fmt.Sprintf("%s has the TXT record %.120q, and not %s. Replace it; %s.", domain, v, challenge, soon)
		}
	}
	for _, p := range otherPlaces(domain) {
		found, err := r.LookupTXT(ctx, absolute(p.name))
		if err == nil && slices.ContainsFunc(found, func(s string) bool { return sameValue(s, challenge) || sameValue(s, token) }) {
			return fmt.Sprintf("The record is at %s, where it proves nothing about %s. %s", p.name, domain, p.fix)
		}
	}
	if len(records) > 0 {
		return fmt.Sprintf("%s has %d TXT records, none of them %s. Add it; %s.", domain, len(records), challenge, soon)
	}
	if m, ok := r.(mailResolver); ok {
		var dns *net.DNSError
		if _, err := m.LookupMX(ctx, absolute(domain)); errors.As(err, &dns) && dns.IsNotFound {
			return fmt.Sprintf("The DNS knows neither a TXT record nor a mail server of %s. Check how the domain is spelt; if it is right, add a TXT record with the value %s.", domain, challenge)
		}
	}
	return fmt.Sprintf("%s has no TXT record yet. Add one with the value %s; %s.", domain, challenge, soon)
}

// otherPlaces are where the record ends up by mistake.
func otherPlaces(domain string) []struct{ name, fix string } {
	out := []struct{ name, fix string }{
		{domain + "." + domain, "The DNS console appends the domain by itself: give the record the name @, or leave the name empty."},
		{strings.TrimSuffix(challengePrefix, "=") + "." + domain, "Give the record the name @, or leave the name empty, and put all of the text into its value."},
		{"www." + domain, "Give the record the name @, or leave the name empty."},
	}
	if _, parent, _ := strings.Cut(domain, "."); strings.Contains(parent, ".") {
		out = append(out, struct{ name, fix string }{parent, "Put it at the domain itself, or add the domain " + parent + " instead."})
	}
	return out
}

// absolute ends a name with a dot. Without it a resolver may look below the
// search domains of this machine first, which are others' zones.
func absolute(name string) string { return name + "." }

// value is what was meant by a TXT record: consoles leave quotes in it, and split
// it into strings that some put into one record with their quotes.
func value(record string) string {
	s := strings.TrimSpace(record)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = strings.Join(strings.Split(s[1:len(s)-1], `" "`), "")
	}
	return strings.TrimSpace(strings.Trim(s, "'“”„"))
}

// sameValue compares regardless of case: the value has no letters that differ in
// nothing else.
func sameValue(record, want string) bool { return strings.EqualFold(value(record), want) }

func hasFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// VerifyTenant looks up the TXT records of the tenant's domain and keeps what it
// saw in State and Why. A verified tenant stays verified when the record is
// taken away: nothing here depends on it any more.
func (c *Centre) VerifyTenant(ctx context.Context, actor Actor, id string) (t Tenant, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if t, err = get[Tenant](tx, id); err != nil {
			return err
		}
		_, err := actor.org(tx, t.Company, Configure)
		return err
	})
	if err != nil || t.State == TenantVerified {
		return t, err
	}
	state, why := prove(ctx, c.opts.Resolver, t.Domain, t.Challenge)
	if err := ctx.Err(); err != nil {
		return t, err // it says nothing about the DNS
	}
	return c.keepProof(ctx, actor, t, state, why)
}

func (c *Centre) keepProof(ctx context.Context, actor Actor, t Tenant, state TenantState, why string) (Tenant, error) {
	err := c.update(ctx, actor, t.Company, func(ch *change) (err error) {
		if t, err = get[Tenant](ch, t.ID); err != nil || t.State == TenantVerified {
			return err
		}
		t.State, t.Why, t.Checked = state, why, ch.now
		return put(ch, &t)
	})
	return t, err
}

// How often and how long domains are looked up that are not proved.
const (
	proofRound = time.Minute
	proofEvery = time.Hour // at most; it is a tenth of the tenant's age before
	proofLast  = 14 * 24 * time.Hour
)

// automatic is who looks domains up again.
var automatic = Actor{User: User{Email: "(automatic check)"}}

// WatchTenants looks up the domains that are not proved yet, until ctx is done:
// each minute at first, then more and more seldom, and no more two weeks after
// the tenant was made. Whoever adds the record need not come back to say so. A
// check that has seen nothing new leaves no trace.
func (c *Centre) WatchTenants(ctx context.Context) {
	last := map[string]time.Time{}
	tick := time.NewTicker(proofRound)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var tenants []Tenant
		err := c.store.View(ctx, func(tx Tx) (err error) {
			tenants, err = all[Tenant](tx, "")
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				c.opts.Logger.Error("the domains cannot be read", "error", err)
			}
			continue
		}
		now := time.Now()
		open := map[string]time.Time{}
		for _, t := range tenants {
			age := now.Sub(t.Created)
			if t.State == TenantVerified || age > proofLast {
				continue
			}
			at := last[t.ID]
			if t.Checked.After(at) {
				at = t.Checked
			}
			open[t.ID] = at
			if now.Sub(at) < min(age/10, proofEvery) {
				continue
			}
			state, why := prove(ctx, c.opts.Resolver, t.Domain, t.Challenge)
			if ctx.Err() != nil {
				return
			}
			open[t.ID] = now
			if state == t.State && why == t.Why {
				continue
			}
			if _, err := c.keepProof(ctx, automatic, t, state, why); err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
				c.opts.Logger.Error("what was seen of a domain cannot be kept", "domain", t.Domain, "error", err)
			}
		}
		last = open
	}
}
