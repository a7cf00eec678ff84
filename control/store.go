package control

import (
	"context"
	"errors"
	"time"
)

// Store keeps the control centre's objects as records.
//
// Package control/storetest checks an implementation against each of these
// rules. A store
//   - runs the function of View and Update in one transaction, which sees one
//     state of the data from its beginning to its end, and its own changes;
//   - keeps all changes of an Update when its function returns nil, and none of
//     them otherwise;
//   - returns the error of the function as it is;
//   - has kept what Update returned nil for, also after a crash;
//   - lets Updates happen one after the other, as if alone;
//   - returns soon after ctx is done, with an error that wraps ctx.Err();
//   - is safe for concurrent use.
//
// The function may run more than once, and uses its Tx in no other goroutine and
// not after it has returned.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	// Close ends the store. Calls after it return an error.
	Close() error
}

// Tx is a transaction. A Tx
//   - returns ErrNotFound for a record that is not there;
//   - returns from Put ErrExists for a Kind, Owner and Key, the Key not empty,
//     that another record has;
//   - returns from Put and Delete ErrStale for a Revision that is not the stored
//     one; a new record has Revision 0, and every Put adds 1 to it;
//   - returns records in List by Key, compared as bytes, then by ID, those after
//     the given one, and at most limit of them;
//   - hands over what it returns and keeps nothing of what it is given.
//
// Put and Delete of a View return an error.
type Tx interface {
	Get(kind, id string) (Record, error)
	// Find returns the record with the given unique key.
	Find(kind, owner, key string) (Record, error)
	// List returns the records of a kind that belong to owner; an empty owner
	// means all owners. The zero Cursor begins at the beginning.
	List(kind, owner string, after Cursor, limit int) ([]Record, error)
	// Count returns how many records List would give without a limit.
	Count(kind, owner string) (int, error)
	// Put stores r and returns it with its new Revision.
	Put(r Record) (Record, error)
	Delete(kind, id string, revision int64) error
}

// Record is one object as the store sees it.
type Record struct {
	Kind  string // "org", "user", "system", …
	ID    string // unique for the Kind
	Owner string // the ID of the organization that it belongs to; may be empty
	// Key, unless empty, is unique for the Kind and Owner: a name, an address.
	Key      string
	Revision int64
	Changed  time.Time // UTC, to the microsecond; set by the caller
	Data     []byte    // JSON
}

// Cursor is a place in a list.
type Cursor struct{ Key, ID string }

// The errors of stores that callers act upon. Test for them with [errors.Is].
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrStale    = errors.New("changed by somebody else meanwhile")
)
