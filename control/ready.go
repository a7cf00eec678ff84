package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// How readiness is checked.
const (
	checkers     = 8
	checkTimeout = 30 * time.Second // of one calendar or device
	// MaxReport is the most bytes of a report of the check script.
	MaxReport = 16 << 20
)

// Readiness is what checks of a whole company have found.
type Readiness struct {
	// Findings are the worst first.
	Findings []readiness.Finding `json:"findings"`
	// Report says which report of the check script was looked at; nil if nobody
	// has brought one.
	Report *ReportInfo `json:"report,omitempty"`
}

// ReportInfo is a report of the check script that is kept for a company.
type ReportInfo struct {
	When time.Time `json:"when"` // of the import, in UTC
	User string    `json:"user"` // the e-mail address
	// Rooms is how many of its rooms are mailboxes of the company.
	Rooms int `json:"rooms"`
}

// reportRecord is what is stored of a report: settings of mailboxes, and nothing
// of meetings.
type reportRecord struct {
	Info  ReportInfo             `json:"info"`
	Rooms []readiness.Processing `json:"rooms"`
}

// check is one thing that is looked at; it returns soon after ctx is done.
type check func(ctx context.Context) []readiness.Finding

// Readiness checks whether the rooms of a company can get their buttons: domains,
// consent, every mailbox, every enabled device, and what Exchange is set to as far
// as a report says. It calls progress, which may be nil, as it goes, and changes
// nothing anywhere.
func (c *Centre) Readiness(ctx context.Context, actor Actor, company string, progress func(done, total int)) (Readiness, error) {
	var f parts
	var report *reportRecord
	err := c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, Configure)
		if err != nil {
			return err
		}
		if f, err = readParts(tx, o); err != nil {
			return err
		}
		report, err = readReport(tx, company)
		return err
	})
	if err != nil {
		return Readiness{}, err
	}
	engine, err := f.processing.Engine()
	if err != nil {
		engine = rules.Default() // rules that an older version took
	}
	out := Readiness{Findings: f.known(report)}
	if report != nil {
		out.Report = &report.Info
	}
	found, err := runChecks(ctx, c.readinessChecks(&f, engine), progress)
	if err != nil {
		return Readiness{}, err
	}
	out.Findings = append(out.Findings, found...)
	readiness.Sort(out.Findings)
	return out, nil
}

// known are the findings that nobody has to be asked for.
func (f *parts) known(report *reportRecord) (out []readiness.Finding) {
	for _, t := range f.tenants {
		d := readiness.Domain(t.Domain, t.State == TenantVerified, t.Challenge, t.Why)
		if d.Result == readiness.Fail && !f.uses(t) {
			d.Result = readiness.Warn // no room waits for it
			d.Why += " No provider uses it."
		}
		out = append(out, d)
	}
	for _, p := range sorted(f.providers, func(p Provider) string { return p.Name }) {
		if p.Kind == Microsoft365 {
			out = append(out, readiness.Consent(p.Name, p.Consent == ConsentGranted, p.Consent == ConsentRefused))
		}
		if p.Paused {
			out = append(out, readiness.Finding{Check: "provider", Subject: p.Name, Result: readiness.Warn,
				Why: "The provider is paused: devices keep what they show until it ends.", Fix: "Continue it when you are done."})
		}
	}
	if report == nil {
		return out
	}
	has := map[string]bool{}
	for i := range report.Rooms {
		r := &report.Rooms[i]
		if has[strings.ToLower(r.Mailbox)] = true; f.hasMailbox(r.Mailbox) {
			out = append(out, r.Check()...)
		}
	}
	for _, m := range sorted(f.mailboxes, func(m Mailbox) string { return m.Address }) {
		if f.providers[m.Provider].Kind == Microsoft365 && !has[m.Address] {
			out = append(out, readiness.Finding{Check: "report", Subject: m.Address, Result: readiness.Unknown,
				Why: "The report does not have this mailbox.", Fix: "Run the check script for it too, and import its report."})
		}
	}
	return out
}

func (f *parts) uses(t Tenant) bool {
	for _, p := range f.providers {
		if p.Tenant == t.ID {
			return true
		}
	}
	return false
}

func (f *parts) hasMailbox(address string) bool {
	for _, m := range f.mailboxes {
		if strings.EqualFold(m.Address, address) {
			return true
		}
	}
	return false
}

// readinessChecks are those that need the running service.
func (c *Centre) readinessChecks(f *parts, engine *rules.Engine) (out []check) {
	if c.opts.Live == nil {
		return []check{func(context.Context) []readiness.Finding {
			return []readiness.Finding{{Check: "service", Subject: f.org.Name, Result: readiness.Unknown, Why: ErrNoService.Error() + ".", Fix: "Start it."}}
		}}
	}
	for _, m := range f.mailboxes {
		p := f.providers[m.Provider]
		if p.Paused || p.Kind == Microsoft365 && p.Consent != ConsentGranted {
			continue // it is known why
		}
		out = append(out, func(ctx context.Context) []readiness.Finding {
			now := time.Now().UTC()
			events, err := c.opts.Live.Events(ctx, m.ID, calendar.Window{From: now.AddDate(0, 0, -7), To: now.AddDate(0, 0, 14)})
			if errors.Is(err, ErrNotFound) && !errors.Is(err, calendar.ErrNotFound) {
				return []readiness.Finding{{Check: "calendar", Subject: m.Address, Result: readiness.Unknown,
					Why: "The service does not read this mailbox: no video system that is on shows it.", Fix: "Choose it for a video system."}}
			}
			out := []readiness.Finding{readiness.Calendar(m.Address, len(events), err)}
			return append(out, readiness.Invites(m.Address, events, engine)...)
		})
	}
	for _, s := range f.systems {
		if !s.Enabled {
			continue
		}
		out = append(out, func(ctx context.Context) []readiness.Finding {
			found, err := c.opts.Live.Check(ctx, s.ID)
			switch {
			case errors.Is(err, ErrNotFound):
				why := "The service has not taken it over yet."
				if state, err := c.opts.Live.State(s.ID); err == nil && state.Problem != "" {
					why = state.Problem
				}
				found = append(found, readiness.Finding{Check: "device", Subject: s.Name, Result: readiness.Unknown, Why: why})
			case err != nil:
				found = append(found, readiness.Device(s.Name, err))
			}
			return found
		})
	}
	return out
}

