package rules

import (
	"strings"
	"unsafe"
)

// arena holds what was decoded. Strings cut from it stay valid when it grows,
// and until it is reset.
type arena struct{ b []byte }

// since returns what was appended from start on, as a string without a copy.
func (a *arena) since(start int) string {
	if len(a.b) == start {
		return ""
	}
	return unsafe.String(&a.b[start], len(a.b)-start)
}

// join returns the parts as one string in the arena.
func (a *arena) join(parts ...string) string {
	n := len(a.b)
	for _, p := range parts {
		a.b = append(a.b, p...)
	}
	return a.since(n)
}

// escape returns s as it stands in a query: all but ASCII letters and digits is
// percent-encoded, so that no reader takes a sign at the end for punctuation.
func (a *arena) escape(s string) string {
	const hex = "0123456789ABCDEF"
	n := len(a.b)
	for i := range len(s) {
		if c := s[i]; isAlnum(c) {
			a.b = append(a.b, c)
		} else {
			a.b = append(a.b, '%', hex[c>>4], hex[c&15])
		}
	}
	return a.since(n)
}

// link is a URI cut into parts. All parts are substrings of it.
type link struct {
	scheme string // without ":"
	host   string // without port, user and root dot
	rest   string // path, query and fragment
	path   string // with the leading slash
	query  string // without "?"
	frag   string // without "#"
	user   bool   // something stands before an @ in the authority
}

// cut cuts "scheme://authority/path?query#fragment". It is false for anything
// else, such as "sip:a@b".
func cut(uri string) (l link, ok bool) {
	i := strings.IndexByte(uri, ':')
	if i < 1 || i+2 >= len(uri) || uri[i+1] != '/' || uri[i+2] != '/' {
		return l, false
	}
	l.scheme = uri[:i]
	rest := uri[i+3:]
	end, plain := hostWidth(rest), true
	for ; end < len(rest) && rest[end] != '/' && rest[end] != '?' && rest[end] != '#' && rest[end] != '\\'; end++ {
		plain = false
	}
	host := rest[:end]
	l.rest = rest[end:]
	if !plain {
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host, l.user = host[at+1:], true
		}
		if c := strings.LastIndexByte(host, ':'); c >= 0 && isDigits(host[c+1:]) {
			host = host[:c]
		}
	}
	l.host = strings.TrimSuffix(host, ".")
	// Letters of other alphabets may be those of an international name. An IPv6
	// address stands in brackets.
	for i := 0; !plain && i < len(l.host) && l.host[0] != '['; i++ {
		if c := l.host[i]; !isHost(c) && c < 0x80 && c != '_' {
			return l, false
		}
	}
	l.path = l.rest
	if h := strings.IndexByte(l.path, '#'); h >= 0 {
		l.path, l.frag = l.path[:h], l.path[h+1:]
	}
	if q := strings.IndexByte(l.path, '?'); q >= 0 {
		l.path, l.query = l.path[:q], l.path[q+1:]
	}
	return l, l.host != ""
}

// param returns the value of a query parameter, still encoded.
func param(query, key string) (value string, ok bool) {
	for len(query) > 0 {
		var pair string
		if i := strings.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			pair, query = query, ""
		}
		// "&amp;" that nobody decoded leaves "amp;" before the next name.
		for len(pair) > 4 && pair[3] == ';' && fold(pair[:4], "amp;") {
			pair = pair[4:]
		}
		if len(pair) > len(key) && pair[len(key)] == '=' && fold(pair[:len(key)], key) {
			return pair[len(key)+1:], true
		}
		if len(pair) == len(key) && fold(pair, key) {
			return "", true
		}
	}
	return "", false
}

// unescape decodes percent signs, once. What is no escape stays as it is.
func (a *arena) unescape(s string) string {
	if i := strings.IndexByte(s, '%'); i >= 0 {
		return a.unescapeFrom(s, i)
	}
	return s
}

// unescapeFrom is unescape for a text whose first percent sign is at i.
func (a *arena) unescapeFrom(s string, i int) string {
	n := len(a.b)
	for i >= 0 {
		a.b = append(a.b, s[:i]...)
		c := byte('%')
		if s = s[i+1:]; len(s) >= 2 && hexval(s[0])|hexval(s[1]) >= 0 {
			c, s = byte(hexval(s[0])<<4|hexval(s[1])), s[2:]
		}
		a.b = append(a.b, c)
		if i = 0; s == "" || s[0] != '%' { // escapes often stand side by side
			i = strings.IndexByte(s, '%')
		}
	}
	a.b = append(a.b, s...)
	return a.since(n)
}

// hexval returns the value of a hexadecimal digit, or -1.
func hexval(c byte) int { return int(hexvals[c]) }

var hexvals = func() (values [256]int8) {
	for c := range values {
		values[c] = -1
	}
	for i := range 16 {
		values["0123456789abcdef"[i]], values["0123456789ABCDEF"[i]] = int8(i), int8(i)
	}
	return values
}()

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// fold reports whether two strings are equal but for the case of ASCII letters.
func fold(a, b string) bool { return len(a) == len(b) && foldBytes(a, b) }

// foldBytes is fold for strings of one length. Most that are compared differ in
// their first byte, or are equal as they stand.
func foldBytes(a, b string) bool {
	if a == "" || (a[0]^b[0])&^0x20 == 0 && a == b {
		return true
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && fold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && fold(s[len(s)-len(suffix):], suffix)
}

// under reports whether host is domain or below it.
func under(host, domain string) bool {
	n := len(host) - len(domain)
	return n >= 0 && (n == 0 || host[n-1] == '.') && fold(host[n:], domain)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// hostWidth returns the number of bytes at the start of s that a host may have.
func hostWidth(s string) int {
	for i := range len(s) {
		if !hostByte[s[i]] {
			return i
		}
	}
	return len(s)
}

func isHost(c byte) bool { return isAlnum(c) || c == '-' || c == '.' }
