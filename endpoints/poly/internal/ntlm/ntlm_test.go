package ntlm

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

var nonceOfDocs = [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}

// The values of MS-NLMP sections 4.2.1 and 4.2.4.
func TestPublishedVectors(t *testing.T) {
	hash := Hash("Password")
	assert.Equal(t, "a4f49c406510bdcab6824ee7c30fd852", hex.EncodeToString(hash[:]))
	owner := ownerKey(hash, "User", "Domain")
	assert.Equal(t, "0c868a403bfd7a93a3001ef22ef02e3f", hex.EncodeToString(owner))
	temp := unhex(t, "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"+
		"02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000")
	proof := mac(owner, nonceOfDocs[:], temp)
	assert.Equal(t, "68cd0ab851e51c96aabc927bebef6a1c", hex.EncodeToString(proof))
	base := mac(owner, proof)
	assert.Equal(t, "8de40ccadbc14a82f15cb0ad0de95ca3", hex.EncodeToString(base))
	key, err := sessionKey(base, unhex(t, "c5dad2544fc9799094ce1ce90bc9d03e"), flagKeyExch)
	require.NoError(t, err)
	assert.Equal(t, "55555555555555555555555555555555", hex.EncodeToString(key))
}

// The whole AUTHENTICATE message of section 4.2.4.3.
func TestPublishedMessage(t *testing.T) {
	message := unhex(t, "4e544c4d535350000300000018001800"+
		"6c00000054005400840000000c000c00"+
		"480000000800080054000000100010005c00000010001000d8000000358288e2"+
		"0501280a0000000f"+"44006f006d00610069006e00"+"5500730065007200"+"43004f004d0050005500540045005200"+
		"86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"+
		"68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"+
		"02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"+
		"c5dad2544fc9799094ce1ce90bc9d03e")
	r, err := Parse(message)
	require.NoError(t, err)
	assert.Equal(t, "User", r.User)
	assert.Equal(t, "Domain", r.Domain)
	require.NoError(t, r.Verify(Hash("Password"), nonceOfDocs, nil, nil))
	require.ErrorIs(t, r.Verify(Hash("password"), nonceOfDocs, nil, nil), ErrWrong)
	require.ErrorIs(t, r.Verify(Hash("Password"), [8]byte{1}, nil, nil), ErrWrong)
}

func handshake(t testing.TB, user, domain, password string) (negotiate, challenge, response []byte, nonce [8]byte) {
	nonce = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	negotiate = Negotiate()
	challenge, err := Challenge(negotiate, nonce, "otj", time.Unix(1_800_000_000, 0))
	require.NoError(t, err)
	response, err = Authenticate(negotiate, challenge, user, domain, password)
	require.NoError(t, err)
	return negotiate, challenge, response, nonce
}

func TestHandshake(t *testing.T) {
	negotiate, challenge, message, nonce := handshake(t, "Röom-1", "EXAMPLE", "pass wörd")
	r, err := Parse(message)
	require.NoError(t, err)
	assert.Equal(t, "Röom-1", r.User)
	require.NoError(t, r.Verify(Hash("pass wörd"), nonce, negotiate, challenge))
	require.ErrorIs(t, r.Verify(Hash("other"), nonce, negotiate, challenge), ErrWrong)
	require.ErrorIs(t, r.Verify(Hash("pass wörd"), [8]byte{9}, negotiate, challenge), ErrWrong)

	// The MIC covers all three messages.
	changed := append([]byte(nil), challenge...)
	changed[20] ^= 0x20
	require.ErrorIs(t, r.Verify(Hash("pass wörd"), nonce, negotiate, changed), ErrWrong)
	message[60] ^= flagSign
	r, err = Parse(message)
	require.NoError(t, err)
	require.ErrorIs(t, r.Verify(Hash("pass wörd"), nonce, negotiate, challenge), ErrWrong)
}

func TestRefused(t *testing.T) {
	_, _, message, _ := handshake(t, "u", "", "p")
	for n := range message {
		if r, err := Parse(message[:n]); err == nil { // the payload is cut, or the key that ends it
			t.Fatalf("%d of %d bytes are read as %q", n, len(message), r.User)
		}
	}
	v1 := append([]byte(nil), message...)
	v1[20] = 24
	v1[21] = 0
	_, err := Parse(v1)
	require.ErrorIs(t, err, ErrNTLMv1)
	_, _, anonymous, _ := handshake(t, "", "", "")
	_, err = Parse(anonymous)
	require.Error(t, err)
	for _, m := range []string{"", "NTLMSSP\x00", "NTLMSSP\x00\x01\x00\x00\x00", "NTLMSSP\x00\x03\x00\x00\x00", "HTTP"} {
		_, err := Challenge([]byte(m), [8]byte{}, "s", time.Time{})
		require.Error(t, err, m)
	}
}

// What is read stays inside of the message, and only the right hash passes.
func FuzzParse(f *testing.F) {
	_, _, message, nonce := handshake(f, "user", "d", "p")
	f.Add(message)
	f.Add(message[:64])
	right := Hash("p")
	f.Fuzz(func(t *testing.T, m []byte) {
		r, err := Parse(m)
		if err != nil {
			return
		}
		if r.User == "" || len(r.User)+len(r.Domain) > 4*len(m) {
			t.Fatalf("user %q, domain %q of %d bytes", r.User, r.Domain, len(m))
		}
		if r.Verify([16]byte{}, nonce, nil, nil) == nil {
			t.Fatal("verified without the password")
		}
		_ = r.Verify(right, nonce, nil, nil)
	})
}
