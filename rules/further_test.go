package rules

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// TestFurtherCases holds more of what happens to links and labels on their way.
func TestFurtherCases(t *testing.T) {
	const zoomSIP = "sip:93400127765@zoomcrc.com"
	for _, c := range []struct{ name, html, plain, want string }{
		{name: "amp without semicolon", html: `<a href="https://` + riskHost + `/j/93400127765?from=x&amp&pwd=Kd7">j</a>`, want: "https://" + riskHost + "/j/93400127765?from=x&&pwd=Kd7"},
		{name: "base64url with a parameter named like an entity", html: `<a href="https://` + riskHost + `/j/93400127765?pwd=Kd7&copy=1">j</a>`, want: "https://" + riskHost + "/j/93400127765?pwd=Kd7&copy=1"},
		{name: "byte order mark", plain: "\ufeff" + riskLink},
		{name: "direction marks", plain: "\u202a" + riskLink + "\u202c"},
		{name: "cut before the query", plain: "https://" + riskHost + "/j/93400127765\r\n?pwd=Kd7 and more"},
		{name: "cut before the query in HTML", html: "<p>https://" + riskHost + "/j/93400127765\n  ?pwd=Kd7 and more</p>"},
		{name: "cut before the query by a tag", html: "<p>https://" + riskHost + "/j/93400127765<br/>\r\n?pwd=Kd7<br>more</p>"},
		{name: "a question on the next line of HTML", html: "<p>https://" + riskHost + "/j/93400127765\n? pwd=Kd7</p>", want: "https://" + riskHost + "/j/93400127765"},
		{name: "area", html: `<map><area href="` + riskLink + `"></map>`},
		{name: "VML button", html: `<!--[if mso]><v:roundrect href="` + riskLink + `" style="x"></v:roundrect><![endif]-->`},
		{name: "Gmail's redirect", html: `<a href="https://x.example" data-saferedirecturl="https://www.google.com/url?q=` + strings.NewReplacer("?", "%3F", "=", "%3D").Replace(riskLink) + `&amp;source=gmail">j</a>`},
		{name: "javascript", html: `<a href="javascript:location='` + riskLink + `'">j</a>`, want: "none"},
		{name: "data", html: `<a href="data:text/html,` + riskLink + `">j</a>`, want: "none"},
		{name: "the text differs from the target", html: `<a href="https://evil.example/">` + riskLink + `</a>`},
		{name: "a comment that ends as browsers end it", html: `<p><!-- x --!> <a href="` + riskLink + `">j</a></p>`},
		{name: "a long one", html: strings.Repeat("<p>x</p>", maxText/8+1) + `<!-- x --!> <a href="` + riskLink + `">j</a>`},
		{name: "empty comments", html: `<!--><!---><a href="` + riskLink + `">j</a>`},
		{name: "unclosed comment", html: `<p>` + riskLink + `</p><!-- unclosed`},
		{name: "unclosed quote", html: `<a href="` + riskLink},
		{name: "unclosed tag", html: `<p>` + riskLink + `<a `},
		{name: "NUL bytes", plain: "a\x00 " + riskLink + "\x00b"},
		{name: "invalid UTF-8", plain: "\xff\xfe " + riskLink + "\xff"},
		{name: "escape in the host", plain: "https://us02web%2ezoom.us" + riskPath, want: "none"},
		{name: "sip with parameters", plain: "sip:93400127765@zoomcrc.com;transport=tls", want: "sip:93400127765@zoomcrc.com;transport=tls"},
		{name: "sip with a header", plain: "sip:93400127765@zoomcrc.com?subject=Plan", want: "sip:93400127765@zoomcrc.com?subject=Plan"},
		{name: "sips", plain: "sips:ops@vc.acme.example", want: "sips:ops@vc.acme.example"},
		{name: "telephone", html: `<a href="tel:+13125550147,,912345678#">+1 312-555-0147,,912345678#</a>`, want: "none"},
		{name: "relative link", html: `<base href="https://` + riskHost + `/"><a href="` + riskPath + `">j</a>`, want: "none"},
		{name: "escaped slash in the host", plain: "https://" + riskHost + "%2fevil.example" + riskPath, want: "none"},
		{name: "percent signs escaped twice", plain: "https://teams.microsoft.com/l/meetup-join/19%253ameeting_QkJC%2540thread.v2/0?context=%7b%7d", want: "https://teams.microsoft.com/l/meetup-join/19%253ameeting_QkJC%2540thread.v2/0?context=%7b%7d"},
		{name: "a link of 9 KB", plain: riskLink + "&x=" + strings.Repeat("a", 9<<10), want: "none"},
		{name: "after 10,000 links", plain: strings.Repeat("https://intranet.acme.example/page ", 10_000) + riskLink},
		{name: "sip in brackets", plain: "<sip:93400127765@zoomcrc.com>", want: zoomSIP},
		{name: "mailto of a video address", html: `<a href="mailto:93400127765@zoomcrc.com">x</a>`, want: zoomSIP},
		{name: "sip with an IPv6 host", plain: "sip:ops@[2001:db8::7]", want: "sip:ops@[2001:db8::7]"},
		{name: "H.323 with a host", plain: "h323:ops@vc.acme.example", want: "h323:ops@vc.acme.example"},
		{name: "H.323 without an id", plain: "Dial h323:192.0.2.7 and enter 1", want: "h323:192.0.2.7"},
		{name: "Slack's form", plain: "<" + riskLink + "|Join>"},
		{name: "Markdown with the link as its text", plain: "[" + riskLink + "](" + riskLink + ")"},
		{name: "link in front of ideographs", plain: "会議" + riskLink + "参加"},
		{name: "a comma and a word", plain: riskLink + ", then tea"},
		{name: "a short form of conditional comment", html: `<!--[if !mso]><!--><a href="` + riskLink + `">j</a><!--<![endif]-->`},
		{name: "upper-case tags", html: `<STYLE>x{}</STYLE><A HREF="` + riskLink + `">J</A>`},
		{name: "upper-case script", html: `<SCRIPT>"` + riskLink + `"</SCRIPT>`, want: "none"},
		{name: "backslashes of JSON", plain: strings.ReplaceAll(riskLink, "/", `\/`)},
		{name: "Safe Links with a break in the data", plain: "https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2F" + riskHost + "%2Fj%2F93400127765%3Fpwd%3DKd7&data=05%7C02%7C\r\nabc&reserved=0"},
		{name: "a Teams thread cut by mail", plain: "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ\r\nRR%40thread.v2/0?context=%7b%7d", want: "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQRR%40thread.v2/0?context=%7b%7d"},
		{name: "a letter of the scheme escaped", html: `<a href="&#104;ttps` + riskLink[5:] + `">j</a>`},
		{name: "letters of the scheme escaped", html: `<a href="ht&#x74;p&#115;` + riskLink[5:] + `">j</a>`},
		{name: "no scheme behind the escape", html: `<a href="&#120;ttps` + riskLink[5:] + `">j</a>`, want: "none"},
		{name: "an attribute in two lines", html: "<a href=\"https://" + riskHost + "/j/93400127765\r\n   ?pwd=Kd7\">j</a>"},
		{name: "angle brackets around three lines", plain: "<https://" + riskHost + "/j/93400\n127765?from=a\n&pwd=Kd7>", want: "https://" + riskHost + "/j/93400127765?from=a&pwd=Kd7"},
		{name: "angle brackets around quoted lines", plain: "> <https://" + riskHost + "/j/93400\n> 127765?pwd=Kd7>"},
		{name: "an angle bracket that is not closed", plain: "<" + riskLink + "\nBring the papers\nand tea"},
		{name: "a hyphen at the end of a host's name", html: `<a href="https://pexip.me/teams/t.plcm.vc-/93400127765">j</a>`, want: "none"},
		{name: "a hyphen at the start of a label", plain: "sip:ops@-vc.acme.example", want: "none"},
		{name: "a label that is empty", plain: "sip:ops@vc..acme.example", want: "none"},
		{name: "a label that is too long", plain: "sip:ops@" + strings.Repeat("a", 64) + ".example", want: "none"},
		{name: "a label of full length", plain: "sip:ops@" + strings.Repeat("a", 63) + ".example", want: "sip:ops@" + strings.Repeat("a", 63) + ".example"},
		{name: "a NUL behind an unwrapped link", plain: safeLink(riskLink + "\x00")},
		{name: "a word behind an unwrapped link", plain: safeLink(riskLink + "\u00a0Thanks")},
		{name: "entities in an unwrapped link", plain: safeLink("https://" + riskHost + "/j/93400127765?from=x&amp;amp;pwd=Kd7"), want: "https://" + riskHost + "/j/93400127765?from=x&pwd=Kd7"},
		{name: "a Safe Link in capitals", plain: "HTTPS://NAM12.SAFELINKS.PROTECTION.OUTLOOK.COM/?url=https%3A%2F%2F" + riskHost + "%2Fj%2F93400127765%3Fpwd%3DKd7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = riskLink
			}
			m, ok := Default().Find(&calendar.Event{Body: calendar.Body{HTML: c.html, Plain: c.plain}})
			if want == "none" {
				assert.False(t, ok, "%q", uris(m))
				return
			}
			require.True(t, ok, "nothing found")
			assert.Contains(t, uris(m), want)
			if schemeOf(want) == HTTPS {
				assert.Equal(t, want, m.Addresses[0].URI)
			}
		})
	}
}

