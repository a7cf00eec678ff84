package ics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// vcal puts lines into a VCALENDAR.
func vcal(lines ...string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\n" + strings.Join(lines, "\n") + "\nEND:VCALENDAR\n"
}

// vev puts lines into a VEVENT on 2026-03-02 from 9 to 10 UTC, within a VCALENDAR.
func vev(lines ...string) string {
	return vcal("BEGIN:VEVENT", "UID:u", "DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", strings.Join(lines, "\n"), "END:VEVENT")
}

func decode(t *testing.T, text string) *Calendar {
	t.Helper()
	c, err := Decode(strings.NewReader(text), nil)
	require.NoError(t, err)
	return c
}

// one decodes data with a single good event.
func one(t *testing.T, text string) calendar.Event {
	t.Helper()
	all := decode(t, text).Series("")
	require.Len(t, all, 1)
	require.NoError(t, all[0].Err)
	return all[0].Event
}

func utc(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestWholeEvent(t *testing.T) {
	got := one(t, vcal(
		"METHOD:REQUEST",
		"BEGIN:VEVENT",
		"UID:040000008200E0-1",
		"DTSTAMP:20260301T080000Z",
		"LAST-MODIFIED:20260228T070000Z",
		"SEQUENCE:3",
		"DTSTART;TZID=W. Europe Standard Time:20260302T100000",
		"DTEND;TZID=W. Europe Standard Time:20260302T110000",
		"SUMMARY;LANGUAGE=en:Budget, review and plan\\; part 2",
		`LOCATION:Room 1, Building 2\, "North"`,
		`DESCRIPTION:Hello\nagenda\: one\, two\Nend\\x`,
		"X-ALT-DESC;FMTTYPE=text/html:<p>Hello</p>",
		`ORGANIZER;CN="Alm; Ada":MAILTO:ada@example.com`,
		"ATTENDEE;CN=Fjord;CUTYPE=ROOM;PARTSTAT=TENTATIVE:mailto:fjord@example.com",
		"CLASS:PRIVATE",
		"STATUS:CONFIRMED",
		"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",
		"X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example.com/l/meetup-join/19%3ameeting_x",
		"X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL:https://update.example.com/1",
		"CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://video.example.com/1",
		"CONFERENCE;VALUE=URI;FEATURE=PHONE:tel:+15550100",
		"URL:https://events.example.com/7",
		"X-GOOGLE-CONFERENCE:https://meet.example.com/abc",
		"CONTACT:40000123@org.call.example",
		"BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder", "TRIGGER:-PT15M", "END:VALARM",
		"END:VEVENT"))
	assert.NotEmpty(t, got.Revision)
	got.Revision = ""
	want := calendar.Event{
		ID: "040000008200E0-1", UID: "040000008200E0-1",
		Subject:   "Budget, review and plan; part 2",
		Organizer: calendar.Person{Name: "Alm; Ada", Email: "ada@example.com"},
		Start:     utc("2026-03-02 09:00"), End: utc("2026-03-02 10:00"),
		Sensitivity: calendar.Private,
		Location:    `Room 1, Building 2, "North"`,
		Body:        calendar.Body{Plain: "Hello\nagenda: one, two\nend\\x", HTML: "<p>Hello</p>"},
		Links: []calendar.Link{
			{URI: "https://teams.example.com/l/meetup-join/19%3ameeting_x", Source: "X-MICROSOFT-SKYPETEAMSMEETINGURL"},
			{URI: "https://video.example.com/1", Source: calendar.SourceConference},
			{URI: "tel:+15550100", Source: calendar.SourceConference},
			{URI: "https://events.example.com/7", Source: calendar.SourceURL},
			{URI: "https://meet.example.com/abc", Source: calendar.SourceGoogleMeet},
		},
		Properties: map[string]string{
			"CONTACT":                                "40000123@org.call.example",
			"X-MICROSOFT-CDO-BUSYSTATUS":             "TENTATIVE",
			"X-MICROSOFT-SKYPETEAMSMEETINGURL":       "https://teams.example.com/l/meetup-join/19%3ameeting_x",
			"X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL": "https://update.example.com/1",
			"X-GOOGLE-CONFERENCE":                    "https://meet.example.com/abc",
		},
		Modified: utc("2026-02-28 07:00"),
	}
	assert.Empty(t, cmp.Diff(want, got))
}

// What real calendars contain, and what has to come of it.
func TestRepairs(t *testing.T) {
	const crlf = "\r\n"
	for _, tt := range []struct {
		name, text, subject string
	}{
		{"byte order mark", "\ufeff" + vev("SUMMARY:ok"), "ok"},
		{"CRLF", strings.ReplaceAll(vev("SUMMARY:ok"), "\n", crlf), "ok"},
		{"CR", strings.ReplaceAll(vev("SUMMARY:ok"), "\n", "\r"), "ok"},
		{"mixed line ends", strings.Replace(strings.Replace(vev("SUMMARY:ok"), "\n", crlf, 2), "\nSUMMARY", "\rSUMMARY", 1), "ok"},
		{"CR CR LF", strings.ReplaceAll(vev("SUMMARY:o\n k"), "\n", "\r\r\n"), "ok"},
		{"folded", vev("SUMMARY:on", " e", "\t two"), "one two"},
		{"folded within a character", vev("SUMMARY:m\xc3", " \xb8te"), "møte"},
		{"folded with empty lines", vev("SUMMARY:on", "", "", " e"), "one"},
		{"folded name", vev("SUMM", " ARY:ok"), "ok"},
		{"line end in a text", vev("SUMMARY:one", "Passcode: 12", "", "https://x.example/1", "LOCATION:l"), "one\nPasscode: 12\n\nhttps://x.example/1"},
		{"a word like a property in a text", vev("SUMMARY:one", "Location: Oslo", "END: 10", "LOCATION:l"), "one\nLocation: Oslo\nEND: 10"},
		{"no colon", vev("GARBAGE", "SUMMARY:ok", "DTSTART;X"), "ok"},
		{"no colon after another property", vev("PRIORITY:1", "GARBAGE", "SUMMARY:ok"), "ok"},
		{"parameter without value", vev("SUMMARY;X=1;Y:ok"), "ok"},
		{"quote that is not closed", vev(`SUMMARY;X="1:ok`), "ok"},
		{"text after a quote", vev(`ATTENDEE;CN="a"b:mailto:a@example.com`, "SUMMARY:ok"), "ok"},
		{"NUL and control characters", vev("SUMMARY:o\x00k\x07"), "ok"},
		{"Windows-1252", vev("SUMMARY:M\xf8te"), "Møte"},
		{"bad byte in UTF-8", vev("SUMMARY:ø\xff"), "ø\ufffd"},
		{"lower case", strings.ToLower(vev("summary:ok")), "ok"},
		{"mixed case", strings.ReplaceAll(vev("Summary:ok"), "BEGIN:VEVENT", "Begin:vevent"), "ok"},
		{"VEVENT alone", strings.TrimPrefix(strings.TrimSuffix(vev("SUMMARY:ok"), "END:VCALENDAR\n"), "BEGIN:VCALENDAR\nVERSION:2.0\n"), "ok"},
		{"END:VCALENDARD", vev("SUMMARY:ok") + "END:VCALENDARD\n", "ok"},
		{"wrong END of the event", strings.Replace(vev("SUMMARY:ok"), "END:VEVENT", "END:VEVNT", 1), "ok"},
		{"no END of the event", strings.Replace(vev("SUMMARY:ok"), "END:VEVENT\n", "", 1), "ok"},
		{"no END of the alarm", vev("SUMMARY:ok", "BEGIN:VALARM", "SUMMARY:no"), "ok"},
		{"stray END", vev("SUMMARY:ok", "END:VALARM", "END:VTODO"), "ok"},
		{"unknown component", vev("BEGIN:X-THING", "SUMMARY:no", "END:X-THING", "SUMMARY:ok"), "ok"},
		{"unknown root", "BEGIN:MYCOMP\n" + vev("SUMMARY:ok") + "END:MYCOMP\n", "ok"},
		{"text before", "HTTP says hello\n\n" + vev("SUMMARY:ok"), "ok"},
		{"escapes", vev(`SUMMARY:a\34b\;c\,d\"e\`), `a\34b;c,d"e\`},
		{"quoted-printable", vev("SUMMARY;ENCODING=QUOTED-PRINTABLE:M=C3=B8te=", "r om"), "Møter om"},
		{"base64", vev("SUMMARY;ENCODING=BASE64:TcO4dGU="), "Møte"},
		{"spaces around", vev("SUMMARY :  ok  "), "ok"},
		{"empty parameter", vev("SUMMARY;:ok"), "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := one(t, tt.text)
			assert.Equal(t, tt.subject, ev.Subject)
			assert.Equal(t, utc("2026-03-02 09:00"), ev.Start)
		})
	}
}

func TestUTF16(t *testing.T) {
	for name, enc := range map[string]unicode.Endianness{"big endian": unicode.BigEndian, "little endian": unicode.LittleEndian} {
		for _, bom := range []unicode.BOMPolicy{unicode.UseBOM, unicode.IgnoreBOM} {
			if enc == unicode.BigEndian && bom == unicode.IgnoreBOM {
				continue
			}
			b, err := unicode.UTF16(enc, bom).NewEncoder().Bytes([]byte(vev("SUMMARY:Møte")))
			require.NoError(t, err)
			assert.Equal(t, "Møte", one(t, string(b)).Subject, name)
		}
	}
}

func TestSeveralCalendars(t *testing.T) {
	a := vev("SUMMARY:a")
	b := strings.ReplaceAll(vev("SUMMARY:b"), "UID:u", "UID:v")
	for name, text := range map[string]string{
		"after each other": a + b,
		"without an END":   strings.ReplaceAll(a, "END:VCALENDAR\n", "") + b,
		"in each other":    strings.Replace(a, "END:VCALENDAR\n", b+"END:VCALENDAR\n", 1),
	} {
		t.Run(name, func(t *testing.T) {
			all := decode(t, text).Series("")
			require.Len(t, all, 2)
			assert.Equal(t, "a", all[0].Event.Subject)
			assert.Equal(t, "b", all[1].Event.Subject)
		})
	}
	// METHOD and zones are those of the calendar that an event is in.
	c := decode(t, vcal("METHOD:CANCEL", "BEGIN:VEVENT", "UID:1", "DTSTART:20260302T090000Z", "END:VEVENT")+a).Series("")
	assert.Equal(t, calendar.Cancelled, c[0].Event.Status)
	assert.Equal(t, calendar.Confirmed, c[1].Event.Status)
}

// One bad event is an error with its UID and line, and the others are read.
func TestBadEvents(t *testing.T) {
	for _, tt := range []struct{ name, lines, want string }{
		{"no DTSTART", "SUMMARY:x", "it has no DTSTART"},
		{"DTSTART without a colon", "DTSTART;X=1", "it has no DTSTART"},
		{"bad DTSTART", "DTSTART:tomorrow", `DTSTART: "tomorrow" is not a date or time`},
		{"no such day", "DTSTART:20260230T090000Z", "is not a date or time"},
		{"no such hour", "DTSTART:20260202T250000Z", "is not a date or time"},
		{"bad DTEND", "DTSTART:20260302T090000Z\nDTEND:x", "DTEND:"},
		{"bad DURATION", "DTSTART:20260302T090000Z\nDURATION:1 hour", `DURATION: "1 hour" is not a duration`},
		{"negative DURATION", "DTSTART:20260302T090000Z\nDURATION:-PT1H", "is negative"},
		{"end before start", "DTSTART:20260302T090000Z\nDTEND:20260302T080000Z", "is before DTSTART"},
		{"longer than ten years", "DTSTART:20260302T090000Z\nDTEND:20560302T080000Z", "longer than"},
		{"unknown zone", "DTSTART;TZID=Nowhere/Middle:20260302T090000", `unknown time zone "Nowhere/Middle", and no VTIMEZONE defines it`},
		{"broken VTIMEZONE", "DTSTART;TZID=Broken:20260302T090000", `VTIMEZONE "Broken": an observance without a valid TZOFFSETTO`},
		{"bad RECURRENCE-ID", "DTSTART:20260302T090000Z\nRECURRENCE-ID:x", "RECURRENCE-ID:"},
		{"hourly", "DTSTART:20260302T090000Z\nRRULE:FREQ=HOURLY", "FREQ=HOURLY is not supported"},
		{"BYYEARDAY", "DTSTART:20260302T090000Z\nRRULE:FREQ=YEARLY;BYYEARDAY=1", "BYYEARDAY is not supported"},
		{"BYWEEKNO", "DTSTART:20260302T090000Z\nRRULE:FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not supported"},
		{"BYHOUR", "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY;BYHOUR=9,15", "BYHOUR=9,15 is not supported"},
		{"RSCALE", "DTSTART:20260302T090000Z\nRRULE:RSCALE=CHINESE;FREQ=YEARLY", "RSCALE=CHINESE is not supported"},
		{"bad FREQ", "DTSTART:20260302T090000Z\nRRULE:FREQ=OFTEN", "FREQ=OFTEN is unknown"},
		{"no FREQ", "DTSTART:20260302T090000Z\nRRULE:COUNT=3", "FREQ is missing"},
		{"bad BYDAY", "DTSTART:20260302T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=XX", `"XX" is no day`},
		{"numbered day in a week", "DTSTART:20260302T090000Z\nRRULE:FREQ=WEEKLY;BYDAY=2MO", "BYDAY with a number"},
		{"vCalendar rule", "DTSTART:20260302T090000Z\nRRULE:D1 #10", "has no value"},
		{"EXRULE", "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY", "EXRULE"},
		{"bad EXDATE", "DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY\nEXDATE:x", "EXDATE:"},
		{"bad RDATE", "DTSTART:20260302T090000Z\nRDATE:20260303T090000Z/x", "RDATE:"},
		{"from there on", "DTSTART:20260302T090000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000Z", "THISANDFUTURE"},
		{"too many occurrences", "DTSTART:18000101T090000Z\nDURATION:P3660D\nRRULE:FREQ=DAILY\nEXDATE:20260302T090000Z", "it has more than 2000 occurrences in the window"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := "BEGIN:VTIMEZONE\nTZID:Broken\nBEGIN:STANDARD\nDTSTART:20200101T000000\nEND:STANDARD\nEND:VTIMEZONE"
			good := "BEGIN:VEVENT\nUID:%s\nDTSTART:20260303T090000Z\nEND:VEVENT"
			c := decode(t, vcal(broken, fmt.Sprintf(good, "a"), "BEGIN:VEVENT\nUID:bad", tt.lines, "END:VEVENT", fmt.Sprintf(good, "b")))
			events, err := c.Events(t.Context(), "", anyWeek)
			require.Len(t, events, 2)
			var partial *calendar.PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, partial.Bad, 1)
			assert.Equal(t, "bad", partial.Bad[0].UID)
			assert.Equal(t, 13, partial.Bad[0].Line)
			assert.ErrorContains(t, partial.Bad[0], tt.want)
		})
	}
}

