package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// deviceOf is a device and the room whose name its endpoint has.
type deviceOf struct {
	room   string
	device Device
}

// built is the endpoint of a device, and what the service gets in its place.
type built struct {
	device   otj.Endpoint
	service  otj.Endpoint
	extended *extended // nil for the rooms of the file
}

// made is what rooms makes, or takes over from before: connections stay open and
// calendars are not read again where nothing has changed.
type made struct {
	providers map[Calendar]calendar.Provider
	endpoints map[deviceOf]built
	engines   map[string]*rules.Engine // by Config.ruleTexts
	polls     map[calendar.Provider]time.Duration
	zones     map[string]*time.Location // to load one reads a file
}

func newMade() made {
	return made{map[Calendar]calendar.Provider{}, map[deviceOf]built{}, map[string]*rules.Engine{}, map[calendar.Provider]time.Duration{}, map[string]*time.Location{}}
}

// rooms makes the rooms of all configurations. A mistake in the file is an error;
// one in what the control centre has leaves that room out. a.mu is held.
func (a *App) rooms() ([]otj.Room, error) {
	m, live := newMade(), newLive()
	var out []otj.Room
	names := map[string]bool{}
	for _, c := range a.configs() {
		engine := a.made.engines[c.ruleTexts]
		if engine == nil {
			engine = c.engine
		}
		m.engines[c.ruleTexts] = engine
		devices := map[string]bool{}
		for i := range c.Rooms {
			r := &c.Rooms[i]
			room, b, err := a.room(c, r, engine, &m)
			if names[room.Name] { // two companies, or the file, have a system of this name
				room.Name += " (" + r.system + ")"
			}
			if key := r.Device.key(); err == nil && key != "" {
				if devices[key] {
					err = errors.New("another system has the same device: remove or disable one of them")
				}
				devices[key] = true
			}
			if r.system != "" {
				live.systems[r.system] = &liveSystem{room: r, name: room.Name, device: room.Device, endpoint: b.device, extras: a.extras[r.system], problem: err}
			} else if err != nil {
				return nil, fmt.Errorf("room %q: %w", r.Name, err)
			}
			if err == nil {
				names[room.Name] = true
				m.endpoints[deviceOf{r.Name, r.Device}] = b
				out = append(out, room)
			}
		}
		for id, src := range c.mailboxes {
			p, err := a.provider(c.Calendars[src.Calendar], &m)
			live.mailboxes[id] = liveMailbox{p, src.Mailbox, err}
			if g, ok := p.(grapher); ok {
				live.quotas[src.Calendar] = g
			}
		}
		live.network = merge(live.network, c.Network())
	}
	for cal, p := range m.providers {
		if g, ok := p.(grapher); ok {
			live.graphs = append(live.graphs, tenantGraph{cal.Tenant, g})
		}
	}
	for key, b := range a.made.endpoints {
		if b.extended != nil && m.endpoints[key] != b {
			b.extended.bare.Store(true)
		}
	}
	for system := range a.extras {
		if live.systems[system] == nil {
			delete(a.extras, system)
		}
	}
	a.made = m
	a.polls.Store(&m.polls)
	a.live.Store(live)
	return out, nil
}

func (a *App) room(c *Config, r *Room, engine *rules.Engine, m *made) (otj.Room, built, error) {
	room := otj.Room{Name: r.Name, Device: r.Device.key(), Settings: &r.Settings, Rules: engine}
	if r.system != "" {
		room.Device = "system " + r.system + " " + room.Device
	}
	if r.problem != nil {
		return room, built{}, r.problem
	}
	zone := r.TimeZone
	if zone == "" {
		zone = c.TimeZone
	}
	var err error
	if room.TimeZone = m.zones[zone]; room.TimeZone == nil {
		if room.TimeZone, err = time.LoadLocation(zone); err != nil {
			return room, built{}, err
		}
		m.zones[zone] = room.TimeZone
	}
	for _, src := range r.sources() {
		p, err := a.provider(c.Calendars[src.Calendar], m)
		if err != nil {
			return room, built{}, err
		}
		room.Sources = append(room.Sources, otj.Source{Provider: p, Mailbox: src.Mailbox})
	}
	key := deviceOf{r.Name, r.Device}
	b, ok := a.made.endpoints[key]
	if !ok {
		build := a.builders[r.Device.Type]
		if build == nil {
			return room, built{}, fmt.Errorf("no device type %q", r.Device.Type)
		}
		if b.device, err = build(a.site, r.Name, r.Device); err != nil {
			return room, built{}, err
		}
		b.service = b.device
		if r.system != "" {
			if a.extras[r.system] == nil {
				a.extras[r.system] = &extras{}
			}
			b.extended = &extended{Endpoint: b.device, extras: a.extras[r.system]}
			b.service = b.extended.forService()
		}
	}
	if b.extended != nil && b.extended.extras.set(r.paused, r.quiet) {
		a.resumed = append(a.resumed, room.Name)
	}
	room.Endpoint = b.service
	return room, b, nil
}

// provider returns the provider of a calendar: the one that there is, or a new
// one.
func (a *App) provider(c Calendar, m *made) (calendar.Provider, error) {
	if p := m.providers[c]; p != nil {
		return p, nil
	}
	p := a.made.providers[c]
	if p == nil {
		var err error
		if p, err = newProvider(c, a.hook); err != nil {
			return nil, err
		}
	}
	m.providers[c], m.polls[p] = p, c.Poll
	return p, nil
}

func newProvider(c Calendar, hook *msgraph.Webhook) (calendar.Provider, error) {
	switch c.Type {
	case waitingType:
		return waitingProvider{c.Path, c.URL}, nil
	case "microsoft365":
		return newGraph(c, hook)
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

// How long the ends of all sessions may take, and how many are ended at a time.
const (
	endTime = 5 * time.Second
	enders  = 64
)

// endSessions ends the sessions on devices that have some: a device keeps only a
// few, and the program may start again soon.
func (a *App) endSessions(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	a.mu.Lock()
	endpoints := a.made.endpoints
	a.mu.Unlock()
	at := make(chan struct{}, enders)
	var wg sync.WaitGroup
	for _, b := range endpoints {
		if e, ok := b.device.(interface{ Close(context.Context) error }); ok {
			wg.Go(func() {
				at <- struct{}{}
				defer func() { <-at }()
				_ = e.Close(ctx) // the session ends by itself too
			})
		}
	}
	wg.Wait()
}
