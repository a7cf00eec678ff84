package graphtest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Churn makes one change to the calendar, chosen at random: a meeting or series
// is added, moved, edited, cancelled, deleted or shortened, or one occurrence is.
// Meetings begin up to half the length of the window before it and after it.
func (m *Mailbox) Churn(random *rand.Rand, w calendar.Window) error {
	span := w.To.Sub(w.From)
	start := w.From.Add(time.Duration(random.Int64N(int64(2*span))) - span/2).Truncate(5 * time.Minute)
	subject := fmt.Sprint("Meeting ", random.IntN(1_000_000))
	ev := Event{Subject: subject, Start: start, End: start.Add(time.Duration(1+random.IntN(12)) * 10 * time.Minute), HTML: "<p>" + subject + "</p>"}
	all := m.View(calendar.Window{From: w.From.Add(-span), To: w.To.Add(span)})
	switch k := random.IntN(8); {
	case k == 0 || len(all) == 0:
		m.AddSingle(ev)
		return nil
	case k == 1:
		r := Recurrence{Type: "daily", Interval: 1 + random.IntN(3), Count: 1 + random.IntN(10)}
		if random.IntN(3) == 0 {
			r = Recurrence{Type: "weekly", DaysOfWeek: []time.Weekday{start.Weekday(), time.Weekday(random.IntN(7))}, Count: 1 + random.IntN(6)}
		}
		_, err := m.AddSeries(ev, r)
		return err
	default:
		i := all[random.IntN(len(all))]
		id := i.ID
		if random.IntN(3) == 0 {
			id = cmp.Or(i.SeriesID, id)
		}
		switch k {
		case 2, 3:
			return m.Delete(id)
		case 4:
			return m.Move(id, start)
		case 5:
			return m.Cancel(id)
		case 6:
			return m.EditSeries(cmp.Or(i.SeriesID, id), func(_ *Event, r *Recurrence) { r.Count = 1 + random.IntN(8) })
		}
		return m.Edit(id, func(e *Event) { e.Subject, e.HTML = ev.Subject, ev.HTML })
	}
}

// Check compares events that a client has with those of the mailbox in a window:
// IDs, times, subjects, bodies and whether they are cancelled. It names each that
// is missing, too many, there twice, or different.
func (m *Mailbox) Check(w calendar.Window, events []calendar.Event) error {
	have := make(map[string]calendar.Event, len(events))
	var errs []error
	for _, e := range events {
		if _, twice := have[e.ID]; twice {
			errs = append(errs, fmt.Errorf("%s: %q at %v is there twice", m.address, e.Subject, e.Start))
		}
		have[e.ID] = e
	}
	for _, i := range m.View(w) {
		e, ok := have[i.ID]
		delete(have, i.ID)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s: %s %q at %v is missing", m.address, i.Type, i.Subject, i.Start))
		case !e.Start.Equal(i.Start) || !e.End.Equal(i.End):
			errs = append(errs, fmt.Errorf("%s: %s %q is at %v to %v, and not at %v to %v", m.address, i.Type, i.Subject, e.Start, e.End, i.Start, i.End))
		case e.Subject != i.Subject || e.Body.HTML != i.HTML:
			errs = append(errs, fmt.Errorf("%s: %s at %v is %q, and not %q", m.address, i.Type, i.Start, e.Subject, i.Subject))
		case (e.Status == calendar.Cancelled) != i.Cancelled:
			errs = append(errs, fmt.Errorf("%s: %s %q at %v is %v", m.address, i.Type, i.Subject, i.Start, e.Status))
		}
	}
	for _, e := range have {
		errs = append(errs, fmt.Errorf("%s: %q at %v is not in the mailbox any more", m.address, e.Subject, e.Start))
	}
	return errors.Join(errs...)
}
