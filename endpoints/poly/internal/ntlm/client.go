package ntlm

import (
	"crypto/rand"
	"crypto/rc4" //nolint:gosec // the protocol's
	"encoding/binary"
)

// clientFlagsOffered are what the client offers.
const clientFlagsOffered = flagUnicode | flagTarget | flagNTLM | flagAlwaysSign | flagExtended | flagVersion | flag128 | flagKeyExch | flag56

// Negotiate returns the first message of a client.
func Negotiate() []byte {
	m := header(1)
	m = binary.LittleEndian.AppendUint32(m, clientFlagsOffered)
	return append(append(m, make([]byte, 16)...), version...)
}

// Authenticate answers a CHALLENGE as a client, with a MIC if the server gave
// its time.
func Authenticate(negotiate, challenge []byte, user, domain, password string) ([]byte, error) {
	if Type(challenge) != 2 || len(challenge) < challengeFixed {
		return nil, errFormat
	}
	info, err := payload(challenge, 40)
	if err != nil {
		return nil, err
	}
	stamp, pairs := splitInfo(info)
	hasMIC := stamp != nil
	if hasMIC {
		pairs = append(pairs, avFlags, 0, 4, 0, avFlagHasMIC, 0, 0, 0)
	} else {
		stamp = make([]byte, 8)
	}
	pairs = append(pairs, 0, 0, 0, 0)

	flags := binary.LittleEndian.Uint32(challenge[20:])
	owner := ownerKey(Hash(password), user, domain)
	temp := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, stamp...)
	nonce := make([]byte, 8)
	_, _ = rand.Read(nonce)
	temp = append(append(append(temp, nonce...), 0, 0, 0, 0), pairs...)
	temp = append(temp, 0, 0, 0, 0)
	proof := mac(owner, challenge[24:32], temp)
	base := mac(owner, proof)
	exported, encrypted := base, []byte(nil)
	if flags&flagKeyExch != 0 {
		exported, encrypted = make([]byte, 16), make([]byte, 16)
		_, _ = rand.Read(exported)
		c, err := rc4.NewCipher(base)
		if err != nil {
			return nil, err
		}
		c.XORKeyStream(encrypted, exported)
	}

	unicode := flags&flagUnicode != 0
	parts := [][]byte{make([]byte, 24), append(proof, temp...), encode(domain, unicode), encode(user, unicode), nil, encrypted}
	m := header(3)
	at := micAt + 16
	for _, p := range parts {
		m = field(m, len(p), at)
		at += len(p)
	}
	m = binary.LittleEndian.AppendUint32(m, flags)
	m = append(append(m, version...), make([]byte, 16)...)
	for _, p := range parts {
		m = append(m, p...)
	}
	if hasMIC {
		copy(m[micAt:], mac(exported, negotiate, challenge, m))
	}
	return m, nil
}

// splitInfo returns the server's time, and the pairs without their end.
func splitInfo(info []byte) (stamp, pairs []byte) {
	for at := 0; at+4 <= len(info); {
		id, n := binary.LittleEndian.Uint16(info[at:]), int(binary.LittleEndian.Uint16(info[at+2:]))
		if id == avEOL || at+4+n > len(info) {
			break
		}
		if id == avTimestamp && n == 8 {
			stamp = info[at+4 : at+12]
		}
		pairs = append(pairs, info[at:at+4+n]...)
		at += 4 + n
	}
	return stamp, pairs
}
