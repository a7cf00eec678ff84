package cisco_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

// However often a room changes, its device is called no more often than it takes.
func TestRateOfCalls(t *testing.T) {
	for name, c := range map[string]struct {
		options ciscotest.Options
		rate    float64
		burst   int
	}{
		"in a session":     {ciscotest.Options{}, 12, 8},
		"without sessions": {ciscotest.Options{NoSessions: true, OnPremises: true}, 1, 9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, w := startOn(t, &c.options)
				defer d.Close()
				ep, err := cisco.New("device.example", password(d), &cisco.Options{Fingerprint: d.Fingerprint(), Dial: w.dial})
				require.NoError(t, err)
				began := time.Now()
				for i := range 20 {
					for ep.Show(t.Context(), someMeetings(1+i%5)) != nil {
						require.Less(t, time.Since(began), time.Hour)
					}
				}
				calls := d.Stats().Requests
				require.Greater(t, calls, 40)
				assert.GreaterOrEqual(t, time.Since(began).Seconds(), float64(calls-c.burst)/c.rate, "%d calls", calls)
				assert.Zero(t, d.Stats().Refused)
				if c.options.NoSessions {
					assert.Zero(t, d.Stats().Delayed, "they wait here and not at the device")
				}
			})
		})
	}
}

// A device that has stopped calling is told of, until it calls again.
func TestSilentDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := cisco.NewManager(nil)
		require.NoError(t, err)
		d := ciscotest.New(nil)
		ep, err := m.Device(cisco.ManagedDevice{Name: "Fjord", Path: "secret-path-0123456789", Serial: d.Serial()})
		require.NoError(t, err)
		time.Sleep(3 * time.Minute)
		assert.Empty(t, ep.Alarms())
		time.Sleep(time.Minute)
		require.Len(t, ep.Alarms(), 1)
		assert.Equal(t, cisco.AlarmSilent, ep.Alarms()[0].Code)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("POST", "/secret-path-0123456789",
			strings.NewReader("<PostEvent><Identification><SerialNumber>"+d.Serial()+"</SerialNumber></Identification></PostEvent>")))
		require.Equal(t, 200, w.Code)
		assert.Empty(t, ep.Alarms())
	})
}
