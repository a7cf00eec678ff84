package app

import (
	"context"
	"fmt"
	"io"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/poly"
)

// PolyDevice is a VideoOS or Group device that can be called over REST, with
// the account of its administrator. It is told for one set-up and not kept: the
// service never calls a Poly device.
type PolyDevice struct {
	Address  string
	User     string
	Password calendar.Secret
	// Fingerprint is as in poly.DeviceOptions; without it the certificate must be
	// signed by an authority of this machine.
	Fingerprint string
}

// polySetup is what a Poly device has to know.
func polySetup(server string, d Device, password calendar.Secret) poly.Setup {
	return poly.Setup{Server: server, User: d.Username, Password: password, ShowPrivate: true}
}

// SetupPoly writes to w what the calendar settings of a room's Poly device are
// and which of them are not those that it needs. With apply it sets them.
func (c *Config) SetupPoly(ctx context.Context, room string, at PolyDevice, apply bool, w io.Writer) error {
	d, err := c.device(room)
	if err != nil {
		return err
	}
	if d.Type != "poly" {
		return fmt.Errorf("room %q has a device of type %q: only Poly devices are set up over REST", room, d.Type)
	}
	device, err := poly.NewDevice(at.Address, at.User, at.Password, &poly.DeviceOptions{Fingerprint: at.Fingerprint})
	if err != nil {
		return err
	}
	want := polySetup(c.devices().URL, d, d.Password)
	host, err := want.Host()
	if err != nil {
		return err
	}
	have, _, err := device.Setup(ctx)
	if err != nil {
		return err
	}
	state, err := device.Calendar(ctx)
	if err != nil {
		return err
	}
	out := &printer{w: w}
	out.printf("The device's calendar is %s. Its password cannot be read.\n", state)
	missing := false
	for _, s := range []struct{ name, have, want string }{
		{"Exchange server", have.Server, host}, {"User name", have.User, want.User}, {"Domain", have.Domain, want.Domain}, {"Mailbox", have.Mailbox, want.Mailbox},
	} {
		if s.have == s.want {
			out.printf("  %-16s %q\n", s.name, s.have)
			continue
		}
		missing = true
		out.printf("  %-16s %q, should be %q\n", s.name, s.have, s.want)
	}
	switch {
	case !apply && !missing && state == "up":
		out.printf("It has what it needs.\n")
	case !apply && !missing:
		out.printf("These are right. If its calendar is not up some minutes after it was set, --apply sets all of it again, the password too.\n")
	case !apply:
		out.printf("Nothing was changed; --apply sets it.\n")
	default:
		if err := device.Configure(ctx, want); err != nil {
			return err
		}
		out.printf("Set. The device polls within its own interval, of some minutes; then its calendar is up.\n")
	}
	return out.err
}
