package googlejson

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

func TestDecode(t *testing.T) {
	got, err := Decode([]byte(`{
		"kind": "calendar#event", "etag": "\"33\"", "id": "abc_20260302", "status": "confirmed", "updated": "2026-02-20T08:00:00.123Z",
		"summary": "Budget, review", "description": "Join <https://x.example/1>", "location": "Room 1", "visibility": "private",
		"iCalUID": "abc@example.com", "recurringEventId": "abc",
		"organizer": {"email": "ada@example.com", "displayName": "Ada Alm"},
		"start": {"dateTime": "2026-03-02T09:00:00+01:00", "timeZone": "Europe/Oslo"}, "end": {"dateTime": "2026-03-02T10:00:00+01:00"},
		"attendees": [{"email": "b@example.com", "responseStatus": "accepted"}, {"email": "fjord@example.com", "self": true, "resource": true, "responseStatus": "declined"}],
		"hangoutLink": "https://meet.example.com/abc-defg-hij",
		"conferenceData": {"conferenceSolution": {"key": {"type": "addOn"}, "name": "Video"}, "entryPoints": [
			{"entryPointType": "video", "uri": "https://video.example.com/j/1", "meetingCode": "123", "passcode": "456"},
			{"entryPointType": "sip", "uri": "sip:123@video.example.com", "pin": "789"},
			{"entryPointType": "phone", "uri": "tel:+15550100"}, {"entryPointType": "more", "uri": "https://tel.example.com"}]}}`))
	require.NoError(t, err)
	want := calendar.Event{
		ID: "abc_20260302", UID: "abc@example.com", SeriesID: "abc", Subject: "Budget, review",
		Organizer: calendar.Person{Name: "Ada Alm", Email: "ada@example.com"},
		Start:     time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), End: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Response: calendar.Declined, Sensitivity: calendar.Private, Location: "Room 1",
		Body: calendar.Body{Plain: "Join <https://x.example/1>"},
		Links: []calendar.Link{
			{URI: "https://video.example.com/j/1", Source: calendar.SourceConferenceData, MeetingID: "123", Passcode: "456"},
			{URI: "sip:123@video.example.com", Source: calendar.SourceConferenceData, Passcode: "789"},
			{URI: "https://meet.example.com/abc-defg-hij", Source: calendar.SourceGoogleMeet},
		},
		Revision: `"33"`, Modified: time.Date(2026, 2, 20, 8, 0, 0, 123e6, time.UTC),
	}
	assert.Empty(t, cmp.Diff(want, got))
}

func TestDecodeVariants(t *testing.T) {
	decode := func(s string) calendar.Event {
		ev, err := Decode([]byte(s))
		require.NoError(t, err)
		return ev
	}
	assert.Equal(t, calendar.Cancelled, decode(`{"status":"cancelled"}`).Status)
	assert.Equal(t, calendar.Tentative, decode(`{"status":"tentative"}`).Status)
	assert.Equal(t, calendar.Confidential, decode(`{"visibility":"confidential"}`).Sensitivity)
	assert.Equal(t, calendar.Organizer, decode(`{"organizer":{"self":true}}`).Response)
	for s, want := range map[string]calendar.Response{"accepted": calendar.Accepted, "tentative": calendar.TentativelyAccepted, "needsAction": calendar.NotResponded, "": calendar.ResponseUnknown} {
		assert.Equal(t, want, decode(`{"attendees":[{"self":true,"responseStatus":"`+s+`"}]}`).Response)
	}
	assert.Equal(t, calendar.Body{HTML: "a<br>b"}, decode(`{"description":"a<br>b"}`).Body)
	assert.Equal(t, calendar.Body{HTML: `<a href="https://x.example">x</a>`}, decode(`{"description":"<a href=\"https://x.example\">x</a>"}`).Body)
	// A Meet link that Google added stands in both places, and comes once.
	ev := decode(`{"hangoutLink":"https://meet.example.com/a","conferenceData":{"conferenceSolution":{"key":{"type":"hangoutsMeet"}},"entryPoints":[{"entryPointType":"video","uri":"https://meet.example.com/a"}]}}`)
	assert.Equal(t, []calendar.Link{{URI: "https://meet.example.com/a", Source: calendar.SourceGoogleMeet}}, ev.Links)

	ev = decode(`{"start":{"date":"2026-03-02","timeZone":"Europe/Oslo"},"end":{"date":"2026-03-03","timeZone":"Europe/Oslo"}}`)
	assert.True(t, ev.AllDay)
	assert.Equal(t, "2026-03-02T00:00:00+01:00", ev.Start.Format(time.RFC3339))
	ev = decode(`{"start":{"dateTime":"2026-07-02T09:00:00","timeZone":"America/New_York"}}`)
	assert.Equal(t, "2026-07-02T13:00:00Z", ev.Start.UTC().Format(time.RFC3339))
	assert.Equal(t, ev.Start, ev.End)
}

func TestDecodeErrors(t *testing.T) {
	for s, want := range map[string]string{
		`{"summary":1}`:                 "not a Google Calendar event",
		`{"start":{"dateTime":"x"}}`:    `start: time "x" cannot be read`,
		`{"end":{"date":"2026-02-30"}}`: `end: date "2026-02-30" cannot be read`,
		`{"start":{"date":"2026-03-02"},"end":{"date":"2026-03-01"}}`: "is before start",
	} {
		_, err := Decode([]byte(s))
		assert.ErrorContains(t, err, want)
	}
}
