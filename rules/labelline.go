package rules

import (
	"slices"
	"strings"
)

// Many an invite has its labels without a colon: in one cell of a table with the
// value in the next, as a heading over the value, or in a sentence. Without the
// colon there is less to know a value by, so it has to look like one: a number
// has the length of those of meetings, a passcode has a digit.

// The longest lines that are read for this, in bytes: one with a label alone, and
// one with label and value.
const (
	maxHeading   = 48
	maxBareLabel = 120
)

// bareLabels finds the labels that no colon follows, and their values.
func (sc *scratch) bareLabels(t *screen) {
	n := len(sc.hits)
	if !sc.lacks() {
		return
	}
	s := t.String()
	for i := range t.lines {
		from, to := t.lines[i].text, len(s)
		if i+1 < len(t.lines) {
			to = t.lines[i+1].text
		}
		line := s[from:max(from, to)]
		for line != "" && ending[line[len(line)-1]] {
			line = line[:len(line)-1]
		}
		if len(line) < 3 || len(line) > maxBareLabel {
			continue
		}
		sc.steps++
		if len(sc.hits) >= maxCandidates-4 {
			break // the colons are what most labels have
		}
		if len(line) <= maxHeading && i+1 < len(t.lines) {
			if is := colonless(classify(line)); is != labelNone {
				value, at := valueAfter(s, to)
				sc.bareLabel(t, is, value, from, at+len(value))
				continue
			}
		}
		// From the end on, since what a label says is known by how it ends.
		for range 3 {
			is, value, rest := sc.bareValue(line)
			if is == labelNone {
				break
			}
			sc.bareLabel(t, is, value, from+len(rest), from+len(line))
			line = strings.TrimRight(rest, " ,;.-|/(")
		}
	}
	if len(sc.hits) > n {
		slices.SortStableFunc(sc.hits, func(a, b labelHit) int { return a.text - b.text })
	}
}

// lacks reports whether a passcode may still be missing: where the colons have
// given one, the invite has colons. Webex alone has two passwords, of which the
// one for video systems may be a heading.
func (sc *scratch) lacks() bool {
	for i := range sc.hits {
		if h := &sc.hits[i]; h.is == labelPIN || h.is == labelPasscode && (h.pin != "" || !sc.hasService("webex")) {
			return false
		}
	}
	return true
}

// ending are the bytes that are left out at the end of a line.
var ending = [256]bool{' ': true, '\n': true, '.': true, ',': true, ';': true, ')': true}

// colonless returns the label if it is one that is read without a colon.
func colonless(is label) label {
	switch is {
	case labelID, labelPasscode, labelPIN, labelRoomPIN:
		return is
	}
	return labelNone
}

// bareValue takes a label and its value off the end of a line. rest is what
// stands before the label.
func (sc *scratch) bareValue(line string) (is label, value, rest string) {
	if line == "" || line[len(line)-1] == ':' {
		return labelNone, "", ""
	}
	// The number of a meeting, in groups.
	i := len(line)
	for i > 0 && (isDigit(line[i-1]) || line[i-1] == ' ' || line[i-1] == '-') {
		i--
	}
	if i < len(line) && i > 0 {
		if before := linked(line[:i]); colonless(classify(before)) == labelID {
			return labelID, strings.TrimLeft(line[i:], " -"), unlabelled(before)
		}
	}
	// One word that has a digit.
	digit := false
	for i = len(line); i > 0 && line[i-1] != ' '; i-- {
		digit = digit || isDigit(line[i-1])
	}
	if i--; i < 1 || !digit {
		return labelNone, "", ""
	}
	before := linked(line[:i])
	if is = colonless(classify(before)); is == labelNone || is == labelID {
		return labelNone, "", ""
	}
	return is, line[i+1:], unlabelled(before)
}

// linked returns what stands before a value without the word or sign that links
// them: "passcode is 1234", "passcode = 1234".
func linked(s string) string {
	s = strings.TrimRight(s, " =-#")
	for _, word := range [...]string{" is", " ist", " est", " es"} {
		s = strings.TrimSuffix(s, word)
	}
	return s
}

// unlabelled returns what stands before the label that a text ends with: the
// text up to the number of the label before it, if there is one.
func unlabelled(s string) string {
	i := len(s)
	for i > 0 && !isDigit(s[i-1]) {
		i--
	}
	return s[:i]
}

// bareLabel notes a value if it looks like one.
func (sc *scratch) bareLabel(t *screen, is label, value string, text, end int) {
	h := labelHit{is: is, text: text}
	switch is {
	case labelID:
		if h.value = sc.digits(value); len(h.value) < 9 || len(h.value) > 16 {
			return
		}
	case labelPasscode:
		if h.value = sc.spaced(value); h.value == "" {
			h.value = token(value)
		}
		if len(h.value) < 3 || len(h.value) > 24 || len(value) > len(h.value)+2 && sc.pinInBrackets(value[len(h.value):]) == "" && h.value == token(value) ||
			!strings.ContainsAny(h.value, "0123456789") || strings.IndexByte(h.value, '/') >= 0 || strings.IndexByte(h.value, '.') > 0 && strings.IndexByte(h.value, '@') > 0 {
			return
		}
		if rest, ok := strings.CutPrefix(value, h.value); ok {
			h.pin = sc.pinInBrackets(rest)
		}
	default:
		if h.value = sc.digits(value); len(h.value) < 3 || len(h.value) > 12 {
			return
		}
	}
	// The same text may have been read by its colon.
	for i := range sc.hits {
		if sc.hits[i].text >= text && sc.hits[i].text <= end {
			return
		}
	}
	h.raw, h.end = t.raw(text), t.rawEnd(end)
	sc.hits = append(sc.hits, h)
}
