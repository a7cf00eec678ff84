package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// Engine applies a list of rules. It is immutable and safe for concurrent use.
type Engine struct {
	rules      []userRule  // an administrator's, in ascending priority
	links      []*linkRule // the default pack
	table      *table
	googleMeet GoogleMeet
	own        []string
	pool       sync.Pool
}

// userRule is an administrator's rule, ready to run.
type userRule struct {
	*Rule
	compiled
}

// Options change what an Engine does. The zero value is the default.
type Options struct {
	// GoogleMeet says what a Meet link is worth that Google added by itself.
	GoogleMeet GoogleMeet
	// OwnDomains are the organization's mail domains, for rules with a condition
	// on the organizer. A domain stands for those below it too.
	OwnDomains []string
	// NoDefaults leaves the default pack out.
	NoDefaults bool
}

// GoogleMeet says where a Meet link ranks that has calendar.SourceGoogleMeet:
// Google adds one to an event unasked, also where the organizer has pasted the
// link of another service.
type GoogleMeet uint8

// The policies. GoogleMeetAfterLocation is the zero value: another service as
// data or in the location wins, one in the body does not.
const (
	GoogleMeetAfterLocation GoogleMeet = iota
	GoogleMeetFirst                    // like any other structured link
	GoogleMeetLast                     // after everything else in the event
)

// New compiles rules. The rules of the default pack come after them. The error
// names the rule and says what is wrong with it.
func New(rules []Rule, opts *Options) (*Engine, error) {
	var o Options
	if opts != nil {
		o = *opts
		o.OwnDomains = slices.Clone(opts.OwnDomains)
	}
	e := &Engine{googleMeet: o.GoogleMeet, own: o.OwnDomains}
	var pack []Rule
	if !o.NoDefaults {
		pack = DefaultRules()
	}
	for i := range pack {
		r := &pack[i]
		if err := checkLink(r); err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		e.links = append(e.links, newLinkRule(r))
	}
	e.table = newTable(e.links)
	rules = slices.Clone(rules)
	seen := map[string]bool{}
	set := &rebound.Set{}
	for i := range rules {
		r := &rules[i]
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("rule %d has no name", i+1)
		case seen[r.Name]:
			return nil, fmt.Errorf("rule %q is there twice", r.Name)
		case r.Priority < 1 || r.Priority > 200:
			return nil, fmt.Errorf("rule %q: priority %d is not between 1 and 200", r.Name, r.Priority)
		}
		seen[r.Name] = true
		c, err := compile(r, &o, set)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		e.rules = append(e.rules, userRule{r, c})
	}
	slices.SortStableFunc(e.rules, func(a, b userRule) int { return a.Priority - b.Priority })
	e.pool.New = func() any { return &scratch{} }
	return e, nil
}

// Default returns an engine that has the default pack only.
func Default() *Engine { return defaultEngine() }

var defaultEngine = sync.OnceValue(func() *Engine {
	e, err := New(nil, nil)
	if err != nil {
		panic("rules: the default pack: " + err.Error()) // a test builds it
	}
	return e
})

// scratch is what one evaluation needs. Evaluations share a pool of them.
type scratch struct {
	engine     *Engine
	a          arena
	found      []found
	groups     []group
	hits       []labelHit
	addrs      []Address
	links      []foundLink
	linksRead  bool
	text       screen
	hasText    bool
	textSource string
	textField  Field // where the text is from, if not from the body
	older      int   // where the text's older message begins; -1 for not looked for
	event      *calendar.Event
	view       view // for the administrator's rules
	zoom       bool // there is a link to one of Zoom's pages
	registers  bool // one of them is where people register: the number alone opens nothing
	capped     []string
	steps      int
	tracing    bool // keep what is no meeting, for Explain
	misses     []miss
}

// cap notes that something was not looked at.
func (sc *scratch) cap(what string) {
	if !slices.Contains(sc.capped, what) {
		sc.capped = append(sc.capped, what)
	}
}

func (e *Engine) get(ev *calendar.Event) *scratch {
	sc := e.pool.Get().(*scratch)
	sc.engine, sc.event = e, ev
	return sc
}

// put gives a scratch back. It keeps no text of the event.
func (e *Engine) put(sc *scratch) {
	clear(sc.found)
	clear(sc.groups)
	clear(sc.hits)
	clear(sc.addrs)
	clear(sc.links)
	clear(sc.a.b)
	clear(sc.text.b)
	text, a := sc.text, sc.a
	text.reset()
	a.b = a.b[:0]
	*sc = scratch{view: sc.view.empty(), a: a, text: text, found: sc.found[:0], groups: sc.groups[:0], hits: sc.hits[:0], addrs: sc.addrs[:0], links: sc.links[:0], capped: sc.capped[:0]}
	if cap(a.b) <= maxScratch {
		e.pool.Put(sc)
	}
}