func TestHalfAFile(t *testing.T) {
	whole := vcal("BEGIN:VEVENT\nUID:a\nDTSTART:20260303T090000Z\nEND:VEVENT", "BEGIN:VEVENT\nUID:b\nDTSTART:20260304T090000Z\nSUMMARY:long text\nEND:VEVENT")
	inside := whole[:strings.Index(whole, "long")]
	events, err := decode(t, inside).Events(t.Context(), "", anyWeek)
	require.Len(t, events, 1)
	assert.ErrorContains(t, err, `event UID "b", line 7: the data ends inside this event`)
	all := decode(t, inside).Series("")
	require.Len(t, all, 2)
	assert.NoError(t, all[0].Err)
	assert.ErrorContains(t, all[1].Err, "ends inside")

	between := whole[:strings.Index(whole, "BEGIN:VEVENT\nUID:b")]
	events, err = decode(t, between).Events(t.Context(), "", anyWeek)
	require.Len(t, events, 1)
	assert.ErrorContains(t, err, "line 6: the data ends without END:VCALENDAR: events may be missing")
	assert.Len(t, decode(t, between).Series(""), 1)
}

func TestNoCalendar(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "the calendar is empty",
		" \r\n\t ":               "the calendar is empty",
		"<html>sign in</html>":   "not an iCalendar file",
		"BEGIN:VCARD\nEND:VCARD": "not an iCalendar file",
		"\x00\x01\x02\xff":       "not an iCalendar file",
	} {
		_, err := Decode(strings.NewReader(text), nil)
		assert.ErrorContains(t, err, want, "%q", text)
	}
	_, err := Decode(failingReader{}, nil)
	assert.ErrorIs(t, err, errDisk)
	c := decode(t, "BEGIN:VCALENDAR\nEND:VCALENDAR\n")
	events, err := c.Events(t.Context(), "", anyWeek)
	assert.NoError(t, err)
	assert.Empty(t, events)
}

