package jinja

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"html"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// filterSpec is one filter. Its function may not keep args.
type filterSpec struct {
	name    string
	about   string   // what it yields
	params  []string // a last one that ends in … takes any number
	min     int      // arguments that have to be there
	pattern int      // the parameter that is a regular expression, from 1; 0 for none
	repl    int      // the parameter that is its replacement, from 1; 0 for none
	unwraps bool     // needs Options.Unwrap
	fn      func(m *machine, v Value, args []Value, p pattern) (Value, error)
}

// filters are those that Pexip's templates have; its own start with pex_.
var filters = []filterSpec{
	{name: "abs", about: "the number without its sign", fn: filterAbs},
	{name: "capitalize", about: "first letter large, the others small", fn: text(capitalize)},
	{name: "count", about: "same as length", fn: filterLength},
	{name: "d", about: "same as default", params: []string{"default_value", "boolean"}, fn: filterDefault},
	{name: "default", about: "default_value if the value is not there; with boolean=true also if it is empty", params: []string{"default_value", "boolean"}, fn: filterDefault},
	{name: "first", about: "the first element or character", fn: func(m *machine, v Value, _ []Value, _ pattern) (Value, error) { return m.end(v, true) }},
	{name: "float", about: "a number, or default (0.0) if it is none", params: []string{"default"}, fn: filterFloat},
	{name: "format", about: "'%s.%03d'|format(a, b)", params: []string{"value…"}, fn: func(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
		s, err := sprintf(v.text(), args)
		return Str(s), err
	}},
	{name: "int", about: "a whole number, or default (0) if it is none; base is 10", params: []string{"default", "base"}, fn: filterInt},
	{name: "join", about: "the elements as one text with d between them", params: []string{"d"}, fn: filterJoin},
	{name: "last", about: "the last element or character", fn: func(m *machine, v Value, _ []Value, _ pattern) (Value, error) { return m.end(v, false) }},
	{name: "length", about: "how many characters or elements", fn: filterLength},
	{name: "lower", about: "small letters", fn: text(strings.ToLower)},
	{name: "range", about: "5|range is the list 0 to 4; also range(start, stop, step)", params: []string{"stop", "step"}, fn: filterRange},
	{name: "replace", about: "every old replaced by new, or the first count of them", params: []string{"old", "new", "count"}, min: 2, fn: filterReplace},
	{name: "round", about: "rounded; method is common, ceil or floor", params: []string{"precision", "method"}, fn: filterRound},
	{name: "striptags", about: "without HTML tags, runs of space made one", fn: text(stripTags)},
	{name: "trim", about: "without space, or chars, at both ends", params: []string{"chars"}, fn: filterTrim},
	{name: "truncate", about: "at most length characters (255), cut at a word unless killwords, with end (...)", params: []string{"length", "killwords", "end", "leeway"}, fn: filterTruncate},
	{name: "upper", about: "capitals", fn: text(strings.ToUpper)},

	{name: "pex_base64", about: "the text in base64", fn: text(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
	{name: "pex_clean_phone_number", about: "only + and digits", fn: text(func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '+' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	})},
	{name: "pex_debug_log", about: "nothing; use otj explain", params: []string{"message…"}, fn: text(func(string) string { return "" })},
	{name: "pex_find_first_match", about: "the first element of a list that the pattern matches", params: []string{"find_regex"}, min: 1, pattern: 1, fn: filterFindFirst},
	{name: "pex_hash", about: "a whole number that depends on the text alone", fn: func(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
		h := fnv.New64a()
		h.Write([]byte(v.text()))
		return Integer(int(h.Sum64() >> 1)), nil
	}},
	{name: "pex_head", about: "at most maxlength characters from the start", params: []string{"maxlength"}, min: 1, fn: func(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
		n, err := count(args[0])
		return Str(runeSlice(v.text(), 0, n)), err
	}},
	{name: "pex_in_subnet", about: "whether an IP address is in one of the networks", params: []string{"subnets"}, min: 1, fn: filterInSubnet},
	{name: "pex_md5", about: "the MD5 sum in hexadecimal", fn: text(func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) })},
	{name: "pex_regex_replace", about: `every match of the pattern replaced; \1 is a group`, params: []string{"find_regex", "replace_string"}, min: 2, pattern: 1, repl: 2, fn: filterRegexReplace},
	{name: "pex_regex_search", about: "as a function, pex_regex_search(pattern, text): the groups of the first match, from 0, or none", params: []string{"pattern"}, min: 1, pattern: 1, fn: filterRegexSearch},
	{name: "pex_require_min_length", about: "the text; if it is shorter, the whole template counts as not applied", params: []string{"length"}, min: 1, fn: func(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
		n, err := count(args[0])
		if err == nil && max(0, v.length()) < n {
			err = ErrNotApplied
		}
		return v, err
	}},
	{name: "pex_reverse", about: "the text backwards", fn: text(func(s string) string {
		rs := []rune(s)
		for i, j := 0, len(rs)-1; i < j; i, j = i+1, j-1 {
			rs[i], rs[j] = rs[j], rs[i]
		}
		return string(rs)
	})},
	{name: "pex_safelinks_decode", about: "the link inside of a Microsoft Safe Links link", unwraps: true, fn: unwrapper(func(gateway string) bool { return strings.Contains(gateway, "afe") })},
	{name: "pex_strlen", about: "how many characters", fn: func(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
		return Integer(utf8.RuneCountInString(v.text())), nil
	}},
	{name: "pex_tail", about: "at most maxlength characters from the end", params: []string{"maxlength"}, min: 1, fn: func(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
		n, err := count(args[0])
		s := v.text()
		all := utf8.RuneCountInString(s)
		return Str(runeSlice(s, max(0, all-n), all)), err
	}},
	{name: "pex_to_json", about: "the value as JSON", fn: func(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
		return Str(string(v.appendJSON(nil))), nil
	}},
	{name: "pex_to_uuid", about: "a UUID of 16 bytes in base64", fn: filterToUUID},
	{name: "pex_update", about: "a mapping with the values of another", params: []string{"values"}, min: 1, fn: filterUpdate},
	{name: "pex_url_decode", about: "percent-encoding undone", fn: func(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
		s, err := url.PathUnescape(v.text())
		if err != nil || !utf8.ValidString(s) {
			return Value{}, fmt.Errorf("not percent-encoded UTF-8")
		}
		return Str(s), nil
	}},
	{name: "pex_url_encode", about: "percent-encoded", fn: text(func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") })},
	{name: "pex_urldefense_decode", about: "the link inside of a Proofpoint URL Defense link", unwraps: true, fn: unwrapper(func(gateway string) bool { return strings.Contains(gateway, "roofpoint") })},
}

// unstable are filters and functions that a template may not have, with what to
// use in their place.
var unstable = map[string]string{
	"pex_now":        "rules do not depend on the time of day",
	"pex_random_pin": "use pex_hash of something that the meeting has",
	"pex_uuid4":      "use pex_md5 of something that the meeting has",
	"random":         "use pex_hash of something that the meeting has",
	"shuffle":        "use pex_hash of something that the meeting has",
}

// Filter is what documentation says about a filter.
type Filter struct {
	Name, About string
	Params      []string
}

// Filters returns all filters. Those that start with pex_ are functions too.
func Filters() []Filter {
	var out []Filter
	for _, f := range filters {
		out = append(out, Filter{f.name, f.about, f.params})
	}
	return out
}

// Tests returns the names of all tests.
func Tests() []string { return testNames() }

func filterNames() []string {
	var out []string
	for _, f := range filters {
		out = append(out, f.name)
	}
	return out
}

// text makes a filter of a function over a text, which other values are
// printed to.
func text(f func(string) string) func(*machine, Value, []Value, pattern) (Value, error) {
	return func(_ *machine, v Value, _ []Value, _ pattern) (Value, error) { return Str(f(v.text())), nil }
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + strings.ToLower(s[n:])
}

// arg returns an argument that may be missing.
func arg(args []Value, i int) (Value, bool) {
	if i < len(args) && args[i].kind != Undefined {
		return args[i], true
	}
	return Value{}, false
}

// count reads an argument that is a length.
func count(v Value) (int, error) {
	if v.kind != Int || v.int() < 0 {
		return 0, fmt.Errorf("needs a whole number that is not negative, not %s", v.kind)
	}
	return int(min(v.int(), math.MaxInt32)), nil
}

func filterAbs(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
	switch v.kind {
	case Int, Bool:
		return Integer(max(int(v.int()), -int(v.int()))), nil
	case Float:
		return Number(math.Abs(v.float())), nil
	}
	return Value{}, fmt.Errorf("needs a number, not %s", v.kind)
}

func filterDefault(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	falsy, _ := arg(args, 1)
	if v.kind == Undefined || falsy.truth() && !v.truth() {
		if d, ok := arg(args, 0); ok {
			return d, nil
		}
		return Str(""), nil
	}
	return v, nil
}

// end returns the first or last element; undefined where there is none.
func (m *machine) end(v Value, first bool) (Value, error) {
	items, err := m.iterate(v)
	if err != nil || len(items) == 0 {
		return Value{}, err
	}
	if first {
		return items[0], nil
	}
	return items[len(items)-1], nil
}

func filterFloat(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	switch v.kind {
	case Int, Bool, Float:
		return Number(v.asFloat()), nil
	case String:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v.str), 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return Number(f), nil
		}
	}
	if d, ok := arg(args, 0); ok {
		return d, nil
	}
	return Number(0), nil
}

