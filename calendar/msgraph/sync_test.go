package msgraph_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// ops counts the requests of a step, by operation.
func ops(t *testing.T, site *graphtest.Site, step func() error) map[graphtest.Op]int {
	before := site.Stats().ByOp
	require.NoError(t, step())
	after := site.Stats().ByOp
	for op, n := range before {
		if after[op] -= n; after[op] == 0 {
			delete(after, op)
		}
	}
	return after
}

// A series of which Graph lists times only has its text from the master, which
// is asked for where it is not listed; nothing is asked for twice.
func TestSyncHydrates(t *testing.T) {
	for name, o := range map[string]graphtest.Options{"master listed": {}, "master not listed": {OmitOldMasters: true}} {
		t.Run(name, func(t *testing.T) {
			site := quiet(&o)
			p := msgraph.New(app{site}, local(site))
			f := follow(p, site.Room)
			ctx := t.Context()
			var ids []string
			for i := range 2 {
				id, err := site.Room.AddSeries(graphtest.Event{
					Subject: fmt.Sprint("Standup ", i), Start: monday.AddDate(0, 0, -30).Add(9 * time.Hour), JoinURL: "https://teams.example.com/1", HTML: "<p>Join</p>",
					Sensitivity: calendar.Private, Response: calendar.Accepted, Location: "Fjord",
				}, graphtest.Recurrence{Type: "daily"})
				require.NoError(t, err)
				ids = append(ids, id)
			}
			id := ids[0]
			want := map[graphtest.Op]int{graphtest.OpDelta: 1}
			if o.OmitOldMasters {
				want[graphtest.OpBatch], want[graphtest.OpEvent] = 1, 2
			}
			assert.Equal(t, want, ops(t, site, func() error { return f.sync(ctx) }))
			require.NoError(t, f.check())
			require.Len(t, f.held, 14)
			whole, err := p.Events(ctx, site.Room.Address(), week)
			require.NoError(t, err)
			for _, e := range whole {
				got := f.held[e.ID]
				assert.NotEmpty(t, got.Revision)
				got.Revision, e.Revision = "", ""
				got.Modified = e.Modified
				assert.Equal(t, e, got, "as calendarView has it")
			}

			assert.Equal(t, map[graphtest.Op]int{graphtest.OpDelta: 1}, ops(t, site, func() error { return f.sync(ctx) }))
			assert.Equal(t, calendar.Delta{Changed: []calendar.Event{}, Token: f.token}, f.last, "an idle mailbox costs one request")

			was := f.last
			require.NoError(t, site.Room.Edit(id, func(e *graphtest.Event) { e.Subject = "Later" }))
			want = map[graphtest.Op]int{graphtest.OpDelta: 1}
			if o.OmitOldMasters {
				want[graphtest.OpEvent] = 1
			}
			assert.Equal(t, want, ops(t, site, func() error { return f.sync(ctx) }))
			require.NoError(t, f.check())
			assert.NotEqual(t, was.Token, f.token)

			// One day is moved, one deleted, one moved out of the window.
			for day, change := range map[int]func(string) error{
				1: func(o string) error { return site.Room.Move(o, monday.AddDate(0, 0, 1).Add(15*time.Hour)) },
				2: site.Room.Delete,
				3: func(o string) error { return site.Room.Move(o, monday.AddDate(0, 0, 20)) },
			} {
				occurrence, err := site.Room.Occurrence(id, monday.AddDate(0, 0, day))
				require.NoError(t, err)
				require.NoError(t, change(occurrence))
			}
			got := ops(t, site, func() error { return f.sync(ctx) })
			assert.Equal(t, 1, got[graphtest.OpInstances], "which occurrences are gone is asked, once")
			require.NoError(t, f.check())
			assert.Len(t, f.last.Removed, 2)
			assert.False(t, f.last.Full)

			require.NoError(t, site.Room.Delete(id))
			assert.Equal(t, map[graphtest.Op]int{graphtest.OpDelta: 1}, ops(t, site, func() error { return f.sync(ctx) }))
			assert.Len(t, f.last.Removed, 5)
			require.NoError(t, f.check())
		})
	}
}

