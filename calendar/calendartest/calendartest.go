// Package calendartest checks that a calendar provider keeps the contract of
// package calendar: [calendar.Provider], and [calendar.Syncer],
// [calendar.Notifier] and [calendar.Coverage] where the provider implements
// them. It also has [Memory], a provider for tests.
//
// Each rule of the contract is a case of its own. A case that fails prints the
// rule and where it stands. In a test of the provider:
//
//	func TestContract(t *testing.T) {
//		calendartest.Run(t, func() (*calendartest.Harness, error) {
//			srv := newFakeServer()
//			return &calendartest.Harness{
//				Provider: New(srv.URL, nil),
//				Mailbox:  "fjord@example.com",
//				Set:      srv.setCalendar,
//				Close:    srv.Close,
//			}, nil
//		})
//	}
//
// The suite cannot see goroutines that a notifier leaves behind: run it within
// testing/synctest to find those.
package calendartest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Harness is a provider and what the suite must be able to do to the calendar
// system behind it. Every case has a harness of its own. A function that is nil,
// or that returns an error which wraps [errors.ErrUnsupported], makes the suite
// skip the cases that need it.
type Harness struct {
	// Provider is what is checked. It is also checked as a Syncer and as a
	// Notifier if it is one.
	Provider calendar.Provider
	// Mailbox is the address of a mailbox that exists.
	Mailbox string
	// Other is another that exists, and Missing one that does not; either may
	// be empty.
	Other, Missing string

	// Set makes the calendar of a mailbox contain these entries and no others.
	Set func(mailbox string, entries []Entry) error
	// Fail makes the calendar system answer as for one of the sentinel errors
	// of package calendar; nil makes it work again.
	Fail func(sentinel error) error
	// Stall makes the calendar system not answer any more.
	Stall func() error
	// Expire makes the tokens that the Syncer has returned so far too old.
	Expire func() error
	// Interrupt breaks the connection that notifications come by, until the
	// function that it returns is called.
	Interrupt func() (restore func(), err error)

	// Patience is how long the suite waits for what should happen soon. The
	// default is 5 s.
	Patience time.Duration
	// Close is called after the case; it may be nil.
	Close func()
}

// Entry is a meeting, or a series of them, for a calendar to contain.
type Entry struct {
	UID     string
	Subject string
	// Start and End are whole seconds in UTC.
	Start, End time.Time
	// Days is the number of daily occurrences. 0 and 1 make a single meeting.
	Days                int
	Cancelled, Declined bool
	// Broken is an event that the provider cannot read. Only the UID counts.
	Broken bool
}

// NewHarness makes a harness for one case.
type NewHarness func() (*Harness, error)

// Run runs each case as a subtest of t.
func Run(t *testing.T, newHarness NewHarness) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := c.run(newHarness)
			var skip skipped
			if errors.As(err, &skip) {
				t.Skip(skip)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Test runs the cases and returns the errors of those that fail, joined. Each
// begins with the name of its case and a colon.
func Test(newHarness NewHarness) error {
	var errs []error
	for _, c := range cases {
		err := c.run(newHarness)
		var skip skipped
		if err != nil && !errors.As(err, &skip) {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

// testCase checks one rule of the contract.
type testCase struct {
	name string
	// iface and rule say which: the rule is a bullet of the doc comment, as it
	// stands in calendar/provider.go. A test compares them.
	iface, rule string
	source      string // of the case
	check       func(ctx context.Context, h *Harness) error
}

func (c *testCase) run(newHarness NewHarness) error {
	h, err := newHarness()
	if err != nil {
		return fmt.Errorf("harness: %w", err)
	}
	if h.Close != nil {
		defer h.Close()
	}
	if h.Patience <= 0 {
		h.Patience = 5 * time.Second
	}
	switch c.iface {
	case "Syncer":
		if _, ok := h.Provider.(calendar.Syncer); !ok {
			return skipped("the provider is no calendar.Syncer")
		}
	case "Notifier":
		if _, ok := h.Provider.(calendar.Notifier); !ok {
			return skipped("the provider is no calendar.Notifier")
		}
	case "Coverage":
		if _, ok := h.Provider.(calendar.Coverage); !ok {
			return skipped("the provider is no calendar.Coverage")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = c.check(ctx, h)
	var skip skipped
	switch {
	case err == nil, errors.As(err, &skip):
		return err
	case errors.Is(err, errors.ErrUnsupported):
		return skipped(err.Error())
	}
	return fmt.Errorf("%w\n\tthe rule: a %s %s\n\t(calendar.%s in calendar/provider.go; the case is at %s)",
		err, map[string]string{"Provider": "provider", "Syncer": "syncer", "Notifier": "notifier", "Coverage": "notifier with coverage"}[c.iface], c.rule, c.iface, c.source)
}

// skipped is the reason why a case was not run.
type skipped string

func (s skipped) Error() string { return string(s) }

// here returns the place of its caller.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

func (h *Harness) set(entries ...Entry) error { return h.setIn(h.Mailbox, entries...) }

func (h *Harness) setIn(mailbox string, entries ...Entry) error {
	if h.Set == nil {
		return skipped("the harness cannot Set a calendar")
	}
	if mailbox == "" {
		return skipped("the harness has no Other mailbox")
	}
	if err := h.Set(mailbox, entries); err != nil {
		return fmt.Errorf("harness: Set: %w", err)
	}
	return nil
}

// read returns the events of the harness's mailbox in the week of the cases.
func (h *Harness) read(ctx context.Context) ([]calendar.Event, error) {
	events, err := h.Provider.Events(ctx, h.Mailbox, week)
	if err != nil {
		return nil, fmt.Errorf("Events: %w", err)
	}
	return events, nil
}

// The calendars of the cases are about one week.
var (
	monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week   = calendar.Window{From: monday, To: monday.AddDate(0, 0, 7)}
)

// at is an entry of an hour in that week.
func at(uid string, day, hour int) Entry {
	start := monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
	return Entry{UID: uid, Subject: "Meeting " + uid, Start: start, End: start.Add(time.Hour)}
}

// describe names events by UID and start, for comparisons and messages.
func describe(events []calendar.Event) []string {
	out := make([]string, len(events))
	for i, ev := range events {
		out[i] = ev.UID + " " + ev.Start.UTC().Format("Mon 15:04")
	}
	return out
}
