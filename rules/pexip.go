package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// pexipRule is a meeting processing rule of Pexip Infinity's management API
// (/api/admin/configuration/v1/mjx_meeting_processing_rule/), version 38 to 41.
type pexipRule struct {
	ID                int    `json:"id"`
	ResourceURI       string `json:"resource_uri"`
	Integration       any    `json:"mjx_integration"`
	Name              string `json:"name"`
	Description       string `json:"description"`
	Priority          int    `json:"priority"`
	Enabled           *bool  `json:"enabled"`
	MeetingType       string `json:"meeting_type"`
	DefaultProcessing *bool  `json:"default_processing_enabled"`
	Transform         string `json:"transform_rule"`
	Match             string `json:"match_string"`
	Replace           string `json:"replace_string"`
	Template          string `json:"custom_template"`
	Domain            string `json:"domain"`
	CompanyID         string `json:"company_id"`
	IncludePIN        bool   `json:"include_pin"`
}

// ImportReport says what became of the rules of an import.
type ImportReport struct {
	// Rules is how many rules the file has, and Taken how many came over.
	Rules, Taken int
	// Notes are what an administrator should know, in the order of the file.
	Notes []ImportNote
}

// ImportNote is about one rule of an import.
type ImportNote struct {
	Finding
	// Rule is the rule's name, and Lost whether the rule did not come over.
	Rule string
	Lost bool
}

// ImportPexip reads meeting processing rules as Pexip Infinity's management API
// returns them: {"meta": …, "objects": […]}, a single object, or a list. It
// returns those that work here, in the order in which they are tried, and a
// report of the others and of all that is different.
//
// A rule that does not work here is left out and in the report, with the reason
// and its place; that is no error. The error is for a file that is none of the
// API's, and joins a *[SyntaxError] for each thing that is wrong.
//
// The API has one list for all profiles ("mjx_integration"), each with its own
// rules: profile selects one by its resource URI or number. It may be empty if
// the file has rules of one profile only.
func ImportPexip(name string, data []byte, profile string) ([]Rule, *ImportReport, error) {
	doc, err := jsonc.Parse(name, data)
	if err != nil {
		return nil, nil, joined(findings(err))
	}
	list, report, err := importPexip(doc, profile)
	if err != nil {
		return nil, nil, joined(findings(err))
	}
	return list, report, nil
}

// importPexip is ImportPexip with errors of package jsonc.
func importPexip(doc *jsonc.Doc, profile string) ([]Rule, *ImportReport, error) {
	all, base, unknown, err := decodePexip(doc)
	if err != nil {
		return nil, nil, err
	}
	im := importer{doc: doc, report: &ImportReport{}, names: map[string]bool{}}
	for _, u := range unknown {
		u.Msg += " of the API: it is left out"
		im.report.Notes = append(im.report.Notes, ImportNote{Finding: Finding{SyntaxError(*u), true}})
	}
	if err := im.run(all, base, profile); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(im.rules, func(a, b Rule) int { return a.Priority - b.Priority })
	return im.rules, im.report, nil
}

// decodePexip decodes a list, an answer with one, or one rule. The base is the
// pointer to the list; it is "-" for a single rule.
func decodePexip(doc *jsonc.Doc) (all []pexipRule, base string, unknown jsonc.Errors, err error) {
	switch {
	case doc.Kind() == '[':
		unknown, err = doc.DecodeKnown(&all)
		return all, "", unknown, err
	case doc.Has("/objects"):
		var page struct {
			Meta struct {
				Limit    any `json:"limit"`
				Next     any `json:"next"`
				Offset   any `json:"offset"`
				Previous any `json:"previous"`
				Total    int `json:"total_count"`
			} `json:"meta"`
			Objects []pexipRule `json:"objects"`
		}
		unknown, err = doc.DecodeKnown(&page)
		if err == nil && page.Meta.Total > len(page.Objects) {
			err = doc.Errorf("/meta/total_count", "the file has %d of %d rules; ask the API for all, with ?limit=%d. If you took the others out on purpose, take \"meta\" out too", len(page.Objects), page.Meta.Total, page.Meta.Total)
		}
		return page.Objects, "/objects", unknown, err
	case doc.Has("/meeting_type"):
		var one pexipRule
		unknown, err = doc.DecodeKnown(&one)
		return []pexipRule{one}, "-", unknown, err
	}
	return nil, "", nil, doc.Errorf("", "no meeting processing rules of Pexip Infinity: there is neither \"objects\" nor \"meeting_type\"")
}

type importer struct {
	doc    *jsonc.Doc
	set    rebound.Set
	rules  []Rule
	report *ImportReport
	names  map[string]bool
}

