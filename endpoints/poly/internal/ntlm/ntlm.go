// Package ntlm is both sides of NTLMv2 authentication, as far as HTTP needs it
// (MS-NLMP, MS-NTHT): no NTLMv1, no signing, no sealing, no channel binding.
package ntlm

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol's
	"crypto/rc4" //nolint:gosec // the protocol's
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // the protocol's
)

// Flags of MS-NLMP section 2.2.2.5.
const (
	flagUnicode    = 1 << 0
	flagOEM        = 1 << 1
	flagTarget     = 1 << 2
	flagSign       = 1 << 4
	flagNTLM       = 1 << 9
	flagAlwaysSign = 1 << 15
	flagServer     = 1 << 17
	flagExtended   = 1 << 19
	flagTargetInfo = 1 << 23
	flagVersion    = 1 << 25
	flag128        = 1 << 29
	flagKeyExch    = 1 << 30
	flag56         = 1 << 31
)

// Identifiers of MS-NLMP section 2.2.2.1.
const (
	avEOL          = 0
	avComputer     = 1
	avDomain       = 2
	avDNSComputer  = 3
	avDNSDomain    = 4
	avFlags        = 6
	avTimestamp    = 7
	avFlagHasMIC   = 2
	challengeFixed = 56
	authFixed      = 64
	micAt          = 72
	proofLength    = 16
	maxMessage     = 4096
)

const signature = "NTLMSSP\x00"

var (
	errFormat = errors.New("the NTLM message is malformed")
	// ErrNTLMv1 is returned for a client that answers as in NTLMv1.
	ErrNTLMv1 = errors.New("the client uses NTLMv1, which is not supported")
	// ErrWrong is returned for a wrong password, and for messages that were
	// changed on the way.
	ErrWrong = errors.New("the NTLM response is wrong")
)

// Hash returns the NT hash of a password: NTOWFv1 of MS-NLMP section 3.3.1. It
// is as good as the password.
func Hash(password string) (hash [16]byte) {
	h := md4.New()
	h.Write(encode(password, true))
	copy(hash[:], h.Sum(nil))
	return hash
}

// Type returns the type of a message, or 0 if it is none.
func Type(message []byte) int {
	if len(message) < 12 || len(message) > maxMessage || string(message[:8]) != signature {
		return 0
	}
	return int(binary.LittleEndian.Uint32(message[8:]))
}

// Challenge answers a client's NEGOTIATE message with a CHALLENGE of a server
// of that name. The nonce is random and used once.
func Challenge(negotiate []byte, nonce [8]byte, server string, now time.Time) ([]byte, error) {
	if Type(negotiate) != 1 || len(negotiate) < 16 {
		return nil, errFormat
	}
	offered := binary.LittleEndian.Uint32(negotiate[12:])
	flags := uint32(flagTarget | flagNTLM | flagAlwaysSign | flagServer | flagTargetInfo)
	flags |= offered & (flagSign | flagExtended | flagVersion | flag128 | flagKeyExch | flag56)
	unicode := offered&flagUnicode != 0
	if unicode {
		flags |= flagUnicode
	} else {
		flags |= flagOEM
	}
	name := encode(strings.ToUpper(server), unicode)
	var info []byte
	pair := func(id uint16, value []byte) {
		info = binary.LittleEndian.AppendUint16(info, id)
		info = binary.LittleEndian.AppendUint16(info, uint16(len(value)))
		info = append(info, value...)
	}
	pair(avDomain, encode(strings.ToUpper(server), true))
	pair(avComputer, encode(strings.ToUpper(server), true))
	pair(avDNSDomain, encode(server, true))
	pair(avDNSComputer, encode(server, true))
	pair(avTimestamp, binary.LittleEndian.AppendUint64(nil, filetime(now)))
	pair(avEOL, nil)

	m := header(2)
	m = field(m, len(name), challengeFixed)
	m = binary.LittleEndian.AppendUint32(m, flags)
	m = append(m, nonce[:]...)
	m = append(m, make([]byte, 8)...)
	m = field(m, len(info), challengeFixed+len(name))
	m = append(m, version...)
	return append(append(m, name...), info...), nil
}

