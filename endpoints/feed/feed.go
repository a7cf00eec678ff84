// Package feed serves a room's meetings to devices that nobody wrote an adapter
// for: as JSON in the form of Pexip's public One-Touch Join API, as an
// iCalendar feed, and as a signed webhook.
//
// [Server] is an http.Handler that devices poll; each [Room] of it is an
// endpoint. [Webhook] is an endpoint that pushes. openapi.yaml beside this file
// describes both.
//
// Serve a Server over TLS only: clients send their secret to it. Rate limits
// are kept per client and per address in memory, so each process counts alone,
// and behind a proxy all clients share the proxy's address.
package feed

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/internal/lockout"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Credential is what a server keeps of a client's secret. It can be stored.
type Credential struct {
	ID   string   `json:"id"`
	Salt []byte   `json:"salt"`
	Hash [32]byte `json:"hash"` // SHA-256 of Salt and the secret
}

// NewCredential returns a credential and its secret of at least 128 random
// bits, which is to be shown once and not kept.
func NewCredential() (Credential, calendar.Secret) {
	secret := rand.Text()
	c := Credential{ID: rand.Text()[:12], Salt: []byte(rand.Text())}
	c.Hash = c.sum(secret)
	return c, calendar.Secret(secret)
}

func (c Credential) sum(secret string) [32]byte {
	return sha256.Sum256(append(slices.Clone(c.Salt), secret...))
}

func (c Credential) verify(secret string) bool {
	sum := c.sum(secret)
	return subtle.ConstantTimeCompare(sum[:], c.Hash[:]) == 1
}

// Options change a server.
type Options struct {
	// TokenLife is how long an access token is valid. Default 1 hour.
	TokenLife time.Duration
	// PerMinute is how many requests a client may make in a minute, and at once.
	// Default 10, as at Pexip.
	PerMinute int
	// Dials are the schemes of addresses that rooms are given. Default sip, sips
	// and h323.
	Dials []rules.Scheme
}

// Server answers the clients of its rooms. It is safe for concurrent use.
type Server struct {
	opts Options
	mux  *http.ServeMux

	guard lockout.Guard

	mu     sync.Mutex
	rooms  map[string]*Room // by Credential.ID
	tokens map[[32]byte]token
}

type token struct {
	room *Room
	ends time.Time
}

// maxTokens is how many tokens of a room a server remembers; the oldest is
// forgotten.
const maxTokens = 8

// New returns a server without rooms. It starts no goroutine.
func New(opts *Options) *Server {
	s := &Server{rooms: map[string]*Room{}, tokens: map[[32]byte]token{}, mux: http.NewServeMux()}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.TokenLife <= 0 {
		s.opts.TokenLife = time.Hour
	}
	if s.opts.PerMinute <= 0 {
		s.opts.PerMinute = 10
	}
	s.opts.Dials = slices.Clone(s.opts.Dials)
	if s.opts.Dials == nil {
		s.opts.Dials = []rules.Scheme{rules.SIP, rules.SIPS, rules.H323}
	}
	s.mux.HandleFunc("POST /oauth/token", s.serveToken)
	s.mux.HandleFunc("GET /v1/meetings", s.serveMeetings)
	s.mux.HandleFunc("GET /v1/calendar.ics", s.serveCalendar)
	return s
}

// ServeHTTP answers a client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Room is the endpoint of one room: what it shows is what its client gets next.
// Until its first Show the client is told to ask again later, so that the device
// keeps what it has. It is safe for concurrent use.
type Room struct {
	name    string
	dials   []rules.Scheme
	cred    Credential
	polls   *rate.Limiter
	tries   *lockout.Client // wrong secrets
	granted [][32]byte      // its tokens, oldest first; guarded by Server.mu

	mu       sync.RWMutex
	ready    bool          // Show was called
	meetings []otj.Meeting // never changed in place
	changed  time.Time
	seen     time.Time
	agent    string
}

var _ otj.Endpoint = (*Room)(nil)

