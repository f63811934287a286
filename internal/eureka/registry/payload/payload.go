// Package payload holds the registry's lists as they go over the wire, so that
// a change costs what changed and not what is there: every application, and
// every hundred instances of a large one, is encoded and compressed by itself,
// once per change, and the pieces are spliced into one gzip member. The list and
// the delta of a version are made once and shared by all who ask.
//
// It reads a lease.Table and knows no HTTP: package registry negotiates and
// sends.
package payload

import (
	"sync"
	"sync/atomic"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

// Store makes and keeps the documents of a table.
type Store struct {
	table   *lease.Table
	packers packers
	docs    map[kind]*document
}

// kind says which document it is.
type kind struct {
	form  eureka.Form
	delta bool
}

// New returns a Store that has made nothing yet.
func New(t *lease.Table) *Store {
	s := &Store{table: t, docs: map[kind]*document{}}
	for _, xml := range []bool{false, true} {
		for _, compact := range []bool{false, true} {
			for _, delta := range []bool{false, true} {
				s.docs[kind{eureka.Form{XML: xml, Compact: compact}, delta}] = &document{apps: map[string]*application{}}
			}
		}
	}
	return s
}

// document is one list in one form. Who asks for the version that was made
// takes no lock; the others wait for one of them to make the next.
type document struct {
	packed, plain atomic.Pointer[made]

	mu   sync.Mutex
	apps map[string]*application
}

// application is one of a document, in pieces.
type application struct {
	version int64
	pieces  []*piece     // one that is the whole application, or many
	frame   eureka.Frame // around many
}

// made is a document of one version.
type made struct {
	version int64
	body    []byte
}

// Packed returns the registry, or its delta, as one gzip member that shows
// every change made before the call. The caller must not change it.
func (s *Store) Packed(form eureka.Form, delta bool) []byte {
	return s.get(kind{form, delta}, func(d *document) *atomic.Pointer[made] { return &d.packed }, s.splice)
}

// Plain is Packed without compression. It is made from nothing for each
// version: few ask for it, and pieces of it would take much memory.
func (s *Store) Plain(form eureka.Form, delta bool) []byte {
	return s.get(kind{form, delta}, func(d *document) *atomic.Pointer[made] { return &d.plain }, s.encode)
}

func (s *Store) get(k kind, of func(*document) *atomic.Pointer[made], build func(kind, *document) *made) []byte {
	d := s.docs[k]
	if m := of(d).Load(); m != nil && m.version == s.version(k.delta) {
		return m.body
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := of(d).Load(); m != nil && m.version == s.version(k.delta) {
		return m.body // another caller made it meanwhile
	}
	m := build(k, d)
	of(d).Store(m)
	return m.body
}

// version is what a document made now must have.
func (s *Store) version(delta bool) int64 {
	if delta {
		s.table.Trim()
	}
	return s.table.Version()
}

func (s *Store) encode(k kind, _ *document) *made {
	p := s.table.Look(k.delta, nil)
	return &made{p.Version, k.form.Applications(nil, p.Applications())}
}

// splice renews the pieces that changed and puts all together.
func (s *Store) splice(k kind, d *document) *made {
	p := s.table.Look(k.delta, func(name string) int64 {
		if had := d.apps[name]; had != nil {
			return had.version
		}
		return 0
	})
	apps, order := make(map[string]*application, len(p.Parts)), make([]*application, len(p.Parts))
	for i := range p.Parts {
		part := &p.Parts[i]
		order[i] = d.apps[part.Name]
		if !part.Known {
			order[i] = s.renew(k.form, part, order[i])
		}
		apps[part.Name] = order[i]
	}
	d.apps = apps // what is gone went with the old map
	return &made{p.Version, join(k.form.Frame(p.Version, p.Hash), order)}
}

// pieceSize is how many instances a piece has at most, about: more take longer
// to make after a change, fewer repeat themselves less and so compress worse.
const pieceSize = 128

// renew makes the pieces of an application anew, but for those it had.
func (s *Store) renew(f eureka.Form, part *lease.Part, had *application) *application {
	known := map[lease.Stamp]*piece{}
	if had != nil && len(had.pieces) > 1 {
		for _, p := range had.pieces {
			known[p.stamp] = p
		}
	}
	parts := part.Divide(pieceSize)
	a := &application{version: part.Version}
	if len(parts) > 1 {
		a.frame = f.PieceFrame(part.Name)
	}
	var raw []byte
	for i := range parts {
		stamp := parts[i].Stamp()
		p := known[stamp]
		if p == nil {
			app := parts[i].Application()
			if len(parts) == 1 {
				raw = f.Piece(raw[:0], &app)
			} else {
				raw = f.Instances(raw[:0], app.Instances)
			}
			p = s.packers.pack(raw)
			p.stamp = stamp
		}
		a.pieces = append(a.pieces, p)
	}
	return a
}
