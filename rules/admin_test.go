package rules_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	zoomInvite  = "Join Zoom Meeting\nhttps://us02web.zoom.us/j/81234567890?pwd=aBcDeFgHiJkLmN\nMeeting ID: 812 3456 7890\nPasscode: 448812\n"
	teamsLink   = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_TmpHa1QxbFp3Q0hYc0RiUmVWeU1n%40thread.v2/0?context=%7b%22Tid%22%3a%225d0a3c1e-7b42-4e0f-9d4e-0c6a1b7f2e11%22%2c%22Oid%22%3a%22a1c4e6f8-2b3d-4f5a-8c7e-9d0b1a2c3e4f%22%7d"
	ciscoInvite = "Microsoft Teams meeting\n" + teamsLink + "\nJoin on a video conferencing device\nTenant key: nordvik@m.webex.com\nVideo ID: 125 000 002 6\n"
)

func body(s string) *calendar.Event { return &calendar.Event{Body: calendar.Body{Plain: s}} }

// first builds an engine and returns "rule: addresses" of what it finds.
func first(t *testing.T, ev *calendar.Event, list ...rules.Rule) string {
	t.Helper()
	for i := range list {
		if list[i].Name == "" {
			list[i].Name = fmt.Sprintf("r%d", i+1)
		}
		if list[i].Priority == 0 {
			list[i].Priority = i + 1
		}
	}
	e, err := rules.New(list, &rules.Options{OwnDomains: []string{"nordvik.example"}})
	require.NoError(t, err)
	m, ok := e.Find(ev)
	if !ok {
		return e.Why(ev)
	}
	out := m.Rule + ":"
	for _, a := range m.Addresses {
		if a.Scheme != rules.HTTPS {
			out += " " + a.URI
		}
	}
	return out
}

