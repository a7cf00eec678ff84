package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// metrics are what Prometheus reads. No label has the name of a room, a mailbox or
// a meeting.
type metrics struct {
	registry *prometheus.Registry
	reads    *prometheus.CounterVec
	readTime prometheus.Histogram
	shows    *prometheus.CounterVec
	showTime prometheus.Histogram
	requests *prometheus.CounterVec
}

func newMetrics(a *App) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otj_calendar_reads_total", Help: "Readings of calendars, by their result.",
		}, []string{"result"}),
		readTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "otj_calendar_read_seconds", Help: "How long readings of calendars took.", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 11),
		}),
		shows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otj_device_writes_total", Help: "Meetings given to devices, by the result.",
		}, []string{"result"}),
		showTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "otj_device_write_seconds", Help: "How long giving meetings to devices took.", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 11),
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otj_http_requests_total", Help: "Requests that this program has answered, by whom it answers and the status.",
		}, []string{"listener", "code"}),
	}
	m.registry.MustRegister(m.reads, m.readTime, m.shows, m.showTime, m.requests, &state{a},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

// counted counts the answers of a listener.
func (m *metrics) counted(listener string, h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(prometheus.Labels{"listener": listener}), h)
}

func (m *metrics) onRead(_ calendar.Provider, took time.Duration, err error) {
	var partial *calendar.PartialError
	result := "ok"
	switch {
	case err == nil:
	case errors.As(err, &partial):
		result = "partial"
	case errors.Is(err, calendar.ErrThrottled):
		result = "throttled"
	case errors.Is(err, context.Canceled):
		return // the program stops
	default:
		result = "failed"
	}
	m.reads.WithLabelValues(result).Inc()
	m.readTime.Observe(took.Seconds())
}

// showResults are the results of writing to a device that have a name.
var showResults = []struct {
	err  error
	name string
}{
	{otj.ErrUnreachable, otj.AlarmUnreachable},
	{otj.ErrUnauthorized, otj.AlarmUnauthorized},
	{otj.ErrCertificate, otj.AlarmCertificate},
	{otj.ErrBusy, otj.AlarmBusy},
	{otj.ErrRejected, otj.AlarmRejected},
	{otj.ErrNotDevice, otj.AlarmNotDevice},
	{otj.ErrForeignBookings, otj.AlarmForeign},
	{context.DeadlineExceeded, otj.AlarmUnreachable},
}

func (m *metrics) onShow(_ otj.Endpoint, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = otj.AlarmDevice
		for _, r := range showResults {
			if errors.Is(err, r.err) {
				result = r.name
				break
			}
		}
		if errors.Is(err, context.Canceled) {
			return
		}
	}
	m.shows.WithLabelValues(result).Inc()
	m.showTime.Observe(took.Seconds())
}

// state reads how things are when Prometheus asks.
type state struct{ app *App }

var (
	roomsDesc   = prometheus.NewDesc("otj_rooms", "Rooms by state: up_to_date, behind, unread (its calendar was not read yet), clearing (it was removed).", []string{"state"}, nil)
	alarmsDesc  = prometheus.NewDesc("otj_alarms", "Alarms that hold, by their code.", []string{"code"}, nil)
	busyDesc    = prometheus.NewDesc("otj_busy", "Calendars that are read and devices that are written to now.", []string{"work"}, nil)
	waitingDesc = prometheus.NewDesc("otj_waiting", "Calendars and devices that wait for their turn.", []string{"work"}, nil)
	quotaDesc   = prometheus.NewDesc("otj_graph_quota", "Requests to Microsoft Graph that each tenant's quota allows in 24 hours.", []string{"tenant"}, nil)
	usedDesc    = prometheus.NewDesc("otj_graph_requests", "Requests to Microsoft Graph of the last 24 hours, by tenant.", []string{"tenant"}, nil)
	queueDesc   = prometheus.NewDesc("otj_graph_waiting", "Requests to Microsoft Graph that wait for their turn, by tenant.", []string{"tenant"}, nil)
	refusedDesc = prometheus.NewDesc("otj_graph_throttled", "Requests that Microsoft Graph has refused for being too many, by tenant.", []string{"tenant"}, nil)
	toldDesc    = prometheus.NewDesc("otj_graph_notifications", "Notifications of Microsoft Graph: accepted, unknown (of a subscription that is not ours any more), forged, refused.", []string{"result"}, nil)
	shownDesc   = prometheus.NewDesc("otj_meetings", "Meetings that devices should show, with and without a button.", []string{"button"}, nil)
)

// Describe sends nothing: which codes there are is not known beforehand.
func (s *state) Describe(chan<- *prometheus.Desc) {}

// Collect sends how things are.
func (s *state) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	rooms := map[string]int{"up_to_date": 0, "behind": 0, "unread": 0, "clearing": 0}
	alarms := map[string]int{}
	with, without := 0, 0
	for _, r := range s.app.svc.Status().Rooms {
		switch {
		case r.Removed:
			rooms["clearing"]++
		case r.Planned.IsZero():
			rooms["unread"]++
		case r.UpToDate:
			rooms["up_to_date"]++
		default:
			rooms["behind"]++
		}
		for _, a := range r.Alarms {
			alarms[a.Code]++
		}
		for i := range r.Meetings {
			if r.Meetings[i].Join.IsZero() {
				without++
			} else {
				with++
			}
		}
	}
	for _, name := range sortedKeys(rooms) {
		gauge(roomsDesc, rooms[name], name)
	}
	for _, code := range sortedKeys(alarms) {
		gauge(alarmsDesc, alarms[code], code)
	}
	s.graph(gauge)
	gauge(shownDesc, with, "yes")
	gauge(shownDesc, without, "no")
	load := s.app.svc.Load()
	gauge(busyDesc, load.Reading, "read")
	gauge(busyDesc, load.Writing, "write")
	gauge(waitingDesc, load.WaitingToRead, "read")
	gauge(waitingDesc, load.WaitingToWrite, "write")
}

// grapher is a provider that reads Microsoft Graph.
type grapher interface{ Status() msgraph.Status }

// graph sends what matters of Microsoft Graph.
func (s *state) graph(gauge func(d *prometheus.Desc, v int, labels ...string)) {
	// A tenant may be read by several providers, with a quota each.
	type counts struct{ quota, used, queue, refused int }
	tenants := map[string]counts{}
	for _, g := range s.app.live.Load().graphs {
		now, c := g.Status(), tenants[g.tenant]
		tenants[g.tenant] = counts{c.quota + now.Quota.PerDay, c.used + now.Quota.Used, c.queue + now.Waiting, c.refused + now.Throttled}
	}
	for _, tenant := range sortedKeys(tenants) {
		c := tenants[tenant]
		gauge(quotaDesc, c.quota, tenant)
		gauge(usedDesc, c.used, tenant)
		gauge(queueDesc, c.queue, tenant)
		gauge(refusedDesc, c.refused, tenant)
	}
	if s.app.hook != nil {
		now := s.app.hook.Status()
		gauge(toldDesc, now.Notifications, "accepted")
		gauge(toldDesc, now.Unknown, "unknown")
		gauge(toldDesc, now.Forged, "forged")
		gauge(toldDesc, now.Refused, "refused")
	}
}
