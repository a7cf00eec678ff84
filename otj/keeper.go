package otj

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// keeper keeps one device as its room's calendars want it. Its run is the only
// goroutine that calls Show.
type keeper struct {
	svc  *Service
	wake chan struct{} // buffered; a token asks for another step

	mu      sync.Mutex
	room    Room
	feeds   []*feed
	retired bool // the room is gone: the device is cleared
	// replaced says that the room of a device that is to be cleared has another one,
	// and met that the device may have something of ours, also from before this
	// process. One that was never met is left alone: its address was wrong, as far as
	// anybody knows.
	replaced, met bool
	forced        bool // Show although nothing has changed, and at once
	pleaded       bool // the device itself has asked for that
	status        RoomStatus
	alarms        alarms
	since         time.Time // when the room got its calendars
	moved         bool      // the device may show meetings of a mailbox that is the room's no more

	// What only run uses.
	state    State     // what the device is known to show
	endpoint Endpoint  // of which state is
	planned  string    // digest of the last plan that OnReport got
	failures int       // of Show, in a row
	retryAt  time.Time // no Show before, unless forced
	asked    bool      // retryAt is what the device has asked for: not even then
	reassert time.Time // Show then, whatever has changed
	restless int       // Shows in short order that the device has asked for
	shownAt  time.Time // last call of Show
	watching *watching
	broken   bool // the last plan could not be made, since the adapter panicked
}

func newKeeper(s *Service) *keeper {
	return &keeper{svc: s, wake: make(chan struct{}, 1), alarms: alarms{}}
}

// set gives the keeper its room. It is also how a room that was removed comes
// back.
func (k *keeper) set(room Room, feeds []*feed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.retired && k.room.same(&room) && slices.Equal(k.feeds, feeds) {
		return
	}
	if !slices.Equal(k.feeds, feeds) {
		k.since = time.Now()
		// The same mailbox by a provider that is configured anew is the same.
		lost := func(f *feed) bool {
			return !slices.ContainsFunc(feeds, func(g *feed) bool { return g.src.Mailbox == f.src.Mailbox })
		}
		k.moved = k.moved || k.retired || slices.ContainsFunc(k.feeds, lost)
	}
	k.room, k.feeds, k.retired, k.replaced = room, feeds, false, false
	k.alarms.set(AlarmNotCleared, "")
	k.ask()
}

// retire makes the keeper clear the device of a room that is gone; names are those
// of the rooms that are left.
func (k *keeper) retire(names map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.replaced = names[k.room.Name]
	if !k.retired {
		k.retired, k.feeds = true, nil
		k.forced = true
		k.ask()
	}
}

// ask asks for another step.
func (k *keeper) ask() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// force asks for a Show, for somebody.
func (k *keeper) force() {
	k.mu.Lock()
	k.forced = true
	k.mu.Unlock()
	k.ask()
}

// plead is force for the device, which may do so without end.
func (k *keeper) plead() {
	k.mu.Lock()
	k.pleaded = true
	k.mu.Unlock()
	k.force()
}

// storeKey names the device in the Store.
func (k *keeper) storeKey() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.room.key()
}

// named returns the feeds if the room has that name.
func (k *keeper) named(room string) ([]*feed, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.feeds, k.room.Name == room && !k.retired
}

