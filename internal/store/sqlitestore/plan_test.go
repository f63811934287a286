package sqlitestore

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ccms/internal/store"
)

// TestQueriesUseTheIndexes keeps a page cheap however large the collection is:
// SQLite must search or walk an index, and must not sort.
func TestQueriesUseTheIndexes(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	opened, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Unique: []string{"email"}, Ordered: []string{"owner", "n"}, Sparse: []string{"why", "left"}, Expires: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*collection)
	where := func(field string, op store.Op, v any) []store.Cond {
		return []store.Cond{{Field: field, Op: op, Value: v}}
	}
	for name, q := range map[string]store.Query{
		"all by id":                         {},
		"a page by id":                      {After: &store.Position{ID: "x"}, Limit: 10},
		"a page by a key":                   {Order: "n", After: &store.Position{Value: int64(1), ID: "x"}, Limit: 10},
		"a page by a key, falling":          {Order: "n", Desc: true, After: &store.Position{Value: int64(1), ID: "x"}, Limit: 10},
		"a page after documents without it": {Order: "n", After: &store.Position{ID: "x"}, Limit: 10},
		"one document by its unique key":    {Where: where("email", store.Eq, "x"), Limit: 1},
		"documents of an owner by id":       {Where: where("owner", store.Eq, "x")},
		"documents of an owner, falling":    {Where: where("owner", store.Eq, "x"), Desc: true, Limit: 10},
		"a page of an owner":                {Where: where("owner", store.Eq, "x"), After: &store.Position{ID: "x"}},
		"a range in its order":              {Where: where("n", store.Ge, int64(7)), Order: "n"},
		"documents that have a rare field":  {Where: where("why", store.Eq, "x"), Order: "why", Desc: true, Limit: 10},
		"a page of those":                   {Where: where("why", store.Eq, "x"), Order: "why", Desc: true, After: &store.Position{Value: "x", ID: "y"}, Limit: 10},
		"those before a moment":             {Where: where("left", store.Le, time.Now()), Order: "left", Limit: 10},
		"what has not expired long":         {Where: where("gone", store.Lt, time.Now()), Order: "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			text, args, err := c.query(q)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := db.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				plan = append(plan, step)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(plan, "; ")
			if !strings.Contains(all, "USING INDEX") || strings.Contains(all, "TEMP B-TREE") {
				t.Errorf("plan: %s", all)
			}
		})
	}
}
