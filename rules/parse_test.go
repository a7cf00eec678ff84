package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseReportsEverything(t *testing.T) {
	_, err := rules.Parse("r.json", []byte(`[
	{"name": "a", "priority": 1, "type": "zoom", "transform": "{{ meetingid }}@x"},
	{"name": "a", "priority": 0, "type": "zom"},
	{"priority": 3, "type": "regex_re2", "match": "(?i)a\\d(b", "replace": "\\2"},
	{"name": "d", "priority": 4, "type": "custom", "template": "{{ event.subject|uper }}", "match": "x"},
	{"name": "e", "priority": 5, "type": "webex", "fields": ["body", "bdy"], "services": ["zooom"], "organizer": "me"},
	{"name": "f", "priority": 6, "type": "domain"},
	{"name": "g", "priority": 7, "type": "link", "service": "x", "hosts": ["x.example"], "paths": ["j/{id}"]},
]`))
	require.Error(t, err)
	want := []string{
		`r.json:2:64: unknown variable "meetingid"; did you mean "meeting_id"?`,
		`r.json:3:11: "a" is also the name of rule 1`,
		`r.json:3:28: priority must be 1 to 200; rules are tried in ascending order`,
		`r.json:3:39: unknown type "zom"; did you mean "zoom"?`,
		`r.json:4:2: the rule has no name; matches and explanations name the rule that found them`,
		`r.json:4:57: regular expression: missing closing )`,
		`r.json:5:79: unknown filter "uper"; did you mean "upper"?`,
		`r.json:5:98: "match" has no effect in a rule of type custom; remove it`,
		`r.json:6:67: unknown field "bdy"; did you mean "body"?`,
		`r.json:6:88: unknown service "zooom"; did you mean "zoom"?`,
		`r.json:6:111: organizer must be "internal", "external" or left out for any`,
		`r.json:7:2: a rule of type domain needs "domain"`,
		`r.json:8:97: path "j/{id}" does not begin with a slash`,
	}
	assert.Empty(t, cmp.Diff(want, strings.Split(err.Error(), "\n")))
	var se *rules.SyntaxError
	require.ErrorAs(t, err, &se)
	assert.Equal(t, "r.json", se.File)
	line, caret, _ := strings.Cut(se.Snippet, "\n")
	assert.True(t, strings.HasPrefix(line[len(caret)-1:], "meetingid"), "the caret is under the name")
}

// A mistake that keeps one rule from being read hides nothing about the others,
// and is said once.
func TestParseReportsBesideWhatItCannotRead(t *testing.T) {
	_, err := rules.Parse("r.json", []byte(`[
	{"name": "a", "priority": 1, "type": "domain"},
	{"name": "b", "priority": "2", "type": "custom"},
	{"name": "c", "prioritty": 3, "type": "zoom"},
	{"name": "d", "priority": 4, "type": "domain", "domain": "*.vc.example"},
	{"name": "e", "priority": 5, "type": "regex_re2", "match": "room (\\d+)", "replace": "{{ room }}@vc.example"},
]`))
	require.Error(t, err)
	assert.Empty(t, cmp.Diff([]string{
		`r.json:2:2: a rule of type domain needs "domain"`,
		`r.json:3:28: priority must be a whole number, not a string`,
		`r.json:4:16: unknown member "prioritty"; did you mean "priority"?`,
		`r.json:5:59: "*.vc.example" is no domain such as video.example.com`,
		`r.json:6:87: a replacement is no template, and no address has braces; a group is written \1 or \g<name>, with two backslashes in JSON`,
	}, strings.Split(err.Error(), "\n")))
}

// A dot that is not escaped lets the hosts of others in.
func TestLintNamesLooseDots(t *testing.T) {
	for match, column := range map[string]int{
		`https://meet.parley.example/(\\d+)`:     13,
		`meet\\.parley.example/(\\d+)`:           14,
		`https://meet\\.parley.example/(\\d+)`:   22,
		`https://meet\\.parley\\.example/(\\d+)`: 0,
		`https://.+\\.parley\\.example/.*(\\d+)`: 0,
		`room (\\d+)[.] Dial.(\\d+)`:             0,
		`192\\.0\\.2\\.1##(\\d+)`:                0,
	} {
		found := rules.Lint("", []byte(`[{"name":"a","priority":1,"type":"regex_re2","replace":"\\1@x","match":"`+match+`"}]`), nil)
		if column == 0 {
			assert.Empty(t, found, match)
			continue
		}
		require.Len(t, found, 1, match)
		assert.True(t, found[0].Warning)
		assert.Contains(t, found[0].Msg, "hosts of others match too")
		assert.Equal(t, column+len(`[{"name":"a","priority":1,"type":"regex_re2","replace":"\\1@x","match":"`), found[0].Column, match)
	}
}

func TestParseRoundTrip(t *testing.T) {
	list, err := rules.Parse("", []byte(`[{"name": "z", "priority": 1, "type": "zoom", "transform": "{{ meeting_id }}@x<&>", "include_pin": true},
		{"name": "off", "priority": 2, "type": "regex_re2", "match": "abc(\\d+)", "replace": "\\1@x", "disabled": true, "fields": ["location"]}]`))
	require.NoError(t, err)
	data := rules.Marshal(list)
	assert.Contains(t, string(data), `"{{ meeting_id }}@x<&>"`)
	again, err := rules.Parse("", data)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(list, again))
	assert.Equal(t, "[]\n", string(rules.Marshal(nil)))
}

