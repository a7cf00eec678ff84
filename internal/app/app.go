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
	"sync/atomic"
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
	control  *controlCentre // nil without one
	log      *slog.Logger

	mu     sync.Mutex
	config *Config            // the file's
	fleets map[string]*Config // what the control centre has, by company
	// What was made for a configuration stays the same for the next one where
	// nothing has changed: connections stay open, calendars are not read again.
	providers map[Calendar]calendar.Provider
	endpoints map[deviceOf]otj.Endpoint
	engines   map[string]*rules.Engine // by Config.ruleTexts

	// These are read while mu is held by somebody who waits for the service.
	polls    atomic.Pointer[map[calendar.Provider]time.Duration]
	problems atomic.Pointer[map[string]error] // why a system of the control centre has no room, by its ID
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
	a := &App{builders: builders, site: site, listen: c.Listen, log: log, config: c, fleets: map[string]*Config{}}
	if c.Control != nil {
		if a.control, err = openControl(c, log); err != nil {
			return nil, err
		}
	}
	rooms, err := a.rooms()
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.svc, err = otj.New(rooms, &otj.Options{Logger: log, Poll: c.Poll, Reassert: c.Reassert, PollOf: a.pollOf})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Close closes the control centre's store. It is called after Run has returned,
// or instead of it.
func (a *App) Close() error {
	if a.control == nil {
		return nil
	}
	return a.control.store.Close()
}

func (a *App) pollOf(p calendar.Provider) time.Duration {
	return (*a.polls.Load())[p]
}

// Service returns the service that keeps the rooms.
func (a *App) Service() *otj.Service { return a.svc }

// Set replaces the file's configuration while the program runs: rooms,
// calendars, settings and devices. The address of health, the site, the control
// centre and the intervals that count for all calendars stay as they were.
func (a *App) Set(c *Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.config
	a.config = c
	if err := a.apply(); err != nil {
		a.config = before
		return err
	}
	return nil
}

// apply gives the service the rooms of all configurations; a.mu is held.
func (a *App) apply() error {
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	return a.svc.Set(rooms)
}

// made is what rooms makes, or takes over from before.
type made struct {
	providers map[Calendar]calendar.Provider
	endpoints map[deviceOf]otj.Endpoint
	polls     map[calendar.Provider]time.Duration
	engines   map[string]*rules.Engine
	problems  map[string]error
}

// rooms makes the rooms of all configurations. A mistake in the file is an error;
// one in what the control centre has leaves that room out.
func (a *App) rooms() ([]otj.Room, error) {
	m := made{map[Calendar]calendar.Provider{}, map[deviceOf]otj.Endpoint{}, map[calendar.Provider]time.Duration{}, map[string]*rules.Engine{}, map[string]error{}}
	var out []otj.Room
	configs := []*Config{a.config}
	for _, company := range sortedKeys(a.fleets) {
		configs = append(configs, a.fleets[company])
	}
	for _, c := range configs {
		engine := a.engines[c.ruleTexts]
		if engine == nil {
			engine = c.engine
		}
		m.engines[c.ruleTexts] = engine
		for i := range c.Rooms {
			r := &c.Rooms[i]
			room, err := a.room(c, r, engine, &m)
			switch {
			case err == nil:
				out = append(out, room)
			case r.system != "":
				m.problems[r.system] = err
			default:
				return nil, fmt.Errorf("room %q: %w", r.Name, err)
			}
		}
	}
	a.providers, a.endpoints, a.engines = m.providers, m.endpoints, m.engines
	a.polls.Store(&m.polls)
	a.problems.Store(&m.problems)
	return out, nil
}

func (a *App) room(c *Config, r *Room, engine *rules.Engine, m *made) (otj.Room, error) {
	room := otj.Room{Name: r.Name, Device: r.Device.key(), Settings: &r.Settings, Rules: engine}
	if r.system != "" {
		room.Device = "system " + r.system + " " + room.Device
	}
	if r.problem != nil {
		return room, r.problem
	}
	zone := r.TimeZone
	if zone == "" {
		zone = c.TimeZone
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return room, err
	}
	room.TimeZone = loc
	for _, src := range r.sources() {
		cal := c.Calendars[src.Calendar]
		p := m.providers[cal]
		if p == nil {
			if p = a.providers[cal]; p == nil {
				if p, err = newProvider(cal); err != nil {
					return room, err
				}
			}
			m.providers[cal] = p
			m.polls[p] = cal.Poll
		}
		room.Sources = append(room.Sources, otj.Source{Provider: p, Mailbox: src.Mailbox})
	}
	key := deviceOf{r.Name, r.Device}
	if room.Endpoint = a.endpoints[key]; room.Endpoint == nil {
		build := a.builders[r.Device.Type]
		if build == nil {
			return room, fmt.Errorf("no device type %q", r.Device.Type)
		}
		if room.Endpoint, err = build(a.site, r.Name, r.Device); err != nil {
			return room, err
		}
	}
	m.endpoints[key] = room.Endpoint
	return room, nil
}

func newProvider(c Calendar) (calendar.Provider, error) {
	switch c.Type {
	case pausedType:
		return pausedProvider{c.Path}, nil
	case "ics-file":
		return ics.NewFile(c.Path, nil), nil
	case "ics-folder":
		return ics.NewFolder(c.Path, nil), nil
	case "ics-feed":
		return ics.NewFeed(func(mailbox string) string {
			return strings.ReplaceAll(c.URL, "{mailbox}", url.PathEscape(mailbox))
		}, nil), nil
	}
	return nil, fmt.Errorf("calendars of type %q cannot be read yet", c.Type)
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
	if a.control != nil {
		if err := a.startControl(ctx, start, &wg); err != nil {
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
