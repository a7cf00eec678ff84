package bench

import (
	"bytes"
	"strings"
)

// Adversarial is an input that is made to cost a scanner as much as it can.
type Adversarial struct {
	Name string
	Head string // written once
	Unit string // repeated up to the size
	Tail string // written once
}

// AdversarialInputs are the shapes that made one scanner or another slow.
func AdversarialInputs() []Adversarial {
	return []Adversarial{
		{"sip:", "", "sip:", ""},
		{")))", "https://meet.jit.si/Room_A", ")", ""},
		{"(((", "https://meet.jit.si/Room_A", "(", ""},
		{"@", "", "@", ""},
		{"aaaaaaa@", "", "aaaaaaa@", ""},
		{"zoom join links", "", "https://zoom.us/j/123456789 ", ""},
		{"a@zoomcrc.com", "", "a@zoomcrc.com", ""},
		{"zoom link with &amp;", "", "https://zoom.us/j/123456789?pwd=a" + strings.Repeat("&amp;b=c", 1000) + " ", ""},
		{"one long host", "https://", "a.", "zoom.us/j/123456789"},
		{"&#", "", "&#", ""},
		{"://", "", "://", ""},
		{"sip:a@b,", "", "sip:a@b,", ""},
		{"https://zoom.us/ glued", "", "https://zoom.us/", ""},
		{"safe links prefix", "", "https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2F", ""},
		{`<a ">`, "", `<a ">`, ""},
		{"</", "", "</", ""},
		{"<a", "", "<a", ""},
		{"&amp;", "", "&amp;", ""},
		{"<style>", "", "<style>", ""},
		{"<!--", "", "<!--", ""},
		{"Meeting ID:", "", "Meeting ID: ", ""},
		{"Passcode: 1", "https://zoom.us/j/123456789\n", "Passcode: 1 ", ""},
		{"digits", "", "1234 5678 ", ""},
		{"quoted lines", "", "> \r\n", ""},
		{"From: lines", "", "From: a\nSent: b\n", ""},
		{"nested quoting", "https://zoom.us/j/123456789", "%25", ""},
		{"soft hyphens", "https://zoom.us/j/1", "\u00ad", "23456789"},
		{"open attribute", "", `<a href="https://zoom.us/j/123456789?x=`, ""},
		{"entities in a link", "https://zoom.us/j/123456789?a=", "&#38;", ""},
		{"labels", "", "a: ", ""},
		{"small tags", "https://zoom.us/j/123456789 ", "<b>a</b>", ""},
		{"h323: ", "", "h323: ", ""},
		{"signatures", "https://zoom.us/j/123456789 https://meet.jit.si/Room_A\n", "Best regardz\n", ""},
		{"drawn lines", "https://zoom.us/j/123456789 https://meet.jit.si/Room_A\n", "Best\n__________\n", ""},
		{"NUL", "", "\x00", ""},
		{"invalid UTF-8", "", "\xff\xfe", ""},
	}
}

// Body returns the input at a size in bytes, as HTML or as plain text.
func (a Adversarial) Body(size int, html bool) Body {
	n := max(1, (size-len(a.Head)-len(a.Tail))/len(a.Unit))
	return Body{Name: a.Name, HTML: html, Data: bytes.Join([][]byte{[]byte(a.Head), bytes.Repeat([]byte(a.Unit), n), []byte(a.Tail)}, nil)}
}
