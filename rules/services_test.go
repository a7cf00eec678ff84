package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// TestServices has at least one link for each rule of the default pack.
func TestServices(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct{ uri, service, id string }{
		{"https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.v2/0?context=%7b%7d", "teams", ""},
		{"https://teams.microsoft.com:443/l/meetup-join/19%3ameeting_QQ%40thread.v2/0?context=%7b%7d", "teams", ""},
		{"https://teams.microsoft.com/l/meetup-join/19:QQ@thread.skype/1501527539926?tenantId=1", "teams", ""},
		{"https://teams.microsoft.com/l/meetup-join/19%3aQQ%40thread.tacv2/17?context=%7b%7d&anon=true", "teams", ""},
		{"https://gov.teams.microsoft.us/l/meetup-join/19%3aQQ%40thread.v2/0", "teams", ""},
		{"https://dod.teams.microsoft.us/meet/3520140000987?p=a", "teams", "3520140000987"},
		{"https://teams.microsoft.us/meet/3520140000987?p=a", "teams", "3520140000987"},
		{"https://teams.cloud.microsoft/meet/3520140000987?p=a", "teams", "3520140000987"},
		{"https://teams.microsoftonline.cn/l/meetup-join/19%3aQQ%40thread.v2/0", "teams", ""},
		{"https://teams.live.com/meet/9352014000098", "teams", "9352014000098"},
		{"https://teams.live.com/meet/9352014000098?p=a", "teams", "9352014000098"},
		{"https://zoom.us/j/93100000042", "zoom", "93100000042"}, {"https://my-co.zoom.us/j/93100000042?pwd=a&jst=2", "zoom", "93100000042"}, {"https://us06web.zoom.us/w/93100000042?tk=a", "zoom", "93100000042"},
		{"https://zoom.com/j/93100000042", "zoom", "93100000042"}, {"https://acme.zoomgov.com/j/1600000042", "zoom", "1600000042"}, {"https://zoom.com.cn/j/93100000042", "zoom", "93100000042"}, {"https://acme.zoom-x.de/j/93100000042", "zoom", "93100000042"}, {"https://acme.zm.page/j/93100000042", "zoom", "93100000042"},
		{"https://acme.zoom.us/my/jo.doe", "zoom", "jo.doe"}, {"https://zoom.us/s/93100000042", "zoom", "93100000042"}, {"https://zoom.us/wc/join/93100000042", "zoom", "93100000042"}, {"https://app.zoom.us/wc/93100000042/join", "zoom", "93100000042"}, {"https://zoom.us/wc/93100000042/start", "zoom", "93100000042"}, {"https://events.zoom.us/ejl/AbC-d", "zoom", "AbC-d"}, {"https://zoom-lfx.platform.linuxfoundation.org/meeting/93100000042?password=00-11", "zoom", "93100000042"},
		{"https://acme.webex.com/acme/j.php?MTID=m00ff", "webex", ""}, {"https://acme.webex.com/meet/jo.doe", "webex", "jo.doe"}, {"https://acme.webex.com/join/jo", "webex", "jo"}, {"https://acme.webex.com/m/00-11-22", "webex", ""}, {"https://meetings.webex.com/collabs/meetings/join?uuid=M00", "webex", ""},
		{"https://acme.webex.com/webappng/sites/acme/meeting/info/00ff", "webex", ""}, {"https://acme.webex.com/wbxmjs/joinservice/sites/acme/meeting/download/00ff", "webex", ""}, {"https://acme.webex.com.cn/acme/j.php?MTID=m00ff", "webex", ""}, {"https://web.ciscospark.com/meet/jo", "webex", "jo"},
		{"https://meet.google.com/qrs-tuvw-xyz?authuser=0&hs=1", "meet", "qrs-tuvw-xyz"}, {"https://meet.google.com/_meet/qrs-tuvw-xyz", "meet", "qrs-tuvw-xyz"}, {"https://meet.google.com/standup", "meet", "standup"},
		{"https://meet.goto.com/554000321", "gotomeeting", "554000321"}, {"https://global.gotomeeting.com/join/554000321", "gotomeeting", "554000321"}, {"https://www.gotomeet.me/JoDoe", "gotomeeting", "JoDoe"},
		{"https://bluejeans.com/554000321/7788?src=calendarLink", "bluejeans", "554000321"}, {"https://call.lifesizecloud.com/5540003", "lifesize", "5540003"}, {"https://meet.starleaf.com/4417720931", "starleaf", "4417720931"},
		{"https://vc.acme.example/webapp/#/?conference=ops", "pexip", "ops"}, {"https://vc.acme.example/webapp/home/?conference=ops", "pexip", "ops"}, {"https://vc.acme.example/webapp/conference/ops?x=1", "pexip", "ops"}, {"https://vc.acme.example/webapp3/m/ops", "pexip", "ops"},
		{"https://join.acme.example/invited.sf?id=4481&secret=a", "cms", "4481"}, {"https://join.acme.example/index.html?id=4481&secret=a", "cms", "4481"}, {"https://join.acme.example/meeting/4481?secret=a", "cms", "4481"},
		{"https://meet.lync.com/acme/jo/A1B2C3D4", "skypeforbusiness", "A1B2C3D4"}, {"https://meet.acme.example/jo/A1B2C3D4", "skypeforbusiness", "A1B2C3D4"}, {"https://join.acme.example/meet/jo/A1B2C3D4", "skypeforbusiness", "A1B2C3D4"}, {"https://web.acme.example/meet/jo/A1B2C3D4?sl=1", "skypeforbusiness", "A1B2C3D4"},
		{"https://v.ringcentral.com/join/554000321?pw=a", "ringcentral", "554000321"}, {"https://meetings.ringcentral.com/j/554000321", "ringcentral", "554000321"}, {"https://acme.meetzoom.us/j/554000321", "ringcentral", "554000321"},
		{"https://meet.jit.si/Standup", "jitsi", "Standup"}, {"https://8x8.vc/acme/standup", "jitsi", "standup"}, {"https://acme.whereby.com/standup", "whereby", "standup"}, {"https://chime.aws/5540003211", "chime", "5540003211"}, {"https://meetings.dialpad.com/room/acme/jo", "dialpad", "jo"},
		{"https://join.me/acme-jo", "joinme", "acme-jo"}, {"https://meet.around.co/r/jo", "around", "jo"}, {"https://facetime.apple.com/join#v=1&p=a&k=b", "facetime", ""}, {"https://app.slack.com/huddle/T00/C00", "slack", ""}, {"https://vc.feishu.cn/j/554000321", "lark", "554000321"}, {"https://meeting.tencent.com/dm/AbC", "voov", "AbC"},
		{"https://app.cal.com/video/AbC", "cal", "AbC"}, {"https://meet.proton.me/join/id-ABC#pwd-x", "proton", "id-ABC"}, {"https://meet.livekit.io/rooms/ab-cd", "livekit", "ab-cd"}, {"https://meetings.vonage.com/554000321", "vonage", "554000321"}, {"https://join.skype.com/AbCdEf", "skype", "AbCdEf"}, {"https://meet.zoho.eu/join?key=554000321", "zoho", "554000321"},
		{"https://hangouts.google.com/hangouts/_/acme.example/jo", "hangouts", ""}, {"https://telemost.yandex.ru/j/554000321", "telemost", "554000321"}, {"https://vk.com/call/join/AbC", "vk", "AbC"}, {"https://app.livestorm.co/p/00-11", "livestorm", "00-11"}, {"https://app.gather.town/app/AbC/office", "gather", "office"},
		{"https://eu.bbcollab.com/guest/AbC", "blackboard", "AbC"}, {"https://tuple.app/c/AbC", "tuple", "AbC"}, {"https://pop.com/j/12-34", "pop", "12-34"}, {"https://doxy.me/jodoe", "doxy", "jodoe"},
		{"https://meeting.dingtalk.com/j/AbC", "dingtalk", "AbC"}, {"https://jiomeetpro.jio.com/shortener?meetingId=5540003211&pwd=a", "jiomeet", "5540003211"}, {"https://salutejazz.ru/calls/abc12?psw=A", "salutejazz", "abc12"}, {"https://call.whatsapp.com/video/AbC", "whatsapp", "AbC"}, {"https://meetings.conf.meetecho.com/interim/?group=00-11", "meetecho", "00-11"},
		{"https://video-atos.ringcentral.com/join/554000321", "ringcentral", "554000321"}, {"https://meetings.officeathand.att.com/join/554000321", "ringcentral", "554000321"},
	} {
		m, ok := Default().Find(&calendar.Event{Location: c.uri})
		if !assert.True(t, ok, c.uri) {
			continue
		}
		seen[m.Rule] = true
		assert.Equal(t, c.service, m.Service, c.uri)
		assert.Equal(t, c.uri, m.Addresses[0].URI)
		if c.id != "" {
			assert.Equal(t, c.id, m.MeetingID, c.uri)
		}
	}
	for _, r := range DefaultRules() {
		assert.True(t, seen[r.Name], "no link for the rule %q", r.Name)
	}
}
