package console

import (
	"errors"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

func (c *Console) readinessRoutes() {
	c.inOrg("GET /o/{org}/readiness", control.ReadCompany, c.readiness)
	c.inOrg("POST /o/{org}/readiness/check", control.Configure, c.checkReadiness)
	c.inOrg("POST /o/{org}/readiness/report", control.Configure, c.importReport)
	c.inOrg("GET /o/{org}/readiness/scripts", control.ReadCompany, c.makeScripts)
	c.inOrg("GET /o/{org}/alarms", control.ReadCompany, c.alarms)
}

// readinessPage is the page about what a company's rooms need.
type readinessPage struct {
	Ports   []readiness.PortRule
	Scripts []readiness.ScriptFile
	Report  *control.ReportImport
}

// Hides are the choices of what others may see of the rooms' calendars.
func (readinessPage) Hides() []option {
	return []option{
		{"", text("readiness.hide.no"), ""},
		{"AvailabilityOnly", text("readiness.hide.availability"), ""},
		{"LimitedDetails", text("readiness.hide.limited"), ""},
	}
}

// ReportFindings are those of a report that was just imported.
func (p readinessPage) ReportFindings() []findingGroup { return groupFindings(p.Report.Findings) }

func (c *Console) readiness(r *request) error { return c.showReadiness(r, readinessPage{}, newForm()) }

func (c *Console) showReadiness(r *request, p readinessPage, f *form) error {
	var err error
	if p.Ports, err = c.centre.Firewall(r.Context(), r.actor, r.org.ID); err != nil && !errors.Is(err, control.ErrNoService) {
		return err
	}
	return r.show(page{Template: "readiness", Title: text("menu.readiness"), Form: f, Data: p})
}

// checkReadiness makes all checks and shows how far it is.
func (c *Console) checkReadiness(r *request) error {
	return r.work(page{Template: "readiness-check", Title: text("readiness.checks"), Crumbs: []crumb{r.crumb("readiness")}},
		func(tell progress) (any, error) {
			found, err := c.centre.Readiness(r.Context(), r.actor, r.org.ID, tell)
			if err != nil {
				return nil, err
			}
			return checkedPage{found, groupFindings(found.Findings)}, nil
		})
}

// checkedPage is what all checks have found.
type checkedPage struct {
	control.Readiness
	Groups []findingGroup
}

// Count is how many findings have a result.
func (p checkedPage) Count(result string) int {
	n := 0
	for _, f := range p.Findings {
		if string(f.Result) == result {
			n++
		}
	}
	return n
}

// findingGroup are findings that say the same of several rooms.
type findingGroup struct {
	readiness.Finding
	Subjects []string
	More     int // subjects that are not listed
	Commands string
	ID       string // unique on the page
}

// mostSubjects is how many rooms of a group are named.
const mostSubjects = 40

// groupFindings puts findings together that say the same, and leaves the order.
// What passed is one group for each check.
func groupFindings(list []readiness.Finding) []findingGroup {
	type key struct {
		result   readiness.Result
		check    string
		why, fix string
		inferred bool
	}
	at := map[key]int{}
	var out []findingGroup
	for _, f := range list {
		k := key{f.Result, f.Check, f.Why, f.Fix, f.Inferred}
		if f.Result == readiness.Pass {
			k = key{result: f.Result, check: f.Check, fix: f.Fix}
		}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, findingGroup{Finding: f, ID: "group-" + strings.Map(letters, f.Check) + "-" + strconv.Itoa(i)})
		}
		g := &out[i]
		switch {
		case slices.Contains(g.Subjects, f.Subject):
		case len(g.Subjects) < mostSubjects:
			g.Subjects = append(g.Subjects, f.Subject)
		default:
			g.More++
		}
		// The same command at several devices is to be copied once.
		if f.Command != "" && f.Command+"\n" != g.Commands {
			g.Commands += f.Command + "\n"
		}
	}
	return out
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r == '-' {
		return r
	}
	return -1
}

func (c *Console) importReport(r *request) error {
	f := r.sent()
	source, err := r.pasted(f, "report", "reportfile")
	if err != nil {
		return err
	}
	got, err := c.centre.ImportReport(r.Context(), r.actor, r.org.ID, []byte(source))
	switch {
	case f.failed(err, "report"):
		return c.showReadiness(r, readinessPage{}, f)
	case err != nil:
		return err
	}
	return c.showReadiness(r, readinessPage{Report: &got}, newForm())
}

// makeScripts makes the scripts for the names of a form, and sends the one whose
// button was pressed as a file.
func (c *Console) makeScripts(r *request) error {
	f := &form{Values: r.URL.Query()} // it changes nothing
	get := func(name string) string { return strings.TrimSpace(f.get(name)) }
	scripts, err := c.centre.Scripts(r.Context(), r.actor, r.org.ID, readiness.ScriptOptions{
		AppID: get("app_id"), ObjectID: get("object_id"), Group: get("group"), GroupName: get("group_name"),
		Response: get("response"), HideDetails: get("hide"), External: f.checked("external"),
	})
	switch {
	case f.failed(err, ""):
		for i, p := range f.Problems {
			if p.Field != "app_id" {
				f.Problems[i].Field = "group"
			}
		}
		return c.showReadiness(r, readinessPage{}, f)
	case err != nil:
		return err
	}
	files := scripts.Files()
	if i := slices.IndexFunc(files, func(s readiness.ScriptFile) bool { return s.Name == f.get("file") }); i >= 0 {
		h := r.w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": files[i].Name}))
		h.Set("Cache-Control", "no-store")
		r.w.Write([]byte(files[i].Text))
		return nil
	}
	for i := range files {
		files[i].Text = strings.TrimPrefix(files[i].Text, "\ufeff")
	}
	return c.showReadiness(r, readinessPage{Scripts: files}, f)
}

// alarmsPage is the page with the alarms.
type alarmsPage struct {
	List []control.OpenAlarm
	More int
}

// mostAlarms is how many alarms the page lists.
const mostAlarms = 200

func (c *Console) alarms(r *request) error {
	list, err := c.centre.Alarms(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	p := alarmsPage{List: list}
	if len(list) > mostAlarms {
		p.List, p.More = list[:mostAlarms], len(list)-mostAlarms
	}
	return r.show(page{Template: "alarms", Title: text("menu.alarms"), Data: p})
}

// At is the page of what an alarm is about.
func (v *view) At(a control.OpenAlarm) string {
	switch a.Object {
	case "provider":
		return v.To("providers", a.ID)
	}
	return v.To("rooms", a.ID)
}
