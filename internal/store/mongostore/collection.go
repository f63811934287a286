package mongostore

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"ccms/internal/store"
)

// collection is one collection of the database.
type collection struct {
	db     *DB
	spec   store.Spec
	fields []string
	docs   *mongo.Collection
}

func (c *collection) same(other *collection) bool {
	return slices.Equal(c.spec.Unique, other.spec.Unique) &&
		slices.Equal(c.spec.Ordered, other.spec.Ordered) && slices.Equal(c.spec.Sparse, other.spec.Sparse) &&
		c.spec.Expires == other.spec.Expires
}

// live adds to filter that the document has not expired.
func (c *collection) live(filter bson.D) bson.D {
	if c.spec.Expires == "" {
		return filter
	}
	return append(filter, bson.E{Key: c.spec.Expires, Value: bson.D{{Key: "$not", Value: c.past()}}})
}

// past matches an expiry whose time has come.
func (c *collection) past() bson.D { return bson.D{{Key: "$lte", Value: c.db.cfg.Now()}} }

// revision matches the live document with this id and revision.
func (c *collection) revision(id string, rev int64) bson.D {
	return c.live(bson.D{{Key: "_id", Value: id}, {Key: "rev", Value: rev}})
}

// Insert implements store.Collection.
func (c *collection) Insert(ctx context.Context, d store.Doc) error {
	d.Rev = 1
	return c.write(ctx, d, func(doc bson.Raw) error {
		_, err := c.docs.InsertOne(ctx, doc)
		return err
	})
}

// Replace implements store.Collection.
func (c *collection) Replace(ctx context.Context, d store.Doc) error {
	old := d.Rev
	d.Rev++
	return c.write(ctx, d, func(doc bson.Raw) error {
		r, err := c.docs.ReplaceOne(ctx, c.revision(d.ID, old), doc)
		if err == nil && r.MatchedCount == 0 {
			return store.ErrStale
		}
		return err
	})
}

// Delete implements store.Collection.
func (c *collection) Delete(ctx context.Context, id string, rev int64) error {
	if err := c.db.enter(ctx); err != nil {
		return err
	}
	defer c.db.leave()
	r, err := c.docs.DeleteOne(ctx, c.revision(id, rev))
	if err == nil && r.DeletedCount == 0 {
		return store.ErrStale
	}
	return failed(ctx, err)
}

// write does one write of d. Where another document is in the way, those that
// have expired are removed and it is done again, also when there were none:
// somebody else may just have removed them.
func (c *collection) write(ctx context.Context, d store.Doc, do func(bson.Raw) error) error {
	if err := c.db.enter(ctx); err != nil {
		return err
	}
	defer c.db.leave()
	keys, err := c.spec.Keys(d)
	if err != nil {
		return err
	}
	body, err := sparse(d.Body, c.spec.Unique)
	if err != nil {
		return err
	}
	doc := encode(d.ID, d.Rev, body)
	for again := c.spec.Expires != ""; ; again = false {
		err := do(doc)
		switch {
		case errors.Is(err, store.ErrStale):
			return err
		case !mongo.IsDuplicateKeyError(err):
			return failed(ctx, err)
		case !again:
			return store.ErrExists
		}
		if err := c.evict(ctx, d.ID, keys); err != nil {
			return err
		}
	}
}

// evict removes expired documents with this id or one of these unique keys.
func (c *collection) evict(ctx context.Context, id string, keys []any) error {
	same := bson.A{bson.D{{Key: "_id", Value: id}}}
	for _, f := range c.spec.Unique {
		if v := keys[slices.Index(c.fields, f)]; v != nil {
			same = append(same, bson.D{{Key: f, Value: v}})
		}
	}
	_, err := c.docs.DeleteMany(ctx, bson.D{{Key: c.spec.Expires, Value: c.past()}, {Key: "$or", Value: same}})
	return failed(ctx, err)
}

// Get implements store.Collection.
func (c *collection) Get(ctx context.Context, id string) (store.Doc, error) {
	if err := c.db.enter(ctx); err != nil {
		return store.Doc{}, err
	}
	defer c.db.leave()
	stored, err := c.docs.FindOne(ctx, c.live(bson.D{{Key: "_id", Value: id}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Doc{}, store.ErrNotFound
	}
	if err != nil {
		return store.Doc{}, failed(ctx, err)
	}
	return decode(stored)
}
