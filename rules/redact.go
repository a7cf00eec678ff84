package rules

import (
	"log/slog"
	"strings"
)

const redactedText = "[redacted]"

// String returns the address without passcodes: the values of query parameters
// that hold one, the second number of a SIP address, the third part of an H.323
// one. Only the field URI has them.
func (a Address) String() string { return redact(a.URI) }

// GoString returns the same as String, quoted, for the verb %#v.
func (a Address) GoString() string { return `"` + a.String() + `"` }

// MarshalText returns the same as String: it serves encoding/json.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// LogValue returns the same as String: it serves log/slog.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// open are the query parameters whose values are shown: they name a meeting,
// and nobody enters with them alone. Every other value may be a passcode or a
// token, and is hidden.
var open = [...]string{"context", "tenantid", "conference", "name", "id", "conf", "d", "prefix", "ivr", "ip", "confid", "tenantkey", "domain", "key", "anon", "from", "authuser", "hs", "confno", "meetingjoin", "sl", "omkt", "language", "src", "lang"}

// wrapped are parameters whose value is a link itself.
var wrapped = [...]string{"url", "u", "q", "a"}

// redact hides passcodes in a link or an address.
func redact(uri string) string {
	switch schemeOf(uri) {
	case SIP, SIPS:
		return redactSIP(uri)
	case H323:
		if i := strings.Index(uri, "##"); i >= 0 {
			if j := strings.IndexByte(uri[i+2:], '#'); j >= 0 {
				return uri[:i+2+j+1] + redactedText
			}
			return uri
		}
		return redactSIP(uri)
	case TEL:
		if i := strings.IndexAny(uri, ",;"); i >= 0 {
			return uri[:i+1] + redactedText
		}
		return uri
	}
	head, frag, hasFrag := strings.Cut(uri, "#")
	out := redactQuery(head)
	if l, ok := cut(head); ok {
		out = redactPath(out, &l)
	}
	if hasFrag {
		if strings.HasPrefix(frag, "/") || strings.Contains(frag, "?") {
			out += "#" + redactQuery(frag)
		} else if frag != "" {
			out += "#" + redactedText
		}
	}
	return out
}

// redactPath hides the passcode that BlueJeans has in its path, and what a
// gateway that keeps whole links in the path may hold.
func redactPath(uri string, l *link) string {
	if under(l.host, "bluejeans.com") {
		if parts := strings.Split(l.path, "/"); len(parts) > 2 && isDigits(parts[1]) && isDigits(parts[2]) {
			i := strings.Index(uri, l.path)
			return uri[:i] + "/" + parts[1] + "/" + redactedText
		}
	}
	for i := range gateways {
		if !hostIn(l.host, gateways[i].hosts) {
			continue
		}
		if t, _, ok := Unwrap(uri); ok && strings.Contains(uri, t) {
			i := strings.Index(uri, t)
			return uri[:i] + redact(t)
		}
		if i := strings.IndexByte(uri, '?'); i >= 0 {
			return uri[:i] + "?" + redactedText
		}
		if strings.Contains(l.path, "___") || strings.Contains(l.path, "__http") || strings.Contains(l.path, "%3") {
			return l.scheme + "://" + l.host + "/" + redactedText
		}
	}
	return uri
}

func redactQuery(s string) string {
	path, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	var b strings.Builder
	b.WriteString(path)
	sep := byte('?')
	for pair := range strings.SplitSeq(query, "&") {
		b.WriteByte(sep)
		sep = '&'
		name, value, has := strings.Cut(pair, "=")
		b.WriteString(name)
		if !has {
			continue
		}
		b.WriteByte('=')
		if value != "" && !shown(strings.ToLower(name), value) {
			value = redactedText
		}
		b.WriteString(value)
	}
	return b.String()
}

func shown(name, value string) bool {
	for _, k := range wrapped {
		if name == k && strings.Contains(value, "/") {
			return false
		}
	}
	for _, k := range open {
		if name == k {
			return true
		}
	}
	return false
}

// redactSIP hides the second and further numbers before the at-sign:
// "123.456@zoomcrc.com" has the passcode there. A video block's address,
// "key.conf@t.plcm.vc", is hidden in the same way where both are numbers.
func redactSIP(uri string) string {
	colon := strings.IndexByte(uri, ':')
	at := strings.IndexByte(uri, '@')
	if at < 0 {
		return uri
	}
	user := uri[colon+1 : at]
	if i := strings.IndexByte(user, ':'); i >= 0 {
		return uri[:colon+1] + user[:i+1] + redactedText + uri[at:]
	}
	dot := strings.IndexByte(user, '.')
	if dot < 1 || !isDigits(user[:dot]) || dot+1 >= len(user) || !isDigit(user[dot+1]) && user[dot+1] != '.' {
		return uri
	}
	return uri[:colon+1] + user[:dot+1] + redactedText + uri[at:]
}
