package msgraph_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/endpoints/endpointtest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// served is a service with two rooms, from the fake of Graph to the screens.
type served struct {
	*plant
	svc          *otj.Service
	fjord, annex *endpointtest.Screen
	stop         func()
}

func serve(p *plant, sync bool) *served {
	o := &served{plant: p, fjord: endpointtest.NewScreen(nil), annex: endpointtest.NewScreen(nil)}
	room := func(name string, mailbox *graphtest.Mailbox, s *endpointtest.Screen) otj.Room {
		return otj.Room{Name: name, Endpoint: s, Sources: []otj.Source{{Provider: p.Notifier, Mailbox: mailbox.Address()}}}
	}
	var err error
	o.svc, err = otj.New([]otj.Room{room("Fjord", p.site.Room, o.fjord), room("Annex", p.site.Other, o.annex)}, &otj.Options{Sync: sync})
	require.NoError(p.t, err)
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- o.svc.Run(ctx) }()
	o.stop = func() {
		cancel()
		require.NoError(p.t, <-done)
	}
	return o
}

func titles(s *endpointtest.Screen) string {
	synctest.Wait()
	var out []string
	for _, m := range s.Meetings() {
		out = append(out, m.Title+" "+m.Start.UTC().Format("15:04")+" "+m.Join.URI)
	}
	return strings.Join(out, ", ")
}

func (o *served) source(room string) (otj.SourceStatus, []otj.Alarm) {
	synctest.Wait()
	for _, r := range o.svc.Status().Rooms {
		if r.Name == room {
			return r.Sources[0], r.Alarms
		}
	}
	o.t.Fatal("no such room")
	return otj.SourceStatus{}, nil
}

// zoom is a meeting today at an hour.
func zoom(subject string, hour int) graphtest.Event {
	y, m, d := time.Now().UTC().Date()
	start := time.Date(y, m, d, hour, 0, 0, 0, time.UTC)
	return graphtest.Event{
		Subject: subject, Start: start, End: start.Add(time.Hour), Response: calendar.Accepted,
		HTML: `<p><a href="https://us02web.zoom.us/j/81177003344">Join Zoom Meeting</a></p>`,
	}
}

const dial = "sip:81177003344@zoomcrc.com"

// From a change in a mailbox to the screen, by a notification: a new meeting, one
// that is moved, one that is cancelled, and changes of which Graph does not tell.
func TestServiceIsTold(t *testing.T) {
	for name, sync := range map[string]bool{"reading all": false, "reading changes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(t, nil, nil)
				defer p.site.Close()
				p.site.Room.AddSingle(zoom("Early", 9))
				o := serve(p, sync)
				defer o.stop()
				after(5 * time.Second)
				assert.Equal(t, "Early 09:00 "+dial, titles(o.fjord))
				src, alarms := o.source("Fjord")
				assert.True(t, src.Notified)
				assert.Empty(t, alarms)

				// Nothing happens: the safety poll is all there is.
				after(2 * time.Hour)
				quiet := p.site.Stats().ByMailbox[fjord]
				after(3 * time.Hour)
				assert.InDelta(t, 12, p.site.Stats().ByMailbox[fjord]-quiet, 3, "requests in three hours")

				at := time.Now()
				id := p.site.Room.AddSingle(zoom("New", 10))
				after(2 * time.Second)
				assert.Equal(t, "Early 09:00 "+dial+", New 10:00 "+dial, titles(o.fjord))
				require.NoError(t, p.site.Room.Move(id, zoom("", 8).Start))
				after(2 * time.Second)
				assert.Equal(t, "New 08:00 "+dial+", Early 09:00 "+dial, titles(o.fjord))
				require.NoError(t, p.site.Room.Cancel(id))
				after(2 * time.Second)
				assert.Equal(t, "Early 09:00 "+dial, titles(o.fjord))
				series, err := p.site.Room.AddSeries(zoom("Daily", 11), graphtest.Recurrence{Type: "daily", Count: 5})
				require.NoError(t, err)
				after(2 * time.Second)
				assert.Contains(t, titles(o.fjord), "Daily 11:00 "+dial)
				require.NoError(t, p.site.Room.Delete(series))
				after(2 * time.Second)
				assert.Equal(t, "Early 09:00 "+dial, titles(o.fjord))
				assert.Less(t, time.Since(at), 11*time.Second)
				assert.Empty(t, titles(o.annex))

				// The webhook is away for a while: Graph says afterwards that
				// something was missed.
				restore := p.site.InterruptNotifications()
				p.site.Room.AddSingle(zoom("Missed", 12))
				p.site.Other.AddSingle(zoom("Missed too", 12))
				after(20 * time.Second)
				assert.NotContains(t, titles(o.fjord), "Missed")
				restore()
				after(2 * time.Second)
				assert.Contains(t, titles(o.fjord), "Missed 12:00 "+dial)
				assert.Contains(t, titles(o.annex), "Missed too 12:00 "+dial)

				// It is away, and so is what Graph would have said: the safety poll.
				p.wire.plug(nil)
				p.site.Room.AddSingle(zoom("Unheard", 13))
				after(10 * time.Second)
				assert.NotContains(t, titles(o.fjord), "Unheard")
				after(17 * time.Minute)
				assert.Contains(t, titles(o.fjord), "Unheard 13:00 "+dial)
				src, alarms = o.source("Fjord")
				assert.False(t, src.Notified)
				require.Len(t, alarms, 1)
				assert.Contains(t, alarms[0].Text, "Check that its notifications reach this server.")
				reads := p.site.Stats().ByMailbox[fjord]
				after(20 * time.Minute)
				assert.Greater(t, p.site.Stats().ByMailbox[fjord]-reads, 15, "polled as if there were none")
				src, alarms = o.source("Annex")
				assert.True(t, src.Notified, "of which nothing was missed")
				assert.Empty(t, alarms)
				p.wire.plug(p.hook)
				p.site.Room.AddSingle(zoom("Heard", 14))
				after(2 * time.Second)
				assert.Contains(t, titles(o.fjord), "Heard 14:00 "+dial)
				src, alarms = o.source("Fjord")
				assert.True(t, src.Notified)
				assert.Empty(t, alarms)
			})
		})
	}
}

