package jinja

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

// expr compiles an expression, which pushes one value. It returns the
// attributes of the value (or of its elements, if it is a list) where they are
// known.
func (c *compiler) expr(x expr) (elem []string) {
	switch x := x.(type) {
	case *litExpr:
		c.constant(x.v, x.pos)
	case *nameExpr:
		return c.name(x)
	case *attrExpr:
		return c.attr(x)
	case *indexExpr:
		if lit, ok := x.i.(*litExpr); ok && lit.v.kind == String && isName(x.x) {
			return c.attr(&attrExpr{x.pos, x.x, lit.v.str})
		}
		elem = c.expr(x.x)
		c.expr(x.i)
		c.emit(opIndex, 0, 0, 0, x.pos)
		return elem
	case *sliceExpr:
		elem = c.expr(x.x)
		has := 0
		for i, e := range []expr{x.lo, x.hi} {
			if e == nil {
				c.constant(none, x.pos)
				continue
			}
			c.expr(e)
			has |= 1 << i
		}
		c.emit(opSlice, has, 0, 0, x.pos)
		return elem
	case *listExpr:
		for _, e := range x.items {
			c.expr(e)
		}
		c.emit(opList, len(x.items), 0, 0, x.pos)
	case *dictExpr:
		for _, e := range x.items {
			c.expr(e)
		}
		c.emit(opDict, len(x.items), 0, 0, x.pos)
	case *unaryExpr:
		c.expr(x.x)
		c.emit(map[string]opcode{"-": opNeg, "+": opPos, "not": opNot}[x.op], 0, 0, 0, x.pos)
	case *binExpr:
		c.expr(x.a)
		switch x.op {
		case "and", "or":
			code := opAnd
			if x.op == "or" {
				code = opOr
			}
			jump := c.emit(code, 0, 0, 0, x.pos)
			c.expr(x.b)
			c.here(jump)
		default:
			c.expr(x.b)
			c.emit(opBin, slices.Index(binaryOps, x.op), 0, 0, x.pos)
		}
	case *condExpr:
		c.expr(x.cond)
		no := c.emit(opJumpFalse, 0, 0, 0, x.pos)
		c.expr(x.a)
		end := c.emit(opJump, 0, 0, 0, 0)
		c.here(no)
		if x.b != nil {
			c.expr(x.b)
		} else {
			c.constant(Value{}, x.pos)
		}
		c.here(end)
	case *filterExpr:
		c.expr(x.x)
		c.filter(x)
	case *testExpr:
		c.test(x)
	case *callExpr:
		c.call(x)
	case *methodExpr:
		c.method(x)
	}
	return nil
}

func (c *compiler) name(x *nameExpr) []string {
	if l := c.lookup(x.name); l != nil {
		if l.ns != nil {
			c.fail(x.pos, "%q is a namespace; write %s. and the name of a value in it", x.name, x.name)
		}
		c.emit(opLocal, l.slot, 0, 0, x.pos)
		return l.elem
	}
	if i := c.slot(x.name); i >= 0 {
		c.t.slots = append(c.t.slots, i)
		c.emit(opVar, i, 0, 0, x.pos)
		return c.opts.Vars[i].Elem
	}
	if sub := c.under(x.name + "."); len(sub) > 0 {
		c.fail(x.pos, "%q alone has no value; it has %s", x.name, strings.Join(sub, ", "))
	}
	if x.name == "loop" {
		if len(c.loops) > 0 {
			c.fail(x.pos, `"loop" alone has no value; it has %s`, strings.Join(loopFields, ", "))
		}
		c.fail(x.pos, `"loop" is there inside of {%% for %%} only`)
	}
	c.fail(x.pos, "unknown variable %q%s", x.name, jsonc.Suggest(x.name, c.known()))
	return nil
}

