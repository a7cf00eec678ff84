package calendartest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Memory is a provider whose calendars are in memory: the reference for the
// contract, and the provider for the tests of other packages. It implements
// [calendar.Provider], [calendar.Syncer], [calendar.Notifier] and
// [calendar.Coverage].
//
// A mailbox exists from the first call of Set on. A Memory is safe for
// concurrent use; its zero value is not usable, see [NewMemory].
type Memory struct {
	mu       sync.Mutex
	boxes    map[string]*box
	failures map[string]error         // by mailbox; "" is that of all
	blocked  map[string]chan struct{} // by mailbox; closed when it goes on
	calls    map[string]int
	version  int // counts the changes of all mailboxes
	oldest   int // tokens before this version cannot be continued
	watchers map[*watcher]bool
	down     int // interruptions that last
}

// box is the calendar of one mailbox.
type box struct {
	events  []entry
	removed map[string]int // event ID to the version in which it went
	bad     []calendar.EventError
}

type entry struct {
	calendar.Event
	changed int // version
}

// watcher is one call of Notify.
type watcher struct {
	mailboxes map[string]bool
	pending   map[string]bool
	signal    chan struct{} // of one element
}

var (
	_ calendar.Syncer   = (*Memory)(nil)
	_ calendar.Coverage = (*Memory)(nil)
)

// NewMemory returns a provider without mailboxes.
func NewMemory() *Memory {
	return &Memory{
		boxes:    make(map[string]*box),
		failures: make(map[string]error),
		blocked:  make(map[string]chan struct{}),
		calls:    make(map[string]int),
		watchers: make(map[*watcher]bool),
	}
}

// Set makes a mailbox hold these events and no others. An event without an ID
// gets its UID and start as one.
func (m *Memory) Set(mailbox string, events ...calendar.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version++
	b := m.box(mailbox)
	old := make(map[string]entry)
	for _, e := range b.events {
		old[e.ID] = e
		b.removed[e.ID] = m.version
	}
	b.events = nil
	for _, ev := range events {
		ev = clone(ev)
		if ev.ID == "" {
			ev.ID = ev.UID + "/" + ev.Start.UTC().Format("20060102T150405Z")
		}
		e := entry{ev, m.version}
		if before, ok := old[ev.ID]; ok && same(before.Event, ev) {
			e.changed = before.changed
		}
		delete(b.removed, ev.ID)
		b.events = append(b.events, e)
	}
	slices.SortFunc(b.events, func(a, b entry) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	m.tell(mailbox)
}

// SetBad makes the reads of a mailbox return these events as ones that cannot
// be read, in a [*calendar.PartialError]. Without arguments it ends that.
func (m *Memory) SetBad(mailbox string, bad ...calendar.EventError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.box(mailbox).bad = slices.Clone(bad)
	m.tell(mailbox)
}

// SetError makes the reads of a mailbox fail with err, within a
// [*calendar.Error] if it is none itself. The mailbox "" stands for all, and a
// nil err ends it.
func (m *Memory) SetError(mailbox string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.failures, mailbox)
		return
	}
	m.failures[mailbox] = err
}

// Block makes the reads of a mailbox wait, until their context is done or the
// function that it returns is called. The mailbox "" stands for all.
func (m *Memory) Block(mailbox string) (unblock func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.blocked[mailbox]; c != nil {
		close(c)
	}
	c := make(chan struct{})
	m.blocked[mailbox] = c
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.blocked[mailbox] == c {
			delete(m.blocked, mailbox)
			close(c)
		}
	}
}

// ExpireTokens makes every token that Sync has returned one that cannot be
// continued.
func (m *Memory) ExpireTokens() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version++
	m.oldest = m.version
}

// Interrupt stops the notifications, as when a connection breaks. When the
// function that it returns is called, they go on, and every mailbox is woken.
func (m *Memory) Interrupt() (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down++
	for w := range m.watchers {
		m.wakeAll(w)
	}
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.down--; m.down > 0 {
			return
		}
		for w := range m.watchers {
			m.wakeAll(w)
		}
	})
}

// wakeAll wakes the mailboxes of a watcher that exist.
func (m *Memory) wakeAll(w *watcher) {
	for mailbox := range w.mailboxes {
		if m.boxes[mailbox] != nil {
			w.wake(mailbox)
		}
	}
}

// Calls returns how often a mailbox was read, by Events and Sync.
func (m *Memory) Calls(mailbox string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[mailbox]
}

// Events implements [calendar.Provider].
func (m *Memory) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	if err := m.begin(ctx, mailbox); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.find(mailbox)
	if err != nil {
		return nil, err
	}
	var out []calendar.Event
	for _, e := range b.events {
		if w.Overlaps(e.Start, e.End) {
			out = append(out, clone(e.Event))
		}
	}
	return out, b.partial(mailbox)
}

