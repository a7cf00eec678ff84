package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Notifier is a Provider that learns of changes from Microsoft Graph, by a
// [Webhook]. Where there is none, the Provider alone is polled. It is safe for
// concurrent use.
//
// It subscribes to each mailbox, 20 in a batch and within the provider's quota;
// renews the subscriptions; reauthorizes those for which Graph demands it, and
// makes those again that Graph has removed; and reads, or rather has its caller
// read, what may have changed unseen. A mailbox that Graph does not let it
// subscribe to is tried again, at longer and longer intervals; [Notifier.Notified]
// says so meanwhile.
//
// Subscriptions stay when Notify ends: the next call, or the next start of the
// program with the same key, takes them over, and deletes those that are not
// wanted any more. [Notifier.Unsubscribe] deletes them all.
type Notifier struct {
	*Provider
	roster *roster
	waits  time.Time // since when Notify waits for another of the same name; guarded as the roster
}

var (
	_ calendar.Notifier = (*Notifier)(nil)
	_ calendar.Coverage = (*Notifier)(nil)
)

// Notifier returns p as a provider whose changes Graph tells the webhook of. The
// name tells this notifier's subscriptions from those of others that have the
// same application and the same webhook: it has to stay the same over restarts.
// Two notifiers of one name share their subscriptions, and one waits for the
// other: a provider with new settings takes over from the old one.
func (h *Webhook) Notifier(name string, p *Provider) *Notifier {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rosters[name]
	if r == nil {
		r = &roster{hook: h, name: name, turn: make(chan struct{}, 1), bell: make(chan struct{}, 1), watches: map[string]*watch{}}
		h.rosters[name] = r
	}
	return &Notifier{Provider: p, roster: r}
}

// Notified implements [calendar.Coverage].
func (n *Notifier) Notified(mailbox string) (ok bool, why error) {
	r := n.roster
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	w := r.watches[key(mailbox)]
	switch {
	case !n.waits.IsZero() && time.Since(n.waits) > time.Minute:
		return false, fmt.Errorf("another provider has the name %q at the same webhook: give each its own", r.name)
	case w == nil || len(w.names) == 0 || r.running != n:
		return false, nil
	case w.covered(time.Now()):
		return true, nil
	case w.err != nil:
		return false, w.err
	}
	return false, r.why
}

// NotifierStatus says how far the subscriptions are.
type NotifierStatus struct {
	// Mailboxes is how many are wanted. For Live of them Graph tells of changes;
	// for Failing it does not, and the last try has failed. The others have not
	// been tried yet.
	Mailboxes int `json:"mailboxes"`
	Live      int `json:"live"`
	Failing   int `json:"failing"`
	// Expires is when the first of the live ones runs out unless it is renewed,
	// in UTC.
	Expires time.Time `json:"expires,omitzero"`
	// Error is why the last subscription failed; empty if none is failing.
	Error string `json:"error,omitempty"`
}

