package console_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

// world is a console on a control centre with the company Acme and its first
// administrator, Ann.
type world struct {
	t      *testing.T
	centre *control.Centre
	server *httptest.Server
	txt    map[string][]string // what the DNS says
	tenant map[string]string   // domain -> the tenant's ID, for consent

	acme control.Org
	ann  control.Actor
}

// LookupTXT makes a world the Centre's resolver.
func (w *world) LookupTXT(_ context.Context, name string) ([]string, error) {
	if records, ok := w.txt[strings.TrimSuffix(name, ".")]; ok {
		return records, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// URL and Check make a world the Centre's consent.
func (w *world) URL(domain, state string) string {
	return "https://login.example/" + domain + "/adminconsent?state=" + state
}

func (w *world) Check(_ context.Context, domain, tenantID string) error {
	if w.tenant[domain] != tenantID {
		return calendar.ErrUnauthorized
	}
	return nil
}

// newWorld sets Acme up. change, if not nil, changes the options before.
func newWorld(t *testing.T, change func(*control.Options, *console.Options)) *world {
	w := emptyWorld(t, change)
	org, user, err := w.centre.Setup(t.Context(), control.Company, "Acme", "ann@acme.example", "Ann")
	require.NoError(t, err)
	w.acme, w.ann = org, control.Actor{User: user}
	return w
}

func emptyWorld(t *testing.T, change func(*control.Options, *console.Options)) *world {
	w := &world{t: t, txt: map[string][]string{}, tenant: map[string]string{}}
	keys, err := control.NewKeys()
	require.NoError(t, err)
	co := &control.Options{Resolver: w, Consent: w, Folders: []string{"/srv/calendars"}}
	po := &console.Options{Guard: api.NewGuard(&api.GuardOptions{Rate: 1e6, Burst: 1e6})}
	if change != nil {
		change(co, po)
	}
	w.centre, err = control.New(new(storetest.Memory), keys, co)
	require.NoError(t, err)
	w.server = httptest.NewTLSServer(console.New(w.centre, po))
	t.Cleanup(w.server.Close)
	return w
}

// browser keeps cookies, follows links and sends forms.
type browser struct {
	w      *world
	client *http.Client
	at     *page
}

// page is what a browser has got.
type page struct {
	*goquery.Document
	status int
	url    *url.URL
	header http.Header
	text   string // what people read, in one line
}

// visitor returns a browser in which nobody is signed in.
func (w *world) visitor() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	client := *w.server.Client()
	client.Jar = jar
	return &browser{w: w, client: &client}
}

// signIn returns a browser in which the user with an address is signed in.
func (w *world) signIn(email string) *browser {
	b := w.visitor()
	secret, err := w.centre.SignInLink(w.t.Context(), email)
	require.NoError(w.t, err)
	b.open(console.SignInPath(secret))
	b.send("Sign in", nil)
	return b
}

// open gets a page of Acme's: open("") is its overview. A path that begins with a
// slash is as it is.
func (b *browser) open(path string) *page {
	b.w.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = strings.TrimSuffix("/o/"+b.w.acme.ID+"/"+path, "/")
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.server.URL+path, nil)
	require.NoError(b.w.t, err)
	return b.do(req)
}

// follow clicks the link with a text.
func (b *browser) follow(text string) *page {
	b.w.t.Helper()
	link := b.at.Find("a").FilterFunction(func(_ int, s *goquery.Selection) bool { return oneLine(s.Text()) == text })
	require.NotZero(b.w.t, link.Length(), "no link %q on %s", text, b.at.url.Path)
	href, _ := link.First().Attr("href")
	return b.open(href)
}