func filterInt(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	base := 10
	if b, ok := arg(args, 1); ok {
		n, err := count(b)
		if err != nil || n < 2 || n > 36 {
			return Value{}, fmt.Errorf("needs a base from 2 to 36")
		}
		base = n
	}
	switch v.kind {
	case Int, Bool:
		return Integer(int(v.int())), nil
	case Float:
		if f := v.float(); math.Abs(f) < 1<<62 {
			return Integer(int(f)), nil
		}
	case String:
		s := strings.TrimSpace(v.str)
		if base == 16 {
			s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
		}
		if n, err := strconv.ParseInt(s, base, 64); err == nil {
			return Integer(int(n)), nil
		}
		if f, err := strconv.ParseFloat(s, 64); base == 10 && err == nil && math.Abs(f) < 1<<62 {
			return Integer(int(f)), nil
		}
	}
	if d, ok := arg(args, 0); ok {
		return d, nil
	}
	return Integer(0), nil
}

func filterJoin(m *machine, v Value, args []Value, _ pattern) (Value, error) {
	items, err := m.iterate(v)
	if err != nil {
		return Value{}, err
	}
	d, _ := arg(args, 0)
	sep := d.text()
	var out []byte
	for i, e := range items {
		if i > 0 {
			out = append(out, sep...)
		}
		if out = e.append(out); len(out) > rebound.MaxInput {
			return Value{}, fmt.Errorf("the result is longer than %d bytes", rebound.MaxInput)
		}
	}
	return Str(string(out)), nil
}

