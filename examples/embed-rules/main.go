// Embed-rules finds the address that a meeting is joined by in an invite. The
// rules need neither a service nor a device: an event goes in, a match comes out.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

//go:embed invite.ics
var invite string

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	cal, err := ics.Decode(strings.NewReader(invite), nil)
	if err != nil {
		return err
	}
	march := calendar.Window{
		From: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
		To:   time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC),
	}
	events, err := cal.Events(context.Background(), "", march)
	if err != nil {
		return err
	}
	engine := rules.Default()
	for i := range events {
		m, ok := engine.Find(&events[i])
		if !ok {
			fmt.Fprintf(out, "%s: %s\n", events[i].Subject, engine.Why(&events[i]))
			continue
		}
		fmt.Fprintf(out, "%s: %s meeting %s, found in the %s\n", events[i].Subject, m.Service, m.MeetingID, m.Field)
		for _, a := range m.Addresses {
			fmt.Fprintf(out, "  %s\n", a.URI)
		}
	}
	return nil
}
