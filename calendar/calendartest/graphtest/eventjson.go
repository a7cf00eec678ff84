package graphtest

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/timezone"
)

// prefs is what the Prefer headers ask for.
type prefs struct {
	immutable bool
	text      bool // bodies
	zone      *time.Location
	zoneName  string
	pageSize  int
	applied   []string
}

// parsePrefer reads the Prefer headers (RFC 7240) that Outlook knows.
func parsePrefer(h http.Header) (prefs, *graphError) {
	p := prefs{zone: time.UTC, zoneName: "UTC"}
	for _, line := range h.Values("Prefer") {
		for pref := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(pref), "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "idtype":
				p.immutable = strings.EqualFold(value, "ImmutableId")
			case "outlook.body-content-type":
				p.text = strings.EqualFold(value, "text")
			case "outlook.timezone":
				loc, err := timezone.Load(value)
				if err != nil {
					return p, badRequest("ErrorInvalidTimeZone", "A valid TimeZone value must be specified. The following TimeZone value is not supported: '%s'.", value)
				}
				p.zone, p.zoneName = loc, value
			case "odata.maxpagesize":
				if _, err := fmt.Sscan(value, &p.pageSize); err != nil || p.pageSize < 1 {
					return p, badRequest("ErrorInvalidParameter", "The preference odata.maxpagesize has the value '%s'.", value)
				}
			default:
				continue
			}
			p.applied = append(p.applied, strings.TrimSpace(pref))
		}
	}
	return p, nil
}

