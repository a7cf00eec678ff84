package msgraph

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/webaddr"
)

// Cloud is one of Microsoft's clouds: where Graph and Entra are in it. A tenant
// is in one of them, and an app registration and its credential are good there
// only.
type Cloud struct {
	// Graph is the address of Graph, without a version.
	Graph string
	// Authority is the address of Entra, without a tenant. It serves [Consent];
	// a credential must be made for the same one.
	Authority string
}

// The clouds. GCC, the moderate one of the United States' government, is the
// global cloud. Sources: https://learn.microsoft.com/graph/deployments, and
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud.
var (
	Global  = Cloud{"https://graph.microsoft.com", "https://login.microsoftonline.com"}
	GCCHigh = Cloud{"https://graph.microsoft.us", "https://login.microsoftonline.us"}
	DoD     = Cloud{"https://dod-graph.microsoft.us", "https://login.microsoftonline.us"}
	China   = Cloud{"https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"}
)

// ParseCloud returns the cloud with a name: "global" (also "" and "gcc"),
// "gcc-high", "dod" or "china". Case does not matter.
func ParseCloud(name string) (Cloud, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "global", "gcc":
		return Global, nil
	case "gcc-high", "gcchigh":
		return GCCHigh, nil
	case "dod":
		return DoD, nil
	case "china":
		return China, nil
	}
	return Cloud{}, fmt.Errorf("msgraph: %.40q is no cloud of Microsoft's; there are global, gcc, gcc-high, dod and china", name)
}

// address reads the address of a server. Tokens go there, so it has TLS; a
// server of tests on the same machine may do without.
func address(what, text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("the address of %s, %q, is not an https address", what, text)
	}
	if u.Scheme == "http" && !webaddr.IsLocal(u.Hostname()) {
		return nil, fmt.Errorf("the address of %s, %q, must begin with https: access tokens are sent there", what, text)
	}
	return u, nil
}
