package otj_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Other rules need the bodies, which are not kept.
func TestServiceSetRules(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		ev := meeting("one", 10*time.Hour)
		ev.Body.Plain = "call conference 4711"
		b.cal.set("mb", nil, ev)
		after(70 * time.Second)
		require.True(b.t, s.Meetings()[0].Join.IsZero())
		engine, err := rules.New([]rules.Rule{{Name: "house", Type: rules.TypeRegexRE2, Priority: 1, Match: `conference (\d+)`, Replace: `sip:\1@example.com`}}, nil)
		require.NoError(b.t, err)
		room := b.room("room", s, "mb")
		room.Rules = engine
		require.NoError(b.t, b.svc.Set([]otj.Room{room}))
		after(3 * time.Second)
		assert.Equal(b.t, "sip:4711@example.com", s.Meetings()[0].Join.URI)
		assert.Equal(b.t, "house", b.status("room").Meetings[0].Rule)
	})
}

func TestServiceProviderErrorClearsNothing(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		b.cal.set("mb", &calendar.Error{Op: "read calendar", Mailbox: "mb", Err: calendar.ErrForbidden, Fix: "Ask the administrator."})
		after(10 * time.Minute)
		assert.Equal(b.t, "one two", titles(s))
		assert.Equal(b.t, []string{otj.AlarmCalendar}, b.alarms("room"))
		assert.Contains(b.t, b.status("room").Sources[0].Error, "access denied. Ask the administrator.")
		// Other rules cannot see the events, and clear nothing either.
		engine, err := rules.New(nil, nil)
		require.NoError(b.t, err)
		room := b.room("room", s, "mb")
		room.Rules = engine
		require.NoError(b.t, b.svc.Set([]otj.Room{room}))
		// What ends leaves all the same.
		after(2 * time.Hour)
		assert.Equal(b.t, "two", titles(s))
		b.cal.set("mb", nil, meeting("new", time.Hour))
		after(15 * time.Minute) // the longest wait after failures, and the next poll
		assert.Equal(b.t, "new", titles(s))
		assert.Empty(b.t, b.alarms("room"))
	})
}

func TestServiceBrokenEventKeepsItsLastGoodMeeting(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		b.cal.set("mb", &calendar.PartialError{Mailbox: "mb", Bad: []calendar.EventError{{ID: "id-one", Err: errors.New("bad zone")}}}, meeting("two", 3*time.Hour))
		after(2 * time.Minute)
		assert.Equal(b.t, "one two", titles(s))
		assert.Equal(b.t, []string{otj.AlarmEvents}, b.alarms("room"))
		// By UID, where there is no ID.
		b.cal.set("mb", &calendar.PartialError{Mailbox: "mb", Bad: []calendar.EventError{{UID: "one", Err: errors.New("bad zone")}}})
		after(2 * time.Minute)
		assert.Equal(b.t, "one", titles(s))
		// Other rules do not lose it.
		engine, err := rules.New(nil, nil)
		require.NoError(b.t, err)
		room := b.room("room", s, "mb")
		room.Rules = engine
		require.NoError(b.t, b.svc.Set([]otj.Room{room}))
		after(2 * time.Minute)
		assert.Equal(b.t, "one", titles(s))
		assert.WithinDuration(b.t, time.Now(), b.status("room").Planned, 3*time.Minute, "the room is not stuck")
		b.cal.set("mb", nil)
		after(2 * time.Minute)
		assert.Equal(b.t, "", titles(s))
		assert.Empty(b.t, b.alarms("room"))
	})
}

func TestServiceHonoursRetryAfter(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		b.cal.set("mb", &calendar.Error{Op: "read calendar", RetryAfter: 20 * time.Minute, Err: calendar.ErrThrottled})
		after(70 * time.Second)
		n := b.cal.count("mb")
		b.svc.Wake("room") // not even then
		after(18 * time.Minute)
		assert.Equal(b.t, n, b.cal.count("mb"))
		after(4 * time.Minute)
		assert.Greater(b.t, b.cal.count("mb"), n)
	})
}

func TestServiceStalledCalendarHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s, other := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		cal.set("good", nil, meeting("one", 10*time.Hour))
		cal.stall["stalled"] = true
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			return []otj.Room{b.room("stalled", s, "stalled"), b.room("good", other, "good")}
		})
		assert.Equal(t, "one", titles(other))
		after(2 * time.Minute)
		assert.Equal(t, []string{otj.AlarmCalendar}, b.alarms("stalled"))
		assert.Equal(t, 0, s.Shows(), "a device is not cleared because nothing is known")
		b.stop()
	})
}

// notifying is a provider that tells of changes.
type notifying struct {
	*calendars
	mu        sync.Mutex
	wake      func(string)
	mailboxes []string
	starts    int
	fail      chan error
}

func (n *notifying) call(mailbox string) {
	n.mu.Lock()
	wake := n.wake
	n.mu.Unlock()
	wake(mailbox)
}

func (n *notifying) seen() ([]string, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mailboxes, n.starts
}

func (n *notifying) Notify(ctx context.Context, mailboxes []string, wake func(string)) error {
	n.mu.Lock()
	n.starts++
	n.mailboxes, n.wake = mailboxes, wake
	n.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-n.fail:
		return err
	}
}

func TestServiceNotifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s, other := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		n := &notifying{calendars: cal, fail: make(chan error)}
		cal.set("mb", nil, meeting("one", 20*time.Hour))
		room := func(name string, e otj.Endpoint, mailbox string) otj.Room {
			return otj.Room{Name: name, Endpoint: e, Sources: []otj.Source{{Provider: n, Mailbox: mailbox}}}
		}
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{room("room", s, "mb")} })
		after(12 * time.Minute)
		assert.LessOrEqual(t, cal.count("mb"), 2, "the safety poll is slow")
		assert.True(t, b.status("room").Sources[0].Notified)
		cal.set("mb", nil, meeting("two", 20*time.Hour))
		n.call("mb")
		n.call("nobody")
		after(2 * time.Second)
		assert.Equal(t, "two", titles(s))
		reads := cal.count("mb")
		for range 1000 {
			n.call("mb")
			after(5 * time.Millisecond)
		}
		assert.LessOrEqual(t, cal.count("mb"), reads+6, "many calls, few readings")

		// Another mailbox.
		require.NoError(t, b.svc.Set([]otj.Room{room("room", s, "mb"), room("other", other, "other")}))
		after(time.Second)
		mailboxes, starts := n.seen()
		assert.Equal(t, []string{"mb", "other"}, mailboxes)
		assert.Equal(t, 2, starts)

		// It fails: polled as any other, with an alarm, and tried again.
		n.fail <- errors.New("subscription refused")
		after(3 * time.Second)
		assert.Contains(t, b.alarms("room"), otj.AlarmNotify)
		assert.False(t, b.status("room").Sources[0].Notified)
		after(10 * time.Second)
		_, starts = n.seen()
		assert.Equal(t, 3, starts)
		assert.Empty(t, b.alarms("room"))
		b.stop()
	})
}

// syncing is a provider that tells what has changed.
type syncing struct {
	*calendars
	lock   sync.Mutex
	tokens []string
	delta  calendar.Delta
	err    error
}

func (s *syncing) Sync(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.tokens = append(s.tokens, token)
	if token == "" {
		events, err := s.Events(ctx, mailbox, w)
		return calendar.Delta{Changed: events, Full: true, Token: "first"}, err
	}
	if s.err != nil {
		return calendar.Delta{}, s.err
	}
	d := s.delta
	s.delta = calendar.Delta{}
	d.Token = "next"
	return d, nil
}

func TestServiceSyncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		p := &syncing{calendars: cal}
		cal.set("mb", nil, meeting("one", 10*time.Hour), meeting("two", 12*time.Hour))
		b := start(t, cal, &otj.Options{Sync: true}, func(b *bench) []otj.Room {
			return []otj.Room{{Name: "room", Endpoint: s, Sources: []otj.Source{{Provider: p, Mailbox: "mb"}}}}
		})
		assert.Equal(t, "one two", titles(s))
		p.lock.Lock()
		p.delta = calendar.Delta{Removed: []string{"id-one", "id-unknown"}, Changed: []calendar.Event{meeting("three", 14*time.Hour)}}
		p.lock.Unlock()
		after(70 * time.Second)
		assert.Equal(t, "two three", titles(s))
		after(2 * time.Minute)
		p.lock.Lock()
		assert.Equal(t, []string{"", "first", "next"}, p.tokens[:3])
		// An expired token: all over again.
		p.err = &calendar.Error{Op: "sync", Err: calendar.ErrTokenExpired}
		p.lock.Unlock()
		after(2 * time.Minute)
		assert.Equal(t, "one two", titles(s))
		assert.Empty(t, b.alarms("room"))
		p.lock.Lock()
		p.err = nil
		n := len(p.tokens)
		p.lock.Unlock()
		// A new day has a new window, and needs a new token.
		after(24 * time.Hour)
		p.lock.Lock()
		assert.Contains(t, p.tokens[n:], "")
		p.lock.Unlock()
		b.stop()
	})
}

// A mistake in one adapter or provider is not the end of the others.
func TestServiceSurvivesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, good := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		var sound atomic.Bool
		bad := &endpoint{Screen: endpointtest.NewScreen(nil), before: func() {
			if !sound.Load() {
				panic("TopSecret")
			}
		}}
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			broken := b.room("broken", endpointtest.NewScreen(nil), "mb")
			broken.Sources[0].Provider = panicking{cal}
			return []otj.Room{b.room("bad", bad, "mb"), b.room("good", good, "mb"), broken}
		})
		assert.Equal(t, "one", titles(good))
		assert.Equal(t, []string{otj.AlarmDevice}, b.alarms("bad"))
		assert.Equal(t, []string{otj.AlarmCalendar}, b.alarms("broken"))
		assert.Contains(t, b.status("bad").Error, "programming error")
		assert.NotContains(t, b.logs.String(), "TopSecret")
		assert.Contains(t, b.logs.String(), "service_calendar_test.go")
		sound.Store(true)
		after(time.Minute)
		assert.Equal(t, "one", titles(bad.Screen))
		b.stop()
	})
}

type panicking struct{ *calendars }

func (panicking) Events(context.Context, string, calendar.Window) ([]calendar.Event, error) {
	panic("TopSecret")
}
