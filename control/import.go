package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CSV is a table that somebody brings along.
type CSV struct {
	// Data is the file: UTF-8, UTF-16 or Windows-1252, with commas, semicolons or
	// tabs, with or without a line of column names. At most MaxCSV bytes.
	Data []byte
	// Provider is the ID of the provider of mailboxes whose line names none. It
	// may be empty where the company has one provider.
	Provider string
	// Commit stores what the preview has shown. Nothing is stored if any line is
	// wrong, but with SkipWrong.
	Commit bool
	// SkipWrong leaves wrong lines out and stores the others.
	SkipWrong bool
}

// Import is what a table would change, or has changed.
type Import struct {
	Lines []ImportLine `json:"lines"`
	// How many lines add, change and leave an object, and are wrong.
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
	Wrong   int `json:"wrong"`
	// Ignored are columns that mean nothing here.
	Ignored []string `json:"ignored,omitempty"`
	// Committed says that it has happened.
	Committed bool `json:"committed"`
}

// ImportWhat is what a line of a table does.
type ImportWhat string

// What lines do.
const (
	ImportAdds    ImportWhat = "added"
	ImportChanges ImportWhat = "changed"
	ImportSame    ImportWhat = "same"
	ImportWrong   ImportWhat = "wrong"
)

// ImportLine is one line of a table.
type ImportLine struct {
	Line int        `json:"line"` // in the file, from 1
	Name string     `json:"name"` // a mailbox's address, a system's name
	What ImportWhat `json:"what"`
	// Problems say what is wrong, by column.
	Problems []FieldError `json:"problems,omitempty"`
}

func (in *Import) add(l ImportLine) {
	switch l.What {
	case ImportAdds:
		in.Added++
	case ImportChanges:
		in.Changed++
	case ImportSame:
		in.Same++
	case ImportWrong:
		in.Wrong++
	}
	in.Lines = append(in.Lines, l)
}

var mailboxColumns = map[string][]string{
	"address":  {"address", "email", "emailaddress", "mail", "mailbox", "primarysmtpaddress", "windowsemailaddress", "smtp", "userprincipalname"},
	"name":     {"name", "displayname", "room", "roomname"},
	"kind":     {"kind", "type", "recipienttypedetails"},
	"provider": {"provider", "calendar", "calendarsystem"},
}

// mailboxKinds are what tables call the kinds, with Exchange's names.
var mailboxKinds = map[string]MailboxKind{
	"": "", "room": RoomMailbox, "person": PersonalMailbox, "roommailbox": RoomMailbox, "equipmentmailbox": RoomMailbox, "usermailbox": PersonalMailbox, "user": PersonalMailbox,
}

// ImportMailboxes adds and changes mailboxes from a table with the columns
// address, name, kind and provider; what Exchange's Get-Mailbox exports is
// understood. A column that is missing changes nothing. Without in.Commit it
// says only what would happen. A file that cannot be read is an *InvalidError
// about "csv"; a wrong line is in the result.
func (c *Centre) ImportMailboxes(ctx context.Context, actor Actor, company string, in CSV) (Import, error) {
	t, err := readTable(in.Data, mailboxColumns, []string{"address", "name", "kind", "provider"})
	if err != nil {
		return Import{}, c.deniedFirst(ctx, actor, company, err)
	}
	return runImport(ctx, c, actor, company, in, t, func(ch *change) (func(tableRow, *checks) (Mailbox, error), error) {
		existing, err := all[Mailbox](ch, company)
		if err != nil {
			return nil, err
		}
		providers, err := all[Provider](ch, company)
		if err != nil {
			return nil, err
		}
		byAddress := make(map[string]Mailbox, len(existing))
		for _, m := range existing {
			byAddress[m.Address] = m
		}
		fallback := in.Provider
		if fallback == "" && len(providers) == 1 {
			fallback = providers[0].ID
		}
		return func(r tableRow, ck *checks) (Mailbox, error) {
			address, _ := t.cell(r, "address")
			m := Mailbox{Company: company, Address: strings.ToLower(address), Provider: fallback}
			if old, ok := byAddress[m.Address]; ok {
				m = old
			}
			if name, ok := t.cell(r, "name"); ok {
				m.Name = name
			}
			if kind, ok := t.cell(r, "kind"); ok && kind != "" {
				k, known := mailboxKinds[strings.ToLower(kind)]
				if !known {
					ck.fail("kind", "%.40q is no kind of mailbox; it is %q or %q", kind, RoomMailbox, PersonalMailbox)
				}
				m.Kind = k
			}
			if name, ok := t.cell(r, "provider"); ok && name != "" {
				i := slices.IndexFunc(providers, func(p Provider) bool { return strings.EqualFold(p.Name, name) })
				if i < 0 {
					ck.fail("provider", "%.60q is not the name of a provider here", name)
				} else {
					m.Provider = providers[i].ID
				}
			}
			if m.Provider == "" && len(ck.fields) == 0 {
				ck.fail("provider", "is missing: choose a provider, or name it in a column \"provider\"")
			}
			if len(ck.fields) > 0 {
				return m, nil
			}
			return m, prepareMailbox(ch, &m)
		}, nil
	})
}

