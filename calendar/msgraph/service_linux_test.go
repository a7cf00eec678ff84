package msgraph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// tenantEnv makes TestTenantProcess a fake of Graph with as many rooms: a process
// of its own, so that what it costs is not counted.
const tenantEnv = "OTJ_TEST_GRAPH_TENANT"

// tenantLine is what it says: first where it is, then each meeting that it adds.
type tenantLine struct {
	URL, Token string
	Added      string
	At         time.Time
	Requests   int
}

// TestTenantProcess is not a test. It adds a meeting to some room for each line
// that it reads, and says how many requests there were.
func TestTenantProcess(t *testing.T) {
	size, err := strconv.Atoi(os.Getenv(tenantEnv))
	if err != nil {
		t.Skip("this is the other process of BenchmarkService")
	}
	site := quiet(&graphtest.Options{TokenLifetime: 24 * time.Hour})
	defer site.Close()
	rooms := make([]*graphtest.Mailbox, size)
	for i := range rooms {
		rooms[i] = site.Tenant.AddMailbox(roomOf(i))
		for h := range 8 {
			ev := zoom(fmt.Sprint("Meeting ", h), 0)
			ev.Start = time.Now().Add(time.Duration(h-2) * time.Hour)
			ev.End = ev.Start.Add(time.Hour)
			rooms[i].AddSingle(ev)
		}
	}
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(tenantLine{URL: site.Start(), Token: site.Tenant.Token(site.App)})
	in := bufio.NewScanner(os.Stdin)
	for n := 0; in.Scan(); n++ {
		ev := zoom(fmt.Sprint("Added ", n), 0)
		ev.Start = time.Now().Add(time.Hour)
		ev.End = ev.Start.Add(time.Hour)
		at := time.Now()
		rooms[rand.IntN(size)].AddSingle(ev)
		_ = out.Encode(tenantLine{Added: ev.Subject, At: at, Requests: site.Stats().Requests})
	}
}

func roomOf(i int) string { return fmt.Sprintf("room%04d@example.com", i) }

// given is a credential with a token.
type given string

func (g given) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(g), ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

// seen is a device that notes when it shows a meeting first.
type seen struct {
	mu *sync.Mutex
	at map[string]time.Time
}

func (s *seen) Dials(rules.Address) bool { return true }
func (s *seen) Show(_ context.Context, meetings []otj.Meeting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range meetings {
		if _, ok := s.at[m.Title]; !ok {
			s.at[m.Title] = time.Now()
		}
	}
	return nil
}

// BenchmarkService keeps 5,000 rooms for a minute in which 600 meetings are
// added, with Graph in another process: what that costs, and how long it takes
// from a mailbox to the screen.
func BenchmarkService(b *testing.B) {
	const (
		size   = 5_000
		added  = 600
		minute = time.Minute
	)
	for _, told := range []bool{true, false} {
		b.Run(map[bool]string{true: "told", false: "polled"}[told], func(b *testing.B) {
			cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestTenantProcess$")
			cmd.Env = append(os.Environ(), fmt.Sprint(tenantEnv, "=", size))
			in, err := cmd.StdinPipe()
			require.NoError(b, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(b, err)
			require.NoError(b, cmd.Start())
			out := bufio.NewScanner(stdout)
			next := func() (l tenantLine) {
				require.True(b, out.Scan())
				require.NoError(b, json.Unmarshal(out.Bytes(), &l))
				return l
			}
			first := next()

			heap := func() float64 {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return float64(m.HeapAlloc + m.StackInuse)
			}
			cpu := func() time.Duration {
				var r syscall.Rusage
				require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
				return time.Duration(r.Utime.Nano() + r.Stime.Nano())
			}
			before := heap()
			mux := http.NewServeMux()
			srv := httptest.NewServer(mux)
			defer srv.Close()
			hook, err := msgraph.NewWebhook(srv.URL+"/graph", nil)
			require.NoError(b, err)
			mux.Handle("/graph", hook)
			p := msgraph.New(given(first.Token), &msgraph.Options{Cloud: msgraph.Cloud{Graph: first.URL}})
			notifier := hook.Notifier("example.com", p)
			var mu sync.Mutex
			at := map[string]time.Time{}
			rooms := make([]otj.Room, size)
			for i := range rooms {
				src := otj.Source{Provider: p, Mailbox: roomOf(i)}
				if told {
					src.Provider = notifier
				}
				rooms[i] = otj.Room{Name: src.Mailbox, Sources: []otj.Source{src}, Endpoint: &seen{&mu, at}}
			}
			poll := p.PollInterval
			svc, err := otj.New(rooms, &otj.Options{PollOf: func(calendar.Provider) time.Duration { return poll() }})
			require.NoError(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			began, idle := time.Now(), cpu()
			go func() { done <- svc.Run(ctx) }()
			ready := func() bool {
				up := true
				for _, r := range svc.Status().Rooms {
					up = up && r.UpToDate
				}
				return up && (!told || notifier.Subscriptions().Live == size)
			}
			for !ready() {
				<-time.After(100 * time.Millisecond)
			}
			starting, startCPU := time.Since(began), cpu()-idle
			<-time.After(5 * time.Second) // the readings after the subscriptions

			start, used := time.Now(), cpu()
			var lines []tenantLine
			for i := range added {
				_, err := io.WriteString(in, "\n")
				require.NoError(b, err)
				lines = append(lines, next())
				<-time.After(time.Until(start.Add(minute * time.Duration(i+1) / added)))
			}
			took := time.Since(start)
			used = cpu() - used
			after := heap()
			requests := lines[added-1].Requests - lines[0].Requests
			var late []time.Duration
			missing := 0
			mu.Lock()
			for _, l := range lines[:added-added/20] { // the last ones are still on their way
				if t, ok := at[l.Added]; ok {
					late = append(late, t.Sub(l.At))
				} else {
					missing++
				}
			}
			mu.Unlock()
			slices.Sort(late)
			b.ReportMetric(starting.Seconds(), "start-s")
			b.ReportMetric(startCPU.Seconds(), "start-cpu-s")
			b.ReportMetric(used.Seconds()/took.Minutes(), "cpu-s/min")
			b.ReportMetric((after-before)/size, "B/room")
			b.ReportMetric(float64(requests)/took.Minutes(), "requests/min")
			b.ReportMetric(float64(p.Status().Quota.Used), "requests")
			b.ReportMetric(float64(missing), "not-yet-shown")
			if len(late) > 0 {
				b.ReportMetric(float64(late[len(late)/2].Milliseconds()), "p50-ms")
				b.ReportMetric(float64(late[len(late)*99/100].Milliseconds()), "p99-ms")
			}
			b.ReportMetric(0, "ns/op")
			cancel()
			require.NoError(b, <-done)
			in.Close()
			require.NoError(b, cmd.Wait())
		})
	}
}
