package rules

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

const (
	riskHost = "us02web.zoom.us"
	riskPath = "/j/93400127765?pwd=Kd7"
	riskLink = "https://" + riskHost + riskPath
	riskMeet = "https://teams.microsoft.com/meet/3520140000987?p=RtUvWx"
)

// TestRiskCases holds what mail and calendars do to a link, one case for each.
// A case without want expects riskLink; "none" expects that nothing comes out.
func TestRiskCases(t *testing.T) {
	esc := url.QueryEscape
	safe := func(region, target string) string {
		return "https://" + region + ".safelinks.protection.outlook.com/?url=" + esc(target) + "&data=05%7C02&sdata=x&reserved=0"
	}
	for _, c := range []struct{ name, html, plain, want string }{
		{name: "R01 ampersand in href", html: `<a href="https://` + riskHost + `/j/93400127765?from=x&amp;pwd=Kd7">j</a>`, want: "https://" + riskHost + "/j/93400127765?from=x&pwd=Kd7"},
		{name: "R02 colon escaped in text", html: `<p>https&#58;//` + riskHost + riskPath + `</p>`},
		{name: "R03 hexadecimal escapes in href", html: `<a href="https&#x3a;&#x2f;&#x2f;` + riskHost + riskPath + `">j</a>`},
		{name: "R04 named entities", html: `<a href="https&colon;&sol;&sol;` + riskHost + riskPath + `">j</a>`},
		{name: "R05 dots escaped", html: `<p>https://us02web&#46;zoom&#46;us` + riskPath + `</p>`},
		{name: "R06 a letter escaped", html: `<p>https://us02web.&#122;oom.us` + riskPath + `</p>`},
		{name: "R07 at-sign escaped", html: `<p>sip:934001277&#64;zoomcrc.com</p>`, want: "sip:934001277@zoomcrc.com"},
		{name: "R08 escaped twice", html: `<a href="https://` + riskHost + `/j/93400127765?from=x&amp;amp;pwd=Kd7">j</a>`, want: "https://" + riskHost + "/j/93400127765?from=x&pwd=Kd7"},
		{name: "R09 wbr", html: `<p>https://` + riskHost + `/<wbr>j/93400127765?<wbr>pwd=Kd7</p>`},
		{name: "R10 span inside", html: `<p>https://` + riskHost + `/j/<span>9340012</span>7765?pwd=Kd7</p>`},
		{name: "R11 soft hyphen", html: "<p>https://" + riskHost + "/j/93400127765?pwd=K\u00add7</p>"},
		{name: "R12 shy", html: `<p>https://` + riskHost + `/j/9340012&shy;7765?pwd=Kd7</p>`},
		{name: "R13 zero width in path", html: "<p>https://" + riskHost + "/j/9340012\u200b7765?pwd=Kd7</p>"},
		{name: "R14 zero width after", html: "<p>" + riskLink + "\u200b</p>"},
		{name: "R15 no-break space after", html: "<p>" + riskLink + "\u00a0Thanks</p>"},
		{name: "R16 nbsp after", html: "<p>" + riskLink + "&nbsp;Thanks</p>"},
		{name: "R17 escaped angle brackets", html: "<p>Join &lt;" + riskLink + "&gt; now</p>"},
		{name: "R18 angle brackets in plain text", plain: "Join the meeting now<" + riskLink + ">"},
		{name: "R19 dot", plain: "Join " + riskLink + "."},
		{name: "R20 bracket", plain: "(join: " + riskLink + ")"},
		{name: "R21 quote and comma", plain: "'" + riskLink + "',"},
		{name: "R22 balanced brackets", plain: "https://meet.jit.si/Salon_(B) now", want: "https://meet.jit.si/Salon_(B)"},
		{name: "R23 wrapped", plain: "https://" + riskHost + "/j/9340012776\r\n5?pwd=Kd7"},
		{name: "R24 quoted-printable break", plain: "https://" + riskHost + "/j/934001277=\r\n65?pwd=3DKd7"},
		{name: "R25 quoted-printable equals", plain: "https://" + riskHost + "/j/93400127765?pwd=3DKd7"},
		{name: "R26 quoted and wrapped", plain: "> https://" + riskHost + "/j/9340012\r\n> 7765?pwd=Kd7"},
		{name: "R27 base64", plain: base64.StdEncoding.EncodeToString([]byte(riskLink)), want: "none"},
		{name: "R28 Safe Links", html: `<a href="` + strings.ReplaceAll(safe("nam12", riskLink), "&", "&amp;") + `">j</a>`},
		{name: "R29 Safe Links with a path", html: `<a href="https://eur01.safelinks.protection.outlook.com/ap/t-59584e83/?url=` + esc(riskMeet) + `&amp;data=05">j</a>`, want: riskMeet},
		{name: "R30 nested", plain: safe("nam12", safe("eur01", riskLink))},
		{name: "R31 Proofpoint v3", plain: "https://urldefense.com/v3/__" + riskLink + "__;!!QRS!y$"},
		{name: "R32 Proofpoint v3 with bytes", plain: "https://urldefense.com/v3/__https://" + riskHost + "/j/93400127765*pwd=Kd7__;Pw!!QRS!y$"},
		{name: "R33 Proofpoint v2", plain: "https://urldefense.proofpoint.com/v2/url?u=https-3A__us02web.zoom.us_j_93400127765-3Fpwd-3DKd7&d=DwMF"},
		{name: "R34 upper case", plain: "HTTPS://US02WEB.ZOOM.US" + riskPath},
		{name: "R35 port", plain: "https://" + riskHost + ":443" + riskPath, want: "https://" + riskHost + ":443" + riskPath},
		{name: "R36 root dot", plain: "https://" + riskHost + "." + riskPath},
		{name: "R37 look-alike", plain: "https://notzoom.us" + riskPath, want: "none"},
		{name: "R38 prefix", plain: "https://zoom.us.evil.example/j/93400127765", want: "none"},
		{name: "R39 user", plain: "https://zoom.us@evil.example/j/93400127765", want: "none"},
		{name: "R40 in a query", plain: "https://evil.example/?u=" + riskLink, want: "none"},
		{name: "R41 comment", html: "<!-- " + riskLink + " -->", want: "none"},
		{name: "R42 script", html: `<script>var a="` + riskLink + `"</script>`, want: "none"},
		{name: "R42 style", html: `<style>a{background:url(` + riskLink + `)}</style>`, want: "none"},
		{name: "R43 unquoted", html: "<a href=" + riskLink + ">j</a>"},
		{name: "R44 single quotes", html: "<a href='" + riskLink + "'>j</a>"},
		{name: "R45 newline in href", html: "<a href=\"https://" + riskHost + "/j/9340012\n7765?pwd=Kd7\">j</a>"},
		{name: "R46 no scheme", plain: "Join at " + riskHost + riskPath},
		{name: "R47 escaped colon in path", plain: "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QkJC%40thread.v2/0?context=%7b%7d", want: "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QkJC%40thread.v2/0?context=%7b%7d"},
		{name: "R48 literal colon and at-sign", plain: "https://teams.microsoft.com/l/meetup-join/19:meeting_QkJC@thread.v2/0?context={}", want: "https://teams.microsoft.com/l/meetup-join/19:meeting_QkJC@thread.v2/0?context={}"},
		{name: "R49 IDN", plain: "sip:sal@møtesal.example", want: "sip:sal@møtesal.example"},
		{name: "R50 full-width dots", plain: "https://us02web．zoom．us/j/93400127765", want: "https://us02web.zoom.us/j/93400127765"},
		{name: "R51 Markdown", plain: "[Join](" + riskLink + ")"},
		{name: "R53 JSON escape", plain: `https://` + riskHost + `/j/93400127765?from=x\u0026pwd=Kd7`, want: "https://" + riskHost + "/j/93400127765?from=x&pwd=Kd7"},
		{name: "R54 glued", plain: "x" + riskLink},
		{name: "R55 HYPERLINK", plain: `HYPERLINK "` + riskLink + `"Join`},
		{name: "R56 originalsrc", html: `<a href="` + safe("nam12", "https://x.example") + `" originalsrc="` + riskLink + `">j</a>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = riskLink
			}
			m, ok := Default().Find(&calendar.Event{Body: calendar.Body{HTML: c.html, Plain: c.plain}})
			if want == "none" {
				assert.False(t, ok, "%#v", m)
				return
			}
			if assert.True(t, ok, "nothing found") {
				assert.Equal(t, want, m.Addresses[0].URI)
			}
		})
	}
}

// TestPlainRun compares the run of eight bytes with that of one: every byte at
// every place of a run.
func TestPlainRun(t *testing.T) {
	for c := range 256 {
		for at := range 24 {
			b := []byte("Join the meeting, please")
			b[at] = byte(c)
			want := len(b)
			if !plainByte[c] {
				want = at
			}
			for from := range at {
				assert.Equal(t, want, plainRun(string(b), from), "%q from %d", b, from)
			}
		}
	}
}
