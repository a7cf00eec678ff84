package poly_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
)

// fleetEnv makes this test binary a fleet of devices: a process of its own, so
// that what it costs is not counted.
const fleetEnv = "OTJ_TEST_POLY_FLEET"

// fleet is what such a process is told.
type fleet struct {
	URL   string
	Cert  []byte
	Users [][2]string
	Every time.Duration
	Keep  bool // connections are kept alive
}

// fleetResult is what it answers after one round of polls, while connections
// are still open.
type fleetResult struct {
	Polled, Failed, Late int
	Items                int
	P50, P99             time.Duration // of a poll
	Error                string
}

func TestMain(m *testing.M) {
	if os.Getenv(fleetEnv) == "" {
		os.Exit(m.Run())
	}
	var f fleet
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&f); err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(f.run())
	_ = in.Decode(new(string)) // until the other side hangs up
}

// run polls once with each device, at its own time in the interval.
func (f *fleet) run() (r fleetResult) {
	cert, err := x509.ParseCertificate(f.Cert)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var took []time.Duration
	start := time.Now()
	for i, u := range f.Users {
		d := polytest.New(&polytest.Options{Server: f.URL, User: u[0], Password: u[1], Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, MaxConnsPerHost: 1, DisableKeepAlives: !f.Keep}})
		at := start.Add(f.Every * time.Duration(i) / time.Duration(len(f.Users)))
		wg.Go(func() {
			time.Sleep(time.Until(at))
			began := time.Now()
			err := d.Poll(context.Background())
			mu.Lock()
			defer mu.Unlock()
			r.Polled++
			took = append(took, time.Since(began))
			if time.Since(at) > f.Every {
				r.Late++
			}
			if r.Items += len(d.Items()); err != nil {
				r.Failed++
				r.Error = err.Error()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	r.P50, r.P99 = took[len(took)/2], took[len(took)*99/100]
	return r
}

// BenchmarkFleet lets 10,000 devices in another process poll within a minute,
// and measures what they cost between polls.
func BenchmarkFleet(b *testing.B) {
	const size = 10_000
	every := time.Minute
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	for name, keep := range map[string]bool{"closed": false, "kept": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := poly.New(nil)
				require.NoError(b, err)
				h := httptest.NewUnstartedServer(s)
				h.Config.ConnContext = s.ConnContext
				h.StartTLS()
				users := make([][2]string, size)
				f := fleet{URL: h.URL, Cert: h.Certificate().Raw, Users: users, Every: every, Keep: keep}
				before := inUse()
				at := time.Now().UTC().Truncate(time.Minute)
				for i := range users {
					c, password := poly.NewCredential()
					room, err := s.Add("room", c, nil)
					require.NoError(b, err)
					ms := tenMeetings()
					for k := range ms {
						ms[k].Start, ms[k].End = at.Add(time.Duration(k)*time.Hour), at.Add(time.Duration(k+1)*time.Hour)
					}
					require.NoError(b, room.Show(b.Context(), ms))
					users[i] = [2]string{c.User, string(password)}
				}
				cmd := exec.CommandContext(b.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), fleetEnv+"=1")
				in, err := cmd.StdinPipe()
				require.NoError(b, err)
				out, err := cmd.StdoutPipe()
				require.NoError(b, err)
				require.NoError(b, cmd.Start())
				require.NoError(b, json.NewEncoder(in).Encode(f))
				var r fleetResult
				require.NoError(b, json.NewDecoder(out).Decode(&r))
				time.Sleep(time.Second) // the last connections come to rest
				after := inUse()
				require.Empty(b, r.Error)
				require.Equal(b, size, r.Polled)
				require.Equal(b, 10*size, r.Items)
				b.ReportMetric(float64(r.Failed+r.Late), "missed")
				b.ReportMetric(float64(after-before)/size, "B/device")
				b.ReportMetric(float64(r.P50.Milliseconds()), "p50-ms")
				b.ReportMetric(float64(r.P99.Milliseconds()), "p99-ms")
				in.Close()
				require.NoError(b, cmd.Wait())
				h.Close()
				runtime.KeepAlive(s)
			}
		})
	}
}
