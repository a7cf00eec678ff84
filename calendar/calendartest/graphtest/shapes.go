package graphtest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Shape is one of the forms in which meetings stand in the mailboxes of rooms,
// and what a provider has to make of it.
type Shape struct {
	Name string
	add  func(m *Mailbox, day time.Time) error
	want func(day time.Time) []calendar.Event
}

// Add puts the meeting into a mailbox, on a day: a midnight in UTC. The mailbox
// should have nothing else on that day.
func (s Shape) Add(m *Mailbox, day time.Time) error { return s.add(m, day) }

// Window is the day.
func (Shape) Window(day time.Time) calendar.Window {
	return calendar.Window{From: day, To: day.AddDate(0, 0, 1)}
}

// Want returns the events of the day. IDs, revisions and times of change are the
// server's, and left out; a SeriesID that is not empty stands for any.
func (s Shape) Want(day time.Time) []calendar.Event { return s.want(day) }

// Check compares the events that a provider returned for the day with those that
// it should have. Each must have an ID, a revision and a time of change.
func (s Shape) Check(got []calendar.Event, day time.Time) error {
	want := s.want(day)
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d events, and not %d", s.Name, len(got), len(want))
	}
	var errs []error
	for i, g := range got {
		if g.ID == "" || g.Revision == "" || g.Modified.IsZero() {
			errs = append(errs, fmt.Errorf("%s: event %d has no ID, no revision or no time of change", s.Name, i))
		}
		w := want[i]
		if (g.SeriesID == "") != (w.SeriesID == "") {
			errs = append(errs, fmt.Errorf("%s: event %d has the SeriesID %q", s.Name, i, g.SeriesID))
		}
		g.ID, g.SeriesID, g.Revision, g.Modified = w.ID, w.SeriesID, w.Revision, w.Modified
		g.Start, g.End, w.Start, w.End = g.Start.UTC(), g.End.UTC(), w.Start.UTC(), w.End.UTC()
		gv, wv := reflect.ValueOf(g), reflect.ValueOf(w)
		for f := range gv.NumField() {
			if a, b := gv.Field(f).Interface(), wv.Field(f).Interface(); !reflect.DeepEqual(a, b) {
				errs = append(errs, fmt.Errorf("%s: event %d: %s is %#v, and not %#v", s.Name, i, gv.Type().Field(f).Name, a, b))
			}
		}
	}
	return errors.Join(errs...)
}

const (
	teamsLink = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Zm9yIHRlc3RzIG9ubHk%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-4333-8444-555555555555%22%7d"
	zoomLink  = "https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1"
	skypeLink = "https://meet.lync.example/contoso/mara/7Q2B9K1F"
)

func teamsBody(text, link string) string {
	return "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body><p>" + text +
		"</p><div class=\"me-email-text\"><span>Microsoft Teams</span><br><a href=\"" + link + "\">Join the meeting now</a><br>Meeting ID: 212 345 678 901<br>Passcode: Fj7Gk2</div></body></html>"
}

// series makes the UID of a series, or that of one of its days as Exchange has it.
func series(n int) string {
	return fmt.Sprintf("%s00000000%016X%016X%s%032X", outlookUID, 0xA0B1C2D3E4F50000+uint64(n), 0, "10000000", n) //nolint:gosec // small
}

