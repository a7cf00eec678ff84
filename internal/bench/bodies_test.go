package bench

import (
	"bytes"
	"math"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var entity = regexp.MustCompile(`&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);`)

// What drives the result of a scanner is how many bytes there are to each
// anchor, so a body that drifts would change the figures without anybody
// noticing. The numbers are those of current invites of each kind.
func TestBodiesHaveTheShapeOfRealInvites(t *testing.T) {
	type shape struct{ bytes, scheme, colon, at, anchor, entity int }
	want := map[string]shape{
		"1 Teams":     {12_272, 10, 234, 8, 9, 55},
		"2 SafeLinks": {12_247, 10, 189, 7, 9, 35},
		"3 Zoom":      {20_387, 6, 477, 7, 5, 245},
		"4 Webex":     {40_516, 8, 1_028, 3, 6, 172},
		"5 Meet":      {1_406, 4, 108, 1, 0, 0},
		"6 SIP":       {868, 1, 16, 5, 0, 0},
		"7 thread":    {200_717, 36, 3_140, 119, 59, 1_838},
		"8 news":      {1_048_607, 1_538, 14_109, 0, 769, 2_307},
	}
	require.Len(t, Bodies(), len(want))
	for _, b := range Bodies() {
		count := func(s string) int { return bytes.Count(b.Data, []byte(s)) }
		got := shape{len(b.Data), count("://"), count(":"), count("@"), count("<a "), len(entity.FindAll(b.Data, -1))}
		w, ok := want[b.Name]
		require.True(t, ok, "a body named %q", b.Name)
		near := func(what string, got, want int) {
			assert.LessOrEqual(t, math.Abs(float64(got-want)), math.Max(4, 0.3*float64(want)), "%s: %s is %d, should be near %d", b.Name, what, got, want)
		}
		near("size", got.bytes, w.bytes)
		near(`number of "://"`, got.scheme, w.scheme)
		near(`number of ":"`, got.colon, w.colon)
		near(`number of "@"`, got.at, w.at)
		near("number of anchors", got.anchor, w.anchor)
		near("number of entities", got.entity, w.entity)
	}
}

func TestBodiesAreTheSameEachTime(t *testing.T) {
	for i, make := range []func() Body{teamsBody, safeLinksBody, zoomBody, webexBody, meetBody, sipBody, threadBody, newsBody} {
		assert.True(t, bytes.Equal(Bodies()[i].Data, make().Data), Bodies()[i].Name)
	}
}
