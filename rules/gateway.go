package rules

import (
	"encoding/base64"
	"strings"
)

// maxDepth is how many wrappers around one link are undone. Mail seldom passes
// more than two gateways; each layer is shorter than the one around it.
const maxDepth = 6

// maxURI is the longest link that is looked at, in bytes.
const maxURI = 8 << 10

// Unwrap undoes one security gateway's rewriting of a link, such as Microsoft
// Safe Links or Proofpoint URL Defense, and names the gateway. It is false
// where uri is no such link, and where the link does not contain its target:
// then gateway is still the name of the one that hides it, and target is empty.
//
// HTML entities between the parameters may be left. Percent signs are decoded
// once. The target may be wrapped again: call Unwrap until it is false, which
// it becomes because every target is shorter than its wrapper.
func Unwrap(uri string) (target, gateway string, ok bool) {
	if len(uri) > maxURI {
		return "", "", false
	}
	l, isLink := cut(uri)
	if !isLink {
		return "", "", false
	}
	var a arena
	t, g := a.unwrap(uri, l)
	if g == nil {
		return "", "", false
	}
	if t == "" {
		return "", g.name, false
	}
	return strings.Clone(t), g.name, true
}

// gateway is one product that rewrites links.
type gateway struct {
	name   string
	hosts  []string // as in Rule.Hosts
	decode func(a *arena, uri string, l link) (target string, mine bool)
}

// gateways in the order in which they are tried. The shapes come from the
// vendors' documentation and decoders, and from links in public mail.
var gateways = [...]gateway{
	{"Microsoft Safe Links", []string{".safelinks.protection.outlook.com", ".safelinks.protection.office365.us", "statics.teams.cdn.office.net"}, byParam("url")},
	{"Proofpoint", []string{".urldefense.com", ".urldefense.us", "urldefense.proofpoint.com"}, proofpoint},
	{"Barracuda", []string{"linkprotect.cudasvc.com"}, byParam("a")},
	{"Sophos", []string{".protection.sophos.com"}, sophos},
	{"Trend Micro", []string{".trendmicro.com"}, byParam("url")},
	{"Symantec", []string{"clicktime.symantec.com"}, byParam("u")},
	{"Avanan", []string{".avanan.click", "url.checkpoint.com", ".protect.checkpoint.com"}, avanan},
	{"Cisco Secure Email", []string{"secure-web.cisco.com"}, ciscoSecure},
	{"Mimecast", []string{".mimecast.com", ".mimecastprotect.com"}, opaqueAt("/s/")},
	{"Trellix", []string{"protect.fireeye.com", "protect2.fireeye.com", "protect.trellix.com", "protect2.trellix.com"}, byParam("u", "url")},
	{"Google", []string{"www.google.com", "google.com"}, google},
}

// safeLinks is the one whose links there are most of.
var safeLinks = &gateways[0]

// unwrap undoes one layer. The gateway is nil if uri is none of its links; the
// target is empty if the gateway hides it.
func (a *arena) unwrap(uri string, l link) (target string, g *gateway) {
	for i := range gateways {
		if !hostIn(l.host, gateways[i].hosts) {
			continue
		}
		t, mine := gateways[i].decode(a, uri, l)
		if !mine {
			return "", nil
		}
		return a.target(t, len(uri)), &gateways[i]
	}
	return "", nil
}

// target accepts what a gateway decoded to if it is a web link that is shorter
// than its wrapper, and repairs "https:/host".
func (a *arena) target(t string, wrapper int) string {
	t = strings.TrimSpace(t)
	for _, scheme := range [...]string{"https:", "http:", "msteams:", "zoommtg:", "pexip:"} {
		if !hasPrefixFold(t, scheme) {
			continue
		}
		rest := strings.TrimLeft(t[len(scheme):], "/")
		if rest == "" || rest == t[len(scheme):] {
			return ""
		}
		if t[len(scheme)] == '/' && t[len(scheme)+1] != '/' && scheme[0] == 'h' {
			t = a.join(t[:len(scheme)], "//", rest)
		}
		if len(t) >= wrapper {
			return ""
		}
		return t
	}
	return ""
}

func hostIn(host string, list []string) bool {
	for _, h := range list {
		if hostMatches(host, h) {
			return true
		}
	}
	return false
}

// hostMatches compares a host with a pattern as in Rule.Hosts.
func hostMatches(host, pattern string) bool {
	switch {
	case pattern == "*":
		return true
	case pattern[0] == '.':
		return under(host, pattern[1:])
	case strings.HasPrefix(pattern, "*."):
		return len(host) > len(pattern)-2 && under(host, pattern[2:])
	}
	return fold(host, pattern)
}

