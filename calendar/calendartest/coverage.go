package calendartest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var coverageCases = []testCase{
	{
		name: "coverage/covered", iface: "Coverage", source: here(),
		rule: "reports a mailbox as covered only while it would hear of a change;",
		check: func(ctx context.Context, h *Harness) error {
			c := h.Provider.(calendar.Coverage)
			if err := h.set(at("first", 0, 9)); err != nil {
				return err
			}
			if ok, _ := c.Notified(h.Mailbox); ok {
				return errors.New("a mailbox is covered before Notify is called")
			}
			w := begin(ctx, h, h.Mailbox)
			defer w.stop()
			if err := h.covered(h.Mailbox); err != nil {
				return err
			}
			if h.Other != "" {
				if ok, _ := c.Notified(h.Other); ok {
					return errors.New("a mailbox is covered that Notify was not called for")
				}
			}
			w.forget()
			if err := w.change(h.Mailbox, 1); err != nil {
				return err
			}
			if err := w.stop(); err != nil {
				return err
			}
			if ok, _ := c.Notified(h.Mailbox); ok {
				return errors.New("a mailbox is covered after Notify has returned")
			}
			return nil
		},
	},
	{
		name: "coverage/why", iface: "Coverage", source: here(),
		rule: "says why not, with an error for the administrator, unless it just has not come to it yet: the mailbox has to be polled meanwhile;",
		check: func(ctx context.Context, h *Harness) error {
			if h.Missing == "" {
				return skipped("the harness has no Missing mailbox")
			}
			if err := h.set(at("first", 0, 9)); err != nil {
				return err
			}
			w := begin(ctx, h, h.Mailbox, h.Missing)
			defer w.stop()
			if err := h.covered(h.Mailbox); err != nil {
				return err
			}
			return h.eventually(func() error {
				switch ok, why := h.Provider.(calendar.Coverage).Notified(h.Missing); {
				case ok:
					return errors.New("a mailbox is covered that does not exist")
				case why == nil:
					return errors.New("nothing says why a mailbox that does not exist is not covered")
				}
				return nil
			})
		},
	},
	{
		name: "coverage/wakes", iface: "Coverage", source: here(),
		rule: "calls wake for a mailbox whose coverage begins or ends, unless no change can have been missed.",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("first", 0, 9)); err != nil {
				return err
			}
			w := begin(ctx, h, h.Mailbox)
			defer w.stop()
			if err := h.covered(h.Mailbox); err != nil {
				return err
			}
			// Whoever has read the calendar before that may have missed a change.
			if !w.woken(h.Mailbox) {
				return fmt.Errorf("within %v a mailbox whose coverage has begun is not woken", h.Patience)
			}
			return w.stop()
		},
	},
}

// covered waits until a mailbox is.
func (h *Harness) covered(mailbox string) error {
	return h.eventually(func() error {
		ok, why := h.Provider.(calendar.Coverage).Notified(mailbox)
		if !ok {
			return fmt.Errorf("%s is not covered: %w", mailbox, errors.Join(errors.New("Notify was called for it"), why))
		}
		return nil
	})
}

// eventually waits until check returns nil, or returns its last error.
func (h *Harness) eventually(check func() error) error {
	deadline := time.Now().Add(h.Patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}
