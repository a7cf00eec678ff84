// Package otj decides what a room's video system shows, and keeps it so.
//
// It is the third stage on the way from a calendar to a Join button: [Plan]
// turns the events of a room's mailboxes into the meetings that its device
// shows, and a [Service] reads calendars, plans, and hands the result to each
// room's [Endpoint]. The packages below endpoints have those that there are.
package otj

import (
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Meeting is one entry on a room's screen. Privacy is already applied: what is
// in it may be shown.
type Meeting struct {
	// ID names the booking on the device. It stays the same while the meeting
	// exists, has 1 to 64 characters of A-Z a-z 0-9 - _, and tells nothing.
	ID string
	// Title and Organizer are what the room may see; either may be empty.
	Title     string
	Organizer calendar.Person

	// Start and End are instants in UTC; End is after Start.
	Start, End time.Time
	// StartBuffer is how long before Start the meeting can be joined, and
	// EndBuffer how long after End. Neither is negative.
	StartBuffer, EndBuffer time.Duration

	// Private says that the organizer marked the meeting as private.
	Private bool

	// Join is the address that the button dials: one of which the endpoint's
	// Dials said yes. The zero Address shows the meeting without a button.
	Join rules.Address

	// Service and Rule say whose meeting it is and which rule decided. They are
	// for icons and for status, and are empty where nothing was found.
	Service string
	Rule    string
}
