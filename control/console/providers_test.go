package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

// verified adds a verified domain.
func (w *world) verified(domain string) control.Tenant {
	tenant, err := w.centre.CreateTenant(w.t.Context(), w.ann, w.acme.ID, domain)
	require.NoError(w.t, err)
	w.txt[domain] = []string{tenant.Challenge}
	tenant, err = w.centre.VerifyTenant(w.t.Context(), w.ann, tenant.ID)
	require.NoError(w.t, err)
	require.Equal(w.t, control.TenantVerified, tenant.State)
	return tenant
}

func TestMicrosoft365NeedsAVerifiedDomain(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("providers")
	b.follow("Add a provider")
	b.open("providers/new?kind=microsoft365")
	assert.Contains(t, b.at.text, "No verified domain yet")
	b.follow("Go to the domains")
	assert.Equal(t, "Domains", b.at.Find("h1").Text())
}

func TestProviderByConsentNow(t *testing.T) {
	w := newWorld(t, nil)
	w.verified("acme.example")
	b := w.signIn("ann@acme.example")
	b.open("providers/new?kind=microsoft365")
	b.send("Add and get consent now", map[string][]string{"daily_quota": v("5")})
	assert.Len(t, b.at.problems(), 2, "no name, and a quota out of range")
	b.send("Add and get consent now", map[string][]string{"name": v("365"), "daily_quota": v("10000")})
	link := b.at.Find("#link").Text()
	assert.Regexp(t, `^https://login\.example/acme\.example/adminconsent\?state=`, link)
	assert.Equal(t, link, b.at.Find("a.button.main").First().AttrOr("href", ""))
	assert.Contains(t, b.at.text, "Waiting for consent")

	u, err := url.Parse(link)
	require.NoError(t, err)
	state := u.Query().Get("state")
	back := func(b *browser, q string) *page { return b.open("/consent?state=" + state + q) }

	// Somebody agreed for another tenant: it can be tried again.
	w.tenant["acme.example"] = "tenant-1"
	admin := w.visitor() // has no account here
	assert.Equal(t, http.StatusBadGateway, back(admin, "&admin_consent=True&tenant=tenant-2").status)
	assert.Equal(t, http.StatusOK, back(admin, "&admin_consent=True&tenant=tenant-1").status)
	assert.Contains(t, admin.at.text, "Thank you")
	assert.Zero(t, admin.at.Find("main a").Length(), "somebody without an account is led nowhere")
	assert.Equal(t, http.StatusForbidden, back(admin, "&admin_consent=True&tenant=tenant-1").status, "a link works once")
	b.open("providers")
	assert.Contains(t, b.at.text, "Consent given")
}

func TestProviderWithTheConsentLater(t *testing.T) {
	w := newWorld(t, nil)
	w.verified("acme.example")
	b := w.signIn("ann@acme.example")
	b.open("providers/new?kind=microsoft365")
	b.send("Add, and skip the consent for now", map[string][]string{"name": v("365")})
	assert.Equal(t, "365 was added.", b.at.flash())
	assert.Contains(t, b.at.text, "Waiting for consent")
	b.send("Get the consent link", nil)
	u, err := url.Parse(b.at.Find("#link").Text())
	require.NoError(t, err)
	b.open("/consent?error=access_denied&error_description=%3Cscript%3E&state=" + u.Query().Get("state"))
	assert.Contains(t, b.at.text, "was refused")
	b.follow("Go to the provider")
	assert.Contains(t, b.at.text, "Consent refused")
	assert.Equal(t, http.StatusForbidden, b.open("/consent?state=forged&admin_consent=True&tenant=x").status)
}

