package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// names are the rules of the page's list, in order.
func (p *page) names() []string {
	var out []string
	p.Find("table.rules tbody tr[data-at] th").Each(func(_ int, s *goquery.Selection) {
		s.Find("small, p, .badge, br").Remove()
		out = append(out, oneLine(s.Text()))
	})
	return out
}

func (w *world) storedRules() string {
	p, err := w.centre.Processing(w.t.Context(), w.ann, w.acme.ID)
	require.NoError(w.t, err)
	return p.Rules
}

func (w *world) saveRules(text string) {
	p, err := w.centre.Processing(w.t.Context(), w.ann, w.acme.ID)
	require.NoError(w.t, err)
	p.Rules = text
	_, err = w.centre.SaveProcessing(w.t.Context(), w.ann, p)
	require.NoError(w.t, err)
}

// signInAs returns the browser of a new user of Acme's with some roles.
func (w *world) signInAs(roles ...control.Role) *browser {
	email := "bob"
	for _, role := range roles {
		email += "-" + string(role)
	}
	email += "@acme.example"
	u, err := w.centre.CreateUser(w.t.Context(), w.ann, w.acme.ID, email, "Bob")
	require.NoError(w.t, err)
	for _, role := range roles {
		_, err := w.centre.SetRole(w.t.Context(), w.ann, w.acme.ID, u.ID, role, true)
		require.NoError(w.t, err)
	}
	return w.signIn(email)
}

const twoRules = `[
	// Ours.
	{"name": "first", "type": "domain", "priority": 10, "domain": "video.acme.example"},
	{"name": "second", "type": "zoom", "priority": 20, "domain": "zoom.acme.example"}, // Zoom's people
]
`

