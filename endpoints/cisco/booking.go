package cisco

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// IDPrefix is what the Id of our bookings begins with on a device; the ID of
// the meeting follows. Bookings without it are those of another system.
const IDPrefix = "otj-"

// abilities are what a device can do, as far as it matters here.
type abilities struct {
	version             roomos.Version
	sip, h323, spark    bool
	teamsRTC, meetRTC   bool
	legacy, none, icons bool
}

// dial says how the device joins by a: the number and the protocol for a
// booking.
func (c *abilities) dial(a rules.Address) (number, protocol string, ok bool) {
	switch a.Scheme {
	case rules.SIP:
		number = strings.TrimPrefix(a.URI, "sip:")
		if c.spark && !c.legacy && isWebex(number) {
			return number, "Spark", true
		}
		return number, "SIP", c.sip && number != ""
	case rules.SIPS:
		return a.URI, "SIP", c.sip && len(a.URI) > len("sips:")
	case rules.H323:
		number = strings.TrimPrefix(a.URI, "h323:")
		return number, "H323", c.h323 && number != ""
	case rules.HTTPS:
		if c.legacy {
			return "", "", false
		}
		switch hostOf(a.URI) {
		case "teams.microsoft.com", "teams.live.com", "teams.cloud.microsoft":
			return a.URI, "WebRTC", c.teamsRTC
		case "meet.google.com":
			return a.URI, "WebRTC", c.meetRTC
		}
	}
	return "", "", false
}

