package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

type testSpec struct {
	name string
	arg  bool
	fn   func(v Value, args []Value) (bool, error)
}

func kindTest(kinds ...Kind) func(Value, []Value) (bool, error) {
	return func(v Value, _ []Value) (bool, error) {
		for _, k := range kinds {
			if v.kind == k {
				return true, nil
			}
		}
		return false, nil
	}
}

func compareTest(op string) func(Value, []Value) (bool, error) {
	return func(v Value, args []Value) (bool, error) {
		switch op {
		case "==":
			return equal(v, args[0]), nil
		case "!=":
			return !equal(v, args[0]), nil
		}
		r, err := compare(op, v, args[0])
		return r.truth(), err
	}
}

func remainder(v Value, by int64) (int64, error) {
	if v.kind != Int && v.kind != Bool {
		return 0, fmt.Errorf("needs a whole number, not %s", v.kind)
	}
	if by == 0 {
		return 0, fmt.Errorf("division by zero")
	}
	if by == -1 {
		return 0, nil
	}
	return v.int() % by, nil
}

func caseTest(f func(string) string) func(Value, []Value) (bool, error) {
	return func(v Value, _ []Value) (bool, error) {
		s := v.text()
		return f(s) == s && strings.ContainsFunc(s, unicode.IsLetter), nil
	}
}

var tests = []testSpec{
	{"boolean", false, kindTest(Bool)},
	{"defined", false, func(v Value, _ []Value) (bool, error) { return v.kind != Undefined, nil }},
	{"divisibleby", true, func(v Value, args []Value) (bool, error) {
		if args[0].kind != Int {
			return false, fmt.Errorf("needs a whole number, not %s", args[0].kind)
		}
		n, err := remainder(v, args[0].int())
		return n == 0, err
	}},
	{"eq", true, compareTest("==")},
	{"equalto", true, compareTest("==")},
	{"even", false, func(v Value, _ []Value) (bool, error) { n, err := remainder(v, 2); return n == 0, err }},
	{"false", false, func(v Value, _ []Value) (bool, error) { return v.kind == Bool && v.num == 0, nil }},
	{"float", false, kindTest(Float)},
	{"ge", true, compareTest(">=")},
	{"gt", true, compareTest(">")},
	{"in", true, func(v Value, args []Value) (bool, error) { return contains(args[0], v) }},
	{"integer", false, kindTest(Int)},
	{"iterable", false, kindTest(String, List, Map)},
	{"le", true, compareTest("<=")},
	{"lower", false, caseTest(strings.ToLower)},
	{"lt", true, compareTest("<")},
	{"mapping", false, kindTest(Map)},
	{"ne", true, compareTest("!=")},
	{"none", false, kindTest(None)},
	{"number", false, kindTest(Int, Float, Bool)},
	{"odd", false, func(v Value, _ []Value) (bool, error) { n, err := remainder(v, 2); return n != 0, err }},
	{"sequence", false, kindTest(String, List, Map)},
	{"string", false, kindTest(String)},
	{"true", false, func(v Value, _ []Value) (bool, error) { return v.kind == Bool && v.num != 0, nil }},
	{"undefined", false, kindTest(Undefined)},
	{"upper", false, caseTest(strings.ToUpper)},
}

func testNames() []string {
	var out []string
	for _, t := range tests {
		out = append(out, t.name)
	}
	return out
}

// methodSpec is a method of Python's strings and mappings that templates
// commonly use.
type methodSpec struct {
	name     string
	min, max int
	fn       func(m *machine, v Value, args []Value) (Value, error)
}

func stringMethod(f func(m *machine, s string, args []Value) (Value, error)) func(*machine, Value, []Value) (Value, error) {
	return func(m *machine, v Value, args []Value) (Value, error) {
		if v.kind != String {
			return Value{}, fmt.Errorf("this is a method of strings, not of %s", v.kind)
		}
		return f(m, v.str, args)
	}
}

func mapMethod(f func(v Value, args []Value) Value) func(*machine, Value, []Value) (Value, error) {
	return func(_ *machine, v Value, args []Value) (Value, error) {
		if v.kind != Map {
			return Value{}, fmt.Errorf("this is a method of mappings, not of %s", v.kind)
		}
		return f(v, args), nil
	}
}

func plainMethod(f func(string) string) func(*machine, Value, []Value) (Value, error) {
	return stringMethod(func(_ *machine, s string, _ []Value) (Value, error) { return Str(f(s)), nil })
}

