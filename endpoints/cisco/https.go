package cisco

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 4 << 20

// httpLink calls a device over HTTPS, within a session.
type httpLink struct {
	base  string
	creds Credentials
	opts  *Options
	limit *rate.Limiter

	mu     sync.Mutex
	cookie string
	basic  bool // the device has no sessions
	fresh  bool // open has not said yet that there is a new session
	// client is there while the device is called, and a moment longer: for
	// thousands of devices that are called now and then it is too large to keep.
	client *http.Client
	idle   *time.Timer // ends the client; nil without one
}

// keepConnection is for how long the connection of a call waits for the next.
const keepConnection = 5 * time.Second

// basicRate is for devices without sessions: they take one call a second.
const basicRate = 0.9

// burst is how many calls may follow one another at once.
const burst = 8

func newHTTPLink(host string, creds Credentials, o *Options) *httpLink {
	return &httpLink{
		base:  "https://" + host,
		creds: creds,
		opts:  o,
		limit: rate.NewLimiter(rate.Limit(o.Rate), burst),
	}
}

// caller returns the client, and makes one if there is none.
func (l *httpLink) caller() *http.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil {
		l.client = newClient(l.opts)
	}
	return l.client
}

// rest lets the client go, unless there is another call soon.
func (l *httpLink) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.client == nil:
	case l.idle != nil:
		l.idle.Reset(keepConnection)
	default:
		l.idle = time.AfterFunc(keepConnection, l.drop)
	}
}

// drop lets the client go. A connection that is in use at this moment ends by
// itself.
func (l *httpLink) drop() {
	l.mu.Lock()
	client := l.client
	if l.idle != nil {
		l.idle.Stop()
	}
	l.client, l.idle = nil, nil
	l.mu.Unlock()
	if client != nil {
		client.CloseIdleConnections()
	}
}

// newClient returns one for a single device. The contexts of its calls bound how
// long they take.
func newClient(o *Options) *http.Client {
	return &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		DialContext:            o.Dial,
		TLSClientConfig:        tlsConfig(o),
		MaxIdleConns:           1,
		IdleConnTimeout:        keepConnection,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}}
}

// stay makes a client return a redirect in place of following it.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func tlsConfig(o *Options) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.CA}
	if len(o.pin) > 0 {
		pin := o.pin
		// The pin stands in place of the chain and of the name: a device signs
		// its own certificate.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return &errPinned{}
			}
			sum := sha256.Sum256(cs.PeerCertificates[0].Raw)
			if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
				return &errPinned{hex.EncodeToString(sum[:])}
			}
			return nil
		}
	}
	return c
}

// FingerprintOf returns the SHA-256 fingerprint of a certificate in the form
// that Options.Fingerprint takes.
func FingerprintOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func (l *httpLink) open(ctx context.Context) (fresh bool, err error) {
	if err := l.begin(ctx); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh, l.fresh = l.fresh, false
	return fresh, nil
}

// begin begins a session unless there is one.
func (l *httpLink) begin(ctx context.Context) error {
	l.mu.Lock()
	cookie, basic := l.cookie, l.basic
	l.mu.Unlock()
	if cookie != "" || basic {
		return nil
	}
	resp, _, err := l.roundTrip(ctx, http.MethodPost, "/xmlapi/session/begin", nil, true)
	var status *statusError
	switch {
	case errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusMethodNotAllowed):
		// Older software: every call says who calls. Whether this is a device at
		// all, the next call shows.
		l.mu.Lock()
		l.basic, l.fresh = true, true
		l.mu.Unlock()
		l.limit.SetLimit(basicRate)
		l.limit.SetBurst(1)
		return nil
	case err != nil:
		return err
	}
	for _, c := range resp.Cookies() {
		if (c.Name == "SecureSessionId" || c.Name == "SessionId") && c.Value != "" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if cookie == "" {
		return notDevice("no session cookie in the answer to /xmlapi/session/begin")
	}
	l.mu.Lock()
	l.cookie, l.fresh = cookie, true
	l.mu.Unlock()
	return nil
}

// sessions lets the next call try again whether the device has sessions.
func (l *httpLink) sessions() {
	l.mu.Lock()
	l.basic = false
	l.mu.Unlock()
	l.limit.SetLimit(rate.Limit(l.opts.Rate))
	l.limit.SetBurst(burst)
}

