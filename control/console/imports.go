package console

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"slices"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// table is a kind of object that comes from a CSV file and goes to one.
type table struct {
	page string // below /o/{org}; also the first word of its texts
	read func(ctx context.Context, a control.Actor, company string, in control.CSV) (control.Import, error)
	save func(ctx context.Context, a control.Actor, company string) ([]byte, error)
}

func (c *Console) importRoutes() {
	for _, t := range []table{
		{"mailboxes", c.centre.ImportMailboxes, c.centre.ExportMailboxes},
		{"systems", c.centre.ImportSystems, c.centre.ExportSystems},
	} {
		c.inOrg("GET /o/{org}/"+t.page+"/import", control.Configure, func(r *request) error { return c.showImport(r, t, newForm(), nil, nil) })
		c.inOrg("POST /o/{org}/"+t.page+"/import", control.Configure, func(r *request) error { return c.doImport(r, t) })
		c.inOrg("GET /o/{org}/"+t.page+"/export.csv", control.ReadCompany, func(r *request) error {
			data, err := t.save(r.Context(), r.actor, r.org.ID)
			if err != nil {
				return err
			}
			return r.download(t.page+".csv", "text/csv; charset=utf-8", data)
		})
	}
}

// download sends a file.
func (r *request) download(name, media string, data []byte) error {
	h := r.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	r.w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		r.w.Write(data)
	}
	return nil
}

// mostLines is how many lines a preview shows.
const mostLines = 300

// preview is what a table would do.
type preview struct {
	control.Import
	Table     string
	Providers []option
	Shown     []importLine
	More      int
	// Good is how many lines would change something.
	Good int
	// Data is the file in base64, for the form that commits: the encoding of the
	// file has to survive.
	Data string
}

// importLine is a line of the preview.
type importLine struct {
	control.ImportLine
	State badge
	Wrong []string
}

var importBadges = map[control.ImportWhat]string{
	control.ImportAdds: "good", control.ImportChanges: "info", control.ImportSame: "off", control.ImportWrong: "bad",
}

func (c *Console) showImport(r *request, t table, f *form, in *control.Import, data []byte) error {
	p := preview{Table: t.page}
	if t.page == "mailboxes" {
		_, providers, err := c.providerNames(r)
		if err != nil {
			return err
		}
		if p.Providers = providers; len(providers) > 1 {
			p.Providers = append([]option{{"", text("imports.provider.column"), ""}}, providers...)
		}
	}
	if in != nil {
		p.Import, p.Good, p.Data = *in, in.Added+in.Changed, base64.StdEncoding.EncodeToString(data)
		lines := slices.Clone(in.Lines)
		// What is wrong comes first: that is what somebody has to mend.
		slices.SortStableFunc(lines, func(a, b control.ImportLine) int { return rank(a) - rank(b) })
		for _, l := range lines {
			if len(p.Shown) == mostLines {
				p.More = len(lines) - mostLines
				break
			}
			line := importLine{ImportLine: l, State: badge{importBadges[l.What], text("imports.what." + string(l.What))}}
			for _, w := range l.Problems {
				line.Wrong = append(line.Wrong, sentence(w.Field, w.Msg))
			}
			p.Shown = append(p.Shown, line)
		}
	}
	return r.show(page{Template: "import", Title: text(t.page + ".import"), Crumbs: []crumb{r.crumb(t.page)}, Form: f, Data: p})
}

func rank(l control.ImportLine) int {
	return slices.Index([]control.ImportWhat{control.ImportWrong, control.ImportAdds, control.ImportChanges, control.ImportSame}, l.What)
}

func (c *Console) doImport(r *request, t table) error {
	f := r.sent()
	data, err := csvOf(r, f)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		f.wrong("csv", text("imports.nothing"))
		return c.showImport(r, t, f, nil, nil)
	}
	in, err := t.read(r.Context(), r.actor, r.org.ID, control.CSV{Data: data, Provider: f.get("provider"), Commit: f.get("commit") == "yes", SkipWrong: f.get("skip") == "yes"})
	switch {
	case f.failed(err, ""):
		return c.showImport(r, t, f, nil, nil)
	case err != nil:
		return err
	case !in.Committed:
		return c.showImport(r, t, f, &in, data)
	}
	if in.Wrong > 0 {
		return r.redirect(r.path(t.page), "imports.done.some", in.Added, in.Changed, in.Wrong)
	}
	return r.redirect(r.path(t.page), "imports.done", in.Added, in.Changed)
}

// csvOf returns the table of the form: the file, what was pasted, or what the
// preview has kept.
func csvOf(r *request, f *form) ([]byte, error) {
	if kept := f.get("data"); kept != "" {
		data, err := base64.StdEncoding.DecodeString(kept)
		if err != nil {
			return nil, errForm
		}
		return data, nil
	}
	if file, _, err := r.FormFile("file"); err == nil {
		defer file.Close()
		if data, err := io.ReadAll(file); err != nil || len(data) > 0 {
			return data, err
		}
	}
	return []byte(f.get("csv")), nil
}
