package control_test

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func utf16le(s string) []byte {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func lines(in control.Import) []string {
	var out []string
	for _, l := range in.Lines {
		s := fmt.Sprintf("%d %s %s", l.Line, l.Name, l.What)
		for _, p := range l.Problems {
			s += " " + p.Field
		}
		out = append(out, s)
	}
	return out
}

func TestImportMailboxes(t *testing.T) {
	w := newWorld(t)
	w.provider()
	preview := func(data []byte) control.Import {
		t.Helper()
		return must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: data}))(t)
	}
	for name, data := range map[string][]byte{
		"commas":         []byte("address,name,kind\na@acme.example,Árbol,room\nb@acme.example,Ben,person\n"),
		"semicolons":     []byte("\xef\xbb\xbfEmail;Display Name;Type\r\na@acme.example;Árbol;room\r\nb@acme.example;Ben;person\r\n"),
		"tabs in UTF-16": utf16le("Mailbox\tName\tKind\r\na@acme.example\tÁrbol\troom\r\nb@acme.example\tBen\tUserMailbox\r\n"),
		"Windows-1252":   []byte("sep=;\naddress;name;kind\na@acme.example;\xc1rbol;room\nb@acme.example;Ben;person"),
		"no header":      []byte("A@Acme.Example, \"Árbol\", Room\nb@acme.example,Ben,person"),
		"Exchange":       []byte("#TYPE Microsoft.Exchange\n\"Guid\",\"DisplayName\",\"PrimarySmtpAddress\",\"RecipientTypeDetails\"\n\"1\",\"Árbol\",\"a@acme.example\",\"RoomMailbox\"\n\"2\",\"Ben\",\"b@acme.example\",\"UserMailbox\"\n"),
	} {
		in := preview(data)
		assert.Equal(t, []int{2, 0, 0, 0}, []int{in.Added, in.Changed, in.Same, in.Wrong}, "%s: %v", name, in)
		assert.False(t, in.Committed)
	}
	assert.Empty(t, must(w.centre.Mailboxes(t.Context(), w.admin, w.acme.ID, "", 10))(t).Items, "a preview stores nothing")

	bad := []byte("address,name,kind,provider\na@acme.example,Árbol,room,\nnobody,x,room,\nA@acme.example,twice,,\nc@acme.example,C,toaster,\nd@acme.example,D,,elsewhere\ne@acme.example,\"a\x01b\",,\n")
	in := must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: bad, Commit: true}))(t)
	assert.Equal(t, []string{
		"2 a@acme.example added", "3 nobody wrong address", "4 A@acme.example wrong address", "5 c@acme.example wrong kind",
		"6 d@acme.example wrong provider", "7 e@acme.example wrong name",
	}, lines(in))
	assert.False(t, in.Committed, "one wrong line stops all")
	assert.Empty(t, must(w.centre.Mailboxes(t.Context(), w.admin, w.acme.ID, "", 10))(t).Items)
	assert.False(t, must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: bad, SkipWrong: true}))(t).Committed, "a preview stores nothing")

	some := []byte("address,name\nz@acme.example,Zoo\nnobody,x\n")
	in = must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: some, Commit: true, SkipWrong: true}))(t)
	assert.True(t, in.Committed)
	assert.Equal(t, []string{"2 z@acme.example added", "3 nobody wrong address"}, lines(in))
	zoo := must(w.centre.Mailboxes(t.Context(), w.admin, w.acme.ID, "", 10))(t).Items
	require.Len(t, zoo, 1)
	require.NoError(t, w.centre.Remove(t.Context(), w.admin, "mailbox", zoo[0].ID, zoo[0].Revision))

	good := []byte("address;name;kind\na@acme.example;Árbol;room\nb@acme.example;\"=cmd|' /C calc'!A0\";person\n")
	in = must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: good, Commit: true}))(t)
	assert.True(t, in.Committed)
	boxes := must(w.centre.Mailboxes(t.Context(), w.admin, w.acme.ID, "", 10))(t).Items
	require.Len(t, boxes, 2)
	assert.Equal(t, "Árbol", boxes[0].Name)
	assert.Equal(t, control.PersonalMailbox, boxes[1].Kind)
	in = must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: good, Commit: true}))(t)
	assert.Equal(t, 2, in.Same, "the same file once more changes nothing")
	assert.EqualValues(t, 1, must(w.centre.Mailbox(t.Context(), w.admin, boxes[0].ID))(t).Revision)
	in = must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: []byte("address,name\na@acme.example,Oak"), Commit: true}))(t)
	assert.Equal(t, 1, in.Changed)
	oak := must(w.centre.Mailbox(t.Context(), w.admin, boxes[0].ID))(t)
	assert.Equal(t, "Oak", oak.Name)
	assert.Equal(t, control.RoomMailbox, oak.Kind, "a column that is missing changes nothing")

	// What is exported is no formula in a spreadsheet, and comes back as it was.
	out := must(w.centre.ExportMailboxes(t.Context(), w.admin, w.acme.ID))(t)
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(out, []byte("\ufeff")))).ReadAll()
	require.NoError(t, err)
	for _, r := range rows {
		for _, cell := range r {
			assert.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@"), "%q is a formula", cell)
		}
	}
	in = preview(out)
	assert.Equal(t, 2, in.Same, "%v", lines(in))
}

