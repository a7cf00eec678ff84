package otj

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Settings say what of a room's calendar its device shows. [DefaultSettings]
// has the defaults; decode JSON onto a copy of them.
//
// Every sensitivity but normal counts as private: personal and confidential
// meetings are hidden too, as iCalendar's CLASS asks for.
type Settings struct {
	// DaysAhead is how far into the future meetings are shown, 0 to 365; 0 is
	// today only, and what can be joined already. Default 7.
	DaysAhead int `json:"days_ahead"`
	// StartBuffer and EndBuffer are the minutes before and after a meeting in
	// which it can be joined, 0 to 180. Defaults 5 and 0.
	StartBuffer int `json:"start_buffer"`
	EndBuffer   int `json:"end_buffer"`

	// NonVideo shows meetings without an address, without a button. It does not
	// concern meetings that have an address which the device cannot dial: they
	// are always listed. Default true.
	NonVideo bool `json:"non_video"`

	// Private shows private meetings at all. Default true.
	Private bool `json:"private"`
	// PrivateButton gives private meetings their button; without it they are
	// listed only. Default true.
	PrivateButton bool `json:"private_button"`
	// ReplaceSubject says whose subject is replaced by SubjectTemplate. Default
	// ReplacePrivate.
	ReplaceSubject ReplaceSubject `json:"replace_subject"`
	// SubjectTemplate is the title that replaces a subject. It is plain text
	// with the variables {{subject}}, {{organizer_name}}, {{organizer_email}} and
	// {{service}}; at most 512 bytes. Empty, the default, is the organizer's
	// name. {{subject}} is empty for a private meeting. A private meeting whose
	// template names no organizer has none on the screen either.
	SubjectTemplate string `json:"subject_template"`
	// ReplaceEmptySubject shows the organizer's name where there is no subject.
	// Default true.
	ReplaceEmptySubject bool `json:"replace_empty_subject"`

	// Tentative shows meetings that the room or the organizer has not confirmed.
	// Default true.
	Tentative bool `json:"tentative"`
	// AllDay says which all-day meetings are shown. Default ShowVideo.
	AllDay Show `json:"all_day"`
	// Overlapping shows every one of several meetings at the same time. Without
	// it the one that starts first stays, and of those that start together one
	// with a button; the others are left out. All-day meetings do not count.
	// Default true.
	Overlapping bool `json:"overlapping"`

	// Prefer is the order in which the addresses of a meeting are tried; the
	// first that the device can dial is the button. Schemes not named come last,
	// in the order of the match. Default sip, sips, h323, https.
	Prefer []rules.Scheme `json:"prefer"`
}

// ReplaceSubject says whose subject is replaced.
type ReplaceSubject string

// The values of Settings.ReplaceSubject.
const (
	ReplaceAll     ReplaceSubject = "ALL"
	ReplaceNever   ReplaceSubject = "NEVER"
	ReplacePrivate ReplaceSubject = "PRIVATE"
)

// Show says which of a kind of meetings are shown.
type Show string

// The values of Show: all, those that can be joined, none.
const (
	ShowAll   Show = "all"
	ShowVideo Show = "video"
	ShowNone  Show = "none"
)

// DefaultSettings returns the defaults.
func DefaultSettings() Settings {
	return Settings{
		DaysAhead:   7,
		StartBuffer: 5,
		NonVideo:    true,
		Private:     true, PrivateButton: true,
		ReplaceSubject:      ReplacePrivate,
		ReplaceEmptySubject: true,
		Tentative:           true,
		AllDay:              ShowVideo,
		Overlapping:         true,
		Prefer:              []rules.Scheme{rules.SIP, rules.SIPS, rules.H323, rules.HTTPS},
	}
}

// The ranges of Settings.
const (
	maxDaysAhead = 365
	maxBuffer    = 180
	maxTemplate  = 512
)

// FieldError says which of the settings is out of its range.
type FieldError struct {
	Field   string // as in the JSON: "days_ahead"
	Problem string // as in "must be 0 to 365, and is 400"
}