// read looks through the fields of an event and makes its meetings.
func (sc *scratch) read() {
	e, ev := sc.engine, sc.event
	for i := range ev.Links {
		sc.structured(&ev.Links[i])
	}
	// StarLeaf's dial string is in the CONTACT property.
	if c := ev.Properties["CONTACT"]; c != "" {
		sc.scan(e.table, c, false, FieldLink, "CONTACT")
	}
	sc.scan(e.table, ev.Location, false, FieldLocation, "")
	if ev.Location == "" { // Exchange has it once more, and clients that drop one keep the other
		sc.scan(e.table, ev.Properties["X-MICROSOFT-LOCATIONDISPLAYNAME"], false, FieldLocation, "X-MICROSOFT-LOCATIONDISPLAYNAME")
	}
	sc.scan(e.table, ev.Subject, false, FieldSubject, "")
	if !sc.body(ev.Body.HTML, true, "html") && ev.Body.Plain != "" {
		sc.body(ev.Body.Plain, false, "plain")
	}
	if len(sc.found) > 0 || len(sc.hits) > 0 {
		sc.gather(e)
	}
	// "Zoom Meeting ID: 812 3456 7890" may be all that there is, in the location.
	if len(sc.groups) == 0 && mentions(ev.Location) {
		sc.textSource, sc.textField = "", FieldLocation
		sc.readText(ev.Location, false)
		sc.gather(e)
		sc.hasText = false // the body's text is another
	}
}

// body reads one form of the body, and reports whether it has an address.
func (sc *scratch) body(s string, html bool, source string) bool {
	if s == "" {
		return false
	}
	before := len(sc.found)
	sc.scan(sc.engine.table, s, html, FieldBody, source)
	if len(sc.found) == 0 && !sc.zoom && !mentions(s) {
		return false
	}
	sc.textSource = source
	sc.readText(s, html)
	sc.dropHidden(before)
	sc.markQuoted(before)
	return len(sc.found) > before
}

// structured reads a link that the calendar holds as data.
func (sc *scratch) structured(l *calendar.Link) {
	field := FieldLink
	if l.Source == calendar.SourceURL {
		field = FieldURL
	}
	n := len(sc.found)
	// This one is for the organizer's client.
	if l.Source == "X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL" {
		return
	}
	sc.scan(sc.engine.table, l.URI, false, field, l.Source)
	for i := n; i < len(sc.found); i++ {
		f := &sc.found[i]
		f.source = l.Source
		if f.kind == isLink && f.id == "" && l.MeetingID != "" {
			f.id = sc.digits(l.MeetingID)
		}
		if l.Passcode != "" && f.kind != isOpaque {
			f.pin, f.token = string(l.Passcode), true
		}
	}
}

// mentions reports whether a text names a service whose meetings can be joined
// by number: only then is a text without a link read.
func mentions(s string) bool {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Contains(s, "Teams") || strings.Contains(s, "Zoom")
}

func (sc *scratch) readText(s string, html bool) {
	if len(s) > maxText {
		s = s[:maxText]
		sc.cap("of a body only the first 256 KB are read as text")
	}
	sc.text.render(s, html)
	sc.hasText = true
	if html {
		sc.readHashes(s)
	}
	sc.readLabels(&sc.text)
}

// readHashes looks for "192.0.2.1##123" in the text of a body of HTML, where the
// signs that colors begin with are gone. The markup itself is searched for them
// only where there is nothing else.
func (sc *scratch) readHashes(body string) {
	n := len(sc.found)
	t := &sc.text
	w := scanner{scratch: sc, s: t.String(), field: FieldBody, source: sc.textSource, unknown: -1}
	if w.hashes(); len(sc.found) == n {
		return
	}
	for i := n; i < len(sc.found); i++ {
		f := &sc.found[i]
		text := w.s[f.span.Start:f.span.End]
		from, to := t.raw(f.span.Start), t.rawEnd(f.span.End)
		if k := strings.Index(body[from:max(from, to)], text); k >= 0 {
			from, to = from+k, from+k+len(text)
		}
		f.span.Start, f.span.End = from, max(from, to)
	}
}

// dropHidden takes out what was found in a comment, a script or a style.
func (sc *scratch) dropHidden(from int) {
	if len(sc.text.hidden) == 0 {
		return
	}
	sc.found = slices.DeleteFunc(sc.found, func(f found) bool {
		return f.field == FieldBody && f.span.Source == "html" && f.span.Start < maxText && !sc.text.shows(f.span.Start)
	})
	if len(sc.found) == 0 {
		sc.hits = sc.hits[:0]
	}
}

// markQuoted gives what was found in an older message its field.
func (sc *scratch) markQuoted(from int) {
	if len(sc.found) == from {
		return
	}
	last := 0
	for i := from; i < len(sc.found); i++ {
		last = max(last, sc.found[i].span.Start)
	}
	q := sc.text.quotedFrom(last)
	for i := from; i < len(sc.found); i++ {
		f := &sc.found[i]
		if f.field == FieldBody && sc.text.older(sc.text.at(f.span.Start), f.span.Start, q) {
			f.field = FieldQuoted
		}
	}
}

