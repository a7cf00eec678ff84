package rules

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// screen is a body as a person reads it. It is built only for a body in which a
// link or an address was found, or one that mentions a service.
type screen struct {
	b     []byte
	lines []line
	// quoted is where in the body an element begins that holds an older
	// message; -1 for nowhere.
	quoted int
	// signed are the signatures in the text: pairs of offsets.
	signed []int
	// hidden are the comments, scripts and styles of the body: pairs of offsets.
	hidden []int
}

// line says where a line of the text begins, there and in the body.
type line struct{ text, raw int }

func (t *screen) String() string { return unsafe.String(unsafe.SliceData(t.b), len(t.b)) }

func (t *screen) reset() {
	t.b, t.lines, t.quoted = t.b[:0], t.lines[:0], -1
	t.hidden, t.signed = t.hidden[:0], t.signed[:0]
}

// raw returns the offset in the body for one in the text: that of the line.
func (t *screen) raw(text int) int {
	i := sort.Search(len(t.lines), func(i int) bool { return t.lines[i].text > text })
	if i == 0 {
		return 0
	}
	return t.lines[i-1].raw
}

// at returns the offset in the text of the line that has an offset of the body.
func (t *screen) at(raw int) int {
	i := sort.Search(len(t.lines), func(i int) bool { return t.lines[i].raw > raw })
	if i == 0 {
		return 0
	}
	return t.lines[i-1].text
}

// older reports whether a place belongs to an older message: behind the offset
// quoted of the text, in an element that holds one, or in a line that begins
// with ">".
func (t *screen) older(text, raw, quoted int) bool {
	if text >= quoted && quoted < len(t.b) || t.quoted >= 0 && raw >= t.quoted {
		return true
	}
	// A line of mail is short: without a limit a text that is one line would be
	// read again for each link in it.
	text = min(text, len(t.b))
	s := t.String()[max(0, text-4096):]
	i := strings.LastIndexByte(s[:min(text, 4096)], '\n') + 1
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i < len(s) && s[i] == '>'
}

func (t *screen) newline(raw int) {
	n := len(t.b)
	for n > 0 && t.b[n-1] == ' ' {
		n--
	}
	t.b = t.b[:n]
	if n > 0 && t.b[n-1] != '\n' {
		t.b = append(t.b, '\n')
	}
	if k := len(t.lines); k > 0 && t.lines[k-1].text == len(t.b) {
		t.lines[k-1].raw = raw
		return
	}
	t.lines = append(t.lines, line{len(t.b), raw})
}

func (t *screen) space() {
	if n := len(t.b); n > 0 && t.b[n-1] != ' ' && t.b[n-1] != '\n' {
		t.b = append(t.b, ' ')
	}
}

// rune appends one rune as it is read: blanks of any width as one, digits and
// colons of other widths as the common ones, nothing for what has no width.
func (t *screen) rune(r rune) {
	switch {
	case invisible(r):
	case blank(r) || r < ' ':
		t.space()
	case r == 0xFF1A || r == 0xFE55:
		t.b = append(t.b, ':')
	case 0xFF10 <= r && r <= 0xFF19:
		t.b = append(t.b, byte(r-0xFF10)+'0')
	case 0x2010 <= r && r <= 0x2012:
		t.b = append(t.b, '-')
	default:
		t.b = utf8.AppendRune(t.b, r)
	}
}

// plainByte are the bytes that render copies in runs.
var plainByte [256]bool

func init() {
	for c := 0x21; c < 0x7F; c++ {
		plainByte[c] = c != '<' && c != '&'
	}
	plainByte[' '] = true
}

