package msgraph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
