package msgraph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

type credential struct{ err error }

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "sesame", ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// server answers calendarView in pages of two events.
type server struct {
	mu     sync.Mutex
	boxes  map[string][]map[string]any
	status int
	stall  chan struct{}
	next   string // a nextLink to answer always
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status, stall, next := s.status, s.stall, s.next
	events, known := s.boxes[strings.Split(r.URL.Path, "/")[3]]
	s.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-r.Context().Done():
		}
		return
	}
	prefer := strings.Join(r.Header.Values("Prefer"), ",")
	switch {
	case r.Header.Get("Authorization") != "Bearer sesame" || !strings.Contains(prefer, `IdType="ImmutableId"`):
		status = http.StatusBadRequest
	case status == 0 && !known:
		status = http.StatusNotFound
	}
	if status != 0 {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":{"code":"ErrorTest"}}`))
		return
	}
	var skip int
	_, _ = fmt.Sscan(r.URL.Query().Get("$skip"), &skip)
	out := map[string]any{"value": events[skip:min(skip+2, len(events))]}
	if skip+2 < len(events) {
		q := r.URL.Query()
		q.Set("$skip", fmt.Sprint(skip+2))
		out["@odata.nextLink"] = "http://" + r.Host + r.URL.Path + "?" + q.Encode()
	}
	if next != "" {
		out["@odata.nextLink"] = next
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *server) set(mailbox string, entries []calendartest.Entry) error {
	events := []map[string]any{}
	stamp := func(t time.Time) map[string]any {
		return map[string]any{"dateTime": t.UTC().Format("2006-01-02T15:04:05.0000000"), "timeZone": "UTC"}
	}
	for _, e := range entries {
		for day := range max(1, e.Days) {
			response := "accepted"
			if e.Declined {
				response = "declined"
			}
			ev := map[string]any{
				"id": fmt.Sprintf("%s-%d", e.UID, day), "iCalUId": e.UID, "subject": e.Subject, "isCancelled": e.Cancelled,
				"responseStatus": map[string]any{"response": response},
				"start":          stamp(e.Start.AddDate(0, 0, day)), "end": stamp(e.End.AddDate(0, 0, day)),
			}
			if e.Days > 1 {
				ev["type"], ev["seriesMasterId"] = "occurrence", e.UID
			}
			if e.Broken {
				ev["start"] = map[string]any{"dateTime": "soon", "timeZone": "UTC"}
			}
			events = append(events, ev)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boxes[mailbox] = events
	return nil
}

func start(cred credential) (*server, *httptest.Server, *msgraph.Provider) {
	s := &server{boxes: map[string][]map[string]any{"fjord@example.com": {}, "dune@example.com": {}}}
	srv := httptest.NewServer(s)
	return s, srv, msgraph.New(cred, &msgraph.Options{BaseURL: srv.URL})
}

func TestContract(t *testing.T) {
	calendartest.Run(t, func() (*calendartest.Harness, error) {
		s, srv, p := start(credential{})
		return &calendartest.Harness{
			Provider: p, Mailbox: "fjord@example.com", Other: "dune@example.com", Missing: "nobody@example.com",
			Set: s.set,
			Fail: func(sentinel error) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.status = map[error]int{calendar.ErrNotFound: 404, calendar.ErrUnauthorized: 401, calendar.ErrForbidden: 403,
					calendar.ErrThrottled: 429, calendar.ErrUnavailable: 503}[sentinel]
				return nil
			},
			Stall: func() error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.stall = make(chan struct{})
				return nil
			},
			Close: func() { srv.CloseClientConnections(); srv.Close() },
		}, nil
	})
}

func TestErrors(t *testing.T) {
	ctx := context.Background()
	s, srv, p := start(credential{})
	defer srv.Close()
	require.NoError(t, p.CheckAccess(ctx, "fjord@example.com"))
	for next, want := range map[string]string{
		"http://elsewhere.example/v1.0/users":                          "the next page is not at",
		srv.URL + "/v1.0/users/fjord@example.com/calendarView?$skip=0": "pages do not end",
	} {
		s.next = next
		err := p.CheckAccess(ctx, "fjord@example.com")
		require.ErrorIs(t, err, calendar.ErrUnavailable)
		require.ErrorContains(t, err, want)
	}
	s.status = http.StatusTooManyRequests
	require.EqualError(t, p.CheckAccess(ctx, "fjord@example.com"),
		"read calendar of fjord@example.com: throttled: Graph answered 429 ErrorTest (retry after 7s)")
	s.status = http.StatusForbidden
	require.ErrorContains(t, p.CheckAccess(ctx, "fjord@example.com"), "Consent to Calendars.Read")

	_, other, expired := start(credential{errors.New("AADSTS7000222: expired")})
	defer other.Close()
	require.EqualError(t, expired.CheckAccess(ctx, "fjord@example.com"), "read calendar of fjord@example.com: unauthorized: "+
		"Entra answered AADSTS7000222. The client secret has expired: make a new one in the app registration and configure it.")
}
