package control

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"
)

// Centre is the control centre: it checks who may do what, whether objects are
// sound and fit together, keeps them, and logs every change. It is safe for
// concurrent use.
type Centre struct {
	store Store
	keys  *Keys
	opts  Options
	hooks *poster

	previews previews
}

// Options are what a Centre takes besides its store and keys. The zero value
// works.
type Options struct {
	// Resolver looks up the TXT records that prove a domain. Default: that of
	// the machine.
	Resolver Resolver
	// Consent checks the consent of a Microsoft 365 administrator. Without it
	// providers of that kind can be made, and stay without consent.
	Consent Consent
	// AppID is the application (client) ID of the server's own Microsoft 365
	// application, for the scripts that limit it to the rooms.
	AppID string
	// Folders are the folders below which providers of iCalendar folders may
	// read. Without one there are no such providers.
	Folders []string
	// TimeZone decides when a day ends for companies that say nothing else. Default
	// UTC.
	TimeZone *time.Location
	// Live is the service that keeps the devices. Without it nothing can be said
	// of what rooms show, and calendars cannot be asked.
	Live Live
	// PrivateHooks lets companies name addresses, for alarms and for systems of the
	// kind Webhook, that lie inside of the server's own network. HookTLS, unless nil, is the TLS configuration of calls
	// to such addresses: further roots, say.
	PrivateHooks bool
	HookTLS      *tls.Config
	// Changed is called after every change that devices or calendars could
	// notice, with the company's ID, or "" for all. It must not block.
	Changed func(company string)
	// Logger gets what an administrator of the server should see. Default: none.
	Logger *slog.Logger
}

// Resolver looks up DNS TXT records. A *net.Resolver is one. The name ends with a
// dot: no search domain is to be added. The strings that a record consists of are
// joined.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// New returns a Centre on store. It starts nothing.
func New(store Store, keys *Keys, opts *Options) (*Centre, error) {
	if store == nil || keys == nil {
		return nil, errors.New("a control centre needs a store and keys")
	}
	c := &Centre{store: store, keys: keys, previews: previews{byID: map[string]*running{}}}
	if opts != nil {
		c.opts = *opts
		c.opts.Folders = slices.Clone(opts.Folders)
	}
	if c.opts.TimeZone == nil {
		c.opts.TimeZone = time.UTC
	}
	if c.opts.Resolver == nil {
		c.opts.Resolver = net.DefaultResolver
	}
	if c.opts.Changed == nil {
		c.opts.Changed = func(string) {}
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.New(slog.DiscardHandler)
	}
	c.hooks = newPoster(c.opts.PrivateHooks, c.opts.HookTLS)
	return c, nil
}

// Actor is who does something: a signed-in user, perhaps by an API token.
type Actor struct {
	User User
	// Scopes limits a token to these actions. It is nil for a person.
	Scopes []Action
	// Address is the network address that the call comes from, for the audit log.
	Address string
}

func (a Actor) may(action Action, org Org) bool {
	return Allowed(a.User, action, org) && (a.Scopes == nil || slices.Contains(a.Scopes, action))
}

// ErrDenied is the error of a call that the actor may not make. An object of an
// organization that the actor cannot see is ErrNotFound instead.
var ErrDenied = errors.New("not allowed")

// DeniedError says what is missing.
type DeniedError struct {
	Action Action
	Org    string // the organization's name
}

// Error returns one line.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("%v: %s in %s needs a role that you do not have, or a scope that your token does not have", ErrDenied, e.Action, e.Org)
}

// Is makes errors.Is(err, ErrDenied) true.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// FieldError says what is wrong with one field of an object.
type FieldError struct {
	Field string `json:"field"`   // the JSON name, with dots for inner objects
	Msg   string `json:"message"` // what is wrong and what would be right
}

// InvalidError names everything that is wrong with an object.
type InvalidError struct{ Fields []FieldError }

// Error returns one line with all fields.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + ": " + f.Msg)
	}
	return b.String()
}

// checks collects what is wrong with an object.
type checks struct{ fields []FieldError }

func (c *checks) fail(field, format string, args ...any) {
	c.fields = append(c.fields, FieldError{field, fmt.Sprintf(format, args...)})
}

// text demands 1 to most bytes of printable text on one line.
func (c *checks) text(field, value string, most int) {
	switch {
	case strings.TrimSpace(value) == "":
		c.fail(field, "is missing")
	case len(value) > most:
		c.fail(field, "has %d bytes; the most is %d", len(value), most)
	default:
		c.printable(field, value)
	}
}

// optional allows the same, or nothing.
func (c *checks) optional(field, value string, most int) {
	if value != "" {
		c.text(field, value, most)
	}
}

func (c *checks) printable(field, value string) {
	if !isPrintable(value) {
		c.fail(field, "has characters that do not print, or is not UTF-8")
	}
}

func (c *checks) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &InvalidError{c.fields}
}

// object is what the Centre keeps. T is the struct.
type object[T any] interface {
	*T
	meta() *Meta
	// place says where the object is stored: its kind, the organization that it
	// belongs to, and its unique key there.
	place() (kind, owner, key string)
	// title is what people call the object.
	title() string
}

func newID() string { return strings.ToLower(rand.Text()) }

