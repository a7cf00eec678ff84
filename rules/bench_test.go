package rules

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var officeWords = strings.Fields("agenda budget review office room floor plan quarter report draft team lead client order ship date list note final open risk owner topic minutes vote item action follow update status sales market design build test pilot train travel hire legal audit policy")

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func filler(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(officeWords[r.IntN(len(officeWords))])
		b.WriteByte(' ')
	}
	return b.String()
}

// teamsBody is an Outlook invite of about 12 KB, of invented ids.
func teamsBody(wrapped bool) string {
	r := rand.New(rand.NewPCG(7, 9))
	link := func(u string) string {
		if wrapped {
			return "https://nam12.safelinks.protection.outlook.com/ap/t-59584e83/?url=" + url.QueryEscape(u) + "&amp;data=05%7C02%7C" + strings.Repeat("a1B2", 45) + "&amp;sdata=Qx%3D&amp;reserved=0"
		}
		return strings.ReplaceAll(u, "&", "&amp;")
	}
	var b strings.Builder
	b.WriteString(`<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><!--[if !mso]><style>v\:* {behavior:url(#default#VML);}</style><![endif]--><style><!--`)
	for i := range 30 {
		fmt.Fprintf(&b, "@font-face{font-family:F%d;panose-1:2 4 5 3 5 4 6 3 2 4;}p.MsoNormal%d{margin:0cm;font-size:11.0pt;}\n", i, i)
	}
	b.WriteString(`--></style></head><body lang="EN-GB"><div class="WordSection1">`)
	for range 7 {
		fmt.Fprintf(&b, `<p class="MsoNormal"><span style="font-size:10.0pt;font-family:&quot;Segoe UI&quot;,sans-serif">%s</span></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>`, filler(r, 40))
	}
	b.WriteString(`<div style="width:100%"><span>________________________________________________________________________________</span></div><div class="me-email-text" style="color:#252424;font-family:'Segoe UI'"><div><span style="font-size:24px">Microsoft Teams</span> <a href="` + link("https://aka.ms/JoinTeamsMeeting?omkt=en-GB") + `">Need help?</a></div>`)
	b.WriteString(`<div><a href="` + link("https://teams.microsoft.com/l/meetup-join/19%3ameeting_Wk1QcVJzVHVWd1h5WjAxMjM0NTY3ODlhYmNkZWZn%40thread.v2/0?context=%7b%22Tid%22%3a%2211112222-3333-4444-5555-666677778888%22%2c%22Oid%22%3a%2299990000-aaaa-bbbb-cccc-ddddeeeeffff%22%7d") + `">Join the meeting now</a></div>`)
	b.WriteString(`<div><span>Meeting ID: </span><span>352 014 000 098 7</span></div><div><span>Passcode: </span><span>Rt7Uv8</span></div><div>Dial in by phone</div><div><a href="tel:+442055501000,,123456789#">+44 20 5550 1000,,123456789#</a> United Kingdom</div><div><a href="` + link("https://dialin.teams.microsoft.com/aaaa?id=123456789") + `">Find a local number</a></div><div>Phone conference ID: 123 456 789#</div>`)
	b.WriteString(`<div>Join on a video conferencing device</div><div>Tenant key: </div><div>fabrikam@m.webex.com</div><div>Video ID: </div><div>119 000 328 6</div><div><a href="` + link("https://www.webex.com/msteams?confid=1190003286&tenantkey=fabrikam&domain=m.webex.com") + `">More info</a></div>`)
	b.WriteString(`<div>For organizers: <a href="` + link("https://teams.microsoft.com/meetingOptions/?organizerId=99990000-aaaa&tenantId=1111&threadId=19_meeting_Wk@thread.v2&messageId=0&language=en-GB") + `">Meeting options</a></div></div></div></body></html>`)
	return b.String()
}

