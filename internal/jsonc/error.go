package jsonc

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Error is one thing that is wrong in a file, and where.
type Error struct {
	// File is the name that was given to [Parse]. It may be empty.
	File string
	// Line and Column count from 1. Column counts characters, not bytes.
	Line, Column int
	// Msg says what is wrong and what to do. It is one line.
	Msg string
	// Snippet is the line of the file with a caret below the place, on two
	// lines. Values that may be secret are masked.
	Snippet string
}

// Error returns file, line, column and message on one line, without the
// snippet.
func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Errors are all things that are wrong in a file, in the order of the file.
type Errors []*Error

// Error returns one line for each error.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one, for errors.As and errors.Is.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// At returns an error at a byte offset of a text.
func At(file string, text []byte, offset int, msg string) *Error {
	offset = max(0, min(offset, len(text)))
	start := bytes.LastIndexByte(text[:offset], '\n') + 1
	end := len(text)
	if i := bytes.IndexByte(text[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	return &Error{
		File:    file,
		Line:    bytes.Count(text[:start], []byte("\n")) + 1,
		Column:  utf8.RuneCount(text[start:offset]) + 1,
		Msg:     msg,
		Snippet: snippet(string(text[start:end]), offset-start),
	}
}

// snippetWidth is how many characters of a long line a snippet shows.
const snippetWidth = 100

// secretMember finds the value of a member whose name sounds like a secret, so
// that an error beside it does not print it. It works on a line and not on the
// parsed file because a file with a syntax error has no parsed form.
var secretMember = regexp.MustCompile(`(?i)"[^"]*(?:passw|passcode|secret|token|credential|private|api_?key)[^"]*"\s*:\s*"((?:[^"\\]|\\.)*)`)

func snippet(line string, at int) string {
	line = strings.TrimSuffix(line, "\r")
	at = min(at, len(line))
	masked := []byte(line)
	for _, m := range secretMember.FindAllStringSubmatchIndex(line, -1) {
		for i := m[2]; i < m[3]; i++ {
			masked[i] = '*'
		}
	}
	// Control characters and invalid bytes would move the caret or confuse a
	// terminal. A tab stays one column wide.
	before, after := printable(masked[:at]), printable(masked[at:])
	if len(before) > snippetWidth*2/3 {
		before = append([]rune("…"), before[len(before)-snippetWidth*2/3+1:]...)
	}
	if room := snippetWidth - len(before); len(after) > room {
		after = append(after[:room-1:room-1], '…')
	}
	return string(before) + string(after) + "\n" + strings.Repeat(" ", len(before)) + "^"
}

func printable(b []byte) []rune {
	out := make([]rune, 0, len(b))
	for _, r := range string(b) {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			r = ' '
		}
		out = append(out, r)
	}
	return out
}
