package cisco_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// plain are addresses without a browser: what older ways can carry.
var plain = []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.SIPS, URI: "sips:3@example.com"}}

func TestLegacy(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		h, err := harness(ciscotest.Options{Version: "ce9.1.4", OnPremises: true, NoRateLimit: true}, overHTTPS)()
		if err == nil {
			h.Dialable = plain
			h.Undialable = append(dialable[2:3:3], undialable...)
		}
		return h, err
	})
}

func TestCloud(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		cloud := ciscotest.NewCloud("bot", "refresh")
		srv := httptest.NewTLSServer(cloud)
		h, err := harness(ciscotest.Options{NoRateLimit: true}, func(d *ciscotest.Device, o *cisco.Options) (*cisco.Endpoint, error) {
			cloud.Add("dev", d)
			return cisco.NewCloud("dev", cisco.BotToken("bot"), &cisco.CloudOptions{BaseURL: srv.URL + "/v1", Client: srv.Client()}, o)
		})()
		if err != nil {
			return nil, err
		}
		h.Faults[otj.ErrUnauthorized] = cloud.Revoke
		h.Faults[otj.ErrBusy] = func() { cloud.Throttle("7") }
		h.Faults[otj.ErrNotDevice] = nil
		h.Faults[otj.ErrCertificate] = nil
		h.Requests = cloud.Calls
		h.Learn = nil // configurations are not part of it
		h.Close = srv.Close
		return h, nil
	})
}

func TestIntegrationRefreshes(t *testing.T) {
	cloud := ciscotest.NewCloud("bot", "refresh")
	srv := httptest.NewTLSServer(cloud)
	defer srv.Close()
	d := ciscotest.New(nil)
	cloud.Add("dev", d)
	in, err := cisco.NewIntegration("client", "secret", "refresh", &cisco.IntegrationOptions{BaseURL: srv.URL + "/v1", Client: srv.Client()})
	require.NoError(t, err)
	ep, err := cisco.NewCloud("dev", in, &cisco.CloudOptions{BaseURL: srv.URL + "/v1", Client: srv.Client()}, nil)
	require.NoError(t, err)
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	cloud.Revoke()
	require.NoError(t, ep.Show(t.Context(), someMeetings(3)), "the token was void: another one is fetched")
	assert.Len(t, d.Bookings(), 3)
	cloud.Throttle("17")
	var e *otj.EndpointError
	require.ErrorAs(t, ep.Show(t.Context(), someMeetings(1)), &e)
	assert.ErrorIs(t, e, otj.ErrBusy)
	assert.Equal(t, 17*time.Second, e.RetryAfter)
}

func someMeetings(n int) []otj.Meeting {
	start := time.Now().UTC().Truncate(time.Minute).Add(10 * time.Minute)
	out := make([]otj.Meeting, n)
	for i := range out {
		out[i] = otj.Meeting{ID: fmt.Sprintf("m%03d", i), Title: fmt.Sprintf("Meeting %d", i), Organizer: calendar.Person{Name: "Ada Example"},
			Start: start, End: start.Add(30 * time.Minute), StartBuffer: 5 * time.Minute, Join: plain[0], Service: "sip"}
		start = start.Add(30 * time.Minute)
	}
	return out
}

func trusting(srv *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return pool
}

func TestManager(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		m, err := cisco.NewManager(nil)
		if err != nil {
			return nil, err
		}
		srv := httptest.NewTLSServer(m)
		d := ciscotest.New(&ciscotest.Options{Version: "ce9.14.3", OnPremises: true})
		d.Trust(trusting(srv))
		ep, err := m.Device(cisco.ManagedDevice{Name: "Fjord", Path: "secret-path-0123456789", Serial: d.Serial(), MAC: strings.ReplaceAll(d.MAC(), ":", "")})
		return &endpointtest.Harness{
			Endpoint: ep,
			Shown: func(ctx context.Context) ([]otj.Meeting, error) {
				_, err := d.CallManager(ctx, srv.URL+"/secret-path-0123456789", "Beat", true)
				return shown(d), err
			},
			Dialable: plain, Undialable: append(dialable[2:3:3], undialable...), Normalize: wholeMinutes,
			Reset: func() {
				d.Reboot()
				d.CallManager(context.Background(), srv.URL+"/secret-path-0123456789", "Boot", true)
			},
			Close: srv.Close,
		}, err
	})
}

