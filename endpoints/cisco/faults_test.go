package cisco_test

import (
	"context"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

func endpoint(t testing.TB, d *ciscotest.Device, o *cisco.Options) *cisco.Endpoint {
	t.Helper()
	if o == nil {
		o = &cisco.Options{}
	}
	o.Fingerprint = d.Fingerprint()
	ep, err := cisco.New(d.Addr(), password(d), o)
	require.NoError(t, err)
	return ep
}

// Each way to fail has its error, and a sentence that says what to do.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(d *ciscotest.Device)
		want  error
		text  string // in the error
		fix   string // in the fix
	}{
		"password":      {func(d *ciscotest.Device) { d.SetAccount("admin", "other", ciscotest.Admin) }, otj.ErrUnauthorized, "401", "password"},
		"role":          {func(d *ciscotest.Device) { d.SetAccount("admin", d.Password(), ciscotest.User) }, otj.ErrUnauthorized, "403", "role Admin"},
		"sign-in page":  {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultSignInPage) }, otj.ErrUnauthorized, "sign-in page", "password"},
		"redirect":      {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultRedirect) }, otj.ErrUnauthorized, "redirected", "password"},
		"no device":     {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultNotDevice) }, otj.ErrNotDevice, "404", "HTTP Mode"},
		"certificate":   {func(d *ciscotest.Device) { d.RenewCertificate() }, otj.ErrCertificate, "fingerprint", "Compare the fingerprint"},
		"rate limit":    {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultBusy) }, otj.ErrBusy, "503", ""},
		"refused":       {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultRefuse) }, otj.ErrRejected, "Could not store", ""},
		"parameter":     {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultParameter) }, otj.ErrRejected, "Number: not valid", "one of the values"},
		"empty command": {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultEmptyCommand) }, otj.ErrRejected, "no result", ""},
		"teams rooms":   {func(d *ciscotest.Device) { d.SetTeamsRooms(true) }, otj.ErrRejected, "MicrosoftTeams", "Teams Rooms mode"},
		"truncated":     {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultTruncated) }, cisco.ErrTruncated, "cut off", "proxy"},
		"endless":       {func(d *ciscotest.Device) { d.SetFault(ciscotest.FaultEndless) }, otj.ErrNotDevice, "more than", ""},
		"off":           {func(d *ciscotest.Device) { d.SetConfig("NetworkServices/HTTP/Mode", "Off") }, otj.ErrUnreachable, "", "HTTP Mode"},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, nil)
			ep := endpoint(t, d, nil)
			c.fault(d)
			err := ep.Show(t.Context(), someMeetings(2))
			require.ErrorIs(t, err, c.want)
			var e *otj.EndpointError
			require.ErrorAs(t, err, &e)
			assert.Contains(t, err.Error(), c.text)
			assert.Contains(t, e.Fix, c.fix)
			assert.NotContains(t, err.Error(), d.Password())
			assert.Empty(t, d.Bookings())
		})
	}
}

// Something that is there and does not speak TLS is not called silent.
func TestNoTLS(t *testing.T) {
	plain := httptest.NewServer(nil)
	defer plain.Close()
	closes, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer closes.Close()
	go func() {
		for {
			c, err := closes.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096)) // a close with something unread is a reset
			_ = c.Close()
		}
	}()
	creds := cisco.Password{User: "otj", Password: "x"}
	for at, want := range map[string]error{plain.Listener.Addr().String(): otj.ErrNotDevice, closes.Addr().String(): otj.ErrUnreachable} {
		https, err := cisco.New(at, creds, nil)
		require.NoError(t, err)
		socket, err := cisco.NewWebSocket(at, creds, cisco.SocketHeader, nil)
		require.NoError(t, err)
		for _, ep := range []*cisco.Endpoint{https, socket} {
			err := ep.Show(t.Context(), nil)
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, "something ")
			require.ErrorContains(t, err, "not speak TLS")
			var e *otj.EndpointError
			require.ErrorAs(t, err, &e)
			assert.Contains(t, e.Fix, "NetworkServices HTTP Mode")
		}
	}
}

// A device without its WebSocket is not called another thing, and the fix names
// the setting.
func TestNoWebSocket(t *testing.T) {
	d := start(t, nil)
	d.SetConfig("NetworkServices/Websocket", "Off")
	ep, err := cisco.NewWebSocket(d.Addr(), password(d), cisco.SocketHeader, &cisco.Options{Fingerprint: d.Fingerprint()})
	require.NoError(t, err)
	err = ep.Show(t.Context(), nil)
	require.ErrorIs(t, err, otj.ErrNotDevice)
	assert.NotContains(t, err.Error(), "not a device")
	var e *otj.EndpointError
	require.ErrorAs(t, err, &e)
	assert.Contains(t, e.Fix, "xConfiguration NetworkServices Websocket: FollowHTTPService")
}

