// Package storetest checks that a control.Store keeps the contract of the
// interface.
//
// [Memory] is a store that passes, for tests that need any store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// Harness is a store under test. Fields that are nil skip the cases that need
// them, with the reason in the log.
type Harness struct {
	// Store is empty and open.
	Store control.Store
	// Reopen ends the process that has the store, without closing it if that is
	// possible, and returns a store on the same data.
	Reopen func() (control.Store, error)
}

// Run runs every case on a store of its own.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			if err := c.run(h); err == errNoReopen {
				t.Skip("the harness has no Reopen: this store does not outlive its process")
			} else if err != nil {
				t.Errorf("%s\n\tthe contract (%s): %s", err, c.where, c.rule)
			}
			if h.Store != nil {
				_ = h.Store.Close()
			}
		})
	}
}

// Test runs every case and returns what went wrong, for programs that are no
// tests. Each case has a store of its own.
func Test(open func() (Harness, error)) error {
	var errs []error
	for _, c := range cases {
		h, err := open()
		if err != nil {
			return fmt.Errorf("open a store: %w", err)
		}
		if err := c.run(h); err != nil && err != errNoReopen {
			errs = append(errs, fmt.Errorf("%s: %w; the contract (%s): %s", c.name, err, c.where, c.rule))
		}
		_ = h.Store.Close()
	}
	return errors.Join(errs...)
}

var errNoReopen = errors.New("no reopen")

type testCase struct {
	name  string
	rule  string // the sentence of the contract
	where string // file and line of the case
	run   func(h Harness) error
}

func rule(name, sentence string, run func(h Harness) error) testCase {
	_, file, line, _ := runtime.Caller(1)
	return testCase{name, sentence, fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line), run}
}

var ctx = context.Background()

