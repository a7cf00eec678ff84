package cisco

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Push is a way to write bookings.
type Push string

// The ways to write bookings. PushAuto takes Bookings Put where the software is
// CE 9.14 or later and the device is registered with Webex, and the older
// /bookingsputxml otherwise; where the device refuses one, it tries the other
// once and remembers the outcome for that software version.
const (
	PushAuto     Push = ""
	PushBookings Push = "bookings-put"
	PushLegacy   Push = "bookingsputxml"
)

// WebRTC says whether a device is given links of Teams and Google Meet.
type WebRTC string

// The values of WebRTC. WebRTCAuto gives them to Board, Desk and Room devices
// from RoomOS 10 on (Teams) and from 11 on (Meet) that are registered with
// Webex. Cisco says it by product and release; this is a summary, and not from
// hardware.
const (
	WebRTCAuto WebRTC = ""
	WebRTCOn   WebRTC = "on"
	WebRTCOff  WebRTC = "off"
)

// Options change how a device is treated. The zero value of a field is its
// default.
type Options struct {
	// Name is the device in errors and alarms. Default the host.
	Name string
	// Fingerprint is the SHA-256 of the device's certificate in hexadecimal, with
	// or without colons. With it, only that certificate is accepted, and its
	// name and its signature do not matter. Without it the certificate must be
	// signed by CA, or if that is nil by an authority of this machine.
	Fingerprint string
	CA          *x509.CertPool
	// TakeOver lets the first Show replace bookings of another system. See also
	// Endpoint.TakeOver.
	TakeOver bool
	// Push and WebRTC are as their types say.
	Push   Push
	WebRTC WebRTC
	// Encryption is "On" or "Off" for the calls of the buttons; empty leaves it
	// to the device.
	Encryption string
	// MaxBookings is how many meetings the device is given at most, the nearest
	// ones. Default 100. What devices can hold is not documented.
	MaxBookings int
	// Timeout is how long a single call of the device may take. Default 10 s.
	Timeout time.Duration
	// Rate is how many calls a second the device gets at most. Devices take 15
	// within a session, and others may call them too. Default 12.
	Rate float64
	// Poll is how often Watch reads back what the device has, with a tenth of
	// variation. Default 10 minutes.
	Poll time.Duration
	// Relearn is how often the software version and the abilities of the device
	// are asked for again. Default one hour.
	Relearn time.Duration
	// Dial opens connections to the device, for networks in which there is a
	// gateway in between. Default that of a net.Dialer. It is not used for the
	// Webex cloud.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger gets what is worth knowing. Default none.
	Logger *slog.Logger

	pin []byte
}

// dial is one for all devices.
var dial = new(net.Dialer).DialContext

func (o *Options) withDefaults(name string) (*Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	c.Name = cmp.Or(c.Name, name)
	c.MaxBookings = cmp.Or(c.MaxBookings, 100)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Rate = cmp.Or(c.Rate, 12)
	c.Poll = cmp.Or(c.Poll, 10*time.Minute)
	c.Relearn = cmp.Or(c.Relearn, time.Hour)
	if c.Dial == nil {
		c.Dial = dial
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fingerprint != "" {
		pin, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(c.Fingerprint), ":", ""))
		if err != nil || len(pin) != sha256.Size {
			return nil, fmt.Errorf("fingerprint %q: want the SHA-256 of the certificate, 64 hexadecimal digits", c.Fingerprint)
		}
		c.pin = pin
	}
	if err := errors.Join(c.WebRTC.check(), checkEncryption(c.Encryption)); err != nil {
		return nil, err
	}
	switch {
	case c.MaxBookings < 0, c.Timeout < 0, c.Rate < 0, c.Poll < 0, c.Relearn < 0:
		return nil, errors.New("MaxBookings, Timeout, Rate, Poll and Relearn must not be negative")
	case c.Push != PushAuto && c.Push != PushBookings && c.Push != PushLegacy:
		return nil, fmt.Errorf("push %q: want %q or %q, or nothing", c.Push, PushBookings, PushLegacy)
	}
	return &c, nil
}

func (w WebRTC) check() error {
	if w != WebRTCAuto && w != WebRTCOn && w != WebRTCOff {
		return fmt.Errorf("webrtc %q: want %q or %q, or nothing", w, WebRTCOn, WebRTCOff)
	}
	return nil
}

// allows reports whether a device of that software and product is given links;
// registered is whether Webex knows it.
func (w WebRTC) allows(v roomos.Version, product string, registered bool) bool {
	return roomos.Allows(roomos.Protocols, "WebRTC", v) && (w == WebRTCOn || w == WebRTCAuto && registered && hasWebRTC(product))
}

func checkEncryption(s string) error {
	if s != "" && s != "On" && s != "Off" {
		return fmt.Errorf("encryption %q: want On or Off, or nothing", s)
	}
	return nil
}

// checkHost accepts a host with or without a port.
func checkHost(host string) error {
	h := host
	if name, _, err := net.SplitHostPort(host); err == nil {
		h = name
	}
	if h == "" || strings.ContainsAny(h, "/@?# ") {
		return fmt.Errorf("host %q: want a name or an address, with a port if it is not the usual one", host)
	}
	return nil
}