// What a device sends over a WebSocket is bounded too.
func TestEndlessMessage(t *testing.T) {
	d := start(t, nil)
	ep, err := cisco.NewWebSocket(d.Addr(), password(d), cisco.SocketHeader, &cisco.Options{Fingerprint: d.Fingerprint()})
	require.NoError(t, err)
	d.SetFault(ciscotest.FaultEndless)
	err = ep.Show(t.Context(), someMeetings(2))
	require.ErrorIs(t, err, otj.ErrNotDevice)
	assert.ErrorContains(t, err, "more than 4 MB")
}

func TestControlBytesAreNoFault(t *testing.T) {
	d := start(t, nil)
	d.SetFault(ciscotest.FaultControlBytes)
	require.NoError(t, endpoint(t, d, nil).Show(t.Context(), someMeetings(2)))
	assert.Len(t, d.Bookings(), 2)
}

func TestCertificateByAuthority(t *testing.T) {
	d := start(t, nil)
	ep, err := cisco.New(d.Addr(), password(d), nil)
	require.NoError(t, err)
	err = ep.Show(t.Context(), nil)
	assert.ErrorIs(t, err, otj.ErrCertificate, "an authority that nobody knows")
	var shown interface{ CertificateFingerprint() string }
	require.ErrorAs(t, err, &shown)
	assert.Equal(t, d.Fingerprint(), shown.CertificateFingerprint(), "what is to be pinned")
	ep, err = cisco.New(d.Addr(), password(d), &cisco.Options{Fingerprint: shown.CertificateFingerprint()})
	require.NoError(t, err)
	require.NoError(t, ep.Show(t.Context(), nil))
	d.RenewCertificate()
	err = ep.Show(t.Context(), someMeetings(1))
	require.ErrorAs(t, err, &shown)
	assert.Equal(t, d.Fingerprint(), shown.CertificateFingerprint(), "the new one")
}

func TestForeignBookings(t *testing.T) {
	d := start(t, nil)
	d.SetConfig("Provisioning/Mode", "TMS")
	d.SetConfig("Provisioning/ExternalManager/Address", "tms.example.com")
	d.WriteForeign()
	ep := endpoint(t, d, nil)
	require.ErrorIs(t, ep.Show(t.Context(), someMeetings(2)), otj.ErrForeignBookings)
	require.Len(t, ep.Alarms(), 1)
	assert.Equal(t, cisco.AlarmForeign, ep.Alarms()[0].Code)
	assert.Contains(t, ep.Alarms()[0].Text, "TMS at tms.example.com")
	assert.Contains(t, ep.Alarms()[0].Text, "has 1 booking of")
	assert.Contains(t, ep.Alarms()[0].Text, `"take_over": true`)
	assert.Contains(t, ep.Alarms()[0].Text, "in the control centre")
	assert.Equal(t, "tms-4711", d.Bookings()[0].ID, "not overwritten")
	ep.TakeOver()
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	assert.Len(t, d.Bookings(), 2)
	// Once it is ours it is written to again, and an alarm stays for a while.
	d.WriteForeign()
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	assert.Equal(t, "otj-m000", d.Bookings()[0].ID)
	require.Len(t, ep.Alarms(), 1)
}

func TestUnchangedIsNotPutAgain(t *testing.T) {
	d := start(t, nil)
	ep := endpoint(t, d, nil)
	meetings := someMeetings(2) // others begin a minute later, if the minute ends meanwhile
	for range 3 {
		require.NoError(t, ep.Show(t.Context(), meetings))
	}
	s := d.Stats()
	assert.Equal(t, 1, s.Puts)
	assert.Zero(t, s.Refused)
	assert.Empty(t, s.Unknown, "keys that Cisco does not document")
}

// A device that refuses Bookings Put where it should know it is given the older
// form, and is not asked again until its software changes.
func TestFallback(t *testing.T) {
	d := start(t, &ciscotest.Options{Version: "ce11.14.4.0", OnPremises: true})
	ep := endpoint(t, d, nil)
	require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
	assert.Equal(t, 1, d.Stats().Legacy, "not registered with Webex: the older form")
	d = start(t, &ciscotest.Options{Version: "ce9.1.4"})
	ep = endpoint(t, d, &cisco.Options{Push: cisco.PushBookings})
	assert.ErrorIs(t, ep.Show(t.Context(), someMeetings(1)), otj.ErrRejected, "told to use what the device does not know")
}

func TestDials(t *testing.T) {
	teams := rules.Address{Scheme: rules.HTTPS, URI: "https://teams.microsoft.com/l/meetup-join/1"}
	meet := rules.Address{Scheme: rules.HTTPS, URI: "https://meet.google.com/abc-defg-hij"}
	h323 := rules.Address{Scheme: rules.H323, URI: "h323:192.0.2.1##1"}
	for _, c := range []struct {
		o           ciscotest.Options
		teams, meet bool
	}{
		{ciscotest.Options{Version: "ce9.15.17.4"}, false, false},
		{ciscotest.Options{Version: "RoomOS 10.19.4.2"}, true, false},
		{ciscotest.Options{Version: "ce11.14.4.0"}, true, true},
		{ciscotest.Options{Version: "ce11.14.4.0", OnPremises: true}, false, false},
		{ciscotest.Options{Version: "ce11.14.4.0", Product: "DX80"}, false, false},
	} {
		d := start(t, &c.o)
		ep := endpoint(t, d, nil)
		assert.False(t, ep.Dials(teams), "before the first contact")
		require.NoError(t, ep.Show(t.Context(), nil))
		assert.Equal(t, c.teams, ep.Dials(teams), c.o)
		assert.Equal(t, c.meet, ep.Dials(meet), c.o)
		assert.True(t, ep.Dials(h323))
	}
	d := start(t, nil)
	ep := endpoint(t, d, nil)
	d.SetConfig("NetworkServices/H323/Mode", "Off")
	require.NoError(t, ep.Show(t.Context(), nil))
	assert.False(t, ep.Dials(h323))
}

