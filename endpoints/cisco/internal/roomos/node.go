package roomos

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Node is a value in a device's answer: a document of XML, or of JSON.
type Node struct {
	Name   string
	Status string // the attribute status, as in "OK" or "ParameterError"
	Text   string
	Kids   []*Node

	product string
	version string
}

// Bounds of what is read from a device.
const (
	maxDepth = 40
	maxNodes = 200_000
)

// Get returns the first node below n along the path; nil if there is none. It
// may be called on nil.
func (n *Node) Get(path ...string) *Node {
	for _, p := range path {
		if n == nil {
			return nil
		}
		var next *Node
		for _, k := range n.Kids {
			if k.Name == p {
				next = k
				break
			}
		}
		n = next
	}
	return n
}

// Value returns the text of the node along the path, without space around it.
func (n *Node) Value(path ...string) string {
	if n = n.Get(path...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// All returns the children of that name.
func (n *Node) All(name string) []*Node {
	if n == nil {
		return nil
	}
	var out []*Node
	for _, k := range n.Kids {
		if k.Name == name {
			out = append(out, k)
		}
	}
	return out
}

// Product and SoftwareVersion are what the root of a document of XML says of
// the device.
func (n *Node) Product() string { return n.product }

// SoftwareVersion is the attribute version of the root.
func (n *Node) SoftwareVersion() string { return n.version }

// ParseXML reads a document. Names come without their namespace. Control bytes,
// which devices put into some names, are dropped; a document type, and with it
// entities, is an error.
func ParseXML(data []byte) (*Node, error) {
	if bytes.IndexFunc(data, isControl) >= 0 {
		data = bytes.Map(func(r rune) rune {
			if isControl(r) {
				return -1
			}
			return r
		}, data)
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimSpace(data)))
	var stack []*Node
	var root *Node
	count := 0
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, errors.New("XML with a document type")
		case xml.StartElement:
			count++
			if count > maxNodes || len(stack) >= maxDepth {
				return nil, errors.New("XML too large or too deep")
			}
			n := &Node{Name: t.Name.Local}
			for _, a := range t.Attr {
				switch a.Name.Local {
				case "status":
					n.Status = a.Value
				case "product":
					n.product = a.Value
				case "version":
					n.version = a.Value
				}
			}
			if len(stack) == 0 {
				if root != nil {
					return nil, errors.New("XML with two roots")
				}
				root = n
			} else {
				top := stack[len(stack)-1]
				top.Kids = append(top.Kids, n)
			}
			stack = append(stack, n)
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].Name != t.Name.Local {
				return nil, fmt.Errorf("not XML: </%s> closes nothing", t.Name.Local)
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				if top.Text == "" {
					top.Text = string(t)
				} else if len(bytes.TrimSpace(t)) > 0 {
					top.Text += string(t)
				}
			}
		}
	}
	if root == nil {
		return nil, errors.New("empty answer")
	}
	if len(stack) > 0 {
		return nil, fmt.Errorf("truncated XML: <%s> is not closed", stack[len(stack)-1].Name)
	}
	return root, nil
}

func isControl(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r'
}

// ParseJSON reads a value of JSON as the tree that XML would give, below a node
// of that name. An array gives a child for each element. Numbers, texts and
// truth values are texts; objects {"Value": …}, in which terminals wrap them,
// are unwrapped.
func ParseJSON(name string, data []byte) (*Node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	count := 0
	nodes, err := jsonNodes(d, name, 0, &count)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if len(nodes) != 1 {
		return &Node{Name: name, Kids: nodes}, nil
	}
	return nodes[0], nil
}

func jsonNodes(d *json.Decoder, name string, depth int, count *int) ([]*Node, error) {
	if *count++; *count > maxNodes || depth > maxDepth {
		return nil, errors.New("too large or too deep")
	}
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &Node{Name: name}
	switch t := tok.(type) {
	case json.Delim:
		if t == '[' {
			var out []*Node
			for d.More() {
				kids, err := jsonNodes(d, name, depth+1, count)
				if err != nil {
					return nil, err
				}
				out = append(out, kids...)
			}
			_, err := d.Token()
			return out, err
		}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			k, _ := key.(string)
			kids, err := jsonNodes(d, k, depth+1, count)
			if err != nil {
				return nil, err
			}
			n.Kids = append(n.Kids, kids...)
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		if s := n.Get("status"); s != nil {
			n.Status = s.Text
		}
		if len(n.Kids) == 1 && n.Kids[0].Name == "Value" && len(n.Kids[0].Kids) == 0 {
			n.Text, n.Kids = n.Kids[0].Text, nil
		}
	case string:
		n.Text = t
	case json.Number:
		n.Text = t.String()
	case bool:
		n.Text = map[bool]string{true: "True", false: "False"}[t]
	}
	return []*Node{n}, nil
}
