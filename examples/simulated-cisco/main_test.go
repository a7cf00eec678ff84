package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// The configuration that the example writes is sound, and its page has the
// screens of all devices.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	page := l.Addr().String()
	require.NoError(t, l.Close())
	dir := filepath.Join(t.TempDir(), "try")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, dir, page, io.Discard) }()
	var text string
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + page)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		text = string(b)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	for _, r := range rooms {
		assert.Contains(t, text, "== "+r.name)
	}
	c, err := app.Read(filepath.Join(dir, "otj.json"), app.Builders())
	require.NoError(t, err)
	assert.Len(t, c.Rooms, len(rooms))
	cal, err := os.ReadFile(filepath.Join(dir, "calendar.ics"))
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(cal), "BEGIN:VEVENT"))
	push := c.Rooms[0].Device
	ep, err := cisco.New(push.Address, cisco.Password{User: push.Username, Password: push.Password}, &cisco.Options{Fingerprint: push.Fingerprint})
	require.NoError(t, err)
	post := func(path string) int {
		resp, err := http.Post("http://"+page+path, "", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for _, s := range []struct {
		trouble string
		want    error
	}{{"foreign", otj.ErrForeignBookings}, {"reboot", nil}, {"user", otj.ErrUnauthorized}, {"admin", nil}, {"unplug", otj.ErrUnreachable}, {"plug", nil}} {
		require.Equal(t, http.StatusOK, post("/Push/"+s.trouble))
		now := time.Now().UTC()
		assert.ErrorIs(t, ep.Show(t.Context(), []otj.Meeting{{ID: s.trouble, Title: s.trouble, Start: now, End: now.Add(time.Hour)}}), s.want, s.trouble)
	}
	assert.Equal(t, http.StatusOK, post("/Socket/no-websocket"))
	var setup strings.Builder
	require.NoError(t, c.Setup(t.Context(), "Socket", false, &setup))
	assert.Contains(t, setup.String(), "FollowHTTPService")
	assert.Equal(t, http.StatusNotFound, post("/Push/fire"))
	assert.Equal(t, http.StatusNotFound, post("/Pull/reboot"))
	cancel()
	require.NoError(t, <-done)
}
