package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func meeting(id, subject, location string, start time.Time) calendar.Event {
	return calendar.Event{ID: id, UID: id + "@example.com", Subject: subject, Organizer: calendar.Person{Name: "Ann"}, Location: location, Start: start, End: start.Add(time.Hour)}
}

func TestPreviewChange(t *testing.T) {
	w := newWorld(t)
	m, s := w.office(w.provider().ID)
	w.live.states[s.ID] = room(time.Now())
	lab := must(w.centre.SaveMailbox(t.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: m.Provider, Address: "lab@acme.example"}))(t)
	must(w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "Lab", Kind: control.Feed, Mailbox: lab.ID, Enabled: true}))(t)
	must(w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "Off", Kind: control.Feed, Mailbox: lab.ID}))(t)
	w.live.errs[lab.ID] = fmt.Errorf("read the calendar: %w", calendar.ErrUnauthorized)

	hour := time.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	private := meeting("private", "Appraisal", "https://acme.zoom.us/j/98765432101", hour.Add(3*time.Hour))
	private.Sensitivity = calendar.Private
	w.live.events[m.ID] = []calendar.Event{
		meeting("ours", "Bridge", "https://vc.acme.example/room/4711", hour),
		meeting("zoom", "Zoom", "https://acme.zoom.us/j/98765432102", hour.Add(time.Hour)),
		meeting("lunch", "Lunch", "Canteen", hour.Add(2*time.Hour)),
		private,
		meeting("far", "Far away", "https://acme.zoom.us/j/98765432103", hour.AddDate(0, 0, 20)),
	}
	draft := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	preview := func() control.Change {
		t.Helper()
		return must(w.centre.PreviewChange(t.Context(), w.admin, draft, nil))(t)
	}
	v := preview()
	assert.Empty(t, v.Count)
	assert.Equal(t, 2, v.Looked)
	assert.Equal(t, 4, v.Meetings)
	require.Len(t, v.Rooms, 1)
	assert.Equal(t, "Lab", v.Rooms[0].Name)
	assert.NotEmpty(t, v.Rooms[0].Error)

	draft.Rules = `[
	{"name": "bridge", "priority": 1, "type": "regex_re2", "match": "vc\\.acme\\.example/room/(\\d+)", "replace": "\\1@vc.acme.example"},
	{"name": "other zoom", "priority": 2, "type": "regex_re2", "match": "zoom\\.us/j/(\\d+)", "replace": "\\1@gateway.acme.example"}
]`
	draft.Settings.NonVideo = false
	draft.Settings.PrivateButton = false
	draft.Settings.DaysAhead = 30
	draft.Settings.ReplaceSubject = otj.ReplaceAll
	draft.Settings.SubjectTemplate = "Meeting of {{organizer_name}}"
	var steps []string
	v, err := w.centre.PreviewChange(t.Context(), w.admin, draft, func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) })
	require.NoError(t, err)
	assert.Equal(t, []string{"0/2", "1/2", "2/2"}, steps)
	assert.Equal(t, map[control.ChangeWhat]int{
		control.ButtonGained: 1, control.ButtonChanged: 1, control.ButtonLost: 1, control.Vanishes: 1, control.Appears: 1, control.TitleChanged: 3,
	}, v.Count)
	require.Len(t, v.Rooms, 2)
	board := v.Rooms[0]
	assert.Equal(t, "Boardroom", board.Name)
	require.Len(t, board.Meetings, 5)
	assert.Equal(t, []control.ChangeWhat{control.ButtonGained, control.TitleChanged}, board.Meetings[0].What)
	assert.Equal(t, "sip:4711@vc.acme.example", board.Meetings[0].After.Dial)
	assert.Equal(t, "Bridge", board.Meetings[0].Before.Title)
	assert.Equal(t, "Meeting of Ann", board.Meetings[0].After.Title)
	assert.Contains(t, board.Meetings[2].Why, "without an address are not shown")
	assert.Contains(t, board.Meetings[3].Why, "private")
	assert.Empty(t, must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t).Rules, "nothing is stored")

	draft.Rules = "[{]"
	_, err = w.centre.PreviewChange(t.Context(), w.admin, draft, nil)
	assert.Equal(t, []string{"rules"}, fieldsOf(t, err))

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	draft.Rules = ""
	_, err = w.centre.PreviewChange(gone, w.admin, draft, nil)
	assert.ErrorIs(t, err, context.Canceled)

	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	_, err = w.centre.PreviewChange(t.Context(), weak, draft, nil)
	assert.ErrorIs(t, err, control.ErrDenied)
	weak.Scopes = []control.Action{control.ReadCompany, control.Configure}
	v = must(w.centre.PreviewChange(t.Context(), weak, draft, nil))(t)
	assert.True(t, v.SubjectsHidden)
	assert.NotContains(t, fmt.Sprintf("%+v", v), "Bridge")
}

// A group's own settings stay when those of the company change.
func TestPreviewChangeOfGroups(t *testing.T) {
	w := newWorld(t)
	m, s := w.office(w.provider().ID)
	yes := true
	g := must(w.centre.SaveGroup(t.Context(), w.admin, control.Group{Company: w.acme.ID, Name: "Oslo", Settings: &control.OwnSettings{NonVideo: &yes}}))(t)
	s.Group = g.ID
	must(w.centre.SaveSystem(t.Context(), w.admin, s))(t)
	w.live.events[m.ID] = []calendar.Event{meeting("lunch", "Lunch", "Canteen", time.Now().UTC().Add(time.Hour))}
	draft := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	draft.Settings.NonVideo = false
	v := must(w.centre.PreviewChange(t.Context(), w.admin, draft, nil))(t)
	assert.Empty(t, v.Count)
	assert.Equal(t, 1, v.Meetings)
	// What the group does not decide, the company does.
	draft.Settings.StartBuffer = 42
	v = must(w.centre.PreviewChange(t.Context(), w.admin, draft, nil))(t)
	assert.Equal(t, map[control.ChangeWhat]int{control.TimesChanged: 1}, v.Count)
}