func TestServiceTypes(t *testing.T) {
	zoom := rules.Rule{Type: rules.TypeZoom}
	with := func(f func(r *rules.Rule)) rules.Rule { r := zoom; f(&r); return r }
	for name, tt := range map[string]struct {
		ev   *calendar.Event
		list []rules.Rule
		want string
	}{
		"default":               {body(zoomInvite), []rules.Rule{zoom}, "r1: sip:81234567890@zoomcrc.com"},
		"pin":                   {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.IncludePIN = true })}, "r1: sip:81234567890.448812@zoomcrc.com"},
		"domain":                {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Domain = "gw.example" })}, "r1: sip:81234567890@gw.example"},
		"transform":             {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "{{ host }}/{{ service }}.{{ field }}@x" })}, "r1: sip:us02web.zoom.us/zoom.body@x"},
		"h323":                  {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "192.0.2.1##{{ meeting_id }}" })}, "r1: h323:192.0.2.1##81234567890"},
		"scheme":                {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "SIPS:{{ meeting_id }}@x" })}, "r1: sips:81234567890@x"},
		"empty falls through":   {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "{{ '' }} " }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"min length":            {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "{{ meeting_id|pex_require_min_length(12) }}@x" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"error falls through":   {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "{{ meeting_id + 1 }}@x" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"space falls through":   {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "{{ meeting_id }} @x" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"scheme nobody dials":   {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "javascript://{{ meeting_id }}" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"nothing before the @":  {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Transform = "@x" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"disabled":              {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Disabled = true; r.Domain = "gw.example" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"field":                 {body(zoomInvite), []rules.Rule{with(func(r *rules.Rule) { r.Fields = []string{"location"}; r.Domain = "gw.example" }), zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"field that is":         {&calendar.Event{Location: "https://zoom.us/j/81234567890"}, []rules.Rule{with(func(r *rules.Rule) { r.Fields = []string{"location"} })}, "r1: sip:81234567890@zoomcrc.com"},
		"another service":       {body(zoomInvite), []rules.Rule{{Type: rules.TypeWebex, Transform: "x@y"}, zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"cisco block":           {body(ciscoInvite), []rules.Rule{{Type: rules.TypePolyTeamsBody}, {Type: rules.TypePexipInfinityTeamsBody}, {Type: rules.TypeCiscoTeamsBody}}, "r3: sip:1250000026.nordvik@m.webex.com"},
		"cisco block, parts":    {body(ciscoInvite), []rules.Rule{{Type: rules.TypeTeams, Transform: "{{ tenant_key }}/{{ conference_id }}"}}, "r1: sip:nordvik/1250000026"},
		"priority, not order":   {body(zoomInvite), []rules.Rule{{Type: rules.TypeZoom, Priority: 20, Domain: "late.example"}, {Type: rules.TypeZoom, Priority: 10}}, "r2: sip:81234567890@zoomcrc.com"},
		"address beside a link": {body(zoomInvite + "\nVideo: sip:kari@nordvik.onpexip.com\n"), []rules.Rule{{Type: rules.TypePexipInfinity}, zoom}, "r2: sip:81234567890@zoomcrc.com"},
		"address alone":         {body("Video: sip:kari@nordvik.onpexip.com\n"), []rules.Rule{{Type: rules.TypePexipInfinity}, zoom}, "r1: sip:kari@nordvik.onpexip.com"},
		"cancelled":             {&calendar.Event{Status: calendar.Cancelled, Body: calendar.Body{Plain: zoomInvite}}, []rules.Rule{zoom}, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, first(t, tt.ev, tt.list...)) })
	}
}

func TestOrganizer(t *testing.T) {
	list := []rules.Rule{
		{Name: "in", Type: rules.TypeZoom, Organizer: rules.OrganizerInternal, Transform: "{{ 'i' if internal else 'e' }}@x"},
		{Name: "out", Type: rules.TypeZoom, Organizer: rules.OrganizerExternal, Transform: "{{ 'i' if internal else 'e' }}@x"},
		{Name: "any", Type: rules.TypeZoom},
	}
	for email, want := range map[string]string{
		"kari@nordvik.example":          "in: sip:i@x",
		"kari@OSLO.Nordvik.example":     "in: sip:i@x",
		"ola@fabrikam.example":          "out: sip:e@x",
		"ola@notnordvik.example":        "out: sip:e@x",
		"ola@nordvik.example.evil.test": "out: sip:e@x",
		"":                              "any: sip:81234567890@zoomcrc.com",
	} {
		ev := body(zoomInvite)
		ev.Organizer.Email = email
		assert.Equal(t, want, first(t, ev, list...), email)
	}
}

func TestRegexLooksEverywhere(t *testing.T) {
	r := rules.Rule{Name: "r", Type: rules.TypeRegexRE2, Service: "rooms", Match: `(?i)rooms\.example/j/(?P<id>\d+)`, Replace: `\g<id>@vc.example`}
	for name, ev := range map[string]*calendar.Event{
		"link":     {Links: []calendar.Link{{URI: "https://rooms.example/j/42", Source: calendar.SourceURL}}},
		"location": {Location: "Room 4; https://rooms.example/j/42"},
		"subject":  {Subject: "at rooms.example/j/42"},
		"plain":    body("see https://rooms.example/j/42."),
		"html":     {Body: calendar.Body{HTML: `<p>see <a href="https://Rooms.example/j/42">here</a></p>`}},
		"wrapped":  {Body: calendar.Body{HTML: `<a href="https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2Frooms.example%2Fj%2F42&amp;data=05&amp;reserved=0">here</a>`}},
		"text":     {Body: calendar.Body{HTML: `<p>go to rooms.<b></b>example/j/42</p>`}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "r: sip:42@vc.example", first(t, ev, r))
			only := r
			only.Fields = []string{map[string]string{"link": "url", "location": "location", "subject": "subject"}[name]}
			if only.Fields[0] == "" {
				only.Fields[0] = "body"
			}
			assert.Equal(t, "r: sip:42@vc.example", first(t, ev, only))
			only.Fields[0] = "structured"
			assert.Equal(t, "no address found", first(t, ev, only))
		})
	}
	e, err := rules.New([]rules.Rule{{Name: "r", Priority: 1, Type: r.Type, Service: "rooms", Match: r.Match, Replace: r.Replace}}, nil)
	require.NoError(t, err)
	ev := &calendar.Event{Location: "Room 4; https://rooms.example/j/42"}
	m, ok := e.Find(ev)
	require.True(t, ok)
	assert.Equal(t, "rooms", m.Service)
	assert.Equal(t, rules.FieldLocation, m.Field)
	assert.Equal(t, "rooms.example/j/42", ev.Location[m.Span.Start:m.Span.End])
}

func TestRegexConditions(t *testing.T) {
	r := rules.Rule{Name: "r", Type: rules.TypeRegexRE2, Match: `Passcode: (\d+)`, Replace: `\1@vc.example`, Services: []string{"zoom"}}
	assert.Equal(t, "r: sip:448812@vc.example", first(t, body(zoomInvite), r))
	assert.Equal(t, "no address found", first(t, body("Passcode: 448812"), r))
	r.Replace = ``
	_, err := rules.New([]rules.Rule{r}, nil)
	require.Error(t, err, "a rule needs a replacement")
}

func TestDomain(t *testing.T) {
	r := rules.Rule{Name: "d", Type: rules.TypeDomain, Domain: "vc.example"}
	for text, want := range map[string]string{
		"dial ops.team@vc.example, please":   "d: sip:ops.team@vc.example",
		"<sip:ops@VC.example;transport=tls>": "d: sip:ops@VC.example;transport=tls",
		"ops@vc.example.evil.test":           "no address found",
		"ops@vc.example.":                    "d: sip:ops@vc.example",
		"ops@avc.example":                    "no address found",
		"ops@vc.example-x.test":              "no address found",
		"kari@vc.example or 12@vc.example":   "d: sip:12@vc.example",
		"@vc.example":                        "no address found",
	} {
		ev := body(text)
		ev.Organizer.Email = "kari@vc.example"
		assert.Equal(t, want, first(t, ev, r), text)
	}
	r.Transform = "{{ user|upper }}@{{ domain }}"
	assert.Equal(t, "d: sip:OPS@vc.example", first(t, body("dial ops@vc.example"), r))
}

func TestCustom(t *testing.T) {
	ev := &calendar.Event{
		Subject: "Board", Location: "Oslo", UID: "u1", Organizer: calendar.Person{Name: "Kari", Email: "kari@nordvik.example"},
		Start: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), Body: calendar.Body{HTML: "<p>Hei <b>du</b> " + strings.ReplaceAll(zoomInvite, "\n", "<br>") + "</p>"},
		Links:      []calendar.Link{{URI: "https://a.example/1", Source: "URL", Passcode: "12"}},
		Properties: map[string]string{"X-ROOM": "r7"}, Sensitivity: calendar.Private,
	}
	for template, want := range map[string]string{
		`{{ event.subject }}.{{ event.location }}.{{ event.uid }}@x`:                                        "c: sip:Board.Oslo.u1@x",
		`{{ event.organizer.name }}.{{ event.organizer.email.split('@')[1] }}`:                              "c: sip:Kari.nordvik.example",
		`{{ event.start[:10] }}.{{ event.all_day }}.{{ event.status }}.{{ event.sensitivity }}@x`:           "c: sip:2026-11-24.False.confirmed.private@x",
		`{{ event.properties['X-ROOM'] }}{{ event.properties.NOPE|default('-') }}@x`:                        "c: sip:r7-@x",
		`{% for l in event.links %}{{ l.source }}{{ l.passcode }}{{ l.uri|pex_tail(1) }}{% endfor %}@x`:     "c: sip:URL121@x",
		`{{ event.meetings[0].meeting_id }}.{{ event.meetings|length }}.{{ event.meetings[0].passcode }}@x`: "c: sip:81234567890.1.448812@x",
		`{{ pex_find_first_match(event.uris, 'zoom')|pex_regex_replace('^.*/j/(\d+).*$', '\1') }}@x`:        "c: sip:81234567890@x",
		`{{ pex_regex_search('Hei (\w+)', event.text)[0] }}{{ '<b>' in event.html }}@x`:                     "c: sip:duTrue@x",
		`{% if internal %}in@x{% endif %}`:                                                                  "c: sip:in@x",
		`https://a.example/1`:                                                                               "c:",
	} {
		assert.Equal(t, want, first(t, ev, rules.Rule{Name: "c", Type: rules.TypeCustom, Template: template}), template)
	}
	// An address of a meeting that the default rules know keeps its link.
	e, err := rules.New([]rules.Rule{{Name: "c", Priority: 1, Type: rules.TypeCustom, Template: "{{ event.meetings[0].dial }}"}}, nil)
	require.NoError(t, err)
	m, ok := e.Find(ev)
	require.True(t, ok)
	assert.Equal(t, "zoom", m.Service)
	assert.Equal(t, "c", m.Rule)
	assert.Equal(t, rules.SIP, m.Addresses[0].Scheme)
	assert.Contains(t, m.Addresses, rules.Address{Scheme: rules.HTTPS, URI: "https://us02web.zoom.us/j/81234567890?pwd=aBcDeFgHiJkLmN"})
}

// TestLinkStays: a rule says where to dial, and the meeting's link stays as a
// second way in. Addresses to dial that are not the rule's do not.
func TestLinkStays(t *testing.T) {
	e, err := rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: rules.TypeZoom, Domain: "gw.example"}}, nil)
	require.NoError(t, err)
	m, _ := e.Find(body(zoomInvite))
	assert.Equal(t, []rules.Address{
		{Scheme: rules.SIP, URI: "sip:81234567890@gw.example"},
		{Scheme: rules.HTTPS, URI: "https://us02web.zoom.us/j/81234567890?pwd=aBcDeFgHiJkLmN"},
	}, m.Addresses)
	assert.Equal(t, "448812", string(m.Passcode))
}

