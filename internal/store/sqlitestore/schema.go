package sqlitestore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// backfillRows is how many old documents migrate looks at in one query.
const backfillRows = 200

// migrate makes the table and its key columns and indexes exactly those of the
// Spec. Columns that no key needs any more go: left there, they would miss the
// documents written meanwhile, should the key come back.
func (c *collection) migrate(w *writer) error {
	if err := c.createTable(w); err != nil {
		return err
	}
	if err := c.dropIndexes(w); err != nil {
		return err
	}
	missing, err := c.alignColumns(w)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := c.backfill(w, missing); err != nil {
			return err
		}
	}
	return c.createIndexes(w)
}

// createTable refuses a name that differs from another only in case, which
// SQLite cannot tell apart.
func (c *collection) createTable(w *writer) error {
	names, err := w.texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", c.spec.Name)
	if err != nil {
		return err
	}
	if len(names) > 0 && names[0] != c.spec.Name {
		return fmt.Errorf("there is a collection %s already", names[0])
	}
	if len(names) > 0 {
		return nil
	}
	return w.once(fmt.Sprintf("CREATE TABLE %s (id TEXT PRIMARY KEY NOT NULL, rev INTEGER NOT NULL, doc BLOB NOT NULL) STRICT", c.table))
}

// indexes returns the definitions of the indexes the Spec asks for, by name.
func (c *collection) indexes() map[string]string {
	defs := map[string]string{}
	add := func(kind, create string, fields ...string) {
		for _, f := range fields {
			name := c.spec.Name + "." + f + " " + kind
			defs[name] = fmt.Sprintf(create, quote(name), c.table, column(f))
		}
	}
	const ordered = "CREATE INDEX %s ON %s (%s, id)"
	add("unique", "CREATE UNIQUE INDEX %s ON %s (%s)", c.spec.Unique...)
	add("ordered", ordered, c.spec.Ordered...)
	add("sparse", ordered+" WHERE %[3]s IS NOT NULL", c.spec.Sparse...)
	if c.spec.Expires != "" {
		add("ordered", ordered, c.spec.Expires)
	}
	return defs
}

func (c *collection) existing(w *writer) ([]string, error) {
	return w.texts("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?", c.spec.Name)
}

func (c *collection) dropIndexes(w *writer) error {
	names, err := c.existing(w)
	if err != nil {
		return err
	}
	wanted := c.indexes()
	for _, name := range names {
		if _, ok := wanted[name]; ok {
			continue
		}
		if err := w.once("DROP INDEX " + quote(name)); err != nil {
			return err
		}
	}
	return nil
}

// alignColumns returns the fields whose columns it added.
func (c *collection) alignColumns(w *writer) (missing []string, err error) {
	names, err := w.texts("SELECT name FROM pragma_table_info(?)", c.spec.Name)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		field, key := strings.CutPrefix(name, ".")
		if !key || slices.Contains(c.fields, field) {
			continue
		}
		if err := w.once(fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", c.table, quote(name))); err != nil {
			return nil, err
		}
	}
	for _, f := range c.fields {
		if slices.Contains(names, "."+f) {
			continue
		}
		// ANY keeps the value as it is: SQLite converts nothing.
		if err := w.once(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s ANY", c.table, column(f))); err != nil {
			return nil, err
		}
		missing = append(missing, f)
	}
	return missing, nil
}

// backfill extracts the keys of documents written under an older Spec.
func (c *collection) backfill(w *writer, fields []string) error {
	sets := make([]string, len(fields))
	for i, f := range fields {
		sets[i] = column(f) + " = ?"
	}
	update := fmt.Sprintf("UPDATE %s SET %s WHERE rowid = ?", c.table, strings.Join(sets, ", "))
	for last := int64(-1 << 63); ; {
		ids, bodies, err := c.page(w, last)
		if err != nil || len(ids) == 0 {
			return err
		}
		for i, body := range bodies {
			args := make([]any, 0, len(fields)+1)
			for _, f := range fields {
				v, err := store.Key(body, f)
				if err != nil {
					return fmt.Errorf("field %s of a stored document: %w", f, err)
				}
				args = append(args, argument(v))
			}
			if err := w.exec(update, append(args, ids[i])...); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}

// page returns the next documents behind rowid last.
func (c *collection) page(w *writer, last int64) (ids []int64, bodies []bson.Raw, err error) {
	rows, err := w.conn.QueryContext(context.Background(),
		fmt.Sprintf("SELECT rowid, doc FROM %s WHERE rowid > ? ORDER BY rowid LIMIT %d", c.table, backfillRows), last)
	if err != nil {
		return nil, nil, failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, nil, failed(err)
		}
		ids, bodies = append(ids, id), append(bodies, body)
	}
	return ids, bodies, failed(rows.Err())
}

// createIndexes makes what is missing. Documents that have expired do not
// stand in the way of a unique one.
func (c *collection) createIndexes(w *writer) error {
	names, err := c.existing(w)
	if err != nil {
		return err
	}
	if c.spec.Expires != "" {
		if err := w.exec(fmt.Sprintf("DELETE FROM %s WHERE %s <= ?", c.table, column(c.spec.Expires)), c.now()); err != nil {
			return err
		}
	}
	for name, create := range c.indexes() {
		if slices.Contains(names, name) {
			continue
		}
		if err := w.once(create); err != nil {
			return fmt.Errorf("index %s: %w", name, err)
		}
	}
	return nil
}

// once runs a statement that is not worth keeping prepared.
func (w *writer) once(text string) error {
	_, err := w.conn.ExecContext(context.Background(), text)
	return failed(err)
}

// texts returns the one column of a query.
func (w *writer) texts(query string, args ...any) (all []string, err error) {
	rows, err := w.conn.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, failed(err)
		}
		all = append(all, s)
	}
	return all, failed(rows.Err())
}