// safeLink is a link as Microsoft's gateway rewrites it.
func safeLink(link string) string {
	return "https://nam12.safelinks.protection.outlook.com/?url=" + url.QueryEscape(link) + "&data=05%7C02&reserved=0"
}

// TestOlderMessages: a meeting whose link is made of numbers is in the message
// that the numbers are in.
func TestOlderMessages(t *testing.T) {
	numbers := "Microsoft Teams\nMeeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8"
	for name, c := range map[string]struct {
		ev   *calendar.Event
		want Field
	}{
		"own words":           {plain(numbers), FieldBody},
		"own words in HTML":   {htmlBody("<p>" + strings.ReplaceAll(numbers, "\n", "<br>") + "</p>"), FieldBody},
		"quoted lines":        {plain("> " + strings.ReplaceAll(numbers, "\n", "\n> ")), FieldQuoted},
		"a header before":     {plain("Fine.\n\nFrom: Ada\nSent: Monday\nTo: Room\n\n" + numbers), FieldQuoted},
		"an element":          {htmlBody(`<p>Fine.</p><blockquote type="cite"><p>` + strings.ReplaceAll(numbers, "\n", "<br>") + "</p></blockquote>"), FieldQuoted},
		"quoted lines, HTML":  {htmlBody("<div>&gt; " + strings.ReplaceAll(numbers, "\n", "</div><div>&gt; ") + "</div>"), FieldQuoted},
		"a link, quoted HTML": {htmlBody("<div>&gt; Join: " + riskLink + "</div>"), FieldQuoted},
		"a link after quotes": {htmlBody("<div>&gt; When?</div><div>Now: " + riskLink + "</div>"), FieldBody},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := Default().Find(c.ev)
			require.True(t, ok)
			assert.Equal(t, c.want, m.Field)
		})
	}
}

