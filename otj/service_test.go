package otj_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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

// calendars is a provider whose mailboxes are set by the test.
type calendars struct {
	mu     sync.Mutex
	events map[string][]calendar.Event
	errs   map[string]error
	stall  map[string]bool
	reads  map[string]int
}

func newCalendars() *calendars {
	return &calendars{events: map[string][]calendar.Event{}, errs: map[string]error{}, stall: map[string]bool{}, reads: map[string]int{}}
}

func (c *calendars) set(mailbox string, err error, events ...calendar.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events[mailbox], c.errs[mailbox] = events, err
}

func (c *calendars) count(mailbox string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads[mailbox]
}

func (c *calendars) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	c.mu.Lock()
	c.reads[mailbox]++
	stall := c.stall[mailbox]
	c.mu.Unlock()
	if stall {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var partial *calendar.PartialError
	if err := c.errs[mailbox]; err != nil && !errors.As(err, &partial) {
		return nil, err
	}
	var out []calendar.Event
	for _, ev := range c.events[mailbox] {
		if w.Overlaps(ev.Start, ev.End) {
			out = append(out, ev)
		}
	}
	return out, c.errs[mailbox]
}

// meeting is an event of an hour, so long after the start of the test.
func meeting(name string, in time.Duration) calendar.Event {
	start := time.Now().Add(in).UTC()
	return calendar.Event{ID: "id-" + name, UID: name, Subject: name, Start: start, End: start.Add(time.Hour), Response: calendar.Accepted}
}

// syncBuffer is a buffer that is written to while it is read.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// bench is a service with the things around it, in a bubble of fake time.
type bench struct {
	t    *testing.T
	cal  *calendars
	svc  *otj.Service
	logs syncBuffer
	stop func()
}

func (b *bench) room(name string, e otj.Endpoint, mailboxes ...string) otj.Room {
	r := otj.Room{Name: name, Endpoint: e}
	for _, m := range mailboxes {
		r.Sources = append(r.Sources, otj.Source{Provider: b.cal, Mailbox: m})
	}
	return r
}

func start(t *testing.T, cal *calendars, opts *otj.Options, rooms func(b *bench) []otj.Room) *bench {
	b := &bench{t: t, cal: cal}
	var o otj.Options
	if opts != nil {
		o = *opts
	}
	o.Logger = slog.New(slog.NewTextHandler(&b.logs, nil))
	var err error
	b.svc, err = otj.New(rooms(b), &o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.svc.Run(ctx) }()
	b.stop = func() {
		cancel()
		require.NoError(t, <-done)
	}
	synctest.Wait()
	return b
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func titles(s *endpointtest.Screen) string {
	var out []string
	for _, m := range s.Meetings() {
		out = append(out, m.Title)
	}
	return strings.Join(out, " ")
}

// status is that of the only room, or the one of that name.
func (b *bench) status(room string) otj.RoomStatus {
	b.t.Helper()
	for _, r := range b.svc.Status().Rooms {
		if r.Name == room {
			return r
		}
	}
	b.t.Fatalf("no room %s in status", room)
	return otj.RoomStatus{}
}

func (b *bench) alarms(room string) []string {
	b.t.Helper()
	out := []string{}
	for _, a := range b.status(room).Alarms {
		out = append(out, a.Code)
		assert.NotEmpty(b.t, a.Text)
		assert.False(b.t, a.Since.IsZero())
	}
	return out
}

// inBubble runs a test with one room that has one mailbox.
func inBubble(t *testing.T, opts *otj.Options, f func(b *bench, s *endpointtest.Screen)) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", time.Hour), meeting("two", 3*time.Hour))
		b := start(t, cal, opts, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		f(b, s)
		b.stop()
	})
}

func TestServiceShowsAndFollows(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		assert.Equal(b.t, "one two", titles(s))
		st := b.status("room")
		assert.True(b.t, st.UpToDate)
		assert.Equal(b.t, 2, st.Sources[0].Events)
		assert.Empty(b.t, st.Alarms)
		assert.Len(b.t, st.NoButton, 2)
		assert.WithinDuration(b.t, time.Now().Add(time.Minute), st.Sources[0].NextRead, 7*time.Second)

		b.cal.set("mb", nil, meeting("two", 3*time.Hour), meeting("three", 6*time.Hour))
		after(70 * time.Second)
		assert.Equal(b.t, "two three", titles(s))
		assert.Equal(b.t, 2, s.Shows())
	})
}

