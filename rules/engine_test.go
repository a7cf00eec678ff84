package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

func plain(s string) *calendar.Event { return &calendar.Event{Body: calendar.Body{Plain: s}} }

func htmlBody(s string) *calendar.Event { return &calendar.Event{Body: calendar.Body{HTML: s}} }

func uris(m Match) []string {
	var out []string
	for _, a := range m.Addresses {
		out = append(out, a.URI)
	}
	return out
}

func TestCancelledHasNone(t *testing.T) {
	ev := plain("https://zoom.us/j/93100000042")
	ev.Status = calendar.Cancelled
	_, ok := Default().Find(ev)
	assert.False(t, ok)
	assert.Equal(t, "cancelled", Default().Why(ev))
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name, text, service, id, pass string
		want                          []string
	}{
		{"zoom with a numeric passcode", "https://acme.zoom.us/j/93100000042?pwd=Zx9\nMeeting ID: 931 0000 0042\nPasscode: 440071\nJoin by SIP\n• 93100000042@zoomcrc.com\nJoin by H.323\n• 162.255.37.11 (US West)\n", "zoom", "93100000042", "440071",
			[]string{"https://acme.zoom.us/j/93100000042?pwd=Zx9", "sip:93100000042.440071@zoomcrc.com", "h323:162.255.37.11##93100000042#440071", "sip:93100000042@zoomcrc.com", "h323:162.255.37.11##93100000042"}},
		{"zoom: the token is no passcode", "https://zoom.us/j/93100000042?pwd=123456", "zoom", "93100000042", "", []string{"https://zoom.us/j/93100000042?pwd=123456", "sip:93100000042@zoomcrc.com"}},
		{"webex: numeric, not web password", "https://acme.webex.com/acme/j.php?MTID=m00ff\nMeeting number (access code): 2541 000 4390\nMeeting password: Ab9Cd (92200066 from phones and video systems)\nDial 25410004390@acme.webex.com\nYou can also dial 173.243.2.68 and enter your meeting number.", "webex", "25410004390", "92200066",
			[]string{"https://acme.webex.com/acme/j.php?MTID=m00ff", "sip:25410004390@acme.webex.com", "h323:173.243.2.68##25410004390"}},
		{"webex personal room", "https://acme.webex.com/meet/jo.doe", "webex", "jo.doe", "", []string{"https://acme.webex.com/meet/jo.doe", "sip:jo.doe@acme.webex.com"}},
		{"teams with Pexip", riskMeet + "\nhttps://join.acme.example/teams/?conf=1120000739&ivr=teams&d=video.acme.example&ip=192.0.2.10&prefix=55&w", "teams", "3520140000987", "",
			[]string{riskMeet, "sip:551120000739@video.acme.example", "h323:1120000739@192.0.2.10"}},
		{"teams with pexip.me", riskMeet + "\nhttps://pexip.me/teams/acme.example/1120000739", "teams", "3520140000987", "", []string{riskMeet, "sip:1120000739@acme.example"}},
		{"teams with Poly", riskMeet + "\nhttps://dialin.plcm.vc/teams/?key=600000171&conf=1160000978", "teams", "3520140000987", "", []string{riskMeet, "sip:600000171.1160000978@t.plcm.vc", "h323:600000171.1160000978@t.plcm.vc"}},
		{"teams with Poly, text of 2019", riskMeet + "\nJoin with a video conferencing device\n600000171@t.plcm.vc VTC Conference ID: 1160000978\nAlternate VTC dialing instructions", "teams", "3520140000987", "", []string{riskMeet, "sip:600000171.1160000978@t.plcm.vc", "h323:600000171.1160000978@t.plcm.vc"}},
		{"teams with Webex, text of 2024", riskMeet + "\nMeeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8\nJoin on a video conferencing device\nTenant key:\nacme@m.webex.com\nVideo ID:\n119 000 328 6\nMore info", "teams", "3520140000987", "Rt7Uv8", []string{riskMeet, "sip:1190003286.acme@m.webex.com"}},
		{"teams with Webex by link", riskMeet + "\nhttps://www.webex.com/msteams?confid=1250000026&tenantkey=acme&domain=m.webex.com", "teams", "3520140000987", "", []string{riskMeet, "sip:1250000026.acme@m.webex.com"}},
		{"teams with BlueJeans", riskMeet + "\nhttps://dialin.bluejeans.com/teams?key=130000042&conf=1180000314&domain=teams.bjn.vc", "teams", "3520140000987", "", []string{riskMeet, "sip:130000042.1180000314@teams.bjn.vc"}},
		{"teams with an own domain", riskMeet + "\n450000348@teamsconnect.acme.example\nVideo Conference ID: 126 000 103 8", "teams", "3520140000987", "", []string{riskMeet, "sip:1260001038@teamsconnect.acme.example"}},
		{"teams from its numbers, a passcode with signs", "Microsoft Teams meeting\nMeeting ID: 352 014 000 098 7\nPasscode: Rt#7v!", "teams", "3520140000987", "Rt#7v!", []string{"https://teams.microsoft.com/meet/3520140000987?p=Rt%237v%21"}},
		{"teams from its numbers", "Microsoft Teams meeting\nhttps://protect-de.mimecast.com/s/AbCd?domain=teams.microsoft.com\nMeeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8", "teams", "3520140000987", "Rt7Uv8", []string{"https://teams.microsoft.com/meet/3520140000987?p=Rt7Uv8"}},
		{"meet with interop", "https://meet.google.com/qrs-tuvw-xyz\nJoin by SIP: sip:4471120938@meet.acme.example", "meet", "qrs-tuvw-xyz", "", []string{"https://meet.google.com/qrs-tuvw-xyz", "sip:4471120938@meet.acme.example"}},
		{"goto", "https://meet.goto.com/554000321", "gotomeeting", "554000321", "", []string{"https://meet.goto.com/554000321", "sip:554000321@67.217.95.2", "h323:67.217.95.2##554000321"}},
		{"bluejeans with passcode", "https://bluejeans.com/554000321/7788", "bluejeans", "554000321", "7788", []string{"https://bluejeans.com/554000321/7788", "sip:554000321.7788@bjn.vc", "sip:554000321@bjn.vc"}},
		{"pexip scheme", "pexip://77120934@vc.acme.example", "pexip", "77120934", "", []string{"sip:77120934@vc.acme.example"}},
		{"pexip web app", "https://vc.acme.example/webapp/#/?conference=ops.vmr", "pexip", "ops.vmr", "", []string{"https://vc.acme.example/webapp/#/?conference=ops.vmr", "sip:ops.vmr@vc.acme.example"}},
		{"sips with parameters", "<sips:ops@vc.acme.example;transport=tls>", "sip", "ops", "", []string{"sips:ops@vc.acme.example;transport=tls"}},
		{"h323 with two hashes", "h323:192.0.2.7##77120934", "sip", "77120934", "", []string{"h323:192.0.2.7##77120934"}},
		{"launcher", "https://teams.microsoft.com/dl/launcher/launcher.html?url=%2F_%23%2Fl%2Fmeetup-join%2F19%3Ameeting_QQ%40thread.v2%2F0%3Fcontext%3D%257b%257d&type=meetup-join", "teams", "", "", []string{"https://teams.microsoft.com/l/meetup-join/19:meeting_QQ@thread.v2/0?context=%7b%7d"}},
		{"web client of Teams", "https://teams.microsoft.com/v2/?meetingjoin=true#/meet/3520140000987?p=RtUvWx", "teams", "3520140000987", "", []string{riskMeet}},
		{"old web client of Teams", "https://teams.microsoft.com/_#/l/meetup-join/19:meeting_QQ@thread.v2/0?context=%7b%7d", "teams", "", "", []string{"https://teams.microsoft.com/l/meetup-join/19:meeting_QQ@thread.v2/0?context=%7b%7d"}},
		{"light meetings", "https://teams.microsoft.com/light-meetings/launch?agent=web&coords=eyJjb252ZXJzYXRpb25JZCI6IjE5Om1lZXRpbmdfUVFAdGhyZWFkLnYyIiwidGVuYW50SWQiOiIxMS0yMiIsIm9yZ2FuaXplcklkIjoiMzMtNDQiLCJtZXNzYWdlSWQiOiIwIn0%3D", "teams", "", "", []string{"https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.v2/0?context=%7b%22Tid%22%3a%2211-22%22%2c%22Oid%22%3a%2233-44%22%7d"}},
		{"msteams scheme", "msteams:/l/meetup-join/19%3ameeting_QQ%40thread.v2/0", "teams", "", "", []string{"https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.v2/0"}},
		{"zoommtg scheme", "zoommtg://zoom.us/join?action=join&confno=93100000042&pwd=Zx9", "zoom", "93100000042", "", []string{"https://zoom.us/j/93100000042?pwd=Zx9", "sip:93100000042@zoomcrc.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for form, ev := range map[string]*calendar.Event{
				"plain": plain(c.text),
				"html":  htmlBody("<html><body><p>" + strings.ReplaceAll(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(c.text), "\n", "</p><p>") + "</p></body></html>"),
			} {
				m, ok := Default().Find(ev)
				require.True(t, ok, form)
				assert.Equal(t, c.service, m.Service, form)
				assert.Equal(t, c.id, m.MeetingID, form)
				assert.Equal(t, c.pass, string(m.Passcode), form)
				assert.Equal(t, c.want, uris(m), form)
			}
		})
	}
}

