package control_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

// world is a control centre with a company and a partner's company.
type world struct {
	t       testing.TB
	centre  *control.Centre
	store   *storetest.Memory
	txt     map[string][]string
	consent *fakeConsent
	live    *fakeLive

	acme  control.Org   // a company of its own
	admin control.Actor // its first user, who may do everything there
}

type fakeConsent struct{ tenants map[string]string }

func (f *fakeConsent) URL(domain, state string) string {
	return "https://login.example/" + domain + "?state=" + state
}

func (f *fakeConsent) Check(_ context.Context, domain, tenantID string) error {
	if f.tenants[domain] != tenantID {
		return calendar.ErrUnauthorized
	}
	return nil
}

func (w *world) LookupTXT(_ context.Context, name string) ([]string, error) {
	name, absolute := strings.CutSuffix(name, ".")
	if records, ok := w.txt[name]; ok && absolute {
		return records, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func newWorld(t testing.TB, with ...func(*control.Options)) *world {
	w := &world{t: t, store: new(storetest.Memory), txt: map[string][]string{}, consent: &fakeConsent{map[string]string{}}, live: newLive()}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	opts := &control.Options{
		Resolver: w, Consent: w.consent, Folders: []string{"/srv/calendars"}, Live: w.live,
	}
	for _, change := range with {
		change(opts)
	}
	w.centre, err = control.New(w.store, keys, opts)
	require.NoError(t, err)
	org, user, err := w.centre.Setup(t.Context(), control.Company, "Acme", "Ann@acme.example", "Ann")
	require.NoError(t, err)
	w.acme, w.admin = org, control.Actor{User: user, Address: "192.0.2.1"}
	return w
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	var invalid *control.InvalidError
	require.ErrorAs(t, err, &invalid)
	var names []string
	for _, f := range invalid.Fields {
		names = append(names, f.Field)
	}
	return names
}

func TestSetupHappensOnce(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.centre.Setup(t.Context(), control.Company, "Other", "eve@other.example", "Eve")
	assert.ErrorIs(t, err, control.ErrExists)
	is, err := w.centre.IsSetUp(t.Context())
	require.NoError(t, err)
	assert.True(t, is)
}

// provider makes a verified tenant and a Microsoft 365 provider.
func (w *world) provider() control.Provider {
	t := w.t
	tenant := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "Acme.Example."))(t)
	w.txt["acme.example"] = []string{"v=spf1 -all", tenant.Challenge}
	tenant = must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t)
	require.Equal(t, control.TenantVerified, tenant.State)
	return must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{
		Company: w.acme.ID, Name: "Acme 365", Kind: control.Microsoft365, Tenant: tenant.ID,
	}))(t)
}

func TestTenantVerification(t *testing.T) {
	w := newWorld(t)
	tenant := must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "acme.example"))(t)
	assert.Equal(t, control.TenantPending, tenant.State)

	_, err := w.centre.SaveProvider(t.Context(), w.admin, control.Provider{
		Company: w.acme.ID, Name: "p", Kind: control.Microsoft365, Tenant: tenant.ID,
	})
	assert.Equal(t, []string{"tenant"}, fieldsOf(t, err), "a provider before its domain is verified")

	tenant = must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t)
	assert.Equal(t, control.TenantFailed, tenant.State)
	assert.Contains(t, tenant.Why, tenant.Challenge, "it says which record to add")

	w.txt["acme.example"] = []string{"onetouchjoin-verification=somethingelse"}
	tenant = must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t)
	assert.Equal(t, control.TenantFailed, tenant.State)
	assert.Contains(t, tenant.Why, "somethingelse")

	w.txt["acme.example"] = []string{tenant.Challenge}
	tenant = must(w.centre.VerifyTenant(t.Context(), w.admin, tenant.ID))(t)
	assert.Equal(t, control.TenantVerified, tenant.State)
	assert.Empty(t, tenant.Why)

	for _, bad := range []string{"", "acme", "a..example", "-a.example", "192.0.2.1", "https://acme.example", "a b.example", "räksmörgås.example"} {
		_, err := w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, bad)
		assert.Equal(t, []string{"domain"}, fieldsOf(t, err), "%q", bad)
	}
	_, err = w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "ACME.example")
	assert.ErrorIs(t, err, control.ErrExists)
}

