package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nikolalohinski/gonja/v2"
	gonjaexec "github.com/nikolalohinski/gonja/v2/exec"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
	"github.com/onetouchjoin/onetouchjoin/rules/internal/rebound"
)

// names are the variables of all templates here, with the same values for both.
var names = []string{"id", "pin", "empty", "n", "list", "yes"}

type vars struct{}

func (vars) Var(slot int) jinja.Value { return values[slot] }

var values = [...]jinja.Value{
	jinja.Str("81234567890"), jinja.Str("448812"), jinja.Str(""), jinja.Integer(7),
	jinja.Items(jinja.Str("a@x.example"), jinja.Str("b@y.example")), jinja.Boolean(true),
}

func context() *gonjaexec.Context {
	return gonjaexec.NewContext(map[string]any{
		"id": "81234567890", "pin": "448812", "empty": "", "n": 7, "list": []string{"a@x.example", "b@y.example"}, "yes": true,
	})
}

func own(src string) (string, error) {
	opts := &jinja.Options{}
	for _, n := range names {
		opts.Vars = append(opts.Vars, jinja.Var{Name: n})
	}
	t, err := jinja.Compile(src, opts)
	if err != nil {
		return "", err
	}
	out, err := t.Append(nil, vars{}, nil)
	return string(out), err
}

func theirs(src string) (string, error) {
	t, err := gonja.FromString(src)
	if err != nil {
		return "", err
	}
	return t.ExecuteToString(context())
}

// TestSameAsGonja renders the templates of an administrator with both.
func TestSameAsGonja(t *testing.T) {
	for _, src := range []string{
		`{{ id }}.{{ pin }}@zoomcrc.com`,
		`{{ id }}{% if pin %}.{{ pin }}{% endif %}@x`,
		`{% if empty %}a{% elif n > 3 %}b{% else %}c{% endif %}`,
		`{% for m in list %}{{ loop.index }}{{ m }}{% if not loop.last %},{% endif %}{% endfor %}`,
		`{% for m in list if 'y' in m %}{{ loop.index }}/{{ loop.length }}{{ m }}{% endfor %}`,
		`{% for m in empty %}x{% else %}none{% endfor %}`,
		`{% set x = id ~ '-' ~ n %}{{ x|upper }}`,
		`{% set ns = namespace(a='') %}{% for m in list %}{% set ns.a = ns.a ~ m %}{% endfor %}{{ ns.a }}`,
		"a \n{%- if yes -%}\n b \n{%- endif %} c",
		`{{ empty or 'none' }} {{ empty|default('d', true) }} {{ 'a' if yes else 'b' }}`,
		`{{ (n + 3) * 2 - 1 }} {{ n // 2 }} {{ n % 4 }} {{ n / 2 }} {{ 1.5 ** 2 }}`,
		`{{ id[0] }}{{ id[-1] }}{{ list[1] }}{{ list|first }}{{ list|last }}{{ list|length }}`,
		`{{ list|join(';') }} {{ id|replace('8', 'x') }} {{ ' a '|trim }} {{ 'aBC'|capitalize }} {{ '%s-%s'|format(id, pin) }}`,
		`{{ '42'|int + 1 }} {{ '1.5'|float }} {{ n is odd }} {{ id is defined }} {{ n == 7 and not empty }}`,
		`{{ '<b>x</b>  y'|striptags }} {{ 'one two three four'|truncate(9, leeway=0) }} {{ 2.567|round(2) }} {{ -3|abs }}`,
		`{% raw %}{{ id }}{% endraw %}{# c #}`,
		`{{ id.startswith('812') }}`,
	} {
		a, errA := own(src)
		b, errB := theirs(src)
		if errA != nil || errB != nil || a != b {
			t.Errorf("%s\n ours:   %q %v\n gonja:  %q %v", src, a, errA, b, errB)
		}
	}
}

