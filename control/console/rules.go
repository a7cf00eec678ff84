package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func (c *Console) ruleRoutes() {
	c.inOrg("GET /o/{org}/rules", control.ReadCompany, c.rules)
	c.inOrg("POST /o/{org}/rules", control.ReadCompany, c.editRules)
}

// draft is what the pages about rules carry along: the text of the rules as
// edited so far, which nobody but the browser keeps until it is saved.
type draft struct {
	control.Processing
	stored string // the text that is stored
	// At is the rule that a form is about, or -1 for a new one; it has Type.
	At   int
	Type rules.Type
}

// Changed reports whether there is something to save.
func (d *draft) Changed() bool { return d.Rules != d.stored }

// Rev is the revision that the draft was made of.
func (d *draft) Rev() string { return strconv.FormatInt(d.Revision, 10) }

// ruleList is the page with the list of rules.
type ruleList struct {
	*draft
	List     []listedRule
	Types    []option
	Problems []control.RuleProblem // of no rule in particular
	Trial    *trial
	Systems  []option
	Secrets  bool // whether passcodes may be asked for
}

// listedRule is a rule of the list, with what its row needs.
type listedRule struct {
	control.ListedRule
	At          int
	First, Last bool
	About       string
}

// Notable are the problems of the rule that its row does not show anyway.
func (l listedRule) Notable() []control.RuleProblem {
	return slices.DeleteFunc(slices.Clone(l.Problems), func(p control.RuleProblem) bool { return p.Warning && l.Disabled })
}

func (c *Console) rules(r *request) error {
	d, err := c.stored(r)
	if err != nil {
		return err
	}
	return c.showRules(r, d, newForm(), nil)
}

// stored returns a draft of what is stored.
func (c *Console) stored(r *request) (*draft, error) {
	p, err := c.centre.Processing(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return nil, err
	}
	return &draft{Processing: p, stored: p.Rules, At: -1}, nil
}

// sentDraft returns the draft that a form has brought back.
func (c *Console) sentDraft(r *request, f *form) (*draft, error) {
	d, err := c.stored(r)
	if err != nil {
		return nil, err
	}
	d.Rules = strings.ReplaceAll(f.get("text"), "\r\n", "\n")
	d.Revision = f.revision()
	return d, nil
}

// editRules does what the button that was pressed says: its value is an
// operation and, after colons, the positions that it is about.
func (c *Console) editRules(r *request) error {
	f := r.sent()
	d, err := c.sentDraft(r, f)
	if err != nil {
		return err
	}
	op, args, _ := strings.Cut(f.get("op"), ":")
	at, to := positions(args)
	edit := control.RuleEdit{At: at, To: to}
	switch op {
	case "up", "down", "move":
		edit.Op = control.MoveRule
		switch op {
		case "up":
			edit.To = at - 1
		case "down":
			edit.To = at + 1
		}
	case "on":
		edit.Op = control.EnableRule
	case "off":
		edit.Op = control.DisableRule
	case "delete":
		edit.Op = control.DeleteRule
	case "edit", "add":
		return c.openRule(r, d, op, at, rules.Type(f.get("type")))
	case "put":
		return c.putRule(r, d, f, at)
	case "text":
		return c.showRuleText(r, d, f)
	case "check":
		return c.showRuleText(r, d, f)
	case "import":
		return c.importRules(r, d, f)
	case "test":
		return c.tryRules(r, d, f)
	case "save", "savetext":
		return c.saveRules(r, d, f, op == "savetext")
	case "preview":
		values := url.Values{"text": {d.Rules}, "revision": {d.Rev()}}
		err := c.showChange(r, d.Processing, changePage{To: r.path("rules"), Values: values, Save: "save", Back: "list"}, "rules")
		if f.failedProcessing(err) {
			f.about("")
			return c.showRules(r, d, f, nil)
		}
		return err
	default: // "list": back to the list
		if _, err := c.centre.RuleList(d.Rules); err != nil {
			return c.showRuleText(r, d, f)
		}
		return c.showRules(r, d, f, nil)
	}
	next, err := c.centre.EditRules(d.Rules, edit)
	switch {
	case f.failed(err, ""):
		f.about("")
	case err != nil:
		return err
	default:
		d.Rules = next
	}
	return c.showRules(r, d, f, nil)
}

