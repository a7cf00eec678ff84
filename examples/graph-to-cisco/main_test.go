package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func Example() {
	if err := run(context.Background(), os.Stdout, nil); err != nil {
		panic(err)
	}
	// Output:
	// Weekly planning, in 1m0s: [Join] dials 81177003344.271828@zoomcrc.com
	// Lunch, in 2h1m0s
}

// An option is not taken for a room.
func TestOptions(t *testing.T) {
	for _, option := range []string{"-h", "--help"} {
		var out strings.Builder
		require.NoError(t, run(t.Context(), &out, []string{option}))
		assert.Equal(t, usage+"\n", out.String())
	}
	require.ErrorContains(t, run(t.Context(), &strings.Builder{}, []string{"-room"}), usage)
	require.EqualError(t, run(t.Context(), &strings.Builder{}, []string{"a@example.com", "b@example.com"}), usage)
}
