package otj

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// locations is a finder that takes the words of the location that are addresses.
type locations struct{}

func (locations) Find(ev *calendar.Event) (rules.Match, bool) {
	m := rules.Match{Service: "sip", Rule: "test", Field: rules.FieldLocation}
	for _, w := range strings.Fields(ev.Location) {
		for scheme := rules.HTTPS; scheme <= rules.TEL; scheme++ {
			if strings.HasPrefix(w, scheme.String()+":") {
				m.Addresses = append(m.Addresses, rules.Address{Scheme: scheme, URI: w})
			}
		}
	}
	return m, m.Addresses != nil
}

func (locations) Why(*calendar.Event) string { return "no address found" }

var nine = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// event is an event of 30 minutes, so many minutes after nine.
func event(uid string, minutes int, change ...func(*calendar.Event)) calendar.Event {
	ev := calendar.Event{
		ID:        "id-" + uid,
		UID:       uid,
		Subject:   "Subject of " + uid,
		Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"},
		Start:     nine.Add(time.Duration(minutes) * time.Minute),
		End:       nine.Add(time.Duration(minutes+30) * time.Minute),
		Response:  calendar.Accepted,
		Location:  "sip:" + uid + "@example.com",
	}
	for _, c := range change {
		c(&ev)
	}
	return ev
}

func private(ev *calendar.Event) { ev.Sensitivity = calendar.Private }
func noVideo(ev *calendar.Event) { ev.Location = "Room 4" }
func allDay(ev *calendar.Event)  { ev.AllDay = true; ev.End = ev.Start.Add(24 * time.Hour) }
func location(l string) func(*calendar.Event) {
	return func(ev *calendar.Event) { ev.Location = l }
}
func subject(l string) func(*calendar.Event) {
	return func(ev *calendar.Event) { ev.Subject = l }
}

func dialsSIP(a rules.Address) bool { return a.Scheme == rules.SIP }