// TestNoDefaultsMakesNoLinks: an engine without the default pack knows no
// service whose link it could make of a number.
func TestNoDefaultsMakesNoLinks(t *testing.T) {
	e, err := New(nil, &Options{NoDefaults: true})
	require.NoError(t, err)
	for _, text := range []string{
		"Microsoft Teams\nMeeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8",
		"Zoom\nMeeting ID: 934 0012 7765\nPasscode: 123456",
		riskLink,
	} {
		assert.Empty(t, e.Append(nil, plain(text)), text)
	}
}

func TestNumbersInTheText(t *testing.T) {
	for name, text := range map[string]string{
		"no-break spaces":      "<p>Microsoft Teams</p><p>Meeting ID: 352&nbsp;014&nbsp;000&nbsp;098&nbsp;7</p><p>Passcode: Rt7Uv8</p>",
		"bare nbsp":            "<p>Microsoft Teams</p><p>Meeting ID: 352&nbsp014&nbsp000&nbsp098&nbsp7</p><p>Passcode: Rt7Uv8</p>",
		"narrow spaces":        "<p>Microsoft Teams</p><p>Meeting ID: 352\u202f014\u2009000\u202f098\u20097</p><p>Passcode: Rt7Uv8</p>",
		"direction marks":      "<p>Microsoft Teams</p><p>Meeting ID: \u200e352 014 000 098 7\u200f</p><p>Passcode: \u2066Rt7Uv8\u2069</p>",
		"full-width colon":     "<p>Microsoft Teams</p><p>会議 ID：352 014 000 098 7</p><p>パスコード：Rt7Uv8</p>",
		"another language":     "<p>Microsoft Teams</p><p>Cruinniú-uimhir: 352 014 000 098 7</p><p>Paschód: Rt7Uv8</p>",
		"values on their own":  "<p>Microsoft Teams</p><p>Meeting ID:</p><p>352 014 000 098 7</p><p>Passcode:</p><p>Rt7Uv8</p>",
		"cells":                "<p>Microsoft Teams</p><table><tr><td>Besprechungs-ID:</td><td>352 014 000 098 7</td></tr><tr><td>Kennungscode:</td><td>Rt7Uv8</td></tr></table>",
		"no phone number here": "<p>Microsoft Teams</p><p>Meeting ID: 352 014 000 098 7</p><p>Passcode: Rt7Uv8</p><p>Phone conference ID: 123 456 789#</p>",
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := Default().Find(htmlBody(text))
			require.True(t, ok)
			assert.Equal(t, "https://teams.microsoft.com/meet/3520140000987?p=Rt7Uv8", m.Addresses[0].URI)
		})
	}
}

