package ics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	ical "github.com/emersion/go-ical"

	"github.com/onetouchjoin/onetouchjoin/internal/timezone"
)

// zoneTable finds the zones of one VCALENDAR: by name first, then by the
// VTIMEZONE of that TZID, then by what the name says about an offset.
type zoneTable struct {
	defined map[string]*ical.Component
	found   map[string]zoneResult
	steps   int // of work done on rules
}

type zoneResult struct {
	loc *time.Location
	err error
}

func (z *zoneTable) zone(tzid string) (*time.Location, error) {
	if r, ok := z.found[tzid]; ok {
		return r.loc, r.err
	}
	if len(z.found) >= maxZones {
		return nil, fmt.Errorf("time zone %s: the calendar has more than %d", quote(tzid), maxZones)
	}
	loc, err := z.resolve(tzid)
	if z.found == nil {
		z.found = make(map[string]zoneResult)
	}
	z.found[tzid] = zoneResult{loc, err}
	return loc, err
}

func (z *zoneTable) resolve(tzid string) (*time.Location, error) {
	if loc, ok := timezone.Named(tzid); ok {
		return loc, nil
	}
	var bad error
	if comp, ok := z.defined[strings.TrimSpace(tzid)]; ok {
		left := zoneSteps - z.steps
		loc, err := location(tzid, comp, &left)
		z.steps = zoneSteps - left
		if err == nil {
			return loc, nil
		}
		bad = fmt.Errorf("VTIMEZONE %s: %w", quote(tzid), err)
	}
	if loc, ok := timezone.Guess(tzid); ok {
		return loc, nil
	}
	if bad != nil {
		return nil, bad
	}
	return nil, fmt.Errorf("unknown time zone %s, and no VTIMEZONE defines it", quote(tzid))
}

// transition is a moment from which on a clock has another offset from UTC.
type transition struct {
	at       int64 // Unix seconds
	from, to int   // seconds east of UTC
	summer   bool
}

// The rules of a VTIMEZONE are written out for these years. Exchange lets them
// begin in 1601; what is before the first year is of no interest to a room.
const firstYear, lastYear = 1970, 2100

// location builds a time.Location from the rules of a VTIMEZONE (RFC 5545,
// section 3.6.5), such as those of Exchange's "Customized Time Zone".
func location(name string, comp *ical.Component, steps *int) (*time.Location, error) {
	var ts []transition
	for _, child := range comp.Children {
		if child.Name != ical.CompTimezoneStandard && child.Name != ical.CompTimezoneDaylight {
			continue
		}
		from, ok1 := utcOffset(rawValue(child.Props, ical.PropTimezoneOffsetFrom))
		to, ok2 := utcOffset(rawValue(child.Props, ical.PropTimezoneOffsetTo))
		if !ok2 {
			return nil, errors.New("an observance without a valid TZOFFSETTO")
		}
		if !ok1 {
			from = to
		}
		start, err := parseMoment(rawValue(child.Props, ical.PropDateTimeStart), "", nil, time.UTC)
		if err != nil {
			return nil, fmt.Errorf("DTSTART: %w", err)
		}
		add := func(local time.Time) {
			ts = append(ts, transition{local.Unix() - int64(from), from, to, child.Name == ical.CompTimezoneDaylight})
		}
		day, sec := civilOf(start.Time)
		add(civil(day, sec, time.UTC))
		for _, p := range child.Props.Values(ical.PropRecurrenceRule) {
			r, err := parseRule(p.Value, start, nil)
			if err != nil {
				return nil, err
			}
			if r.until != nil && r.until.utc {
				r.until.Time = r.until.Add(time.Duration(from) * time.Second) // compared by the clock
			}
			lo, hi := max(day+1, daysFromCivil(firstYear, 1, 1)), daysFromCivil(lastYear, 12, 31)
			if !r.days(day, lo, hi, steps, func(d int) bool {
				t := civil(d, sec, time.UTC)
				if r.until != nil && t.After(r.until.Time) {
					return false
				}
				add(t)
				return true
			}) {
				return nil, errors.New("its rules, with those of the zones before it, take too long to work out")
			}
		}
		for _, p := range child.Props.Values(ical.PropRecurrenceDates) {
			for v := range strings.SplitSeq(p.Value, ",") {
				m, err := parseMoment(v, "", nil, time.UTC)
				if err != nil {
					return nil, fmt.Errorf("RDATE: %w", err)
				}
				add(m.Time)
			}
		}
	}
	if len(ts) == 0 {
		return nil, errors.New("no STANDARD or DAYLIGHT in it")
	}
	slices.SortStableFunc(ts, func(a, b transition) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return build(name, ts)
}

// build makes a location by way of the TZif format (RFC 8536): it is the way
// that package time offers.
func build(name string, ts []transition) (*time.Location, error) {
	type kind struct {
		offset int
		summer bool
	}
	// What holds before the first transition. A zone with a single observance
	// has always been so.
	initial := ts[0].from
	if !slices.ContainsFunc(ts, func(t transition) bool { return t.to != ts[0].to }) {
		initial = ts[0].to
	}
	kinds := []kind{{initial, false}}
	var times, index []byte
	last := int64(math.MinInt64)
	n := 0
	for _, t := range ts {
		if t.at == last {
			continue
		}
		last = t.at
		k := kind{t.to, t.summer}
		i := slices.Index(kinds[1:], k) + 1
		if i == 0 {
			if len(kinds) == 255 {
				return nil, errors.New("too many offsets")
			}
			i = len(kinds)
			kinds = append(kinds, k)
		}
		times = binary.BigEndian.AppendUint64(times, uint64(t.at))
		index = append(index, byte(i))
		n++
	}
	head := func(b []byte, times, kinds, chars int) []byte {
		b = append(b, "TZif2"...)
		b = append(b, make([]byte, 15)...)
		for _, n := range []int{0, 0, 0, times, kinds, chars} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		return b
	}
	b := head(nil, 0, 0, 0)
	b = head(b, n, len(kinds), 1)
	b = append(append(b, times...), index...)
	for _, k := range kinds {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(k.offset)))
		summer := byte(0)
		if k.summer {
			summer = 1
		}
		b = append(b, summer, 0)
	}
	b = append(b, 0) // one empty abbreviation
	return time.LoadLocationFromTZData(name, b)
}

func rawValue(props ical.Props, name string) string {
	if p := props.Get(name); p != nil {
		return strings.TrimSpace(p.Value)
	}
	return ""
}
