// Package endpointtest checks implementations of otj.Endpoint, and of its
// optional companions otj.Watcher and otj.Alarmer.
//
// The tests of an adapter call [Run] with a function that makes an endpoint
// and the (simulated) device behind it:
//
//	func TestEndpoint(t *testing.T) {
//		endpointtest.Run(t, func() (*endpointtest.Harness, error) {
//			device := startFakeDevice()
//			ep, err := acme.New(device.URL, nil)
//			return &endpointtest.Harness{
//				Endpoint: ep,
//				Shown:    device.Meetings,
//				Dialable: []rules.Address{
//					{Scheme: rules.SIP, URI: "sip:1.482913@example.com"}, // with a passcode
//					{Scheme: rules.SIP, URI: "sip:2@example.com"},
//				},
//				Unplug: device.Stop,
//				Plug:   device.Start,
//				Close:  device.Close,
//			}, err
//		})
//	}
//
// Each rule of the interfaces' documentation is one or more cases; a failing
// case prints the rule that was broken. [Screen] is an endpoint that keeps its
// meetings in memory and obeys every rule. [Test] does the same as Run without
// package testing.
package endpointtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Harness is an endpoint and its device, new for each case: the device has no
// meetings and works.
//
// Functions that are nil are things that cannot be done to the device; the
// cases that need them are skipped, with a message that names the function.
type Harness struct {
	// Endpoint is what is tested. Required.
	Endpoint otj.Endpoint
	// Shown returns what the device shows, as the device itself knows it and
	// not as the endpoint remembers it; the order does not matter. For a device
	// that fetches its meetings, Shown lets it fetch. Required.
	Shown func(ctx context.Context) ([]otj.Meeting, error)
	// Dialable are addresses that the device can dial: two or more, all
	// different, and one with a passcode if it can have one: an adapter that sends
	// a text of the Address in the place of its URI hides it. Undialable are some that it cannot; they may be none.
	Dialable, Undialable []rules.Address

	// Normalize returns what Shown makes of a meeting that the device cannot
	// hold in full: one that keeps times in minutes drops the seconds, one that
	// has no place for an organizer drops it. It must keep the ID, the Join
	// address and the minute of Start. Nil means that the device holds all of a
	// meeting. Service and Rule are never compared.
	Normalize func(otj.Meeting) otj.Meeting
	// Capacity is how many meetings the device or its endpoint can hold; 0
	// means more than the suite would try.
	Capacity int
	// Now is the hour on the device; zero means that of this machine. The
	// meetings of the suite run then or in the 24 hours after.
	Now time.Time
	// Patience is how long the suite waits for what must happen "soon", such as
	// a call of wake. It is no promise of the endpoint. Zero means 10 seconds.
	Patience time.Duration

	// Unplug makes the device unreachable, without losing what it shows, and
	// Plug brings it back. For a device that fetches its meetings they may be
	// nil: nothing of it has to be reached.
	Unplug, Plug func()
	// Stall lets the device accept requests and answer none of them until Plug.
	Stall func()
	// Faults are, for each sentinel error of package otj, what makes the device
	// fail so that Show returns it.
	Faults map[error]func()
	// Requests returns how many requests the device has had so far. With it the
	// suite sees whether a method that must do no I/O does some.
	Requests func() int

	// Reset restarts the device, which loses its meetings. A Watcher needs it.
	Reset func()
	// Tamper changes or deletes a meeting on the device behind the endpoint's
	// back, where a Watcher is told of it.
	Tamper func()
	// Learn changes what the device can dial, where a Watcher is told of it.
	Learn func()

	// Close frees what the harness holds.
	Close func()
}

// Run checks the endpoints that newHarness makes, each rule as a subtest.
func Run(t *testing.T, newHarness func() (*Harness, error)) {
	t.Helper()
	for _, c := range cases {
		var err error
		t.Run(c.name, func(t *testing.T) {
			if err = c.check(newHarness); err != nil {
				if skip := (*skipError)(nil); errors.As(err, &skip) {
					t.Skip(err)
				}
				t.Error(err)
			}
		})
		if isHarness(err) {
			return
		}
	}
}

