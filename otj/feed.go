package otj

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// feed reads one calendar for all rooms that have it.
type feed struct {
	svc  *Service
	src  Source
	stop context.CancelFunc // nil unless it runs
	wake chan struct{}      // buffered; a token asks for a reading

	mu       sync.Mutex
	rooms    []*Room         // that have the calendar
	engines  []*rules.Engine // theirs
	subs     []*keeper
	notifier *notifier // nil if the provider is none

	entries map[string]*entry // by event ID; nil before the first reading
	token   string            // of the Syncer
	window  calendar.Window   // of the last reading
	status  SourceStatus
	alarms  alarms
	failing time.Time // since when every reading has failed
	told    time.Time // when the provider last told of a change
	untold  time.Time // when a change was made that it has not told of
}

// entry is an event that was read and what the engines found in it. The body
// and the properties are not kept: nobody needs them any more.
type entry struct {
	ev     calendar.Event
	digest uint64
	found  map[*rules.Engine]*found
}

// known is what an engine has found, or another one if it never saw the event.
func (en *entry) known(e *rules.Engine) *found {
	if r := en.found[e]; r != nil {
		return r
	}
	for _, r := range en.found {
		return r
	}
	return &found{}
}

// found is what an engine has found in an event, or why it has not.
type found struct {
	match rules.Match
	ok    bool
	why   string
}

var digestSeed = maphash.MakeSeed()

// digest changes when an event does.
func digest(ev *calendar.Event) uint64 {
	var h maphash.Hash
	h.SetSeed(digestSeed)
	e := *ev
	e.Body = calendar.Body{}
	fmt.Fprintf(&h, "%q", []any{e.ID, e.UID, e.SeriesID, e.Subject, e.Organizer, e.Location, e.Properties, e.Revision})
	fmt.Fprint(&h, e.Start.UnixNano(), e.End.UnixNano(), e.AllDay, e.Status, e.Response, e.Sensitivity, e.Modified.UnixNano())
	for _, l := range e.Links {
		fmt.Fprintf(&h, "%q %q %q %q", l.URI, l.Source, l.MeetingID, string(l.Passcode))
	}
	h.WriteString(ev.Body.Plain)
	h.WriteByte(0)
	h.WriteString(ev.Body.HTML)
	return h.Sum64()
}

// snapshot returns the status and a copy of the alarms.
func (f *feed) snapshot() (SourceStatus, alarms) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.status
	st.Notified = f.hears()
	return st, maps.Clone(f.alarms)
}

// hears reports whether the provider tells of changes of this calendar, and
// raises or ends the alarm about that. f.mu is held.
func (f *feed) hears() bool {
	if f.notifier == nil {
		return false
	}
	ok, why := f.notifier.hears(f.src.Mailbox)
	if ok && !f.untold.IsZero() {
		ok, why = false, fmt.Sprintf("Polled as if there were no notifications: of a change at %s the calendar system has not told. Check that its notifications reach this server.", f.untold.UTC().Format(time.RFC3339))
	}
	f.alarms.set(AlarmNotify, why)
	return ok
}

// tellWithin is how long a provider may take to tell of a change. Microsoft Graph
// has been seen to need three minutes.
const tellWithin = 5 * time.Minute

// tell takes note that the provider tells of a change.
func (f *feed) tell() {
	f.mu.Lock()
	f.told, f.untold = time.Now(), time.Time{}
	f.mu.Unlock()
	f.ask()
}

// miss takes note of a change that was found by polling, if the provider should
// have told of it since the last reading. f.mu is held.
func (f *feed) miss(ev *calendar.Event) {
	if at := ev.Modified; at.After(f.status.LastRead) && at.After(f.told) && time.Since(at) > tellWithin && f.notifier != nil {
		f.untold = at
	}
}

// events returns what is known of the calendar, for an engine: ok is false
// before the first reading with it. failing is since when the calendar, of which
// nothing is known yet, cannot be read.
func (f *feed) events(e *rules.Engine, add func(calendar.Event, *found)) (ok bool, failing time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.entries == nil {
		return false, f.failing
	}
	// While the calendar cannot be read, what other rules have found is better
	// than nothing.
	if f.failing.IsZero() {
		for _, en := range f.entries {
			if en.found[e] == nil {
				return false, time.Time{}
			}
		}
	}
	for _, en := range f.entries {
		add(en.ev, en.known(e))
	}
	return true, time.Time{}
}

// ask asks for a reading soon.
func (f *feed) ask() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// readGap is the least time between two readings of a calendar, however often
// its provider says that it has changed.
const readGap = time.Second

