package rules

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// People have the link to their personal room in the signature of each mail. It
// stands before the block that a calendar program adds behind the text, so the
// position alone would take it for the meeting.

// closings are what the last line of a mail's own text says, or begins with, in
// lower case: what comes after it is a signature.
var closings = [...]string{
	"--", "best regards", "kind regards", "warm regards", "regards", "best wishes", "best", "many thanks", "thanks", "thank you", "cheers", "sincerely", "yours sincerely", "br", "kr",
	"mit freundlichen grüßen", "mit freundlichen gruessen", "mit freundlichem gruß", "freundliche grüße", "freundliche grüsse", "viele grüße", "beste grüße", "liebe grüße", "herzliche grüße", "schöne grüße", "grüße", "mfg", "lg", "vg",
	"cordialement", "bien cordialement", "bien à vous", "meilleures salutations", "saludos", "un saludo", "saludos cordiales", "atentamente",
	"cordiali saluti", "distinti saluti", "un saluto", "saluti", "met vriendelijke groet", "met vriendelijke groeten", "vriendelijke groet", "groeten", "mvg",
	"med vänliga hälsningar", "vänliga hälsningar", "hälsningar", "mvh", "med venlig hilsen", "venlig hilsen", "med vennlig hilsen", "vennlig hilsen", "hilsen",
	"ystävällisin terveisin", "terveisin", "atenciosamente", "cumprimentos", "com os melhores cumprimentos", "abraços", "obrigado", "obrigada",
	"z poważaniem", "pozdrawiam", "s pozdravem", "üdvözlettel", "saygılarımla", "с уважением", "с найкращими побажаннями", "з повагою",
	"よろしくお願いします", "よろしくお願いいたします", "谢谢", "此致", "감사합니다",
}

// drawn are the signs that a line is drawn with.
const drawn = "_-=*~"

// closingsBy has the closings by the first byte of a line that is one of them.
var closingsBy [256][]string

func init() {
	for _, c := range closings {
		r, n := utf8.DecodeRuneInString(c)
		for _, first := range []string{c[:n], string(unicode.ToUpper(r))} {
			if list := closingsBy[first[0]]; !slices.Contains(list, c) {
				closingsBy[first[0]] = append(list, c)
			}
		}
	}
}

// closes reports whether a line ends a mail's own text: "Best regards," alone,
// or with a name behind it.
func closes(line string) bool {
	line = strings.TrimRight(line, " \n,.!")
	if line == "" || len(line) > 60 || strings.IndexByte(line, ':') >= 0 {
		return false
	}
	for _, c := range closingsBy[line[0]] {
		if len(line) < len(c) || !strings.EqualFold(line[:len(c)], c) {
			continue
		}
		if rest := line[len(c):]; rest == "" || rest[0] == ',' {
			return true
		}
	}
	return false
}

// ruled reports whether a line is drawn: calendar programs put one before and
// after the block that they add.
func ruled(line string) bool {
	line = strings.TrimRight(line, " \n")
	return len(line) >= 10 && strings.IndexByte(drawn, line[0]) >= 0 && strings.Trim(line, line[:1]) == ""
}

// findSignatures notes where the signatures of the text are, as pairs of offsets.
func (t *screen) findSignatures() {
	t.signed = t.signed[:0]
	s, open := t.String(), false
	for i := range t.lines {
		from, to := t.lines[i].text, len(s)
		if i+1 < len(t.lines) {
			to = t.lines[i+1].text
		}
		if from >= to {
			continue
		}
		switch line := s[from:to]; {
		case open && ruled(line):
			t.signed, open = append(t.signed, from), false
		case !open && closes(line):
			t.signed, open = append(t.signed, to), true
		}
	}
	if open {
		t.signed = append(t.signed, len(s))
	}
}

// isSigned reports whether an offset of the text is in a signature.
func (t *screen) isSigned(text int) bool {
	for i := 0; i < len(t.signed); i += 2 {
		if t.signed[i] <= text && text < t.signed[i+1] {
			return true
		}
	}
	return false
}

// afterSignatures puts the meetings behind the others of the body whose links
// are all in signatures, and personal rooms there behind those.
func (sc *scratch) afterSignatures() {
	rivals := 0
	for g := range sc.groups {
		if x := &sc.groups[g]; x.link >= 0 && sc.found[x.best].field == FieldBody {
			rivals++
		}
	}
	if rivals < 2 {
		return
	}
	sc.text.findSignatures()
	if len(sc.text.signed) == 0 {
		return
	}
	for g := range sc.groups {
		x := &sc.groups[g]
		if x.link < 0 || sc.found[x.best].field != FieldBody {
			continue
		}
		signed := true
		for i := range sc.found {
			if f := &sc.found[i]; f.group == g && f.kind == isLink && f.field == FieldBody {
				signed = signed && f.span.Source == sc.textSource && sc.text.isSigned(sc.text.at(f.span.Start))
			}
		}
		if signed {
			x.signed = true
			if x.rank++; x.id == "" && sc.found[x.link].room != "" {
				x.rank++
			}
		}
	}
}

// private reports whether an address is that of a person: it stands in a
// signature, beside the telephone's number, and has nothing of a meeting room.
func (sc *scratch) private(f *found) bool {
	if f.span.Source != sc.textSource || numbered(f.uri) {
		return false
	}
	for _, word := range [...]string{"vmr", "room", "meet"} {
		if containsFold(f.uri, word) {
			return false
		}
	}
	if len(sc.text.signed) == 0 {
		sc.text.findSignatures()
	}
	return sc.text.isSigned(sc.text.at(f.span.Start))
}
