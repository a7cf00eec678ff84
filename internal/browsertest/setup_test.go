package browsertest

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/internal/app"
)

// meeting is one that can be joined now, for an hour.
func meeting(subject, html string) graphtest.Event {
	start := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	return graphtest.Event{
		Subject: subject, Start: start, End: start.Add(time.Hour), Response: calendar.Accepted, HTML: html,
		Organizer: calendar.Person{Name: "Kari Lind", Email: "kari@acme.example"},
	}
}

const (
	zoom = `<p><a href="https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1">Join Zoom Meeting</a></p>`
	// What only a rule of the company's own can read.
	bridge = `<p>We meet in bridge room 4711 as always.</p>`
)

// world is all that the set-up needs around the program: Microsoft, the DNS and
// two devices.
type world struct {
	dns   *dns
	cisco *ciscotest.Device
	app   *app.App
	url   string
}

func newWorld(t *testing.T) *world {
	w := &world{dns: startDNS(t), cisco: ciscotest.New(nil)}
	require.NoError(t, w.cisco.Start(""))
	t.Cleanup(func() { w.cisco.Close() })

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := l.Addr().String()
	require.NoError(t, l.Close())
	config, err := app.LocalConfig(filepath.Join(t.TempDir(), "data"), listen)
	require.NoError(t, err)
	w.url = config.Control.URL

	microsoft := graphtest.New(nil)
	t.Cleanup(microsoft.Close)
	base := microsoft.StartTLS()
	tenant := microsoft.AddTenant("acme.example")
	tenant.AddMailbox("board@acme.example").AddSingle(meeting("Weekly planning", zoom))
	tenant.AddMailbox("fjord@acme.example").AddSingle(meeting("Bridge call", bridge))
	entra := microsoft.AddApp("One-Touch Join", w.url+"/consent")
	config.Control.DNS, config.Control.Microsoft365 = w.dns.address, "multi"
	config.Microsoft365 = map[string]app.Microsoft365{"multi": {
		ClientID: entra.ClientID(), ClientSecret: calendar.Secret(entra.AddSecret(time.Time{})),
		GraphURL: base, AuthorityURL: base, CAFile: certificate(t, microsoft.Client(), base),
	}}

	w.app, err = app.New(config, app.Builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, w.app.Close())
	})
	select {
	case <-w.app.Up():
	case err := <-ended:
		ended <- err
		require.NoError(t, err)
	}
	return w
}

// certificate writes the certificate of a server into a file.
func certificate(t *testing.T, client *http.Client, base string) string {
	res, err := client.Get(base)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	path := filepath.Join(t.TempDir(), "microsoft.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: res.TLS.PeerCertificates[0].Raw})
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// value is what the page shows to copy, by its id.
func (b *tab) value(id string) string {
	b.t.Helper()
	return run[string](b, "document.getElementById('"+id+"').textContent")
}

// says demands a text on the page, which may still be loading.
func (b *tab) says(text string) {
	b.t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until) && !strings.Contains(b.text(), text); {
		b.do(chromedp.Sleep(50 * time.Millisecond))
	}
	require.Contains(b.t, b.text(), text, "on %s", b.path())
}

// enter presses Enter as a keyboard does: with one character, which goes to what
// had the focus before.
var enter = chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
	for _, e := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"}, {Type: input.DispatchKeyEventTypeKeyUp},
	} {
		e.Key, e.Code, e.WindowsVirtualKeyCode = "Enter", "Enter", 13
		if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, e); err != nil {
			return err
		}
	}
	return nil
})

