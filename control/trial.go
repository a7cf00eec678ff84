package control

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/invite"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The limits of an invite that rules are tried on.
const (
	MaxInvite       = 8 << 20 // bytes: an invite with a picture or two
	maxInviteEvents = 50
)

// Invite is an invite that somebody has pasted or uploaded.
type Invite struct {
	// Name is the file's name; it may be empty. What the invite is, the content
	// tells where the name does not: iCalendar, a mail, HTML, text, or an event
	// as Microsoft Graph or Google have it.
	Name string
	Data []byte
	// System is the ID of the system whose device is asked what it can dial;
	// empty stands for one that can dial everything.
	System string
	// Secrets asks for passcodes in the clear. It needs ReadSubjects.
	Secrets bool
}

// RuleTest is what rules make of one event of an invite.
type RuleTest struct {
	Subject   string    `json:"subject"`
	Organizer string    `json:"organizer"`
	Start     time.Time `json:"start,omitzero"` // UTC
	End       time.Time `json:"end,omitzero"`   // UTC
	// Error says why the event cannot be read; the rest is what could be.
	Error string `json:"error,omitempty"`

	// Found says that there is a meeting; the next fields describe it. Passcodes
	// are hidden in them unless they were asked for.
	Found     bool     `json:"found"`
	Service   string   `json:"service,omitempty"`
	Rule      string   `json:"rule,omitempty"`
	Field     string   `json:"field,omitempty"`
	MeetingID string   `json:"meeting_id,omitempty"`
	Passcode  string   `json:"passcode,omitempty"`
	Addresses []string `json:"addresses"`

	// Dial is the address behind the button, and Title what the screen says.
	// Without a button Why says why.
	Dial  string `json:"dial,omitempty"`
	Title string `json:"title,omitempty"`
	Why   string `json:"why,omitempty"`

	// Trace says how the rules came to it.
	Trace rules.Trace `json:"trace"`
}

// TestRules says what a company's rooms would make of an invite, by rules and
// settings that need not be stored. Nothing of the invite is kept.
func (c *Centre) TestRules(ctx context.Context, actor Actor, draft Processing, in Invite) ([]RuleTest, error) {
	o, engine, err := c.draft(ctx, actor, &draft)
	if err != nil {
		return nil, err
	}
	if in.Secrets && !actor.may(ReadSubjects, o) {
		return nil, &DeniedError{ReadSubjects, o.Name}
	}
	var ck checks
	if len(in.Data) > MaxInvite {
		ck.fail("invite", "has %d bytes; the most is %d", len(in.Data), MaxInvite)
		return nil, ck.err()
	}
	dials, err := c.dials(ctx, o.ID, in.System)
	if err != nil {
		return nil, err
	}
	items, err := invite.Read(in.Name, bytes.NewReader(in.Data), &invite.Options{MaxBytes: MaxInvite})
	if err != nil {
		ck.fail("invite", "%v", err)
		return nil, ck.err()
	}
	if len(items) > maxInviteEvents {
		ck.fail("invite", "has %d events; the most is %d", len(items), maxInviteEvents)
		return nil, ck.err()
	}
	out := make([]RuleTest, len(items))
	for i := range items {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("test the rules: %w", err)
		}
		out[i] = try(&items[i].Event, engine, draft.Settings, dials, in.Secrets)
		if items[i].Err != nil {
			out[i].Error = items[i].Err.Error()
		}
	}
	return out, nil
}

func try(ev *calendar.Event, engine *rules.Engine, s otj.Settings, dials func(rules.Address) bool, secrets bool) RuleTest {
	t := RuleTest{Subject: ev.Subject, Organizer: ev.Organizer.Email, Addresses: []string{}, Trace: engine.Explain(ev)}
	if ev.Organizer.Name != "" {
		t.Organizer = ev.Organizer.Name
	}
	if !ev.Start.IsZero() {
		t.Start, t.End = ev.Start.UTC(), ev.End.UTC()
	}
	m, ok := engine.Find(ev)
	show := func(a rules.Address) string {
		if secrets {
			return a.URI
		}
		return m.Hide(a.String())
	}
	if secrets {
		t.Trace = t.Trace.WithSecrets()
	}
	if ok {
		t.Found, t.Service, t.Rule, t.Field, t.MeetingID = true, m.Service, m.Rule, m.Field.String(), m.MeetingID
		if t.Passcode = m.Passcode.String(); secrets {
			t.Passcode = string(m.Passcode)
		} else if m.Passcode == "" {
			t.Passcode = ""
		}
		for _, a := range m.Addresses {
			t.Addresses = append(t.Addresses, show(a))
		}
	}
	// A text without an event has no time; the screen's rules are the same.
	timed := *ev
	if timed.Start.IsZero() {
		timed.Start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
		timed.End = timed.Start.Add(time.Hour)
	}
	r := otj.Plan([]calendar.Event{timed}, s, engine, dials)
	for _, m := range r.Meetings {
		t.Title = m.Title
		if !m.Join.IsZero() {
			t.Dial = show(m.Join)
		}
	}
	for _, n := range append(r.NoButton, r.Skipped...) {
		t.Why = n.Text
	}
	return t
}

// dials returns what says whether a system of a company can join by an address;
// nil, which means yes, for an empty system or where there is no service to ask.
func (c *Centre) dials(ctx context.Context, company, system string) (func(rules.Address) bool, error) {
	if system == "" {
		return nil, nil
	}
	err := c.store.View(ctx, func(tx Tx) error {
		var ck checks
		sameCompany[System](&ck, tx, "system", system, company)
		return ck.err()
	})
	if err != nil {
		return nil, err
	}
	return c.dialsOf(system), nil
}

// dialsOf asks the running service. What it does not know can dial everything.
func (c *Centre) dialsOf(system string) func(rules.Address) bool {
	if c.opts.Live == nil {
		return nil
	}
	return func(a rules.Address) bool {
		yes, err := c.opts.Live.Dials(system, a)
		return yes || err != nil
	}
}
