package rules

import (
	"net/url"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// group is one meeting: every link and address that was found for it.
type group struct {
	best    int // index in found of what says where it was found
	link    int // index in found of the join link; -1 for none
	rule    *linkRule
	service string
	name    string // the rule's name
	key     string
	id      string
	pass    string
	pin     string
	ip      string
	rank    int
	order   int // of the field and the position in it
	meet    bool
	rebuilt string // a join link made from the text
	told    bool   // the text has its number, after a label
	named   bool   // the text has its passcode, after a label
	signed  bool   // its links are in a signature
}

// rankOf returns the rank of a field. Between it and that of the next field
// there is room: in the body links in a signature come after others, and bare
// addresses after those; a link that Google added by itself comes after the
// location.
func rankOf(f Field) int { return int(f) * rankStep }

const rankStep = 4

// gather makes meetings of what was found in an event.
func (sc *scratch) gather(e *Engine) {
	sc.groups = sc.groups[:0]
	for i := range sc.found {
		f := &sc.found[i]
		if f.kind == isLink {
			sc.addLink(i)
		}
	}
	sc.sameTeams()
	sc.afterSignatures()
	for i := range sc.found {
		if sc.found[i].kind == isCVI {
			sc.addCVI(i)
		}
	}
	for i := range sc.found {
		if k := sc.found[i].kind; k == isDial || k == isWeak {
			sc.addDial(i)
		}
	}
	sc.applyLabels()
	sc.googleMeet(e)
	slices.SortStableFunc(sc.groups, func(a, b group) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return a.order - b.order
	})
}

func (sc *scratch) addLink(i int) {
	f := &sc.found[i]
	for g := range sc.groups {
		x := &sc.groups[g]
		if x.service != f.rule.Service || !fold(x.key, f.key) {
			continue
		}
		f.group = g
		old := &sc.found[x.link]
		if f.token && !old.token {
			x.link, x.rule, x.name = i, f.rule, f.rule.Name
		}
		if better := rankOf(f.field) < x.rank; better {
			x.rank, x.best, x.order = rankOf(f.field), i, i
		}
		// The text that Google adds has the link too: only somebody's own
		// location or data say that it was wanted.
		if f.field <= FieldLocation && !googleMade(f.source) {
			x.meet = false
		}
		if f.pin != "" {
			x.pin = f.pin
		}
		return
	}
	f.group = len(sc.groups)
	sc.groups = append(sc.groups, group{
		best: i, link: i, rule: f.rule, service: f.rule.Service, name: f.rule.Name, key: f.key,
		id: f.id, pin: f.pin, pass: f.pin, rank: rankOf(f.field), order: i,
		meet: googleMade(f.source),
	})
}

// sameTeams joins a classic Teams link and a short one of the same field: an
// invite that has both has them for one meeting.
func (sc *scratch) sameTeams() {
	for a := range sc.groups {
		x := &sc.groups[a]
		if x.service != "teams" || x.id != "" || x.link < 0 {
			continue
		}
		for b := range sc.groups {
			y := &sc.groups[b]
			if b == a || y.service != "teams" || y.id == "" || y.link < 0 || sc.shares(b, a) || sc.others(a, b) {
				continue
			}
			fx, fy := &sc.found[x.link], &sc.found[y.link]
			if fx.field != fy.field && !(fx.field <= FieldLocation && fy.field >= FieldBody) {
				continue
			}
			x.id = y.id
			for i := range sc.found {
				if sc.found[i].group == b {
					sc.found[i].group = a
				}
			}
			y.service, y.link = "", -1
			break
		}
	}
	for g := len(sc.groups) - 1; g >= 0; g-- {
		if sc.groups[g].service != "" {
			continue
		}
		sc.groups = slices.Delete(sc.groups, g, g+1)
		for i := range sc.found {
			if sc.found[i].group > g {
				sc.found[i].group--
			}
		}
	}
}

// shares reports whether two meetings have a link of the same kind.
func (sc *scratch) shares(a, b int) bool { return (sc.groups[a].id == "") == (sc.groups[b].id == "") }

// others reports whether there is a third Teams meeting, so that nobody can say
// which two are the same.
func (sc *scratch) others(a, b int) bool {
	for g := range sc.groups {
		if g != a && g != b && sc.groups[g].service == "teams" {
			return true
		}
	}
	return false
}

// near returns the meeting that something at an offset of a field belongs to:
// the last one that begins before it, else the first after it, else the best of
// another field. Only those that ok accepts count; -1 is none.
func (sc *scratch) near(field Field, source string, pos int, ok func(*group) bool) int {
	before, after := -1, -1
	for i := range sc.found {
		f := &sc.found[i]
		if f.group < 0 || f.group >= len(sc.groups) || !ok(&sc.groups[f.group]) || !sameField(f.field, field) || f.span.Source != source {
			continue
		}
		if f.span.Start <= pos {
			before = f.group
		} else if after < 0 {
			after = f.group
		}
	}
	if before >= 0 {
		return before
	}
	if after >= 0 {
		return after
	}
	for g := range sc.groups {
		if ok(&sc.groups[g]) && !sameField(sc.found[sc.groups[g].best].field, field) {
			return g
		}
	}
	return -1
}

