package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/client"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// live is a running service that keeps every system.
type live struct{}

func (live) State(string) (control.LiveState, error) {
	return control.LiveState{Room: otj.RoomStatus{Planned: time.Now(), UpToDate: true}}, nil
}

func (live) Events(context.Context, string, calendar.Window) ([]calendar.Event, error) {
	return nil, nil
}
func (live) Dials(string, rules.Address) (bool, error)       { return true, nil }
func (live) Wake(string) error                               { return nil }
func (live) Test(context.Context, string, otj.Meeting) error { return nil }
func (live) Setup(context.Context, string) ([]control.SetupStep, error) {
	return []control.SetupStep{{Title: "Switch it on."}}, nil
}

func (live) Check(context.Context, string) ([]readiness.Finding, error) {
	return []readiness.Finding{{Check: "device", Result: readiness.Pass}}, nil
}
func (live) Quota(string) (control.Quota, error) { return control.Quota{}, control.ErrNotFound }
func (live) Network() readiness.Network          { return readiness.Network{Service: "https://otj.example.com"} }

func start(t *testing.T) (*client.Client, control.Org) {
	keys, err := control.NewKeys()
	require.NoError(t, err)
	centre, err := control.New(new(storetest.Memory), keys, &control.Options{Live: live{}, Folders: []string{"/srv/calendars"}})
	require.NoError(t, err)
	org, user, err := centre.Setup(t.Context(), control.Company, "Acme", "ann@acme.example", "Ann")
	require.NoError(t, err)
	_, token, err := centre.CreateToken(t.Context(), control.Actor{User: user}, "test", control.Actions[:], time.Hour)
	require.NoError(t, err)
	srv := httptest.NewServer(api.New(centre, &api.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6})}))
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, token, nil)
	require.NoError(t, err)
	return c, org
}

