package jinja_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vars are the variables of the tests.
type vars []jinja.Value

func (v vars) Var(i int) jinja.Value { return v[i] }

var testVars = vars{
	jinja.Str("123456789"),
	jinja.Str(""),
	jinja.Str("Ärger & <b>Co</b>"),
	jinja.Items(jinja.Str("a@x.example"), jinja.Str("b@y.example"), jinja.Str("c@y.example")),
	jinja.Items(
		jinja.Mapping(jinja.Str("uri"), jinja.Str("https://zoom.us/j/1"), jinja.Str("source"), jinja.Str("URL")),
		jinja.Mapping(jinja.Str("uri"), jinja.Str("sip:1@zoomcrc.com"), jinja.Str("source"), jinja.Str("CONFERENCE")),
	),
	jinja.Mapping(jinja.Str("A"), jinja.Str("1"), jinja.Str("B"), jinja.Integer(2)),
	jinja.Boolean(true),
	jinja.Integer(42),
	jinja.Str("Jo"),
}

func testOptions() *jinja.Options {
	return &jinja.Options{
		Vars: []jinja.Var{
			{Name: "meeting_id"}, {Name: "passcode"}, {Name: "event.subject"}, {Name: "mails"},
			{Name: "event.links", Elem: []string{"uri", "source"}}, {Name: "event.properties"},
			{Name: "internal"}, {Name: "number"}, {Name: "event.organizer.name"},
		},
		Unwrap: func(uri string) (string, string, bool) {
			if s, ok := strings.CutPrefix(uri, "safe:"); ok {
				return s, "Microsoft Safe Links", true
			}
			if s, ok := strings.CutPrefix(uri, "pp:"); ok {
				return s, "Proofpoint", true
			}
			return "", "", false
		},
	}
}

func render(t *testing.T, src string) (string, error) {
	t.Helper()
	tmpl, err := jinja.Compile(src, testOptions())
	require.NoError(t, err, src)
	out, err := tmpl.Append([]byte("<"), testVars, nil)
	require.True(t, strings.HasPrefix(string(out), "<"), "what was in the buffer stays")
	return string(out[1:]), err
}

