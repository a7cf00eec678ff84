package msgraph_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

const hookURL = "https://otj.example.com/graph"

// wire brings what Graph posts to a webhook, without a network.
type wire struct {
	mu   sync.Mutex
	hook http.Handler // nil: it cannot be reached
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	hook := w.hook
	w.mu.Unlock()
	if hook == nil {
		return nil, errors.New("no route to host")
	}
	rec := httptest.NewRecorder()
	hook.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func (w *wire) plug(hook http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

// plant is a tenant that tells a webhook.
type plant struct {
	t    *testing.T
	site *graphtest.Site
	wire *wire
	hook *msgraph.Webhook
	*msgraph.Notifier

	mu    sync.Mutex
	woken map[string]int
}

func newPlant(t *testing.T, o *graphtest.Options, opts *msgraph.Options) *plant {
	p := &plant{t: t, wire: &wire{}, woken: map[string]int{}}
	var g graphtest.Options
	if o != nil {
		g = *o
	}
	g.Client = &http.Client{Transport: p.wire}
	p.site = quiet(&g)
	p.start("the key of the webhook", opts)
	return p
}

// start makes a webhook, as after a start of the program.
func (p *plant) start(key calendar.Secret, opts *msgraph.Options) {
	var err error
	p.hook, err = msgraph.NewWebhook(hookURL, &msgraph.WebhookOptions{Key: key})
	require.NoError(p.t, err)
	p.wire.plug(p.hook)
	o := local(p.site)
	if opts != nil {
		o.DailyQuota = opts.DailyQuota
	}
	p.Notifier = p.hook.Notifier("example.com", msgraph.New(app{p.site}, o))
}

// run calls Notify until the function that it returns is called.
func (p *plant) run(mailboxes ...string) (stop func() error) {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	n := p.Notifier
	go func() {
		done <- n.Notify(ctx, mailboxes, func(mailbox string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.woken[mailbox]++
		})
	}()
	synctest.Wait()
	return func() error {
		cancel()
		return <-done
	}
}

// wakes returns how often a mailbox was woken since the last call.
func (p *plant) wakes(mailbox string) int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.woken[mailbox]
	p.woken[mailbox] = 0
	return n
}

func (p *plant) add(n int) (mailboxes []string) {
	for i := range n {
		mailboxes = append(mailboxes, p.site.Tenant.AddMailbox(fmt.Sprintf("room%04d@example.com", i)).Address())
	}
	return mailboxes
}

// once checks that there is one subscription for each mailbox, and no other.
func (p *plant) once(mailboxes ...string) {
	p.t.Helper()
	have := map[string]int{}
	for _, s := range p.site.Subscriptions() {
		have[s.Mailbox]++
	}
	for _, m := range mailboxes {
		assert.Equal(p.t, 1, have[m], "subscriptions of %s", m)
		ok, why := p.Notified(m)
		assert.True(p.t, ok, "%s: %v", m, why)
		delete(have, m)
	}
	assert.Empty(p.t, have)
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var (
	fjord, annex = "fjord@example.com", "annex@example.com"
	soon         = graphtest.Event{Subject: "Planning", Start: monday, End: monday.Add(time.Hour)}
)

func TestNotifierContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, calendartest.Test(func() (*calendartest.Harness, error) {
			p := newPlant(t, nil, nil)
			return p.site.Harness(p.Notifier), nil
		}))
	})
}

