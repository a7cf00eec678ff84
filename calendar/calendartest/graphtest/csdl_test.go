package graphtest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testdata/csdl.tsv holds the types that the fake answers with, out of Graph's
// published metadata: https://graph.microsoft.com/v1.0/$metadata, which is also
// schemas/v1.0-Prod.csdl of https://github.com/microsoftgraph/msgraph-metadata.
// To make it anew from such a file:
//
//	OTJ_GRAPH_CSDL=v1.0-Prod.csdl go test -run TestPeerCSDL -update .
//
// A line is a property (type, its base or "-", name, type, "null" or "value"),
// or an enumeration ("enum", name, members).
const csdlFile = "testdata/csdl.tsv"

var update = flag.Bool("update", false, "make testdata/csdl.tsv anew")

// csdlRoots are the types that answers and notifications begin with.
var csdlRoots = []string{"event", "subscription", "changeNotificationCollection", "singleValueLegacyExtendedProperty"}

type csdlType struct {
	Name       string `xml:"Name,attr"`
	Base       string `xml:"BaseType,attr"`
	Properties []struct {
		Name     string `xml:"Name,attr"`
		Type     string `xml:"Type,attr"`
		Nullable string `xml:"Nullable,attr"`
	} `xml:"Property"`
	Members []struct {
		Name string `xml:"Name,attr"`
	} `xml:"Member"`
}

func short(name string) string {
	return strings.NewReplacer("microsoft.graph.", "", "graph.", "").Replace(name)
}

var inCollection = regexp.MustCompile(`^Collection\((.*)\)$`)

func item(typ string) (name string, many bool) {
	if m := inCollection.FindStringSubmatch(typ); m != nil {
		return m[1], true
	}
	return typ, false
}

// factsOf makes the table of Graph's metadata.
func factsOf(r io.Reader) (string, error) {
	types := map[string]csdlType{}
	d := xml.NewDecoder(r)
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if n := start.Name.Local; n == "Schema" {
			for _, a := range start.Attr {
				if a.Name.Local == "Namespace" && a.Value != "microsoft.graph" {
					if err := d.Skip(); err != nil {
						return "", err
					}
				}
			}
		} else if n == "EntityType" || n == "ComplexType" || n == "EnumType" {
			var t csdlType
			if err := d.DecodeElement(&t, &start); err != nil {
				return "", err
			}
			types[t.Name] = t
		}
	}
	var lines []string
	done := map[string]bool{}
	queue := slices.Clone(csdlRoots)
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		t, ok := types[name]
		if done[name] || !ok {
			continue
		}
		done[name] = true
		base := short(t.Base)
		if base != "" {
			queue = append(queue, base)
		}
		if len(t.Members) > 0 {
			var members []string
			for _, m := range t.Members {
				members = append(members, m.Name)
			}
			lines = append(lines, "enum\t"+name+"\t"+strings.Join(members, ","))
			continue
		}
		if len(t.Properties) == 0 {
			lines = append(lines, fmt.Sprintf("%s\t%s\t-\t-\t-", name, cmp.Or(base, "-")))
		}
		for _, p := range t.Properties {
			typ := short(p.Type)
			inner, _ := item(typ)
			queue = append(queue, inner)
			null := "null"
			if p.Nullable == "false" {
				null = "value"
			}
			lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", name, cmp.Or(base, "-"), p.Name, typ, null))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n", nil
}

// The table is what the published metadata says.
func TestPeerCSDL(t *testing.T) {
	file := os.Getenv("OTJ_GRAPH_CSDL")
	if file == "" {
		t.Skip("OTJ_GRAPH_CSDL is not set: it names a copy of https://graph.microsoft.com/v1.0/$metadata, which anybody can download")
	}
	in, err := os.Open(file)
	require.NoError(t, err)
	defer in.Close()
	got, err := factsOf(in)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(csdlFile, []byte(got), 0o644)) //nolint:gosec // not secret
	}
	want, err := os.ReadFile(csdlFile)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// property is a line of the table.
type property struct {
	typ  string
	null bool
}

type facts struct {
	base  map[string]string
	props map[string]map[string]property
	enums map[string][]string
}

var table = sync.OnceValues(func() (*facts, error) {
	raw, err := os.ReadFile(csdlFile)
	if err != nil {
		return nil, err
	}
	f := &facts{base: map[string]string{}, props: map[string]map[string]property{}, enums: map[string][]string{}}
	for line := range strings.Lines(string(raw)) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if c[0] == "enum" {
			f.enums[c[1]] = strings.Split(c[2], ",")
			continue
		}
		f.base[c[0]] = strings.TrimPrefix(c[1], "-")
		if f.props[c[0]] == nil {
			f.props[c[0]] = map[string]property{}
		}
		if c[2] != "-" {
			f.props[c[0]][c[2]] = property{c[3], c[4] == "null"}
		}
	}
	// Navigation properties are not in the table; this one may be expanded.
	f.props["event"]["singleValueExtendedProperties"] = property{"Collection(singleValueLegacyExtendedProperty)", true}
	return f, nil
})