func TestRulesAreAddedMovedSwitchedAndSaved(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	assert.Contains(t, b.at.text, "No rules of your own")
	assert.Equal(t, 20, b.at.Find("#f-type option").Length(), "the 19 types, and links")

	b.send("Add a rule", map[string][]string{"type": v("domain")})
	b.send("Keep the rule", map[string][]string{"name": v(""), "domain": v("")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.NotEmpty(t, b.at.Find("#f-domain-error").Text(), "what is missing is said at the field: %v", b.at.problems())
	b.send("Keep the rule", map[string][]string{"domain": v("vc.acme.example"), "services": v("nope"), "fields": v("nowhere")})
	assert.Contains(t, b.at.Find("#f-services-error").Text(), "nope")
	assert.Contains(t, b.at.Find("#f-fields-error").Text(), "nowhere")
	b.send("Keep the rule", map[string][]string{"name": v("first"), "domain": v("video.acme.example"), "services": v(""), "fields": v("")})
	require.Equal(t, http.StatusOK, b.at.status, b.at.text)
	b.send("Add a rule", map[string][]string{"type": v("zoom")})
	b.send("Keep the rule", map[string][]string{"name": v("second"), "domain": v("zoom.acme.example"), "organizer": v("external")})
	assert.Equal(t, []string{"first", "second"}, b.at.names())
	assert.Contains(t, b.at.text, "Your changes are in this page only")
	assert.Empty(t, w.storedRules(), "nothing is stored before it is saved")

	b.send("Move second up", nil)
	assert.Equal(t, []string{"second", "first"}, b.at.names())
	b.send("Switch off first", nil)
	assert.Contains(t, b.at.Find("tr.off").Text(), "first")
	b.send("Edit second", nil)
	assert.Equal(t, "zoom.acme.example", b.at.Find("#f-domain").AttrOr("value", ""))
	b.send("Keep the rule", map[string][]string{"domain": v("z.acme.example")})
	b.send("Save", nil)
	assert.Contains(t, b.at.flash(), "saved")
	list, err := rules.Parse("", []byte(w.storedRules()))
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, []string{"second", "first"}, b.at.names())
	assert.Contains(t, w.storedRules(), "z.acme.example")

	b.send("Delete first", nil)
	b.follow("Discard changes")
	assert.Equal(t, []string{"second", "first"}, b.at.names(), "a draft can be thrown away")
	b.send("Delete first", nil)
	b.send("Save", nil)
	assert.Equal(t, []string{"second"}, b.at.names())
}

// Each type has a form with the fields that it takes, and a rule that was made by
// it can be opened again.
func TestEveryTypeOfRuleHasAForm(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	fill := map[string]string{
		"domain": "x.example", "match": "(a+)", "replace": `\1@x.example`, "template": "{{ event.subject }}", "hosts": "meet.x.example", "paths": "/j/{id:digits}", "service": "x",
	}
	types := []string{"link"}
	for _, info := range rules.Types() {
		types = append(types, string(info.Type))
	}
	for _, typ := range types {
		b.open("rules")
		b.send("Add a rule", map[string][]string{"type": v(typ)})
		require.Equal(t, http.StatusOK, b.at.status, typ)
		values := map[string][]string{"name": v("of type " + typ)}
		for name, value := range fill {
			if b.at.Find("[name="+name+"]").Length() > 0 {
				values[name] = v(value)
			}
		}
		b.send("Keep the rule", values)
		require.Equal(t, []string{"of type " + typ}, b.at.names(), "%s: %v", typ, b.at.problems())
		b.send("Edit of type "+typ, nil)
		for name, value := range values {
			field := b.at.Find("[name=" + name + "]")
			assert.Equal(t, value[0], oneLine(field.AttrOr("value", field.Text())), "%s: %s", typ, name)
		}
	}
}

func TestRulesAsText(t *testing.T) {
	w := newWorld(t, nil)
	w.saveRules(twoRules)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	b.send("Edit as text", nil)
	assert.Equal(t, twoRules, strings.TrimPrefix(b.at.Find("#f-text").Text(), "\n"))
	broken := strings.Replace(twoRules, `"type": "zoom"`, `"type": "zoomy"`, 1)
	b.send("Check", map[string][]string{"text": v(broken)})
	assert.Contains(t, b.at.text, "Line 4, column")
	assert.Contains(t, b.at.Find(".place pre").Text(), "^")
	b.send("Save", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.Equal(t, broken, strings.TrimPrefix(b.at.Find("#f-text").Text(), "\n"), "nothing that was typed is lost")
	assert.Equal(t, twoRules, w.storedRules())
	b.send("Back to the list", map[string][]string{"text": v("[ {")})
	assert.NotZero(t, b.at.Find("#f-text").Length(), "what cannot be taken apart stays text")
	b.send("Save", map[string][]string{"text": v(strings.Replace(twoRules, "// Ours.", "// Ours, checked.", 1))})
	assert.Contains(t, w.storedRules(), "// Ours, checked.")

	b.send("Edit as text", nil)
	b.send("Import", map[string][]string{"import": v("not JSON")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.NotEmpty(t, b.at.Find("#f-import-error").Text())
	b.send("Import", map[string][]string{"import": v(`{"objects": [{"id": 1, "name": "from there", "priority": 5, "enabled": true, "meeting_type": "webex",
		"default_processing_enabled": true, "mjx_integration": "/api/admin/configuration/v1/mjx_integration/1/"}]}`)})
	b.send("Back to the list", nil)
	assert.Equal(t, []string{"first", "second", "from there"}, b.at.names())
}

func TestRulesAreTriedOnAnInvite(t *testing.T) {
	w := newWorld(t, nil)
	w.saveRules(twoRules)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	b.send("Try it", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	b.send("Delete first", nil)
	b.send("Try it", map[string][]string{"invite": v("Join <b>us</b> at https://acme.zoom.us/j/98765432101?pwd=SeCrEt12")})
	trial := b.at.Find(".trial")
	require.Equal(t, 1, trial.Length())
	text := oneLine(trial.Text())
	assert.Contains(t, text, "98765432101@zoom.acme.example", "the draft decides")
	assert.NotContains(t, text, "SeCrEt12", "passcodes are hidden")
	assert.Contains(t, text, "Which rules were tried second Zoom Decided")
	assert.Equal(t, []string{"second"}, b.at.names(), "the draft stays")
	b.send("Try it", map[string][]string{"secrets": v("on")})
	assert.Contains(t, b.at.Find(".trial").Text(), "SeCrEt12")
	b.send("Try it", map[string][]string{"invite": v("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:<script>alert(1)</script>\nDTSTART:20260105T090000Z\nEND:VEVENT\nEND:VCALENDAR\n"), "secrets": nil})
	assert.Contains(t, b.at.Find(".trial h3").Text(), "<script>alert(1)</script>")
	assert.Zero(t, b.at.Find(".trial script").Length())
	assert.Contains(t, b.at.Find(".trial").Text(), "No meeting")
}

func TestRulesForThoseWhoMayOnlyRead(t *testing.T) {
	w := newWorld(t, nil)
	w.saveRules(twoRules)
	b := w.signInAs(control.AccessAdmin)
	b.open("rules")
	assert.Equal(t, []string{"first", "second"}, b.at.names())
	assert.Zero(t, b.at.Find("button").FilterFunction(has("Save")).Length())
	assert.Zero(t, b.at.Find("[name=secrets]").Length())
	b.send("Try it", map[string][]string{"invite": v("https://acme.zoom.us/j/98765432101?pwd=SeCrEt12")})
	assert.Equal(t, 1, b.at.Find(".trial").Length(), "trying stores nothing")
	form := b.at.Find("form#rules")
	require.Equal(t, 1, form.Length())
	token := form.Find("[name=csrf]").AttrOr("value", "")
	for _, op := range []string{"save", "savetext"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/rules", strings.NewReader("op="+op+"&revision=1&text=&csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		assert.Equal(t, http.StatusForbidden, b.do(req).status, op)
	}
	assert.Equal(t, twoRules, w.storedRules())
}

func TestRulesThatSomebodyElseChanged(t *testing.T) {
	w := newWorld(t, nil)
	w.saveRules(twoRules)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	b.send("Delete first", nil)
	w.saveRules("[]")
	b.send("Save", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.Contains(t, strings.Join(b.at.problems(), " "), "Somebody else")
	assert.Equal(t, "[]", w.storedRules())
}

// Names of rules come from people and from other systems.
func TestHostileNamesOfRules(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	b.send("Add a rule", map[string][]string{"type": v("domain")})
	b.send("Keep the rule", map[string][]string{"name": v(hostile), "description": v(hostile), "domain": v("x.example"), "service": v(hostile)})
	assert.Equal(t, []string{oneLine(hostile)}, b.at.names(), "%v", b.at.problems())
	for _, button := range []string{"Edit as text", "Back to the list", "Edit " + oneLine(hostile), "Cancel", "Save"} {
		b.send(button, nil)
		assert.Equal(t, http.StatusOK, b.at.status, button)
		assert.Zero(t, b.at.Find("img[onerror], main script").Length(), button)
	}
	b.send("Try it", map[string][]string{"invite": v("sip:a@x.example")})
	assert.Contains(t, b.at.Find(".trial").Text(), hostile)
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
}

func TestOddPositionsOfRules(t *testing.T) {
	w := newWorld(t, nil)
	w.saveRules(twoRules)
	b := w.signIn("ann@acme.example")
	b.open("rules")
	token := b.at.Find("form#rules [name=csrf]").AttrOr("value", "")
	for _, op := range []string{"up:0", "down:1", "move:0:7", "move:-1:0", "delete:99", "on:x", "edit:9", "edit:", "add", "put:9", "nothing", ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/rules", strings.NewReader("op="+op+"&revision=1&text=%5B%5D&type=none&csrf="+token))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		assert.Less(t, b.do(req).status, 500, op)
	}
}
