package invite

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// The parts of a mail are split here and not by mime/multipart and net/mail:
// those stop at the first line that breaks the standard, and invites on disk
// are often cut, edited or saved by programs that do.

const (
	maxDepth = 20  // parts inside each other
	maxParts = 200 // of one mail
)

// message is a mail or a part of one.
type message struct {
	subject     string
	from        calendar.Person
	plain, html string
	calendars   [][]byte
	nested      []*message
	tnef        bool
}

func readMail(data []byte, o *Options) ([]Item, error) {
	if s, ok := byMark(data); ok {
		data = []byte(s)
	}
	if bytes.HasPrefix(data, []byte("From ")) { // an mbox: its first mail
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	parts := maxParts
	m := readMessage(data, 0, &parts)
	items := m.items(o)
	if len(items) > 0 {
		return items, nil
	}
	ev := calendar.Event{Subject: m.subject, Organizer: m.from, Body: m.body()}
	if ev.Body == (calendar.Body{}) {
		if m.hasTNEF() {
			return nil, errors.New("the invite is in a winmail.dat (TNEF), which is not supported: save the event as iCalendar")
		}
		if ev.Subject == "" {
			return nil, errors.New("the mail has neither a calendar part nor a text")
		}
	}
	return []Item{{Event: ev}}, nil
}

// items returns the events of the mail's calendar parts, and of those of the
// mails inside it.
func (m *message) items(o *Options) []Item {
	var out []Item
	seen := make(map[string]bool)
	for _, data := range m.calendars {
		found, err := readICS(data, o)
		if err != nil {
			found = []Item{{Err: fmt.Errorf("the calendar part: %w", err)}}
		}
		for _, it := range found {
			// The same calendar is often there as a part and as an attachment.
			key := it.Event.ID
			if it.Err != nil {
				key = it.Err.Error()
			}
			if !seen[key] {
				seen[key] = true
				m.complete(&it.Event)
				out = append(out, it)
			}
		}
	}
	for _, n := range m.nested {
		for _, it := range n.items(o) {
			if it.Event.ID == "" || !seen[it.Event.ID] {
				seen[it.Event.ID] = true
				out = append(out, it)
			}
		}
	}
	return out
}

// complete gives the event what the mail around it has and it has not.
func (m *message) complete(ev *calendar.Event) {
	if ev.Subject == "" {
		ev.Subject = m.subject
	}
	if ev.Organizer == (calendar.Person{}) {
		ev.Organizer = m.from
	}
	if ev.Body.HTML == "" {
		ev.Body.HTML = m.html
	}
	switch {
	case m.plain == "":
	case ev.Body.Plain == "":
		ev.Body.Plain = m.plain
	case ev.Body.HTML == "" && !strings.Contains(squeeze(ev.Body.Plain), squeeze(m.plain)):
		// There is no other form to put it into.
		ev.Body.Plain += "\n\n" + m.plain
	}
}

// squeeze removes white space, for a comparison.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// body returns the text of the mail, and below it, quoted, that of the mails
// inside it: who forwards an invite as an attachment writes a line above it. A
// mail without a text of its own has that of the first mail inside.
func (m *message) body() calendar.Body {
	own := calendar.Body{Plain: m.plain, HTML: m.html}
	var plain, page strings.Builder
	paged := own.HTML != "" // whether HTML has to hold what is inside
	for _, n := range m.nested {
		inner := n.body()
		switch {
		case inner == (calendar.Body{}):
			continue
		case own == (calendar.Body{}):
			return inner
		}
		paged = paged || inner.Plain == ""
		page.WriteString("\n<blockquote type=\"cite\">" + asHTML(inner) + "</blockquote>")
		if own.Plain != "" && inner.Plain != "" {
			plain.WriteString("\n\n> " + strings.ReplaceAll(strings.TrimSuffix(inner.Plain, "\n"), "\n", "\n> "))
		}
	}
	if paged && page.Len() > 0 {
		own.HTML = asHTML(own) + page.String()
	}
	own.Plain += plain.String()
	return own
}

// asHTML returns a body as HTML, made of the plain text if it has no other.
func asHTML(b calendar.Body) string {
	if b.HTML != "" {
		return b.HTML
	}
	return "<pre>" + html.EscapeString(b.Plain) + "</pre>"
}

func (m *message) hasTNEF() bool {
	for _, n := range m.nested {
		if n.hasTNEF() {
			return true
		}
	}
	return m.tnef
}

func readMessage(data []byte, depth int, parts *int) *message {
	h, body := splitHeader(data)
	m := &message{subject: h.word("subject")}
	if a, err := (&mail.AddressParser{WordDecoder: words}).Parse(h["from"]); err == nil {
		m.from = calendar.Person{Name: a.Name, Email: a.Address}
	}
	m.add(h, body, depth, parts)
	return m
}

// add reads a part.
func (m *message) add(h header, body []byte, depth int, parts *int) {
	if *parts--; *parts < 0 || depth > maxDepth {
		return
	}
	kind, params := h.contentType()
	disposition, dparams, _ := mime.ParseMediaType(h["content-disposition"])
	name := strings.ToLower(decodeWords(firstOf(dparams["filename"], params["name"])))

	if strings.HasPrefix(kind, "multipart/") {
		for _, part := range split(body, params["boundary"]) {
			ph, pb := splitHeader(part)
			if kind == "multipart/digest" && ph["content-type"] == "" {
				ph["content-type"] = "message/rfc822"
			}
			m.add(ph, pb, depth+1, parts)
		}
		return
	}
	body = h.decode(body)
	attached := strings.EqualFold(disposition, "attachment")
	switch {
	case kind == "message/rfc822", kind == "message/global", strings.HasSuffix(name, ".eml"):
		m.nested = append(m.nested, readMessage(body, depth+1, parts))
	case kind == "text/calendar", kind == "text/x-vcalendar", kind == "application/ics", strings.HasSuffix(name, ".ics"):
		m.calendars = append(m.calendars, []byte(plainText(body, params["charset"])))
	case kind == "application/ms-tnef", kind == "application/vnd.ms-tnef", name == "winmail.dat":
		m.tnef = true
	case kind == "text/html" && !attached:
		m.html = join(m.html, htmlText(body, params["charset"]))
	case kind == "text/plain" && !attached:
		s := plainText(body, params["charset"])
		if strings.EqualFold(params["format"], "flowed") {
			s = unflow(s, strings.EqualFold(params["delsp"], "yes"))
		}
		m.plain = join(m.plain, strings.ReplaceAll(s, "\r\n", "\n"))
	}
}

func join(a, b string) string {
	if strings.TrimSpace(b) == "" {
		return a
	}
	if a == "" {
		return b
	}
	return a + "\n" + b
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// header has the fields of a header by their names in lower case; of several
// with one name, the first.
type header map[string]string

// splitHeader splits a mail or part after its header. Lines that are no fields
// are left out.
func splitHeader(data []byte) (header, []byte) {
	h := make(header)
	last := ""
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if last != "" && len(h[last]) < 64<<10 {
				h[last] += " " + string(bytes.TrimSpace(line))
			}
			continue
		}
		last = ""
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		key := strings.ToLower(string(bytes.TrimSpace(name)))
		if _, twice := h[key]; !twice {
			h[key] = orWindows(bytes.TrimSpace(value))
			last = key
		}
	}
	return h, data
}

