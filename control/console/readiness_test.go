package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

func TestReadinessShowsWhatMendsIt(t *testing.T) {
	w, live, systems := newOffice(t, "Board", "Fjord")
	for i, s := range systems {
		live.states[s.ID] = full(time.Now().UTC())
		for j := range 6 {
			live.events[s.Mailbox] = append(live.events[s.Mailbox], calendar.Event{ID: fmt.Sprint(i, j), Subject: "Sales", Organizer: calendar.Person{Name: "Eve", Email: "eve@acme.example"}})
		}
	}
	live.findings = []readiness.Finding{{Check: "device", Subject: hostile, Result: readiness.Warn, Why: hostile, Fix: hostile, Command: hostile}}
	b := w.signIn("ann@acme.example")
	b.open("readiness")
	assert.Contains(t, b.at.text, "otj.acme.example", "the firewall's table")
	assert.Contains(t, b.at.text, "8443")
	b.send("Check everything now", nil)
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	group := b.at.Find(".finding").FilterFunction(has("delete-comments"))
	require.Equal(t, 1, group.Length(), "the same of two rooms is said once")
	text := oneLine(group.Text())
	assert.Contains(t, text, "room0@acme.example, room1@acme.example")
	assert.Contains(t, text, "Inferred from the meetings")
	assert.Contains(t, text, "What to do:")
	assert.Contains(t, text, "Set-CalendarProcessing -Identity 'room0@acme.example' -DeleteComments $false Set-CalendarProcessing -Identity 'room1@acme.example' -DeleteComments $false")
	assert.Equal(t, 1, group.Find("button[data-copy]").Length())
	assert.GreaterOrEqual(t, b.at.Find(".work progress").Length(), 1)
	assert.Contains(t, b.at.text, "was not reported")
	b.send("Check again", nil)
	assert.Equal(t, http.StatusOK, b.at.status)
}

const roomReport = `[{"PrimarySmtpAddress": "room0@acme.example", "DeleteComments": true, "DeleteSubject": false}, {"PrimarySmtpAddress": "other@acme.example"}]`

func TestReportIsImported(t *testing.T) {
	w, _, _ := newOffice(t, "Board")
	b := w.signIn("ann@acme.example")
	b.open("readiness")
	for _, bad := range []string{"", "[", "a,b\n", strings.ReplaceAll(roomReport, "room0", "<script>")} {
		b.open("readiness")
		b.send("Import the report", map[string][]string{"report": v(bad)})
		assert.Equal(t, http.StatusUnprocessableEntity, b.at.status, bad)
		assert.NotEmpty(t, b.at.Find("#f-report-error").Text(), bad)
		assert.Zero(t, b.at.Find("main script").Length())
	}
	b.send("Import the report", map[string][]string{"report": v(roomReport)})
	assert.Contains(t, b.at.Find("#imported").Text(), "The report of 1 room is taken over")
	assert.Contains(t, b.at.Find("#imported").Text(), "other@acme.example")
	assert.Contains(t, b.at.text, "-DeleteComments $false")

	// The same as a file.
	b.open("readiness")
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	require.NoError(t, m.WriteField("csrf", b.at.Find("main [name=csrf]").AttrOr("value", "")))
	part, err := m.CreateFormFile("reportfile", "otj-rooms.csv")
	require.NoError(t, err)
	_, err = part.Write([]byte("\xff\xfe" + wide("PrimarySmtpAddress;DeleteComments\r\nroom0@acme.example;FALSCH\r\n")))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/readiness/report", &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", m.FormDataContentType())
	b.do(req)
	assert.Contains(t, b.at.Find("#imported").Text(), "1 room", "%v", b.at.problems())
	b.open("readiness")
	b.send("Check everything now", nil)
	assert.Contains(t, b.at.text, "the report of 1 rooms that ann@acme.example imported")
}

// wide is text as Windows PowerShell redirects it.
func wide(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(0)
	}
	return b.String()
}

func TestScriptsAreMadeForTheCompanysNames(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn("ann@acme.example")
	b.open("readiness")
	b.send("Make the scripts", map[string][]string{"group": v("no address")})
	assert.Equal(t, http.StatusUnprocessableEntity, b.at.status)
	b.send("Make the scripts", map[string][]string{"group": v("otj-rooms@acme.example")})
	assert.Contains(t, b.at.Find("[name=app_id]").Closest(".field").Text(), "this server has no application of its own", "at its field")
	b.send("Make the scripts", map[string][]string{
		"group": v("otj-rooms@acme.example"), "app_id": v("11111111-2222-3333-4444-555555555555"), "group_name": v("O'Hara's " + hostile), "external": v("on"), "hide": v("LimitedDetails"),
	})
	require.Equal(t, http.StatusOK, b.at.status, "%v", b.at.problems())
	assert.Equal(t, 5, b.at.Find("#scripts pre").Length())
	assert.Contains(t, b.at.Find("#scripts pre").First().Text(), "'O''Hara''s ")
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	assert.Contains(t, b.at.text, "No real Exchange has run these scripts")
	b.send("Download otj-3-rooms.ps1", nil)
	assert.Equal(t, `attachment; filename=otj-3-rooms.ps1`, b.at.header.Get("Content-Disposition"))
	assert.Contains(t, b.at.text, "New-TransportRule")
}

func TestAlarmsAreListed(t *testing.T) {
	w, live, systems := newOffice(t, "Board "+hostile, "Fjord")
	b := w.signIn("ann@acme.example")
	st := full(time.Now().UTC())
	st.Room.Alarms = nil
	live.states[systems[0].ID], live.states[systems[1].ID] = st, st
	b.open("alarms")
	assert.Contains(t, b.at.text, "No alarms")
	live.states[systems[0].ID] = full(time.Now().UTC())
	b.open("alarms")
	assert.Equal(t, 1, b.at.Find("#alarms tbody tr").Length())
	assert.Contains(t, b.at.text, "Its clock is wrong.")
	assert.Zero(t, b.at.Find("img[onerror], main script").Length())
	b.follow(oneLine("Board " + hostile))
	assert.Equal(t, "/o/"+w.acme.ID+"/rooms/"+systems[0].ID, b.at.url.Path)
}

func TestReadinessForThoseWhoMayOnlyRead(t *testing.T) {
	w, _, _ := newOffice(t, "Board")
	b := w.signInAs(control.AccessAdmin)
	b.open("alarms")
	assert.Equal(t, http.StatusOK, b.at.status)
	b.open("readiness")
	assert.Equal(t, http.StatusOK, b.at.status)
	token := b.at.Find("[name=csrf]").AttrOr("value", "")
	for _, do := range []string{"check", "report"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/o/"+w.acme.ID+"/readiness/"+do, strings.NewReader("csrf="+token+"&report=%5B%5D"))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		assert.Equal(t, http.StatusForbidden, b.do(req).status, do)
	}
}
