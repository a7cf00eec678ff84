package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// Memory is a control.Store that keeps everything in memory: the reference that
// the suite passes, for tests. Its zero value is empty.
type Memory struct {
	mu      sync.RWMutex
	records map[place]control.Record
	closed  bool
}

type place struct{ kind, id string }

var _ control.Store = (*Memory)(nil)

var errClosed = errors.New("store is closed")

// View runs fn on the data as it is.
func (m *Memory) View(ctx context.Context, fn func(control.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("view: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return errClosed
	}
	return fn(&memoryTx{records: m.records, readOnly: true})
}

// Update runs fn on a copy of the data and keeps the copy if fn returns nil.
func (m *Memory) Update(ctx context.Context, fn func(control.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	tx := &memoryTx{records: maps.Clone(m.records)}
	if tx.records == nil {
		tx.records = map[place]control.Record{}
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	m.records = tx.records
	return nil
}

// Close ends the store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

type memoryTx struct {
	records  map[place]control.Record
	readOnly bool
}

func (tx *memoryTx) Get(kind, id string) (control.Record, error) {
	r, ok := tx.records[place{kind, id}]
	if !ok {
		return control.Record{}, fmt.Errorf("%s %s: %w", kind, id, control.ErrNotFound)
	}
	return clone(r), nil
}

func (tx *memoryTx) Find(kind, owner, key string) (control.Record, error) {
	for _, r := range tx.records {
		if key != "" && r.Kind == kind && r.Owner == owner && r.Key == key {
			return clone(r), nil
		}
	}
	return control.Record{}, fmt.Errorf("%s %q: %w", kind, key, control.ErrNotFound)
}

func (tx *memoryTx) List(kind, owner string, after control.Cursor, limit int) ([]control.Record, error) {
	var found []control.Record
	for _, r := range tx.records {
		if r.Kind == kind && (owner == "" || r.Owner == owner) && compare(r, after) > 0 {
			found = append(found, clone(r))
		}
	}
	slices.SortFunc(found, func(a, b control.Record) int { return compare(a, control.Cursor{Key: b.Key, ID: b.ID}) })
	return found[:min(limit, len(found))], nil
}

func (tx *memoryTx) Count(kind, owner string) (int, error) {
	n := 0
	for _, r := range tx.records {
		if r.Kind == kind && (owner == "" || r.Owner == owner) {
			n++
		}
	}
	return n, nil
}

func (tx *memoryTx) Put(r control.Record) (control.Record, error) {
	if tx.readOnly {
		return control.Record{}, errors.New("put in a view")
	}
	at := place{r.Kind, r.ID}
	if tx.records[at].Revision != r.Revision {
		return control.Record{}, fmt.Errorf("%s %s: %w", r.Kind, r.ID, control.ErrStale)
	}
	if other, err := tx.Find(r.Kind, r.Owner, r.Key); err == nil && other.ID != r.ID {
		return control.Record{}, fmt.Errorf("%s %q: %w", r.Kind, r.Key, control.ErrExists)
	}
	r.Revision++
	tx.records[at] = clone(r)
	return clone(r), nil
}

func (tx *memoryTx) Delete(kind, id string, revision int64) error {
	if tx.readOnly {
		return errors.New("delete in a view")
	}
	r, err := tx.Get(kind, id)
	if err != nil {
		return err
	}
	if r.Revision != revision {
		return fmt.Errorf("%s %s: %w", kind, id, control.ErrStale)
	}
	delete(tx.records, place{kind, id})
	return nil
}

func compare(r control.Record, c control.Cursor) int {
	return cmp.Or(cmp.Compare(r.Key, c.Key), cmp.Compare(r.ID, c.ID))
}

func clone(r control.Record) control.Record {
	r.Data = bytes.Clone(r.Data)
	return r
}
