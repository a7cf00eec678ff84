package ics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// series are the events that have one UID.
type series struct {
	masters   []*vevent
	overrides map[moment]*vevent // by the time of the occurrence, in UTC
	// following is the first RECURRENCE-ID with RANGE=THISANDFUTURE.
	following *time.Time
}

// group finds out which events belong together and leaves out old versions.
func (c *Calendar) group() {
	all := make(map[string]*series)
	nameless := make(map[uint64]int)
	for _, v := range c.events {
		uid := v.uid
		v.key = keys.Replace(uid)
		if uid == "" {
			// Without a UID, what the event says is its name.
			nameless[v.hash]++
			v.key = fmt.Sprintf("no-uid/%016x-%d", v.hash, nameless[v.hash])
			uid = "\x00" + v.key
		}
		s := all[uid]
		if s == nil {
			s = &series{overrides: make(map[moment]*vevent)}
			all[uid] = s
		}
		v.series = s
		if !v.override() && !v.stray {
			s.masters = append(s.masters, v)
		}
	}
	for _, s := range all {
		s.choose()
	}
	for _, v := range c.events {
		if v.override() {
			v.series.inherit(v)
			v.series.replace(v)
		}
	}
}

// keys keeps a UID from looking like the ID of an occurrence.
var keys = strings.NewReplacer("%", "%25", "/", "%2F")

// newer reports whether b replaces a. The last of two equals does.
func newer(a, b *vevent) bool {
	if a.seq != b.seq {
		return b.seq > a.seq
	}
	return !b.ev.Modified.Before(a.ev.Modified)
}

// choose keeps the newest event of a UID. Some producers give the same UID to
// different events: those of the same SEQUENCE that do not recur and begin at
// another time are kept.
func (s *series) choose() {
	if len(s.masters) < 2 {
		return
	}
	seq, single := 0, true
	for _, v := range s.masters {
		seq = max(seq, v.seq)
	}
	for _, v := range s.masters {
		single = single && (v.seq < seq || v.err == nil && !v.recurs())
	}
	best := make(map[int64]*vevent)
	for _, v := range s.masters {
		if v.old = v.seq < seq; v.old {
			continue
		}
		var at int64
		if single {
			at = v.start.Unix()
			v.key += "/start-" + v.start.UTC().Format(instantFormat)
		}
		if old := best[at]; old != nil {
			if !newer(old, v) {
				v.old = true
				continue
			}
			old.old = true
		}
		best[at] = v
	}
	s.masters = slices.DeleteFunc(s.masters, func(v *vevent) bool { return v.old })
	if len(s.masters) == 1 {
		s.masters[0].key = keys.Replace(s.masters[0].uid)
	}
}

// inherit gives an event that stands in for an occurrence what its series says
// of all of them: that they are private, where it does not say itself, and that
// the series was cancelled after it was written.
func (s *series) inherit(v *vevent) {
	for _, m := range s.masters {
		if v.classless {
			v.ev.Sensitivity = max(v.ev.Sensitivity, m.ev.Sensitivity)
		}
		if m.ev.Status == calendar.Cancelled && v.seq <= m.seq {
			v.ev.Status = calendar.Cancelled
		}
	}
}

// replace notes that v stands in for an occurrence.
func (s *series) replace(v *vevent) {
	t := v.replaced()
	at := moment{Time: t.UTC(), date: t.date}
	if old := s.overrides[at]; old != nil {
		if !newer(old, v) {
			v.old = true
			return
		}
		old.old = true
	}
	s.overrides[at] = v
	if v.following && (s.following == nil || at.Before(*s.following)) {
		s.following = &at.Time
	}
}

const instantFormat = "20060102T150405Z"

// id returns the ID of the occurrence that the rules of a series put at t.
// What stands in for it has the same.
func (v *vevent) id(t moment) string {
	if t.date {
		return v.key + "/" + t.Format("20060102")
	}
	return v.key + "/" + t.UTC().Format(instantFormat)
}