// version is that of Windows 10, with NTLM revision 15.
var version = []byte{10, 0, 0, 0, 0, 0, 0, 15}

func header(kind uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte(signature), kind)
}

func field(m []byte, length, offset int) []byte {
	m = binary.LittleEndian.AppendUint16(m, uint16(length))
	m = binary.LittleEndian.AppendUint16(m, uint16(length))
	return binary.LittleEndian.AppendUint32(m, uint32(offset))
}

// filetime is in 100 ns since 1601.
func filetime(t time.Time) uint64 { return uint64(t.UnixNano()/100) + 116444736000000000 }

// payload returns what a field of m names.
func payload(m []byte, at int) ([]byte, error) {
	length, offset := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
	if length == 0 {
		return nil, nil
	}
	if offset < authFixed-12 || offset > len(m) || length > len(m)-offset {
		return nil, errFormat
	}
	return m[offset : offset+length], nil
}

// Response is a client's AUTHENTICATE message, which is not verified.
type Response struct {
	User, Domain string

	message, nt, key []byte
	flags            uint32
}

// Parse reads an AUTHENTICATE message.
func Parse(message []byte) (*Response, error) {
	if Type(message) != 3 || len(message) < authFixed {
		return nil, errFormat
	}
	r := &Response{message: message, flags: binary.LittleEndian.Uint32(message[60:])}
	var parts [4][]byte
	for i, at := range []int{20, 28, 36, 52} {
		var err error
		if parts[i], err = payload(message, at); err != nil {
			return nil, err
		}
	}
	r.nt, r.key = parts[0], parts[3]
	unicode := r.flags&flagUnicode != 0
	r.Domain, r.User = decode(parts[1], unicode), decode(parts[2], unicode)
	if len(r.nt) == 24 {
		return nil, ErrNTLMv1
	}
	if r.User == "" || len(r.nt) < proofLength+28+4 || r.nt[16] != 1 {
		return nil, errFormat
	}
	return r, nil
}

// Verify checks r against the NT hash of the user's password, and that the
// three messages are those that the client has seen, where it says so.
func (r *Response) Verify(hash [16]byte, nonce [8]byte, negotiate, challenge []byte) error {
	owner := ownerKey(hash, r.User, r.Domain)
	proof := mac(owner, nonce[:], r.nt[proofLength:])
	if !hmac.Equal(proof, r.nt[:proofLength]) {
		return ErrWrong
	}
	if clientFlags(r.nt[proofLength+28:])&avFlagHasMIC == 0 {
		return nil
	}
	if len(r.message) < micAt+16 {
		return errFormat
	}
	key, err := sessionKey(mac(owner, proof), r.key, r.flags)
	if err != nil {
		return err
	}
	zeroed := append([]byte(nil), r.message...)
	clear(zeroed[micAt : micAt+16])
	if !hmac.Equal(mac(key, negotiate, challenge, zeroed), r.message[micAt:micAt+16]) {
		return ErrWrong
	}
	return nil
}

// ownerKey is NTOWFv2 of MS-NLMP section 3.3.2.
func ownerKey(hash [16]byte, user, domain string) []byte {
	return mac(hash[:], encode(strings.ToUpper(user)+domain, true))
}

func sessionKey(base, encrypted []byte, flags uint32) ([]byte, error) {
	if flags&flagKeyExch == 0 {
		return base, nil
	}
	if len(encrypted) != 16 {
		return nil, errFormat
	}
	c, err := rc4.NewCipher(base)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	c.XORKeyStream(key, encrypted)
	return key, nil
}

// clientFlags returns the MsvAvFlags of a list of pairs.
func clientFlags(pairs []byte) uint32 {
	for len(pairs) >= 4 {
		id, n := binary.LittleEndian.Uint16(pairs), int(binary.LittleEndian.Uint16(pairs[2:]))
		pairs = pairs[4:]
		if id == avEOL || n > len(pairs) {
			return 0
		}
		if id == avFlags && n == 4 {
			return binary.LittleEndian.Uint32(pairs)
		}
		pairs = pairs[n:]
	}
	return 0
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func encode(s string, unicode bool) []byte {
	if !unicode {
		return []byte(s)
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func decode(b []byte, unicode bool) string {
	if !unicode {
		return string(b)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