// fieldOf returns the field that a label of the text is in.
func (sc *scratch) fieldOf(h *labelHit) Field {
	if sc.textField != 0 {
		return sc.textField
	}
	if sc.older < 0 {
		sc.older = sc.text.quotedFrom(sc.hits[len(sc.hits)-1].raw)
	}
	if sc.text.older(h.text, h.raw, sc.older) {
		return FieldQuoted
	}
	return FieldBody
}

// Append appends the meetings found in ev to dst, the best first, and returns
// the extended slice. A cancelled event has none. Where a rule of the
// administrator decides, its meeting is the only one.
//
// The memory of dst beyond its length is used again, including that of matches
// which were there before and of their strings: to keep a match for longer than
// dst, clone it.
func (e *Engine) Append(dst []Match, ev *calendar.Event) []Match {
	if ev.Status == calendar.Cancelled {
		return dst
	}
	sc := e.get(ev)
	sc.read()
	if m, ok := e.decide(sc, nil); ok {
		dst = append(dst, m)
	} else {
		dst = sc.emit(dst)
	}
	e.put(sc)
	return dst
}

// decide asks the administrator's rules. It reports each to told, if that is
// not nil.
func (e *Engine) decide(sc *scratch, told func(r *Rule, m Match, why string, ok bool)) (Match, bool) {
	if len(e.rules) == 0 {
		return Match{}, false
	}
	v := &sc.view
	*v = view{event: sc.event, engine: e, scratch: sc, found: v.found}
	var best Match
	decided := false
	for i := range e.rules {
		r := &e.rules[i]
		switch {
		case r.Disabled:
			if told != nil {
				told(r.Rule, Match{}, "disabled", false)
			}
			continue
		case decided:
			if told == nil {
				return best, true
			}
			told(r.Rule, Match{}, "an earlier rule decided", false)
			continue
		case !e.organizer(r.Rule, sc.event):
			if told != nil {
				told(r.Rule, Match{}, "the organizer is not "+string(r.Organizer), false)
			}
			continue
		}
		m, why, ok := r.find(v)
		if ok && len(m.Addresses) == 0 {
			ok, why = false, "no address"
		}
		if told != nil {
			told(r.Rule, m, why, ok)
		}
		if ok {
			m.Rule = r.Name
			best, decided = m, true
		}
	}
	return best, decided
}

// organizer checks a rule's condition on who organizes. An event without an
// organizer's address is neither internal nor external.
func (e *Engine) organizer(r *Rule, ev *calendar.Event) bool {
	if r.Organizer == OrganizerAny {
		return true
	}
	at := strings.LastIndexByte(ev.Organizer.Email, '@')
	if at < 0 {
		return false
	}
	internal := false
	for _, d := range e.own {
		if under(ev.Organizer.Email[at+1:], strings.TrimPrefix(d, "@")) {
			internal = true
		}
	}
	return internal == (r.Organizer == OrganizerInternal)
}

// Find returns the best match. The caller may keep it.
func (e *Engine) Find(ev *calendar.Event) (Match, bool) {
	var one [1]Match
	all := e.Append(one[:0], ev)
	if len(all) == 0 {
		return Match{}, false
	}
	return all[0].Clone(), true
}

// Why says in a few words why Append finds nothing in ev: "cancelled",
// "no address found", "rewritten by Mimecast; …". It is empty where there is
// a match, and has no passcode in it.
func (e *Engine) Why(ev *calendar.Event) string {
	if ev.Status == calendar.Cancelled {
		return "cancelled"
	}
	sc := e.get(ev)
	defer e.put(sc)
	sc.read()
	if _, ok := e.decide(sc, nil); ok || len(sc.groups) > 0 {
		return ""
	}
	return sc.why()
}

func (sc *scratch) why() string {
	why := "no address found"
	for i := range sc.found {
		if g := sc.found[i].gateway; sc.found[i].kind == isOpaque && g != "" {
			why = "rewritten by " + g + "; exempt " + sc.exempt(i) + " in its policy"
			break
		}
	}
	for _, c := range sc.capped {
		why += " (" + c + ")"
	}
	return why
}

// exempt says which links a gateway's administrator should exempt: those of the
// service that the text names.
func (sc *scratch) exempt(i int) string {
	hint := ""
	if l, ok := cut(sc.found[i].uri); ok {
		hint, _ = param(l.query, "domain")
	}
	text := sc.text.String()
	switch {
	case under(hint, "zoom.us") || hint == "" && strings.Contains(text, "Zoom"):
		return "https://*.zoom.us/"
	case under(hint, "webex.com") || hint == "" && strings.Contains(text, "Webex"):
		return "https://*.webex.com/"
	case under(hint, "meet.google.com"):
		return "https://meet.google.com/"
	}
	return "https://teams.microsoft.com/"
}
