package otj_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// BenchmarkServiceRooms runs a service over a thousand rooms of ten meetings,
// each with a screen in memory, until all are up to date. It reports what a room
// costs in memory while nothing happens, the screen and its copy of the meetings
// included.
func BenchmarkServiceRooms(b *testing.B) {
	const rooms, meetings = 1000, 10
	cal := newCalendars()
	for i := range rooms {
		mailbox := fmt.Sprint("mb", i)
		for j := range meetings {
			ev := meeting(fmt.Sprintf("%s-%d", mailbox, j), time.Duration(j+1)*time.Hour)
			ev.Location = "sip:" + ev.UID + "@example.com"
			cal.events[mailbox] = append(cal.events[mailbox], ev)
		}
	}
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	for b.Loop() {
		before := memory()
		var list []otj.Room
		for i := range rooms {
			list = append(list, otj.Room{
				Name:     fmt.Sprint("room", i),
				Sources:  []otj.Source{{Provider: cal, Mailbox: fmt.Sprint("mb", i)}},
				Endpoint: endpointtest.NewScreen(nil),
			})
		}
		svc, err := otj.New(list, &otj.Options{Poll: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- svc.Run(ctx) }()
		for ready := 0; ready < rooms; {
			ready = 0
			for _, r := range svc.Status().Rooms {
				if r.UpToDate {
					ready++
				}
			}
			runtime.Gosched()
		}
		b.ReportMetric(float64(memory()-before)/rooms, "B/room")
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
