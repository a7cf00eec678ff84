package jinja

import (
	"slices"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

// The limits on how deep a template may nest: the parser and the compiler
// recurse.
const (
	maxExprDepth  = 60
	maxBlockDepth = 16
)

type parser struct {
	src    string
	toks   []token
	i      int
	depth  int
	blocks int
}

// bail carries an error out of the recursion.
type bail struct{ err *Error }

func (p *parser) fail(pos int, format string, args ...any) {
	panic(bail{errorAt(p.src, pos, format, args...)})
}

func parse(src string) (body []stmt, err *Error) {
	toks, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{src: src, toks: toks}
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			err = b.err
		}
	}()
	body, _ = p.body(token{}, nil)
	return body, nil
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEOF {
		p.i++
	}
	return t
}

func (p *parser) isOp(s string) bool { t := p.peek(); return t.kind == tokOp && t.text == s }

func (p *parser) acceptOp(s string) bool {
	if p.isOp(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) isName(s string) bool { t := p.peek(); return t.kind == tokName && t.text == s }

func (p *parser) acceptName(s string) bool {
	if p.isName(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expectOp(s string) {
	if !p.acceptOp(s) {
		p.fail(p.peek().pos, "expected %q, not %s", s, p.describe())
	}
}

func (p *parser) describe() string {
	switch t := p.peek(); t.kind {
	case tokEOF:
		return "the end of the template"
	case tokEnd:
		return "the end of the tag"
	case tokString:
		return "a string"
	case tokText, tokVar, tokBlock:
		return "text"
	default:
		return `"` + t.text + `"`
	}
}

func (p *parser) expectEnd() {
	if p.peek().kind != tokEnd {
		p.fail(p.peek().pos, "expected the end of the tag, not %s", p.describe())
	}
	p.i++
}

func (p *parser) name(what string) token {
	t := p.next()
	if t.kind != tokName {
		p.i--
		p.fail(t.pos, "expected %s, not %s", what, p.describe())
	}
	if slices.Contains(reserved, t.text) {
		p.fail(t.pos, "%q is a word of the language and no name", t.text)
	}
	return t
}

var reserved = []string{"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"}

// refused are the tags of Jinja2 that are not there, with the reason.
var refused = map[string]string{
	"include": "templates read no files", "import": "templates read no files", "from": "templates read no files",
	"extends": "templates read no files", "block": "there are no templates to inherit from",
	"macro": "write the text where it is needed, or use {% set %}", "call": "there are no macros",
	"autoescape": "nothing is escaped: the result is an address", "do": "use {% set %}", "with": "use {% set %}",
	"break": "use {% for … if … %}", "continue": "use {% for … if … %}", "trans": "there are no translations", "debug": "use otj explain",
}

var tags = []string{"if", "for", "set", "filter", "raw"}

// body parses up to one of the closing tags in until, which it leaves behind
// it; open is the tag that they close.
func (p *parser) body(open token, until []string) (out []stmt, closer token) {
	if p.blocks++; p.blocks > maxBlockDepth {
		p.fail(open.pos, "tags nested deeper than %d levels", maxBlockDepth)
	}
	defer func() { p.blocks-- }()
	for {
		switch t := p.next(); t.kind {
		case tokEOF:
			if until != nil {
				p.fail(open.pos, "{%% %s %%} is not closed; add {%% %s %%}", open.text, until[len(until)-1])
			}
			return out, t
		case tokText:
			out = append(out, textStmt{t.text})
		case tokVar:
			if p.peek().kind == tokEnd {
				p.fail(t.pos, "{{ }} is empty")
			}
			x := p.exprList()
			p.expectEnd()
			out = append(out, outStmt{x})
		case tokBlock:
			word := p.next()
			if word.kind != tokName {
				p.i--
				p.fail(word.pos, "expected a tag such as if, for, set, not %s", p.describe())
			}
			if slices.Contains(until, word.text) {
				return out, word
			}
			out = append(out, p.tag(word))
		}
	}
}

func (p *parser) tag(word token) stmt {
	switch word.text {
	case "if":
		return p.ifTag(word)
	case "for":
		return p.forTag(word)
	case "set":
		return p.setTag(word)
	case "filter":
		fs := p.filterChain()
		p.expectEnd()
		body, _ := p.body(word, []string{"endfilter"})
		p.expectEnd()
		return &filterStmt{fs, body}
	case "elif", "else", "endif", "endfor", "endset", "endfilter", "endraw":
		p.fail(word.pos, "{%% %s %%} closes nothing", word.text)
	}
	if why, ok := refused[word.text]; ok {
		p.fail(word.pos, "the tag %q is not available: %s", word.text, why)
	}
	p.fail(word.pos, "unknown tag %q%s", word.text, jsonc.Suggest(word.text, tags))
	return nil
}

func (p *parser) ifTag(word token) stmt {
	s := &ifStmt{}
	for {
		s.conds = append(s.conds, p.expr())
		p.expectEnd()
		body, closer := p.body(word, []string{"elif", "else", "endif"})
		s.bodies = append(s.bodies, body)
		switch closer.text {
		case "elif":
			continue
		case "else":
			p.expectEnd()
			body, _ = p.body(closer, []string{"endif"})
			s.bodies = append(s.bodies, body)
		}
		p.expectEnd()
		return s
	}
}

func (p *parser) forTag(word token) stmt {
	s := &forStmt{pos: word.pos}
	for {
		t := p.name("a name")
		if t.text == "loop" {
			p.fail(t.pos, `"loop" is the loop's own variable; choose another name`)
		}
		s.targets = append(s.targets, t.text)
		if !p.acceptOp(",") {
			break
		}
	}
	if !p.acceptName("in") {
		p.fail(p.peek().pos, `expected "in", not %s`, p.describe())
	}
	// Without a conditional expression: "if" starts the filter of the loop.
	s.over = p.or()
	if p.acceptName("if") {
		s.cond = p.expr()
	}
	if p.isName("recursive") {
		p.fail(p.peek().pos, "recursive loops are not available")
	}
	p.expectEnd()
	body, closer := p.body(word, []string{"else", "endfor"})
	s.body = body
	if closer.text == "else" {
		p.expectEnd()
		s.orElse, _ = p.body(closer, []string{"endfor"})
	}
	p.expectEnd()
	return s
}

func (p *parser) setTag(word token) stmt {
	s := &setStmt{pos: word.pos}
	for {
		t := p.name("a name")
		if t.text == "loop" {
			p.fail(t.pos, `"loop" is the loop's own variable; choose another name`)
		}
		s.targets = append(s.targets, t.text)
		if len(s.targets) == 1 && p.acceptOp(".") {
			s.attr = p.name("a name").text
			break
		}
		if !p.acceptOp(",") {
			break
		}
	}
	if p.acceptOp("=") {
		s.x = p.exprList()
		p.expectEnd()
		return s
	}
	if len(s.targets) > 1 || s.attr != "" {
		p.expectOp("=")
	}
	if p.acceptOp("|") {
		s.filters = p.filterChain()
	}
	p.expectEnd()
	s.body, _ = p.body(word, []string{"endset"})
	p.expectEnd()
	return s
}

// filterChain parses "upper|trim" behind {% filter and {% set x |.
func (p *parser) filterChain() []*filterExpr {
	var out []*filterExpr
	for {
		t := p.name("the name of a filter")
		f := &filterExpr{pos: t.pos, name: t.text}
		if p.isOp("(") {
			f.args = p.args()
		}
		out = append(out, f)
		if !p.acceptOp("|") {
			return out
		}
	}
}