func TestScreen(t *testing.T) {
	d := start(t, nil)
	ms := someMeetings(2)
	ms[1].Join = rules.Address{}
	require.NoError(t, endpoint(t, d, nil).Show(t.Context(), ms))
	before, at := d.Screen(ms[0].Start.Add(-6*time.Minute)), d.Screen(ms[0].Start.Add(-5*time.Minute))
	assert.False(t, before[0].Button)
	assert.True(t, at[0].Button)
	assert.False(t, at[1].Joinable())
	assert.Contains(t, d.Panel(ms[0].Start), "[ Join ] now")
	assert.Empty(t, d.Screen(ms[1].End))
}

func TestCheckAndApply(t *testing.T) {
	d := start(t, &ciscotest.Options{Version: "ce9.15.17.4"})
	ep := endpoint(t, d, nil)
	found, err := ep.Check(t.Context(), cisco.WayMacro)
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, "xConfiguration Macros Mode: On", found[0].Command)
	assert.Equal(t, "Off", d.Config("Macros/Mode"), "Check changes nothing")
	require.NoError(t, ep.Apply(t.Context(), found))
	assert.Equal(t, "On", d.Config("Macros/Mode"))
	found, err = ep.Check(t.Context(), cisco.WayMacro)
	require.NoError(t, err)
	assert.Empty(t, found)
	found, err = ep.Check(t.Context(), cisco.WayWebSocket)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "xConfiguration NetworkServices Websocket: FollowHTTPService", found[0].Command)
	assert.Equal(t, cisco.FindingConfig, found[0].Code)
}

// Who looks at a device before the service runs learns that it will be left alone.
func TestCheckFindsBookingsOfOthers(t *testing.T) {
	d := start(t, nil)
	d.SetConfig("Provisioning/Mode", "TMS")
	d.WriteForeign()
	before := d.Bookings()
	found, err := endpoint(t, d, nil).Check(t.Context(), cisco.WayHTTPS)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, cisco.FindingForeign, found[0].Code)
	assert.Contains(t, found[0].Text, "TMS")
	assert.Equal(t, before, d.Bookings(), "Check changes nothing")
	ep := endpoint(t, d, nil)
	ep.TakeOver()
	found, err = ep.Check(t.Context(), cisco.WayHTTPS)
	require.NoError(t, err)
	assert.Empty(t, found, "they are to be replaced")
}

func TestCheckOfTheClock(t *testing.T) {
	d := start(t, nil)
	codes := func() (out []string) {
		found, err := endpoint(t, d, nil).Check(t.Context(), cisco.WayHTTPS)
		require.NoError(t, err)
		for _, f := range found {
			out = append(out, f.Code)
		}
		return out
	}
	d.SetStatus("NetworkServices/NTP/Status", "Synced")
	assert.Empty(t, codes())
	d.SetSkew(50 * time.Second)
	assert.Empty(t, codes(), "within a minute")
	d.SetSkew(-70 * time.Second)
	assert.Equal(t, []string{cisco.FindingClock}, codes())
	d.SetSkew(0)
	d.SetStatus("NetworkServices/NTP/Status", "Discarded")
	assert.Equal(t, []string{cisco.FindingNTP}, codes())
}

func TestFeedback(t *testing.T) {
	var f *cisco.Feedback
	d := start(t, nil)
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	f, err := cisco.NewFeedback(srv.URL + "/fb")
	require.NoError(t, err)
	srv.Config.Handler = f
	d.Trust(trusting(srv))
	ep := endpoint(t, d, &cisco.Options{Poll: time.Hour})
	require.Error(t, f.Attach(ep, 3))
	require.NoError(t, f.Attach(ep, 2))
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	ctx, cancel := context.WithCancel(t.Context())
	woken := make(chan struct{}, 10)
	var wg sync.WaitGroup
	wg.Go(func() { ep.Watch(ctx, func() { woken <- struct{}{} }) })
	assert.Eventually(t, func() bool { return len(d.Webhooks()) == 1 }, 10*time.Second, time.Millisecond)
	<-woken // what was learned at the first contact
	d.DeleteBooking(0)
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		assert.Fail(t, "not woken")
	}
	// The slot is still the one of before.
	assert.Equal(t, map[int]string{2: "OK"}, d.Webhooks())
	cancel()
	wg.Wait()
	assert.Empty(t, d.Webhooks())
}
