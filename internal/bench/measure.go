package bench

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Result is what one contender needed for one body.
type Result struct {
	NsPerOp float64 // the fastest of the rounds
	Allocs  uint64  // per operation, rounded down
	Hits    int     // what the contender counted
}

// MBPerSecond returns the throughput in 10^6 bytes per second.
func (r Result) MBPerSecond(b Body) float64 { return float64(len(b.Data)) * 1e3 / r.NsPerOp }

// Table is the outcome of one run.
type Table struct {
	Bodies     []Body
	Contenders []Contender
	// Results has one entry for each contender by ID and body by name.
	Results map[string]map[string]Result
	// Missing says why a contender did not run, by ID.
	Missing map[string]string
}

// Options for Run.
type Options struct {
	Only   []string      // IDs of contenders; all if empty
	Rounds int           // 5 if 0
	Each   time.Duration // how long a contender runs on a body in a round; 40 ms if 0
}

// Run measures the contenders on the bodies. Rounds are interleaved: each round
// runs every contender on every body once, so that a slow moment of the machine
// does not hit one row alone. The fastest round counts, because what disturbs a
// measurement only ever makes it slower.
func Run(bodies []Body, opts Options) (Table, error) {
	if opts.Rounds == 0 {
		opts.Rounds = 5
	}
	if opts.Each == 0 {
		opts.Each = 40 * time.Millisecond
	}
	t := Table{Bodies: bodies, Results: map[string]map[string]Result{}, Missing: map[string]string{}}
	fns := map[string]func(Body) int{}
	for _, c := range Contenders() {
		if len(opts.Only) > 0 && !contains(opts.Only, c.ID) {
			continue
		}
		t.Contenders = append(t.Contenders, c)
		fn, err := c.New()
		if err != nil {
			t.Missing[c.ID] = err.Error()
			continue
		}
		fns[c.ID], t.Results[c.ID] = fn, map[string]Result{}
		for _, b := range bodies {
			hits := fn(b)
			if hits < 0 {
				return t, fmt.Errorf("%s fails on body %s", c.Name, b.Name)
			}
			t.Results[c.ID][b.Name] = Result{Hits: hits}
		}
	}
	for range opts.Rounds {
		for _, b := range bodies {
			for id, fn := range fns {
				r := t.Results[id][b.Name]
				ns, allocs := timed(fn, b, opts.Each)
				if r.NsPerOp == 0 || ns < r.NsPerOp {
					r.NsPerOp = ns
				}
				r.Allocs = allocs
				t.Results[id][b.Name] = r
			}
		}
	}
	return t, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

// timed runs fn for about d, at least once, and returns the mean time and the
// allocations of one call.
func timed(fn func(Body) int, b Body, d time.Duration) (ns float64, allocs uint64) {
	var before, after runtime.MemStats
	for n := 1; ; n *= 2 {
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range n {
			sink += fn(b)
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if took >= d/2 {
			return float64(took.Nanoseconds()) / float64(n), (after.Mallocs - before.Mallocs) / uint64(n)
		}
	}
}

// sink keeps the compiler from leaving out a call whose result nobody reads.
var sink int

// Ratio returns how many times as fast as b contender a is on a body.
func (t Table) Ratio(a, b, body string) float64 {
	return t.Results[b][body].NsPerOp / t.Results[a][body].NsPerOp
}