// Of many series at once, the calendar is read: that is fewer requests.
func TestSyncOfManySeries(t *testing.T) {
	site := quiet(&graphtest.Options{OmitOldMasters: true})
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	for i := range 9 {
		_, err := site.Room.AddSeries(graphtest.Event{Subject: fmt.Sprint(i), Start: monday.AddDate(0, 0, -7).Add(time.Duration(i) * time.Hour)}, graphtest.Recurrence{Type: "weekly"})
		require.NoError(t, err)
	}
	assert.Equal(t, map[graphtest.Op]int{graphtest.OpDelta: 1, graphtest.OpView: 1}, ops(t, site, func() error { return f.sync(t.Context()) }))
	require.NoError(t, f.check())
	site.Room.Clear()
	require.NoError(t, f.sync(t.Context()))
	require.NoError(t, f.check())
	assert.Len(t, f.last.Removed, 9)
}

// A short window is read whole, by one request.
func TestSyncOfAShortWindow(t *testing.T) {
	site := quiet(nil)
	add(site.Room, 3)
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	f.w = calendar.Window{From: monday, To: monday.AddDate(0, 0, 2)}
	for range 3 {
		assert.Equal(t, map[graphtest.Op]int{graphtest.OpView: 1}, ops(t, site, func() error { return f.sync(t.Context()) }))
		assert.True(t, f.last.Full)
		require.NoError(t, f.check())
		site.Room.AddSingle(graphtest.Event{Subject: "New", Start: monday.Add(20 * time.Hour)})
	}
}

// A series that is said to be gone is gone only if the calendar lacks it too.
func TestSyncOfAMissingMaster(t *testing.T) {
	site := quiet(&graphtest.Options{OmitOldMasters: true})
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	_, err := site.Room.AddSeries(graphtest.Event{Subject: "Standup", Start: monday.AddDate(0, 0, -7)}, graphtest.Recurrence{Type: "daily"})
	require.NoError(t, err)
	site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpEvent}, Status: http.StatusNotFound, Count: 1})
	assert.Equal(t, map[graphtest.Op]int{graphtest.OpDelta: 1, graphtest.OpEvent: 1, graphtest.OpView: 1}, ops(t, site, func() error { return f.sync(t.Context()) }))
	require.NoError(t, f.check())
}

// Pages that do not end are left after some, and the calendar is read whole, for
// an hour. Empty pages and such as come twice are nothing.
func TestSyncOfPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		add(site.Room, 5)
		opts := local(site)
		opts.PageSize = 2
		f := follow(msgraph.New(app{site}, opts), site.Room)
		ctx := t.Context()
		for _, odd := range []graphtest.Fault{{Empty: true, Count: 8}, {Repeat: true, Count: 8}, {}} {
			odd.Ops = []graphtest.Op{graphtest.OpDelta}
			f.token = ""
			if odd.Count > 0 {
				site.Inject(odd)
			}
			assert.Equal(t, map[graphtest.Op]int{graphtest.OpDelta: 3 + odd.Count}, ops(t, site, func() error { return f.sync(ctx) }))
			require.NoError(t, f.check())
		}

		for _, odd := range []graphtest.Fault{{Empty: true}, {Repeat: true}} {
			odd.Ops = []graphtest.Op{graphtest.OpDelta}
			remove := site.Inject(odd)
			for n := 0; n < 3; n++ {
				site.Room.AddSingle(graphtest.Event{Subject: "New", Start: monday.Add(30 * time.Hour)})
				got := ops(t, site, func() error { return f.sync(ctx) })
				assert.LessOrEqual(t, got[graphtest.OpDelta], 12)
				if n > 0 {
					assert.Zero(t, got[graphtest.OpDelta])
				}
				assert.True(t, f.last.Full)
				require.NoError(t, f.check())
			}
			remove()
			time.Sleep(time.Hour)
			got := ops(t, site, func() error { return f.sync(ctx) })
			assert.Zero(t, got[graphtest.OpView])
			require.NoError(t, f.check())
		}

		// calendarView itself: there is nothing to turn to.
		site.Inject(graphtest.Fault{Repeat: true})
		_, err := f.p.Events(ctx, site.Room.Address(), week)
		require.EqualError(t, err, "read calendar of fjord@example.com: unavailable: the pages of Graph do not end")
	})
}