// Subscriptions returns how far the subscriptions are.
func (n *Notifier) Subscriptions() NotifierStatus {
	r := n.roster
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	var s NotifierStatus
	now := time.Now()
	err := r.why
	for _, w := range r.watches {
		if len(w.names) == 0 {
			continue
		}
		s.Mailboxes++
		switch {
		case w.covered(now):
			s.Live++
			if s.Expires.IsZero() || w.expires.Before(s.Expires) {
				s.Expires = w.expires.UTC()
			}
		case w.err != nil:
			s.Failing++
			err = w.err
		}
	}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// Notify implements [calendar.Notifier]. It returns an error before ctx is done
// if Graph refuses every subscription: it cannot reach the webhook, say, or the
// app has no permission.
func (n *Notifier) Notify(ctx context.Context, mailboxes []string, wake func(mailbox string)) error {
	r := n.roster
	n.wait(time.Now())
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		n.wait(time.Time{})
		return ctx.Err()
	}
	n.wait(time.Time{})
	ctx, cancel := context.WithCancel(ctx)
	var jobs sync.WaitGroup
	defer jobs.Wait()
	defer cancel()

	r.hook.mu.Lock()
	r.want(mailboxes)
	r.running = n
	r.hook.mu.Unlock()
	defer func() {
		r.hook.mu.Lock()
		defer r.hook.mu.Unlock()
		r.running = nil
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	free := batches
	done := make(chan struct{}, batches+1)
	for again := true; ; {
		r.hook.mu.Lock()
		heard := r.heard()
		now := time.Now()
		var work [][]*job
		list := false
		if again || !now.Before(r.next) {
			list, work = r.plan(now, free)
			again = false
		}
		next, err := r.next, r.hopeless(free == batches && len(work) == 0 && !r.listing)
		r.hook.mu.Unlock()
		for _, name := range heard {
			wake(name)
		}
		if err != nil {
			return err
		}
		if list {
			jobs.Go(func() { n.compare(ctx); r.ring() })
		}
		for _, batch := range work {
			free--
			jobs.Go(func() { n.do(ctx, batch); done <- struct{}{} })
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			free++
			again = true
		case <-r.bell:
		case <-timer.C:
		}
	}
}

func (n *Notifier) wait(since time.Time) {
	n.roster.hook.mu.Lock()
	defer n.roster.hook.mu.Unlock()
	n.waits = since
}

// Unsubscribe deletes all subscriptions of the notifier, when a tenant's rooms
// are no longer served, say. Notify must not be running: Unsubscribe waits for
// it to end.
func (n *Notifier) Unsubscribe(ctx context.Context) error {
	r := n.roster
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	list, _, err := n.list(ctx)
	if err != nil {
		return err
	}
	var requests []*request
	for _, sub := range list {
		if r.owns(sub.URL) {
			requests = append(requests, deletion(sub.ID))
		}
	}
	var errs []error
	for _, err := range n.sendAll(ctx, requests) {
		if !isStatus(err, http.StatusNotFound) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	for _, w := range r.watches {
		w.lose()
	}
	clear(r.watches)
	r.leftovers, r.queue = nil, nil
	return nil
}

// job is something to ask of Graph about one subscription.
type job struct {
	kind     string    // of the constants below
	watch    *watch    // of make and renew
	leftover string    // of delete
	expires  time.Time // that is asked for
	answer   struct {
		ID      string    `json:"id"`
		Expires time.Time `json:"expirationDateTime"`
	}
}

const (
	opMake   = "subscribe to the calendar"
	opRenew  = "renew the subscription to the calendar"
	opDelete = "delete a subscription"
	opList   = "list the subscriptions"
)

// plan returns what is to be done now: whether to list the subscriptions, and
// batches of requests. It sets r.next.
func (r *roster) plan(now time.Time, free int) (list bool, work [][]*job) {
	r.next = now.Add(relist)
	if !r.listing && !now.Before(r.list) {
		r.listing, list = true, true
	} else if !r.listing {
		r.later(r.list)
	}
	for _, w := range r.watches {
		switch {
		case w.id == "":
		case now.Before(w.expires):
			r.later(w.expires)
		default:
			w.tell(removed)
		}
	}
	if !r.listed {
		return list, nil
	}
	var jobs []*job
	most := free * batchSize
	if r.troubles > 0 {
		// One batch finds out whether they are over.
		if most = batchSize; free < batches {
			return list, nil
		}
	}
	if now.Before(r.rest) {
		r.later(r.rest)
		return list, nil
	}
	add := func(j job, at time.Time) bool {
		if at.After(now) {
			r.later(at)
			return false
		}
		if len(jobs) == most {
			return false // there is a next time when one is done
		}
		jobs = append(jobs, &j)
		return true
	}
	until := now.Add(r.hook.opts.Lifetime).Truncate(time.Second)
	ahead := r.hook.opts.Lifetime / 50
	trying := 0 // subscriptions that are being made
	for _, w := range r.watches {
		if w.busy && w.id == "" {
			trying++
		}
	}
	// Whoever is watched and would not be any more comes before new ones.
	for _, w := range r.watches {
		if w.busy || w.id == "" {
			continue
		}
		at := w.renew
		switch {
		case !w.suspect.IsZero():
			at = now
		case at.Before(now.Add(ahead)):
			// With others, rather than in a batch of its own a little later.
			r.later(at)
			at = now
		}
		if w.try.After(at) {
			at = w.try
		}
		if add(job{kind: opRenew, watch: w, expires: until}, at) {
			w.busy = true
		}
	}
	for i := range r.leftovers {
		l := &r.leftovers[i]
		if !l.busy && add(job{kind: opDelete, leftover: l.id}, l.try) {
			l.busy = true
		}
	}
	for _, w := range r.watches {
		if w.busy || w.id != "" {
			continue
		}
		if (!r.proven || r.refusals > 0) && trying >= probes {
			break
		}
		at := w.try
		if r.hold.After(at) {
			at = r.hold
		}
		if add(job{kind: opMake, watch: w, expires: until}, at) {
			w.busy = true
			trying++
		}
	}
	return list, slices.Collect(slices.Chunk(jobs, batchSize))
}

func (r *roster) later(t time.Time) {
	if t.Before(r.next) {
		r.next = t
	}
}

// hopeless returns why there can be no notifications at all: Graph has refused
// what was tried, and nothing is left of before. The mutex is held.
func (r *roster) hopeless(idle bool) error {
	wanted := 0
	for _, w := range r.watches {
		if w.id != "" {
			return nil
		}
		if len(w.names) > 0 {
			wanted++
		}
	}
	if !idle || r.why == nil || wanted == 0 || r.refusals < min(wanted, probes) {
		return nil
	}
	// The caller decides when to try again.
	err := r.why
	r.refusals, r.hold, r.why = 0, time.Time{}, nil
	for _, w := range r.watches {
		w.try, w.failures = time.Time{}, 0
	}
	return err
}

// do sends a batch and takes note of the answers.
func (n *Notifier) do(ctx context.Context, jobs []*job) {
	requests := make([]*request, len(jobs))
	for i, j := range jobs {
		switch j.kind {
		case opDelete:
			requests[i] = deletion(j.leftover)
			continue
		case opRenew:
			// This also reauthorizes.
			requests[i] = &request{method: http.MethodPatch, url: "/subscriptions/" + url.PathEscape(j.watch.id),
				body: map[string]any{"expirationDateTime": j.expires.UTC()}}
		case opMake:
			requests[i] = &request{method: http.MethodPost, url: "/subscriptions", body: map[string]any{
				"changeType": "created,updated,deleted", "resource": "users/" + url.PathEscape(j.watch.mailbox) + "/events",
				"notificationUrl": j.watch.url, "lifecycleNotificationUrl": j.watch.url,
				"clientState": j.watch.state, "expirationDateTime": j.expires.UTC(),
			}}
		}
		requests[i].op, requests[i].mailbox, requests[i].out = j.kind, j.watch.mailbox, &j.answer
	}
	errs := n.sendAll(ctx, requests)
	r := n.roster
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	now := time.Now()
	r.answered(errs, now)
	for i, j := range jobs {
		switch {
		case j.kind == opDelete:
			r.deleted(j.leftover, errs[i], now)
		case j.kind == opRenew:
			r.renewed(j, errs[i], now)
		default:
			r.made(j, errs[i], now)
		}
		if j.watch != nil {
			j.watch.busy = false
			r.drop(j.watch)
		}
	}
	r.next = time.Time{}
}

// answered takes note of what the answers to a batch say about Graph as a whole.
func (r *roster) answered(errs []error, now time.Time) {
	var trouble error
	silent := 0 // without an answer
	for _, err := range errs {
		if away(err) || errors.Is(err, calendar.ErrThrottled) {
			silent++
			trouble = err
		}
		if errors.Is(err, calendar.ErrThrottled) {
			r.pause(now.Add(wait(err, 0, 0, 0)))
		}
	}
	if silent < len(errs) {
		r.troubles = 0
		return
	}
	r.troubles++
	r.pause(now.Add(wait(trouble, firstRetry, lastRetry, r.troubles)))
}

func (r *roster) pause(until time.Time) {
	if until.After(r.rest) {
		r.rest = until
	}
}

func deletion(id string) *request {
	return &request{op: opDelete, method: http.MethodDelete, url: "/subscriptions/" + url.PathEscape(id)}
}

func (r *roster) deleted(id string, err error, now time.Time) {
	i := slices.IndexFunc(r.leftovers, func(l leftover) bool { return l.id == id })
	if i < 0 {
		return
	}
	l := &r.leftovers[i]
	l.busy = false
	if l.tries++; err == nil || isStatus(err, http.StatusNotFound) || l.tries == maxDeletes {
		r.leftovers = slices.Delete(r.leftovers, i, i+1)
		return
	}
	l.try = now.Add(wait(err, firstRetry, lastRetry, l.tries))
}

func (r *roster) renewed(j *job, err error, now time.Time) {
	w := j.watch
	switch {
	case w.id == "", errors.Is(err, context.Canceled): // removed meanwhile, or to be done again
	case err == nil:
		late := !w.suspect.IsZero() && now.Sub(w.suspect) > lateAfter
		w.renewed(expiry(j), now)
		if late {
			w.tell(changed)
		}
	case isStatus(err, http.StatusNotFound):
		w.tell(removed)
	default:
		w.failed(err, now)
		if !w.suspect.IsZero() && w.failures == 1 {
			w.tell(changed) // from now on somebody has to poll
		}
	}
}

func (r *roster) made(j *job, err error, now time.Time) {
	w := j.watch
	if err == nil && j.answer.ID == "" {
		err = &calendar.Error{Op: opMake, Mailbox: w.mailbox, Err: fmt.Errorf("%w: the answer is no subscription", calendar.ErrUnavailable)}
	}
	if err == nil {
		r.proven, r.refusals, r.hold, r.why = true, 0, time.Time{}, nil
		w.gain(j.answer.ID, expiry(j), now)
		return
	}
	s, cause := refusal(err)
	if s == http.StatusBadRequest || cause == ConsentMissing || errors.Is(err, calendar.ErrUnauthorized) {
		// Nothing but the mailbox's name differs from one request to the other:
		// Graph does not reach the webhook, or does not let us in.
		if s == http.StatusBadRequest {
			err = unreachable(r.hook, err)
		}
		r.refusals++
		r.hold = now.Add(pause(firstRetry, lastDenied, r.refusals))
		r.why = err
	}
	// There may be a subscription that nobody knows of.
	switch {
	case errors.Is(err, context.Canceled):
		r.listed, r.list, r.cut = false, now, true
		return
	case s == http.StatusConflict: // there is one already
		r.list = now
	case away(err):
		if at := now.Add(settled); at.Before(r.list) {
			r.list = at
		}
	}
	w.failed(err, now)
}

// unreachable says what an administrator can do about a webhook that Graph has
// not accepted.
func unreachable(h *Webhook, err error) error {
	e := &calendar.Error{Op: opMake, Err: err, Fix: fmt.Sprintf("Make %s reachable from the internet, with a certificate that Microsoft trusts, or configure no public address: calendars are polled then.", h.url)}
	var ce *calendar.Error
	if errors.As(err, &ce) {
		e.Mailbox, e.Err = ce.Mailbox, ce.Err
	}
	return e
}

// failed notes an error and when to try again.
func (w *watch) failed(err error, now time.Time) {
	w.failures++
	w.err = err
	first, last := firstRetry, lastRetry
	if errors.Is(err, calendar.ErrForbidden) || errors.Is(err, calendar.ErrNotFound) || isStatus(err, http.StatusBadRequest) {
		first, last = firstDenied, lastDenied
	}
	w.try = now.Add(wait(err, first, last, w.failures))
	if w.id == "" && w.failures == 1 {
		w.tell(changed) // from now on somebody has to poll
	}
}

// wait is the pause before another try, at least the one that Graph has asked for.
func wait(err error, first, last time.Duration, failures int) time.Duration {
	d := pause(first, last, failures)
	var ce *calendar.Error
	if errors.As(err, &ce) {
		d = max(d, ce.RetryAfter)
	}
	return d
}

func expiry(j *job) time.Time {
	if j.answer.Expires.IsZero() {
		return j.expires
	}
	return j.answer.Expires
}

// refusal is the status of Graph's answer, 0 if there was none, and its cause.
func refusal(err error) (status int, cause Cause) {
	var g *Refusal
	if errors.As(err, &g) {
		return g.Status, g.Cause
	}
	return 0, Unknown
}

// away reports whether Graph has not answered, or not to what was asked.
func away(err error) bool {
	s, _ := refusal(err)
	return errors.Is(err, calendar.ErrUnavailable) && (s == 0 || s >= http.StatusInternalServerError)
}

func isStatus(err error, status int) bool {
	s, _ := refusal(err)
	return s == status
}

// maxLists is the most pages of a list of subscriptions that are read.
const maxLists = 10_000

// list reads the app's subscriptions in the tenant.
func (n *Notifier) list(ctx context.Context) (list []listedSub, since time.Time, err error) {
	since = time.Now()
	next := "/subscriptions"
	for range maxLists {
		var page struct {
			Value []listedSub `json:"value"`
			Next  string      `json:"@odata.nextLink"`
		}
		if err := n.send(ctx, &request{op: opList, url: next, out: &page}); err != nil {
			return nil, since, err
		}
		list = append(list, page.Value...)
		if page.Next == "" || page.Next == next {
			return list, since, nil
		}
		next = page.Next
	}
	return nil, since, &calendar.Error{Op: opList, Err: fmt.Errorf("%w: Graph's pages do not end", calendar.ErrUnavailable)}
}

// compare compares what is watched with what Graph has.
func (n *Notifier) compare(ctx context.Context) {
	list, since, err := n.list(ctx)
	r := n.roster
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	r.listing = false
	r.next = time.Time{}
	now := time.Now()
	switch {
	case err == nil:
		r.listFails = 0
		r.listed, r.list = true, now.Add(relist)
		if r.cut { // what was under way may have come to its end since
			r.cut, r.list = false, now.Add(settled)
		}
		if r.refusals == 0 {
			r.why = nil
		}
		r.reconcile(list, since)
	case ctx.Err() != nil:
	default:
		r.listFails++
		r.list = now.Add(wait(err, firstRetry, lastRetry, r.listFails))
		r.why = err
		if !away(err) && !errors.Is(err, calendar.ErrThrottled) {
			r.refusals += probes
		}
	}
}
