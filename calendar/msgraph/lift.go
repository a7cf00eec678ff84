package msgraph

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// lift takes the texts of bodies out of the JSON of a page and leaves a mark in
// the place of each, which land undoes. Bodies are nearly all of a page, and
// encoding/json looks at every byte of them several times. A text that is short,
// or not plain enough, stays where it is: what is wrong with it is for
// encoding/json to say.
func lift(page []byte) (rest []byte, bodies []string) {
	if bytes.Contains(page, []byte(`\u0000`)) {
		return page, nil // it might look like a mark
	}
	name := []byte(`"content":"`)
	done := 0
	for at := 0; ; {
		i := bytes.Index(page[at:], name)
		if i < 0 {
			break
		}
		start := at + i + len(name)
		end := start + quoted(page[start:])
		at = end
		if end-start < 1024 {
			continue
		}
		text, ok := unescape(page[start:end])
		if !ok {
			continue
		}
		rest = append(rest, page[done:start]...)
		rest = append(rest, `\u0000`...)
		rest = strconv.AppendInt(rest, int64(len(bodies)), 10)
		bodies, done = append(bodies, text), end
	}
	if bodies == nil {
		return page, nil
	}
	return append(rest, page[done:]...), bodies
}

// land puts a text back in the place of its mark.
func land(text string, bodies []string) string {
	if len(text) < 2 || text[0] != 0 {
		return text
	}
	if n, err := strconv.Atoi(text[1:]); err == nil && n >= 0 && n < len(bodies) {
		return bodies[n]
	}
	return text
}

// quoted returns the length of a string that begins here, up to its quote.
func quoted(s []byte) int {
	for at := 0; ; at++ {
		i := bytes.IndexByte(s[at:], '"')
		if i < 0 {
			return len(s)
		}
		at += i
		slashes := 0
		for at-slashes > 0 && s[at-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return at
		}
	}
}

// simple are the escapes of one letter (RFC 8259, section 7).
var simple = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns the text of a JSON string, if it has nothing but UTF-8 and
// escapes outside of surrogates.
func unescape(s []byte) (string, bool) {
	for _, c := range s {
		if c < ' ' {
			return "", false
		}
	}
	if !utf8.Valid(s) {
		return "", false
	}
	var out strings.Builder
	out.Grow(len(s))
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			out.Write(s)
			return out.String(), true
		}
		out.Write(s[:i])
		if s = s[i:]; len(s) < 2 {
			return "", false
		}
		if c := simple[s[1]]; c != 0 {
			out.WriteByte(c)
			s = s[2:]
			continue
		}
		if s[1] != 'u' || len(s) < 6 {
			return "", false
		}
		n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
		if err != nil || n >= 0xd800 && n < 0xe000 {
			return "", false
		}
		out.WriteRune(rune(n))
		s = s[6:]
	}
}
