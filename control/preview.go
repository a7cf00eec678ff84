package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// How a preview reads calendars.
const (
	previewReaders = 8
	previewTimeout = time.Minute // of one calendar
	previewListed  = 2000        // meetings that are listed; the others are counted
)

// Change is what other rules or settings would change on the screens today.
type Change struct {
	// Rooms are those where something changes or that could not be looked at, by
	// name.
	Rooms []RoomChange `json:"rooms"`
	// Looked is how many rooms were looked at, and Meetings how many meetings
	// their screens show now.
	Looked   int `json:"looked"`
	Meetings int `json:"meetings"`
	// Count is how many meetings change in each way. One may change in two.
	Count map[ChangeWhat]int `json:"count"`
	// Unlisted is how many meetings change beyond those listed.
	Unlisted int `json:"unlisted,omitempty"`
	// SubjectsHidden says that titles are left out because the caller may not see
	// them.
	SubjectsHidden bool `json:"subjects_hidden"`
}

// ChangeWhat is how a meeting on a screen changes.
type ChangeWhat string

// The changes.
const (
	ButtonGained  ChangeWhat = "gained"   // it gets a button
	ButtonLost    ChangeWhat = "lost"     // it has no button any more
	ButtonChanged ChangeWhat = "changed"  // the button dials another address
	TitleChanged  ChangeWhat = "title"    // the screen says something else
	TimesChanged  ChangeWhat = "times"    // it can be joined earlier or later
	Appears       ChangeWhat = "appears"  // the screen did not show it
	Vanishes      ChangeWhat = "vanishes" // the screen shows it no more
)

// RoomChange is what changes in a room.
type RoomChange struct {
	System string `json:"system"`
	Name   string `json:"name"`
	// Error says why the calendar, or a part of it, could not be read.
	Error    string          `json:"error,omitempty"`
	Meetings []MeetingChange `json:"meetings"`
}

// MeetingChange is what changes of a meeting. Before is nil for one that
// appears, After for one that vanishes.
type MeetingChange struct {
	What   []ChangeWhat   `json:"what"`
	Before *ScreenMeeting `json:"before,omitempty"`
	After  *ScreenMeeting `json:"after,omitempty"`
	// Why says why there is no button or meeting afterwards.
	Why string `json:"why,omitempty"`
}

// previewRoom is a system that a preview looks at.
type previewRoom struct {
	system        System
	before, after otj.Settings
	was, will     *time.Location // which decides when the day ends
}

