package poly_test

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func tenMeetings() []otj.Meeting {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	out := make([]otj.Meeting, 10)
	for i := range out {
		out[i] = otj.Meeting{ID: fmt.Sprintf("0123456789abcdef-%d", i), Title: "Quarterly planning with the whole team", Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"},
			Start: at, End: at.Add(30 * time.Minute), Join: rules.ParseAddress("sip:84512200317.550917@zoomcrc.com")}
		at = at.Add(45 * time.Minute)
	}
	return out
}

// getTen is GetItem as the reference client sends it.
func getTen() string {
	var ids strings.Builder
	for _, m := range tenMeetings() {
		ids.WriteString(`<ItemId xmlns="http://schemas.microsoft.com/exchange/services/2006/types" Id="` + m.ID + `" ChangeKey="AAAAAAAAAAAAAAAA"/>`)
	}
	fields := ""
	for _, f := range []string{"item:ItemClass", "item:Subject", "item:Body", "calendar:MyResponseType", "calendar:Start", "calendar:End", "calendar:Organizer", "calendar:UID"} {
		fields += `<FieldURI FieldURI="` + f + `"/>`
	}
	return `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><GetItem xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"><ItemShape>` +
		`<BaseShape xmlns="http://schemas.microsoft.com/exchange/services/2006/types">Default</BaseShape><BodyType xmlns="http://schemas.microsoft.com/exchange/services/2006/types">Text</BodyType>` +
		`<AdditionalProperties xmlns="http://schemas.microsoft.com/exchange/services/2006/types">` + fields + `</AdditionalProperties></ItemShape><ItemIds>` + ids.String() + `</ItemIds></GetItem></Body></Envelope>`
}

func benchSite(b testing.TB) *site {
	s, err := serve(poly.Options{PerMinute: 1 << 30}, nil)
	require.NoError(b, err)
	b.Cleanup(s.Close)
	require.NoError(b, s.room.Show(b.Context(), tenMeetings()))
	return s
}

// round is one FindItem and one GetItem of ten meetings.
func round(client *http.Client, url, user, password string) error {
	for _, body := range []string{findToday, getTenBody} {
		r, err := http.NewRequest(http.MethodPost, url+"/EWS/Exchange.asmx", strings.NewReader(body))
		if err != nil {
			return err
		}
		r.SetBasicAuth(user, password)
		w, err := client.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != 200 || bytes.Count(text, []byte("<t:CalendarItem>")) != 10 {
			return fmt.Errorf("status %d, %d bytes: %w", w.StatusCode, len(text), err)
		}
	}
	return nil
}

var getTenBody = getTen()

// constant is a handler that parses the same XML and answers constant bytes.
func constant(b *testing.B, s *site) *httptest.Server {
	answers := map[bool][]byte{}
	for _, body := range []string{findToday, getTenBody} {
		r := httptest.NewRequest(http.MethodPost, "https://x/EWS/Exchange.asmx", strings.NewReader(body))
		r.SetBasicAuth(s.user, string(s.password))
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		answers[strings.Contains(body, "<GetItem")] = w.Body.Bytes()
	}
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := xml.NewDecoder(r.Body)
		get := false
		for {
			t, err := d.Token()
			if err != nil {
				break
			}
			if e, ok := t.(xml.StartElement); ok && e.Name.Local == "GetItem" {
				get = true
			}
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(answers[get])
	}))
	b.Cleanup(h.Close)
	return h
}

// BenchmarkRounds compares rounds over loopback TLS with a handler that parses
// the same XML and answers constant bytes, in one run.
func BenchmarkRounds(b *testing.B) {
	s := benchSite(b)
	bare := constant(b, s)
	measure := func(h *httptest.Server) float64 {
		h.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 8
		const each = 250
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range each {
					if err := round(h.Client(), h.URL, s.user, string(s.password)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return 4 * each / time.Since(start).Seconds()
	}
	var ours, theirs float64
	for b.Loop() {
		theirs += measure(bare)
		ours += measure(s.Server)
	}
	n := float64(b.N)
	b.ReportMetric(ours/n, "rounds/s")
	b.ReportMetric(theirs/n, "bare-rounds/s")
	b.ReportMetric(ours/theirs, "ratio")
}

// BenchmarkLatency measures rounds at half of the load that this process, which
// is server and devices in one, can do.
func BenchmarkLatency(b *testing.B) {
	s := benchSite(b)
	client := s.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	// What it can do, so that half of it can be asked for.
	start, n := time.Now(), 0
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		wg.Go(func() {
			for time.Since(start) < 2*time.Second {
				if round(client, s.URL, s.user, string(s.password)) == nil {
					mu.Lock()
					n++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	every := time.Duration(2 * float64(time.Since(start)) / float64(n))
	// 32 devices take turns. Their time counts from when it was due, so that one
	// that waits for another is seen to wait.
	const devices, rounds = 32, 200
	var all []time.Duration
	for b.Loop() {
		begin := time.Now().Add(100 * time.Millisecond)
		for d := range devices {
			wg.Go(func() {
				if err := round(client, s.URL, s.user, string(s.password)); err != nil { // its connection
					b.Error(err)
				}
				for i := range rounds {
					due := begin.Add(every * time.Duration(devices*i+d))
					time.Sleep(time.Until(due))
					err := round(client, s.URL, s.user, string(s.password))
					took := time.Since(due)
					mu.Lock()
					all = append(all, took)
					mu.Unlock()
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	slices.Sort(all)
	b.ReportMetric(float64(time.Second/every), "rounds/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkServe is one operation without a network.
func BenchmarkServe(b *testing.B) {
	s := benchSite(b)
	for name, body := range map[string]string{"FindItem": findToday, "GetItem": getTenBody} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/EWS/Exchange.asmx", strings.NewReader(body))
				r.TLS = &tls.ConnectionState{}
				r.SetBasicAuth(s.user, string(s.password))
				w := httptest.NewRecorder()
				s.server.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
