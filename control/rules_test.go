package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// A rule file as a person writes it: comments everywhere.
const written = `// Rules of Acme
[ // the list
	// Our own bridge.
	{
		"name": "bridge", // short
		"priority": 10, // early
		"disabled": true, // until March
		"type": "domain", /* by host */
		"domain": "vc.acme.example"
	}, // first

	/* Guests. */
	{"name": "guests", "priority": 20, "type": "zoom"}, // second
	{
		"name": "last",
		"priority": 30,
		"type": "webex", // third
	} // end
	// nothing more
]
// bye
`

func names(t *testing.T, c *control.Centre, text string) string {
	t.Helper()
	list, err := c.RuleList(text)
	require.NoError(t, err, "%s", text)
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprintf("%s/%d", r.Name, r.Priority))
	}
	return strings.Join(out, " ")
}

func TestRuleList(t *testing.T) {
	w := newWorld(t)
	list := must(w.centre.RuleList(written))(t)
	require.Len(t, list, 3)
	assert.Equal(t, "bridge", list[0].Name)
	assert.Equal(t, "Our own bridge.", list[0].Comment)
	assert.Equal(t, 4, list[0].Line)
	require.Len(t, list[0].Problems, 1)
	assert.True(t, list[0].Problems[0].Warning, "a disabled rule is worth a word")
	assert.Equal(t, "Guests.", list[1].Comment)
	assert.Equal(t, 13, list[1].Line)

	// Those of lower priority come first wherever they stand.
	assert.Equal(t, "b/5 a/7", names(t, w.centre, `[{"name":"a","priority":7,"type":"zoom"},{"name":"b","priority":5,"type":"zoom"}]`))
	assert.Empty(t, must(w.centre.RuleList(" \n"))(t))

	for text, want := range map[string]string{
		`{"objects": []}`:                "imported first",
		`[{"name": }]`:                   "line 1, column 11",
		`[{"nmae": "x"}]`:                `did you mean "name"`,
		strings.Repeat("[", 100_000):     "nested deeper",
		strings.Repeat(" ", 1<<20) + "x": "too long",
		`[1]`:                            "line 1, column 2",
	} {
		_, err := w.centre.RuleList(text)
		assert.Equal(t, "rules", fieldsOf(t, err)[0])
		assert.ErrorContains(t, err, want)
	}
}

func TestEditRules(t *testing.T) {
	w := newWorld(t)
	rule := rules.Rule{Name: "new", Type: rules.TypeTeams, Description: "added"}
	for _, c := range []struct {
		name string
		edit control.RuleEdit
		want string
		has  []string // lines of the new text
		not  []string
	}{
		{"enable", control.RuleEdit{Op: control.EnableRule, At: 0}, "bridge/10 guests/20 last/30",
			[]string{`"priority": 10, // early`, `"type": "domain", /* by host */`}, []string{"disabled", "until March"}},
		{"disable", control.RuleEdit{Op: control.DisableRule, At: 1}, "bridge/10 guests/20 last/30",
			[]string{`{"name": "guests", "priority": 20, "type": "zoom", "disabled": true}, // second`}, nil},
		{"disable the last", control.RuleEdit{Op: control.DisableRule, At: 2}, "bridge/10 guests/20 last/30",
			[]string{`"disabled": true,`, `"type": "webex", // third`, "	} // end"}, nil},
		{"move down", control.RuleEdit{Op: control.MoveRule, At: 0, To: 2}, "guests/20 last/30 bridge/40",
			[]string{"	// Our own bridge.", `"name": "bridge", // short`, `"priority": 40, // early`, `	} // first`, "	// nothing more"}, nil},
		{"move up", control.RuleEdit{Op: control.MoveRule, At: 2, To: 0}, "last/5 bridge/10 guests/20", []string{"	}, // end", `	{"name": "guests", "priority": 20, "type": "zoom"} // second`}, nil},
		{"stay", control.RuleEdit{Op: control.MoveRule, At: 1, To: 1}, "bridge/10 guests/20 last/30", []string{"// bye"}, nil},
		{"add in front", control.RuleEdit{Op: control.AddRule, To: 0, Rule: rule}, "new/5 bridge/10 guests/20 last/30", []string{`		"description": "added",`, `		"priority": 5,`}, nil},
		{"add at the end", control.RuleEdit{Op: control.AddRule, To: 3, Rule: rule}, "bridge/10 guests/20 last/30 new/40", []string{"	}, // end"}, nil},
		{"replace", control.RuleEdit{Op: control.ReplaceRule, At: 0, Rule: rules.Rule{Name: "bridge", Type: rules.TypeDomain, Domain: "new.acme.example", Priority: 10}},
			"bridge/10 guests/20 last/30", []string{`"domain": "new.acme.example"`, `"name": "bridge", // short`}, []string{"vc.acme.example"}},
		{"delete", control.RuleEdit{Op: control.DeleteRule, At: 0}, "guests/20 last/30", []string{"[ // the list", "	/* Guests. */"}, []string{"Our own", "// first"}},
		{"delete the last", control.RuleEdit{Op: control.DeleteRule, At: 2}, "bridge/10 guests/20", []string{`"type": "zoom"} // second`, "	// nothing more"}, []string{"third", "// end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := must(w.centre.EditRules(written, c.edit))(t)
			assert.Equal(t, c.want, names(t, w.centre, got), got)
			for _, line := range c.has {
				assert.Contains(t, got, line)
			}
			for _, line := range c.not {
				assert.NotContains(t, got, line)
			}
			for _, p := range w.centre.CheckRules(got) {
				assert.True(t, p.Warning, "%v\n%s", p, got)
			}
		})
	}

	for _, bad := range []control.RuleEdit{
		{Op: "explode"}, {Op: control.MoveRule, At: 3}, {Op: control.MoveRule, At: 0, To: 3}, {Op: control.DeleteRule, At: -1}, {Op: control.AddRule, To: 4},
	} {
		_, err := w.centre.EditRules(written, bad)
		fieldsOf(t, err)
	}
}

