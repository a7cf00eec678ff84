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
	apply := flags.Bool("apply", false, "set what a Cisco device that can be called lacks")
	rest, status, ok := parse(flags, args, std)
	switch {
	case !ok:
		return status
	case *config == "":
		return std.fail(wrong, "setup: --config FILE is missing")
	case len(rest) != 1:
		return std.fail(wrong, "setup: name one room, as in otj setup --config otj.json Fjord")
	}
	c, err := app.Read(*config, app.Builders())
	if err != nil {
		printConfigError(std, "setup", err)
		return no
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
