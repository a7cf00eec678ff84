package graphtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Event is a meeting as it stands in a mailbox: what a test writes, and what
// the server makes Graph's JSON of.
type Event struct {
	// UID is the iCalUId. The default is one as Outlook makes them; of those,
	// each occurrence of a series has one of its own, as in Graph.
	UID     string
	Subject string
	// Start and End; a series recurs in the time zone of Start. The default for
	// End is half an hour later. All-day events begin at midnight there.
	Start, End time.Time
	AllDay     bool

	Organizer calendar.Person // the default is somebody in the tenant
	Attendees []calendar.Person
	// Location is the display name; LocationURI may be a mail address or a link.
	Location, LocationURI string
	// HTML is the body. Text is one without HTML; it counts if HTML is empty.
	HTML, Text string
	// JoinURL is onlineMeeting.joinUrl, OnlineMeetingURL the older field, and
	// Provider the onlineMeetingProvider: by default "teamsForBusiness" for the
	// first, "skypeForBusiness" for the second and "unknown" without either.
	JoinURL, OnlineMeetingURL, Provider string
	Sensitivity                         calendar.Sensitivity
	Response                            calendar.Response
	ShowAs                              string // the default is "busy"
	Cancelled                           bool
	// Extended are MAPI properties that $expand=singleValueExtendedProperties
	// asks for, by ID: "String {…} Name SkypeTeamsMeetingUrl".
	Extended map[string]string
	// Raw are properties of the JSON that replace those made of the other
	// fields, for what Graph should not answer but does. A nil value removes one.
	Raw map[string]any
}

func (e Event) clone() Event {
	e.Attendees, e.Extended, e.Raw = slices.Clone(e.Attendees), maps.Clone(e.Extended), maps.Clone(e.Raw)
	return e
}

// span returns the event's times. All-day events are at midnight in UTC: Graph
// gives their dates as they are, whatever zone is asked for.
func (e *Event) span() (start, end time.Time) {
	start, end = e.Start, e.End
	if end.IsZero() {
		end = start.Add(30 * time.Minute)
		if e.AllDay {
			end = start.AddDate(0, 0, 1)
		}
	}
	if e.AllDay {
		start, end = date(start), date(end)
	}
	return start, end
}

func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Mailbox is a room, or a person, with one calendar.
type Mailbox struct {
	s       *Server
	t       *Tenant
	id      string
	address string
	seq     int // of changes
	items   []*item
	gone    bool
}

// item is a single event, or a series.
type item struct {
	n       int // in the mailbox, from 1
	ev      Event
	rec     *Recurrence           // nil for a single event
	exc     map[string]*exception // by slot
	created time.Time
	changed change // of the item
	slots   change // of its occurrences
	deleted bool
	past    []past
}

// change says when something last changed.
type change struct {
	seq  int
	when time.Time
}

// exception is an occurrence that was edited or deleted.
type exception struct {
	ev      Event
	deleted bool
	changed change
}

// past is what the occurrences of a series were before a change took them away.
type past struct {
	seq int // of that change
	ev  Event
	rec Recurrence
	exc map[string]*exception
}

// AddMailbox adds a mailbox to a tenant.
func (t *Tenant) AddMailbox(address string) *Mailbox {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	m := &Mailbox{s: t.s, t: t, id: t.s.guid("mailbox", t.id, strings.ToLower(address)), address: address}
	t.mailboxes = append(t.mailboxes, m)
	return m
}

// Address returns the mail address, which is also the user principal name.
func (m *Mailbox) Address() string { return m.address }

// ID returns the GUID of the user.
func (m *Mailbox) ID() string { return m.id }

// Disable takes the mailbox, or its licence, away from the user, or gives it
// back: requests get 404 with the code MailboxNotEnabledForRESTAPI.
func (m *Mailbox) Disable(yes bool) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.gone = yes
}

// AddSingle adds a meeting that does not recur, and returns its immutable ID.
func (m *Mailbox) AddSingle(e Event) string {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	return m.add(e, nil)
}

// AddSeries adds a series, and returns the immutable ID of its master.
func (m *Mailbox) AddSeries(e Event, r Recurrence) (string, error) {
	r, err := r.complete(e.Start)
	if err != nil {
		return "", err
	}
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	return m.add(e, &r), nil
}

func (m *Mailbox) add(e Event, r *Recurrence) string {
	it := &item{n: len(m.items) + 1, ev: e.clone(), rec: r, exc: map[string]*exception{}, created: m.s.now()}
	if it.ev.UID == "" {
		sum := sha256.Sum256(fmt.Append(nil, m.id, it.n))
		it.ev.UID = fmt.Sprintf("%s00000000%X0000000000000000"+"10000000%X", outlookUID, sum[:8], sum[8:24])
	}
	if it.ev.Organizer == (calendar.Person{}) {
		it.ev.Organizer = calendar.Person{Name: "Ines Calder", Email: "ines.calder@" + m.t.domain}
	}
	m.items = append(m.items, it)
	m.touch(it, "", true)
	m.tell(it, "created")
	return m.eventID(true, it.n, "")
}

