package console_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// every is a value for every setting that is not the default.
var every = map[string][]string{
	"days_ahead": v("365"), "start_buffer": v("180"), "end_buffer": v("15"), "replace_subject": v("ALL"), "subject_template": v("Booked by {{organizer_name}}"),
	"replace_empty_subject": nil, "private": nil, "private_button": nil, "non_video": nil, "tentative": nil, "overlapping": nil, "all_day": v("none"),
	"prefer": v("https, SIP"), "prefer_meet": v("on"), "own_domains": v("acme.example\r\nAcme.Test"), "time_zone": v("Europe/Oslo"),
}

func TestSettingsAreSaved(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("settings")
	b.send("Save", every)
	require.Contains(t, b.at.flash(), "saved", "%v", b.at.problems())
	p, err := w.centre.Processing(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Equal(t, otj.Settings{
		DaysAhead: 365, StartBuffer: 180, EndBuffer: 15, ReplaceSubject: otj.ReplaceAll, SubjectTemplate: "Booked by {{organizer_name}}",
		AllDay: otj.ShowNone, Prefer: []rules.Scheme{rules.HTTPS, rules.SIP},
	}, p.Settings)
	assert.True(t, p.PreferMeet)
	assert.Equal(t, "Europe/Oslo", p.TimeZone)
	assert.Equal(t, []string{"acme.example", "acme.test"}, p.OwnDomains)
	// What was saved is what the form shows.
	for name, value := range every {
		field := b.at.Find("[name=" + name + "]")
		switch {
		case value == nil:
			_, on := field.Attr("checked")
			assert.False(t, on, name)
		case name == "own_domains":
			assert.Equal(t, "acme.example acme.test", oneLine(field.Text()))
		case name == "prefer":
			assert.Equal(t, "https, sip", field.AttrOr("value", ""))
		case field.Length() > 1:
			assert.Equal(t, value[0], field.Filter("[checked]").AttrOr("value", ""), name)
		default:
			assert.Equal(t, value[0], field.AttrOr("value", ""), name)
		}
	}
}

func TestSettingsOutOfRange(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	for name, bad := range map[string]string{
		"days_ahead": "366", "start_buffer": "-1", "end_buffer": "181", "replace_subject": "SOME", "subject_template": "{{nothing}}", "all_day": "some",
		"prefer": "sip, carrier-pigeon", "own_domains": "not a domain!", "time_zone": "Oslo",
	} {
		b.open("settings")
		b.send("Save", map[string][]string{name: v(bad)})
		assert.Equal(t, http.StatusUnprocessableEntity, b.at.status, name)
		assert.NotEmpty(t, b.at.Find("#f-"+name+"-error").Text(), "%s: %v", name, b.at.problems())
	}
	b.open("settings")
	b.send("Save", map[string][]string{"days_ahead": v("366")})
	assert.Equal(t, []string{"Days ahead must be 0 to 365, and is 366"}, b.at.problems(), "the summary names the field")
	b.open("settings")
	b.send("Save", map[string][]string{"days_ahead": v("366"), "time_zone": v("Oslo"), "own_domains": v("not a domain!")})
	for _, name := range []string{"days_ahead", "time_zone", "own_domains"} {
		assert.NotEmpty(t, b.at.Find("#f-"+name+"-error").Text(), "all mistakes are told at once: %s", name)
	}
	for _, name := range []string{"days_ahead", "start_buffer", "end_buffer", "prefer"} {
		b.open("settings")
		b.send("Save", map[string][]string{name: v("")})
		assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
		assert.Contains(t, b.at.Find("#f-"+name+"-error").Text(), "is missing")
	}
	for _, name := range []string{"days_ahead", "start_buffer", "end_buffer"} {
		b.open("settings")
		b.send("Save", map[string][]string{name: v("many")})
		assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
		assert.Contains(t, b.at.text, "The example day is shown when the settings have no mistakes")
	}
	b.open("settings")
	b.send("Save", map[string][]string{"subject_template": v(strings.Repeat("x", 513))})
	assert.Contains(t, b.at.Find("#f-subject_template-error").Text(), "512")
	p, err := w.centre.Processing(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Zero(t, p.Revision, "nothing was stored")
}

// The screen beside the settings shows what they do, before they are saved.
func TestSettingsShowAnExampleDay(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("settings")
	titles := func() string { return oneLine(b.at.Find("#preview .panel").Text()) }
	assert.Contains(t, titles(), "Budget review")
	assert.NotContains(t, titles(), "Appraisal", "a private meeting's subject")
	assert.Contains(t, titles(), "Team lunch")
	b.send("Show on the example day", map[string][]string{"replace_subject": v("ALL"), "subject_template": v(`Booked <b>by</b> {{organizer_name}}`), "non_video": nil})
	assert.NotContains(t, titles(), "Budget review")
	assert.Contains(t, titles(), "Booked <b>by</b> Ann Lee")
	assert.NotContains(t, titles(), "Team lunch")
	assert.Contains(t, b.at.Find("#preview .out").Text(), "Team lunch")
	p, err := w.centre.Processing(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Zero(t, p.Revision)
}

// office has two rooms with a Zoom meeting, one of them with a broken calendar.
func changes(t *testing.T) (*world, *browser) {
	w, live, systems := newOffice(t, "Board "+hostile, "Fjord")
	now := time.Now().UTC()
	for i, s := range systems {
		live.states[s.ID] = full(now)
		live.events[s.Mailbox] = []calendar.Event{{
			ID: "z", UID: "z@acme.example", Subject: "Sales " + hostile, Organizer: calendar.Person{Name: "Eve"}, Start: now.Add(time.Duration(i+1) * time.Hour), End: now.Add(time.Duration(i+2) * time.Hour),
			Location: "https://acme.zoom.us/j/98765432101?pwd=SeCrEt12",
		}}
	}
	return w, w.signIn("ann@acme.example")
}

func TestWhatRulesWouldChangeIsSeenBefore(t *testing.T) {
	w, b := changes(t)
	b.open("rules")
	b.send("Add a rule", map[string][]string{"type": v("zoom")})
	b.send("Keep the rule", map[string][]string{"name": v("our zoom"), "domain": v("zoom.acme.example")})
	b.send("What would change today", nil)
	require.Equal(t, http.StatusOK, b.at.status)
	assert.Contains(t, b.at.text, "2 rooms were looked at")
	assert.Equal(t, 2, b.at.Find(".work .badge.warn").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Closest("li").Length() > 0 }).Length())
	assert.Contains(t, b.at.Find(".work").Text(), "98765432101@zoom.acme.example")
	assert.NotContains(t, b.at.text, "SeCrEt12")
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	assert.GreaterOrEqual(t, b.at.Find(".work progress").Length(), 1, "it says how far it is")
	b.send("Back to editing", nil)
	assert.Equal(t, []string{"our zoom"}, b.at.names())
	b.send("What would change today", nil)
	b.send("Save it like this", nil)
	assert.Contains(t, w.storedRules(), "zoom.acme.example")
}

func TestWhatSettingsWouldChangeIsSeenBefore(t *testing.T) {
	w, b := changes(t)
	b.open("settings")
	b.send("What would change today", nil)
	assert.Contains(t, b.at.text, "Nothing changes on any screen")
	b.send("Back to editing", nil)
	b.send("What would change today", map[string][]string{"replace_subject": v("ALL"), "start_buffer": v("10"), "tentative": nil})
	assert.Contains(t, b.at.text, "Other title")
	assert.Contains(t, b.at.text, "Other times")
	b.send("Save it like this", nil)
	assert.Contains(t, b.at.flash(), "saved")
	p, err := w.centre.Processing(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Equal(t, otj.ReplaceAll, p.Settings.ReplaceSubject)
	assert.Equal(t, 10, p.Settings.StartBuffer)
	assert.False(t, p.Settings.Tentative)
	assert.True(t, p.Settings.Private)
}

func TestSettingsForThoseWhoMayOnlyRead(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signInAs(control.AccessAdmin)
	b.open("settings")
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.Zero(t, b.at.Find("button").FilterFunction(has("Save")).Length())
	b.send("Show on the example day", map[string][]string{"non_video": nil})
	assert.Equal(t, http.StatusOK, b.at.status)
	token := b.at.Find("[name=csrf]").AttrOr("value", "")
	for _, op := range []string{"save", "changes"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/settings",
			strings.NewReader("op="+op+"&revision=0&days_ahead=1&replace_subject=ALL&all_day=all&csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		got := b.do(req).status
		assert.True(t, got == http.StatusForbidden || got == http.StatusUnprocessableEntity || got == http.StatusServiceUnavailable, "%s: %d", op, got)
	}
	p, err := w.centre.Processing(t.Context(), w.ann, w.acme.ID)
	require.NoError(t, err)
	assert.Zero(t, p.Revision)
}

// Long work is seen to go on before it ends, and ends when nobody waits for it.
func TestLongWorkShowsItsProgress(t *testing.T) {
	w, live, systems := newOffice(t, "Board")
	live.states[systems[0].ID] = full(time.Now().UTC())
	b := w.signIn("ann@acme.example")
	b.open("readiness")
	token := b.at.Find("main [name=csrf]").AttrOr("value", "")
	begin := func(ctx context.Context) (*http.Response, *bufio.Reader) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/readiness/check", strings.NewReader("csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := b.client.Do(req)
		require.NoError(t, err)
		read := bufio.NewReader(res.Body)
		for {
			line, err := read.ReadString('\n')
			require.NoError(t, err)
			if strings.Contains(line, "of 2") { // a mailbox and a device
				return res, read
			}
		}
	}
	live.hold, live.asked, live.gone = make(chan struct{}), make(chan struct{}), make(chan struct{})
	res, read := begin(t.Context())
	close(live.hold) // only now the calendar is read
	rest, err := io.ReadAll(read)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Contains(t, string(rest), "2 of 2")
	assert.Contains(t, string(rest), "Check again")

	live.hold, live.asked = make(chan struct{}), make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	res, _ = begin(ctx)
	<-live.asked
	leave()
	<-live.gone
	require.NoError(t, res.Body.Close())
}
