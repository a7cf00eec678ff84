// Package msgraphsdk reads the calendars of Microsoft 365 rooms with Microsoft's
// own client of Graph, for programs that have one:
//
//	client, err := msgraphsdkgo.NewGraphServiceClientWithCredentials(cred, nil)
//	…
//	rooms := msgraphsdk.New(client, nil)
//	events, err := rooms.Events(ctx, "fjord@example.com", calendar.Window{From: from, To: to})
//
// It is a module of its own, because the models of that client take minutes and
// more than 4 GB of memory to compile. Who does not need the client should take
// package msgraph, which does the same and more without it.
//
// The app needs the application permission Calendars.Read. Requests are not
// repeated by the client: a request that is throttled returns an error at once,
// with the time to wait in [calendar.Error.RetryAfter]. At most four requests at
// a time are made for a mailbox.
//
// Sync asks for changes with a delta query, and reads the calendar anew if there
// are any: what a delta query lists of a series is too little to show it. A
// change to the text of a series alone, of which Graph may list nothing, is seen
// at the next full read.
//
// There are no change notifications: wake up by those of package msgraph, or
// poll.
package msgraphsdk

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
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	khttp "github.com/microsoft/kiota-http-go"
	msgraphsdkgo "github.com/microsoftgraph/msgraph-sdk-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Options changes how a Provider works. The zero value is usable.
type Options struct {
	// PageSize is the number of events in a page. The default is 100.
	PageSize int
	// MaxPages is the number of pages after which an answer is taken for one
	// that does not end, as delta queries have been seen to do. The default is
	// 100.
	MaxPages int
}

const perMailbox = 4 // requests at once that Outlook accepts for a mailbox

// fields are what an Event is made of.
var fields = strings.Split("id,iCalUId,seriesMasterId,type,changeKey,lastModifiedDateTime,subject,organizer,isOrganizer,"+
	"start,end,isAllDay,isCancelled,showAs,sensitivity,responseStatus,location,locations,body,bodyPreview,"+
	"onlineMeeting,onlineMeetingUrl", ",")

// Provider is a [calendar.Provider] and a [calendar.Syncer]. It is safe for
// concurrent use.
type Provider struct {
	client *msgraphsdkgo.GraphServiceClient
	opts   Options

	mu    sync.Mutex
	gates map[string]*gate
}

// gate limits the requests of one mailbox; it is dropped when nobody uses it.
type gate struct {
	slots chan struct{}
	users int
}

var _ calendar.Syncer = (*Provider)(nil)

// New returns a provider that makes its requests by a client. It makes none yet.
func New(client *msgraphsdkgo.GraphServiceClient, opts *Options) *Provider {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.PageSize = cmp.Or(o.PageSize, 100)
	o.MaxPages = cmp.Or(o.MaxPages, 100)
	return &Provider{client: client, opts: o, gates: map[string]*gate{}}
}

// Events implements [calendar.Provider].
func (p *Provider) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	leave, err := p.enter(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	defer leave()
	return p.view(ctx, mailbox, w)
}

// view reads calendarView.
func (p *Provider) view(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	top := int32(min(p.opts.PageSize, 1000)) //nolint:gosec // at most 1000
	builder := p.client.Users().ByUserId(mailbox).CalendarView()
	config := &users.ItemCalendarViewRequestBuilderGetRequestConfiguration{
		Headers: prefer(), Options: noRetry,
		QueryParameters: &users.ItemCalendarViewRequestBuilderGetQueryParameters{
			StartDateTime: stamp(w.From), EndDateTime: stamp(w.To), Select: fields, Top: &top,
		},
	}
	byID := map[string]calendar.Event{}
	var bad []calendar.EventError
	for n := 0; ; n++ {
		page, err := builder.Get(ctx, config)
		if err != nil {
			return nil, p.failure(ctx, mailbox, err)
		}
		if page == nil || page.GetValue() == nil {
			return nil, fail(mailbox, fmt.Errorf("%w: the answer is not a list of events", calendar.ErrUnavailable), "Check that no proxy answers in the place of Graph.")
		}
		for _, v := range page.GetValue() {
			e, err := event(v)
			switch {
			case err == nil && (e.ID == "" || e.Start.IsZero()):
				bad = append(bad, calendar.EventError{ID: e.ID, UID: e.UID, Err: errors.New("the event has no id or no start")})
			case err != nil:
				bad = append(bad, calendar.EventError{ID: e.ID, UID: e.UID, Err: err})
			case w.Overlaps(e.Start, e.End):
				byID[e.ID] = e
			}
		}
		next := page.GetOdataNextLink()
		if next == nil || *next == "" {
			break
		}
		if n == p.opts.MaxPages {
			return nil, fail(mailbox, fmt.Errorf("%w: Graph's pages do not end", calendar.ErrUnavailable), "")
		}
		if err := p.ours(mailbox, *next); err != nil {
			return nil, err
		}
		builder = users.NewItemCalendarViewRequestBuilder(*next, p.client.RequestAdapter)
		config = &users.ItemCalendarViewRequestBuilderGetRequestConfiguration{Headers: prefer(), Options: noRetry}
	}
	events := make([]calendar.Event, 0, len(byID))
	for _, e := range byID {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b calendar.Event) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	if len(bad) > 0 {
		return events, &calendar.PartialError{Mailbox: mailbox, Bad: bad}
	}
	return events, nil
}