// What Graph no longer continues, in whichever way it says so, the caller begins
// anew; what is about the mailbox is no reason.
func TestSyncIsReset(t *testing.T) {
	site := quiet(nil)
	add(site.Room, 3)
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	delta := []graphtest.Op{graphtest.OpDelta}
	for _, fault := range []graphtest.Fault{
		{Status: http.StatusGone}, {Status: http.StatusGone, Code: "resyncRequired"}, {Status: http.StatusBadRequest},
		{Status: http.StatusBadRequest, Code: "ErrorInvalidSyncStateData"}, {Status: http.StatusNotFound, Code: "SyncStateNotFound"}, {Status: http.StatusNotFound},
	} {
		require.NoError(t, f.sync(t.Context()))
		fault.Ops, fault.Count = delta, 1
		site.Inject(fault)
		token := f.token
		require.ErrorIs(t, f.sync(t.Context()), calendar.ErrTokenExpired, "%v", fault)
		_, err := f.p.Sync(t.Context(), site.Room.Address(), week, token)
		require.ErrorIs(t, err, calendar.ErrTokenExpired, "and stays so")
		require.NoError(t, f.sync(t.Context()))
		assert.True(t, f.last.Full)
		require.NoError(t, f.check())
	}
	for _, fault := range []graphtest.Fault{{Status: http.StatusNotFound, Code: "ErrorInvalidUser"}, {Status: http.StatusNotFound, Code: "MailboxNotEnabledForRESTAPI"}, {Status: http.StatusServiceUnavailable}, {Drop: true}} {
		fault.Ops, fault.Count = delta, 1
		site.Inject(fault)
		token := f.token
		err := f.sync(t.Context())
		require.Error(t, err)
		require.NotErrorIs(t, err, calendar.ErrTokenExpired)
		require.Equal(t, token, f.token)
		require.NoError(t, f.sync(t.Context()), "the token is still good")
		assert.False(t, f.last.Full)
	}

	// A first round that is broken off begins again; if that does not help, the
	// calendar is read.
	for n, want := range map[int]map[graphtest.Op]int{1: {graphtest.OpDelta: 2}, 2: {graphtest.OpDelta: 2, graphtest.OpView: 1}} {
		f.token = ""
		site.Inject(graphtest.Fault{Ops: delta, Status: http.StatusGone, Count: n})
		assert.Equal(t, want, ops(t, site, func() error { return f.sync(t.Context()) }))
		require.NoError(t, f.check())
	}
}

// Several callers may follow a mailbox, and a token is good once.
func TestSyncTokens(t *testing.T) {
	site := quiet(nil)
	add(site.Room, 3)
	p := msgraph.New(app{site}, local(site))
	alone := follow(msgraph.New(app{site}, local(site)), site.Room)
	require.NoError(t, alone.sync(t.Context()))
	used := alone.token
	require.NoError(t, alone.sync(t.Context()))
	_, err := alone.p.Sync(t.Context(), site.Room.Address(), week, used)
	require.ErrorIs(t, err, calendar.ErrTokenExpired)

	var followers []*follower
	for range 4 {
		f := follow(p, site.Room)
		require.NoError(t, f.sync(t.Context()))
		followers = append(followers, f)
	}
	for range 3 {
		site.Room.AddSingle(graphtest.Event{Subject: "New", Start: monday.Add(20 * time.Hour)})
		for _, f := range followers {
			old := f.token
			require.NoError(t, f.sync(t.Context()))
			assert.False(t, f.last.Full)
			require.NoError(t, f.check())
			_, err := p.Sync(t.Context(), site.Room.Address(), week, old)
			require.EqualError(t, err, "read calendar of fjord@example.com: sync token expired: it is not of this process, mailbox and window")
		}
	}
	// Of a fifth, the first has to pay.
	require.NoError(t, follow(p, site.Room).sync(t.Context()))
	require.ErrorIs(t, followers[0].sync(t.Context()), calendar.ErrTokenExpired)
	require.NoError(t, followers[1].sync(t.Context()))

	_, err = msgraph.New(app{site}, local(site)).Sync(t.Context(), site.Room.Address(), week, followers[1].token)
	require.ErrorIs(t, err, calendar.ErrTokenExpired, "of another process")
}

