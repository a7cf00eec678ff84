package jsonc_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type inner struct {
	Host netip.Addr `json:"host"`
	Tags []string   `json:"tags"`
}

type config struct {
	Name     string            `json:"name"`
	Priority int               `json:"priority"`
	Small    uint8             `json:"small"`
	Ratio    float64           `json:"ratio"`
	Enabled  *bool             `json:"enabled,omitempty"`
	Every    time.Duration     `json:"every"`
	Inner    inner             `json:"inner"`
	List     []inner           `json:"list"`
	Env      map[string]string `json:"env"`
	Raw      json.RawMessage   `json:"raw"`
	Any      any               `json:"any"`
	Password string            `json:"password"`
	Hidden   string            `json:"-"`
}

func TestDecode(t *testing.T) {
	var c config
	err := jsonc.Unmarshal("c.json", []byte("\ufeff"+`// a comment
{
	"name": "a\u00e9\n", /* another */
	"priority": 12, "small": 255, "ratio": 1.5e1,
	"enabled": false,
	"every": "1m30s",
	"inner": {"host": "192.0.2.1", "tags": ["x", "y",]},
	"list": [{"tags": []}, null],
	"env": {"A": "1"},
	"raw": {"k": [1, /* c */ 2,]},
	"any": {"a": [1, "x", true, null]},
}`), &c)
	require.NoError(t, err)
	assert.Equal(t, "aé\n", c.Name)
	assert.Equal(t, 12, c.Priority)
	assert.Equal(t, uint8(255), c.Small)
	assert.Equal(t, 15.0, c.Ratio)
	require.NotNil(t, c.Enabled)
	assert.False(t, *c.Enabled)
	assert.Equal(t, 90*time.Second, c.Every)
	assert.Equal(t, netip.MustParseAddr("192.0.2.1"), c.Inner.Host)
	assert.Equal(t, []string{"x", "y"}, c.Inner.Tags)
	assert.Len(t, c.List, 2)
	assert.Equal(t, map[string]string{"A": "1"}, c.Env)
	assert.JSONEq(t, `{"k":[1,2]}`, string(c.Raw))
	assert.Equal(t, map[string]any{"a": []any{1.0, "x", true, nil}}, c.Any)
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "c.json:1:1: file is empty"},
		{"unknown", `{"nmae": "x"}`, `c.json:1:2: unknown member "nmae"; did you mean "name"?`},
		{"case", `{"Priority": 1}`, `c.json:1:2: unknown member "Priority"; did you mean "priority"?`},
		{"hidden", `{"Hidden": "x"}`, `c.json:1:2: unknown member "Hidden"; known are any, enabled`},
		{"nested unknown", "{\n \"inner\": {\"hosts\": \"x\"}}", `c.json:2:12: unknown member "hosts"; did you mean "host"?`},
		{"twice", "{\"name\": \"x\",\n\"name\": \"y\"}", `c.json:2:1: "name" is here a second time; the first is in line 1`},
		{"type", `{"priority": "1"}`, `c.json:1:14: priority must be a whole number, not a string`},
		{"fraction", `{"priority": 1.5}`, `c.json:1:14: priority must be a whole number in range, not 1.5`},
		{"range", `{"small": 256}`, `c.json:1:11: small must be a whole number in range, not 256`},
		{"list type", `{"list": {}}`, `c.json:1:10: list must be a list, not an object`},
		{"element", `{"inner": {"tags": ["a", 1]}}`, `c.json:1:26: tags[1] must be a string, not a number`},
		{"text", `{"inner": {"host": "nowhere"}}`, `c.json:1:20: host ParseAddr("nowhere"): unable to parse IP`},
		{"duration", `{"every": 5}`, `c.json:1:11: every must be a duration in quotes, such as "90s", "5m" or "1h30m"`},
		{"bad duration", `{"every": "5 minutes"}`, `c.json:1:11: every must be a duration such as "90s", "5m" or "1h30m"`},
		{"outer", `[]`, `c.json:1:1: must be an object, not a list`},
		{"column counts characters", `{"env": {"äöü": 1}}`, `c.json:1:17: äöü must be a string, not a number`},
		{"missing comma", "{\n\"name\": \"x\" // here\n\"priority\": 1}", `c.json:2:12: a comma is missing here`},
		{"unclosed string", "{\"name\": \"x\n}", `c.json:1:10: string is not closed on its line`},
		{"unclosed object", "{\n\"inner\": {", `c.json:2:10: '{' is never closed`},
		{"crossed", "{\"list\": [\n}", `c.json:2:1: '}' closes the '[' of line 1`},
		{"too many", "{}}", `c.json:1:3: '}' closes nothing`},
		{"comment", "/* x", `c.json:1:1: comment is not closed`},
		{"hash", "{} # x", `c.json:1:4: comments start with // or /*`},
		{"single quotes", "{'name': 1}", `c.json:1:2: strings are written with double quotes`},
		{"escape", `{"name": "\d+"}`, `c.json:1:11: no such escape; in JSON a backslash is written \\`},
		{"utf8", "{\"name\": \"\xff\"}", `c.json:1:11: not UTF-8`},
		{"deep", strings.Repeat("[", 100), `c.json:1:65: nested deeper than 64 levels`},
		{"two values", "{} {}", `c.json:1:4: nothing may follow`},
		{"bare word", `{"name": nope}`, `c.json:1:10: syntax error`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c config
			err := jsonc.Unmarshal("c.json", []byte(tt.in), &c)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
			var e *jsonc.Error
			require.True(t, errors.As(err, &e))
			assert.NotContains(t, e.Error(), "\n")
		})
	}
}

