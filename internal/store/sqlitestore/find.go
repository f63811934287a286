package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"ccms/internal/store"
)

// Find reads this much before it yields the first document. Most results are
// shorter; they are off SQLite's hands before the caller looks at them.
const (
	firstDocs  = 128
	firstBytes = 1 << 20
)

// Find implements store.Collection. A long result keeps a snapshot and a
// connection of its own until the iteration ends; so long the write-ahead log
// cannot start anew and grows.
func (c *collection) Find(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := c.find(ctx, q, yield); err != nil {
			yield(store.Doc{}, err)
		}
	}
}

// find returns nil also when the caller has had enough.
func (c *collection) find(ctx context.Context, q store.Query, yield func(store.Doc, error) bool) error {
	if err := c.db.enter(); err != nil {
		return err
	}
	defer c.db.leave()
	text, args, err := c.query(q)
	if err != nil {
		return err
	}
	s, err := c.db.statement(ctx, text)
	if err != nil {
		return err
	}
	first, rows, err := c.start(ctx, s, args)
	if err != nil {
		return err
	}
	if rows != nil {
		defer rows.Close()
	}
	for _, d := range first {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !yield(d, nil) {
			return nil
		}
	}
	if rows == nil {
		return nil
	}
	for rows.Next() {
		d, err := scan(ctx, rows)
		if err != nil {
			return err
		}
		if !yield(d, nil) {
			return nil
		}
	}
	return unread(ctx, rows.Err())
}

// start reads the beginning of a result in one of the slots for readers. The
// slot is free again before the caller gets a document, so that a caller may
// read within its iteration. rows is nil when there is no more.
func (c *collection) start(ctx context.Context, s *sql.Stmt, args []any) ([]store.Doc, *sql.Rows, error) {
	release, err := c.db.slot(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, nil, unread(ctx, err)
	}
	var first []store.Doc
	for size := 0; rows.Next(); {
		d, err := scan(ctx, rows)
		if err != nil {
			rows.Close()
			return nil, nil, err
		}
		first, size = append(first, d), size+len(d.Body)
		if len(first) == firstDocs || size > firstBytes {
			return first, rows, nil
		}
	}
	rows.Close()
	return first, nil, unread(ctx, rows.Err())
}

func scan(ctx context.Context, rows *sql.Rows) (d store.Doc, err error) {
	var order any
	err = rows.Scan(&d.ID, &d.Rev, (*[]byte)(&d.Body), &order)
	return d, unread(ctx, err)
}

// unread names an error of a read. When the context has ended, database/sql
// and SQLite report that in words of their own, such as closed rows.
func unread(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return failed(err)
}

func failed(err error) error {
	if err != nil {
		err = fmt.Errorf("sqlite: %w", err)
	}
	return err
}

// query writes q as SQL. Each part of the order behind q.After is a SELECT of
// its own, which SQLite merges, because an OR would cost it the index.
func (c *collection) query(q store.Query) (string, []any, error) {
	order := "id"
	if q.Order != "" && q.Order != "_id" {
		if !slices.Contains(c.fields, q.Order) {
			return "", nil, c.unknown(q.Order)
		}
		order = column(q.Order)
	}
	where, args, err := c.conditions(q.Where)
	if err != nil {
		return "", nil, err
	}
	parts, err := behind(order, q)
	if err != nil {
		return "", nil, err
	}
	var selects []string
	var all []any
	for _, p := range parts {
		selects = append(selects, fmt.Sprintf("SELECT id, rev, doc, %s FROM %s WHERE %s AND %s", order, c.table, where, p.where))
		all = slices.Concat(all, args, p.args)
	}
	direction := ""
	if q.Desc {
		direction = " DESC"
	}
	text := strings.Join(selects, " UNION ALL ") + " ORDER BY "
	if order != "id" { // naming the id twice would make SQLite sort
		text += "4" + direction + ", "
	}
	text += "1" + direction
	if q.Limit > 0 {
		text, all = text+" LIMIT ?", append(all, q.Limit)
	}
	return text, all, nil
}

func (c *collection) conditions(where []store.Cond) (string, []any, error) {
	text, args := c.live(), []any{c.now()}
	for _, w := range where {
		name := "id"
		if w.Field != "_id" {
			name = column(w.Field)
			if !slices.Contains(c.fields, w.Field) {
				return "", nil, c.unknown(w.Field)
			}
		}
		switch w.Op {
		case store.Eq, store.Lt, store.Le, store.Gt, store.Ge:
			text += fmt.Sprintf(" AND %s %s ?", name, w.Op)
		default:
			return "", nil, fmt.Errorf("store: unknown comparison %q", w.Op)
		}
		if err := checkValue(w.Value); err != nil {
			return "", nil, err
		}
		args = append(args, argument(w.Value))
	}
	return text, args, nil
}

func (c *collection) unknown(field string) error {
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

// part is a stretch of the order.
type part struct {
	where string
	args  []any
}

// behind returns the stretches after q.After. Documents without the field are
// the first in rising order and the last in falling order, as in MongoDB.
func behind(order string, q store.Query) ([]part, error) {
	compare := ">"
	if q.Desc {
		compare = "<"
	}
	switch {
	case q.After == nil:
		return []part{{where: "1"}}, nil
	case order == "id":
		return []part{{"id " + compare + " ?", []any{q.After.ID}}}, nil
	case q.After.Value == nil:
		parts := []part{{order + " IS NULL AND id " + compare + " ?", []any{q.After.ID}}}
		if !q.Desc {
			parts = append(parts, part{where: order + " IS NOT NULL"})
		}
		return parts, nil
	}
	if err := checkValue(q.After.Value); err != nil {
		return nil, err
	}
	parts := []part{{
		fmt.Sprintf("(%s, id) %s (?, ?)", order, compare),
		[]any{argument(q.After.Value), q.After.ID},
	}}
	if q.Desc {
		parts = append(parts, part{where: order + " IS NULL"})
	}
	return parts, nil
}
