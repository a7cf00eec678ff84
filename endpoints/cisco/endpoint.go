package cisco

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
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
)

// Push is a way to write bookings.
type Push string

// The ways to write bookings. PushAuto takes Bookings Put where the software is
// CE 9.14 or later and the device is registered with Webex, and the older
// /bookingsputxml otherwise; where the device refuses one, it tries the other
// once and remembers the outcome for that software version.
const (
	PushAuto     Push = ""
	PushBookings Push = "bookings-put"
	PushLegacy   Push = "bookingsputxml"
)

// WebRTC says whether a device is given links of Teams and Google Meet.
type WebRTC string

// The values of WebRTC. WebRTCAuto gives them to Board, Desk and Room devices
// from RoomOS 10 on (Teams) and from 11 on (Meet) that are registered with
// Webex. Cisco says it by product and release; this is a summary, and not from
// hardware.
const (
	WebRTCAuto WebRTC = ""
	WebRTCOn   WebRTC = "on"
	WebRTCOff  WebRTC = "off"
)

// Options change how a device is treated. The zero value of a field is its
// default.
type Options struct {
	// Name is the device in errors and alarms. Default the host.
	Name string
	// Fingerprint is the SHA-256 of the device's certificate in hexadecimal, with
	// or without colons. With it, only that certificate is accepted, and its
	// name and its signature do not matter. Without it the certificate must be
	// signed by CA, or if that is nil by an authority of this machine.
	Fingerprint string
	CA          *x509.CertPool
	// TakeOver lets the first Show replace bookings of another system. See also
	// Endpoint.TakeOver.
	TakeOver bool
	// Push and WebRTC are as their types say.
	Push   Push
	WebRTC WebRTC
	// Encryption is "On" or "Off" for the calls of the buttons; empty leaves it
	// to the device.
	Encryption string
	// MaxBookings is how many meetings the device is given at most, the nearest
	// ones. Default 100. What devices can hold is not documented.
	MaxBookings int
	// Timeout is how long a single call of the device may take. Default 10 s.
	Timeout time.Duration
	// Rate is how many calls a second the device gets at most. Devices take 15
	// within a session, and others may call them too. Default 12.
	Rate float64
	// Poll is how often Watch reads back what the device has, with a tenth of
	// variation. Default 10 minutes.
	Poll time.Duration
	// Relearn is how often the software version and the abilities of the device
	// are asked for again. Default one hour.
	Relearn time.Duration
	// Logger gets what is worth knowing. Default none.
	Logger *slog.Logger

	pin []byte
}

func (o *Options) withDefaults(name string) (*Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	c.Name = cmp.Or(c.Name, name)
	c.MaxBookings = cmp.Or(c.MaxBookings, 100)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Rate = cmp.Or(c.Rate, 12)
	c.Poll = cmp.Or(c.Poll, 10*time.Minute)
	c.Relearn = cmp.Or(c.Relearn, time.Hour)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fingerprint != "" {
		pin, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(c.Fingerprint), ":", ""))
		if err != nil || len(pin) != sha256.Size {
			return nil, fmt.Errorf("fingerprint %q: want the SHA-256 of the certificate, 64 hexadecimal digits", c.Fingerprint)
		}
		c.pin = pin
	}
	switch {
	case c.MaxBookings < 0, c.Timeout < 0, c.Rate < 0, c.Poll < 0, c.Relearn < 0:
		return nil, errors.New("MaxBookings, Timeout, Rate, Poll and Relearn must not be negative")
	case c.Push != PushAuto && c.Push != PushBookings && c.Push != PushLegacy:
		return nil, fmt.Errorf("push %q: want %q or %q, or nothing", c.Push, PushBookings, PushLegacy)
	case c.WebRTC != WebRTCAuto && c.WebRTC != WebRTCOn && c.WebRTC != WebRTCOff:
		return nil, fmt.Errorf("webrtc %q: want %q or %q, or nothing", c.WebRTC, WebRTCOn, WebRTCOff)
	case c.Encryption != "" && c.Encryption != "On" && c.Encryption != "Off":
		return nil, fmt.Errorf("encryption %q: want On or Off, or nothing", c.Encryption)
	}
	return &c, nil
}

