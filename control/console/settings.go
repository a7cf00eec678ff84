package console

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func (c *Console) settingsRoutes() {
	c.inOrg("GET /o/{org}/settings", control.ReadCompany, c.settings)
	c.inOrg("POST /o/{org}/settings", control.ReadCompany, c.editSettings)
}

// settingsPage is the page with the settings.
type settingsPage struct {
	Screen *control.Screen // nil if the settings have mistakes
}

// Rows are the meetings of the invented day. Its times are those of the room.
func (p settingsPage) Rows() []screenRow {
	var out []screenRow
	for _, row := range screenRows(p.Screen.Meetings, p.Screen.Now) {
		row.When = row.Start.Format("15:04") + " – " + row.End.Format("15:04")
		if !row.Start.Before(p.Screen.Now.Truncate(day).Add(day)) {
			row.When = text("settings.later", row.When, row.Start.Format("Jan 2"))
		}
		row.Dial = "" // it is about other settings
		row.From = row.JoinFrom.Format("15:04")
		out = append(out, row)
	}
	return out
}

// Replaces are the choices of whose subject is replaced.
func (settingsPage) Replaces() []option {
	return []option{
		{string(otj.ReplacePrivate), text("settings.replace.private"), ""},
		{string(otj.ReplaceAll), text("settings.replace.all"), ""},
		{string(otj.ReplaceNever), text("settings.replace.never"), text("settings.replace.never.warning")},
	}
}

// AllDays are the choices of which all-day meetings are shown.
func (settingsPage) AllDays() []option {
	return []option{
		{string(otj.ShowVideo), text("settings.allday.video"), ""},
		{string(otj.ShowAll), text("settings.allday.all"), ""},
		{string(otj.ShowNone), text("settings.allday.none"), ""},
	}
}

func (c *Console) settings(r *request) error {
	p, err := c.centre.Processing(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	return c.showSettings(r, settingsForm(p))
}

// settingsForm is the form of what is stored.
func settingsForm(p control.Processing) *form {
	s := p.Settings
	f := newForm(
		"revision", revision(p.Revision),
		"days_ahead", strconv.Itoa(s.DaysAhead), "start_buffer", strconv.Itoa(s.StartBuffer), "end_buffer", strconv.Itoa(s.EndBuffer),
		"replace_subject", string(s.ReplaceSubject), "subject_template", s.SubjectTemplate, "all_day", string(s.AllDay),
		"prefer", schemes(s.Prefer), "own_domains", strings.Join(p.OwnDomains, "\n"), "time_zone", p.TimeZone,
	)
	for name, on := range map[string]bool{
		"non_video": s.NonVideo, "private": s.Private, "private_button": s.PrivateButton, "replace_empty_subject": s.ReplaceEmptySubject,
		"tentative": s.Tentative, "overlapping": s.Overlapping, "prefer_meet": p.PreferMeet,
	} {
		if on {
			f.Values.Set(name, "on")
		}
	}
	return f
}

// sentSettings is what a form of settings says, on the base of what is stored.
// What is wrong with it is noted in the form.
func (f *form) sentSettings(p control.Processing) control.Processing {
	s := otj.Settings{
		DaysAhead: f.needed("days_ahead"), StartBuffer: f.needed("start_buffer"), EndBuffer: f.needed("end_buffer"),
		NonVideo: f.checked("non_video"), Private: f.checked("private"), PrivateButton: f.checked("private_button"),
		ReplaceSubject: otj.ReplaceSubject(f.get("replace_subject")), SubjectTemplate: f.get("subject_template"),
		ReplaceEmptySubject: f.checked("replace_empty_subject"), Tentative: f.checked("tentative"),
		AllDay: otj.Show(f.get("all_day")), Overlapping: f.checked("overlapping"), Prefer: f.schemes("prefer"),
	}
	if f.get("prefer") == "" {
		f.wrong("prefer", text("form.missing"))
	}
	f.take(s.Validate())
	p.Settings, p.PreferMeet, p.TimeZone, p.Revision = s, f.checked("prefer_meet"), f.get("time_zone"), f.revision()
	p.OwnDomains = strings.FieldsFunc(f.get("own_domains"), func(r rune) bool { return strings.ContainsRune(", ;\r\n\t", r) })
	return p
}

// schemes writes an order of dialling for people.
func schemes(list []rules.Scheme) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}