// TestFromTheLinkToTheButton is the set-up as an administrator does it who has
// never seen it: from the link that the program prints to a Join button on a
// Cisco and a Poly device, with no help but the screen. Every page on the way is
// looked at.
func TestFromTheLinkToTheButton(t *testing.T) {
	b := newTab(t) // first: it may skip
	w := newWorld(t)

	// The first administrator.
	link, err := w.app.SetupURL(t.Context())
	require.NoError(t, err)
	b.open(link)
	b.look("setup")
	b.fill("name", "Acme")
	b.fill("email", "ann@acme.example")
	b.fill("user", "Ann Ek")
	b.click("Set up")
	b.says("You are its administrator")
	b.look("overview-start")

	// The domain.
	b.click("Prove your domain")
	b.click("Add a domain")
	b.look("domain-new")
	b.fill("domain", "acme.example")
	b.click("Next")
	b.click("Check now")
	b.says("Not verified")
	b.look("domain-check")
	w.dns.set("acme.example", b.value("challenge"))
	b.click("Check now")
	b.says("acme.example is verified")
	b.look("domain-verified")

	// The provider, and the consent of the tenant's administrator.
	b.click("Add a provider")
	b.look("provider-kinds")
	b.load(chromedp.Click(`a.pick[href$="microsoft365"]`))
	b.click("Add and get consent now")
	b.says("Name is missing")
	b.look("provider-problems")
	b.fill("name", "Microsoft 365")
	b.click("Add and get consent now")
	b.look("provider-consent")
	b.click("Continue to Microsoft")
	b.says("Thank you")
	b.look("consent")
	b.click("Go to the provider")
	b.says("Consent given")
	b.look("provider")

	// Mailboxes, one by hand and one from a table.
	b.click("Add mailboxes")
	b.fill("address", "board@acme.example")
	b.fill("name", "Board")
	b.look("mailbox-new")
	b.click("Add the mailbox")
	b.click("Import from CSV")
	b.look("import")
	b.fill("csv", "address,name,kind\nfjord@acme.example,Fjord,room\nboard@acme.example,Boardroom,room")
	b.click("Show what would happen")
	b.look("import-preview")
	b.click("Import")
	b.says("1 added, 1 changed")
	b.look("mailboxes")

	// A rule for what only this company writes.
	b.click("Rules")
	b.look("rules-none")
	b.fill("type", "regex_re2")
	b.click("Add a rule")
	b.fill("name", "Our bridge")
	b.fill("match", `bridge room (\d+)`)
	b.fill("replace", `\1@bridge.acme.example`)
	b.look("rule")
	b.click("Keep the rule")
	b.fill("invite", "We meet in bridge room 4711 as always.")
	b.click("Try it")
	b.says("4711@bridge.acme.example")
	b.look("rules-try")
	b.click("Save")
	b.look("rules")

	// Display settings.
	b.click("Settings")
	b.fill("start_buffer", "10")
	b.look("settings")
	b.click("Save")
	b.says("The settings are saved")
	require.Equal(t, "10", run[string](b, "document.querySelector('[name=start_buffer]').value"))

	// A Cisco device that is called.
	b.click("Video systems")
	b.click("Add a video system")
	b.look("system-kinds")
	b.load(chromedp.Click(`a.pick[href$="cisco_https"]`))
	b.fill("name", "Boardroom")
	b.fill("mailbox", "board@acme.example")
	b.fill("host", w.cisco.Addr())
	b.fill("user", w.cisco.User())
	b.fill("password", w.cisco.Password())
	b.fill("fingerprint", w.cisco.Fingerprint())
	b.look("system-new")
	b.click("Add the video system")
	b.says("Boardroom was added")
	b.look("system")

	// A Poly device that calls, with credentials made here.
	b.click("Video systems")
	b.click("Add a video system")
	b.load(chromedp.Click(`a.pick[href$="=poly"]`))
	b.fill("name", "Fjord")
	b.fill("mailbox", "fjord@acme.example")
	b.click("Add the video system")
	b.look("credentials")
	poly := polytest.New(&polytest.Options{Name: "Fjord", Server: w.url, User: b.value("user"), Password: b.value("password")})
	b.click("Show how to set up the device")
	b.look("device-steps")

	// What the rooms see.
	require.Eventually(t, func() bool {
		return strings.Contains(w.cisco.Panel(time.Now()), "Weekly planning") && strings.Contains(strings.ToLower(w.cisco.Panel(time.Now())), "join")
	}, 30*time.Second, 50*time.Millisecond, "the Cisco device has its button: %s", w.cisco.Panel(time.Now()))
	require.Eventually(t, func() bool {
		if err := poly.Poll(t.Context()); err != nil {
			return false
		}
		items := poly.Items()
		return len(items) == 1 && items[0].Subject == "Bridge call" && strings.Contains(items[0].Dial, "4711@bridge.acme.example")
	}, 30*time.Second, 50*time.Millisecond, "the Poly device has its button: %v", poly.Panel(time.Now()))
	t.Logf("\n%s\n%s", w.cisco.Panel(time.Now()), poly.Panel(time.Now()))

	// The same in the console.
	b.click("Overview")
	b.says("Boardroom")
	b.look("overview")
	b.click("Boardroom")
	b.says("Weekly planning")
	b.look("room")

	b.keyboard()

	// The pages that the set-up does not come by.
	for _, p := range []string{"alarms", "readiness", "groups", "users", "users/new", "hooks", "hooks/new", "audit", "general", "general/disable", "tenants", "providers", "systems"} {
		require.Equal(t, int64(200), b.open(b.org()+"/"+p), p)
		b.look(strings.ReplaceAll(p, "/", "-"))
	}
	b.open(b.org() + "/users")
	b.click("Ann Ek")
	b.look("user")
	b.fill("name", "Ann Eklund")
	b.click("Save the name and address")
	b.says("ann@acme.example was saved")
	b.open(b.org() + "/groups")
	b.click("Oslo")
	b.look("group")
	b.click("Edit the display settings")
	b.fill("start_buffer", "20")
	b.fill("private", "no")
	b.look("group-settings")
	b.click("Save")
	b.says("Minutes before a meeting, Show private meetings.")
	b.open(b.org() + "/systems")
	b.click("Boardroom")
	b.click("Edit")
	run[bool](b, "document.querySelector('details.more').open = true")
	b.look("system-differs")
	b.open(b.org() + "/systems/new?kind=webhook")
	b.look("system-webhook")
	b.fill("name", "Signs")
	b.fill("mailbox", "board@acme.example")
	b.fill("url", "https://signs.acme.example/otj")
	b.click("Add the video system")
	b.look("credentials-key")
	b.open(b.org() + "/providers")
	b.click("Microsoft 365")
	b.says("How the quota is used")
	b.look("provider-quota")
	b.open(b.org() + "/providers")
	b.click("Delete Microsoft 365")
	b.look("provider-delete")
	b.open(w.url + "/tokens")
	b.fill("name", "Monitoring")
	b.click("Make the token")
	b.look("tokens")
	b.sound()
}

