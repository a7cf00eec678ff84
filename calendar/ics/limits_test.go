package ics

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

func TestLimits(t *testing.T) {
	many := vcal(strings.Repeat("BEGIN:VEVENT\nDTSTART:20260303T090000Z\nEND:VEVENT\n", 11))
	for name, tt := range map[string]struct {
		text string
		opts Options
		want string
	}{
		"bytes":  {vev(), Options{MaxBytes: 20}, "the calendar is larger than 20 bytes"},
		"events": {many, Options{MaxEvents: 10}, "more than 10 events"},
	} {
		_, err := Decode(strings.NewReader(tt.text), &tt.opts)
		assert.ErrorContains(t, err, tt.want, name)
	}
	for name, tt := range map[string]struct {
		text   string
		opts   Options
		want   string
		events int
	}{
		"property":        {vev("DESCRIPTION:" + strings.Repeat("x", 200)), Options{MaxProperty: 100}, "DESCRIPTION is larger than 100 bytes", 0},
		"folded property": {vev("DESCRIPTION:" + strings.Repeat("x\n ", 200)), Options{MaxProperty: 100}, "DESCRIPTION is larger than 100 bytes", 0},
		"occurrences":     {vev("RRULE:FREQ=DAILY"), Options{MaxOccurrences: 3}, "more than 3 occurrences in the window", 0},
		"total":           {many, Options{MaxTotal: 4}, "more than 4 occurrences in the window: the rest", 4},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Decode(strings.NewReader(tt.text), &tt.opts)
			require.NoError(t, err)
			events, err := c.Events(t.Context(), "", anyWeek)
			assert.ErrorContains(t, err, tt.want)
			assert.Len(t, events, tt.events)
		})
	}
	// What nobody reads, or has in another form too, may be of any size.
	big, small := strings.Repeat("x", 200), &Options{MaxProperty: 100}
	for _, extra := range []string{"ATTACH;ENCODING=BASE64:" + big, "X-ALT-DESC;FMTTYPE=text/html:" + big + "\nDESCRIPTION:short", "DESCRIPTION:short\nX-ALT-DESC;FMTTYPE=text/html:" + big} {
		c, err := Decode(strings.NewReader(vev(extra)), small)
		require.NoError(t, err)
		events, err := c.Events(t.Context(), "", anyWeek)
		assert.NoError(t, err, extra)
		assert.Len(t, events, 1, extra)
	}
	c, err := Decode(strings.NewReader(vev("X-ALT-DESC;FMTTYPE=text/html:"+big)), small)
	require.NoError(t, err)
	_, err = c.Events(t.Context(), "", anyWeek)
	assert.ErrorContains(t, err, "X-ALT-DESC is larger than 100 bytes")
	// Depth: what is too deep is left out, and what comes after it is read.
	deep := vcal(strings.Repeat("BEGIN:X-A\n", 5000)+"SUMMARY:x\n"+strings.Repeat("END:X-A\n", 5000), strings.TrimSuffix(strings.TrimPrefix(vev("SUMMARY:ok"), "BEGIN:VCALENDAR\nVERSION:2.0\n"), "END:VCALENDAR\n"))
	assert.Equal(t, "ok", one(t, deep).Subject)
}

// The rules of a calendar together may take only so long. This many rules that
// never match would take minutes.
func TestRulesThatNeverMatch(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "BEGIN:VEVENT\nUID:%d\nDTSTART:00010101T000000Z\nRRULE:FREQ=DAILY;COUNT=99999999999999999999;BYMONTH=2;BYMONTHDAY=30\nEND:VEVENT\n", i)
	}
	_, err := decode(t, vcal(b.String())).Events(t.Context(), "", anyWeek)
	assert.ErrorContains(t, err, "takes too long")
}

