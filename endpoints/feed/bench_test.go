package feed

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// BenchmarkUnchanged compares polls that are answered with 304, over loopback
// TLS, with a bare handler that has the same authentication.
func BenchmarkUnchanged(b *testing.B) {
	s := New(&Options{PerMinute: 1 << 30})
	cred, _ := NewCredential()
	room, err := s.Add("a", cred)
	require.NoError(b, err)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var ms []otj.Meeting
	for i := range 10 {
		ms = append(ms, otj.Meeting{ID: fmt.Sprintf("0123456789abcdef-%d", i), Title: "Quarterly planning with the whole team",
			Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"}, Start: at, End: at.Add(time.Hour), Join: dialable[0]})
		at = at.Add(time.Hour)
	}
	require.NoError(b, room.Show(b.Context(), ms))
	token := s.grant(room)
	var mu sync.Mutex
	known := map[[32]byte]bool{sha256.Sum256([]byte(token)): true}
	bare := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		mu.Lock()
		ok := known[sha256.Sum256([]byte(text))]
		mu.Unlock()
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	}))
	defer bare.Close()
	ours := httptest.NewTLSServer(s)
	defer ours.Close()
	tag := bearer(s, "/v1/meetings", token).Header().Get("ETag")

	measure := func(h *httptest.Server) float64 {
		h.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 8
		const each = 1000
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range each {
					r, err := http.NewRequest(http.MethodGet, h.URL+"/v1/meetings", nil)
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("Authorization", "Bearer "+token)
					r.Header.Set("If-None-Match", tag)
					w, err := h.Client().Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, w.Body)
					w.Body.Close()
					if w.StatusCode != http.StatusNotModified {
						b.Error(w.Status)
						return
					}
				}
			})
		}
		wg.Wait()
		return 4 * each / time.Since(start).Seconds()
	}
	var us, them float64
	for b.Loop() {
		them += measure(bare)
		us += measure(ours)
	}
	b.ReportMetric(us/float64(b.N), "polls/s")
	b.ReportMetric(them/float64(b.N), "bare-polls/s")
	b.ReportMetric(us/them, "ratio")
}
