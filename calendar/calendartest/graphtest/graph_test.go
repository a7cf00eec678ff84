package graphtest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest/graphtest"
)

func oslo(t testing.TB) *time.Location {
	loc, err := time.LoadLocation("Europe/Oslo")
	require.NoError(t, err)
	return loc
}

// Pages, $select and the Prefer headers of calendarView.
func TestView(t *testing.T) {
	c := newClient(t, nil)
	m := c.site.Room
	for i := range 25 {
		m.AddSingle(meeting(fmt.Sprintf("Meeting %d", i), i%7, i%24))
	}
	view := room(m) + "/calendarView" + span(week)
	first := c.get(view)
	assert.Len(t, first.value(), 10)
	assert.Contains(t, first.body["@odata.nextLink"], c.site.URL)
	for _, target := range []string{view, view + "&$top=7", "/v1.0/users/" + m.ID() + "/calendar/calendarView" + span(week), "/v1.0/users('" + m.Address() + "')/calendarView" + span(week)} {
		events, _ := c.all(target)
		assert.Len(t, events, 25, target)
	}
	events, _ := c.all(view, "Prefer: odata.maxpagesize=100")
	assert.Len(t, events, 25)

	a := c.get(view+"&$select=subject,start&$top=1", immutable, `Prefer: outlook.timezone="W. Europe Standard Time"`)
	ev := a.value()[0]
	assert.ElementsMatch(t, []string{"@odata.etag", "id", "subject", "start"}, keys(ev))
	assert.Equal(t, map[string]any{"dateTime": "2026-03-02T01:00:00.0000000", "timeZone": "W. Europe Standard Time"}, ev["start"])
	assert.Contains(t, strings.Join(a.header.Values("Preference-Applied"), ","), "ImmutableId")
	id := ev["id"].(string)
	got := c.get(room(m)+"/events/"+id, `Prefer: outlook.body-content-type="text"`)
	assert.Equal(t, "Meeting 0", got.body["subject"])
	assert.Equal(t, map[string]any{"contentType": "text", "content": "Meeting 0"}, got.body["body"])
	assert.NotEqual(t, id, got.body["id"], "without the header an ID is not immutable")
	assert.Equal(t, http.StatusNotFound, c.get(room(m)+"/events/"+strings.ToLower(id)).status, "letter case counts")
	c.site.Other.AddSingle(meeting("another", 0, 0))
	assert.Equal(t, http.StatusNotFound, c.get(room(c.site.Other)+"/events/"+id).status, "an ID is of one mailbox")

	for target, code := range map[string]string{
		room(m) + "/calendarView":       "ErrorInvalidParameter",
		view + "&$select=colour":        "RequestBroker--ParseUri",
		view + "&$top=0":                "ErrorInvalidUrlQuery",
		view + "&$top=1001":             "ErrorInvalidUrlQuery",
		view + "&$filter=isAllDay":      "ErrorInvalidUrlQuery",
		"/v1.0/me/calendarView":         "BadRequest",
		room(m) + "/messages":           "BadRequest",
		room(m) + "/events/x":           "ErrorItemNotFound",
		room(m) + "/calendarView/delta": "ErrorInvalidParameter",
	} {
		a := c.get(target)
		assert.Equal(t, code, a.code(), target)
		assert.NotEmpty(t, a.header.Get("request-id"))
	}
	assert.Equal(t, http.StatusForbidden, c.do(http.MethodDelete, room(m)+"/events/"+id, nil).status, "the permission is to read")
}

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// Series: occurrences in their own time zone, exceptions, what was deleted, and
// the recurrences that Graph has.
func TestSeries(t *testing.T) {
	c := newClient(t, nil)
	m := c.site.Room
	start := time.Date(2026, 3, 23, 9, 0, 0, 0, oslo(t)) // summer time begins on the 29th
	id, err := m.AddSeries(graphtest.Event{Subject: "Daily", Start: start, End: start.Add(time.Hour), HTML: "all"}, graphtest.Recurrence{Type: "daily", Count: 10})
	require.NoError(t, err)
	moved, err := m.Occurrence(id, start.AddDate(0, 0, 1))
	require.NoError(t, err)
	require.NoError(t, m.Move(moved, start.AddDate(0, 0, 1).Add(3*time.Hour)))
	require.NoError(t, m.Edit(moved, func(e *graphtest.Event) { e.HTML = "one" }))
	gone, err := m.Occurrence(id, start.AddDate(0, 0, 2))
	require.NoError(t, err)
	require.NoError(t, m.Delete(gone))
	_, err = m.Occurrence(id, start.AddDate(0, 0, 2))
	require.Error(t, err)

	w := calendar.Window{From: start.AddDate(0, 0, -1), To: start.AddDate(0, 0, 20)}
	events, _ := c.all(room(m)+"/calendarView"+span(w)+"&$top=3", immutable)
	var got []string
	uids := map[string]bool{}
	for _, e := range events {
		got = append(got, fmt.Sprint(e["type"], " ", e["start"].(map[string]any)["dateTime"].(string)[:16], " ", e["body"].(map[string]any)["content"]))
		assert.Equal(t, id, e["seriesMasterId"])
		uids[e["iCalUId"].(string)] = true
	}
	assert.Equal(t, []string{
		"occurrence 2026-03-23T08:00 all", "exception 2026-03-24T11:00 one", "occurrence 2026-03-26T08:00 all",
		"occurrence 2026-03-27T08:00 all", "occurrence 2026-03-28T08:00 all", "occurrence 2026-03-29T07:00 all",
		"occurrence 2026-03-30T07:00 all", "occurrence 2026-03-31T07:00 all", "occurrence 2026-04-01T07:00 all",
	}, got)
	assert.Len(t, uids, 9, "Graph's iCalUId is another one for each occurrence")

	master := c.get(room(m)+"/events/"+id+"?$select=recurrence,cancelledOccurrences,type,originalStart", immutable).body
	assert.Equal(t, "seriesMaster", master["type"])
	assert.Len(t, master["cancelledOccurrences"], 1)
	instances, _ := c.all(room(m) + "/events/" + id + "/instances" + span(w))
	assert.Len(t, instances, 9)
	assert.Equal(t, http.StatusBadRequest, c.get(room(m)+"/events/"+moved+"/instances"+span(w)).status)
	assert.Equal(t, "exception", c.get(room(m) + "/events/" + moved).body["type"])
	assert.Equal(t, http.StatusNotFound, c.get(room(m)+"/events/"+gone).status)
}

