package rules

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Trace says how an engine came to its answer for one event. Passcodes and
// tokens are hidden in it, unless it comes from WithSecrets.
type Trace struct {
	// Decided is the name of the rule whose meeting is the answer, and Why the
	// reason where there is none.
	Decided string `json:"decided,omitempty"`
	Why     string `json:"why,omitempty"`
	// Addresses are the ways to join the meeting that is the answer, best first.
	Addresses []string `json:"addresses,omitempty"`
	// Looked are the texts that were read, in order.
	Looked []Looked `json:"looked"`
	// Findings are the links and addresses that were found, in order.
	Findings []Sighting `json:"findings"`
	// Rules are all rules, in the order in which they are tried.
	Rules []Tried `json:"rules"`
	// Capped says which limits cut something off.
	Capped []string `json:"capped,omitempty"`

	addresses []Address
}

// Looked is one text that was read.
type Looked struct {
	Field  string `json:"field"`
	Source string `json:"source,omitempty"`
	Bytes  int    `json:"bytes"`
}

// Sighting is one link or address.
type Sighting struct {
	// Kind is "link", "address", "video block", "hidden" for a link whose target
	// its gateway hides, or "unknown" for a link of a known host that joins
	// nothing.
	Kind    string `json:"kind"`
	Field   string `json:"field"`
	Source  string `json:"source,omitempty"`
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Before  string `json:"before,omitempty"`  // as the event has it, where that differs
	Gateway string `json:"gateway,omitempty"` // that has rewritten it
	After   string `json:"after,omitempty"`   // unwrapped
	Service string `json:"service,omitempty"`
	Rule    string `json:"rule,omitempty"`
	// Meeting is the rank of the meeting that it belongs to, from 1; 0 is none.
	Meeting int    `json:"meeting,omitempty"`
	Note    string `json:"note,omitempty"`

	before, after string // with secrets
}

// Tried is what became of one rule.
type Tried struct {
	Rule     string `json:"rule"`
	Type     Type   `json:"type"`
	Priority int    `json:"priority,omitempty"`
	// Result is "decided", "found" for a meeting that another one beats,
	// "nothing" or "not tried".
	Result string `json:"result"`
	Why    string `json:"why"`
}

// miss is a link of a known host that no rule knows.
type miss struct {
	field Field
	span  Span
	uri   string
	why   string
}

// WithSecrets returns the trace with passcodes and tokens in the clear.
func (t Trace) WithSecrets() Trace {
	t.Findings = append([]Sighting(nil), t.Findings...)
	for i := range t.Findings {
		f := &t.Findings[i]
		f.Before, f.After = f.before, f.after
	}
	t.Addresses = nil
	for _, a := range t.addresses {
		t.Addresses = append(t.Addresses, a.URI)
	}
	return t
}

// Explain does what Append does and says how: what was looked at, what was
// found where, and what became of every rule.
func (e *Engine) Explain(ev *calendar.Event) Trace {
	t := Trace{Looked: []Looked{}, Findings: []Sighting{}, Rules: []Tried{}}
	if ev.Status == calendar.Cancelled {
		t.Why = "cancelled"
		for i := range e.rules {
			t.Rules = append(t.Rules, tried(e.rules[i].Rule, "not tried", "the meeting is cancelled"))
		}
		for _, r := range e.links {
			t.Rules = append(t.Rules, tried(r.Rule, "not tried", "the meeting is cancelled"))
		}
		return t
	}
	if all := e.Append(nil, ev); len(all) > 0 {
		t.addresses = all[0].Addresses
		for _, a := range t.addresses {
			t.Addresses = append(t.Addresses, all[0].Hide(a.String()))
		}
	}
	sc := e.get(ev)
	defer e.put(sc)
	sc.tracing = true
	sc.read()
	look := func(f Field, source, s string) {
		if s != "" {
			t.Looked = append(t.Looked, Looked{f.String(), source, len(s)})
		}
	}
	for i := range ev.Links {
		f := FieldLink
		if ev.Links[i].Source == calendar.SourceURL {
			f = FieldURL
		}
		look(f, ev.Links[i].Source, ev.Links[i].URI)
	}
	look(FieldLocation, "", ev.Location)
	look(FieldSubject, "", ev.Subject)
	look(FieldBody, "html", ev.Body.HTML)
	if ev.Body.HTML == "" || sc.textSource == "plain" {
		look(FieldBody, "plain", ev.Body.Plain)
	}
	userDecided := false
	var taken Match
	e.decide(sc, func(r *Rule, m Match, why string, ok bool) {
		result := "nothing"
		switch {
		case ok && !userDecided:
			userDecided, taken = true, m
			t.Decided, result, why = r.Name, "decided", "found "+m.Service+" in "+m.Field.String()
		case userDecided || r.Disabled:
			result = "not tried"
		}
		t.Rules = append(t.Rules, tried(r, result, strings.Clone(why)))
	})
	t.findings(sc, taken)
	e.pack(sc, &t, userDecided)
	t.Capped = append(t.Capped, sc.capped...)
	if t.Decided == "" {
		t.Why = strings.Clone(sc.why())
	}
	return t
}

func tried(r *Rule, result, why string) Tried {
	return Tried{Rule: r.Name, Type: r.Type, Priority: r.Priority, Result: result, Why: why}
}

