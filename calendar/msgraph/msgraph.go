package msgraph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Options changes how a Provider works. The zero value is usable.
type Options struct {
	// Cloud is where Graph is. The default is [Global].
	Cloud Cloud
	// Proxy is the proxy that requests go through: http, https or socks5, with a
	// user name and password if it wants them. The default is that of the
	// environment ([http.ProxyFromEnvironment]). [Options.Client] has it too.
	Proxy *url.URL
	// Transport carries the requests in the place of one with Proxy.
	Transport http.RoundTripper
	// PageSize is the number of events that are asked for at a time: up to 1,000.
	// The default is 100.
	PageSize int
	// DeltaWindow is the longest window that Sync reads whole each time. In longer
	// ones it asks for changes only. The default is 48 h; with a negative one it
	// always asks for changes.
	DeltaWindow time.Duration
	// Timeout is for one request. The default is 30 s.
	Timeout time.Duration

	// DailyQuota is the number of requests that may be made in any 24 hours:
	// [MinDailyQuota] to [MaxDailyQuota]. The default is [DefaultDailyQuota].
	// It begins anew with each process. [Status] shows what follows from it.
	DailyQuota int
	// MinPoll is the shortest interval that [Provider.PollInterval] gives. The
	// default is 30 s.
	MinPoll time.Duration
	// Concurrency is the greatest number of requests at a time. The provider
	// starts lower and finds out what the tenant bears. The default is 64.
	Concurrency int
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Cloud.Graph == "" {
		d.Cloud.Graph = Global.Graph
	}
	d.PageSize = min(cmp.Or(max(d.PageSize, 0), 100), 1000)
	d.DeltaWindow = cmp.Or(d.DeltaWindow, 48*time.Hour)
	d.Timeout = cmp.Or(max(d.Timeout, 0), 30*time.Second)
	d.DailyQuota = cmp.Or(d.DailyQuota, DefaultDailyQuota)
	d.MinPoll = cmp.Or(max(d.MinPoll, 0), 30*time.Second)
	d.Concurrency = cmp.Or(max(d.Concurrency, 0), 64)
	return d
}

// Client returns a client on Transport, or on one that uses Proxy. Give it to a
// credential, as azcore.ClientOptions.Transport, so that its requests to Entra go
// the same way.
func (o *Options) Client() *http.Client {
	c := &http.Client{
		// A redirect could take the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o != nil && o.Transport != nil {
		c.Transport = o.Transport
		return c
	}
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // a program has replaced it
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 64 // behind a proxy that speaks HTTP/1 only
	if o != nil && o.Proxy != nil {
		t.Proxy = http.ProxyURL(o.Proxy)
	}
	c.Transport = t
	return c
}

func (o *Options) check() error {
	if o.DailyQuota < MinDailyQuota || o.DailyQuota > MaxDailyQuota {
		return fmt.Errorf("the daily quota is %d; it is %d to %d", o.DailyQuota, MinDailyQuota, MaxDailyQuota)
	}
	if u := o.Proxy; u != nil && (!slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) || u.Host == "") {
		return fmt.Errorf("the proxy %q is not an http, https or socks5 address", u.Redacted())
	}
	return nil
}

// Provider is a [calendar.Provider] and a [calendar.Syncer]. It is for one tenant, and safe for
// concurrent use.
type Provider struct {
	opts   Options
	prefer []string // in delta queries
	bad    error    // why the options cannot be used
	base   *url.URL
	client *http.Client
	tokens tokens
	pace   *pace
	budget *budget

	clock   clock
	readers readers
	worked  atomic.Bool // a calendar could be read

	mu    sync.Mutex
	boxes map[string]*box
}

// box is what the provider knows of a mailbox.
type box struct {
	gate gate

	mu     sync.Mutex
	pause  time.Time // nothing is sent before
	states []*state
}

func (b *box) pausedUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pause
}

func (b *box) pauseUntil(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.After(b.pause) {
		b.pause = t
	}
}

