package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/problem"
)

// tries bounds Update against a document that everyone writes at once.
const tries = 100

// Record is a document as a value of a domain.
type Record[T any] struct {
	ID    string
	Rev   int64
	Value T
}

// Of gives typed access to a collection, so that the mapping to BSON exists
// once: field names are those of the bson tags, times are UTC milliseconds.
// Its errors are ErrNotFound, ErrExists, ErrStale, the caller's own
// context.Canceled, or a problem.Error (DATABASE_ERROR, TIMEOUT) that a
// handler may return as it is.
type Of[T any] struct{ documents }

// documents is all of an Of that does not depend on the type of its values, so
// that the compiler makes it once and not for each of them.
type documents struct {
	c    Collection
	name string
}

// Open opens or creates the collection s in db.
func Open[T any](ctx context.Context, db DB, s Spec) (*Of[T], error) {
	c, err := db.Collection(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("open collection %s: %w", s.Name, err)
	}
	return &Of[T]{documents{c: c, name: s.Name}}, nil
}

// Insert stores v under a new id.
func (o *Of[T]) Insert(ctx context.Context, id string, v T) error {
	return o.write(ctx, "insert", Doc{ID: id}, v)
}

// Get returns the record with this id, else ErrNotFound.
func (o *Of[T]) Get(ctx context.Context, id string) (Record[T], error) {
	var r Record[T]
	d, err := o.read(ctx, id, &r.Value)
	r.ID, r.Rev = d.ID, d.Rev
	return r, err
}

// Replace stores r.Value if r.Rev is still the stored revision, else ErrStale.
func (o *Of[T]) Replace(ctx context.Context, r Record[T]) error {
	return o.write(ctx, "replace", Doc{ID: r.ID, Rev: r.Rev}, r.Value)
}

// Delete removes the record if rev is still the stored revision, else ErrStale.
func (o *documents) Delete(ctx context.Context, id string, rev int64) error {
	return o.run(ctx, "delete", func(ctx context.Context) error {
		return o.c.Delete(ctx, id, rev)
	})
}

// Find yields the records of q in order and ends with the first error. Budget
// bounds the wait for each record; the caller's own time does not count.
func (o *Of[T]) Find(ctx context.Context, q Query) iter.Seq2[Record[T], error] {
	return func(yield func(Record[T], error) bool) {
		for d, err := range o.find(ctx, q) {
			r := Record[T]{ID: d.ID, Rev: d.Rev}
			if err == nil {
				err = o.decode(d, &r.Value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// First returns the first record of q, else ErrNotFound.
func (o *Of[T]) First(ctx context.Context, q Query) (Record[T], error) {
	var r Record[T]
	d, err := o.first(ctx, q, &r.Value)
	r.ID, r.Rev = d.ID, d.Rev
	return r, err
}

// Update reads the record, lets change alter the value, and writes it back
// until no other writer came between. An error of change ends it unchanged and
// is returned as it is. change may run several times.
func (o *Of[T]) Update(ctx context.Context, id string, change func(*T) error) (r Record[T], err error) {
	err = o.retry(ctx, func() (lost bool, err error) {
		if r, err = o.Get(ctx, id); err != nil {
			return false, err
		}
		if err := change(&r.Value); err != nil {
			return false, err
		}
		if err = o.Replace(ctx, r); err == nil {
			r.Rev++
		}
		return errors.Is(err, ErrStale), err
	})
	return r, err
}

// retry calls once until it has not lost a race.
func (o *documents) retry(ctx context.Context, once func() (lost bool, err error)) error {
	for try := range tries {
		if lost, err := once(); !lost {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return o.wrap(ctx, "update", err)
		}
	}
	return problem.Database(fmt.Errorf("update %s: %w after %d tries", o.name, ErrStale, tries))
}

// pause waits a little longer after each lost race, with jitter, so that many
// writers of one document do not keep meeting.
func pause(ctx context.Context, try int) error {
	limit := time.Millisecond << min(try, 5)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// write inserts or replaces d with the value v.
func (o *documents) write(ctx context.Context, op string, d Doc, v any) (err error) {
	if d.Body, err = bson.Marshal(v); err != nil {
		return fmt.Errorf("encode %s: %w", o.name, err)
	}
	return o.run(ctx, op, func(ctx context.Context) error {
		if op == "insert" {
			return o.c.Insert(ctx, d)
		}
		return o.c.Replace(ctx, d)
	})
}

// read decodes the document with this id into v.
func (o *documents) read(ctx context.Context, id string, v any) (d Doc, err error) {
	err = o.run(ctx, "get", func(ctx context.Context) (err error) {
		d, err = o.c.Get(ctx, id)
		return err
	})
	if err != nil {
		return Doc{}, err
	}
	return d, o.decode(d, v)
}

func (o *documents) find(ctx context.Context, q Query) iter.Seq2[Doc, error] {
	return func(yield func(Doc, error) bool) {
		inner, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		late := time.AfterFunc(Budget, func() { cancel(context.DeadlineExceeded) })
		defer late.Stop()
		for d, err := range o.c.Find(inner, q) {
			late.Stop()
			if err != nil {
				if context.Cause(inner) == context.DeadlineExceeded {
					err = context.DeadlineExceeded
				}
				yield(Doc{}, o.wrap(ctx, "find", err))
				return
			}
			if !yield(d, nil) {
				return
			}
			late.Reset(Budget)
		}
	}
}

// first decodes the first document of q into v.
func (o *documents) first(ctx context.Context, q Query, v any) (first Doc, err error) {
	q.Limit = 1
	err = o.run(ctx, "find", func(ctx context.Context) error {
		for d, err := range o.find(ctx, q) {
			first = d
			return err
		}
		return ErrNotFound
	})
	if err != nil {
		return Doc{}, err
	}
	return first, o.decode(first, v)
}

func (o *documents) decode(d Doc, v any) error {
	if err := bson.Unmarshal(d.Body, v); err != nil {
		return problem.Database(fmt.Errorf("decode %s: %w", o.name, err))
	}
	return nil
}

func (o *documents) run(ctx context.Context, op string, f func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	return o.wrap(ctx, op, f(inner))
}

// wrap leaves the contract's own errors alone and names everything else.
func (o *documents) wrap(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{ErrNotFound, ErrExists, ErrStale} {
		if errors.Is(err, own) {
			return err
		}
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	err = fmt.Errorf("%s %s: %w", op, o.name, err)
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return problem.TimedOut(err)
	}
	return problem.Database(err)
}
