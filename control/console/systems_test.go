package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestEachKindOfSystemHasItsOwnFields(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("systems")
	b.follow("Add a video system")
	assert.Equal(t, len(control.SystemKinds), b.at.Find("a.pick").Length())
	want := map[control.SystemKind]string{
		control.CiscoHTTPS:     "name mailbox host user password fingerprint take_over webrtc push max_bookings encryption feedback_slot enabled",
		control.CiscoWebSocket: "name mailbox host user password fingerprint take_over webrtc max_bookings encryption socket_auth enabled",
		control.CiscoWebex:     "name mailbox device_id password take_over webrtc max_bookings encryption enabled",
		control.CiscoMacro:     "name mailbox take_over quiet_alarms webrtc max_bookings encryption enabled",
		control.CiscoTMS:       "name mailbox mac serial quiet_alarms webrtc max_bookings encryption explicit_empty enabled",
		control.Poly:           "name mailbox quiet_alarms token_form enabled",
		control.Feed:           "name mailbox quiet_alarms enabled",
		control.Webhook:        "name mailbox url enabled",
	}
	for _, kind := range control.SystemKinds {
		b.open("systems/new?kind=" + string(kind))
		var names []string
		for _, n := range b.at.Find("main form").Find("input:not([type=hidden]), select").Nodes {
			for _, a := range n.Attr {
				if a.Key == "name" {
					names = append(names, a.Val)
				}
			}
		}
		assert.Equal(t, want[kind], strings.Join(names, " "), kind)
	}
	assert.Equal(t, http.StatusNotFound, b.open("systems/new?kind=typewriter").status)
}

func TestCiscoSystem(t *testing.T) {
	w := newWorld(t, nil)
	m := w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("systems/new?kind=cisco_https")
	b.send("Add the video system", map[string][]string{"name": v("Board"), "mailbox": v("nobody@acme.example")})
	assert.Equal(t, []string{"There is no mailbox nobody@acme.example; add it under Mailboxes first"}, b.at.problems())
	b.send("Add the video system", map[string][]string{"mailbox": v("nobody@acme.example"), "password": v("hunter2-hunter2")})
	assert.Equal(t, "Password has to be typed again", b.at.problems()[1], "a page never has one")
	b.send("Add the video system", map[string][]string{"mailbox": v("")})
	assert.Len(t, b.at.problems(), 2, "an enabled system needs a mailbox and a host")
	b.send("Add the video system", map[string][]string{"mailbox": v(" BOARD@acme.example "), "host": v("192.0.2.7"), "user": v("otj"), "password": v("hunter2-hunter2")})
	assert.Equal(t, "Board was added.", b.at.flash())
	assert.NotContains(t, b.at.Find("body").Text(), "hunter2")
	assert.Contains(t, b.at.text, "Stored")

	systems, err := w.centre.Systems(t.Context(), w.ann, w.acme.ID, "", 10)
	require.NoError(t, err)
	s := systems.Items[0]
	assert.Equal(t, m.ID, s.Mailbox)
	assert.True(t, s.Enabled)
	password, err := w.centre.Password(t.Context(), s.ID)
	require.NoError(t, err)
	assert.Equal(t, "hunter2-hunter2", string(password))

	b.follow("Edit")
	assert.Zero(t, b.at.Find("[name=password], [name=enabled]").Length())
	b.send("Save", map[string][]string{"name": v("Boardroom"), "take_over": v("on")})
	assert.Equal(t, "Boardroom was saved.", b.at.flash())

	assert.Contains(t, b.at.text, "no running service", "the page of a system says how it is right now")
	b.send("Pause", nil)
	assert.NotContains(t, b.at.text, "no running service")
	assert.Contains(t, b.at.text, "It keeps what it shows")
	b.send("Resume", nil)
	b.send("Disable", nil)
	assert.Contains(t, b.at.flash(), "Its meetings are taken off")
	b.send("Enable", nil)
	b.send("Store", map[string][]string{"password": v("")})
	assert.Contains(t, b.at.flash(), "was removed")

	b.follow("Delete")
	b.send("Delete Boardroom", nil)
	assert.Contains(t, b.at.text, "No video system yet")
}

func TestASystemWithoutItsMailboxIsNotEnabled(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("systems/new?kind=feed")
	b.send("Add the video system", map[string][]string{"name": v("Sign"), "enabled": nil})
	b.follow("Done")
	b.send("Enable", nil)
	assert.Len(t, b.at.problems(), 1)
}

func TestCredentialsAreShownOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("systems/new?kind=poly")
	b.send("Add the video system", map[string][]string{"name": v("Poly"), "mailbox": v("board@acme.example")})
	user, first := b.at.Find("#user").Text(), b.at.Find("#password").Text()
	assert.Regexp(t, `^otj-`, user)
	assert.Len(t, first, 22)
	b.follow("Done")
	assert.NotContains(t, b.at.text, first)
	b.follow("New credentials")
	twice := *b
	b.send("New credentials", nil)
	second := b.at.Find("#password").Text()
	assert.NotEqual(t, first, second)
	twice.send("New credentials", nil)
	assert.Equal(t, http.StatusConflict, twice.at.status, "a second click does not void what the first shows")
	b.follow("Show how to set up the device")
	assert.Contains(t, b.at.text, "runs without the service")
}

