package control_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// zones is a resolver.
type zones struct {
	mu    sync.Mutex
	txt   map[string][]string
	err   error // of the TXT records of acme.example
	mail  bool  // acme.example has a mail server
	asked map[string]int
}

func (z *zones) LookupTXT(ctx context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.asked == nil {
		z.asked = map[string]int{}
	}
	z.asked[name]++
	if name == "acme.example." && z.err != nil {
		return nil, z.err
	}
	if records, ok := z.txt[name]; ok {
		return records, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z *zones) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.mail {
		return []*net.MX{{Host: "mx." + name}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z *zones) set(f func(z *zones)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f(z)
}

// What the DNS can answer, and what the administrator reads.
func TestProof(t *testing.T) {
	// In the table $C is the value that was asked for, $T what follows its
	// beginning, $A and $Z are its two parts, $S is one letter shorter and $U in
	// capitals.
	for name, tt := range map[string]struct {
		records []string
		more    map[string][]string
		err     error
		mail    bool
		state   control.TenantState
		why     string
	}{
		"the record":              {records: []string{"$C"}, state: control.TenantVerified},
		"several records":         {records: []string{"v=spf1 -all", strings.Repeat("v=spf1 ", 40), "MS=ms123", "$C", "onetouchjoin-verification=old"}, state: control.TenantVerified},
		"in quotes":               {records: []string{`"$C"`}, state: control.TenantVerified},
		"in typographic quotes":   {records: []string{"“$C”"}, state: control.TenantVerified},
		"spaces":                  {records: []string{"  $C \t"}, state: control.TenantVerified},
		"split, with quotes":      {records: []string{`"$A" "$Z"`}, state: control.TenantVerified},
		"another case":            {records: []string{"$U"}, state: control.TenantVerified},
		"split into two records":  {records: []string{"$A", "$Z"}, state: control.TenantFailed, why: `acme.example has the TXT record "$A", and not $C. Replace it`},
		"no such domain":          {state: control.TenantFailed, why: "The DNS knows neither a TXT record nor a mail server of acme.example. Check how the domain is spelt; if it is right, add a TXT record with the value $C"},
		"no record":               {mail: true, state: control.TenantFailed, why: "acme.example has no TXT record yet. Add one with the value $C"},
		"no answer":               {records: []string{}, mail: true, state: control.TenantFailed, why: "acme.example has no TXT record yet."},
		"others":                  {records: []string{"v=spf1 -all", "x"}, state: control.TenantFailed, why: "acme.example has 2 TXT records, none of them $C. Add it"},
		"an old one":              {records: []string{"OneTouchJoin-Verification=old"}, state: control.TenantFailed, why: `acme.example has the TXT record "OneTouchJoin-Verification=old", and not $C`},
		"one letter more":         {records: []string{"$Cx"}, state: control.TenantFailed, why: "acme.example has a TXT record with more than the value in it"},
		"one letter less":         {records: []string{"$S"}, state: control.TenantFailed, why: "Replace it"},
		"within another":          {records: []string{"v=spf1 -all $C"}, state: control.TenantFailed, why: "Make it a record of its own with the value $C"},
		"without its beginning":   {records: []string{"$T"}, state: control.TenantFailed, why: "The TXT record of acme.example lacks its beginning: the whole value is $C"},
		"domain appended":         {more: map[string][]string{"acme.example.acme.example.": {"$C"}}, mail: true, state: control.TenantFailed, why: "The record is at acme.example.acme.example, where it proves nothing about acme.example. The DNS console appends the domain by itself"},
		"as its name":             {records: []string{"x"}, more: map[string][]string{"onetouchjoin-verification.acme.example.": {"$T"}}, state: control.TenantFailed, why: "The record is at onetouchjoin-verification.acme.example, where it proves nothing"},
		"at www":                  {more: map[string][]string{"www.acme.example.": {"$C"}}, state: control.TenantFailed, why: "The record is at www.acme.example"},
		"a search domain":         {more: map[string][]string{"acme.example": {"$C"}, "acme.example.corp.example.": {"$C"}}, mail: true, state: control.TenantFailed, why: "has no TXT record yet"},
		"a look-alike":            {more: map[string][]string{"acrne.example.": {"$C"}, "xacme.example.": {"$C"}}, mail: true, state: control.TenantFailed, why: "has no TXT record yet"},
		"SERVFAIL":                {err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}, state: control.TenantPending, why: "The name servers of acme.example answer with an error (SERVFAIL)"},
		"timeout":                 {err: &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}, state: control.TenantPending, why: "The DNS did not answer for acme.example in time"},
		"refused":                 {err: &net.DNSError{Err: "server misbehaving"}, state: control.TenantPending, why: "The DNS could not be asked for acme.example"},
		"no network":              {err: errors.New("dial udp: network is unreachable"), state: control.TenantPending, why: "The DNS could not be asked"},
		"an error and the record": {records: []string{"$C"}, err: &net.DNSError{IsTemporary: true}, state: control.TenantPending, why: "SERVFAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			z := &zones{}
			w := newWorld(t, func(o *control.Options) { o.Resolver = z })
			tenant := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "acme.example"))(t)
			c := tenant.Challenge
			fill := strings.NewReplacer("$C", c, "$T", strings.TrimPrefix(c, "onetouchjoin-verification="), "$A", c[:30], "$Z", c[30:], "$S", c[:len(c)-1], "$U", strings.ToUpper(c)).Replace
			z.txt = map[string][]string{}
			add := func(name string, records []string) {
				z.txt[name] = nil
				for _, r := range records {
					z.txt[name] = append(z.txt[name], fill(r))
				}
			}
			if tt.records != nil {
				add("acme.example.", tt.records)
			}
			for name, records := range tt.more {
				add(name, records)
			}
			z.err, z.mail = tt.err, tt.mail
			tenant = must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t)
			assert.Equal(t, tt.state, tenant.State)
			if tt.why == "" {
				assert.Empty(t, tenant.Why)
			} else {
				assert.Contains(t, tenant.Why, fill(tt.why))
			}
			assert.NotZero(t, tenant.Checked)
		})
	}
}