func TestRender(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		// Text, variables and space.
		{``, ``},
		{`plain`, `plain`},
		{`{{ meeting_id }}@zoomcrc.com`, `123456789@zoomcrc.com`},
		{`{{meeting_id}}{% if passcode %}.{{ passcode }}{% endif %}@x`, `123456789@x`},
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"a \n{%- if 1 %} b {%- endif -%} \n c", "a bc"},
		{"a {{- 1 -}} b", "a1b"},
		{"a{# c {{ d }} #}b", "ab"},
		{"a {#- c -#} b", "ab"},
		{"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
		{"a {%- raw -%} {{ x }} {%- endraw -%} b", "a{{ x }}b"},
		{"{ {x} }", "{ {x} }"},
		{"{{ '}}' }}{{ {'a': {'b': 1}}.a.b }}", "}}1"},
		// Attributes and indexes.
		{`{{ event.organizer.name }}|{{ event["subject"]|length }}|{{ event.links[0].uri }}`, `Jo|17|https://zoom.us/j/1`},
		{`{{ event.links[-1]['source'] }}|{{ event.links[7] }}|{{ mails.1 }}`, `CONFERENCE||b@y.example`},
		{`{{ event.properties.A }}{{ event.properties["B"] }}{{ event.properties.nope }}`, `12`},
		{`{{ meeting_id[0] }}{{ meeting_id[-1] }}{{ meeting_id[:3] }}.{{ meeting_id[7:] }}.{{ meeting_id[-2:] }}.{{ mails[1:][0] }}`, `19123.89.89.b@y.example`},
		{`{{ event.subject[0] }}{{ event.subject[:2] }}{{ 'ab'[5:] }}{{ 'ab'[1:0] }}`, `ÄÄr`},
		// Literals and operators.
		{`{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}`, `7 9 3 -4 2 3.5 2.0 1024 0.5`},
		{`{{ 1e }}`, ``},
		{`{{ 1.50 }} {{ 1e3 }} {{ 1.5E-2 }}`, `1.5 1000.0 0.015`},
		{`{{ 1_000 }} {{ -number }} {{ 2 - -1 }}`, `1000 -42 3`},
		{`{{ 'a' ~ 1 ~ true ~ none ~ 1.5 }}`, `a1TrueNone1.5`},
		{`{{ 'a' + "b" }}{{ 'x' * 3 }}{{ [1] + [2] }}`, `abxxx[1, 2]`},
		{`{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ 'a' != 'b' }} {{ 'a' <= 'a' }}`, `True False True True True`},
		{`{{ 'b' in 'abc' }} {{ 4 not in [1, 2] }} {{ 'A' in event.properties }} {{ not 1 }}`, `True True True False`},
		{`{{ passcode or 'none' }} {{ 1 and 0 }} {{ '' and x.y if false else 'z' }}`, ``},
		{`{{ passcode or 'none' }} {{ 1 and 0 }} {{ 0 or '' or 'c' }}`, `none 0 c`},
		{`{{ 'a' if internal else 'b' }}{{ 'a' if not internal else 'b' }}{{ 'c' if false }}`, `ab`},
		{`{{ [1, 'a', none] }} {{ {'k': "it's"} }} {{ () }} {{ (1, 2) }} {{ 1, 2 }}`, `[1, 'a', None] {'k': "it's"} [] [1, 2] [1, 2]`},
		{`{{ 'a' "b" }}{{ "\x41é\t\d\1\\" }}`, "abAé\t\\d\\1\\"},
		{`{{ -1|abs }}{{ (-1)|abs }}`, `11`},
		{`{{ '%s-%03d' % ('a', 7) }}{{ '%d%%' % 5 }}`, `a-0075%`},
		// Tests.
		{`{{ passcode is defined }} {{ mails[9] is defined }} {{ mails[9] is undefined }} {{ none is none }}`, `True False True True`},
		{`{{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }} {{ 9 is not divisibleby(4) }} {{ 'a' is string }} {{ 1 is number }}`, `True False True True True True`},
		{`{{ 1 is eq 1 }} {{ 2 is gt(1) }} {{ 'a' is in ['a'] }} {{ 'abc' is lower }} {{ mails is sequence and true }}`, `True True True True True`},
		// Tags.
		{`{% if passcode %}a{% elif number == 42 %}b{% else %}c{% endif %}`, `b`},
		{`{% if passcode %}a{% elif number == 1 %}b{% else %}c{% endif %}`, `c`},
		{`{% for m in mails %}{{ loop.index }}/{{ loop.length }}{{ m[0] }}{% if not loop.last %},{% endif %}{% endfor %}`, `1/3a,2/3b,3/3c`},
		{`{% for m in mails if 'y.' in m %}{{ loop.index0 }}{{ loop.first }}{{ m[0] }}{{ loop.revindex }}{% endfor %}`, `0Trueb21Falsec1`},
		{`{% for m in [] %}x{% else %}none{% endfor %}{% for m in mails if m == 1 %}x{% else %}none{% endfor %}`, `nonenone`},
		{`{% for k, v in event.properties.items() %}{{ k }}={{ v }};{% endfor %}{% for k in event.properties %}{{ k }}{% endfor %}`, `A=1;B=2;AB`},
		{`{% for c in 'äb' %}[{{ c }}]{% endfor %}{% for i in range(3) %}{{ loop.cycle('x', 'y') }}{% endfor %}`, `[ä][b]xyx`},
		{`{% for a in [1, 2] %}{% for b in [3, 4] %}{{ a }}{{ b }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}`, `131 142 1;231 242 2;`},
		{`{% for i in [1,2,3] %}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}`, `2 13 2 `},
		{`{% set x = 'a' %}{% set x = x ~ 'b' %}{{ x }}`, `ab`},
		{`{% set a, b = mails[0].split('@') %}{{ b }}/{{ a }}`, `x.example/a`},
		{`{% set x %}a{{ number }}{% endset %}{{ x|upper }}{% set y | upper %}q{% endset %}{{ y }}`, `A42Q`},
		{`{% filter upper %}a{{ 'b' }}{% endfilter %}`, `AB`},
		// Scopes: a loop's sets stay in the loop, but see what is around them.
		{`{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}`, `231`},
		{`{% for i in [1, 2] %}{{ y if i == 3 }}{% if i == 1 %}{% set y = 5 %}{% endif %}[{{ y }}]{% endfor %}`, ``},
		{`{% for i in [1, 2] %}{% if i == 1 %}{% set y = 5 %}{% endif %}[{{ y }}]{% endfor %}`, `[5][]`},
		{`{% if number == 1 %}{% set meeting_id = 'x' %}{% endif %}{{ meeting_id }}`, `123456789`},
		{`{% if number == 42 %}{% set meeting_id = 'x' %}{% endif %}{{ meeting_id }}`, `x`},
		{`{% set ns = namespace(found='') %}{% for l in event.links if l.uri.startswith('sip:') %}{% set ns.found = l.uri %}{% endfor %}{{ ns.found }}`, `sip:1@zoomcrc.com`},
		// Standard filters.
		{`{{ 'aBC'|capitalize }} {{ 'éa'|upper }} {{ 'ÄB'|lower }} {{ mails|first }} {{ mails|last }} {{ ''|first }}`, `Abc ÉA äb a@x.example c@y.example `},
		{`{{ mails[9]|default('d') }} {{ passcode|default('d') }} {{ passcode|default('d', true) }} {{ passcode|d('e', boolean=true) }}`, `d  d e`},
		{`{{ '3.7'|float }} {{ 'x'|float(1.5) }} {{ '42'|int }} {{ '3.9'|int }} {{ 'x'|int }} {{ 'x'|int(-1) }} {{ 'ff'|int(0, 16) }}`, `3.7 1.5 42 3 0 -1 255`},
		{`{{ '%s.%s@x'|format(meeting_id, 7) }} {{ mails|join(';') }} {{ [1, 2]|join }} {{ mails|length }} {{ 'äö'|count }}`, `123456789.7@x a@x.example;b@y.example;c@y.example 12 3 2`},
		{`{{ 'a-b-c'|replace('-', '') }} {{ 'a-b-c'|replace('-', '', 1) }} {{ 2.5|round }} {{ 2.567|round(2) }} {{ 2.1|round(method='ceil') }} {{ 2.9|round(0, 'floor') }}`, `abc ab-c 2.0 2.57 3.0 2.0`},
		{`{{ event.subject|striptags }} {{ ' a '|trim }}{{ 'xax'|trim('x') }} {{ 3|range }} {{ 2|range(4) }}`, `Ärger & Co aa [0, 1, 2] [2, 3]`},
		{`{{ 'one two three'|truncate(9, leeway=0) }} {{ 'one two three'|truncate(9, true, '!', 0) }} {{ 'one two three'|truncate(11) }}`, `one... one two ! one two three`},
		{`{{ -3|abs }} {{ (0-3)|abs }}`, `3 3`},
		// Pexip's filters.
		{`{{ 'abc'|pex_base64 }} {{ '+47 (0) 55-5 x'|pex_clean_phone_number }} {{ 'abcd'|pex_head(2) }} {{ 'abcd'|pex_tail(2) }} {{ 'ab'|pex_tail(5) }}`, `YWJj +470555 ab cd ab`},
		{`{{ pex_find_first_match(mails, 'y\.example$') }} {{ mails|pex_find_first_match('^nope') }}`, `b@y.example None`},
		{`{{ 'abc'|pex_md5 }} {{ 'äb'|pex_strlen }} {{ 'äb'|pex_reverse }}`, `900150983cd24fb0d6963f7d28e17f72 2 bä`},
		{`{{ '192.0.2.7'|pex_in_subnet(['198.51.100.0/24', '192.0.2.0/24']) }} {{ pex_in_subnet('nope', ['192.0.2.0/24']) }}`, `True False`},
		{`{{ 'a@b.example'|pex_regex_replace('^(.+)@.*$', '\1@c') }} {{ 'a1b2'|pex_regex_replace('\\d', '') }}`, `a@c ab`},
		{`{% set g = pex_regex_search('(\d+)-(x)?', 'to 12-') %}{{ g[0] }} {{ g[1] }} {{ 'no' if not pex_regex_search('z', 'a') }}`, `12 None no`},
		{`{{ meeting_id|pex_require_min_length(9) }}`, `123456789`},
		{`{{ 'safe:x'|pex_safelinks_decode }} {{ 'pp:x'|pex_safelinks_decode }} {{ 'pp:x'|pex_urldefense_decode }} {{ 'x'|pex_urldefense_decode }}`, `x pp:x x x`},
		{`{{ {'a': 1, 'b': [true, none, 'x"']}|pex_to_json }} {{ {'a': 1}|pex_update({'b': 2, 'a': 3}) }}`, `{"a": 1, "b": [true, null, "x\""]} {'a': 3, 'b': 2}`},
		{`{{ 'ABEiM0RVZneImaq7zN3u/w=='|pex_to_uuid }} {{ 'a%20b'|pex_url_decode }} {{ 'a b/ä'|pex_url_encode }}`, `00112233-4455-6677-8899-aabbccddeeff a b a%20b%2F%C3%A4`},
		{`a{{ pex_debug_log('x', meeting_id) }}b`, `ab`},
		// Methods.
		{`{{ 'a-b-c'.split('-') }} {{ 'a-b-c'.split('-', 1)[1] }} {{ 'a-b-c'.rsplit('-', 1)[0] }} {{ ' a  b '.split() }}`, `['a', 'b', 'c'] b-c a-b ['a', 'b']`},
		{`{{ 'AbC'.lower() }} {{ 'x'.upper() }} {{ 'xay'.strip('xy') }} {{ 'äb'.find('b') }} {{ '7'.zfill(3) }} {{ '12'.isdigit() }} {{ ','.join(['a', 'b']) }}`, `abc X a 1 007 True a,b`},
		{`{{ event.properties.get('Z', 'd') }} {{ event.properties.keys() }} {{ 'a.b'.replace('.', '') }} {{ 'ab'.endswith('b') }}`, `d ['A', 'B'] ab True`},
	} {
		t.Run(tt.src, func(t *testing.T) {
			if tt.want == "" && tt.src != "" {
				_, err := jinja.Compile(tt.src, testOptions())
				require.Error(t, err)
				return
			}
			got, err := render(t, tt.src)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestHashIsStable(t *testing.T) {
	got, err := render(t, `{{ meeting_id|pex_hash }} {{ 'x'|pex_hash % 4 }}`)
	require.NoError(t, err)
	assert.Equal(t, "246197818595960574 3", got, "a deployment that spreads by it must not move with an update")
}

func TestRequireMinLength(t *testing.T) {
	tmpl, err := jinja.Compile(`sip:{{ passcode|pex_require_min_length(4) }}@x`, testOptions())
	require.NoError(t, err)
	out, err := tmpl.Append([]byte("before"), testVars, nil)
	assert.ErrorIs(t, err, jinja.ErrNotApplied)
	assert.Equal(t, "before", string(out))
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`{{ meetingid }}`, `line 1, column 4: unknown variable "meetingid"; did you mean "meeting_id"?`},
		{"a\n{{ x }}", `line 2, column 4: unknown variable "x"`},
		{`{{ event }}`, `"event" alone has no value; it has subject, links, properties, organizer.name`},
		{`{{ event.organizer }}`, `"event.organizer" alone has no value; it has name`},
		{`{{ event.subjekt }}`, `"event" has no "subjekt"; did you mean "subject"?`},
		{`{{ event['subjekt'] }}`, `"event" has no "subjekt"; did you mean "subject"?`},
		{`{{ event.organizer.mail }}`, `"event.organizer" has no "mail"; known are name`},
		{`{% for l in event.links %}{{ l.url }}{% endfor %}`, `there is no "url" here; did you mean "uri"?`},
		{`{{ meeting_id|uper }}`, `unknown filter "uper"; did you mean "upper"?`},
		{`{{ meeting_id|pex_regexreplace('a','b') }}`, `did you mean "pex_regex_replace"?`},
		{`{{ meeting_id is defnied }}`, `unknown test "defnied"; did you mean "defined"?`},
		{`{{ pex_now('UTC') }}`, `pex_now is not available: its result changes from run to run`},
		{`{{ 4|pex_random_pin }}`, `pex_random_pin is not available`},
		{`{{ pex_uuid4() }}`, `pex_uuid4 is not available`},
		{`{{ upper(meeting_id) }}`, `upper is a filter: write value|upper`},
		{`{{ foo() }}`, `unknown function "foo"`},
		{`{{ meeting_id.spilt('-') }}`, `unknown method "spilt"; did you mean "split"?`},
		{`{{ meeting_id.split(1, 2, 3) }}`, `the method split takes 0 to 2 arguments`},
		{`{{ meeting_id|replace('a') }}`, `the filter replace needs 2 arguments: old, new, count`},
		{`{{ meeting_id|upper(1) }}`, `the filter upper takes at most 0 arguments`},
		{`{{ meeting_id|default(fallback='x') }}`, `the filter default has no argument "fallback"`},
		{`{{ meeting_id|pex_regex_replace('(', '') }}`, `column 33: regular expression: missing closing )`},
		{`{{ meeting_id|pex_regex_replace('(?<=a)b', '') }}`, `look-behind`},
		{`{{ meeting_id|pex_regex_replace('a', '\1') }}`, `names group 1, but the pattern has 0`},
		{`{{ meeting_id|pex_regex_replace(passcode, '') }}`, `has to be written out as a string`},
		{`{{ meeting_id|pex_regex_replace('.{1000}', '') }}`, `too many repetitions`},
		{`{% include 'x' %}`, `the tag "include" is not available: templates read no files`},
		{`{% extends 'x' %}`, `templates read no files`},
		{`{% import 'x' as y %}`, `templates read no files`},
		{`{% macro x() %}{% endmacro %}`, `the tag "macro" is not available`},
		{`{% call x() %}`, `the tag "call" is not available`},
		{`{% fi x %}`, `unknown tag "fi"; did you mean "if"?`},
		{`{% if 1 %}`, `column 4: {% if %} is not closed; add {% endif %}`},
		{`{% endif %}`, `{% endif %} closes nothing`},
		{`{% for x in mails %}{% endif %}`, `{% endif %} closes nothing`},
		{`{{ 1`, `column 1: {{ is not closed; add }}`},
		{`{# x`, `comment is not closed`},
		{`{{ 'x }}`, `string is not closed`},
		{`{{ “x” }}`, `typographic quote`},
		{`{{ a && b }}`, `write not, and, or`},
		{`{{ 1 = 1 }}`, `write == to compare`},
		{`{{ }}`, `{{ }} is empty`},
		{`{{ 1 + }}`, `expected an expression, not the end of the tag`},
		{`{{ (1 }}`, `expected ")"`},
		{`{{ 1) }}`, `closes nothing`},
		{`{{ meeting_id | }}`, `expected the name of a filter, not the end of the tag`},
		{`{{ loop.index }}`, `"loop" is there inside of {% for %} only`},
		{`{% for m in mails %}{{ loop.idx }}{% endfor %}`, `loop has no "idx"; known are first, index`},
		{`{% for loop in mails %}{% endfor %}`, `choose another name`},
		{`{% set if = 1 %}`, `"if" is a word of the language`},
		{`{% set a.b = 1 %}`, `"a" is no namespace`},
		{`{{ y }}{% set y = 1 %}`, `unknown variable "y"`},
		{`{{ 1 if }}`, `expected an expression`},
		{strings.Repeat("x", 10241), `template has 10241 bytes; at most 10240 are allowed`},
		{`{{ ` + strings.Repeat("(", 100) + `1` + strings.Repeat(")", 100) + ` }}`, `nested deeper than 60 levels`},
		{strings.Repeat("{% if 1 %}", 20) + strings.Repeat("{% endif %}", 20), `nested deeper than 16 levels`},
		{`{{ 99999999999999999999 }}`, `number out of range`},
		{`{{ "\xZZ" }}`, `hexadecimal digits`},
	} {
		t.Run(tt.src[:min(len(tt.src), 60)], func(t *testing.T) {
			_, err := jinja.Compile(tt.src, testOptions())
			var e *jinja.Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, e.Error(), tt.want)
			assert.NotContains(t, e.Error(), "\n")
			line, caret, ok := strings.Cut(e.Snippet, "\n")
			require.True(t, ok)
			assert.LessOrEqual(t, len([]rune(caret)), len([]rune(line))+1)
		})
	}
}