// TestFalsePositives holds what looks like a join link and is none.
func TestFalsePositives(t *testing.T) {
	for _, u := range []string{
		"https://aka.ms/JoinTeamsMeeting?omkt=en-GB", "https://www.microsoft.com/microsoft-teams/join-a-meeting", "https://www.microsoft.com/microsoft-teams/download-app", "https://go.microsoft.com/fwlink/?linkid=1",
		"https://teams.microsoft.com/meetingOptions/?organizerId=a&threadId=19_meeting_QQ@thread.v2&messageId=0",
		"https://dialin.teams.microsoft.com/0000aaaa?id=123456789", "https://dialin.teams.microsoft.com/usp/pstnconferencing", "https://mysettings.lync.com/pstnconferencing", "tel:+15550100,,123456789#",
		"https://teams.microsoft.com/l/channel/19%3aQQ%40thread.tacv2/General", "https://teams.microsoft.com/l/chat/0/0?users=a@b.example", "https://teams.microsoft.com/l/message/19:QQ@thread.v2/1", "https://teams.microsoft.com/l/team/19%3aQQ", "https://teams.microsoft.com/l/meeting/new?subject=x", "https://teams.microsoft.com/favicon.ico", "https://teams.microsoft.com/", "https://teams.microsoft.com/meet/3520140000987", "https://teams.microsoft.com/meet/channel",
		"https://us02web.zoom.us/u/kAbCd", "https://zoom.us/rec/share/abc", "https://zoom.us/rec/play/abc", "https://zoom.us/webinar/register/WN_a", "https://zoom.us/meeting/register/tZ", "https://zoom.us/launch/edl?x=1", "https://zoom.us/profile", "https://zoom.us/pricing", "https://zoom.us/skype/93100000042", "https://events.zoom.us/ev/Abc", "https://zoom.us/favicon.png", "https://file-paa.zoom.us/abc",
		"https://tel.meet/qrs-tuvw-xyz?pin=1", "https://support.google.com/a/users/answer/9282720", "https://meet.google.com/lookup", "https://meet.google.com/lookup/abc", "https://stream.meet.google.com/stream/0011-22", "https://meet.google.com/",
		"https://help.webex.com/", "https://www.webex.com/pricing", "https://acme.webex.com/acme/globalcallin.php?MTID=m1", "https://collaborationhelp.cisco.com/article/x",
		"https://cal.com/booking/abc", "https://calendly.com/reschedulings/abc",
		"https://notzoom.us/j/93100000042", "https://testzoom.us", "https://zoom.us.evil.example/j/93100000042", "https://zoom.us@evil.example/j/93100000042", "https://evil.example/zoom.us/j/93100000042", "https://evil.example/?next=https://zoom.us/j/93100000042", "https://evil.example/#https://zoom.us/j/93100000042",
		"https://zoom%2eus/j/93100000042", "https://zoom.us%2f@evil.example/j/93100000042", `https://evil.example\zoom.us/j/93100000042`, `https://evil.example\@zoom.us/j/93100000042`,
		"organizer 12345@mail.acme.example", "someone@zoom.us", "meetings@webex.com", "call 5550100123", "sip:93100000042.acme@lync.webex.com",
		"conf:sip:jo@acme.example;gruu;opaque=app:conf:focus:id:AB12",
	} {
		for form, ev := range map[string]*calendar.Event{
			"plain": plain("See " + u + " now"), "location": {Location: "Room 4, " + u},
			"text": htmlBody("<p>See " + strings.ReplaceAll(u, "&", "&amp;") + " now</p>"), "href": htmlBody(`<a href="` + strings.ReplaceAll(u, "&", "&amp;") + `">x</a>`),
		} {
			m, ok := Default().Find(ev)
			assert.False(t, ok, "%s: %s gave %q", form, u, uris(m))
		}
	}
}