// A record at the domain above proves nothing about the one below it, nor the
// other way round.
func TestProofIsOfTheDomainItself(t *testing.T) {
	z := &zones{}
	w := newWorld(t, func(o *control.Options) { o.Resolver = z })
	below := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "Rooms.Acme.Example."))(t)
	above := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "acme.example"))(t)
	z.txt = map[string][]string{"acme.example.": {below.Challenge}, "rooms.acme.example.": {above.Challenge}}
	below = must(w.centre.VerifyTenant(t.Context(), w.admin, below.ID))(t)
	assert.Equal(t, control.TenantFailed, below.State)
	assert.Contains(t, below.Why, "has the TXT record")
	z.txt["rooms.acme.example."] = nil
	below = must(w.centre.VerifyTenant(t.Context(), w.admin, below.ID))(t)
	assert.Contains(t, below.Why, "The record is at acme.example, where it proves nothing about rooms.acme.example. Put it at the domain itself, or add the domain acme.example instead.")
	above = must(w.centre.VerifyTenant(t.Context(), w.admin, above.ID))(t)
	assert.Equal(t, control.TenantFailed, above.State)

	// Who gives up waiting leaves no trace.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.centre.VerifyTenant(ctx, w.admin, above.ID)
	require.ErrorIs(t, err, context.Canceled)
}

// A domain is looked up again by itself until the record is there.
func TestProofIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zones{mail: true}
		w := newWorld(t, func(o *control.Options) { o.Resolver = z })
		tenant := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "acme.example"))(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.centre.WatchTenants(ctx) }()
		now := func() control.Tenant {
			synctest.Wait()
			all := must(w.centre.Tenants(t.Context(), w.admin, w.acme.ID))(t)
			require.Len(t, all, 1)
			return all[0]
		}
		time.Sleep(10*time.Minute + time.Second)
		assert.Equal(t, control.TenantFailed, now().State)
		assert.Contains(t, now().Why, "has no TXT record yet")
		first := now().Revision
		z.set(func(z *zones) { assert.Equal(t, 10, z.asked["acme.example."]); clear(z.asked) })
		time.Sleep(24 * time.Hour)
		assert.Equal(t, first, now().Revision, "what is not new is not kept")
		z.set(func(z *zones) {
			assert.InDelta(t, 50, z.asked["acme.example."], 20)
			z.err = &net.DNSError{IsTemporary: true}
		})
		time.Sleep(time.Hour + time.Minute)
		assert.Equal(t, control.TenantPending, now().State)
		assert.Contains(t, now().Why, "SERVFAIL")

		z.set(func(z *zones) { z.err, z.txt = nil, map[string][]string{"acme.example.": {tenant.Challenge}} })
		time.Sleep(time.Hour + time.Minute)
		assert.Equal(t, control.TenantVerified, now().State)
		assert.Empty(t, now().Why)

		// Proved: not asked again, and what happens to the record is nothing to it.
		z.set(func(z *zones) { z.asked, z.txt = nil, nil })
		time.Sleep(48 * time.Hour)
		assert.Equal(t, control.TenantVerified, must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t).State)
		z.set(func(z *zones) { assert.Empty(t, z.asked) })

		// Nobody adds the record for two weeks.
		must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "other.example"))(t)
		time.Sleep(14*24*time.Hour + time.Minute)
		z.set(func(z *zones) { assert.InDelta(t, 370, z.asked["other.example."], 30); clear(z.asked) })
		time.Sleep(14 * 24 * time.Hour)
		z.set(func(z *zones) { assert.Empty(t, z.asked) })
		cancel()
		<-done
	})
}