// isWebex reports whether a SIP address is that of a Webex meeting.
func isWebex(number string) bool {
	_, host, ok := strings.Cut(number, "@")
	host = strings.ToLower(host)
	if i := strings.IndexAny(host, ":;?"); i >= 0 {
		host = host[:i]
	}
	return ok && (host == "webex.com" || strings.HasSuffix(host, ".webex.com"))
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// address is the reverse of dial.
func address(number, protocol string) rules.Address {
	switch {
	case number == "":
		return rules.Address{}
	case protocol == "WebRTC":
		return rules.Address{Scheme: rules.HTTPS, URI: number}
	case protocol == "H323":
		return rules.Address{Scheme: rules.H323, URI: "h323:" + number}
	case strings.HasPrefix(number, "sips:"):
		return rules.Address{Scheme: rules.SIPS, URI: number}
	}
	return rules.Address{Scheme: rules.SIP, URI: "sip:" + number}
}

// AddressOf returns the address that a device dials for a booking with that
// number and protocol: the reverse of what this package makes of an address.
func AddressOf(number, protocol string) rules.Address { return address(number, protocol) }

// putBooking is a booking as Bookings Put takes it.
type putBooking struct {
	ID         string       `json:"Id"`
	Title      string       `json:"Title"`
	Number     string       `json:"Number"`
	Protocol   string       `json:"Protocol"`
	Platform   string       `json:"MeetingPlatform,omitempty"`
	Organizer  putOrganizer `json:"Organizer"`
	Time       putTime      `json:"Time"`
	Privacy    string       `json:"Privacy"`
	CallType   string       `json:"CallType,omitempty"`
	Encryption string       `json:"Encryption,omitempty"`
}

type putOrganizer struct {
	Name  string `json:"Name"`
	Email string `json:"Email,omitempty"`
}

type putTime struct {
	StartTime       string `json:"StartTime"`
	Duration        int    `json:"Duration"`
	StartTimeBuffer int    `json:"StartTimeBuffer"`
	EndTimeBuffer   int    `json:"EndTimeBuffer"`
}

const utc = "2006-01-02T15:04:05Z"

// minutes is the length of a meeting: a device counts in whole minutes, and a
// button must not go early.
func minutes(m *otj.Meeting) int {
	return max(1, int((m.End.Sub(m.Start)+time.Minute-1)/time.Minute))
}

func platform(service string) string {
	switch service {
	case "teams":
		return "MicrosoftTeams"
	case "meet":
		return "GoogleMeet"
	case "zoom":
		return "Zoom"
	case "webex":
		return "Webex"
	}
	return "Other"
}

// bookings returns the meetings as Bookings Put takes them. The names of those
// whose address the device cannot dial come back too: they have no button.
func (c *abilities) bookings(meetings []otj.Meeting, encryption string) (out []putBooking, without int) {
	out = make([]putBooking, len(meetings))
	for i := range meetings {
		m := &meetings[i]
		b := putBooking{
			ID: IDPrefix + m.ID, Title: m.Title, Privacy: "Public", Protocol: "SIP",
			Organizer: putOrganizer{m.Organizer.Name, m.Organizer.Email},
			Time: putTime{m.Start.UTC().Format(utc), minutes(m),
				int(m.StartBuffer / time.Second), int(m.EndBuffer / time.Second)},
		}
		if m.Private {
			b.Privacy = "Private"
		}
		number, protocol, ok := c.dial(m.Join)
		switch {
		case ok:
			b.Number, b.Protocol, b.CallType, b.Encryption = number, protocol, "Video", encryption
			if c.icons && (protocol != "WebRTC" || m.Service == "teams" || m.Service == "meet") {
				b.Platform = platform(m.Service)
			}
		case c.none:
			b.Protocol = "None"
		}
		if !ok && !m.Join.IsZero() {
			without++
		}
		out[i] = b
	}
	return out, without
}

// putBody returns the body of Bookings Put, and its sum.
func putBody(list []putBooking) (body string, sum [32]byte, err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(struct{ Bookings []putBooking }{list})
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return string(text), sha256.Sum256(text), err
}

// legacyTree returns the bookings as /bookingsputxml and an External Manager
// take them: a <Bookings> element with those attributes.
func legacyTree(list []putBooking, attrs string) []byte {
	var b bytes.Buffer
	b.WriteString("<Bookings" + attrs + ">")
	for i := range list {
		p := &list[i]
		text := func(name, value string) {
			b.WriteString("<" + name + ` item="1">`)
			escape(&b, value)
			b.WriteString("</" + name + ">")
		}
		fmt.Fprintf(&b, `<Booking item="%d">`, i+1)
		text("Id", p.ID)
		text("Title", p.Title)
		text("Agenda", "")
		text("Privacy", p.Privacy)
		first, last, _ := strings.Cut(p.Organizer.Name, " ")
		b.WriteString(`<Organizer item="1">`)
		text("FirstName", first)
		text("LastName", last)
		text("Email", p.Organizer.Email)
		b.WriteString(`</Organizer><Time item="1">`)
		start, _ := time.Parse(utc, p.Time.StartTime)
		text("StartTime", p.Time.StartTime)
		text("StartTimeBuffer", strconv.Itoa(p.Time.StartTimeBuffer))
		text("EndTime", start.Add(time.Duration(p.Time.Duration)*time.Minute).Format(utc))
		text("EndTimeBuffer", strconv.Itoa(p.Time.EndTimeBuffer))
		b.WriteString(`</Time>`)
		text("MaximumMeetingExtension", "5")
		text("BookingStatus", "OK")
		text("BookingStatusMessage", "")
		b.WriteString(`<Webex item="1"><Enabled item="1">False</Enabled><MeetingNumber item="1"></MeetingNumber><Password item="1"></Password></Webex>`)
		text("Encryption", encryptionMode(p.Encryption))
		text("Role", "Master")
		text("Recording", "Disabled")
		b.WriteString(`<DialInfo item="1">`)
		if p.Number != "" {
			b.WriteString(`<Calls item="1"><Call item="1">`)
			text("Number", p.Number)
			text("Protocol", p.Protocol)
			text("CallRate", "6000")
			text("CallType", "Video")
			b.WriteString(`</Call></Calls>`)
			text("ConnectMode", "OBTP")
		} else {
			text("ConnectMode", "Manual")
		}
		b.WriteString(`</DialInfo></Booking>`)
	}
	b.WriteString("</Bookings>")
	return b.Bytes()
}

func encryptionMode(s string) string {
	if s == "" {
		return "BestEffort"
	}
	return s
}

// held is a booking as the device has it.
type held struct {
	id, number string
	start      time.Time
	sum        string // of what matters
}

// readList reads the answer to Bookings List. total is -1 if it does not say.
func readList(n *roomos.Node) (list []held, total int) {
	total = -1
	if t, err := strconv.Atoi(n.Value("ResultInfo", "TotalRows")); err == nil {
		total = t
	}
	for _, b := range n.All("Booking") {
		if len(b.Kids) == 0 {
			continue
		}
		start, _ := time.Parse(time.RFC3339, b.Value("Time", "StartTime"))
		call := b.Get("DialInfo", "Calls", "Call")
		h := held{id: b.Value("Id"), number: call.Value("Number"), start: start}
		h.sum = strings.Join([]string{h.id, b.Value("Title"), b.Value("Privacy"), b.Value("Time", "StartTime"), b.Value("Time", "EndTime"),
			b.Value("Time", "StartTimeBuffer"), b.Value("Time", "EndTimeBuffer"), h.number, call.Value("Protocol")}, "\x00")
		list = append(list, h)
	}
	return list, total
}

// sumOf is the same for the same bookings, in any order.
func sumOf(list []held) [32]byte {
	lines := make([]string, len(list))
	for i := range list {
		lines[i] = list[i].sum
	}
	slices.Sort(lines)
	return sha256.Sum256([]byte(strings.Join(lines, "\x01")))
}
