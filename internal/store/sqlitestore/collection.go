package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ccms/internal/store"
)

// collection is one table. Its statements are made once.
type collection struct {
	db     *DB
	spec   store.Spec
	fields []string // with a column each
	table  string   // quoted

	insert, replace, remove, evict, revision, get string
}

func newCollection(db *DB, s store.Spec) (*collection, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	c := &collection{db: db, spec: s, fields: s.Fields(), table: quote(s.Name)}
	columns, sets := "", ""
	for _, f := range c.fields {
		columns += ", " + column(f)
		sets += ", " + column(f) + " = ?"
	}
	live := c.live()
	c.insert = fmt.Sprintf("INSERT INTO %s (id, rev, doc%s) VALUES (?, 1, ?%s) ON CONFLICT DO NOTHING",
		c.table, columns, strings.Repeat(", ?", len(c.fields)))
	c.replace = fmt.Sprintf("UPDATE OR IGNORE %s SET rev = rev + 1, doc = ?%s WHERE id = ? AND rev = ? AND %s",
		c.table, sets, live)
	c.remove = fmt.Sprintf("DELETE FROM %s WHERE id = ? AND rev = ? AND %s", c.table, live)
	c.revision = fmt.Sprintf("SELECT count(*) FROM %s WHERE id = ? AND rev = ? AND %s", c.table, live)
	c.get = fmt.Sprintf("SELECT rev, doc FROM %s WHERE id = ? AND %s", c.table, live)
	if s.Expires != "" {
		same := "id = ?"
		for _, f := range s.Unique {
			same += " OR " + column(f) + " = ?"
		}
		c.evict = fmt.Sprintf("DELETE FROM %s WHERE %s <= ? AND (%s)", c.table, column(s.Expires), same)
	}
	return c, nil
}

func (c *collection) same(other *collection) bool {
	return slices.Equal(c.spec.Unique, other.spec.Unique) &&
		slices.Equal(c.spec.Ordered, other.spec.Ordered) && c.spec.Expires == other.spec.Expires
}

// live is the condition that a document has not expired; it always takes one
// argument, the time. coalesce keeps SQLite from walking the expiry's index
// where another serves better.
func (c *collection) live() string {
	if c.spec.Expires == "" {
		return "? IS NOT NULL"
	}
	return fmt.Sprintf("coalesce(%s > ?, 1)", column(c.spec.Expires))
}

func (c *collection) now() int64 { return c.db.cfg.Now().UnixMilli() }

// quote makes an SQL identifier of any name.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// column is the column of a key. The dot in front keeps it apart from id, rev
// and doc.
func column(field string) string { return quote("." + field) }

// argument is a key's value as SQLite stores it.
func argument(v any) any {
	if t, ok := v.(time.Time); ok {
		return t.UnixMilli()
	}
	return v
}

// Insert implements store.Collection.
func (c *collection) Insert(ctx context.Context, d store.Doc) error {
	return c.write(ctx, d, func(w *writer, keys []any, body []byte) error {
		return c.unlessTaken(w, d.ID, keys, func() (int64, error) {
			return w.change(c.insert, append([]any{d.ID, body}, keys...)...)
		})
	})
}

// Replace implements store.Collection.
func (c *collection) Replace(ctx context.Context, d store.Doc) error {
	return c.write(ctx, d, func(w *writer, keys []any, body []byte) error {
		args := append(append([]any{body}, keys...), d.ID, d.Rev, c.now())
		n, err := w.count(c.revision, d.ID, d.Rev, c.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrStale
		}
		return c.unlessTaken(w, d.ID, keys, func() (int64, error) {
			return w.change(c.replace, args...)
		})
	})
}

// Delete implements store.Collection.
func (c *collection) Delete(ctx context.Context, id string, rev int64) error {
	if err := c.db.enter(); err != nil {
		return err
	}
	defer c.db.leave()
	return c.db.writer.do(ctx, job{apply: func(w *writer) error {
		n, err := w.change(c.remove, id, rev, c.now())
		if err == nil && n == 0 {
			return store.ErrStale
		}
		return err
	}})
}

// write checks d in the caller's goroutine and applies it in the writer's,
// which may be later than the caller's return: so it works on a copy.
func (c *collection) write(ctx context.Context, d store.Doc, apply func(*writer, []any, []byte) error) error {
	if err := c.db.enter(); err != nil {
		return err
	}
	defer c.db.leave()
	keys, err := c.spec.Keys(d)
	if err != nil {
		return err
	}
	for i, k := range keys {
		keys[i] = argument(k)
	}
	body := bytes.Clone(d.Body)
	return c.db.writer.do(ctx, job{size: len(body), apply: func(w *writer) error {
		return apply(w, keys, body)
	}})
}

// unlessTaken runs change. When a document stands in its way that has expired,
// it removes that one and runs change again; a live one is ErrExists.
func (c *collection) unlessTaken(w *writer, id string, keys []any, change func() (int64, error)) error {
	n, err := change()
	if err != nil || n > 0 {
		return err
	}
	if c.evict != "" {
		args := []any{c.now(), id}
		for _, f := range c.spec.Unique {
			args = append(args, keys[slices.Index(c.fields, f)])
		}
		if n, err = w.change(c.evict, args...); err != nil {
			return err
		}
		if n > 0 {
			n, err = change()
		}
	}
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// Get implements store.Collection.
func (c *collection) Get(ctx context.Context, id string) (store.Doc, error) {
	if err := c.db.enter(); err != nil {
		return store.Doc{}, err
	}
	defer c.db.leave()
	s, err := c.db.statement(ctx, c.get)
	if err != nil {
		return store.Doc{}, err
	}
	release, err := c.db.slot(ctx)
	if err != nil {
		return store.Doc{}, err
	}
	defer release()
	d := store.Doc{ID: id}
	err = s.QueryRowContext(ctx, id, c.now()).Scan(&d.Rev, (*[]byte)(&d.Body))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.Doc{}, store.ErrNotFound
	case err != nil:
		return store.Doc{}, fmt.Errorf("sqlite: %w", err)
	}
	return d, nil
}
