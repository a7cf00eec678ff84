package readiness

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Processing is what Exchange is set to do with the invites of one room, as
// Get-CalendarProcessing has it. A nil pointer or empty text means that the
// report does not say.
type Processing struct {
	Mailbox string // primary SMTP address
	Name    string

	DeleteComments                 *bool
	DeleteSubject                  *bool
	AddOrganizerToSubject          *bool
	RemovePrivateProperty          *bool
	ProcessExternalMeetingMessages *bool
	AddAdditionalResponse          *bool
	AutomateProcessing             string
	AdditionalResponse             string
	// DefaultAccess is what everybody may see of the room's calendar, as
	// Get-MailboxFolderPermission has it: "AvailabilityOnly", "LimitedDetails", …
	DefaultAccess string
}

// Check says what the settings of a room mean for One-Touch Join. Settings that
// the report does not have are findings with the result Unknown.
func (p *Processing) Check() []Finding {
	room := p.Mailbox
	set := func(what string) string {
		return "Set-CalendarProcessing -Identity " + Quote(room) + " " + what
	}
	flag := func(check string, value *bool, name string, result Result, bad, good, fix string) Finding {
		f := Finding{Check: check, Subject: room}
		switch {
		case value == nil:
			f.Result, f.Why = Unknown, "The report does not say what "+name+" is."
			f.Fix = "Run the check script again, with an account that may read the room's settings."
		case *value:
			f.Result, f.Why, f.Fix, f.Command = result, name+" is on: "+bad, fix, set("-"+name+" $false")
		default:
			f.Result, f.Why = Pass, name+" is off: "+good
		}
		return f
	}
	out := []Finding{
		flag("delete-comments", p.DeleteComments, "DeleteComments", Fail,
			"the text of every invite is deleted, so only meetings whose address is in a field of its own get a button.",
			"the text of invites stays.", "Switch it off. It works for invites that come later."),
		flag("delete-subject", p.DeleteSubject, "DeleteSubject", Warn,
			"the room never has the subject of a meeting. Its screen shows the organizer's name.",
			"the subject stays.", "Switch it off, unless that is wanted for privacy: the settings here can hide subjects too."),
		flag("add-organizer", p.AddOrganizerToSubject, "AddOrganizerToSubject", Warn,
			"the organizer's name is put into the subject.",
			"the subject is as the organizer wrote it.", "Switch it off."),
		flag("remove-private", p.RemovePrivateProperty, "RemovePrivateProperty", Fail,
			"private meetings look like any other, and the room's screen shows their subjects.",
			"private meetings stay private.", "Switch it off. It works for invites that come later."),
	}

	auto := Finding{Check: "auto-accept", Subject: room, Command: set("-AutomateProcessing AutoAccept")}
	switch {
	case p.AutomateProcessing == "":
		auto.Result, auto.Why = Unknown, "The report does not say what AutomateProcessing is."
		auto.Command = ""
	case strings.EqualFold(p.AutomateProcessing, "AutoAccept"):
		auto.Result, auto.Why, auto.Command = Pass, "The room accepts invites by itself.", ""
	default:
		auto.Result = Fail
		auto.Why = "AutomateProcessing is " + p.AutomateProcessing + ": the room does not accept invites by itself, so meetings stay tentative or do not appear."
		auto.Fix = "Set it to AutoAccept."
	}
	out = append(out, auto)

	external := Finding{Check: "external-meetings", Subject: room}
	switch {
	case p.ProcessExternalMeetingMessages == nil:
		external.Result, external.Why = Unknown, "The report does not say what ProcessExternalMeetingMessages is."
	case *p.ProcessExternalMeetingMessages:
		external.Result = Pass
		external.Why = "Invites from outside that somebody forwards to the room are processed. Anybody outside can then invite the room too, unless a transport rule keeps them out."
	default:
		external.Result = Warn
		external.Why = "Invites from outside that somebody forwards to the room are not processed: such meetings have no button."
		external.Fix = "Switch ProcessExternalMeetingMessages on if people forward such invites, together with the transport rule of the set-up script."
		external.Command = set("-ProcessExternalMeetingMessages $true")
	}
	out = append(out, external)

	response := Finding{Check: "additional-response", Subject: room, Result: Pass, Why: "The room's reply explains itself."}
	switch {
	case p.AddAdditionalResponse == nil:
		response.Result, response.Why = Unknown, "The report does not say what AddAdditionalResponse is."
	case !*p.AddAdditionalResponse || strings.TrimSpace(p.AdditionalResponse) == "":
		response.Result = Warn
		response.Why = "Organizers outside get a reply of a room that they may never have heard of, without an explanation."
		response.Fix = "Add a text to the room's replies."
		response.Command = set("-AddAdditionalResponse $true -AdditionalResponse " + Quote(DefaultResponse))
	}
	out = append(out, response)

	if p.DefaultAccess != "" {
		f := Finding{Check: "folder-permission", Subject: room, Result: Pass, Why: "Other people see " + p.DefaultAccess + " of the room's calendar."}
		if !strings.EqualFold(p.DefaultAccess, "AvailabilityOnly") && !strings.EqualFold(p.DefaultAccess, "LimitedDetails") && !strings.EqualFold(p.DefaultAccess, "None") {
			f.Result = Warn
			f.Why = "Everybody may read the whole text of the room's invites (" + p.DefaultAccess + "), passcodes too."
			f.Fix = "Let them see times, or times and subjects, only."
			f.Command = "Set-MailboxFolderPermission -Identity " + Quote(room+`:\Calendar`) + " -User Default -AccessRights LimitedDetails"
		}
		out = append(out, f)
	}
	return out
}

