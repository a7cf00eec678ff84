package ics

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name, lines, start, end string
		allDay                  bool
	}{
		{"UTC", "DTSTART:20260302T090000Z\nDTEND:20260302T100000Z", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"IANA zone", "DTSTART;TZID=Europe/Oslo:20260702T090000\nDTEND;TZID=Europe/Oslo:20260702T100000", "2026-07-02 07:00", "2026-07-02 08:00", false},
		{"quoted zone", "DTSTART;TZID=\"Europe/Oslo\":20260302T090000\nDURATION:PT1H", "2026-03-02 08:00", "2026-03-02 09:00", false},
		{"Windows zone", "DTSTART;TZID=Eastern Standard Time:20260702T090000\nDURATION:PT1H", "2026-07-02 13:00", "2026-07-02 14:00", false},
		{"text for a zone", "DTSTART;TZID=\"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna\":20260702T090000\nDURATION:PT1H", "2026-07-02 07:00", "2026-07-02 08:00", false},
		{"text without quotes", "DTSTART;TZID=(UTC+01:00) Amsterdam, Berlin:20260702T090000\nDTEND;TZID=(UTC+01:00) Amsterdam, Berlin;VALUE=DATE-TIME:20260702T100000", "2026-07-02 07:00", "2026-07-02 08:00", false},
		{"not ASCII", "DTSTART;TZID=(UTC-03:00) Brasília:20260702T090000\nDURATION:PT1H", "2026-07-02 12:00", "2026-07-02 13:00", false},
		{"offset", "DTSTART;TZID=GMT+0100:20260302T090000\nDURATION:PT1H", "2026-03-02 08:00", "2026-03-02 09:00", false},
		{"UTC+11", "DTSTART;TZID=UTC+11:20260302T090000\nDURATION:PT1H", "2026-03-01 22:00", "2026-03-01 23:00", false},
		{"global zone", "DTSTART;TZID=/mozilla.example/20050126_1/Europe/Oslo:20260302T090000\nDURATION:PT1H", "2026-03-02 08:00", "2026-03-02 09:00", false},
		{"zone in DTSTART alone", "DTSTART;TZID=Europe/Oslo:20260302T090000\nDTEND:20260302T100000", "2026-03-02 08:00", "2026-03-02 09:00", false},
		{"zone and Z", "DTSTART;TZID=Europe/Oslo:20260302T090000Z\nDURATION:PT1H", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"floating", "DTSTART:20260302T090000\nDTEND:20260302T100000", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"date", "DTSTART;VALUE=DATE:20260302\nDTEND;VALUE=DATE:20260304", "2026-03-02 00:00", "2026-03-04 00:00", true},
		{"date without VALUE", "DTSTART:20260302", "2026-03-02 00:00", "2026-03-03 00:00", true},
		{"date with Z", "DTSTART:20260302Z\nDTEND:20260303Z", "2026-03-02 00:00", "2026-03-03 00:00", true},
		{"date with the same end", "DTSTART;VALUE=DATE:20260302\nDTEND;VALUE=DATE:20260302", "2026-03-02 00:00", "2026-03-03 00:00", true},
		{"date with a time in it", "DTSTART;VALUE=DATE:20260302T000000", "2026-03-02 00:00", "2026-03-03 00:00", true},
		{"all day by Outlook", "DTSTART:20260302T000000Z\nDTEND:20260303T000000Z\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE", "2026-03-02 00:00", "2026-03-03 00:00", true},
		{"not all day by Outlook", "DTSTART:20260302T090000Z\nDTEND:20260303T000000Z\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE", "2026-03-02 09:00", "2026-03-03 00:00", false},
		{"no end", "DTSTART:20260302T090000Z", "2026-03-02 09:00", "2026-03-02 09:00", false},
		{"empty end", "DTSTART:20260302T090000Z\nDTEND:", "2026-03-02 09:00", "2026-03-02 09:00", false},
		{"duration", "DTSTART:20260302T090000Z\nDURATION:P1DT2H30M", "2026-03-02 09:00", "2026-03-03 11:30", false},
		{"P1DT", "DTSTART:20260302T090000Z\nDURATION:P1DT", "2026-03-02 09:00", "2026-03-03 09:00", false},
		{"weeks", "DTSTART;VALUE=DATE:20260302\nDURATION:P1W", "2026-03-02 00:00", "2026-03-09 00:00", true},
		{"day of 23 hours", "DTSTART;TZID=Europe/Oslo:20260328T120000\nDURATION:P1D", "2026-03-28 11:00", "2026-03-29 10:00", false},
		{"24 hours", "DTSTART;TZID=Europe/Oslo:20260328T120000\nDURATION:PT24H", "2026-03-28 11:00", "2026-03-29 11:00", false},
		{"no seconds", "DTSTART:20260302T0900Z\nDURATION:PT1H", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"ISO 8601", "DTSTART:2026-03-02T09:00:00Z\nDTEND:2026-03-02T10:00:00.000Z", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"offset in the time", "DTSTART:20260302T100000+0100\nDURATION:PT1H", "2026-03-02 09:00", "2026-03-02 10:00", false},
		{"24:00", "DTSTART:20260302T230000Z\nDTEND:20260302T240000Z", "2026-03-02 23:00", "2026-03-03 00:00", false},
		{"leap second", "DTSTART:20260302T235960Z", "2026-03-02 23:59", "2026-03-02 23:59", false},
		{"time in a gap", "DTSTART;TZID=Europe/Oslo:20260329T023000\nDURATION:PT1H", "2026-03-29 01:30", "2026-03-29 02:30", false},
		{"time that is there twice", "DTSTART;TZID=Europe/Oslo:20261025T023000\nDURATION:PT1H", "2026-10-25 00:30", "2026-10-25 01:30", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := one(t, vcal("BEGIN:VEVENT", "UID:u", tt.lines, "END:VEVENT"))
			got := ev.Start.UTC().Format("2006-01-02 15:04") + " to " + ev.End.UTC().Format("2006-01-02 15:04")
			assert.Equal(t, tt.start+" to "+tt.end, got)
			assert.Equal(t, tt.allDay, ev.AllDay)
		})
	}
}

