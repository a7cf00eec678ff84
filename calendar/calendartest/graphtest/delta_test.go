package graphtest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

// follower does delta rounds as the documentation has them, in the plainest way:
// https://learn.microsoft.com/graph/delta-query-events.
type follower struct {
	*client
	w       calendar.Window
	m       *graphtest.Mailbox
	link    string
	events  map[string]map[string]any // by ID, masters too
	masters map[string]map[string]any
}

func newFollower(c *client, m *graphtest.Mailbox, w calendar.Window) *follower {
	return &follower{client: c, w: w, m: m, events: map[string]map[string]any{}, masters: map[string]map[string]any{}}
}

func (f *follower) round(headers ...string) (listed []map[string]any) {
	f.t.Helper()
	target := f.link
	if target == "" {
		target = room(f.m) + "/calendarView/delta" + span(f.w)
		clear(f.events)
		clear(f.masters)
	}
	listed, f.link = f.all(target, append(headers, immutable)...)
	require.NotEmpty(f.t, f.link)
	// A series that is listed is listed whole: what it had besides is gone.
	again := map[any]bool{}
	for _, e := range listed {
		again[e["seriesMasterId"]] = e["seriesMasterId"] != nil
	}
	maps.DeleteFunc(f.events, func(_ string, e map[string]any) bool { return again[e["seriesMasterId"]] })
	for _, e := range listed {
		id := e["id"].(string)
		switch {
		case e["@removed"] != nil:
			delete(f.events, id)
			delete(f.masters, id)
			maps.DeleteFunc(f.events, func(_ string, e map[string]any) bool { return e["seriesMasterId"] == id })
		case e["type"] == "seriesMaster":
			f.masters[id] = e
		default:
			f.events[id] = e
		}
	}
	return listed
}

