package rules

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var fuzzSeeds = []string{
	"", riskLink, "Meeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8\nMicrosoft Teams", `<a href="` + riskMeet + `">Join</a><!-- x --><script>"` + riskLink + `"</script>`,
	"sip:a@b.example;transport=tls h323:192.0.2.1##12#34 pexip://1@vc.example", "https&#58;//zoom&#46;us/j/1&nbsp;2", "> https://zoom.us/j/12345\n> 678?pwd=1", "key@t.plcm.vc VTC Conference ID: 1160000978",
	"https://urldefense.com/v3/__https://zoom.us/j/1*2__;Pw!!a!b$", "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1&data=x", "<style><!-- </style><![if !mso]><v:x href=https://zoom.us/j/1>", "a@zoomcrc.com,a@zoomcrc.com", "https://zoom.us/j/1\u00adx．us\\u0026",
	`<a href="https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2Fteams.microsoft.com%2Fmeet%2F352%3Fp%3Da&amp;data=05%7C02">x</a><a href="https://nam12.safelinks.protection.outlook.com/ap/t-1/?url=https%3A%2F%2Fzoom.us%2Fj%2F93100000042%3Fpwd%3Da.1&amp;reserved=0">y</a>`,
	`<a href="https://pexip.me/teams/t.plcm.vc-/93400127765">j</a>`, "https://pexip.me/teams/vc.acme.example/93400127765",
}

func events(s string) map[string]*calendar.Event {
	return map[string]*calendar.Event{"html": htmlBody(s), "plain": plain(s), "location": {Location: s}, "link": {Links: []calendar.Link{{URI: s, Source: "CONFERENCE"}}}}
}

// traced returns the meetings that a trace finds. It makes links of what is seen
// through in the text otherwise.
func traced(e *Engine, ev *calendar.Event) []Match {
	sc := e.get(ev)
	defer e.put(sc)
	sc.tracing = true
	sc.read()
	return sc.emit(nil)
}

func addressesOf(all []Match) (out []string) {
	for _, m := range all {
		for _, a := range m.Addresses {
			out = append(out, m.Service+" "+a.URI)
		}
	}
	return out
}

// FuzzFind checks what holds for every text: spans lie in the text, a match has
// addresses, the answer is the same each time and with a trace, and the work is
// linear.
func FuzzFind(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := Default()
		for form, ev := range events(s) {
			all := e.Append(nil, ev)
			for _, m := range all {
				require.NotEmpty(t, m.Addresses, form)
				require.GreaterOrEqual(t, m.Span.Start, 0, form)
				require.LessOrEqual(t, m.Span.Start, m.Span.End, form)
				require.LessOrEqual(t, m.Span.End, len(s), form)
				for _, a := range m.Addresses {
					require.NotEqual(t, SchemeNone, a.Scheme, form)
					require.False(t, strings.ContainsAny(a.URI, " \n\r\t<>\"\x00"), "%s: %q", form, a.URI)
				}
			}
			require.Equal(t, len(all) == 0, e.Why(ev) != "", form)
			require.Equal(t, all, e.Append(nil, ev), form)
			sc := e.get(ev)
			sc.read()
			steps := sc.steps
			e.put(sc)
			require.LessOrEqual(t, steps, 4*len(s)+1000, "%s: steps for %d bytes", form, len(s))
			require.Equal(t, addressesOf(all), addressesOf(traced(e, ev)), "%s: a trace decides by itself", form)
			e.Explain(ev)
		}
	})
}

// FuzzFoundAgain finds a match's own addresses in a text that has nothing else.
func FuzzFoundAgain(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for form, ev := range events(s) {
			for _, m := range Default().Append(nil, ev) {
				// The first address is what the device gets; the others are
				// derived from it and the text.
				uri := m.Addresses[0].URI
				if strings.Contains(uri, "=3D") {
					continue // in a text of its own that is quoted-printable's "="
				}
				again, ok := Default().Find(plain(uri))
				require.True(t, ok, "%s: %q", form, uri)
				require.Equal(t, uri, again.Addresses[0].URI, form)
			}
		}
	})
}

// FuzzSurround puts text around an invite that has nothing to do with it.
func FuzzSurround(f *testing.F) {
	f.Add("Dear all,", "Regards", false)
	f.Add("a/b c.d (e)", "1, 2; 3!", true)
	f.Fuzz(func(t *testing.T, before, after string, html bool) {
		// Not unrelated: signs of links, tags, entities and quotes.
		clean := func(s string) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("<>&@:\\\"'=%", r) || r == 0xFFFD || r == 0 {
					return ' '
				}
				return r
			}, s)
		}
		before, after = clean(before), clean(after)
		if len(before)+len(after) > 100<<10 {
			return
		}
		ev := plain(before + "\n" + riskLink + "\n\n" + after)
		if html {
			ev = htmlBody("<p>" + before + `</p><p><a href="` + riskLink + `">x</a></p><p>` + after + "</p>")
		}
		found := false
		for _, m := range Default().Append(nil, ev) {
			found = found || m.Addresses[0].URI == riskLink
		}
		require.True(t, found)
	})
}

// FuzzUnwrap checks that unwrapping ends, and that what it ends with stays.
func FuzzUnwrap(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for range len(s) + 1 {
			target, gateway, ok := Unwrap(s)
			if !ok {
				require.Empty(t, target)
				return
			}
			require.NotEmpty(t, gateway)
			require.Less(t, len(target), len(s))
			s = target
		}
		t.Fatal("it does not end")
	})
}

// FuzzReference compares with a parser of HTML: a link that it sees in an
// anchor, and that is a meeting by itself, is found in the document too.
func FuzzReference(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Add(`<div><a class="x" href='https://zoom.us/j/93100000042?a=1&amp;pwd=2'>Join</a> or <a href=https://meet.google.com/qrs-tuvw-xyz>meet</a></div>`)
	f.Fuzz(func(t *testing.T, s string) {
		// A slash before an attribute is an error of HTML that no mail program makes;
		// a reader of text takes "zoom.us/href=…" for a path.
		if len(s) > 32<<10 || strings.ContainsRune(s, 0) || strings.Contains(strings.ToLower(s), "/href") {
			return
		}
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(s))
		if err != nil {
			return
		}
		all := Default().Append(nil, htmlBody(s))
		if len(all) > 50 {
			return
		}
		doc.Find("body a[href]").Each(func(_ int, a *goquery.Selection) {
			href, _ := a.Attr("href")
			l, ok := cut(href)
			if !ok || l.scheme != "https" || !printable(href) || strings.Contains(href[8:], "://") {
				return
			}
			m, ok := Default().Find(&calendar.Event{Links: []calendar.Link{{URI: href}}})
			if !ok || m.Addresses[0].URI != href {
				return
			}
			for _, x := range all {
				if x.Service == m.Service && (x.MeetingID == m.MeetingID || x.Addresses[0].URI == href) {
					return
				}
			}
			t.Fatalf("the reference has %q", href)
		})
	})
}

// printable reports whether a link has only signs that need no interpretation:
// about the others a browser and a mail reader disagree.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte("-._~:/?=#", s[i]) < 0 {
			return false
		}
	}
	return true
}
