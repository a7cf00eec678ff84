package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// service is a running service that knows what a test tells it.
type service struct {
	quota    control.Quota
	quotaErr error
	mu       sync.Mutex
	states   map[string]control.LiveState
	events   map[string][]calendar.Event // by mailbox
	findings []readiness.Finding
	steps    []control.SetupStep
	woken    []string
	tests    []otj.Meeting
	hold     chan struct{} // if not nil, calendars are read when it is closed
	asked    chan struct{} // closed when somebody waits for a calendar
	gone     chan struct{} // closed when somebody gave up waiting for one
}

func (s *service) State(system string) (control.LiveState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.states[system]
	if !ok {
		return st, fmt.Errorf("system %s: %w", system, control.ErrNotFound)
	}
	return st, nil
}

func (s *service) Events(ctx context.Context, mailbox string, _ calendar.Window) ([]calendar.Event, error) {
	if s.hold != nil {
		close(s.asked)
		select {
		case <-s.hold:
		case <-ctx.Done():
			close(s.gone)
			return nil, ctx.Err()
		}
	}
	return s.events[mailbox], nil
}

func (s *service) Dials(_ string, a rules.Address) (bool, error) { return a.Scheme == rules.SIP, nil }
func (s *service) Wake(system string) error {
	s.woken = append(s.woken, system)
	return nil
}

func (s *service) Test(_ context.Context, _ string, m otj.Meeting) error {
	s.tests = append(s.tests, m)
	return nil
}

func (s *service) Setup(context.Context, string) ([]control.SetupStep, error) { return s.steps, nil }
func (s *service) Check(context.Context, string) ([]readiness.Finding, error) { return s.findings, nil }
func (s *service) Quota(string) (control.Quota, error)                        { return s.quota, s.quotaErr }
func (s *service) Network() readiness.Network {
	return readiness.Network{Service: "https://otj.acme.example:8443"}
}

// hostile is text that would do harm on a page that does not escape it.
const hostile = `"><img src=x onerror=alert(1)>{{.}}</textarea><script>alert(2)</script>`

