package office

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
)

func TestOfficeCalendars(t *testing.T) {
	now := time.Date(2027, 3, 1, 23, 50, 20, 0, time.UTC) // near midnight
	w := calendar.Window{From: now.Add(-time.Hour), To: now.AddDate(0, 0, 8)}
	subjects := map[string][]string{}
	for _, r := range Rooms(now) {
		require.NoError(t, r.Settings.Validate())
		for _, l := range strings.Split(r.Calendar, "\r\n") {
			require.LessOrEqual(t, len(l), 75)
		}
		cal, err := ics.Decode(strings.NewReader(r.Calendar), nil)
		require.NoError(t, err)
		events, err := cal.Events(t.Context(), r.Mailbox, w)
		require.NoError(t, err)
		for _, ev := range events {
			subjects[r.Name] = append(subjects[r.Name], ev.Subject+" "+ev.Status.String()+" "+ev.Sensitivity.String())
			if ev.UID == "steering@demo.onetouchjoin.example" {
				assert.Contains(t, ev.Body.HTML, "safelinks.protection.outlook.com/?url=https%3A%2F%2Fteams")
				assert.Contains(t, ev.Body.Plain, "Video ID")
			}
		}
	}
	assert.Equal(t, map[string][]string{
		"Fjord":  {"Steering group confirmed normal", "Salary review: J. Doe confirmed private"},
		"Atrium": {"Weekly planning confirmed normal", "Merger with Northwind confirmed private", "Weekly planning confirmed normal"},
		"Summit": {"Supplier call confirmed normal", "Lunch with the new colleagues confirmed normal", "Cancelled: Webinar rehearsal cancelled normal"},
	}, subjects)
}