// brief is what a report says, a line a meeting: title, address or reason.
func brief(r Report) []string {
	var out []string
	for _, m := range r.Meetings {
		l := m.Title + " | " + m.Join.URI
		for _, n := range r.NoButton {
			if n.ID == m.ID {
				l += string(n.Reason)
			}
		}
		out = append(out, l)
	}
	for _, n := range r.Skipped {
		out = append(out, "skipped "+n.EventID+": "+string(n.Reason))
	}
	return out
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings func(*Settings)
		events   []calendar.Event
		want     []string
	}{
		{name: "nothing"},
		{
			name:   "sorted",
			events: []calendar.Event{event("b", 60), event("a", 0)},
			want:   []string{"Subject of a | sip:a@example.com", "Subject of b | sip:b@example.com"},
		},
		{
			name: "cancelled and declined are absent",
			events: []calendar.Event{
				event("a", 0, func(ev *calendar.Event) { ev.Status = calendar.Cancelled }),
				event("b", 60, func(ev *calendar.Event) { ev.Response = calendar.Declined }),
			},
			want: []string{"skipped id-a: cancelled", "skipped id-b: declined"},
		},
		{
			name:   "without video: listed",
			events: []calendar.Event{event("a", 0, noVideo)},
			want:   []string{"Subject of a | no-address"},
		},
		{
			name:     "without video: off",
			settings: func(s *Settings) { s.NonVideo = false },
			events:   []calendar.Event{event("a", 0, noVideo), event("b", 60, location("https://example.com/x"))},
			want:     []string{"Subject of b | cannot-dial", "skipped id-a: non-video"},
		},
		{
			name:   "private by default: organizer for subject, with a button",
			events: []calendar.Event{event("a", 0, private), event("b", 60)},
			want:   []string{"Ada Example | sip:a@example.com", "Subject of b | sip:b@example.com"},
		},
		{
			name: "personal and confidential are private",
			events: []calendar.Event{
				event("a", 0, func(ev *calendar.Event) { ev.Sensitivity = calendar.Personal }),
				event("b", 60, func(ev *calendar.Event) { ev.Sensitivity = calendar.Confidential }),
			},
			want: []string{"Ada Example | sip:a@example.com", "Ada Example | sip:b@example.com"},
		},
		{
			name:     "private: off",
			settings: func(s *Settings) { s.Private = false },
			events:   []calendar.Event{event("a", 0, private)},
			want:     []string{"skipped id-a: private"},
		},
		{
			name:     "private: no button",
			settings: func(s *Settings) { s.PrivateButton = false },
			events:   []calendar.Event{event("a", 0, private), event("b", 60), event("c", 90, private, noVideo)},
			want:     []string{"Ada Example | private-button", "Subject of b | sip:b@example.com", "Ada Example | no-address"},
		},
		{
			name:     "tentative: off",
			settings: func(s *Settings) { s.Tentative = false },
			events: []calendar.Event{
				event("a", 0, func(ev *calendar.Event) { ev.Status = calendar.Tentative }),
				event("b", 60, func(ev *calendar.Event) { ev.Response = calendar.NotResponded }),
				event("c", 90, func(ev *calendar.Event) { ev.Response = calendar.TentativelyAccepted }),
				event("d", 120, func(ev *calendar.Event) { ev.Response = calendar.ResponseUnknown }),
			},
			want: []string{"Subject of d | sip:d@example.com", "skipped id-a: tentative", "skipped id-b: tentative", "skipped id-c: tentative"},
		},
		{
			name:   "tentative: on",
			events: []calendar.Event{event("a", 0, func(ev *calendar.Event) { ev.Status = calendar.Tentative })},
			want:   []string{"Subject of a | sip:a@example.com"},
		},
		{
			name:   "all day: those with a button",
			events: []calendar.Event{event("a", 0, allDay), event("b", 0, allDay, noVideo)},
			want:   []string{"Subject of a | sip:a@example.com", "skipped id-b: all-day"},
		},
		{
			name:     "all day: all",
			settings: func(s *Settings) { s.AllDay = ShowAll },
			events:   []calendar.Event{event("b", 0, allDay, noVideo)},
			want:     []string{"Subject of b | no-address"},
		},
		{
			name:     "all day: none",
			settings: func(s *Settings) { s.AllDay = ShowNone },
			events:   []calendar.Event{event("a", 0, allDay)},
			want:     []string{"skipped id-a: all-day"},
		},
		{
			name: "overlapping: off",
			settings: func(s *Settings) {
				s.Overlapping = false
				s.AllDay = ShowAll
			},
			events: []calendar.Event{
				event("day", -100, allDay),
				event("a", 0), event("b", 20), event("c", 30), // b overlaps a; c begins as a ends
				event("d", 90, noVideo), event("e", 90), // e has the button
			},
			want: []string{
				"Subject of day | sip:day@example.com", "Subject of a | sip:a@example.com",
				"Subject of c | sip:c@example.com", "Subject of e | sip:e@example.com",
				"skipped id-b: overlapping", "skipped id-d: overlapping",
			},
		},
		{
			name: "duplicates: the one with a button wins",
			events: []calendar.Event{
				event("a", 0, noVideo, func(ev *calendar.Event) { ev.ID = "one" }),
				event("a", 0, func(ev *calendar.Event) { ev.ID = "two" }),
			},
			want: []string{"Subject of a | sip:a@example.com", "skipped one: duplicate"},
		},
		{
			name: "duplicates: private if one is",
			events: []calendar.Event{
				event("a", 0),
				event("a", 0, private, noVideo, func(ev *calendar.Event) { ev.ID = "two" }),
			},
			want: []string{"Ada Example | sip:a@example.com", "skipped two: duplicate"},
		},
		{
			name: "duplicates: the mailbox that declined does not count",
			events: []calendar.Event{
				event("a", 0, func(ev *calendar.Event) { ev.ID = "one"; ev.Response = calendar.Declined }),
				event("a", 0, func(ev *calendar.Event) { ev.ID = "two" }),
			},
			want: []string{"Subject of a | sip:a@example.com", "skipped one: declined"},
		},
		{
			name: "no UID: no duplicates",
			events: []calendar.Event{
				event("", 0, location("sip:x@example.com"), func(ev *calendar.Event) { ev.ID = "one"; ev.Subject = "One" }),
				event("", 10, location("sip:y@example.com"), func(ev *calendar.Event) { ev.ID = "two"; ev.Subject = "Two" }),
			},
			want: []string{"One | sip:x@example.com", "Two | sip:y@example.com"},
		},
		{
			name: "broken times",
			events: []calendar.Event{
				event("a", 0, func(ev *calendar.Event) { ev.Start = time.Time{} }),
				event("b", 0, func(ev *calendar.Event) { ev.End = ev.Start.Add(-time.Hour) }),
				event("c", 0, func(ev *calendar.Event) { ev.End = ev.Start }),
			},
			want: []string{"Subject of c | sip:c@example.com", "skipped id-a: bad-time", "skipped id-b: bad-time"},
		},
		{
			name:   "address by preference",
			events: []calendar.Event{event("a", 0, location("https://x.example/ h323:1 sips:s@x.example sip:n@x.example"))},
			want:   []string{"Subject of a | sip:n@x.example"},
		},
		{
			name:     "address by another preference, of those that the device dials",
			settings: func(s *Settings) { s.Prefer = []rules.Scheme{rules.HTTPS, rules.TEL} },
			events:   []calendar.Event{event("a", 0, location("h323:1 https://x.example/ sip:n@x.example sip:second@x.example"))},
			want:     []string{"Subject of a | sip:n@x.example"},
		},
		{
			name:   "nothing to dial",
			events: []calendar.Event{event("a", 0, location("https://x.example/"))},
			want:   []string{"Subject of a | cannot-dial"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := DefaultSettings()
			if tt.settings != nil {
				tt.settings(&s)
			}
			require.NoError(t, s.Validate())
			before := slices.Clone(tt.events)
			got := plan(tt.events, &s, locations{}, dialsSIP)
			assert.Empty(t, cmp.Diff(tt.want, brief(got)))
			assert.Equal(t, before, tt.events, "the events were changed")

			// The order in which mailboxes are read changes nothing.
			for range 10 {
				rand.Shuffle(len(tt.events), reflect.Swapper(tt.events))
				assert.Empty(t, cmp.Diff(got, plan(tt.events, &s, locations{}, dialsSIP)))
			}
			for _, m := range got.Meetings {
				assert.True(t, m.End.After(m.Start))
				assert.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, m.ID)
				assert.Equal(t, time.UTC, m.Start.Location())
				assert.Equal(t, 5*time.Minute, m.StartBuffer)
			}
		})
	}
}

