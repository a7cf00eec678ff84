// Package invite reads an invite in any form in which people have one on disk:
//
//   - .ics, an iCalendar file (see package ics);
//   - .eml, a mail with a calendar part in it, in any transfer encoding and
//     charset, also one that was forwarded as an attachment. The mail's own text
//     completes the event. A mail without a calendar part is a body, with the
//     mails that are attached to it quoted below;
//   - .html and .txt, the body of an invite;
//   - .json, an answer of Microsoft Graph or of the Google Calendar API: an
//     event, a list of them, an onlineMeeting, a conversation or a post.
//
// Where the name does not tell, the content does.
//
// Outlook's winmail.dat (TNEF) is not supported: a mail that has its invite
// there and no text is an error that says so. Text in UTF-7 is not decoded.
package invite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/calendar/ics"
	"github.com/onetouchjoin/onetouchjoin/internal/markup"
)

// Options change how invites are read. The zero value is the default.
type Options struct {
	// Mailbox is the address whose answer to the invite is the Response; it may
	// be empty.
	Mailbox string
	// MaxBytes bounds the size of a file. The default is 32 MiB.
	MaxBytes int64
	// Calendar is for iCalendar data, also inside of mails; it may be nil.
	Calendar *ics.Options
}

func (o *Options) defaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = 32 << 20
	}
	return out
}

// Item is one event that was found: a series once, not expanded.
type Item struct {
	// Event is the event. Of a body without an event it has the Body, and the
	// Subject and Organizer where there are some; its times are zero.
	Event calendar.Event
	// Err says why the event cannot be read. Event then has what could be.
	Err error
}

// Read reads the events of a file, in their order. A body without an event
// counts as one. The name may be a path; only its ending matters. The opts may
// be nil.
//
// It returns an error for a file that cannot be read at all, and no items with
// it; an error in one event is in its item.
func Read(name string, r io.Reader, opts *Options) ([]Item, error) {
	o := opts.defaults()
	data, err := io.ReadAll(io.LimitReader(r, o.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > o.MaxBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", o.MaxBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the file is empty")
	}
	if err := foreign(data); err != nil {
		return nil, err
	}
	switch form(name, data) {
	case formICS:
		return readICS(data, &o)
	case formEML:
		return readMail(data, &o)
	case formJSON:
		return readJSON(data)
	case formHTML:
		return []Item{{Event: calendar.Event{Body: calendar.Body{HTML: htmlText(data, "")}}}}, nil
	default:
		return []Item{{Event: calendar.Event{Body: calendar.Body{Plain: plainText(data, "")}}}}, nil
	}
}

func readICS(data []byte, o *Options) ([]Item, error) {
	cal, err := ics.Decode(bytes.NewReader(data), o.Calendar)
	if err != nil {
		return nil, err
	}
	all := cal.Series(o.Mailbox)
	if len(all) == 0 {
		return nil, errors.New("the calendar has no event in it")
	}
	items := make([]Item, len(all))
	for i, s := range all {
		items[i] = Item{s.Event, s.Err}
	}
	return items, nil
}

// foreign names files of programs whose own format is not read: they would look
// like texts without a meeting.
func foreign(data []byte) error {
	for magic, what := range map[string]string{
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a message of Outlook (.msg) or an old Office file, which is not read; save the invite as .ics or .eml",
		"PK\x03\x04":                       "a ZIP archive or an Office document, which is not read; save the text as .html or .txt",
		"%PDF-":                            "a PDF document, which is not read; save the invite as .ics or .eml",
	} {
		if strings.HasPrefix(string(data[:min(len(data), 8)]), magic) {
			return errors.New("this is " + what)
		}
	}
	return nil
}

type fileForm uint8

const (
	formText fileForm = iota
	formICS
	formEML
	formHTML
	formJSON
)

// form tells what a file is, by its name or else by its content.
func form(name string, data []byte) fileForm {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ics", ".ical", ".icalendar", ".vcs":
		return formICS
	case ".eml", ".mht", ".mhtml":
		return formEML
	case ".html", ".htm", ".xhtml":
		return formHTML
	case ".json", ".jsonl", ".ndjson":
		return formJSON
	}
	head := strings.TrimSpace(plainText(data[:min(len(data), 64<<10)], ""))
	switch strings.ToLower(filepath.Ext(name)) {
	case ".txt", ".text", ".md":
		if markup.BeginsHTML(head) { // a body that was saved under a wrong name
			return formHTML
		}
		return formText
	}
	switch {
	case beginsICS.MatchString(head):
		return formICS
	case strings.HasPrefix(head, "{"), strings.HasPrefix(head, "["):
		return formJSON
	case markup.BeginsHTML(head):
		return formHTML
	case isMail(head):
		return formEML
	case hasICS.MatchString(head):
		return formICS
	case markup.IsHTML(head):
		return formHTML
	}
	return formText
}

var (
	beginsICS  = regexp.MustCompile(`^(?i)BEGIN:V(?:CALENDAR|EVENT)\b`)
	hasICS     = regexp.MustCompile(`(?m)^BEGIN:V(?:CALENDAR|EVENT)\s*$`)
	mailHeader = regexp.MustCompile(`(?im)^(?:MIME-Version|Content-Type|Received|Message-ID|Return-Path|Delivered-To|Content-Transfer-Encoding):`)
	headerLine = regexp.MustCompile(`^[!-9;-~]+:`)
)

// isMail reports whether a text begins with the header of a mail. What Outlook
// puts before a forwarded text, "From: … Sent: …", is not enough.
func isMail(head string) bool {
	head = strings.ReplaceAll(head, "\r\n", "\n")
	if strings.HasPrefix(head, "From ") { // an mbox
		_, head, _ = strings.Cut(head, "\n")
	}
	header, _, _ := strings.Cut(head, "\n\n")
	return headerLine.MatchString(header) && mailHeader.MatchString(header)
}

// plainText decodes text of a charset: the one named, or else what the text
// itself says, or else UTF-8, or else Windows-1252.
func plainText(data []byte, label string) string {
	if s, ok := byMark(data); ok {
		return s
	}
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		if enc, err := htmlindex.Get(label); err == nil {
			if b, err := enc.NewDecoder().Bytes(data); err == nil {
				return string(b)
			}
		}
	}
	return orWindows(data)
}

// htmlText is plainText for HTML, which may name its charset in a <meta>. What
// is UTF-8 is taken as that all the same: pages are converted without a change
// of their <meta>.
func htmlText(data []byte, label string) string {
	if label == "" {
		_, name, _ := charset.DetermineEncoding(data, "")
		if name == "iso-2022-jp" || !utf8.Valid(data) {
			label = name
		}
	}
	return plainText(data, label)
}

// byMark decodes text that begins with a byte order mark, or that is UTF-16
// without one: every second byte of its beginning is zero.
func byMark(data []byte) (string, bool) {
	if rest, ok := bytes.CutPrefix(data, []byte("\ufeff")); ok {
		return orWindows(rest), true
	}
	order := unicode.BigEndian
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
	case len(data) >= 4 && data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		order = unicode.LittleEndian
	case len(data) >= 4 && data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0:
	default:
		return "", false
	}
	b, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(data)
	return string(b), err == nil
}

func orWindows(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	// A text that is UTF-8 but for some bytes stays so.
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if size > 1 && r != utf8.RuneError {
			return strings.ToValidUTF8(string(data), "\ufffd")
		}
		rest = rest[size:]
	}
	b, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\ufffd")
	}
	return string(b)
}
