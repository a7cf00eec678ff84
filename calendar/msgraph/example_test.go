package msgraph_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// A room's day, and what an administrator reads when something is wrong. The
// simulated Microsoft 365 has a server of its own, with TLS; with a real tenant
// the credential and the provider need no options.
func Example() {
	site := graphtest.NewSite(nil)
	defer site.Close()
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	site.Room.AddSingle(graphtest.Event{Subject: "Planning", Start: day.Add(9 * time.Hour), JoinURL: "https://teams.example.com/1"})
	site.Room.AddSingle(graphtest.Event{Subject: "Review", Start: day.Add(14 * time.Hour)})

	opts := &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL, Authority: site.URL}, Transport: site.Client().Transport}
	cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), string(site.Secret), &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{
			Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: opts.Cloud.Authority},
			Transport: opts.Client(),
		},
		DisableInstanceDiscovery: true, // the fake is none of Microsoft's clouds
	})
	if err != nil {
		panic(err)
	}
	rooms := msgraph.New(cred, opts)
	events, err := rooms.Events(context.Background(), "fjord@example.com", calendar.Window{From: day, To: day.AddDate(0, 0, 1)})
	if err != nil {
		panic(err)
	}
	for _, e := range events {
		fmt.Println(e.Start.Format("15:04"), e.Subject, e.Links)
	}

	site.Tenant.Restrict(site.App, site.Other)
	err = rooms.CheckAccess(context.Background(), "fjord@example.com")
	fmt.Println(errors.Is(err, calendar.ErrForbidden), err)
	// Output:
	// 09:00 Planning [{https://teams.example.com/1 onlineMeeting.joinUrl  }]
	// 14:00 Review []
	// true read calendar of fjord@example.com: access denied: Graph answered 403 ErrorAccessDenied. The tenant's application access policy does not list this mailbox: add it to the policy's group; a change can take two hours.
}

// Following a calendar by its changes.
func ExampleProvider_Sync() {
	site := graphtest.NewSite(nil)
	defer site.Close()
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week := calendar.Window{From: day, To: day.AddDate(0, 0, 7)}
	id := site.Room.AddSingle(graphtest.Event{Subject: "Planning", Start: day.Add(9 * time.Hour)})
	rooms := msgraph.New(app{site}, &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport})

	held, token := map[string]calendar.Event{}, ""
	follow := func() {
		d, err := rooms.Sync(context.Background(), "fjord@example.com", week, token)
		if errors.Is(err, calendar.ErrTokenExpired) {
			d, err = rooms.Sync(context.Background(), "fjord@example.com", week, "")
		}
		if err != nil {
			panic(err)
		}
		if d.Full {
			clear(held)
		}
		for _, id := range d.Removed {
			delete(held, id)
		}
		for _, e := range d.Changed {
			held[e.ID] = e
		}
		token = d.Token
		fmt.Println("full:", d.Full, "changed:", len(d.Changed), "removed:", len(d.Removed), "held:", len(held))
	}
	follow()
	follow()
	site.Room.AddSingle(graphtest.Event{Subject: "Review", Start: day.Add(14 * time.Hour)})
	follow()
	if err := site.Room.Delete(id); err != nil {
		panic(err)
	}
	follow()
	// Output:
	// full: true changed: 1 removed: 0 held: 1
	// full: false changed: 0 removed: 0 held: 1
	// full: false changed: 1 removed: 0 held: 2
	// full: false changed: 0 removed: 1 held: 1
}
