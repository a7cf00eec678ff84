package console

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
)

func (c *Console) systemRoutes() {
	c.inOrg("GET /o/{org}/systems", control.ReadCompany, c.systems)
	c.inOrg("GET /o/{org}/systems/new", control.Configure, c.newSystem)
	c.inOrg("POST /o/{org}/systems/new", control.Configure, c.createSystem)
	c.inOrg("GET /o/{org}/systems/{id}", control.ReadCompany, c.system)
	c.inOrg("GET /o/{org}/systems/{id}/edit", control.Configure, c.editSystem)
	c.inOrg("POST /o/{org}/systems/{id}/edit", control.Configure, c.saveSystem)
	c.inOrg("POST /o/{org}/systems/{id}/enabled", control.Configure, c.enableSystem)
	c.inOrg("POST /o/{org}/systems/{id}/paused", control.Configure, c.pauseSystem)
	c.inOrg("POST /o/{org}/systems/{id}/password", control.Configure, c.setSystemPassword)
	c.inOrg("POST /o/{org}/systems/{id}/fingerprint", control.Configure, c.pinCertificate)
	c.inOrg("GET /o/{org}/systems/{id}/credentials", control.Configure, c.askCredentials)
	c.inOrg("POST /o/{org}/systems/{id}/credentials", control.Configure, c.newCredentials)
	c.inOrg("GET /o/{org}/systems/{id}/setup", control.Configure, c.systemSetup)
	c.inOrg("POST /o/{org}/systems/{id}/setup", control.Configure, c.doSystemSetup)
}

// ways are the kinds of video system, by maker, in the order in which to consider
// them.
var ways = []struct {
	maker string
	kinds []control.SystemKind
}{
	{"cisco", []control.SystemKind{control.CiscoHTTPS, control.CiscoWebex, control.CiscoMacro, control.CiscoWebSocket, control.CiscoTMS}},
	{"poly", []control.SystemKind{control.Poly}},
	{"other", []control.SystemKind{control.Feed, control.Webhook}},
}

// system is a video system as pages show it.
type system struct {
	control.System
	Mailbox control.Mailbox
	Group   string // its name
	State   badge
}

// KindName is what people call the kind.
func (s system) KindName() string { return text("systems.kind." + string(s.Kind)) }

// Has reports whether the kind has a field.
func (s system) Has(field string) bool { return s.Kind.Has(field) }

// Generates reports whether the service generates the system's password.
func (s system) Generates() bool { return s.Kind.Generates() }

// SecretKey is the key of what the kind's password is called.
func (s system) SecretKey() string {
	switch s.Kind {
	case control.CiscoWebex:
		return "systems.token"
	case control.Webhook:
		return "systems.key"
	}
	return "systems.password"
}

// SetKey is the key of the field that sets it.
func (s system) SetKey() string {
	if s.Kind == control.CiscoWebex {
		return "systems.token.set"
	}
	return "systems.password.set"
}

// systemOf reads what a page shows of a system besides the system. groups are the
// names of the company's groups.
func (c *Console) systemOf(r *request, s control.System, groups map[string]string) (system, error) {
	out := system{System: s, Group: groups[s.Group]}
	switch {
	case !s.Enabled:
		out.State = badge{"off", text("systems.off")}
	case s.Paused:
		out.State = badge{"warn", text("systems.paused")}
	default:
		out.State = badge{"good", text("systems.on")}
	}
	if s.Mailbox != "" {
		m, err := c.centre.Mailbox(r.Context(), r.actor, s.Mailbox)
		if err != nil && !errors.Is(err, control.ErrNotFound) {
			return out, err
		}
		out.Mailbox = m
	}
	return out, nil
}

// groupNames are the names of the company's groups by ID, and the choices of one.
func (c *Console) groupNames(r *request) (names map[string]string, choices []option, err error) {
	list, err := c.centre.Groups(r.Context(), r.actor, r.org.ID)
	names = map[string]string{}
	choices = []option{{"", text("systems.group.none"), ""}}
	for _, g := range list {
		names[g.ID] = g.Name
		choices = append(choices, option{g.ID, g.Name, ""})
	}
	return names, choices, err
}

