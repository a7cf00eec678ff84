package rulestest

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Replay runs rules over a corpus, a subtest for each file:
//
//	func TestCorpus(t *testing.T) {
//		rulestest.Replay(t, os.DirFS("testdata"), engine)
//	}
func Replay(t *testing.T, corpus fs.FS, e *rules.Engine) {
	t.Helper()
	report, err := Run(corpus, e)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Files {
		f := &report.Files[i]
		t.Run(f.Name, func(t *testing.T) {
			if f.Err != nil {
				t.Fatal(f.Err)
			}
			for _, ev := range f.Events {
				if ev.OK() {
					continue
				}
				t.Errorf("event %d: %s", ev.Index+1, strings.Join(ev.Diffs, "\n\t"))
				if ev.Got == nil {
					t.Logf("why: %s", ev.Why)
				}
			}
		})
	}
}

// ReplayDir is Replay over a folder of the disk. If the test binary has a flag
// -update, which the test itself defines, and it is set, the expectations that
// differ are written first:
//
//	var _ = flag.Bool("update", false, "write the expectations of the corpus")
func ReplayDir(t *testing.T, dir string, e *rules.Engine) {
	t.Helper()
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := WriteUpdate(dir, e); err != nil {
			t.Fatal(err)
		}
	}
	Replay(t, os.DirFS(dir), e)
}

// WriteUpdate writes the expectations of a folder that differ; see Update.
func WriteUpdate(dir string, e *rules.Engine) error {
	files, err := Update(os.DirFS(dir), e)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o644); err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	return nil
}
