package invite

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

const event = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u1\r\nSUMMARY:Møte 会議\r\nDTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\nLOCATION:Room\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func read(t *testing.T, name, text string) []Item {
	t.Helper()
	items, err := Read(name, strings.NewReader(text), nil)
	require.NoError(t, err)
	return items
}

// single reads a single good item.
func single(t *testing.T, name, text string) calendar.Event {
	t.Helper()
	items := read(t, name, text)
	require.Len(t, items, 1)
	require.NoError(t, items[0].Err)
	return items[0].Event
}

// mailOf makes a mail of a header and body.
func mailOf(header, body string) string {
	if header != "" {
		header += "\n"
	}
	return "From: =?utf-8?q?Ada_Alm?= <ada@example.com>\nTo: fjord@example.com\nSubject: =?iso-8859-1?q?M=F8te?=\nMIME-Version: 1.0\n" + header + "\n" + body
}

// multi makes a multipart body. Each part has its header and body.
func multi(parts ...string) string {
	return "Preamble\n--b1\n" + strings.Join(parts, "\n--b1\n") + "\n--b1--\nEpilogue\n"
}

const mixed = "Content-Type: multipart/mixed; boundary=b1"

func TestMailWithCalendarPart(t *testing.T) {
	for name, part := range map[string]string{
		"8 bit":            "Content-Type: text/calendar; method=REQUEST; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n" + event,
		"base64":           "Content-Type: text/calendar; charset=utf-8\nContent-Transfer-Encoding: BASE64\n\n" + wrap(base64.StdEncoding.EncodeToString([]byte(event))),
		"quoted-printable": "Content-Type: text/calendar\nContent-Transfer-Encoding: quoted-printable\n\n" + quoted(event),
		"ISO-2022-JP":      "Content-Type: text/calendar; charset=iso-2022-jp\n\n" + encode(t, "iso-2022-jp", strings.ReplaceAll(event, "ø", "o")),
		"UTF-16":           "Content-Type: text/calendar; charset=utf-16\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(encode(t, "utf-16le", event))),
		"attachment":       "Content-Type: application/octet-stream; name=\"invite.ics\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n" + wrap(base64.StdEncoding.EncodeToString([]byte(event))),
		"application/ics":  "Content-Type: application/ics\n\n" + event,
		"unknown charset":  "Content-Type: text/calendar; charset=x-unknown\n\n" + event,
		"bad parameters":   "Content-Type: text/calendar; charset=utf-8; name=a b; ;=\n\n" + event,
		"bad header line":  "This is no header\nContent-Type: text/calendar\n\n" + event,
	} {
		t.Run(name, func(t *testing.T) {
			ev := single(t, "a.eml", mailOf(mixed, multi("Content-Type: text/html; charset=utf-8\n\n<p>Hello</p>", part)))
			assert.Equal(t, "u1", ev.UID)
			assert.Equal(t, "Møte 会議", strings.Replace(ev.Subject, "Mote", "Møte", 1))
			assert.Equal(t, "<p>Hello</p>", ev.Body.HTML)
			assert.Equal(t, calendar.Person{Name: "Ada Alm", Email: "ada@example.com"}, ev.Organizer)
		})
	}
}

func wrap(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 76 {
		b.WriteString(s[i:min(i+76, len(s))] + "\r\n")
	}
	return b.String()
}

func quoted(s string) string {
	var b strings.Builder
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			b.WriteByte(c)
			n = 0
			continue
		case c == '=' || c >= 0x7f:
			fmt.Fprintf(&b, "=%02X", c)
		default:
			b.WriteByte(c)
		}
		if n++; n%20 == 0 {
			b.WriteString("=\r\n")
		}
	}
	return b.String()
}

func encode(t *testing.T, charset, s string) string {
	t.Helper()
	enc, err := htmlindex.Get(charset)
	require.NoError(t, err)
	out, err := enc.NewEncoder().String(s)
	require.NoError(t, err)
	return out
}

