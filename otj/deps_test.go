package otj_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/onetouchjoin/onetouchjoin"

// stages are the folders in the order of the data, from the calendar to the
// button. A package imports those of its own stage and of the stages before it.
var stages = [][]string{
	{"internal/jsonc", "internal/markup", "internal/timezone", "internal/webaddr"}, // they know nothing of meetings
	{"calendar", "internal/googlejson", "internal/graphjson"},
	{"rules"},
	{"otj"},
	{"endpoints"},
	{"readiness"},
	{"control"},
	{"internal/app", "internal/office"},
	{"cmd"},
	{"examples"},
}

// forbidden are imports that the order of the stages would allow. A folder
// stands for everything in it.
var forbidden = []struct{ from, to, why string }{
	{"control", "endpoints", "control keeps what administrators configure; internal/app makes devices of it"},
	{"endpoints/cisco", "endpoints/feed", "adapters do not know each other"},
	{"endpoints/cisco", "endpoints/poly", "adapters do not know each other"},
	{"endpoints/feed", "endpoints/cisco", "adapters do not know each other"},
	{"endpoints/feed", "endpoints/poly", "adapters do not know each other"},
	{"endpoints/poly", "endpoints/cisco", "adapters do not know each other"},
	{"endpoints/poly", "endpoints/feed", "adapters do not know each other"},
	{"examples", "internal", "an example shows what an embedder can do"},
	{"otj", "internal", "it is small for those who embed it"},
	{"readiness", "endpoints", "it judges what it is told; internal/app asks the devices"},
}

// dependencies are the modules of others, or parts of them, by the start of
// their import path, and the folders that may import them.
var dependencies = map[string]string{
	"github.com/Azure/azure-sdk-for-go/sdk/azcore":     "calendar/msgraph examples/graph-to-cisco internal/app",
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity": "examples/graph-to-cisco internal/app",
	"github.com/coder/websocket":                       "endpoints/cisco",
	"github.com/coreos/go-oidc/v3/oidc":                "control/oidc",
	"github.com/danielgtaylor/huma/v2":                 "control/api",
	"github.com/emersion/go-ical":                      "calendar/ics endpoints/feed",
	"github.com/prometheus/client_golang/prometheus":   "internal/app",
	"github.com/tailscale/hujson":                      "control internal/jsonc",
	"github.com/tink-crypto/tink-go/v2/":               "control",
	"golang.org/x/crypto/md4":                          "endpoints/poly/internal/ntlm",
	"golang.org/x/crypto/ssh":                          "endpoints/cisco/ciscotest",
	"golang.org/x/net/html/charset":                    "calendar/invite",
	"golang.org/x/oauth2":                              "control/oidc",
	"golang.org/x/text/encoding/":                      "calendar/ics calendar/invite control",
	"golang.org/x/time/rate":                           "control/api endpoints",
	"modernc.org/sqlite":                               "control/sqlite",
}

// inTests are imports that the tests of every package may have.
var inTests = []string{
	"github.com/stretchr/testify/", "github.com/google/go-cmp/", module + "/",
	"github.com/teambition/rrule-go", // the recurrence rules of go-ical, compared with ours
	"github.com/PuerkitoBio/goquery", // the reference path that the scanner is compared with
	"golang.org/x/net/html",
	"golang.org/x/net/dns/dnsmessage",        // a DNS server for tests
	"github.com/Azure/azure-sdk-for-go/sdk/", // Microsoft's client of Entra, against the fake
}

// within reports whether pkg is in one of the folders, which have spaces
// between them.
func within(pkg, folders string) bool {
	return slices.ContainsFunc(strings.Fields(folders), func(f string) bool {
		return pkg == f || strings.HasPrefix(pkg, f+"/")
	})
}

// stageOf returns the place of a package in stages, or -1.
func stageOf(pkg string) int {
	return slices.IndexFunc(stages, func(folders []string) bool { return within(pkg, strings.Join(folders, " ")) })
}

