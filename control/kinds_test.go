package control_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestSystemsThatDiffer(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	save := func(s control.System) (control.System, error) {
		s.Company, s.Name = w.acme.ID, "Board"
		return w.centre.SaveSystem(ctx, w.admin, s)
	}
	for field, bad := range map[string]control.System{
		"push":           {Kind: control.CiscoHTTPS, Push: "post"},
		"webrtc":         {Kind: control.CiscoMacro, WebRTC: "On"},
		"encryption":     {Kind: control.CiscoTMS, Encryption: "on"},
		"socket_auth":    {Kind: control.CiscoWebSocket, SocketAuth: "cookie"},
		"token_form":     {Kind: control.Poly, TokenForm: "half"},
		"feedback_slot":  {Kind: control.CiscoHTTPS, FeedbackSlot: 3},
		"max_bookings":   {Kind: control.CiscoWebex, MaxBookings: -1},
		"explicit_empty": {Kind: control.Feed, ExplicitEmpty: true},
		"url":            {Kind: control.Poly, URL: "https://acme.example/"},
	} {
		_, err := save(bad)
		assert.Equal(t, []string{field}, fieldsOf(t, err))
	}
	_, err := save(control.System{Kind: control.Poly, Push: control.PushLegacy, WebRTC: "on", Encryption: "On", SocketAuth: "subprotocol", FeedbackSlot: 1, MaxBookings: 5})
	assert.Equal(t, []string{"push", "webrtc", "encryption", "socket_auth", "feedback_slot", "max_bookings"}, fieldsOf(t, err), "of other kinds")
	_, err = save(control.System{Kind: control.CiscoHTTPS, MaxBookings: control.MaxMaxBookings + 1})
	assert.Equal(t, []string{"max_bookings"}, fieldsOf(t, err))

	// What is set is exported, and comes back the same.
	s := must(save(control.System{Kind: control.CiscoHTTPS, Host: "board.acme.example", Push: control.PushLegacy, WebRTC: "off", Encryption: "Off", MaxBookings: 20, FeedbackSlot: 4, TakeOver: true}))(t)
	table := must(w.centre.ExportSystems(ctx, w.admin, w.acme.ID))(t)
	same := must(w.centre.ImportSystems(ctx, w.admin, w.acme.ID, control.CSV{Data: table}))(t)
	assert.Equal(t, 1, same.Same, "%+v", same.Lines)
	require.NoError(t, w.centre.Remove(ctx, w.admin, "system", s.ID, s.Revision))
	in := must(w.centre.ImportSystems(ctx, w.admin, w.acme.ID, control.CSV{Data: table, Commit: true}))(t)
	require.True(t, in.Committed, "%+v", in.Lines)
	again := must(w.centre.Systems(ctx, w.admin, w.acme.ID, "", 1))(t).Items[0]
	again.Meta, s.Meta = control.Meta{}, control.Meta{}
	assert.Equal(t, s, again)
	wrong := must(w.centre.ImportSystems(ctx, w.admin, w.acme.ID, control.CSV{Data: []byte("name,max bookings,take over\nBoard,many,perhaps")}))(t)
	require.Len(t, wrong.Lines, 1)
	assert.Len(t, wrong.Lines[0].Problems, 2)
}

