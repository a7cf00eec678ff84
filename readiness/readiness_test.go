package readiness_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

const good = `{"PrimarySmtpAddress":"board@acme.example","DisplayName":"Board","DeleteComments":false,"DeleteSubject":false,"AddOrganizerToSubject":false,
"RemovePrivateProperty":false,"ProcessExternalMeetingMessages":true,"AddAdditionalResponse":true,"AdditionalResponse":"Hello","AutomateProcessing":"AutoAccept","DefaultAccess":"LimitedDetails",
"AnonymousAccess":"None","AllBookInPolicy":true,"RecipientTypeDetails":"RoomMailbox","CalendarFolder":"Kalender"}`

// results maps each check to its result.
func results(findings []readiness.Finding) map[string]readiness.Result {
	out := map[string]readiness.Result{}
	for _, f := range findings {
		out[f.Check] = f.Result
	}
	return out
}

func TestCheck(t *testing.T) {
	rooms, err := readiness.ParseReport(strings.NewReader(good))
	require.NoError(t, err)
	require.Len(t, rooms, 1)
	assert.Equal(t, readiness.Pass, readiness.Worst(rooms[0].Check()), "%+v", rooms[0].Check())

	for change, want := range map[string]struct {
		check   string
		result  readiness.Result
		command string
	}{
		`"DeleteComments":true`:                  {"delete-comments", readiness.Fail, "-DeleteComments $false"},
		`"DeleteSubject":true`:                   {"delete-subject", readiness.Warn, "-DeleteSubject $false"},
		`"AddOrganizerToSubject":true`:           {"add-organizer", readiness.Warn, "-AddOrganizerToSubject $false"},
		`"RemovePrivateProperty":true`:           {"remove-private", readiness.Fail, "-RemovePrivateProperty $false"},
		`"AutomateProcessing":"AutoUpdate"`:      {"auto-accept", readiness.Fail, "-AutomateProcessing AutoAccept"},
		`"AutomateProcessing":0`:                 {"auto-accept", readiness.Fail, "-AutomateProcessing AutoAccept"},
		`"AutomateProcessing":null`:              {"auto-accept", readiness.Unknown, ""},
		`"ProcessExternalMeetingMessages":false`: {"external-meetings", readiness.Warn, "-ProcessExternalMeetingMessages $true"},
		`"AddAdditionalResponse":false`:          {"additional-response", readiness.Warn, "-AdditionalResponse"},
		`"AdditionalResponse":""`:                {"additional-response", readiness.Warn, "-AdditionalResponse"},
		`"DeleteComments":null`:                  {"delete-comments", readiness.Unknown, ""},
		`"DefaultAccess":"Reviewer"`:             {"folder-permission", readiness.Warn, `'board@acme.example:\Kalender' -User Default -AccessRights LimitedDetails`},
		`"DefaultAccess":"None"`:                 {"folder-permission", readiness.Pass, ""},
		`"DefaultAccess":null`:                   {"folder-permission", readiness.Unknown, ""},
		`"AnonymousAccess":"Editor"`:             {"folder-permission-outside", readiness.Warn, "-User Anonymous"},
		`"AllBookInPolicy":false`:                {"booking-policy", readiness.Warn, "-AllBookInPolicy $true"},
		`"RecipientTypeDetails":"UserMailbox"`:   {"mailbox-type", readiness.Pass, ""},
		`"RecipientTypeDetails":"MailUser"`:      {"mailbox-type", readiness.Fail, ""},
	} {
		// The later of two equal keys wins.
		rooms, err := readiness.ParseReport(strings.NewReader("[" + strings.TrimSuffix(good, "}") + "," + change + "}]"))
		require.NoError(t, err, change)
		findings := rooms[0].Check()
		assert.Equal(t, want.result, results(findings)[want.check], change)
		for _, f := range findings {
			if f.Check == want.check {
				assert.Contains(t, f.Command, want.command, change)
				assert.NotEmpty(t, f.Why)
			}
			if f.Result == readiness.Fail || f.Result == readiness.Warn {
				assert.NotEmpty(t, f.Fix, f.Check)
			}
		}
	}
}

