package lease

import (
	"cmp"
	"maps"
	"slices"

	"ccms/internal/eureka"
)

// key names an instance.
type key struct{ app, id string }

// change is one entry of the log.
type change struct {
	version int64
	at      int64 // Unix milliseconds
	key     key
	action  eureka.Action
	gone    *eureka.Instance // what a deletion deleted
}

// changeLog is every change of the last minutes in order. It names live
// instances and holds only deleted ones, so it is small; past its bounds the
// oldest go early, which costs a client a full fetch and nothing else.
type changeLog struct {
	entries  []change
	bytes    int // of deleted instances
	max      int
	maxBytes int
}

func (c *changeLog) add(e change, in *eureka.Instance) {
	if e.action == eureka.Deleted {
		e.gone = in
		c.bytes += sizeOf(in)
	}
	c.entries = append(c.entries, e)
	for len(c.entries) > c.max || c.bytes > c.maxBytes {
		c.drop(1)
	}
}

// drop removes the n oldest entries.
func (c *changeLog) drop(n int) {
	for i := range c.entries[:n] {
		if gone := c.entries[i].gone; gone != nil {
			c.bytes -= sizeOf(gone)
		}
		c.entries[i] = change{}
	}
	c.entries = c.entries[n:]
}

// trim drops what is older than since and reports whether anything was.
func (c *changeLog) trim(since int64) bool {
	n := 0
	for n < len(c.entries) && c.entries[n].at < since {
		n++
	}
	c.drop(n)
	return n > 0
}

// Delta is what changed lately: for every instance in the log its latest
// state, deletions last within an application, so that a client that meets a
// new application never keeps a ghost.
func (t *Table) Delta() eureka.Applications {
	t.trim()
	t.mu.RLock()
	defer t.mu.RUnlock()
	seen := make(map[key]bool, len(t.log.entries))
	byApp := map[string]*eureka.Application{}
	var gone []*eureka.Instance
	for _, e := range slices.Backward(t.log.entries) {
		if seen[e.key] {
			continue
		}
		seen[e.key] = true
		app := byApp[e.key.app]
		if app == nil {
			app = &eureka.Application{Name: e.key.app}
			byApp[e.key.app] = app
		}
		if l, live := t.find(e.key.app, e.key.id); live {
			app.Instances = append(app.Instances, l.view())
		} else if e.gone != nil {
			gone = append(gone, e.gone)
		}
	}
	for _, in := range gone {
		app := byApp[in.App]
		app.Instances = append(app.Instances, in)
	}
	return t.applications(byApp)
}

// trim moves the delta's window on. What left it changes the delta, and so the
// version (rule 18).
func (t *Table) trim() {
	since := t.now() - t.cfg.Retention.Milliseconds()
	t.mu.RLock()
	due := len(t.log.entries) > 0 && t.log.entries[0].at < since
	t.mu.RUnlock()
	if !due {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log.trim(since) {
		t.version++
	}
}

// All is the whole registry.
func (t *Table) All() eureka.Applications {
	t.mu.RLock()
	defer t.mu.RUnlock()
	byApp := make(map[string]*eureka.Application, len(t.apps))
	for name, byID := range t.apps {
		byApp[name] = collect(name, byID)
	}
	return t.applications(byApp)
}

// applications orders what was gathered; the caller holds the lock.
func (t *Table) applications(byApp map[string]*eureka.Application) eureka.Applications {
	a := eureka.Applications{Version: t.version, Hash: eureka.Hash(t.counts), Apps: make([]eureka.Application, 0, len(byApp))}
	for _, name := range slices.Sorted(maps.Keys(byApp)) {
		a.Apps = append(a.Apps, *byApp[name])
	}
	return a
}

func collect(name string, byID map[string]*lease) *eureka.Application {
	app := &eureka.Application{Name: name, Instances: make([]*eureka.Instance, 0, len(byID))}
	for _, l := range byID {
		app.Instances = append(app.Instances, l.view())
	}
	slices.SortFunc(app.Instances, func(a, b *eureka.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return app
}

// view is the instance with the true time of its last heartbeat.
func (l *lease) view() *eureka.Instance {
	in := *l.inst
	in.Lease.Renewed = l.renewed.Load()
	return &in
}

// Application is one application; not ok when it has no instance.
func (t *Table) Application(name string) (eureka.Application, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	byID, ok := t.apps[name]
	if !ok {
		return eureka.Application{}, false
	}
	return *collect(name, byID), true
}

// Instance is one instance, unless its lease has run out.
func (t *Table) Instance(app, id string) (*eureka.Instance, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	l, ok := t.find(app, id)
	if !ok || t.expired(l, t.now()) {
		return nil, false
	}
	return l.view(), true
}

// Anywhere is the first instance of an id in any application.
func (t *Table) Anywhere(id string) (*eureka.Instance, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(t.apps)) {
		if l, ok := t.apps[name][id]; ok && !t.expired(l, t.now()) {
			return l.view(), true
		}
	}
	return nil, false
}

// VIP is every instance behind a VIP address, with a hash of its own.
func (t *Table) VIP(name string, secure bool) eureka.Applications {
	a := t.All()
	a.Version = -1
	counts := map[eureka.Status]int{}
	for i := range a.Apps {
		a.Apps[i].Instances = slices.DeleteFunc(a.Apps[i].Instances, func(in *eureka.Instance) bool { return !in.HasVIP(name, secure) })
		for _, in := range a.Apps[i].Instances {
			counts[in.Status]++
		}
	}
	a.Apps = slices.DeleteFunc(a.Apps, func(app eureka.Application) bool { return len(app.Instances) == 0 })
	a.Hash = eureka.Hash(counts)
	return a
}

// Reserved reports whether writes to an instance need a proof: its name, or
// anything the stored instance goes by, is reserved.
func (t *Table) Reserved(app, id string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if l, ok := t.find(app, id); ok {
		return l.reserved
	}
	return eureka.IsName(app, t.cfg.Reserved)
}
