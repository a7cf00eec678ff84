package rules

import "strings"

// Safe Links are the links that there are most of: whoever has that gateway has no
// others. Most lead to no meeting, and of one that does nothing matters but its
// target, so they are seen through in the text, without making them links first.

// safeLink decides about a Safe Link that begins at start, with its host up to k.
func (w *scanner) safeLink(start, k int) {
	target := w.targetOf(k)
	switch {
	case target > 0 && w.boring(target):
		w.pass(start, k)
	case target == 0 || !w.opened(start, target):
		w.candidate(start, start)
	}
}

// targetOf returns where the escaped target of a Safe Link begins, whose host ends
// at k, if that is a web link; 0 if it is not seen.
func (w *scanner) targetOf(k int) int {
	const before = "/?url="
	s := w.s[k:min(len(w.s), k+64)]
	if strings.HasPrefix(s, before+"http") {
		return k + len(before)
	}
	// Behind a path and nothing else: "@" makes another host of it, and a query that
	// has begun another parameter.
	i := strings.Index(s, before[1:]+"http")
	if i < 1 || s[0] != '/' || urlRun(s[:i]) < i || strings.ContainsAny(s[:i], "?#&") {
		return 0
	}
	return k + i + len(before) - 1
}

// opened decides about a Safe Link by its target alone, which is escaped and begins
// at from. It is false for a link that is not the whole value of an attribute, or
// that has anything unusual.
func (w *scanner) opened(start, from int) bool {
	if w.tracing || !w.html || start == 0 || w.s[start-1] != '"' || start < w.done || w.inside(start) {
		return false // a trace has the link as it stands in the text
	}
	end := w.valueEnd(start)
	if end < from {
		return false
	}
	escaped := w.s[from:index(w.s[:end], '&', from)]
	if urlRun(escaped) < len(escaped) || strings.IndexByte(escaped, '#') >= 0 {
		return false
	}
	target := w.a.target(w.a.unescape(escaped), end-start)
	if target == "" {
		return false
	}
	w.done, w.unknown = end, -1
	if !w.hides(start) && !scripted(w.s, start) {
		w.decide(w.t, found{uri: w.taken(target), gateway: safeLinks.name, field: w.field, span: Span{Source: w.source, Start: start, End: end}})
	}
	return true
}

// boring reports whether a Safe Link, whose escaped target begins at from, leads to
// a host that no rule knows. That is seen without decoding it.
func (w *scanner) boring(from int) bool {
	s := w.s[from:min(len(w.s), from+400)]
	i := len("http")
	if i < len(s) && s[i] == 's' {
		i++
	}
	if len(s) < i+10 || !fold(s[i:i+9], "%3A%2F%2F") {
		return false
	}
	i += 9
	j := i + hostWidth(s[i:])
	if j == i || j+4 > len(s) || !fold(s[j:j+3], "%2F") {
		return false // without a host it is no link, and there may be one behind it
	}
	if onPremHost(s[i:j]) || w.tracing {
		return false
	}
	wrapped := strings.TrimSuffix(s[i:j], ".")
	slot := w.t.slot(wrapped)
	rule := slot.entry(wrapped)
	zoom := false
	if rule != nil {
		if rule.gateway > 0 {
			return false
		}
		zoom = rule.rule.Service == "zoom"
	}
	c := lower(s[j+3])
	if !w.t.first[c] && c != 't' && c != 'm' && c != '%' && c != '&' && !zoom && (rule == nil || !slot.mayBegin(c)) {
		return true
	}
	// As much of the path as tells it from those that the rules know.
	var path [32]byte
	n, k := 0, j
	for ; n < len(path) && k < len(s) && s[k] != '&'; n++ {
		path[n] = s[k]
		if k++; path[n] == '%' && k+2 <= len(s) && hexval(s[k]) >= 0 && hexval(s[k+1]) >= 0 {
			path[n] = byte(hexval(s[k])<<4 | hexval(s[k+1]))
			k += 2
		}
	}
	if n < len(path) && k < len(s) && s[k] == '&' && !strings.HasPrefix(s[k:], "&amp;") {
		return false // the path may go on behind an entity
	}
	at := string(path[:n])
	if zoom {
		w.zoomPage(at)
	}
	return (rule == nil || !slot.begins(at)) && !w.t.anyHost(at) && !cviPath(at)
}