// findSystem returns the system of the path.
func (c *Console) findSystem(r *request) (control.System, error) {
	s, err := c.centre.System(r.Context(), r.actor, r.PathValue("id"))
	return s, r.ofOrg(s.Company, err)
}

func (c *Console) systems(r *request) error {
	read := func(after string, limit int) (control.Page[control.System], error) {
		return c.centre.Systems(r.Context(), r.actor, r.org.ID, after, limit)
	}
	l, err := list(r, read, func(s control.System, q string) bool {
		return strings.Contains(strings.ToLower(s.Name+" "+s.Host+" "+s.DeviceID), q)
	})
	if err != nil {
		return err
	}
	groups, _, err := c.groupNames(r)
	if err != nil {
		return err
	}
	data := struct {
		listing[control.System]
		Systems []system
	}{listing: l}
	for _, s := range l.Items {
		v, err := c.systemOf(r, s, groups)
		if err != nil {
			return err
		}
		data.Systems = append(data.Systems, v)
	}
	return r.show(page{Template: "systems", Title: text("menu.systems"), Data: data})
}

// newSystem asks for the kind first, so that the form has its fields only.
func (c *Console) newSystem(r *request) error {
	if !r.URL.Query().Has("kind") {
		type maker struct {
			Name  string
			Kinds []control.SystemKind
		}
		var data []maker
		for _, w := range ways {
			data = append(data, maker{text("systems.maker." + w.maker), w.kinds})
		}
		return r.show(page{Template: "system-pick", Title: text("systems.new"), Crumbs: []crumb{r.crumb("systems")}, Data: data})
	}
	kind, err := systemKind(r)
	if err != nil {
		return err
	}
	f := newForm()
	if r.org.Enabled {
		f.Values.Set("enabled", "on")
	}
	return c.showSystemForm(r, f, control.System{Kind: kind})
}

func systemKind(r *request) (control.SystemKind, error) {
	kind := control.SystemKind(r.URL.Query().Get("kind"))
	if !slices.Contains(control.SystemKinds[:], kind) {
		return "", control.ErrNotFound
	}
	return kind, nil
}

// mostChoices is how many mailboxes the form suggests; it takes any.
const mostChoices = 500

// showSystemForm shows the form for a system; a new one has no ID.
func (c *Console) showSystemForm(r *request, f *form, s control.System) error {
	_, groups, err := c.groupNames(r)
	if err != nil {
		return err
	}
	data := struct {
		system
		Groups    []option
		Mailboxes []string
	}{system: system{System: s}, Groups: groups}
	if _, err = each(c.mailboxPages(r), func(m control.Mailbox) bool {
		data.Mailboxes = append(data.Mailboxes, m.Address)
		return len(data.Mailboxes) < mostChoices
	}); err != nil {
		return err
	}
	p := page{Template: "system-form", Crumbs: []crumb{r.crumb("systems")}, Form: f, Data: data}
	if p.Title = text("systems.new.kind", data.KindName()); s.ID != "" {
		p.Title = text("systems.edit")
		p.Crumbs = append(p.Crumbs, crumb{s.Name, r.path("systems", s.ID)})
	}
	return r.show(p)
}

// fillSystem takes the fields of the form that the kind has.
func (c *Console) fillSystem(r *request, f *form, s *control.System) error {
	s.Name, s.Group = f.get("name"), f.get("group")
	for name, to := range map[string]*string{
		"host": &s.Host, "fingerprint": &s.Fingerprint, "user": &s.User, "device_id": &s.DeviceID, "mac": &s.MAC, "serial": &s.Serial, "url": &s.URL,
		"webrtc": &s.WebRTC, "push": &s.Push, "encryption": &s.Encryption, "socket_auth": &s.SocketAuth, "token_form": &s.TokenForm,
	} {
		if s.Kind.Has(name) {
			*to = f.get(name)
		}
	}
	for name, to := range map[string]*bool{"take_over": &s.TakeOver, "quiet_alarms": &s.QuietAlarms, "explicit_empty": &s.ExplicitEmpty} {
		*to = f.checked(name) && s.Kind.Has(name)
	}
	for name, to := range map[string]*int{"max_bookings": &s.MaxBookings, "feedback_slot": &s.FeedbackSlot} {
		if s.Kind.Has(name) {
			*to = f.number(name)
		}
	}
	s.Mailbox = ""
	if address := strings.ToLower(strings.TrimSpace(f.get("mailbox"))); address != "" {
		m, err := c.mailboxByAddress(r, address)
		switch {
		case errors.Is(err, control.ErrNotFound):
			f.wrong("mailbox", text("systems.mailbox.unknown", address))
		case err != nil:
			return err
		}
		s.Mailbox = m.ID
	}
	if len(f.get("password")) > 1024 {
		f.wrong("password", text("systems.password.long"))
	}
	return nil
}

