// Package graphjson turns the JSON of a Microsoft Graph event into a
// calendar.Event. It does no input or output of its own.
//
// The fields are those of the event and onlineMeeting resources of Graph v1.0:
// https://learn.microsoft.com/graph/api/resources/event.
package graphjson

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/timezone"
)

// Event is the part of Graph's event resource that concerns a meeting room. A
// field that the answer lacks or that is null is zero.
type Event struct {
	ID             string     `json:"id"`
	ETag           string     `json:"@odata.etag"`
	ChangeKey      string     `json:"changeKey"`
	ICalUID        string     `json:"iCalUId"`
	UID            string     `json:"uid"` // the same, in newer versions
	SeriesMasterID string     `json:"seriesMasterId"`
	Type           string     `json:"type"` // singleInstance, occurrence, exception, seriesMaster
	Removed        *Removed   `json:"@removed"`
	LastModified   string     `json:"lastModifiedDateTime"`
	Subject        string     `json:"subject"`
	Organizer      *Recipient `json:"organizer"`
	IsOrganizer    bool       `json:"isOrganizer"`

	Start       *DateTime `json:"start"`
	End         *DateTime `json:"end"`
	IsAllDay    bool      `json:"isAllDay"`
	IsCancelled bool      `json:"isCancelled"`
	ShowAs      string    `json:"showAs"`
	Sensitivity string    `json:"sensitivity"`

	ResponseStatus *ResponseStatus `json:"responseStatus"`

	Location    *Location  `json:"location"`
	Locations   []Location `json:"locations"`
	Body        *Body      `json:"body"`
	BodyPreview string     `json:"bodyPreview"`

	OnlineMeeting    *OnlineMeeting `json:"onlineMeeting"`
	OnlineMeetingURL string         `json:"onlineMeetingUrl"`

	SingleValueExtendedProperties []ExtendedProperty `json:"singleValueExtendedProperties"`
}

// Removed is set in the answers of a delta query, for an event that is gone.
type Removed struct {
	Reason string `json:"reason"`
}

// DateTime is Graph's dateTimeTimeZone.
type DateTime struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// Recipient is a person with a mail address.
type Recipient struct {
	EmailAddress struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

// ResponseStatus is the mailbox's answer to the invite.
type ResponseStatus struct {
	Response string `json:"response"`
}

// Location is one place of the event.
type Location struct {
	DisplayName string `json:"displayName"`
	LocationURI string `json:"locationUri"`
	UniqueID    string `json:"uniqueId"`
}

// Body is the text of the invite.
type Body struct {
	ContentType string `json:"contentType"` // text or html
	Content     string `json:"content"`
}

// OnlineMeeting is the event's onlineMeeting. Graph's onlineMeeting resource
// has joinWebUrl in the place of joinUrl.
type OnlineMeeting struct {
	JoinURL    string `json:"joinUrl"`
	JoinWebURL string `json:"joinWebUrl"`
}

// ExtendedProperty is a MAPI property that was asked for with $expand.
type ExtendedProperty struct {
	ID    string `json:"id"` // such as "String {00020329-…} Name SkypeTeamsMeetingUrl"
	Value string `json:"value"`
}

// Decode reads one event.
func Decode(data []byte) (calendar.Event, error) {
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return calendar.Event{}, fmt.Errorf("not a Graph event: %w", err)
	}
	return e.Calendar()
}

// Calendar returns the event as package calendar has it. An event whose times
// the answer lacks has zero times; one whose times cannot be read is an error,
// and is returned beside it as far as it goes.
func (e *Event) Calendar() (calendar.Event, error) {
	out := calendar.Event{
		ID:       e.ID,
		UID:      e.ICalUID,
		SeriesID: e.SeriesMasterID,
		Subject:  e.Subject,
		AllDay:   e.IsAllDay,
		Revision: e.ETag,
		Location: e.location(),
	}
	if out.UID == "" {
		out.UID = e.UID
	}
	out.UID = seriesUID(out.UID)
	if out.Revision == "" {
		out.Revision = e.ChangeKey
	}
	if e.Organizer != nil {
		out.Organizer = calendar.Person{Name: e.Organizer.EmailAddress.Name, Email: e.Organizer.EmailAddress.Address}
	}
	if e.Body != nil {
		if strings.EqualFold(e.Body.ContentType, "html") {
			out.Body.HTML = e.Body.Content
		} else {
			out.Body.Plain = e.Body.Content
		}
	}
	if out.Body == (calendar.Body{}) {
		out.Body.Plain = e.BodyPreview // cut after 255 characters, and better than nothing
	}
	e.status(&out)
	e.links(&out)
	// Graph writes it in UTC, with up to seven decimals.
	if t, err := time.Parse(time.RFC3339, e.LastModified); err == nil {
		out.Modified = t.UTC()
	}

	var err error
	if out.Start, err = e.Start.time(); err != nil {
		return out, fmt.Errorf("start: %w", err)
	}
	if out.End, err = e.End.time(); err != nil {
		return out, fmt.Errorf("end: %w", err)
	}
	if out.End.IsZero() {
		out.End = out.Start
	}
	if out.End.Before(out.Start) {
		return out, fmt.Errorf("end %s is before start %s", e.End.DateTime, e.Start.DateTime)
	}
	return out, nil
}

