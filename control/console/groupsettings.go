package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func (c *Console) groupSettingsRoutes() {
	c.inOrg("GET /o/{org}/groups/{id}/settings", control.ReadCompany, c.groupSettings)
	c.inOrg("POST /o/{org}/groups/{id}/settings", control.ReadCompany, c.editGroupSettings)
}

// group is a group as pages show it.
type group struct{ control.Group }

// settingLabels are the keys of what people call the settings.
var settingLabels = map[string]string{
	"days_ahead": "settings.days", "start_buffer": "settings.start", "end_buffer": "settings.end", "non_video": "settings.nonvideo",
	"private": "settings.private", "private_button": "settings.privatebutton", "replace_subject": "settings.replace", "subject_template": "settings.template",
	"replace_empty_subject": "settings.empty", "tentative": "settings.tentative", "all_day": "settings.allday", "overlapping": "settings.overlapping",
	"prefer": "settings.prefer",
}

// Own is what people call the settings that the group decides.
func (g group) Own() (out []string) {
	for _, name := range g.Settings.Decides() {
		out = append(out, text(settingLabels[name]))
	}
	if g.TimeZone != "" {
		out = append(out, text("settings.zone"))
	}
	return out
}

// groupSettingsPage is the page with the settings of a group.
type groupSettingsPage struct {
	group
	settingsPage
	Company otj.Settings
	Zone    string // the company's
}

// as is the choice of what the company has.
func as(label string) option { return option{"", text("groups.settings.as", label), ""} }

// YesOrNo are the choices of a switch.
func (groupSettingsPage) YesOrNo(company bool) []option {
	yes, no := option{"yes", text("groups.settings.yes"), ""}, option{"no", text("groups.settings.no"), ""}
	if company {
		return []option{as(yes.Label), yes, no}
	}
	return []option{as(no.Label), yes, no}
}

func inherited(choices []option, company string) []option {
	i := slices.IndexFunc(choices, func(o option) bool { return o.Value == company })
	if i < 0 {
		return choices
	}
	return append([]option{as(choices[i].Label)}, choices...)
}

// Replaces are the choices of whose subject is replaced.
func (p groupSettingsPage) Replaces() []option {
	return inherited(p.settingsPage.Replaces(), string(p.Company.ReplaceSubject))
}

// AllDays are the choices of which all-day meetings are shown.
func (p groupSettingsPage) AllDays() []option {
	return inherited(p.settingsPage.AllDays(), string(p.Company.AllDay))
}

// Templates are the choices of what replaces a subject.
func (p groupSettingsPage) Templates() []option {
	company := p.Company.SubjectTemplate
	if company == "" {
		company = text("groups.settings.organizer")
	}
	return []option{as(company), {"yes", text("groups.settings.text"), ""}}
}

// Prefer is the company's order of dialling.
func (p groupSettingsPage) Prefer() string { return schemes(p.Company.Prefer) }

// Inherits says what an empty field stands for.
func (f field) Inherits(company any) field {
	f.Hint = strings.TrimSpace(f.Hint + " " + text("groups.settings.inherits", company))
	return f.AsOptional()
}

// groupSettingsForm is the form of what a group decides.
func groupSettingsForm(g control.Group) *form {
	f := newForm("revision", revision(g.Revision), "time_zone", g.TimeZone)
	o := g.Settings
	if o == nil {
		return f
	}
	for name, n := range map[string]*int{"days_ahead": o.DaysAhead, "start_buffer": o.StartBuffer, "end_buffer": o.EndBuffer} {
		if n != nil {
			f.Values.Set(name, strconv.Itoa(*n))
		}
	}
	for name, on := range switches(o) {
		if *on != nil {
			f.Values.Set(name, map[bool]string{true: "yes", false: "no"}[**on])
		}
	}
	if o.ReplaceSubject != nil {
		f.Values.Set("replace_subject", string(*o.ReplaceSubject))
	}
	if o.AllDay != nil {
		f.Values.Set("all_day", string(*o.AllDay))
	}
	if o.SubjectTemplate != nil {
		f.Values.Set("subject_template_own", "yes")
		f.Values.Set("subject_template", *o.SubjectTemplate)
	}
	f.Values.Set("prefer", schemes(o.Prefer))
	return f
}

