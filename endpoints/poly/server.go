package poly

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/internal/lockout"
)

// Scheme is a way to authenticate.
type Scheme string

// The ways to authenticate.
const (
	Basic Scheme = "Basic"
	NTLM  Scheme = "NTLM" // NTLMv2 only
)

// Options change a server.
type Options struct {
	// URL is how devices reach the server, as in "https://otj.example.com:8443".
	// Autodiscover tells it to them, and is served only where it is set.
	URL string
	// AllowHTTP answers requests that came without TLS, for a proxy in front
	// that has it. Otherwise they are refused.
	AllowHTTP bool
	// NTLMKey is 32 random bytes which seal the NT hashes of credentials. With
	// it NTLM is on for rooms whose credential has an NT hash, if
	// [Server.ConnContext] is that of the http.Server. Default none: no NTLM.
	NTLMKey []byte
	// Auth are the schemes that are offered, in this order. Default Basic, and
	// NTLM before it where NTLMKey is set.
	Auth []Scheme
	// PerMinute is how many requests a device may make in a minute, and at once.
	// Default 240: a device over NTLM makes about six for each poll.
	PerMinute int
	// ReadTimeout is how long the body of a request may take. Default 10 seconds.
	ReadTimeout time.Duration
}

// Server is the http.Handler that devices poll. It is safe for concurrent use.
type Server struct {
	opts Options
	seal cipher.AEAD // of NT hashes; nil without NTLM

	guard lockout.Guard

	mu    sync.Mutex
	rooms map[string]*Room // by Credential.User in lower case
}

// New returns a server without rooms. It starts no goroutine.
func New(opts *Options) (*Server, error) {
	s := &Server{rooms: map[string]*Room{}}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.URL != "" {
		u, err := url.Parse(s.opts.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !s.opts.AllowHTTP) {
			return nil, errors.New("poly: Options.URL is none that devices can reach; write it as https://host:port")
		}
		s.opts.URL = strings.TrimRight(s.opts.URL, "/")
	}
	if s.opts.PerMinute <= 0 {
		s.opts.PerMinute = 240
	}
	if s.opts.ReadTimeout <= 0 {
		s.opts.ReadTimeout = 10 * time.Second
	}
	if len(s.opts.NTLMKey) > 0 {
		var err error
		if s.seal, err = sealer(s.opts.NTLMKey); err != nil {
			return nil, err
		}
	}
	s.opts.NTLMKey = nil
	s.opts.Auth = slices.Clone(s.opts.Auth)
	if s.opts.Auth == nil {
		if s.seal != nil {
			s.opts.Auth = []Scheme{NTLM}
		}
		s.opts.Auth = append(s.opts.Auth, Basic)
	}
	for _, a := range s.opts.Auth {
		switch {
		case a == NTLM && s.seal == nil:
			return nil, errors.New("poly: Options.Auth offers NTLM, which needs Options.NTLMKey")
		case a != NTLM && a != Basic:
			return nil, fmt.Errorf("poly: Options.Auth has %q; there are %s and %s", a, Basic, NTLM)
		}
	}
	return s, nil
}

// Add returns a new room without meetings, whose device has the password of c.
// The name is for people. A user name can be added once, whatever its case.
func (s *Server) Add(name string, c Credential, opts *RoomOptions) (*Room, error) {
	if c.User == "" || len(c.Salt) == 0 {
		return nil, fmt.Errorf("poly: room %q has an incomplete credential; make one with NewCredential", name)
	}
	if strings.ContainsAny(c.User, `\@:`) {
		return nil, fmt.Errorf(`poly: the user name of room %q must be without \, @ and :, which devices put between a user and a domain`, name)
	}
	r, err := newRoom(name, c, s.opts.PerMinute, opts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(c.User)
	if s.rooms[key] != nil {
		return nil, fmt.Errorf("poly: user %q is in use; each device needs its own credential", c.User)
	}
	s.rooms[key] = r
	return r, nil
}

// Remove ends a room: its device is refused from now on.
func (s *Server) Remove(r *Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := strings.ToLower(r.cred.User); s.rooms[key] == r {
		delete(s.rooms, key)
	}
}

// find returns the room whose device has a user name, or nil.
func (s *Server) find(user string) *Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[strings.ToLower(user)]
}

// The paths that are served, in lower case.
const (
	ewsPath  = "/ews/exchange.asmx"
	soapPath = "/autodiscover/autodiscover.svc"
	poxPath  = "/autodiscover/autodiscover.xml"
)

// ServeHTTP answers a device, at /EWS/Exchange.asmx and, where Options.URL is
// set, at /autodiscover/autodiscover.svc and .xml. The case of paths is ignored.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.Path)
	if path != ewsPath && (s.opts.URL == "" || path != soapPath && path != poxPath) {
		http.NotFound(w, r)
		return
	}
	if r.TLS == nil && !s.opts.AllowHTTP {
		http.Error(w, "use https: the password is sent with each request", http.StatusForbidden)
		return
	}
	room := s.authenticate(w, r)
	if room == nil {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "use POST", http.StatusMethodNotAllowed)
		return
	}
	// A client that sends slowly is cut off. Writers that know no deadline, as in
	// tests, have none; the http.Server lifts it after the request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.ReadTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		room.record(r, "", nil, 0)
		writeFault(w, &faultError{code: "ErrorSchemaValidation", text: "The request is too large, too slow or cut off."})
		return
	}
	if path == poxPath {
		s.servePOX(w, r, room, body)
		return
	}
	ns := msgNS
	if path == soapPath {
		ns = autodiscoverNS
	}
	q, err := read(body, ns)
	if err != nil {
		room.record(r, "", body, 0)
		writeFault(w, asFault(err))
		return
	}
	a := newAnswer()
	defer a.free()
	given := 0
	switch op := operations[q.op]; {
	case path == soapPath:
		err = s.autodiscover(a, q, room)
	case op != nil && !room.isReady():
		// A device that was given an empty calendar would clear its screen.
		w.Header().Set("Retry-After", "15")
		err = &faultError{code: "ErrorServerBusy", text: "The meetings are not known yet. Try again soon."}
	case op != nil:
		given, err = op(a, q, room)
	default:
		err = &faultError{code: "ErrorInvalidOperation", text: "Not supported."}
	}
	room.record(r, q.op, body, given)
	if err != nil {
		writeFault(w, asFault(err))
		return
	}
	a.send(w, http.StatusOK)
}

// operations are those of EWS that are served. Each returns how many meetings
// it gave.
var operations = map[string]func(*answer, *request, *Room) (int, error){
	"FindItem":        findItem,
	"GetItem":         getItem,
	"GetFolder":       getFolder,
	"ConvertId":       convertID,
	"SyncFolderItems": syncFolderItems,
	"Subscribe":       subscribe,
	"GetEvents":       getEvents,
	"Unsubscribe":     unsubscribe,
}

type connKey struct{}

// ConnContext is for http.Server.ConnContext. NTLM authenticates a connection
// and not a request, and is offered only where it is set.
func (s *Server) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	if s.seal == nil {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, &connection{})
}
