package rules

import "strings"

// Mail programs cut long lines, and links with them. Here the parts of a link are
// put together again.

// marks returns where the punctuation begins that was taken off a link: the link
// begins at start, and end is where a text goes on behind the punctuation.
func marks(s string, start, end int, uri string) int {
	last := uri[len(uri)-1]
	for end > start && s[end-1] != last && strings.IndexByte(".,;:!?'*)}", s[end-1]) >= 0 {
		end--
	}
	return end
}

// query returns where a query begins that stands on the line after a link in the
// text of HTML, which ends at end; 0 if there is none. Nothing else begins with
// "?" and a name, and no other part of a link is looked for on a next line there:
// markup says where a link ends, but for one that somebody's plain text was cut in.
func (w *scanner) query(end int) int {
	s := w.s[end:min(len(w.s), end+16)]
	rest := s
	if hasPrefixFold(s, "<br") {
		_, rest, _ = strings.Cut(s, ">")
	} else if newline(s) == 0 {
		return 0
	}
	rest = strings.TrimLeft(rest, " \r\n")
	if len(rest) < 2 || rest[0] != '?' || !isAlnum(rest[1]) {
		return 0
	}
	return end + len(s) - len(rest)
}

// bracketed joins the lines of a link that stands in angle brackets, which say
// where it ends however often mail has cut it (RFC 3986, appendix C). It
// reports whether it was one.
func (w *scanner) bracketed(n int, uri string, start, end int) bool {
	s := w.s
	if start == 0 || s[start-1] != '<' {
		return false
	}
	whole := uri
	for range 24 {
		i := end + newline(s[end:])
		for i < len(s) && (s[i] == '>' || s[i] == ' ' || s[i] == '\t') && i < end+12 {
			i++
		}
		tail, tailEnd := w.extract(s, i, false)
		if tail == "" || strings.Contains(tail, "://") || len(whole)+len(tail) > maxURI {
			return false
		}
		whole = w.a.join(whole, tail)
		if end = tailEnd; end == len(s) {
			return false
		}
		if s[end] == '>' {
			break
		}
		if newline(s[end:]) == 0 {
			return false
		}
	}
	if s[end] != '>' {
		return false
	}
	keep := len(w.found)
	w.evaluate(w.t, whole, w.field, Span{Source: w.source, Start: start, End: end})
	if len(w.found) == keep {
		return false
	}
	w.found = append(w.found[:n], w.found[len(w.found)-1])
	w.done = max(w.done, end)
	return true
}

// continued tries the link with the next line, if mail has cut it: only a link
// that is better for it is taken, one that joins where it did not, or that has
// a passcode where it had none. The next line begins at next.
func (w *scanner) continued(n int, uri string, start, next int) {
	s := w.s
	i := next
	for i < len(s) && (s[i] == '>' || s[i] == ' ' || s[i] == '\t') && i < next+12 {
		i++
	}
	if i >= len(s) || !(isAlnum(s[i]) || strings.IndexByte("?&=/%-_.", s[i]) >= 0) {
		return
	}
	if len(w.found) > n && (w.found[n].token || w.found[n].kind != isLink) {
		return
	}
	if strings.Contains(s[i:min(len(s), i+10)], "://") {
		return
	}
	mark := len(w.a.b)
	tail, tailEnd := w.extract(s, i, w.html)
	if tail == "" || strings.Contains(tail, "://") {
		w.a.b = w.a.b[:mark]
		return
	}
	whole := w.a.join(uri, tail)
	q := strings.IndexByte(tail, '?')
	if len(w.found) > n && q < 0 && strings.IndexByte(tail, '=') < 0 {
		return
	}
	had := len(w.found) - n
	keep := len(w.found)
	w.evaluate(w.t, whole, w.field, Span{Source: w.source, Start: start, End: tailEnd})
	if len(w.found) == keep {
		return
	}
	last := w.found[len(w.found)-1]
	mended := had > 0 && strings.Contains(last.key, "@thread") && !strings.Contains(w.found[n].key, "@thread")
	if had > 0 && !last.token && !mended {
		w.found = w.found[:keep]
		return
	}
	w.found = append(w.found[:n], last)
	w.done = max(w.done, tailEnd)
}
