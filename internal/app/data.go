package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/onetouchjoin/onetouchjoin/control"
	"github.com/onetouchjoin/onetouchjoin/control/sqlite"
)

// The files in ControlConfig.Data.
const (
	storeFile = "otj.db"
	keysFile  = "keys.json"
	lockName  = "lock"
)

// DataFolder is where the control centre's data is kept if nothing else is said:
// the folder that systemd gives a service, or the place for a user's data on this
// kind of machine, with "otj" below it.
func DataFolder() (string, error) {
	if dir := os.Getenv("STATE_DIRECTORY"); filepath.IsAbs(dir) { // StateDirectory= of systemd
		return dir, nil
	}
	var base string
	var err error
	switch runtime.GOOS {
	case "windows":
		base, err = os.UserCacheDir() // %LocalAppData%
	case "darwin", "ios":
		base, err = os.UserConfigDir() // ~/Library/Application Support
	default:
		if base = os.Getenv("XDG_DATA_HOME"); !filepath.IsAbs(base) {
			if base, err = os.UserHomeDir(); err == nil {
				base = filepath.Join(base, ".local", "share")
			}
		}
	}
	if err != nil {
		return "", fmt.Errorf("find a folder for the data: %w; name one with --data", err)
	}
	return filepath.Join(base, "otj"), nil
}

var errLocked = errors.New("another otj uses this folder: stop it first")

// lockData keeps other programs from using a data folder until the file is closed.
func lockData(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return f, nil
}

// openData opens the store in a folder, and makes it and its keys if it is new.
func openData(ctx context.Context, dir string) (*sqlite.Store, *control.Keys, error) {
	path := filepath.Join(dir, storeFile)
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, nil, err
	}
	// The keys come first: a store without them is of no use.
	keys, err := readKeys(filepath.Join(dir, keysFile), fresh)
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlite.Open(ctx, path)
	return store, keys, err
}

// readKeys reads the keys of a database, or makes those of a new one.
func readKeys(path string, fresh bool) (*control.Keys, error) {
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		keys, err := control.ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !fresh:
		return nil, fmt.Errorf("%w: without it the passwords in the database cannot be read; put it back from the backup", err)
	}
	keys, err := control.NewKeys()
	if err != nil {
		return nil, err
	}
	return keys, writeKeys(path, keys)
}

func writeKeys(path string, keys *control.Keys) error {
	text, err := keys.Marshal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replaceFile(path, text)
}
