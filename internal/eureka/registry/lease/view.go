package lease

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ccms/internal/eureka"
)

// Picture is the registry, or its delta, at one version.
type Picture struct {
	Version int64
	Hash    string // of the whole registry, in a delta too
	Parts   []Part // by name
}

// Part is an application in a Picture.
type Part struct {
	Name    string
	Version int64 // moves with every change to the part
	Known   bool  // the caller has this version: there are no instances here

	items []item
}

// item is an instance as it was when the picture was taken.
type item struct {
	in      *eureka.Instance
	renewed int64
	version int64
}

// add takes up the latest state of an instance in the delta.
func (p *Part) add(a *application, id string) {
	if l, live := a.leases[id]; live {
		p.items = append(p.items, l.item())
	} else if c := a.recent[id]; c.gone != nil {
		p.items = append(p.items, item{c.gone, c.gone.Lease.Renewed, c.version})
	}
}

// Application is the part with its instances by id, the deleted ones last, so
// that a client that meets a new application never keeps a ghost.
func (p *Part) Application() eureka.Application {
	slices.SortFunc(p.items, func(a, b item) int {
		return cmp.Or(deleted(a)-deleted(b), strings.Compare(a.in.ID, b.in.ID))
	})
	instances := make([]eureka.Instance, len(p.items))
	a := eureka.Application{Name: p.Name, Instances: make([]*eureka.Instance, len(p.items))}
	for i, it := range p.items {
		instances[i] = *it.in
		instances[i].Lease.Renewed = it.renewed
		a.Instances[i] = &instances[i]
	}
	return a
}

func deleted(i item) int {
	if i.in.Action == eureka.Deleted {
		return 1
	}
	return 0
}

func (l *lease) item() item { return item{l.inst, l.renewed.Load(), l.version} }

// Stamp tells the states of a part apart: an instance that comes or changes has
// the highest version, one that goes makes them fewer.
type Stamp struct {
	Count   int
	Version int64 // the highest of an instance
}

// Stamp is that of the part's instances.
func (p *Part) Stamp() Stamp {
	s := Stamp{Count: len(p.items)}
	for i := range p.items {
		s.Version = max(s.Version, p.items[i].version)
	}
	return s
}

// Divide returns parts of about size instances at most, the last of them for
// the deleted ones; a small part remains whole. An instance stays in its part
// as long as the number of parts stays.
func (p *Part) Divide(size int) []Part {
	if len(p.items) <= size {
		return []Part{*p}
	}
	n := 2
	for n*size < 2*len(p.items) {
		n *= 2
	}
	parts := make([]Part, n+1)
	for i := range parts {
		parts[i].Name = p.Name
	}
	for _, it := range p.items {
		i := n
		if deleted(it) == 0 {
			i = int(spread(it.in.ID) % uint32(n))
		}
		parts[i].items = append(parts[i].items, it)
	}
	return slices.DeleteFunc(parts, func(p Part) bool { return len(p.items) == 0 })
}