// isTest reports whether a package serves tests: it simulates, or it checks.
func isTest(pkg string) bool {
	return slices.ContainsFunc(strings.Split(pkg, "/"), func(folder string) bool { return strings.HasSuffix(folder, "test") })
}

// mistake says what is wrong with an import of this module by pkg, if anything.
func mistake(pkg, target string) string {
	switch {
	case stageOf(pkg) < 0 || stageOf(target) < 0:
		return "one of them is in no stage: say in stages where it belongs"
	case stageOf(target) > stageOf(pkg):
		return "it is to the right, towards the button"
	case strings.HasPrefix(target, pkg+"/") && !strings.HasPrefix(target, pkg+"/internal/") && within(pkg, "calendar rules otj control"):
		return "a stage does not know who implements it"
	case isTest(target) && !isTest(pkg) && !within(pkg, "cmd examples"):
		return "it is for tests"
	}
	for _, f := range forbidden {
		if within(pkg, f.from) && within(target, f.to) {
			return f.why
		}
	}
	return ""
}

func TestImportsFollowTheData(t *testing.T) {
	used := map[string]bool{}
	imports(t, func(file, pkg, target string) {
		if strings.HasSuffix(file, "_test.go") && slices.ContainsFunc(inTests, func(p string) bool { return strings.HasPrefix(target, p) }) {
			return
		}
		if own, ok := strings.CutPrefix(target, module+"/"); ok {
			if why := mistake(pkg, own); why != "" {
				t.Errorf("%s imports %s: %s", file, own, why)
			}
			return
		}
		for start, folders := range dependencies {
			if target != start && !strings.HasPrefix(target, strings.TrimSuffix(start, "/")+"/") {
				continue
			}
			for folder := range strings.FieldsSeq(folders) {
				if within(pkg, folder) {
					used[start+" "+folder] = true
					return
				}
			}
		}
		t.Errorf("%s imports %s, which dependencies does not allow for %s", file, target, pkg)
	})
	for start, folders := range dependencies {
		for folder := range strings.FieldsSeq(folders) {
			assert.True(t, used[start+" "+folder], "%s no longer imports %s: take it out of dependencies", folder, start)
		}
	}
}

func TestMistakesOfImports(t *testing.T) {
	for edge, want := range map[string]string{
		"calendar rules":                         "to the right",
		"calendar calendar/ics":                  "does not know who implements it",
		"calendar/invite calendar/ics":           "",
		"rules rules/internal/jinja":             "",
		"rules rules/rulestest":                  "does not know who implements it",
		"otj endpoints/cisco":                    "to the right",
		"otj internal/jsonc":                     "small for those who embed it",
		"endpoints/feed endpoints/cisco":         "do not know each other",
		"endpoints/feed endpoints/endpointtest":  "for tests",
		"endpoints/feed endpoints/internal/lock": "",
		"control endpoints/feed":                 "internal/app makes devices",
		"cmd/otj endpoints/cisco/ciscotest":      "",
		"examples/x internal/jsonc":              "what an embedder can do",
		"elsewhere calendar":                     "in no stage",
	} {
		pkg, target, _ := strings.Cut(edge, " ")
		if got := mistake(pkg, target); want == "" {
			assert.Empty(t, got, edge)
		} else {
			assert.Contains(t, got, want, edge)
		}
	}
}

// imports calls f for each import of this module that is not of the standard
// library.
func imports(t *testing.T, f func(file, pkg, target string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipFolder(file, d.Name())
		case !strings.HasSuffix(file, ".go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if first, _, _ := strings.Cut(target, "/"); strings.Contains(first, ".") {
				f(file, path.Dir(file), target)
			}
		}
		return nil
	})
	require.NoError(t, err)
}

// skipFolder leaves out what is not part of this module.
func skipFolder(dir, base string) error {
	if dir == "." {
		return nil
	}
	if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(dir), "go.mod")); err == nil {
		return fs.SkipDir
	}
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	return nil
}
