// Package graphtest is a fake of Microsoft Entra and Microsoft Graph, as far as
// the calendars of meeting rooms need them. It serves tests: of the providers
// of this module, and of programs that embed one.
//
//	srv := graphtest.New(nil)
//	defer srv.Close()
//	base := srv.StartTLS()
//	tenant := srv.AddTenant("example.com")
//	app := srv.AddApp("Rooms")
//	secret := app.AddSecret(time.Time{})
//	tenant.Consent(app, graphtest.CalendarsRead)
//	fjord := tenant.AddMailbox("fjord@example.com")
//	fjord.AddSingle(graphtest.Event{Subject: "Planning", Start: start, End: end, HTML: "<p>…</p>"})
//
// The base address is both that of Graph (base + "/v1.0/…") and the authority
// of Entra (base + "/" + tenant). Clients of Entra that refuse an authority
// without TLS, as azidentity does, need StartTLS and the transport of
// [Server.Client]. A credential of azidentity also asks Microsoft whether an
// authority is one of Entra's, unless it is told not to; the fake is none:
//
//	cred, err := azidentity.NewClientSecretCredential(tenant.ID(), app.ClientID(), string(secret), &azidentity.ClientSecretCredentialOptions{
//		ClientOptions: azcore.ClientOptions{
//			Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: base},
//			Transport: srv.Client(),
//		},
//		DisableInstanceDiscovery: true,
//	})
//
// It has the client credentials flow by secret and by certificate, discovery
// documents, admin consent, calendarView with delta queries, events and their
// instances, $select, $top, $batch, subscriptions with notifications and
// lifecycle events, throttling, access policies, and on request the faults that
// Graph is known to have: see [Fault].
//
// [Mailbox.Churn] changes a calendar at random and [Mailbox.Check] compares what
// a client has with it; [Shapes] are the forms in which rooms get meetings.
//
// Facts are those of the documentation at https://learn.microsoft.com/graph and
// https://learn.microsoft.com/entra/identity-platform; names and types of
// properties are checked against Graph's published metadata. What a delta query
// lists of series is documented badly: the fake does what users of Graph report,
// and [Options] have what else a client should expect. These are guesses: the
// codes for damaged delta tokens, the order of calendarView (that of creation),
// that an exception keeps the ID of its occurrence, and that all-day events
// begin at midnight in whatever time zone the client asks for.
//
// It does not have: delegated permissions, writing to calendars over HTTP (a
// test edits a [Mailbox] in code), $filter and $search, calendars other than a
// mailbox's first, resource data in notifications, and signatures in access
// tokens that anybody but the server itself could check.
package graphtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options changes how a Server works. The zero value is usable.
type Options struct {
	// Now is the clock of the server. The default is time.Now.
	Now func() time.Time
	// Seed makes faults with a probability come in the same order again.
	Seed uint64

	// PageSize is the number of events in a page when the client does not say:
	// the default is 10, as Graph's. MaxPageSize is the largest that it may ask
	// for; the default is 1000.
	PageSize, MaxPageSize int
	// OmitOldMasters leaves the masters of series that began before the window
	// out of delta answers; a client has to ask for them.
	OmitOldMasters bool
	// ListRemovedOccurrences makes delta say which occurrences of a series are
	// gone, each as "@removed". Graph has been seen not to: it lists the master
	// and the occurrences that remain, all on one page, and of a series that is
	// gone from the window the master alone as "@removed". A client has to find
	// out for itself which occurrences are missing.
	// https://stackoverflow.com/questions/55641502,
	// https://github.com/microsoftgraph/microsoft-graph-docs/pull/4501
	ListRemovedOccurrences bool
	// SparseSeriesUpdates makes delta list only the master when the text of a
	// series has changed, and not its occurrences.
	SparseSeriesUpdates bool

	// PerMailbox is the number of requests at a time for an app and mailbox. The
	// default is 4; negative means no limit.
	PerMailbox int
	// PerMailboxQuota is the number of requests in 10 minutes for an app and
	// mailbox; the default is 10,000. PerAppQuota is that in 10 seconds for an
	// app; the default is 130,000. Negative means no limit.
	// https://learn.microsoft.com/graph/throttling-limits
	PerMailboxQuota, PerAppQuota int

	// TokenLifetime is how long an access token is good. The default is 1 h.
	TokenLifetime time.Duration

	// Client posts notifications. The default has a timeout of 3 s, as Graph.
	Client *http.Client
	// SubscriptionLimit is the longest life of a subscription. The default is
	// 10,080 minutes; one asked for under 45 minutes lasts 45.
	SubscriptionLimit time.Duration
	// Attempts is how often a notification is posted before it is given up and
	// the subscriber is told "missed". The default is 3. Backoff is the pause
	// after the first; it doubles. The default is 50 ms (Graph: up to 4 hours).
	Attempts int
	Backoff  time.Duration
	// DuplicateNotifications posts every notification twice, as happens.
	DuplicateNotifications bool
}

// Server is the fake. It is an [http.Handler], and safe for concurrent use.
type Server struct {
	opts Options
	key  [32]byte // signs tokens

	ctx    context.Context // of notifications
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	skew       time.Duration
	random     *mathrand.Rand
	serial     int // of request ids and nonces
	tenants    []*Tenant
	apps       map[string]*App
	subs       map[string]*subscription
	faults     []*fault
	generation int // of delta tokens
	usage      map[usageKey]*usage
	quotas     map[usageKey]*window
	stats      Stats
	paused     int // of notifications
	started    []*httptest.Server
}