func TestPlanPrefer(t *testing.T) {
	all := event("a", 0, location("tel:+1 https://x.example/ h323:1 sips:s@x.example sip:n@x.example sip:m@x.example"))
	schemes := []rules.Scheme{rules.SIP, rules.SIPS, rules.H323, rules.HTTPS, rules.TEL}
	s := DefaultSettings()
	for _, tt := range []struct {
		prefer []rules.Scheme
		cannot rules.Scheme
		want   string
	}{
		{s.Prefer, rules.SchemeNone, "sip:n@x.example"},
		{s.Prefer, rules.SIP, "sips:s@x.example"},
		{[]rules.Scheme{rules.H323, rules.SIP}, rules.SchemeNone, "h323:1"},
		{[]rules.Scheme{rules.H323, rules.SIPS, rules.SIP}, rules.H323, "sips:s@x.example"},
		{[]rules.Scheme{rules.HTTPS}, rules.SchemeNone, "https://x.example/"},
		{[]rules.Scheme{rules.HTTPS}, rules.HTTPS, "tel:+1"}, // the rest in the order of the match
		{nil, rules.SchemeNone, "tel:+1"},
	} {
		s.Prefer = tt.prefer
		got := plan([]calendar.Event{all}, &s, ordered{schemes}, func(a rules.Address) bool { return a.Scheme != tt.cannot })
		assert.Equal(t, tt.want, got.Meetings[0].Join.URI, "%v but %v", tt.prefer, tt.cannot)
	}
}

// ordered is a finder whose addresses stand in the order of the location.
type ordered struct{ schemes []rules.Scheme }

