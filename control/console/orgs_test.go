package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestEnableAndDisable(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("general")
	b.follow("Disable One-Touch Join")
	assert.Contains(t, b.at.text, "taken off them")
	stale := *b
	b.send("Disable One-Touch Join", nil)
	assert.Equal(t, "One-Touch Join is disabled for Acme.", b.at.flash())
	stale.send("Disable One-Touch Join", nil)
	assert.Equal(t, http.StatusConflict, stale.at.status, "a doubled form is stale")
	b.open("general")
	b.send("Enable One-Touch Join", nil)
	assert.Equal(t, "One-Touch Join is enabled for Acme.", b.at.flash())
}

func TestRenameTheCompany(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("general")
	b.send("Save", map[string][]string{"name": v("")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Save", map[string][]string{"name": v(`<script>alert("x")</script>`)})
	assert.Equal(t, http.StatusOK, b.at.status)
	assert.Contains(t, b.at.text, `<script>alert("x")</script>`, "it is shown as it was typed")
}

// partner makes a world whose first organization is a partner with the company
// Acme.
func partner(t *testing.T) *world {
	w := emptyWorld(t, nil)
	_, _, err := w.centre.Setup(t.Context(), control.Partner, "Providers Ltd", "boss@msp.example", "Boss")
	require.NoError(t, err)
	return w
}

func TestPartnerMakesSwitchesAndDeletesCompanies(t *testing.T) {
	w := partner(t)
	b := w.signIn("boss@msp.example")
	assert.Contains(t, b.at.text, "No companies yet")
	for _, name := range []string{"Acme", "Globex"} {
		b.open("/")
		b.follow("Add a company")
		b.send("Add the company", map[string][]string{"name": v(name)})
		assert.Contains(t, b.at.flash(), name+" is there")
	}
	assert.Contains(t, b.at.Find(".drop summary b").First().Text(), "Globex")
	b.follow("Acme") // by the switch
	assert.Contains(t, b.at.Find(".drop summary b").First().Text(), "Acme")

	b.open("/")
	b.follow("Add a company")
	b.send("Add the company", map[string][]string{"name": v("ACME")})
	assert.NotEmpty(t, b.at.problems(), "names are unique")

	b.open("/")
	b.follow("Delete Globex")
	assert.Equal(t, "Delete Globex?", b.at.Find("h1").Text())
	b.send("Delete Globex", nil)
	assert.Equal(t, "Globex was deleted.", b.at.flash())
	assert.NotContains(t, b.at.Find("main table").Text(), "Globex")
}

func TestUsersAndRoles(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("users")
	b.follow("Add a user")
	b.send("Add the user", map[string][]string{"email": v("not an address")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Add the user", map[string][]string{"email": v("ben@acme.example"), "name": v("Ben")})
	assert.Contains(t, b.at.flash(), "Now give a role")
	b.send("Save", map[string][]string{"role": v("admin", "otj_admin")})
	assert.Equal(t, "The roles of ben@acme.example were saved.", b.at.flash())
	assert.Contains(t, b.at.Find("tr").FilterFunction(has("Ben")).Text(), "Admin, OTJ Admin")

	// Ben has Admin without Access Admin: he sees the users and may change nobody.
	ben := w.signIn("ben@acme.example")
	ben.open("users")
	ben.follow("Ann")
	assert.Zero(t, ben.at.Find("main input:not([type=hidden]):not([disabled])").Length())
	assert.Equal(t, http.StatusForbidden, ben.open("users/new").status)

	// Another name and address: he signs in by that, and nobody else's is taken.
	b.open("users")
	b.follow("Ben")
	b.send("Save the name and address", map[string][]string{"email": v("ann@acme.example")})
	assert.Equal(t, "ann@acme.example", b.at.Find("#f-email").AttrOr("value", ""), "what was typed")
	assert.Contains(t, b.at.Find("#f-email-error").Text(), "belongs to another user")
	b.send("Save the name and address", map[string][]string{"email": v("benny@acme.example"), "name": v("Benny")})
	assert.Equal(t, "benny@acme.example was saved.", b.at.flash())
	ben.open("users")
	assert.Equal(t, "/sign-in", ben.at.url.Path, "the session is over")
	w.signIn("benny@acme.example").open("users")
	b.open("users")
	b.follow("Benny")
	b.send("Save the name and address", map[string][]string{"email": v("ben@acme.example"), "name": v("Ben")})
	ben = w.signIn("ben@acme.example")
	b.open("audit")
	assert.Contains(t, oneLine(b.at.Find(".log > li").Eq(1).Text()), "emailbenny@acme.example → ben@acme.example")

	// Nobody locks everybody out.
	b.open("users")
	b.follow("Ann")
	b.send("Save", map[string][]string{"role": v("admin")})
	assert.Len(t, b.at.problems(), 1)

	b.open("users")
	b.follow("Ben")
	b.send("Disable this user", nil)
	assert.Equal(t, "ben@acme.example is disabled.", b.at.flash())
	ben.open("users")
	assert.Equal(t, "/sign-in", ben.at.url.Path, "the session is over")
	b.send("Let this user in again", nil)
	b.follow("Delete this user")
	b.send("Delete ben@acme.example", nil)
	assert.Equal(t, "ben@acme.example was deleted.", b.at.flash())
}

func TestPartnerUserGetsARoleForACompany(t *testing.T) {
	w := partner(t)
	b := w.signIn("boss@msp.example")
	b.follow("Users and roles")
	b.follow("Add a user")
	b.send("Add the user", map[string][]string{"email": v("tech@msp.example")})
	b.open("/")
	b.follow("Add a company")
	b.send("Add the company", map[string][]string{"name": v("Acme")})
	// Boss has Admin for Acme and Access Admin for the partner: that gives OTJ Admin.
	b.follow("Users and roles")
	b.follow("tech@msp.example")
	b.send("Save", map[string][]string{"role": v("otj_admin")})
	assert.Contains(t, b.at.Find("tr").FilterFunction(has("tech@msp.example")).Text(), "OTJ Admin")
	assert.Contains(t, b.at.text, "of the partner")
}

func TestTenantFromRecordToVerified(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("tenants")
	assert.Contains(t, b.at.text, "No domain yet")
	b.follow("Add a domain")
	b.send("Next", map[string][]string{"domain": v("acme")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Next", map[string][]string{"domain": v("acme.example")})
	challenge := b.at.Find("#challenge").Text()
	assert.Regexp(t, `^onetouchjoin-verification=`, challenge)
	b.send("Check now", nil)
	assert.Contains(t, b.at.Find(".error").Text(), "has no TXT record yet")
	w.txt["acme.example"] = []string{challenge}
	b.send("Check now", nil)
	assert.Contains(t, b.at.flash(), "acme.example is verified")
	b.open("tenants")
	assert.Contains(t, b.at.text, "Verified")
	b.follow("Delete acme.example")
	b.send("Delete acme.example", nil)
	assert.Contains(t, b.at.text, "No domain yet")
}