// stamp is a dateTimeTimeZone.
func (p *prefs) stamp(t time.Time, allDay bool) map[string]any {
	if !allDay {
		t = t.In(p.zone)
	}
	return map[string]any{"dateTime": t.Format("2006-01-02T15:04:05.0000000"), "timeZone": p.zoneName}
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

var responses = map[calendar.Response]string{
	calendar.ResponseUnknown: "none", calendar.Organizer: "organizer", calendar.Accepted: "accepted",
	calendar.TentativelyAccepted: "tentativelyAccepted", calendar.Declined: "declined", calendar.NotResponded: "notResponded",
}

// eventProperties are those of an event that $select may name.
var eventProperties = strings.Fields(`allowNewTimeProposals attendees body bodyPreview cancelledOccurrences categories changeKey
	createdDateTime end hasAttachments hideAttendees iCalUId id importance isAllDay isCancelled isDraft isOnlineMeeting isOrganizer
	isReminderOn lastModifiedDateTime location locations onlineMeeting onlineMeetingProvider onlineMeetingUrl organizer
	originalEndTimeZone originalStart originalStartTimeZone recurrence reminderMinutesBeforeStart responseRequested responseStatus
	sensitivity seriesMasterId showAs start subject transactionId type webLink`)

func etag(c change, n int) string { return fmt.Sprintf(`W/"%s"`, changeKey(c, n)) }

func changeKey(c change, n int) string { return fmt.Sprintf("Q%07dT%05dAA==", c.seq, n) }

// sparse is an occurrence as a delta query lists it.
func (m *Mailbox) sparse(o occurrence, p *prefs) map[string]any {
	start, end := o.ev.span()
	return map[string]any{
		"@odata.type": "#microsoft.graph.event", "@odata.etag": etag(o.at, o.it.n),
		"id": m.eventID(p.immutable, o.it.n, o.slot), "seriesMasterId": m.eventID(p.immutable, o.it.n, ""), "type": "occurrence",
		"start": p.stamp(start, o.ev.AllDay), "end": p.stamp(end, o.ev.AllDay),
	}
}

// json is an event with all its properties. The caller holds mu.
func (m *Mailbox) json(o occurrence, p *prefs) map[string]any {
	e, it := &o.ev, o.it
	start, end := e.span()
	address := func(who calendar.Person) map[string]any {
		return map[string]any{"name": who.Name, "address": who.Email}
	}
	attendees := []any{}
	for _, who := range e.Attendees {
		attendees = append(attendees, map[string]any{"type": "required", "emailAddress": address(who),
			"status": map[string]any{"response": "none", "time": "0001-01-01T00:00:00Z"}})
	}
	attendees = append(attendees, map[string]any{"type": "resource", "emailAddress": map[string]any{"name": m.address, "address": m.address},
		"status": map[string]any{"response": responses[e.Response], "time": instant(o.at.when)}})
	place := map[string]any{"displayName": e.Location, "locationType": "default", "uniqueIdType": "unknown"}
	if e.LocationURI != "" {
		place["locationUri"] = e.LocationURI
	}
	if e.Location != "" {
		place["uniqueId"], place["uniqueIdType"] = e.Location, "private"
	}
	places := []any{}
	if e.Location != "" || e.LocationURI != "" {
		places = append(places, place)
	}
	body, kind := e.HTML, "html"
	plain := e.Text
	if body != "" {
		plain = toText(body)
	} else if e.Text != "" {
		body = "<html><head></head><body><pre>" + html.EscapeString(e.Text) + "</pre></body></html>"
	}
	if p.text {
		body, kind = plain, "text"
	}
	preview := []rune(strings.Join(strings.Fields(plain), " "))
	v := map[string]any{
		"@odata.etag": etag(o.at, it.n), "id": m.eventID(p.immutable, it.n, o.slot), "createdDateTime": instant(it.created),
		"lastModifiedDateTime": instant(o.at.when), "changeKey": changeKey(o.at, it.n), "categories": []any{}, "transactionId": nil,
		"originalStartTimeZone": zoneName(e.Start), "originalEndTimeZone": zoneName(e.Start), "iCalUId": uid(e.UID, o.slot),
		"reminderMinutesBeforeStart": 15, "isReminderOn": true, "hasAttachments": false, "subject": e.Subject,
		"bodyPreview": string(preview[:min(255, len(preview))]), "importance": "normal", "sensitivity": e.Sensitivity.String(),
		"isAllDay": e.AllDay, "isCancelled": e.Cancelled, "isOrganizer": e.Response == calendar.Organizer, "isDraft": false,
		"responseRequested": true, "seriesMasterId": nil, "showAs": "busy", "type": o.kind,
		"webLink":          "https://outlook.office365.com/owa/?itemid=" + m.eventID(false, it.n, o.slot) + "&exvsurl=1&path=/calendar/item",
		"onlineMeetingUrl": nil, "isOnlineMeeting": e.JoinURL != "" || e.OnlineMeetingURL != "", "onlineMeetingProvider": "unknown",
		"allowNewTimeProposals": true, "hideAttendees": false, "recurrence": nil, "onlineMeeting": nil,
		"responseStatus": map[string]any{"response": responses[e.Response], "time": instant(o.at.when)},
		"body":           map[string]any{"contentType": kind, "content": body},
		"start":          p.stamp(start, e.AllDay), "end": p.stamp(end, e.AllDay),
		"location": place, "locations": places, "attendees": attendees,
		"organizer": map[string]any{"emailAddress": address(e.Organizer)},
	}
	if e.ShowAs != "" {
		v["showAs"] = e.ShowAs
	}
	if e.OnlineMeetingURL != "" {
		v["onlineMeetingUrl"], v["onlineMeetingProvider"] = e.OnlineMeetingURL, "skypeForBusiness"
	}
	if e.JoinURL != "" {
		v["onlineMeeting"], v["onlineMeetingProvider"] = map[string]any{"joinUrl": e.JoinURL}, "teamsForBusiness"
	}
	if e.Provider != "" {
		v["onlineMeetingProvider"] = e.Provider
	}
	switch {
	case o.slot != "":
		from, _ := inSlot(&it.ev, o.slot)
		v["seriesMasterId"], v["originalStart"] = m.eventID(p.immutable, it.n, ""), instant(from)
	case it.rec != nil:
		v["recurrence"] = it.rec.json(it.ev.Start)
		cancelled := []string{}
		for slot, x := range it.exc {
			if x.deleted {
				cancelled = append(cancelled, fmt.Sprintf("OID.%s.%s", m.eventID(p.immutable, it.n, ""), slot[:4]+"-"+slot[4:6]+"-"+slot[6:]))
			}
		}
		slices.Sort(cancelled)
		v["cancelledOccurrences"] = cancelled
	}
	for name, value := range e.Raw {
		if v[name] = value; value == nil {
			delete(v, name)
		}
	}
	return v
}

// project leaves what $select asks for, and adds what $expand does.
func project(v map[string]any, fields []string, expand []string, e *Event) map[string]any {
	out := v
	if len(fields) > 0 {
		out = map[string]any{}
		for name, value := range v {
			if strings.HasPrefix(name, "@") || name == "id" || slices.Contains(fields, name) {
				out[name] = value
			}
		}
	} else {
		// Graph sends these only when they are asked for.
		delete(out, "cancelledOccurrences")
		delete(out, "originalStart")
	}
	if len(expand) > 0 {
		var props []any
		for _, id := range slices.Sorted(maps.Keys(e.Extended)) {
			if slices.ContainsFunc(expand, func(want string) bool { return strings.EqualFold(want, id) }) {
				props = append(props, map[string]any{"id": id, "value": e.Extended[id]})
			}
		}
		if props != nil {
			out["singleValueExtendedProperties"] = props
		}
	}
	return out
}

var (
	breaks = regexp.MustCompile(`(?i)<(br|/p|/div|/tr|/li|/h[1-6])\b[^>]*>`)
	hidden = regexp.MustCompile(`(?is)<(head|style|script)\b.*?</(head|style|script)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// toText is about what Exchange makes of an HTML body.
func toText(s string) string {
	s = hidden.ReplaceAllString(s, "")
	s = breaks.ReplaceAllString(s, "\r\n")
	return strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(s, "")))
}
