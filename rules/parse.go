package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// maxRules is how many rules a file may have. Priorities go to 200.
const maxRules = 200

// SyntaxError is one thing that is wrong in a rule file, and where.
type SyntaxError struct {
	// File is the name that was given to Parse. It may be empty.
	File string
	// Line and Column count from 1. Column counts characters, not bytes.
	Line, Column int
	// Msg says what is wrong and what to do. It is one line.
	Msg string
	// Snippet is the line of the file, and below it a caret at the place.
	Snippet string
}

// Error returns file, line, column and message on one line, without the
// snippet.
func (e *SyntaxError) Error() string {
	return (&jsonc.Error{File: e.File, Line: e.Line, Column: e.Column, Msg: e.Msg}).Error()
}

// Finding is what Lint has to say about a place in a rule file.
type Finding struct {
	SyntaxError
	// Warning is true for what works and is probably not meant. Other findings
	// are errors: the file cannot be used.
	Warning bool
}

// Parse reads a rule file: JSON with comments, a list of rules whose members
// are those of [Rule]. The name is for errors. It also reads meeting processing
// rules as Pexip Infinity's management API returns them, if all of them work
// here; see [ImportPexip] for the others.
//
// The rules come in the order of the file. The error joins a *[SyntaxError] for
// each thing that is wrong, in the order of the file; there are no rules then.
func Parse(name string, data []byte) ([]Rule, error) {
	list, found := parse(name, data, nil)
	if err := joined(found); err != nil {
		return nil, err
	}
	return list, nil
}

// joined joins findings to an error, which is nil if none is an error.
func joined(found []Finding) error {
	var errs []error
	for i := range found {
		if !found[i].Warning {
			errs = append(errs, &found[i].SyntaxError)
		}
	}
	return errors.Join(errs...)
}

// Lint checks a rule file as Parse does, and for what works and is probably not
// meant. The options are those that the rules would be used with; nil is the
// default. The findings are in the order of the file.
func Lint(name string, data []byte, opts *Options) []Finding {
	if opts == nil {
		opts = &Options{}
	}
	_, found := parse(name, data, opts)
	return found
}

// Marshal writes rules as a rule file. Parse reads it back.
func Marshal(list []Rule) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if list == nil {
		list = []Rule{}
	}
	if err := enc.Encode(list); err != nil {
		panic(err) // a Rule has strings, numbers, booleans and lists of them only
	}
	return b.Bytes()
}

func suggest(name string, known []string) string { return jsonc.Suggest(name, known) }

// parse decodes and checks a file. With opts it adds warnings.
func parse(name string, data []byte, opts *Options) ([]Rule, []Finding) {
	doc, err := jsonc.Parse(name, data)
	if err != nil {
		return nil, findings(err)
	}
	if doc.Has("/objects") || doc.Has("/meeting_type") || doc.Has("/0/meeting_type") {
		return parsePexip(doc, opts)
	}
	if doc.Kind() == '{' {
		return nil, findings(doc.Errorf("", "a rule file is a list of rules: [ {…}, {…} ]"))
	}
	var list []Rule
	l := linter{doc: doc, opts: opts}
	if err := doc.Decode(&list); err != nil {
		// What could be decoded is checked all the same.
		l.undecoded = findings(err)
		l.found = slices.Clone(l.undecoded)
	}
	if len(list) > maxRules {
		l.add(fmt.Sprintf("/%d", maxRules), problem{msg: fmt.Sprintf("the file has %d rules; at most %d are allowed", len(list), maxRules)})
		return nil, l.found
	}
	l.rules(list)
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return list, l.found
}

// parsePexip imports a file of Pexip Infinity's. A rule that does not come over
// is an error here: a rule file is used whole or not at all.
func parsePexip(doc *jsonc.Doc, opts *Options) ([]Rule, []Finding) {
	list, report, err := importPexip(doc, "")
	if err != nil {
		return nil, findings(err)
	}
	var found []Finding
	for _, n := range report.Notes {
		if n.Warning && opts == nil {
			continue
		}
		f := n.Finding
		if n.Rule != "" {
			f.Msg = fmt.Sprintf("rule %q: %s", n.Rule, f.Msg)
		}
		found = append(found, f)
	}
	return list, found
}

