package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) auditRoutes() {
	c.inOrg("GET /o/{org}/audit", control.ReadAudit, c.audit)
}

// auditLine is a line of the audit log as the page shows it.
type auditLine struct {
	control.AuditEntry
	Kind    string
	What    string
	Changes []difference
}

// difference is a field that a change has changed.
type difference struct{ Field, Before, After string }

func (c *Console) audit(r *request) error {
	p, err := c.centre.Audit(r.Context(), r.actor, r.org.ID, r.URL.Query().Get("after"), 50)
	if err != nil {
		return err
	}
	var data struct {
		Lines []auditLine
		Pager pager
	}
	for _, e := range p.Items {
		line := auditLine{AuditEntry: e, Kind: hint("audit.kind." + e.Object), What: hint("audit.what." + e.What), Changes: differences(e.Before, e.After)}
		if name := nameIn(e.After, e.Before); name != "" {
			line.Name = name
		}
		if line.Kind == "" {
			line.Kind = e.Object
		}
		if line.What == "" {
			line.What = e.What
		}
		data.Lines = append(data.Lines, line)
	}
	if r.URL.Query().Has("after") {
		data.Pager.First = r.URL.Path
	}
	if p.Next != "" {
		data.Pager.Next = r.URL.Path + "?after=" + url.QueryEscape(p.Next)
	}
	return r.show(page{Template: "audit", Title: text("menu.audit"), Data: data})
}

// nameIn returns the name of an object as it was typed, from the first of its
// states that has one: the entry has it in lower case.
func nameIn(states ...json.RawMessage) string {
	for _, data := range states {
		var v struct{ Name string }
		if json.Unmarshal(data, &v) == nil && v.Name != "" {
			return v.Name
		}
	}
	return ""
}

// silent are fields that change with every change, or say what the line says.
var silent = []string{"id", "revision", "created", "changed", "company", "org"}

// differences compares two objects field by field. Either may be missing.
func differences(before, after json.RawMessage) []difference {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil && before != nil || json.Unmarshal(after, &b) != nil && after != nil {
		return nil
	}
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []difference
	for _, name := range names {
		if slices.Contains(silent, name) || bytes.Equal(a[name], b[name]) {
			continue
		}
		d := difference{name, plain(a[name]), plain(b[name])}
		if d.Before != d.After {
			out = append(out, d)
		}
	}
	return out
}

// mostShown is how many bytes of a value the log shows.
const mostShown = 300

// plain is a JSON value for people: texts without quotes; nothing for what is not
// set.
func plain(v json.RawMessage) string {
	var s string
	switch text := string(v); text {
	case "", "null", "false", "0", `""`, "[]":
		return ""
	default:
		if json.Unmarshal(v, &s) != nil {
			s = text
		}
	}
	if len(s) > mostShown {
		s = s[:mostShown] + "…"
	}
	return s
}