// Sync implements [calendar.Syncer].
func (m *Memory) Sync(ctx context.Context, mailbox string, w calendar.Window, token string) (calendar.Delta, error) {
	if err := m.begin(ctx, mailbox); err != nil {
		return calendar.Delta{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.find(mailbox)
	if err != nil {
		return calendar.Delta{}, err
	}
	since := -1
	if token != "" {
		var sum uint64
		if n, err := fmt.Sscanf(token, "memory-%d-%x", &since, &sum); err != nil || n != 2 || token != tokenFor(mailbox, w, since) || since < m.oldest || since > m.version {
			return calendar.Delta{}, failure(mailbox, calendar.ErrTokenExpired)
		}
	}
	out := calendar.Delta{Full: token == "", Token: tokenFor(mailbox, w, m.version)}
	for _, e := range b.events {
		switch {
		case e.changed <= since:
		case w.Overlaps(e.Start, e.End):
			out.Changed = append(out.Changed, clone(e.Event))
		default:
			out.Removed = append(out.Removed, e.ID)
		}
	}
	for id, version := range b.removed {
		if version > since {
			out.Removed = append(out.Removed, id)
		}
	}
	slices.Sort(out.Removed)
	return out, b.partial(mailbox)
}

// tokenFor returns the token of a version. The sum binds it to its mailbox and
// window.
func tokenFor(mailbox string, w calendar.Window, version int) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %d %d %d", mailbox, w.From.UnixNano(), w.To.UnixNano(), version)
	return fmt.Sprintf("memory-%d-%016x", version, h.Sum64())
}

// Notify implements [calendar.Notifier].
func (m *Memory) Notify(ctx context.Context, mailboxes []string, wake func(mailbox string)) error {
	w := &watcher{mailboxes: make(map[string]bool), pending: make(map[string]bool), signal: make(chan struct{}, 1)}
	for _, mailbox := range mailboxes {
		w.mailboxes[mailbox] = true
	}
	m.mu.Lock()
	m.watchers[w] = true
	m.wakeAll(w)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, w)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.signal:
		}
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(w.pending))
		clear(w.pending)
		m.mu.Unlock()
		for _, name := range names {
			wake(name)
		}
	}
}

// Notified implements [calendar.Coverage].
func (m *Memory) Notified(mailbox string) (ok bool, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.watchers {
		switch {
		case !w.mailboxes[mailbox]:
		case m.boxes[mailbox] == nil:
			return false, failure(mailbox, calendar.ErrNotFound)
		case m.down > 0:
			return false, failure(mailbox, calendar.ErrUnavailable)
		default:
			return true, nil
		}
	}
	return false, nil
}

// begin counts a call and waits where that is asked for.
func (m *Memory) begin(ctx context.Context, mailbox string) error {
	m.mu.Lock()
	m.calls[mailbox]++
	wait := m.blocked[mailbox]
	if wait == nil {
		wait = m.blocked[""]
	}
	m.mu.Unlock()
	if wait != nil {
		select {
		case <-ctx.Done():
		case <-wait:
		}
	}
	if ctx.Err() != nil {
		return failure(mailbox, ctx.Err())
	}
	return nil
}

func (m *Memory) find(mailbox string) (*box, error) {
	for _, name := range []string{mailbox, ""} {
		if err := m.failures[name]; err != nil {
			return nil, failure(mailbox, err)
		}
	}
	if b := m.boxes[mailbox]; b != nil {
		return b, nil
	}
	return nil, failure(mailbox, calendar.ErrNotFound)
}

func (m *Memory) box(mailbox string) *box {
	b := m.boxes[mailbox]
	if b == nil {
		b = &box{removed: make(map[string]int)}
		m.boxes[mailbox] = b
	}
	return b
}

func (m *Memory) tell(mailbox string) {
	if m.down > 0 {
		return
	}
	for w := range m.watchers {
		if w.mailboxes[mailbox] {
			w.wake(mailbox)
		}
	}
}

func (w *watcher) wake(mailbox string) {
	w.pending[mailbox] = true
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (b *box) partial(mailbox string) error {
	if len(b.bad) == 0 {
		return nil
	}
	return &calendar.PartialError{Mailbox: mailbox, Bad: slices.Clone(b.bad)}
}

func failure(mailbox string, err error) error {
	var e *calendar.Error
	if errors.As(err, &e) {
		return err
	}
	return &calendar.Error{Op: "read calendar", Mailbox: mailbox, Err: err}
}

func clone(ev calendar.Event) calendar.Event {
	ev.Links = slices.Clone(ev.Links)
	ev.Properties = maps.Clone(ev.Properties)
	return ev
}

// same reports whether two events are equal.
func same(a, b calendar.Event) bool {
	if !slices.Equal(a.Links, b.Links) || !maps.Equal(a.Properties, b.Properties) ||
		!a.Start.Equal(b.Start) || !a.End.Equal(b.End) || !a.Modified.Equal(b.Modified) {
		return false
	}
	for _, ev := range []*calendar.Event{&a, &b} {
		ev.Links, ev.Properties = nil, nil
		ev.Start, ev.End, ev.Modified = ev.Start.UTC(), ev.Start.UTC(), ev.Start.UTC()
	}
	return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}