// Many mailboxes: 20 in a batch, renewed in time, each told of its own.
func TestNotifierRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		rooms := p.add(400)
		stop := p.run(rooms...)
		after(time.Minute)
		p.once(rooms...)
		stats := p.site.Stats()
		assert.InDelta(t, 20, stats.ByOp[graphtest.OpBatch], 1)
		assert.Equal(t, 401, stats.ByOp[graphtest.OpSubscriptions], "a list, and one for each")
		assert.Equal(t, 800, p.hook.Status().Handshakes)
		for range 10 {
			after(24 * time.Hour)
			p.once(rooms...)
		}
		// Each after half to 7/10 of 4,230 minutes, in batches that are rather full;
		// and the lists.
		now := p.site.Stats()
		renewals := now.ByOp[graphtest.OpSubscriptions] - stats.ByOp[graphtest.OpSubscriptions]
		assert.InDelta(t, 400*10*24*60/(0.6*4230), renewals, 400)
		assert.Less(t, now.ByOp[graphtest.OpBatch], renewals/7)
		assert.Equal(t, 0, p.site.Stats().Throttled)
		s := p.Subscriptions()
		assert.Equal(t, msgraph.NotifierStatus{Mailboxes: 400, Live: 400, Expires: s.Expires}, s)

		p.wakes(rooms[7])
		p.site.Room.AddSingle(soon) // of nobody
		assert.Equal(t, 0, p.wakes(rooms[7]))
		assert.Equal(t, 0, p.hook.Status().Unknown)
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// What the lifecycle URL is told of.
func TestNotifierLifecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		stop := p.run(fjord, annex)
		after(time.Second)
		p.once(fjord, annex)
		require.Equal(t, 1, p.wakes(fjord), "the subscription begins")
		require.Equal(t, 1, p.wakes(annex))
		id := func(mailbox string) string {
			for _, s := range p.site.Subscriptions() {
				if s.Mailbox == mailbox {
					return s.ID
				}
			}
			return ""
		}

		p.site.Room.AddSingle(soon)
		after(time.Second)
		assert.Equal(t, 1, p.wakes(fjord))

		// Missed.
		restore := p.site.InterruptNotifications()
		p.site.Room.AddSingle(soon)
		after(time.Hour)
		assert.Equal(t, 0, p.wakes(fjord))
		restore()
		after(time.Second)
		assert.Equal(t, 1, p.wakes(fjord))

		// To be reauthorized: at once, so nothing was missed.
		require.NoError(t, p.site.Lifecycle(id(fjord), graphtest.ReauthorizationRequired))
		after(time.Second)
		p.once(fjord, annex)
		assert.False(t, p.site.Subscriptions()[0].Suspended)
		assert.False(t, p.site.Subscriptions()[1].Suspended)
		assert.Equal(t, 0, p.wakes(fjord))

		// The same while Graph is not available: polled meanwhile.
		remove := p.site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpSubscriptions}, Status: http.StatusServiceUnavailable})
		require.NoError(t, p.site.Lifecycle(id(fjord), graphtest.ReauthorizationRequired))
		after(time.Minute)
		ok, why := p.Notified(fjord)
		assert.False(t, ok)
		require.ErrorContains(t, why, "renew the subscription to the calendar of fjord@example.com: unavailable: Graph answered 503")
		assert.Equal(t, 1, p.wakes(fjord), "not covered any more")
		assert.Equal(t, 1, p.Subscriptions().Failing)
		remove()
		after(20 * time.Minute)
		p.once(fjord, annex)
		assert.Equal(t, 1, p.wakes(fjord), "what happened meanwhile")

		// Removed.
		first := id(fjord)
		require.NoError(t, p.site.Lifecycle(first, graphtest.SubscriptionRemoved))
		p.site.Room.AddSingle(soon) // seen by nobody
		after(time.Second)
		p.once(fjord, annex)
		assert.NotEqual(t, first, id(fjord))
		assert.GreaterOrEqual(t, p.wakes(fjord), 1)

		// Removed again and again: not as fast as Graph can.
		before := p.site.Stats().Requests
		for range 3600 {
			if sub := id(fjord); sub != "" {
				require.NoError(t, p.site.Lifecycle(sub, graphtest.SubscriptionRemoved))
			}
			after(time.Second)
		}
		assert.Less(t, p.site.Stats().Requests-before, 30)
		assert.Equal(t, 0, p.wakes(annex))
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// A restart doubles nothing and leaves nothing behind.
func TestNotifierRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		rooms := p.add(50)
		stop := p.run(rooms...)
		after(time.Minute)
		stop()
		// Another one with the same app, as for tests, and one more provider.
		others, err := msgraph.NewWebhook("https://test.example.com/graph", nil)
		require.NoError(t, err)
		p.wire.plug(others)
		mine := p.Notifier
		p.Notifier = others.Notifier("example.com", msgraph.New(app{p.site}, local(p.site)))
		stop = p.run(fjord)
		after(time.Minute)
		stop()
		p.wire.plug(p.hook)
		p.Notifier = p.hook.Notifier("second", msgraph.New(app{p.site}, local(p.site)))
		stop = p.run(annex)
		after(time.Minute)
		stop()
		p.Notifier = mine
		require.Len(t, p.site.Subscriptions(), 52)
		count := func() int { return p.site.Stats().ByOp[graphtest.OpSubscriptions] }

		// The same rooms and key: all are taken over, and woken.
		before := count()
		p.start("the key of the webhook", nil)
		p.wakes(rooms[0])
		stop = p.run(rooms...)
		after(time.Minute)
		assert.Equal(t, 1, count()-before, "nothing but the list")
		assert.Equal(t, 1, p.wakes(rooms[0]))
		require.Len(t, p.site.Subscriptions(), 52)
		ok, _ := p.Notified(rooms[49])
		assert.True(t, ok)
		ok, _ = p.Notified(fjord)
		assert.False(t, ok)

		// Fewer rooms, while it runs: the others are deleted.
		stop()
		stop = p.run(rooms[:30]...)
		after(time.Minute)
		require.Len(t, p.site.Subscriptions(), 32)
		stop()

		// A restart with other rooms and another key: replaced.
		before = count()
		p.start("another key of the webhook", nil)
		stop = p.run(rooms[10:40]...)
		after(time.Minute)
		assert.Equal(t, 1+30+30, count()-before)
		require.Len(t, p.site.Subscriptions(), 32)
		p.wakes(rooms[10])
		for _, s := range p.site.Subscriptions() {
			require.NoError(t, p.site.Lifecycle(s.ID, graphtest.Missed))
		}
		after(time.Second)
		assert.Equal(t, 1, p.wakes(rooms[10]))
		assert.Equal(t, 0, p.hook.Status().Forged)
		assert.Equal(t, 2, p.hook.Status().Unknown, "those of the others, which the wire does not tell apart")
		stop()

		// Not wanted any more.
		require.NoError(t, p.Unsubscribe(t.Context()))
		require.Len(t, p.site.Subscriptions(), 2)
	})
}

