package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// naturalKey returns a key whose order as bytes is the one in which people look for
// names: "Room 2" before "room 10", whatever the case. Names that are the same but
// for their case have the same key, and no others have.
//
// A run of digits becomes a 0, the number of its digits without leading zeros in
// two letters, and those digits. What was left out is told apart at the end, behind
// a character that no name has.
func naturalKey(name string) string {
	name = strings.ToLower(name)
	var b strings.Builder
	b.Grow(2*len(name) + 8)
	for i := 0; i < len(name); {
		if !isDigit(name[i]) {
			b.WriteByte(name[i])
			i++
			continue
		}
		end := i
		for end < len(name) && isDigit(name[end]) {
			end++
		}
		digits := strings.TrimLeft(name[i:end], "0")
		n := min(len(digits), 16*16-1)
		b.WriteByte('0')
		b.WriteByte(byte('a' + n/16))
		b.WriteByte(byte('a' + n%16))
		b.WriteString(digits)
		i = end
	}
	b.WriteByte(1)
	b.WriteString(name)
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// sortByName sorts by rank, and then by name as naturalKey has it.
func sortByName[T any](list []T, rank func(*T) int, name func(*T) string) {
	type ranked struct {
		v    T
		rank int
		key  string
	}
	all := make([]ranked, len(list))
	for i := range list {
		all[i] = ranked{list[i], rank(&list[i]), naturalKey(name(&list[i]))}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Or(a.rank-b.rank, strings.Compare(a.key, b.key)) })
	for i := range all {
		list[i] = all[i].v
	}
}

// layout is how objects are laid out in the store, as this version of the program
// does it.
const layout = 1

type layoutRecord struct {
	Version int `json:"version"`
}

// Upgrade brings what an earlier version has stored into the form of this one. Call
// it before anything else uses the store; it does little where nothing is to do, and
// goes on where it was interrupted.
func (c *Centre) Upgrade(ctx context.Context) error {
	var mark Record
	var now layoutRecord
	err := c.store.View(ctx, func(tx Tx) (err error) {
		mark, err = tx.Get("layout", "layout")
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			err = json.Unmarshal(mark.Data, &now)
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("layout of the store: %w", err)
	case now.Version > layout:
		return fmt.Errorf("the store has layout %d, this program knows layouts up to %d: use the program that wrote it, or a newer one", now.Version, layout)
	case now.Version == layout:
		return nil
	}
	// 1: names are in natural order.
	err = errors.Join(rekey[Provider](ctx, c.store), rekey[Mailbox](ctx, c.store), rekey[System](ctx, c.store), rekey[Group](ctx, c.store), rekey[AlarmHook](ctx, c.store))
	if err != nil {
		return fmt.Errorf("bring the store to layout %d: %w", layout, err)
	}
	return c.store.Update(ctx, func(tx Tx) error {
		data, err := json.Marshal(layoutRecord{layout})
		if err != nil {
			return fmt.Errorf("layout of the store: %w", err)
		}
		_, err = tx.Put(Record{Kind: "layout", ID: "layout", Revision: mark.Revision, Data: data})
		return err
	})
}

// rekey gives all objects of a kind the key that they would be stored with now.
func rekey[T any, P object[T]](ctx context.Context, store Store) error {
	kind, _, _ := P(new(T)).place()
	for after := (Cursor{}); ; {
		from, n := after, 0
		err := store.Update(ctx, func(tx Tx) error {
			after = from // it may run again
			records, err := tx.List(kind, "", from, PageLimit)
			if err != nil {
				return err
			}
			n = len(records)
			for _, r := range records {
				after = Cursor{r.Key, r.ID}
				v, err := decode[T, P](r)
				if err != nil {
					return err
				}
				if _, _, key := P(&v).place(); key != r.Key {
					r.Key = key
					if _, err := tx.Put(r); err != nil {
						return fmt.Errorf("%s %s: %w", kind, r.ID, err)
					}
				}
			}
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
	}
}
