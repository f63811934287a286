package storetest

import (
	"context"
	"iter"
	"sync"
	"time"

	"ccms/internal/store"
)

// Op names a method of the contract.
type Op string

// The operations a Rule can meet.
const (
	Insert     Op = "insert"
	Get        Op = "get"
	Replace    Op = "replace"
	Delete     Op = "delete"
	Find       Op = "find"
	Collection Op = "collection"
	Ping       Op = "ping"
)

// Rule makes operations fail or slow. The zero Rule meets every one and
// changes nothing.
type Rule struct {
	Collection string // name of the collection; empty: all
	Op         Op     // empty: all
	Skip       int    // how many operations pass before the rule takes effect
	Times      int    // how many it then meets; 0: all that follow
	// After lets the operation have its effect first. That is how a write
	// looks whose acknowledgement was lost.
	After bool
	// Delay passes before the operation, or with After before its answer. An
	// operation whose context ends meanwhile returns the context's error.
	Delay time.Duration
	// Err is what the operation then returns; nil: its own result.
	Err error
}

// Fault is a store that does what the one it wraps does, and fails where its
// rules say so. It is safe for concurrent use.
type Fault struct {
	db store.DB

	mu    sync.Mutex
	rules []*rule
}

type rule struct {
	Rule
	met int
}

// NewFault wraps db. Without rules nothing changes.
func NewFault(db store.DB) *Fault { return &Fault{db: db} }

// Add puts a rule behind those there are; the first that meets an operation
// counts for it.
func (f *Fault) Add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule{Rule: r})
}

// Clear removes all rules.
func (f *Fault) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// meet returns the rule for an operation, the zero Rule if there is none.
func (f *Fault) meet(collection string, op Op) Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.Collection != "" && r.Collection != collection || r.Op != "" && r.Op != op {
			continue
		}
		if r.met++; r.met > r.Skip && (r.Times == 0 || r.met <= r.Skip+r.Times) {
			return r.Rule
		}
	}
	return Rule{}
}

// around runs one operation under its rule.
func (f *Fault) around(ctx context.Context, collection string, op Op, do func() error) error {
	r := f.meet(collection, op)
	if r.After {
		if err := do(); err != nil {
			return err
		}
	}
	if err := sleep(ctx, r.Delay); err != nil {
		return err
	}
	if r.Err != nil || r.After {
		return r.Err
	}
	return do()
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Collection implements store.DB.
func (f *Fault) Collection(ctx context.Context, s store.Spec) (c store.Collection, err error) {
	err = f.around(ctx, s.Name, Collection, func() error {
		c, err = f.db.Collection(ctx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faulty{f: f, c: c, name: s.Name}, nil
}

// Ping implements store.DB.
func (f *Fault) Ping(ctx context.Context) error {
	return f.around(ctx, "", Ping, func() error { return f.db.Ping(ctx) })
}

// Close implements store.DB.
func (f *Fault) Close() error { return f.db.Close() }

type faulty struct {
	f    *Fault
	c    store.Collection
	name string
}

func (c *faulty) Insert(ctx context.Context, d store.Doc) error {
	return c.f.around(ctx, c.name, Insert, func() error { return c.c.Insert(ctx, d) })
}

func (c *faulty) Get(ctx context.Context, id string) (d store.Doc, err error) {
	err = c.f.around(ctx, c.name, Get, func() error {
		d, err = c.c.Get(ctx, id)
		return err
	})
	if err != nil {
		return store.Doc{}, err
	}
	return d, nil
}

func (c *faulty) Replace(ctx context.Context, d store.Doc) error {
	return c.f.around(ctx, c.name, Replace, func() error { return c.c.Replace(ctx, d) })
}

func (c *faulty) Delete(ctx context.Context, id string, rev int64) error {
	return c.f.around(ctx, c.name, Delete, func() error { return c.c.Delete(ctx, id, rev) })
}

// Find fails before its first document, or with After behind its last.
func (c *faulty) Find(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		stopped := false
		err := c.f.around(ctx, c.name, Find, func() error {
			for d, err := range c.c.Find(ctx, q) {
				if err != nil {
					return err
				}
				if !yield(d, nil) {
					stopped = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(store.Doc{}, err)
		}
	}
}
