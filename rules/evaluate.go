package rules

import (
	"strings"
)

// evaluate decides about one link: it opens the wrappers around it and looks
// for the rule that knows what is inside.
func (sc *scratch) evaluate(t *table, uri string, field Field, span Span) {
	sc.decide(t, found{uri: uri, raw: uri, field: field, span: span})
}

// decide is evaluate for a link of which it is known where it was found, how it
// stood there, and the gateway that was undone already.
func (sc *scratch) decide(t *table, f found) {
	if len(sc.found) >= maxCandidates {
		sc.cap("more than 256 links and addresses")
		return
	}
	uri, depth := f.uri, 0
	if f.gateway != "" {
		depth = 1
	}
	var l link
	var hosts []hostRule
	for ; ; depth++ {
		sc.steps++
		var ok bool
		if uri != "" && lower(uri[0]) != 'h' {
			if hasPrefixFold(uri, "pexip://") {
				sc.pexip(uri, f.field, f.span)
				return
			}
			uri = sc.webScheme(uri)
		}
		// What a gateway has taken from a sentence may end with its punctuation.
		uri = trimLink(uri)
		if l, ok = cut(uri); !ok || l.user || !hostLabels(l.host) {
			return
		}
		if depth > maxDepth {
			sc.cap("more than 6 wrappers around one link")
			return
		}
		hosts = t.lookup(l.host)
		next, g := sc.gateway(hosts, uri, l)
		if g != nil {
			f.gateway = g.name
			if next == "" {
				f.kind, f.uri, f.group = isOpaque, uri, -1
				sc.found = append(sc.found, f)
				return
			}
			uri = sc.taken(next)
			continue
		}
		// Outlook writes several places with semicolons between them.
		if i := strings.IndexByte(uri, ';'); i > 0 && f.field == FieldLocation {
			uri = uri[:i]
			continue
		}
		if next = sc.launcher(&l); next != "" && next != uri {
			uri = next
			continue
		}
		break
	}
	uri = sc.canonical(uri, &l)
	f.kind, f.uri, f.host, f.scheme, f.group = isLink, uri, l.host, HTTPS, -1
	if sc.cvi(&l, &f) {
		sc.found = append(sc.found, f)
		return
	}
	var v vars
	r := t.find(hosts, &l, &v)
	if r == nil {
		if r = t.onPrem; r == nil || !onPremMatch(&l, &v) {
			h := entry(hosts, l.host)
			if sc.tracing && len(sc.misses) < maxCandidates {
				why := "no default rule knows this host"
				if h != nil && h.rule != nil {
					why = "no default rule knows this path"
				}
				sc.misses = append(sc.misses, miss{f.field, f.span, uri, why})
			}
			if h != nil && h.rule != nil && h.rule.Service == "zoom" {
				sc.zoomPage(l.path)
			}
			return
		}
	}
	f.rule = r
	f.id = sc.a.unescape(v.get("id"))
	f.pin = v.get("pin")
	f.room = sc.a.unescape(v.get("room"))
	if r.Service == "meet" && strings.IndexByte(f.id, '-') < 0 && len(f.id) == 10 && classes["code"].width(f.id) == 10 && !isDigits(f.id) {
		f.id = sc.a.join(f.id[:3], "-", f.id[3:7], "-", f.id[7:])
	}
	for _, k := range r.Token {
		if p, ok := param(l.query, k); ok && p != "" {
			f.token = true
		}
	}
	if f.pin != "" {
		f.token = true
	}
	f.key = sc.key(r, &v, &l)
	sc.found = append(sc.found, f)
}

// zoomPage notes a link to Zoom, whatever its path.
func (sc *scratch) zoomPage(path string) {
	sc.zoom = true
	path = path[:min(len(path), len("/webinar/register/"))]
	sc.registers = sc.registers || strings.Contains(path, "/register")
}

// taken returns a link that was taken out of another one. It ends where a link in
// a text would, and has no entities either.
func (sc *scratch) taken(uri string) string {
	if !plainLink(uri) {
		uri, _ = sc.extract(uri, 0, false)
	}
	return uri
}