var _ calendar.Syncer = (*Provider)(nil)

// New returns a provider that authenticates with cred, such as a credential of
// azidentity. It makes no request, and starts no goroutine. What is wrong with
// the credential or the options is said by every call.
func New(cred azcore.TokenCredential, opts *Options) *Provider {
	o := opts.withDefaults()
	p := &Provider{opts: o, client: o.Client(), boxes: map[string]*box{}, pace: newPace(o.Concurrency), budget: newBudget(o.DailyQuota)}
	p.base, p.bad = address("Graph", o.Cloud.Graph)
	if p.bad == nil {
		p.bad = o.check()
	}
	if p.bad == nil && cred == nil {
		p.bad = errors.New("there is no credential to ask Entra for a token with")
	}
	p.prefer = append(slices.Clone(preferences), "odata.maxpagesize="+strconv.Itoa(o.PageSize))
	if p.bad == nil {
		p.tokens = tokens{cred: cred, scope: p.base.Scheme + "://" + p.base.Host + "/.default", turn: make(chan struct{}, 1)}
	}
	return p
}

// key is how mailboxes are compared.
func key(mailbox string) string { return strings.ToLower(strings.TrimSpace(mailbox)) }

// box returns that of a mailbox. That of "" is for requests about none.
func (p *Provider) box(mailbox string) *box {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key(mailbox)
	b := p.boxes[k]
	if b == nil {
		b = &box{}
		b.gate.limit = perMailbox
		if k == "" {
			b.gate.limit = p.opts.Concurrency
		}
		p.boxes[k] = b
	}
	return b
}

// user is the path of a mailbox.
func (p *Provider) user(r *request) (string, error) {
	m := strings.TrimSpace(r.mailbox)
	if m == "" || m == "." || m == ".." {
		return "", p.fail(r, calendar.ErrNotFound, "Give the mail address of the room.")
	}
	// Not in addresses of Exchange, nor in IDs; Graph would answer 400, which says
	// less.
	odd := func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsGraphic(c) || strings.ContainsRune(`"(),:;<>[\]`, c)
	}
	if !utf8.ValidString(m) || strings.ContainsFunc(m, odd) {
		return "", p.fail(r, fmt.Errorf("%w: it is no mail address or object ID", calendar.ErrNotFound), "Give the mail address of the room, without a name, brackets or spaces.")
	}
	return "/users/" + url.PathEscape(m), nil
}

// checkWindow refuses what Graph would answer with 400.
func (p *Provider) checkWindow(r *request, w calendar.Window) error {
	switch {
	case w.From.IsZero() || w.To.IsZero():
		return p.fail(r, errors.New("the window has no beginning or no end"), "Set both From and To.")
	case !w.To.After(w.From):
		return p.fail(r, errors.New("the window does not end after it begins"), "Set To to a later time than From.")
	}
	return nil
}

const readCalendar = "read calendar"

// CheckAccess says whether the calendar of mailbox can be read: nil, or an
// error that says what an administrator can do. It costs one small request.
func (p *Provider) CheckAccess(ctx context.Context, mailbox string) error {
	r := &request{op: readCalendar, mailbox: mailbox}
	at, err := p.user(r)
	if err != nil {
		return err
	}
	now := time.Now()
	r.url = at + "/calendarView?" + url.Values{"startDateTime": {stamp(now)}, "endDateTime": {stamp(now.Add(time.Minute))}, "$select": {"id"}, "$top": {"1"}}.Encode()
	if _, err := p.page(ctx, r, &pages{}); err != nil {
		return err
	}
	p.worked.Store(true)
	return nil
}

// Events implements [calendar.Provider].
func (p *Provider) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	var g pages
	events, err := p.view(ctx, mailbox, w, &g)
	p.readers.read(mailbox, g.requests)
	var partial *calendar.PartialError
	if err == nil || errors.As(err, &partial) {
		p.worked.Store(true)
	}
	return events, err
}
