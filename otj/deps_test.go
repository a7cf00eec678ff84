package otj_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/onetouchjoin/onetouchjoin"

// allowed says what a package may import besides the standard library:
// packages of this module without the module's path, and packages of others by
// the start of their path. The order is about that of the data, from the
// calendar to the button; a cycle is impossible in Go.
var allowed = []struct{ pkg, imports string }{
	{"internal/jsonc", "github.com/tailscale/hujson"},
	{"internal/timezone", ""},
	{"internal/markup", ""},

	{"calendar", ""},
	{"calendar/calendartest", "calendar"},
	{"calendar/ics", "calendar internal/markup internal/timezone github.com/emersion/go-ical golang.org/x/text/encoding/"},
	{"internal/graphjson", "calendar internal/timezone"},
	{"internal/googlejson", "calendar internal/markup internal/timezone"},
	{"calendar/calendartest/graphtest", "calendar calendar/calendartest internal/timezone"},
	{"calendar/msgraph", "calendar internal/graphjson github.com/Azure/azure-sdk-for-go/sdk/azcore"},
	{"calendar/invite", "calendar calendar/ics internal/markup internal/graphjson internal/googlejson golang.org/x/net/html/charset golang.org/x/text/encoding/"},

	{"rules/internal/rebound", ""},
	{"rules/internal/jinja", "internal/jsonc rules/internal/rebound"},
	{"rules", "calendar internal/jsonc rules/internal/jinja rules/internal/rebound"},
	{"rules/rulestest", "calendar calendar/invite internal/jsonc rules"},

	{"otj", "calendar rules"},
	{"endpoints/endpointtest", "calendar rules otj"},
	{"endpoints/cisco/internal/roomos", ""},
	{"endpoints/cisco", "calendar rules otj endpoints/cisco/internal/roomos golang.org/x/time/ github.com/coder/websocket"},
	{"endpoints/cisco/ciscotest", "endpoints/cisco/internal/roomos github.com/coder/websocket golang.org/x/crypto/ssh"},

	{"endpoints/internal/lockout", "golang.org/x/time/rate"},
	{"endpoints/feed", "calendar rules otj endpoints/internal/lockout github.com/emersion/go-ical golang.org/x/time/rate"},
	{"endpoints/poly/internal/ntlm", "golang.org/x/crypto/md4"},
	{"endpoints/poly/polytest", "endpoints/poly/internal/ntlm"},
	{"endpoints/poly", "calendar rules otj endpoints/internal/lockout endpoints/poly/internal/ntlm golang.org/x/time/rate"},

	{"readiness", "calendar rules otj"},
	{"control", "internal/jsonc calendar calendar/invite rules otj readiness github.com/tailscale/hujson golang.org/x/text/encoding/ github.com/tink-crypto/tink-go/v2/"},
	{"control/storetest", "control"},
	{"control/sqlite", "control modernc.org/sqlite"},
	{"control/client", "calendar readiness control"},
	{"control/api", "calendar rules otj readiness control github.com/danielgtaylor/huma/v2 golang.org/x/time/rate"},

	{"control/console", "calendar rules otj readiness control control/api"},

	{"control/oidc", "calendar control control/api github.com/coreos/go-oidc/v3/oidc golang.org/x/oauth2"},

	{"internal/office", "otj"},
	{"internal/app", "internal/jsonc calendar calendar/ics calendar/msgraph rules otj endpoints/cisco endpoints/feed endpoints/poly control control/api control/console control/oidc control/sqlite readiness github.com/Azure/azure-sdk-for-go/sdk/azcore github.com/Azure/azure-sdk-for-go/sdk/azidentity github.com/prometheus/client_golang/prometheus"},
	{"cmd/otj", "internal/jsonc calendar calendar/ics calendar/invite rules rules/rulestest otj endpoints/cisco endpoints/cisco/ciscotest internal/office internal/app control readiness endpoints/feed endpoints/poly endpoints/poly/polytest"},

	{"examples/embed-rules", "calendar calendar/ics rules"},
	{"examples/replay-corpus", "rules rules/rulestest"},
	{"examples/custom-endpoint", "calendar/ics rules otj"},
	{"examples/simulated-cisco", "endpoints/cisco/ciscotest"},
	{"examples/graph-to-cisco", "calendar calendar/calendartest/graphtest calendar/msgraph otj endpoints/cisco endpoints/cisco/ciscotest github.com/Azure/azure-sdk-for-go/sdk/azcore github.com/Azure/azure-sdk-for-go/sdk/azidentity"},
	{"examples/ics-to-cisco", "calendar calendar/ics otj endpoints/cisco endpoints/cisco/ciscotest"},
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

func TestImportsFollowTheData(t *testing.T) {
	line := map[string]int{}
	for i, a := range allowed {
		line[a.pkg] = i
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	used, unknown := map[string]bool{}, map[string]bool{}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipFolder(root, file, d.Name())
		case !strings.HasSuffix(file, ".go"):
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		require.NoError(t, err)
		pkg := filepath.ToSlash(dir)
		at, known := line[pkg]
		if !known {
			unknown[pkg] = true
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if first, _, _ := strings.Cut(target, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			if strings.HasSuffix(file, "_test.go") && hasPrefix(target, inTests) {
				continue
			}
			short := strings.TrimPrefix(target, module+"/")
			if edge := match(short, strings.Fields(allowed[at].imports)); edge != "" {
				used[pkg+" "+edge] = true
				continue
			}
			t.Errorf("%s imports %s, which the table of this test does not allow for %s", file, short, pkg)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Empty(t, unknown, "these packages have no line in the table of this test: say what they may import")

	for _, a := range allowed {
		for edge := range strings.FieldsSeq(a.imports) {
			assert.True(t, used[a.pkg+" "+edge], "%s no longer imports %s: take the edge out of the table", a.pkg, edge)
		}
	}
}

// skipFolder leaves out what is not part of this module.
func skipFolder(root, dir, base string) error {
	if dir == root {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") {
		return filepath.SkipDir
	}
	return nil
}

func hasPrefix(s string, prefixes []string) bool { return match(s, prefixes) != "" }

// match returns the entry of list that is s, or a folder or prefix of it.
func match(s string, list []string) string {
	for _, p := range list {
		if s == p || (strings.Contains(p, ".") && strings.HasPrefix(s, p)) {
			return p
		}
	}
	return ""
}