func TestMailForms(t *testing.T) {
	calendarPart := "Content-Type: text/calendar\n\n" + event
	withText := strings.Replace(event, "LOCATION:Room", "LOCATION:Room\r\nDESCRIPTION:from the event", 1)
	for _, tt := range []struct {
		name, text  string
		plain, html string
	}{
		{"calendar alone", mailOf("Content-Type: text/calendar", event), "", ""},
		{"both texts", mailOf(mixed, multi("Content-Type: text/plain\n\nplain", "Content-Type: text/html\n\n<b>html</b>", calendarPart)), "plain", "<b>html</b>"},
		{"the event's text first", mailOf(mixed, multi("Content-Type: text/plain\n\nplain", "Content-Type: text/html\n\n<b>html</b>", "Content-Type: text/calendar\n\n"+withText)), "from the event", "<b>html</b>"},
		{"two plain texts", mailOf(mixed, multi("Content-Type: text/plain\n\nplain", "Content-Type: text/calendar\n\n"+withText)), "from the event\n\nplain", ""},
		{"the same plain text", mailOf(mixed, multi("Content-Type: text/plain\n\nfrom  the\nevent", "Content-Type: text/calendar\n\n"+withText)), "from the event", ""},
		{"part and attachment", mailOf(mixed, multi(calendarPart, "Content-Type: application/ics; name=invite.ics\n\n"+event)), "", ""},
		{"nested", mailOf(mixed, multi("Content-Type: multipart/alternative; boundary=\"b 2\"\n\n--b 2\n\nplain\n--b 2\n"+calendarPart+"\n--b 2--")), "plain", ""},
		{"no last boundary", mailOf(mixed, "--b1\nContent-Type: text/plain\n\nplain\n--b1\n"+calendarPart), "plain", ""},
		{"no boundary parameter", mailOf("Content-Type: multipart/mixed", multi("Content-Type: text/plain\n\nplain", calendarPart)), "plain", ""},
		{"forwarded", mailOf(mixed, multi("Content-Type: text/plain\n\nFYI", "Content-Type: message/rfc822\n\n"+mailOf(strings.ReplaceAll(mixed, "b1", "b3"), "--b3\n\ninner\n--b3\n"+calendarPart+"\n--b3--"))), "inner", ""},
		{"forwarded in base64", mailOf(mixed, strings.ReplaceAll(multi("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"+wrap(base64.StdEncoding.EncodeToString([]byte(mailOf(strings.ReplaceAll(mixed, "b1", "b3"), "--b3\n\ninner\n--b3\n"+calendarPart+"\n--b3--"))))), "Preamble", "")), "inner", ""},
		{"forwarded as a file", mailOf(mixed, multi("Content-Type: application/octet-stream; name=\"a.eml\"\n\n"+mailOf("Content-Type: text/calendar", event))), "", ""},
		{"winmail.dat beside", mailOf(mixed, multi(calendarPart, "Content-Type: application/ms-tnef; name=winmail.dat\n\nx")), "", ""},
		{"mbox", "From ada@example.com Mon Mar  2 09:00:00 2026\n" + mailOf("Content-Type: text/calendar", event), "", ""},
		{"CRLF", strings.ReplaceAll(strings.ReplaceAll(mailOf(mixed, multi("Content-Type: text/plain\n\nplain", calendarPart)), "\r\n", "\n"), "\n", "\r\n"), "plain", ""},
		{"attached page is no body", mailOf(mixed, multi("Content-Type: text/html\nContent-Disposition: attachment; filename=a.html\n\nno", calendarPart)), "", ""},
		{"attached text is no body", mailOf(mixed, multi("Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nno", calendarPart)), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := single(t, "a.EML", tt.text)
			assert.Equal(t, "u1", ev.UID)
			assert.Equal(t, tt.plain, ev.Body.Plain)
			assert.Equal(t, tt.html, ev.Body.HTML)
		})
	}
}