// newOffice is a world with a running service, and rooms that are switched on.
func newOffice(t *testing.T, names ...string) (*world, *service, []control.System) {
	live := &service{states: map[string]control.LiveState{}, events: map[string][]calendar.Event{}}
	w := newWorld(t, func(o *control.Options, _ *console.Options) { o.Live = live })
	on := true
	_, err := w.centre.ChangeOrg(t.Context(), w.ann, w.acme.ID, w.acme.Revision, control.OrgChange{Enabled: &on})
	if err != nil { // it may be on from the beginning
		require.ErrorIs(t, err, control.ErrStale)
	}
	p, err := w.centre.SaveProvider(t.Context(), w.ann, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"})
	require.NoError(t, err)
	var systems []control.System
	for i, name := range names {
		m, err := w.centre.SaveMailbox(t.Context(), w.ann, control.Mailbox{Company: w.acme.ID, Provider: p.ID, Address: fmt.Sprintf("room%d@acme.example", i)})
		require.NoError(t, err)
		s, err := w.centre.SaveSystem(t.Context(), w.ann, control.System{Company: w.acme.ID, Name: name, Kind: control.Feed, Mailbox: m.ID, Enabled: true})
		require.NoError(t, err)
		systems = append(systems, s)
	}
	return w, live, systems
}

// full is the state of a room with everything that comes from outside hostile.
func full(now time.Time) control.LiveState {
	return control.LiveState{Agent: hostile, Room: otj.RoomStatus{LastCall: now,
		Planned: now, Shown: now, UpToDate: true,
		Sources: []otj.SourceStatus{{Mailbox: hostile, LastRead: now, Events: 3, Error: hostile}},
		Meetings: []otj.Meeting{
			{ID: "a", Title: "Budget " + hostile, Organizer: calendar.Person{Name: "Ann " + hostile}, Start: now.Add(-time.Minute), End: now.Add(time.Hour),
				Join: rules.Address{Scheme: rules.SIP, URI: "sip:98765432101.445566@zoomcrc.com"}, Service: "zoom", Rule: hostile},
			{ID: "b", Title: "Lunch", Start: now.Add(3 * time.Hour), End: now.Add(4 * time.Hour)},
		},
		NoButton: []otj.Note{{ID: "b", Start: now.Add(3 * time.Hour), End: now.Add(4 * time.Hour), Reason: "no-address", Text: "No address was found. " + hostile}},
		Skipped:  []otj.Note{{ID: "c", Start: now.Add(5 * time.Hour), End: now.Add(6 * time.Hour), Reason: "declined", Text: "The room has declined it."}},
		Alarms:   []otj.Alarm{{Code: "clock-wrong", Text: "Its clock is wrong. " + hostile, Since: now}},
	}}
}

func TestOverviewAndRoom(t *testing.T) {
	w, live, systems := newOffice(t, "Board "+hostile, "Fjord", "Cabin")
	now := time.Now().UTC()
	live.states[systems[0].ID] = full(now)
	good := full(now)
	good.Room.Alarms = nil
	live.states[systems[1].ID] = good
	b := w.signIn("ann@acme.example")
	b.open("")
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	rows := b.at.Find("table.rooms tbody tr")
	require.Equal(t, 3, rows.Length())
	assert.Contains(t, rows.FilterFunction(has("Fjord")).Text(), "Fine")
	assert.Contains(t, rows.FilterFunction(has("Cabin")).Text(), "not taken the system over yet")
	b.follow("1 Fine")
	assert.Equal(t, 1, b.at.Find("table.rooms tbody tr").Length())
	b.open("/o/" + w.acme.ID + "/rooms/" + systems[2].ID)
	assert.Contains(t, b.at.text, "Not known: its calendar has not been read")
	assert.NotContains(t, b.at.text, "The room is free", "nobody knows")
	assert.NotContains(t, b.at.text, "Every meeting on the screen has its button")
	b.open("/o/" + w.acme.ID + "?q=CAB")
	assert.Equal(t, 1, b.at.Find("table.rooms tbody tr").Length())
	b.open("/o/" + w.acme.ID + "?q=nowhere&colour=%22%3E")
	assert.Contains(t, b.at.text, "No room is like that")

	b.open("")
	b.follow(oneLine("Board " + hostile))
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	assert.Contains(t, b.at.Find(".panel .join").Text(), "Join")
	assert.Contains(t, b.at.text, "Budget "+oneLine(hostile))
	assert.Contains(t, b.at.text, "No address was found.")
	assert.Contains(t, b.at.text, "The room has declined it.")
	assert.Contains(t, b.at.text, "clock-wrong")
	assert.NotContains(t, b.at.text, "445566", "passcodes are hidden")
	assert.Contains(t, b.at.text, "On the room's screen now")

	b.send("Read again now", nil)
	assert.Equal(t, []string{systems[0].ID}, live.woken)
	b.send("Send it", map[string][]string{"join": v("mailto:x"), "minutes": v("99")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.Empty(t, live.tests)
	b.send("Send it", map[string][]string{"join": v("sip:test@acme.example"), "minutes": v("5"), "title": v(hostile)})
	assert.Contains(t, b.at.flash(), "stays for 5 minutes", "%v", b.at.problems())
	require.Len(t, live.tests, 1)
	assert.Equal(t, hostile, live.tests[0].Title)

	live.findings = []readiness.Finding{{Check: "device", Subject: hostile, Result: readiness.Fail, Why: hostile, Fix: hostile, Command: hostile}}
	b.send("Check the device", nil)
	assert.Contains(t, b.at.Find("#checked").Text(), "What to do:")
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())

	b.send("Pause", nil)
	assert.Contains(t, b.at.flash(), "paused")
	assert.Contains(t, b.at.Find("#live").Text(), "Off")
	b.send("Resume", nil)
	assert.NotContains(t, b.at.Find("#live").Text(), "Off")
	assert.Equal(t, http.StatusNotFound, b.open("rooms/nothing").status)
}

func TestCertificateThatACheckHasShownIsPinned(t *testing.T) {
	w, live, systems := newOffice(t, "Fjord")
	print := strings.Repeat("ab", 32)
	live.findings = []readiness.Finding{{Check: "device-certificate", Subject: "Fjord", Result: readiness.Fail, Why: "It is not trusted.", Fingerprint: print}}
	b := w.signIn("ann@acme.example")
	b.open("rooms/" + systems[0].ID)
	b.send("Check the device", nil)
	assert.NotContains(t, b.at.text, "Trust this certificate", "such a device is not called")

	m := w.mailbox("cabin@acme.example")
	s, err := w.centre.SaveSystem(t.Context(), w.ann, control.System{Company: w.acme.ID, Name: "Cabin", Kind: control.CiscoHTTPS, Mailbox: m.ID, Host: "192.0.2.7", User: "otj", Enabled: true})
	require.NoError(t, err)
	b.open("rooms/" + s.ID)
	b.send("Check the device", nil)
	b.send("Trust this certificate, and no other", map[string][]string{"fingerprint": v("")})
	assert.Equal(t, http.StatusBadRequest, b.at.status, "no fingerprint would be trust in every authority")
	b.open("rooms/" + s.ID)
	b.send("Check the device", nil)
	assert.Contains(t, b.at.Find("#checked").Text(), print, "it can be compared")
	b.send("Trust this certificate, and no other", nil)
	assert.Contains(t, b.at.flash(), "pinned", "%v", b.at.problems())
	s, err = w.centre.System(t.Context(), w.ann, s.ID)
	require.NoError(t, err)
	assert.Equal(t, print, s.Fingerprint)
}

// What a device does not have is not called what is on its screen, and an error
// is read once.
func TestRoomWhoseDeviceIsBehind(t *testing.T) {
	w, live, systems := newOffice(t, "Fjord", "Cabin")
	now := time.Now().UTC()
	refused := full(now)
	refused.Room.UpToDate, refused.Room.Error = false, "the device refuses the account"
	refused.Room.Alarms = []otj.Alarm{{Code: otj.AlarmUnauthorized, Text: "The device does not show what it should: the device refuses the account"}}
	live.states[systems[0].ID] = refused
	silent := full(now)
	silent.Room.Alarms, silent.Room.Awaited = nil, true
	live.states[systems[1].ID] = silent
	b := w.signIn("ann@acme.example")
	for _, s := range systems {
		b.open("rooms/" + s.ID)
		assert.Contains(t, b.at.text, "What the room's screen should show")
		assert.NotContains(t, b.at.text, "On the room's screen now")
	}
	assert.Contains(t, b.at.text, "has not asked for its meetings yet")
	offered := full(now)
	offered.Room.Alarms, offered.Offered, offered.Room.LastCall = nil, true, now.Add(-time.Minute)
	live.states[systems[1].ID] = offered
	b.open("rooms/" + systems[1].ID)
	assert.Contains(t, b.at.text, "What the room's screen should show")
	assert.Contains(t, b.at.text, "it gets them when it calls next")
	b.open("rooms/" + systems[0].ID)
	assert.Equal(t, 2, strings.Count(b.at.text, "refuses the account"), "as the reason and as the alarm, not a third time")
}

// What is copied of a step is what is entered at the device, without the name of
// its field.
func TestSetupStepsAreCopiedAsTheyAreEntered(t *testing.T) {
	w, live, systems := newOffice(t, "Fjord")
	profile := "<a>\n  <b/>\n</a>"
	live.steps = []control.SetupStep{{Title: "Enter it", Lines: []string{"User name     otj-" + hostile, "calendaruser \"otj\"", profile}}}
	b := w.signIn("ann@acme.example")
	b.open("systems/" + systems[0].ID + "/setup")
	lines := b.at.Find("ol.steps .copy code").Map(func(_ int, s *goquery.Selection) string { return s.Text() })
	assert.Equal(t, []string{"otj-" + hostile, "calendaruser \"otj\"", profile}, lines)
	assert.Contains(t, b.at.Find("ol.steps").Text(), "User name")
}

// A company without rooms is led to the first button; one with rooms of which
// nothing is known says so.
func TestOverviewLeadsThroughTheSetUp(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("")
	steps := b.at.Find("ol.steps > li")
	assert.GreaterOrEqual(t, steps.Length(), 6)
	assert.Equal(t, 1, b.at.Find("ol.steps > li.next").Length())
	steps.Each(func(_ int, s *goquery.Selection) {
		assert.Equal(t, 1, s.Find("a[href]").Length())
	})
}

func TestRoomForThoseWhoMayOnlyRead(t *testing.T) {
	w, live, systems := newOffice(t, "Board")
	live.states[systems[0].ID] = full(time.Now().UTC())
	b := w.signInAs(control.AccessAdmin)
	b.open("")
	assert.Equal(t, http.StatusOK, b.at.status)
	b.open("rooms/" + systems[0].ID)
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.NotContains(t, b.at.text, "Budget")
	assert.NotContains(t, b.at.text, "Ann \"")
	assert.Contains(t, b.at.text, "hidden from you")
	assert.Zero(t, b.at.Find("main form").Length())
	token := b.at.Find("[name=csrf]").AttrOr("value", "")
	for _, do := range []string{"wake", "test", "check"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/rooms/"+systems[0].ID+"/"+do, strings.NewReader("csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		assert.Equal(t, http.StatusForbidden, b.do(req).status, do)
	}
	assert.Empty(t, live.woken)
}

// The overview stays small and lists the worst first, however many rooms there
// are.
func TestOverviewOfAThousandRooms(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("Building %d, floor %d, a room with a long name %04d", i%7, i%9, i)
	}
	w, live, systems := newOffice(t, names...)
	now := time.Now().UTC()
	for i, s := range systems {
		live.states[s.ID] = full(now)
		if i%10 > 0 {
			good := full(now)
			good.Room.Alarms = nil
			live.states[s.ID] = good
		}
	}
	b := w.signIn("ann@acme.example")
	res, err := b.client.Get(w.server.URL + "/o/" + w.acme.ID)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Less(t, len(body), 100<<10)
	b.open("")
	assert.Equal(t, 100, b.at.Find("table.rooms tbody tr").Length())
	seen := 0
	for pages := 0; pages < 20; pages++ {
		seen += b.at.Find("table.rooms tbody tr").Length()
		if b.at.Find(".pager a[rel=next]").Length() == 0 {
			break
		}
		b.follow("Next page")
	}
	assert.Equal(t, 1000, seen)
}
