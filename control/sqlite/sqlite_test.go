package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		// The name has characters that mean something in a URL.
		path := filepath.Join(t.TempDir(), "a b?c#d%41.db")
		s, err := Open(t.Context(), path)
		require.NoError(t, err)
		return storetest.Harness{Store: s, Reopen: func() (control.Store, error) {
			return Open(t.Context(), path)
		}}
	})
}

func TestNewFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits: protect the folder there")
	}
	path := filepath.Join(t.TempDir(), "new", "otj.db")
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	defer s.Close()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// Every version there ever was is brought to today's, with what is in it.
func TestMigrations(t *testing.T) {
	for from := range len(migrations) {
		t.Run(fmt.Sprint("from version ", from), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "old.db")
			db, err := sql.Open("sqlite", dsn(path, ""))
			require.NoError(t, err)
			require.NoError(t, migrate(t.Context(), db, from))
			if from > 0 {
				_, err = db.Exec(`INSERT INTO record VALUES ('system', 'a', 'acme', 'room', 3, 0, '{}')`)
				require.NoError(t, err)
			}
			require.NoError(t, db.Close())

			s, err := Open(t.Context(), path)
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.Check(t.Context()))
			require.NoError(t, s.Update(t.Context(), func(tx control.Tx) error {
				if from > 0 {
					r, err := tx.Find("system", "acme", "room")
					require.NoError(t, err)
					assert.EqualValues(t, 3, r.Revision)
				}
				_, err := tx.Put(control.Record{Kind: "system", ID: "b", Owner: "acme", Key: "b", Data: []byte("{}")})
				return err
			}))
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer.db")
	db, err := sql.Open("sqlite", dsn(newer, ""))
	require.NoError(t, err)
	_, err = db.Exec("PRAGMA user_version = 999")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = Open(t.Context(), newer)
	assert.ErrorContains(t, err, "version 999")
	assert.ErrorContains(t, err, newer)

	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("this is not a database, and longer than its header would be......................................................"), 0o600))
	_, err = Open(t.Context(), garbage)
	assert.ErrorContains(t, err, garbage)
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), filepath.Join(dir, "otj.db"))
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Update(t.Context(), func(tx control.Tx) error {
		_, err := tx.Put(control.Record{Kind: "org", ID: "a", Key: "Acme", Changed: time.Now().UTC(), Data: []byte("{}")})
		return err
	}))
	to := filepath.Join(dir, "backups", "one.db")
	require.NoError(t, s.Backup(t.Context(), to))
	assert.ErrorContains(t, s.Backup(t.Context(), to), "name a new one")

	again, err := Open(t.Context(), to)
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.View(t.Context(), func(tx control.Tx) error {
		_, err := tx.Find("org", "", "Acme")
		return err
	}))
}

func put(t *testing.T, s *Store, key string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx control.Tx) error {
		_, err := tx.Put(control.Record{Kind: "org", ID: key, Key: key, Changed: time.Now().UTC(), Data: []byte("{}")})
		return err
	}))
}

func keysIn(t *testing.T, s *Store) (out []string) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx control.Tx) error {
		rs, err := tx.List("org", "", control.Cursor{}, 100)
		out = nil
		for _, r := range rs {
			out = append(out, r.Key)
		}
		return err
	}))
	return out
}

func TestRestore(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "a b?.db"), filepath.Join(dir, "copy.db")
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	put(t, s, "before")
	require.NoError(t, s.Backup(t.Context(), copied))
	put(t, s, "after")

	assert.ErrorContains(t, Restore(t.Context(), copied, path), "stop it first", "while it is in use")
	assert.Equal(t, []string{"after", "before"}, keysIn(t, s), "and nothing has happened")
	require.NoError(t, s.Close())

	for name, bad := range map[string]func(path string) error{
		"missing": func(string) error { return nil },
		"garbage": func(p string) error {
			return os.WriteFile(p, []byte("this is not a database, and longer than a header: "+fmt.Sprint(make([]int, 100))), 0o600)
		},
		"empty": func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"cut off": func(p string) error {
			b, err := os.ReadFile(copied)
			return errors.Join(err, os.WriteFile(p, b[:len(b)/2], 0o600))
		},
		"too new": func(p string) error {
			b, err := os.ReadFile(copied)
			return errors.Join(err, os.WriteFile(p, b, 0o600), exec(p, "PRAGMA user_version = 999"))
		},
		"no store": func(p string) error { return exec(p, "CREATE TABLE x (y)") },
	} {
		p := filepath.Join(dir, "bad "+name)
		require.NoError(t, bad(p), name)
		assert.Error(t, Restore(t.Context(), p, path), name)
	}
	assert.ErrorContains(t, Restore(t.Context(), path, path), "the store itself")
	s, err = Open(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, []string{"after", "before"}, keysIn(t, s), "after failures the store is as it was")
	require.NoError(t, s.Close())

	require.NoError(t, Restore(t.Context(), copied, path))
	s, err = Open(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, []string{"before"}, keysIn(t, s))
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Close())
	old, err := Open(t.Context(), path+Kept)
	require.NoError(t, err)
	assert.Equal(t, []string{"after", "before"}, keysIn(t, old), "what was replaced is kept")
	require.NoError(t, old.Close())

	// On a new machine there is nothing to replace.
	fresh := filepath.Join(dir, "new", "otj.db")
	require.NoError(t, Restore(t.Context(), copied, fresh))
	s, err = Open(t.Context(), fresh)
	require.NoError(t, err)
	assert.Equal(t, []string{"before"}, keysIn(t, s))
	require.NoError(t, s.Close())
}

