package control_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// fakeLive is a running service that knows what a test tells it.
type fakeLive struct {
	quotas   map[string]control.Quota // by provider
	mu       sync.Mutex
	states   map[string]control.LiveState
	events   map[string][]calendar.Event
	errs     map[string]error // of Events, by mailbox
	findings map[string][]readiness.Finding
	network  readiness.Network
	dials    func(rules.Address) bool
	woken    []string
	tests    []otj.Meeting
	refuses  error // of Test
	reads    int
	hold     chan struct{} // unless nil, calendars are read once it is closed
}

func newLive() *fakeLive {
	return &fakeLive{states: map[string]control.LiveState{}, events: map[string][]calendar.Event{}, errs: map[string]error{}, findings: map[string][]readiness.Finding{}}
}

func (f *fakeLive) State(system string) (control.LiveState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.states[system]
	if !ok {
		return s, fmt.Errorf("system %s: %w", system, control.ErrNotFound)
	}
	return s, nil
}

func (f *fakeLive) set(system string, change func(*control.LiveState)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.states[system]
	change(&s)
	f.states[system] = s
}

func (f *fakeLive) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []calendar.Event
	for _, ev := range f.events[mailbox] {
		if ev.End.After(w.From) && ev.Start.Before(w.To) {
			out = append(out, ev)
		}
	}
	return out, f.errs[mailbox]
}

func (f *fakeLive) Dials(system string, a rules.Address) (bool, error) {
	if _, err := f.State(system); err != nil {
		return false, err
	}
	return f.dials == nil || f.dials(a), nil
}

func (f *fakeLive) Wake(system string) error {
	if _, err := f.State(system); err != nil {
		return err
	}
	f.woken = append(f.woken, system)
	return nil
}

func (f *fakeLive) Test(_ context.Context, system string, m otj.Meeting) error {
	if _, err := f.State(system); err != nil {
		return err
	}
	f.tests = append(f.tests, m)
	return f.refuses
}

func (f *fakeLive) Setup(_ context.Context, system string) ([]control.SetupStep, error) {
	if _, err := f.State(system); err != nil {
		return nil, err
	}
	return []control.SetupStep{{Title: "Switch it on.", Where: "device"}}, nil
}

func (f *fakeLive) Check(_ context.Context, system string) ([]readiness.Finding, error) {
	if _, err := f.State(system); err != nil {
		return nil, err
	}
	return f.findings[system], nil
}

func (f *fakeLive) Quota(provider string) (control.Quota, error) {
	if q, ok := f.quotas[provider]; ok {
		return q, nil
	}
	return control.Quota{}, control.ErrNotFound
}
func (f *fakeLive) Network() readiness.Network { return f.network }

// room is what a healthy service says of a system with two meetings.
func room(now time.Time) control.LiveState {
	return control.LiveState{Room: otj.RoomStatus{
		Planned: now, Shown: now, UpToDate: true,
		Sources: []otj.SourceStatus{{Mailbox: "board@acme.example", LastRead: now, Events: 3}},
		Meetings: []otj.Meeting{
			{ID: "a", Title: "Budget", Organizer: calendar.Person{Name: "Ann"}, Start: now.Add(time.Hour), End: now.Add(2 * time.Hour), StartBuffer: 5 * time.Minute,
				Join: rules.Address{Scheme: rules.SIP, URI: "sip:98765432101.445566@zoomcrc.com"}, Service: "zoom", Rule: "zoom"},
			{ID: "b", Title: "Lunch", Start: now.Add(3 * time.Hour), End: now.Add(4 * time.Hour)},
		},
		NoButton: []otj.Note{{ID: "b", Reason: otj.NoAddress, Text: "no address found"}},
		Skipped:  []otj.Note{{ID: "c", Reason: otj.Declined, Text: "the room has declined it"}},
	}}
}