// runChecks makes checks, some at a time.
func runChecks(ctx context.Context, list []check, progress func(done, total int)) (out []readiness.Finding, err error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	progress(0, len(list))
	var mu sync.Mutex
	next, done := 0, 0
	var wg sync.WaitGroup
	for range min(checkers, len(list)) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(list) || ctx.Err() != nil {
					return
				}
				ctx, cancel := context.WithTimeout(ctx, checkTimeout)
				found := list[i](ctx)
				cancel()
				mu.Lock()
				out = append(out, found...)
				done++
				progress(done, len(list))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("readiness: %w", err)
	}
	return out, nil
}

// ReportImport is what became of a report.
type ReportImport struct {
	Info ReportInfo `json:"info"`
	// Unknown are the mailboxes of the report that the company does not have, at
	// most a hundred. Nothing is kept of them.
	Unknown []string `json:"unknown"`
	// Findings are those of the rooms, the worst first.
	Findings []readiness.Finding `json:"findings"`
}

// ImportReport takes over what the check script has written: JSON or CSV. What it
// says of the company's mailboxes is kept for Readiness, in place of an earlier
// report.
func (c *Centre) ImportReport(ctx context.Context, actor Actor, company string, data []byte) (out ReportImport, err error) {
	var rooms []readiness.Processing
	var wrong error
	if len(data) > MaxReport {
		wrong = fmt.Errorf("has %d bytes; the most is %d", len(data), MaxReport)
	} else {
		rooms, wrong = readiness.ParseReport(bytes.NewReader(data))
	}
	err = c.update(ctx, actor, company, func(ch *change) error {
		out = ReportImport{Unknown: []string{}, Findings: []readiness.Finding{}}
		o, err := actor.org(ch, company, Configure)
		if err != nil {
			return err
		}
		if wrong != nil {
			return &InvalidError{[]FieldError{{"report", wrong.Error()}}}
		}
		f, err := readParts(ch, o)
		if err != nil {
			return err
		}
		r := reportRecord{Info: ReportInfo{When: ch.now, User: actor.User.Email}}
		for i := range rooms {
			switch {
			case f.hasMailbox(rooms[i].Mailbox):
				r.Rooms = append(r.Rooms, rooms[i])
				out.Findings = append(out.Findings, rooms[i].Check()...)
			case len(out.Unknown) < 100:
				out.Unknown = append(out.Unknown, rooms[i].Mailbox)
			}
		}
		if len(r.Rooms) == 0 {
			return &InvalidError{[]FieldError{{"report", "has none of the company's mailboxes; add them first, or run the check script for them"}}}
		}
		r.Info.Rooms = len(r.Rooms)
		out.Info = r.Info
		data, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		old, err := ch.Get("report", company)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if _, err := ch.Put(Record{Kind: "report", ID: company, Owner: company, Revision: old.Revision, Changed: ch.now, Data: data}); err != nil {
			return err
		}
		return ch.note(company, "report", company, fmt.Sprintf("%d rooms", len(r.Rooms)), "report imported")
	})
	if err != nil {
		return ReportImport{}, err
	}
	readiness.Sort(out.Findings)
	return out, nil
}

func readReport(tx Tx, company string) (*reportRecord, error) {
	r, err := tx.Get("report", company)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out reportRecord
	if err := json.Unmarshal(r.Data, &out); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return &out, nil
}

// Scripts makes the PowerShell scripts that set up and check the rooms of a
// company. Where o names no mailboxes they are made for all room mailboxes of the
// company's Microsoft 365 providers; where it has no AppID, for the server's own
// application.
func (c *Centre) Scripts(ctx context.Context, actor Actor, company string, o readiness.ScriptOptions) (readiness.Scripts, error) {
	err := c.store.View(ctx, func(tx Tx) error {
		org, err := actor.org(tx, company, ReadCompany)
		if err != nil {
			return err
		}
		f, err := readParts(tx, org)
		if err != nil || len(o.Mailboxes) > 0 {
			return err
		}
		for _, m := range sorted(f.mailboxes, func(m Mailbox) string { return m.Address }) {
			if m.Kind == RoomMailbox && slices.Contains([]ProviderKind{Microsoft365, Exchange}, f.providers[m.Provider].Kind) {
				o.Mailboxes = append(o.Mailboxes, m.Address)
			}
		}
		return nil
	})
	if err != nil {
		return readiness.Scripts{}, err
	}
	if o.AppID == "" {
		o.AppID = c.opts.AppID
	}
	if o.AppID == "" {
		return readiness.Scripts{}, &InvalidError{[]FieldError{{"app_id", "is missing: this server has no application of its own. It is in the Microsoft Entra admin center, Enterprise applications"}}}
	}
	s, err := readiness.NewScripts(o)
	if err != nil {
		return readiness.Scripts{}, &InvalidError{[]FieldError{{"scripts", err.Error()}}}
	}
	return s, nil
}
