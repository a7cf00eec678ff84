package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// MaxRulesSize is the most bytes of a company's rule file.
const MaxRulesSize = 1 << 20

// RuleProblem is something that is wrong in a company's rules, or that works and
// is probably not meant.
type RuleProblem struct {
	// Line and Column count from 1; Column counts characters.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Message says what is wrong and what to do, in one line.
	Message string `json:"message"`
	// Snippet is the line of the text, and below it a caret at the place.
	Snippet string `json:"snippet,omitempty"`
	// Warning is true for what works. Rules with other problems are not stored.
	Warning bool `json:"warning,omitempty"`
}

// CheckRules says what is wrong with the text of a company's rules, in the order
// of the text. It needs nobody's role: it looks at nothing but its argument.
func (c *Centre) CheckRules(text string) []RuleProblem { return checkRules(text, nil) }

func checkRules(text string, own []string) []RuleProblem {
	if strings.TrimSpace(text) == "" {
		return nil // no rules but the default pack
	}
	if len(text) > MaxRulesSize {
		return []RuleProblem{{Line: 1, Column: 1, Message: fmt.Sprintf("the rules have %d bytes; the most is %d", len(text), MaxRulesSize)}}
	}
	if p, ok := hiddenText(text); ok {
		return []RuleProblem{p}
	}
	// Without own domains Lint warns of conditions on the organizer: a caller who
	// gives only the text does not know them.
	opts := &rules.Options{OwnDomains: own}
	if own == nil {
		opts.OwnDomains = []string{"own.example"}
	}
	var out []RuleProblem
	for _, f := range rules.Lint("", []byte(text), opts) {
		out = append(out, RuleProblem{f.Line, f.Column, f.Msg, f.Snippet, f.Warning})
	}
	if !broken(out) {
		if _, err := (&Processing{Rules: text}).Engine(); err != nil {
			out = append(out, RuleProblem{Line: 1, Column: 1, Message: err.Error()})
		}
	}
	return out
}

// hiddenText finds characters that make a text show as something else than it is.
func hiddenText(text string) (RuleProblem, bool) {
	line := 0
	for l := range strings.Lines(text) {
		line++
		column := 0
		for _, r := range l {
			if column++; r != '\t' && r != '\r' && r != '\n' && !isPrintable(string(r)) && r != 0xfffd && r != 0xfeff {
				return RuleProblem{Line: line, Column: column, Message: fmt.Sprintf("the character U+%04X does not show, or turns text around; write it as \\u%04x if it is meant", r, r)}, true
			}
		}
	}
	return RuleProblem{}, false
}

func broken(problems []RuleProblem) bool {
	return slices.ContainsFunc(problems, func(p RuleProblem) bool { return !p.Warning })
}

// Engine makes the engine that p stands for: the company's rules, then the
// default pack.
func (p *Processing) Engine() (*rules.Engine, error) {
	if strings.TrimSpace(p.Rules) == "" && len(p.OwnDomains) == 0 && !p.PreferMeet {
		return rules.Default(), nil
	}
	opts := &rules.Options{OwnDomains: p.OwnDomains}
	if p.PreferMeet {
		opts.GoogleMeet = rules.GoogleMeetFirst
	}
	var list []rules.Rule
	if strings.TrimSpace(p.Rules) != "" {
		var err error
		if list, err = rules.Parse("", []byte(p.Rules)); err != nil {
			return nil, err
		}
	}
	return rules.New(list, opts)
}

// rules demands a rule file that an engine can be made of.
func (c *checks) rules(field, text string) {
	for _, p := range checkRules(text, nil) {
		if !p.Warning {
			c.fail(field, "line %d, column %d: %s", p.Line, p.Column, p.Message)
		}
	}
}

// ListedRule is a rule of a company with its place in the text.
type ListedRule struct {
	rules.Rule
	// Line is where the rule begins in the text, from 1.
	Line int `json:"line"`
	// Comment is what stands above the rule in the text, without the slashes.
	Comment string `json:"comment,omitempty"`
	// Problems are those of this rule.
	Problems []RuleProblem `json:"problems,omitempty"`
}

// RuleList returns the rules in a text in the order in which they are tried. A
// rule may have problems; a text that cannot be taken apart is an *InvalidError
// that says where.
func (c *Centre) RuleList(text string) ([]ListedRule, error) {
	f, err := parseRuleFile(text)
	if err != nil {
		return nil, err
	}
	problems := checkRules(text, nil)
	out := make([]ListedRule, len(f.units))
	for i, at := range f.tried() {
		u := f.units[at]
		first, last := f.lines(u)
		out[i] = ListedRule{Rule: u.rule, Line: first, Comment: u.comment()}
		for _, p := range problems {
			if p.Line >= first && p.Line <= last {
				out[i].Problems = append(out[i].Problems, p)
			}
		}
	}
	return out, nil
}

// RuleOp is what an edit does to the list of rules.
type RuleOp string