func TestConsent(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	assert.Equal(t, control.ConsentMissing, p.Consent)
	link := must(w.centre.ConsentLink(t.Context(), w.admin, p.ID))(t)
	state := link[len("https://login.example/acme.example?state="):]

	_, err := w.centre.FinishConsent(t.Context(), "forged", "tenant-1", "")
	assert.ErrorIs(t, err, control.ErrNotFound)

	// Somebody agreed for another tenant than that of the domain.
	w.consent.tenants["acme.example"] = "tenant-1"
	_, err = w.centre.FinishConsent(t.Context(), state, "tenant-2", "")
	assert.ErrorIs(t, err, calendar.ErrUnauthorized)
	assert.Equal(t, control.ConsentMissing, must(w.centre.Provider(t.Context(), w.admin, p.ID))(t).Consent)

	p = must(w.centre.FinishConsent(t.Context(), state, "tenant-1", ""))(t)
	assert.Equal(t, control.ConsentGranted, p.Consent)
	assert.Equal(t, "tenant-1", p.TenantID)

	_, err = w.centre.FinishConsent(t.Context(), state, "tenant-1", "")
	assert.ErrorIs(t, err, control.ErrNotFound, "a link works once")

	// A change of the provider keeps what the consent found.
	p.Name, p.Consent, p.TenantID = "renamed", control.ConsentMissing, "tenant-9"
	p = must(w.centre.SaveProvider(t.Context(), w.admin, p))(t)
	assert.Equal(t, "tenant-1", p.TenantID)
	assert.Equal(t, control.ConsentGranted, p.Consent)
}

func TestProviderChecks(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		p    control.Provider
		want []string
	}{
		{"no name", control.Provider{Kind: control.Google}, []string{"name"}},
		{"no kind", control.Provider{Name: "x"}, []string{"kind"}},
		{"quota", control.Provider{Name: "x", Kind: control.Google, DailyQuota: 9_999}, []string{"daily_quota"}},
		{"http feed", control.Provider{Name: "x", Kind: control.ICSFeed, URL: "http://a.example/{mailbox}.ics"}, []string{"url"}},
		{"password in feed", control.Provider{Name: "x", Kind: control.ICSFeed, URL: "https://u:p@a.example/"}, []string{"url"}},
		{"folder outside", control.Provider{Name: "x", Kind: control.ICSFolder, Folder: "/srv/calendars/../../etc"}, []string{"folder"}},
		{"folder beside", control.Provider{Name: "x", Kind: control.ICSFolder, Folder: "/srv/calendars-old"}, []string{"folder"}},
		{"nobody's tenant", control.Provider{Name: "x", Kind: control.Microsoft365, Tenant: "zzz"}, []string{"tenant"}},
	} {
		c.p.Company = w.acme.ID
		_, err := w.centre.SaveProvider(t.Context(), w.admin, c.p)
		assert.Equal(t, c.want, fieldsOf(t, err), c.name)
	}
	must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(t)
	_, err := w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "FILES", Kind: control.Google})
	assert.ErrorIs(t, err, control.ErrExists, "names are unique whatever their case")
}

// office adds a mailbox and an enabled system.
func (w *world) office(provider string) (control.Mailbox, control.System) {
	t := w.t
	m := must(w.centre.SaveMailbox(t.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: provider, Address: "Board@acme.example"}))(t)
	s := must(w.centre.SaveSystem(t.Context(), w.admin, control.System{
		Company: w.acme.ID, Name: "Boardroom", Kind: control.CiscoHTTPS, Mailbox: m.ID, Host: "192.0.2.7:443", Enabled: true,
	}))(t)
	return m, s
}

