package ics

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
	"time"

	ical "github.com/emersion/go-ical"
)

// text returns a value of type TEXT (RFC 5545, section 3.3.11). An unescaped
// comma or semicolon stays; so does a backslash before any other character.
func text(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		case '\\', ',', ';', ':', '"':
			b.WriteByte(s[i])
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// propText returns the text of the first property with a name, and "" if there
// is none.
func propText(props ical.Props, name string) string {
	if p := props.Get(name); p != nil {
		return strings.TrimSpace(decoded(p))
	}
	return ""
}

// decoded undoes the property's transfer encoding, then the escapes.
func decoded(p *ical.Prop) string {
	switch strings.ToUpper(p.Params.Get("ENCODING")) {
	case "QUOTED-PRINTABLE": // vCalendar 1.0
		if b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.Value))); err == nil {
			return repairLines(b)
		}
	case "BASE64", "B":
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(p.Value)); err == nil {
			return repairLines(b)
		}
	}
	return text(p.Value)
}

// repairLines is repair for a text of several lines.
func repairLines(b []byte) string {
	parts := bytes.Split(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"))
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = repair(p)
	}
	return strings.Join(out, "\n")
}

// dataHTML returns the document in a URI "data:text/html,…" (RFC 2397).
func dataHTML(uri string) string {
	rest, ok := strings.CutPrefix(uri, "data:")
	if !ok {
		return ""
	}
	kind, body, ok := strings.Cut(rest, ",")
	if !ok || !strings.HasPrefix(strings.ToLower(kind), "text/html") {
		return ""
	}
	if strings.HasSuffix(strings.ToLower(kind), ";base64") {
		b, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return ""
		}
		return string(b)
	}
	s, err := url.PathUnescape(body)
	if err != nil {
		return ""
	}
	return s
}

// moment is a value of type DATE or DATE-TIME.
type moment struct {
	time.Time      // a date is midnight in the calendar's zone
	date      bool // the value is a date
	utc       bool // the value ends in "Z"
	floating  bool // the value is a time without a zone
}

// cut bounds a value that an error repeats: a damaged line may have run into the
// text of the invite.
func cut(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func quote(s string) string { return strconv.Quote(cut(s)) }

// zoneOf returns the zone for a TZID.
type zoneOf func(tzid string) (*time.Location, error)

// parseMoment reads a DATE or DATE-TIME. It also takes a date without
// VALUE=DATE or with a "Z", times without seconds, and the extended form of
// ISO 8601. A floating time is in def.
func parseMoment(value, tzid string, zone zoneOf, def *time.Location) (moment, error) {
	s := strings.ToUpper(strings.TrimSpace(value))
	bad := fmt.Errorf("%s is not a date or time", quote(value))
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' {
		s = s[:4] + s[5:7] + s[8:]
	}
	if len(s) < 8 || !digits(s[:8]) {
		return moment{}, bad
	}
	year, month, day := atoi(s[:4]), atoi(s[4:6]), atoi(s[6:8])
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return moment{}, bad
	}
	rest := s[8:]
	if rest == "" || rest == "Z" {
		return moment{Time: civil(daysFromCivil(year, month, day), 0, def), date: true}, nil
	}
	if rest[0] != 'T' && rest[0] != ' ' {
		return moment{}, bad
	}
	clock := strings.ReplaceAll(rest[1:], ":", "")
	n := 0
	for n < len(clock) && '0' <= clock[n] && clock[n] <= '9' {
		n++
	}
	if n != 4 && n != 6 {
		return moment{}, bad
	}
	hour, minute, second := atoi(clock[:2]), atoi(clock[2:4]), 0
	if n == 6 {
		second = min(atoi(clock[4:6]), 59) // 60 is a leap second
		if atoi(clock[4:6]) > 60 {
			return moment{}, bad
		}
	}
	if hour > 24 || minute > 59 || hour == 24 && minute+second > 0 {
		return moment{}, bad
	}
	suffix := clock[n:]
	if strings.HasPrefix(suffix, ".") { // decimals of a second
		suffix = strings.TrimLeft(suffix[1:], "0123456789")
	}
	loc := def
	switch {
	case suffix == "Z":
		loc = time.UTC
	case suffix != "":
		sec, ok := utcOffset(suffix)
		if !ok {
			return moment{}, bad
		}
		loc = time.FixedZone("", sec)
	case tzid != "":
		var err error
		if loc, err = zone(tzid); err != nil {
			return moment{}, err
		}
	}
	return moment{Time: civil(daysFromCivil(year, month, day), hour*3600+minute*60+second, loc), utc: suffix == "Z", floating: suffix == "" && tzid == ""}, nil
}

// utcOffset reads "+0100", "-0330" or "+013045".
func utcOffset(s string) (int, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ":", "")
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' || !digits(s[1:]) {
		return 0, false
	}
	sec := atoi(s[1:3])*3600 + atoi(s[3:5])*60
	if len(s) == 7 {
		sec += atoi(s[5:7])
	}
	if sec > 24*3600 {
		return 0, false
	}
	if s[0] == '-' {
		sec = -sec
	}
	return sec, true
}

// span is a value of type DURATION: nominal days, which are as long as the
// clock makes them, and an exact time.
type span struct {
	days  int
	exact time.Duration
}

// parseDuration reads a DURATION; "P1DT" is taken as "P1D".
func parseDuration(value string) (span, error) {
	s := strings.ToUpper(strings.TrimSpace(value))
	bad := fmt.Errorf("%s is not a duration", quote(value))
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" {
		return span{}, bad
	}
	var out span
	clock := false
	for s != "" {
		if s[0] == 'T' && !clock {
			clock, s = true, s[1:]
			continue
		}
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		if n == 0 || n > 9 || n == len(s) {
			return span{}, bad
		}
		v, unit := atoi(s[:n]), s[n]
		s = s[n+1:]
		switch {
		case unit == 'W' && !clock:
			out.days += 7 * v
		case unit == 'D' && !clock:
			out.days += v
		case unit == 'H' && clock:
			out.exact += time.Duration(v) * time.Hour
		case unit == 'M' && clock:
			out.exact += time.Duration(v) * time.Minute
		case unit == 'S' && clock:
			out.exact += time.Duration(v) * time.Second
		default:
			return span{}, bad
		}
	}
	if out.days > maxDays || out.exact > maxDays*24*time.Hour {
		return span{}, fmt.Errorf("%s is longer than %d days", quote(value), maxDays)
	}
	if neg && (out.days > 0 || out.exact > 0) {
		return span{}, fmt.Errorf("duration %s is negative", quote(value))
	}
	return out, nil
}

// in returns a floating time in the zone of another value of the same event:
// some producers name the zone in DTSTART alone.
func (m moment) in(of moment) moment {
	if m.floating && !of.floating && !of.date {
		day, sec := civilOf(m.Time)
		m.Time = civil(day, sec, of.Location())
	}
	return m
}

// maxDays bounds the length of one occurrence.
const maxDays = 10 * 366

// after returns the time that lies the span after t.
func (s span) after(t time.Time) time.Time {
	if s.days > 0 {
		day, sec := civilOf(t)
		t = civil(day+s.days, sec, t.Location())
	}
	return t.Add(s.exact)
}

// bound is at least as long as the span ever is.
func (s span) bound() time.Duration { return time.Duration(s.days+1)*24*time.Hour + s.exact }

// atoi is strconv.Atoi for what is known to be digits.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
