package readiness

import (
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// inferMin is how many meetings of others it takes before what all of them have
// in common says something about the room.
const inferMin = 5

// Infer reads off a room's events what its mailbox does with invites. It says
// nothing where there are too few meetings to tell. The findings are marked as
// inferred: an organizer may leave the text of every invite empty.
func Infer(mailbox string, events []calendar.Event) []Finding {
	var meetings, noBody, subjectIsOrganizer, organizerInSubject, tentative, private int
	seen := map[string]bool{}
	for _, ev := range events {
		id := ev.SeriesID
		if id == "" {
			id = ev.ID
		}
		// A series counts once. What the room itself organizes says nothing.
		if seen[id] || ev.Response == calendar.Organizer || strings.EqualFold(ev.Organizer.Email, mailbox) || ev.Organizer == (calendar.Person{}) {
			continue
		}
		seen[id] = true
		meetings++
		if strings.TrimSpace(ev.Body.Plain) == "" && strings.TrimSpace(ev.Body.HTML) == "" {
			noBody++
		}
		subject, name := strings.TrimSpace(ev.Subject), strings.TrimSpace(ev.Organizer.Name)
		if name != "" && strings.EqualFold(subject, name) {
			subjectIsOrganizer++
		} else if name != "" && strings.HasPrefix(strings.ToLower(subject), strings.ToLower(name)+" ") {
			organizerInSubject++
		}
		if ev.Response == calendar.TentativelyAccepted || ev.Response == calendar.NotResponded {
			tentative++
		}
		if ev.Sensitivity != calendar.Normal {
			private++
		}
	}
	if meetings < inferMin {
		return nil
	}
	var out []Finding
	add := func(check string, result Result, count int, why, fix, command string) {
		if count < meetings {
			return
		}
		out = append(out, Finding{
			Check: check, Subject: mailbox, Result: result, Inferred: true,
			Why: fmt.Sprintf("All of the last %d meetings %s", meetings, why), Fix: fix,
			Command: "Set-CalendarProcessing -Identity " + Quote(mailbox) + " " + command,
		})
	}
	add("delete-comments", Fail, noBody, "have no text: the mailbox seems to delete it (DeleteComments).",
		"Run the check script, and switch DeleteComments off.", "-DeleteComments $false")
	add("delete-subject", Warn, subjectIsOrganizer, "have the organizer's name as their subject: the mailbox seems to replace it (DeleteSubject, AddOrganizerToSubject).",
		"Run the check script, and switch both off unless that is wanted.", "-DeleteSubject $false -AddOrganizerToSubject $false")
	add("add-organizer", Warn, organizerInSubject, "begin with the organizer's name: the mailbox seems to add it (AddOrganizerToSubject).",
		"Run the check script, and switch AddOrganizerToSubject off.", "-AddOrganizerToSubject $false")
	add("auto-accept", Fail, tentative, "are not accepted by the room: it seems not to do so by itself (AutomateProcessing).",
		"Run the check script, and set AutomateProcessing to AutoAccept.", "-AutomateProcessing AutoAccept")
	return out
}
