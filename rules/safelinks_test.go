package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Safe Link that is an attribute is seen through in the text. What is found is
// what the link itself gives, as a trace has it, however the link is written.
func TestSafeLinksInAttributes(t *testing.T) {
	const wrapper = "https://eur01.safelinks.protection.outlook.com/?url="
	const tail = "&amp;data=05%7C02%7C%7C0&amp;sdata=a%2Bb%3D&amp;reserved=0"
	const zoom = "https://us02web.zoom.us/j/93100000042?pwd=Zk4T.1"
	const escaped = "https%3A%2F%2Fus02web.zoom.us%2Fj%2F93100000042%3Fpwd%3DZk4T.1"
	for name, c := range map[string]struct{ html, want string }{
		"plain":            {`<a href="` + wrapper + escaped + tail + `">x</a>`, zoom},
		"nothing behind":   {`<a href="` + wrapper + escaped + `">x</a>`, zoom},
		"path":             {`<a href="https://eur01.safelinks.protection.outlook.com/ap/w-59584e83/?url=` + escaped + tail + `">x</a>`, zoom},
		"single ampersand": {`<a href="` + wrapper + escaped + `&data=1">x</a>`, zoom},
		"single quotes":    {`<a href='` + wrapper + escaped + tail + `'>x</a>`, zoom},
		"no quotes":        {`<a href=` + wrapper + escaped + tail + `>x</a>`, zoom},
		"shown":            {`<p>` + wrapper + escaped + tail + `</p>`, zoom},
		"small escapes":    {`<a href="` + wrapper + `https%3a%2f%2fus02web.zoom.us%2fj%2f93100000042%3fpwd%3dZk4T.1` + tail + `">x</a>`, zoom},
		"line break":       {`<a href="` + wrapper + "https%3A%2F%2Fus02web.zoom.us%2Fj%2F93100\r\n000042%3Fpwd%3DZk4T.1" + tail + `">x</a>`, zoom},
		"entity":           {`<a href="` + wrapper + `https%3A%2F%2Fus02web.zoom.us%2Fj&#37;2F93100000042%3Fpwd%3DZk4T.1` + tail + `">x</a>`, zoom},
		"entity first":     {`<a href="` + wrapper + `https%3A%2F%2Fus02web.zoom.us%2F&#106;%2F93100000042%3Fpwd%3DZk4T.1` + tail + `">x</a>`, zoom},
		"entity, of Meet":  {`<a href="` + wrapper + `https%3A%2F%2Fmeet.google.com%2F&#97;bc-defg-hij` + tail + `">x</a>`, "https://meet.google.com/abc-defg-hij"},
		"another query":    {`<a href="https://eur01.safelinks.protection.outlook.com/?a=b?url=` + escaped + `">x</a>`, ""},
		"user":             {`<a href="https://eur01.safelinks.protection.outlook.com@evil.example/?url=` + escaped + `">x</a>`, ""},
		"user with a path": {`<a href="https://eur01.safelinks.protection.outlook.com:x@evil.example/?url=` + escaped + `">x</a>`, ""},
		"port":             {`<a href="https://eur01.safelinks.protection.outlook.com:443/?url=` + escaped + tail + `">x</a>`, zoom},
		"fragment":         {`<a href="` + wrapper + escaped + `#frag">x</a>`, zoom},
		"twice":            {`<a href="` + wrapper + `https%3A%2F%2Feur01.safelinks.protection.outlook.com%2F%3Furl%3Dhttps%253A%252F%252Fus02web.zoom.us%252Fj%252F93100000042%253Fpwd%253DZk4T.1%26data%3D1` + tail + `">x</a>`, zoom},
		"missing quote":    {`<a href="` + wrapper + escaped + `>x</a> and <a href="https://example.com/">y</a>`, zoom},
		"nothing":          {`<a href="` + wrapper + `https%3A%2F%2Fus02web.zoom.us%2Fpricing` + tail + `">x</a>`, ""},
		"comment":          {`<!-- <a href="` + wrapper + escaped + tail + `">x</a> -->`, ""},
		"script":           {`<script>var x = "` + wrapper + escaped + tail + `"</script>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			// The first Safe Link of a mail and those after it are taken otherwise.
			for _, before := range []string{"", `<a href="` + wrapper + `https%3A%2F%2Fexample.com%2F` + tail + `">home</a>`} {
				ev := htmlBody(before + c.html)
				all := Default().Append(nil, ev)
				assert.Equal(t, addressesOf(traced(Default(), ev)), addressesOf(all))
				if c.want == "" {
					assert.Empty(t, all)
					continue
				}
				require.Len(t, all, 1)
				assert.Equal(t, c.want, all[0].Addresses[0].URI)
				assert.Contains(t, (before + c.html)[all[0].Span.Start:all[0].Span.End], "safelinks")
			}
		})
	}
}
