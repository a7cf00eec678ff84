package otj_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