func TestManagerRefusesOthers(t *testing.T) {
	m, err := cisco.NewManager(nil)
	require.NoError(t, err)
	srv := httptest.NewTLSServer(m)
	defer srv.Close()
	ep, err := m.Device(cisco.ManagedDevice{Name: "Fjord", Path: "secret-path-0123456789", Serial: "REAL"})
	require.NoError(t, err)
	require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
	d := ciscotest.New(nil)
	d.Trust(trusting(srv))
	_, err = d.CallManager(t.Context(), srv.URL+"/secret-path-0123456789", "Boot", true)
	assert.ErrorContains(t, err, "403")
	require.NotEmpty(t, ep.Alarms())
	assert.Equal(t, cisco.AlarmIdentity, ep.Alarms()[0].Code)
	_, err = d.CallManager(t.Context(), srv.URL+"/another-path", "Boot", true)
	assert.ErrorContains(t, err, "404")
	for _, body := range []string{"", "<a", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a/>", strings.Repeat("<a>", 100000)} {
		resp, err := srv.Client().Post(srv.URL+"/secret-path-0123456789", "text/xml", strings.NewReader(body))
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	}
}

// puller does what the macro does, in Go: it fetches, puts and reports.
type puller struct {
	d      *ciscotest.Device
	client *http.Client
	url    string
	token  string
}

func enrolled(t testing.TB, s *cisco.MacroServer, srv *httptest.Server, device string, d *ciscotest.Device) *puller {
	p, err := enrol(s, srv, device, d)
	require.NoError(t, err)
	return p
}

func enrol(s *cisco.MacroServer, srv *httptest.Server, device string, d *ciscotest.Device) (*puller, error) {
	source, err := fetchMacro(s, srv, device)
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(source, `"token":"`)
	token, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		return nil, fmt.Errorf("no token in the macro")
	}
	return &puller{d, srv.Client(), srv.URL + "/m/" + device, token}, nil
}

func fetchMacro(s *cisco.MacroServer, srv *httptest.Server, device string) (string, error) {
	code, err := s.NewCode(context.Background(), device)
	if err != nil {
		return "", err
	}
	resp, err := srv.Client().PostForm(srv.URL+"/m/"+device+"/enrol", url.Values{"code": {string(code)}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, data)
	}
	return string(data), err
}

func (p *puller) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, data, err
}

func (p *puller) pull(ctx context.Context) error {
	code, data, err := p.call(ctx, "GET", "/meetings?webex=Registered&version="+url.QueryEscape(p.d.Status("SystemUnit/Software/Version")), "")
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("status %d: %w", code, err)
	}
	var got struct {
		Ready    bool
		Bookings json.RawMessage
	}
	if err := json.Unmarshal(data, &got); err != nil {
		return err
	}
	if !got.Ready {
		return nil
	}
	report := ""
	if err := p.d.Put(`{"Bookings":` + string(got.Bookings) + `}`); err != nil {
		report = err.Error()
	}
	body, _ := json.Marshal(map[string]string{"error": report})
	code, _, err = p.call(ctx, "POST", "/status", string(body))
	if err == nil && code != http.StatusNoContent {
		err = fmt.Errorf("status %d", code)
	}
	return err
}

func macroServer(o *cisco.MacroOptions) (*cisco.MacroServer, *httptest.Server, error) {
	var h http.Handler
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	s, err := cisco.NewMacroServer(srv.URL+"/m", o)
	h = s
	return s, srv, err
}

func TestMacro(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		s, srv, err := macroServer(nil)
		if err != nil {
			return nil, err
		}
		ep, err := s.Device("fjord")
		if err != nil {
			return nil, err
		}
		d := ciscotest.New(&ciscotest.Options{Version: "ce11.27.0"})
		p, err := enrol(s, srv, "fjord", d)
		if err != nil {
			return nil, err
		}
		if err := p.pull(context.Background()); err != nil {
			return nil, err
		}
		return &endpointtest.Harness{
			Endpoint: ep,
			Shown: func(ctx context.Context) ([]otj.Meeting, error) {
				err := p.pull(ctx)
				return shown(d), err
			},
			Dialable: dialable, Undialable: undialable, Normalize: wholeMinutes,
			Reset: func() {
				d.Reboot()
				p.pull(context.Background())
			},
			Close: srv.Close,
		}, nil
	})
}