// forget drops the session.
func (l *httpLink) forget() {
	l.mu.Lock()
	l.cookie = ""
	l.mu.Unlock()
}

// end ends the session on the device, which keeps only a few.
func (l *httpLink) end(ctx context.Context) error {
	l.mu.Lock()
	cookie := l.cookie
	l.mu.Unlock()
	if cookie == "" {
		l.drop()
		return nil
	}
	_, _, err := l.roundTrip(ctx, http.MethodPost, "/xmlapi/session/end", nil, false)
	l.forget()
	l.drop()
	return err
}

// statusError is an answer with a status of HTTP that is no success.
type statusError struct {
	code int
	err  error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// call sends a request within the session, and begins another one once if the
// device has forgotten it.
func (l *httpLink) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for again := false; ; again = true {
		if err := l.begin(ctx); err != nil {
			return nil, err
		}
		l.mu.Lock()
		basic := l.basic
		l.mu.Unlock()
		_, data, err := l.roundTrip(ctx, method, path, body, basic)
		if errors.Is(err, otj.ErrUnauthorized) && !basic && !again {
			var s *statusError
			if !errors.As(err, &s) || s.code != http.StatusForbidden {
				l.forget()
				continue
			}
		}
		if basic && errors.Is(err, otj.ErrNotDevice) {
			l.sessions() // that there were no sessions was no word of the device
		}
		return data, err
	}
}

func (l *httpLink) roundTrip(ctx context.Context, method, path string, body []byte, login bool) (*http.Response, []byte, error) {
	if err := pace(ctx, l.limit); err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, l.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	// Every call may be made twice: a list replaces a list. The transport may then
	// do so where a connection from before turns out to be gone. Without a value
	// the header is not sent.
	req.Header["X-Idempotency-Key"] = nil
	if body != nil {
		req.Header.Set("Content-Type", "text/xml")
	}
	if login {
		user, password, err := l.creds.Credentials(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the credentials: %w", err)
		}
		req.SetBasicAuth(user, string(password))
	} else {
		l.mu.Lock()
		req.Header.Set("Cookie", l.cookie)
		l.mu.Unlock()
	}
	resp, err := l.caller().Do(req)
	if err != nil {
		return nil, nil, networkFault(ctx, webaddr.Cause(err)) // the caller says which device it is
	}
	defer resp.Body.Close()
	data, err := readAnswer(ctx, resp)
	if err != nil {
		return nil, nil, err
	}
	if err := httpFault(resp, data); err != nil {
		return nil, nil, &statusError{resp.StatusCode, err}
	}
	return resp, data, nil
}

// readAnswer reads the body of an answer, up to a bound.
func readAnswer(ctx context.Context, resp *http.Response) ([]byte, error) {
	var b bytes.Buffer
	n := resp.ContentLength
	if n < 0 {
		n = 4 << 10
	}
	b.Grow(int(min(n, 64<<10)) + bytes.MinRead) // as much as it says, and no more than is usual
	_, err := b.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(err, io.ErrUnexpectedEOF):
		return nil, cutOff(err)
	case err != nil:
		return nil, networkFault(ctx, err)
	case b.Len() > maxAnswer:
		return nil, tooLong()
	}
	return b.Bytes(), nil
}

// httpFault tells apart what a device, or something that is none, answers with
// when it does not do what it should.
func httpFault(resp *http.Response, data []byte) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return &fault{kind: otj.ErrUnauthorized, text: "status 401", fix: fixPassword}
	case code == http.StatusForbidden:
		return &fault{kind: otj.ErrUnauthorized, text: "status 403", fix: fixRole}
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		return busy(retryAfter(resp.Header), fmt.Sprintf("status %d", code))
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return &fault{kind: otj.ErrUnreachable, text: fmt.Sprintf("status %d: the device may be restarting", code), fix: fixReach}
	case code >= 300 && code < 400:
		if strings.Contains(resp.Header.Get("Location"), "/web/signin") {
			return &fault{kind: otj.ErrUnauthorized, text: "redirected to the sign-in page", fix: fixPassword}
		}
		return notDevice("status %d, a redirect", code)
	case code == http.StatusBadRequest:
		return &fault{kind: otj.ErrRejected, text: "status 400", fix: "The device does not understand the request: its software may be too old or too new"}
	case code >= 300:
		return notDevice("status %d", code)
	}
	if head := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 2048)])); bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) {
		if bytes.Contains(head, []byte("signin")) || bytes.Contains(head, []byte("sign in")) || bytes.Contains(head, []byte("password")) {
			return &fault{kind: otj.ErrUnauthorized, text: "a sign-in page in place of an answer", fix: fixPassword}
		}
		return notDevice("a web page in place of an answer")
	}
	return nil
}

