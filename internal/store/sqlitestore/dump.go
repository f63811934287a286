package sqlitestore

import (
	"context"
	"iter"
	"slices"

	"github.com/go-json-experiment/json"

	"ccms/internal/store"
)

// Dump implements store.Dumper.
func (db *DB) Dump(ctx context.Context, collections ...string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		names, err := db.tables(ctx)
		names = slices.DeleteFunc(names, func(n string) bool { return len(collections) > 0 && !slices.Contains(collections, n) })
		for i := 0; i < len(names) && err == nil; i++ {
			var c *collection
			if c, err = newCollection(db, store.Spec{Name: names[i]}); err != nil {
				break
			}
			for d, err := range c.Find(ctx, store.Query{}) { // nothing expires there
				if !yield(store.Stored{Collection: names[i], Doc: d}, err) || err != nil {
					return
				}
			}
		}
		if err != nil {
			yield(store.Stored{}, err)
		}
	}
}

// tables names the collections there are.
func (db *DB) tables(ctx context.Context) (names []string, err error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	const query = "SELECT json_group_array(name ORDER BY name) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	var list []byte
	if err := db.readers.QueryRowContext(ctx, query).Scan(&list); err != nil {
		return nil, unread(ctx, err)
	}
	return names, json.Unmarshal(list, &names)
}