func TestSystems(t *testing.T) {
	w := newWorld(t)
	m, s := w.office(w.provider().ID)
	assert.Equal(t, "board@acme.example", m.Address)

	_, err := w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "x", Kind: control.CiscoHTTPS, Enabled: true})
	assert.Equal(t, []string{"mailbox", "host"}, fieldsOf(t, err))
	for host, good := range map[string]bool{
		"room.example": true, "[2001:db8::1]:8443": true, "2001:db8::1": true, "room.example:0": false,
		"room.example/path": false, "user@room.example": false, "a b": false, "room.example:443:1": false,
	} {
		_, err := w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: host, Kind: control.CiscoHTTPS, Host: host})
		assert.Equal(t, good, err == nil, "%q: %v", host, err)
	}

	stale := s
	s.Name = "Boardroom 1"
	s = must(w.centre.SaveSystem(t.Context(), w.admin, s))(t)
	_, err = w.centre.SaveSystem(t.Context(), w.admin, stale)
	assert.ErrorIs(t, err, control.ErrStale)

	require.NoError(t, w.centre.SetPassword(t.Context(), w.admin, "system", s.ID, "hunter2"))
	s = must(w.centre.System(t.Context(), w.admin, s.ID))(t)
	assert.True(t, s.HasPassword)
	_, err = w.centre.NewPassword(t.Context(), w.admin, s.ID)
	assert.Equal(t, []string{"password"}, fieldsOf(t, err))

	assert.Equal(t, "hunter2", string(must(w.centre.Password(t.Context(), s.ID))(t)))
	g := must(w.centre.SaveGroup(t.Context(), w.admin, control.Group{Company: w.acme.ID, Name: "Oslo"}))(t)
	require.NoError(t, w.centre.SetPassword(t.Context(), w.admin, "group", g.ID, "of the group"))
	s.Group = g.ID
	s = must(w.centre.SaveSystem(t.Context(), w.admin, s))(t)
	require.NoError(t, w.centre.SetPassword(t.Context(), w.admin, "system", s.ID, ""))
	assert.Equal(t, "of the group", string(must(w.centre.Password(t.Context(), s.ID))(t)))

	poly := must(w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "Poly", Kind: control.Poly, Mailbox: m.ID, User: "chosen"}))(t)
	assert.Regexp(t, `^otj-[a-z0-9]{12}$`, poly.User, "the user name is generated")
	one := must(w.centre.NewPassword(t.Context(), w.admin, poly.ID))(t)
	two := must(w.centre.NewPassword(t.Context(), w.admin, poly.ID))(t)
	assert.Len(t, string(one), 22, "128 bits")
	assert.NotEqual(t, one, two)
}