// keyboard adds a group with nothing but the keys: Tab to the fields and the
// button, letters and Enter.
func (b *tab) keyboard() {
	b.t.Helper()
	b.open(b.org() + "/groups")
	focused := func() string {
		return run[string](b, `(e => (e.innerText || e.name || e.id || e.tagName).replace(/\s+/g, " ").trim())(document.activeElement)`)
	}
	reach := func(what string) {
		b.t.Helper()
		for range 60 {
			if focused() == what {
				return
			}
			b.do(chromedp.KeyEvent(kb.Tab))
		}
		require.Fail(b.t, "not reached by Tab", "%q on %s", what, b.path())
	}
	reach("Skip to the content")
	b.do(enter)
	assert.Equal(b.t, "main", run[string](b, "document.activeElement.id"), "the first key skips to the content")
	reach("Add a group")
	outline := run[string](b, "getComputedStyle(document.activeElement).outlineStyle")
	assert.Equal(b.t, "solid", outline, "what has the focus is seen")
	b.load(enter)
	reach("name")
	b.load(enter)
	assert.Equal(b.t, "problems", run[string](b, "document.activeElement.id"), "what is wrong is read first")
	b.do(chromedp.KeyEvent(kb.Tab), enter)
	assert.Equal(b.t, "name", focused(), "the summary leads to the field")
	b.do(chromedp.KeyEvent("Oslo"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("integrator"))
	reach("Add the group")
	b.load(enter)
	b.says("Oslo was added.")
}
