package graphtest

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/calendartest"
)

// Site is a server with one tenant, one app that may read its calendars, and two
// rooms: what a test of a provider needs.
type Site struct {
	*Server
	URL         string // of Graph and of Entra
	Tenant      *Tenant
	App         *App
	Secret      calendar.Secret
	Room, Other *Mailbox
}

// NewSite starts such a server with TLS. Close stops it.
func NewSite(opts *Options) *Site {
	s := New(opts)
	site := &Site{Server: s, URL: s.StartTLS(), Tenant: s.AddTenant("example.com"), App: s.AddApp("Rooms")}
	site.Secret = site.App.AddSecret(time.Time{})
	site.Tenant.Consent(site.App, CalendarsRead)
	site.Room, site.Other = site.Tenant.AddMailbox("fjord@example.com"), site.Tenant.AddMailbox("annex@example.com")
	return site
}

// Harness is the site as the suite of package calendartest wants it, around a
// provider that reads from it. Closing the harness closes the site.
func (site *Site) Harness(p calendar.Provider) *calendartest.Harness {
	return &calendartest.Harness{
		Provider: p, Mailbox: site.Room.address, Other: site.Other.address, Missing: "nobody@example.com",
		Set: func(mailbox string, entries []calendartest.Entry) error {
			site.mailbox(mailbox).SetEntries(entries)
			return nil
		},
		Fail: func(sentinel error) error {
			site.ClearFaults()
			f, ok := map[error]Fault{
				nil:                      {},
				calendar.ErrNotFound:     {Status: http.StatusNotFound, Code: "ErrorInvalidUser"},
				calendar.ErrUnauthorized: {Status: http.StatusUnauthorized},
				calendar.ErrForbidden:    {Status: http.StatusForbidden},
				calendar.ErrThrottled:    {Status: http.StatusTooManyRequests, RetryAfter: time.Second},
				calendar.ErrUnavailable:  {Status: http.StatusServiceUnavailable},
			}[sentinel]
			if !ok {
				return errors.ErrUnsupported
			}
			if f.Status != 0 {
				site.Inject(f)
			}
			return nil
		},
		Stall: func() error {
			site.Inject(Fault{Stall: true})
			return nil
		},
		Expire: func() error {
			site.ExpireDeltaTokens()
			return nil
		},
		Interrupt: func() (func(), error) { return site.InterruptNotifications(), nil },
		Close:     site.Close,
	}
}

func (site *Site) mailbox(address string) *Mailbox {
	site.mu.Lock()
	defer site.mu.Unlock()
	return site.Tenant.mailbox(address)
}

// SetEntries makes the calendar contain these entries and no others. An entry
// keeps its ID as long as there is one with its UID; what does not change is no
// change to Graph either.
func (m *Mailbox) SetEntries(entries []calendartest.Entry) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	had := map[string]*item{}
	for _, it := range m.items {
		if !it.deleted {
			had[it.ev.UID] = it
		}
	}
	for _, e := range entries {
		ev := Event{
			UID: e.UID, Subject: e.Subject, Start: e.Start, End: e.End, Cancelled: e.Cancelled, Response: calendar.Accepted,
			Organizer: calendar.Person{Name: "Ines Calder", Email: "ines.calder@" + m.t.domain}, HTML: "<p>" + e.UID + "</p>",
		}
		if e.Declined {
			ev.Response = calendar.Declined
		}
		if e.Broken {
			// In every window of the suite's week.
			ev.Start, ev.End = brokenFrom, brokenFrom.AddDate(1, 0, 0)
			ev.Raw = map[string]any{"start": map[string]any{"dateTime": "soon", "timeZone": "UTC"}}
		}
		var rec *Recurrence
		if e.Days > 1 {
			r, err := Recurrence{Type: "daily", Count: e.Days}.complete(ev.Start)
			if err != nil {
				panic(err) // a daily series is always right
			}
			rec = &r
		}
		it := had[e.UID]
		delete(had, e.UID)
		switch {
		case it == nil:
			m.add(ev, rec)
			continue
		case (it.rec == nil) != (rec == nil) || rec != nil && !rec.equal(it.rec):
			m.delete(it, "")
			m.add(ev, rec)
			continue
		case it.ev.same(&ev) && (rec == nil || rec.equal(it.rec)):
			continue
		}
		if rec != nil && !it.ev.Start.Equal(ev.Start) {
			it.past = append(it.past, past{m.seq + 1, it.ev, *it.rec, it.exc})
		}
		it.ev = ev
		m.touch(it, "", true)
		m.tell(it, "updated")
	}
	for _, it := range had {
		m.delete(it, "")
	}
}

// brokenFrom begins a year in which a broken entry is in every window.
var brokenFrom = time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)

// same compares what SetEntries sets.
func (e *Event) same(b *Event) bool {
	return e.Subject == b.Subject && e.Start.Equal(b.Start) && e.End.Equal(b.End) && e.Cancelled == b.Cancelled &&
		e.Response == b.Response && strings.EqualFold(e.HTML, b.HTML) && len(e.Raw) == len(b.Raw) && maps.EqualFunc(e.Raw, b.Raw, func(any, any) bool { return true })
}