func TestServiceUnchangedPlanIsNotShownAgainButReasserted(t *testing.T) {
	inBubble(t, &otj.Options{Reassert: 20 * time.Minute}, func(b *bench, s *endpointtest.Screen) {
		after(17 * time.Minute)
		assert.Equal(b.t, 1, s.Shows())
		assert.GreaterOrEqual(b.t, b.cal.count("mb"), 15)
		assert.LessOrEqual(b.t, b.cal.count("mb"), 20)
		first := b.status("room")
		assert.Equal(b.t, first.Shown, first.Changed)
		after(6 * time.Minute)
		assert.Equal(b.t, 2, s.Shows())
		again := b.status("room")
		assert.True(b.t, again.Shown.After(first.Shown))
		assert.Equal(b.t, first.Changed, again.Changed)
	})
}

func TestServiceMeetingsLeaveAsTheyEndAndComeWithTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("today", time.Hour), meeting("week", 8*24*time.Hour))
		settings := otj.DefaultSettings()
		settings.EndBuffer = 10
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			r := b.room("room", s, "mb")
			r.Settings = &settings
			return []otj.Room{r}
		})
		after(2*time.Hour + 9*time.Minute)
		assert.Equal(t, "today", titles(s))
		after(2 * time.Minute)
		assert.Equal(t, "", titles(s))
		after(23 * time.Hour)
		assert.Equal(t, "week", titles(s))
		b.stop()
	})
}

// Every part of an event counts, whether or not the provider gives revisions.
func TestServiceSeesEveryChange(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		ev := meeting("one", 10*time.Hour)
		dial := func() string {
			after(70 * time.Second)
			return s.Meetings()[0].Join.URI
		}
		for _, tt := range []struct {
			change func()
			want   string
		}{
			{func() { ev.Body.Plain = "sip:plain@example.com" }, "sip:plain@example.com"},
			{func() { ev.Body.Plain = "sip:other@example.com" }, "sip:other@example.com"},
			{func() { ev.Body = calendar.Body{HTML: "<p>sip:html@example.com</p>"} }, "sip:html@example.com"},
			{func() { ev.Body.HTML = "<p>sip:page@example.com</p>" }, "sip:page@example.com"},
			{func() { ev.Location = "sip:location@example.com" }, "sip:location@example.com"},
			{func() {
				ev.Links = []calendar.Link{{URI: "https://zoom.us/j/81177003344", Source: calendar.SourceConferenceData, Passcode: "1234"}}
			}, "sip:81177003344.1234@zoomcrc.com"},
			{func() {
				ev.Links = []calendar.Link{{URI: ev.Links[0].URI, Source: ev.Links[0].Source, Passcode: "9876"}}
			}, "sip:81177003344.9876@zoomcrc.com"},
		} {
			tt.change()
			b.cal.set("mb", nil, ev)
			assert.Equal(b.t, tt.want, dial())
		}
		// The device dials with the passcode; who looks at the status does not see it.
		text, err := json.Marshal(b.svc.Status())
		require.NoError(b.t, err)
		assert.Contains(b.t, string(text), "zoomcrc.com")
		assert.NotContains(b.t, string(text), "9876")
		assert.NotContains(b.t, b.logs.String(), "zoomcrc.com")
	})
}

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

func TestServiceDeviceErrorsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		var tries atomic.Int32
		counted := &endpoint{Screen: s, before: func() { tries.Add(1) }}
		s.Unplug()
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", counted, "mb")} })
		assert.Equal(t, []string{otj.AlarmUnreachable}, b.alarms("room"))
		assert.Contains(t, b.status("room").Error, "device unreachable")
		assert.False(t, b.status("room").NextTry.IsZero())
		after(time.Hour)
		assert.GreaterOrEqual(t, int(tries.Load()), 14)
		assert.LessOrEqual(t, int(tries.Load()), 25)
		// Another error, another alarm.
		s.Fail(otj.ErrUnauthorized)
		after(7 * time.Minute)
		assert.Equal(t, []string{otj.AlarmUnauthorized}, b.alarms("room"))
		s.Plug()
		after(7 * time.Minute)
		assert.Equal(t, "one", titles(s))
		assert.Empty(t, b.alarms("room"))
		assert.Empty(t, b.status("room").Error)
		// An hour of the same error is one line.
		assert.Equal(t, 1, strings.Count(b.logs.String(), "device unreachable"))
		b.stop()
	})
}

// endpoint is a Screen of which Show does something before.
type endpoint struct {
	*endpointtest.Screen
	before func()
	err    func() error
}