// spread is the hash FNV-1a: the same in every call, which a seeded one is not.
func spread(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// view is the instance with the true time of its last heartbeat.
func (l *lease) view() *eureka.Instance {
	in := *l.inst
	in.Lease.Renewed = l.renewed.Load()
	return &in
}

// Version is that of the registry now. Whoever was answered a write reads a
// version at or after that write's.
func (t *Table) Version() int64 { return t.version.Load() }

// Look takes a picture of the registry, or of its delta. known says which
// version of a part the caller has already, 0 for none; nil knows nothing.
func (t *Table) Look(delta bool, known func(name string) int64) Picture {
	if delta {
		t.Trim()
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := Picture{Version: t.version.Load(), Hash: eureka.Hash(t.counts), Parts: make([]Part, 0, len(t.apps))}
	for _, name := range slices.Sorted(maps.Keys(t.apps)) {
		a := t.apps[name]
		part := Part{Name: name, Version: a.version}
		size := len(a.leases)
		if delta {
			part.Version, size = a.delta, len(a.recent)
		}
		if size == 0 {
			continue
		}
		part.Known = known != nil && known(name) == part.Version
		if !part.Known {
			part.fill(a, delta)
		}
		p.Parts = append(p.Parts, part)
	}
	return p
}

func (p *Part) fill(a *application, delta bool) {
	if delta {
		p.items = make([]item, 0, len(a.recent))
		for id := range a.recent {
			p.add(a, id)
		}
		return
	}
	p.items = make([]item, 0, len(a.leases))
	for _, l := range a.leases {
		p.items = append(p.items, l.item())
	}
}

// Applications is the whole picture; every part must have its instances.
func (p Picture) Applications() eureka.Applications {
	a := eureka.Applications{Version: p.Version, Hash: p.Hash, Apps: make([]eureka.Application, len(p.Parts))}
	for i := range p.Parts {
		a.Apps[i] = p.Parts[i].Application()
	}
	return a
}

// All is the whole registry.
func (t *Table) All() eureka.Applications { return t.Look(false, nil).Applications() }

// Delta is what changed lately: for every instance its latest state.
func (t *Table) Delta() eureka.Applications { return t.Look(true, nil).Applications() }

// applications orders what was gathered; the caller holds the lock.
func (t *Table) applications(byApp map[string]*Part) eureka.Applications {
	a := eureka.Applications{Version: t.version.Load(), Hash: eureka.Hash(t.counts), Apps: make([]eureka.Application, 0, len(byApp))}
	for _, name := range slices.Sorted(maps.Keys(byApp)) {
		a.Apps = append(a.Apps, byApp[name].Application())
	}
	return a
}

// Application is one application; not ok when it has no instance.
func (t *Table) Application(name string) (eureka.Application, bool) {
	t.mu.RLock()
	a, ok := t.apps[name]
	p := Part{Name: name}
	if ok {
		p.fill(a, false)
	}
	t.mu.RUnlock()
	return p.Application(), len(p.items) > 0
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

// Stored is one instance whether its lease has run out or not, with its
// override.
func (t *Table) Stored(app, id string) (*eureka.Instance, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	l, ok := t.find(app, id)
	if !ok {
		return nil, false
	}
	in := l.view()
	in.Overridden = l.override
	return in, true
}

// Anywhere is the first instance of an id in any application.
func (t *Table) Anywhere(id string) (*eureka.Instance, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	now := t.now()
	var found *lease
	for _, a := range t.apps {
		if l, ok := a.leases[id]; ok && !t.expired(l, now) && (found == nil || l.inst.App < found.inst.App) {
			found = l
		}
	}
	if found == nil {
		return nil, false
	}
	return found.view(), true
}

// VIP is every instance behind a VIP address, with a hash of its own.
func (t *Table) VIP(name string, secure bool) eureka.Applications {
	t.mu.RLock()
	byApp, counts := map[string]*Part{}, map[eureka.Status]int{}
	for app, a := range t.apps {
		for _, l := range a.leases {
			if !l.inst.HasVIP(name, secure) {
				continue
			}
			if byApp[app] == nil {
				byApp[app] = &Part{Name: app}
			}
			byApp[app].items = append(byApp[app].items, l.item())
			counts[l.inst.Status]++
		}
	}
	t.mu.RUnlock()
	a := eureka.Applications{Version: -1, Hash: eureka.Hash(counts), Apps: make([]eureka.Application, 0, len(byApp))}
	for _, app := range slices.Sorted(maps.Keys(byApp)) {
		a.Apps = append(a.Apps, byApp[app].Application())
	}
	return a
}

// Entry is an instance as an operator sees it.
type Entry struct {
	*eureka.Instance               // its Status is the effective one
	Own              eureka.Status // what it said of itself
	Override         eureka.Status // Unknown for none
	Renewed          int64         // Unix milliseconds of the last heartbeat
	Expires          int64         // Unix milliseconds of the end without another
}

// Entries returns every instance, by application and id.
func (t *Table) Entries() []Entry {
	t.mu.RLock()
	all := make([]Entry, 0, t.size)
	for l := range t.leases() {
		all = append(all, Entry{l.inst, l.own, l.override, l.renewed.Load(), l.deadline.Load()})
	}
	t.mu.RUnlock()
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.ID, b.ID))
	})
	return all
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
