// Package googlejson turns the JSON of a Google Calendar event into a
// calendar.Event. It does no input or output of its own.
//
// The fields are those of the Events resource, version 3:
// https://developers.google.com/workspace/calendar/api/v3/reference/events.
package googlejson

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/markup"
	"github.com/onetouchjoin/onetouchjoin/internal/timezone"
)

// Event is the part of the Events resource that concerns a meeting room.
type Event struct {
	ID               string `json:"id"`
	ETag             string `json:"etag"`
	ICalUID          string `json:"iCalUID"`
	RecurringEventID string `json:"recurringEventId"`
	Status           string `json:"status"` // confirmed, tentative, cancelled
	Updated          string `json:"updated"`
	Summary          string `json:"summary"`
	Description      string `json:"description"` // may be HTML
	Location         string `json:"location"`
	Visibility       string `json:"visibility"` // default, public, private, confidential

	Start     *Time    `json:"start"`
	End       *Time    `json:"end"`
	Organizer *Person  `json:"organizer"`
	Attendees []Person `json:"attendees"`

	HangoutLink    string          `json:"hangoutLink"`
	ConferenceData *ConferenceData `json:"conferenceData"`
}

// Time is a day or an instant.
type Time struct {
	Date     string `json:"date"`
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// Person is the organizer or an attendee.
type Person struct {
	Email          string `json:"email"`
	DisplayName    string `json:"displayName"`
	Self           bool   `json:"self"`
	ResponseStatus string `json:"responseStatus"`
}

// ConferenceData says how to join.
type ConferenceData struct {
	EntryPoints        []EntryPoint `json:"entryPoints"`
	ConferenceSolution struct {
		Key struct {
			Type string `json:"type"` // hangoutsMeet, addOn, …
		} `json:"key"`
	} `json:"conferenceSolution"`
}

// EntryPoint is one way to join.
type EntryPoint struct {
	Type        string `json:"entryPointType"` // video, phone, sip, more
	URI         string `json:"uri"`
	MeetingCode string `json:"meetingCode"`
	Passcode    string `json:"passcode"`
	Password    string `json:"password"`
	PIN         string `json:"pin"`
}

// Decode reads one event.
func Decode(data []byte) (calendar.Event, error) {
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return calendar.Event{}, fmt.Errorf("not a Google Calendar event: %w", err)
	}
	return e.Calendar()
}

// Calendar returns the event as package calendar has it. An event whose times
// the answer lacks has zero times; one whose times cannot be read is an error,
// and is returned beside it as far as it goes.
func (e *Event) Calendar() (calendar.Event, error) {
	out := calendar.Event{
		ID: e.ID, UID: e.ICalUID, SeriesID: e.RecurringEventID,
		Subject: e.Summary, Location: e.Location, Revision: e.ETag,
	}
	if markup.IsHTML(e.Description) {
		out.Body.HTML = e.Description
	} else {
		out.Body.Plain = e.Description
	}
	switch e.Status {
	case "cancelled":
		out.Status = calendar.Cancelled
	case "tentative":
		out.Status = calendar.Tentative
	}
	switch e.Visibility {
	case "private":
		out.Sensitivity = calendar.Private
	case "confidential":
		out.Sensitivity = calendar.Confidential
	}
	for _, a := range e.Attendees {
		if a.Self {
			out.Response = response(a.ResponseStatus)
		}
	}
	if o := e.Organizer; o != nil {
		out.Organizer = calendar.Person{Name: o.DisplayName, Email: o.Email}
		if o.Self {
			out.Response = calendar.Organizer
		}
	}
	if t, err := time.Parse(time.RFC3339, e.Updated); err == nil {
		out.Modified = t.UTC()
	}
	e.links(&out)

	var err error
	if out.Start, out.AllDay, err = e.Start.time(); err != nil {
		return out, fmt.Errorf("start: %w", err)
	}
	if out.End, _, err = e.End.time(); err != nil {
		return out, fmt.Errorf("end: %w", err)
	}
	if out.End.IsZero() {
		out.End = out.Start
	}
	if out.End.Before(out.Start) {
		return out, fmt.Errorf("end %v is before start %v", out.End, out.Start)
	}
	return out, nil
}

func response(s string) calendar.Response {
	switch s {
	case "accepted":
		return calendar.Accepted
	case "declined":
		return calendar.Declined
	case "tentative":
		return calendar.TentativelyAccepted
	case "needsAction":
		return calendar.NotResponded
	}
	return calendar.ResponseUnknown
}

func (e *Event) links(out *calendar.Event) {
	seen := make(map[string]bool)
	add := func(l calendar.Link) {
		if l.URI = strings.TrimSpace(l.URI); l.URI != "" && !seen[l.URI] {
			seen[l.URI] = true
			out.Links = append(out.Links, l)
		}
	}
	if c := e.ConferenceData; c != nil {
		source := calendar.SourceConferenceData
		if strings.HasPrefix(c.ConferenceSolution.Key.Type, "hangouts") || strings.HasPrefix(c.ConferenceSolution.Key.Type, "eventHangout") {
			source = calendar.SourceGoogleMeet
		}
		for _, p := range c.EntryPoints {
			if p.Type != "video" && p.Type != "sip" {
				continue
			}
			l := calendar.Link{URI: p.URI, Source: source, MeetingID: p.MeetingCode}
			for _, code := range []string{p.Passcode, p.Password, p.PIN} {
				if code != "" {
					l.Passcode = calendar.Secret(code)
					break
				}
			}
			add(l)
		}
	}
	add(calendar.Link{URI: e.HangoutLink, Source: calendar.SourceGoogleMeet})
}

// time returns the instant, or the zero time for nil or an empty value.
func (t *Time) time() (at time.Time, allDay bool, err error) {
	if t == nil || t.Date == "" && t.DateTime == "" {
		return time.Time{}, false, nil
	}
	loc := time.UTC
	if t.TimeZone != "" {
		// The instant has its offset in it: the zone matters without one.
		if l, err := timezone.Load(t.TimeZone); err == nil {
			loc = l
		}
	}
	if t.Date != "" {
		at, err = time.ParseInLocation(time.DateOnly, t.Date, loc)
		if err != nil {
			return at, true, fmt.Errorf("date %q cannot be read", t.Date)
		}
		return at, true, nil
	}
	if at, err = time.Parse(time.RFC3339, t.DateTime); err == nil {
		return at.UTC(), false, nil
	}
	if at, err = time.ParseInLocation("2006-01-02T15:04:05", t.DateTime, loc); err == nil {
		return at, false, nil
	}
	return time.Time{}, false, fmt.Errorf("time %q cannot be read", t.DateTime)
}
