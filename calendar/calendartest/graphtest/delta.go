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

// listed is one entry of a delta answer.
type listed struct {
	seq  int
	key  uint64 // spreads entries of one change: their order means nothing
	json func() map[string]any
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
	more := len(list) > t.Size
	switch {
	case c.fx.Empty:
		more = true
	default:
		list = list[:min(len(list), t.Size)]
		for _, l := range list {
			value = append(value, l.json())
		}
		if len(list) > 0 && !c.fx.Repeat {
			t.Seq, t.Key = list[len(list)-1].seq, list[len(list)-1].key
		}
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
func (s *Server) changes(m *Mailbox, t *deltaToken, p *prefs) []listed {
	var out []listed
	full := t.From == 0
	add := func(seq, n int, slot string, value func() map[string]any) {
		if seq <= t.From || seq > t.To {
			return
		}
		h := fnv.New64a()
		fmt.Fprintf(h, "%d.%s", n, slot)
		l := listed{seq, h.Sum64(), value}
		if seq > t.Seq || seq == t.Seq && l.key > t.Key {
			out = append(out, l)
		}
	}
	// Graph also says "deleted" of events that the window does not have.
	remove := func(seq, n int, slot string) {
		if !full {
			add(seq, n, slot, func() map[string]any {
				return map[string]any{"@odata.type": "#microsoft.graph.event", "id": m.eventID(p.immutable, n, slot), "@removed": map[string]any{"reason": "deleted"}}
			})
		}
	}
	for _, it := range m.items {
		if it.rec == nil {
			o := occurrence{it, "", "singleInstance", it.ev, it.changed}
			if !it.deleted && t.Window.Overlaps(it.ev.span()) {
				add(it.changed.seq, it.n, "", func() map[string]any { return s.whole(m, o, p) })
			} else {
				remove(it.changed.seq, it.n, "")
			}
			continue
		}
		s.seriesChanges(m, it, t, p, add, remove)
	}
	slices.SortFunc(out, func(a, b listed) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.key, b.key)) })
	return out
}

func (s *Server) seriesChanges(m *Mailbox, it *item, t *deltaToken, p *prefs,
	add func(seq, n int, slot string, value func() map[string]any), remove func(seq, n int, slot string),
) {
	now := map[string]bool{} // slots in the window, or dealt with
	if !it.deleted {
		inside := 0
		for _, slot := range slotsOf(&it.ev, it.rec, it.exc, t.Window) {
			x := it.exc[slot]
			now[slot] = x != nil
			switch {
			case x != nil && x.deleted:
				remove(later(x.changed, it.slots).seq, it.n, slot)
			case x != nil && t.Window.Overlaps(x.ev.span()):
				inside++
				o := occurrence{it, slot, "exception", x.ev, later(x.changed, it.slots)}
				add(o.at.seq, it.n, slot, func() map[string]any { return s.whole(m, o, p) })
			case x != nil:
				remove(later(x.changed, it.slots).seq, it.n, slot)
			default:
				o := occurrence{it, slot, "occurrence", it.occurrence(slot), it.slots}
				if now[slot] = t.Window.Overlaps(o.ev.span()); now[slot] {
					inside++
					add(it.slots.seq, it.n, slot, func() map[string]any { return m.sparse(o, p) })
				}
			}
		}
		start, _ := it.ev.span()
		switch {
		case inside == 0:
			remove(it.changed.seq, it.n, "")
		case !s.opts.OmitOldMasters || !start.Before(t.Window.From):
			o := occurrence{it, "", "seriesMaster", it.ev, it.changed}
			add(it.changed.seq, it.n, "", func() map[string]any { return s.whole(m, o, p) })
		}
		// A slot that was moved out of the window and whose own day is not in it
		// either: the client may hold it.
		for slot, x := range it.exc {
			if !now[slot] {
				remove(x.changed.seq, it.n, slot)
			}
		}
	} else {
		remove(it.changed.seq, it.n, "")
	}
	for i := range it.past {
		old := &it.past[i]
		// Its exceptions too, wherever they ended: they may have been in the window.
		gone := slices.AppendSeq(slotsOf(&old.ev, &old.rec, old.exc, t.Window), maps.Keys(old.exc))
		for _, slot := range gone {
			if !now[slot] {
				remove(old.seq, it.n, slot)
			}
		}
	}
}

// whole is an event as delta lists it: with its type, and without what Graph
// sends only when it is selected.
func (s *Server) whole(m *Mailbox, o occurrence, p *prefs) map[string]any {
	v := project(m.json(o, p), nil, nil, &o.ev)
	v["@odata.type"] = "#microsoft.graph.event"
	return v
}