func filterLength(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
	n := v.length()
	if n < 0 {
		return Value{}, fmt.Errorf("%s has no length", v.kind)
	}
	return Integer(n), nil
}

// filterRange makes 5|range and 2|range(5) of range(5) and range(2, 5).
func filterRange(m *machine, v Value, args []Value, _ pattern) (Value, error) {
	lim := [3]int64{0, 0, 1}
	if v.kind != Int {
		return Value{}, fmt.Errorf("needs a whole number, not %s", v.kind)
	}
	lim[1] = v.int()
	if len(args) > 0 {
		lim[0] = v.int()
	}
	for i, a := range args {
		if a.kind != Int {
			return Value{}, fmt.Errorf("needs whole numbers, not %s", a.kind)
		}
		lim[i+1] = a.int()
	}
	return m.rangeOf(lim[0], lim[1], lim[2])
}

func filterReplace(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	n := -1
	if c, ok := arg(args, 2); ok && c.kind == Int {
		n = int(c.int())
	}
	s, old, repl := v.text(), args[0].text(), args[1].text()
	times := strings.Count(s, old)
	if n >= 0 {
		times = min(times, n)
	}
	if len(s)+times*max(0, len(repl)-len(old)) > rebound.MaxInput {
		return Value{}, fmt.Errorf("the result is longer than %d bytes", rebound.MaxInput)
	}
	return Str(strings.Replace(s, old, repl, n)), nil
}

