package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "site"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, "site.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "site.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pool, err := readPool(filepath.Join(dir, "site.crt"))
	require.NoError(t, err)
	return pool
}

const siteConfig = `{
	"poll": "1s",
	"calendars": {"office": {"type": "ics-folder", "path": "calendars"}},
	"site": {"listen": "LISTEN", "url": "https://LISTEN", "cert_file": "site.crt", "key_file": "site.key", "state": "state"},
	"webex": {"house": {"base_url": "https://cloud.example", "token": "bot"}},
	"rooms": [
		{"name": "Macro", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "cisco", "via": "macro", "id": "fjord"}},
		{"name": "TMS", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "cisco", "via": "tms", "password": "a-secret-path-of-length", "serial": "SERIAL"}},
		{"name": "Cloud", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "cisco", "via": "cloud", "address": "device-1", "webex": "house"}},
		{"name": "Poly", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "poly", "username": "poly-1", "password": "sixteen characters"}},
		{"name": "Feed", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "feed", "username": "feed-1", "password": "sixteen characters"}},
		{"name": "Webhook", "calendar": "office", "mailbox": "fjord@fabrikam.example", "device": {"type": "webhook", "address": "https://hook.example/otj", "password": "sixteen characters"}},
	],
}`

// siteFolder has what siteConfig needs.
func siteFolder(t *testing.T) (dir string, pool *x509.CertPool) {
	dir = folder(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
	return dir, selfSigned(t, dir)
}

// TestSite has a device of each kind that calls, and the cloud.
func TestSite(t *testing.T) {
	dir, pool := siteFolder(t)
	listen := freeAddress(t)
	tms := ciscotest.New(nil)
	tms.Trust(pool)
	cloudDevice := ciscotest.New(nil)
	fake := ciscotest.NewCloud("bot", "")
	fake.Add("device-1", cloudDevice)
	cloud := httptest.NewTLSServer(fake)
	defer cloud.Close()
	write(t, dir, "cloud.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cloud.Certificate().Raw})))
	text := strings.NewReplacer("LISTEN", listen, "SERIAL", tms.Serial(), "https://cloud.example", cloud.URL+"/v1", `"token"`, `"ca_file": "cloud.crt", "token"`).Replace(siteConfig)
	path := write(t, dir, "otj.json", text)
	c, err := Read(path, Builders())
	require.NoError(t, err)
	a, err := New(c, Builders(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-done) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	call := func(method, path, user, password, body string) string {
		req, err := http.NewRequest(method, "https://"+listen+path, strings.NewReader(body))
		require.NoError(t, err)
		switch user {
		case "":
		case "bearer":
			req.Header.Set("Authorization", "Bearer "+password)
		default:
			req.SetBasicAuth(user, password)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	eventually := func(ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, 15*time.Second, 20*time.Millisecond)
	}
	// The feed polls as seldom as its limit asks for.
	eventually(func() bool { return len(cloudDevice.Bookings()) == 2 })

	t.Run("macro", func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, c.Setup(t.Context(), "Macro", false, &out))
		code := regexp.MustCompile(`/enrol\n  (\w+)`).FindStringSubmatch(out.String())
		require.Len(t, code, 2, out.String())
		macro := call("POST", "/macro/fjord/enrol", "", "", url.Values{"code": {code[1]}}.Encode())
		token := regexp.MustCompile(`"token":"(\w+)"`).FindStringSubmatch(macro)
		require.Len(t, token, 2, macro)
		var got struct{ Bookings []any }
		eventually(func() bool {
			answer := call("GET", "/macro/fjord/meetings", "bearer", token[1], "")
			return json.Unmarshal([]byte(answer), &got) == nil && len(got.Bookings) == 2
		})
		assert.Contains(t, call("GET", "/macro/fjord/meetings", "bearer", "wrong", ""), "enrol the device again")
		kept, err := os.ReadFile(filepath.Join(dir, "state", "macro-fjord.json"))
		require.NoError(t, err)
		assert.NotContains(t, string(kept), token[1], "the sum is kept, not the token")
	})
	t.Run("tms", func(t *testing.T) {
		eventually(func() bool {
			_, err := tms.CallManager(t.Context(), "https://"+listen+"/tms/a-secret-path-of-length", "Boot", true)
			return err == nil && len(tms.Bookings()) == 2
		})
	})
	t.Run("poly", func(t *testing.T) {
		find := `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><FindItem xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"><CalendarView StartDate="` + time.Now().AddDate(0, -1, 0).UTC().Format(time.RFC3339) + `" EndDate="` + time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + `"/><ParentFolderIds><DistinguishedFolderId xmlns="http://schemas.microsoft.com/exchange/services/2006/types" Id="calendar"/></ParentFolderIds></FindItem></Body></Envelope>`
		eventually(func() bool {
			return strings.Count(call("POST", "/EWS/Exchange.asmx", "poly-1", "sixteen characters", find), "<t:CalendarItem>") == 2
		})
	})
	t.Run("feed", func(t *testing.T) {
		var got struct{ Meetings []feed.Meeting }
		answer := call("GET", "/v1/meetings", "feed-1", "sixteen characters", "")
		require.NoError(t, json.Unmarshal([]byte(answer), &got), answer)
		assert.Len(t, got.Meetings, 2)
		assert.NotContains(t, call("GET", "/v1/meetings", "feed-1", "fifteen letters", ""), "startTime")
	})
	t.Run("removed", func(t *testing.T) {
		// A device that is no longer configured gets an empty list; one with
		// another password is refused the old one.
		text := regexp.MustCompile(`\{"name": "TMS".*\n`).ReplaceAllString(text, "")
		text = strings.Replace(text, `"poly-1", "password": "sixteen characters"`, `"poly-1", "password": "another sixteen and more"`, 1)
		c, err := parse(path, []byte(text), Builders())
		require.NoError(t, err)
		require.NoError(t, a.Set(c))
		eventually(func() bool {
			_, err := tms.CallManager(t.Context(), "https://"+listen+"/tms/a-secret-path-of-length", "Beat", true)
			return err == nil && len(tms.Bookings()) == 0
		})
		req, err := http.NewRequest(http.MethodPost, "https://"+listen+"/EWS/Exchange.asmx", nil)
		require.NoError(t, err)
		req.SetBasicAuth("poly-1", "sixteen characters")
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	})
}

// TestCertificateIsReadAgain: a renewed certificate needs no restart, and one
// that cannot be read leaves the old one.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, dir)
	k := &keyPair{cert: filepath.Join(dir, "site.crt"), key: filepath.Join(dir, "site.key")}
	first, err := k.get(nil)
	require.NoError(t, err)
	again := func(after time.Time) *tls.Certificate {
		require.NoError(t, os.Chtimes(k.cert, after, after))
		k.looked = time.Time{}
		c, err := k.get(nil)
		require.NoError(t, err)
		return c
	}
	selfSigned(t, dir)
	second := again(time.Now().Add(time.Minute))
	assert.NotEqual(t, first.Certificate[0], second.Certificate[0])
	write(t, dir, "site.crt", "nonsense")
	assert.Equal(t, second, again(time.Now().Add(2*time.Minute)))
	_, err = (&keyPair{cert: k.cert, key: k.key}).get(nil)
	require.Error(t, err)
}

func TestSiteConfigErrors(t *testing.T) {
	dir, _ := siteFolder(t)
	for _, tt := range []struct{ old, new, want string }{
		{`"listen": "LISTEN"`, `"listen": "8443"`, `otj.json:4:21: must be an address with a port`},
		{`"https://LISTEN"`, `"http://otj.example"`, `must be how devices reach this program`},
		{`"https://LISTEN"`, `"https://otj.example/path"`, `must be how devices reach this program`},
		{`"cert_file": "site.crt", `, ``, `devices send passwords: add "cert_file" and "key_file"`},
		{`"cert_file": "site.crt"`, `"cert_file": "site.key"`, `failed to find certificate PEM data`},
		{`"cert_file": "site.crt"`, `"http": true, "cert_file": "site.crt"`, `a proxy in front must have it`},
		{`"state": "state"`, `"state": "nowhere"`, `no such file`},
		{`"state": "state"`, `"state": "site.crt"`, `is no folder`},
		{`, "state": "state"`, ``, `add "state", a folder, to "site"`},
		{`"token": "bot"`, `"tokn": "bot"`, `did you mean "token"?`},
		{`"token": "bot"`, `"client_id": "x"`, `give the "token" of a bot`},
		{`"token": "bot"`, `"token": "bot", "client_id": "x", "client_secret": "y", "refresh_token": "z"`, `give the "token" of a bot`},
		{`"token": "bot"`, `"token": "bot", "token_file": "site.crt"`, `give one of "token", "token_file" and "token_env"`},
		{`"token": "bot"`, `"token": "bot", "ca_file": "site.key"`, `there is no certificate in PEM form`},
		{`https://cloud.example`, `http://cloud.example`, `must begin with https://`},
		{`"webex": "house"`, `"webex": "home"`, `there is no "home" in "webex"`},
		{`, "webex": "house"`, ``, `needs "webex"`},
		{`"address": "device-1", `, ``, `the device id that Webex gives it`},
		{`"id": "fjord"`, `"id": "fj ord"`, `A-Z a-z 0-9 - _`},
		{`, "id": "fjord"`, ``, `needs an "id"`},
		{`a-secret-path-of-length`, `short`, `at least 16 characters`},
		{`, "serial": "SERIAL"`, ``, `"serial" or "mac"`},
		{`"https://LISTEN"`, `"https://` + strings.Repeat("a-long-name.", 6) + `example"`, `longer than the 64 characters`},
		{`"username": "poly-1", `, `"username": "poly-1", "token": "whole", `, `no form "whole" of the token`},
		{`"username": "poly-1", `, ``, `a Poly device needs a "username"`},
		{`"username": "feed-1", "password": "sixteen characters"`, `"username": "feed-1", "password": "short"`, `of 16 characters or more; otj secret makes one`},
		{`https://hook.example/otj`, `http://hook.example/otj`, `https`},
		{`"state": "state"`, `"state": "state", "poly_auth": ["Digest"]`, `there is no scheme "Digest"`},
		{`"cert_file": "site.crt", "key_file": "site.key"`, `"http": true, "poly_auth": ["Basic", "NTLM"]`, `behind a proxy`},
		{`"address": "device-1"`, `"address": "device-1", "webrtc": "always"`, `webrtc "always"`},
		{`"id": "fjord"`, `"id": "fjord", "webrtc": "always"`, `webrtc "always"`},
		{`"id": "fjord"`, `"id": "fjord", "max_bookings": -1`, `must not be negative`},
		{`"serial": "SERIAL"`, `"serial": "SERIAL", "encryption": "Maybe"`, `encryption "Maybe"`},
		{`"via": "macro"`, `"via": "pigeon"`, `use https, websocket, cloud, macro or tms`},
		{`{"type": "feed", "username": "feed-1"`, `{"type": "poly", "username": "poly-1"`, `room "Poly" has the same device`},
	} {
		t.Run(tt.new, func(t *testing.T) {
			require.Contains(t, siteConfig, tt.old)
			text := strings.Replace(siteConfig, tt.old, tt.new, 1)
			text = strings.ReplaceAll(text, "LISTEN", "127.0.0.1:8443")
			_, err := parse(filepath.Join(dir, "otj.json"), []byte(text), Builders())
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "a-secret-path-of-length")
		})
	}
	text := regexp.MustCompile(`"site".*\n`).ReplaceAllString(siteConfig, "")
	_, err := parse("otj.json", []byte(strings.Replace(text, "calendars\"}", filepath.Join(dir, "calendars")+"\"}", 1)), Builders())
	require.Error(t, err)
	assert.Equal(t, 4, strings.Count(err.Error(), `add "site" with its "url"`), err.Error())
}

