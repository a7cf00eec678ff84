package poly

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// answer is the XML of an answer while it is written. Devices look for tags as
// strings, so the prefixes are always m: and t:.
type answer struct{ b []byte }

var answers = sync.Pool{New: func() any { return &answer{b: make([]byte, 0, 16<<10)} }}

const (
	head = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + soapNS + `"><s:Header>` +
		`<t:ServerVersionInfo xmlns:t="` + typeNS + `" MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507" MinorBuildNumber="6" Version="V2017_07_11"/>` +
		`</s:Header><s:Body>`
	tail = `</s:Body></s:Envelope>`
	// prefixes are declared by the element in the body.
	prefixes = ` xmlns:m="` + msgNS + `" xmlns:t="` + typeNS + `"`
)

// newAnswer returns an answer in a SOAP body.
func newAnswer() *answer {
	a := answers.Get().(*answer)
	a.b = append(a.b[:0], head...)
	return a
}

// free lets others use a, unless it is so large that it would be kept for ever.
func (a *answer) free() {
	if cap(a.b) <= 64<<10 {
		answers.Put(a)
	}
}

// send ends the SOAP body and sends it.
func (a *answer) send(w http.ResponseWriter, status int) {
	a.raw(tail)
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Length", strconv.Itoa(len(a.b)))
	w.WriteHeader(status)
	_, _ = w.Write(a.b)
}

func (a *answer) raw(s string) { a.b = append(a.b, s...) }

func (a *answer) int(n int) { a.b = strconv.AppendInt(a.b, int64(n), 10) }

func (a *answer) bool(v bool) { a.b = strconv.AppendBool(a.b, v) }

func (a *answer) time(t time.Time) { a.b = t.UTC().AppendFormat(a.b, "2006-01-02T15:04:05Z") }

// text writes s, escaped for an element or an attribute. A line feed stays one:
// devices that read by strings know no &#xA; in the lines of a body.
func (a *answer) text(s string) { a.escape(s, false) }

// line writes s as text on one line.
func (a *answer) line(s string) { a.escape(s, true) }

func (a *answer) escape(s string, oneLine bool) {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				a.raw("&amp;")
			case c == '<':
				a.raw("&lt;")
			case c == '>':
				a.raw("&gt;")
			case c == '"':
				a.raw("&quot;")
			case c == '\n' && !oneLine, c >= 0x20 && c != 0x7f:
				a.b = append(a.b, c)
			default: // a control character, which XML has not or devices mistake
				a.b = append(a.b, ' ')
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == 0xFFFE || r == 0xFFFF {
			r = utf8.RuneError
		}
		a.b = utf8.AppendRune(a.b, r)
	}
}

// open begins the response of an operation, and close ends it.
func (a *answer) open(op string) {
	a.raw("<m:" + op + "Response" + prefixes + "><m:ResponseMessages>")
}

func (a *answer) close(op string) { a.raw("</m:ResponseMessages></m:" + op + "Response>") }

// success begins a response message, and end ends it.
func (a *answer) success(op string) {
	a.raw("<m:" + op + `ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>`)
}

func (a *answer) end(op string) { a.raw("</m:" + op + "ResponseMessage>") }

// fail writes a response message that is an error; rest follows it.
func (a *answer) fail(op, code, text, rest string) {
	a.raw("<m:" + op + `ResponseMessage ResponseClass="Error"><m:MessageText>`)
	a.text(text)
	a.raw("</m:MessageText><m:ResponseCode>" + code + "</m:ResponseCode>" + rest)
	a.end(op)
}

// faultError is answered as a SOAP fault.
type faultError struct{ code, text string }

func (e *faultError) Error() string { return e.text }

// asFault returns the fault for a request that cannot be read, unless err is
// one.
func asFault(err error) *faultError {
	if f := (*faultError)(nil); errors.As(err, &f) {
		return f
	}
	if v := (versionError{}); errors.As(err, &v) {
		return &faultError{"", v.Error()}
	}
	return &faultError{"ErrorSchemaValidation", err.Error()}
}

// writeFault answers with a typed fault. One without a code is that of SOAP 1.1
// section 4.4 for an envelope of another version.
func writeFault(w http.ResponseWriter, f *faultError) {
	a := newAnswer()
	defer a.free()
	if f.code == "" {
		a.raw(`<s:Fault><faultcode>s:VersionMismatch</faultcode><faultstring>`)
		a.text(f.text)
		a.raw(`</faultstring></s:Fault>`)
	} else {
		a.raw(`<s:Fault><faultcode xmlns:a="` + typeNS + `">a:` + f.code + `</faultcode><faultstring xml:lang="en-US">`)
		a.text(f.text)
		a.raw(`</faultstring><detail><e:ResponseCode xmlns:e="` + errNS + `">` + f.code + `</e:ResponseCode><e:Message xmlns:e="` + errNS + `">`)
		a.text(f.text)
		a.raw(`</e:Message></detail></s:Fault>`)
	}
	a.send(w, http.StatusInternalServerError)
}