func TestAllErrorsInOrder(t *testing.T) {
	var c config
	err := jsonc.Unmarshal("", []byte("{\"nope\": 1,\n\"priority\": true,\n\"list\": [{\"x\": 1}, {\"tags\": 3}]}"), &c)
	var es jsonc.Errors
	require.ErrorAs(t, err, &es)
	require.Len(t, es, 4)
	for i, want := range []string{"1:2: ", "2:13: ", "3:11: ", "3:29: "} {
		assert.True(t, strings.HasPrefix(es[i].Error(), want), "%v", es[i])
	}
}

func TestSnippet(t *testing.T) {
	var c config
	err := jsonc.Unmarshal("", []byte("{\n\t\"name\": \"é\", \"password\": \"hunter2\", \"nmae\": 1}"), &c)
	var e *jsonc.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, " \"name\": \"é\", \"password\": \"*******\", \"nmae\": 1}\n"+strings.Repeat(" ", 37)+"^", e.Snippet)

	long := `{"env": {"a": "` + strings.Repeat("x", 500) + `", "b": 1, "c": "` + strings.Repeat("y", 500) + `"}}`
	require.ErrorAs(t, jsonc.Unmarshal("", []byte(long), &c), &e)
	line, caret, _ := strings.Cut(e.Snippet, "\n")
	assert.LessOrEqual(t, len([]rune(line)), 100)
	assert.Equal(t, "1", string([]rune(line)[len(caret)-1]), "the caret is under the value")
}

func TestErrorIn(t *testing.T) {
	d, err := jsonc.Parse("r.json", []byte(`{"rules": [{}, {"match": "\\d\u00e9\ud83d\ude00(x"}]}`))
	require.NoError(t, err)
	decoded := `\dé😀(x`
	e := d.ErrorIn("/rules/1/match", strings.Index(decoded, "("), "missing )")
	assert.Equal(t, `r.json:1:48: missing )`, e.Error())
	line, caret, _ := strings.Cut(e.Snippet, "\n")
	assert.Equal(t, "(", string(line[len(caret)-1]))
	assert.Equal(t, "r.json:1:16: gone", d.Errorf("/rules/1/nope", "gone").Error(), "the nearest value around it")
	assert.True(t, d.Has("/rules/1/match"))
	assert.False(t, d.Has("/rules/1/nope"))
}

func TestPointer(t *testing.T) {
	text := "{\n  // ä\n  \"rooms\": [{\"näme\": 1}, {\"a/b\": [2]}], /* ü */ \"poll\": 5,\n}"
	doc, err := jsonc.Parse("f", []byte(text))
	require.NoError(t, err)
	for pointer, want := range map[string][3]string{
		"/rooms/0/näme":   {"/rooms", "/rooms/0", "/rooms/0/näme"},
		"/rooms/1/a~1b/0": {"/rooms", "/rooms/1", "/rooms/1/a~1b"},
		"/rooms":          {"/rooms", "/rooms", "/rooms"},
		"/poll":           {"/poll", "/poll", "/poll"},
		"":                {"", "", ""},
	} {
		e := doc.Errorf(pointer, "wrong")
		for depth, p := range want {
			assert.Equal(t, p, doc.Pointer(e, depth+1), "%s, %d", pointer, depth+1)
		}
	}
	assert.Empty(t, doc.Pointer(&jsonc.Error{Line: 99, Column: 99}, 3), "of another file")
}

func TestDecodeKnown(t *testing.T) {
	d, err := jsonc.Parse("api.json", []byte(`{"name": "a", "new": 1, "list": [{"newer": 2}], "priority": "x"}`))
	require.NoError(t, err)
	var c config
	unknown, err := d.DecodeKnown(&c)
	require.EqualError(t, err, "api.json:1:61: priority must be a whole number, not a string")
	assert.Equal(t, "api.json:1:15: unknown member \"new\"\napi.json:1:35: unknown member \"newer\"", unknown.Error())
	assert.Equal(t, "a", c.Name)
}

func TestTooLarge(t *testing.T) {
	_, err := jsonc.Parse("big.json", make([]byte, jsonc.MaxSize+1))
	require.ErrorContains(t, err, "at most 16777216 are read")
}

// FuzzDecode: whatever decodes without an error is what encoding/json makes of
// the same file, and errors lie in the file.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name": "a", /* c */ "priority": 1, "list": [{"tags": ["a",]}], "any": {"a": 1}}`))
	f.Add([]byte(`{"name": "\ud83d\ude00", "nmae": 1}`))
	f.Add([]byte("{\"name\": \"x\" \"y\"}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var c config
		err := jsonc.Unmarshal("f", in, &c)
		if err != nil {
			var es jsonc.Errors
			require.ErrorAs(t, err, &es)
			for _, e := range es {
				require.LessOrEqual(t, e.Line, 1+strings.Count(string(in), "\n"))
				require.GreaterOrEqual(t, e.Column, 1)
				require.Len(t, strings.Split(e.Snippet, "\n"), 2)
			}
			return
		}
		std := c
		out, err := json.Marshal(map[string]any{"name": c.Name, "priority": c.Priority, "env": c.Env, "any": c.Any})
		require.NoError(t, err)
		var again config
		require.NoError(t, jsonc.Unmarshal("f", out, &again))
		require.Equal(t, std.Name, again.Name)
		require.Equal(t, std.Priority, again.Priority)
	})
}
