package cisco

import (
	"context"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// learn begins a session, and asks the device what it is, if that is due.
func (e *Endpoint) learn(ctx context.Context) error {
	var fresh bool
	err := e.limited(ctx, func(ctx context.Context) (err error) {
		fresh, err = e.link.open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if fresh {
		e.fits, e.refusal = 0, "" // it may have restarted, or is another one
	}
	if !fresh && time.Since(e.learnedAt) < e.opts.Relearn {
		return nil
	}
	var unit, webex, clock, network *roomos.Node
	for _, q := range []struct {
		to     **roomos.Node
		config bool
		path   []string
	}{
		{&unit, false, []string{"SystemUnit"}},
		{&webex, false, []string{"Webex", "Status"}},
		{&clock, false, []string{"Time", "SystemTime"}},
		{&network, true, []string{"NetworkServices"}},
	} {
		err := e.limited(ctx, func(ctx context.Context) (err error) {
			if q.config {
				*q.to, err = e.link.config(ctx, q.path...)
			} else {
				*q.to, err = e.link.status(ctx, q.path...)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	version, ok := roomos.ParseVersion(unit.Value("Software", "Version"))
	if !ok {
		return notDevice("no software version in its status")
	}
	product := firstOf(unit.Value("ProductPlatform"), unit.Value("ProductId"))
	registered := strings.EqualFold(webex.Value(), "Registered")
	e.checkClock(clock.Value())
	e.decide(version, registered)
	can := &abilities{
		version: version,
		sip:     !strings.EqualFold(network.Value("SIP", "Mode"), "Off"),
		h323:    !strings.EqualFold(network.Value("H323", "Mode"), "Off"),
		spark:   registered,
		legacy:  e.push == PushLegacy,
		none:    roomos.Allows(roomos.Protocols, "None", version),
		icons:   roomos.Allows(roomos.Platforms, "Other", version),
	}
	can.teamsRTC = e.opts.WebRTC.allows(version, product, registered)
	can.meetRTC = can.teamsRTC && (e.opts.WebRTC == WebRTCOn || version.AtLeast(11, 0))
	e.adopt(can)
	e.learnedAt = time.Now()
	return nil
}

// adopt makes can what Dials answers from, and lets Watch know of a change.
func (e *Endpoint) adopt(can *abilities) {
	if old := e.can.Swap(can); *old != *can {
		e.opts.Logger.Info("cisco device", "device", e.opts.Name, "version", can.version.String(), "sip", can.sip, "h323", can.h323,
			"spark", can.spark, "teams", can.teamsRTC, "meet", can.meetRTC, "legacy", can.legacy)
		select {
		case e.relook <- struct{}{}:
		default:
		}
	}
}

// hasWebRTC reports whether a product can join Teams and Meet in its browser.
func hasWebRTC(product string) bool {
	p := strings.ToUpper(strings.TrimPrefix(product, "Cisco "))
	p = strings.TrimPrefix(strings.TrimPrefix(p, "TELEPRESENCE "), "WEBEX ")
	for _, old := range []string{"SX", "MX", "DX", "EX", "C20", "C40", "C60", "C90", "PROFILE", "IX"} {
		if strings.HasPrefix(p, old) {
			return false
		}
	}
	return true
}

// decide chooses the way to write bookings.
func (e *Endpoint) decide(v roomos.Version, registered bool) {
	if e.opts.Push != PushAuto {
		e.push, e.pushFor = e.opts.Push, v.Raw
		return
	}
	is := v.Raw
	if registered {
		is += ", with Webex"
	}
	if e.pushFor == is {
		return // nothing has changed: what was found out still holds
	}
	e.push, e.pushFor = PushLegacy, is
	if v.AtLeast(9, 14) && registered {
		e.push = PushBookings
	}
	if _, http := e.link.(*httpLink); !http {
		e.push = PushBookings
	}
}

// maxSkew is how wrong the clock of a device may be.
const maxSkew = time.Minute

func (e *Endpoint) checkClock(clock string) {
	t, err := time.Parse(time.RFC3339, clock)
	if err != nil {
		return // no zone, or nothing: not to be compared
	}
	// The device tells whole seconds, and the answer took a moment.
	if skew := time.Since(t); skew.Abs() > maxSkew+2*time.Second {
		e.alarm(AlarmClock, "The clock of %s differs by %v: its buttons come at the wrong time. Set NetworkServices NTP on the device", e.opts.Name, skew.Abs().Round(time.Second))
	} else {
		e.alarm(AlarmClock, "")
	}
}