func TestRenderErrors(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`{{ 'a' + 1 }}`, `line 1, column 8: a string + a whole number; write ~ to put texts together`},
		{`{{ 1 / 0 }}`, "division by zero"},
		{`{{ 1 % 0 }}`, "division by zero"},
		{`{{ 9223372036854775807 + 1 }}`, "number out of range"},
		{`{{ 9223372036854775807 * 3 }}`, "number out of range"},
		{`{{ 10 ** 100 }}`, "number out of range"},
		{`{{ mails[9].x }}`, `"x" of something that is not there`},
		{`{{ mails[9][0] }}`, `index of something that is not there`},
		{`{{ 'a' < 1 }}`, "is not possible"},
		{`{% for x in number %}{% endfor %}`, "a whole number cannot be looped over"},
		{`{{ 'x' * 1000000 }}`, "longer than 8192 bytes"},
		{`{{ 'x' * 5000 }}{{ 'x' * 5000 }}`, "longer than 8192 bytes"},
		{`{% for i in range(100) %}{% for j in range(100) %}{% for k in range(100) %}{% endfor %}{% endfor %}{% endfor %}`, "more than"},
		{`{{ range(100000000) }}`, "loops more than 10000 times"},
		{`{% set a, b = [1] %}`, "1 values for 2 names"},
		{`{{ '%d' % 'x' }}`, "needs a number"},
		{`{{ '%99999d' % 1 }}`, "width"},
		{`{{ '%s' % (1, 2) }}`, "fewer values"},
		{`{{ 'x'|pex_to_uuid }}`, "needs 16 bytes in base64"},
		{`{{ 'a%zz'|pex_url_decode }}`, "not percent-encoded"},
		{`{{ number.lower() }}`, "method of strings"},
		{`{{ 'x'|pex_head('y') }}`, "needs a whole number"},
		{`{{ '192.0.2.1'|pex_in_subnet(['x']) }}`, "no network"},
	} {
		t.Run(tt.src, func(t *testing.T) {
			got, err := render(t, tt.src)
			var e *jinja.Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, err.Error(), tt.want)
			assert.Empty(t, got)
		})
	}
}

