package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// ruleForm is the page with one rule.
type ruleForm struct {
	*draft
	Info   rules.TypeInfo
	Fields []field
}

// Put is what the button that keeps the rule sends.
func (p ruleForm) Put() string { return "put:" + strconv.Itoa(p.At) }

// The limits of the fields of a rule; see rules.Rule.
const (
	mostName     = 250
	mostMatch    = 250
	mostDomain   = 255
	mostCompany  = 36
	mostTemplate = 10240
)

// everyField are the fields that the form of every type has.
var everyField = []string{"name", "description", "enabled", "organizer", "services", "fields"}

// linkFields are the members of a rule of the type link.
var linkFields = []string{"service", "hosts", "paths", "not", "token", "dial"}

// infoOf returns what a type is; false for a type that is none.
func infoOf(t rules.Type) (rules.TypeInfo, bool) {
	if t == rules.TypeLink {
		return rules.TypeInfo{Type: t, About: text("rules.about.link"), Needs: linkFields[:3], Takes: linkFields[3:]}, true
	}
	for _, info := range rules.Types() {
		if info.Type == t {
			return info, true
		}
	}
	return rules.TypeInfo{}, false
}

// openRule opens the form of the rule at a position, or of a new rule.
func (c *Console) openRule(r *request, d *draft, op string, at int, t rules.Type) error {
	rule := rules.Rule{Type: t}
	if op == "edit" {
		list, err := c.centre.RuleList(d.Rules)
		if err != nil || at < 0 || at >= len(list) {
			return control.ErrNotFound
		}
		rule, d.At = list[at].Rule, at
	}
	return c.showRule(r, d, ruleValues(rule))
}

// ruleValues is the form of a rule.
func ruleValues(rule rules.Rule) *form {
	f := newForm(
		"name", rule.Name, "description", rule.Description, "type", string(rule.Type), "organizer", string(rule.Organizer),
		"services", strings.Join(rule.Services, ", "), "fields", strings.Join(rule.Fields, ", "),
		"domain", rule.Domain, "company_id", rule.CompanyID, "match", rule.Match, "replace", rule.Replace,
		"transform", rule.Transform, "template", rule.Template, "service", rule.Service,
		"hosts", strings.Join(rule.Hosts, "\n"), "paths", strings.Join(rule.Paths, "\n"), "not", strings.Join(rule.Not, "\n"),
		"token", strings.Join(rule.Token, "\n"), "dial", strings.Join(rule.Dial, "\n"),
	)
	if !rule.Disabled {
		f.Values.Set("enabled", "on")
	}
	if rule.IncludePIN {
		f.Values.Set("include_pin", "on")
	}
	return f
}

func (c *Console) showRule(r *request, d *draft, f *form) error {
	info, ok := infoOf(rules.Type(f.get("type")))
	if !ok {
		return control.ErrNotFound
	}
	d.Type = info.Type
	title := text("rules.add")
	if d.At >= 0 {
		title = text("rules.edit")
	}
	p := ruleForm{draft: d, Info: info}
	for _, name := range append(slices.Clone(info.Needs), info.Takes...) {
		p.Fields = append(p.Fields, f.ruleField(name, slices.Contains(info.Needs, name), info.Default))
	}
	return r.show(page{Template: "rule", Title: title, Crumbs: []crumb{r.crumb("rules")}, Form: f, Data: p})
}

// ruleField is the field of a member that only some types have.
func (f *form) ruleField(name string, needed bool, transform string) field {
	var d field
	key := "rules.field." + name
	switch name {
	case "domain":
		d = f.Text(name, key, mostDomain)
	case "company_id":
		d = f.Text(name, key, mostCompany)
	case "match", "replace":
		d = f.Text(name, key, mostMatch).AsCode()
	case "transform":
		d = f.Area(name, key, 2).AsCode()
		d.Hint = text("rules.transform", transform)
	case "template":
		d = f.Area(name, key, 10).AsCode()
	case "include_pin":
		return f.Check(name, key)
	case "hosts", "paths", "not", "token", "dial":
		d = f.Area(name, key, 3).AsCode()
	default:
		d = f.Text(name, key, mostName)
	}
	if !needed {
		d = d.AsOptional()
	}
	return d
}

