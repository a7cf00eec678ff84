// Graph-to-cisco keeps a Cisco room device as the calendar of a room in
// Microsoft 365 wants it.
//
//	go run ./examples/graph-to-cisco
//
// uses a simulated Microsoft 365 and a simulated device on this machine. With
// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET in the environment
// and the address of a room,
//
//	go run ./examples/graph-to-cisco fjord@example.com
//
// reads that room's calendar in a real tenant. The app needs the application
// permission Calendars.Read. For a real device, give its address, account and
// the fingerprint of its certificate.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/ciscotest"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// tenant is where the calendar is.
type tenant struct {
	rooms   calendar.Provider
	mailbox string
	now     time.Time // when to look at the screen
	close   func()
}

// microsoft365 connects to Microsoft 365.
func microsoft365(mailbox string) (*tenant, error) {
	cred, err := azidentity.NewEnvironmentCredential(nil)
	if err != nil {
		return nil, err
	}
	return &tenant{rooms: msgraph.New(cred, nil), mailbox: mailbox, now: time.Now(), close: func() {}}, nil
}

// simulated starts a fake of Microsoft 365 with a room and two meetings.
func simulated() (*tenant, error) {
	site := graphtest.NewSite(nil)
	cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), string(site.Secret), &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{
			Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: site.URL}, Transport: site.Client(),
		},
		DisableInstanceDiscovery: true, // the fake is none of Microsoft's clouds
	})
	if err != nil {
		site.Close()
		return nil, err
	}
	start := time.Now().UTC().Truncate(time.Minute).Add(2 * time.Minute)
	ines := calendar.Person{Name: "Ines Calder", Email: "ines@example.com"}
	const link = "https://us02web.zoom.us/j/81177003344?pwd=aW5vdGFsaW5r.1"
	site.Room.AddSingle(graphtest.Event{
		Subject: "Weekly planning", Organizer: ines, Response: calendar.Accepted, Start: start, End: start.Add(30 * time.Minute),
		Location: link, HTML: "<p><a href=\"" + link + "\">Join Zoom Meeting</a><br>Meeting ID: 811 7700 3344<br>Passcode: 271828</p>",
	})
	site.Room.AddSingle(graphtest.Event{
		Subject: "Lunch", Organizer: ines, Response: calendar.Accepted, Start: start.Add(2 * time.Hour), Location: "Canteen",
	})
	return &tenant{
		rooms:   msgraph.New(cred, &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport}),
		mailbox: site.Room.Address(), now: start.Add(-time.Minute), close: site.Close,
	}, nil
}

const usage = "usage: graph-to-cisco [mailbox of a room]"

func run(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("graph-to-cisco", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(out, usage)
		return nil
	case err != nil:
		return fmt.Errorf("%w; %s", err, usage)
	}
	args = flags.Args()
	var t *tenant
	var err error
	switch {
	case len(args) == 0:
		t, err = simulated()
	case len(args) == 1:
		t, err = microsoft365(args[0])
	default:
		return errors.New(usage)
	}
	if err != nil {
		return err
	}
	defer t.close()

	device := ciscotest.New(&ciscotest.Options{Name: "Fjord"})
	if err := device.Start(""); err != nil {
		return err
	}
	defer device.Close()
	endpoint, err := cisco.New(device.Addr(),
		cisco.Password{User: device.User(), Password: calendar.Secret(device.Password())},
		&cisco.Options{Fingerprint: device.Fingerprint()})
	if err != nil {
		return err
	}
	svc, err := otj.New([]otj.Room{{
		Name:     "Fjord",
		Sources:  []otj.Source{{Provider: t.rooms, Mailbox: t.mailbox}},
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
	late := ctx.Err()
	cancel()
	if err := <-done; err != nil {
		return err
	}
	if late != nil {
		return fmt.Errorf("the room was not up to date in time: %+v", svc.Status().Rooms[0])
	}

	for _, e := range device.Screen(t.now) {
		if e.Button {
			fmt.Fprintf(out, "%s, in %v: [Join] dials %s\n", e.Title, e.Countdown, e.Number)
		} else {
			fmt.Fprintf(out, "%s, in %v\n", e.Title, e.Countdown)
		}
	}
	return nil
}