func (e *endpoint) Show(ctx context.Context, ms []otj.Meeting) error {
	if e.before != nil {
		e.before()
	}
	if e.err != nil {
		if err := e.err(); err != nil {
			return err
		}
	}
	return e.Screen.Show(ctx, ms)
}

func TestServiceBusyDeviceIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		var tries atomic.Int32
		e := &endpoint{Screen: endpointtest.NewScreen(nil), err: func() error {
			if tries.Add(1) == 1 {
				return &otj.EndpointError{Op: "put", Endpoint: "x", RetryAfter: 10 * time.Minute, Err: otj.ErrBusy}
			}
			return nil
		}}
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", e, "mb")} })
		b.svc.Wake("room")
		after(9 * time.Minute)
		assert.EqualValues(t, 1, tries.Load())
		assert.Equal(t, []string{otj.AlarmBusy}, b.alarms("room"))
		after(2 * time.Minute)
		assert.EqualValues(t, 2, tries.Load())
		b.stop()
	})
}

func TestServiceSlowDeviceHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		slow, quick := &exclusive{Screen: endpointtest.NewScreen(nil)}, endpointtest.NewScreen(nil)
		slow.Stall()
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			return []otj.Room{b.room("slow", slow, "mb"), b.room("quick", quick, "mb")}
		})
		assert.Equal(t, "one", titles(quick))
		assert.Equal(t, "", titles(slow.Screen))
		for range 5 {
			b.svc.Wake("slow")
			after(time.Second)
		}
		after(26 * time.Second)
		assert.Equal(t, []string{otj.AlarmUnreachable}, b.alarms("slow"), "the deadline of Show has passed")
		slow.Plug()
		after(time.Minute)
		assert.Equal(t, "one", titles(slow.Screen))
		b.stop()
		assert.Equal(t, 1, slow.most, "calls of Show at the same time")
	})
}

// exclusive counts how many calls of Show run at the same time.
type exclusive struct {
	*endpointtest.Screen
	mu        sync.Mutex
	now, most int
}

func (e *exclusive) Show(ctx context.Context, ms []otj.Meeting) error {
	e.mu.Lock()
	e.now++
	e.most = max(e.most, e.now)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.now--
		e.mu.Unlock()
	}()
	return e.Screen.Show(ctx, ms)
}

func TestServiceBoundsItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		var shared exclusive // counts for all screens
		shared.Screen = endpointtest.NewScreen(nil)
		shared.Stall()
		b := start(t, cal, &otj.Options{Writers: 3, Readers: 2}, func(b *bench) []otj.Room {
			var rooms []otj.Room
			for i := range 20 {
				rooms = append(rooms, b.room(fmt.Sprint("room", i), &struct{ otj.Endpoint }{&shared}, fmt.Sprint("mb", i)))
			}
			return rooms
		})
		after(10 * time.Second)
		shared.Plug()
		after(time.Minute)
		for _, r := range b.svc.Status().Rooms {
			assert.True(t, r.UpToDate, r.Name)
		}
		b.stop()
		assert.Equal(t, 3, shared.most)
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

func TestServiceWatcherWakes(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		s.Restart()
		after(2 * time.Second)
		assert.Equal(b.t, "one two", titles(s))
		// Back on the network: the pause after failures ends.
		s.Unplug()
		b.svc.Wake("room")
		after(30 * time.Minute)
		assert.False(b.t, b.status("room").UpToDate)
		s.Plug()
		s.Restart()
		after(6 * time.Second)
		assert.Equal(b.t, "one two", titles(s))
	})
}

func TestServiceRestlessDevice(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		for range 600 {
			s.Tamper()
			after(time.Second)
		}
		assert.Less(b.t, s.Shows(), 20, "Show is called ever less often")
		assert.Contains(b.t, b.alarms("room"), otj.AlarmRestless)
		after(time.Hour)
		assert.Equal(b.t, "one two", titles(s), "and in the end it is right")
	})
}

// Somebody who asks again and again, to try a device with meetings, is not taken
// for a restless device, and waits for a second at most.
func TestServiceWokenOften(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		shows := s.Shows()
		for i := range 30 {
			b.svc.Wake("room")
			after(time.Second)
			assert.Equal(b.t, shows+i+1, s.Shows())
		}
		assert.NotContains(b.t, b.alarms("room"), otj.AlarmRestless)
	})
}

func TestServiceWatchThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		e := &deaf{Screen: endpointtest.NewScreen(nil)}
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", e, "mb")} })
		after(time.Minute)
		assert.Contains(t, b.alarms("room"), otj.AlarmWatch)
		b.stop()
	})
}

