package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

type frequency uint8

const (
	daily frequency = iota
	weekly
	monthly
	yearly
)

// rule is a recurrence rule (RFC 5545, section 3.3.10) of whole days: the time
// of day is that of DTSTART.
type rule struct {
	freq       frequency
	interval   int
	count      int // 0 means no end by number
	until      *moment
	byDay      []weekdayNum
	byMonthDay []int  // -31 to 31
	byMonth    uint16 // bit 1 is January; 0 means every month
	bySetPos   []int
	weekStart  int
}

type weekdayNum struct {
	n   int // 0 means every
	day int
}

var weekdays = map[string]int{"SU": 0, "MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6}

// parseRule reads an RRULE. The zone and start are those of DTSTART.
func parseRule(value string, start moment, zone zoneOf) (*rule, error) {
	r := &rule{interval: 1, weekStart: 1}
	hasFreq := false
	bad := func(format string, args ...any) error {
		return fmt.Errorf("RRULE %s: %s", quote(value), fmt.Sprintf(format, args...))
	}
	for part := range strings.SplitSeq(strings.ToUpper(value), ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		key, v, ok := strings.Cut(part, "=")
		if !ok {
			return nil, bad("%s has no value", quote(part))
		}
		key, v = strings.TrimSpace(key), strings.TrimSpace(v)
		var err error
		switch key {
		case "FREQ":
			hasFreq = true
			switch v {
			case "DAILY":
				r.freq = daily
			case "WEEKLY":
				r.freq = weekly
			case "MONTHLY":
				r.freq = monthly
			case "YEARLY":
				r.freq = yearly
			case "HOURLY", "MINUTELY", "SECONDLY":
				return nil, bad("FREQ=%s is not supported", cut(v))
			default:
				return nil, bad("FREQ=%s is unknown", cut(v))
			}
		case "INTERVAL":
			if r.interval, err = number(v, 1, 1_000_000); err != nil {
				return nil, bad("INTERVAL: %v", err)
			}
		case "COUNT":
			if r.count, err = number(v, 1, 1<<40); err != nil {
				return nil, bad("COUNT: %v", err)
			}
		case "UNTIL":
			u, err := parseMoment(v, "", zone, start.Location())
			if err != nil {
				return nil, bad("UNTIL: %v", err)
			}
			if u.date && !start.date {
				// The whole of that day is meant.
				day, _ := civilOf(u.Time)
				u.Time = civil(day+1, 0, start.Location()).Add(-time.Nanosecond)
			}
			r.until = &u
		case "BYDAY":
			for d := range strings.SplitSeq(v, ",") {
				w, err := parseWeekday(strings.TrimSpace(d))
				if err != nil {
					return nil, bad("BYDAY: %v", err)
				}
				if !slices.Contains(r.byDay, w) {
					r.byDay = append(r.byDay, w)
				}
			}
		case "BYMONTHDAY":
			if r.byMonthDay, err = numbers(v, 31); err != nil {
				return nil, bad("BYMONTHDAY: %v", err)
			}
		case "BYMONTH":
			months, err := numbers(v, 12)
			if err != nil {
				return nil, bad("BYMONTH: %v", err)
			}
			for _, m := range months {
				if m < 0 {
					return nil, bad("BYMONTH: %d is no month", m)
				}
				r.byMonth |= 1 << m
			}
		case "BYSETPOS":
			if r.bySetPos, err = numbers(v, 366); err != nil {
				return nil, bad("BYSETPOS: %v", err)
			}
		case "WKST":
			day, ok := weekdays[v]
			if !ok {
				return nil, bad("WKST: %s is no day", quote(v))
			}
			r.weekStart = day
		case "BYHOUR", "BYMINUTE", "BYSECOND":
			// Producers repeat the time of DTSTART here. Another time would add
			// occurrences within a day.
			_, sec := civilOf(start.Time)
			same := map[string]int{"BYHOUR": sec / 3600, "BYMINUTE": sec / 60 % 60, "BYSECOND": sec % 60}[key]
			if n, err := strconv.Atoi(v); err != nil || n != same {
				return nil, bad("%s=%s is not supported unless it repeats the time of DTSTART", key, cut(v))
			}
		case "RSCALE":
			if v != "GREGORIAN" {
				return nil, bad("RSCALE=%s is not supported", cut(v))
			}
		case "SKIP":
			if v != "OMIT" {
				return nil, bad("SKIP=%s is not supported", cut(v))
			}
		case "BYYEARDAY", "BYWEEKNO", "BYEASTER":
			return nil, bad("%s is not supported", key)
		default:
			if !strings.HasPrefix(key, "X-") {
				return nil, bad("%s is unknown", cut(key))
			}
		}
	}
	if !hasFreq {
		return nil, bad("FREQ is missing")
	}
	for _, d := range r.byDay {
		// RFC 5545 allows an ordinal with MONTHLY and YEARLY only.
		if d.n != 0 && (r.freq == daily || r.freq == weekly) {
			return nil, bad("BYDAY with a number needs FREQ=MONTHLY or YEARLY")
		}
	}
	return r, nil
}

func number(s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) && n > 0 {
		n, err = hi, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not a number", quote(s))
	}
	if n < lo {
		return 0, fmt.Errorf("%d is below %d", n, lo)
	}
	return min(n, hi), nil
}