func byParam(keys ...string) func(*arena, string, link) (string, bool) {
	return func(a *arena, _ string, l link) (string, bool) {
		for _, k := range keys {
			if v, ok := param(l.query, k); ok {
				return a.unescape(v), true
			}
		}
		return "", false
	}
}

// opaqueAt is for links that name a record on the gateway's own server.
func opaqueAt(prefix string) func(*arena, string, link) (string, bool) {
	return func(_ *arena, _ string, l link) (string, bool) {
		return "", hasPrefixFold(l.path, prefix)
	}
}

func google(a *arena, _ string, l link) (string, bool) {
	if l.path != "/url" {
		return "", false
	}
	for _, k := range [...]string{"q", "url"} {
		if v, ok := param(l.query, k); ok {
			return a.unescape(v), true
		}
	}
	return "", false
}

// sophos has the target in base64 in "u". Newer links have a token instead.
func sophos(a *arena, _ string, l link) (string, bool) {
	v, ok := param(l.query, "u")
	if !ok {
		_, d := param(l.query, "d")
		return "", d
	}
	t, _ := a.base64(a.unescape(v))
	return t, true
}

// ciscoSecure has the target as the last part of the path, escaped. Links with
// a token alone hide it.
func ciscoSecure(a *arena, _ string, l link) (string, bool) {
	i := strings.LastIndexByte(l.path, '/')
	if i < 1 {
		return "", len(l.path) > 1
	}
	return a.unescape(l.path[i+1:]), true
}

// avanan puts the target between two runs of three underscores.
func avanan(_ *arena, uri string, l link) (string, bool) {
	if !hasPrefixFold(l.path, "/v2/") {
		return "", false
	}
	i := strings.Index(uri, "___")
	if i < 0 {
		return "", true
	}
	t := uri[i+3:]
	j := strings.LastIndex(t, "___")
	if j < 0 {
		return "", true
	}
	return t[:j], true
}

func proofpoint(a *arena, uri string, l link) (string, bool) {
	switch {
	case hasPrefixFold(l.path, "/v1/url"):
		v, ok := param(l.query, "u")
		return a.unescape(v), ok
	case hasPrefixFold(l.path, "/v2/url"):
		v, ok := param(l.query, "u")
		if !ok {
			return "", false
		}
		n := len(a.b)
		for i := 0; i < len(v); i++ {
			switch c := v[i]; c {
			case '-':
				a.b = append(a.b, '%')
			case '_':
				a.b = append(a.b, '/')
			default:
				a.b = append(a.b, c)
			}
		}
		return a.unescape(a.since(n)), true
	case hasPrefixFold(l.path, "/v3/__"):
		i := strings.Index(uri, "/v3/__")
		if i < 0 {
			i = strings.Index(uri, "/V3/__")
		}
		t := uri[i+len("/v3/__"):]
		// The target may itself have "__;": the last one that is followed by
		// the replacements and "!!" ends it.
		end := strings.LastIndex(t, "__;")
		if end < 0 {
			return "", true
		}
		enc, _, whole := strings.Cut(t[end+3:], "!")
		if !whole {
			return "", true
		}
		return a.proofpoint3(t[:end], enc), true
	}
	return "", false
}

// proofpoint3 puts back the bytes that were replaced by "*": each stands for
// the next byte of the list, and "**" with a letter for a run of them, from A,
// which is 2, to "_", which is 65.
func (a *arena) proofpoint3(t, enc string) string {
	if !strings.Contains(t, "*") {
		return t
	}
	bytes, ok := a.base64(enc)
	if !ok {
		return ""
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	n := len(a.b)
	for i := 0; i < len(t); i++ {
		if t[i] != '*' || len(bytes) == 0 {
			a.b = append(a.b, t[i])
			continue
		}
		count := 1
		if i+2 < len(t) && t[i+1] == '*' {
			if k := strings.IndexByte(letters, t[i+2]); k >= 0 {
				count, i = k+2, i+2
			}
		}
		count = min(count, len(bytes))
		a.b = append(a.b, bytes[:count]...)
		bytes = bytes[count:]
	}
	return a.since(n)
}

// base64 decodes both alphabets, with and without padding.
func (a *arena) base64(s string) (string, bool) {
	s = strings.TrimRight(s, "=")
	n := len(a.b)
	a.b = append(a.b, s...)
	for i := n; i < len(a.b); i++ {
		switch a.b[i] {
		case '+', ' ': // a plus that was taken for a blank
			a.b[i] = '-'
		case '/':
			a.b[i] = '_'
		}
	}
	src := len(a.b)
	var err error
	if a.b, err = base64.RawURLEncoding.AppendDecode(a.b, a.b[n:src]); err != nil {
		return "", false
	}
	return a.since(src), true
}
