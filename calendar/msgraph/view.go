package msgraph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/graphjson"
)

// fields are what an Event is made of.
const fields = "id,iCalUId,seriesMasterId,type,changeKey,lastModifiedDateTime,subject,organizer,isOrganizer," +
	"start,end,isAllDay,isCancelled,showAs,sensitivity,responseStatus,location,locations,body,bodyPreview," +
	"onlineMeeting,onlineMeetingUrl"

// preferences go with every request for events: none of the first page's last.
var preferences = []string{`IdType="ImmutableId"`, `outlook.timezone="UTC"`, `outlook.body-content-type="html"`}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// page is a page of events.
type page struct {
	Value []item
	Next  string // @odata.nextLink
	Delta string // @odata.deltaLink
}

// item is an event that may not be readable, without harm to its neighbours.
type item struct {
	graphjson.Event
	err error
}

func (i *item) UnmarshalJSON(data []byte) error {
	i.err = json.Unmarshal(data, &i.Event)
	return nil
}

// parse reads a page, event by event: json.Unmarshal would go over the bodies
// twice more, and give up at the first event that is not as it should be.
func (g *page) parse(data []byte) error {
	data, bodies := lift(data)
	d := json.NewDecoder(bytes.NewReader(data))
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		switch name {
		case "value":
			if err := delim(d, '['); err != nil {
				return err
			}
			for g.Value = []item{}; d.More(); {
				var i item
				var mistyped *json.UnmarshalTypeError
				if i.err = d.Decode(&i.Event); i.err != nil && !errors.As(i.err, &mistyped) {
					return i.err // not JSON
				}
				if i.Body != nil {
					i.Body.Content = land(i.Body.Content, bodies)
				}
				g.Value = append(g.Value, i)
			}
			err = delim(d, ']')
		case "@odata.nextLink":
			err = d.Decode(&g.Next)
		case "@odata.deltaLink":
			err = d.Decode(&g.Delta)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return err
		}
	}
	if err := delim(d, '}'); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // as it is
		return errors.New("there is something after the page")
	}
	return nil
}

// delim expects a bracket or brace.
func delim(d *json.Decoder, want json.Delim) error {
	switch t, err := d.Token(); {
	case err != nil:
		return err
	case t != want:
		return fmt.Errorf("%v in the place of %v", t, want)
	}
	return nil
}

// view reads calendarView.
func (p *Provider) view(ctx context.Context, mailbox string, w calendar.Window, g *pages) ([]calendar.Event, error) {
	r := &request{op: readCalendar, mailbox: mailbox, prefer: preferences}
	at, err := p.user(r)
	if err != nil {
		return nil, err
	}
	if err := p.checkWindow(r, w); err != nil {
		return nil, err
	}
	r.url = at + "/calendarView?" + url.Values{"startDateTime": {stamp(w.From)}, "endDateTime": {stamp(w.To)}, "$select": {fields}, "$top": {strconv.Itoa(p.opts.PageSize)}}.Encode()
	var found collection
	g.begin()
	for {
		out, err := p.page(ctx, r, g)
		if err != nil {
			return nil, err
		}
		for i := range out.Value {
			found.add(&out.Value[i], w)
		}
		if out.Next == "" {
			return found.events(mailbox)
		}
		r.url = out.Next
	}
}

// pages counts the pages of an answer, and sees when they do not end.
type pages struct {
	requests int // of all answers
	n        int
	seen     map[string]bool // events in the state in which they were listed
	stale    int             // pages in a row that had nothing new
}

// begin begins another answer.
func (g *pages) begin() { g.n, g.seen, g.stale = 0, nil, 0 }

const (
	maxPages = 100 // of 100 events, by default: no room has that many in a window
	maxStale = 10  // in a row: some are empty, some come twice
)

// errEndless is what Graph has been seen to do with delta queries: pages that
// lead to each other, without end. https://learn.microsoft.com/answers/a/12762375
var errEndless = errors.New("the pages of Graph do not end")

// page fetches a page of events, and notes it.
func (p *Provider) page(ctx context.Context, r *request, g *pages) (*page, error) {
	if g.n >= maxPages || g.stale >= maxStale {
		return nil, p.fail(r, fmt.Errorf("%w: %w", calendar.ErrUnavailable, errEndless), "")
	}
	var out page
	r.out = &out
	g.requests++
	g.n++
	if err := p.send(ctx, r); err != nil {
		return nil, err
	}
	if out.Value == nil {
		return nil, p.notAList(r)
	}
	if g.stale++; g.seen == nil {
		g.seen = map[string]bool{}
	}
	for i := range out.Value {
		e := &out.Value[i]
		if k := e.ID + " " + e.ETag; !g.seen[k] {
			g.seen[k], g.stale = true, 0
		}
	}
	return &out, nil
}

func (p *Provider) notAList(r *request) error {
	return p.fail(r, fmt.Errorf("%w: the answer is not a list of events", calendar.ErrUnavailable), "Check that no proxy answers in the place of Graph.")
}

// collection is the events of a calendar, each once.
type collection struct {
	byID map[string]calendar.Event
	bad  []calendar.EventError
}

func (c *collection) add(i *item, w calendar.Window) {
	e, err := i.event()
	switch {
	case err != nil:
		c.bad = append(c.bad, calendar.EventError{ID: e.ID, UID: e.UID, Err: err})
	case w.Overlaps(e.Start, e.End):
		if c.byID == nil {
			c.byID = map[string]calendar.Event{}
		}
		c.byID[e.ID] = e
	}
}

// event is what the item says, or why it cannot be read.
func (i *item) event() (calendar.Event, error) {
	if i.err != nil {
		return calendar.Event{ID: i.ID, UID: i.ICalUID}, i.err
	}
	e, err := i.Calendar()
	if err == nil && (e.ID == "" || e.Start.IsZero() || e.End.IsZero()) {
		err = errors.New("the event has no id, start or end")
	}
	return e, err
}

// events returns the events in order, and a *PartialError if some are bad.
func (c *collection) events(mailbox string) ([]calendar.Event, error) {
	events := make([]calendar.Event, 0, len(c.byID))
	for _, e := range c.byID {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b calendar.Event) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	if len(c.bad) > 0 {
		return events, &calendar.PartialError{Mailbox: mailbox, Bad: c.bad}
	}
	return events, nil
}
