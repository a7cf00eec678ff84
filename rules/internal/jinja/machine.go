package jinja

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// machine runs the operations of one template once. Machines are pooled, so
// that a render allocates nothing but the strings that its filters make.
type machine struct {
	t        *Template
	out      []byte
	base     int // where the render starts in out
	stack    []Value
	locals   []Value
	iters    []iterator
	captures []int
	steps    int
	loops    int
	budget   *rebound.Budget
}

type iterator struct {
	items []Value
	next  int
	kept  []Value
}

var machines = sync.Pool{New: func() any { return new(machine) }}

// Append renders the template with the values of vars and appends the result to
// dst. Regular expressions are charged to budget; nil has the default one.
//
// The error is [ErrNotApplied] or an *[Error]; dst is then returned as it was.
func (t *Template) Append(dst []byte, vars Vars, budget *rebound.Budget) ([]byte, error) {
	if t.plain {
		return t.appendPlain(dst, vars)
	}
	m := machines.Get().(*machine)
	defer m.release()
	m.t, m.out, m.base = t, dst, len(dst)
	m.locals = grow(m.locals, t.locals)
	if cap(m.iters) < t.iters {
		m.iters = make([]iterator, t.iters)
	}
	m.iters = m.iters[:t.iters]
	m.budget = budget
	if budget == nil {
		own := rebound.Budget(rebound.DefaultBudget)
		m.budget = &own
	}
	pos, err := m.run(vars)
	if err == nil {
		return m.out, nil
	}
	if !errors.Is(err, ErrNotApplied) {
		err = errorAt(t.src, pos, "%s", err)
	}
	return dst, err
}

func grow(vs []Value, n int) []Value {
	if cap(vs) < n {
		return make([]Value, n)
	}
	vs = vs[:n]
	clear(vs)
	return vs
}

// release empties the machine, so that the pool keeps no text of an invite.
func (m *machine) release() {
	clear(m.stack[:cap(m.stack)])
	clear(m.locals)
	clear(m.iters)
	*m = machine{stack: m.stack[:0], locals: m.locals, iters: m.iters, captures: m.captures[:0]}
	machines.Put(m)
}

func (t *Template) appendPlain(dst []byte, vars Vars) ([]byte, error) {
	base := len(dst)
	for i := range t.ops {
		if o := &t.ops[i]; o.code == opText {
			dst = append(dst, t.texts[o.a]...)
		} else {
			dst = vars.Var(int(o.a)).append(dst)
		}
		if len(dst)-base > MaxOutput {
			return dst[:base], errorAt(t.src, int(t.ops[i].pos), "%s", errOutput)
		}
	}
	return dst, nil
}

var (
	errOutput = fmt.Errorf("the result is longer than %d bytes", MaxOutput)
	errSteps  = fmt.Errorf("the template takes too long: more than %d steps", MaxSteps)
	errLoops  = fmt.Errorf("the template loops more than %d times", MaxLoops)
)

// charge counts a value that was made: one step for every 32 bytes.
func (m *machine) charge(bytes int) error {
	m.steps += bytes / 32
	if m.steps > MaxSteps {
		return errSteps
	}
	return nil
}

// chargeCall counts what a filter, test or method has to look at.
func (m *machine) chargeCall(v Value, args []Value) error {
	n := v.size()
	for _, a := range args {
		n += a.size()
	}
	return m.charge(n)
}

func (m *machine) push(v Value) { m.stack = append(m.stack, v) }

func (m *machine) pop() Value {
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v
}

func (m *machine) top() *Value { return &m.stack[len(m.stack)-1] }

// popN returns the n topmost values. They are valid up to the next push.
func (m *machine) popN(n int) []Value {
	vs := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return vs
}

func (m *machine) write(v Value) error {
	m.out = v.append(m.out)
	if len(m.out)-m.base > MaxOutput {
		return errOutput
	}
	return nil
}

