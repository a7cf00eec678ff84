package otj

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Report is what a device shows of some events, and why it does not show the
// rest.
type Report struct {
	// Meetings are what the device shows, by Start and then by ID.
	Meetings []Meeting
	// NoButton says of each meeting that is listed without a button why.
	NoButton []Note
	// Skipped says of each event that is not shown why.
	Skipped []Note
}

// Note says why a meeting has no button or an event is not shown. There is
// nothing in it that a screen must not show.
type Note struct {
	// ID is that of the Meeting, or the one that it would have.
	ID string `json:"id"`
	// EventID is that of the event.
	EventID string `json:"event_id"`
	// Start and End are in UTC.
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Reason Reason    `json:"reason"`
	// Text is the reason for a person to read.
	Text string `json:"text"`
}

// Reason is why a meeting has no button or an event is not shown.
type Reason string

// The reasons.
const (
	// Events that are not shown.
	Cancelled   Reason = "cancelled"   // by the organizer
	Declined    Reason = "declined"    // by the room
	Tentative   Reason = "tentative"   // Settings.Tentative is off
	PrivateOff  Reason = "private"     // Settings.Private is off
	AllDay      Reason = "all-day"     // Settings.AllDay leaves it out
	NonVideoOff Reason = "non-video"   // Settings.NonVideo is off
	Overlaps    Reason = "overlapping" // Settings.Overlapping is off
	Duplicate   Reason = "duplicate"   // another mailbox of the room has it too
	BadTime     Reason = "bad-time"    // no start, or an end before it

	// Meetings that have no button.
	NoAddress        Reason = "no-address"     // nothing to dial was found
	CannotDial       Reason = "cannot-dial"    // the device can dial nothing of what was found
	PrivateButtonOff Reason = "private-button" // Settings.PrivateButton is off
	noReason         Reason = ""
)

// minLength is what a meeting without length gets: a device needs an end after
// the start, and Cisco's counts minutes.
const minLength = time.Minute

// shownUntil is the end of an event on a screen.
func shownUntil(ev *calendar.Event) time.Time {
	if ev.End.Equal(ev.Start) {
		return ev.Start.Add(minLength)
	}
	return ev.End
}

// finder is what Plan needs of an engine.
type finder interface {
	Find(*calendar.Event) (rules.Match, bool)
	Why(*calendar.Event) string
}

// Plan turns the events of a room's mailboxes, in any order, into what its
// device shows. It is a pure function: it reads no clock and does no I/O, and
// the same arguments give the same report. Which events are near enough to be
// shown is the caller's business; see Settings.Window.
//
// Cancelled and declined events are not shown, nor is an event that ends before
// it starts. One without length is shown as one minute long. Copies of an event
// in several mailboxes (same UID and start) are one meeting: the copy with a
// button wins, and the meeting is private if any copy is.
//
// The best match of an event decides which meeting is joined. Of its addresses
// the button is the first, in the order of Settings.Prefer, of which dials says
// yes. A meeting of which it says no to all is listed without a button.
//
// The ID of a meeting is made from its UID, and from its start too if it is one
// of a series: an occurrence that is moved is another meeting. It does not
// depend on the room.
//
// s must be valid. A nil e is rules.Default, a nil dials says always yes. Plan
// changes neither events nor what they refer to.
func Plan(events []calendar.Event, s Settings, e *rules.Engine, dials func(rules.Address) bool) Report {
	if e == nil {
		e = rules.Default()
	}
	return plan(events, &s, e, dials)
}

// candidate is an event on its way to a meeting.
type candidate struct {
	ev       *calendar.Event
	id       string
	start    time.Time
	end      time.Time
	private  bool
	match    rules.Match
	found    bool
	join     rules.Address
	noButton Reason
}