func TestRanking(t *testing.T) {
	const zoom, other, teams, meet = "https://zoom.us/j/93100000042", "https://zoom.us/j/93100000077", riskMeet, "https://meet.google.com/qrs-tuvw-xyz"
	for _, c := range []struct {
		name string
		ev   calendar.Event
		want string
	}{
		{"structured before location", calendar.Event{Links: []calendar.Link{{URI: teams, Source: calendar.SourceOnlineMeeting}}, Location: zoom}, teams},
		{"URL before location", calendar.Event{Links: []calendar.Link{{URI: teams, Source: calendar.SourceURL}}, Location: zoom}, teams},
		{"location before body", calendar.Event{Location: zoom, Body: calendar.Body{Plain: teams}}, zoom},
		{"the earlier one in the body", calendar.Event{Body: calendar.Body{Plain: zoom + "\n" + teams + "\n" + other}}, zoom},
		{"own text before quoted", calendar.Event{Body: calendar.Body{Plain: "> " + zoom + "\n\n" + teams}}, teams},
		{"own text before an older message", calendar.Event{Body: calendar.Body{Plain: teams + "\n\nFrom: Jo\nSent: Monday\nTo: All\n\n" + zoom}}, teams},
		{"quoted if there is nothing else", calendar.Event{Body: calendar.Body{Plain: "FYI\n\nVon: Jo\nGesendet: Montag\nAn: Alle\n\n" + zoom}}, zoom},
		{"the variant with the passcode", calendar.Event{Location: zoom, Body: calendar.Body{Plain: zoom + "?pwd=Zx9"}}, zoom + "?pwd=Zx9"},
		{"Google's own Meet after a location", calendar.Event{Links: []calendar.Link{{URI: meet, Source: calendar.SourceGoogleMeet}}, Location: zoom}, zoom},
		{"Google's own Meet before a body", calendar.Event{Links: []calendar.Link{{URI: meet, Source: calendar.SourceGoogleMeet}}, Body: calendar.Body{Plain: zoom}}, meet},
		{"the subject, without a body", calendar.Event{Subject: "Call " + zoom}, zoom},
		{"not the update link", calendar.Event{Links: []calendar.Link{{URI: "https://scheduler.teams.microsoft.com/teams/meet/1?p=2", Source: "X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL"}}, Location: zoom}, zoom},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, ok := Default().Find(&c.ev)
			require.True(t, ok)
			assert.Equal(t, c.want, m.Addresses[0].URI)
		})
	}
	ev := &calendar.Event{Links: []calendar.Link{{URI: meet, Source: calendar.SourceGoogleMeet}}, Location: zoom, Body: calendar.Body{Plain: teams}}
	for policy, want := range map[GoogleMeet]string{GoogleMeetAfterLocation: "zoom meet teams", GoogleMeetFirst: "meet zoom teams", GoogleMeetLast: "zoom teams meet"} {
		e, err := New(nil, &Options{GoogleMeet: policy})
		require.NoError(t, err)
		var got []string
		for _, m := range e.Append(nil, ev) {
			got = append(got, m.Service)
		}
		assert.Equal(t, want, strings.Join(got, " "))
	}
}