func TestOverview(t *testing.T) {
	w := newWorld(t)
	v := must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t)
	assert.Empty(t, v.Systems)
	assert.Equal(t, map[control.StepKey]bool{"enable": true, "domain": false, "provider": false, "consent": false, "mailboxes": false, "rules": false, "systems": false, "button": false}, done(v))
	assert.False(t, v.Ready)

	p := w.provider()
	m, s := w.office(p.ID)
	now := time.Now().UTC().Truncate(time.Second)
	add := func(name string, change func(*control.System)) control.System {
		s := control.System{Company: w.acme.ID, Name: name, Kind: control.Poly, Mailbox: m.ID, Enabled: true}
		change(&s)
		return must(w.centre.SaveSystem(t.Context(), w.admin, s))(t)
	}
	off := add("off", func(s *control.System) { s.Enabled = false })
	paused := add("paused", func(s *control.System) { s.Paused = true })
	add("unknown", func(*control.System) {})
	quiet := add("quiet", func(s *control.System) { s.QuietAlarms = true })
	broken := add("broken", func(*control.System) {})
	warned := add("warned", func(*control.System) {})
	refused := add("refused", func(*control.System) {})
	awaited := add("awaited", func(*control.System) {})
	w.live.states[s.ID] = room(now)
	for _, id := range []string{off.ID, paused.ID, quiet.ID, broken.ID, warned.ID, awaited.ID} {
		w.live.states[id] = room(now)
	}
	w.live.states[refused.ID] = control.LiveState{Problem: "It has no password."}
	w.live.set(quiet.ID, func(st *control.LiveState) {
		st.Room.Alarms = []otj.Alarm{{Code: "device-silent", Text: "It does not ask."}}
	})
	w.live.set(awaited.ID, func(st *control.LiveState) { st.Room.Awaited = true })
	w.live.set(warned.ID, func(st *control.LiveState) {
		st.Room.Alarms = []otj.Alarm{{Code: "clock-wrong", Text: "Its clock is wrong."}}
	})
	w.live.set(broken.ID, func(st *control.LiveState) {
		st.Room.Alarms = []otj.Alarm{{Code: "clock-wrong", Text: "Its clock is wrong."}, {Code: otj.AlarmUnreachable, Text: "It does not answer."}}
	})

	v = must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t)
	var got []string
	for _, s := range v.Systems {
		got = append(got, fmt.Sprintf("%s %s: %s", s.Colour, s.Name, s.Why))
	}
	assert.Equal(t, []string{
		"red broken: It does not answer. (and 1 more)",
		"red refused: It has no password.",
		"amber awaited: The device has not asked for its meetings yet. See how it is set up.",
		"amber unknown: The service has not taken the system over yet.",
		"amber warned: Its clock is wrong.",
		"green Boardroom: ",
		"green quiet: ",
		"grey off: One-Touch Join is off for this system.",
		"grey paused: Paused: what it shows stays as it is.",
	}, got)
	assert.Equal(t, map[control.Colour]int{control.Red: 2, control.Amber: 3, control.Green: 2, control.Grey: 2}, v.Count)
	assert.Equal(t, 3, v.Alarms)
	board := v.Systems[5]
	assert.Equal(t, []int{2, 1}, []int{board.Meetings, board.Buttons})
	assert.Equal(t, now.Add(time.Hour), board.Next)
	assert.Equal(t, map[control.StepKey]bool{"enable": true, "domain": true, "provider": true, "consent": false, "mailboxes": true, "rules": false, "systems": true, "button": true}, done(v))

	p.Paused = true
	must(w.centre.SaveProvider(t.Context(), w.admin, p))(t)
	v = must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t)
	assert.Contains(t, v.Systems[5].Why+v.Systems[4].Why, "is paused", "%v", v.Systems)

	must(w.centre.ChangeOrg(t.Context(), w.admin, w.acme.ID, w.acme.Revision, control.OrgChange{Enabled: ptr(false)}))(t)
	v = must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t)
	assert.Equal(t, map[control.Colour]int{control.Grey: 9}, v.Count)
}

