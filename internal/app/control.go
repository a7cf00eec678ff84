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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
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

func openControl(c *Config, log *slog.Logger) (*controlCentre, error) {
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
		cc.centre, err = control.New(cc.store, keys, &control.Options{Folders: cc.config.Folders, Changed: cc.change, Logger: log})
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

// Problem returns why a system of the control centre has no room; nil if it has
// one, or is not enabled.
func (a *App) Problem(system string) error { return (*a.problems.Load())[system] }

// startControl serves the control centre, and takes over what is changed there.
func (a *App) startControl(ctx context.Context, start func(what, address string, srv *http.Server) error, wg *sync.WaitGroup) error {
	cc := a.control
	srv := &http.Server{
		Handler:           cc.handler(a.log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	if err := withCertificate(srv, cc.config.HTTP, cc.config.CertFile, cc.config.KeyFile); err != nil {
		return err
	}
	if err := start("administrators", cc.config.Listen, srv); err != nil {
		return err
	}
	wg.Go(func() { a.follow(ctx) })
	return nil
}

func (cc *controlCentre) handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("/api/", api.New(cc.centre, &api.Options{Guard: cc.guard, Logger: log}))
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
	for system, err := range *a.problems.Load() {
		a.log.Warn("a video system is left out", "system", system, "error", err)
	}
	return nil
}

// fleetConfig writes what a company has as a configuration.
func fleetConfig(f *control.Fleet, base *Config) *Config {
	c := &Config{TimeZone: base.TimeZone, Calendars: map[string]Calendar{}, Settings: f.Processing.Settings}
	unsound := c.useRules(f)
	for id, p := range f.Providers {
		c.Calendars[id] = calendarOf(p)
	}
	for _, s := range f.Systems {
		r := Room{Name: f.Org.Name + " / " + s.Name, Settings: c.Settings, Device: deviceOfSystem(s), system: s.ID, problem: unsound}
		if g, ok := f.Groups[s.Group]; ok && g.Settings != nil {
			r.Settings = *g.Settings
		}
		mailbox, ok := f.Mailboxes[s.Mailbox]
		if !ok {
			r.problem = errors.New("it has no mailbox: choose one")
		}
		r.Calendar, r.Mailbox = mailbox.Provider, mailbox.Address
		c.Rooms = append(c.Rooms, r)
	}
	return c
}

// useRules makes the company's engine. A company's rules are checked before they
// are stored; if a later version of the program refuses them, its devices keep
// what they show rather than get what nobody meant.
func (c *Config) useRules(f *control.Fleet) error {
	p := &f.Processing
	if p.Rules == "" && len(p.OwnDomains) == 0 && !p.PreferMeet {
		return nil
	}
	c.ruleTexts = fmt.Sprintf("%t %q %s", p.PreferMeet, p.OwnDomains, p.Rules)
	opts := &rules.Options{OwnDomains: p.OwnDomains}
	if p.PreferMeet {
		opts.GoogleMeet = rules.GoogleMeetFirst
	}
	var list []rules.Rule
	var err error
	if strings.TrimSpace(p.Rules) != "" {
		if list, err = rules.Parse("rules", []byte(p.Rules)); err != nil {
			return fmt.Errorf("the company's rules: %w", err)
		}
	}
	if c.engine, err = rules.New(list, opts); err != nil {
		return fmt.Errorf("the company's rules: %w", err)
	}
	return nil
}

func calendarOf(p control.Provider) Calendar {
	switch {
	case p.Paused:
		return Calendar{Type: pausedType, Path: p.ID}
	case p.Kind == control.ICSFolder:
		return Calendar{Type: "ics-folder", Path: p.Folder}
	case p.Kind == control.ICSFeed:
		return Calendar{Type: "ics-feed", URL: p.URL}
	}
	return Calendar{Type: string(p.Kind)}
}

// The types and ways of the kinds of system.
var kinds = map[control.SystemKind]Device{
	control.CiscoHTTPS:     {Type: "cisco", Via: "https"},
	control.CiscoWebSocket: {Type: "cisco", Via: "websocket"},
	control.CiscoWebex:     {Type: "cisco", Via: "cloud"},
	control.CiscoMacro:     {Type: "cisco", Via: "macro"},
	control.CiscoTMS:       {Type: "cisco", Via: "tms"},
	control.Poly:           {Type: "poly"},
	control.Feed:           {Type: "feed"},
}

func deviceOfSystem(s control.FleetSystem) Device {
	d := kinds[s.Kind]
	d.Address, d.Username, d.Password = s.Host, s.DeviceUser, s.Password
	d.Fingerprint, d.TakeOver, d.Serial, d.MAC = s.Fingerprint, s.TakeOver, s.Serial, s.MAC
	switch s.Kind {
	case control.CiscoMacro:
		d.ID = s.ID
	case control.CiscoWebex:
		// The password of the system, or of its group, is the bot's token.
		d.Address, d.Webex, d.webex = s.DeviceID, "token", Webex{Token: s.Password}
	}
	return d
}

// pausedProvider is a provider that an administrator has stopped. A calendar that
// cannot be read clears nothing: devices keep what they show until it ends.
type pausedProvider struct{ id string }

// pausedType is the type of its Calendar, which no file can have.
const pausedType = "paused"

func (p pausedProvider) Events(context.Context, string, calendar.Window) ([]calendar.Event, error) {
	return nil, errors.New("the provider is paused; devices keep what they show until it ends")
}

// RoomOf returns the name by which the service knows the room of a system of the
// control centre; false if it has none.
func (a *App) RoomOf(system string) (name string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.fleets {
		if i := slices.IndexFunc(c.Rooms, func(r Room) bool { return r.system == system }); i >= 0 {
			return c.Rooms[i].Name, true
		}
	}
	return "", false
}
