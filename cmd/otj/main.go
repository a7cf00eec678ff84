// Command otj puts Join buttons on the screens of meeting rooms, and shows how
// it decides.
//
// Exit status: 0 done, 1 the answer is no, 2 the call was wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// The exit statuses.
const (
	done  = 0
	no    = 1 // a check failed, a file could not be read, a meeting differs
	wrong = 2 // the call itself
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// fail prints one line about what went wrong, and returns status.
func (s stdio) fail(status int, format string, args ...any) int {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	fmt.Fprintf(s.err, "otj: %s\n", text)
	return status
}

// command is one word after otj.
type command struct {
	name    string
	usage   string // what follows the name
	summary string
	run     func(ctx context.Context, args []string, std stdio) int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// run runs one command line.
func run(ctx context.Context, args []string, std stdio) int {
	if len(args) == 0 {
		printUsage(std.err)
		return wrong
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		printUsage(std.out)
		return done
	}
	c, ok := find(args[0])
	if !ok {
		return std.fail(wrong, "unknown command %q; otj help lists the commands", args[0])
	}
	return c.run(ctx, args[1:], std)
}

func find(name string) (command, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "otj puts Join buttons on the screens of meeting rooms.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  otj %-8s %-38s %s\n", c.name, c.usage, c.summary)
	}
	fmt.Fprint(w, "\notj COMMAND -h shows the options of a command. Exit status: 0 done, 1 the answer is no, 2 the call was wrong.\n")
}

// parse reads the flags of a command. Flags and other arguments may be mixed.
// It returns the other arguments; ok is false if the command should end with
// status.
func parse(fs *flag.FlagSet, args []string, std stdio) (rest []string, status int, ok bool) {
	fs.SetOutput(io.Discard)
	for {
		switch err := fs.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			c, _ := find(fs.Name())
			fmt.Fprintf(std.out, "usage: otj %s %s\n\n%s\n\n", c.name, c.usage, c.summary)
			fs.SetOutput(std.out)
			fs.PrintDefaults()
			return nil, done, false
		case err != nil:
			return nil, std.fail(wrong, "%s: %v; otj %s -h lists the options", fs.Name(), err, fs.Name()), false
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, done, true
		}
		if args[0] == "-" || !strings.HasPrefix(args[0], "-") {
			rest = append(rest, args[0])
			args = args[1:]
			continue
		}
		// What follows "--" is no flag.
		return append(rest, args...), done, true
	}
}