// A start that is cut off in the middle: what Graph has made all the same is
// found.
func TestNotifierInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		rooms := p.add(60)
		remove := p.site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpSubscriptions}, Delay: 10 * time.Second})
		stop := p.run(rooms...)
		after(15 * time.Second)
		stop()
		remove()
		before := p.site.Stats().ByOp[graphtest.OpSubscriptions]
		stop = p.run(rooms...)
		after(10 * time.Minute)
		p.once(rooms...)
		assert.Equal(t, 1+60+1, p.site.Stats().ByOp[graphtest.OpSubscriptions]-before, "a list before and one after")
		stop()
	})
}

// Where Graph cannot reach the webhook there can be no notifications.
func TestNotifierUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		p.wire.plug(nil)
		err := p.Notify(t.Context(), p.add(500), func(string) {})
		require.ErrorContains(t, err, "subscribe to the calendar of room")
		require.ErrorContains(t, err, "Graph answered 400 ValidationError. Make https://otj.example.com/graph reachable from the internet, with a certificate that Microsoft trusts, or configure no public address: calendars are polled then.")
		assert.LessOrEqual(t, p.site.Stats().Requests, 5, "a few are enough to know")
		p.wire.plug(p.hook)
		stop := p.run(fjord)
		after(time.Second)
		p.once(fjord)

		// Later, with some that work: no error, but it is said, and tried again.
		p.wire.plug(nil)
		stop()
		stop = p.run(fjord, annex)
		after(time.Hour)
		ok, why := p.Notified(annex)
		assert.False(t, ok)
		require.ErrorContains(t, why, "reachable from the internet")
		ok, _ = p.Notified(fjord)
		assert.True(t, ok)
		p.wire.plug(p.hook)
		after(7 * time.Hour)
		p.once(fjord, annex)
		stop()

		p = newPlant(t, nil, nil)
		defer p.site.Close()
		p.site.Tenant.Remove(p.site.App)
		err = p.Notify(t.Context(), []string{fjord}, func(string) {})
		require.ErrorIs(t, err, calendar.ErrForbidden)
		require.ErrorContains(t, err, "open the consent link")
		n := p.hook.Notifier("no secret", msgraph.New(locked{}, local(p.site)))
		require.ErrorIs(t, n.Notify(t.Context(), []string{fjord}, func(string) {}), calendar.ErrUnauthorized)
	})
}

