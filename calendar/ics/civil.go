package ics

import "time"

// Days are counted from 1970-01-01, in the proleptic Gregorian calendar.

// daysFromCivil returns the number of a date's day. The month may be beyond
// 12 or below 1.
func daysFromCivil(year, month, day int) int {
	return int(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// date returns the date of a day.
func date(days int) (year, month, day int) {
	y, m, d := time.Unix(int64(days)*86400, 0).UTC().Date()
	return y, int(m), d
}

func weekday(days int) int { return ((days+4)%7 + 7) % 7 } // 0 is Sunday

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// civilOf returns the day of a time, by the clock of its location, and the
// seconds since its midnight by that clock.
func civilOf(t time.Time) (days, seconds int) {
	_, offset := t.Zone()
	local := t.Unix() + int64(offset)
	days = int(local / 86400)
	if seconds = int(local % 86400); seconds < 0 {
		days--
		seconds += 86400
	}
	return days, seconds
}

// civil returns the instant at which the clock in loc shows a time of day.
// Where it shows it twice it is the first; where it never does, because the
// clock is put forward, the time is taken by the offset before that. So says
// RFC 5545, section 3.3.5.
func civil(days, seconds int, loc *time.Location) time.Time {
	local := int64(days)*86400 + int64(seconds)
	if loc == time.UTC {
		return time.Unix(local, 0).UTC()
	}
	y, m, d := date(days)
	t := time.Date(y, time.Month(m), d, 0, 0, seconds, 0, loc)
	_, offset := t.Zone()
	switch shown := t.Unix() + int64(offset); {
	case shown < local:
		// In a gap, and time.Date took the offset after it.
		return time.Unix(local-int64(offset), 0).In(loc)
	case shown > local:
		return t
	}
	if began, _ := t.ZoneBounds(); !began.IsZero() {
		_, before := began.Add(-1).Zone()
		if first := time.Unix(local-int64(before), 0); first.Before(began) {
			return first.In(loc)
		}
	}
	return t
}
