package cisco_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
)

// node returns the folder with node_modules, or skips.
func node(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("OTJ_NODE")
	if dir == "" {
		t.Skip("OTJ_NODE is not set: it names a folder with node_modules, made by `npm ci` with .ci/package.json; .ci/run does so")
	}
	return dir
}

// Cisco's own client drives the simulated device over WebSocket and SSH.
func TestPeerJsxapi(t *testing.T) {
	dir := node(t)
	for _, way := range []string{"websocket", "ssh"} {
		t.Run(way, func(t *testing.T) {
			d := start(t, &ciscotest.Options{Password: "p/w+? ü"})
			url := "wss://" + d.Addr()
			if way == "ssh" {
				addr, err := d.StartSSH("")
				require.NoError(t, err)
				url = "ssh://" + addr
			}
			cmd := exec.CommandContext(t.Context(), "node", "testdata/node/drive.js", url, d.User(), d.Password())
			cmd.Env = append(os.Environ(), "OTJ_NODE="+dir, "NODE_TLS_REJECT_UNAUTHORIZED=0")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, "%s", &stderr)
			var got struct {
				List []struct{ ID, Title, Number string }
				Rows int
				Version, Name, Unknown,
				Parameter, Bad string
				Cleared bool
			}
			require.NoError(t, json.Unmarshal(out, &got), "%s", out)
			require.Len(t, got.List, 1)
			assert.Equal(t, "otj-x", got.List[0].ID)
			assert.Equal(t, "Grüße & <b>", got.List[0].Title)
			assert.Equal(t, "1@example.com", got.List[0].Number)
			assert.Equal(t, 1, got.Rows)
			assert.Equal(t, "ce11.14.4.0.simulated", got.Version)
			assert.Equal(t, "Renamed", got.Name)
			assert.Equal(t, "Unknown command", got.Unknown)
			assert.NotEqual(t, "no error", got.Parameter)
			assert.NotEqual(t, "no error", got.Bad)
			assert.True(t, got.Cleared)
			assert.Empty(t, d.Bookings())
		})
	}
}

// macroRun is the macro, running in Node with a device behind it.
type macroRun struct {
	*ciscotest.Macro
	t      *testing.T
	puts   chan string
	alerts chan string
}

func runMacro(t *testing.T, d *ciscotest.Device, source string, saved map[string]string) *macroRun {
	r := &macroRun{nil, t, make(chan string, 100), make(chan string, 100)}
	var stderr bytes.Buffer
	var err error
	r.Macro, err = d.RunMacro(t.Context(), source, &ciscotest.MacroOptions{
		Saved: saved, Stderr: &stderr, Put: func(body string) { r.puts <- body }, Alert: func(text string) { r.alerts <- text },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, r.Stop())
		if t.Failed() {
			t.Logf("the macro said: %s", &stderr)
		}
	})
	return r
}

func (r *macroRun) waitPut() {
	r.t.Helper()
	select {
	case <-r.puts:
	case <-time.After(20 * time.Second):
		require.FailNow(r.t, "the macro has not put the bookings within 20 s")
	}
}

// The macro runs in Node against the real server.
func TestPeerMacro(t *testing.T) {
	node(t)
	s, srv, err := macroServer(&cisco.MacroOptions{Interval: time.Second, ErrorAfter: time.Second, RenewAfter: time.Nanosecond})
	require.NoError(t, err)
	defer srv.Close()
	ep, err := s.Device("fjord")
	require.NoError(t, err)
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	source, err := fetchMacro(s, srv, "fjord")
	require.NoError(t, err)
	d := ciscotest.New(nil)
	saved := map[string]string{}
	r := runMacro(t, d, source, saved)
	r.waitPut()
	assert.Len(t, d.Bookings(), 2)

	require.NoError(t, ep.Show(t.Context(), someMeetings(3)))
	r.waitPut()
	assert.Len(t, d.Bookings(), 3)

	d.Reboot()
	require.NoError(t, r.Event("SyncRequired"))
	r.waitPut()
	assert.Len(t, d.Bookings(), 3)

	d.SetFault(ciscotest.FaultRefuse)
	require.NoError(t, ep.Show(t.Context(), someMeetings(1)))
	r.waitPut()
	assert.Eventually(t, func() bool { return len(ep.Alarms()) == 1 && ep.Alarms()[0].Code == cisco.AlarmPut }, 10*time.Second, 10*time.Millisecond)
	d.SetFault(ciscotest.FaultNone)
	r.waitPut()
	assert.Eventually(t, func() bool { return len(ep.Alarms()) == 0 }, 10*time.Second, 10*time.Millisecond)

	// A new run goes on with the token that was kept, not with its first one.
	assert.Contains(t, saved["otj-token"], `"token":"`)
	again := runMacro(t, d, source, saved)
	again.waitPut()

	// The enrolment is void: after the set time, and once, the device says so.
	_, err = fetchMacro(s, srv, "fjord")
	require.NoError(t, err)
	select {
	case text := <-r.alerts:
		assert.Equal(t, "The list of meetings may be out of date", text)
	case <-time.After(20 * time.Second):
		assert.Fail(t, "no message on the device")
	}
}
