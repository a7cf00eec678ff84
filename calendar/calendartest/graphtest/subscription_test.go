package graphtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

// subscriber is a webhook that checks what it gets.
type subscriber struct {
	t   *testing.T
	srv *httptest.Server

	mu      sync.Mutex
	refuse  func(w http.ResponseWriter, token string) // the handshake
	status  int
	got     []map[string]any
	arrived chan struct{}
}

func newSubscriber(t *testing.T) *subscriber {
	s := &subscriber{t: t, status: http.StatusAccepted, arrived: make(chan struct{}, 1000)}
	s.srv = httptest.NewServer(s)
	t.Cleanup(s.srv.Close)
	return s
}

func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token := r.URL.Query().Get("validationToken"); token != "" {
		if s.refuse != nil {
			s.refuse(w, token)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, token)
		return
	}
	body, err := io.ReadAll(r.Body)
	if assert.NoError(s.t, err) {
		f, err := table()
		var v map[string]any
		if assert.NoError(s.t, err) && assert.NoError(s.t, json.Unmarshal(body, &v)) {
			assert.Empty(s.t, f.check(r.URL.Path, "changeNotificationCollection", v, false))
			if s.status/100 == 2 {
				for _, n := range v["value"].([]any) {
					n := n.(map[string]any)
					n["path"] = r.URL.Path
					s.got = append(s.got, n)
					s.arrived <- struct{}{}
				}
			}
		}
	}
	w.WriteHeader(s.status)
}

