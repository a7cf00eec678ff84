package bench

import (
	"bytes"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
)

// Body is the text of one invite that is measured.
type Body struct {
	// Name is short, as in "1 Teams".
	Name string
	Data []byte
	// HTML says what kind of text Data is.
	HTML bool
	// Service and URI are the meeting in it; both are empty if there is none.
	// URI is empty where the invite has only an address to dial.
	Service, URI string
}

// Bodies returns the eight bodies. They are made with a fixed seed, and are the
// same each time. The caller must not change Data.
//
//  1. Teams: Word HTML of a desktop client with a full Teams block and a block
//     for video systems.
//  2. SafeLinks: the same, each link rewritten by Microsoft Safe Links.
//  3. Zoom: Word HTML with dial-in numbers, SIP and H.323 addresses.
//  4. Webex: nested tables with long inline styles.
//  5. Meet: plain text with the frame that Google Calendar adds.
//  6. SIP: plain text with a virtual meeting room's addresses.
//  7. thread: 200 KB of replies in Word HTML, with one Teams block.
//  8. news: a newsletter of 1 MB without a meeting.
func Bodies() []Body { return bodies() }

var bodies = sync.OnceValue(func() []Body {
	return []Body{teamsBody(), safeLinksBody(), zoomBody(), webexBody(), meetBody(), sipBody(), threadBody(), newsBody()}
})

// words is what filler text is made of.
var words = strings.Fields(`agenda update budget review quarter meeting notes please bring draft comments finance team
	session supplier contract roadmap hiring plan customer feedback open actions owner deadline launch pilot office floor
	training travel forecast risk summary proposal design decision report figures the a of and to in for with on by about
	before after between next last week month room building visitor catering projector whiteboard schedule change request
	approval policy security release version test result support ticket queue number list item point discuss confirm send`)

type writer struct {
	bytes.Buffer
	r *rand.Rand
}

func newWriter(seed uint64) *writer { return &writer{r: rand.New(rand.NewPCG(seed, 0x07d2))} }

func (w *writer) f(format string, args ...any) { fmt.Fprintf(&w.Buffer, format, args...) }

// from returns n random letters of an alphabet.
func (w *writer) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[w.r.IntN(len(alphabet))]
	}
	return string(b)
}

func (w *writer) hex(n int) string    { return w.from("0123456789abcdef", n) }
func (w *writer) digits(n int) string { return w.from("123456789", 1) + w.from("0123456789", n-1) }
func (w *writer) token(n int) string {
	return w.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", n)
}

func (w *writer) guid() string {
	return w.hex(8) + "-" + w.hex(4) + "-" + w.hex(4) + "-" + w.hex(4) + "-" + w.hex(12)
}

func (w *writer) words(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[w.r.IntN(len(words))])
	}
	return b.String() + "."
}

