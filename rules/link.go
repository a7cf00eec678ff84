package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// linkRule is a compiled rule of TypeLink.
type linkRule struct {
	*Rule
	ip         bool // Dial needs the H.323 gateway that the text names
	not, paths []*pattern
}

func newLinkRule(r *Rule) *linkRule {
	l := &linkRule{Rule: r}
	for _, d := range r.Dial {
		l.ip = l.ip || strings.Contains(d, "{ip}")
	}
	for _, p := range r.Not {
		l.not = append(l.not, newPattern(p))
	}
	for _, p := range r.Paths {
		l.paths = append(l.paths, newPattern(p))
	}
	return l
}

// checkLink says what is wrong with a rule of TypeLink.
func checkLink(r *Rule) error {
	for _, p := range linkProblems(r) {
		return errors.New(p.msg)
	}
	return nil
}

// linkProblems says everything that is wrong with a rule of TypeLink, by the
// member of the rule.
func linkProblems(r *Rule) (out []problem) {
	bad := func(field, format string, args ...any) {
		out = append(out, problem{field: field, msg: fmt.Sprintf(format, args...)})
	}
	if r.Service == "" {
		bad("service", "a rule of type %q needs a service: its name, as it is to be shown", TypeLink)
	}
	if len(r.Hosts) == 0 || len(r.Paths) == 0 {
		bad("", "a rule of type %q needs hosts and paths", TypeLink)
	}
	for i, h := range r.Hosts {
		if err := checkHost(h); err != nil {
			bad(fmt.Sprintf("hosts/%d", i), "%v", err)
		}
	}
	for i, p := range slices.Concat(r.Paths, r.Not) {
		if err := checkPattern(p); err != nil {
			field := fmt.Sprintf("paths/%d", i)
			if i >= len(r.Paths) {
				field = fmt.Sprintf("not/%d", i-len(r.Paths))
			}
			bad(field, "%v", err)
		}
	}
	if slices.Contains(r.Hosts, "*") {
		for i, p := range r.Paths {
			if len(p) < 4 || strings.ContainsAny(p[:4], "{*?#") {
				bad(fmt.Sprintf("paths/%d", i), "path %q: with host * the first part must be fixed", p)
			}
		}
	}
	names := dialNames(r)
	for i, d := range r.Dial {
		field := fmt.Sprintf("dial/%d", i)
		if strings.Count(d, "{") != strings.Count(d, "}") || schemeOf(d) == SchemeNone {
			bad(field, "dial %q is no address; write sip:{id}@example.com", d)
			continue
		}
		for s := d; ; {
			_, rest, ok := strings.Cut(s, "{")
			if !ok {
				break
			}
			var name string
			if name, s, _ = strings.Cut(rest, "}"); !slices.Contains(names, name) {
				bad(field, "dial %q has {%s}, which nothing fills%s; there are %s", d, name, suggest(name, names), strings.Join(names, ", "))
			}
		}
	}
	return out
}

// checkHost says what is wrong with a host of a rule.
func checkHost(h string) error {
	name := strings.TrimPrefix(strings.TrimPrefix(h, "*"), ".")
	switch {
	case h == "*":
		return nil
	case strings.ContainsFunc(h, func(c rune) bool { return c >= utf8.RuneSelf }):
		return fmt.Errorf("host %q: write an international name as links have it, beginning with xn--", h)
	case name == "", strings.ContainsAny(name, "*/:@ "), !strings.Contains(name, "."), h[0] == '*' && !strings.HasPrefix(h, "*."), !hostLabels(name):
		return fmt.Errorf("host %q: write it as example.com, .example.com, *.example.com or *", h)
	}
	return nil
}

