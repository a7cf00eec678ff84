package readiness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Device says what asking a device has shown: err is that of the attempt, nil if
// it has answered. An error with a method CertificateFingerprint() string says
// which certificate was not trusted.
func Device(device string, err error) Finding {
	f := Finding{Check: "device", Subject: device, Result: Pass, Why: "The device answers and accepts the credentials. Whether it takes meetings is seen when it is given some."}
	if err == nil {
		return f
	}
	f.Result = Fail
	switch {
	case errors.Is(err, otj.ErrUnauthorized):
		f.Check, f.Why = "device-credentials", "The device answers, and refuses the user or the password."
		f.Fix = "Give the account of the device that has the role Admin, with its password."
	case errors.Is(err, otj.ErrCertificate):
		f.Check, f.Why = "device-certificate", "The device's certificate is not the one that is trusted."
		f.Fix = "If the device got a new certificate, take over its fingerprint. If not, something else answers at its address."
		var shown interface{ CertificateFingerprint() string }
		if errors.As(err, &shown) {
			f.Fingerprint = shown.CertificateFingerprint()
		}
	case errors.Is(err, otj.ErrNotDevice):
		f.Why, f.Fix = "Something answers at this address, and not as the device should.", "Correct the address or the kind of the device."
	case errors.Is(err, otj.ErrBusy):
		f.Result, f.Why, f.Fix = Warn, "The device asks to be called less often.", "Wait, and check again. See whether another system calls it too."
	case errors.Is(err, otj.ErrUnreachable):
		f.Why = "There is no connection to the device."
		f.Fix = "See whether it is on, whether its address is right, and whether the firewall lets this program through to it."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		f.Why, f.Fix = "The device has not answered in time.", "See whether it is on, and whether the firewall lets this program through to it."
		return f
	default:
		f.Why, f.Fix = "The device cannot be asked.", "See to it that the device is on, can be reached from here, and has this account."
	}
	var e *otj.EndpointError
	if errors.As(err, &e) {
		if e.Fix != "" {
			f.Fix = sentence(e.Fix)
		}
		f.Why += " " + sentence(e.Err.Error())
	} else {
		f.Why += " " + sentence(err.Error())
	}
	return f
}

// lateCall is after how long a device that fetches its meetings is missed. The
// slowest of them ask every few minutes.
const lateCall = 15 * time.Minute

// Calling says whether a device that fetches its meetings finds its way here:
// last is when it last did, zero for never, agent what it called itself, and
// service the address that it has to reach.
func Calling(device string, last, now time.Time, agent, service string) Finding {
	f := Finding{Check: "device-path", Subject: device}
	host, port := hostPort(service)
	path := fmt.Sprintf("Let the device's network through to %s, TCP port %s", host, port)
	ago := now.Sub(last).Round(time.Second)
	switch {
	case last.IsZero() && webaddr.IsLocal(host):
		f.Result = Fail
		f.Why = fmt.Sprintf("The device has not asked for its meetings, and cannot: %s is the machine of this program alone.", host)
		f.Fix = "Give the program an address that the device reaches, in a configuration file; the page that sets the device up says how."
	case last.IsZero():
		f.Result = Fail
		f.Why = "The device has not asked for its meetings since this program started."
		f.Fix = path + ", and to its time server, UDP port 123; then set the device up as its page says."
	case ago > lateCall:
		f.Result = Fail
		f.Why = fmt.Sprintf("The device last asked for its meetings %v ago.", ago.Round(time.Minute))
		f.Fix = "See whether the device is on. " + path + "."
	default:
		f.Result = Pass
		f.Why = fmt.Sprintf("The device asked for its meetings %v ago, so it finds its way here and has its credentials.", max(ago, 0))
		if agent != "" {
			f.Why += fmt.Sprintf(" It calls itself %.80q.", agent)
		}
	}
	return f
}

// Clock says whether a device's clock is right within a minute. Known is false
// where nobody can see it, as with devices that only fetch.
func Clock(device string, known, right bool) Finding {
	f := Finding{Check: "device-clock", Subject: device}
	switch {
	case !known:
		f.Result, f.Why = Unknown, "The clock of a device that only calls cannot be seen from here."
		f.Fix = "See at the device that it has a time server (NTP, UDP port 123) and shows the right time."
	case right:
		f.Result, f.Why = Pass, "The device's clock is right within a minute."
	default:
		f.Result, f.Why = Fail, "The device's clock is wrong by more than a minute: buttons come and go at the wrong time."
		f.Fix = "Give the device a time server, and let it through to UDP port 123."
		f.Command = "xConfiguration NetworkServices NTP Mode: Auto"
	}
	return f
}
