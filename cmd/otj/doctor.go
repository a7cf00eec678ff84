package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	scripts := flags.String("scripts", "", "write PowerShell scripts for Exchange Online into the folder `DIR`, for the mailboxes of the configuration, and do nothing else")
	var names readiness.ScriptOptions
	flags.StringVar(&names.Group, "group", "", "for --scripts: the `ADDRESS` of the rooms' mail-enabled security group")
	flags.StringVar(&names.GroupName, "group-name", "", "for --scripts: the `NAME` of a new group")
	flags.StringVar(&names.AppID, "app-id", "", "for --scripts: the application (client) `ID` of the Microsoft 365 application")
	flags.StringVar(&names.ObjectID, "object-id", "", "for --scripts: the object `ID` of its enterprise application")
	flags.StringVar(&names.Response, "response", "", "for --scripts: the `TEXT` added to the rooms' replies")
	flags.StringVar(&names.HideDetails, "hide", "", "for --scripts: what others may see of the rooms' calendars, AvailabilityOnly or LimitedDetails")
	flags.BoolVar(&names.External, "external", false, "for --scripts: let the rooms take invites from outside that people inside forward")
	asJSON := flags.Bool("json", false, "print a JSON object for each finding, a line each")
	rest, status, ok := parse(flags, args, std)
	switch {
	case !ok:
		return status
	case len(rest) > 0:
		return std.fail(wrong, "doctor: unexpected %q", rest[0])
	case *scripts == "" && (names.Group+names.GroupName+names.AppID+names.ObjectID+names.Response+names.HideDetails != "" || names.External):
		return std.fail(wrong, "doctor: --group, --app-id and what goes with them need --scripts DIR")
	case *scripts != "" && (names.Group == "" || names.AppID == ""):
		return std.fail(wrong, "doctor: --scripts needs --group ADDRESS and --app-id GUID")
	case *scripts != "" && *config == "":
		return writeScripts(std, *scripts, names)
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
		if *scripts != "" {
			names.Mailboxes = c.Mailboxes()
			return writeScripts(std, *scripts, names)
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

// writeScripts writes the scripts for an administrator's names into a folder.
// It overwrites none: somebody may have filled it in.
func writeScripts(std stdio, dir string, names readiness.ScriptOptions) int {
	scripts, err := readiness.NewScripts(names)
	if err != nil {
		return std.fail(wrong, "doctor: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return std.fail(no, "doctor: %v", plain(err))
	}
	for _, file := range scripts.Files() {
		path := filepath.Join(dir, file.Name)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return std.fail(no, "doctor: %s is there already: take it away, or name another folder", path)
		}
		if err == nil {
			_, err = f.WriteString(file.Text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return std.fail(no, "doctor: %s: %v", path, plain(err))
		}
		fmt.Fprintf(std.out, "%s  %s\n", path, file.Title)
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
