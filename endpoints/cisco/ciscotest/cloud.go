package ciscotest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Cloud simulates the Webex API for simulated devices: commands, statuses and
// the refresh of access tokens. It is an http.Handler, made with [NewCloud]. It
// was made from Cisco's public documentation alone: no independent client has
// called it.
type Cloud struct {
	mu      sync.Mutex
	devices map[string]*Device
	places  map[string][]string // the ids of devices, by the workspace
	access  map[string]bool
	refresh string
	retry   string
	calls   int
}

// NewCloud returns a Cloud that accepts the bot token, and that refresh token
// for client "client" with the secret "secret".
func NewCloud(bot, refresh string) *Cloud {
	return &Cloud{devices: map[string]*Device{}, places: map[string][]string{}, access: map[string]bool{bot: true}, refresh: refresh}
}

// Add makes a device known under an id.
func (c *Cloud) Add(id string, d *Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devices[id] = d
}

// Place puts the devices with those ids into a workspace, in place of those that
// are there, beside a touch panel that is no room device.
func (c *Cloud) Place(workspace string, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places[workspace] = ids
}

// Remove takes a device out of the cloud.
func (c *Cloud) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.devices, id)
}

// Revoke makes all access tokens void.
func (c *Cloud) Revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.access)
}

// Throttle answers everything with 429 and that Retry-After; empty ends it.
func (c *Cloud) Throttle(retryAfter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retry = retryAfter
}

// Calls is how many requests there were.
func (c *Cloud) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// ServeHTTP answers as Webex does, below /v1.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.calls++
	retry := c.retry
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	ok := c.access[token]
	c.mu.Unlock()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case retry != "":
		w.Header().Set("Retry-After", retry)
		problem(w, http.StatusTooManyRequests, "Too many requests")
	case r.URL.Path == "/v1/access_token":
		c.token(w, r)
	case !ok:
		problem(w, http.StatusUnauthorized, "The request requires a valid access token")
	case strings.HasPrefix(r.URL.Path, "/v1/xapi/command/") && r.Method == http.MethodPost:
		c.command(w, r)
	case r.URL.Path == "/v1/xapi/status" && r.Method == http.MethodGet:
		c.status(w, r)
	case r.URL.Path == "/v1/devices" && r.Method == http.MethodGet:
		c.list(w, r)
	default:
		problem(w, http.StatusNotFound, "Not found")
	}
}

func problem(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(marshal(map[string]string{"message": message, "trackingId": "SIM"}))
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(marshal(v))
}

func (c *Cloud) token(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.PostFormValue("grant_type") != "refresh_token" || r.PostFormValue("client_id") != "client" ||
		r.PostFormValue("client_secret") != "secret" || r.PostFormValue("refresh_token") != c.refresh {
		problem(w, http.StatusBadRequest, "invalid refresh token")
		return
	}
	token := rand.Text()
	c.access[token] = true
	answerJSON(w, map[string]any{"access_token": token, "expires_in": 3600, "refresh_token": c.refresh})
}

// list answers with the devices of a workspace.
func (c *Cloud) list(w http.ResponseWriter, r *http.Request) {
	type item struct {
		ID          string `json:"id"`
		WorkspaceID string `json:"workspaceId"`
		Type        string `json:"type"`
	}
	place := r.URL.Query().Get("workspaceId")
	c.mu.Lock()
	ids, ok := c.places[place]
	c.mu.Unlock()
	if !ok {
		problem(w, http.StatusNotFound, "Could not find a workspace with that id")
		return
	}
	items := []item{{"touch-panel", place, "accessory"}}
	for _, id := range ids {
		items = append(items, item{id, place, "roomdesk"})
	}
	answerJSON(w, map[string]any{"items": items})
}

// device finds the device, which must be on the network.
func (c *Cloud) device(w http.ResponseWriter, r *http.Request, id string) *Device {
	c.mu.Lock()
	d := c.devices[id]
	c.mu.Unlock()
	switch {
	case d == nil:
		problem(w, http.StatusNotFound, "Could not find a device with that id")
		return nil
	case d.unplugged.Load():
		problem(w, http.StatusBadGateway, "The device is not connected")
		return nil
	case !d.wait(r.Context().Done()):
		return nil
	case !d.admit(r.Context().Done(), 1):
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusTooManyRequests, "Too many requests")
		return nil
	}
	return d
}

func (c *Cloud) command(w http.ResponseWriter, r *http.Request) {
	var req struct {
		DeviceID  string                     `json:"deviceId"`
		Arguments map[string]json.RawMessage `json:"arguments"`
		Body      json.RawMessage            `json:"body"`
	}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &req)
	}
	if err != nil {
		problem(w, http.StatusBadRequest, "Invalid body")
		return
	}
	d := c.device(w, r, req.DeviceID)
	if d == nil {
		return
	}
	args := arguments{}
	for name, raw := range req.Arguments {
		args[name] = texts(raw)
	}
	body := string(req.Body)
	if strings.HasPrefix(body, `"`) {
		json.Unmarshal(req.Body, &body) //nolint:errcheck // it is a text
	}
	name := strings.TrimPrefix(r.URL.Path, "/v1/xapi/command/")
	res := d.run(Admin, strings.Split(name, "."), args, body)
	if res.status != "OK" {
		problem(w, http.StatusBadRequest, res.reason)
		return
	}
	answerJSON(w, map[string]any{"deviceId": req.DeviceID, "arguments": req.Arguments, "result": object(res.kids, false)})
}

func (c *Cloud) status(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("deviceId")
	d := c.device(w, r, id)
	if d == nil {
		return
	}
	var root *roomos.Node
	path := strings.Split(strings.TrimSuffix(r.URL.Query().Get("name"), ".*"), ".")
	root = d.tree("Status", path)
	answerJSON(w, map[string]any{"deviceId": id, "result": object(root.Kids, false)})
}