// MaxReport is the most bytes of a report.
const MaxReport = 64 << 20

// ParseReport reads the JSON or CSV that the check script has written, also as
// Windows programs save it: in UTF-16, with a byte order mark, with semicolons.
func ParseReport(r io.Reader) ([]Processing, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxReport+1))
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	if len(data) > MaxReport {
		return nil, fmt.Errorf("read the report: it is larger than %d MB; split it", MaxReport>>20)
	}
	text, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("read the report: it is empty; the script found no rooms, or its output was not saved")
	}
	var rooms []Processing
	if text[0] == '[' || text[0] == '{' {
		rooms, err = parseJSON(text)
	} else {
		rooms, err = parseCSV(text)
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, p := range rooms {
		key := strings.ToLower(p.Mailbox)
		if key == "" {
			return nil, fmt.Errorf("read the report: room %d has no PrimarySmtpAddress; use the check script as it is", i+1)
		}
		if seen[key] {
			return nil, fmt.Errorf("read the report: room %s is in it twice", p.Mailbox)
		}
		seen[key] = true
	}
	return rooms, nil
}

// decodeText undoes UTF-16 and byte order marks: Windows PowerShell writes them.
func decodeText(data []byte) (string, error) {
	var order func([]byte) uint16
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = func(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 }
	default:
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
		if !utf8.Valid(data) {
			return "", errors.New("read the report: it is not UTF-8; save it with -Encoding UTF8")
		}
		return string(data), nil
	}
	data = data[2:]
	if len(data)%2 != 0 {
		return "", errors.New("read the report: it ends in the middle of a character; copy it again")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order(data[2*i:])
	}
	return string(utf16.Decode(units)), nil
}

