package roomos

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const list = "<?xml version=\"1.0\"?>\n<Command><BookingsListResult status=\"OK\"><ResultInfo><TotalRows>1</TotalRows></ResultInfo>\n" +
	" <Booking item=\"1\" maxOccurrence='n'><Id>otj-x</Id><Title>Gr&#252;&#xDF;e &amp; &lt;b&gt; &quot;a&apos;</Title><Agenda/><Time><StartTime>2026-11-23T09:00:00Z</StartTime></Time></Booking></BookingsListResult></Command>"

func TestPlainXMLIsReadPlainly(t *testing.T) {
	for _, s := range []string{
		list, "<a/>", "<a></a>", "<x:a x:status='OK' b=\"&#9;\"\n/>", "<a>]] &gt; \t\n</a>", `<?xml version='1.0' encoding='UTF-8'?><a>é</a>`,
		strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth),
	} {
		n := parsePlain(s)
		require.NotNil(t, n, s)
		want, err := parseAny([]byte(s))
		require.NoError(t, err)
		assert.Equal(t, want, n)
	}
}

func TestOtherXMLIsLeftToEncodingXML(t *testing.T) {
	for _, s := range []string{
		"", "a", "<", "</", "<a", "<a>", "<a b>", "<a b=c/>", "<a b='<'/>", "<a b='1'c='2'/>", "<a>&x;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#x110000;</a>",
		"<a>]]></a>", "<a></b>", "<a/><b/>", "<a/>x", "x<a/>", "<a>\x01</a>", "<a>\xff</a>", "<a>\ufffe</a>", "<a>\r\n</a>", "<é/>", "<a:b:c/>", "<:a/>", "<a:/>", "<1/>",
		"<a><!-- x --></a>", "<a><![CDATA[x]]></a>", "<a><?x?></a>", "<!DOCTYPE a><a/>", `<?xml version="1.0" encoding="latin1"?><a/>`, "<a>&lt</a>", "<a></a >",
		strings.Repeat("<a>", maxDepth+1) + strings.Repeat("</a>", maxDepth+1), "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
	} {
		assert.Nil(t, parsePlain(s), "%.60q", s)
	}
}

// What is read plainly, encoding/xml reads too, and as the same.
func FuzzPlainXML(f *testing.F) {
	f.Add(list)
	f.Add("<a b='1' c=\"2\">x<b/>y&#x41;</a>")
	f.Add("<?xml version='1.0'?><a:b a:status='x'> </a:b>")
	f.Fuzz(func(t *testing.T, s string) {
		n := parsePlain(s)
		if n == nil {
			return
		}
		want, err := parseAny([]byte(s))
		require.NoError(t, err)
		require.Equal(t, want, n)
	})
}

func BenchmarkParseXML(b *testing.B) {
	booking := list[strings.Index(list, "<Booking ") : strings.Index(list, "</Booking>")+len("</Booking>")]
	doc := []byte(strings.Replace(list, booking, strings.Repeat(booking, 20), 1))
	for name, parse := range map[string]func([]byte) (*Node, error){"plain": ParseXML, "encoding-xml": parseAny} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
