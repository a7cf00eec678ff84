package control_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

const zoomMail = `From: Ann <ann@acme.example>
Subject: Budget
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Join Zoom Meeting
https://acme.zoom.us/j/98765432101?pwd=c2VjcmV0dG9rZW4
Meeting ID: 987 6543 2101
Passcode: 445566
`

func TestRulesOnAnInvite(t *testing.T) {
	w := newWorld(t)
	draft := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	got := must(w.centre.TestRules(t.Context(), w.admin, draft, control.Invite{Data: []byte(zoomMail)}))(t)
	require.Len(t, got, 1)
	r := got[0]
	assert.Equal(t, "Budget", r.Subject)
	assert.Equal(t, "Ann", r.Organizer)
	assert.True(t, r.Found)
	assert.Equal(t, "zoom", r.Service)
	assert.Equal(t, "98765432101", r.MeetingID)
	assert.Contains(t, r.Dial, "sip:98765432101")
	assert.Equal(t, "Budget", r.Title)
	assert.Empty(t, r.Why)
	assert.NotEmpty(t, r.Trace.Rules)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	for _, secret := range []string{"445566", "c2VjcmV0dG9rZW4"} {
		assert.NotContains(t, string(text), secret)
	}

	got = must(w.centre.TestRules(t.Context(), w.admin, draft, control.Invite{Data: []byte(zoomMail), Secrets: true}))(t)
	assert.Equal(t, "445566", got[0].Passcode)
	assert.Contains(t, got[0].Dial, "445566")

	// A rule that is not stored decides.
	draft.Rules = `[{"name": "ours", "priority": 1, "type": "regex_re2", "match": "zoom\\.us/j/(\\d+)", "replace": "\\1@vc.acme.example"}]`
	got = must(w.centre.TestRules(t.Context(), w.admin, draft, control.Invite{Data: []byte(zoomMail)}))(t)
	assert.Equal(t, "ours", got[0].Rule)
	assert.Equal(t, "sip:98765432101@vc.acme.example", got[0].Dial)
	assert.Equal(t, "ours", got[0].Trace.Decided)
	assert.Empty(t, must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t).Rules, "nothing is stored")

	// Also one that puts the passcode where nobody expects it.
	draft.Rules = `[{"name": "odd", "priority": 1, "type": "zoom", "transform": "https://gw.acme.example/{{ meeting_id }}/{{ passcode }}"}]`
	got = must(w.centre.TestRules(t.Context(), w.admin, draft, control.Invite{Data: []byte(zoomMail)}))(t)
	assert.Equal(t, "odd", got[0].Rule)
	text, err = json.Marshal(got)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "445566")

	got = must(w.centre.TestRules(t.Context(), w.admin, draft, control.Invite{Data: []byte("Lunch at noon")}))(t)
	assert.False(t, got[0].Found)
	assert.Contains(t, got[0].Why, "no address found")
}

func TestRulesRefuses(t *testing.T) {
	w := newWorld(t)
	draft := must(w.centre.Processing(t.Context(), w.admin, w.acme.ID))(t)
	mail := control.Invite{Data: []byte(zoomMail)}
	for name, c := range map[string]struct {
		change func(p *control.Processing, in *control.Invite)
		field  string
	}{
		"empty":     {func(_ *control.Processing, in *control.Invite) { in.Data = nil }, "invite"},
		"a PDF":     {func(_ *control.Processing, in *control.Invite) { in.Data = []byte("%PDF-1.7") }, "invite"},
		"too large": {func(_ *control.Processing, in *control.Invite) { in.Data = make([]byte, control.MaxInvite+1) }, "invite"},
		"many events": {func(_ *control.Processing, in *control.Invite) {
			in.Data = []byte("BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260101T100000Z\r\nEND:VEVENT\r\n", 51) + "END:VCALENDAR\r\n")
		}, "invite"},
		"broken rules": {func(p *control.Processing, _ *control.Invite) { p.Rules = "[" }, "rules"},
		"bad settings": {func(p *control.Processing, _ *control.Invite) { p.Settings.DaysAhead = -1 }, "settings"},
		"bad domains":  {func(p *control.Processing, _ *control.Invite) { p.OwnDomains = []string{"x"} }, "own_domains.0"},
		"alien system": {func(_ *control.Processing, in *control.Invite) { in.System = "elsewhere" }, "system"},
	} {
		p, in := draft, mail
		c.change(&p, &in)
		_, err := w.centre.TestRules(t.Context(), w.admin, p, in)
		assert.Equal(t, []string{c.field}, fieldsOf(t, err), name)
	}

	// Passcodes are for those who may see subjects.
	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	_, err := w.centre.TestRules(t.Context(), weak, draft, control.Invite{Data: []byte(zoomMail), Secrets: true})
	assert.ErrorIs(t, err, control.ErrDenied)
	must(w.centre.TestRules(t.Context(), weak, draft, mail))(t)
}
