package control

import (
	"context"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Live is the service that keeps the devices, as the Centre sees it: what rooms
// show now, and what can be asked of calendars and devices. It checks nobody's
// role; the Centre does, before it asks.
//
// An implementation
//   - is safe for concurrent use;
//   - answers for a system, mailbox or provider that it does not keep with an error that
//     wraps [ErrNotFound];
//   - returns soon after ctx is done, with an error that wraps ctx.Err();
//   - puts no passcode, password or token into an error or finding.
type Live interface {
	// State returns what the service knows of a system, without any I/O.
	State(system string) (LiveState, error)
	// Events reads a mailbox, given by its ID, now. Good events come back beside
	// a *calendar.PartialError, as those of a calendar.Provider do.
	Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error)
	// Dials says whether a system's device can join by a, without any I/O.
	Dials(system string, a rules.Address) (bool, error)
	// Wake reads the calendars of a system again and brings its device up to
	// date. It does not wait.
	Wake(system string) error
	// Test shows m on a system's device beside its other meetings, until m ends
	// or the program does. It is ErrUnread before the calendar has been read: the
	// device would lose its other meetings.
	Test(ctx context.Context, system string, m otj.Meeting) error
	// Setup says what has to be done at a system's device, in order.
	Setup(ctx context.Context, system string) ([]SetupStep, error)
	// Check asks a system's device how it is: reachable, credentials, clock,
	// configuration. What it cannot find out is a finding too.
	Check(ctx context.Context, system string) ([]readiness.Finding, error)
	// Quota returns how the provider with an ID gets on with its quota. It is for
	// providers of Microsoft 365.
	Quota(provider string) (Quota, error)
	// Network is what of the running configuration matters to a firewall.
	Network() readiness.Network
}

// LiveState is what the service knows of a system.
type LiveState struct {
	// Problem says why the service keeps no room for the system, as a sentence;
	// it is empty if it keeps one.
	Problem string
	// Room is the state of the room; it is zero where there is a problem.
	Room otj.RoomStatus
	// Agent is what a device that calls the service called itself when it last did;
	// empty for others.
	Agent string
	// Offered says that the device has to call, and has not since its meetings last
	// changed: its screen may still show those before.
	Offered bool
}

// SetupStep is something to do at a device, or for it.
type SetupStep struct {
	// Title says what to do, in a sentence.
	Title string `json:"title"`
	// Where says where: "device web page", "Webex Control Hub", "this computer".
	Where string `json:"where,omitempty"`
	// Lines are commands or values to copy, one each. A value that goes into a
	// field of a page has the field's name in front, and two spaces or more.
	Lines []string `json:"lines,omitempty"`
	// Done says that the service has seen it done.
	Done bool `json:"done"`
}