// replaced returns the time of the occurrence that an override stands in for.
func (v *vevent) replaced() moment {
	if masters := v.series.masters; len(masters) == 1 && masters[0].err == nil {
		return masters[0].occurrence(*v.recurrence)
	}
	return moment{Time: v.recurrence.Time, date: v.recurrence.date}
}

// occurrence returns t in the form of the series' own start: some producers
// name an occurrence by its date alone, or an all-day one by a time.
func (v *vevent) occurrence(t moment) moment {
	t = t.in(v.start)
	switch day, _ := civilOf(t.Time); {
	case v.start.date && !t.date:
		return moment{Time: civil(day, 0, v.start.Location()), date: true}
	case !v.start.date && t.date:
		_, sec := civilOf(v.start.Time)
		return moment{Time: civil(day, sec, v.start.Location())}
	}
	return moment{Time: t.Time, date: t.date}
}

// Events returns the occurrences that overlap w, as they are in the calendar of
// a mailbox: its address decides about Response only, and may be empty. A
// Calendar is thereby a [calendar.Provider], and keeps its contract.
func (c *Calendar) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	x := expansion{c: c, mailbox: mailbox, w: w, steps: ruleSteps}
	for _, v := range c.events {
		if ctx.Err() != nil {
			return nil, &calendar.Error{Op: "read calendar", Mailbox: mailbox, Err: ctx.Err()}
		}
		if v.old || v.timeless {
			continue
		}
		if err := x.add(v); err != nil {
			x.bad = append(x.bad, v.eventError(err))
		}
		if len(x.out) > c.opts.MaxTotal {
			x.out = x.out[:c.opts.MaxTotal]
			x.bad = append(x.bad, calendar.EventError{Line: v.line, Err: fmt.Errorf("there are more than %d occurrences in the window: the rest of the calendar is left out", c.opts.MaxTotal)})
			break
		}
	}
	if c.cut != nil {
		x.bad = append(x.bad, *c.cut)
	}
	slices.SortFunc(x.out, func(a, b calendar.Event) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	if len(x.bad) > 0 {
		return x.out, &calendar.PartialError{Mailbox: mailbox, Bad: x.bad}
	}
	return x.out, nil
}

func (v *vevent) eventError(err error) calendar.EventError {
	out := calendar.EventError{UID: v.uid, Line: v.line, Err: err}
	switch {
	case v.override():
		out.ID = v.id(v.replaced())
	case !v.recurs() && v.err == nil:
		out.ID = v.key
	}
	return out
}

// expansion is one call of Events.
type expansion struct {
	c       *Calendar
	mailbox string
	w       calendar.Window
	steps   int
	answer  calendar.Response // to the event that is being added
	out     []calendar.Event
	bad     []calendar.EventError
}

// add appends the occurrences of an event.
func (x *expansion) add(v *vevent) error {
	x.answer = v.answer(x.mailbox)
	switch {
	case v.err != nil:
		return v.err
	case v.following:
		return errors.New("RECURRENCE-ID with RANGE=THISANDFUTURE is not supported: the series is left out from there on")
	case v.override():
		x.append(v, v.id(v.replaced()), v.start, v.length)
		return nil
	case v.recur != nil:
		return v.recur
	case !v.recurs():
		x.append(v, v.key, v.start, v.length)
		return nil
	}
	return x.addSeries(v)
}