func TestImportRefuses(t *testing.T) {
	w := newWorld(t)
	w.provider()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":        {nil, "no line with data"},
		"header only":    {[]byte("address,name\n"), "no line with data"},
		"no address":     {[]byte("name,kind\nx,room\n"), `no column "address"`},
		"too large":      {make([]byte, control.MaxCSV+1), "the most is"},
		"too many lines": {[]byte(strings.Repeat("a@acme.example\n", control.MaxCSVLines+1)), "more than 10000 lines"},
		"many columns":   {[]byte(strings.Repeat(",", 1000)), "1001 columns"},
		"huge cell":      {[]byte("a@acme.example,\"" + strings.Repeat("x", 5000) + "\""), "quotation mark"},
		"open quote":     {[]byte("address,name\na@acme.example,\"open\nb@acme.example,x\n"), "line 2: a quotation mark is not closed"},
		"bare quote":     {[]byte("address,name\na@acme.example,x\"y\n"), "line 2: a quotation mark stands inside"},
		"a program":      {[]byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00"), "is no text"},
	} {
		_, err := w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: c.data})
		assert.Equal(t, []string{"csv"}, fieldsOf(t, err), name)
		assert.ErrorContains(t, err, c.want, name)
	}
	weak := w.admin
	weak.Scopes = []control.Action{control.ReadCompany}
	for _, data := range []string{"", "a@acme.example"} {
		_, err := w.centre.ImportMailboxes(t.Context(), weak, w.acme.ID, control.CSV{Data: []byte(data)})
		assert.ErrorIs(t, err, control.ErrDenied)
	}

	// With two providers a line has to say which.
	must(w.centre.SaveProvider(t.Context(), w.admin, control.Provider{Company: w.acme.ID, Name: "Files", Kind: control.ICSFolder, Folder: "/srv/calendars/acme"}))(t)
	in := must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: []byte("address,provider\na@acme.example,files\nb@acme.example,\n")}))(t)
	assert.Equal(t, []string{"2 a@acme.example added", "3 b@acme.example wrong provider"}, lines(in))
	in = must(w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: []byte("a@acme.example"), Provider: "somebody else's"}))(t)
	assert.Equal(t, []string{"1 a@acme.example wrong provider"}, lines(in))
}

func TestImportSystems(t *testing.T) {
	w := newWorld(t)
	m, s := w.office(w.provider().ID)
	must(w.centre.SaveGroup(t.Context(), w.admin, control.Group{Company: w.acme.ID, Name: "Oslo"}))(t)
	data := []byte("Name;Kind;Mailbox;Enabled;Host;Group\nBoardroom;;;yes;;\nFjord;cisco_https;board@acme.example;yes;192.0.2.8;oslo\nHall;poly;;no;;\n")
	in := must(w.centre.ImportSystems(t.Context(), w.admin, w.acme.ID, control.CSV{Data: data}))(t)
	assert.Equal(t, []string{"2 Boardroom wrong mailbox host", "3 Fjord added", "4 Hall added"}, lines(in))
	data = []byte("Name;Kind;Mailbox;Enabled;Host;Group\nFjord;cisco_https;board@acme.example;yes;192.0.2.8;oslo\nHall;poly;;no;;\n")
	in = must(w.centre.ImportSystems(t.Context(), w.admin, w.acme.ID, control.CSV{Data: data, Commit: true}))(t)
	require.True(t, in.Committed)
	all := must(w.centre.Systems(t.Context(), w.admin, w.acme.ID, "", 10))(t).Items
	require.Len(t, all, 3)
	i := slices.IndexFunc(all, func(s control.System) bool { return s.Name == "Fjord" })
	assert.True(t, all[i].Enabled)
	assert.Equal(t, m.ID, all[i].Mailbox)
	out := must(w.centre.ExportSystems(t.Context(), w.admin, w.acme.ID))(t)
	assert.NotContains(t, string(out), s.ID)
	in = must(w.centre.ImportSystems(t.Context(), w.admin, w.acme.ID, control.CSV{Data: out, Commit: true}))(t)
	assert.Equal(t, 3, in.Same, "%v", lines(in))
	in = must(w.centre.ImportSystems(t.Context(), w.admin, w.acme.ID, control.CSV{Data: []byte("name,kind,group,enabled,mailbox\nHall,feed,x,maybe,y@z.example\nNew,toaster,,,\n")}))(t)
	assert.Equal(t, 2, in.Wrong)
	assert.Len(t, in.Lines[0].Problems, 4)
}

// Whatever is given, an import ends, and says which lines it means.
func FuzzImport(f *testing.F) {
	f.Add([]byte("address;name\na@acme.example;x"))
	f.Add(utf16le("a@acme.example\tx"))
	f.Add([]byte("sep=,\n#TYPE x\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t)
		w.provider()
		in, err := w.centre.ImportMailboxes(t.Context(), w.admin, w.acme.ID, control.CSV{Data: data})
		if err != nil {
			fieldsOf(t, err)
			return
		}
		last := 0
		for _, l := range in.Lines {
			if l.Line <= last || (l.What == control.ImportWrong) != (len(l.Problems) > 0) {
				t.Fatalf("%q: %+v", data, in)
			}
			last = l.Line
		}
		if len(in.Lines) != in.Added+in.Changed+in.Same+in.Wrong {
			t.Fatalf("%q: %+v", data, in)
		}
	})
}