func (f *feed) run(ctx context.Context) {
	failures := 0
	var earliest time.Time // no reading before, whoever asks
	for {
		var pause time.Duration
		err := f.svc.readers.do(ctx, func() error {
			begun := time.Now()
			err := f.read(ctx)
			f.svc.opts.OnRead(f.src.Provider, time.Since(begun), err)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		var partial *calendar.PartialError
		if err == nil || errors.As(err, &partial) {
			failures = 0
			pause = f.interval()
			earliest = time.Now().Add(readGap)
		} else {
			failures++
			pause = max(f.svc.retry(failures), min(f.interval(), f.svc.opts.RetryMax))
			if wait := retryAfter(err); wait > 0 {
				pause = max(pause, wait)
				earliest = time.Now().Add(wait)
			} else {
				earliest = time.Now().Add(min(f.svc.opts.RetryMin, readGap))
			}
		}
		// A new day has other days ahead.
		pause = min(pause, f.untilNewDay())
		pause = max(pause, time.Until(earliest))
		f.mu.Lock()
		f.status.NextRead = time.Now().UTC().Add(pause)
		f.mu.Unlock()
		if !f.wait(ctx, pause, earliest) {
			return
		}
	}
}

// wait waits for d, or until somebody asks, but not less than until earliest.
// It returns false when ctx is done.
func (f *feed) wait(ctx context.Context, d time.Duration, earliest time.Time) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	due := time.Now().Add(d)
	health := f.notifier.changes()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-health:
			// The provider no longer tells of changes, or does so again.
			health = f.notifier.changes()
			if at := time.Now().Add(f.interval()); at.Before(due) {
				due = at
				timer.Reset(time.Until(due))
			}
		case <-f.wake:
			due = time.Now().Add(max(0, time.Until(earliest)))
			timer.Reset(time.Until(due))
		}
	}
}

// interval is the pause after a reading that succeeded.
func (f *feed) interval() time.Duration {
	o := &f.svc.opts
	d := o.Poll
	if o.PollOf != nil {
		if p := o.PollOf(f.src.Provider); p > 0 {
			d = p
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hears() {
		d = max(d, o.SafetyPoll)
	}
	return vary(d)
}

// vary changes d by up to a tenth.
func vary(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)/5*float64(d))
}

func retryAfter(err error) time.Duration {
	var ce *calendar.Error
	if errors.As(err, &ce) {
		return ce.RetryAfter
	}
	var ee *EndpointError
	if errors.As(err, &ee) {
		return ee.RetryAfter
	}
	return 0
}

// readWindow is what all rooms of the feed need together. It stays the same for
// a day, as sync tokens want it. f.mu is held.
func (f *feed) readWindow(now time.Time) calendar.Window {
	var w calendar.Window
	for i, r := range f.rooms {
		s := r.settings()
		local := now.In(r.timeZone())
		y, m, d := local.Date()
		from := time.Date(y, m, d, 0, 0, 0, 0, local.Location()).Add(-maxBuffer * time.Minute)
		// Tomorrow in any case, for a calendar that cannot be read when it begins;
		// and what can be joined before midnight and begins after it.
		to := dayAfter(local, max(s.DaysAhead, 1)).Add(time.Duration(s.StartBuffer)*time.Minute + time.Minute)
		if i == 0 || from.Before(w.From) {
			w.From = from
		}
		if i == 0 || to.After(w.To) {
			w.To = to
		}
	}
	return calendar.Window{From: w.From.UTC(), To: w.To.UTC()}
}

func (f *feed) untilNewDay() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := 24 * time.Hour
	for _, r := range f.rooms {
		out = min(out, untilMidnight(time.Now().In(r.timeZone())))
	}
	// Not all of them in the first second of the day.
	return out + time.Duration(rand.Float64()*float64(min(f.svc.opts.Poll, time.Minute)))
}

func untilMidnight(now time.Time) time.Duration {
	return max(dayAfter(now, 0).Sub(now), time.Second)
}

// read reads the calendar once and tells the rooms if it has changed.
func (f *feed) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.svc.opts.ReadTimeout)
	defer cancel()
	select { // what was asked for before is answered by this reading
	case <-f.wake:
	default:
	}
	f.mu.Lock()
	w := f.readWindow(time.Now())
	f.mu.Unlock()
	var delta calendar.Delta
	err := f.svc.guard("the calendar's provider", func() (err error) {
		delta, err = f.fetch(ctx, w)
		return err
	})
	var partial *calendar.PartialError
	f.mu.Lock()
	was := f.status.Error
	if err != nil && !errors.As(err, &partial) {
		f.status.Error = err.Error()
		f.alarms.set(AlarmCalendar, fmt.Sprintf("The calendar cannot be read: %v", err))
		if f.failing.IsZero() {
			f.failing = time.Now()
		}
		subs := slices.Clone(f.subs)
		unknown := f.entries == nil || f.lacks()
		f.mu.Unlock()
		if was != err.Error() {
			f.svc.opts.Logger.Warn("calendar cannot be read", "mailbox", f.src.Mailbox, "error", err)
		}
		if unknown {
			wakeAll(subs)
		}
		return err
	}
	changed, bad := f.update(delta, partial, w)
	if len(bad) > 0 {
		if partial != nil {
			bad = append(slices.Clone(partial.Bad), bad...)
		}
		partial = &calendar.PartialError{Mailbox: f.src.Mailbox, Bad: bad}
	}
	f.status.LastRead = time.Now().UTC()
	f.status.Events = len(f.entries)
	f.status.Error = ""
	f.failing = time.Time{}
	f.alarms.set(AlarmCalendar, "")
	text := ""
	if partial != nil {
		text = fmt.Sprintf("Some events cannot be read, and keep what they were: %v", partial)
		f.status.Error = partial.Error()
	}
	f.alarms.set(AlarmEvents, text)
	is := f.status.Error
	subs := slices.Clone(f.subs)
	f.mu.Unlock()
	switch {
	case partial != nil && is != was:
		f.svc.opts.Logger.Warn("events cannot be read", "mailbox", f.src.Mailbox, "error", partial)
	case partial == nil && was != "":
		f.svc.opts.Logger.Info("calendar can be read again", "mailbox", f.src.Mailbox)
	}
	if changed {
		wakeAll(subs)
	}
	return err
}

