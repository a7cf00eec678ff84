package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// The limits of rule files; see package rules.
const (
	maxRules    = 200
	maxPriority = 200
)

// ruleFile is the text of a company's rules, taken apart so that rules can be
// moved with their comments. Put together again it is the same text.
type ruleFile struct {
	source string
	root   hujson.Value
	list   *hujson.Array
	head   []byte // between the bracket and the first rule's own comments
	units  []ruleUnit
	foot   []byte // between the last rule's own comments and the bracket
	comma  bool   // a comma stands after the last rule
}

// ruleUnit is a rule with the comments that belong to it: those above it, and
// those behind it on its last line.
type ruleUnit struct {
	rule   rules.Rule
	before []byte // above the rule
	value  hujson.Value
	mid    []byte // between the rule and the comma
	after  []byte // behind the comma, to the end of the line
}

func parseRuleFile(text string) (*ruleFile, error) {
	if len(text) > MaxRulesSize {
		return nil, &InvalidError{[]FieldError{{"rules", "is too long"}}}
	}
	if strings.TrimSpace(text) == "" {
		text = "[\n]\n"
	}
	text = strings.TrimPrefix(text, "\ufeff")
	// The reader of files has limits for size and depth, and names the place.
	doc, err := jsonc.Parse("", []byte(text))
	if err != nil {
		return nil, &InvalidError{jsoncFields(err)}
	}
	if doc.Kind() != '[' {
		return nil, &InvalidError{[]FieldError{{"rules", "line 1, column 1: this is no list of rules, [ {…}, {…} ]; rules of Pexip Infinity have to be imported first"}}}
	}
	var list []rules.Rule
	if err := doc.Decode(&list); err != nil {
		return nil, &InvalidError{jsoncFields(err)}
	}
	root, err := hujson.Parse([]byte(text))
	if err != nil {
		return nil, &InvalidError{[]FieldError{{"rules", err.Error()}}}
	}
	f := &ruleFile{source: text, root: root, list: root.Value.(*hujson.Array)}
	f.takeApart(list)
	return f, nil
}

func jsoncFields(err error) []FieldError {
	var many jsonc.Errors
	if one := (*jsonc.Error)(nil); errors.As(err, &one) && !errors.As(err, &many) {
		many = jsonc.Errors{one}
	}
	list := make([]error, len(many))
	for i, e := range many {
		syntax := rules.SyntaxError(*e)
		list[i] = &syntax
	}
	return syntaxFields(errors.Join(list...))
}

// takeApart gives every comment to the rule that it belongs to.
func (f *ruleFile) takeApart(list []rules.Rule) {
	elements := f.list.Elements
	if len(elements) == 0 {
		f.head, f.foot = restOfLine(f.list.AfterExtra)
		return
	}
	f.units = make([]ruleUnit, len(elements))
	for i := range elements {
		u := &f.units[i]
		u.rule, u.value = list[i], elements[i]
		before := []byte(elements[i].BeforeExtra)
		if i == 0 {
			f.head, u.before = restOfLine(before)
		} else {
			f.units[i-1].after, u.before = restOfLine(before)
		}
		u.mid = elements[i].AfterExtra
		u.value.BeforeExtra, u.value.AfterExtra = nil, nil
	}
	last := &f.units[len(f.units)-1]
	// A comma after the last rule is there if its AfterExtra is not nil.
	f.comma = elements[len(elements)-1].AfterExtra != nil
	last.after, f.foot = restOfLine(f.list.AfterExtra)
}

// restOfLine splits white space and comments behind a value at the end of the
// line. Without an end of line everything belongs to what comes next.
func restOfLine(extra []byte) (line, rest []byte) {
	for i := 0; i < len(extra); i++ {
		switch {
		case extra[i] == '\n':
			return extra[:i+1], extra[i+1:]
		case bytes.HasPrefix(extra[i:], []byte("//")):
			if end := bytes.IndexByte(extra[i:], '\n'); end >= 0 {
				return extra[:i+end+1], extra[i+end+1:]
			}
			return extra, nil
		case bytes.HasPrefix(extra[i:], []byte("/*")):
			if end := bytes.Index(extra[i+2:], []byte("*/")); end >= 0 {
				i += end + 3
			}
		}
	}
	return nil, extra
}

