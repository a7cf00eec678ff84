package rules

import "strings"

// hides reports whether an offset of an HTML text is not shown. Within what is
// read as text that is found out later, on the way through the tags.
func (w *scanner) hides(pos int) bool {
	return w.html && pos >= maxText && w.hidden.at(w.s, pos)
}

// hidden knows which parts of an HTML text are comments, scripts and styles. It
// walks on as it is asked, so a text without candidates costs nothing.
type hidden struct {
	upto     int // everything before it was walked over
	next     int // the first "<" at or after upto, if it is known
	from, to int
}

func (h *hidden) at(s string, pos int) bool {
	for h.upto <= pos {
		if h.next < h.upto {
			h.next = index(s, '<', h.upto)
		}
		i := h.next
		if i >= pos {
			break
		}
		h.upto, h.next = i+1, -1
		var end string
		switch rest := s[i:]; {
		case strings.HasPrefix(rest, "<!--"):
			// The content of a conditional comment is shown by Outlook.
			if strings.HasPrefix(rest, "<!--[if") || strings.HasPrefix(rest, "<!-- [if") {
				continue
			}
			h.from, h.to = i, commentEnd(s, i)
			h.upto = h.to
			continue
		case hasPrefixFold(rest, "<script"):
			end = "</script"
		case hasPrefixFold(rest, "<style"):
			end = "</style"
		default:
			continue
		}
		h.from, h.to = i, indexFold(s, end, i+2)
		h.upto = h.to
	}
	return h.from <= pos && pos < h.to
}

// commentEnd returns the offset after the comment at i: after "-->", also that of
// "<!-->", or "--!>", which browsers take for the same; len(s) if there is none.
func commentEnd(s string, i int) int {
	for k := i + 2; ; k += 2 {
		e := strings.Index(s[k:], "--")
		if e < 0 {
			return len(s)
		}
		k += e
		for k+2 < len(s) && s[k+2] == '-' {
			k++ // any number of them
		}
		switch {
		case strings.HasPrefix(s[k+2:], ">"):
			return k + 3
		case strings.HasPrefix(s[k+2:], "!>") && k > i+3:
			return k + 4
		}
	}
}

// indexFold finds end, which begins with "<", from an offset on, without
// regard to case; len(s) if it is not there.
func indexFold(s, end string, from int) int {
	for i := from; ; i++ {
		if i = index(s, end[0], i); i == len(s) {
			return i
		}
		if hasPrefixFold(s[i:], end) {
			return i + len(end)
		}
	}
}
