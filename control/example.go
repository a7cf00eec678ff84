package control

import (
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Screen is what settings make of an invented day.
type Screen struct {
	// Now is the time that the screen shows, in UTC.
	Now time.Time `json:"now"`
	// Meetings are what the screen shows, by start.
	Meetings []ScreenMeeting `json:"meetings"`
	// NoButton and Skipped say what has no button or is left out, and why. Their
	// titles are those in the calendar.
	NoButton []ScreenNote `json:"no_button"`
	Skipped  []ScreenNote `json:"skipped"`
}

// PreviewScreen shows what settings do, on an invented day that has a meeting of
// every kind that they concern. It needs nobody's role.
func (c *Centre) PreviewScreen(s otj.Settings) (Screen, error) {
	var ck checks
	ck.settings("settings", s)
	if err := ck.err(); err != nil {
		return Screen{}, err
	}
	now := time.Date(2026, 3, 2, 8, 50, 0, 0, time.UTC) // a Monday
	day := exampleDay(now)
	r := otj.Plan(within(day, time.UTC, s.Window(now)), s, nil, nil)
	subjects := map[string]string{}
	for _, ev := range day {
		subjects[ev.ID] = ev.Subject
	}
	out := Screen{Now: now, Meetings: screen(r.Meetings, true), NoButton: notes(r.NoButton, nil), Skipped: notes(r.Skipped, nil)}
	for i, n := range r.NoButton {
		out.NoButton[i].Title = subjects[n.EventID]
	}
	for i, n := range r.Skipped {
		out.Skipped[i].Title = subjects[n.EventID]
	}
	return out, nil
}

// exampleDay is a day of an invented room.
func exampleDay(now time.Time) []calendar.Event {
	at := func(days, hour, minute int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, hour, minute, 0, 0, time.UTC)
	}
	const teams = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_ZXhhbXBsZQ%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-3333-4444-555555555555%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d"
	ann, ben := calendar.Person{Name: "Ann Lee", Email: "ann.lee@example.com"}, calendar.Person{Name: "Ben Okafor", Email: "ben.okafor@example.com"}
	day := []calendar.Event{
		{ID: "budget", Subject: "Budget review", Organizer: ann, Start: at(0, 9, 0), End: at(0, 10, 0), Location: "https://example.zoom.us/j/98765432101"},
		{ID: "appraisal", Subject: "Appraisal", Organizer: ben, Start: at(0, 10, 0), End: at(0, 10, 30), Sensitivity: calendar.Private, Location: teams},
		{ID: "lunch", Subject: "Team lunch", Organizer: ann, Start: at(0, 12, 0), End: at(0, 13, 0)},
		{ID: "untitled", Organizer: ben, Start: at(0, 13, 0), End: at(0, 13, 30), Location: "https://example.webex.com/meet/ben.okafor"},
		{ID: "supplier", Subject: "Supplier call (not confirmed)", Organizer: ann, Start: at(0, 14, 0), End: at(0, 15, 0), Response: calendar.TentativelyAccepted, Location: "sip:supplier@example.com"},
		{ID: "overlap", Subject: "Design sync (overlaps)", Organizer: ben, Start: at(0, 14, 30), End: at(0, 15, 30), Location: "https://meet.google.com/abc-defg-hij"},
		{ID: "fair", Subject: "Fair week (all day)", Organizer: ann, Start: at(0, 0, 0), End: at(1, 0, 0), AllDay: true},
		{ID: "cancelled", Subject: "Cancelled meeting", Organizer: ann, Start: at(0, 16, 0), End: at(0, 17, 0), Status: calendar.Cancelled, Location: "https://example.zoom.us/j/98765432102"},
		{ID: "tomorrow", Subject: "Stand-up (tomorrow)", Organizer: ben, Start: at(1, 9, 0), End: at(1, 9, 15), Location: "https://example.zoom.us/j/98765432103"},
		{ID: "later", Subject: "Board meeting (in ten days)", Organizer: ann, Start: at(10, 9, 0), End: at(10, 12, 0), Location: "https://example.zoom.us/j/98765432104"},
	}
	for i := range day {
		day[i].UID = day[i].ID + "@example.com"
	}
	return day
}
