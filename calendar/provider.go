package calendar

import "context"

// Provider reads calendars.
//
// Package calendartest checks an implementation against each of these rules.
// A provider
//   - returns every event that overlaps the window, and no other;
//   - returns them by Start, then by ID;
//   - returns each occurrence of a series as an event of its own;
//   - keeps cancelled and declined events, with the Status and Response that
//     say so: what is shown is not its business;
//   - gives an occurrence the same ID each time, and no two the same;
//   - returns good events beside a [*PartialError] that names the bad ones;
//   - returns otherwise an [*Error] that wraps one of the sentinel errors where
//     one fits, and no events;
//   - returns soon after ctx is done, with an error that wraps ctx.Err();
//   - is safe for concurrent use;
//   - hands over what it returns: the caller may change it.
type Provider interface {
	// Events returns the events of mailbox in w.
	Events(ctx context.Context, mailbox string, w Window) ([]Event, error)
}

// Syncer is a Provider that can also say what has changed since the last time.
//
// A syncer
//   - does a full read for an empty token, and says so in Delta.Full;
//   - returns in Changed the events of the window that are new or different
//     since the token was made; repeats are allowed;
//   - returns in Removed the IDs of events that left the window or the calendar;
//     IDs that the caller never saw are allowed;
//   - returns a token that the next call continues from, also after a
//     [*PartialError];
//   - returns an error that wraps [ErrTokenExpired] for a token that cannot be
//     continued, be it too old, damaged, or made for another mailbox or window:
//     the caller then starts again with an empty token.
type Syncer interface {
	Provider
	Sync(ctx context.Context, mailbox string, w Window, token string) (Delta, error)
}

// Delta is what has changed.
type Delta struct {
	Changed []Event
	Removed []string // event IDs
	// Full says that Changed is all there is: events that the caller holds and
	// that are not in it are gone.
	Full bool
	// Token continues from here. It is opaque and belongs to one mailbox and
	// window. It may be stored, and is no secret.
	Token string
}

// Notifier is implemented by providers that learn of changes without polling.
//
// A notifier
//   - calls wake soon after the calendar of one of the mailboxes has changed,
//     and may call it too often;
//   - calls wake for every mailbox of which it may have missed a change;
//   - calls wake from any goroutine; wake does not block;
//   - blocks until ctx is done, and has then stopped every goroutine that it
//     started;
//   - returns an error before that only if notifications cannot work at all.
type Notifier interface {
	Notify(ctx context.Context, mailboxes []string, wake func(mailbox string)) error
}

// Coverage is a Notifier that knows which mailboxes it hears of. Without it, a
// notifier is taken to hear of all for as long as Notify runs.
//
// A notifier with coverage
//   - reports a mailbox as covered only while it would hear of a change;
//   - says why not, with an error for the administrator, unless it just has not
//     come to it yet: the mailbox has to be polled meanwhile;
//   - calls wake for a mailbox whose coverage begins or ends, unless no change
//     can have been missed.
type Coverage interface {
	Notifier
	// Notified reports whether changes of mailbox are told of now.
	Notified(mailbox string) (ok bool, why error)
}