// TestSetup prints what an installer has to do, for each kind of device.
func TestSetup(t *testing.T) {
	dir, _ := siteFolder(t)
	c, err := parse(filepath.Join(dir, "otj.json"), []byte(strings.ReplaceAll(siteConfig, "LISTEN", "otj.fabrikam.example:8443")), Builders())
	require.NoError(t, err)
	for room, want := range map[string][]string{
		"Macro":   {"https://otj.fabrikam.example:8443/macro/fjord/enrol", "24 hours", "curl -sS --fail ", "--cacert", `xCommand HttpClient Allow Hostname Add Expression: "^otj\.fabrikam\.example$"`},
		"TMS":     {"xConfiguration Provisioning ExternalManager Address: otj.fabrikam.example:8443", "ExternalManager Path: tms/SECRET", "Provisioning Mode: TMS", "The password is the one in the configuration file."},
		"Poly":    {"https://otj.fabrikam.example:8443/EWS/Exchange.asmx", "poly-1", `calendarserver "otj.fabrikam.example:8443"`, `calendarpassword "SECRET"`, `exchange.auth.userName="poly-1"`},
		"Feed":    {"https://otj.fabrikam.example:8443/v1/meetings", "feed-1"},
		"Webhook": {"Let the program at the webhook's address"},
	} {
		var out bytes.Buffer
		require.NoError(t, c.Setup(t.Context(), room, false, &out), room)
		for _, w := range want {
			assert.Contains(t, out.String(), w)
		}
		assert.NotContains(t, out.String(), "sixteen characters")
		assert.NotContains(t, out.String(), "a-secret-path-of-length")
		require.ErrorContains(t, c.Setup(t.Context(), room, true, &out), "--apply is for")
	}
	require.ErrorContains(t, c.Setup(t.Context(), "Macr", false, io.Discard), `did you mean "Macro"?`)
}

