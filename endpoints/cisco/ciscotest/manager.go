package ciscotest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// CallManager makes the device call its External Manager, as it does on start
// ("Boot") and at every heartbeat ("Beat"). It returns the interval in seconds
// until the next heartbeat. A calendar in the answer replaces the bookings; an
// empty one clears them if that is how the device takes it.
func (d *Device) CallManager(ctx context.Context, url, event string, emptyClears bool) (heartbeat string, err error) {
	if d.unplugged.Load() {
		return "", fmt.Errorf("%s is not on the network", d.opts.Name)
	}
	text := func(n *roomos.Node) string {
		var b bytes.Buffer
		writeXML(&b, n)
		return b.String()
	}
	// The space before the declaration is as real devices send it.
	body := "\n<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" +
		`<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://www.tandberg.net/2004/11/SystemManagementService/">` +
		`<env:Body xmlns="http://www.tandberg.net/2004/11/SystemManagementService/"><PostEvent>` +
		text(d.identification()) + "<Event>" + event + "</Event></PostEvent></env:Body></env:Envelope>"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := d.client().Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", resp.StatusCode, data)
	}
	root, err := roomos.ParseXML(data)
	if err != nil {
		return "", err
	}
	result := root.Get("Body", "PostEventResponse", "PostEventResult")
	if result == nil {
		return "", fmt.Errorf("no PostEventResult in the answer")
	}
	if calendar := result.Get("Management", "Calendar"); calendar != nil {
		list := calendar.Get("Bookings")
		switch {
		case list != nil:
			bookings, err := parseLegacy(list)
			if err != nil {
				return "", err
			}
			d.replace(bookings)
		case emptyClears:
			d.replace(nil)
		}
	}
	return result.Value("HeartBeatInterval"), nil
}
