// Package timezone finds a time zone by any of the names that calendars use
// for it: those of the IANA database, of Windows, offsets, and the texts that
// programs show to people.
//
// It brings the IANA database along, so that a result does not depend on what
// is installed.
package timezone

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "time/tzdata" // zones on machines that have no database
)

// Named returns the zone that a name stands for without doubt: an IANA name,
// also at the end of a path such as "/example.com/Europe/Oslo"; a Windows name;
// UTC in its spellings. Upper and lower case are the same for all but IANA
// names.
func Named(name string) (*time.Location, bool) {
	name = clean(name)
	if isUTC(name) {
		return time.UTC, true
	}
	if iana, ok := Windows(name); ok {
		return load(iana)
	}
	if loc, ok := load(name); ok {
		return loc, true
	}
	// A globally unique name (RFC 5545, section 3.2.19) usually ends in an IANA
	// name, which has one to three parts.
	rest := strings.Trim(name, "/")
	for n := strings.Count(rest, "/"); n >= 0; n-- {
		if n < 3 {
			if isUTC(rest) {
				return time.UTC, true
			}
			if loc, ok := load(rest); ok && rest != name {
				return loc, true
			}
		}
		_, rest, _ = strings.Cut(rest, "/")
	}
	return nil, false
}

// Guess returns the zone for a text that names an offset, such as "GMT+0100" or
// "(UTC+01:00) Amsterdam, Berlin". Where the text has the name of a city or a
// region that is known to have that offset as its standard time, the result is
// the zone of that place, with its summer time; otherwise it is the offset
// alone. A text with two different offsets is not guessed.
func Guess(text string) (*time.Location, bool) {
	text = clean(text)
	m := offset.FindAllStringSubmatch(text, -1)
	if len(m) == 0 {
		if place, ok := places()[strings.ToLower(text)]; ok {
			return load(place)
		}
		return nil, false
	}
	sec, ok := seconds(m[0])
	if !ok {
		return nil, false
	}
	for _, other := range m[1:] {
		if s, ok := seconds(other); !ok || s != sec {
			return nil, false
		}
	}
	rest := strings.TrimSpace(strings.TrimLeft(text[strings.Index(text, m[0][0])+len(m[0][0]):], ") "))
	for _, place := range append([]string{rest}, strings.Split(rest, ",")...) {
		iana, ok := places()[strings.ToLower(strings.TrimSpace(place))]
		if !ok {
			continue
		}
		if loc, ok := load(iana); ok && standard(loc) == sec {
			return loc, true
		}
	}
	if sec == 0 {
		return time.UTC, true
	}
	return time.FixedZone(m[0][0], sec), true
}

// Load returns what Named does, or else what Guess does, or an error that has
// the name in it.
func Load(name string) (*time.Location, error) {
	if loc, ok := Named(name); ok {
		return loc, nil
	}
	if loc, ok := Guess(name); ok {
		return loc, nil
	}
	return nil, fmt.Errorf("unknown time zone %q", name)
}

// Windows returns the IANA name for a time zone name of Windows, such as
// "W. Europe Standard Time".
func Windows(name string) (iana string, ok bool) {
	iana, ok = windows()[strings.ToLower(name)]
	return iana, ok
}

var windows = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, len(windowsZones))
	for _, z := range windowsZones {
		m[strings.ToLower(z.windows)] = z.iana
	}
	return m
})

// places maps what Windows shows for a zone, and each place in it, to IANA names.
var places = sync.OnceValue(func() map[string]string {
	m := make(map[string]string)
	for _, z := range windowsZones {
		if z.iana == "Etc/UTC" || strings.HasSuffix(z.text, "- Old") {
			continue
		}
		for _, place := range strings.Split(z.text, ",") {
			m[strings.ToLower(strings.TrimSpace(place))] = z.iana
		}
		m[strings.ToLower(z.text)] = z.iana
	}
	m["brasília"] = "America/Sao_Paulo"
	return m
})

// The offsets that calendars write: GMT+0100, UTC+11, (UTC-03:00), GMT +01:00.
var offset = regexp.MustCompile(`(?i)\b(?:UTC|GMT)\s*([+-])\s*(\d{1,2}):?(\d{2})?\b`)

func seconds(m []string) (int, bool) {
	h, _ := strconv.Atoi(m[2])
	min, _ := strconv.Atoi(m[3]) // "" is 0
	if h > 14 || min > 59 {
		return 0, false
	}
	sec := h*3600 + min*60
	if m[1] == "-" {
		sec = -sec
	}
	return sec, true
}

// standard returns the offset of standard time in a recent year: the smaller of
// January's and July's.
func standard(loc *time.Location) int {
	_, jan := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	_, jul := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC).In(loc).Zone()
	return min(jan, jul)
}

func isUTC(name string) bool {
	switch strings.ToLower(name) {
	case "utc", "z", "gmt", "zulu", "etc/utc", "etc/gmt", "tzone://microsoft/utc", "(utc)", "utc+00:00", "gmt+0000", "coordinated universal time", "(utc) coordinated universal time":
		return true
	}
	return false
}

// load refuses the names that time.LoadLocation takes for something that
// depends on the machine, or for UTC without saying so.
func load(name string) (*time.Location, bool) {
	switch lower := strings.ToLower(name); {
	case name == "", lower == "local", lower == "localtime", lower == "posixrules", lower == "factory", strings.HasPrefix(lower, "right/"):
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}

func clean(name string) string { return strings.TrimSpace(strings.Trim(strings.TrimSpace(name), `"'`)) }
