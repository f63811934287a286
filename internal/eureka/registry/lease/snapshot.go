package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/eureka"
)

// snapshot is the file that survives a restart: the registry as a client sees
// it, and what a client does not see.
type snapshot struct {
	Version      int64          `json:"version"`
	Applications jsontext.Value `json:"applications"` // eureka's full JSON
	// Cleared lists instances whose override was removed and who have not
	// registered since.
	Cleared []name `json:"cleared,omitempty"`
	// Own lists what instances said of themselves that are shown otherwise.
	Own []own `json:"own,omitempty"`
}

type own struct {
	App    string        `json:"app"`
	ID     string        `json:"id"`
	Status eureka.Status `json:"status"`
}

type name struct {
	App string `json:"app"`
	ID  string `json:"id"`
}

// saveAfter is the least time between two snapshots; a large registry rests
// ten times as long as writing took.
const saveAfter = 250 * time.Millisecond

// saveLoop writes the snapshot after changes until ctx ends.
func (t *Table) saveLoop(ctx context.Context) {
	rest := saveAfter
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.saver:
		}
		start := time.Now()
		if err := t.save(); err != nil {
			t.cfg.Log.Error("registry snapshot not written", "error.message", err.Error())
		}
		rest = max(saveAfter, 10*time.Since(start))
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// save writes the snapshot beside the old one and renames it, synced, so that
// a crash leaves one or the other.
func (t *Table) save() error {
	s := snapshot{Applications: eureka.Form{}.Applications(nil, t.All())}
	t.mu.RLock()
	s.Version = t.version.Load()
	for l := range t.leases() {
		if l.cleared {
			s.Cleared = append(s.Cleared, name{l.inst.App, l.inst.ID})
		}
		if l.own != l.inst.Status {
			s.Own = append(s.Own, own{l.inst.App, l.inst.ID, l.own})
		}
	}
	t.mu.RUnlock()
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return replace(t.cfg.Snapshot, b)
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

// load fills the registry from the snapshot, if there is one. Leases begin
// anew with the life a heartbeat gives: their owners could not beat while
// nobody listened.
func (t *Table) load() error {
	b, err := os.ReadFile(t.cfg.Snapshot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	a, err := eureka.ParseApplications(false, s.Applications)
	if err != nil {
		return err
	}
	cleared := make(map[key]bool, len(s.Cleared))
	for _, c := range s.Cleared {
		cleared[key{c.App, c.ID}] = true
	}
	now := t.now()
	t.version.Store(s.Version)
	for _, app := range a.Apps {
		for _, in := range app.Instances {
			t.restore(in, cleared[key{in.App, in.ID}], now)
		}
	}
	t.changed = t.version.Add(1)
	t.log.floor = t.changed
	for _, a := range t.apps {
		a.version = t.changed
	}
	for _, o := range s.Own {
		if l, ok := t.find(o.App, o.ID); ok {
			l.own, _ = eureka.ParseStatus(string(o.Status))
		}
	}
	return nil
}

func (t *Table) restore(in *eureka.Instance, cleared bool, now int64) {
	if t.room(in, nil) != nil || in.ID == "" || in.App == "" {
		return
	}
	l := &lease{
		override: in.Overridden, own: in.Status, cleared: cleared, version: t.version.Add(1),
		duration: time.Duration(in.Lease.Duration) * time.Second,
	}
	t.put(l, in)
	t.renew(l, now)
}
