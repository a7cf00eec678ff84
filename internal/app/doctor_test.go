package app

import (
	"crypto/x509"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/readiness"
)

func TestDoctorOfASite(t *testing.T) {
	dir, _ := siteFolder(t)
	text := strings.NewReplacer("LISTEN", "127.0.0.1:8443", "SERIAL", "S").Replace(siteConfig)
	c, err := Read(write(t, dir, "otj.json", text), Builders())
	require.NoError(t, err)
	find := func(check string) (out []readiness.Finding) {
		list, err := c.Doctor(t.Context(), nil)
		require.NoError(t, err)
		for _, f := range list {
			if f.Check == check {
				out = append(out, f)
			}
		}
		return out
	}
	certificate := find("certificate")
	require.Len(t, certificate, 1)
	assert.Equal(t, readiness.Warn, certificate[0].Result, "it ends within the hour")
	c.Site.URL = "https://otj.fabrikam.example"
	certificate = find("certificate")
	assert.Equal(t, readiness.Fail, certificate[0].Result)
	assert.Contains(t, certificate[0].Fix, "otj.fabrikam.example")
	c.Site.CertFile = filepath.Join(dir, "nothing.crt")
	assert.Equal(t, readiness.Fail, find("certificate")[0].Result)

	site := find("site")
	require.Len(t, site, 1)
	assert.NotEqual(t, readiness.Pass, site[0].Result)
	assert.NotEmpty(t, site[0].Fix)

	assert.Len(t, find("calendar"), 1, "six rooms have one calendar")
	unknown := 0
	for _, f := range find("device") {
		if f.Result == readiness.Unknown {
			unknown++
		}
	}
	assert.Equal(t, 5, unknown, "they call, or are called with meetings only")

	n := c.Network()
	assert.Equal(t, readiness.Network{Service: "https://otj.fabrikam.example", Pushed: []string{"hook.example"}, Calling: true, Webex: "https://cloud.example", NoConsole: true}, n)
}

func TestCheckSite(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	assert.Equal(t, readiness.Pass, checkSite(t.Context(), srv.URL, roots).Result)
	f := checkSite(t.Context(), srv.URL, x509.NewCertPool())
	assert.Equal(t, readiness.Warn, f.Result)
	assert.Contains(t, f.Why, "does not trust")
	srv.Close()
	f = checkSite(t.Context(), srv.URL, roots)
	assert.Equal(t, readiness.Unknown, f.Result)
	assert.Contains(t, f.Fix, "Start otj serve")
	plain := httptest.NewServer(nil)
	defer plain.Close()
	assert.Equal(t, readiness.Pass, checkSite(t.Context(), plain.URL, nil).Result)
	assert.Equal(t, readiness.Fail, checkSite(t.Context(), "https://nowhere.invalid", nil).Result)
}
