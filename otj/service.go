package otj

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Service keeps the devices of rooms as their calendars want them. All its
// methods may be called concurrently.
//
// It reads calendars at intervals, or when a provider tells of a change, plans
// as [Plan] does, and calls Show of a room's endpoint when the plan has changed,
// when the endpoint asks for it, and now and then to be sure. A calendar that
// cannot be read clears nothing: what was last read stays, and meetings leave
// as they end. Neither a slow device nor a broken calendar holds up other rooms.
type Service struct {
	opts    Options
	engine  *rules.Engine // of rooms that have none
	readers *limit
	writers *limit

	mu        sync.Mutex
	ctx       context.Context // of Run; nil unless it runs
	wg        sync.WaitGroup  // goroutines of Run
	keepers   map[string]*keeper
	feeds     map[Source]*feed
	notifiers map[calendar.Provider]*notifier
}

// New returns a Service for rooms. It starts nothing; see Run.
func New(rooms []Room, opts *Options) (*Service, error) {
	s := &Service{
		opts:      opts.withDefaults(),
		engine:    rules.Default(),
		keepers:   map[string]*keeper{},
		feeds:     map[Source]*feed{},
		notifiers: map[calendar.Provider]*notifier{},
	}
	s.readers, s.writers = newLimit(s.opts.Readers), newLimit(s.opts.Writers)
	if err := s.Set(rooms); err != nil {
		return nil, err
	}
	return s, nil
}

// Run keeps the devices until ctx is done, and has then stopped every goroutine
// that it started. Devices keep what they show. It returns an error only if the
// service runs already.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.ctx != nil {
		s.mu.Unlock()
		return errors.New("otj: the service runs already")
	}
	s.ctx = ctx
	for _, n := range s.notifiers {
		s.startNotifier(n)
	}
	for _, f := range s.feeds {
		s.startFeed(f)
	}
	for _, k := range s.keepers {
		s.startKeeper(k)
	}
	s.mu.Unlock()

	<-ctx.Done()
	// Set may start goroutines until ctx is nil; the group waits for those too.
	s.mu.Lock()
	s.ctx = nil
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// Set replaces the rooms. It does not wait until the devices show what they
// should. The device of a room that is no longer there is cleared; until that
// has succeeded the room stays in Status, with an alarm that says why it has
// not. Nothing is changed if Set returns an error.
func (s *Service) Set(rooms []Room) error {
	if err := validateRooms(rooms); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	type needs struct {
		rooms   []*Room
		engines []*rules.Engine
		subs    []*keeper
	}
	needed := map[Source]*needs{}
	keys, names := map[string]bool{}, map[string]bool{}
	for i := range rooms {
		keys[rooms[i].key()], names[rooms[i].Name] = true, true
	}
	// An endpoint has one keeper, whatever its room and device are called now.
	left := map[Endpoint]*keeper{}
	for key, k := range s.keepers {
		if !keys[key] {
			left[k.current().room.Endpoint] = k
		}
	}
	for i := range rooms {
		room := rooms[i] // a copy: the caller may change its own
		room.Sources = slices.Clone(room.Sources)
		settings := room.settings()
		settings.Prefer = slices.Clone(settings.Prefer)
		room.Settings = &settings
		if room.Rules == nil {
			room.Rules = s.engine
		}
		k := s.keepers[room.key()]
		if k == nil {
			if k = left[room.Endpoint]; k != nil {
				delete(s.keepers, k.storeKey())
				s.keepers[room.key()] = k
			}
		}
		isNew := k == nil
		if isNew {
			k = newKeeper(s)
			s.keepers[room.key()] = k
		}
		feeds := make([]*feed, len(room.Sources))
		for j, src := range room.Sources {
			f := s.feeds[src]
			if f == nil {
				f = &feed{svc: s, src: src, wake: make(chan struct{}, 1), alarms: alarms{}, status: SourceStatus{Mailbox: src.Mailbox}}
				if p, ok := src.Provider.(calendar.Notifier); ok {
					n := s.notifiers[src.Provider]
					if n == nil {
						n = newNotifier(s, p)
						s.notifiers[src.Provider] = n
					}
					f.notifier = n
				}
				s.feeds[src] = f
			}
			feeds[j] = f
			n := needed[src]
			if n == nil {
				n = &needs{}
				needed[src] = n
			}
			n.rooms = append(n.rooms, &room)
			n.subs = append(n.subs, k)
			if !slices.Contains(n.engines, room.Rules) {
				n.engines = append(n.engines, room.Rules)
			}
		}
		k.set(room, feeds)
		if isNew {
			s.startKeeper(k)
		}
	}
	for key, k := range s.keepers {
		if !keys[key] {
			k.retire(names)
		}
	}
	for src, f := range s.feeds {
		n := needed[src]
		if n == nil {
			if f.stop != nil {
				f.stop()
			}
			delete(s.feeds, src)
			continue
		}
		f.mu.Lock()
		f.rooms, f.engines, f.subs = n.rooms, n.engines, n.subs
		w := f.readWindow(time.Now())
		// Another engine or more days ahead need what was not kept.
		again := f.lacks() || w.From.Before(f.window.From) || w.To.After(f.window.To)
		f.mu.Unlock()
		switch {
		case f.stop == nil:
			s.startFeed(f)
		case again:
			f.ask()
		}
	}
	mailboxes := map[calendar.Provider][]string{}
	for src := range s.feeds {
		mailboxes[src.Provider] = append(mailboxes[src.Provider], src.Mailbox)
	}
	for p, n := range s.notifiers {
		if mailboxes[p] == nil {
			if n.stop != nil {
				n.stop()
			}
			delete(s.notifiers, p)
			continue
		}
		slices.Sort(mailboxes[p])
		n.set(mailboxes[p])
		if n.stop == nil {
			s.startNotifier(n)
		}
	}
	return nil
}

