package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// ControlConfig is the control centre of the program.
type ControlConfig struct {
	// Listen is the address to listen at for administrators, as in ":443".
	Listen string `json:"listen"`
	// URL is how they reach it, as in "https://otj.fabrikam.example".
	URL string `json:"url"`
	// CertFile and KeyFile are the certificate and its key in PEM form. They are
	// read again when they have changed.
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
	// HTTP listens without TLS, for a proxy in front that has it, or for a
	// browser on the same machine.
	HTTP bool `json:"http"`
	// Data is the folder of the database and of the key that its secrets are
	// encrypted with. It is made if it is not there.
	Data string `json:"data"`
	// Folders are the folders below which iCalendar folders may be read.
	Folders []string `json:"folders"`
}

// The files in ControlConfig.Data.
const (
	storeFile = "otj.db"
	keysFile  = "keys.json"
)

// LocalConfig is the configuration of a program that was given none: a control
// centre for this machine alone, with its data in a folder.
func LocalConfig(data string) *Config {
	return &Config{Settings: otj.DefaultSettings(), Control: &ControlConfig{Listen: "127.0.0.1:8080", URL: "http://localhost:8080", HTTP: true, Data: data}}
}

func (k *checker) control(at string, c *ControlConfig) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		k.bad(child(at, "listen"), `must be an address with a port, as in ":443"`)
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "",
		u.Scheme != "https" && !(u.Scheme == "http" && u.Hostname() == "localhost"):
		k.bad(child(at, "url"), `must be how administrators reach the program, as in "https://otj.fabrikam.example"; http:// is for localhost alone`)
	}
	k.certificate(at, c.HTTP, &c.CertFile, &c.KeyFile, "administrators send secrets")
	if c.Data == "" {
		k.bad(child(at, "data"), "must be the folder for the database and its key")
	} else {
		c.Data = k.c.path(c.Data)
	}
	for i, f := range c.Folders {
		c.Folders[i] = filepath.Clean(k.c.path(f))
		if info, err := os.Stat(c.Folders[i]); err != nil {
			k.bad(fmt.Sprintf("%s/folders/%d", at, i), "%v", err)
		} else if !info.IsDir() {
			k.bad(fmt.Sprintf("%s/folders/%d", at, i), "%s is no folder", c.Folders[i])
		}
	}
}

// controlCentre is the control centre of a running program.
type controlCentre struct {
	config ControlConfig
	store  *sqlite.Store
	centre *control.Centre
	guard  *api.Guard

	mu      sync.Mutex
	changed map[string]bool // companies; "" is all
	wake    chan struct{}
}

func openControl(c *Config, live control.Live, log *slog.Logger) (*controlCentre, error) {
	cc := &controlCentre{config: *c.Control, changed: map[string]bool{"": true}, wake: make(chan struct{}, 1), guard: api.NewGuard(nil)}
	cc.wake <- struct{}{}
	ctx := context.Background() // a local file
	path := filepath.Join(cc.config.Data, storeFile)
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, fmt.Errorf("control centre: %w", err)
	}
	if cc.store, err = sqlite.Open(ctx, path); err != nil {
		return nil, fmt.Errorf("control centre: %w", err)
	}
	keys, err := readKeys(filepath.Join(cc.config.Data, keysFile), fresh)
	if err == nil {
		cc.centre, err = control.New(cc.store, keys, &control.Options{Folders: cc.config.Folders, Live: live, Changed: cc.change, Logger: log})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control centre: %w", err), cc.store.Close())
	}
	return cc, nil
}

// readKeys reads the keys of a database, or makes those of a new one.
func readKeys(path string, fresh bool) (*control.Keys, error) {
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		keys, err := control.ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !fresh:
		return nil, fmt.Errorf("%w: without it the passwords in the database cannot be read; put it back from the backup", err)
	}
	keys, err := control.NewKeys()
	if err != nil {
		return nil, err
	}
	if text, err = keys.Marshal(); err != nil {
		return nil, err
	}
	return keys, replaceFile(path, text)
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
		Handler:           a.controlHandler(),
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
	wg.Go(func() { cc.centre.WatchTenants(ctx) })
	return nil
}

// handler answers administrators, and devices too where they have no other
// address to call.
func (a *App) controlHandler() http.Handler {
	cc := a.control
	mux := http.NewServeMux()
	if a.site.config.Listen == "" {
		a.site.handle(mux)
	}
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("/api/", api.New(cc.centre, &api.Options{Guard: cc.guard, Logger: a.log}))
	return mux
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
		pause := settle
		changes := a.control.takeChanges()
		if err := a.refresh(ctx, changes); err != nil && ctx.Err() == nil {
			a.log.Error("the control centre's changes are not taken over yet", "error", err)
			for company := range changes {
				a.control.change(company)
			}
			pause = tryAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
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
	for id, s := range a.live.Load().systems {
		if s.problem != nil {
			a.log.Warn("a video system is left out", "system", id, "error", s.problem)
		}
	}
	return nil
}
