package rules

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMatchHides(t *testing.T) {
	m := Match{Passcode: "448812"}
	assert.Equal(t, "https://gw.example/81234567890/[redacted]", m.Hide("https://gw.example/81234567890/448812"))
	m.Passcode = "12"
	assert.Equal(t, "sip:81234512@gw.example", m.Hide("sip:81234512@gw.example"), "two signs are in half of all numbers")
	m.Passcode = ""
	assert.Equal(t, "sip:1@gw.example", m.Hide("sip:1@gw.example"))
}

func TestAddressHidesSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"https://zoom.us/j/12345678901?pwd=Qq1&jst=2":       "https://zoom.us/j/12345678901?pwd=[redacted]&jst=[redacted]",
		"https://teams.microsoft.com/meet/123?p=AbC":        "https://teams.microsoft.com/meet/123?p=[redacted]",
		"https://node.example/webapp/#/?conference=a&pin=1": "https://node.example/webapp/#/?conference=[redacted]&pin=[redacted]",
		"https://meet.jit.si/Room":                          "https://meet.jit.si/Room",
		"sip:12345678901.987654@zoomcrc.com":                "sip:12345678901.[redacted]@zoomcrc.com",
		"sips:12345678901.987654..1@zoomcrc.com":            "sips:12345678901.[redacted]@zoomcrc.com",
		"sip:1190003286.acme@m.webex.com":                   "sip:1190003286.acme@m.webex.com",
		"sip:ada.room@example.com":                          "sip:ada.room@example.com",
		"sip:1@example.com;transport=tls?pin=9":             "sip:1@example.com;transport=tls",
		"sip:123456789@sip.acme.example;lr;pin=4321":        "sip:123456789@sip.acme.example;lr;pin=[redacted]",
		"sip:81234567890#448812@gw.example":                 "sip:81234567890#[redacted]@gw.example",
		"sip:448812*81234567890@gw.example":                 "sip:[redacted]@gw.example",
		"sip:s3cr3t#81234567890@gw.example":                 "sip:[redacted]@gw.example",
		"sip:4321.123456789@sip.acme.example":               "sip:[redacted]@sip.acme.example",
		"sip:1.4321.123456789@sip.acme.example":             "sip:[redacted]@sip.acme.example",
		"sip:4455.99887766@bridge.acme.example":             "sip:[redacted]@bridge.acme.example",
		"sip:1234.5678@vc.acme.example":                     "sip:1234.[redacted]@vc.acme.example",
		"sip:123456789-4321@sip.acme.example":               "sip:123456789-[redacted]@sip.acme.example",
		"sip:123456789.1234567890@zoomcrc.com":              "sip:123456789.[redacted]@zoomcrc.com",
		"sip:board-12345678@example.com":                    "sip:board-12345678@example.com",
		"sip:+15550100@example.com":                         "sip:+15550100@example.com",
		"sip:+15550100,4321@example.com":                    "sip:+15550100,[redacted]@example.com",
		"h323:448812*81234567890@gw.example":                "h323:[redacted]@gw.example",
		"h323:192.0.2.1##123#456#0":                         "h323:192.0.2.1##123#[redacted]",
		"h323:192.0.2.1##123":                               "h323:192.0.2.1##123",
		"tel:+15550100,,123#,,*456#":                        "tel:+15550100,[redacted]",
	} {
		a := ParseAddress(uri)
		require.Equal(t, uri, a.URI)
		data, err := json.Marshal(map[string]any{"a": a})
		require.NoError(t, err)
		var back map[string]string
		require.NoError(t, json.Unmarshal(data, &back))
		for form, got := range map[string]string{
			"String": a.String(), "%v": fmt.Sprintf("%v", a), "%+v": fmt.Sprintf("%+v", a), "json": back["a"], "slog": a.LogValue().String(),
		} {
			assert.Equal(t, want, got, form)
		}
		assert.Equal(t, `"`+want+`"`, fmt.Sprintf("%#v", a))
	}
	for _, uri := range []string{"", "zoom.us/j/1", "javascript:alert(1)", "mailto:a@b.example"} {
		assert.True(t, ParseAddress(uri).IsZero(), uri)
	}
}
