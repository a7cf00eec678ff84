package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Overview is how a company is right now.
type Overview struct {
	Org Org `json:"org"`
	// Systems are all of the company's, the worst first, then by name.
	Systems []SystemState `json:"systems"`
	// Count is how many systems there are of each colour.
	Count map[Colour]int `json:"count"`
	// Alarms is how many alarms there are.
	Alarms int `json:"alarms"`
	// Steps lead from nothing to the first button, in order.
	Steps []Step `json:"steps"`
	// Ready says that all steps are done but the optional ones.
	Ready bool `json:"ready"`
}

// SystemState is how a system is, in short. It has no subjects.
type SystemState struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Kind    SystemKind `json:"kind"`
	Group   string     `json:"group,omitempty"`
	Mailbox string     `json:"mailbox,omitempty"`
	Colour  Colour     `json:"colour"`
	// Why is a sentence that says what is the matter; it is empty for green.
	Why    string `json:"why,omitempty"`
	Alarms int    `json:"alarms,omitempty"`
	// Meetings is how many the device shows, and Buttons how many of them can be
	// joined by a button.
	Meetings int `json:"meetings"`
	Buttons  int `json:"buttons"`
	// Next is when the running meeting began or the next one will, in UTC; zero
	// if there is none.
	Next time.Time `json:"next,omitzero"`
}

// StepKey names a step of the set-up.
type StepKey string

// The steps of the set-up, in order.
const (
	StepEnable    StepKey = "enable"    // One-Touch Join is on for the company
	StepDomain    StepKey = "domain"    // a domain is proved; only for Microsoft 365
	StepProvider  StepKey = "provider"  // there is a provider
	StepConsent   StepKey = "consent"   // its administrator has agreed; only for Microsoft 365
	StepMailboxes StepKey = "mailboxes" // there are mailboxes
	StepRules     StepKey = "rules"     // rules and settings were looked at; optional
	StepSystems   StepKey = "systems"   // there are enabled systems
	StepButton    StepKey = "button"    // a device shows a button
)

// Step is a step of the set-up.
type Step struct {
	Key  StepKey `json:"key"`
	Done bool    `json:"done"`
	// Optional says that buttons appear without it.
	Optional bool `json:"optional,omitempty"`
	// Why says what is missing or what was found, as a sentence.
	Why string `json:"why"`
}

// Overview says how all systems of a company are, and what of the set-up is
// still to do. It asks no calendar and no device.
func (c *Centre) Overview(ctx context.Context, actor Actor, company string) (v Overview, err error) {
	var f parts
	err = c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err == nil {
			f, err = readParts(tx, o)
		}
		return err
	})
	if err != nil {
		return Overview{}, err
	}
	v = Overview{Org: f.org, Systems: make([]SystemState, len(f.systems)), Count: map[Colour]int{}}
	now := time.Now()
	seen := 0 // buttons that are on a screen, not only worked out
	for i, s := range f.systems {
		h := c.health(f.org, s, f.paused(s))
		st := h.of(s, now)
		if h.onScreen() {
			seen += st.Buttons
		}
		v.Systems[i] = st
		v.Count[h.colour]++
		v.Alarms += len(h.alarms)
	}
	// They are by name already.
	slices.SortStableFunc(v.Systems, func(a, b SystemState) int {
		return slices.Index(Colours[:], a.Colour) - slices.Index(Colours[:], b.Colour)
	})
	v.Steps = f.steps(seen)
	v.Ready = !slices.ContainsFunc(v.Steps, func(s Step) bool { return !s.Done && !s.Optional })
	return v, nil
}

// SystemState says how one system is. It asks no calendar and no device.
func (c *Centre) SystemState(ctx context.Context, actor Actor, system string) (SystemState, error) {
	var s System
	var o Org
	paused := false
	err := c.store.View(ctx, func(tx Tx) (err error) {
		s, o, paused, err = systemFor(tx, actor, system)
		return err
	})
	if err != nil {
		return SystemState{}, err
	}
	h := c.health(o, s, paused)
	return h.of(s, time.Now()), nil
}

