// Package rebound bounds the regular expressions that users write, before any
// of them runs.
//
// Go's regexp cannot run away: its time is at most proportional to the size of
// the program times the length of the text. But the product can be large, a
// match cannot be cancelled, and a short pattern may expand to a large program:
// 100 times ".{0,1000}" is 900 bytes, compiles for 0.2 s into 9 MB, and runs
// for minutes on a 40 KB mail. So a pattern is measured on its syntax tree,
// before it is compiled, and a [Budget] bounds what all patterns together may
// spend on one event.
package rebound

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Limits bound patterns. A pattern at the limit is allowed.
type Limits struct {
	PatternBytes int // bytes of a pattern as written
	Insts        int // instructions of a pattern when compiled, as estimated by [Measure]
	ClassRunes   int // range ends in character classes, over a whole pattern
	Captures     int // capturing groups
	Repeat       int // the number in {n}, {n,} and {n,m}
	SetRegexps   int // patterns in a set
	SetInsts     int // instructions in a set
}

// Default are the limits that rule sets have. They come from measurements: a
// pattern that has the most instructions costs 10 to 17 ns for each instruction
// and byte where it goes badly.
var Default = Limits{
	PatternBytes: 1024,
	Insts:        1000,
	ClassRunes:   10000,
	Captures:     16,
	Repeat:       256,
	SetRegexps:   400, // a rule has up to two: match_string, and one in its template
	SetInsts:     20000,
}

// DefaultBudget is what the patterns of one evaluation may spend: the sum of
// instructions times bytes. It is 0.2 to 0.35 s in the worst case.
const DefaultBudget = 20_000_000

// MaxInput is how many bytes of a text are given to a pattern.
const MaxInput = 64 << 10

// A LimitError says which limit a pattern exceeds.
type LimitError struct {
	Limit      string // "instructions", as printed
	Value, Max int
	Do         string // what to do about it
}

// Error says the limit, the value and what to do.
func (e *LimitError) Error() string {
	value := fmt.Sprint(e.Value)
	if e.Value == math.MaxInt {
		value = "far more"
	}
	return fmt.Sprintf("regular expression has too many %s: %s, at most %d; %s", e.Limit, value, e.Max, e.Do)
}

// A SyntaxError is a pattern that RE2 does not take.
type SyntaxError struct {
	Offset int    // bytes into the pattern, of the part that is wrong
	Msg    string // what is wrong and what to do
}

// Error returns the message.
func (e *SyntaxError) Error() string { return "regular expression: " + e.Msg }

// ErrBudget is returned by [Budget.Spend] when the patterns of an evaluation
// have used up what they may.
var ErrBudget = errors.New("regular expressions took too much: the budget for one event is used up; anchor the patterns, or give them a literal part")

// Size is what a pattern costs.
type Size struct {
	Insts      int // at least the number of instructions of the compiled program
	ClassRunes int
	Captures   int
	Repeat     int // the largest number in a repetition
	// Required is the longest literal that every match contains, in lower case
	// if the pattern ignores case there. It is empty where there is none.
	Required string
}

// Measure estimates a parsed pattern, without expanding it.
func Measure(re *syntax.Regexp) Size {
	m := measure(re)
	// Match and fail, and the group around the whole pattern.
	m.Insts = add(m.Insts, 4)
	return m
}