type deaf struct{ *endpointtest.Screen }

func (deaf) Watch(context.Context, func()) error { return errors.New("no feedback from this device") }

func TestServiceMergesAlarmsOfTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(&endpointtest.ScreenOptions{Capacity: 1})
		cal.set("mb", nil, meeting("one", time.Hour), meeting("two", 3*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		assert.Equal(t, []string{"too-many-meetings"}, b.alarms("room"))
		b.stop()
	})
}

func TestServiceSeveralMailboxesAndRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		both, left, right := endpointtest.NewScreen(nil), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		shared := meeting("shared", 2*time.Hour)
		copied := shared
		copied.ID = "id-copy"
		cal.set("left", nil, meeting("l", time.Hour), shared)
		cal.set("right", nil, copied, meeting("r", 4*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			return []otj.Room{b.room("both", both, "left", "right"), b.room("left", left, "left"), b.room("right", right, "right")}
		})
		assert.Equal(t, "l shared r", titles(both))
		assert.Equal(t, "l shared", titles(left))
		assert.Equal(t, "shared r", titles(right))
		assert.Equal(t, left.Meetings()[1].ID, right.Meetings()[0].ID)
		assert.Equal(t, 1, cal.count("left"), "one reading serves both rooms")
		b.stop()
	})
}

// After a start one broken calendar holds the others back for a while, because
// its meetings may be on the device.
func TestServiceFirstReadGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("good", nil, meeting("one", 10*time.Hour))
		cal.set("gone", &calendar.Error{Op: "read calendar", Err: calendar.ErrNotFound})
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "good", "gone")} })
		after(9 * time.Minute)
		assert.Equal(t, 0, s.Shows())
		after(2 * time.Minute)
		assert.Equal(t, "one", titles(s))
		b.stop()
	})
}

func TestServiceSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, a, z := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 2*time.Hour), meeting("week", 20*24*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("a", a, "mb")} })
		require.Equal(t, "one", titles(a))

		// Settings.
		settings := otj.DefaultSettings()
		settings.DaysAhead = 30
		ra := b.room("a", a, "mb")
		ra.Settings = &settings
		require.NoError(t, b.svc.Set([]otj.Room{ra}))
		settings.DaysAhead = 0 // the service has its own copy
		after(2 * time.Second)
		assert.Equal(t, "one week", titles(a))

		// Nothing new: nothing is done.
		settings.DaysAhead = 30
		shows, reads := a.Shows(), cal.count("mb")
		require.NoError(t, b.svc.Set([]otj.Room{ra}))
		after(2 * time.Second)
		assert.Equal(t, shows, a.Shows())
		assert.Equal(t, reads, cal.count("mb"))

		// Another room; the first one gone.
		require.NoError(t, b.svc.Set([]otj.Room{b.room("z", z, "mb")}))
		after(2 * time.Second)
		assert.Equal(t, "", titles(a))
		assert.Equal(t, "one", titles(z))
		assert.Len(t, b.svc.Status().Rooms, 1)

		// What is wrong changes nothing.
		err := b.svc.Set([]otj.Room{{Name: "x"}, {}})
		require.ErrorContains(t, err, `room "x": it has no endpoint`)
		require.ErrorContains(t, err, "room 2 has no name")
		assert.Len(t, b.svc.Status().Rooms, 1)

		// Renamed: the device is not cleared on the way.
		shows = z.Shows()
		require.NoError(t, b.svc.Set([]otj.Room{b.room("renamed", z, "mb")}))
		after(time.Minute)
		assert.Equal(t, "one", titles(z))
		assert.Equal(t, shows, z.Shows())
		assert.Len(t, b.svc.Status().Rooms, 1)
		b.stop()
	})
}

func TestServiceRemovedRoomIsClearedOrSaysSo(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		s.Unplug()
		require.NoError(b.t, b.svc.Set(nil))
		after(time.Minute)
		assert.True(b.t, b.status("room").Removed)
		assert.Contains(b.t, b.alarms("room"), otj.AlarmNotCleared)
		assert.False(b.t, b.svc.Wake("room"))
		// It comes back, and goes again.
		require.NoError(b.t, b.svc.Set([]otj.Room{b.room("room", s, "mb")}))
		s.Plug()
		after(6 * time.Minute)
		assert.Equal(b.t, "one two", titles(s))
		assert.Empty(b.t, b.alarms("room"))
		require.NoError(b.t, b.svc.Set(nil))
		after(time.Second)
		assert.Equal(b.t, "", titles(s))
		assert.Empty(b.t, b.svc.Status().Rooms)
	})
}

func TestServiceDeviceReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, old, anew := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		room := func(b *bench, device string, e otj.Endpoint) []otj.Room {
			r := b.room("room", e, "mb")
			r.Device = device
			return []otj.Room{r}
		}
		b := start(t, cal, nil, func(b *bench) []otj.Room { return room(b, "serial 1", old) })
		// The same device with another adapter: it is not cleared.
		again := &endpoint{Screen: old}
		require.NoError(t, b.svc.Set(room(b, "serial 1", again)))
		after(time.Second)
		assert.Equal(t, "one", titles(old))
		assert.Equal(t, 2, old.Shows())
		// Another device.
		require.NoError(t, b.svc.Set(room(b, "serial 2", anew)))
		after(time.Second)
		assert.Equal(t, "", titles(old))
		assert.Equal(t, "one", titles(anew))
		b.stop()
	})
}

func TestServiceStoreSavesAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s, store := newCalendars(), endpointtest.NewScreen(nil), otj.NewMemStore()
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		rooms := func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} }
		start(t, cal, &otj.Options{Store: store}, rooms).stop()
		require.Equal(t, 1, s.Shows())
		b := start(t, cal, &otj.Options{Store: store}, rooms)
		assert.Equal(t, 1, s.Shows(), "the same plan after a restart")
		assert.True(t, b.status("room").UpToDate)
		after(20 * time.Minute)
		assert.Equal(t, 2, s.Shows(), "reasserted in time")
		b.stop()

		// A process that ends in the middle of a Show leaves no false memory.
		cal.set("mb", nil)
		s.Stall()
		start(t, cal, &otj.Options{Store: store}, rooms).stop()
		s.Plug()
		cal.set("mb", nil, meeting("one", 10*time.Hour-20*time.Minute))
		start(t, cal, &otj.Options{Store: store}, rooms).stop()
		assert.Equal(t, 3, s.Shows())
	})
}

type brokenStore struct{ otj.Store }

func (brokenStore) Load(context.Context, string) (otj.State, error) {
	return otj.State{}, errors.New("no disk")
}
func (brokenStore) Save(context.Context, string, otj.State) error { return errors.New("no disk") }

func TestServiceGoesOnWithoutItsStore(t *testing.T) {
	inBubble(t, &otj.Options{Store: brokenStore{otj.NewMemStore()}}, func(b *bench, s *endpointtest.Screen) {
		assert.Equal(b.t, "one two", titles(s))
		assert.Equal(b.t, []string{otj.AlarmStore}, b.alarms("room"))
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

func TestServiceOnReportAndLogs(t *testing.T) {
	var reports syncBuffer
	opts := &otj.Options{OnReport: func(room string, r otj.Report) {
		fmt.Fprintln(&reports, room, len(r.Meetings))
	}}
	inBubble(t, opts, func(b *bench, s *endpointtest.Screen) {
		after(10 * time.Minute)
		assert.Equal(b.t, "room 2\n", reports.String(), "once for each new plan")
		b.cal.set("mb", nil, meeting("TopSecret", time.Hour))
		after(2 * time.Minute)
		assert.Equal(b.t, "room 2\nroom 1\n", reports.String())
		assert.Contains(b.t, b.logs.String(), "device was given its meetings")
		assert.NotContains(b.t, b.logs.String(), "TopSecret")
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
		assert.Contains(t, b.logs.String(), "service_test.go")
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

func TestServiceRunTwice(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		require.ErrorContains(b.t, b.svc.Run(b.t.Context()), "runs already")
	})
	// One after the other is fine.
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		svc, err := otj.New([]otj.Room{{Name: "r", Endpoint: s, Sources: []otj.Source{{Provider: cal, Mailbox: "mb"}}}}, nil)
		require.NoError(t, err)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, svc.Run(ctx))
			cancel()
		}
		assert.Equal(t, "one", titles(s))
	})
}