// TestPasscodesStayWithTheirMeeting has two meetings in one text.
func TestPasscodesStayWithTheirMeeting(t *testing.T) {
	all := Default().Append(nil, plain("https://zoom.us/j/93100000042\nMeeting ID: 931 0000 0042\nPasscode: 111111\n\nhttps://zoom.us/j/93100000077\nMeeting ID: 931 0000 0077\nPasscode: 222222\n"))
	require.Len(t, all, 2)
	assert.Equal(t, "111111", string(all[0].Passcode))
	assert.Equal(t, "222222", string(all[1].Passcode))
}

func TestWhyNamesTheGateway(t *testing.T) {
	ev := htmlBody(`<p>Microsoft Teams meeting</p><a href="https://protect-de.mimecast.com/s/AbCd?domain=teams.microsoft.com">Join</a>`)
	assert.Equal(t, "rewritten by Mimecast; exempt https://teams.microsoft.com/ in its policy", Default().Why(ev))
	assert.Equal(t, "no address found", Default().Why(plain("hello")))
	assert.Empty(t, Default().Why(plain(riskLink)))
}

func TestLimitsAreReported(t *testing.T) {
	long := strings.Repeat("a", maxBody) + " " + riskLink
	assert.Contains(t, Default().Why(plain(long)), "1 MB")
	assert.Contains(t, Default().Why(plain("https://zoom.us/j/1?x="+strings.Repeat("a", maxURI))), "8 KB")
	assert.Contains(t, Default().Explain(plain(strings.Repeat(riskLink+" ", 2*maxCandidates))).Capped, "more than 256 links and addresses")
}

