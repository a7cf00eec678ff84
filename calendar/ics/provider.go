package ics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/calendar"
)

var (
	_ calendar.Provider = (*Calendar)(nil)
	_ calendar.Provider = (*File)(nil)
	_ calendar.Provider = (*Folder)(nil)
)

// File is the provider over one file. It is safe for concurrent use.
type File struct {
	path string
	opts Options
}

// NewFile returns a provider that reads the file at path each time that it is
// asked. Whichever mailbox is asked for has the events of the file.
func NewFile(path string, opts *Options) *File { return &File{path, opts.defaults()} }

// Events implements [calendar.Provider].
func (f *File) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	return read(ctx, mailbox, w, &f.opts, func() (fs.File, error) {
		return openFile(func() (fs.FileInfo, error) { return os.Stat(f.path) }, func() (*os.File, error) { return os.Open(f.path) }, &f.opts)
	})
}

// Folder is the provider over a folder of files, one for each mailbox: that of
// fjord@example.com is in fjord@example.com.ics. It is safe for concurrent use.
//
// It opens the file that is asked for and no other, so that the size of the
// folder does not matter. The name of a mailbox cannot lead out of the folder,
// also not by a symbolic link in it.
type Folder struct {
	dir  string
	opts Options
}

// NewFolder returns a provider that reads files in dir each time that it is
// asked.
func NewFolder(dir string, opts *Options) *Folder { return &Folder{dir, opts.defaults()} }

// Events implements [calendar.Provider].
func (f *Folder) Events(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	return read(ctx, mailbox, w, &f.opts, func() (fs.File, error) {
		if !plainName(mailbox) {
			return nil, fmt.Errorf("%w: %q cannot be the name of a file", calendar.ErrNotFound, mailbox)
		}
		root, err := os.OpenRoot(f.dir)
		if err != nil {
			return nil, folderError{err}
		}
		defer root.Close()
		name := mailbox + ".ics"
		return openFile(func() (fs.FileInfo, error) { return root.Stat(name) }, func() (*os.File, error) { return root.Open(name) }, &f.opts)
	})
}

// folderError is a folder that is not there: no mailbox of it can be read,
// which is another thing than a mailbox that does not exist.
type folderError struct{ error }

func (e folderError) Unwrap() error { return e.error }

// plainName reports whether a mailbox can be a file name on every system.
func plainName(s string) bool {
	if s == "" || s[0] == '.' || len(s) > 250 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) })
}

// read opens, decodes and expands a calendar.
func read(ctx context.Context, mailbox string, w calendar.Window, opts *Options, open func() (fs.File, error)) ([]calendar.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure(mailbox, err)
	}
	r, err := open()
	if err != nil {
		return nil, failure(mailbox, err)
	}
	defer r.Close()
	cal, err := Decode(contextReader{ctx, r}, opts)
	if err != nil {
		return nil, failure(mailbox, err)
	}
	return cal.Events(ctx, mailbox, w)
}

// openFile opens a regular file within the size limit. It looks first: to open a
// pipe would wait for its other end.
func openFile(stat func() (fs.FileInfo, error), open func() (*os.File, error), opts *Options) (fs.File, error) {
	st, err := stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", st.Name())
	case st.Size() > opts.MaxBytes:
		return nil, fmt.Errorf("%s has %d bytes, and the limit is %d", st.Name(), st.Size(), opts.MaxBytes)
	}
	return open()
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// failure returns the error of a provider.
func failure(mailbox string, err error) error {
	// The system call's name tells a person nothing.
	if path := (*fs.PathError)(nil); errors.As(err, &path) && !errors.As(err, new(folderError)) {
		err = fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	out := &calendar.Error{Op: "read calendar", Mailbox: mailbox, Err: err}
	var folder folderError
	switch {
	case errors.As(err, &folder):
		out.Err = fmt.Errorf("%w: %w", calendar.ErrUnavailable, err)
		out.Fix = "Check the name of the folder"
	case errors.Is(err, fs.ErrNotExist):
		out.Err = fmt.Errorf("%w: %w", calendar.ErrNotFound, err)
		out.Fix = "Put the calendar's file there, or correct the mailbox's address, which is the file's name"
	case errors.Is(err, calendar.ErrNotFound):
		out.Fix = "Correct the mailbox's address"
	case errors.Is(err, fs.ErrPermission):
		out.Err = fmt.Errorf("%w: %w", calendar.ErrForbidden, err)
		out.Fix = "Let this program's user read the file"
	}
	return out
}