func TestNewValidates(t *testing.T) {
	cal := newCalendars()
	src := []otj.Source{{Provider: cal, Mailbox: "mb"}}
	s := endpointtest.NewScreen(nil)
	bad := otj.DefaultSettings()
	bad.DaysAhead = 1000
	type incomparable struct {
		otj.Endpoint
		_ []int
	}
	type incomparableProvider struct {
		calendar.Provider
		_ []int
	}
	for _, tt := range []struct {
		want  string
		rooms []otj.Room
	}{
		{"has no name", []otj.Room{{Endpoint: s, Sources: src}}},
		{"two rooms of this name", []otj.Room{{Name: "a", Endpoint: s, Sources: src}, {Name: "a", Endpoint: endpointtest.NewScreen(nil), Sources: src}}},
		{"same device", []otj.Room{{Name: "a", Device: "d", Endpoint: s, Sources: src}, {Name: "b", Device: "d", Endpoint: endpointtest.NewScreen(nil), Sources: src}}},
		{"same endpoint", []otj.Room{{Name: "a", Endpoint: s, Sources: src}, {Name: "b", Endpoint: s, Sources: src}}},
		{"no endpoint", []otj.Room{{Name: "a", Sources: src}}},
		{"cannot be compared", []otj.Room{{Name: "a", Endpoint: incomparable{}, Sources: src}}},
		{"cannot be compared", []otj.Room{{Name: "a", Endpoint: s, Sources: []otj.Source{{Provider: incomparableProvider{}}}}}},
		{"no calendar", []otj.Room{{Name: "a", Endpoint: s}}},
		{"no provider", []otj.Room{{Name: "a", Endpoint: s, Sources: []otj.Source{{}}}}},
		{"there twice", []otj.Room{{Name: "a", Endpoint: s, Sources: slices.Concat(src, src)}}},
		{"settings: days_ahead: must be 0 to 365", []otj.Room{{Name: "a", Endpoint: s, Sources: src, Settings: &bad}}},
	} {
		_, err := otj.New(tt.rooms, nil)
		assert.ErrorContains(t, err, tt.want)
	}
}

func TestServiceDialsAgainAfterLearning(t *testing.T) {
	inBubble(t, nil, func(b *bench, s *endpointtest.Screen) {
		b.cal.set("mb", nil, func() calendar.Event {
			ev := meeting("one", 5*time.Hour)
			ev.Location = "sip:1@example.com"
			return ev
		}())
		after(2 * time.Minute)
		require.Equal(b.t, rules.SIP, s.Meetings()[0].Join.Scheme)
		s.Learn(rules.HTTPS)
		after(5 * time.Second)
		assert.True(b.t, s.Meetings()[0].Join.IsZero())
		assert.Equal(b.t, otj.CannotDial, b.status("room").NoButton[0].Reason)
	})
}

// The state of one room is found by its device.
func TestServiceStatusOf(t *testing.T) {
	cal := newCalendars()
	room := otj.Room{Name: "room", Device: "serial 1", Sources: []otj.Source{{Provider: cal, Mailbox: "mb"}}, Endpoint: endpointtest.NewScreen(nil)}
	svc, err := otj.New([]otj.Room{room, {Name: "nameless", Sources: room.Sources, Endpoint: endpointtest.NewScreen(nil)}}, nil)
	require.NoError(t, err)
	st, ok := svc.StatusOf("serial 1")
	require.True(t, ok)
	assert.Equal(t, "room", st.Name)
	_, ok = svc.StatusOf("serial 2")
	assert.False(t, ok)
	_, ok = svc.StatusOf("")
	assert.False(t, ok, "a room without a device is not found by it")
}

// What a service does can be counted.
func TestServiceIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal := newCalendars()
		s := endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", time.Hour))
		var reads, shows, failed atomic.Int64
		b := start(t, cal, &otj.Options{
			OnRead: func(p calendar.Provider, took time.Duration, err error) {
				assert.Equal(t, calendar.Provider(cal), p)
				reads.Add(1)
				if err != nil {
					failed.Add(1)
				}
			},
			OnShow: func(e otj.Endpoint, took time.Duration, err error) {
				assert.Equal(t, otj.Endpoint(s), e)
				shows.Add(1)
				if err != nil {
					failed.Add(1)
				}
			},
		}, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		defer b.stop()
		after(time.Second)
		assert.EqualValues(t, 1, reads.Load())
		assert.EqualValues(t, 1, shows.Load())
		assert.Zero(t, failed.Load())
		assert.Equal(t, otj.Load{}, b.svc.Load())
		cal.mu.Lock()
		cal.stall = map[string]bool{"mb": true}
		cal.mu.Unlock()
		s.Unplug()
		b.svc.Wake("room")
		after(2 * time.Second)
		assert.Equal(t, 1, b.svc.Load().Reading, "a reading that takes long")
		after(2 * time.Minute)
		assert.Positive(t, failed.Load())
	})
}