func TestGroups(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("groups")
	b.follow("Add a group")
	b.send("Add the group", map[string][]string{"name": v("")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Add the group", map[string][]string{"name": v("Oslo"), "user": v("otj"), "password": v("of the group")})
	assert.Equal(t, "Oslo was added.", b.at.flash())
	assert.Contains(t, b.at.text, "Stored")
	b.follow("Oslo")
	b.send("Save", map[string][]string{"user": v("integrator")})
	assert.Contains(t, b.at.text, "Stored", "it stays")
	b.follow("Oslo")
	b.send("Save", map[string][]string{"forget": v("on")})
	assert.NotContains(t, b.at.text, "Stored")

	b.open("systems/new?kind=poly")
	b.send("Add the video system", map[string][]string{"name": v("Poly"), "group": v(b.at.Find("#f-group option").Last().AttrOr("value", "")), "enabled": nil})
	b.open("groups")
	b.follow("Delete Oslo")
	assert.Contains(t, b.at.text, "Poly: leaves the group")
	b.send("Delete Oslo", nil)
	assert.Contains(t, b.at.text, "No group yet")
}

func TestAuditLogSaysWhatChanged(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("general")
	b.send("Save", map[string][]string{"name": v("<i>Acme</i>")})
	b.open("audit")
	row := oneLine(b.at.Find(".log > li").First().Text())
	assert.Contains(t, row, "ann@acme.example")
	assert.Contains(t, row, "127.0.0.1")
	assert.Contains(t, row, "Organization")
	assert.Contains(t, row, "<i>Acme</i>: changed")
	assert.Contains(t, row, "nameAcme → <i>Acme</i>")
	for range 60 {
		b.open("general")
		b.send("Save", nil)
	}
	b.open("audit")
	assert.Equal(t, 50, b.at.Find(".log > li").Length())
	b.follow("Next page")
	assert.NotZero(t, b.at.Find(".log > li").Length())
}

func TestTokens(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("/tokens")
	b.send("Make the token", map[string][]string{"name": v(""), "scopes": nil, "days": v("x")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Make the token", map[string][]string{"days": v("0")})
	assert.Len(t, b.at.problems(), 3)
	b.send("Make the token", map[string][]string{"name": v("Monitoring"), "scopes": v("read_company", "read_audit"), "days": v("30")})
	secret := b.at.Find("#token").Text()
	assert.NotEmpty(t, secret)
	assert.Contains(t, b.at.text, "read the audit log")
	b.open("/tokens")
	assert.NotContains(t, b.at.text, secret, "it is shown once")
	b.send("Delete Monitoring", nil)
	assert.Equal(t, "The token was deleted.", b.at.flash())
	assert.Zero(t, b.at.Find("table").Length())
}

func TestWebhookSystem(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("systems/new?kind=webhook")
	b.send("Add the video system", map[string][]string{"name": v("Board"), "mailbox": v("board@acme.example"), "url": v("http://rooms.acme.example/")})
	assert.Contains(t, b.at.Find("#f-url-error").Text(), "https:")
	b.send("Add the video system", map[string][]string{"url": v("https://rooms.acme.example/board?key=s3cret")})
	assert.Equal(t, "Key", b.at.Find(".facts dt").Text(), "there is no user name")
	key := b.at.Find("#password").Text()
	assert.Len(t, key, 22)
	b.open("systems")
	b.follow("Board")
	assert.NotContains(t, b.at.text, key, "it is shown once")
	assert.Contains(t, b.at.text, "s3cret", "for those who may configure")
	assert.Zero(t, b.at.Find("[name=password]").Length(), "the key is not typed")
	page := b.at.url.Path
	reader := w.signInAs(control.Admin)
	reader.open(page)
	assert.Contains(t, reader.at.text, "https://rooms.acme.example/…")
	b.follow("New credentials")
	b.send("New credentials", nil)
	assert.NotEqual(t, key, b.at.Find("#password").Text())
	b.open("audit")
	assert.NotContains(t, b.at.text, "s3cret")
}

func TestDevicesThatDiffer(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("systems/new?kind=cisco_https")
	_, open := b.at.Find("details.more").Attr("open")
	assert.False(t, open, "nobody needs to see it")
	b.send("Add the video system", map[string][]string{"name": v("Board"), "enabled": nil, "max_bookings": v("1001"), "webrtc": v("off")})
	_, open = b.at.Find("details.more").Attr("open")
	assert.True(t, open, "what is wrong is seen")
	assert.NotEmpty(t, b.at.Find("#f-max_bookings-error").Text())
	b.send("Add the video system", map[string][]string{"max_bookings": v("30"), "push": v("bookingsputxml"), "feedback_slot": v("2")})
	assert.Equal(t, "Board was added.", b.at.flash())
	for _, want := range []string{"Joining Teams and Meet by their linksIt cannot", "Meetings at most30", "How meetings are writtenbookingsputxml, of older software", "Slot for feedback2"} {
		assert.Contains(t, b.at.text, want)
	}
	b.follow("Edit")
	assert.Equal(t, "off", b.at.Find("#f-webrtc option[selected]").AttrOr("value", ""))
	b.send("Save", map[string][]string{"webrtc": v(""), "max_bookings": v(""), "push": v(""), "feedback_slot": v("")})
	assert.NotContains(t, b.at.text, "Meetings at most")
	list, err := w.centre.Systems(t.Context(), w.ann, w.acme.ID, "", 1)
	require.NoError(t, err)
	assert.Zero(t, list.Items[0].MaxBookings+list.Items[0].FeedbackSlot)

	b.open("systems/new?kind=poly")
	b.send("Add the video system", map[string][]string{"name": v("Fjord"), "enabled": nil, "token_form": v("split")})
	b.follow("Done")
	assert.Contains(t, b.at.text, "Form of the addressIn two parts, before and after the @")
}