// The edits. Positions are those of [Centre.RuleList], from 0.
const (
	AddRule     RuleOp = "add"     // puts Rule at To
	MoveRule    RuleOp = "move"    // moves the rule At to To
	EnableRule  RuleOp = "enable"  // the rule At is tried
	DisableRule RuleOp = "disable" // the rule At stays in the list and is not tried
	ReplaceRule RuleOp = "replace" // puts Rule in place of the rule At
	DeleteRule  RuleOp = "delete"  // takes the rule At out, with its comments
)

// RuleEdit changes a list of rules in one place.
type RuleEdit struct {
	Op RuleOp `json:"op" enum:"add,move,enable,disable,replace,delete"`
	// At is the position of the rule that is changed.
	At int `json:"at,omitempty"`
	// To is where a rule comes to stand: its position in the list afterwards.
	To int `json:"to,omitempty"`
	// Rule is the new rule. AddRule and MoveRule set its priority by its place.
	Rule rules.Rule `json:"rule,omitzero"`
}

// EditRules makes an edit in the text of a company's rules and returns the new
// text. Comments stay, and so does all that the edit is not about; priorities
// change only where the new order needs it. The result may have problems: see
// CheckRules. It is no text of rules that have been stored.
//
// An edit that does not fit the list is an *InvalidError.
func (c *Centre) EditRules(text string, e RuleEdit) (string, error) {
	f, err := parseRuleFile(text)
	if err != nil {
		return "", err
	}
	var ck checks
	n := len(f.units)
	switch e.Op {
	case AddRule:
		if e.To < 0 || e.To > n {
			ck.fail("to", "is %d; it is 0 to %d", e.To, n)
		}
		if n >= maxRules {
			ck.fail("rule", "there are %d rules; the most is %d", n, maxRules)
		}
	case MoveRule, EnableRule, DisableRule, ReplaceRule, DeleteRule:
		if e.At < 0 || e.At >= n {
			ck.fail("at", "is %d; the list has %d rules, counted from 0", e.At, n)
		}
		if e.Op == MoveRule && (e.To < 0 || e.To >= n) {
			ck.fail("to", "is %d; the list has %d rules, counted from 0", e.To, n)
		}
	default:
		ck.fail("op", "%.40q is no edit", e.Op)
	}
	if err := ck.err(); err != nil {
		return "", err
	}
	f.edit(e)
	out := f.text()
	if len(out) > MaxRulesSize {
		return "", &InvalidError{[]FieldError{{"rules", fmt.Sprintf("would have %d bytes; the most is %d", len(out), MaxRulesSize)}}}
	}
	return out, nil
}

// ImportedRules is what became of rules that were brought from elsewhere.
type ImportedRules struct {
	// Text are the rules that came over, as a rule file.
	Text  string `json:"text"`
	Rules int    `json:"rules"` // in the file
	Taken int    `json:"taken"` // of them
	// Notes are what an administrator should know, in the order of the file.
	Notes []RuleProblem `json:"notes"`
}

// ImportRules reads meeting processing rules as Pexip Infinity's management API
// returns them, and makes them rules of our own. Profile selects those of one
// profile, by its resource URI or number; it may be empty if there is one.
func (c *Centre) ImportRules(text, profile string) (ImportedRules, error) {
	if len(text) > MaxRulesSize {
		return ImportedRules{}, &InvalidError{[]FieldError{{"rules", fmt.Sprintf("has %d bytes; the most is %d", len(text), MaxRulesSize)}}}
	}
	list, report, err := rules.ImportPexip("", []byte(text), profile)
	if err != nil {
		return ImportedRules{}, &InvalidError{syntaxFields(err)}
	}
	out := ImportedRules{Text: string(rules.Marshal(list)), Rules: report.Rules, Taken: report.Taken}
	for _, n := range report.Notes {
		msg := n.Msg
		if n.Rule != "" {
			msg = fmt.Sprintf("rule %q: %s", n.Rule, msg)
		}
		out.Notes = append(out.Notes, RuleProblem{n.Line, n.Column, msg, n.Snippet, !n.Lost})
	}
	return out, nil
}

// syntaxFields makes the errors of a rule file those of the field "rules".
func syntaxFields(err error) []FieldError {
	var list []error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		list = many.Unwrap()
	} else {
		list = []error{err}
	}
	out := make([]FieldError, len(list))
	for i, err := range list {
		out[i] = FieldError{"rules", err.Error()}
		if e := (*rules.SyntaxError)(nil); errors.As(err, &e) {
			out[i].Msg = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
		}
	}
	return out
}

// draft reads how a company's invites would be processed: p as it is, or, where
// it has an error, an *InvalidError.
func (c *Centre) draft(ctx context.Context, actor Actor, p *Processing) (Org, *rules.Engine, error) {
	var o Org
	err := c.store.View(ctx, func(tx Tx) (err error) {
		o, err = actor.org(tx, p.Company, ReadCompany)
		return err
	})
	if err != nil {
		return o, nil, err
	}
	if err := p.check(); err != nil {
		return o, nil, err
	}
	engine, err := p.Engine()
	if err != nil {
		return o, nil, &InvalidError{syntaxFields(err)}
	}
	return o, engine, nil
}