func TestParseReportForms(t *testing.T) {
	csv := "\"PrimarySmtpAddress\",\"DisplayName\",\"DeleteComments\",\"AutomateProcessing\"\r\n\"board@acme.example\",\"Board, 2nd floor\",\"True\",\"AutoAccept\"\r\n"
	u16 := func(s string, little bool) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			if little {
				b.WriteByte(byte(u))
				b.WriteByte(byte(u >> 8))
			} else {
				b.WriteByte(byte(u >> 8))
				b.WriteByte(byte(u))
			}
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"csv": csv, "bom": "\ufeff" + csv, "utf-16le": u16(csv, true), "utf-16be": u16(csv, false), "typed": "#TYPE System.Object\r\n" + csv,
		"semicolons": "PrimarySmtpAddress;DisplayName;DeleteComments;AutomateProcessing\nboard@acme.example;\"Board, 2nd floor\";WAHR;AutoAccept\n",
		"excel":      "sep=;\r\nPrimarySmtpAddress;DisplayName;DeleteComments;AutomateProcessing\r\nboard@acme.example;\"Board, 2nd floor\";TRUE;autoaccept\r\n;;;\r\n",
		"tabs":       "PrimarySmtpAddress\tDisplayName\tDeleteComments\nboard@acme.example\tBoard, 2nd floor\t1\n",
		"latin-1":    "PrimarySmtpAddress,DisplayName,DeleteComments,Other\nboard@acme.example,\"Board, 2nd floor\",True,\xe4\n",
		"one object": `{"primarysmtpaddress":"board@acme.example","displayname":"Board, 2nd floor","deletecomments":"True"}`,
		"list":       ` [ {"PrimarySmtpAddress":"board@acme.example","DisplayName":"Board, 2nd floor","DeleteComments":true,"Further":{"a":[1]}} ] `,
	} {
		rooms, err := readiness.ParseReport(strings.NewReader(text))
		require.NoError(t, err, name)
		require.Len(t, rooms, 1, name)
		assert.Equal(t, "Board, 2nd floor", rooms[0].Name, name)
		assert.True(t, *rooms[0].DeleteComments, name)
	}
}

func TestParseReportErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[]x":                       "more after the end",
		"[" + good + "," + "{":      "ends in the middle",
		"a\x00b":                    "no text in UTF-8",
		"PrimarySmtpAddress,A,a\n":  "the column \"a\" twice",
		"PrimarySmtpAddress,X\n\"a": "line 2",
		"sep=,\nPrimarySmtpAddress,X\n\na@b.example\n":                  "line 4 has 1 values",
		"PrimarySmtpAddress,DeleteSubject\na@b.example,maybe\n":         `line 2: DeleteSubject is "maybe"`,
		`{"PrimarySmtpAddress":"a@b.example","AutomateProcessing":7}`:   "it is None, AutoUpdate or AutoAccept",
		`{"PrimarySmtpAddress":"a@b.example","AutomateProcessing":"x"}`: "it is None, AutoUpdate or AutoAccept",
		`{"PrimarySmtpAddress":"a\nb@b.example"}`:                       "is no mail address",
		`{"PrimarySmtpAddress":7}`:                                      "it is a text",
		"":                                                              "it is empty",
		"   \n":                                                         "it is empty",
		"{\n\"a\": 1,\n}":                                               "line 3",
		"[1, 2]":                                                        "no list of rooms",
		"Name,Mail\nx,y\n":                                              "no column PrimarySmtpAddress",
		`[{"Name": "x"}]`:                                               "line 1: the room has no PrimarySmtpAddress",
		"[" + good + "," + good + "]":                                   "twice",
		"\xff\xfea":                                                     "middle of a character",
		"PrimarySmtpAddress,DisplayName\na@b.example\n":                 "line 2 has 1 values",
		`{"PrimarySmtpAddress":"a@b.example","DeleteSubject":[1]}`: "it is true or false",
	} {
		_, err := readiness.ParseReport(strings.NewReader(text))
		assert.ErrorContains(t, err, want, "%q", text)
	}
	_, err := readiness.ParseReport(strings.NewReader(strings.Repeat("x", readiness.MaxReport+1)))
	assert.ErrorContains(t, err, "larger than 64 MB")
}