func TestSecretsAreHidden(t *testing.T) {
	for _, c := range [][2]string{
		{"https://zoom.us/j/931?pwd=SECRET&from=addon", "https://zoom.us/j/931?pwd=[redacted]&from=[redacted]"},
		{"https://teams.microsoft.com/meet/352?p=SECRET", "https://teams.microsoft.com/meet/352?p=[redacted]"},
		{"sip:931.440071@zoomcrc.com", "sip:931.[redacted]@zoomcrc.com"},
		{"sip:931..1.440071@zoomcrc.com", "sip:931.[redacted]@zoomcrc.com"},
		{"h323:192.0.2.1##931#440071", "h323:192.0.2.1##931#[redacted]"},
		{"https://bluejeans.com/554000321/7788", "https://bluejeans.com/554000321/[redacted]"},
		{"https://meet.proton.me/join/id-A#pwd-SECRET", "https://meet.proton.me/join/id-A#[redacted]"},
		{"tel:+15550100,,931#,,*440071#", "tel:+15550100,[redacted]"},
		{"https://vc.acme.example/webapp/#/?conference=ops&pin=SECRET", "https://vc.acme.example/webapp/#/?conference=[redacted]&pin=[redacted]"},
		{"https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1%3Fpwd%3DSECRET&data=x", "https://a.safelinks.protection.outlook.com/?url=[redacted]&data=[redacted]"},
	} {
		a := Address{schemeOf(c[0]), c[0]}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", a)
		data, err := json.Marshal(a)
		require.NoError(t, err)
		assert.Equal(t, c[1], a.String())
		for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", a, a, a, a), string(data), log.String()} {
			assert.NotContains(t, s, "SECRET")
			assert.NotContains(t, s, "440071")
		}
	}
}

func TestExplain(t *testing.T) {
	ev := &calendar.Event{Location: "https://zoom.us/u/kAbc", Body: calendar.Body{HTML: `<a href="https://gbr01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F93100000042%3Fpwd%3DSECRET&amp;data=5">Join</a> <p>` + riskMeet + `</p>`}}
	tr := Default().Explain(ev)
	assert.Equal(t, "zoom", tr.Decided)
	require.Len(t, tr.Rules, len(DefaultRules()))
	require.Len(t, tr.Findings, 3)
	f := tr.Findings[0]
	assert.Equal(t, "Microsoft Safe Links", f.Gateway)
	assert.Equal(t, "https://zoom.us/j/93100000042?pwd=[redacted]", f.After)
	assert.True(t, strings.HasPrefix(ev.Body.HTML[f.Start:f.End], "https://gbr01"))
	assert.Equal(t, "unknown", tr.Findings[2].Kind)
	by := map[string]Tried{}
	for _, r := range tr.Rules {
		by[r.Rule] = r
		assert.NotEmpty(t, r.Why)
	}
	assert.Equal(t, "decided", by["zoom"].Result)
	assert.Equal(t, "found", by["teams"].Result)
	assert.Equal(t, "in body, after the link of zoom", by["teams"].Why)
	assert.Equal(t, "nothing", by["webex"].Result)
	var text bytes.Buffer
	require.NoError(t, tr.WriteText(&text))
	data, err := json.Marshal(tr)
	require.NoError(t, err)
	for _, s := range []string{text.String(), string(data), fmt.Sprint(tr.Findings[0].After)} {
		assert.NotContains(t, s, "SECRET")
	}
	data, err = json.Marshal(tr.WithSecrets())
	require.NoError(t, err)
	assert.Contains(t, string(data), "pwd=SECRET")
}

