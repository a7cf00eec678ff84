package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// What stands between the service and a device is an endpoint as any other.
func TestExtendedEndpoint(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		s := endpointtest.NewScreen(nil)
		return &endpointtest.Harness{
			Endpoint: (&extended{Endpoint: s, extras: &extras{}}).forService(),
			Shown:    func(context.Context) ([]otj.Meeting, error) { return s.Meetings(), nil },
			Dialable: []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.SIP, URI: "sip:2@example.com"}},
			Unplug:   s.Unplug, Plug: s.Plug, Stall: s.Stall, Reset: s.Restart, Tamper: s.Tamper,
		}, nil
	})
}

func titles(meetings []otj.Meeting) []string {
	var out []string
	for _, m := range meetings {
		out = append(out, m.Title)
	}
	return out
}

func TestExtras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		meeting := func(id string, in time.Duration) otj.Meeting {
			return otj.Meeting{ID: id, Title: id, Start: now.Add(in), End: now.Add(in + 10*time.Minute)}
		}
		s, x := endpointtest.NewScreen(nil), &extras{}
		e := &extended{Endpoint: s, extras: x}
		day := []otj.Meeting{meeting("a", 0), meeting("c", time.Hour)}
		show := func() {
			t.Helper()
			require.NoError(t, e.Show(t.Context(), day))
		}
		var woken atomic.Int64
		wake := func() { woken.Add(1); show() }
		show()
		require.NoError(t, x.test(t.Context(), meeting("b", time.Minute), wake))
		assert.Equal(t, []string{"a", "b", "c"}, titles(s.Meetings()), "between the others, in order")
		other := meeting("a", 0)
		other.Title = "impostor"
		require.NoError(t, x.test(t.Context(), other, wake))
		assert.Equal(t, []string{"a", "b", "c"}, titles(s.Meetings()), "a meeting of the calendar stays")

		// The device fails, and then takes it from another endpoint of the system.
		s.Unplug()
		require.Error(t, x.test(t.Context(), meeting("d", 0), func() { _ = e.Show(t.Context(), day) }))
		s.Plug()
		e = &extended{Endpoint: s, extras: x}
		show()
		assert.Equal(t, []string{"a", "b", "c"}, titles(s.Meetings()), "what failed is gone, what was shown is not")

		// Nobody calls Show.
		begun := time.Now()
		require.ErrorContains(t, x.test(t.Context(), meeting("e", 0), func() {}), "did not take the meeting within 30s")
		assert.Equal(t, testTime, time.Since(begun))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, x.test(ctx, meeting("e", 0), func() {}), context.Canceled)

		woken.Store(0)
		time.Sleep(11*time.Minute + time.Second)
		synctest.Wait()
		assert.EqualValues(t, 2, woken.Load(), "the service is told that both have ended")
		assert.Equal(t, []string{"a", "c"}, titles(s.Meetings()))

		// A pause.
		assert.False(t, x.set(true, false))
		day = day[1:]
		show()
		assert.Equal(t, []string{"a", "c"}, titles(s.Meetings()), "a paused device keeps what it shows")
		require.ErrorContains(t, x.test(t.Context(), meeting("f", 0), wake), "paused")
		e.bare.Store(true)
		require.NoError(t, e.Show(t.Context(), nil))
		assert.Empty(t, s.Meetings(), "the system is gone: the device is cleared")
		e.bare.Store(false)
		assert.True(t, x.set(false, false), "the device has to be brought up to date")
		show()
		assert.Equal(t, []string{"c"}, titles(s.Meetings()))

		for i := range maxTests {
			now = time.Now()
			require.NoError(t, x.test(t.Context(), meeting(string(rune('0'+i)), 0), wake))
		}
		require.ErrorContains(t, x.test(t.Context(), meeting("g", 0), wake), "5 test meetings already")
	})
}

// silentDevice raises alarms.
type silentDevice struct{ *endpointtest.Screen }

func (silentDevice) Alarms() []otj.Alarm {
	return []otj.Alarm{{Code: cisco.AlarmSilent}, {Code: "capacity"}}
}

func TestQuietAlarms(t *testing.T) {
	x := &extras{}
	e := (&extended{Endpoint: silentDevice{endpointtest.NewScreen(nil)}, extras: x}).forService()
	require.Implements(t, (*otj.Watcher)(nil), e)
	assert.Len(t, e.(otj.Alarmer).Alarms(), 2)
	x.set(false, true)
	assert.Equal(t, []otj.Alarm{{Code: "capacity"}}, e.(otj.Alarmer).Alarms())
}