// plainLink reports whether a link has nothing in it that ends one in a text.
func plainLink(uri string) bool {
	for i := urlRun(uri); i < len(uri); i += 1 + urlRun(uri[i+1:]) {
		if uri[i] != '&' || strings.HasPrefix(uri[i:], "&amp;") || strings.HasPrefix(uri[i:], "&#") {
			return false
		}
	}
	return true
}

// pexip is "pexip://<alias>@<domain>", which VMR scheduling puts into invites:
// the alias to dial.
func (sc *scratch) pexip(uri string, field Field, span Span) {
	alias := strings.TrimRight(uri[len("pexip://"):], "/")
	user, host, ok := strings.Cut(alias, "@")
	if !ok || user == "" || !validHost(host) {
		return
	}
	for i := 0; i < len(user); i++ {
		if !userByte[user[i]] {
			return
		}
	}
	sc.found = append(sc.found, found{kind: isDial, field: field, span: span, scheme: SIP, raw: uri,
		uri: sc.a.join("sip:", alias), host: host, id: user, room: user, key: "pexip", group: -1})
}

// key says which meeting a link is for: two links of one service with the same
// key are the same meeting.
func (sc *scratch) key(r *linkRule, v *vars, l *link) string {
	a := &sc.a
	n := len(a.b)
	for i := range v.n {
		switch v.names[i] {
		case "pin", "site", "secret":
			continue
		}
		if len(a.b) > n {
			a.b = append(a.b, '/')
		}
		a.b = append(a.b, v.values[i]...)
	}
	if v.get("id") == "" && v.get("thread") == "" || len(r.Hosts) > 0 && r.Hosts[0] == "*" {
		a.b = append(a.b, '@')
		a.b = append(a.b, l.host...)
	}
	return a.unescape(a.since(n))
}

// gateway undoes the rewriting of a link, whose host has the entries hosts.
func (sc *scratch) gateway(hosts []hostRule, uri string, l link) (string, *gateway) {
	for i := range hosts {
		h := &hosts[i]
		if h.gateway == 0 || !hostMatches(l.host, h.pattern) {
			continue
		}
		g := &gateways[h.gateway-1]
		target, mine := g.decode(&sc.a, uri, l)
		if !mine {
			return "", nil
		}
		return sc.a.target(target, len(uri)), g
	}
	return "", nil
}

// webScheme turns the addresses that start an app into the web links that they
// stand for.
func (sc *scratch) webScheme(uri string) string {
	i := strings.IndexByte(uri, ':')
	if i < 0 {
		return uri
	}
	scheme, rest := uri[:i], strings.TrimLeft(uri[i+1:], "/")
	switch {
	case fold(scheme, "msteams"):
		if hasPrefixFold(rest, "teams.") {
			return sc.a.join("https://", rest)
		}
		return sc.a.join("https://teams.microsoft.com/", rest)
	case fold(scheme, "zoommtg"), fold(scheme, "zoomus"):
		l, ok := cut(uri)
		if !ok {
			return uri
		}
		id, ok := param(l.query, "confno")
		if !ok || !isDigits(id) {
			return uri
		}
		if pwd, ok := param(l.query, "pwd"); ok && pwd != "" {
			return sc.a.join("https://", l.host, "/j/", id, "?pwd=", pwd)
		}
		return sc.a.join("https://", l.host, "/j/", id)
	}
	return uri
}

