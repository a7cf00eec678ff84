package msgraphsdk_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraphsdk"
)

func pointer[T any](v T) *T { return &v }

// What the client makes of the fake's answers where this provider does not use
// it: pages by its own iterator, delta, errors, $batch and subscriptions.
func TestClientReadsTheFake(t *testing.T) {
	ctx := context.Background()
	site := graphtest.NewSite(&graphtest.Options{PageSize: 2})
	defer site.Close()
	client, err := connect(site)
	require.NoError(t, err)
	at := func(day int) graphtest.Event {
		return graphtest.Event{Subject: fmt.Sprint("s", day), Start: monday.AddDate(0, 0, day).Add(9 * time.Hour), JoinURL: "https://teams.example.com/1"}
	}
	single := site.Room.AddSingle(at(1))
	series, err := site.Room.AddSeries(at(2), graphtest.Recurrence{Type: "daily", Count: 4})
	require.NoError(t, err)
	room := client.Users().ByUserId(site.Room.Address())

	t.Run("delta", func(t *testing.T) {
		headers := abstractions.NewRequestHeaders()
		headers.Add("Prefer", `IdType="ImmutableId"`)
		round := func(builder *users.ItemCalendarViewDeltaRequestBuilder, q *users.ItemCalendarViewDeltaRequestBuilderGetQueryParameters) (list []models.Eventable, link string) {
			page, err := builder.GetAsDeltaGetResponse(ctx, &users.ItemCalendarViewDeltaRequestBuilderGetRequestConfiguration{Headers: headers, QueryParameters: q})
			require.NoError(t, err)
			pages, err := core.NewPageIterator[models.Eventable](page, client.GetAdapter(), users.CreateItemCalendarViewDeltaGetResponseFromDiscriminatorValue)
			require.NoError(t, err)
			pages.SetHeaders(headers)
			require.NoError(t, pages.Iterate(ctx, func(e models.Eventable) bool {
				list = append(list, e)
				return true
			}))
			require.NotNil(t, pages.GetOdataDeltaLink())
			return list, *pages.GetOdataDeltaLink()
		}
		from, to := week.From.Format(time.RFC3339), week.To.Format(time.RFC3339)
		list, link := round(room.CalendarView().Delta(), &users.ItemCalendarViewDeltaRequestBuilderGetQueryParameters{StartDateTime: &from, EndDateTime: &to})
		n := map[string]int{}
		for _, e := range list {
			kind := e.GetTypeEscaped().String()
			n[kind]++
			assert.Equal(t, kind == "occurrence", e.GetSubject() == nil, "an occurrence is sparse")
			assert.Equal(t, kind == "occurrence", e.GetSeriesMasterId() != nil)
			if kind == "seriesMaster" {
				assert.Equal(t, "daily", e.GetRecurrence().GetPattern().GetTypeEscaped().String())
				assert.EqualValues(t, 4, *e.GetRecurrence().GetRangeEscaped().GetNumberOfOccurrences())
				assert.Equal(t, series, *e.GetId())
			}
		}
		assert.Equal(t, map[string]int{"singleInstance": 1, "occurrence": 4, "seriesMaster": 1}, n)
		require.NoError(t, site.Room.Delete(single))
		list, _ = round(users.NewItemCalendarViewDeltaRequestBuilder(link, client.GetAdapter()), nil)
		require.Len(t, list, 1)
		assert.Equal(t, single, *list[0].GetId())
		assert.Contains(t, list[0].GetAdditionalData(), "@removed")
	})

	t.Run("event and instances", func(t *testing.T) {
		e, err := room.Events().ByEventId(series).Get(ctx, nil)
		require.NoError(t, err)
		assert.Equal(t, "https://teams.example.com/1", *e.GetOnlineMeeting().GetJoinUrl())
		assert.Equal(t, models.TEAMSFORBUSINESS_ONLINEMEETINGPROVIDERTYPE, *e.GetOnlineMeetingProvider())
		_, err = room.Events().ByEventId("x").Get(ctx, nil)
		var odata *odataerrors.ODataError
		require.ErrorAs(t, err, &odata)
		assert.Equal(t, http.StatusNotFound, odata.ResponseStatusCode)
		assert.Equal(t, "ErrorItemNotFound", *odata.GetErrorEscaped().GetCode())
		require.NotNil(t, odata.GetErrorEscaped().GetInnerError())
		assert.NotEmpty(t, *odata.GetErrorEscaped().GetInnerError().GetRequestId())
		list, err := room.Events().ByEventId(series).Instances().Get(ctx, &users.ItemEventsItemInstancesRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.ItemEventsItemInstancesRequestBuilderGetQueryParameters{
				StartDateTime: pointer(week.From.Format(time.RFC3339)), EndDateTime: pointer(week.To.Format(time.RFC3339)), Top: pointer(int32(50)),
			},
		})
		require.NoError(t, err)
		assert.Len(t, list.GetValue(), 4)
	})

	t.Run("batch", func(t *testing.T) {
		batch := core.NewBatchRequest(client.GetAdapter())
		var ids []string
		for _, mailbox := range []string{site.Room.Address(), "nobody@example.com"} {
			info, err := client.Users().ByUserId(mailbox).CalendarView().ToGetRequestInformation(ctx, &users.ItemCalendarViewRequestBuilderGetRequestConfiguration{
				QueryParameters: &users.ItemCalendarViewRequestBuilderGetQueryParameters{
					StartDateTime: pointer(week.From.Format(time.RFC3339)), EndDateTime: pointer(week.To.Format(time.RFC3339)),
				},
			})
			require.NoError(t, err)
			step, err := batch.AddBatchRequestStep(*info)
			require.NoError(t, err)
			ids = append(ids, *step.GetId())
		}
		answers, err := batch.Send(ctx, client.GetAdapter())
		require.NoError(t, err)
		page, err := core.GetBatchResponseById[models.EventCollectionResponseable](answers, ids[0], models.CreateEventCollectionResponseFromDiscriminatorValue)
		require.NoError(t, err)
		assert.Len(t, page.GetValue(), 2)
		assert.NotEmpty(t, *page.GetOdataNextLink())
		assert.EqualValues(t, http.StatusNotFound, *answers.GetResponseById(ids[1]).GetStatus())
	})

	t.Run("subscriptions", func(t *testing.T) {
		got := make(chan string, 1)
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if token := r.URL.Query().Get("validationToken"); token != "" {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, token)
				return
			}
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			got <- string(body)
			w.WriteHeader(http.StatusAccepted)
		}))
		defer hook.Close()
		sub := models.NewSubscription()
		sub.SetChangeType(pointer("created,updated"))
		sub.SetNotificationUrl(pointer(hook.URL))
		sub.SetResource(pointer("users/" + site.Room.ID() + "/events"))
		sub.SetExpirationDateTime(pointer(time.Now().Add(time.Hour)))
		sub.SetClientState(pointer("sesame"))
		made, err := client.Subscriptions().Post(ctx, sub, nil)
		require.NoError(t, err)
		site.Room.AddSingle(at(5))
		// The client has no model of notifications.
		assert.Contains(t, <-got, *made.GetId())

		one := client.Subscriptions().BySubscriptionId(*made.GetId())
		renewal := models.NewSubscription()
		until := time.Now().Add(5 * time.Hour).UTC().Truncate(time.Second)
		renewal.SetExpirationDateTime(&until)
		renewed, err := one.Patch(ctx, renewal, nil)
		require.NoError(t, err)
		assert.True(t, until.Equal(*renewed.GetExpirationDateTime()))
		require.NoError(t, one.Reauthorize().Post(ctx, nil))
		all, err := client.Subscriptions().Get(ctx, nil)
		require.NoError(t, err)
		assert.Len(t, all.GetValue(), 1)
		require.NoError(t, one.Delete(ctx, nil))
		assert.Empty(t, site.Subscriptions())
	})
}

