package rules

import (
	"strings"
	"unicode/utf8"
)

// Limits of what is looked at in one event. What is beyond them is reported by
// Explain and Why.
const (
	maxBody       = 1 << 20   // bytes of a field that are searched for links
	maxText       = 256 << 10 // bytes of a body that are read as text
	maxCandidates = 256       // links and addresses of known services
	maxScratch    = 4 << 20   // bytes of decoded text that are kept for the next event
)

// kind says what a found thing is.
type kind uint8

const (
	isLink   kind = iota // a join link of a known service
	isDial               // a SIP or H.323 address
	isCVI                // dial data of a Teams video interop block
	isOpaque             // a gateway's link that hides its target
	isWeak               // a number at a host: an address only if it is a meeting's number
)

// found is one thing that a scan has found. Its strings are in the arena or in
// the event.
type found struct {
	kind    kind
	field   Field
	span    Span
	rule    *linkRule // of a link
	uri     string    // the join link, the dial address
	raw     string    // the link before it was unwrapped, where it was
	gateway string
	host    string
	key     string // what makes two links the same meeting
	id, pin string
	room    string
	token   bool
	told    bool // the words before it say that it is for video systems
	scheme  Scheme
	h323    string // CVI: the H.323 form
	source  string // of a structured link
	group   int
}

// scanner walks one field's text.
type scanner struct {
	*scratch
	t      *table
	s      string
	html   bool
	field  Field
	source string
	// unknown is where the last link to an unknown host begins: what is inside
	// it is no link of its own.
	unknown int
	wrapper string // the host of a Safe Link that was seen, or empty
	hidden  hidden
	done    int // everything before it is decided
	slashed int // after the last slash before which a host was looked for
}

// scan finds the links and addresses in s. It looks at slashes and at-signs
// only, and decodes nothing before it has seen a host that matters.
func (sc *scratch) scan(t *table, s string, html bool, field Field, source string) {
	if len(s) > maxBody {
		s = s[:maxBody]
		sc.cap("a field is longer than 1 MB")
	}
	w := scanner{scratch: sc, t: t, s: s, html: html, field: field, source: source, unknown: -1}
	slash, at := nextSlash(s, 1), index(s, '@', 0)
	for slash < len(s) || at < len(s) {
		sc.steps++
		if len(sc.found) >= maxCandidates {
			sc.cap("more than 256 links and addresses")
			return
		}
		if slash < at {
			w.slash(slash)
			slash = nextSlash(s, max(slash+1, w.done))
			if at < w.done {
				at = index(s, '@', w.done)
			}
			continue
		}
		w.at(at)
		at = index(s, '@', max(at+1, w.done))
		if slash < w.done {
			slash = nextSlash(s, w.done)
		}
	}
	// What has neither sign is looked for where the body is read as text.
	if w.s = s[:min(len(s), maxText)]; len(w.s) < len(s) {
		sc.cap("of a body only the first 256 KB are searched for H.323 addresses")
	}
	if !html || len(sc.found) == 0 {
		w.hashes()
		w.h323()
	}
	if html && len(sc.found) == 0 {
		w.escaped()
	}
}

// nextSlash returns the first slash from an offset on, which is not 0, that is
// not the one of a closing tag; len(s) if there is none.
func nextSlash(s string, from int) int {
	for from < len(s) {
		i := strings.IndexByte(s[from:], '/')
		if i < 0 {
			break
		}
		if from += i; s[from-1] != '<' {
			return from
		}
		from++
	}
	return len(s)
}

// index is strings.IndexByte from an offset; len(s) if there is none.
func index(s string, c byte, from int) int {
	if from < len(s) {
		if i := strings.IndexByte(s[from:], c); i >= 0 {
			return from + i
		}
	}
	return len(s)
}

