package graphtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Subscription is what an app has subscribed to.
// https://learn.microsoft.com/graph/api/resources/subscription
type Subscription struct {
	ID              string
	Resource        string // as the app wrote it
	Mailbox         string // the address
	ChangeTypes     []string
	NotificationURL string
	LifecycleURL    string // "" is none
	ClientState     string
	Expires         time.Time
	// Suspended is set from the time when Graph required reauthorization to the
	// time when it got it: there are no notifications meanwhile.
	Suspended bool
}

type subscription struct {
	Subscription
	app     *App
	t       *Tenant
	mbx     *Mailbox
	queue   []message
	running bool
	missed  bool
}

// message is a notification on its way.
type message struct {
	url     string
	value   map[string]any
	expires bool // means nothing once the subscription is gone
}

const (
	maxSubscriptions = 1000 // of a mailbox
	minLife          = 45 * time.Minute
	maxClientState   = 128
)

// Subscriptions returns those that have not expired, by ID.
func (s *Server) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	var out []Subscription
	for _, id := range slices.Sorted(maps.Keys(s.subs)) {
		out = append(out, s.subs[id].Subscription)
	}
	return out
}

// expire drops the subscriptions that have run out. The caller holds mu.
func (s *Server) expire() {
	now := s.now()
	maps.DeleteFunc(s.subs, func(_ string, sub *subscription) bool { return !now.Before(sub.Expires) })
}

// The lifecycle events.
// https://learn.microsoft.com/graph/change-notifications-lifecycle-events
const (
	Missed                  = "missed"
	SubscriptionRemoved     = "subscriptionRemoved"
	ReauthorizationRequired = "reauthorizationRequired"
)

// Lifecycle makes a lifecycle event happen to a subscription: it is removed, or
// suspended until it is reauthorized, or notifications were missed. The
// subscriber is told, if it gave an address for that.
func (s *Server) Lifecycle(id, event string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	sub := s.subs[id]
	if sub == nil {
		return fmt.Errorf("graphtest: there is no subscription %q", id)
	}
	switch event {
	case Missed:
	case SubscriptionRemoved:
		delete(s.subs, id)
	case ReauthorizationRequired:
		sub.Suspended = true
	default:
		return fmt.Errorf("graphtest: there is no lifecycle event %q", event)
	}
	s.lifecycle(sub, event)
	return nil
}

func (s *Server) lifecycle(sub *subscription, event string) {
	if sub.LifecycleURL == "" {
		return
	}
	s.post(sub, message{url: sub.LifecycleURL, value: map[string]any{
		"subscriptionId": sub.ID, "subscriptionExpirationDateTime": instant(sub.Expires), "clientState": sub.ClientState,
		"tenantId": sub.t.id, "lifecycleEvent": event, "resource": sub.Resource,
	}})
}

// InterruptNotifications loses every notification until restore is called. Who
// lost one is then told "missed".
func (s *Server) InterruptNotifications() (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.paused--; s.paused > 0 {
			return
		}
		for _, sub := range s.subs {
			if sub.missed {
				sub.missed = false
				s.lifecycle(sub, Missed)
			}
		}
	}
}

// tell notifies the subscribers of a mailbox. The caller holds mu.
func (m *Mailbox) tell(it *item, change string) {
	s := m.s
	s.expire()
	for _, sub := range s.subs {
		if sub.mbx != m || sub.Suspended || !slices.Contains(sub.ChangeTypes, change) {
			continue
		}
		path := "Users/" + m.id + "/Events/" + m.eventID(false, it.n, "")
		s.serial++
		s.post(sub, message{url: sub.NotificationURL, expires: true, value: map[string]any{
			"id": s.guid("notification", s.serial), "subscriptionId": sub.ID, "subscriptionExpirationDateTime": instant(sub.Expires), "clientState": sub.ClientState,
			"changeType": change, "resource": path, "tenantId": m.t.id,
			"resourceData": map[string]any{"@odata.type": "#Microsoft.Graph.Event", "@odata.id": path, "@odata.etag": etag(it.changed, it.n),
				"id": m.eventID(false, it.n, "")},
		}})
	}
}