func TestAppendDoesNotAllocate(t *testing.T) {
	if Raced {
		t.Skip("the race detector changes what is allocated; run without -race")
	}
	for name, ev := range map[string]*calendar.Event{
		"no match": htmlBody(newsBody(100 << 10)), "teams": htmlBody(teamsBody(false)), "safe links": htmlBody(teamsBody(true)),
		"plain": plain(riskLink + "\nMeeting ID: 934 0012 7765\nPasscode: 123456"), "location": {Location: riskLink},
		"thread": htmlBody("<p>" + filler(newRand(), 3000) + "</p>" + teamsBody(true)),
	} {
		dst := Default().Append(nil, ev)
		assert.Equal(t, name != "no match", len(dst) > 0, name)
		assert.Zero(t, testing.AllocsPerRun(50, func() { dst = Default().Append(dst[:0], ev) }), name)
	}
}

// TestAppendKeepsWhatItMust uses a slice again and looks at what it may and may
// not change.
func TestAppendKeepsWhatItMust(t *testing.T) {
	one, two := plain(riskLink+"&x=1"), plain(riskMeet)
	free := Default().Append(nil, one)
	kept := free[0].Clone()
	dst := Default().Append(nil, one)
	dst = Default().Append(dst, two)
	require.Len(t, dst, 2)
	assert.Equal(t, riskLink+"&x=1", dst[0].Addresses[0].URI, "what is in dst stays")
	first := free[0].Addresses[0].URI
	for range 3 {
		dst = Default().Append(dst[:0], two)
		dst = Default().Append(dst[:0], one)
	}
	assert.Equal(t, riskLink+"&x=1", first, "what was appended to nil stays")
	assert.Equal(t, riskLink+"&x=1", dst[0].Addresses[0].URI)
	free = Default().Append(free[:0], two)
	assert.Equal(t, riskMeet, free[0].Addresses[0].URI)
	assert.Equal(t, riskLink+"&x=1", kept.Addresses[0].URI, "a clone stays")
}

func TestDefaultRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range DefaultRules() {
		assert.NotEmpty(t, r.Why, r.Name)
		assert.Contains(t, r.Source, "https://", "%s: a source is an address", r.Name)
		assert.False(t, seen[r.Name], r.Name)
		seen[r.Name] = true
		assert.NoError(t, checkLink(&r), r.Name)
	}
	a := DefaultRules()
	a[0].Hosts[0] = "evil.example"
	assert.NotEqual(t, "evil.example", DefaultRules()[0].Hosts[0])
}

func TestNewNamesTheMistake(t *testing.T) {
	good := Rule{Name: "own", Priority: 5, Type: TypeLink, Service: "own", Hosts: []string{".video.example"}, Paths: []string{"/r/{id:digits}"}}
	for _, c := range []struct {
		change func(*Rule)
		want   string
	}{
		{func(r *Rule) { r.Name = "" }, "rule 1 has no name"},
		{func(r *Rule) { r.Priority = 201 }, `rule "own": priority 201 is not between 1 and 200`},
		{func(r *Rule) { r.Type = "lnk" }, `unknown type "lnk"`},
		{func(r *Rule) { r.Hosts = []string{"https://video.example"} }, `host "https://video.example": write it as`},
		{func(r *Rule) { r.Paths = []string{"r/{id}"} }, "does not begin with a slash"},
		{func(r *Rule) { r.Paths = []string{"/r/{id"} }, "has { without }"},
		{func(r *Rule) { r.Paths = []string{"/r/{id:number5}"} }, "the classes are"},
		{func(r *Rule) { r.Hosts = []string{"*"}; r.Paths = []string{"/{id}"} }, "the first part must be fixed"},
		{func(r *Rule) { r.Dial = []string{"{id}@x"} }, "is no address"},
		{func(r *Rule) { r.Dial = []string{"sip:{idd}@x.example"} }, `{idd}, which nothing fills; did you mean "id"?`},
		{func(r *Rule) { r.Hosts = []string{"*video.example"} }, "write it as"},
		{func(r *Rule) { r.Hosts = []string{"köln.example"} }, "xn--"},
		{func(r *Rule) { r.Paths = []string{"/r/*/{id}"} }, "* stands at the end"},
		{func(r *Rule) { r.Paths = []string{`/r/\d+`} }, "no regular expression"},
		{func(r *Rule) { r.Paths = []string{"/r/{id:digits(9-5)}"} }, "digits(9-11)"},
		{func(r *Rule) { r.Paths = []string{"/r/{id:digits(9}"} }, "digits(9-11)"},
		{func(r *Rule) { *r = Rule{Name: "z", Priority: 1, Type: TypeZoom, Transform: "{meeting_id}@x.example"} }, "two braces"},
	} {
		r := good
		c.change(&r)
		_, err := New([]Rule{r}, nil)
		assert.ErrorContains(t, err, c.want)
	}
	_, err := New([]Rule{good, good}, nil)
	assert.ErrorContains(t, err, "is there twice")
}

