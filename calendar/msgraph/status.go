package msgraph

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// The range of Options.DailyQuota.
const (
	DefaultDailyQuota = 1_000_000
	MinDailyQuota     = 10_000
	MaxDailyQuota     = 10_000_000
)

// pollShare is the part of the quota that polling may use. The rest is for
// further pages, repeats, the masters of series, subscriptions and checks.
const pollShare = 0.8

// Status is how a provider gets on with Graph. It has no secret.
type Status struct {
	// Graph is the host that requests go to.
	Graph string `json:"graph"`
	Quota Quota  `json:"quota"`
	// Concurrency is how many requests the tenant may have at a time, as learnt
	// from Graph's answers, InFlight how many it has, and Waiting how many wait.
	Concurrency int `json:"concurrency"`
	InFlight    int `json:"in_flight"`
	Waiting     int `json:"waiting"`
	// Throttled is how many requests Graph has refused for being too many, since
	// the start.
	Throttled int `json:"throttled"`
	// PausedUntil is set while Graph has asked for no requests at all.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// ClockSkewSeconds is how far this machine's clock is ahead of Graph's, which
	// answers with its time in whole seconds. Tokens suffer from about 300 on.
	ClockSkewSeconds int `json:"clock_skew_seconds"`
}

// Quota is the daily quota of requests, and the poll interval that follows from
// it.
type Quota struct {
	// PerDay is Options.DailyQuota: no 24 hours have more requests. A part of a
	// batch is a request; the batch around it is none.
	PerDay int `json:"per_day"`
	// Used is the number of requests of the last 24 hours, to the hour, since the
	// start of this process.
	Used int `json:"used"`
	// Available is how many may be sent now. It gains PerSecond, up to a tenth of
	// the quota.
	Available int     `json:"available"`
	PerSecond float64 `json:"per_second"`
	// Mailboxes is the number of those that are read, and RequestsPerRead what one
	// reading has cost on average.
	Mailboxes       int     `json:"mailboxes"`
	RequestsPerRead float64 `json:"requests_per_read"`
	// ForPolling is the part of PerDay that polling may use.
	ForPolling int `json:"for_polling"`
	// PollSeconds is the interval: Mailboxes × RequestsPerRead × 86,400 s ÷
	// ForPolling, and not less than MinPollSeconds.
	PollSeconds    float64 `json:"poll_seconds"`
	MinPollSeconds float64 `json:"min_poll_seconds"`
	// Arithmetic is the same in words.
	Arithmetic string `json:"arithmetic"`
}

// Status returns how things are now.
func (p *Provider) Status() Status {
	q := p.quota()
	out := Status{Quota: q, ClockSkewSeconds: int(p.clock.skew().Seconds())}
	if p.base != nil {
		out.Graph = p.base.Host
	}
	out.Concurrency, out.InFlight, out.Waiting = p.pace.gate.state()
	p.pace.mu.Lock()
	defer p.pace.mu.Unlock()
	out.Throttled = p.pace.throttled
	if p.pace.pause.After(time.Now()) {
		t := p.pace.pause.UTC()
		out.PausedUntil = &t
	}
	return out
}

// PollInterval is how often calendars may be read within the quota. It serves
// otj.Options.PollOf.
func (p *Provider) PollInterval() time.Duration {
	mailboxes, cost := p.readers.state()
	return p.interval(mailboxes, cost)
}

func (p *Provider) interval(mailboxes int, cost float64) time.Duration {
	d := float64(mailboxes) * cost * 86_400 / p.forPolling()
	return max(p.opts.MinPoll, time.Duration(d*float64(time.Second)))
}

func (p *Provider) forPolling() float64 { return math.Floor(float64(p.budget.perDay) * pollShare) }

func (p *Provider) quota() Quota {
	used, available := p.budget.state()
	mailboxes, cost := p.readers.state()
	q := Quota{
		PerDay: p.budget.perDay, Used: used, Available: available, PerSecond: p.budget.rate(),
		Mailboxes: mailboxes, RequestsPerRead: math.Round(cost*100) / 100, ForPolling: int(p.forPolling()),
		PollSeconds: p.interval(mailboxes, cost).Seconds(), MinPollSeconds: p.opts.MinPoll.Seconds(),
	}
	round := float64(mailboxes) * cost
	q.Arithmetic = fmt.Sprintf("%s mailboxes × %.2f requests are %s requests a round; %s of the %s requests a day are for polling, which is a round each %.1f s",
		group(mailboxes), cost, group(int(math.Ceil(round))), group(q.ForPolling), group(q.PerDay), round*86_400/p.forPolling())
	if p.interval(mailboxes, cost) == p.opts.MinPoll {
		q.Arithmetic += fmt.Sprintf("; no calendar is read more often than each %g s", q.MinPollSeconds)
	}
	return q
}

// group writes a number with commas.
func group(n int) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// readers knows which mailboxes are read, and what that costs.
type readers struct {
	mu    sync.Mutex
	last  map[string]time.Time
	cost  float64   // average
	swept time.Time // when those that are not read any more were forgotten
}

// forget is after how long a mailbox that is not read does not count any more.
// Even 10,000 mailboxes within the smallest quota are read more often.
const forget = 48 * time.Hour

// read takes note of a reading that took a number of requests.
func (r *readers) read(mailbox string, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last, r.cost = map[string]time.Time{}, 1
	}
	now := time.Now()
	r.last[key(mailbox)] = now
	r.cost += 0.01 * (max(1, float64(requests)) - r.cost)
	if now.Sub(r.swept) > forget/10 {
		r.swept = now
		for name, t := range r.last {
			if now.Sub(t) > forget {
				delete(r.last, name)
			}
		}
	}
}

func (r *readers) state() (mailboxes int, cost float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.last), max(1, r.cost)
}
