package cisco_test

import (
	"context"
	"encoding/base64"
	"net/http/httptest"
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

// A workspace stands for the room device in it, whichever that is.
func TestCloudWorkspace(t *testing.T) {
	fake := ciscotest.NewCloud("bot", "")
	srv := httptest.NewTLSServer(fake)
	defer srv.Close()
	old, replaced := ciscotest.New(nil), ciscotest.New(nil)
	fake.Add("old", old)
	fake.Add("new", replaced)
	place := base64.RawStdEncoding.EncodeToString([]byte("ciscospark://us/PLACE/5101b07b-4f8f-4ef7-b565-db19c7b723f7"))
	ep, err := cisco.NewCloud(place, cisco.BotToken("bot"), &cisco.CloudOptions{BaseURL: srv.URL + "/v1", Client: srv.Client()}, nil)
	require.NoError(t, err)
	err = ep.Show(t.Context(), someMeetings(2))
	require.ErrorIs(t, err, otj.ErrNotDevice, "there is no such workspace")

	fake.Place(place, "old")
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
	assert.Len(t, old.Bookings(), 2)
	fake.Remove("old")
	fake.Place(place, "new")
	require.ErrorIs(t, ep.Show(t.Context(), someMeetings(2)), otj.ErrNotDevice)
	require.NoError(t, ep.Show(t.Context(), someMeetings(2)), "the one that has replaced it")
	assert.Len(t, replaced.Bookings(), 2)

	fake.Add("old", old)
	fake.Place(place, "old", "new")
	ep, err = cisco.NewCloud(place, cisco.BotToken("bot"), &cisco.CloudOptions{BaseURL: srv.URL + "/v1", Client: srv.Client()}, nil)
	require.NoError(t, err)
	require.ErrorContains(t, ep.Show(t.Context(), nil), "2 room devices")
}

// What is wrong between this machine and Webex is not looked for at the device.
func TestCloudOutOfReach(t *testing.T) {
	srv := httptest.NewTLSServer(ciscotest.NewCloud("bot", ""))
	defer srv.Close()
	fix := func() string {
		ep, err := cisco.NewCloud("device", cisco.BotToken("bot"), &cisco.CloudOptions{BaseURL: srv.URL + "/v1"}, nil)
		require.NoError(t, err)
		var e *otj.EndpointError
		require.ErrorAs(t, ep.Show(t.Context(), nil), &e)
		return e.Fix
	}
	assert.Contains(t, fix(), "ca_file")
	srv.Close()
	assert.Contains(t, fix(), "reaches Webex")
}

// A device that has lost its bookings in a call, and says nothing of it, has them
// again after the call.
func TestLostInACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w := startOn(t, nil)
		defer d.Close()
		ep, err := cisco.NewWebSocket("device.example", password(d), cisco.SocketHeader, &cisco.Options{Fingerprint: d.Fingerprint(), Dial: w.dial})
		require.NoError(t, err)
		require.NoError(t, ep.Show(t.Context(), someMeetings(2)))
		ctx, cancel := context.WithCancel(t.Context())
		done, woken := make(chan error, 1), atomic.Int32{}
		go func() { done <- ep.Watch(ctx, func() { woken.Add(1) }) }()
		time.Sleep(5 * time.Second)
		began := woken.Load()
		d.Call(false)
		time.Sleep(5 * time.Second)
		require.Equal(t, began, woken.Load())
		d.Call(true)
		time.Sleep(5 * time.Second)
		assert.Greater(t, woken.Load(), began)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