func wakeAll(ks []*keeper) {
	for _, k := range ks {
		k.ask()
	}
}

// fetch reads all events, or the changes since the last reading.
func (f *feed) fetch(ctx context.Context, w calendar.Window) (calendar.Delta, error) {
	syncer, ok := f.src.Provider.(calendar.Syncer)
	if !ok || !f.svc.opts.Sync {
		events, err := f.src.Provider.Events(ctx, f.src.Mailbox, w)
		return calendar.Delta{Changed: events, Full: true}, err
	}
	f.mu.Lock()
	token := f.token
	if f.window != w || f.lacks() {
		token = ""
	}
	f.mu.Unlock()
	delta, err := syncer.Sync(ctx, f.src.Mailbox, w, token)
	if token != "" && errors.Is(err, calendar.ErrTokenExpired) {
		delta, err = syncer.Sync(ctx, f.src.Mailbox, w, "")
	}
	return delta, err
}

// lacks reports whether an engine has not seen all events: a body that it would
// need is no longer there. f.mu is held.
func (f *feed) lacks() bool {
	for _, en := range f.entries {
		for _, e := range f.engines {
			if en.found[e] == nil {
				return true
			}
		}
	}
	return false
}

// update takes what was read into f.entries, and reports whether anything is
// different, and which events broke the rules: they stay what they were. f.mu is
// held.
func (f *feed) update(delta calendar.Delta, partial *calendar.PartialError, w calendar.Window) (changed bool, bad []calendar.EventError) {
	old := f.entries
	next := make(map[string]*entry, len(delta.Changed))
	if !delta.Full {
		maps.Copy(next, old)
		for _, id := range delta.Removed {
			delete(next, id)
		}
		for id, en := range next {
			if !w.Overlaps(en.ev.Start, en.ev.End) {
				delete(next, id)
			}
		}
	}
	for i := range delta.Changed {
		ev := &delta.Changed[i]
		err := f.svc.guard("the rules engine", func() error {
			next[ev.ID] = f.entry(ev, old[ev.ID])
			return nil
		})
		if err != nil {
			bad = append(bad, calendar.EventError{ID: ev.ID, UID: ev.UID, Err: err})
			if en := old[ev.ID]; en != nil {
				next[ev.ID] = f.keep(en)
			}
		}
	}
	if partial != nil {
		// An event that broke stays what it was.
		for _, bad := range partial.Bad {
			for id, en := range old {
				if next[id] == nil && w.Overlaps(en.ev.Start, en.ev.End) && (bad.ID == id || bad.ID == "" && bad.UID != "" && bad.UID == en.ev.UID) {
					next[id] = f.keep(en)
				}
			}
		}
	}
	same := f.window == w
	f.token, f.window = delta.Token, w
	changed = old == nil || len(old) != len(next)
	for id, en := range next {
		if was := old[id]; was != en {
			changed = true
			if same && (was == nil || was.digest != en.digest) {
				f.miss(&en.ev)
			}
		}
	}
	f.entries = next
	return changed, bad
}

// keep returns the entry of an event that can no longer be read. An engine that
// never saw it takes what another has found. f.mu is held.
func (f *feed) keep(en *entry) *entry {
	out := en
	for _, e := range f.engines {
		if out.found[e] != nil {
			continue
		}
		if out == en {
			out = &entry{ev: en.ev, digest: en.digest, found: maps.Clone(en.found)}
		}
		out.found[e] = en.known(e)
	}
	return out
}

// entry makes the entry of an event, or returns the one that there is if it is
// the same. f.mu is held.
func (f *feed) entry(ev *calendar.Event, old *entry) *entry {
	sum := digest(ev)
	if old != nil && old.digest == sum && !slices.ContainsFunc(f.engines, func(e *rules.Engine) bool { return old.found[e] == nil }) {
		return old
	}
	en := &entry{digest: sum, found: make(map[*rules.Engine]*found, len(f.engines))}
	for _, e := range f.engines {
		r := &found{}
		if r.match, r.ok = e.Find(ev); !r.ok {
			r.why = e.Why(ev)
		}
		en.found[e] = r
	}
	en.ev = *ev
	en.ev.Body, en.ev.Properties, en.ev.Links = calendar.Body{}, nil, nil
	return en
}
