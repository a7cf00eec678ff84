package cisco

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The codes of the alarms that an Endpoint raises.
const (
	// AlarmForeign: the device has, or had within the last hour, bookings of
	// another system.
	AlarmForeign = "foreign-bookings"
	// AlarmCapacity: there are more meetings than the device is given.
	AlarmCapacity = "too-many-meetings"
	// AlarmClock: the clock of the device is wrong.
	AlarmClock = "clock-wrong"
	// AlarmTeams: the device is in Microsoft Teams Rooms mode.
	AlarmTeams = "teams-rooms-mode"
	// AlarmNoButton: the device cannot dial an address that it could before.
	AlarmNoButton = "address-not-dialable"
	// AlarmFeedback: the device cannot tell of changes by its HttpFeedback.
	AlarmFeedback = "feedback-failed"
)

// Endpoint is a device that is given its meetings by calls of its API. Make one
// with [New], [NewWebSocket] or [NewCloud]. It implements otj.Endpoint,
// otj.Watcher and otj.Alarmer, and is safe for concurrent use.
type Endpoint struct {
	opts *Options
	link link
	// events waits for what the device says by itself; nil if it says nothing.
	events func(ctx context.Context, changed func()) error

	can    atomic.Pointer[abilities]
	taken  atomic.Bool
	relook chan struct{} // a token lets Watch look again; buffered

	busy chan struct{} // holds a token while a call of the device runs

	// What is known of the device, by the holder of busy.
	learnedAt time.Time
	push      Push
	pushFor   string // the software version, and registration, that push was tried with
	owned     bool
	sent      [32]byte  // what was put last, and
	back      [32]byte  // what the device had then
	known     bool      // sent and back are valid
	ids       []uint64  // of what was put last; see idSum
	foreignAt time.Time // when there last were bookings of another system
	raw       [32]byte  // of the bytes of the answer that back was made of
	behind    bool      // the last Show has failed
	otherWay  string    // what pushFor was when both ways to write were tried
	fits      int       // how many bookings the device took when it refused more; 0 if it has not
	refusal   string    // what it said then

	mu     sync.Mutex
	alarms map[string]otj.Alarm
	met    bool // back is something to compare with
	last   [32]byte
}

// New returns the endpoint of the device at host, which is a name or an address
// with or without a port, called over HTTPS. The account must have the role
// Admin. New calls nobody.
func New(host string, creds Credentials, opts *Options) (*Endpoint, error) {
	o, err := opts.withDefaults(host)
	if err == nil {
		err = checkHost(host)
	}
	if err == nil && creds == nil {
		err = errors.New("credentials are missing")
	}
	if err != nil {
		return nil, fmt.Errorf("cisco endpoint %s: %w", host, err)
	}
	return newEndpoint(newHTTPLink(host, creds, o), o), nil
}

func newEndpoint(l link, o *Options) *Endpoint {
	e := &Endpoint{opts: o, link: l, busy: make(chan struct{}, 1), relook: make(chan struct{}, 1)}
	e.taken.Store(o.TakeOver)
	// Before the first contact: what every device can.
	e.can.Store(&abilities{sip: true, h323: true})
	return e
}

// Dials reports whether the device can join by a, from what it said of itself
// when it was last asked. Before the first contact it is SIP and H.323.
func (e *Endpoint) Dials(a rules.Address) bool {
	_, _, ok := e.can.Load().dial(a)
	return ok
}

// TakeOver lets Show replace bookings of another system that are on the device.
func (e *Endpoint) TakeOver() { e.taken.Store(true) }

// Alarms returns the conditions that hold now.
func (e *Endpoint) Alarms() []otj.Alarm {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]otj.Alarm, 0, len(e.alarms))
	for _, a := range e.alarms {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b otj.Alarm) int { return strings.Compare(a.Code, b.Code) })
	return out
}

// alarm raises an alarm, or ends it if there is no text.
func (e *Endpoint) alarm(code, format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if format == "" {
		delete(e.alarms, code)
		return
	}
	a, ok := e.alarms[code]
	if !ok {
		a = otj.Alarm{Code: code, Since: time.Now().UTC()}
	}
	a.Text = fmt.Sprintf(format, args...)
	if e.alarms == nil {
		e.alarms = map[string]otj.Alarm{}
	}
	e.alarms[code] = a
}

// lock waits until no other call of the device runs.
func (e *Endpoint) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case e.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Endpoint) unlock() {
	if l, ok := e.link.(*httpLink); ok {
		l.rest()
	}
	<-e.busy
}