func TestInfer(t *testing.T) {
	event := func(i int, change func(*calendar.Event)) calendar.Event {
		ev := calendar.Event{
			ID: fmt.Sprint(i), Subject: "Budget", Organizer: calendar.Person{Name: "Ann Berg", Email: "ann@acme.example"},
			Body: calendar.Body{Plain: "text"}, Response: calendar.Accepted, Start: time.Unix(int64(i), 0),
		}
		if change != nil {
			change(&ev)
		}
		return ev
	}
	many := func(n int, change func(*calendar.Event)) (out []calendar.Event) {
		for i := range n {
			out = append(out, event(i, change))
		}
		return out
	}
	assert.Empty(t, readiness.Infer("board@acme.example", many(20, nil)))
	empty := func(ev *calendar.Event) { ev.Body = calendar.Body{HTML: " \n"} }
	assert.Empty(t, readiness.Infer("board@acme.example", many(4, empty)), "too few to tell")
	series := many(9, empty)
	for i := range series {
		series[i].SeriesID = "one"
	}
	assert.Empty(t, readiness.Infer("board@acme.example", series), "a series counts once")

	for check, change := range map[string]func(*calendar.Event){
		"delete-comments": empty,
		"delete-subject":  func(ev *calendar.Event) { ev.Subject = "ann berg" },
		"add-organizer":   func(ev *calendar.Event) { ev.Subject = "Ann Berg Budget" },
		"auto-accept":     func(ev *calendar.Event) { ev.Response = calendar.NotResponded },
	} {
		got := readiness.Infer("board@acme.example", many(5, change))
		require.Len(t, got, 1, check)
		assert.Equal(t, check, got[0].Check)
		assert.True(t, got[0].Inferred)
		assert.Empty(t, readiness.Infer("board@acme.example", append(many(5, change), event(9, nil))), "%s: one meeting shows that it is not so", check)
	}
}

func TestRewriters(t *testing.T) {
	got := readiness.Rewriters("board@acme.example", map[string]string{"Safe Links": "teams.microsoft.com"}, map[string]string{"Mimecast": ""})
	require.Len(t, got, 2)
	readiness.Sort(got)
	assert.Equal(t, readiness.Fail, got[0].Result)
	assert.Contains(t, got[0].Fix, "https://teams.microsoft.com/")
	assert.Contains(t, got[1].Why, "Safe Links rewrites links of teams.microsoft.com")
	got = readiness.Rewriters("board@acme.example", map[string]string{"Microsoft Safe Links": "join.o'hara.example"}, nil)
	assert.Contains(t, got[0].Command, "'https://teams.microsoft.com/*'")
	assert.Contains(t, got[0].Command, "'https://join.o''hara.example/*'")
	got = readiness.Rewriters("board@acme.example", map[string]string{"Nobody knows": "acme.zoom.us"}, nil)
	assert.NotContains(t, got[0].Fix, "acme.zoom.us", "*.zoom.us has it")
}

// What invites have become on their way is read off the events.
func TestInvites(t *testing.T) {
	events := []calendar.Event{
		{ID: "1", Location: "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join%2F19%253ameeting_YQ%2540thread.v2%2F0&data=x"},
		{ID: "2", Location: "https://protect-eu.mimecast.com/s/AbCdEf123"},
		{ID: "3", Location: "https://acme.zoom.us/j/9876543210"},
	}
	got := readiness.Invites("board@acme.example", events, nil)
	require.Len(t, got, 2)
	readiness.Sort(got)
	assert.Equal(t, readiness.Fail, got[0].Result)
	assert.Contains(t, got[0].Why, "Mimecast")
	assert.Contains(t, got[1].Why, "Microsoft Safe Links rewrites links of teams.microsoft.com")
}