// What was never seen may be removed, and an event that cannot be read is named
// and not taken away.
func TestSyncOfOddEvents(t *testing.T) {
	site := quiet(nil)
	outside := site.Room.AddSingle(graphtest.Event{Subject: "Outside", Start: monday.AddDate(0, 1, 0)})
	series, err := site.Room.AddSeries(graphtest.Event{Subject: "Standup", Start: monday.Add(9 * time.Hour)}, graphtest.Recurrence{Type: "daily", Count: 3})
	require.NoError(t, err)
	single := site.Room.AddSingle(graphtest.Event{Subject: "Single", Start: monday.Add(11 * time.Hour)})
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	require.NoError(t, f.sync(t.Context()))

	require.NoError(t, site.Room.Edit(outside, func(e *graphtest.Event) { e.Subject = "Still outside" }))
	require.NoError(t, f.sync(t.Context()))
	assert.Len(t, f.held, 4)

	occurrence, err := site.Room.Occurrence(series, monday)
	require.NoError(t, err)
	require.NoError(t, site.Room.Edit(occurrence, func(e *graphtest.Event) { e.Raw = map[string]any{"isAllDay": 7} }))
	require.NoError(t, site.Room.Edit(single, func(e *graphtest.Event) { e.Raw = map[string]any{"start": map[string]any{"dateTime": "soon"}} }))
	err = f.sync(t.Context())
	var partial *calendar.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Len(t, partial.Bad, 2)
	assert.Empty(t, f.last.Removed)
	assert.Len(t, f.held, 4)

	require.NoError(t, site.Room.Delete(occurrence))
	require.NoError(t, site.Room.Delete(single))
	require.NoError(t, f.sync(t.Context()))
	require.NoError(t, f.check())
	assert.Len(t, f.held, 2)
}

// A caller that gives up keeps its token.
func TestSyncIsCancelled(t *testing.T) {
	site := quiet(nil)
	add(site.Room, 3)
	f := follow(msgraph.New(app{site}, local(site)), site.Room)
	require.NoError(t, f.sync(t.Context()))
	site.Inject(graphtest.Fault{Stall: true, Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, f.sync(ctx), context.DeadlineExceeded)
	require.NoError(t, f.sync(t.Context()))
	assert.False(t, f.last.Full)
	require.Error(t, errors.Join(f.p.(*msgraph.Provider).CheckAccess(ctx, site.Room.Address())))
}

// What Graph may list and the fake does not: an event that has left the window,
// and the master of a series alone, of which the caller has nothing yet.
func TestSyncOfWhatTheFakeDoesNotList(t *testing.T) {
	site := quiet(nil)
	o := local(site)
	const link = `"@odata.deltaLink":"https://graph.example/v1.0/users/fjord@example.com/calendarView/delta?$deltatoken=`
	at := func(day string) string {
		return `"start":{"dateTime":"` + day + `T09:00:00","timeZone":"UTC"},"end":{"dateTime":"` + day + `T10:00:00","timeZone":"UTC"}`
	}
	o.Transport = &script{t: t, steps: [][2]string{
		{"/calendarView/delta?endDateTime=", `{"value":[{"id":"a","type":"singleInstance",` + at("2026-03-03") + `}],` + link + `1"}`},
		{"/calendarView/delta?$deltatoken=1", `{"value":[{"id":"a","type":"singleInstance",` + at("2026-04-03") + `},{"id":"m","type":"seriesMaster",` + at("2026-01-05") + `}],` + link + `2"}`},
		{"/events/m/instances?", `{"value":[{"id":"m1","type":"occurrence","seriesMasterId":"m","subject":"Standup",` + at("2026-03-04") + `}]}`},
		{"/calendarView/delta?$deltatoken=2", `{"value":[{"id":"m","type":"seriesMaster","@removed":{"reason":"deleted"}},{"id":"x","@removed":{"reason":"changed"}}],` + link + `3"}`},
	}}
	p := msgraph.New(app{site}, o)
	d, err := p.Sync(t.Context(), "fjord@example.com", week, "")
	require.NoError(t, err)
	require.Len(t, d.Changed, 1)
	d, err = p.Sync(t.Context(), "fjord@example.com", week, d.Token)
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, d.Removed)
	require.Len(t, d.Changed, 1)
	assert.Equal(t, "Standup", d.Changed[0].Subject)
	d, err = p.Sync(t.Context(), "fjord@example.com", week, d.Token)
	require.NoError(t, err)
	assert.Empty(t, d.Changed)
	assert.Equal(t, []string{"m1", "x"}, d.Removed)
}

// script answers requests in order; each has to have the first text in it.
type script struct {
	t     *testing.T
	steps [][2]string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	require.NotEmpty(s.t, s.steps, r.URL)
	assert.Contains(s.t, r.URL.String(), s.steps[0][0])
	body := s.steps[0][1]
	s.steps = s.steps[1:]
	return answering(body).RoundTrip(r)
}
