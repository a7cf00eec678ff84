package rules

import (
	"fmt"
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
		switch class {
		case "", "any", "digits", "number", "name", "code", "upper":
		default:
			return fmt.Errorf("path %q has the class %q; the classes are digits, number, name, code, upper and any", p, class)
		}
		if names++; names > len(vars{}.names) {
			return fmt.Errorf("path %q has more than %d names", p, len(vars{}.names))
		}
		s = s[i+j+1:]
	}
	return nil
}

func (v *vars) match(pattern string, l *link) bool {
	v.n = 0
	p, frag, hasFrag := strings.Cut(pattern, "#")
	p, query, _ := strings.Cut(p, "?")
	if !v.matchPath(p, l.path) || !v.matchQuery(query, l.query) {
		return false
	}
	if !hasFrag {
		return true
	}
	fp, fq, _ := strings.Cut(frag, "?")
	path, q, _ := strings.Cut(l.frag, "?")
	return v.matchPath(fp, path) && v.matchQuery(fq, q)
}

func (v *vars) matchPath(p, s string) bool {
	for p != "" {
		switch {
		case p == "*":
			return s != ""
		case p[0] == '{':
			end := strings.IndexByte(p, '}')
			name, class, _ := strings.Cut(p[1:end], ":")
			n := run(class, s)
			if n == 0 {
				return false
			}
			v.set(name, s[:n])
			p, s = p[end+1:], s[n:]
		case s == "":
			return p == "/"
		case lower(p[0]) != lower(s[0]):
			return false
		default:
			p, s = p[1:], s[1:]
		}
	}
	return s == "" || s == "/"
}

func (v *vars) matchQuery(p, query string) bool {
	for p != "" {
		var pair string
		pair, p, _ = strings.Cut(p, "&")
		key, want, _ := strings.Cut(pair, "=")
		value, ok := param(query, key)
		if !ok || value == "" {
			return false
		}
		switch {
		case strings.HasPrefix(want, "{"):
			name, class, _ := strings.Cut(want[1:len(want)-1], ":")
			if run(class, value) != len(value) && class != "" {
				return false
			}
			v.set(name, value)
		case want != "" && !fold(want, value):
			return false
		}
	}
	return true
}

// run returns how many bytes at the start of s are of a class.
func run(class, s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		var ok bool
		switch class {
		case "digits", "number":
			ok = isDigit(c)
		case "name":
			ok = isAlnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '%' || c >= 0x80
		case "code":
			ok = isAlnum(c) || c == '-'
		case "upper":
			ok = isDigit(c) || 'A' <= c && c <= 'Z'
		default:
			ok = c != '/'
		}
		if !ok {
			break
		}
		i++
	}
	if class == "number" && i < 6 {
		return 0
	}
	return i
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
