// Package app makes a running program of a configuration: rooms with their
// calendars and devices, the service that keeps them, and the address where its
// health can be asked for.
package app

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	// Microsoft365 are the applications of Microsoft Entra by which calendars are
	// read, by a name of your own.
	Microsoft365 map[string]Microsoft365 `json:"microsoft365"`
	// Notifications is how Microsoft reaches the program from the internet, to
	// tell of changes, as in "https://otj.fabrikam.example"; it calls /graph below.
	// Without it calendars are polled.
	Notifications string `json:"notifications"`
	Rooms         []Room `json:"rooms"`
	// Control is the control centre, if there is one.
	Control *ControlConfig `json:"control"`

	engine    *rules.Engine // nil for the default pack alone
	ruleTexts string        // what engine was made of
	doc       *jsonc.Doc
	dir       string // that relative paths start from
	noFile    bool   // it is that of LocalConfig

	mailboxes map[string]Source // the control centre's, by ID
}

// Calendar is a system that holds calendars.
type Calendar struct {
	// Type is "ics-file", "ics-folder", "ics-feed" or "microsoft365".
	Type string `json:"type"`
	// Path is the file, or the folder that has a file MAILBOX.ics for each
	// mailbox. It starts from the folder of the configuration file.
	Path string `json:"path"`
	// URL is the address of a feed. {mailbox} in it stands for the mailbox.
	URL string `json:"url"`
	// App is an entry of Config.Microsoft365, and Tenant the GUID or a domain of
	// the tenant.
	App    string `json:"app"`
	Tenant string `json:"tenant"`
	// DailyQuota is how many requests Graph may get in 24 hours: 10,000 to
	// 10,000,000. Default 1,000,000.
	DailyQuota int `json:"daily_quota"`
	// Poll is how often it is read. Default Config.Poll; for Microsoft 365 what
	// the quota allows.
	Poll time.Duration `json:"poll"`

	app Microsoft365 // what App names
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

	// What the control centre says of its systems.
	system  string // ID
	title   string // name
	paused  bool   // the device is left alone
	quiet   bool   // a device that does not call raises no alarm
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
	var lost jsonc.Errors
	if errors.As(err, &lost) {
		for _, e := range lost {
			e.Msg += " (the rest of the file is checked once this is mended)"
		}
	}
	if err != nil {
		return nil, err
	}
	c := &Config{Settings: otj.DefaultSettings(), doc: doc, dir: filepath.Dir(path)}
	var errs jsonc.Errors
	if err := doc.Decode(c); err != nil && !errors.As(err, &errs) {
		return nil, err
	}
	if errs = c.withChecks(errs, builders); len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// parts are the members of the file whose own members stand for themselves.
var parts = []string{"/rooms", "/calendars", "/webex", "/microsoft365"}

// withChecks adds what is wrong with the meaning of the file to what could not be
// decoded, but for the parts in which something could not: what is said of them
// might follow from that.
func (c *Config) withChecks(undecoded jsonc.Errors, builders map[string]Builder) jsonc.Errors {
	part := func(e *jsonc.Error) string {
		if e.File != c.doc.Name() {
			return ""
		}
		if whole := c.doc.Pointer(e, 1); !slices.Contains(parts, whole) {
			return whole
		}
		return c.doc.Pointer(e, 2)
	}
	broken := map[string]bool{}
	for _, e := range undecoded {
		p := part(e)
		if p == "" || slices.Contains(parts, p) {
			return undecoded // all others depend on it
		}
		broken[p] = true
	}
	out := undecoded
	for _, e := range c.check(builders) {
		if !broken[part(e)] {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *jsonc.Error) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return out
}

// sources are all calendars of the room.
func (r *Room) sources() []Source {
	var out []Source
	if r.Calendar != "" || r.Mailbox != "" {
		out = append(out, Source{r.Calendar, r.Mailbox})
	}
	return append(out, r.Calendars...)
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
