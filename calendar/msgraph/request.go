package msgraph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// request is one request to Graph. Everything that this package asks of Graph
// goes through [Provider.send] or [Provider.sendAll], which keep to the limits.
type request struct {
	op      string   // what is tried, as [calendar.Error] has it
	mailbox string   // whose data it is about; "" for nobody's
	method  string   // "" is GET
	url     string   // what follows the version, with a slash, or a whole link that Graph gave
	prefer  []string // preferences (RFC 7240)
	body    any      // is sent as JSON; nil sends none
	out     any      // takes the JSON of the answer; nil takes none
	parts   int      // of a batch; 0 is no batch
}

// cost is the number of requests that Graph counts.
func (r *request) cost() int { return max(1, r.parts) }

const (
	version   = "/v1.0"
	maxAnswer = 64 << 20 // bytes
	// patience is how long a request waits for a limit. Who has to wait longer
	// gets an error with the time, and does not hold up others.
	patience = 5 * time.Second
	// tries is how often a request is sent for which Graph itself says that it
	// may be repeated, and soon. Any other failure is for the caller to judge.
	tries = 3
)

// send sends a request. It waits until the mailbox, the tenant and the quota have
// room, and returns a [*calendar.Error] if that is too far off or it fails.
func (p *Provider) send(ctx context.Context, r *request) error {
	if p.bad != nil {
		return p.fail(r, p.bad, "Correct the configuration.")
	}
	target, err := p.resolve(r)
	if err != nil {
		return err
	}
	b := p.box(r.mailbox)
	if err := b.gate.enter(ctx, 1); err != nil {
		return p.fail(r, err, "")
	}
	defer b.gate.leave(1)
	for try := 1; ; try++ {
		if err = p.once(ctx, r, b, target); err == nil || try == tries || !again(err) {
			return err
		}
	}
}

// again reports whether Graph has said when the same request may be sent, and
// that is soon.
func again(err error) bool {
	var ce *calendar.Error
	var g *Refusal
	return errors.As(err, &ce) && ce.RetryAfter > 0 && ce.RetryAfter <= patience && errors.As(err, &g) && g.Status != 0
}

// once sends a request of a mailbox whose gate was passed.
func (p *Provider) once(ctx context.Context, r *request, b *box, target string) error {
	if err := p.await(ctx, r, b); err != nil {
		return err
	}
	defer p.pace.gate.leave(1)
	sent := time.Now()
	a, err := p.exchange(ctx, r, target)
	if err != nil {
		return err
	}
	defer release(a.buf)
	refusal := p.judge(r, b, a.status, a.header, a.buf.Bytes())
	p.pace.answered(sent, errors.Is(refusal, calendar.ErrThrottled))
	if refusal != nil {
		return refusal
	}
	return p.decode(r, a.buf.Bytes())
}

// await waits until a request about some mailboxes may be sent, and enters the
// tenant's gate.
func (p *Provider) await(ctx context.Context, r *request, boxes ...*box) error {
	later := func(wait time.Duration, why string) error {
		e := p.fail(r, fmt.Errorf("%w: %s", calendar.ErrThrottled, why), "")
		e.RetryAfter = wait
		return e
	}
	until := p.pace.pausedUntil()
	for _, b := range boxes {
		if t := b.pausedUntil(); t.After(until) {
			until = t
		}
	}
	if wait := time.Until(until); wait > 0 {
		if wait > patience || !inTime(ctx, wait) {
			return later(wait, "Graph has asked to wait")
		}
		if err := sleep(ctx, wait); err != nil {
			return p.fail(r, err, "")
		}
	}
	if err := p.pace.gate.enter(ctx, 1); err != nil {
		return p.fail(r, err, "")
	}
	wait, ok := p.budget.take(r.cost(), patience)
	switch {
	case !ok:
		p.pace.gate.leave(1)
		return later(wait, fmt.Sprintf("the quota of %d requests a day is used up for now", p.budget.perDay))
	case wait > 0:
		if err := sleep(ctx, wait); err != nil {
			p.budget.giveBack(r.cost())
			p.pace.gate.leave(1)
			return p.fail(r, err, "")
		}
	}
	return nil
}

// inTime reports whether ctx will last for a wait.
func inTime(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}

// resolve makes the whole address of a request. Links that lead to another host
// are refused: the token would go there.
func (p *Provider) resolve(r *request) (string, error) {
	base := p.base.String() + version
	if strings.HasPrefix(r.url, "/") {
		return base + r.url, nil
	}
	u, err := url.Parse(r.url)
	if err != nil || u.Scheme != p.base.Scheme || u.Host != p.base.Host || u.User != nil || !strings.HasPrefix(u.Path, p.base.Path+version+"/") {
		return "", p.fail(r, fmt.Errorf("%w: a link of Graph's does not lead to %s", calendar.ErrUnavailable, p.base.Host), "Check that no proxy changes Graph's answers.")
	}
	return u.String(), nil
}

// answer is what came back. The buffer goes back by release.
type answer struct {
	status int
	header http.Header
	buf    *bytes.Buffer
}

