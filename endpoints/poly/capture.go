package poly

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// capture keeps the last requests of a device, redacted.
type capture struct {
	limit    int
	requests [][]byte
}

// maxCaptured is the most that is kept of one request.
const maxCaptured = 32 << 10

func (c *capture) add(request []byte) {
	if c.limit == 0 {
		return
	}
	if len(c.requests) >= c.limit {
		c.requests = slices.Delete(c.requests, 0, len(c.requests)-c.limit+1)
	}
	c.requests = append(c.requests, request)
}

// SetCapture keeps the last n requests of the device for [Room.WriteCapture];
// 0 keeps none and forgets those that were kept. At most 100 are kept.
func (r *Room) SetCapture(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.capture = capture{limit: min(max(n, 0), 100)}
}

func (r *Room) capturing() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.capture.limit > 0
}

// WriteCapture writes the requests that were kept, oldest first, as text: the
// operations, elements and dates that the device asked with. Names, addresses,
// ids, credentials and other text are replaced by their length.
func (r *Room) WriteCapture(w io.Writer) error {
	r.mu.RLock()
	requests := slices.Clone(r.capture.requests)
	agent := r.status.UserAgent
	r.mu.RUnlock()
	var b bytes.Buffer
	fmt.Fprintf(&b, "onetouchjoin capture of a Poly device: %d requests\nUser-Agent: %s\n", len(requests), printable(agent))
	for _, q := range requests {
		b.WriteString("\n")
		b.Write(q)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ServeCapture answers with the capture as a file to download. The caller
// decides who may have it.
func (r *Room) ServeCapture(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="poly-capture.txt"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = r.WriteCapture(w) // whoever hangs up does not want the file
}

// plainHeaders are those whose values tell of the software and not of people.
var plainHeaders = []string{"Accept", "Accept-Encoding", "Connection", "Content-Type", "Expect", "Soapaction", "User-Agent"}

// plainText are the elements, and plainAttrs the attributes, whose values are
// of a set that the schema gives or are times and numbers.
var (
	plainText = []string{"BaseShape", "BodyType", "IncludeMimeContent", "EventType", "Timeout", "MaxChangesReturned", "SyncScope",
		"RequestedServerVersion", "Setting", "Action", "FilterHtmlContent", "ConvertHtmlCodePageToUTF8", "AcceptableResponseSchema"}
	plainAttrs = []string{"Version", "Traversal", "FieldURI", "MaxEntriesReturned", "StartDate", "EndDate", "Offset", "BasePoint", "Format",
		"DestinationFormat", "DistinguishedPropertySetId", "PropertyName", "PropertyTag", "PropertyType", "SubscribeToAllFolders", "Order"}
)

// redact returns a request as WriteCapture prints it.
func redact(r *http.Request, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05Z"), printable(r.Method), printable(r.URL.Path), r.Proto)
	for _, name := range sortedHeaders(r.Header) {
		value := strings.Join(r.Header[name], ", ")
		switch {
		case name == "Authorization":
			scheme, _, _ := strings.Cut(value, " ")
			if !slices.Contains([]string{"basic", "ntlm", "negotiate", "bearer", "digest"}, strings.ToLower(scheme)) {
				scheme = ""
			}
			value = strings.TrimSpace(scheme + " " + length(len(value)-len(scheme)))
		case !slices.Contains(plainHeaders, name):
			value = length(len(value))
		}
		fmt.Fprintf(&b, "%s: %s\n", name, printable(value))
	}
	fmt.Fprintf(&b, "(%d bytes)\n", len(body))
	err := walk(body, func(path []element) error {
		e := path[len(path)-1]
		fmt.Fprintf(&b, "%s%s", strings.Repeat("  ", len(path)-1), printable(e.Local))
		for _, a := range e.attrs {
			if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
				continue
			}
			value := a.Value
			if !plainAttr(e.Local, a.Name.Local, value) {
				value = length(len(value))
			}
			fmt.Fprintf(&b, " %s=%q", printable(a.Name.Local), value)
		}
		if len(path) == 1 || path[len(path)-2].Space != e.Space {
			fmt.Fprintf(&b, " {%s}", namespace(e.Space))
		}
		b.WriteString("\n")
		return nil
	}, func(path []element, text string) error {
		if text = strings.TrimSpace(text); text == "" {
			return nil
		}
		if !slices.Contains(plainText, path[len(path)-1].Local) || len(text) > 100 {
			text = length(len(text))
		}
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", len(path)), printable(text))
		return nil
	})
	if err != nil {
		fmt.Fprintf(&b, "(the rest is left out: %v)\n", err)
	}
	return bytes.Clone(b.Bytes()[:min(b.Len(), maxCaptured)])
}

func plainAttr(in, name, value string) bool {
	if len(value) > 100 {
		return false
	}
	if in == "DistinguishedFolderId" && name == "Id" {
		_, ok := folderKinds[value]
		return ok
	}
	return slices.Contains(plainAttrs, name)
}

// namespace returns a namespace that is known, and else its length: it is the
// client's text.
func namespace(ns string) string {
	if ns == "" || slices.Contains([]string{soapNS, msgNS, typeNS, autodiscoverNS, poxRequestNS, "http://www.w3.org/2003/05/soap-envelope", "http://www.w3.org/2005/08/addressing"}, ns) {
		return ns
	}
	return length(len(ns))
}

func length(n int) string { return "(" + strconv.Itoa(n) + " characters)" }

// printable replaces what could change lines of a text file, or a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c >= 0x7f {
			return '?'
		}
		return c
	}, s)
}

func sortedHeaders(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