func (c *Console) createSystem(r *request) error {
	kind, err := systemKind(r)
	if err != nil {
		return err
	}
	f := r.sent()
	s := control.System{Company: r.org.ID, Kind: kind, Enabled: f.checked("enabled")}
	if err := c.fillSystem(r, f, &s); err != nil {
		return err
	}
	saved := s
	if len(f.Problems) == 0 {
		saved, err = c.centre.SaveSystem(r.Context(), r.actor, s)
	}
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return c.showSystemForm(r, f, s)
	case err != nil:
		return err
	}
	if kind.Generates() {
		return c.showCredentials(r, saved)
	}
	if secret := f.get("password"); secret != "" {
		if err := c.centre.SetPassword(r.Context(), r.actor, "system", saved.ID, calendar.Secret(secret)); err != nil {
			return err
		}
	}
	return r.redirect(r.path("systems", saved.ID), "systems.added", saved.Name)
}

func (c *Console) system(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	return c.showSystem(r, s, newForm())
}

func (c *Console) showSystem(r *request, s control.System, f *form) error {
	groups, _, err := c.groupNames(r)
	if err != nil {
		return err
	}
	v, err := c.systemOf(r, s, groups)
	if err != nil {
		return err
	}
	data := struct {
		system
		Now control.SystemState
	}{system: v}
	if data.Now, err = c.centre.SystemState(r.Context(), r.actor, s.ID); err != nil {
		return err
	}
	return r.show(page{Template: "system", Title: s.Name, Crumbs: []crumb{r.crumb("systems")}, Form: f, Data: data})
}

func (c *Console) editSystem(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	v, err := c.systemOf(r, s, nil)
	if err != nil {
		return err
	}
	f := newForm("name", s.Name, "group", s.Group, "mailbox", v.Mailbox.Address, "host", s.Host, "fingerprint", s.Fingerprint, "user", s.User,
		"device_id", s.DeviceID, "mac", s.MAC, "serial", s.Serial, "url", s.URL, "revision", revision(s.Revision))
	maps.Copy(f.Values, differentForm(s).Values)
	for name, on := range map[string]bool{"take_over": s.TakeOver, "quiet_alarms": s.QuietAlarms} {
		if on {
			f.Values.Set(name, "on")
		}
	}
	return c.showSystemForm(r, f, s)
}

func (c *Console) saveSystem(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), s
	changed.Revision = f.revision()
	if err := c.fillSystem(r, f, &changed); err != nil {
		return err
	}
	if len(f.Problems) == 0 {
		changed, err = c.centre.SaveSystem(r.Context(), r.actor, changed)
	}
	switch {
	case f.failed(err, "name") || len(f.Problems) > 0:
		return c.showSystemForm(r, f, s)
	case err != nil:
		return err
	}
	return r.redirect(r.path("systems", s.ID), "systems.saved", changed.Name)
}

func (c *Console) enableSystem(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), s
	changed.Revision, changed.Enabled = f.revision(), f.get("enabled") == "yes"
	changed, err = c.centre.SaveSystem(r.Context(), r.actor, changed)
	switch {
	case f.failed(err, ""):
		return c.showSystem(r, s, f)
	case err != nil:
		return err
	}
	key := "systems.disabled"
	if changed.Enabled {
		key = "systems.enabled"
	}
	return r.redirect(r.path("systems", s.ID), key, s.Name)
}

func (c *Console) pauseSystem(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	f := r.sent()
	if s, err = c.centre.PauseSystem(r.Context(), r.actor, s.ID, f.revision(), f.get("paused") == "yes"); err != nil {
		return err
	}
	key := "systems.resumed"
	if s.Paused {
		key = "systems.is.paused"
	}
	page := "systems"
	if f.get("back") == "rooms" {
		page = "rooms" // the form is on the room's page too
	}
	return r.redirect(r.path(page, s.ID), key, s.Name)
}

