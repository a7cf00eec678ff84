package rules

import "strings"

// redact hides passcodes in an address of any kind, also in the links of
// gateways.
func redact(uri string) string {
	if a := ParseAddress(uri); !a.IsZero() {
		return a.String()
	}
	return redactPath(redactLink(uri))
}

// redactPath hides the passcodes that are not in a query: BlueJeans has one in
// its path, Proton in its fragment, and some gateways put whole links into
// their paths.
func redactPath(uri string) string {
	l, ok := cut(uri)
	if !ok {
		return uri
	}
	head := uri[:len(uri)-len(l.rest)]
	if parts := strings.Split(l.path, "/"); under(l.host, "bluejeans.com") && len(parts) > 2 && isDigits(parts[1]) && isDigits(parts[2]) {
		return head + "/" + parts[1] + "/" + redactedText
	}
	for i := range gateways {
		if hostIn(l.host, gateways[i].hosts) && (strings.Contains(l.rest, "//") || strings.Contains(l.rest, ":/") || strings.Contains(l.path, "%")) {
			return head + "/" + redactedText
		}
	}
	if l.frag != "" && l.frag[0] != '/' && !strings.Contains(l.frag, "=") {
		return strings.TrimSuffix(uri, l.frag) + redactedText
	}
	return uri
}
