package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/app"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// doctor checks what a configuration needs to work.
func doctor(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	config := flags.String("config", "", "the configuration `FILE` that otj serve has")
	report := flags.String("import", "", "the `FILE` that the check script has written: what Exchange is set to")
	ports := flags.Bool("ports", false, "print what the firewall has to let through, and do nothing else")
	asJSON := flags.Bool("json", false, "print a JSON object for each finding, a line each")
	rest, status, ok := parse(flags, args, std)
	switch {
	case !ok:
		return status
	case len(rest) > 0:
		return std.fail(wrong, "doctor: unexpected %q", rest[0])
	case *config == "" && *report == "":
		return std.fail(wrong, "doctor: name the configuration with --config FILE, or a report with --import FILE")
	case *config == "" && *ports:
		return std.fail(wrong, "doctor: --ports needs --config FILE")
	}
	var rooms []readiness.Processing
	if *report != "" {
		f, err := os.Open(*report)
		if err != nil {
			return std.fail(no, "%s: %v", *report, plain(err))
		}
		defer f.Close()
		if rooms, err = readiness.ParseReport(f); err != nil {
			return std.fail(no, "%s: %v", *report, err)
		}
	}
	var findings []readiness.Finding
	if *config == "" {
		for i := range rooms {
			findings = append(findings, rooms[i].Check()...)
		}
		readiness.Sort(findings)
	} else {
		c, err := app.Read(*config, app.Builders())
		if err != nil {
			printConfigError(std, "doctor", err)
			return no
		}
		if *ports {
			printPorts(std, c.Network().Ports(), *asJSON)
			return done
		}
		if findings, err = c.Doctor(ctx, rooms); err != nil {
			return std.fail(no, "doctor: %v", err)
		}
	}
	for _, f := range findings {
		if *asJSON {
			printJSON(std.out, f)
			continue
		}
		printFinding(std, &f)
	}
	if readiness.Worst(findings) == readiness.Fail {
		return no
	}
	return done
}

func printPorts(std stdio, rules []readiness.PortRule, asJSON bool) {
	if !asJSON {
		fmt.Fprint(std.out, readiness.Table(rules))
		return
	}
	for _, r := range rules {
		printJSON(std.out, r)
	}
}

func printFinding(std stdio, f *readiness.Finding) {
	why := f.Why
	if f.Inferred {
		why += " (Inferred from the meetings.)"
	}
	fmt.Fprintf(std.out, "%-7s %s, %s: %s\n", strings.ToUpper(string(f.Result)), printable(f.Subject), f.Check, printable(why))
	if f.Fix != "" {
		fmt.Fprintf(std.out, "        %s\n", printable(f.Fix))
	}
	if f.Command != "" {
		fmt.Fprintf(std.out, "        %s\n", printable(f.Command))
	}
}
