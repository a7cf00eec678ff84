// Package office makes the small office that the program shows itself with: three
// rooms, and a calendar of invented invites for each.
package office

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Room is a room of the office.
type Room struct {
	Name    string
	Mailbox string
	// Calendar is the mailbox's calendar as an iCalendar file.
	Calendar string
	Settings otj.Settings
}

// Rooms returns the rooms of the office at now. Every calendar is of the hours
// and days around it.
//
//   - Fjord has the defaults: the subject of its private meeting is replaced, and
//     the button is there.
//   - Atrium lists its private meeting without a button.
//   - Summit has a meeting that is no video meeting, which is listed, and one
//     that was cancelled, which is not.
func Rooms(now time.Time) []Room {
	now = now.UTC().Truncate(time.Minute)
	at := func(minutes, length int) (start, end time.Time) {
		start = now.Add(time.Duration(minutes) * time.Minute)
		return start, start.Add(time.Duration(length) * time.Minute)
	}
	var fjord, atrium, summit calendarFile

	start, end := at(3, 45)
	fjord.add(invite{
		uid: "steering", subject: "Steering group", organizer: mara, start: start, end: end,
		location: "Microsoft Teams Meeting", text: teamsText, html: teamsHTML,
	})
	start, end = at(120, 30)
	fjord.add(invite{
		uid: "salary", subject: "Salary review: J. Doe", organizer: ines, start: start, end: end, private: true,
		location: "https://us02web.zoom.us/j/84512200317?pwd=Rk3XcBn0vPq1aZ.1",
		text:     zoomText("84512200317", "845 1220 0317", "Rk3XcBn0vPq1aZ.1", "550917"),
	})

	start, end = at(-10, 40)
	atrium.add(invite{
		uid: "planning", subject: "Weekly planning", organizer: ines, start: start.AddDate(0, 0, -7), end: end.AddDate(0, 0, -7),
		rule:     "FREQ=WEEKLY;COUNT=4",
		location: "https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1",
		text:     zoomText("81177003344", "811 7700 3344", "aW5vdGFsaW5r.1", "271828"),
	})
	start, end = at(60, 60)
	atrium.add(invite{
		uid: "board", subject: "Merger with Northwind", organizer: mara, start: start, end: end, private: true,
		location: "sip:board@video.fabrikam.example",
	})

	start, end = at(20, 30)
	summit.add(invite{
		uid: "supplier", subject: "Supplier call", organizer: outsider, start: start, end: end,
		text: "Hello,\n\nwe are in our own meeting room, please call it from yours:\n\nsip:supplier.day@meet.northwind.example\n\nKind regards\nOtto",
	})
	start, end = at(90, 45)
	summit.add(invite{
		uid: "lunch", subject: "Lunch with the new colleagues", organizer: ines, start: start, end: end,
		location: "Summit", text: "Soup and bread. No laptops.",
	})
	start, end = at(180, 30)
	summit.add(invite{
		uid: "webinar", subject: "Cancelled: Webinar rehearsal", organizer: outsider, start: start, end: end, cancelled: true,
		location: "https://us02web.zoom.us/j/89900112233?pwd=Y2FuY2VsbGVk.1",
		text:     zoomText("89900112233", "899 0011 2233", "Y2FuY2VsbGVk.1", "314159"),
	})

	listed := otj.DefaultSettings()
	listed.PrivateButton = false
	return []Room{
		{"Fjord", "fjord@fabrikam.example", fjord.String(), otj.DefaultSettings()},
		{"Atrium", "atrium@fabrikam.example", atrium.String(), listed},
		{"Summit", "summit@fabrikam.example", summit.String(), otj.DefaultSettings()},
	}
}

// The people of the office, and one from outside.
const (
	mara     = "Mara Lindqvist:mailto:mara@fabrikam.example"
	ines     = "Ines Calder:mailto:ines@fabrikam.example"
	outsider = "Otto Berg:mailto:otto@northwind.example"
)

