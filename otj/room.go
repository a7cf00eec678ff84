package otj

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Room is a device and the calendars that it shows.
type Room struct {
	// Name names the room for people, in status and logs. It is not empty, and
	// no other room has it.
	Name string
	// Device names the device behind Endpoint, by its serial number or address,
	// say. Service.Set sees by it whether a room has another device, whose old
	// one has to be cleared, or the same one with another configuration. Empty
	// means that the room keeps its device for as long as it keeps its name.
	// No other room has it.
	Device string

	// Sources are the room's calendars, one or more. The device shows the
	// meetings of all of them. One that cannot be read keeps what was last read
	// from it; after a start nothing is shown until each has been read once, or
	// for ten minutes if one fails while another does not. A room that has lost a
	// mailbox loses its meetings at once, even if the others cannot be read.
	Sources []Source
	// Endpoint is the room's device.
	Endpoint Endpoint

	// Settings say what is shown; nil stands for DefaultSettings.
	Settings *Settings
	// Rules find the addresses; nil stands for rules.Default.
	Rules *rules.Engine
	// TimeZone decides when a day ends, for Settings.DaysAhead and for all-day
	// events whose calendar gives dates alone; nil stands for UTC.
	TimeZone *time.Location
}

// Source is one calendar. A calendar that several rooms have is read once for
// all of them: it is the same if provider and mailbox are equal with ==.
type Source struct {
	Provider calendar.Provider
	Mailbox  string
}

// Options change how a Service works. The zero value is the default.
type Options struct {
	// Logger gets what happens. It gets no subject and no address to dial.
	// Default: nothing is logged.
	Logger *slog.Logger
	// Store keeps what devices show. Default: in memory.
	Store Store
	// OnReport is called with each new plan of a room. It must return soon.
	OnReport func(room string, r Report)

	// OnRead is called after each reading of a calendar, and OnShow after each
	// call of an endpoint's Show, with how long it took and its error. They must
	// return soon, and are called by several goroutines.
	OnRead func(p calendar.Provider, took time.Duration, err error)
	OnShow func(e Endpoint, took time.Duration, err error)

	// Poll is how often a calendar is read. PollOf gives the interval of a
	// single provider; where it is nil or returns 0, Poll counts. All intervals
	// are varied by up to a tenth, so that rooms do not stay in step. Default 1
	// minute.
	Poll   time.Duration
	PollOf func(calendar.Provider) time.Duration
	// SafetyPoll is how often a calendar is read whose provider tells of changes
	// by itself. Default 15 minutes.
	SafetyPoll time.Duration
	// Sync reads changes only from providers that are a calendar.Syncer.
	Sync bool
	// ReadTimeout limits one reading. Default 1 minute.
	ReadTimeout time.Duration
	// Readers is how many calendars are read at a time. Default 16.
	Readers int

	// Reassert is how often Show is called although nothing has changed.
	// Default 15 minutes.
	Reassert time.Duration
	// ShowTimeout limits one call of Show. Default 30 seconds.
	ShowTimeout time.Duration
	// Writers is how many devices are written to at a time. Default 64.
	Writers int
	// RetryMin and RetryMax are the pauses after the first and after many
	// failures of a device or calendar. Defaults 5 seconds and 5 minutes.
	RetryMin, RetryMax time.Duration
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Store == nil {
		d.Store = NewMemStore()
	}
	if d.OnReport == nil {
		d.OnReport = func(string, Report) {}
	}
	if d.OnRead == nil {
		d.OnRead = func(calendar.Provider, time.Duration, error) {}
	}
	if d.OnShow == nil {
		d.OnShow = func(Endpoint, time.Duration, error) {}
	}
	for _, v := range []struct {
		p   *time.Duration
		def time.Duration
	}{
		{&d.Poll, time.Minute},
		{&d.SafetyPoll, 15 * time.Minute},
		{&d.ReadTimeout, time.Minute},
		{&d.Reassert, 15 * time.Minute},
		{&d.ShowTimeout, 30 * time.Second},
		{&d.RetryMin, 5 * time.Second},
		{&d.RetryMax, 5 * time.Minute},
	} {
		if *v.p <= 0 {
			*v.p = v.def
		}
	}
	d.RetryMax = max(d.RetryMax, d.RetryMin)
	if d.Readers <= 0 {
		d.Readers = 16
	}
	if d.Writers <= 0 {
		d.Writers = 64
	}
	return d
}

// key names the device of a room among those of a Service.
func (r *Room) key() string {
	if r.Device != "" {
		return "device:" + r.Device
	}
	return "room:" + r.Name
}

// same reports whether r and o are the same, but for their sources.
func (r *Room) same(o *Room) bool {
	a, b := r.settings(), o.settings()
	return r.Name == o.Name && r.Device == o.Device && r.Endpoint == o.Endpoint && r.Rules == o.Rules &&
		r.timeZone() == o.timeZone() && a.Equal(&b)
}

func (r *Room) settings() Settings {
	if r.Settings == nil {
		return DefaultSettings()
	}
	return *r.Settings
}

func (r *Room) timeZone() *time.Location {
	if r.TimeZone == nil {
		return time.UTC
	}
	return r.TimeZone
}

// validateRooms returns an error that joins one for each thing that is wrong.
func validateRooms(rooms []Room) error {
	var errs []error
	names, keys := map[string]bool{}, map[string]string{}
	endpoints := map[Endpoint]string{}
	for i := range rooms {
		r := &rooms[i]
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("room %q: %w", r.Name, fmt.Errorf(format, args...)))
		}
		switch {
		case r.Name == "":
			errs = append(errs, fmt.Errorf("room %d has no name", i+1))
		case names[r.Name]:
			bad("there are two rooms of this name")
		}
		names[r.Name] = true
		if other, ok := keys[r.key()]; ok && other != r.Name {
			bad("room %q has the same device %q", other, r.Device)
		}
		keys[r.key()] = r.Name
		switch {
		case r.Endpoint == nil:
			bad("it has no endpoint")
		case !reflect.TypeOf(r.Endpoint).Comparable():
			bad("endpoints of type %T cannot be compared; use a pointer", r.Endpoint)
		case endpoints[r.Endpoint] != "":
			bad("room %q has the same endpoint", endpoints[r.Endpoint])
		default:
			endpoints[r.Endpoint] = r.Name
		}
		if len(r.Sources) == 0 {
			bad("it has no calendar")
		}
		seen := map[Source]bool{}
		for _, src := range r.Sources {
			switch {
			case src.Provider == nil:
				bad("the calendar %q has no provider", src.Mailbox)
			case !reflect.TypeOf(src.Provider).Comparable():
				bad("providers of type %T cannot be compared; use a pointer", src.Provider)
			case seen[src]:
				bad("the calendar %q is there twice", src.Mailbox)
			default:
				seen[src] = true
			}
		}
		if r.Settings != nil {
			if err := r.Settings.Validate(); err != nil {
				bad("settings: %w", err)
			}
		}
	}
	return errors.Join(errs...)
}
