package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// How long the checks of one thing may take, and how many are made at a time.
const (
	checkTime = 30 * time.Second
	checkers  = 8
)

// Doctor checks what a configuration needs to work: that its calendars can be
// read and keep what invites say, that its devices can be reached and are set
// up, that its certificate is sound. Report is what the check script has said of
// Exchange; nil if nobody has run it. The findings are the worst first. Nothing
// is changed anywhere.
func (c *Config) Doctor(ctx context.Context, report []readiness.Processing) ([]readiness.Finding, error) {
	site, err := newSite(c.devices())
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var out []readiness.Finding
	add := func(f ...readiness.Finding) {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, f...)
	}
	if c.Site.Listen != "" {
		add(c.checkCertificate("/site", c.Site.URL, c.Site.HTTP, c.Site.CertFile, c.Site.KeyFile))
	}
	if c.Control != nil {
		add(c.checkCertificate("/control", c.Control.URL, c.Control.HTTP, c.Control.CertFile, c.Control.KeyFile))
	}

	var wg sync.WaitGroup
	at := make(chan struct{}, checkers)
	check := func(f func(context.Context)) {
		wg.Go(func() {
			at <- struct{}{}
			defer func() { <-at }()
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			f(ctx)
		})
	}
	providers := map[Calendar]calendar.Provider{}
	sources := map[Source]bool{}
	mailboxes := map[string]bool{}
	for i := range c.Rooms {
		r := &c.Rooms[i]
		for _, src := range r.sources() {
			if sources[src] {
				continue
			}
			sources[src] = true
			cal := c.Calendars[src.Calendar]
			if providers[cal] == nil {
				if providers[cal], err = newProvider(cal); err != nil {
					return nil, err
				}
			}
			if src.Mailbox != "" {
				mailboxes[strings.ToLower(src.Mailbox)] = true
			}
			check(func(ctx context.Context) { add(c.checkCalendar(ctx, providers[cal], src)...) })
		}
		check(func(ctx context.Context) { add(checkDevice(ctx, site, r)...) })
	}
	wg.Wait()
	add(checkReport(report, mailboxes)...)
	readiness.Sort(out)
	return out, ctx.Err()
}

// checkReport says what Exchange is set to, as far as the report has the rooms of
// the configuration.
func checkReport(report []readiness.Processing, mailboxes map[string]bool) (out []readiness.Finding) {
	if report == nil {
		return nil
	}
	for i := range report {
		key := strings.ToLower(report[i].Mailbox)
		if mailboxes[key] {
			out = append(out, report[i].Check()...)
			delete(mailboxes, key)
		}
	}
	for _, m := range sortedKeys(mailboxes) {
		out = append(out, readiness.Finding{Check: "report", Subject: m, Result: readiness.Unknown,
			Why: "The report does not have this mailbox.", Fix: "Run the check script for it too."})
	}
	return out
}

