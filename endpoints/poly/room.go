package poly

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/endpoints/internal/lockout"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// RoomOptions change a room.
type RoomOptions struct {
	// Mailbox is the room's address, as the device is configured with it.
	// Requests for another mailbox are refused. Default: whatever mailbox the
	// device names, it gets its own meetings.
	Mailbox string
	// Token is the form of Polycom's token in bodies. Default TokenFull.
	Token Token
	// PollEvery is how often the device should poll; after three times as long
	// without a poll there is an alarm. Default 5 minutes.
	PollEvery time.Duration
	// NoPollAlarm switches that alarm off.
	NoPollAlarm bool
}

// Room is the endpoint of one device. Until its first Show the device is told to
// ask again later, so that it keeps what it has. It is safe for concurrent use.
type Room struct {
	name   string
	cred   Credential
	opts   RoomOptions
	polls  *rate.Limiter   // all requests
	tries  *lockout.Client // wrong passwords
	secret [16]byte        // of its sync states and watermarks

	mu      sync.RWMutex
	ready   bool    // Show was called
	entries []entry // never changed in place
	seq     uint64  // of the last change
	gone    []tombstone
	floor   uint64 // changes up to it are forgotten
	subs    []subscription
	started time.Time
	status  Status
	capture capture
}

var (
	_ otj.Endpoint = (*Room)(nil)
	_ otj.Alarmer  = (*Room)(nil)
)

func newRoom(name string, c Credential, perMinute int, opts *RoomOptions) (*Room, error) {
	c.Salt, c.NT = slices.Clone(c.Salt), slices.Clone(c.NT)
	r := &Room{name: name, cred: c, started: time.Now().UTC(),
		polls: rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute), tries: lockout.NewClient()}
	if opts != nil {
		r.opts = *opts
	}
	switch r.opts.Token {
	case "":
		r.opts.Token = TokenFull
	case TokenFull, TokenSplit, TokenNone:
	default:
		return nil, fmt.Errorf("poly: room %q has the token form %q; there are full, split and none", name, r.opts.Token)
	}
	if r.opts.PollEvery <= 0 {
		r.opts.PollEvery = 5 * time.Minute
	}
	_, _ = rand.Read(r.secret[:])
	return r, nil
}

// Dials reports whether a is a SIP or H.323 address.
func (r *Room) Dials(a rules.Address) bool {
	return !a.IsZero() && (a.Scheme == rules.SIP || a.Scheme == rules.SIPS || a.Scheme == rules.H323)
}

// Show makes meetings what the device gets at its next poll.
func (r *Room) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := ctx.Err(); err != nil {
		return &otj.EndpointError{Op: "show meetings", Endpoint: r.name, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := make(map[string]*entry, len(r.entries))
	for i := range r.entries {
		before[r.entries[i].ID] = &r.entries[i]
	}
	entries := make([]entry, len(meetings))
	for i, m := range meetings {
		e := entry{Meeting: m, key: changeKey(&m)}
		old := before[m.ID]
		switch {
		case old == nil:
			r.seq++
			e.created, e.changed = r.seq, r.seq
		case old.key != e.key:
			r.seq++
			e.created, e.changed = old.created, r.seq
		default:
			e.created, e.changed = old.created, old.changed
		}
		delete(before, m.ID)
		entries[i] = e
	}
	for i := range r.entries { // in their order
		if old := &r.entries[i]; before[old.ID] != nil {
			r.seq++
			r.bury(tombstone{id: old.ID, key: old.key, created: old.created, removed: r.seq})
		}
	}
	r.entries, r.ready = entries, true
	return nil
}

// isReady reports whether it is known what the device shows.
func (r *Room) isReady() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ready
}

// client is what counts wrong passwords of a room that may be nil.
func (r *Room) client() *lockout.Client {
	if r == nil {
		return nil
	}
	return r.tries
}

// current returns the meetings as they are now. They are not changed in place.
func (r *Room) current() []entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.entries
}

// Status is what a room knows of its device.
type Status struct {
	// LastPoll is when the device last asked with the right password, in UTC;
	// zero if never. Scheme is how it authenticated.
	LastPoll  time.Time `json:"last_poll"`
	Scheme    Scheme    `json:"scheme"`
	UserAgent string    `json:"user_agent"`
	// LastRefused is when somebody last tried with a wrong password, in UTC.
	LastRefused time.Time `json:"last_refused"`
	// Operations counts what was asked for, and Unknown those of it that are
	// not served.
	Operations map[string]int `json:"operations"`
	Unknown    map[string]int `json:"unknown"`
	// Given is how many meetings the last FindItem gave.
	Given int `json:"given"`
}

// maxOperations is how many names of operations are kept; they come from the
// device.
const maxOperations = 64

// Status returns what the room knows of its device.
func (r *Room) Status() Status {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.status
	s.Operations, s.Unknown = maps.Clone(s.Operations), maps.Clone(s.Unknown)
	return s
}

// LastCall returns when the device last asked with the right password, in UTC,
// and what it called itself. Both are zero if it never has.
func (r *Room) LastCall() (when time.Time, agent string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.status.LastPoll, r.status.UserAgent
}

// record notes a request that was authenticated. The operation is empty where
// it could not be read.
func (r *Room) record(req *http.Request, op string, body []byte, given int) {
	kept := r.capturing()
	var redacted []byte
	if kept {
		redacted = redact(req, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept {
		r.capture.add(redacted)
	}
	if op == "" {
		op = "unreadable"
	}
	counts := &r.status.Operations
	if operations[op] == nil && op != "GetUserSettingsRequestMessage" && op != poxOperation {
		counts = &r.status.Unknown
	}
	if *counts == nil {
		*counts = map[string]int{}
	}
	if _, ok := (*counts)[op]; ok || len(*counts) < maxOperations {
		(*counts)[op]++
	}
	if op == "FindItem" {
		r.status.Given = given
	}
}

// polled notes that the device was let in.
func (r *Room) polled(req *http.Request, address string, scheme Scheme) {
	agent := req.UserAgent()
	agent = agent[:min(len(agent), 200)]
	r.tries.Accept(address)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastPoll, r.status.Scheme = time.Now().UTC(), scheme
	if r.status.UserAgent != agent {
		r.status.UserAgent = agent
	}
}

// refused notes a wrong password.
func (r *Room) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastRefused = time.Now().UTC()
}

// AlarmNotPolling is the code of a room's alarm: the device has not asked for
// its meetings for too long.
const AlarmNotPolling = "not-polling"

// Alarms says whether the device has not polled for too long.
func (r *Room) Alarms() []otj.Alarm {
	if r.opts.NoPollAlarm {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	last, text := r.status.LastPoll, "The device has not asked for its meetings since "+r.status.LastPoll.Format("2006-01-02 15:04 MST")+"."
	if last.IsZero() {
		last, text = r.started, "The device has never asked for its meetings."
	}
	since := last.Add(3 * r.opts.PollEvery)
	if time.Now().Before(since) {
		return nil
	}
	if r.status.LastRefused.After(last) {
		text += " It has tried with a wrong password: give it a new one."
	} else {
		text += " Check that it is on, that its calendar is registered, and that it reaches this server."
	}
	return []otj.Alarm{{Code: AlarmNotPolling, Text: text, Since: since.UTC()}}
}