// schemes reads what the function schemes writes, or notes what is none.
func (f *form) schemes(name string) (out []rules.Scheme) {
	for word := range strings.FieldsFuncSeq(f.get(name), func(r rune) bool { return strings.ContainsRune(", \r\n\t", r) }) {
		var scheme rules.Scheme
		if err := scheme.UnmarshalText([]byte(strings.ToLower(word))); err != nil {
			f.wrong(name, text("settings.scheme", word))
			break
		}
		out = append(out, scheme)
	}
	return out
}

// take notes what the settings say of their fields.
func (f *form) take(err error) {
	var one *otj.FieldError
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range many.Unwrap() {
			f.take(err)
		}
	} else if errors.As(err, &one) && f.Error(one.Field) == "" {
		f.wrong(one.Field, one.Problem)
	}
}

// failedProcessing is failed for what stores settings and rules.
func (f *form) failedProcessing(err error) bool {
	if errors.Is(err, control.ErrNoService) {
		f.wrong("", text("rooms.noservice"))
		return true
	}
	if !f.failed(err, "") {
		return false
	}
	for i, p := range f.Problems {
		switch name, _, _ := strings.Cut(p.Field, "."); {
		case name == "own_domains":
			f.Problems[i].Field = name
		case p.Field == "settings" || p.Field == "rules":
			f.Problems[i].Field = ""
		}
	}
	return true
}

func (c *Console) showSettings(r *request, f *form) error {
	data := settingsPage{}
	// What is wrong with the form is noted in it already, or nothing is.
	look := &form{Values: f.Values}
	p := look.sentSettings(control.Processing{})
	if screen, err := c.centre.PreviewScreen(p.Settings); err == nil && len(look.Problems) == 0 {
		data.Screen = &screen
	}
	return r.show(page{Template: "settings", Title: text("menu.settings"), Form: f, Data: data})
}

func (c *Console) editSettings(r *request) error {
	f := r.sent()
	stored, err := c.centre.Processing(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	p := f.sentSettings(stored)
	if len(f.Problems) > 0 {
		// What the Centre alone looks at is said at once too.
		for _, problem := range problemsOf(c.centre.CheckProcessing(p)) {
			if name, _, _ := strings.Cut(problem.Field, "."); name == "time_zone" || name == "own_domains" {
				f.wrong(name, problem.Msg)
			}
		}
		return c.showSettings(r, f)
	}
	switch f.get("op") {
	case "save":
		if !r.may(control.Configure) {
			return &control.DeniedError{Action: control.Configure, Org: r.org.Name}
		}
		_, err := c.centre.SaveProcessing(r.Context(), r.actor, p)
		switch {
		case f.failedProcessing(err):
			return c.showSettings(r, f)
		case err != nil:
			return err
		}
		return r.redirect(r.path("settings"), "settings.saved")
	case "changes":
		values := url.Values{}
		for name, v := range f.Values {
			if name != "csrf" && name != "op" {
				values[name] = v
			}
		}
		err := c.showChange(r, p, changePage{To: r.path("settings"), Values: values, Save: "save", Back: "edit"}, "settings")
		if f.failedProcessing(err) {
			return c.showSettings(r, f)
		}
		return err
	}
	return c.showSettings(r, f)
}

// changePage is the page that says what a draft would change.
type changePage struct {
	To         string     // where the draft is sent to
	Values     url.Values // the draft
	Save, Back string     // what the buttons send as op
}

// Hidden are the fields of the draft, in order.
func (p changePage) Hidden() []option {
	var out []option
	for name, values := range p.Values {
		for _, v := range values {
			out = append(out, option{Value: v, Label: name})
		}
	}
	slices.SortFunc(out, func(a, b option) int { return strings.Compare(a.Label, b.Label) })
	return out
}

// showChange reads the calendars and says what a draft would change today. An
// error about the draft comes back before anything is shown.
func (c *Console) showChange(r *request, p control.Processing, data changePage, from string) error {
	return r.work(page{Template: "change", Title: text("settings.change"), Crumbs: []crumb{r.crumb(from)}, Data: data},
		func(tell progress) (any, error) {
			return c.centre.PreviewChange(r.Context(), r.actor, p, tell)
		})
}

// changeBadges are the colours of changes.
var changeBadges = map[control.ChangeWhat]string{
	control.ButtonGained: "good", control.ButtonLost: "bad", control.ButtonChanged: "warn", control.TitleChanged: "info",
	control.TimesChanged: "info", control.Appears: "info", control.Vanishes: "warn",
}

func changeBadge(w control.ChangeWhat) badge {
	return badge{changeBadges[w], text("settings.what." + string(w))}
}
