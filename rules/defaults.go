package rules

import "slices"

// DefaultRules returns the default pack: every service that a room can be
// invited to, as data in the format that an administrator's own rules have. It
// is a fresh copy.
//
// Where a vendor does not publish a dial form, or more than one is in use, it
// is in Dial here and not in code, so that a rule of one's own can differ.
func DefaultRules() []Rule {
	out := slices.Clone(defaultPack[:])
	for i := range out {
		r := &out[i]
		r.Type = TypeLink
		for _, s := range []*[]string{&r.Hosts, &r.Paths, &r.Not, &r.Token, &r.Dial} {
			*s = slices.Clone(*s)
		}
	}
	return out
}

var teamsHosts = []string{"teams.microsoft.com", "*.teams.microsoft.com", "teams.cloud.microsoft", "teams.microsoft.us", "*.teams.microsoft.us", "teams.microsoftonline.cn"}

var defaultPack = [...]Rule{
	{
		Name: "teams", Service: "teams", Hosts: teamsHosts,
		Paths:  []string{"/l/meetup-join/{thread}/*", "/l/meetup-join/{thread}", "/meet/{id:digits}?p="},
		Token:  []string{"p"},
		Why:    "Microsoft Teams: classic links with a thread, short links with a number; commercial, GCC High, DoD and China clouds. A short link without p does not join.",
		Source: "https://learn.microsoft.com/en-us/graph/api/resources/onlinemeeting, joinWebUrl and joinMeetingIdSettings",
	},
	{
		Name: "teams-live", Service: "teams", Hosts: []string{"teams.live.com"},
		Paths:  []string{"/meet/{id:digits}", "/l/meetup-join/{thread}/*", "/l/meetup-join/{thread}"},
		Token:  []string{"p"},
		Why:    "Microsoft Teams for consumers: the passcode may be missing.",
		Source: "https://support.microsoft.com/teams, meetings of Teams Free",
	},
	{
		Name: "zoom-events", Service: "zoom", Hosts: []string{"events.zoom.us", "events.zoom.com"},
		Paths:  []string{"/ejl/{id:name}"},
		Why:    "Zoom Events: /ejl/ joins, /ev/ describes.",
		Source: "https://support.zoom.com, join links of Zoom Events",
	},
	{
		Name: "zoom", Service: "zoom", Hosts: []string{".zoom.us", ".zoom.com", ".zoom.com.cn", ".zoom-x.de", "*.zm.page"},
		Paths:  []string{"/j/{id:digits}", "/w/{id:digits}", "/s/{id:digits}", "/my/{room:name}", "/wc/join/{id:digits}", "/wc/{id:digits}/join", "/wc/{id:digits}/start", "/wc/my/{room:name}"},
		Token:  []string{"pwd", "tk"},
		Dial:   []string{"sip:{id}.{pin}@zoomcrc.com", "sip:{id}@zoomcrc.com", "h323:{ip}##{id}#{pin}", "h323:{ip}##{id}"},
		Why:    "Zoom meetings, webinars, personal rooms and the web client, with vanity and regional hosts. The pwd of the link is a token, not the numeric passcode of the dial string.",
		Source: "https://developers.zoom.us/docs/video-sdk/web/sip/, dial strings of the Conference Room Connector; https://support.zoom.com for the links",
	},
	{
		Name: "zoom-gov", Service: "zoom", Hosts: []string{".zoomgov.com"},
		Paths:  []string{"/j/{id:digits}", "/w/{id:digits}", "/s/{id:digits}", "/my/{room:name}", "/wc/join/{id:digits}", "/wc/{id:digits}/join", "/wc/{id:digits}/start", "/wc/my/{room:name}"},
		Token:  []string{"pwd", "tk"},
		Dial:   []string{"sip:{id}.{pin}@sip.zoomgov.com", "sip:{id}@sip.zoomgov.com", "h323:{ip}##{id}#{pin}", "h323:{ip}##{id}"},
		Why:    "Zoom for Government: as Zoom, with a room connector of its own, which zoomcrc.com does not lead to.",
		Source: "https://www.zoomgov.com, and the lines \"Join by SIP\" of the invitations that it makes",
	},
	{
		Name: "zoom-lfx", Service: "zoom", Hosts: []string{"zoom-lfx.platform.linuxfoundation.org"},
		Paths:  []string{"/meeting/{id:digits(9-11)}?password="},
		Token:  []string{"password"},
		Dial:   []string{"sip:{id}.{pin}@zoomcrc.com", "sip:{id}@zoomcrc.com"},
		Why:    "Zoom meetings of the Linux Foundation's projects, whose page lets people in. The number is Zoom's, the password is the page's.",
		Source: "https://docs.linuxfoundation.org/lfx/, joining a meeting; the invitations of CNCF's groups",
	},
	{
		Name: "ringcentral-zoom", Service: "ringcentral",
		Hosts:  []string{".meetzoom.us", "meetings.ringcentral.com", "meetings.officeathand.att.com", "meetings-officeathand.att.com", "meetings.btcloudphone.bt.com", "meetings.businessconnect.telus.com", "meetings.unifyoffice.com", "meetings.rainbowoffice.com", "meetings.cloudoffice.avaya.com"},
		Paths:  []string{"/j/{id:digits}", "/my/{room:name}", "/w/{id:digits}"},
		Token:  []string{"pwd", "pw"},
		Dial:   []string{"sip:{id}@meet.ringcentral.com"},
		Why:    "RingCentral Meetings and its white labels.",
		Source: "https://github.com/ringcentral/ringcentral-js-widgets, hosts of the white labels; https://support.ringcentral.com",
	},
	{
		Name: "ringcentral", Service: "ringcentral",
		Hosts:  []string{"v.ringcentral.com", "video.ringcentral.com", "app.ringcentral.com", "meetings.officeathand.att.com", "video.officeathand.att.com", "video.btcloudphone.bt.com", "video.businessconnect.telus.com", "video.unifyoffice.com", "video.rainbowoffice.com", "video.cloudoffice.avaya.com"},
		Paths:  []string{"/join/{id:digits}", "/join/{room:name}", "/conf/on/{id:digits}"},
		Token:  []string{"pw", "pwd"},
		Dial:   []string{"sip:{id}.{pin}@rcv.com", "sip:{id}@rcv.com"},
		Why:    "RingCentral Video and its white labels.",
		Source: "https://support.ringcentral.com, join a video meeting from a SIP or H.323 room; https://github.com/ringcentral/ringcentral-js-widgets, hosts of the white labels",
	},
	{
		Name: "ringcentral-partner", Service: "ringcentral", Hosts: []string{"*.ringcentral.com"},
		Paths:  []string{"/join/{id:digits(6-12)}"},
		Token:  []string{"pw", "pwd"},
		Dial:   []string{"sip:{id}.{pin}@rcv.com", "sip:{id}@rcv.com"},
		Why:    "The white labels below RingCentral's own domain, such as video-atos. Its other hosts have pages below /join too, but none with a number.",
		Source: "https://github.com/ringcentral/ringcentral-js-widgets, hosts of the white labels",
	},
	{
		Name: "webex", Service: "webex", Hosts: []string{"*.webex.com", "*.webex.com.cn", "web.ciscospark.com"},
		Paths: []string{
			"/{site:name}/j.php?MTID={mtid}", "/j.php?MTID={mtid}", "/{site:name}/onstage/g.php?MTID={mtid}",
			"/meet/{room:name}", "/join/{room:name}", "/{site:name}/meet/{room:name}", "/m/{uuid:code}",
			"/collabs/meetings/join?uuid={uuid}", "/wbxmjs/joinservice/*", "/{site:name}/wbxmjs/joinservice/*",
			"/webappng/sites/{site:name}/meeting/info/{uuid}", "/webappng/sites/{site:name}/meeting/download/{uuid}",
			"/{site:name}/j.php?ED={ed}", "/{site:name}/j.php?J={id:digits}",
		},
		Token:  []string{"pwd"},
		Dial:   []string{"sip:{room}@{host}", "sip:{id}@{host}", "h323:{ip}##{id}"},
		Why:    "Webex meetings, personal rooms, events and Webex App spaces. The number of a scheduled meeting is in the text only.",
		Source: "https://help.webex.com, join a meeting from a video system or application",
	},
	{
		Name: "meet", Service: "meet", Hosts: []string{"meet.google.com"},
		Paths:  []string{"/{id:code}", "/_meet/{id:code}"},
		Not:    []string{"/lookup", "/lookup/*", "/new", "/landing", "/about", "/getalink", "/linkredirect", "/settings", "/unsupported", "/calling", "/call", "/tel", "/download", "/whoops", "/_meet/lookup"},
		Why:    "Google Meet codes and nicknames. /lookup/ is an alias of the organizer's domain and opens for nobody else.",
		Source: "https://developers.google.com/workspace/meet/api/guides/meeting-spaces; https://support.google.com/meet",
	},
	{
		Name: "goto", Service: "gotomeeting", Hosts: []string{"meet.goto.com", "global.gotomeeting.com", "www.gotomeeting.com", "gotomeeting.com", "app.goto.com"},
		Paths:  []string{"/join/{id:digits}", "/meeting/{id:digits}", "/meeting/join/{id:digits}", "/{id:digits}"},
		Dial:   []string{"sip:{id}@67.217.95.2", "h323:67.217.95.2##{id}"},
		Why:    "GoTo Meeting.",
		Source: "https://support.goto.com/meeting, join from an in-room system",
	},
	{
		Name: "gotomeet-me", Service: "gotomeeting", Hosts: []string{".gotomeet.me"},
		Paths:  []string{"/{room:name}"},
		Dial:   []string{"sip:{id}@67.217.95.2", "h323:67.217.95.2##{id}"},
		Why:    "GoTo personal rooms. Their number, the access code, is in the text only.",
		Source: "https://support.goto.com/meeting, personal meeting rooms",
	},
	{
		Name: "bluejeans", Service: "bluejeans", Hosts: []string{"bluejeans.com", "www.bluejeans.com", "meet.bluejeans.com", "*.bluejeans.com"},
		Paths:  []string{"/{id:digits}/{pin:digits}", "/{id:digits}", "/{id:digits}/*", "/{room:name}"},
		Not:    []string{"/numbers", "/numbers*", "/premium-numbers", "/premium-numbers*", "/pricing", "/features", "/support", "/about", "/products", "/downloads", "/download", "/privacy", "/terms", "/blog", "/trial", "/login", "/contact", "/solutions", "/customers", "/resources", "/legal", "/events"},
		Dial:   []string{"sip:{id}.{pin}@bjn.vc", "sip:{id}@bjn.vc"},
		Why:    "BlueJeans, also on a company's subdomain. The service is closed; old series still have its links.",
		Source: "https://support.bluejeans.com, join from a room system",
	},
	{
		Name: "lifesize", Service: "lifesize", Hosts: []string{"call.lifesizecloud.com", "call.lifesize.com"},
		Paths:  []string{"/{id:digits}", "/otm/{id:digits}"},
		Dial:   []string{"sip:{id}@sip.lifesizecloud.com"},
		Why:    "Lifesize cloud.",
		Source: "https://www.lifesize.com/en/app-help/, calling from video systems",
	},
	{
		Name: "starleaf", Service: "starleaf", Hosts: []string{"meet.starleaf.com"},
		Paths:  []string{"/{id:digits}", "/{id:digits}/app", "/{room:name}"},
		Why:    "StarLeaf, closed: the dial string is in the text only.",
		Source: "https://support.starleaf.com, joining a meeting",
	},
	{
		Name: "chime", Service: "chime", Hosts: []string{"chime.aws", "app.chime.aws"},
		Paths:  []string{"/meetings/{id:name}", "/{id:name}"},
		Not:    []string{"/download", "/dialinnumbers", "/dialinnumbers/*", "/toll-free", "/meetings", "/portal", "/login"},
		Dial:   []string{"sip:{id}@meet.chime.in"},
		Why:    "Amazon Chime, by number or personalized name.",
		Source: "https://docs.aws.amazon.com/chime/latest/ug/, joining from an in-room video system",
	},
	{
		Name: "dialpad", Service: "dialpad", Hosts: []string{"meetings.dialpad.com", "www.uberconference.com"},
		Paths:  []string{"/room/{org:name}/{room:name}", "/room/{room:name}", "/{room:name}"},
		Not:    []string{"/room", "/help", "/international", "/numbers", "/login", "/download"},
		Why:    "Dialpad Meetings.",
		Source: "https://help.dialpad.com, Dialpad Meetings",
	},
	{
		Name: "jitsi", Service: "jitsi", Hosts: []string{"meet.jit.si", "moderated.jitsi.net", "beta.meet.jit.si"},
		Paths:  []string{"/{room}", "/{tenant}/{room}"},
		Not:    []string{"/static/*", "/images/*", "/libs/*", "/favicon.ico", "/config.js"},
		Why:    "Jitsi Meet. Own servers have any host: write a rule for them.",
		Source: "https://jitsi.github.io/handbook/",
	},
	{
		Name: "8x8", Service: "jitsi", Hosts: []string{"8x8.vc"},
		Paths:  []string{"/{org}/{room}", "/{room:name}"},
		Not:    []string{"/static/*", "/images/*"},
		Why:    "8x8 Meet, which is Jitsi with an account.",
		Source: "https://developer.8x8.com/jaas/docs/; https://support.8x8.com",
	},
	{
		Name: "whereby", Service: "whereby", Hosts: []string{".whereby.com", "appear.in"},
		Paths:  []string{"/{room:name}"},
		Not:    []string{"/information", "/information/*", "/user", "/user/*", "/blog", "/blog/*", "/org", "/org/*", "/about", "/pricing", "/business", "/features", "/sign-up", "/sign-in", "/contact", "/support", "/terms", "/privacy", "/help", "/download", "/embedded"},
		Token:  []string{"roomKey"},
		Why:    "Whereby rooms, also on an organization's subdomain.",
		Source: "https://docs.whereby.com, room URLs",
	},
	{
		Name: "skype", Service: "skype", Hosts: []string{"join.skype.com"},
		Paths:  []string{"/{id:name}", "/meetnow/{id:name}"},
		Not:    []string{"/download", "/bot/*"},
		Why:    "Skype group calls, closed in 2025; old series still have the links.",
		Source: "https://support.microsoft.com/skype, Meet Now",
	},
	{
		Name: "skype-for-business", Service: "skypeforbusiness", Hosts: []string{".lync.com"},
		Paths:  []string{"/{tenant:name}/{user:name}/{id:code}"},
		Why:    "Skype for Business Online and hosted. A gateway's dial form is a matter of the customer: write a rule with a transform.",
		Source: "https://learn.microsoft.com/en-us/skypeforbusiness/plan-your-deployment/network-requirements/simple-urls",
	},
	{
		Name: "skype-for-business-server", Service: "skypeforbusiness", Hosts: []string{"*"},
		Paths:  []string{"/meet/{user:name}/{id:upper}?sl="},
		Why:    "Skype for Business Server: the third form of the meet URL, behind any host. The other forms are known by the host's first label, meet or join.",
		Source: "https://learn.microsoft.com/en-us/skypeforbusiness/plan-your-deployment/network-requirements/simple-urls",
	},
	{
		Name: "pexip", Service: "pexip", Hosts: []string{"*"},
		Paths: []string{
			"/webapp/#/?conference={id}", "/webapp/?conference={id}", "/webapp/home/?conference={id}", "/webapp/home?conference={id}", "/webapp?conference={id}",
			"/webapp/conference/{id}", "/webapp/conference?name={id}", "/webapp/m/{id}", "/webapp/m/{id}/step-by-step", "/webapp/m/{id}/express", "/webapp/#/conference/{id}",
			"/webapp2/m/{id}", "/webapp2/m/{id}/step-by-step", "/webapp2/m/{id}/express", "/webapp2/conference/{id}", "/webapp2/#/?conference={id}", "/webapp2/?conference={id}", "/webapp2/home/?conference={id}",
			"/webapp3/m/{id}", "/webapp3/m/{id}/step-by-step", "/webapp3/m/{id}/express", "/webapp3/conference/{id}", "/webapp3/?conference={id}",
		},
		Token:  []string{"pin"},
		Dial:   []string{"sip:{alias}"},
		Why:    "The web app of a Pexip Infinity node: the alias is in the link.",
		Source: "https://docs.pexip.com/clients/infinity_connect_url.htm",
	},
	{
		Name: "cms", Service: "cms", Hosts: []string{"*"},
		Paths:  []string{"/invited.sf?id={id:digits}", "/invited.sf?secret={secret}", "/index.html?id={id:digits}&secret=", "/meeting/{id:digits}?secret=", "/invited.sf?id={id}"},
		Token:  []string{"secret"},
		Why:    "Cisco Meeting Server and Acano web bridges. Their web host often differs from the SIP domain, so the dial string is taken from the text.",
		Source: "https://www.cisco.com/c/en/us/support/conferencing/meeting-server/series.html, web bridge links",
	},
	{
		Name: "joinme", Service: "joinme", Hosts: []string{"join.me", "www.join.me", "secure.join.me"},
		Paths: []string{"/{id:code}"},
		Not:   []string{"/download", "/pricing", "/features", "/login", "/help", "/privacy", "/terms", "/about"},
		Why:   "join.me.", Source: "https://help.join.me",
	},
	{
		Name: "around", Service: "around", Hosts: []string{"meet.around.co", "www.around.co", "around.co"},
		Paths: []string{"/r/{id:name}", "/meet/{id:name}"},
		Why:   "Around.", Source: "https://www.around.co",
	},
	{
		Name: "facetime", Service: "facetime", Hosts: []string{"facetime.apple.com"},
		Paths: []string{"/join#v=*", "/join*"},
		Why:   "FaceTime links.", Source: "https://support.apple.com/109364",
	},
	{
		Name: "slack", Service: "slack", Hosts: []string{".slack.com"},
		Paths: []string{"/huddle/{team:code}/{channel:code}"},
		Why:   "Slack huddles.", Source: "https://slack.com/help/articles/4402059015315",
	},
	{
		Name: "lark", Service: "lark", Hosts: []string{"vc.feishu.cn", "vc.larksuite.com", "*.vc.larksuite.com", "*.vc.feishu.cn"},
		Paths: []string{"/j/{id:digits}"},
		Why:   "Lark and Feishu.", Source: "https://www.larksuite.com/hc/",
	},
	{
		Name: "voov", Service: "voov", Hosts: []string{"meeting.tencent.com", "voovmeeting.com", "www.voovmeeting.com", "wemeet.qq.com"},
		Paths: []string{"/dm/{room:name}", "/p/{id:digits}", "/s/{room:name}", "/w/{room:name}"},
		Token: []string{"pwd"},
		Why:   "Tencent Meeting and VooV. The number of the meeting is in the text only.", Source: "https://voovmeeting.com; https://meeting.tencent.com",
	},
	{
		Name: "dingtalk", Service: "dingtalk", Hosts: []string{"meeting.dingtalk.com"},
		Paths: []string{"/j/{room:name}"},
		Why:   "DingTalk.", Source: "https://www.dingtalk.com, video meetings",
	},
	{
		Name: "jiomeet", Service: "jiomeet", Hosts: []string{"jiomeetpro.jio.com", "jiomeet.jio.com"},
		Paths: []string{"/shortener?meetingId={id:digits}", "/guest?meetingId={id:digits}", "/join?meetingId={id:digits}"},
		Token: []string{"pwd"},
		Why:   "JioMeet.", Source: "https://jiomeetpro.jio.com",
	},
	{
		Name: "salutejazz", Service: "salutejazz", Hosts: []string{"salutejazz.ru", "jazz.sber.ru"},
		Paths: []string{"/calls/{id:name}", "/{id:name}?psw="},
		Token: []string{"psw"},
		Why:   "SaluteJazz, formerly SberJazz.", Source: "https://salutejazz.ru",
	},
	{
		Name: "whatsapp", Service: "whatsapp", Hosts: []string{"call.whatsapp.com"},
		Paths: []string{"/video/{id:name}"},
		Why:   "WhatsApp call links. Those for voice alone are no video meeting.", Source: "https://faq.whatsapp.com, call links",
	},
	{
		Name: "meetecho", Service: "meetecho", Hosts: []string{"meetings.conf.meetecho.com"},
		Paths: []string{"/interim/?group={id}", "/ietf{meeting:digits}/?group={id}", "/onsite{meeting:digits}/?group={id}"},
		Why:   "Meetecho, which the IETF meets with.", Source: "https://www.ietf.org/how/meetings/preparation/, remote participation",
	},
	{
		Name: "cal-video", Service: "cal", Hosts: []string{"app.cal.com"},
		Paths: []string{"/video/{id:code}"},
		Why:   "Cal Video. The booking page is no meeting.", Source: "https://cal.com/docs",
	},
	{
		Name: "proton-meet", Service: "proton", Hosts: []string{"meet.proton.me"},
		Paths: []string{"/join/{id:name}#*", "/join/{id:name}"},
		Why:   "Proton Meet; the key is in the fragment.", Source: "https://proton.me/meet",
	},
	{
		Name: "livekit", Service: "livekit", Hosts: []string{"meet.livekit.io"},
		Paths: []string{"/rooms/{id:name}"},
		Why:   "LiveKit Meet.", Source: "https://github.com/livekit/meet",
	},
	{
		Name: "vonage", Service: "vonage", Hosts: []string{"meetings.vonage.com"},
		Paths: []string{"/{id:code}"},
		Not:   []string{"/login", "/download"},
		Why:   "Vonage Meetings.", Source: "https://www.vonage.com, Vonage Meetings",
	},
	{
		Name: "zoho", Service: "zoho", Hosts: []string{"meeting.zoho.com", "meeting.zoho.eu", "meeting.zoho.in", "meet.zoho.com", "meet.zoho.eu", "meet.zoho.in"},
		Paths: []string{"/join?key={id:digits}", "/meeting/login.sp?meetingKey={id:digits}", "/{id:code(8-32)}"},
		Not:   []string{"/download", "/settings", "/features", "/integrations"},
		Why:   "Zoho Meeting.", Source: "https://www.zoho.com/meeting/help/",
	},
	{
		Name: "hangouts", Service: "hangouts", Hosts: []string{"hangouts.google.com"},
		Paths:  []string{"/hangouts/_/*", "/call/{id:name}"},
		Why:    "Classic Hangouts, closed; old series still have its links.",
		Source: "https://support.google.com/hangouts",
	},
	{
		Name: "telemost", Service: "telemost", Hosts: []string{"telemost.yandex.ru", "telemost.yandex.com", "telemost.360.yandex.ru"},
		Paths: []string{"/j/{id:digits}"},
		Why:   "Yandex Telemost.", Source: "https://yandex.com/support/telemost/",
	},
	{
		Name: "vk", Service: "vk", Hosts: []string{"vk.com", "vk.ru", "calls.vk.com"},
		Paths: []string{"/call/join/{id:name}"},
		Why:   "VK calls.", Source: "https://vk.com/calls",
	},
	{
		Name: "livestorm", Service: "livestorm", Hosts: []string{"app.livestorm.co", "app.livestorm.com"},
		Paths: []string{"/p/{id:code}", "/p/{id:code}/live"},
		Why:   "Livestorm rooms.", Source: "https://support.livestorm.co",
	},
	{
		Name: "gather", Service: "gather", Hosts: []string{"app.gather.town", "gather.town"},
		Paths: []string{"/app/{space:name}/{room:name}", "/invite?token={token}"},
		Why:   "Gather spaces.", Source: "https://support.gather.town",
	},
	{
		Name: "blackboard", Service: "blackboard", Hosts: []string{".bbcollab.com"},
		Paths: []string{"/guest/{id:name}", "/collab/ui/session/join/{id:name}", "/collab/ui/session/guest/{id:name}", "/collab/ui/session/join"},
		Why:   "Blackboard Collaborate.", Source: "https://help.blackboard.com/Collaborate",
	},
	{
		Name: "tuple", Service: "tuple", Hosts: []string{"tuple.app"},
		Paths: []string{"/c/{id:name}"},
		Why:   "Tuple.", Source: "https://docs.tuple.app",
	},
	{
		Name: "pop", Service: "pop", Hosts: []string{"pop.com"},
		Paths: []string{"/j/{id:name}"},
		Why:   "Pop.", Source: "https://pop.com",
	},
	{
		Name: "doxy", Service: "doxy", Hosts: []string{".doxy.me"},
		Paths: []string{"/{room:code}"},
		Not:   []string{"/en", "/pricing", "/login", "/account", "/sign-in", "/help", "/about", "/blog", "/signup", "/sign-up", "/features"},
		Why:   "Doxy.me rooms.", Source: "https://help.doxy.me",
	},
}
