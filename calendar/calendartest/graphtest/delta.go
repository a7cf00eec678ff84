package graphtest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// deltaToken is what a $skiptoken or $deltatoken means: the changes of one
// mailbox in one window, after the change From and up to To. A round goes
// through them in the order of change and key, from the cursor on; what changes
// meanwhile comes after To, and so in the next round.
type deltaToken struct {
	Mailbox    string          `json:"m"`
	Window     calendar.Window `json:"w"`
	From       int             `json:"f"`
	To         int             `json:"t"`
	Seq        int             `json:"s"`
	Key        uint64          `json:"k"`
	Size       int             `json:"n"` // of pages
	Generation int             `json:"g"`
	Nonce      int             `json:"x,omitempty"`
}

func (s *Server) seal(t deltaToken) string {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // numbers and times
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	return text + "." + s.sign(text)
}

func (s *Server) open(token string) (t deltaToken, ok bool) {
	text, mac, _ := strings.Cut(token, ".")
	if mac != s.sign(text) {
		return t, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return t, err == nil && json.Unmarshal(raw, &t) == nil
}

// unit is what a delta answer lists together, on one page: a single event, or a
// series with its occurrences.
type unit struct {
	seq    int
	key    uint64 // spreads units of one change: their order means nothing
	values func() []any
}

// delta answers calendarView/delta.
// https://learn.microsoft.com/graph/delta-query-events
func (c *call) delta(p *prefs) *graphError {
	q := c.r.URL.Query()
	for name := range q {
		if slices.Contains([]string{"$select", "$filter", "$expand", "$orderby", "$search", "$top", "$skip"}, strings.ToLower(name)) {
			return badRequest("ErrorInvalidUrlQuery", "The following parameters are not supported with change tracking over the 'CalendarView' resource: '%s'.", name)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	t := deltaToken{Mailbox: c.mbx.id, To: c.mbx.seq, Size: c.s.opts.PageSize, Generation: c.s.generation}
	if p.pageSize > 0 {
		t.Size = min(p.pageSize, c.s.opts.MaxPageSize)
	}
	given := cmp.Or(q.Get("$skiptoken"), q.Get("$deltatoken"))
	if given == "" {
		var err *graphError
		if t.Window, err = bounds(q); err != nil {
			return err
		}
	} else {
		old, ok := c.s.open(given)
		switch {
		case !ok || old.Mailbox != c.mbx.id:
			return badRequest("ErrorInvalidSyncStateData", "The sync state data is corrupted.")
		case old.Generation != c.s.generation:
			w := c.w.Header()
			w.Set("Location", origin(c.r)+c.r.URL.EscapedPath()+"?$deltatoken=")
			return &graphError{http.StatusGone, "SyncStateNotFound", fmt.Sprintf("The sync state generation is not found; generation=%d;[highest=%d].", old.Generation, c.s.generation)}
		}
		if p.pageSize == 0 {
			t.Size = old.Size
		}
		old.Size, old.Nonce = t.Size, 0
		if q.Get("$skiptoken") == "" {
			// A new round: it starts where the last one ended.
			old.From, old.To, old.Seq, old.Key = old.To, c.mbx.seq, 0, 0
		}
		t = old
	}

	list := c.s.changes(c.mbx, &t, p)
	value := []any{}
	more := c.fx.Empty
	for i, u := range list {
		if more {
			break
		}
		value = append(value, u.values()...)
		if !c.fx.Repeat {
			t.Seq, t.Key = u.seq, u.key
		}
		more = len(value) >= t.Size && i < len(list)-1
	}
	out := map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(event)", "value": value}
	link := func(name string) string {
		return origin(c.r) + "/v1.0/users/" + url.PathEscape(c.path[1]) + "/calendarView/delta?" + name + "=" + url.QueryEscape(c.s.seal(t))
	}
	if more || c.fx.Repeat {
		if c.fx.Repeat || c.fx.Empty {
			c.s.serial++
			t.Nonce = c.s.serial
		}
		out["@odata.nextLink"] = link("$skiptoken")
	} else {
		t.Seq, t.Key = 0, 0
		out["@odata.deltaLink"] = link("$deltatoken")
	}
	p.applied = append(p.applied, "odata.track-changes")
	c.answer(p, out)
	return nil
}

// changes lists what a round still has to list. The caller holds mu.
func (s *Server) changes(m *Mailbox, t *deltaToken, p *prefs) []unit {
	var out []unit
	for _, it := range m.items {
		u := unit{seq: it.lastChange()}
		h := fnv.New64a()
		fmt.Fprintf(h, "%d", it.n)
		u.key = h.Sum64()
		if u.seq <= t.From || u.seq > t.To || u.seq < t.Seq || u.seq == t.Seq && u.key <= t.Key {
			continue
		}
		if it.rec != nil {
			u.values = func() []any { return s.seriesChanges(m, it, t, p, u.key) }
		} else {
			u.values = func() []any {
				if !it.deleted && t.Window.Overlaps(it.ev.span()) {
					return []any{s.whole(m, occurrence{it, "", "singleInstance", it.ev, it.changed}, p)}
				}
				// Graph also says "deleted" of what the window never had.
				return m.removed(it, "", t, p)
			}
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b unit) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.key, b.key)) })
	return out
}

