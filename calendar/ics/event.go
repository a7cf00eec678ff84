package ics

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	ical "github.com/emersion/go-ical"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/markup"
)

// vevent is a VEVENT with its values read.
type vevent struct {
	line   int
	uid    string
	key    string // names the event or series among those of the calendar, without its occurrences
	old    bool   // another event of the calendar is a newer version
	series *series
	seq    int
	hash   uint64
	err    error // the event cannot be used
	recur  error // its recurrence cannot
	// timeless is set for a cancellation that does not say when.
	timeless bool

	ev        calendar.Event // what the occurrences share
	attendees []attendee
	start     moment
	length    span

	rules   []*rule
	rdates  []period
	exdates []moment

	// recurrence is the RECURRENCE-ID of an event that stands in for an
	// occurrence of a series.
	recurrence *moment
	following  bool // RANGE=THISANDFUTURE
	// stray is set for an event that stands in for an occurrence which cannot be
	// made out. It is not the series, and not a newer version of it.
	stray bool
	// classless is set where the event does not say how private it is.
	classless bool
}

type attendee struct {
	email    string
	response calendar.Response
}

// period is a value of RDATE.
type period struct {
	start  moment
	length *span // nil means that of the event
}

func (v *vevent) override() bool { return v.recurrence != nil }

func (v *vevent) recurs() bool {
	return len(v.rules) > 0 || len(v.rdates) > 0 || v.recur != nil
}

// event reads the values of a VEVENT. Floating times are in loc.
func (f *vcalendar) event(raw *rawEvent, loc *time.Location) *vevent {
	props := raw.comp.Props
	v := &vevent{line: raw.line, err: raw.err, hash: raw.hash}
	v.uid = propText(props, ical.PropUID)
	if n, err := number(rawValue(props, ical.PropSequence), 0, 1<<31-1); err == nil {
		v.seq = n
	}
	v.ev = calendar.Event{
		UID:      v.uid,
		Subject:  propText(props, ical.PropSummary),
		Location: propText(props, ical.PropLocation),
		Status:   f.status(props),
	}
	v.ev.Organizer, _ = person(props.Get(ical.PropOrganizer))
	class := rawValue(props, ical.PropClass)
	v.ev.Sensitivity, v.classless = sensitivity(class), class == ""
	v.ev.Body = body(props)
	if m, err := parseMoment(rawValue(props, ical.PropLastModified), "", nil, time.UTC); err == nil {
		v.ev.Modified = m.UTC()
	}
	for i := range props[ical.PropAttendee] {
		p := &props[ical.PropAttendee][i]
		if who, _ := person(p); who.Email != "" {
			v.attendees = append(v.attendees, attendee{who.Email, response(p.Params.Get("PARTSTAT"))})
		}
	}
	v.links(props, raw.order)
	if f.method == "CANCEL" {
		v.ev.Status = calendar.Cancelled
	}
	if err := v.times(props, f.zones.zone, loc); err != nil && v.err == nil {
		v.err = err
	}
	return v
}

func (v *vevent) times(props ical.Props, zone zoneOf, loc *time.Location) error {
	read := func(name string) (moment, error) {
		m, err := propMoment(props.Get(name), zone, loc)
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		return m, nil
	}
	// The occurrence that it stands for is read first: it is one less of the
	// series, even where the rest cannot be read.
	if p := props.Get(ical.PropRecurrenceID); p != nil && strings.TrimSpace(p.Value) != "" {
		m, err := read(ical.PropRecurrenceID)
		if err != nil {
			v.stray = true
			return err
		}
		v.recurrence = &m
		v.following = strings.EqualFold(p.Params.Get("RANGE"), "THISANDFUTURE")
	}
	var err error
	switch {
	case rawValue(props, ical.PropDateTimeStart) != "":
		if v.start, err = read(ical.PropDateTimeStart); err != nil {
			return err
		}
	case v.ev.Status != calendar.Cancelled:
		return errors.New("it has no DTSTART")
	case v.recurrence != nil:
		v.start = *v.recurrence
	default:
		// A cancellation need not say when (RFC 5546, section 3.2.5).
		v.timeless = true
		return nil
	}
	v.ev.AllDay = v.start.date
	switch {
	case rawValue(props, ical.PropDateTimeEnd) != "":
		end, err := read(ical.PropDateTimeEnd)
		if err != nil {
			return err
		}
		end = end.in(v.start)
		if end.Before(v.start.Time) {
			return fmt.Errorf("DTEND %s is before DTSTART %s", rawValue(props, ical.PropDateTimeEnd), rawValue(props, ical.PropDateTimeStart))
		}
		if end.Sub(v.start.Time) > maxDays*24*time.Hour {
			return fmt.Errorf("it is longer than %d days", maxDays)
		}
		if v.start.date {
			first, _ := civilOf(v.start.Time)
			last, sec := civilOf(end.In(v.start.Location()))
			if sec > 0 && !end.date {
				last++
			}
			v.length.days = max(1, last-first)
		} else {
			v.length.exact = end.Sub(v.start.Time)
		}
	case rawValue(props, ical.PropDuration) != "":
		if v.length, err = parseDuration(rawValue(props, ical.PropDuration)); err != nil {
			return fmt.Errorf("DURATION: %w", err)
		}
	case v.start.date:
		v.length.days = 1
	}
	if !v.ev.AllDay && strings.EqualFold(rawValue(props, "X-MICROSOFT-CDO-ALLDAYEVENT"), "TRUE") {
		// Outlook writes all-day events that are not in the calendar's zone as times.
		_, from := civilOf(v.start.Time)
		_, to := civilOf(v.length.after(v.start.Time))
		v.ev.AllDay = from == 0 && to == 0 && v.length != span{}
	}
	v.ev.Start, v.ev.End = v.start.Time, v.length.after(v.start.Time)
	v.recur = v.recurrences(props, zone, loc)
	return nil
}

