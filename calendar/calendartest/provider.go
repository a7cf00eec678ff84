package calendartest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var cases = slices.Concat(providerCases, syncerCases, notifierCases, coverageCases)

var providerCases = []testCase{
	{
		name: "provider/window", iface: "Provider", source: here(),
		rule: "returns every event that overlaps the window, and no other;",
		check: func(ctx context.Context, h *Harness) error {
			long := Entry{UID: "over-all", Subject: "s", Start: monday.Add(-time.Hour), End: monday.AddDate(0, 0, 8)}
			tail := at("over-start", 0, 0)
			tail.Start = tail.Start.Add(-30 * time.Minute)
			head := at("over-end", 6, 23)
			head.End = head.End.Add(30 * time.Minute)
			first := at("no-length-at-from", 0, 0)
			first.End = first.Start
			last := at("no-length-at-to", 7, 0)
			last.End = last.Start
			if err := h.set(at("before", -1, 23), at("inside", 2, 9), at("after", 7, 0), long, tail, head, first, last); err != nil {
				return err
			}
			events, err := h.read(ctx)
			if err != nil {
				return err
			}
			var got []string
			for _, ev := range events {
				got = append(got, ev.UID)
			}
			slices.Sort(got)
			want := []string{"inside", "no-length-at-from", "over-all", "over-end", "over-start"}
			if !slices.Equal(got, want) {
				return fmt.Errorf("of events in and around a window it returns %q, not %q", got, want)
			}
			return nil
		},
	},
	{
		name: "provider/order", iface: "Provider", source: here(),
		rule: "returns them by Start, then by ID;",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("d", 3, 9), at("b", 1, 9), at("z", 1, 9), at("c", 1, 9), at("a", 5, 9)); err != nil {
				return err
			}
			events, err := h.read(ctx)
			if err != nil {
				return err
			}
			if len(events) != 5 {
				return fmt.Errorf("of 5 events it returns %d: %q", len(events), describe(events))
			}
			if !slices.IsSortedFunc(events, func(a, b calendar.Event) int {
				return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
			}) {
				return fmt.Errorf("it returns %q in this order", describe(events))
			}
			return nil
		},
	},
	{
		name: "provider/series", iface: "Provider", source: here(),
		rule: "returns each occurrence of a series as an event of its own;",
		check: func(ctx context.Context, h *Harness) error {
			daily := at("daily", -2, 9)
			daily.Days = 5 // Saturday to Wednesday
			if err := h.set(daily); err != nil {
				return err
			}
			events, err := h.read(ctx)
			if err != nil {
				return err
			}
			want := []string{"daily Mon 09:00", "daily Tue 09:00", "daily Wed 09:00"}
			if got := describe(events); !slices.Equal(got, want) {
				return fmt.Errorf("of a daily series it returns %q, not %q", got, want)
			}
			for _, ev := range events {
				if ev.SeriesID == "" || ev.SeriesID != events[0].SeriesID {
					return fmt.Errorf("the occurrences of one series have the SeriesIDs %q and %q", events[0].SeriesID, ev.SeriesID)
				}
				if ev.End.Sub(ev.Start) != time.Hour {
					return fmt.Errorf("an occurrence of an hour lasts %v", ev.End.Sub(ev.Start))
				}
			}
			return nil
		},
	},
	{
		name: "provider/cancelled-and-declined", iface: "Provider", source: here(),
		rule: "keeps cancelled and declined events, with the Status and Response that say so: what is shown is not its business;",
		check: func(ctx context.Context, h *Harness) error {
			cancelled, declined := at("cancelled", 1, 9), at("declined", 2, 9)
			cancelled.Cancelled, declined.Declined = true, true
			if err := h.set(cancelled, declined, at("plain", 3, 9)); err != nil {
				return err
			}
			events, err := h.read(ctx)
			if err != nil {
				return err
			}
			var got []string
			for _, ev := range events {
				got = append(got, fmt.Sprintf("%s: cancelled %t, declined %t", ev.UID, ev.Status == calendar.Cancelled, ev.Response == calendar.Declined))
			}
			want := []string{"cancelled: cancelled true, declined false", "declined: cancelled false, declined true", "plain: cancelled false, declined false"}
			if !slices.Equal(got, want) {
				return fmt.Errorf("it returns %q, not %q", got, want)
			}
			return nil
		},
	},
	{
		name: "provider/ids", iface: "Provider", source: here(),
		rule: "gives an occurrence the same ID each time, and no two the same;",
		check: func(ctx context.Context, h *Harness) error {
			daily := at("daily", 0, 9)
			daily.Days = 5
			if err := h.set(daily, at("a", 0, 9), at("b", 2, 9)); err != nil {
				return err
			}
			events, err := h.read(ctx)
			if err != nil {
				return err
			}
			ids := make(map[string]string) // ID to event
			for i, name := range describe(events) {
				id := events[i].ID
				if id == "" {
					return fmt.Errorf("%s has no ID", name)
				}
				if other, twice := ids[id]; twice {
					return fmt.Errorf("%s and %s have the same ID %q", other, name, id)
				}
				ids[id] = name
			}
			// Another window and a changed calendar change no ID.
			if err := h.set(daily, at("new", 0, 8), at("a", 0, 9), at("b", 2, 9)); err != nil {
				return err
			}
			again, err := h.Provider.Events(ctx, h.Mailbox, calendar.Window{From: monday.AddDate(0, 0, 2), To: week.To})
			if err != nil {
				return fmt.Errorf("Events: %w", err)
			}
			for i, name := range describe(again) {
				if ids[again[i].ID] != name {
					return fmt.Errorf("%s has another ID than before: %q", name, again[i].ID)
				}
			}
			return nil
		},
	},
	{
		name: "provider/partial", iface: "Provider", source: here(),
		rule: "returns good events beside a [*PartialError] that names the bad ones;",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("good", 1, 9), Entry{UID: "bad", Broken: true}, at("better", 2, 9)); err != nil {
				return err
			}
			events, err := h.Provider.Events(ctx, h.Mailbox, week)
			var partial *calendar.PartialError
			if !errors.As(err, &partial) {
				return fmt.Errorf("with an event that cannot be read the error is not a *PartialError, but %v", err)
			}
			if got, want := describe(events), []string{"good Tue 09:00", "better Wed 09:00"}; !slices.Equal(got, want) {
				return fmt.Errorf("beside the error it returns %q, not %q", got, want)
			}
			if len(partial.Bad) != 1 || partial.Bad[0].Err == nil || partial.Bad[0].UID != "bad" && partial.Bad[0].ID == "" {
				return fmt.Errorf("the *PartialError does not name the one bad event: %v", partial)
			}
			return nil
		},
	},
	{
		name: "provider/errors", iface: "Provider", source: here(),
		rule:  "returns otherwise an [*Error] that wraps one of the sentinel errors where one fits, and no events;",
		check: checkErrors,
	},
	{
		name: "provider/context", iface: "Provider", source: here(),
		rule: "returns soon after ctx is done, with an error that wraps ctx.Err();",
		check: func(ctx context.Context, h *Harness) error {
			if h.Set != nil {
				if err := h.set(at("a", 1, 9)); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			stalls := h.Stall != nil
			if stalls {
				if err := h.Stall(); err != nil {
					return fmt.Errorf("harness: Stall: %w", err)
				}
			} else {
				cancel()
			}
			done := make(chan error, 1)
			go func() {
				_, err := h.Provider.Events(ctx, h.Mailbox, week)
				done <- err
			}()
			if stalls {
				cancel()
			}
			select {
			case err := <-done:
				if !errors.Is(err, context.Canceled) {
					return fmt.Errorf("after its context is cancelled, the error does not wrap context.Canceled: %v", err)
				}
				return nil
			case <-time.After(h.Patience):
				return fmt.Errorf("%v after its context was cancelled it has not returned", h.Patience)
			}
		},
	},
	{
		name: "provider/concurrent", iface: "Provider", source: here(),
		rule: "is safe for concurrent use;",
		check: func(ctx context.Context, h *Harness) error {
			if err := h.set(at("a", 1, 9), at("b", 2, 9)); err != nil {
				return err
			}
			want := []string{"a Tue 09:00", "b Wed 09:00"}
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					for range 5 {
						events, err := h.Provider.Events(ctx, h.Mailbox, week)
						if err != nil || !slices.Equal(describe(events), want) {
							errs[i] = fmt.Errorf("one of %d callers at a time gets %q and %v", len(errs), describe(events), err)
						}
					}
				})
			}
			wg.Wait()
			return errors.Join(errs...)
		},
	},
	{
		name: "provider/ownership", iface: "Provider", source: here(),
		rule: "hands over what it returns: the caller may change it.",
		check: func(ctx context.Context, h *Harness) error {
			daily := at("daily", 1, 9)
			daily.Days = 3
			if err := h.set(daily, at("a", 1, 8)); err != nil {
				return err
			}
			first, err := h.read(ctx)
			if err != nil {
				return err
			}
			want := fingerprint(first)
			for i := range first {
				for j := range first[i].Links {
					first[i].Links[j] = calendar.Link{URI: "changed:"}
				}
				for k := range first[i].Properties {
					first[i].Properties[k] = "changed"
				}
				if first[i].Properties != nil {
					first[i].Properties["X-CHANGED"] = "changed"
				}
				if got := fingerprint(first[i+1:]); !slices.Equal(got, want[i+1:]) {
					return fmt.Errorf("a change of one event changes others: %q is now %q", want[i+1:], got)
				}
				first[i] = calendar.Event{ID: "changed"}
			}
			second, err := h.read(ctx)
			if err != nil {
				return err
			}
			if got := fingerprint(second); !slices.Equal(got, want) {
				return fmt.Errorf("after a caller changed what it was given, the provider returns %q, not %q", got, want)
			}
			return nil
		},
	},
}

