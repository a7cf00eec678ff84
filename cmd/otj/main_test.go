package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// call runs a command line.
func call(t *testing.T, stdin string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, stdio{in: strings.NewReader(stdin), out: &o, err: &e})
	return status, o.String(), e.String()
}

// file writes a file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const zoomText = "https://us02web.zoom.us/j/81234567890?pwd=Zq1x\nMeeting ID: 812 3456 7890\nPasscode: 482913\n"

func TestExitStatusAndMessages(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		args   string
		status int
		want   string // on standard error, or on standard output where the status is 0
	}{
		{"", wrong, "otj extract"},
		{"help", done, "otj extract"},
		{"help extract", done, "usage: otj extract"},
		{"help replay", done, "  --against file\n      compare with"},
		{"", wrong, "otj serve sets it up in a browser"},
		{"help nosuch", wrong, `unknown command "nosuch"`},
		{"nosuch", wrong, `unknown command "nosuch"`},
		{"version", done, "otj "},
		{"extract", wrong, "no file is named"},
		{"extract -x", wrong, "otj extract -h"},
		{"extract " + missing, no, "no such file"},
		{"extract --rules " + missing + " -", no, "no such file"},
		{"explain " + missing, no, "no such file"},
		{"replay " + missing, no, "no such file"},
		{"replay a b", wrong, "2 are named"},
		{"lint", wrong, "name one"},
		{"lint --own-domain a@contoso.example x", wrong, "name a domain alone"},
		{"lint " + missing, no, "no such file"},
		{"demo --ics " + missing, no, "no such file"},
		{"serve --config " + missing, no, "no such file"},
		{"setup --config x --device 192.0.2.1 Fjord", wrong, "--password-file"},
		{"setup --config x --fingerprint 00 Fjord", wrong, "go with --device"},
		{"serve --demo --check", wrong, "--check"},
		{"serve x", wrong, `unexpected "x"`},
	} {
		status, out, errOut := call(t, "", strings.Fields(c.args)...)
		assert.Equal(t, c.status, status, "otj %s", c.args)
		text := errOut
		if c.status == done {
			text = out
		}
		assert.Contains(t, strings.ToLower(text), strings.ToLower(c.want), "otj %s", c.args)
		if c.status == no {
			assert.Equal(t, 1, strings.Count(errOut, "\n"), "one line: %q", errOut)
		}
	}
}

func TestExtract(t *testing.T) {
	invite := file(t, "a.txt", zoomText)
	status, out, _ := call(t, "", "extract", "--json", invite)
	assert.Equal(t, done, status)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, map[string]any{
		"service": "zoom", "uri": "https://us02web.zoom.us/j/81234567890?pwd=Zq1x", "dial": "sip:81234567890.482913@zoomcrc.com",
		"meeting_id": "81234567890", "passcode": "482913", "rule": "zoom", "field": "body",
	}, got["join"])

	// An unreadable file gives its line, and the others go on.
	status, out, errOut := call(t, zoomText, "extract", "--json", filepath.Join(t.TempDir(), "missing.ics"), "-", invite)
	assert.Equal(t, no, status)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], `"join":null`)
	assert.Contains(t, lines[1], "81234567890")
	assert.Contains(t, errOut, "missing.ics: ")
}

// After "--" nothing is a flag.
func TestFilesAfterTwoDashes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "-x.txt"), []byte(zoomText), 0o600))
	t.Chdir(dir)
	for _, args := range [][]string{{"extract", "--json", "--", "-x.txt"}, {"extract", "--json", "--", "-x.txt", "-x.txt"}} {
		status, out, errOut := call(t, "", args...)
		assert.Equal(t, done, status, errOut)
		assert.Equal(t, len(args)-3, strings.Count(out, "\n"))
	}
}

