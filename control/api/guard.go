package api

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

// Guard says who calls, and limits how often a network address may call and how
// often it may be wrong about who it is. It is safe for concurrent use.
type Guard struct {
	opts GuardOptions

	mu      sync.Mutex
	callers map[string]*caller
	swept   time.Time
}

// GuardOptions are the limits. Zero fields have their defaults.
type GuardOptions struct {
	// Rate is how many calls a second an address may make, and Burst how many at
	// once. Defaults 20 and 100.
	Rate  float64
	Burst int
	// Failures is how many times an address may be wrong within Lockout before
	// it has to wait that long. Defaults 10 and 15 minutes.
	Failures int
	Lockout  time.Duration
	// ClientAddress returns the network address that a request comes from.
	// Default: that of the connection. Behind a proxy it has to be what that
	// proxy, and nobody else, writes into a header.
	ClientAddress func(*http.Request) string
}

type caller struct {
	limit    *rate.Limiter
	failures []time.Time
	seen     time.Time
}

// NewGuard returns a Guard. It starts nothing.
func NewGuard(opts *GuardOptions) *Guard {
	g := &Guard{callers: map[string]*caller{}}
	if opts != nil {
		g.opts = *opts
	}
	o := &g.opts
	if o.Rate == 0 {
		o.Rate = 20
	}
	if o.Burst == 0 {
		o.Burst = 100
	}
	if o.Failures == 0 {
		o.Failures = 10
	}
	if o.Lockout == 0 {
		o.Lockout = 15 * time.Minute
	}
	if o.ClientAddress == nil {
		o.ClientAddress = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	return g
}

// ErrCSRF is the error of a change that a browser sent without the token of its
// session.
var ErrCSRF = errors.New("the header " + CSRFHeader + " does not belong to this session; load the page again")

// LimitedError is the error of an address that calls too often or was wrong too
// often.
type LimitedError struct{ After time.Duration }

// Error returns one line.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("too many calls or failed sign-ins from your address; try again in %v", e.After.Round(time.Second))
}

// Address returns the network address that a request comes from.
func (g *Guard) Address(r *http.Request) string { return g.opts.ClientAddress(r) }

// Allow takes one call of the request's address, or returns a *LimitedError.
func (g *Guard) Allow(r *http.Request) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	c := g.caller(g.Address(r), now)
	c.failures = recent(c.failures, now.Add(-g.opts.Lockout))
	if len(c.failures) >= g.opts.Failures {
		return &LimitedError{c.failures[0].Add(g.opts.Lockout).Sub(now)}
	}
	if !c.limit.AllowN(now, 1) {
		return &LimitedError{time.Second}
	}
	return nil
}

// Failed counts a failed sign-in against the request's address.
func (g *Guard) Failed(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.caller(g.Address(r), time.Now())
	c.failures = append(c.failures, time.Now())
}

// caller finds or makes the entry of an address, and forgets old ones now and
// then so that many addresses do not fill the memory.
func (g *Guard) caller(address string, now time.Time) *caller {
	if now.Sub(g.swept) > g.opts.Lockout || len(g.callers) > 100_000 {
		for a, c := range g.callers {
			if now.Sub(c.seen) > g.opts.Lockout || len(g.callers) > 100_000 && len(c.failures) == 0 {
				delete(g.callers, a)
			}
		}
		g.swept = now
	}
	c, ok := g.callers[address]
	if !ok {
		c = &caller{limit: rate.NewLimiter(rate.Limit(g.opts.Rate), g.opts.Burst)}
		g.callers[address] = c
	}
	c.seen = now
	return c
}

func recent(times []time.Time, from time.Time) []time.Time {
	i := 0
	for i < len(times) && times[i].Before(from) {
		i++
	}
	return times[i:]
}

// Authenticate returns who sends a request. Its error is a *LimitedError,
// ErrCSRF, or wraps control.ErrNotFound if nobody is signed in.
func (g *Guard) Authenticate(r *http.Request, centre *control.Centre) (control.Actor, error) {
	if err := g.Allow(r); err != nil {
		return control.Actor{}, err
	}
	actor, err := authenticate(r, centre)
	if errors.Is(err, control.ErrNotFound) && (r.Header.Get("Authorization") != "" || hasSession(r)) {
		g.Failed(r)
	}
	actor.Address = g.Address(r)
	return actor, err
}

func authenticate(r *http.Request, centre *control.Centre) (control.Actor, error) {
	if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return centre.ByToken(r.Context(), calendar.Secret(text))
	}
	s, err := SessionOf(r, centre)
	if err != nil {
		return control.Actor{}, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !MatchesCSRF(s, r.Header.Get(CSRFHeader)) {
		return control.Actor{}, ErrCSRF
	}
	return control.Actor{User: s.User}, nil
}

func hasSession(r *http.Request) bool {
	_, err := r.Cookie(SessionCookie)
	return err == nil
}

// SessionOf returns the session of a request's cookie.
func SessionOf(r *http.Request, centre *control.Centre) (control.Session, error) {
	cookie, err := r.Cookie(SessionCookie)
	if err != nil {
		return control.Session{}, fmt.Errorf("no session: %w", control.ErrNotFound)
	}
	return centre.Session(r.Context(), calendar.Secret(cookie.Value))
}

// MatchesCSRF reports whether value is the token that a session's forms carry.
func MatchesCSRF(s control.Session, value string) bool {
	return subtle.ConstantTimeCompare([]byte(string(s.CSRF)), []byte(value)) == 1
}

// NewSessionCookie returns the cookie that keeps a person signed in.
func NewSessionCookie(s control.Session) *http.Cookie {
	return &http.Cookie{
		Name: SessionCookie, Value: string(s.Token), Path: "/", Expires: s.Expires,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
