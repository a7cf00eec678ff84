// Package app makes a running program of a configuration: rooms with their
// calendars and devices, the service that keeps them, and the address where its
// health can be asked for.
package app

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Config is a configuration file. Its JSON names are the documentation of the
// file; docs/operating.md has an example.
type Config struct {
	// Listen is where health can be asked for, as in "127.0.0.1:8080". Empty
	// means nowhere.
	Listen string `json:"listen"`
	// Poll is how often calendars are read that say nothing else. Default 1m.
	Poll time.Duration `json:"poll"`
	// Reassert is how often devices are written to although nothing has
	// changed. Default 15m.
	Reassert time.Duration `json:"reassert"`
	// TimeZone is that of rooms that have none, as in "Europe/Stockholm".
	// Default UTC.
	TimeZone string `json:"time_zone"`
	// Rules are files with rules of your own, in the order in which they come
	// where their priorities are the same. The rules of the default pack come
	// after them.
	Rules []string `json:"rules"`
	// OwnDomains are the organization's mail domains, for rules that tell
	// organizers of the organization from others.
	OwnDomains []string `json:"own_domains"`
	// Settings are those of all rooms, where a room has no others.
	Settings otj.Settings `json:"settings"`
	// Calendars are the systems that hold calendars, by a name of your own.
	Calendars map[string]Calendar `json:"calendars"`
	// Site is where devices call the program, if there are any that do.
	Site SiteConfig `json:"site"`
	// Webex are the organizations whose devices are called through the Webex
	// cloud, by a name of your own.
	Webex map[string]Webex `json:"webex"`
	Rooms []Room           `json:"rooms"`
	// Control is the control centre, if there is one.
	Control *ControlConfig `json:"control"`

	engine    *rules.Engine // nil for the default pack alone
	ruleTexts string        // what engine was made of
	doc       *jsonc.Doc
	dir       string // that relative paths start from
}

// Calendar is a system that holds calendars.
type Calendar struct {
	// Type is "ics-file", "ics-folder" or "ics-feed".
	Type string `json:"type"`
	// Path is the file, or the folder that has a file MAILBOX.ics for each
	// mailbox. It starts from the folder of the configuration file.
	Path string `json:"path"`
	// URL is the address of a feed. {mailbox} in it stands for the mailbox.
	URL string `json:"url"`
	// Poll is how often it is read.
	Poll time.Duration `json:"poll"`
}

// Room is a room.
type Room struct {
	Name string `json:"name"`
	// Calendar and Mailbox are its calendar; Calendars are more of them.
	Calendar  string   `json:"calendar"`
	Mailbox   string   `json:"mailbox"`
	Calendars []Source `json:"calendars"`
	// Settings are those that differ from the Settings of all rooms.
	Settings otj.Settings `json:"settings"`
	TimeZone string       `json:"time_zone"`
	Device   Device       `json:"device"`

	system  string // the ID that the control centre has for the device
	problem error  // why there cannot be such a room
}

// Source is one calendar of a room.
type Source struct {
	Calendar string `json:"calendar"`
	Mailbox  string `json:"mailbox"`
}

// Read reads a configuration file and checks it as far as that is possible
// without the devices. What is wrong in it is a jsonc.Errors.
func Read(path string, builders map[string]Builder) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, text, builders)
}

