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

// MaxReport is the most bytes of a report.
const MaxReport = 64 << 20

// ParseReport reads the JSON or CSV that the check script has written, also as
// Windows programs save it: in UTF-16, with a byte order mark, with semicolons,
// with True and False in the language of the spreadsheet.
func ParseReport(r io.Reader) ([]Processing, error) {
	rooms, err := parseReport(r)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return rooms, nil
}

func parseReport(r io.Reader) ([]Processing, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxReport+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxReport {
		return nil, fmt.Errorf("it is larger than %d MB; split it", MaxReport>>20)
	}
	text, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	rooms := rooms{seen: map[string]string{}}
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		return nil, errors.New("it is empty; the script found no rooms, or its output was not saved")
	case trimmed[0] == '[' || trimmed[0] == '{':
		err = rooms.parseJSON(text)
	default:
		err = rooms.parseCSV(text)
	}
	if err != nil {
		return nil, err
	}
	return rooms.list, nil
}

// rooms collects the rooms of a report.
type rooms struct {
	list []Processing
	seen map[string]string // where a room was, by its address
}

// add reads one room; where says where it stands in the report.
func (r *rooms) add(where string, row map[string]any) error {
	p, err := newProcessing(row)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	key := strings.ToLower(p.Mailbox)
	switch {
	case key == "":
		return fmt.Errorf("%s: the room has no PrimarySmtpAddress; use the check script as it is", where)
	case len(key) > 320 || !printable(key):
		return fmt.Errorf("%s: %.60q is no mail address", where, p.Mailbox)
	case r.seen[key] != "":
		return fmt.Errorf("%s: room %s is in the report twice, first in %s", where, p.Mailbox, r.seen[key])
	}
	r.seen[key] = where
	r.list = append(r.list, p)
	return nil
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
		switch {
		case bytes.IndexByte(data, 0) >= 0:
			return "", errors.New("it is no text in UTF-8; save it with -Encoding UTF8")
		case !utf8.Valid(data):
			// Excel saves so unless it is told not to. Only names have other
			// letters than those of ASCII, and of names nothing depends.
			var b strings.Builder
			for _, c := range data {
				b.WriteRune(rune(c))
			}
			return b.String(), nil
		}
		return string(data), nil
	}
	data = data[2:]
	if len(data)%2 != 0 {
		return "", errors.New("it ends in the middle of a character; copy it again")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order(data[2*i:])
	}
	return string(utf16.Decode(units)), nil
}

// parseJSON reads a list of rooms, or the single room that ConvertTo-Json writes
// without brackets.
func (r *rooms) parseJSON(text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	line := func(offset int64) string {
		return fmt.Sprintf("line %d", 1+strings.Count(text[:min(int(offset), len(text))], "\n"))
	}
	problem := func(err error) error {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return fmt.Errorf("%s: %w", line(syntax.Offset), err)
		case errors.As(err, &kind):
			return fmt.Errorf("%s: it is JSON, but no list of rooms; use the check script as it is", line(d.InputOffset()))
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%s: it ends in the middle; copy it again", line(int64(len(text))))
		}
		return fmt.Errorf("%s: %w", line(d.InputOffset()), err)
	}
	list := strings.TrimSpace(text)[0] == '['
	if list {
		if _, err := d.Token(); err != nil {
			return problem(err)
		}
	}
	for more := true; more; more = list && d.More() {
		if list && !d.More() {
			break
		}
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			return problem(err)
		}
		// What was read last is the room's last line.
		if err := r.add(line(d.InputOffset()), row); err != nil {
			return err
		}
	}
	if list {
		if _, err := d.Token(); err != nil {
			return problem(err)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is more after the end of the list", line(d.InputOffset()))
	}
	return nil
}

func (r *rooms) parseCSV(text string) error {
	comma, skipped := ',', 0
	for {
		head, rest, found := strings.Cut(text, "\n")
		head = strings.TrimSpace(head)
		switch {
		case strings.HasPrefix(head, "#TYPE"): // Export-Csv of Windows PowerShell
		case len(head) == len("sep=;") && strings.EqualFold(head[:4], "sep="): // Excel
		case head == "" && found:
		default:
			if strings.Count(head, ";") > strings.Count(head, ",") {
				comma = ';' // Excel saves so where the comma is the decimal sign
			} else if strings.Count(head, "\t") > strings.Count(head, ",") {
				comma = '\t'
			}
			return r.parseTable(text, comma, skipped)
		}
		text = rest
		skipped++
	}
}

