package cisco_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// A slot that has failed is enabled again, one that was taken away is registered
// again, and an address of before is refused.
func TestFeedbackIsRepaired(t *testing.T) {
	d := start(t, nil)
	var down atomic.Bool
	var last atomic.Pointer[string]
	var f *cisco.Feedback
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		last.Store(&path)
		if down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		f.ServeHTTP(w, r)
	}))
	defer srv.Close()
	f, err := cisco.NewFeedback(srv.URL + "/fb")
	require.NoError(t, err)
	d.Trust(trusting(srv))
	ep := endpoint(t, d, &cisco.Options{Poll: 50 * time.Millisecond})
	require.NoError(t, f.Attach(ep, 2))
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { ep.Watch(ctx, func() {}) })
	is := func(state string) func() bool { return func() bool { return d.Webhooks()[2] == state } }
	require.Eventually(t, is("OK"), 10*time.Second, time.Millisecond)
	down.Store(true)
	d.DeleteBooking(0)
	require.Eventually(t, func() bool { return last.Load() != nil }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return slices.Contains(codes(ep), cisco.AlarmFeedback) }, 10*time.Second, time.Millisecond, "somebody should know")
	for _, a := range ep.Alarms() {
		assert.NotContains(t, a.Text, *last.Load(), "the path is a secret")
	}
	down.Store(false)
	require.Eventually(t, is("OK"), 10*time.Second, time.Millisecond, "enabled again")
	require.Eventually(t, func() bool { return !slices.Contains(codes(ep), cisco.AlarmFeedback) }, 10*time.Second, time.Millisecond)
	d.Deregister(2)
	require.Eventually(t, is("OK"), 10*time.Second, time.Millisecond, "registered again")
	cancel()
	wg.Wait()
	resp, err := srv.Client().Post(srv.URL+*last.Load(), "text/xml", nil)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
}

func TestManagerComparesTheHardwareAddress(t *testing.T) {
	m, err := cisco.NewManager(nil)
	require.NoError(t, err)
	_, err = m.Device(cisco.ManagedDevice{Name: "Fjord", Path: "secret-path-0123456789", MAC: "11:22:33:44:55:66"})
	require.NoError(t, err)
	for mac, want := range map[string]int{"11-22-33-44-55-66": 200, "112233445566": 200, "11:22:33:44:55:67": 403, "": 403} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("POST", "/secret-path-0123456789", strings.NewReader("<PostEvent><Identification><MACAddress>"+mac+"</MACAddress></Identification></PostEvent>")))
		assert.Equal(t, want, w.Code, mac)
	}
}

func TestMacroCodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := cisco.NewMacroServer("https://otj.example.com/m", &cisco.MacroOptions{CodeFor: time.Hour})
		require.NoError(t, err)
		_, err = s.Device("fjord")
		require.NoError(t, err)
		code, err := s.NewCode(t.Context(), "fjord")
		require.NoError(t, err)
		time.Sleep(61 * time.Minute)
		r := httptest.NewRequest("POST", "/m/fjord/enrol", strings.NewReader("code="+string(code)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		assert.Equal(t, http.StatusForbidden, w.Code)
	})
}

// Of a list that is too much for a device it gets the next meetings, and an alarm
// says so without a word of theirs.
func TestTooMuchForTheDevice(t *testing.T) {
	d := start(t, &ciscotest.Options{Capacity: 6})
	ep := endpoint(t, d, &cisco.Options{Push: cisco.PushBookings})
	require.NoError(t, ep.Show(t.Context(), someMeetings(10)))
	require.Len(t, d.Bookings(), 5)
	assert.Equal(t, "otj-m000", d.Bookings()[0].ID)
	require.Equal(t, []string{cisco.AlarmCapacity}, codes(ep))
	assert.Contains(t, ep.Alarms()[0].Text, "refused 10 meetings")
	require.NoError(t, ep.Show(t.Context(), someMeetings(3)))
	assert.Empty(t, codes(ep))
}

// A device that repeats what it was given puts nothing of it into errors, alarms
// and the log.
func TestEchoIsRedacted(t *testing.T) {
	for name, newEndpoint := range map[string]func(*ciscotest.Device, *cisco.Options) (*cisco.Endpoint, error){
		"https": overHTTPS,
		"websocket": func(d *ciscotest.Device, o *cisco.Options) (*cisco.Endpoint, error) {
			return cisco.NewWebSocket(d.Addr(), password(d), cisco.SocketHeader, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, nil)
			d.SetFault(ciscotest.FaultEcho)
			ep, err := newEndpoint(d, &cisco.Options{Fingerprint: d.Fingerprint(), Push: cisco.PushBookings})
			require.NoError(t, err)
			meetings := someMeetings(3)
			for i := range meetings {
				meetings[i].Title = "Zebrafish takeover"
			}
			err = ep.Show(t.Context(), meetings)
			require.ErrorIs(t, err, otj.ErrRejected)
			for _, secret := range []string{"Zebra", "Ada Example", dialable[0].URI[4:]} {
				assert.NotContains(t, err.Error(), secret)
			}
			assert.Contains(t, err.Error(), "[redacted]")
		})
	}
}