func TestDomainAndConsent(t *testing.T) {
	assert.Equal(t, readiness.Pass, readiness.Domain("acme.example", true, "", "").Result)
	f := readiness.Domain("acme.example", false, "otj=1", "acme.example has no TXT record yet.")
	assert.Equal(t, readiness.Fail, f.Result)
	assert.Equal(t, "otj=1", f.Command)
	assert.Contains(t, f.Why, "no TXT record yet")
	assert.Equal(t, readiness.Pass, readiness.Consent("M365", true, false).Result)
	for _, refused := range []bool{true, false} {
		f = readiness.Consent("M365", false, refused)
		assert.Equal(t, readiness.Fail, f.Result)
		assert.Contains(t, f.Fix, "consent")
	}
}

// Every error of a calendar has its own reason and its own remedy.
func TestCalendar(t *testing.T) {
	assert.Equal(t, readiness.Pass, readiness.Calendar("board@acme.example", 3, nil).Result)
	said := map[string]error{}
	for _, err := range []error{
		calendar.ErrNotFound, calendar.ErrForbidden, calendar.ErrUnauthorized, calendar.ErrThrottled, calendar.ErrUnavailable,
		context.DeadlineExceeded, errors.New("odd"), &calendar.PartialError{Bad: []calendar.EventError{{ID: "1", Err: errors.New("odd")}}},
	} {
		f := readiness.Calendar("board@acme.example", 0, fmt.Errorf("read calendar: %w", err))
		assert.NotEqual(t, readiness.Pass, f.Result, err)
		assert.NotContains(t, said, f.Fix, "%v has the remedy of %v", err, said[f.Fix])
		said[f.Fix] = err
	}
	f := readiness.Calendar("board@acme.example", 0, &calendar.Error{Op: "read", Mailbox: "board@acme.example", Err: calendar.ErrForbidden, Fix: "Do this.", RetryAfter: time.Minute})
	assert.Equal(t, readiness.Fail, f.Result)
	assert.Equal(t, "Do this. The next request is allowed in 1m0s.", f.Fix, "the provider knows better")
}

// untrusted is an error about a certificate that says which.
type untrusted struct{}

func (untrusted) Error() string                  { return otj.ErrCertificate.Error() }
func (untrusted) Unwrap() error                  { return otj.ErrCertificate }
func (untrusted) CertificateFingerprint() string { return "ab12" }

