package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// vars are the values that patterns take out of a link.
type vars struct {
	names  [6]string
	values [6]string
	n      int
}

func (v *vars) set(name, value string) {
	for i := range v.names[:v.n] {
		if v.names[i] == name {
			v.values[i] = value
			return
		}
	}
	if v.n < len(v.names) {
		v.names[v.n], v.values[v.n] = name, value
		v.n++
	}
}

func (v *vars) get(name string) string {
	for i := range v.names[:v.n] {
		if v.names[i] == name {
			return v.values[i]
		}
	}
	return ""
}

// checkPattern says what is wrong with a pattern of a rule.
func checkPattern(p string) error {
	if p == "" || p[0] != '/' {
		return fmt.Errorf("path %q does not begin with a slash", p)
	}
	path, _, _ := strings.Cut(p, "?")
	if i := strings.IndexByte(path, '*'); i >= 0 && i < len(path)-1 && !strings.Contains(path, "#") {
		return fmt.Errorf("path %q: * stands at the end, for all that is left; for one part in the middle write a name, as in {any}", p)
	}
	if strings.ContainsAny(path, `\\^$|[]`) {
		return fmt.Errorf("path %q: a path is no regular expression; write {id:digits} for a number", p)
	}
	names := 0
	for s := p; ; {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			break
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			return fmt.Errorf("path %q has { without }", p)
		}
		name, class, _ := strings.Cut(s[i+1:i+j], ":")
		if name == "" {
			return fmt.Errorf("path %q has a {} without a name", p)
		}
		if _, err := parseClass(class); err != nil {
			return fmt.Errorf("path %q: %w", p, err)
		}
		if names++; names > len(vars{}.names) {
			return fmt.Errorf("path %q has more than %d names", p, len(vars{}.names))
		}
		s = s[i+j+1:]
	}
	return nil
}

// pattern is a compiled pattern of a rule: what a path, a query and a fragment
// have to look like.
type pattern struct {
	path   []part
	second byte // what follows the slash that a path begins with; 0 for any
	query  []parameter
	frag   *pattern // nil for any
}

// part is a piece of a path: a text, or a run of bytes of a class.
type part struct {
	text string
	name string
	run  class
	rest bool // "*" at the end: anything, but something
}

// parameter is one of a query: it must be there, and have that value or bytes
// of that class alone.
type parameter struct {
	key, value string
	name       string
	run        class
}

// class is a set of bytes, and how many of them there have to be. A max of 0 is
// any number.
type class struct {
	has      *[256]bool
	min, max int
}

// parseClass reads the name of a class, with a number or a range of bytes in
// parentheses where that matters: "digits(9)", "digits(9-11)".
func parseClass(text string) (class, error) {
	name, count, counted := strings.Cut(text, "(")
	c, ok := classes[name]
	if !ok {
		return class{}, fmt.Errorf("there is no class %q; the classes are digits, number, name, code, upper and any", name)
	}
	if !counted {
		return c, nil
	}
	count, closed := strings.CutSuffix(count, ")")
	from, to, ranged := strings.Cut(count, "-")
	if !ranged {
		to = from
	}
	least, err1 := strconv.Atoi(from)
	most, err2 := strconv.Atoi(to)
	if !closed || err1 != nil || err2 != nil || least < 1 || most < least || most > maxURI {
		return class{}, fmt.Errorf("the class %q: write a number or a range, as in digits(9) or digits(9-11)", text)
	}
	c.min, c.max = least, most
	return c, nil
}

// classes are those of patterns, by their names.
var classes = func() map[string]class {
	set := func(ok func(c byte) bool) *[256]bool {
		var has [256]bool
		for c := range has {
			has[c] = ok(byte(c))
		}
		return &has
	}
	digits := set(isDigit)
	all := map[string]class{
		"digits": {digits, 1, 0},
		"number": {digits, 6, 0},
		"name":   {set(func(c byte) bool { return isAlnum(c) || c >= 0x80 || strings.IndexByte("-_.~%", c) >= 0 }), 1, 0},
		"code":   {set(func(c byte) bool { return isAlnum(c) || c == '-' }), 1, 0},
		"upper":  {set(func(c byte) bool { return isDigit(c) || 'A' <= c && c <= 'Z' }), 1, 0},
		"any":    {set(func(c byte) bool { return c != '/' }), 1, 0},
	}
	all[""] = all["any"]
	return all
}()

