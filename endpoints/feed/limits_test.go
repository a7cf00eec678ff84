package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

func TestLockoutPerClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{PerMinute: 1000})
		cred, secret := NewCredential()
		_, err := s.Add("a", cred)
		require.NoError(t, err)
		from := func(address, secret string) int {
			r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = address + ":1"
			r.SetBasicAuth(cred.ID, secret)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w.Code
		}
		require.Equal(t, 200, from("192.0.2.200", string(secret)))
		count := map[int]int{}
		for i := range 3000 {
			count[from(fmt.Sprintf("198.51.%d.%d", i/250, i%250), fmt.Sprint("wrong", i))]++
		}
		assert.Equal(t, map[int]int{401: 50, 429: 2950}, count)
		assert.Equal(t, 429, from("203.0.113.1", string(secret)), "the right secret tells nothing while locked")
		assert.Equal(t, 200, from("192.0.2.200", string(secret)), "the client is not locked out by others")
		time.Sleep(time.Minute)
		assert.Equal(t, 200, from("203.0.113.1", string(secret)))
	})
}

// A client that fails all the time does not lock out those behind the same
// address.
func TestNeighboursAreNotLockedOut(t *testing.T) {
	s := New(&Options{PerMinute: 1000})
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(t, err)
	require.NoError(t, room.Show(t.Context(), nil))
	token := s.grant(room)
	require.Equal(t, 200, get(s, "/v1/meetings", cred.ID, string(secret), "").Code)
	for range 100 {
		get(s, "/v1/meetings", "neighbour", "wrong", "")
	}
	require.Equal(t, 429, get(s, "/v1/meetings", "neighbour", "wrong", "").Code)
	assert.Equal(t, 200, get(s, "/v1/meetings", cred.ID, string(secret), "").Code)
	assert.Equal(t, 200, bearer(s, "/v1/meetings", token).Code)
}

// Until it is known what to show, as after a restart, a device keeps what it has.
func TestNotReady(t *testing.T) {
	s := New(nil)
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(t, err)
	for _, path := range []string{"/v1/meetings", "/v1/calendar.ics"} {
		w := get(s, path, cred.ID, string(secret), "")
		assert.Equal(t, 503, w.Code, path)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
	}
	require.NoError(t, room.Show(t.Context(), nil))
	assert.Equal(t, 200, get(s, "/v1/meetings", cred.ID, string(secret), "").Code)
	_, err = s.Add("b", Credential{ID: "a:b", Salt: []byte("salt")})
	assert.ErrorContains(t, err, "colon")
}

// Whatever a title has, the calendar can be read, and no line is too long.
func TestCalendarOfAnyText(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, title := range []string{"a\r\nBEGIN:VALARM", "a\rb", "a\x00b", "\xff", "", strings.Repeat("日本語 ", 60), strings.Repeat("x", 300), `a\n;,"b`} {
		b, err := iCalendar([]otj.Meeting{{ID: "m", Title: title, Start: at, End: at.Add(time.Hour), Join: dialable[0]}}, at)
		require.NoError(t, err, title)
		for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
			require.LessOrEqual(t, len(line), 75, title)
			require.True(t, utf8.ValidString(line) || title == "\xff", title)
			require.NotContains(t, line, "\r")
		}
		cal, err := ical.NewDecoder(bytes.NewReader(b)).Decode()
		require.NoError(t, err, title)
		require.Len(t, cal.Events(), 1)
		require.Empty(t, cal.Events()[0].Children)
		if got, err := cal.Events()[0].Props.Text(ical.PropSummary); utf8.ValidString(title) && oneLine(title) == title {
			require.NoError(t, err)
			require.Equal(t, title, got)
		}
	}
}

