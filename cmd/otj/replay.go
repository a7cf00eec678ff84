package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

func replay(_ context.Context, args []string, std stdio) int {
	fs := flag.NewFlagSet("replay", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print JSON: a line for each event that is wrong or changes, then one with the totals")
	var by ruleFlags
	by.register(fs)
	against := fs.String("against", "", "compare with the rules of `file`, and print which meetings would change; \"\" with --diff is the default rules")
	diff := fs.Bool("diff", false, "print which meetings change from the default rules, or those of --against, to those of --rules")
	update := fs.Bool("update", false, "write the expectations that differ; read them before you keep them")
	secrets := fs.Bool("show-secrets", false, "show passcodes, also those in links")
	dirs, status, ok := parse(fs, args, std)
	if !ok {
		return status
	}
	if len(dirs) != 1 {
		return std.fail(wrong, "replay: name one folder, that of the corpus; %d are named", len(dirs))
	}
	dir := dirs[0]
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		if err == nil {
			return std.fail(wrong, "%s: is no folder; name the folder of the corpus", dir)
		}
		return std.fail(no, "%s: %v", dir, plain(err))
	}
	engine, err := by.engine()
	if err != nil {
		return std.fail(no, "%v", err)
	}
	if *diff || *against != "" {
		before, err := by.engineOf(*against)
		if err != nil {
			return std.fail(no, "%v", err)
		}
		return replayDiff(dir, before, engine, *asJSON, *secrets, std)
	}
	if *update {
		if err := rulestest.WriteUpdate(dir, engine); err != nil {
			return std.fail(no, "%v", err)
		}
	}
	report, err := rulestest.Run(os.DirFS(dir), engine)
	if err != nil {
		return std.fail(no, "%s: %v", dir, err)
	}
	if *asJSON {
		replayJSON(std.out, report, *secrets)
	} else {
		replayText(std.out, report, *secrets)
	}
	if !report.OK() {
		return no
	}
	return done
}

// both is what was found and what was expected, or what changes, with passcodes.
type both struct {
	Got  *rulestest.Want `json:"got"`
	Want *rulestest.Want `json:"want"`
}

func replayText(w io.Writer, report *rulestest.Report, secrets bool) {
	for _, f := range report.Files {
		if f.Err != nil {
			fmt.Fprintf(w, "%s: %s\n", printable(f.Name), printable(f.Err.Error()))
		}
		for i := range f.Events {
			e := &f.Events[i]
			if e.OK() {
				continue
			}
			fmt.Fprintf(w, "%s, event %d, %s\n", printable(f.Name), e.Index+1, printable(e.Subject))
			for _, d := range e.Diffs {
				fmt.Fprintf(w, "  %s\n", printable(d))
			}
			if e.Got == nil {
				fmt.Fprintf(w, "  why: %s\n", printable(e.Why))
			}
			if secrets {
				printJSON(w, both{e.Got, e.Want})
			}
		}
	}
	fmt.Fprintf(w, "%-16s %6s %6s %6s %8s %10s\n", "service", "right", "missed", "false", "recall", "precision")
	row := func(s rulestest.Score) {
		fmt.Fprintf(w, "%-16s %6d %6d %6d %8s %10s\n", s.Service, s.Right, s.Missed, s.False,
			share(s.Recall(), s.Right+s.Missed), share(s.Precision(), s.Right+s.False))
	}
	for _, s := range report.Scores {
		row(s)
	}
	total := report.Total
	total.Service = "all"
	row(total)
	fmt.Fprintf(w, "without a meeting: %d of %d right\n", report.NoneRight, report.None)
}

// share prints a part as a percentage; of nothing there is no part.
func share(part float64, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*part)
}

func replayJSON(w io.Writer, report *rulestest.Report, secrets bool) {
	type line struct {
		File  string   `json:"file"`
		Event int      `json:"event"`
		Error string   `json:"error,omitempty"`
		Diffs []string `json:"diffs,omitempty"`
		Why   string   `json:"why,omitempty"`
		*both
	}
	for _, f := range report.Files {
		if f.Err != nil {
			printJSON(w, line{File: f.Name, Error: f.Err.Error()})
		}
		for i := range f.Events {
			e := &f.Events[i]
			if e.OK() {
				continue
			}
			l := line{File: f.Name, Event: e.Index, Diffs: e.Diffs, Why: e.Why}
			if secrets {
				l.both = &both{e.Got, e.Want}
			}
			printJSON(w, l)
		}
	}
	type score struct {
		Service   string  `json:"service"`
		Right     int     `json:"right"`
		Missed    int     `json:"missed"`
		False     int     `json:"false"`
		Recall    float64 `json:"recall"`
		Precision float64 `json:"precision"`
	}
	row := func(s rulestest.Score) score {
		return score{s.Service, s.Right, s.Missed, s.False, s.Recall(), s.Precision()}
	}
	var scores []score
	for _, s := range report.Scores {
		scores = append(scores, row(s))
	}
	printJSON(w, struct {
		OK        bool    `json:"ok"`
		Total     score   `json:"total"`
		Services  []score `json:"services"`
		None      int     `json:"none"`
		NoneRight int     `json:"none_right"`
	}{report.OK(), row(report.Total), scores, report.None, report.NoneRight})
}

func replayDiff(dir string, before, after *rules.Engine, asJSON, secrets bool, std stdio) int {
	type line struct {
		File    string          `json:"file"`
		Event   int             `json:"event"`
		Changes []string        `json:"changes"`
		Before  *rulestest.Want `json:"before,omitempty"`
		After   *rulestest.Want `json:"after,omitempty"`
	}
	changes, err := rulestest.Diff(os.DirFS(dir), before, after)
	status := done
	if err != nil {
		status = std.fail(no, "%v", err)
	}
	for _, c := range changes {
		l := line{File: c.File, Event: c.Index, Changes: c.What}
		if secrets {
			l.Before, l.After = c.Old, c.New
		}
		if asJSON {
			printJSON(std.out, l)
			continue
		}
		fmt.Fprintf(std.out, "%s, event %d, %s\n", printable(c.File), c.Index+1, printable(c.Subject))
		for _, d := range c.What {
			fmt.Fprintf(std.out, "  %s\n", printable(d))
		}
		if secrets {
			printJSON(std.out, both{c.New, c.Old})
		}
	}
	if !asJSON {
		fmt.Fprintf(std.out, "%d meetings would change\n", len(changes))
	}
	return status
}
