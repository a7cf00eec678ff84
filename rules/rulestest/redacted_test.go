package rulestest

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/onetouchjoin/onetouchjoin/calendar"
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

// A rule may put a passcode anywhere.
func TestPasscodesOfMatchesAreHidden(t *testing.T) {
	got := &Want{Service: "zoom", Dial: "sip:81234567890-482913@gw.example", URI: "https://gw.example/j/482913", Passcode: "482913"}
	want := &Want{Service: "zoom", Dial: "sip:81234567890@gw.example", URI: "https://gw.example/j", Passcode: "482913"}
	for _, d := range append(diffs(got, want), changes(got, want)...) {
		assert.NotContains(t, d, "482913")
	}
	assert.Len(t, diffs(got, want), 2)

	// What looks the same once it is redacted is not said to differ from itself.
	other := &Want{Service: "zoom", Dial: "sip:81234567890.111222@gw.example", URI: "https://gw.example/j", Passcode: "111222"}
	want.Dial = "sip:81234567890.482913@gw.example"
	assert.Equal(t, []string{`dial is "sip:81234567890.[redacted]@gw.example", with another passcode`, "passcode is another one"}, diffs(other, want))
	assert.Equal(t, []string{`dial: "sip:81234567890.[redacted]@gw.example" gets another passcode`, "passcode: becomes another one"}, changes(want, other))
}

// Reports are read by more people than the corpus.
func TestSubjectsInReports(t *testing.T) {
	found := &Want{Passcode: "482913"}
	assert.Equal(t, "Budget [redacted]", subject(&calendar.Event{Subject: "Budget 482913"}, nil, found))
	assert.Equal(t, "(private)", subject(&calendar.Event{Subject: "Budget", Sensitivity: calendar.Confidential}))
}