// Add returns a new room without meetings, whose client has the secret of c.
// The name is for people. A credential can be added once.
func (s *Server) Add(name string, c Credential) (*Room, error) {
	if c.ID == "" || len(c.Salt) == 0 {
		return nil, fmt.Errorf("feed: room %q has an incomplete credential; make one with NewCredential", name)
	}
	if strings.ContainsRune(c.ID, ':') {
		return nil, fmt.Errorf("feed: the client id of room %q must be without a colon, which ends it in a request", name)
	}
	c.Salt = slices.Clone(c.Salt)
	r := &Room{name: name, cred: c, dials: s.opts.Dials, changed: time.Now().UTC(),
		polls: rate.NewLimiter(rate.Limit(float64(s.opts.PerMinute)/60), s.opts.PerMinute),
		tries: lockout.NewClient()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[c.ID] != nil {
		return nil, fmt.Errorf("feed: client id %q is in use; each room needs its own credential", c.ID)
	}
	s.rooms[c.ID] = r
	return r, nil
}

// LastCall returns when the room's client last asked with the right secret or
// token, in UTC, and what it called itself. Both are zero if it never has.
func (r *Room) LastCall() (when time.Time, agent string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seen, r.agent
}

// called notes a request of the room's client.
func (r *Room) called(agent string) {
	agent = agent[:min(len(agent), 200)]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.agent = time.Now().UTC(), agent
}

// Remove ends a room: its client and tokens are refused from now on.
func (s *Server) Remove(r *Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.cred.ID] != r {
		return
	}
	delete(s.rooms, r.cred.ID)
	for _, t := range r.granted {
		delete(s.tokens, t)
	}
}

// Dials reports whether a's scheme is one of Options.Dials.
func (r *Room) Dials(a rules.Address) bool {
	return !a.IsZero() && slices.Contains(r.dials, a.Scheme)
}

// Show makes meetings what the client gets at its next poll.
func (r *Room) Show(ctx context.Context, meetings []otj.Meeting) error {
	if err := ctx.Err(); err != nil {
		return &otj.EndpointError{Op: "show meetings", Endpoint: r.name, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.meetings, meetings) {
		r.meetings, r.changed = slices.Clone(meetings), time.Now().UTC()
	}
	r.ready = true
	return nil
}

// grant returns a new token for r.
func (s *Server) grant(r *Room) string {
	text := rand.Text()
	key := sha256.Sum256([]byte(text))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.granted) == maxTokens {
		delete(s.tokens, r.granted[0])
		r.granted = slices.Delete(r.granted, 0, 1)
	}
	r.granted = append(r.granted, key)
	s.tokens[key] = token{r, time.Now().Add(s.opts.TokenLife)}
	return text
}

var (
	errUnauthorized = errors.New("unknown client, wrong secret or expired token")
	errLocked       = errors.New("too many wrong secrets from this address or for this client; wait a minute")
)

// byToken returns the room whose valid token text is. Tokens are looked up by
// their hash, so the time that it takes tells nothing about them.
func (s *Server) byToken(text string) (*Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[sha256.Sum256([]byte(text))]
	if !ok || !time.Now().Before(t.ends) || s.rooms[t.room.cred.ID] != t.room {
		return nil, errUnauthorized
	}
	return t.room, nil
}

// bySecret returns the room whose client's secret it is, unless there have been
// too many wrong ones.
func (s *Server) bySecret(id, secret, from string) (*Room, error) {
	s.mu.Lock()
	r := s.rooms[id]
	s.mu.Unlock()
	c := Credential{Salt: make([]byte, 26)} // the same work for unknown clients
	var tries *lockout.Client
	if r != nil {
		c, tries = r.cred, r.tries
	}
	if s.guard.Locked(tries, from) {
		return nil, errLocked
	}
	if !c.verify(secret) || r == nil {
		s.guard.Refuse(tries, from)
		return nil, errUnauthorized
	}
	tries.Accept(from)
	return r, nil
}

func retryAfter(w http.ResponseWriter, perMinute int) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, 60/perMinute)))
}
