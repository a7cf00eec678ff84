package msgraph

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"time"
)

// news is what a webhook has heard of a subscription.
type news uint8

const (
	changed     news = 1 << iota // the calendar, or so it may be
	reauthorize                  // Graph wants the subscription reauthorized
	removed                      // Graph has removed the subscription
)

// watch is a mailbox and its subscription.
//
// The subscription is a basic one, whose notifications have no content: all that
// has to be known is that the calendar has changed. Reading it gives whole
// occurrences, which the notification of a series does not have; and there is no
// certificate to look after, no content to decrypt, and nothing but a GUID in
// what others could read on the way. The secret of a subscription and its
// address are made from the webhook's key, so that nothing has to be stored: a
// subscription with that very address is known again after a restart.
type watch struct {
	roster  *roster
	mailbox string   // in lower case
	names   []string // the mailbox as the callers write it; none if it is not wanted any more
	url     string   // where Graph posts
	state   string   // the secret of the subscription

	id      string // of the subscription; "" if there is none
	made    time.Time
	expires time.Time
	renew   time.Time // when to renew it
	suspect time.Time // since when it has to be reauthorized; zero if it has not
	flaps   int       // how often it was lost soon after it was made, in a row

	busy     bool      // a request about it is under way
	try      time.Time // no request before
	failures int       // in a row
	err      error     // of the last request

	news   news // that Notify has not looked at
	queued bool
}

// roster is the watches of a notifier. It outlives the calls of Notify, which
// end whenever other mailboxes are wanted.
type roster struct {
	hook *Webhook
	name string
	turn chan struct{} // held by the call of Notify that is under way
	bell chan struct{} // buffered; there is something to do

	// The rest is guarded by the mutex of the webhook.
	watches   map[string]*watch // by mailbox, in lower case
	leftovers []leftover
	queue     []*watch // that have news, each once

	running   *Notifier // whose Notify has the turn
	listed    bool      // what was there before us is known
	list      time.Time // when to compare with Graph's list the next time
	listing   bool
	cut       bool // the end of Notify has cut off requests that make subscriptions
	listFails int
	proven    bool      // Graph has accepted the webhook
	hold      time.Time // no subscription is made before: Graph accepts none
	refusals  int       // in a row, whatever the mailbox
	why       error     // of the last refusal
	rest      time.Time // nothing is asked for before: Graph is not available, or wants less
	troubles  int       // batches in a row of which no part could be answered
	next      time.Time // when there is something to do
}

// leftover is a subscription that nobody needs.
type leftover struct {
	id    string
	tries int
	busy  bool
	try   time.Time
}

const (
	batchSize   = 20 // requests in a $batch
	batches     = 4  // at a time
	probes      = 3  // subscriptions that are tried before Graph has accepted one
	relist      = 6 * time.Hour
	settled     = 5 * time.Minute  // after which a new subscription is in Graph's list
	lateAfter   = time.Minute      // a reauthorization later than this may have missed something
	firstRetry  = 10 * time.Second // of what failed for now; it doubles
	lastRetry   = 10 * time.Minute
	firstDenied = 5 * time.Minute // of what Graph refused; it doubles
	lastDenied  = 6 * time.Hour
	maxDeletes  = 5 // tries; the subscription expires anyway
)

// pause is the time before another try: first, doubled with each failure, up to
// last, and varied so that mailboxes do not stay in step.
func pause(first, last time.Duration, failures int) time.Duration {
	d := first << min(max(failures-1, 0), 16)
	if d < 0 || d > last {
		d = last
	}
	return d*3/4 + time.Duration(rand.Int64N(int64(d)/2+1)) //nolint:gosec // no secret
}

// address is where Graph posts for a mailbox. What it adds to the webhook's says
// whose subscription it is, and with which key its secret was made.
func (r *roster) address(mailbox string) string {
	u := *r.hook.url
	u.RawQuery = url.Values{"n": {r.name}, "m": {r.hook.secret("address", r.name, mailbox)[:16]}}.Encode()
	return u.String()
}

// owns reports whether a subscription was made by this notifier, now or before
// a restart, whatever the key was then.
func (r *roster) owns(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	mine := u.Query().Get("n") == r.name
	u.RawQuery = ""
	return mine && u.String() == r.hook.url.String()
}

// want makes mailboxes the ones that are watched. The webhook's mutex is held.
func (r *roster) want(mailboxes []string) {
	for _, w := range r.watches {
		w.names = nil
	}
	for _, name := range mailboxes {
		k := key(name)
		w := r.watches[k]
		if w == nil {
			w = &watch{roster: r, mailbox: k, url: r.address(k), state: r.hook.secret("state", r.name, k)}
			r.watches[k] = w
		}
		if !slices.Contains(w.names, name) {
			w.names = append(w.names, name)
		}
	}
	for _, w := range r.watches {
		r.drop(w)
	}
	r.next = time.Time{}
}

