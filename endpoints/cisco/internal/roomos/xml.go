package roomos

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseXML reads a document. Names come without their namespace. Control bytes,
// which devices put into some names, are dropped; a document type, and with it
// entities, is an error.
//
// Lists of bookings are read back all day, and reading them by encoding/xml
// costs more than sending them. What devices send is plain: [parsePlain] reads
// that, and everything else is left to encoding/xml.
func ParseXML(data []byte) (*Node, error) {
	data = bytes.TrimSpace(data)
	if root := parsePlain(string(data)); root != nil {
		return root, nil
	}
	return parseAny(data)
}

// parseAny reads any document.
func parseAny(data []byte) (*Node, error) {
	if slices.ContainsFunc(data, isControl) {
		data = bytes.TrimSpace(slices.DeleteFunc(slices.Clone(data), isControl))
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	var stack []*Node
	var root *Node
	count := 0
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if e := (*xml.SyntaxError)(nil); errors.As(err, &e) && strings.Contains(e.Msg, "unexpected EOF") {
				return nil, fmt.Errorf("%w: %w", ErrTruncated, err)
			}
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
				if a.Name.Local == "status" {
					n.Status = a.Value
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
	if len(stack) > 0 {
		return nil, fmt.Errorf("%w: <%s> is not closed", ErrTruncated, stack[len(stack)-1].Name)
	}
	if root == nil {
		return nil, errors.New("empty answer")
	}
	return root, nil
}

func isControl(b byte) bool {
	return b < 0x20 && b != '\t' && b != '\n' && b != '\r'
}

// ErrTruncated says that the document ends too early.
var ErrTruncated = errors.New("truncated XML")

// parsePlain reads a document of elements, attributes and text: no comments,
// sections, instructions or document types, and names of ASCII. It returns nil
// for all others, and for what is wrong or too large.
func parsePlain(s string) *Node {
	if !utf8.ValidString(s) || strings.Contains(s, "\ufffe") || strings.Contains(s, "\uffff") {
		return nil
	}
	p := plainParser{s: s}
	if rest, ok := strings.CutPrefix(s, "<?xml "); ok {
		declared, rest, ok := strings.Cut(rest, "?>")
		if !ok || !slices.Contains(declarations, strings.ToLower(strings.ReplaceAll(strings.TrimSpace(declared), "'", `"`))) {
			return nil
		}
		p.s = rest
	}
	elements := strings.Count(p.s, "<") - strings.Count(p.s, "</")
	if elements < 1 || elements > maxNodes {
		return nil
	}
	// All nodes, and all lists of children, are in one piece each.
	p.nodes, p.kids = make([]Node, 0, elements), make([]*Node, 0, elements)
	return p.document()
}

var declarations = []string{`version="1.0"`, `version="1.0" encoding="utf-8"`}

// plainParser is where parsePlain is.
type plainParser struct {
	s     string // what is left
	nodes []Node
	kids  []*Node
	// open are the elements that are not closed, and closed those children of
	// theirs that are.
	open   [maxDepth]openNode
	closed []*Node
}

type openNode struct {
	*Node
	first int // its children are in closed from here on
}

func (p *plainParser) document() *Node {
	depth := 0
	for {
		i := strings.IndexByte(p.s, '<')
		if i < 0 {
			return nil // not closed, or text at the end
		}
		text := p.s[:i]
		p.s = p.s[i+1:]
		switch {
		case depth == 0:
			if strings.TrimLeft(text, " \t\n") != "" {
				return nil
			}
		case text != "":
			t, ok := plainText(text)
			if !ok {
				return nil
			}
			top := p.open[depth-1]
			if top.Text == "" {
				top.Text = t
			} else if strings.TrimSpace(t) != "" {
				top.Text += t
			}
		}
		if strings.HasPrefix(p.s, "/") {
			p.s = p.s[1:]
			name, ok := p.name()
			if !ok || !p.skip('>') || depth == 0 || p.open[depth-1].Name != name {
				return nil
			}
			depth--
		} else {
			if depth == maxDepth || len(p.nodes) == cap(p.nodes) {
				return nil
			}
			p.nodes = append(p.nodes, Node{})
			n := &p.nodes[len(p.nodes)-1]
			closed, ok := p.start(n)
			if !ok {
				return nil
			}
			p.open[depth] = openNode{n, len(p.closed)}
			if !closed {
				depth++
				continue
			}
		}
		// An element has ended.
		n := p.open[depth]
		if kids := p.closed[n.first:]; len(kids) > 0 {
			at := len(p.kids)
			p.kids = append(p.kids, kids...)
			n.Kids = p.kids[at:len(p.kids):len(p.kids)]
			p.closed = p.closed[:n.first]
		}
		if depth == 0 {
			if p.s != "" {
				return nil
			}
			return n.Node
		}
		p.closed = append(p.closed, n.Node)
	}
}

// start reads a start tag, after its "<", into n.
func (p *plainParser) start(n *Node) (closed, ok bool) {
	if n.Name, ok = p.name(); !ok {
		return false, false
	}
	for {
		rest := strings.TrimLeft(p.s, " \t\n")
		spaced := len(rest) < len(p.s)
		p.s = rest
		switch {
		case p.skip('>'):
			return false, true
		case strings.HasPrefix(p.s, "/>"):
			p.s = p.s[2:]
			return true, true
		case !spaced:
			return false, false
		}
		name, ok := p.name()
		if !ok || !p.skip('=') || p.s == "" || p.s[0] != '"' && p.s[0] != '\'' {
			return false, false
		}
		quote := p.s[0]
		end := strings.IndexByte(p.s[1:], quote)
		if end < 0 {
			return false, false
		}
		value, ok := plainText(p.s[1 : end+1])
		if !ok || strings.IndexByte(value, '<') >= 0 {
			return false, false
		}
		p.s = p.s[end+2:]
		if name == "status" {
			n.Status = value
		}
	}
}

// skip goes over b, if it is next.
func (p *plainParser) skip(b byte) bool {
	if p.s == "" || p.s[0] != b {
		return false
	}
	p.s = p.s[1:]
	return true
}

// name reads a name and returns what follows its prefix.
func (p *plainParser) name() (local string, ok bool) {
	from := 0
	for i := 0; i < len(p.s); i++ {
		switch b := p.s[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
		case i > from && (b >= '0' && b <= '9' || b == '-' || b == '.'):
		case b == ':' && from == 0 && i > 0:
			from = i + 1
		default:
			local, p.s = p.s[from:i], p.s[i:]
			return local, i > from
		}
	}
	return "", false
}

// plainText returns text with its references replaced.
func plainText(s string) (string, bool) {
	special := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b < 0x20 && b != '\t' && b != '\n':
			return "", false
		case b == '&':
			special = true
		case b == '>' && strings.HasSuffix(s[:i], "]]"):
			return "", false
		}
	}
	if !special {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		before, rest, found := strings.Cut(s, "&")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		ref, rest, found := strings.Cut(rest, ";")
		if !found {
			return "", false
		}
		s = rest
		switch ref {
		case "lt":
			b.WriteByte('<')
		case "gt":
			b.WriteByte('>')
		case "amp":
			b.WriteByte('&')
		case "quot":
			b.WriteByte('"')
		case "apos":
			b.WriteByte('\'')
		default:
			r, ok := plainRune(ref)
			if !ok {
				return "", false
			}
			b.WriteRune(r)
		}
	}
}

// plainRune reads a reference by number, as in "#34" or "#x22".
func plainRune(ref string) (rune, bool) {
	digits, ok := strings.CutPrefix(ref, "#")
	base := 10
	if hex, is := strings.CutPrefix(digits, "x"); is {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	r := rune(n)
	return r, ok && err == nil && (r == '\t' || r == '\n' || r >= 0x20) && r != 0xfffe && r != 0xffff && utf8.ValidRune(r)
}
