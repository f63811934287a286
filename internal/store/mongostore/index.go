package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// indexWithin bounds the opening of a collection, most of all the building
	// of an index over documents that are there already.
	indexWithin = 2 * time.Minute
	// tidyAfter is how long after its time an expired document may be removed
	// by the server, whose clock is another one. Readers do not see it then.
	tidyAfter = time.Hour
	// What our indexes are for begins their names, the field follows.
	uniqueIndex = "ccms_unique_"
	orderIndex  = "ccms_order_"
	expiryIndex = "ccms_expires_"
)

// The server's codes for what is not there, which is what we want to drop or
// list.
const (
	namespaceNotFound = 26
	indexNotFound     = 27
)

// indexes are those of the Spec, by name.
func (c *collection) indexes() map[string]mongo.IndexModel {
	all := map[string]mongo.IndexModel{}
	add := func(name string, keys bson.D, o *options.IndexOptionsBuilder) {
		all[name] = mongo.IndexModel{Keys: keys, Options: o.SetName(name)}
	}
	for _, f := range c.spec.Unique {
		add(uniqueIndex+f, bson.D{{Key: f, Value: 1}}, options.Index().SetUnique(true).SetSparse(true))
	}
	for _, f := range slices.Concat(c.spec.Ordered, c.spec.Sparse) {
		add(orderIndex+f, bson.D{{Key: f, Value: 1}, {Key: "_id", Value: 1}}, options.Index())
	}
	if f := c.spec.Expires; f != "" {
		add(expiryIndex+f, bson.D{{Key: f, Value: 1}}, options.Index().SetExpireAfterSeconds(int32(tidyAfter/time.Second)))
	}
	return all
}

// prepare makes the indexes that are missing, and drops those of an older Spec
// that would still refuse or remove documents. One that only orders stays:
// processes of the older program may run on it.
func (c *collection) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexWithin)
	defer cancel()
	missing := c.indexes()
	have, err := c.docs.Indexes().ListSpecifications(ctx)
	if err != nil && !hasCode(err, namespaceNotFound) {
		return failed(ctx, err)
	}
	for _, index := range have {
		if _, ok := missing[index.Name]; ok {
			delete(missing, index.Name)
		} else if strings.HasPrefix(index.Name, uniqueIndex) || strings.HasPrefix(index.Name, expiryIndex) {
			if err := c.docs.Indexes().DropOne(ctx, index.Name); err != nil && !hasCode(err, indexNotFound) {
				return failed(ctx, err)
			}
		}
	}
	return c.create(ctx, missing)
}

// create makes indexes. What older documents have that a unique index would
// mind, though the contract does not, is removed before: nulls, and whatever
// has expired.
func (c *collection) create(ctx context.Context, missing map[string]mongo.IndexModel) error {
	for _, f := range c.spec.Unique {
		if _, ok := missing[uniqueIndex+f]; !ok {
			continue
		}
		null, unset := bson.D{{Key: f, Value: bson.D{{Key: "$type", Value: "null"}}}}, bson.D{{Key: "$unset", Value: bson.D{{Key: f, Value: ""}}}}
		if _, err := c.docs.UpdateMany(ctx, null, unset); err != nil {
			return failed(ctx, err)
		}
		if c.spec.Expires == "" {
			continue
		}
		if _, err := c.docs.DeleteMany(ctx, bson.D{{Key: c.spec.Expires, Value: c.past()}}); err != nil {
			return failed(ctx, err)
		}
	}
	for name, index := range missing {
		_, err := c.docs.Indexes().CreateOne(ctx, index)
		if mongo.IsDuplicateKeyError(err) { // its text would hold the value
			return fmt.Errorf("mongodb: index %s: several documents share a value", name)
		}
		if err != nil {
			return failed(ctx, err)
		}
	}
	return nil
}

func hasCode(err error, code int) bool {
	e, ok := errors.AsType[mongo.ServerError](err)
	return ok && slices.Contains(e.ErrorCodes(), code)
}
