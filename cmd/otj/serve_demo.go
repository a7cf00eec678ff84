package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly/polytest"
	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/internal/office"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// demoUser is the administrator of the office.
const demoUser = "demo@fabrikam.example"

// serveOffice serves the demo's office until ctx is done: a company in the control
// centre, its calendars in a folder, and simulated devices on this machine.
func serveOffice(ctx context.Context, listen string, log *slog.Logger, std stdio) int {
	dir, err := os.MkdirTemp("", "otj-demo-")
	if err != nil {
		return std.fail(no, "serve: %v", err)
	}
	defer os.RemoveAll(dir)
	o := &officeDemo{dir: dir, log: log}
	defer o.close()
	if err := o.open(ctx, listen); err != nil {
		if o.app != nil {
			err = errors.Join(err, o.app.Close())
		}
		return std.fail(no, "serve: %v", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := start(ctx, o.app)
	var wg sync.WaitGroup
	defer wg.Wait()
	select {
	case <-o.app.Up():
		for _, run := range o.runs {
			wg.Go(func() { run(ctx) })
		}
		link, err := o.app.SignInURL(ctx, demoUser)
		if err != nil {
			log.Error("no link to sign in", "error", err)
		}
		fmt.Fprintf(std.out, demoText, link, o.screens)
	default: // wait says why
	}
	status := wait(o.app, ended, source{listen: listen}, log, std)
	stop()
	return status
}

const demoText = `This office has three rooms with simulated devices. Look at it as its administrator:

  %s

The link works once, within an hour. The screens of the devices are on

  %s

Ctrl-C ends the demo; nothing of it stays.

`

// officeDemo is the office that runs.
type officeDemo struct {
	dir     string
	log     *slog.Logger
	app     *app.App
	screens string // the address of the page with the screens

	panels  []func() string
	runs    []func(context.Context) // until the context is done
	closers []func()
}

func (o *officeDemo) close() {
	for _, c := range o.closers {
		c()
	}
}

func (o *officeDemo) calendars() string { return filepath.Join(o.dir, "calendars") }

// writeCalendars writes the office's calendars as they are now.
func (o *officeDemo) writeCalendars() error {
	for _, r := range office.Rooms(time.Now()) {
		path := filepath.Join(o.calendars(), r.Mailbox+".ics")
		if err := os.WriteFile(path+".new", []byte(r.Calendar), 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

// officeTime is how often the office's meetings begin anew, so that there are
// always some ahead.
const officeTime = 30 * time.Minute

// open makes the program and what is in its control centre.
func (o *officeDemo) open(ctx context.Context, listen string) error {
	if err := os.Mkdir(o.calendars(), 0o700); err != nil {
		return err
	}
	if err := o.writeCalendars(); err != nil {
		return err
	}
	c, err := app.LocalConfig(filepath.Join(o.dir, "data"), listen)
	if err != nil {
		return err
	}
	c.Control.Folders = []string{o.calendars()}
	if o.app, err = app.New(c, app.Builders(), o.log); err != nil {
		return err
	}
	centre := o.app.Centre()
	org, user, err := centre.Setup(ctx, control.Company, "Fabrikam", demoUser, "Demo administrator")
	if err != nil {
		return err
	}
	ann := control.Actor{User: user}
	p, err := centre.SaveProvider(ctx, ann, control.Provider{Company: org.ID, Name: "Calendars of the demo", Kind: control.ICSFolder, Folder: o.calendars()})
	if err != nil {
		return err
	}
	for _, r := range office.Rooms(time.Now()) {
		if err := o.addRoom(ctx, ann, p, r, c.Control.URL); err != nil {
			return fmt.Errorf("room %s: %w", r.Name, err)
		}
	}
	o.runs = append(o.runs, func(ctx context.Context) {
		every(ctx, officeTime, func() {
			if err := o.writeCalendars(); err != nil {
				o.log.Warn("the office's calendars stay as they were", "error", err)
			}
		})
	})
	return o.serveScreens(ctx)
}

// every calls f now and then until ctx is done.
func every(ctx context.Context, pause time.Duration, f func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// addRoom adds a room with its simulated device.
func (o *officeDemo) addRoom(ctx context.Context, ann control.Actor, p control.Provider, r office.Room, base string) error {
	centre := o.app.Centre()
	m, err := centre.SaveMailbox(ctx, ann, control.Mailbox{Company: p.Company, Provider: p.ID, Address: r.Mailbox, Name: r.Name})
	if err != nil {
		return err
	}
	s := control.System{Company: p.Company, Name: r.Name, Mailbox: m.ID, Enabled: true}
	if own := control.Differing(r.Settings, otj.DefaultSettings()); own != nil {
		g, err := centre.SaveGroup(ctx, ann, control.Group{Company: p.Company, Name: "Like " + r.Name, Settings: own})
		if err != nil {
			return err
		}
		s.Group = g.ID
	}
	switch demoKinds[r.Name] {
	case "poly":
		s.Kind = control.Poly
	case "feed":
		s.Kind = control.Feed
	default:
		return o.addCisco(ctx, ann, s)
	}
	if s, err = centre.SaveSystem(ctx, ann, s); err != nil {
		return err
	}
	password, err := centre.NewPassword(ctx, ann, s.ID)
	if err != nil {
		return err
	}
	if s.Kind == control.Feed {
		o.addFeed(s, password, base)
		return nil
	}
	d := polytest.New(&polytest.Options{Name: s.Name, Server: base, User: s.User, Password: string(password), Ahead: demoAhead})
	o.panels = append(o.panels, func() string { return d.Panel(time.Now()) })
	o.runs = append(o.runs, func(ctx context.Context) { d.Run(ctx, demoPoll) })
	return nil
}

// demoPoll is how often simulated devices ask: more often than real ones, since
// somebody looks at them.
const demoPoll = 2 * time.Second

// feedPoll is within the limit of the feed.
const feedPoll = 10 * time.Second

func (o *officeDemo) addCisco(ctx context.Context, ann control.Actor, s control.System) error {
	d := ciscotest.New(&ciscotest.Options{Name: s.Name})
	if err := d.Start(""); err != nil {
		return err
	}
	o.closers = append(o.closers, func() { d.Close() })
	o.panels = append(o.panels, func() string { return d.Panel(time.Now()) })
	s.Kind, s.Host, s.User, s.Fingerprint = control.CiscoHTTPS, d.Addr(), d.User(), d.Fingerprint()
	s, err := o.app.Centre().SaveSystem(ctx, ann, s)
	if err != nil {
		return err
	}
	return o.app.Centre().SetPassword(ctx, ann, "system", s.ID, calendar.Secret(d.Password()))
}

// addFeed adds a client of the feed.
func (o *officeDemo) addFeed(s control.System, password calendar.Secret, base string) {
	var mu sync.Mutex
	shown := "has not asked yet"
	o.panels = append(o.panels, func() string {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Sprintf("%s (client of the feed)\n%s", s.Name, shown)
	})
	poll := func(ctx context.Context) {
		text, err := readFeed(ctx, base, s.User, password)
		if err != nil {
			text = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		shown = text
	}
	o.runs = append(o.runs, func(ctx context.Context) {
		poll(ctx)
		every(ctx, feedPoll, func() { poll(ctx) })
	})
}

// readFeed reads a feed and returns its meetings as lines.
func readFeed(ctx context.Context, base, user string, password calendar.Secret) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/meetings?limit=100", nil)
	if err != nil {
		return "", err
	}
	r.SetBasicAuth(user, string(password))
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the feed answers with status %d", w.StatusCode)
	}
	var page struct{ Meetings []feed.Meeting }
	if err := json.NewDecoder(w.Body).Decode(&page); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, m := range page.Meetings {
		button := "[ Join ]"
		if m.Alias == "" {
			button = "        "
		}
		fmt.Fprintf(&b, "  %s  %s  %s\n", times(m.StartTime, m.EndTime, time.Now()), button, m.Subject)
	}
	return b.String(), nil
}

// serveScreens serves the page with the devices' screens.
func (o *officeDemo) serveScreens(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Refresh", "2")
		for _, panel := range o.panels {
			fmt.Fprintf(w, "%s\n\n", strings.TrimRight(panel(), "\n"))
		}
	})}
	go func() { _ = srv.Serve(l) }()
	o.closers = append(o.closers, func() { srv.Close() })
	o.screens = "http://" + l.Addr().String() + "/"
	return nil
}
