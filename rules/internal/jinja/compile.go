package jinja

import (
	"slices"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

type compiler struct {
	t      *Template
	opts   Options
	set    *rebound.Set
	scopes []scope
	loops  []*loopScope
}

// scope is a part of the template with names of its own.
type scope struct {
	names map[string]*local
	// later are the slots of names that are set further on in the part, and not
	// known around it.
	later map[string]int
}

type local struct {
	slot int
	elem []string // attributes of the value, or of its elements if it is a list
	ns   map[string]*local
}

type loopScope struct{ iter int }

func (c *compiler) fail(pos int, format string, args ...any) {
	panic(bail{errorAt(c.t.src, pos, format, args...)})
}

func (c *compiler) run(body []stmt) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			err = b.err
		}
	}()
	c.inScope(body, func() { c.stmts(body) })
	c.t.plain = true
	for _, o := range c.t.ops {
		c.t.plain = c.t.plain && (o.code == opText || o.code == opVarOut)
	}
	slices.Sort(c.t.slots)
	c.t.slots = slices.Compact(c.t.slots)
	return nil
}

func (c *compiler) emit(code opcode, a, b, cc int, pos int) int {
	c.t.ops = append(c.t.ops, op{code, int32(a), int32(b), int32(cc), int32(pos)})
	return len(c.t.ops) - 1
}

// here makes a jump lead to the next operation.
func (c *compiler) here(jump int) {
	o := &c.t.ops[jump]
	if o.code == opForNext || o.code == opForKept {
		o.b = int32(len(c.t.ops))
	} else {
		o.a = int32(len(c.t.ops))
	}
}

func (c *compiler) constant(v Value, pos int) {
	c.t.consts = append(c.t.consts, v)
	c.emit(opConst, len(c.t.consts)-1, 0, 0, pos)
}

func (c *compiler) newLocal() int {
	c.t.locals++
	return c.t.locals - 1
}

// inScope compiles a part of the template in which {% set %} makes its own
// variables, as a loop's body does. A name that is set somewhere in the part
// and known around it starts with the value from around it.
func (c *compiler) inScope(body []stmt, compile func()) {
	own := scope{map[string]*local{}, map[string]int{}}
	for _, name := range assigned(body, nil) {
		if _, ok := own.later[name]; ok || own.names[name] != nil {
			continue
		}
		slot := c.newLocal()
		if l := c.lookup(name); l != nil && l.ns == nil || l == nil && c.slot(name) >= 0 {
			c.name(&nameExpr{name: name})
			own.names[name] = &local{slot: slot}
		} else {
			// A second round of a loop must not see what the first one set.
			c.constant(Value{}, 0)
			own.later[name] = slot
		}
		c.emit(opStore, slot, 0, 0, 0)
	}
	c.scopes = append(c.scopes, own)
	compile()
	c.scopes = c.scopes[:len(c.scopes)-1]
}

// assigned lists the names that statements set, not counting loops inside them.
func assigned(body []stmt, names []string) []string {
	for _, s := range body {
		switch s := s.(type) {
		case *setStmt:
			if call, ok := s.x.(*callExpr); s.attr == "" && (!ok || call.name != "namespace") {
				names = append(names, s.targets...)
			}
			names = assigned(s.body, names)
		case *ifStmt:
			for _, b := range s.bodies {
				names = assigned(b, names)
			}
		case *filterStmt:
			names = assigned(s.body, names)
		}
	}
	return names
}

func (c *compiler) lookup(name string) *local {
	for i := len(c.scopes) - 1; i >= 0; i-- {
		if l := c.scopes[i].names[name]; l != nil {
			return l
		}
	}
	return nil
}

// declare makes a name known in the innermost scope.
func (c *compiler) declare(name string) *local {
	own := c.scopes[len(c.scopes)-1]
	if l := own.names[name]; l != nil && l.ns == nil {
		return l
	}
	slot, ok := own.later[name]
	if !ok {
		slot = c.newLocal()
	}
	l := &local{slot: slot}
	own.names[name] = l
	return l
}

// slot returns the variable of a name, or -1.
func (c *compiler) slot(name string) int {
	return slices.IndexFunc(c.opts.Vars, func(v Var) bool { return v.Name == name })
}

func (c *compiler) stmts(body []stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case textStmt:
			c.t.texts = append(c.t.texts, s.text)
			c.emit(opText, len(c.t.texts)-1, 0, 0, 0)
		case outStmt:
			c.expr(s.x)
			if last := &c.t.ops[len(c.t.ops)-1]; last.code == opVar && isName(s.x) {
				last.code = opVarOut
			} else {
				c.emit(opOut, 0, 0, 0, s.x.at())
			}
		case *ifStmt:
			c.ifStmt(s)
		case *forStmt:
			c.forStmt(s)
		case *setStmt:
			c.setStmt(s)
		case *filterStmt:
			c.emit(opCapture, 0, 0, 0, 0)
			c.stmts(s.body)
			c.emit(opCaptured, 0, 0, 0, 0)
			for _, f := range s.filters {
				c.filter(f)
			}
			c.emit(opOut, 0, 0, 0, 0)
		}
	}
}

