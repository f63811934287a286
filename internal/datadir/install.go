package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// What a process of ours keeps in the folder is exchanged as a whole:
//
//	incoming/                 being filled; whoever opens the folder next removes it
//	installing/new/           complete; whoever opens the folder next installs it
//	installing/old.partial/   while what was there is moved into it
//	installing/old/           all that was there
//	before-TIME/              the same, once new is in place
//
// The step from the first line to the second is one rename, and the only one
// that decides. A crash at any moment leaves the old or the new, never a part.
const (
	incoming   = "incoming"
	installing = "installing"
	snapshots  = "snapshot-*.db"
)

// contents are what makes up the state of a folder: what a backup may hold, and
// what goes when another state comes, the files beside the store among it.
func contents() []string {
	return append(BackedUp(), "ccms.db-wal", "ccms.db-shm", "registry.json")
}

// BackedUp are the files and folders of the data folder that belong into a
// backup. Logs and mails do not, nor the registry's memory of who was there.
func BackedUp() []string { return []string{"keys", "tls", "demo-firm.json", "ports.json", "ccms.db"} }

// Contains reports whether a file, named by its path, lies where BackedUp finds it.
func (d *Dir) Contains(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for _, name := range BackedUp() {
		own, err := filepath.Abs(d.File(name))
		if inside, err2 := filepath.Rel(own, path); err == nil && err2 == nil && filepath.IsLocal(inside) {
			return true
		}
	}
	return false
}

// Occupied reports whether the folder holds a store or keys.
func (d *Dir) Occupied() bool { return d.Has("ccms.db") || d.Has("keys") }

// NewSnapshot is a name in the folder for a copy of the store, with the ending
// by which the next process removes it if nobody did. Copies that were left lying
// for a minute by a process that was killed are removed.
func (d *Dir) NewSnapshot(random string) (string, error) {
	left, err := filepath.Glob(d.File(snapshots))
	if err != nil {
		return "", err
	}
	for _, file := range left {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > time.Minute {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("remove a copy that was left: %w", err)
			}
		}
	}
	return d.File("snapshot-" + random + ".db"), nil
}

// Stage makes an empty folder in this one, in which to gather another state of
// it.
func (d *Dir) Stage() (path string, err error) {
	path = d.File(incoming)
	if err := errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700)); err != nil {
		return "", fmt.Errorf("stage: %w", err)
	}
	return path, nil
}

// Unstage removes what was gathered.
func (d *Dir) Unstage() error { return os.RemoveAll(d.File(incoming)) }

// Install puts what was staged in the place of what the folder holds. That is
// moved to another folder in this one, whose name it returns; "" when there was
// nothing. What else lies in the staged folder is removed.
func (d *Dir) Install() (before string, err error) {
	if err := syncTree(d.File(incoming)); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	if err := os.Mkdir(d.File(installing), 0o700); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	if err := os.Rename(d.File(incoming), d.File(installing, "new")); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	if err := errors.Join(sync(d.File(installing)), sync(d.path)); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	return d.finish()
}

// settle finishes what a process that was killed had begun to install, and
// removes what one had not.
func (d *Dir) settle() error {
	left, err := filepath.Glob(d.File(snapshots))
	if err != nil {
		return err
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove a copy that was left: %w", err)
		}
	}
	if err := d.Unstage(); err != nil {
		return fmt.Errorf("remove what was not installed: %w", err)
	}
	if !d.Has(installing) {
		return nil
	}
	_, err = d.finish()
	return err
}

// finish does what is left of Install after its decision; each step may have
// been done before.
func (d *Dir) finish() (before string, err error) {
	if d.Has(installing, "new") {
		if err := d.exchange(); err != nil {
			return "", fmt.Errorf("install: %w", err)
		}
	}
	if old := d.File(installing, "old"); os.Remove(old) != nil && d.Has(installing, "old") { // it is not empty
		before = "before-" + time.Now().UTC().Format("20060102-150405.000")
		if err := os.Rename(old, d.File(before)); err != nil {
			return "", fmt.Errorf("install: %w", err)
		}
	}
	if err := errors.Join(os.RemoveAll(d.File(installing)), sync(d.path)); err != nil {
		return before, fmt.Errorf("install: %w", err)
	}
	return before, nil
}

// exchange moves what is there away, all of it before anything new is put in its
// place: a log of the old store beside the new one would spoil it.
func (d *Dir) exchange() error {
	fresh, old, partial := d.File(installing, "new"), d.File(installing, "old"), d.File(installing, "old.partial")
	if !d.Has(installing, "old") {
		if err := os.Mkdir(partial, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := move(d.path, partial, contents()); err != nil {
			return err
		}
		if err := errors.Join(sync(partial), sync(d.path), os.Rename(partial, old)); err != nil {
			return err
		}
	}
	if err := move(fresh, d.path, BackedUp()); err != nil {
		return err
	}
	return errors.Join(sync(d.path), os.RemoveAll(fresh))
}

// move renames what there is of names from one folder to another.
func move(from, to string, names []string) error {
	for _, name := range names {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// syncTree makes all that lies below a folder durable.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		return sync(path)
	})
}

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
