package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/oidc"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// controlCentre is the control centre of a running program.
type controlCentre struct {
	config ControlConfig
	lock   *os.File // of the data folder
	store  *sqlite.Store
	centre *control.Centre
	guard  *api.Guard
	signIn *oidc.SignIn // nil without a provider

	mu      sync.Mutex
	changed map[string]bool // companies; "" is all
	wake    chan struct{}

	followed atomic.Bool       // the rooms were read once
	told     map[string]string // what was logged of systems that are left out; guarded by App.mu
}

func openControl(c *Config, live control.Live, log *slog.Logger) (*controlCentre, error) {
	cc := &controlCentre{config: *c.Control, changed: map[string]bool{"": true}, wake: make(chan struct{}, 1)}
	cc.wake <- struct{}{}
	cc.guard = api.NewGuard(&api.GuardOptions{ClientAddress: cc.config.clientAddress})
	fail := func(err error) (*controlCentre, error) {
		return nil, errors.Join(fmt.Errorf("control centre: %w", err), cc.close())
	}
	var err error
	if cc.lock, err = lockData(cc.config.Data); err != nil {
		return fail(err)
	}
	var keys *control.Keys
	if cc.store, keys, err = openData(context.Background(), cc.config.Data); err != nil { // a local file
		return fail(err)
	}
	for _, dir := range cc.config.Folders { // those of a file are there
		if err = os.MkdirAll(dir, 0o700); err != nil {
			return fail(err)
		}
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return fail(err)
	}
	opts := &control.Options{TimeZone: zone, Folders: cc.config.Folders, Resolver: cc.config.resolver(), Live: live, PrivateHooks: cc.config.PrivateWebhooks, Changed: cc.change, Logger: log}
	if app, ok := c.controlApp(); ok {
		opts.AppID = app.ClientID
		if opts.Consent, err = newConsent(&app, cc.config.at("")); err != nil {
			return fail(err)
		}
	}
	cc.centre, err = control.New(cc.store, keys, opts)
	if err == nil {
		err = cc.centre.Upgrade(context.Background()) // a local file
	}
	if err == nil {
		cc.signIn, err = cc.config.signIn(cc.centre, cc.guard, log)
	}
	if err != nil {
		return fail(err)
	}
	return cc, nil
}

// close closes what was opened.
func (cc *controlCentre) close() error {
	var err error
	if cc.store != nil {
		err = cc.store.Close()
	}
	if cc.lock != nil {
		err = errors.Join(err, cc.lock.Close())
	}
	return err
}

// change notes that a company has changed.
func (cc *controlCentre) change(company string) {
	cc.mu.Lock()
	cc.changed[company] = true
	cc.mu.Unlock()
	select {
	case cc.wake <- struct{}{}:
	default:
	}
}

func (cc *controlCentre) takeChanges() map[string]bool {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	out := cc.changed
	cc.changed = map[string]bool{}
	return out
}

// Centre returns the control centre; nil without one.
func (a *App) Centre() *control.Centre {
	if a.control == nil {
		return nil
	}
	return a.control.centre
}

