package ics

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rrule "github.com/teambition/rrule-go"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var century = calendar.Window{From: utc("1990-01-01 00:00"), To: utc("2090-01-01 00:00")}

// starts returns the starts of the events of a calendar in a window, by the
// clock of their own zone.
func starts(t *testing.T, text string, w calendar.Window) []string {
	t.Helper()
	c, err := Decode(strings.NewReader(text), &Options{MaxOccurrences: 10_000})
	require.NoError(t, err)
	events, err := c.Events(t.Context(), "", w)
	require.NoError(t, err)
	out := []string{}
	for _, ev := range events {
		out = append(out, ev.Start.Format("2006-01-02 15:04"))
	}
	return out
}

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name, start, rest string
		want              string // dates, up to the sixth
	}{
		{"daily", "19970902", "RRULE:FREQ=DAILY;COUNT=3", "1997-09-02 1997-09-03 1997-09-04"},
		{"every other day", "19970902", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3", "1997-09-02 1997-09-04 1997-09-06"},
		{"daily until a date", "19970902", "RRULE:FREQ=DAILY;UNTIL=19970904", "1997-09-02 1997-09-03 1997-09-04"},
		{"daily in January", "19980130", "RRULE:FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "1998-01-30 1998-01-31 1999-01-01 1999-01-02 1999-01-03 1999-01-04"},
		{"weekdays by day", "19970902", "RRULE:FREQ=DAILY;BYDAY=MO,FR;COUNT=4", "1997-09-02 1997-09-05 1997-09-08 1997-09-12"},
		{"weekly", "19970902", "RRULE:FREQ=WEEKLY;COUNT=3", "1997-09-02 1997-09-09 1997-09-16"},
		{"every other week", "19970902", "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH;COUNT=4", "1997-09-02 1997-09-04 1997-09-16 1997-09-18"},
		{"week starts on Monday", "19970805", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05 1997-08-10 1997-08-19 1997-08-24"},
		{"week starts on Sunday", "19970805", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05 1997-08-17 1997-08-19 1997-08-31"},
		{"first Friday", "19970905", "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05 1997-10-03 1997-11-07"},
		{"first and last Sunday", "19970907", "RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", "1997-09-07 1997-09-28 1997-11-02 1997-11-30"},
		{"second to last Monday", "19970922", "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "1997-09-22 1997-10-20 1997-11-17"},
		{"third to last day", "19970928", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "1997-09-28 1997-10-29 1997-11-28"},
		{"2nd and 15th", "19970902", "RRULE:FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", "1997-09-02 1997-09-15 1997-10-02 1997-10-15"},
		{"first and last day", "19970930", "RRULE:FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "1997-09-30 1997-10-01 1997-10-31 1997-11-01"},
		{"the 31st", "20260131", "RRULE:FREQ=MONTHLY;COUNT=4", "2026-01-31 2026-03-31 2026-05-31 2026-07-31"},
		{"Friday the 13th", "19980213", "RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=4", "1998-02-13 1998-03-13 1998-11-13 1999-08-13"},
		{"Saturday after the first Sunday", "19970913", "RRULE:FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=3", "1997-09-13 1997-10-11 1997-11-08"},
		{"third weekday of three", "19970904", "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04 1997-10-07 1997-11-06"},
		{"last workday", "19970930", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", "1997-09-30 1997-10-31 1997-11-28"},
		{"yearly", "19970902", "RRULE:FREQ=YEARLY;COUNT=3", "1997-09-02 1998-09-02 1999-09-02"},
		{"leap day", "20240229", "RRULE:FREQ=YEARLY;COUNT=3", "2024-02-29 2028-02-29 2032-02-29"},
		{"June and July", "19970610", "RRULE:FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "1997-06-10 1997-07-10 1998-06-10 1998-07-10"},
		{"20th Monday", "19970519", "RRULE:FREQ=YEARLY;BYDAY=20MO;COUNT=3", "1997-05-19 1998-05-18 1999-05-17"},
		{"Thursdays in March", "19970313", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=4", "1997-03-13 1997-03-20 1997-03-27 1998-03-05"},
		{"election day", "19961105", "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3", "1996-11-05 2000-11-07 2004-11-02"},
		{"every 15th of the year", "20260115", "RRULE:FREQ=YEARLY;BYMONTHDAY=15;COUNT=3", "2026-01-15 2026-02-15 2026-03-15"},
		{"start that does not fit counts", "20260302", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3", "2026-03-02 2026-03-03 2026-03-10"},
		{"exception", "20260302", "RRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260303T090000,20260304T090000", "2026-03-02 2026-03-05"},
		{"exception of a day", "20260302", "RRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20260303", "2026-03-02 2026-03-04 2026-03-05"},
		{"exception of the start", "20260302", "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260302T090000", "2026-03-03 2026-03-04"},
		{"empty exception", "20260302", "RRULE:FREQ=DAILY;COUNT=2\nEXDATE:", "2026-03-02 2026-03-03"},
		{"exceptions in lines", "20260302", "RRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260303T090000\nEXDATE:20260305T090000", "2026-03-02 2026-03-04"},
		{"further dates", "20260302", "RDATE:20260310T090000,20260305T090000", "2026-03-02 2026-03-05 2026-03-10"},
		{"further date twice", "20260302", "RRULE:FREQ=DAILY;COUNT=2\nRDATE:20260303T090000\nRDATE;VALUE=DATE:20260304", "2026-03-02 2026-03-03 2026-03-04"},
		{"two rules", "20260302", "RRULE:FREQ=DAILY;COUNT=2\nRRULE:FREQ=WEEKLY;COUNT=2", "2026-03-02 2026-03-03 2026-03-09"},
		{"lower case and spaces", "20260302", "RRULE:freq=daily; count=2 ;", "2026-03-02 2026-03-03"},
		{"hour of the start", "20260302", "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "2026-03-02 2026-03-03"},
		{"RSCALE that says nothing", "20260302", "RRULE:RSCALE=GREGORIAN;FREQ=DAILY;COUNT=2;SKIP=OMIT", "2026-03-02 2026-03-03"},
		{"ended before it began", "20260302", "RRULE:FREQ=DAILY;UNTIL=20200101T000000Z", ""},
		{"interval beyond time", "20260302", "RRULE:FREQ=YEARLY;INTERVAL=99999999999", "2026-03-02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := starts(t, vcal("BEGIN:VEVENT", "UID:u", "DTSTART;TZID=America/New_York:"+tt.start+"T090000", tt.rest, "END:VEVENT"), century)
			for i := range got {
				day, clock, _ := strings.Cut(got[i], " ")
				assert.Equal(t, "09:00", clock)
				got[i] = day
			}
			assert.Equal(t, tt.want, strings.Join(got[:min(6, len(got))], " "))
		})
	}
}

func TestUntil(t *testing.T) {
	for until, last := range map[string]string{
		"20261028":         "2026-10-28 09:00",
		"20261028T090000":  "2026-10-28 09:00", // local, though the standard wants UTC
		"20261028T130000Z": "2026-10-28 09:00", // 9 o'clock in summer time
		"20261028T125959Z": "2026-10-27 09:00",
		"20261028T085959":  "2026-10-27 09:00",
	} {
		got := starts(t, vcal("BEGIN:VEVENT", "UID:u", "DTSTART;TZID=America/New_York:20261026T090000", "RRULE:FREQ=DAILY;UNTIL="+until, "END:VEVENT"), century)
		assert.Equal(t, last, got[len(got)-1], until)
	}
	got := starts(t, vcal("BEGIN:VEVENT", "UID:u", "DTSTART;VALUE=DATE:20261026", "RRULE:FREQ=DAILY;UNTIL=20261028", "END:VEVENT"), century)
	assert.Len(t, got, 3)
}

// A daily meeting at 2:30 in Oslo, over the days on which the clock is changed.
func TestRulesOverClockChanges(t *testing.T) {
	at := func(day string) []string {
		events, err := decode(t, vcal("BEGIN:VEVENT", "UID:u", "DTSTART;TZID=Europe/Oslo:"+day+"T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT")).Events(t.Context(), "", century)
		require.NoError(t, err)
		var out []string
		for _, ev := range events {
			out = append(out, ev.Start.UTC().Format("02 15:04"))
			assert.Equal(t, time.Hour, ev.End.Sub(ev.Start))
		}
		return out
	}
	assert.Equal(t, []string{"28 01:30", "29 01:30", "30 00:30"}, at("20260328"), "2:30 does not exist on the 29th: it is taken by the offset before")
	assert.Equal(t, []string{"24 00:30", "25 00:30", "26 01:30"}, at("20261024"), "2:30 is there twice on the 25th: the first")
	// All-day events last from midnight to midnight.
	c, err := Decode(strings.NewReader(vcal("X-WR-TIMEZONE:Europe/Oslo", "BEGIN:VEVENT", "UID:u", "DTSTART;VALUE=DATE:20260328", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT")), nil)
	require.NoError(t, err)
	events, err := c.Events(t.Context(), "", century)
	require.NoError(t, err)
	assert.Equal(t, 24*time.Hour, events[0].End.Sub(events[0].Start))
	assert.Equal(t, 23*time.Hour, events[1].End.Sub(events[1].Start))
}

func TestCivilTakesTheFirst(t *testing.T) {
	for _, name := range []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "UTC"} {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		for day := daysFromCivil(2008, 1, 1); day < daysFromCivil(2020, 1, 1); day++ {
			for _, sec := range []int{0, 1800, 5400, 9000, 10800, 86399} {
				got := civil(day, sec, loc)
				gotDay, gotSec := civilOf(got)
				local := int64(day)*86400 + int64(sec)
				shown := int64(gotDay)*86400 + int64(gotSec)
				// Every instant that could show this time, the first first.
				first := int64(-1)
				for at := local - 15*3600; at <= local+15*3600; at += 1800 {
					_, off := time.Unix(at, 0).In(loc).Zone()
					if u := local - int64(off); first < 0 || u < first {
						if _, o := time.Unix(u, 0).In(loc).Zone(); o == off {
							first = u
						}
					}
				}
				if first >= 0 {
					require.Equal(t, first, got.Unix(), "%s %d %d", name, day, sec)
				} else {
					require.Greater(t, shown, local, "in a gap the clock shows a later time")
				}
			}
		}
	}
}

// The window is expanded as a part of the whole, by rules of all kinds, and as
// another implementation does it where that is right: in UTC.
func TestRulesEqualAnOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for range 500 {
		start := utc("2015-01-01 09:00").AddDate(0, 0, r.IntN(4000))
		freq := pick("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
		parts := []string{"FREQ=" + freq}
		if r.IntN(2) == 0 {
			parts = append(parts, fmt.Sprint("INTERVAL=", 1+r.IntN(5)))
		}
		switch r.IntN(4) {
		case 0:
			parts = append(parts, fmt.Sprint("COUNT=", 1+r.IntN(400)))
		case 1:
			parts = append(parts, "UNTIL="+start.AddDate(0, 0, r.IntN(3000)).Format(instantFormat))
		}
		if r.IntN(3) == 0 {
			parts = append(parts, pick("BYMONTH=3", "BYMONTH=2,12", "BYMONTH=1,6,7"))
		}
		byMonthDay := freq != "WEEKLY" && r.IntN(3) == 0
		if byMonthDay {
			parts = append(parts, pick("BYMONTHDAY=13", "BYMONTHDAY=-1", "BYMONTHDAY=1,-2,31", "BYMONTHDAY=29,30"))
		}
		if r.IntN(2) == 0 {
			if freq == "DAILY" || freq == "WEEKLY" || byMonthDay {
				parts = append(parts, pick("BYDAY=MO", "BYDAY=TU,TH,SU", "BYDAY=SA"))
			} else {
				parts = append(parts, pick("BYDAY=1MO", "BYDAY=-1FR,2WE", "BYDAY=TH", "BYDAY=5SU"))
			}
			if freq == "MONTHLY" && r.IntN(3) == 0 {
				parts = append(parts, pick("BYSETPOS=1", "BYSETPOS=-1", "BYSETPOS=2,-2"))
			}
		}
		if r.IntN(2) == 0 {
			parts = append(parts, "WKST="+pick("SU", "MO", "WE"))
		}
		rule := strings.Join(parts, ";")
		opt, err := rrule.StrToROption(rule)
		require.NoError(t, err)
		opt.Dtstart = start
		oracle, err := rrule.NewRRule(*opt)
		require.NoError(t, err)

		w := calendar.Window{From: start.AddDate(0, 0, r.IntN(4000)-500), To: start.AddDate(0, 0, 3500+r.IntN(400))}
		var want []string
		for _, at := range oracle.Between(w.From, w.To.Add(-time.Second), true) {
			want = append(want, at.Format("2006-01-02 15:04"))
		}
		text := vcal("BEGIN:VEVENT", "UID:u", "DTSTART:"+start.Format(instantFormat), "RRULE:"+rule, "END:VEVENT")
		got := starts(t, text, w)
		// DTSTART is an occurrence here even where the rule does not match it,
		// and is counted: there the two may differ, and are not compared.
		if first := oracle.After(start, true); !first.Equal(start) {
			continue
		}
		if len(want) == 0 {
			want = []string{}
		}
		require.Equal(t, want, got, "DTSTART %v, RRULE %s, from %v to %v", start, rule, w.From, w.To)
	}
}

func TestOverrides(t *testing.T) {
	master := "BEGIN:VEVENT\nUID:u\nSUMMARY:series\nDTSTART;TZID=Europe/Oslo:20260302T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=10\nEND:VEVENT"
	override := func(id, start string, more ...string) string {
		return "BEGIN:VEVENT\nUID:u\nSUMMARY:changed\nRECURRENCE-ID" + id + "\nDTSTART:" + start + "\nDURATION:PT1H\n" + strings.Join(more, "\n") + "\nEND:VEVENT"
	}
	// The week of the master's first seven days, at 9:00 UTC each.
	for _, tt := range []struct {
		name string
		over []string
		want string
	}{
		{"none", nil, "02 03 04 05 06 07 08"},
		{"moved", []string{override(":20260304T090000Z", "20260304T150000Z")}, "02 03 *04T15 05 06 07 08"},
		{"named by its zone", []string{override(";TZID=Europe/Oslo:20260304T100000", "20260304T150000Z")}, "02 03 *04T15 05 06 07 08"},
		{"named by its zone's clock alone", []string{override(":20260304T100000", "20260304T150000Z")}, "02 03 *04T15 05 06 07 08"},
		{"named by its day", []string{override(";VALUE=DATE:20260304", "20260304T150000Z")}, "02 03 *04T15 05 06 07 08"},
		{"moved out", []string{override(":20260304T090000Z", "20260320T150000Z")}, "02 03 05 06 07 08"},
		{"moved in", []string{override(":20260311T090000Z", "20260304T150000Z")}, "02 03 04 *04T15 05 06 07 08"},
		{"of no occurrence", []string{override(":20270311T090000Z", "20260304T150000Z")}, "02 03 04 *04T15 05 06 07 08"},
		{"newest version", []string{override(":20260304T090000Z", "20260304T150000Z", "SEQUENCE:2"), override(":20260304T090000Z", "20260304T160000Z", "SEQUENCE:1")}, "02 03 *04T15 05 06 07 08"},
		{"same by time and by day", []string{override(":20260304T090000Z", "20260304T150000Z"), override(";VALUE=DATE:20260304", "20260304T160000Z")}, "02 03 *04T16 05 06 07 08"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, text := range map[string]string{
				"after":  vcal(append([]string{master}, tt.over...)...),
				"before": vcal(append(slices.Clone(tt.over), master)...),
			} {
				events, err := decode(t, text).Events(t.Context(), "", anyWeek)
				require.NoError(t, err)
				var got []string
				for _, ev := range events {
					s := ev.Start.UTC().Format("02")
					if ev.Subject == "changed" {
						s = ev.Start.UTC().Format("*02T15")
					}
					got = append(got, s)
					assert.Equal(t, "u", ev.SeriesID)
				}
				assert.Equal(t, tt.want, strings.Join(got, " "), name)
			}
		})
	}

	id := func(text string, i int) string {
		events, err := decode(t, text).Events(t.Context(), "", anyWeek)
		require.NoError(t, err)
		return events[i].ID
	}
	plain := id(vcal(master), 2)
	assert.Equal(t, "u/20260304T090000Z", plain)
	assert.Equal(t, plain, id(vcal(master, override(":20260304T090000Z", "20260304T150000Z")), 2), "a moved occurrence keeps its ID")
	assert.Equal(t, plain, id(vcal(master, override(";VALUE=DATE:20260304", "20260304T150000Z")), 2))
}

func TestBadOverride(t *testing.T) {
	master := "BEGIN:VEVENT\nUID:u\nDTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;COUNT=5\nEND:VEVENT"
	events, err := decode(t, vcal(master, "BEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20260304T090000Z\nDTSTART:x\nEND:VEVENT")).Events(t.Context(), "", anyWeek)
	assert.Len(t, events, 4, "the occurrence that was changed is not shown at its old time")
	assert.ErrorContains(t, err, `DTSTART: "x" is not a date`)
	var bad calendar.EventError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, "u/20260304T090000Z", bad.ID)

	for _, more := range []string{"DTSTART:20260304T100000Z", "DTSTART:20260304T100000Z\nSEQUENCE:3", "STATUS:CANCELLED"} {
		stray := "BEGIN:VEVENT\nUID:u\nRECURRENCE-ID:2026x\n" + more + "\nEND:VEVENT"
		for _, text := range []string{vcal(master, stray), vcal(stray, master)} {
			events, err = decode(t, text).Events(t.Context(), "", anyWeek)
			assert.Len(t, events, 5, "one bad event does not take the series with it")
			assert.ErrorContains(t, err, `RECURRENCE-ID: "2026x" is not a date`)
		}
	}

	events, err = decode(t, vcal(master, "BEGIN:VEVENT\nUID:u\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260304T090000Z\nDTSTART:20260304T100000Z\nEND:VEVENT")).Events(t.Context(), "", anyWeek)
	assert.Len(t, events, 2, "nothing is shown at a time that may be wrong")
	assert.ErrorContains(t, err, "THISANDFUTURE")

	events, err = decode(t, vcal("METHOD:CANCEL", "BEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20260304T090000Z\nEND:VEVENT")).Events(t.Context(), "", anyWeek)
	require.NoError(t, err, "a cancellation need not repeat DTSTART")
	require.Len(t, events, 1)
	assert.Equal(t, calendar.Cancelled, events[0].Status)
	assert.Empty(t, starts(t, vcal("METHOD:CANCEL", "BEGIN:VEVENT\nUID:u\nEND:VEVENT"), century))
}

// An occurrence that was changed has what its series says of all of them.
func TestOverrideInheritsFromTheSeries(t *testing.T) {
	series := func(more string) string {
		return "BEGIN:VEVENT\nUID:u\nDTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;COUNT=3\n" + more + "\nEND:VEVENT"
	}
	changed := func(more string) string {
		return "BEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20260303T090000Z\nDTSTART:20260303T150000Z\n" + more + "\nEND:VEVENT"
	}
	for _, tt := range []struct {
		name, series, changed string
		status                calendar.Status
		sensitivity           calendar.Sensitivity
	}{
		{"nothing", "", "", calendar.Confirmed, calendar.Normal},
		{"private", "CLASS:PRIVATE", "", calendar.Confirmed, calendar.Private},
		{"private but for this one", "CLASS:PRIVATE", "CLASS:PUBLIC", calendar.Confirmed, calendar.Normal},
		{"this one private", "", "CLASS:CONFIDENTIAL", calendar.Confirmed, calendar.Confidential},
		{"cancelled after the change", "SEQUENCE:2\nSTATUS:CANCELLED", "SEQUENCE:1", calendar.Cancelled, calendar.Normal},
		{"cancelled, but for one that was changed later", "SEQUENCE:2\nSTATUS:CANCELLED", "SEQUENCE:3", calendar.Confirmed, calendar.Normal},
	} {
		for order, text := range map[string]string{"after": vcal(series(tt.series), changed(tt.changed)), "before": vcal(changed(tt.changed), series(tt.series))} {
			events, err := decode(t, text).Events(t.Context(), "", anyWeek)
			require.NoError(t, err, tt.name)
			require.Len(t, events, 3, tt.name)
			assert.Equal(t, "u/20260303T090000Z", events[1].ID)
			assert.Equal(t, tt.status, events[1].Status, tt.name+" "+order)
			assert.Equal(t, tt.sensitivity, events[1].Sensitivity, tt.name+" "+order)
		}
	}
	// A cancellation that does not say when is one too.
	text := vcal(series("SEQUENCE:0"), changed("SEQUENCE:0"), "BEGIN:VEVENT\nUID:u\nSEQUENCE:1\nSTATUS:CANCELLED\nEND:VEVENT")
	events, err := decode(t, text).Events(t.Context(), "", anyWeek)
	require.NoError(t, err)
	for _, ev := range events {
		assert.Equal(t, calendar.Cancelled, ev.Status)
	}
}

func TestVersionsOfAnEvent(t *testing.T) {
	ev := func(start string, more ...string) string {
		return "BEGIN:VEVENT\nUID:u\nDTSTART:" + start + "\n" + strings.Join(more, "\n") + "\nEND:VEVENT"
	}
	for _, tt := range []struct {
		name   string
		events []string
		want   []string
	}{
		{"newest SEQUENCE", []string{ev("20260303T090000Z", "SEQUENCE:2"), ev("20260304T090000Z", "SEQUENCE:1")}, []string{"u 03"}},
		{"the same twice", []string{ev("20260303T090000Z"), ev("20260303T090000Z")}, []string{"u 03"}},
		{"newest LAST-MODIFIED", []string{ev("20260303T090000Z", "LAST-MODIFIED:20260202T000000Z", "SUMMARY:new"), ev("20260303T090000Z", "LAST-MODIFIED:20260201T000000Z")}, []string{"u new 03"}},
		{"one UID for two events", []string{ev("20260303T090000Z"), ev("20260304T090000Z")}, []string{"u/start-20260303T090000Z 03", "u/start-20260304T090000Z 04"}},
		{"broken, then good", []string{ev("x"), ev("20260304T090000Z")}, []string{"u 04"}},
		{"cancelled later", []string{ev("20260303T090000Z", "SEQUENCE:0"), ev("20260303T090000Z", "SEQUENCE:1", "STATUS:CANCELLED")}, []string{"u cancelled 03"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events, err := decode(t, vcal(tt.events...)).Events(t.Context(), "", anyWeek)
			require.NoError(t, err)
			var got []string
			for _, ev := range events {
				s := ev.ID + " "
				if ev.Subject != "" {
					s += ev.Subject + " "
				}
				if ev.Status != calendar.Confirmed {
					s += ev.Status.String() + " "
				}
				got = append(got, s+ev.Start.Format("02"))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestEventsWithoutUID(t *testing.T) {
	text := vcal("BEGIN:VEVENT\nDTSTART:20260303T090000Z\nSUMMARY:a\nEND:VEVENT", "BEGIN:VEVENT\nDTSTART:20260303T090000Z\nSUMMARY:b\nEND:VEVENT", "BEGIN:VEVENT\nDTSTART:20260303T090000Z\nSUMMARY:a\nEND:VEVENT")
	events, err := decode(t, text).Events(t.Context(), "", anyWeek)
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, ev := range events {
		assert.Empty(t, ev.UID)
		ids[ev.ID] = true
	}
	assert.Len(t, ids, 3)
}

func TestPeriods(t *testing.T) {
	events, err := decode(t, vcal("BEGIN:VEVENT", "UID:u", "DTSTART:20260302T090000Z", "DURATION:PT1H",
		"RDATE;VALUE=PERIOD:20260303T090000Z/PT2H,20260304T090000Z/20260304T093000Z", "END:VEVENT")).Events(t.Context(), "", anyWeek)
	require.NoError(t, err)
	var got []string
	for _, ev := range events {
		got = append(got, ev.End.Sub(ev.Start).String())
	}
	assert.Equal(t, []string{"1h0m0s", "2h0m0s", "30m0s"}, got)
}

// A series costs what its window has, not what came before it.
func TestRulesJump(t *testing.T) {
	for _, rule := range []string{
		"FREQ=DAILY", "FREQ=DAILY;COUNT=1000000", "FREQ=DAILY;INTERVAL=3;COUNT=1000000", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
		"FREQ=MONTHLY;BYDAY=1MO", "FREQ=YEARLY", "FREQ=DAILY;BYDAY=MO,WE",
	} {
		r, err := parseRule(rule, moment{Time: utc("1000-01-01 09:00")}, nil)
		require.NoError(t, err)
		start, from := daysFromCivil(1000, 1, 1), daysFromCivil(2026, 3, 2)
		steps := 2000
		assert.True(t, r.days(start, from, from+6, &steps, func(int) bool { return true }), "%s takes more than 2000 steps", rule)
	}
}

// A rule with COUNT ends at the same day, whichever day the window begins with.
func TestCountInTheMiddle(t *testing.T) {
	for interval := 1; interval <= 3; interval++ {
		text := vcal("BEGIN:VEVENT", "UID:u", "DTSTART:20260302T090000Z", fmt.Sprint("RRULE:FREQ=DAILY;COUNT=10;INTERVAL=", interval), "END:VEVENT")
		all := starts(t, text, century)
		require.Len(t, all, 10)
		for from := 0; from < 40; from++ {
			w := calendar.Window{From: utc("2026-03-02 00:00").AddDate(0, 0, from), To: century.To}
			want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return utc(s).Before(w.From) })
			assert.Equal(t, want, starts(t, text, w), "from day %d", from)
		}
	}
}
