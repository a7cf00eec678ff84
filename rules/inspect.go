package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// inspect checks a rule and compiles it. The problems are in the order in which
// the fields are documented; the rule is nil if one of them is an error.
func inspect(r *Rule, opts *Options, set *rebound.Set) (*adminRule, []problem) {
	in := inspector{r: r, set: set, opts: opts}
	in.common()
	info := typeInfo(r.Type)
	if info == nil {
		return nil, in.problems
	}
	in.members(info)
	a := &adminRule{
		info: info, name: r.Name, service: r.Service, domain: strings.TrimPrefix(r.Domain, "@"), companyID: r.CompanyID, pin: r.IncludePIN,
		services: r.Services, slots: info.vars, missing: "no " + strings.Join(info.services, " or ") + " meeting",
	}
	if opts != nil {
		a.own = opts.OwnDomains
	}
	for _, f := range r.Fields {
		a.fields = append(a.fields, fieldNamed(f))
	}
	switch r.Type {
	case TypeRegex, TypeRegexRE2:
		in.regex(a)
	case TypeCustom:
		a.template = in.compileTemplate("template", r.Template, info, maxTemplate)
	default:
		src, field := r.Transform, "transform"
		if src == "" {
			src = info.transform
		}
		a.template = in.compileTemplate(field, src, info, maxTransform)
	}
	for _, p := range in.problems {
		if !p.warn {
			return nil, in.problems
		}
	}
	return a, in.problems
}

type inspector struct {
	r        *Rule
	opts     *Options
	set      *rebound.Set
	problems []problem
}

func (in *inspector) errorf(field, format string, args ...any) {
	in.problems = append(in.problems, problem{field: field, msg: fmt.Sprintf(format, args...)})
}

func (in *inspector) warnf(field, format string, args ...any) {
	in.problems = append(in.problems, problem{field: field, msg: fmt.Sprintf(format, args...), warn: true})
}

// common checks what all types of rules have.
func (in *inspector) common() {
	r := in.r
	for _, f := range []struct {
		field, value string
		most         int
	}{
		{"name", r.Name, maxName}, {"description", r.Description, maxName},
		{"match", r.Match, maxMatch}, {"replace", r.Replace, maxMatch},
		{"domain", r.Domain, maxDomain}, {"company_id", r.CompanyID, maxCompanyID},
	} {
		if n := utf8.RuneCountInString(f.value); n > f.most {
			in.errorf(f.field, "%s has %d characters; at most %d are allowed", f.field, n, f.most)
		}
	}
	if r.Name == "" {
		in.errorf("name", "the rule has no name; matches and explanations name the rule that found them")
	}
	if r.Priority < 1 || r.Priority > maxPriority {
		in.errorf("priority", "priority must be 1 to %d; rules are tried in ascending order", maxPriority)
	}
	switch {
	case r.Type == "":
		in.errorf("type", "the rule has no type; see the types in docs/rules.md")
	case r.Type != TypeLink && typeInfo(r.Type) == nil:
		names := []string{string(TypeLink)}
		for _, t := range adminTypes {
			names = append(names, string(t.typ))
		}
		in.errorf("type", "unknown type %q%s", r.Type, suggest(string(r.Type), names))
	}
	switch r.Organizer {
	case OrganizerAny:
	case OrganizerInternal, OrganizerExternal:
		if in.opts == nil || len(in.opts.OwnDomains) == 0 {
			in.warnf("organizer", "the condition %q compares with your own domains, and there are none: every organizer counts as external", r.Organizer)
		}
	default:
		in.errorf("organizer", "organizer must be \"internal\", \"external\" or left out for any")
	}
	for i, f := range r.Fields {
		if fieldNamed(f) == 0 {
			in.errorf(fmt.Sprintf("fields/%d", i), "unknown field %q%s", f, suggest(f, fieldNames()))
		}
	}
	for i, s := range r.Services {
		if known := packServices(); !slices.Contains(known, s) {
			in.errorf(fmt.Sprintf("services/%d", i), "unknown service %q%s", s, suggest(s, known))
		}
	}
}

