package msgraph

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Limits of what Graph, or somebody else, posts to a webhook.
const (
	maxPost    = 1 << 20 // bytes of a body
	maxNotes   = 4096    // notifications in one; a real one has 250 bytes or more
	maxToken   = 4096    // bytes of a validation token
	maxPosts   = 64      // bodies that are read at a time
	postWithin = 2500 * time.Millisecond
)

// WebhookOptions change a Webhook. The zero value is usable.
type WebhookOptions struct {
	// Key makes the secrets that Graph has to repeat in every notification. With
	// the same key after a restart, the subscriptions that are still there are
	// taken over; otherwise they are replaced. It has 16 bytes or more. The
	// default is a random one.
	Key calendar.Secret
	// Lifetime is how long a subscription lasts unless it is renewed, which
	// happens when half of that is over, or a little later. Graph accepts up to
	// 7 days. The default is 4,230 minutes: nearly three days, the longest that
	// it has always accepted.
	Lifetime time.Duration
	// Logger gets what an administrator should know of. It gets no secret and no
	// subject. Default: nothing is logged.
	Logger *slog.Logger
}

// Webhook is the address at which Microsoft Graph tells of changed calendars:
// an [http.Handler] for that address, and what the notifiers of any number of
// tenants share. It is safe for concurrent use.
//
//	hook, err := msgraph.NewWebhook("https://otj.example.com/graph", &msgraph.WebhookOptions{Key: key})
//	…
//	mux.Handle("/graph", hook)
//	rooms := hook.Notifier("example.com", msgraph.New(cred, nil))
//
// What arrives is believed if it repeats the secret of its subscription. All
// else is refused: what is larger than 1 MiB, is not JSON as Graph writes it, or
// has a wrong secret. The work is done later by [Notifier.Notify]; the answer
// does not wait for it, since Graph stops telling those who take more than 3 s.
//
// Each process needs an address of its own: a notification that arrives at
// another one than the subscriber is lost.
type Webhook struct {
	url   *url.URL
	key   []byte
	opts  WebhookOptions
	slots chan struct{}

	mu        sync.Mutex         // also of the rosters and their watches
	watches   map[string]*watch  // by subscription ID
	rosters   map[string]*roster // by the name of the notifier
	status    WebhookStatus
	nextAlarm time.Time // earliest time of the next log entry about refusals
}

// WebhookStatus is what a webhook has counted since it was made.
type WebhookStatus struct {
	// Handshakes is how often Graph asked whether notifications are wanted.
	Handshakes int `json:"handshakes"`
	// Notifications is how many were accepted; Last is when, in UTC.
	Notifications int       `json:"notifications"`
	Last          time.Time `json:"last,omitzero"`
	// Unknown is how many were about a subscription that is not ours any more.
	Unknown int `json:"unknown"`
	// Forged is how many had a wrong secret, Refused how many requests were not
	// taken for that or another reason.
	Forged  int `json:"forged"`
	Refused int `json:"refused"`
}

// NewWebhook returns the webhook of a public address, which has to begin with
// https: Graph refuses others. (http is taken on the loopback interface, for
// tests.) It makes no request.
func NewWebhook(address string, opts *WebhookOptions) (*Webhook, error) {
	h := &Webhook{slots: make(chan struct{}, maxPosts), watches: map[string]*watch{}, rosters: map[string]*roster{}}
	if opts != nil {
		h.opts = *opts
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("the webhook's address %.200q is none; write it as https://host/path", address)
	case u.User != nil || u.Fragment != "" || u.RawQuery != "":
		return nil, fmt.Errorf("the webhook's address at %s must have no user, query or fragment", u.Host)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("the webhook's address %.200q must begin with https://: Graph posts to no other", address)
	}
	h.url = u
	switch {
	case h.opts.Key == "":
		h.key = make([]byte, 32)
		_, _ = rand.Read(h.key) // never fails
	case len(h.opts.Key) < 16:
		return nil, errors.New("the webhook's key must have 16 bytes or more")
	default:
		h.key = []byte(h.opts.Key)
	}
	switch l := h.opts.Lifetime; {
	case l == 0:
		h.opts.Lifetime = 4230 * time.Minute
	case l < time.Hour || l > 7*24*time.Hour:
		return nil, fmt.Errorf("the subscriptions' lifetime is %v; it is 1 hour to 7 days", l)
	}
	if h.opts.Logger == nil {
		h.opts.Logger = slog.New(slog.DiscardHandler)
	}
	return h, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// Status returns the counts so far.
func (h *Webhook) Status() WebhookStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// ServeHTTP answers Graph: its question whether notifications are wanted, and
// the notifications.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	// What is echoed is text, also to a browser that was tricked into asking.
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		header.Set("Allow", http.MethodPost)
		http.Error(w, "Microsoft Graph posts its change notifications here.", http.StatusMethodNotAllowed)
		return
	}
	if q := r.URL.Query(); q.Has("validationToken") {
		h.handshake(w, q.Get("validationToken"))
		return
	}
	status, why := h.receive(w, r)
	if status == http.StatusAccepted {
		w.WriteHeader(status)
		return
	}
	h.refused(status, why)
	header.Set("Connection", "close")
	http.Error(w, why, status)
}

