package ics

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// line is one content line (RFC 5545, section 3.1) after unfolding and repair.
type line struct {
	name    string // in upper case
	params  []param
	value   string
	number  int  // of its first line in the file, from 1
	tooLong bool // the value was cut at the limit
}

type param struct{ name, value string }

func (l *line) param(name string) string {
	for _, p := range l.params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// lines reads content lines. It accepts what calendars contain in practice:
// any mixture of line ends, folds with empty lines in them, folds inside a
// character, text that goes on in the next line without a fold, lines without
// a colon (which it leaves out), NUL and other control characters.
type lines struct {
	data   []byte
	pos    int
	number int // of the line that ends before pos
	max    int // bytes of a content line
	lower  bool
	buf    []byte
}

// newLines takes the file as a whole, in UTF-8 or UTF-16.
func newLines(data []byte, maxLine int) (*lines, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		var err error
		if data, err = unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Bytes(data); err != nil {
			return nil, err
		}
	case len(data) >= 4 && data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		var err error
		if data, err = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Bytes(data); err != nil {
			return nil, err
		}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// Property names may be in lower case, but a file that has them so has all
	// of them so. It matters where text looks like a property.
	lower := bytes.Contains(data[:min(len(data), 4096)], []byte("begin:v"))
	return &lines{data: data, max: maxLine, lower: lower}, nil
}

// physical returns the next line of the file without its end.
func (l *lines) physical() ([]byte, bool) {
	if l.pos >= len(l.data) {
		return nil, false
	}
	rest := l.data[l.pos:]
	l.number++
	n := bytes.IndexAny(rest, "\r\n")
	if n < 0 {
		l.pos = len(l.data)
		return rest, true
	}
	l.pos += n + 1
	if rest[n] == '\r' && n+1 < len(rest) && rest[n+1] == '\n' {
		l.pos++
	}
	return rest[:n], true
}

// next returns the next content line, or false at the end of the file.
func (l *lines) next() (line, bool) {
	for {
		first, ok := l.physical()
		if !ok {
			return line{}, false
		}
		if len(first) == 0 {
			continue
		}
		number := l.number
		text, tooLong := l.unfold(first)
		if out, ok := parseLine(text); ok {
			out.number, out.tooLong = number, tooLong
			return out, true
		}
	}
}

// unfold returns first with the lines that continue it.
func (l *lines) unfold(first []byte) (text []byte, tooLong bool) {
	raw := rawText(first)
	soft := raw && bytes.Contains(first[:min(len(first), 200)], []byte("QUOTED-PRINTABLE"))
	text = first
	copied := false
	add := func(parts ...[]byte) {
		if !copied {
			l.buf = append(l.buf[:0], text...)
			copied = true
		}
		for _, p := range parts {
			if len(l.buf)+len(p) > l.max {
				tooLong = true
				break
			}
			l.buf = append(l.buf, p...)
		}
		text = l.buf
	}
	blank := 0
	pos, number := l.pos, l.number
	for {
		next, ok := l.physical()
		switch {
		case !ok:
		case len(next) == 0:
			blank++
			continue
		case next[0] == ' ' || next[0] == '\t':
			add(next[1:])
			blank, pos, number = 0, l.pos, l.number
			continue
		case soft && len(text) > 0 && text[len(text)-1] == '=':
			text = text[:len(text)-1]
			if copied {
				l.buf = text
			}
			add(next)
			blank, pos, number = 0, l.pos, l.number
			continue
		case raw && !l.property(next):
			for range min(blank, 2) + 1 {
				add([]byte(`\n`))
			}
			add(next)
			blank, pos, number = 0, l.pos, l.number
			continue
		}
		l.pos, l.number = pos, number
		if len(text) > l.max {
			return text[:l.max], true
		}
		return text, tooLong
	}
}

// rawText reports whether producers are known to write line ends as they are
// into the property that a line begins with.
func rawText(first []byte) bool {
	n := bytes.IndexAny(first, ":;")
	if n < 0 {
		return false
	}
	switch name := strings.ToUpper(string(first[:min(n, 64)])); name {
	case "DESCRIPTION", "SUMMARY", "LOCATION", "COMMENT", "CONTACT", "STYLED-DESCRIPTION":
		return true
	default:
		return strings.HasPrefix(name, "X-")
	}
}

// property reports whether a line after a text begins a property: in such a
// place "Passcode: 123" or "https://…" does not.
func (l *lines) property(text []byte) bool {
	n := bytes.IndexAny(text, ":;")
	if n <= 0 || n > 100 {
		return false
	}
	name := text[:n]
	for _, c := range name {
		if !nameByte(c) {
			return false
		}
	}
	upper := strings.ToUpper(string(name))
	switch {
	case string(name) != upper && !l.lower:
		return false
	case upper == "BEGIN" || upper == "END":
		value := bytes.TrimSpace(text[n+1:])
		for _, c := range value {
			if !nameByte(c) || '0' <= c && c <= '9' {
				return false
			}
		}
		return text[n] == ':' && len(value) > 0
	case strings.HasPrefix(upper, "X-"):
		return true
	}
	return properties[upper]
}

// properties are the names of RFC 5545, 7529, 7953, 7986, 9073 and 9253.
var properties = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`CALSCALE METHOD PRODID VERSION ATTACH CATEGORIES CLASS COMMENT DESCRIPTION GEO LOCATION
		PERCENT-COMPLETE PRIORITY RESOURCES STATUS SUMMARY COMPLETED DTEND DUE DTSTART DURATION FREEBUSY TRANSP TZID TZNAME
		TZOFFSETFROM TZOFFSETTO TZURL ATTENDEE CONTACT ORGANIZER RECURRENCE-ID RELATED-TO URL UID EXDATE EXRULE RDATE RRULE
		ACTION REPEAT TRIGGER CREATED DTSTAMP LAST-MODIFIED SEQUENCE REQUEST-STATUS NAME REFRESH-INTERVAL SOURCE COLOR IMAGE
		CONFERENCE BUSYTYPE LOCATION-TYPE PARTICIPANT-TYPE RESOURCE-TYPE CALENDAR-ADDRESS STYLED-DESCRIPTION STRUCTURED-DATA
		CONCEPT LINK REFID ACKNOWLEDGED PROXIMITY TZUNTIL TZID-ALIAS-OF`) {
		m[name] = true
	}
	return m
}()