// numbers reads a list of numbers from -limit to limit without 0.
func numbers(s string, limit int) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n == 0 || n < -limit || n > limit {
			return nil, fmt.Errorf("%s is not a number from 1 to %d", quote(part), limit)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func parseWeekday(s string) (weekdayNum, error) {
	if len(s) < 2 {
		return weekdayNum{}, fmt.Errorf("%s is no day", quote(s))
	}
	day, ok := weekdays[s[len(s)-2:]]
	if !ok {
		return weekdayNum{}, fmt.Errorf("%s is no day", quote(s))
	}
	w := weekdayNum{day: day}
	if ord := s[:len(s)-2]; ord != "" {
		n, err := strconv.Atoi(ord)
		if err != nil || n == 0 || n < -53 || n > 53 {
			return weekdayNum{}, fmt.Errorf("%s is no day", quote(s))
		}
		w.n = n
	}
	return w, nil
}

// lastDay is the last that can be reached: 9999-12-31.
var lastDay = daysFromCivil(9999, 12, 31)

// days calls yield with the days of the rule that are in lo to hi, in order,
// until it returns false. The first day of the rule is start, whether it fits
// the rest of the rule or not. It goes at once to lo where COUNT does not ask
// for the days before to be counted. The work is paid from steps; it returns
// false when they are used up.
func (r *rule) days(start, lo, hi int, steps *int, yield func(day int) bool) bool {
	hi = min(hi, lastDay)
	if r.until != nil {
		day, _ := civilOf(r.until.Time)
		hi = min(hi, day+2) // two zones may be a day apart; the caller compares the instants
	}
	if hi < start {
		return true
	}
	left := r.count
	emit := func(day int) bool {
		if r.count > 0 {
			if left == 0 {
				return false
			}
			left--
		}
		if day > hi {
			return false
		}
		return day < lo || yield(day)
	}
	if (r.count > 0 || start >= lo) && !emit(start) {
		return true
	}

	first := 0
	if r.count == 0 && lo > start {
		first = max(0, r.period(start, lo)-1)
	} else if r.count > 0 && r.plainDaily() && lo > start {
		// Each period has one day: the number of those before lo is known.
		first = max(1, (lo-start)/r.interval)
		left -= first - 1
		if left <= 0 {
			return true
		}
	}
	cost := 1
	if len(r.byDay) > 0 && r.freq == monthly {
		cost = 31 * len(r.byDay)
	} else if len(r.byDay) > 0 && r.freq == yearly {
		cost = 366 * len(r.byDay)
	}
	var set []int
	for k := first; ; k++ {
		if *steps -= cost; *steps < 0 {
			return false
		}
		var begin int
		if set, begin = r.expand(set[:0], start, k); begin > hi {
			return true
		}
		if len(r.bySetPos) > 0 {
			set = r.positions(set)
		}
		for _, day := range set {
			if day > start && !emit(day) {
				return true
			}
		}
	}
}

func (r *rule) plainDaily() bool {
	return r.freq == daily && len(r.byDay) == 0 && len(r.byMonthDay) == 0 && r.byMonth == 0 && len(r.bySetPos) == 0
}

// period returns the number of the period, counted from that of start, in which
// a day lies or after which it comes.
func (r *rule) period(start, day int) int {
	sy, sm, _ := date(start)
	y, m, _ := date(day)
	switch r.freq {
	case daily:
		return (day - start) / r.interval
	case weekly:
		return (day - r.weekOf(start)) / (7 * r.interval)
	case monthly:
		return ((y*12 + m) - (sy*12 + sm)) / r.interval
	default:
		return (y - sy) / r.interval
	}
}

func (r *rule) weekOf(day int) int { return day - (weekday(day)-r.weekStart+7)%7 }

// expand appends the days of period k to set, in order, and returns the day
// that the period begins with.
func (r *rule) expand(set []int, start, k int) (days []int, begin int) {
	sy, sm, sd := date(start)
	switch r.freq {
	case daily:
		day := start + k*r.interval
		if r.fits(day) {
			set = append(set, day)
		}
		return set, day

	case weekly:
		begin = r.weekOf(start) + 7*k*r.interval
		for day := begin; day < begin+7; day++ {
			if len(r.byDay) == 0 && weekday(day) != weekday(start) {
				continue
			}
			if r.fits(day) {
				set = append(set, day)
			}
		}
		return set, begin

	case monthly:
		m := sy*12 + sm - 1 + k*r.interval
		year, month := m/12, m%12+1
		begin = daysFromCivil(year, month, 1)
		if r.inMonth(month) {
			set = r.month(set, year, month, begin, sd)
		}
		return set, begin
	}

	year := sy + k*r.interval
	begin = daysFromCivil(year, 1, 1)
	if len(r.byDay) > 0 && len(r.byMonthDay) == 0 && r.byMonth == 0 {
		return r.weekdays(set, begin, daysFromCivil(year+1, 1, 1)-begin), begin
	}
	for month := 1; month <= 12; month++ {
		switch {
		case !r.inMonth(month):
		case r.byMonth == 0 && len(r.byMonthDay) == 0 && month != sm:
		default:
			set = r.month(set, year, month, daysFromCivil(year, month, 1), sd)
		}
	}
	return set, begin
}

func (r *rule) inMonth(month int) bool { return r.byMonth == 0 || r.byMonth&(1<<month) != 0 }

// fits is the filter of rules by day and week.
func (r *rule) fits(day int) bool {
	if r.byMonth != 0 || len(r.byMonthDay) > 0 {
		year, month, d := date(day)
		if !r.inMonth(month) {
			return false
		}
		if len(r.byMonthDay) > 0 && !slices.Contains(r.byMonthDay, d) && !slices.Contains(r.byMonthDay, d-daysIn(year, month)-1) {
			return false
		}
	}
	return len(r.byDay) == 0 || slices.ContainsFunc(r.byDay, func(w weekdayNum) bool { return w.day == weekday(day) })
}

// month appends the days of a month, which begins with day first. The start of
// the series is on day sd of its month.
func (r *rule) month(set []int, year, month, first, sd int) []int {
	n := daysIn(year, month)
	switch {
	case len(r.byMonthDay) > 0:
		from := len(set)
		for _, d := range r.byMonthDay {
			if d < 0 {
				d += n + 1
			}
			if d < 1 || d > n {
				continue
			}
			day := first + d - 1
			if len(r.byDay) == 0 || slices.ContainsFunc(r.byDay, func(w weekdayNum) bool { return w.is(day, first, n) }) {
				set = append(set, day)
			}
		}
		slices.Sort(set[from:])
		return slices.Compact(set)
	case len(r.byDay) > 0:
		return r.weekdays(set, first, n)
	case sd <= n:
		return append(set, first+sd-1)
	}
	return set
}

// weekdays appends the days of BYDAY among the n days from first on.
func (r *rule) weekdays(set []int, first, n int) []int {
	for day := first; day < first+n; day++ {
		if slices.ContainsFunc(r.byDay, func(w weekdayNum) bool { return w.is(day, first, n) }) {
			set = append(set, day)
		}
	}
	return set
}

// is reports whether a day is the weekday that w names among the n days from
// first on.
func (w weekdayNum) is(day, first, n int) bool {
	if weekday(day) != w.day {
		return false
	}
	switch {
	case w.n > 0:
		return (day-first)/7 == w.n-1
	case w.n < 0:
		return (first+n-1-day)/7 == -w.n-1
	}
	return true
}

// positions returns the days of a period that BYSETPOS selects.
func (r *rule) positions(set []int) []int {
	var out []int
	for _, p := range r.bySetPos {
		if p < 0 {
			p += len(set) + 1
		}
		if p >= 1 && p <= len(set) {
			out = append(out, set[p-1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