// TestExponentialData: doubling a list with each line is caught long before it
// is large.
func TestExponentialData(t *testing.T) {
	for _, step := range []string{`{% set a = [a, a] %}`, `{% set a = a + a %}`, `{% set a = a ~ a %}`, `{% set a = {'x': a, 'y': a} %}`, `{% set a = a|replace('x', 'xxxxxxxx') %}`} {
		start := `{% set a = ['x'] %}`
		if strings.Contains(step, "~") || strings.Contains(step, "replace") {
			start = `{% set a = 'x' %}`
		}
		_, err := render(t, start+strings.Repeat(step, 60))
		require.Error(t, err, step)
	}
}

func TestRegexpBudget(t *testing.T) {
	tmpl, err := jinja.Compile(`{% for i in range(9) %}{{ meeting_id|pex_regex_replace('a{200}', '') }}{% endfor %}`, testOptions())
	require.NoError(t, err)
	small := rebound.Budget(5000)
	_, err = tmpl.Append(nil, testVars, &small)
	require.ErrorContains(t, err, "budget for one event is used up")
	enough := rebound.Budget(100_000)
	_, err = tmpl.Append(nil, testVars, &enough)
	require.NoError(t, err)
	assert.Less(t, int(enough), 100_000)
}

func TestSlots(t *testing.T) {
	tmpl, err := jinja.Compile(`{{ passcode }}{{ event.links[0].uri }}{{ meeting_id }}{{ passcode }}`, testOptions())
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 4}, tmpl.Slots())
}