// under lists the variables whose names start with a prefix, without it.
func (c *compiler) under(prefix string) []string {
	var out []string
	for _, v := range c.opts.Vars {
		if rest, ok := strings.CutPrefix(v.Name, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

var loopFields = []string{"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}

func (c *compiler) attr(x *attrExpr) []string {
	if n, ok := x.x.(*nameExpr); ok {
		l := c.lookup(n.name)
		switch {
		case l != nil && l.ns != nil:
			f := l.ns[x.name]
			if f == nil {
				c.fail(x.pos, "the namespace %q has no %q yet", n.name, x.name)
			}
			c.emit(opLocal, f.slot, 0, 0, x.pos)
			return nil
		case l == nil && n.name == "loop" && len(c.loops) > 0:
			field := slices.Index(loopFields, x.name)
			if field < 0 {
				c.fail(x.pos, "loop has no %q%s", x.name, jsonc.Suggest(x.name, loopFields))
			}
			c.emit(opLoop, c.loops[len(c.loops)-1].iter, field, 0, x.pos)
			return nil
		}
	}
	if path, ok := c.path(x); ok {
		if i := c.slot(path); i >= 0 {
			c.t.slots = append(c.t.slots, i)
			c.emit(opVar, i, 0, 0, x.pos)
			return c.opts.Vars[i].Elem
		}
		if sub := c.under(path + "."); len(sub) > 0 {
			c.fail(x.pos, "%q alone has no value; it has %s", path, strings.Join(sub, ", "))
		}
		parent := path[:strings.LastIndexByte(path, '.')]
		if sub := c.under(parent + "."); len(sub) > 0 {
			c.fail(x.pos, "%q has no %q%s", parent, x.name, jsonc.Suggest(x.name, sub))
		}
	}
	elem := c.expr(x.x)
	if elem != nil && !slices.Contains(elem, x.name) {
		c.fail(x.pos, "there is no %q here%s", x.name, jsonc.Suggest(x.name, elem))
	}
	c.t.consts = append(c.t.consts, Str(x.name))
	c.emit(opAttr, len(c.t.consts)-1, 0, 0, x.pos)
	return nil
}

// path returns the dotted name of a chain of attributes on a variable.
func (c *compiler) path(x expr) (string, bool) {
	switch x := x.(type) {
	case *nameExpr:
		return x.name, c.lookup(x.name) == nil
	case *attrExpr:
		p, ok := c.path(x.x)
		return p + "." + x.name, ok
	case *indexExpr:
		if lit, is := x.i.(*litExpr); is && lit.v.kind == String {
			p, ok := c.path(x.x)
			return p + "." + lit.v.str, ok
		}
	}
	return "", false
}

// arguments compiles the arguments of a filter, test or function in the order
// of its parameters and returns how many there are.
func (c *compiler) arguments(what string, pos int, a args, params []string, least int) int {
	variadic := len(params) > 0 && strings.HasSuffix(params[len(params)-1], "…")
	if len(a.pos) > len(params) && !variadic {
		c.fail(pos, "%s takes at most %d arguments%s", what, len(params), listed(params))
	}
	all := slices.Clone(a.pos)
	for _, kw := range a.kw {
		i := slices.Index(params, kw.name)
		if i < 0 {
			c.fail(kw.at, "%s has no argument %q%s", what, kw.name, jsonc.Suggest(kw.name, params))
		}
		for len(all) <= i {
			all = append(all, nil)
		}
		if all[i] != nil {
			c.fail(kw.at, "%s has the argument %q twice", what, kw.name)
		}
		all[i] = kw.x
	}
	for i := range least {
		if i >= len(all) || all[i] == nil {
			c.fail(pos, "%s needs %d %s%s", what, least, plural(least, "argument"), listed(params))
		}
	}
	for _, x := range all {
		if x == nil {
			c.constant(Value{}, pos)
			continue
		}
		c.expr(x)
	}
	return len(all)
}

func listed(params []string) string {
	if len(params) == 0 {
		return ""
	}
	return ": " + strings.Join(params, ", ")
}

func plural(n int, s string) string {
	if n == 1 {
		return s
	}
	return s + "s"
}

func (c *compiler) filter(x *filterExpr) {
	i := c.filterIndex(x.pos, x.name)
	f := &filters[i]
	n := c.arguments("the filter "+x.name, x.pos, x.args, f.params, f.min)
	c.emit(opFilter, i, n, c.pattern(x.pos, f, x.args), x.pos)
}

// filterIndex looks a filter up.
func (c *compiler) filterIndex(pos int, name string) int {
	if why, ok := unstable[name]; ok {
		c.fail(pos, "%s is not available: its result changes from run to run, and so would the button; %s", name, why)
	}
	i := slices.IndexFunc(filters, func(f filterSpec) bool { return f.name == name })
	if i < 0 || filters[i].unwraps && c.opts.Unwrap == nil {
		c.fail(pos, "unknown filter %q%s", name, jsonc.Suggest(name, filterNames()))
	}
	return i
}

// pattern compiles the regular expression among the arguments of a filter, and
// returns its index plus one, or 0 where the filter has none. The pattern has
// to be written out: one that is put together from an invite would let the
// invite's sender choose it.
func (c *compiler) pattern(pos int, f *filterSpec, a args) int {
	if f.pattern == 0 {
		return 0
	}
	lit := c.literal(pos, f, a, f.pattern-1)
	re, err := c.set.Compile(lit.v.str)
	if err != nil {
		c.fail(lit.pos, "%s", err)
	}
	if w := re.Warn(); w != "" && len(lit.v.str) > 200 {
		c.t.warnings = append(c.t.warnings, errorAt(c.t.src, lit.pos, "%s", w))
	}
	p := pattern{re: re}
	if f.repl > 0 {
		lit := c.literal(pos, f, a, f.repl-1)
		if p.repl, err = re.ParseReplacement(lit.v.str); err != nil {
			c.fail(lit.pos, "%s", err)
		}
		if w := p.repl.Warn(); w != "" {
			c.t.warnings = append(c.t.warnings, errorAt(c.t.src, lit.pos, "%s", w))
		}
	}
	c.t.patterns = append(c.t.patterns, p)
	return len(c.t.patterns)
}

func (c *compiler) literal(pos int, f *filterSpec, a args, i int) *litExpr {
	var x expr
	if i < len(a.pos) {
		x = a.pos[i]
	}
	for _, kw := range a.kw {
		if kw.name == f.params[i] {
			x = kw.x
		}
	}
	lit, ok := x.(*litExpr)
	if !ok || lit.v.kind != String {
		c.fail(pos, "the argument %q of %s has to be written out as a string: it is checked when the rule is loaded", f.params[i], f.name)
	}
	return lit
}

func (c *compiler) test(x *testExpr) {
	i := slices.IndexFunc(tests, func(t testSpec) bool { return t.name == x.name })
	if i < 0 {
		c.fail(x.pos, "unknown test %q%s", x.name, jsonc.Suggest(x.name, testNames()))
	}
	c.expr(x.x)
	n := 0
	if tests[i].arg {
		n = 1
	}
	if len(x.args.pos) != n || len(x.args.kw) > 0 {
		c.fail(x.pos, "the test %s takes %d %s", x.name, n, plural(n, "argument"))
	}
	if n == 1 {
		c.expr(x.args.pos[0])
	}
	not := 0
	if x.not {
		not = 1
	}
	c.emit(opTest, i, n, not, x.pos)
}

func (c *compiler) call(x *callExpr) {
	switch x.name {
	case "range":
		n := c.arguments("range", x.pos, x.args, []string{"start", "stop", "step"}, 1)
		c.emit(opRange, n, 0, 0, x.pos)
		return
	case "namespace":
		c.fail(x.pos, "namespace is for {%% set name = namespace(…) %%} only")
	case "super", "self", "caller", "cycler", "joiner", "lipsum", "dict", "varargs", "kwargs":
		c.fail(x.pos, "the function %q is not available", x.name)
	}
	if _, ok := unstable[x.name]; !ok && !strings.HasPrefix(x.name, "pex_") {
		if slices.ContainsFunc(filters, func(f filterSpec) bool { return f.name == x.name }) {
			c.fail(x.pos, "%s is a filter: write value|%s", x.name, x.name)
		}
		c.fail(x.pos, "unknown function %q%s", x.name, jsonc.Suggest(x.name, append(filterNames(), "range")))
	}
	// pex_find_first_match(list, 'regex') is list|pex_find_first_match('regex').
	i := c.filterIndex(x.pos, x.name)
	f := &filters[i]
	if f.name == "pex_debug_log" {
		// It logs to a support log there and yields nothing. Its arguments are
		// still checked.
		c.arguments(f.name, x.pos, x.args, f.params, 1)
		c.emit(opList, len(x.args.pos), 0, 0, x.pos)
		c.emit(opPop, 0, 0, 0, x.pos)
		c.constant(Str(""), x.pos)
		return
	}
	a := x.args
	if len(a.pos) == 0 {
		c.fail(x.pos, "%s needs a value: %s(value%s)", x.name, x.name, strings.Replace(listed(f.params), ":", ",", 1))
	}
	value := a.pos[0]
	a.pos = a.pos[1:]
	if f.name == "pex_regex_search" { // pex_regex_search('pattern', value)
		if len(a.pos) == 0 {
			c.fail(x.pos, "pex_regex_search needs 2 arguments: pattern, value")
		}
		value, a.pos = a.pos[0], append([]expr{x.args.pos[0]}, a.pos[1:]...)
	}
	c.expr(value)
	n := c.arguments(x.name, x.pos, a, f.params, f.min)
	c.emit(opFilter, i, n, c.pattern(x.pos, f, a), x.pos)
}

func (c *compiler) method(x *methodExpr) {
	if n, ok := x.x.(*nameExpr); ok && n.name == "loop" && c.lookup("loop") == nil && len(c.loops) > 0 {
		if x.name != "cycle" || len(x.args.pos) == 0 || len(x.args.kw) > 0 {
			c.fail(x.pos, "loop has no function %q; it has cycle(…)", x.name)
		}
		for _, a := range x.args.pos {
			c.expr(a)
		}
		c.emit(opList, len(x.args.pos), 0, 0, x.pos)
		c.emit(opLoop, c.loops[len(c.loops)-1].iter, slices.Index(loopFields, "index0"), 0, x.pos)
		c.constant(Integer(len(x.args.pos)), x.pos)
		c.emit(opBin, slices.Index(binaryOps, "%"), 0, 0, x.pos)
		c.emit(opIndex, 0, 0, 0, x.pos)
		return
	}
	i := slices.IndexFunc(methods, func(m methodSpec) bool { return m.name == x.name })
	if i < 0 {
		c.fail(x.pos, "unknown method %q%s", x.name, jsonc.Suggest(x.name, methodNames()))
	}
	c.expr(x.x)
	if len(x.args.kw) > 0 || len(x.args.pos) < methods[i].min || len(x.args.pos) > methods[i].max {
		c.fail(x.pos, "the method %s takes %s", x.name, span(methods[i].min, methods[i].max))
	}
	for _, a := range x.args.pos {
		c.expr(a)
	}
	c.emit(opMethod, i, len(x.args.pos), 0, x.pos)
}

func span(least, most int) string {
	if least == most {
		return fmt.Sprintf("%d %s", most, plural(most, "argument"))
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}
