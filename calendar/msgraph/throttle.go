package msgraph

import (
	"context"
	"math"
	"sync"
	"time"
)

// perMailbox is the number of requests at once that Outlook accepts from an app
// for a mailbox: https://learn.microsoft.com/graph/throttling-limits.
const perMailbox = 4

// gate lets a number of requests through at a time, in the order in which they
// came. The zero value lets none through.
type gate struct {
	mu    sync.Mutex
	limit int
	used  int
	queue []*ticket
}

type ticket struct {
	n    int
	open chan struct{} // closed when it is in
}

// enter waits for n places. Every call that returns nil has to be followed by
// one of leave. More places than there are count as all of them.
func (g *gate) enter(ctx context.Context, n int) error {
	g.mu.Lock()
	if len(g.queue) == 0 && g.fits(n) {
		g.used += n
		g.mu.Unlock()
		return nil
	}
	t := &ticket{n, make(chan struct{})}
	g.queue = append(g.queue, t)
	g.mu.Unlock()
	select {
	case <-t.open:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.open: // both at once
		g.used -= n
	default:
		for i, q := range g.queue {
			if q == t {
				g.queue = append(g.queue[:i], g.queue[i+1:]...)
				break
			}
		}
	}
	g.admit()
	return ctx.Err()
}

func (g *gate) fits(n int) bool { return g.used+n <= g.limit || g.used == 0 && g.limit > 0 }

func (g *gate) admit() {
	for len(g.queue) > 0 && g.fits(g.queue[0].n) {
		g.used += g.queue[0].n
		close(g.queue[0].open)
		g.queue = g.queue[1:]
	}
}

func (g *gate) leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	g.admit()
}

func (g *gate) resize(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.admit()
}

func (g *gate) state() (limit, used, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit, g.used, len(g.queue)
}

// pace is how many requests a tenant gets at a time. It grows by one with each
// round of answers and halves when Graph says that it is too much, as TCP does.
type pace struct {
	gate gate

	mu        sync.Mutex
	limit     float64
	most      int
	cut       time.Time // when it was halved last
	pause     time.Time // nothing is sent before
	throttled int
}

func newPace(most int) *pace {
	p := &pace{most: most, limit: float64(min(16, most))}
	p.gate.limit = int(p.limit)
	return p
}

// answered takes note of an answer to a request that was sent at a time.
func (p *pace) answered(sent time.Time, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !refused:
		p.limit = min(p.limit+1/p.limit, float64(p.most))
	default:
		p.throttled++
		if !sent.After(p.cut) {
			return // what was under way when it was halved says nothing new
		}
		p.limit = max(1, p.limit/2)
		p.cut = time.Now()
	}
	p.gate.resize(int(p.limit))
}

// budget is the quota of requests: a bucket that holds a tenth of a day's, and
// gains the other nine tenths evenly over a day. So in no 24 hours are there
// more requests than the quota, a start can read every calendar at once, and
// nothing ever stops for the rest of a day.
type budget struct {
	perDay int

	mu     sync.Mutex
	tokens float64
	at     time.Time // of tokens
	owed   float64   // to those who were sent away, and come back in their turn
	hours  [24]int   // requests by hour
	hour   int64     // of the newest
}

const burstShare = 0.1

func newBudget(perDay int) *budget {
	return &budget{perDay: perDay, tokens: float64(perDay) * burstShare, at: time.Now(), hour: hourOf(time.Now())}
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// rate is the gain in requests a second.
func (b *budget) rate() float64 { return float64(b.perDay) * (1 - burstShare) / 86_400 }

// take takes n requests. They may be sent after wait; if that is longer than
// patience, ok is false, nothing was taken, and wait is when to come again.
func (b *budget) take(n int, patience time.Duration) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	if lack := float64(n) - b.tokens; lack > 0 {
		wait = time.Duration(math.Ceil(lack / b.rate() * float64(time.Second)))
	}
	if wait > patience {
		// Everybody gets another time, lest all come back at once.
		wait += time.Duration(b.owed / b.rate() * float64(time.Second))
		b.owed = min(b.owed+float64(n), float64(b.perDay)*burstShare)
		return wait, false
	}
	b.tokens -= float64(n)
	b.hours[b.hour%24] += n
	return wait, true
}

// giveBack returns requests that were not sent.
func (b *budget) giveBack(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	b.tokens = min(b.tokens+float64(n), float64(b.perDay)*burstShare)
	b.hours[b.hour%24] = max(0, b.hours[b.hour%24]-n)
}

func (b *budget) refill() {
	now := time.Now()
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.tokens+d.Seconds()*b.rate(), float64(b.perDay)*burstShare)
		b.owed = max(0, b.owed-d.Seconds()*b.rate())
	}
	b.at = now
	for h := hourOf(now); b.hour < h; {
		b.hour++
		if h-b.hour >= 24 {
			b.hour = h - 24
		}
		b.hours[b.hour%24] = 0
	}
}

// state returns the requests of the last 24 hours, to the hour, and how many may
// be sent now.
func (b *budget) state() (used, available int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	for _, n := range b.hours {
		used += n
	}
	return used, max(0, int(b.tokens))
}

// sleep waits, and returns early with an error when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
