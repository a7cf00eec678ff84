package msgraph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watched is a webhook with one subscription, "sub", and what it has logged.
func watched(t *testing.T) (*Webhook, *watch, *bytes.Buffer) {
	var log bytes.Buffer
	h, err := NewWebhook("https://otj.example.com/graph", &WebhookOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	n := h.Notifier("example.com", nil)
	n.roster.want([]string{"fjord@example.com"})
	w := n.roster.watches["fjord@example.com"]
	w.id = "sub"
	h.watches["sub"] = w
	return h, w, &log
}

func post(h http.Handler, target, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandshake(t *testing.T) {
	h, _, _ := watched(t)
	ask := func(query string) *httptest.ResponseRecorder { return post(h, "/graph?"+query, "text/plain", "") }
	const token = "Validation: Testing <script>alert(1)</script> +&%=; é"
	w := ask("n=example.com&m=x&validationToken=" + url.QueryEscape(token))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, token, w.Body.String(), "as it is: Graph compares")
	assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Equal(t, "default-src 'none'", w.Header().Get("Content-Security-Policy"))
	for _, bad := range []string{"", strings.Repeat("x", maxToken+1), "a\r\nSet-Cookie: b", "\x00", "\xff"} {
		w := ask("validationToken=" + url.QueryEscape(bad))
		assert.Equal(t, http.StatusBadRequest, w.Code, "%q", bad)
		assert.Less(t, w.Body.Len(), 100)
	}
	r := httptest.NewRequest(http.MethodGet, "/graph?validationToken=x", nil)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	assert.Equal(t, http.StatusMethodNotAllowed, rec.Code, "a link cannot make a browser ask")
	assert.Equal(t, 1, h.Status().Handshakes)
}

func TestReceive(t *testing.T) {
	note := func(id, state, rest string) string {
		return fmt.Sprintf(`{"subscriptionId":%q,"clientState":%q%s}`, id, state, rest)
	}
	h, w, log := watched(t)
	good := note("sub", w.state, `,"changeType":"updated","resource":"Users/1/Events/2"`)
	bad := note("sub", w.state[1:]+"x", "")
	list := func(notes ...string) string { return `{"value":[` + strings.Join(notes, ",") + `]}` }
	for name, tt := range map[string]struct {
		kind, body string
		status     int
		news       news
	}{
		"a change":               {"application/json; charset=utf-8", list(good), 202, changed},
		"missed":                 {"", list(note("sub", w.state, `,"lifecycleEvent":"missed"`)), 202, changed},
		"not known yet":          {"", list(note("sub", w.state, `,"lifecycleEvent":"moon"`)), 202, changed},
		"reauthorize":            {"", list(note("sub", w.state, `,"lifecycleEvent":"reauthorizationRequired"`)), 202, reauthorize},
		"many, merged":           {"", list(strings.Split(strings.Repeat(good+";", 1000), ";")[:1000]...), 202, changed},
		"among forged ones":      {"", list(bad, good, bad), 202, changed},
		"other fields":           {"", `{"validationTokens":["a",{"b":[]}],` + list(good)[1:], 202, changed},
		"none":                   {"", list(), 202, 0},
		"one that is gone":       {"", list(note("old", "x", "")), 202, 0},
		"forged":                 {"", list(bad), 403, 0},
		"forged, without secret": {"", list(`{"subscriptionId":"sub"}`), 403, 0},
		"no subscription":        {"", list(`{"clientState":"x"}`), 400, 0},
		"null":                   {"", list("null"), 400, 0},
		"no JSON":                {"", "hello", 400, 0},
		"empty":                  {"", "", 400, 0},
		"cut off":                {"", list(good)[:60], 400, 0},
		"more behind it":         {"", list(good) + "{}", 400, 0},
		"twice":                  {"", `{"value":[` + good + `],"value":[` + good + `]}`, 400, 0},
		"a list":                 {"", "[" + good + "]", 400, 0},
		"another list":           {"", `{"values":[` + good + `]}`, 400, 0},
		"deep":                   {"", `{"x":` + strings.Repeat("[", 200_000), 400, 0},
		"large":                  {"", list(good) + strings.Repeat(" ", maxPost), 413, 0},
		"too many":               {"", list(strings.Split(strings.Repeat(`{"subscriptionId":"a"};`, maxNotes+1), ";")[:maxNotes+1]...), 413, 0},
		"a form":                 {"application/x-www-form-urlencoded", "value=1", 415, 0},
	} {
		if tt.kind == "" {
			tt.kind = "application/json"
		}
		w.roster.heard()
		rec := post(h, "/graph?n=example.com&m=x", tt.kind, tt.body)
		assert.Equal(t, tt.status, rec.Code, name)
		assert.Equal(t, tt.news, w.news, name)
		assert.LessOrEqual(t, len(w.roster.queue), 1, name)
		assert.Less(t, rec.Body.Len(), 100, name)
	}
	w.roster.heard()
	post(h, "/graph", "application/json", list(note("sub", w.state, `,"lifecycleEvent":"subscriptionRemoved"`)))
	assert.Equal(t, removed, w.news)
	assert.Empty(t, h.watches)
	assert.NotContains(t, log.String(), w.state)
	assert.NotContains(t, log.String(), w.state[1:])
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), "one entry a minute")
	s := h.Status()
	assert.Equal(t, []int{1007, 4, 15}, []int{s.Notifications, s.Forged, s.Refused})
}

