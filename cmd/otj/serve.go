package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
)

// serve runs the rooms of a configuration file until ctx is done.
func serve(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	config := flags.String("config", "", "the configuration `FILE`; it is read again on SIGHUP")
	check := flags.Bool("check", false, "check the configuration and do nothing else")
	asJSON := flags.Bool("json", false, "log as JSON")
	rest, status, ok := parse(flags, args, std)
	if !ok {
		return status
	}
	switch {
	case len(rest) > 0:
		return std.fail(wrong, "serve: unexpected %q; the configuration is given by --config FILE", rest[0])
	case *config == "":
		return std.fail(wrong, "serve: --config FILE is missing; docs/operating.md has an example of such a file")
	}
	c, err := app.Read(*config, app.Builders())
	if err != nil {
		printConfigError(std, "serve", err)
		return no
	}
	if *check {
		fmt.Fprintf(std.out, "%s: %d rooms, no mistake found\n", *config, len(c.Rooms))
		return done
	}
	var handler slog.Handler = slog.NewTextHandler(std.err, nil)
	if *asJSON {
		handler = slog.NewJSONHandler(std.err, nil)
	}
	log := slog.New(handler)
	a, err := app.New(c, app.Builders(), log)
	if err != nil {
		return std.fail(no, "serve: %v", err)
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)

	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	log.Info("serving", "config", *config, "rooms", len(c.Rooms))
	for {
		select {
		case err := <-ended:
			if err != nil {
				return std.fail(no, "serve: %v", err)
			}
			log.Info("stopped; the devices keep what they show")
			return done
		case <-again:
			reload(a, *config, log, std)
		}
	}
}

// reload reads the configuration file again. One with a mistake changes nothing.
func reload(a *app.App, config string, log *slog.Logger, std stdio) {
	c, err := app.Read(config, app.Builders())
	if err == nil {
		err = a.Set(c)
	}
	if err != nil {
		printConfigError(std, "serve", err)
		log.Error("the configuration has mistakes and stays as it was", "config", config)
		return
	}
	log.Info("configuration read again", "config", config, "rooms", len(c.Rooms))
}

// printConfigError prints what is wrong in a file: for each mistake its place,
// and the line with a caret.
func printConfigError(std stdio, command string, err error) {
	var all jsonc.Errors
	if !errors.As(err, &all) {
		std.fail(no, "%s: %v", command, err)
		return
	}
	for _, e := range all {
		std.fail(no, "%s: %v\n%s", command, e, e.Snippet)
	}
}