// sameField takes the quoted part of a body for the body.
func sameField(a, b Field) bool { return a == b || a >= FieldBody && b >= FieldBody }

func (sc *scratch) addCVI(i int) {
	f := &sc.found[i]
	if f.id == "" {
		return // the tenant's address; the conference id is in the text, or lost
	}
	g := sc.near(f.field, f.span.Source, f.span.Start, func(g *group) bool { return g.service == "teams" })
	if g < 0 {
		g = len(sc.groups)
		sc.groups = append(sc.groups, group{best: i, link: -1, service: "teams", name: "teams-video", rank: rankOf(f.field), order: i})
	}
	f.group = g
}

func (sc *scratch) addDial(i int) {
	f := &sc.found[i]
	service := dialService(f)
	pos, source := f.span.Start, f.span.Source
	// The address of a known service goes to that service's meeting, one with
	// the same number before all.
	for g := range sc.groups {
		x := &sc.groups[g]
		if f.id != "" && x.id != "" && f.id == x.id && (service == "" || service == x.service) {
			f.group = g
			if f.pin != "" && x.pin == "" {
				x.pin = f.pin
			}
			return
		}
	}
	if f.kind == isWeak {
		return
	}
	if service != "" && service != "pexip" {
		g := sc.near(f.field, source, pos, func(g *group) bool {
			return g.service == service && (g.id == "" || f.id == "" || g.id == f.id || !isDigits(f.id))
		})
		if g >= 0 {
			f.group = g
			if x := &sc.groups[g]; x.id == "" && isDigits(f.id) {
				x.id = f.id
			}
			return
		}
	}
	// An address without a known service is one more way into the meeting whose
	// block it stands in. In text one at an unknown host has to look like a
	// conference, and the service must have no addresses of its own: people have
	// addresses in their signatures, and a room must not ring one of them.
	bridge := service == "pexip" && f.key == ""
	if (bridge || service == "" && (f.told || numbered(f.uri))) && f.field >= FieldBody || (bridge || service == "") && f.field == FieldLink {
		g := sc.near(f.field, source, pos, func(g *group) bool {
			return g.link >= 0 && (bridge || f.field == FieldLink || g.rule == nil || len(g.rule.Dial) == 0 || g.service == "pexip" && strings.Contains(f.uri, "##"))
		})
		if g >= 0 && sameField(sc.found[sc.groups[g].best].field, f.field) || g >= 0 && len(sc.groups) == 1 {
			f.group = g
			return
		}
	}
	if service == "" && f.field >= FieldBody && sc.private(f) {
		return
	}
	name := "address"
	if service == "" {
		service = "sip"
	}
	for g := range sc.groups {
		x := &sc.groups[g]
		if x.link < 0 && x.service == service && (x.id == f.id && f.id != "" || sameField(sc.found[x.best].field, f.field) && adjacent(&sc.found[x.best], f)) {
			f.group = g
			return
		}
	}
	f.group = len(sc.groups)
	id := f.id
	if service == "sip" {
		id = f.room
	}
	rank := rankOf(f.field)
	if service == "sip" && f.field >= FieldBody {
		rank += rankStep - 1 // the last resort of its field: what has a link is a meeting for sure
	}
	sc.groups = append(sc.groups, group{best: i, link: -1, service: service, name: name, id: id, pin: f.pin, pass: f.pin, rank: rank, order: i})
}

// numbered reports whether the user part of an address has three digits or
// more, as those of conferences do.
func numbered(uri string) bool {
	user, _, _ := strings.Cut(uri, "@")
	n := 0
	for i := range len(user) {
		if user[i] >= '0' && user[i] <= '9' {
			n++
		}
	}
	return n >= 3
}

// adjacent reports whether two addresses without a service stand close to each
// other and name the same conference.
func adjacent(a, b *found) bool {
	return b.span.Start-a.span.End < 200 && (a.room == b.room || strings.HasPrefix(a.room, b.id) && b.id != "" || a.host == b.host && a.room == b.room)
}

// dialService names the service that an address's host belongs to.
func dialService(f *found) string {
	if f.key == "pexip" {
		return "pexip"
	}
	for i := range dialHosts {
		if hostMatches(f.host, dialHosts[i].host) {
			return dialHosts[i].service
		}
	}
	return ""
}

// googleMade reports whether a link's source is one that Google fills by itself.
func googleMade(source string) bool {
	return source == calendar.SourceGoogleMeet || source == "X-GOOGLE-CONFERENCE"
}

// googleMeet puts a Meet link that Google added by itself behind the meeting of
// another service that somebody chose.
func (sc *scratch) googleMeet(e *Engine) {
	if e.googleMeet == GoogleMeetFirst {
		return
	}
	for g := range sc.groups {
		if !sc.groups[g].meet {
			continue
		}
		switch e.googleMeet {
		case GoogleMeetLast:
			sc.groups[g].rank = rankOf(FieldQuoted) + rankStep
		default:
			sc.groups[g].rank = rankOf(FieldLocation) + 1
		}
	}
}

