package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/internal/office"
	"github.com/onetouchjoin/onetouchjoin/otj"
)

// demoWait is how long the demo waits for its devices.
const demoWait = 20 * time.Second

// demo shows the whole path on simulated devices.
func demo(ctx context.Context, args []string, std stdio) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print one JSON object for each room")
	path := flags.String("ics", "", "show your calendars: an iCalendar `FILE`, or a folder with some")
	rest, status, ok := parse(flags, args, std)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return std.fail(wrong, "demo: unexpected %q; your calendars are given by --ics", rest[0])
	}
	given := false
	flags.Visit(func(f *flag.Flag) { given = given || f.Name == "ics" })
	if given && *path == "" {
		return std.fail(wrong, "demo: --ics names no file or folder")
	}
	temp, err := os.MkdirTemp("", "otj-demo-")
	if err != nil {
		return std.fail(no, "demo: %v", err)
	}
	defer os.RemoveAll(temp)
	var rooms []*demoRoom
	if *path != "" {
		rooms, err = demoRoomsOf(*path, std)
	} else {
		rooms, err = demoOffice(temp, time.Now())
	}
	if err == nil {
		err = runDemo(ctx, rooms)
	}
	if err != nil {
		return std.fail(no, "demo: %v", err)
	}
	status = done
	for _, r := range rooms {
		for _, problem := range r.problems {
			status = std.fail(no, "demo: room %s: %s", r.name, problem)
		}
		if *asJSON {
			err = r.printJSON(std.out)
		} else {
			err = r.print(std.out, time.Now())
		}
		if err != nil {
			return std.fail(no, "demo: %v", err)
		}
	}
	return status
}

// demoRoom is a room of the demo and what came of it.
type demoRoom struct {
	name     string
	source   otj.Source
	settings otj.Settings
	kind     string // of the device; empty is "cisco"

	device   *demoDevice
	report   otj.Report
	shown    []otj.Meeting // as the device has it
	problems []string
}

// demoDevice is a simulated device.
type demoDevice struct {
	kind     string // "cisco", "poly" or "feed"
	endpoint otj.Endpoint
	// shown reads the device back, by its own interface.
	shown func(context.Context) ([]otj.Meeting, error)
	close func()
}

// demoKinds are the devices of the office, by the room.
var demoKinds = map[string]string{"Atrium": "poly", "Summit": "feed"}

// demoOffice writes the office's calendars to dir, so that they are read as any
// other file is.
func demoOffice(dir string, now time.Time) ([]*demoRoom, error) {
	folder := ics.NewFolder(dir, nil)
	var out []*demoRoom
	for _, r := range office.Rooms(now) {
		if err := os.WriteFile(filepath.Join(dir, r.Mailbox+".ics"), []byte(r.Calendar), 0o600); err != nil {
			return nil, err
		}
		out = append(out, &demoRoom{name: r.Name, source: otj.Source{Provider: folder, Mailbox: r.Mailbox}, settings: r.Settings, kind: demoKinds[r.Name]})
	}
	return out, nil
}

// maxDemoRooms keeps the demo small: a device is simulated for each room.
const maxDemoRooms = 20

// demoRoomsOf makes a room of each iCalendar file at path.
func demoRoomsOf(path string, std stdio) ([]*demoRoom, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		files = nil
		for _, e := range entries {
			if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".ics") {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("there is no .ics file in %s", path)
		}
		if len(files) > maxDemoRooms {
			fmt.Fprintf(std.err, "otj: demo: %s has %d calendars; these are the first %d\n", path, len(files), maxDemoRooms)
			files = files[:maxDemoRooms]
		}
	}
	var out []*demoRoom
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		out = append(out, &demoRoom{name: name, source: otj.Source{Provider: ics.NewFile(f, nil)}, settings: otj.DefaultSettings()})
	}
	return out, nil
}

