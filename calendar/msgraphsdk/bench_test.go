package msgraphsdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	khttp "github.com/microsoft/kiota-http-go"
	msgraphsdkgo "github.com/microsoftgraph/msgraph-sdk-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
	"github.com/stretchr/testify/require"

	absauth "github.com/microsoft/kiota-abstractions-go/authentication"

	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraphsdk"
)

type token string

func (k token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(k), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// canned returns what calendarView answers for a week with 100 events that have
// bodies of 15 KB, as the fake has it.
func canned(b *testing.B) []byte {
	site := graphtest.NewSite(nil)
	defer site.Close()
	body := "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>\r\n" +
		strings.Repeat("<div class=\"MsoNormal\"><span style=\"font-size:11pt\">Join the meeting – ask for the agenda</span></div>\r\n", 15_000/110) + "</body></html>"
	for i := range 100 {
		site.Room.AddSingle(graphtest.Event{Subject: fmt.Sprint("Meeting ", i), Start: monday.Add(time.Duration(i) * time.Hour), HTML: body,
			Location: "Fjord", JoinURL: "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Zm9yIHRlc3Rz%40thread.v2/0"})
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, site.URL+"/v1.0/users/"+site.Room.Address()+"/calendarView?$top=100&$select="+
		"id,iCalUId,seriesMasterId,type,changeKey,lastModifiedDateTime,subject,organizer,isOrganizer,start,end,isAllDay,isCancelled,showAs,sensitivity,"+
		"responseStatus,location,locations,body,bodyPreview,onlineMeeting,onlineMeetingUrl&startDateTime=2026-03-02&endDateTime=2026-03-09", nil)
	require.NoError(b, err)
	req.Header.Set("Authorization", "Bearer "+site.Tenant.Token(site.App))
	res, err := site.Client().Do(req)
	require.NoError(b, err)
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	var out struct{ Value []json.RawMessage }
	require.NoError(b, json.Unmarshal(page, &out))
	require.Len(b, out.Value, 100)
	return page
}

// A page of 100 events with bodies of 15 KB, over loopback: by package msgraph,
// by this one, and what the client's models alone cost. The server answers from
// memory, and its few allocations are in all three.
func BenchmarkPage(b *testing.B) {
	page := canned(b)
	size := strconv.Itoa(len(page))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{size}
		_, _ = w.Write(page)
	}))
	defer srv.Close()
	options := msgraphsdkgo.GetDefaultClientOptions()
	adapter, err := msgraphsdkgo.NewGraphRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(&absauth.AnonymousAuthenticationProvider{}, nil, nil,
		&http.Client{Transport: khttp.NewCustomTransportWithParentTransport(&http.Transport{}, core.GetDefaultMiddlewaresWithOptions(&options)...)})
	require.NoError(b, err)
	adapter.SetBaseUrl(srv.URL + "/v1.0")
	client := msgraphsdkgo.NewGraphServiceClient(adapter)
	light := msgraph.New(token("sesame"), &msgraph.Options{Cloud: msgraph.Cloud{Graph: srv.URL}, DailyQuota: msgraph.MaxDailyQuota})
	heavy := msgraphsdk.New(client, nil)
	const room = "fjord@example.com"
	for _, c := range []struct {
		name string
		read func() (int, error)
	}{
		{"msgraph", func() (int, error) {
			events, err := light.Events(b.Context(), room, week)
			return len(events), err
		}},
		{"models", func() (int, error) {
			out, err := client.Users().ByUserId(room).CalendarView().Get(b.Context(), &users.ItemCalendarViewRequestBuilderGetRequestConfiguration{
				QueryParameters: &users.ItemCalendarViewRequestBuilderGetQueryParameters{StartDateTime: pointer("2026-03-02"), EndDateTime: pointer("2026-03-09")},
			})
			if err != nil {
				return 0, err
			}
			return len(out.GetValue()), nil
		}},
		{"msgraphsdk", func() (int, error) {
			events, err := heavy.Events(b.Context(), room, week)
			return len(events), err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := c.read(); n != 100 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
