package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) liveRoutes() {
	c.inOrg("GET /o/{org}/rooms/{id}", control.ReadCompany, c.room)
	c.inOrg("POST /o/{org}/rooms/{id}/wake", control.Configure, c.wakeRoom)
	c.inOrg("POST /o/{org}/rooms/{id}/test", control.Configure, c.testRoom)
	c.inOrg("POST /o/{org}/rooms/{id}/check", control.Configure, c.checkRoom)
}

// roomsAPage is how many rooms the overview shows at a time: the page stays below
// 100 KB, however many there are.
const roomsAPage = 100

// overview is the page with all rooms.
type overview struct {
	control.Overview
	Rooms   []roomRow
	Filters []filter
	Query   string
	Colour  string
	Shown   int // of those that the filter leaves
	Pager   pager
	Busy    bool // there are systems
	Set     []stepRow
}

// roomRow is a room of the overview.
type roomRow struct {
	control.SystemState
	Path string
}

// filter is a way to see some of the rooms only.
type filter struct {
	Name  string
	Count int
	Path  string
	Here  bool
	Kind  string
}

// colourBadges are the colours of rooms as badges have them.
var colourBadges = map[control.Colour]string{control.Red: "bad", control.Amber: "warn", control.Green: "good", control.Grey: "off"}

func colourBadge(c control.Colour) badge {
	return badge{colourBadges[c], text("rooms.colour." + string(c))}
}

func (c *Console) showOverview(r *request) error {
	v, err := c.centre.Overview(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	o := overview{Overview: v, Query: q.Get("q"), Colour: q.Get("colour"), Busy: len(v.Systems) > 0, Set: r.stepRows(&v)}
	to := func(colour string, from int) string {
		values := url.Values{}
		if o.Query != "" {
			values.Set("q", o.Query)
		}
		if colour != "" {
			values.Set("colour", colour)
		}
		if from > 0 {
			values.Set("from", strconv.Itoa(from))
		}
		if len(values) == 0 {
			return r.path()
		}
		return r.path() + "?" + values.Encode()
	}
	o.Filters = append(o.Filters, filter{text("rooms.all"), len(v.Systems), to("", 0), o.Colour == "", ""})
	for _, colour := range control.Colours {
		o.Filters = append(o.Filters, filter{text("rooms.colour." + string(colour)), v.Count[colour], to(string(colour), 0), o.Colour == string(colour), colourBadges[colour]})
	}
	needle := strings.ToLower(strings.TrimSpace(o.Query))
	list := slices.DeleteFunc(slices.Clone(v.Systems), func(s control.SystemState) bool {
		return o.Colour != "" && string(s.Colour) != o.Colour || !strings.Contains(strings.ToLower(s.Name), needle)
	})
	o.Shown = len(list)
	from, err := strconv.Atoi(q.Get("from"))
	if err != nil || from < 0 || from >= len(list) {
		from = 0
	}
	if from > 0 {
		o.Pager.First = to(o.Colour, 0)
	}
	list = list[from:]
	if len(list) > roomsAPage {
		o.Pager.Next = to(o.Colour, from+roomsAPage)
		list = list[:roomsAPage]
	}
	for _, s := range list {
		o.Rooms = append(o.Rooms, roomRow{s, r.path("rooms", s.ID)})
	}
	return r.show(page{Template: "overview", Title: text("menu.overview"), Data: o})
}

// stepPages are the pages on which the steps of the set-up are done.
var stepPages = map[control.StepKey]string{
	control.StepEnable: "general", control.StepDomain: "tenants", control.StepProvider: "providers", control.StepConsent: "providers",
	control.StepMailboxes: "mailboxes", control.StepRules: "settings", control.StepSystems: "systems", control.StepButton: "systems",
}

// stepRow is a step of the set-up as the overview shows it.
type stepRow struct {
	control.Step
	Next bool // the first that is to be done
	Path string
}

// stepRows is the set-up, step by step; nil when it is done.
func (r *request) stepRows(v *control.Overview) []stepRow {
	if v.Ready {
		return nil
	}
	out := make([]stepRow, len(v.Steps))
	found := false
	for i, s := range v.Steps {
		out[i] = stepRow{s, !s.Done && !s.Optional && !found, r.path(stepPages[s.Key])}
		if s.Key == control.StepButton && len(v.Systems) > 0 {
			out[i].Path = r.path("rooms", v.Systems[0].ID) // it says what is wrong, and takes a test meeting
		}
		found = found || out[i].Next
	}
	return out
}