// run executes the operations; with an error it returns the place in the
// template.
func (m *machine) run(vars Vars) (int, error) {
	ops := m.t.ops
	for pc := 0; pc < len(ops); pc++ {
		o := &ops[pc]
		if m.steps++; m.steps > MaxSteps {
			return int(o.pos), errSteps
		}
		var err error
		switch o.code {
		case opText:
			m.out = append(m.out, m.t.texts[o.a]...)
			if len(m.out)-m.base > MaxOutput {
				err = errOutput
			}
		case opVarOut:
			err = m.write(vars.Var(int(o.a)))
		case opOut:
			err = m.write(m.pop())
		case opConst:
			m.push(m.t.consts[o.a])
		case opVar:
			m.push(vars.Var(int(o.a)))
		case opLocal:
			m.push(m.locals[o.a])
		case opStore:
			m.locals[o.a] = m.pop()
		case opPop:
			m.pop()
		case opAttr:
			m.steps += len(m.top().list) / 8
			*m.top(), err = attribute(*m.top(), m.t.consts[o.a].str)
		case opIndex:
			i := m.pop()
			m.steps += (len(m.top().list) + len(m.top().str)) / 32
			*m.top(), err = index(*m.top(), i)
		case opSlice:
			err = m.slice(int(o.a))
		case opList, opDict:
			err = m.collect(o)
		case opNeg, opPos:
			*m.top(), err = sign(*m.top(), o.code == opNeg)
		case opNot:
			*m.top() = Boolean(!m.top().truth())
		case opBin:
			b := m.pop()
			*m.top(), err = m.binary(int(o.a), *m.top(), b)
		case opJump:
			pc = int(o.a) - 1
		case opJumpFalse:
			if !m.pop().truth() {
				pc = int(o.a) - 1
			}
		case opAnd, opOr:
			if m.top().truth() == (o.code == opOr) {
				pc = int(o.a) - 1
			} else {
				m.pop()
			}
		case opFilter:
			err = m.filter(o)
		case opTest:
			args := m.popN(int(o.b))
			yes := false
			if err = m.chargeCall(*m.top(), args); err != nil {
				break
			}
			if yes, err = tests[o.a].fn(*m.top(), args); err == nil {
				*m.top() = Boolean(yes != (o.c != 0))
			}
		case opMethod:
			args := m.popN(int(o.b))
			if err = m.chargeCall(*m.top(), args); err != nil {
				break
			}
			if *m.top(), err = methods[o.a].fn(m, *m.top(), args); err == nil {
				err = m.charge(m.top().size())
			}
		case opRange:
			err = m.makeRange(int(o.a))
		case opForStart, opForNext, opForKeep, opForKept:
			var jump bool
			if jump, err = m.loop(o); jump {
				pc = int(o.b) - 1
			}
		case opLoop:
			m.push(m.iters[o.a].field(loopFields[o.b]))
		case opUnpack:
			err = m.unpack(int(o.a))
		case opCapture:
			m.captures = append(m.captures, len(m.out))
		case opCaptured:
			start := m.captures[len(m.captures)-1]
			m.captures = m.captures[:len(m.captures)-1]
			m.push(Str(string(m.out[start:])))
			m.out = m.out[:start]
			err = m.charge(len(m.top().str))
		}
		if err != nil {
			return int(o.pos), err
		}
	}
	return 0, nil
}

func (m *machine) filter(o *op) error {
	args := m.popN(int(o.b))
	var p pattern
	if o.c > 0 {
		p = m.t.patterns[o.c-1]
	}
	f := &filters[o.a]
	if err := m.chargeCall(*m.top(), args); err != nil {
		return err
	}
	v, err := f.fn(m, *m.top(), args, p)
	if errors.Is(err, ErrNotApplied) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	*m.top() = v
	return m.charge(v.size())
}

// loop runs the operations of {% for %}. It reports whether to jump.
func (m *machine) loop(o *op) (bool, error) {
	it := &m.iters[o.a]
	switch o.code {
	case opForStart:
		items, err := m.iterate(m.pop())
		*it = iterator{items: items}
		return false, err
	case opForNext:
		if it.next >= len(it.items) {
			return true, nil
		}
		if m.loops++; m.loops > MaxLoops {
			return false, errLoops
		}
		m.push(it.items[it.next])
		it.next++
	case opForKeep:
		it.kept = append(it.kept, it.items[it.next-1])
	case opForKept:
		if o.c == 0 {
			*it = iterator{items: it.kept}
		}
		return len(it.items) == 0, nil
	}
	return false, nil
}

func (it *iterator) field(name string) Value {
	i, n := it.next-1, len(it.items)
	switch name {
	case "index":
		return Integer(i + 1)
	case "index0":
		return Integer(i)
	case "revindex":
		return Integer(n - i)
	case "revindex0":
		return Integer(n - i - 1)
	case "first":
		return Boolean(i == 0)
	case "last":
		return Boolean(i == n-1)
	case "length":
		return Integer(n)
	case "previtem":
		if i > 0 {
			return it.items[i-1]
		}
	case "nextitem":
		if i+1 < n {
			return it.items[i+1]
		}
	}
	return Value{}
}

// iterate returns what a loop over v yields: elements, keys or characters.
func (m *machine) iterate(v Value) ([]Value, error) {
	switch v.kind {
	case List:
		return v.list, nil
	case Undefined:
		return nil, nil
	case Map:
		keys := make([]Value, 0, len(v.list)/2)
		for i := 0; i < len(v.list); i += 2 {
			keys = append(keys, v.list[i])
		}
		return keys, m.charge(len(keys) * 56)
	case String:
		if err := m.charge(len(v.str) * 56); err != nil {
			return nil, err
		}
		chars := make([]Value, 0, len(v.str))
		for i, r := range v.str {
			chars = append(chars, Str(v.str[i:i+max(1, utf8.RuneLen(r))]))
		}
		return chars, nil
	}
	return nil, fmt.Errorf("%s cannot be looped over", v.kind)
}