// exchange sends a request and reads the answer. A token that was refused is
// fetched anew, once.
func (p *Provider) exchange(ctx context.Context, r *request, target string) (answer, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return answer{}, p.fail(r, err, "")
		}
	}
	token, fresh, err := p.tokens.get(ctx, "")
	if err != nil {
		return answer{}, p.tokenError(ctx, r, err)
	}
	a, err := p.roundTrip(ctx, r, target, token, body)
	if err != nil || a.status != http.StatusUnauthorized || fresh {
		return a, err
	}
	if next, _, err := p.tokens.get(ctx, token); err == nil && next != token {
		if _, ok := p.budget.take(r.cost(), 0); ok {
			release(a.buf)
			return p.roundTrip(ctx, r, target, next, body)
		}
	}
	return a, nil
}

func (p *Provider) roundTrip(ctx context.Context, r *request, target, token string, body []byte) (answer, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	limited, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, cmp.Or(r.method, http.MethodGet), target, content)
	if err != nil {
		return answer{}, p.fail(r, err, "")
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	req.Header["Accept"] = []string{"application/json"}
	req.Header["User-Agent"] = []string{"onetouchjoin"}
	if len(r.prefer) > 0 {
		req.Header["Prefer"] = r.prefer
	}
	if body != nil {
		req.Header["Content-Type"] = []string{"application/json"}
	}
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, p.networkError(ctx, r, err)
	}
	defer res.Body.Close()
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	if n := res.ContentLength; n > 0 && n <= maxAnswer {
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		release(buf)
		return answer{}, p.networkError(ctx, r, err)
	}
	if buf.Len() > maxAnswer {
		return answer{}, p.fail(r, fmt.Errorf("%w: an answer is larger than %d bytes", calendar.ErrUnavailable, maxAnswer), "")
	}
	p.clock.saw(res.Header)
	return answer{res.StatusCode, res.Header, buf}, nil
}

// buffers are used again: a page of events is megabytes, and what is decoded
// from it does not point into it.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func release(b *bytes.Buffer) {
	if b.Cap() <= 4<<20 {
		buffers.Put(b)
	}
}

// judge makes an error of an answer that is none that was asked for, and takes
// note of how long to wait.
func (p *Provider) judge(r *request, b *box, status int, h http.Header, body []byte) error {
	if status/100 == 2 {
		return nil
	}
	err := p.statusError(r, status, h, body)
	if err.RetryAfter > 0 {
		until := time.Now().Add(err.RetryAfter)
		if r.mailbox == "" {
			p.pace.pauseUntil(until)
		} else {
			b.pauseUntil(until)
		}
	}
	return err
}

func (p *Provider) decode(r *request, body []byte) error {
	if r.out == nil {
		return nil
	}
	var err error
	if g, ok := r.out.(*page); ok {
		err = g.parse(body)
	} else {
		err = json.Unmarshal(body, r.out)
	}
	if err != nil {
		return p.fail(r, fmt.Errorf("%w: the answer is not what was asked for", calendar.ErrUnavailable), "Check that no proxy answers in the place of Graph.")
	}
	return nil
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(h http.Header) time.Duration {
	after := h.Get("Retry-After")
	if s, err := strconv.ParseUint(after, 10, 31); err == nil {
		return time.Duration(s) * time.Second //nolint:gosec // 31 bits
	}
	if t, err := http.ParseTime(after); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

func (p *pace) pausedUntil() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause
}

func (p *pace) pauseUntil(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.After(p.pause) {
		p.pause = t
	}
}

// tokens keeps the access token between requests: a credential need not.
type tokens struct {
	cred  azcore.TokenCredential
	scope string
	turn  chan struct{} // holds one: only one caller asks the credential

	mu     sync.Mutex
	token  azcore.AccessToken
	failed error // the last answer, for a short time
	until  time.Time
}

const (
	// early is how long before its end a token is replaced.
	early = 5 * time.Minute
	// grace is how long a refusal counts: thousands of calendars must not ask
	// Entra thousands of times. It is longer where Entra asks for that.
	grace = 3 * time.Second
)

// get returns a token other than bad, and whether it was fetched just now.
func (t *tokens) get(ctx context.Context, bad string) (token string, fresh bool, err error) {
	have := func() (string, error, bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := time.Now()
		if t.failed != nil && now.Before(t.until) {
			return "", t.failed, true
		}
		k := t.token
		return k.Token, nil, k.Token != "" && k.Token != bad && now.Before(k.ExpiresOn.Add(-early)) && (k.RefreshOn.IsZero() || now.Before(k.RefreshOn))
	}
	if token, err, ok := have(); ok {
		return token, false, err
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
	if token, err, ok := have(); ok {
		return token, false, err
	}
	got, err := t.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{t.scope}})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			t.failed, t.until = err, time.Now().Add(grace)
			if ref, _ := entraRefusal(err); ref != nil {
				t.until = time.Now().Add(max(grace, ref.wait))
			}
		}
		return "", false, err
	}
	t.token, t.failed = got, nil
	return got.Token, true, nil
}

// pause is how long the credential will not be asked, because of its last answer.
func (t *tokens) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, time.Until(t.until))
}

// current returns the token that was fetched last, or "".
func (t *tokens) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token.Token
}