func TestFloatingTimes(t *testing.T) {
	floating := "BEGIN:VEVENT\nUID:u\nDTSTART:20260702T090000\nEND:VEVENT\nBEGIN:VEVENT\nUID:v\nDTSTART:20260702\nEND:VEVENT"
	oslo, err := time.LoadLocation("Europe/Oslo")
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		text string
		loc  *time.Location
		want string
	}{
		"UTC":           {vcal(floating), nil, "2026-07-02T09:00:00Z 2026-07-02T00:00:00Z"},
		"X-WR-TIMEZONE": {vcal("X-WR-TIMEZONE:America/New_York", floating), nil, "2026-07-02T09:00:00-04:00 2026-07-02T00:00:00-04:00"},
		"option":        {vcal("X-WR-TIMEZONE:America/New_York", floating), oslo, "2026-07-02T09:00:00+02:00 2026-07-02T00:00:00+02:00"},
		"unknown":       {vcal("X-WR-TIMEZONE:Nowhere", floating), nil, "2026-07-02T09:00:00Z 2026-07-02T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Decode(strings.NewReader(tt.text), &Options{Location: tt.loc})
			require.NoError(t, err)
			all := c.Series("")
			assert.Equal(t, tt.want, all[0].Event.Start.Format(time.RFC3339)+" "+all[1].Event.Start.Format(time.RFC3339))
		})
	}
}

// A zone that only its VTIMEZONE defines, with the rules of Central Europe in
// the form in which Exchange writes them.
const customZone = `BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE`

func TestVTimezone(t *testing.T) {
	event := func(tzid, at string) string {
		return "BEGIN:VEVENT\nUID:u\nDTSTART;TZID=" + tzid + ":" + at + "\nEND:VEVENT"
	}
	for _, tt := range []struct{ name, text, want string }{
		{"winter", vcal(customZone, event("Customized Time Zone", "20260115T120000")), "2026-01-15 11:00"},
		{"summer", vcal(customZone, event("Customized Time Zone", "20260715T120000")), "2026-07-15 10:00"},
		{"before the change", vcal(customZone, event("Customized Time Zone", "20260329T015959")), "2026-03-29 00:59"},
		{"after the change", vcal(customZone, event("Customized Time Zone", "20260329T030000")), "2026-03-29 01:00"},
		{"defined after it is used", vcal(event("Customized Time Zone", "20260715T120000"), customZone), "2026-07-15 10:00"},
		{"IANA name wins", vcal(strings.ReplaceAll(customZone, "Customized Time Zone", "Asia/Tokyo"), event("Asia/Tokyo", "20260715T120000")), "2026-07-15 03:00"},
		{"text with two offsets", vcal(strings.ReplaceAll(customZone, "Customized Time Zone", "GMT +0100 (Standard) / GMT +0200 (Daylight)"), event("GMT +0100 (Standard) / GMT +0200 (Daylight)", "20260715T120000")), "2026-07-15 10:00"},
		{"text with an offset and VTIMEZONE", vcal(strings.ReplaceAll(customZone, "Customized Time Zone", "(UTC+01:00) Somewhere"), event(`"(UTC+01:00) Somewhere"`, "20260715T120000")), "2026-07-15 10:00"},
		{"one observance", vcal("BEGIN:VTIMEZONE\nTZID:Zone\nBEGIN:STANDARD\nDTSTART:20300101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0530\nEND:STANDARD\nEND:VTIMEZONE", event("Zone", "20260715T120000")), "2026-07-15 06:30"},
		{"rule with an end", vcal(strings.Replace(customZone, "BYMONTH=3", "BYMONTH=3;UNTIL=20250101T000000Z", 1), event("Customized Time Zone", "20260715T120000")), "2026-07-15 11:00"},
		{"rule that ends with the last change", vcal(strings.Replace(customZone, "BYMONTH=3", "BYMONTH=3;UNTIL=20260329T010000Z", 1), event("Customized Time Zone", "20260715T120000")), "2026-07-15 10:00"},
		{"dates", vcal("BEGIN:VTIMEZONE\nTZID:Zone\nBEGIN:STANDARD\nDTSTART:20200101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:20250501T000000\nRDATE:20260501T000000,20270501T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0300\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:20251001T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE", event("Zone", "20260715T120000")), "2026-07-15 09:00"},
		{"second VTIMEZONE is no other", vcal(customZone, strings.ReplaceAll(customZone, "+0100", "+0900"), event("Customized Time Zone", "20260115T120000")), "2026-01-15 11:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, one(t, tt.text).Start.UTC().Format("2006-01-02 15:04"))
		})
	}
}

// The zone that is made of a VTIMEZONE is the one of the database, at every
// hour of some years.
func TestVTimezoneEqualsDatabase(t *testing.T) {
	c := decode(t, vcal(customZone, "BEGIN:VEVENT\nUID:u\nDTSTART;TZID=Customized Time Zone:20260101T000000\nEND:VEVENT"))
	custom := c.events[0].start.Location()
	require.Equal(t, "Customized Time Zone", custom.String())
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for at := utc("2000-01-01 00:00"); at.Year() < 2040; at = at.Add(time.Hour) {
		_, want := at.In(berlin).Zone()
		if _, got := at.In(custom).Zone(); got != want {
			t.Fatalf("at %v the offset is %d, not %d", at, got, want)
		}
	}
}
