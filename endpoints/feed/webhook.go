package feed

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The headers of a webhook. The timestamp is in seconds since 1970; the
// signature is the lower-case hex HMAC-SHA256 of the timestamp, a full stop and
// the body.
const (
	TimestampHeader = "OTJ-Timestamp"
	SignatureHeader = "OTJ-Signature"
)

// WebhookOptions change a webhook.
type WebhookOptions struct {
	// Name is the room's, in errors and in the body. Default the host of the URL.
	Name string
	// Client sends the requests. Default one with a time limit of 10 seconds
	// that follows no redirects.
	Client *http.Client
	// Retries is how often a push is repeated after 429 or 5xx. Default 2;
	// negative is never.
	Retries int
	// Wait is the pause before the first retry; each further one is twice as
	// long. Where the receiver asks for a longer one, Show returns ErrBusy
	// instead of waiting. Default 1 second.
	Wait time.Duration
	// Dials are the schemes of addresses that the room is given. Default sip,
	// sips and h323.
	Dials []rules.Scheme
	// AllowHTTP permits a URL without TLS: titles and addresses can then be read
	// on the way.
	AllowHTTP bool
}

// Webhook is an endpoint that posts the full list of a room's meetings, which
// replaces the last one, to a URL. It is safe for concurrent use.
type Webhook struct {
	url  string
	key  calendar.Secret
	opts WebhookOptions
}

var _ otj.Endpoint = (*Webhook)(nil)

// Push is the body of a webhook.
type Push struct {
	Room     string    `json:"room"`
	Meetings []Meeting `json:"meetings"`
}

// NewWebhook returns a webhook to address, signed with key, which both sides
// know and which has 16 bytes or more.
func NewWebhook(address string, key calendar.Secret, opts *WebhookOptions) (*Webhook, error) {
	h := &Webhook{url: address, key: key}
	if opts != nil {
		h.opts = *opts
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("feed: the webhook's URL is none; write it as https://host/path")
	case u.User != nil:
		return nil, errors.New("feed: the webhook's URL must hold no password; the signature is the proof")
	case u.Scheme != "https" && (u.Scheme != "http" || !h.opts.AllowHTTP):
		return nil, errors.New("feed: the webhook's URL must be https, unless AllowHTTP is set")
	case len(key) < 16:
		return nil, errors.New("feed: the webhook's key must have 16 bytes or more")
	}
	if h.opts.Name == "" {
		h.opts.Name = u.Hostname()
	}
	if h.opts.Client == nil {
		h.opts.Client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if h.opts.Retries == 0 {
		h.opts.Retries = 2
	}
	if h.opts.Wait <= 0 {
		h.opts.Wait = time.Second
	}
	h.opts.Dials = slices.Clone(h.opts.Dials)
	if h.opts.Dials == nil {
		h.opts.Dials = []rules.Scheme{rules.SIP, rules.SIPS, rules.H323}
	}
	return h, nil
}

// Dials reports whether a's scheme is one of WebhookOptions.Dials.
func (h *Webhook) Dials(a rules.Address) bool {
	return !a.IsZero() && slices.Contains(h.opts.Dials, a.Scheme)
}

// Show posts meetings. Each retry has a new timestamp and signature.
func (h *Webhook) Show(ctx context.Context, meetings []otj.Meeting) error {
	p := Push{Room: h.opts.Name, Meetings: []Meeting{}}
	for _, m := range meetings {
		p.Meetings = append(p.Meetings, fromMeeting(m))
	}
	body, err := json.Marshal(p)
	if err != nil {
		return &otj.EndpointError{Op: "push meetings", Endpoint: h.opts.Name, Err: err}
	}
	wait := h.opts.Wait
	for try := 0; ; try++ {
		again, err := h.push(ctx, body)
		if err == nil {
			return nil
		}
		if !again || try >= h.opts.Retries || err.RetryAfter > wait {
			return err
		}
		select {
		case <-ctx.Done():
			return &otj.EndpointError{Op: "push meetings", Endpoint: h.opts.Name, Err: ctx.Err()}
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// push posts body once and says whether it is worth trying again.
func (h *Webhook) push(ctx context.Context, body []byte) (again bool, _ *otj.EndpointError) {
	fault := func(err error) *otj.EndpointError {
		return &otj.EndpointError{Op: "push meetings", Endpoint: h.opts.Name, Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return false, fault(errors.New("the request cannot be made"))
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(TimestampHeader, at)
	r.Header.Set(SignatureHeader, hex.EncodeToString(sign(h.key, at, body)))
	w, err := h.opts.Client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return false, fault(ctx.Err())
		}
		return false, fault(fmt.Errorf("%w: %w", otj.ErrUnreachable, webaddr.Cause(err)))
	}
	_, _ = io.CopyN(io.Discard, w.Body, 4096)
	_ = w.Body.Close()
	e := fault(fmt.Errorf("status %d", w.StatusCode))
	if seconds, err := strconv.Atoi(w.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(min(seconds, 86400)) * time.Second
	}
	var kind error
	switch c := w.StatusCode; {
	case c >= 200 && c < 300:
		return false, nil
	case c == 429 || c == 503:
		again, kind = true, otj.ErrBusy
	case c >= 500:
		again, kind = true, otj.ErrUnreachable
	case c == 401 || c == 403:
		kind, e.Fix = otj.ErrUnauthorized, "Give both sides the same key and check their clocks."
	case c == 404 || c >= 300 && c < 400:
		kind, e.Fix = otj.ErrNotDevice, "Check the webhook's URL; redirects are not followed."
	default:
		kind = otj.ErrRejected
	}
	e.Err = fmt.Errorf("%w: status %d", kind, w.StatusCode)
	return again, e
}

func sign(key calendar.Secret, at string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(at))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return mac.Sum(nil)
}

// MaxSkew is how old, or how far in the future, a push may be for [Verify].
const MaxSkew = 5 * time.Minute

// Verify is for receivers: it checks the signature of a push and that it was
// made within MaxSkew of now. It is done in constant time.
//
// A push that is repeated within MaxSkew passes. To refuse it, a receiver keeps
// for each room the timestamp of the last push and ignores older ones: a push
// is the full list, so the same one again changes nothing.
func Verify(key calendar.Secret, header http.Header, body []byte, now time.Time) error {
	at := header.Get(TimestampHeader)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return errors.New("feed: the push has no timestamp")
	}
	got, err := hex.DecodeString(header.Get(SignatureHeader))
	if err != nil || len(key) < 16 || !hmac.Equal(got, sign(key, at, body)) {
		return errors.New("feed: the push has a wrong signature")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > MaxSkew || age < -MaxSkew {
		return errors.New("feed: the push is too old or from the future; check the clocks")
	}
	return nil
}