func nameByte(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// parseLine splits a content line. It returns false for a line that is none:
// without a colon, or with something else than a name before it.
func parseLine(raw []byte) (line, bool) {
	text := repair(raw)
	n := strings.IndexAny(text, ":;")
	if n <= 0 {
		return line{}, false
	}
	name := strings.TrimSpace(text[:n])
	if name == "" {
		return line{}, false
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return line{}, false
		}
	}
	out := line{name: strings.ToUpper(name)}
	rest := text[n:]
	if dateProperty(out.name) {
		rest = quoteZone(rest)
	}
	for strings.HasPrefix(rest, ";") {
		var p param
		p, rest = parseParam(rest[1:])
		if len(out.params) < maxParams && p.name != "" {
			out.params = append(out.params, p)
		}
	}
	if !strings.HasPrefix(rest, ":") {
		return line{}, false
	}
	out.value = rest[1:]
	return out, true
}

// parseParam reads one parameter up to the ";" or ":" after it. Of several
// values it keeps the first.
func parseParam(s string) (param, string) {
	n := strings.IndexAny(s, "=;:")
	if n < 0 {
		return param{}, ""
	}
	p := param{name: strings.ToUpper(strings.TrimSpace(s[:n]))}
	if s[n] != '=' { // as in ";QUOTED-PRINTABLE:"
		return p, s[n:]
	}
	s = s[n+1:]
	first := true
	for {
		var v string
		v, s = paramValue(s)
		if first {
			p.value, first = v, false
		}
		if !strings.HasPrefix(s, ",") {
			return p, s
		}
		s = s[1:]
	}
}

func paramValue(s string) (value, rest string) {
	if strings.HasPrefix(s, `"`) {
		if n := strings.IndexByte(s[1:], '"'); n >= 0 {
			value, s = s[1:n+1], s[n+2:]
			// What follows the quote up to the next separator has no meaning.
			if n := strings.IndexAny(s, ",;:"); n >= 0 {
				return value, s[n:]
			}
			return value, ""
		}
		s = s[1:] // a quote that nobody closes
	}
	n := strings.IndexAny(s, ",;:")
	if n < 0 {
		return s, ""
	}
	return strings.Trim(s[:n], `"`), s[n:]
}

func dateProperty(name string) bool {
	switch name {
	case "DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE":
		return true
	}
	return false
}

// quoteZone puts quotes around a TZID that has a colon, comma or semicolon in
// it and no quotes, as in ";TZID=(UTC+01:00) Amsterdam, Berlin:20260102T030405":
// in a property of this kind the value is what looks like a date.
func quoteZone(rest string) string {
	n := strings.Index(strings.ToUpper(rest[:min(len(rest), 2*maxParam)]), ";TZID=")
	if n < 0 || strings.HasPrefix(rest[n+6:], `"`) {
		return rest
	}
	zone := rest[n+6:]
	for at := 0; at <= maxParam; {
		i := strings.IndexAny(zone[at:], ":;")
		if i < 0 {
			return rest
		}
		at += i
		after := strings.TrimSpace(zone[at+1:])
		isDate := zone[at] == ':' && (after == "" || len(after) >= 8 && digits(after[:4]))
		isParam := zone[at] == ';' && len(after) >= 6 && strings.EqualFold(after[:6], "VALUE=")
		if isDate || isParam {
			return rest[:n+6] + `"` + strings.ReplaceAll(zone[:at], `"`, "") + `"` + zone[at:]
		}
		at++
	}
	return rest
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// repair returns the text without control characters and in valid UTF-8. A line
// that is not UTF-8 at all is taken for Windows-1252; single bad bytes in a
// line that otherwise is become U+FFFD.
func repair(raw []byte) string {
	clean, ascii := true, true
	for _, c := range raw {
		if c < ' ' && c != '\t' || c == 0x7f {
			clean = false
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if !clean {
		kept := make([]byte, 0, len(raw))
		for _, c := range raw {
			if c >= ' ' && c != 0x7f || c == '\t' {
				kept = append(kept, c)
			}
		}
		raw = kept
	}
	if ascii || utf8.Valid(raw) {
		return string(raw)
	}
	for rest := raw; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if size > 1 && r != utf8.RuneError {
			return strings.ToValidUTF8(string(raw), "\ufffd")
		}
		rest = rest[size:]
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\ufffd")
	}
	return string(text)
}
