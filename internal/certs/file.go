package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// fileLimit is above any chain or bundle of authorities.
const fileLimit = 4 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

// readKey reads a private key that nobody else can read.
func readKey(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !private(info) {
		return nil, fmt.Errorf("others may read %s: make it yours alone with chown and chmod 600", name)
	}
	return readAll(f)
}

// private reports whether a file is the owner's alone. A group may read what
// root owns, as distributions and orchestrators hand keys to services
// (PostgreSQL's rule).
func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return false
	case int(st.Uid) == os.Geteuid() && st.Uid != 0:
		return info.Mode().Perm()&0o077 == 0
	case st.Uid == 0:
		return info.Mode().Perm()&0o037 == 0
	}
	return false
}

func readAll(f *os.File) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return nil, err
	}
	if len(b) > fileLimit {
		return nil, fmt.Errorf("%s is larger than %d MiB", f.Name(), fileLimit>>20)
	}
	return b, nil
}

// writeFile replaces a file at once and for good: readers see the old or the
// new content, after a crash too.
func writeFile(name string, content []byte, mode fs.FileMode) error {
	next := name + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(content))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
