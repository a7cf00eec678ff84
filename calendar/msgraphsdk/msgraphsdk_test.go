package msgraphsdk_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	azauth "github.com/microsoft/kiota-authentication-azure-go"
	khttp "github.com/microsoft/kiota-http-go"
	msgraphsdkgo "github.com/microsoftgraph/msgraph-sdk-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraphsdk"
)

// connect makes a client of Graph as its documentation has it, with its own
// middleware and a credential of azidentity, on the fake.
func connect(site *graphtest.Site) (*msgraphsdkgo.GraphServiceClient, error) {
	cred, err := azidentity.NewClientSecretCredential(site.Tenant.ID(), site.App.ClientID(), string(site.Secret),
		&azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true, ClientOptions: azcore.ClientOptions{
			Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: site.URL}, Transport: site.Client(),
		}})
	if err != nil {
		return nil, err
	}
	auth, err := azauth.NewAzureIdentityAuthenticationProviderWithScopes(cred, []string{site.URL + "/.default"})
	if err != nil {
		return nil, err
	}
	options := msgraphsdkgo.GetDefaultClientOptions()
	client := &http.Client{
		Transport: khttp.NewCustomTransportWithParentTransport(site.Client().Transport, core.GetDefaultMiddlewaresWithOptions(&options)...),
	}
	adapter, err := msgraphsdkgo.NewGraphRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth, nil, nil, client)
	if err != nil {
		return nil, err
	}
	adapter.SetBaseUrl(site.URL + "/v1.0")
	return msgraphsdkgo.NewGraphServiceClient(adapter), nil
}

// Microsoft's own client proves the fake, and the fake this provider.
func TestContract(t *testing.T) {
	for name, o := range map[string]graphtest.Options{"plain": {}, "small pages": {PageSize: 1, MaxPageSize: 2, OmitOldMasters: true}} {
		t.Run(name, func(t *testing.T) {
			calendartest.Run(t, func() (*calendartest.Harness, error) {
				site := graphtest.NewSite(&o)
				client, err := connect(site)
				if err != nil {
					return nil, err
				}
				return site.Harness(msgraphsdk.New(client, &msgraphsdk.Options{PageSize: 2})), nil
			})
		})
	}
}

var (
	monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	week   = calendar.Window{From: monday, To: monday.AddDate(0, 0, 7)}
)

func start(t *testing.T, opts *msgraphsdk.Options) (*graphtest.Site, *msgraphsdk.Provider) {
	site := graphtest.NewSite(nil)
	t.Cleanup(site.Close)
	client, err := connect(site)
	require.NoError(t, err)
	return site, msgraphsdk.New(client, opts)
}

// Every field arrives.
func TestEvent(t *testing.T) {
	site, p := start(t, nil)
	e := graphtest.Event{
		UID: "u1", Subject: "Budget", Start: monday.Add(9 * time.Hour), End: monday.Add(10 * time.Hour),
		Organizer: calendar.Person{Name: "Mara Lindqvist", Email: "mara@example.com"}, Location: "Fjord", LocationURI: "https://maps.example.com/1",
		HTML: "<p>Join</p>", JoinURL: "https://teams.example.com/1", OnlineMeetingURL: "https://skype.example.com/1",
		Sensitivity: calendar.Private, Response: calendar.TentativelyAccepted, ShowAs: "tentative",
	}
	id := site.Room.AddSingle(e)
	events, err := p.Events(context.Background(), site.Room.Address(), week)
	require.NoError(t, err)
	require.Len(t, events, 1)
	got := events[0]
	assert.NotEmpty(t, got.Revision)
	assert.WithinDuration(t, time.Now(), got.Modified, time.Minute)
	got.Revision, got.Modified = "", time.Time{}
	assert.Equal(t, calendar.Event{
		ID: id, UID: "u1", Subject: "Budget", Start: e.Start, End: e.End, Organizer: e.Organizer, Status: calendar.Tentative,
		Response: calendar.TentativelyAccepted, Sensitivity: calendar.Private, Location: "Fjord; https://maps.example.com/1",
		Body: calendar.Body{HTML: "<p>Join</p>"},
		Links: []calendar.Link{
			{URI: "https://teams.example.com/1", Source: calendar.SourceOnlineMeeting},
			{URI: "https://skype.example.com/1", Source: calendar.SourceOnlineMeetingURL},
		},
	}, got)
}

// Faults end in an error or in the right events, and never in waiting.
func TestFaults(t *testing.T) {
	ctx := context.Background()
	site, p := start(t, &msgraphsdk.Options{PageSize: 2, MaxPages: 5})
	for i := range 3 {
		site.Room.AddSingle(graphtest.Event{Subject: fmt.Sprint(i), Start: monday.Add(time.Duration(i) * time.Hour)})
	}
	room := site.Room.Address()
	var e *calendar.Error

	site.Inject(graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 90 * time.Second})
	begin := time.Now()
	_, err := p.Events(ctx, room, week)
	require.ErrorIs(t, err, calendar.ErrThrottled)
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 90*time.Second, e.RetryAfter)
	assert.Less(t, time.Since(begin), 30*time.Second)
	assert.EqualError(t, err, "read calendar of fjord@example.com: throttled: Graph answered 429 ApplicationThrottled (retry after 1m30s)")

	for name, f := range map[string]graphtest.Fault{
		"truncated": {Truncate: true}, "dropped": {Drop: true}, "endless": {Ops: []graphtest.Op{graphtest.OpView}, Repeat: true},
		"no token": {Ops: []graphtest.Op{graphtest.OpView}, Status: http.StatusBadGateway},
	} {
		site.ClearFaults()
		site.Inject(f)
		events, err := p.Events(ctx, room, week)
		require.ErrorIs(t, err, calendar.ErrUnavailable, name)
		assert.Empty(t, events, name)
	}

	// Delta pages that do not end: the events come all the same, and the token
	// begins again.
	site.ClearFaults()
	site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpDelta}, Repeat: true})
	d, err := p.Sync(ctx, room, week, "")
	require.NoError(t, err)
	assert.Len(t, d.Changed, 3)
	site.ClearFaults()
	d, err = p.Sync(ctx, room, week, d.Token)
	require.NoError(t, err)
	assert.True(t, d.Full)
	d, err = p.Sync(ctx, room, week, d.Token)
	require.NoError(t, err)
	assert.False(t, d.Full)
	before := site.Stats().Requests
	_, err = p.Sync(ctx, room, week, d.Token)
	require.NoError(t, err)
	assert.Equal(t, 1, site.Stats().Requests-before, "an idle mailbox costs one request")

	site.App.ExpireSecrets()
	client, err := connect(site)
	require.NoError(t, err)
	_, err = msgraphsdk.New(client, nil).Events(ctx, room, week)
	require.ErrorIs(t, err, calendar.ErrUnauthorized)
	require.ErrorContains(t, err, "AADSTS7000222")
}
