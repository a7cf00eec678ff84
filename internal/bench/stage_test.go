//go:build otjbench

package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The URI stage must find the link of every body that has one, or its row is
// the time of doing nothing.
func TestURIStageFindsTheLinkOfEachBody(t *testing.T) {
	fn, err := newOursURI()
	require.NoError(t, err)
	for _, b := range Bodies() {
		if b.Service == "" {
			assert.Zero(t, fn(b), b.Name)
		} else {
			assert.Positive(t, fn(b), b.Name)
		}
	}
}