// fingerprint has all of each event that a caller could change for others.
func fingerprint(events []calendar.Event) []string {
	out := make([]string, len(events))
	for i, ev := range events {
		out[i] = fmt.Sprint(ev.ID, ev.UID, ev.Start.Unix(), ev.Links, ev.Properties)
	}
	return out
}

func checkErrors(ctx context.Context, h *Harness) error {
	expect := func(what, mailbox string, sentinel error) error {
		events, err := h.Provider.Events(ctx, mailbox, week)
		var e *calendar.Error
		switch {
		case !errors.Is(err, sentinel):
			return fmt.Errorf("%s: the error does not wrap %q, it is: %v", what, sentinel, err)
		case !errors.As(err, &e):
			return fmt.Errorf("%s: the error is not an *Error: %v", what, err)
		case e.Err == nil:
			return fmt.Errorf("%s: the *Error has no cause", what)
		case len(events) > 0:
			return fmt.Errorf("%s: beside the error there are the events %q", what, describe(events))
		}
		return nil
	}
	checked := 0
	if h.Set != nil {
		if err := h.set(at("a", 1, 9)); err != nil {
			return err
		}
	}
	if h.Missing != "" {
		checked++
		if err := expect("a mailbox that does not exist", h.Missing, calendar.ErrNotFound); err != nil {
			return err
		}
	}
	if h.Fail != nil {
		for _, sentinel := range []error{calendar.ErrNotFound, calendar.ErrUnauthorized, calendar.ErrForbidden, calendar.ErrThrottled, calendar.ErrUnavailable} {
			switch err := h.Fail(sentinel); {
			case errors.Is(err, errors.ErrUnsupported):
				continue
			case err != nil:
				return fmt.Errorf("harness: Fail: %w", err)
			}
			checked++
			if err := expect(fmt.Sprintf("a calendar system that answers %q", sentinel), h.Mailbox, sentinel); err != nil {
				return err
			}
		}
		if err := h.Fail(nil); err != nil {
			return fmt.Errorf("harness: Fail(nil): %w", err)
		}
		if h.Set != nil {
			if _, err := h.read(ctx); err != nil {
				return fmt.Errorf("after the calendar system works again: %w", err)
			}
		}
	}
	if checked == 0 {
		return skipped("the harness has no Missing mailbox and cannot Fail")
	}
	return nil
}