func affixMethod(f func(s, affix string) bool) func(*machine, Value, []Value) (Value, error) {
	return stringMethod(func(_ *machine, s string, args []Value) (Value, error) {
		if args[0].kind != String && args[0].kind != List {
			return Value{}, fmt.Errorf("needs a string, not %s", args[0].kind)
		}
		yes := args[0].kind == String && f(s, args[0].str)
		for _, a := range args[0].list {
			yes = yes || a.kind == String && f(s, a.str)
		}
		return Boolean(yes), nil
	})
}

func allMethod(is func(rune) bool) func(*machine, Value, []Value) (Value, error) {
	return stringMethod(func(_ *machine, s string, _ []Value) (Value, error) {
		return Boolean(s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !is(r) })), nil
	})
}

func stripMethod(left, right bool) func(*machine, Value, []Value) (Value, error) {
	return stringMethod(func(_ *machine, s string, args []Value) (Value, error) {
		out := func(r rune) bool { return unicode.IsSpace(r) }
		if len(args) > 0 && args[0].kind == String {
			out = func(r rune) bool { return strings.ContainsRune(args[0].str, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, out)
		}
		if right {
			s = strings.TrimRightFunc(s, out)
		}
		return Str(s), nil
	})
}

// split cuts at a separator, or at runs of space, at most n times where n >= 0.
func split(fromRight bool) func(*machine, Value, []Value) (Value, error) {
	return stringMethod(func(m *machine, s string, args []Value) (Value, error) {
		n := -1
		if len(args) > 1 {
			if args[1].kind != Int {
				return Value{}, fmt.Errorf("needs a whole number, not %s", args[1].kind)
			}
			n = int(max(-1, args[1].int()))
		}
		var parts []string
		switch {
		case len(args) == 0 || args[0].kind == None:
			if n >= 0 {
				return Value{}, fmt.Errorf("needs a separator where it has a limit")
			}
			parts = strings.Fields(s)
		case args[0].text() == "":
			return Value{}, fmt.Errorf("needs a separator that is not empty")
		case fromRight && n >= 0:
			sep := args[0].text()
			for ; n > 0; n-- {
				i := strings.LastIndex(s, sep)
				if i < 0 {
					break
				}
				parts = append([]string{s[i+len(sep):]}, parts...)
				s = s[:i]
			}
			parts = append([]string{s}, parts...)
		default:
			if n >= 0 {
				n++
			}
			parts = strings.SplitN(s, args[0].text(), n)
		}
		if len(parts) > MaxLoops {
			return Value{}, errLoops
		}
		out := Value{kind: List, list: make([]Value, len(parts))}
		for i, p := range parts {
			out.list[i] = Str(p)
		}
		return out, nil
	})
}

var methods = []methodSpec{
	{"capitalize", 0, 0, plainMethod(capitalize)},
	{"count", 1, 1, stringMethod(func(_ *machine, s string, args []Value) (Value, error) {
		return Integer(strings.Count(s, args[0].text())), nil
	})},
	{"endswith", 1, 1, affixMethod(strings.HasSuffix)},
	{"find", 1, 1, stringMethod(func(_ *machine, s string, args []Value) (Value, error) {
		i := strings.Index(s, args[0].text())
		if i > 0 {
			i = utf8.RuneCountInString(s[:i])
		}
		return Integer(i), nil
	})},
	{"get", 1, 2, mapMethod(func(v Value, args []Value) Value {
		if out, ok := v.get(args[0].text()); ok {
			return out
		}
		if len(args) > 1 {
			return args[1]
		}
		return none
	})},
	{"isalnum", 0, 0, allMethod(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })},
	{"isalpha", 0, 0, allMethod(unicode.IsLetter)},
	{"isdigit", 0, 0, allMethod(unicode.IsDigit)},
	{"isnumeric", 0, 0, allMethod(unicode.IsNumber)},
	{"items", 0, 0, mapMethod(func(v Value, _ []Value) Value {
		out := Value{kind: List}
		for i := 0; i < len(v.list); i += 2 {
			out.list = append(out.list, Items(v.list[i], v.list[i+1]))
		}
		return out
	})},
	{"join", 1, 1, stringMethod(func(m *machine, s string, args []Value) (Value, error) {
		return filterJoin(m, args[0], []Value{Str(s)}, pattern{})
	})},
	{"keys", 0, 0, mapMethod(func(v Value, _ []Value) Value { return v.half(0) })},
	{"lower", 0, 0, plainMethod(strings.ToLower)},
	{"lstrip", 0, 1, stripMethod(true, false)},
	{"replace", 2, 3, stringMethod(func(m *machine, s string, args []Value) (Value, error) {
		return filterReplace(m, Str(s), args, pattern{})
	})},
	{"rsplit", 0, 2, split(true)},
	{"rstrip", 0, 1, stripMethod(false, true)},
	{"split", 0, 2, split(false)},
	{"startswith", 1, 1, affixMethod(strings.HasPrefix)},
	{"strip", 0, 1, stripMethod(true, true)},
	{"upper", 0, 0, plainMethod(strings.ToUpper)},
	{"values", 0, 0, mapMethod(func(v Value, _ []Value) Value { return v.half(1) })},
	{"zfill", 1, 1, stringMethod(func(_ *machine, s string, args []Value) (Value, error) {
		n, err := count(args[0])
		if err != nil || n > 1000 {
			return Value{}, fmt.Errorf("needs a width from 0 to 1000")
		}
		sign := ""
		if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
			sign, s = s[:1], s[1:]
		}
		return Str(sign + strings.Repeat("0", max(0, n-len(sign)-utf8.RuneCountInString(s))) + s), nil
	})},
}