// A list that is full of numbers is numbered anew.
func TestEditRulesWithoutRoom(t *testing.T) {
	w := newWorld(t)
	text := ""
	for i := range 150 {
		var err error
		text, err = w.centre.EditRules(text, control.RuleEdit{Op: control.AddRule, To: 0, Rule: rules.Rule{Name: fmt.Sprint("rule ", i), Type: rules.TypeZoom}})
		require.NoError(t, err)
	}
	list := must(w.centre.RuleList(text))(t)
	require.Len(t, list, 150)
	for i, r := range list {
		assert.Equal(t, fmt.Sprint("rule ", 149-i), r.Name)
		assert.Empty(t, r.Problems)
	}
}

// Whatever is edited, the rules that nobody touched stay as they are, and so
// does their order.
func FuzzEditRules(f *testing.F) {
	f.Add(written, "move", 0, 2)
	f.Add(`[{"name":"a","priority":7,"type":"zoom"},{"name":"b","priority":5,"type":"zoom"},]`, "delete", 1, 0)
	f.Add(`[{"name":"a","priority":7,"disabled":true /*x*/ , "type":"zoom"/*y*/}//z
]`, "enable", 0, 0)
	f.Add("[/* a */]", "add", 0, 0)
	f.Add(`[{"name":"a",//x
"disabled":true,"type":"zoom"}/**/,/**/{}/**/]`, "move", 1, 0)
	c := new(control.Centre)
	f.Fuzz(func(t *testing.T, text, op string, at, to int) {
		before, err := c.RuleList(text)
		if err != nil {
			return
		}
		e := control.RuleEdit{Op: control.RuleOp(op), At: at, To: to, Rule: rules.Rule{Name: "new", Type: rules.TypeTeams, Domain: "x.example"}}
		out, err := c.EditRules(text, e)
		if err != nil {
			return
		}
		after, err := c.RuleList(out)
		if err != nil {
			t.Fatalf("%s of\n%s\ncannot be read:\n%s\n%v", op, text, out, err)
		}
		var want []rules.Rule
		for _, r := range before {
			want = append(want, r.Rule)
		}
		switch e.Op {
		case control.EnableRule, control.DisableRule:
			want[at].Disabled = e.Op == control.DisableRule
		case control.ReplaceRule:
			want[at] = e.Rule
		case control.DeleteRule:
			want = append(want[:at:at], want[at+1:]...)
		case control.MoveRule:
			r := want[at]
			want = append(want[:at:at], want[at+1:]...)
			want = append(want[:to:to], append([]rules.Rule{r}, want[to:]...)...)
		case control.AddRule:
			want = append(want[:to:to], append([]rules.Rule{e.Rule}, want[to:]...)...)
		}
		var got []rules.Rule
		for _, r := range after {
			got = append(got, r.Rule)
		}
		for i := range got {
			got[i].Priority = 0
		}
		for i := range want {
			want[i].Priority = 0
		}
		if d := cmp.Diff(want, got, cmp.Transformer("empty", func(s []string) string { return strings.Join(s, "\x00") })); d != "" {
			t.Fatalf("%s of\n%s\nis\n%s\n%s", op, text, out, d)
		}
	})
}

func TestBrokenRulesAreNotStored(t *testing.T) {
	w := newWorld(t)
	p := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	p.Rules = `[
	{"name": "x", "priority": 1, "type": "regex", "match": "(", "replace": "a"}
]`
	_, err := w.centre.SaveProcessing(t.Context(), w.admin, p)
	assert.Equal(t, []string{"rules"}, fieldsOf(t, err))
	assert.ErrorContains(t, err, "line 2, column")
	problems := w.centre.CheckRules(p.Rules)
	require.NotEmpty(t, problems)
	assert.Equal(t, 2, problems[0].Line)
	assert.Contains(t, problems[0].Snippet, "^")

	problems = w.centre.CheckRules("[\n// \u202e evil\n]")
	require.Len(t, problems, 1)
	assert.Equal(t, []int{2, 4}, []int{problems[0].Line, problems[0].Column}, "text that shows as something else is refused")

	p.Rules = written
	p = must(w.centre.SaveProcessing(t.Context(), w.admin, p))(t)
	assert.Equal(t, written, p.Rules, "the text is kept as it is")
}

func TestImportRules(t *testing.T) {
	w := newWorld(t)
	in := must(w.centre.ImportRules(`{"objects": [{"name": "a", "priority": 5, "meeting_type": "zoom", "enabled": true}]}`, ""))(t)
	assert.Equal(t, 1, in.Taken)
	assert.Equal(t, "a/5", names(t, w.centre, in.Text))
	_, err := w.centre.ImportRules("nonsense", "")
	assert.Equal(t, []string{"rules"}, fieldsOf(t, err))
}