// Wake reads the calendars of a room again and calls Show of its endpoint,
// whether anything has changed or not, a second after the last call at the
// earliest. It returns false if there is no such room, and does not wait.
func (s *Service) Wake(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keepers {
		if feeds, ok := k.named(room); ok {
			for _, f := range feeds {
				f.ask()
			}
			k.force()
			return true
		}
	}
	return false
}

// askFor asks the feed of a mailbox for a reading, as its provider wants.
func (s *Service) askFor(p calendar.Notifier, mailbox string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	provider, ok := p.(calendar.Provider)
	if !ok {
		return
	}
	if f := s.feeds[Source{provider, mailbox}]; f != nil {
		f.tell()
	}
}

// forget removes a keeper that has cleared its device. It returns false if the
// room has come back in the meantime.
func (s *Service) forget(k *keeper) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.retired {
		return false
	}
	delete(s.keepers, k.room.key())
	return true
}

// start starts run unless the service does not run; s.mu is held. It returns
// what stops it.
func (s *Service) start(run func(context.Context)) context.CancelFunc {
	if s.ctx == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.wg.Go(func() {
		defer cancel()
		run(ctx)
	})
	return cancel
}

func (s *Service) startKeeper(k *keeper)     { s.start(k.run) }
func (s *Service) startFeed(f *feed)         { f.stop = s.start(f.run) }
func (s *Service) startNotifier(n *notifier) { n.stop = s.start(n.run) }

// retry is the pause after so many failures in a row.
func (s *Service) retry(failures int) time.Duration {
	d := s.opts.RetryMin
	for range failures - 1 {
		if d *= 2; d >= s.opts.RetryMax {
			d = s.opts.RetryMax
			break
		}
	}
	return d*3/4 + time.Duration(rand.Float64()*float64(d)/2)
}

// guard turns a panic of f into an error: a mistake in one adapter, or an invite
// that breaks the rules, must not end the service of all rooms. What the panic
// said may hold a secret; the stack that is logged does not.
func (s *Service) guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.opts.Logger.Error("panic", "in", what, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s has a programming error, whose stack is in the log", what)
		}
	}()
	return f()
}

// limit bounds how much is done at a time.
type limit struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newLimit(n int) *limit { return &limit{slots: make(chan struct{}, n)} }

// do runs f as soon as the limit allows, unless ctx is done before.
func (l *limit) do(ctx context.Context, f func() error) error {
	l.waiting.Add(1)
	select {
	case l.slots <- struct{}{}:
		l.waiting.Add(-1)
		defer func() { <-l.slots }()
		return f()
	case <-ctx.Done():
		l.waiting.Add(-1)
		return ctx.Err()
	}
}

// Load is how busy a Service is.
type Load struct {
	// Reading and Writing are how many calendars are read and devices written to
	// now; WaitingToRead and WaitingToWrite how many wait for Options.Readers and
	// Options.Writers.
	Reading, WaitingToRead, Writing, WaitingToWrite int
}

// Load returns how busy the service is.
func (s *Service) Load() Load {
	return Load{
		len(s.readers.slots), int(s.readers.waiting.Load()),
		len(s.writers.slots), int(s.writers.waiting.Load()),
	}
}