// The whole set-up of a company, by a program.
func TestSetUpOfACompany(t *testing.T) {
	c, org := start(t)
	ctx := t.Context()
	me, err := c.Me(ctx)
	require.NoError(t, err)
	assert.Equal(t, "ann@acme.example", me.Email)
	orgs, err := c.Orgs(ctx)
	require.NoError(t, err)
	assert.Equal(t, org.ID, orgs[0].ID)
	tenant, err := c.CreateTenant(ctx, org.ID, "acme.example")
	require.NoError(t, err)
	tenants, err := c.Tenants(ctx, org.ID)
	require.NoError(t, err)
	assert.Equal(t, tenant, tenants[0])

	p, err := c.Providers(org.ID).Create(ctx, control.Provider{Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"})
	require.NoError(t, err)
	in, err := c.ImportMailboxes(ctx, org.ID, control.CSV{Data: []byte("board@acme.example,Board\nlab@acme.example,Lab"), Commit: true})
	require.NoError(t, err)
	assert.True(t, in.Committed)
	table, err := c.ExportMailboxes(ctx, org.ID)
	require.NoError(t, err)
	assert.Contains(t, string(table), "board@acme.example,Board,room,Files")
	page, err := c.Mailboxes(org.ID).Page(ctx, "", 1)
	require.NoError(t, err)
	assert.Equal(t, 2, page.Total)
	require.NotEmpty(t, page.Next)
	var boxes []control.Mailbox
	for m, err := range client.All(ctx, c.Mailboxes(org.ID)) {
		require.NoError(t, err)
		boxes = append(boxes, m)
	}
	require.Len(t, boxes, 2)
	assert.Equal(t, p.ID, boxes[0].Provider)

	ben, err := c.CreateUser(ctx, org.ID, "Ben@acme.example", "Ben")
	require.NoError(t, err)
	ben, err = c.SetRole(ctx, org.ID, ben.ID, control.Admin, true)
	require.NoError(t, err)
	name := "Benjamin"
	ben, err = c.ChangeUser(ctx, ben.ID, ben.Revision, control.UserChange{Name: &name})
	require.NoError(t, err)
	assert.Equal(t, "Benjamin ben@acme.example", ben.Name+" "+ben.Email)
	_, err = c.ChangeUser(ctx, ben.ID, ben.Revision, control.UserChange{Email: &me.Email})
	assert.ErrorIs(t, err, control.ErrExists)
	ben, err = c.SetRole(ctx, org.ID, ben.ID, control.Admin, false)
	require.NoError(t, err)
	assert.Empty(t, ben.Grants)
	ben, err = c.DisableUser(ctx, ben.ID, ben.Revision, true)
	require.NoError(t, err)
	users, err := c.Users(ctx, org.ID)
	require.NoError(t, err)
	assert.Len(t, users, 2)
	require.NoError(t, c.DeleteUser(ctx, ben.ID, ben.Revision))

	minutes := 15
	g, err := c.Groups(org.ID).Create(ctx, control.Group{Name: "Oslo", TimeZone: "Europe/Oslo", Settings: &control.OwnSettings{StartBuffer: &minutes, Prefer: []rules.Scheme{rules.SIP}}})
	require.NoError(t, err)
	assert.Equal(t, []string{"start_buffer", "prefer"}, g.Settings.Decides())
	g.Settings.StartBuffer = nil
	g, err = c.Groups(org.ID).Change(ctx, g)
	require.NoError(t, err)
	assert.Equal(t, &control.OwnSettings{Prefer: []rules.Scheme{rules.SIP}}, g.Settings)
	_, err = c.ProviderQuota(ctx, p.ID)
	require.ErrorContains(t, err, "only Microsoft 365 has a quota")

	systems := c.Systems(org.ID)
	s, err := systems.Create(ctx, control.System{Name: "Board", Kind: control.Poly, Mailbox: boxes[0].ID, Enabled: true})
	require.NoError(t, err)
	password, err := c.NewPassword(ctx, s.ID)
	require.NoError(t, err)
	assert.Len(t, string(password), 22)
	s, err = systems.Get(ctx, s.ID)
	require.NoError(t, err)
	stale := s
	s.Name = "Boardroom"
	s, err = systems.Change(ctx, s)
	require.NoError(t, err)
	_, err = systems.Change(ctx, stale)
	assert.ErrorIs(t, err, control.ErrStale)
	_, err = systems.Create(ctx, control.System{Name: "boardroom", Kind: control.Feed})
	assert.ErrorIs(t, err, control.ErrExists, "a request that is sent twice makes one system")
	s, err = c.Pause(ctx, s.ID, s.Revision, true)
	require.NoError(t, err)
	s, err = c.Pause(ctx, s.ID, s.Revision, false)
	require.NoError(t, err)

	processing, err := c.Processing(ctx, org.ID)
	require.NoError(t, err)
	processing.Rules, err = c.EditRules(ctx, "// ours\n[]\n", control.RuleEdit{Op: control.AddRule, Rule: rules.Rule{Name: "a", Type: rules.TypeZoom}})
	require.NoError(t, err)
	processing.Settings.Prefer = []rules.Scheme{rules.H323, rules.SIP}
	change, err := c.PreviewChange(ctx, processing)
	require.NoError(t, err)
	assert.Equal(t, 1, change.Looked)
	var seen []string
	watched, err := c.WatchPreview(ctx, processing, func(done, total int) { seen = append(seen, fmt.Sprintf("%d/%d", done, total)) })
	require.NoError(t, err)
	assert.Equal(t, change, watched)
	assert.Equal(t, "1/1", seen[len(seen)-1])
	processing, err = c.ChangeProcessing(ctx, processing)
	require.NoError(t, err)
	assert.Contains(t, processing.Rules, "// ours")
	assert.Equal(t, []rules.Scheme{rules.H323, rules.SIP}, processing.Settings.Prefer)
	list, err := c.RuleList(ctx, processing.Rules)
	require.NoError(t, err)
	assert.Equal(t, "a", list[0].Name)
	problems, err := c.CheckRules(ctx, "[")
	require.NoError(t, err)
	assert.Equal(t, 1, problems[0].Line)
	tests, err := c.TestRules(ctx, org.ID, nil, control.Invite{Data: []byte("https://acme.zoom.us/j/98765432101"), System: s.ID})
	require.NoError(t, err)
	assert.Equal(t, "zoom", tests[0].Service)

	v, err := c.Overview(ctx, org.ID)
	require.NoError(t, err)
	assert.Equal(t, control.Green, v.Systems[0].Colour)
	_, err = c.SystemLive(ctx, s.ID)
	require.NoError(t, err)
	require.NoError(t, c.Wake(ctx, s.ID))
	shown, err := c.TestMeeting(ctx, s.ID, control.TestMeeting{Join: "sip:test@example.com"})
	require.NoError(t, err)
	assert.True(t, shown.Test)
	steps, err := c.Setup(ctx, s.ID)
	require.NoError(t, err)
	assert.Len(t, steps, 1)
	findings, err := c.Check(ctx, s.ID)
	require.NoError(t, err)
	assert.Len(t, findings, 1)
	alarms, err := c.Alarms(ctx, org.ID)
	require.NoError(t, err)
	assert.Empty(t, alarms)
	ready, err := c.Readiness(ctx, org.ID)
	require.NoError(t, err)
	assert.NotEmpty(t, ready.Findings)
	_, err = c.Firewall(ctx, org.ID)
	require.NoError(t, err)
	hook, err := c.AlarmHooks(org.ID).Create(ctx, control.AlarmHook{Name: "Ops", URL: "https://alarms.example.com/"})
	require.NoError(t, err)
	key, err := c.NewAlarmHookKey(ctx, hook.ID)
	require.NoError(t, err)
	assert.Len(t, string(key), 43)

	taken, err := c.Providers(org.ID).Consequences(ctx, p.ID)
	require.NoError(t, err)
	assert.Len(t, taken, 3)
	require.NoError(t, systems.Delete(ctx, s.ID, s.Revision))
	_, err = systems.Get(ctx, s.ID)
	assert.ErrorIs(t, err, control.ErrNotFound)
}

func TestProblems(t *testing.T) {
	c, org := start(t)
	_, err := c.Systems(org.ID).Create(t.Context(), control.System{Name: "x", Kind: "toaster"})
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, 422, p.Status)
	assert.Equal(t, "body.kind", p.Errors[0].Location)
	assert.Contains(t, err.Error(), "body.kind")
	_, err = c.Org(t.Context(), "../me")
	assert.ErrorIs(t, err, control.ErrNotFound, "an ID is never a path")

	for _, bad := range []string{"", "otj.example.com", "http://otj.example.com", "https://u:p@otj.example.com", "https://otj.example.com?x", "ftp://x"} {
		_, err := client.New(bad, "token", nil)
		assert.Error(t, err, bad)
	}
}

// answers is a server that gives one answer after the other.
type answers struct {
	list []*http.Response
	seen []*http.Request
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.seen = append(a.seen, r)
	w := a.list[0]
	if a.list = a.list[1:]; w == nil {
		return nil, errors.New("connection refused")
	}
	return w, nil
}

func answer(status int, kind, body string, header ...string) *http.Response {
	w := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		w.Header.Set(header[i], header[i+1])
	}
	return w
}

func TestRetriesAndStrangeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := func() *http.Response {
			return answer(429, "application/problem+json", `{"detail":"wait"}`, "Retry-After", "7")
		}
		ok := func() *http.Response { return answer(200, "application/json", `{"email":"a@b.example"}`) }
		try := func(method string, list ...*http.Response) (int, error) {
			a := &answers{list: list}
			c, err := client.New("https://otj.example.com", "otj_secret", &client.Options{HTTP: &http.Client{Transport: a, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
			require.NoError(t, err)
			if method == http.MethodGet {
				_, err = c.Me(t.Context())
			} else {
				err = c.Wake(t.Context(), "x")
			}
			if err != nil {
				assert.NotContains(t, err.Error(), "otj_secret")
			}
			for _, r := range a.seen {
				assert.Equal(t, "Bearer otj_secret", r.Header.Get("Authorization"))
			}
			return len(a.seen), err
		}
		began := time.Now()
		n, err := try("GET", busy(), busy(), ok())
		assert.NoError(t, err)
		assert.Equal(t, 3, n)
		assert.Equal(t, 14*time.Second, time.Since(began), "the server says how long")
		n, err = try("GET", busy(), busy(), busy(), busy(), ok())
		assert.Error(t, err)
		assert.Equal(t, 4, n)
		n, err = try("POST", busy(), ok())
		assert.Error(t, err, "what changes something is not repeated")
		assert.Equal(t, 1, n)

		for name, w := range map[string]*http.Response{
			"a proxy's page": answer(502, "text/html", "<h1>Bad gateway</h1>"), "a redirect": answer(302, "text/html", "", "Location", "https://evil.example"),
			"no JSON": answer(200, "application/json", "<html>"), "no problem": answer(400, "application/problem+json", "{"), "nothing": nil,
		} {
			n, err := try("GET", w)
			assert.Error(t, err, name)
			assert.Equal(t, 1, n, name)
		}
		var p *client.Problem
		_, err = try("GET", answer(502, "text/html", "<h1>"))
		require.ErrorAs(t, err, &p)
		assert.Equal(t, 502, p.Status)
		assert.Contains(t, p.Detail, "check the address")
	})
}

func ExampleAll() {
	c, err := client.New("https://otj.example.com", "otj_…", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for s, err := range client.All(context.Background(), c.Systems("an organization's ID")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Name, slices.Contains(control.SystemKinds[:], s.Kind))
	}
}
