package graphjson

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

func TestDecode(t *testing.T) {
	got, err := Decode([]byte(`{
		"@odata.etag": "W/\"e1\"", "id": "AAMk1=", "changeKey": "c1", "iCalUId": "0400", "seriesMasterId": "AAMk0=", "type": "occurrence",
		"lastModifiedDateTime": "2026-11-20T08:00:00.1234567Z",
		"subject": "Budget, review", "isAllDay": false, "isCancelled": false, "showAs": "busy", "sensitivity": "private",
		"organizer": {"emailAddress": {"name": "Ada Alm", "address": "ada@example.com"}},
		"responseStatus": {"response": "tentativelyAccepted", "time": "0001-01-01T00:00:00Z"},
		"start": {"dateTime": "2026-11-23T09:00:00.0000000", "timeZone": "W. Europe Standard Time"},
		"end": {"dateTime": "2026-11-23T09:30:00.0000000", "timeZone": "W. Europe Standard Time"},
		"location": {"displayName": "Fjord; Microsoft Teams Meeting", "locationUri": "fjord@example.com"},
		"locations": [{"displayName": "Fjord"}, {"displayName": "Microsoft Teams Meeting"}, {"displayName": "Annex", "locationUri": "https://maps.example.com/1"}],
		"body": {"contentType": "html", "content": "<p>Hello</p>"}, "bodyPreview": "Hello",
		"onlineMeeting": {"joinUrl": "https://teams.example.com/l/1"}, "onlineMeetingUrl": null,
		"singleValueExtendedProperties": [
			{"id": "String {00020329-0000-0000-c000-000000000046} Name SkypeTeamsMeetingUrl", "value": "https://teams.example.com/l/2"},
			{"id": "String {00020329-0000-0000-c000-000000000046} Name Note", "value": "no link"}]
	}`))
	require.NoError(t, err)
	want := calendar.Event{
		ID: "AAMk1=", UID: "0400", SeriesID: "AAMk0=", Subject: "Budget, review",
		Organizer: calendar.Person{Name: "Ada Alm", Email: "ada@example.com"},
		Start:     time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
		Response: calendar.TentativelyAccepted, Sensitivity: calendar.Private,
		Location: "Fjord; Microsoft Teams Meeting; Annex; https://maps.example.com/1",
		Body:     calendar.Body{HTML: "<p>Hello</p>"},
		Links: []calendar.Link{
			{URI: "https://teams.example.com/l/1", Source: calendar.SourceOnlineMeeting},
			{URI: "https://teams.example.com/l/2", Source: "X-MICROSOFT-SKYPETEAMSMEETINGURL"},
		},
		Properties: map[string]string{
			"X-MICROSOFT-SKYPETEAMSMEETINGURL": "https://teams.example.com/l/2",
			"X-MICROSOFT-NOTE":                 "no link",
		},
		Revision: `W/"e1"`, Modified: time.Date(2026, 11, 20, 8, 0, 0, 123456700, time.UTC),
	}
	assert.Empty(t, cmp.Diff(want, got))
}

func TestDecodeVariants(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		check      func(t *testing.T, ev calendar.Event)
	}{
		{"cancelled", `{"isCancelled":true,"showAs":"tentative"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Cancelled, ev.Status) }},
		{"tentative", `{"showAs":"tentative"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Tentative, ev.Status) }},
		{"organizer", `{"isOrganizer":true,"responseStatus":{"response":"none"}}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Organizer, ev.Response) }},
		{"declined", `{"responseStatus":{"response":"declined"}}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Declined, ev.Response) }},
		{"normal", `{"sensitivity":"normal"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Normal, ev.Sensitivity) }},
		{"personal", `{"sensitivity":"personal"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Personal, ev.Sensitivity) }},
		{"confidential", `{"sensitivity":"confidential"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Confidential, ev.Sensitivity) }},
		{"a sensitivity to come", `{"sensitivity":"secret"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, calendar.Private, ev.Sensitivity) }},
		{"plain body", `{"body":{"contentType":"text","content":"a <https://example.com>"}}`, func(t *testing.T, ev calendar.Event) {
			assert.Equal(t, calendar.Body{Plain: "a <https://example.com>"}, ev.Body)
		}},
		{"preview only", `{"bodyPreview":"short"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, "short", ev.Body.Plain) }},
		{"no times", `{"subject":"x"}`, func(t *testing.T, ev calendar.Event) { assert.True(t, ev.Start.IsZero() && ev.End.IsZero()) }},
		{"change key", `{"changeKey":"c"}`, func(t *testing.T, ev calendar.Event) { assert.Equal(t, "c", ev.Revision) }},
		{"UTC", `{"start":{"dateTime":"2026-07-01T10:00:00","timeZone":"tzone://Microsoft/Utc"}}`, func(t *testing.T, ev calendar.Event) {
			assert.True(t, ev.Start.Equal(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)))
			assert.Equal(t, ev.Start, ev.End)
		}},
		{"older link", `{"onlineMeetingUrl":"https://meet.example.com/1"}`, func(t *testing.T, ev calendar.Event) {
			assert.Equal(t, []calendar.Link{{URI: "https://meet.example.com/1", Source: calendar.SourceOnlineMeetingURL}}, ev.Links)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev, err := Decode([]byte(tt.json))
			require.NoError(t, err)
			tt.check(t, ev)
		})
	}
}

// The occurrences of a series have one UID, whatever Graph answers.
func TestSeriesUID(t *testing.T) {
	const series = "040000008200E00074C5B7101A82E008" + "00000000" + "A0B1C2D3E4F50002" + "0000000000000000" + "10000000" + "00112233445566778899AABBCCDDEEFF"
	const day = "040000008200E00074C5B7101A82E008" + "07EA0B19" + "A0B1C2D3E4F50002" + "0000000000000000" + "10000000" + "00112233445566778899AABBCCDDEEFF"
	for uid, want := range map[string]string{
		series: series, day: series,
		"4k2pr8t0n3b6@partner.example":             "4k2pr8t0n3b6@partner.example",
		"040000008200E00074C5B7101A82E00807EA0B19": "040000008200E00074C5B7101A82E00807EA0B19",
		strings.ToLower(day):                       strings.ToLower(series),
	} {
		ev, err := Decode([]byte(`{"iCalUId":"` + uid + `"}`))
		require.NoError(t, err)
		assert.Equal(t, want, ev.UID)
	}
}

func TestDecodeErrors(t *testing.T) {
	for name, tt := range map[string]struct{ json, want string }{
		"half a file":      {`{"id":"x","sub`, "not a Graph event"},
		"wrong type":       {`{"subject":{}}`, "not a Graph event"},
		"unknown zone":     {`{"start":{"dateTime":"2026-07-01T10:00:00","timeZone":"tzone://Microsoft/Custom"}}`, `start: unknown time zone "tzone://Microsoft/Custom"`},
		"no time":          {`{"end":{"dateTime":"soon","timeZone":"UTC"}}`, `end: time "soon" cannot be read`},
		"end before start": {`{"start":{"dateTime":"2026-07-01T10:00:00"},"end":{"dateTime":"2026-07-01T09:00:00"}}`, "is before start"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(tt.json))
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
