package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

type token func() string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: t(), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func batchSite() (*graphtest.Server, *Provider, []*request) {
	s := graphtest.New(nil)
	tenant, a := s.AddTenant("example.com"), s.AddApp("Rooms")
	tenant.Consent(a, graphtest.CalendarsRead)
	p := New(token(func() string { return tenant.Token(a) }), &Options{Cloud: Cloud{Graph: "https://graph.example"}, Transport: s.Transport(), DailyQuota: MinDailyQuota})
	var rs []*request
	var m *graphtest.Mailbox
	for i := range 45 {
		if i%6 == 0 {
			m = tenant.AddMailbox(fmt.Sprintf("room%d@example.com", i))
		}
		rs = append(rs, &request{op: readCalendar, mailbox: m.Address(), prefer: preferences, out: new(page),
			url: "/users/" + m.Address() + "/calendarView?startDateTime=2026-03-02&endDateTime=2026-03-03&$select=id"})
	}
	return s, p, rs
}

// 45 requests go in batches of 20, without more than four at a time for a
// mailbox, and each has its own answer.
func TestBatches(t *testing.T) {
	s, p, rs := batchSite()
	rs[7].mailbox, rs[7].url = "nobody@example.com", "/users/nobody@example.com/calendarView?startDateTime=2026-03-02&endDateTime=2026-03-03"
	for i, err := range p.sendAll(t.Context(), rs) {
		if i == 7 {
			require.ErrorContains(t, err, "read calendar of nobody@example.com: mailbox not found: Graph answered 404 ErrorInvalidUser")
			continue
		}
		require.NoError(t, err)
		assert.NotNil(t, rs[i].out.(*page).Value)
	}
	st := s.Stats()
	assert.Equal(t, 3, st.ByOp[graphtest.OpBatch])
	assert.Equal(t, 45, st.ByOp[graphtest.OpView])
	assert.Zero(t, st.Throttled)
	used, _ := p.budget.state()
	assert.Equal(t, 45, used, "every part counts")
	assert.Empty(t, p.sendAll(t.Context(), nil))
}

// A batch waits for the requests of a mailbox that are under way, and they for it.
func TestBatchesAndOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, rs := batchSite()
		s.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpView}, Delay: time.Second})
		var wg sync.WaitGroup
		for i := range 4 {
			var own []*request
			for _, r := range rs[:6] {
				r := *r
				r.out = new(page)
				own = append(own, &r)
			}
			if i%2 == 0 {
				wg.Go(func() { assert.NoError(t, errors.Join(p.sendAll(t.Context(), own)...)) })
				continue
			}
			for _, r := range own[:3] {
				wg.Go(func() { assert.NoError(t, p.send(t.Context(), r)) })
			}
		}
		wg.Wait()
		assert.Equal(t, map[string]int{"room0@example.com": 4}, s.Stats().Concurrent)
		assert.Zero(t, s.Stats().Throttled)
	})
}

// A part that is refused is sent again when it may be; the others are not.
func TestBatchRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, rs := batchSite()
		s.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpView}, Skip: 1, Count: 3, Status: http.StatusTooManyRequests, RetryAfter: 4 * time.Second})
		begin := time.Now()
		for _, err := range p.sendAll(t.Context(), rs[:20]) {
			require.NoError(t, err)
		}
		assert.Equal(t, 23, s.Stats().ByOp[graphtest.OpView])
		assert.Equal(t, 4*time.Second, time.Since(begin))

		// Too far off, and the batch itself.
		s.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpView}, Count: 1, Status: http.StatusServiceUnavailable, RetryAfter: time.Minute})
		failed := 0
		for _, err := range p.sendAll(t.Context(), rs[:3]) {
			if err != nil {
				require.ErrorContains(t, err, "unavailable: Graph answered 503 ErrorServerBusy (retry after 1m0s)")
				failed++
			}
		}
		assert.Equal(t, 1, failed)
		time.Sleep(time.Minute)
		for _, fault := range []graphtest.Fault{{Status: http.StatusTooManyRequests, RetryAfter: time.Minute}, {Drop: true}, {Status: http.StatusBadGateway}} {
			fault.Ops = []graphtest.Op{graphtest.OpBatch}
			remove := s.Inject(fault)
			for i, err := range p.sendAll(t.Context(), rs[:20]) {
				require.ErrorContains(t, err, "read calendar of "+rs[i].mailbox+": ")
			}
			remove()
			time.Sleep(time.Minute)
		}
		limit, used, waiting := p.pace.gate.state()
		assert.Positive(t, limit)
		assert.Zero(t, used+waiting)
	})
}

// A batch that the quota has no room for is not sent.
func TestBatchOverQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, rs := batchSite()
		_, ok := p.budget.take(995, 0)
		require.True(t, ok)
		for _, err := range p.sendAll(t.Context(), rs[:20]) {
			require.ErrorIs(t, err, calendar.ErrThrottled)
		}
		assert.Zero(t, s.Stats().Requests)
	})
}

// Who waits in vain leaves no trace in a gate, and nobody overtakes.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{limit: 4}
		require.NoError(t, g.enter(t.Context(), 3))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var mu sync.Mutex
		var order []int
		done := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, n)
		}
		go func() {
			assert.ErrorIs(t, g.enter(short, 4), context.DeadlineExceeded)
			done(1)
		}()
		synctest.Wait()
		go func() {
			assert.NoError(t, g.enter(t.Context(), 1))
			done(2)
			g.leave(1)
		}()
		synctest.Wait()
		mu.Lock()
		assert.Empty(t, order, "the second fits, but waits for its turn")
		mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.ElementsMatch(t, []int{1, 2}, order)
		g.leave(3)
		limit, used, waiting := g.state()
		assert.Equal(t, []int{4, 0, 0}, []int{limit, used, waiting})
		require.NoError(t, g.enter(t.Context(), 9), "more than there are is all")
	})
}
