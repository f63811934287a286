package boot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"
)

// dataDir is the data folder, held by this process alone until close.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir creates the folder if need be (mode 0700) and takes its lock. A
// folder of somebody else, or one that others may write to, is refused: what
// lies in it could have been put there by anyone.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	if err := checkFolder(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &inUse{holder: strings.TrimSpace(string(holder[:n])), path: path}
		}
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return &dataDir{path: path, lock: f}, nil
}

// inUse says that another process has the folder.
type inUse struct{ holder, path string }

// Error implements error.
func (e *inUse) Error() string {
	return fmt.Sprintf("process %s uses %s already: stop it, or name another folder with --data", e.holder, e.path)
}

func checkFolder(path string) error {
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

func (d *dataDir) file(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// id tells this folder from others in the ids of registry instances, without
// giving its name away.
func (d *dataDir) id() string {
	abs, err := filepath.Abs(d.path)
	if err != nil {
		abs = d.path
	}
	sum := sha256.Sum256([]byte(abs))
	return hex.EncodeToString(sum[:4])
}

// running is what DIR/run.json tells scripts.
type running struct {
	PID        int    `json:"pid"`
	Eureka     string `json:"eureka"`
	Login      string `json:"login"`
	CreditCard string `json:"creditcard"`
	Portal     string `json:"portal"`
}

func (d *dataDir) writeRunning(r running) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode run.json: %w", err)
	}
	return d.replaceFile("run.json", append(b, '\n'))
}

// replaceFile writes a file that is seen whole or not at all.
func (d *dataDir) replaceFile(name string, content []byte) error {
	next := d.file(name + ".new")
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(next, d.file(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (d *dataDir) removeRunning() error {
	if err := os.Remove(d.file("run.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove run.json: %w", err)
	}
	return nil
}

// close gives the folder back.
func (d *dataDir) close() error { return d.lock.Close() }