// A button is seen when a device has it, not when it was worked out.
func TestFirstButtonIsOnADevice(t *testing.T) {
	w := newWorld(t)
	_, s := w.office(w.provider().ID)
	seen := func() bool {
		return done(must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t))[control.StepButton]
	}
	for name, change := range map[string]func(*control.LiveState){
		"a device that has not called": func(st *control.LiveState) { st.Room.Awaited = true },
		"a device that refuses":        func(st *control.LiveState) { st.Room.UpToDate = false },
	} {
		w.live.states[s.ID] = room(time.Now().UTC())
		assert.True(t, seen())
		w.live.set(s.ID, change)
		assert.False(t, seen(), name)
	}
}

// A company whose calendars are files needs neither a domain nor consent.
func TestStepsWithoutMicrosoft(t *testing.T) {
	w := newWorld(t)
	must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(t)
	v := must(w.centre.Overview(t.Context(), w.admin, w.acme.ID))(t)
	assert.NotContains(t, done(v), control.StepDomain)
	assert.NotContains(t, done(v), control.StepConsent)
}

func done(v control.Overview) map[control.StepKey]bool {
	out := map[control.StepKey]bool{}
	for _, s := range v.Steps {
		out[s.Key] = s.Done
	}
	return out
}

func TestSystemLive(t *testing.T) {
	w := newWorld(t)
	_, s := w.office(w.provider().ID)
	now := time.Now().UTC().Truncate(time.Second)
	w.live.states[s.ID] = room(now)
	v := must(w.centre.SystemLive(t.Context(), w.admin, s.ID))(t)
	require.Len(t, v.Screen, 2)
	assert.False(t, v.SubjectsHidden)
	assert.Equal(t, "Budget", v.Screen[0].Title)
	assert.Equal(t, "Ann", v.Screen[0].Organizer)
	assert.Equal(t, now.Add(55*time.Minute), v.Screen[0].JoinFrom)
	assert.NotContains(t, v.Screen[0].Dial, "445566")
	require.Len(t, v.NoButton, 1)
	assert.Equal(t, "Lunch", v.NoButton[0].Title)
	assert.Len(t, v.Skipped, 1)
	assert.Len(t, v.Sources, 1)
	assert.Equal(t, control.Green, v.Colour)

	// Before a device has answered nobody knows what it can dial.
	cannot := func(st *control.LiveState) {
		st.Room.NoButton[0].Reason, st.Room.NoButton[0].Text = otj.CannotDial, "it cannot"
	}
	w.live.set(s.ID, cannot)
	assert.Equal(t, "it cannot", must(w.centre.SystemLive(t.Context(), w.admin, s.ID))(t).NoButton[0].Text)
	for name, change := range map[string]func(*control.LiveState){
		"never shown": func(st *control.LiveState) { st.Room.Shown = time.Time{} }, "has not called": func(st *control.LiveState) { st.Room.Awaited = true },
	} {
		w.live.states[s.ID] = room(now)
		w.live.set(s.ID, cannot)
		w.live.set(s.ID, change)
		assert.Contains(t, must(w.centre.SystemLive(t.Context(), w.admin, s.ID))(t).NoButton[0].Text, "it cannot; what it can dial is not known", name)
	}
	w.live.states[s.ID] = room(now)

	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	v = must(w.centre.SystemLive(t.Context(), weak, s.ID))(t)
	assert.True(t, v.SubjectsHidden)
	assert.Empty(t, v.Screen[0].Title)
	assert.Empty(t, v.Screen[0].Organizer)
	assert.Empty(t, v.NoButton[0].Title)
	assert.Equal(t, "zoom", v.Screen[0].Service)

	// Without a service the page still has an answer.
	w2 := newWorld(t, func(o *control.Options) { o.Live = nil })
	_, s2 := w2.office(w2.provider().ID)
	v = must(w2.centre.SystemLive(t.Context(), w2.admin, s2.ID))(t)
	assert.Equal(t, control.Amber, v.Colour)
	assert.ErrorIs(t, w2.centre.Wake(t.Context(), w2.admin, s2.ID), control.ErrNoService)
}

