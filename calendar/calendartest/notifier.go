package calendartest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var notifierCases = []testCase{
	{
		name: "notifier/wakes", iface: "Notifier", source: here(),
		rule: "calls wake soon after the calendar of one of the mailboxes has changed, and may call it too often;",
		check: func(ctx context.Context, h *Harness) error {
			w, err := watch(ctx, h)
			if err != nil {
				return err
			}
			defer w.stop()
			for i := range 3 {
				w.forget()
				if err := w.change(h.Mailbox, i+1); err != nil {
					return err
				}
			}
			return w.stop()
		},
	},
	{
		name: "notifier/missed", iface: "Notifier", source: here(),
		rule: "calls wake for every mailbox of which it may have missed a change;",
		check: func(ctx context.Context, h *Harness) error {
			if h.Interrupt == nil {
				return skipped("the harness cannot Interrupt notifications")
			}
			w, err := watch(ctx, h)
			if err != nil {
				return err
			}
			defer w.stop()
			restore, err := h.Interrupt()
			if err != nil {
				return fmt.Errorf("harness: Interrupt: %w", err)
			}
			w.forget()
			for _, mailbox := range w.mailboxes {
				if err := h.setIn(mailbox, at("missed", 2, 9)); err != nil {
					return err
				}
			}
			restore()
			for _, mailbox := range w.mailboxes {
				if !w.woken(mailbox) {
					return fmt.Errorf("after an interruption in which %s changed, it is not woken", mailbox)
				}
			}
			return w.stop()
		},
	},
	{
		name: "notifier/goroutines", iface: "Notifier", source: here(),
		rule: "calls wake from any goroutine; wake does not block;",
		check: func(ctx context.Context, h *Harness) error {
			if h.Other == "" {
				return skipped("the harness has no Other mailbox")
			}
			// A caller may be asked about several mailboxes at a time: each
			// has to be told of its own.
			w, err := watch(ctx, h)
			if err != nil {
				return err
			}
			defer w.stop()
			w.forget()
			for _, mailbox := range w.mailboxes {
				if err := w.change(mailbox, 1); err != nil {
					return err
				}
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for mailbox := range w.seen {
				if !slices.Contains(w.mailboxes, mailbox) {
					return fmt.Errorf("it wakes %q, which is none of %q", mailbox, w.mailboxes)
				}
			}
			return nil
		},
	},
	{
		name: "notifier/blocks", iface: "Notifier", source: here(),
		rule: "blocks until ctx is done, and has then stopped every goroutine that it started;",
		check: func(ctx context.Context, h *Harness) error {
			w, err := watch(ctx, h)
			if err != nil {
				return err
			}
			if err := w.change(h.Mailbox, 1); err != nil {
				return err
			}
			if err := w.stop(); err != nil {
				return err
			}
			w.forget()
			if err := h.set(at("late", 4, 9)); err != nil {
				return err
			}
			select {
			case <-w.wakes:
				return errors.New("it calls wake after it has returned")
			case <-time.After(min(h.Patience, 100*time.Millisecond)):
				return nil
			}
		},
	},
	{
		name: "notifier/lasts", iface: "Notifier", source: here(),
		rule: "returns an error before that only if notifications cannot work at all.",
		check: func(ctx context.Context, h *Harness) error {
			if h.Fail == nil {
				return skipped("the harness cannot Fail")
			}
			w, err := watch(ctx, h)
			if err != nil {
				return err
			}
			defer w.stop()
			if err := h.Fail(calendar.ErrUnavailable); err != nil {
				return fmt.Errorf("harness: Fail: %w", err)
			}
			w.forget()
			if err := h.set(at("meanwhile", 4, 9)); err != nil {
				return err
			}
			// Time to run into it.
			select {
			case <-w.wakes:
			case <-time.After(min(h.Patience, 100*time.Millisecond)):
			}
			if err := h.Fail(nil); err != nil {
				return fmt.Errorf("harness: Fail(nil): %w", err)
			}
			w.forget()
			if err := w.change(h.Mailbox, 2); err != nil {
				return fmt.Errorf("after the calendar system was unavailable for a while: %w", err)
			}
			return w.stop()
		},
	},
}

// watching is a call of Notify.
type watching struct {
	h         *Harness
	mailboxes []string
	cancel    context.CancelFunc
	done      chan error
	wakes     chan struct{}
	stopped   bool

	mu   sync.Mutex
	seen map[string]bool
}

// begin calls Notify for mailboxes.
func begin(ctx context.Context, h *Harness, mailboxes ...string) *watching {
	w := &watching{h: h, mailboxes: mailboxes, done: make(chan error, 1), wakes: make(chan struct{}, 1), seen: make(map[string]bool)}
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		w.done <- h.Provider.(calendar.Notifier).Notify(ctx, slices.Clone(w.mailboxes), func(mailbox string) {
			w.mu.Lock()
			w.seen[mailbox] = true
			w.mu.Unlock()
			select {
			case w.wakes <- struct{}{}:
			default:
			}
		})
	}()
	return w
}

