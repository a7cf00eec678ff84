package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// The limits of a rule's texts, in bytes. They are Pexip Infinity's.
const (
	maxName      = 250
	maxTransform = 512
	maxMatch     = 250
	maxTemplate  = 10240
	maxDomain    = 255
	maxCompanyID = 36
	maxPriority  = 200

	// maxAlias is how long an address may be that a rule makes.
	maxAlias = 1024
)

// problem is something wrong with a rule, or only odd.
type problem struct {
	field  string // the member's name in rule files; "" for the whole rule
	offset int    // bytes into the member's string
	msg    string
	warn   bool
}

// adminRule is a compiled rule of one of the administrator's types.
type adminRule struct {
	info      *adminType
	name      string
	missing   string // what to say where there is no meeting for the rule
	service   string
	domain    string
	companyID string
	pin       bool
	own       []string
	services  []string
	fields    []Field
	template  *jinja.Template
	re        *rebound.Regexp
	repl      *rebound.Replacement
	slots     []variable
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// dialHost returns the host of the address that a room device dials.
func dialHost(m *Match) (host string, ok bool) {
	_, host, ok = strings.Cut(dialOf(m), "@")
	host, _, _ = strings.Cut(host, ";") // parameters
	host, _, _ = strings.Cut(host, ":") // port
	return host, ok
}

// findContext has the variables of one evaluation of a rule.
type findContext struct {
	v       *view
	rule    *adminRule
	meeting *Match
	alias   string
	out     []byte
}

// Var returns the value of a variable; it implements jinja.Vars.
func (x *findContext) Var(slot int) jinja.Value { return x.rule.slots[slot].value(x) }

func (x *findContext) internal() bool { return atDomain(x.v.event.Organizer.Email, x.rule.own) }

// atDomain reports whether a mail address is at one of the domains or below it.
func atDomain(email string, domains []string) bool {
	at := strings.LastIndexByte(email, '@')
	return at >= 0 && slices.ContainsFunc(domains, func(d string) bool { return under(email[at+1:], strings.TrimPrefix(d, "@")) })
}

var contexts = sync.Pool{New: func() any { return new(findContext) }}

// find looks for the rule's meeting; see compiled.
func (a *adminRule) find(v *view) (Match, string, bool) {
	x := contexts.Get().(*findContext)
	x.v, x.rule = v, a
	defer func() {
		*x = findContext{out: x.out[:0]}
		contexts.Put(x)
	}()
	switch {
	case a.re != nil:
		return x.findRegex()
	case a.info.typ == TypeCustom:
		return x.findCustom()
	case a.info.typ == TypeDomain:
		return x.findDomain()
	}
	return x.findService()
}

// findService takes the first meeting of the type's services whose transform
// gives an address.
func (x *findContext) findService() (Match, string, bool) {
	a := x.rule
	why := a.missing
	for i := range x.v.meetings() {
		m := &x.v.meetings()[i]
		switch {
		case !slices.Contains(a.info.services, m.Service):
			continue
		case len(a.services) > 0 && !slices.Contains(a.services, m.Service):
			why = "the service is not one of the rule's"
			continue
		case len(a.fields) > 0 && !slices.Contains(a.fields, m.Field):
			why = "found in " + m.Field.String() + ", which is not one of the rule's fields"
			continue
		}
		if w := a.wrongDial(m); w != "" {
			why = w
			continue
		}
		x.meeting = m
		alias, w := x.render()
		if w != "" {
			why = w
			continue
		}
		addr, w := toAddress(alias)
		if w != "" {
			why = w
			continue
		}
		if a.pin {
			addr = withPIN(addr, string(m.Passcode))
		}
		return x.taken(m, addr), "", true
	}
	return Match{}, why, false
}

// wrongDial says why a meeting is not one of a type that goes by the host of
// the dial address.
func (a *adminRule) wrongDial(m *Match) string {
	if a.info.onDial == nil && a.info.notDial == nil {
		return ""
	}
	host, ok := dialHost(m)
	switch {
	case !ok:
		return "no address for video devices in the invite"
	case a.domain != "" && !hostIn(host, []string{a.domain}):
		return "the address for video devices is at " + host + ", not at the rule's domain"
	case a.domain == "" && (a.info.onDial != nil && !hostIn(host, a.info.onDial) || hostIn(host, a.info.notDial)):
		return "the address for video devices is at " + host + ", which another type is for"
	}
	return ""
}

// render runs the template. The result is valid up to the next time; toAddress
// copies it.
func (x *findContext) render() (alias, why string) {
	out, err := x.rule.template.Append(x.out[:0], x, x.v.regexps())
	switch {
	case errors.Is(err, jinja.ErrNotApplied):
		return "", "the template was not applied: pex_require_min_length is not met"
	case err != nil:
		return "", err.Error()
	}
	x.out = out
	alias = strings.TrimSpace((&arena{out}).since(0))
	if alias == "" {
		return "", "the template gives no address"
	}
	return alias, ""
}

// toAddress makes an address, in memory of its own, of what a rule yields. An
// alias without a scheme
// is a SIP address, or an H.323 one if it has ## in it.
func toAddress(alias string) (Address, string) {
	if len(alias) > maxAlias {
		return Address{}, fmt.Sprintf("the address is longer than %d bytes", maxAlias)
	}
	if strings.ContainsFunc(alias, func(c rune) bool {
		return c <= ' ' || c == 0x7f || c == utf8.RuneError || strings.ContainsRune(`<>"{}`, c)
	}) {
		return Address{}, "the address has a space or another character that no address has"
	}
	scheme, rest, ok := strings.Cut(alias, ":")
	if ok {
		for s := HTTPS; s <= TEL; s++ {
			if !strings.EqualFold(scheme, s.String()) {
				continue
			}
			if strings.Trim(rest, "/@#") == "" {
				return Address{}, "the address is empty behind its scheme"
			}
			return Address{Scheme: s, URI: s.String() + ":" + rest}, ""
		}
		if strings.HasPrefix(rest, "//") || !strings.ContainsAny(alias, ".@") {
			return Address{}, "the address has a scheme that no device dials; use sip, sips, h323, https or tel"
		}
	}
	if strings.HasPrefix(alias, "@") || strings.HasSuffix(alias, "@") {
		return Address{}, "the address has nothing before or behind its @"
	}
	if strings.Contains(alias, "##") {
		return Address{Scheme: H323, URI: "h323:" + alias}, ""
	}
	return Address{Scheme: SIP, URI: "sip:" + alias}, ""
}

// withPIN appends a passcode to the part of an address before the @, or to an
// H.323 address with ##, the way gateways take it.
func withPIN(a Address, pin string) Address {
	if pin == "" || strings.ContainsFunc(pin, func(c rune) bool { return c <= ' ' || strings.ContainsRune("@<>\"#", c) }) {
		return a
	}
	if user, host, ok := strings.Cut(a.URI, "@"); ok {
		a.URI = user + "." + pin + "@" + host
	} else if a.Scheme == H323 && strings.Contains(a.URI, "##") {
		a.URI += "#" + pin
	}
	return a
}

// taken returns a meeting that the rule takes over, with the rule's address
// first. Links to join by stay. The other addresses to dial go, because a rule
// says where to dial; but if the rule's is one of them, those for other
// protocols stay. The result has memory of its own: the meeting's is used again.
func (x *findContext) taken(m *Match, first Address) Match {
	known := slices.Contains(m.Addresses, first)
	out := *m
	out.Rule = x.rule.name
	out.Addresses = make([]Address, 1, len(m.Addresses)+1)
	out.Addresses[0] = first
	total := len(m.MeetingID) + len(m.Passcode)
	for _, a := range m.Addresses {
		if a.Scheme != first.Scheme && (known || a.Scheme == HTTPS || a.Scheme == TEL) {
			out.Addresses = append(out.Addresses, a)
			total += len(a.URI)
		}
	}
	own := arena{make([]byte, 0, total)}
	out.MeetingID, out.Passcode = own.join(m.MeetingID), calendar.Secret(own.join(string(m.Passcode)))
	for i := range out.Addresses[1:] {
		a := &out.Addresses[1+i]
		a.URI = own.join(a.URI)
	}
	return out
}

// meetsConditions says which of the rule's conditions on service and field no
// meeting of the event meets.
func (x *findContext) meetsConditions() string {
	a := x.rule
	if len(a.services) == 0 {
		return ""
	}
	for _, m := range x.v.meetings() {
		if slices.Contains(a.services, m.Service) && (len(a.fields) == 0 || slices.Contains(a.fields, m.Field)) {
			return ""
		}
	}
	return "no meeting of the rule's services"
}

// made is the match of a rule that found an address by itself.
func (x *findContext) made(alias string, field Field, span Span) (Match, string, bool) {
	addr, why := toAddress(alias)
	if why != "" {
		return Match{}, why, false
	}
	service := x.rule.service
	if service == "" {
		service = "sip"
	}
	return Match{Service: service, Rule: x.rule.name, Field: field, Span: span, Addresses: []Address{addr}}, "", true
}

func (x *findContext) findCustom() (Match, string, bool) {
	if why := x.meetsConditions(); why != "" {
		return Match{}, why, false
	}
	alias, why := x.render()
	if why != "" {
		return Match{}, why, false
	}
	// The alias is of the whole event. If it is an address of one of the
	// event's meetings, it is that meeting's.
	addr, why := toAddress(alias)
	if why != "" {
		return Match{}, why, false
	}
	if x.rule.service == "" {
		for i := range x.v.meetings() {
			if m := &x.v.meetings()[i]; slices.Contains(m.Addresses, addr) {
				return x.taken(m, addr), "", true
			}
		}
	}
	return x.made(alias, FieldBody, Span{})
}

// place is a text of the event that rules look into.
type place struct {
	text  string
	field Field
	span  Span // of the whole text; its offsets are those of the raw field
	raw   bool // offsets in text are offsets in the field
}

// places lists the texts of the event, the best field first: links, location,
// subject, body.
func (x *findContext) places(yield func(place) bool) {
	ev := x.v.event
	want := func(f Field) bool { return len(x.rule.fields) == 0 || slices.Contains(x.rule.fields, f) }
	for i := range ev.Links {
		l := &ev.Links[i]
		f := FieldLink
		if l.Source == "URL" {
			f = FieldURL
		}
		if want(f) && !yield(place{l.URI, f, Span{Source: l.Source}, true}) {
			return
		}
	}
	if want(FieldLocation) && ev.Location != "" && !yield(place{ev.Location, FieldLocation, Span{}, true}) {
		return
	}
	if want(FieldSubject) && ev.Subject != "" && !yield(place{ev.Subject, FieldSubject, Span{}, true}) {
		return
	}
	for _, l := range x.v.links() {
		if want(l.field) && !yield(place{text: l.uri, field: l.field, span: l.span}) {
			return
		}
	}
	if want(FieldBody) || want(FieldQuoted) {
		source := "html"
		if ev.Body.HTML == "" {
			source = "plain"
		}
		if t := x.v.text(); t != "" {
			yield(place{text: t, field: FieldBody, span: Span{Source: source}})
		}
	}
}

func (p place) at(start, end int) Span {
	if p.raw {
		return Span{Source: p.span.Source, Start: start, End: end}
	}
	return p.span
}

func (x *findContext) findRegex() (Match, string, bool) {
	if why := x.meetsConditions(); why != "" {
		return Match{}, why, false
	}
	a := x.rule
	why := "the pattern matches nowhere"
	for p := range x.places {
		text := p.text[:min(len(p.text), rebound.MaxInput)]
		if err := x.v.regexps().Spend(a.re, len(text)); err != nil {
			return Match{}, err.Error(), false
		}
		loc := a.re.FindStringSubmatchIndex(text)
		if loc == nil {
			continue
		}
		x.out = a.repl.Append(x.out[:0], text, loc)
		alias := strings.TrimSpace((&arena{x.out}).since(0))
		if alias == "" {
			why = "the replacement gives no address"
			continue
		}
		m, w, ok := x.made(alias, p.field, p.at(loc[0], loc[1]))
		if ok {
			return m, "", true
		}
		why = w
	}
	return Match{}, why, false
}

// findDomain looks for user@domain.
func (x *findContext) findDomain() (Match, string, bool) {
	if why := x.meetsConditions(); why != "" {
		return Match{}, why, false
	}
	a := x.rule
	why := "no address at " + a.domain
	// A meeting that the default rules know brings its link along.
	for i := range x.v.meetings() {
		m := &x.v.meetings()[i]
		host, ok := dialHost(m)
		if !ok || !hostIn(host, []string{a.domain}) || len(a.fields) > 0 && !slices.Contains(a.fields, m.Field) {
			continue
		}
		x.meeting, x.alias = m, aliasOf(dialOf(m))
		alias, w := x.render()
		addr, w2 := toAddress(alias)
		if w != "" || w2 != "" {
			why = w + w2
			continue
		}
		out := x.taken(m, addr)
		if a.service != "" {
			out.Service = a.service
		}
		return out, "", true
	}
	for p := range x.places {
		for start, end := range addressesAt(p.text, a.domain) {
			alias := p.text[start:end]
			if strings.EqualFold(alias, x.v.event.Organizer.Email) {
				why = "the only address at " + a.domain + " is the organizer's"
				continue
			}
			x.alias = alias
			out, w := x.render()
			if w != "" {
				why = w
				continue
			}
			if m, w, ok := x.made(out, p.field, p.at(start, end)); ok {
				return m, "", true
			} else if why = w; ok {
				break
			}
		}
	}
	return Match{}, why, false
}

// addressesAt yields where user@domain is in a text.
func addressesAt(text, domain string) func(yield func(start, end int) bool) {
	return func(yield func(start, end int) bool) {
		for from := 0; ; {
			i := strings.IndexByte(text[from:], '@')
			if i < 0 {
				return
			}
			at := from + i
			from = at + 1
			end := from + len(domain)
			if end > len(text) || !strings.EqualFold(text[from:end], domain) || goesOn(text[end:]) {
				continue
			}
			start := at
			for start > 0 && isAliasByte(text[start-1]) && at-start < 256 {
				start--
			}
			for start < at && (text[start] == '.' || text[start] == '-') {
				start++
			}
			if start < at && !yield(start, end) {
				return
			}
		}
	}
}

// goesOn reports whether a host name goes on at the start of s.
func goesOn(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '.' {
		return len(s) > 1 && (isAlnum(s[1]) || s[1] >= 0x80)
	}
	return isAlnum(s[0]) || s[0] == '-' || s[0] == '_' || s[0] >= 0x80
}

func isAliasByte(c byte) bool {
	return isAlnum(c) || strings.IndexByte("-_.+~!#$*&'%", c) >= 0
}