func TestMailWithoutCalendar(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       calendar.Body
	}{
		{"plain", mailOf("", "join at https://x.example"), calendar.Body{Plain: "join at https://x.example"}},
		{"html", mailOf("Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable", "<p>M=F8te=\r\n</p>"), calendar.Body{HTML: "<p>Møte</p>"}},
		{"charset in the page", mailOf("Content-Type: text/html", "<meta charset=windows-1251><p>\xcf\xf0\xe8</p>"), calendar.Body{HTML: "<meta charset=windows-1251><p>При</p>"}},
		{"bad escapes", mailOf("Content-Transfer-Encoding: quoted-printable", "a=ZZ b=3Dc ="), calendar.Body{Plain: "a=ZZ b=c "}},
		{"flowed", mailOf("Content-Type: text/plain; format=flowed", "one \ntwo\n three\n-- \nsig"), calendar.Body{Plain: "one two\nthree\n-- \nsig"}},
		{"flowed with DelSp", mailOf("Content-Type: text/plain; format=flowed; DelSp=yes", "https://x.example/ab \ncd"), calendar.Body{Plain: "https://x.example/abcd"}},
		{"inner mail", mailOf(mixed, multi("Content-Type: message/rfc822\n\n"+mailOf("", "inner"))), calendar.Body{Plain: "inner"}},
		{"inner mail below a text", mailOf(mixed, multi("Content-Type: text/plain\n\nsee below", "Content-Type: message/rfc822\n\n"+mailOf("", "one\ntwo"))), calendar.Body{Plain: "see below\n\n> one\n> two"}},
		{"inner HTML below a text", mailOf(mixed, multi("Content-Type: text/plain\n\na < b", "Content-Type: message/rfc822\n\n"+mailOf("Content-Type: text/html", "<p>in</p>"))),
			calendar.Body{Plain: "a < b", HTML: "<pre>a &lt; b</pre>\n<blockquote type=\"cite\"><p>in</p></blockquote>"}},
		{"inner mail below HTML", mailOf(mixed, multi("Content-Type: text/html\n\n<p>out</p>", "Content-Type: message/rfc822\n\n"+mailOf("", "one & two"))),
			calendar.Body{HTML: "<p>out</p>\n<blockquote type=\"cite\"><pre>one &amp; two</pre></blockquote>"}},
		{"several below a text", mailOf(mixed, multi("Content-Type: text/plain\n\nout", "Content-Type: message/rfc822\n\n"+mailOf("", "one"), "Content-Type: message/rfc822\n\n"+mailOf("Content-Type: text/html", "<p>two</p>"))),
			calendar.Body{Plain: "out\n\n> one", HTML: "<pre>out</pre>\n<blockquote type=\"cite\"><pre>one</pre></blockquote>\n<blockquote type=\"cite\"><p>two</p></blockquote>"}},
		{"cut base64", mailOf("Content-Transfer-Encoding: base64", "aGVsbG8gd29ybGQ9"[:10]), calendar.Body{Plain: "hello w"}},
		{"no text", mailOf("Content-Type: image/png", "x"), calendar.Body{}},
		{"UTF-16 file", encode(t, "utf-16le", "\ufeff"+mailOf("", "wide")), calendar.Body{Plain: "wide"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := single(t, "a.eml", tt.text)
			assert.Equal(t, "Møte", ev.Subject)
			assert.Equal(t, "ada@example.com", ev.Organizer.Email)
			assert.True(t, ev.Start.IsZero())
			ev.Body.Plain = strings.TrimSuffix(ev.Body.Plain, "\n")
			assert.Equal(t, tt.want, ev.Body)
		})
	}
}

func TestMailErrors(t *testing.T) {
	_, err := Read("a.eml", strings.NewReader("MIME-Version: 1.0\nContent-Type: application/ms-tnef\n\nx"), nil)
	assert.ErrorContains(t, err, "winmail.dat (TNEF), which is not supported")
	_, err = Read("a.eml", strings.NewReader("MIME-Version: 1.0\nContent-Type: image/png\n\nx"), nil)
	assert.ErrorContains(t, err, "neither a calendar part nor a text")
	// A broken calendar part is an error of its own, with the mail's text.
	items := read(t, "a.eml", mailOf(mixed, multi("Content-Type: text/html\n\n<b>join</b>", "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\nDTST")))
	require.Len(t, items, 1)
	assert.ErrorContains(t, items[0].Err, "ends inside this event")
	assert.Equal(t, "<b>join</b>", items[0].Event.Body.HTML)
	items = read(t, "a.eml", mailOf(mixed, multi("Content-Type: text/calendar\n\nhello")))
	assert.ErrorContains(t, items[0].Err, "the calendar part: not an iCalendar file")
}