// emit writes the meetings to dst.
func (sc *scratch) emit(dst []Match) []Match {
	for g := range sc.groups {
		dst = sc.emitGroup(dst, &sc.groups[g])
	}
	return dst
}

// emitGroup writes one meeting. Its strings are copied into memory that belongs
// to the match, so that they outlive the scratch.
func (sc *scratch) emitGroup(dst []Match, g *group) []Match {
	n := len(dst)
	if n < cap(dst) {
		dst = dst[:n+1]
	} else {
		dst = append(dst, Match{})
	}
	m := &dst[n]
	slots, mem := memory(m.Addresses)
	f := &sc.found[g.best]
	list := sc.addrs[:0]
	list = sc.addresses(list, g)
	sc.addrs = list
	id := g.id
	if id == "" && g.link >= 0 {
		if id = sc.found[g.link].room; id == "" && g.service != "teams" && !strings.Contains(g.key, "@") {
			id = g.key
		}
	}
	// The room types the numeric one, where there are two.
	pass := g.pass
	if pass == "" || g.service == "webex" && g.pin != "" {
		pass = g.pin
	}
	total := len(id) + len(pass)
	for _, a := range list {
		total += len(a.URI)
	}
	if cap(mem) < total {
		mem = make([]byte, 0, total+64)
	}
	mem = mem[:0]
	keep := func(s string) string {
		k := len(mem)
		mem = append(mem, s...)
		return (&arena{mem}).since(k)
	}
	*m = Match{Service: g.service, Rule: g.name, Field: f.field, Span: f.span, MeetingID: keep(id), Passcode: calendar.Secret(keep(pass))}
	if len(slots) <= len(list) {
		slots = make([]Address, len(list)+3)
	}
	for i, a := range list {
		slots[i] = Address{a.Scheme, keep(a.URI)}
	}
	m.Addresses = remember(slots, len(list), mem)
	return dst
}

// addresses lists the ways to join a meeting, the best first.
func (sc *scratch) addresses(list []Address, g *group) []Address {
	add := func(scheme Scheme, uri string) {
		for _, a := range list {
			if a.URI == uri {
				return
			}
		}
		if uri != "" && len(list) < 16 {
			list = append(list, Address{scheme, uri})
		}
	}
	host := ""
	if g.link >= 0 {
		add(HTTPS, sc.found[g.link].uri)
		host = sc.found[g.link].host
	} else if g.rebuilt != "" {
		add(HTTPS, g.rebuilt)
	}
	index := sc.groupIndex(g)
	alias := g.id
	if alias != "" && host != "" && !strings.Contains(alias, "@") {
		alias = sc.a.join(alias, "@", host)
	}
	for i := range sc.found {
		if f := &sc.found[i]; f.kind == isCVI && f.group == index && f.id != "" {
			add(SIP, f.uri)
			add(H323, f.h323)
		}
	}
	value := func(name string) string {
		switch name {
		case "id":
			if isDigits(g.id) || g.service != "webex" {
				return g.id
			}
			return ""
		case "pin":
			return g.pin
		case "ip":
			return g.ip
		case "room":
			if g.link >= 0 {
				return sc.found[g.link].room
			}
			return ""
		case "host":
			return host
		case "site":
			s, _, _ := strings.Cut(host, ".")
			return s
		case "alias":
			return alias
		}
		// A name of the rule's own: the link is taken apart once more.
		if g.link >= 0 {
			var v vars
			if l, ok := cut(sc.found[g.link].uri); ok && g.rule.match(&l, &v) {
				// Not into the arena: the address is being written there.
				if text, err := url.PathUnescape(v.get(name)); err == nil {
					return text
				}
			}
		}
		return ""
	}
	dial := func(withPIN bool) {
		if g.rule == nil {
			return
		}
		for _, d := range g.rule.Dial {
			if strings.Contains(d, "{pin}") != withPIN {
				continue
			}
			if u, ok := sc.a.expand(d, value); ok {
				add(schemeOf(u), u)
			}
		}
	}
	dial(true)
	for i := range sc.found {
		if f := &sc.found[i]; (f.kind == isDial || f.kind == isWeak) && f.group == index {
			add(f.scheme, f.uri)
		}
	}
	dial(false)
	return list
}

// groupIndex returns the number under which found things know the group: sorting
// has moved it, so it is that of what it was found by.
func (sc *scratch) groupIndex(g *group) int { return sc.found[g.best].group }

// schemeOf returns the scheme of an address.
func schemeOf(uri string) Scheme {
	i := strings.IndexByte(uri, ':')
	if i < 0 {
		return SchemeNone
	}
	switch s := uri[:i]; {
	case fold(s, "https"), fold(s, "http"):
		return HTTPS
	case fold(s, "sip"):
		return SIP
	case fold(s, "sips"):
		return SIPS
	case fold(s, "h323"):
		return H323
	case fold(s, "tel"):
		return TEL
	}
	return SchemeNone
}
