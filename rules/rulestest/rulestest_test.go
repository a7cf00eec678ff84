package rulestest_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The flag that ReplayDir looks for.
var _ = flag.Bool("update", false, "write the expectations of the corpus")

const (
	zoom  = "Join Zoom Meeting\nhttps://us02web.zoom.us/j/81234567890?pwd=aBcDeFgHiJkLmN\nMeeting ID: 812 3456 7890\nPasscode: 448812\n"
	webex = "https://nordvik.webex.com/meet/kari\n"
	lunch = "Lunch in the canteen\n"
)

func corpus(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

func TestRun(t *testing.T) {
	r, err := rulestest.Run(corpus(
		"zoom/1.txt", zoom,
		"zoom/1.want.json", `[{"service": "zoom", "meeting_id": "81234567890", "passcode": "448812"}]`,
		"zoom/2.txt", zoom,
		"zoom/2.want.json", `[{"service": "zoom", "passcode": "111111", "dial": "sip:1.448812@zoomcrc.com"}]`,
		"none/1.txt", lunch,
		"none/1.want.json", "[null] // nothing to join\n",
		"none/2.txt", webex,
		"none/2.want.json", "[null]",
		"webex/1.txt", lunch,
		"webex/1.want.json", `[{"service": "webex"}]`,
		"bad/count.txt", lunch, "bad/count.want.json", "[null, null]",
		"bad/missing.txt", lunch,
		"bad/alone.want.json", "[null]",
		"bad/typo.txt", lunch, "bad/typo.want.json", "[\n  {\"servise\": \"zoom\"}\n]",
		"bad/cut.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEV", "bad/cut.want.json", "[null]",
		"README.md", "no invite",
	), rules.Default())
	require.NoError(t, err)
	assert.False(t, r.OK())

	got := map[string]string{}
	for _, f := range r.Files {
		if f.Err != nil {
			got[f.Name] = f.Err.Error()
			continue
		}
		require.Len(t, f.Events, 1, f.Name)
		got[f.Name] = strings.Join(f.Events[0].Diffs, "; ")
	}
	cut := got["bad/cut.ics"]
	delete(got, "bad/cut.ics")
	assert.True(t, strings.HasPrefix(cut, "bad/cut.ics: "), cut)
	diff := got["zoom/2.txt"]
	delete(got, "zoom/2.txt")
	assert.Contains(t, diff, "passcode is another one")
	assert.Contains(t, diff, "dial is ")
	assert.Empty(t, cmp.Diff(map[string]string{
		"zoom/1.txt":          "",
		"none/1.txt":          "",
		"none/2.txt":          "found webex by rule webex in body, and there is nothing to join",
		"webex/1.txt":         "nothing was found",
		"bad/count.txt":       "bad/count.want.json: 2 entries for 1 events in bad/count.txt",
		"bad/missing.txt":     "bad/missing.want.json is missing: write what has to be found, or [null] for nothing",
		"bad/alone.want.json": "bad/alone.want.json: there is no invite beside it",
		"bad/typo.txt":        `bad/typo.want.json:2:4: unknown member "servise"; did you mean "service"?`,
	}, got))

	assert.Equal(t, []rulestest.Score{
		{Service: "webex", Missed: 1, False: 1},
		{Service: "zoom", Right: 1, Missed: 1, False: 1},
	}, r.Scores)
	assert.Equal(t, rulestest.Score{Service: "all", Right: 1, Missed: 2, False: 2}, r.Total)
	assert.Equal(t, 0.5, r.Scores[1].Recall())
	assert.Equal(t, 0.5, r.Scores[1].Precision())
	assert.Equal(t, 1.0, rulestest.Score{}.Recall())
	assert.Equal(t, [2]int{2, 1}, [2]int{r.None, r.NoneRight})
	for _, f := range r.Files {
		if f.Name == "webex/1.txt" {
			assert.Equal(t, "no address found", f.Events[0].Why)
		}
	}

	_, err = rulestest.Run(corpus("a.txt", zoom), rules.Default())
	require.ErrorContains(t, err, "no expectation in the corpus")
	_, err = rulestest.Run(os.DirFS(filepath.Join(t.TempDir(), "nope")), rules.Default())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestDiff(t *testing.T) {
	after, err := rules.New([]rules.Rule{{Name: "gw", Priority: 1, Type: rules.TypeZoom, Domain: "gw.example"}}, nil)
	require.NoError(t, err)
	files := corpus("1.txt", zoom, "2.txt", webex, "3.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEV", "4.txt", lunch)
	changes, err := rulestest.Diff(files, rules.Default(), after)
	require.ErrorContains(t, err, "3.ics: ", "the others are compared all the same")
	require.Len(t, changes, 1)
	assert.Equal(t, "1.txt", changes[0].File)
	assert.Equal(t, "gw", changes[0].New.Rule)
	assert.Len(t, changes[0].What, 2)
	delete(files, "3.ics")
	changes, err = rulestest.Diff(files, rules.Default(), rules.Default())
	require.NoError(t, err)
	assert.Empty(t, changes)

	delete(files, "1.txt")
	none, err := rules.New(nil, &rules.Options{NoDefaults: true})
	require.NoError(t, err)
	changes, err = rulestest.Diff(files, rules.Default(), none)
	require.NoError(t, err)
	require.Len(t, changes, 1)
	assert.Equal(t, []string{"nothing is found any more; before it was webex by rule webex in body"}, changes[0].What)
	changes, err = rulestest.Diff(files, none, rules.Default())
	require.NoError(t, err)
	assert.Equal(t, []string{"webex is found by rule webex in body, where nothing was found before"}, changes[0].What)
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"1.txt": zoom, "1.want.json": `[{"service": "zoom", "meeting_id": "1"}]`,
		"2.txt": webex, "2.want.json": `[/* right */ {"service": "webex"}]`,
		"3.txt": lunch, "3.want.json": `[{"service": "webex"}]`,
		"4.txt": webex,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	require.NoError(t, rulestest.WriteUpdate(dir, rules.Default()))
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	assert.Equal(t, "[\n  {\"service\":\"zoom\",\"meeting_id\":\"81234567890\"}\n]\n", read("1.want.json"), "the members that were compared, with what was found")
	assert.Equal(t, `[/* right */ {"service": "webex"}]`, read("2.want.json"), "what is right is not touched")
	assert.Equal(t, "[\n  null\n]\n", read("3.want.json"))
	assert.Contains(t, read("4.want.json"), `"uri":"https://nordvik.webex.com/meet/kari"`)
	r, err := rulestest.Run(os.DirFS(dir), rules.Default())
	require.NoError(t, err)
	assert.True(t, r.OK())
	rulestest.ReplayDir(t, dir, rules.Default())
}

// TestReplayFails: a corpus that is not right makes a test fail, in the subtest
// of the file.
func TestReplayFails(t *testing.T) {
	if os.Getenv("RULESTEST_FAIL") != "" {
		rulestest.Replay(t, corpus("1.txt", zoom, "1.want.json", "[null]"), rules.Default())
		return
	}
	out := runSelf(t, "TestReplayFails")
	assert.Contains(t, out, "--- FAIL: TestReplayFails/1.txt")
	assert.Contains(t, out, "event 1: found zoom by rule zoom in body, and there is nothing to join")
}

// runSelf runs one test of this binary, which is expected to fail.
func runSelf(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$")
	cmd.Env = append(os.Environ(), "RULESTEST_FAIL=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	return string(out)
}