var words = &mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
	enc, err := htmlindex.Get(label)
	if err != nil {
		return nil, err
	}
	return enc.NewDecoder().Reader(r), nil
}}

func decodeWords(s string) string {
	if out, err := words.DecodeHeader(s); err == nil {
		return out
	}
	return s
}

func (h header) word(name string) string { return strings.TrimSpace(decodeWords(h[name])) }

// contentType returns the media type; text/plain where there is none.
func (h header) contentType() (string, map[string]string) {
	v := h["content-type"]
	if strings.TrimSpace(v) == "" {
		return "text/plain", nil
	}
	kind, params, err := mime.ParseMediaType(v)
	if err != nil {
		// Parameters that cannot be read are not worth the part.
		kind, _, _ = strings.Cut(v, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		params = make(map[string]string)
		for p := range strings.SplitSeq(v, ";") {
			if k, val, ok := strings.Cut(p, "="); ok {
				params[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(val), `"`)
			}
		}
	}
	return kind, params
}

// decode undoes the transfer encoding, as far as it goes.
func (h header) decode(body []byte) []byte {
	switch strings.ToLower(strings.TrimSpace(h["content-transfer-encoding"])) {
	case "base64":
		return decodeBase64(body)
	case "quoted-printable":
		return decodeQuoted(body)
	}
	return body
}

func decodeBase64(body []byte) []byte {
	kept := make([]byte, 0, len(body))
	for _, c := range body {
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' {
			kept = append(kept, c)
		}
	}
	if len(kept)%4 == 1 {
		kept = kept[:len(kept)-1] // the file was cut in the middle of a group
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(kept)))
	n, _ := base64.RawStdEncoding.Decode(out, kept)
	return out[:n]
}

// decodeQuoted undoes quoted-printable (RFC 2045, section 6.7). An equals sign
// that nothing valid follows stays.
func decodeQuoted(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for len(body) > 0 {
		line, rest, ended := bytes.Cut(body, []byte("\n"))
		body = rest
		line = bytes.TrimRight(line, " \t\r")
		soft := bytes.HasSuffix(line, []byte("="))
		if soft {
			line = line[:len(line)-1]
		}
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 < len(line) {
				hi, lo := hex(line[i+1]), hex(line[i+2])
				if hi >= 0 && lo >= 0 {
					out = append(out, byte(hi<<4|lo))
					i += 2
					continue
				}
			}
			out = append(out, line[i])
		}
		if ended && !soft {
			out = append(out, '\r', '\n')
		}
	}
	return out
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// split returns the parts of a multipart body. Without a boundary, it is what
// the first line that begins with "--" has. The last part may lack its end.
func split(body []byte, boundary string) [][]byte {
	var out [][]byte
	start := -1
	for at := 0; at < len(body); {
		next := len(body)
		if n := bytes.IndexByte(body[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		line := bytes.TrimRight(body[at:next], " \t\r\n")
		if boundary == "" && len(line) > 2 && bytes.HasPrefix(line, []byte("--")) {
			boundary = string(line[2:])
		}
		if rest, ok := bytes.CutPrefix(line, []byte("--"+boundary)); ok && boundary != "" {
			if last := string(rest) == "--"; last || len(rest) == 0 {
				if start >= 0 {
					out = append(out, trimEnd(body[start:at]))
				}
				if start = next; last {
					return out
				}
			}
		}
		at = next
	}
	if start >= 0 && start < len(body) {
		out = append(out, body[start:])
	}
	return out
}

// trimEnd removes the line end before a boundary, which belongs to that.
func trimEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// unflow joins the lines of format=flowed (RFC 3676).
func unflow(s string, delsp bool) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		text, ended := strings.CutSuffix(line, "\n")
		text = strings.TrimPrefix(text, " ") // stuffed
		if ended && strings.HasSuffix(text, " ") && text != "-- " {
			if delsp {
				text = text[:len(text)-1]
			}
			b.WriteString(text)
			continue
		}
		b.WriteString(text)
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
