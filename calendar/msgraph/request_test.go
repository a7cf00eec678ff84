package msgraph_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// No mailbox has more than four requests at a time, and nobody is refused for
// it; those of other mailboxes do not wait.
func TestFourRequestsAMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		p := msgraph.New(app{site}, local(site))
		site.Inject(graphtest.Fault{Delay: time.Second})
		var wg sync.WaitGroup
		begin := time.Now()
		for range 8 {
			for _, m := range []*graphtest.Mailbox{site.Room, site.Other} {
				wg.Go(func() {
					_, err := p.Events(t.Context(), m.Address(), week)
					assert.NoError(t, err)
				})
			}
		}
		wg.Wait()
		st := site.Stats()
		assert.Equal(t, map[string]int{site.Room.Address(): 4, site.Other.Address(): 4}, st.Concurrent)
		assert.Zero(t, st.Throttled)
		assert.Equal(t, 2*time.Second, time.Since(begin))
	})
}

// A tenant that refuses requests gets fewer at a time, and later more again.
func TestConcurrencyAdapts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		var rooms []string
		for i := range 40 {
			rooms = append(rooms, site.Tenant.AddMailbox("room"+string(rune('A'+i))+"@example.com").Address())
		}
		p := msgraph.New(app{site}, local(site))
		round := func() {
			var wg sync.WaitGroup
			for _, r := range rooms {
				wg.Go(func() { _, _ = p.Events(t.Context(), r, week) })
			}
			wg.Wait()
		}
		site.Inject(graphtest.Fault{Delay: 10 * time.Millisecond, Probability: 0.999})
		require.Equal(t, 16, p.Status().Concurrency)
		round()
		grown := p.Status().Concurrency
		assert.Greater(t, grown, 16)
		site.ClearFaults()
		site.Inject(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 10 * time.Second})
		round()
		st := p.Status()
		assert.Equal(t, grown/2, st.Concurrency, "what was under way halves it once")
		assert.Positive(t, st.Throttled)
		time.Sleep(10 * time.Second)
		round()
		assert.Less(t, p.Status().Concurrency, st.Concurrency)
		site.ClearFaults()
		for range 60 {
			time.Sleep(10 * time.Second)
			round()
		}
		assert.Equal(t, 64, p.Status().Concurrency)
		assert.Zero(t, p.Status().InFlight)
	})
}

// What Graph wants again soon is sent again; what it wants later is not sent
// before.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		add(site.Room, 3)
		p := msgraph.New(app{site}, local(site))
		room := site.Room.Address()

		site.Inject(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second, Count: 2})
		begin := time.Now()
		events, err := p.Events(t.Context(), room, week)
		require.NoError(t, err)
		assert.Len(t, events, 3)
		assert.Equal(t, 6*time.Second, time.Since(begin))

		site.Inject(graphtest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: 40 * time.Second, Count: 1})
		_, err = p.Events(t.Context(), room, week)
		require.EqualError(t, err, "read calendar of fjord@example.com: unavailable: Graph answered 503 ErrorServerBusy (retry after 40s)")
		before := site.Stats().Requests
		time.Sleep(10 * time.Second)
		_, err = p.Events(t.Context(), room, week)
		require.EqualError(t, err, "read calendar of fjord@example.com: throttled: Graph has asked to wait (retry after 30s)")
		assert.Equal(t, before, site.Stats().Requests, "nothing is sent before")
		_, err = p.Events(t.Context(), site.Other.Address(), week)
		require.NoError(t, err, "another mailbox does not wait")
		time.Sleep(26 * time.Second)
		_, err = p.Events(t.Context(), room, week)
		require.NoError(t, err, "the last seconds are waited for")

		// Who has less time learns at once how long it would be.
		site.Inject(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 4 * time.Second, Count: 1})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = p.Events(short, room, week)
		require.ErrorIs(t, err, calendar.ErrThrottled)
		assert.Zero(t, time.Since(begin))
	})
}