func TestAnAdministratorsLinkRuleDecides(t *testing.T) {
	e, err := New([]Rule{
		{Name: "off", Priority: 1, Disabled: true, Type: TypeLink, Service: "x", Hosts: []string{"zoom.us"}, Paths: []string{"/j/{id}"}},
		{Name: "own", Priority: 9, Type: TypeLink, Service: "own", Hosts: []string{".video.example"}, Paths: []string{"/r/{id:digits}"}, Dial: []string{"sip:{id}@sip.video.example"}},
	}, nil)
	require.NoError(t, err)
	ev := &calendar.Event{Location: "https://zoom.us/j/93100000042", Body: calendar.Body{HTML: `<a href="https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Facme.video.example%2Fr%2F4711&amp;data=1">x</a>`}}
	m, ok := e.Find(ev)
	require.True(t, ok)
	assert.Equal(t, "own", m.Rule)
	assert.Equal(t, []string{"https://acme.video.example/r/4711", "sip:4711@sip.video.example"}, uris(m))
	tr := e.Explain(ev)
	assert.Equal(t, "own", tr.Decided)
	assert.Equal(t, "disabled", tr.Rules[0].Why)
	assert.Equal(t, "decided", tr.Rules[1].Result)
}

// A person's address beside a meeting is not the meeting's.
func TestPeoplesAddressesAreNotDialled(t *testing.T) {
	for body, want := range map[string]string{
		"Call bob at sip:bob@x.example.\nhttps://us02web.zoom.us/j/81234567890":                    "sip:81234567890@zoomcrc.com",
		"https://meet.google.com/abc-defg-hij\n\n-- \nBo Ek, sip:bo.ek@acme.example":               "",
		"https://teams.microsoft.com/meet/2054252807555?p=abc\nBo Ek\nSIP: sip:bo.ek@acme.example": "",
		"https://meet.google.com/abc-defg-hij\nOr dial sip:4471200@video.acme.example":             "sip:4471200@video.acme.example",
	} {
		m, ok := Default().Find(&calendar.Event{Body: calendar.Body{Plain: body}})
		require.True(t, ok, body)
		assert.NotEqual(t, "sip", m.Service, body)
		dial := ""
		for _, a := range m.Addresses {
			if a.Scheme == SIP {
				dial = a.URI
				break
			}
		}
		assert.Equal(t, want, dial, body)
	}
}

func TestMalformedAddressesAreNone(t *testing.T) {
	for _, body := range []string{"sip:a@sip:a@b.example", "sip:bob:secret@host.example", strings.Repeat("sip:a@", 1000)} {
		_, ok := Default().Find(&calendar.Event{Body: calendar.Body{Plain: body}})
		assert.False(t, ok, "%.60s", body)
	}
	assert.Equal(t, "sip:bob:[redacted]@host.example", Address{SIP, "sip:bob:secret@host.example"}.String())
}

// Labels of passcodes in the languages that the corpus has no invite in.
func TestPasscodeLabels(t *testing.T) {
	for _, label := range []string{"Codice d'accesso", "Senha de acesso", "رمز المرور", "קוד סיסמה", "รหัสผ่าน", "Mật mã", "Κωδικός πρόσβασης", "Код доступу", "Jelszó", "Heslo", "Cod de acces", "Kode sandi"} {
		m, ok := Default().Find(&calendar.Event{Body: calendar.Body{Plain: "https://us02web.zoom.us/j/81234567890?pwd=Zq1\n" + label + ": 482913\n"}})
		require.True(t, ok)
		assert.Equal(t, "482913", string(m.Passcode), label)
	}
}