// checkHost accepts a host with or without a port.
func checkHost(host string) error {
	h := host
	if name, _, err := net.SplitHostPort(host); err == nil {
		h = name
	}
	if h == "" || strings.ContainsAny(h, "/@?# ") {
		return fmt.Errorf("host %q: want a name or an address, with a port if it is not the usual one", host)
	}
	return nil
}

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
	pushFor   string // the software version that push was tried with
	owned     bool
	sent      [32]byte // what was put last, and
	back      [32]byte // what the device had then
	known     bool     // sent and back are valid

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
	e := &Endpoint{opts: o, link: l, busy: make(chan struct{}, 1), relook: make(chan struct{}, 1), alarms: map[string]otj.Alarm{}}
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

func (e *Endpoint) unlock() { <-e.busy }

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
// writes the list if that or the meetings have changed, and reads it back.
func (e *Endpoint) Show(ctx context.Context, meetings []otj.Meeting) error {
	op := "show meetings"
	fail := func(err error) error { return endpointError(op, e.opts.Name, err) }
	if err := e.lock(ctx); err != nil {
		return fail(err)
	}
	defer e.unlock()

	op = "connect"
	if err := e.learn(ctx); err != nil {
		return fail(err)
	}
	op = "list bookings"
	have, total, err := e.list(ctx)
	if err != nil {
		return fail(err)
	}
	if err := e.checkForeign(ctx, have); err != nil {
		return fail(err)
	}

	op = "put bookings"
	if n := len(meetings); n > e.opts.MaxBookings {
		meetings = meetings[:e.opts.MaxBookings]
		e.alarm(AlarmCapacity, "The room has %d meetings, and %s is given the next %d of them. Show fewer days, or raise the limit", n, e.opts.Name, e.opts.MaxBookings)
	} else {
		e.alarm(AlarmCapacity, "")
	}
	can := e.can.Load()
	list, without := can.bookings(meetings, e.opts.Encryption)
	if without > 0 {
		e.alarm(AlarmNoButton, "%d meetings are shown without a button: %s no longer dials their addresses", without, e.opts.Name)
	} else {
		e.alarm(AlarmNoButton, "")
	}
	body, err := putBody(list)
	if err != nil {
		return fail(err)
	}
	sum := sha256.Sum256([]byte(body))
	if e.known && e.sent == sum && e.back == sumOf(have) || len(list) == 0 && len(have) == 0 && total <= 0 {
		e.remember(sum, have)
		return nil
	}
	e.known = false
	if err := e.put(ctx, list, body); err != nil {
		return fail(e.masked(err, list))
	}
	op = "read back bookings"
	have, err = e.confirm(ctx, list)
	if err != nil {
		return fail(err)
	}
	e.remember(sum, have)
	return nil
}

func (e *Endpoint) remember(sum [32]byte, have []held) {
	e.sent, e.back, e.known, e.owned = sum, sumOf(have), true, true
	e.mu.Lock()
	e.met, e.last = true, e.back
	e.mu.Unlock()
}

