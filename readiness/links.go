package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rewriters says which security gateways have rewritten links in a room's
// invites, and what to exempt. Opaque names those whose links cannot be undone:
// their meetings have no button. Both map a gateway's name, as rules.Unwrap
// gives it, to one of the hosts whose links it had rewritten, or to "" where that
// cannot be seen.
func Rewriters(mailbox string, undone, opaque map[string]string) []Finding {
	var out []Finding
	for gateway, host := range undone {
		f := exemption(gateway, host)
		f.Subject, f.Result = mailbox, Pass
		f.Why = fmt.Sprintf("%s rewrites links%s. They are turned back here.", gateway, ofHost(host))
		out = append(out, f)
	}
	for gateway, host := range opaque {
		f := exemption(gateway, host)
		f.Subject, f.Result = mailbox, Fail
		f.Why = fmt.Sprintf("%s rewrites links%s in a way that only it can undo. Such meetings have no button, unless the invite says their number and passcode.", gateway, ofHost(host))
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Finding) int { return cmp.Compare(a.Why, b.Why) })
	return out
}

func ofHost(host string) string {
	if host == "" {
		return ""
	}
	return " of " + host
}

// meetingHosts are the hosts of the services that most links lead to.
var meetingHosts = []string{"teams.microsoft.com", "teams.live.com", "*.zoom.us", "*.webex.com", "meet.google.com"}

// places say where in a gateway's administration its exemptions are.
var places = map[string]string{
	"Microsoft Safe Links": `In the Microsoft Defender portal, Policies, Safe Links, add to "Do not rewrite the following URLs in email":`,
	"Mimecast":             `In Mimecast, Gateway, URL Protection, make the managed URLs Permitted, with "Disable URL rewrite":`,
	"Proofpoint":           "In Proofpoint's URL Defense, URL rewrite policies, add to the exceptions:",
	"Barracuda":            "In Barracuda's Advanced Threat Protection, Link Protection, add to the policy exemptions:",
}

// exemption says what a gateway should leave alone. Host is one that was seen.
func exemption(gateway, host string) Finding {
	hosts := meetingHosts
	if host != "" && printable(host) && !slices.ContainsFunc(hosts, func(h string) bool {
		return h == host || strings.HasPrefix(h, "*") && strings.HasSuffix(host, h[1:])
	}) {
		hosts = append(slices.Clone(hosts), host)
	}
	place := places[gateway]
	if place == "" {
		place = "In the policy of " + gateway + ", exempt from rewriting:"
	}
	f := Finding{Check: "link-rewriting", Fix: place + " https://" + strings.Join(hosts, "/, https://") + "/. Those that you use are enough. It works for invites that come later."}
	if gateway == "Microsoft Safe Links" {
		var urls []string
		for _, h := range hosts {
			urls = append(urls, Quote("https://"+h+"/*"))
		}
		f.Command = "Get-SafeLinksPolicy | ForEach-Object { Set-SafeLinksPolicy -Identity $_.Identity -DoNotRewriteUrls @{ Add = " + strings.Join(urls, ", ") + " } }"
	}
	return f
}