// check returns what is wrong with a value of a type.
func (f *facts) check(where, typ string, v any, null bool) (wrong []string) {
	bad := func(format string, args ...any) []string {
		return append(wrong, where+": "+fmt.Sprintf(format, args...))
	}
	if v == nil {
		if !null {
			return bad("null, and %s has to have a value", typ)
		}
		return nil
	}
	if inner, many := item(typ); many {
		list, ok := v.([]any)
		if !ok {
			return bad("%T, and not %s", v, typ)
		}
		for i, e := range list {
			wrong = append(wrong, f.check(fmt.Sprintf("%s[%d]", where, i), inner, e, false)...)
		}
		return wrong
	}
	if members, ok := f.enums[typ]; ok {
		text, _ := v.(string)
		if !slices.Contains(members, text) {
			return bad("%v is none of %s: %v", v, typ, members)
		}
		return nil
	}
	if strings.HasPrefix(typ, "Edm.") {
		return append(wrong, primitive(where, typ, v)...)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return bad("%T, and not a %s", v, typ)
	}
	if _, known := f.props[typ]; !known {
		return bad("a type that is not in the table: %s", typ)
	}
	for name, e := range object {
		if strings.HasPrefix(name, "@") || typ == "resourceData" {
			continue
		}
		found := false
		for t := typ; t != "" && !found; t = f.base[t] {
			var p property
			if p, found = f.props[t][name]; found {
				wrong = append(wrong, f.check(where+"."+name, p.typ, e, p.null)...)
			}
		}
		if !found {
			wrong = append(wrong, fmt.Sprintf("%s: %s has no property %s", where, typ, name))
		}
	}
	return wrong
}

var guidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func primitive(where, typ string, v any) []string {
	ok := false
	switch typ {
	case "Edm.String":
		_, ok = v.(string)
	case "Edm.Boolean":
		_, ok = v.(bool)
	case "Edm.Int32", "Edm.Int64":
		var n float64
		n, ok = v.(float64)
		ok = ok && n == float64(int64(n))
	case "Edm.Double":
		_, ok = v.(float64)
	case "Edm.Guid":
		text, _ := v.(string)
		ok = guidText.MatchString(text)
	case "Edm.DateTimeOffset":
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		ok = err == nil
	case "Edm.Date":
		text, _ := v.(string)
		_, err := time.Parse(time.DateOnly, text)
		ok = err == nil
	}
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no %s", where, v, typ)}
	}
	return nil
}

// checkAnswer checks a whole answer of Graph, whose type its address tells.
func checkAnswer(path string, body []byte) []string {
	f, err := table()
	if err != nil {
		return []string{err.Error()}
	}
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		return []string{path + ": " + err.Error()}
	}
	if e, ok := v["error"].(map[string]any); ok {
		code, _ := e["code"].(string)
		_, message := e["message"].(string)
		if code == "" || !message || len(v) != 1 {
			return []string{fmt.Sprintf("%s: not an error as Graph's: %s", path, body)}
		}
		return nil
	}
	if parts, ok := v["responses"].([]any); ok {
		var wrong []string
		for _, p := range parts {
			part := p.(map[string]any)
			if raw, err := json.Marshal(part["body"]); err == nil && part["body"] != nil {
				wrong = append(wrong, checkAnswer(path+"#"+part["id"].(string), raw)...)
			}
		}
		return wrong
	}
	typ := "event"
	if strings.Contains(path, "/subscriptions") {
		typ = "subscription"
	}
	if _, many := v["value"]; many {
		typ = "Collection(" + typ + ")"
		for name := range v {
			if name != "value" && !strings.HasPrefix(name, "@odata.") {
				return []string{path + ": a list with the property " + name}
			}
		}
		return f.check(path, typ, v["value"], false)
	}
	return f.check(path, typ, v, false)
}

// checking is a transport that checks every answer of Graph on its way.
type checking struct {
	t    testing.TB
	next http.RoundTripper
}

func (c checking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/v1.0/") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	if err == nil && res.StatusCode != http.StatusNoContent {
		for _, wrong := range checkAnswer(r.URL.Path, body) {
			c.t.Errorf("an answer is not as Graph's metadata has it: %s", wrong)
		}
	}
	return res, nil
}

// failing ends a body as it ended for the one who read it first.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, cmp.Or(f.err, io.EOF) }

// The check sees what is wrong.
func TestCheckAnswer(t *testing.T) {
	for want, body := range map[string]string{
		"event has no property colour": `{"id":"1","colour":"red"}`,
		"is no Edm.Boolean":            `{"id":"1","isAllDay":"yes"}`,
		"is none of sensitivity":       `{"id":"1","sensitivity":"secret"}`,
		"id: null, and Edm.String":     `{"id":null}`,
		"is no Edm.DateTimeOffset":     `{"value":[{"id":"1","createdDateTime":"today"}]}`,
		"not Collection(attendee)":     `{"value":[{"id":"1","attendees":{}}]}`,
		"has no property mail":         `{"id":"1","organizer":{"emailAddress":{"mail":"a"}}}`,
		"a list with the property":     `{"value":[],"next":1}`,
	} {
		assert.Contains(t, strings.Join(checkAnswer("/v1.0/users/a/events/b", []byte(body)), "\n"), want, body)
	}
	assert.Empty(t, checkAnswer("/v1.0/users/a/events/b", []byte(`{"id":"1","@odata.etag":"x","isAllDay":true,"onlineMeeting":null}`)))
}