// learn begins a session, and asks the device what it is, if that is due.
func (e *Endpoint) learn(ctx context.Context) error {
	var fresh bool
	err := e.limited(ctx, func(ctx context.Context) (err error) {
		fresh, err = e.link.open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if !fresh && time.Since(e.learnedAt) < e.opts.Relearn {
		return nil
	}
	var unit, webex, clock, network *roomos.Node
	for _, q := range []struct {
		to     **roomos.Node
		config bool
		path   []string
	}{
		{&unit, false, []string{"SystemUnit"}},
		{&webex, false, []string{"Webex", "Status"}},
		{&clock, false, []string{"Time", "SystemTime"}},
		{&network, true, []string{"NetworkServices"}},
	} {
		err := e.limited(ctx, func(ctx context.Context) (err error) {
			if q.config {
				*q.to, err = e.link.config(ctx, q.path...)
			} else {
				*q.to, err = e.link.status(ctx, q.path...)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	version, ok := roomos.ParseVersion(unit.Value("Software", "Version"))
	if !ok {
		return notDevice("no software version in its status")
	}
	product := firstOf(unit.Value("ProductPlatform"), unit.Value("ProductId"))
	registered := strings.EqualFold(webex.Value(), "Registered")
	e.checkClock(clock.Value())
	e.decide(version, registered)
	can := &abilities{
		version: version,
		sip:     !strings.EqualFold(network.Value("SIP", "Mode"), "Off"),
		h323:    !strings.EqualFold(network.Value("H323", "Mode"), "Off"),
		spark:   registered,
		legacy:  e.push == PushLegacy,
		none:    roomos.Allows(roomos.Protocols, "None", version),
		icons:   roomos.Allows(roomos.Platforms, "Other", version),
	}
	rtc := roomos.Allows(roomos.Protocols, "WebRTC", version) &&
		(e.opts.WebRTC == WebRTCOn || e.opts.WebRTC == WebRTCAuto && registered && hasWebRTC(product))
	can.teamsRTC = rtc
	can.meetRTC = rtc && (e.opts.WebRTC == WebRTCOn || version.AtLeast(11, 0))
	e.adopt(can)
	e.learnedAt = time.Now()
	return nil
}

// adopt makes can what Dials answers from, and lets Watch know of a change.
func (e *Endpoint) adopt(can *abilities) {
	if old := e.can.Swap(can); *old != *can {
		e.opts.Logger.Info("cisco device", "device", e.opts.Name, "version", can.version.String(), "sip", can.sip, "h323", can.h323,
			"spark", can.spark, "teams", can.teamsRTC, "meet", can.meetRTC, "legacy", can.legacy)
		select {
		case e.relook <- struct{}{}:
		default:
		}
	}
}

// hasWebRTC reports whether a product can join Teams and Meet in its browser.
func hasWebRTC(product string) bool {
	p := strings.ToUpper(strings.TrimPrefix(product, "Cisco "))
	p = strings.TrimPrefix(strings.TrimPrefix(p, "TELEPRESENCE "), "WEBEX ")
	for _, old := range []string{"SX", "MX", "DX", "EX", "C20", "C40", "C60", "C90", "PROFILE", "IX"} {
		if strings.HasPrefix(p, old) {
			return false
		}
	}
	return true
}

// decide chooses the way to write bookings.
func (e *Endpoint) decide(v roomos.Version, registered bool) {
	if e.opts.Push != PushAuto {
		e.push, e.pushFor = e.opts.Push, v.Raw
		return
	}
	if e.pushFor == v.Raw {
		return // the version has not changed: what was found out still holds
	}
	e.push, e.pushFor = PushLegacy, v.Raw
	if v.AtLeast(9, 14) && registered {
		e.push = PushBookings
	}
	if _, http := e.link.(*httpLink); !http {
		e.push = PushBookings
	}
}

func (e *Endpoint) checkClock(clock string) {
	t, err := time.Parse(time.RFC3339, clock)
	if err != nil {
		return // no zone, or nothing: not to be compared
	}
	if skew := time.Since(t); skew.Abs() > 2*time.Minute {
		e.alarm(AlarmClock, "The clock of %s differs by %v: its buttons come at the wrong time. Set NetworkServices NTP on the device", e.opts.Name, skew.Abs().Round(time.Minute))
	} else {
		e.alarm(AlarmClock, "")
	}
}

// list reads what the device has.
func (e *Endpoint) list(ctx context.Context) (have []held, total int, err error) {
	err = e.limited(ctx, func(ctx context.Context) error {
		n, err := e.link.command(ctx, command{name: "Bookings List", args: []argument{{"Days", "365"}, {"DayOffset", "0"}}})
		if err != nil {
			return err
		}
		have, total = readList(n)
		return nil
	})
	return have, total, err
}

// checkForeign looks for bookings of others. At first contact they are left
// alone; later the device is ours, and an alarm says who else writes.
func (e *Endpoint) checkForeign(ctx context.Context, have []held) error {
	foreign := 0
	for i := range have {
		if !strings.HasPrefix(have[i].id, IDPrefix) {
			foreign++
		}
	}
	if foreign == 0 {
		e.mu.Lock()
		if a, ok := e.alarms[AlarmForeign]; ok && time.Since(a.Since) > time.Hour {
			delete(e.alarms, AlarmForeign)
		}
		e.mu.Unlock()
		return nil
	}
	writer := e.writer(ctx)
	if !e.owned && !e.taken.Load() {
		e.alarm(AlarmForeign, "%s has %d bookings of another system (%s), which are left as they are. %s", e.opts.Name, foreign, writer, fixForeign)
		return &fault{kind: otj.ErrForeignBookings, text: fmt.Sprintf("%d bookings, perhaps of %s", foreign, writer), fix: fixForeign}
	}
	e.alarm(AlarmForeign, "Another system (%s) writes bookings to %s too: the lists overwrite each other. Stop one of them", writer, e.opts.Name)
	return nil
}

// writer guesses who else writes bookings, from the device's configuration.
func (e *Endpoint) writer(ctx context.Context) string {
	var n *roomos.Node
	err := e.limited(ctx, func(ctx context.Context) (err error) {
		n, err = e.link.config(ctx, "Provisioning")
		return err
	})
	switch {
	case err == nil && strings.EqualFold(n.Value("Mode"), "TMS"):
		return clean("TMS at " + firstOf(n.Value("ExternalManager", "Address"), "an address not set"))
	case e.can.Load().spark:
		return "Webex Hybrid Calendar, or a program that pushes"
	}
	return "a program that pushes, or a person at the panel"
}

// put writes the list. A device that refuses one way is tried the other way,
// once for a software version.
func (e *Endpoint) put(ctx context.Context, list []putBooking, body string) error {
	err := e.putBy(ctx, e.push, list, body)
	var refused *CommandError
	var status *statusError
	other := PushLegacy
	tryOther := false
	switch {
	case err == nil:
		e.alarm(AlarmTeams, "")
		return nil
	case errors.As(err, &refused) && refused.inTeams():
		e.alarm(AlarmTeams, "%s refuses bookings in Microsoft Teams Rooms mode. Take the room out of One-Touch Join, or the device out of that mode", e.opts.Name)
	case errors.As(err, &refused):
		tryOther = e.push == PushBookings && refused.Status != "ParameterError" && errors.Is(err, otj.ErrRejected)
	case errors.As(err, &status):
		other, tryOther = PushBookings, e.push == PushLegacy && (status.code == 404 || status.code == 400 || status.code == 405)
	}
	if !tryOther || e.opts.Push != PushAuto {
		return err
	}
	if e.putBy(ctx, other, list, body) != nil {
		return err // the first refusal says more
	}
	e.opts.Logger.Info("cisco device takes bookings another way than expected", "device", e.opts.Name, "way", string(other), "version", e.pushFor)
	e.push = other
	can := *e.can.Load()
	can.legacy = other == PushLegacy
	e.adopt(&can)
	return nil
}

func (e *Endpoint) putBy(ctx context.Context, way Push, list []putBooking, body string) error {
	return e.limited(ctx, func(ctx context.Context) error {
		if way == PushLegacy {
			plain := slices.Clone(list)
			for i := range plain {
				if plain[i].Protocol == "WebRTC" || plain[i].Protocol == "None" {
					plain[i].Number = ""
				}
			}
			return e.link.putLegacy(ctx, legacyTree(plain, ` item="1" status="OK"`))
		}
		_, err := e.link.command(ctx, command{name: "Bookings Put", body: body})
		return err
	})
}

// confirm reads the list back and compares it with what was written, by Id: an
// organizer, for one, comes back in another form.
func (e *Endpoint) confirm(ctx context.Context, list []putBooking) ([]held, error) {
	have, total, err := e.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && (len(have) > 0 || total > 0) {
		// Not every software takes an empty list for one.
		err := e.limited(ctx, func(ctx context.Context) error {
			_, err := e.link.command(ctx, command{name: "Bookings Clear"})
			return err
		})
		if err != nil {
			return nil, err
		}
		if have, total, err = e.list(ctx); err != nil {
			return nil, err
		}
		if len(have) > 0 || total > 0 {
			return nil, &fault{kind: otj.ErrRejected, text: fmt.Sprintf("%d bookings are still there after they were cleared", max(total, len(have))),
				fix: "Clear the bookings on the device: xCommand Bookings Clear"}
		}
		return have, nil
	}
	byID := make(map[string]*held, len(have))
	for i := range have {
		byID[have[i].id] = &have[i]
	}
	now, missing, differ := time.Now(), 0, 0
	for i := range list {
		b := &list[i]
		h := byID[b.ID]
		start, _ := time.Parse(utc, b.Time.StartTime)
		switch {
		case h == nil && start.After(now):
			missing++
		case h != nil && (!h.start.Equal(start) || h.number != b.Number && b.Number != ""):
			differ++
		}
	}
	if differ > 0 || missing > 0 && total < len(list) && !e.clockWrong() {
		return nil, &fault{kind: otj.ErrRejected, text: fmt.Sprintf("of %d bookings the device lacks %d and has %d otherwise", len(list), missing, differ),
			fix: "The device accepted the list and does not have it: look at its log, and give it fewer bookings"}
	}
	return have, nil
}

func (e *Endpoint) clockWrong() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.alarms[AlarmClock]
	return ok
}

// masked takes out of an error what the device repeats of the bookings: titles,
// and numbers with their passcodes.
func (e *Endpoint) masked(err error, list []putBooking) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	m := *f
	for i := range list {
		for _, s := range []string{list[i].Number, list[i].Title, list[i].Organizer.Name, list[i].Organizer.Email} {
			if len(s) > 3 {
				m.text = strings.ReplaceAll(m.text, s, "[redacted]")
			}
		}
	}
	if m.text != f.text {
		m.cause = nil // it has the words too
	}
	return &m
}

// Watch calls wake when the device has other bookings than it was given, has
// restarted, or can dial something else. It reads the device back every
// Options.Poll, and at once where the device says that something has happened.
func (e *Endpoint) Watch(ctx context.Context, wake func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if c, ok := e.link.(*socketLink); ok {
		defer c.end(ctx) //nolint:errcheck // it has none
	}
	defer wg.Wait()
	defer cancel()
	said := make(chan struct{}, 1)
	if e.events != nil {
		wg.Go(func() {
			for delay := time.Second; ctx.Err() == nil; delay = min(2*delay, time.Minute) {
				began := time.Now()
				err := e.events(ctx, func() {
					select {
					case said <- struct{}{}:
					default:
					}
				})
				if ctx.Err() != nil {
					return
				}
				if time.Since(began) > time.Minute {
					delay = time.Second
				}
				e.opts.Logger.Debug("cisco device connection ended", "device", e.opts.Name, "error", err)
				sleep(ctx, min(delay, e.opts.Poll))
			}
		})
	}
	for {
		// A tenth more or less, so that devices that were started together do not
		// stay together.
		timer := time.NewTimer(e.opts.Poll + time.Duration((rand.Float64()-0.5)*0.2*float64(e.opts.Poll)))
		look := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.relook:
			timer.Stop()
			wake()
			continue
		case <-said:
			look = true
		case <-timer.C:
			look = true
		}
		timer.Stop()
		if look && e.changed(ctx) {
			wake()
		}
	}
}

// changed reads the device back and reports whether it has something else than
// it had after the last Show. A device that cannot be read has not changed: the
// next look will tell.
func (e *Endpoint) changed(ctx context.Context) bool {
	if e.lock(ctx) != nil {
		return false
	}
	defer e.unlock()
	e.mu.Lock()
	met, last := e.met, e.last
	e.mu.Unlock()
	if !met {
		return false
	}
	if err := e.learn(ctx); err != nil {
		return false
	}
	have, _, err := e.list(ctx)
	if err != nil {
		return false
	}
	return sumOf(have) != last
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
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