func TestRecurrences(t *testing.T) {
	c := newClient(t, nil)
	start := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC) // a Saturday
	for _, tt := range []struct {
		r    graphtest.Recurrence
		want string
	}{
		{graphtest.Recurrence{Type: "daily", Interval: 30, Count: 4}, "01-31 03-02 04-01 05-01"},
		{graphtest.Recurrence{Type: "weekly", Interval: 2, DaysOfWeek: []time.Weekday{time.Monday, time.Saturday}, Count: 5}, "01-31 02-09 02-14 02-23 02-28"},
		{graphtest.Recurrence{Type: "weekly", Interval: 2, DaysOfWeek: []time.Weekday{time.Sunday, time.Saturday}, FirstDayOfWeek: time.Monday, Count: 4}, "01-31 02-01 02-14 02-15"},
		{graphtest.Recurrence{Type: "absoluteMonthly", Count: 4}, "01-31 02-28 03-31 04-30"},
		{graphtest.Recurrence{Type: "relativeMonthly", Count: 3}, "01-31 02-28 03-28"},
		{graphtest.Recurrence{Type: "relativeMonthly", Index: "second", DaysOfWeek: []time.Weekday{time.Tuesday, time.Thursday}, Count: 3}, "02-05 03-05 04-07"},
		{graphtest.Recurrence{Type: "absoluteYearly", Count: 2}, "01-31 01-31"},
		{graphtest.Recurrence{Type: "relativeYearly", Month: time.March, Index: "first", DaysOfWeek: []time.Weekday{time.Monday}, Count: 2}, "03-02 03-01"},
		{graphtest.Recurrence{Type: "daily", Until: start.AddDate(0, 0, 2)}, "01-31 02-01 02-02"},
	} {
		m := c.site.Tenant.AddMailbox(fmt.Sprintf("%v@example.com", tt))
		_, err := m.AddSeries(graphtest.Event{Start: start}, tt.r)
		require.NoError(t, err)
		var got []string
		for _, e := range m.View(calendar.Window{From: start.AddDate(-1, 0, 0), To: start.AddDate(10, 0, 0)}) {
			got = append(got, e.Start.Format("01-02"))
		}
		assert.Equal(t, tt.want, strings.Join(got, " "), "%+v", tt.r)
	}
	// Without an end, far away.
	m := c.site.Other
	_, err := m.AddSeries(graphtest.Event{Start: start}, graphtest.Recurrence{Type: "daily"})
	require.NoError(t, err)
	assert.Len(t, m.View(calendar.Window{From: start.AddDate(30, 0, 0), To: start.AddDate(30, 0, 7)}), 7)
	for _, r := range []graphtest.Recurrence{{}, {Type: "hourly"}, {Type: "daily", Interval: -1}, {Type: "relativeMonthly", Index: "fifth"}} {
		_, err := m.AddSeries(graphtest.Event{Start: start}, r)
		require.ErrorContains(t, err, "graphtest: ", "%+v", r)
	}
}

