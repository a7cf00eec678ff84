package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco"
	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// How long the checks of one thing may take, and how many are made at a time.
const (
	checkTime = 30 * time.Second
	siteTime  = 5 * time.Second
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
		reach, cancel := context.WithTimeout(ctx, siteTime)
		add(checkSite(reach, c.Site.URL, nil))
		cancel()
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
				if providers[cal], err = newProvider(cal, nil); err != nil {
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

// Mailboxes are the mail addresses of the mailboxes of the configuration, sorted.
// A calendar whose mailboxes have other names is no Exchange.
func (c *Config) Mailboxes() []string {
	all := map[string]bool{}
	for i := range c.Rooms {
		for _, src := range c.Rooms[i].sources() {
			if strings.Contains(src.Mailbox, "@") {
				all[strings.ToLower(src.Mailbox)] = true
			}
		}
	}
	return sortedKeys(all)
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
	f := readiness.Calendar(name, len(events), err)
	if f.Result == readiness.Fail || f.Result == readiness.Unknown {
		return []readiness.Finding{f}
	}
	return append([]readiness.Finding{f}, readiness.Invites(name, events, c.engine)...)
}

// checkDevice asks the device of a room for what it lacks.
func checkDevice(ctx context.Context, site *Site, r *Room) []readiness.Finding {
	build := Builders()[r.Device.Type]
	if build == nil || r.Device.Type != "cisco" || ciscoWays[r.Device.Via] == "" {
		f := readiness.Finding{Check: "device", Subject: r.Name, Result: readiness.Unknown}
		f.Why = "The device calls this program, or is called with meetings only: it cannot be asked."
		f.Fix = "Look at the room's state in /health of the running program."
		return []readiness.Finding{f, readiness.Clock(r.Name, false, false)}
	}
	e, err := build(site, r.Name, r.Device)
	if err != nil {
		return []readiness.Finding{readiness.Device(r.Name, err)}
	}
	if device, ok := e.(*cisco.Endpoint); ok {
		defer closeDevice(ctx, device)
	}
	return checkEndpoint(ctx, r.Name, site.config.URL, r.Device, e)
}

// checkEndpoint asks a device for what it lacks, or says when one that calls last
// did; service is what that calls.
func checkEndpoint(ctx context.Context, subject, service string, d Device, e otj.Endpoint) []readiness.Finding {
	var out []readiness.Finding
	switch e := e.(type) {
	case *cisco.Endpoint:
		return checkCisco(ctx, subject, d, e)
	case otj.Caller:
		when, agent := e.LastCall()
		out = append(out, readiness.Calling(subject, when, time.Now(), agent, service))
	default:
		out = append(out, readiness.Finding{Check: "device", Subject: subject, Result: readiness.Unknown, Why: "The device is called with meetings only: it cannot be asked."})
	}
	return append(out, readiness.Clock(subject, false, false))
}

// checkCisco asks a device that can be called for what it lacks.
func checkCisco(ctx context.Context, subject string, d Device, e *cisco.Endpoint) []readiness.Finding {
	lacks, err := e.Check(ctx, ciscoWays[d.Via])
	out := []readiness.Finding{readiness.Device(subject, err)}
	if err != nil {
		return out
	}
	clock := true
	for _, l := range lacks {
		switch l.Code {
		case cisco.FindingClock:
			clock = false
		case cisco.FindingNTP:
			out = append(out, readiness.Finding{Check: "device-ntp", Subject: subject, Result: readiness.Warn, Why: l.Text,
				Fix: "Give the device a time server, and let it through to UDP port 123.", Command: l.Command})
		case cisco.FindingForeign:
			out = append(out, readiness.Finding{Check: "device-foreign", Subject: subject, Result: readiness.Fail, Why: sentence(errors.New(l.Text))})
		default:
			out = append(out, readiness.Finding{Check: "device-settings", Subject: subject, Result: readiness.Fail, Why: l.Text,
				Fix: "Set it at the device, or with otj setup --apply.", Command: l.Command})
		}
	}
	return append(out, readiness.Clock(subject, true, clock))
}

// checkSite says whether the address that devices call answers from here. That a
// firewall lets the devices through is only known once they have called.
func checkSite(ctx context.Context, address string, roots *x509.CertPool) readiness.Finding {
	f := readiness.Finding{Check: "site", Subject: address, Result: readiness.Pass, Why: "Devices find an answer at this address, seen from here."}
	u, err := url.Parse(address)
	if err != nil {
		f.Result, f.Why = readiness.Fail, err.Error()
		return f
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	host := net.JoinHostPort(u.Hostname(), cmp.Or(port, "443"))
	var conn net.Conn
	if u.Scheme == "http" {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host)
	} else {
		conn, err = (&tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", host)
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case err == nil:
		_ = conn.Close()
	case errors.As(err, &dns):
		f.Result, f.Why, f.Fix = readiness.Fail, "The name of the address is not in the DNS: "+err.Error()+".", "Add it to the DNS that the devices ask."
	case errors.As(err, &cert):
		f.Result, f.Why, f.Fix = readiness.Warn, "What answers there has a certificate that this machine does not trust: "+err.Error()+".", "Devices have to trust it: use a certificate of an authority that they know."
	default:
		f.Result, f.Why, f.Fix = readiness.Unknown, "Nothing answers there, seen from here: "+err.Error()+".", "Start otj serve, and run the check again. See that the firewall lets devices through to TCP port "+cmp.Or(port, "443")+"."
	}
	return f
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
	n.Notifications, n.NoConsole = c.Notifications != "", c.Control == nil
	for _, name := range sortedKeys(c.Calendars) {
		if cal := c.Calendars[name]; cal.Type == "microsoft365" {
			if at, err := cal.app.cloud(); err == nil {
				n.Calendars = append(n.Calendars, at.Graph, at.Authority)
			}
		} else if cal.Type != waitingType && cal.URL != "" {
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