// slash decides about a slash that is not the first byte: the first one of "://", or the one after a host
// that was written without a scheme.
func (w *scanner) slash(p int) {
	s := w.s
	prev := s[p-1]
	if prev == ':' {
		if p+1 < len(s) && s[p+1] == '/' {
			w.scheme(p)
		} else if p >= 8 && hasSuffixFold(s[:p-1], "msteams") {
			w.candidate(p-8, p-8)
		}
		return
	}
	if prev == '\\' {
		// "https:\/\/" of JSON.
		if p >= 2 && s[p-2] == ':' && strings.HasPrefix(s[p+1:], `\/`) {
			for _, name := range [...]string{"https", "http"} {
				if hasSuffixFold(s[:p-2], name) {
					w.candidate(p-2-len(name), p-2-len(name))
					return
				}
			}
		}
		return
	}
	if prev == ';' && (p < 3 || !isAlnum(s[p-2])) {
		return
	}
	if prev == ';' || prev == '/' {
		// "https&#58;//" has its colon escaped.
		if prev == ';' && w.html {
			w.escapedColon(p)
		}
		if prev == ';' && w.html {
			w.bareHost(p)
		}
		return
	}
	if isAlnum(prev) || prev == '.' {
		w.bareHost(p)
	}
}

// scheme decides about "://" with its first slash at p.
func (w *scanner) scheme(p int) {
	s := w.s
	start := p - 1
	switch {
	case start >= 5 && (s[start-5:start] == "https" || fold(s[start-5:start], "https")):
		start -= 5
	case start >= 4 && fold(s[start-4:start], "http"):
		start -= 4
	case start >= 7 && (fold(s[start-7:start], "msteams") || fold(s[start-7:start], "zoommtg")):
		w.candidate(start-7, start-7)
		return
	case start >= 5 && fold(s[start-5:start], "pexip"):
		w.candidate(start-5, start-5)
		return
	case start >= 6 && fold(s[start-6:start], "zoomus"):
		w.candidate(start-6, start-6)
		return
	case start >= 5 && (fold(s[start-4:start], "sips")) || start >= 3 && fold(s[start-3:start], "sip"):
		return
	default:
		e := -1
		if w.html {
			e = escapedScheme(s, start)
		}
		if e < 0 {
			w.unknown = p
			return
		}
		start = e
	}
	h := p + 2
	if h < w.done {
		return
	}
	// The links of a mail have mostly passed the same gateway.
	if k := h + len(w.wrapper); w.wrapper != "" && k < len(s) && s[k] == '/' && s[h:k] == w.wrapper {
		w.safeLink(start, k)
		return
	}
	k := h + hostWidth(s[h:])
	if k == len(s) {
		w.unknown = start
		if !w.t.known(s[h:k]) {
			return
		}
	}
	var stop byte = '/'
	if k < len(s) {
		stop = s[k]
	}
	host := s[h:k]
	switch {
	case stop == '/' || stop == '?' || stop == ':' || stop == '#':
		rest := k
		if stop == ':' {
			for rest++; rest < len(s) && isDigit(s[rest]); rest++ {
			}
		}
		known, g, r := w.t.wants(strings.TrimSuffix(host, "."), s[rest:])
		if r != nil && r.Service == "zoom" {
			w.zoomPage(s[rest:])
		}
		if known ||
			rest < len(s) && s[rest] == '/' && (w.t.anyHost(s[rest:min(len(s), rest+40)]) || cviPath(s[rest:])) ||
			onPremHost(host) || w.tracing && w.t.known(host) {
			if stop == '/' && g == safeLinks && hostLabels(host) {
				w.wrapper = host
				w.safeLink(start, k)
				return
			}
			w.candidate(start, start)
			return
		}
	case stop == '&' && w.html, stop == '<' && w.html && inlineTag(s[k:]) > 0, stop >= utf8.RuneSelf, stop == '\\', stop == '=' && newline(s[k+1:]) > 0:
		w.candidate(start, start)
		return
	}
	w.pass(start, k)
}

// pass leaves a link out that begins at start, with its host up to k.
func (w *scanner) pass(start, k int) {
	w.unknown = start
	if w.html && start > 0 && w.s[start-1] == '"' {
		w.skip(k)
	}
}

// skip goes on after the attribute's value that an offset lies in: the slashes
// of a link to an unknown host are none of another link.
func (w *scanner) skip(from int) {
	if end := w.valueEnd(from); end >= 0 {
		w.done, w.unknown = end, -1
	}
}

// valueEnd returns where the attribute's value ends that an offset lies in; -1 if
// that cannot be told: a value with a blank or a tag in it may be one whose quote
// is missing.
func (w *scanner) valueEnd(from int) int {
	end := strings.IndexByte(w.s[from:min(len(w.s), from+1024)], '"')
	if end < 0 {
		return -1
	}
	value := w.s[from : from+end]
	if strings.IndexByte(value, ' ') >= 0 || strings.IndexByte(value, '<') >= 0 {
		return -1
	}
	for i := index(value, '&', 0); i < len(value); i = index(value, '&', i+1) {
		if !strings.HasPrefix(value[i:], "&amp;") {
			return -1
		}
	}
	return from + end
}

