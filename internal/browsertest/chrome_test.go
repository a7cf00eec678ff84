// Package browsertest drives the web console in a real browser, Debian's
// Chromium: the whole set-up to a Join button, the pages' accessibility, and
// their pictures in docs/screenshots.
package browsertest

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var pictures = flag.Bool("pictures", false, "write the pictures of the pages to docs/screenshots")

// tab is a browser with one page.
type tab struct {
	t   *testing.T
	ctx context.Context
	axe string // the script that finds what is not accessible; empty if it is not there

	mu      sync.Mutex
	console []string        // errors and warnings that pages wrote
	hosts   map[string]bool // that pages asked for something
}

// newTab starts a browser, or skips the test where there is none.
func newTab(t *testing.T) *tab {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium: apt-get install chromium, or bash .ci/run browser")
	}
	b := &tab{t: t, hosts: map[string]bool{}}
	if dir := os.Getenv("OTJ_NODE"); dir != "" {
		script, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
		require.NoError(t, err, "OTJ_NODE has no axe-core: npm ci in .ci, or bash .ci/run browser")
		b.axe = string(script)
	} else {
		t.Log("accessibility is not checked: OTJ_NODE names no folder with axe-core; bash .ci/run browser installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("force-prefers-reduced-motion", true), chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=UTC", "LANG=C.UTF-8"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // starts the browser, which lives as long as ctx
	ctx, done := context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(done)
	b.ctx = ctx

	messages, requests := chromedp.Console(ctx), chromedp.Events(ctx, network.RequestWillBeSent)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Source == "network" && strings.Contains(m.Text, " status of 4") {
				continue // Chromium notes a page that says what is wrong with a form
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.console = append(b.console, fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL))
				b.mu.Unlock()
			}
		}
	}()
	go func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" {
				b.mu.Lock()
				b.hosts[u.Hostname()] = true
				b.mu.Unlock()
			}
		}
	}()
	b.size(desktop)
	return b
}

// The sizes of windows that pages are looked at in.
type window struct {
	name          string
	width, height int64
}

var (
	desktop = window{"desktop", 1280, 800}
	phone   = window{"phone", 390, 844}
)

func (b *tab) size(w window) { b.do(chromedp.EmulateViewport(w.width, w.height)) }

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

// run evaluates an expression in the page.
func run[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return v
}

// load does something that leads to another page, and waits for it. It returns
// the status of the answer.
func (b *tab) load(steps ...chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, steps...)
	require.NoError(b.t, err, "on %s", b.path())
	return res.Status
}

func (b *tab) open(address string) int64 {
	b.t.Helper()
	return b.load(chromedp.Navigate(address))
}

func (b *tab) path() string {
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return at
}

// pick finds the link or button that people see and read as text, the page's own
// before those around it, and reports whether there is one.
func (b *tab) pick(text string) bool {
	b.t.Helper()
	return run[bool](b, fmt.Sprintf(`(() => {
		const all = ["main a, main button", "a, button"].flatMap(s => [...document.querySelectorAll(s)]);
		const read = e => e.innerText.replace(/\s+/g, " ").trim();
		const found = all.find(e => e.checkVisibility() && !e.ariaHidden && (read(e) === %[1]q || e.ariaLabel === %[1]q));
		for (const e of document.querySelectorAll("[data-picked]")) e.removeAttribute("data-picked");
		found?.setAttribute("data-picked", "");
		return !!found;
	})()`, text))
}

// click clicks a link or button and waits for the page.
func (b *tab) click(text string) int64 {
	b.t.Helper()
	require.True(b.t, b.pick(text), "no link or button %q on %s: %s", text, b.path(), b.text())
	return b.load(chromedp.Click("[data-picked]"))
}

// text is what people read on the page.
func (b *tab) text() string {
	return strings.Join(strings.Fields(run[string](b, "document.body.innerText")), " ")
}

// fill types into the field with a name, or chooses or ticks it.
func (b *tab) fill(name, value string) {
	b.t.Helper()
	kind := run[string](b, fmt.Sprintf("(e => e ? e.type : '')(document.querySelector('main [name=%q]'))", name))
	field := fmt.Sprintf(`main [name=%q]`, name)
	switch kind {
	case "":
		require.Fail(b.t, "no field", "%q on %s", name, b.path())
	case "checkbox":
		b.do(chromedp.Click(field))
	case "radio":
		b.do(chromedp.Click(fmt.Sprintf(`main [name=%q][value=%q]`, name, value)))
	case "select-one":
		b.do(chromedp.SetValue(field, value))
	default:
		run[bool](b, fmt.Sprintf("document.querySelector(%q).value = '', true", field))
		b.do(chromedp.SendKeys(field, value))
	}
}

// violation is something that axe has found.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// look checks the page that the tab shows, dark and light, on a phone and on a
// desktop, and takes its pictures, which are light.
func (b *tab) look(name string) {
	b.t.Helper()
	assert.False(b.t, run[bool](b, "document.body.innerText.includes('⟨')"), "%s lacks a text", name)
	for _, mode := range []string{"dark", "light"} {
		b.colours(mode)
		for _, w := range []window{phone, desktop} {
			b.size(w)
			where := name + ", " + mode + ", " + w.name
			over := run[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
			assert.LessOrEqual(b.t, over, 0, "%s is wider than the window", where)
			b.accessible(where)
			if mode == "light" {
				b.picture(name + "-" + w.name)
			}
		}
	}
}

// colours chooses light or dark.
func (b *tab) colours(mode string) {
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: mode}},
	})
	require.NoError(b.t, err)
}

func (b *tab) accessible(where string) {
	b.t.Helper()
	if b.axe == "" {
		return
	}
	b.do(chromedp.Evaluate[chromedp.Void](b.axe))
	for _, v := range run[[]violation](b, "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)") {
		for _, n := range v.Nodes {
			assert.Fail(b.t, "not accessible", "%s: %s: %s\n%s\n%s", where, v.ID, v.Help, n.HTML, n.Summary)
		}
	}
}

// sound checks what has to hold at the end: pages wrote no errors and asked only
// this machine for anything.
func (b *tab) sound() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(b.t, b.console, "pages wrote to the browser's console")
	for host := range b.hosts {
		assert.Contains(b.t, []string{"127.0.0.1", "localhost"}, host, "a request left this machine")
	}
}