// drop forgets a watch that is not wanted, unless a request about it is under
// way.
func (r *roster) drop(w *watch) {
	if len(w.names) > 0 || w.busy {
		return
	}
	delete(r.watches, w.mailbox)
	if w.id != "" {
		r.leftovers = append(r.leftovers, leftover{id: w.id})
		w.lose()
	}
}

// tell notes news and rings the bell.
func (w *watch) tell(n news) {
	r := w.roster
	w.news |= n
	if n&reauthorize != 0 && w.suspect.IsZero() {
		w.suspect = time.Now()
		w.try = time.Time{}
	}
	if n&removed != 0 {
		w.lose()
	}
	if n&(reauthorize|removed) != 0 {
		r.next = time.Time{}
	}
	if !w.queued {
		w.queued = true
		r.queue = append(r.queue, w)
	}
	r.ring()
}

func (r *roster) ring() {
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// heard takes the names of the mailboxes that are to be woken.
func (r *roster) heard() (names []string) {
	for _, w := range r.queue {
		// A subscription that has to be reauthorized goes on for a while.
		if w.news&^reauthorize != 0 {
			names = append(names, w.names...)
		}
		w.news, w.queued = 0, false
	}
	r.queue = nil
	return names
}

// gain makes a subscription that of the watch. Whoever reads the calendar may
// have read it before there was one.
func (w *watch) gain(id string, expires, now time.Time) {
	if w.id != id {
		w.lose()
		w.id, w.made = id, now
		w.roster.hook.watches[id] = w
	}
	w.renewed(expires, now)
	w.tell(changed)
}

// renewed notes when a subscription ends now. It is renewed when half of its
// life is over, or at any time up to 7/10, so that a service that has subscribed
// to all at once does not renew all at once.
func (w *watch) renewed(expires, now time.Time) {
	w.expires, w.suspect, w.failures, w.err, w.try = expires, time.Time{}, 0, nil, time.Time{}
	left := max(expires.Sub(now), 2*time.Minute)
	w.renew = now.Add(left/2 + time.Duration(rand.Int64N(int64(left/5)))) //nolint:gosec // no secret
}

// lose forgets the subscription. There is a new one at once, unless Graph takes
// them away as soon as they are made.
func (w *watch) lose() {
	if w.id == "" {
		return
	}
	if h := w.roster.hook; h.watches[w.id] == w {
		delete(h.watches, w.id)
	}
	w.id, w.suspect, w.failures, w.err, w.try = "", time.Time{}, 0, nil, time.Time{}
	now := time.Now()
	if now.Sub(w.made) > settled {
		w.flaps = 0
		return
	}
	if w.flaps++; w.flaps > 1 {
		w.try = now.Add(pause(firstRetry, lastRetry, w.flaps-1))
	}
}

// covered reports whether Graph tells of changes.
func (w *watch) covered(now time.Time) bool {
	return w.id != "" && now.Before(w.expires) && (w.suspect.IsZero() || w.failures == 0)
}

// listedSub is a subscription as Graph lists it. The secret is not in it.
type listedSub struct {
	ID        string    `json:"id"`
	URL       string    `json:"notificationUrl"`
	Lifecycle string    `json:"lifecycleNotificationUrl"`
	Expires   time.Time `json:"expirationDateTime"`
}

// reconcile compares the watches with what Graph has listed, from since on: what
// is ours is taken over, what is not needed becomes a leftover, and what is gone
// is made again.
func (r *roster) reconcile(list []listedSub, since time.Time) {
	now := time.Now()
	byURL := make(map[string]*watch, len(r.watches))
	for _, w := range r.watches {
		byURL[w.url] = w
	}
	// Of several for the same mailbox the one that lasts longest is kept.
	slices.SortStableFunc(list, func(a, b listedSub) int { return b.Expires.Compare(a.Expires) })
	there := make(map[string]bool, len(list))
	for _, sub := range list {
		there[sub.ID] = true
		if !r.owns(sub.URL) {
			continue
		}
		w := byURL[sub.URL]
		switch {
		case w != nil && w.id == sub.ID:
		case w != nil && w.busy: // perhaps the one that is being made
			r.list = now.Add(settled)
		case w != nil && w.id == "" && sub.Lifecycle == w.url && sub.Expires.After(now.Add(time.Minute)):
			w.gain(sub.ID, sub.Expires, now)
			r.proven = true
		case !slices.ContainsFunc(r.leftovers, func(l leftover) bool { return l.id == sub.ID }):
			r.leftovers = append(r.leftovers, leftover{id: sub.ID})
		}
	}
	for _, w := range r.watches {
		if w.id != "" && !w.busy && !there[w.id] && w.made.Before(since.Add(-settled)) {
			w.tell(removed)
		}
	}
}
