package console

import (
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) hookRoutes() {
	c.inOrg("GET /o/{org}/hooks", control.ReadCompany, c.hooks)
	c.inOrg("GET /o/{org}/hooks/new", control.Configure, c.newHook)
	c.inOrg("POST /o/{org}/hooks/new", control.Configure, c.createHook)
	c.inOrg("GET /o/{org}/hooks/{id}", control.ReadCompany, c.hook)
	c.inOrg("POST /o/{org}/hooks/{id}", control.Configure, c.saveHook)
	c.inOrg("POST /o/{org}/hooks/{id}/test", control.Configure, c.testHook)
	c.inOrg("GET /o/{org}/hooks/{id}/key", control.Configure, c.askHookKey)
	c.inOrg("POST /o/{org}/hooks/{id}/key", control.Configure, c.newHookKey)
}

// hook is an address that is told of alarms, as pages show it.
type hook struct {
	control.AlarmHook
	State badge
}

func hookOf(h control.AlarmHook) hook {
	switch {
	case !h.Enabled:
		return hook{h, badge{"off", text("hooks.off")}}
	case h.Last.Error != "":
		return hook{h, badge{"bad", text("hooks.failed")}}
	case h.Last.When.IsZero():
		return hook{h, badge{"info", text("hooks.waiting")}}
	}
	return hook{h, badge{"good", text("hooks.good")}}
}

func (c *Console) hooks(r *request) error {
	list, err := c.centre.AlarmHooks(r.Context(), r.actor, r.org.ID)
	if err != nil {
		return err
	}
	var data []hook
	for _, h := range list {
		data = append(data, hookOf(h))
	}
	return r.show(page{Template: "hooks", Title: text("menu.hooks"), Data: data})
}

// findHook returns the address of the path.
func (c *Console) findHook(r *request) (control.AlarmHook, error) {
	h, err := c.centre.AlarmHook(r.Context(), r.actor, r.PathValue("id"))
	return h, r.ofOrg(h.Company, err)
}

func (c *Console) newHook(r *request) error {
	return r.showHook(newForm("enabled", "on"), control.AlarmHook{})
}

// showHook shows the form for an address; a new one has no ID.
func (r *request) showHook(f *form, h control.AlarmHook) error {
	p := page{Template: "hook", Title: text("hooks.new"), Crumbs: []crumb{r.crumb("hooks")}, Form: f, Data: hookOf(h)}
	if h.ID != "" {
		p.Title = h.Name
	}
	return r.show(p)
}

func (f *form) fillHook(h *control.AlarmHook) {
	h.Name, h.URL, h.Enabled, h.SeriousOnly = f.get("name"), f.get("url"), f.checked("enabled"), f.checked("serious_only")
}

func (c *Console) createHook(r *request) error {
	f := r.sent()
	h := control.AlarmHook{Company: r.org.ID}
	f.fillHook(&h)
	h, err := c.centre.SaveAlarmHook(r.Context(), r.actor, h)
	switch {
	case f.failed(err, "name"):
		return r.showHook(f, control.AlarmHook{})
	case err != nil:
		return err
	}
	return c.showHookKey(r, h)
}

func (c *Console) hook(r *request) error {
	h, err := c.findHook(r)
	if err != nil {
		return err
	}
	f := newForm("name", h.Name, "url", h.URL, "revision", revision(h.Revision))
	for name, on := range map[string]bool{"enabled": h.Enabled, "serious_only": h.SeriousOnly} {
		if on {
			f.Values.Set(name, "on")
		}
	}
	return r.showHook(f, h)
}

func (c *Console) saveHook(r *request) error {
	h, err := c.findHook(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), h
	f.fillHook(&changed)
	changed.Revision = f.revision()
	changed, err = c.centre.SaveAlarmHook(r.Context(), r.actor, changed)
	switch {
	case f.failed(err, "name"):
		return r.showHook(f, h)
	case err != nil:
		return err
	}
	return r.redirect(r.path("hooks"), "hooks.saved", changed.Name)
}

func (c *Console) testHook(r *request) error {
	h, err := c.findHook(r)
	if err != nil {
		return err
	}
	err = c.centre.TestAlarmHook(r.Context(), r.actor, h.ID)
	if list := problemsOf(err); list != nil {
		r.setFlash(flash{"bad", text("hooks.test.failed", list[0].Msg)})
		return r.redirect(r.path("hooks", h.ID), "")
	}
	if err != nil {
		return err
	}
	return r.redirect(r.path("hooks", h.ID), "hooks.tested", h.Name)
}

func (c *Console) askHookKey(r *request) error {
	h, err := c.findHook(r)
	if err != nil {
		return err
	}
	return r.confirm(confirmation{
		Title: text("hooks.key.title", h.Name), Texts: []string{text("hooks.key.ask")}, Button: text("hooks.key.new"), Back: "hooks", Revision: h.Revision,
	})
}

func (c *Console) newHookKey(r *request) error {
	h, err := c.findHook(r)
	if err != nil {
		return err
	}
	return c.showHookKey(r, h)
}

// showHookKey generates the key of an address and shows it. Nobody can read it
// again.
func (c *Console) showHookKey(r *request, h control.AlarmHook) error {
	key, err := c.centre.NewAlarmHookKey(r.Context(), r.actor, h.ID)
	if err != nil {
		return err
	}
	return r.show(page{
		Template: "hook-key", Title: text("hooks.key.of", h.Name), Crumbs: []crumb{r.crumb("hooks"), {h.Name, r.path("hooks", h.ID)}},
		Data: struct{ ID, Key string }{h.ID, string(key)},
	})
}