// launcher returns the join link that a page which only starts an app has in
// it, or "".
func (sc *scratch) launcher(l *link) string {
	a := &sc.a
	begins := false
	for _, p := range launcherPaths {
		begins = begins || len(l.path) > 1 && lower(l.path[1]) == p[1] && hasPrefixFold(l.path, p)
	}
	switch {
	case !begins || !hostIn(l.host, teamsLaunchHosts):
		return ""
	case hasPrefixFold(l.path, "/dl/launcher/"):
		u, ok := param(l.query, "url")
		if !ok {
			return ""
		}
		u = a.unescape(u)
		if hasPrefixFold(u, "https://") {
			return u
		}
		u = strings.TrimPrefix(strings.TrimPrefix(u, "/_#"), "/_?#")
		return a.join("https://", l.host, u)
	case l.path == "/_" || l.path == "/_/":
		if strings.HasPrefix(l.frag, "/l/meetup-join/") || strings.HasPrefix(l.frag, "/meet/") {
			return a.join("https://", l.host, l.frag)
		}
	case l.path == "/v2/" || l.path == "/v2":
		if strings.HasPrefix(l.frag, "/l/meetup-join/") || strings.HasPrefix(l.frag, "/meet/") {
			return a.join("https://", l.host, l.frag)
		}
	case hasPrefixFold(l.path, "/light-meetings/launch"):
		coords, ok := param(l.query, "coords")
		if !ok {
			return ""
		}
		text, ok := a.base64(a.unescape(coords))
		if !ok {
			return ""
		}
		thread, tenant, organizer := jsonField(text, "conversationId"), jsonField(text, "tenantId"), jsonField(text, "organizerId")
		message := jsonField(text, "messageId")
		if thread == "" || tenant == "" {
			return ""
		}
		if message == "" {
			message = "0"
		}
		n := len(a.b)
		for i := 0; i < len(thread); i++ {
			switch thread[i] {
			case ':':
				a.b = append(a.b, "%3a"...)
			case '@':
				a.b = append(a.b, "%40"...)
			default:
				a.b = append(a.b, thread[i])
			}
		}
		escaped := a.since(n)
		return a.join("https://", l.host, "/l/meetup-join/", escaped, "/", message,
			"?context=%7b%22Tid%22%3a%22", tenant, "%22%2c%22Oid%22%3a%22", organizer, "%22%7d")
	}
	return ""
}

// launcherPaths are what the paths of those pages begin with.
var launcherPaths = [...]string{"/dl/launcher/", "/_", "/v2", "/light-meetings/launch"}

var teamsLaunchHosts = append([]string{"teams.live.com"}, teamsHosts...)