func parseJSON(text string) ([]Processing, error) {
	if text[0] == '{' {
		text = "[" + text + "]" // ConvertTo-Json writes one room without brackets
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + strings.Count(text[:min(int(syntax.Offset), len(text))], "\n")
			return nil, fmt.Errorf("read the report: line %d: %w", line, err)
		}
		return nil, errors.New("read the report: it is JSON, but no list of rooms; use the check script as it is")
	}
	rooms := make([]Processing, 0, len(rows))
	for i, row := range rows {
		p, err := newProcessing(func(name string) (any, bool) { v, ok := row[name]; return v, ok })
		if err != nil {
			return nil, fmt.Errorf("read the report: room %d: %w", i+1, err)
		}
		rooms = append(rooms, p)
	}
	return rooms, nil
}

func parseCSV(text string) ([]Processing, error) {
	// Export-Csv of Windows PowerShell may write its type first.
	if strings.HasPrefix(text, "#TYPE") {
		_, text, _ = strings.Cut(text, "\n")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	if head, _, _ := strings.Cut(text, "\n"); strings.Count(head, ";") > strings.Count(head, ",") {
		r.Comma = ';' // Excel saves so where the comma is the decimal sign
	}
	table, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	column := map[string]int{}
	for i, name := range table[0] {
		column[strings.TrimSpace(name)] = i
	}
	if _, ok := column["PrimarySmtpAddress"]; !ok {
		return nil, fmt.Errorf("read the report: its first line has no column PrimarySmtpAddress, it has %.200q; use the check script as it is", table[0])
	}
	var rooms []Processing
	for i, row := range table[1:] {
		if len(row) != len(table[0]) {
			return nil, fmt.Errorf("read the report: line %d has %d values, the first line has %d", i+2, len(row), len(table[0]))
		}
		p, err := newProcessing(func(name string) (any, bool) {
			at, ok := column[name]
			if !ok {
				return nil, false
			}
			return row[at], true
		})
		if err != nil {
			return nil, fmt.Errorf("read the report: line %d: %w", i+2, err)
		}
		rooms = append(rooms, p)
	}
	return rooms, nil
}

// newProcessing reads one room by the names of Get-CalendarProcessing.
func newProcessing(value func(name string) (any, bool)) (Processing, error) {
	var p Processing
	var err error
	text := func(name string) string {
		v, _ := value(name)
		s, _ := v.(string)
		return strings.TrimSpace(s)
	}
	flag := func(name string) *bool {
		v, ok := value(name)
		if !ok || v == nil || v == "" {
			return nil
		}
		var on bool
		switch x := v.(type) {
		case bool:
			on = x
		case string:
			switch strings.ToLower(strings.TrimPrefix(strings.TrimSpace(x), "$")) {
			case "true", "1":
				on = true
			case "false", "0":
			default:
				err = errors.Join(err, fmt.Errorf("%s is %.40q; it is True or False", name, x))
			}
		default:
			err = errors.Join(err, fmt.Errorf("%s is %v; it is true or false", name, x))
		}
		return &on
	}
	p.Mailbox, p.Name = text("PrimarySmtpAddress"), text("DisplayName")
	p.DeleteComments, p.DeleteSubject = flag("DeleteComments"), flag("DeleteSubject")
	p.AddOrganizerToSubject, p.RemovePrivateProperty = flag("AddOrganizerToSubject"), flag("RemovePrivateProperty")
	p.ProcessExternalMeetingMessages, p.AddAdditionalResponse = flag("ProcessExternalMeetingMessages"), flag("AddAdditionalResponse")
	p.AdditionalResponse, p.DefaultAccess = text("AdditionalResponse"), text("DefaultAccess")
	if v, _ := value("AutomateProcessing"); v != nil {
		// ConvertTo-Json writes an enumeration as its number.
		switch x := v.(type) {
		case float64:
			names := []string{"None", "AutoUpdate", "AutoAccept"}
			if i := int(x); x == float64(i) && i >= 0 && i < len(names) {
				p.AutomateProcessing = names[i]
			} else {
				err = errors.Join(err, fmt.Errorf("AutomateProcessing is %v", x))
			}
		case string:
			p.AutomateProcessing = strings.TrimSpace(x)
		}
	}
	return p, err
}
