// Command benchmarks measures the rule engine beside other ways to read an
// invite and writes the table in docs/benchmarks.md.
//
//	go run -tags hyperscan,otjbench ./cmd/benchmarks
//
// It is run in internal/bench, on a machine that has nothing else to do.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/internal/bench"
)

func main() {
	out := flag.String("o", filepath.Join("..", "..", "docs", "benchmarks.md"), "file to write; - is standard output")
	rounds := flag.Int("rounds", 5, "rounds; the fastest counts")
	each := flag.Duration("each", 40*time.Millisecond, "time for a contender on a body in a round")
	flag.Parse()
	if err := run(*out, *rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(out string, rounds int, each time.Duration) error {
	start := time.Now()
	load := firstLine("/proc/loadavg", "")
	table, err := bench.Run(bench.Bodies(), bench.Options{Rounds: rounds, Each: each})
	if err != nil {
		return err
	}
	hostile, err := bench.RunAdversarial()
	if err != nil {
		return err
	}
	text := bench.Markdown(table, hostile, bench.Environment{
		Commit:  commit(),
		Go:      runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		CPU:     cpu(),
		Load:    load,
		Date:    start.UTC().Format(time.DateOnly),
		Took:    time.Since(start).Round(time.Second),
		Command: fmt.Sprintf("cd internal/bench && go run -tags hyperscan,otjbench ./cmd/benchmarks -rounds %d -each %s", rounds, each),
	})
	if out == "-" {
		_, err = os.Stdout.WriteString(text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// commit names the tree that was measured, and says if it had changes.
func commit() string {
	hash, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	s := strings.TrimSpace(string(hash))
	if status, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", ":/rules", ":/internal/bench", ":/calendar").Output(); err == nil && len(status) > 0 {
		s += " with uncommitted changes"
	}
	return s
}

func cpu() string {
	return fmt.Sprintf("%s, %d used", firstLine("/proc/cpuinfo", "model name"), runtime.GOMAXPROCS(0))
}

// firstLine returns the first line of a file that starts with a key, without
// the key, or "unknown".
func firstLine(file, key string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), ":"))
		}
	}
	return "unknown"
}
