package jinja

import (
	"fmt"
	"math"
	"strings"
)

func sign(v Value, neg bool) (Value, error) {
	switch v.kind {
	case Int, Bool:
		if neg {
			return Integer(-int(v.int())), nil
		}
		return Integer(int(v.int())), nil
	case Float:
		if neg {
			return Number(-v.float()), nil
		}
		return v, nil
	}
	return v, fmt.Errorf("a sign before %s", v.kind)
}

var binaryOps = []string{"+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in"}

func (m *machine) binary(code int, a, b Value) (Value, error) {
	switch name := binaryOps[code]; name {
	case "~":
		s := a.text() + b.text()
		return Str(s), m.charge(len(s))
	case "==":
		return Boolean(equal(a, b)), m.charge(min(a.size(), b.size()))
	case "!=":
		return Boolean(!equal(a, b)), m.charge(min(a.size(), b.size()))
	case "<", "<=", ">", ">=":
		return compare(name, a, b)
	case "in":
		yes, err := contains(b, a)
		if err != nil {
			return Value{}, err
		}
		return Boolean(yes), m.charge(b.size())
	case "+":
		switch {
		case a.kind == String && b.kind == String:
			return Str(a.str + b.str), m.charge(len(a.str) + len(b.str))
		case a.kind == List && b.kind == List:
			out := append(append([]Value(nil), a.list...), b.list...)
			v := Value{kind: List, list: out}
			return v, m.charge(v.size())
		case a.kind == String || b.kind == String:
			return Value{}, fmt.Errorf("%s + %s; write ~ to put texts together", a.kind, b.kind)
		}
	case "*":
		if b.kind == String && a.isNumber() {
			a, b = b, a
		}
		if a.kind == String && (b.kind == Int || b.kind == Bool) {
			n := max(0, b.int())
			if n > MaxOutput || int(n)*len(a.str) > MaxOutput {
				return Value{}, errOutput
			}
			return Str(strings.Repeat(a.str, int(n))), m.charge(int(n) * len(a.str))
		}
	case "%":
		if a.kind == String {
			args := []Value{b}
			if b.kind == List {
				args = b.list
			}
			s, err := sprintf(a.str, args)
			return Str(s), err
		}
	}
	if !a.isNumber() || !b.isNumber() {
		return Value{}, fmt.Errorf("%s %s %s is not possible", a.kind, binaryOps[code], b.kind)
	}
	return arith(binaryOps[code], a, b)
}

var errRange = fmt.Errorf("number out of range")

func arith(name string, a, b Value) (Value, error) {
	if a.kind == Float || b.kind == Float || name == "/" || name == "**" && b.int() < 0 {
		return arithFloat(name, a.asFloat(), b.asFloat())
	}
	x, y := a.int(), b.int()
	var z int64
	switch name {
	case "+":
		if z = x + y; (z > x) != (y > 0) && y != 0 {
			return Value{}, errRange
		}
	case "-":
		if z = x - y; (z < x) != (y > 0) && y != 0 {
			return Value{}, errRange
		}
	case "*":
		if z = x * y; x != 0 && (z/x != y || x == -1 && y == math.MinInt64) {
			return Value{}, errRange
		}
	case "//", "%":
		if y == 0 {
			return Value{}, fmt.Errorf("division by zero")
		}
		if y == -1 {
			if name == "%" {
				return Integer(0), nil
			}
			if x == math.MinInt64 {
				return Value{}, errRange
			}
		}
		// Python rounds down, Go towards zero.
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q, r = q-1, r+y
		}
		if z = q; name == "%" {
			z = r
		}
	case "**":
		return power(x, y)
	}
	return Integer(int(z)), nil
}

func power(x, y int64) (Value, error) {
	z := int64(1)
	switch {
	case x == 0 && y > 0:
		return Integer(0), nil
	case x == 1 || x == -1:
		if x == -1 && y%2 != 0 {
			return Integer(-1), nil
		}
		return Integer(1), nil
	}
	for ; y > 0; y-- {
		n := z * x
		if n/x != z {
			return Value{}, errRange
		}
		z = n
	}
	return Integer(int(z)), nil
}

func arithFloat(name string, x, y float64) (Value, error) {
	var z float64
	switch name {
	case "+":
		z = x + y
	case "-":
		z = x - y
	case "*":
		z = x * y
	case "/", "//", "%":
		if y == 0 {
			return Value{}, fmt.Errorf("division by zero")
		}
		switch name {
		case "/":
			z = x / y
		case "//":
			z = math.Floor(x / y)
		default:
			if z = math.Mod(x, y); z != 0 && (z < 0) != (y < 0) {
				z += y
			}
		}
	case "**":
		z = math.Pow(x, y)
	}
	if math.IsNaN(z) || math.IsInf(z, 0) {
		return Value{}, errRange
	}
	return Number(z), nil
}

func compare(name string, a, b Value) (Value, error) {
	var less, same bool
	switch {
	case a.isNumber() && b.isNumber():
		if a.kind == Float || b.kind == Float {
			less, same = a.asFloat() < b.asFloat(), a.asFloat() == b.asFloat()
		} else {
			less, same = a.int() < b.int(), a.int() == b.int()
		}
	case a.kind == String && b.kind == String:
		less, same = a.str < b.str, a.str == b.str
	default:
		return Value{}, fmt.Errorf("%s %s %s is not possible; convert one with |int", a.kind, name, b.kind)
	}
	switch name {
	case "<":
		return Boolean(less), nil
	case "<=":
		return Boolean(less || same), nil
	case ">":
		return Boolean(!less && !same), nil
	}
	return Boolean(!less), nil
}

func contains(in, v Value) (bool, error) {
	switch in.kind {
	case String:
		if v.kind != String {
			return false, fmt.Errorf("%s in a string is not possible", v.kind)
		}
		return strings.Contains(in.str, v.str), nil
	case List:
		for _, e := range in.list {
			if equal(e, v) {
				return true, nil
			}
		}
		return false, nil
	case Map:
		_, ok := in.get(v.str)
		return ok && v.kind == String, nil
	case Undefined:
		return false, nil
	}
	return false, fmt.Errorf("nothing is in %s", in.kind)
}
