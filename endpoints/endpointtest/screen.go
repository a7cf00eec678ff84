package endpointtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Screen is an endpoint and its device in one, in memory: the reference
// implementation of otj.Endpoint, otj.Watcher and otj.Alarmer, and a stand-in
// for a device in tests. Make one with [NewScreen]. It is safe for concurrent
// use.
type Screen struct {
	opts ScreenOptions

	mu       sync.Mutex
	dials    []rules.Scheme
	meetings []otj.Meeting
	shows    int
	overflow otj.Alarm // zero if all fitted
	fault    error
	stalled  chan struct{} // closed by Plug; nil if the screen answers
	watchers map[chan struct{}]bool
}

var (
	_ otj.Endpoint = (*Screen)(nil)
	_ otj.Watcher  = (*Screen)(nil)
	_ otj.Alarmer  = (*Screen)(nil)
)

// ScreenOptions change what a screen can do.
type ScreenOptions struct {
	// Name is in the errors. Default "screen".
	Name string
	// Dials are the schemes that the screen can dial. Default sip, sips, h323.
	Dials []rules.Scheme
	// Capacity is how many meetings it holds; 0 is any number.
	Capacity int
}

// NewScreen returns an empty screen.
func NewScreen(opts *ScreenOptions) *Screen {
	s := &Screen{watchers: map[chan struct{}]bool{}}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Name == "" {
		s.opts.Name = "screen"
	}
	s.dials = slices.Clone(s.opts.Dials)
	if s.dials == nil {
		s.dials = []rules.Scheme{rules.SIP, rules.SIPS, rules.H323}
	}
	return s
}

// Dials reports whether the screen can dial addresses of a's scheme.
func (s *Screen) Dials(a rules.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !a.IsZero() && slices.Contains(s.dials, a.Scheme)
}

// Show replaces what the screen shows.
func (s *Screen) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := s.reach(ctx); err != nil {
		return &otj.EndpointError{Op: "show meetings", Endpoint: s.opts.Name, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shows++
	n := len(meetings)
	if s.opts.Capacity > 0 && n > s.opts.Capacity {
		n = s.opts.Capacity
		if s.overflow.Since.IsZero() {
			s.overflow.Since = time.Now().UTC()
		}
		s.overflow.Code = "too-many-meetings"
		s.overflow.Text = fmt.Sprintf("The screen holds %d meetings; the last %d are not on it. Show fewer days ahead.", n, len(meetings)-n)
	} else {
		s.overflow = otj.Alarm{}
	}
	s.meetings = slices.Clone(meetings[:n])
	return nil
}

// reach waits as long as the screen is stalled and returns its fault.
func (s *Screen) reach(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.mu.Lock()
		fault, stalled := s.fault, s.stalled
		s.mu.Unlock()
		if stalled == nil {
			return fault
		}
		select {
		case <-ctx.Done():
		case <-stalled:
		}
	}
}

// Watch calls wake after Restart, Tamper and Learn.
func (s *Screen) Watch(ctx context.Context, wake func()) error {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[ch] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, ch)
		s.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ch:
			wake()
		}
	}
}

// Alarms says whether there were more meetings than the screen holds.
func (s *Screen) Alarms() []otj.Alarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overflow.Code == "" {
		return nil
	}
	return []otj.Alarm{s.overflow}
}

// Meetings returns what the screen shows.
func (s *Screen) Meetings() []otj.Meeting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.meetings)
}

// Shows returns how often Show has succeeded.
func (s *Screen) Shows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shows
}

// Unplug makes the screen unreachable. It keeps its meetings.
func (s *Screen) Unplug() { s.Fail(otj.ErrUnreachable) }

// Fail makes every Show fail with err; nil ends it.
func (s *Screen) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// Stall makes every Show wait until its context is done or Plug is called.
func (s *Screen) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stalled == nil {
		s.stalled = make(chan struct{})
	}
}

// Plug ends Unplug, Fail and Stall.
func (s *Screen) Plug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
	if s.stalled != nil {
		close(s.stalled)
		s.stalled = nil
	}
}

// Restart makes the screen lose its meetings.
func (s *Screen) Restart() {
	s.change(func() { s.meetings = nil })
}

// Tamper deletes the first meeting, as somebody else might.
func (s *Screen) Tamper() {
	s.change(func() {
		if len(s.meetings) > 0 {
			s.meetings = slices.Clone(s.meetings[1:])
		}
	})
}

// Learn changes the schemes that the screen can dial.
func (s *Screen) Learn(schemes ...rules.Scheme) {
	s.change(func() { s.dials = slices.Clone(schemes) })
}

func (s *Screen) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	for ch := range s.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
