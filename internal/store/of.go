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
type Of[T any] struct {
	c    Collection
	name string
}

// Open opens or creates the collection s in db.
func Open[T any](ctx context.Context, db DB, s Spec) (*Of[T], error) {
	c, err := db.Collection(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("open collection %s: %w", s.Name, err)
	}
	return &Of[T]{c: c, name: s.Name}, nil
}

// Insert stores v under a new id.
func (o *Of[T]) Insert(ctx context.Context, id string, v T) error {
	body, err := bson.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", o.name, err)
	}
	return o.run(ctx, "insert", func(ctx context.Context) error {
		return o.c.Insert(ctx, Doc{ID: id, Body: body})
	})
}

// Get returns the record with this id, else ErrNotFound.
func (o *Of[T]) Get(ctx context.Context, id string) (Record[T], error) {
	var d Doc
	err := o.run(ctx, "get", func(ctx context.Context) (err error) {
		d, err = o.c.Get(ctx, id)
		return err
	})
	if err != nil {
		return Record[T]{}, err
	}
	return o.decode(d)
}

// Replace stores r.Value if r.Rev is still the stored revision, else ErrStale.
func (o *Of[T]) Replace(ctx context.Context, r Record[T]) error {
	body, err := bson.Marshal(r.Value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", o.name, err)
	}
	return o.run(ctx, "replace", func(ctx context.Context) error {
		return o.c.Replace(ctx, Doc{ID: r.ID, Rev: r.Rev, Body: body})
	})
}

// Delete removes the record if rev is still the stored revision, else ErrStale.
func (o *Of[T]) Delete(ctx context.Context, id string, rev int64) error {
	return o.run(ctx, "delete", func(ctx context.Context) error {
		return o.c.Delete(ctx, id, rev)
	})
}

// Find yields the records of q in order and ends with the first error. Budget
// bounds the wait for each record; the caller's own time does not count.
func (o *Of[T]) Find(ctx context.Context, q Query) iter.Seq2[Record[T], error] {
	return func(yield func(Record[T], error) bool) {
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
				yield(Record[T]{}, o.wrap(ctx, "find", err))
				return
			}
			r, err := o.decode(d)
			if !yield(r, err) || err != nil {
				return
			}
			late.Reset(Budget)
		}
	}
}

// First returns the first record of q, else ErrNotFound.
func (o *Of[T]) First(ctx context.Context, q Query) (Record[T], error) {
	q.Limit = 1
	var first Record[T]
	err := o.run(ctx, "find", func(ctx context.Context) error {
		for r, err := range o.Find(ctx, q) {
			first = r
			return err
		}
		return ErrNotFound
	})
	return first, err
}

// Update reads the record, lets change alter the value, and writes it back
// until no other writer came between. An error of change ends it unchanged and
// is returned as it is. change may run several times.
func (o *Of[T]) Update(ctx context.Context, id string, change func(*T) error) (Record[T], error) {
	for try := range tries {
		r, err := o.Get(ctx, id)
		if err != nil {
			return r, err
		}
		if err := change(&r.Value); err != nil {
			return r, err
		}
		err = o.Replace(ctx, r)
		if err == nil {
			r.Rev++
			return r, nil
		}
		if !errors.Is(err, ErrStale) {
			return r, err
		}
		if err := pause(ctx, try); err != nil {
			return r, o.wrap(ctx, "update", err)
		}
	}
	return Record[T]{}, problem.Database(fmt.Errorf("update %s: %w after %d tries", o.name, ErrStale, tries))
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

func (o *Of[T]) decode(d Doc) (Record[T], error) {
	r := Record[T]{ID: d.ID, Rev: d.Rev}
	if err := bson.Unmarshal(d.Body, &r.Value); err != nil {
		return r, problem.Database(fmt.Errorf("decode %s: %w", o.name, err))
	}
	return r, nil
}

func (o *Of[T]) run(ctx context.Context, op string, f func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	return o.wrap(ctx, op, f(inner))
}

// wrap leaves the contract's own errors alone and names everything else.
func (o *Of[T]) wrap(ctx context.Context, op string, err error) error {
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
