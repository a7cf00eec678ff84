package control

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The limits of a CSV file.
const (
	MaxCSV       = 4 << 20 // bytes
	MaxCSVLines  = 10_000
	maxCSVFields = 60 // of a line: Exchange exports have some fifty
	maxCSVField  = 4096
)

// table is a CSV file with its columns found.
type table struct {
	columns map[string]int // by the name that we use
	ignored []string       // columns of the file that mean nothing here
	rows    []tableRow
}

type tableRow struct {
	line  int // in the file, from 1
	cells []string
}

// cell returns a row's value in a column, and whether the file has the column.
func (t *table) cell(r tableRow, column string) (string, bool) {
	i, ok := t.columns[column]
	if !ok || i >= len(r.cells) {
		return "", ok
	}
	return r.cells[i], true
}

// readTable reads a CSV file as spreadsheets and Exchange write it: in UTF-8,
// UTF-16 or Windows-1252, with commas, semicolons or tabs. Names says for each
// column which names it may have in the first line; without such a line the
// columns are those of order. What is wrong is about the field "csv".
func readTable(data []byte, names map[string][]string, order []string) (*table, error) {
	var ck checks
	if len(data) > MaxCSV {
		ck.fail("csv", "has %d bytes; the most is %d", len(data), MaxCSV)
		return nil, ck.err()
	}
	text := decodeText(data)
	if strings.ContainsRune(text, 0) {
		ck.fail("csv", "is no text; save the file as CSV")
		return nil, ck.err()
	}
	skipped := 0
	comma := rune(0)
	// "sep=;" is for Excel, "#TYPE …" from Windows PowerShell.
	for {
		first, rest, _ := strings.Cut(text, "\n")
		first = strings.TrimSpace(first)
		mark, isSep := strings.CutPrefix(strings.ToLower(first), "sep=")
		if isSep && utf8.RuneCountInString(mark) == 1 {
			comma, _ = utf8.DecodeRuneInString(mark)
		} else if !strings.HasPrefix(first, "#TYPE ") && (first != "" || rest == "") {
			break
		}
		text = rest
		skipped++
	}
	if !slices.Contains([]rune{',', ';', '\t', '|'}, comma) {
		comma = sniff(text)
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = comma, -1, comma != '\t'
	t := &table{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
			ck.fail("csv", "line %d: %s", wrong.StartLine+skipped, quoteProblem(wrong.Err))
			return nil, ck.err()
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		line += skipped
		if len(cells) > maxCSVFields {
			ck.fail("csv", "line %d has %d columns; the most is %d", line, len(cells), maxCSVFields)
			return nil, ck.err()
		}
		blank := true
		for i, c := range cells {
			if len(c) > maxCSVField {
				ck.fail("csv", "line %d, column %d has %d bytes; the most is %d. Is a quotation mark missing?", line, i+1, len(c), maxCSVField)
				return nil, ck.err()
			}
			cells[i] = unguard(strings.TrimSpace(c))
			blank = blank && cells[i] == ""
		}
		switch {
		case blank:
		case t.columns == nil && t.header(cells, names):
		default:
			if t.columns == nil {
				t.columns = map[string]int{}
				for i, name := range order {
					t.columns[name] = i
				}
			}
			if t.rows = append(t.rows, tableRow{line, cells}); len(t.rows) > MaxCSVLines {
				ck.fail("csv", "has more than %d lines; cut it into several files", MaxCSVLines)
				return nil, ck.err()
			}
		}
	}
	if _, ok := t.columns[order[0]]; !ok && t.columns != nil {
		ck.fail("csv", "has no column %q", order[0])
	} else if len(t.rows) == 0 {
		ck.fail("csv", "has no line with data")
	}
	return t, ck.err()
}

func quoteProblem(err error) string {
	switch {
	case errors.Is(err, csv.ErrQuote):
		return `a quotation mark is not closed, or text stands behind it; write one inside of a cell twice ("")`
	case errors.Is(err, csv.ErrBareQuote):
		return `a quotation mark stands inside of a cell; put the cell in quotation marks and write it twice ("")`
	}
	return err.Error()
}

// header takes a first line that names columns.
func (t *table) header(cells []string, names map[string][]string) bool {
	if slices.ContainsFunc(cells, func(c string) bool { return strings.Contains(c, "@") }) {
		return false // a kind or name may read like the name of a column
	}
	columns := map[string]int{}
	var ignored []string
	for i, c := range cells {
		norm := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(c))
		found := false
		for column, aliases := range names {
			if _, twice := columns[column]; slices.Contains(aliases, norm) && !twice {
				columns[column], found = i, true
			}
		}
		if !found && c != "" {
			ignored = append(ignored, c)
		}
	}
	if len(columns) == 0 {
		return false
	}
	t.columns, t.ignored = columns, ignored
	return true
}

// sniff finds the separator of a text: the one that its first line has most of,
// outside of quotation marks.
func sniff(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	count := map[rune]int{}
	quoted := false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case !quoted:
			count[c]++
		}
	}
	best := ','
	for _, c := range []rune{';', '\t'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

// decodeText reads text as Windows programs save it.
func decodeText(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return utf16Text(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return utf16Text(data[2:], binary.BigEndian)
	case len(data) >= 4 && data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		return utf16Text(data, binary.LittleEndian)
	case len(data) >= 4 && data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0:
		return utf16Text(data, binary.BigEndian)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if utf8.Valid(data) {
		return string(data)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\ufffd")
	}
	return string(out)
}

func utf16Text(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// A spreadsheet takes a cell that begins with one of these for a formula.
const formula = "=+-@\t\r"

// guard puts an apostrophe before what a spreadsheet would take for a formula.
func guard(cell string) string {
	if cell != "" && strings.IndexByte(formula, cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// unguard undoes guard.
func unguard(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.IndexByte(formula, cell[1]) >= 0 {
		return cell[1:]
	}
	return cell
}

// writeTable writes a CSV file that spreadsheets open as it is: with the mark
// by which they know UTF-8, and without formulas.
func writeTable(header []string, rows [][]string) ([]byte, error) {
	b := bytes.NewBufferString("\ufeff")
	w := csv.NewWriter(b)
	w.UseCRLF = true
	_ = w.Write(header) // errors stay in the writer
	for _, r := range rows {
		for i, c := range r {
			r[i] = guard(c)
		}
		_ = w.Write(r)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write the table: %w", err)
	}
	return b.Bytes(), nil
}