// width returns how many bytes at the start of s are of a class; 0 where they
// are too few.
func (c class) width(s string) int {
	i := 0
	for i < len(s) && c.has[s[i]] {
		i++
	}
	if i < c.min || c.max > 0 && i > c.max {
		return 0
	}
	return i
}

// classOf is parseClass for what checkPattern has nothing against.
func classOf(text string) class {
	c, err := parseClass(text)
	if err != nil {
		panic("rules: " + err.Error()) // checkPattern comes first
	}
	return c
}

// newPattern compiles a pattern that checkPattern has nothing against.
func newPattern(text string) *pattern {
	text, frag, hasFrag := strings.Cut(text, "#")
	path, query, _ := strings.Cut(text, "?")
	p := &pattern{}
	if hasFrag {
		p.frag = newPattern(frag)
	}
	for path != "" {
		switch end := strings.IndexAny(path, "{*"); {
		case path == "*":
			p.path, path = append(p.path, part{rest: true}), ""
		case path[0] == '{':
			end := strings.IndexByte(path, '}')
			name, c, _ := strings.Cut(path[1:end], ":")
			p.path, path = append(p.path, part{name: name, run: classOf(c)}), path[end+1:]
		case end > 0:
			p.path, path = append(p.path, part{text: path[:end]}), path[end:]
		default: // a star before the end stands for itself
			end = max(1, strings.IndexByte(path, '{'))
			if !strings.Contains(path, "{") {
				end = len(path)
			}
			p.path, path = append(p.path, part{text: path[:end]}), path[end:]
		}
	}
	if first := p.path; len(first) > 0 && len(first[0].text) > 1 {
		p.second = lower(first[0].text[1])
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		q := parameter{key: key, value: value}
		if strings.HasPrefix(value, "{") {
			name, c, _ := strings.Cut(value[1:len(value)-1], ":")
			q = parameter{key: key, name: name}
			if c != "" {
				q.run = classOf(c)
			}
		}
		p.query = append(p.query, q)
	}
	return p
}

// match reports whether a link has the form of a pattern, and takes its values.
func (v *vars) match(p *pattern, l *link) bool {
	v.n = 0
	if p.second != 0 && len(l.path) > 1 && lower(l.path[1]) != p.second {
		return false
	}
	if !v.matchPath(p.path, l.path) || !v.matchQuery(p.query, l.query) {
		return false
	}
	if p.frag == nil {
		return true
	}
	path, query, _ := strings.Cut(l.frag, "?")
	return v.matchPath(p.frag.path, path) && v.matchQuery(p.frag.query, query)
}

// matchPath compares a path, which may have a slash more or less at its end.
func (v *vars) matchPath(parts []part, s string) bool {
	for i := range parts {
		switch p := &parts[i]; {
		case p.rest:
			return s != ""
		case p.name != "":
			n := p.run.width(s)
			if n == 0 {
				return false
			}
			v.set(p.name, s[:n])
			s = s[n:]
		case hasPrefixFold(s, p.text):
			s = s[len(p.text):]
		default:
			return i == len(parts)-1 && len(p.text) == len(s)+1 && p.text[len(s)] == '/' && fold(s, p.text[:len(s)])
		}
	}
	return s == "" || s == "/"
}

func (v *vars) matchQuery(pairs []parameter, query string) bool {
	for i := range pairs {
		p := &pairs[i]
		value, ok := param(query, p.key)
		switch {
		case !ok || value == "":
			return false
		case p.name != "":
			if p.run.has != nil && p.run.width(value) != len(value) {
				return false
			}
			v.set(p.name, value)
		case p.value != "" && !fold(p.value, value):
			return false
		}
	}
	return true
}

// expand writes a Dial template. It is false if a name has no value.
func (a *arena) expand(template string, value func(name string) string) (string, bool) {
	n := len(a.b)
	for {
		i := strings.IndexByte(template, '{')
		if i < 0 {
			a.b = append(a.b, template...)
			return a.since(n), true
		}
		j := strings.IndexByte(template, '}')
		v := value(template[i+1 : j])
		if v == "" {
			a.b = a.b[:n]
			return "", false
		}
		a.b = append(a.b, template[:i]...)
		a.b = append(a.b, v...)
		template = template[j+1:]
	}
}
