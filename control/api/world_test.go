package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// world is an API on a store with a partner, a company of the partner that has
// one of each object, and another company.
type world struct {
	t      *testing.T
	centre *control.Centre
	server *api.Server
	ids    map[string]string // placeholder in a path -> ID
	etags  map[string]string
	acme   control.Org
	msp    control.Org
	users  map[string]control.User
	live   *live
	store  control.Store
}

type dns struct{ challenge *string }

func (d dns) LookupTXT(_ context.Context, name string) ([]string, error) {
	if *d.challenge == "" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []string{*d.challenge}, nil
}

// keys are made once: that is slow, and nothing here is about them.
var keys = sync.OnceValue(func() *control.Keys {
	k, err := control.NewKeys()
	if err != nil {
		panic(err)
	}
	return k
})

func newWorld(t *testing.T, with ...func(*control.Options)) *world {
	return newWorldOn(t, new(storetest.Memory), with...)
}

func newWorldOn(t *testing.T, store control.Store, with ...func(*control.Options)) *world {
	challenge := new(string)
	w := &world{t: t, ids: map[string]string{}, etags: map[string]string{}, users: map[string]control.User{}, live: &live{}, store: store}
	roots := x509.NewCertPool()
	opts := &control.Options{
		Resolver: dns{challenge}, Consent: consent{}, Live: w.live, AppID: "11111111-2222-3333-4444-555555555555",
		PrivateHooks: true, HookTLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	for _, change := range with {
		change(opts)
	}
	var err error
	w.centre, err = control.New(w.store, keys(), opts)
	require.NoError(t, err)
	w.server = api.New(w.centre, &api.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6, Failures: 1e6})})

	ctx := t.Context()
	msp, boss, err := w.centre.Setup(ctx, control.Partner, "Providers Ltd", "boss@msp.example", "Boss")
	require.NoError(t, err)
	w.msp = msp
	as := control.Actor{User: boss}
	w.acme, err = w.centre.CreateCompany(ctx, as, msp.ID, "Acme")
	require.NoError(t, err)
	as = w.refresh(boss)
	globex, err := w.centre.CreateCompany(ctx, as, msp.ID, "Globex")
	require.NoError(t, err)
	w.ids["globex"] = globex.ID
	as = w.refresh(boss)
	boss, err = w.centre.SetRole(ctx, as, w.acme.ID, boss.ID, control.OTJAdmin, true)
	require.NoError(t, err)
	as = control.Actor{User: boss}
	on := true
	w.acme, err = w.centre.ChangeOrg(ctx, as, w.acme.ID, w.acme.Revision, control.OrgChange{Enabled: &on})
	require.NoError(t, err)

	// One of each object.
	tenant, err := w.centre.CreateTenant(ctx, as, w.acme.ID, "acme.example")
	require.NoError(t, err)
	*challenge = tenant.Challenge
	tenant, err = w.centre.VerifyTenant(ctx, as, tenant.ID)
	require.NoError(t, err)
	provider, err := w.centre.SaveProvider(ctx, as, control.Provider{Company: w.acme.ID, Name: "365", Kind: control.Microsoft365, Tenant: tenant.ID})
	require.NoError(t, err)
	mailbox, err := w.centre.SaveMailbox(ctx, as, control.Mailbox{Company: w.acme.ID, Provider: provider.ID, Address: "board@acme.example"})
	require.NoError(t, err)
	group, err := w.centre.SaveGroup(ctx, as, control.Group{Company: w.acme.ID, Name: "Oslo"})
	require.NoError(t, err)
	system, err := w.centre.SaveSystem(ctx, as, control.System{Company: w.acme.ID, Name: "Board", Kind: control.Poly, Mailbox: mailbox.ID, Enabled: true})
	require.NoError(t, err)
	hook, err := w.centre.SaveAlarmHook(ctx, as, control.AlarmHook{Company: w.acme.ID, Name: "Ops", URL: "https://127.0.0.1:1/otj"})
	require.NoError(t, err)
	processing, err := w.centre.Processing(ctx, as, w.acme.ID)
	require.NoError(t, err)
	preview, err := w.centre.StartPreview(ctx, as, processing)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		p, err := w.centre.Preview(ctx, as, preview.ID)
		return err == nil && !p.Ended.IsZero()
	}, 10*time.Second, time.Millisecond)
	w.ids["previews"] = preview.ID
	for plural, m := range map[string]control.Meta{
		"alarm-hooks": hook.Meta, "orgs": w.acme.Meta, "tenants": tenant.Meta, "providers": provider.Meta, "mailboxes": mailbox.Meta, "groups": group.Meta, "systems": system.Meta,
	} {
		w.ids[plural], w.etags[plural] = m.ID, fmt.Sprintf(`"%d"`, m.Revision)
	}
	w.ids["org"] = w.acme.ID
	w.users["boss"] = boss
	w.users["nobody"] = w.user("nobody", as, msp.ID)
	w.ids["users"], w.etags["users"] = w.users["nobody"].ID, fmt.Sprintf(`"%d"`, w.users["nobody"].Revision)
	w.ids["tokens"] = "none"
	return w
}

