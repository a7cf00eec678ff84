package jsonc

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// Decode stores the file in the value that v points to. Struct fields have the
// names of their json tags.
//
// It is strict: a member that the struct does not have (with the nearest name
// that it has), a value of another type, a number out of range, and a member
// that is there twice are errors. It goes on after an error and reports them
// all, as [Errors] in the order of the file. null leaves a field as it is.
//
// A time.Duration is written as a string, as in "90s" or "5m". Types with
// UnmarshalText or UnmarshalJSON decode themselves.
func (d *Doc) Decode(v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		panic("jsonc: Decode needs a pointer")
	}
	dec := decoder{doc: d}
	dec.value(&d.root, rv.Elem(), "")
	if len(dec.errs) == 0 {
		return nil
	}
	sortErrors(dec.errs)
	return dec.errs
}

// DecodeKnown decodes as Decode does, but for members that the structs do not
// have: these come back as unknown and are no error. It is for what other
// programs write, whose next version may have more.
func (d *Doc) DecodeKnown(v any) (unknown Errors, err error) {
	dec := decoder{doc: d, known: true}
	dec.value(&d.root, reflect.ValueOf(v).Elem(), "")
	sortErrors(dec.unknown)
	if len(dec.errs) == 0 {
		return dec.unknown, nil
	}
	sortErrors(dec.errs)
	return dec.unknown, dec.errs
}

type decoder struct {
	doc     *Doc
	errs    Errors
	known   bool // unknown members are no errors
	unknown Errors
}

func (dec *decoder) errorf(at int, format string, args ...any) {
	if len(dec.errs) < maxErrs {
		dec.errs = append(dec.errs, At(dec.doc.name, dec.doc.text, at, fmt.Sprintf(format, args...)))
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonType     = reflect.TypeFor[json.Unmarshaler]()
)

// value decodes v into rv. where names the value in messages: "priority".
func (dec *decoder) value(v *hujson.Value, rv reflect.Value, where string) {
	kind := v.Value.Kind()
	if kind == 'n' {
		return
	}
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			rv.Set(reflect.New(rv.Type().Elem()))
		}
		dec.value(v, rv.Elem(), where)
		return
	}
	if dec.ownDecoder(v, rv, where) {
		return
	}
	switch rv.Kind() {
	case reflect.Struct:
		if obj, ok := v.Value.(*hujson.Object); ok {
			dec.object(obj, rv)
			return
		}
	case reflect.Map:
		if obj, ok := v.Value.(*hujson.Object); ok && rv.Type().Key().Kind() == reflect.String {
			dec.mapping(obj, rv)
			return
		}
	case reflect.Slice:
		if arr, ok := v.Value.(*hujson.Array); ok {
			out := reflect.MakeSlice(rv.Type(), len(arr.Elements), len(arr.Elements))
			for i := range arr.Elements {
				dec.value(&arr.Elements[i], out.Index(i), fmt.Sprintf("%s[%d]", where, i))
			}
			rv.Set(out)
			return
		}
	case reflect.String:
		if kind == '"' {
			rv.SetString(v.Value.(hujson.Literal).String())
			return
		}
	case reflect.Bool:
		if kind == 't' || kind == 'f' {
			rv.SetBool(kind == 't')
			return
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		if kind == '0' {
			dec.number(v, rv, where)
			return
		}
	case reflect.Interface:
		if rv.NumMethod() == 0 {
			rv.Set(reflect.ValueOf(dec.anyValue(v)))
			return
		}
	}
	dec.errorf(v.StartOffset, "%smust be %s, not %s", prefix(where), article(rv.Type()), kindNames[byte(kind)])
}

func prefix(where string) string {
	if where == "" {
		return ""
	}
	return where + " "
}

