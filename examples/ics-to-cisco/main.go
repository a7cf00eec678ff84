// Ics-to-cisco keeps a Cisco room device as a calendar file wants it: the whole
// path in one small program. The device is a simulated one on this machine; for
// a real one, give its address, account and the fingerprint of its certificate.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// A meeting with a button, and one without.
const calendarFile = `BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:planning@example.com
DTSTART:%[1]s
DURATION:PT30M
ORGANIZER;CN=Ines Calder:mailto:ines@example.com
SUMMARY:Weekly planning
LOCATION:https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1
DESCRIPTION:Join Zoom Meeting\nMeeting ID: 811 7700 3344\nPasscode: 271828
END:VEVENT
BEGIN:VEVENT
UID:lunch@example.com
DTSTART:%[2]s
DURATION:PT1H
ORGANIZER;CN=Mara Lindqvist:mailto:mara@example.com
SUMMARY:Lunch
LOCATION:Canteen
END:VEVENT
END:VCALENDAR
`

func run(ctx context.Context, out io.Writer) error {
	device := ciscotest.New(&ciscotest.Options{Name: "Fjord"})
	if err := device.Start(""); err != nil {
		return err
	}
	defer device.Close()

	dir, err := os.MkdirTemp("", "ics-to-cisco-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "fjord.ics")
	const utc = "20060102T150405Z"
	start := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	text := fmt.Sprintf(calendarFile, start.Format(utc), start.Add(2*time.Hour).Format(utc))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}

	endpoint, err := cisco.New(device.Addr(),
		cisco.Password{User: device.User(), Password: calendar.Secret(device.Password())},
		&cisco.Options{Fingerprint: device.Fingerprint()})
	if err != nil {
		return err
	}
	svc, err := otj.New([]otj.Room{{
		Name:     "Fjord",
		Sources:  []otj.Source{{Provider: ics.NewFile(file, nil)}},
		Endpoint: endpoint,
	}}, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	for !svc.Status().Rooms[0].UpToDate && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		return err
	}

	// What people in the room see a minute before the meeting.
	for _, e := range device.Screen(start.Add(-time.Minute)) {
		if e.Button {
			fmt.Fprintf(out, "%s, in %v: [Join] dials %s\n", e.Title, e.Countdown, e.Number)
		} else {
			fmt.Fprintf(out, "%s, in %v\n", e.Title, e.Countdown)
		}
	}
	return nil
}