type consent struct{}

func (consent) URL(domain, state string) string {
	return "https://login.example/" + domain + "?state=" + state
}
func (consent) Check(context.Context, string, string) error { return nil }

// refresh reads a user's grants again, by way of a new session.
func (w *world) refresh(u control.User) control.Actor {
	s, err := w.centre.SignInByEmail(w.t.Context(), u.Email, "")
	require.NoError(w.t, err)
	return control.Actor{User: s.User}
}

func (w *world) user(name string, as control.Actor, org string) control.User {
	u, err := w.centre.CreateUser(w.t.Context(), as, org, name+"@msp.example", name)
	require.NoError(w.t, err)
	return u
}

// call makes a request as a user, by a session.
func (w *world) call(u control.User, method, path, etag string, body any) *http.Response {
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		if payload = nil; b == nil {
			body = nil
			break
		}
		payload = bytes.NewReader(b)
	default:
		data, err := json.Marshal(body)
		require.NoError(w.t, err)
		payload = bytes.NewReader(data)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, payload)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	if u.Email != "" {
		s, err := w.centre.SignInByEmail(w.t.Context(), u.Email, "")
		require.NoError(w.t, err)
		r.AddCookie(&http.Cookie{Name: api.SessionCookie, Value: string(s.Token)})
		r.Header.Set(api.CSRFHeader, string(s.CSRF))
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec.Result()
}

// fill puts the IDs of the world's objects into a path.
func (w *world) fill(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		switch p {
		case "{org}":
			parts[i] = w.ids["org"]
		case "{id}":
			parts[i] = w.ids[parts[i-1]]
		case "{user}":
			parts[i] = w.users["nobody"].ID
		case "{role}":
			parts[i] = "otj_admin"
		}
	}
	return strings.Join(parts, "/")
}

// memberOf makes a user of the company, its partner or neither, with some roles
// for an organization.
func (w *world) memberOf(org control.Org, home string, mask int) control.User {
	name := fmt.Sprintf("%s-%s-%d", org.Kind, home, mask)
	if s, err := w.centre.SignInByEmail(w.t.Context(), name+"@msp.example", ""); err == nil {
		return s.User
	}
	user := control.User{Org: w.acme.ID, Email: name + "@msp.example"}
	switch home {
	case "partner":
		user.Org = w.msp.ID
	case "stranger":
		user.Org = w.ids["globex"]
	}
	user.ID = strings.ReplaceAll(name, "-", "")
	for i, role := range control.Roles {
		if mask&(1<<i) != 0 {
			user.Grants = append(user.Grants, control.Grant{Org: org.ID, Role: role})
		}
	}
	// By the store: there are combinations that nobody could grant.
	data, err := json.Marshal(user)
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.Update(w.t.Context(), func(tx control.Tx) error {
		_, err1 := tx.Put(control.Record{Kind: "user", ID: user.ID, Owner: user.Org, Key: user.Email, Data: data})
		_, err2 := tx.Put(control.Record{Kind: "email", ID: user.ID, Key: user.Email, Data: []byte("{}")})
		return errors.Join(err1, err2)
	}))
	return user
}

// live is a running service that keeps every system and has little to say.
type live struct {
	hold chan struct{} // calendars are read once it is closed
}

func (*live) State(string) (control.LiveState, error) { return control.LiveState{}, nil }
func (l *live) Events(ctx context.Context, _ string, _ calendar.Window) ([]calendar.Event, error) {
	if l.hold != nil {
		select {
		case <-l.hold:
		case <-ctx.Done():
		}
	}
	return nil, nil
}
func (*live) Dials(string, rules.Address) (bool, error)                  { return true, nil }
func (*live) Wake(string) error                                          { return nil }
func (*live) Test(context.Context, string, otj.Meeting) error            { return nil }
func (*live) Setup(context.Context, string) ([]control.SetupStep, error) { return nil, nil }
func (*live) Check(context.Context, string) ([]readiness.Finding, error) { return nil, nil }
func (*live) Quota(string) (control.Quota, error)                        { return control.Quota{PerDay: 1_000_000}, nil }
func (*live) Network() readiness.Network {
	return readiness.Network{Service: "https://otj.example.com"}
}
