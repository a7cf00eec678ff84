package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

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
