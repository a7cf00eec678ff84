package endpointtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// watching is a Watch that runs.
type watching struct {
	woken chan struct{}
	done  chan error
	stop  context.CancelFunc
	label string
}

const watchLabel = "endpointtest"

// watch starts w.Watch. Its goroutine, and all that it starts, carry a label of
// their own in the goroutine profile.
func watch(ctx context.Context, w otj.Watcher) *watching {
	ctx, cancel := context.WithCancel(ctx)
	r := &watching{
		woken: make(chan struct{}, 1),
		done:  make(chan error, 1),
		stop:  cancel,
		label: rand.Text(),
	}
	go pprof.Do(ctx, pprof.Labels(watchLabel, r.label), func(ctx context.Context) {
		r.done <- w.Watch(ctx, func() {
			select {
			case r.woken <- struct{}{}:
			default:
			}
		})
	})
	return r
}

// settle waits until wake has not been called for a moment, so that what
// follows is not answered by a call from before.
func (r *watching) settle() {
	for {
		select {
		case <-r.woken:
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

// waitWake waits for a call of wake.
func (r *watching) waitWake(h *Harness, what string) error {
	select {
	case <-r.woken:
		return nil
	case err := <-r.done:
		r.done <- err
		return fmt.Errorf("Watch returned although its context was not done: %w", orNil(err))
	case <-time.After(h.patience()):
		return fmt.Errorf("%s, and wake was not called within %v", what, h.patience())
	}
}

// waitStop cancels the Watch and waits for its end.
func (r *watching) waitStop(h *Harness) error {
	select {
	case err := <-r.done:
		return fmt.Errorf("Watch returned although its context was not done: %w", orNil(err))
	default:
	}
	r.stop()
	select {
	case <-r.done:
	case <-time.After(h.patience()):
		return fmt.Errorf("Watch has not returned %v after its context was done", h.patience())
	}
	// What a goroutine does in its last moments is no leak.
	var left []string
	for deadline := time.Now().Add(min(h.patience(), 2*time.Second)); ; {
		if left = r.goroutines(); len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("Watch has returned, and of the goroutines that it started there still run:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// goroutines returns the stacks of those that Watch started. The idle
// connections of an http.Transport are not counted: they belong to the
// transport, which the endpoint's Show may use too.
func (r *watching) goroutines() []string {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return []string{err.Error()}
	}
	var out []string
	for g := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(g, r.label) && !strings.Contains(g, "net/http.(*persistConn)") {
			out = append(out, g)
		}
	}
	return out
}

var errReturnedNil = errors.New("nil")

func orNil(err error) error {
	if err == nil {
		return errReturnedNil
	}
	return err
}

func watcher(h *Harness) (otj.Watcher, error) {
	w, ok := h.Endpoint.(otj.Watcher)
	if !ok {
		return nil, skip("the endpoint is no Watcher")
	}
	return w, nil
}

// watchEvent checks that wake is called when something happens to the device,
// and that Show then brings the device to what it should show.
func watchEvent(name string, event func(*Harness) func()) func(context.Context, *Harness) error {
	return func(ctx context.Context, h *Harness) error {
		w, err := watcher(h)
		if err != nil {
			return err
		}
		do := event(h)
		if do == nil {
			return skip("needs Harness.%s", name)
		}
		set := meetings(h, 1, 3)
		if err := h.showAndSee(ctx, set); err != nil {
			return err
		}
		r := watch(ctx, w)
		defer r.stop()
		r.settle()
		do()
		if err := r.waitWake(h, name+" was done to the device"); err != nil {
			return err
		}
		if err := h.showAndSee(ctx, set); err != nil {
			return fmt.Errorf("Show after wake: %w", err)
		}
		return r.waitStop(h)
	}
}

func watchReconnect(ctx context.Context, h *Harness) error {
	w, err := watcher(h)
	if err != nil {
		return err
	}
	if h.Unplug == nil {
		return skip("needs Harness.Unplug and Plug")
	}
	set := meetings(h, 1, 2)
	if err := h.showAndSee(ctx, set); err != nil {
		return err
	}
	r := watch(ctx, w)
	defer r.stop()
	r.settle()
	h.Unplug()
	r.settle()
	h.Plug()
	r.settle()
	h.Reset()
	if err := r.waitWake(h, "The device was unplugged, plugged in and restarted"); err != nil {
		return err
	}
	return r.waitStop(h)
}

func watchStop(ctx context.Context, h *Harness) error {
	w, err := watcher(h)
	if err != nil {
		return err
	}
	if err := h.show(ctx, meetings(h, 1, 1)); err != nil {
		return err
	}
	r := watch(ctx, w)
	r.settle()
	if err := r.waitStop(h); err != nil {
		return err
	}
	if h.Unplug == nil {
		return nil
	}
	// Also while the device is not there.
	h.Unplug()
	defer h.Plug()
	r = watch(ctx, w)
	r.settle()
	return r.waitStop(h)
}
