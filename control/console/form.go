package console

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// form is what was sent or is to be edited, and what is wrong with it.
type form struct {
	Values   url.Values
	Problems []control.FieldError
	labels   map[string]string // of the fields that a template has drawn
}

// newForm returns a form with the values of pairs: name, value, name, value.
func newForm(pairs ...string) *form {
	f := &form{Values: url.Values{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Values.Add(pairs[i], pairs[i+1])
	}
	return f
}

// sent returns the form that the request has sent.
func (r *request) sent() *form { return &form{Values: r.PostForm} }

// failed takes what is wrong with the form from an error of the Centre, and
// reports whether it did: then the form is to be shown again. unique is the field
// that an object with the same name is blamed on.
func (f *form) failed(err error, unique string) bool {
	switch list := problemsOf(err); {
	case list != nil:
		f.Problems = append(f.Problems, list...)
	case errors.Is(err, control.ErrExists):
		f.Problems = append(f.Problems, control.FieldError{Field: unique, Msg: text("form.exists")})
	case errors.Is(err, control.ErrStale):
		f.Problems = append(f.Problems, control.FieldError{Msg: text("form.stale")})
	default:
		return false
	}
	return true
}

// problemsOf returns what is wrong with fields, or nil.
func problemsOf(err error) []control.FieldError {
	var invalid *control.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Fields
	}
	return nil
}

// wrong adds a problem that the console itself has found.
func (f *form) wrong(field, msg string) {
	f.Problems = append(f.Problems, control.FieldError{Field: field, Msg: msg})
}

// about makes one field, or the whole form for "", what all problems are about.
func (f *form) about(field string) {
	for i := range f.Problems {
		f.Problems[i].Field = field
	}
}

// get returns a value.
func (f *form) get(name string) string { return f.Values.Get(name) }

// number returns a whole number, or notes that it is none. Nothing is 0.
func (f *form) number(name string) int {
	s := f.get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		f.wrong(name, text("form.number"))
	}
	return n
}

// needed is number for a field that may not be empty.
func (f *form) needed(name string) int {
	if f.get(name) == "" {
		f.wrong(name, text("form.missing"))
		return 0
	}
	return f.number(name)
}

// revision returns the revision that the form was made of.
func (f *form) revision() int64 {
	n, err := strconv.ParseInt(f.get("revision"), 10, 64)
	if err != nil {
		return -1 // matches nothing
	}
	return n
}

func (f *form) checked(name string) bool { return f.get(name) != "" }

// Get returns a value, for templates.
func (f *form) Get(name string) string { return f.get(name) }

// Error returns what is wrong with a field that was drawn, or "".
func (f *form) Error(name string) string {
	for _, p := range f.Problems {
		if p.Field == name {
			return sentence(f.labels[name], p.Msg)
		}
	}
	return ""
}

// Summary is what is wrong with the form as the top of the page says it, after
// the fields were drawn: Field is empty where there is none to go to.
func (f *form) Summary() []control.FieldError {
	out := make([]control.FieldError, len(f.Problems))
	for i, p := range f.Problems {
		if label, drawn := f.labels[p.Field]; drawn {
			out[i] = control.FieldError{Field: p.Field, Msg: sentence(label, p.Msg)}
		} else {
			out[i].Msg = sentence("", p.Msg)
		}
	}
	return out
}

// Label notes a field that the template draws by itself, with the key of its
// label, and returns the label.
func (f *form) Label(name, key string) string {
	if f.labels == nil {
		f.labels = map[string]string{}
	}
	f.labels[name] = text(key)
	return f.labels[name]
}

// sentence makes a sentence of what the Centre says about a field, which may be
// one already: "is missing" becomes "Name is missing".
func sentence(label, msg string) string {
	for _, verb := range []string{"is ", "has ", "are ", "begins ", "must "} {
		if label != "" && strings.HasPrefix(msg, verb) {
			return label + " " + msg
		}
	}
	first, size := utf8.DecodeRuneInString(msg)
	return string(unicode.ToUpper(first)) + msg[size:]
}

// option is one of the choices of a field.
type option struct{ Value, Label, Hint string }

// field is what the template "field" draws.
type field struct {
	Kind     string // text, area, select, radio, check, file
	Type     string // of an input
	Name     string
	Label    string
	Hint     string
	Value    string
	Error    string
	Max      int
	Rows     int
	Least    string
	Most     string
	Optional bool
	Mono     bool
	Complete string // autocomplete
	List     string // id of a datalist
	Options  []option
	Checked  bool
}

// ID is the element's id, which the summary of problems links to.
func (f field) ID() string { return "f-" + f.Name }

// Describes lists the elements that describe the input, or "".
func (f field) Describes() string {
	s := ""
	if f.Hint != "" {
		s = f.ID() + "-hint"
	}
	if f.Error != "" {
		if s != "" {
			s += " "
		}
		s += f.ID() + "-error"
	}
	return s
}

func (f *form) field(kind, name, key string) field {
	label := f.Label(name, key)
	return field{
		Kind: kind, Type: "text", Name: name, Label: label, Hint: hint(key + ".hint"),
		Value: f.get(name), Error: f.Error(name), Complete: "off",
	}
}

// Text is a line of at most most bytes.
func (f *form) Text(name, key string, most int) field {
	d := f.field("text", name, key)
	d.Max = most
	return d
}

// Email is an e-mail address.
func (f *form) Email(name, key string) field {
	d := f.Text(name, key, 254)
	d.Type = "email"
	return d
}

// Password is a secret. It is never filled in: where a form is shown again that
// had one, it says so.
func (f *form) Password(name, key string) field {
	d := f.Text(name, key, 1024)
	if d.Value != "" && d.Error == "" && len(f.Problems) > 0 {
		f.wrong(name, text("form.retype"))
		d.Error = f.Error(name)
	}
	d.Type, d.Value, d.Complete = "password", "", "new-password"
	return d
}

// Number is a whole number.
func (f *form) Number(name, key string, least, most int) field {
	d := f.field("text", name, key)
	d.Type, d.Least, d.Most = "number", strconv.Itoa(least), strconv.Itoa(most)
	return d
}

// Area is text of several lines.
func (f *form) Area(name, key string, rows int) field {
	d := f.field("area", name, key)
	d.Rows = rows
	return d
}

// File is a file to send; the form needs enctype="multipart/form-data".
func (f *form) File(name, key string) field { return f.field("file", name, key) }

// Select is a choice from a list.
func (f *form) Select(name, key string, options []option) field {
	d := f.field("select", name, key)
	d.Options = options
	return d
}

// Radio is a choice of a few that can all be seen.
func (f *form) Radio(name, key string, options []option) field {
	d := f.field("radio", name, key)
	d.Options = options
	return d
}

// Check is a yes or no; yes sends "on".
func (f *form) Check(name, key string) field {
	d := f.field("check", name, key)
	d.Checked = f.checked(name)
	return d
}

// AsOptional marks a field that may stay empty.
func (f field) AsOptional() field { f.Optional = true; return f }

// AsCode shows what is typed in a fixed width.
func (f field) AsCode() field { f.Mono = true; return f }

// WithList suggests the choices of the datalist with an id.
func (f field) WithList(id string) field { f.List = id; return f }
