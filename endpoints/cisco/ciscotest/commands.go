package ciscotest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

// result is the outcome of a command.
type result struct {
	name   string // of the element: "BookingsPutResult"
	status string // "OK", "Error", "ParameterError"
	reason string
	xpath  string
	denied bool // the role does not allow it
	kids   []*roomos.Node
}

func failed(name, status, format string, args ...any) result {
	return result{name: name, status: status, reason: fmt.Sprintf(format, args...)}
}

// arguments are those of a command. A name may come several times.
type arguments map[string][]string

func (a arguments) get(name string) string {
	if v := a[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (a arguments) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(a.get(name)); err == nil {
		return n
	}
	return otherwise
}

// run executes a command, by the rules of the device's version and mode.
func (d *Device) run(role Role, path []string, args arguments, body string) result {
	name := strings.Join(path, " ")
	d.mu.Lock()
	version, teams, fault := d.version, d.teams, d.fault
	d.mu.Unlock()
	cmd, ok := roomos.Find(name)
	if !ok || !cmd.In(version) {
		return result{name: "Result", status: "Error", reason: "Unknown command", xpath: "/" + strings.Join(path, "/")}
	}
	element := strings.Join(path[max(0, len(path)-2):], "") + "Result"
	if role != Admin && !cmd.User {
		return result{name: element, status: "Error", reason: "Permission denied", denied: true}
	}
	if teams && cmd.NotInTeams {
		return failed(element, "Error", "Command is not available in the current state (MicrosoftTeamsInstalled)")
	}
	if err := checkArguments(cmd, args, version); err != nil {
		return failed(element, "ParameterError", "%v", err)
	}
	switch name {
	case "Bookings Put":
		switch fault {
		case FaultRefuse:
			return failed(element, "Error", "Could not store the bookings")
		case FaultParameter:
			return failed(element, "ParameterError", "Number: not valid")
		case FaultEcho:
			return failed(element, "Error", "Invalid: %s", body)
		}
		return d.put(element, body, version)
	case "Bookings Clear":
		d.replace(nil)
	case "Bookings List":
		return d.list(element, args, version)
	case "Bookings Get", "Bookings Delete":
		return d.one(element, cmd.Name, args, version)
	case "Bookings Book":
		d.book(args)
	case "HttpFeedback Register":
		d.register(args)
	case "HttpFeedback Enable":
		d.mu.Lock()
		if w := d.webhooks[args.number("FeedbackSlot", 0)]; w != nil {
			w.state = "OK"
		}
		d.mu.Unlock()
	case "HttpFeedback Deregister":
		d.mu.Lock()
		delete(d.webhooks, args.number("FeedbackSlot", 0))
		d.mu.Unlock()
	case "Macros Macro Save":
		d.mu.Lock()
		d.macros[args.get("Name")] = body
		d.mu.Unlock()
	}
	return result{name: element, status: "OK"}
}

func checkArguments(cmd *roomos.Command, args arguments, v roomos.Version) error {
	for name, values := range args {
		i := slices.IndexFunc(cmd.Params, func(p roomos.Param) bool { return p.Name == name })
		if i < 0 {
			return &paramError{name, "unknown"}
		}
		p := cmd.Params[i]
		for _, x := range values {
			if p.Number {
				n, err := strconv.Atoi(x)
				if err != nil || n < p.Min || p.Max > 0 && n > p.Max {
					return &paramError{name, "not a number within its bounds"}
				}
			} else if p.Max > 0 && len(x) > p.Max {
				return &paramError{name, "too long"}
			}
			if len(p.Values) > 0 && !roomos.Allows(p.Values, x, v) {
				return &paramError{name, "not one of its values"}
			}
		}
	}
	for _, p := range cmd.Params {
		if p.Required && len(args[p.Name]) == 0 {
			return &paramError{p.Name, "missing"}
		}
	}
	return nil
}

func (d *Device) put(element, body string, v roomos.Version) result {
	bookings, unknown, err := parsePut(body, v)
	d.mu.Lock()
	for _, k := range unknown {
		if !slices.Contains(d.stats.Unknown, k) {
			d.stats.Unknown = append(d.stats.Unknown, k)
		}
	}
	d.mu.Unlock()
	if err != nil {
		var p *paramError
		if errors.As(err, &p) {
			return failed(element, "ParameterError", "%v", err)
		}
		return failed(element, "Error", "%v", err)
	}
	if d.opts.Capacity > 0 && len(bookings) > d.opts.Capacity {
		return failed(element, "Error", "Too many bookings")
	}
	d.replace(bookings)
	return result{name: element, status: "OK"}
}

// replace makes bookings the list.
func (d *Device) replace(bookings []Booking) {
	d.mu.Lock()
	d.bookings = bookings
	d.updated = d.now()
	d.stats.Puts++
	d.mu.Unlock()
	d.publish("Event/Bookings/Updated", "")
}

func (d *Device) list(element string, args arguments, v roomos.Version) result {
	d.mu.Lock()
	bookings, updated, now := slices.Clone(d.bookings), d.updated, d.now()
	d.mu.Unlock()
	slices.SortStableFunc(bookings, func(a, b Booking) int { return a.Start.Compare(b.Start) })
	if len(args["Days"])+len(args["DayOffset"]) > 0 {
		from := now.Truncate(24*time.Hour).AddDate(0, 0, args.number("DayOffset", 0))
		to := from.AddDate(0, 0, args.number("Days", 1))
		bookings = slices.DeleteFunc(bookings, func(b Booking) bool { return !b.End.After(from) || !b.Start.Before(to) })
	}
	total := len(bookings)
	bookings = bookings[min(args.number("Offset", 0), total):]
	if limit := args.number("Limit", total); limit < len(bookings) {
		bookings = bookings[:limit]
	}
	r := result{name: element, status: "OK", kids: []*roomos.Node{
		{Name: "ResultInfo", Kids: []*roomos.Node{{Name: "TotalRows", Text: strconv.Itoa(total)}}},
		{Name: "LastUpdated", Text: updated.Format(time.RFC3339)},
	}}
	for i := range bookings {
		r.kids = append(r.kids, bookings[i].node(v))
	}
	return r
}

func (d *Device) one(element, command string, args arguments, v roomos.Version) result {
	id := cmp.Or(args.get("Id"), args.get("MeetingId"))
	d.mu.Lock()
	i := slices.IndexFunc(d.bookings, func(b Booking) bool { return b.ID == id || b.MeetingID != "" && b.MeetingID == id })
	if i < 0 {
		d.mu.Unlock()
		return failed(element, "Error", "No such booking")
	}
	b := d.bookings[i]
	if command == "Bookings Delete" {
		d.bookings = slices.Delete(slices.Clone(d.bookings), i, i+1)
		d.mu.Unlock()
		d.publish("Event/Bookings/Deleted/Id", b.ID)
		return result{name: element, status: "OK"}
	}
	d.mu.Unlock()
	return result{name: element, status: "OK", kids: []*roomos.Node{b.node(v)}}
}

// book adds a booking as a person at the panel does.
func (d *Device) book(args arguments) {
	d.mu.Lock()
	start, err := time.Parse(time.RFC3339, args.get("StartTime"))
	if err != nil {
		start = d.now()
	}
	b := Booking{
		ID: "adhoc-" + hash(args.get("BookingRequestUUID") + start.String())[:12], Title: args.get("Title"),
		Start: start, End: start.Add(time.Duration(args.number("Duration", 30)) * time.Minute),
		Number: args.get("Number"), Protocol: args.get("Protocol"), OrganizerEmail: args.get("OrganizerEmail"),
	}
	b.OrganizerFirst, b.OrganizerLast, _ = strings.Cut(args.get("OrganizerName"), " ")
	d.bookings = append(slices.Clone(d.bookings), b)
	d.mu.Unlock()
	d.publish("Event/Bookings/Updated", "")
}

// setConfig is a change of the configuration over the API.
func (d *Device) setConfig(role Role, path []string, value string) result {
	key := strings.Join(path, "/")
	d.mu.Lock()
	_, ok := d.config[key]
	known := ok || strings.HasPrefix(key, "Provisioning/") || strings.HasPrefix(key, "HttpClient/") || strings.HasPrefix(key, "Bookings/")
	d.mu.Unlock()
	switch {
	case role != Admin:
		return result{status: "Error", reason: "Permission denied", denied: true}
	case !known:
		return result{status: "Error", reason: "No match on address expression.", xpath: "Configuration/" + key}
	}
	d.SetConfig(key, value)
	return result{status: "OK"}
}

// Put gives the device a list of bookings as a program on the device itself
// does: body is that of Bookings Put.
func (d *Device) Put(body string) error {
	if r := d.run(Admin, []string{"Bookings", "Put"}, nil, body); r.status != "OK" {
		return fmt.Errorf("Bookings Put: %s: %s", r.status, r.reason)
	}
	return nil
}