// PreviewChange says what would change on the screens of a company today if
// draft were stored. It reads the calendars of all enabled systems now, calls
// progress, which may be nil, as it goes, and keeps nothing of what it has read.
// A calendar that cannot be read is in the result.
func (c *Centre) PreviewChange(ctx context.Context, actor Actor, draft Processing, progress func(done, total int)) (Change, error) {
	look, err := c.look(ctx, actor, draft)
	if err != nil {
		return Change{}, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	return look.run(ctx, progress)
}

// look is a preview that can begin: the draft is sound, and the actor may see what
// it shows.
type look struct {
	centre        *Centre
	company       string
	before, after *rules.Engine
	rooms         map[string][]previewRoom // by mailbox
	subjects      bool
}

func (c *Centre) look(ctx context.Context, actor Actor, draft Processing) (*look, error) {
	o, after, err := c.draft(ctx, actor, &draft)
	if err != nil {
		return nil, err
	}
	if c.opts.Live == nil {
		return nil, ErrNoService
	}
	// Whoever may only look must not keep the calendars busy.
	if !actor.may(Configure, o) {
		return nil, &DeniedError{Configure, o.Name}
	}
	seen, err := c.subjects(ctx, actor, o, "processing", o.ID, "preview")
	if err != nil {
		return nil, err
	}
	old, rooms, err := c.previewRooms(ctx, o.ID, &draft)
	if err != nil {
		return nil, err
	}
	before := after
	if old.Rules != draft.Rules || old.PreferMeet != draft.PreferMeet || !slices.Equal(old.OwnDomains, draft.OwnDomains) {
		if before, err = old.Engine(); err != nil {
			before = rules.Default() // rules that an older version took
		}
	}
	return &look{c, o.ID, before, after, rooms, seen}, nil
}

// run reads the calendars and compares.
func (l *look) run(ctx context.Context, progress func(done, total int)) (Change, error) {
	mailboxes := make([]string, 0, len(l.rooms))
	for m := range l.rooms {
		mailboxes = append(mailboxes, m)
	}
	slices.Sort(mailboxes)
	progress(0, len(mailboxes))

	var mu sync.Mutex
	var list []RoomChange
	out := Change{Rooms: []RoomChange{}, Count: map[ChangeWhat]int{}, SubjectsHidden: !l.subjects}
	next, read := 0, 0
	var wg sync.WaitGroup
	for range min(previewReaders, len(mailboxes)) {
		wg.Go(func() {
			for {
				mu.Lock()
				if next == len(mailboxes) || ctx.Err() != nil {
					mu.Unlock()
					return
				}
				mailbox := mailboxes[next]
				next++
				mu.Unlock()
				changes, shown := l.centre.previewMailbox(ctx, mailbox, l.rooms[mailbox], l.before, l.after)
				mu.Lock()
				list = append(list, changes...)
				out.Meetings += shown
				read++
				progress(read, len(mailboxes))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Change{}, fmt.Errorf("preview: %w", err)
	}
	out.take(list, l.subjects)
	return out, nil
}

// take sorts the rooms and bounds what is listed of them.
func (v *Change) take(list []RoomChange, subjects bool) {
	sortByName(list, func(*RoomChange) int { return 0 }, func(r *RoomChange) string { return r.Name })
	listed := 0
	for _, r := range list {
		v.Looked++
		if len(r.Meetings) == 0 && r.Error == "" {
			continue
		}
		for i := range r.Meetings {
			m := &r.Meetings[i]
			for _, what := range m.What {
				v.Count[what]++
			}
			for _, side := range []*ScreenMeeting{m.Before, m.After} {
				if side != nil && !subjects {
					side.Title, side.Organizer = "", ""
				}
			}
		}
		if room := max(0, previewListed-listed); len(r.Meetings) > room {
			v.Unlisted += len(r.Meetings) - room
			r.Meetings = r.Meetings[:room]
		}
		listed += len(r.Meetings)
		v.Rooms = append(v.Rooms, r)
	}
}

// previewRooms returns what is stored, and the enabled systems of a company by
// their mailboxes.
func (c *Centre) previewRooms(ctx context.Context, company string, draft *Processing) (old Processing, rooms map[string][]previewRoom, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		rooms = map[string][]previewRoom{}
		if old, err = processing(tx, company); err != nil {
			return err
		}
		systems, err := all[System](tx, company)
		if err != nil {
			return err
		}
		groups, err := byID[Group](tx, company)
		if err != nil {
			return err
		}
		zone := zones{"": c.opts.TimeZone}
		for _, s := range systems {
			if !s.Enabled || s.Paused || s.Mailbox == "" {
				continue
			}
			g := groups[s.Group]
			rooms[s.Mailbox] = append(rooms[s.Mailbox], previewRoom{
				s, g.Settings.Over(old.Settings), g.Settings.Over(draft.Settings), zone.of(g.TimeZone, old.TimeZone), zone.of(g.TimeZone, draft.TimeZone),
			})
		}
		return nil
	})
	return old, rooms, err
}

// previewMailbox reads a calendar and says what changes on the screens that show
// it, and how many meetings they show now.
func (c *Centre) previewMailbox(ctx context.Context, mailbox string, rooms []previewRoom, before, after *rules.Engine) (out []RoomChange, shown int) {
	ctx, cancel := context.WithTimeout(ctx, previewTimeout)
	defer cancel()
	now := time.Now().UTC()
	w := rooms[0].before.Window(now)
	for _, r := range rooms {
		w = union(union(w, r.before.Window(now.In(r.was))), r.after.Window(now.In(r.will)))
	}
	// An all-day event of a room in another zone begins or ends up to a day away.
	w.From, w.To = w.From.AddDate(0, 0, -1), w.To.AddDate(0, 0, 1)
	events, err := c.opts.Live.Events(ctx, mailbox, w)
	problem := ""
	if err != nil {
		problem = err.Error()
		if errors.Is(err, ErrNotFound) {
			problem = "The service does not read this calendar yet; try again in a moment."
		}
	}
	for _, r := range rooms {
		change := RoomChange{System: r.system.ID, Name: r.system.Name, Error: problem, Meetings: []MeetingChange{}}
		dials := c.dialsOf(r.system.ID)
		is := otj.Plan(within(events, r.was, r.before.Window(now.In(r.was))), r.before, before, dials)
		will := otj.Plan(within(events, r.will, r.after.Window(now.In(r.will))), r.after, after, dials)
		change.Meetings = append(change.Meetings, differences(is, will)...)
		shown += len(is.Meetings)
		out = append(out, change)
	}
	return out, shown
}

func union(a, b calendar.Window) calendar.Window {
	if b.From.Before(a.From) {
		a.From = b.From
	}
	if b.To.After(a.To) {
		a.To = b.To
	}
	return a
}

// within returns the events that overlap a window.
func within(events []calendar.Event, loc *time.Location, w calendar.Window) []calendar.Event {
	out := make([]calendar.Event, 0, len(events))
	for _, ev := range events {
		if ev = otj.InZone(ev, loc); ev.Start.Before(w.To) && (ev.End.After(w.From) || ev.Start.Equal(ev.End) && !ev.Start.Before(w.From)) {
			out = append(out, ev)
		}
	}
	return out
}

// differences compares two reports of the same events, by start.
func differences(is, will otj.Report) []MeetingChange {
	why := map[string]string{}
	for _, n := range slices.Concat(will.NoButton, will.Skipped) {
		why[n.ID] = n.Text
	}
	then := make(map[string]otj.Meeting, len(will.Meetings))
	for _, m := range will.Meetings {
		then[m.ID] = m
	}
	side := func(m otj.Meeting) *ScreenMeeting { return &screen([]otj.Meeting{m}, true)[0] }
	var out []MeetingChange
	for _, m := range is.Meetings {
		n, ok := then[m.ID]
		delete(then, m.ID)
		if !ok {
			c := MeetingChange{What: []ChangeWhat{Vanishes}, Before: side(m), Why: why[m.ID]}
			if c.Why == "" {
				c.Why = "it is further ahead than the screen shows"
			}
			out = append(out, c)
			continue
		}
		c := MeetingChange{}
		switch {
		case m.Join == n.Join:
		case m.Join.IsZero():
			c.What = append(c.What, ButtonGained)
		case n.Join.IsZero():
			c.What = append(c.What, ButtonLost)
			c.Why = why[m.ID]
		default:
			c.What = append(c.What, ButtonChanged)
		}
		if m.Title != n.Title || m.Organizer != n.Organizer {
			c.What = append(c.What, TitleChanged)
		}
		if m.StartBuffer != n.StartBuffer || m.EndBuffer != n.EndBuffer {
			c.What = append(c.What, TimesChanged)
		}
		if len(c.What) > 0 {
			c.Before, c.After = side(m), side(n)
			out = append(out, c)
		}
	}
	for _, n := range will.Meetings {
		if _, ok := then[n.ID]; ok {
			out = append(out, MeetingChange{What: []ChangeWhat{Appears}, After: side(n), Why: why[n.ID]})
		}
	}
	slices.SortStableFunc(out, func(a, b MeetingChange) int { return a.start().Compare(b.start()) })
	return out
}

func (c *MeetingChange) start() time.Time {
	if c.Before != nil {
		return c.Before.Start
	}
	return c.After.Start
}
