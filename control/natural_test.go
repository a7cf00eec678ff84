package control_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/control"
)

func TestNaturalOrder(t *testing.T) {
	// In order; those of one line are the same name.
	names := [][]string{
		{""}, {"0"}, {"00"}, {"1"}, {"2"}, {"9"}, {"10"}, {"99999999999999999999999999999999"}, {"100000000000000000000000000000000"},
		{"Floor 1, room 2"}, {"floor 1, room 10"}, {"floor 2, room 1"}, {"floor 10, room 1"},
		{"room", "Room", "ROOM"}, {"room 02"}, {"Room 2"}, {"room 2a"}, {"room 2b"}, {"room 10"}, {"Room 10 B"}, {"room a"}, {"Zoo", "zoo"}, {"Ålesund 2", "ålesund 2"}, {"Ålesund 10"},
	}
	var all []string
	for _, same := range names {
		for _, n := range same {
			assert.Equal(t, control.NaturalKey(same[0]), control.NaturalKey(n))
		}
		all = append(all, same[0])
	}
	for i, a := range all {
		for j, b := range all {
			assert.Equal(t, i < j, control.NaturalKey(a) < control.NaturalKey(b), "%q, %q", a, b)
		}
	}
}

func FuzzNaturalKey(f *testing.F) {
	f.Add("room 2", "room 10")
	f.Add("A007", "a7")
	f.Add(strings.Repeat("9", 300), strings.Repeat("9", 301))
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 250 || len(b) > 250 || strings.ContainsRune(a+b, 1) {
			return // no name
		}
		low := []string{strings.ToLower(a), strings.ToLower(b)} // as names are compared; EqualFold knows more
		if (control.NaturalKey(a) == control.NaturalKey(b)) != (low[0] == low[1]) {
			t.Errorf("%q and %q have the wrong keys", a, b)
		}
		// What begins alike goes on by what follows, and a longer name comes later.
		if control.NaturalKey(a) >= control.NaturalKey(a+"!") {
			t.Errorf("%q comes after what begins with it", a)
		}
		if control.NaturalKey("x"+a) < control.NaturalKey("x"+b) != (control.NaturalKey(a) < control.NaturalKey(b)) {
			t.Errorf("%q and %q are ordered otherwise behind a letter", a, b)
		}
	})
}

// Lists are in natural order, page by page, also those of a store that an earlier
// version has written.
func TestListsAreInNaturalOrder(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, n := range []int{10, 2, 33, 1, 100, 21} {
		must(w.centre.SaveSystem(ctx, w.admin, control.System{Company: w.acme.ID, Name: fmt.Sprint("Room ", n), Kind: control.Feed}))(t)
	}
	list := func() (names []string) {
		for after := ""; ; {
			p := must(w.centre.Systems(ctx, w.admin, w.acme.ID, after, 2))(t)
			for _, s := range p.Items {
				names = append(names, s.Name)
			}
			if after = p.Next; after == "" {
				return names
			}
		}
	}
	want := []string{"Room 1", "Room 2", "Room 10", "Room 21", "Room 33", "Room 100"}
	assert.Equal(t, want, list())
	var overview []string
	for _, s := range must(w.centre.Overview(ctx, w.admin, w.acme.ID))(t).Systems {
		overview = append(overview, s.Name)
	}
	assert.Equal(t, want, overview)
	assert.Equal(t, "Room 21", must(w.centre.Audit(ctx, w.admin, w.acme.ID, "", 1))(t).Items[0].Name, "as it was typed")
	_, err := w.centre.SaveSystem(ctx, w.admin, control.System{Company: w.acme.ID, Name: "ROOM 10", Kind: control.Feed})
	require.ErrorIs(t, err, control.ErrExists)
	require.EqualError(t, err, `system "ROOM 10": exists already`)

	// As version 0 had it.
	require.NoError(t, w.store.Update(ctx, func(tx control.Tx) error {
		records, err := tx.List("system", "", control.Cursor{}, 100)
		require.NoError(t, err)
		for _, r := range records {
			var s control.System
			require.NoError(t, json.Unmarshal(r.Data, &s))
			r.Key = strings.ToLower(s.Name)
			_, err := tx.Put(r)
			require.NoError(t, err)
		}
		return nil
	}))
	assert.NotEqual(t, want, list())
	require.NoError(t, w.centre.Upgrade(ctx))
	assert.Equal(t, want, list())
	before := must(w.centre.Systems(ctx, w.admin, w.acme.ID, "", 10))(t)
	require.NoError(t, w.centre.Upgrade(ctx))
	assert.Equal(t, before, must(w.centre.Systems(ctx, w.admin, w.acme.ID, "", 10))(t), "twice does nothing")

	// A store of the future is left alone.
	require.NoError(t, w.store.Update(ctx, func(tx control.Tx) error {
		r, err := tx.Get("layout", "layout")
		require.NoError(t, err)
		r.Data = []byte(`{"version": 99}`)
		_, err = tx.Put(r)
		return err
	}))
	require.ErrorContains(t, w.centre.Upgrade(ctx), "layout 99")
}
