// Command otj puts Join buttons on the screens of meeting rooms, and shows how
// it decides.
//
// Exit status: 0 done, 1 a check failed or a file could not be read, 2 the call
// was wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
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
	// terminal says that out is one, for colours.
	terminal bool
}

// fail prints one line about what went wrong, and returns status.
func (s stdio) fail(status int, format string, args ...any) int {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	lines := strings.Split(text, "\n") // a mistake in a file comes with its line and a mark
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	fmt.Fprintf(s.err, "otj: %s\n", strings.Join(lines, "\n"))
	return status
}

// checked remembers that a write has failed, so that a full disk is no success.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// command is one word after otj.
type command struct {
	name    string
	usage   string // what follows the name
	summary string
	run     func(ctx context.Context, args []string, std stdio) int
	// tidies says that the command ends by itself, in order, when it is
	// interrupted. The others read files, and a signal just ends them.
	tidies bool
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run runs one command line.
func run(ctx context.Context, args []string, std stdio) int {
	if len(args) == 0 {
		printUsage(std.err)
		return wrong
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(args) == 0 {
			printUsage(std.out)
			return done
		}
		name, args = args[0], []string{"-h"}
	case "version", "-version", "--version":
		fmt.Fprintln(std.out, version())
		return done
	}
	c, ok := find(name)
	if !ok {
		return std.fail(wrong, "unknown command %q; otj help lists the commands", name)
	}
	if c.tidies {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		return c.run(ctx, args, std)
	}
	out := &checked{Writer: std.out}
	terminal := std.out
	std.out = out
	if f, ok := terminal.(*os.File); ok {
		std.terminal = isTerminal(f)
	}
	status := c.run(ctx, args, std)
	if out.err != nil {
		return max(status, std.fail(no, "write the output: %v", plain(out.err)))
	}
	return status
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// version says what the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "otj, of an unknown version"
	}
	text := "otj " + info.Main.Version + ", " + info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += ", " + s.Value
		}
	}
	return text
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
	fmt.Fprint(w, "otj puts Join buttons on the screens of meeting rooms. New here? otj demo shows it, otj serve sets it up in a browser.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  otj %-8s %-38s %s\n", c.name, c.usage, c.summary)
	}
	fmt.Fprint(w, "\notj COMMAND -h shows the options of a command. Exit status: 0 done, 1 a check failed or a file could not be read, 2 the call was wrong.\n")
}

// printFlags lists the flags of a command as this program writes them everywhere:
// with two dashes.
func printFlags(w io.Writer, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(w, "  --%s%s\n      %s\n", f.Name, value, strings.ReplaceAll(text, "\n", "\n      "))
	})
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
			printFlags(std.out, fs)
			return nil, done, false
		case err != nil:
			return nil, std.fail(wrong, "%s: %v; otj %s -h lists the options", fs.Name(), err, fs.Name()), false
		}
		if n := len(args) - len(fs.Args()); n > 0 && args[n-1] == "--" {
			return append(rest, fs.Args()...), done, true // none of them is a flag
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, done, true
		}
		rest = append(rest, args[0]) // Parse stops at what is no flag
		args = args[1:]
	}
}