// What an administrator's rule takes is no unknown link, and is listed once.
func TestExplainSaysWhichRuleTookALink(t *testing.T) {
	e, err := New([]Rule{{Name: "parley", Priority: 1, Type: TypeLink, Service: "parley", Hosts: []string{"meet.parley.example"}, Paths: []string{"/r/{id:digits}"}}}, nil)
	require.NoError(t, err)
	trace := e.Explain(plain("Join: https://meet.parley.example/r/551?k=Zz9q\nPasscode: 77123\nhttps://help.parley.example/about"))
	var got []string
	for _, f := range trace.Findings {
		got = append(got, f.Kind+" "+f.After+": "+f.Note)
	}
	assert.Contains(t, got, "link https://meet.parley.example/r/551?k=[redacted]: rule parley took it")
	for _, f := range got {
		assert.NotContains(t, f, "unknown https://meet.parley.example")
	}
	assert.Len(t, got, len(slices.Compact(slices.Clone(got))))
}

// A link that looks like one of a meeting is told by what is wrong with it: its
// host or its path.
func TestExplainSaysWhatOfALinkIsUnknown(t *testing.T) {
	for uri, want := range map[string]string{
		"https://us02web.z\u043e\u043em.us/j/81234567890": "no default rule knows this host", // Cyrillic
		"https://conf.example/webapp/x":                   "no default rule knows this host",
		"https://us02web.zoom.us/billing":                 "no default rule knows this path",
	} {
		trace := Default().Explain(plain(uri))
		require.Len(t, trace.Findings, 1, uri)
		assert.Equal(t, "unknown "+want, trace.Findings[0].Kind+" "+trace.Findings[0].Note, uri)
	}
}

// What a rule's Dial may have: names of its own paths, and the number that the
// text beside the link gives.
func TestDialOfAnAdministratorsLinkRule(t *testing.T) {
	e, err := New([]Rule{{Name: "own", Priority: 9, Type: TypeLink, Service: "own", Hosts: []string{"*.Video.example"}, Paths: []string{"/{area:name}/r/{id:digits(4-5)}"},
		Dial: []string{"sip:{id}.{pin}@{area}.video.example", "sip:{id}@{area}.video.example"}}}, nil)
	require.NoError(t, err)
	for _, c := range []struct {
		ev   *calendar.Event
		want []string
	}{
		{plain("https://a.video.example/n%6frth/r/4711\nRoom PIN: 82 19"), []string{"https://a.video.example/n%6frth/r/4711", "sip:4711.8219@north.video.example", "sip:4711@north.video.example"}},
		{htmlBody("<p>https://a.video.example/north/r/47110</p><p>Passcode: 8219</p>"), []string{"https://a.video.example/north/r/47110", "sip:47110.8219@north.video.example", "sip:47110@north.video.example"}},
		{plain("https://a.video.example/north/r/4711\nMicrosoft Teams\nMeeting ID: 352 014 000 098 7\nPasscode: Rt7Uv8"), []string{"https://a.video.example/north/r/4711", "sip:4711@north.video.example"}},
	} {
		m, ok := e.Find(c.ev)
		require.True(t, ok)
		assert.Equal(t, c.want, uris(m))
	}
	for text, want := range map[string]string{
		"https://a.video.example/north/r/471":    "a link to a.video.example in body, but its path",
		"https://a.video.example/north/r/471100": "a link to a.video.example in body, but its path",
		"https://video.example/north/r/4711":     "no link to *.Video.example",
	} {
		tr := e.Explain(plain(text))
		assert.Contains(t, tr.Rules[0].Why, want, text)
	}
	tr := e.Explain(plain("https://a.video.example/north/r/4711\nRoom PIN: 8219"))
	assert.Equal(t, []string{"https://a.video.example/north/r/4711", "sip:4711.[redacted]@north.video.example", "sip:4711@north.video.example"}, tr.Addresses)
	assert.Contains(t, tr.WithSecrets().Addresses[1], "8219")
}

// A link that is shown after the engine has read other events is what it was.
func TestExplainKeepsWhatItShows(t *testing.T) {
	e := Default()
	const link = "https://support.zoom.us/hc/en-us"
	tr := e.Explain(plain("See " + link))
	for range 10 {
		e.Explain(htmlBody(strings.Repeat("<p>https://zoom.us/j/93100000042?pwd=Kd7Kd7Kd7Kd7</p>", 20)))
	}
	require.NotEmpty(t, tr.Findings)
	assert.Equal(t, link, tr.Findings[0].After)
}
