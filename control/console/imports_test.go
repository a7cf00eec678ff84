package console_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestImportMailboxesShowsWhatWouldHappen(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("mailboxes")
	b.follow("Import from CSV")
	b.send("Show what would happen", nil)
	assert.Equal(t, []string{"Choose a file, or paste at least one line"}, b.at.problems())

	b.send("Show what would happen", map[string][]string{"csv": v("address,name,colour\nnew@acme.example,New,red\nnot an address,X,blue\n")})
	assert.Contains(t, b.at.text, "1 line is wrong")
	assert.Contains(t, b.at.text, "ignored: colour")
	first := oneLine(b.at.Find("tbody tr").First().Text())
	assert.Contains(t, first, "3not an address", "what is wrong comes first, with its line")
	assert.Equal(t, "Import the 1 other line only", oneLine(b.at.Find("main button").Text()), "there is no button for all lines")

	b.follow("Try again with a mended file")
	b.send("Show what would happen", map[string][]string{"csv": v("address;name\nnew@acme.example;<b>New</b>\nboard@acme.example;Board\n")})
	assert.Contains(t, b.at.text, "would add 1, change 1 and leave 0")
	list, err := w.centre.Mailboxes(t.Context(), w.ann, w.acme.ID, "", 10)
	require.NoError(t, err)
	assert.Len(t, list.Items, 1, "a preview stores nothing")
	b.send("Import", nil)
	assert.Equal(t, "Imported: 1 added, 1 changed.", b.at.flash())
	assert.Contains(t, b.at.text, "<b>New</b>")
}

func TestImportLeavesWrongLinesOut(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("mailboxes/import")
	b.send("Show what would happen", map[string][]string{"csv": v("address,name\nnot an address,X\n")})
	assert.NotContains(t, b.at.text, "other line", "there is none")
	b.follow("Try again with a mended file")
	b.send("Show what would happen", map[string][]string{"csv": v("address,name\nnew@acme.example,New\nnot an address,X\n")})
	b.send("Import the 1 other line only", nil)
	assert.Equal(t, "Imported: 1 added, 0 changed. Left out as wrong: 1.", b.at.flash())
	assert.Contains(t, b.at.text, "new@acme.example")
}

func TestImportOfAFileKeepsItsEncoding(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("mailboxes/import")
	token := b.at.Find("main input[name=csrf]").AttrOr("value", "")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("csrf", token))
	file, err := form.CreateFormFile("file", "rooms.csv")
	require.NoError(t, err)
	file.Write([]byte{0xff, 0xfe})
	for _, u := range utf16.Encode([]rune("address\tname\r\nsor@acme.example\tSørenga\r\n")) {
		file.Write([]byte{byte(u), byte(u >> 8)})
	}
	require.NoError(t, form.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.at.url.String(), &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	b.do(req)
	assert.Contains(t, b.at.text, "would add 1")
	b.send("Import", nil)
	assert.Contains(t, b.at.text, "Sørenga")
}

func TestExportIsAFile(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/o/"+w.acme.ID+"/mailboxes/export.csv", nil)
	require.NoError(t, err)
	res, err := b.client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Contains(t, string(data), "board@acme.example")
	assert.Equal(t, `attachment; filename="mailboxes.csv"`, res.Header.Get("Content-Disposition"))
	assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
}

func TestImportSystems(t *testing.T) {
	w := newWorld(t, nil)
	w.mailbox("board@acme.example")
	b := w.signIn("ann@acme.example")
	b.open("systems/import")
	b.send("Show what would happen", map[string][]string{"csv": v("name,kind,mailbox,enabled,host\nBoard,cisco_https,board@acme.example,yes,192.0.2.7\n")})
	assert.Contains(t, b.at.text, "would add 1")
	b.send("Import", nil)
	assert.Contains(t, b.at.text, "Board")
	assert.Contains(t, b.at.text, "1 video system ")
}