// TestMatchesDoNotShareMemory: what a rule took over stays as it is when the
// engine reads the next event.
func TestMatchesDoNotShareMemory(t *testing.T) {
	e, err := rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: rules.TypeZoom, IncludePIN: true}}, nil)
	require.NoError(t, err)
	first := e.Append(nil, body(zoomInvite))
	require.Len(t, first, 1)
	want := first[0].Clone()
	for range 50 {
		other := e.Append(nil, body(strings.NewReplacer("1234567890", "9999999999", "448812", "777777", "aBcD", "ZZZZ").Replace(zoomInvite)))
		require.NotEqual(t, want, other[0])
	}
	assert.Equal(t, want.MeetingID, first[0].MeetingID)
	assert.Equal(t, want.Passcode, first[0].Passcode)
	assert.Equal(t, want.Addresses, first[0].Addresses)
}

func TestNewNamesRuleAndMember(t *testing.T) {
	_, err := rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: rules.TypeZoom, Transform: "{{ x }}"}}, nil)
	require.ErrorContains(t, err, `rule "z": transform: unknown variable "x"`)
	_, err = rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: rules.TypeRegex, Match: "a(?=b)", Replace: "x"}}, nil)
	require.ErrorContains(t, err, `rule "z": match: regular expression: look-ahead`)
	_, err = rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: "zom"}}, nil)
	require.ErrorContains(t, err, `rule "z": type: unknown type "zom"; did you mean "zoom"?`)
	_, err = rules.New([]rules.Rule{{Name: "z", Priority: 1, Type: rules.TypeRegexRE2, Match: "a*", Replace: "x"}}, nil)
	require.ErrorContains(t, err, "matches the empty text")
}