// TestSpacedPasscodes: people write a passcode in groups. Half of it opens
// nothing, and a number beside it is none of it.
func TestSpacedPasscodes(t *testing.T) {
	const link = "https://us02web.zoom.us/j/81234567890\n"
	for text, want := range map[string]string{
		"Passcode: 448 812":                            "448812",
		"Passcode: 448\u00a0812.":                      "448812",
		"Passcode: 12 34 56 (for video systems)":       "123456",
		"Passcode: 9 876":                              "9876",
		"Passcode: 448 812#":                           "448812",
		"Passcode: 448812 81234567890":                 "448812",
		"Passcode: 4488 on Monday":                     "4488",
		"Passcode: 448812 12":                          "448812",
		"Passcode: 448 812\nMeeting ID: 812 3456 7890": "448812",
	} {
		m, ok := Default().Find(plain(link + text))
		require.True(t, ok)
		assert.Equal(t, want, string(m.Passcode), text)
		if assert.Len(t, m.Addresses, 3, text) {
			assert.Equal(t, "sip:81234567890."+want+"@zoomcrc.com", m.Addresses[1].URI, text)
		}
	}
}

// TestCutBeforeTheQuery: the "?" at the end of the line is the link's, unless
// what follows makes nothing of it.
func TestCutBeforeTheQuery(t *testing.T) {
	for text, want := range map[string]string{
		"Join: <https://us02web.zoom.us/j/81234567890?\npwd=aBcDe>":                "https://us02web.zoom.us/j/81234567890?pwd=aBcDe",
		"Join: https://us02web.zoom.us/j/81234567890?\r\npwd=aBcDe\r\n":            "https://us02web.zoom.us/j/81234567890?pwd=aBcDe",
		"> <https://teams.microsoft.com/meet/2345678901234?\n> p=aBcDe>":           "https://teams.microsoft.com/meet/2345678901234?p=aBcDe",
		"https://teams.microsoft.com/meet/2345678901234?\np=aBcDe":                 "https://teams.microsoft.com/meet/2345678901234?p=aBcDe",
		"Can you join https://us02web.zoom.us/j/81234567890?\nPlease say yes.":     "https://us02web.zoom.us/j/81234567890",
		"Can you join https://us02web.zoom.us/j/81234567890?\n\npwd=aBcDe":         "https://us02web.zoom.us/j/81234567890",
		"Is it https://us02web.zoom.us/j/81234567890?\nhttps://example.com/?pwd=x": "https://us02web.zoom.us/j/81234567890",
	} {
		m, ok := Default().Find(plain(text))
		require.True(t, ok, text)
		assert.Equal(t, want, m.Addresses[0].URI, text)
	}
}

// TestUndeclaredUTF16 shows what the engine does not do: a charset is undone
// before the text becomes an event.
func TestUndeclaredUTF16(t *testing.T) {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(riskLink)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	_, ok := Default().Find(plain(b.String()))
	assert.False(t, ok)
}

// TestWorkIsLinear counts steps on hostile texts of two sizes.
func TestWorkIsLinear(t *testing.T) {
	e := Default()
	steps := func(ev *calendar.Event) int {
		sc := e.get(ev)
		defer e.put(sc)
		sc.read()
		return sc.steps
	}
	for name := range adversarial {
		for form, of := range map[string]func(string) *calendar.Event{
			"plain": plain, "html": htmlBody,
			// Beside a meeting the text is read too, for numbers and passcodes.
			"plain beside a link": func(s string) *calendar.Event { return plain(riskLink + "\n" + s) },
			"html beside a link":  func(s string) *calendar.Event { return htmlBody("<p>" + riskLink + "</p>" + s) },
		} {
			small, large := steps(of(adversarialText(name, 1<<17))), steps(of(adversarialText(name, 1<<18)))
			assert.LessOrEqual(t, large, 1<<20, "%s as %s", name, form)
			assert.LessOrEqual(t, large, 2*small+1000, "%s as %s", name, form)
		}
	}
}

func TestWrappersAreCapped(t *testing.T) {
	link := riskLink
	for range maxDepth {
		link = "https://urldefense.com/v3/__" + link + "__;!!a!b$"
	}
	m, ok := Default().Find(plain(link))
	require.True(t, ok)
	assert.Equal(t, riskLink, m.Addresses[0].URI)
	for range 3 {
		link = "https://urldefense.com/v3/__" + link + "__;!!a!b$"
	}
	_, ok = Default().Find(plain(link))
	assert.False(t, ok)
	assert.Contains(t, Default().Why(plain(link)), "wrappers")
}
