package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"ccms/internal/store"
	"ccms/internal/vault"
)

// line is the cached versions of one key. Readers take the snapshot without a
// lock; whoever reads the store for it holds the turn.
type line struct {
	name string
	turn chan struct{}
	seen atomic.Pointer[snapshot]
}

// snapshot is a line as the store had it. It is never changed.
type snapshot struct {
	keys   map[uint32]*key
	gone   map[uint32]*key // destroyed: known to be rightly so
	id     string          // of the key; empty when there is none
	newest uint32
	active *key     // the version that seals: the newest but next, if it may
	next   *key     // the newest version, while it is pre-active
	marked []uint32 // all versions in state active; older ones if a rotation was cut short
	read   time.Time
}

func (r *Ring) line(name string) *line {
	r.mu.RLock()
	l := r.lines[name]
	r.mu.RUnlock()
	if l != nil {
		return l
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l = r.lines[name]; l == nil {
		l = &line{name: name, turn: make(chan struct{}, 1)}
		r.lines[name] = l
	}
	return l
}

// active returns the version that seals, made if the line has none.
func (r *Ring) active(ctx context.Context, name string) (*key, error) {
	s, err := r.ready(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.active, nil
}

// ready returns a snapshot with a version that seals, made if the line has none;
// vault.Destroyed if what it had was destroyed.
func (r *Ring) ready(ctx context.Context, name string) (*snapshot, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	l := r.line(name)
	s, err := r.look(ctx, l, func(s *snapshot) bool { return s.active != nil })
	if err != nil {
		return nil, err
	}
	if s.newest == 0 {
		if err := r.insert(ctx, record{Line: name, Key: rand.Text(), Version: 1, State: Active}); err != nil {
			return nil, err
		}
		if s, err = r.reread(ctx, l); err != nil {
			return nil, err
		}
	}
	switch {
	case s.active != nil:
		return s, nil
	case s.gone[s.newest] != nil:
		return nil, vault.Destroyed()
	}
	return nil, fmt.Errorf("keyring: %s: no active version", name)
}

// version returns one version, active or not; ErrOpen if there is none, as
// vault.Destroyed if there was one.
func (r *Ring) version(ctx context.Context, name string, version uint32) (*key, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s, err := r.look(ctx, r.line(name), func(s *snapshot) bool { return s.keys[version] != nil })
	if err != nil {
		return nil, err
	}
	if k := s.keys[version]; k != nil {
		return k, nil
	}
	if s.gone[version] != nil {
		return nil, vault.Destroyed()
	}
	return nil, ErrOpen
}

func checkName(name string) error {
	_, of, _ := strings.Cut(name, "/")
	if of == "" || len(of) > maxName {
		return fmt.Errorf("keyring: an owner or purpose has 1 to %d bytes", maxName)
	}
	return nil
}

// look returns a snapshot that is enough and fresh, or else the newest the
// store has. While one goroutine refreshes, the others go on with what they
// have, if it is enough and not twice as old as it should be; for what is
// missing they wait, and read again unless that one found it.
func (r *Ring) look(ctx context.Context, l *line, enough func(*snapshot) bool) (*snapshot, error) {
	before := l.seen.Load()
	usable, age := before != nil && enough(before), time.Duration(0)
	if usable {
		age = r.now().Sub(before.read)
	}
	if usable && age < r.refresh {
		return before, nil
	}
	select {
	case l.turn <- struct{}{}:
	default:
		if usable && age < 2*r.refresh {
			return before, nil
		}
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("keyring: wait for %s: %w", l.name, ctx.Err())
		}
	}
	defer func() { <-l.turn }()
	if s := l.seen.Load(); s != before && enough(s) {
		return s, nil
	}
	return r.load(ctx, l)
}

// reread reads the line once more, after a write.
func (r *Ring) reread(ctx context.Context, l *line) (*snapshot, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("keyring: wait for %s: %w", l.name, ctx.Err())
	}
	defer func() { <-l.turn }()
	return r.load(ctx, l)
}

// load reads the line anew; the caller holds the turn.
func (r *Ring) load(ctx context.Context, l *line) (*snapshot, error) {
	s := &snapshot{keys: map[uint32]*key{}, gone: map[uint32]*key{}, read: r.now()}
	old := l.seen.Load()
	rows, err := r.rows(ctx, l.name)
	if err != nil {
		return nil, err
	}
	for _, rec := range rows {
		if err := r.add(ctx, s, old, rec); err != nil {
			return nil, err
		}
	}
	s.choose()
	l.seen.Store(s)
	return s, nil
}

// rows reads the stored versions of a line, within the time one answer of the
// store has: the root, which may be a service, has its own.
func (r *Ring) rows(ctx context.Context, name string) (all []store.Record[record], err error) {
	ctx, cancel := context.WithTimeout(ctx, store.Budget)
	defer cancel()
	q := store.Query{Where: []store.Cond{{Field: "line", Op: store.Eq, Value: name}}}
	for rec, err := range r.records.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		all = append(all, rec)
	}
	return all, nil
}

// add puts a stored version into s. One that was unwrapped before, and is still
// as it was, is not unwrapped again.
func (r *Ring) add(ctx context.Context, s, old *snapshot, rec store.Record[record]) (err error) {
	v := rec.Value
	if rec.ID != v.id() || v.Version < 1 || v.Version > math.MaxUint32 {
		return fmt.Errorf("%w: %s", ErrAltered, rec.ID)
	}
	version := uint32(v.Version)
	k := old.find(v)
	if k == nil {
		k, err = r.unwrap(ctx, v)
		if was := old.rewrapped(v); err != nil && !errors.Is(err, ErrAltered) && was != nil {
			k, err = was, nil // the root is away; this key was right before its wrap was renewed
		}
		if err != nil {
			return err
		}
	}
	if v.State == Destroyed {
		s.gone[version] = k
	} else {
		s.keys[version] = k
	}
	if v.State == Active {
		s.marked = append(s.marked, version)
	}
	if version > s.newest {
		s.newest, s.id = version, v.Key
	}
	return nil
}

// choose finds the version that seals and the one to come.
func (s *snapshot) choose() {
	top := s.newest
	if k := s.keys[top]; k != nil && k.row.State == PreActive {
		s.next, top = k, top-1
	}
	if k := s.keys[top]; k != nil && k.row.State == Active {
		s.active = k
	}
}

// rewrapped returns the unwrapped version of a record of which nothing but the wrap
// has changed, or nil.
func (s *snapshot) rewrapped(rec record) *key {
	if s == nil {
		return nil
	}
	k := s.keys[uint32(rec.Version)]
	if k == nil {
		return nil
	}
	row := k.row
	if row.Wrapped = rec.Wrapped; !row.same(rec) {
		return nil
	}
	return k
}

// find returns the unwrapped version of a record that has not changed, or nil.
func (s *snapshot) find(rec record) *key {
	if s == nil {
		return nil
	}
	for _, k := range []*key{s.keys[uint32(rec.Version)], s.gone[uint32(rec.Version)]} {
		if k != nil && k.row.same(rec) {
			return k
		}
	}
	return nil
}