// TestRandomExpressions makes expressions of what both have, and compares where
// both give a result. It runs on a fixed seed.
func TestRandomExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	same, refused := 0, 0
	for range 20_000 {
		src := "{{ " + number(r, 3) + " }}|{{ " + text(r, 3) + " }}|{{ 'y' if " + truth(r, 3) + " else 'n' }}"
		a, errA := own(src)
		b, errB := theirs(src)
		switch {
		case errA != nil || errB != nil:
			refused++
			if errA != nil && errB == nil {
				t.Errorf("%s\n ours: %v\n gonja: %q", src, errA, b)
			}
		case a != b:
			t.Errorf("%s\n ours:  %q\n gonja: %q", src, a, b)
		default:
			same++
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d the same, %d refused", same, refused)
}

func pick(r *rand.Rand, s ...string) string { return s[r.IntN(len(s))] }

// script renders a JSON list of templates with Jinja2 itself.
const script = `
import json, sys, jinja2
env = jinja2.Environment()
ctx = dict(id="81234567890", pin="448812", empty="", n=7, list=["a@x.example", "b@y.example"], yes=True)
out = []
for src in json.load(sys.stdin):
    try: out.append(env.from_string(src).render(**ctx))
    except Exception as e: out.append(None)
json.dump(out, sys.stdout)
`

// TestSameAsJinja2 compares with the original where there is one.
func TestSameAsJinja2(t *testing.T) {
	python := os.Getenv("OTJ_JINJA2")
	if python == "" {
		t.Skip("OTJ_JINJA2 is not set: it names a python3 that has jinja2 (apt install python3-jinja2); .ci/run sets it")
	}
	r := rand.New(rand.NewPCG(3, 4))
	srcs := []string{
		"{{ 2 ** 5 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 1e3 if false else 1.50 }}",
		"{{ '%s-%03d-%5.2f|%-4s|%x'|format(id, n, 1.005, 'a', 255) }}",
		"{% for a in list %}{% for b in a if b != 'x' %}{{ loop.index }}{{ b }}{{ loop.revindex0 }}{% else %}-{% endfor %}{{ loop.last }}{% endfor %}",
		"{% set a, b = list %}{% for a in list %}{% set b = a %}{{ b }}{% endfor %}{{ a }}{{ b }}",
		"{% if n == 8 %}{% set id = 'x' %}{% endif %}{{ id }}{% if n == 7 %}{% set id = 'y' %}{% endif %}{{ id }}",
		"{{ id[2:-2] }}{{ id[-3:] }}{{ list[5:] }}{{ list[-1][0:1] }}{{ 'äöü'[1] }}",
		"{{ [1, 'a', none, 1.0, {'k': \"it's\"}] }}{{ 1 < 2 < 3 }}{{ 3 > n > 1 }}{{ not yes }}{{ 'a' in 'abc' and 1 not in [2] }}",
		"{{ 2.5|round }}{{ 2.567|round(2) }}{{ 3.7|int }}{{ '3.7'|int }}{{ 'x'|int(4) }}{{ '7f'|int(0, 16) }}{{ 'x'|float }}",
		"{{ 'one two three'|truncate(9) }}{{ 'one two three'|truncate(9, true, '!', 0) }}{{ ' <i>a</i>  b &amp; c'|striptags }}",
		"{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split() }}{{ 'a-b-c'.rsplit('-', 1) }}{{ '-7'.zfill(4) }}{{ 'x'.isdigit() }}",
		"a \n{%- if yes +%}\n b {%- endif -%} \n c{# d -#}  e\n\n",
	}
	for range 3000 {
		srcs = append(srcs, "{{ "+number(r, 3)+" }}|{{ "+text(r, 3)+" }}|{{ 'y' if "+truth(r, 3)+" else 'n' }}")
	}
	in, err := json.Marshal(srcs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []*string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, src := range srcs {
		got, err := own(src)
		switch {
		case want[i] == nil && err == nil:
			t.Errorf("%s\n ours: %q, Jinja2 has an error", src, got)
		case want[i] != nil && (err != nil || got != *want[i]):
			t.Errorf("%s\n ours:   %q %v\n Jinja2: %q", src, got, err, *want[i])
		}
	}
}

func number(r *rand.Rand, depth int) string {
	if depth == 0 {
		return pick(r, "n", "1", "3", "12", "(id|length)")
	}
	a, b := number(r, depth-1), number(r, depth-1)
	return pick(r, "n", "("+a+" + "+b+")", "("+a+" - "+b+")", "("+a+" * "+b+")", "("+text(r, depth-1)+"|length)")
}

func text(r *rand.Rand, depth int) string {
	if depth == 0 {
		return pick(r, "id", "pin", "empty", "'a b'", "'Xy'", "list[0]")
	}
	a, b := text(r, depth-1), text(r, depth-1)
	return pick(r, "id", "("+a+" ~ "+b+")", "("+a+"|upper)", "("+a+"|replace('1', '-'))", "("+a+"|lower|trim)",
		"("+a+" if "+truth(r, depth-1)+" else "+b+")", fmt.Sprintf("(%s ~ %s)", a, number(r, depth-1)))
}

func truth(r *rand.Rand, depth int) string {
	if depth == 0 {
		return pick(r, "yes", "pin == '448812'", "n > 3", "'a' in list[0]")
	}
	a, b := truth(r, depth-1), truth(r, depth-1)
	return pick(r, "yes", "("+a+" and "+b+")", "("+a+" or "+b+")", "(not "+a+")", "("+number(r, depth-1)+" <= "+number(r, depth-1)+")", "("+text(r, depth-1)+" == "+text(r, depth-1)+")")
}

const usual = `{{ id }}{% if pin %}.{{ pin }}{% endif %}@zoomcrc.com`

// both is the third way: ours for templates of variables and text alone, gonja
// for all others.
func both(src string) func() (string, error) {
	if !strings.Contains(src, "{%") && !strings.Contains(src, "|") {
		return func() (string, error) { return own(src) }
	}
	t, err := gonja.FromString(src)
	return func() (string, error) {
		if err != nil {
			return "", err
		}
		return t.ExecuteToString(context())
	}
}

func BenchmarkRender(b *testing.B) {
	opts := &jinja.Options{}
	for _, n := range names {
		opts.Vars = append(opts.Vars, jinja.Var{Name: n})
	}
	b.Run("ours", func(b *testing.B) {
		t, err := jinja.Compile(usual, opts)
		if err != nil {
			b.Fatal(err)
		}
		var v jinja.Vars = vars{}
		buf := make([]byte, 0, 128)
		budget := rebound.Budget(rebound.DefaultBudget)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := t.Append(buf, v, &budget); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gonja", func(b *testing.B) {
		t, err := gonja.FromString(usual)
		if err != nil {
			b.Fatal(err)
		}
		ctx := context()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := t.ExecuteToString(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("both", func(b *testing.B) {
		f := both(usual)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	opts := &jinja.Options{}
	for _, n := range names {
		opts.Vars = append(opts.Vars, jinja.Var{Name: n})
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jinja.Compile(usual, opts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gonja", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := gonja.FromString(usual); err != nil {
				b.Fatal(err)
			}
		}
	})
}
