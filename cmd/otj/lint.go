package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

func lint(_ context.Context, args []string, std stdio) int {
	fs := flag.NewFlagSet("lint", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print a JSON object for each finding, a line each")
	var by ruleFlags
	by.registerOwn(fs)
	files, status, ok := parse(fs, args, std)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return std.fail(wrong, "lint: no rule file is named; name one, as in otj lint rules.json")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			status = std.fail(no, "%s: %v", file, plain(err))
			continue
		}
		findings := rules.Lint(file, data, by.options())
		for _, f := range findings {
			kind := "error"
			if f.Warning {
				kind = "warning"
			} else {
				status = no
			}
			if *asJSON {
				printJSON(std.out, struct {
					File    string `json:"file"`
					Line    int    `json:"line"`
					Column  int    `json:"column"`
					Kind    string `json:"kind"`
					Message string `json:"message"`
				}{file, f.Line, f.Column, kind, f.Msg})
				continue
			}
			fmt.Fprintf(std.out, "%s:%d:%d: %s: %s\n", printable(file), f.Line, f.Column, kind, printable(f.Msg))
			if f.Snippet != "" {
				fmt.Fprintln(std.out, f.Snippet)
			}
		}
		if len(findings) == 0 && !*asJSON {
			list, err := rules.Parse(file, data)
			if err != nil {
				status = std.fail(no, "%v", err)
				continue
			}
			fmt.Fprintf(std.out, "%s: no findings, %s\n", printable(file), count(len(list), "rule"))
		}
	}
	return status
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