// runDemo runs a service over the rooms until each device shows what it should,
// or has failed to, and reads the devices back.
func runDemo(ctx context.Context, rooms []*demoRoom) error {
	defer func() {
		for _, r := range rooms {
			if r.device != nil {
				r.device.close()
			}
		}
	}()
	byName := map[string]*demoRoom{}
	list := make([]otj.Room, len(rooms))
	for i, r := range rooms {
		var err error
		if r.device, err = newDemoDevice(r.kind, r.name); err != nil {
			return err
		}
		byName[r.name] = r
		list[i] = otj.Room{Name: r.name, Sources: []otj.Source{r.source}, Endpoint: r.device.endpoint, Settings: &r.settings, TimeZone: time.Local}
	}
	var mu sync.Mutex
	svc, err := otj.New(list, &otj.Options{OnReport: func(room string, report otj.Report) {
		mu.Lock()
		defer mu.Unlock()
		byName[room].report = report
	}})
	if err != nil {
		return err
	}
	sctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- svc.Run(sctx) }()
	status := waitForRooms(ctx, svc)
	cancel()
	if err := <-done; err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, st := range status.Rooms {
		r := byName[st.Name]
		for _, a := range st.Alarms {
			r.problems = append(r.problems, a.Text)
		}
		if !st.UpToDate && len(st.Alarms) == 0 {
			r.problems = append(r.problems, "the device did not take its meetings in time")
		}
		rctx, stop := context.WithTimeout(ctx, demoWait)
		r.shown, err = r.device.shown(rctx)
		stop()
		if err != nil {
			return fmt.Errorf("read the device of %s back: %w", r.name, err)
		}
	}
	return nil
}

// waitForRooms waits until every room is up to date or has an alarm.
func waitForRooms(ctx context.Context, svc *otj.Service) otj.Status {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		status := svc.Status()
		if !slices.ContainsFunc(status.Rooms, func(r otj.RoomStatus) bool { return !r.UpToDate && len(r.Alarms) == 0 }) {
			return status
		}
		select {
		case <-ctx.Done():
			return status
		case <-tick.C:
		}
	}
}

// shownMeeting is a booking that was read back, and what decided about it.
type shownMeeting struct {
	Title   string    `json:"title"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Service string    `json:"service"`
	Dial    string    `json:"dial"`
	Rule    string    `json:"rule"`
	Button  bool      `json:"button"`

	private bool
	why     string // there is no button
}

// meetings joins what the device shows with the report, by the booking's ID.
func (r *demoRoom) meetings() []shownMeeting {
	out := []shownMeeting{}
	for _, m := range r.shown {
		s := shownMeeting{Title: m.Title, Start: m.Start.UTC(), End: m.End.UTC(), Dial: m.Join.URI, Button: !m.Join.IsZero(), private: m.Private}
		for _, p := range r.report.Meetings {
			if p.ID == m.ID {
				s.Service, s.Rule = p.Service, p.Rule
			}
		}
		for _, n := range r.report.NoButton {
			if n.ID == m.ID {
				s.why = n.Text
			}
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b shownMeeting) int { return a.Start.Compare(b.Start) })
	return out
}

func (r *demoRoom) printJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Room     string         `json:"room"`
		Endpoint string         `json:"endpoint"`
		Meetings []shownMeeting `json:"meetings"`
	}{r.name, r.device.kind, r.meetings()})
}

func (r *demoRoom) print(w io.Writer, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", r.name, r.device.kind)
	all := r.meetings()
	if len(all) == 0 {
		fmt.Fprintf(&b, "  no meetings in the next %d days\n", r.settings.DaysAhead)
	}
	for _, m := range all {
		title := m.Title
		if m.private {
			title += " (private)"
		}
		button := "[ Join ]"
		if !m.Button {
			button = "        "
		}
		fmt.Fprintf(&b, "  %s  %s  %s\n", times(m.Start, m.End, now), button, title)
		indent := strings.Repeat(" ", 36)
		switch {
		case m.Button:
			fmt.Fprintf(&b, "%s%s\n%s%s, found by rule %s\n", indent, m.Dial, indent, m.Service, m.Rule)
		case m.why != "":
			fmt.Fprintf(&b, "%sno button: %s\n", indent, m.why)
		}
	}
	skipped := map[otj.Reason]int{}
	for _, n := range r.report.Skipped {
		skipped[n.Reason]++
	}
	var reasons []string
	for reason, n := range skipped {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	if slices.Sort(reasons); len(reasons) > 0 {
		fmt.Fprintf(&b, "  not on the screen: %s\n", strings.Join(reasons, ", "))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// times are those of a meeting in the zone of this machine, in 21 columns.
func times(start, end, now time.Time) string {
	start, end = start.Local(), end.Local()
	day := start.Format("Mon 02 Jan")
	if start.Format(time.DateOnly) == now.Format(time.DateOnly) {
		day = "today"
	}
	return fmt.Sprintf("%-10s %s-%s", day, start.Format("15:04"), end.Format("15:04"))
}
