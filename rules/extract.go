package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Classes of bytes. urlByte are those that a link is copied over in runs.
var (
	urlByte  [256]bool
	hostByte [256]bool
	userByte [256]bool
)

func init() {
	for c := range 256 {
		b := byte(c)
		hostByte[c] = isHost(b)
		urlByte[c] = isAlnum(b) || c < 0x80 && strings.IndexByte("-._~:/?#@!$()*+,;%{}=", b) >= 0 && b != 0
		userByte[c] = isAlnum(b) || c >= 0x80 || c < 0x80 && strings.IndexByte("-._~+%*!#=$&", b) >= 0 && b != 0
	}
	for _, t := range inlineTags {
		inlineFirst[t[0]] = true
	}
}

// inlineTags are the tags that a link on the screen may run across, and
// inlineFirst the letters that they begin with.
var (
	inlineTags  = [...]string{"wbr", "span", "b", "i", "u", "font", "em", "strong", "small", "code", "tt"}
	inlineFirst [256]bool
)

// extract copies the link that begins at from into the arena: entities are
// decoded, invisible characters and inline tags left out. It ends where a
// reader would end it; end is the offset in s after it.
func (sc *scratch) extract(s string, from int, html bool) (uri string, end int) {
	a := &sc.a
	n := len(a.b)
	quote := byte(0)
	if html && from > 0 && (s[from-1] == '"' || s[from-1] == '\'') && attribute(s, from-1) {
		quote = s[from-1]
	} else if from > 0 && s[from-1] == '\'' {
		quote = '\''
	}
	attr := html && quote != 0
	i := from
loop:
	for i < len(s) && len(a.b)-n < maxURI {
		run := s[i:min(len(s), i+maxURI)]
		j := urlRun(run)
		a.b = append(a.b, run[:j]...)
		if i += j; j == len(run) {
			continue
		}
		sc.steps++
		switch c := s[i]; {
		case (c == '\n' || c == '\r') && i > from && s[i-1] == '=':
			// A soft line break of quoted-printable: it goes, with its "=".
			a.b = a.b[:len(a.b)-1]
			i += newline(s[i:])
		case c == '&':
			r, w := entity(s[i:])
			if w == 0 {
				a.b = append(a.b, c)
				i++
				continue
			}
			if r == '&' {
				for strings.HasPrefix(s[i+w:], "amp;") {
					w += 4
				}
				if escapedTwice(s[i+w:]) {
					break loop
				}
				a.b = append(a.b, '&')
				i += w
				continue
			}
			if blank(r) || r < ' ' || r == '<' || r == '>' || r == '"' {
				break loop
			}
			if !invisible(r) {
				a.b = utf8.AppendRune(a.b, r)
			}
			i += w
		case c == '\'' && quote != '\'':
			a.b = append(a.b, c)
			i++
		case c == '<' && html && !attr:
			w := inlineTag(s[i:])
			if w == 0 {
				break loop
			}
			i += w
		case attr && (c == '\n' || c == '\r' || c == '\t'):
			// A browser takes a line break out of an address; what a mail program
			// indented the next line with goes with it.
			for i++; i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t'); i++ {
			}
		case c == '\\':
			r, w := jsonEscape(s[i:])
			if w == 0 {
				break loop
			}
			a.b = append(a.b, r)
			i += w
		case c >= utf8.RuneSelf:
			r, w := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError:
				break loop
			case invisible(r):
			case (r == 0xFF0E || r == 0x3002 || r == 0xFF61) && strings.Count(a.since(n), "/") <= 2:
				a.b = append(a.b, '.')
			case r < 0x2000 && (unicode.IsLetter(r) || unicode.IsMark(r)):
				a.b = append(a.b, s[i:i+w]...)
			default:
				break loop
			}
			i += w
		default:
			break loop
		}
	}
	if len(a.b)-n >= maxURI {
		sc.cap("a link is longer than 8 KB")
		a.b = a.b[:n]
		return "", i
	}
	uri = trimLink(a.since(n))
	if q := strings.IndexByte(uri, '?'); q >= 0 {
		if u := unquoted(a, uri[q:]); len(u) != len(uri)-q {
			uri = a.join(uri[:q], u)
		}
	}
	return uri, i
}