// TestRegexpBudget: a rule set at its limits does not take longer than its
// budget on a large body, and the rules that are left out say so.
func TestRegexpBudget(t *testing.T) {
	var list []rules.Rule
	for i := range 19 {
		list = append(list, rules.Rule{Name: fmt.Sprint(i), Type: rules.TypeRegexRE2, Match: `abc.{250}.{250}.{250}.{230}z`, Replace: "x@y"})
	}
	list = append(list, rules.Rule{Name: "zoom", Type: rules.TypeZoom})
	start := time.Now()
	got := first(t, body(zoomInvite+strings.Repeat("abcd efgh ", 20_000)), list...)
	assert.Equal(t, "zoom: sip:81234567890@zoomcrc.com", got)
	assert.Less(t, time.Since(start), 30*time.Second, "it is about 0.3 s; without a budget it is minutes")
}

func TestAllocationsWithRegexps(t *testing.T) {
	if rules.Raced {
		t.Skip("the race detector changes what is allocated; run without -race")
	}
	e, err := rules.New([]rules.Rule{
		{Name: "a", Priority: 1, Type: rules.TypeRegexRE2, Match: `https://bridge\.example/room/(\w+)`, Replace: `\1@vc.example`},
		{Name: "b", Priority: 2, Type: rules.TypeRegexRE2, Match: `https://rooms\.example/j/(\d+)`, Replace: `\1@vc.example`},
		{Name: "z", Priority: 3, Type: rules.TypeZoom, IncludePIN: true},
	}, nil)
	require.NoError(t, err)
	for name, ev := range map[string]*calendar.Event{
		"match":    {Location: "https://rooms.example/j/42"},
		"no match": body(strings.Repeat("Lunch in the canteen at 12. ", 40)),
		"in body":  body("Lunch\nhttps://rooms.example/j/42\n"),
		"service":  body(zoomInvite),
	} {
		dst := e.Append(nil, ev)
		got := testing.AllocsPerRun(200, func() { dst = e.Append(dst[:0], ev) })
		assert.LessOrEqual(t, got, 4.0, name)
		t.Logf("%s: %v allocations", name, got)
	}
}

