package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// SystemLive is what the service knows of a system right now.
type SystemLive struct {
	System System `json:"system"`
	Colour Colour `json:"colour"`
	// Why is a sentence that says what is the matter; it is empty for green.
	Why string `json:"why,omitempty"`
	// SubjectsHidden says that titles and organizers are left out because the
	// caller may not see them.
	SubjectsHidden bool `json:"subjects_hidden"`

	// Screen is what the room's screen shows, by start.
	Screen []ScreenMeeting `json:"screen"`
	// NoButton says of meetings on the screen why they have no button, and Skipped
	// of meetings in the calendar why they are not on the screen.
	NoButton []ScreenNote `json:"no_button"`
	Skipped  []ScreenNote `json:"skipped"`

	Sources []otj.SourceStatus `json:"sources"`
	Alarms  []otj.Alarm        `json:"alarms"`

	// Planned is when the screen was worked out, Shown when the device last was
	// given it, and NextTry when the next attempt is after a failure. UTC, zero for
	// never.
	Planned  time.Time `json:"planned,omitzero"`
	Shown    time.Time `json:"shown,omitzero"`
	UpToDate bool      `json:"up_to_date"`
	// Offered says that the device has to call, and has not since its meetings last
	// changed: its screen may still show those before.
	Offered bool `json:"offered,omitempty"`
	// Awaited says that the device has to call, and has not since the service
	// started: nobody knows what is on its screen.
	Awaited bool      `json:"awaited,omitempty"`
	NextTry time.Time `json:"next_try,omitzero"`
	// Error is that of the last attempt, empty if it succeeded.
	Error string `json:"error,omitempty"`
	// LastCall is when a device that calls the service last did, and Agent what
	// it called itself: it may be anything. Both are zero for others.
	LastCall time.Time `json:"last_call,omitzero"`
	Agent    string    `json:"agent,omitempty"`
}

// ScreenMeeting is a meeting as a room's screen has it.
type ScreenMeeting struct {
	ID        string    `json:"id"`
	Title     string    `json:"title,omitempty"`
	Organizer string    `json:"organizer,omitempty"`
	Start     time.Time `json:"start"` // UTC, and so are the others
	End       time.Time `json:"end"`
	// JoinFrom and JoinUntil say when it can be joined.
	JoinFrom  time.Time `json:"join_from"`
	JoinUntil time.Time `json:"join_until"`
	Private   bool      `json:"private,omitempty"`
	// Button says that there is one, and Dial what it dials, without a passcode.
	Button  bool   `json:"button"`
	Dial    string `json:"dial,omitempty"`
	Service string `json:"service,omitempty"`
	Rule    string `json:"rule,omitempty"`
	// Test says that it was sent by TestMeeting.
	Test bool `json:"test,omitempty"`
}

// ScreenNote says why a meeting has no button, or is not on the screen.
type ScreenNote struct {
	ID     string     `json:"id"`
	Title  string     `json:"title,omitempty"` // of a meeting that is on the screen
	Start  time.Time  `json:"start"`
	End    time.Time  `json:"end"`
	Reason otj.Reason `json:"reason"`
	Text   string     `json:"text"`
}