// text puts the file together.
func (f *ruleFile) text() string {
	elements := make([]hujson.ArrayElement, len(f.units))
	tail := slices.Clone(f.head)
	for i, u := range f.units {
		e := u.value
		e.BeforeExtra = slices.Concat(tail, u.before)
		e.AfterExtra = u.mid
		elements[i], tail = e, u.after
	}
	f.list.Elements = elements
	f.list.AfterExtra = slices.Concat(tail, f.foot)
	if n := len(elements); n > 0 {
		last := &elements[n-1]
		switch {
		case f.comma && last.AfterExtra == nil:
			last.AfterExtra = hujson.Extra{}
		case !f.comma && len(last.AfterExtra) > 0:
			f.list.AfterExtra = slices.Concat(last.AfterExtra, f.list.AfterExtra)
			last.AfterExtra = nil
		case !f.comma:
			last.AfterExtra = nil
		}
	}
	return string(f.root.Pack())
}

// tried returns the positions of the units in the order in which the rules are
// tried: by priority, and by place where that is the same.
func (f *ruleFile) tried() []int {
	order := make([]int, len(f.units))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return f.units[a].rule.Priority - f.units[b].rule.Priority })
	return order
}

// lines returns the first and last line of a rule.
func (f *ruleFile) lines(u ruleUnit) (first, last int) {
	return 1 + strings.Count(f.source[:u.value.StartOffset], "\n"), 1 + strings.Count(f.source[:u.value.EndOffset], "\n")
}