func (s *subscriber) set(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// next waits for n notifications and returns them.
func (s *subscriber) next(n int) []map[string]any {
	s.t.Helper()
	for range n {
		select {
		case <-s.arrived:
		case <-time.After(10 * time.Second):
			require.FailNow(s.t, "a notification does not arrive")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.got[:n]
	s.got = s.got[n:]
	return out
}

func (s *subscriber) request(c *client, life time.Duration) map[string]any {
	return map[string]any{
		"changeType": "created,updated,deleted", "notificationUrl": s.srv.URL + "/hook?keep=1", "lifecycleNotificationUrl": s.srv.URL + "/life",
		"resource": strings.TrimPrefix(room(c.site.Room), "/v1.0/") + "/events", "expirationDateTime": time.Now().Add(life).UTC(), "clientState": "sesame",
	}
}

func TestSubscription(t *testing.T) {
	c, hook := newClient(t, nil), newSubscriber(t)
	a := c.do(http.MethodPost, "/v1.0/subscriptions", hook.request(c, 24*time.Hour))
	require.Equal(t, http.StatusCreated, a.status, "%v", a.body)
	sub := "/v1.0/subscriptions/" + a.body["id"].(string)
	require.Len(t, c.site.Subscriptions(), 1)
	assert.Equal(t, http.StatusOK, c.get(sub).status)
	assert.Len(t, c.get("/v1.0/subscriptions").value(), 1)

	id := c.site.Room.AddSingle(meeting("a", 1, 9))
	require.NoError(t, c.site.Room.Move(id, at(2, 9)))
	require.NoError(t, c.site.Room.Delete(id))
	c.site.Other.AddSingle(meeting("of another", 1, 9))
	var changes []any
	for _, n := range hook.next(3) {
		changes = append(changes, n["changeType"])
		assert.Equal(t, "sesame", n["clientState"])
		assert.Equal(t, "/hook", n["path"])
		assert.Equal(t, c.site.Tenant.ID(), n["tenantId"])
		assert.Contains(t, n["resource"], "Users/"+c.site.Room.ID()+"/Events/")
	}
	assert.Equal(t, []any{"created", "updated", "deleted"}, changes)

	// Renewed, and too long.
	assert.Equal(t, http.StatusOK, c.do(http.MethodPatch, sub, map[string]any{"expirationDateTime": time.Now().Add(48 * time.Hour).UTC()}).status)
	assert.Equal(t, http.StatusBadRequest, c.do(http.MethodPatch, sub, map[string]any{"expirationDateTime": time.Now().Add(10_081 * time.Minute).UTC()}).status)
	assert.Equal(t, http.StatusBadRequest, c.do(http.MethodPatch, sub, map[string]any{}).status)
	assert.Equal(t, http.StatusOK, c.do(http.MethodPatch, sub, map[string]any{"expirationDateTime": time.Now().Add(time.Minute).UTC()}).status)
	assert.WithinDuration(t, time.Now().Add(45*time.Minute), c.site.Subscriptions()[0].Expires, time.Minute, "45 minutes are the least")

	// Suspended until it is reauthorized.
	sid := c.site.Subscriptions()[0].ID
	require.NoError(t, c.site.Lifecycle(sid, graphtest.ReauthorizationRequired))
	n := hook.next(1)[0]
	assert.Equal(t, []any{"reauthorizationRequired", "/life", "sesame"}, []any{n["lifecycleEvent"], n["path"], n["clientState"]})
	c.site.Room.AddSingle(meeting("unseen", 3, 9))
	assert.Equal(t, http.StatusNoContent, c.do(http.MethodPost, sub+"/reauthorize", nil).status)
	id = c.site.Room.AddSingle(meeting("b", 4, 9))
	assert.Equal(t, "created", hook.next(1)[0]["changeType"])

	// Lost: told afterwards.
	restore := c.site.InterruptNotifications()
	require.NoError(t, c.site.Room.Cancel(id))
	restore()
	assert.Equal(t, "missed", hook.next(1)[0]["lifecycleEvent"])

	// Removed by Graph.
	require.NoError(t, c.site.Lifecycle(sid, graphtest.SubscriptionRemoved))
	assert.Equal(t, "subscriptionRemoved", hook.next(1)[0]["lifecycleEvent"])
	assert.Equal(t, http.StatusNotFound, c.get(sub).status)
	require.Error(t, c.site.Lifecycle(sid, graphtest.Missed))

	// Run out, and deleted.
	a = c.do(http.MethodPost, "/v1.0/subscriptions", hook.request(c, time.Hour))
	b := c.do(http.MethodPost, "/v1.0/subscriptions", hook.request(c, 3*time.Hour))
	assert.Equal(t, http.StatusNoContent, c.do(http.MethodDelete, "/v1.0/subscriptions/"+a.body["id"].(string), nil).status)
	assert.Len(t, c.site.Subscriptions(), 1)
	c.site.SetSkew(3*time.Hour + time.Minute)
	assert.Empty(t, c.site.Subscriptions())
	c.token = c.site.Tenant.Token(c.site.App)
	assert.Equal(t, http.StatusNotFound, c.get("/v1.0/subscriptions/"+b.body["id"].(string)).status)
	// It counts what was accepted, and learns that after the subscriber does.
	require.Eventually(t, func() bool { return c.site.Stats().Notified >= 7 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, 7, c.site.Stats().Notified)
}

// A subscriber that fails is asked again; one that fails for long has missed it.
func TestNotificationRetries(t *testing.T) {
	c, hook := newClient(t, &graphtest.Options{Attempts: 2, Backoff: time.Millisecond}), newSubscriber(t)
	require.Equal(t, http.StatusCreated, c.do(http.MethodPost, "/v1.0/subscriptions", hook.request(c, time.Hour)).status)
	hook.set(http.StatusInternalServerError)
	c.site.Room.AddSingle(meeting("a", 1, 9))
	require.Eventually(t, func() bool { return c.site.Stats().Lost == 1 }, 10*time.Second, time.Millisecond)
	hook.set(http.StatusOK)
	c.site.Room.AddSingle(meeting("b", 1, 9))
	got := hook.next(2)
	assert.Equal(t, "created", got[0]["changeType"])
	assert.Equal(t, "missed", got[1]["lifecycleEvent"])
}

func TestDuplicateNotifications(t *testing.T) {
	c, hook := newClient(t, &graphtest.Options{DuplicateNotifications: true}), newSubscriber(t)
	require.Equal(t, http.StatusCreated, c.do(http.MethodPost, "/v1.0/subscriptions", hook.request(c, time.Hour)).status)
	c.site.Room.AddSingle(meeting("a", 1, 9))
	got := hook.next(2)
	assert.Equal(t, got[0]["id"], got[1]["id"])
}

func TestSubscriptionErrors(t *testing.T) {
	c, hook := newClient(t, nil), newSubscriber(t)
	post := func(change func(m map[string]any)) answer {
		m := hook.request(c, time.Hour)
		change(m)
		return c.do(http.MethodPost, "/v1.0/subscriptions", m)
	}
	for name, tt := range map[string]struct {
		value any
		want  string
	}{
		"changeType":               {"moved", "InvalidRequest"},
		"notificationUrl":          {"http://example.com/hook", "InvalidRequest"},
		"lifecycleNotificationUrl": {hook.srv.URL + "/\x7f", "InvalidRequest"},
		"resource":                 {"users/nobody@example.com/events", "ExtensionError"},
		"expirationDateTime":       {time.Now().Add(-time.Hour).UTC(), "ExtensionError"},
		"clientState":              {strings.Repeat("x", 129), "InvalidRequest"},
		"includeResourceData":      {true, "InvalidRequest"},
	} {
		a := post(func(m map[string]any) { m[name] = tt.value })
		assert.Equal(t, tt.want, a.code(), "%s: %v", name, a.body)
	}
	for name, refuse := range map[string]func(w http.ResponseWriter, token string){
		"status": func(w http.ResponseWriter, token string) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, token)
		},
		"type": func(w http.ResponseWriter, token string) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, token)
		},
		"text": func(w http.ResponseWriter, _ string) { w.Header().Set("Content-Type", "text/plain") },
	} {
		hook.mu.Lock()
		hook.refuse = refuse
		hook.mu.Unlock()
		a := post(func(map[string]any) {})
		assert.Equal(t, "ValidationError", a.code(), name)
	}
	hook.mu.Lock()
	hook.refuse = nil
	hook.mu.Unlock()
	c.site.Tenant.Restrict(c.site.App)
	a := post(func(map[string]any) {})
	assert.Equal(t, http.StatusForbidden, a.status)
	assert.Empty(t, c.site.Subscriptions())
}
