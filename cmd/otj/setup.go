package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"

	"github.com/onetouchjoin/onetouchjoin/internal/app"
)

// setup prints what has to be done at the device of a room.
func setup(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	config := flags.String("config", "", "the configuration `FILE` that otj serve has")
	apply := flags.Bool("apply", false, "set what a Cisco device that can be called lacks, or a Poly device with --device")
	var at app.PolyDevice
	flags.StringVar(&at.Address, "device", "", "look at the Poly device at this `ADDRESS` over REST")
	flags.StringVar(&at.User, "account", "admin", "the `NAME` of the device's administrator, with --device")
	passwordFile := flags.String("password-file", "", "a `FILE` with the administrator's password, with --device")
	flags.StringVar(&at.Fingerprint, "fingerprint", "", "the `SHA-256` of the device's certificate, with --device")
	rest, status, ok := parse(flags, args, std)
	switch {
	case !ok:
		return status
	case *config == "":
		return std.fail(wrong, "setup: --config FILE is missing")
	case len(rest) != 1:
		return std.fail(wrong, "setup: name one room, as in otj setup --config otj.json Fjord")
	case at.Address != "" && *passwordFile == "":
		return std.fail(wrong, "setup: --device needs --password-file FILE, with the password of the device's administrator")
	case at.Address == "" && (*passwordFile != "" || at.Fingerprint != "" || at.User != "admin"):
		return std.fail(wrong, "setup: --account, --password-file and --fingerprint go with --device ADDRESS")
	}
	c, err := app.Read(*config, app.Builders())
	if err != nil {
		printConfigError(std, "setup", err)
		return no
	}
	if at.Address != "" {
		if at.Password, err = app.ReadSecret(*passwordFile); err == nil {
			err = c.SetupPoly(ctx, rest[0], at, *apply, std.out)
		}
		if err != nil {
			return std.fail(no, "setup: %v", err)
		}
		return done
	}
	if err := c.Setup(ctx, rest[0], *apply, std.out); err != nil {
		return std.fail(no, "setup: %v", err)
	}
	return done
}

// secret prints a new secret of 128 bits and more.
func secret(_ context.Context, args []string, std stdio) int {
	rest, status, ok := parse(flag.NewFlagSet("secret", flag.ContinueOnError), args, std)
	switch {
	case !ok:
		return status
	case len(rest) > 0:
		return std.fail(wrong, "secret: unexpected %q", rest[0])
	}
	fmt.Fprintln(std.out, rand.Text())
	return done
}
