package cisco_test

import (
	"html"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

// What is known of devices is from documents: an administrator can say that one
// is different.
func TestPullOptions(t *testing.T) {
	s, srv, err := macroServer(nil)
	require.NoError(t, err)
	defer srv.Close()
	ep, err := s.Device("fjord")
	require.NoError(t, err)
	d := ciscotest.New(nil)
	p := enrolled(t, s, srv, "fjord", d)
	require.NoError(t, ep.Show(t.Context(), nil))
	require.NoError(t, p.pull(t.Context()))
	require.True(t, ep.Dials(dialable[2]), "Teams, by default")
	require.NoError(t, ep.Set(cisco.PullOptions{WebRTC: cisco.WebRTCOff, Encryption: "On", MaxBookings: 2}))
	require.NoError(t, p.pull(t.Context()))
	assert.False(t, ep.Dials(dialable[2]))
	require.NoError(t, ep.Show(t.Context(), someMeetings(5)))
	require.NoError(t, p.pull(t.Context()))
	require.Len(t, d.Bookings(), 2)
	assert.Equal(t, "On", d.Bookings()[0].Encryption)
	assert.Equal(t, []string{cisco.AlarmCapacity}, []string{ep.Alarms()[0].Code})
	for _, o := range []cisco.PullOptions{{WebRTC: "always"}, {Encryption: "Maybe"}, {MaxBookings: -1}} {
		assert.Error(t, ep.Set(o), o)
	}
}

// The page for the installer has the same commands as the methods, and the one
// that fetches the macro writes no refusal into its file.
func TestMacroCommands(t *testing.T) {
	s, err := cisco.NewMacroServer("https://otj.example.com/m", nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/m/fjord/enrol", nil))
	page := html.UnescapeString(w.Body.String())
	commands := s.DeviceCommands()
	require.Contains(t, commands, `xCommand HttpClient Allow Hostname Add Expression: "^otj\.example\.com$"`)
	for _, c := range append(commands, s.FetchCommand("fjord", "CODE"), cisco.FetchHint) {
		assert.Contains(t, page, c)
	}
	assert.Equal(t, "curl -sS --fail -o otj.js -d code=abc https://otj.example.com/m/fjord/enrol", s.FetchCommand("fjord", "abc"))
	assert.Contains(t, cisco.FetchHint, "--cacert")
}

// Nobody knows which form of an empty list clears a device, so it can be chosen.
func TestManagerEmptyList(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		m, err := cisco.NewManager(nil)
		require.NoError(t, err)
		d := ciscotest.New(nil)
		ep, err := m.Device(cisco.ManagedDevice{Name: "Fjord", Path: "secret-path-0123456789", Serial: d.Serial(), ExplicitEmpty: explicit})
		require.NoError(t, err)
		ask := func() string {
			w := httptest.NewRecorder()
			m.ServeHTTP(w, httptest.NewRequest("POST", "/secret-path-0123456789", strings.NewReader(
				"\n <?xml version='1.0'?><Envelope><Body><PostEvent><Identification><SerialNumber>"+d.Serial()+"</SerialNumber></Identification><Event>Beat</Event></PostEvent></Body></Envelope>")))
			text, err := io.ReadAll(w.Body)
			require.NoError(t, err)
			require.Equal(t, 200, w.Code, string(text))
			return string(text)
		}
		assert.NotContains(t, ask(), "<Calendar", "not known yet: the device keeps what it has")
		require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
		assert.Contains(t, ask(), "<Booking ")
		require.NoError(t, ep.Show(t.Context(), nil))
		if explicit {
			assert.Contains(t, ask(), `<Calendar><Bookings xmlns="http://www.cisco.com/TelePresence/Bookings/1.0"></Bookings></Calendar>`)
		} else {
			assert.Contains(t, ask(), "<Calendar/>")
		}
	}
}
