package otj_test

import (
	"context"
	"errors"
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

// today are settings that show no other day.
func today() *otj.Settings {
	s := otj.DefaultSettings()
	s.DaysAhead = 0
	return &s
}

// In some countries a day begins at 01:00 when the clocks go forward.
func TestWindowOfADayWithoutMidnight(t *testing.T) {
	for zone, first := range map[string]string{
		"America/Santiago": "2026-09-06T01:00:00-03:00",
		"America/Havana":   "2026-03-08T01:00:00-04:00",
		"Africa/Cairo":     "2026-04-24T01:00:00+03:00",
		"Europe/Stockholm": "2026-03-29T00:00:00+01:00",
	} {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		want, err := time.Parse(time.RFC3339, first)
		require.NoError(t, err)
		for _, before := range []time.Duration{time.Hour, 10 * time.Hour} {
			assert.Equal(t, want.UTC(), today().Window(want.Add(-before).In(loc)).To.UTC(), "%s, %v before", zone, before)
		}
		assert.Equal(t, want.AddDate(0, 0, 1).In(loc).Day(), today().Window(want.Add(time.Hour).In(loc)).To.In(loc).Day(), "%s, an hour after", zone)
	}
}

func TestServiceThroughADayWithoutMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loc, err := time.LoadLocation("America/Havana")
		require.NoError(t, err)
		first := time.Date(2000, 4, 2, 1, 0, 0, 0, loc)
		require.Equal(t, 23, time.Date(2000, 4, 2, 0, 0, 0, 0, loc).Hour(), "the zone has changed its history")
		time.Sleep(time.Until(first.Add(-30 * time.Minute)))
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("late", -20*time.Minute), meeting("tomorrow", 4*time.Hour))
		b := start(t, cal, &otj.Options{Poll: 6 * time.Hour}, func(b *bench) []otj.Room {
			r := b.room("room", s, "mb")
			r.Settings, r.TimeZone = today(), loc
			return []otj.Room{r}
		})
		assert.Equal(t, "late", titles(s))
		after(29 * time.Minute)
		assert.LessOrEqual(t, cal.count("mb"), 1, "the calendar is read all the time before midnight")
		after(2 * time.Minute)
		assert.Equal(t, "late tomorrow", titles(s))
		b.stop()
	})
}

// What can be joined before midnight and begins after it is there in time.
func TestServiceStartBufferBeforeMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("night", 24*time.Hour+3*time.Minute), meeting("later", 25*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			r := b.room("room", s, "mb")
			r.Settings = today()
			return []otj.Room{r}
		})
		after(23*time.Hour + 57*time.Minute)
		assert.Equal(t, "", titles(s))
		after(time.Minute + time.Second)
		assert.Equal(t, "night", titles(s))
		after(3 * time.Minute)
		assert.Equal(t, "night later", titles(s))
		b.stop()
	})
}

// A calendar that cannot be read as the day begins has been read before.
func TestServiceOutageOverMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("tomorrow", 33*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			r := b.room("room", s, "mb")
			r.Settings = today()
			return []otj.Room{r}
		})
		after(23 * time.Hour)
		assert.Equal(t, "", titles(s))
		cal.set("mb", errors.New("the calendar is down"))
		after(2 * time.Hour)
		assert.Equal(t, "tomorrow", titles(s))
		b.stop()
	})
}