func TestConsentWithoutAnApplication(t *testing.T) {
	w := newWorld(t, func(o *control.Options, _ *console.Options) { o.Consent = nil })
	w.verified("acme.example")
	b := w.signIn("ann@acme.example")
	b.open("providers/new")
	assert.Contains(t, b.at.Find("a.pick").First().Text(), "has to name an application", "before the work, not after it")
	assert.Equal(t, http.StatusForbidden, b.open("/consent?state=forged&admin_consent=True&tenant=x").status)
	b.open("providers/new?kind=microsoft365")
	b.send("Add and get consent now", map[string][]string{"name": v("365")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	assert.Contains(t, b.at.text, "this server has no Microsoft 365 application")
}

func TestProvidersOfFiles(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	assert.Equal(t, http.StatusNotFound, b.open("providers/new?kind=google").status, "it comes later")
	b.open("providers/new?kind=ics_folder")
	assert.Equal(t, "/srv/calendars", b.at.Find("#f-folder").AttrOr("value", ""), "where there is one choice, it is made")
	b.send("Add the provider", map[string][]string{"name": v("Files"), "folder": v("/etc")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Add the provider", map[string][]string{"folder": v("/srv/calendars/acme")})
	assert.Equal(t, "Files was added.", b.at.flash())
	b.follow("Edit")
	b.send("Save", map[string][]string{"name": v("")})
	assert.Len(t, b.at.problems(), 1)
	stale := *b
	b.send("Save", map[string][]string{"name": v("Folders")})
	assert.Equal(t, "Folders was saved.", b.at.flash())
	stale.send("Save", map[string][]string{"name": v("Other")})
	assert.Contains(t, stale.at.problems()[0], "Somebody else has changed this")

	b.send("Pause reading", nil)
	assert.Contains(t, b.at.flash(), "is paused")
	b.send("Resume reading", nil)
	assert.Contains(t, b.at.flash(), "is read again")

	b.open("providers/new?kind=ics_feed")
	b.send("Add the provider", map[string][]string{"name": v("folders"), "url": v("https://calendar.example/{mailbox}.ics")})
	assert.Len(t, b.at.problems(), 1, "the name is taken, whatever its case")
}

func TestProviderShowsItsQuota(t *testing.T) {
	w, live, _ := newOffice(t, "Board")
	tenant, err := w.centre.CreateTenant(t.Context(), w.ann, w.acme.ID, "acme.example")
	require.NoError(t, err)
	w.txt["acme.example"] = []string{tenant.Challenge}
	_, err = w.centre.VerifyTenant(t.Context(), w.ann, tenant.ID)
	require.NoError(t, err)
	p, err := w.centre.SaveProvider(t.Context(), w.ann, control.Provider{Company: w.acme.ID, Name: "Cloud", Kind: control.Microsoft365, Tenant: tenant.ID})
	require.NoError(t, err)
	b := w.signIn("ann@acme.example")
	b.open("providers/" + p.ID)
	assert.Contains(t, b.at.text, "Nothing is read before the tenant's administrator has agreed.")
	link, err := w.centre.ConsentLink(t.Context(), w.ann, p.ID)
	require.NoError(t, err)
	w.tenant["acme.example"] = "guid"
	_, err = w.centre.FinishConsent(t.Context(), link[strings.Index(link, "state=")+6:], "guid", "")
	require.NoError(t, err)
	live.quota = control.Quota{
		PerDay: 20_000, Used: 1234, PollSeconds: 64.8123, Arithmetic: "12 mailboxes × 1.00 requests", Mailboxes: 12, Waiting: 3, Throttled: 2,
		PausedUntil: time.Date(2026, 3, 2, 8, 50, 0, 0, time.UTC),
	}
	b.open("providers/" + p.ID)
	for _, want := range []string{
		"1,234 of 20,000", "every 64.8 s", "12 mailboxes × 1.00 requests", "Requests that wait3", "as too many, since the service started2", "2026-03-02 08:50 UTC",
	} {
		assert.Contains(t, b.at.text, want)
	}
	live.quotaErr = control.ErrNotFound
	b.open("providers/" + p.ID)
	assert.Contains(t, b.at.text, "Nothing is read yet")
}

// mailbox adds an iCalendar provider and a mailbox.
func (w *world) mailbox(address string) control.Mailbox {
	w.t.Helper()
	providers, err := w.centre.Providers(w.t.Context(), w.ann, w.acme.ID)
	require.NoError(w.t, err)
	if len(providers) == 0 {
		p, err := w.centre.SaveProvider(w.t.Context(), w.ann, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"})
		require.NoError(w.t, err)
		providers = append(providers, p)
	}
	m, err := w.centre.SaveMailbox(w.t.Context(), w.ann, control.Mailbox{Company: w.acme.ID, Provider: providers[0].ID, Address: address})
	require.NoError(w.t, err)
	return m
}

func TestMailboxes(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("mailboxes")
	assert.Contains(t, b.at.text, "First a provider")
	w.mailbox("first@acme.example")
	b.open("mailboxes")
	b.follow("Add a mailbox")
	b.send("Add the mailbox", map[string][]string{"address": v("board")})
	assert.Len(t, b.at.problems(), 1)
	b.send("Add, and then another one", map[string][]string{"address": v("Board@acme.example"), "name": v("<b>Board</b>")})
	assert.Equal(t, "Add a mailbox", b.at.Find("h1").Text())
	b.send("Add the mailbox", map[string][]string{"address": v("board@acme.example")})
	assert.Len(t, b.at.problems(), 1, "the address is there")
	b.open("mailboxes")
	assert.Contains(t, b.at.text, "<b>Board</b>")
	assert.Contains(t, b.at.text, "2 mailboxes")
	b.follow("board@acme.example")
	b.send("Save", map[string][]string{"kind": v("person")})
	assert.Equal(t, "board@acme.example was saved.", b.at.flash())
	assert.Contains(t, b.at.text, "Person")
	b.follow("Delete board@acme.example")
	b.send("Delete board@acme.example", nil)
	assert.Contains(t, b.at.text, "1 mailbox ")
}

func TestLongListsHavePagesAndASearch(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 230 {
		w.mailbox("room" + string(rune('a'+i%26)) + "-" + string(rune('a'+i/26)) + "@acme.example")
	}
	b := w.signIn("ann@acme.example")
	b.open("mailboxes")
	assert.Equal(t, 100, b.at.Find("tbody tr").Length())
	b.follow("Next page")
	b.follow("Next page")
	assert.Equal(t, 30, b.at.Find("tbody tr").Length())
	b.follow("Back to the beginning")
	b.send("Search", map[string][]string{"q": v("ROOMB-")})
	assert.Equal(t, 9, b.at.Find("tbody tr").Length())
	b.send("Search", map[string][]string{"q": v("room")})
	assert.Equal(t, 200, b.at.Find("tbody tr").Length())
	assert.Contains(t, b.at.text, "There are more")
	b.send("Search", map[string][]string{"q": v("<zzz>")})
	assert.Contains(t, b.at.text, "No mailbox matches “<zzz>”.")
	b.follow("Show all")
	assert.Equal(t, 100, b.at.Find("tbody tr").Length())
}