// comment returns the comment above the rule as text.
func (u ruleUnit) comment() string {
	var out []string
	for line := range strings.Lines(string(u.before)) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{"//", "/*", "*/", "*"} {
			line = strings.TrimPrefix(line, mark)
		}
		if line = strings.TrimSpace(strings.TrimSuffix(line, "*/")); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func (f *ruleFile) edit(e RuleEdit) {
	order := f.tried()
	switch e.Op {
	case EnableRule, DisableRule:
		u := &f.units[order[e.At]]
		r := u.rule
		r.Disabled = e.Op == DisableRule
		u.set(r)
	case ReplaceRule:
		u := &f.units[order[e.At]]
		r := e.Rule
		if r.Priority == 0 {
			r.Priority = u.rule.Priority
		}
		u.set(r)
	case DeleteRule:
		f.units = slices.Delete(f.units, order[e.At], order[e.At]+1)
	case MoveRule:
		if e.At == e.To {
			return
		}
		u := f.units[order[e.At]]
		f.units = slices.Delete(f.units, order[e.At], order[e.At]+1)
		f.insert(u, e.To)
	case AddRule:
		u := newUnit(f.indent())
		f.insert(u, e.To)
		r := e.Rule
		r.Priority = f.units[f.tried()[e.To]].rule.Priority
		f.units[f.tried()[e.To]].set(r)
	}
}

// insert puts a unit into the file so that its rule is the one tried at
// position to, with a priority between those of its neighbours.
func (f *ruleFile) insert(u ruleUnit, to int) {
	order := f.tried()
	low, high, at := 0, maxPriority+1, 0
	if to > 0 {
		low, at = f.units[order[to-1]].rule.Priority, order[to-1]+1
	}
	if to < len(order) {
		high = f.units[order[to]].rule.Priority
		if to == 0 {
			at = order[to]
		}
	}
	want := min((low+high+1)/2, low+10)
	fits := want > low && want < high
	r := u.rule
	if r.Priority <= low || r.Priority >= high {
		r.Priority = want
	}
	if r.Priority != u.rule.Priority && u.value.Value != nil {
		u.set(r)
	}
	u.rule = r
	f.units = slices.Insert(f.units, at, u)
	if fits || r.Priority > low && r.Priority < high {
		return
	}
	// No number is left between the neighbours: all are given new ones.
	place := slices.Insert(slices.Clone(order), to, -1)
	for i, p := range place {
		switch {
		case p < 0:
			place[i] = at
		case p >= at:
			place[i] = p + 1
		}
	}
	step := min(10, maxPriority/len(place))
	for i, p := range place {
		r := f.units[p].rule
		r.Priority = (i + 1) * step
		f.units[p].set(r)
	}
}

// indent returns how far rules are indented.
func (f *ruleFile) indent() string {
	for _, u := range f.units {
		line := u.before[bytes.LastIndexByte(u.before, '\n')+1:]
		if len(bytes.TrimLeft(line, " \t")) == 0 {
			return string(line)
		}
	}
	return "\t"
}

func newUnit(indent string) ruleUnit {
	return ruleUnit{before: []byte(indent), after: []byte("\n")}
}

// set makes r the rule of the unit: members that stay as they are keep their
// text and comments.
func (u *ruleUnit) set(r rules.Rule) {
	indent := string(u.before[bytes.LastIndexByte(u.before, '\n')+1:])
	if strings.Trim(indent, " \t") != "" {
		indent = "\t"
	}
	want := ruleObject(r, indent)
	u.rule = r
	have, ok := u.value.Value.(*hujson.Object)
	if !ok {
		u.value.Value = want
		return
	}
	is := map[string]*hujson.ObjectMember{}
	for i := range want.Members {
		is[name(want.Members[i])] = &want.Members[i]
	}
	trailing := len(have.Members) > 0 && have.Members[len(have.Members)-1].Value.AfterExtra != nil
	kept := have.Members[:0:0]
	var carry hujson.Extra // what stands behind the last member that is kept
	dropped := false
	for _, m := range have.Members {
		line, rest := restOfLine(m.Name.BeforeExtra)
		w, ok := is[name(m)]
		if !ok && !isDefault(m.Value) {
			if !dropped {
				dropped, carry = true, line
			}
			continue
		}
		if dropped && line != nil {
			m.Name.BeforeExtra = slices.Concat(carry, rest)
		}
		dropped = false
		if ok && !equalJSON(m.Value, w.Value) {
			m.Value.Value = w.Value.Value
		}
		kept = append(kept, m)
		delete(is, name(m))
	}
	if line, rest := restOfLine(have.AfterExtra); dropped && line != nil {
		have.AfterExtra = slices.Concat(carry, rest)
	}
	for _, m := range want.Members {
		if _, ok := is[name(m)]; ok {
			if n := len(kept); n > 0 {
				m.Name.BeforeExtra = memberIndent(kept[n-1], indent)
			}
			if line, rest := restOfLine(have.AfterExtra); len(bytes.TrimSpace(line)) > 0 {
				// A comment behind the last member stays with it.
				m.Name.BeforeExtra = slices.Concat(hujson.Extra(line[:len(line)-1]), hujson.Extra("\n"+indent+"\t"))
				have.AfterExtra = slices.Concat([]byte("\n"), rest)
			}
			kept = append(kept, m)
		}
	}
	for i := range kept {
		if last := i == len(kept)-1; last && trailing {
			if kept[i].Value.AfterExtra == nil {
				kept[i].Value.AfterExtra = hujson.Extra{}
			}
		} else if last {
			if extra := kept[i].Value.AfterExtra; len(extra) > 0 {
				have.AfterExtra = slices.Concat(extra, have.AfterExtra)
			}
			kept[i].Value.AfterExtra = nil
		}
	}
	have.Members = kept
}

// memberIndent is the white space before a member that comes after m.
func memberIndent(m hujson.ObjectMember, indent string) hujson.Extra {
	space := m.Name.BeforeExtra
	if i := bytes.LastIndexByte(space, '\n'); i >= 0 && len(bytes.TrimLeft(space[i:], "\n \t")) == 0 {
		return slices.Clone(space[i:])
	}
	if bytes.IndexByte(space, '\n') >= 0 || bytes.Contains(space, []byte("//")) {
		return hujson.Extra("\n" + indent + "\t")
	}
	return hujson.Extra(" ")
}

func name(m hujson.ObjectMember) string {
	lit, _ := m.Name.Value.(hujson.Literal)
	return lit.String()
}

// isDefault reports whether a member says only what would be so without it.
func isDefault(v hujson.Value) bool {
	switch lit := v.Value.(type) {
	case hujson.Literal:
		s := string(lit)
		return s == `""` || s == "false" || s == "0" || s == "null"
	case *hujson.Array:
		return len(lit.Elements) == 0
	}
	return false
}

func equalJSON(a, b hujson.Value) bool {
	pa, pb := plain(a), plain(b)
	return pa != nil && bytes.Equal(pa, pb)
}

// plain writes a value as JSON in one form.
func plain(v hujson.Value) []byte {
	c := v.Clone()
	c.Standardize()
	c.BeforeExtra, c.AfterExtra = nil, nil
	var any any
	if json.Unmarshal(c.Pack(), &any) != nil {
		return nil
	}
	out, err := json.Marshal(any)
	if err != nil {
		return nil
	}
	return out
}

// ruleObject writes a rule as people write one.
func ruleObject(r rules.Rule, indent string) *hujson.Object {
	text := bytes.TrimSpace(rules.Marshal([]rules.Rule{r})) // [\n\t{\n\t\t"name": …\n\t}\n]
	text = bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("[")), []byte("]")))
	text = bytes.ReplaceAll(text, []byte("\n\t"), []byte("\n"+indent))
	v, err := hujson.Parse(text)
	if err != nil {
		panic("control: a rule that was written cannot be read: " + err.Error())
	}
	return v.Value.(*hujson.Object)
}