// get reads one object.
func get[T any, P object[T]](tx Tx, id string) (T, error) {
	var v T
	kind, _, _ := P(&v).place()
	r, err := tx.Get(kind, id)
	if err != nil {
		return v, err
	}
	return decode[T, P](r)
}

// find reads the object with a unique key.
func find[T any, P object[T]](tx Tx, owner, key string) (T, error) {
	var v T
	kind, _, _ := P(&v).place()
	r, err := tx.Find(kind, owner, key)
	if err != nil {
		return v, err
	}
	return decode[T, P](r)
}

func decode[T any, P object[T]](r Record) (T, error) {
	var v T
	if err := json.Unmarshal(r.Data, &v); err != nil {
		return v, fmt.Errorf("%s %s: the store has something else there: %w", r.Kind, r.ID, err)
	}
	m := P(&v).meta()
	m.ID, m.Revision, m.Changed = r.ID, r.Revision, r.Changed
	return v, nil
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next begins the next page; it is empty at the end.
	Next string
	// Total is the number of items of all pages.
	Total int
}

// PageLimit is the most items of one page.
const PageLimit = 200

// page reads a part of a list.
func page[T any, P object[T]](tx Tx, owner, after string, limit int) (Page[T], error) {
	var p Page[T]
	var v T
	kind, _, _ := P(&v).place()
	from, err := parseCursor(after)
	if err != nil {
		return p, err
	}
	limit = min(max(limit, 1), PageLimit)
	records, err := tx.List(kind, owner, from, limit+1)
	if err != nil {
		return p, err
	}
	if len(records) > limit {
		records = records[:limit]
		p.Next = formatCursor(Cursor{records[limit-1].Key, records[limit-1].ID})
	}
	p.Items = make([]T, len(records))
	for i, r := range records {
		if p.Items[i], err = decode[T, P](r); err != nil {
			return p, err
		}
	}
	p.Total, err = tx.Count(kind, owner)
	return p, err
}

// eachRecord calls f for the records of a kind that belong to owner, or to
// anybody if that is empty. f may change the record and delete it.
func eachRecord(tx Tx, kind, owner string, f func(Record) error) error {
	for after := (Cursor{}); ; {
		records, err := tx.List(kind, owner, after, PageLimit)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			after = Cursor{r.Key, r.ID}
			if err := f(r); err != nil {
				return err
			}
		}
	}
}

// all reads a whole list.
func all[T any, P object[T]](tx Tx, owner string) ([]T, error) {
	var out []T
	for next := ""; ; {
		p, err := page[T, P](tx, owner, next, PageLimit)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if next = p.Next; next == "" {
			return out, nil
		}
	}
}

// change is an Update with what a change needs besides.
type change struct {
	Tx
	actor Actor
	now   time.Time
	keys  *Keys
}

// update runs fn in a transaction and tells the service about it. The function
// of a store may run more than once; so may fn.
func (c *Centre) update(ctx context.Context, actor Actor, company string, fn func(*change) error) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err := c.store.Update(ctx, func(tx Tx) error {
		return fn(&change{tx, actor, now, c.keys})
	})
	if err == nil {
		c.opts.Changed(company)
	}
	return err
}

// put stores an object and logs the change. The revision of v has to be the
// stored one, or 0 for a new object.
func put[T any, P object[T]](ch *change, v *T) error {
	m := P(v).meta()
	kind, owner, key := P(v).place()
	var before json.RawMessage
	if m.Revision == 0 {
		m.ID, m.Created = newID(), ch.now
	} else {
		old, err := ch.Get(kind, m.ID)
		if err != nil {
			return err
		}
		before = old.Data
	}
	m.Changed = ch.now
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, m.ID, err)
	}
	r, err := ch.Put(Record{Kind: kind, ID: m.ID, Owner: owner, Key: key, Revision: m.Revision, Changed: m.Changed, Data: data})
	if errors.Is(err, ErrExists) {
		return fmt.Errorf("%s %q: %w", kind, P(v).title(), ErrExists) // not by its key, which is for sorting
	}
	if err != nil {
		return err
	}
	m.Revision = r.Revision
	before, after := concealInLog[T, P](before, data)
	return ch.log(kind, m.ID, owner, P(v).title(), before, after)
}

// remove deletes an object at a revision and logs it.
func remove[T any, P object[T]](ch *change, v *T) error {
	m := P(v).meta()
	kind, owner, _ := P(v).place()
	old, err := ch.Get(kind, m.ID)
	if err != nil {
		return err
	}
	if err := ch.Delete(kind, m.ID, m.Revision); err != nil {
		return err
	}
	before, _ := concealInLog[T, P](old.Data, nil)
	return ch.log(kind, m.ID, owner, P(v).title(), before, nil)
}

// org reads an organization and checks that the actor may do action there. An
// organization that the actor cannot see at all is not found.
func (a Actor) org(tx Tx, id string, action Action) (Org, error) {
	o, err := get[Org](tx, id)
	if err != nil {
		return o, err
	}
	if a.may(action, o) {
		return o, nil
	}
	for _, other := range Actions {
		if a.may(other, o) {
			return Org{}, &DeniedError{action, o.Name}
		}
	}
	return Org{}, fmt.Errorf("org %s: %w", id, ErrNotFound)
}