// plainRun returns where the run of plain bytes ends that begins at i. It looks
// at eight bytes at a time.
func plainRun(s string, i int) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for i+8 <= len(b) {
		if m := notPlain(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(s) && plainByte[s[i]] {
		i++
	}
	return i
}

// notPlain has the high bit set in the lowest of eight bytes that is not plain,
// and perhaps in some above it, where it is a carry; it is 0 if all are plain.
func notPlain(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	lt, amp := x^'<'*ones, x^'&'*ones
	return (x | (x + ones) | (x-' '*ones)&^x | (lt-ones)&^lt | (amp-ones)&^amp) & highs
}

// tagKind is what a tag does to the screen.
type tagKind uint8

const (
	inlineKind tagKind = iota // nothing
	cellKind                  // a blank
	blockKind                 // a new line
	quoteKind                 // a new line, and an older message may begin with it
	headKind                  // its content is not shown, up to the closing tag
)

// tagKinds are the tags that do something, by their names as tagName packs them.
// The map is turned into a table of fixed size, at half its load at most.
var tagKinds = func() (table [128]struct {
	name uint64
	kind tagKind
}) {
	for kind, names := range map[tagKind][]string{
		cellKind: {"td", "th"},
		blockKind: {"p", "br", "tr", "li", "ul", "ol", "table", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "pre",
			"section", "article", "header", "footer", "dt", "dd", "center", "body", "address"},
		quoteKind: {"div"},
		headKind:  {"style", "script", "head", "title"},
	} {
		for _, n := range names {
			name, _ := tagName(n)
			i := name * tagSpread >> 57
			for table[i].name != 0 {
				i = (i + 1) % uint64(len(table))
			}
			table[i].name, table[i].kind = name, kind
		}
	}
	return table
}()

// tagSpread is 2 to the 64th over the golden ratio, as for any such hash.
const tagSpread = 0x9E3779B97F4A7C15

// tagName packs the name at the start of s into 8 bytes, without regard to case,
// and returns its length. A longer name than that is 0.
func tagName(s string) (name uint64, n int) {
	for n < len(s) && isAlnum(s[n]) && n < 12 {
		name = name<<8 | uint64(s[n]|0x20)
		n++
	}
	if n > 8 {
		name = 0
	}
	return name, n
}

// kindOf returns what the tag does whose name s begins with, and the length of
// the name.
func kindOf(s string) (tagKind, int) {
	name, n := tagName(s)
	if name == 0 {
		if n > 8 && fold(s[:n], "blockquote") {
			return quoteKind, n
		}
		return inlineKind, n
	}
	for i := name * tagSpread >> 57; ; i = (i + 1) % uint64(len(tagKinds)) {
		switch e := &tagKinds[i]; e.name {
		case name:
			return e.kind, n
		case 0:
			return inlineKind, n
		}
	}
}

// quoteMarks are how the elements begin that mail programs put around an older
// message: Gmail, Outlook on the web and on mobiles, Thunderbird, Apple Mail,
// Yahoo.
var quoteMarks = [...]string{
	`<div class="gmail_quote`, `<div id="divRplyFwdMsg"`, `<div id="appendonsend"`, `<div class="moz-cite-prefix"`,
	`<div class="yahoo_quoted"`, `<blockquote type="cite"`, `<blockquote class="gmail_quote"`,
}

// quotes reports whether an older message begins with this tag, whose name has
// that length.
func quotes(tag string, name int) bool {
	if at := 1 + name + 1; at >= len(tag) || tag[at] != 'c' && tag[at] != 'i' && tag[at] != 't' {
		return false
	}
	for _, m := range quoteMarks {
		if len(tag) > len(m) && tag[:len(m)] == m {
			return true
		}
	}
	return false
}

// render writes what s shows.
func (t *screen) render(s string, html bool) {
	t.reset()
	t.lines = append(t.lines, line{0, 0})
	for i := 0; i < len(s); {
		if plainByte[s[i]] {
			j := plainRun(s, i+1)
			t.run(s[i:j])
			if i = j; i == len(s) {
				break
			}
		}
		switch c := s[i]; {
		case c == '<' && html:
			i = t.tag(s, i)
		case c == '&' && html:
			r, w := entity(s[i:])
			if w == 0 {
				r, w = '&', 1
			}
			t.rune(r)
			i += w
		case c == '\n' && !html:
			i++
			t.newline(i)
		case c == '<' || c == '&':
			t.b = append(t.b, c)
			i++
		case c < utf8.RuneSelf:
			t.space()
			i++
		default:
			r, w := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && w < 2 {
				r = ' '
			}
			t.rune(r)
			i += w
		}
	}
}

// run appends text without markup. A blank at its start joins the one before
// it; others stay, since next to no HTML has two in a line.
func (t *screen) run(s string) {
	if s[0] == ' ' {
		t.space()
		for s != "" && s[0] == ' ' {
			s = s[1:]
		}
	}
	t.b = append(t.b, s...)
}

// tag handles what begins with "<" at i and returns the offset after it.
func (t *screen) tag(s string, i int) int {
	rest := s[i:]
	// The most frequent tags change nothing on the screen.
	switch {
	case strings.HasPrefix(rest, "</span>"):
		return i + len("</span>")
	case strings.HasPrefix(rest, "<o:p>"):
		return i + len("<o:p>")
	case strings.HasPrefix(rest, "</o:p>"):
		return i + len("</o:p>")
	}
	if strings.HasPrefix(rest, "<span ") {
		if end := index(s, '>', i+len("<span ")); end < len(s) {
			return end + 1
		}
	}
	if strings.HasPrefix(rest, "<!--") {
		end := commentEnd(s, i)
		// The content of a conditional comment is shown by Outlook.
		if !strings.HasPrefix(rest, "<!--[if") && !strings.HasPrefix(rest, "<!-- [if") {
			t.hidden = append(t.hidden, i, end)
		}
		return end
	}
	k := i + 1
	if k < len(s) && s[k] == '/' {
		k++
	}
	name := k
	kind, n := kindOf(s[name:])
	k += n
	if n == 0 && !strings.HasPrefix(rest, "<!") && !strings.HasPrefix(rest, "<?") && !strings.HasPrefix(rest, "</") {
		t.b = append(t.b, '<')
		return i + 1
	}
	end := k
	if k >= len(s) || s[k] != '>' {
		end = index(s, '>', k)
	}
	if end < len(s) {
		end++
	}
	switch opens := name == i+1; kind {
	case headKind:
		if !opens {
			return end
		}
		closing := "</title"
		switch lower(s[name+1]) {
		case 't':
			closing = "</style"
		case 'c':
			closing = "</script"
		case 'e':
			return t.head(s, end)
		}
		close := indexFold(s, closing, end)
		if closing != "</title" {
			t.hidden = append(t.hidden, i, close)
		}
		return close
	case cellKind:
		t.space()
	case blockKind:
		t.newline(i)
	case quoteKind:
		if opens && t.quoted < 0 && quotes(rest, n) {
			t.quoted = i
		}
		t.newline(i)
	}
	return end
}

// head skips the head of a document, if it is closed.
func (t *screen) head(s string, from int) int {
	limit := min(len(s), from+64<<10)
	for i := index(s[:limit], '<', from); i < limit; i = index(s[:limit], '<', i+1) {
		if hasPrefixFold(s[i:], "</head") {
			return i + len("</head")
		}
		if hasPrefixFold(s[i:], "<body") {
			return i
		}
		// Styles and comments are hidden here too.
		if c := s[i+1:]; strings.HasPrefix(c, "!--") || hasPrefixFold(c, "style") || hasPrefixFold(c, "script") {
			i = t.tag(s, i) - 1
		}
	}
	return from
}

// shows reports whether an offset of the body is not in a comment, a script or
// a style.
func (t *screen) shows(pos int) bool {
	for i := 0; i < len(t.hidden); i += 2 {
		if t.hidden[i] <= pos && pos < t.hidden[i+1] {
			return false
		}
	}
	return true
}

// quotedFrom returns the offset in the text from which on it is an older
// message, or the length of the text. Only what begins before the offset last
// of the body counts.
func (t *screen) quotedFrom(last int) int {
	s := t.String()
	for i := range t.lines {
		if t.lines[i].raw > last {
			break
		}
		if c := t.lines[i].text; c < len(s) && !quoteStarts[s[c]] {
			continue
		}
		end := len(s)
		if i+1 < len(t.lines) {
			end = t.lines[i+1].text
		}
		l := unmarked(s[t.lines[i].text:end])
		switch {
		case l == "":
			continue
		case l[0] == '-' && strings.HasPrefix(l, "-----") && len(l) > 12:
			w := strings.Trim(l, "- \n")
			if w != "" && len(w) < 60 && (strings.HasPrefix(strings.TrimLeft(l, "-"), "Original") || strings.HasPrefix(strings.TrimLeft(l, "-"), " ") || strings.Contains(l, "Original")) {
				return t.lines[i].text
			}
		case strings.HasPrefix(l, "Begin forwarded message:"):
			return t.lines[i].text
		}
		if !labelIn(l, fromLabels[:]) {
			continue
		}
		for k := i + 1; k < len(t.lines) && k < i+5; k++ {
			e := len(s)
			if k+1 < len(t.lines) {
				e = t.lines[k+1].text
			}
			if labelIn(unmarked(s[t.lines[k].text:e]), sentLabels[:]) {
				return t.lines[i].text
			}
		}
	}
	return len(s)
}

// unmarked returns a line without the signs of quoting and emphasis before it.
func unmarked(l string) string {
	for l != "" && (l[0] == ' ' || l[0] == '*' || l[0] == '_' || l[0] == '>') {
		l = l[1:]
	}
	return l
}

// quoteStarts are the bytes that a line begins with that may start an older
// message.
var quoteStarts [256]bool

func init() {
	for _, l := range fromLabels {
		quoteStarts[l[0]] = true
	}
	for _, c := range " *_>-B" {
		quoteStarts[c] = true
	}
}

func labelIn(s string, labels []string) bool {
	for _, l := range labels {
		if s != "" && s[0] == l[0] && strings.HasPrefix(s, l) && strings.HasPrefix(strings.TrimLeft(s[len(l):], "* "), ":") {
			return true
		}
	}
	return false
}

// The first and a later line of the block that Outlook puts before an older
// message, as Outlook's language packs have them.
var (
	fromLabels = [...]string{"From", "Von", "De", "Da", "Från", "Fra", "Van", "Od", "Lähettäjä", "От", "差出人", "发件人", "寄件者", "보낸 사람", "Kimden"}
	sentLabels = [...]string{"Sent", "When", "Date", "Gesendet", "Datum", "Envoyé", "Enviado", "Enviado el", "Enviada", "Enviada em", "Enviado em", "Inviato", "Data", "Skickat", "Sendt", "Verzonden", "Wysłano", "Lähetetty", "Отправлено", "送信日時", "发送时间", "寄件日期", "보낸 날짜", "Gönderildi"}
)