func TestExtendedProperties(t *testing.T) {
	c := newClient(t, nil)
	const id = "String {00020329-0000-0000-c000-000000000046} Name SkypeTeamsMeetingUrl"
	e := meeting("a", 1, 9)
	e.Extended = map[string]string{id: "https://teams.example.com/1", "Integer 0x8213": "60"}
	c.site.Room.AddSingle(e)
	q := "&" + url.Values{"$expand": {"singleValueExtendedProperties($filter=id eq '" + id + "')"}, "$select": {"subject"}}.Encode()
	ev := c.get(room(c.site.Room) + "/calendarView" + span(week) + q).value()[0]
	assert.Equal(t, []any{map[string]any{"id": id, "value": "https://teams.example.com/1"}}, ev["singleValueExtendedProperties"])
}

func TestBatch(t *testing.T) {
	c := newClient(t, nil)
	id := c.site.Room.AddSingle(meeting("a", 1, 9))
	view := strings.TrimPrefix(room(c.site.Room), "/v1.0") + "/calendarView" + span(week)
	post := func(requests ...map[string]any) answer {
		return c.do(http.MethodPost, "/v1.0/$batch", map[string]any{"requests": requests})
	}
	a := post(
		map[string]any{"id": "1", "method": "GET", "url": view, "headers": map[string]string{"Prefer": `IdType="ImmutableId"`}},
		map[string]any{"id": "2", "method": "GET", "url": "/users/nobody@example.com/calendarView" + span(week)},
		map[string]any{"id": "3", "method": "GET", "url": view, "dependsOn": []string{"2"}},
		map[string]any{"id": "4", "method": "GET", "url": "/$batch"},
	)
	require.Equal(t, http.StatusOK, a.status)
	parts := map[string]map[string]any{}
	for _, p := range a.body["responses"].([]any) {
		parts[p.(map[string]any)["id"].(string)] = p.(map[string]any)
	}
	status := func(id string) float64 { return parts[id]["status"].(float64) }
	assert.Equal(t, []float64{200, 404, 424, 400}, []float64{status("1"), status("2"), status("3"), status("4")})
	assert.Equal(t, id, parts["1"]["body"].(map[string]any)["value"].([]any)[0].(map[string]any)["id"])

	var many []map[string]any
	for i := range 20 {
		many = append(many, map[string]any{"id": fmt.Sprint(i), "method": "GET", "url": view})
	}
	// One of twenty is throttled: its own Retry-After says so.
	c.site.Inject(graphtest.Fault{Ops: []graphtest.Op{graphtest.OpView}, Skip: 10, Count: 1, Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second})
	seen := map[float64]int{}
	for _, p := range post(many...).body["responses"].([]any) {
		part := p.(map[string]any)
		seen[part["status"].(float64)]++
		if part["status"].(float64) == 429 {
			assert.Equal(t, "7", part["headers"].(map[string]any)["Retry-After"])
		}
	}
	assert.Equal(t, map[float64]int{200: 19, 429: 1}, seen)
	assert.LessOrEqual(t, c.site.Stats().Concurrent[c.site.Room.Address()], 4)

	one := map[string]any{"id": "one more", "method": "GET", "url": view}
	assert.Equal(t, http.StatusBadRequest, post(append(many, one)...).status, "21 are too many")
	assert.Equal(t, http.StatusBadRequest, post().status)
	assert.Equal(t, http.StatusBadRequest, post(many[0], many[0]).status, "the same id twice")
	assert.Equal(t, http.StatusBadRequest, c.do(http.MethodPost, "/v1.0/$batch", "text").status)
}

