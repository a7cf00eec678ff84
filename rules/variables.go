package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/rules/internal/jinja"
)

// variable is one variable of a type's templates.
type variable struct {
	name  string
	about string
	elem  []string // attributes of the elements of a list
	value func(x *findContext) jinja.Value
}

// str makes a variable's value of a text.
func str(f func(x *findContext) string) func(*findContext) jinja.Value {
	return func(x *findContext) jinja.Value { return jinja.Str(f(x)) }
}

var meetingVars = []variable{
	{"meeting_id", "the meeting's number or name, without spaces", nil, str(func(x *findContext) string { return x.meeting.MeetingID })},
	{"passcode", "what a person types when asked for it; not the token in a link", nil, str(func(x *findContext) string { return string(x.meeting.Passcode) })},
	{"uri", "the join link, unwrapped", nil, str(func(x *findContext) string { return addressOf(x.meeting, HTTPS) })},
	{"host", "the host of the join link", nil, str(func(x *findContext) string {
		l, _ := cut(addressOf(x.meeting, HTTPS))
		return l.host
	})},
	{"dial", "the first SIP or H.323 address of the meeting, without \"sip:\"", nil, str(func(x *findContext) string { return aliasOf(dialOf(x.meeting)) })},
	{"service", "the service's name, as in \"zoom\"", nil, str(func(x *findContext) string { return x.meeting.Service })},
	{"field", "where the meeting was found, as in \"location\"", nil, str(func(x *findContext) string { return x.meeting.Field.String() })},
	{"domain", "the rule's domain", nil, str(func(x *findContext) string { return x.rule.domain })},
	{"company_id", "the rule's company_id", nil, str(func(x *findContext) string { return x.rule.companyID })},
	{"internal", "whether the organizer is at one of your own domains", nil, func(x *findContext) jinja.Value { return jinja.Boolean(x.internal()) }},
}

var teamsVars = append(meetingVars[:len(meetingVars):len(meetingVars)],
	variable{"conference_id", "the number in the block for video devices: Video ID, VTC Conference ID", nil, str(func(x *findContext) string { c, _ := cviParts(x.meeting); return c })},
	variable{"tenant_key", "the tenant's key in that block, where it is a part of the address", nil, str(func(x *findContext) string { _, k := cviParts(x.meeting); return k })},
)

var s4bVars = append(meetingVars[:len(meetingVars):len(meetingVars)],
	variable{"user", "the organizer's name in the join link", nil, str(func(x *findContext) string { u, _ := s4bParts(x.meeting); return u })},
	variable{"user_domain", "the domain of the join link, without \"meet.\"", nil, str(func(x *findContext) string { _, d := s4bParts(x.meeting); return d })},
)

var domainVars = []variable{
	{"alias", "the address that was found, without \"sip:\"", nil, str(func(x *findContext) string { return x.alias })},
	{"user", "the part before the @", nil, str(func(x *findContext) string { u, _, _ := strings.Cut(x.alias, "@"); return u })},
	{"domain", "the rule's domain", nil, str(func(x *findContext) string { return x.rule.domain })},
	{"internal", "whether the organizer is at one of your own domains", nil, func(x *findContext) jinja.Value { return jinja.Boolean(x.internal()) }},
}

