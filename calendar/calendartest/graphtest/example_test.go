package graphtest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

// static is a credential that needs no fake of Entra.
type static string

func (s static) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(s), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A room with a weekly meeting, of which one day was moved.
func Example() {
	site := graphtest.NewSite(nil)
	defer site.Close()
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	series, err := site.Room.AddSeries(graphtest.Event{Subject: "Planning", Start: start, JoinURL: "https://teams.example.com/1"},
		graphtest.Recurrence{Type: "weekly", Count: 3})
	if err != nil {
		panic(err)
	}
	second, err := site.Room.Occurrence(series, start.AddDate(0, 0, 7))
	if err != nil {
		panic(err)
	}
	if err := site.Room.Move(second, start.AddDate(0, 0, 8)); err != nil {
		panic(err)
	}

	rooms := msgraph.New(static(site.Tenant.Token(site.App)), &msgraph.Options{Cloud: msgraph.Cloud{Graph: site.URL}, Transport: site.Client().Transport})
	events, err := rooms.Events(context.Background(), site.Room.Address(), calendar.Window{From: start, To: start.AddDate(0, 1, 0)})
	if err != nil {
		panic(err)
	}
	for _, e := range events {
		fmt.Println(e.Start.Format("Mon Jan 2 15:04"), e.Subject, e.Links[0].URI)
	}
	// Output:
	// Mon Mar 2 09:00 Planning https://teams.example.com/1
	// Tue Mar 10 09:00 Planning https://teams.example.com/1
	// Mon Mar 16 09:00 Planning https://teams.example.com/1
}
