package rebound

import (
	"fmt"
	"strconv"
	"strings"
)

// Replacement is a parsed replacement text as Python's re.sub has it: \1 to \99
// and \g<1> or \g<name> stand for groups, \g<0> for the whole match, \\ for a
// backslash. All else, "$" too, stands for itself.
type Replacement struct {
	text  []string // one more than groups
	group []int
}

// ParseReplacement checks a replacement against the groups of its pattern. The
// error is a *[SyntaxError].
func (re *Regexp) ParseReplacement(s string) (*Replacement, error) {
	r := &Replacement{}
	var lit strings.Builder
	add := func(group int) {
		r.text = append(r.text, lit.String())
		r.group = append(r.group, group)
		lit.Reset()
	}
	check := func(at, group int) error {
		if n := re.NumSubexp(); group > n {
			return &SyntaxError{Offset: at, Msg: fmt.Sprintf("the replacement names group %d, but the pattern has %d", group, n)}
		}
		return nil
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			lit.WriteByte(s[i])
			continue
		}
		if i+1 == len(s) {
			return nil, &SyntaxError{Offset: i, Msg: `the replacement ends in a backslash; write \\ for one`}
		}
		switch c := s[i+1]; {
		case c >= '0' && c <= '9':
			n := 2
			if i+2 < len(s) && c != '0' && s[i+2] >= '0' && s[i+2] <= '9' {
				n = 3
			}
			group, _ := strconv.Atoi(s[i+1 : i+n])
			if err := check(i, group); err != nil {
				return nil, err
			}
			add(group)
			i += n - 1
		case c == 'g' && i+2 < len(s) && s[i+2] == '<':
			name, _, ok := strings.Cut(s[i+3:], ">")
			if !ok {
				return nil, &SyntaxError{Offset: i, Msg: `\g<…> is not closed`}
			}
			group, err := strconv.Atoi(name)
			if err != nil || group < 0 {
				if group = re.SubexpIndex(name); group < 0 || name == "" {
					return nil, &SyntaxError{Offset: i, Msg: fmt.Sprintf("the pattern has no group named %q", name)}
				}
			}
			if err := check(i, group); err != nil {
				return nil, err
			}
			add(group)
			i += len(name) + 3
		case c == '\\':
			lit.WriteByte('\\')
			i++
		case c == 'n':
			lit.WriteByte('\n')
			i++
		default:
			// Such as \. in an address: Python refuses letters only.
			if c|0x20 >= 'a' && c|0x20 <= 'z' {
				return nil, &SyntaxError{Offset: i, Msg: fmt.Sprintf(`no such escape \%c in a replacement; groups are \1, \g<name>`, c)}
			}
			lit.WriteByte('\\')
		}
	}
	r.text = append(r.text, lit.String())
	return r, nil
}

// Append appends the replacement of one match to dst. m is what
// FindStringSubmatchIndex returned for s.
func (r *Replacement) Append(dst []byte, s string, m []int) []byte {
	for i, g := range r.group {
		dst = append(dst, r.text[i]...)
		if m[2*g] >= 0 {
			dst = append(dst, s[m[2*g]:m[2*g+1]]...)
		}
	}
	return append(dst, r.text[len(r.text)-1]...)
}

// Warn says what looks like a mistake in a replacement, such as $1 for \1. It
// is empty where nothing does.
func (r *Replacement) Warn() string {
	for _, t := range r.text {
		if i := strings.IndexByte(t, '$'); i >= 0 && i+1 < len(t) && (t[i+1] == '{' || t[i+1] >= '0' && t[i+1] <= '9') {
			return `"$" stands for itself in a replacement; a group is written \1 or \g<name>, with two backslashes in JSON`
		}
	}
	return ""
}
