package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/console"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// Admin is what whoever runs the server may do to the data of a control centre.
type Admin struct{ config ControlConfig }

// NewAdmin returns the Admin of a configuration with a control centre.
func NewAdmin(c *Config) (*Admin, error) {
	if c.Control == nil {
		return nil, errors.New(`the file has no "control": there is no control centre`)
	}
	return &Admin{*c.Control}, nil
}

// there says whether there is a database.
func (a *Admin) there() error {
	_, err := os.Stat(filepath.Join(a.config.Data, storeFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no control centre in %s yet: start otj serve first", a.config.Data)
	}
	return err
}

// existing opens the data, which has to be there.
func (a *Admin) existing(ctx context.Context) (*sqlite.Store, *control.Keys, error) {
	if err := a.there(); err != nil {
		return nil, nil, err
	}
	return openData(ctx, a.config.Data)
}

// Link returns a link that signs a user in, or without an address one that sets
// the control centre up. Either works once, within an hour. The program may run
// meanwhile.
func (a *Admin) Link(ctx context.Context, email string) (link string, err error) {
	store, keys, err := a.existing(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	centre, err := control.New(store, keys, nil)
	if err != nil {
		return "", err
	}
	var secret calendar.Secret
	if email == "" {
		secret, err = centre.SetupLink(ctx)
		return a.config.at(console.SetupPath(secret)), err
	}
	secret, err = centre.SignInLink(ctx, email)
	if errors.Is(err, control.ErrNotFound) {
		return "", fmt.Errorf("there is no user with the address %s", email)
	}
	return a.config.at(console.SignInPath(secret)), err
}

// Backup writes a copy of the database, as it is at one moment, into the new file
// path. The keys are not in it: it returns where they are. The program may run
// meanwhile.
func (a *Admin) Backup(ctx context.Context, path string) (keys string, err error) {
	store, _, err := a.existing(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Join(a.config.Data, keysFile), errors.Join(store.Backup(ctx, path), store.Close())
}

// Restore puts a backup in the place of the database, and the keys of a file in
// that of the keys, unless that is empty. What was there is kept: it returns where.
// The backup is tried before anything is changed: it has to be sound, and its
// secrets have to open. The program must not run.
func (a *Admin) Restore(ctx context.Context, backup, keys string) (kept string, err error) {
	lock, err := lockData(a.config.Data)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	keysPath, dbPath := filepath.Join(a.config.Data, keysFile), filepath.Join(a.config.Data, storeFile)
	if keys == "" {
		keys = keysPath
	}
	ring, err := readKeys(keys, false)
	if err != nil {
		return "", err
	}
	next := dbPath + ".restored"
	defer removeDatabase(next)
	if err := copyFile(backup, next); err != nil {
		return "", err
	}
	if err := try(ctx, next, ring); err != nil {
		return "", fmt.Errorf("%s cannot be restored, and nothing was changed: %w", backup, err)
	}
	kept = filepath.Join(a.config.Data, "before-restore-"+time.Now().UTC().Format("20060102T150405Z"))
	if err := os.Mkdir(kept, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{storeFile, storeFile + "-wal", storeFile + "-shm", keysFile} {
		err := os.Rename(filepath.Join(a.config.Data, name), filepath.Join(kept, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return kept, err
		}
	}
	return kept, errors.Join(os.Rename(next, dbPath), writeKeys(keysPath, ring))
}

// try opens a database and every secret in it.
func try(ctx context.Context, path string, keys *control.Keys) (err error) {
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Check(ctx); err != nil {
		return err
	}
	centre, err := control.New(store, keys, nil)
	if err != nil {
		return err
	}
	_, err = centre.Reseal(ctx)
	return err
}

func removeDatabase(path string) {
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + end) // they are there only after an error
	}
}

// copyFile copies a file for its owner alone.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// RotateKeys makes a new key and seals every secret with it. The old ones stay in
// the file of the keys, so that backups from before can be restored. It returns how
// many secrets there are. The program must not run.
func (a *Admin) RotateKeys(ctx context.Context) (n int, err error) {
	if err := a.there(); err != nil { // no folder is made
		return 0, err
	}
	lock, err := lockData(a.config.Data)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	store, keys, err := a.existing(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if keys, err = keys.Rotate(); err != nil {
		return 0, err
	}
	// The file comes first: it opens what is sealed with either key.
	if err := writeKeys(filepath.Join(a.config.Data, keysFile), keys); err != nil {
		return 0, err
	}
	centre, err := control.New(store, keys, nil)
	if err != nil {
		return 0, err
	}
	return centre.Reseal(ctx)
}
