package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