// post queues a notification, and starts to deliver those of its subscription.
func (s *Server) post(sub *subscription, msg message) {
	if s.paused > 0 {
		sub.missed = true
		s.stats.Lost++
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	sub.queue = append(sub.queue, msg)
	if !sub.running {
		sub.running = true
		s.wg.Go(func() { s.deliver(sub) })
	}
}

// deliver posts what is queued for a subscription, in order, several at a time
// where they have the same address, as Graph does.
func (s *Server) deliver(sub *subscription) {
	for {
		s.mu.Lock()
		if len(sub.queue) == 0 || s.ctx.Err() != nil {
			sub.running = false
			s.mu.Unlock()
			return
		}
		msg := sub.queue[0]
		n := 1
		for n < len(sub.queue) && sub.queue[n].url == msg.url {
			n++
		}
		var values []map[string]any
		for _, m := range sub.queue[:n] {
			values = append(values, m.value)
		}
		sub.queue = slices.Clone(sub.queue[n:])
		s.mu.Unlock()

		accepted := s.send(msg.url, values)
		if accepted && s.opts.DuplicateNotifications {
			s.send(msg.url, values)
		}
		s.mu.Lock()
		switch {
		case accepted:
			s.stats.Notified += n
			if msg.expires && sub.missed && s.paused == 0 {
				sub.missed = false
				s.lifecycle(sub, Missed)
			}
		default:
			s.stats.Lost += n
			sub.missed = sub.missed || msg.expires
		}
		s.mu.Unlock()
	}
}

// send posts notifications until they are accepted or given up.
func (s *Server) send(url string, values []map[string]any) bool {
	body, err := json.Marshal(map[string]any{"value": values})
	if err != nil {
		panic(err) // texts
	}
	pause := s.opts.Backoff
	for i := range s.opts.Attempts {
		if i > 0 {
			select {
			case <-s.ctx.Done():
				return false
			case <-time.After(pause):
			}
			pause *= 2
		}
		req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return false
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		res, err := s.opts.Client.Do(req)
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode/100 == 2 {
			return true
		}
	}
	return false
}

// subscriptions answers /subscriptions and what is below it.
func (c *call) subscriptions() *graphError {
	id := ""
	if len(c.path) > 1 {
		id = c.path[1]
	}
	if id == "" {
		switch c.r.Method {
		case http.MethodPost:
			return c.subscribe()
		case http.MethodGet:
			c.s.mu.Lock()
			c.s.expire()
			value := []any{}
			for _, id := range slices.Sorted(maps.Keys(c.s.subs)) {
				if sub := c.s.subs[id]; sub.app == c.app && sub.t == c.t {
					value = append(value, sub.json())
				}
			}
			c.s.mu.Unlock()
			writeJSON(c.w, http.StatusOK, map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions", "value": value})
			return nil
		}
		return &graphError{http.StatusMethodNotAllowed, "BadRequest", "The method is not allowed."}
	}
	var patch struct {
		Expires *time.Time `json:"expirationDateTime"`
	}
	if c.r.Method == http.MethodPatch {
		if err := c.readJSON(&patch); err != nil {
			return err
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.expire()
	sub := c.s.subs[id]
	if sub == nil || sub.app != c.app || sub.t != c.t {
		return notFound("ResourceNotFound", "The object was not found.")
	}
	switch again := len(c.path) == 3 && c.path[2] == "reauthorize"; {
	case again && c.r.Method == http.MethodPost:
		if err := c.access(sub.mbx, sub.Mailbox); err != nil {
			return err
		}
		sub.Suspended = false
		c.w.WriteHeader(http.StatusNoContent)
	case len(c.path) > 2:
		return badRequest("BadRequest", "Resource not found for the segment '%s'.", c.path[2])
	case c.r.Method == http.MethodGet:
		writeJSON(c.w, http.StatusOK, sub.entity())
	case c.r.Method == http.MethodDelete:
		delete(c.s.subs, id)
		c.w.WriteHeader(http.StatusNoContent)
	case c.r.Method == http.MethodPatch:
		if patch.Expires == nil {
			return badRequest("InvalidRequest", "Only expirationDateTime can be changed.")
		}
		until, err := c.life(*patch.Expires)
		if err != nil {
			return err
		}
		if err := c.access(sub.mbx, sub.Mailbox); err != nil {
			return err
		}
		sub.Expires, sub.Suspended = until, false
		writeJSON(c.w, http.StatusOK, sub.entity())
	default:
		return &graphError{http.StatusMethodNotAllowed, "BadRequest", "The method is not allowed."}
	}
	return nil
}

// entity is the subscription as the answer to a request for it alone.
func (sub *subscription) entity() map[string]any {
	v := sub.json()
	v["@odata.context"] = "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity"
	return v
}

func (sub *subscription) json() map[string]any {
	v := map[string]any{
		"id": sub.ID, "resource": sub.Resource, "applicationId": sub.app.id, "changeType": strings.Join(sub.ChangeTypes, ","),
		"clientState":     nil, // Graph does not tell it again
		"notificationUrl": sub.NotificationURL, "lifecycleNotificationUrl": nil, "expirationDateTime": instant(sub.Expires),
		"creatorId": sub.app.s.guid("principal", sub.t.id, sub.app.id), "includeResourceData": nil, "latestSupportedTlsVersion": "v1_2",
		"encryptionCertificate": nil, "encryptionCertificateId": nil, "notificationQueryOptions": nil, "notificationUrlAppId": nil,
	}
	if sub.LifecycleURL != "" {
		v["lifecycleNotificationUrl"] = sub.LifecycleURL
	}
	return v
}

// life checks when a subscription is to end. The caller holds mu.
func (c *call) life(until time.Time) (time.Time, *graphError) {
	now := c.s.now()
	switch {
	case until.IsZero():
		return until, badRequest("InvalidRequest", "expirationDateTime is required.")
	case !until.After(now):
		return until, badRequest("ExtensionError", "Subscription expiration must be in the future.")
	case until.After(now.Add(c.s.opts.SubscriptionLimit)):
		return until, badRequest("ExtensionError", "Subscription expiration can only be %d minutes in the future.", int(c.s.opts.SubscriptionLimit.Minutes()))
	case until.Before(now.Add(minLife)):
		return now.Add(minLife), nil
	}
	return until, nil
}

// subscribe creates a subscription.
func (c *call) subscribe() *graphError {
	var in struct {
		ChangeType   string    `json:"changeType"`
		URL          string    `json:"notificationUrl"`
		LifecycleURL string    `json:"lifecycleNotificationUrl"`
		Resource     string    `json:"resource"`
		Expires      time.Time `json:"expirationDateTime"`
		ClientState  string    `json:"clientState"`
		Data         bool      `json:"includeResourceData"`
		TLS          string    `json:"latestSupportedTlsVersion"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	path := split(strings.TrimPrefix(in.Resource, "/"))
	if len(path) == 4 && path[2] == "calendar" {
		path = slices.Delete(path, 2, 3)
	}
	var types []string
	for t := range strings.SplitSeq(in.ChangeType, ",") {
		t = strings.TrimSpace(t)
		if !slices.Contains([]string{"created", "updated", "deleted"}, t) {
			return badRequest("InvalidRequest", "The changeType '%s' is not supported.", t)
		}
		types = append(types, t)
	}
	switch {
	case len(path) != 3 || path[0] != "users" || path[2] != "events":
		return badRequest("ExtensionError", "Resource '%s' is not supported: this server has users/{id}/events.", in.Resource)
	case len(in.ClientState) > maxClientState:
		return badRequest("InvalidRequest", "clientState must not be longer than %d characters.", maxClientState)
	case in.Data:
		return badRequest("InvalidRequest", "This server has no notifications with resource data.")
	}
	for name, address := range map[string]string{"notificationUrl": in.URL, "lifecycleNotificationUrl": in.LifecycleURL} {
		u, err := url.Parse(address)
		if address == "" && name == "lifecycleNotificationUrl" {
			continue
		}
		// Graph wants https. Tests on the loopback interface may do without.
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !strings.HasPrefix(u.Hostname(), "127.") && u.Hostname() != "localhost" && u.Hostname() != "::1") {
			return badRequest("InvalidRequest", "The %s '%s' is invalid: it has to be an https address.", name, address)
		}
	}
	c.s.mu.Lock()
	mbx := c.t.mailbox(path[1])
	err := c.access(mbx, path[1])
	until, bad := in.Expires, (*graphError)(nil)
	n := 0
	if err == nil {
		until, bad = c.life(in.Expires)
		c.s.expire()
		for _, sub := range c.s.subs {
			if sub.mbx == mbx {
				n++
			}
		}
	}
	c.s.mu.Unlock()
	switch {
	case err != nil && err.status == http.StatusForbidden:
		return &graphError{http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: " + err.text + "]"}
	case err != nil:
		return &graphError{err.status, "ExtensionError", "Operation: Create; Exception: [Status Code: NotFound; Reason: " + err.text + "]"}
	case bad != nil:
		return bad
	case n >= maxSubscriptions:
		return &graphError{http.StatusForbidden, "ExtensionError", fmt.Sprintf("Operation: Create; Exception: [The mailbox has %d subscriptions, which is the limit.]", n)}
	}
	for _, address := range []string{in.URL, in.LifecycleURL} {
		if address == "" {
			continue
		}
		if why := c.s.handshake(c.r.Context(), address); why != "" {
			return badRequest("ValidationError", "Subscription validation request failed. %s", why)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.serial++
	sub := &subscription{app: c.app, t: c.t, mbx: mbx, Subscription: Subscription{
		ID: c.s.guid("subscription", c.s.serial), Resource: in.Resource, Mailbox: mbx.address, ChangeTypes: types,
		NotificationURL: in.URL, LifecycleURL: in.LifecycleURL, ClientState: in.ClientState, Expires: until,
	}}
	c.s.subs[sub.ID] = sub
	v := sub.entity()
	v["clientState"] = sub.ClientState
	writeJSON(c.w, http.StatusCreated, v)
	return nil
}

// handshake asks an address whether it wants notifications. It returns why not.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
func (s *Server) handshake(ctx context.Context, address string) string {
	s.mu.Lock()
	s.serial++
	// With characters that a URL has to escape: the answer has to be unescaped.
	token := "Validation: Testing client application reachability for subscription Request-Id: " + s.guid("handshake", s.serial) + " <+&%>"
	s.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil {
		return err.Error()
	}
	q := u.Query()
	q.Set("validationToken", token)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := s.opts.Client.Do(req)
	if err != nil {
		return "The request failed or timed out."
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case err != nil || res.StatusCode != http.StatusOK:
		return fmt.Sprintf("Notification endpoint must respond with 200 OK to validation request, and not with %d.", res.StatusCode)
	case kind != "text/plain":
		return "The answer must have the content type text/plain."
	case string(body) != token:
		return "Response must exactly match validationToken query parameter."
	}
	return ""
}