// The fifth request at a time for a mailbox is one too many, and is counted.
func TestThrottling(t *testing.T) {
	c := newClient(t, &graphtest.Options{PerMailboxQuota: 50})
	view := room(c.site.Room) + "/calendarView" + span(week)
	remove := c.site.Inject(graphtest.Fault{Stall: true})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = c.try(http.MethodGet, view, nil) })
	}
	require.Eventually(t, func() bool { return c.site.Stats().Faults == 4 }, 5*time.Second, time.Millisecond)
	a := c.get(view)
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "ApplicationThrottled", a.code())
	assert.Contains(t, fmt.Sprint(a.body), "MailboxConcurrency")
	assert.NotEmpty(t, a.header.Get("Retry-After"))
	remove()
	assert.Equal(t, http.StatusOK, c.get(room(c.site.Other)+"/calendarView"+span(week)).status, "another mailbox has its own limit")
	c.http.CloseIdleConnections()
	stats := c.site.Stats()
	assert.Equal(t, 4, stats.Concurrent[c.site.Room.Address()])
	assert.Equal(t, []int{6, 1, 6, 5}, []int{stats.Requests, stats.Throttled, stats.ByApp[c.site.App.ClientID()], stats.ByMailbox[c.site.Room.Address()]})

	for range 49 {
		c.get(room(c.site.Other) + "/calendarView" + span(week))
	}
	a = c.get(room(c.site.Other) + "/calendarView" + span(week))
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Contains(t, fmt.Sprint(a.body), "MailboxRequests")
	c.site.SetSkew(10 * time.Minute)
	c.token = c.site.Tenant.Token(c.site.App)
	assert.Equal(t, http.StatusOK, c.get(room(c.site.Other)+"/calendarView"+span(week)).status)
	c.site.Close()
	wg.Wait()
}

// An app has a limit of its own, for all mailboxes and tenants.
func TestAppQuota(t *testing.T) {
	c := newClient(t, &graphtest.Options{PerAppQuota: 3})
	for i, want := range []int{200, 200, 200, 429} {
		m := []*graphtest.Mailbox{c.site.Room, c.site.Other}[i%2]
		a := c.get(room(m) + "/calendarView" + span(week))
		assert.Equal(t, want, a.status)
		assert.Equal(t, want == 429, a.header.Get("Retry-After") != "")
	}
	another := c.site.AddApp("Another")
	c.site.Tenant.Consent(another, graphtest.CalendarsRead)
	c.token = c.site.Tenant.Token(another)
	assert.Equal(t, http.StatusOK, c.get(room(c.site.Room)+"/calendarView"+span(week)).status)
}

