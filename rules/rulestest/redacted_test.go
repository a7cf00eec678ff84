package rulestest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedacted(t *testing.T) {
	for value, want := range map[string]string{
		"sip:81234567890.482913@zoomcrc.com": "sip:81234567890.[redacted]@zoomcrc.com",
		"SIP:81234567890.482913@zoomcrc.com": "SIP:81234567890.[redacted]@zoomcrc.com",
		"81234567890.482913@zoomcrc.com":     "81234567890.[redacted]@zoomcrc.com",
		"https://zoom.us/j/1?pwd=x":          "https://zoom.us/j/1?pwd=[redacted]",
	} {
		assert.Equal(t, want, redacted("dial", value))
	}
	assert.NotContains(t, redacted("passcode", "482913"), "482913")
}