// Test checks the endpoints that newHarness makes. The error joins one error
// for each broken rule.
func Test(newHarness func() (*Harness, error)) error {
	var errs []error
	for _, c := range cases {
		err := c.check(newHarness)
		if skip := (*skipError)(nil); err != nil && !errors.As(err, &skip) {
			errs = append(errs, err)
		}
		if isHarness(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// testCase checks one rule. Its subject and rule are a sentence of the
// interface's documentation.
type testCase struct {
	name    string
	subject string // "an endpoint", "a watcher", "an alarmer"
	rule    string
	run     func(ctx context.Context, h *Harness) error
}

// caseLimit is when a case is given up: an endpoint that hangs must not hang
// the suite.
const caseLimit = 2 * time.Minute

func (c testCase) check(newHarness func() (*Harness, error)) error {
	h, err := newHarness()
	if err != nil {
		return &harnessError{fmt.Errorf("the harness could not be made: %w", err)}
	}
	if h.Close != nil {
		defer h.Close()
	}
	if err := h.validate(); err != nil {
		return &harnessError{err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	err = c.run(ctx, h)
	if skip := (*skipError)(nil); err == nil || errors.As(err, &skip) {
		return err
	}
	return fmt.Errorf("%s: broken rule: %s %s: %w", c.name, c.subject, c.rule, err)
}

// skipError says that a case cannot be run with a harness.
type skipError struct{ why string }

func (e *skipError) Error() string { return e.why }

func skip(format string, args ...any) error { return &skipError{fmt.Sprintf(format, args...)} }

// harnessError is a mistake of the harness's. Every case would repeat it, so that
// the first one ends the suite.
type harnessError struct{ error }

func (e *harnessError) Unwrap() error { return e.error }

func isHarness(err error) bool {
	var e *harnessError
	return errors.As(err, &e)
}

func (h *Harness) validate() error {
	switch {
	case h.Endpoint == nil:
		return errors.New("Harness.Endpoint is nil")
	case h.Shown == nil:
		return errors.New("Harness.Shown is nil")
	case len(h.Dialable) < 2:
		return errors.New("Harness.Dialable has less than two addresses")
	case h.Dialable[0] == h.Dialable[1]:
		return errors.New("Harness.Dialable has the same address twice")
	case (h.Unplug == nil) != (h.Plug == nil):
		return errors.New("Harness has only one of Unplug and Plug")
	case h.Stall != nil && h.Plug == nil:
		return errors.New("Harness has Stall, but no Plug")
	}
	if _, ok := h.Endpoint.(otj.Watcher); ok && h.Reset == nil {
		return errors.New("the endpoint is a Watcher, and Harness.Reset is nil")
	}
	for _, m := range meetings(h, 0, 3) {
		n := h.normalize(m)
		if n.ID != m.ID || n.Join != m.Join || !n.Start.Truncate(time.Minute).Equal(m.Start.Truncate(time.Minute)) {
			return errors.New("Harness.Normalize changes the ID, the Join address or the minute of Start")
		}
	}
	return nil
}

func (h *Harness) normalize(m otj.Meeting) otj.Meeting {
	if h.Normalize != nil {
		m = h.Normalize(m)
	}
	m.Service, m.Rule = "", ""
	m.Start, m.End = m.Start.UTC(), m.End.UTC()
	return m
}

func (h *Harness) now() time.Time {
	if h.Now.IsZero() {
		return time.Now().UTC().Truncate(time.Second)
	}
	return h.Now.UTC().Truncate(time.Second)
}

func (h *Harness) patience() time.Duration {
	if h.Patience == 0 {
		return 10 * time.Second
	}
	return h.Patience
}

// show calls Show, which must succeed.
func (h *Harness) show(ctx context.Context, ms []otj.Meeting) error {
	if err := h.Endpoint.Show(ctx, ms); err != nil {
		return fmt.Errorf("Show of %d meetings: %w", len(ms), err)
	}
	return nil
}

// shows checks that the device shows want, and returns an error with the
// difference otherwise.
func (h *Harness) shows(ctx context.Context, want []otj.Meeting) error {
	got, err := h.shown(ctx)
	if err != nil {
		return err
	}
	if d := h.diff(want, got); d != "" {
		return fmt.Errorf("the device does not show what it should (- missing, + too much):\n%s", d)
	}
	return nil
}

func (h *Harness) shown(ctx context.Context) ([]otj.Meeting, error) {
	got, err := h.Shown(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the device: %w", err)
	}
	return got, nil
}

// showAndSee calls Show and checks that the device shows the same.
func (h *Harness) showAndSee(ctx context.Context, ms []otj.Meeting) error {
	if err := h.show(ctx, ms); err != nil {
		return err
	}
	return h.shows(ctx, ms)
}
