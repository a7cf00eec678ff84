package readiness

import (
	"fmt"
	"net/url"
	"strings"
)

// PortRule is one line for whoever runs the firewall.
type PortRule struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Transport   string `json:"transport"`
	Port        string `json:"port"`
	Application string `json:"application"`
	Why         string `json:"why"`
}

// Network is what of a configuration matters to a firewall.
type Network struct {
	// Service is the address at which devices and browsers reach this service,
	// as in "https://otj.example.com:8443".
	Service string
	// Calendars are the base addresses of the calendar systems.
	Calendars []string
	// SignIn are the base addresses at which tokens for calendars are had, as in
	// "https://login.microsoftonline.com", and at which administrators sign in.
	SignIn []string
	// Pushed are hosts of devices that the service calls, with or without a port.
	Pushed []string
	// Calling says that there are devices that call the service, and Webex that
	// there are some which are reached by the Webex cloud, at that address.
	Calling bool
	Webex   string
	// Notifications says that the calendar system calls the service.
	Notifications bool
	// NoConsole says that there is no control centre for administrators to call.
	NoConsole bool
	// NTP names the time servers that devices use; empty leaves it to the reader.
	NTP string
}

// Ports returns the firewall rules of a configuration.
func (n Network) Ports() []PortRule {
	var out []PortRule
	add := func(from, address, why string) {
		host, port := hostPort(address)
		application := "HTTPS"
		if strings.HasPrefix(address, "http://") {
			application = "HTTP"
		}
		out = append(out, PortRule{from, host, "TCP", port, application, why})
	}
	for _, c := range n.Calendars {
		add("this service", c, "reads the rooms' calendars")
	}
	for _, c := range n.SignIn {
		add("this service", c, "gets tokens for calendars and sign-in")
	}
	for _, d := range n.Pushed {
		add("this service", "https://"+d, "pushes meetings to the device")
	}
	if n.Webex != "" {
		add("this service", n.Webex, "pushes meetings by the Webex cloud")
	}
	if n.Calling {
		add("video systems", n.Service, "fetch their meetings")
	}
	if n.Notifications {
		add("Microsoft Graph", n.Service, "tells of changed meetings")
	}
	if !n.NoConsole {
		add("administrators", n.Service, "use the console")
	}
	ntp := n.NTP
	if ntp == "" {
		ntp = "your time servers"
	}
	return append(out, PortRule{"video systems", ntp, "UDP", "123", "NTP", "a device with a wrong clock shows meetings at wrong times"})
}

func hostPort(address string) (host, port string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address, "443"
	}
	port = u.Port()
	if port == "" {
		if port = "443"; u.Scheme == "http" {
			port = "80"
		}
	}
	return u.Hostname(), port
}

// Table writes rules as a Markdown table.
func Table(rules []PortRule) string {
	var b strings.Builder
	b.WriteString("| From | To | Transport | Port | Application | Why |\n| --- | --- | --- | --- | --- | --- |\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ").Replace
	for _, r := range rules {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(r.From), cell(r.To), cell(r.Transport), cell(r.Port), cell(r.Application), cell(r.Why))
	}
	return b.String()
}
