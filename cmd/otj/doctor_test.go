package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// findings runs otj doctor --json and returns what it has found, by check and
// subject.
func findings(t *testing.T, wantStatus int, args ...string) map[string]readiness.Finding {
	t.Helper()
	status, out, errOut := call(t, "", append([]string{"doctor", "--json"}, args...)...)
	require.Equal(t, wantStatus, status, "%s%s", out, errOut)
	found := map[string]readiness.Finding{}
	for line := range strings.Lines(out) {
		var f readiness.Finding
		require.NoError(t, json.Unmarshal([]byte(line), &f), line)
		found[f.Check+" "+f.Subject] = f
	}
	return found
}

const exchangeReport = `[{"PrimarySmtpAddress": "fjord@fabrikam.example", "DeleteComments": true, "DeleteSubject": false, "AddOrganizerToSubject": false,
	"RemovePrivateProperty": false, "ProcessExternalMeetingMessages": true, "AutomateProcessing": "AutoAccept"}]`

func TestDoctor(t *testing.T) {
	d := startDevice(t)
	config := serveDir(t, d, "127.0.0.1:0")
	dir := filepath.Dir(config)

	// All is well.
	f := findings(t, done, "--config", config)
	assert.Equal(t, readiness.Pass, f["calendar fjord@fabrikam.example"].Result)
	assert.Equal(t, readiness.Pass, f["device Fjord"].Result)

	// Exchange deletes the text of invites.
	report := filepath.Join(dir, "report.json")
	require.NoError(t, os.WriteFile(report, []byte(exchangeReport), 0o600))
	f = findings(t, no, "--config", config, "--import", report)
	assert.Equal(t, readiness.Fail, f["delete-comments fjord@fabrikam.example"].Result)
	assert.Contains(t, f["delete-comments fjord@fabrikam.example"].Command, "-DeleteComments $false")
	f = findings(t, no, "--import", report)
	assert.Equal(t, readiness.Fail, f["delete-comments fjord@fabrikam.example"].Result, "also without a configuration")
	require.NoError(t, os.WriteFile(report, []byte(strings.ReplaceAll(exchangeReport, "fjord@", "other@")), 0o600))
	f = findings(t, done, "--config", config, "--import", report)
	assert.Equal(t, readiness.Unknown, f["report fjord@fabrikam.example"].Result)

	// A gateway hides where links lead.
	day := time.Now().AddDate(0, 0, 1).Format("20060102")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calendars", "fjord@fabrikam.example.ics"), []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260301T090000Z\r\nDTSTART:"+
		day+"T090000Z\r\nLOCATION:https://protect-eu.mimecast.com/s/AbCdEf123\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"), 0o600))
	f = findings(t, no, "--config", config)
	assert.Contains(t, f["link-rewriting fjord@fabrikam.example"].Why, "Mimecast")

	// The clock of the device is wrong, and then the device is gone.
	d.SetSkew(10 * time.Minute)
	status, out, _ := call(t, "", "doctor", "--config", config)
	assert.Equal(t, no, status)
	assert.Contains(t, out, "FAIL    Fjord, device-clock: The device's clock is wrong")
	d.Unplug()
	f = findings(t, no, "--config", config)
	assert.Equal(t, readiness.Fail, f["device Fjord"].Result)
	assert.NotContains(t, f["device Fjord"].Why, d.Password())
	require.NoError(t, os.Remove(filepath.Join(dir, "calendars", "fjord@fabrikam.example.ics")))
	f = findings(t, no, "--config", config)
	assert.Equal(t, readiness.Fail, f["calendar fjord@fabrikam.example"].Result)

	status, out, _ = call(t, "", "doctor", "--config", config, "--ports")
	assert.Equal(t, done, status)
	assert.Contains(t, out, "| this service | 127.0.0.1 | TCP |")
	scripts := filepath.Join(dir, "scripts")
	names := []string{"doctor", "--config", config, "--scripts", scripts, "--group", "otj-rooms@fabrikam.example", "--app-id", "11111111-2222-3333-4444-555555555555", "--external", "--hide", "LimitedDetails"}
	status, out, errOut := call(t, "", names...)
	require.Equal(t, done, status, errOut)
	assert.Equal(t, 5, strings.Count(out, ".ps1"), out)
	text, err := os.ReadFile(filepath.Join(scripts, "otj-1-group.ps1"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "'fjord@fabrikam.example'", "the rooms of the configuration")
	assert.True(t, strings.HasPrefix(string(text), "\ufeff"), "Windows PowerShell reads UTF-8 by its mark")
	status, _, errOut = call(t, "", names...)
	assert.Equal(t, no, status, "a script that somebody may have changed is not overwritten")
	assert.Contains(t, errOut, "is there already")
	_, _, errOut = call(t, "", "doctor", "--config", config, "--scripts", scripts, "--group", "rooms", "--app-id", "x", "--hide", "all")
	assert.Contains(t, errOut, "the application ID is \"x\"")
	assert.NotContains(t, strings.TrimSpace(errOut), "\n", "an error is one line")
	for args, want := range map[string]string{
		"--scripts x":                    "--scripts needs --group ADDRESS and --app-id GUID",
		"--group x@y.example --config x": "--group, --app-id",
		"":                               "--config FILE",
		"--ports --import x":             "--ports needs --config",
		"--config " + config + " x":      "unexpected",
		"--import " + dir + "/nothing":   "no such file",
		"--import " + config:             "PrimarySmtpAddress",
	} {
		_, _, errOut := call(t, "", append([]string{"doctor"}, strings.Fields(args)...)...)
		assert.Contains(t, errOut, want, args)
	}
}
