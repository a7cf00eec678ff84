package rules_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPexipDeployment imports the rules of a deployment as the management API
// returns them, and runs them over its corpus.
func TestPexipDeployment(t *testing.T) {
	data, err := os.ReadFile("../internal/testdata/pexip/rules.json")
	require.NoError(t, err)
	list, report, err := rules.ImportPexip("rules.json", data, "")
	require.NoError(t, err)
	assert.Equal(t, 22, report.Rules)
	assert.Equal(t, 20, report.Taken)
	types := map[rules.Type]bool{}
	for _, r := range list {
		types[r.Type] = true
	}
	for _, info := range rules.Types() {
		assert.True(t, types[info.Type], "the deployment has a rule of type %s", info.Type)
	}
	assert.Len(t, types, 19)

	lost := map[string]string{}
	for _, n := range report.Notes {
		if n.Lost {
			assert.False(t, n.Warning)
			lost[n.Rule] = n.Msg
		}
	}
	assert.Empty(t, cmp.Diff(map[string]string{
		"Not the lobby": "regular expression: negative look-behind (?<!…) is not possible in RE2; write what may stand before, as in (^|[^x])",
		"Daily room":    "pex_now is not available: its result changes from run to run, and so would the button; rules do not depend on the time of day",
	}, lost))

	again, err := rules.Parse("", rules.Marshal(list))
	require.NoError(t, err, "what was imported is a rule file")
	assert.Empty(t, cmp.Diff(list, again))

	engine, err := rules.New(list, &rules.Options{OwnDomains: []string{"nordvik.example"}})
	require.NoError(t, err)
	rulestest.ReplayDir(t, "../internal/testdata/pexip/invites", engine)
}

func TestImportPexip(t *testing.T) {
	const one = `{"id": 1, "name": "z", "priority": 3, "meeting_type": "zoom", "mjx_integration": "/api/admin/configuration/v1/mjx_integration/2/",
		"default_processing_enabled": false, "transform_rule": "{{ meeting_id }}@x", "domain": null, "match_string": "left over", "new_in_v42": 1}`
	for name, data := range map[string]string{"single": one, "list": "[" + one + "]", "page": `{"meta": {"total_count": 1}, "objects": [` + one + `]}`} {
		t.Run(name, func(t *testing.T) {
			list, report, err := rules.ImportPexip("p", []byte(data), "")
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff([]rules.Rule{{Name: "z", Priority: 3, Type: rules.TypeZoom, Transform: "{{ meeting_id }}@x"}}, list))
			var notes []string
			for _, n := range report.Notes {
				notes = append(notes, n.Msg)
			}
			slices.Sort(notes)
			assert.Equal(t, []string{"match_string is left out: the type zoom does not use it", `unknown member "new_in_v42" of the API: it is left out`}, notes)
		})
	}
	two := "[" + one + "," + strings.NewReplacer("integration/2", "integration/3", `"z"`, `"y"`).Replace(one) + "]"
	_, _, err := rules.ImportPexip("p", []byte(two), "")
	require.ErrorContains(t, err, "rules of 2 profiles, and each has its own; keep those with one")
	list, _, err := rules.ImportPexip("p", []byte(two), "3")
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "y", list[0].Name)
	_, _, err = rules.ImportPexip("p", []byte(two), "4")
	require.ErrorContains(t, err, `no rule of the profile "4"`)

	for name, data := range map[string]string{"page": `{"meta": {"total_count": 1}, "objects": [%s]}`, "list": `[%s]`, "one": `%s`} {
		list, err := rules.Parse("p.json", fmt.Appendf(nil, data, `{"name": "b", "priority": 9, "meeting_type": "zoom"}`))
		require.NoError(t, err, name)
		assert.Len(t, list, 1, "a rule file may be what the API returns: %s", name)
	}

	late, _, err := rules.ImportPexip("p", []byte(`[{"name": "b", "priority": 9, "meeting_type": "zoom"}, {"name": "a", "priority": 2, "meeting_type": "webex"}]`), "")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, []string{late[0].Name, late[1].Name}, "in the order in which they are tried")

	for data, want := range map[string]string{
		`{}`: `there is neither "objects" nor "meeting_type"`,
		`{"meta": {"total_count": 30}, "objects": []}`:           "the file has 0 of 30 rules; ask the API for all",
		`{"name": "x", "priority": "1", "meeting_type": "zoom"}`: "priority must be a whole number, not a string",
		`[{"name": "x", "priority": 1`:                           "is never closed",
	} {
		_, _, err := rules.ImportPexip("p", []byte(data), "")
		require.ErrorContains(t, err, want)
		var se *rules.SyntaxError
		require.ErrorAs(t, err, &se)
	}
	for data, want := range map[string]string{
		`[{"name": "x", "priority": 1, "meeting_type": "bluejeans"}]`:                                           `the meeting type "bluejeans" is not known here`,
		`[{"name": "x", "priority": 300, "meeting_type": "zoom"}]`:                                              "priority must be 1 to 200",
		`[{"name": "x", "priority": 1, "meeting_type": "zoom", "default_processing_enabled": false}]`:           "there is no transform_rule",
		`[{"name": "x", "priority": 1, "meeting_type": "custom", "custom_template": "{{ calendar.subject }}"}]`: `unknown variable "calendar"`,
		`[{"name": "x", "priority": 1, "meeting_type": "domain"}]`:                                              `needs "domain"`,
	} {
		list, report, err := rules.ImportPexip("p", []byte(data), "")
		require.NoError(t, err)
		assert.Empty(t, list)
		found := false
		for _, n := range report.Notes {
			found = found || n.Lost && strings.Contains(n.Msg, want)
		}
		assert.True(t, found, "%s in %v", want, report.Notes)
	}
}