// startControl serves the control centre, and takes over what is changed there.
func (a *App) startControl(ctx context.Context, start func(what, address string, srv *http.Server) error, wg *sync.WaitGroup) error {
	cc := a.control
	srv := &http.Server{
		Handler:           a.metrics.counted("administrators", a.controlHandler()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       a.site.poly.ConnContext,
	}
	if err := withCertificate(srv, cc.config.HTTP, cc.config.CertFile, cc.config.KeyFile); err != nil {
		return err
	}
	if err := start("administrators", cc.config.Listen, srv); err != nil {
		return err
	}
	wg.Go(func() { a.follow(ctx) })
	wg.Go(func() {
		if err := cc.centre.RunAlarms(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("alarms are not sent", "error", err)
		}
	})
	wg.Go(func() { cc.centre.WatchTenants(ctx) })
	return nil
}

// controlHandler answers administrators, and devices too where they have no other
// address to call.
func (a *App) controlHandler() http.Handler {
	cc := a.control
	mux := http.NewServeMux()
	if a.site.config.Listen == "" {
		a.site.handle(mux)
	}
	a.handleGraph(mux)
	a.handleProbes(mux)
	mux.Handle("/api/", api.New(cc.centre, &api.Options{Guard: cc.guard, Logger: a.log}))
	opts := &console.Options{Guard: cc.guard, Logger: a.log}
	if cc.signIn != nil {
		opts.OpenID = &console.OpenID{Name: cc.config.OIDC.Name, Path: oidc.StartPath}
		mux.Handle(oidc.StartPath, cc.signIn)
		mux.Handle(oidc.CallbackPath, cc.signIn)
	}
	mux.Handle("/", console.New(cc.centre, opts))
	return mux
}

// SetupURL returns the address of the page on which whoever opens it sets the
// control centre up; it works once, within an hour. It is empty if there is no
// control centre, or somebody has set it up.
func (a *App) SetupURL(ctx context.Context) (string, error) {
	if a.control == nil {
		return "", nil
	}
	if is, err := a.control.centre.IsSetUp(ctx); err != nil || is {
		return "", err
	}
	secret, err := a.control.centre.SetupLink(ctx)
	if err != nil {
		return "", err
	}
	return a.control.config.at(console.SetupPath(secret)), nil
}

// SignInURL returns the address of a page that signs a user in, once, within an
// hour.
func (a *App) SignInURL(ctx context.Context, email string) (string, error) {
	secret, err := a.control.centre.SignInLink(ctx, email)
	if err != nil {
		return "", err
	}
	return a.control.config.at(console.SignInPath(secret)), nil
}

// How soon a change is taken over: after a moment in which others may come, and
// again after a while if that fails.
const (
	settle    = 200 * time.Millisecond
	tryAgain  = 30 * time.Second
	fleetTime = time.Minute
)

// follow gives the service what the control centre has, until ctx is done.
func (a *App) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.control.wake:
		}
		// A change often comes with others: a system, and then its password.
		if a.control.followed.Load() && !sleep(ctx, settle) {
			return
		}
		changes := a.control.takeChanges()
		if err := a.refresh(ctx, changes); err != nil && ctx.Err() == nil {
			a.log.Error("the control centre's changes are not taken over yet", "error", err)
			for company := range changes {
				a.control.change(company)
			}
			if !sleep(ctx, tryAgain) {
				return
			}
			continue
		}
		a.control.followed.Store(true)
	}
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tellProblems logs which systems are left out, once each until that changes. One
// that waits for its credentials is no mistake. a.mu is held.
func (a *App) tellProblems() {
	told := map[string]string{}
	for id, s := range a.live.Load().systems {
		if s.problem == nil {
			continue
		}
		told[id] = s.problem.Error()
		switch {
		case a.control.told[id] == told[id]:
		case errors.Is(s.problem, errIncomplete):
			a.log.Info("a video system waits for its credentials", "system", id)
		default:
			a.log.Warn("a video system is left out", "system", id, "error", s.problem)
		}
	}
	a.control.told = told
}

// refresh reads companies again, all of them for "", and applies what they have.
func (a *App) refresh(ctx context.Context, companies map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, fleetTime)
	defer cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	read := map[string]*Config{}
	if companies[""] {
		list, err := a.control.centre.Companies(ctx)
		if err != nil {
			return err
		}
		for _, o := range list {
			read[o.ID] = nil
		}
		for id := range a.fleets {
			companies[id] = true
		}
		for id := range read {
			companies[id] = true
		}
	}
	next := make(map[string]*Config, len(a.fleets))
	for id, c := range a.fleets {
		next[id] = c
	}
	for id := range companies {
		if id == "" {
			continue
		}
		fleet, err := a.control.centre.Fleet(ctx, id)
		switch {
		case errors.Is(err, control.ErrNotFound):
			delete(next, id)
		case err != nil:
			return err
		default:
			next[id] = fleetConfig(&fleet, a.config)
		}
	}
	before := a.fleets
	a.fleets = next
	if err := a.apply(); err != nil {
		a.fleets = before
		return err
	}
	a.tellProblems()
	return nil
}
