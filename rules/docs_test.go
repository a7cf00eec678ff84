package rules_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const manual = "../docs/rules.md"

var update = flag.Bool("update", false, "write the tables of docs/rules.md and the expectations of corpora")

// block is a fenced block of the manual: its info string and its text.
type block struct{ info, text string }

func blocks(t *testing.T) []block {
	data, err := os.ReadFile(manual)
	require.NoError(t, err)
	var out []block
	for _, m := range regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(string(data), -1) {
		out = append(out, block{m[1], m[2]})
	}
	return out
}

// TestManualExamples runs every example of the manual: a rule file, the invite
// and the result behind it, and what lint says of a file with mistakes.
func TestManualExamples(t *testing.T) {
	var list []rules.Rule
	var mistake, invite string
	examples := 0
	for _, b := range blocks(t) {
		kind := strings.TrimPrefix(b.info, "text ")
		switch {
		case b.info == "json rules":
			var err error
			list, err = rules.Parse("rules.json", []byte(b.text))
			require.NoError(t, err, b.text)
			for _, f := range rules.Lint("rules.json", []byte(b.text), &rules.Options{OwnDomains: []string{"nordvik.example"}}) {
				t.Errorf("the example has a warning: %v", f.Error())
			}
		case b.info == "json mistake":
			mistake = b.text
		case kind == "lint":
			var out strings.Builder
			for _, f := range rules.Lint("rules.json", []byte(mistake), nil) {
				fmt.Fprintf(&out, "%s\n%s\n", f.Error(), f.Snippet)
			}
			// Tabs are printed as one space, to keep the caret below its place.
			assert.Equal(t, b.text, out.String())
			examples++
		case kind == "invite":
			invite = b.text
		case kind == "found":
			e, err := rules.New(list, &rules.Options{OwnDomains: []string{"nordvik.example"}})
			require.NoError(t, err)
			ev := &calendar.Event{Body: calendar.Body{Plain: invite}, Organizer: calendar.Person{Name: "Ola", Email: "ola@fabrikam.example"}}
			if !strings.Contains(invite, "http") && strings.Contains(invite, "[room") {
				ev = &calendar.Event{Subject: strings.TrimSpace(invite)}
			}
			m, ok := e.Find(ev)
			require.True(t, ok, invite)
			got := m.Service + " by " + m.Rule + ":"
			for _, a := range m.Addresses {
				got += " " + a.URI
			}
			assert.Equal(t, strings.TrimSpace(b.text), got)
			examples++
		}
	}
	assert.GreaterOrEqual(t, examples, 6)
}

// TestManualTables: the tables of the manual are those of the code.
func TestManualTables(t *testing.T) {
	tables := map[string]string{"types": typesTable(), "variables": variablesTable(), "filters": filtersTable(), "tests": testsList(), "limits": limitsTable()}
	data, err := os.ReadFile(manual)
	require.NoError(t, err)
	text := string(data)
	for name, want := range tables {
		re := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->)`)
		m := re.FindStringSubmatch(text)
		require.NotNil(t, m, "the manual has no table of %s", name)
		next := re.ReplaceAllLiteralString(text, m[1]+"\n"+want+"\n"+m[2])
		if !*update {
			assert.Empty(t, cmp.Diff(next, text), "run go test ./rules -run TestManualTables -update")
		}
		text = next
	}
	if *update {
		require.NoError(t, os.WriteFile(manual, []byte(text), 0o644))
	}
}

func typesTable() string {
	var b strings.Builder
	b.WriteString("| Type | Finds | Default transform |\n|---|---|---|\n")
	for _, info := range rules.Types() {
		def := "needs `" + strings.Join(info.Needs, "`, `") + "`"
		if info.Default != "" {
			def = "`" + info.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", info.Type, info.About, def)
	}
	return b.String()
}

func variablesTable() string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, info := range rules.Types() {
		key := fmt.Sprint(info.Variables)
		if len(info.Variables) == 0 || seen[key] {
			continue
		}
		seen[key] = true
		var same []string
		for _, other := range rules.Types() {
			if fmt.Sprint(other.Variables) == key {
				same = append(same, "`"+string(other.Type)+"`")
			}
		}
		fmt.Fprintf(&b, "%s:\n\n| Variable | Meaning |\n|---|---|\n", strings.Join(same, ", "))
		for _, v := range info.Variables {
			fmt.Fprintf(&b, "| `%s` | %s |\n", v.Name, v.About)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func filtersTable() string {
	var b strings.Builder
	b.WriteString("| Filter | Yields |\n|---|---|\n")
	for _, f := range jinja.Filters() {
		name := f.Name
		if len(f.Params) > 0 {
			name += "(" + strings.Join(f.Params, ", ") + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(f.About, "|", "\\|"))
	}
	b.WriteString("\nThose whose names start with `pex_` are functions too, with the value first:\n`pex_head(meeting_id, 3)` is `meeting_id|pex_head(3)`.\n")
	return b.String()
}

func testsList() string { return "`" + strings.Join(jinja.Tests(), "` `") + "`\n" }

func limitsTable() string {
	l := rebound.Default
	var b strings.Builder
	b.WriteString("| What | At most |\n|---|---|\n")
	for _, row := range [][2]any{
		{"Rules in a file", 200},
		{"Bytes of a `transform`, a `template`", "512, 10,240"},
		{"Characters of `match` and `replace`", 250},
		{"Bytes of a pattern in a template", l.PatternBytes},
		{"Size of a pattern when its repetitions are written out, in instructions", l.Insts},
		{"The number in `{n,m}`", l.Repeat},
		{"Capturing groups of a pattern", l.Captures},
		{"Characters in classes such as `\\pL`, when written out", l.ClassRunes},
		{"Instructions of all patterns of a file", l.SetInsts},
		{"Bytes of a text that a pattern is run over", rebound.MaxInput},
		{"Budget for one event: instructions times bytes, over all patterns", rebound.DefaultBudget},
		{"Steps of a template, iterations of its loops", fmt.Sprintf("%d, %d", jinja.MaxSteps, jinja.MaxLoops)},
		{"Bytes that a template gives", jinja.MaxOutput},
		{"Bytes of an address", 1024},
	} {
		fmt.Fprintf(&b, "| %v | %v |\n", row[0], row[1])
	}
	return b.String()
}