var errDisk = errors.New("disk")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errDisk }

func TestPeople(t *testing.T) {
	for line, want := range map[string]calendar.Person{
		"ORGANIZER:mailto:a@example.com":                              {Email: "a@example.com"},
		"ORGANIZER:MAILTO:a@example.com":                              {Email: "a@example.com"},
		"ORGANIZER;CN=Ada: Alm:mailto:a@example.com":                  {Name: "Ada", Email: "a@example.com"},
		"ORGANIZER;CN=Ada;EMAIL=a@example.com:urn:uuid:1":             {Name: "Ada", Email: "a@example.com"},
		"ORGANIZER:a@example.com":                                     {Email: "a@example.com"},
		"ORGANIZER;CN=Ada:invalid:nomail":                             {Name: "Ada"},
		"ORGANIZER;CN=Ada":                                            {},
		`ORGANIZER;CN="";SENT-BY="mailto:x@y.z":mailto:a@b.c`:         {Email: "a@b.c"},
		"ORGANIZER;CN=\"Ada, Room\":mailto:<a@example.com>":           {Name: "Ada, Room", Email: "a@example.com"},
		"ORGANIZER;CN=" + strings.Repeat("x", 5000) + ":mailto:a@b.c": {Email: "a@b.c"},
	} {
		assert.Equal(t, want, one(t, vev(line)).Organizer, line)
	}
}

