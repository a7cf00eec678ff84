// Package client calls the control centre's HTTP API from Go programs.
//
//	c, err := client.New("https://otj.example.com", token, nil)
//	...
//	for s, err := range client.All(ctx, c.Systems(org)) {
//		...
//	}
//
// Objects are those of package control. An answer that is no success is a
// *[Problem]; errors.Is tells the common ones apart, with the errors of package
// control.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

// Options change a Client. The zero value is the default.
type Options struct {
	// HTTP makes the calls. Default one without a time limit of its own: the
	// context has it. It follows no redirects, which would take the token along.
	HTTP *http.Client
	// Retries is how often a call that changes nothing is repeated after 429 and
	// 503, with the pause that the server asks for or growing ones. Default 3;
	// negative is never.
	Retries int
	// UserAgent names the program. Default "onetouchjoin-client".
	UserAgent string
}

// Client calls the API of one control centre with one token. It is safe for
// concurrent use.
type Client struct {
	base  string
	token calendar.Secret
	opts  Options
}

// maxAnswer is the most bytes of an answer that are read.
const maxAnswer = 64 << 20

// New returns a client of the control centre at address, as in
// "https://otj.example.com". A token is made with POST /api/v1/tokens, or in the
// console.
func New(address string, token calendar.Secret, opts *Options) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("control client: the address is none; write it as https://host")
	case u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1"):
		return nil, errors.New("control client: the address has to begin with https:, since the token is sent there")
	}
	c := &Client{base: strings.TrimSuffix(address, "/") + "/api/v1", token: token}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.HTTP == nil {
		c.opts.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.opts.Retries == 0 {
		c.opts.Retries = 3
	}
	if c.opts.UserAgent == "" {
		c.opts.UserAgent = "onetouchjoin-client"
	}
	return c, nil
}

// Problem is an answer that is no success, as RFC 9457 has it.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	// Detail says what is wrong and what to do.
	Detail string `json:"detail"`
	// Errors name what is wrong with single fields.
	Errors []FieldProblem `json:"errors"`
	// After is how long to wait before the next call; 0 if nobody said.
	After time.Duration `json:"-"`
}

// FieldProblem is what is wrong with one field.
type FieldProblem struct {
	// Location is where it is, as in "body.host".
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error returns one line.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "control centre: %d: %s", p.Status, p.Detail)
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s", e.Location, e.Message)
	}
	return b.String()
}

// Is makes errors.Is true for the errors of package control that the status
// stands for.
func (p *Problem) Is(target error) bool {
	switch target {
	case control.ErrNotFound:
		return p.Status == http.StatusNotFound
	case control.ErrDenied:
		return p.Status == http.StatusForbidden
	case control.ErrExists:
		return p.Status == http.StatusConflict
	case control.ErrStale:
		return p.Status == http.StatusPreconditionFailed
	}
	return false
}

// call makes one call. In, unless nil, is sent as JSON, and the answer is put
// into out, unless that is nil. Path is below /api/v1, and its parts are escaped.
func (c *Client) call(ctx context.Context, method, path, etag string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("control centre: %s %s: %w", method, path, err)
		}
	}
	wait := time.Second
	for try := 0; ; try++ {
		err := c.once(ctx, method, path, etag, body, out)
		var p *Problem
		if err == nil || method != http.MethodGet || try >= c.opts.Retries || !errors.As(err, &p) ||
			p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("control centre: %s %s: %w", method, path, ctx.Err())
		case <-time.After(max(wait, p.After)):
		}
		wait *= 2
	}
}

func (c *Client) once(ctx context.Context, method, path, etag string, body []byte, out any) error {
	var payload io.Reader
	if body != nil {
		payload = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return fmt.Errorf("control centre: %s %s: %w", method, path, err)
	}
	r.Header.Set("Authorization", "Bearer "+string(c.token))
	r.Header.Set("User-Agent", c.opts.UserAgent)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	w, err := c.opts.HTTP.Do(r)
	if err != nil {
		return fmt.Errorf("control centre: %w", err)
	}
	defer w.Body.Close()
	data, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("control centre: %s %s: %w", method, path, err)
	case len(data) > maxAnswer:
		return fmt.Errorf("control centre: %s %s: the answer has more than %d bytes", method, path, maxAnswer)
	case w.StatusCode < 200 || w.StatusCode > 299:
		return problem(w, data)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = data
	default:
		if err := json.Unmarshal(data, out); err != nil {
			return fmt.Errorf("control centre: %s %s: the answer is not that of this API: %w", method, path, err)
		}
	}
	return nil
}

// problem reads an answer that is no success, from whomever it comes.
func problem(w *http.Response, data []byte) error {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(w.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(data, p) != nil {
		p = &Problem{Detail: "something else than the control centre answers; check the address"}
	}
	p.Status = w.StatusCode
	if s, err := strconv.Atoi(w.Header.Get("Retry-After")); err == nil && s > 0 {
		p.After = time.Duration(min(s, 3600)) * time.Second
	}
	return p
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// fetch is a call that returns what it gets.
func fetch[T any](ctx context.Context, c *Client, method, path, etag string, in any) (out T, err error) {
	err = c.call(ctx, method, path, etag, in, &out)
	return out, err
}

// items is a list as the API has it.
type items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
	Total int    `json:"total"`
}

// listed is a call whose answer is a list without pages.
func listed[T any](ctx context.Context, c *Client, method, path string, in any) ([]T, error) {
	l, err := fetch[items[T]](ctx, c, method, path, "", in)
	return l.Items, err
}