func filterRound(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	if !v.isNumber() {
		return Value{}, fmt.Errorf("needs a number, not %s", v.kind)
	}
	precision, method := int64(0), "common"
	if p, ok := arg(args, 0); ok {
		if precision = p.int(); p.kind != Int || precision < -15 || precision > 15 {
			return Value{}, fmt.Errorf("needs a precision from -15 to 15")
		}
	}
	if s, ok := arg(args, 1); ok {
		method = s.text()
	}
	scale := math.Pow(10, float64(precision))
	f := v.asFloat() * scale
	switch method {
	case "common":
		f = math.RoundToEven(f)
	case "ceil":
		f = math.Ceil(f)
	case "floor":
		f = math.Floor(f)
	default:
		return Value{}, fmt.Errorf("needs the method common, ceil or floor")
	}
	return Number(f / scale), nil
}

// stripTags removes tags and comments, and makes runs of space one space.
func stripTags(s string) string {
	for {
		before, rest, ok := strings.Cut(s, "<!--")
		if !ok {
			break
		}
		_, after, ok := strings.Cut(rest, "-->")
		if !ok {
			break
		}
		s = before + after
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "<")
		b.WriteString(before)
		if !ok {
			break
		}
		_, after, ok := strings.Cut(rest, ">")
		if !ok {
			b.WriteByte('<')
			b.WriteString(rest)
			break
		}
		s = after
	}
	return html.UnescapeString(strings.Join(strings.Fields(b.String()), " "))
}

func filterTrim(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	if chars, ok := arg(args, 0); ok && chars.kind != None {
		return Str(strings.Trim(v.text(), chars.text())), nil
	}
	return Str(strings.TrimSpace(v.text())), nil
}

func filterTruncate(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	length, leeway, end := 255, 5, "..."
	var err error
	if a, ok := arg(args, 0); ok {
		if length, err = count(a); err != nil {
			return Value{}, err
		}
	}
	kill, _ := arg(args, 1)
	if a, ok := arg(args, 2); ok {
		end = a.text()
	}
	if a, ok := arg(args, 3); ok {
		if leeway, err = count(a); err != nil {
			return Value{}, err
		}
	}
	s := v.text()
	room := length - utf8.RuneCountInString(end)
	if room < 0 {
		return Value{}, fmt.Errorf("needs a length of at least that of %q", end)
	}
	if utf8.RuneCountInString(s) <= length+leeway {
		return Str(s), nil
	}
	s = runeSlice(s, 0, room)
	if i := strings.LastIndexByte(s, ' '); i >= 0 && !kill.truth() {
		s = s[:i]
	}
	return Str(s + end), nil
}

// spend pays for a match, and refuses texts that are longer than a pattern is
// given.
func (m *machine) spend(p pattern, s string) error {
	if len(s) > rebound.MaxInput {
		return fmt.Errorf("the text is longer than %d bytes", rebound.MaxInput)
	}
	return m.budget.Spend(p.re, len(s))
}

func filterFindFirst(m *machine, v Value, _ []Value, p pattern) (Value, error) {
	items, err := m.iterate(v)
	if err != nil {
		return Value{}, err
	}
	for _, e := range items {
		s := e.text()
		if err := m.spend(p, s); err != nil {
			return Value{}, err
		}
		if p.re.MatchString(s) {
			return e, nil
		}
	}
	return none, nil
}

