package calendar

import "log/slog"

// Secret is a passcode, password or token. Printing it, logging it or encoding
// it as JSON shows that there is one, and not which: only a conversion to
// string does.
type Secret string

const redacted = "[redacted]"

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns the same as String, quoted, for the verb %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText returns the same as String: it serves encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns the same as String: it serves log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
