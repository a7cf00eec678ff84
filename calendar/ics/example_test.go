package ics_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
)

func ExampleDecode() {
	const data = `BEGIN:VCALENDAR
BEGIN:VEVENT
UID:standup@example.com
SUMMARY:Stand-up, daily
DTSTART;TZID=W. Europe Standard Time:20260302T090000
DURATION:PT15M
RRULE:FREQ=DAILY;COUNT=3
EXDATE;TZID=W. Europe Standard Time:20260303T090000
END:VEVENT
END:VCALENDAR
`
	cal, err := ics.Decode(strings.NewReader(data), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	events, err := cal.Events(context.Background(), "fjord@example.com", calendar.Window{From: from, To: from.AddDate(0, 0, 7)})
	for _, ev := range events {
		fmt.Println(ev.ID, ev.Subject, ev.Start.UTC())
	}
	fmt.Println(err)
	// Output:
	// standup@example.com/20260302T080000Z Stand-up, daily 2026-03-02 08:00:00 +0000 UTC
	// standup@example.com/20260304T080000Z Stand-up, daily 2026-03-04 08:00:00 +0000 UTC
	// <nil>
}
