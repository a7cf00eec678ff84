package control

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Colour says at a glance how a system is.
type Colour string

// The colours, the worst first.
const (
	Red   Colour = "red"   // buttons are missing, or will be, until somebody acts
	Amber Colour = "amber" // works, with something that somebody should know
	Green Colour = "green" // shows what its calendars say
	Grey  Colour = "grey"  // switched off or paused
)

// Colours are all colours, the worst first.
var Colours = [...]Colour{Red, Amber, Green, Grey}

// serious are the alarms that cost buttons; all others leave them.
var serious = []string{
	otj.AlarmCalendar, otj.AlarmUnreachable, otj.AlarmUnauthorized, otj.AlarmCertificate, otj.AlarmRejected, otj.AlarmNotDevice,
	otj.AlarmForeign, otj.AlarmDevice,
	// Of the endpoints.
	"device-silent", "not-polling", "wrong-device", "teams-rooms-mode", "put-failed",
}

// silence are the alarms that System.QuietAlarms does without.
var silence = []string{"device-silent", "not-polling"}

// colourOf returns what an alarm means for its system.
func colourOf(a otj.Alarm) Colour {
	if slices.Contains(serious, a.Code) {
		return Red
	}
	return Amber
}

// health is how a system is.
type health struct {
	colour Colour
	why    string // a sentence; empty for green
	live   LiveState
	alarms []otj.Alarm // the serious ones first
}

// health judges a system. It asks the running service, which does no I/O.
func (c *Centre) health(o Org, s System, providerPaused bool) health {
	h := health{}
	switch {
	case !o.Enabled:
		return health{colour: Grey, why: "One-Touch Join is off for the company."}
	case !s.Enabled:
		return health{colour: Grey, why: "One-Touch Join is off for this system."}
	case c.opts.Live == nil:
		return health{colour: Amber, why: "Nothing is known: this control centre has no running service."}
	}
	var err error
	h.live, err = c.opts.Live.State(s.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		h.colour, h.why = Amber, "The service has not taken the system over yet."
		return h.paused(s)
	case err != nil:
		c.opts.Logger.Error("state of a system", "system", s.ID, "err", err)
		h.colour, h.why = Amber, "The service does not say how the system is."
		return h
	case h.live.Problem != "":
		h.colour, h.why = Red, h.live.Problem
		return h.paused(s)
	}
	h.alarms = slices.Clone(h.live.Room.Alarms)
	if s.QuietAlarms {
		h.alarms = slices.DeleteFunc(h.alarms, func(a otj.Alarm) bool { return slices.Contains(silence, a.Code) })
	}
	slices.SortStableFunc(h.alarms, func(a, b otj.Alarm) int {
		return slices.Index(Colours[:], colourOf(a)) - slices.Index(Colours[:], colourOf(b))
	})
	room := &h.live.Room
	switch {
	case len(h.alarms) > 0:
		h.colour, h.why = colourOf(h.alarms[0]), h.alarms[0].Text
		if n := len(h.alarms) - 1; n > 0 {
			h.why += fmt.Sprintf(" (and %d more)", n)
		}
	case room.Error != "":
		h.colour, h.why = Red, room.Error
	case room.Planned.IsZero():
		h.colour, h.why = Amber, "Its calendar has not been read yet."
	case !room.UpToDate:
		h.colour, h.why = Amber, "The device is being brought up to date."
	case room.Awaited && !s.QuietAlarms:
		h.colour, h.why = Amber, "The device has not asked for its meetings yet. See how it is set up."
	case providerPaused:
		h.colour, h.why = Amber, "Its provider is paused: what it shows stays until it ends."
	default:
		h.colour = Green
	}
	return h.paused(s)
}

// of is the state of a system in short.
func (h *health) of(s System, now time.Time) SystemState {
	st := SystemState{
		ID: s.ID, Name: s.Name, Kind: s.Kind, Group: s.Group, Mailbox: s.Mailbox, Colour: h.colour, Why: h.why,
		Alarms: len(h.alarms), Meetings: len(h.live.Room.Meetings), Next: next(h.live.Room.Meetings, now),
	}
	for _, m := range h.live.Room.Meetings {
		if !m.Join.IsZero() {
			st.Buttons++
		}
	}
	return st
}

// onScreen reports whether the device has what the service last worked out, as
// far as anybody knows.
func (h *health) onScreen() bool { return h.live.Room.UpToDate && !h.live.Room.Awaited }

// paused makes the state of a paused system grey; what else is known stays.
func (h health) paused(s System) health {
	if s.Paused {
		h.colour, h.why = Grey, "Paused: what it shows stays as it is."
	}
	return h
}

// next returns the start of the meeting that runs, or comes next; zero if there
// is none.
func next(meetings []otj.Meeting, now time.Time) time.Time {
	for _, m := range meetings { // by start
		if m.End.After(now) {
			return m.Start
		}
	}
	return time.Time{}
}
