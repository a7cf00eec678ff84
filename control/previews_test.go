package control_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

// previewing is a world with two rooms, a meeting in each and a draft that changes
// both.
func previewing(t *testing.T) (*world, control.Processing) {
	w := newWorld(t)
	m, _ := w.office(w.provider().ID)
	lab := must(w.centre.SaveMailbox(t.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: m.Provider, Address: "lab@acme.example"}))(t)
	must(w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "Lab", Kind: control.Feed, Mailbox: lab.ID, Enabled: true}))(t)
	for _, id := range []string{m.ID, lab.ID} {
		w.live.events[id] = []calendar.Event{meeting("lunch", "Lunch", "Canteen", time.Now().UTC().Add(time.Hour))}
	}
	draft := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	draft.Settings.NonVideo = false
	return w, draft
}

func TestPreviewThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, draft := previewing(t)
		ctx := t.Context()
		w.live.hold = make(chan struct{})
		p := must(w.centre.StartPreview(ctx, w.admin, draft))(t)
		synctest.Wait()
		now := must(w.centre.Preview(ctx, w.admin, p.ID))(t)
		assert.Equal(t, [2]int{0, 2}, [2]int{now.Done, now.Total})
		assert.Nil(t, now.Result)
		assert.Zero(t, now.Ended)

		second := must(w.centre.StartPreview(ctx, w.admin, draft))(t)
		_, err := w.centre.StartPreview(ctx, w.admin, draft)
		require.ErrorIs(t, err, control.ErrBusy)
		require.NoError(t, w.centre.StopPreview(ctx, w.admin, second.ID))
		_, err = w.centre.Preview(ctx, w.admin, second.ID)
		require.ErrorIs(t, err, control.ErrNotFound)
		synctest.Wait()

		close(w.live.hold)
		synctest.Wait()
		now = must(w.centre.Preview(ctx, w.admin, p.ID))(t)
		assert.Equal(t, [2]int{2, 2}, [2]int{now.Done, now.Total})
		require.NotNil(t, now.Result)
		assert.Equal(t, map[control.ChangeWhat]int{control.Vanishes: 2}, now.Result.Count)
		assert.Equal(t, "Lunch", now.Result.Rooms[0].Meetings[0].Before.Title)
		assert.False(t, now.Ended.IsZero())

		// Whoever may not see subjects sees none, and nobody without the role anything.
		limited := control.Actor{User: w.admin.User, Scopes: []control.Action{control.ReadCompany, control.Configure}}
		other := must(w.centre.Preview(ctx, limited, p.ID))(t)
		assert.True(t, other.Result.SubjectsHidden)
		assert.Empty(t, other.Result.Rooms[0].Meetings[0].Before.Title)
		assert.Equal(t, "Lunch", must(w.centre.Preview(ctx, w.admin, p.ID))(t).Result.Rooms[0].Meetings[0].Before.Title)
		_, err = w.centre.Preview(ctx, control.Actor{User: w.admin.User, Scopes: []control.Action{control.ReadCompany}}, p.ID)
		require.ErrorIs(t, err, control.ErrDenied)
		_, err = w.centre.Preview(ctx, control.Actor{User: control.User{Org: "other"}}, p.ID)
		require.ErrorIs(t, err, control.ErrNotFound)

		time.Sleep(9 * time.Minute)
		must(w.centre.Preview(ctx, w.admin, p.ID))(t)
		time.Sleep(2 * time.Minute)
		_, err = w.centre.Preview(ctx, w.admin, p.ID)
		require.ErrorIs(t, err, control.ErrNotFound, "what was read is not kept for long")
	})
}

func TestPreviewThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, draft := previewing(t)
		ctx := t.Context()
		draft.Rules = "[{]"
		_, err := w.centre.StartPreview(ctx, w.admin, draft)
		assert.Equal(t, []string{"rules"}, fieldsOf(t, err), "mistakes are said at once")
		draft.Rules = ""
		for i := range 12 {
			p := must(w.centre.StartPreview(ctx, w.admin, draft))(t)
			time.Sleep(time.Second)
			if i == 0 {
				defer func() {
					_, err := w.centre.Preview(ctx, w.admin, p.ID)
					assert.ErrorIs(t, err, control.ErrNotFound, "there are newer ones")
				}()
			}
			assert.NotNil(t, must(w.centre.Preview(ctx, w.admin, p.ID))(t).Result)
		}
		w.live.hold = make(chan struct{}) // calendars that never answer, each given up after a minute
		p := must(w.centre.StartPreview(ctx, w.admin, draft))(t)
		time.Sleep(2 * time.Minute)
		now := must(w.centre.Preview(ctx, w.admin, p.ID))(t)
		require.NotNil(t, now.Result)
		for _, r := range now.Result.Rooms {
			assert.NotEmpty(t, r.Error)
		}
	})
}

// Where the day ends elsewhere, today has other meetings.
func TestPreviewOfAnotherTimeZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock begins on 1 January 2000, at midnight UTC
		w, draft := previewing(t)
		ctx := t.Context()
		draft.Settings.NonVideo, draft.Settings.DaysAhead = true, 0
		draft = must(w.centre.SaveProcessing(ctx, w.admin, draft))(t)
		for id := range w.live.events {
			w.live.events[id] = []calendar.Event{meeting("noon", "Noon", "Canteen", time.Now().UTC().Add(12*time.Hour))}
		}
		draft.TimeZone = "Pacific time"
		_, err := w.centre.PreviewChange(ctx, w.admin, draft, nil)
		assert.Equal(t, []string{"time_zone"}, fieldsOf(t, err))
		draft.TimeZone = "America/Los_Angeles"
		v := must(w.centre.PreviewChange(ctx, w.admin, draft, nil))(t)
		assert.Equal(t, map[control.ChangeWhat]int{control.Vanishes: 2}, v.Count, "there it is New Year's Eve until eight")

		// A group of systems may be elsewhere than the company.
		g := must(w.centre.SaveGroup(ctx, w.admin, control.Group{Company: w.acme.ID, Name: "London", TimeZone: "Europe/London"}))(t)
		s := must(w.centre.Systems(ctx, w.admin, w.acme.ID, "", 1))(t).Items[0]
		s.Group = g.ID
		must(w.centre.SaveSystem(ctx, w.admin, s))(t)
		v = must(w.centre.PreviewChange(ctx, w.admin, draft, nil))(t)
		assert.Equal(t, map[control.ChangeWhat]int{control.Vanishes: 1}, v.Count)
		_, err = w.centre.SaveGroup(ctx, w.admin, control.Group{Company: w.acme.ID, Name: "Nowhere", TimeZone: "Local"})
		assert.Equal(t, []string{"time_zone"}, fieldsOf(t, err))
	})
}