// What each shape of a room's meeting gives.
func TestShapes(t *testing.T) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for _, s := range graphtest.Shapes() {
		t.Run(s.Name, func(t *testing.T) {
			site, p := start(t, nil)
			require.NoError(t, s.Add(site.Room, day))
			got, err := p.Events(context.Background(), site.Room.Address(), s.Window(day))
			require.NoError(t, err)
			require.NoError(t, s.Check(got, day))
		})
	}
}

// Who follows Sync has what the mailbox has, whatever changes there, and
// whatever goes wrong meanwhile.
func TestSyncFollowsRandomChanges(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 3))
		site := graphtest.NewSite(&graphtest.Options{Seed: seed, OmitOldMasters: seed%2 == 0})
		client, err := connect(site)
		require.NoError(t, err)
		p := msgraphsdk.New(client, &msgraphsdk.Options{PageSize: 3, MaxPages: 40})
		held, token := map[string]calendar.Event{}, ""
		follow := func() error {
			d, err := p.Sync(ctx, site.Room.Address(), week, token)
			if errors.Is(err, calendar.ErrTokenExpired) {
				token = ""
			}
			if err != nil {
				return err
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
			return nil
		}
		for range 40 {
			for range random.IntN(4) {
				require.NoError(t, site.Room.Churn(random, week))
			}
			faults := []graphtest.Fault{{Status: 503}, {Status: 410}, {Truncate: true}, {Drop: true}, {Repeat: true}, {Empty: true}, {Status: 429, RetryAfter: time.Second}}
			site.Inject(faults[random.IntN(len(faults))])
			site.Inject(graphtest.Fault{Probability: 0.3, Status: 504})
			_ = follow()
			site.ClearFaults()
			require.NoError(t, cmp.Or(follow(), follow()))
			require.NoError(t, site.Room.Check(week, slices.Collect(maps.Values(held))))
		}
		site.Close()
	}
}
