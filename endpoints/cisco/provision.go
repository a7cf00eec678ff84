package cisco

import (
	"context"
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Finding is something that a device needs and does not have.
type Finding struct {
	// Code names the kind of finding: FindingConfig, FindingClock, …
	Code string
	// Text says what is wrong, and Command is what an administrator can enter on
	// the device's terminal to set it right; it may be empty.
	Text, Command string

	path  []string
	value string
}

// The codes of findings.
const (
	FindingConfig = "configuration" // a setting of the device
	FindingWebex  = "webex"         // the device is not registered with Webex
	FindingClock  = "clock"         // the clock is wrong by more than a minute
	FindingNTP    = "ntp"           // the device has no time from a server
	// FindingForeign: the device has bookings of another system, which stay until
	// it is taken over.
	FindingForeign = "foreign-bookings"
)

// Way is one of the ways by which a device gets its meetings.
type Way string

// The ways.
const (
	WayHTTPS     Way = "https"
	WayWebSocket Way = "websocket"
	WayCloud     Way = "cloud"
	WayMacro     Way = "macro"
	WayManager   Way = "manager"
)

// wanted are the configurations that a way needs.
var wanted = map[Way][]struct {
	path   string
	values []string // any of them; the first is what is set
	why    string
}{
	WayHTTPS: {{"NetworkServices HTTP Mode", []string{"HTTPS", "HTTP+HTTPS"}, "the device is called over HTTPS"}},
	WayWebSocket: {
		{"NetworkServices HTTP Mode", []string{"HTTPS", "HTTP+HTTPS"}, "the device is called over HTTPS"},
		{"NetworkServices Websocket", []string{"FollowHTTPService"}, "the device is called over WebSocket"},
	},
	WayMacro: {
		{"Macros Mode", []string{"On"}, "a macro fetches the meetings"},
		{"HttpClient Mode", []string{"On"}, "the macro calls out"},
	},
	WayManager: {
		{"Provisioning Mode", []string{"TMS"}, "the device calls its External Manager"},
		{"Provisioning ExternalManager Protocol", []string{"HTTPS"}, "the path of the device is a secret"},
		{"Provisioning TlsVerify", []string{"On"}, "the device must know whom it calls"},
	},
}

// Check asks the device for what a way needs, and returns what is missing. It
// changes nothing, so it does not find out whether the account may write bookings,
// nor whether the device takes them. Through the Webex cloud configurations cannot
// be read, and Check finds only what the status tells.
func (e *Endpoint) Check(ctx context.Context, way Way) ([]Finding, error) {
	fail := func(err error) error { return endpointError("check configuration", e.opts.Name, err) }
	if err := e.lock(ctx); err != nil {
		return nil, fail(err)
	}
	defer e.unlock()
	if err := e.learn(ctx); err != nil {
		return nil, fail(err)
	}
	var out []Finding
	for _, w := range wanted[way] {
		path := strings.Fields(w.path)
		var n *roomos.Node
		err := e.limited(ctx, func(ctx context.Context) (err error) {
			n, err = e.link.config(ctx, path...)
			return err
		})
		if err != nil {
			return nil, fail(err)
		}
		if _, cloud := e.link.(*cloudLink); cloud {
			continue
		}
		got, right := n.Value(), false
		for _, v := range w.values {
			right = right || strings.EqualFold(got, v)
		}
		if !right {
			out = append(out, Finding{
				Code:    FindingConfig,
				Text:    fmt.Sprintf("%s is %q and should be %q: %s", w.path, clean(got), w.values[0], w.why),
				Command: fmt.Sprintf("xConfiguration %s: %s", w.path, w.values[0]),
				path:    path, value: w.values[0],
			})
		}
	}
	if have, err := e.list(ctx); err != nil {
		return nil, endpointError("list bookings", e.opts.Name, err)
	} else if have.foreign > 0 && have.ours == 0 && !e.owned && !e.taken.Load() {
		out = append(out, Finding{Code: FindingForeign, Text: fmt.Sprintf("the device has %s of another system, perhaps of %s, and is left alone. %s", bookings(have.foreign), e.writer(ctx), fixForeign)})
	}
	can := e.can.Load()
	if way == WayCloud && !can.spark {
		out = append(out, Finding{Code: FindingWebex, Text: "the device is not registered with Webex: the cloud cannot reach it"})
	}
	if e.clockWrong() {
		out = append(out, Finding{Code: FindingClock, Text: "the clock of the device is wrong by more than a minute: buttons come at the wrong time", Command: "xConfiguration NetworkServices NTP Mode: Auto"})
	}
	// An old version may not have this status; its clock was compared anyway.
	var n *roomos.Node
	err := e.limited(ctx, func(ctx context.Context) (err error) {
		n, err = e.link.status(ctx, "NetworkServices", "NTP", "Status")
		return err
	})
	if err == nil && n.Value() != "" && !strings.EqualFold(n.Value(), "Synced") {
		out = append(out, Finding{Code: FindingNTP, Text: fmt.Sprintf("the device has no time from a time server, its NTP status is %q: its clock will go wrong", clean(n.Value())),
			Command: "xConfiguration NetworkServices NTP Mode: Auto"})
	}
	return out, nil
}

// Apply sets what findings of Check ask for, and nothing else. It is for an
// administrator who has seen them. Findings without a command are left.
func (e *Endpoint) Apply(ctx context.Context, findings []Finding) error {
	if err := e.lock(ctx); err != nil {
		return endpointError("change configuration", e.opts.Name, err)
	}
	defer e.unlock()
	for _, f := range findings {
		if f.path == nil {
			continue
		}
		err := e.limited(ctx, func(ctx context.Context) error { return e.link.setConfig(ctx, f.path, f.value) })
		if err != nil {
			return endpointError("set "+strings.Join(f.path, " "), e.opts.Name, err)
		}
	}
	return nil
}