// escapedScheme returns where "http" or "https" begins that ends before end and
// has some of its letters escaped, as in "&#104;ttps"; -1 if there is none.
func escapedScheme(s string, end int) int {
	k := end
	for k > 0 && k > end-5 && isAlnum(s[k-1]) {
		k--
	}
	if k == 0 || s[k-1] != ';' {
		return -1
	}
	const letters = "https"
	for i, tries := max(0, end-len("&#x00068;")*len(letters)), 0; i < end && tries < len(letters); i++ {
		if s[i] != '&' && lower(s[i]) != 'h' {
			continue
		}
		tries++
		n, at := 0, i
		for at < end && n < len(letters) {
			r, width := rune(s[at]), 1
			if s[at] == '&' {
				if r, width = entity(s[at:end]); width == 0 {
					break
				}
			}
			if r >= utf8.RuneSelf || lower(byte(r)) != letters[n] {
				break
			}
			n, at = n+1, at+width
		}
		if at == end && n >= len("http") {
			return i
		}
	}
	return -1
}

// escapedColon is "https&#58;//" and the like, with the first slash at p.
func (w *scanner) escapedColon(p int) {
	lo := max(0, p-14)
	i := strings.LastIndexByte(w.s[lo:p], '&')
	if i < 0 {
		return
	}
	i += lo
	if r, n := entity(w.s[i:]); n > 0 && r == ':' {
		for _, name := range [...]string{"https", "http"} {
			if hasSuffixFold(w.s[:i], name) {
				w.candidate(i-len(name), i-len(name))
				return
			}
		}
	}
}

// bareHost is "zoom.us/j/1", with the slash at p. Only hosts of services are
// taken: a path such as "and/or" is none.
func (w *scanner) bareHost(p int) {
	s := w.s
	// The last label of a host is short, and of letters alone; most paths are
	// told from hosts by that.
	e := p
	if s[e-1] == '.' {
		e--
	}
	k := e
	for k > 0 && k > e-16 && isAlnum(s[k-1]) {
		k--
	}
	if k == 0 || k == e || s[k-1] != '.' && s[k-1] != ';' && s[k-1] != '-' && s[k-1] < utf8.RuneSelf {
		return
	}
	lo := max(w.done, w.slashed, p-100, 0)
	w.slashed = p + 1
	i := p
	dots := 0
	for i > lo && (hostByte[s[i-1]] || w.html && (s[i-1] == ';' || s[i-1] == '&' || s[i-1] == '#')) {
		i--
		if s[i] == '.' || s[i] == ';' {
			dots++
		}
	}
	if dots == 0 || i == p {
		return
	}
	for i < p && (s[i] == '&' || s[i] == ';' || s[i] == '#') {
		if r, n := entity(s[i:]); n > 0 && i+n < p && (r == '/' || r == ':' || blank(r) || r == '<' || r == '>' || r == '"') {
			i += n
			continue
		} else if n > 0 {
			break
		}
		i++
	}
	host := s[i:p]
	start := i
	if e := strings.IndexByte(host, ';'); e >= 0 {
		// Escapes inside, or "&sol;&sol;" before: the host is after the last one
		// that is no part of a name.
		host = w.a.decode(host)
		if j := strings.LastIndexAny(host, "/:@ "); j >= 0 {
			host = host[j+1:]
			if strings.HasSuffix(s[i:p], host) {
				start = p - len(host)
			}
		}
	}
	if !w.t.known(strings.TrimSuffix(host, ".")) {
		return
	}
	// An address "user@host/…" or a path "evil.example/zoom.us/j/1" is no link.
	if start > 0 && strings.IndexByte("@/\\%=?&._-", s[start-1]) >= 0 && !(start > 1 && s[start-1] == '/' && (s[start-2] == '/' || s[start-2] == ';')) {
		return
	}
	w.candidateBare(start)
}