// ExportMailboxes writes the mailboxes of a company as a table that
// ImportMailboxes reads.
func (c *Centre) ExportMailboxes(ctx context.Context, actor Actor, company string) ([]byte, error) {
	return c.export(ctx, actor, company, []string{"address", "name", "kind", "provider"}, func(_ Tx, f *parts) (rows [][]string, err error) {
		for _, m := range sorted(f.mailboxes, func(m Mailbox) string { return m.Address }) {
			rows = append(rows, []string{m.Address, m.Name, string(m.Kind), f.providers[m.Provider].Name})
		}
		return rows, nil
	})
}

// export writes what rows makes of a company as a table.
func (c *Centre) export(ctx context.Context, actor Actor, company string, columns []string, rows func(Tx, *parts) ([][]string, error)) ([]byte, error) {
	var lines [][]string
	err := c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err != nil {
			return err
		}
		f, err := readParts(tx, o)
		if err != nil {
			return err
		}
		lines, err = rows(tx, &f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return writeTable(columns, lines)
}

var systemColumns = map[string][]string{
	"name": {"name", "system", "room", "displayname"}, "kind": {"kind", "type"}, "mailbox": {"mailbox", "address", "email"},
	"enabled": {"enabled", "otj", "on"}, "host": {"host", "hostname", "ip", "ipaddress"}, "group": {"group"}, "user": {"user", "username"},
	"fingerprint": {"fingerprint", "certificate"}, "device_id": {"deviceid"}, "serial": {"serial", "serialnumber"}, "mac": {"mac", "macaddress"},
	"url": {"url"}, "take_over": {"takeover"}, "quiet_alarms": {"quietalarms"}, "push": {"push"}, "webrtc": {"webrtc"}, "encryption": {"encryption"},
	"max_bookings": {"maxbookings"}, "feedback_slot": {"feedbackslot"}, "socket_auth": {"socketauth"}, "explicit_empty": {"explicitempty"}, "token_form": {"tokenform"},
}

// systemOrder is the order of the columns of systems.
var systemOrder = []string{
	"name", "kind", "mailbox", "enabled", "host", "group", "user", "fingerprint", "device_id", "serial", "mac", "url", "take_over", "quiet_alarms",
	"push", "webrtc", "encryption", "max_bookings", "feedback_slot", "socket_auth", "explicit_empty", "token_form",
}

// systemTexts, systemSwitches and systemNumbers are the columns that stand for a
// field as it is.
func systemTexts(s *System) map[string]*string {
	return map[string]*string{
		"host": &s.Host, "user": &s.User, "fingerprint": &s.Fingerprint, "device_id": &s.DeviceID, "serial": &s.Serial, "mac": &s.MAC, "url": &s.URL,
		"push": &s.Push, "webrtc": &s.WebRTC, "encryption": &s.Encryption, "socket_auth": &s.SocketAuth, "token_form": &s.TokenForm,
	}
}

func systemSwitches(s *System) map[string]*bool {
	return map[string]*bool{"enabled": &s.Enabled, "take_over": &s.TakeOver, "quiet_alarms": &s.QuietAlarms, "explicit_empty": &s.ExplicitEmpty}
}

func systemNumbers(s *System) map[string]*int {
	return map[string]*int{"max_bookings": &s.MaxBookings, "feedback_slot": &s.FeedbackSlot}
}

// ImportSystems adds and changes video systems from a table: name, kind, mailbox
// (its address), group (its name), and the fields of System by their JSON names;
// those that are on or off are yes or no. It has no passwords: those of a group
// are for all its systems, and others are generated. Otherwise it is as
// ImportMailboxes.
func (c *Centre) ImportSystems(ctx context.Context, actor Actor, company string, in CSV) (Import, error) {
	t, err := readTable(in.Data, systemColumns, systemOrder)
	if err != nil {
		return Import{}, c.deniedFirst(ctx, actor, company, err)
	}
	return runImport(ctx, c, actor, company, in, t, func(ch *change) (func(tableRow, *checks) (System, error), error) {
		o, err := get[Org](ch, company)
		if err != nil {
			return nil, err
		}
		f, err := readParts(ch, o)
		if err != nil {
			return nil, err
		}
		groups, err := all[Group](ch, company)
		if err != nil {
			return nil, err
		}
		byName := make(map[string]System, len(f.systems))
		for _, s := range f.systems {
			byName[strings.ToLower(s.Name)] = s
		}
		byAddress := make(map[string]string, len(f.mailboxes))
		for _, m := range f.mailboxes {
			byAddress[m.Address] = m.ID
		}
		return func(r tableRow, ck *checks) (System, error) {
			name, _ := t.cell(r, "name")
			s := System{Company: company, Name: name}
			old, ok := byName[strings.ToLower(name)]
			if ok {
				s = old
			}
			t.fill(r, ck, &s)
			if kind, ok := t.cell(r, "kind"); ok && kind != "" {
				if s.Kind = SystemKind(strings.ToLower(kind)); old.Kind != "" && s.Kind != old.Kind {
					ck.fail("kind", "is %q; the kind of a system cannot be changed", old.Kind)
				}
			}
			if address, ok := t.cell(r, "mailbox"); ok {
				if s.Mailbox = ""; address != "" {
					if s.Mailbox, ok = byAddress[strings.ToLower(address)]; !ok {
						ck.fail("mailbox", "%.60q is not the address of a mailbox here; add it first", address)
					}
				}
			}
			if group, ok := t.cell(r, "group"); ok {
				if s.Group = ""; group != "" {
					i := slices.IndexFunc(groups, func(g Group) bool { return strings.EqualFold(g.Name, group) })
					if i < 0 {
						ck.fail("group", "%.60q is not the name of a group here; add it first", group)
					} else {
						s.Group = groups[i].ID
					}
				}
			}
			if len(ck.fields) > 0 {
				return s, nil
			}
			return s, prepareSystem(ch, o, &s, c.opts.PrivateHooks)
		}, nil
	})
}

// fill takes the columns of a line that stand for a field as it is.
func (t *table) fill(r tableRow, ck *checks, s *System) {
	for column, field := range systemTexts(s) {
		if v, ok := t.cell(r, column); ok {
			*field = v
		}
	}
	for column, field := range systemSwitches(s) {
		v, ok := t.cell(r, column)
		if !ok {
			continue
		}
		switch strings.ToLower(v) {
		case "yes", "true", "1", "on", "x":
			*field = true
		case "no", "false", "0", "off", "":
			*field = false
		default:
			ck.fail(column, "%.40q is neither yes nor no", v)
		}
	}
	for column, field := range systemNumbers(s) {
		v, ok := t.cell(r, column)
		if !ok {
			continue
		}
		var err error
		if *field = 0; v != "" {
			if *field, err = strconv.Atoi(v); err != nil {
				ck.fail(column, "%.40q is no whole number", v)
			}
		}
	}
}

// ExportSystems writes the video systems of a company as a table that
// ImportSystems reads. It has no passwords.
func (c *Centre) ExportSystems(ctx context.Context, actor Actor, company string) ([]byte, error) {
	return c.export(ctx, actor, company, systemOrder, func(tx Tx, f *parts) (rows [][]string, err error) {
		groups, err := byID[Group](tx, company)
		for _, s := range f.systems {
			concealFrom(&s, actor, f.org)
			cells := map[string]string{"name": s.Name, "kind": string(s.Kind), "mailbox": f.mailboxes[s.Mailbox].Address, "group": groups[s.Group].Name}
			for column, field := range systemTexts(&s) {
				cells[column] = *field
			}
			for column, field := range systemSwitches(&s) {
				cells[column] = map[bool]string{true: "yes", false: "no"}[*field]
			}
			for column, field := range systemNumbers(&s) {
				if *field != 0 {
					cells[column] = strconv.Itoa(*field)
				}
			}
			row := make([]string, len(systemOrder))
			for i, column := range systemOrder {
				row[i] = cells[column]
			}
			rows = append(rows, row)
		}
		return rows, err
	})
}

// runImport goes through the lines of a table. Begin reads what is there and
// returns what makes an object of a line, as it would be stored.
func runImport[T any, P object[T]](ctx context.Context, c *Centre, actor Actor, company string, in CSV, t *table, begin func(*change) (func(tableRow, *checks) (T, error), error)) (out Import, err error) {
	run := func(ch *change, store bool) error {
		out = Import{Lines: []ImportLine{}, Ignored: t.ignored}
		if _, err := actor.org(ch, company, Configure); err != nil {
			return err
		}
		read, err := begin(ch)
		if err != nil {
			return err
		}
		var changed []T
		seen := map[string]int{}
		for _, r := range t.rows {
			var ck checks
			v, err := read(r, &ck)
			if invalid := (*InvalidError)(nil); errors.As(err, &invalid) {
				ck.fields = append(ck.fields, invalid.Fields...)
			} else if err != nil {
				return err
			}
			kind, _, key := P(&v).place()
			l := ImportLine{Line: r.line, Name: labelOf(r, t), What: ImportAdds}
			if first, twice := seen[key]; twice {
				field := "name"
				if kind == "mailbox" {
					field = "address"
				}
				ck.fail(field, "is on line %d too", first)
			}
			seen[key] = r.line
			switch {
			case len(ck.fields) > 0:
				l.What, l.Problems = ImportWrong, ck.fields
			case P(&v).meta().ID != "":
				if l.What = ImportChanges; !isChanged[T, P](ch, v) {
					l.What = ImportSame
				}
			}
			if l.What == ImportAdds || l.What == ImportChanges {
				changed = append(changed, v)
			}
			out.add(l)
		}
		if !store || out.Wrong > 0 && !in.SkipWrong {
			return nil
		}
		for i := range changed {
			if err := put[T, P](ch, &changed[i]); err != nil {
				return fmt.Errorf("import: %w", err)
			}
		}
		out.Committed = true
		return nil
	}
	if in.Commit {
		err = c.update(ctx, actor, company, func(ch *change) error { return run(ch, true) })
	} else {
		err = c.store.View(ctx, func(tx Tx) error { return run(&change{tx, actor, time.Now().UTC(), c.keys}, false) })
	}
	if err != nil {
		return Import{}, err
	}
	return out, nil
}

// labelOf names a line for people.
func labelOf(r tableRow, t *table) string {
	for _, column := range []string{"address", "name"} {
		if s, _ := t.cell(r, column); s != "" {
			return s
		}
	}
	return "line " + strconv.Itoa(r.line)
}

// isChanged reports whether an object differs from the stored one.
func isChanged[T any, P object[T]](tx Tx, v T) bool {
	old, err := get[T, P](tx, P(&v).meta().ID)
	return err != nil || any(old) != any(v)
}

// deniedFirst returns err to those who may import, and to others that they may
// not.
func (c *Centre) deniedFirst(ctx context.Context, actor Actor, company string, err error) error {
	return c.store.View(ctx, func(tx Tx) error {
		if _, denied := actor.org(tx, company, Configure); denied != nil {
			return denied
		}
		return err
	})
}

func sorted[T any](m map[string]T, key func(T) string) []T {
	out := make([]T, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	sortByName(out, func(*T) int { return 0 }, func(v *T) string { return key(*v) })
	return out
}
