// Package markup tells HTML from plain text, for calendars that do not say
// which of them a text is.
package markup

import "regexp"

var (
	tags  = regexp.MustCompile(`(?i)<(?:br|p|div|span|ul|ol|li|b|i|u|html|body|table|h[1-6])\s*/?>|<(?:a\s+href|div\s|p\s|span\s|html\s)|</[a-z]{1,10}>`)
	start = regexp.MustCompile(`^(?i)<(?:!doctype\s+html|!--|html|head|body|meta|div|p|table|style|span|font|br|a\s|b>|h[1-6]|ul|title|center)`)
)

// IsHTML reports whether a text has tags in it that editors make. An address in
// angle brackets, such as "<https://…>", is none.
func IsHTML(s string) bool { return tags.MatchString(s) }

// BeginsHTML reports whether a text, without white space before it, begins as a
// page or a part of one does.
func BeginsHTML(s string) bool { return start.MatchString(s) }