// Each fault happens as often as it says, and to whom it says.
func TestFaults(t *testing.T) {
	c := newClient(t, &graphtest.Options{PageSize: 2})
	for i := range 3 {
		c.site.Room.AddSingle(meeting(fmt.Sprint(i), i, 9))
	}
	view, delta := room(c.site.Room)+"/calendarView"+span(week), room(c.site.Room)+"/calendarView/delta"+span(week)
	one := func(f graphtest.Fault, target string) (answer, error) {
		c.site.ClearFaults()
		f.Count = 1
		c.site.Inject(f)
		return c.try(http.MethodGet, target, nil)
	}
	for _, status := range []int{401, 403, 404, 410, 429, 500, 503, 504} {
		a, err := one(graphtest.Fault{Status: status}, delta)
		require.NoError(t, err)
		assert.Equal(t, status, a.status)
		assert.NotEmpty(t, a.code())
		assert.Empty(t, a.header.Get("Retry-After"))
		assert.Equal(t, status == http.StatusGone, a.header.Get("Location") != "")
		assert.Equal(t, http.StatusOK, c.get(delta).status, "it happened once")
	}
	a, _ := one(graphtest.Fault{Status: 503, RetryAfter: 90 * time.Second, Code: "x"}, view)
	assert.Equal(t, []string{"90", "x"}, []string{a.header.Get("Retry-After"), a.code()})
	// Package http asks again where a connection that it had kept is cut.
	remove := c.site.Inject(graphtest.Fault{Drop: true})
	_, err := c.try(http.MethodGet, view, nil)
	require.Error(t, err)
	remove()
	_, err = one(graphtest.Fault{Truncate: true}, view)
	require.Error(t, err)
	start := time.Now()
	_, err = one(graphtest.Fault{Delay: 20 * time.Millisecond}, view)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)

	for _, target := range []string{view, delta} {
		c.site.ClearFaults()
		c.site.Inject(graphtest.Fault{Repeat: true, Count: 3})
		events, _ := c.all(target)
		assert.Len(t, events, 9, "the first page comes four times")
		c.site.Inject(graphtest.Fault{Empty: true, Count: 3})
		events, _ = c.all(target)
		assert.Len(t, events, 3)
	}
	c.site.Inject(graphtest.Fault{Mailbox: c.site.Other.Address(), Status: 503})
	assert.Equal(t, http.StatusOK, c.get(view).status)
	assert.Equal(t, http.StatusServiceUnavailable, c.get(room(c.site.Other)+"/calendarView"+span(week)).status)

	c.site.ClearFaults()
	c.site.Inject(graphtest.Fault{Skip: 2, Count: 2, Status: 503})
	var got []int
	for range 5 {
		got = append(got, c.get(view).status)
	}
	assert.Equal(t, []int{200, 200, 503, 503, 200}, got)
	c.site.Inject(graphtest.Fault{Probability: 0.5, Status: 503})
	failed := 0
	for range 100 {
		if c.get(view).status == 503 {
			failed++
		}
	}
	assert.InDelta(t, 50, failed, 20)
}

// Extended and raw properties aside, what $select may name is what Graph has.
func TestSelectKnowsEveryProperty(t *testing.T) {
	c := newClient(t, nil)
	c.site.Room.AddSingle(meeting("a", 1, 9))
	raw, err := os.ReadFile(csdlFile)
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(line, "\t")
		if slices.Contains([]string{"event", "outlookItem", "entity"}, f[0]) {
			names = append(names, f[2])
		}
	}
	a := c.get(room(c.site.Room) + "/calendarView" + span(week) + "&$select=" + strings.Join(names, ","))
	require.Equal(t, http.StatusOK, a.status, "%v", a.body)
	// These have a value only for series.
	missing := slices.DeleteFunc(names, func(n string) bool {
		_, has := a.value()[0][n]
		return has || n == "originalStart" || n == "cancelledOccurrences"
	})
	assert.Empty(t, missing)
}