func TestMailLimits(t *testing.T) {
	inside := func(depth int) string {
		return strings.Repeat("Content-Type: message/rfc822\n\n", depth) + "Subject: s\n\nx"
	}
	assert.Equal(t, "x", single(t, "a.eml", inside(10)).Body.Plain)
	_, err := Read("a.eml", strings.NewReader(inside(30)), nil)
	assert.ErrorContains(t, err, "neither a calendar part nor a text")
	ev := single(t, "a.eml", mailOf(mixed, strings.Repeat("--b1\n\nx\n", 100_000)))
	assert.LessOrEqual(t, strings.Count(ev.Body.Plain, "x"), maxParts)
	assert.GreaterOrEqual(t, strings.Count(ev.Body.Plain, "x"), 100)
}

func TestSeriesComeOnce(t *testing.T) {
	items := read(t, "a.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:series\nDTSTART:20260302T090000Z\nRRULE:FREQ=HOURLY\nEND:VEVENT\n"+
		"BEGIN:VEVENT\nUID:a\nSUMMARY:moved\nRECURRENCE-ID:20260303T090000Z\nDTSTART:20260303T100000Z\nEND:VEVENT\n"+
		"BEGIN:VEVENT\nUID:b\nSUMMARY:bad\nEND:VEVENT\nEND:VCALENDAR\n")
	require.Len(t, items, 3)
	assert.NoError(t, items[0].Err, "the rule is not asked for")
	assert.Equal(t, "series", items[0].Event.Subject)
	assert.Equal(t, "moved", items[1].Event.Subject)
	assert.ErrorContains(t, items[2].Err, `event UID "b", line 14: it has no DTSTART`)
	assert.Equal(t, "bad", items[2].Event.Subject)
}

func TestResponseOfTheMailbox(t *testing.T) {
	text := strings.Replace(event, "LOCATION:Room", "ATTENDEE;PARTSTAT=DECLINED:mailto:fjord@example.com", 1)
	items, err := Read("a.ics", strings.NewReader(text), &Options{Mailbox: "fjord@example.com"})
	require.NoError(t, err)
	assert.Equal(t, calendar.Declined, items[0].Event.Response)
}

func TestForms(t *testing.T) {
	page := "<html><body><a href=\"https://x.example\">Join</a></body></html>"
	text := "Join: https://x.example\nFrom: Ada\nSent: today"
	graph := `{"subject":"g","onlineMeeting":{"joinUrl":"https://x.example"}}`
	isICS := func(ev calendar.Event) bool { return ev.UID == "u1" }
	isHTML := func(ev calendar.Event) bool { return ev.Body.HTML != "" && ev.Body.Plain == "" }
	isText := func(ev calendar.Event) bool { return ev.Body.Plain != "" && ev.Body.HTML == "" }
	isGraph := func(ev calendar.Event) bool { return ev.Subject == "g" && len(ev.Links) == 1 }
	isMail := func(ev calendar.Event) bool { return ev.Subject == "Møte" && ev.Body.Plain == "x" }
	for _, tt := range []struct {
		name, file, text string
		is               func(calendar.Event) bool
	}{
		{"ics", "dir.json/a.ICS", event, isICS},
		{"html", "a.htm", "just words", isHTML},
		{"txt", "a.txt", "Hello<br>" + text, isText},
		{"page named txt", "a.txt", page, isHTML},
		{"json", "a.json", graph, isGraph},
		{"ics sniffed", "-", "\ufeff\r\n" + event, isICS},
		{"ics after text", "-", "Hello\n" + event, isICS},
		{"ics in UTF-16", "", encode(t, "utf-16le", "\ufeff"+event), isICS},
		{"html sniffed", "-", page, isHTML},
		{"html with a doctype", "-", "<!DOCTYPE html>\n" + page, isHTML},
		{"html without a frame", "-", "Hello<br>world", isHTML},
		{"text sniffed", "-", text, isText},
		{"text with an address in brackets", "-", "Join <https://x.example>", isText},
		{"headers of a forward are text", "-", "From: Ada\nSent: Monday\nTo: Bo\nSubject: s\n\nx", isText},
		{"json sniffed", "-", " \n" + graph, isGraph},
		{"mail sniffed", "-", mailOf("", "x"), isMail},
		{"unknown ending", "invite.dat", event, isICS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := single(t, tt.file, tt.text)
			assert.True(t, tt.is(ev), "%+v", ev)
		})
	}
}

