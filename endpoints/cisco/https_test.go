package cisco

import (
	"bytes"
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzEscape(f *testing.F) {
	f.Add(`{"Bookings":[{"Id":"a","Title":"Grüße & 'x' <b>"}]}`)
	f.Add("\x00\t\n\xff\ufffe\ufffd\U0010ffff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, s string) {
		var ours, theirs bytes.Buffer
		escape(&ours, s)
		require.NoError(t, xml.EscapeText(&theirs, []byte(s)))
		assert.Equal(t, theirs.String(), ours.String())
	})
}
