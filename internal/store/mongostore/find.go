package mongostore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"ccms/internal/store"
)

// Find asks for pages, the first small, since most results are, and none much
// larger than pageBytes.
const (
	firstPage = 128
	lastPage  = 1024
	pageBytes = 4 << 20
)

// Find implements store.Collection. Each page is a query of its own behind the
// last document of the one before, so no cursor stays open while the caller
// works, none dies with its server, and a document that nobody touches is
// neither skipped nor repeated.
func (c *collection) Find(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := c.find(ctx, q, yield); err != nil {
			yield(store.Doc{}, err)
		}
	}
}

// find returns nil also when the caller has had enough.
func (c *collection) find(ctx context.Context, q store.Query, yield func(store.Doc, error) bool) error {
	if err := c.db.enter(ctx); err != nil {
		return err
	}
	defer c.db.leave()
	w := walk{order: q.Order, desc: q.Desc}
	if err := c.check(q, &w); err != nil {
		return err
	}
	seen := map[string]bool{} // one whose key grew meanwhile would come again
	parts := w.behind(q.After)
	for found, size := 0, firstPage; len(parts) > 0; size = min(2*size, lastPage) {
		if q.Limit > 0 {
			size = min(size, q.Limit-found)
		}
		docs, more, err := c.page(ctx, c.filter(q.Where, parts[0]), w.sort(), size)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if err := ctx.Err(); err != nil {
				return err
			}
			if seen[d.ID] {
				continue
			}
			if w.order != "_id" {
				seen[d.ID] = true
			}
			if found++; !yield(d, nil) || found == q.Limit {
				return nil
			}
		}
		if parts = parts[1:]; more {
			last, err := w.position(docs[len(docs)-1])
			if err != nil {
				return err
			}
			parts = w.behind(last)
		}
	}
	return nil
}

// page reads at most size documents, fewer when they are large. more says that
// there may be others.
func (c *collection) page(ctx context.Context, filter, sort bson.D, size int) (docs []store.Doc, more bool, err error) {
	// A batch larger than the limit makes the server close its cursor at once.
	opts := options.Find().SetSort(sort).SetLimit(int64(size)).SetBatchSize(int32(size + 1))
	cursor, err := c.docs.Find(ctx, filter, opts)
	if err != nil {
		return nil, false, failed(ctx, err)
	}
	defer cursor.Close(ctx)
	for read := 0; read < pageBytes && cursor.Next(ctx); read += len(cursor.Current) {
		d, err := decode(cursor.Current)
		if err != nil {
			return nil, false, err
		}
		docs = append(docs, d)
	}
	if err := cursor.Err(); err != nil {
		return nil, false, failed(ctx, err)
	}
	return docs, len(docs) == size || cursor.RemainingBatchLength() > 0 || cursor.ID() != 0, nil
}

// check refuses what is no query, and completes the order.
func (c *collection) check(q store.Query, w *walk) error {
	if w.order == "" {
		w.order = "_id"
	}
	if err := c.known(w.order); err != nil {
		return err
	}
	for _, cond := range q.Where {
		if err := c.known(cond.Field); err != nil {
			return err
		}
		if operator(cond.Op) == "" {
			return fmt.Errorf("store: unknown comparison %q", cond.Op)
		}
		if err := checkValue(cond.Value); err != nil {
			return err
		}
	}
	if q.After != nil && q.After.Value != nil && w.order != "_id" {
		return checkValue(q.After.Value)
	}
	return nil
}

func (c *collection) known(field string) error {
	if field == "_id" || slices.Contains(c.fields, field) {
		return nil
	}
	return fmt.Errorf("store: collection %s: %q is not a key of its Spec", c.spec.Name, field)
}

// checkValue refuses what is not a key (see store.Key).
func checkValue(v any) error {
	switch v.(type) {
	case string, int64, time.Time:
		return nil
	}
	return fmt.Errorf("store: a query cannot compare with a %T", v)
}

func operator(op store.Op) string {
	switch op {
	case store.Eq:
		return "$eq"
	case store.Lt:
		return "$lt"
	case store.Le:
		return "$lte"
	case store.Gt:
		return "$gt"
	case store.Ge:
		return "$gte"
	}
	return ""
}

// filter is all that must hold of a page's documents.
func (c *collection) filter(where []store.Cond, part bson.D) bson.D {
	all := bson.A{}
	for _, cond := range where {
		all = append(all, compare(cond.Field, operator(cond.Op), cond.Value))
	}
	for _, f := range []bson.D{c.live(nil), part} {
		if len(f) > 0 {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return bson.D{}
	}
	return bson.D{{Key: "$and", Value: all}}
}

func compare(field, operator string, value any) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: operator, Value: value}}}}
}

// walk is the way through a collection in one order.
type walk struct {
	order string
	desc  bool
}

func (w walk) sort() bson.D {
	direction := 1
	if w.desc {
		direction = -1
	}
	if w.order == "_id" {
		return bson.D{{Key: "_id", Value: direction}}
	}
	return bson.D{{Key: w.order, Value: direction}, {Key: "_id", Value: direction}}
}

func (w walk) position(d store.Doc) (*store.Position, error) {
	if w.order == "_id" {
		return &store.Position{ID: d.ID}, nil
	}
	v, err := store.Key(d.Body, w.order)
	return &store.Position{Value: v, ID: d.ID}, err
}

// behind returns the stretches of the order after p, in order. Each is one
// range of an index; an $or of them would make the server sort. Documents
// without the field are the first in rising order.
func (w walk) behind(p *store.Position) []bson.D {
	next := "$gt"
	if w.desc {
		next = "$lt"
	}
	switch {
	case p == nil:
		return []bson.D{nil}
	case w.order == "_id":
		return []bson.D{compare("_id", next, p.ID)}
	}
	ties := append(compare(w.order, "$eq", p.Value), compare("_id", next, p.ID)...)
	switch none := compare(w.order, "$eq", nil); {
	case p.Value == nil && w.desc:
		return []bson.D{ties}
	case p.Value == nil:
		return []bson.D{ties, compare(w.order, "$ne", nil)}
	case w.desc:
		return []bson.D{ties, compare(w.order, next, p.Value), none}
	}
	return []bson.D{ties, compare(w.order, next, p.Value)}
}