func (im *importer) run(all []pexipRule, base, profile string) error {
	profiles := map[string]bool{}
	for _, p := range all {
		profiles[fmt.Sprint(p.Integration)] = true
	}
	if profile == "" && len(profiles) > 1 {
		var names []string
		for p := range profiles {
			if p == "<nil>" {
				p = "none"
			}
			names = append(names, p)
		}
		slices.Sort(names)
		return im.doc.Errorf("", "the file has rules of %d profiles, and each has its own; keep those with one \"mjx_integration\" of: %s", len(names), strings.Join(names, ", "))
	}
	for i := range all {
		p := &all[i]
		at := fmt.Sprintf("%s/%d", base, i)
		if base == "-" {
			at = ""
		}
		if uri := fmt.Sprint(p.Integration); profile != "" && uri != profile && !strings.HasSuffix(strings.Trim(uri, "/"), "/"+profile) {
			continue
		}
		im.report.Rules++
		im.rule(p, at)
	}
	if im.report.Rules == 0 && profile != "" {
		return im.doc.Errorf("", "no rule of the profile %q in the file", profile)
	}
	return nil
}

func (im *importer) note(p *pexipRule, at, field string, lost bool, offset int, format string, args ...any) {
	if field != "" {
		at += "/" + field
	}
	e := im.doc.ErrorIn(at, offset, fmt.Sprintf(format, args...))
	if offset == 0 {
		e = im.doc.Errorf(at, format, args...)
	}
	im.report.Notes = append(im.report.Notes, ImportNote{Finding{SyntaxError(*e), !lost}, p.Name, lost})
}

// apiFields are the API's names of our members.
var apiFields = map[string]string{
	"type": "meeting_type", "transform": "transform_rule", "match": "match_string", "replace": "replace_string", "template": "custom_template",
}

// rule takes one rule over. The API returns all members of all types; those
// that the type does not have are left out, with a note if they say something.
func (im *importer) rule(p *pexipRule, at string) {
	r := Rule{
		Name: p.Name, Description: p.Description, Priority: p.Priority, Type: Type(p.MeetingType),
		Disabled: p.Enabled != nil && !*p.Enabled,
	}
	info := typeInfo(r.Type)
	if info == nil {
		im.note(p, at, "meeting_type", true, 0, "the meeting type %q is not known here", p.MeetingType)
		return
	}
	if im.names[r.Name] {
		im.note(p, at, "name", true, 0, "another rule has the name %q", r.Name)
		return
	}
	byDefault := p.DefaultProcessing == nil || *p.DefaultProcessing
	has := func(member string) bool {
		return slices.Contains(info.needs, member) || slices.Contains(info.takes, member)
	}
	take := func(member, value string, into *string, used bool) {
		switch {
		case value == "":
		case used && has(member):
			*into = value
		default:
			field := member
			if f, ok := apiFields[member]; ok {
				field = f
			}
			why := "the type " + p.MeetingType + " does not use it"
			if member == "transform" && byDefault {
				why = "default processing is on"
			}
			im.note(p, at, field, false, 0, "%s is left out: %s", field, why)
		}
	}
	take("transform", p.Transform, &r.Transform, !byDefault)
	take("match", p.Match, &r.Match, true)
	take("replace", p.Replace, &r.Replace, true)
	take("template", p.Template, &r.Template, true)
	take("domain", p.Domain, &r.Domain, true)
	take("company_id", p.CompanyID, &r.CompanyID, true)
	if r.IncludePIN = p.IncludePIN && has("include_pin"); r.IncludePIN != p.IncludePIN {
		im.note(p, at, "include_pin", false, 0, "include_pin is left out: the type %s does not use it", p.MeetingType)
	}
	if !byDefault && has("transform") && p.Transform == "" {
		im.note(p, at, "transform_rule", true, 0, "default processing is off and there is no transform_rule, so the rule yields nothing")
		return
	}
	if byDefault && info.transform != "" && info.typ != TypeDomain {
		im.note(p, at, "meeting_type", false, 0, "the vendor's default transform of %s is not published; here it is %s", p.MeetingType, info.transform)
	}
	_, problems := inspect(&r, &Options{OwnDomains: []string{"-"}}, &im.set)
	lost := false
	for _, pr := range problems {
		field := pr.field
		if f, ok := apiFields[field]; ok {
			field = f
		}
		im.note(p, at, field, !pr.warn, pr.offset, "%s", pr.msg)
		lost = lost || !pr.warn
	}
	if lost {
		return
	}
	im.names[r.Name] = true
	im.rules = append(im.rules, r)
	im.report.Taken++
}
