// Package datadir owns the data folder of a process: that it is ours alone, its
// lock, run.json and ports.json in it, the files of keys that ccms makes, and
// that its contents as a whole are exchanged for others. It reads no settings and
// knows by name alone what others keep in the folder: the store, the registry's
// snapshot, certificates. Package boot opens it first and hands out its paths.
package datadir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a data folder.
type Dir struct {
	path string
	lock *os.File // nil when only looked at
	made []string // what Open made, the deepest first
}

// Open creates the folder if need be (mode 0700) and takes its lock, which this
// process alone has until Close; *InUse is the error when another has it. A
// folder that Check refuses is refused. What a process that was killed had begun
// to install is finished first.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path, made: missing(filepath.Join(path, "lock"))}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w: name another with --data", err)
	}
	if err := Check(path); err != nil {
		return nil, err
	}
	var err error
	if d.lock, err = takeLock(path); err != nil {
		return nil, err
	}
	if err := d.settle(); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// missing are those of path and the folders above it that are not there, the
// deepest first.
func missing(path string) (all []string) {
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return all
		}
		all = append(all, path)
		path = filepath.Dir(path)
	}
}

// takeLock takes the lock of a folder and writes our process id into it.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &InUse{Holder: strings.TrimSpace(string(holder[:n])), Path: path}
		}
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if !inPlace(f) { // whoever had it abandoned the folder: see Abandon
		_ = f.Close()
		return takeLock(path)
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return f, nil
}

// inPlace reports whether an open file still is the one that its name leads to.
func inPlace(f *os.File) bool {
	opened, err := f.Stat()
	named, err2 := os.Stat(f.Name())
	return err == nil && err2 == nil && os.SameFile(opened, named)
}

// At is a folder to look at, beside the process that may have it open.
func At(path string) *Dir { return &Dir{path: path} }

// InUse says that another process has the folder.
type InUse struct {
	Holder string // its process id
	Path   string
}

// Error implements error.
func (e *InUse) Error() string {
	return fmt.Sprintf("process %s uses %s already: stop it, or name another folder with --data", e.Holder, e.Path)
}

// Check refuses a folder of somebody else, or one that others may write to:
// what lies in it could have been put there by anyone.
func Check(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("look at data folder: %w", err)
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the data folder %s belongs to another user: name one of your own with --data", path)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("others may write to the data folder %s: run chmod 700 on it", path)
	}
	return nil
}

// Path is the folder's own.
func (d *Dir) Path() string { return d.path }

// File is the path of what lies in the folder.
func (d *Dir) File(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Has reports whether there is such a file.
func (d *Dir) Has(elem ...string) bool {
	_, err := os.Stat(d.File(elem...))
	return err == nil
}

// ID tells this folder from others in the ids of registry instances, without
// giving its name away.
func (d *Dir) ID() string {
	abs, err := filepath.Abs(d.path)
	if err != nil {
		abs = d.path
	}
	sum := sha256.Sum256([]byte(abs))
	return hex.EncodeToString(sum[:4])
}

// replace writes a file that is seen whole or not at all.
func (d *Dir) replace(name string, content []byte) error {
	next := d.File(name + ".new")
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(next, d.File(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Abandon is Close for who came to nothing: what Open made goes with him, unless
// something else lies in it.
func (d *Dir) Abandon() error {
	for _, made := range d.made {
		if os.Remove(made) != nil {
			break
		}
	}
	return d.Close()
}

// Close gives the folder back.
func (d *Dir) Close() error { return d.lock.Close() }