// send fills the form that has a button with the given text, and sends it. A
// value of nil takes a field away; a checkbox is on with "on".
func (b *browser) send(button string, values map[string][]string) *page {
	b.w.t.Helper()
	named := func(_ int, s *goquery.Selection) bool {
		_, off := s.Attr("disabled")
		return !off && (oneLine(s.Text()) == button || s.AttrOr("aria-label", "") == button) && s.AttrOr("aria-hidden", "") == ""
	}
	form := b.at.Find("form").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Find("button").FilterFunction(named).Length() > 0 }).First()
	require.Equal(b.w.t, 1, form.Length(), "no form with the button %q on %s: %s", button, b.at.url.Path, b.at.text)
	sent := url.Values{}
	form.Find("input, textarea, select").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		_, checked := s.Attr("checked")
		_, disabled := s.Attr("disabled")
		kind, _ := s.Attr("type")
		switch {
		case name == "" || disabled || (kind == "checkbox" || kind == "radio") && !checked:
		case goquery.NodeName(s) == "textarea":
			sent.Add(name, strings.TrimPrefix(s.Text(), "\n"))
		case goquery.NodeName(s) == "select":
			chosen := s.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = s.Find("option").First()
			}
			sent.Add(name, chosen.AttrOr("value", ""))
		default:
			sent.Add(name, s.AttrOr("value", ""))
		}
	})
	pressed := form.Find("button").FilterFunction(named).First()
	if name := pressed.AttrOr("name", ""); name != "" {
		sent.Set(name, pressed.AttrOr("value", ""))
	}
	for name, v := range values {
		if v != nil {
			require.NotZero(b.w.t, form.Find("[name='"+name+"']").Length(), "the form has no field %q", name)
		}
		sent[name] = v
	}
	method := strings.ToUpper(form.AttrOr("method", "get"))
	to, err := b.at.url.Parse(pressed.AttrOr("formaction", form.AttrOr("action", "")))
	require.NoError(b.w.t, err)
	body := io.Reader(strings.NewReader(sent.Encode()))
	if method == http.MethodGet {
		to.RawQuery, body = sent.Encode(), nil
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, to.String(), body)
	require.NoError(b.w.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// do sends a request and checks what holds for every page.
func (b *browser) do(req *http.Request) *page {
	t := b.w.t
	t.Helper()
	res, err := b.client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(string(body)))
	require.NoError(t, err)
	b.at = &page{Document: doc, status: res.StatusCode, url: res.Request.URL, header: res.Header, text: oneLine(doc.Find("body").Text())}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		b.at.sound(t, string(body))
	}
	return b.at
}

// sound checks what holds for every page.
func (p *page) sound(t *testing.T, source string) {
	t.Helper()
	at := p.url.Path
	assert.NotContains(t, source, "⟨", "%s lacks a text", at)
	assert.NotContains(t, source, "%!", "%s has a text with wrong arguments", at)
	assert.NotContains(t, source, "ZgotmplZ", "%s: html/template refused a value", at)
	assert.Zero(t, p.Find("[style], style, script:not([src])").Length(), "%s has inline style or script", at)
	assert.Equal(t, 1, p.Find("h1").Length(), "%s has one heading of the first level", at)
	assert.Contains(t, p.header.Get("Content-Security-Policy"), "default-src 'none'", at)
	assert.Equal(t, "no-store", p.header.Get("Cache-Control"), at)
	ids := map[string]bool{}
	p.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		assert.False(t, ids[id], "%s has the id %q twice", at, id)
		ids[id] = true
	})
	p.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		label := p.Find("label[for='" + s.AttrOr("id", "") + "']").Length()
		assert.True(t, label == 1 || s.AttrOr("aria-label", "") != "", "%s: the field %q has no label", at, s.AttrOr("name", ""))
	})
	p.Find("[aria-describedby]").Each(func(_ int, s *goquery.Selection) {
		for id := range strings.FieldsSeq(s.AttrOr("aria-describedby", "")) {
			assert.True(t, ids[id], "%s: nothing has the id %q that describes a field", at, id)
		}
	})
	p.Find("form[method=post]").Each(func(_ int, s *goquery.Selection) {
		has := s.Find("input[name=csrf]").AttrOr("value", "") + s.Find("input[name=t]").AttrOr("value", "")
		assert.NotEmpty(t, has, "%s: a form has no token", at)
	})
	p.Find("#problems a").Each(func(_ int, s *goquery.Selection) {
		assert.True(t, ids[strings.TrimPrefix(s.AttrOr("href", ""), "#")], "%s: the summary links to %q, which is not there", at, s.AttrOr("href", ""))
	})
}

// problems are what the page says is wrong, one a line.
func (p *page) problems() []string {
	var out []string
	p.Find("#problems li").Each(func(_ int, s *goquery.Selection) { out = append(out, oneLine(s.Text())) })
	return out
}

// flash is the message about what was done.
func (p *page) flash() string { return oneLine(p.Find(".flash[role=status]").Text()) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// v is the value of a field, for send.
func v(values ...string) []string { return values }

// has tells the elements with a text.
func has(text string) func(int, *goquery.Selection) bool {
	return func(_ int, s *goquery.Selection) bool { return strings.Contains(oneLine(s.Text()), text) }
}
