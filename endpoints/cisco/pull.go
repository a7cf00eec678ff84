package cisco

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The codes of the alarms of devices that fetch their meetings.
const (
	// AlarmSilent: the device has not called for too long.
	AlarmSilent = "device-silent"
	// AlarmPut: the macro got the meetings, and the device refused them.
	AlarmPut = "put-failed"
	// AlarmIdentity: somebody called with the address of this device, and names
	// another one.
	AlarmIdentity = "wrong-device"
)

// PullEndpoint is a device that fetches its meetings: Show replaces what it gets
// next. Make one with MacroServer.Device or Manager.Device. It implements
// otj.Endpoint, otj.Caller, otj.Watcher and otj.Alarmer, and is safe for concurrent
// use.
type PullEndpoint struct {
	name   string
	silent time.Duration // after which AlarmSilent holds

	mu       sync.Mutex
	opts     PullOptions
	can      abilities
	meetings []otj.Meeting
	ready    bool // Show was called
	tag      string
	list     []putBooking
	given    []putBooking // what the macro was last given: the list it speaks of
	seen     time.Time
	agent    string // what the device said of itself then
	made     time.Time
	alarms   map[string]otj.Alarm
	learned  chan struct{} // a token for Watch; buffered
}

// PullOptions change how a device that fetches its meetings is treated. The zero
// value of a field is its default. They mean what those of [Options] mean.
type PullOptions struct {
	WebRTC      WebRTC
	Encryption  string
	MaxBookings int // default 100
}

// Set changes the options of the device, which count from the next Show and from
// its next call.
func (p *PullEndpoint) Set(o PullOptions) error {
	err := errors.Join(o.WebRTC.check(), checkEncryption(o.Encryption))
	if o.MaxBookings < 0 {
		err = errors.Join(err, errors.New("MaxBookings must not be negative"))
	}
	if err != nil {
		return fmt.Errorf("cisco endpoint %s: %w", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opts = o
	return nil
}

func newPull(name string, silent time.Duration, can abilities) *PullEndpoint {
	return &PullEndpoint{name: name, silent: silent, can: can, made: time.Now(), alarms: map[string]otj.Alarm{}, learned: make(chan struct{}, 1)}
}

// Dials reports whether the device can join by a, from what it last said of
// itself. Before that it is SIP and H.323.
func (p *PullEndpoint) Dials(a rules.Address) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _, ok := p.can.dial(a)
	return ok
}

// Show makes meetings what the device gets at its next call.
func (p *PullEndpoint) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := ctx.Err(); err != nil {
		return endpointError("show meetings", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, most := len(meetings), cmp.Or(p.opts.MaxBookings, 100); n > most {
		meetings = meetings[:most]
		p.alarm(AlarmCapacity, fmt.Sprintf("The room has %d meetings, and %s is given the next %d of them. Show fewer days", n, p.name, most))
	} else {
		p.alarm(AlarmCapacity, "")
	}
	p.meetings, p.ready = slices.Clone(meetings), true
	return p.build()
}

// build makes the list of the meetings. The caller holds mu.
func (p *PullEndpoint) build() error {
	p.list, _ = p.can.bookings(p.meetings, p.opts.Encryption)
	_, sum, err := putBody(p.list)
	if err != nil {
		return endpointError("show meetings", p.name, err)
	}
	p.tag = hex.EncodeToString(sum[:12])
	return nil
}

// alarm raises an alarm, or ends it. The caller holds mu.
func (p *PullEndpoint) alarm(code, text string) {
	if text == "" {
		delete(p.alarms, code)
		return
	}
	a, ok := p.alarms[code]
	if !ok {
		a = otj.Alarm{Code: code, Since: time.Now().UTC()}
	}
	a.Text = text
	p.alarms[code] = a
}

// Alarms returns the conditions that hold now.
func (p *PullEndpoint) Alarms() []otj.Alarm {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []otj.Alarm
	for _, a := range p.alarms {
		out = append(out, a)
	}
	last := p.seen
	if last.IsZero() {
		last = p.made
	}
	if time.Since(last) > p.silent {
		out = append(out, otj.Alarm{Code: AlarmSilent, Since: last.Add(p.silent).UTC(),
			Text: fmt.Sprintf("%s has not called for %v. Check its network, and that it is still set up", p.name, p.silent)})
	}
	slices.SortFunc(out, func(a, b otj.Alarm) int { return strings.Compare(a.Code, b.Code) })
	return out
}

// LastCall returns when the device called last, in UTC, and its product and
// version as it said them then. Both are zero if it never has.
func (p *PullEndpoint) LastCall() (when time.Time, agent string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.UTC(), p.agent
}

// maxAgent is how much is kept of what a device says of itself.
const maxAgent = 200

// Watch calls wake when the device has restarted, or says that it can dial
// something else.
func (p *PullEndpoint) Watch(ctx context.Context, wake func()) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.learned:
			wake()
		}
	}
}

// lost notes that the device has no list: it has restarted, or is new.
func (p *PullEndpoint) lost() {
	select {
	case p.learned <- struct{}{}:
	default:
	}
}

// called notes that the device has called, and what it is.
func (p *PullEndpoint) called(version, product string, registered, legacy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = time.Now()
	agent := strings.TrimSpace(product + " " + version)
	p.agent = agent[:min(len(agent), maxAgent)]
	v, ok := roomos.ParseVersion(version)
	if !ok {
		return
	}
	can := abilities{version: v, sip: true, h323: true, spark: registered && !legacy, legacy: legacy,
		none: roomos.Allows(roomos.Protocols, "None", v), icons: roomos.Allows(roomos.Platforms, "Other", v)}
	can.teamsRTC = !legacy && p.opts.WebRTC.allows(v, product, registered)
	can.meetRTC = can.teamsRTC && (p.opts.WebRTC == WebRTCOn || v.AtLeast(11, 0))
	if can == p.can {
		return
	}
	p.can = can
	p.build() //nolint:errcheck // texts and numbers do encode
	p.lost()
}
