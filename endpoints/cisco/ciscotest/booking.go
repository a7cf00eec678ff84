package ciscotest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// Booking is a meeting as a device has it.
type Booking struct {
	ID, MeetingID, Title, Agenda string
	// The organizer's name comes in two parts: devices split it at a space.
	OrganizerFirst, OrganizerLast, OrganizerEmail, OrganizerID string

	Start, End             time.Time
	StartBuffer, EndBuffer time.Duration
	Private                bool

	// Number is what the device dials; empty if there is no button. Protocol is
	// as in "SIP" or "WebRTC".
	Number, Protocol, Platform string
	CallType, Encryption       string
	MetaInfo                   string
}

// Organizer is the organizer's name.
func (b *Booking) Organizer() string {
	if b.OrganizerLast == "" {
		return b.OrganizerFirst
	}
	return b.OrganizerFirst + " " + b.OrganizerLast
}

// Joinable reports whether the booking can be dialled, whatever the hour.
func (b *Booking) Joinable() bool { return b.Number != "" && b.Protocol != "None" }

// Entry is a line on the room's screen.
type Entry struct {
	Booking
	// Button says that the Join button is there at the hour of the screen.
	Button bool
	// Countdown is the time until the meeting starts; negative once it has.
	Countdown time.Duration
}

// Screen returns what the room sees at a time: the meetings that have not
// ended, by start.
func (d *Device) Screen(at time.Time) []Entry {
	var out []Entry
	for _, b := range d.Bookings() {
		if !b.End.Add(b.EndBuffer).After(at) {
			continue
		}
		out = append(out, Entry{
			Booking:   b,
			Button:    b.Joinable() && !at.Before(b.Start.Add(-b.StartBuffer)),
			Countdown: b.Start.Sub(at),
		})
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return out
}

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// putBody is what the body of Bookings Put may have.
type putBody struct {
	Bookings []json.RawMessage
}

var knownKeys = map[string]bool{
	"Id": true, "MeetingId": true, "Title": true, "Agenda": true, "Number": true, "Protocol": true, "MeetingPlatform": true,
	"Organizer": true, "Time": true, "Privacy": true, "CallType": true, "Encryption": true, "MetaInfo": true,
	"Organizer.Name": true, "Organizer.Email": true, "Organizer.Id": true,
	"Time.StartTime": true, "Time.Duration": true, "Time.StartTimeBuffer": true, "Time.EndTimeBuffer": true,
}

// paramError says which parameter of a command is refused.
type paramError struct{ name, why string }

func (e *paramError) Error() string { return e.name + ": " + e.why }

// parsePut reads the body of Bookings Put by the rules of version v. It returns
// the keys that are not documented.
func parsePut(body string, v roomos.Version) (out []Booking, unknown []string, err error) {
	var p putBody
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return nil, nil, &paramError{"body", "no JSON: " + err.Error()}
	}
	if p.Bookings == nil {
		return nil, nil, &paramError{"Bookings", "missing"}
	}
	seen := map[string]bool{}
	for _, raw := range p.Bookings {
		fields := map[string]string{}
		n, err := roomos.ParseJSON("Booking", raw)
		if err != nil {
			return nil, nil, &paramError{"Bookings", err.Error()}
		}
		for _, k := range n.Kids {
			if !knownKeys[k.Name] {
				unknown = append(unknown, k.Name)
			}
			fields[k.Name] = k.Text
			for _, kk := range k.Kids {
				name := k.Name + "." + kk.Name
				if !knownKeys[name] {
					unknown = append(unknown, name)
				}
				fields[name] = kk.Text
			}
		}
		b, err := newBooking(fields, v)
		if err != nil {
			return nil, unknown, err
		}
		if seen[b.ID] {
			return nil, unknown, &paramError{"Id", "twice in the list"}
		}
		seen[b.ID] = true
		out = append(out, b)
	}
	return out, unknown, nil
}

func newBooking(f map[string]string, v roomos.Version) (Booking, error) {
	for _, name := range []string{"Id", "Title", "Number", "Protocol", "Organizer.Name", "Time.StartTime", "Time.Duration"} {
		if _, ok := f[name]; !ok {
			return Booking{}, &paramError{name, "missing"}
		}
	}
	if f["Id"] == "" || len(f["Id"]) > 128 {
		return Booking{}, &paramError{"Id", "must have 1 to 128 characters"}
	}
	if !roomos.Allows(roomos.Protocols, f["Protocol"], v) {
		return Booking{}, &paramError{"Protocol", fmt.Sprintf("%q is not one of this version", f["Protocol"])}
	}
	if p, ok := f["MeetingPlatform"]; ok && !roomos.Allows(roomos.Platforms, p, v) {
		return Booking{}, &paramError{"MeetingPlatform", fmt.Sprintf("%q is not one of this version", p)}
	}
	for name, values := range map[string][2]string{"Privacy": {"Private", "Public"}, "CallType": {"Audio", "Video"}, "Encryption": {"On", "Off"}} {
		if x, ok := f[name]; ok && x != values[0] && x != values[1] {
			return Booking{}, &paramError{name, "not one of its values"}
		}
	}
	start, err := time.Parse("2006-01-02T15:04:05Z", f["Time.StartTime"])
	if err != nil {
		return Booking{}, &paramError{"Time.StartTime", "not of the form 2006-01-02T15:04:05Z"}
	}
	minutes, err := strconv.Atoi(f["Time.Duration"])
	if err != nil || minutes < 1 {
		return Booking{}, &paramError{"Time.Duration", "not a number of minutes"}
	}
	b := Booking{
		ID: f["Id"], MeetingID: f["MeetingId"], Title: f["Title"], Agenda: f["Agenda"],
		OrganizerEmail: f["Organizer.Email"], OrganizerID: f["Organizer.Id"],
		Start: start, End: start.Add(time.Duration(minutes) * time.Minute), Private: f["Privacy"] == "Private",
		Number: f["Number"], Protocol: f["Protocol"], Platform: f["MeetingPlatform"],
		CallType: f["CallType"], Encryption: f["Encryption"], MetaInfo: f["MetaInfo"],
	}
	b.OrganizerFirst, b.OrganizerLast, _ = strings.Cut(f["Organizer.Name"], " ")
	for name, to := range map[string]*time.Duration{"Time.StartTimeBuffer": &b.StartBuffer, "Time.EndTimeBuffer": &b.EndBuffer} {
		if s, ok := f[name]; ok {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return Booking{}, &paramError{name, "not a number of seconds"}
			}
			*to = time.Duration(n) * time.Second
		}
	}
	return b, nil
}

