package bench

import (
	"fmt"
	"strings"
	"time"
)

// Environment says where and how a table was measured.
type Environment struct {
	Commit, Go, CPU, Load, Date, Command string
	Took                                 time.Duration
}

// Hostile is the outcome of one adversarial input.
type Hostile struct {
	Name string
	// Speed in MB/s at 1 MB, and the time at 1 MB over that at 512 KB; plain
	// text, then HTML.
	Plain, PlainGrowth, HTML, HTMLGrowth float64
}

// RunAdversarial measures the whole evaluation of the adversarial inputs.
func RunAdversarial() ([]Hostile, error) {
	var out []Hostile
	for _, a := range AdversarialInputs() {
		h := Hostile{Name: a.Name}
		var err error
		if h.Plain, h.PlainGrowth, err = a.measure(false); err == nil {
			h.HTML, h.HTMLGrowth, err = a.measure(true)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// measure returns the MB/s of the whole evaluation at 1 MB, and how many times
// as long it takes as at 512 KB. The sizes take turns, and the fastest of seven
// rounds counts for each.
func (a Adversarial) measure(html bool) (mbps, growth float64, err error) {
	bodies := [2]Body{a.Body(512<<10, html), a.Body(1<<20, html)}
	bodies[0].Name += ", half"
	fn, err := newOurs()
	if err != nil {
		return 0, 0, err
	}
	var ns [2]float64
	for range 25 { // a shared machine has slow spells that last some of them
		for i, b := range bodies {
			if t, _ := timed(fn, b, 10*time.Millisecond); ns[i] == 0 || t < ns[i] {
				ns[i] = t
			}
		}
	}
	return float64(len(bodies[1].Data)) * 1e3 / ns[1], ns[1] / ns[0], nil
}

// Markdown returns docs/benchmarks.md.
func Markdown(t Table, hostile []Hostile, env Environment) string {
	var s strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&s, format, args...) }
	p("# Benchmarks\n\n<!-- Written by internal/bench/cmd/benchmarks. Do not edit. -->\n\n")
	p("What it costs to find the meeting in an invite, beside other ways to look through one.\n\n")
	p("| | |\n|---|---|\n| commit | %s |\n| Go | %s |\n| CPU | %s |\n| load average at the start | %s |\n| date | %s, %s |\n| command | `%s` |\n\n",
		env.Commit, env.Go, env.CPU, env.Load, env.Date, env.Took, env.Command)
	p("All rows ran in one process, in interleaved rounds; the fastest round counts. Read differences below a factor of 1.5 as equal, and compare ratios, not figures of different machines. ")
	p("The bodies are synthetic, made with a fixed seed in the shape of current invites (`internal/bench/bodies.go`), and hot in cache. The figures hold for one core.\n\n")

	head := func(first string) {
		p("| %s |", first)
		for _, b := range t.Bodies {
			p(" %s |", b.Name)
		}
		p("\n|---|%s\n", strings.Repeat("---:|", len(t.Bodies)))
	}
	rows := func(cell func(c Contender, b Body) string) {
		for _, c := range t.Contenders {
			if t.Results[c.ID] == nil {
				continue
			}
			p("| %s |", c.Name)
			for _, b := range t.Bodies {
				p(" %s |", cell(c, b))
			}
			p("\n")
		}
		p("\n")
	}

	p("## The rows\n\nThey do not do the same work. Only the first and the third end with a meeting and its parts.\n\n| Row | What it does, and what it does not |\n|---|---|\n")
	for _, c := range t.Contenders {
		p("| %s | %s |\n", c.Name, c.Does)
	}
	for _, c := range t.Contenders {
		if why := t.Missing[c.ID]; why != "" {
			p("\nNot run: %s: %s.\n", c.Name, why)
		}
	}
	p("\n## Throughput, MB/s\n\n")
	head("bytes")
	p("| size |")
	for _, b := range t.Bodies {
		p(" %d |", len(b.Data))
	}
	p("\n")
	rows(func(c Contender, b Body) string { return figure(t.Results[c.ID][b.Name].MBPerSecond(b)) })

	p("## Time for one invite\n\n")
	head("")
	rows(func(c Contender, b Body) string {
		return time.Duration(t.Results[c.ID][b.Name].NsPerOp).Round(10 * time.Nanosecond).String()
	})
	p("## Allocations for one invite\n\n")
	head("")
	rows(func(c Contender, b Body) string { return fmt.Sprint(t.Results[c.ID][b.Name].Allocs) })

	p("## The whole evaluation against the others\n\nTimes as fast; below 1 the other one is faster.\n\n")
	head("against")
	for _, c := range t.Contenders {
		if c.ID == OursID || t.Results[c.ID] == nil {
			continue
		}
		p("| %s |", c.Name)
		for _, b := range t.Bodies {
			p(" %s |", figure(t.Ratio(OursID, c.ID, b.Name)))
		}
		p("\n")
	}
	p("\n")
	p("%s", losses(t))

	p("## What the engine is held to\n\nThe test `TestGate` in `internal/bench` checks these in a run of its own (`OTJ_BENCH_GATE=1 go test -tags otjbench -run Gate .`); the figures here are those of this run.\n\n| Body | Row | against | at least | measured | |\n|---|---|---|---:|---:|---|\n")
	names := map[string]string{}
	for _, c := range t.Contenders {
		names[c.ID] = c.Name
	}
	for _, g := range Gates() {
		if t.Results[g.Ours] == nil || t.Results[g.Against] == nil || t.Results[g.Ours][g.Body].NsPerOp == 0 {
			continue
		}
		ratio, verdict := t.Ratio(g.Ours, g.Against, g.Body), "met"
		if ratio < g.Least {
			verdict = "**missed**"
		}
		p("| %s | %s | %s | %s | %s | %s |\n", g.Body, names[g.Ours], names[g.Against], figure(g.Least), figure(ratio), verdict)
	}
	p("\n## Hostile input\n\nA string repeated to 1 MB, whole evaluation: MB/s, and the time at 1 MB over that at 512 KB. The engine reads a body up to its limits and reports what it left out.\n\n")
	p("| Input | plain, MB/s | growth | HTML, MB/s | growth |\n|---|---:|---:|---:|---:|\n")
	for _, h := range hostile {
		p("| `%s` | %s | %.2f | %s | %.2f |\n", h.Name, figure(h.Plain), h.PlainGrowth, figure(h.HTML), h.HTMLGrowth)
	}
	return s.String()
}

// losses says on which bodies another row is faster than the whole evaluation.
func losses(t Table) string {
	var s strings.Builder
	s.WriteString("Faster than the whole evaluation:\n\n")
	any := false
	for _, c := range t.Contenders {
		if c.ID == OursID || c.ID == OursURIID || t.Results[c.ID] == nil {
			continue
		}
		var on []string
		for _, b := range t.Bodies {
			if r := t.Ratio(OursID, c.ID, b.Name); r < 1 {
				on = append(on, fmt.Sprintf("%s (%.1fx)", b.Name, 1/r))
			}
		}
		if len(on) > 0 {
			any = true
			fmt.Fprintf(&s, "- %s, on %s\n", c.Name, strings.Join(on, ", "))
		}
	}
	if !any {
		s.WriteString("- none\n")
	}
	return s.String() + "\n"
}

// figure writes a number with three digits that count.
func figure(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
