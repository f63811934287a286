//go:build unix

package sqlitestore

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes an exclusive lock that the kernel gives back when the process
// ends, however it ends. The lock lies on a file of its own: SQLite's locks on
// the database file are of another kind and are lost when anybody in the
// process closes that file. It is never removed: another process may be about
// to lock it.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another process has it open")
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}