func TestStatusAndSensitivity(t *testing.T) {
	for lines, want := range map[string]calendar.Status{
		"":                                     calendar.Confirmed,
		"STATUS:CONFIRMED":                     calendar.Confirmed,
		"STATUS:CANCELLED":                     calendar.Cancelled,
		"STATUS:canceled":                      calendar.Cancelled,
		"STATUS:TENTATIVE":                     calendar.Tentative,
		"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE": calendar.Tentative,
		"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:BUSY": calendar.Confirmed,
		"STATUS:CONFIRMED\nX-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE":                    calendar.Confirmed,
	} {
		assert.Equal(t, want, one(t, vev(lines)).Status, lines)
	}
	for class, want := range map[string]calendar.Sensitivity{
		"": calendar.Normal, "PUBLIC": calendar.Normal, "private": calendar.Private, "CONFIDENTIAL": calendar.Confidential,
		"X-PERSONAL": calendar.Personal, "X-SECRET": calendar.Private,
	} {
		assert.Equal(t, want, one(t, vev("CLASS:"+class)).Sensitivity, class)
	}
}

func TestResponse(t *testing.T) {
	c := decode(t, vev("ORGANIZER:mailto:ada@example.com",
		"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com",
		"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:c@example.com", "ATTENDEE:mailto:d@example.com", "ATTENDEE;PARTSTAT=DELEGATED:mailto:e@example.com"))
	for mailbox, want := range map[string]calendar.Response{
		"ada@example.com": calendar.Organizer, "A@Example.com": calendar.Accepted, "b@example.com": calendar.Declined,
		"c@example.com": calendar.NotResponded, "d@example.com": calendar.NotResponded, "e@example.com": calendar.ResponseUnknown, "": calendar.ResponseUnknown, "x@example.com": calendar.ResponseUnknown,
	} {
		events, err := c.Events(t.Context(), mailbox, anyWeek)
		require.NoError(t, err)
		assert.Equal(t, want, events[0].Response, mailbox)
		assert.Equal(t, want, c.Series(mailbox)[0].Event.Response, mailbox)
	}
}