// limited gives a single call its time. A call that runs out of it, while ctx
// has not, finds the device unreachable.
func (e *Endpoint) limited(ctx context.Context, do func(ctx context.Context) error) error {
	cctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	err := do(cctx)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return &fault{kind: otj.ErrUnreachable, text: fmt.Sprintf("no answer within %v", e.opts.Timeout), fix: fixReach}
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// Show makes meetings the bookings of the device. It reads what the device has,
// writes the list if that or the meetings have changed, and reads it back. Of a
// list that the device refuses it gets the first half.
func (e *Endpoint) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := e.lock(ctx); err != nil {
		return endpointError("show meetings", e.opts.Name, err)
	}
	defer e.unlock()
	op, err := e.show(ctx, meetings)
	e.behind = err != nil
	return endpointError(op, e.opts.Name, err)
}

// show does what Show says. op is what failed.
func (e *Endpoint) show(ctx context.Context, meetings []otj.Meeting) (op string, err error) {
	if err := e.learn(ctx); err != nil {
		return "connect", err
	}
	have, err := e.list(ctx)
	if err == nil {
		err = e.checkForeign(ctx, have)
	}
	if errors.Is(err, otj.ErrForeignBookings) && len(meetings) == 0 {
		return "", nil // nothing there is ours
	}
	if err != nil {
		return "list bookings", err
	}

	can := e.can.Load()
	list, without := can.bookings(e.nearest(meetings), e.opts.Encryption)
	if without > 0 {
		e.alarm(AlarmNoButton, "%d meetings are shown without a button: %s no longer dials their addresses", without, e.opts.Name)
	} else {
		e.alarm(AlarmNoButton, "")
	}
	body, sum, err := putBody(list)
	if err != nil {
		return "put bookings", err
	}
	if e.known && e.sent == sum && e.back == have.sum || len(list) == 0 && have.empty() {
		e.remember(list, sum, have)
		return "", nil
	}
	e.known = false
	if err := e.put(ctx, list, body); err != nil {
		err = e.masked(err, list)
		if !halves(err) || len(list) < 2 {
			return "put bookings", err
		}
		// It may be too much for the device, or one of the later ones may be what it
		// does not take: the next meetings count more than the last ones.
		list = list[:len(list)/2]
		var herr error
		if body, sum, herr = putBody(list); herr == nil {
			herr = e.put(ctx, list, body)
		}
		if herr != nil {
			return "put bookings", err // the first refusal says more
		}
		e.fits, e.refusal = len(list), err.Error()
		e.nearest(meetings)
	}
	if have, err = e.confirm(ctx, list); err != nil {
		return "read back bookings", err
	}
	e.remember(list, sum, have)
	return "", nil
}

// nearest returns as many meetings as the device is given, and raises an alarm
// if there are more.
func (e *Endpoint) nearest(meetings []otj.Meeting) []otj.Meeting {
	n, most := len(meetings), e.opts.MaxBookings
	switch {
	case e.fits > 0 && e.fits < min(n, most):
		e.alarm(AlarmCapacity, "%s has refused %d meetings (%s), and is given the next %d of them. Show fewer days, and look at the meetings after those", e.opts.Name, n, e.refusal, e.fits)
		most = e.fits
	case n > most:
		e.alarm(AlarmCapacity, "The room has %d meetings, and %s is given the next %d of them. Show fewer days, or raise the limit", n, e.opts.Name, most)
	default:
		e.alarm(AlarmCapacity, "")
	}
	return meetings[:min(n, most)]
}

func (e *Endpoint) remember(list []putBooking, sum [32]byte, have *listing) {
	e.sent, e.back, e.raw, e.known, e.owned = sum, have.sum, have.raw, true, true
	e.ids = make([]uint64, len(list))
	for i := range list {
		e.ids[i] = idSum(list[i].ID)
	}
	e.mu.Lock()
	e.met, e.last = true, e.back
	e.mu.Unlock()
}

// Close ends the session on the device. The endpoint can be used again: the
// next call begins another one.
func (e *Endpoint) Close(ctx context.Context) error {
	if err := e.lock(ctx); err != nil {
		return endpointError("end session", e.opts.Name, err)
	}
	defer e.unlock()
	c, ok := e.link.(interface{ end(context.Context) error })
	if !ok {
		return nil
	}
	return endpointError("end session", e.opts.Name, e.limited(ctx, c.end))
}
