// Package snapshot is the file by which a registry that restarts forgets
// nobody: its format, and that a crash leaves the old file or the new one.
// What goes into it, and when, package lease decides.
package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/eureka"
)

// Snapshot is a registry: what its clients see, and what they do not.
type Snapshot struct {
	Version      int64
	Applications eureka.Applications
	// Cleared are instances whose override was removed and who have not
	// registered since.
	Cleared []Name
	// Own is what instances said of themselves that are shown otherwise.
	Own []Own
}

// Name is an instance.
type Name struct {
	App string `json:"app"`
	ID  string `json:"id"`
}

// Own is what an instance said of itself.
type Own struct {
	App    string        `json:"app"`
	ID     string        `json:"id"`
	Status eureka.Status `json:"status"`
}

// file is the form on disk.
type file struct {
	Version      int64          `json:"version"`
	Applications jsontext.Value `json:"applications"` // eureka's full JSON
	Cleared      []Name         `json:"cleared,omitempty"`
	Own          []Own          `json:"own,omitempty"`
}

// Write puts a snapshot beside the old one and renames it, synced.
func Write(path string, s Snapshot) error {
	b, err := json.Marshal(file{s.Version, eureka.Form{}.Applications(nil, s.Applications), s.Cleared, s.Own})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return replace(path, b)
}

// replace swaps the content of a file atomically and durably. The new content
// waits under one fixed name, so that crashes leave no heap of files.
func replace(path string, b []byte) error {
	tmp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Read returns the snapshot of a file, and false when there is none.
func Read(path string) (Snapshot, bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Snapshot{}, false, nil
	}
	if err != nil {
		return Snapshot{}, false, err
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return Snapshot{}, false, fmt.Errorf("decode: %w", err)
	}
	a, err := eureka.ParseApplications(false, f.Applications)
	if err != nil {
		return Snapshot{}, false, err
	}
	return Snapshot{f.Version, a, f.Cleared, f.Own}, true, nil
}