func measure(re *syntax.Regexp) Size {
	var s Size
	for _, sub := range re.Sub {
		m := measure(sub)
		s.Insts = add(s.Insts, m.Insts)
		s.ClassRunes = add(s.ClassRunes, m.ClassRunes)
		s.Captures += m.Captures
		s.Repeat = max(s.Repeat, m.Repeat)
		if len(m.Required) > len(s.Required) {
			s.Required = m.Required
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		s.Insts = len(re.Rune)
		s.Required = string(re.Rune)
		if re.Flags&syntax.FoldCase != 0 {
			s.Required = strings.ToLower(s.Required)
		}
	case syntax.OpCharClass:
		s.Insts, s.ClassRunes = 1, len(re.Rune)
	case syntax.OpCapture:
		s.Captures++
		s.Insts = add(s.Insts, 2)
	case syntax.OpStar, syntax.OpQuest:
		s.Insts = add(s.Insts, 2)
		s.Required = ""
	case syntax.OpPlus:
		s.Insts = add(s.Insts, 1)
	case syntax.OpRepeat:
		s.Repeat = max(s.Repeat, re.Min, re.Max)
		// x{2,5} is compiled as xx(x(x(x)?)?)?, x{2,} as xx+.
		times := max(re.Min, re.Max, 1)
		s.Insts = add(mul(s.Insts, times), times-min(re.Min, times)+2)
		s.ClassRunes = mul(s.ClassRunes, times)
		if re.Min == 0 {
			s.Required = ""
		}
	case syntax.OpAlternate:
		s.Insts = add(s.Insts, len(re.Sub))
		s.Required = shortestRequired(re.Sub)
	default:
		s.Insts = add(s.Insts, 1)
	}
	return s
}

// shortestRequired returns what is required of an alternation: it is as good as
// its worst branch. The text is that branch's; its length is what counts.
func shortestRequired(subs []*syntax.Regexp) string {
	shortest := measure(subs[0]).Required
	for _, sub := range subs[1:] {
		if r := measure(sub).Required; len(r) < len(shortest) {
			shortest = r
		}
	}
	return shortest
}

func add(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func mul(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

// Regexp is a compiled pattern that keeps to the limits.
type Regexp struct {
	*regexp.Regexp
	Size Size
}

// Set compiles the patterns of one rule set and counts what they come to. The
// zero value has the limits of [Default]. It is not safe for concurrent use.
type Set struct {
	Limits  Limits
	regexps int
	insts   int
}

// Compile checks a pattern against the limits and compiles it. The error is a
// *[SyntaxError] or a *[LimitError].
func (s *Set) Compile(pattern string) (*Regexp, error) {
	lim := s.Limits
	if lim == (Limits{}) {
		lim = Default
	}
	over := func(limit string, value, most int, do string) error {
		if value <= most {
			return nil
		}
		return &LimitError{limit, value, most, do}
	}
	// The length comes first: parsing takes time too.
	if err := over("bytes", len(pattern), lim.PatternBytes, "split it over several rules"); err != nil {
		return nil, err
	}
	tree, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	size := Measure(tree)
	if err := errors.Join(
		over("repetitions in {…}", size.Repeat, lim.Repeat, "use * or + or a smaller number"),
		over("instructions when expanded", size.Insts, lim.Insts, "use smaller numbers in {…}, or * and +"),
		over("characters in classes when expanded", size.ClassRunes, lim.ClassRunes, `use fewer classes such as \pL`),
		over("capturing groups", size.Captures, lim.Captures, "write (?:…) for groups that only group"),
	); err != nil {
		return nil, first(err)
	}
	if err := over("instructions in the whole rule set", add(s.insts, size.Insts), lim.SetInsts, "remove rules or make their patterns smaller"); err != nil {
		return nil, err
	}
	if err := over("patterns beside it in the rule set", s.regexps+1, lim.SetRegexps, "remove rules"); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, &SyntaxError{Msg: err.Error()}
	}
	s.regexps++
	s.insts += size.Insts
	return &Regexp{Regexp: re, Size: size}, nil
}

// first returns the first of joined errors: one clear message is better than a
// list whose causes are the same.
func first(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok && len(j.Unwrap()) > 0 {
		return j.Unwrap()[0]
	}
	return err
}

// pythonOnly are constructs of Python's re, the language of legacy rules, that
// RE2 does not have, or writes otherwise.
var pythonOnly = []struct{ token, msg string }{
	{"(?=", "look-ahead (?=…) is not possible in RE2; match the text that follows too, and leave it out of the replacement"},
	{"(?!", "negative look-ahead (?!…) is not possible in RE2; write what may follow, as in ([^x]|$), or let an earlier rule take the exception"},
	{"(?<=", "look-behind (?<=…) is not possible in RE2; match the text before too, and take the group behind it"},
	{"(?<!", "negative look-behind (?<!…) is not possible in RE2; write what may stand before, as in (^|[^x])"},
	{"(?P=", "a back-reference (?P=name) is not possible in RE2; write the pattern a second time"},
	{"(?(", "a condition (?(…)…|…) is not possible in RE2; write one rule for each case"},
	{"(?>", "an atomic group (?>…) is not possible in RE2, and not needed; write (?:…)"},
	{"(?#", "a comment (?#…) is not possible in RE2; use the rule's description"},
	{`\Z`, `\Z is written \z in RE2`},
}

func parse(pattern string) (*syntax.Regexp, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err == nil {
		return tree, nil
	}
	if at, msg := explainPython(pattern); msg != "" {
		return nil, &SyntaxError{Offset: at, Msg: msg}
	}
	out := &SyntaxError{Msg: err.Error()}
	var se *syntax.Error
	if errors.As(err, &se) {
		out.Msg = se.Code.String()
		if se.Expr != "" && se.Expr != pattern {
			out.Msg += " `" + se.Expr + "`"
			out.Offset = max(0, strings.Index(pattern, se.Expr))
		}
		if se.Code == syntax.ErrInvalidRepeatSize {
			out.Msg += fmt.Sprintf("; at most %d, and no more in nested repetitions", Default.Repeat)
		}
		if se.Code == syntax.ErrInvalidRepeatOp {
			out.Msg += "; possessive repetition (a++, a*+) is not possible in RE2, and not needed"
		}
		if se.Code == syntax.ErrMissingParen {
			out.Offset = max(0, unmatchedParen(pattern))
		}
	}
	if !utf8.ValidString(out.Msg) {
		out.Msg = strings.ToValidUTF8(out.Msg, "?")
	}
	return nil, out
}

// explainPython finds the first construct of Python's re in a pattern, outside
// of character classes and escapes.
func explainPython(pattern string) (at int, msg string) {
	walk(pattern, func(i int) bool {
		rest := pattern[i:]
		for _, p := range pythonOnly {
			if strings.HasPrefix(rest, p.token) {
				at, msg = i, p.msg
				return false
			}
		}
		if len(rest) > 1 && rest[0] == '\\' && rest[1] >= '1' && rest[1] <= '9' {
			at, msg = i, fmt.Sprintf(`a back-reference \%c is not possible in RE2; write the pattern a second time`, rest[1])
			return false
		}
		return true
	})
	return at, msg
}

// walk calls f with the offset of each element of a pattern that is not inside
// a character class; an escape is one element.
func walk(pattern string, f func(i int) bool) {
	class := false
	for i := 0; i < len(pattern); i++ {
		if !class && !f(i) {
			return
		}
		switch pattern[i] {
		case '\\':
			i++
		case '[':
			if !class {
				class = true
				// "]" right behind "[" or "[^" stands for itself.
				if strings.HasPrefix(pattern[i+1:], "^") {
					i++
				}
				if strings.HasPrefix(pattern[i+1:], "]") {
					i++
				}
			}
		case ']':
			class = false
		}
	}
}

// unmatchedParen returns the offset of a parenthesis without a partner, or -1.
func unmatchedParen(pattern string) int {
	var open []int
	extra := -1
	walk(pattern, func(i int) bool {
		switch pattern[i] {
		case '(':
			open = append(open, i)
		case ')':
			if len(open) == 0 {
				extra = i
				return false
			}
			open = open[:len(open)-1]
		}
		return true
	})
	if extra < 0 && len(open) > 0 {
		return open[len(open)-1]
	}
	return extra
}

// Warn says why a pattern is slow although it keeps to the limits: it has no
// literal of at least three bytes that every match contains, so that it has to
// run on every body. It is empty for a pattern that is fine.
func (re *Regexp) Warn() string {
	if len(re.Size.Required) >= 3 {
		return ""
	}
	return "the pattern has no fixed text of at least 3 characters, so it runs on every invite; add some, such as a host name or a label"
}

// Budget is what the patterns of one evaluation may still spend. The zero
// value has nothing; see [DefaultBudget].
type Budget int64

// Spend takes the cost of running re on n bytes from the budget. It returns
// [ErrBudget], and takes nothing, if that is not left.
func (b *Budget) Spend(re *Regexp, n int) error {
	cost := int64(re.Size.Insts) * int64(n+1)
	if cost > int64(*b) {
		return ErrBudget
	}
	*b -= Budget(cost)
	return nil
}
