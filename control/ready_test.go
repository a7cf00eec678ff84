package control_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

func found(list []readiness.Finding, check, subject string) string {
	var out []string
	for _, f := range list {
		if f.Check == check && f.Subject == subject {
			out = append(out, string(f.Result))
		}
	}
	return strings.Join(out, " ")
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	p := w.provider()
	m, s := w.office(p.ID)
	must(w.centre.CreateTenant(t.Context(), w.admin, w.acme.ID, "spare.example"))(t)
	files := must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(t)
	lab := must(w.centre.SaveMailbox(t.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: files.ID, Address: "lab@acme.example"}))(t)
	gone := must(w.centre.SaveMailbox(t.Context(), w.admin, control.Mailbox{Company: w.acme.ID, Provider: files.ID, Address: "gone@acme.example"}))(t)
	poly := must(w.centre.SaveSystem(t.Context(), w.admin, control.System{Company: w.acme.ID, Name: "Lab", Kind: control.Poly, Mailbox: lab.ID, Enabled: true}))(t)
	w.live.states[s.ID] = room(time.Now())
	w.live.findings[s.ID] = []readiness.Finding{{Check: "clock", Subject: "Boardroom", Result: readiness.Fail, Why: "It is wrong."}}
	w.live.errs[gone.ID] = &calendar.Error{Op: "read", Mailbox: gone.Address, Err: calendar.ErrNotFound}
	wrapped := meeting("a", "Sync", "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Facme.zoom.us%2Fj%2F98765432101&data=x", time.Now().UTC())
	w.live.events[lab.ID] = []calendar.Event{wrapped}

	steps := ""
	r, err := w.centre.Readiness(t.Context(), w.admin, w.acme.ID, func(done, total int) { steps += fmt.Sprintf("%d/%d ", done, total) })
	require.NoError(t, err)
	assert.Equal(t, "0/4 1/4 2/4 3/4 4/4 ", steps)
	assert.Equal(t, "pass", found(r.Findings, "domain", "acme.example"))
	assert.Equal(t, "warn", found(r.Findings, "domain", "spare.example"), "no provider uses it")
	assert.Equal(t, "fail", found(r.Findings, "consent", "Acme 365"))
	assert.Empty(t, found(r.Findings, "calendar", m.Address), "without consent it is not asked")
	assert.Equal(t, "pass", found(r.Findings, "calendar", lab.Address))
	assert.Equal(t, "pass", found(r.Findings, "link-rewriting", lab.Address))
	assert.Equal(t, "fail", found(r.Findings, "calendar", gone.Address))
	assert.Equal(t, "fail", found(r.Findings, "clock", "Boardroom"))
	assert.Equal(t, "unknown", found(r.Findings, "device", poly.Name))
	assert.Nil(t, r.Report)
	assert.True(t, slices.IsSortedFunc(r.Findings, func(a, b readiness.Finding) int {
		rank := map[readiness.Result]int{readiness.Fail: 0, readiness.Warn: 1, readiness.Unknown: 2, readiness.Pass: 3}
		return rank[a.Result] - rank[b.Result]
	}))

	report := []byte(`[{"PrimarySmtpAddress": "board@acme.example", "DeleteComments": true}, {"PrimarySmtpAddress": "other@globex.example", "DeleteComments": false}]`)
	in := must(w.centre.ImportReport(t.Context(), w.admin, w.acme.ID, report))(t)
	assert.Equal(t, 1, in.Info.Rooms)
	assert.Equal(t, []string{"other@globex.example"}, in.Unknown)
	assert.Equal(t, "fail", found(in.Findings, "delete-comments", m.Address))
	r = must(w.centre.Readiness(t.Context(), w.admin, w.acme.ID, nil))(t)
	require.NotNil(t, r.Report)
	assert.Equal(t, "ann@acme.example", r.Report.User)
	assert.Equal(t, "fail", found(r.Findings, "delete-comments", m.Address))
	in = must(w.centre.ImportReport(t.Context(), w.admin, w.acme.ID, report))(t) // once more
	assert.Equal(t, 1, in.Info.Rooms)

	for name, data := range map[string][]byte{
		"empty": nil, "nonsense": []byte("{["), "none of ours": []byte(`[{"PrimarySmtpAddress": "x@globex.example"}]`), "too large": make([]byte, control.MaxReport+1),
	} {
		_, err := w.centre.ImportReport(t.Context(), w.admin, w.acme.ID, data)
		assert.Equal(t, []string{"report"}, fieldsOf(t, err), name)
	}
	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	assert.ErrorIs(t, second(w.centre.ImportReport(t.Context(), weak, w.acme.ID, nil)), control.ErrDenied)
	assert.ErrorIs(t, second(w.centre.Readiness(t.Context(), weak, w.acme.ID, nil)), control.ErrDenied)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, second(w.centre.Readiness(stopped, w.admin, w.acme.ID, nil)), context.Canceled)
}

func TestScripts(t *testing.T) {
	w := newWorld(t, func(o *control.Options) { o.AppID = "11111111-2222-3333-4444-555555555555" })
	w.office(w.provider().ID)
	o := readiness.ScriptOptions{Group: "rooms@acme.example"}
	s := must(w.centre.Scripts(t.Context(), w.admin, w.acme.ID, o))(t)
	assert.Contains(t, s.Group, "'board@acme.example'")
	assert.Contains(t, s.AccessPolicy, "11111111-2222-3333-4444-555555555555")
	o.Group = "x'; Remove-Mailbox *; '"
	_, err := w.centre.Scripts(t.Context(), w.admin, w.acme.ID, o)
	assert.Equal(t, []string{"scripts"}, fieldsOf(t, err))
}
