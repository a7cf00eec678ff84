package app

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every member of the file is documented, and nothing else is.
func TestDocumentationHasEveryMember(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	require.NoError(t, err)
	_, reference, found := strings.Cut(string(text), "## Every member of the file\n")
	require.True(t, found)
	code := regexp.MustCompile("`([a-z0-9_]+)`")
	documented := map[string][]string{}
	heading := ""
	for line := range strings.Lines(reference) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "### "); ok {
			heading = name
		}
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
				documented[heading] = append(documented[heading], m[1])
			}
		}
	}
	for heading, v := range map[string]any{
		"The file": Config{}, "`calendars.NAME`": Calendar{}, "`microsoft365.NAME`": Microsoft365{}, "`site`": SiteConfig{}, "`webex.NAME`": Webex{},
		"`rooms[]`": Room{}, "`rooms[].device`": Device{}, "`control`": ControlConfig{}, "`control.oidc`": OIDCConfig{},
	} {
		var members []string
		for f := range fieldsOf(reflect.TypeOf(v)) {
			members = append(members, f)
		}
		assert.ElementsMatch(t, members, documented[heading], heading)
	}
	assert.Len(t, documented, 9)
}

// fieldsOf yields the JSON names of a struct's fields.
func fieldsOf(t reflect.Type) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("json"); name != "" && !yield(name) {
				return
			}
		}
	}
}