// switches are the settings that are on or off.
func switches(o *control.OwnSettings) map[string]**bool {
	return map[string]**bool{
		"non_video": &o.NonVideo, "private": &o.Private, "private_button": &o.PrivateButton, "replace_empty_subject": &o.ReplaceEmptySubject,
		"tentative": &o.Tentative, "overlapping": &o.Overlapping,
	}
}

// sentOwn is what a form of a group's settings decides. What is wrong with it is
// noted in the form.
func (f *form) sentOwn(company otj.Settings) *control.OwnSettings {
	o := &control.OwnSettings{Prefer: f.schemes("prefer")}
	for name, n := range map[string]**int{"days_ahead": &o.DaysAhead, "start_buffer": &o.StartBuffer, "end_buffer": &o.EndBuffer} {
		if strings.TrimSpace(f.get(name)) != "" {
			v := f.number(name)
			*n = &v
		}
	}
	for name, on := range switches(o) {
		if v := f.get(name); v != "" {
			yes := v == "yes"
			*on = &yes
		}
	}
	if v := otj.ReplaceSubject(f.get("replace_subject")); v != "" {
		o.ReplaceSubject = &v
	}
	if v := otj.Show(f.get("all_day")); v != "" {
		o.AllDay = &v
	}
	switch v := f.get("subject_template"); {
	case f.get("subject_template_own") == "yes":
		o.SubjectTemplate = &v
	case v != "":
		f.wrong("subject_template", text("groups.settings.unused"))
	}
	s := o.Over(company)
	f.take(s.Validate())
	return o
}

// findGroupSettings returns the group of the path, and what its company has.
func (c *Console) findGroupSettings(r *request) (control.Group, control.Processing, error) {
	g, err := c.findGroup(r)
	if err != nil {
		return g, control.Processing{}, err
	}
	p, err := c.centre.Processing(r.Context(), r.actor, r.org.ID)
	return g, p, err
}

func (c *Console) groupSettings(r *request) error {
	g, company, err := c.findGroupSettings(r)
	if err != nil {
		return err
	}
	return c.showGroupSettings(r, groupSettingsForm(g), g, company)
}

func (c *Console) showGroupSettings(r *request, f *form, g control.Group, company control.Processing) error {
	data := groupSettingsPage{group: group{g}, Company: company.Settings, Zone: company.TimeZone}
	if data.Zone == "" {
		data.Zone = text("groups.settings.server")
	}
	// What is wrong with the form is noted in it already, or nothing is.
	look := &form{Values: f.Values}
	own := look.sentOwn(company.Settings)
	if screen, err := c.centre.PreviewScreen(own.Over(company.Settings)); err == nil && len(look.Problems) == 0 {
		data.Screen = &screen
	}
	return r.show(page{
		Template: "group-settings", Title: text("groups.settings.of", g.Name),
		Crumbs: []crumb{r.crumb("groups"), {g.Name, r.path("groups", g.ID)}}, Form: f, Data: data,
	})
}

func (c *Console) editGroupSettings(r *request) error {
	g, company, err := c.findGroupSettings(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), g
	changed.Revision = f.revision()
	switch f.get("op") {
	case "save":
		changed.Settings, changed.TimeZone = f.sentOwn(company.Settings), f.get("time_zone")
	case "none":
		changed.Settings, changed.TimeZone = nil, ""
	default:
		f.sentOwn(company.Settings)
		return c.showGroupSettings(r, f, g, company)
	}
	if !r.may(control.Configure) {
		return &control.DeniedError{Action: control.Configure, Org: r.org.Name}
	}
	if len(f.Problems) == 0 {
		_, err = c.centre.SaveGroup(r.Context(), r.actor, changed)
	}
	switch {
	case f.failed(err, "") || len(f.Problems) > 0:
		return c.showGroupSettings(r, f, g, company)
	case err != nil:
		return err
	}
	return r.redirect(r.path("groups", g.ID), "groups.settings.saved", g.Name)
}
