package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF   tokenKind = iota
	tokText            // text outside of tags
	tokVar             // {{
	tokBlock           // {%
	tokEnd             // }} or %}
	tokName
	tokInt
	tokFloat
	tokString
	tokOp
)

type token struct {
	kind tokenKind
	pos  int
	text string // name, operator, decoded string, text
	num  Value
}

// lexer cuts a template into tokens, all at once: templates are short.
type lexer struct {
	src    string
	pos    int
	tokens []token
}

func lex(src string) ([]token, *Error) {
	l := &lexer{src: src}
	if err := l.run(); err != nil {
		return nil, err
	}
	l.tokens = append(l.tokens, token{kind: tokEOF, pos: len(src)})
	return l.tokens, nil
}

func (l *lexer) run() *Error {
	// As Jinja2 does, one newline at the end is dropped.
	end := len(l.src)
	if strings.HasSuffix(l.src, "\n") {
		end--
		if strings.HasSuffix(l.src[:end], "\r") {
			end--
		}
	}
	trim := false // the tag before ended in -%}
	for l.pos < end {
		open := nextTag(l.src[l.pos:end])
		text, start := l.src[l.pos:end], l.pos
		if open >= 0 {
			text = l.src[l.pos : l.pos+open]
		}
		if trim {
			cut := strings.TrimLeft(text, " \t\r\n\v\f")
			start += len(text) - len(cut)
			text = cut
		}
		if open < 0 {
			l.text(start, text)
			return nil
		}
		at := l.pos + open
		inside := at + 2
		if strings.HasPrefix(l.src[inside:], "-") {
			text = strings.TrimRight(text, " \t\r\n\v\f")
			inside++
		} else if strings.HasPrefix(l.src[inside:], "+") {
			inside++
		}
		l.text(start, text)
		l.pos = inside
		var err *Error
		if l.src[at+1] == '#' {
			trim, err = l.comment(at)
		} else {
			trim, err = l.tag(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nextTag returns the offset of the next {{, {% or {#, or -1.
func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		n := strings.IndexByte(s[i:], '{')
		if n < 0 || i+n+1 >= len(s) {
			return -1
		}
		i += n
		if c := s[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
	return -1
}

func (l *lexer) text(pos int, s string) {
	if s != "" {
		l.tokens = append(l.tokens, token{kind: tokText, pos: pos, text: s})
	}
}

func (l *lexer) comment(at int) (trim bool, err *Error) {
	n := strings.Index(l.src[l.pos:], "#}")
	if n < 0 {
		return false, errorAt(l.src, at, "comment is not closed; add #}")
	}
	trim = n > 0 && l.src[l.pos+n-1] == '-'
	l.pos += n + 2
	return trim, nil
}

func (l *lexer) tag(at int) (trim bool, err *Error) {
	closing, kind := "}}", tokVar
	if l.src[at+1] == '%' {
		closing, kind = "%}", tokBlock
	}
	l.tokens = append(l.tokens, token{kind: kind, pos: at})
	first := len(l.tokens)
	var open []byte
	for {
		for l.pos < len(l.src) && strings.IndexByte(" \t\r\n\v\f", l.src[l.pos]) >= 0 {
			l.pos++
		}
		rest := l.src[l.pos:]
		if rest == "" {
			return false, errorAt(l.src, at, "%s is not closed; add %s", l.src[at:at+2], closing)
		}
		if len(open) == 0 {
			if strings.HasPrefix(rest, "-"+closing) || strings.HasPrefix(rest, "+"+closing) {
				trim = rest[0] == '-'
				rest, l.pos = rest[1:], l.pos+1
			}
			if strings.HasPrefix(rest, closing) {
				l.tokens = append(l.tokens, token{kind: tokEnd, pos: l.pos})
				l.pos += 2
				if kind == tokBlock && len(l.tokens) == first+2 && l.tokens[first].text == "raw" && l.tokens[first].kind == tokName {
					l.tokens = l.tokens[:first-1]
					return l.raw(at, trim)
				}
				return trim, nil
			}
		}
		if err := l.token(&open); err != nil {
			return false, err
		}
	}
}

// raw takes text up to {% endraw %} as it stands.
func (l *lexer) raw(at int, trimStart bool) (trim bool, err *Error) {
	for from := l.pos; ; {
		n := strings.Index(l.src[from:], "{%")
		if n < 0 {
			return false, errorAt(l.src, at, "{%% raw %%} is not closed; add {%% endraw %%}")
		}
		tag := from + n
		body, after, ok := strings.Cut(l.src[tag+2:], "%}")
		word := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(body, "-"), "-"))
		if !ok || word != "endraw" {
			from = tag + 2
			continue
		}
		text := l.src[l.pos:tag]
		if trimStart {
			text = strings.TrimLeft(text, " \t\r\n\v\f")
		}
		if strings.HasPrefix(body, "-") {
			text = strings.TrimRight(text, " \t\r\n\v\f")
		}
		l.text(l.pos, text)
		l.pos = len(l.src) - len(after)
		return strings.HasSuffix(body, "-"), nil
	}
}

// operators, the longer ones first.
var operators = []string{"//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "(", ")", "[", "]", "{", "}", ",", ".", ":", "|", "="}

func (l *lexer) token(open *[]byte) *Error {
	at := l.pos
	rest := l.src[at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		return l.str()
	case c >= '0' && c <= '9':
		return l.number()
	case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		n := 1
		for n < len(rest) && isNameByte(rest[n]) {
			n++
		}
		l.tokens = append(l.tokens, token{kind: tokName, pos: at, text: rest[:n]})
		l.pos += n
		return nil
	}
	for _, o := range operators {
		if !strings.HasPrefix(rest, o) {
			continue
		}
		switch o {
		case "(", "[", "{":
			*open = append(*open, o[0])
		case ")", "]", "}":
			n := len(*open)
			if n > 0 && closerOf((*open)[n-1]) != o[0] {
				return errorAt(l.src, at, "expected %q, not %q", string(closerOf((*open)[n-1])), o)
			}
			if n == 0 {
				return errorAt(l.src, at, "%q closes nothing; a variable ends with }}, a tag with %%}", o)
			}
			*open = (*open)[:n-1]
		}
		l.tokens = append(l.tokens, token{kind: tokOp, pos: at, text: o})
		l.pos += len(o)
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	switch r {
	case '“', '”', '‘', '’':
		return errorAt(l.src, at, "%q is a typographic quote; write ' or \"", r)
	case '!', '&':
		return errorAt(l.src, at, "unexpected %q; write not, and, or", r)
	}
	return errorAt(l.src, at, "unexpected character %q", r)
}

func closerOf(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (l *lexer) number() *Error {
	rest := l.src[l.pos:]
	n, float := 0, false
	for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '_') {
		n++
	}
	if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
		float = true
		for n++; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; {
			n++
		}
	}
	if e := exponent(rest[n:]); e > 0 {
		float, n = true, n+e
	}
	if n < len(rest) && isNameByte(rest[n]) {
		return errorAt(l.src, l.pos, "a number may not run into a name")
	}
	tok := token{kind: tokInt, pos: l.pos, text: rest[:n]}
	digits := strings.ReplaceAll(rest[:n], "_", "")
	if float {
		tok.kind = tokFloat
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return errorAt(l.src, l.pos, "number out of range")
		}
		tok.num = Number(f)
	} else {
		i, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return errorAt(l.src, l.pos, "number out of range")
		}
		tok.num = Integer(int(i))
	}
	l.tokens = append(l.tokens, tok)
	l.pos += n
	return nil
}

// exponent returns the length of e5, E+5 or e-5 at the start of s.
func exponent(s string) int {
	n := 1
	if s == "" || s[0]|0x20 != 'e' {
		return 0
	}
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	digits := n
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == digits {
		return 0
	}
	return n
}

// str reads a quoted string. Escapes are those of Python, but for \b and \1:
// these are a backspace and a control character there, which nobody has a use
// for, and are meant as parts of a regular expression here. So a template may
// say '\d+' and '\1' without doubling the backslash, and '\\d+' is the same.
func (l *lexer) str() *Error {
	at := l.pos
	quote := l.src[at]
	var b strings.Builder
	for i := at + 1; i < len(l.src); i++ {
		c := l.src[i]
		if c == quote {
			l.tokens = append(l.tokens, token{kind: tokString, pos: at, text: b.String()})
			l.pos = i + 1
			return nil
		}
		if c != '\\' || i+1 == len(l.src) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c = l.src[i]; c {
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case '\n': // a line that goes on
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+n >= len(l.src) {
				return errorAt(l.src, i-1, `\%c needs %d hexadecimal digits`, c, n)
			}
			r, err := strconv.ParseUint(l.src[i+1:i+1+n], 16, 32)
			if err != nil || !utf8.ValidRune(rune(r)) {
				return errorAt(l.src, i-1, `\%c needs %d hexadecimal digits of a character`, c, n)
			}
			b.WriteRune(rune(r))
			i += n
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return errorAt(l.src, at, "string is not closed; add %c", quote)
}
