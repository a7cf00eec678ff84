package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/invite"
	"github.com/onetouchjoin/onetouchjoin/rules"
	"github.com/onetouchjoin/onetouchjoin/rules/rulestest"
)

// extracted is one line of otj extract --json.
type extracted struct {
	File    string          `json:"file"`
	UID     string          `json:"uid,omitempty"`
	Subject string          `json:"subject,omitempty"`
	Private bool            `json:"private,omitempty"` // the organizer does not want the subject seen
	Start   string          `json:"start,omitempty"`   // RFC 3339
	End     string          `json:"end,omitempty"`
	Join    *rulestest.Want `json:"join"` // with passcodes
	Reason  string          `json:"reason"`
}

func extract(_ context.Context, args []string, std stdio) int {
	fs := flag.NewFlagSet("extract", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print a JSON object a line")
	var by ruleFlags
	by.register(fs)
	files, status, ok := parse(fs, args, std)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return std.fail(wrong, "extract: no file is named; name .ics, .eml, .html, .txt or .json files, or - for standard input")
	}
	engine, err := by.engine()
	if err != nil {
		return std.fail(no, "%v", err)
	}

	status = done
	for _, file := range files {
		items, err := readInvite(file, std.in)
		if err != nil {
			status = std.fail(no, "%s: %v", file, err)
			items = []invite.Item{{Err: err}}
		}
		for i := range items {
			line := extractOne(engine, file, &items[i])
			if items[i].Err != nil && err == nil {
				status = std.fail(no, "%s: %v", file, items[i].Err)
			}
			if *asJSON {
				printJSON(std.out, line)
			} else {
				printExtracted(std.out, line)
			}
		}
	}
	return status
}

func extractOne(engine *rules.Engine, file string, item *invite.Item) extracted {
	ev := &item.Event
	line := extracted{File: file, UID: ev.UID, Subject: ev.Subject, Private: ev.Sensitivity != calendar.Normal, Start: rfc3339(ev.Start), End: rfc3339(ev.End)}
	if item.Err != nil {
		line.Reason = item.Err.Error()
		return line
	}
	if m, ok := engine.Find(ev); ok {
		line.Join = rulestest.Found(m)
	} else {
		line.Reason = engine.Why(ev)
	}
	return line
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// printJSON prints one line of JSON. What a terminal would obey is escaped.
func printJSON(w io.Writer, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // structs of strings and numbers
	}
	var out strings.Builder
	for _, r := range b.String() {
		if r != '\n' && !shows(r) {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	fmt.Fprint(w, out.String())
}

func printExtracted(w io.Writer, line extracted) {
	title := line.Subject
	if title == "" {
		title = "(no subject)"
	}
	if line.Private {
		title += " (private)"
	}
	fmt.Fprintf(w, "%s: %s\n", printable(line.File), printable(title))
	if line.Start != "" {
		fmt.Fprintf(w, "  when      %s to %s\n", line.Start, line.End)
	}
	if line.Join == nil {
		fmt.Fprintf(w, "  no button: %s\n", printable(line.Reason))
		return
	}
	for _, row := range [][2]string{
		{"service", line.Join.Service}, {"link", line.Join.URI}, {"dial", line.Join.Dial}, {"meeting", line.Join.MeetingID},
		{"passcode", line.Join.Passcode}, {"found", "in the " + line.Join.Field + ", by rule " + line.Join.Rule},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "  %-9s %s\n", row[0], printable(row[1]))
		}
	}
}

// printable replaces what would not show as it is on a terminal, or change it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !shows(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// shows reports whether a character shows as it is: it is no control character,
// and does not turn the direction of text around.
func shows(r rune) bool {
	return r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) && (r < 0x202a || r > 0x202e) && (r < 0x2066 || r > 0x2069)
}

// readInvite reads the events of a file, or of standard input for "-".
func readInvite(file string, stdin io.Reader) ([]invite.Item, error) {
	if file == "-" {
		return invite.Read("", stdin, nil)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a folder; name the files in it")
	}
	items, err := invite.Read(file, f, nil)
	return items, plain(err)
}

// plain takes the operation and the path off an error: they are printed already.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