// touch records a change of an item, or of one occurrence. The caller holds mu.
func (m *Mailbox) touch(it *item, slot string, slots bool) {
	m.seq++
	c := change{m.seq, m.s.now()}
	if slot != "" {
		it.exc[slot].changed = c
		return
	}
	it.changed = c
	if slots {
		it.slots = c
	}
}

// Edit changes an event: a single one, the master of a series, or an occurrence,
// which becomes an exception. When the times of a master change, its exceptions
// are lost, as in Exchange.
func (m *Mailbox) Edit(id string, edit func(*Event)) error {
	return m.edit(id, func(e *Event, _ *Recurrence) { edit(e) })
}

// EditSeries changes a series and its recurrence.
func (m *Mailbox) EditSeries(id string, edit func(*Event, *Recurrence)) error {
	return m.edit(id, edit)
}

// Move moves an event to another start, and keeps its length.
func (m *Mailbox) Move(id string, start time.Time) error {
	return m.Edit(id, func(e *Event) {
		from, to := e.span()
		e.Start, e.End = start, start.Add(to.Sub(from))
	})
}

// Cancel marks an event as cancelled, as when the organizer has done so and the
// room has not removed it.
func (m *Mailbox) Cancel(id string) error {
	return m.Edit(id, func(e *Event) { e.Cancelled = true })
}

func (m *Mailbox) edit(id string, edit func(*Event, *Recurrence)) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	it, slot, err := m.find(id)
	if err != nil {
		return err
	}
	if slot != "" {
		e := it.occurrence(slot)
		edit(&e, &Recurrence{})
		it.exc[slot] = &exception{ev: e.clone()}
		m.touch(it, slot, false)
		m.tell(it, "updated")
		return nil
	}
	e, r := it.ev.clone(), Recurrence{}
	if it.rec != nil {
		r = *it.rec
	}
	edit(&e, &r)
	moved := false
	if it.rec != nil {
		if r, err = r.complete(e.Start); err != nil {
			return err
		}
		moved = !e.Start.Equal(it.ev.Start) || !e.End.Equal(it.ev.End) || e.AllDay != it.ev.AllDay || !r.equal(it.rec)
		if moved {
			it.past = append(it.past, past{m.seq + 1, it.ev, *it.rec, it.exc})
			it.exc = map[string]*exception{}
		}
		it.rec = &r
	}
	it.ev = e.clone()
	m.touch(it, "", moved || !m.s.opts.SparseSeriesUpdates)
	m.tell(it, "updated")
	return nil
}

// Delete removes an event: a single one, a series with its occurrences, or one
// occurrence.
func (m *Mailbox) Delete(id string) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	it, slot, err := m.find(id)
	if err != nil {
		return err
	}
	m.delete(it, slot)
	return nil
}

func (m *Mailbox) delete(it *item, slot string) {
	if slot != "" {
		it.exc[slot] = &exception{deleted: true}
		m.touch(it, slot, false)
		m.tell(it, "updated")
		return
	}
	it.deleted = true
	m.touch(it, "", true)
	if it.rec != nil {
		it.past = append(it.past, past{m.seq, it.ev, *it.rec, it.exc})
	}
	m.tell(it, "deleted")
}

// Clear deletes every event.
func (m *Mailbox) Clear() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	for _, it := range m.items {
		if !it.deleted {
			m.delete(it, "")
		}
	}
}

// Occurrence returns the immutable ID of the occurrence of a series that is, or
// was before somebody moved it, on the day of a time.
func (m *Mailbox) Occurrence(series string, day time.Time) (string, error) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	it, slot, err := m.find(series)
	switch {
	case err != nil:
		return "", err
	case it.rec == nil || slot != "":
		return "", fmt.Errorf("graphtest: %q is no series", series)
	}
	slot = day.In(it.ev.Start.Location()).Format(slotLayout)
	if !it.has(slot) {
		return "", fmt.Errorf("graphtest: the series has no occurrence on %s", day.Format(time.DateOnly))
	}
	return m.eventID(true, it.n, slot), nil
}

// Instance is an event as calendarView lists it.
type Instance struct {
	ID, SeriesID string // immutable
	Type         string // singleInstance, occurrence, exception
	Event
}

