package otj

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// maxText is how many characters of a title or a name are kept: what
// Exchange keeps of a subject.
const maxText = 255

// title returns what a room may see of an event: its title and its organizer.
//
// The organizer is not a secret as such: who has booked the room is what
// replaces a private subject by default. A template that does not name the
// organizer hides it.
func title(ev *calendar.Event, private bool, service string, s *Settings) (string, calendar.Person) {
	organizer := calendar.Person{Name: clean(ev.Organizer.Name), Email: clean(ev.Organizer.Email)}
	name := organizer.Name
	if name == "" {
		name = organizer.Email
	}
	replace := s.ReplaceSubject != ReplaceNever && (private || s.ReplaceSubject == ReplaceAll)
	if !replace {
		text := clean(ev.Subject)
		if text == "" && s.ReplaceEmptySubject {
			text = name
		}
		return text, organizer
	}
	if strings.TrimSpace(s.SubjectTemplate) == "" {
		return name, organizer
	}
	named := false
	text, err := expand(s.SubjectTemplate, func(variable string) string {
		switch variable {
		case "subject":
			if private {
				return ""
			}
			return ev.Subject
		case "organizer_name":
			named = true
			return name
		case "organizer_email":
			named = true
			return organizer.Email
		default:
			return service
		}
	})
	if err != nil {
		// Validate lets no such template in. Without it: the default.
		return name, organizer
	}
	if private && !named {
		organizer = calendar.Person{}
	}
	text = clean(text)
	if text == "" && s.ReplaceEmptySubject && !(private && !named) {
		text = name
	}
	return text, organizer
}

// clean makes text from outside fit to be shown on one line: white space of any
// kind is one space, control characters and those that turn the direction of
// the text around are gone, bytes that are no UTF-8 are replaced, and what is
// too long ends in an ellipsis.
func clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	n, space := 0, false
	cut := 0 // where b is cut for the ellipsis: before a whole character
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u200b':
			space = n > 0
			continue
		case !visible(r):
			continue
		}
		if space {
			space = false
			n++
			b.WriteByte(' ')
		}
		if n++; n > maxText {
			return strings.TrimRight(b.String()[:cut], " ") + "…"
		}
		if !unicode.In(r, unicode.Mn, unicode.Me) && r != zeroWidthJoiner && !strings.HasSuffix(b.String()[max(0, b.Len()-3):], string(zeroWidthJoiner)) {
			cut = b.Len()
		}
		b.WriteRune(r)
	}
	return b.String()
}

const zeroWidthJoiner = '\u200d'

// visible reports whether r may be part of a title. The marks that only give a
// direction to what stands beside them, as Hebrew and Arabic texts need them,
// may.
func visible(r rune) bool {
	switch {
	case unicode.IsControl(r):
		return false
	case r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u206f': // embeddings, overrides, isolates, invisible operators
		return false
	case r == '\ufeff', r == '\u00ad', r >= '\ufff9' && r <= '\ufffb': // byte order mark, soft hyphen, interlinear annotations
		return false
	}
	return true
}

// plain reports whether clean would change nothing, for the texts of which this
// is easy to see.
func plain(s string) bool {
	if len(s) > maxText {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == 0x7f || c == ' ' && (i == 0 || i == len(s)-1 || s[i+1] == ' ') {
			return false
		}
	}
	return true
}
