package polytest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Panel returns the room's screen at a time as text, in UTC: the meetings that
// are not over, with a button for those that run or start within 5 minutes.
func (d *Device) Panel(at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", d.opts.Name, at.UTC().Format("Mon 2006-01-02 15:04"))
	lines := d.lines(at)
	if len(lines) == 0 {
		b.WriteString("  no meetings\n")
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "  %s  %s", l.When, l.Title)
		if l.Organizer != "" && l.Organizer != l.Title {
			fmt.Fprintf(&b, " (%s)", l.Organizer)
		}
		if l.Button {
			b.WriteString("  [ Join ]")
		}
		b.WriteString("\n")
	}
	return b.String()
}

type line struct {
	When, Title, Organizer string
	Button                 bool
}

func (d *Device) lines(at time.Time) (out []line) {
	for _, i := range d.Items() {
		if i.End.After(at) {
			out = append(out, line{i.Start.UTC().Format("Mon 15:04") + "-" + i.End.UTC().Format("15:04"), i.Subject, i.Organizer,
				i.Dial != "" && !at.Before(i.Start.Add(-5*time.Minute))})
		}
	}
	return out
}

var panelPage = template.Must(template.New("panel").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>{{.Name}}</title>
<style>body{font:18px/1.5 system-ui,sans-serif;background:#1b1b1f;color:#eee;max-width:44rem;margin:2rem auto}
li{list-style:none;padding:.7rem 1rem;margin:.5rem 0;background:#2a2a31;border-radius:.6rem;display:flex;gap:1rem;align-items:center}
li span{flex:1}b{background:#0a84c6;padding:.3rem 1.2rem;border-radius:2rem}small{color:#aab}</style>
<h1>{{.Name}}</h1><p>{{.Now}}</p><ul>{{range .Lines}}
<li><small>{{.When}}</small><span>{{.Title}}<br><small>{{.Organizer}}</small></span>{{if .Button}}<b>Join</b>{{end}}</li>{{else}}
<li>No meetings</li>{{end}}</ul></html>
`))

// ServeHTTP shows the panel at / and answers the REST interface of VideoOS and
// Group devices below /rest/, as far as a calendar needs it.
func (d *Device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Replace(r.URL.Path, "/rest/current/", "/rest/", 1)
	if path == "/" {
		now := time.Now()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = panelPage.Execute(w, map[string]any{"Name": d.opts.Name, "Now": now.UTC().Format("Mon 2006-01-02 15:04 MST"), "Lines": d.lines(now)})
		return
	}
	if r.Method == http.MethodPost && path == "/rest/session" {
		d.login(w, r)
		return
	}
	cookie, err := r.Cookie("session_id")
	d.mu.Lock()
	known := err == nil && d.sessions[cookie.Value]
	d.mu.Unlock()
	switch {
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodPost && path == "/rest/config":
		d.config(w, r)
	case r.Method == http.MethodGet && path == "/rest/calendar":
		reply(w, map[string]string{"status": d.state()})
	case r.Method == http.MethodGet && path == "/rest/system":
		reply(w, map[string]string{"serialNumber": "SIMULATED", "softwareVersion": "4.2.0-simulated", "systemName": d.opts.Name})
	case r.Method == http.MethodGet && path == "/rest/system/status":
		reply(w, []map[string]any{
			{"name": "system.status.globaldirectory", "langtag": "GLOBAL_DIRECTORY", "stateList": []string{"off"}},
			{"name": "system.status.calendar", "langtag": "CALENDAR_SERVICE_HEADING", "stateList": []string{d.state()}},
		})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (d *Device) state() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.settings["enabled"] != "true":
		return "off"
	case d.failure != nil || d.polls == 0:
		return "down"
	}
	return "up"
}

func (d *Device) login(w http.ResponseWriter, r *http.Request) {
	var q struct{ Action, User, Password string }
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&q) != nil || q.Action != "Login" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if q.User != "admin" || q.Password != d.opts.Admin || d.opts.Admin == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	id := "PS6" + rand.Text()
	d.mu.Lock()
	d.sessions[id] = true
	d.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "session_id", Value: id, Path: "/", Secure: true, HttpOnly: true})
	reply(w, map[string]any{"success": true, "session": map[string]string{"sessionId": id, "role": "ADMIN"},
		"loginStatus": map[string]string{"loginResult": "NOLOCKOUT"}})
}

// names are the settings as REST knows them.
func (d *Device) names() map[string]string {
	if d.opts.Exchange {
		return map[string]string{"exchange.enable": "enabled", "exchange.server.url": "server", "exchange.auth.userName": "user",
			"exchange.auth.password": "password", "exchange.auth.domain": "domain", "exchange.auth.email": "mailbox"}
	}
	return map[string]string{"cal.enabled": "enabled", "cal.ews.server": "server", "cal.ews.username": "user",
		"cal.ews.password": "password", "cal.ews.domain": "domain", "cal.ews.mailbox": "mailbox"}
}

func (d *Device) config(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Names []string
		Vars  []struct{ Name, Value string }
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&q) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	names := d.names()
	vars := []map[string]string{}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range q.Names {
		v := map[string]string{"name": n, "result": "NOERROR", "value": d.settings[names[n]]}
		if names[n] == "" {
			v["result"] = "ERROR_NAME"
		} else if strings.HasSuffix(n, "password") {
			v["value"] = ""
		}
		vars = append(vars, v)
	}
	for _, s := range q.Vars {
		v := map[string]string{"name": s.Name, "requestedValue": s.Value, "result": "NOERROR"}
		if names[s.Name] == "" {
			v["result"] = "ERROR_NAME"
		} else {
			d.settings[names[s.Name]] = s.Value
		}
		vars = append(vars, v)
	}
	reply(w, map[string]any{"vars": slices.Clip(vars), "rebootNeeded": false})
}

func (d *Device) setting(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings[name]
}