func newsBody(n int) string {
	r := rand.New(rand.NewPCG(3, 5))
	var b strings.Builder
	b.WriteString("<html><body>")
	for b.Len() < n {
		fmt.Fprintf(&b, `<tr><td style="font-family:Arial,sans-serif;font-size:14px"><h2>%s</h2><img src="https://img.news.example/%d.png" width="100"><p>%s</p><a href="https://click.news.example/c/%s?u=%d&amp;m=%d">Read on &rarr;</a></td></tr>`,
			filler(r, 5), r.Int(), filler(r, 70), strings.Repeat("Ab9", 60), r.Int(), r.Int())
	}
	return b.String() + "</body></html>"
}

func benchFind(b *testing.B, ev *calendar.Event) {
	e := Default()
	n := len(ev.Body.HTML) + len(ev.Body.Plain) + len(ev.Location)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	var dst []Match
	for b.Loop() {
		dst = e.Append(dst[:0], ev)
	}
}

func BenchmarkTeams12KB(b *testing.B) {
	benchFind(b, &calendar.Event{Body: calendar.Body{HTML: teamsBody(false)}})
}

func BenchmarkTeamsSafeLinks(b *testing.B) {
	benchFind(b, &calendar.Event{Body: calendar.Body{HTML: teamsBody(true)}})
}

func BenchmarkNoMatch1MB(b *testing.B) {
	benchFind(b, &calendar.Event{Body: calendar.Body{HTML: newsBody(1 << 20)[:1<<20]}})
}

// BenchmarkParse is x/net/html alone on the Teams body, for comparison.
func BenchmarkParse(b *testing.B) {
	s := teamsBody(false)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := html.Parse(strings.NewReader(s)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIndex is the bare loop over "://" on the newsletter, for comparison.
func BenchmarkIndex(b *testing.B) {
	s := newsBody(1 << 20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		n := 0
		for i := strings.Index(s, "://"); i >= 0; {
			n++
			j := strings.Index(s[i+3:], "://")
			if j < 0 {
				break
			}
			i += 3 + j
		}
	}
}

// adversarial are the texts that make a careless scanner slow.
var adversarial = map[string]string{
	"sip:": "sip:", "://": "://", ")": ")))", "sip address": "sip:a@b,", "at": "@", "a@": "aaaaaaa@", "glued": "https://zoom.us/", "(": "(((",
	"bare labels": "Zoom passcode 1\n", "bare digits": "Zoom 1 2a ", "told": "dial a@b.cd ", "headings": "Zoom passcode\n",
	"joins": "https://zoom.us/j/123456789 ", "zoomcrc": "a@zoomcrc.com", "wrapper": "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2F",
	"tag with quote": `<a ">`, "end tag": "</", "tag": "<a", "reference": "&#", "amp": "&amp;", "style": "<style>", "host": "https://" + "a.", "labels": "a.", "comment": "<!--", "script": "<script>",
	"hash": "1.2.3.4##1", "h323": "h323:", "slash": "/", "backslash": `\/`, "colon": "Passcode: a ", "newline": "zoom.us/j/1\n", "semicolon": "&;/", "blank": "https://zoom.us/j/1&nbsp;",
}

func adversarialText(name string, n int) string {
	unit := adversarial[name]
	switch name {
	case "host":
		return "https://" + strings.Repeat("a.", n/2)
	case ")", "(":
		return "https://meet.jit.si/A" + strings.Repeat(unit, n/len(unit))
	}
	return strings.Repeat(unit, n/len(unit))
}

func BenchmarkAdversarial(b *testing.B) {
	for name := range adversarial {
		s := adversarialText(name, 1<<20)
		b.Run(name+"/html", func(b *testing.B) { benchFind(b, &calendar.Event{Body: calendar.Body{HTML: s}}) })
		b.Run(name+"/plain", func(b *testing.B) { benchFind(b, &calendar.Event{Body: calendar.Body{Plain: s}}) })
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