// lastChange is that of the item, its occurrences included.
func (it *item) lastChange() int {
	seq := it.changed.seq
	for _, x := range it.exc {
		seq = max(seq, x.changed.seq)
	}
	return seq
}

// removed says that an event is gone. A round from the beginning does not.
func (m *Mailbox) removed(it *item, slot string, t *deltaToken, p *prefs) []any {
	if t.From == 0 {
		return nil
	}
	return []any{map[string]any{
		"@odata.type": "#microsoft.graph.event", "id": m.eventID(p.immutable, it.n, slot), "@removed": map[string]any{"reason": "deleted"},
	}}
}

// seriesChanges lists a series of which anything has changed: the master and
// every occurrence in the window. See Options.ListRemovedOccurrences for those
// that are gone.
func (s *Server) seriesChanges(m *Mailbox, it *item, t *deltaToken, p *prefs, key uint64) []any {
	var out []any
	inside := map[string]bool{}
	changed := it.slots.seq
	if !it.deleted {
		for _, slot := range slotsOf(&it.ev, it.rec, it.exc, t.Window) {
			o := occurrence{it, slot, "occurrence", Event{}, it.slots}
			if x := it.exc[slot]; x == nil {
				o.ev = it.occurrence(slot)
			} else if x.deleted {
				continue
			} else {
				o.kind, o.ev, o.at = "exception", x.ev, later(x.changed, it.slots)
			}
			if !t.Window.Overlaps(o.ev.span()) {
				continue
			}
			inside[slot] = true
			if o.kind == "exception" {
				out = append(out, s.whole(m, o, p))
			} else {
				out = append(out, m.sparse(o, p))
			}
		}
		for _, x := range it.exc {
			changed = max(changed, x.changed.seq)
		}
	}
	if len(inside) > 0 {
		if s.opts.SparseSeriesUpdates && t.From > 0 && changed <= t.From {
			out = nil // only the text
		}
		if start, _ := it.ev.span(); !s.opts.OmitOldMasters || !start.Before(t.Window.From) {
			master := s.whole(m, occurrence{it, "", "seriesMaster", it.ev, it.changed}, p)
			if key%2 == 0 {
				out = slices.Insert(out, 0, any(master))
			} else {
				out = append(out, master)
			}
		}
	} else {
		out = m.removed(it, "", t, p)
	}
	if s.opts.ListRemovedOccurrences {
		for _, slot := range it.formerly(t) {
			if !inside[slot] {
				out = append(out, m.removed(it, slot, t, p)...)
			}
		}
	}
	return out
}

// formerly returns the slots of occurrences that the window may have had when a
// token was made.
func (it *item) formerly(t *deltaToken) []string {
	had := map[string]bool{}
	for slot, x := range it.exc {
		had[slot] = x.changed.seq > t.From
	}
	for i := range it.past {
		if old := &it.past[i]; old.seq > t.From {
			for _, slot := range slotsOf(&old.ev, &old.rec, old.exc, t.Window) {
				had[slot] = true
			}
			// Its exceptions too, wherever they ended: they may have been in the window.
			for slot := range old.exc {
				had[slot] = true
			}
		}
	}
	maps.DeleteFunc(had, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(had))
}

// whole is an event as delta lists it: with its type, and without what Graph
// sends only when it is selected.
func (s *Server) whole(m *Mailbox, o occurrence, p *prefs) map[string]any {
	v := project(m.json(o, p), nil, nil, &o.ev)
	v["@odata.type"] = "#microsoft.graph.event"
	return v
}