func (o ordered) Find(ev *calendar.Event) (rules.Match, bool) {
	m := rules.Match{Service: "sip", Rule: "test"}
	for _, w := range strings.Fields(ev.Location) {
		for _, scheme := range o.schemes {
			if strings.HasPrefix(w, scheme.String()+":") {
				m.Addresses = append(m.Addresses, rules.Address{Scheme: scheme, URI: w})
			}
		}
	}
	return m, true
}

func (ordered) Why(*calendar.Event) string { return "" }

func TestPlanTitle(t *testing.T) {
	with := func(replace ReplaceSubject, template string) func(*Settings) {
		return func(s *Settings) { s.ReplaceSubject, s.SubjectTemplate = replace, template }
	}
	nobody := func(ev *calendar.Event) { ev.Organizer = calendar.Person{} }
	nameless := func(ev *calendar.Event) { ev.Organizer.Name = " " }
	const everything = "{{subject}}/{{ organizer_name }}/{{organizer_email}}/{{service}}"
	for _, tt := range []struct {
		name      string
		settings  func(*Settings)
		event     calendar.Event
		want      string
		organizer string
	}{
		{"plain", nil, event("a", 0), "Subject of a", "Ada Example"},
		{"empty", nil, event("a", 0, subject(" \t")), "Ada Example", "Ada Example"},
		{"empty, nameless", nil, event("a", 0, subject(""), nameless), "ada@example.com", ""},
		{"empty, nobody", nil, event("a", 0, subject(""), nobody), "", ""},
		{"empty, kept", func(s *Settings) { s.ReplaceEmptySubject = false }, event("a", 0, subject("")), "", "Ada Example"},
		{"never, private", with(ReplaceNever, ""), event("a", 0, private), "Subject of a", "Ada Example"},
		{"all", with(ReplaceAll, ""), event("a", 0), "Ada Example", "Ada Example"},
		{"all, template", with(ReplaceAll, everything), event("a", 0), "Subject of a/Ada Example/ada@example.com/sip", "Ada Example"},
		{"template, private", with(ReplacePrivate, everything), event("a", 0, private), "/Ada Example/ada@example.com/sip", "Ada Example"},
		{"all, template, private", with(ReplaceAll, everything), event("a", 0, private), "/Ada Example/ada@example.com/sip", "Ada Example"},
		{"template, not private", with(ReplacePrivate, "Busy"), event("a", 0), "Subject of a", "Ada Example"},
		{"template that names nobody", with(ReplacePrivate, "Private meeting"), event("a", 0, private), "Private meeting", ""},
		{"only the subject, private", with(ReplaceAll, " {{subject}} "), event("a", 0, private), "", ""},
		{"only the subject, empty", with(ReplaceAll, "{{subject}}"), event("a", 0, subject("")), "Ada Example", "Ada Example"},
		{"no second expansion", with(ReplaceAll, "{{subject}}"), event("a", 0, subject("{{organizer_email}}")), "{{organizer_email}}", "Ada Example"},
		{"invalid template", with(ReplacePrivate, "{{body}}"), event("a", 0, private), "Ada Example", "Ada Example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := DefaultSettings()
			if tt.settings != nil {
				tt.settings(&s)
			}
			got := plan([]calendar.Event{tt.event}, &s, locations{}, dialsSIP).Meetings
			require.Len(t, got, 1)
			assert.Equal(t, tt.want, got[0].Title)
			assert.Equal(t, tt.organizer, got[0].Organizer.Name)
		})
	}
}

// Whatever the settings, a subject of a private meeting is shown only by
// ReplaceNever, and it is in no note.
func TestPlanNeverLeaksPrivateSubject(t *testing.T) {
	const secret = "TopSecret"
	for _, replace := range []ReplaceSubject{ReplaceAll, ReplacePrivate} {
		for _, template := range []string{"", "x", "{{subject}}", "{{ subject }}{{service}}", "{{organizer_name}} {{subject}}"} {
			for bits := range 64 {
				s := DefaultSettings()
				s.ReplaceSubject, s.SubjectTemplate = replace, template
				s.NonVideo, s.PrivateButton, s.ReplaceEmptySubject = bits&1 > 0, bits&2 > 0, bits&4 > 0
				s.Overlapping, s.Tentative, s.Private = bits&8 > 0, bits&16 > 0, bits&32 > 0
				events := []calendar.Event{
					event("a", 0, private, subject(secret)), event("a", 0, subject(secret)),
					event("b", 0, private, noVideo, subject(secret)), event("c", 10, private, allDay, subject(secret)),
					event("d", 0, private, subject(secret), func(ev *calendar.Event) { ev.Status = calendar.Cancelled }),
				}
				text, err := json.Marshal(plan(events, &s, locations{}, dialsSIP))
				require.NoError(t, err)
				require.NotContains(t, string(text), secret)
			}
		}
	}
}