func (k *keeper) run(ctx context.Context) {
	defer func() { k.watching.stop() }()
	state, err := k.svc.opts.Store.Load(ctx, k.storeKey())
	k.stored(err)
	k.state = state
	k.mu.Lock()
	k.met = k.met || state.Digest != ""
	k.mu.Unlock()
	k.endpoint = k.current().room.Endpoint
	if state.Digest != "" {
		k.reassert = state.ShownAt.Add(vary(k.svc.opts.Reassert))
	}
	for {
		next, done := k.step(ctx)
		if ctx.Err() != nil || done && k.svc.forget(k) {
			return
		}
		timer := time.NewTimer(max(0, time.Until(next)))
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// config is what a step works with.
type config struct {
	room    Room
	feeds   []*feed
	retired bool
	since   time.Time
	moved   bool
}

func (k *keeper) current() config {
	k.mu.Lock()
	defer k.mu.Unlock()
	return config{k.room, k.feeds, k.retired, k.since, k.moved}
}

// idle is how long a keeper sleeps that waits for nothing but being woken.
const idle = time.Hour

// step brings the device one step nearer to what it should show. It returns
// when the next step is due, and whether the device of a removed room is clear.
func (k *keeper) step(ctx context.Context) (next time.Time, done bool) {
	c := k.current()
	k.takeEndpoint(ctx, c)
	now := time.Now()
	next = now.Add(idle)
	var meetings []Meeting
	if !c.retired {
		report, until, ready := k.plan(c, now)
		if !ready {
			return until, false
		}
		meetings, next = report.Meetings, until
	}
	sum := digestOf(meetings)
	k.mu.Lock()
	forced, pleaded := k.forced, k.pleaded
	k.status.UpToDate = k.state.Digest == sum && !forced
	k.mu.Unlock()
	due := forced || k.state.Digest != sum || !now.Before(k.reassert)
	if due {
		if forced && !k.asked {
			k.retryAt = time.Time{} // somebody thinks that the device can be reached now
		}
		if wait := k.notBefore(forced, pleaded); wait.After(now) {
			return earlier(next, wait), false
		}
		k.show(ctx, c, meetings, sum)
	}
	switch {
	case k.state.Digest != sum && k.leave():
		k.svc.opts.Logger.Info("the room has another device; the one before was never reached, and is left alone", "room", c.room.Name)
		return next, true
	case k.state.Digest != sum: // it has failed
		next = earlier(next, k.retryAt)
	case c.retired:
		if err := k.svc.opts.Store.Delete(ctx, k.storeKey()); err != nil {
			k.stored(err)
		}
		return next, true
	default:
		next = earlier(next, k.reassert)
	}
	return next, false
}

// leave reports whether the device is left alone.
func (k *keeper) leave() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.retired && k.replaced && !k.met
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// takeEndpoint starts and stops watching as the endpoint of the room changes.
func (k *keeper) takeEndpoint(ctx context.Context, c config) {
	if k.endpoint != c.room.Endpoint {
		// The same device, configured anew: nobody knows what it shows.
		k.endpoint, k.state, k.retryAt, k.asked, k.failures = c.room.Endpoint, State{}, time.Time{}, false, 0
	}
	if k.watching != nil && (k.watching.endpoint != c.room.Endpoint || c.retired) {
		k.watching.stop()
		k.watching = nil
		k.raise(AlarmWatch, "")
	}
	if w, ok := c.room.Endpoint.(Watcher); ok && k.watching == nil && !c.retired {
		k.watching = k.watch(ctx, c.room.Endpoint, w)
	}
}

// firstReadGrace is how long a calendar that cannot be read holds back those of
// the same room that can.
const firstReadGrace = 10 * time.Minute

// plan plans what the room shows at now. until is when that changes by itself,
// if ready; otherwise when to ask again.
func (k *keeper) plan(c config, now time.Time) (r Report, until time.Time, ready bool) {
	var events []calendar.Event
	var founds []*found
	read := 0
	until = now.Add(idle)
	for _, f := range c.feeds {
		ok, failing := f.events(c.room.Rules, func(ev calendar.Event, fd *found) {
			events = append(events, InZone(ev, c.room.timeZone()))
			founds = append(founds, fd)
		})
		switch {
		case ok:
			read++
		case failing.IsZero():
			return r, until, false // the first reading is on its way
		case c.moved: // what the device shows is wrong: it is not kept
		default:
			if failing.Before(c.since) {
				failing = c.since
			}
			if end := failing.Add(firstReadGrace); now.Before(end) {
				return r, end, false
			}
		}
	}
	if read == 0 && !c.moved {
		return r, until, false
	}
	if read == len(c.feeds) {
		k.mu.Lock()
		k.moved = k.moved && !slices.Equal(k.feeds, c.feeds)
		k.mu.Unlock()
	}
	settings := c.room.settings()
	local := now.In(c.room.timeZone())
	window := settings.Window(local)
	known := make(knownFinder, len(events))
	near := make([]calendar.Event, 0, len(events))
	until = now.Add(untilMidnight(local))
	for i := range events {
		ev := &events[i]
		if window.Overlaps(ev.Start, shownUntil(ev)) {
			near = append(near, *ev)
			known[&near[len(near)-1]] = founds[i]
			if end := shownUntil(ev).Add(time.Duration(settings.EndBuffer) * time.Minute); end.After(now) {
				until = earlier(until, end)
			}
		} else if early := ev.Start.Add(-time.Duration(settings.StartBuffer) * time.Minute); early.After(now) {
			until = earlier(until, early) // it comes before midnight
		}
	}
	err := k.svc.guard("the adapter of the device", func() error {
		r = plan(near, &settings, known, c.room.Endpoint.Dials)
		return nil
	})
	if err != nil {
		k.broken = true
		k.raise(AlarmDevice, fmt.Sprintf("The device does not show what it should: %v", err))
		return Report{}, now.Add(k.svc.opts.RetryMax), false
	}
	if k.broken {
		k.broken = false
		k.raise(AlarmDevice, "")
	}
	k.mu.Lock()
	k.status.Planned = now.UTC()
	k.status.Meetings, k.status.NoButton, k.status.Skipped = r.Meetings, r.NoButton, r.Skipped
	k.mu.Unlock()
	if sum := digestOf(r.Meetings) + fmt.Sprint(r.NoButton, r.Skipped); sum != k.planned {
		k.planned = sum
		own := r
		own.Meetings = append([]Meeting(nil), r.Meetings...)
		k.svc.opts.OnReport(c.room.Name, own)
	}
	return r, until, true
}

// knownFinder returns what was found when the calendar was read.
type knownFinder map[*calendar.Event]*found

func (k knownFinder) Find(ev *calendar.Event) (rules.Match, bool) {
	f := k[ev]
	return f.match, f.ok
}

func (k knownFinder) Why(ev *calendar.Event) string { return k[ev].why }

// notBefore is the earliest time of the next Show.
func (k *keeper) notBefore(forced, pleaded bool) time.Time {
	if !forced || k.shownAt.IsZero() {
		return k.retryAt
	}
	gap := time.Second
	if pleaded {
		// An endpoint that asks for a Show after each Show is slowed down.
		gap = min(time.Second<<min(k.restless, 20), k.svc.opts.RetryMax)
	}
	if at := k.shownAt.Add(gap); at.After(k.retryAt) {
		return at
	}
	return k.retryAt
}

// restlessAfter is how many Shows in short order, which the device has asked for,
// raise an alarm.
const restlessAfter = 6

func (k *keeper) show(ctx context.Context, c config, meetings []Meeting, sum string) {
	k.mu.Lock()
	pleaded := k.pleaded
	k.forced, k.pleaded = false, false
	k.mu.Unlock()
	now := time.Now()
	if pleaded && now.Sub(k.shownAt) < k.svc.opts.RetryMax {
		k.restless++
	} else if now.Sub(k.shownAt) >= k.svc.opts.RetryMax {
		k.restless = 0
	}
	text := ""
	if k.restless >= restlessAfter {
		text = fmt.Sprintf("The device has asked %d times in short order to be written to again. Another system may be changing its bookings.", k.restless)
	}
	k.raise(AlarmRestless, text)

	if k.state.Digest != "" && k.state.Digest != sum {
		// If the process ends while the device is being written to, the next one
		// must not believe that it shows the old meetings.
		k.state = State{}
		k.stored(k.svc.opts.Store.Save(ctx, c.room.key(), k.state))
	}
	err := k.svc.writers.do(ctx, func() error {
		sctx, cancel := context.WithTimeout(ctx, k.svc.opts.ShowTimeout)
		defer cancel()
		begun := time.Now()
		err := k.svc.guard("the adapter of the device", func() error {
			return c.room.Endpoint.Show(sctx, append([]Meeting(nil), meetings...))
		})
		k.svc.opts.OnShow(c.room.Endpoint, time.Since(begun), err)
		return err
	})
	if ctx.Err() != nil {
		return
	}
	k.shownAt = time.Now()
	log := k.svc.opts.Logger.With("room", c.room.Name)
	if err != nil {
		k.state = State{}
		k.failures++
		pause := k.svc.retry(k.failures)
		wait := retryAfter(err)
		k.asked = wait > 0
		pause = max(pause, wait)
		k.retryAt = k.shownAt.Add(pause)
		k.mu.Lock()
		k.met = k.met || !slices.ContainsFunc(outside, func(kind error) bool { return errors.Is(err, kind) })
		k.mu.Unlock()
		if text := k.failed(err, c.retired); text != "" {
			log.Warn("device does not show its meetings", "error", err, "next_try", pause.Round(time.Second).String())
		}
		return
	}
	if k.failures > 0 {
		log.Info("device answers again")
	}
	k.failures, k.retryAt, k.asked = 0, time.Time{}, false
	k.reassert = k.shownAt.Add(vary(k.svc.opts.Reassert))
	changed := k.state.Digest != sum
	k.state = State{Digest: sum, ShownAt: k.shownAt.UTC()}
	k.stored(k.svc.opts.Store.Save(ctx, c.room.key(), k.state))
	if _, fetches := c.room.Endpoint.(Caller); changed && fetches {
		log.Info("meetings are ready for the device to fetch", "meetings", len(meetings))
	} else if changed {
		log.Info("device was given its meetings", "meetings", len(meetings))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, code := range deviceAlarms {
		k.alarms.set(code, "")
	}
	k.met = true
	k.status.Error, k.status.NextTry = "", time.Time{}
	k.status.Shown, k.status.UpToDate = k.state.ShownAt, !k.forced
	if changed {
		k.status.Changed = k.status.Shown
	}
}

// outside are the errors of a device that was not reached, or is another one: it
// has got nothing.
var outside = []error{ErrUnreachable, ErrUnauthorized, ErrCertificate, ErrNotDevice}

// kinds are the alarms of the sentinel errors.
var kinds = []struct {
	err  error
	code string
}{
	{ErrUnreachable, AlarmUnreachable},
	{ErrUnauthorized, AlarmUnauthorized},
	{ErrCertificate, AlarmCertificate},
	{ErrBusy, AlarmBusy},
	{ErrRejected, AlarmRejected},
	{ErrNotDevice, AlarmNotDevice},
	{ErrForeignBookings, AlarmForeign},
	{context.DeadlineExceeded, AlarmUnreachable},
}

var deviceAlarms = []string{AlarmUnreachable, AlarmUnauthorized, AlarmCertificate, AlarmBusy, AlarmRejected, AlarmNotDevice, AlarmForeign, AlarmDevice, AlarmNotCleared}

// failed notes an error of Show. It returns the error's text if it is not that
// of the last time.
func (k *keeper) failed(err error, retired bool) string {
	code := AlarmDevice
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			code = kind.code
			break
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, other := range deviceAlarms {
		if other != code && other != AlarmNotCleared {
			k.alarms.set(other, "")
		}
	}
	k.alarms.set(code, fmt.Sprintf("The device does not show what it should: %v", err))
	if retired {
		k.alarms.set(AlarmNotCleared, fmt.Sprintf("The room was removed, and its device may still show meetings: %v. Clear it by hand, or bring it back; it is tried again until then.", err))
	}
	was := k.status.Error
	k.status.Error, k.status.NextTry, k.status.UpToDate = err.Error(), k.retryAt.UTC(), false
	if was == err.Error() {
		return ""
	}
	return err.Error()
}

func (k *keeper) raise(code, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.alarms.set(code, text)
}

// stored notes whether the store works. It is not needed to go on.
func (k *keeper) stored(err error) {
	text := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		text = fmt.Sprintf("What the device shows cannot be remembered, so it is written to more often than needed: %v", err)
	}
	k.raise(AlarmStore, text)
}

// digestOf is that of a set of meetings. Unlike the encodings of a Meeting it
// depends on passcodes.
func digestOf(meetings []Meeting) string {
	h := sha256.New()
	for i := range meetings {
		m := &meetings[i]
		fmt.Fprintf(h, "%q %q %q %q %d %d %d %d %t %d %q %q\n", m.ID, m.Title, m.Organizer.Name, m.Organizer.Email,
			m.Start.UnixNano(), m.End.UnixNano(), m.StartBuffer, m.EndBuffer, m.Private, m.Join.Scheme, m.Join.URI, m.Service)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// watching is a Watch that runs.
type watching struct {
	endpoint Endpoint
	cancel   context.CancelFunc
	done     chan struct{}
}

// stop ends the Watch and waits until it has. A nil one is stopped.
func (w *watching) stop() {
	if w != nil {
		w.cancel()
		<-w.done
	}
}

// watchWorks is after how long a Watch that has failed before counts as working.
const watchWorks = time.Minute

// watch runs Watch, again after a pause if it returns.
func (k *keeper) watch(ctx context.Context, e Endpoint, w Watcher) *watching {
	ctx, cancel := context.WithCancel(ctx)
	r := &watching{endpoint: e, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for failures := 1; ; failures++ {
			started := time.Now()
			// One that goes on for a while works again.
			works := time.AfterFunc(watchWorks, func() { k.raise(AlarmWatch, "") })
			err := k.svc.guard("the adapter of the device", func() error { return w.Watch(ctx, k.plead) })
			works.Stop()
			if ctx.Err() != nil {
				return
			}
			if time.Since(started) > k.svc.opts.RetryMax {
				failures = 1
			}
			k.raise(AlarmWatch, fmt.Sprintf("The device's own messages are not heard, so that a restart is found late: %v", err))
			select {
			case <-ctx.Done():
				return
			case <-time.After(k.svc.retry(failures)):
			}
			k.plead() // what happened in the meantime is not known
		}
	}()
	return r
}
