package rules

import (
	"log/slog"
	"strings"
)

// String returns the address without what lets somebody into the meeting: the
// values of a link's query, passcodes after the number in a SIP, H.323 or phone
// address. What is left names the meeting.
func (a Address) String() string {
	switch a.Scheme {
	case HTTPS:
		return redactPath(redactLink(a.URI))
	case SIP, SIPS:
		return redactSIP(a.URI)
	case H323:
		// "h323:ip##id#passcode", and "h323:id@host".
		if ip, rest, ok := strings.Cut(a.URI, "##"); ok {
			if id, _, more := strings.Cut(rest, "#"); more {
				return ip + "##" + id + "#" + redactedText
			}
		}
		return redactSIP(a.URI)
	case TEL:
		if number, _, ok := strings.Cut(a.URI, ","); ok {
			return number + "," + redactedText
		}
	}
	return a.URI
}

const redactedText = "[redacted]"

// GoString returns String, quoted, for the verb %#v.
func (a Address) GoString() string { return `"` + a.String() + `"` }

// MarshalText returns String: it serves encoding/json.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// LogValue returns String: it serves log/slog.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// redactLink hides the values of the query and of a query inside the fragment.
// The names stay, so that a reader sees whether there was a passcode.
func redactLink(uri string) string {
	head, query, ok := strings.Cut(uri, "?")
	if !ok {
		return uri
	}
	var b strings.Builder
	b.WriteString(head)
	b.WriteByte('?')
	for i, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == '#' || r == '?' }) {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, _ := strings.Cut(pair, "=")
		b.WriteString(name)
		if value != "" {
			b.WriteString("=" + redactedText)
		}
	}
	return b.String()
}

// dottedHosts have a dot between two numbers of which neither is a secret: the
// conference and the tenant of a Teams meeting.
var dottedHosts = []string{"m.webex.com", "t.plcm.vc", "teams.bjn.vc"}

// redactSIP hides what follows the number that the user part of an address
// begins with: "123.456@zoomcrc.com". The values of parameters go too.
func redactSIP(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		return uri
	}
	host, _, _ = strings.Cut(host, "?")
	name, params, _ := strings.Cut(host, ";")
	host = name
	for p := range strings.SplitSeq(params, ";") {
		switch key, _, valued := strings.Cut(p, "="); {
		case p == "":
		case !valued, strings.EqualFold(key, "transport"):
			host += ";" + p
		default: // an administrator's rule may put a passcode there
			host += ";" + key + "=" + redactedText
		}
	}
	if name, password, ok := strings.Cut(user, ":"); ok && password != "" {
		return scheme + ":" + name + ":" + redactedText + "@" + host
	}
	for _, h := range dottedHosts {
		if strings.EqualFold(name, h) {
			return scheme + ":" + user + "@" + host
		}
	}
	return scheme + ":" + redactUser(user) + "@" + host
}

// separators stand between a number and a passcode in the user part of a SIP
// address.
const separators = ".#*-_,~+;"

// redactUser hides what stands with a number in the user part of a SIP address.
// The number comes first. Where an administrator's rule may have it last, behind
// something shorter, nothing tells the two apart, and both are hidden. Names that do
// not begin with a number, as in "ada.room", stay, unless it is a number that
// follows "#" or "*".
func redactUser(user string) string {
	plus := ""
	if strings.HasPrefix(user, "+") { // an international number
		plus, user = "+", user[1:]
	}
	i := strings.IndexAny(user, separators)
	if i <= 0 || i == len(user)-1 {
		return plus + user
	}
	const number = 8 // as many digits as the numbers of meetings have, and few passcodes
	first, rest := user[:i], user[i+1:]
	last := rest[strings.LastIndexAny(rest, separators)+1:]
	switch {
	case isDigits(first) && len(first) >= number: // it is the number
	case isDigits(last) && len(last) >= number && (isDigits(first) || strings.ContainsAny(user, "#*")):
		return redactedText
	case !isDigits(first):
		return plus + user
	}
	return plus + first + user[i:i+1] + redactedText
}

// ParseAddress returns the address that a URI is, by its scheme; the zero
// Address for a scheme that no meeting is joined by.
func ParseAddress(uri string) Address {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok {
		return Address{}
	}
	for s := HTTPS; s <= TEL; s++ {
		if strings.EqualFold(s.String(), scheme) {
			return Address{s, uri}
		}
	}
	return Address{}
}