// New returns a server without tenants. It listens nowhere: use it as a
// handler, or call [Server.Start] or [Server.StartTLS].
func New(opts *Options) *Server {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PageSize = cmp.Or(o.PageSize, 10)
	o.MaxPageSize = cmp.Or(o.MaxPageSize, 1000)
	o.PerMailbox = cmp.Or(o.PerMailbox, 4)
	o.PerMailboxQuota = cmp.Or(o.PerMailboxQuota, 10_000)
	o.PerAppQuota = cmp.Or(o.PerAppQuota, 130_000)
	o.TokenLifetime = cmp.Or(o.TokenLifetime, time.Hour)
	o.SubscriptionLimit = cmp.Or(o.SubscriptionLimit, 10_080*time.Minute)
	o.Attempts = cmp.Or(o.Attempts, 3)
	o.Backoff = cmp.Or(o.Backoff, 50*time.Millisecond)
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 3 * time.Second}
	}
	s := &Server{
		opts:   o,
		random: mathrand.New(mathrand.NewPCG(o.Seed, 0)), //nolint:gosec // faults that can be repeated
		apps:   map[string]*App{}, subs: map[string]*subscription{},
		usage: map[usageKey]*usage{}, quotas: map[usageKey]*window{},
		generation: 149,
	}
	_, _ = rand.Read(s.key[:]) // never fails
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start serves plain HTTP on a port of the loopback interface until Close, and
// returns the base address.
func (s *Server) Start() string { return s.listen(false) }

// StartTLS is Start with TLS. Its certificate is known to [Server.Client] only.
func (s *Server) StartTLS() string { return s.listen(true) }

func (s *Server) listen(secure bool) string {
	h := httptest.NewUnstartedServer(s)
	// What net/http has to say about connections that a fault dropped.
	h.Config.ErrorLog = quiet
	if secure {
		h.StartTLS()
	} else {
		h.Start()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, h)
	return h.URL
}

// Client returns a client that trusts the certificate of StartTLS.
func (s *Server) Client() *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.started {
		if h.TLS != nil {
			return h.Client()
		}
	}
	return &http.Client{}
}

// Close stops listening and posting notifications, and waits for both. Requests
// under way are cut off.
func (s *Server) Close() {
	s.cancel()
	s.mu.Lock()
	started := s.started
	s.started = nil
	s.mu.Unlock()
	for _, h := range started {
		h.CloseClientConnections()
		h.Close()
	}
	s.wg.Wait()
}

// SetSkew puts the server's clock forward by d: the Date header, the times in
// tokens, and what it thinks of the times in client assertions.
func (s *Server) SetSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// ExpireDeltaTokens makes the delta and skip tokens so far ones that Graph no
// longer knows: 410 with the code SyncStateNotFound.
func (s *Server) ExpireDeltaTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	now := s.now()
	s.serial++
	id := s.guid("request", s.serial)
	s.mu.Unlock()
	h := w.Header()
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("request-id", id)
	h.Set("client-request-id", cmp.Or(r.Header.Get("client-request-id"), id))
	h.Set("Cache-Control", "private")
	if path, ok := strings.CutPrefix(r.URL.Path, "/v1.0/"); ok {
		h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Test","Slice":"E","Ring":"1","ScaleUnit":"001","RoleInstance":"GRAPHTEST"}}`)
		s.serveGraph(w, r, path)
		return
	}
	s.serveEntra(w, r)
}

// now is the server's time. The caller holds s.mu.
func (s *Server) now() time.Time { return s.opts.Now().Add(s.skew) }

// guid returns the same GUID for the same parts. Those of two servers differ
// only where a serial number does: tests can be repeated.
func (s *Server) guid(parts ...any) string {
	b := sha256.Sum256(fmt.Append(nil, parts...))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Stats is what a Server has counted.
type Stats struct {
	// Requests to Graph, also those refused; each part of a $batch counts, and
	// so does the batch. Tokens is the number of access tokens issued.
	Requests, Tokens int
	// ByApp are the requests by client ID, ByMailbox those by the mailbox's
	// address, ByOp those by operation.
	ByApp, ByMailbox map[string]int
	ByOp             map[Op]int
	// Throttled is the number of requests refused for being too many.
	Throttled int
	// Concurrent is the greatest number of requests at a time for one app and
	// mailbox, by the mailbox's address.
	Concurrent map[string]int
	// Faults is the number of faults that happened.
	Faults int
	// Notified is the number of notifications that subscribers accepted, Lost
	// that of those given up.
	Notified, Lost int
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.ByApp, out.ByMailbox = maps.Clone(out.ByApp), maps.Clone(out.ByMailbox)
	out.ByOp, out.Concurrent = maps.Clone(out.ByOp), maps.Clone(out.Concurrent)
	return out
}

func count[K comparable](m *map[K]int, k K) {
	if *m == nil {
		*m = map[K]int{}
	}
	(*m)[k]++
}

// tenant finds a tenant by ID or domain. The caller holds s.mu.
func (s *Server) tenant(name string) *Tenant {
	i := slices.IndexFunc(s.tenants, func(t *Tenant) bool {
		return strings.EqualFold(t.id, name) || strings.EqualFold(t.domain, name)
	})
	if i < 0 {
		return nil
	}
	return s.tenants[i]
}