func plan(events []calendar.Event, s *Settings, e finder, dials func(rules.Address) bool) Report {
	var r Report
	order := preferred(s.Prefer)
	cands := candidates(events)
	kept := cands[:0]
	for _, c := range cands {
		if reason, text := c.absent(s); reason != noReason {
			r.skip(&c, reason, text)
			continue
		}
		c.button(s, e, order, dials)
		kept = append(kept, c)
	}
	kept = r.dropDuplicates(kept)

	shown := kept[:0]
	for _, c := range kept {
		switch {
		case c.ev.AllDay && s.AllDay == ShowNone:
			r.skip(&c, AllDay, "all-day meetings are not shown")
		case c.ev.AllDay && s.AllDay == ShowVideo && c.join.IsZero():
			r.skip(&c, AllDay, "all-day meetings without a button are not shown")
		case !c.found && !s.NonVideo:
			r.skip(&c, NonVideoOff, "meetings without an address are not shown; "+e.Why(c.ev))
		default:
			shown = append(shown, c)
		}
	}
	slices.SortFunc(shown, func(a, b candidate) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.id, b.id))
	})
	if !s.Overlapping {
		shown = r.dropOverlapping(shown)
	}
	for i := range shown {
		c := &shown[i]
		r.Meetings = append(r.Meetings, c.meeting(s))
		switch c.noButton {
		case NoAddress:
			r.NoButton = append(r.NoButton, c.note(NoAddress, e.Why(c.ev)))
		case CannotDial:
			r.NoButton = append(r.NoButton, c.note(CannotDial, fmt.Sprintf("the device can dial none of the addresses of this %s meeting", c.match.Service)))
		case PrivateButtonOff:
			r.NoButton = append(r.NoButton, c.note(PrivateButtonOff, "private meetings get no button"))
		}
	}
	slices.SortStableFunc(r.Skipped, func(a, b Note) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID), cmp.Compare(a.EventID, b.EventID))
	})
	return r
}

// candidates gives every event its times, its ID and its privacy.
func candidates(events []calendar.Event) []candidate {
	type occurrence struct {
		uid   string
		start int64
	}
	private := make(map[occurrence]bool, len(events))
	starts := make(map[string]int64, len(events)) // of a UID: its start, or many
	const many = -1 << 63
	for i := range events {
		ev := &events[i]
		if ev.UID == "" {
			continue
		}
		at := ev.Start.Unix()
		if ev.Sensitivity != calendar.Normal {
			private[occurrence{ev.UID, at}] = true
		}
		if first, ok := starts[ev.UID]; ev.SeriesID != "" || ok && first != at {
			at = many
		}
		starts[ev.UID] = at
	}
	out := make([]candidate, len(events))
	for i := range events {
		ev := &events[i]
		c := &out[i]
		c.ev = ev
		// Devices know seconds at best; a fraction would make two of one.
		c.start, c.end = ev.Start.UTC().Truncate(time.Second), ev.End.UTC().Truncate(time.Second)
		if c.end.Equal(c.start) {
			c.end = c.start.Add(minLength)
		}
		c.private = ev.Sensitivity != calendar.Normal
		switch {
		case ev.UID == "":
			c.id = meetingID("id", ev.ID, c.start.Unix())
		case starts[ev.UID] == many:
			c.private = private[occurrence{ev.UID, c.start.Unix()}]
			c.id = meetingID("occurrence", ev.UID, c.start.Unix())
		default:
			c.private = private[occurrence{ev.UID, c.start.Unix()}]
			c.id = meetingID("single", ev.UID, 0)
		}
	}
	return out
}