// What comes from outside does not steer the terminal.
func TestOutputIsPrintable(t *testing.T) {
	text := "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\nDTSTART:20270301T090000Z\nSUMMARY:a\u009b31mb\u202ec\nEND:VEVENT\nEND:VCALENDAR\n"
	invite := file(t, "a\x1b[31m.ics", text)
	for _, args := range [][]string{{"extract", invite}, {"extract", "--json", invite}, {"explain", invite}, {"extract", invite + "\x1b[2J"}} {
		_, out, errOut := call(t, "", args...)
		for _, bad := range []string{"\x1b", "\u009b", "\u202e"} {
			assert.NotContains(t, out+errOut, bad, "%q", args)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestLostOutputIsNoSuccess(t *testing.T) {
	invite := file(t, "a.txt", zoomText)
	for _, args := range [][]string{{"extract", "--json", invite}, {"extract", invite}, {"explain", invite}} {
		var errOut bytes.Buffer
		assert.Equal(t, no, run(t.Context(), args, stdio{in: strings.NewReader(""), out: full{}, err: &errOut}), args)
		assert.Contains(t, errOut.String(), "no space left")
	}
}

func TestExplainHidesSecretsUnlessAsked(t *testing.T) {
	invite := file(t, "a.txt", zoomText)
	for _, args := range [][]string{{"explain", invite}, {"explain", "--json", invite}, {"explain", "--all", invite}} {
		status, out, _ := call(t, "", args...)
		assert.Equal(t, done, status)
		assert.Contains(t, out, "zoom")
		assert.NotContains(t, out, "482913")
		assert.NotContains(t, out, "Zq1x")
	}
	_, out, _ := call(t, "", "explain", "--show-secrets", invite)
	assert.Contains(t, out, "Zq1x")
}

const houseRule = `[
	// The house's own bridge.
	{"name": "house", "priority": 10, "type": "regex_re2", "service": "house",
	 "match": "https://bridge\\.house\\.example/(\\d+)", "replace": "\\1@vc.house.example"},
]`

func TestLint(t *testing.T) {
	status, out, _ := call(t, "", "lint", file(t, "good.json", houseRule))
	assert.Equal(t, done, status)
	assert.Contains(t, out, "1 rule\n")
	status, out, _ = call(t, "", "lint", file(t, "bad.json", strings.Replace(houseRule, "priority", "priorty", 1)))
	assert.Equal(t, no, status)
	assert.Regexp(t, `bad\.json:3:\d+: error: .*priority`, out)
	assert.Contains(t, out, "^")
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("one.txt", "https://bridge.house.example/4711\n")
	write("one.want.json", `[{"service": "house", "dial": "sip:4711@vc.house.example"}]`)
	rules := file(t, "rules.json", houseRule)

	status, out, _ := call(t, "", "replay", dir)
	assert.Equal(t, no, status)
	assert.Contains(t, out, "one.txt, event 1")
	status, out, _ = call(t, "", "replay", "--rules", rules, dir)
	assert.Equal(t, done, status, out)
	status, out, _ = call(t, "", "replay", "--diff", "--rules", rules, dir)
	assert.Equal(t, done, status)
	assert.Contains(t, out, "1 meetings would change")
	status, out, _ = call(t, "", "replay", "--json", "--rules", rules, dir)
	assert.Equal(t, done, status)
	assert.Contains(t, out, `"ok":true`)

	write("one.want.json", `[null]`)
	status, _, _ = call(t, "", "replay", "--update", "--rules", rules, dir)
	assert.Equal(t, done, status)
	want, err := os.ReadFile(filepath.Join(dir, "one.want.json"))
	require.NoError(t, err)
	assert.Contains(t, string(want), "4711")
}

func TestOwnDomains(t *testing.T) {
	rules := file(t, "rules.json", `[{"name": "out", "priority": 1, "type": "zoom", "organizer": "external", "transform": "{{ meeting_id }}@out.contoso.example"}]`)
	invite := file(t, "a.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260301T090000Z\r\nDTSTART:20260301T090000Z\r\n"+
		"ORGANIZER:mailto:ana@eu.contoso.example\r\nLOCATION:https://us02web.zoom.us/j/81234567890\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")

	_, out, _ := call(t, "", "extract", "--rules", rules, invite)
	assert.Contains(t, out, "81234567890@out.contoso.example", "without own domains everybody is external")
	status, out, errOut := call(t, "", "extract", "--rules", rules, "--own-domain", "example.com", "--own-domain", "contoso.example", invite)
	assert.Equal(t, done, status, errOut)
	assert.NotContains(t, out, "out.contoso.example")

	_, out, _ = call(t, "", "lint", rules)
	assert.Contains(t, out, "there are none")
	status, out, _ = call(t, "", "lint", "--own-domain", "contoso.example", rules)
	assert.Equal(t, done, status)
	assert.NotContains(t, out, "there are none")
}
