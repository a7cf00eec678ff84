package otj_test

import (
	"context"
	"errors"
	"slices"
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

// Of calendars of which none was ever read, nothing is known: the device keeps
// what it has, however long that lasts.
func TestServiceNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		require.NoError(t, s.Show(t.Context(), []otj.Meeting{{ID: "before", Title: "before", Start: time.Now(), End: time.Now().Add(time.Hour)}}))
		cal.set("a", &calendar.Error{Op: "read calendar", Err: calendar.ErrUnavailable})
		cal.set("b", &calendar.Error{Op: "read calendar", Err: calendar.ErrForbidden})
		b := start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "a", "b")} })
		after(3 * time.Hour)
		b.svc.Wake("room")
		after(time.Minute)
		assert.Equal(t, "before", titles(s))
		assert.Equal(t, 1, s.Shows())
		b.stop()
	})
}

// A calendar that is being read has not failed.
func TestServiceFirstReadTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("quick", nil, meeting("one", 10*time.Hour))
		cal.stall["slow"] = true
		b := start(t, cal, &otj.Options{ReadTimeout: time.Hour}, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "quick", "slow")} })
		after(30 * time.Minute)
		b.svc.Wake("room")
		after(time.Minute)
		assert.Equal(t, 0, s.Shows())
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

// roomAt is the only room, with a device of a name of its own.
func roomAt(b *bench, device string, e otj.Endpoint) []otj.Room {
	r := b.room("room", e, "mb")
	r.Device = device
	return []otj.Room{r}
}

// An address that was wrong is not called for ever once it is mended.
func TestServiceDeviceThatWasNeverReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, wrong, right := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		wrong.Unplug()
		b := start(t, cal, nil, func(b *bench) []otj.Room { return roomAt(b, "wrong", wrong) })
		require.NoError(t, b.svc.Set(roomAt(b, "right", right)))
		after(time.Minute)
		assert.Equal(t, "one", titles(right))
		require.Len(t, b.svc.Status().Rooms, 1)
		assert.Empty(t, b.alarms("room"))

		// One that was reached, or may have been, is cleared, however long that takes.
		var refuses atomic.Bool
		refuses.Store(true)
		half := &endpoint{Screen: endpointtest.NewScreen(nil), err: func() error {
			if refuses.Load() {
				return otj.ErrRejected // perhaps after it has taken some
			}
			return nil
		}}
		require.NoError(t, b.svc.Set(roomAt(b, "half", half)))
		after(time.Second)
		require.NoError(t, b.svc.Set(roomAt(b, "right", right)))
		after(time.Minute)
		require.Len(t, b.svc.Status().Rooms, 2, "it may have something")
		refuses.Store(false)
		after(10 * time.Minute)
		require.Len(t, b.svc.Status().Rooms, 1)
		right.Unplug()
		wrong.Plug()
		require.NoError(t, b.svc.Set(roomAt(b, "other", wrong)))
		after(time.Minute)
		require.Len(t, b.svc.Status().Rooms, 2)
		right.Plug()
		after(10 * time.Minute)
		assert.Equal(t, "", titles(right))
		require.Len(t, b.svc.Status().Rooms, 1)
		b.stop()
	})
}

func TestServiceDeviceReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, old, anew := newCalendars(), endpointtest.NewScreen(nil), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", 10*time.Hour))
		b := start(t, cal, nil, func(b *bench) []otj.Room { return roomAt(b, "serial 1", old) })
		// The same device with another adapter: it is not cleared.
		again := &endpoint{Screen: old}
		require.NoError(t, b.svc.Set(roomAt(b, "serial 1", again)))
		after(time.Second)
		assert.Equal(t, "one", titles(old))
		assert.Equal(t, 2, old.Shows())
		// Another device.
		require.NoError(t, b.svc.Set(roomAt(b, "serial 2", anew)))
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
