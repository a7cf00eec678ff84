package cisco

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Feedback hears from devices by their HttpFeedback, for networks in which a
// WebSocket does not stay open. It is an http.Handler, to be served where
// devices reach it. Make one with [NewFeedback]; it is safe for concurrent use.
//
// What a device posts only makes its endpoint look at it: nothing of it is
// believed.
type Feedback struct {
	base string

	mu    sync.Mutex
	hooks map[string]*hook // by the SHA-256 of the secret part of the path
}

type hook struct {
	changed chan struct{} // buffered
}

// tmsSlot is the slot of HttpFeedback that TMS uses.
const tmsSlot = 3

// firstLook is when a slot is looked at for the first time.
const firstLook = 30 * time.Second

// feedbackExpressions are what the device is asked to tell of.
var feedbackExpressions = []string{"/Event/Bookings", "/Event/BootEvent", "/Event/CallSuccessful", "/Event/CallDisconnect", "/Status/Standby/State",
	"/Configuration/NetworkServices", "/Status/Webex/Status"}

// NewFeedback returns a Feedback that devices reach at baseURL.
func NewFeedback(baseURL string) (*Feedback, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("feedback: base URL %q: want https://host/path", baseURL)
	}
	return &Feedback{base: strings.TrimSuffix(baseURL, "/"), hooks: map[string]*hook{}}, nil
}

// ServeHTTP takes what devices post.
func (f *Feedback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secret := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	f.mu.Lock()
	h := f.hooks[sumHex(secret)]
	f.mu.Unlock()
	if h == nil || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxAnswer)) //nolint:errcheck // what it says does not matter
	select {
	case h.changed <- struct{}{}:
	default:
	}
	w.WriteHeader(http.StatusOK)
}

// Attach lets Watch of an endpoint made with [New] register a webhook on the
// device, in a slot from 1 to 4 that is not 3, which TMS uses. Watch looks at
// the slot every Options.Poll, enables it again where it has failed, and takes
// it away when it ends. Attach must be called before Watch.
func (f *Feedback) Attach(e *Endpoint, slot int) error {
	if slot < 1 || slot > 4 || slot == tmsSlot {
		return fmt.Errorf("feedback slot %d: want 1, 2 or 4; TMS uses 3", slot)
	}
	if _, ok := e.link.(*httpLink); !ok {
		return errors.New("feedback: only for an endpoint over HTTPS")
	}
	e.events = func(ctx context.Context, changed func()) error { return f.watch(ctx, e, slot, changed) }
	return nil
}

func (f *Feedback) watch(ctx context.Context, e *Endpoint, slot int, changed func()) error {
	secret := rand.Text()
	h := &hook{changed: make(chan struct{}, 1)}
	key := sumHex(secret)
	f.mu.Lock()
	f.hooks[key] = h
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.hooks, key)
		f.mu.Unlock()
	}()
	number := strconv.Itoa(slot)
	args := []argument{{"FeedbackSlot", number}, {"ServerUrl", f.base + "/" + secret}, {"Format", "XML"}}
	for _, x := range feedbackExpressions {
		args = append(args, argument{"Expression", x})
	}
	if err := e.do(ctx, command{name: "HttpFeedback Register", args: args}); err != nil {
		return err
	}
	defer e.do(context.WithoutCancel(ctx), command{name: "HttpFeedback Deregister", args: args[:1]}) //nolint:errcheck // the device may be gone
	changed()
	defer e.alarm(AlarmFeedback, "")
	// The first look comes soon: what the device was told to post meanwhile has
	// arrived, or it cannot reach us.
	for wait := min(firstLook, e.opts.Poll); ; wait = e.opts.Poll {
		tick, cancel := context.WithTimeout(ctx, wait)
		select {
		case <-h.changed:
			changed()
		case <-tick.Done():
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		state, err := e.slot(ctx, slot)
		switch {
		case err != nil:
			return err
		case strings.EqualFold(state, "Failed"):
			e.alarm(AlarmFeedback, "%s cannot tell of changes: its HttpFeedback to %s has failed (slot %d), so it is only looked at every %v. See whether the device reaches that address and trusts its certificate", e.opts.Name, f.base, slot, e.opts.Poll)
			if err := e.do(ctx, command{name: "HttpFeedback Enable", args: args[:1]}); err != nil {
				return err
			}
			changed() // something may have been missed
		case state == "":
			return errors.New("the device has forgotten the webhook")
		default:
			e.alarm(AlarmFeedback, "")
		}
	}
}

// do executes a command when no other call of the device runs.
func (e *Endpoint) do(ctx context.Context, c command) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	return e.limited(ctx, func(ctx context.Context) error {
		_, err := e.link.command(ctx, c)
		return err
	})
}

// slot returns the state of a slot of HttpFeedback; empty if it is not in use.
func (e *Endpoint) slot(ctx context.Context, slot int) (state string, err error) {
	if err := e.lock(ctx); err != nil {
		return "", err
	}
	defer e.unlock()
	var n *roomos.Node
	err = e.limited(ctx, func(ctx context.Context) (err error) {
		n, err = e.link.status(ctx, "HttpFeedback["+strconv.Itoa(slot)+"]")
		return err
	})
	return n.Value("Status"), err
}
