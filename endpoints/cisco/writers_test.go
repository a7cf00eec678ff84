package cisco_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func codes(ep *cisco.Endpoint) []string {
	out := []string{}
	for _, a := range ep.Alarms() {
		out = append(out, a.Code)
	}
	return out
}

// What somebody has booked at the panel does not lock this program out of the
// device when it starts again.
func TestOursBesideForeignAfterARestart(t *testing.T) {
	d := start(t, nil)
	require.NoError(t, endpoint(t, d, nil).Show(t.Context(), someMeetings(2)))
	panel := d.Bookings()[0]
	panel.ID, panel.Title = "panel-1", "Booked at the panel"
	d.WriteForeign(append(d.Bookings(), panel)...)
	ep := endpoint(t, d, nil)
	require.NoError(t, ep.Show(t.Context(), someMeetings(3)))
	assert.Len(t, shown(d), 3)
	assert.Equal(t, []string{cisco.AlarmForeign}, codes(ep))
}

// A device that never was ours has nothing of ours to clear.
func TestNothingToShowOnAForeignDevice(t *testing.T) {
	d := start(t, nil)
	d.WriteForeign()
	ep := endpoint(t, d, nil)
	require.NoError(t, ep.Show(t.Context(), nil))
	assert.Equal(t, "tms-4711", d.Bookings()[0].ID, "left as it is")
	assert.Equal(t, []string{cisco.AlarmForeign}, codes(ep))
	require.ErrorIs(t, ep.Show(t.Context(), someMeetings(1)), otj.ErrForeignBookings)
}

// Two installations that write to one device are told of each other, though
// their bookings look alike.
func TestTwoWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w := startOn(t, nil)
		defer d.Close()
		writer := func() *cisco.Endpoint {
			ep, err := cisco.New("device.example", password(d), &cisco.Options{Fingerprint: d.Fingerprint(), Dial: w.dial})
			require.NoError(t, err)
			return ep
		}
		one, two := writer(), writer()
		test, prod := someMeetings(2), someMeetings(3)
		for i := range test {
			test[i].ID = "test" + test[i].ID
		}
		require.NoError(t, one.Show(t.Context(), prod))
		require.NoError(t, one.Show(t.Context(), prod[:2]), "a list that has got shorter")
		assert.Empty(t, codes(one))
		require.NoError(t, two.Show(t.Context(), test))
		require.NoError(t, one.Show(t.Context(), prod))
		require.Equal(t, []string{cisco.AlarmForeign}, codes(one))
		assert.Contains(t, one.Alarms()[0].Text, "another One-Touch Join")
		assert.Len(t, shown(d), 3)
		// It stays for an hour after the last time.
		time.Sleep(50 * time.Minute)
		require.NoError(t, two.Show(t.Context(), test))
		require.NoError(t, one.Show(t.Context(), prod))
		time.Sleep(50 * time.Minute)
		require.NoError(t, one.Show(t.Context(), prod))
		assert.Equal(t, []string{cisco.AlarmForeign}, codes(one))
		time.Sleep(11 * time.Minute)
		require.NoError(t, one.Show(t.Context(), prod))
		assert.Empty(t, codes(one))
	})
}

// A device that is registered with Webex later is then pushed to as such.
func TestRegisteredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w := startOn(t, &ciscotest.Options{OnPremises: true})
		defer d.Close()
		ep, err := cisco.New("device.example", password(d), &cisco.Options{Fingerprint: d.Fingerprint(), Dial: w.dial})
		require.NoError(t, err)
		require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
		assert.Equal(t, 1, d.Stats().Legacy)
		assert.False(t, ep.Dials(dialable[2]))
		d.SetStatus("Webex/Status", "Registered")
		time.Sleep(61 * time.Minute)
		require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
		assert.Equal(t, 1, d.Stats().Legacy, "no longer the older way")
		assert.True(t, ep.Dials(dialable[2]), "Teams by WebRTC")
	})
}

// The secrets of an integration go nowhere but to Webex.
func TestIntegrationFollowsNoRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the secrets were sent elsewhere") }))
	defer other.Close()
	srv := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	before := http.DefaultTransport
	http.DefaultTransport = srv.Client().Transport
	defer func() { http.DefaultTransport = before }()
	in, err := cisco.NewIntegration("client", "TopSecret", "TopSecret2", &cisco.IntegrationOptions{BaseURL: srv.URL + "/v1"})
	require.NoError(t, err)
	_, err = in.Token(t.Context(), "")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "TopSecret")
}