func filterRegexReplace(m *machine, v Value, _ []Value, p pattern) (Value, error) {
	s := v.text()
	if err := m.spend(p, s); err != nil {
		return Value{}, err
	}
	var out []byte
	last := 0
	for _, loc := range p.re.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, s[last:loc[0]]...)
		out = p.repl.Append(out, s, loc)
		last = loc[1]
		if len(out) > rebound.MaxInput {
			return Value{}, fmt.Errorf("the result is longer than %d bytes", rebound.MaxInput)
		}
	}
	return Str(string(append(out, s[last:]...))), nil
}

// filterRegexSearch returns the groups, without the whole match, or none.
func filterRegexSearch(m *machine, v Value, _ []Value, p pattern) (Value, error) {
	s := v.text()
	if err := m.spend(p, s); err != nil {
		return Value{}, err
	}
	loc := p.re.FindStringSubmatchIndex(s)
	if loc == nil {
		return none, nil
	}
	out := Value{kind: List}
	for i := 2; i < len(loc); i += 2 {
		if loc[i] < 0 {
			out.list = append(out.list, none)
		} else {
			out.list = append(out.list, Str(s[loc[i]:loc[i+1]]))
		}
	}
	return out, nil
}

func filterInSubnet(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	nets := args[0].list
	if args[0].kind == String {
		nets = args
	} else if args[0].kind != List {
		return Value{}, fmt.Errorf("needs a list of networks, not %s", args[0].kind)
	}
	// What is no address is the zero Addr, which is in no network.
	addr, _ := netip.ParseAddr(strings.TrimSpace(v.text()))
	for _, n := range nets {
		p, err := netip.ParsePrefix(n.text())
		if err != nil {
			return Value{}, fmt.Errorf("%q is no network such as 192.0.2.0/24", n.text())
		}
		if p.Contains(addr.Unmap()) {
			return Boolean(true), nil
		}
	}
	return Boolean(false), nil
}

func filterToUUID(_ *machine, v Value, _ []Value, _ pattern) (Value, error) {
	s := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(v.text()), "="))
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) != 16 {
		return Value{}, fmt.Errorf("needs 16 bytes in base64")
	}
	return Str(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), nil
}

func filterUpdate(_ *machine, v Value, args []Value, _ pattern) (Value, error) {
	if v.kind != Map || args[0].kind != Map {
		return Value{}, fmt.Errorf("needs two mappings, not %s and %s", v.kind, args[0].kind)
	}
	out := Value{kind: Map, list: append([]Value(nil), v.list...)}
	for i := 0; i < len(args[0].list); i += 2 {
		out = out.with(args[0].list[i], args[0].list[i+1])
	}
	return out, nil
}

// unwrapper makes a filter that undoes the rewriting of one gateway, and
// leaves all else as it is.
func unwrapper(is func(gateway string) bool) func(*machine, Value, []Value, pattern) (Value, error) {
	return func(m *machine, v Value, _ []Value, _ pattern) (Value, error) {
		target, gateway, ok := m.t.unwrap(v.text())
		if !ok || !is(gateway) {
			return v, nil
		}
		return Str(target), nil
	}
}

// appendJSON writes a value as Python's json.dumps does, but for characters
// outside of ASCII, which stay as they are.
func (v Value) appendJSON(dst []byte) []byte {
	switch v.kind {
	case String:
		dst = append(dst, '"')
		for _, r := range v.str {
			switch {
			case r == '"' || r == '\\':
				dst = append(dst, '\\', byte(r))
			case r == '\n':
				dst = append(dst, '\\', 'n')
			case r == '\r':
				dst = append(dst, '\\', 'r')
			case r == '\t':
				dst = append(dst, '\\', 't')
			case r < ' ':
				dst = fmt.Appendf(dst, `\u%04x`, r)
			default:
				dst = utf8.AppendRune(dst, r)
			}
		}
		return append(dst, '"')
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case List, Map:
		return v.appendParts(dst, Value.appendJSON)
	case Int, Float:
		return v.appendRepr(dst)
	}
	return append(dst, "null"...)
}
