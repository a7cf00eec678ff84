// Package lockout limits how often wrong passwords are tried: by the address
// that they come from, and by the client in whose name they are tried.
//
// The address that a client was last let in from is counted apart for it: what
// others try, with its name or from behind the same proxy, does not lock it out.
package lockout

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The failures that an address may have, and those of a client from all other
// addresses: some at once, and then one in a while.
const (
	AddressBurst = 20
	AddressEvery = 6 * time.Second
	ClientBurst  = 50
	ClientEvery  = time.Minute
)

// maxAddresses is how many addresses are remembered.
const maxAddresses = 10_000

// Address returns the address that r came from: the /64 network of one of IPv6,
// since a host has all of it.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap(); a.Is6() {
		p, _ := a.Prefix(64)
		return p.String()
	}
	return a.String()
}

// Guard counts for all clients of a server. The zero value is ready. It is safe
// for concurrent use.
type Guard struct {
	mu       sync.Mutex
	failures map[string]*rate.Limiter // by address
}

// Client counts for one client. It is safe for concurrent use.
type Client struct {
	here, elsewhere *rate.Limiter // failures at last, and at all others

	mu   sync.RWMutex
	last string // the address that it was last let in from
}

// NewClient returns a client that nobody has tried to be.
func NewClient() *Client {
	return &Client{here: rate.NewLimiter(rate.Every(AddressEvery), AddressBurst), elsewhere: rate.NewLimiter(rate.Every(ClientEvery), ClientBurst)}
}

// Accept notes that the client was let in from an address.
func (c *Client) Accept(from string) {
	c.mu.RLock()
	same := c.last == from
	c.mu.RUnlock()
	if same {
		return
	}
	c.mu.Lock()
	c.last = from
	c.mu.Unlock()
}

// knows reports whether the client was last let in from an address. A nil client
// was not.
func (c *Client) knows(from string) bool {
	if c == nil {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.last != "" && c.last == from
}

// Locked reports whether no password is taken for now from an address, for a
// client that is nil if there is none of that name.
func (g *Guard) Locked(c *Client, from string) bool {
	if c.knows(from) {
		return c.here.Tokens() < 1
	}
	g.mu.Lock()
	l := g.failures[from]
	g.mu.Unlock()
	return l != nil && l.Tokens() < 1 || c != nil && c.elsewhere.Tokens() < 1
}

// Refuse counts a wrong password.
func (g *Guard) Refuse(c *Client, from string) {
	if c.knows(from) {
		c.here.Allow()
		return
	}
	g.limiter(from).Allow()
	if c != nil {
		c.elsewhere.Allow()
	}
}

// limiter returns that of an address. Addresses are remembered until they may
// fail again as often as others.
func (g *Guard) limiter(address string) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.failures[address]
	if l == nil {
		if g.failures == nil {
			g.failures = map[string]*rate.Limiter{}
		}
		if len(g.failures) >= maxAddresses {
			g.forget()
		}
		l = rate.NewLimiter(rate.Every(AddressEvery), AddressBurst)
		g.failures[address] = l
	}
	return l
}

// forget makes room, with g.mu held: it forgets the addresses that tell nothing
// any more, and if there are none, some.
func (g *Guard) forget() {
	for a, l := range g.failures {
		if l.Tokens() >= AddressBurst {
			delete(g.failures, a)
		}
	}
	for a := range g.failures {
		if len(g.failures) < maxAddresses {
			return
		}
		delete(g.failures, a)
	}
}
