// Custom-endpoint is an adapter for a device that the project does not know, in
// sign.go, and a program that keeps such a device: it reads a calendar, finds
// the addresses to dial, and puts the meetings on the sign. The device is a
// simulated one on this machine.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const invite = `BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:design-review@example.com
DTSTART:%[1]s
DTEND:%[2]s
ORGANIZER;CN=Ada Example:mailto:ada@example.com
SUMMARY:Design review
LOCATION:sip:design.review@video.example.com
END:VEVENT
END:VCALENDAR
`

func run(ctx context.Context, out io.Writer) error {
	// The device.
	sign := &device{token: "secret"}
	server := httptest.NewServer(sign)
	defer server.Close()

	// The calendar.
	dir, err := os.MkdirTemp("", "custom-endpoint-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	start := time.Now().UTC().Add(time.Hour)
	text := fmt.Sprintf(invite, start.Format("20060102T150405Z"), start.Add(time.Hour).Format("20060102T150405Z"))
	if err := os.WriteFile(filepath.Join(dir, "room@example.com.ics"), []byte(text), 0o600); err != nil {
		return err
	}

	// The service.
	svc, err := otj.New([]otj.Room{{
		Name:     "Board room",
		Sources:  []otj.Source{{Provider: ics.NewFolder(dir, nil), Mailbox: "room@example.com"}},
		Endpoint: NewSign(server.URL, "secret"),
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
	for _, b := range sign.screen() {
		fmt.Fprintf(out, "%s, by %s: %s\n", b.Title, b.Organizer, b.Dial)
	}
	return nil
}
