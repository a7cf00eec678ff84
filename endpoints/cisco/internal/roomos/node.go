package roomos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Node is a value in a device's answer: a document of XML, or of JSON.
type Node struct {
	Name   string
	Status string // the attribute status, as in "OK" or "ParameterError"
	Text   string
	Kids   []*Node
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