// openapi.yaml says what the server does: its paths, its members, its statuses.
func TestOpenAPI(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	doc := string(text)
	for _, path := range []string{"/oauth/token", "/v1/meetings"} {
		assert.Contains(t, doc, "\n  "+path+":\n")
	}
	_, schema, ok := strings.Cut(doc, "    Meeting:\n")
	require.True(t, ok)
	var described, members []string
	for _, m := range regexp.MustCompile(`(?m)^        (\w+): \{type`).FindAllStringSubmatch(schema, -1) {
		described = append(described, m[1])
	}
	for i := range reflect.TypeFor[Meeting]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Meeting]().Field(i).Tag.Get("json"), ",")
		members = append(members, name)
	}
	assert.ElementsMatch(t, members, described)
	for _, header := range []string{TimestampHeader, SignatureHeader} {
		assert.Contains(t, doc, "name: "+header)
	}

	// Each parameter is read, and each status that is described is given.
	_, get, _ := strings.Cut(doc, "  /v1/meetings:\n")
	get, _, _ = strings.Cut(get, "\nwebhooks:")
	s := New(nil)
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(t, err)
	seen := map[int]bool{s.ask(cred.ID, string(secret), "", "").Code: true}
	require.NoError(t, room.Show(t.Context(), nil))
	tag := ""
	for _, m := range regexp.MustCompile(`name: (\w+), in: query`).FindAllStringSubmatch(get, -1) {
		w := s.ask(cred.ID, string(secret), "?"+m[1]+"=x", "")
		seen[w.Code] = true
		assert.Contains(t, w.Body.String(), m[1])
	}
	for _, secret := range []string{string(secret), "wrong"} {
		for range 6 {
			w := s.ask(cred.ID, secret, "", tag)
			seen[w.Code] = true
			if e := w.Header().Get("ETag"); e != "" {
				tag = e
			}
		}
	}
	for range 10 {
		seen[s.ask(cred.ID, string(secret), "", "").Code] = true
	}
	var given, want []string
	for code := range seen {
		given = append(given, fmt.Sprint(code))
	}
	for _, m := range regexp.MustCompile(`"(\d\d\d)":`).FindAllStringSubmatch(get, -1) {
		want = append(want, m[1])
	}
	assert.ElementsMatch(t, want, given)
}

func (s *Server) ask(id, secret, query, tag string) *httptest.ResponseRecorder {
	return get(s, "/v1/meetings"+query, id, secret, tag)
}

// Whatever is asked, the answer is JSON within the limit, of meetings that are
// in the window, or an error that says what is wrong.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "limit=3", "limit=101", "idsOnly=true", "startTime=2026-11-23T10:00:00Z&endTime=2026-11-23T12:00:00%2B01:00", "startTime=x", "a=%zz;b"} {
		f.Add(q)
	}
	s := New(&Options{PerMinute: 1 << 30})
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(f, err)
	start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	var ms []otj.Meeting
	for i := range 150 {
		at := start.Add(time.Duration(i) * 20 * time.Minute)
		ms = append(ms, otj.Meeting{ID: fmt.Sprint("m", i), Start: at, End: at.Add(time.Hour)})
	}
	require.NoError(f, room.Show(f.Context(), ms))
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/v1/meetings", nil)
		r.URL.RawQuery = query
		r.SetBasicAuth(cred.ID, string(secret))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var page struct {
			Error    string
			Metadata struct{ Count int }
			Meetings []Meeting
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		if (w.Code == 400) != (page.Error != "") || w.Code != 200 && w.Code != 400 || len(page.Meetings) > 100 || page.Metadata.Count != len(page.Meetings) {
			t.Fatalf("status %d: %.200s", w.Code, w.Body)
		}
		q, _ := url.ParseQuery(query)
		for _, m := range page.Meetings {
			if from, err := time.Parse(time.RFC3339, q.Get("startTime")); err == nil && !m.EndTime.IsZero() && !m.EndTime.After(from) {
				t.Fatalf("%v ended before %v", m, from)
			}
			if to, err := time.Parse(time.RFC3339, q.Get("endTime")); err == nil && !m.StartTime.Before(to) {
				t.Fatalf("%v starts after %v", m, to)
			}
		}
	})
}

// Only what was signed verifies.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add("1800000000", "1313ae9c874eb1a0868ad0b65f841c4243c23fdcfad69a3ada227726fad9960e", []byte("{}"))
	f.Add("", "", []byte(nil))
	f.Fuzz(func(t *testing.T, at, signature string, body []byte) {
		h := map[string][]string{"Otj-Timestamp": {at}, "Otj-Signature": {signature}}
		if Verify(key, h, body, now) == nil && !slices.Equal(sign(key, at, body), sign(key, "1800000000", []byte("{}"))) {
			t.Fatalf("%q %q verifies for %q", at, signature, body)
		}
	})
}
