package console

import (
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// entry is a line of the menu: its text's key, the page below /o/{org}, and what
// the caller has to be allowed to do there.
type entry struct {
	key    string
	page   string
	action control.Action
}

// ofCompany and ofPartner are the menus, in order. A page below an entry's page
// belongs to the entry.
var (
	ofCompany = []struct {
		key     string
		entries []entry
	}{
		{"", []entry{
			{"menu.overview", "", control.ReadCompany},
			{"menu.alarms", "alarms", control.ReadCompany},
			{"menu.readiness", "readiness", control.ReadCompany},
		}},
		{"menu.rooms", []entry{
			{"menu.systems", "systems", control.ReadCompany},
			{"menu.groups", "groups", control.ReadCompany},
		}},
		{"menu.calendars", []entry{
			{"menu.tenants", "tenants", control.ReadCompany},
			{"menu.providers", "providers", control.ReadCompany},
			{"menu.mailboxes", "mailboxes", control.ReadCompany},
		}},
		{"menu.meetings", []entry{
			{"menu.rules", "rules", control.ReadCompany},
			{"menu.settings", "settings", control.ReadCompany},
		}},
		{"menu.company", []entry{
			{"menu.general", "general", control.ReadCompany},
			{"menu.users", "users", control.ReadUsers},
			{"menu.hooks", "hooks", control.ReadCompany},
			{"menu.audit", "audit", control.ReadAudit},
		}},
	}
	ofPartner = []entry{
		{"menu.companies", "companies", control.ReadCompany},
		{"menu.users", "users", control.ReadUsers},
		{"menu.audit", "audit", control.ReadAudit},
		{"menu.general", "general", control.ReadCompany},
	}
)

// section is a part of the menu as the template draws it.
type section struct {
	Name  string
	Items []menuItem
}

type menuItem struct {
	Name, Path string
	Here       bool
}

// menu returns the menu of the organization, as far as the caller may use it.
func (r *request) menu() []section {
	if r.org == nil {
		return nil
	}
	var out []section
	add := func(key string, entries []entry) {
		s := section{}
		if key != "" {
			s.Name = text(key)
		}
		for _, e := range entries {
			if !r.may(e.action) {
				continue
			}
			to := r.path()
			if e.page != "" {
				to = r.path(e.page)
			}
			here := r.URL.Path == to || e.page == "" && strings.HasPrefix(r.URL.Path, r.path("rooms")+"/") || e.page != "" && strings.HasPrefix(r.URL.Path, to+"/")
			s.Items = append(s.Items, menuItem{text(e.key), to, here})
		}
		if len(s.Items) > 0 {
			out = append(out, s)
		}
	}
	if r.org.Kind == control.Partner {
		add("", ofPartner)
		return out
	}
	for _, s := range ofCompany {
		add(s.key, s.entries)
	}
	return out
}
