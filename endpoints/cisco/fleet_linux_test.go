package cisco_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

const fleetSize = 1000

// fleetEnv makes this test binary the fleet of devices: a process of its own, so
// that what it costs is not counted.
const fleetEnv = "OTJ_TEST_CISCO_FLEET"

func TestMain(m *testing.M) {
	if os.Getenv(fleetEnv) == "" {
		os.Exit(m.Run())
	}
	f, err := ciscotest.StartFleet(fleetSize, nil)
	if err != nil {
		panic(err)
	}
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	_, port, _ := strings.Cut(f.Addr(0), ":")
	out.Encode(fleet{Port: port, User: f.Devices[0].User(), Password: f.Devices[0].Password(), Fingerprint: f.Fingerprint()})
	for in.Scan() { // each line asks for the sums
		var s ciscotest.Stats
		for _, d := range f.Devices {
			t := d.Stats()
			s.Requests, s.Refused, s.Puts, s.Overlaps = s.Requests+t.Requests, s.Refused+t.Refused, s.Puts+t.Puts, s.Overlaps+t.Overlaps
		}
		out.Encode(s)
	}
}

// fleet is a fleet in another process.
type fleet struct {
	Port, User, Password, Fingerprint string

	in  io.Writer
	out *json.Decoder
}

func startFleet(b *testing.B) *fleet {
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fleetEnv+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	f := &fleet{in: in, out: json.NewDecoder(out)}
	require.NoError(b, f.out.Decode(f))
	return f
}

func (f *fleet) addr(i int) string { return fmt.Sprintf("127.1.%d.%d:%s", i>>8, i&255, f.Port) }

func (f *fleet) stats(b *testing.B) (s ciscotest.Stats) {
	io.WriteString(f.in, "\n")
	require.NoError(b, f.out.Decode(&s))
	return s
}

func (f *fleet) creds() cisco.Password {
	return cisco.Password{User: f.User, Password: calendar.Secret(f.Password)}
}

// each does something for every device, 32 at a time.
func each(b *testing.B, do func(i int) error) {
	var wg sync.WaitGroup
	next := make(chan int)
	errs := make(chan error, 32)
	for range 32 {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for i := range fleetSize {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-errs:
		require.NoError(b, err)
	default:
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFleet pushes a change to each of 1,000 devices, and compares the CPU
// time with a bare loop that sends the same requests over as many connections.
func BenchmarkFleet(b *testing.B) {
	f := startFleet(b)
	eps := make([]*cisco.Endpoint, fleetSize)
	for i := range eps {
		var err error
		eps[i], err = cisco.New(f.addr(i), f.creds(), &cisco.Options{Fingerprint: f.Fingerprint})
		require.NoError(b, err)
	}
	show := func(n int) func(i int) error {
		ms := someMeetings(n)
		return func(i int) error { return eps[i].Show(context.Background(), ms) }
	}
	each(b, show(5))

	// The bare loop: a session for each device, and the bytes of a push.
	clients, cookies := make([]*http.Client, fleetSize), make([]string, fleetSize)
	post := func(i int, path, body string) error {
		req, err := http.NewRequestWithContext(context.Background(), "POST", "https://"+f.addr(i)+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		if cookies[i] == "" {
			req.SetBasicAuth(f.User, f.Password)
		} else {
			req.Header.Set("Cookie", cookies[i])
			req.Header.Set("Content-Type", "text/xml")
		}
		resp, err := clients[i].Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if c := resp.Cookies(); len(c) > 0 {
			cookies[i] = c[0].Name + "=" + c[0].Value
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}
	each(b, func(i int) error { return post(i, "/xmlapi/session/begin", "") })
	const list = "<Command><Bookings><List><Days>365</Days><DayOffset>0</DayOffset></List></Bookings></Command>"
	bookings := make([]string, 5)
	bare := func(n int) func(i int) error {
		for k, m := range someMeetings(5) {
			bookings[k] = fmt.Sprintf(`{"Id":"otj-%s","Title":"%s %d","Number":"1@example.com","Protocol":"SIP","MeetingPlatform":"Other","Organizer":{"Name":"Ada Example"},"Time":{"StartTime":"%s","Duration":30,"StartTimeBuffer":300,"EndTimeBuffer":0},"Privacy":"Public","CallType":"Video"}`,
				m.ID, m.Title, n, m.Start.Format("2006-01-02T15:04:05Z"))
		}
		put := "<Command><Bookings><Put><body>" + strings.ReplaceAll(`{"Bookings":[`+strings.Join(bookings, ",")+"]}", `"`, "&#34;") + "</body></Put></Bookings></Command>"
		return func(i int) error {
			for _, body := range []string{list, put, list} {
				if err := post(i, "/putxml", body); err != nil {
					return err
				}
			}
			return nil
		}
	}

	closeAll := func() {
		for i := range eps {
			eps[i].CloseIdle()
			clients[i].CloseIdleConnections()
		}
		runtime.GC()
	}
	var ours, theirs time.Duration
	round := 0
	for b.Loop() {
		round++
		closeAll()
		at := cpu(b)
		each(b, bare(round))
		theirs += cpu(b) - at
		closeAll()
		at = cpu(b)
		each(b, show(4+round%2))
		ours += cpu(b) - at
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N*fleetSize), "cpu-µs/push")
	b.ReportMetric(float64(theirs.Microseconds())/float64(b.N*fleetSize), "bare-cpu-µs/push")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
	b.ReportMetric(float64(f.stats(b).Refused), "refused")
	require.Zero(b, f.stats(b).Overlaps)
}

// BenchmarkFleetMemory measures what a device costs that has its list and waits.
func BenchmarkFleetMemory(b *testing.B) {
	for name, newEndpoint := range map[string]func(addr string, f *fleet, o *cisco.Options) (*cisco.Endpoint, error){
		"https": func(addr string, f *fleet, o *cisco.Options) (*cisco.Endpoint, error) {
			return cisco.New(addr, f.creds(), o)
		},
		"websocket": func(addr string, f *fleet, o *cisco.Options) (*cisco.Endpoint, error) {
			return cisco.NewWebSocket(addr, f.creds(), cisco.SocketHeader, o)
		},
	} {
		b.Run(name, func(b *testing.B) {
			f := startFleet(b)
			inUse := func() (heap, stack uint64) {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc, m.StackInuse
			}
			for b.Loop() {
				heap, stack := inUse()
				eps := make([]*cisco.Endpoint, fleetSize)
				ctx, cancel := context.WithCancel(b.Context())
				var wg sync.WaitGroup
				each(b, func(i int) (err error) {
					eps[i], err = newEndpoint(f.addr(i), f, &cisco.Options{Fingerprint: f.Fingerprint, Poll: time.Hour})
					if err == nil {
						err = eps[i].Show(ctx, someMeetings(5))
					}
					return err
				})
				for _, e := range eps {
					if name == "https" {
						e.CloseIdle()
					}
					wg.Go(func() { e.Watch(ctx, func() {}) })
				}
				// The subscriptions of all are made, and their connections at rest.
				for range 3 {
					time.Sleep(time.Second)
					runtime.GC()
				}
				heapNow, stackNow := inUse()
				b.ReportMetric((float64(heapNow)-float64(heap))/fleetSize, "heap-B/device")
				b.ReportMetric((float64(stackNow)-float64(stack))/fleetSize, "stack-B/device")
				cancel()
				wg.Wait()
				runtime.KeepAlive(eps)
			}
		})
	}
}
