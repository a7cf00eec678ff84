package control

import (
	"fmt"
	"slices"
	"strings"
)

// SystemKinds are all kinds of video system.
var SystemKinds = [...]SystemKind{CiscoHTTPS, CiscoWebSocket, CiscoWebex, CiscoMacro, CiscoTMS, Poly, Feed, Webhook}

// Calls reports whether systems of this kind call the service, with credentials
// that it generates.
func (k SystemKind) Calls() bool {
	return k == CiscoMacro || k == CiscoTMS || k == Poly || k == Feed
}

// Generates reports whether the service generates the password of systems of this
// kind: that of a device that calls, or the key that what it is sent is signed
// with. The others have one of their own.
func (k SystemKind) Generates() bool { return k.Calls() || k == Webhook }

// systemFields are the fields of each kind besides name, mailbox, group and what
// all have.
var systemFields = map[SystemKind][]string{
	CiscoHTTPS:     {"host", "user", "password", "fingerprint", "take_over", "webrtc", "push", "max_bookings", "encryption", "feedback_slot"},
	CiscoWebSocket: {"host", "user", "password", "fingerprint", "take_over", "webrtc", "max_bookings", "encryption", "socket_auth"},
	CiscoWebex:     {"device_id", "password", "take_over", "webrtc", "max_bookings", "encryption"},
	CiscoMacro:     {"take_over", "quiet_alarms", "webrtc", "max_bookings", "encryption"},
	CiscoTMS:       {"mac", "serial", "quiet_alarms", "webrtc", "max_bookings", "encryption", "explicit_empty"},
	Poly:           {"quiet_alarms", "token_form"},
	Feed:           {"quiet_alarms"},
	Webhook:        {"url"},
}

// Has reports whether systems of this kind have a field, by its JSON name.
func (k SystemKind) Has(field string) bool { return slices.Contains(systemFields[k], field) }

// The values of System.Push.
const (
	PushBookings = "bookings-put"
	PushLegacy   = "bookingsputxml"
)

// SystemValues are the values, besides none, of the fields of a system that have a
// few.
var SystemValues = map[string][]string{
	"push": {PushBookings, PushLegacy}, "webrtc": {"on", "off"}, "encryption": {"On", "Off"}, "socket_auth": {"subprotocol"},
	"token_form": {"full", "split", "none"}, "feedback_slot": {"1", "2", "4"},
}

// MaxMaxBookings is the most that System.MaxBookings may be.
const MaxMaxBookings = 1000

// different checks the fields for devices that differ.
func (c *checks) different(s *System) {
	number := ""
	if s.FeedbackSlot != 0 {
		number = fmt.Sprint(s.FeedbackSlot)
	}
	for _, f := range []struct{ name, value string }{
		{"push", s.Push}, {"webrtc", s.WebRTC}, {"encryption", s.Encryption}, {"socket_auth", s.SocketAuth}, {"token_form", s.TokenForm}, {"feedback_slot", number},
	} {
		switch values := SystemValues[f.name]; {
		case f.value == "":
		case !s.Kind.Has(f.name):
			c.fail(f.name, "is not for systems of the kind %s", s.Kind)
		case !slices.Contains(values, f.value):
			c.fail(f.name, "%.40q is none of: %s", f.value, strings.Join(values, ", "))
		}
	}
	switch {
	case s.MaxBookings == 0:
	case !s.Kind.Has("max_bookings"):
		c.fail("max_bookings", "is not for systems of the kind %s", s.Kind)
	case s.MaxBookings < 0 || s.MaxBookings > MaxMaxBookings:
		c.fail("max_bookings", "is %d; it is 1 to %d", s.MaxBookings, MaxMaxBookings)
	}
	if s.ExplicitEmpty && !s.Kind.Has("explicit_empty") {
		c.fail("explicit_empty", "is not for systems of the kind %s", s.Kind)
	}
	if s.URL != "" && !s.Kind.Has("url") {
		c.fail("url", "is not for systems of the kind %s", s.Kind)
	}
}
