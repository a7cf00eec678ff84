package app

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// fleetConfig writes what a company has as a configuration.
func fleetConfig(f *control.Fleet, base *Config) *Config {
	c := &Config{TimeZone: base.TimeZone, Calendars: map[string]Calendar{}, Settings: f.Processing.Settings}
	unsound := c.useRules(f)
	for id, p := range f.Providers {
		c.Calendars[id] = calendarOf(p, base)
	}
	c.mailboxes = map[string]Source{}
	for id, m := range f.Mailboxes {
		c.mailboxes[id] = Source{m.Provider, m.Address}
	}
	for _, s := range f.Systems {
		r := Room{
			Name: f.Org.Name + " / " + s.Name, Settings: f.Groups[s.Group].Settings.Over(c.Settings), Device: deviceOfSystem(s),
			TimeZone: cmp.Or(f.Groups[s.Group].TimeZone, f.Processing.TimeZone),
			system:   s.ID, title: s.Name, paused: s.Paused, quiet: s.QuietAlarms, problem: unsound,
		}
		if s.Password == "" && s.Kind != control.CiscoMacro && r.problem == nil {
			r.problem = fmt.Errorf("%w: %s", errIncomplete, missing[s.Kind.Generates()])
		}
		mailbox, ok := f.Mailboxes[s.Mailbox]
		if !ok {
			r.problem = errors.New("it has no mailbox: choose one")
		}
		r.Calendar, r.Mailbox = mailbox.Provider, mailbox.Address
		c.Rooms = append(c.Rooms, r)
	}
	return c
}

// useRules makes the company's engine. A company's rules are checked before they
// are stored; if a later version of the program refuses them, its devices keep
// what they show rather than get what nobody meant.
func (c *Config) useRules(f *control.Fleet) error {
	p := &f.Processing
	if p.Rules == "" && len(p.OwnDomains) == 0 && !p.PreferMeet {
		return nil
	}
	c.ruleTexts = fmt.Sprintf("%t %q %s", p.PreferMeet, p.OwnDomains, p.Rules)
	opts := &rules.Options{OwnDomains: p.OwnDomains}
	if p.PreferMeet {
		opts.GoogleMeet = rules.GoogleMeetFirst
	}
	var list []rules.Rule
	var err error
	if strings.TrimSpace(p.Rules) != "" {
		if list, err = rules.Parse("rules", []byte(p.Rules)); err != nil {
			return fmt.Errorf("the company's rules: %w", err)
		}
	}
	if c.engine, err = rules.New(list, opts); err != nil {
		return fmt.Errorf("the company's rules: %w", err)
	}
	return nil
}

func calendarOf(p control.Provider, base *Config) Calendar {
	switch {
	case p.Paused:
		return Calendar{Type: waitingType, Path: p.ID, URL: whyPaused}
	case p.Kind == control.Microsoft365:
		return graphCalendar(p, base)
	case p.Kind == control.ICSFolder:
		return Calendar{Type: "ics-folder", Path: p.Folder}
	case p.Kind == control.ICSFeed:
		return Calendar{Type: "ics-feed", URL: p.URL}
	}
	return Calendar{Type: string(p.Kind)}
}

// The types and ways of the kinds of system.
var kinds = map[control.SystemKind]Device{
	control.CiscoHTTPS:     {Type: "cisco", Via: "https"},
	control.CiscoWebSocket: {Type: "cisco", Via: "websocket"},
	control.CiscoWebex:     {Type: "cisco", Via: "cloud"},
	control.CiscoMacro:     {Type: "cisco", Via: "macro"},
	control.CiscoTMS:       {Type: "cisco", Via: "tms"},
	control.Poly:           {Type: "poly"},
	control.Feed:           {Type: "feed"},
	control.Webhook:        {Type: "webhook"},
}

// errIncomplete is the problem of a system whose set-up goes on.
var errIncomplete = errors.New("it has no credentials yet")

// missing says what to do, by whether credentials are generated.
var missing = map[bool]string{true: "generate them on the system's page", false: "enter the device's password or token, for the system or its group"}

func deviceOfSystem(s control.FleetSystem) Device {
	d := kinds[s.Kind]
	d.Address, d.Username, d.Password = s.Host, s.DeviceUser, s.Password
	d.Fingerprint, d.TakeOver, d.Serial, d.MAC = s.Fingerprint, s.TakeOver, s.Serial, s.MAC
	d.Push, d.WebRTC, d.Encryption, d.MaxBookings, d.FeedbackSlot = s.Push, s.WebRTC, s.Encryption, s.MaxBookings, s.FeedbackSlot
	d.SocketAuth, d.ExplicitEmpty, d.Token = s.SocketAuth, s.ExplicitEmpty, s.TokenForm
	switch s.Kind {
	case control.Webhook:
		d.Address, d.ofCompany = s.URL, true
	case control.CiscoMacro:
		d.ID = s.ID
	case control.CiscoWebex:
		// The password of the system, or of its group, is the bot's token.
		d.Address, d.Webex, d.webex = s.DeviceID, "token", Webex{Token: s.Password}
	}
	return d
}