// Who sends slowly is cut off before Graph's 3 s are over, and does not keep
// others out.
func TestSlowBody(t *testing.T) {
	h, w, _ := watched(t)
	srv := httptest.NewServer(h)
	defer srv.Close()
	var slow []net.Conn
	for range 10 {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "POST /graph HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		require.NoError(t, err)
		slow = append(slow, c)
	}
	res, err := http.Post(srv.URL, "application/json", strings.NewReader(`{"value":[{"subscriptionId":"sub","clientState":"`+w.state+`"}]}`))
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, http.StatusAccepted, res.StatusCode)
	for _, c := range slow {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 408 "), "%.40q", answer)
	}
}

// More bodies at a time than may be read are refused, and Graph comes again.
func TestManyBodies(t *testing.T) {
	h, _, _ := watched(t)
	for range maxPosts {
		h.slots <- struct{}{}
	}
	assert.Equal(t, http.StatusServiceUnavailable, post(h, "/graph", "application/json", `{"value":[]}`).Code)
	<-h.slots
	assert.Equal(t, http.StatusAccepted, post(h, "/graph", "application/json", `{"value":[]}`).Code)
}

// The secret of a mailbox tells nothing of another's, of another notifier's, or
// of the address of the same.
func TestSecrets(t *testing.T) {
	h, _, _ := watched(t)
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"state", "a", "b"}, {"state", "a", "c"}, {"state", "ab", ""}, {"state", "", "ab"}, {"address", "a", "b"}, {"stat", "ea", "b"}} {
		s := h.secret(parts[0], parts[1], parts[2])
		assert.False(t, seen[s])
		seen[s] = true
		assert.LessOrEqual(t, len(s), 128, "Graph's limit for clientState")
	}
	assert.Equal(t, h.secret("state", "a", "B"), h.secret("state", "a", "b"))
}

func FuzzReadNotifications(f *testing.F) {
	for _, s := range []string{
		`{"value":[{"subscriptionId":"sub","clientState":"x","changeType":"updated"}]}`,
		`{"value":[{"subscriptionId":"sub","lifecycleEvent":"missed","clientState":null}],"validationTokens":["a"]}`,
		`{"value":[]}`, `{"value":null}`, `{"value":[null]}`, `{}`, `[]`, `{"value":[{}]}`, `{"value":[{"subscriptionId":1}]}`, `{"VALUE":[]}`, "{\"value\":[{\"subscriptionId\":\"\xff\"}]}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		notes, err := readNotifications(bytes.NewReader(body))
		// The answer does not depend on how the body arrives.
		slow, err2 := readNotifications(&oneByte{body})
		require.Equal(t, err == nil, err2 == nil)
		require.Equal(t, notes, slow)
		if err != nil {
			require.Nil(t, notes)
			return
		}
		require.NotNil(t, notes)
		require.True(t, json.Valid(body), "what is taken is JSON")
		require.LessOrEqual(t, len(notes), min(maxNotes, len(body)/len(`{"subscriptionId":"x"}`)))
		// The same again, written as Graph does.
		again := map[string]any{}
		var value []map[string]string
		for _, n := range notes {
			require.NotEmpty(t, n.SubscriptionID)
			value = append(value, map[string]string{"subscriptionId": n.SubscriptionID, "clientState": string(n.ClientState), "lifecycleEvent": n.Lifecycle})
		}
		again["value"] = value
		if value == nil {
			again["value"] = []any{}
		}
		data, err := json.Marshal(again)
		require.NoError(t, err)
		same, err := readNotifications(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, notes, same)
		// What was cut off is never taken.
		if text := bytes.TrimRight(body, " \t\r\n"); len(text) > 0 {
			_, err := readNotifications(bytes.NewReader(text[:len(text)-1]))
			require.Error(t, err)
		}
	})
}

// oneByte is a body that arrives a byte at a time.
type oneByte struct{ rest []byte }

func (o *oneByte) Read(p []byte) (int, error) {
	if len(o.rest) == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p[0] = o.rest[0]
	o.rest = o.rest[1:]
	return 1, nil
}