// FuzzRules: whatever an invite has in it, rules of every type give an address
// that has no space and no control character, and twice the same.
func FuzzRules(f *testing.F) {
	var list []rules.Rule
	types := map[string]bool{}
	for i, info := range rules.Types() {
		types["own-"+string(info.Type)] = true
		r := rules.Rule{Name: "own-" + string(info.Type), Priority: i + 1, Type: info.Type, IncludePIN: info.Default != "" && info.Type != rules.TypeDomain}
		switch info.Type {
		case rules.TypeDomain:
			r.Domain = "vc.example"
		case rules.TypeRegex, rules.TypeRegexRE2:
			r.Match, r.Replace = `room (.+)`, `\1@x`
		case rules.TypeCustom:
			r.Template = `{{ event.text|pex_regex_replace('[^a-z]', '')|pex_tail(5) }}{{ event.uris|join }}{{ event.meetings }}`
		}
		list = append(list, r)
	}
	var engines []*rules.Engine
	for i := range list { // each rule has its turn
		e, err := rules.New(list[i:], nil)
		require.NoError(f, err)
		engines = append(engines, e)
	}
	f.Add(zoomInvite, true)
	f.Add(ciscoInvite, false)
	f.Add("a@vc.example room x\x00\u202e <sip:a@b>", true)
	f.Fuzz(func(t *testing.T, text string, html bool) {
		ev := &calendar.Event{Body: calendar.Body{Plain: text}, Location: text[:len(text)/2]}
		if html {
			ev.Body = calendar.Body{HTML: text}
		}
		for _, e := range engines {
			a, ok := e.Find(ev)
			b, again := e.Find(ev)
			require.Equal(t, ok, again)
			require.Equal(t, a, b)
			if !ok {
				require.NotEmpty(t, e.Why(ev))
				continue
			}
			require.NotEmpty(t, a.Addresses, a.Rule)
			if types[a.Rule] {
				require.False(t, strings.ContainsFunc(a.Addresses[0].URI, func(c rune) bool { return c <= ' ' || c == 0x7f }), "%q", a.Addresses[0].URI)
			}
		}
	})
}

// rules200 is a rule set of the largest size, of patterns and templates.
func rules200() []rules.Rule {
	var list []rules.Rule
	for i := range 200 {
		r := rules.Rule{Name: fmt.Sprint(i), Priority: i + 1, Type: rules.TypeRegexRE2, Match: fmt.Sprintf(`https://bridge%d\.example/room/(\w{3,20})`, i), Replace: `\1@vc.example`}
		if i%2 == 1 {
			r = rules.Rule{Name: fmt.Sprint(i), Priority: i + 1, Type: rules.TypeZoom, Transform: "{{ meeting_id }}{% if passcode %}.{{ passcode }}{% endif %}@gw.example"}
		}
		list = append(list, r)
	}
	return list
}

// TestEngineSize: an engine with 200 rules keeps less than 2 MB.
func TestEngineSize(t *testing.T) {
	list := rules200()
	rules.Default()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	e, err := rules.New(list, nil)
	require.NoError(t, err)
	after := heap()
	t.Logf("%d bytes", int64(after)-int64(before))
	assert.Less(t, int64(after)-int64(before), int64(2<<20))
	runtime.KeepAlive(e)
	runtime.KeepAlive(list)
}

func BenchmarkNew200Rules(b *testing.B) {
	list := rules200()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rules.New(list, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendWithRules(b *testing.B) {
	list := []rules.Rule{
		{Name: "a", Priority: 1, Type: rules.TypeRegexRE2, Match: `https://bridge\.example/room/(\w+)`, Replace: `\1@vc.example`},
		{Name: "z", Priority: 2, Type: rules.TypeZoom, IncludePIN: true},
	}
	e, err := rules.New(list, nil)
	require.NoError(b, err)
	ev := body(zoomInvite)
	dst := e.Append(nil, ev)
	b.ReportAllocs()
	b.SetBytes(int64(len(zoomInvite)))
	for b.Loop() {
		dst = e.Append(dst[:0], ev)
	}
}