var kindNames = map[byte]string{'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "a list"}

func article(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func (dec *decoder) number(v *hujson.Value, rv reflect.Value, where string) {
	text := string(v.Value.(hujson.Literal))
	switch {
	case rv.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && !rv.OverflowInt(n) {
			rv.SetInt(n)
			return
		}
	case rv.CanUint():
		n, err := strconv.ParseUint(text, 10, 64)
		if err == nil && !rv.OverflowUint(n) {
			rv.SetUint(n)
			return
		}
	default:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && !rv.OverflowFloat(f) && !math.IsInf(f, 0) {
			rv.SetFloat(f)
			return
		}
	}
	dec.errorf(v.StartOffset, "%smust be %s in range, not %s", prefix(where), article(rv.Type()), text)
}

// ownDecoder serves types that decode themselves.
func (dec *decoder) ownDecoder(v *hujson.Value, rv reflect.Value, where string) bool {
	if rv.Type() == durationType {
		if lit, ok := v.Value.(hujson.Literal); ok && lit.Kind() == '"' {
			n, err := time.ParseDuration(lit.String())
			if err != nil {
				dec.errorf(v.StartOffset, `%smust be a duration such as "90s", "5m" or "1h30m"`, prefix(where))
				return true
			}
			rv.SetInt(int64(n))
			return true
		}
		dec.errorf(v.StartOffset, `%smust be a duration in quotes, such as "90s", "5m" or "1h30m"`, prefix(where))
		return true
	}
	if !rv.CanAddr() {
		return false
	}
	p := rv.Addr()
	switch {
	case p.Type().Implements(jsonType):
		std := v.Clone()
		std.Minimize()
		if err := p.Interface().(json.Unmarshaler).UnmarshalJSON(std.Pack()); err != nil {
			dec.errorf(v.StartOffset, "%s%s", prefix(where), err)
		}
		return true
	case p.Type().Implements(textType):
		lit, ok := v.Value.(hujson.Literal)
		if !ok || lit.Kind() != '"' {
			dec.errorf(v.StartOffset, "%smust be a string, not %s", prefix(where), kindNames[byte(v.Value.Kind())])
			return true
		}
		if err := p.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(lit.String())); err != nil {
			dec.errorf(v.StartOffset, "%s%s", prefix(where), err)
		}
		return true
	}
	return false
}

// seen reports a member that is there twice, and remembers it.
func (dec *decoder) seen(names map[string]int, m *hujson.ObjectMember) (string, bool) {
	name := m.Name.Value.(hujson.Literal).String()
	if first, ok := names[name]; ok {
		line := At("", dec.doc.text, first, "").Line
		dec.errorf(m.Name.StartOffset, "%q is here a second time; the first is in line %d", name, line)
		return name, true
	}
	names[name] = m.Name.StartOffset
	return name, false
}

func (dec *decoder) object(obj *hujson.Object, rv reflect.Value) {
	fields := map[string]reflect.Value{}
	var order []string
	collectFields(rv, fields, &order)
	names := map[string]int{}
	for i := range obj.Members {
		m := &obj.Members[i]
		name, again := dec.seen(names, m)
		if again {
			continue
		}
		f, ok := fields[name]
		if !ok {
			if dec.known {
				dec.unknown = append(dec.unknown, At(dec.doc.name, dec.doc.text, m.Name.StartOffset, fmt.Sprintf("unknown member %q", name)))
			} else {
				dec.errorf(m.Name.StartOffset, "unknown member %q%s", name, Suggest(name, order))
			}
			continue
		}
		dec.value(&m.Value, f, name)
	}
}

// collectFields lists the fields of a struct by the names of their json tags.
// The fields of an embedded struct without a tag are its own.
func collectFields(rv reflect.Value, fields map[string]reflect.Value, order *[]string) {
	t := rv.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			collectFields(rv.Field(i), fields, order)
			continue
		}
		if !sf.IsExported() {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		fields[name] = rv.Field(i)
		*order = append(*order, name)
	}
}

func (dec *decoder) mapping(obj *hujson.Object, rv reflect.Value) {
	out := reflect.MakeMapWithSize(rv.Type(), len(obj.Members))
	names := map[string]int{}
	for i := range obj.Members {
		m := &obj.Members[i]
		name, again := dec.seen(names, m)
		if again {
			continue
		}
		elem := reflect.New(rv.Type().Elem()).Elem()
		dec.value(&m.Value, elem, name)
		out.SetMapIndex(reflect.ValueOf(name).Convert(rv.Type().Key()), elem)
	}
	rv.Set(out)
}

// anyValue decodes a value into the types that encoding/json uses.
func (dec *decoder) anyValue(v *hujson.Value) any {
	switch c := v.Value.(type) {
	case *hujson.Object:
		out := make(map[string]any, len(c.Members))
		names := map[string]int{}
		for i := range c.Members {
			if name, again := dec.seen(names, &c.Members[i]); !again {
				out[name] = dec.anyValue(&c.Members[i].Value)
			}
		}
		return out
	case *hujson.Array:
		out := make([]any, len(c.Elements))
		for i := range c.Elements {
			out[i] = dec.anyValue(&c.Elements[i])
		}
		return out
	case hujson.Literal:
		switch c.Kind() {
		case '"':
			return c.String()
		case 't', 'f':
			return c.Kind() == 't'
		case '0':
			f, err := strconv.ParseFloat(string(c), 64)
			if err != nil {
				dec.errorf(v.StartOffset, "number out of range")
			}
			return f
		}
	}
	return nil
}

// Suggest returns `; did you mean "priority"?` for a name that is close to one
// of the known names, and otherwise a list of these where it is short. It is
// empty where nothing helps.
func Suggest(name string, known []string) string {
	best, bestDist := "", 1+max(1, len(name)/3)
	fold := strings.ToLower(strings.NewReplacer("-", "_", " ", "_").Replace(name))
	for _, k := range known {
		if d := distance(fold, strings.ToLower(k)); d < bestDist {
			best, bestDist = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(known) > 0 && len(known) <= 24 {
		sorted := slices.Clone(known)
		slices.Sort(sorted)
		return "; known are " + strings.Join(sorted, ", ")
	}
	return ""
}

// distance is the number of letters to insert, remove, replace or swap with
// their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return math.MaxInt
	}
	var prev2 []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur := make([]int, len(b)+1)
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev = prev, cur
	}
	return prev[len(b)]
}
