package feed

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

const key = calendar.Secret("0123456789abcdef")

// receiver is what somebody who takes pushes writes.
type receiver struct {
	mu       sync.Mutex
	status   []int // answers of the next requests; the last one stays
	after    string
	requests int
	last     Push
}

func (d *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if err != nil || Verify(key, r.Header, body, time.Now()) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if len(d.status) > 0 {
		code := d.status[0]
		if len(d.status) > 1 {
			d.status = d.status[1:]
		}
		if code != 200 {
			w.Header().Set("Retry-After", d.after)
			w.WriteHeader(code)
			return
		}
	}
	d.last = Push{}
	if json.Unmarshal(body, &d.last) != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func (d *receiver) fail(after string, status ...int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status, d.after = status, after
}

func TestWebhookEndpoint(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		d := &receiver{}
		server := httptest.NewServer(d)
		hook, err := NewWebhook(server.URL, key, &WebhookOptions{AllowHTTP: true, Wait: time.Millisecond})
		fault := func(code int) func() { return func() { d.fail("", code) } }
		return &endpointtest.Harness{
			Endpoint: hook, Dialable: dialable, Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://example.com/"}},
			Shown: func(context.Context) (ms []otj.Meeting, _ error) {
				d.mu.Lock()
				defer d.mu.Unlock()
				for _, m := range d.last.Meetings {
					ms = append(ms, toMeeting(m))
				}
				return ms, nil
			},
			Faults: map[error]func(){otj.ErrBusy: fault(429), otj.ErrUnauthorized: fault(401), otj.ErrRejected: fault(400),
				otj.ErrNotDevice: fault(404), otj.ErrUnreachable: fault(500)},
			Unplug: fault(502), Plug: func() { d.fail("") },
			Requests: func() int { d.mu.Lock(); defer d.mu.Unlock(); return d.requests },
			Close:    server.Close,
		}, err
	})
}

func TestWebhookRetries(t *testing.T) {
	d := &receiver{}
	server := httptest.NewServer(d)
	defer server.Close()
	hook, err := NewWebhook(server.URL, key, &WebhookOptions{AllowHTTP: true, Wait: time.Millisecond})
	require.NoError(t, err)
	d.fail("", 503, 500, 200)
	require.NoError(t, hook.Show(t.Context(), nil))
	require.Equal(t, 3, d.requests)
	d.fail("60", 429)
	var e *otj.EndpointError
	require.ErrorAs(t, hook.Show(t.Context(), nil), &e)
	require.Equal(t, time.Minute, e.RetryAfter)
	require.Equal(t, 4, d.requests, "a long Retry-After is handed on, not waited for")
	d.fail("", 400)
	require.ErrorIs(t, hook.Show(t.Context(), nil), otj.ErrRejected)
	require.Equal(t, 5, d.requests, "400 is not repeated")
}

// A receiver that redirects repeats the URL, which may hold a token, in its answer.
func TestWebhookErrorHidesTheURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://%zz"+r.URL.Path)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	hook, err := NewWebhook(server.URL+"/canary-token", key, &WebhookOptions{AllowHTTP: true, Retries: -1})
	require.NoError(t, err)
	err = hook.Show(t.Context(), nil)
	require.ErrorContains(t, err, "redirects to an address that is not valid")
	require.NotContains(t, err.Error(), "canary-token")
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	push := func(at time.Time) http.Header {
		text := strconv.FormatInt(at.Unix(), 10)
		h := http.Header{}
		h.Set(TimestampHeader, text)
		// RFC 2104 over "timestamp.body"; the last line has a value of openssl dgst -hmac.
		h.Set(SignatureHeader, hex.EncodeToString(sign(key, text, []byte("{}"))))
		return h
	}
	require.NoError(t, Verify(key, push(now), []byte("{}"), now))
	require.Error(t, Verify(key, push(now), []byte("{} "), now))
	require.Error(t, Verify("another key here", push(now), []byte("{}"), now))
	require.Error(t, Verify(key, push(now.Add(-MaxSkew-time.Second)), []byte("{}"), now))
	require.Error(t, Verify(key, push(now.Add(MaxSkew+time.Second)), []byte("{}"), now))
	require.Error(t, Verify(key, http.Header{}, []byte("{}"), now))
	moved := push(now)
	moved.Set(TimestampHeader, strconv.FormatInt(now.Unix()+1, 10))
	require.Error(t, Verify(key, moved, []byte("{}"), now), "the timestamp is signed")
	require.Equal(t, "1313ae9c874eb1a0868ad0b65f841c4243c23fdcfad69a3ada227726fad9960e", hex.EncodeToString(sign(key, "1800000000", []byte("{}"))))
}

func TestNewWebhookRefuses(t *testing.T) {
	for _, u := range []string{"", "http://example.com/", "ftp://example.com", "https://a:b@example.com/", "::"} {
		_, err := NewWebhook(u, key, nil)
		require.Error(t, err, u)
	}
	_, err := NewWebhook("https://example.com/", "short", nil)
	require.ErrorContains(t, err, "16 bytes")
}
