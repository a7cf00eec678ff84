package ciscotest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// subscriber is a session that wants to hear of changes.
type subscriber struct {
	events chan change
}

type change struct {
	path []string // "Event", "Bookings", "Updated"
	node *roomos.Node
}

// webhook is a slot of HttpFeedback.
type webhook struct {
	url, state  string
	json        bool
	expressions []string
}

// publish tells everybody who has asked for it of an event or a changed value.
func (d *Device) publish(path, value string) {
	parts := strings.Split(path, "/")
	root := &roomos.Node{Name: parts[0]}
	n := root
	for _, p := range parts[1:] {
		next := &roomos.Node{Name: p}
		n.Kids = append(n.Kids, next)
		n = next
	}
	n.Text = value
	c := change{parts, root}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.subs {
		select {
		case s.events <- c:
		default: // as a device does for a session that does not read
		}
	}
	for slot, w := range d.webhooks {
		if w.state == "OK" && w.wants(parts) {
			d.background.Go(func() { d.post(slot, w.url, root) })
		}
	}
}

func (w *webhook) wants(parts []string) bool {
	for _, e := range w.expressions {
		if matches(parts, strings.Split(strings.Trim(e, "/"), "/")) {
			return true
		}
	}
	return false
}

func (d *Device) subscribe() *subscriber {
	s := &subscriber{events: make(chan change, 256)}
	d.mu.Lock()
	d.subs[s] = true
	d.mu.Unlock()
	return s
}

func (d *Device) unsubscribe(s *subscriber) {
	d.mu.Lock()
	delete(d.subs, s)
	d.mu.Unlock()
}

func (d *Device) register(args arguments) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.webhooks[args.number("FeedbackSlot", 0)] = &webhook{
		url: args.get("ServerUrl"), state: "OK", json: args.get("Format") == "JSON", expressions: args["Expression"],
	}
}

// Deregister takes a slot of HttpFeedback away, as another program on the device's
// API would.
func (d *Device) Deregister(slot int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.webhooks, slot)
}

// identification is how the device names itself in what it sends.
func (d *Device) identification() *roomos.Node {
	return &roomos.Node{Name: "Identification", Kids: []*roomos.Node{
		{Name: "SystemName", Text: d.opts.Name},
		{Name: "MACAddress", Text: d.opts.MAC},
		{Name: "IPAddress", Text: "192.0.2.5"},
		{Name: "ProductType", Text: "Cisco Codec"},
		{Name: "ProductID", Text: "Cisco " + d.opts.Product},
		{Name: "SWVersion", Text: d.opts.Version},
		{Name: "HWBoard"},
		{Name: "SerialNumber", Text: d.opts.Serial},
	}}
}

// post sends an event to a webhook. A slot whose server does not answer 200
// fails, until it is enabled again.
func (d *Device) post(slot int, url string, event *roomos.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	root := &roomos.Node{Name: event.Name, Kids: append([]*roomos.Node{d.identification()}, event.Kids...)}
	var b bytes.Buffer
	writeXML(&b, root)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, &b)
	if err == nil {
		req.Header.Set("Content-Type", "text/xml")
		var resp *http.Response
		if resp, err = d.client().Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", resp.StatusCode)
			}
		}
	}
	if err != nil {
		d.mu.Lock()
		if w := d.webhooks[slot]; w != nil && w.url == url {
			w.state = "Failed"
		}
		d.mu.Unlock()
	}
}

// Webhooks returns the state of each slot of HttpFeedback in use.
func (d *Device) Webhooks() map[int]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[int]string{}
	for slot, w := range d.webhooks {
		out[slot] = w.state
	}
	return out
}