func TestWarnings(t *testing.T) {
	tmpl, err := jinja.Compile(`{{ passcode|pex_regex_replace('(a)', '$1') }}`, testOptions())
	require.NoError(t, err)
	require.Len(t, tmpl.Warnings(), 1)
	assert.Contains(t, tmpl.Warnings()[0].Msg, `a group is written \1`)
}

// raced is set where the race detector runs: sync.Pool then loses what it is
// given at random.
var raced bool

func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector changes what is allocated; run without -race")
	}
	for src, most := range map[string]float64{
		`{{ meeting_id }}.{{ passcode }}@zoomcrc.com`:                                           0,
		`{{ meeting_id }}{% if passcode %}.{{ passcode }}{% endif %}@zoomcrc.com`:               0,
		`{% for l in event.links %}{{ loop.index }}{% endfor %}{% set x = number + 1 %}{{ x }}`: 0,
	} {
		tmpl, err := jinja.Compile(src, testOptions())
		require.NoError(t, err)
		buf := make([]byte, 0, 256)
		var v jinja.Vars = testVars
		budget := rebound.Budget(1000)
		got := testing.AllocsPerRun(200, func() {
			if _, err := tmpl.Append(buf, v, &budget); err != nil {
				panic(err)
			}
		})
		assert.LessOrEqual(t, got, most, src)
	}
}