// SystemLive says what a system shows right now and why. It asks no calendar and
// no device. Titles and organizers are for those who may see subjects; that a
// partner's user saw them is in the audit log, once an hour.
func (c *Centre) SystemLive(ctx context.Context, actor Actor, system string) (v SystemLive, err error) {
	var o Org
	paused := false
	err = c.store.View(ctx, func(tx Tx) (err error) {
		v.System, o, paused, err = systemFor(tx, actor, system)
		return err
	})
	if err != nil {
		return SystemLive{}, err
	}
	concealFrom(&v.System, actor, o)
	seen, err := c.subjects(ctx, actor, o, "system", v.System.ID, v.System.Name)
	if err != nil {
		return SystemLive{}, err
	}
	h := c.health(o, v.System, paused)
	v.Colour, v.Why, v.SubjectsHidden, v.Alarms = h.colour, h.why, !seen, h.alarms
	room := &h.live.Room
	v.Sources, v.Planned, v.Shown, v.UpToDate, v.NextTry, v.Error = room.Sources, room.Planned, room.Shown, room.UpToDate, room.NextTry, room.Error
	if v.Sources == nil {
		v.Sources = []otj.SourceStatus{}
	}
	if v.Alarms == nil {
		v.Alarms = []otj.Alarm{}
	}
	v.LastCall, v.Agent, v.Awaited, v.Offered = room.LastCall, h.live.Agent, room.Awaited, h.live.Offered
	v.Screen = screen(room.Meetings, seen)
	titles := map[string]string{}
	for _, m := range v.Screen {
		titles[m.ID] = m.Title
	}
	v.NoButton, v.Skipped = notes(room.NoButton, titles), notes(room.Skipped, nil)
	if v.Shown.IsZero() || v.Awaited {
		for i := range v.NoButton {
			if n := &v.NoButton[i]; n.Reason == otj.CannotDial {
				n.Text += "; what it can dial is not known for certain before it has answered for the first time"
			}
		}
	}
	return v, nil
}

func screen(meetings []otj.Meeting, subjects bool) []ScreenMeeting {
	out := make([]ScreenMeeting, len(meetings))
	for i, m := range meetings {
		s := ScreenMeeting{
			ID: m.ID, Start: m.Start, End: m.End, JoinFrom: m.Start.Add(-m.StartBuffer), JoinUntil: m.End.Add(m.EndBuffer),
			Private: m.Private, Button: !m.Join.IsZero(), Dial: m.Join.String(), Service: m.Service, Rule: m.Rule, Test: isTest(m.ID),
		}
		if subjects {
			s.Title, s.Organizer = m.Title, m.Organizer.Name
			if s.Organizer == "" {
				s.Organizer = m.Organizer.Email
			}
		}
		out[i] = s
	}
	return out
}

func notes(list []otj.Note, titles map[string]string) []ScreenNote {
	out := make([]ScreenNote, len(list))
	for i, n := range list {
		out[i] = ScreenNote{n.ID, titles[n.ID], n.Start, n.End, n.Reason, n.Text}
	}
	return out
}

// lookLife is how long a look at subjects that was logged stands for others.
const lookLife = time.Hour

// subjects reports whether the actor may see subjects in a company. That a user
// of the partner makes use of it is logged, once an hour for each object; what
// cannot be logged is not shown.
func (c *Centre) subjects(ctx context.Context, actor Actor, o Org, object, id, name string) (bool, error) {
	if !actor.may(ReadSubjects, o) {
		return false, nil
	}
	if actor.User.Org == o.ID {
		return true, nil
	}
	look := Record{Kind: "look", ID: hash(actor.User.ID + "/" + object + "/" + id), Owner: o.ID, Data: []byte("{}")}
	now := time.Now().UTC().Truncate(time.Microsecond)
	logged := false
	err := c.store.View(ctx, func(tx Tx) error {
		r, err := tx.Get(look.Kind, look.ID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		logged = now.Sub(r.Changed) < lookLife
		return err
	})
	if err != nil || logged {
		return err == nil, err
	}
	err = c.store.Update(ctx, func(tx Tx) error {
		ch := &change{tx, actor, now, c.keys}
		r, err := ch.Get(look.Kind, look.ID)
		switch {
		case err == nil && now.Sub(r.Changed) < lookLife:
			return nil // another call was faster
		case err == nil:
			look.Revision = r.Revision
		case !errors.Is(err, ErrNotFound):
			return err
		}
		look.Changed = now
		if _, err := ch.Put(look); err != nil {
			return err
		}
		return ch.note(o.ID, object, id, name, "subjects seen")
	})
	if err != nil {
		return false, fmt.Errorf("log the look at subjects: %w", err)
	}
	return true, nil
}
