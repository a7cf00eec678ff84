package poly

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/internal/lockout"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/internal/ntlm"
)

// Credential is what a server keeps of a device's password. It can be stored.
type Credential struct {
	User string   `json:"user"`
	Salt []byte   `json:"salt"`
	Hash [32]byte `json:"hash"` // SHA-256 of Salt and the password
	// NT is the NT hash of the password, sealed with Options.NTLMKey; empty
	// where NTLM is not switched on. See [Credential.WithNTLM].
	NT []byte `json:"nt,omitempty"`
}

// NewCredential returns a generated user and its password of at least 128
// random bits, which is to be shown once and not kept.
func NewCredential() (Credential, calendar.Secret) {
	password := calendar.Secret(rand.Text())
	return CredentialFor("room-"+strings.ToLower(rand.Text()[:10]), password), password
}

// CredentialFor returns the credential of a user with a password that is not
// ours to choose. It should have 128 random bits: SHA-256 is quick.
func CredentialFor(user string, password calendar.Secret) Credential {
	c := Credential{User: user, Salt: []byte(rand.Text())}
	c.Hash = c.sum(string(password))
	return c
}

func (c Credential) sum(password string) [32]byte {
	return sha256.Sum256(append(slices.Clone(c.Salt), password...))
}

// WithNTLM returns c with the NT hash of its password, sealed with the server's
// Options.NTLMKey. Who has both the key and the result can sign in as the
// device; the password itself is as safe as an MD4 sum is.
func (c Credential) WithNTLM(password calendar.Secret, key []byte) (Credential, error) {
	if sum := c.sum(string(password)); subtle.ConstantTimeCompare(sum[:], c.Hash[:]) != 1 {
		return c, errors.New("poly: the password is not that of the credential")
	}
	seal, err := sealer(key)
	if err != nil {
		return c, err
	}
	nonce := make([]byte, seal.NonceSize())
	_, _ = rand.Read(nonce)
	hash := ntlm.Hash(string(password))
	c.NT = seal.Seal(nonce, nonce, hash[:], []byte(strings.ToLower(c.User)))
	return c, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, errors.New("poly: the key for NTLM must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// ntHash returns the NT hash of c, if it has one.
func (c Credential) ntHash(seal cipher.AEAD) (hash [16]byte, ok bool) {
	n := seal.NonceSize()
	if len(c.NT) < n {
		return hash, false
	}
	text, err := seal.Open(nil, c.NT[:n], c.NT[n:], []byte(strings.ToLower(c.User)))
	return hash, err == nil && copy(hash[:], text) == len(hash)
}

// connection is what NTLM keeps of a connection.
type connection struct {
	mu        sync.Mutex
	negotiate []byte // of a handshake that is under way
	challenge []byte
	nonce     [8]byte
	room      *Room // whose device it is
}

var errRefused = errors.New("refused")

// authenticate returns the room whose device sent r, or answers r and returns
// nil.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *Room {
	from := lockout.Address(r)
	conn, _ := r.Context().Value(connKey{}).(*connection)
	if r.ProtoMajor > 1 || !slices.Contains(s.opts.Auth, NTLM) {
		conn = nil
	}
	header := r.Header.Get("Authorization")
	name, value, _ := strings.Cut(header, " ")
	var room *Room
	var scheme Scheme
	var err error
	switch {
	case header == "" && conn != nil:
		room, scheme = conn.device(), NTLM
		if room != nil && s.find(room.cred.User) != room {
			room = nil
		}
	case strings.EqualFold(name, "NTLM") && conn != nil:
		var next string
		room, next, err = s.ntlm(conn, strings.TrimSpace(value), from)
		if scheme = NTLM; next != "" {
			w.Header().Set("WWW-Authenticate", "NTLM "+next)
			http.Error(w, "sign in", http.StatusUnauthorized)
			return nil
		}
	case strings.EqualFold(name, "Basic") && slices.Contains(s.opts.Auth, Basic):
		room, err = s.basic(r, from)
		scheme = Basic
	case header != "":
		err = errRefused
	}
	if locked := (*lockedError)(nil); errors.As(err, &locked) {
		tooMany(w, lockout.AddressEvery, "too many failed attempts from this address or with this user name")
		return nil
	}
	if room == nil {
		for _, a := range s.opts.Auth {
			switch {
			case a == Basic:
				w.Header().Add("WWW-Authenticate", `Basic realm="onetouchjoin"`)
			case conn != nil:
				w.Header().Add("WWW-Authenticate", "NTLM")
			}
		}
		http.Error(w, "sign in", http.StatusUnauthorized)
		return nil
	}
	if !room.polls.Allow() {
		tooMany(w, time.Minute, "too many requests; poll every 15 seconds or less often")
		return nil
	}
	room.polled(r, from, scheme)
	return room
}

func tooMany(w http.ResponseWriter, after time.Duration, text string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	http.Error(w, text, http.StatusTooManyRequests)
}

// lockedError says that there have been too many wrong passwords.
type lockedError struct{}

func (*lockedError) Error() string { return "locked" }

// refuse counts a wrong password, for a room that may be nil.
func (s *Server) refuse(room *Room, from string) {
	s.guard.Refuse(room.client(), from)
	if room != nil {
		room.refused()
	}
}

// userName returns the user of DOMAIN\user and user@domain.
func userName(s string) string {
	if _, user, ok := strings.Cut(s, `\`); ok {
		s = user
	}
	s, _, _ = strings.Cut(s, "@")
	return s
}

// basic checks a password. The work is the same for users that do not exist.
func (s *Server) basic(r *http.Request, from string) (*Room, error) {
	user, password, _ := r.BasicAuth()
	room := s.find(userName(user))
	if s.guard.Locked(room.client(), from) {
		return nil, &lockedError{}
	}
	c := Credential{Salt: make([]byte, 26)}
	if room != nil {
		c = room.cred
	}
	sum := c.sum(password)
	if subtle.ConstantTimeCompare(sum[:], c.Hash[:]) != 1 || room == nil {
		s.refuse(room, from)
		return nil, errRefused
	}
	return room, nil
}

func (c *connection) device() *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room
}

// ntlm takes one message of a client. Next is what is answered while the
// handshake goes on.
func (s *Server) ntlm(c *connection, value, from string) (room *Room, next string, _ error) {
	message, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, "", errRefused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room = nil
	if ntlm.Type(message) == 1 {
		_, _ = rand.Read(c.nonce[:])
		if c.challenge, err = ntlm.Challenge(message, c.nonce, "onetouchjoin", time.Now()); err != nil {
			return nil, "", errRefused
		}
		c.negotiate = message
		return nil, base64.StdEncoding.EncodeToString(c.challenge), nil
	}
	negotiate, challenge := c.negotiate, c.challenge
	c.negotiate, c.challenge = nil, nil // one answer for each challenge
	answer, err := ntlm.Parse(message)
	if err != nil || challenge == nil {
		return nil, "", errRefused
	}
	room = s.find(userName(answer.User))
	if s.guard.Locked(room.client(), from) {
		return nil, "", &lockedError{}
	}
	var hash [16]byte
	known := false
	if room != nil {
		hash, known = room.cred.ntHash(s.seal)
	}
	if err := answer.Verify(hash, c.nonce, negotiate, challenge); err != nil || !known {
		s.refuse(room, from)
		return nil, "", errRefused
	}
	c.room = room
	return room, "", nil
}
