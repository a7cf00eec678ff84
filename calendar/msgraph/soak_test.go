package msgraph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
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
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// follower holds a calendar as a user of Sync does.
type follower struct {
	p     calendar.Syncer
	m     *graphtest.Mailbox
	w     calendar.Window
	token string
	held  map[string]calendar.Event
	last  calendar.Delta
}

func follow(p calendar.Syncer, m *graphtest.Mailbox) *follower {
	return &follower{p: p, m: m, w: week, held: map[string]calendar.Event{}}
}

func (f *follower) sync(ctx context.Context) error {
	d, err := f.p.Sync(ctx, f.m.Address(), f.w, f.token)
	var partial *calendar.PartialError
	if err != nil && !errors.As(err, &partial) {
		if errors.Is(err, calendar.ErrTokenExpired) {
			f.token = ""
		}
		return err
	}
	twice := map[string]bool{}
	for _, e := range d.Changed {
		if twice[e.ID] {
			return fmt.Errorf("%q is in a Delta twice", e.Subject)
		}
		twice[e.ID] = true
	}
	if d.Full {
		clear(f.held)
	}
	for _, id := range d.Removed {
		if twice[id] {
			return fmt.Errorf("%q is changed and removed", id)
		}
		delete(f.held, id)
	}
	for _, e := range d.Changed {
		f.held[e.ID] = e
	}
	f.token, f.last = d.Token, d
	return err
}

func (f *follower) check() error { return f.m.Check(f.w, slices.Collect(maps.Values(f.held))) }

// counted notes when requests were made that count in the quota.
type counted struct {
	http.RoundTripper
	mu    sync.Mutex
	times []time.Time
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	n := 1
	if strings.HasSuffix(r.URL.Path, "/$batch") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var in struct{ Requests []json.RawMessage }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		n = len(in.Requests)
	}
	c.mu.Lock()
	for range n {
		c.times = append(c.times, time.Now())
	}
	c.mu.Unlock()
	return c.RoundTripper.RoundTrip(r)
}

// unreliable is a credential that fails at times, or gives a token that Graph
// refuses.
type unreliable struct {
	app
	mu     sync.Mutex
	random *rand.Rand
	well   bool
}

func (u *unreliable) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, err := u.app.GetToken(ctx, o)
	switch k := u.random.IntN(10); {
	case u.well:
	case k == 0:
		err = errors.New("AADSTS90033: A transient error has occurred.")
	case k == 1:
		t.Token = "x.y.z"
	}
	return t, err
}

// 1,000 mailboxes change 20,000 times while everything goes wrong at random that
// the fake knows. When it stops, each follower has what its mailbox has: nothing
// lost, nothing twice, no page loop, and no quota exceeded at any time.
func TestSoak(t *testing.T) {
	mailboxes, changes := 250, 20
	if testing.Short() {
		mailboxes = 25
	}
	for i, o := range []graphtest.Options{
		{}, {OmitOldMasters: true, PageSize: 3}, {ListRemovedOccurrences: true, OmitOldMasters: true}, {SparseSeriesUpdates: true, PageSize: 1},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { soak(t, &o, mailboxes, changes) })
		})
	}
}

func soak(t *testing.T, o *graphtest.Options, mailboxes, changes int) {
	o.Seed = 7
	site := quiet(o)
	cred := &unreliable{app: app{site}, random: rand.New(rand.NewPCG(1, 2))}
	opts := local(site)
	wire := &counted{RoundTripper: opts.Transport}
	opts.Transport = wire
	opts.PageSize = max(10, o.PageSize)
	opts.DailyQuota = msgraph.MinDailyQuota // that is little
	p := msgraph.New(cred, opts)

	odd := func(f graphtest.Fault, probability float64) {
		f.Probability = probability
		site.Inject(f)
	}
	odd(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second}, 0.01)
	odd(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}, 0.01)
	odd(graphtest.Fault{Status: http.StatusTooManyRequests}, 0.01)
	odd(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDelta}, Status: http.StatusGone}, 0.03)
	odd(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDelta}, Status: http.StatusGone, Code: "resyncRequired"}, 0.02)
	odd(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDelta}, Status: http.StatusNotFound, Code: "SyncStateNotFound"}, 0.02)
	odd(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDelta}, Status: http.StatusBadRequest, Code: "ErrorInvalidSyncStateData"}, 0.02)
	for _, status := range []int{401, 403, 404, 500, 502, 503, 504} {
		odd(graphtest.Fault{Status: status}, 0.01)
	}
	odd(graphtest.Fault{Status: http.StatusServiceUnavailable, RetryAfter: 30 * time.Second}, 0.01)
	odd(graphtest.Fault{Drop: true}, 0.01)
	odd(graphtest.Fault{Truncate: true}, 0.01)
	odd(graphtest.Fault{Repeat: true}, 0.05)
	odd(graphtest.Fault{Empty: true}, 0.05)
	odd(graphtest.Fault{Delay: 3 * time.Second}, 0.02)
	odd(graphtest.Fault{Stall: true}, 0.002)

	var followers []*follower
	var wg sync.WaitGroup
	for i := range mailboxes {
		f := follow(p, site.Tenant.AddMailbox(fmt.Sprintf("room%d@example.com", i)))
		followers = append(followers, f)
		if i%50 == 0 { // pages of these never end
			site.Inject(graphtest.Fault{Mailbox: f.m.Address(), Ops: []graphtest.Op{graphtest.OpDelta}, Repeat: true})
		}
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 4))
			for n := 0; n < changes; {
				for range 1 + random.IntN(2) {
					assert.NoError(t, f.m.Churn(random, week))
					n++
				}
				if random.IntN(500) == 0 {
					site.ExpireDeltaTokens()
				}
				for range 1 + random.IntN(3) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					err := f.sync(ctx)
					cancel()
					var ce *calendar.Error
					if errors.As(err, &ce) {
						time.Sleep(ce.RetryAfter)
					}
				}
				time.Sleep(time.Duration(random.IntN(60)) * time.Second)
			}
		})
	}
	wg.Wait()
	site.ClearFaults()
	cred.well = true
	time.Sleep(2 * time.Hour) // until delta queries are tried again everywhere

	for _, f := range followers {
		wg.Go(func() {
			for try := range 200 {
				err := f.sync(t.Context())
				if err == nil && try > 0 {
					break
				}
				var ce *calendar.Error
				if errors.As(err, &ce) {
					time.Sleep(ce.RetryAfter)
				}
				assert.Less(t, try, 199, "%v", err)
			}
			assert.NoError(t, f.check())
		})
	}
	wg.Wait()

	st := site.Stats()
	t.Logf("%d requests, %d faults, %d throttled, quota %d, %v passed", st.Requests, st.Faults, st.Throttled, opts.DailyQuota, time.Since(wire.times[0]).Round(time.Minute))
	assert.Greater(t, st.Faults, 4*mailboxes)
	for room, n := range st.Concurrent {
		require.LessOrEqual(t, n, 4, room)
	}
	// A tenth at once, and the rest evenly: TestQuota shows what that is in a day.
	hour := opts.DailyQuota/10 + opts.DailyQuota*9/10/24
	for i := hour + 1; i < len(wire.times); i++ {
		require.Greater(t, wire.times[i].Sub(wire.times[i-hour-1]), time.Hour, "the quota was exceeded")
	}
	assert.LessOrEqual(t, st.Requests-st.ByOp[graphtest.OpBatch], len(wire.times), "a request came another way")
	assert.Zero(t, p.Status().InFlight)
}