// isName reports whether x is a variable and nothing else: only then is the
// operation that pushes it the last one, and no jump leads behind it.
func isName(x expr) bool {
	switch x := x.(type) {
	case *nameExpr:
		return true
	case *attrExpr:
		return isName(x.x)
	}
	return false
}

func (c *compiler) ifStmt(s *ifStmt) {
	var ends []int
	for i, cond := range s.conds {
		c.expr(cond)
		next := c.emit(opJumpFalse, 0, 0, 0, cond.at())
		c.stmts(s.bodies[i])
		ends = append(ends, c.emit(opJump, 0, 0, 0, 0))
		c.here(next)
	}
	if len(s.bodies) > len(s.conds) {
		c.stmts(s.bodies[len(s.conds)])
	}
	for _, e := range ends {
		c.here(e)
	}
}

func (c *compiler) forStmt(s *forStmt) {
	elem := c.expr(s.over)
	iter := len(c.loops)
	c.t.iters = max(c.t.iters, iter+1)
	c.emit(opForStart, iter, 0, 0, s.over.at())
	if s.cond != nil {
		top := len(c.t.ops)
		next := c.emit(opForNext, iter, 0, 0, s.pos)
		c.scopes = append(c.scopes, scope{names: map[string]*local{}})
		c.targets(s, elem)
		c.expr(s.cond)
		c.scopes = c.scopes[:len(c.scopes)-1]
		c.emit(opJumpFalse, top, 0, 0, s.pos)
		c.emit(opForKeep, iter, 0, 0, 0)
		c.emit(opJump, top, 0, 0, 0)
		c.here(next)
		// The jump of next goes to what follows.
	}
	start := c.emit(opForKept, iter, 0, 0, s.pos)
	if s.cond == nil {
		c.t.ops[start].c = 1 // nothing was filtered: only look whether it is empty
	}
	top := len(c.t.ops)
	next := c.emit(opForNext, iter, 0, 0, s.pos)
	c.loops = append(c.loops, &loopScope{iter})
	// The element is on the stack while the body's own variables are made.
	c.inScope(s.body, func() {
		c.targets(s, elem)
		c.stmts(s.body)
	})
	c.loops = c.loops[:len(c.loops)-1]
	c.emit(opJump, top, 0, 0, 0)
	if len(s.orElse) > 0 {
		c.here(next)
		skip := c.emit(opJump, 0, 0, 0, 0)
		c.here(start)
		c.stmts(s.orElse)
		c.here(skip)
		return
	}
	c.here(next)
	c.here(start)
}

func (c *compiler) targets(s *forStmt, elem []string) {
	if len(s.targets) > 1 {
		c.emit(opUnpack, len(s.targets), 0, 0, s.pos)
		elem = nil
	}
	for _, name := range s.targets {
		l := &local{slot: c.newLocal(), elem: elem}
		c.scopes[len(c.scopes)-1].names[name] = l
		c.emit(opStore, l.slot, 0, 0, s.pos)
	}
}

func (c *compiler) setStmt(s *setStmt) {
	name := s.targets[0]
	switch {
	case s.attr != "":
		l := c.lookup(name)
		if l == nil || l.ns == nil {
			c.fail(s.pos, "%q is no namespace; write {%% set %s = namespace() %%} before", name, name)
		}
		c.expr(s.x)
		f := l.ns[s.attr]
		if f == nil {
			f = &local{slot: c.newLocal()}
			l.ns[s.attr] = f
		}
		c.emit(opStore, f.slot, 0, 0, s.pos)
	case s.x == nil:
		c.emit(opCapture, 0, 0, 0, s.pos)
		c.stmts(s.body)
		c.emit(opCaptured, 0, 0, 0, s.pos)
		for _, f := range s.filters {
			c.filter(f)
		}
		c.emit(opStore, c.declare(name).slot, 0, 0, s.pos)
	case len(s.targets) > 1:
		c.expr(s.x)
		c.emit(opUnpack, len(s.targets), 0, 0, s.pos)
		for _, name := range s.targets {
			c.emit(opStore, c.declare(name).slot, 0, 0, s.pos)
		}
	default:
		if call, ok := s.x.(*callExpr); ok && call.name == "namespace" {
			if len(call.args.pos) > 0 {
				c.fail(call.pos, "namespace takes names with values: namespace(found='')")
			}
			ns := &local{ns: map[string]*local{}}
			for _, kw := range call.args.kw {
				f := &local{slot: c.newLocal()}
				c.expr(kw.x)
				c.emit(opStore, f.slot, 0, 0, kw.at)
				ns.ns[kw.name] = f
			}
			c.scopes[len(c.scopes)-1].names[name] = ns
			return
		}
		c.expr(s.x)
		c.emit(opStore, c.declare(name).slot, 0, 0, s.pos)
	}
}

// known lists what a name may be, for suggestions.
func (c *compiler) known() []string {
	var out []string
	for _, v := range c.opts.Vars {
		out = append(out, v.Name)
	}
	for _, s := range c.scopes {
		for name := range s.names {
			out = append(out, name)
		}
	}
	return out
}
