package sqlitestore

import (
	"context"
	"database/sql"
	"iter"
	"slices"

	"ccms/internal/store"
)

// dumpRows is how many documents Dump reads at once, so that it holds up no
// connection and no write-ahead log while its caller works.
const dumpRows = 128

// Dump implements store.Dumper.
func (db *DB) Dump(ctx context.Context, collections ...string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		if err := db.dump(ctx, collections, yield); err != nil {
			yield(store.Stored{}, err)
		}
	}
}

// dump returns nil also when the caller has had enough.
func (db *DB) dump(ctx context.Context, wanted []string, yield func(store.Stored, error) bool) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	tables, err := readRows(ctx, db, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return err
	}
	for _, table := range tables {
		if len(wanted) > 0 && !slices.Contains(wanted, table) {
			continue
		}
		last := ""
		for more := true; more; {
			docs, err := readRows(ctx, db, func(rows *sql.Rows) (d store.Doc, err error) {
				return d, rows.Scan(&d.ID, &d.Rev, (*[]byte)(&d.Body))
			}, "SELECT id, rev, doc FROM "+quote(table)+" WHERE id > ? ORDER BY id LIMIT ?", last, dumpRows)
			if err != nil {
				return err
			}
			for _, d := range docs {
				last = d.ID
				if !yield(store.Stored{Collection: table, Doc: d}, nil) {
					return nil
				}
			}
			more = len(docs) == dumpRows
		}
	}
	return nil
}

// readRows reads a short result at once, in one of the slots for readers.
func readRows[T any](ctx context.Context, db *DB, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	release, err := db.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := db.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, unread(ctx, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, unread(ctx, err)
		}
		all = append(all, v)
	}
	return all, unread(ctx, rows.Err())
}