// A Teams meeting whose tenant has a gateway for video systems. The mail filter
// has wrapped its links.
const (
	teamsLink    = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_RGVtb09mZmljZVN0ZWVyaW5nR3JvdXAwMDAwMDAwMDAx%40thread.v2/0?context=%7b%22Tid%22%3a%220b1c2d3e-0000-4a5b-8c6d-7e8f90a1b2c3%22%2c%22Oid%22%3a%224d5e6f70-0000-4b6c-9d7e-8f90a1b2c3d4%22%7d"
	cviLink      = "https://pexip.vc.fabrikam.example/teams/?conf=1144720386&ivr=teams&d=vc.fabrikam.example&ip=192.0.2.44&test=test_call&w"
	teamsText    = "Numbers of the quarter, then the roadmap.\n\n________________________________________________________________________________\nMicrosoft Teams Need help?\nJoin the meeting now\nMeeting ID: 226 481 730 915\nPasscode: Qh7Lp2\n--------------------------------\nJoin on a video conferencing device\nTenant key: teams@vc.fabrikam.example\nVideo ID: 114 472 038 6\nMore info\n________________________________________________________________________________\n"
	teamsMeeting = `<div>Numbers of the quarter, then the roadmap.</div>
<div>________________________________________________________________________________</div>
<div><span style="font-size:24px;font-weight:700">Microsoft Teams</span> <a href="https://aka.ms/JoinTeamsMeeting?omkt=en-US">Need help?</a></div>
<div><a id="meet_invite_block.action.join_link" href="%s"><b>Join the meeting now</b></a></div>
<div><span>Meeting ID: </span><span>226 481 730 915</span></div>
<div><span>Passcode: </span><span>Qh7Lp2</span></div>
<hr>
<div><b>Join on a video conferencing device</b></div>
<div><span>Tenant key: </span><a href="mailto:teams@vc.fabrikam.example">teams@vc.fabrikam.example</a></div>
<div><span>Video ID: </span><span>114 472 038 6</span></div>
<div><a href="%s">More info</a></div>
<div>________________________________________________________________________________</div>
`
)

var teamsHTML = fmt.Sprintf("<html><body>"+teamsMeeting+"</body></html>", safeLink(teamsLink), safeLink(cviLink))

// safeLink wraps a link as Microsoft Defender does, in the form that it has in
// HTML.
func safeLink(link string) string {
	return "https://eur02.safelinks.protection.outlook.com/?url=" + url.QueryEscape(link) +
		"&amp;data=05%7C02%7Cfjord%40fabrikam.example%7C0123456789abcdef%7C0%7C0%7C638618262995597037&amp;sdata=ZGVtbw%3D%3D&amp;reserved=0"
}

func zoomText(id, spaced, token, passcode string) string {
	return "Ines Calder is inviting you to a scheduled Zoom meeting.\n\nJoin Zoom Meeting\nhttps://us02web.zoom.us/j/" + id + "?pwd=" + token +
		"\n\nMeeting ID: " + spaced + "\nPasscode: " + passcode + "\n\n---\n\nJoin by SIP\n" + id + "@zoomcrc.com\n"
}

// invite is a VEVENT.
type invite struct {
	uid, subject, organizer string
	start, end              time.Time
	rule                    string // an RRULE
	private, cancelled      bool
	location, text, html    string
}

// calendarFile collects the lines of a file.
type calendarFile struct{ strings.Builder }

func (f *calendarFile) add(i invite) {
	if f.Len() == 0 {
		f.line("BEGIN:VCALENDAR")
		f.line("VERSION:2.0")
		f.line("PRODID:-//onetouchjoin//demo//EN")
	}
	const utc = "20060102T150405Z"
	f.line("BEGIN:VEVENT")
	f.line("UID:" + i.uid + "@demo.onetouchjoin.example")
	f.line("DTSTAMP:" + i.start.AddDate(0, 0, -14).Format(utc))
	f.line("DTSTART:" + i.start.Format(utc))
	f.line("DTEND:" + i.end.Format(utc))
	if i.rule != "" {
		f.line("RRULE:" + i.rule)
	}
	f.line("ORGANIZER;CN=" + i.organizer)
	f.line("SUMMARY:" + escape(i.subject))
	if i.location != "" {
		f.line("LOCATION:" + escape(i.location))
	}
	if i.text != "" {
		f.line("DESCRIPTION:" + escape(i.text))
	}
	if i.html != "" {
		f.line("X-ALT-DESC;FMTTYPE=text/html:" + escape(i.html))
	}
	if i.private {
		f.line("CLASS:PRIVATE")
	}
	if i.cancelled {
		f.line("STATUS:CANCELLED")
	}
	f.line("END:VEVENT")
}

// String returns the whole file.
func (f *calendarFile) String() string { return f.Builder.String() + "END:VCALENDAR\r\n" }

// line writes a line, folded as RFC 5545, section 3.1, wants it.
func (f *calendarFile) line(s string) {
	for len(s) > 75 {
		cut := 75
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		f.WriteString(s[:cut] + "\r\n")
		s = " " + s[cut:]
	}
	f.WriteString(s + "\r\n")
}

var escaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

func escape(s string) string { return escaper.Replace(s) }