func TestCharsetsOfText(t *testing.T) {
	for name, text := range map[string]string{
		"UTF-8": "Møte", "with a mark": "\ufeffMøte", "Windows-1252": "M\xf8te",
		"UTF-16LE": encode(t, "utf-16le", "\ufeffMøte"), "UTF-16BE": encode(t, "utf-16be", "\ufeffMøte"),
		"UTF-16 without a mark": encode(t, "utf-16le", "Møte"),
	} {
		assert.Equal(t, "Møte", single(t, "a.txt", text).Body.Plain, name)
	}
	// R52 of the cases that the rules are tested with: the engine itself guesses no charset.
	assert.Equal(t, "https://zoom.us/j/1", single(t, "a.txt", encode(t, "utf-16le", "https://zoom.us/j/1")).Body.Plain)
	assert.Equal(t, "ø\ufffd", single(t, "a.txt", "ø\xff").Body.Plain)
	assert.Equal(t, "<meta charset=iso-8859-1>Møte", single(t, "a.html", "<meta charset=iso-8859-1>M\xf8te").Body.HTML)
}

func TestReadErrors(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"empty":        {"a.ics", "", "the file is empty"},
		"blank":        {"-", " \r\n", "the file is empty"},
		"outlook":      {"a.msg", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "save the invite as .ics or .eml"},
		"word":         {"a.docx", "PK\x03\x04rest", "which is not read"},
		"pdf":          {"-", "%PDF-1.7\nrest", "a PDF document"},
		"no calendar":  {"a.ics", "hello", "not an iCalendar file"},
		"no event":     {"a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR", "no event in it"},
		"half of JSON": {"a.json", `{"subject":"x","body":{"cont`, "not valid JSON near byte"},
		"no JSON":      {"a.json", "hello", "not valid JSON near byte"},
		"unknown JSON": {"a.json", `{"name":"x","list":[1,2,{"a":null}]}`, "no event in it that is known"},
		"scalar":       {"a.json", `"x"`, "no event in it that is known"},
		"large":        {"a.html", strings.Repeat("x", 200), "the file is larger than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			items, err := Read(tt.file, strings.NewReader(tt.text), &Options{MaxBytes: 100})
			assert.ErrorContains(t, err, tt.want)
			assert.Empty(t, items)
		})
	}
	_, err := Read("a.ics", io.MultiReader(strings.NewReader(event), brokenReader{}), nil)
	assert.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("broken pipe")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestJSON(t *testing.T) {
	type want struct {
		subject, plain, html string
		links                []string // source, then URI
	}
	join := []string{calendar.SourceOnlineMeeting + " https://x.example/1"}
	for _, tt := range []struct {
		name, text string
		want       []want
	}{
		{"Graph event", `{"id":"1","subject":"a","body":{"contentType":"html","content":"<p>"},"onlineMeeting":{"joinUrl":"https://x.example/1"}}`, []want{{"a", "", "<p>", join}}},
		{"part of an event", `{"id":"1","onlineMeeting":{"joinUrl":"https://x.example/1"}}`, []want{{"", "", "", join}}},
		{"body alone", `{"body":{"contentType":"text","content":"hi"}}`, []want{{"", "hi", "", nil}}},
		{"list", `{"value":[{"subject":"a"},{"subject":"b","onlineMeeting":null},{"id":"c"}]}`, []want{{"a", "", "", nil}, {"b", "", "", nil}, {"", "", "", nil}}},
		{"empty list", `{"value":[]}`, nil},
		{"array", `[{"subject":"a"},{"subject":"b"}]`, []want{{"a", "", "", nil}, {"b", "", "", nil}}},
		{"one after another", `{"subject":"a"}` + "\n" + `{"subject":"b"}`, []want{{"a", "", "", nil}, {"b", "", "", nil}}},
		{"onlineMeeting", `{"subject":"a","joinWebUrl":"https://x.example/1","joinInformation":{"content":"data:text/html,%3Cb%3Ehi+there%3C%2Fb%3E","contentType":"html"}}`, []want{{"a", "", "<b>hi there</b>", join}}},
		{"list of onlineMeetings", `{"value":[{"joinWebUrl":"https://x.example/1"}]}`, []want{{"", "", "", join}}},
		{"bare onlineMeetingInfo", `{"joinUrl":"https://x.example/1"}`, []want{{"", "", "", join}}},
		{"conversation", `{"topic":"a","preview":"hi","uniqueSenders":["b"]}`, []want{{"a", "hi", "", nil}}},
		{"thread with posts", `{"topic":"a","posts":[{"body":{"contentType":"html","content":"<i>"}}]}`, []want{{"a", "", "<i>", nil}}},
		{"eventMessage", `{"subject":"m","body":{"contentType":"html","content":"<b>"},"event":{"subject":"a","onlineMeeting":{"joinUrl":"https://x.example/1"}}}`, []want{{"a", "", "<b>", join}}},
		{"batch", `{"responses":[{"id":"1","status":200,"body":{"value":[{"subject":"a"}]}}]}`, []want{{"a", "", "", nil}}},
		{"byte order mark", "\ufeff" + `{"subject":"a"}`, []want{{"a", "", "", nil}}},
		{"Google event", `{"kind":"calendar#event","summary":"a","description":"<b>hi</b>","hangoutLink":"https://meet.example.com/abc"}`, []want{{"a", "", "<b>hi</b>", []string{"hangoutLink https://meet.example.com/abc"}}}},
		{"Google list", `{"kind":"calendar#events","items":[{"summary":"a","start":{"dateTime":"2026-03-02T09:00:00+01:00"}},{"summary":"b"}]}`, []want{{"a", "", "", nil}, {"b", "", "", nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []want
			for _, it := range read(t, "a.json", tt.text) {
				require.NoError(t, it.Err)
				w := want{subject: it.Event.Subject, plain: it.Event.Body.Plain, html: it.Event.Body.HTML}
				for _, l := range it.Event.Links {
					w.links = append(w.links, l.Source+" "+l.URI)
				}
				got = append(got, w)
			}
			assert.Equal(t, tt.want, got)
		})
	}
	items := read(t, "a.json", `{"value":[{"subject":"a","start":{"dateTime":"x"}},{"subject":"b"},{"subject":{}}]}`)
	require.Len(t, items, 3)
	assert.ErrorContains(t, items[0].Err, `start: time "x" cannot be read`)
	assert.NoError(t, items[1].Err)
	assert.ErrorContains(t, items[2].Err, "not a Graph event")
	items = read(t, "a.json", `{"subject":"a"}{"subject"`)
	require.Len(t, items, 2)
	assert.ErrorContains(t, items[1].Err, "not valid JSON")
	ev := single(t, "a.json", `{"joinWebUrl":"https://x.example/1","startDateTime":"2026-03-02T09:00:00Z","endDateTime":"2026-03-02T10:00:00Z"}`)
	assert.Empty(t, cmp.Diff(time.Hour, ev.End.Sub(ev.Start)))
}

// Whatever a file holds, Read ends, and what it returns is text.
func FuzzRead(f *testing.F) {
	f.Add("a.eml", mailOf(mixed, multi("Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>=41</p>", "Content-Type: text/calendar\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString([]byte(event)))))
	f.Add("a.json", `{"value":[{"subject":"a","start":{"dateTime":"2026-03-02T09:00:00","timeZone":"UTC"}}]}`)
	f.Add("-", `{"kind":"calendar#event","conferenceData":{"entryPoints":[{"entryPointType":"video","uri":"https://x.example"}]}}`)
	f.Add("-", event)
	f.Add("", "<meta charset=utf-16>\xff")
	f.Fuzz(func(t *testing.T, name, text string) {
		items, err := Read(name, strings.NewReader(text), nil)
		if err != nil && len(items) > 0 {
			t.Fatal("items beside an error")
		}
		again, _ := Read(name, strings.NewReader(text), nil)
		if len(again) != len(items) {
			t.Fatal("two reads of the same file differ")
		}
		for _, it := range items {
			for _, s := range []string{it.Event.Subject, it.Event.Body.Plain, it.Event.Body.HTML, it.Event.Location} {
				if !utf8.ValidString(s) {
					t.Fatalf("not UTF-8: %q", s)
				}
			}
		}
	})
}

func BenchmarkMail(b *testing.B) {
	text := mailOf(mixed, multi("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"+quoted(strings.Repeat("<p>Join the meeting</p>", 500)),
		"Content-Type: text/calendar\nContent-Transfer-Encoding: base64\n\n"+wrap(base64.StdEncoding.EncodeToString([]byte(event)))))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Read("a.eml", strings.NewReader(text), nil); err != nil {
			b.Fatal(err)
		}
	}
}
