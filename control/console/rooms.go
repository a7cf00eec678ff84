package console

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// findingBadges are the colours of results.
var findingBadges = map[readiness.Result]string{readiness.Fail: "bad", readiness.Warn: "warn", readiness.Unknown: "off", readiness.Pass: "good"}

func findingBadge(r readiness.Result) badge {
	return badge{findingBadges[r], text("readiness.result." + string(r))}
}

// roomPage is a room right now.
type roomPage struct {
	control.SystemLive
	Now      time.Time
	Findings []readiness.Finding // of a check that was just made
	Checked  bool
}

// Trouble is the error of the last attempt, where no alarm says it already.
func (p roomPage) Trouble() string {
	if slices.ContainsFunc(p.Alarms, func(a otj.Alarm) bool { return strings.Contains(a.Text, p.Error) }) {
		return ""
	}
	return p.Error
}

// Screens are the meetings of the screen as it is now.
func (p roomPage) Screens() []screenRow { return screenRows(p.Screen, p.Now) }

// screenRow is a meeting on a screen.
type screenRow struct {
	control.ScreenMeeting
	// Open says that the button can be pressed now, Running that the meeting runs.
	Open, Running bool
	// When and From are times as they are shown; where they are empty, those of
	// the meeting are, in the browser's zone.
	When, From string
}

const day = 24 * time.Hour

func screenRows(list []control.ScreenMeeting, now time.Time) []screenRow {
	var out []screenRow
	for _, m := range list {
		if !m.JoinUntil.After(now) && !m.End.After(now) {
			continue // it is over
		}
		out = append(out, screenRow{
			ScreenMeeting: m, Running: !m.Start.After(now) && m.End.After(now),
			Open: m.Button && !m.JoinFrom.After(now) && m.JoinUntil.After(now),
		})
	}
	return out
}

// findRoom returns a system of the organization of the page.
func (c *Console) findRoom(r *request) (control.SystemLive, error) {
	v, err := c.centre.SystemLive(r.Context(), r.actor, r.PathValue("id"))
	if err != nil {
		return v, err
	}
	return v, r.ofOrg(v.System.Company, nil)
}

func (c *Console) room(r *request) error {
	v, err := c.findRoom(r)
	if err != nil {
		return err
	}
	return c.showRoom(r, roomPage{SystemLive: v}, newForm("minutes", "10"))
}

func (c *Console) showRoom(r *request, p roomPage, f *form) error {
	p.Now = time.Now()
	return r.show(page{Template: "room", Title: p.System.Name, Crumbs: []crumb{{text("menu.overview"), r.path()}}, Form: f, Data: p})
}

func (c *Console) wakeRoom(r *request) error {
	v, err := c.findRoom(r)
	if err != nil {
		return err
	}
	f := newForm("minutes", "10")
	switch err := c.centre.Wake(r.Context(), r.actor, v.System.ID); {
	case c.unserved(f, err):
		return c.showRoom(r, roomPage{SystemLive: v}, f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("rooms", v.System.ID), "rooms.woken")
}

// unserved takes an error that is about the service and no field of the form.
func (c *Console) unserved(f *form, err error) bool {
	if errors.Is(err, control.ErrNoService) {
		f.wrong("", text("rooms.noservice"))
		return true
	}
	if f.failed(err, "") {
		f.about("")
		return true
	}
	return false
}

func (c *Console) testRoom(r *request) error {
	v, err := c.findRoom(r)
	if err != nil {
		return err
	}
	f := r.sent()
	minutes := f.number("minutes")
	if len(f.Problems) == 0 {
		_, err = c.centre.TestMeeting(r.Context(), r.actor, v.System.ID, control.TestMeeting{Title: f.get("title"), Join: f.get("join"), Minutes: minutes})
		switch {
		case errors.Is(err, control.ErrNoService):
			f.wrong("", text("rooms.noservice"))
		case f.failed(err, ""):
			for i, p := range f.Problems {
				if p.Field == "system" {
					f.Problems[i].Field = ""
				}
			}
		case err != nil:
			return err
		}
	}
	if len(f.Problems) > 0 {
		return c.showRoom(r, roomPage{SystemLive: v}, f)
	}
	if minutes == 0 {
		minutes = 10 // the Centre's default
	}
	return r.redirect(r.path("rooms", v.System.ID), "rooms.tested", strconv.Itoa(minutes))
}

func (c *Console) checkRoom(r *request) error {
	v, err := c.findRoom(r)
	if err != nil {
		return err
	}
	f := newForm("minutes", "10")
	findings, err := c.centre.CheckSystem(r.Context(), r.actor, v.System.ID)
	if err != nil && !c.unserved(f, err) {
		return err
	}
	return c.showRoom(r, roomPage{SystemLive: v, Findings: findings, Checked: err == nil}, f)
}
