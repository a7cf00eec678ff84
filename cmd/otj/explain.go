package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

func explain(_ context.Context, args []string, std stdio) int {
	fs := flag.NewFlagSet("explain", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print a JSON object for each event, a line each")
	var by ruleFlags
	by.register(fs)
	secrets := fs.Bool("show-secrets", false, "show passcodes and tokens")
	all := fs.Bool("all", false, "also list the rules that found nothing")
	files, status, ok := parse(fs, args, std)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return std.fail(wrong, "explain: no file is named; name an invite, or - for standard input")
	}
	engine, err := by.engine()
	if err != nil {
		return std.fail(no, "%v", err)
	}
	for _, file := range files {
		items, err := readInvite(file, std.in)
		if err != nil {
			status = std.fail(no, "%s: %v", file, err)
			continue
		}
		for i := range items {
			if items[i].Err != nil {
				status = std.fail(no, "%s: %v", file, items[i].Err)
				continue
			}
			trace := engine.Explain(&items[i].Event)
			if *secrets {
				trace = trace.WithSecrets()
			}
			if *asJSON {
				printJSON(std.out, struct {
					File  string `json:"file"`
					Event int    `json:"event"`
					rules.Trace
				}{file, i, trace})
				continue
			}
			silent := 0
			if !*all {
				kept := trace.Rules[:0:0]
				for _, r := range trace.Rules {
					// The rules of one's own have a priority.
					if r.Result != "nothing" && r.Result != "not tried" || r.Priority > 0 {
						kept = append(kept, r)
					}
				}
				silent = len(trace.Rules) - len(kept)
				trace.Rules = kept
			}
			fmt.Fprintf(std.out, "%s, event %d\n", printable(file), i+1)
			var b strings.Builder
			if err := trace.WriteText(&b); err != nil {
				return std.fail(no, "%s: %v", file, err)
			}
			fmt.Fprint(std.out, coloured(std, b.String()))
			if silent > 0 {
				fmt.Fprintf(std.out, "  %d default rules found nothing; --all lists them\n", silent)
			}
		}
	}
	return status
}

// coloured makes the decision green and what is missing red, on a terminal that
// has not asked for plain text (no-color.org).
func coloured(std stdio, text string) string {
	if !std.terminal || os.Getenv("NO_COLOR") != "" {
		return text
	}
	head, rest, _ := strings.Cut(text, "\n")
	colour := "\x1b[32m"
	if strings.HasPrefix(head, "no meeting") {
		colour = "\x1b[31m"
	}
	return colour + head + "\x1b[0m\n" + rest
}
