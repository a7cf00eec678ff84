// Replay-corpus checks a rule file against a corpus: invites of your own, and
// beside each one what has to be found in it. Do this before a changed rule
// reaches the rooms.
package main

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

//go:embed rules.json corpus
var files embed.FS

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	text, err := files.ReadFile("rules.json")
	if err != nil {
		return err
	}
	list, err := rules.Parse("rules.json", text)
	if err != nil {
		return err
	}
	engine, err := rules.New(list, nil)
	if err != nil {
		return err
	}
	corpus, err := fs.Sub(files, "corpus")
	if err != nil {
		return err
	}
	report, err := rulestest.Run(corpus, engine)
	if err != nil {
		return err
	}
	for _, s := range report.Scores {
		fmt.Fprintf(out, "%s: %d right, %d missed, %d false\n", s.Service, s.Right, s.Missed, s.False)
	}
	fmt.Fprintf(out, "%d of %d events without a meeting are right\n", report.NoneRight, report.None)

	// What would change if the rule were not there?
	changes, err := rulestest.Diff(corpus, engine, rules.Default())
	if err != nil {
		return err
	}
	for _, c := range changes {
		fmt.Fprintf(out, "without the rule: %s, event %d: %s\n", c.File, c.Index+1, strings.Join(c.What, ", "))
	}
	return nil
}