// What a partner's user sees of meetings is for the company to say, and to know.
func TestPartnersSubjects(t *testing.T) {
	w := newWorld(t)
	msp := newPartner(t, w)
	s := msp.system
	w.live.states[s.ID] = room(time.Now().UTC())
	v := must(w.centre.SystemLive(t.Context(), msp.boss, s.ID))(t)
	assert.True(t, v.SubjectsHidden)
	looks := func() (n int) {
		for _, e := range must(w.centre.Audit(t.Context(), msp.boss, msp.company.ID, "", 200))(t).Items {
			if e.What == "subjects seen" {
				n++
				assert.Equal(t, s.ID, e.ObjectID)
				assert.Equal(t, msp.boss.User.Email, e.User)
			}
		}
		return n
	}
	assert.Zero(t, looks())

	o := must(w.centre.Org(t.Context(), msp.boss, msp.company.ID))(t)
	must(w.centre.ChangeOrg(t.Context(), msp.local, o.ID, o.Revision, control.OrgChange{PartnerSeesSubjects: ptr(true)}))(t)
	v = must(w.centre.SystemLive(t.Context(), msp.boss, s.ID))(t)
	assert.Equal(t, "Budget", v.Screen[0].Title)
	must(w.centre.SystemLive(t.Context(), msp.boss, s.ID))(t)
	assert.Equal(t, 1, looks(), "one entry for an hour of looking")
	must(w.centre.SystemLive(t.Context(), msp.local, s.ID))(t)
	assert.Equal(t, 1, looks(), "the company's own users are not logged")
}

func TestAskingTheDevice(t *testing.T) {
	w := newWorld(t)
	_, s := w.office(w.provider().ID)
	ctx := t.Context()
	good := control.TestMeeting{Join: "sip:test@example.com"}

	// The service does not keep the system yet.
	_, err := w.centre.TestMeeting(ctx, w.admin, s.ID, good)
	assert.Equal(t, []string{"system"}, fieldsOf(t, err))
	assert.Equal(t, []string{"system"}, fieldsOf(t, w.centre.Wake(ctx, w.admin, s.ID)))

	w.live.states[s.ID] = room(time.Now())
	require.NoError(t, w.centre.Wake(ctx, w.admin, s.ID))
	assert.Equal(t, []string{s.ID}, w.live.woken)
	assert.Len(t, must(w.centre.SystemSetup(ctx, w.admin, s.ID))(t), 1)
	w.live.findings[s.ID] = []readiness.Finding{{Check: "device", Result: readiness.Pass}, {Check: "clock", Result: readiness.Fail}}
	assert.Equal(t, "clock", must(w.centre.CheckSystem(ctx, w.admin, s.ID))(t)[0].Check, "the worst first")

	shown := must(w.centre.TestMeeting(ctx, w.admin, s.ID, good))(t)
	require.Len(t, w.live.tests, 1)
	sent := w.live.tests[0]
	assert.True(t, shown.Test)
	assert.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, sent.ID)
	assert.Equal(t, "One-Touch Join test", sent.Title)
	assert.Equal(t, 10*time.Minute, sent.End.Sub(sent.Start))
	log := must(w.centre.Audit(ctx, w.admin, w.acme.ID, "", 1))(t)
	assert.Equal(t, "test meeting sent", log.Items[0].What)

	// What the device or the service says is what a test is for.
	for _, c := range []struct {
		err  error
		text string
	}{
		{control.ErrUnread, "has not been read yet"},
		{&otj.EndpointError{Op: "connect", Endpoint: "fjord", Err: otj.ErrUnreachable}, "device unreachable"},
	} {
		w.live.refuses = c.err
		_, err := w.centre.TestMeeting(ctx, w.admin, s.ID, good)
		assert.Equal(t, []string{"system"}, fieldsOf(t, err))
		assert.ErrorContains(t, err, c.text)
	}
	w.live.refuses = nil
	stopped, stop := context.WithCancel(ctx)
	stop()
	w.live.refuses = context.Canceled
	assert.ErrorIs(t, second(w.centre.TestMeeting(stopped, w.admin, s.ID, good)), context.Canceled)
	w.live.refuses = nil

	w.live.dials = func(a rules.Address) bool { return a.Scheme == rules.SIP }
	for name, c := range map[string]struct {
		m     control.TestMeeting
		field string
	}{
		"no address":  {control.TestMeeting{}, "join"},
		"no scheme":   {control.TestMeeting{Join: "test@example.com"}, "join"},
		"script":      {control.TestMeeting{Join: "javascript:alert(1)"}, "join"},
		"line break":  {control.TestMeeting{Join: "sip:a@b.example\r\nX: y"}, "join"},
		"cannot dial": {control.TestMeeting{Join: "h323:a@b.example"}, "join"},
		"too long":    {control.TestMeeting{Join: good.Join, Minutes: 61}, "minutes"},
		"title":       {control.TestMeeting{Join: good.Join, Title: "a\x00b"}, "title"},
	} {
		_, err := w.centre.TestMeeting(ctx, w.admin, s.ID, c.m)
		assert.Equal(t, []string{c.field}, fieldsOf(t, err), name)
	}

	s = must(w.centre.PauseSystem(ctx, w.admin, s.ID, s.Revision, true))(t)
	assert.True(t, s.Paused)
	_, err = w.centre.TestMeeting(ctx, w.admin, s.ID, good)
	assert.Equal(t, []string{"system"}, fieldsOf(t, err))
	_, err = w.centre.PauseSystem(ctx, w.admin, s.ID, s.Revision+5, false)
	assert.ErrorIs(t, err, control.ErrStale)

	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	assert.ErrorIs(t, w.centre.Wake(ctx, weak, s.ID), control.ErrDenied)
	assert.ErrorIs(t, second(w.centre.TestMeeting(ctx, weak, s.ID, good)), control.ErrDenied)
	assert.ErrorIs(t, second(w.centre.CheckSystem(ctx, weak, s.ID)), control.ErrDenied)
	must(w.centre.SystemSetup(ctx, weak, s.ID))(t)
}

func TestFirewallTellsNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	w.office(w.provider().ID)
	w.live.network = readiness.Network{
		Service: "https://otj.example.com", Notifications: true, Webex: "https://webexapis.com",
		Calendars: []string{"https://graph.microsoft.com", "https://calendars.globex.example"}, Pushed: []string{"10.9.9.9", "192.0.2.7:443"},
	}
	table := readiness.Table(must(w.centre.Firewall(t.Context(), w.admin, w.acme.ID))(t))
	assert.Contains(t, table, "graph.microsoft.com")
	assert.Contains(t, table, "192.0.2.7")
	assert.NotContains(t, table, "globex")
	assert.NotContains(t, table, "10.9.9.9")
	assert.NotContains(t, table, "webex")
}

// partnerWorld is a partner with a company that has a system.
type partnerWorld struct {
	boss, local control.Actor // of the partner, of the company
	company     control.Org
	system      control.System
}

// newPartner puts the world's company under a partner: by the store, since a
// company that was there first has none.
func newPartner(t *testing.T, w *world) partnerWorld {
	t.Helper()
	_, s := w.office(w.provider().ID)
	msp := control.Org{Meta: control.Meta{ID: "msp"}, Kind: control.Partner, Name: "Providers Ltd"}
	rewrite(t, w.store, "org", w.acme.ID, "msp", func(o *control.Org) { o.Partner = "msp" })
	insert(t, w.store, "org", "msp", "", "", msp)
	boss := control.User{Meta: control.Meta{ID: "boss"}, Org: "msp", Email: "boss@msp.example", Grants: []control.Grant{
		{Org: "msp", Role: control.Admin}, {Org: "msp", Role: control.AccessAdmin}, {Org: w.acme.ID, Role: control.Admin}, {Org: w.acme.ID, Role: control.OTJAdmin},
	}}
	insert(t, w.store, "user", "boss", "msp", boss.Email, boss)
	return partnerWorld{boss: control.Actor{User: boss}, local: w.admin, company: w.acme, system: s}
}