// One mailbox that Graph refuses does not disturb the others.
func TestNotifierRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		p.site.Tenant.Restrict(p.site.App, p.site.Room)
		stop := p.run(fjord, annex, "nobody@example.com")
		after(time.Minute)
		ok, _ := p.Notified(fjord)
		assert.True(t, ok)
		ok, why := p.Notified("ANNEX@example.com")
		assert.False(t, ok)
		require.ErrorIs(t, why, calendar.ErrForbidden)
		require.ErrorContains(t, why, "subscribe to the calendar of annex@example.com: access denied: Graph answered 403 ExtensionError. The tenant's application access policy does not list this mailbox")
		_, why = p.Notified("nobody@example.com")
		require.ErrorIs(t, why, calendar.ErrNotFound)
		assert.Equal(t, 2, p.Subscriptions().Failing)
		assert.Equal(t, 1, p.wakes(annex), "it has to be polled now")
		before := p.site.Stats().Requests
		after(24 * time.Hour)
		assert.Less(t, p.site.Stats().Requests-before, 40)
		p.site.Tenant.Restrict(p.site.App, p.site.Room, p.site.Other)
		p.wakes(annex)
		after(9 * time.Hour)
		ok, why = p.Notified(annex)
		assert.True(t, ok, "%v", why)
		assert.Equal(t, 1, p.wakes(annex))
		stop()
	})
}

// Graph is away for longer than subscriptions last.
func TestNotifierOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		rooms := p.add(100)
		stop := p.run(rooms...)
		after(time.Minute)
		p.site.Inject(graphtest.Fault{Status: http.StatusServiceUnavailable})
		before := p.site.Stats().Requests
		after(48 * time.Hour)
		ok, _ := p.Notified(rooms[0])
		assert.True(t, ok, "it lasts a while")
		after(48 * time.Hour)
		ok, why := p.Notified(rooms[0])
		assert.False(t, ok)
		require.ErrorIs(t, why, calendar.ErrUnavailable)
		// From the 36th hour on a batch each ten minutes or less.
		assert.Less(t, p.site.Stats().Requests-before, 60*8*21)
		p.site.ClearFaults()
		p.wakes(rooms[0])
		after(20 * time.Minute)
		p.once(rooms...)
		assert.Equal(t, 1, p.wakes(rooms[0]))
		stop()
	})
}

// Every fault at random: when they stop, there is one subscription for each
// mailbox, and the quota was kept.
func TestNotifierFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, &graphtest.Options{Seed: 7, PerAppQuota: 500}, nil)
		defer p.site.Close()
		rooms := p.add(300)
		p.site.Inject(graphtest.Fault{Probability: 0.1, Status: http.StatusServiceUnavailable})
		p.site.Inject(graphtest.Fault{Probability: 0.05, Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second})
		p.site.Inject(graphtest.Fault{Probability: 0.05, Status: http.StatusGatewayTimeout})
		p.site.Inject(graphtest.Fault{Probability: 0.05, Drop: true})
		p.site.Inject(graphtest.Fault{Probability: 0.05, Truncate: true})
		p.site.Inject(graphtest.Fault{Probability: 0.03, Delay: 40 * time.Second})
		random := rand.New(rand.NewPCG(7, 0))
		stop := p.run(rooms...)
		for i := range 2000 {
			subs := p.site.Subscriptions()
			if len(subs) > 0 {
				event := []string{graphtest.Missed, graphtest.SubscriptionRemoved, graphtest.ReauthorizationRequired}[random.IntN(3)]
				require.NoError(t, p.site.Lifecycle(subs[random.IntN(len(subs))].ID, event))
			}
			if i%100 == 0 {
				n := 200 + random.IntN(100)
				stop()
				stop = p.run(rooms[:n]...)
			}
			after(time.Duration(random.IntN(120)) * time.Second)
		}
		stop()
		stop = p.run(rooms...)
		p.site.ClearFaults()
		after(7 * time.Hour)
		p.once(rooms...)
		p.wakes(rooms[3])
		for _, s := range p.site.Subscriptions() {
			require.NoError(t, p.site.Lifecycle(s.ID, graphtest.Missed))
		}
		after(time.Second)
		assert.Equal(t, 1, p.wakes(rooms[3]))
		assert.Equal(t, 0, p.hook.Status().Forged)
		stop()
	})
}

