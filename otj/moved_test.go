package otj_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// A device that was given to another room does not go on showing the meetings of
// the first one, though the other calendar cannot be read.
func TestServiceOtherMailboxThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cal, s := newCalendars(), endpointtest.NewScreen(nil)
		cal.set("mb", nil, meeting("one", time.Hour))
		cal.set("also", nil, meeting("two", 2*time.Hour))
		cal.set("closed", errors.New("no rights"))
		var b *bench
		set := func(mailboxes ...string) {
			t.Helper()
			require.NoError(t, b.svc.Set([]otj.Room{b.room("room", s, mailboxes...)}))
			after(10 * time.Second)
		}
		b = start(t, cal, nil, func(b *bench) []otj.Room { return []otj.Room{b.room("room", s, "mb")} })
		set("mb", "closed")
		assert.Equal(t, "one", titles(s), "a calendar more: what was right stays")
		set("also", "closed")
		assert.Equal(t, "two", titles(s), "it is not held back by the one that cannot be read")
		set("closed")
		assert.Equal(t, "", titles(s))
		assert.Contains(t, b.alarms("room"), otj.AlarmCalendar)
		cal.set("closed", nil, meeting("three", time.Hour))
		after(10 * time.Minute)
		assert.Equal(t, "three", titles(s))
		cal.set("closed", errors.New("no rights"))
		after(10 * time.Minute)
		assert.Equal(t, "three", titles(s), "an error clears nothing")

		other := newCalendars()
		other.set("closed", errors.New("no network"))
		r := b.room("room", s, "closed")
		r.Sources[0].Provider = other
		require.NoError(t, b.svc.Set([]otj.Room{r}))
		after(10 * time.Second)
		assert.Equal(t, "three", titles(s), "another way to the same mailbox clears nothing")
		b.stop()
	})
}
