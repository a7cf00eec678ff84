package storetest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness { return storetest.Harness{Store: new(storetest.Memory)} })
	require.NoError(t, storetest.Test(func() (storetest.Harness, error) {
		return storetest.Harness{Store: new(storetest.Memory)}, nil
	}))
}

// broken is a store that breaks one rule.
type broken struct {
	storetest.Memory
	update func(m *storetest.Memory, ctx context.Context, fn func(control.Tx) error) error
	tx     func(control.Tx) control.Tx
}

func (b *broken) Update(ctx context.Context, fn func(control.Tx) error) error {
	if b.update != nil {
		return b.update(&b.Memory, ctx, fn)
	}
	return b.Memory.Update(ctx, func(tx control.Tx) error { return fn(b.wrap(tx)) })
}

func (b *broken) View(ctx context.Context, fn func(control.Tx) error) error {
	return b.Memory.View(ctx, func(tx control.Tx) error { return fn(b.wrap(tx)) })
}

func (b *broken) wrap(tx control.Tx) control.Tx {
	if b.tx == nil {
		return tx
	}
	return b.tx(tx)
}

type unordered struct{ control.Tx }

func (u unordered) List(kind, owner string, after control.Cursor, limit int) ([]control.Record, error) {
	rs, err := u.Tx.List(kind, owner, after, limit)
	for i, j := 0, len(rs)-1; i < j; i, j = i+1, j-1 {
		rs[i], rs[j] = rs[j], rs[i]
	}
	return rs, err
}

type forgiving struct{ control.Tx }

func (f forgiving) Put(r control.Record) (control.Record, error) {
	if old, err := f.Get(r.Kind, r.ID); err == nil {
		r.Revision = old.Revision
	}
	return f.Tx.Put(r)
}

type doubles struct{ control.Tx }

func (d doubles) Put(r control.Record) (control.Record, error) {
	if _, err := d.Find(r.Kind, r.Owner, r.Key); err == nil && r.Revision == 0 {
		r.Key = ""
	}
	return d.Tx.Put(r)
}

// The suite is worth something only if it finds what is wrong.
func TestFindsBrokenStores(t *testing.T) {
	for name, c := range map[string]struct {
		store func() control.Store
		want  string // the case that has to fail
	}{
		"keeps what failed": {func() control.Store {
			return &broken{update: func(m *storetest.Memory, ctx context.Context, fn func(control.Tx) error) error {
				var failed error
				err := m.Update(ctx, func(tx control.Tx) error { failed = fn(tx); return nil })
				if failed != nil {
					return failed
				}
				return err
			}}
		}, "all-or-nothing"},
		"ignores ctx": {func() control.Store {
			return &broken{update: func(m *storetest.Memory, _ context.Context, fn func(control.Tx) error) error {
				return m.Update(context.Background(), fn)
			}}
		}, "context"},
		"lists in any order": {func() control.Store { return &broken{tx: func(tx control.Tx) control.Tx { return unordered{tx} }} }, "list"},
		"overwrites":         {func() control.Store { return &broken{tx: func(tx control.Tx) control.Tx { return forgiving{tx} }} }, "stale"},
		"takes a name twice": {func() control.Store { return &broken{tx: func(tx control.Tx) control.Tx { return doubles{tx} }} }, "exists"},
	} {
		t.Run(name, func(t *testing.T) {
			err := storetest.Test(func() (storetest.Harness, error) { return storetest.Harness{Store: c.store()}, nil })
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want+": ")
		})
	}
}
