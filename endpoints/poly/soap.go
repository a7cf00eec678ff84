package poly

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The namespaces of requests and answers.
const (
	soapNS         = "http://schemas.xmlsoap.org/soap/envelope/"
	msgNS          = "http://schemas.microsoft.com/exchange/services/2006/messages"
	typeNS         = "http://schemas.microsoft.com/exchange/services/2006/types"
	errNS          = "http://schemas.microsoft.com/exchange/services/2006/errors"
	autodiscoverNS = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
)

// Limits of a request.
const (
	maxBody     = 256 << 10
	maxDeep     = 32
	maxElements = 5000
	maxIDs      = 200
	maxText     = 1024
)

// element is one of those that contain the place where walk is.
type element struct {
	xml.Name
	attrs []xml.Attr
}

func (e element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// walk reads XML by namespace, whatever its prefixes, within the limits. It
// calls start for each element, and end with the text after its last child. The
// last of path is the element.
func walk(in []byte, start func(path []element) error, end func(path []element, text string) error) error {
	d := xml.NewDecoder(bytes.NewReader(in))
	path := make([]element, 0, maxDeep)
	var text []byte
	for n := 0; ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return errors.New("the request is empty")
			}
			return nil
		}
		if err != nil {
			return errors.New("the request is no XML or cut off")
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("the request has a DTD")
		case xml.CharData:
			text = append(text, t[:min(len(t), maxText-len(text))]...)
		case xml.StartElement:
			if len(path) == maxDeep {
				return errors.New("the request is too deep")
			}
			if n++; n > maxElements {
				return errors.New("the request has too many elements")
			}
			path = append(path, element{t.Name, t.Attr})
			text = text[:0]
			if err := start(path); err != nil {
				return err
			}
		case xml.EndElement:
			if err := end(path, string(text)); err != nil {
				return err
			}
			path, text = path[:len(path)-1], text[:0]
		}
	}
}

// request is what is read of a SOAP request. Members that an operation does not
// have are zero.
type request struct {
	op      string
	folders []folder
	ids     []string // of items
	html    bool     // the body is wanted as HTML

	view       bool      // FindItem has a CalendarView
	start, end time.Time // of it
	max        int       // how many items or changes are wanted; 0 for all
	offset     int       // of an IndexedPageItemView
	restricted bool      // FindItem has a Restriction or a QueryString

	sources     []source // ConvertId
	destination string

	syncState string // SyncFolderItems

	way          string // Subscribe: Pull, Push or Streaming
	events       eventMask
	timeout      int // in minutes
	watermark    string
	subscription string

	settings []string // GetUserSettings
	users    int
}

// folder is a folder that a request names.
type folder struct{ id, mailbox string }

// source is an id to convert.
type source struct{ format, id, mailbox string }

// versionError says that the envelope is not that of SOAP 1.1.
type versionError struct{}

func (versionError) Error() string { return "the request is not SOAP 1.1" }

// read reads a SOAP request, whose operation is in namespace ns.
func read(body []byte, ns string) (*request, error) {
	q := &request{}
	err := walk(body, func(path []element) error { return q.startElement(path, ns) }, q.endElement)
	if err == nil && q.op == "" {
		err = errors.New("the SOAP body has no operation")
	}
	if err != nil {
		return nil, err
	}
	return q, nil
}

func (q *request) startElement(path []element, ns string) error {
	e := path[len(path)-1]
	switch len(path) {
	case 1:
		if (e.Name != xml.Name{Space: soapNS, Local: "Envelope"}) {
			return versionError{}
		}
	case 2:
		if e.Space != soapNS || e.Local != "Header" && e.Local != "Body" {
			return errors.New("the SOAP envelope may have a header and a body only")
		}
	case 3:
		if path[1].Local != "Body" {
			return nil
		}
		if q.op != "" {
			return errors.New("the SOAP body has more than one operation")
		}
		if e.Space != ns || len(e.Local) > 64 {
			return errors.New("the operation is none of Exchange Web Services")
		}
		q.op = e.Local
		q.destination = e.attr("DestinationFormat")
	default:
		if path[1].Local == "Body" {
			return q.member(e)
		}
	}
	return nil
}