func parse(path string, text []byte, builders map[string]Builder) (*Config, error) {
	doc, err := jsonc.Parse(path, text)
	if err != nil {
		return nil, err
	}
	c := &Config{Settings: otj.DefaultSettings(), doc: doc, dir: filepath.Dir(path)}
	if err := doc.Decode(c); err != nil {
		return nil, err
	}
	if errs := c.check(builders); len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// checker collects what is wrong in a file.
type checker struct {
	c    *Config
	errs jsonc.Errors
}

func (k *checker) bad(pointer, format string, args ...any) {
	k.errs = append(k.errs, k.c.doc.Errorf(pointer, format, args...))
}

// child is the pointer of a member.
func child(pointer, name string) string {
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (c *Config) check(builders map[string]Builder) jsonc.Errors {
	k := &checker{c: c}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			k.bad("/listen", `must be an address with a port, as in "127.0.0.1:8080"`)
		}
	}
	k.duration("/poll", &c.Poll)
	k.duration("/reassert", &c.Reassert)
	k.zone("/time_zone", c.TimeZone)
	k.settings("/settings", &c.Settings)
	for i, d := range c.OwnDomains {
		if d == "" || strings.ContainsAny(d, "@/: ,*") {
			k.bad(fmt.Sprintf("/own_domains/%d", i), `must be a domain alone, as in "fabrikam.example"`)
		}
	}
	k.rules()
	for _, name := range sortedKeys(c.Calendars) {
		cal := c.Calendars[name]
		k.calendar(child("/calendars", name), &cal)
		c.Calendars[name] = cal
	}
	k.site("/site", &c.Site)
	for _, name := range sortedKeys(c.Webex) {
		w := c.Webex[name]
		k.webex(child("/webex", name), &w)
		c.Webex[name] = w
	}
	// The endpoints are made once to see that they can be, on servers that
	// nobody calls.
	scratch, err := newSite(c.Site)
	if err != nil {
		k.bad("/site/url", "%v", err)
		return k.errs
	}
	if c.Control != nil {
		k.control("/control", c.Control)
	}
	if len(c.Rooms) == 0 && c.Control == nil {
		k.bad("/rooms", "there is no room: add one to \"rooms\"")
	}
	names := map[string]bool{}
	devices := map[string]string{}
	for i := range c.Rooms {
		r := &c.Rooms[i]
		at := fmt.Sprintf("/rooms/%d", i)
		switch {
		case r.Name == "":
			k.bad(child(at, "name"), "the room needs a name")
		case names[r.Name]:
			k.bad(child(at, "name"), "there are two rooms named %q", r.Name)
		}
		names[r.Name] = true
		k.sources(at, r)
		k.overlay(child(at, "settings"), &r.Settings, &c.Settings)
		k.settings(child(at, "settings"), &r.Settings)
		k.zone(child(at, "time_zone"), r.TimeZone)
		k.device(child(at, "device"), r, builders, scratch)
		if key := r.Device.key(); key != "" {
			if other := devices[key]; other != "" {
				k.bad(child(at, "device"), "room %q has the same device", other)
			}
			devices[key] = r.Name
		}
	}
	slices.SortStableFunc(k.errs, func(a, b *jsonc.Error) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return k.errs
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// minPoll keeps a typing error such as "1ms" from becoming an attack.
const minPoll = time.Second

func (k *checker) duration(pointer string, d *time.Duration) {
	if k.c.doc.Has(pointer) && *d < minPoll {
		k.bad(pointer, "must be at least %v", minPoll)
	}
}

func (k *checker) zone(pointer, name string) {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		k.bad(pointer, `there is no time zone %q; use a name such as "Europe/Stockholm"`, name)
	}
}

func (k *checker) settings(pointer string, s *otj.Settings) {
	err := s.Validate()
	if err == nil {
		return
	}
	joined, _ := err.(interface{ Unwrap() []error })
	for _, err := range joined.Unwrap() {
		var field *otj.FieldError
		// A mistake in the settings of all rooms is not one of each of them.
		if errors.As(err, &field) && (pointer == "/settings" || k.c.doc.Has(child(pointer, field.Field))) {
			k.bad(child(pointer, field.Field), "%s %s", field.Field, field.Problem)
		}
	}
}

// rules reads the rule files. A mistake in one of them is shown there.
func (k *checker) rules() {
	var all []rules.Rule
	before := len(k.errs)
	for i, name := range k.c.Rules {
		path := k.c.path(name)
		at := fmt.Sprintf("/rules/%d", i)
		text, err := os.ReadFile(path)
		if err != nil {
			k.bad(at, "%v", err)
			continue
		}
		k.c.ruleTexts += fmt.Sprintf("%d:%s", len(text), text)
		list, err := rules.Parse(path, text)
		if err == nil {
			all = append(all, list...)
			continue
		}
		k.bad(at, "the rule file has mistakes")
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				var e *rules.SyntaxError
				if errors.As(err, &e) {
					k.errs = append(k.errs, &jsonc.Error{File: e.File, Line: e.Line, Column: e.Column, Msg: e.Msg, Snippet: e.Snippet})
				}
			}
		}
	}
	if len(k.errs) > before || len(k.c.Rules) == 0 && len(k.c.OwnDomains) == 0 {
		return
	}
	k.c.ruleTexts += strings.Join(k.c.OwnDomains, ",")
	engine, err := rules.New(all, &rules.Options{OwnDomains: k.c.OwnDomains})
	if err != nil {
		k.bad("/rules", "%v", err)
		return
	}
	k.c.engine = engine
}