func grouped(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && i%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// wordHead writes the head that Word gives to mails, with a number of further
// style definitions.
func (w *writer) wordHead(styles int) {
	w.WriteString(`<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:w="urn:schemas-microsoft-com:office:word" xmlns="http://www.w3.org/TR/REC-html40">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta name="Generator" content="Microsoft Word 15 (filtered medium)">
<!--[if !mso]><style>v\:* {behavior:url(#default#VML);}
o\:* {behavior:url(#default#VML);}
</style><![endif]--><style><!--
@font-face
	{font-family:"Cambria Math";
	panose-1:2 4 5 3 5 4 6 3 2 4;}
@font-face
	{font-family:Calibri;
	panose-1:2 15 5 2 2 2 4 3 2 4;}
p.MsoNormal, li.MsoNormal, div.MsoNormal
	{margin:0cm;
	font-size:11.0pt;
	font-family:"Calibri",sans-serif;}
a:link, span.MsoHyperlink
	{mso-style-priority:99;
	color:#0563C1;
	text-decoration:underline;}
`)
	for i := range styles {
		w.f("span.EmailStyle%d\n\t{mso-style-type:personal;\n\tfont-family:\"Calibri\",sans-serif;\n\tcolor:windowtext;}\n", 17+i)
	}
	w.WriteString(`--></style><!--[if gte mso 9]><xml>
<o:shapedefaults v:ext="edit" spidmax="1026" />
</xml><![endif]-->
</head>
<body lang="EN-US" link="#0563C1" vlink="#954F72" style="word-wrap:break-word">
<div class="WordSection1">
`)
}

func (w *writer) wordEnd() { w.WriteString("</div>\n</body>\n</html>\n") }

// paragraphs writes n paragraphs of min to max words, each with an empty one
// after it.
func (w *writer) paragraphs(n, min, max int) {
	for range n {
		w.f("<p class=\"MsoNormal\"><span style=\"font-size:11.0pt;font-family:&quot;Calibri&quot;,&quot;sans-serif&quot;;color:#1F497D;mso-fareast-language:EN-US\">%s<o:p></o:p></span></p>\n<p class=\"MsoNormal\"><o:p>&nbsp;</o:p></p>\n",
			w.words(min+w.r.IntN(max-min+1)))
	}
}

// link writes an anchor; wrap rewrites its target first.
func (w *writer) link(wrap func(string) string, href, style, text string) {
	w.f(`<a href="%s" style="%s">%s</a>`, html.EscapeString(wrap(href)), style, text)
}

func plainLink(s string) string { return s }

// safeLink is what Microsoft Defender makes of a link.
func (w *writer) safeLink(u string) string {
	path := ""
	if strings.HasPrefix(u, "https://teams.microsoft.com/") {
		path = "ap/t-59584e83/"
	}
	if !strings.HasPrefix(u, "http") {
		return u
	}
	return "https://nam12.safelinks.protection.outlook.com/" + path + "?url=" + url.QueryEscape(u) +
		"&data=05%7C02%7C" + w.hex(32) + "%7C" + w.hex(32) + "%7C0%7C0%7C6386" + w.digits(14) + "%7CUnknown%7C" + w.token(70) +
		"&sdata=" + w.token(43) + "%3D&reserved=0"
}

func (w *writer) meetupJoin() string {
	return "https://teams.microsoft.com/l/meetup-join/19%3ameeting_" + w.token(48) + "%40thread.v2/0?context=%7b%22Tid%22%3a%22" +
		w.guid() + "%22%2c%22Oid%22%3a%22" + w.guid() + "%22%7d"
}

const segoe = "font-family:'Segoe UI','Helvetica Neue',Helvetica,Arial,sans-serif;"

// teamsBlock writes what Teams adds to an invite, with a block for video
// systems, and returns the join link.
func (w *writer) teamsBlock(wrap func(string) string) string {
	join, id := w.meetupJoin(), w.digits(13)
	conf, key := "11"+w.digits(8), "fabrikam"
	label := func(name, value string) {
		w.f("<div style=\"margin-bottom:6px\"><span style=\"font-size:14px;color:#616161\">%s&nbsp;</span><span style=\"font-size:14px;color:#242424\">%s</span></div>\n", name, value)
	}
	line := strings.Repeat("_", 80)
	w.f("<div style=\"margin-bottom:24px;overflow:hidden;white-space:nowrap\">%s</div>\n<div class=\"me-email-text\" lang=\"en-US\" style=\"max-width:1024px;color:#242424;%s\">\n", line, segoe)
	w.WriteString("<div style=\"margin-bottom:12px;overflow:hidden\"><span style=\"font-size:24px;font-weight:700;margin-right:12px\">Microsoft Teams</span>&nbsp;")
	w.link(wrap, "https://aka.ms/JoinTeamsMeeting?omkt=en-US", "font-size:14px;text-decoration:underline;color:#5B5FC7", "Need help?")
	w.WriteString("</div>\n<div style=\"margin-bottom:6px\">")
	w.link(wrap, join, "font-size:20px;font-weight:600;text-decoration:underline;color:#5B5FC7", "Join the meeting now")
	w.WriteString("</div>\n")
	label("Meeting ID:", grouped(id))
	label("Passcode:", w.token(6))
	w.WriteString("<hr style=\"border:0;background:#D1D1D1;height:1px\">\n<div style=\"margin-bottom:6px\"><span style=\"font-size:14px;font-weight:600\">Dial in by phone</span></div>\n<div>")
	phone := w.digits(9)
	w.link(wrap, "tel:+13125550147,,"+phone+"#", "font-size:14px;color:#5B5FC7", "+1 312-555-0147,,"+phone+"#")
	w.WriteString("<span style=\"font-size:14px\">&nbsp;United States, Chicago</span></div>\n<div>")
	w.link(wrap, "https://dialin.teams.microsoft.com/"+w.guid()+"?id="+phone, "font-size:14px;color:#5B5FC7", "Find a local number")
	w.WriteString("</div>\n")
	label("Phone conference ID:", grouped(phone)+"#")
	w.WriteString("<div style=\"margin-bottom:6px\"><span style=\"font-size:14px;font-weight:600\">Join on a video conferencing device</span></div>\n")
	label("Tenant key:", key+"@m.webex.com")
	label("Video ID:", grouped(conf))
	w.WriteString("<div>")
	w.link(wrap, "https://www.webex.com/msteams?confid="+conf+"&tenantkey="+key+"&domain=m.webex.com", "font-size:14px;color:#5B5FC7", "More info")
	w.f("</div>\n<div style=\"font-size:12px\">%s</div>\n", html.EscapeString(wrap("https://teams.microsoft.com/meet/"+id+"?p="+w.token(18))))
	w.WriteString("<div style=\"margin-bottom:24px\"><span style=\"font-size:14px;color:#616161\">For organizers:&nbsp;</span>")
	w.link(wrap, "https://teams.microsoft.com/meetingOptions/?organizerId="+w.guid()+"&tenantId="+w.guid()+"&threadId=19_meeting_"+w.token(48)+"@thread.v2&messageId=0&language=en-US", "font-size:14px;color:#5B5FC7", "Meeting options")
	w.WriteString("&nbsp;|&nbsp;")
	w.link(wrap, "https://dialin.teams.microsoft.com/usp/pstnconferencing", "font-size:14px;color:#5B5FC7", "Reset dial-in PIN")
	w.WriteString("</div>\n<div style=\"margin-bottom:6px\">")
	w.link(wrap, "https://www.fabrikam.example/privacy", "font-size:14px;color:#5B5FC7", "Privacy and security")
	w.f("</div>\n</div>\n<div style=\"font-size:14px\">%s</div>\n", line)
	return join
}

func teamsBody() Body {
	w := newWriter(1)
	w.wordHead(19)
	w.paragraphs(7, 60, 90)
	join := w.teamsBlock(plainLink)
	w.f("<p class=\"MsoNormal\">Mara Lindqvist, <a href=\"https://www.fabrikam.example/team\">our team</a><br>mara@fabrikam.example<br>boardroom@contoso.example, ops@contoso.example, desk@contoso.example</p>\n")
	w.wordEnd()
	return Body{Name: "1 Teams", Data: w.Bytes(), HTML: true, Service: "teams", URI: join}
}

func safeLinksBody() Body {
	w := newWriter(2)
	w.wordHead(19)
	w.paragraphs(2, 110, 160)
	join := w.teamsBlock(w.safeLink)
	w.f("<p class=\"MsoNormal\">mara@fabrikam.example<br>boardroom@contoso.example, ops@contoso.example, desk@contoso.example</p>\n")
	w.wordEnd()
	return Body{Name: "2 SafeLinks", Data: w.Bytes(), HTML: true, Service: "teams", URI: join}
}

func zoomBody() Body {
	w := newWriter(3)
	w.wordHead(19)
	w.paragraphs(5, 40, 40)
	id, pass := w.digits(11), w.digits(6)
	join := "https://us02web.zoom.us/j/" + id + "?pwd=" + w.token(32) + ".1&from=addon"
	spaced := id[:3] + " " + id[3:7] + " " + id[7:]
	line := func(format string, args ...any) {
		w.f("<p class=\"MsoNormal\"><span style=\"font-size:10.5pt;font-family:&quot;Arial&quot;,sans-serif;color:#232333\">"+format+"<o:p></o:p></span></p>\n", args...)
	}
	esc := html.EscapeString(join)
	line("Mara Lindqvist is inviting you to a scheduled Zoom meeting.")
	line("<a href=\"%s\">%s</a>", esc, esc)
	line("Meeting ID:&nbsp;%s", spaced)
	line("Passcode:&nbsp;%s", pass)
	line("One tap mobile")
	for _, n := range []string{"13125550188", "16465550142"} {
		line("<a href=\"tel:+%s,,%s#,,,,*%s#\">+%s,,%s#,,,,*%s#</a> US", n, id, pass, n, id, pass)
	}
	line("Dial by your location")
	for range 30 {
		line("&#8226;&nbsp;+%s 555 01%s", w.digits(2), w.digits(2))
	}
	line("Find your local number: <a href=\"https://us02web.zoom.us/u/k%s\">https://us02web.zoom.us/u/k%s</a>", w.token(9), w.token(9))
	line("Join by SIP")
	line("&#8226;&nbsp;<a href=\"sip:%s@zoomcrc.com\">%s@zoomcrc.com</a>", id, id)
	line("Join by H.323")
	for i := range 14 {
		line("&#8226;&nbsp;192.0.2.%d (%s)", 10+i, words[i])
	}
	w.paragraphs(7, 70, 90)
	w.f("<p class=\"MsoNormal\">mara@fabrikam.example, boardroom@contoso.example, desk@contoso.example</p>\n")
	w.wordEnd()
	return Body{Name: "3 Zoom", Data: w.Bytes(), HTML: true, Service: "zoom", URI: join}
}

func webexBody() Body {
	w := newWriter(4)
	w.WriteString("<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n<html xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n<style type=\"text/css\">\n")
	for i := 0; w.Len() < 6400; i++ {
		w.f(".c%d{font-size:%dpx;line-height:%dpx;color:#%s;padding:%dpx 0;margin:0;width:100%%;border:0}\n", i, 12+i%5, 18+i%7, w.hex(6), i%20)
	}
	w.WriteString("</style>\n</head>\n<body>\n<table width=\"525\" align=\"center\" border=\"0\"><tr><td>\n")
	cell := func(format string, args ...any) {
		w.WriteString("<table cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"width:100%;border-collapse:collapse\"><tr><td style=\"padding:4px 0;font-size:14px;line-height:20px;color:#121212;font-family:&quot;CiscoSans&quot;,Helvetica,Arial;text-align:left;vertical-align:top\">")
		w.f(format, args...)
		w.WriteString("</td></tr></table>\n")
	}
	for w.Len() < 24_000 {
		cell("%s", w.words(30))
	}
	num, mtid := "25"+w.digits(9), w.hex(32)
	join := "https://fabrikam.webex.com/fabrikam/j.php?MTID=m" + mtid
	cell("<a href=\"%s\" style=\"border-radius:20px;background:#005E7D;color:#ffffff;text-decoration:none\">Join meeting</a>", join)
	cell("<a href=\"%s\" style=\"color:#005E7D\">%s</a>", join, join)
	cell("Meeting number (access code): %s %s %s", num[:4], num[4:7], num[7:])
	cell("Meeting password: %s (%s when dialing from a video system)", w.token(11), w.digits(8))
	cell("<a href=\"tel:%%2B1-415-555-0127,,*01*%s%%23%%23*01*\">+1-415-555-0127</a> United States Toll", num)
	cell("<a href=\"https://fabrikam.webex.com/fabrikam/globalcallin.php?MTID=m%s\">Global call-in numbers</a>", mtid)
	cell("Join from a video system or application")
	cell("Dial <a href=\"sip:%s@fabrikam.webex.com\">%s@fabrikam.webex.com</a>", num, num)
	cell("You can also dial 192.0.2.68 and enter your meeting number.")
	cell("Need help? Go to <a href=\"https://help.webex.com\">https://help.webex.com</a>, mara@fabrikam.example")
	for w.Len() < 40_400 {
		cell("%s", w.words(30))
	}
	w.WriteString("</td></tr></table>\n</body>\n</html>\n")
	return Body{Name: "4 Webex", Data: w.Bytes(), HTML: true, Service: "webex", URI: join}
}

func meetBody() Body {
	w := newWriter(5)
	code := "kfd-wqpn-zbe"
	frame := "-::" + strings.Repeat("~:", 1) + "~::~:" + strings.Repeat("~:", 34) + "~::~:~::-"
	w.f("%s\n\n%s\nJoin with Google Meet: https://meet.google.com/%s\nOr dial: (US) +1 484-555-0136 PIN: %s#\nMore phone numbers: https://tel.meet/%s?pin=%s&hs=7\n\n", w.words(118), frame, code, w.digits(9), code, w.digits(13))
	w.f("Join by SIP: sip:%s@meet.fabrikam.example\nMore joining options: https://interop.fabrikam.example/%s\n\n", w.digits(11), w.digits(11))
	w.f("Learn more about Meet at: https://support.google.com/a/users/answer/9282720\n\nPlease do not edit this section.\n%s\n", frame)
	return Body{Name: "5 Meet", Data: w.Bytes(), Service: "meet", URI: "https://meet.google.com/" + code}
}

func sipBody() Body {
	w := newWriter(6)
	w.WriteString("Mara Lindqvist invites you to a video meeting in a virtual meeting room.\r\n\r\nWhen: Tuesday, 24 November 2026, 10:00 to 11:00\r\nWhere: Boardroom\r\nTopic: " + w.words(46) + "\r\n\r\n")
	w.WriteString("Video system:\r\n  alice.vmr@vc.contoso.example\r\n  sip:alice.vmr@vc.contoso.example\r\n  <sips:alice.vmr@vc.contoso.example;transport=tls>\r\n  h323:alice.vmr@vc.contoso.example\r\n\r\n")
	w.WriteString("Browser: https://vc.contoso.example/webapp/#/?conference=alice.vmr@vc.contoso.example.\r\nPhone: +44 20 7946 0450, then 88112#\r\nPIN: 4471\r\n\r\n")
	w.WriteString(w.words(14) + "\r\n")
	return Body{Name: "6 SIP", Data: w.Bytes(), Service: "pexip", URI: "https://vc.contoso.example/webapp/#/?conference=alice.vmr@vc.contoso.example"}
}

func threadBody() Body {
	w := newWriter(7)
	w.wordHead(11)
	var join string
	for i := 0; i < 10 || w.Len() < 197_500; i++ {
		w.WriteString("<div style=\"border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm\"><p class=\"MsoNormal\">")
		from, to := words[w.r.IntN(len(words))], words[w.r.IntN(len(words))]
		w.f("<b>From:</b> %s &lt;<a href=\"mailto:%s@contoso.example\">%s@contoso.example</a>&gt;<br>\n<b>Sent:</b> Monday, November %d, 2026 %d:%02d AM<br>\n<b>To:</b> %s &lt;%s@fabrikam.example&gt;<br>\n<b>Subject:</b> RE: %s</p></div>\n",
			from, from, from, 1+i%28, 8+i%4, i%60, to, to, w.words(4))
		w.paragraphs(7, 40, 90)
		if i%3 == 2 {
			doc := "https://docs.contoso.example/library/" + w.token(20) + "/" + w.token(12) + ".docx"
			w.f("<p class=\"MsoNormal\"><a href=\"%s\" originalsrc=\"%s\">minutes</a></p>\n", html.EscapeString(w.safeLink(doc)), doc)
		}
		if i == 9 {
			join = w.teamsBlock(plainLink)
		}
	}
	w.wordEnd()
	return Body{Name: "7 thread", Data: w.Bytes(), HTML: true, Service: "teams", URI: join}
}

func newsBody() Body {
	w := newWriter(8)
	w.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>News</title><style>\n")
	for i := 0; w.Len() < 20_000; i++ {
		w.f(".n%d{margin:%dpx;color:#%s;line-height:%dpx}\n", i, i%30, w.hex(6), 12+i%9)
	}
	w.WriteString("</style></head><body><table width=\"600\" cellpadding=\"0\" cellspacing=\"0\">\n")
	for w.Len() < 1_047_400 {
		w.f("<tr><td style=\"padding:12px 24px;font-family:Georgia,serif;font-size:15px;line-height:22px;color:#333\"><h2 style=\"margin:0 0 8px;font-size:20px;font-weight:600\">%s</h2>\n", w.words(9))
		w.f("<img src=\"https://cdn.news.example/img/%s.png\" width=\"552\" height=\"210\" style=\"display:block;border:0\" alt=\"\">\n<p style=\"margin:8px 0;text-align:left\">%s</p>\n", w.hex(24), w.words(74))
		w.f("<a style=\"color:#0b5;text-decoration:none;font-weight:700\" href=\"https://click.news.example/c/%s?s=%s&amp;u=%s&amp;k=%s\">Read more &rarr;</a></td></tr>\n", w.token(60), w.token(80), w.hex(40), w.hex(24))
	}
	w.WriteString("</table></body></html>\n")
	return Body{Name: "8 news", Data: w.Bytes(), HTML: true}
}
