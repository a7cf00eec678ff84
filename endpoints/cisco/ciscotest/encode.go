package ciscotest

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"encoding/json"

	"github.com/onetouchjoin/onetouchjoin/endpoints/cisco/internal/roomos"
)

func writeXML(b *bytes.Buffer, n *roomos.Node) {
	b.WriteString("<" + n.Name)
	if n.Status != "" {
		fmt.Fprintf(b, " status=%q", n.Status)
	}
	if n.Text == "" && len(n.Kids) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	xml.EscapeText(b, []byte(n.Text)) //nolint:errcheck // a buffer does not fail
	for _, k := range n.Kids {
		writeXML(b, k)
	}
	b.WriteString("</" + n.Name + ">")
}

// node returns the result as XML has it.
func (r *result) node() *roomos.Node {
	n := &roomos.Node{Name: r.name, Status: r.status, Kids: r.kids}
	if r.reason != "" {
		n.Kids = append(n.Kids, &roomos.Node{Name: "Reason", Text: r.reason})
	}
	if r.xpath != "" {
		n.Kids = append(n.Kids, &roomos.Node{Name: "XPath", Text: r.xpath})
	}
	return n
}

// value returns the node as JSON has it: leaves as texts, or wrapped as
// terminals wrap them.
func value(n *roomos.Node, wrap bool) any {
	if len(n.Kids) == 0 {
		if wrap {
			return map[string]any{"Value": n.Text}
		}
		return n.Text
	}
	return object(n.Kids, wrap)
}

func object(kids []*roomos.Node, wrap bool) map[string]any {
	m := map[string]any{}
	items := map[string][]any{}
	for _, k := range kids {
		switch k.Name {
		case "Booking", "Call":
			o := object(k.Kids, wrap)
			o["id"] = fmt.Sprint(len(items[k.Name]) + 1)
			items[k.Name] = append(items[k.Name], o)
		default:
			m[k.Name] = value(k, wrap)
		}
	}
	for name, list := range items {
		m[name] = list
	}
	return m
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// Only texts, numbers and maps come here.
		panic(err)
	}
	return b
}