func TestSecretsAreNowhereInPlainText(t *testing.T) {
	w := newWorld(t)
	_, s := w.office(w.provider().ID)
	require.NoError(t, w.centre.SetPassword(t.Context(), w.admin, "system", s.ID, "hunter2-hunter2"))
	require.NoError(t, w.store.View(t.Context(), func(tx control.Tx) error {
		for _, kind := range []string{"system", "secret", "audit"} {
			records, err := tx.List(kind, "", control.Cursor{}, 1000)
			require.NoError(t, err)
			require.NotEmpty(t, records)
			for _, r := range records {
				assert.NotContains(t, string(r.Data), "hunter2")
			}
		}
		return nil
	}))
	n, err := w.centre.Reseal(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

func TestRemovalSaysWhatItTakesAlong(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	m, s := w.office(p.ID)
	list := must(w.centre.Consequences(t.Context(), w.admin, "tenant", p.Tenant))(t)
	var got []string
	for _, c := range list {
		got = append(got, c.Kind+" "+c.Name+": "+c.What)
	}
	assert.Equal(t, []string{
		"system Boardroom: loses its mailbox and is disabled", "mailbox board@acme.example: deleted", "provider Acme 365: deleted",
	}, got)

	assert.ErrorIs(t, w.centre.Remove(t.Context(), w.admin, "provider", p.ID, p.Revision+1), control.ErrStale)
	must(w.centre.Mailbox(t.Context(), w.admin, m.ID))(t) // nothing of a failed removal has happened
	require.NoError(t, w.centre.Remove(t.Context(), w.admin, "provider", p.ID, p.Revision))
	_, err := w.centre.Mailbox(t.Context(), w.admin, m.ID)
	assert.ErrorIs(t, err, control.ErrNotFound)
	s = must(w.centre.System(t.Context(), w.admin, s.ID))(t)
	assert.False(t, s.Enabled)
	assert.Empty(t, s.Mailbox)
}

func TestPartnerAndCompanies(t *testing.T) {
	w := &world{t: t, store: new(storetest.Memory)}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	w.centre, err = control.New(w.store, keys, nil)
	require.NoError(t, err)
	ctx := t.Context()
	msp, boss, err := w.centre.Setup(ctx, control.Partner, "Providers Ltd", "boss@msp.example", "Boss")
	require.NoError(t, err)
	actor := control.Actor{User: boss}
	acme := must(w.centre.CreateCompany(ctx, actor, msp.ID, "Acme"))(t)
	globex := must(w.centre.CreateCompany(ctx, actor, msp.ID, "Globex"))(t)
	_, err = w.centre.CreateCompany(ctx, actor, msp.ID, "ACME")
	assert.ErrorIs(t, err, control.ErrExists)

	// The boss has Access Admin for the partner and Admin for the company.
	boss = must(w.centre.SetRole(ctx, control.Actor{User: reload(t, w, boss)}, acme.ID, boss.ID, control.OTJAdmin, true))(t)
	actor.User = boss
	must(w.centre.ChangeOrg(ctx, actor, acme.ID, acme.Revision, control.OrgChange{Enabled: ptr(true)}))(t)
	_, err = w.centre.ChangeOrg(ctx, actor, globex.ID, globex.Revision, control.OrgChange{Enabled: ptr(true)})
	assert.ErrorIs(t, err, control.ErrDenied)

	// A user of Acme sees Acme alone.
	ann := must(w.centre.CreateUser(ctx, control.Actor{User: w.grantSelf(actor.User, acme.ID)}, acme.ID, "ann@acme.example", "Ann"))(t)
	_, err = w.centre.Org(ctx, control.Actor{User: ann}, globex.ID)
	assert.ErrorIs(t, err, control.ErrNotFound, "what one cannot see is not there")
	_, err = w.centre.Org(ctx, control.Actor{User: ann}, acme.ID)
	assert.ErrorIs(t, err, control.ErrNotFound, "a user without a role sees nothing")

	require.NoError(t, w.centre.Remove(ctx, actor, "org", acme.ID, must(w.centre.Org(ctx, actor, acme.ID))(t).Revision))
	require.NoError(t, w.store.View(ctx, func(tx control.Tx) error {
		for _, kind := range []string{"user", "audit", "provider", "secret"} {
			n, err := tx.Count(kind, acme.ID)
			assert.NoError(t, err)
			assert.Zero(t, n, "%s of a deleted company", kind)
		}
		return nil
	}))
	must(w.centre.CreateUser(ctx, actor, msp.ID, "ann@acme.example", "Ann"))(t) // the address is free again
}

func ptr[T any](v T) *T { return &v }

func reload(t *testing.T, w *world, u control.User) control.User {
	var fresh control.User
	require.NoError(t, w.store.View(t.Context(), func(tx control.Tx) error {
		r, err := tx.Get("user", u.ID)
		require.NoError(t, err)
		fresh.ID = u.ID
		return json.Unmarshal(r.Data, &fresh)
	}))
	return fresh
}

// grantSelf returns the user with Access Admin for the company, as that
// company's own Access Admin would give it.
func (w *world) grantSelf(u control.User, company string) control.User {
	u.Grants = append(u.Grants, control.Grant{Org: company, Role: control.AccessAdmin})
	return u
}

// insert puts a record into a store as it is.
func insert(t *testing.T, store control.Store, kind, id, owner, key string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, store.Update(t.Context(), func(tx control.Tx) error {
		_, err := tx.Put(control.Record{Kind: kind, ID: id, Owner: owner, Key: key, Data: data})
		return err
	}))
}

// rewrite changes a record in a store past all checks.
func rewrite[T any](t *testing.T, store control.Store, kind, id, owner string, fn func(*T)) {
	t.Helper()
	require.NoError(t, store.Update(t.Context(), func(tx control.Tx) error {
		r, err := tx.Get(kind, id)
		if err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(r.Data, &v); err != nil {
			return err
		}
		fn(&v)
		if r.Data, err = json.Marshal(v); err != nil {
			return err
		}
		r.Owner = owner
		_, err = tx.Put(r)
		return err
	}))
}

func TestNobodyLocksEverybodyOut(t *testing.T) {
	w := newWorld(t)
	_, err := w.centre.SetRole(t.Context(), w.admin, w.acme.ID, w.admin.User.ID, control.AccessAdmin, false)
	assert.Equal(t, []string{"role"}, fieldsOf(t, err))
	_, err = w.centre.DisableUser(t.Context(), w.admin, w.admin.User.ID, w.admin.User.Revision, true)
	assert.Equal(t, []string{"role"}, fieldsOf(t, err))
}

func TestAuditSaysWhoWhenWhatBeforeAndAfter(t *testing.T) {
	w := newWorld(t)
	_, s := w.office(w.provider().ID)
	s.Name = "Renamed"
	must(w.centre.SaveSystem(t.Context(), w.admin, s))(t)
	log := must(w.centre.Audit(t.Context(), w.admin, w.acme.ID, "", 2))(t)
	require.Len(t, log.Items, 2)
	e := log.Items[0]
	assert.Equal(t, "system", e.Object)
	assert.Equal(t, "changed", e.What)
	assert.Equal(t, "ann@acme.example", e.User)
	assert.Equal(t, "192.0.2.1", e.Address)
	assert.Contains(t, string(e.Before), "Boardroom")
	assert.Contains(t, string(e.After), "Renamed")
	assert.Equal(t, "created", log.Items[1].What)
	next := must(w.centre.Audit(t.Context(), w.admin, w.acme.ID, log.Next, 200))(t)
	assert.Equal(t, log.Total, len(next.Items)+2)
}

func TestOtherCompaniesObjectsAreNotThere(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	m, s := w.office(p.ID)
	// Another company in the same store, with an administrator of its own.
	stranger := control.Actor{User: control.User{Org: "globex", Meta: control.Meta{ID: "u"}, Grants: []control.Grant{
		{Org: "globex", Role: control.Admin}, {Org: "globex", Role: control.OTJAdmin}, {Org: w.acme.ID, Role: control.Admin}, {Org: w.acme.ID, Role: control.OTJAdmin},
	}}}
	ctx := t.Context()
	for name, err := range map[string]error{
		"provider": second(w.centre.Provider(ctx, stranger, p.ID)), "mailbox": second(w.centre.Mailbox(ctx, stranger, m.ID)),
		"system": second(w.centre.System(ctx, stranger, s.ID)), "save": second(w.centre.SaveSystem(ctx, stranger, s)),
		"mailboxes": second(w.centre.Mailboxes(ctx, stranger, w.acme.ID, "", 10)), "audit": second(w.centre.Audit(ctx, stranger, w.acme.ID, "", 10)),
		"remove": w.centre.Remove(ctx, stranger, "system", s.ID, s.Revision), "password": w.centre.SetPassword(ctx, stranger, "system", s.ID, "x"),
		"consent": second(w.centre.ConsentLink(ctx, stranger, p.ID)), "processing": second(w.centre.Processing(ctx, stranger, w.acme.ID)),
	} {
		assert.ErrorIs(t, err, control.ErrNotFound, name)
	}
}

func second[T any](_ T, err error) error { return err }

func TestTokensAreLimitedToTheirScopes(t *testing.T) {
	w := newWorld(t)
	w.admin.Scopes = []control.Action{control.ReadCompany}
	must(w.centre.Systems(t.Context(), w.admin, w.acme.ID, "", 10))(t)
	_, err := w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "acme.example")
	assert.ErrorIs(t, err, control.ErrDenied)
}

func TestCursorsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	_, err := w.centre.Systems(t.Context(), w.admin, w.acme.ID, "!!!", 10)
	assert.Equal(t, []string{"after"}, fieldsOf(t, err))
}