func TestDevice(t *testing.T) {
	assert.Equal(t, readiness.Pass, readiness.Device("Fjord", nil).Result)
	said := map[string]error{}
	for _, err := range []error{
		otj.ErrUnauthorized, otj.ErrCertificate, otj.ErrNotDevice, otj.ErrBusy, otj.ErrUnreachable, context.DeadlineExceeded, errors.New("odd"),
	} {
		f := readiness.Device("Fjord", fmt.Errorf("ask: %w", err))
		assert.NotEqual(t, readiness.Pass, f.Result, err)
		assert.NotContains(t, said, f.Fix, "%v has the remedy of %v", err, said[f.Fix])
		said[f.Fix] = err
	}
	f := readiness.Device("Fjord", &otj.EndpointError{Op: "ask", Endpoint: "Fjord", Err: untrusted{}})
	assert.Equal(t, "ab12", f.Fingerprint)
	f = readiness.Device("Fjord", &otj.EndpointError{Op: "ask", Endpoint: "Fjord", Err: otj.ErrUnreachable, Fix: "Switch it on"})
	assert.Equal(t, "Switch it on.", f.Fix)
	f = readiness.Device("Fjord", &otj.EndpointError{Op: "ask", Endpoint: "Fjord", Err: otj.ErrNotDevice, Fix: "Set it"})
	assert.NotContains(t, f.Why, "that is not such a device", "it may be one, with another setting")
	assert.Equal(t, "Set it.", f.Fix)

	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	f = readiness.Calling("Loft", time.Time{}, now, "", "https://otj.acme.example:8443")
	assert.Equal(t, readiness.Fail, f.Result)
	assert.Contains(t, f.Fix, "otj.acme.example, TCP port 8443")
	assert.Contains(t, f.Fix, "UDP port 123")
	for _, service := range []string{"http://localhost:8080", "https://127.0.0.1", "https://[::1]:8443"} {
		f = readiness.Calling("Loft", time.Time{}, now, "", service)
		assert.Equal(t, readiness.Fail, f.Result)
		assert.Contains(t, f.Why, "the machine of this program alone", service)
		assert.NotContains(t, f.Fix, "network through", "no firewall helps")
	}
	f = readiness.Calling("Loft", now.Add(-time.Hour), now, "", "https://otj.acme.example")
	assert.Equal(t, readiness.Fail, f.Result)
	assert.Contains(t, f.Why, "1h0m0s ago")
	f = readiness.Calling("Loft", now.Add(-time.Minute), now, "RoomOS\x1b[31m", "https://otj.acme.example")
	assert.Equal(t, readiness.Pass, f.Result)
	assert.Contains(t, f.Why, `"RoomOS\x1b[31m"`, "what the device says is quoted")

	assert.Equal(t, readiness.Unknown, readiness.Clock("Loft", false, true).Result)
	assert.Equal(t, readiness.Pass, readiness.Clock("Loft", true, true).Result)
	assert.Equal(t, readiness.Fail, readiness.Clock("Loft", true, false).Result)
}

func TestPorts(t *testing.T) {
	table := readiness.Table(readiness.Network{
		Service: "https://otj.acme.example:8443", Calendars: []string{"https://graph.microsoft.com"}, Pushed: []string{"192.0.2.7:4443", "room|x"}, Calling: true,
		SignIn: []string{"https://login.microsoftonline.com"},
	}.Ports())
	assert.Contains(t, table, "| this service | graph.microsoft.com | TCP | 443 |")
	assert.Contains(t, table, "| this service | 192.0.2.7 | TCP | 4443 |")
	assert.Contains(t, table, `room\|x`)
	assert.Contains(t, table, "| this service | login.microsoftonline.com | TCP | 443 |")
	assert.Contains(t, table, "| video systems | otj.acme.example | TCP | 8443 |")
	assert.Contains(t, table, "UDP | 123")
	assert.NotContains(t, table, "Microsoft Graph |")
	assert.NotContains(t, table, "| HTTP |")
	local := readiness.Table(readiness.Network{Service: "http://localhost:8080", Calling: true}.Ports())
	assert.Contains(t, local, "| video systems | localhost | TCP | 8080 | HTTP |")
	assert.NotContains(t, local, "HTTPS")
	assert.Contains(t, local, "| administrators | localhost |")
	assert.NotContains(t, readiness.Table(readiness.Network{Service: "http://localhost:8080", NoConsole: true}.Ports()), "administrators")
}

// --- scripts -------------------------------------------------------------------

func options() readiness.ScriptOptions {
	return readiness.ScriptOptions{
		AppID: "11111111-2222-3333-4444-555555555555", ObjectID: "66666666-7777-8888-9999-000000000000",
		Group: "otj-rooms@acme.example", GroupName: "Rooms of O'Neill ’quoted‘ $(Remove-Item C:\\) `n \"x\"",
		Mailboxes: []string{"o'hara@acme.example", "board$x@acme.example"}, Response: "It's a room; $env:PATH", External: true, HideDetails: "LimitedDetails",
	}
}

func all(s readiness.Scripts) map[string]string {
	return map[string]string{"group": s.Group, "policy": s.AccessPolicy, "rbac": s.RBAC, "rooms": s.Rooms, "check": s.Check}
}

