// Package sqlite keeps the control centre's records in one SQLite file. It is
// written in Go alone, so that it builds without a C compiler.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	// The driver registers itself under the name "sqlite".
	_ "modernc.org/sqlite"

	"github.com/onetouchjoin/onetouchjoin/control"
)

// Store is a control.Store in a file. One process at a time may have it open
// for writing; a second one waits for it and then fails with a clear error.
type Store struct {
	write *sql.DB // one connection: Updates come one after the other
	read  *sql.DB
	path  string

	writing, reading statements
}

var _ control.Store = (*Store)(nil)

// busy is how long a transaction waits for another process that writes.
const busy = 5 * time.Second

// Open opens the store in the file path, makes it if it is not there, and
// brings an older one to today's schema. It refuses a file of a newer version.
// The file and its folder should be readable by their owner only; a new file is.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := private(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{path: path}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate")); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, s.write, len(migrations)); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.write.Close())
	}
	if s.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.write.Close())
	}
	s.read.SetMaxOpenConns(8)
	if s.writing, err = prepare(ctx, s.write); err == nil {
		s.reading, err = prepare(ctx, s.read)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// private makes the file, if it is not there, for its owner alone: it holds
// the organization's configuration.
func private(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn names the file so that no character of its path is taken for an option.
// WAL lets readers go on while somebody writes; synchronous FULL keeps what a
// transaction has committed when the power fails.
func dsn(path, more string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return fmt.Sprintf("%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&%s",
		u.String(), busy.Milliseconds(), more)
}

// View runs fn in a read transaction.
func (s *Store) View(ctx context.Context, fn func(control.Tx) error) error {
	return transact(ctx, s.read, s.reading, true, fn)
}

// Update runs fn in a write transaction.
func (s *Store) Update(ctx context.Context, fn func(control.Tx) error) error {
	return transact(ctx, s.write, s.writing, false, fn)
}

// Close ends the store.
func (s *Store) Close() error {
	return errors.Join(s.reading.close(), s.writing.close(), s.read.Close(), s.write.Close())
}

// Check reads the whole file and says whether it is sound.
func (s *Store) Check(ctx context.Context) error {
	var verdict string
	if err := s.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("check %s: %w", s.path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("check %s: the file is damaged (%s); restore a backup", s.path, verdict)
	}
	return nil
}

func transact(ctx context.Context, db *sql.DB, prepared statements, readOnly bool, fn func(control.Tx) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to do after a commit
	if err := fn(&transaction{ctx: ctx, tx: tx, prepared: prepared, readOnly: readOnly}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

type transaction struct {
	ctx      context.Context
	tx       *sql.Tx
	prepared statements
	readOnly bool
}

const columns = "kind, id, owner, key, revision, changed, data"

// The statements.
const (
	getOne    = "SELECT " + columns + " FROM record WHERE kind = ? AND id = ?"
	findOne   = "SELECT " + columns + " FROM record WHERE kind = ? AND owner = ? AND key = ? AND key <> ''"
	listAll   = "SELECT " + columns + " FROM record WHERE kind = ? AND (key, id) > (?, ?) ORDER BY key, id LIMIT ?"
	listOwned = "SELECT " + columns + " FROM record WHERE kind = ? AND owner = ? AND (key, id) > (?, ?) ORDER BY key, id LIMIT ?"
	countAll  = "SELECT count(*) FROM record WHERE kind = ?"
	countOwn  = "SELECT count(*) FROM record WHERE kind = ? AND owner = ?"
	putOne    = "INSERT OR REPLACE INTO record (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?)"
	deleteOne = "DELETE FROM record WHERE kind = ? AND id = ?"
)

// statements are prepared ones by their text: to prepare one takes as long as to
// run it.
type statements map[string]*sql.Stmt

func prepare(ctx context.Context, db *sql.DB) (statements, error) {
	out := statements{}
	for _, text := range []string{getOne, findOne, listAll, listOwned, countAll, countOwn, putOne, deleteOne} {
		var err error
		if out[text], err = db.PrepareContext(ctx, text); err != nil {
			return out, errors.Join(err, out.close())
		}
	}
	return out, nil
}

func (p statements) close() error {
	var errs []error
	for _, s := range p {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// run returns a statement for this transaction; it ends with it.
func (t *transaction) run(text string) *sql.Stmt { return t.tx.StmtContext(t.ctx, t.prepared[text]) }

func (t *transaction) one(text string, args ...any) (control.Record, error) {
	r, err := scan(t.run(text).QueryRowContext(t.ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return control.Record{}, fmt.Errorf("%s %v: %w", args[0], args[len(args)-1], control.ErrNotFound)
	}
	return r, err
}

func (t *transaction) Get(kind, id string) (control.Record, error) {
	return t.one(getOne, kind, id)
}

func (t *transaction) Find(kind, owner, key string) (control.Record, error) {
	return t.one(findOne, kind, owner, key)
}

func (t *transaction) List(kind, owner string, after control.Cursor, limit int) ([]control.Record, error) {
	text, args := listOwned, []any{kind, owner, after.Key, after.ID, limit}
	if owner == "" {
		text, args = listAll, []any{kind, after.Key, after.ID, limit}
	}
	rows, err := t.run(text).QueryContext(t.ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []control.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (t *transaction) Count(kind, owner string) (n int, err error) {
	if owner == "" {
		err = t.run(countAll).QueryRowContext(t.ctx, kind).Scan(&n)
	} else {
		err = t.run(countOwn).QueryRowContext(t.ctx, kind, owner).Scan(&n)
	}
	return n, err
}

var errReadOnly = errors.New("a view does not write")

func (t *transaction) Put(r control.Record) (control.Record, error) {
	if t.readOnly {
		return control.Record{}, errReadOnly
	}
	old, err := t.Get(r.Kind, r.ID)
	if err != nil && !errors.Is(err, control.ErrNotFound) {
		return control.Record{}, err
	}
	if old.Revision != r.Revision { // that of a record that is not there is 0
		return control.Record{}, fmt.Errorf("%s %s: %w", r.Kind, r.ID, control.ErrStale)
	}
	if other, err := t.Find(r.Kind, r.Owner, r.Key); err == nil && other.ID != r.ID {
		return control.Record{}, fmt.Errorf("%s %q: %w", r.Kind, r.Key, control.ErrExists)
	} else if err != nil && !errors.Is(err, control.ErrNotFound) {
		return control.Record{}, err
	}
	r.Revision++
	_, err = t.run(putOne).ExecContext(t.ctx,
		r.Kind, r.ID, r.Owner, r.Key, r.Revision, r.Changed.UnixMicro(), r.Data)
	if err != nil {
		return control.Record{}, fmt.Errorf("%s %s: %w", r.Kind, r.ID, err)
	}
	return r, nil
}

func (t *transaction) Delete(kind, id string, revision int64) error {
	if t.readOnly {
		return errReadOnly
	}
	old, err := t.Get(kind, id)
	if err != nil {
		return err
	}
	if old.Revision != revision {
		return fmt.Errorf("%s %s: %w", kind, id, control.ErrStale)
	}
	_, err = t.run(deleteOne).ExecContext(t.ctx, kind, id)
	return err
}

func scan(row interface{ Scan(...any) error }) (r control.Record, err error) {
	var changed int64
	err = row.Scan(&r.Kind, &r.ID, &r.Owner, &r.Key, &r.Revision, &changed, &r.Data)
	r.Changed = time.UnixMicro(changed).UTC()
	return r, err
}
