package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The report says where others are faster, and what did not run: a table that
// left them out would be an advertisement.
func TestReportShowsWhatWeLose(t *testing.T) {
	body := Body{Name: "x", Data: make([]byte, 1000)}
	table := Table{
		Bodies:     []Body{body},
		Contenders: []Contender{{ID: OursID, Name: "ours"}, {ID: "Q", Name: "quick"}, {ID: "S", Name: "slow"}, {ID: "N", Name: "absent"}},
		Results: map[string]map[string]Result{
			OursID: {"x": {NsPerOp: 1000}},
			"Q":    {"x": {NsPerOp: 250}},
			"S":    {"x": {NsPerOp: 3000, Allocs: 7}},
		},
		Missing: map[string]string{"N": "no library"},
	}
	text := Markdown(table, []Hostile{{Name: "@@", Plain: 60, PlainGrowth: 2, HTML: 70, HTMLGrowth: 2.1}}, Environment{Commit: "abc", Command: "go run"})
	for _, want := range []string{
		"- quick, on x (4.0x)\n",
		"Not run: absent: no library.",
		"| ours | 1000 |",
		"| slow | 333 |",
		"| slow | 3.00 |",
		"| slow | 7 |",
		"| `@@` | 60.0 | 2.00 | 70.0 | 2.10 |",
		"| commit | abc |",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "- slow, on")

	teams := Bodies()[0]
	table = Table{Bodies: []Body{teams}, Contenders: []Contender{{ID: OursID, Name: "ours"}, {ID: UsualID, Name: "usual"}, {ID: ParseID, Name: "parse"}},
		Results: map[string]map[string]Result{OursID: {teams.Name: {NsPerOp: 10}}, UsualID: {teams.Name: {NsPerOp: 2000}}, ParseID: {teams.Name: {NsPerOp: 70}}}}
	text = Markdown(table, nil, Environment{})
	assert.Contains(t, text, "| 1 Teams | ours | usual | 100 | 200 | met |")
	assert.Contains(t, text, "| 1 Teams | ours | parse | 8.00 | 7.00 | **missed** |")
}