// dialNames are the names that a Dial template of a rule may have: those of its
// paths, and what the link and the text beside it give.
func dialNames(r *Rule) []string {
	names := []string{"id", "pin", "host", "site", "room", "alias", "ip"}
	for _, p := range r.Paths {
		for s := p; ; {
			_, rest, ok := strings.Cut(s, "{")
			if !ok {
				break
			}
			var name string
			name, s, _ = strings.Cut(rest, "}")
			if name, _, _ = strings.Cut(name, ":"); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// match reports whether the rule knows the link, and fills vars.
func (r *linkRule) match(l *link, v *vars) bool {
	for _, p := range r.not {
		if v.match(p, l) {
			return false
		}
	}
	for _, p := range r.paths {
		if v.match(p, l) {
			return true
		}
	}
	return false
}

// table finds the rules for a host. A host is looked up by its last two labels,
// and then compared label by label.
type table struct {
	slots  []slot // open addressing; the length is a power of two
	any    []anyPath
	starts []string  // what the paths in any begin with, in lower case
	first  [256]bool // the second bytes, after the slash, of starts
	// onPrem is the rule for Skype for Business Server, if there is one.
	onPrem *linkRule
}

type slot struct {
	key   string // the last two labels
	hosts []hostRule
	// starts are what the paths of the rules begin with, as far as that is
	// fixed. None of them begins with another.
	starts []string
}

type hostRule struct {
	pattern string
	rule    *linkRule
	gateway int8 // index in gateways plus one, and so on
	dial    int8 // in dialHosts
	cvi     int8 // in cviHosts
}

type anyPath struct {
	prefix string
	rule   *linkRule
}

func (t *table) add(pattern string, h hostRule) {
	h.pattern = pattern
	key := lastTwo(strings.TrimPrefix(strings.TrimPrefix(pattern, "*"), "."))
	for i := hash(key); ; i++ {
		s := &t.slots[i&uint32(len(t.slots)-1)]
		if s.key == "" || fold(s.key, key) {
			s.key = key
			s.hosts = append(s.hosts, h)
			if h.rule != nil {
				for _, p := range h.rule.Paths {
					s.starts = addStart(s.starts, fixed(p))
				}
				if h.rule.Service == "teams" {
					for _, p := range launcherPaths {
						s.starts = addStart(s.starts, p)
					}
				}
			}
			return
		}
	}
}

// fixed is what a pattern of a path begins with.
func fixed(pattern string) string {
	if end := strings.IndexAny(pattern, "{*?#"); end >= 0 {
		return pattern[:end]
	}
	return pattern
}

// addStart adds to a list of which no member begins with another.
func addStart(list []string, start string) []string {
	for _, have := range list {
		if hasPrefixFold(start, have) {
			return list
		}
	}
	return append(slices.DeleteFunc(list, func(have string) bool { return hasPrefixFold(have, start) }), start)
}

// begins reports whether a path, as it stands in a text, may begin with one of
// the starts of a host's rules. It may too where something is escaped.
func (s *slot) begins(path string) bool {
next:
	for _, start := range s.starts {
		for i := range len(start) {
			if i == len(path) {
				return true // the text ends, or is cut, within it
			}
			if c := path[i]; lower(c) != lower(start[i]) {
				if plainPath[c] {
					continue next
				}
				return true
			}
		}
		return true
	}
	return false
}

// mayBegin reports whether a path may begin so whose first byte after the slash
// is c, in lower case.
func (s *slot) mayBegin(c byte) bool {
	for _, start := range s.starts {
		if len(start) < 2 || lower(start[1]) == c {
			return true
		}
	}
	return !plainPath[c]
}

// plainPath are the bytes of a path that stand for themselves wherever they
// are.
var plainPath [256]bool

func init() {
	for c := range plainPath {
		plainPath[c] = isAlnum(byte(c)) || c < 0x80 && strings.IndexByte("-._~/:?", byte(c)) >= 0
	}
}

// newTable builds the table of rules and gateways.
func newTable(rules []*linkRule) *table {
	n := len(dialHosts) + len(cviHosts)
	for _, r := range rules {
		n += len(r.Hosts)
	}
	for i := range gateways {
		n += len(gateways[i].hosts)
	}
	size := 64
	for size < 4*n {
		size *= 2
	}
	t := &table{slots: make([]slot, size)}
	for i := range gateways {
		for _, h := range gateways[i].hosts {
			t.add(h, hostRule{gateway: int8(i + 1)})
		}
	}
	for i := range dialHosts {
		t.add(dialHosts[i].host, hostRule{dial: int8(i + 1)})
	}
	for i := range cviHosts {
		t.add(cviHosts[i].host, hostRule{cvi: int8(i + 1)})
	}
	for _, r := range rules {
		if r.Name == "skype-for-business-server" {
			t.onPrem = r
		}
		for _, h := range r.Hosts {
			if h != "*" {
				t.add(h, hostRule{rule: r})
				continue
			}
			for _, p := range r.Paths {
				prefix := fixed(p)
				if !slices.Contains(t.any, anyPath{prefix, r}) {
					t.any = append(t.any, anyPath{prefix, r})
				}
				t.starts = addStart(t.starts, strings.ToLower(prefix))
				for c := range t.first {
					if lower(byte(c)) == lower(prefix[1]) {
						t.first[c] = true
					}
				}
			}
		}
	}
	return t
}

// slot returns what is known about a host's last two labels, or nil.
func (t *table) slot(host string) *slot {
	key := lastTwo(host)
	for i := hash(key); ; i++ {
		s := &t.slots[i&uint32(len(t.slots)-1)]
		if s.key == "" {
			return nil
		}
		if s.key == key || fold(s.key, key) {
			return s
		}
	}
}

// lookup returns the entries for a host's last two labels.
func (t *table) lookup(host string) []hostRule {
	if s := t.slot(host); s != nil {
		return s.hosts
	}
	return nil
}

// wants reports whether a link may be one of a rule or a gateway, by its host
// and by what stands behind that in the text. The gateway is nil for a rule, and r
// is the first rule of the host, whatever the path.
func (t *table) wants(host, path string) (ok bool, g *gateway, r *linkRule) {
	s := t.slot(host)
	h := s.entry(host)
	switch {
	case h == nil:
		return false, nil, nil
	case h.gateway > 0:
		return true, &gateways[h.gateway-1], nil
	}
	return path == "" || path[0] != '/' || s.begins(path), nil, h.rule
}

// entry returns the first entry of a rule or a gateway for a host, or nil. The
// slot may be nil.
func (s *slot) entry(host string) *hostRule {
	if s == nil {
		return nil
	}
	return entry(s.hosts, host)
}

func entry(hosts []hostRule, host string) *hostRule {
	for i := range hosts {
		if h := &hosts[i]; (h.rule != nil || h.gateway > 0) && hostMatches(host, h.pattern) {
			return h
		}
	}
	return nil
}

// known reports whether a host is one of a rule or a gateway.
func (t *table) known(host string) bool { return t.slot(host).entry(host) != nil }

// anyHost reports whether a path is one that a rule for every host may know.
func (t *table) anyHost(path string) bool {
	if len(path) < 2 || !t.first[path[1]] {
		return false
	}
	for _, start := range t.starts {
		if len(path) >= len(start) && lower(path[1]) == start[1] && lower(path[2]) == start[2] && hasPrefixFold(path, start) {
			return true
		}
	}
	return false
}

// find returns the first rule that knows a link. hosts is what lookup returns
// for its host.
func (t *table) find(hosts []hostRule, l *link, v *vars) *linkRule {
	for i := range hosts {
		h := &hosts[i]
		if h.rule != nil && hostMatches(l.host, h.pattern) && h.rule.match(l, v) {
			return h.rule
		}
	}
	if t.anyHost(l.path) {
		for i := range t.any {
			if hasPrefixFold(l.path, t.any[i].prefix) && t.any[i].rule.match(l, v) {
				return t.any[i].rule
			}
		}
	}
	return nil
}

func lastTwo(host string) string {
	dots := 0
	for i := len(host) - 1; i >= 0; i-- {
		if host[i] == '.' {
			if dots++; dots == 2 {
				return host[i+1:]
			}
		}
	}
	return host
}

// hash mixes the last eight bytes of the two labels, without regard to case.
func hash(key string) uint32 {
	var h uint64
	if n := len(key); n >= 8 {
		k := key[n-8:]
		h = uint64(k[0]) | uint64(k[1])<<8 | uint64(k[2])<<16 | uint64(k[3])<<24 |
			uint64(k[4])<<32 | uint64(k[5])<<40 | uint64(k[6])<<48 | uint64(k[7])<<56
	} else {
		for i := range n {
			h = h<<8 | uint64(key[i])
		}
	}
	h = (h | 0x2020202020202020) * 0x9E3779B97F4A7C15
	return uint32(h >> 40)
}

// ruleOfLink is an administrator's rule of TypeLink.
type ruleOfLink struct {
	table *table
	rule  *linkRule
}

func compileLink(r *Rule) (compiled, error) {
	if err := checkLink(r); err != nil {
		return nil, err
	}
	lr := newLinkRule(r)
	return &ruleOfLink{newTable([]*linkRule{lr}), lr}, nil
}

func (c *ruleOfLink) find(v *view) (Match, string, bool) {
	sc := v.engine.get(v.event)
	defer v.engine.put(sc)
	seen := "" // a link to its hosts
	for _, l := range v.links() {
		if len(c.rule.Fields) == 0 || slices.Contains(c.rule.Fields, l.field.String()) {
			sc.evaluate(c.table, l.uri, l.field, l.span)
		}
		if u, ok := cut(l.uri); ok && seen == "" && c.table.known(u.host) {
			seen = u.host + " in " + l.field.String()
		}
	}
	switch {
	case len(sc.found) > 0:
	case seen != "":
		return Match{}, "a link to " + seen + ", but its path is none of the rule's, or that field is none", false
	default:
		return Match{}, "no link to " + strings.Join(c.rule.Hosts, ", "), false
	}
	// The text beside the link may have the passcode.
	if body := &v.event.Body; body.HTML != "" {
		sc.textSource = "html"
		sc.readText(body.HTML, true)
	} else {
		sc.textSource = "plain"
		sc.readText(body.Plain, false)
	}
	sc.gather(v.engine)
	for i := range sc.groups {
		// Others were made of numbers in the text.
		if g := &sc.groups[i]; g.rule == c.rule {
			return sc.emitGroup(nil, g)[0], "", true
		}
	}
	return Match{}, "no link that its paths know", false
}
