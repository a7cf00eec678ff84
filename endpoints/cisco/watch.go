package cisco

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Watch calls wake when the device has other bookings than it was given, has
// restarted, or can dial something else. It reads the device back every
// Options.Poll, and at once where the device says that something has happened.
func (e *Endpoint) Watch(ctx context.Context, wake func()) error {
	if e.events == nil {
		return e.look(ctx, nil, wake)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if c, ok := e.link.(*socketLink); ok {
		defer c.end(ctx) //nolint:errcheck // it has none
	}
	defer wg.Wait()
	defer cancel()
	said := make(chan struct{}, 1)
	wg.Go(func() { e.listen(ctx, said) })
	return e.look(ctx, said, wake)
}

// listen lets said know when the device says that something has happened, and
// connects again when the connection ends.
func (e *Endpoint) listen(ctx context.Context, said chan<- struct{}) {
	for delay := time.Second; ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		began := time.Now()
		err := e.events(ctx, func() {
			select {
			case said <- struct{}{}:
			default:
			}
		})
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			delay = time.Second
		}
		e.opts.Logger.Debug("cisco device connection ended", "device", e.opts.Name, "error", err)
		sleep(ctx, min(delay, e.opts.Poll))
	}
}

// look reads the device back from time to time and when it is said to. There may
// be thousands of devices that wait here: what it holds counts.
func (e *Endpoint) look(ctx context.Context, said <-chan struct{}, wake func()) error {
	for {
		// A tenth more or less, so that devices that were started together do not
		// stay together.
		timer := time.NewTimer(e.opts.Poll + time.Duration((rand.Float64()-0.5)*0.2*float64(e.opts.Poll)))
		asked := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.relook:
			asked = true
		case <-said:
		case <-timer.C:
		}
		timer.Stop()
		if asked || e.changed(ctx) {
			wake()
		}
	}
}

// changed reads the device back and reports whether it has something else than
// it had after the last Show, or answers again after that has failed. A device
// that cannot be read has not changed: the next look will tell.
func (e *Endpoint) changed(ctx context.Context) bool {
	if e.lock(ctx) != nil {
		return false
	}
	defer e.unlock()
	e.mu.Lock()
	met, last := e.met, e.last
	e.mu.Unlock()
	if !met {
		return false
	}
	if err := e.learn(ctx); err != nil {
		return false
	}
	have, err := e.list(ctx)
	return err == nil && (e.behind || have.sum != last)
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