// pack adds the rules of the default pack to the trace.
func (e *Engine) pack(sc *scratch, t *Trace, decided bool) {
	for _, r := range e.links {
		rank := -1
		for g := len(sc.groups) - 1; g >= 0; g-- {
			if sc.groups[g].rule == r {
				rank = g
			}
		}
		switch {
		case rank < 0:
			why := "no link to its hosts"
			for i := range sc.misses {
				m := &sc.misses[i]
				if l, ok := cut(m.uri); ok && r.Hosts[0] != "*" && hostIn(l.host, r.Hosts) {
					why = "a link to " + strings.Clone(l.host) + " in " + m.field.String() + ", but its path joins nothing"
				}
			}
			t.Rules = append(t.Rules, tried(r.Rule, "nothing", why))
		case decided:
			t.Rules = append(t.Rules, tried(r.Rule, "found", "an administrator's rule decided before"))
		case rank == 0:
			t.Decided = r.Name
			t.Rules = append(t.Rules, tried(r.Rule, "decided", "the best meeting: in "+sc.found[sc.groups[0].best].field.String()))
		default:
			t.Rules = append(t.Rules, tried(r.Rule, "found", sc.beaten(rank)))
		}
	}
	if t.Decided == "" && len(sc.groups) > 0 {
		t.Decided = sc.groups[0].name
	}
}

// beaten says why a meeting is not the first.
func (sc *scratch) beaten(rank int) string {
	g, w := &sc.groups[rank], &sc.groups[0]
	switch {
	case g.meet && g.rank != rankOf(sc.found[g.best].field):
		return "Google added it by itself; " + w.service + " was chosen"
	case g.signed && !w.signed && sc.found[w.best].field == FieldBody:
		return "in a signature of the body, and " + w.service + " is not"
	case g.rank > w.rank:
		return "in " + sc.found[g.best].field.String() + "; " + w.name + " is in " + sc.found[w.best].field.String() + ", a better field"
	}
	return "in " + sc.found[g.best].field.String() + ", after the link of " + w.name
}

// findings adds what was found. An administrator's rule may have taken a link
// that the default rules do not know.
func (t *Trace) findings(sc *scratch, taken Match) {
	kinds := [...]string{"link", "address", "video block", "hidden", "address"}
	for i := range sc.found {
		f := &sc.found[i]
		x := Sighting{Kind: kinds[f.kind], Field: f.field.String(), Source: strings.Clone(f.span.Source), Start: f.span.Start, End: f.span.End,
			Gateway: f.gateway, after: strings.Clone(f.uri), before: strings.Clone(f.raw)}
		if x.before == x.after {
			x.before = ""
		}
		x.Before, x.After = redact(x.before), redact(x.after)
		for g := range sc.groups {
			if sc.groupIndex(&sc.groups[g]) == f.group && f.group >= 0 {
				x.Meeting, x.Service, x.Rule = g+1, sc.groups[g].service, sc.groups[g].name
			}
		}
		switch {
		case f.kind == isOpaque && f.gateway != "":
			x.Note = f.gateway + " keeps the target to itself"
		case f.kind == isOpaque:
			x.Note = "made from the number in the text"
		case f.kind == isWeak && x.Meeting == 0:
			x.Note = "a mail address for all that is known"
		}
		t.Findings = append(t.Findings, x)
	}
	for i := range sc.misses {
		m := &sc.misses[i]
		if i > 0 && m.field == sc.misses[i-1].field && m.span.Source == sc.misses[i-1].span.Source && m.span.Start == sc.misses[i-1].span.Start {
			continue // the same link, as it would be if it went on in the next line
		}
		x := Sighting{Kind: "unknown", Field: m.field.String(), Source: strings.Clone(m.span.Source), Start: m.span.Start, End: m.span.End,
			after: strings.Clone(m.uri), After: redact(strings.Clone(m.uri)), Note: m.why}
		if s := taken.Span; taken.Field == m.field && s.Source == m.span.Source && s.Start < m.span.End && m.span.Start < s.End {
			x.Kind, x.Note = "link", "rule "+taken.Rule+" took it"
		}
		t.Findings = append(t.Findings, x)
	}
}

// WriteText writes the trace for people, a line for each thing.
func (t Trace) WriteText(w io.Writer) error {
	var b strings.Builder
	if t.Decided != "" {
		b.WriteString("decided by " + t.Decided + "\n")
	} else {
		b.WriteString("no meeting: " + t.Why + "\n")
	}
	for _, a := range t.Addresses {
		b.WriteString("  joined by " + a + "\n")
	}
	for _, l := range t.Looked {
		b.WriteString("  read " + textName(l.Field, l.Source) + ", " + strconv.Itoa(l.Bytes) + " bytes\n")
	}
	for _, f := range t.Findings {
		fmt.Fprintf(&b, "  %s in %s, bytes %d to %d: %s\n", f.Kind, textName(f.Field, f.Source), f.Start, f.End, f.After)
		if f.Gateway != "" {
			b.WriteString("    rewritten by " + f.Gateway + "\n")
		}
		if f.Before != "" {
			b.WriteString("    in the invite: " + f.Before + "\n")
		}
		if f.Meeting > 0 {
			fmt.Fprintf(&b, "    meeting %d, %s\n", f.Meeting, f.Service)
		}
		if f.Note != "" {
			b.WriteString("    " + f.Note + "\n")
		}
	}
	for _, r := range t.Rules {
		p := ""
		if r.Priority > 0 {
			p = strconv.Itoa(r.Priority) + " "
		}
		fmt.Fprintf(&b, "  rule %s%s: %s, %s\n", p, r.Rule, r.Result, r.Why)
	}
	for _, c := range t.Capped {
		b.WriteString("  limit: " + c + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func textName(field, source string) string {
	if source == "" {
		return field
	}
	return field + " (" + source + ")"
}