func (m *machine) unpack(n int) error {
	v := m.pop()
	items, err := m.iterate(v)
	if err != nil {
		return err
	}
	if len(items) != n {
		return fmt.Errorf("%d values for %d names", len(items), n)
	}
	for i := range items {
		m.push(items[n-1-i])
	}
	return nil
}

func (m *machine) collect(o *op) error {
	vs := append([]Value(nil), m.popN(int(o.a))...)
	if o.code == opList {
		m.push(Value{kind: List, list: vs})
		return m.charge(m.top().size())
	}
	d := Value{kind: Map}
	for i := 0; i < len(vs); i += 2 {
		if vs[i].kind != String {
			return fmt.Errorf("keys are strings, not %s", vs[i].kind)
		}
		d = d.with(vs[i], vs[i+1])
	}
	m.push(d)
	return m.charge(d.size())
}

// with returns a mapping with one more key, or another value for one. It may
// change v's own memory: callers own it.
func (v Value) with(key, value Value) Value {
	for i := 0; i < len(v.list); i += 2 {
		if v.list[i].str == key.str {
			v.list[i+1] = value
			return v
		}
	}
	v.list = append(v.list, key, value)
	return v
}

func (m *machine) makeRange(n int) error {
	args := m.popN(n)
	lim := [3]int64{0, 0, 1}
	for i, a := range args {
		if a.kind != Int && a.kind != Bool {
			return fmt.Errorf("range takes whole numbers, not %s", a.kind)
		}
		lim[i] = a.int()
	}
	if n == 1 {
		lim[0], lim[1] = 0, lim[0]
	}
	v, err := m.rangeOf(lim[0], lim[1], lim[2])
	m.push(v)
	return err
}

func (m *machine) rangeOf(start, stop, step int64) (Value, error) {
	if step == 0 {
		return Value{}, fmt.Errorf("range needs a step that is not 0")
	}
	out := Value{kind: List}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; {
		if len(out.list) >= MaxLoops {
			return Value{}, errLoops
		}
		out.list = append(out.list, Integer(int(i)))
		next := i + step
		if (next > i) != (step > 0) {
			break
		}
		i = next
	}
	return out, m.charge(len(out.list) * 56)
}

func attribute(v Value, name string) (Value, error) {
	switch v.kind {
	case Undefined:
		return v, fmt.Errorf("%q of something that is not there; test it with {%% if … is defined %%}", name)
	case Map:
		out, _ := v.get(name)
		return out, nil
	}
	return Value{}, nil
}

func index(v, i Value) (Value, error) {
	switch {
	case v.kind == Undefined:
		return v, fmt.Errorf("index of something that is not there; test it with {%% if … is defined %%}")
	case v.kind == Map && i.kind == String:
		out, _ := v.get(i.str)
		return out, nil
	case v.kind == List && (i.kind == Int || i.kind == Bool):
		n := i.int()
		if n < 0 {
			n += int64(len(v.list))
		}
		if n >= 0 && n < int64(len(v.list)) {
			return v.list[n], nil
		}
	case v.kind == String && (i.kind == Int || i.kind == Bool):
		n := i.int()
		if n < 0 {
			n += int64(v.length())
		}
		if n >= 0 && n < int64(len(v.str)) {
			if s := runeSlice(v.str, int(n), int(n)+1); s != "" {
				return Str(s), nil
			}
		}
	}
	return Value{}, nil
}

// runeSlice returns the characters from lo up to hi of a string, as far as it
// has them.
func runeSlice(s string, lo, hi int) string {
	if hi <= lo {
		return ""
	}
	start, n := len(s), 0
	for i := range s {
		if n == lo {
			start = i
		}
		if n == hi {
			return s[start:i]
		}
		n++
	}
	return s[start:]
}

func (m *machine) slice(has int) error {
	hi, lo := m.pop(), m.pop()
	v := m.top()
	n := v.length()
	m.steps += len(v.str) / 16
	if v.kind != String && v.kind != List {
		return fmt.Errorf("%s has no slices", v.kind)
	}
	from, to := 0, n
	for i, end := range []*int{&from, &to} {
		if has&(1<<i) == 0 {
			continue
		}
		b := [2]Value{lo, hi}[i]
		switch b.kind {
		case None:
			continue
		case Int, Bool:
		default:
			return fmt.Errorf("a slice takes whole numbers, not %s", b.kind)
		}
		k := b.int()
		if k < 0 {
			k += int64(n)
		}
		*end = int(max(0, min(k, int64(n))))
	}
	if to < from {
		to = from
	}
	if v.kind == String {
		*v = Str(runeSlice(v.str, from, to))
	} else {
		*v = Value{kind: List, list: v.list[from:to]}
	}
	return nil
}