// members checks that the rule has what its type needs and nothing that it has
// no use for.
func (in *inspector) members(info *adminType) {
	r := in.r
	given := []struct {
		field string
		there bool
	}{
		{"service", r.Service != ""}, {"hosts", len(r.Hosts) > 0}, {"paths", len(r.Paths) > 0}, {"not", len(r.Not) > 0},
		{"token", len(r.Token) > 0}, {"dial", len(r.Dial) > 0}, {"match", r.Match != ""}, {"replace", r.Replace != ""},
		{"transform", r.Transform != ""}, {"template", r.Template != ""}, {"domain", r.Domain != ""},
		{"company_id", r.CompanyID != ""}, {"include_pin", r.IncludePIN},
	}
	for _, g := range given {
		switch {
		case slices.Contains(info.needs, g.field):
			if !g.there {
				in.errorf("", "a rule of type %s needs %q", info.typ, g.field)
			}
		case g.there && !slices.Contains(info.takes, g.field):
			in.errorf(g.field, "%q has no effect in a rule of type %s; remove it", g.field, info.typ)
		}
	}
	if r.Domain != "" && !validDomain(strings.TrimPrefix(r.Domain, "@")) {
		in.errorf("domain", "%q is no domain such as video.example.com", r.Domain)
	}
	if strings.ContainsFunc(r.CompanyID, func(c rune) bool { return c <= ' ' || c == '@' || c == 0x7f }) {
		in.errorf("company_id", "company_id has a character that an address cannot have")
	}
	if r.IncludePIN && r.Transform != "" {
		in.warnf("include_pin", "include_pin is for the default transform; write {{ passcode }} into yours")
	}
	if slices.Contains([]Type{TypeTeamsSIPGuestJoin, TypeGoogleMeetSIPGuestJoin}, info.typ) && r.Transform == "" && r.Domain == "" {
		in.warnf("", "the rule finds nothing without a domain or a transform: the gateway's domain is yours")
	}
	if info.typ == TypeRegex {
		in.warnf("type", "regex is the legacy type; regex_re2 is the same here, and says what it is")
	}
}

// looseDot finds a dot in a host name that is not escaped, as in
// meet.example.com and meet\.example.com.
var looseDot = regexp.MustCompile(`(?i)(?:^|[^\\a-z0-9.-])[a-z0-9-]+(\.)[a-z0-9-]+\\?\.[a-z0-9-]+|[a-z0-9-]\\\.[a-z0-9-]+(\.)[a-z]`)

func (in *inspector) regex(a *adminRule) {
	if in.r.Match == "" {
		return
	}
	re, err := in.set.Compile(in.r.Match)
	if err != nil {
		in.patternError("match", err)
		return
	}
	a.re = re
	if re.MatchString("") {
		in.errorf("match", "the pattern matches the empty text, so it would match every invite")
	}
	if w := re.Warn(); w != "" {
		in.warnf("match", "%s", w)
	}
	if m := looseDot.FindStringSubmatchIndex(in.r.Match); m != nil {
		in.problems = append(in.problems, problem{field: "match", offset: max(m[2], m[4]), warn: true,
			msg: "this dot stands for any character, so hosts of others match too; a dot alone is \\., with two backslashes in JSON"})
	}
	if a.repl, err = re.ParseReplacement(in.r.Replace); err != nil {
		in.patternError("replace", err)
		return
	}
	if w := a.repl.Warn(); w != "" {
		in.warnf("replace", "%s", w)
	}
	if i := strings.Index(in.r.Replace, "{{"); i >= 0 {
		in.problems = append(in.problems, problem{field: "replace", offset: i,
			msg: `a replacement is no template, and no address has braces; a group is written \1 or \g<name>, with two backslashes in JSON`})
	}
}

func (in *inspector) patternError(field string, err error) {
	p := problem{field: field, msg: err.Error()}
	var se *rebound.SyntaxError
	if errors.As(err, &se) {
		p.offset = se.Offset
	}
	in.problems = append(in.problems, p)
}

// singleBraces finds {name}, which is not {{ name }}.
var singleBraces = regexp.MustCompile(`(?:^|[^{])\{[a-z_.]+\}(?:[^}]|$)`)

func (in *inspector) compileTemplate(field, src string, info *adminType, most int) *jinja.Template {
	vars := make([]jinja.Var, len(info.vars))
	for i, v := range info.vars {
		vars[i] = jinja.Var{Name: v.name, Elem: v.elem}
	}
	t, err := jinja.Compile(src, &jinja.Options{Vars: vars, MaxSource: most, Regexps: in.set, Unwrap: Unwrap})
	if err != nil {
		p := problem{field: field, msg: err.Error()}
		var je *jinja.Error
		if errors.As(err, &je) {
			p.offset, p.msg = je.Offset, je.Msg
		}
		in.problems = append(in.problems, p)
		return nil
	}
	if m := singleBraces.FindStringIndex(src); m != nil {
		in.problems = append(in.problems, problem{field: field, offset: m[0] + 1, msg: "a variable stands in two braces, as in {{ meeting_id }}; one is a character that no address has"})
	}
	for _, w := range t.Warnings() {
		in.problems = append(in.problems, problem{field: field, offset: w.Offset, msg: w.Msg, warn: true})
	}
	return t
}

// fieldNamed returns the field of a name, or 0.
func fieldNamed(name string) Field {
	if i := slices.Index(fields[1:], name); i >= 0 {
		return Field(i + 1)
	}
	return 0
}

func fieldNames() []string { return slices.Clone(fields[1:]) }

// validDomain reports whether s is a host name or an IP address as the part of
// an address behind the @.
func validDomain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c == 0x7f || strings.ContainsRune(`@/\<>"'?#,;*{}`, c)
	}) && !strings.HasPrefix(s, ".") && !strings.Contains(s, "..")
}