// Organizers are the choices of a rule's condition on the organizer.
func (p ruleForm) Organizers() []option {
	return []option{
		{Value: string(rules.OrganizerAny), Label: text("rules.organizer.any")},
		{Value: string(rules.OrganizerInternal), Label: text("rules.organizer.internal")},
		{Value: string(rules.OrganizerExternal), Label: text("rules.organizer.external")},
	}
}

// sentRule is the rule that a form has sent, on the base of what it was.
func (f *form) sentRule(rule rules.Rule) rules.Rule {
	line := func(name string) string { return strings.TrimSpace(f.get(name)) }
	words := func(name, separators string) []string {
		return strings.FieldsFunc(f.get(name), func(r rune) bool { return strings.ContainsRune(separators, r) })
	}
	trim := func(list []string) []string {
		var out []string
		for _, s := range list {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	rule.Name, rule.Description, rule.Disabled = line("name"), line("description"), !f.checked("enabled")
	rule.Type, rule.Organizer = rules.Type(f.get("type")), rules.Organizer(f.get("organizer"))
	rule.Services, rule.Fields = words("services", ", \n\r\t"), words("fields", ", \n\r\t")
	// Only what the type's form has: an empty field stands for the type's default.
	rule.Domain, rule.CompanyID, rule.Service = line("domain"), line("company_id"), line("service")
	rule.Match, rule.Replace = f.get("match"), f.get("replace")
	rule.Transform = strings.ReplaceAll(f.get("transform"), "\r\n", "\n")
	rule.Template = strings.ReplaceAll(f.get("template"), "\r\n", "\n")
	if strings.TrimSpace(rule.Transform) == "" {
		rule.Transform = ""
	}
	rule.IncludePIN = f.checked("include_pin")
	rule.Hosts, rule.Paths, rule.Not = trim(words("hosts", ", \n\r\t")), trim(words("paths", "\n\r")), trim(words("not", "\n\r"))
	rule.Token, rule.Dial = trim(words("token", ", \n\r\t")), trim(words("dial", "\n\r"))
	return rule
}

// putRule takes the rule of a form into the draft, or shows the form again with
// what is wrong.
func (c *Console) putRule(r *request, d *draft, f *form, at int) error {
	list, err := c.centre.RuleList(d.Rules)
	if err != nil || at >= len(list) {
		return control.ErrNotFound
	}
	edit := control.RuleEdit{Op: control.AddRule, To: len(list)}
	var before rules.Rule
	if at >= 0 {
		edit = control.RuleEdit{Op: control.ReplaceRule, At: at}
		before = list[at].Rule
		d.At = at
	}
	edit.Rule = f.sentRule(before)
	next, err := c.centre.EditRules(d.Rules, edit)
	if f.failed(err, "name") {
		f.about("")
		return c.showRule(r, d, f)
	}
	if err != nil {
		return err
	}
	if list, err = c.centre.RuleList(next); err != nil {
		return err
	}
	if at < 0 {
		at = len(list) - 1
	}
	for _, p := range list[at].Problems {
		if !p.Warning {
			f.wrong(f.memberOf(p), p.Message)
		}
	}
	if len(f.Problems) > 0 {
		return c.showRule(r, d, f)
	}
	d.Rules, d.At = next, -1
	return c.showRules(r, d, newForm(), nil)
}

var (
	memberNamed  = regexp.MustCompile(`\bneeds "([a-z_]+)"`)
	memberBefore = regexp.MustCompile(`"([a-z_]+)"\s*:`)
	// memberOfList is for an item of a list, which is on a line of its own.
	memberOfList = regexp.MustCompile(`^unknown (service|field) "`)
)

// memberOf returns the field that a problem of a rule is about: the one that the
// message misses, or the last one that begins before the place; "" if the form
// does not have it.
func (f *form) memberOf(p control.RuleProblem) string {
	member := ""
	if m := memberNamed.FindStringSubmatch(p.Message); m != nil {
		member = m[1]
	} else if m := memberOfList.FindStringSubmatch(p.Message); m != nil {
		member = m[1] + "s"
	} else {
		line, _, _ := strings.Cut(p.Snippet, "\n")
		for _, m := range memberBefore.FindAllStringSubmatchIndex(line, -1) {
			if m[0] < p.Column {
				member = line[m[2]:m[3]]
			}
		}
	}
	if member == "disabled" {
		member = "enabled"
	}
	if info, _ := infoOf(rules.Type(f.get("type"))); !slices.Contains(slices.Concat(everyField, info.Needs, info.Takes), member) {
		return ""
	}
	return member
}
