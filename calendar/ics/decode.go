package ics

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"time"

	ical "github.com/emersion/go-ical"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

// Options change how calendars are read. The zero value is the default.
type Options struct {
	// Location is the zone of floating times, and the one in which all-day
	// events begin. By default it is that of the file's X-WR-TIMEZONE, and UTC
	// for a file without.
	Location *time.Location
	// MaxBytes bounds the size of a file. The default is 32 MiB.
	MaxBytes int64
	// MaxProperty bounds the bytes of one property, such as a DESCRIPTION. The
	// default is 4 MiB. A larger one makes its event an error.
	MaxProperty int
	// MaxEvents bounds the VEVENTs of a file. The default is 100,000.
	MaxEvents int
	// MaxOccurrences bounds the occurrences of one event in a window. The
	// default is 2,000.
	MaxOccurrences int
	// MaxTotal bounds the occurrences of all events in a window. The default
	// is 20,000.
	MaxTotal int
}

func (o *Options) defaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	set(&out.MaxBytes, 32<<20)
	set(&out.MaxProperty, 4<<20)
	set(&out.MaxEvents, 100_000)
	set(&out.MaxOccurrences, 2_000)
	set(&out.MaxTotal, 20_000)
	return out
}

func set[T int | int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Limits that nobody needs to change.
const (
	maxDepth      = 32         // components inside each other
	maxParam      = 1000       // bytes of a parameter's value
	maxParams     = 50         // of a property
	maxLinks      = 100        // of an event; further ones are left out
	maxProperties = 200        // of an event, in Event.Properties; so are these
	maxText       = 64 << 10   // bytes of a value in Event.Properties that is put together of several
	maxZones      = 1000       // names of time zones in a VCALENDAR
	zoneSteps     = 1_000_000  // work on the rules of its VTIMEZONEs
	ruleSteps     = 20_000_000 // work on the recurrence rules of a calendar, for one window
)

// Calendar is the content of iCalendar data. It is immutable and safe for
// concurrent use.
type Calendar struct {
	opts   Options
	events []*vevent
	// cut is set for data that ends before END:VCALENDAR: events may be missing.
	cut *calendar.EventError
}

// Decode reads iCalendar data: one VCALENDAR or several, or a VEVENT alone.
//
// It repairs what it can, and keeps the error of an event that it cannot read
// for that event alone: see [Calendar.Events]. It returns an error only for
// data that is no calendar at all, that cannot be read, or that is beyond a
// limit. The opts may be nil.
func Decode(r io.Reader, opts *Options) (*Calendar, error) {
	d := decoder{c: &Calendar{opts: opts.defaults()}}
	data, err := io.ReadAll(io.LimitReader(r, d.c.opts.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > d.c.opts.MaxBytes {
		return nil, fmt.Errorf("the calendar is larger than %d bytes", d.c.opts.MaxBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the calendar is empty")
	}
	if err := d.decode(data); err != nil {
		return nil, err
	}
	d.c.group()
	return d.c, nil
}

// decoder builds the component tree's frame and hands each VEVENT and VTIMEZONE
// to go-ical.
type decoder struct {
	c     *Calendar
	stack []string // names of the open components, in upper case
	deep  int      // components open below maxDepth

	file  *vcalendar // the VCALENDAR that is open
	files int

	chunk   bytes.Buffer // the VEVENT or VTIMEZONE that is open, as go-ical reads it
	reader  *bufio.Reader
	current *rawEvent
	// described is set once the current event has a DESCRIPTION, altErr if its
	// other form is too large.
	described bool
	altErr    error
	inZone    bool
}

// vcalendar is what the events of one VCALENDAR share.
type vcalendar struct {
	method string
	zone   string // X-WR-TIMEZONE
	zones  zoneTable
	events []*rawEvent
}

// rawEvent is a VEVENT before its values are read: zones may be defined after it.
type rawEvent struct {
	line  int
	comp  *ical.Component
	order []string // names of the properties that may hold links, as they came
	hash  uint64
	err   error
}

func (d *decoder) decode(data []byte) error {
	in, err := newLines(data, d.c.opts.MaxProperty)
	if err != nil {
		return err
	}
	d.reader = bufio.NewReaderSize(nil, 4096) // go-ical takes a reader of this size as it is
	last := 0
	for {
		l, ok := in.next()
		if !ok {
			break
		}
		last = l.number
		switch l.name {
		case "BEGIN":
			err = d.begin(strings.ToUpper(strings.TrimSpace(l.value)), l.number)
		case "END":
			d.end(strings.ToUpper(strings.TrimSpace(l.value)))
		default:
			d.property(l)
		}
		if err != nil {
			return err
		}
	}
	cut := len(d.stack) > 0
	if d.current != nil {
		d.current.err = errors.New("the data ends inside this event")
	} else if cut && d.stack[0] == "VCALENDAR" {
		d.c.cut = &calendar.EventError{Line: last, Err: errors.New("the data ends without END:VCALENDAR: events may be missing after this line")}
	}
	d.popTo(0)
	d.finishFile()
	if d.files == 0 {
		return errors.New("not an iCalendar file: no BEGIN:VCALENDAR in it")
	}
	return nil
}

func (d *decoder) begin(name string, number int) error {
	if name == "VCALENDAR" {
		d.popTo(0)
		d.finishFile()
		d.deep = 0
	}
	if d.file == nil {
		d.file = &vcalendar{}
	}
	if d.deep > 0 || len(d.stack) >= maxDepth {
		d.deep++
		return nil
	}
	// These never stand in an event: its END is missing.
	switch name {
	case "VEVENT", "VTODO", "VJOURNAL", "VTIMEZONE", "VFREEBUSY":
		for i, open := range d.stack {
			if open == "VEVENT" || open == "VTIMEZONE" {
				d.popTo(i)
				break
			}
		}
	}
	switch {
	case name == "VCALENDAR":
		d.files++
	case name == "VEVENT" && d.current == nil:
		if d.files == 0 {
			d.files++ // an event without a calendar around it
		}
		n := len(d.c.events) + len(d.file.events)
		if n >= d.c.opts.MaxEvents {
			return fmt.Errorf("line %d: the calendar has more than %d events", number, d.c.opts.MaxEvents)
		}
		d.current = &rawEvent{line: number}
		d.chunk.Reset()
		d.chunk.WriteString("BEGIN:VCALENDAR\nBEGIN:VEVENT\n")
	case name == "VTIMEZONE" && d.current == nil && !d.inZone:
		d.inZone = true
		d.chunk.Reset()
		d.chunk.WriteString("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\n")
	case d.inZone && d.stack[len(d.stack)-1] == "VTIMEZONE":
		d.chunk.WriteString("BEGIN:" + clean(name) + "\n")
	}
	d.stack = append(d.stack, name)
	return nil
}

// clean makes a name of a component out of what a file has.
func clean(name string) string {
	if name == "STANDARD" || name == "DAYLIGHT" {
		return name
	}
	return "X-OTHER"
}

func (d *decoder) end(name string) {
	if d.deep > 0 {
		d.deep--
		return
	}
	for i := len(d.stack) - 1; i >= 0; i-- {
		if d.stack[i] == name {
			d.popTo(i)
			return
		}
	}
	switch name {
	case "VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT", "VALARM", "VTODO", "VJOURNAL", "VFREEBUSY":
		return // it ends something that is not open
	}
	if len(d.stack) > 0 {
		d.popTo(len(d.stack) - 1) // a name that is spelled wrongly
	}
}

// popTo closes components until n are open.
func (d *decoder) popTo(n int) {
	for len(d.stack) > n {
		top := len(d.stack) - 1
		name := d.stack[top]
		d.stack = d.stack[:top]
		inside := top > 0 && d.stack[top-1] == "VTIMEZONE"
		switch {
		case name == "VEVENT" && d.current != nil && !d.open("VEVENT"):
			d.finishEvent()
		case name == "VTIMEZONE" && d.inZone && !d.open("VTIMEZONE"):
			d.finishZone()
		case d.inZone && inside:
			d.chunk.WriteString("END:" + clean(name) + "\n")
		}
	}
}

func (d *decoder) open(name string) bool {
	for _, s := range d.stack {
		if s == name {
			return true
		}
	}
	return false
}

func (d *decoder) property(l line) {
	if d.file == nil || len(d.stack) == 0 || d.deep > 0 {
		return
	}
	top := d.stack[len(d.stack)-1]
	switch {
	case top == "VCALENDAR":
		switch l.name {
		case "METHOD":
			d.file.method = strings.ToUpper(strings.TrimSpace(l.value))
		case "X-WR-TIMEZONE":
			d.file.zone = strings.TrimSpace(text(l.value))
		}
	case top == "VEVENT" && d.current != nil:
		d.eventProperty(l)
	case d.inZone && (top == "VTIMEZONE" || len(d.stack) > 1 && d.stack[len(d.stack)-2] == "VTIMEZONE"):
		switch l.name {
		case "TZID", "TZOFFSETFROM", "TZOFFSETTO", "DTSTART", "RRULE", "RDATE":
			d.emit(l)
		}
	}
}

func (d *decoder) eventProperty(l line) {
	if l.name == "DESCRIPTION" && !l.tooLong {
		d.described = true
	}
	if l.tooLong {
		switch err := fmt.Errorf("line %d: %s is larger than %d bytes", l.number, l.name, d.c.opts.MaxProperty); {
		case l.name == "ATTACH" || l.name == "IMAGE":
			// Nothing is read from them; a file of any size may be in one.
		case l.name == "X-ALT-DESC":
			// DESCRIPTION has the same text without markup.
			d.altErr = cmp.Or(d.altErr, err)
		default:
			d.current.err = cmp.Or(d.current.err, err)
		}
		return
	}
	if l.name != "DTSTAMP" { // it changes whenever the calendar is asked for
		h := fnv.New64a()
		io.WriteString(h, l.name)
		for _, p := range l.params {
			io.WriteString(h, ";"+p.name+"="+p.value)
		}
		io.WriteString(h, ":"+l.value)
		d.current.hash = d.current.hash*31 + h.Sum64()
	}
	if uri := l.param("ALTREP"); l.name == "DESCRIPTION" && strings.HasPrefix(uri, "data:text/html") {
		if html := dataHTML(uri); html != "" {
			d.emit(line{name: "X-ALT-DESC", params: []param{{"FMTTYPE", "text/html"}}, value: escape(html)})
		}
	}
	switch l.name {
	case "UID", "DTSTART", "DTEND", "DURATION", "RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE",
		"SUMMARY", "LOCATION", "DESCRIPTION", "STYLED-DESCRIPTION", "STATUS", "CLASS", "ORGANIZER", "ATTENDEE", "LAST-MODIFIED":
		d.emit(l)
	case "URL", "CONFERENCE", "CONTACT", "COMMENT":
		d.current.order = append(d.current.order, l.name)
		d.emit(l)
	default:
		if strings.HasPrefix(l.name, "X-") {
			d.current.order = append(d.current.order, l.name)
			d.emit(l)
		}
	}
}

var escaper = strings.NewReplacer(`\`, `\\`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`)

func escape(s string) string { return escaper.Replace(s) }

// emit writes a line in the strict form, for go-ical.
func (d *decoder) emit(l line) {
	d.chunk.WriteString(l.name)
	for _, p := range l.params {
		switch p.name {
		case "TZID", "VALUE", "CN", "EMAIL", "PARTSTAT", "FMTTYPE", "RANGE", "FEATURE", "ENCODING":
		case "QUOTED-PRINTABLE", "BASE64": // vCalendar 1.0 may leave out "ENCODING="
			p = param{"ENCODING", p.name}
		default:
			continue
		}
		// go-ical needs a time that grows with the square of a value's length.
		if len(p.value) > maxParam {
			if p.name != "TZID" {
				continue
			}
			// The name of no zone, and the time must not be taken for one without.
			p.value = strings.ToValidUTF8(p.value[:maxParam], "")
		}
		d.chunk.WriteByte(';')
		d.chunk.WriteString(p.name)
		d.chunk.WriteString(`="`)
		d.chunk.WriteString(strings.ReplaceAll(p.value, `"`, ""))
		d.chunk.WriteByte('"')
	}
	d.chunk.WriteByte(':')
	d.chunk.WriteString(l.value)
	d.chunk.WriteByte('\n')
}

// component has go-ical decode the chunk.
func (d *decoder) component(name string) (comp *ical.Component, err error) {
	d.chunk.WriteString("END:" + name + "\nEND:VCALENDAR\n")
	// go-ical panics on some lines. None of them should be left; a calendar of
	// somebody else's must not stop the program if one is.
	defer func() {
		if p := recover(); p != nil {
			comp, err = nil, fmt.Errorf("malformed: %v", p)
		}
	}()
	d.reader.Reset(&d.chunk)
	file, err := ical.NewDecoder(d.reader).Decode()
	if err != nil {
		return nil, err
	}
	if len(file.Children) != 1 {
		return nil, errors.New("malformed")
	}
	return file.Children[0], nil
}

func (d *decoder) finishEvent() {
	e := d.current
	if !d.described {
		e.err = cmp.Or(e.err, d.altErr)
	}
	d.current, d.described, d.altErr = nil, false, nil
	comp, err := d.component("VEVENT")
	if err != nil {
		comp = ical.NewComponent("VEVENT")
		if e.err == nil {
			e.err = err
		}
	}
	e.comp = comp
	d.file.events = append(d.file.events, e)
}

func (d *decoder) finishZone() {
	d.inZone = false
	comp, err := d.component("VTIMEZONE")
	if err != nil {
		return // events that need it say that they do not find it
	}
	if d.file.zones.defined == nil {
		d.file.zones.defined = make(map[string]*ical.Component)
	}
	id := strings.TrimSpace(text(rawValue(comp.Props, "TZID")))
	if _, ok := d.file.zones.defined[id]; !ok {
		d.file.zones.defined[id] = comp
	}
}

// finishFile reads the values of the VCALENDAR's events.
func (d *decoder) finishFile() {
	f := d.file
	d.file = nil
	if f == nil {
		return
	}
	loc := d.c.opts.Location
	if loc == nil && f.zone != "" {
		loc, _ = f.zones.zone(f.zone)
	}
	if loc == nil {
		loc = time.UTC
	}
	for _, e := range f.events {
		d.c.events = append(d.c.events, f.event(e, loc))
	}
}
