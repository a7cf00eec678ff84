package ics

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Whatever the data is, what comes out keeps the contract of a provider.
func FuzzDecode(f *testing.F) {
	f.Add(vev("SUMMARY:one", "LOCATION:two"), int16(3))
	f.Add(vev("RRULE:FREQ=DAILY;COUNT=20", "EXDATE:20260304T090000Z,20260305T090000Z", "RDATE:20260306T100000Z"), int16(40))
	f.Add(vcal(customZone, "BEGIN:VEVENT\nUID:u\nDTSTART;TZID=Customized Time Zone:20260301T013000\nDURATION:PT3H\nRRULE:FREQ=WEEKLY;BYDAY=SU,SA\nEND:VEVENT"), int16(70))
	f.Add(vcal("BEGIN:VEVENT\nUID:u\nDTSTART;VALUE=DATE:20260301\nRRULE:FREQ=MONTHLY;BYDAY=-1SU,1MO;BYSETPOS=-1\nEND:VEVENT",
		"BEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20260302T000000Z\nDTSTART:20260305T000000Z\nDURATION:P2D\nEND:VEVENT"), int16(12))
	f.Add("\ufeffBEGIN:VEVENT\rDTSTART;TZID=(UTC+01:00) A, B:20260302T090000\r\n\r\n ;x\nATTENDEE;CN=\"a\"b:x\nDTSTART;X\nEND:VEVNT", int16(1))
	f.Add(vcal("METHOD:CANCEL", "BEGIN:VEVENT\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260302\nEND:VEVENT", "BEGIN:VALARM"), int16(0))
	f.Fuzz(func(t *testing.T, text string, split int16) {
		opts := &Options{MaxOccurrences: 500, MaxTotal: 2000}
		c, err := Decode(strings.NewReader(text), opts)
		if err != nil {
			return
		}
		read := func(w calendar.Window) ([]calendar.Event, *calendar.PartialError) {
			events, err := c.Events(t.Context(), "a@example.com", w)
			var partial *calendar.PartialError
			if err != nil && !errors.As(err, &partial) {
				t.Fatalf("an error that is no *PartialError: %v", err)
			}
			return events, partial
		}
		whole := calendar.Window{From: utc("2026-02-27 00:00"), To: utc("2026-03-12 00:00")}
		events, partial := read(whole)
		limited := false
		if partial != nil {
			if len(partial.Bad) == 0 {
				t.Fatal("a *PartialError that names nothing")
			}
			limited = strings.Contains(errors.Join(partial.Unwrap()...).Error(), "more than") ||
				strings.Contains(errors.Join(partial.Unwrap()...).Error(), "too long")
		}
		ids := make(map[string]bool)
		for i, ev := range events {
			if !whole.Overlaps(ev.Start, ev.End) || ev.End.Before(ev.Start) {
				t.Fatalf("not in the window: %v to %v", ev.Start, ev.End)
			}
			if i > 0 && (ev.Start.Before(events[i-1].Start) || ev.Start.Equal(events[i-1].Start) && ev.ID <= events[i-1].ID) {
				t.Fatalf("not in order: %q %q", events[i-1].ID, ev.ID)
			}
			if ids[ev.ID] || ev.ID == "" {
				t.Fatalf("ID %q is there twice, or empty", ev.ID)
			}
			ids[ev.ID] = true
			for _, s := range []string{ev.ID, ev.Subject, ev.Location, ev.Body.Plain, ev.Body.HTML, ev.Organizer.Name} {
				if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
					t.Fatalf("bad text %q", s)
				}
			}
		}
		// The same again, from the same data.
		again, err := Decode(strings.NewReader(text), opts)
		require.NoError(t, err)
		second, _ := again.Events(t.Context(), "a@example.com", whole)
		if d := cmp.Diff(events, second); d != "" {
			t.Fatal("two reads of the same data differ: ", d)
		}
		if len(c.Series("")) != len(c.events) {
			t.Fatal("an event is missing in Series")
		}
		// Two parts of the window have together what the whole has.
		at := whole.From.Add(time.Duration(uint16(split)) % (13 * 24 * 60) * time.Minute)
		if !at.After(whole.From) || limited {
			return
		}
		left, _ := read(calendar.Window{From: whole.From, To: at})
		right, _ := read(calendar.Window{From: at, To: whole.To})
		union := make(map[string]bool)
		for _, ev := range slices.Concat(left, right) {
			union[ev.ID] = true
		}
		if d := cmp.Diff(ids, union); d != "" {
			t.Fatalf("split at %v: %s", at, d)
		}
	})
}

// A text comes back as it was, however it is folded.
func FuzzFold(f *testing.F) {
	f.Add("Budget, review; and\nplan \\ ø ", uint8(3), uint8(0))
	f.Add("", uint8(1), uint8(1))
	f.Add("a\n\nb: c", uint8(75), uint8(2))
	f.Fuzz(func(t *testing.T, want string, width, ends uint8) {
		want = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\r' {
				return -1
			}
			return r
		}, strings.ToValidUTF8(want, ""))
		want = strings.TrimSpace(want)
		end := []string{"\r\n", "\n", "\r", "\r\r\n"}[ends%4]
		escaped := strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\n", `\n`).Replace(want)
		content := "SUMMARY:" + escaped
		var folded strings.Builder
		for i := range len(content) {
			if i > 0 && i%(int(width)+8) == 0 {
				folded.WriteString(end + " ")
			}
			folded.WriteByte(content[i])
		}
		text := strings.ReplaceAll(vev("@"), "\n", end)
		text = strings.Replace(text, "@", folded.String(), 1)
		c, err := Decode(strings.NewReader(text), nil)
		require.NoError(t, err)
		require.Equal(t, want, c.Series("")[0].Event.Subject)
	})
}
