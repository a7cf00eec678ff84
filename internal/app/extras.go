package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// extras stand between the service and the device of a system of the control
// centre: test meetings that the device shows beside what the service gives it,
// and the pause in which it is left alone. They outlive the endpoint, which is
// made anew when the system's configuration changes.
type extras struct {
	mu     sync.Mutex
	paused bool
	quiet  bool // a device that does not call raises no alarm
	tests  []*test
}

// test is a meeting that somebody tries a device with.
type test struct {
	meeting otj.Meeting
	shown   chan error // gets the result of the first Show that had the meeting
}

// over is when nobody can join a meeting any more.
func over(m *otj.Meeting) time.Time { return m.End.Add(m.EndBuffer) }

// set takes over what the system is set to. It reports whether the device has to
// be brought up to date, because a pause is over.
func (x *extras) set(paused, quiet bool) (again bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	again = x.paused && !paused
	x.paused, x.quiet = paused, quiet
	return again
}

// add makes the next Show have a test meeting. It takes the place of another one
// with the same ID.
func (x *extras) add(m otj.Meeting) (*test, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.paused {
		return nil, errors.New("the system is paused: its device is left alone until the pause ends")
	}
	if len(x.tests) >= maxTests {
		return nil, fmt.Errorf("the device shows %d test meetings already; wait until one ends", maxTests)
	}
	x.tests = slices.DeleteFunc(x.tests, func(t *test) bool { return t.meeting.ID == m.ID })
	t := &test{m, make(chan error, 1)}
	x.tests = append(x.tests, t)
	return t, nil
}

// maxTests is how many test meetings a device shows at a time.
const maxTests = 5

func (x *extras) remove(t *test) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tests = slices.DeleteFunc(x.tests, func(o *test) bool { return o == t })
}

// with returns meetings and the test meetings at now, sorted as Show gets them,
// and which tests are among them. A meeting of the calendar stays as it is.
func (x *extras) with(meetings []otj.Meeting, now time.Time) ([]otj.Meeting, []*test) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tests = slices.DeleteFunc(x.tests, func(t *test) bool { return !over(&t.meeting).After(now) })
	if len(x.tests) == 0 {
		return meetings, nil
	}
	out := slices.Clone(meetings)
	for _, t := range x.tests {
		if !slices.ContainsFunc(meetings, func(m otj.Meeting) bool { return m.ID == t.meeting.ID }) {
			out = append(out, t.meeting)
		}
	}
	slices.SortFunc(out, func(a, b otj.Meeting) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return out, slices.Clone(x.tests)
}

func (x *extras) isPaused() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.paused
}

// silence are the alarms of devices that do not call.
var silence = []string{cisco.AlarmSilent, poly.AlarmNotPolling}

func (x *extras) withoutSilence(alarms []otj.Alarm) []otj.Alarm {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.quiet {
		return alarms
	}
	return slices.DeleteFunc(alarms, func(a otj.Alarm) bool { return slices.Contains(silence, a.Code) })
}

// extended is the endpoint of a device with extras.
type extended struct {
	otj.Endpoint
	extras *extras
	// bare says that the system no longer has this device: the service clears it,
	// and neither a test nor a pause is in the way.
	bare atomic.Bool
}

// Extended endpoints that are what their device's endpoint is besides.
type (
	watched struct {
		*extended
		otj.Watcher
	}
	called struct {
		*extended
		otj.Caller
	}
	watchedAndCalled struct {
		*extended
		otj.Watcher
		otj.Caller
	}
)

// forService returns what the service gets: a Watcher and a Caller, if the device's
// endpoint is one.
func (e *extended) forService() otj.Endpoint {
	w, watches := e.Endpoint.(otj.Watcher)
	c, calls := e.Endpoint.(otj.Caller)
	switch {
	case watches && calls:
		return &watchedAndCalled{e, w, c}
	case watches:
		return &watched{e, w}
	case calls:
		return &called{e, c}
	}
	return e
}

// Show shows the meetings and those of tests. A paused device is left as it is:
// for the service that is no error.
func (e *extended) Show(ctx context.Context, meetings []otj.Meeting) error {
	if e.bare.Load() {
		return e.Endpoint.Show(ctx, meetings)
	}
	if e.extras.isPaused() {
		return ctx.Err()
	}
	all, tests := e.extras.with(meetings, time.Now())
	err := e.Endpoint.Show(ctx, all)
	for _, t := range tests {
		select {
		case t.shown <- err:
		default: // somebody knows already
		}
	}
	return err
}

// Alarms returns those of the device.
func (e *extended) Alarms() []otj.Alarm {
	a, ok := e.Endpoint.(otj.Alarmer)
	if !ok {
		return nil
	}
	return e.extras.withoutSilence(a.Alarms())
}

// testTime is how long a test waits for the device.
const testTime = 30 * time.Second

// test shows a meeting on a device, and waits until that has succeeded or failed.
// wake makes the service call Show.
func (x *extras) test(ctx context.Context, m otj.Meeting, wake func()) error {
	t, err := x.add(m)
	if err != nil {
		return err
	}
	wake()
	timer := time.NewTimer(testTime)
	defer timer.Stop()
	select {
	case err = <-t.shown:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("the device did not take the meeting within %v", testTime)
	}
	if err != nil {
		x.remove(t)
		wake() // it may have reached the device after all
		return err
	}
	// The service does not know of the meeting, and so not of its end.
	time.AfterFunc(time.Until(over(&m)), wake)
	return nil
}