// handshake echoes a token. Graph wants it as it is: nothing may be escaped, so
// the type of the answer has to keep it from being anything but text.
func (h *Webhook) handshake(w http.ResponseWriter, token string) {
	if token == "" || len(token) > maxToken || !utf8.ValidString(token) || strings.ContainsFunc(token, unicode.IsControl) {
		h.refused(http.StatusBadRequest, "the validation token is none")
		http.Error(w, "the validation token is none", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.status.Handshakes++
	h.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, token)
}

// receive reads notifications and hands them on. It returns 202, or what is
// wrong with the request.
func (h *Webhook) receive(w http.ResponseWriter, r *http.Request) (status int, why string) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return http.StatusServiceUnavailable, "too many requests at a time"
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the content is not application/json"
	}
	if r.ContentLength > maxPost {
		return http.StatusRequestEntityTooLarge, "the body is too large"
	}
	// Who sends slowly is cut off. A server that cannot do so has limits of its
	// own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(postWithin))
	notes, err := readNotifications(http.MaxBytesReader(w, r.Body, maxPost))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large) || errors.Is(err, errTooMany):
		return http.StatusRequestEntityTooLarge, "the body is too large"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, "the body did not arrive in time"
	case err != nil:
		return http.StatusBadRequest, "the body is no collection of change notifications"
	}
	if h.deliver(notes) {
		return http.StatusAccepted, ""
	}
	return http.StatusForbidden, "the clientState is not that of the subscription"
}

// refused counts a request that was not taken. The log gets one entry a minute:
// anybody can send such requests.
func (h *Webhook) refused(status int, why string) {
	now := time.Now()
	h.mu.Lock()
	h.status.Refused++
	quiet := now.Before(h.nextAlarm)
	if !quiet {
		h.nextAlarm = now.Add(time.Minute)
	}
	total := h.status.Refused
	h.mu.Unlock()
	if !quiet {
		h.opts.Logger.Warn("a request to the webhook of Microsoft Graph was refused", "status", status, "reason", why, "refused", total)
	}
}

// deliver hands notifications on to the notifiers. It returns false if one has a
// wrong secret and none has a right one. Those of a subscription that is gone
// are taken and dropped: Graph would repeat them for hours.
func (h *Webhook) deliver(notes []notification) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	good, forged := 0, 0
	for _, n := range notes {
		w := h.watches[n.SubscriptionID]
		switch {
		case w == nil:
			h.status.Unknown++
		case !hmac.Equal([]byte(n.ClientState), []byte(w.state)):
			forged++
		default:
			good++
			w.tell(n.news())
		}
	}
	h.status.Notifications += good
	h.status.Forged += forged
	if good > 0 {
		h.status.Last = time.Now().UTC()
	}
	return forged == 0 || good > 0
}

// secret makes what Graph has to repeat for a mailbox, or, with another use,
// something that may be seen: whoever has one learns nothing of the others.
func (h *Webhook) secret(use, notifier, mailbox string) string {
	mac := hmac.New(sha256.New, h.key)
	fmt.Fprintf(mac, "%q", []string{use, notifier, key(mailbox)})
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// notification is what counts of one. Its resource is a GUID of Graph's: the
// subscription says which mailbox it is about.
// https://learn.microsoft.com/graph/api/resources/changenotification
type notification struct {
	SubscriptionID string          `json:"subscriptionId"`
	ClientState    calendar.Secret `json:"clientState"`
	Lifecycle      string          `json:"lifecycleEvent"`
}

// news says what a notification means for a watch.
// https://learn.microsoft.com/graph/change-notifications-lifecycle-events
func (n *notification) news() news {
	switch n.Lifecycle {
	case "reauthorizationRequired":
		return reauthorize
	case "subscriptionRemoved":
		return removed
	}
	// A change, "missed", or something that Graph does not send yet: whatever it
	// is, reading the calendar is right.
	return changed
}

var (
	errTooMany = errors.New("too many notifications")
	errForm    = errors.New("no collection of notifications")
)

// readNotifications reads a changeNotificationCollection. It keeps little of it
// at a time, whatever the body is.
func readNotifications(r io.Reader) ([]notification, error) {
	dec := json.NewDecoder(r)
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, cmp.Or(err, errForm)
	}
	var out []notification
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if key != "value" {
			var skipped json.RawMessage // "validationTokens" of notifications with content, say
			if err := dec.Decode(&skipped); err != nil {
				return nil, err
			}
			continue
		}
		if t, err := dec.Token(); err != nil || t != json.Delim('[') || out != nil {
			return nil, cmp.Or(err, errForm)
		}
		out = []notification{}
		for dec.More() {
			if len(out) == maxNotes {
				return nil, errTooMany
			}
			var n notification
			if err := dec.Decode(&n); err != nil {
				return nil, err
			}
			if n.SubscriptionID == "" {
				return nil, errForm
			}
			out = append(out, n)
		}
		if _, err := dec.Token(); err != nil { // ]
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil { // }
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, cmp.Or(err, errForm)
	}
	if out == nil {
		return nil, errForm
	}
	return out, nil
}