func TestScriptsSayWhatTheyShould(t *testing.T) {
	s, err := readiness.NewScripts(options())
	require.NoError(t, err)
	for script, wants := range map[string][]string{
		s.Group:        {"New-DistributionGroup", "Get-DistributionGroup -Identity ", "Get-DistributionGroupMember -Identity ", "'o''hara@acme.example'", "'Rooms of O''Neill ’’quoted‘‘ $(Remove-Item C:\\) `n \"x\"'"},
		s.AccessPolicy: {"New-ApplicationAccessPolicy -AppId '11111111-2222-3333-4444-555555555555' -PolicyScopeGroupId 'otj-rooms@acme.example' -AccessRight RestrictAccess -Description '"},
		s.RBAC:         {"New-ServicePrincipal", "'Application Calendars.Read'", "Rights add up"},
		s.Rooms:        {"-DeleteComments $false -DeleteSubject $false -AddOrganizerToSubject $false -RemovePrivateProperty $false", "AutoAccept", "'It''s a room; $env:PATH'", "-AccessRights LimitedDetails", "New-TransportRule", "'X-MS-Exchange-Organization-AuthAs'"},
		s.Check:        {"Get-CalendarProcessing", "ConvertTo-Json", "Export-Csv"},
	} {
		for _, want := range wants {
			assert.Contains(t, script, want)
		}
	}
	o := options()
	o.HideDetails = "AvailabilityOnly"
	s, err = readiness.NewScripts(o)
	require.NoError(t, err)
	assert.Contains(t, s.Rooms, "-AccessRights AvailabilityOnly")
	o.External, o.HideDetails, o.Mailboxes = false, "", nil
	s, err = readiness.NewScripts(o)
	require.NoError(t, err)
	assert.NotContains(t, s.Rooms, "New-TransportRule")
	assert.NotContains(t, s.Rooms, "MailboxFolderPermission")
	assert.Contains(t, s.Rooms, "Get-DistributionGroupMember")
	assert.Contains(t, s.Group, "$mailboxes = @()")

	// The script writes what the parser reads.
	for _, column := range []string{"PrimarySmtpAddress", "DisplayName", "RecipientTypeDetails", "DeleteComments", "DeleteSubject", "AddOrganizerToSubject", "RemovePrivateProperty",
		"ProcessExternalMeetingMessages", "AddAdditionalResponse", "AllBookInPolicy", "AdditionalResponse", "AutomateProcessing", "CalendarFolder", "DefaultAccess", "AnonymousAccess"} {
		assert.Equal(t, 2, len(regexp.MustCompile(`\b`+column+` += `).FindAllString(s.Check, -1)), "%s: once for a room that can be read, once for another", column)
	}
}

func TestScriptsRefuse(t *testing.T) {
	for want, change := range map[string]func(*readiness.ScriptOptions){
		"the application ID":    func(o *readiness.ScriptOptions) { o.AppID = "'; Remove-Item" },
		"the object ID":         func(o *readiness.ScriptOptions) { o.ObjectID = "x" },
		"the group":             func(o *readiness.ScriptOptions) { o.Group = "rooms" },
		"a mailbox":             func(o *readiness.ScriptOptions) { o.Mailboxes = []string{"a@b.example\n"} },
		"the name of the group": func(o *readiness.ScriptOptions) { o.GroupName = "a\nb" },
		"the response":          func(o *readiness.ScriptOptions) { o.Response = strings.Repeat("x", 1025) },
		"what others may see":   func(o *readiness.ScriptOptions) { o.HideDetails = "Owner; x" },
	} {
		o := options()
		change(&o)
		_, err := readiness.NewScripts(o)
		assert.ErrorContains(t, err, want)
	}
}

// FuzzQuote checks that a quoted string is one string token that stands for the
// text: read as PowerShell's tokenizer reads single quotes.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", "'", "''", "’", "a'b‘c‛d‚e", "$(x)`n\"", "'; Remove-Item C:\\ #", "日本", "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		quoted := []rune(readiness.Quote(s))
		isQuote := func(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201b }
		require.True(t, len(quoted) >= 2 && isQuote(quoted[0]))
		var text strings.Builder
		end := -1
		for i := 1; i < len(quoted); i++ {
			if isQuote(quoted[i]) {
				if i+1 < len(quoted) && isQuote(quoted[i+1]) {
					i++ // a quote that is written twice is one
				} else {
					end = i
					break
				}
			}
			text.WriteRune(quoted[i])
		}
		require.Equal(t, len(quoted)-1, end, "the string ends early: %s", string(quoted))
		require.Equal(t, strings.ReplaceAll(s, "\x00", ""), text.String())
	})
}

