package poly

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/otj"
)

// rewrite writes a request again with other prefixes and spaces.
func rewrite(t *testing.T, in []byte) []byte {
	d := xml.NewDecoder(bytes.NewReader(in))
	var out bytes.Buffer
	var stack []string
	for {
		tok, err := d.Token()
		if err != nil {
			return out.Bytes()
		}
		switch e := tok.(type) {
		case xml.StartElement:
			name := fmt.Sprintf("p%d:%s", len(stack), e.Name.Local)
			if e.Name.Space == "" {
				name = e.Name.Local
			}
			stack = append(stack, name)
			out.WriteString("<" + name)
			if e.Name.Space != "" {
				out.WriteString(fmt.Sprintf(" xmlns:p%d=\"", len(stack)-1))
				_ = xml.EscapeText(&out, []byte(e.Name.Space))
				out.WriteString("\"")
			}
			for _, a := range e.Attr {
				if a.Name.Space == "" && a.Name.Local != "xmlns" {
					out.WriteString("\n " + a.Name.Local + "=\"")
					_ = xml.EscapeText(&out, []byte(a.Value))
					out.WriteString("\"")
				}
			}
			out.WriteString(">")
		case xml.EndElement:
			out.WriteString("</" + stack[len(stack)-1] + ">")
			stack = stack[:len(stack)-1]
		case xml.CharData:
			_ = xml.EscapeText(&out, e)
		}
	}
}

func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/requests/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, op := range []string{view(days), get("m0", "m1"), syncOp("x", 3), subscribeOp, events("a", "b"), "", "<m:FindItem/>"} {
		f.Add(envelope(op))
	}
	f.Add(`<!DOCTYPE a [<!ENTITY b "c">]>` + envelope(get("m0")))
}

// What a request means does not depend on its prefixes, and what is read of it
// is bounded.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		q, err := read([]byte(s), msgNS)
		if err != nil {
			if strings.Contains(err.Error(), "<") {
				t.Fatalf("the error repeats the request: %v", err)
			}
			return
		}
		if q.op == "" || len(q.op) > 64 || len(q.ids)+len(q.folders)+len(q.sources) > maxIDs || q.max < 0 || q.offset < 0 {
			t.Fatalf("read %+v", q)
		}
		if strings.Contains(s, "<!DOCTYPE") && strings.HasPrefix(strings.TrimSpace(s), "<!DOCTYPE") {
			t.Fatal("a DTD was read")
		}
		again, err := read(rewrite(t, []byte(s)), msgNS)
		if err != nil {
			t.Fatalf("with other prefixes: %v\n%s", err, rewrite(t, []byte(s)))
		}
		if !reflect.DeepEqual(q, again) {
			t.Fatalf("with other prefixes\n%+v\nbecomes\n%+v", q, again)
		}
	})
}

// Whatever is asked, the answer is XML in the order of the schema, has nothing
// of another room, and is not long.
func FuzzServe(f *testing.F) {
	seeds(f)
	c := newClient(f, nil)
	other := add(f, c.s, "other", nil)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	if err := c.room.Show(f.Context(), someMeetings(3)); err != nil {
		f.Fatal(err)
	}
	if err := other.room.Show(f.Context(), []otj.Meeting{{ID: "theirs", Title: "SECRET", Start: at, End: at.Add(time.Hour)}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := c.do("/EWS/Exchange.asmx", s)
		if w.Code != 200 && w.Code != 500 {
			t.Fatal(w.Code)
		}
		b := w.Body.Bytes()
		if bytes.Contains(b, []byte("SECRET")) || len(b) > maxIDs*maxItems*2000 {
			t.Fatalf("%d bytes: %.300s", len(b), b)
		}
		inOrder(t, b)
		if err := xml.Unmarshal(b, new(struct{ XMLName xml.Name })); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	})
}

// A token that the room takes is one that it has given.
func FuzzToken(f *testing.F) {
	c := newClient(f, nil)
	r := c.room
	copy(r.secret[:], "always the same!")
	for _, kind := range []byte{syncToken, watermarkToken} {
		for _, seq := range []uint64{0, 1, 1 << 40} {
			f.Add(r.token(kind, seq))
		}
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []byte{syncToken, watermarkToken} {
			seq, ok := r.position(kind, s)
			if ok && r.token(kind, seq) != s {
				t.Fatalf("%q is taken for %d", s, seq)
			}
			if ok {
				if _, both := r.position(syncToken+watermarkToken-kind, s); both {
					t.Fatalf("%q is of both kinds", s)
				}
			}
		}
	})
}
