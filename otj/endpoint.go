package otj

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Endpoint is a room's video system, whether meetings are pushed to it or it
// fetches them.
//
// Package endpoints/endpointtest checks an implementation against each of these
// rules. An endpoint
//   - answers Dials at once, without any I/O, from what it knows of the device;
//   - makes the meetings of Show the complete set that the device has: what is
//     not among them is gone, and an empty set clears it;
//   - shows the same after two equal calls of Show as after one;
//   - shows the meetings as they are, each with its ID, and chooses, hides and
//     changes nothing: where a device can hold fewer, the nearest ones stay and
//     an [Alarm] says so;
//   - gives a meeting without a Join address no button;
//   - leaves the device with the old set or the new one after an error, or
//     with what the next Show repairs;
//   - returns an [*EndpointError] that wraps one of the sentinel errors where
//     one fits;
//   - puts no title and no address of a meeting into an error, which ends in
//     logs;
//   - returns soon after ctx is done, with an error that wraps ctx.Err();
//   - keeps no reference to the slice after it returns;
//   - is safe for concurrent use, though a [Service] calls Show of one endpoint
//     from one goroutine at a time.
//
// For a device that fetches its meetings, Show replaces what it gets next.
type Endpoint interface {
	// Dials reports whether the device can join by a. The answer may change
	// when the device's abilities do; a [Watcher] then calls wake.
	Dials(a rules.Address) bool
	// Show makes meetings, which are sorted by Start and then by ID, what the
	// device shows.
	Show(ctx context.Context, meetings []Meeting) error
}

// Watcher is an Endpoint that hears from its device.
//
// A watcher
//   - calls wake when Show should be called again although the meetings are
//     the same: the device has restarted, has lost or changed its meetings, or
//     can now dial something else;
//   - blocks until ctx is done, reconnects by itself, and has stopped every
//     goroutine that it started when it returns.
type Watcher interface {
	Watch(ctx context.Context, wake func()) error
}

// Caller is an Endpoint whose device fetches its meetings.
type Caller interface {
	// LastCall returns when the device last asked for its meetings, in UTC, and what
	// it called itself then. Both are zero if it has not since the endpoint was made.
	// It does no I/O.
	LastCall() (when time.Time, agent string)
}

// Alarmer is an Endpoint that knows of conditions which an administrator should
// see although Show succeeds.
type Alarmer interface {
	// Alarms returns the conditions that hold now, without any I/O.
	Alarms() []Alarm
}

// Alarm is something that an administrator should look at.
type Alarm struct {
	// Code names the kind of alarm, as in "foreign-bookings". It is stable.
	Code string `json:"code"`
	// Text says what is wrong and what to do, as a sentence without secrets.
	Text string `json:"text"`
	// Since is when it began, in UTC.
	Since time.Time `json:"since"`
}

// The errors of endpoints that callers act upon. Test for them with [errors.Is].
var (
	// ErrUnreachable: the device does not answer.
	ErrUnreachable = errors.New("device unreachable")
	// ErrUnauthorized: the device refuses the credentials, or their role.
	ErrUnauthorized = errors.New("device refuses the credentials")
	// ErrCertificate: the device is not the one that was pinned or trusted.
	ErrCertificate = errors.New("device certificate not trusted")
	// ErrBusy: the device asks to be called less often; see
	// EndpointError.RetryAfter.
	ErrBusy = errors.New("device busy")
	// ErrRejected: the device understood and refused; the same call fails again.
	ErrRejected = errors.New("device rejects the bookings")
	// ErrNotDevice: something answers that is not such a device.
	ErrNotDevice = errors.New("not a device of this kind")
	// ErrForeignBookings: the device has bookings of another system, which Show
	// does not overwrite unless it is told to take the device over.
	ErrForeignBookings = errors.New("device has bookings of another system")
)

// EndpointError says what could not be done with a device.
type EndpointError struct {
	Op       string // what was tried, such as "put bookings"
	Endpoint string // which device: its name or host
	// RetryAfter is how long to wait before the next call; 0 if nobody said.
	RetryAfter time.Duration
	// Fix is what an administrator can do about it, as a sentence; may be empty.
	Fix string
	Err error // the cause; never nil
}

// Error returns one line: the operation, the device, the cause and the fix.
func (e *EndpointError) Error() string {
	s := fmt.Sprintf("%s on %s: %v", e.Op, e.Endpoint, e.Err)
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(" (retry after %v)", (e.RetryAfter + time.Second - 1).Truncate(time.Second))
	}
	if e.Fix != "" {
		s += ". " + e.Fix
	}
	return s
}

// Unwrap returns the cause.
func (e *EndpointError) Unwrap() error { return e.Err }