func TestConcurrentUse(t *testing.T) {
	tmpl, err := jinja.Compile(`{% for m in mails %}{{ m|upper }}{% endfor %}`, testOptions())
	require.NoError(t, err)
	done := make(chan string)
	for range 8 {
		go func() {
			out, _ := tmpl.Append(nil, testVars, nil)
			done <- string(out)
		}()
	}
	for range 8 {
		assert.Equal(t, "A@X.EXAMPLEB@Y.EXAMPLEC@Y.EXAMPLE", <-done)
	}
}

// FuzzTemplate: a template is refused with a place inside of it, or renders the
// same twice within the limits; rendering does not touch what was in the buffer.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		`{{ meeting_id }}.{{ passcode|default('x', true) }}@zoomcrc.com`,
		`{% for k, v in event.properties.items() if k != 'A' %}{{ loop.index ~ v }}{% else %}-{% endfor %}`,
		`{% set ns = namespace(a=1) %}{% set ns.a = ns.a * 2 %}{{ ns.a ** 3 // 2 % 5 }}`,
		`{%- if a is not defined and 1 < 2 < 3 -%} x {%- elif b[1:-2] -%}{% endif %}`,
		`{{ '%5.2f|%s'|format(1.5, [none, true, {'a': 1}]) }}{% raw %}{{{% endraw %}{# c #}`,
		`{{ mails|pex_find_first_match('y') |pex_regex_replace('(.)@', '\1\g<0>') }}`,
		`{% set x %}{% filter upper %}a{% endfilter %}{% endset %}{{ x[0:1] * 30 }}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		tmpl, err := jinja.Compile(src, testOptions())
		if err != nil {
			var e *jinja.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(src) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		a, errA := tmpl.Append([]byte("pre"), testVars, nil)
		b, errB := tmpl.Append([]byte("pre"), testVars, nil)
		require.Equal(t, string(a), string(b))
		require.Equal(t, fmt.Sprint(errA), fmt.Sprint(errB))
		require.True(t, strings.HasPrefix(string(a), "pre"))
		require.LessOrEqual(t, len(a), 3+jinja.MaxOutput)
		if errA != nil {
			require.Equal(t, "pre", string(a))
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for name, src := range map[string]string{
		"variables": `{{ meeting_id }}.{{ passcode }}@zoomcrc.com`,
		"if":        `{{ meeting_id }}{% if passcode %}.{{ passcode }}{% endif %}@zoomcrc.com`,
		"regexp":    `{{ meeting_id|pex_regex_replace('^(\d{3})', '\1-') }}@x`,
	} {
		b.Run(name, func(b *testing.B) {
			tmpl, err := jinja.Compile(src, testOptions())
			require.NoError(b, err)
			buf := make([]byte, 0, 256)
			var v jinja.Vars = testVars
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tmpl.Append(buf, v, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	opts := testOptions()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jinja.Compile(`{{ meeting_id }}.{{ passcode }}@zoomcrc.com`, opts); err != nil {
			b.Fatal(err)
		}
	}
}
