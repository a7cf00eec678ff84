package rebound_test

import (
	"errors"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	for _, tt := range []struct{ name, pattern, limit string }{
		{"a usual rule", `https://(?:[a-z0-9-]+\.)?zoom\.us/j/(\d{9,11})\?pwd=(\w+)`, ""},
		{"dangerous elsewhere", `(?:\w*)*\w*\w*\w*\w*!Q`, ""},
		{"bytes", strings.Repeat("a", 1025), "bytes"},
		{"at the limit", strings.Repeat("a", 900), ""},
		{"repeat", `.{1000}x`, "repetitions in {…}"},
		{"nested repeats", `(?:(?:.{1,10}){1,10}){1,10}Z`, "instructions when expanded"},
		{"repeated classes", `(?i)[^x]{200}[^x]{200}[^x]{200}[^x]{200}[^x]{200}`, "instructions when expanded"},
		{"captures", strings.Repeat("(a?)", 17), "capturing groups"},
		{"16 captures", strings.Repeat("(a?)", 16), ""},
		{"ranges", strings.Repeat(`.{0,250}`, 10), "instructions when expanded"},
		{"letters of all languages", strings.Repeat(`\pL`, 200), "characters in classes when expanded"},
		{"repeated letters", `(?:\pL{100})`, "characters in classes when expanded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s rebound.Set
			_, err := s.Compile(tt.pattern)
			if tt.limit == "" {
				require.NoError(t, err)
				return
			}
			var le *rebound.LimitError
			require.ErrorAs(t, err, &le)
			assert.Equal(t, tt.limit, le.Limit)
			assert.Greater(t, le.Value, le.Max)
			assert.NotEmpty(t, le.Do)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestSetLimits(t *testing.T) {
	var s rebound.Set
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = s.Compile(strings.Repeat("a", 500))
	}
	require.ErrorContains(t, err, "instructions in the whole rule set")
	assert.Equal(t, 40, n, "39 patterns of 504 instructions fit")

	s, err, n = rebound.Set{}, nil, 0
	for ; err == nil && n < 1000; n++ {
		_, err = s.Compile("abc")
	}
	require.ErrorContains(t, err, "patterns beside it")
	assert.Equal(t, rebound.Default.SetRegexps+1, n)
}

func TestPythonIsExplained(t *testing.T) {
	for pattern, want := range map[string]string{
		`abc(?=d)`:       "look-ahead",
		`abc(?!d)`:       "negative look-ahead",
		`(?<=x)abc`:      "look-behind",
		`(?<!x)abc`:      "negative look-behind",
		`(a)\1`:          `back-reference \1`,
		`(?P<n>a)(?P=n)`: "back-reference (?P=name)",
		`(a)?(?(1)b|c)`:  "condition",
		`(?>a+)b`:        "atomic group",
		`a++`:            "possessive",
		`abc\Z`:          `written \z`,
		`a(b`:            "missing closing )",
		`a)b`:            "unexpected )",
		`[a-`:            "missing closing ]",
		`a{1,5000}`:      "repeat",
		`\y`:             "invalid escape",
	} {
		var s rebound.Set
		_, err := s.Compile(pattern)
		var se *rebound.SyntaxError
		require.ErrorAs(t, err, &se, pattern)
		assert.Contains(t, se.Msg, want, pattern)
		assert.Less(t, se.Offset, len(pattern))
	}
	var s rebound.Set
	_, err := s.Compile(`x[(?=]\\1(?:a)`)
	assert.NoError(t, err, "the same characters in a class and behind an escaped backslash are no look-ahead")
	_, err = s.Compile(`ab(?=c)`)
	var se *rebound.SyntaxError
	require.ErrorAs(t, err, &se)
	assert.Equal(t, 2, se.Offset)
}

func TestRequired(t *testing.T) {
	for pattern, want := range map[string]string{
		`https?://zoom\.us/j/(\d+)`: "://zoom.us/j/",
		`(?i)ZOOM\d`:                "zoom",
		`(abc)?d`:                   "d",
		`(abc)+d`:                   "abc",
		`(?:abc){2,3}`:              "abc",
		`\d{9}`:                     "",
		`x*`:                        "",
		`(?:teams|zoom)\.example`:   ".example",
		`meet|whereby`:              "meet",
	} {
		var s rebound.Set
		re, err := s.Compile(pattern)
		require.NoError(t, err)
		assert.Equal(t, want, re.Size.Required, pattern)
		assert.Equal(t, len(want) < 3, re.Warn() != "", pattern)
	}
}

func TestBudget(t *testing.T) {
	var s rebound.Set
	re, err := s.Compile("abcdef")
	require.NoError(t, err)
	b := rebound.Budget(rebound.DefaultBudget)
	runs := 0
	for b.Spend(re, rebound.MaxInput) == nil {
		runs++
	}
	assert.Equal(t, rebound.DefaultBudget/(re.Size.Insts*(rebound.MaxInput+1)), runs)
	assert.NoError(t, b.Spend(re, 1), "a small text still fits")
	var none rebound.Budget
	assert.True(t, errors.Is(none.Spend(re, 1), rebound.ErrBudget))
}

func TestReplacement(t *testing.T) {
	var s rebound.Set
	re, err := s.Compile(`(\d+)-(?P<host>[a-z]+)(x)?`)
	require.NoError(t, err)
	const text = "to 123-abc!"
	m := re.FindStringSubmatchIndex(text)
	for in, want := range map[string]string{
		`\1@\2`:               "123@abc",
		`\g<1>0.\g<host>`:     "1230.abc",
		`<\g<0>|\3>`:          "<123-abc|>",
		`a\\b`:                `a\b`,
		`$1`:                  "$1",
		`sip:\1@vc.example\.`: `sip:123@vc.example\.`,
		``:                    "",
	} {
		r, err := re.ParseReplacement(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, string(r.Append(nil, text, m)), in)
		assert.Equal(t, in == "$1", r.Warn() != "", in)
	}
	for in, want := range map[string]string{
		`\4`:       "names group 4, but the pattern has 3",
		`\g<nope>`: `no group named "nope"`,
		`\g<1`:     "not closed",
		`x\`:       "ends in a backslash",
		`\w`:       `no such escape \w`,
	} {
		_, err := re.ParseReplacement(in)
		require.ErrorContains(t, err, want)
	}
}

// FuzzMeasure: the estimate is never below what the compiler makes, or the
// limits would not hold.
func FuzzMeasure(f *testing.F) {
	for _, p := range []string{`(?:(?:.{1,3}){1,3}){1,3}Z`, `(?i)[^x]{5}k`, `(a|b|cd)*?x{2,}`, `^$\b|(?s).`, `a{0}`, `(?i)straße`} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if len(pattern) > 200 {
			return
		}
		tree, err := syntax.Parse(pattern, syntax.Perl)
		var s rebound.Set
		re, cerr := s.Compile(pattern)
		if err != nil {
			require.Error(t, cerr)
			return
		}
		size := rebound.Measure(tree)
		if size.Insts > 20000 {
			require.Error(t, cerr)
			return
		}
		prog, err := syntax.Compile(tree.Simplify())
		require.NoError(t, err)
		require.GreaterOrEqual(t, size.Insts, len(prog.Inst))
		if cerr == nil {
			require.LessOrEqual(t, len(prog.Inst), rebound.Default.Insts)
			require.Equal(t, re.NumSubexp(), size.Captures)
		}
	})
}
