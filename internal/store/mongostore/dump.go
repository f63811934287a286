package mongostore

import (
	"context"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// Dump implements store.Dumper.
func (db *DB) Dump(ctx context.Context, collections ...string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		if err := db.dump(ctx, collections, yield); err != nil {
			yield(store.Stored{}, err)
		}
	}
}

// dump returns nil also when the caller has had enough. It reads in pages, as
// Find does.
func (db *DB) dump(ctx context.Context, wanted []string, yield func(store.Stored, error) bool) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.leave()
	names, err := db.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return failed(ctx, err)
	}
	slices.Sort(names)
	order := bson.D{{Key: "_id", Value: 1}}
	for _, name := range names {
		if len(wanted) > 0 && !slices.Contains(wanted, name) {
			continue
		}
		c := &collection{db: db, docs: db.db.Collection(name)}
		filter := bson.D{}
		for more := true; more; {
			var docs []store.Doc
			if docs, more, err = c.page(ctx, filter, order, firstPage); err != nil {
				return err
			}
			for _, d := range docs {
				filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: d.ID}}}}
				if !yield(store.Stored{Collection: name, Doc: d}, nil) {
					return nil
				}
			}
		}
	}
	return nil
}