func (r *rooms) parseTable(text string, comma rune, skipped int) error {
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord, in.Comma, in.ReuseRecord = -1, comma, true
	problem := func(err error) error {
		var e *csv.ParseError
		if errors.As(err, &e) {
			return fmt.Errorf("line %d: %w", e.Line+skipped, e.Err)
		}
		return err
	}
	first, err := in.Read()
	if err != nil {
		return problem(err)
	}
	names := make([]string, len(first))
	column := map[string]bool{}
	for i, name := range first {
		names[i] = strings.TrimSpace(name)
		key := strings.ToLower(names[i])
		if key != "" && column[key] {
			return fmt.Errorf("its first line has the column %.60q twice", names[i])
		}
		column[key] = true
	}
	if !column["primarysmtpaddress"] {
		return fmt.Errorf("its first line has no column PrimarySmtpAddress, it has %.200q; use the check script as it is", names)
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return problem(err)
		}
		line, _ := in.FieldPos(0)
		line += skipped
		if strings.TrimSpace(strings.Join(record, "")) == "" {
			continue // a spreadsheet leaves such lines
		}
		if len(record) != len(names) {
			return fmt.Errorf("line %d has %d values, the first line has %d", line, len(record), len(names))
		}
		row := make(map[string]any, len(names))
		for i, name := range names {
			row[name] = record[i]
		}
		if err := r.add(fmt.Sprintf("line %d", line), row); err != nil {
			return err
		}
	}
}

// truths are the ways in which spreadsheets save TRUE and FALSE.
var truths = map[string]bool{
	"true": true, "1": true, "wahr": true, "vrai": true, "verdadero": true, "verdadeiro": true, "vero": true, "waar": true, "sant": true, "sand": true, "sann": true, "tosi": true, "prawda": true,
	"false": false, "0": false, "falsch": false, "faux": false, "falso": false, "onwaar": false, "falskt": false, "falsk": false, "usann": false, "epätosi": false, "fałsz": false,
}

// newProcessing reads one room by the names of Get-CalendarProcessing.
func newProcessing(row map[string]any) (Processing, error) {
	lower := make(map[string]any, len(row))
	for name, v := range row {
		lower[strings.ToLower(name)] = v
	}
	var p Processing
	var err error
	bad := func(format string, args ...any) { err = errors.Join(err, fmt.Errorf(format, args...)) }
	text := func(name string) string {
		switch v := lower[strings.ToLower(name)].(type) {
		case nil:
		case string:
			// A spreadsheet's guard against formulas.
			return strings.TrimSpace(strings.TrimPrefix(v, "'"))
		default:
			bad("%s is %.40v; it is a text", name, v)
		}
		return ""
	}
	flag := func(name string) *bool {
		var on bool
		switch v := lower[strings.ToLower(name)].(type) {
		case nil:
			return nil
		case bool:
			on = v
		case string:
			v = strings.TrimPrefix(strings.TrimSpace(v), "$")
			if v == "" {
				return nil
			}
			var known bool
			if on, known = truths[strings.ToLower(v)]; !known {
				bad("%s is %.40q; it is True or False", name, v)
			}
		default:
			bad("%s is %.40v; it is true or false", name, v)
		}
		return &on
	}
	p.Mailbox, p.Name, p.RecipientType = text("PrimarySmtpAddress"), text("DisplayName"), text("RecipientTypeDetails")
	p.DeleteComments, p.DeleteSubject = flag("DeleteComments"), flag("DeleteSubject")
	p.AddOrganizerToSubject, p.RemovePrivateProperty = flag("AddOrganizerToSubject"), flag("RemovePrivateProperty")
	p.ProcessExternalMeetingMessages, p.AddAdditionalResponse = flag("ProcessExternalMeetingMessages"), flag("AddAdditionalResponse")
	p.AllBookInPolicy = flag("AllBookInPolicy")
	p.AdditionalResponse, p.DefaultAccess, p.AnonymousAccess = text("AdditionalResponse"), text("DefaultAccess"), text("AnonymousAccess")
	p.CalendarFolder = text("CalendarFolder")
	for _, v := range []string{p.DefaultAccess, p.AnonymousAccess, p.CalendarFolder, p.RecipientType} {
		if len(v) > 250 || !printable(v) {
			bad("%.40q is too long, or does not print", v)
		}
	}
	p.AutomateProcessing = automate(lower["automateprocessing"], bad)
	return p, err
}

// automate reads AutomateProcessing. ConvertTo-Json writes an enumeration as its
// number.
func automate(v any, bad func(format string, args ...any)) string {
	names := [...]string{"None", "AutoUpdate", "AutoAccept"}
	switch x := v.(type) {
	case nil:
	case float64:
		if i := int(x); x == float64(i) && i >= 0 && i < len(names) {
			return names[i]
		}
		bad("AutomateProcessing is %v; it is None, AutoUpdate or AutoAccept", x)
	case string:
		x = strings.TrimSpace(x)
		if x == "" {
			return ""
		}
		for i, name := range names {
			if strings.EqualFold(x, name) || x == fmt.Sprint(i) {
				return name
			}
		}
		bad("AutomateProcessing is %.40q; it is None, AutoUpdate or AutoAccept", x)
	default:
		bad("AutomateProcessing is %.40v; it is None, AutoUpdate or AutoAccept", x)
	}
	return ""
}
