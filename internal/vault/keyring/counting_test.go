package keyring

import (
	"context"
	"iter"
	"sync/atomic"

	"ccms/internal/store"
)

// countingDB counts what the store is asked.
type countingDB struct {
	store.DB
	reads, writes atomic.Int64
}

func (d *countingDB) Collection(ctx context.Context, s store.Spec) (store.Collection, error) {
	c, err := d.DB.Collection(ctx, s)
	return &countingCollection{c, d}, err
}

type countingCollection struct {
	store.Collection
	db *countingDB
}

func (c *countingCollection) Insert(ctx context.Context, d store.Doc) error {
	c.db.writes.Add(1)
	return c.Collection.Insert(ctx, d)
}

func (c *countingCollection) Find(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	c.db.reads.Add(1)
	return c.Collection.Find(ctx, q)
}