func TestMeetingIDs(t *testing.T) {
	s := DefaultSettings()
	ids := func(events ...calendar.Event) []string {
		var out []string
		for _, m := range plan(events, &s, locations{}, nil).Meetings {
			out = append(out, m.ID)
		}
		return out
	}
	series := func(ev *calendar.Event) { ev.SeriesID = "series" }
	a := ids(event("a", 0))
	assert.Equal(t, a, ids(event("a", 60)), "a single meeting that is moved is the same")
	assert.Equal(t, a, ids(event("a", 0, private, noVideo, func(ev *calendar.Event) { ev.ID = "other mailbox" })))
	assert.NotEqual(t, a, ids(event("b", 0)))
	assert.NotEqual(t, ids(event("a", 0, series)), ids(event("a", 60, series)))
	assert.Equal(t, ids(event("a", 0, series)), ids(event("a", 0, series))[:1])

	// Two of a UID that are no series have different IDs all the same.
	two := ids(event("a", 0), event("a", 60))
	require.Len(t, two, 2)
	assert.NotEqual(t, two[0], two[1])

	// The lengths keep UID and time apart.
	assert.NotEqual(t, meetingID("occurrence", "a 1", 2), meetingID("occurrence", "a", 12))
}

func TestClean(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{"  a \t\r\n b\u00a0\u2028c  ", "a b c"},
		{"a\x00b\x1b[31mc\x7f", "ab[31mc"},
		{"pay\u202egpj.exe\u202c", "paygpj.exe"},
		{"\u2066x\u2069\ufeffy\u00adz", "xyz"},
		{"bad \xff utf", "bad \ufffd utf"},
		{"\u05e9\u05dc\u05d5\u05dd\u200f!", "\u05e9\u05dc\u05d5\u05dd\u200f!"},
		{"👩\u200d💻 e\u0301", "👩\u200d💻 e\u0301"},
		{strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{strings.Repeat("x", 256), strings.Repeat("x", 254) + "…"},
		{strings.Repeat("x", 253) + " yyy", strings.Repeat("x", 253) + "…"},
		{strings.Repeat("x", 253) + "e\u0301yy", strings.Repeat("x", 253) + "…"},
		{strings.Repeat("x", 252) + "👩\u200d💻zz", strings.Repeat("x", 252) + "…"},
		{strings.Repeat("ü", 300), strings.Repeat("ü", 254) + "…"},
		{"a" + strings.Repeat("\u0301", 300), "…"},
	} {
		assert.Equal(t, tt.want, clean(tt.in), "%q", tt.in)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", " ", "a  b", "\u202e", "\xff\x00", strings.Repeat("é\u0301\u200d", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, utf8.RuneCountInString(got), maxText)
		require.Equal(t, got, clean(got), "cleaning twice changes it again")
		require.Equal(t, strings.TrimSpace(got), got)
		require.NotContains(t, got, "  ")
		for _, r := range got {
			require.True(t, visible(r), "%q", r)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("{{subject}}", "s")
	f.Add("a {{ organizer_name }} b", "{{subject}}")
	f.Add("{{", "}}")
	f.Fuzz(func(t *testing.T, template, value string) {
		got, err := expand(template, func(string) string { return value })
		if err != nil {
			require.Empty(t, got)
			return
		}
		if !strings.Contains(template, "{{") {
			require.Equal(t, template, got)
		}
		none, err := expand(template, func(string) string { return "" })
		require.NoError(t, err)
		require.NotContains(t, none, "{{subject}}{{")
		require.LessOrEqual(t, len(none), len(template))
	})
}

func TestSettingsValidate(t *testing.T) {
	s := DefaultSettings()
	require.NoError(t, s.Validate())
	for _, tt := range []struct {
		want  string
		spoil func(*Settings)
	}{
		{"days_ahead: must be 0 to 365, and is 366", func(s *Settings) { s.DaysAhead = 366 }},
		{"start_buffer: must be 0 to 180, and is -1", func(s *Settings) { s.StartBuffer = -1 }},
		{"end_buffer: must be 0 to 180, and is 181", func(s *Settings) { s.EndBuffer = 181 }},
		{`replace_subject: must be ALL, NEVER or PRIVATE, and is "all"`, func(s *Settings) { s.ReplaceSubject = "all" }},
		{`all_day: must be all, video or none, and is ""`, func(s *Settings) { s.AllDay = "" }},
		{"subject_template: must be at most 512 bytes long, and is 513", func(s *Settings) { s.SubjectTemplate = strings.Repeat("x", 513) }},
		{"subject_template: has no variable {{body}}: use {{subject}}, {{organizer_name}}, {{organizer_email}}, {{service}}", func(s *Settings) { s.SubjectTemplate = "{{body}}" }},
		{"subject_template: has {{ without }}", func(s *Settings) { s.SubjectTemplate = "x {{subject" }},
		{"prefer: sip is there twice", func(s *Settings) { s.Prefer = []rules.Scheme{rules.SIP, rules.TEL, rules.SIP} }},
		{"prefer: entry 1 is no scheme", func(s *Settings) { s.Prefer = []rules.Scheme{99} }},
	} {
		s := DefaultSettings()
		tt.spoil(&s)
		err := s.Validate()
		require.ErrorContains(t, err, tt.want)
		var field *FieldError
		require.ErrorAs(t, err, &field)
		assert.Equal(t, strings.SplitN(tt.want, ":", 2)[0], field.Field)
	}
	s.DaysAhead, s.StartBuffer = -1, 999
	require.Len(t, strings.Split(s.Validate().Error(), "\n"), 2, "all of them are reported")
}

func TestSettingsJSON(t *testing.T) {
	text, err := json.Marshal(DefaultSettings())
	require.NoError(t, err)
	require.JSONEq(t, `{"days_ahead":7,"start_buffer":5,"end_buffer":0,"non_video":true,"private":true,"private_button":true,
		"replace_subject":"PRIVATE","subject_template":"","replace_empty_subject":true,"tentative":true,"all_day":"video",
		"overlapping":true,"prefer":["sip","sips","h323","https"]}`, string(text))
	s := DefaultSettings()
	require.NoError(t, json.Unmarshal([]byte(`{"days_ahead":0,"prefer":["https","tel"]}`), &s))
	want := DefaultSettings()
	want.DaysAhead, want.Prefer = 0, []rules.Scheme{rules.HTTPS, rules.TEL}
	require.Equal(t, want, s)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"prefer":["skype"]}`), &s), `unknown scheme "skype"`)
	require.True(t, s.Equal(&s))
	require.False(t, s.Equal(&want) && want.Equal(&s) && s.Prefer[0] != want.Prefer[0])
}

func TestSettingsWindow(t *testing.T) {
	stockholm, err := time.LoadLocation("Europe/Stockholm")
	require.NoError(t, err)
	s := DefaultSettings()
	s.DaysAhead, s.EndBuffer = 0, 10
	now := time.Date(2027, 3, 27, 23, 30, 0, 0, stockholm)
	w := s.Window(now)
	assert.Equal(t, now.Add(-10*time.Minute), w.From)
	assert.Equal(t, 30*time.Minute, w.To.Sub(now))
	s.DaysAhead = 1 // the day on which summer time begins has 23 hours
	assert.Equal(t, 23*time.Hour+30*time.Minute, s.Window(now).To.Sub(now))
}

func BenchmarkPlan(b *testing.B) {
	events := make([]calendar.Event, 40)
	for i := range events {
		events[i] = event(strings.Repeat("u", i+1), i*45)
	}
	s := DefaultSettings()
	b.ReportAllocs()
	for b.Loop() {
		plan(events, &s, locations{}, dialsSIP)
	}
}
