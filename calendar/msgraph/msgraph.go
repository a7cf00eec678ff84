// Package msgraph reads the calendars of Microsoft 365 rooms over Microsoft
// Graph, on net/http alone.
//
//	cred, err := azidentity.NewClientSecretCredential(tenant, client, secret, nil)
//	…
//	rooms := msgraph.New(cred, nil)
//	events, err := rooms.Events(ctx, "fjord@example.com", calendar.Window{From: from, To: to})
//
// The app needs the application permission Calendars.Read and nothing else.
// Grants add up: an app that holds Calendars.Read for the whole tenant in Entra
// reads every mailbox, also if RBAC for Applications in Exchange grants it a
// few rooms only. Remove the grant in Entra to make the scope count.
//
// The package reads calendarView. It has no delta queries, no change
// notifications, no admin consent and no daily quota of requests, and does not
// repeat a request that fails: Error.RetryAfter says when the caller may.
package msgraph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/graphjson"
)

// The addresses of Graph in Microsoft's clouds, for Options.BaseURL. A
// credential must be made for the authority of the same cloud. Source:
// https://learn.microsoft.com/graph/deployments.
const (
	Global  = "https://graph.microsoft.com"
	GCCHigh = "https://graph.microsoft.us"
	DoD     = "https://dod-graph.microsoft.us"
	China   = "https://microsoftgraph.chinacloudapi.cn"
)

const (
	maxPages   = 100      // of 100 events: no room has that many in a window
	maxAnswer  = 64 << 20 // bytes of one page
	perMailbox = 4        // requests at once that Outlook accepts for a mailbox
	fields     = "id,iCalUId,seriesMasterId,type,changeKey,lastModifiedDateTime,subject,organizer,isOrganizer," +
		"start,end,isAllDay,isCancelled,showAs,sensitivity,responseStatus,location,locations,body,bodyPreview," +
		"onlineMeeting,onlineMeetingUrl"
)

// Options changes how a Provider works. The zero value is usable.
type Options struct {
	// BaseURL is where Graph is, without a version. The default is [Global].
	BaseURL string
	// Transport carries the requests; set its Proxy to go through one. The
	// default is [http.DefaultTransport].
	Transport http.RoundTripper
	// Timeout is for one request. The default is 30 s.
	Timeout time.Duration
}

// Provider is a [calendar.Provider]. It is safe for concurrent use.
type Provider struct {
	cred   azcore.TokenCredential
	base   *url.URL
	bad    error // why base cannot be used
	client *http.Client

	mu    sync.Mutex
	gates map[string]*gate
}

// gate limits the requests of one mailbox; it is dropped when nobody uses it.
type gate struct {
	slots chan struct{}
	users int
}

var _ calendar.Provider = (*Provider)(nil)

// New returns a provider that authenticates with cred, such as a credential of
// azidentity. It makes no request.
func New(cred azcore.TokenCredential, opts *Options) *Provider {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.BaseURL = cmp.Or(o.BaseURL, Global)
	p := &Provider{cred: cred, gates: map[string]*gate{}}
	p.base, p.bad = url.Parse(strings.TrimRight(o.BaseURL, "/"))
	if p.bad == nil && (p.base.Scheme != "https" && p.base.Scheme != "http" || p.base.Host == "") {
		p.bad = fmt.Errorf("the base URL %q is not an http(s) address", o.BaseURL)
	}
	p.client = &http.Client{
		Transport: o.Transport,
		Timeout:   cmp.Or(o.Timeout, 30*time.Second),
		// A redirect could take the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

// CheckAccess says whether the calendar of mailbox can be read: nil, or an
// error that says what an administrator can do.
func (p *Provider) CheckAccess(ctx context.Context, mailbox string) error {
	now := time.Now()
	_, err := p.Events(ctx, mailbox, calendar.Window{From: now, To: now.Add(time.Minute)})
	var partial *calendar.PartialError
	if errors.As(err, &partial) {
		return nil
	}
	return err
}

// Events implements [calendar.Provider].
func (p *Provider) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	if p.bad != nil {
		return nil, failure(mailbox, p.bad, "Correct the address of Graph in the configuration.")
	}
	if m := strings.TrimSpace(mailbox); m == "" || m == "." || m == ".." {
		return nil, failure(mailbox, calendar.ErrNotFound, "Give the mail address of the room.")
	}
	leave, err := p.enter(ctx, strings.ToLower(mailbox))
	if err != nil {
		return nil, failure(mailbox, err, "")
	}
	defer leave()

	next := p.base.JoinPath("v1.0", "users", url.PathEscape(mailbox), "calendarView")
	next.RawQuery = url.Values{
		"startDateTime": {w.From.UTC().Format(time.RFC3339Nano)},
		"endDateTime":   {w.To.UTC().Format(time.RFC3339Nano)},
		"$select":       {fields},
		"$top":          {"100"},
	}.Encode()
	byID := map[string]calendar.Event{}
	seen := map[string]bool{}
	var bad []calendar.EventError
	for {
		if seen[next.String()] || len(seen) == maxPages {
			return nil, failure(mailbox, fmt.Errorf("%w: Graph's pages do not end", calendar.ErrUnavailable), "")
		}
		seen[next.String()] = true
		page, err := p.page(ctx, mailbox, next)
		if err != nil {
			return nil, err
		}
		for _, raw := range page.Value {
			e, err := graphjson.Decode(raw)
			switch {
			case err == nil && (e.ID == "" || e.Start.IsZero() || e.End.IsZero()):
				err = errors.New("the event has no id, start or end")
				fallthrough
			case err != nil:
				bad = append(bad, calendar.EventError{ID: e.ID, UID: e.UID, Err: err})
			case w.Overlaps(e.Start, e.End):
				byID[e.ID] = e
			}
		}
		if page.Next == "" {
			break
		}
		if next, err = url.Parse(page.Next); err != nil || next.Scheme != p.base.Scheme || next.Host != p.base.Host {
			return nil, failure(mailbox, fmt.Errorf("%w: the next page is not at %s", calendar.ErrUnavailable, p.base.Host), "")
		}
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

type page struct {
	Value []json.RawMessage `json:"value"`
	Next  string            `json:"@odata.nextLink"`
}

func (p *Provider) page(ctx context.Context, mailbox string, at *url.URL) (*page, error) {
	token, err := p.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{p.base.Scheme + "://" + p.base.Host + "/.default"}})
	if err != nil {
		return nil, tokenError(ctx, mailbox, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, failure(mailbox, err, "")
	}
	req.Header.Set("Authorization", "Bearer "+token.Token)
	req.Header.Add("Prefer", `IdType="ImmutableId"`)
	req.Header.Add("Prefer", `outlook.timezone="UTC"`)
	req.Header.Add("Prefer", `outlook.body-content-type="html"`)
	res, err := p.client.Do(req)
	if err != nil {
		return nil, failure(mailbox, fmt.Errorf("%w: %w", calendar.ErrUnavailable, err), "Check the network and the proxy.")
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, failure(mailbox, fmt.Errorf("%w: %w", calendar.ErrUnavailable, err), "")
	}
	if res.StatusCode != http.StatusOK {
		return nil, statusError(mailbox, res, body)
	}
	var out page
	if len(body) > maxAnswer {
		return nil, failure(mailbox, fmt.Errorf("%w: a page is larger than %d bytes", calendar.ErrUnavailable, maxAnswer), "")
	}
	if err := json.Unmarshal(body, &out); err != nil || out.Value == nil {
		return nil, failure(mailbox, fmt.Errorf("%w: the answer is not a list of events", calendar.ErrUnavailable), "Check that no proxy answers in the place of Graph.")
	}
	return &out, nil
}

func (p *Provider) enter(ctx context.Context, mailbox string) (leave func(), err error) {
	p.mu.Lock()
	g := p.gates[mailbox]
	if g == nil {
		g = &gate{slots: make(chan struct{}, perMailbox)}
		p.gates[mailbox] = g
	}
	g.users++
	p.mu.Unlock()
	drop := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if g.users--; g.users == 0 {
			delete(p.gates, mailbox)
		}
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; drop() }, nil
	case <-ctx.Done():
		drop()
		return nil, ctx.Err()
	}
}

