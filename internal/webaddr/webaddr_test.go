package webaddr_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
)

func TestCause(t *testing.T) {
	repeat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://%zz"+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	}))
	defer repeat.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for address, want := range map[string]string{repeat.URL: "redirects to an address that is not valid", gone.URL: "refused"} {
		resp, err := client.Get(address + "/feed?key=canary") //nolint:noctx // a server of this test
		if err == nil {
			resp.Body.Close()
		}
		require.ErrorContains(t, err, "canary", "else there would be nothing to hide")
		assert.ErrorContains(t, webaddr.Cause(err), want)
		assert.NotContains(t, webaddr.Cause(err).Error(), "canary")
	}
	other := errors.New("other")
	assert.Same(t, other, webaddr.Cause(other))
	assert.NoError(t, webaddr.Cause(nil))
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "192.0.2.1": false, "10.0.0.1": false, "0.0.0.0": false, "[::1]": false, "127.0.0.1:80": false,
	} {
		assert.Equal(t, want, webaddr.IsLocal(host), host)
	}
}