func (c *Console) setSystemPassword(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	f := r.sent()
	err = c.centre.SetPassword(r.Context(), r.actor, "system", s.ID, calendar.Secret(f.get("password")))
	switch {
	case f.failed(err, ""):
		return c.showSystem(r, s, f)
	case err != nil:
		return err
	}
	key := "systems.password.kept"
	if f.get("password") == "" {
		key = "systems.password.gone"
	}
	return r.redirect(r.path("systems", s.ID), key, s.Name)
}

// pinCertificate trusts the certificate that a check has shown, and no other.
func (c *Console) pinCertificate(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	f, changed := r.sent(), s
	if f.get("fingerprint") == "" {
		return errForm // it would trust what the server trusts
	}
	changed.Revision, changed.Fingerprint = f.revision(), f.get("fingerprint")
	_, err = c.centre.SaveSystem(r.Context(), r.actor, changed)
	switch {
	case f.failed(err, ""):
		return c.showSystem(r, s, f)
	case err != nil:
		return err
	}
	return r.redirect(r.path("rooms", s.ID), "systems.pinned", s.Name)
}

func (c *Console) askCredentials(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	return r.confirm(confirmation{
		Title: text("systems.credentials.title", s.Name), Texts: []string{text("systems.credentials.ask")},
		Button: text("systems.credentials.new"), Back: "systems", Revision: s.Revision,
	})
}

func (c *Console) newCredentials(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	if s.Revision != r.sent().revision() {
		return control.ErrStale // the form was sent twice: what is shown already stays good
	}
	return c.showCredentials(r, s)
}

// showCredentials generates a password and shows it. There is no page to come
// back to it: nobody can read it again.
func (c *Console) showCredentials(r *request, s control.System) error {
	password, err := c.centre.NewPassword(r.Context(), r.actor, s.ID)
	if err != nil {
		return err
	}
	return r.show(page{
		Template: "credentials", Title: text("systems.credentials.of", s.Name),
		Crumbs: []crumb{r.crumb("systems"), {s.Name, r.path("systems", s.ID)}},
		Data: struct {
			system
			Password string
		}{system{System: s}, string(password)},
	})
}

// setting is a line of a set-up step: a value to copy, and the name of the field
// that it goes into, or none for a command.
type setting struct{ Name, Value string }

// settingOf splits a line, so that what is copied is what is entered.
func settingOf(line string) setting {
	name, value, ok := strings.Cut(line, "  ")
	if !ok || name == "" || strings.Contains(line, "\n") {
		return setting{Value: line}
	}
	return setting{name, strings.TrimLeft(value, " ")}
}

// systemSetup shows what has to be done at the device. For a macro that makes a
// new code, so it is asked for first.
func (c *Console) systemSetup(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	if s.Kind == control.CiscoMacro {
		return r.confirm(confirmation{
			Title: text("systems.setup.of", s.Name), Texts: []string{text("systems.setup.code")},
			Button: text("systems.setup.go"), Back: "systems", Revision: s.Revision,
		})
	}
	return c.showSetup(r, s)
}

func (c *Console) doSystemSetup(r *request) error {
	s, err := c.findSystem(r)
	if err != nil {
		return err
	}
	return c.showSetup(r, s)
}

func (c *Console) showSetup(r *request, s control.System) error {
	steps, err := c.centre.SystemSetup(r.Context(), r.actor, s.ID)
	data := struct {
		system
		Steps   []control.SetupStep
		Problem string
	}{system{System: s}, steps, ""}
	switch {
	case err != nil && !s.Enabled:
		data.Problem = text("systems.setup.disabled")
	case errors.Is(err, control.ErrNoService):
		data.Problem = text("systems.setup.none")
	case err != nil:
		c.opts.Logger.Warn("set-up instructions", "system", s.ID, "err", err)
		data.Problem = text("systems.setup.failed", err)
	}
	return r.show(page{Template: "setup-steps", Title: text("systems.setup.of", s.Name), Crumbs: []crumb{r.crumb("systems"), {s.Name, r.path("systems", s.ID)}}, Data: data})
}
