package rules

import (
	"encoding/base64"
	"html"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unwrapAll opens a link until nothing changes.
func unwrapAll(t *testing.T, uri string) string {
	for range 2 * maxDepth {
		target, _, ok := Unwrap(uri)
		if !ok {
			return uri
		}
		require.Less(t, len(target), len(uri))
		uri = target
	}
	t.Fatal("still wrapped")
	return ""
}

func TestUnwrap(t *testing.T) {
	b64 := base64.URLEncoding.EncodeToString([]byte("https://acme.zoom.us/j/93100000042?pwd=Zx9"))
	const zoom, zoomPct = "https://acme.zoom.us/j/93100000042?pwd=Zx9", "https%3A%2F%2Facme.zoom.us%2Fj%2F93100000042%3Fpwd%3DZx9"
	for _, c := range []struct{ name, gateway, in, want string }{
		{"Safe Links", "Microsoft Safe Links", "https://gbr01.safelinks.protection.outlook.com/?url=" + zoomPct + "&data=05%7C02&sdata=a%3D&reserved=0", zoom},
		{"Safe Links with a path", "Microsoft Safe Links", "https://nam02.safelinks.protection.outlook.com/ap/t-59584e83/?url=" + zoomPct + "&data=05", zoom},
		{"Safe Links for government", "Microsoft Safe Links", "https://usg01.safelinks.protection.office365.us/?url=" + zoomPct + "&data=05", zoom},
		{"Safe Links in Teams", "Microsoft Safe Links", "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url=" + zoomPct + "&locale=en", zoom},
		{"Safe Links with entities", "Microsoft Safe Links", "https://gbr01.safelinks.protection.outlook.com/?data=05&amp;url=" + zoomPct + "&amp;reserved=0", zoom},
		{"Safe Links keeps inner escapes", "Microsoft Safe Links", "https://gbr01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join%2F19%253ameeting_QQ%2540thread.v2%2F0&data=5", "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.v2/0"},
		{"Proofpoint v1", "Proofpoint", "https://urldefense.proofpoint.com/v1/url?u=" + zoomPct + "&k=a&r=b&m=c&s=d", zoom},
		{"Proofpoint v2", "Proofpoint", "https://urldefense.proofpoint.com/v2/url?u=https-3A__acme.zoom.us_j_93100000042-3Fpwd-3DZx9&d=Dw&c=a", zoom},
		{"Proofpoint v2, newer host", "Proofpoint", "https://urldefense.com/v2/url?u=https-3A__acme.zoom.us_j_93100000042-3Fpwd-3DZx9&d=Dw", zoom},
		{"Proofpoint v3", "Proofpoint", "https://urldefense.com/v3/__" + zoom + "__;!!Org!sig$", zoom},
		{"Proofpoint v3 for government", "Proofpoint", "https://urldefense.us/v3/__" + zoom + "__;!!Org!sig$", zoom},
		{"Proofpoint v3 with one slash", "Proofpoint", "https://urldefense.com/v3/__https:/acme.zoom.us/j/93100000042?pwd=Zx9__;!!Org!sig$", zoom},
		{"Proofpoint v3 with a byte", "Proofpoint", "https://urldefense.com/v3/__https://acme.zoom.us/j/93100000042*pwd=Zx9__;Pw!!Org!sig$", zoom},
		{"Proofpoint v3 with a run", "Proofpoint", "https://urldefense.com/v3/__https://acme.zoom.us/j/93100000042**Apwd=Zx9__;Pz8!!Org!sig$", "https://acme.zoom.us/j/93100000042??pwd=Zx9"},
		{"Barracuda", "Barracuda", "https://linkprotect.cudasvc.com/url?a=" + zoomPct + "&c=E,1,Ab&typo=1", zoom},
		{"Sophos", "Sophos", "https://us-west-2.protection.sophos.com/?d=zoom.us&u=" + b64 + "&i=a&t=b", zoom},
		{"Sophos without padding", "Sophos", "https://us-west-2.protection.sophos.com?d=zoom.us&u=" + strings.TrimRight(b64, "=") + "&i=a", zoom},
		{"Sophos with a token", "Sophos", "https://us-west-2.protection.sophos.com/?d=zoom.us&b=abc&x=def&q=g", ""},
		{"Trend Micro", "Trend Micro", "https://ctp.trendmicro.com/wis/clicktime/v2/clickthrough?url=" + zoomPct + "&uuid=a&auth=b", zoom},
		{"Symantec", "Symantec", "https://clicktime.symantec.com/3AbCd?h=xyz=&u=" + zoomPct, zoom},
		{"Symantec with a path", "Symantec", "https://clicktime.symantec.com/a/1/tok?d=x&u=" + zoomPct, zoom},
		{"Avanan", "Avanan", "https://url.avanan.click/v2/___" + zoom + "___.YXAz", zoom},
		{"Avanan r01", "Avanan", "https://url.avanan.click/v2/r01/___https:/acme.zoom.us/j/93100000042?pwd=Zx9___.YXAz", zoom},
		{"Avanan with shifted letters", "Avanan", "https://url.avanan.click/v2/r02/___mxxtw://fhrj.ettr.zx/o/1___.YXAz", ""},
		{"Cisco", "Cisco Secure Email", "https://secure-web.cisco.com/1AbC-d_e/" + zoomPct, zoom},
		{"Cisco with a token", "Cisco Secure Email", "https://secure-web.cisco.com/1AbC-d_e", ""},
		{"Mimecast", "Mimecast", "https://protect-de.mimecast.com/s/AbCd?domain=teams.microsoft.com", ""},
		{"Mimecast, newer host", "Mimecast", "https://url.de.m.mimecastprotect.com/s/AbCd", ""},
		{"FireEye", "Trellix", "https://protect2.fireeye.com/v1/url?k=a-b&q=1&e=c&u=" + zoomPct, zoom},
		{"Google", "Google", "https://www.google.com/url?q=" + zoomPct + "&sa=D&source=calendar&usg=AO", zoom},
		{"no gateway", "", zoom, ""},
		{"look-alike", "", "https://safelinks.protection.outlook.com.evil.example/?url=" + zoomPct, ""},
		{"a mail address inside", "Microsoft Safe Links", "https://gbr01.safelinks.protection.outlook.com/?url=mailto%3Aa%40b.example&data=1", ""},
		{"cut escape", "Microsoft Safe Links", "https://gbr01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1%2", "https://zoom.us/j/1%2"},
		{"itself", "Microsoft Safe Links", "https://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.safelinks.protection.outlook.com/", "https://a.safelinks.protection.outlook.com/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, gateway, ok := Unwrap(c.in)
			assert.Equal(t, c.want, target)
			assert.Equal(t, c.gateway, gateway)
			assert.Equal(t, c.want != "", ok)
		})
	}
}

// TestGatewayVectors runs a table of links that others have collected: columns
// kind, wrapped, expected. It is not part of the repository.
func TestGatewayVectors(t *testing.T) {
	path := os.Getenv("OTJ_GATEWAY_VECTORS")
	if path == "" {
		t.Skip("set OTJ_GATEWAY_VECTORS to a tab-separated file with the columns kind, wrapped, expected to run it against links from real mail")
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	require.Greater(t, len(lines), 1)
	for _, l := range lines[1:] {
		f := strings.Split(l, "\t")
		require.GreaterOrEqual(t, len(f), 3, l)
		assert.Equal(t, f[2], unwrapAll(t, html.UnescapeString(f[1])), f[0])
	}
}