// Where devices cannot come, setup says so before it says what to enter, and what
// to change in the file that there is.
func TestSetupOfOneMachine(t *testing.T) {
	dir, _ := siteFolder(t)
	setup := func(config, room string) string {
		c, err := parse(filepath.Join(dir, "otj.json"), []byte(config), Builders())
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, c.Setup(t.Context(), room, false, &out), room)
		return out.String()
	}
	local := strings.ReplaceAll(siteConfig, "LISTEN", "127.0.0.1:8443")
	for _, room := range []string{"Macro", "TMS", "Poly", "Feed"} {
		text := setup(local, room)
		first, _, _ := strings.Cut(text, "\n")
		assert.Contains(t, first, "cannot reach this program at https://127.0.0.1:8443", room)
		assert.Contains(t, first, `change the "url" of "site"`, room)
		assert.NotContains(t, text, "Write such a file", room)
		assert.NotContains(t, text, `"control"`, room)
	}
	assert.NotContains(t, setup(local, "Webhook"), "cannot reach", "it does not call")
	assert.NotContains(t, setup(strings.ReplaceAll(siteConfig, "LISTEN", "otj.fabrikam.example:8443"), "Poly"), "cannot reach")

	// Without a site, devices call where administrators do.
	c := &Config{Control: &ControlConfig{URL: "https://localhost:8443"}}
	s := c.devices()
	assert.Equal(t, "control", s.urlIn)
	i := installer{site: &Site{config: s}}
	assert.Contains(t, i.moved().Title, `change the "url" of "control"`)
	assert.NotContains(t, (&Site{config: s}).needsTLS("via").Error(), "--config FILE", "there is one")
}