// recurrences reads what says when else the event takes place.
func (v *vevent) recurrences(props ical.Props, zone zoneOf, loc *time.Location) error {
	if v.override() {
		return nil // a rule in such an event repeats that of the series
	}
	for _, p := range props[ical.PropRecurrenceRule] {
		if strings.TrimSpace(p.Value) == "" {
			continue
		}
		r, err := parseRule(p.Value, v.start, zone)
		if err != nil {
			return err
		}
		v.rules = append(v.rules, r)
	}
	if p := props.Get("EXRULE"); p != nil {
		return fmt.Errorf("EXRULE %s is not supported", quote(p.Value))
	}
	for _, name := range []string{ical.PropRecurrenceDates, ical.PropExceptionDates} {
		for i := range props[name] {
			p := &props[name][i]
			for item := range strings.SplitSeq(p.Value, ",") {
				if strings.TrimSpace(item) == "" {
					continue
				}
				one := ical.Prop{Params: p.Params, Value: item}
				start, rest, _ := strings.Cut(item, "/")
				one.Value = start
				m, err := propMoment(&one, zone, loc)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				m = m.in(v.start)
				if name == ical.PropExceptionDates {
					v.exdates = append(v.exdates, m)
					continue
				}
				pd := period{start: m}
				if rest != "" {
					length, err := periodLength(m, rest, p, zone, loc)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					pd.length = &length
				}
				v.rdates = append(v.rdates, pd)
			}
		}
	}
	return nil
}

// periodLength reads what follows the "/" of a PERIOD: an end or a duration.
func periodLength(start moment, s string, p *ical.Prop, zone zoneOf, loc *time.Location) (span, error) {
	if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(s)), "P") {
		return parseDuration(s)
	}
	end, err := parseMoment(s, p.Params.Get("TZID"), zone, loc)
	if err != nil {
		return span{}, err
	}
	if d := end.Sub(start.Time); d >= 0 && d <= maxDays*24*time.Hour {
		return span{exact: d}, nil
	}
	return span{}, fmt.Errorf("the period ends at %s, before it begins or after more than %d days", quote(s), maxDays)
}

func propMoment(p *ical.Prop, zone zoneOf, loc *time.Location) (moment, error) {
	value := strings.TrimSpace(p.Value)
	if strings.EqualFold(p.Params.Get("VALUE"), "DATE") && len(value) > 8 && (value[8] == 'T' || value[8] == 't') {
		value = value[:8]
	}
	return parseMoment(value, strings.TrimSpace(text(p.Params.Get("TZID"))), zone, loc)
}

// status returns the event's own status. Outlook writes BUSYSTATUS:TENTATIVE
// into every invite that is not answered yet, and what it is meant to become
// into INTENDEDSTATUS: only an event without STATUS and intention is tentative
// by it.
func (f *vcalendar) status(props ical.Props) calendar.Status {
	switch strings.ToUpper(rawValue(props, ical.PropStatus)) {
	case "CANCELLED", "CANCELED":
		return calendar.Cancelled
	case "TENTATIVE":
		return calendar.Tentative
	case "":
		if strings.EqualFold(rawValue(props, "X-MICROSOFT-CDO-BUSYSTATUS"), "TENTATIVE") {
			switch strings.ToUpper(rawValue(props, "X-MICROSOFT-CDO-INTENDEDSTATUS")) {
			case "", "TENTATIVE":
				return calendar.Tentative
			}
		}
	}
	return calendar.Confirmed
}

