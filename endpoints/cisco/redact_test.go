package cisco

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// A device that repeats what it was given tells nothing of it, wherever its
// answer is cut off.
func TestRedact(t *testing.T) {
	list := []putBooking{
		{Number: "81177003344.482913@zoomcrc.com", Title: "Plan", Organizer: putOrganizer{"Ines Calder", "ines@example.com"}},
		{Number: "design@vc.example.com", Title: `Planning "the merger"`},
	}
	body, _, err := putBody(list)
	require.NoError(t, err)
	for pad := range 700 {
		said := strings.Repeat("x", pad) + " Invalid JSON: " + body
		e := commandFault(&CommandError{Command: "Bookings Put", Status: "Error", Reason: clean(said)})
		err := (&Endpoint{}).masked(e, list)
		require.ErrorIs(t, err, otj.ErrRejected)
		for _, secret := range []string{"4829", "zoomc", "Plan", "merge", "Ines", "design"} {
			require.NotContains(t, err.Error(), secret, "after %d characters", pad)
		}
	}
	plain := "Could not store the list"
	assert.Equal(t, plain, redact(plain, list))
	wrapped := (&Endpoint{}).masked(commandFault(&CommandError{Command: "Bookings Put", Reason: plain}), list)
	assert.True(t, errors.As(wrapped, new(*CommandError)), "what has nothing to hide keeps its cause")
}