// globalID begins a UID that Exchange made: a Global Object ID in hexadecimal
// digits (MS-OXOCAL, section 2.2.1.27).
const globalID = "040000008200E00074C5B7101A82E008"

// seriesUID returns the UID that all occurrences of a series have. Graph's
// iCalUId is another one for each: the four bytes after the class hold the date
// of the occurrence, which are zero in the UID of the invite.
func seriesUID(uid string) string {
	const date, rest = len(globalID), len(globalID) + 8
	if len(uid) < rest+48 || !strings.EqualFold(uid[:date], globalID) {
		return uid
	}
	return uid[:date] + "00000000" + uid[rest:]
}

func (e *Event) status(out *calendar.Event) {
	switch {
	case e.IsCancelled:
		out.Status = calendar.Cancelled
	case strings.EqualFold(e.ShowAs, "tentative"):
		out.Status = calendar.Tentative
	}
	switch strings.ToLower(e.Sensitivity) {
	case "", "normal":
	case "personal":
		out.Sensitivity = calendar.Personal
	case "confidential":
		out.Sensitivity = calendar.Confidential
	default: // private, and what Graph may add: nothing is shown that should not be
		out.Sensitivity = calendar.Private
	}
	if e.ResponseStatus != nil {
		switch strings.ToLower(e.ResponseStatus.Response) {
		case "organizer":
			out.Response = calendar.Organizer
		case "accepted":
			out.Response = calendar.Accepted
		case "tentativelyaccepted":
			out.Response = calendar.TentativelyAccepted
		case "declined":
			out.Response = calendar.Declined
		case "notresponded":
			out.Response = calendar.NotResponded
		}
	}
	if out.Response == calendar.ResponseUnknown && e.IsOrganizer {
		out.Response = calendar.Organizer
	}
}

// location joins the places. Graph repeats the whole of location.displayName in
// locations, or splits it there at semicolons: what is already there is left out.
func (e *Event) location() string {
	var text string
	places := e.Locations
	if e.Location != nil {
		places = append([]Location{*e.Location}, places...)
	}
	add := func(s string) {
		s = strings.TrimSpace(s)
		switch {
		case s == "" || strings.Contains(text, s):
		case text == "":
			text = s
		default:
			text += "; " + s
		}
	}
	for _, l := range places {
		add(l.DisplayName)
		// For a room, this is its mail address; for a map, its place there.
		if strings.Contains(l.LocationURI, ":") {
			add(l.LocationURI)
		}
	}
	return text
}

func (e *Event) links(out *calendar.Event) {
	add := func(uri, source string) {
		if uri = strings.TrimSpace(uri); uri != "" {
			out.Links = append(out.Links, calendar.Link{URI: uri, Source: source})
		}
	}
	if m := e.OnlineMeeting; m != nil {
		if m.JoinURL != "" {
			add(m.JoinURL, calendar.SourceOnlineMeeting)
		} else {
			add(m.JoinWebURL, calendar.SourceOnlineMeeting)
		}
	}
	add(e.OnlineMeetingURL, calendar.SourceOnlineMeetingURL)
	for _, p := range e.SingleValueExtendedProperties {
		_, name, ok := strings.Cut(p.ID, " Name ")
		if !ok || p.Value == "" {
			continue
		}
		// What Exchange keeps as SkypeTeamsMeetingUrl it writes into iCalendar
		// as X-MICROSOFT-SKYPETEAMSMEETINGURL: one name for both.
		name = "X-MICROSOFT-" + strings.ToUpper(strings.TrimSpace(name))
		if out.Properties == nil {
			out.Properties = make(map[string]string)
		}
		out.Properties[name] = p.Value
		if link.MatchString(p.Value) {
			add(p.Value, name)
		}
	}
}

var link = regexp.MustCompile(`^(?i:https?|sips?|h323|tel):[^\s<>"]+$`)

// time returns the instant, or the zero time for nil or an empty text.
func (d *DateTime) time() (time.Time, error) {
	if d == nil || d.DateTime == "" {
		return time.Time{}, nil
	}
	// With an offset in the text, the zone is not asked.
	if t, err := time.Parse(time.RFC3339, d.DateTime); err == nil {
		return t.UTC(), nil
	}
	loc := time.UTC
	if d.TimeZone != "" {
		var err error
		if loc, err = timezone.Load(d.TimeZone); err != nil {
			return time.Time{}, err
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, d.DateTime, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q cannot be read", d.DateTime)
}
