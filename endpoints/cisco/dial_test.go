package cisco

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// By which protocol a device joins decides whether it gets in at all: Spark is
// for Webex meetings on devices that are registered with Webex, and WebRTC for
// the services that a device has an app for.
func TestDial(t *testing.T) {
	room := abilities{sip: true, h323: true}
	webex := abilities{sip: true, h323: true, spark: true, teamsRTC: true, meetRTC: true}
	old := abilities{sip: true, h323: true, spark: true, legacy: true, teamsRTC: true, meetRTC: true}
	bare := abilities{}
	for uri, want := range map[string]struct{ room, webex, old, bare string }{
		"sip:123@fabrikam.webex.com":          {"SIP", "Spark", "SIP", ""},
		"sip:123@WEBEX.COM;transport=tls":     {"SIP", "Spark", "SIP", ""},
		"sip:123@webex.com.example":           {"SIP", "SIP", "SIP", ""},
		"sip:123@notwebex.com":                {"SIP", "SIP", "SIP", ""},
		"sip:81234567890.482913@zoomcrc.com":  {"SIP", "SIP", "SIP", ""},
		"sips:room@vc.example.com":            {"SIP", "SIP", "SIP", ""},
		"h323:192.0.2.1##123":                 {"H323", "H323", "H323", ""},
		"https://teams.microsoft.com/meet/1":  {"", "WebRTC", "", ""},
		"https://meet.google.com/abc-defg-hi": {"", "WebRTC", "", ""},
		"https://teams.microsoft.com.example": {"", "", "", ""},
		"https://us02web.zoom.us/j/1":         {"", "", "", ""},
		"tel:+4681234":                        {"", "", "", ""},
		"sip:":                                {"", "", "", ""},
	} {
		for name, c := range map[string]struct {
			can  *abilities
			want string
		}{"room": {&room, want.room}, "webex": {&webex, want.webex}, "legacy": {&old, want.old}, "bare": {&bare, want.bare}} {
			a := rules.ParseAddress(uri)
			number, protocol, ok := c.can.dial(a)
			if !assert.Equal(t, c.want != "", ok, "%s on %s", uri, name) || !ok {
				continue
			}
			assert.Equal(t, c.want, protocol, "%s on %s", uri, name)
			assert.Equal(t, a.URI, address(number, protocol).URI, "%s on %s", uri, name)
		}
	}
}