// jsonField returns a string value of a flat JSON object. Values with escapes
// are none: ids have no signs that need them.
func jsonField(text, name string) string {
	for i := 0; ; {
		j := strings.Index(text[i:], name)
		if j < 0 {
			return ""
		}
		i += j + len(name)
		rest := text[i:]
		if i <= len(name) || text[i-len(name)-1] != '"' || !strings.HasPrefix(rest, `"`) {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \n\r\t")
		if !strings.HasPrefix(rest, ":") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \n\r\t")
		if !strings.HasPrefix(rest, `"`) {
			return ""
		}
		end := strings.IndexAny(rest[1:], `"\`)
		if end < 0 || rest[1+end] == '\\' {
			return ""
		}
		v := rest[1 : 1+end]
		if strings.ContainsAny(v, " <>\n") {
			return ""
		}
		return v
	}
}

// canonical writes scheme and host in lower case and takes the root dot off.
// The rest is kept as it stands.
func (sc *scratch) canonical(uri string, l *link) string {
	a := &sc.a
	end := len(uri) - len(l.rest)
	head := uri[:end]
	same := true
	for i := range len(head) {
		if c := head[i]; 'A' <= c && c <= 'Z' {
			same = false
			break
		}
	}
	dot := len(l.scheme) + 3 + len(l.host)
	if dot < len(head) && head[dot] == '.' {
		same = false
	}
	if same {
		return uri
	}
	n := len(a.b)
	for i := 0; i < len(head); i++ {
		if i == dot && head[i] == '.' {
			continue
		}
		a.b = append(a.b, lower(head[i]))
	}
	a.b = append(a.b, l.rest...)
	return a.since(n)
}

// cviPath reports whether a path may be that of a page with instructions for a
// Teams block.
func cviPath(path string) bool {
	if len(path) < len("/teams") {
		return false
	}
	switch path[1] {
	case 't', 'T':
		return hasPrefixFold(path, "/teams")
	case 'm', 'M':
		return hasPrefixFold(path, "/msteams")
	}
	return false
}

// cvi recognizes the page with dial instructions that a Teams block links to,
// whichever host it is on: its query has all that is needed to dial.
func (sc *scratch) cvi(l *link, f *found) bool {
	if !cviPath(l.path) {
		return false
	}
	a := &sc.a
	get := func(name string) string {
		v, _ := param(l.query, name)
		return a.unescape(v)
	}
	var conf string
	switch {
	case fold(l.host, "pexip.me") && hasPrefixFold(l.path, "/teams/"):
		// pexip.me/teams/<domain>/<conf>
		domain, id, ok := strings.Cut(strings.Trim(l.path[len("/teams/"):], "/"), "/")
		if !ok || !isDigits(id) || !validHost(domain) {
			return false
		}
		conf = id
		f.uri, f.h323 = a.join("sip:", id, "@", domain), ""
		f.host = domain
	case hasPrefixFold(l.path, "/msteams"):
		conf = get("confid")
		key, domain := get("tenantkey"), get("domain")
		if !isDigits(conf) || !word(key) || !validHost(domain) || !under(l.host, "webex.com") {
			return false
		}
		f.uri, f.h323 = a.join("sip:", conf, ".", key, "@", domain), ""
		f.host = domain
	case get("d") != "":
		conf = get("conf")
		domain, prefix, ip := get("d"), get("prefix"), get("ip")
		if !isDigits(conf) || !validHost(domain) || prefix != "" && !word(prefix) {
			return false
		}
		f.uri, f.host = a.join("sip:", prefix, conf, "@", domain), domain
		if validHost(ip) {
			f.h323 = a.join("h323:", conf, "@", ip)
		}
	default:
		conf = get("conf")
		key, domain := get("key"), get("domain")
		if domain == "" && under(l.host, "plcm.vc") {
			domain = "t.plcm.vc"
		}
		if !isDigits(conf) || !word(key) || !validHost(domain) {
			return false
		}
		f.host = domain
		f.uri = a.join("sip:", key, ".", conf, "@", domain)
		if fold(domain, "t.plcm.vc") {
			f.h323 = a.join("h323:", key, ".", conf, "@", domain)
		}
	}
	f.kind, f.id, f.scheme = isCVI, conf, SIP
	return true
}

// validHost reports whether s can be the host of a dial address.
func validHost(s string) bool {
	if len(s) < 3 || strings.IndexByte(s, '.') < 1 || !hostLabels(s) {
		return false
	}
	return hostWidth(s) == len(s)
}

// hostLabels reports whether the dots of a host stand between labels that have 1 to
// 63 bytes, 253 in all, and have no hyphen at either end (RFC 1123, section 2.1).
func hostLabels(s string) bool {
	if len(s) > 253 {
		return false
	}
	for start, i := 0, 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			continue
		}
		if n := i - start; n == 0 || n > 63 || s[start] == '-' || s[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// word reports whether s can be a part of a dial address's user.
func word(s string) bool {
	for i := range len(s) {
		if !hostByte[s[i]] && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) < 128
}

// onPremHost reports whether a host may be that of a Skype for Business Server,
// whose simple URLs are https://meet.example.com/<user>/<id>.
func onPremHost(host string) bool {
	return len(host) > 5 && host[4] == '.' && (fold(host[:4], "meet") || fold(host[:4], "join") || fold(host[:4], "lync"))
}

var onPremPaths = [...]*pattern{newPattern("/{user:name}/{id:upper}"), newPattern("/meet/{user:name}/{id:upper}"), newPattern("/{tenant:name}/{user:name}/{id:upper}")}

// onPremMatch is for links to such a host. The id is of capitals and digits,
// both, so that a page of a web site is not taken for a meeting.
func onPremMatch(l *link, v *vars) bool {
	if !onPremHost(l.host) || !v.match(onPremPaths[0], l) && !v.match(onPremPaths[1], l) && !v.match(onPremPaths[2], l) {
		return false
	}
	id := v.get("id")
	return len(id) >= 6 && len(id) <= 12 && strings.ContainsAny(id, "0123456789") && strings.ContainsAny(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