// urlRun returns the length of the run of urlBytes at the start of s. Links are
// long: it looks at four bytes at a time.
func urlRun(s string) int {
	i := 0
	for i+4 <= len(s) && urlByte[s[i]] && urlByte[s[i+1]] && urlByte[s[i+2]] && urlByte[s[i+3]] {
		i += 4
	}
	for i < len(s) && urlByte[s[i]] {
		i++
	}
	return i
}

// escapedTwice reports whether an ampersand before s was that of an entity that
// ends a link: "&amp;nbsp;" was a blank before it was escaped twice.
func escapedTwice(s string) bool {
	if s == "" || s[0] != 'n' && s[0] != 'l' && s[0] != 'g' && s[0] != 'q' {
		return false
	}
	return strings.HasPrefix(s, "nbsp;") || strings.HasPrefix(s, "lt;") || strings.HasPrefix(s, "gt;") || strings.HasPrefix(s, "quot;")
}

// attribute reports whether the quote at i begins the value of an attribute.
func attribute(s string, i int) bool {
	for i--; i >= 0 && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t'); i-- {
	}
	return i >= 0 && s[i] == '='
}

// newline returns the width of a line break at the start of s, or 0.
func newline(s string) int {
	if strings.HasPrefix(s, "\r\n") {
		return 2
	}
	if s != "" && (s[0] == '\n' || s[0] == '\r') {
		return 1
	}
	return 0
}

// inlineTag returns the width of the tag at the start of s if a link may run
// across it, or 0.
func inlineTag(s string) int {
	i := 1
	if i < len(s) && s[i] == '/' {
		i++
	}
	if i == len(s) || !inlineFirst[lower(s[i])] {
		return 0
	}
	start := i
	for i < len(s) && i < start+8 && isAlnum(s[i]) {
		i++
	}
	for _, t := range inlineTags {
		if fold(s[start:i], t) {
			if e := strings.IndexByte(s[i:min(len(s), i+512)], '>'); e >= 0 {
				return i + e + 1
			}
			return 0
		}
	}
	return 0
}

// jsonEscape decodes what JSON and iCalendar texts leave in a link when nobody
// has unescaped them.
func jsonEscape(s string) (c byte, width int) {
	if len(s) >= 2 && (s[1] == '/' || s[1] == ',' || s[1] == ';' || s[1] == '_' || s[1] == '&' || s[1] == '=' || s[1] == '-' || s[1] == '.') {
		return s[1], 2
	}
	if len(s) >= 6 && s[1] == 'u' && s[2] == '0' && s[3] == '0' && hexval(s[4]) >= 0 && hexval(s[5]) >= 0 {
		if c = byte(hexval(s[4])<<4 | hexval(s[5])); c > ' ' && c != '"' && c != '<' && c != '>' && c < 0x7F {
			return c, 6
		}
	}
	return 0, 0
}

// trimLink takes off what belongs to the sentence around a link: punctuation,
// and closing brackets that have no opening one in the link.
func trimLink(s string) string {
	if s == "" || isAlnum(s[len(s)-1]) {
		return s
	}
	open := [2]int{}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			open[0]++
		case ')':
			open[0]--
		case '{':
			open[1]++
		case '}':
			open[1]--
		}
	}
	for s != "" {
		switch s[len(s)-1] {
		case '.', ',', ';', ':', '!', '?', '\'', '*':
		case ')':
			if open[0] >= 0 {
				return s
			}
			open[0]++
		case '}':
			if open[1] >= 0 {
				return s
			}
			open[1]++
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// unquoted undoes quoted-printable's "=3D" in a query if every "=" is one.
func unquoted(a *arena, q string) string {
	if i := strings.IndexByte(q, '='); i < 0 || !hasPrefixFold(q[i:], "=3D") {
		return q
	}
	for i := 0; i < len(q); i++ {
		if q[i] == '=' && !hasPrefixFold(q[i:], "=3D") {
			return q
		}
	}
	n := len(a.b)
	for i := 0; i < len(q); i++ {
		a.b = append(a.b, q[i])
		if q[i] == '=' {
			i += 2
		}
	}
	return a.since(n)
}
