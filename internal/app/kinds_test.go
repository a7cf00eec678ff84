package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/endpoints/feed"
)

// Every value that the control centre takes for a device that differs is one that
// the devices' packages take too, and has its place there.
func TestValuesOfSystems(t *testing.T) {
	dir, _ := siteFolder(t)
	s, err := newSite(SiteConfig{URL: "https://otj.fabrikam.example", State: dir})
	require.NoError(t, err)
	for _, kind := range control.SystemKinds {
		plain := control.FleetSystem{
			System:     control.System{Kind: kind, Host: "192.0.2.1", DeviceID: "id", Serial: "FTT1", URL: "https://rooms.fabrikam.example/"},
			DeviceUser: "otj", Password: "a-long-enough-secret",
		}
		plain.ID = "system1"
		ordinary := deviceOfSystem(plain)
		values := map[string][]string{"max_bookings": {"5"}, "explicit_empty": {"true"}}
		for field, list := range control.SystemValues {
			values[field] = list
		}
		for field, list := range values {
			if !kind.Has(field) {
				continue
			}
			for _, value := range list {
				set := map[string]any{field: value}
				if n, err := strconv.Atoi(value); err == nil {
					set[field] = n
				} else if value == "true" {
					set[field] = true
				}
				text, err := json.Marshal(set)
				require.NoError(t, err)
				differs := plain
				require.NoError(t, json.Unmarshal(text, &differs.System))
				d := deviceOfSystem(differs)
				assert.NotEqual(t, ordinary, d, "%s: %s", kind, field)
				_, err = Builders()[d.Type](s, "Board", d)
				require.NoError(t, err, "%s: %s: %s", kind, field, value)
			}
		}
	}
}

// receiver is a program that takes the meetings of a webhook.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	key    calendar.Secret
	pushed feed.Push
	forged bool
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil || feed.Verify(r.key, req.Header, body, time.Now()) != nil || json.Unmarshal(body, &r.pushed) != nil {
			r.forged = true
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestWebhookOfACompany(t *testing.T) {
	r := newReceiver(t)
	address := strings.Replace(r.URL, "127.0.0.1", "localhost", 1) + "/fjord?key=s3cret"
	f := startFabrikam(t, localConfig(t), Builders())
	s, err := f.centre.SaveSystem(t.Context(), f.ann, control.System{Company: f.org.ID, Name: "Fjord", Kind: control.Webhook, Mailbox: f.box.ID, URL: address, Enabled: true})
	require.NoError(t, err)
	f.eventually(func() bool {
		state, err := f.live.State(s.ID)
		return err == nil && strings.Contains(state.Problem, "no credentials yet")
	}, "it waits for its key")
	key, err := f.centre.NewPassword(t.Context(), f.ann, s.ID)
	require.NoError(t, err)
	f.eventually(func() bool {
		state, err := f.live.State(s.ID)
		return err == nil && strings.Contains(state.Room.Error, "inside of the server's own network")
	}, "a company's webhook does not lead into the server's network")
	state, err := f.live.State(s.ID)
	require.NoError(t, err)
	assert.NotContains(t, state.Room.Error, "s3cret")
	assert.Empty(t, r.pushed.Room)

	// Where the configuration allows it, it gets there.
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	r.mu.Lock()
	r.key = key
	r.mu.Unlock()
	f.app.mu.Lock()
	f.app.site.hooks = control.HookClient(true, &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12})
	f.app.mu.Unlock()
	s, err = f.centre.System(t.Context(), f.ann, s.ID)
	require.NoError(t, err)
	s.URL += "&again"
	s, err = f.centre.SaveSystem(t.Context(), f.ann, s)
	require.NoError(t, err)
	f.eventually(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.pushed.Meetings) > 0
	}, "the receiver has the meetings")
	f.upToDate(s)
	assert.False(t, r.forged)
	steps, err := f.live.Setup(t.Context(), s.ID)
	require.NoError(t, err)
	require.Len(t, steps, 2)
	assert.Contains(t, steps[1].Lines[0], feed.SignatureHeader)
}

// A system whose password comes in a second step is not called left out; one that
// cannot be kept is, once.
func TestLeftOutIsSaidOnceAndTruly(t *testing.T) {
	f := startFabrikam(t, localConfig(t), newDevices().builders())
	var mu sync.Mutex
	var log bytes.Buffer
	f.app.mu.Lock()
	f.app.log = slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	f.app.mu.Unlock()
	said := func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
	s, _ := f.add(control.System{Name: "Fjord", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"})
	f.upToDate(s)
	waits, err := f.centre.SaveSystem(t.Context(), f.ann, control.System{Company: f.org.ID, Name: "Later", Kind: control.CiscoHTTPS, Mailbox: f.box.ID, Host: "192.0.2.2", User: "otj", Enabled: true})
	require.NoError(t, err)
	f.eventually(func() bool { return strings.Contains(said(), "waits for its credentials") }, "an Info")
	assert.NotContains(t, said(), "level=WARN")
	twin, _ := f.add(control.System{Name: "Twin", Kind: control.CiscoHTTPS, Host: "192.0.2.1", User: "otj"})
	f.eventually(func() bool { return strings.Contains(said(), "left out") }, "a Warn")
	assert.Contains(t, said(), twin.ID)
	require.NoError(t, f.centre.SetPassword(t.Context(), f.ann, "system", waits.ID, "secret-of-the-device"))
	f.upToDate(waits)
	assert.Equal(t, 1, strings.Count(said(), "level=WARN"), said())
}

// writer is a function that writes.
type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