// TestSetupApplies: a device that can be called is changed only if asked.
func TestSetupApplies(t *testing.T) {
	d := ciscotest.New(nil)
	require.NoError(t, d.Start(""))
	defer d.Close()
	d.SetConfig("NetworkServices/Websocket", "Off")
	c := &Config{Rooms: []Room{{Name: "Fjord", Device: Device{Type: "cisco", Address: d.Addr(), Username: d.User(), Password: "x", Fingerprint: d.Fingerprint(), Via: "https"}}}}
	require.ErrorContains(t, c.Setup(t.Context(), "Fjord", false, io.Discard), "credentials")
	c.Rooms[0].Device.Password = calendar.Secret(d.Password())
	var out bytes.Buffer
	require.NoError(t, c.Setup(t.Context(), "Fjord", false, &out))
	assert.Contains(t, out.String(), "has the settings that it needs")
	d.SetConfig("NetworkServices/HTTP/Mode", "HTTP")
	out.Reset()
	require.NoError(t, c.Setup(t.Context(), "Fjord", false, &out))
	assert.Contains(t, out.String(), "xConfiguration NetworkServices HTTP Mode: HTTPS")
	assert.Contains(t, out.String(), "Nothing was changed")
	assert.Equal(t, "HTTP", d.Config("NetworkServices/HTTP/Mode"))
	require.NoError(t, c.Setup(t.Context(), "Fjord", true, &out))
	assert.Equal(t, "HTTPS", d.Config("NetworkServices/HTTP/Mode"))

	// A device without its WebSocket is asked, and set, over HTTPS.
	c.Rooms[0].Device.Via = "websocket"
	out.Reset()
	require.NoError(t, c.Setup(t.Context(), "Fjord", false, &out))
	assert.Contains(t, out.String(), "xConfiguration NetworkServices Websocket: FollowHTTPService")
	assert.Equal(t, "Off", d.Config("NetworkServices/Websocket"))
	require.NoError(t, c.Setup(t.Context(), "Fjord", true, &out))
	assert.Equal(t, "FollowHTTPService", d.Config("NetworkServices/Websocket"))
	out.Reset()
	require.NoError(t, c.Setup(t.Context(), "Fjord", true, &out))
	assert.Contains(t, out.String(), "has the settings that it needs")
	assert.Zero(t, d.Sessions(), "no session is left at the device")
	d.WriteForeign()
	out.Reset()
	require.NoError(t, c.Setup(t.Context(), "Fjord", false, &out))
	assert.Contains(t, out.String(), "of another system")
	assert.NotContains(t, out.String(), "--apply", "which does not change that")
	d.SetFault(ciscotest.FaultNotDevice)
	require.ErrorIs(t, c.Setup(t.Context(), "Fjord", true, io.Discard), otj.ErrNotDevice)
}