// positions reads "3" or "3:1"; what is no number is -1, which fits no list.
func positions(s string) (at, to int) {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return -1
		}
		return n
	}
	first, second, _ := strings.Cut(s, ":")
	return number(first), number(second)
}

func (c *Console) showRules(r *request, d *draft, f *form, tried *trial) error {
	list, err := c.centre.RuleList(d.Rules)
	if err != nil {
		// What is stored can be taken apart, unless an older version stored it.
		return c.showRuleText(r, d, f)
	}
	data := ruleList{draft: d, Trial: tried, Types: ruleTypes(), Secrets: r.may(control.ReadSubjects)}
	owned := map[control.RuleProblem]bool{}
	for i, l := range list {
		data.List = append(data.List, listedRule{ListedRule: l, At: i, First: i == 0, Last: i == len(list)-1, About: aboutType(l.Type)})
		for _, p := range l.Problems {
			owned[p] = true
		}
	}
	for _, p := range c.centre.CheckRules(d.Rules) {
		if !owned[p] {
			data.Problems = append(data.Problems, p)
		}
	}
	if data.Systems, err = c.systemOptions(r); err != nil {
		return err
	}
	return r.show(page{Template: "rules", Title: text("menu.rules"), Form: f, Data: data})
}

// mostSystems is how many systems the choice of a device lists.
const mostSystems = 200

// systemOptions are the company's systems, for the choice of a device.
func (c *Console) systemOptions(r *request) ([]option, error) {
	page, err := c.centre.Systems(r.Context(), r.actor, r.org.ID, "", mostSystems)
	if err != nil {
		return nil, err
	}
	out := []option{{Value: "", Label: text("rules.any")}}
	for _, s := range page.Items {
		out = append(out, option{Value: s.ID, Label: s.Name})
	}
	return out, nil
}

// ruleTypes are the types of rules that can be added.
func ruleTypes() []option {
	var out []option
	for _, t := range rules.Types() {
		out = append(out, option{Value: string(t.Type), Label: typeName(t.Type), Hint: t.About})
	}
	return append(out, option{Value: string(rules.TypeLink), Label: typeName(rules.TypeLink), Hint: text("rules.about.link")})
}

// typeName is what people call a type, and its name in rule files.
func typeName(t rules.Type) string {
	if name := hint("rules.type." + string(t)); name != "" {
		return name
	}
	return string(t)
}

func aboutType(t rules.Type) string {
	if t == rules.TypeLink {
		return text("rules.about.link")
	}
	for _, info := range rules.Types() {
		if info.Type == t {
			return info.About
		}
	}
	return ""
}

// saveRules stores the draft.
func (c *Console) saveRules(r *request, d *draft, f *form, fromText bool) error {
	show := func() error {
		if fromText {
			f.about("text")
			return c.showRuleText(r, d, f)
		}
		f.about("")
		return c.showRules(r, d, f, nil)
	}
	if !r.may(control.Configure) {
		return &control.DeniedError{Action: control.Configure, Org: r.org.Name}
	}
	// The stored order of a text that cannot be read is nobody's intention.
	for _, p := range c.centre.CheckRules(d.Rules) {
		if !p.Warning {
			f.wrong("text", text("rules.broken", p.Line, p.Column, p.Message))
		}
	}
	if len(f.Problems) > 0 {
		return show()
	}
	_, err := c.centre.SaveProcessing(r.Context(), r.actor, d.Processing)
	switch {
	case f.failed(err, "text"):
		return show()
	case err != nil:
		return err
	}
	return r.redirect(r.path("rules"), "rules.saved")
}

// ruleText is the page on which rules are edited as text.
type ruleText struct {
	*draft
	Problems []control.RuleProblem
}

func (c *Console) showRuleText(r *request, d *draft, f *form) error {
	f.Values.Set("text", d.Rules)
	return r.show(page{
		Template: "rules-text", Title: text("rules.text"), Crumbs: []crumb{r.crumb("rules")}, Form: f,
		Data: ruleText{d, c.centre.CheckRules(d.Rules)},
	})
}

