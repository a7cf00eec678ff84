package poly_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/internal/ntlm"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
)

const findToday = `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><FindItem xmlns="http://schemas.microsoft.com/exchange/services/2006/messages">` +
	`<CalendarView StartDate="2026-11-23T00:00:00Z" EndDate="2026-11-24T00:00:00Z"/><ParentFolderIds><DistinguishedFolderId xmlns="http://schemas.microsoft.com/exchange/services/2006/types" Id="calendar"/></ParentFolderIds></FindItem></Body></Envelope>`

// dial opens a connection of its own to the site.
func (s *site) dial(t *testing.T) *tls.Conn {
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), s.Client().Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

func (s *site) head(length int) string {
	return fmt.Sprintf("POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n",
		base64.StdEncoding.EncodeToString([]byte(s.user+":"+string(s.password))), length)
}

func TestSlowClient(t *testing.T) {
	s, err := serve(poly.Options{ReadTimeout: 50 * time.Millisecond}, nil)
	require.NoError(t, err)
	defer s.Close()
	c := s.dial(t)
	_, err = io.WriteString(c, s.head(len(findToday))+findToday[:20])
	require.NoError(t, err)
	answer, _ := io.ReadAll(c) // until the server hangs up, long before the rest would come
	assert.Contains(t, string(answer), "too slow")
}

func TestHalfClosedClient(t *testing.T) {
	s, err := serve(poly.Options{}, nil)
	require.NoError(t, err)
	defer s.Close()
	c := s.dial(t)
	_, err = io.WriteString(c, s.head(len(findToday))+findToday)
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "NoError", "who has sent all gets the answer")

	c = s.dial(t)
	_, err = io.WriteString(c, s.head(len(findToday))+findToday[:20])
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	answer, _ = io.ReadAll(c)
	assert.NotContains(t, string(answer), "NoError")
}

// An answer to one challenge is not taken for another, nor on another
// connection.
func TestNTLMReplay(t *testing.T) {
	s, err := serve(poly.Options{}, nil)
	require.NoError(t, err)
	defer s.Close()
	send := func(c *tls.Conn, r *bufio.Reader, message []byte) (int, []byte) {
		t.Helper()
		auth := ""
		if message != nil {
			auth = "Authorization: NTLM " + base64.StdEncoding.EncodeToString(message) + "\r\n"
		}
		_, err := fmt.Fprintf(c, "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", auth, len(findToday), findToday)
		require.NoError(t, err)
		w, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, w.Body)
		challenge, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.Header.Get("WWW-Authenticate"), "NTLM "))
		return w.StatusCode, challenge
	}
	first := s.dial(t)
	reader := bufio.NewReader(first)
	negotiate := ntlm.Negotiate()
	_, challenge := send(first, reader, negotiate)
	answer, err := ntlm.Authenticate(negotiate, challenge, s.user, "", string(s.password))
	require.NoError(t, err)
	code, _ := send(first, reader, answer)
	require.Equal(t, 200, code)
	code, _ = send(first, reader, nil)
	require.Equal(t, 200, code, "the connection is authenticated")
	code, _ = send(first, reader, answer)
	require.Equal(t, 401, code, "a challenge is answered once")
	code, _ = send(first, reader, nil)
	require.Equal(t, 401, code, "what failed ends the authentication")

	second := s.dial(t)
	reader = bufio.NewReader(second)
	code, _ = send(second, reader, nil)
	require.Equal(t, 401, code)
	code, _ = send(second, reader, answer)
	require.Equal(t, 401, code)
	send(second, reader, negotiate)
	code, _ = send(second, reader, answer)
	require.Equal(t, 401, code)
}

func TestNTLMWrongPassword(t *testing.T) {
	s, err := serve(poly.Options{}, nil)
	require.NoError(t, err)
	defer s.Close()
	s.password = "wrong"
	d := s.device(polytest.Options{NTLM: true})
	require.ErrorContains(t, d.Poll(t.Context()), "unauthorized")
	assert.False(t, s.room.Status().LastRefused.IsZero())
	assert.True(t, s.room.Status().LastPoll.IsZero())
	for range 25 {
		err = d.Poll(t.Context())
	}
	require.ErrorContains(t, err, "429")
}