// FuzzParseReport checks that no report is too odd, and that what was read makes
// findings whose commands are whole.
func FuzzParseReport(f *testing.F) {
	for _, s := range []string{good, "[" + good + "]", "PrimarySmtpAddress,DeleteComments\na@b.example,True\n", "sep=;\nPrimarySmtpAddress;X\n", "\xff\xfe[\x00", "#TYPE x\n", "[{}]", "{", "\"", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rooms, err := readiness.ParseReport(bytes.NewReader(data))
		if err != nil {
			require.Nil(t, rooms)
			require.True(t, strings.HasPrefix(err.Error(), "read the report: "))
			return
		}
		for i := range rooms {
			require.NotEmpty(t, rooms[i].Mailbox)
			for _, found := range rooms[i].Check() {
				require.NotEmpty(t, found.Why)
				require.NotContains(t, found.Command, "\n")
				if found.Command != "" {
					require.Contains(t, found.Command, readiness.Quote(rooms[i].Mailbox)[:len(readiness.Quote(rooms[i].Mailbox))-1])
				}
			}
		}
	})
}

// The grammar of PowerShell, as the editors have it, reads every script.
func TestPeerPowerShellGrammar(t *testing.T) {
	node := os.Getenv("OTJ_NODE")
	if node == "" {
		t.Skip("OTJ_NODE is not set: it names a folder with node_modules, made by `npm ci` with .ci/package.json; .ci/run does so")
	}
	o := options()
	scripts, err := readiness.NewScripts(o)
	require.NoError(t, err)
	texts := all(scripts)
	texts["broken"] = "foreach ($x in { Write-Host 'a"
	wide := o
	wide.External, wide.HideDetails, wide.Mailboxes, wide.ObjectID = false, "", nil, ""
	scripts, err = readiness.NewScripts(wide)
	require.NoError(t, err)
	for name, text := range all(scripts) {
		texts[name+" without names"] = text
	}
	// Names that try to get out of their quotes, and the commands of findings.
	for i, name := range []string{"a'; Remove-Item C:\\ #", "’; x ‘", "$(x)`", "\"@", "#>", "{ }", "日本語", "‚x‛"} {
		odd := o
		odd.GroupName, odd.Response = name, name
		scripts, err := readiness.NewScripts(odd)
		require.NoError(t, err)
		texts[fmt.Sprintf("group %d", i)], texts[fmt.Sprintf("rooms %d", i)] = scripts.Group, scripts.Rooms
		p := readiness.Processing{Mailbox: name, DefaultAccess: "Owner", AnonymousAccess: "Owner", CalendarFolder: name}
		for j, f := range append(p.Check(), readiness.Rewriters(name, map[string]string{"Microsoft Safe Links": name}, nil)...) {
			if f.Command != "" {
				texts[fmt.Sprintf("command %d %d", i, j)] = f.Command + "\n"
			}
		}
	}
	input, err := json.Marshal(texts)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "scripts.json")
	require.NoError(t, os.WriteFile(file, input, 0o600))
	script, err := filepath.Abs(filepath.Join("testdata", "grammar.cjs"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", script, file)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(node, "node_modules"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	var errors map[string][]string
	require.NoError(t, json.Unmarshal(out, &errors), string(out))
	assert.NotEmpty(t, errors["broken"], "the check finds what is broken")
	delete(errors, "broken")
	for name, found := range errors {
		assert.Empty(t, found, "%s:\n%s", name, texts[name])
	}
	assert.Len(t, errors, len(texts)-1)
}