// holds compares what the follower has with what the mailbox has.
func (f *follower) holds() {
	f.t.Helper()
	var got, want []string
	asked := map[string]map[string]any{} // a master that is not listed may change unseen: it is not kept
	for id, e := range f.events {
		if e["type"] == "occurrence" {
			// It is sparse: the rest is the master's.
			require.NotContains(f.t, e, "subject")
			series := e["seriesMasterId"].(string)
			master := f.masters[series]
			if master == nil {
				master = asked[series]
			}
			if master == nil {
				a := f.get(room(f.m)+"/events/"+series, immutable)
				require.Equal(f.t, http.StatusOK, a.status)
				master = a.body
				asked[series] = master
			}
			both := maps.Clone(master)
			maps.Copy(both, e)
			e = both
		}
		got = append(got, fmt.Sprint(id, e["start"].(map[string]any)["dateTime"].(string)[:19], e["end"].(map[string]any)["dateTime"].(string)[:19], e["subject"], e["isCancelled"]))
	}
	for _, i := range f.m.View(f.w) {
		start, end := i.Start.UTC(), i.End.UTC()
		want = append(want, fmt.Sprint(i.ID, start.Format("2006-01-02T15:04:05"), end.Format("2006-01-02T15:04:05"), i.Subject, i.Cancelled))
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(f.t, want, got)
}

func types(listed []map[string]any) string {
	n := map[string]int{}
	for _, e := range listed {
		if e["@removed"] != nil {
			n["removed"]++
			continue
		}
		n[e["type"].(string)]++
	}
	return fmt.Sprint(n)
}

func TestDelta(t *testing.T) {
	c := newClient(t, &graphtest.Options{PageSize: 3})
	m := c.site.Room
	single := m.AddSingle(meeting("single", 1, 9))
	old, err := m.AddSeries(meeting("old", -30, 9), graphtest.Recurrence{Type: "daily"})
	require.NoError(t, err)
	f := newFollower(c, m, week)
	listed := f.round()
	assert.Equal(t, "map[occurrence:7 seriesMaster:1 singleInstance:1]", types(listed))
	f.holds()
	for _, e := range listed {
		if e["type"] == "occurrence" {
			assert.ElementsMatch(t, []string{"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}, keys(e))
		}
		if e["type"] == "seriesMaster" {
			assert.Equal(t, "2026-01-31T09:00:00.0000000", e["start"].(map[string]any)["dateTime"], "the first occurrence's time")
		}
	}
	assert.Empty(t, f.round(), "nothing changed")

	require.NoError(t, m.Move(single, at(2, 14)))
	day, err := m.Occurrence(old, at(3, 9))
	require.NoError(t, err)
	require.NoError(t, m.Cancel(day))
	outside := m.AddSingle(meeting("outside", 20, 9))
	assert.Equal(t, "map[exception:1 occurrence:6 removed:1 seriesMaster:1 singleInstance:1]", types(f.round()),
		"a series is listed whole, and what is outside the window is said to be removed")
	f.holds()
	require.NoError(t, m.Move(outside, at(4, 9)))
	require.NoError(t, m.Move(single, at(9, 9)))
	require.NoError(t, m.Delete(day))
	assert.Equal(t, "map[occurrence:6 removed:1 seriesMaster:1 singleInstance:1]", types(f.round()), "of the day there is no trace")
	f.holds()
	require.NoError(t, m.EditSeries(old, func(_ *graphtest.Event, r *graphtest.Recurrence) { r.Until = at(2, 0) }))
	f.round()
	f.holds()
	assert.Len(t, f.events, 4)
	require.NoError(t, m.Delete(old))
	f.round()
	f.holds()
	assert.Len(t, f.events, 1)
	assert.Error(t, m.Delete(old))
	m.Clear()
	f.round()
	assert.Empty(t, f.events)
}

// The two forms of delta that are documented badly, and that a client has to
// live with either way.
func TestDeltaVariants(t *testing.T) {
	c := newClient(t, &graphtest.Options{OmitOldMasters: true, SparseSeriesUpdates: true})
	m := c.site.Room
	old, err := m.AddSeries(meeting("old", -30, 9), graphtest.Recurrence{Type: "daily"})
	require.NoError(t, err)
	fresh, err := m.AddSeries(meeting("new", 1, 9), graphtest.Recurrence{Type: "daily", Count: 2})
	require.NoError(t, err)
	f := newFollower(c, m, week)
	assert.Equal(t, "map[occurrence:9 seriesMaster:1]", types(f.round()))
	f.holds()
	require.NoError(t, m.Edit(fresh, func(e *graphtest.Event) { e.Subject = "changed" }))
	assert.Equal(t, "map[seriesMaster:1]", types(f.round()))
	f.holds()
	require.NoError(t, m.Edit(old, func(e *graphtest.Event) { e.Subject = "changed" }))
	assert.Equal(t, "map[]", types(f.round()), "a client cannot see this one")

	c = newClient(t, &graphtest.Options{ListRemovedOccurrences: true})
	m = c.site.Room
	id, err := m.AddSeries(meeting("daily", 0, 9), graphtest.Recurrence{Type: "daily", Count: 5})
	require.NoError(t, err)
	f = newFollower(c, m, week)
	f.round()
	day, err := m.Occurrence(id, at(1, 0))
	require.NoError(t, err)
	require.NoError(t, m.Delete(day))
	assert.Equal(t, "map[occurrence:4 removed:1 seriesMaster:1]", types(f.round()))
	require.NoError(t, m.EditSeries(id, func(_ *graphtest.Event, r *graphtest.Recurrence) { r.Count = 3 }))
	assert.Equal(t, "map[occurrence:3 removed:2 seriesMaster:1]", types(f.round()))
	require.NoError(t, m.Delete(id))
	assert.Equal(t, "map[removed:4]", types(f.round()))
}

func TestDeltaTokens(t *testing.T) {
	c := newClient(t, nil)
	m := c.site.Room
	m.AddSingle(meeting("a", 1, 9))
	f := newFollower(c, m, week)
	f.round()
	link := f.link
	for _, wrong := range []string{
		link + "x",
		strings.Replace(link, "deltatoken=", "deltatoken=x", 1),
		strings.Replace(link, url.PathEscape(m.Address()), url.PathEscape(c.site.Other.Address()), 1),
		room(m) + "/calendarView/delta?$deltatoken=invented",
	} {
		require.NotEqual(t, link, wrong)
		assert.Equal(t, http.StatusBadRequest, c.get(wrong).status, wrong)
	}
	assert.Equal(t, http.StatusBadRequest, c.get(room(m)+"/calendarView/delta"+span(week)+"&$select=subject").status)
	// A link may be used again, and in either way to write the function.
	assert.Equal(t, http.StatusOK, c.get(link).status)
	assert.Equal(t, http.StatusOK, c.get(strings.Replace(link, "/delta?", "/delta()?", 1)).status)

	c.site.ExpireDeltaTokens()
	a := c.get(link)
	assert.Equal(t, http.StatusGone, a.status)
	assert.Equal(t, "SyncStateNotFound", a.code())
	assert.NotEmpty(t, a.header.Get("Location"))
	f.link = ""
	f.round()
	f.holds()
}

// Whatever happens to a mailbox, and however the pages fall, who follows the
// deltas has what the mailbox has.
func TestDeltaFollowsRandomChanges(t *testing.T) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := newClient(t, &graphtest.Options{PageSize: 1 + random.IntN(5), OmitOldMasters: seed%2 == 0, ListRemovedOccurrences: seed%3 == 0, Seed: seed})
		m := c.site.Room
		wide := newFollower(c, m, calendar.Window{From: at(-10, 0), To: at(20, 0)})
		narrow := newFollower(c, m, calendar.Window{From: at(1, 12), To: at(3, 8)})
		for range 40 {
			for range random.IntN(6) {
				change(t, random, m)
			}
			for _, f := range []*follower{wide, narrow} {
				switch random.IntN(8) {
				case 0:
					c.site.Inject(graphtest.Fault{Repeat: true, Count: 1 + random.IntN(3)})
				case 1:
					c.site.Inject(graphtest.Fault{Empty: true, Count: 1 + random.IntN(3)})
				case 2:
					c.site.ExpireDeltaTokens()
					wide.link, narrow.link = "", ""
				}
				f.round()
				f.holds()
			}
		}
	}
}

// change does something to a mailbox.
func change(t *testing.T, random *rand.Rand, m *graphtest.Mailbox) {
	t.Helper()
	e := meeting(fmt.Sprint("s", random.IntN(1000)), random.IntN(14)-4, random.IntN(24))
	all := m.View(calendar.Window{From: at(-20, 0), To: at(30, 0)})
	if len(all) == 0 || random.IntN(4) == 0 {
		if random.IntN(2) == 0 {
			m.AddSingle(e)
			return
		}
		r := graphtest.Recurrence{Type: []string{"daily", "weekly"}[random.IntN(2)], Interval: 1 + random.IntN(2), Count: random.IntN(12)}
		if r.Type == "weekly" {
			r.DaysOfWeek = []time.Weekday{time.Weekday(random.IntN(7)), e.Start.Weekday()}
		}
		_, err := m.AddSeries(e, r)
		require.NoError(t, err)
		return
	}
	i := all[random.IntN(len(all))]
	id := i.ID
	if i.SeriesID != "" && random.IntN(3) == 0 {
		id = i.SeriesID
	}
	var err error
	switch random.IntN(5) {
	case 0:
		err = m.Delete(id)
	case 1:
		err = m.Cancel(id)
	case 2:
		err = m.Move(id, e.Start)
	case 3:
		err = m.Edit(id, func(ev *graphtest.Event) { ev.Subject = e.Subject })
	case 4:
		if id != i.SeriesID {
			return
		}
		err = m.EditSeries(id, func(_ *graphtest.Event, r *graphtest.Recurrence) {
			r.Count, r.Interval = random.IntN(8), 1+random.IntN(3)
		})
	}
	require.NoError(t, err)
}
