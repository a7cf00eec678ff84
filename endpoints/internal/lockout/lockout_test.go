package lockout

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAddressesAreBounded(t *testing.T) {
	var g Guard
	for i := range maxAddresses + 500 {
		g.Refuse(nil, fmt.Sprint(i))
	}
	assert.LessOrEqual(t, len(g.failures), maxAddresses)
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1000": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[2001:db8::1]:1": "2001:db8::/64",
		"[2001:db8::ffff:1]:2": "2001:db8::/64", "[2001:db8:0:1::1]:1": "2001:db8:0:1::/64", "pipe": "pipe", "name:1": "name",
	} {
		assert.Equal(t, want, Address(&http.Request{RemoteAddr: remote}), remote)
	}
}

func TestClientIsNotLockedOutByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Guard
		c := NewClient()
		c.Accept("proxy")
		for i := range ClientBurst + 1 {
			g.Refuse(c, fmt.Sprint("elsewhere ", i))
			g.Refuse(nil, "proxy")
		}
		assert.True(t, g.Locked(nil, "proxy"))
		assert.True(t, g.Locked(c, "new"), "its name was tried too often")
		assert.False(t, g.Locked(c, "proxy"))
		time.Sleep(ClientEvery)
		assert.False(t, g.Locked(c, "new"))
		for range AddressBurst {
			g.Refuse(c, "proxy")
		}
		assert.True(t, g.Locked(c, "proxy"), "now it has tried itself")
	})
}
