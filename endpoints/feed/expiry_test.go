package feed

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{PerMinute: 1000, TokenLife: time.Hour})
		cred, secret := NewCredential()
		room, err := s.Add("a", cred)
		require.NoError(t, err)
		require.NoError(t, room.Show(t.Context(), nil))
		first := s.grant(room)
		time.Sleep(59 * time.Minute)
		assert.Equal(t, 200, bearer(s, "/v1/meetings", first).Code)
		time.Sleep(2 * time.Minute)
		assert.Equal(t, 401, bearer(s, "/v1/meetings", first).Code, "an hour is over")
		var all []string
		for range maxTokens + 1 {
			all = append(all, s.grant(room))
		}
		assert.Equal(t, 401, bearer(s, "/v1/meetings", all[0]).Code, "the oldest is forgotten")
		assert.Equal(t, 200, bearer(s, "/v1/meetings", all[1]).Code)
		assert.Len(t, s.tokens, maxTokens)

		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("pad="+strings.Repeat("x", 8192)+"&grant_type=client_credentials"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(cred.ID, string(secret))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		assert.Equal(t, 400, w.Code, "a form of any size is not read")
	})
}

// The list goes to the receiver only, and its address, which may hold a token, into
// no error.
func TestWebhookStaysWithItsReceiver(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the meetings were sent elsewhere") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	hook, err := NewWebhook(server.URL+"/TopSecret", key, &WebhookOptions{AllowHTTP: true})
	require.NoError(t, err)
	require.ErrorIs(t, hook.Show(t.Context(), nil), otj.ErrNotDevice)
	server.Close()
	err = hook.Show(t.Context(), nil)
	require.ErrorIs(t, err, otj.ErrUnreachable)
	assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), "TopSecret")
}
