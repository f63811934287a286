package lease

import (
	"context"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/snapshot"
)

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

func (t *Table) save() error {
	s := snapshot.Snapshot{Applications: t.All()}
	t.mu.RLock()
	s.Version = t.version.Load()
	for l := range t.leases() {
		if l.cleared {
			s.Cleared = append(s.Cleared, snapshot.Name{App: l.inst.App, ID: l.inst.ID})
		}
		if l.own != l.inst.Status {
			s.Own = append(s.Own, snapshot.Own{App: l.inst.App, ID: l.inst.ID, Status: l.own})
		}
	}
	t.mu.RUnlock()
	return snapshot.Write(t.cfg.Snapshot, s)
}

// load fills the registry from the snapshot, if there is one. Leases begin
// anew with the life a heartbeat gives: their owners could not beat while
// nobody listened.
func (t *Table) load() error {
	s, there, err := snapshot.Read(t.cfg.Snapshot)
	if err != nil || !there {
		return err
	}
	cleared := make(map[key]bool, len(s.Cleared))
	for _, c := range s.Cleared {
		cleared[key{c.App, c.ID}] = true
	}
	now := t.now()
	t.version.Store(s.Version)
	for _, app := range s.Applications.Apps {
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