func sensitivity(class string) calendar.Sensitivity {
	switch strings.ToUpper(class) {
	case "", "PUBLIC", "DEFAULT":
		return calendar.Normal
	case "PERSONAL", "X-PERSONAL": // MS-OXCICAL
		return calendar.Personal
	case "CONFIDENTIAL":
		return calendar.Confidential
	}
	return calendar.Private // so RFC 5545 says of values that are not known
}

func response(partstat string) calendar.Response {
	switch strings.ToUpper(partstat) {
	case "ACCEPTED":
		return calendar.Accepted
	case "TENTATIVE":
		return calendar.TentativelyAccepted
	case "DECLINED":
		return calendar.Declined
	case "NEEDS-ACTION", "":
		return calendar.NotResponded
	}
	return calendar.ResponseUnknown
}

// person reads a value of type CAL-ADDRESS. The name may have colons in it, and
// no quotes around it.
func person(p *ical.Prop) (calendar.Person, bool) {
	if p == nil {
		return calendar.Person{}, false
	}
	out := calendar.Person{Name: strings.TrimSpace(text(p.Params.Get("CN")))}
	value := strings.TrimSpace(p.Value)
	if n := strings.LastIndex(strings.ToLower(value), "mailto:"); n >= 0 {
		out.Email = strings.TrimSpace(value[n+len("mailto:"):])
	} else if email := p.Params.Get("EMAIL"); email != "" {
		out.Email = email
	} else if strings.Contains(value, "@") && !strings.Contains(value, ":") {
		out.Email = value
	}
	out.Email = strings.Trim(out.Email, "<>'\" ")
	return out, out != calendar.Person{}
}

// answer returns the mailbox's response to the event.
func (v *vevent) answer(mailbox string) calendar.Response {
	if mailbox == "" {
		return calendar.ResponseUnknown
	}
	if strings.EqualFold(v.ev.Organizer.Email, mailbox) {
		return calendar.Organizer
	}
	for _, a := range v.attendees {
		if strings.EqualFold(a.email, mailbox) {
			return a.response
		}
	}
	return calendar.ResponseUnknown
}

// body returns the text in its forms. Some producers write HTML into
// DESCRIPTION and do not say so.
func body(props ical.Props) calendar.Body {
	var out calendar.Body
	for _, name := range []string{"X-ALT-DESC", "STYLED-DESCRIPTION", ical.PropDescription} {
		for i := range props[name] {
			p := &props[name][i]
			s := strings.TrimSpace(decoded(p))
			html := strings.EqualFold(p.Params.Get("FMTTYPE"), "text/html") || name == "X-ALT-DESC" || markup.IsHTML(s)
			switch {
			case !html && out.Plain == "":
				out.Plain = s
			case html && out.HTML == "":
				out.HTML = s
			case html && name == ical.PropDescription && s != out.HTML:
				out.HTML += "\n" + s // it may differ from the other
			}
		}
	}
	return out
}

// notJoin are properties whose value is a link that nobody joins by.
var notJoin = map[string]bool{
	"X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL": true,
	"X-ALT-DESC":                             true,
	"X-APPLE-STRUCTURED-LOCATION":            true,
}

// uri is a value that is a link and nothing else.
var uri = regexp.MustCompile(`^(?i:https?|sips?|h323|tel|pexip|conf|msteams|zoommtg):[^\s<>"]+$`)

// links fills Links and Properties, in the order of the file.
func (v *vevent) links(props ical.Props, order []string) {
	next := make(map[string]int)
	for _, name := range order {
		i := next[name]
		next[name]++
		if i >= len(props[name]) {
			continue
		}
		p := &props[name][i]
		value := strings.TrimSpace(decoded(p))
		if value == "" {
			continue
		}
		if strings.HasPrefix(name, "X-") && name != "X-ALT-DESC" || name == "CONTACT" || name == "COMMENT" {
			v.property(name, value)
		}
		if notJoin[name] || !uri.MatchString(value) {
			continue
		}
		source := name
		if name == "X-GOOGLE-CONFERENCE" {
			source = calendar.SourceGoogleMeet
		}
		if len(v.ev.Links) < maxLinks {
			v.ev.Links = append(v.ev.Links, calendar.Link{URI: value, Source: source})
		}
	}
}

// property adds a value to Properties. Several of one name are lines of one text.
func (v *vevent) property(name, value string) {
	if v.ev.Properties == nil {
		v.ev.Properties = make(map[string]string)
	}
	before, ok := v.ev.Properties[name]
	switch {
	case ok && len(before)+len(value) < maxText:
		v.ev.Properties[name] = before + "\n" + value
	case !ok && len(v.ev.Properties) < maxProperties:
		v.ev.Properties[name] = value
	}
}