// pace waits until the next call may be made.
func pace(ctx context.Context, l *rate.Limiter) error {
	r := l.Reserve()
	if sleep(ctx, r.Delay()); ctx.Err() != nil {
		r.Cancel()
		return ctx.Err()
	}
	return nil
}

// retryAfter reads how long to wait, at most an hour; 0 if nothing says.
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return min(time.Duration(min(n, 3600))*time.Second, time.Hour)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(t), 0), time.Hour)
	}
	return 0
}

func (l *httpLink) parse(data []byte) (*roomos.Node, error) {
	n, err := roomos.ParseXML(data)
	if err != nil {
		if errors.Is(err, roomos.ErrTruncated) {
			return nil, cutOff(err)
		}
		return nil, notDevice("%s", clean(err.Error()))
	}
	return n, nil
}

func (l *httpLink) command(ctx context.Context, c command) (*roomos.Node, error) {
	data, err := l.call(ctx, http.MethodPost, "/putxml", c.xml())
	if err != nil {
		return nil, err
	}
	return l.result(c.name, data)
}

// result reads the answer to a command.
func (l *httpLink) result(name string, data []byte) (*roomos.Node, error) {
	root, err := l.parse(data)
	if err != nil {
		return nil, err
	}
	return outcome(name, root)
}

func (l *httpLink) status(ctx context.Context, path ...string) (*roomos.Node, error) {
	return l.get(ctx, "Status", path)
}

func (l *httpLink) config(ctx context.Context, path ...string) (*roomos.Node, error) {
	return l.get(ctx, "Configuration", path)
}

func (l *httpLink) get(ctx context.Context, kind string, path []string) (*roomos.Node, error) {
	data, err := l.call(ctx, http.MethodGet, "/getxml?location=/"+kind+"/"+strings.Join(path, "/"), nil)
	if err != nil {
		return nil, err
	}
	root, err := l.parse(data)
	if err != nil {
		return nil, err
	}
	switch {
	case root.Name == kind:
		names := make([]string, len(path))
		for i, p := range path {
			names[i], _, _ = strings.Cut(p, "[") // the answer has the one that was asked for
		}
		return root.Get(names...), nil
	case root.Status != "", root.Name == "EmptyResult", root.Get("Result") != nil:
		return nil, nil
	}
	return nil, notDevice("<%s> in place of <%s>", clean(root.Name), kind)
}

func (l *httpLink) setConfig(ctx context.Context, path []string, value string) error {
	var b bytes.Buffer
	b.WriteString("<Configuration>")
	for _, p := range path {
		b.WriteString("<" + p + ">")
	}
	escape(&b, value)
	for i := len(path) - 1; i >= 0; i-- {
		b.WriteString("</" + path[i] + ">")
	}
	b.WriteString("</Configuration>")
	data, err := l.call(ctx, http.MethodPost, "/putxml", b.Bytes())
	if err != nil {
		return err
	}
	root, err := l.parse(data)
	if err != nil {
		return err
	}
	if root.Name == "Configuration" && root.Get("Success") != nil {
		return nil
	}
	return commandFault(&CommandError{Command: "Configuration " + strings.Join(path, " "), Status: root.Status,
		Reason: clean(root.Value("Reason")), XPath: clean(root.Value("XPath"))})
}

func (l *httpLink) putLegacy(ctx context.Context, doc []byte) error {
	_, err := l.call(ctx, http.MethodPost, "/bookingsputxml", append([]byte("<?xml version='1.0'?>\n"), doc...))
	return err
}
