package ics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
)

// FeedOptions change how a feed is read. The zero value is the default.
type FeedOptions struct {
	Options
	// Transport sends the requests. The default is [http.DefaultTransport],
	// which checks certificates by the system's roots.
	Transport http.RoundTripper
	// Timeout bounds a request with its redirects and body. The default is 30 s.
	Timeout time.Duration
	// MaxRedirects bounds the redirects of a request. The default is 3; a
	// negative number allows none.
	MaxRedirects int
	// AllowHTTP allows addresses without encryption.
	AllowHTTP bool
	// CacheBytes bounds what is kept so that an unchanged calendar need not be
	// sent again. The default is 64 MiB; a negative number keeps nothing.
	CacheBytes int64
}

// Feed is the provider over calendars that are published on the web. It is safe
// for concurrent use.
//
// It asks for a calendar with ETag and If-Modified-Since, so that one that has
// not changed is not sent again. Errors name the host of an address and not the
// rest, which is a secret with many publishers.
type Feed struct {
	url    func(mailbox string) string
	opts   FeedOptions
	client http.Client

	mu    sync.Mutex
	kept  map[string]*answer // by address
	bytes int64
}

// answer is a calendar as it was sent.
type answer struct {
	etag, modified string
	body           []byte
	used           time.Time
}

var _ calendar.Provider = (*Feed)(nil)

// NewFeed returns a provider. The function returns the address of a mailbox's
// calendar, and "" for a mailbox that has none; it is called from several
// goroutines. The opts may be nil.
func NewFeed(address func(mailbox string) string, opts *FeedOptions) *Feed {
	f := &Feed{url: address, kept: make(map[string]*answer)}
	if opts != nil {
		f.opts = *opts
	}
	f.opts.Options = f.opts.Options.defaults()
	if f.opts.Timeout <= 0 {
		f.opts.Timeout = 30 * time.Second
	}
	if f.opts.MaxRedirects == 0 {
		f.opts.MaxRedirects = 3
	}
	if f.opts.CacheBytes == 0 {
		f.opts.CacheBytes = 64 << 20
	}
	f.client = http.Client{
		Transport: f.opts.Transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > f.opts.MaxRedirects {
				return fmt.Errorf("more than %d redirects", max(0, f.opts.MaxRedirects))
			}
			if err := f.check(req.URL); err != nil {
				return err
			}
			if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return errors.New("redirected from https to http")
			}
			return nil
		},
	}
	return f
}

// Events implements [calendar.Provider].
func (f *Feed) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(mailbox, err)
	}
	address := f.url(mailbox)
	if address == "" {
		return nil, failure(mailbox, calendar.ErrNotFound)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, failure(mailbox, errors.New("the address of the calendar is not valid"))
	}
	if u.Scheme == "webcal" {
		u.Scheme = "https"
	}
	if err := f.check(u); err != nil {
		return nil, failure(mailbox, err)
	}
	body, err := f.get(ctx, mailbox, u)
	if err != nil {
		return nil, err
	}
	cal, err := Decode(contextReader{ctx, bytes.NewReader(body)}, &f.opts.Options)
	if err != nil {
		return nil, failure(mailbox, fmt.Errorf("%s: %w", u.Host, err))
	}
	return cal.Events(ctx, mailbox, w)
}

// check refuses addresses that no request may go to.
func (f *Feed) check(u *url.URL) error {
	switch {
	case u.Host == "":
		return errors.New("the address of the calendar has no host")
	case u.Scheme == "https", u.Scheme == "http" && f.opts.AllowHTTP:
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("the address of the calendar at %s is not encrypted: use https, or allow http", u.Host)
	}
	return fmt.Errorf("the address of the calendar has the scheme %q: use https", u.Scheme)
}

// get returns the calendar at u.
func (f *Feed) get(ctx context.Context, mailbox string, u *url.URL) ([]byte, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	fail := func(err error) error {
		err = webaddr.Cause(err)
		if parent.Err() != nil {
			return failure(mailbox, fmt.Errorf("%s: %w", u.Host, parent.Err()))
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("no whole answer within %v", f.opts.Timeout)
		}
		return failure(mailbox, fmt.Errorf("%s: %w: %w", u.Host, calendar.ErrUnavailable, err))
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, failure(mailbox, errors.New("the address of the calendar is not valid"))
	}
	req.Header.Set("Accept", "text/calendar, */*;q=0.1")
	req.Header.Set("User-Agent", "onetouchjoin")
	old := f.lookup(u.String())
	if old != nil {
		if old.etag != "" {
			req.Header.Set("If-None-Match", old.etag)
		}
		if old.modified != "" {
			req.Header.Set("If-Modified-Since", old.modified)
		}
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fail(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && old != nil:
		return old.body, nil
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(mailbox, u.Host, resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.opts.MaxBytes+1))
	if err != nil {
		return nil, fail(err)
	}
	if int64(len(body)) > f.opts.MaxBytes {
		return nil, failure(mailbox, fmt.Errorf("%s: the calendar is larger than %d bytes", u.Host, f.opts.MaxBytes))
	}
	f.keep(u.String(), &answer{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), body, time.Now()})
	return body, nil
}

// statusError returns the error for an answer that is no calendar.
func statusError(mailbox, host string, resp *http.Response) error {
	out := &calendar.Error{Op: "read calendar", Mailbox: mailbox}
	var cause error
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		cause = calendar.ErrUnauthorized
		out.Fix = "Take a new address of the calendar from its publisher"
	case code == http.StatusForbidden:
		cause = calendar.ErrForbidden
		out.Fix = "Take a new address of the calendar from its publisher"
	case code == http.StatusNotFound, code == http.StatusGone:
		cause = calendar.ErrNotFound
		out.Fix = "Correct the mailbox's address, or take a new address of the calendar from its publisher"
	case code == http.StatusTooManyRequests:
		cause = calendar.ErrThrottled
		out.Fix = "Wait: it is read again by itself"
	default:
		cause = calendar.ErrUnavailable
	}
	if errors.Is(cause, calendar.ErrThrottled) || errors.Is(cause, calendar.ErrUnavailable) {
		out.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	out.Err = fmt.Errorf("%s answers %s: %w", host, resp.Status, cause)
	return out
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110,
// section 10.2.3). More than a day is taken as a day.
func retryAfter(s string, now time.Time) time.Duration {
	var d time.Duration
	if sec, err := strconv.Atoi(s); err == nil {
		d = time.Duration(min(max(sec, 0), 86400)) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}

func (f *Feed) lookup(address string) *answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.kept[address]
	if a != nil {
		a.used = time.Now()
	}
	return a
}

// keep stores an answer, in the place of those that were not used for longest.
func (f *Feed) keep(address string, a *answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.kept[address]; old != nil {
		f.bytes -= int64(len(old.body))
		delete(f.kept, address)
	}
	size := int64(len(a.body))
	if a.etag == "" && a.modified == "" || size > f.opts.CacheBytes {
		return
	}
	for f.bytes+size > f.opts.CacheBytes {
		var oldest string
		for k, v := range f.kept {
			if oldest == "" || v.used.Before(f.kept[oldest].used) {
				oldest = k
			}
		}
		f.bytes -= int64(len(f.kept[oldest].body))
		delete(f.kept, oldest)
	}
	f.kept[address] = a
	f.bytes += size
}