// Sync implements [calendar.Syncer]. Every Delta that has anything in it is
// Full.
func (p *Provider) Sync(ctx context.Context, mailbox string, w calendar.Window, text string) (calendar.Delta, error) {
	var link string
	if text != "" {
		t, err := decode(text)
		switch {
		case err != nil:
			return calendar.Delta{}, fail(mailbox, fmt.Errorf("%w: %w", calendar.ErrTokenExpired, err), "")
		case !strings.EqualFold(t.Mailbox, mailbox) || !t.From.Equal(w.From) || !t.To.Equal(w.To):
			return calendar.Delta{}, fail(mailbox, fmt.Errorf("%w: it is for another mailbox or window", calendar.ErrTokenExpired), "")
		}
		link = t.Link
	}
	leave, err := p.enter(ctx, mailbox)
	if err != nil {
		return calendar.Delta{}, err
	}
	defer leave()
	listed, next, err := p.round(ctx, mailbox, w, link)
	if err != nil {
		return calendar.Delta{}, err
	}
	out := calendar.Delta{Token: token{mailbox, w.From, w.To, next}.encode()}
	if link != "" && listed == 0 {
		return out, nil
	}
	// The link is older than what is read now: nothing falls between.
	events, err := p.view(ctx, mailbox, w)
	var partial *calendar.PartialError
	if err != nil && !errors.As(err, &partial) {
		return calendar.Delta{}, err
	}
	out.Full, out.Changed = true, events
	return out, err
}

// round does one round of a delta query, from a link or from the beginning. It
// returns the number of changes, and the link to the next round: "" if Graph's
// pages do not end, after which the next round is from the beginning.
func (p *Provider) round(ctx context.Context, mailbox string, w calendar.Window, link string) (listed int, next string, err error) {
	builder := p.client.Users().ByUserId(mailbox).CalendarView().Delta()
	config := &users.ItemCalendarViewDeltaRequestBuilderGetRequestConfiguration{
		Headers: prefer(), Options: noRetry,
		QueryParameters: &users.ItemCalendarViewDeltaRequestBuilderGetQueryParameters{StartDateTime: stamp(w.From), EndDateTime: stamp(w.To)},
	}
	follow := func(link string) error {
		if err := p.ours(mailbox, link); err != nil {
			return err
		}
		builder = users.NewItemCalendarViewDeltaRequestBuilder(link, p.client.RequestAdapter)
		config = &users.ItemCalendarViewDeltaRequestBuilderGetRequestConfiguration{Headers: prefer(), Options: noRetry}
		return nil
	}
	if link != "" {
		if err := follow(link); err != nil {
			return 0, "", err
		}
	}
	for range p.opts.MaxPages {
		// A page asks for its size again: no header of the first request lasts.
		config.Headers.Add("Prefer", "odata.maxpagesize="+strconv.Itoa(p.opts.PageSize))
		page, err := builder.GetAsDeltaGetResponse(ctx, config)
		if err != nil {
			if link != "" && expired(err) {
				err = fmt.Errorf("%w: %w", calendar.ErrTokenExpired, err)
				return 0, "", fail(mailbox, err, "")
			}
			return 0, "", p.failure(ctx, mailbox, err)
		}
		if page == nil || page.GetValue() == nil {
			return 0, "", fail(mailbox, fmt.Errorf("%w: the answer is not a list of changes", calendar.ErrUnavailable), "Check that no proxy answers in the place of Graph.")
		}
		listed += len(page.GetValue())
		if d := page.GetOdataDeltaLink(); d != nil && *d != "" {
			return listed, *d, nil
		}
		n := page.GetOdataNextLink()
		if n == nil || *n == "" {
			return 0, "", fail(mailbox, fmt.Errorf("%w: the page has no link", calendar.ErrUnavailable), "")
		}
		if err := follow(*n); err != nil {
			return 0, "", err
		}
	}
	return listed, "", nil
}

// ours refuses links to other hosts: the client would send its token there.
func (p *Provider) ours(mailbox, link string) error {
	base, err1 := url.Parse(p.client.RequestAdapter.GetBaseUrl())
	u, err2 := url.Parse(link)
	if err1 != nil || err2 != nil || u.Scheme != base.Scheme || u.Host != base.Host {
		return fail(mailbox, fmt.Errorf("%w: the next page is not where Graph is", calendar.ErrUnavailable), "")
	}
	return nil
}

