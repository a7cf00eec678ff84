package browsertest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// service is a running service that knows what the test tells it.
type service struct {
	states map[string]control.LiveState
	events []calendar.Event
}

func (s *service) State(system string) (control.LiveState, error) {
	st, ok := s.states[system]
	if !ok {
		return st, fmt.Errorf("system %s: %w", system, control.ErrNotFound)
	}
	return st, nil
}

func (s *service) Events(context.Context, string, calendar.Window) ([]calendar.Event, error) {
	return s.events, nil
}
func (s *service) Dials(string, rules.Address) (bool, error)                  { return true, nil }
func (s *service) Wake(string) error                                          { return nil }
func (s *service) Test(context.Context, string, otj.Meeting) error            { return nil }
func (s *service) Setup(context.Context, string) ([]control.SetupStep, error) { return nil, nil }
func (s *service) Check(context.Context, string) ([]readiness.Finding, error) {
	return []readiness.Finding{readiness.Device("Fjord", nil), readiness.Clock("Fjord", true, false)}, nil
}
func (s *service) Quota(string) (control.Quota, error) { return control.Quota{}, control.ErrNotFound }
func (s *service) Network() readiness.Network {
	return readiness.Network{Service: "https://otj.fabrikam.example", Calling: true}
}

const threeRules = `[
	// Everything at our own bridge.
	{"name": "Our bridge", "type": "domain", "priority": 10, "domain": "video.fabrikam.example"},
	{"name": "Zoom", "type": "zoom", "priority": 20, "domain": "zoom.fabrikam.example"},
	{"name": "Old rooms", "type": "regex_re2", "priority": 30, "match": "room-(\\d+)", "replace": "\\1@old.fabrikam.example", "disabled": true},
]
`

// TestPagesOfRunningRooms looks at the pages that show what rooms do now and what
// rules and settings make of it, and tries what needs script: dragging, and the
// screen that follows the settings.
func TestPagesOfRunningRooms(t *testing.T) {
	live := &service{states: map[string]control.LiveState{}}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	centre, err := control.New(new(storetest.Memory), keys, &control.Options{Resolver: zone{}, Folders: []string{"/srv"}, Live: live})
	require.NoError(t, err)
	site := httptest.NewTLSServer(console.New(centre, &console.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6})}))
	t.Cleanup(site.Close)
	ctx := t.Context()
	org, user, err := centre.Setup(ctx, control.Company, "Fabrikam", "ann@fabrikam.example", "Ann Lee")
	require.NoError(t, err)
	ann := control.Actor{User: user}
	secret, err := centre.SignInLink(ctx, "ann@fabrikam.example")
	require.NoError(t, err)
	b := newTab(t)
	b.open(site.URL + console.SignInPath(secret))
	b.click("Sign in")
	at := site.URL + "/o/" + org.ID
	b.open(at)
	b.look("overview-setup")

	provider, err := centre.SaveProvider(ctx, ann, control.Provider{Company: org.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars"})
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Minute)
	for i, name := range []string{"Fjord", "Cabin", "Pier", "Loft", "Harbour, third floor"} {
		m, err := centre.SaveMailbox(ctx, ann, control.Mailbox{Company: org.ID, Provider: provider.ID, Address: fmt.Sprintf("room%d@fabrikam.example", i)})
		require.NoError(t, err)
		s, err := centre.SaveSystem(ctx, ann, control.System{Company: org.ID, Name: name, Kind: control.Feed, Mailbox: m.ID, Enabled: i != 3})
		require.NoError(t, err)
		live.states[s.ID] = roomNow(now, i)
	}
	live.events = []calendar.Event{{ID: "1", UID: "1", Subject: "Sales", Organizer: calendar.Person{Name: "Eve Holm", Email: "eve@fabrikam.example"},
		Start: now.Add(time.Hour), End: now.Add(2 * time.Hour), Location: "https://fabrikam.zoom.us/j/98765432101?pwd=SeCrEt12"}}
	p, err := centre.Processing(ctx, ann, org.ID)
	require.NoError(t, err)
	p.Rules = threeRules
	_, err = centre.SaveProcessing(ctx, ann, p)
	require.NoError(t, err)

	b.open(at)
	b.look("overview-rooms")
	b.click("Fjord")
	b.look("room-live")
	b.click("Check the device")
	b.look("room-checked")
	b.open(at + "/alarms")
	b.look("alarms")
	b.open(at + "/readiness")
	b.look("readiness")
	b.fill("group", "otj-rooms@fabrikam.example")
	b.fill("app_id", "11111111-2222-3333-4444-555555555555")
	b.click("Make the scripts")
	b.look("readiness-scripts")
	b.open(at + "/readiness")
	b.click("Check everything now")
	b.do(chromedp.WaitVisible(".finding"))
	b.look("readiness-checked")

	b.open(at + "/rules")
	b.look("rules-list")
	// The third rule is dragged onto the first.
	b.load(chromedp.Evaluate[chromedp.Void](`(() => {
		const [first, , third] = document.querySelectorAll("tr[data-at]");
		const data = new DataTransfer();
		const fire = (on, type) => on.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
		fire(third, "dragstart"); fire(first, "dragover"); fire(first, "drop"); fire(third, "dragend");
	})()`))
	assert.Equal(t, []string{"Old rooms", "Our bridge", "Zoom"}, run[[]string](b, `[...document.querySelectorAll("tr[data-at] th")].map(e => e.firstChild.textContent.trim())`))
	run[bool](b, `(document.getElementById("f-invite").value = "Join at https://fabrikam.zoom.us/j/98765432101?pwd=SeCrEt12", true)`)
	b.click("Try it")
	b.look("rules-tried")
	b.click("Edit Zoom")
	b.look("rule-edit")
	b.click("Cancel")
	b.click("Edit as text")
	b.look("rules-text")
	b.click("Back to the list")
	b.click("Delete Zoom")
	b.click("What would change today")
	b.do(chromedp.WaitVisible(".work .findings"))
	b.look("rules-change")
	b.click("Save it like this")

	b.open(at + "/settings")
	b.look("settings-example")
	assert.Contains(t, run[string](b, `document.querySelector("#preview .panel").innerText`), "Budget review")
	b.fill("replace_subject", "ALL")
	_, err = chromedp.Run(b.ctx, chromedp.Poll[bool](`!document.querySelector("#preview .panel").innerText.includes("Budget review")`))
	require.NoError(t, err)
	b.sound()
	assert.Contains(t, centreRules(t, centre, ann, org.ID), "Old rooms")
}

