package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
)

func TestAlarmHooks(t *testing.T) {
	w := newWorld(t, func(o *control.Options, _ *console.Options) { o.PrivateHooks = true })
	b := w.signIn("ann@acme.example")
	b.open("hooks")
	assert.Contains(t, b.at.text, "Nobody is told yet")
	b.follow("Add an address")
	b.send("Add the address", map[string][]string{"name": v("Tickets"), "url": v("http://tickets.example/")})
	assert.Len(t, b.at.problems(), 1)

	// The receiver's certificate is not one that the server trusts.
	receiver := httptest.NewTLSServer(http.NotFoundHandler())
	defer receiver.Close()
	b.send("Add the address", map[string][]string{"url": v(strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1) + "/<hook>")})
	first := b.at.Find("#key").Text()
	assert.Len(t, first, 43)
	b.follow("Done")
	assert.NotContains(t, b.at.text, first)
	b.send("Send a test message", nil)
	assert.Contains(t, b.at.flash(), "did not arrive")
	assert.Contains(t, b.at.text, "Last one failed")
	b.follow("New key")
	b.send("New key", nil)
	assert.NotEqual(t, first, b.at.Find("#key").Text())
	b.follow("Done")
	b.send("Save", map[string][]string{"enabled": nil, "serious_only": v("on")})
	assert.Equal(t, "Tickets was saved.", b.at.flash())
	assert.Contains(t, b.at.text, "Off")
	b.follow("Delete Tickets")
	b.send("Delete Tickets", nil)
	assert.Contains(t, b.at.text, "Nobody is told yet")
}
