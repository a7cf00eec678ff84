package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// A Poly device that can be called over REST is changed only if asked.
func TestSetupPoly(t *testing.T) {
	dir, _ := siteFolder(t)
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(strings.ReplaceAll(siteConfig, "LISTEN", "otj.fabrikam.example:8443")), Builders())
	require.NoError(t, err)
	rest := httptest.NewTLSServer(polytest.New(&polytest.Options{Admin: "admin's"}))
	defer rest.Close()
	sum := sha256.Sum256(rest.Certificate().Raw)
	at := PolyDevice{Address: strings.TrimPrefix(rest.URL, "https://"), User: "admin", Password: "admin's", Fingerprint: hex.EncodeToString(sum[:])}
	setup := func(apply bool) string {
		var out bytes.Buffer
		require.NoError(t, c.SetupPoly(t.Context(), "Poly", at, apply, &out))
		assert.NotContains(t, out.String(), "sixteen characters")
		assert.NotContains(t, out.String(), "admin's")
		return out.String()
	}
	for range 2 { // looking changes nothing
		text := setup(false)
		assert.Contains(t, text, "calendar is off")
		assert.Contains(t, text, `"", should be "otj.fabrikam.example:8443"`)
		assert.Contains(t, text, "Nothing was changed")
	}
	assert.Contains(t, setup(true), "Set.")
	text := setup(false)
	assert.NotContains(t, text, "should be")
	assert.Contains(t, text, "These are right.")
	assert.Contains(t, text, `User name        "poly-1"`)
	assert.Contains(t, text, "calendar is down") // it has not polled yet

	require.ErrorContains(t, c.SetupPoly(t.Context(), "Feed", at, false, io.Discard), `type "feed": only Poly devices`)
	require.ErrorContains(t, c.SetupPoly(t.Context(), "Polly", at, false, io.Discard), `did you mean "Poly"?`)
	at.Password = "wrong"
	err = c.SetupPoly(t.Context(), "Poly", at, true, io.Discard)
	require.ErrorIs(t, err, otj.ErrUnauthorized)
	at.Fingerprint = ""
	require.ErrorIs(t, c.SetupPoly(t.Context(), "Poly", at, true, io.Discard), otj.ErrCertificate)
	at.Address = "https://192.0.2.1/"
	require.ErrorContains(t, c.SetupPoly(t.Context(), "Poly", at, true, io.Discard), "no address of a device")
}
