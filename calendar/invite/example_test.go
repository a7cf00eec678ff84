package invite_test

import (
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar/invite"
)

func ExampleRead() {
	const data = `{"value": [
		{"subject": "Review", "onlineMeeting": {"joinUrl": "https://video.example.com/1"}},
		{"subject": "Lunch", "start": {"dateTime": "2026-03-02T12:00:00", "timeZone": "Nowhere"}}
	]}`
	items, err := invite.Read("events.json", strings.NewReader(data), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, it := range items {
		fmt.Println(it.Event.Subject, it.Event.Links, it.Err)
	}
	// Output:
	// Review [{https://video.example.com/1 onlineMeeting.joinUrl  }] <nil>
	// Lunch [] start: unknown time zone "Nowhere"
}