// Shapes returns all of them.
func Shapes() []Shape {
	mara := calendar.Person{Name: "Mara Lindqvist", Email: "mara.lindqvist@example.com"}
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		oslo = time.UTC // where there is no zone database
	}
	hour := func(day time.Time, h int) time.Time { return day.Add(time.Duration(h) * time.Hour) }
	// event is what all have in common, from 9 to 10.
	event := func(day time.Time) Event {
		return Event{Subject: "Weekly planning", Start: hour(day, 9), End: hour(day, 10), Organizer: mara, Response: calendar.Accepted,
			Attendees: []calendar.Person{{Name: "Ines Calder", Email: "ines.calder@example.com"}}, Location: "Fjord", LocationURI: "fjord@example.com"}
	}
	want := func(day time.Time) calendar.Event {
		return calendar.Event{Subject: "Weekly planning", Start: hour(day, 9), End: hour(day, 10), Organizer: mara, Response: calendar.Accepted, Location: "Fjord"}
	}
	teams := func(e *Event) {
		e.JoinURL, e.HTML = teamsLink, teamsBody("Agenda", teamsLink)
		e.Location = "Fjord; Microsoft Teams Meeting"
	}
	wantTeams := func(w *calendar.Event) {
		w.Links = []calendar.Link{{URI: teamsLink, Source: calendar.SourceOnlineMeeting}}
		w.Body.HTML, w.Location = teamsBody("Agenda", teamsLink), "Fjord; Microsoft Teams Meeting"
	}
	single := func(name string, n int, e func(*Event), w func(*calendar.Event)) Shape {
		return Shape{name, func(m *Mailbox, day time.Time) error {
			in := event(day)
			in.UID = series(n)
			e(&in)
			m.AddSingle(in)
			return nil
		}, func(day time.Time) []calendar.Event {
			out := want(day)
			out.UID = series(n)
			w(&out)
			return []calendar.Event{out}
		}}
	}
	// weekly is a Teams series of which something happens to the day's occurrence.
	weekly := func(name string, n, weeks int, r Recurrence, zone *time.Location, day1 func(m *Mailbox, id string, day time.Time) error, w func(*calendar.Event, time.Time)) Shape {
		return Shape{name, func(m *Mailbox, day time.Time) error {
			in := event(day.AddDate(0, 0, -7*weeks))
			in.UID = series(n)
			teams(&in)
			y, mo, d := in.Start.Date()
			in.Start, in.End = time.Date(y, mo, d, 12, 0, 0, 0, zone), time.Date(y, mo, d, 13, 0, 0, 0, zone)
			id, err := m.AddSeries(in, r)
			if err != nil {
				return err
			}
			if id, err = m.Occurrence(id, hour(day, 12)); err != nil || day1 == nil {
				return err
			}
			return day1(m, id, day)
		}, func(day time.Time) []calendar.Event {
			out := want(day)
			y, mo, d := day.Date()
			out.UID, out.SeriesID = series(n), "any"
			out.Start, out.End = time.Date(y, mo, d, 12, 0, 0, 0, zone), time.Date(y, mo, d, 13, 0, 0, 0, zone)
			wantTeams(&out)
			if w != nil {
				w(&out, day)
			}
			return []calendar.Event{out}
		}}
	}
	forward := "<html><body><p>For the room, please.</p><hr><b>From:</b> Jo Park &lt;jo@partner.example&gt;<br><b>Subject:</b> Supplier review<br>" +
		"<p>Join: <a href=\"" + zoomLink + "\">" + zoomLink + "</a></p></body></html>"
	zoomBody := "<html><body><p>Mara Lindqvist is inviting you to a scheduled Zoom meeting.</p><p><a href=\"" + zoomLink + "\">" + zoomLink +
		"</a><br>Meeting ID: 811 7700 3344<br>Passcode: 271828</p></body></html>"
	const confidential = "<html><body><p>Terms of the offer, not for the screen</p></body></html>"

	return []Shape{
		single("single", 1, func(e *Event) { e.HTML = "<p>Agenda</p>" }, func(w *calendar.Event) { w.Body.HTML = "<p>Agenda</p>" }),
		weekly("occurrence", 2, 1, Recurrence{Type: "weekly", Count: 4}, time.UTC, nil, nil),
		weekly("exception", 3, 2, Recurrence{Type: "weekly", Count: 4}, time.UTC,
			func(m *Mailbox, id string, day time.Time) error { return m.Move(id, hour(day, 15)) },
			func(w *calendar.Event, day time.Time) { w.Start, w.End = hour(day, 15), hour(day, 16) }),
		weekly("cancelled occurrence", 4, 1, Recurrence{Type: "weekly", Count: 4}, time.UTC,
			func(m *Mailbox, id string, _ time.Time) error {
				return m.Edit(id, func(e *Event) { e.Cancelled, e.Subject, e.ShowAs = true, "Canceled: Weekly planning", "free" })
			},
			func(w *calendar.Event, _ time.Time) {
				w.Status, w.Subject = calendar.Cancelled, "Canceled: Weekly planning"
			}),
		single("all day", 5, func(e *Event) {
			e.AllDay, e.Subject = true, "Open house"
			e.Start, e.End = hour(e.Start, -9), hour(e.Start, 15)
		}, func(w *calendar.Event) {
			w.AllDay, w.Subject = true, "Open house"
			w.Start, w.End = hour(w.Start, -9), hour(w.Start, 15)
		}),
		single("private with body", 6, func(e *Event) {
			e.Sensitivity, e.Subject, e.HTML = calendar.Private, "Offer", confidential
		}, func(w *calendar.Event) {
			w.Sensitivity, w.Subject, w.Body.HTML = calendar.Private, "Offer", confidential
		}),
		single("Teams", 7, teams, wantTeams),
		single("Zoom add-in", 8, func(e *Event) { e.Location, e.LocationURI, e.HTML = zoomLink, "", zoomBody },
			func(w *calendar.Event) { w.Location, w.Body.HTML = zoomLink, zoomBody }),
		single("Skype", 9, func(e *Event) {
			e.OnlineMeetingURL, e.HTML = skypeLink, "<p><a href=\""+skypeLink+"\">Join Skype Meeting</a></p>"
		}, func(w *calendar.Event) {
			w.Links = []calendar.Link{{URI: skypeLink, Source: calendar.SourceOnlineMeetingURL}}
			w.Body.HTML = "<p><a href=\"" + skypeLink + "\">Join Skype Meeting</a></p>"
		}),
		single("forwarded from outside", 10, func(e *Event) {
			e.UID, e.Subject, e.HTML = "4k2pr8t0n3b6@partner.example", "FW: Supplier review", forward
			e.Organizer, e.Response, e.ShowAs = calendar.Person{Name: "Jo Park", Email: "jo@partner.example"}, calendar.NotResponded, "tentative"
		}, func(w *calendar.Event) {
			w.UID, w.Subject, w.Body.HTML = "4k2pr8t0n3b6@partner.example", "FW: Supplier review", forward
			w.Organizer, w.Response, w.Status = calendar.Person{Name: "Jo Park", Email: "jo@partner.example"}, calendar.NotResponded, calendar.Tentative
		}),
		// The room's calendar processing has DeleteComments: the link as data stays.
		single("body deleted", 11, func(e *Event) { e.JoinURL = teamsLink },
			func(w *calendar.Event) {
				w.Links = []calendar.Link{{URI: teamsLink, Source: calendar.SourceOnlineMeeting}}
			}),
		// The room's calendar processing has DeleteSubject and AddOrganizerToSubject.
		single("subject replaced", 12, func(e *Event) { teams(e); e.Subject = "Mara Lindqvist " },
			func(w *calendar.Event) { wantTeams(w); w.Subject = "Mara Lindqvist " }),
		// Noon in Oslo, whichever side of summer time.
		weekly("series older than the window", 13, 70, Recurrence{Type: "weekly"}, oslo, nil, nil),
		weekly("series edited on one day", 14, 3, Recurrence{Type: "weekly", Interval: 3}, time.UTC,
			func(m *Mailbox, id string, _ time.Time) error {
				return m.Edit(id, func(e *Event) {
					e.JoinURL, e.HTML = strings.Replace(teamsLink, "Zm9y", "QW5k", 1), teamsBody("Today elsewhere", strings.Replace(teamsLink, "Zm9y", "QW5k", 1))
				})
			},
			func(w *calendar.Event, _ time.Time) {
				w.Links[0].URI = strings.Replace(teamsLink, "Zm9y", "QW5k", 1)
				w.Body.HTML = teamsBody("Today elsewhere", w.Links[0].URI)
			}),
	}
}
