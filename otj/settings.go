package otj

import "github.com/onetouchjoin/onetouchjoin/rules"

// Settings say what of a room's calendar its device shows. [DefaultSettings]
// has the defaults; decode JSON onto a copy of them.
type Settings struct {
	// DaysAhead is how far into the future meetings are shown, 0 to 365; 0 is
	// today only. Default 7.
	DaysAhead int `json:"days_ahead"`
	// StartBuffer and EndBuffer are the minutes before and after a meeting in
	// which it can be joined, 0 to 180. Defaults 5 and 0.
	StartBuffer int `json:"start_buffer"`
	EndBuffer   int `json:"end_buffer"`

	// NonVideo shows meetings without an address, without a button. Default true.
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
	// name.
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
	// it the one that was there first stays, the others are left out. Default
	// true.
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
