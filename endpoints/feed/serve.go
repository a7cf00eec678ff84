package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-ical"

	"github.com/onetouchjoin/onetouchjoin/endpoints/internal/lockout"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// Meeting is a meeting as clients read it, in JSON. The first seven members are
// those of Pexip's API; the others are ours.
type Meeting struct {
	ID             string    `json:"id"`
	Subject        string    `json:"subject"`
	OrganizerName  string    `json:"organizerName"`
	OrganizerEmail string    `json:"organizerEmail"`
	StartTime      time.Time `json:"startTime"`
	EndTime        time.Time `json:"endTime"`
	// Alias is what the device dials: a SIP address without "sip:", any other
	// with its scheme. It is empty where the meeting has no button.
	Alias string `json:"alias"`

	JoinURI     string  `json:"joinUri,omitempty"`
	StartBuffer float64 `json:"startBufferSeconds,omitempty"`
	EndBuffer   float64 `json:"endBufferSeconds,omitempty"`
	Private     bool    `json:"private,omitempty"`
}

func fromMeeting(m otj.Meeting) Meeting {
	return Meeting{
		ID: m.ID, Subject: m.Title, OrganizerName: m.Organizer.Name, OrganizerEmail: m.Organizer.Email,
		StartTime: m.Start, EndTime: m.End, Alias: strings.TrimPrefix(m.Join.URI, "sip:"), JoinURI: m.Join.URI,
		StartBuffer: m.StartBuffer.Seconds(), EndBuffer: m.EndBuffer.Seconds(), Private: m.Private,
	}
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

// client returns the room whose client sent r, or answers it and returns nil.
func (s *Server) client(w http.ResponseWriter, r *http.Request) *Room {
	w.Header().Set("Cache-Control", "private, no-cache")
	var room *Room
	var err error
	if id, secret, ok := r.BasicAuth(); ok {
		room, err = s.bySecret(id, secret, lockout.Address(r))
	} else if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && r.URL.Path != "/oauth/token" {
		room, err = s.byToken(bearer)
	} else {
		err = errUnauthorized
	}
	if errors.Is(err, errLocked) {
		retryAfter(w, 1)
		fail(w, http.StatusTooManyRequests, err.Error())
		return nil
	}
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="onetouchjoin", charset="UTF-8"`)
		fail(w, http.StatusUnauthorized, err.Error())
		return nil
	}
	room.called(r.UserAgent())
	if !room.polls.Allow() {
		retryAfter(w, s.opts.PerMinute)
		fail(w, http.StatusTooManyRequests, "too many requests; poll once a minute")
		return nil
	}
	return room
}

// content returns what the client of r's room gets, and since when it is so; or it
// answers r.
func (s *Server) content(w http.ResponseWriter, r *http.Request) (meetings []otj.Meeting, changed time.Time, ok bool) {
	room := s.client(w, r)
	if room == nil {
		return nil, changed, false
	}
	room.mu.RLock()
	defer room.mu.RUnlock()
	if !room.ready {
		// A device that was given an empty list would clear its screen.
		retryAfter(w, 4)
		fail(w, http.StatusServiceUnavailable, "the meetings are not known yet; try again soon")
		return nil, changed, false
	}
	return room.meetings, room.changed, true
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	room := s.client(w, r)
	if room == nil {
		return
	}
	if g := r.PostFormValue("grant_type"); g != "client_credentials" {
		fail(w, http.StatusBadRequest, "grant_type must be client_credentials")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": s.grant(room), "token_type": "Bearer", "expires_in": int(s.opts.TokenLife.Seconds()),
	})
}

func (s *Server) serveMeetings(w http.ResponseWriter, r *http.Request) {
	all, _, ok := s.content(w, r)
	if !ok {
		return
	}
	q := r.URL.Query()
	start, err1 := instant(q, "startTime")
	end, err2 := instant(q, "endTime")
	limit, idsOnly := 10, false
	var err3, err4 error
	if q.Has("limit") {
		if limit, err3 = strconv.Atoi(q.Get("limit")); err3 != nil || limit < 1 || limit > 100 {
			err3 = fmt.Errorf("limit must be a number from 1 to 100")
		}
	}
	if q.Has("idsOnly") {
		if idsOnly, err4 = strconv.ParseBool(q.Get("idsOnly")); err4 != nil {
			err4 = fmt.Errorf("idsOnly must be true or false")
		}
	}
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	found := []any{}
	for _, m := range all {
		if !start.IsZero() && !m.End.After(start) || !end.IsZero() && !m.Start.Before(end) {
			continue
		}
		if len(found) == limit {
			break
		}
		if idsOnly {
			found = append(found, struct {
				ID string `json:"id"`
			}{m.ID})
		} else {
			found = append(found, fromMeeting(m))
		}
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]int{"count": len(found)}, "meetings": found})
	if err != nil {
		fail(w, http.StatusInternalServerError, "the meetings cannot be written")
		return
	}
	answer(w, r, "application/json", body)
}

func instant(q url.Values, name string) (time.Time, error) {
	if !q.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, q.Get(name))
	if err != nil {
		return t, fmt.Errorf("%s must be a time such as 2026-11-23T09:00:00Z", name)
	}
	return t, nil
}

// answer sends body, or 304 if the client has it.
func answer(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	sum := sha256.Sum256(body)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func (s *Server) serveCalendar(w http.ResponseWriter, r *http.Request) {
	all, changed, ok := s.content(w, r)
	if !ok {
		return
	}
	body, err := iCalendar(all, changed)
	if err != nil {
		fail(w, http.StatusInternalServerError, "the calendar cannot be written")
		return
	}
	answer(w, r, "text/calendar; charset=utf-8", body)
}

const product = "-//onetouchjoin//feed//EN"

// iCalendar writes meetings as RFC 5545 says. The join address is in URL and in
// LOCATION, for clients that read only one.
func iCalendar(meetings []otj.Meeting, changed time.Time) ([]byte, error) {
	if len(meetings) == 0 { // the encoder refuses a calendar without components
		return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:" + product + "\r\nEND:VCALENDAR\r\n"), nil
	}
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, product)
	for _, m := range meetings {
		ev := ical.NewEvent()
		ev.Props.SetText(ical.PropUID, m.ID)
		ev.Props.SetDateTime(ical.PropDateTimeStamp, changed)
		ev.Props.SetDateTime(ical.PropDateTimeStart, m.Start)
		ev.Props.SetDateTime(ical.PropDateTimeEnd, m.End)
		ev.Props.SetText(ical.PropSummary, oneLine(m.Title))
		if m.Private {
			ev.Props.SetText(ical.PropClass, "PRIVATE")
		}
		if !m.Join.IsZero() {
			ev.Props.SetText(ical.PropLocation, m.Join.URI)
			if u, err := url.Parse(m.Join.URI); err == nil {
				ev.Props.SetURI(ical.PropURL, u)
			}
		}
		cal.Children = append(cal.Children, ev.Component)
	}
	var b bytes.Buffer
	err := ical.NewEncoder(&b).Encode(cal)
	return fold(b.Bytes()), err
}

// oneLine is s without control characters: iCalendar has no place for them.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// fold breaks the lines of a calendar that are longer than 75 bytes, between
// characters (RFC 5545 section 3.1).
func fold(in []byte) []byte {
	const most = 75
	out := make([]byte, 0, len(in)+len(in)/most*3)
	for line := range bytes.Lines(in) {
		room := most
		for len(bytes.TrimRight(line, "\r\n")) > room {
			n := room
			for n > 1 && !utf8.RuneStart(line[n]) {
				n--
			}
			out = append(append(out, line[:n]...), "\r\n "...)
			line, room = line[n:], most-1
		}
		out = append(out, line...)
	}
	return out
}
