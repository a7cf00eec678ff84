package poly_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// A device is set up over REST, and then polls.
func TestDeviceSetup(t *testing.T) {
	for _, exchange := range []bool{false, true} {
		s, err := serve(poly.Options{}, nil)
		require.NoError(t, err)
		defer s.Close()
		d := polytest.New(&polytest.Options{Admin: "admin's", Exchange: exchange, Transport: s.Client().Transport})
		rest := httptest.NewTLSServer(d)
		defer rest.Close()
		sum := sha256.Sum256(rest.Certificate().Raw)
		pin := hex.EncodeToString(sum[:])
		addr := strings.TrimPrefix(rest.URL, "https://")
		remote, err := poly.NewDevice(addr, "admin", "admin's", &poly.DeviceOptions{Fingerprint: pin})
		require.NoError(t, err)

		state, err := remote.Calendar(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "off", state)
		want := poly.Setup{Server: s.URL, User: s.user, Password: s.password, Mailbox: "fjord@example.com"}
		require.NoError(t, remote.Configure(t.Context(), want))
		got, names, err := remote.Setup(t.Context())
		require.NoError(t, err)
		assert.Equal(t, poly.Setup{Server: strings.TrimPrefix(s.URL, "https://"), User: s.user, Mailbox: "fjord@example.com"}, got)
		assert.Equal(t, map[bool]poly.Names{false: poly.NamesCal, true: poly.NamesExchange}[exchange], names)
		state, err = remote.Calendar(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "down", state)

		at := time.Now().UTC()
		require.NoError(t, s.room.Show(t.Context(), []otj.Meeting{{ID: "a", Title: "A", Start: at, End: at.Add(time.Hour)}}))
		require.NoError(t, d.Poll(t.Context()))
		assert.Len(t, d.Items(), 1)
		state, err = remote.Calendar(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "up", state)

		wrong, err := poly.NewDevice(addr, "admin", "other", &poly.DeviceOptions{Fingerprint: pin})
		require.NoError(t, err)
		_, err = wrong.Calendar(t.Context())
		require.ErrorIs(t, err, otj.ErrUnauthorized)
		assert.NotContains(t, err.Error(), "other")
		for _, o := range []*poly.DeviceOptions{nil, {Fingerprint: strings.Repeat("00", 32)}} {
			untrusted, err := poly.NewDevice(addr, "admin", "admin's", o)
			require.NoError(t, err)
			_, err = untrusted.Calendar(t.Context())
			require.ErrorIs(t, err, otj.ErrCertificate)
		}
		rest.Close()
		_, err = remote.Calendar(t.Context())
		require.ErrorIs(t, err, otj.ErrUnreachable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = remote.Calendar(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestDeviceFaults(t *testing.T) {
	answer, status := "", 200
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/session") && status != 412 {
			if r.URL.Path == "/rest/session" { // a newer device
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, `{"success":true,"session":{"sessionId":"x"}}`)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer h.Close()
	sum := sha256.Sum256(h.Certificate().Raw)
	for _, c := range []struct {
		status int
		answer string
		want   error
	}{
		{404, "", otj.ErrNotDevice}, {302, "", otj.ErrNotDevice}, {200, "<html>", otj.ErrNotDevice}, {200, "[]", otj.ErrNotDevice}, {401, "", otj.ErrUnauthorized},
		{503, "", otj.ErrBusy}, {412, `{"reason":"SessionAlreadyActive"}`, otj.ErrBusy}, {400, "", otj.ErrRejected},
	} {
		d, err := poly.NewDevice(strings.TrimPrefix(h.URL, "https://"), "admin", "p", &poly.DeviceOptions{Fingerprint: hex.EncodeToString(sum[:])})
		require.NoError(t, err)
		answer, status = c.answer, c.status
		_, err = d.Calendar(t.Context())
		assert.ErrorIs(t, err, c.want, c.status)
		var e *otj.EndpointError
		assert.ErrorAs(t, err, &e)
	}
	for _, a := range []string{"", "a/b", "user@host", "a b"} {
		_, err := poly.NewDevice(a, "admin", "p", nil)
		assert.Error(t, err, a)
	}
	_, err := poly.NewDevice("a", "admin", "p", &poly.DeviceOptions{Fingerprint: "00"})
	assert.Error(t, err)
}

func TestSetupFiles(t *testing.T) {
	s := poly.Setup{Server: "https://otj.example.com:8443/", User: "room-1", Password: "p<&'", Domain: "OTJ", Mailbox: "fjord@example.com", ShowPrivate: true}
	for names, want := range map[poly.Names]string{poly.NamesCal: "cal.ews.server", poly.NamesExchange: "exchange.server.url"} {
		file, err := s.File(names)
		require.NoError(t, err)
		var doc struct {
			Settings struct {
				Attrs []xml.Attr `xml:",any,attr"`
			} `xml:",any"`
		}
		require.NoError(t, xml.Unmarshal(file, &doc), string(file))
		values := map[string]string{}
		for _, a := range doc.Settings.Attrs {
			values[a.Name.Local] = a.Value
		}
		assert.Equal(t, "otj.example.com:8443", values[want])
		assert.Contains(t, values, map[poly.Names]string{poly.NamesCal: "cal.enabled", poly.NamesExchange: "exchange.enable"}[names])
		assert.Contains(t, string(file), "p&lt;&amp;")
	}
	commands, err := s.Commands()
	require.NoError(t, err)
	assert.Equal(t, []string{`calendarserver "otj.example.com:8443"`, `calendaruser "room-1"`, `calendardomain set "OTJ"`, `calendarresource "fjord@example.com"`,
		"calendarshowpvtmeetings yes", `calendarpassword "p<&'"`, "calendarregisterwithserver yes"}, commands)
	for _, bad := range []poly.Setup{{}, {Server: "x"}, {Server: "https://u:p@x", User: "u", Password: "p"}, {Server: "x", User: "u\"\nreboot", Password: "p"}, {Server: "x", User: "u", Password: calendar.Secret("p\rreboot")}} {
		_, err := bad.Commands()
		assert.Error(t, err)
		_, err = bad.File(poly.NamesCal)
		assert.Error(t, err)
	}
}