// importRules puts rules of Pexip Infinity behind those of the draft.
func (c *Console) importRules(r *request, d *draft, f *form) error {
	source, err := r.pasted(f, "import", "importfile")
	if err != nil {
		return err
	}
	got, err := c.centre.ImportRules(source, f.get("profile"))
	if f.failed(err, "import") {
		f.about("import")
		return c.showRuleText(r, d, f)
	}
	if err != nil {
		return err
	}
	merged := d.Rules
	list, err := rules.Parse("", []byte(got.Text))
	if err != nil {
		return err
	}
	old, err := c.centre.RuleList(merged)
	for i, n := 0, len(old); err == nil && i < len(list); i++ {
		merged, err = c.centre.EditRules(merged, control.RuleEdit{Op: control.AddRule, To: n + i, Rule: list[i]})
	}
	if f.failed(err, "import") {
		f.about("import")
		return c.showRuleText(r, d, f)
	}
	if err != nil {
		return err
	}
	d.Rules = merged
	f.Values.Del("import")
	data := ruleText{d, slices.Concat(got.Notes, c.centre.CheckRules(d.Rules))}
	f.Values.Set("text", d.Rules)
	return r.show(page{Template: "rules-text", Title: text("rules.text"), Crumbs: []crumb{r.crumb("rules")}, Form: f, Data: data})
}

// pasted returns what was pasted into a field, or else sent as a file.
func (r *request) pasted(f *form, field, file string) (string, error) {
	if s := f.get(field); strings.TrimSpace(s) != "" {
		return s, nil
	}
	_, data, err := r.file(file)
	return string(data), err
}

// file returns the file that a form has sent; no bytes if there is none.
func (r *request) file(field string) (name string, data []byte, err error) {
	if r.MultipartForm == nil {
		return "", nil, nil
	}
	in, head, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, errForm
	}
	defer in.Close()
	data, err = io.ReadAll(in) // parse has limited the form
	if err != nil {
		return "", nil, errForm
	}
	return head.Filename, data, nil
}

// ruleBadges are the colours of what became of a rule.
var ruleBadges = map[string]string{"decided": "good", "found": "info", "nothing": "off", "not tried": "off"}

// trial is an invite that the draft was tried on.
type trial struct {
	Tests   []ruleTrial
	Secrets bool
}

// ruleTrial is what the draft makes of one event.
type ruleTrial struct {
	control.RuleTest
	N int
}

// Tried are the rules that had a say, and Others how many had none: most rules of
// the default pack find nothing in most invites.
func (t ruleTrial) Tried() []rules.Tried {
	return slices.DeleteFunc(slices.Clone(t.Trace.Rules), func(x rules.Tried) bool {
		return x.Result == "nothing" && x.Priority == 0 || x.Result == "not tried" && x.Priority == 0
	})
}

// Others is how many rules of the default pack found nothing.
func (t ruleTrial) Others() int { return len(t.Trace.Rules) - len(t.Tried()) }

func (c *Console) tryRules(r *request, d *draft, f *form) error {
	in := control.Invite{System: f.get("system"), Secrets: f.checked("secrets")}
	if s := f.get("invite"); strings.TrimSpace(s) != "" {
		in.Data = []byte(s)
	} else {
		var err error
		if in.Name, in.Data, err = r.file("invitefile"); err != nil {
			return err
		}
	}
	if len(in.Data) == 0 {
		f.wrong("invite", text("rules.try.none"))
		return c.showRules(r, d, f, nil)
	}
	tests, err := c.centre.TestRules(r.Context(), r.actor, d.Processing, in)
	switch {
	case f.failed(err, "invite"):
		f.about("invite")
		return c.showRules(r, d, f, nil)
	case err != nil:
		return err
	}
	t := &trial{Secrets: in.Secrets}
	for i := range tests {
		t.Tests = append(t.Tests, ruleTrial{tests[i], i + 1})
	}
	return c.showRules(r, d, f, t)
}