func TestDefaultPackIsARuleFile(t *testing.T) {
	pack := rules.DefaultRules()
	for i := range pack {
		pack[i].Priority = i%200 + 1
	}
	again, err := rules.Parse("pack", rules.Marshal(pack))
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(pack, again))
}

func TestLintWarns(t *testing.T) {
	got := rules.Lint("r.json", []byte(`[
	{"name": "a", "priority": 1, "type": "regex", "match": "\\d{9}", "replace": "$1@x"},
	{"name": "b", "priority": 1, "type": "zoom", "include_pin": true, "transform": "{{ meeting_id }}@x", "disabled": true},
	{"name": "c", "priority": 3, "type": "teamssipguestjoin", "organizer": "internal"},
]`), nil)
	var out []string
	for _, f := range got {
		assert.True(t, f.Warning)
		out = append(out, f.Error())
	}
	assert.Empty(t, cmp.Diff([]string{
		`r.json:2:39: regex is the legacy type; regex_re2 is the same here, and says what it is`,
		`r.json:2:57: the pattern has no fixed text of at least 3 characters, so it runs on every invite; add some, such as a host name or a label`,
		`r.json:2:78: "$" stands for itself in a replacement; a group is written \1 or \g<name>, with two backslashes in JSON`,
		`r.json:3:28: rule 1, "a", has the same priority; of the two it comes first because it stands first`,
		`r.json:3:62: include_pin is for the default transform; write {{ passcode }} into yours`,
		`r.json:3:115: the rule is disabled: it is checked, and never tried`,
		`r.json:4:2: the rule finds nothing without a domain or a transform: the gateway's domain is yours`,
		`r.json:4:73: the condition "internal" compares with your own domains, and there are none: every organizer counts as external`,
	}, out))
	got = rules.Lint("", []byte(`[{"name": "c", "priority": 3, "type": "zoom", "organizer": "internal"}]`), &rules.Options{OwnDomains: []string{"a.example"}})
	assert.Empty(t, got)
}

func TestParseNamesOtherFormats(t *testing.T) {
	const page = `{"meta": {"total_count": 1}, "objects": [{"name": "z", "priority": 1, "meeting_type": "zoom", "default_processing_enabled": false, "transform_rule": "{{ %s }}@x"}]}`
	list, err := rules.Parse("p.json", fmt.Appendf(nil, page, "meeting_id"))
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = rules.Parse("p.json", fmt.Appendf(nil, page, "alias"))
	require.ErrorContains(t, err, `p.json:1:154: rule "z": unknown variable "alias"`)
	_, err = rules.Parse("p.json", []byte(`{}`))
	require.ErrorContains(t, err, "a rule file is a list of rules")
	_, err = rules.Parse("p.json", []byte(``))
	require.ErrorContains(t, err, "p.json:1:1: file is empty")
}

func TestSetLimits(t *testing.T) {
	var many []string
	for i := range 201 {
		many = append(many, fmt.Sprintf(`{"name": "r%d", "priority": 1, "type": "zoom"}`, i))
	}
	_, err := rules.Parse("", []byte("["+strings.Join(many, ",")+"]"))
	require.ErrorContains(t, err, "the file has 201 rules; at most 200 are allowed")

	var heavy []string
	for i := range 100 {
		heavy = append(heavy, fmt.Sprintf(`{"name": "r%d", "priority": 1, "type": "regex_re2", "match": "abc.{240}", "replace": "x"}`, i))
	}
	_, err = rules.Parse("", []byte("["+strings.Join(heavy, ",\n")+"]"))
	require.ErrorContains(t, err, "too many instructions in the whole rule set")

	list, err := rules.Parse("", []byte(`[{"name": "x", "priority": 1, "type": "custom", "template": "`+strings.Repeat("x", 10241)+`"}]`))
	require.ErrorContains(t, err, "template has 10241 bytes; at most 10240 are allowed")
	assert.Empty(t, list)
	for member, n := range map[string]int{"name": 251, "description": 251, "match": 251, "replace": 251, "domain": 256, "company_id": 37, "transform": 513} {
		_, err := rules.Parse("", []byte(`[{"priority": 1, "type": "zoom", "`+member+`": "`+strings.Repeat("x", n)+`"}]`))
		require.ErrorContains(t, err, "are allowed", member)
	}
}

// FuzzParse: a file is refused with places inside of it, or is a rule set that
// New takes and that reads back the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"name": "z", "priority": 1, "type": "zoom", "transform": "{{ meeting_id }}@x"}]`))
	f.Add([]byte(`[{"name": "r", "priority": 2, "type": "regex_re2", "match": "abc(\\d+)", "replace": "\\1@x"}, /* c */]`))
	f.Add([]byte(`[{"name": "l", "priority": 3, "type": "link", "service": "x", "hosts": [".x.example"], "paths": ["/j/{id:digits}"]}]`))
	f.Add([]byte(`[{"name": "c", "priority": 4, "type": "custom", "template": "{{ event.subject }}", "domain": "x"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := rules.Parse("f", data)
		if err != nil {
			var se *rules.SyntaxError
			if !errors.As(err, &se) || se.Line < 1 || se.Line > 1+strings.Count(string(data), "\n") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		_, err = rules.New(list, nil)
		require.NoError(t, err)
		again, err := rules.Parse("f", rules.Marshal(list))
		require.NoError(t, err)
		if len(list) > 0 {
			require.Equal(t, list, again)
		}
	})
}
