package endpointtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// meetings returns n meetings, sorted as Show wants them. The first runs now,
// the others follow one after the other. Sets with different seeds have no ID
// in common.
func meetings(h *Harness, seed, n int) []otj.Meeting {
	out := make([]otj.Meeting, n)
	start := h.now().Truncate(time.Minute).Add(-2 * time.Minute)
	for i := range out {
		join := h.Dialable[i%len(h.Dialable)]
		out[i] = otj.Meeting{
			ID:          fmt.Sprintf("set%d-%03d", seed, i),
			Title:       fmt.Sprintf("Meeting %d of set %d", i, seed),
			Organizer:   calendar.Person{Name: "Ada Example", Email: "ada@example.com"},
			Start:       start,
			End:         start.Add(5 * time.Minute),
			StartBuffer: 5 * time.Minute,
			Join:        join,
			Service:     "sip",
			Rule:        "sip",
		}
		start = start.Add(5 * time.Minute)
	}
	return out
}

// diff compares sets of meetings as the harness's device can hold them. It is
// empty if they are the same, and else a line for each difference.
func (h *Harness) diff(want, got []otj.Meeting) string {
	w, g := h.lines(want), h.lines(got)
	var b strings.Builder
	for _, l := range w {
		if i := slices.Index(g, l); i >= 0 {
			g = slices.Delete(g, i, i+1)
		} else {
			b.WriteString("\t- " + l + "\n")
		}
	}
	for _, l := range g {
		b.WriteString("\t+ " + l + "\n")
	}
	return b.String()
}

func (h *Harness) lines(ms []otj.Meeting) []string {
	out := make([]string, len(ms))
	for i, m := range ms {
		m = h.normalize(m)
		// The addresses are those of the harness: no secret is printed.
		out[i] = fmt.Sprintf("%s %q by %q <%s> %s to %s, buffers %v %v, private %v, button %s %q",
			m.ID, m.Title, m.Organizer.Name, m.Organizer.Email,
			m.Start.Format(time.RFC3339Nano), m.End.Format(time.RFC3339Nano),
			m.StartBuffer, m.EndBuffer, m.Private, m.Join.Scheme, m.Join.URI)
	}
	return out
}