// half returns the keys or the values of a mapping.
func (v Value) half(from int) Value {
	out := Value{kind: List}
	for i := from; i < len(v.list); i += 2 {
		out.list = append(out.list, v.list[i])
	}
	return out
}

func methodNames() []string {
	var out []string
	for _, m := range methods {
		out = append(out, m.name)
	}
	return out
}

// maxWidth bounds the numbers in %10.2f.
const maxWidth = 256

// sprintf is Python's % on strings, without mappings and stars.
func sprintf(format string, args []Value) (string, error) {
	var out []byte
	used := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out = append(out, format[i])
			continue
		}
		start := i
		i++
		for i < len(format) && strings.IndexByte("#0- +", format[i]) >= 0 {
			i++
		}
		for i < len(format) && (format[i] >= '0' && format[i] <= '9' || format[i] == '.') {
			i++
		}
		if i == len(format) {
			return "", fmt.Errorf("the format ends inside of %q", format[start:])
		}
		spec, verb := format[start:i], format[i]
		if verb == '%' {
			out = append(out, '%')
			continue
		}
		for _, part := range strings.Split(strings.TrimLeft(spec, "%#0- +"), ".") {
			if n, err := strconv.Atoi(part); part != "" && (err != nil || n > maxWidth) {
				return "", fmt.Errorf("the width in %q is more than %d", spec, maxWidth)
			}
		}
		if strings.Count(spec, ".") > 1 {
			return "", fmt.Errorf("%q is no format", spec)
		}
		if used == len(args) {
			return "", fmt.Errorf("the format wants more values than it is given")
		}
		v := args[used]
		used++
		switch verb {
		case 's':
			out = fmt.Appendf(out, spec+"s", v.text())
		case 'r':
			out = fmt.Appendf(out, spec+"s", string(v.appendRepr(nil)))
		case 'd', 'i', 'x', 'X', 'o':
			if !v.isNumber() || v.kind == Float && math.Abs(v.float()) >= 1<<62 {
				return "", fmt.Errorf("%%%c needs a number, not %s; use |int", verb, v.kind)
			}
			n := v.int()
			if v.kind == Float {
				n = int64(v.float())
			}
			if verb == 'i' {
				verb = 'd'
			}
			out = fmt.Appendf(out, spec+string(verb), n)
		case 'f', 'F', 'e', 'E', 'g', 'G':
			if !v.isNumber() {
				return "", fmt.Errorf("%%%c needs a number, not %s; use |float", verb, v.kind)
			}
			out = fmt.Appendf(out, spec+string(verb), v.asFloat())
		default:
			return "", fmt.Errorf("no such format %q", spec+string(verb))
		}
		if len(out) > rebound.MaxInput {
			return "", fmt.Errorf("the result is longer than %d bytes", rebound.MaxInput)
		}
	}
	if used < len(args) {
		return "", fmt.Errorf("the format wants fewer values than it is given")
	}
	return string(out), nil
}
