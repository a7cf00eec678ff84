package otj

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// notifier hears of changes from a provider.
type notifier struct {
	svc      *Service
	provider calendar.Notifier
	stop     context.CancelFunc

	mu        sync.Mutex
	mailboxes []string
	changed   chan struct{} // closed when mailboxes is replaced
	running   bool
	why       string        // it does not run
	health    chan struct{} // closed when running changes
}

func newNotifier(svc *Service, p calendar.Notifier) *notifier {
	return &notifier{svc: svc, provider: p, changed: make(chan struct{}), health: make(chan struct{})}
}

func (n *notifier) set(mailboxes []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.mailboxes, mailboxes) {
		n.mailboxes = mailboxes
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

// hears reports whether the provider tells of changes of a mailbox. If not, why
// says so to an administrator, unless the provider is still about to.
func (n *notifier) hears(mailbox string) (ok bool, why string) {
	n.mu.Lock()
	ok, why = n.running, n.why
	n.mu.Unlock()
	if c, some := n.provider.(calendar.Coverage); some && ok {
		err := n.svc.guard("the calendar's provider", func() (err error) {
			ok = false
			ok, err = c.Notified(mailbox)
			return err
		})
		if !ok && err != nil {
			why = notifyFailed(err)
		}
	}
	return ok, why
}

func notifyFailed(err error) string {
	return fmt.Sprintf("Changes are found by polling only, because notifications do not work: %v", err)
}

// changes returns a channel that is closed when notifications fail or work
// again. That of a nil notifier never is.
func (n *notifier) changes() <-chan struct{} {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.health
}

func (n *notifier) setRunning(running bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if running == n.running && err == nil {
		return
	}
	n.running, n.why = running, ""
	if err != nil {
		n.why = notifyFailed(err)
	}
	close(n.health)
	n.health = make(chan struct{})
}

func (n *notifier) run(ctx context.Context) {
	for failures := 1; ; failures++ {
		n.mu.Lock()
		mailboxes, changed := slices.Clone(n.mailboxes), n.changed
		n.mu.Unlock()
		nctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		n.setRunning(true, nil)
		started := time.Now()
		go func() {
			done <- n.svc.guard("the calendar's provider", func() error {
				return n.provider.Notify(nctx, mailboxes, func(mailbox string) {
					n.svc.askFor(n.provider, mailbox)
				})
			})
		}()
		var err error
		select {
		case <-ctx.Done():
		case <-changed:
		case err = <-done:
			done <- nil
			if err == nil {
				err = errors.New("the provider has stopped them")
			}
		}
		cancel()
		<-done
		if ctx.Err() != nil {
			return
		}
		if err == nil { // other mailboxes
			failures = 0
			continue
		}
		n.svc.opts.Logger.Warn("notifications of calendar changes do not work", "error", err)
		n.setRunning(false, err)
		if time.Since(started) > n.svc.opts.RetryMax {
			failures = 1
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(n.svc.retry(failures)):
		}
	}
}
