// Package calendar says what a room's calendar contains, whichever system
// holds it.
//
// It is the first stage on the way from a calendar to a Join button: a
// [Provider] reads a mailbox and returns [Event] values, one for each
// occurrence. Package rules finds the join address in an Event; package otj
// decides what the room's device shows. The providers are in the folders below
// this one: ics, msgraph and others.
//
// The package imports nothing but the standard library.
package calendar

import "time"

// Event is one occurrence of a meeting in a mailbox: recurrences are already
// expanded, so a daily meeting is one Event a day.
//
// The zero value of every field means that the calendar does not say.
type Event struct {
	// ID names this occurrence within its provider and mailbox. It stays the
	// same for as long as the occurrence exists, and no other occurrence has it.
	ID string
	// UID is the iCalendar UID: all occurrences of a series have the same, and
	// so have all copies of an invite in different mailboxes.
	UID string
	// SeriesID is the ID of the series that the occurrence belongs to, within
	// the provider. It is empty for a meeting that does not recur.
	SeriesID string

	// Subject as the mailbox has it. Room mailboxes often replace it by the
	// organizer's name.
	Subject   string
	Organizer Person

	// Start and End are instants; End is not before Start. An all-day event
	// runs from midnight to midnight in the calendar's own time zone, and in
	// [time.UTC] where the calendar gives dates alone.
	Start, End time.Time
	AllDay     bool

	Status      Status
	Response    Response
	Sensitivity Sensitivity

	// Location is free text. It may hold several places, and often a link.
	Location string
	Body     Body

	// Links are the addresses that the calendar holds as data and not as text,
	// in the order in which the calendar gives them.
	Links []Link
	// Properties are further fields that a rule may want to read, such as the
	// X- properties of iCalendar and extended properties of Exchange. Names are
	// in upper case. Values that are links are in Links too.
	Properties map[string]string

	// Revision changes whenever the event does, and only then, as far as the
	// provider can tell. An empty Revision says nothing: compare the event.
	Revision string
	// Modified is the time of the last change, in UTC.
	Modified time.Time
}

// Person is somebody named in an event. Either field may be empty.
type Person struct {
	Name  string
	Email string // an address without "mailto:"
}

// Body is the text of an invite in the forms in which the calendar has it: one
// of them, both, or none. Text that is HTML must not be put into Plain, nor
// plain text into HTML: "<https://…>" is a link in one and a tag in the other.
type Body struct {
	Plain string
	HTML  string
}

// Link is an address that a calendar holds as data.
type Link struct {
	// URI with its scheme, such as "https:", "sip:", "tel:".
	URI string
	// Source is the field that it comes from; see the Source constants.
	Source string
	// MeetingID and Passcode are set where the field has them apart from the
	// URI, as Google's entry points do.
	MeetingID string
	Passcode  Secret
}

// The sources of links, each named after the field of the system that has it.
const (
	// SourceOnlineMeeting is onlineMeeting.joinUrl of a Microsoft Graph event,
	// and joinWebUrl of an onlineMeeting resource.
	SourceOnlineMeeting = "onlineMeeting.joinUrl"
	// SourceOnlineMeetingURL is the older onlineMeetingUrl of a Graph event.
	SourceOnlineMeetingURL = "onlineMeetingUrl"
	// SourceConferenceData is an entry point of type video or sip in Google's
	// conferenceData that an add-on made (conferenceSolution.key.type addOn).
	SourceConferenceData = "conferenceData"
	// SourceGoogleMeet is a Meet link that Google keeps for the event:
	// conferenceData of type hangoutsMeet, hangoutLink, X-GOOGLE-CONFERENCE.
	// Google may have added it without being asked.
	SourceGoogleMeet = "hangoutLink"
	// SourceConference is the CONFERENCE property of RFC 7986, section 5.11.
	SourceConference = "CONFERENCE"
	// SourceURL is the URL property of RFC 5545, section 3.8.4.6.
	SourceURL = "URL"
)

// Link sources that are X- properties of iCalendar are named by the property:
// "X-MICROSOFT-SKYPETEAMSMEETINGURL".

// Status says whether a meeting takes place.
type Status uint8

// The statuses of RFC 5545, section 3.8.1.11. Confirmed is the zero value.
const (
	Confirmed Status = iota
	Tentative
	Cancelled
)

// String returns the status in lower case, as in "cancelled".
func (s Status) String() string { return name([]string{"confirmed", "tentative", "cancelled"}, int(s)) }

// Response is the mailbox's own answer to the invite.
type Response uint8

// The answers. ResponseUnknown, the zero value, is also that of an event that
// needs no answer.
const (
	ResponseUnknown Response = iota
	Organizer                // the mailbox's owner is the organizer
	Accepted
	TentativelyAccepted
	Declined
	NotResponded
)

// String returns the response in lower case, as in "declined".
func (r Response) String() string {
	return name([]string{"unknown", "organizer", "accepted", "tentative", "declined", "not responded"}, int(r))
}

// Sensitivity is how private the organizer wants the event to be.
type Sensitivity uint8

// The sensitivities, as Exchange has them (MS-OXOCAL 2.2.1.15). iCalendar's
// CLASS knows PUBLIC, PRIVATE and CONFIDENTIAL.
const (
	Normal Sensitivity = iota
	Personal
	Private
	Confidential
)

// String returns the sensitivity in lower case, as in "private".
func (s Sensitivity) String() string {
	return name([]string{"normal", "personal", "private", "confidential"}, int(s))
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "invalid"
}

// Window is a span of time, from From up to but without To.
type Window struct{ From, To time.Time }

// Overlaps reports whether something that runs from start to end is in the
// window at some time. What has no length is in the window if its start is.
func (w Window) Overlaps(start, end time.Time) bool {
	if !end.After(start) {
		return !start.Before(w.From) && start.Before(w.To)
	}
	return start.Before(w.To) && end.After(w.From)
}