// addSeries appends the occurrences of a series but for those that another
// event stands in for.
func (x *expansion) addSeries(v *vevent) error {
	from, n := len(x.out), 0
	excluded := make(map[int64]bool)
	excludedDays := make(map[int]bool)
	for _, m := range v.exdates {
		if m.date {
			day, _ := civilOf(m.Time)
			excludedDays[day] = true
		} else {
			excluded[m.Unix()] = true
		}
	}
	seen := make(map[int64]bool)
	loc := v.start.Location()
	take := func(t moment, length span) bool {
		day, _ := civilOf(t.In(loc))
		at := t.Unix()
		switch {
		case seen[at], excluded[at], excludedDays[day]:
			return true
		case v.series.following != nil && !t.Before(*v.series.following):
			return true
		case v.series.overrides[moment{Time: t.UTC(), date: t.date}] != nil:
			return true
		}
		seen[at] = true
		if x.append(v, v.id(t), t, length) {
			n++
		}
		return n <= x.c.opts.MaxOccurrences && len(x.out) <= x.c.opts.MaxTotal
	}

	startDay, sec := civilOf(v.start.Time)
	lo, _ := civilOf(x.w.From.Add(-v.length.bound()).In(loc))
	hi, _ := civilOf(x.w.To.In(loc))
	lo, hi = lo-1, hi+1
	if len(v.rules) == 0 {
		take(v.occurrence(v.start), v.length)
	}
	for _, r := range v.rules {
		done := r.days(startDay, lo, hi, &x.steps, func(day int) bool {
			t := moment{Time: civil(day, sec, loc), date: v.start.date}
			if r.until != nil && t.After(r.until.Time) {
				return false
			}
			return take(t, v.length)
		})
		if !done {
			x.out = x.out[:from]
			return errors.New("its rule, with those before it, takes too long to work out")
		}
	}
	for _, p := range v.rdates {
		length := v.length
		if p.length != nil {
			length = *p.length
		}
		if !take(v.occurrence(p.start), length) {
			break
		}
	}
	if n > x.c.opts.MaxOccurrences {
		x.out = x.out[:from]
		return fmt.Errorf("it has more than %d occurrences in the window", x.c.opts.MaxOccurrences)
	}
	return nil
}

// append adds an occurrence if it is in the window.
func (x *expansion) append(v *vevent, id string, start moment, length span) bool {
	end := length.after(start.Time)
	if !x.w.Overlaps(start.Time, end) {
		return false
	}
	ev := v.ev
	ev.ID, ev.Start, ev.End = id, start.Time, end
	ev.Response = x.answer
	v.own(&ev)
	x.out = append(x.out, ev)
	return true
}

// own completes a copy of the event that the caller may change.
func (v *vevent) own(ev *calendar.Event) {
	if v.override() || v.recurs() {
		ev.SeriesID = v.uid
	}
	ev.Links = slices.Clone(ev.Links)
	ev.Properties = maps.Clone(ev.Properties)
	h := fnv.New64a()
	fmt.Fprint(h, v.hash, ev.Start.Unix(), ev.End.Unix(), ev.Status, ev.Response)
	ev.Revision = strconv.FormatUint(h.Sum64(), 16)
}

// Series is a VEVENT as it stands in the data: a series once, and not expanded.
type Series struct {
	// Event has the times of DTSTART and DTEND, and an ID that no other of the
	// data has, unless it is an older version of the same. Where Err is set, it
	// has what could be read.
	Event calendar.Event
	// Line is where the VEVENT begins, from 1.
	Line int
	// Recurs is set for a series, and Recurrence for an event that stands in for
	// one of its occurrences: the time of that.
	Recurs     bool
	Recurrence time.Time
	// Err is a calendar.EventError, or nil. Recurrence rules that
	// [Calendar.Events] cannot expand are none here.
	Err error
}

// Series returns the events of the calendar, one for each VEVENT, in the order
// of the data, with the Response of a mailbox, which may be empty.
func (c *Calendar) Series(mailbox string) []Series {
	out := make([]Series, 0, len(c.events))
	for _, v := range c.events {
		s := Series{Event: v.ev, Line: v.line, Recurs: !v.override() && v.recurs()}
		s.Event.ID = v.key
		if v.override() {
			s.Recurrence = v.recurrence.Time
			s.Event.ID = v.id(v.replaced())
		}
		s.Event.Response = v.answer(mailbox)
		v.own(&s.Event)
		if v.err != nil {
			s.Err = v.eventError(v.err)
		}
		out = append(out, s)
	}
	return out
}
