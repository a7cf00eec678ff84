package roomos

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseVersion(t *testing.T) {
	for raw, want := range map[string]string{
		"ce9.15.17.4": "9.15.17", "RoomOS 11.14.4.0": "11.14.4", "TC7.3.9.abc": "7.3.9", "ce26.0.0.51.ddab38ccabf": "26.0.0", "10.19": "10.19.0",
	} {
		v, ok := ParseVersion(raw)
		assert.True(t, ok, raw)
		assert.Equal(t, want, v.String(), raw)
	}
	for _, raw := range []string{"", "ce", "11", "v.", "ce99999999999999999999.1"} {
		v, ok := ParseVersion(raw)
		assert.False(t, ok, raw)
		assert.True(t, v.IsZero(), raw)
	}
	v, _ := ParseVersion("ce11.27.2")
	assert.True(t, v.AtLeast(11, 27))
	assert.True(t, v.AtLeast(10, 99))
	assert.False(t, v.AtLeast(11, 28))
}

func TestFacts(t *testing.T) {
	at := func(s string) Version { v, _ := ParseVersion(s); return v }
	for _, c := range []struct {
		values []Value
		text   string
		first  string // the last version without, the first with
		with   string
	}{
		{Protocols, "WebRTC", "9.15.17", "10.19.4"},
		{Protocols, "None", "11.26.0", "11.27.2"},
		{Platforms, "Zoom", "9.15.17", "10.19.4"},
		{Platforms, "None", "11.26.0", "11.27.2"},
	} {
		assert.False(t, Allows(c.values, c.text, at(c.first)), "%s in %s", c.text, c.first)
		assert.True(t, Allows(c.values, c.text, at(c.with)), "%s in %s", c.text, c.with)
	}
	put, ok := Find("Bookings Put")
	require.True(t, ok)
	assert.False(t, put.In(at("9.13.0")))
	assert.True(t, put.In(at("9.15.17")))
	_, ok = Find("Bookings CurrentTime")
	assert.False(t, ok, "there is no such command")
}

func TestParseXML(t *testing.T) {
	n, err := ParseXML([]byte("\x01 <?xml version='1.0'?><env:A status=\"OK\"><b> x &amp; <![CDATA[<y>]]></b><b>\x05z</b></env:A>"))
	require.NoError(t, err)
	assert.Equal(t, "A", n.Name)
	assert.Equal(t, "OK", n.Status)
	require.Len(t, n.All("b"), 2)
	assert.Equal(t, "x & <y>", n.Value("b"))
	assert.Nil(t, n.Get("c", "d"))
	for _, bad := range []string{
		"", "x", "<a>", "<a></b>", "<a/><b/>", "<a", "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "<a>&e;</a>",
		strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
	} {
		_, err := ParseXML([]byte(bad))
		assert.Error(t, err, "%.40q", bad)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<Command><BookingsListResult status=\"OK\"><Booking item=\"1\"><Id>x</Id></Booking></BookingsListResult></Command>"))
	f.Add([]byte(`{"status":"OK","Booking":[{"id":"1","Id":"x","Time":{"Duration":{"Value":3}}}]}`))
	f.Add([]byte("<a>\x00<b/>&lt;</a>"))
	f.Add([]byte(`{"Duration":2` + strings.Repeat("0", 310) + `}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var walk func(n *Node, depth int) int
		walk = func(n *Node, depth int) int {
			require.LessOrEqual(t, depth, maxDepth+1)
			count := 1
			for _, k := range n.Kids {
				count += walk(k, depth+1)
			}
			return count
		}
		if n, err := ParseXML(data); err == nil {
			assert.LessOrEqual(t, walk(n, 0), maxNodes)
			assert.NotContains(t, n.Text, "\x00")
		}
		if n, err := ParseJSON("x", data); err == nil {
			assert.LessOrEqual(t, walk(n, 0), maxNodes+1)
			var first any
			d := json.NewDecoder(strings.NewReader(string(data)))
			d.UseNumber() // the tree keeps a number as text, so it may be larger than a float64
			assert.NoError(t, d.Decode(&first), "what we take, encoding/json takes")
		}
	})
}