// meetingID returns 22 characters that say nothing about what they are made of.
func meetingID(kind, name string, start int64) string {
	h := sha256.New()
	// The length keeps name and start apart.
	fmt.Fprintf(h, "otj meeting %s %d:%s %d", kind, len(name), name, start)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// absent says why an event is not shown, whatever it contains.
func (c *candidate) absent(s *Settings) (Reason, string) {
	ev := c.ev
	switch {
	case ev.Status == calendar.Cancelled:
		return Cancelled, "the organizer has cancelled it"
	case ev.Response == calendar.Declined:
		return Declined, "the room has declined it"
	case ev.Start.IsZero():
		return BadTime, "it has no start"
	case c.end.Before(c.start):
		return BadTime, "it ends before it starts"
	case c.private && !s.Private:
		return PrivateOff, "private meetings are not shown"
	case !s.Tentative && ev.Status == calendar.Tentative:
		return Tentative, "the organizer has not confirmed it"
	case !s.Tentative && (ev.Response == calendar.TentativelyAccepted || ev.Response == calendar.NotResponded):
		return Tentative, "the room has not accepted it"
	}
	return noReason, ""
}

// button finds the address that the button dials, or why there is none.
func (c *candidate) button(s *Settings, e finder, order func(a, b rules.Address) int, dials func(rules.Address) bool) {
	c.match, c.found = e.Find(c.ev)
	switch {
	case !c.found:
		c.noButton = NoAddress
	case c.private && !s.PrivateButton:
		c.noButton = PrivateButtonOff
	default:
		c.noButton = CannotDial
		addresses := slices.Clone(c.match.Addresses)
		slices.SortStableFunc(addresses, order)
		for _, a := range addresses {
			if dials == nil || dials(a) {
				c.join, c.noButton = a, noReason
				return
			}
		}
	}
}

// preferred returns an order of addresses: by the position of their scheme in
// prefer, those that are not in it last.
func preferred(prefer []rules.Scheme) func(a, b rules.Address) int {
	var rank [256]uint8
	for i := range rank {
		rank[i] = 255
	}
	for i := range min(len(prefer), 255) {
		rank[prefer[i]] = min(rank[prefer[i]], uint8(i))
	}
	return func(a, b rules.Address) int { return cmp.Compare(rank[a.Scheme], rank[b.Scheme]) }
}

// dropDuplicates leaves one of the candidates with the same ID at the same time.
func (r *Report) dropDuplicates(cands []candidate) []candidate {
	slices.SortStableFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.id, b.id), better(&a, &b))
	})
	out := cands[:0]
	for _, c := range cands {
		if len(out) > 0 && out[len(out)-1].id == c.id {
			r.skip(&c, Duplicate, "another calendar of the room has the same meeting")
			continue
		}
		out = append(out, c)
	}
	return out
}

// better orders copies of one meeting: with a button, then with an address that
// cannot be dialled, then the one that is confirmed, then the one that changed
// last. The event's ID makes the order complete.
func better(a, b *candidate) int {
	yes := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	firm := func(c *candidate) bool {
		return c.ev.Status == calendar.Confirmed && c.ev.Response != calendar.TentativelyAccepted && c.ev.Response != calendar.NotResponded
	}
	return cmp.Or(
		cmp.Compare(yes(!a.join.IsZero()), yes(!b.join.IsZero())),
		cmp.Compare(yes(a.found), yes(b.found)),
		cmp.Compare(yes(firm(a)), yes(firm(b))),
		b.ev.Modified.Compare(a.ev.Modified),
		cmp.Compare(a.ev.ID, b.ev.ID),
	)
}

// dropOverlapping leaves, of meetings at the same time, the one that starts
// first. cands are sorted.
func (r *Report) dropOverlapping(cands []candidate) []candidate {
	order := make([]int, len(cands))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &cands[i], &cands[j]
		if c := a.start.Compare(b.start); c != 0 {
			return c
		}
		return better(a, b)
	})
	var free time.Time
	drop := make([]bool, len(cands))
	for _, i := range order {
		c := &cands[i]
		if c.ev.AllDay {
			continue
		}
		if c.start.Before(free) {
			drop[i] = true
			r.skip(c, Overlaps, "another meeting is there at that time")
			continue
		}
		free = c.end
	}
	out := cands[:0]
	for i := range cands {
		if !drop[i] {
			out = append(out, cands[i])
		}
	}
	return out
}

func (c *candidate) note(reason Reason, text string) Note {
	return Note{ID: c.id, EventID: c.ev.ID, Start: c.start, End: c.end, Reason: reason, Text: text}
}

func (r *Report) skip(c *candidate, reason Reason, text string) {
	r.Skipped = append(r.Skipped, c.note(reason, text))
}

func (c *candidate) meeting(s *Settings) Meeting {
	m := Meeting{
		ID:          c.id,
		Start:       c.start,
		End:         c.end,
		StartBuffer: time.Duration(s.StartBuffer) * time.Minute,
		EndBuffer:   time.Duration(s.EndBuffer) * time.Minute,
		Private:     c.private,
		Join:        c.join,
		Service:     c.match.Service,
		Rule:        c.match.Rule,
	}
	m.Title, m.Organizer = title(c.ev, c.private, c.match.Service, s)
	return m
}
