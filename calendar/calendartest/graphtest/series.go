package graphtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Recurrence says when a series takes place, as Graph's patternedRecurrence
// does: https://learn.microsoft.com/graph/api/resources/recurrencepattern.
type Recurrence struct {
	// Type is daily, weekly, absoluteMonthly, relativeMonthly, absoluteYearly or
	// relativeYearly.
	Type     string
	Interval int // of days, weeks, months or years; the default is 1
	// What the type needs and is zero is taken from the start of the series.
	DaysOfWeek     []time.Weekday
	FirstDayOfWeek time.Weekday
	DayOfMonth     int
	Index          string // first, second, third, fourth, last
	Month          time.Month
	// Until is the day of the last occurrence, Count the number of occurrences.
	// Without either the series has no end.
	Until time.Time
	Count int
}

var indexes = []string{"first", "second", "third", "fourth", "last"}

// complete checks the recurrence and fills in what it lacks.
func (r Recurrence) complete(start time.Time) (Recurrence, error) {
	r.DaysOfWeek = slices.Clone(r.DaysOfWeek)
	if r.Interval == 0 {
		r.Interval = 1
	}
	_, relative := strings.CutPrefix(r.Type, "relative")
	switch {
	case start.IsZero():
		return r, fmt.Errorf("graphtest: the series has no start")
	case r.Interval < 0 || r.Count < 0:
		return r, fmt.Errorf("graphtest: the interval %d or the count %d is negative", r.Interval, r.Count)
	case !slices.Contains([]string{"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"}, r.Type):
		return r, fmt.Errorf("graphtest: there is no recurrence of type %q", r.Type)
	case r.Index != "" && !slices.Contains(indexes, r.Index):
		return r, fmt.Errorf("graphtest: there is no index %q", r.Index)
	}
	if (r.Type == "weekly" || relative) && len(r.DaysOfWeek) == 0 {
		r.DaysOfWeek = []time.Weekday{start.Weekday()}
	}
	if relative && r.Index == "" {
		r.Index = indexes[min(4, (start.Day()-1)/7)]
	}
	if strings.HasPrefix(r.Type, "absolute") && r.DayOfMonth == 0 {
		r.DayOfMonth = start.Day()
	}
	if strings.HasSuffix(r.Type, "Yearly") && r.Month == 0 {
		r.Month = start.Month()
	}
	return r, nil
}

func (r Recurrence) equal(b *Recurrence) bool {
	days := slices.Equal(r.DaysOfWeek, b.DaysOfWeek)
	until := r.Until.Equal(b.Until)
	return days && until && r.Type == b.Type && r.Interval == b.Interval && r.FirstDayOfWeek == b.FirstDayOfWeek &&
		r.DayOfMonth == b.DayOfMonth && r.Index == b.Index && r.Month == b.Month && r.Count == b.Count
}

// slots lists the days of the occurrences of a series between two times: its
// own days, in the time zone of its start. Exchange has at most one a day.
func (r *Recurrence) slots(start, from, to time.Time) []string {
	loc := start.Location()
	first, low, high := date(start), date(from.In(loc)), date(to.In(loc))
	var out []string
	n := 0
	// add takes the next day; it returns false when there are no more to come.
	add := func(day time.Time) bool {
		if day.Before(first) {
			return true
		}
		if day.After(high) || !r.Until.IsZero() && day.After(date(r.Until)) || r.Count > 0 && n == r.Count {
			return false
		}
		n++
		if !day.Before(low) {
			out = append(out, day.Format(slotLayout))
		}
		return true
	}
	for k := 0; ; k++ {
		days := r.period(first, k*r.Interval)
		for _, d := range days {
			if !add(d) {
				return out
			}
		}
		// A pattern that no day fits, such as the 5th Friday of a month, still ends.
		if len(days) == 0 && first.AddDate(0, 0, k).After(high) {
			return out
		}
	}
}

// period returns the days of the k-th day, week, month or year, in order.
func (r *Recurrence) period(first time.Time, k int) []time.Time {
	switch r.Type {
	case "daily":
		return []time.Time{first.AddDate(0, 0, k)}
	case "weekly":
		week := first.AddDate(0, 0, 7*k-(int(first.Weekday())-int(r.FirstDayOfWeek)+7)%7)
		var out []time.Time
		for i := range 7 {
			if d := week.AddDate(0, 0, i); slices.Contains(r.DaysOfWeek, d.Weekday()) {
				out = append(out, d)
			}
		}
		return out
	case "absoluteMonthly":
		return []time.Time{r.absolute(first.Year(), first.Month()+time.Month(k))}
	case "relativeMonthly":
		return r.relative(first.Year(), first.Month()+time.Month(k))
	case "absoluteYearly":
		return []time.Time{r.absolute(first.Year()+k, r.Month)}
	default:
		return r.relative(first.Year()+k, r.Month)
	}
}

// absolute returns a day of a month; a month that is too short has it on its
// last day.
func (r *Recurrence) absolute(year int, month time.Month) time.Time {
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
	return time.Date(last.Year(), last.Month(), min(r.DayOfMonth, last.Day()), 0, 0, 0, 0, time.UTC)
}

// relative returns the n-th of the month's days that are one of DaysOfWeek.
func (r *Recurrence) relative(year int, month time.Month) []time.Time {
	var fit []time.Time
	begin := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	for d := begin; d.Month() == begin.Month(); d = d.AddDate(0, 0, 1) {
		if slices.Contains(r.DaysOfWeek, d.Weekday()) {
			fit = append(fit, d)
		}
	}
	i := slices.Index(indexes, r.Index)
	switch {
	case i == len(indexes)-1 && len(fit) > 0:
		return fit[len(fit)-1:]
	case i < len(fit):
		return fit[i : i+1]
	}
	return nil
}

// json is the recurrence as Graph has it.
func (r *Recurrence) json(start time.Time) map[string]any {
	days := []string{}
	for _, d := range r.DaysOfWeek {
		days = append(days, strings.ToLower(d.String()))
	}
	pattern := map[string]any{
		"type": r.Type, "interval": r.Interval, "month": int(r.Month), "dayOfMonth": r.DayOfMonth,
		"firstDayOfWeek": strings.ToLower(r.FirstDayOfWeek.String()), "index": "first",
	}
	if r.Index != "" {
		pattern["index"] = r.Index
	}
	if len(days) > 0 {
		pattern["daysOfWeek"] = days
	}
	rng := map[string]any{
		"type": "noEnd", "startDate": start.Format(time.DateOnly), "endDate": "0001-01-01",
		"recurrenceTimeZone": zoneName(start), "numberOfOccurrences": r.Count,
	}
	switch {
	case !r.Until.IsZero():
		rng["type"], rng["endDate"] = "endDate", r.Until.Format(time.DateOnly)
	case r.Count > 0:
		rng["type"] = "numbered"
	}
	return map[string]any{"pattern": pattern, "range": rng}
}

func zoneName(t time.Time) string {
	if n := t.Location().String(); n != "Local" && n != "" {
		return n
	}
	return "UTC"
}
