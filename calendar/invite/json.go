package invite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/googlejson"
	"github.com/onetouchjoin/onetouchjoin/internal/graphjson"
)

// object is a JSON object whose values are not decoded yet.
type object map[string]json.RawMessage

// readJSON reads one JSON value or several after each other.
func readJSON(data []byte) ([]Item, error) {
	if s, ok := byMark(data); ok {
		data = []byte(s)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	items, found := []Item{}, false
	for {
		var v json.RawMessage
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			at := dec.InputOffset() // where the value began
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = syntax.Offset
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				at, err = int64(len(data)), errors.New("the data ends in the middle")
			}
			err = fmt.Errorf("not valid JSON near byte %d: %w", at, err)
			if len(items) == 0 {
				return nil, err
			}
			return append(items, Item{Err: err}), nil
		}
		got, ok := value(v, 0)
		items, found = append(items, got...), found || ok
	}
	if !found {
		return nil, errors.New("the JSON has no event in it that is known: neither of Microsoft Graph nor of Google Calendar")
	}
	return items, nil
}

// value reads a JSON value. It returns false if nothing in it is known; a known
// list may be empty.
func value(v json.RawMessage, depth int) ([]Item, bool) {
	v = bytes.TrimSpace(v)
	if depth > 6 || len(v) == 0 {
		return nil, false
	}
	if v[0] == '[' {
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil {
			return nil, false
		}
		var out []Item
		known := false
		for _, e := range list {
			items, ok := value(e, depth+1)
			out, known = append(out, items...), known || ok
		}
		return out, known || len(list) == 0 && depth <= 1
	}
	var o object
	if v[0] != '{' || json.Unmarshal(v, &o) != nil {
		return nil, false
	}
	switch {
	case o.list("value"):
		return elements(o["value"], depth, graphEvent)
	case o.list("items"):
		return elements(o["items"], depth, googleEvent)
	case o.text("kind") == "calendar#event", o.has("conferenceData"), o.has("hangoutLink"), o.has("iCalUID"),
		o.has("summary") && o.has("start"):
		return one(googleEvent(v))
	case o.has("joinWebUrl"), o.has("joinUrl"), strings.HasSuffix(o.text("@odata.type"), ".onlineMeeting"):
		return one(onlineMeeting(v))
	case o.has("event"):
		// An eventMessage of Graph: the event, and a mail around it.
		if items, ok := value(o["event"], depth+1); ok {
			var outer graphjson.Event
			if json.Unmarshal(v, &outer) == nil {
				around, _ := outer.Calendar()
				for i := range items {
					completeBody(&items[i].Event.Body, around.Body)
				}
			}
			return items, true
		}
	case o.has("topic"), o.has("posts"), o.has("threads"):
		return conversation(v, o, depth)
	}
	for _, name := range []string{"onlineMeeting", "onlineMeetingUrl", "iCalUId", "bodyPreview", "subject", "start", "location", "isOnlineMeeting"} {
		if o.has(name) {
			return one(graphEvent(v))
		}
	}
	if o.isBody("body") {
		return one(graphEvent(v))
	}
	return inside(o, depth)
}

// inside looks for events in the values of an object that is not known itself,
// such as the answer to a $batch.
func inside(o object, depth int) ([]Item, bool) {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []Item
	known := false
	for _, name := range names {
		items, ok := value(o[name], depth+2)
		out, known = append(out, items...), known || ok
	}
	return out, known
}

func one(it Item) ([]Item, bool) { return []Item{it}, true }

// elements reads a list in the form of an answer: what is not known in it is
// read as def says, so that each has an item.
func elements(v json.RawMessage, depth int, def func(json.RawMessage) Item) ([]Item, bool) {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil {
		return nil, false
	}
	var out []Item
	for _, e := range list {
		items, ok := value(e, depth+1)
		if !ok {
			items = []Item{def(e)}
		}
		out = append(out, items...)
	}
	return out, true
}

func graphEvent(v json.RawMessage) Item {
	var e graphjson.Event
	if err := json.Unmarshal(v, &e); err != nil {
		return Item{Err: fmt.Errorf("not a Graph event: %w", err)}
	}
	ev, err := e.Calendar()
	return Item{ev, err}
}

func googleEvent(v json.RawMessage) Item {
	ev, err := googlejson.Decode(v)
	return Item{ev, err}
}

// onlineMeeting reads Graph's onlineMeeting resource.
func onlineMeeting(v json.RawMessage) Item {
	var m struct {
		graphjson.OnlineMeeting
		ID            string `json:"id"`
		Subject       string `json:"subject"`
		StartDateTime string `json:"startDateTime"`
		EndDateTime   string `json:"endDateTime"`
		Information   *struct {
			Content     string `json:"content"`
			ContentType string `json:"contentType"`
		} `json:"joinInformation"`
	}
	if err := json.Unmarshal(v, &m); err != nil {
		return Item{Err: fmt.Errorf("not a Graph onlineMeeting: %w", err)}
	}
	e := graphjson.Event{ID: m.ID, Subject: m.Subject, OnlineMeeting: &m.OnlineMeeting}
	if i := m.Information; i != nil {
		e.Body = &graphjson.Body{ContentType: i.ContentType, Content: i.Content}
		// Graph gives it as a URI of type data, encoded like a form.
		if doc, ok := strings.CutPrefix(i.Content, "data:text/html,"); ok {
			if html, err := url.QueryUnescape(doc); err == nil {
				e.Body.Content = html
			}
		}
	}
	ev, err := e.Calendar()
	if t, err := time.Parse(time.RFC3339, m.StartDateTime); err == nil {
		ev.Start, ev.End = t.UTC(), t.UTC()
	}
	if t, err := time.Parse(time.RFC3339, m.EndDateTime); err == nil && t.After(ev.Start) {
		ev.End = t.UTC()
	}
	return Item{ev, err}
}

// conversation reads a conversation, thread or post of a Graph group: a body
// without an event.
func conversation(v json.RawMessage, o object, depth int) ([]Item, bool) {
	var c struct {
		Topic   string          `json:"topic"`
		Preview string          `json:"preview"`
		Body    *graphjson.Body `json:"body"`
	}
	if err := json.Unmarshal(v, &c); err != nil {
		return one(Item{Err: fmt.Errorf("not a Graph conversation: %w", err)})
	}
	ev := calendar.Event{Subject: c.Topic}
	if c.Body != nil {
		inner, _ := (&graphjson.Event{Body: c.Body}).Calendar()
		ev.Body = inner.Body
	}
	completeBody(&ev.Body, calendar.Body{Plain: c.Preview})
	for _, name := range []string{"threads", "posts"} {
		if ev.Body.HTML == "" && o.has(name) {
			if items, ok := value(o[name], depth+1); ok && len(items) > 0 {
				completeBody(&ev.Body, items[0].Event.Body)
			}
		}
	}
	return one(Item{Event: ev})
}

func completeBody(b *calendar.Body, from calendar.Body) {
	if b.Plain == "" {
		b.Plain = from.Plain
	}
	if b.HTML == "" {
		b.HTML = from.HTML
	}
}

// has reports whether the object has a value other than null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(bytes.TrimSpace(v)) != "null"
}

func (o object) list(name string) bool { return bytes.HasPrefix(bytes.TrimSpace(o[name]), []byte("[")) }

func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// isBody reports whether a value is an itemBody of Graph.
func (o object) isBody(name string) bool {
	var inner object
	return json.Unmarshal(o[name], &inner) == nil && inner.has("content")
}
