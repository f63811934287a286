package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// partial is the ending of a file that is being written. One that a process left
// which was killed holds nothing readable, and the next one writes over it.
const partial = ".partial"

// Target is a file that is there, whole and durable, once Done returned nil, and
// not at all before.
type Target struct {
	*os.File
	path string
}

// Create begins the file at path, which only we may read. A file there is
// replaced when force says so, else it is refused.
func Create(path string, force bool) (*Target, error) {
	t := &Target{path: path}
	if err := t.vacant(force); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create backup: %w", err)
	}
	t.File = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process writes %s: wait for it", path), f.Close())
	}
	if err := errors.Join(f.Chmod(0o600), f.Truncate(0)); err != nil {
		return nil, errors.Join(fmt.Errorf("create backup: %w", err), f.Close())
	}
	return t, nil
}

// vacant refuses what is there.
func (t *Target) vacant(force bool) error {
	info, err := os.Lstat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("create backup: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file: name another", t.path)
	case !force:
		return fmt.Errorf("%s is there already: name another, or replace it with --force", t.path)
	}
	return nil
}

// Done makes the file durable and gives it its name. The target is closed.
func (t *Target) Done() error {
	if err := errors.Join(t.Sync(), os.Rename(t.path+partial, t.path), t.Close()); err != nil {
		return fmt.Errorf("finish backup: %w", err)
	}
	folder, err := os.Open(filepath.Dir(t.path))
	if err != nil {
		return fmt.Errorf("finish backup: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Drop gives the file up.
func (t *Target) Drop() error { return errors.Join(os.Remove(t.path+partial), t.Close()) }
