package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// App is a program that keeps the rooms of a configuration. Its methods may be
// called concurrently.
type App struct {
	builders map[string]Builder
	svc      *otj.Service
	site     *Site
	listen   string
	log      *slog.Logger

	mu sync.Mutex
	// What was made for a configuration stays the same for the next one where
	// nothing has changed: connections stay open, calendars are not read again.
	providers map[Calendar]calendar.Provider
	endpoints map[deviceOf]otj.Endpoint
	polls     map[calendar.Provider]time.Duration
	engine    *rules.Engine
	ruleTexts string
}

// deviceOf is a device and the room whose name its endpoint has.
type deviceOf struct {
	room   string
	device Device
}

// New makes the program of a configuration. It starts nothing.
func New(c *Config, builders map[string]Builder, log *slog.Logger) (*App, error) {
	site, err := newSite(c.Site)
	if err != nil {
		return nil, err
	}
	a := &App{builders: builders, site: site, listen: c.Listen, log: log}
	rooms, err := a.rooms(c)
	if err != nil {
		return nil, err
	}
	a.svc, err = otj.New(rooms, &otj.Options{Logger: log, Poll: c.Poll, Reassert: c.Reassert, PollOf: a.pollOf})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *App) pollOf(p calendar.Provider) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.polls[p]
}

// Service returns the service that keeps the rooms.
func (a *App) Service() *otj.Service { return a.svc }

// Set replaces the configuration while the program runs: rooms, calendars,
// settings and devices. The address of health, the site and the intervals that
// count for all calendars stay as they were.
func (a *App) Set(c *Config) error {
	rooms, err := a.rooms(c)
	if err != nil {
		return err
	}
	return a.svc.Set(rooms)
}

func (a *App) rooms(c *Config) ([]otj.Room, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ruleTexts != c.ruleTexts || a.engine == nil {
		a.engine, a.ruleTexts = c.engine, c.ruleTexts
	}
	providers := map[Calendar]calendar.Provider{}
	endpoints := map[deviceOf]otj.Endpoint{}
	polls := map[calendar.Provider]time.Duration{}
	out := make([]otj.Room, 0, len(c.Rooms))
	for i := range c.Rooms {
		r := &c.Rooms[i]
		room := otj.Room{Name: r.Name, Device: r.Device.key(), Settings: &r.Settings, Rules: a.engine}
		zone := r.TimeZone
		if zone == "" {
			zone = c.TimeZone
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, fmt.Errorf("room %q: %w", r.Name, err)
		}
		room.TimeZone = loc
		for _, src := range r.sources() {
			cal := c.Calendars[src.Calendar]
			p := providers[cal]
			if p == nil {
				if p = a.providers[cal]; p == nil {
					p = newProvider(cal)
				}
				providers[cal] = p
				polls[p] = cal.Poll
			}
			room.Sources = append(room.Sources, otj.Source{Provider: p, Mailbox: src.Mailbox})
		}
		key := deviceOf{r.Name, r.Device}
		if room.Endpoint = a.endpoints[key]; room.Endpoint == nil {
			build := a.builders[r.Device.Type]
			if build == nil {
				return nil, fmt.Errorf("room %q: no device type %q", r.Name, r.Device.Type)
			}
			if room.Endpoint, err = build(a.site, r.Name, r.Device); err != nil {
				return nil, fmt.Errorf("room %q: %w", r.Name, err)
			}
		}
		endpoints[key] = room.Endpoint
		out = append(out, room)
	}
	a.providers, a.endpoints, a.polls = providers, endpoints, polls
	return out, nil
}

func newProvider(c Calendar) calendar.Provider {
	switch c.Type {
	case "ics-file":
		return ics.NewFile(c.Path, nil)
	case "ics-folder":
		return ics.NewFolder(c.Path, nil)
	default:
		return ics.NewFeed(func(mailbox string) string {
			return strings.ReplaceAll(c.URL, "{mailbox}", url.PathEscape(mailbox))
		}, nil)
	}
}

// Run keeps the rooms, answers devices that call, and answers for health until
// ctx is done. It returns an error if it cannot listen.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	var failed error
	start := func(what, address string, srv *http.Server) error {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("listen for %s: %w", what, err)
		}
		a.log.Info("listening for "+what, "address", l.Addr().String())
		wg.Go(func() {
			if err := serveUntil(ctx, l, srv); err != nil {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("listen for %s: %w", what, err))
				mu.Unlock()
				cancel()
			}
		})
		return nil
	}
	if a.listen != "" {
		srv := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
		if err := start("health", a.listen, srv); err != nil {
			return err
		}
	}
	if a.site.config.Listen != "" {
		srv, err := a.site.server()
		if err != nil {
			return err
		}
		if err := start("devices", a.site.config.Listen, srv); err != nil {
			return err
		}
	}
	err := a.svc.Run(ctx)
	cancel()
	wg.Wait()
	return errors.Join(err, failed)
}

// health is what /health answers. It names no meeting.
type health struct {
	// Status is "ok", or "degraded" where a device does not show what it should.
	Status string       `json:"status"`
	Rooms  []roomHealth `json:"rooms"`
}

type roomHealth struct {
	Name     string      `json:"name"`
	UpToDate bool        `json:"up_to_date"`
	Meetings int         `json:"meetings"`
	Shown    time.Time   `json:"shown,omitzero"`
	Error    string      `json:"error,omitempty"`
	Alarms   []otj.Alarm `json:"alarms"`
}

// Handler answers /health with the state of every room, and /live with nothing
// but 204. The answer to /health is 200 whether rooms have trouble or not: the
// program itself is well.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		h := health{Status: "ok", Rooms: []roomHealth{}}
		for _, r := range a.svc.Status().Rooms {
			if !r.UpToDate || len(r.Alarms) > 0 {
				h.Status = "degraded"
			}
			alarms := r.Alarms
			if alarms == nil {
				alarms = []otj.Alarm{}
			}
			h.Rooms = append(h.Rooms, roomHealth{r.Name, r.UpToDate, len(r.Meetings), r.Shown, r.Error, alarms})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// The client is gone if this fails.
		_ = json.NewEncoder(w).Encode(h)
	})
	return mux
}
