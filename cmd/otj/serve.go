package main

import (
	"cmp"
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

// source is where a command has the configuration of the program from: a file, or
// none, and then a folder for data and an address.
type source struct {
	file, data, listen string
}

// localListen is where a program without a file listens.
const localListen = "127.0.0.1:8080"

func (s *source) register(flags *flag.FlagSet) {
	flags.StringVar(&s.file, "config", "", "the configuration `FILE`")
	usual := "one of the user's own"
	if dir, err := app.DataFolder(); err == nil {
		usual = dir
	}
	flags.StringVar(&s.data, "data", "", "without --config: the `FOLDER` for the data, made if it is not there (default: "+usual+")")
	flags.StringVar(&s.listen, "listen", localListen, "without --config: the `ADDRESS` of this machine to listen at")
}

// local reports whether there is no file.
func (s *source) local() bool { return s.file == "" }

// check says which flags do not go together.
func (s *source) check(flags *flag.FlagSet) error {
	var err error
	flags.Visit(func(f *flag.Flag) {
		if !s.local() && (f.Name == "data" || f.Name == "listen") {
			err = fmt.Errorf("--%s is for a program without --config; the file says it", f.Name)
		}
	})
	return err
}

// read returns the configuration.
func (s *source) read() (*app.Config, error) {
	if !s.local() {
		return app.Read(s.file, app.Builders())
	}
	data := s.data
	if data == "" {
		var err error
		if data, err = app.DataFolder(); err != nil {
			return nil, err
		}
	}
	return app.LocalConfig(data, s.listen)
}

// serve runs the program until ctx is done.
func serve(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	var from source
	from.register(flags)
	check := flags.Bool("check", false, "check the configuration and do nothing else")
	asJSON := flags.Bool("json", false, "log as JSON")
	isDemo := flags.Bool("demo", false, "an office with simulated devices, to look at; its data is gone at the end")
	rest, status, ok := parse(flags, args, std)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return std.fail(wrong, "serve: unexpected %q; the configuration is given by --config FILE", rest[0])
	}
	if err := from.check(flags); err != nil {
		return std.fail(wrong, "serve: %v", err)
	}
	var handler slog.Handler = slog.NewTextHandler(std.err, nil)
	if *asJSON {
		handler = slog.NewJSONHandler(std.err, nil)
	}
	log := slog.New(handler)
	if *isDemo {
		if *check || !from.local() || from.data != "" {
			return std.fail(wrong, "serve: --demo has a configuration and data of its own; leave --config, --data and --check out")
		}
		return serveOffice(ctx, from.listen, log, std)
	}
	c, err := from.read()
	if err != nil {
		printConfigError(std, "serve", err)
		return no
	}
	if *check {
		fmt.Fprintf(std.out, "%s: %d rooms, no mistake found\n", cmp.Or(from.file, "without a file"), len(c.Rooms))
		return done
	}
	a, err := app.New(c, app.Builders(), log)
	if err != nil {
		return std.fail(no, "serve: %v", err)
	}
	ended := start(ctx, a)
	select {
	case <-a.Up():
		if from.local() {
			log.Info("serving without a configuration file; the rooms are those of the control centre")
		} else {
			log.Info("serving", "config", from.file, "rooms", len(c.Rooms))
		}
		if err := welcome(ctx, a, std); err != nil {
			log.Error("no link to set the control centre up", "error", err)
		}
	default: // wait says why
	}
	return wait(a, ended, from, log, std)
}

// start runs a program. It returns when that listens, or has ended.
func start(ctx context.Context, a *app.App) <-chan error {
	ended := make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		ended <- a.Run(ctx)
		close(stopped)
	}()
	select {
	case <-a.Up():
	case <-stopped:
	}
	return ended
}

// welcome prints the link by which a new control centre is set up.
func welcome(ctx context.Context, a *app.App, std stdio) error {
	link, err := a.SetupURL(ctx)
	if err == nil && link != "" {
		fmt.Fprintf(std.out, "Open this link to set One-Touch Join up. It works once, within an hour; otj admin link makes another.\n\n  %s\n\n", link)
	}
	return err
}

// wait waits until a program ends, and reads its configuration again on SIGHUP.
func wait(a *app.App, ended <-chan error, from source, log *slog.Logger, std stdio) int {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case err := <-ended:
			if err = errors.Join(err, a.Close()); err != nil {
				hint := ""
				if errors.Is(err, syscall.EADDRINUSE) && from.local() {
					hint = "; --listen takes another address"
				}
				return std.fail(no, "serve: %v%s", err, hint)
			}
			log.Info("stopped; the devices keep what they show")
			return done
		case <-again:
			if from.local() {
				log.Info("there is no file to read again")
				continue
			}
			reload(a, from.file, log, std)
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