// findings converts errors of package jsonc.
func findings(err error) []Finding {
	var many jsonc.Errors
	var one *jsonc.Error
	switch {
	case errors.As(err, &many):
	case errors.As(err, &one):
		many = jsonc.Errors{one}
	}
	out := make([]Finding, len(many))
	for i, e := range many {
		out[i] = Finding{SyntaxError: SyntaxError(*e)}
	}
	return out
}

type linter struct {
	doc   *jsonc.Doc
	opts  *Options
	found []Finding
	// undecoded is what could not be decoded. Of such a rule only members that
	// are in the file are checked: what is missing may be what is misspelt.
	undecoded []Finding
	partial   bool // the rule that is checked is such a one
}

// broken reports whether something of a rule could not be decoded.
func (l *linter) broken(rule int) bool {
	from, to := l.doc.Errorf(fmt.Sprintf("/%d", rule), ""), l.doc.Errorf(fmt.Sprintf("/%d", rule+1), "")
	last := !l.doc.Has(fmt.Sprintf("/%d", rule+1))
	return slices.ContainsFunc(l.undecoded, func(f Finding) bool {
		return !before(f, SyntaxError(*from)) && (last || before(f, SyntaxError(*to)))
	})
}

// before reports whether a finding stands before a place.
func before(f Finding, at SyntaxError) bool {
	return f.Line < at.Line || f.Line == at.Line && f.Column < at.Column
}

// add records a problem of the value at a pointer.
func (l *linter) add(pointer string, p problem) {
	if p.warn && l.opts == nil {
		return
	}
	if p.field != "" {
		pointer += "/" + p.field
	}
	if l.partial && (p.field == "" || !l.doc.Has(pointer)) {
		return
	}
	e := l.doc.ErrorIn(pointer, p.offset, p.msg)
	if p.offset == 0 {
		e = l.doc.Errorf(pointer, "%s", p.msg)
	}
	if slices.ContainsFunc(l.undecoded, func(f Finding) bool { return f.Line == e.Line && f.Column == e.Column }) {
		return // the value is not there at all, and that is said
	}
	l.found = append(l.found, Finding{SyntaxError: SyntaxError(*e), Warning: p.warn})
}

func (l *linter) rules(list []Rule) {
	set := &rebound.Set{}
	names, priorities := map[string]int{}, map[int]int{}
	for i := range list {
		r := &list[i]
		at := fmt.Sprintf("/%d", i)
		l.partial = l.broken(i)
		problems := check(r, l.opts, set)
		if first, ok := names[r.Name]; ok && r.Name != "" {
			problems = append(problems, problem{field: "name", msg: fmt.Sprintf("%q is also the name of rule %d", r.Name, first+1)})
		} else {
			names[r.Name] = i
		}
		if first, ok := priorities[r.Priority]; ok && r.Priority != 0 {
			problems = append(problems, problem{field: "priority", warn: true,
				msg: fmt.Sprintf("rule %d, %q, has the same priority; of the two it comes first because it stands first", first+1, list[first].Name)})
		} else {
			priorities[r.Priority] = i
		}
		if r.Disabled {
			problems = append(problems, problem{field: "disabled", msg: "the rule is disabled: it is checked, and never tried", warn: true})
		}
		for _, p := range problems {
			l.add(at, p)
		}
	}
}

// check says what is wrong with a rule of any type.
func check(r *Rule, opts *Options, set *rebound.Set) []problem {
	if r.Type != TypeLink {
		_, problems := inspect(r, opts, set)
		return problems
	}
	in := inspector{r: r, set: set, opts: opts}
	in.common()
	in.problems = append(in.problems, linkProblems(r)...)
	for _, g := range []struct {
		field string
		there bool
	}{
		{"match", r.Match != ""}, {"replace", r.Replace != ""}, {"transform", r.Transform != ""}, {"template", r.Template != ""},
		{"domain", r.Domain != ""}, {"company_id", r.CompanyID != ""}, {"include_pin", r.IncludePIN},
	} {
		if g.there {
			in.errorf(g.field, "%q has no effect in a rule of type %s; remove it", g.field, TypeLink)
		}
	}
	return in.problems
}