// A copy of an older version is brought to today's when it is opened.
func TestRestoreOfEveryVersion(t *testing.T) {
	for from := 1; from < len(migrations); from++ {
		dir := t.TempDir()
		old := filepath.Join(dir, "old.db")
		db, err := sql.Open("sqlite", dsn(old, ""))
		require.NoError(t, err)
		require.NoError(t, migrate(t.Context(), db, from))
		_, err = db.Exec(`INSERT INTO record VALUES ('org', 'a', '', 'Acme', 3, 0, '{}')`)
		require.NoError(t, err)
		require.NoError(t, db.Close())
		path := filepath.Join(dir, "otj.db")
		require.NoError(t, Restore(t.Context(), old, path), "version %d", from)
		s, err := Open(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, []string{"Acme"}, keysIn(t, s))
		require.NoError(t, s.Close())
	}
}

// After a rotation old secrets can be read, new ones are sealed with the new key,
// and once all are sealed again the old key is not needed any more.
func TestKeyRotation(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "otj.db"))
	require.NoError(t, err)
	defer s.Close()
	first, err := control.NewKeys()
	require.NoError(t, err)
	c, err := control.New(s, first, nil)
	require.NoError(t, err)
	org, user, err := c.Setup(t.Context(), control.Company, "Acme", "ann@acme.example", "Ann")
	require.NoError(t, err)
	ann := control.Actor{User: user}
	const n = 250 // more than a page
	var ids []string
	for i := range n {
		g, err := c.SaveGroup(t.Context(), ann, control.Group{Company: org.ID, Name: fmt.Sprint("Group ", i)})
		require.NoError(t, err)
		require.NoError(t, c.SetPassword(t.Context(), ann, "group", g.ID, calendar.Secret(fmt.Sprint("secret ", i))))
		ids = append(ids, g.ID)
	}
	system, err := c.SaveSystem(t.Context(), ann, control.System{Company: org.ID, Name: "x", Kind: control.CiscoHTTPS, Group: ids[17]})
	require.NoError(t, err)

	second, err := first.Rotate()
	require.NoError(t, err)
	c, err = control.New(s, second, nil)
	require.NoError(t, err)
	password, err := c.Password(t.Context(), system.ID)
	require.NoError(t, err)
	assert.Equal(t, "secret 17", string(password))
	sealed, err := c.Reseal(t.Context())
	require.NoError(t, err)
	assert.Equal(t, n, sealed)
	password, err = c.Password(t.Context(), system.ID)
	require.NoError(t, err)
	assert.Equal(t, "secret 17", string(password))
	c, err = control.New(s, first, nil)
	require.NoError(t, err)
	_, err = c.Password(t.Context(), system.ID)
	assert.ErrorContains(t, err, "key file", "the old key opens nothing any more")
}

func exec(path, statement string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	return errors.Join(err, db.Close())
}

// BenchmarkList reads a page of 50 in the middle of 100,000 systems.
func BenchmarkList(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "otj.db"))
	require.NoError(b, err)
	defer s.Close()
	const companies, each = 1000, 100
	require.NoError(b, s.Update(b.Context(), func(tx control.Tx) error {
		data := make([]byte, 400)
		for c := range companies {
			for i := range each {
				_, err := tx.Put(control.Record{
					Kind: "system", ID: fmt.Sprintf("%05d-%03d", c, i), Owner: fmt.Sprintf("%05d", c), Key: fmt.Sprintf("Room %03d", i), Data: data,
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	}))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		err := s.View(context.Background(), func(tx control.Tx) error {
			rs, err := tx.List("system", fmt.Sprintf("%05d", i%companies), control.Cursor{Key: "Room 020"}, 50)
			if len(rs) != 50 {
				b.Fatalf("%d records", len(rs))
			}
			return err
		})
		require.NoError(b, err)
	}
}