func TestBodies(t *testing.T) {
	for _, tt := range []struct {
		name, lines string
		want        calendar.Body
	}{
		{"plain", `DESCRIPTION:a\nb <https://x.example>`, calendar.Body{Plain: "a\nb <https://x.example>"}},
		{"html", "X-ALT-DESC;FMTTYPE=text/html:<b>a</b>", calendar.Body{HTML: "<b>a</b>"}},
		{"html without its type", "X-ALT-DESC:<b>a</b>", calendar.Body{HTML: "<b>a</b>"}},
		{"html in DESCRIPTION", "DESCRIPTION:a<br>b", calendar.Body{HTML: "a<br>b"}},
		{"html in both", "DESCRIPTION:a<br>b\nX-ALT-DESC;FMTTYPE=text/html:<b>a</b>", calendar.Body{HTML: "<b>a</b>\na<br>b"}},
		{"html in DESCRIPTION by its type", "DESCRIPTION;FMTTYPE=text/html:<b>a</b>", calendar.Body{HTML: "<b>a</b>"}},
		{"ALTREP", `DESCRIPTION;ALTREP="data:text/html,%3Cb%3Ea%3C%2Fb%3E%0Ac":a`, calendar.Body{Plain: "a", HTML: "<b>a</b>\nc"}},
		{"ALTREP in base64", `DESCRIPTION;ALTREP="data:text/html;base64,PGI+YTwvYj4=":a`, calendar.Body{Plain: "a", HTML: "<b>a</b>"}},
		{"ALTREP elsewhere", `DESCRIPTION;ALTREP="cid:1":a`, calendar.Body{Plain: "a"}},
		{"RFC 9073", "STYLED-DESCRIPTION;FMTTYPE=text/html:<i>a</i>\nDESCRIPTION:a", calendar.Body{Plain: "a", HTML: "<i>a</i>"}},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, one(t, vev(tt.lines)).Body) })
	}
}

func TestRevision(t *testing.T) {
	revision := func(lines ...string) string { return one(t, vev(lines...)).Revision }
	base := revision("SUMMARY:a")
	assert.NotEmpty(t, base)
	assert.Equal(t, base, revision("SUMMARY:a", "DTSTAMP:20260101T000000Z"), "DTSTAMP changes with each export")
	for _, lines := range [][]string{{"SUMMARY:b"}, {"SUMMARY:a", "SEQUENCE:1"}, {"SUMMARY:a", "X-A:1"}, {"SUMMARY:a", "BEGIN:VALARM", "END:VALARM", "LOCATION:l"}} {
		assert.NotEqual(t, base, revision(lines...), lines)
	}
}
