package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// This file is where the kinds of rules that administrators write plug in.
//
// New turns each enabled rule, in ascending priority, into a compiled value.
// Append asks one after the other; the first that is true decides, and only its
// match comes out. The default pack does not take part in this: it is compiled
// into one table, which is asked once, at the first call of view.meetings or
// after the last rule. So a compiled rule must not keep anything of the view.

// compiled is a rule ready to run. It must be safe for concurrent use.
type compiled interface {
	// find looks for a meeting. Where there is none, why says what was missing,
	// for Explain: "no Webex meeting", "the template is empty".
	find(v *view) (m Match, why string, ok bool)
}

// compile turns an administrator's rule into a compiled one. The patterns of all
// rules count against set. The error does not name the rule: New does.
func compile(r *Rule, opts *Options, set *rebound.Set) (compiled, error) {
	if r.Type == TypeLink {
		return compileLink(r)
	}
	a, problems := inspect(r, opts, set)
	for _, p := range problems {
		if p.warn {
			continue
		}
		if p.field == "" {
			return nil, errors.New(p.msg)
		}
		return nil, fmt.Errorf("%s: %s", p.field, p.msg)
	}
	return a, nil
}

// view is what a compiled rule sees of one event.
type view struct {
	event   *calendar.Event
	engine  *Engine
	scratch *scratch

	found  []Match
	looked bool
	budget rebound.Budget
	paid   bool
}

// meetings returns what the default pack finds, the best first. All rules share
// the list, and its memory is used again for the next event: a rule copies what
// it keeps.
func (v *view) meetings() []Match {
	if !v.looked {
		v.found, v.looked = v.scratch.emit(v.found[:0]), true
	}
	return v.found
}

// empty returns a view without an event, which keeps the memory of v but no
// text in it.
func (v *view) empty() view {
	found := v.found[:cap(v.found)]
	for i := range found {
		_, bytes := memory(found[i].Addresses)
		clear(bytes[:cap(bytes)])
		found[i] = Match{Addresses: found[i].Addresses[:0]}
	}
	return view{found: found[:0]}
}

// regexps returns what the users' patterns may still spend on the event.
func (v *view) regexps() *rebound.Budget {
	if !v.paid {
		v.budget, v.paid = rebound.DefaultBudget, true
	}
	return &v.budget
}

// links returns every web link of the event as the default pack sees it: decoded
// and unwrapped, known service or not. They are valid during find only.
func (v *view) links() []foundLink { return v.scratch.allLinks() }

// text returns a body as a person reads it: without markup, one line of text
// for each line on the screen. It is valid during find only, and at most
// maxText bytes of the body are in it.
func (v *view) text() string { return v.scratch.bodyText() }

// foundLink is one web link of an event.
type foundLink struct {
	uri   string
	field Field
	span  Span
}

// allLinks returns the links of the event's fields. The default pack looks only
// at hosts that it knows, so this is a scan of its own, on demand.
func (sc *scratch) allLinks() []foundLink {
	if !sc.linksRead {
		sc.linksRead = true
		sc.readLinks()
	}
	return sc.links
}

// bodyText returns the rendered body.
func (sc *scratch) bodyText() string {
	if !sc.hasText {
		text, html := sc.event.Body.HTML, true
		if text == "" {
			text, html = sc.event.Body.Plain, false
		}
		sc.text.render(text[:min(len(text), maxText)], html)
		sc.hasText = true
	}
	return sc.text.String()
}

// readLinks finds every web link of the event.
func (sc *scratch) readLinks() {
	ev := sc.event
	each := func(s string, html bool, field Field, source string) {
		s = s[:min(len(s), maxBody)]
		for i := strings.Index(s, "://"); i >= 0 && len(sc.links) < maxCandidates; {
			start, next := i, i+3
			for start > 0 && isAlnum(s[start-1]) && i-start < 12 {
				start--
			}
			for _, scheme := range [...]string{"https", "http"} {
				if hasSuffixFold(s[:i], scheme) {
					start = i - len(scheme)
					uri, end := sc.extract(s, start, html)
					if uri = sc.opened(uri); uri != "" {
						sc.links = append(sc.links, foundLink{uri, field, Span{source, start, end}})
					}
					next = max(next, end)
					break
				}
			}
			j := strings.Index(s[next:], "://")
			if j < 0 {
				break
			}
			i = next + j
		}
	}
	for i := range ev.Links {
		l := &ev.Links[i]
		field := FieldLink
		if l.Source == calendar.SourceURL {
			field = FieldURL
		}
		each(l.URI, false, field, l.Source)
	}
	each(ev.Location, false, FieldLocation, "")
	each(ev.Subject, false, FieldSubject, "")
	each(ev.Body.HTML, true, FieldBody, "html")
	each(ev.Body.Plain, false, FieldBody, "plain")
}

// opened returns a link without its wrappers.
func (sc *scratch) opened(uri string) string {
	for range maxDepth {
		l, ok := cut(uri)
		if !ok || l.user {
			return ""
		}
		next, _ := sc.gateway(sc.engine.table.lookup(l.host), uri, l)
		if next == "" {
			return sc.canonical(uri, &l)
		}
		uri = next
	}
	return ""
}
