// Package jsonc reads JSON with comments and trailing commas, as people write
// it: into Go structs, strictly, and with errors that name line and column.
//
// It is what rule files and the program's configuration are read with.
// encoding/json is not: it takes unknown and doubled members without a word,
// and knows no positions.
package jsonc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// The limits of a file. They are far above what people write, and keep a file
// that is no such file from using up memory or stack.
const (
	MaxSize  = 16 << 20 // bytes
	MaxDepth = 64       // objects and arrays inside each other
	maxErrs  = 50
)

// Doc is a parsed file. It is safe for concurrent reads.
type Doc struct {
	name string
	text []byte
	root hujson.Value
}

// Parse parses a file; name is used in errors. What is wrong is an [Errors].
func Parse(name string, text []byte) (*Doc, error) {
	d := &Doc{name: name, text: text}
	if err := d.precheck(); err != nil {
		return nil, Errors{err}
	}
	root, err := hujson.Parse(d.text)
	if err != nil {
		return nil, Errors{d.syntaxError(err)}
	}
	d.root = root
	return d, nil
}

// Unmarshal parses a file and decodes it; see [Doc.Decode].
func Unmarshal(name string, text []byte, v any) error {
	d, err := Parse(name, text)
	if err != nil {
		return err
	}
	return d.Decode(v)
}

// Name returns the name that was given to [Parse].
func (d *Doc) Name() string { return d.name }

// Kind returns the kind of the outermost value: '{', '[', '"', '0', 't', 'f'
// or 'n'.
func (d *Doc) Kind() byte { return byte(d.root.Value.Kind()) }

