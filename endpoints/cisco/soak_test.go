package cisco_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// calendars is a provider whose mailboxes the test sets.
type calendars struct {
	mu     sync.Mutex
	events map[string][]calendar.Event
}

func (c *calendars) Events(_ context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []calendar.Event
	for _, ev := range c.events[mailbox] {
		if w.Overlaps(ev.Start, ev.End) {
			out = append(out, ev)
		}
	}
	return out, nil
}

func (c *calendars) set(mailbox string, events []calendar.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events[mailbox] = events
}

// someEvents are those of a calendar, one after the other.
func someEvents(name string, n int) []calendar.Event {
	start := time.Now().UTC().Truncate(time.Hour).Add(3 * time.Hour)
	out := make([]calendar.Event, n)
	for i := range out {
		at := start.Add(time.Duration(i) * time.Hour)
		out[i] = calendar.Event{ID: fmt.Sprintf("%s-%d", name, i), UID: fmt.Sprintf("%s-%d", name, i), Subject: fmt.Sprintf("Meeting %d & <more>", i),
			Organizer: calendar.Person{Name: "Ada Example", Email: "ada@example.com"}, Start: at, End: at.Add(45 * time.Minute), Response: calendar.Accepted,
			Location: fmt.Sprintf("sip:%s.%d@example.com", name, i)}
	}
	return out
}

// room is a device of the soak.
type room struct {
	*ciscotest.Device
	name string
	rng  *rand.Rand
}

// harm does one thing to the device that happens to devices, and ends it.
func (r *room) harm(cal *calendars) {
	while := time.Duration(r.rng.IntN(120)) * time.Second
	fault := func(f ciscotest.Fault) {
		r.SetFault(f)
		time.Sleep(while)
		r.SetFault(ciscotest.FaultNone)
	}
	switch r.rng.IntN(16) {
	case 0, 1:
		r.Reboot()
	case 2:
		r.WriteForeign()
	case 3:
		r.LoseBookings()
	case 4:
		if len(r.Bookings()) > 0 {
			r.DeleteBooking(r.rng.IntN(len(r.Bookings())))
		}
	case 5:
		r.Unplug()
		time.Sleep(while)
		r.Plug()
	case 6:
		r.Stall()
		time.Sleep(while)
		r.Plug()
	case 7:
		r.SetSkew(time.Duration(r.rng.IntN(72)-36) * time.Hour)
		time.Sleep(while)
		r.SetSkew(0)
	case 8:
		r.SetLatency(time.Duration(r.rng.IntN(15)) * time.Second)
		time.Sleep(while)
		r.SetLatency(0)
	case 9:
		fault(ciscotest.FaultTruncated)
	case 10:
		fault(ciscotest.FaultCutOff)
	case 11:
		fault(ciscotest.FaultSlow)
	case 12:
		fault(ciscotest.FaultBusy)
	case 13:
		fault(ciscotest.FaultSignInPage)
	case 14:
		fault(ciscotest.FaultRefuse)
	case 15:
		cal.set(r.name, someEvents(fmt.Sprint(r.name, ".", r.rng.IntN(1000)), r.rng.IntN(6)))
	}
}

// 200 devices are restarted, written to by others, cut off, slow and wrong,
// while their calendars change. Once that has stopped, every device has its plan
// within one interval of reading back; none was ever given two calls at once,
// or more than its rate limit allows.
func TestSoak(t *testing.T) {
	devices := 200
	if testing.Short() {
		devices = 40
	}
	const seed, mayhem = 1, 20 * time.Minute
	const poll = 10 * time.Minute // the default of cisco.Options
	synctest.Test(t, func(t *testing.T) {
		cal := &calendars{events: map[string][]calendar.Event{}}
		rooms := make([]otj.Room, devices)
		fleet := make([]*room, devices)
		for i := range fleet {
			name := fmt.Sprint("room", i)
			d, w := startOn(t, &ciscotest.Options{Name: name, Version: []string{"ce11.14.4.0", "RoomOS 10.19.4.2", "ce26.4.1"}[i%3]})
			defer d.Close()
			fleet[i] = &room{d, name, rand.New(rand.NewPCG(seed, uint64(i)))}
			cal.set(name, someEvents(name, i%6))
			o := &cisco.Options{Name: name, Fingerprint: d.Fingerprint(), Dial: w.dial}
			var ep *cisco.Endpoint
			var err error
			if i%2 == 0 {
				ep, err = cisco.New("device.example", password(d), o)
			} else {
				ep, err = cisco.NewWebSocket("device.example", password(d), cisco.SocketHeader, o)
			}
			require.NoError(t, err)
			rooms[i] = otj.Room{Name: name, Endpoint: ep, Sources: []otj.Source{{Provider: cal, Mailbox: name}}}
		}
		var mu sync.Mutex
		plans := map[string][]otj.Meeting{}
		// What repairs the devices is the adapter, not the service, which writes again
		// now and then whatever they show.
		svc, err := otj.New(rooms, &otj.Options{Reassert: 24 * time.Hour, OnReport: func(room string, r otj.Report) {
			mu.Lock()
			defer mu.Unlock()
			plans[room] = r.Meetings
		}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { svc.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		time.Sleep(time.Minute)

		var harming sync.WaitGroup
		for _, r := range fleet {
			harming.Go(func() {
				for end := time.Now().Add(mayhem); time.Now().Before(end); {
					time.Sleep(time.Duration(r.rng.IntN(240)) * time.Second)
					r.harm(cal)
				}
			})
		}
		harming.Wait()
		time.Sleep(poll + poll/10)

		mu.Lock()
		defer mu.Unlock()
		behind := 0
		for _, r := range fleet {
			var want []otj.Meeting
			for _, m := range plans[r.name] {
				m = wholeMinutes(m)
				m.Service, m.Rule = "", ""
				want = append(want, m)
			}
			if d := cmp.Diff(want, shown(r.Device)); d != "" {
				if behind++; behind < 4 {
					t.Errorf("%s (seed %d) does not have its plan (- missing, + too much):\n%s", r.name, seed, d)
				}
			}
			s := r.Stats()
			assert.Zero(t, s.Overlaps, "%s was given two calls at once", r.name)
			assert.Zero(t, s.Refused, "%s was called more often than its rate limit allows", r.name)
		}
		assert.Zero(t, behind, "devices without their plan")
	})
}

// While nothing changes a device is left alone, but for the reading back.
func TestUnchangedCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w := startOn(t, nil)
		defer d.Close()
		ep, err := cisco.New("device.example", password(d), &cisco.Options{Fingerprint: d.Fingerprint(), Dial: w.dial, Poll: time.Hour, Relearn: 24 * time.Hour})
		require.NoError(t, err)
		cal := &calendars{events: map[string][]calendar.Event{"fjord": someEvents("fjord", 5)}}
		svc, err := otj.New([]otj.Room{{Name: "Fjord", Endpoint: ep, Sources: []otj.Source{{Provider: cal, Mailbox: "fjord"}}}}, &otj.Options{Reassert: 24 * time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { svc.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		time.Sleep(time.Minute)
		before := d.Stats()
		assert.Equal(t, 1, before.Puts)
		time.Sleep(50 * time.Minute)
		assert.Equal(t, before, d.Stats(), "the calendar was read fifty times, and nothing has changed")
		time.Sleep(18 * time.Minute)
		after := d.Stats()
		assert.Equal(t, before.Requests+1, after.Requests, "one reading back an hour")
		assert.Equal(t, 1, after.Puts)
	})
}
