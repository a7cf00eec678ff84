package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a [Value].
type Kind uint8

// The kinds. Undefined, the zero value, is what an index that is not there
// gives, as in Jinja2.
const (
	Undefined Kind = iota
	None
	Bool
	Int
	Float
	String
	List
	Map
)

var kindNames = [...]string{"undefined", "none", "a boolean", "a whole number", "a number", "a string", "a list", "a mapping"}

// String returns the kind with its article, as in "a string".
func (k Kind) String() string { return kindNames[k] }

// Value is what variables hold and expressions yield. The zero Value is
// undefined. Values are immutable.
type Value struct {
	kind Kind
	num  uint64 // of Bool, Int and Float
	str  string
	list []Value // elements; of a Map keys and values by turns
}

// Str returns a string value.
func Str(s string) Value { return Value{kind: String, str: s} }

// Integer returns a whole number.
func Integer(n int) Value { return Value{kind: Int, num: uint64(n)} }

// Number returns a floating-point number.
func Number(f float64) Value { return Value{kind: Float, num: math.Float64bits(f)} }

// Boolean returns true or false.
func Boolean(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// Items returns a list.
func Items(vs ...Value) Value { return Value{kind: List, list: vs} }

// Mapping returns a mapping of keys and values by turns, in their order. Keys
// are strings.
func Mapping(keysAndValues ...Value) Value { return Value{kind: Map, list: keysAndValues} }

var none = Value{kind: None}

func (v Value) int() int64     { return int64(v.num) }
func (v Value) float() float64 { return math.Float64frombits(v.num) }

func (v Value) isNumber() bool { return v.kind == Int || v.kind == Float || v.kind == Bool }

// asFloat returns a number of any kind as a float.
func (v Value) asFloat() float64 {
	if v.kind == Float {
		return v.float()
	}
	return float64(v.int())
}

func (v Value) truth() bool {
	switch v.kind {
	case Bool, Int:
		return v.num != 0
	case Float:
		return v.float() != 0
	case String:
		return v.str != ""
	case List, Map:
		return len(v.list) > 0
	}
	return false
}

// length returns the number of characters, elements or keys; -1 for others.
func (v Value) length() int {
	switch v.kind {
	case String:
		return utf8.RuneCountInString(v.str)
	case List:
		return len(v.list)
	case Map:
		return len(v.list) / 2
	case Undefined:
		return 0
	}
	return -1
}

// get returns the value of a key, or an undefined one.
func (v Value) get(key string) (Value, bool) {
	for i := 0; i+1 < len(v.list); i += 2 {
		if v.list[i].kind == String && v.list[i].str == key {
			return v.list[i+1], true
		}
	}
	return Value{}, false
}

// text returns what printing the value gives; for strings without a copy.
func (v Value) text() string {
	if v.kind == String {
		return v.str
	}
	return string(v.append(nil))
}

// append appends what printing the value gives, which is what Python's str
// does.
func (v Value) append(dst []byte) []byte {
	if v.kind == String {
		return append(dst, v.str...)
	}
	return v.appendRepr(dst)
}

// appendRepr appends the value as Python's repr writes it.
func (v Value) appendRepr(dst []byte) []byte {
	switch v.kind {
	case None:
		return append(dst, "None"...)
	case Bool:
		if v.num != 0 {
			return append(dst, "True"...)
		}
		return append(dst, "False"...)
	case Int:
		return strconv.AppendInt(dst, v.int(), 10)
	case Float:
		return appendFloat(dst, v.float())
	case String:
		quote := byte('\'')
		if strings.IndexByte(v.str, '\'') >= 0 && strings.IndexByte(v.str, '"') < 0 {
			quote = '"'
		}
		dst = append(dst, quote)
		for _, r := range v.str {
			switch {
			case r == rune(quote) || r == '\\':
				dst = append(dst, '\\', byte(r))
			case r == '\n':
				dst = append(dst, '\\', 'n')
			case r == '\r':
				dst = append(dst, '\\', 'r')
			case r == '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = utf8.AppendRune(dst, r)
			}
		}
		return append(dst, quote)
	case List, Map:
		return v.appendParts(dst, Value.appendRepr)
	}
	return dst
}

// appendParts writes a list or a map, each of its values by write.
func (v Value) appendParts(dst []byte, write func(Value, []byte) []byte) []byte {
	opening, closing := byte('['), byte(']')
	if v.kind == Map {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	for i, e := range v.list {
		switch {
		case v.kind == Map && i%2 == 1:
			dst = append(dst, ": "...)
		case i > 0:
			dst = append(dst, ", "...)
		}
		dst = write(e, dst)
	}
	return append(dst, closing)
}

// appendFloat writes a float as Python does: the shortest form that reads back
// the same, always with a point or an exponent.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// equal compares as Python's == does: numbers by value, whatever their kind.
func equal(a, b Value) bool {
	if a.isNumber() && b.isNumber() {
		if a.kind != Float && b.kind != Float {
			return a.int() == b.int()
		}
		return a.asFloat() == b.asFloat()
	}
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case String:
		return a.str == b.str
	case List:
		if len(a.list) != len(b.list) {
			return false
		}
		for i := range a.list {
			if !equal(a.list[i], b.list[i]) {
				return false
			}
		}
		return true
	case Map:
		if len(a.list) != len(b.list) {
			return false
		}
		for i := 0; i < len(a.list); i += 2 {
			other, ok := b.get(a.list[i].str)
			if !ok || !equal(a.list[i+1], other) {
				return false
			}
		}
		return true
	}
	return true
}

// size is about how many bytes a value holds, for the limits.
func (v Value) size() int {
	n := len(v.str) + 56
	for _, e := range v.list {
		n += e.size()
	}
	return n
}