// overlay takes the settings that the file does not have there from base.
func (k *checker) overlay(pointer string, s, base *otj.Settings) {
	v, b := reflect.ValueOf(s).Elem(), reflect.ValueOf(base).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if !k.c.doc.Has(child(pointer, name)) {
			v.Field(i).Set(b.Field(i))
		}
	}
}

func (k *checker) calendar(at string, cal *Calendar) {
	k.duration(child(at, "poll"), &cal.Poll)
	switch cal.Type {
	case "ics-file", "ics-folder":
		if cal.URL != "" {
			k.bad(child(at, "url"), `a calendar of type %q has a "path" and no "url"`, cal.Type)
		}
		if cal.Path == "" {
			k.bad(child(at, "path"), `a calendar of type %q needs a "path"`, cal.Type)
			return
		}
		cal.Path = k.c.path(cal.Path)
		switch info, err := os.Stat(cal.Path); {
		case err != nil:
			k.bad(child(at, "path"), "%v", err)
		case info.IsDir() != (cal.Type == "ics-folder"):
			k.bad(child(at, "path"), "%s is no %s", cal.Path, strings.TrimPrefix(cal.Type, "ics-"))
		}
	case "ics-feed":
		if cal.Path != "" {
			k.bad(child(at, "path"), `a calendar of type "ics-feed" has a "url" and no "path"`)
		}
		// The address is often a secret: it is not repeated.
		u, err := url.Parse(strings.ReplaceAll(cal.URL, "{mailbox}", "mailbox"))
		if err != nil || u.Scheme != "https" || u.Host == "" {
			k.bad(child(at, "url"), `a calendar of type "ics-feed" needs a "url" that begins with https://`)
		}
	case "":
		k.bad(child(at, "type"), `the calendar needs a "type": ics-file, ics-folder or ics-feed`)
	default:
		k.bad(child(at, "type"), "there is no calendar type %q: use ics-file, ics-folder or ics-feed", cal.Type)
	}
}

func (k *checker) sources(at string, r *Room) {
	if r.Calendar != "" || r.Mailbox != "" {
		k.source(at, Source{r.Calendar, r.Mailbox})
	}
	for i, s := range r.Calendars {
		k.source(fmt.Sprintf("%s/calendars/%d", at, i), s)
	}
	all := r.sources()
	if len(all) == 0 {
		k.bad(at, `the room needs a "calendar"`)
	}
	for i, s := range all {
		if slices.Contains(all[:i], s) {
			k.bad(child(at, "calendars"), "the room has the calendar %q, mailbox %q twice", s.Calendar, s.Mailbox)
		}
	}
}

func (k *checker) source(at string, s Source) {
	cal, ok := k.c.Calendars[s.Calendar]
	switch {
	case !ok:
		k.bad(child(at, "calendar"), "there is no calendar %q%s", s.Calendar, jsonc.Suggest(s.Calendar, sortedKeys(k.c.Calendars)))
	case s.Mailbox == "" && (cal.Type == "ics-folder" || strings.Contains(cal.URL, "{mailbox}")):
		k.bad(child(at, "mailbox"), `the calendar %q needs a "mailbox"`, s.Calendar)
	}
}

// sources are all calendars of the room.
func (r *Room) sources() []Source {
	var out []Source
	if r.Calendar != "" || r.Mailbox != "" {
		out = append(out, Source{r.Calendar, r.Mailbox})
	}
	return append(out, r.Calendars...)
}

// secret completes a secret that is given in one of three ways, by members of
// which the names of the second and third end in _file and _env. It reports
// whether it could.
func (k *checker) secret(at, name string, value *calendar.Secret, file, env string) bool {
	given := 0
	for _, s := range []string{string(*value), file, env} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1:
		k.bad(at, `give one of %q, "%s_file" and "%s_env"`, name, name, name)
		return false
	case file != "":
		text, err := os.ReadFile(k.c.path(file))
		if err != nil {
			k.bad(child(at, name+"_file"), "%v", err)
			return false
		}
		*value = calendar.Secret(strings.TrimRight(string(text), "\r\n"))
	case env != "":
		v, ok := os.LookupEnv(env)
		if !ok {
			k.bad(child(at, name+"_env"), "the environment variable %s is not set", env)
			return false
		}
		*value = calendar.Secret(v)
	}
	return true
}