// Error returns the field and the problem.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate returns an error that joins a [*FieldError] for each field that is
// out of its range, or nil.
func (s *Settings) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{field, fmt.Sprintf(format, args...)})
	}
	within := func(field string, v, limit int) {
		if v < 0 || v > limit {
			bad(field, "must be 0 to %d, and is %d", limit, v)
		}
	}
	within("days_ahead", s.DaysAhead, maxDaysAhead)
	within("start_buffer", s.StartBuffer, maxBuffer)
	within("end_buffer", s.EndBuffer, maxBuffer)
	switch s.ReplaceSubject {
	case ReplaceAll, ReplaceNever, ReplacePrivate:
	default:
		bad("replace_subject", "must be ALL, NEVER or PRIVATE, and is %q", s.ReplaceSubject)
	}
	if len(s.SubjectTemplate) > maxTemplate {
		bad("subject_template", "must be at most %d bytes long, and is %d", maxTemplate, len(s.SubjectTemplate))
	} else if _, err := expand(s.SubjectTemplate, func(string) string { return "" }); err != nil {
		bad("subject_template", "%v", err)
	}
	switch s.AllDay {
	case ShowAll, ShowVideo, ShowNone:
	default:
		bad("all_day", "must be all, video or none, and is %q", s.AllDay)
	}
	for i, scheme := range s.Prefer {
		switch {
		case scheme == rules.SchemeNone || scheme > rules.TEL:
			bad("prefer", "entry %d is no scheme: use https, sip, sips, h323 or tel", i+1)
		case slices.Contains(s.Prefer[:i], scheme):
			bad("prefer", "%s is there twice", scheme)
		}
	}
	return errors.Join(errs...)
}

// Window returns the span of time whose meetings are shown at now: from those
// that can still be joined to the end of the last of the days ahead, and to those
// that can already be joined. Days are those of now's time zone.
func (s *Settings) Window(now time.Time) calendar.Window {
	return calendar.Window{
		From: now.Add(-time.Duration(s.EndBuffer) * time.Minute),
		To:   later(dayAfter(now, s.DaysAhead), now.Add(time.Duration(s.StartBuffer)*time.Minute+time.Minute)),
	}
}

// dayAfter returns the end of the day that is so many days after that of t: the
// first instant of the next one. Where the clocks go forward at midnight that is
// 01:00, and time.Date has 23:00 of the day before.
func dayAfter(t time.Time, days int) time.Time {
	y, m, d := t.Date()
	end := time.Date(y, m, d+days+1, 0, 0, 0, 0, t.Location())
	if end.Hour() > 12 {
		_, end = end.ZoneBounds()
	}
	return end
}

// InZone returns an event whose calendar gives dates alone, as Microsoft Graph
// does for all-day events, as it is in loc: from midnight to midnight there. Others
// it returns as they are. [Plan] wants events of this kind.
func InZone(ev calendar.Event, loc *time.Location) calendar.Event {
	if !ev.AllDay || !isDate(ev.Start) || !isDate(ev.End) {
		return ev
	}
	first := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return dayAfter(time.Date(y, m, d, 12, 0, 0, 0, loc), -1)
	}
	ev.Start, ev.End = first(ev.Start), first(ev.End)
	return ev
}

// isDate reports whether t is a date without a time zone.
func isDate(t time.Time) bool {
	return t.Location() == time.UTC && t.Equal(t.Truncate(24*time.Hour))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Equal reports whether s and t are the same settings.
func (s *Settings) Equal(t *Settings) bool {
	return reflect.DeepEqual(s, t)
}

// templateVars are the variables of a subject template.
var templateVars = []string{"subject", "organizer_name", "organizer_email", "service"}

// expand replaces the variables of a subject template by their values. The
// values are not looked into: a subject that contains a variable shows it.
func expand(template string, value func(name string) string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, found := strings.Cut(rest, "}}")
		if !found {
			return "", errors.New("has {{ without }}")
		}
		name = strings.TrimSpace(name)
		if !slices.Contains(templateVars, name) {
			return "", fmt.Errorf("has no variable {{%s}}: use {{%s}}", name, strings.Join(templateVars, "}}, {{"))
		}
		b.WriteString(value(name))
		template = after
	}
}