// parseLegacy reads the tree of /bookingsputxml and of an External Manager.
func parseLegacy(root *roomos.Node) ([]Booking, error) {
	if root.Name != "Bookings" {
		return nil, fmt.Errorf("the root is <%s>, not <Bookings>", root.Name)
	}
	var out []Booking
	for _, n := range root.All("Booking") {
		b := Booking{
			ID: n.Value("Id"), Title: n.Value("Title"), Agenda: n.Value("Agenda"), Private: n.Value("Privacy") == "Private",
			OrganizerFirst: n.Value("Organizer", "FirstName"), OrganizerLast: n.Value("Organizer", "LastName"),
			OrganizerEmail: n.Value("Organizer", "Email"),
		}
		if b.ID == "" {
			return nil, fmt.Errorf("a booking has no Id")
		}
		var err error
		if b.Start, err = time.Parse(time.RFC3339, n.Value("Time", "StartTime")); err != nil {
			return nil, fmt.Errorf("booking %s: StartTime: %w", b.ID, err)
		}
		if b.End, err = time.Parse(time.RFC3339, n.Value("Time", "EndTime")); err != nil {
			return nil, fmt.Errorf("booking %s: EndTime: %w", b.ID, err)
		}
		for name, to := range map[string]*time.Duration{"StartTimeBuffer": &b.StartBuffer, "EndTimeBuffer": &b.EndBuffer} {
			if s := n.Value("Time", name); s != "" {
				x, err := strconv.Atoi(s)
				if err != nil {
					return nil, fmt.Errorf("booking %s: %s: %w", b.ID, name, err)
				}
				*to = time.Duration(x) * time.Second
			}
		}
		if call := n.Get("DialInfo", "Calls", "Call"); call != nil && n.Value("DialInfo", "ConnectMode") == "OBTP" {
			b.Number, b.Protocol, b.CallType = call.Value("Number"), call.Value("Protocol"), call.Value("CallType")
		}
		out = append(out, b)
	}
	return out, nil
}

// node returns the booking as Bookings List has it.
func (b *Booking) node(v roomos.Version) *roomos.Node {
	text := func(name, value string) *roomos.Node { return &roomos.Node{Name: name, Text: value} }
	group := func(name string, kids ...*roomos.Node) *roomos.Node { return &roomos.Node{Name: name, Kids: kids} }
	privacy := "Public"
	if b.Private {
		privacy = "Private"
	}
	dial := group("DialInfo", text("ConnectMode", "Manual"))
	if b.Joinable() {
		call := group("Call", text("Number", b.Number), text("Protocol", b.Protocol), text("CallRate", "6000"), text("CallType", cmp.Or(b.CallType, "Video")))
		dial = group("DialInfo", group("Calls", call), text("ConnectMode", "OBTP"))
	}
	n := group("Booking",
		text("Id", b.ID), text("MeetingId", cmp.Or(b.MeetingID, b.ID)), text("Title", b.Title), text("Agenda", b.Agenda), text("Privacy", privacy),
		group("Organizer", text("FirstName", b.OrganizerFirst), text("LastName", b.OrganizerLast), text("Email", b.OrganizerEmail), text("Id", b.OrganizerID)),
		group("Time",
			text("StartTime", b.Start.Format(time.RFC3339)), text("StartTimeBuffer", seconds(b.StartBuffer)),
			text("EndTime", b.End.Format(time.RFC3339)), text("EndTimeBuffer", seconds(b.EndBuffer))),
		text("MaximumMeetingExtension", "30"), text("BookingStatus", "OK"), text("BookingStatusMessage", ""),
		group("Webex", text("Enabled", "False"), text("Url", ""), text("MeetingNumber", "")),
		text("Encryption", "BestEffort"), text("Role", "Master"), text("Recording", "Disabled"), dial)
	if v.AtLeast(10, 0) && b.Platform != "" {
		n.Kids = append(n.Kids, text("MeetingPlatform", b.Platform))
	}
	return n
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
