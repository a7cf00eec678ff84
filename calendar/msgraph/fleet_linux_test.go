package msgraph_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// fleetEnv makes this test binary a fake of Graph with mailboxes: a process of
// its own, so that what it costs is not counted. Its value is their number.
const fleetEnv = "OTJ_TEST_GRAPH_FLEET"

// fleet is what such a process says of itself.
type fleet struct {
	URL, Token string
	Cert       []byte
}

func TestMain(m *testing.M) {
	size, err := strconv.Atoi(os.Getenv(fleetEnv))
	if err != nil {
		os.Exit(m.Run())
	}
	site := graphtest.NewSite(&graphtest.Options{TokenLifetime: 24 * time.Hour})
	defer site.Close()
	body := "<html><body>" + strings.Repeat("<p>Join the meeting.</p>\r\n", 80) + "</body></html>"
	for i := range size {
		room := site.Tenant.AddMailbox(roomName(i))
		for n := range 10 {
			room.AddSingle(graphtest.Event{Subject: fmt.Sprint("Meeting ", n), Start: monday.Add(time.Duration(10*n) * time.Hour), HTML: body})
		}
		for n := range 3 {
			start := monday.AddDate(0, 0, -30).Add(time.Duration(8+n) * time.Hour)
			if _, err := room.AddSeries(graphtest.Event{Subject: fmt.Sprint("Series ", n), Start: start, HTML: body}, graphtest.Recurrence{Type: "daily"}); err != nil {
				panic(err)
			}
		}
	}
	// What it serves with, for the client to trust.
	conn, err := tls.Dial("tcp", strings.TrimPrefix(site.URL, "https://"), site.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		panic(err)
	}
	cert := conn.ConnectionState().PeerCertificates[0].Raw
	conn.Close()
	_ = json.NewEncoder(os.Stdout).Encode(fleet{URL: site.URL, Token: site.Tenant.Token(site.App), Cert: cert})
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other side hangs up
}

func roomName(i int) string { return fmt.Sprintf("room%d@example.com", i) }

// resident is the memory of this process that is in use, as Linux counts it.
func resident(b *testing.B) int64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	require.NoError(b, err)
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	require.NoError(b, err)
	return pages * int64(os.Getpagesize())
}

// BenchmarkIdleSync follows 10,000 mailboxes with 31 meetings in the week, of
// which nothing changes, and measures what they cost between two rounds.
func BenchmarkIdleSync(b *testing.B) {
	const size = 10_000
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", fleetEnv, size))
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	defer func() {
		in.Close()
		_ = cmd.Wait()
	}()
	var f fleet
	require.NoError(b, json.NewDecoder(out).Decode(&f))

	served, err := x509.ParseCertificate(f.Cert)
	require.NoError(b, err)
	pool := x509.NewCertPool()
	pool.AddCert(served)

	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before, beforeRSS := heap(), resident(b)
	p := msgraph.New(fixed(f.Token), &msgraph.Options{Cloud: msgraph.Cloud{Graph: f.URL}, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 32}, DailyQuota: msgraph.MaxDailyQuota})
	tokens := make([]string, size)
	round := func(events int) {
		rooms := make(chan int)
		errs := make(chan error, 32)
		var wg sync.WaitGroup
		for range cap(errs) {
			wg.Go(func() {
				var failed error
				for i := range rooms {
					d, err := p.Sync(b.Context(), roomName(i), week, tokens[i])
					if tokens[i] = d.Token; err == nil && len(d.Changed) != events {
						err = fmt.Errorf("%d events, and not %d", len(d.Changed), events)
					}
					failed = errors.Join(failed, err)
				}
				errs <- failed
			})
		}
		for i := range size {
			rooms <- i
		}
		close(rooms)
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(b, err)
		}
	}
	round(10 + 3*7)
	for b.Loop() {
		begin := time.Now()
		round(0)
		b.ReportMetric(size/time.Since(begin).Seconds(), "mailboxes/s")
	}
	each := float64(heap()-before) / size
	b.ReportMetric(each, "B/mailbox")
	b.ReportMetric(float64(resident(b)-beforeRSS)/size, "resident-B/mailbox")
	assert.Less(b, each, 25_000.0)
	runtime.KeepAlive(p)
}