var eventVars = []variable{
	{"event.subject", "the subject, as the room's mailbox has it", nil, str(func(x *findContext) string { return x.v.event.Subject })},
	{"event.location", "the location", nil, str(func(x *findContext) string { return x.v.event.Location })},
	{"event.text", "the body as a person reads it, without markup", nil, str(func(x *findContext) string { return x.v.text() })},
	{"event.html", "the body's HTML, where it has some", nil, str(func(x *findContext) string { return x.v.event.Body.HTML })},
	{"event.plain", "the body's plain text, where it has some", nil, str(func(x *findContext) string { return x.v.event.Body.Plain })},
	{"event.organizer.name", "the organizer's name", nil, str(func(x *findContext) string { return x.v.event.Organizer.Name })},
	{"event.organizer.email", "the organizer's address", nil, str(func(x *findContext) string { return x.v.event.Organizer.Email })},
	{"event.uid", "the iCalendar UID", nil, str(func(x *findContext) string { return x.v.event.UID })},
	{"event.start", "the start in UTC, as in 2026-11-23T13:00:00Z", nil, str(func(x *findContext) string { return timestamp(x.v.event.Start) })},
	{"event.end", "the end in UTC", nil, str(func(x *findContext) string { return timestamp(x.v.event.End) })},
	{"event.all_day", "whether it lasts all day", nil, func(x *findContext) jinja.Value { return jinja.Boolean(x.v.event.AllDay) }},
	{"event.status", "confirmed or tentative", nil, str(func(x *findContext) string { return x.v.event.Status.String() })},
	{"event.response", "the room's answer: unknown, organizer, accepted, tentative, declined, not responded", nil, str(func(x *findContext) string { return x.v.event.Response.String() })},
	{"event.sensitivity", "normal, personal, private or confidential", nil, str(func(x *findContext) string { return x.v.event.Sensitivity.String() })},
	{"event.links", "the addresses that the calendar holds as data; each has uri, source, meeting_id, passcode", []string{"uri", "source", "meeting_id", "passcode"}, eventLinks},
	{"event.properties", "further properties, such as X- properties of iCalendar, by their names in capitals", nil, eventProperties},
	{"event.uris", "all web links of the invite, decoded and unwrapped, as strings", nil, eventURIs},
	{"event.meetings", "the meetings that the default rules find, the best first; each has service, meeting_id, passcode, uri, dial, field", []string{"service", "meeting_id", "passcode", "uri", "dial", "field"}, eventMeetings},
	{"domain", "the rule's domain", nil, str(func(x *findContext) string { return x.rule.domain })},
	{"company_id", "the rule's company_id", nil, str(func(x *findContext) string { return x.rule.companyID })},
	{"internal", "whether the organizer is at one of your own domains", nil, func(x *findContext) jinja.Value { return jinja.Boolean(x.internal()) }},
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// pairs makes a mapping of names and texts by turns.
func pairs(kv ...string) jinja.Value {
	vs := make([]jinja.Value, len(kv))
	for i, s := range kv {
		vs[i] = jinja.Str(s)
	}
	return jinja.Mapping(vs...)
}

func eventLinks(x *findContext) jinja.Value {
	out := make([]jinja.Value, 0, len(x.v.event.Links))
	for _, l := range x.v.event.Links {
		out = append(out, pairs("uri", l.URI, "source", l.Source, "meeting_id", l.MeetingID, "passcode", string(l.Passcode)))
	}
	return jinja.Items(out...)
}

func eventProperties(x *findContext) jinja.Value {
	var kv []string
	for _, name := range sortedKeys(x.v.event.Properties) {
		kv = append(kv, name, x.v.event.Properties[name])
	}
	return pairs(kv...)
}

func eventURIs(x *findContext) jinja.Value {
	var out []jinja.Value
	for _, l := range x.v.links() {
		out = append(out, jinja.Str(l.uri))
	}
	return jinja.Items(out...)
}

func eventMeetings(x *findContext) jinja.Value {
	var out []jinja.Value
	for _, m := range x.v.meetings() {
		out = append(out, pairs("service", m.Service, "meeting_id", m.MeetingID, "passcode", string(m.Passcode),
			"uri", addressOf(&m, HTTPS), "dial", aliasOf(dialOf(&m)), "field", m.Field.String()))
	}
	return jinja.Items(out...)
}

// addressOf returns the first address of a scheme, or "".
func addressOf(m *Match, s Scheme) string {
	for _, a := range m.Addresses {
		if a.Scheme == s {
			return a.URI
		}
	}
	return ""
}

// dialOf returns the first address that a room device dials, or "".
func dialOf(m *Match) string {
	for _, a := range m.Addresses {
		if a.Scheme == SIP || a.Scheme == SIPS || a.Scheme == H323 {
			return a.URI
		}
	}
	return ""
}

// aliasOf removes "sip:": an alias is written without it. "sips:" and "h323:" say
// something and stay.
func aliasOf(uri string) string { return strings.TrimPrefix(uri, "sip:") }

// cviParts cuts the SIP address of a Teams meeting into conference and tenant
// key. Their order is the vendor's: Poly has the key first, Webex the number.
func cviParts(m *Match) (conference, key string) {
	user, _, _ := strings.Cut(aliasOf(dialOf(m)), "@")
	host, ok := dialHost(m)
	if !ok {
		return "", ""
	}
	first, second, ok := strings.Cut(user, ".")
	switch {
	case !ok:
		return first, ""
	case hostIn(host, ciscoHosts):
		return first, second
	}
	return second, first
}

// s4bParts takes the organizer from https://meet.lync.com/<tenant>/<user>/<id>,
// https://meet.<domain>/<user>/<id> and https://join.<domain>/meet/<user>/<id>.
func s4bParts(m *Match) (user, domain string) {
	l, ok := cut(addressOf(m, HTTPS))
	if !ok {
		return "", ""
	}
	parts := strings.Split(strings.Trim(l.path, "/"), "/")
	if len(parts) < 2 {
		return "", ""
	}
	user = parts[len(parts)-2]
	if l.host == "meet.lync.com" {
		if len(parts) < 3 {
			return user, ""
		}
		return user, parts[0]
	}
	if _, rest, ok := strings.Cut(l.host, "."); ok {
		domain = rest
	}
	return user, domain
}

// packServices lists the services of the default pack.
func packServices() []string {
	out := []string{"sip"}
	for i := range defaultPack {
		if s := defaultPack[i].Service; !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
