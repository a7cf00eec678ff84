package cisco

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// link is a way to call a device's API.
type link interface {
	// open makes the session that the other methods need. fresh says that it is
	// a new one: the device may have restarted.
	open(ctx context.Context) (fresh bool, err error)
	// command executes a command and returns its result, whose status was OK.
	command(ctx context.Context, c command) (*roomos.Node, error)
	// status and config return what is at path, as a node named by the path's
	// last word; nil if the device has nothing there.
	status(ctx context.Context, path ...string) (*roomos.Node, error)
	config(ctx context.Context, path ...string) (*roomos.Node, error)
	setConfig(ctx context.Context, path []string, value string) error
	// putLegacy posts to /bookingsputxml; errNoLegacy where that is not possible.
	putLegacy(ctx context.Context, doc []byte) error
}

var errNoLegacy = errors.New("no way to post to /bookingsputxml")

// command is a command with its arguments.
type command struct {
	name string // as in "Bookings List"
	args []argument
	body string // empty for none
}

type argument struct{ name, value string }

// xml returns the command as a document.
func (c *command) xml() []byte {
	var b bytes.Buffer
	b.Grow(len(c.body)*3/2 + 256)
	text := func(name, value string) {
		b.WriteString("<" + name + ">")
		escape(&b, value)
		b.WriteString("</" + name + ">")
	}
	words := strings.Fields(c.name)
	b.WriteString("<Command>")
	for _, w := range words {
		b.WriteString("<" + w + ">")
	}
	for _, a := range c.args {
		text(a.name, a.value)
	}
	if c.body != "" {
		text("body", c.body)
	}
	for i := len(words) - 1; i >= 0; i-- {
		b.WriteString("</" + words[i] + ">")
	}
	b.WriteString("</Command>")
	return b.Bytes()
}

// escape writes s as text of XML: as xml.EscapeText does, which is slow for the
// many quotes of JSON.
func escape(b *bytes.Buffer, s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		ref := ""
		switch c := s[i]; {
		case c == '"':
			ref = "&#34;"
		case c == '\'':
			ref = "&#39;"
		case c == '&':
			ref = "&amp;"
		case c == '<':
			ref = "&lt;"
		case c == '>':
			ref = "&gt;"
		case c < 0x20 || c >= 0x80:
			// Some of these have no place in XML.
			b.WriteString(s[from:i])
			end := i + 1
			for end < len(s) && (s[end] < 0x20 || s[end] >= 0x80) {
				end++
			}
			xml.EscapeText(b, []byte(s[i:end])) //nolint:errcheck // a buffer does not fail
			i, from = end-1, end
			continue
		default:
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(ref)
		from = i + 1
	}
	b.WriteString(s[from:])
}

// outcome finds the result of a command. Only a result with status OK is a
// success: an empty <Command/> is what a device answers with to arguments that
// it does not know.
func outcome(name string, root *roomos.Node) (*roomos.Node, error) {
	e := &CommandError{Command: name}
	for _, k := range root.Kids {
		if !strings.HasSuffix(k.Name, "Result") {
			continue
		}
		if k.Status == "OK" {
			return k, nil
		}
		e.Status, e.Reason, e.XPath = k.Status, clean(firstOf(k.Value("Reason"), k.Value("Error"), strings.TrimSpace(k.Text))), clean(k.Value("XPath"))
		return nil, commandFault(e)
	}
	if root.Name != "Command" {
		return nil, notDevice("<%s> in place of <Command>", clean(root.Name))
	}
	e.Reason = "the answer has no result: the software does not know the command or its arguments"
	return nil, commandFault(e)
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