// checkCalendar reads a calendar, and looks at what invites in it have become.
func (c *Config) checkCalendar(ctx context.Context, p calendar.Provider, src Source) []readiness.Finding {
	name := src.Mailbox
	if name == "" {
		name = src.Calendar
	}
	now := time.Now().UTC()
	events, err := p.Events(ctx, src.Mailbox, calendar.Window{From: now.AddDate(0, 0, -7), To: now.AddDate(0, 0, 14)})
	f := readiness.Finding{Check: "calendar", Subject: name, Result: readiness.Pass, Why: fmt.Sprintf("The calendar can be read; it has %d events from a week ago to two weeks ahead.", len(events))}
	var partial *calendar.PartialError
	switch {
	case errors.As(err, &partial):
		f.Result, f.Why, f.Fix = readiness.Warn, "Some events cannot be read: "+err.Error(), "Ask their organizers to send them again."
	case err != nil:
		f.Result, f.Why, f.Fix = readiness.Fail, "The calendar cannot be read: "+err.Error(), "See to it that the calendar is there, and that this program may read it."
		return []readiness.Finding{f}
	}
	engine := c.engine
	if engine == nil {
		engine = rules.Default()
	}
	out := append([]readiness.Finding{f}, readiness.Infer(name, events)...)
	undone, opaque := map[string]string{}, map[string]string{}
	for i := range events {
		for _, s := range engine.Explain(&events[i]).Findings {
			switch {
			case s.Gateway == "":
			case s.Kind == "hidden":
				opaque[s.Gateway] = ""
			default:
				undone[s.Gateway] = hostOf(s.After)
			}
		}
	}
	return append(out, readiness.Rewriters(name, undone, opaque)...)
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// checkDevice asks the device of a room for what it lacks.
func checkDevice(ctx context.Context, site *Site, r *Room) []readiness.Finding {
	f := readiness.Finding{Check: "device", Subject: r.Name}
	build := Builders()[r.Device.Type]
	if build == nil || r.Device.Type != "cisco" || ciscoWays[r.Device.Via] == "" {
		f.Result, f.Why = readiness.Unknown, "The device calls this program, or is called with meetings only: it cannot be asked."
		f.Fix = "Look at the room's state in /health of the running program."
		return []readiness.Finding{f}
	}
	e, err := build(site, r.Name, r.Device)
	if err != nil {
		f.Result, f.Why = readiness.Fail, err.Error()
		return []readiness.Finding{f}
	}
	if device, ok := e.(*cisco.Endpoint); ok {
		defer closeDevice(ctx, device)
	}
	return checkEndpoint(ctx, r.Name, r.Device, e)
}

// recently is how long ago a device that calls may have done so last.
const recently = 15 * time.Minute

// checkEndpoint asks a device for what it lacks, or says when one that calls last
// did.
func checkEndpoint(ctx context.Context, subject string, d Device, e otj.Endpoint) []readiness.Finding {
	f := readiness.Finding{Check: "device", Subject: subject}
	switch e := e.(type) {
	case *cisco.Endpoint:
		lacks, err := e.Check(ctx, ciscoWays[d.Via])
		switch {
		case err != nil:
			f.Result, f.Why, f.Fix = readiness.Fail, err.Error(), "See to it that the device is on, can be reached from here, and has this account."
		case len(lacks) == 0:
			f.Result, f.Why = readiness.Pass, "The device answers, and has what it needs."
		default:
			var out []readiness.Finding
			for _, l := range lacks {
				out = append(out, readiness.Finding{Check: "device", Subject: subject, Result: readiness.Fail, Why: l.Text, Fix: "Set it at the device, or with otj setup --apply.", Command: l.Command})
			}
			return out
		}
	case caller:
		when, agent := e.LastCall()
		if agent == "" {
			agent = "unnamed"
		}
		switch ago := time.Since(when); {
		case when.IsZero():
			f.Result, f.Why, f.Fix = readiness.Fail, "The device has not called since this program was started.", "Follow the set-up instructions; see to it that the device is on and reaches this program."
		case ago > recently:
			f.Result, f.Why, f.Fix = readiness.Fail, fmt.Sprintf("The device (%s) has not called since %s.", agent, when.Format(time.RFC3339)), "See to it that the device is on, reaches this program, and has its password."
		default:
			f.Result, f.Why = readiness.Pass, fmt.Sprintf("The device (%s) has called %v ago, with its password.", agent, ago.Round(time.Second))
		}
	default:
		f.Result, f.Why = readiness.Unknown, "The device is called with meetings only: it cannot be asked."
	}
	return []readiness.Finding{f}
}

// soon is how long before its end a certificate is spoken of.
const soon = 21 * 24 * time.Hour

// checkCertificate looks at the certificate of an address of this program.
func (c *Config) checkCertificate(at, address string, plain bool, cert, key string) readiness.Finding {
	f := readiness.Finding{Check: "certificate", Subject: strings.TrimPrefix(at, "/")}
	u, err := url.Parse(address)
	if err != nil {
		f.Result, f.Why = readiness.Fail, err.Error()
		return f
	}
	if plain {
		f.Result, f.Why = readiness.Unknown, "There is none here; the proxy in front has it."
		return f
	}
	pair, err := (&keyPair{cert: cert, key: key}).get(nil)
	if err != nil {
		f.Result, f.Why = readiness.Fail, err.Error()
		return f
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err == nil {
		err = leaf.VerifyHostname(u.Hostname())
	}
	left := time.Until(leaf.NotAfter)
	switch {
	case err != nil:
		f.Result, f.Why, f.Fix = readiness.Fail, err.Error(), "Get a certificate for "+u.Hostname()+"."
	case left <= 0:
		f.Result, f.Why, f.Fix = readiness.Fail, "The certificate has ended at "+leaf.NotAfter.UTC().Format(time.RFC3339)+".", "Renew it; the files are read again by themselves."
	case left < soon:
		f.Result, f.Why, f.Fix = readiness.Warn, "The certificate ends at "+leaf.NotAfter.UTC().Format(time.RFC3339)+".", "Renew it; the files are read again by themselves."
	default:
		f.Result, f.Why = readiness.Pass, "The certificate is for "+u.Hostname()+" and ends at "+leaf.NotAfter.UTC().Format(time.RFC3339)+"."
	}
	return f
}

// Network returns what of the configuration matters to a firewall.
func (c *Config) Network() readiness.Network {
	n := readiness.Network{Service: c.Site.URL}
	if n.Service == "" && c.Control != nil {
		n.Service = c.Control.URL
	}
	for _, name := range sortedKeys(c.Calendars) {
		if cal := c.Calendars[name]; cal.URL != "" {
			// The path of a feed is often a secret.
			if u, err := url.Parse(strings.ReplaceAll(cal.URL, "{mailbox}", "mailbox")); err == nil {
				n.Calendars = append(n.Calendars, u.Scheme+"://"+u.Host)
			}
		}
	}
	for i := range c.Rooms {
		switch d := &c.Rooms[i].Device; {
		case d.Type == "cisco" && d.Via == "cloud":
			n.Webex = d.webex.BaseURL
			if n.Webex == "" {
				n.Webex = cisco.WebexBaseURL
			}
		case d.Type == "webhook":
			if u, err := url.Parse(d.Address); err == nil {
				n.Pushed = append(n.Pushed, u.Host)
			}
		case d.Type == "cisco" && (d.Via == "" || d.Via == "https" || d.Via == "websocket"):
			n.Pushed = append(n.Pushed, d.Address)
		default:
			n.Calling = true
		}
	}
	slices.Sort(n.Calendars)
	slices.Sort(n.Pushed)
	n.Calendars, n.Pushed = slices.Compact(n.Calendars), slices.Compact(n.Pushed)
	return n
}

// merge returns what of two configurations matters to a firewall.
func merge(a, b readiness.Network) readiness.Network {
	both := func(a, b []string) []string {
		out := append(slices.Clone(a), b...)
		slices.Sort(out)
		return slices.Compact(out)
	}
	a.Service, a.Webex, a.NTP = cmp.Or(a.Service, b.Service), cmp.Or(a.Webex, b.Webex), cmp.Or(a.NTP, b.NTP)
	a.Calendars, a.Pushed = both(a.Calendars, b.Calendars), both(a.Pushed, b.Pushed)
	a.Calling, a.Notifications = a.Calling || b.Calling, a.Notifications || b.Notifications
	return a
}