// In no 24 hours are there more requests than the quota.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		o := local(site)
		o.DailyQuota = 10_000
		p := msgraph.New(app{site}, o)
		var times []time.Time
		begin := time.Now()
		for time.Since(begin) < 50*time.Hour {
			n := site.Stats().Requests
			_, err := p.Events(t.Context(), site.Room.Address(), week)
			for range site.Stats().Requests - n {
				times = append(times, time.Now())
			}
			if err == nil {
				continue
			}
			var ce *calendar.Error
			require.ErrorAs(t, err, &ce)
			require.ErrorIs(t, err, calendar.ErrThrottled)
			require.ErrorContains(t, err, "the quota of 10000 requests a day is used up for now (retry after ")
			time.Sleep(ce.RetryAfter)
		}
		assert.Greater(t, len(times), 19_000)
		for i := range times[10_000:] {
			require.Greater(t, times[i+10_000].Sub(times[i]), 24*time.Hour)
		}
		q := p.Status().Quota
		assert.Equal(t, 10_000, q.PerDay)
		assert.InDelta(t, 9_000, q.Used, 400)
		assert.LessOrEqual(t, q.Available, 1)
	})
}

// The interval follows from the quota, and the status shows how.
func TestPollInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		o := local(site)
		o.DailyQuota = 100_000
		p := msgraph.New(app{site}, o)
		assert.Equal(t, 30*time.Second, p.PollInterval())
		for i := range 200 {
			m := site.Tenant.AddMailbox("room" + string(rune(0x4e00+i)) + "@example.com")
			_, err := p.Events(t.Context(), m.Address(), week)
			require.NoError(t, err)
		}
		assert.Equal(t, 216*time.Second, p.PollInterval())
		raw, err := json.Marshal(p.Status())
		require.NoError(t, err)
		assert.JSONEq(t, `{"graph": "graph.example", "concurrency": 25, "in_flight": 0, "waiting": 0, "throttled": 0, "clock_skew_seconds": 0, "quota": {
			"per_day": 100000, "used": 200, "available": 9800, "per_second": 1.0416666666666667, "mailboxes": 200, "requests_per_read": 1, "for_polling": 80000,
			"poll_seconds": 216, "min_poll_seconds": 30,
			"arithmetic": "200 mailboxes × 1.00 requests are 200 requests a round; 80,000 of the 100,000 requests a day are for polling, which is a round each 216.0 s"}}`, string(raw))
		time.Sleep(49 * time.Hour) // nobody reads them any more
		_, err = p.Events(t.Context(), site.Room.Address(), week)
		require.NoError(t, err)
		q := p.Status().Quota
		assert.Equal(t, 1, q.Mailboxes)
		assert.Equal(t, 1, q.Used)
		assert.Contains(t, q.Arithmetic, "; no calendar is read more often than each 30 s")
	})
}

// rotating is a credential whose tokens expire, or are revoked.
type rotating struct {
	app
	asked atomic.Int32
	stale atomic.Bool
}

func (r *rotating) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	r.asked.Add(1)
	t, err := r.app.GetToken(ctx, o)
	if r.stale.Swap(false) {
		t.Token += "x"
	}
	return t, err
}

// A token is fetched once for all, again before it expires, and once more if
// Graph refuses it.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := quiet(nil)
		cred := &rotating{app: app{site}}
		p := msgraph.New(cred, local(site))
		read := func() {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() { assert.NoError(t, p.CheckAccess(t.Context(), site.Room.Address())) })
			}
			wg.Wait()
		}
		read()
		assert.EqualValues(t, 1, cred.asked.Load())
		time.Sleep(56 * time.Minute)
		cred.stale.Store(true)
		_ = p.CheckAccess(t.Context(), site.Other.Address())
		read()
		assert.EqualValues(t, 3, cred.asked.Load())
	})
}

// Requests go through the proxy of the options.
func TestProxy(t *testing.T) {
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Host + " " + r.Header.Get("Proxy-Authorization")
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	site := quiet(nil)
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	u.User = url.UserPassword("me", "hunter2")
	p := msgraph.New(app{site}, &msgraph.Options{Cloud: msgraph.Cloud{Graph: "http://127.0.0.1:9"}, Proxy: u})
	err = p.CheckAccess(t.Context(), site.Room.Address())
	require.EqualError(t, err, "read calendar of fjord@example.com: unavailable: Graph answered 407. The proxy wants a user name and password: put them into its address in the configuration.")
	assert.Equal(t, "127.0.0.1:9 Basic bWU6aHVudGVyMg==", <-asked)

	proxy.Close()
	err = msgraph.New(app{site}, &msgraph.Options{Proxy: u}).CheckAccess(t.Context(), site.Room.Address())
	require.ErrorContains(t, err, "The proxy cannot be reached: check its address in the configuration.")
	assert.NotContains(t, err.Error(), "hunter2")
}
