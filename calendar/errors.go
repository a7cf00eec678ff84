package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The errors that callers act upon. Test for them with [errors.Is].
var (
	// ErrNotFound: there is no such mailbox or calendar.
	ErrNotFound = errors.New("mailbox not found")
	// ErrUnauthorized: the calendar system does not accept the credentials.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: the credentials are good, but not for this mailbox.
	ErrForbidden = errors.New("access denied")
	// ErrThrottled: too many requests; see Error.RetryAfter.
	ErrThrottled = errors.New("throttled")
	// ErrUnavailable: the calendar system cannot be reached or has failed; the
	// same call may succeed later.
	ErrUnavailable = errors.New("unavailable")
	// ErrTokenExpired: a sync token cannot be continued; start with an empty one.
	ErrTokenExpired = errors.New("sync token expired")
)

// Error says what a provider could not do.
type Error struct {
	Op      string // what was tried, such as "read calendar"
	Mailbox string // whose calendar; may be empty
	// RetryAfter is how long to wait before the next call; 0 if nobody said.
	RetryAfter time.Duration
	// Fix is what an administrator can do about it, as a sentence; may be empty.
	Fix string
	Err error // the cause; never nil
}

// Error returns one line: the operation, the mailbox, the cause and the fix.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Mailbox != "" {
		b.WriteString(" of " + e.Mailbox)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (retry after %v)", wholeSeconds(e.RetryAfter))
	}
	if e.Fix != "" {
		b.WriteString(". " + e.Fix)
	}
	return b.String()
}

// wholeSeconds rounds up: who comes back earlier is sent away again.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PartialError names the events of a calendar that could not be read. The
// others were returned beside it.
type PartialError struct {
	Mailbox string
	Bad     []EventError // never empty
}

// EventError is one event that could not be read.
type EventError struct {
	// ID is that of the occurrence, where one could be made out; UID and Line
	// (in an iCalendar file, from 1) help a person to find it. Any may be zero.
	ID, UID string
	Line    int
	Err     error // never nil
}

// Error returns one line that names the event and the cause.
func (e EventError) Error() string {
	var where []string
	if e.UID != "" {
		where = append(where, fmt.Sprintf("UID %q", e.UID))
	} else if e.ID != "" {
		where = append(where, fmt.Sprintf("id %q", e.ID))
	}
	if e.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", e.Line))
	}
	return strings.TrimSpace("event "+strings.Join(where, ", ")) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e EventError) Unwrap() error { return e.Err }

// Error returns one line with the number of bad events and the first of them.
func (e *PartialError) Error() string {
	s := fmt.Sprintf("%d of the events could not be read; first: %v", len(e.Bad), e.Bad[0])
	if e.Mailbox != "" {
		s = e.Mailbox + ": " + s
	}
	return s
}

// Unwrap returns the causes, for errors.Is and errors.As.
func (e *PartialError) Unwrap() []error {
	out := make([]error, len(e.Bad))
	for i := range e.Bad {
		out[i] = e.Bad[i]
	}
	return out
}