// Graph says that there is a subscription already: it is looked for.
func TestNotifierConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		stop := p.run(fjord)
		after(time.Second)
		lists := p.site.Stats().ByOp[graphtest.OpSubscriptions]
		p.site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpSubscriptions}, Count: 1, Status: http.StatusConflict, Code: "Conflict"})
		stop()
		stop = p.run(fjord, annex)
		after(time.Second)
		assert.Equal(t, 2, p.site.Stats().ByOp[graphtest.OpSubscriptions]-lists, "what was refused, and a list")
		after(time.Minute)
		p.once(fjord, annex)
		stop()
	})
}

// A small quota is not exceeded: the rest comes later.
func TestNotifierQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, &msgraph.Options{DailyQuota: msgraph.MinDailyQuota})
		defer p.site.Close()
		rooms := p.add(3000)
		stop := p.run(rooms...)
		after(time.Minute)
		used := p.Status().Quota
		assert.LessOrEqual(t, used.Used, 1100, "the tenth that may be spent at once")
		after(8 * time.Hour)
		p.once(rooms...)
		stop()
	})
}

// A provider with new settings takes over from the old one; two at a time is a
// mistake that is said.
func TestNotifierOfTheSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		stop := p.run(fjord, annex)
		after(time.Second)
		old, requests := p.Notifier, p.site.Stats().Requests
		p.Notifier = p.hook.Notifier("example.com", msgraph.New(app{p.site}, local(p.site)))
		stopNew := p.run(fjord, annex)
		after(2 * time.Minute)
		ok, _ := old.Notified(fjord)
		assert.True(t, ok)
		ok, why := p.Notified(fjord)
		assert.False(t, ok)
		require.EqualError(t, why, `another provider has the name "example.com" at the same webhook: give each its own`)
		stop()
		after(time.Second)
		p.once(fjord, annex)
		ok, why = old.Notified(fjord)
		assert.False(t, ok)
		require.NoError(t, why)
		assert.Equal(t, requests, p.site.Stats().Requests, "nothing had to be asked")
		p.wakes(fjord)
		p.site.Room.AddSingle(soon)
		assert.Equal(t, 1, p.wakes(fjord))
		stopNew()
	})
}

// locked is a credential that Entra does not accept.
type locked struct{}

func (locked) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errors.New("AADSTS7000222: The provided client secret keys are expired.")
}

func TestNewWebhook(t *testing.T) {
	for _, address := range []string{"", "otj.example.com", "http://otj.example.com/graph", "https://me:pw@otj.example.com/", "https://otj.example.com/graph?x=1", "ftp://127.0.0.1/", "https:///graph"} {
		_, err := msgraph.NewWebhook(address, nil)
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), "pw")
	}
	_, err := msgraph.NewWebhook("http://127.0.0.1:8080/graph", nil)
	require.NoError(t, err)
	_, err = msgraph.NewWebhook(hookURL, &msgraph.WebhookOptions{Key: "short"})
	require.EqualError(t, err, "the webhook's key must have 16 bytes or more")
	_, err = msgraph.NewWebhook(hookURL, &msgraph.WebhookOptions{Lifetime: 8 * 24 * time.Hour})
	require.EqualError(t, err, "the subscriptions' lifetime is 192h0m0s; it is 1 hour to 7 days")
}
