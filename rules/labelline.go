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
// one with label and value: a paragraph of HTML is one line.
const (
	maxHeading   = 48
	maxBareLabel = 512
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
		sc.bareValues(t, from, line)
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

// bareValues finds the values in a line that begins at an offset of the text:
// what has a digit, after a label.
func (sc *scratch) bareValues(t *screen, from int, line string) {
	number := 0 // before it the digits and blanks were looked at as one number
	for i := 0; i < len(line); i++ {
		if !isDigit(line[i]) {
			continue
		}
		word := i
		for word > 0 && line[word-1] != ' ' {
			word--
		}
		// The number of a meeting, in groups.
		end := i
		if i >= number {
			for end < len(line) && (isDigit(line[end]) || line[end] == ' ' || line[end] == '-') {
				end++
			}
			number = end
		}
		if end-i >= 9 {
			if before := linked(line[:i]); colonless(classify(before)) == labelID || sc.isLinked(line[i:end]) {
				sc.bareLabel(t, labelID, line[i:end], from+len(before), from+end)
				i = end
				continue
			}
		}
		before := linked(line[:word])
		end = len(line)
		if k := strings.IndexByte(line[i:], ' '); k >= 0 {
			end = i + k
		}
		if is := colonless(classify(before)); is != labelNone && is != labelID {
			n := len(sc.hits)
			sc.bareLabel(t, is, line[word:end], from+len(before), from+end)
			if len(sc.hits) > n && is == labelPasscode {
				sc.hits[n].pin = sc.pinInBrackets(line[end:])
			}
		}
		i = end
	}
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

// bareLabel notes a value if it looks like one.
func (sc *scratch) bareLabel(t *screen, is label, value string, text, end int) {
	h := labelHit{is: is, text: text, bare: true}
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