// Data that is made to cost much: whatever is repeated, the work has a bound.
// Without it the test does not end in its time.
func TestHostileData(t *testing.T) {
	const n = 1 << 20
	for name, text := range map[string]string{
		"separators":        vev("DTSTART;TZID=" + strings.Repeat(";", n)),
		"colons":            vev("DTSTART;TZID=" + strings.Repeat(":", n)),
		"parameters":        vev("ATTENDEE" + strings.Repeat(";X=1", n/4) + ":mailto:a@example.com"),
		"quotes":            vev("ATTENDEE;CN=" + strings.Repeat(`"`, n)),
		"long parameter":    vev("ATTENDEE;CN=" + strings.Repeat("x", n) + ":mailto:a@example.com"),
		"empty lines":       vev(strings.Repeat("\n", n)),
		"folds":             vev("SUMMARY:" + strings.Repeat("\n x", n/3)),
		"text lines":        vev("SUMMARY:" + strings.Repeat("\nx", n/2)),
		"components":        vev(strings.Repeat("BEGIN:X\n", n/8)),
		"ends":              vev(strings.Repeat("END:VALARM\n", n/11)),
		"one property":      vev(strings.Repeat("X-A:b\n", n/6), "SUMMARY:x"),
		"links":             vev(strings.Repeat("X-A:https://x.example\n", n/22), "RRULE:FREQ=DAILY"),
		"properties":        vev(numbered("X-%d:https://x.example\n", n/25), "RRULE:FREQ=DAILY"),
		"attendees":         vev(numbered("ATTENDEE:mailto:%d@example.com\n", n/35), "RRULE:FREQ=DAILY"),
		"days of a rule":    vev("RRULE:FREQ=YEARLY;COUNT=1000000;BYDAY=" + strings.Repeat("MO,-1TU,53WE,", n/13)),
		"rules":             vev(strings.Repeat("RRULE:FREQ=YEARLY;COUNT=9999999;BYDAY=53MO,53TU\n", n/50)),
		"exceptions":        vev("RRULE:FREQ=DAILY", "EXDATE:"+strings.Repeat("20200101T000000Z,", n/17)),
		"versions":          vcal(strings.Repeat("BEGIN:VEVENT\nUID:u\nDTSTART:20260303T090000Z\nEND:VEVENT\n", n/50)),
		"overrides":         vcal(strings.Repeat("BEGIN:VEVENT\nUID:u\nDTSTART:20260303T090000Z\nRECURRENCE-ID:20260303T090000Z\nEND:VEVENT\n", n/80)),
		"zones":             vcal(numbered("BEGIN:VEVENT\nDTSTART;TZID=Z%d:20260303T090000\nEND:VEVENT\n", n/60)),
		"rules of a zone":   vcal("BEGIN:VTIMEZONE\nTZID:Zone\n"+strings.Repeat("BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+0100\nRRULE:FREQ=DAILY\nEND:STANDARD\n", n/90)+"END:VTIMEZONE", "BEGIN:VEVENT\nDTSTART;TZID=Zone:20260303T090000\nEND:VEVENT"),
		"nested calendars":  strings.Repeat("BEGIN:VCALENDAR\n", n/16),
		"one line of zeros": strings.Repeat("\x00", n),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Decode(strings.NewReader(text), nil)
			if err != nil {
				return
			}
			c.Series("a@example.com")
			events, _ := c.Events(t.Context(), "a@example.com", calendar.Window{From: utc("2026-01-01 00:00"), To: utc("2031-01-01 00:00")})
			assert.LessOrEqual(t, len(events), 20_000)
			for _, ev := range events {
				assert.LessOrEqual(t, len(ev.Links), maxLinks)
				assert.LessOrEqual(t, len(ev.Properties), maxProperties)
			}
		})
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// go-ical panics on some lines. The lines before it leave none of those, and if
// one did, it would be the error of one event.
func TestPanicOfTheLibrary(t *testing.T) {
	for _, bad := range []string{`ATTENDEE;CN="a"b:x`, "DTSTART;X=1"} {
		d := decoder{reader: bufio.NewReaderSize(nil, 4096)}
		d.chunk.WriteString("BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + bad + "\n")
		_, err := d.component("VEVENT")
		require.Error(t, err)
		assert.Regexp(t, "^malformed: ", err.Error())
	}
}

// A damaged line may have run into the text of the invite: an error repeats only
// its beginning.
func TestErrorsQuoteLittle(t *testing.T) {
	run := "20260302T090000Z " + strings.Repeat("x", 60) + "Zebrafish takeover" + strings.Repeat("x", 100_000)
	for _, line := range []string{
		"DTSTART:" + run, "DTSTART;TZID=\"" + run + "\":20260302T090000", "DTSTART:20260302T090000Z\nDTEND:" + run, "DTSTART:20260302T090000Z\nDURATION:" + run,
		"DTSTART:20260302T090000Z\nRECURRENCE-ID:" + run, "DTSTART:20260302T090000Z\nRDATE;VALUE=PERIOD:20260302T090000Z/" + run,
		"DTSTART:20260302T090000Z\nRRULE:" + run, "DTSTART:20260302T090000Z\nRRULE:FREQ=" + run, "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;COUNT=" + run,
		"DTSTART:20260302T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=" + run, "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;UNTIL=" + run, "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;" + run + "=1",
		"DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;WKST=" + run, "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;RSCALE=" + run, "DTSTART:20260302T090000Z\nEXRULE:" + run,
	} {
		_, err := decode(t, vcal("BEGIN:VEVENT\nUID:u\n"+line+"\nEND:VEVENT")).Events(t.Context(), "", anyWeek)
		if !assert.Error(t, err, line[:60]) {
			continue
		}
		assert.NotContains(t, err.Error(), "Zebrafish", line[:60])
		assert.Less(t, len(err.Error()), 400, line[:60])
	}
}
