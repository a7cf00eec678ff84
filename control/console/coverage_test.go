package console_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/api"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

// TestCoverage holds docs/coverage.md to what there is: its pages answer, its
// operations are in the API's document, its commands have their flags, its tests
// exist.
func TestCoverage(t *testing.T) {
	f, err := os.Open("../../docs/coverage.md")
	require.NoError(t, err)
	defer f.Close()
	w := newWorld(t, nil)

	pages := map[string]bool{}
	for pattern := range console.New(w.centre, nil).Routes() {
		_, path, _ := strings.Cut(pattern, " ")
		pages[path] = true
	}
	operations := operationIDs(t, w)
	commands, err := os.ReadFile("../../cmd/otj/doctor.go")
	require.NoError(t, err)
	visitor := w.visitor()
	tests := map[string]bool{}
	sources := regexp.MustCompile(`\[[^\]]+\]\[(configure|poly)\]`)

	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cells := strings.Split(strings.Trim(lines.Text(), "| "), " | ")
		if len(cells) < 3 || cells[0] == "There" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rows++
		assert.Regexp(t, sources, cells[1], cells[0])
		if len(cells) == 3 {
			continue // what is not here
		}
		require.Len(t, cells, 5, cells[0])
		path := strings.Trim(cells[2], "`")
		if !pages[path] {
			assert.NotEqual(t, http.StatusNotFound, visitor.open(path).status, "%s: no page %s", cells[0], path)
		}
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1) {
			command, isCommand := strings.CutPrefix(word[1], "otj ")
			switch {
			case !isCommand:
				assert.True(t, operations[word[1]], "%s: no operation %s", cells[0], word[1])
			case strings.HasPrefix(command, "doctor"):
				for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(command, -1) {
					assert.Contains(t, string(commands), `"`+flag[1]+`"`, "%s: otj doctor has no --%s", cells[0], flag[1])
				}
			default:
				assert.Equal(t, "setup", command, cells[0])
			}
		}
		dir, name, ok := strings.Cut(cells[4], " ")
		require.True(t, ok, cells[4])
		if _, read := tests[dir]; !read {
			tests[dir] = true
			for _, name := range testsOf(t, dir) {
				tests[dir+" "+name] = true
			}
		}
		assert.True(t, tests[dir+" "+name], "%s: no test %s", cells[0], cells[4])
	}
	assert.Greater(t, rows, 80)
}

// testsOf are the names of the tests in a folder.
func testsOf(t *testing.T, dir string) (out []string) {
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	require.NoError(t, err)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range function.FindAllSubmatch(data, -1) {
			out = append(out, string(m[1]))
		}
	}
	return out
}

// operationIDs are the operations of the API's document.
func operationIDs(t *testing.T, w *world) map[string]bool {
	rec := httptest.NewRecorder()
	api.New(w.centre, nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/openapi.json", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	out := map[string]bool{}
	for _, methods := range doc.Paths {
		for _, raw := range methods {
			var op struct{ OperationID string }
			if json.Unmarshal(raw, &op) == nil && op.OperationID != "" {
				out[op.OperationID] = true
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

func TestAnAdministratorGrantsThemselvesTheRole(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signInAs(control.Admin, control.AccessAdmin)
	assert.Equal(t, http.StatusForbidden, b.open("mailboxes/new").status)
	b.open("users")
	b.follow("Bob")
	b.send("Save", map[string][]string{"role": v("admin", "access_admin", "otj_admin")})
	assert.Contains(t, b.at.flash(), "were saved")
	assert.Equal(t, http.StatusOK, b.open("mailboxes/new").status)
}
