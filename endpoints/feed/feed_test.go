package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

var dialable = []rules.Address{{Scheme: rules.SIP, URI: "sip:1@example.com"}, {Scheme: rules.H323, URI: "h323:2@example.com"}}

func toMeeting(m Meeting) otj.Meeting {
	out := otj.Meeting{ID: m.ID, Title: m.Subject, Organizer: calendar.Person{Name: m.OrganizerName, Email: m.OrganizerEmail},
		Start: m.StartTime, End: m.EndTime, Private: m.Private,
		StartBuffer: time.Duration(m.StartBuffer * float64(time.Second)), EndBuffer: time.Duration(m.EndBuffer * float64(time.Second))}
	if m.JoinURI != "" {
		out.Join = rules.Address{Scheme: rules.SIP, URI: m.JoinURI}
		if strings.HasPrefix(m.JoinURI, "h323:") {
			out.Join.Scheme = rules.H323
		}
	}
	return out
}

func TestRoom(t *testing.T) {
	endpointtest.Run(t, func() (*endpointtest.Harness, error) {
		s := New(&Options{PerMinute: 100_000})
		cred, secret := NewCredential()
		room, err := s.Add("room", cred)
		if err != nil {
			return nil, err
		}
		return &endpointtest.Harness{
			Endpoint: room, Dialable: dialable,
			Undialable: []rules.Address{{Scheme: rules.HTTPS, URI: "https://example.com/"}},
			Shown: func(context.Context) ([]otj.Meeting, error) {
				var all []otj.Meeting
				seen := map[string]bool{}
				for from := ""; ; {
					w := get(s, "/v1/meetings?limit=100"+from, cred.ID, string(secret), "")
					var page struct{ Meetings []Meeting }
					if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
						return nil, fmt.Errorf("status %d: %w", w.Code, err)
					}
					before := len(all)
					for _, m := range page.Meetings {
						if !seen[m.ID] {
							seen[m.ID] = true
							all = append(all, toMeeting(m))
						}
					}
					if len(page.Meetings) < 100 || len(all) == before {
						return all, nil
					}
					from = "&startTime=" + all[len(all)-1].Start.Format(time.RFC3339)
				}
			},
		}, room.Show(t.Context(), nil)
	})
}

func get(s http.Handler, path, id, secret, tag string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.SetBasicAuth(id, secret)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func bearer(s http.Handler, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestServer(t *testing.T) {
	s := New(&Options{PerMinute: 1000})
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(t, err)
	_, err = s.Add("b", cred)
	require.ErrorContains(t, err, "in use")
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var ms []otj.Meeting
	for i := range 12 {
		at := start.Add(time.Duration(i) * time.Hour)
		ms = append(ms, otj.Meeting{ID: fmt.Sprint("m", i), Title: "T, ; x", Start: at, End: at.Add(time.Hour), Join: dialable[0]})
	}
	require.NoError(t, room.Show(t.Context(), nil))
	empty := get(s, "/v1/calendar.ics", cred.ID, string(secret), "")
	require.Equal(t, 200, empty.Code)
	require.NoError(t, room.Show(t.Context(), ms))

	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(cred.ID, string(secret))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var tok struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &tok))

	for path, want := range map[string]int{
		"/v1/meetings": 10, "/v1/meetings?limit=100": 12, "/v1/meetings?limit=1&idsOnly=true": 1,
		"/v1/meetings?startTime=2026-11-23T10:00:00Z&endTime=2026-11-23T12:00:00Z": 2,
	} {
		w := bearer(s, path, tok.AccessToken)
		require.Equal(t, 200, w.Code, path)
		require.Contains(t, w.Body.String(), fmt.Sprintf(`"count":%d`, want), path)
		require.Equal(t, strings.Contains(path, "idsOnly"), !strings.Contains(w.Body.String(), "subject"), path)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "startTime=now", "endTime=1", "idsOnly=2"} {
		require.Equal(t, 400, bearer(s, "/v1/meetings?"+q, tok.AccessToken).Code, q)
	}
	require.Equal(t, 404, bearer(s, "/v1/other", tok.AccessToken).Code)

	tag := get(s, "/v1/meetings", cred.ID, string(secret), "").Header().Get("ETag")
	require.Equal(t, 304, get(s, "/v1/meetings", cred.ID, string(secret), tag).Code)
	w = get(s, "/v1/calendar.ics", cred.ID, string(secret), "")
	cal, err := ical.NewDecoder(w.Body).Decode()
	require.NoError(t, err)
	require.Len(t, cal.Events(), 12)
	require.NoError(t, room.Show(t.Context(), nil))
	require.Equal(t, 200, get(s, "/v1/meetings", cred.ID, string(secret), tag).Code)

	s.Remove(room)
	require.Equal(t, 401, bearer(s, "/v1/meetings", tok.AccessToken).Code)
}

func TestLimits(t *testing.T) {
	s := New(nil)
	cred, secret := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(t, err)
	require.NoError(t, room.Show(t.Context(), nil))
	for range 10 {
		require.Equal(t, 200, get(s, "/v1/meetings", cred.ID, string(secret), "").Code)
	}
	w := get(s, "/v1/meetings", cred.ID, string(secret), "")
	require.Equal(t, 429, w.Code)
	require.Equal(t, "6", w.Header().Get("Retry-After"))
	for range 20 {
		require.Equal(t, 401, get(s, "/v1/meetings", cred.ID, "wrong", "").Code)
	}
	require.Equal(t, 429, get(s, "/v1/meetings", cred.ID, "wrong", "").Code)
	stored, err := json.Marshal(cred)
	require.NoError(t, err)
	require.NotContains(t, string(stored), string(secret))
}
