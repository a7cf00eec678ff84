// Package rules finds the address that a meeting is joined by in a calendar
// event.
//
// It is the second stage on the way from a calendar to a Join button: package
// calendar hands it an event, it hands package otj a [Match]. An [Engine] is
// built once from a list of rules and is then immutable; [Default] has the
// rules that come with the package.
//
// # From an event to a match
//
//  1. Each field is searched for links and addresses: the calendar's own data,
//     location, subject, body. The search goes by slashes and at-signs, and
//     compares hosts from the right, label by label. Nothing is decoded before a
//     host is known, so a text without a meeting costs one look at its bytes.
//  2. A candidate is decoded as a reader of mail would: character references,
//     invisible signs, tags inside of it, lines that mail has cut. What
//     surrounds it in a sentence is cut off.
//  3. Links that a security gateway has rewritten are opened, one in the other,
//     and so are pages that only start an app. See [Unwrap]. Only known wrappers
//     are opened: a link inside any other link's query is none. A working join
//     path is kept as it stands; only scheme and host are put in lower case, and
//     a root dot is taken off.
//  4. The rules say which service the link is of, and the meeting's number.
//  5. Where something was found, the body is read as text: numbers, passcodes
//     and the addresses for video devices are attached to the meeting that they
//     stand beside. A meeting whose link a gateway hides is rebuilt from them.
//  6. Meetings are ranked: the better field first, then the earlier position. In
//     the body a link in a signature comes after the others: people have their
//     personal room there. Of two links to one meeting the one with a passcode is
//     taken.
//
// [Engine.Explain] shows these steps for one event, and [Engine.Why] says in a
// few words why there is nothing.
//
// # Limits
//
// Of a field 1 MB is searched, of a body 256 KB are read as text; a link may
// have 8 KB, six wrappers around it, and an event 256 links and addresses. What
// is beyond them is left out, and Explain and Why say so.
//
// # What it does not do
//
// It asks no server: a link that Mimecast or another gateway keeps to itself
// stays closed. It does not guess encodings: transfer encodings and charsets are
// undone before a text becomes an event. Jitsi, Pexip, Cisco Meeting Server and
// Skype for Business on a customer's own host are known by their paths, and
// other services there need a rule. Labels are known in some twenty languages;
// in others a Teams meeting's number and passcode are known by their shape.
package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Match is one meeting found in an event, with every way to join it that the
// invite offers.
type Match struct {
	// Service is the lower-case name of the meeting service: "teams", "zoom",
	// "webex", "meet", … or "sip" for a bare address.
	Service string
	// Rule is the name of the rule that found the meeting.
	Rule string
	// Field is where in the event it was found, and Span where in that field.
	Field Field
	Span  Span
	// MeetingID is the service's number or name of the meeting, without spaces.
	MeetingID string
	// Passcode is what a person types when asked for it. It is not the token
	// that a link carries.
	Passcode calendar.Secret
	// Addresses are the ways to join, the best first. There is at least one.
	Addresses []Address
}

// Hide takes the passcode of the meeting out of a text, wherever a rule has put it.
// It is for texts of its addresses: their String hides what is where passcodes
// usually are.
func (m *Match) Hide(text string) string {
	if len(m.Passcode) < 3 { // it would be in half of all words
		return text
	}
	return strings.ReplaceAll(text, string(m.Passcode), redactedText)
}

// Address is one way to join a meeting. Two addresses are the same if they are
// equal with ==. The zero Address is none.
//
// String and the encodings hide passcodes, also those inside the URI.
type Address struct {
	Scheme Scheme
	// URI is complete, as in "https://zoom.us/j/123?pwd=abc",
	// "sip:123.456@zoomcrc.com", "h323:192.0.2.1##123" or "tel:+15550100".
	URI string
}

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a == Address{} }

// Scheme is the protocol of an address.
type Scheme uint8

// The schemes. SchemeNone is that of the zero Address.
const (
	SchemeNone Scheme = iota
	HTTPS
	SIP
	SIPS
	H323
	TEL
)

var schemes = [...]string{"", "https", "sip", "sips", "h323", "tel"}

// String returns the scheme in lower case, without a colon; "" for SchemeNone.
func (s Scheme) String() string {
	if int(s) < len(schemes) {
		return schemes[s]
	}
	return "invalid"
}

// MarshalText returns the same as String: it serves encoding/json.
func (s Scheme) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText; "" is SchemeNone.
func (s *Scheme) UnmarshalText(text []byte) error {
	i := slices.Index(schemes[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown scheme %q: use https, sip, sips, h323 or tel", text)
	}
	*s = Scheme(i)
	return nil
}

// Field is the part of an event that a match comes from. A lower value is a
// better field.
type Field uint8

// The fields, best first.
const (
	FieldLink     Field = iota + 1 // calendar.Event.Links, but for the URL property
	FieldURL                       // the URL property of an iCalendar event
	FieldLocation                  // calendar.Event.Location
	FieldSubject                   // calendar.Event.Subject
	FieldBody                      // the invite's own text
	FieldQuoted                    // text of the body that quotes an older message
)

var fields = [...]string{"", "structured", "url", "location", "subject", "body", "quoted"}

// String returns the field's name, as in "location".
func (f Field) String() string {
	if int(f) < len(fields) {
		return fields[f]
	}
	return "invalid"
}

// Span is a range of bytes in the text of a field as the event has it, before
// anything was decoded or unwrapped: text[Start:End].
type Span struct {
	// Source says which text it is where a field has several: the link's Source
	// for FieldLink, "html" or "plain" for a body. It is empty otherwise.
	Source     string
	Start, End int
}