func (k *checker) site(at string, s *SiteConfig) {
	if !k.c.doc.Has(at) {
		return
	}
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		k.bad(child(at, "listen"), `must be an address with a port, as in ":8443"`)
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		k.bad(child(at, "url"), `must be how devices reach this program, as in "https://otj.fabrikam.example:8443"`)
		s.URL = ""
	}
	k.certificate(at, s.HTTP, &s.CertFile, &s.KeyFile, "devices send passwords")
	if s.State != "" {
		s.State = k.c.path(s.State)
		if info, err := os.Stat(s.State); err != nil {
			k.bad(child(at, "state"), "%v", err)
		} else if !info.IsDir() {
			k.bad(child(at, "state"), "%s is no folder", s.State)
		}
	}
}

// certificate demands a certificate unless there is to be none; why says what it
// is for.
func (k *checker) certificate(at string, plain bool, cert, key *string, why string) {
	switch given := *cert != "" || *key != ""; {
	case plain && given:
		k.bad(child(at, "http"), `give "http" or a certificate; with "http" a proxy in front must have it`)
	case plain:
	case *cert == "" || *key == "":
		k.bad(at, `%s: add "cert_file" and "key_file", or "http" if a proxy in front has the certificate`, why)
	default:
		*cert, *key = k.c.path(*cert), k.c.path(*key)
		if _, err := (&keyPair{cert: *cert, key: *key}).get(nil); err != nil {
			k.bad(child(at, "cert_file"), "%v", err)
		}
	}
}

func (k *checker) webex(at string, w *Webex) {
	if w.BaseURL != "" {
		if u, err := url.Parse(w.BaseURL); err != nil || u.Scheme != "https" || u.Host == "" {
			k.bad(child(at, "base_url"), "must begin with https://")
		}
	}
	if w.CAFile != "" {
		w.CAFile = k.c.path(w.CAFile)
		if _, err := readPool(w.CAFile); err != nil {
			k.bad(child(at, "ca_file"), "%v", err)
		}
	}
	ok := k.secret(at, "token", &w.Token, w.TokenFile, w.TokenEnv)
	ok = k.secret(at, "client_secret", &w.ClientSecret, w.ClientSecretFile, w.ClientSecretEnv) && ok
	ok = k.secret(at, "refresh_token", &w.RefreshToken, w.RefreshTokenFile, w.RefreshTokenEnv) && ok
	integration := w.ClientID != "" && w.ClientSecret != "" && w.RefreshToken != ""
	if ok && integration == (w.Token != "") {
		k.bad(at, `give the "token" of a bot, or the "client_id", "client_secret" and "refresh_token" of a workspace integration`)
	}
}

func (k *checker) device(at string, r *Room, builders map[string]Builder, scratch *Site) {
	d := &r.Device
	types := strings.Join(sortedKeys(builders), ", ")
	build := builders[d.Type]
	switch {
	case d.Type == "":
		k.bad(child(at, "type"), `the device needs a "type": %s`, types)
		return
	case build == nil:
		k.bad(child(at, "type"), "there is no device type %q: use %s", d.Type, types)
		return
	}
	if !k.secret(at, "password", &d.Password, d.PasswordFile, d.PasswordEnv) {
		return
	}
	if d.CAFile != "" {
		d.CAFile = k.c.path(d.CAFile)
	}
	if d.Webex != "" {
		w, ok := k.c.Webex[d.Webex]
		if !ok {
			k.bad(child(at, "webex"), "there is no %q in \"webex\"%s", d.Webex, jsonc.Suggest(d.Webex, sortedKeys(k.c.Webex)))
			return
		}
		d.webex = w
	}
	if _, err := build(scratch, r.Name, *d); err != nil {
		var m *MemberError
		if errors.As(err, &m) {
			at = child(at, m.Member)
		}
		k.bad(at, "%v", err)
	}
}

// key names the physical device.
func (d *Device) key() string {
	switch {
	case d.Type == "webhook":
		return "" // several rooms may have the same receiver
	case d.Type == "cisco" && d.Via == "tms":
		sum := sha256.Sum256([]byte(d.Password))
		return fmt.Sprintf("%s tms %x", d.Type, sum[:8])
	case d.ID != "":
		return d.Type + " id " + d.ID
	case d.Address != "":
		return d.Type + " " + strings.ToLower(d.Address)
	case d.Username != "":
		return d.Type + " user " + d.Username
	}
	return ""
}

// path completes a path of the file.
func (c *Config) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}
