package jinja

import (
	"slices"
)

// exprList parses an expression, or several with commas between, which are a
// list.
func (p *parser) exprList() expr {
	x := p.expr()
	if !p.isOp(",") {
		return x
	}
	l := &listExpr{pos: x.at(), items: []expr{x}}
	for p.acceptOp(",") {
		if k := p.peek().kind; k == tokEnd || p.isOp(")") {
			break
		}
		l.items = append(l.items, p.expr())
	}
	return l
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxExprDepth {
		p.fail(p.peek().pos, "expression nested deeper than %d levels", maxExprDepth)
	}
}

func (p *parser) expr() expr {
	p.enter()
	defer func() { p.depth-- }()
	x := p.or()
	for p.isName("if") {
		c := &condExpr{pos: p.next().pos, a: x}
		c.cond = p.or()
		if p.acceptName("else") {
			c.b = p.expr()
		}
		x = c
	}
	return x
}

func (p *parser) or() expr {
	x := p.and()
	for p.isName("or") {
		pos := p.next().pos
		x = &binExpr{pos, "or", x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for p.isName("and") {
		pos := p.next().pos
		x = &binExpr{pos, "and", x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	if !p.isName("not") {
		return p.compare()
	}
	p.enter()
	defer func() { p.depth-- }()
	pos := p.next().pos
	return &unaryExpr{pos, "not", p.not()}
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

// compare parses a < b < c as (a < b) and (b < c), as Python does. Expressions
// have no side effects, so that b may be evaluated twice.
func (p *parser) compare() expr {
	left := p.sum()
	var out expr
	for {
		t := p.peek()
		var op string
		switch {
		case t.kind == tokOp && slices.Contains(comparisons, t.text):
			op = t.text
		case t.kind == tokName && t.text == "in":
			op = "in"
		case t.kind == tokName && t.text == "not" && p.toks[p.i+1].kind == tokName && p.toks[p.i+1].text == "in":
			op = "not in"
			p.i++
		case t.kind == tokOp && t.text == "=":
			p.fail(t.pos, `write == to compare`)
		default:
			if out == nil {
				return left
			}
			return out
		}
		p.i++
		right := p.sum()
		var x expr = &binExpr{t.pos, op, left, right}
		if op == "not in" {
			x = &unaryExpr{t.pos, "not", &binExpr{t.pos, "in", left, right}}
		}
		if out == nil {
			out = x
		} else {
			// The middle is compiled twice: in nested chains that would double
			// with each level.
			if !simple(left) {
				p.fail(left.at(), "write this comparison as two, with and")
			}
			out = &binExpr{t.pos, "and", out, x}
		}
		left = right
	}
}

func simple(x expr) bool {
	switch x := x.(type) {
	case *litExpr, *nameExpr:
		return true
	case *attrExpr:
		return simple(x.x)
	}
	return false
}

func (p *parser) sum() expr {
	x := p.concat()
	for p.isOp("+") || p.isOp("-") {
		t := p.next()
		x = &binExpr{t.pos, t.text, x, p.concat()}
	}
	return x
}

func (p *parser) concat() expr {
	x := p.product()
	for p.isOp("~") {
		pos := p.next().pos
		x = &binExpr{pos, "~", x, p.product()}
	}
	return x
}

func (p *parser) product() expr {
	x := p.power()
	for p.isOp("*") || p.isOp("/") || p.isOp("//") || p.isOp("%") {
		t := p.next()
		x = &binExpr{t.pos, t.text, x, p.power()}
	}
	return x
}

func (p *parser) power() expr {
	x := p.unary(true)
	for p.isOp("**") {
		pos := p.next().pos
		x = &binExpr{pos, "**", x, p.unary(true)}
	}
	return x
}

func (p *parser) unary(filters bool) expr {
	var x expr
	if p.isOp("-") || p.isOp("+") {
		p.enter()
		t := p.next()
		x = &unaryExpr{t.pos, t.text, p.unary(false)}
		p.depth--
	} else {
		x = p.postfix(p.primary())
	}
	if filters {
		x = p.filters(x)
	}
	return x
}

func (p *parser) primary() expr {
	switch t := p.next(); t.kind {
	case tokInt, tokFloat:
		return &litExpr{t.pos, t.num}
	case tokString:
		s := t.text
		for p.peek().kind == tokString { // "a" "b" is one string
			s += p.next().text
		}
		return &litExpr{t.pos, Str(s)}
	case tokName:
		switch t.text {
		case "true", "True":
			return &litExpr{t.pos, Boolean(true)}
		case "false", "False":
			return &litExpr{t.pos, Boolean(false)}
		case "none", "None":
			return &litExpr{t.pos, none}
		}
		if slices.Contains(reserved, t.text) {
			p.fail(t.pos, "expected an expression, not %q", t.text)
		}
		if p.isOp("(") {
			return &callExpr{t.pos, t.text, p.args()}
		}
		return &nameExpr{t.pos, t.text}
	case tokOp:
		switch t.text {
		case "(":
			if p.acceptOp(")") {
				return &listExpr{pos: t.pos}
			}
			x := p.exprList()
			p.expectOp(")")
			return x
		case "[":
			l := &listExpr{pos: t.pos}
			for !p.acceptOp("]") {
				l.items = append(l.items, p.expr())
				if !p.isOp("]") {
					p.expectOp(",")
				}
			}
			return l
		case "{":
			d := &dictExpr{pos: t.pos}
			for !p.acceptOp("}") {
				d.items = append(d.items, p.expr())
				p.expectOp(":")
				d.items = append(d.items, p.expr())
				if !p.isOp("}") {
					p.expectOp(",")
				}
			}
			return d
		}
	}
	p.i--
	if p.peek().kind == tokEOF {
		p.fail(p.peek().pos, "expected an expression, not the end of the template")
	}
	p.fail(p.peek().pos, "expected an expression, not %s", p.describe())
	return nil
}

// postfix parses .name, [index] and calls. Chains are loops and not recursion,
// but the tree that they make is deep: they count as depth too.
func (p *parser) postfix(x expr) expr {
	links := 0
	for ; ; links++ {
		if links > maxExprDepth {
			p.fail(p.peek().pos, "expression nested deeper than %d levels", maxExprDepth)
		}
		switch {
		case p.isOp("."):
			p.i++
			t := p.next()
			if t.kind == tokInt { // list.0
				x = &indexExpr{t.pos, x, &litExpr{t.pos, t.num}}
				continue
			}
			if t.kind != tokName {
				p.i--
				p.fail(t.pos, "expected a name behind the point, not %s", p.describe())
			}
			if p.isOp("(") {
				x = &methodExpr{t.pos, x, t.text, p.args()}
			} else {
				x = &attrExpr{t.pos, x, t.text}
			}
		case p.isOp("["):
			x = p.index(x)
		case p.isOp("("):
			p.fail(p.peek().pos, "this is nothing that can be called")
		default:
			return x
		}
	}
}

func (p *parser) index(x expr) expr {
	pos := p.next().pos
	var lo, hi expr
	if !p.isOp(":") {
		lo = p.expr()
		if p.acceptOp("]") {
			return &indexExpr{pos, x, lo}
		}
	}
	p.expectOp(":")
	if !p.isOp("]") && !p.isOp(":") {
		hi = p.expr()
	}
	if p.isOp(":") {
		p.fail(p.peek().pos, "slices with a step are not available")
	}
	p.expectOp("]")
	return &sliceExpr{pos, x, lo, hi}
}

func (p *parser) filters(x expr) expr {
	links := 0
	for ; ; links++ {
		if links > maxExprDepth {
			p.fail(p.peek().pos, "more than %d filters in a row", maxExprDepth)
		}
		switch {
		case p.isOp("|"):
			p.i++
			t := p.name("the name of a filter")
			f := &filterExpr{pos: t.pos, x: x, name: t.text}
			if p.isOp("(") {
				f.args = p.args()
			}
			x = f
		case p.isName("is"):
			x = p.test(x)
		default:
			return x
		}
	}
}

func (p *parser) test(x expr) expr {
	p.i++
	t := &testExpr{x: x, not: p.acceptName("not")}
	n := p.next()
	if n.kind != tokName {
		p.i--
		p.fail(n.pos, "expected the name of a test, not %s", p.describe())
	}
	t.pos, t.name = n.pos, n.text
	switch arg := p.peek(); {
	case p.isOp("("):
		t.args = p.args()
	case arg.kind == tokString, arg.kind == tokInt, arg.kind == tokFloat, p.isOp("["), p.isOp("{"),
		arg.kind == tokName && !slices.Contains([]string{"else", "or", "and", "is", "if", "in", "not"}, arg.text):
		t.args.pos = []expr{p.postfix(p.primary())}
	}
	return t
}

func (p *parser) args() args {
	p.expectOp("(")
	var a args
	for !p.acceptOp(")") {
		t := p.peek()
		if t.kind == tokName && p.toks[p.i+1].kind == tokOp && p.toks[p.i+1].text == "=" {
			p.i += 2
			a.kw = append(a.kw, kwarg{t.pos, t.text, p.expr()})
		} else {
			if len(a.kw) > 0 {
				p.fail(t.pos, "arguments without a name come before those with one")
			}
			a.pos = append(a.pos, p.expr())
		}
		if !p.isOp(")") {
			p.expectOp(",")
		}
	}
	if n := len(a.pos) + len(a.kw); n > 32 {
		p.fail(p.peek().pos, "more than 32 arguments")
	}
	return a
}