// member reads the attributes of an element inside of an operation.
func (q *request) member(e element) (err error) {
	switch e.Name {
	case xml.Name{Space: msgNS, Local: "CalendarView"}:
		q.view = true
		if q.start, err = instant(e.attr("StartDate")); err != nil {
			return fmt.Errorf("the CalendarView is wrong: StartDate %w", err)
		}
		if q.end, err = instant(e.attr("EndDate")); err != nil {
			return fmt.Errorf("the CalendarView is wrong: EndDate %w", err)
		}
		q.max, err = count(e, "MaxEntriesReturned", 1)
	case xml.Name{Space: msgNS, Local: "IndexedPageItemView"}, xml.Name{Space: msgNS, Local: "FractionalPageItemView"}:
		if q.max, err = count(e, "MaxEntriesReturned", 1); err == nil {
			q.offset, err = count(e, "Offset", 0)
		}
	case xml.Name{Space: msgNS, Local: "Restriction"}, xml.Name{Space: msgNS, Local: "QueryString"}:
		q.restricted = true
	case xml.Name{Space: typeNS, Local: "ItemId"}:
		q.ids = append(q.ids, e.attr("Id"))
	case xml.Name{Space: typeNS, Local: "DistinguishedFolderId"}, xml.Name{Space: typeNS, Local: "FolderId"}:
		q.folders = append(q.folders, folder{id: e.attr("Id")})
	case xml.Name{Space: typeNS, Local: "AlternateId"}:
		q.sources = append(q.sources, source{e.attr("Format"), e.attr("Id"), e.attr("Mailbox")})
	case xml.Name{Space: msgNS, Local: "PullSubscriptionRequest"}:
		q.way = "Pull"
	case xml.Name{Space: msgNS, Local: "PushSubscriptionRequest"}:
		q.way = "Push"
	case xml.Name{Space: msgNS, Local: "StreamingSubscriptionRequest"}:
		q.way = "Streaming"
	}
	if err == nil && len(q.ids)+len(q.folders)+len(q.sources) > maxIDs {
		err = errors.New("the request has too many ids")
	}
	return err
}

// endElement reads the text of an element.
func (q *request) endElement(path []element, text string) (err error) {
	if len(path) < 4 || path[1].Local != "Body" {
		return nil
	}
	e, text := path[len(path)-1], strings.TrimSpace(text)
	switch {
	case e.Space == typeNS && e.Local == "EmailAddress" && path[len(path)-3].Local == "DistinguishedFolderId" && len(q.folders) > 0:
		q.folders[len(q.folders)-1].mailbox = text
	case e.Space == typeNS && e.Local == "BodyType":
		q.html = text == "HTML"
	case e.Space == msgNS && e.Local == "SyncState":
		q.syncState = text
	case e.Space == msgNS && e.Local == "MaxChangesReturned":
		if q.max, err = strconv.Atoi(text); err != nil || q.max < 1 || q.max > 512 {
			return errors.New("MaxChangesReturned must be a number from 1 to 512")
		}
	case e.Local == "SubscriptionId":
		q.subscription = text
	case e.Local == "Watermark":
		q.watermark = text
	case e.Space == typeNS && e.Local == "EventType":
		q.events |= eventTypes[text]
	case e.Space == typeNS && e.Local == "Timeout":
		if q.timeout, err = strconv.Atoi(text); err != nil || q.timeout < 1 || q.timeout > 1440 {
			return errors.New("Timeout must be a number of minutes from 1 to 1440") //nolint:staticcheck // an element's name
		}
	case e.Space == autodiscoverNS && e.Local == "Mailbox":
		q.users++
	case e.Space == autodiscoverNS && e.Local == "Setting":
		q.settings = append(q.settings, text)
	}
	if q.users+len(q.settings) > maxIDs {
		return errors.New("the request has too many settings")
	}
	return nil
}

// instant reads an xs:dateTime. One without a zone is in UTC.
func instant(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil {
		return t, errors.New("is no time such as 2026-11-23T09:00:00Z")
	}
	return t, nil
}

// count reads a number of e, which is 0 if it is not there.
func count(e element, name string, least int) (int, error) {
	s := e.attr(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		return 0, fmt.Errorf("the %s is wrong: %s must be a number of %d or more", e.Local, name, least)
	}
	return n, nil
}
