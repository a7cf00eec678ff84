package jinja

import (
	"errors"
	"fmt"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

// Error is one thing that is wrong in a template, and where.
type Error struct {
	// Offset is in bytes from the start of the template.
	Offset int
	// Line and Column count from 1; Column counts characters.
	Line, Column int
	Msg          string
	// Snippet is the line with a caret below the place.
	Snippet string
}

// Error returns the place in the template and the message, on one line.
func (e *Error) Error() string {
	return fmt.Sprintf("template line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

func errorAt(src string, offset int, format string, args ...any) *Error {
	at := jsonc.At("", []byte(src), offset, "")
	return &Error{Offset: offset, Line: at.Line, Column: at.Column, Msg: fmt.Sprintf(format, args...), Snippet: at.Snippet}
}

// ErrNotApplied is the error of a template in which pex_require_min_length was
// not met: it counts as if it were not there.
var ErrNotApplied = errors.New("template not applied: pex_require_min_length is not met")