// precheck refuses what the parser should not be given: it recurses, and it
// takes any size. It also names the mistakes that leave a parser lost far from
// where they were made.
func (d *Doc) precheck() *Error {
	if len(d.text) > MaxSize {
		return At(d.name, nil, 0, fmt.Sprintf("file has %d bytes; at most %d are read", len(d.text), MaxSize))
	}
	if bytes.HasPrefix(d.text, []byte("\ufeff")) {
		// Editors on Windows write it. A space keeps all offsets.
		d.text = append([]byte("   "), d.text[3:]...)
	}
	if !utf8.Valid(d.text) {
		at := 0
		for at < len(d.text) {
			r, n := utf8.DecodeRune(d.text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return At(d.name, d.text, at, "not UTF-8; save the file as UTF-8")
	}
	var open []int
	for i := 0; i < len(d.text); i++ {
		switch c := d.text[i]; c {
		case '"':
			end := stringEnd(d.text, i)
			if end < 0 {
				return At(d.name, d.text, i, "string is not closed on its line; add the closing \"")
			}
			if bad := badEscape(d.text[i:end]); bad >= 0 {
				return At(d.name, d.text, i+bad, `no such escape; in JSON a backslash is written \\ (so \d of a regexp is \\d)`)
			}
			i = end - 1
		case '\'':
			return At(d.name, d.text, i, "strings are written with double quotes")
		case '/':
			switch {
			case bytes.HasPrefix(d.text[i:], []byte("//")):
				if n := bytes.IndexByte(d.text[i:], '\n'); n >= 0 {
					i += n
				} else {
					i = len(d.text)
				}
			case bytes.HasPrefix(d.text[i:], []byte("/*")):
				n := bytes.Index(d.text[i+2:], []byte("*/"))
				if n < 0 {
					return At(d.name, d.text, i, "comment is not closed; add */")
				}
				i += 2 + n + 1
			}
		case '#':
			return At(d.name, d.text, i, "comments start with // or /*")
		case '{', '[':
			if open = append(open, i); len(open) > MaxDepth {
				return At(d.name, d.text, i, fmt.Sprintf("nested deeper than %d levels", MaxDepth))
			}
		case '}', ']':
			if len(open) == 0 {
				return At(d.name, d.text, i, fmt.Sprintf("%q closes nothing", c))
			}
			from := open[len(open)-1]
			if d.text[from] != c-2 { // '{' and '[' are two below '}' and ']'
				return At(d.name, d.text, i, fmt.Sprintf("%q closes the %q of line %d", c, d.text[from], 1+bytes.Count(d.text[:from], []byte("\n"))))
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		from := open[len(open)-1]
		return At(d.name, d.text, from, fmt.Sprintf("%q is never closed", d.text[from]))
	}
	if len(bytes.TrimSpace(d.text)) == 0 {
		return At(d.name, d.text, 0, "file is empty")
	}
	return nil
}

// stringEnd returns the offset behind the string that starts at i, or -1.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n':
			return -1
		}
	}
	return -1
}

// badEscape returns the offset of the first escape in a quoted string that JSON
// does not have, or -1.
func badEscape(lit []byte) int {
	for i := 1; i < len(lit)-1; i++ {
		if lit[i] != '\\' {
			continue
		}
		i++
		if lit[i] == 'u' {
			if i+5 > len(lit) || !isHex(lit[i+1:i+5]) {
				return i - 1
			}
		} else if bytes.IndexByte([]byte(`"\/bfnrt`), lit[i]) < 0 {
			return i - 1
		}
	}
	return -1
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// syntaxError finds the place in the parser's message, which has it as text
// only: "hujson: line 1, column 6: …", the column in bytes.
func (d *Doc) syntaxError(err error) *Error {
	msg := strings.TrimPrefix(err.Error(), "hujson: ")
	var line, col int
	if n, _ := fmt.Sscanf(msg, "line %d, column %d:", &line, &col); n == 2 {
		if _, rest, ok := strings.Cut(msg, ": "); ok {
			msg = rest
		}
	}
	if inner := errors.Unwrap(err); inner != nil {
		msg = inner.Error()
	}
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(d.text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	at = min(len(d.text), at+max(0, col-1))
	switch prev := d.lastToken(at); {
	case strings.Contains(msg, "after top-level value"):
		return At(d.name, d.text, at, "nothing may follow the outermost value")
	case at < len(d.text) && (d.text[at] == '"' || d.text[at] == '{') && prev >= 0 && strings.IndexByte(`"}]el0123456789`, d.text[prev]) >= 0:
		return At(d.name, d.text, prev+1, "a comma is missing here")
	}
	return At(d.name, d.text, at, "syntax error: "+msg)
}

// lastToken returns the offset of the last byte before at that is neither space
// nor in a comment, or -1. It looks back over lines, not over the whole file.
func (d *Doc) lastToken(at int) int {
	end := at
	for end > 0 {
		start := bytes.LastIndexByte(d.text[:end], '\n') + 1
		line := d.text[start:end]
		for i := 0; i < len(line); i++ {
			if line[i] == '"' {
				if e := stringEnd(line, i); e > 0 {
					i = e - 1
				}
			} else if bytes.HasPrefix(line[i:], []byte("//")) || bytes.HasPrefix(line[i:], []byte("/*")) {
				line = line[:i]
			}
		}
		if line = bytes.TrimRight(line, " \t\r"); len(line) > 0 {
			return start + len(line) - 1
		}
		end = max(0, start-1)
	}
	return -1
}

// Errorf returns an error at the value that a JSON pointer (RFC 6901) names, as
// in "/rules/3/name". Where there is no such value, it is at the nearest value
// around it.
func (d *Doc) Errorf(pointer, format string, args ...any) *Error {
	return At(d.name, d.text, d.find(pointer).StartOffset, fmt.Sprintf(format, args...))
}

// ErrorIn returns an error inside the string that a JSON pointer names, at a
// byte offset of the decoded string: it points at the very character in the
// file, whatever escapes are before it. In a value that is no string it is at
// the value.
func (d *Doc) ErrorIn(pointer string, offset int, msg string) *Error {
	v := d.find(pointer)
	at := v.StartOffset
	if lit, ok := v.Value.(hujson.Literal); ok && lit.Kind() == '"' {
		at += rawOffset(lit, offset)
	}
	return At(d.name, d.text, at, msg)
}

// rawOffset returns the offset in a quoted string of the byte at an offset of
// its decoded form.
func rawOffset(lit []byte, offset int) int {
	raw, decoded := 1, 0
	for raw < len(lit)-1 && decoded < offset {
		if lit[raw] != '\\' {
			raw++
			decoded++
			continue
		}
		n := 2
		if lit[raw+1] == 'u' {
			n = 6
			if raw+12 <= len(lit) && lit[raw+6] == '\\' && (lit[raw+2]|0x20) == 'd' && (lit[raw+3]|0x20) >= '8' {
				n = 12 // a surrogate pair
			}
		}
		var s string
		if raw+n > len(lit) || json.Unmarshal([]byte(`"`+string(lit[raw:raw+n])+`"`), &s) != nil {
			return raw
		}
		raw += n
		decoded += len(s)
	}
	return min(raw, len(lit)-1)
}

// find returns the value at a pointer, or the deepest one on the way to it.
func (d *Doc) find(pointer string) *hujson.Value {
	v := &d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
		var next *hujson.Value
		switch c := v.Value.(type) {
		case *hujson.Object:
			for i := range c.Members {
				if lit, ok := c.Members[i].Name.Value.(hujson.Literal); ok && lit.String() == name {
					next = &c.Members[i].Value
				}
			}
		case *hujson.Array:
			if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(c.Elements) {
				next = &c.Elements[i]
			}
		}
		if next == nil {
			return v
		}
		v = next
	}
	return v
}

// Has reports whether the file has a value at a pointer.
func (d *Doc) Has(pointer string) bool { return d.root.Find(pointer) != nil }

// Pointer returns the JSON pointer of the value that an error of the file is in or
// at, at most depth members deep. It is empty for the whole file.
func (d *Doc) Pointer(e *Error, depth int) string {
	at := 0
	for line := 1; line < e.Line; line++ {
		at += bytes.IndexByte(d.text[at:], '\n') + 1
	}
	for column := 1; column < e.Column && at < len(d.text); column++ {
		_, n := utf8.DecodeRune(d.text[at:])
		at += n
	}
	pointer := ""
	v := &d.root
	for range depth {
		var next *hujson.Value
		switch c := v.Value.(type) {
		case *hujson.Object:
			for i := range c.Members {
				if m := &c.Members[i]; m.Name.StartOffset <= at && at < m.Value.EndOffset {
					if name, ok := m.Name.Value.(hujson.Literal); ok {
						next = &m.Value
						pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name.String())
					}
				}
			}
		case *hujson.Array:
			for i := range c.Elements {
				if el := &c.Elements[i]; el.StartOffset <= at && at < el.EndOffset {
					next = el
					pointer += "/" + strconv.Itoa(i)
				}
			}
		}
		if next == nil {
			break
		}
		v = next
	}
	return pointer
}

// sortErrors brings errors into the order of the file.
func sortErrors(es Errors) {
	sort.SliceStable(es, func(i, j int) bool {
		if es[i].Line != es[j].Line {
			return es[i].Line < es[j].Line
		}
		return es[i].Column < es[j].Column
	})
}
