package bench

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gated skips a test that depends on time. Such tests run where a person or a
// script asks for them, on a machine that has nothing else to do.
func gated(t *testing.T) {
	t.Helper()
	if os.Getenv("OTJ_BENCH_GATE") != "1" {
		t.Skip("compares run times: set OTJ_BENCH_GATE=1 to run it, on a machine that is otherwise idle")
	}
}

// The fastest of fifteen rounds counts on either side.
func TestGate(t *testing.T) {
	gated(t)
	table, err := Run(Bodies(), Options{Rounds: 15, Only: []string{OursID, OursURIID, UsualID, ParseID, IndexID}})
	require.NoError(t, err)
	require.Empty(t, table.Missing)
	names := map[string]string{}
	for _, c := range table.Contenders {
		names[c.ID] = c.Name
	}
	for _, g := range Gates() {
		ratio := table.Ratio(g.Ours, g.Against, g.Body)
		t.Logf("%-12s %s: %.2f times the speed of %s, at least %.2f", g.Body, names[g.Ours], ratio, names[g.Against], g.Least)
		assert.GreaterOrEqual(t, ratio, g.Least, "%s: %s against %s", g.Body, names[g.Ours], names[g.Against])
	}
	for _, b := range table.Bodies {
		assert.Zero(t, table.Results[OursID][b.Name].Allocs, "%s: allocations", b.Name)
	}
}

// A hostile invite costs no more than its size: 50 MB/s at 1 MB, and twice the
// size takes about twice the time.
func TestGateAdversarial(t *testing.T) {
	gated(t)
	for _, a := range AdversarialInputs() {
		for _, html := range []bool{false, true} {
			kind := map[bool]string{false: "plain", true: "html"}[html]
			t.Run(a.Name+"/"+kind, func(t *testing.T) {
				mbps, growth, err := a.measure(html)
				require.NoError(t, err)
				t.Logf("%.0f MB/s at 1 MB, %.2fx the time of 512 KB", mbps, growth)
				assert.GreaterOrEqual(t, mbps, 50.0, "MB/s at 1 MB")
				// Twice, and a twentieth for the noise of the measurement.
				assert.LessOrEqual(t, growth, 2.1, "time at 1 MB against 512 KB")
			})
		}
	}
}
