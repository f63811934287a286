package lease

import (
	"slices"

	"ccms/internal/eureka"
)

// key names an instance.
type key struct{ app, id string }

// change is the latest that happened to an instance within the delta's window.
type change struct {
	version int64
	gone    *eureka.Instance // what a deletion deleted, else nil
}

// entry is one change in the log.
type entry struct {
	version int64
	at      int64 // Unix milliseconds
	key     key
}

// changeLog is every change of the last minutes in order. It names instances
// and holds only deleted ones, so it is small; past its bounds the oldest go
// early, which costs a client a full fetch and nothing else.
type changeLog struct {
	entries  []entry
	bytes    int   // of deleted instances
	floor    int64 // the version of the last entry dropped
	max      int
	maxBytes int
}

// record logs a change of an instance; the caller holds the lock.
func (t *Table) record(in *eureka.Instance) {
	a := t.application(in.App)
	t.touch(a, in.ID)
	a.delta = t.changed
	t.forgetRecent(a, in.ID)
	c := change{version: t.changed}
	if in.Action == eureka.Deleted {
		c.gone = in
		t.log.bytes += sizeOf(in)
	}
	a.recent[in.ID] = c
	t.log.entries = append(t.log.entries, entry{t.changed, in.LastUpdated, key{in.App, in.ID}})
	for len(t.log.entries) > t.log.max || t.log.bytes > t.log.maxBytes {
		t.drop(1)
	}
}

// forgetRecent removes an instance from what the delta says.
func (t *Table) forgetRecent(a *application, id string) {
	if c, ok := a.recent[id]; ok && c.gone != nil {
		t.log.bytes -= sizeOf(c.gone)
	}
	delete(a.recent, id)
}

// drop removes the n oldest entries; the delta of an application changes with
// the last one of an instance.
func (t *Table) drop(n int) {
	version := t.version.Load()
	for i := range t.log.entries[:n] {
		e := t.log.entries[i]
		t.log.floor = e.version
		if a := t.apps[e.key.app]; a != nil && a.recent[e.key.id].version == e.version {
			t.forgetRecent(a, e.key.id)
			a.delta = version
			t.tidy(e.key.app)
		}
		t.log.entries[i] = entry{}
	}
	t.log.entries = t.log.entries[n:]
}

// Trim moves the delta's window on. What left it changes the delta, and so the
// version (rule 18).
func (t *Table) Trim() {
	since := t.now() - t.cfg.Retention.Milliseconds()
	t.mu.RLock()
	due := len(t.log.entries) > 0 && t.log.entries[0].at < since
	t.mu.RUnlock()
	if !due {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.log.entries) && t.log.entries[n].at < since {
		n++
	}
	if n > 0 {
		t.version.Add(1)
		t.drop(n)
	}
}

// Since is what changed after a version: the latest state of each instance,
// deletions last within an application. It is not ok for a version whose
// changes are no longer known, and for one that is yet to come.
func (t *Table) Since(version int64) (eureka.Applications, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if version < t.log.floor || version > t.version.Load() {
		return eureka.Applications{}, false
	}
	seen := map[key]bool{}
	byApp := map[string]*Part{}
	for _, e := range slices.Backward(t.log.entries) {
		if e.version <= version {
			break
		}
		if seen[e.key] {
			continue
		}
		seen[e.key] = true
		p := byApp[e.key.app]
		if p == nil {
			p = &Part{Name: e.key.app}
			byApp[e.key.app] = p
		}
		p.add(t.apps[e.key.app], e.key.id)
	}
	return t.applications(byApp), true
}

// Changes returns a channel that is closed when the registry changes, and
// whether it did already since a version.
func (t *Table) Changes(since int64) (next <-chan struct{}, already bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = make(chan struct{})
	}
	return t.waiting, t.changed > since || since > t.version.Load()
}