// Microsoft Graph gives all-day events as dates, in UTC: they are days of the room.
func TestServiceAllDayEventsAreDaysOfTheRoom(t *testing.T) {
	for zone, offset := range map[string]time.Duration{"America/Los_Angeles": 8 * time.Hour, "UTC": 0, "Pacific/Auckland": -13 * time.Hour} {
		t.Run(zone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loc, err := time.LoadLocation(zone)
				require.NoError(t, err)
				cal, s := newCalendars(), endpointtest.NewScreen(nil)
				fair := meeting("fair", 72*time.Hour) // a midnight of UTC
				fair.AllDay, fair.End, fair.Location = true, fair.Start.AddDate(0, 0, 1), "sip:fair@example.com"
				own := meeting("own", 96*time.Hour)
				own.Start, own.End = time.Date(2000, 1, 5, 0, 0, 0, 0, loc), time.Date(2000, 1, 6, 0, 0, 0, 0, loc)
				own.AllDay, own.Location = true, "sip:own@example.com"
				cal.set("mb", nil, fair, own)
				b := start(t, cal, nil, func(b *bench) []otj.Room {
					r := b.room("room", s, "mb")
					r.TimeZone = loc
					return []otj.Room{r}
				})
				ms := s.Meetings()
				require.Len(t, ms, 2)
				assert.Equal(t, fair.Start.Add(offset), ms[0].Start)
				assert.Equal(t, fair.End.Add(offset), ms[0].End)
				assert.True(t, own.Start.Equal(ms[1].Start), "its calendar knows its zone")
				after(time.Until(fair.End.Add(offset)) - time.Minute)
				assert.Equal(t, "fair own", titles(s))
				after(2 * time.Minute)
				assert.Equal(t, "own", titles(s))
				b.stop()
			})
		})
	}
}

// An end that is no whole second is one.
func TestServiceEndWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		ev := meeting("call", time.Hour)
		ev.End = ev.End.Add(999 * time.Millisecond)
		cal.set("mb", nil, ev)
		b := start(t, cal, &otj.Options{Poll: 6 * time.Hour}, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		after(2*time.Hour - time.Second)
		assert.Equal(t, "call", titles(s))
		after(3 * time.Second)
		assert.Equal(t, "", titles(s))
		b.stop()
	})
}

// A meeting without length is shown for a minute.
func TestServiceMeetingWithoutLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		ev := meeting("call", time.Hour)
		ev.End = ev.Start
		cal.set("mb", nil, ev)
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		after(time.Hour + 30*time.Second)
		b.svc.Wake("room")
		synctest.Wait()
		assert.Equal(t, "call", titles(s))
		after(31 * time.Second)
		assert.Equal(t, "", titles(s))
		b.stop()
	})
}

// What an adapter or a provider does beside Show and Events ends nothing either.
func TestServiceSurvivesPanicsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, good, wild := newCalendars(), endpointtest.NewScreen(nil), &wild{Screen: endpointtest.NewScreen(nil)}
		ev := meeting("one", 10*time.Hour)
		ev.Location = "sip:one@example.com"
		cal.set("mb", nil, ev)
		b := start(t, cal, nil, func(b *bench) []otj.Room {
			shouting := b.room("shouting", endpointtest.NewScreen(nil), "mb")
			shouting.Sources[0].Provider = shouter{cal}
			return []otj.Room{b.room("good", good, "mb"), b.room("wild", wild, "mb"), shouting}
		})
		after(time.Minute)
		assert.Equal(t, "one", titles(good))
		assert.Equal(t, []string{otj.AlarmDevice, otj.AlarmDevice, otj.AlarmWatch}, b.alarms("wild"))
		assert.Equal(t, "", titles(wild.Screen), "nobody knows what it dials")
		assert.Equal(t, []string{otj.AlarmNotify}, b.alarms("shouting"))
		assert.NotContains(t, b.logs.String(), "TopSecret")
		wild.tame.Store(true)
		after(6 * time.Minute)
		assert.Equal(t, "one", titles(wild.Screen))
		assert.Empty(t, b.alarms("wild"))
		b.stop()
	})
}

type wild struct {
	*endpointtest.Screen
	tame atomic.Bool
}

func (w *wild) Dials(a rules.Address) bool {
	w.panic()
	return w.Screen.Dials(a)
}

func (w *wild) Watch(ctx context.Context, wake func()) error {
	w.panic()
	return w.Screen.Watch(ctx, wake)
}

func (w *wild) Alarms() []otj.Alarm {
	w.panic()
	return w.Screen.Alarms()
}

func (w *wild) panic() {
	if !w.tame.Load() {
		panic("TopSecret")
	}
}

type shouter struct{ *calendars }

func (shouter) Notify(context.Context, []string, func(string)) error { panic("TopSecret") }

var _ calendar.Notifier = shouter{}
