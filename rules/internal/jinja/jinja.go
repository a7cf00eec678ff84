// Package jinja runs the templates in which administrators write transforms:
// the expressions, filters and tags of Jinja2 that turn a few variables into an
// address.
//
// A template is compiled once, into a list of operations; rendering appends to
// the caller's buffer. Whatever can be known beforehand is an error when it is
// compiled: unknown variables, attributes, filters and tests, patterns that are
// too expensive, and filters whose result changes from run to run. What a render
// may take is bounded: steps, loop iterations, output, regular expressions.
//
// Templates have no side effects, read no files, and see nothing but their
// variables. The same variables always give the same result.
package jinja

import (
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// The limits of a render.
const (
	MaxSteps  = 50_000 // operations, and one more for every 32 bytes that they make
	MaxLoops  = 10_000 // iterations of all loops
	MaxOutput = 8 << 10
)

// Var declares a variable of a template. A name with points declares a path:
// "event.subject" makes event a name that has the attribute subject.
type Var struct {
	Name string
	// Elem are the attributes of the elements of a list, where it is one of
	// mappings. Other attributes are an error at compile time.
	Elem []string
}

// Vars has the values of the variables. Slots are indexes into Options.Vars.
// A value is asked for when it is needed, and may be asked for again.
type Vars interface{ Var(slot int) Value }

// Options say what a template may use. There is no default: a template without
// variables is of no use.
type Options struct {
	Vars []Var
	// MaxSource is the most bytes that a template may have; 0 is 10,240.
	MaxSource int
	// Regexps compiles the patterns, and counts them against its limits. nil
	// has the default limits for the template alone.
	Regexps *rebound.Set
	// Unwrap undoes a security gateway's rewriting of a link, once. nil makes
	// pex_safelinks_decode and pex_urldefense_decode unknown filters.
	Unwrap func(uri string) (target, gateway string, ok bool)
}

// Template is a compiled template. It is immutable and safe for concurrent use.
type Template struct {
	src      string
	ops      []op
	consts   []Value
	texts    []string
	patterns []pattern
	locals   int
	iters    int
	plain    bool // text and variables only
	unwrap   func(string) (string, string, bool)
	slots    []int
	warnings []*Error
}

type pattern struct {
	re   *rebound.Regexp
	repl *rebound.Replacement
}

// Slots returns the variables that the template uses, in ascending order.
func (t *Template) Slots() []int { return t.slots }

// Warnings are what is allowed and looks like a mistake.
func (t *Template) Warnings() []*Error { return t.warnings }

type opcode uint8

const (
	opText      opcode = iota // write texts[a]
	opVarOut                  // write variable a
	opOut                     // pop, write
	opConst                   // push consts[a]
	opVar                     // push variable a
	opLocal                   // push local a
	opStore                   // pop into local a
	opPop                     // drop
	opAttr                    // pop x, push x.consts[a]
	opIndex                   // pop i, x, push x[i]
	opSlice                   // pop hi, lo, x; a&1: lo is there, a&2: hi
	opList                    // pop a, push list
	opDict                    // pop a, push mapping
	opNeg                     //
	opPos                     //
	opNot                     //
	opBin                     // pop b, a, push a op b
	opJump                    // to a
	opJumpFalse               // pop; to a if false
	opAnd                     // to a if top is false, else pop
	opOr                      // to a if top is true, else pop
	opFilter                  // filter a with b arguments, pattern c-1
	opTest                    // test a with b arguments; c: negated
	opMethod                  // method a with b arguments
	opRange                   // pop a, push list
	opForStart                // pop iterable into iterator a
	opForNext                 // push next of iterator a, or jump to b
	opForKeep                 // keep the element of iterator a
	opForKept                 // start iterator a again with what was kept; jump to b if nothing
	opLoop                    // push field b of iterator a
	opUnpack                  // pop list of a, push them, the first on top
	opCapture                 // from here on, output goes into a string
	opCaptured                // push that string
)

type op struct {
	code    opcode
	a, b, c int32
	pos     int32
}

// Compile compiles a template. The error is an *[Error].
func Compile(src string, opts *Options) (*Template, error) {
	limit := opts.MaxSource
	if limit == 0 {
		limit = 10240
	}
	if len(src) > limit {
		return nil, errorAt(src, limit, "template has %d bytes; at most %d are allowed", len(src), limit)
	}
	if !utf8.ValidString(src) {
		return nil, errorAt(src, 0, "template is not UTF-8")
	}
	body, err := parse(src)
	if err != nil {
		return nil, err
	}
	c := &compiler{
		t:    &Template{src: src, unwrap: opts.Unwrap},
		opts: *opts,
		set:  opts.Regexps,
	}
	if c.set == nil {
		c.set = &rebound.Set{}
	}
	if err := c.run(body); err != nil {
		return nil, err
	}
	return c.t, nil
}
