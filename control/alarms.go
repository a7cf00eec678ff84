package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The codes of alarms that are the control centre's own. Those of systems are in
// package otj and in the endpoints.
const (
	AlarmNotKept        = "not-kept"        // the service cannot keep the system as it is configured
	AlarmConsentMissing = "consent-missing" // calendars of enabled systems wait for consent
	AlarmConsentRefused = "consent-refused"
)

// OpenAlarm is something in a company that somebody should look at now.
type OpenAlarm struct {
	// Object is "system" or "provider"; ID and Name say which.
	Object string `json:"object"`
	ID     string `json:"id"`
	Name   string `json:"name"`
	// Code is stable, Text a sentence without secrets and subjects.
	Code string `json:"code"`
	Text string `json:"text"`
	// Colour is Red if buttons are missing, and Amber otherwise.
	Colour Colour `json:"colour"`
	// Since is when it began, in UTC; zero if nobody knows.
	Since time.Time `json:"since,omitzero"`
}

// Alarms returns what somebody should look at in a company, the worst first.
func (c *Centre) Alarms(ctx context.Context, actor Actor, company string) ([]OpenAlarm, error) {
	var f parts
	err := c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err == nil {
			f, err = readParts(tx, o)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, _ := c.openAlarms(&f)
	return list, nil
}

// openAlarms also returns the systems of which nothing is known now, so that
// nobody takes their silence for good news.
func (c *Centre) openAlarms(f *parts) (list []OpenAlarm, unknown map[string]bool) {
	list, unknown = []OpenAlarm{}, map[string]bool{}
	used := map[string]bool{} // providers
	for _, s := range f.systems {
		h := c.health(f.org, s, f.paused(s))
		if h.colour == Grey {
			continue
		}
		used[f.mailboxes[s.Mailbox].Provider] = true
		if h.live.Problem != "" {
			list = append(list, OpenAlarm{Object: "system", ID: s.ID, Name: s.Name, Code: AlarmNotKept, Text: h.live.Problem, Colour: Red})
		}
		for _, a := range h.alarms {
			list = append(list, OpenAlarm{"system", s.ID, s.Name, a.Code, a.Text, colourOf(a), a.Since})
		}
		unknown[s.ID] = h.live.Problem == "" && len(h.alarms) == 0 && h.live.Room.Planned.IsZero()
	}
	for _, p := range f.providers {
		if p.Kind != Microsoft365 || !used[p.ID] || p.Consent == ConsentGranted {
			continue
		}
		a := OpenAlarm{Object: "provider", ID: p.ID, Name: p.Name, Code: AlarmConsentMissing, Colour: Red,
			Text: "A Global Administrator has not agreed yet that its calendars may be read. Open the consent link or send it."}
		if p.Consent == ConsentRefused {
			a.Code, a.Text = AlarmConsentRefused, "The consent was refused, so that its calendars cannot be read. Ask the Global Administrator and send a new link."
		}
		list = append(list, a)
	}
	sortAlarms(list)
	return list, unknown
}

// sortAlarms puts the worst first.
func sortAlarms(list []OpenAlarm) {
	sortByName(list, func(a *OpenAlarm) int { return slices.Index(Colours[:], a.Colour) }, func(a *OpenAlarm) string { return a.Name + "\x01" + a.key() })
}

// key names an alarm from one look to the next.
func (a OpenAlarm) key() string { return a.Object + "/" + a.ID + "/" + a.Code }

// AlarmHook is an address that is told of alarms: a POST with JSON, signed.
type AlarmHook struct {
	Meta
	Company string `json:"company"`
	Name    string `json:"name"` // unique in the company
	// URL is where alarms are posted: https only. The headers OTJ-Timestamp and
	// OTJ-Signature prove the sender; package endpoints/feed has Verify.
	URL     string `json:"url"`
	Enabled bool   `json:"enabled"`
	// SeriousOnly leaves amber alarms out.
	SeriousOnly bool `json:"serious_only"`
	// Last says how the last delivery went; it is not part of what is saved.
	Last HookResult `json:"last,omitzero"`
}

// HookResult says how a delivery went.
type HookResult struct {
	When time.Time `json:"when,omitzero"` // UTC
	// Error is empty if the receiver took it.
	Error string `json:"error,omitempty"`
}

func (h *AlarmHook) place() (kind, owner, key string) {
	return "alarm_hook", h.Company, naturalKey(h.Name)
}

// maxHooks is how many addresses of a company are told of alarms.
const maxHooks = 20

// AlarmHooks returns the addresses that are told of a company's alarms.
func (c *Centre) AlarmHooks(ctx context.Context, actor Actor, company string) (out []AlarmHook, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err != nil {
			return err
		}
		if out, err = all[AlarmHook](tx, company); err != nil {
			return err
		}
		for i := range out {
			concealFrom(&out[i], actor, o)
			if err := out[i].last(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// AlarmHook returns one address.
func (c *Centre) AlarmHook(ctx context.Context, actor Actor, id string) (h AlarmHook, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		if h, err = get[AlarmHook](tx, id); err != nil {
			return err
		}
		o, err := actor.org(tx, h.Company, ReadCompany)
		if err != nil {
			return err
		}
		concealFrom(&h, actor, o)
		return h.last(tx)
	})
	if err != nil {
		return AlarmHook{}, err
	}
	return h, nil
}

// SaveAlarmHook makes an address, if h has no ID, or changes it at its Revision.
// A new one has a key that nobody has seen: see NewAlarmHookKey.
func (c *Centre) SaveAlarmHook(ctx context.Context, actor Actor, h AlarmHook) (AlarmHook, error) {
	given := h
	err := c.update(ctx, actor, h.Company, func(ch *change) error {
		h = given
		if _, err := actor.org(ch, h.Company, Configure); err != nil {
			return err
		}
		h.Name, h.URL, h.Last = strings.TrimSpace(h.Name), strings.TrimSpace(h.URL), HookResult{}
		fresh := h.ID == ""
		if !fresh {
			old, err := own[AlarmHook](ch, h.ID)
			if err != nil {
				return err
			}
			h.Company, h.Created = old.Company, old.Created
		} else {
			h.Revision = 0
		}
		var ck checks
		ck.text("name", h.Name, 250)
		ck.hookURL("url", h.URL, c.opts.PrivateHooks)
		if n, err := ch.Count("alarm_hook", h.Company); err != nil {
			return err
		} else if fresh && n >= maxHooks {
			ck.fail("name", "there are %d addresses; the most is %d", n, maxHooks)
		}
		if err := ck.err(); err != nil {
			return err
		}
		if err := put(ch, &h); err != nil {
			return err
		}
		if fresh {
			return ch.keepSecret(h.Company, "alarm_hook", h.ID, hookKey, newHookKey())
		}
		if !h.Enabled {
			// What is open when it is switched on again is told anew.
			return ch.dropHookState(h.ID)
		}
		return nil
	})
	if err != nil {
		return AlarmHook{}, err
	}
	return h, nil
}

// HookMessage is what an AlarmHook is sent.
type HookMessage struct {
	// ID names the message. One that is repeated has the same.
	ID string `json:"id"`
	// Type is "alarms", or "test" for TestAlarmHook.
	Type    string    `json:"type"`
	Company string    `json:"company"` // the name
	Sent    time.Time `json:"sent"`    // UTC
	// Raised and Cleared are the alarms that began and ended since the last
	// message, and Open is how many there are now.
	Raised  []OpenAlarm `json:"raised"`
	Cleared []OpenAlarm `json:"cleared"`
	Open    int         `json:"open"`
}

// String says what is in the message, for logs.
func (m HookMessage) String() string {
	return fmt.Sprintf("%s: %d raised, %d cleared, %d open", m.Type, len(m.Raised), len(m.Cleared), m.Open)
}