// Without subscriptions a service polls, and says so; with them it stops.
func TestServiceFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, nil, nil)
		defer p.site.Close()
		p.wire.plug(nil)
		o := serve(p, true)
		defer o.stop()
		after(10 * time.Second)
		src, alarms := o.source("Fjord")
		assert.False(t, src.Notified)
		require.Len(t, alarms, 1)
		assert.Equal(t, otj.AlarmNotify, alarms[0].Code)
		assert.Contains(t, alarms[0].Text, "Changes are found by polling only, because notifications do not work: subscribe to the calendar of ")
		assert.Contains(t, alarms[0].Text, "Make https://otj.example.com/graph reachable from the internet")
		p.site.Room.AddSingle(zoom("Polled", 9))
		after(70 * time.Second)
		assert.Equal(t, "Polled 09:00 "+dial, titles(o.fjord))
		before := p.site.Stats()
		after(time.Hour)
		now := p.site.Stats()
		assert.InDelta(t, 60, now.ByMailbox[fjord]-before.ByMailbox[fjord], 15, "as often as without notifications")
		assert.Less(t, now.ByOp[graphtest.OpSubscriptions]-before.ByOp[graphtest.OpSubscriptions], 60)

		p.wire.plug(p.hook)
		after(10 * time.Minute)
		src, alarms = o.source("Fjord")
		assert.True(t, src.Notified)
		assert.Empty(t, alarms)

		// One mailbox of two is refused: it alone is polled.
		p.site.Tenant.Restrict(p.site.App, p.site.Room)
		for _, s := range p.site.Subscriptions() {
			if s.Mailbox == annex {
				require.NoError(t, p.site.Lifecycle(s.ID, graphtest.SubscriptionRemoved))
			}
		}
		after(5 * time.Minute)
		src, alarms = o.source("Annex")
		assert.False(t, src.Notified)
		require.Len(t, alarms, 2, "%v", alarms)
		assert.Equal(t, []string{otj.AlarmCalendar, otj.AlarmNotify}, []string{alarms[0].Code, alarms[1].Code})
		since := alarms[1].Since
		src, alarms = o.source("Fjord")
		assert.True(t, src.Notified)
		assert.Empty(t, alarms)
		before = p.site.Stats()
		after(time.Hour)
		now = p.site.Stats()
		assert.InDelta(t, 4, now.ByMailbox[fjord]-before.ByMailbox[fjord], 2)
		_, alarms = o.source("Annex")
		assert.Equal(t, since, alarms[1].Since)
		p.site.Tenant.Restrict(p.site.App, p.site.Room, p.site.Other)
		after(7 * time.Hour)
		src, alarms = o.source("Annex")
		assert.True(t, src.Notified)
		assert.Empty(t, alarms)
	})
}

// The same over real connections: the webhook is a handler of a server.
func TestServiceOverTheNetwork(t *testing.T) {
	site := graphtest.NewSite(nil)
	defer site.Close()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	hook, err := msgraph.NewWebhook(srv.URL+"/graph", nil)
	require.NoError(t, err)
	mux.Handle("/graph", hook)
	rooms := hook.Notifier("example.com", msgraph.New(app{site}, &msgraph.Options{
		Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport,
	}))
	screen := endpointtest.NewScreen(nil)
	svc, err := otj.New([]otj.Room{{Name: "Fjord", Endpoint: screen, Sources: []otj.Source{{Provider: rooms, Mailbox: site.Room.Address()}}}}, &otj.Options{Sync: true, Poll: time.Hour})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	require.Eventually(t, func() bool { return svc.Status().Rooms[0].Sources[0].Notified && screen.Shows() > 0 }, 20*time.Second, 10*time.Millisecond)
	ev := zoom("Told", 0)
	ev.Start = time.Now().Add(time.Hour)
	ev.End = ev.Start.Add(time.Hour)
	site.Room.AddSingle(ev)
	require.Eventually(t, func() bool { return len(screen.Meetings()) == 1 }, 20*time.Second, 10*time.Millisecond)
	assert.Equal(t, "Told", screen.Meetings()[0].Title)
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, rooms.Unsubscribe(t.Context()))
	assert.Empty(t, site.Subscriptions())
}