func failure(mailbox string, err error, fix string) error {
	return &calendar.Error{Op: "read calendar", Mailbox: mailbox, Err: err, Fix: fix}
}

// tokenFixes are for the codes of Entra. Source:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
var tokenFixes = []struct{ code, fix string }{
	{"AADSTS7000222", "The client secret has expired: make a new one in the app registration and configure it."},
	{"AADSTS7000215", "The client secret is wrong: configure the secret's value, not its ID."},
	{"AADSTS700016", "The app is not known in this tenant: check the client ID and tenant, and that an administrator has consented."},
	{"AADSTS90002", "There is no such tenant: check the tenant ID."},
	{"AADSTS700024", "The certificate's assertion is not valid at this time: set this machine's clock."},
}

func tokenError(ctx context.Context, mailbox string, err error) error {
	if ctx.Err() != nil {
		return failure(mailbox, ctx.Err(), "")
	}
	for _, f := range tokenFixes {
		// The colon ends the code: one may be the start of another.
		if strings.Contains(err.Error(), f.code+":") {
			return failure(mailbox, fmt.Errorf("%w: Entra answered %s", calendar.ErrUnauthorized, f.code), f.fix)
		}
	}
	if strings.Contains(err.Error(), "AADSTS") {
		return failure(mailbox, fmt.Errorf("%w: %w", calendar.ErrUnauthorized, err), "Check the tenant, the client ID and the credential.")
	}
	return failure(mailbox, fmt.Errorf("%w: no token: %w", calendar.ErrUnavailable, err), "Check that Entra can be reached.")
}

func statusError(mailbox string, res *http.Response, body []byte) error {
	var answer struct {
		Error struct{ Code string } `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // without a code there is still the status
	e := &calendar.Error{Op: "read calendar", Mailbox: mailbox}
	kind := calendar.ErrUnavailable
	switch code := res.StatusCode; {
	case code == http.StatusUnauthorized:
		kind, e.Fix = calendar.ErrUnauthorized, "Check that the credential is for the cloud and tenant of the mailbox, and that this machine's clock is right."
	case code == http.StatusForbidden:
		kind, e.Fix = calendar.ErrForbidden, "Consent to Calendars.Read for the app, and put the mailbox into the scope of its application access policy or RBAC role; a change can take two hours."
	case code == http.StatusNotFound:
		kind, e.Fix = calendar.ErrNotFound, "Check the address, and that the mailbox is in Exchange Online and has a licence if it needs one."
	case code == http.StatusTooManyRequests:
		kind = calendar.ErrThrottled
	}
	e.Err = fmt.Errorf("%w: Graph answered %s", kind, strings.TrimSpace(strconv.Itoa(res.StatusCode)+" "+answer.Error.Code))
	after := res.Header.Get("Retry-After")
	if s, err := strconv.ParseUint(after, 10, 31); err == nil {
		e.RetryAfter = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(after); err == nil {
		e.RetryAfter = max(0, time.Until(t))
	}
	return e
}
