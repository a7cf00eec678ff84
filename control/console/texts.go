package console

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// catalogue are all texts of the console by key: those of texts/en. A message of
// the Centre about a field, of a device or of a calendar comes as it is.
var catalogue = sync.OnceValue(func() map[string]string {
	names, err := fs.Glob(files, "texts/en/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	out := map[string]string{}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		var texts map[string]string
		if err := json.Unmarshal(data, &texts); err != nil {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
		topic := strings.TrimSuffix(path.Base(name), ".json") + "."
		for key, t := range texts {
			if !strings.HasPrefix(key, topic) {
				panic(fmt.Sprintf("%s: the key %q does not begin with %q", name, key, topic))
			}
			out[key] = t
		}
	}
	return out
})

// lookup returns the text of a key with args put in, as package fmt does.
func lookup(key string, args ...any) (string, error) {
	t, ok := catalogue()[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(args) > 0 {
		t = fmt.Sprintf(t, args...)
	}
	return t, nil
}

// text is lookup where the key is known to be there. A missing one shows itself,
// which the tests of the pages look for.
func text(key string, args ...any) string {
	t, err := lookup(key, args...)
	if err != nil {
		return "⟨" + key + "⟩"
	}
	return t
}

// hint returns the text of a key, or "" if there is none.
func hint(key string) string { return catalogue()[key] }

// count returns the text for a number of things.
func count(key string, n int, args ...any) (string, error) {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return lookup(key+form, append([]any{n}, args...)...)
}

// funcs are what templates may call.
var funcs = template.FuncMap{
	"t":            lookup,
	"n":            count,
	"asset":        func(name string) string { return assets()[name].path },
	"org":          orgPath,
	"item":         func(values ...any) []any { return values },
	"setting":      settingOf,
	"badge":        func(kind, key string) (badge, error) { t, err := lookup(key); return badge{kind, t}, err },
	"tenantBadge":  tenantBadge,
	"number":       number,
	"colour":       colourBadge,
	"finding":      findingBadge,
	"findingNamed": func(r any) badge { return findingBadge(readiness.Result(fmt.Sprint(r))) },
	"stepName":     func(key control.StepKey) string { return text("rooms.step." + string(key)) },
	"change":       changeBadge,
	"ruleType":     typeName,
	"ruleKind":     func(kind string) string { return text("rules.kind." + kind) },
	"ruleResult":   func(result string) badge { return badge{ruleBadges[result], text("rules.result." + result)} },
	"when":         func(t time.Time) stamp { return stamp{t.UTC()} },
}

// number writes a number as people read it: 1,000,000.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// badge is a word in a colour. Kind is good, warn, bad, off or info.
type badge struct{ Kind, Text string }

// stamp is a time. Script shows it in the browser's zone.
type stamp struct{ t time.Time }

// Machine is the time for programs.
func (s stamp) Machine() string { return s.t.Format(time.RFC3339) }

// Text is the time for people, in UTC.
func (s stamp) Text() string { return s.t.Format("2006-01-02 15:04 UTC") }

// Clock is the time of day for people, in UTC, with the day.
func (s stamp) Clock() string { return s.t.Format("Jan 2, 15:04 UTC") }

// Zero reports whether there is no time.
func (s stamp) Zero() bool { return s.t.IsZero() }
