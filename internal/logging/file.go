package logging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// FileConfig describes a File.
type FileConfig struct {
	Path string
	// MaxBytes is the size past which a new file begins. Default 100 MiB.
	MaxBytes int64
	// Keep is how many full files are kept, as Path.1 (the newest) to Path.N.
	// Default 5.
	Keep int
}

// File is a log file that is appended to and rotated. Several processes may
// share one: each line is one write, and whoever finds the name leading to
// another file than his follows it. A line is there as a whole or not at all.
type File struct {
	cfg FileConfig

	mu    sync.Mutex
	f     *os.File
	size  int64
	limit int64 // size at which to rotate
}

// OpenFile opens or creates the file (mode 0600).
func OpenFile(cfg FileConfig) (*File, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 100 << 20
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 5
	}
	l := &File{cfg: cfg}
	return l, l.Reopen()
}

// Reopen goes on in the file that has the name now; there is one in the end, or
// the old one stays in use.
func (l *File) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reopen()
}

func (l *File) reopen() error {
	f, err := os.OpenFile(l.cfg.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if l.f != nil {
		_ = l.f.Close() // all of it was written before
	}
	l.f, l.size, l.limit = f, info.Size(), l.cfg.MaxBytes
	return nil
}

// Write appends one line, in a new file when the present one is full. When
// there is no room for all of it, what was written of it is taken back.
func (l *File) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return 0, fs.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(line)) > l.limit {
		l.rotate()
	}
	n, err := l.f.Write(line)
	if err == nil {
		// Appending leaves the offset behind our line, and so behind those of
		// other processes.
		l.size, err = l.f.Seek(0, io.SeekCurrent)
		return n, err
	}
	if n > 0 {
		err = errors.Join(err, l.takeBack(n))
	}
	return 0, err
}

// takeBack removes the n bytes written last, unless another process has
// written behind them.
func (l *File) takeBack(n int) error {
	end, err := l.f.Seek(0, io.SeekCurrent) // see Write
	if err != nil {
		return err
	}
	info, err := l.f.Stat()
	if err != nil || info.Size() != end {
		return err
	}
	return l.f.Truncate(end - int64(n))
}

// rotate begins a new file. If it cannot, the present one goes on and rotation
// is tried again when it has grown by another sixteenth: better a file too
// large than a line too few.
func (l *File) rotate() {
	if err := l.tryRotate(); err != nil {
		l.limit = l.size + l.cfg.MaxBytes/16
	}
}

// tryRotate renames the files and opens a new one. Where that fails half-way,
// lines go on into what is Path.1 by then, and the next try only opens. The
// lock is for other processes that write to the same file.
func (l *File) tryRotate() error {
	f := l.f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock log file: %w", err)
	}
	defer func() { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }() // a closed file is unlocked
	here, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(l.cfg.Path)
	if err != nil || !os.SameFile(here, there) {
		return l.reopen() // somebody has moved it
	}
	if !here.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", l.cfg.Path)
	}
	if l.size = here.Size(); l.size < l.cfg.MaxBytes/2 {
		return nil // somebody has emptied it
	}
	if err := l.shift(); err != nil {
		return err
	}
	return l.reopen()
}

// shift makes Path free: every kept file gets the next number, the oldest goes.
func (l *File) shift() error {
	for i := l.cfg.Keep - 1; i >= 0; i-- {
		err := os.Rename(l.name(i), l.name(i+1))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// name is that of the i-th file, 0 being the one written to.
func (l *File) name(i int) string {
	if i == 0 {
		return l.cfg.Path
	}
	return fmt.Sprintf("%s.%d", l.cfg.Path, i)
}

// Close closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