// noRetry leaves repeating requests to the caller: the client would wait inside
// a request, and lose the answer when its own timeout ends before.
var noRetry = []abstractions.RequestOption{&khttp.RetryHandlerOptions{
	ShouldRetry: func(time.Duration, int, *http.Request, *http.Response) bool { return false },
}}

func prefer() *abstractions.RequestHeaders {
	h := abstractions.NewRequestHeaders()
	h.Add("Prefer", `IdType="ImmutableId"`, `outlook.timezone="UTC"`, `outlook.body-content-type="html"`)
	return h
}

func stamp(t time.Time) *string {
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

func (p *Provider) enter(ctx context.Context, mailbox string) (leave func(), err error) {
	name := strings.ToLower(strings.TrimSpace(mailbox))
	if name == "" || name == "." || name == ".." {
		return nil, fail(mailbox, calendar.ErrNotFound, "Give the mail address of the room.")
	}
	p.mu.Lock()
	g := p.gates[name]
	if g == nil {
		g = &gate{slots: make(chan struct{}, perMailbox)}
		p.gates[name] = g
	}
	g.users++
	p.mu.Unlock()
	drop := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if g.users--; g.users == 0 {
			delete(p.gates, name)
		}
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; drop() }, nil
	case <-ctx.Done():
		drop()
		return nil, fail(mailbox, ctx.Err(), "")
	}
}

func fail(mailbox string, err error, fix string) error {
	return &calendar.Error{Op: "read calendar", Mailbox: mailbox, Err: err, Fix: fix}
}

// expired reports whether an answer means that a delta link is not known any
// more: 410, or 400 and 404 with the codes of it.
func expired(err error) bool {
	var e *odataerrors.ODataError
	if !errors.As(err, &e) {
		return false
	}
	c := strings.ToLower(code(e))
	state := strings.Contains(c, "syncstate") || strings.Contains(c, "resync")
	return e.ResponseStatusCode == http.StatusGone || e.ResponseStatusCode == http.StatusBadRequest || e.ResponseStatusCode == http.StatusNotFound && state
}

func code(e *odataerrors.ODataError) string {
	if m := e.GetErrorEscaped(); m != nil {
		return value(m.GetCode())
	}
	return ""
}

// failure makes an Error of one of the client's.
func (p *Provider) failure(ctx context.Context, mailbox string, err error) error {
	if ctx.Err() != nil {
		return fail(mailbox, ctx.Err(), "")
	}
	var api abstractions.ApiErrorable
	if !errors.As(err, &api) || api.GetStatusCode() == 0 {
		if strings.Contains(err.Error(), "AADSTS") {
			return fail(mailbox, fmt.Errorf("%w: %w", calendar.ErrUnauthorized, err), "Check the tenant, the client ID, its credential, and that an administrator has consented.")
		}
		return fail(mailbox, fmt.Errorf("%w: %w", calendar.ErrUnavailable, err), "Check the network and the proxy.")
	}
	out := &calendar.Error{Op: "read calendar", Mailbox: mailbox}
	kind := calendar.ErrUnavailable
	switch api.GetStatusCode() {
	case http.StatusUnauthorized:
		kind, out.Fix = calendar.ErrUnauthorized, "Check that the credential is for the cloud and tenant of the mailbox, and that this machine's clock is right."
	case http.StatusForbidden:
		kind, out.Fix = calendar.ErrForbidden, "Consent to Calendars.Read for the app, and put the mailbox into the scope of its application access policy or RBAC role; a change can take two hours."
	case http.StatusNotFound:
		kind, out.Fix = calendar.ErrNotFound, "Check the address, and that the mailbox is in Exchange Online and has a licence if it needs one."
	case http.StatusTooManyRequests:
		kind = calendar.ErrThrottled
	}
	detail := strconv.Itoa(api.GetStatusCode())
	var e *odataerrors.ODataError
	if errors.As(err, &e) && code(e) != "" {
		detail += " " + code(e)
	}
	out.Err = fmt.Errorf("%w: Graph answered %s", kind, detail)
	if h := api.GetResponseHeaders(); h != nil {
		for _, after := range h.Get("Retry-After") {
			if s, err := strconv.ParseUint(after, 10, 31); err == nil {
				out.RetryAfter = time.Duration(s) * time.Second //nolint:gosec // 31 bits
			} else if t, err := http.ParseTime(after); err == nil {
				out.RetryAfter = max(0, time.Until(t))
			}
		}
	}
	return out
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// text returns the name of a value of an enumeration.
func text[T fmt.Stringer](p *T) string {
	if p == nil {
		return ""
	}
	return (*p).String()
}
