package console

import (
	"strconv"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// different are the fields for devices that differ from what is known of them, in
// the order of the form.
var different = []string{"webrtc", "push", "max_bookings", "encryption", "feedback_slot", "socket_auth", "explicit_empty", "token_form"}

// Different are those of them that the kind has.
func (s system) Different() (out []string) {
	for _, name := range different {
		if s.Has(name) {
			out = append(out, name)
		}
	}
	return out
}

// Differs are those of them that are set, with their values.
func (s system) Differs() (out []setting) {
	f := differentForm(s.System)
	for _, name := range different {
		if v := f.get(name); v != "" {
			out = append(out, setting{text("systems." + name), valueName(name, v)})
		}
	}
	return out
}

// valueName is what people call a value of a field.
func valueName(field, value string) string {
	if field == "explicit_empty" {
		return text("systems.yes")
	}
	if name := hint("systems." + field + "." + value); name != "" {
		return name
	}
	return value
}

// Values are the choices of a field that has a few.
func (s system) Values(field string) []option {
	out := []option{{"", text("systems." + field + ".auto"), ""}}
	for _, v := range control.SystemValues[field] {
		out = append(out, option{v, valueName(field, v), ""})
	}
	return out
}

// differentForm has what is set of the fields for devices that differ.
func differentForm(s control.System) *form {
	f := newForm("webrtc", s.WebRTC, "push", s.Push, "encryption", s.Encryption, "socket_auth", s.SocketAuth, "token_form", s.TokenForm)
	for name, n := range map[string]int{"max_bookings": s.MaxBookings, "feedback_slot": s.FeedbackSlot} {
		if n != 0 {
			f.Values.Set(name, strconv.Itoa(n))
		}
	}
	if s.ExplicitEmpty {
		f.Values.Set("explicit_empty", "on")
	}
	return f
}

// Open reports whether the fields for devices that differ are to be seen at once:
// one of them is set, or wrong.
func (s system) Open(f *form) bool {
	for _, name := range s.Different() {
		if f.get(name) != "" || f.Error(name) != "" {
			return true
		}
	}
	return false
}
