package poly_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// read is what a client of others read of an item.
type read struct{ ID, Subject, Start, End, Location, Organizer, Sensitivity, Body string }

// peerDay is a site with a day of meetings, and what a client must read of it.
func peerDay(t *testing.T) (*site, []read) {
	s, err := serve(poly.Options{}, &poly.RoomOptions{Mailbox: "fjord@example.com", Token: poly.TokenNone})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	require.NoError(t, s.room.Show(t.Context(), []otj.Meeting{
		{ID: "steering-1", Title: "Steering <group> & \"Grüße\"", Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"}, Start: nine, End: nine.Add(time.Hour), Join: rules.ParseAddress("sip:1@example.com")},
		{ID: "private-2", Title: "Ines Calder", Organizer: calendar.Person{Name: "Ines Calder", Email: "ines@example.com"}, Private: true, Start: nine.Add(time.Hour), End: nine.Add(90 * time.Minute), Join: rules.ParseAddress("h323:2@example.com")},
		{ID: "lunch_3", Title: "Lunch", Organizer: calendar.Person{Name: "Ben", Email: "ben@example.com"}, Start: nine.Add(3 * time.Hour), End: nine.Add(4 * time.Hour)},
		{ID: "tomorrow", Title: "Not today", Start: nine.AddDate(0, 0, 1), End: nine.AddDate(0, 0, 2)},
	}))
	return s, []read{
		{"steering-1", "Steering <group> & \"Grüße\"", "2026-11-23T09:00:00", "2026-11-23T10:00:00", "sip:1@example.com", "Ada Example", "Normal", "sip:1@example.com"},
		{"private-2", "Ines Calder", "2026-11-23T10:00:00", "2026-11-23T10:30:00", "h323:2@example.com", "Ines Calder", "Private", "h323:2@example.com"},
		{"lunch_3", "Lunch", "2026-11-23T12:00:00", "2026-11-23T13:00:00", "", "Ben", "Normal", ""},
	}
}

func runPeer(t *testing.T, cmd *exec.Cmd) (out []read) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", &stderr, text)
	dec := json.NewDecoder(bytes.NewReader(text))
	for dec.More() {
		var i read
		require.NoError(t, dec.Decode(&i))
		i.Start, i.End, i.Body = i.Start[:19], i.End[:19], strings.TrimSpace(i.Body)
		out = append(out, i)
	}
	return out
}

func (s *site) ca(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return file
}

// record keeps what a client asks for as fixtures, where OTJ_RECORD is set.
func (s *site) record(t *testing.T, name string) {
	if os.Getenv("OTJ_RECORD") == "" {
		return
	}
	n := 0
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		s.server.ServeHTTP(answer, r)
		if answer.Code != http.StatusUnauthorized {
			n++
			assert.NoError(t, os.WriteFile(filepath.Join("testdata", "requests", fmt.Sprintf("%s-%d.xml", name, n)), body, 0o600))
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
	})
}

// The requests that clients of others made, recorded by the tests below, are
// answered as they were.
func TestRecordedRequests(t *testing.T) {
	files, err := filepath.Glob("testdata/requests/*.xml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	s, want := peerDay(t)
	for _, f := range files {
		body, err := os.ReadFile(f)
		require.NoError(t, err)
		r, err := http.NewRequest(http.MethodPost, s.URL+"/EWS/Exchange.asmx", bytes.NewReader(body))
		require.NoError(t, err)
		r.SetBasicAuth(s.user, string(s.password))
		w, err := s.Client().Do(r)
		require.NoError(t, err)
		answer, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		w.Body.Close()
		assert.Equal(t, 200, w.StatusCode, "%s: %s", f, answer)
		for _, i := range want {
			if bytes.Contains(body, []byte("FindItem")) {
				assert.Contains(t, string(answer), `<t:ItemId Id="`+i.ID+`"`, f)
			}
			if asked := bytes.Contains(body, []byte(`Id="`+i.ID+`"`)); asked && i.Location != "" {
				assert.Contains(t, string(answer), "<t:Location>"+i.Location+"</t:Location>", f)
			}
		}
		assert.NotContains(t, string(answer), "Not today", f)
	}
	seen := s.room.Status()
	assert.Empty(t, seen.Unknown)
	for _, op := range []string{"FindItem", "GetItem", "GetFolder", "ConvertId"} {
		assert.Positive(t, seen.Operations[op], op)
	}
}

// Debian's python3-exchangelib reads the day over TLS.
func TestPeerExchangelib(t *testing.T) {
	if os.Getenv("OTJ_PYTHON_EWS") == "" {
		t.Skip("OTJ_PYTHON_EWS is not set: it says that /usr/bin/python3 has exchangelib (apt install python3-exchangelib); .ci/run sets it")
	}
	for _, auth := range []string{"basic", "ntlm", "guess"} {
		t.Run(auth, func(t *testing.T) {
			s, want := peerDay(t)
			s.record(t, "exchangelib-"+auth)
			cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/exchangelib_day.py", s.URL+"/EWS/Exchange.asmx", s.user, string(s.password), auth, s.ca(t))
			assert.Equal(t, want, runPeer(t, cmd))
			scheme := poly.NTLM
			if auth == "basic" {
				scheme = poly.Basic
			}
			assert.Equal(t, scheme, s.room.Status().Scheme)
			assert.Empty(t, s.room.Status().Unknown)
		})
	}
}

// npm's ews-javascript-api reads the day over TLS.
func TestPeerEWSJavaScript(t *testing.T) {
	dir := os.Getenv("OTJ_NODE")
	if dir == "" {
		t.Skip("OTJ_NODE is not set: it names a folder with node_modules, made by `npm ci` with .ci/package.json; .ci/run does so")
	}
	for _, auth := range []string{"basic", "ntlm"} {
		t.Run(auth, func(t *testing.T) {
			s, want := peerDay(t)
			s.record(t, "ews-javascript-"+auth)
			cmd := exec.CommandContext(t.Context(), "node", "testdata/ews_javascript_day.js", s.URL+"/EWS/Exchange.asmx", s.user, string(s.password), auth)
			cmd.Env = append(os.Environ(), "NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_NO_WARNINGS=1")
			assert.Equal(t, want, runPeer(t, cmd))
			assert.Equal(t, map[string]poly.Scheme{"basic": poly.Basic, "ntlm": poly.NTLM}[auth], s.room.Status().Scheme)
			assert.Empty(t, s.room.Status().Unknown)
		})
	}
}