// decode returns s without character references.
func (a *arena) decode(s string) string {
	n := len(a.b)
	for i := 0; i < len(s); {
		if s[i] == '&' {
			if r, w := entity(s[i:]); w > 0 {
				if !invisible(r) {
					a.b = utf8.AppendRune(a.b, r)
				}
				i += w
				continue
			}
		}
		a.b = append(a.b, s[i])
		i++
	}
	return a.since(n)
}

// inside reports whether the offset lies in a link to an unknown host.
func (w *scanner) inside(start int) bool {
	if w.unknown < 0 || w.unknown >= start {
		return false
	}
	for i := w.unknown; i < start; i++ {
		switch c := w.s[i]; {
		case c <= ' ' || c == '"' || c == '<' || c == '>' || c == '|' || c == ']' || c == '`' || c == 0x7F:
			w.unknown = -1
			return false
		case c == 0xC2 || c >= 0xE2 && c <= 0xEF:
			if r, n := utf8.DecodeRuneInString(w.s[i:]); n > 1 && (blank(r) || r >= 0x2000) && !invisible(r) {
				w.unknown = -1
				return false
			}
		case c == '&' && w.html:
			if r, n := entity(w.s[i:]); n > 0 && (blank(r) || r == '<' || r == '>' || r == '"') {
				w.unknown = -1
				return false
			}
		}
	}
	return true
}

// candidate takes the link that begins at start and decides about it.
func (w *scanner) candidate(start, from int) {
	if start < w.done || w.inside(start) {
		return
	}
	uri, end := w.extract(w.s, from, w.html)
	w.take(uri, start, end)
}

func (w *scanner) candidateBare(start int) {
	if start < w.done || w.inside(start) {
		return
	}
	uri, end := w.extract(w.s, start, w.html)
	w.take(w.a.join("https://", uri), start, end)
}

func (w *scanner) take(uri string, start, end int) {
	w.done = max(w.done, end)
	w.unknown = -1
	if uri == "" || w.hides(start) || w.html && scripted(w.s, start) {
		return
	}
	span := Span{Source: w.source, Start: start, End: end}
	n := len(w.found)
	w.evaluate(w.t, uri, w.field, span)
	switch {
	case w.html:
		if i := w.query(end); i > 0 {
			w.continued(n, uri, start, i)
		}
	case newline(w.s[end:]) > 0:
		// A "?" at the end of a line is that of a sentence, or the link was cut
		// before its query.
		tail := w.s[marks(w.s, start, end, uri):end]
		if tail == "?" && strings.IndexByte(uri, '?') < 0 {
			uri, tail = w.a.join(uri, "?"), ""
		}
		// Other marks end the sentence, and the link with it, but for one in brackets.
		if !w.bracketed(n, w.a.join(uri, tail), start, end) && tail == "" {
			w.continued(n, uri, start, end+newline(w.s[end:]))
		}
	}
}

// scripted reports whether the link is inside a javascript: or data: address.
func scripted(s string, start int) bool {
	lo := max(0, start-200)
	i := start
	for i > lo && s[i-1] != '"' && s[i-1] != '<' && s[i-1] != '>' && s[i-1] != '\n' {
		i--
	}
	return hasPrefixFold(s[i:], "javascript:") || hasPrefixFold(s[i:], "data:")
}

// escaped looks for an address whose every sign is escaped, such as
// "sip:1&#64;zoomcrc.com", in a text where nothing else was found.
func (w *scanner) escaped() {
	for p := index(w.s, '&', 0); p < len(w.s); p = index(w.s, '&', p+1) {
		rest := w.s[p:]
		n := 0
		for _, e := range [...]string{"&#64;", "&#x40;", "&commat;"} {
			if strings.HasPrefix(rest, e) {
				n = len(e)
			}
		}
		if n == 0 {
			continue
		}
		lo, hi := p, p+n
		for lo > 0 && lo > p-100 && (userByte[w.s[lo-1]] || w.s[lo-1] == ':') {
			lo--
		}
		for hi < len(w.s) && hi < p+n+120 && (hostByte[w.s[hi]] || w.s[hi] == ':') {
			hi++
		}
		text := w.a.join(w.s[lo:p], "@", w.s[p+n:hi])
		inner := scanner{scratch: w.scratch, t: w.t, s: text, field: w.field, source: w.source}
		before := len(w.found)
		inner.at(p - lo)
		for k := before; k < len(w.found); k++ {
			w.found[k].span = Span{Source: w.source, Start: lo, End: hi}
		}
	}
}