// An all-day event of a calendar that gives dates is a day of the room.
func TestPreviewChangeOfAllDay(t *testing.T) {
	w := newWorld(t)
	m, _ := w.office(w.provider().ID)
	zone := must(time.LoadLocation("America/Los_Angeles"))(t)
	year, month, day := time.Now().In(zone).Date()
	ev := meeting("open", "Open day", "https://acme.zoom.us/j/98765432101", time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
	ev.AllDay, ev.End = true, ev.Start.AddDate(0, 0, 1)
	w.live.events[m.ID] = []calendar.Event{ev}
	stored := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	stored.TimeZone, stored.Settings.AllDay = zone.String(), otj.ShowAll
	draft := must(w.centre.SaveProcessing(t.Context(), w.admin, stored))(t)
	draft.Settings.ReplaceSubject = otj.ReplaceAll
	v := must(w.centre.PreviewChange(t.Context(), w.admin, draft, nil))(t)
	require.Len(t, v.Rooms, 1)
	require.Len(t, v.Rooms[0].Meetings, 1)
	assert.True(t, v.Rooms[0].Meetings[0].Before.Start.Equal(time.Date(year, month, day, 0, 0, 0, 0, zone)))
}

func TestPreviewScreen(t *testing.T) {
	w := newWorld(t)
	titles := func(change func(*otj.Settings)) string {
		s := otj.DefaultSettings()
		change(&s)
		v := must(w.centre.PreviewScreen(s))(t)
		var out []string
		for _, m := range v.Meetings {
			mark := "-"
			if m.Button {
				mark = "+"
			}
			out = append(out, mark+m.Title)
		}
		return strings.Join(out, ", ")
	}
	plain := titles(func(*otj.Settings) {})
	assert.Equal(t, "+Budget review, +Ben Okafor, -Team lunch, +Ben Okafor, +Supplier call (not confirmed), +Design sync (overlaps), +Stand-up (tomorrow)", plain)
	// Every setting is seen.
	for name, change := range map[string]func(*otj.Settings){
		"days_ahead":            func(s *otj.Settings) { s.DaysAhead = 0 },
		"non_video":             func(s *otj.Settings) { s.NonVideo = false },
		"private":               func(s *otj.Settings) { s.Private = false },
		"private_button":        func(s *otj.Settings) { s.PrivateButton = false },
		"replace_subject":       func(s *otj.Settings) { s.ReplaceSubject = otj.ReplaceNever },
		"subject_template":      func(s *otj.Settings) { s.SubjectTemplate = "Private" },
		"replace_empty_subject": func(s *otj.Settings) { s.ReplaceEmptySubject = false },
		"tentative":             func(s *otj.Settings) { s.Tentative = false },
		"all_day":               func(s *otj.Settings) { s.AllDay = otj.ShowAll },
		"overlapping":           func(s *otj.Settings) { s.Overlapping = false },
	} {
		assert.NotEqual(t, plain, titles(change), name)
	}
	v := must(w.centre.PreviewScreen(otj.DefaultSettings()))(t)
	require.Len(t, v.NoButton, 1)
	assert.Equal(t, "Team lunch", v.NoButton[0].Title)
	s := otj.DefaultSettings()
	s.StartBuffer = 181
	_, err := w.centre.PreviewScreen(s)
	assert.Equal(t, []string{"settings"}, fieldsOf(t, err))
}

// BenchmarkPreviewChange looks at 10,000 meetings that have been read, in 100
// rooms, with rules and settings that differ.
func BenchmarkPreviewChange(b *testing.B) {
	w := newWorld(b)
	provider := must(w.centre.SaveProvider(b.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(b)
	body := strings.Repeat("<p>Dear colleagues, please find below what we want to talk about.</p>\r\n", 40)
	for i := range 100 {
		m := must(w.centre.SaveMailbox(b.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: provider.ID, Address: fmt.Sprintf("room%d@acme.example", i)}))(b)
		must(w.centre.SaveSystem(b.Context(), w.admin, control.System{Company: w.acme.ID, Name: fmt.Sprint("Room ", i), Kind: control.Feed, Mailbox: m.ID, Enabled: true}))(b)
		for j := range 100 {
			ev := meeting(fmt.Sprint(i, "-", j), "Weekly", "", time.Now().UTC().Add(time.Duration(j)*time.Hour))
			ev.Body.HTML = fmt.Sprintf(`%s<a href="https://acme.zoom.us/j/987%08d?pwd=abcdef">Join</a><p>Meeting ID: 987 %08d<br>Passcode: 123456</p>`, body, i*100+j, i*100+j)
			w.live.events[m.ID] = append(w.live.events[m.ID], ev)
		}
	}
	draft := must(w.centre.Processing(b.Context(), w.admin, w.acme.ID))(b)
	draft.Rules = `[{"name": "zoom", "priority": 1, "type": "zoom"}, {"name": "bridge", "priority": 2, "type": "regex_re2", "match": "vc\\.acme\\.example/room/(\\d+)", "replace": "\\1@vc.acme.example"}]`
	draft.Settings.StartBuffer = 10
	b.ReportAllocs()
	for b.Loop() {
		v, err := w.centre.PreviewChange(b.Context(), w.admin, draft, nil)
		if err != nil || v.Meetings != 10_000 {
			b.Fatal(v.Meetings, err)
		}
	}
}
