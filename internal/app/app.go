package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/otj"
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
	made   made
	extras map[string]*extras // by the control centre's system
	// background runs a function beside Run, until that ends or the returned
	// function is called; nil while Run does not run. leaving are those that delete
	// subscriptions, by the notifier's name.
	background func(func(context.Context)) context.CancelFunc
	leaving    map[string]context.CancelFunc
	// resumed are rooms whose pause is over, until the service is told.
	resumed []string

	// These are read while mu is held by somebody who waits for the service.
	polls atomic.Pointer[map[calendar.Provider]time.Duration]
	live  atomic.Pointer[live]

	hook    *msgraph.Webhook // nil without one
	metrics *metrics
	running atomic.Bool
	up      chan struct{} // closed when Run listens
}

// New makes the program of a configuration. It starts nothing.
func New(c *Config, builders map[string]Builder, log *slog.Logger) (*App, error) {
	site, err := newSite(c.devices())
	if err != nil {
		return nil, err
	}
	a := &App{builders: builders, site: site, listen: c.Listen, log: log, config: c, fleets: map[string]*Config{}, made: newMade(), extras: map[string]*extras{}, leaving: map[string]context.CancelFunc{}, up: make(chan struct{})}
	if a.hook, err = newGraphWebhook(c, a); err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	a.metrics = newMetrics(a)
	if c.Control != nil {
		if a.control, err = openControl(c, a.Live(), log); err != nil {
			return nil, err
		}
	}
	rooms, err := a.rooms()
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.svc, err = otj.New(rooms, &otj.Options{Logger: log, Poll: c.Poll, Reassert: c.Reassert, PollOf: a.pollOf, Sync: true, OnRead: a.metrics.onRead, OnShow: a.metrics.onShow})
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
	return a.control.close()
}

func (a *App) pollOf(p calendar.Provider) time.Duration {
	if poll := (*a.polls.Load())[p]; poll > 0 {
		return poll
	}
	if p, ok := p.(pacer); ok {
		return p.PollInterval()
	}
	return 0
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
	before := a.made.providers
	rooms, err := a.rooms()
	if err != nil {
		return err
	}
	if err := a.svc.Set(rooms); err != nil {
		return err
	}
	a.unsubscribe(before)
	for _, name := range a.resumed {
		a.svc.Wake(name)
	}
	a.resumed = nil
	return nil
}

// configs are that of the file and those of the companies, in a fixed order;
// a.mu is held.
func (a *App) configs() []*Config {
	out := []*Config{a.config}
	for _, company := range sortedKeys(a.fleets) {
		out = append(out, a.fleets[company])
	}
	return out
}

// Up is closed when Run listens at every address.
func (a *App) Up() <-chan struct{} { return a.up }

// Run keeps the rooms, answers devices that call, and answers for health until
// ctx is done. It returns an error if it cannot listen, and is called once.
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
		// What the server has to say, such as of TLS handshakes that failed.
		srv.ErrorLog = slog.NewLogLogger(a.log.With("server", what).Handler(), slog.LevelInfo)
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
		srv, err := a.site.server(a.metrics.counted("devices", a.siteHandler()))
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
	a.runBeside(func(f func(context.Context)) context.CancelFunc {
		ctx, stop := context.WithCancel(ctx)
		wg.Go(func() {
			defer stop()
			f(ctx)
		})
		return stop
	})
	wg.Go(func() { a.logAlarms(ctx) })
	a.running.Store(true)
	close(a.up)
	err := a.svc.Run(ctx)
	a.running.Store(false)
	a.runBeside(nil)
	a.endSessions(context.WithoutCancel(ctx))
	cancel()
	wg.Wait()
	return errors.Join(err, failed)
}

func (a *App) runBeside(start func(func(context.Context)) context.CancelFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.background = start
}

// siteHandler answers devices, and Microsoft.
func (a *App) siteHandler() http.Handler {
	mux := http.NewServeMux()
	a.site.handle(mux)
	a.handleGraph(mux)
	return mux
}

func (a *App) handleGraph(mux *http.ServeMux) {
	if a.hook != nil {
		mux.Handle(graphPath, a.hook)
	}
}
