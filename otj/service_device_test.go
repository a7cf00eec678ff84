package otj_test

import (
	"context"
	"errors"
	"fmt"
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

func TestEndpointErrorText(t *testing.T) {
	err := &otj.EndpointError{Op: "put bookings", Endpoint: "Fjord", RetryAfter: 90*time.Second - time.Millisecond, Fix: "Wait", Err: otj.ErrBusy}
	assert.EqualError(t, err, "put bookings on Fjord: device busy (retry after 1m30s). Wait", "whole seconds, and none too few")
}
