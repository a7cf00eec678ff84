package ciscotest

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// Panel returns the room's screen at a time as text, in UTC.
func (d *Device) Panel(at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", d.opts.Name, at.UTC().Format("Mon 2006-01-02 15:04"))
	screen := d.Screen(at)
	if len(screen) == 0 {
		b.WriteString("  no meetings\n")
	}
	for _, e := range screen {
		fmt.Fprintf(&b, "  %s-%s  %s", e.Start.Format("Mon 15:04"), e.End.Format("15:04"), e.Title)
		if o := e.Organizer(); o != "" && o != e.Title {
			fmt.Fprintf(&b, " (%s)", o)
		}
		b.WriteString("  " + e.label() + "\n")
	}
	return b.String()
}

// label is what stands where the button is.
func (e *Entry) label() string {
	in := "now"
	if e.Countdown > 0 {
		in = "in " + e.Countdown.Round(time.Minute).String()
		in = strings.TrimSuffix(in, "0s")
	}
	switch {
	case e.Button:
		return "[ Join ] " + in
	case e.Joinable():
		return "joinable " + in
	}
	return in
}

var panelPage = template.Must(template.New("panel").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>{{.Name}}</title>
<style>body{font:18px/1.5 system-ui,sans-serif;background:#10161d;color:#e8eef4;max-width:44rem;margin:2rem auto}
li{list-style:none;padding:.7rem 1rem;margin:.5rem 0;background:#1b2530;border-radius:.6rem;display:flex;gap:1rem;align-items:center}
li span{flex:1}b{background:#1f9d57;padding:.3rem 1.2rem;border-radius:2rem}small{color:#9fb0c0}</style>
<h1>{{.Name}}</h1><p>{{.Now}}</p><ul>{{range .Lines}}
<li><small>{{.When}}</small><span>{{.Title}}<br><small>{{.Organizer}}</small></span>{{if .Button}}<b>Join</b>{{end}}<small>{{.In}}</small></li>{{else}}
<li>No meetings</li>{{end}}</ul></html>
`))

func (d *Device) panel(w http.ResponseWriter, _ *http.Request) {
	type line struct {
		When, Title, Organizer, In string
		Button                     bool
	}
	now := d.Now()
	var lines []line
	for _, e := range d.Screen(now) {
		lines = append(lines, line{e.Start.Format("Mon 15:04") + "-" + e.End.Format("15:04"), e.Title, e.Organizer(),
			strings.TrimPrefix(e.label(), "[ Join ] "), e.Button})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	panelPage.Execute(w, map[string]any{"Name": d.opts.Name, "Now": now.Format("Mon 2006-01-02 15:04 MST"), "Lines": lines}) //nolint:errcheck // the visitor is gone
}