var cases = []testCase{
	rule("one-state", "a transaction sees one state of the data from its beginning to its end, and its own changes", func(h Harness) error {
		return h.Store.Update(ctx, func(tx control.Tx) error {
			if _, err := tx.Put(record("a", "acme", "room")); err != nil {
				return err
			}
			got, err := tx.Get("system", "a")
			if err != nil || got.Key != "room" {
				return fmt.Errorf("Get after Put in one Update: %+v, %v", got, err)
			}
			if n, err := tx.Count("system", "acme"); err != nil || n != 1 {
				return fmt.Errorf("Count after Put in one Update: %d, %v; want 1", n, err)
			}
			return nil
		})
	}),
	rule("all-or-nothing", "an Update keeps all changes when its function returns nil, and none of them otherwise", func(h Harness) error {
		boom := errors.New("boom")
		err := h.Store.Update(ctx, func(tx control.Tx) error {
			if _, err := tx.Put(record("a", "acme", "room")); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			return fmt.Errorf("Update returned %v; want the function's error", err)
		}
		return expectCount(h.Store, 0)
	}),
	rule("the-error-as-it-is", "View and Update return the error of the function as it is", func(h Harness) error {
		boom := errors.New("boom")
		if err := h.Store.View(ctx, func(control.Tx) error { return boom }); err != boom {
			return fmt.Errorf("View returned %v", err)
		}
		if err := h.Store.Update(ctx, func(control.Tx) error { return boom }); err != boom {
			return fmt.Errorf("Update returned %v", err)
		}
		return nil
	}),
	rule("kept", "what Update returned nil for is kept, also after a crash", func(h Harness) error {
		if h.Reopen == nil {
			return errNoReopen
		}
		if err := put(h.Store, record("a", "acme", "room")); err != nil {
			return err
		}
		again, err := h.Reopen()
		if err != nil {
			return fmt.Errorf("reopen: %w", err)
		}
		defer again.Close()
		return expectCount(again, 1)
	}),
	rule("one-after-the-other", "Updates happen one after the other, as if alone", func(h Harness) error {
		if err := put(h.Store, record("a", "acme", "0")); err != nil {
			return err
		}
		const workers, each = 4, 10
		errs := make(chan error, workers)
		for range workers {
			go func() {
				for range each {
					if err := h.Store.Update(ctx, func(tx control.Tx) error {
						r, err := tx.Get("system", "a")
						if err != nil {
							return err
						}
						r.Data = append(r.Data, 'x')
						_, err = tx.Put(r)
						return err
					}); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		var joined error
		for range workers {
			joined = errors.Join(joined, <-errs)
		}
		if joined != nil {
			return joined
		}
		return h.Store.View(ctx, func(tx control.Tx) error {
			r, err := tx.Get("system", "a")
			if n := bytes.Count(r.Data, []byte("x")); err != nil || n != workers*each {
				return fmt.Errorf("%d changes are left of %d: %v", n, workers*each, err)
			}
			return nil
		})
	}),
	rule("context", "View and Update return soon after ctx is done, with an error that wraps ctx.Err()", func(h Harness) error {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := h.Store.View(gone, func(control.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("View returned %v", err)
		}
		if err := h.Store.Update(gone, func(control.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("Update returned %v", err)
		}
		return nil
	}),
	rule("concurrent", "a store is safe for concurrent use", func(h Harness) error {
		var wg sync.WaitGroup
		errs := make(chan error, 16)
		for i := range 8 {
			wg.Go(func() { errs <- put(h.Store, record(fmt.Sprint(i), "acme", fmt.Sprint("room ", i))) })
			wg.Go(func() {
				errs <- h.Store.View(ctx, func(tx control.Tx) error {
					_, err := tx.List("system", "acme", control.Cursor{}, 100)
					return err
				})
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return err
			}
		}
		return expectCount(h.Store, 8)
	}),
	rule("closed", "calls after Close return an error", func(h Harness) error {
		if err := h.Store.Close(); err != nil {
			return err
		}
		if err := h.Store.View(ctx, func(control.Tx) error { return nil }); err == nil {
			return errors.New("View on a closed store returned nil")
		}
		if err := h.Store.Update(ctx, func(control.Tx) error { return nil }); err == nil {
			return errors.New("Update on a closed store returned nil")
		}
		return nil
	}),
	rule("not-found", "a Tx returns ErrNotFound for a record that is not there", func(h Harness) error {
		return h.Store.Update(ctx, func(tx control.Tx) error {
			_, get := tx.Get("system", "a")
			_, find := tx.Find("system", "acme", "room")
			_, empty := tx.Find("system", "acme", "")
			return errors.Join(
				expectError("Get", get, control.ErrNotFound),
				expectError("Find", find, control.ErrNotFound),
				expectError("Find with an empty key", empty, control.ErrNotFound),
				expectError("Delete", tx.Delete("system", "a", 1), control.ErrNotFound))
		})
	}),
	rule("exists", "Put returns ErrExists for a Kind, Owner and Key, the Key not empty, that another record has", func(h Harness) error {
		if err := put(h.Store, record("a", "acme", "room")); err != nil {
			return err
		}
		if err := expectError("Put", put(h.Store, record("b", "acme", "room")), control.ErrExists); err != nil {
			return err
		}
		other := record("c", "acme", "room")
		other.Kind = "group"
		for _, r := range []control.Record{other, record("d", "globex", "room"), record("e", "acme", ""), record("f", "acme", "")} {
			if err := put(h.Store, r); err != nil {
				return fmt.Errorf("Put of %s %q of %s: %w", r.Kind, r.Key, r.Owner, err)
			}
		}
		return h.Store.View(ctx, func(tx control.Tx) error {
			if r, err := tx.Find("system", "globex", "room"); err != nil || r.ID != "d" {
				return fmt.Errorf("Find returned %+v, %v; want d", r, err)
			}
			return nil
		})
	}),
	rule("stale", "Put and Delete return ErrStale for a Revision that is not the stored one; a new record has Revision 0, and every Put adds 1", func(h Harness) error {
		first := record("a", "acme", "room")
		if err := put(h.Store, first); err != nil {
			return err
		}
		if err := expectError("Put of a new record over one that is there", put(h.Store, first), control.ErrStale); err != nil {
			return err
		}
		missing := record("z", "acme", "other")
		missing.Revision = 3
		if err := expectError("Put of an old record that is gone", put(h.Store, missing), control.ErrStale); err != nil {
			return err
		}
		return h.Store.Update(ctx, func(tx control.Tx) error {
			r, err := tx.Get("system", "a")
			if err != nil || r.Revision != 1 {
				return fmt.Errorf("after one Put: revision %d, %v", r.Revision, err)
			}
			r.Key = "renamed"
			if r, err = tx.Put(r); err != nil || r.Revision != 2 {
				return fmt.Errorf("second Put: revision %d, %v", r.Revision, err)
			}
			if err := expectError("Delete", tx.Delete("system", "a", 1), control.ErrStale); err != nil {
				return err
			}
			if _, err := tx.Find("system", "acme", "room"); !errors.Is(err, control.ErrNotFound) {
				return fmt.Errorf("Find by the old key: %v", err)
			}
			return tx.Delete("system", "a", 2)
		})
	}),
	rule("list", "List returns records by Key, compared as bytes, then by ID, those after the given one, and at most limit of them", func(h Harness) error {
		for _, r := range []control.Record{record("3", "acme", "b"), record("1", "acme", "ä"), record("2", "globex", "a"), record("5", "acme", ""), record("4", "acme", ""), record("6", "acme", "B")} {
			if err := put(h.Store, r); err != nil {
				return err
			}
		}
		list := func(owner string, after control.Cursor, limit int) (string, error) {
			var ids []string
			err := h.Store.View(ctx, func(tx control.Tx) error {
				rs, err := tx.List("system", owner, after, limit)
				for _, r := range rs {
					ids = append(ids, r.ID)
				}
				return err
			})
			return strings.Join(ids, " "), err
		}
		for _, c := range []struct {
			owner string
			after control.Cursor
			limit int
			want  string
		}{
			{"acme", control.Cursor{}, 10, "4 5 6 3 1"},
			{"", control.Cursor{}, 10, "4 5 6 2 3 1"},
			{"acme", control.Cursor{}, 2, "4 5"},
			{"acme", control.Cursor{Key: "", ID: "4"}, 2, "5 6"},
			{"acme", control.Cursor{Key: "b", ID: "3"}, 2, "1"},
			{"nobody", control.Cursor{}, 2, ""},
		} {
			if got, err := list(c.owner, c.after, c.limit); err != nil || got != c.want {
				return fmt.Errorf("List of %q after %v, limit %d: %q, %v; want %q", c.owner, c.after, c.limit, got, err, c.want)
			}
		}
		return nil
	}),
	rule("count", "Count returns how many records List would give without a limit", func(h Harness) error {
		for i := range 3 {
			if err := put(h.Store, record(fmt.Sprint(i), "acme", fmt.Sprint(i))); err != nil {
				return err
			}
		}
		if err := put(h.Store, record("x", "globex", "x")); err != nil {
			return err
		}
		return h.Store.View(ctx, func(tx control.Tx) error {
			acme, err1 := tx.Count("system", "acme")
			all, err2 := tx.Count("system", "")
			none, err3 := tx.Count("group", "")
			if acme != 3 || all != 4 || none != 0 || errors.Join(err1, err2, err3) != nil {
				return fmt.Errorf("%d of acme, %d in all, %d groups: %v", acme, all, none, errors.Join(err1, err2, err3))
			}
			return nil
		})
	}),
	rule("whole", "a record comes back as it was put", func(h Harness) error {
		want := record("a", "acme", "Raum „Ä“\x00'\"")
		want.Data = []byte(`{"name":"会議室","n":1e3}`)
		if err := put(h.Store, want); err != nil {
			return err
		}
		return h.Store.View(ctx, func(tx control.Tx) error {
			got, err := tx.Find("system", "acme", want.Key)
			if err != nil {
				return err
			}
			if got.Key != want.Key || got.Owner != want.Owner || !bytes.Equal(got.Data, want.Data) || !got.Changed.Equal(want.Changed) {
				return fmt.Errorf("got %+v, want %+v", got, want)
			}
			return nil
		})
	}),
	rule("hands-over", "a Tx hands over what it returns and keeps nothing of what it is given", func(h Harness) error {
		mine := record("a", "acme", "room")
		if err := put(h.Store, mine); err != nil {
			return err
		}
		mine.Data[0] = '!'
		for range 2 {
			if err := h.Store.View(ctx, func(tx control.Tx) error {
				r, err := tx.Get("system", "a")
				if err != nil || r.Data[0] != '{' {
					return fmt.Errorf("data was changed from outside: %s, %v", r.Data, err)
				}
				r.Data[0] = '?'
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}),
	rule("views-read", "Put and Delete of a View return an error", func(h Harness) error {
		if err := put(h.Store, record("a", "acme", "room")); err != nil {
			return err
		}
		// What the function returns does not matter: nothing may have changed.
		_ = h.Store.View(ctx, func(tx control.Tx) error {
			if _, err := tx.Put(record("b", "acme", "b")); err == nil {
				return errors.New("Put returned nil")
			}
			if err := tx.Delete("system", "a", 1); err == nil {
				return errors.New("Delete returned nil")
			}
			return nil
		})
		return expectCount(h.Store, 1)
	}),
}

func record(id, owner, key string) control.Record {
	return control.Record{
		Kind: "system", ID: id, Owner: owner, Key: key,
		Changed: time.Date(2026, 11, 23, 9, 30, 15, 123456000, time.UTC), Data: []byte(`{"v":1}`),
	}
}

func put(s control.Store, r control.Record) error {
	return s.Update(ctx, func(tx control.Tx) error {
		_, err := tx.Put(r)
		return err
	})
}

func expectCount(s control.Store, want int) error {
	return s.View(ctx, func(tx control.Tx) error {
		if n, err := tx.Count("system", ""); err != nil || n != want {
			return fmt.Errorf("%d records are there, %v; want %d", n, err, want)
		}
		return nil
	})
}

func expectError(what string, err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("%s returned %v; want %w", what, err, want)
	}
	return nil
}
