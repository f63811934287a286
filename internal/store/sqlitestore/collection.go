package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
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
	cache  *cache

	insert, replace, remove, evict, revision, get string
}

func newCollection(db *DB, s store.Spec) (*collection, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	c := &collection{db: db, spec: s, fields: s.Fields(), table: quote(s.Name), cache: newCache()}
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
		same := []string{"id = ?"}
		for _, f := range s.Unique {
			same = append(same, column(f)+" = ?")
		}
		c.evict = fmt.Sprintf("DELETE FROM %s WHERE %s <= ? AND (%s)",
			c.table, column(s.Expires), strings.Join(same, " OR "))
	}
	return c, nil
}

func (c *collection) same(other *collection) bool {
	return c.spec.Expires == other.spec.Expires && maps.Equal(c.indexes(), other.indexes())
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

// change is one write with everything extracted from its document.
type change struct {
	store.Doc
	keys []any // as SQLite stores them, in the order of fields
	now  int64 // one moment for all statements of the change
}

// Insert implements store.Collection.
func (c *collection) Insert(ctx context.Context, d store.Doc) error {
	return c.write(ctx, d, func(w *writer, ch change) error {
		args := slices.Concat([]any{ch.ID, []byte(ch.Body)}, ch.keys)
		n, err := w.change(c.insert, args...)
		if err != nil || n > 0 {
			return err
		}
		return c.pastExpired(w, ch, c.insert, args)
	})
}

// Replace implements store.Collection.
func (c *collection) Replace(ctx context.Context, d store.Doc) error {
	return c.write(ctx, d, func(w *writer, ch change) error {
		args := slices.Concat([]any{[]byte(ch.Body)}, ch.keys, []any{ch.ID, ch.Rev, ch.now})
		n, err := w.change(c.replace, args...)
		if err != nil || n > 0 {
			return err
		}
		n, err = w.count(c.revision, ch.ID, ch.Rev, ch.now)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrStale
		}
		return c.pastExpired(w, ch, c.replace, args)
	})
}

// Delete implements store.Collection.
func (c *collection) Delete(ctx context.Context, id string, rev int64) error {
	if err := c.db.enter(); err != nil {
		return err
	}
	defer c.db.leave()
	return c.db.writer.do(ctx, job{of: c.cache, id: id, apply: func(w *writer) error {
		n, err := w.change(c.remove, id, rev, c.now())
		if err == nil && n == 0 {
			return store.ErrStale
		}
		return err
	}})
}

// write checks d in the caller's goroutine and applies it in the writer's,
// which may be later than the caller's return: so it works on a copy.
func (c *collection) write(ctx context.Context, d store.Doc, apply func(*writer, change) error) error {
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
	d.Body = bytes.Clone(d.Body)
	return c.db.writer.do(ctx, job{of: c.cache, id: d.ID, size: len(d.Body), apply: func(w *writer) error {
		return apply(w, change{Doc: d, keys: keys, now: c.now()})
	}})
}

// pastExpired is for a statement that changed nothing because another document
// has the id or a unique key. If that one has expired it is removed and the
// statement runs again; a live one is ErrExists.
func (c *collection) pastExpired(w *writer, ch change, statement string, args []any) error {
	if c.evict == "" {
		return store.ErrExists
	}
	same := []any{ch.now, ch.ID}
	for _, f := range c.spec.Unique {
		same = append(same, ch.keys[slices.Index(c.fields, f)])
	}
	n, err := w.change(c.evict, same...)
	if err == nil && n > 0 {
		n, err = w.change(statement, args...)
	}
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// Get implements store.Collection. The body it returns is shared and must not
// be changed.
func (c *collection) Get(ctx context.Context, id string) (store.Doc, error) {
	if err := c.db.enter(); err != nil {
		return store.Doc{}, err
	}
	defer c.db.leave()
	if err := ctx.Err(); err != nil {
		return store.Doc{}, err
	}
	d, seen, ok := c.cache.get(id, c.db.cfg.Now())
	if ok {
		return d, nil
	}
	d, err := c.read(ctx, id)
	if err != nil {
		return store.Doc{}, err
	}
	v := cached{doc: d}
	if c.spec.Expires != "" {
		key, err := store.Key(d.Body, c.spec.Expires)
		if err != nil {
			return d, nil // written under another Spec: not worth remembering
		}
		v.expires, _ = key.(time.Time)
	}
	c.cache.put(v, seen)
	return d, nil
}

// read asks SQLite for a document.
func (c *collection) read(ctx context.Context, id string) (store.Doc, error) {
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
		return store.Doc{}, unread(ctx, err)
	}
	return d, nil
}