// View returns what is in the mailbox between two times: what a client should
// find there, without pages and faults. It is sorted by start and ID.
func (m *Mailbox) View(w calendar.Window) []Instance {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	var out []Instance
	for _, o := range m.view(w) {
		i := Instance{ID: m.eventID(true, o.it.n, o.slot), Type: o.kind, Event: o.ev.clone()}
		if o.slot != "" {
			i.SeriesID = m.eventID(true, o.it.n, "")
		}
		i.Start, i.End = o.ev.span()
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Instance) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// occurrence is one event of a view.
type occurrence struct {
	it   *item
	slot string // "" for a single event and a master
	kind string
	ev   Event
	at   change
}

// view lists what overlaps a window, in the order of creation. The caller holds
// mu.
func (m *Mailbox) view(w calendar.Window) []occurrence {
	var out []occurrence
	for _, it := range m.items {
		switch {
		case it.deleted:
		case it.rec == nil:
			if w.Overlaps(it.ev.span()) {
				out = append(out, occurrence{it, "", "singleInstance", it.ev, it.changed})
			}
		default:
			for _, o := range it.expand(w) {
				if w.Overlaps(o.ev.span()) {
					out = append(out, o)
				}
			}
		}
	}
	return out
}

// expand returns the occurrences of a series whose slot, or whose time if they
// were moved, may be in the window; deleted ones are left out.
func (it *item) expand(w calendar.Window) []occurrence {
	var out []occurrence
	for _, slot := range slotsOf(&it.ev, it.rec, it.exc, w) {
		switch x := it.exc[slot]; {
		case x == nil:
			out = append(out, occurrence{it, slot, "occurrence", it.occurrence(slot), it.slots})
		case !x.deleted:
			out = append(out, occurrence{it, slot, "exception", x.ev, later(x.changed, it.slots)})
		}
	}
	return out
}

func later(a, b change) change {
	if a.seq > b.seq {
		return a
	}
	return b
}

// slotsOf lists the days of a series' occurrences about a window, and those of
// its exceptions in it.
func slotsOf(e *Event, r *Recurrence, exc map[string]*exception, w calendar.Window) []string {
	from, to := e.span()
	pad := to.Sub(from) + 48*time.Hour
	slots := r.slots(e.Start, w.From.Add(-pad), w.To.Add(48*time.Hour))
	for slot, x := range exc {
		if !x.deleted && w.Overlaps(x.ev.span()) && !slices.Contains(slots, slot) {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// has reports whether the series has an occurrence in a slot.
func (it *item) has(slot string) bool {
	day, err := time.ParseInLocation(slotLayout, slot, it.ev.Start.Location())
	if x := it.exc[slot]; err != nil || x != nil && x.deleted {
		return false
	}
	return slices.Contains(it.rec.slots(it.ev.Start, day, day.AddDate(0, 0, 1)), slot)
}

// occurrence returns the event in a slot of a series.
func (it *item) occurrence(slot string) Event {
	if x := it.exc[slot]; x != nil {
		return x.ev.clone()
	}
	e := it.ev.clone()
	e.Start, e.End = inSlot(&it.ev, slot)
	return e
}

// inSlot moves the times of a series' first occurrence to another day. The hours
// on the clock stay, whatever summer time does.
func inSlot(e *Event, slot string) (start, end time.Time) {
	from, to := e.Start, e.End
	if to.IsZero() {
		_, to = e.span()
	}
	loc := from.Location()
	day, _ := time.ParseInLocation(slotLayout, slot, loc)
	days := int(date(day).Sub(date(from)).Hours() / 24)
	return from.AddDate(0, 0, days), to.In(loc).AddDate(0, 0, days)
}

const slotLayout = "20060102"

// eventID makes the ID of an event. What it consists of is nobody's business
// but the server's: Graph's are opaque, and letter case counts in them.
func (m *Mailbox) eventID(immutable bool, n int, slot string) string {
	prefix := "AAMkA"
	if immutable {
		prefix = "AAkAL"
	}
	return prefix + base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "%s.%d.%s", m.id[:18], n, slot))
}

// find returns what an ID of either format means. The caller holds mu.
func (m *Mailbox) find(id string) (*item, string, error) {
	missing := fmt.Errorf("graphtest: %s has no event %q", m.address, id)
	if !strings.HasPrefix(id, "AAMkA") && !strings.HasPrefix(id, "AAkAL") {
		return nil, "", missing
	}
	raw, err := base64.URLEncoding.DecodeString(id[5:])
	parts := strings.Split(string(raw), ".")
	if err != nil || len(parts) != 3 || parts[0] != m.id[:18] {
		return nil, "", missing
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || n > len(m.items) || m.items[n-1].deleted {
		return nil, "", missing
	}
	it := m.items[n-1]
	if parts[2] != "" && (it.rec == nil || !it.has(parts[2])) {
		return nil, "", missing
	}
	return it, parts[2], nil
}

// outlookUID begins a UID that Outlook made. The 4 bytes after it are the date
// of the occurrence, or zero: MS-OXOCAL, section 2.2.1.27.
const outlookUID = "040000008200E00074C5B7101A82E008"

// uid returns the iCalUId of an occurrence.
func uid(series, slot string) string {
	if slot == "" || !strings.HasPrefix(series, outlookUID) || len(series) < len(outlookUID)+8 {
		return series
	}
	n, _ := strconv.Atoi(slot)
	return fmt.Sprintf("%s%04X%02X%02X%s", outlookUID, n/10000, n/100%100, n%100, series[len(outlookUID)+8:])
}