// watch calls Notify for the mailboxes of the harness. It returns when
// notifications arrive, which it finds out by changing the calendar.
func watch(ctx context.Context, h *Harness) (*watching, error) {
	mailboxes := []string{h.Mailbox}
	if h.Other != "" {
		mailboxes = append(mailboxes, h.Other)
	}
	for _, mailbox := range mailboxes {
		if err := h.setIn(mailbox, at("first", 0, 9)); err != nil {
			return nil, err
		}
	}
	w := begin(ctx, h, mailboxes...)
	// It may take a moment until the first change is noticed.
	deadline := time.Now().Add(h.Patience)
	for i := 0; ; i++ {
		if err := h.set(at("first", 0, 9), at("start", 1, i%24)); err != nil {
			w.cancel()
			return nil, err
		}
		select {
		case <-w.wakes:
			w.mu.Lock()
			ok := w.seen[h.Mailbox]
			w.mu.Unlock()
			if ok {
				return w, nil
			}
		case err := <-w.done:
			w.cancel()
			return nil, fmt.Errorf("Notify returns before its context is done: %v", err)
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline) {
				w.cancel()
				return nil, fmt.Errorf("within %v wake is not called for a changed calendar", h.Patience)
			}
		}
	}
}

// forget drops the wakes so far.
func (w *watching) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.seen)
	select {
	case <-w.wakes:
	default:
	}
}

// woken waits for a wake of a mailbox.
func (w *watching) woken(mailbox string) bool {
	timeout := time.After(w.h.Patience)
	for {
		w.mu.Lock()
		ok := w.seen[mailbox]
		w.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-w.wakes:
		case <-timeout:
			return false
		}
	}
}

// change changes a calendar and waits for the wake.
func (w *watching) change(mailbox string, n int) error {
	if err := w.h.setIn(mailbox, at("first", 0, 9), at("changed", 2, n)); err != nil {
		return err
	}
	if !w.woken(mailbox) {
		return fmt.Errorf("within %v wake is not called for %s, whose calendar has changed", w.h.Patience, mailbox)
	}
	select {
	case err := <-w.done:
		w.done <- err
		return fmt.Errorf("Notify returns before its context is done: %v", err)
	default:
		return nil
	}
}

// stop ends the call of Notify and waits for it. It may be called again.
func (w *watching) stop() error {
	if w.stopped {
		return nil
	}
	w.stopped = true
	select {
	case err := <-w.done:
		return fmt.Errorf("Notify returns before its context is done: %v", err)
	default:
	}
	w.cancel()
	select {
	case <-w.done:
		return nil
	case <-time.After(w.h.Patience):
		return fmt.Errorf("%v after its context was cancelled Notify has not returned", w.h.Patience)
	}
}
