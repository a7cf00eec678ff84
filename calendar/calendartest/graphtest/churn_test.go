package graphtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

var weathers = []graphtest.Fault{
	{Status: http.StatusServiceUnavailable}, {Status: http.StatusGone}, {Status: http.StatusBadGateway}, {Status: http.StatusTooManyRequests},
	{Truncate: true}, {Drop: true}, {Repeat: true}, {Empty: true, Count: 2}, {Repeat: true, Count: 1},
}

// reader holds the events of a mailbox: by Sync where the provider has it, and
// by Events otherwise.
type reader struct {
	p     calendar.Provider
	m     *graphtest.Mailbox
	token string
	held  map[string]calendar.Event
}

func (r *reader) read(ctx context.Context) error {
	if s, ok := r.p.(calendar.Syncer); ok {
		d, err := s.Sync(ctx, r.m.Address(), week, r.token)
		if errors.Is(err, calendar.ErrTokenExpired) {
			r.token = ""
		}
		if err != nil {
			return err
		}
		if d.Full {
			clear(r.held)
		}
		for _, id := range d.Removed {
			delete(r.held, id)
		}
		for _, e := range d.Changed {
			r.held[e.ID] = e
		}
		r.token = d.Token
		return nil
	}
	events, err := r.p.Events(ctx, r.m.Address(), week)
	if err != nil {
		return err
	}
	clear(r.held)
	for _, e := range events {
		r.held[e.ID] = e
	}
	return nil
}

// The light provider has what the mailbox has, whatever changed and went wrong,
// in each way in which delta queries may list series.
func TestLightProviderFollowsRandomChanges(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			site := graphtest.NewSite(&graphtest.Options{Seed: seed, OmitOldMasters: seed%2 == 0, ListRemovedOccurrences: seed%3 == 0, SparseSeriesUpdates: seed%4 == 1})
			defer site.Close()
			r := &reader{m: site.Room, held: map[string]calendar.Event{},
				p: msgraph.New(secretCredential(t, site), &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport})}
			for range 25 {
				for range random.IntN(4) {
					require.NoError(t, site.Room.Churn(random, week))
				}
				site.Inject(weathers[random.IntN(len(weathers))])
				soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				_ = r.read(soon)
				cancel()
				site.ClearFaults()
				require.Eventually(t, func() bool { return r.read(ctx) == nil }, 20*time.Second, time.Millisecond)
				require.NoError(t, site.Room.Check(week, slices.Collect(maps.Values(r.held))))
			}
		})
	}
}

// Check sees what is wrong.
func TestCheck(t *testing.T) {
	site := graphtest.NewSite(nil)
	defer site.Close()
	ev := meeting("a", 1, 9)
	id := site.Room.AddSingle(ev)
	good := calendar.Event{ID: id, Subject: "a", Start: ev.Start, End: ev.End, Body: calendar.Body{HTML: ev.HTML}}
	require.NoError(t, site.Room.Check(week, []calendar.Event{good}))
	for want, events := range map[string]func(e calendar.Event) []calendar.Event{
		"is missing":     func(calendar.Event) []calendar.Event { return nil },
		"is there twice": func(e calendar.Event) []calendar.Event { return []calendar.Event{e, e} },
		"any more":       func(e calendar.Event) []calendar.Event { return []calendar.Event{e, {ID: "x"}} },
		"and not at":     func(e calendar.Event) []calendar.Event { e.End = e.End.Add(1); return []calendar.Event{e} },
		`and not "a"`:    func(e calendar.Event) []calendar.Event { e.Subject = "b"; return []calendar.Event{e} },
		"is cancelled": func(e calendar.Event) []calendar.Event {
			e.Status = calendar.Cancelled
			return []calendar.Event{e}
		},
	} {
		assert.ErrorContains(t, site.Room.Check(week, events(good)), want)
	}
}

// What 20 changes to a mailbox cost, so that a soak of thousands can be planned.
func BenchmarkChurn(b *testing.B) {
	t := graphtest.New(nil).AddTenant("example.com")
	random := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		m := t.AddMailbox("fjord@example.com")
		for range 20 {
			if err := m.Churn(random, week); err != nil {
				b.Fatal(err)
			}
		}
	}
}
