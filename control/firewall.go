package control

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/readiness"
)

// Firewall is what has to pass a company's firewall for One-Touch Join to work,
// by what the company has configured. Of other companies it tells nothing.
func (c *Centre) Firewall(ctx context.Context, actor Actor, company string) ([]readiness.PortRule, error) {
	var f parts
	err := c.store.View(ctx, func(tx Tx) error {
		o, err := actor.org(tx, company, ReadCompany)
		if err == nil {
			f, err = readParts(tx, o)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.opts.Live == nil {
		return nil, ErrNoService
	}
	return f.network(c.opts.Live.Network()).Ports(), nil
}

// microsoft are the ends of the hosts of Microsoft 365 in all its clouds.
var microsoft = []string{
	".microsoft.com", ".microsoftonline.com", ".microsoft.us", ".microsoftonline.us", ".chinacloudapi.cn", ".microsoftonline.cn",
}

// network leaves of a server's network what is the company's.
func (f *parts) network(server readiness.Network) readiness.Network {
	n := readiness.Network{Service: server.Service, NTP: server.NTP}
	for _, p := range f.providers {
		switch p.Kind {
		case ICSFeed:
			// The path of a feed is often a secret.
			if u, err := url.Parse(strings.ReplaceAll(p.URL, "{mailbox}", "mailbox")); err == nil {
				n.Calendars = append(n.Calendars, u.Scheme+"://"+u.Host)
			}
		case Microsoft365:
			n.Notifications = server.Notifications
			for _, address := range server.Calendars {
				u, err := url.Parse(address)
				if err == nil && slices.ContainsFunc(microsoft, func(end string) bool { return strings.HasSuffix(u.Hostname(), end) }) {
					n.Calendars = append(n.Calendars, address)
				}
			}
			if len(n.Calendars) == 0 {
				n.Calendars = append(n.Calendars, "https://graph.microsoft.com", "https://login.microsoftonline.com")
			}
		}
	}
	for _, s := range f.systems {
		switch {
		case s.Kind == CiscoWebex:
			if n.Webex = server.Webex; n.Webex == "" {
				n.Webex = "https://webexapis.com"
			}
		case s.Kind.Calls():
			n.Calling = true
		case s.Kind == Webhook:
			if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
				n.Pushed = append(n.Pushed, u.Host)
			}
		case s.Host != "":
			n.Pushed = append(n.Pushed, s.Host)
		}
	}
	slices.Sort(n.Calendars)
	slices.Sort(n.Pushed)
	n.Calendars, n.Pushed = slices.Compact(n.Calendars), slices.Compact(n.Pushed)
	return n
}