func TestMacroTokens(t *testing.T) {
	s, srv, err := macroServer(&cisco.MacroOptions{RenewAfter: time.Nanosecond})
	require.NoError(t, err)
	defer srv.Close()
	ep, err := s.Device("fjord")
	require.NoError(t, err)
	_, err = s.Device("other")
	require.NoError(t, err)
	require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
	p := enrolled(t, s, srv, "fjord", ciscotest.New(nil))
	get := func(token, device string) (int, string) {
		q := puller{nil, srv.Client(), srv.URL + "/m/" + device, token}
		code, data, err := q.call(t.Context(), "GET", "/meetings", "")
		require.NoError(t, err)
		var got struct{ Token string }
		json.Unmarshal(data, &got)
		return code, got.Token
	}
	code, next := get(p.token, "fjord")
	assert.Equal(t, 200, code)
	require.NotEmpty(t, next, "the token is old: there is a new one")
	code, again := get(p.token, "fjord")
	assert.Equal(t, 200, code, "the new token was not used yet: the old one is valid")
	assert.NotEqual(t, next, again)
	code, _ = get(again, "fjord")
	assert.Equal(t, 200, code)
	code, _ = get(p.token, "fjord")
	assert.Equal(t, 401, code, "the new token was used: the old one is void")
	for _, c := range [][2]string{{"", "fjord"}, {"x", "fjord"}, {again, "other"}, {again, "nobody"}} {
		code, _ = get(c[0], c[1])
		assert.Equal(t, 401, code, c)
	}
}

func TestMacroCode(t *testing.T) {
	s, srv, err := macroServer(nil)
	require.NoError(t, err)
	defer srv.Close()
	_, err = s.Device("fjord")
	require.NoError(t, err)
	code, err := s.NewCode(t.Context(), "fjord")
	require.NoError(t, err)
	post := func(code string) int {
		resp, err := srv.Client().PostForm(s.EnrolURL("fjord"), url.Values{"code": {code}})
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	assert.Equal(t, 403, post(""))
	assert.Equal(t, 403, post("wrong"))
	assert.Equal(t, 200, post(string(code)))
	assert.Equal(t, 403, post(string(code)), "a code is for one use")
	resp, err := srv.Client().Get(s.EnrolURL("fjord"))
	require.NoError(t, err)
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	assert.Contains(t, b.String(), "xConfiguration HttpClient Mode: On")
}

func TestMacroReportsRefusal(t *testing.T) {
	s, srv, err := macroServer(nil)
	require.NoError(t, err)
	defer srv.Close()
	ep, err := s.Device("fjord")
	require.NoError(t, err)
	d := ciscotest.New(&ciscotest.Options{TeamsRooms: true})
	p := enrolled(t, s, srv, "fjord", d)
	require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
	require.NoError(t, p.pull(t.Context()))
	require.Len(t, ep.Alarms(), 1)
	assert.Equal(t, cisco.AlarmPut, ep.Alarms()[0].Code)
	d.SetTeamsRooms(false)
	require.NoError(t, p.pull(t.Context()))
	assert.Empty(t, ep.Alarms())
	assert.Len(t, d.Bookings(), 1)
}

// The list that the macro was given may have been replaced before it reports.
func TestMacroReportIsRedacted(t *testing.T) {
	s, srv, err := macroServer(nil)
	require.NoError(t, err)
	defer srv.Close()
	ep, err := s.Device("fjord")
	require.NoError(t, err)
	p := enrolled(t, s, srv, "fjord", ciscotest.New(nil))
	meetings := someMeetings(2)
	meetings[0].Title, meetings[1].Title = "Zebrafish takeover", "Budget"
	require.NoError(t, ep.Show(t.Context(), meetings))
	require.NoError(t, p.pull(t.Context()))
	require.NoError(t, ep.Show(t.Context(), meetings[1:]))
	report := func(p *puller) {
		code, _, err := p.call(t.Context(), "POST", "/status", `{"error":"cannot store Zebrafish takeover and Budget"}`)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, code)
	}
	report(p)
	require.Len(t, ep.Alarms(), 1)
	assert.Contains(t, ep.Alarms()[0].Text, "cannot store [redacted] and [redacted]")

	// Nor is it known after a restart.
	after, err := s.Device("loft")
	require.NoError(t, err)
	report(enrolled(t, s, srv, "loft", ciscotest.New(nil)))
	require.Len(t, after.Alarms(), 1)
	assert.NotContains(t, after.Alarms()[0].Text, "Zebrafish")
}