func centreRules(t *testing.T, c *control.Centre, actor control.Actor, company string) string {
	p, err := c.Processing(t.Context(), actor, company)
	require.NoError(t, err)
	return p.Rules
}

// roomNow is the state of a room: some have alarms.
func roomNow(now time.Time, i int) control.LiveState {
	in := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	st := control.LiveState{Agent: "RoomOS/11.14", Room: otj.RoomStatus{LastCall: now,
		Planned: now, Shown: now, UpToDate: true,
		Sources: []otj.SourceStatus{{Mailbox: fmt.Sprintf("room%d@fabrikam.example", i), LastRead: now, NextRead: in(1), Events: 14}},
		Meetings: []otj.Meeting{
			{ID: "a", Title: "Budget review", Organizer: calendar.Person{Name: "Ann Lee"}, Start: in(-3), End: in(57), StartBuffer: 5 * time.Minute,
				Join: rules.Address{Scheme: rules.SIP, URI: "sip:98765432101.445566@zoomcrc.com"}, Service: "zoom"},
			{ID: "b", Title: "Team lunch", Organizer: calendar.Person{Name: "Ben Okafor"}, Start: in(120), End: in(180)},
			{ID: "c", Title: "Ann Lee", Private: true, Organizer: calendar.Person{Name: "Ann Lee"}, Start: in(200), End: in(240), StartBuffer: 5 * time.Minute,
				Join: rules.Address{Scheme: rules.SIP, URI: "sip:teams@m.webex.com"}, Service: "teams"},
		},
		NoButton: []otj.Note{{ID: "b", Start: in(120), End: in(180), Reason: "no-address", Text: "No address was found in the invite."}},
		Skipped:  []otj.Note{{ID: "d", Start: in(300), End: in(360), Reason: "declined", Text: "The room has declined it."}},
	}}
	switch i {
	case 1:
		st.Room.Alarms = []otj.Alarm{{Code: otj.AlarmUnreachable, Text: "The device does not answer. See whether it is on.", Since: in(-44)}}
	case 2:
		st.Room.Alarms = []otj.Alarm{{Code: otj.AlarmNotify, Text: "The calendar system does not tell of changes; it is read every minute.", Since: in(-400)}}
	}
	return st
}
