package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Backup writes a copy of the store, as it is at one moment, into the new file
// path. The store stays in use. The copy is a store that Open opens.
func (s *Store) Backup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("back up to %s: the file is there already; name a new one", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	return nil
}

// Kept is what the name of the file that a restore has replaced ends with.
const Kept = ".before-restore"

// Restore puts the copy that Backup has written to backup in place of the store in
// path, which no program may have open. The copy is looked at first, and stays;
// the file that was there is kept under the same name with [Kept] behind it. After
// an error the store is as it was.
//
// The keys that the copy's secrets were encrypted with are not in it: they have to
// be those of the time of the copy, or later ones.
func Restore(ctx context.Context, backup, path string) error {
	if err := restore(ctx, backup, path); err != nil {
		return fmt.Errorf("restore %s from %s: %w", path, backup, err)
	}
	return nil
}

func restore(ctx context.Context, backup, path string) error {
	if a, err := os.Stat(backup); err != nil {
		return err
	} else if b, err := os.Stat(path); err == nil && os.SameFile(a, b) {
		return errors.New("the copy is the store itself")
	}
	if err := sound(ctx, backup); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, err := os.Stat(path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if there {
		// What is in the write-ahead log goes into the file, and the log away.
		if err := alone(ctx, path); err != nil {
			return err
		}
	}
	next := path + ".restoring"
	if err := copyFile(backup, next); err != nil {
		return errors.Join(err, remove(next))
	}
	if there {
		if err := os.Rename(path, path+Kept); err != nil {
			return errors.Join(err, remove(next))
		}
	}
	// The log of another file would be taken for this one's.
	err = errors.Join(remove(path+"-wal"), remove(path+"-shm"))
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil && there {
		return errors.Join(err, os.Rename(path+Kept, path))
	}
	return err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sound reads the whole of a copy and says whether it can be used.
func sound(ctx context.Context, path string) error {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", u.String()+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var version, tables int
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("the copy cannot be read: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the copy is damaged (%s); use another one", verdict)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'record'").Scan(&tables); err != nil {
		return err
	}
	switch {
	case tables == 0:
		return errors.New("the copy is no store of the control centre")
	case version > len(migrations):
		return fmt.Errorf("the copy has version %d, this program knows versions up to %d: use the program that wrote it, or a newer one", version, len(migrations))
	}
	return nil
}

// alone makes sure that no program has a store open, and leaves it in one file.
func alone(ctx context.Context, path string) error {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	db, err := sql.Open("sqlite", u.String()+"?_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil || mode != "delete" {
		return errors.Join(errors.New("a program has the store open; stop it first"), err)
	}
	return nil
}

// copyFile copies a file, for its owner alone, and waits until it is on the disk.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