// systemFor reads a system for somebody who may see its company, and whether its
// provider is paused.
func systemFor(tx Tx, actor Actor, system string) (s System, o Org, paused bool, err error) {
	if s, err = get[System](tx, system); err != nil {
		return s, o, false, err
	}
	if o, err = actor.org(tx, s.Company, ReadCompany); err != nil {
		return s, o, false, err
	}
	m, err := get[Mailbox](tx, s.Mailbox)
	if errors.Is(err, ErrNotFound) {
		return s, o, false, nil
	}
	if err != nil {
		return s, o, false, err
	}
	p, err := get[Provider](tx, m.Provider)
	return s, o, p.Paused, err
}

// parts are what a company's state is judged by.
type parts struct {
	org        Org
	tenants    []Tenant
	providers  map[string]Provider
	mailboxes  map[string]Mailbox
	systems    []System
	processing Processing
}

func readParts(tx Tx, o Org) (f parts, err error) {
	f.org = o
	if f.tenants, err = all[Tenant](tx, o.ID); err != nil {
		return f, err
	}
	if f.providers, err = byID[Provider](tx, o.ID); err != nil {
		return f, err
	}
	if f.mailboxes, err = byID[Mailbox](tx, o.ID); err != nil {
		return f, err
	}
	if f.systems, err = all[System](tx, o.ID); err != nil {
		return f, err
	}
	f.processing, err = processing(tx, o.ID)
	return f, err
}

// paused reports whether the provider of a system is.
func (f *parts) paused(s System) bool { return f.providers[f.mailboxes[s.Mailbox].Provider].Paused }

// steps says how far the set-up is; buttons is how many are on screens.
func (f *parts) steps(buttons int) []Step {
	verified := count(f.tenants, func(t Tenant) bool { return t.State == TenantVerified })
	microsoft, granted, refused := 0, 0, 0
	for _, p := range f.providers {
		if p.Kind != Microsoft365 {
			continue
		}
		microsoft++
		switch p.Consent {
		case ConsentGranted:
			granted++
		case ConsentRefused:
			refused++
		}
	}
	enabled := count(f.systems, func(s System) bool { return s.Enabled })
	var out []Step
	add := func(key StepKey, done, optional bool, yes, no string) {
		if done {
			no = yes
		}
		out = append(out, Step{key, done, optional, no})
	}
	add(StepEnable, f.org.Enabled, false, "One-Touch Join is on.", "Switch One-Touch Join on for the company.")
	// A company without Microsoft 365 needs no domain.
	other := len(f.providers) > 0 && microsoft == 0
	if !other || len(f.tenants) > 0 {
		add(StepDomain, verified > 0, other, fmt.Sprintf("%s proved.", plural(verified, "domain is", "domains are")), "Add the mail domain of your rooms and prove it by a DNS record. Microsoft 365 needs it; iCalendar does not.")
	}
	add(StepProvider, len(f.providers) > 0, false, fmt.Sprintf("%s set up.", plural(len(f.providers), "provider is", "providers are")), "Add the provider: the calendar system that the rooms' mailboxes are in.")
	if microsoft > 0 || len(f.providers) == 0 {
		why := "A Global Administrator of the Microsoft 365 tenant has to agree: open the consent link or send it."
		if refused > 0 {
			why = "The consent was refused. Ask the tenant's Global Administrator, and send a new link."
		}
		add(StepConsent, microsoft > 0 && granted == microsoft, false, "The tenant's administrator has agreed.", why)
	}
	add(StepMailboxes, len(f.mailboxes) > 0, false, fmt.Sprintf("%s added.", plural(len(f.mailboxes), "mailbox is", "mailboxes are")), "Add the mailboxes of the rooms, one by one or from a CSV file.")
	add(StepRules, f.processing.Revision > 0, true, "Rules and settings are your own.", "The default rules find the meetings of all common services. Look at the settings for privacy and times.")
	add(StepSystems, enabled > 0, false, fmt.Sprintf("%s on.", plural(enabled, "video system is", "video systems are")), "Add the rooms' video systems, choose their mailboxes and switch them on.")
	add(StepButton, buttons > 0, false, fmt.Sprintf("%s can be joined by a button.", plural(buttons, "meeting", "meetings")), "No device has a button yet. Invite a room to an online meeting, or send a test meeting.")
	return out
}

func count[T any](list []T, is func(T) bool) (n int) {
	for _, v := range list {
		if is(v) {
			n++
		}
	}
	return n
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
