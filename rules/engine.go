package rules

import "github.com/onetouchjoin/onetouchjoin/calendar"

// Engine applies a list of rules. It is immutable and safe for concurrent use.
type Engine struct{}

// Options change what an Engine does. The zero value is the default.
type Options struct{}

// New compiles rules. The rules of the default pack come after them.
func New(rules []Rule, opts *Options) (*Engine, error) { return &Engine{}, nil }

// Default returns an engine that has the default pack only.
func Default() *Engine { return &Engine{} }

// Rule is one rule.
type Rule struct{}

// Append appends the meetings found in ev to dst, the best first, and returns
// the extended slice. A cancelled event has none.
//
// The memory of dst beyond its length is used again, including that of matches
// which were there before and of their strings: to keep a match for longer than
// dst, clone it.
func (e *Engine) Append(dst []Match, ev *calendar.Event) []Match { return dst }

// Find returns the best match. The caller may keep it.
func (e *Engine) Find(ev *calendar.Event) (Match, bool) { return Match{}, false }

// Why says in a few words why Append finds nothing in ev: "cancelled",
// "no address found", "rewritten by Mimecast; …". It is empty where there is
// a match, and has no passcode in it.
func (e *Engine) Why(ev *calendar.Event) string { return "no address found" }
