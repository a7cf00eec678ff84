package control

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Where the objects are kept: kind, organization, unique key.

func (m *Meta) meta() *Meta { return m }

func (o *Org) place() (kind, owner, key string)    { return "org", o.Partner, "" }
func (u *User) place() (kind, owner, key string)   { return "user", u.Org, u.Email }
func (t *Tenant) place() (kind, owner, key string) { return "tenant", t.Company, t.Domain }
func (m *Mailbox) place() (kind, owner, key string) {
	return "mailbox", m.Company, naturalKey(m.Address)
}
func (p *Provider) place() (kind, owner, key string) {
	return "provider", p.Company, naturalKey(p.Name)
}
func (p *Processing) place() (kind, owner, key string) { return "processing", p.Company, "processing" }
func (s *System) place() (kind, owner, key string) {
	return "system", s.Company, naturalKey(s.Name)
}
func (g *Group) place() (kind, owner, key string) { return "group", g.Company, naturalKey(g.Name) }

// What people call the objects, for the audit log.

func (o *Org) title() string        { return o.Name }
func (u *User) title() string       { return u.Email }
func (t *Tenant) title() string     { return t.Domain }
func (m *Mailbox) title() string    { return m.Address }
func (p *Provider) title() string   { return p.Name }
func (p *Processing) title() string { return "processing" }
func (s *System) title() string     { return s.Name }
func (g *Group) title() string      { return g.Name }
func (h *AlarmHook) title() string  { return h.Name }
func (t *Token) title() string      { return t.Name }
func (e *AuditEntry) title() string { return e.Name }

// formatCursor writes a place in a list as text that a URL can hold.
func formatCursor(c Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.ID + "/" + c.Key))
}

// parseCursor reads what formatCursor has written.
func parseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	id, key, ok := strings.Cut(string(text), "/")
	if err != nil || !ok || !utf8.Valid(text) {
		return Cursor{}, &InvalidError{[]FieldError{{"after", fmt.Sprintf("%.20q is not from a list; take the value of next", s)}}}
	}
	return Cursor{key, id}, nil
}

// isPrintable reports whether s is one line of text that shows as it is: no
// control characters, and no marks that turn the direction of text around.
func isPrintable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 {
			return false
		}
	}
	return true
}
