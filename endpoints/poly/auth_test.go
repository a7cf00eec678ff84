package poly

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (c *client) from(address, user, password string) int {
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(envelope(view(days))))
	r.RemoteAddr = address
	r.SetBasicAuth(user, password)
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w.Code
}

func TestLimitPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil)
		for i := range 20 {
			require.Equal(t, 401, c.from("192.0.2.1:1000", fmt.Sprint("user", i), "x"))
		}
		require.Equal(t, 429, c.from("192.0.2.1:1001", "user", "x"))
		require.Equal(t, 429, c.from("192.0.2.1:1001", c.user, string(c.password)), "a locked address learns nothing")
		require.Equal(t, 200, c.from("192.0.2.2:1001", c.user, string(c.password)))
		time.Sleep(6 * time.Second)
		require.Equal(t, 200, c.from("192.0.2.1:1001", c.user, string(c.password)))

		// Devices behind the same proxy do not lock each other out, and each is
		// locked for itself.
		for range 30 {
			c.from("192.0.2.1:1", "neighbour", "x")
		}
		require.Equal(t, 429, c.from("192.0.2.1:1", "neighbour", "x"))
		for range 20 {
			require.Equal(t, 401, c.from("192.0.2.1:1001", c.user, "x"))
		}
		require.Equal(t, 429, c.from("192.0.2.1:1001", c.user, string(c.password)))

		// A host of IPv6 has a whole network.
		for i := range 20 {
			require.Equal(t, 401, c.from(fmt.Sprintf("[2001:db8::%x]:1", i), "user", "x"))
		}
		require.Equal(t, 429, c.from("[2001:db8::ffff]:1", "user", "x"))
		require.Equal(t, 401, c.from("[2001:db8:0:1::1]:1", "user", "x"))
	})
}

func TestLockoutPerDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil)
		require.Equal(t, 200, c.from("192.0.2.200:1", c.user, string(c.password)))
		// Wrong passwords by the thousand, from many addresses.
		refused, locked := 0, 0
		for i := range 3000 {
			switch code := c.from(fmt.Sprintf("198.51.%d.%d:1", i/250, i%250), c.user, fmt.Sprint("wrong", i)); code {
			case 401:
				refused++
			case 429:
				locked++
			default:
				t.Fatal(code)
			}
		}
		assert.Equal(t, 50, refused)
		assert.Equal(t, 2950, locked)
		assert.Equal(t, 429, c.from("203.0.113.1:1", c.user, string(c.password)), "also the right password tells nothing")
		assert.Equal(t, 200, c.from("192.0.2.200:1", c.user, string(c.password)), "the device is not locked out by others")
		time.Sleep(time.Minute)
		assert.Equal(t, 200, c.from("203.0.113.1:1", c.user, string(c.password)))
	})
}

func TestRequestsPerDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(&Options{AllowHTTP: true, PerMinute: 5})
		require.NoError(t, err)
		c, other := add(t, s, "a", nil), add(t, s, "b", nil)
		for range 5 {
			c.ask(view(days))
		}
		w := c.do("/EWS/Exchange.asmx", envelope(view(days)))
		assert.Equal(t, 429, w.Code)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		other.ask(view(days))
		time.Sleep(12 * time.Second)
		c.ask(view(days))
	})
}

func TestCredentials(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	c, password := NewCredential()
	assert.GreaterOrEqual(t, len(password), 26, "130 bits in base 32")
	_, err := c.WithNTLM("another", key)
	require.ErrorContains(t, err, "not that of the credential")
	_, err = c.WithNTLM(password, key[:16])
	require.ErrorContains(t, err, "32 bytes")
	sealed, err := c.WithNTLM(password, key)
	require.NoError(t, err)
	text, err := json.Marshal(sealed)
	require.NoError(t, err)
	assert.NotContains(t, string(text), string(password))
	var back Credential
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, sealed, back)
	seal, err := sealer(key)
	require.NoError(t, err)
	_, ok := back.ntHash(seal)
	assert.True(t, ok)
	back.User = "room-other" // the hash of one device is not that of another
	_, ok = back.ntHash(seal)
	assert.False(t, ok)

	s, err := New(&Options{AllowHTTP: true})
	require.NoError(t, err)
	for _, user := range []string{"", `a\b`, "a@b", "a:b"} {
		_, err := s.Add("x", CredentialFor(user, "p"), nil)
		assert.Error(t, err, user)
	}
	room, err := s.Add("x", CredentialFor("Fjord", "p"), nil)
	require.NoError(t, err)
	require.NoError(t, room.Show(t.Context(), nil))
	_, err = s.Add("y", CredentialFor("fjord", "p"), nil)
	assert.ErrorContains(t, err, "in use")
	_, err = s.Add("z", CredentialFor("z", "p"), &RoomOptions{Token: "none of them"})
	assert.ErrorContains(t, err, "token form")
	d := &client{t: t, s: s}
	for _, user := range []string{"fjord", `CORP\FJORD`, "Fjord@example.com"} {
		assert.Equal(t, 200, d.from("192.0.2.1:1", user, "p"), user)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{URL: "otj.example.com"}, {URL: "http://otj.example.com"}, {NTLMKey: []byte("short")}, {Auth: []Scheme{NTLM}}, {Auth: []Scheme{"Digest"}}} {
		_, err := New(&o)
		assert.Error(t, err, o)
	}
}

func TestOffers(t *testing.T) {
	key := make([]byte, 32)
	offers := func(o Options) []string {
		o.AllowHTTP = true
		s, err := New(&o)
		require.NoError(t, err)
		h := httptest.NewUnstartedServer(s)
		h.Config.ConnContext = s.ConnContext
		h.Start()
		defer h.Close()
		w, err := http.Post(h.URL+"/EWS/Exchange.asmx", "text/xml", nil)
		require.NoError(t, err)
		w.Body.Close()
		require.Equal(t, 401, w.StatusCode)
		return w.Header.Values("WWW-Authenticate")
	}
	const basic = `Basic realm="onetouchjoin"`
	assert.Equal(t, []string{basic}, offers(Options{}))
	assert.Equal(t, []string{"NTLM", basic}, offers(Options{NTLMKey: key}))
	assert.Equal(t, []string{basic, "NTLM"}, offers(Options{NTLMKey: key, Auth: []Scheme{Basic, NTLM}}))
	assert.Equal(t, []string{"NTLM"}, offers(Options{NTLMKey: key, Auth: []Scheme{NTLM}}))

	// A connection of HTTP/2 may carry the requests of several devices.
	many, err := New(&Options{NTLMKey: key})
	require.NoError(t, err)
	h := httptest.NewUnstartedServer(many)
	h.Config.ConnContext, h.EnableHTTP2 = many.ConnContext, true
	h.StartTLS()
	defer h.Close()
	resp, err := h.Client().Post(h.URL+"/EWS/Exchange.asmx", "text/xml", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	assert.Equal(t, []string{basic}, resp.Header.Values("WWW-Authenticate"))

	// Without TLS nothing is even asked for.
	s, err := New(nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/EWS/Exchange.asmx", nil))
	assert.Equal(t, 403, w.Code)
	assert.Contains(t, w.Body.String(), "https")
	assert.Empty(t, w.Header().Get("WWW-Authenticate"))
}