func TestWebhookSystem(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	m := must(w.centre.SaveMailbox(ctx, w.admin, control.Mailbox{Company: w.acme.ID, Provider: w.provider().ID, Address: "board@acme.example"}))(t)
	s := control.System{Company: w.acme.ID, Name: "Board", Kind: control.Webhook, Mailbox: m.ID, Enabled: true}
	for _, bad := range []string{"", "http://acme.example/", "https://192.168.0.1/x", "https://user:secret@acme.example/", "https://", "https://acme.example/…"} {
		s.URL = bad
		_, err := w.centre.SaveSystem(ctx, w.admin, s)
		assert.Equal(t, []string{"url"}, fieldsOf(t, err), "%q", bad)
	}
	s.URL = "https://rooms.acme.example/board?key=s3cret"
	s = must(w.centre.SaveSystem(ctx, w.admin, s))(t)
	assert.Empty(t, s.User, "it does not call")
	_, err := w.centre.SaveSystem(ctx, w.admin, s)
	require.NoError(t, err)
	require.ErrorAs(t, w.centre.SetPassword(ctx, w.admin, "system", s.ID, "mine"), new(*control.InvalidError))
	key := must(w.centre.NewPassword(ctx, w.admin, s.ID))(t)
	assert.GreaterOrEqual(t, len(key), 16)
	f := must(w.centre.Fleet(ctx, w.acme.ID))(t)
	require.Len(t, f.Systems, 1)
	assert.Equal(t, key, f.Systems[0].Password)
}

// Addresses that are as good as a password are whole for those alone who may
// configure, and not in the audit log.
func TestAddressesAreConcealed(t *testing.T) {
	w := newWorld(t, func(o *control.Options) { o.PrivateHooks = true })
	ctx := t.Context()
	const first, second = "https://calendar.example/s3cret-one/{mailbox}.ics?k=s3cret", "https://calendar.example/s3cret-two/{mailbox}.ics"
	p := must(w.centre.SaveProvider(ctx, w.admin, control.Provider{Company: w.acme.ID, Name: "Feed", Kind: control.ICSFeed, URL: first}))(t)
	assert.Equal(t, first, p.URL)
	p.URL = second
	p = must(w.centre.SaveProvider(ctx, w.admin, p))(t)
	s := must(w.centre.SaveSystem(ctx, w.admin, control.System{Company: w.acme.ID, Name: "Board", Kind: control.Webhook, URL: "https://rooms.example/s3cret"}))(t)
	h := must(w.centre.SaveAlarmHook(ctx, w.admin, control.AlarmHook{Company: w.acme.ID, Name: "Ops", URL: "https://chat.example/s3cret"}))(t)

	var log bytes.Buffer
	for _, e := range must(w.centre.Audit(ctx, w.admin, w.acme.ID, "", 50))(t).Items {
		log.Write(append(e.Before, e.After...))
	}
	assert.NotContains(t, log.String(), "s3cret")
	assert.Contains(t, log.String(), `"url":"https://calendar.example/…"`)
	assert.Contains(t, log.String(), `"url":"https://calendar.example/… (another)"`, "that it has changed is seen")

	reader := must(w.centre.CreateUser(ctx, w.admin, w.acme.ID, "ben@acme.example", "Ben"))(t)
	reader = must(w.centre.SetRole(ctx, w.admin, w.acme.ID, reader.ID, control.Admin, true))(t)
	limited := control.Actor{User: w.admin.User, Scopes: []control.Action{control.ReadCompany}}
	for _, a := range []control.Actor{{User: reader}, limited} {
		seen := []any{
			must(w.centre.Provider(ctx, a, p.ID))(t), must(w.centre.Providers(ctx, a, w.acme.ID))(t),
			must(w.centre.System(ctx, a, s.ID))(t), must(w.centre.Systems(ctx, a, w.acme.ID, "", 10))(t), must(w.centre.SystemLive(ctx, a, s.ID))(t),
			must(w.centre.AlarmHook(ctx, a, h.ID))(t), must(w.centre.AlarmHooks(ctx, a, w.acme.ID))(t),
			string(must(w.centre.ExportSystems(ctx, a, w.acme.ID))(t)),
		}
		data, err := json.Marshal(seen)
		require.NoError(t, err)
		assert.NotContains(t, string(data), "s3cret")
		assert.Equal(t, 2, strings.Count(string(data), "https://calendar.example/…"), "the host is seen")
	}
	// Nobody stores the short form by mistake.
	p.URL = must(w.centre.Provider(ctx, limited, p.ID))(t).URL
	_, err := w.centre.SaveProvider(ctx, w.admin, p)
	assert.Equal(t, []string{"url"}, fieldsOf(t, err))
}
