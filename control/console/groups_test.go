package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func newGroup(t *testing.T) (*world, *browser, func() control.Group) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("groups/new")
	b.send("Add the group", map[string][]string{"name": v("Oslo")})
	b.follow("Oslo")
	b.follow("Edit the display settings")
	return w, b, func() control.Group {
		list, err := w.centre.Groups(t.Context(), w.ann, w.acme.ID)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
}

func TestSettingsOfAGroupSayWhatIsTheCompanys(t *testing.T) {
	_, b, group := newGroup(t)
	assert.Contains(t, b.at.text, "All are the company's.")
	assert.Contains(t, b.at.text, "Empty is the company's: 7.")
	assert.Contains(t, b.at.Find("#f-private").Text(), "As the company: Yes")
	assert.Contains(t, b.at.Find("#f-replace_subject").Text(), "As the company: Those of private meetings")
	assert.Contains(t, b.at.Find("#f-subject_template_own").Text(), "As the company: the organizer's name")
	assert.Contains(t, b.at.text, "Empty is the company's: sip, sips, h323, https.")
	b.send("Save", nil)
	assert.Nil(t, group().Settings, "saved as it is, it decides nothing")

	b.follow("Edit the display settings")
	b.send("Save", map[string][]string{"start_buffer": v("15"), "private": v("no"), "subject_template_own": v("yes"), "subject_template": v("Booked"), "prefer": v("https")})
	require.Contains(t, b.at.flash(), "are saved", "%v", b.at.problems())
	assert.Contains(t, b.at.text, "Minutes before a meeting, Show private meetings, What replaces it, Which address is dialled first.")
	fifteen, no, booked := 15, false, "Booked"
	assert.Equal(t, &control.OwnSettings{StartBuffer: &fifteen, Private: &no, SubjectTemplate: &booked, Prefer: []rules.Scheme{rules.HTTPS}}, group().Settings)
	b.open("groups")
	assert.Contains(t, b.at.text, "4 of its own")

	b.open("groups/" + group().ID + "/settings")
	assert.Contains(t, b.at.text, "Empty is the company's: that of the server.")
	b.send("Save", map[string][]string{"time_zone": v("Mars")})
	assert.NotEmpty(t, b.at.Find("#f-time_zone-error").Text())
	b.send("Save", map[string][]string{"time_zone": v("Asia/Tokyo")})
	assert.Equal(t, "Asia/Tokyo", group().TimeZone)
	assert.Contains(t, b.at.text, "dialled first, Time zone.")

	// The company changes: what the group leaves to it follows.
	b.open("settings")
	b.send("Save", map[string][]string{"end_buffer": v("25"), "start_buffer": v("1"), "tentative": nil})
	b.open("groups/" + group().ID + "/settings")
	assert.Contains(t, b.at.text, "Empty is the company's: 25.")
	assert.Contains(t, b.at.Find("#f-tentative").Text(), "As the company: No")
	assert.Equal(t, "15", b.at.Find("#f-start_buffer").AttrOr("value", ""))
	b.send("Take all from the company", nil)
	assert.Nil(t, group().Settings)
	assert.Empty(t, group().TimeZone)
	assert.Contains(t, b.at.text, "All are the company's.")
}

func TestSettingsOfAGroupHaveBounds(t *testing.T) {
	w, b, group := newGroup(t)
	at := b.at.url.Path
	for name, bad := range map[string]string{
		"days_ahead": "366", "start_buffer": "many", "end_buffer": "-1", "replace_subject": "SOME", "subject_template": "not chosen", "all_day": "some", "prefer": "pigeon",
	} {
		b.open(at)
		b.send("Save", map[string][]string{name: v(bad)})
		assert.Equal(t, http.StatusUnprocessableEntity, b.at.status, name)
		assert.NotEmpty(t, b.at.Find("#f-"+name+"-error").Text(), "%s: %v", name, b.at.problems())
	}
	assert.EqualValues(t, 1, group().Revision)

	// Before it is saved, the example day shows what it does.
	b.open(at)
	b.send("Show on the example day", map[string][]string{"replace_subject": v(string(otj.ReplaceAll)), "non_video": v("no")})
	assert.NotContains(t, oneLine(b.at.Find("#preview .panel").Text()), "Budget review")
	assert.Contains(t, b.at.Find("#preview .out").Text(), "Team lunch")
	assert.EqualValues(t, 1, group().Revision)

	// Two people at a time.
	other := w.signIn("ann@acme.example")
	other.open(at)
	b.open(at)
	b.send("Save", map[string][]string{"days_ahead": v("1")})
	other.send("Save", map[string][]string{"days_ahead": v("2")})
	assert.Len(t, other.at.problems(), 1)

	// Whoever may only read sees them, and saves nothing.
	b = w.signInAs(control.AccessAdmin)
	b.open(at)
	assert.Zero(t, b.at.Find("main button").FilterFunction(has("Save")).Length())
	b.send("Show on the example day", map[string][]string{"days_ahead": v("0")})
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.Equal(t, 1, *group().Settings.DaysAhead)
}
