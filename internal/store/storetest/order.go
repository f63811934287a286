package storetest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// sorted are values of each kind in the order of the contract.
var sorted = map[string][]any{
	"name": {"", "\x00", "\x00a", " ", "10", "9", "A", "B", "Z", "a", "a\x00", "a\x00b", "a ", "aa", "b", "z", "é", "ü", "中", "｡", last},
	"n":    {int64(math.MinInt64), int64(math.MinInt64 + 1), int64(-1), int64(0), int32(1), int64(2), int32(10), int64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64)},
	"at": {
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Unix(0, 0),
		time.Unix(0, 1e6), noon, noon.Add(time.Millisecond), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	},
	"owner.id": {"a", "b", "c"},
}

// last orders behind all other text by bytes, and not by UTF-16.
const last = "🂡"

// sorted are the values of a field, but for the one that a known deviation is
// about.
func (f *fixture) sorted(field string) []any {
	return slices.DeleteFunc(slices.Clone(sorted[field]), func(v any) bool {
		return v == last && slices.Contains(f.known, UTF16Order)
	})
}

func orderCases() []testCase {
	cases := []testCase{
		{"without an order documents come by id, by bytes", func(f *fixture) {
			want := []string{"10", "9", "A", "a", "a\x00", "b", "é", "｡"}
			f.insert(doc("é"), doc("b"), doc("A"), doc("a\x00"), doc("10"), doc("9"), doc("a"), doc("｡"))
			if !slices.Contains(f.known, UTF16Order) {
				f.insert(doc(last))
				want = append(want, last)
			}
			f.finds(store.Query{}, want...)
			slices.Reverse(want)
			f.finds(store.Query{Order: "_id", Desc: true}, want...)
		}},
		{"ties are ordered by id in the same direction", func(f *fixture) {
			f.insert(doc("c", "n", int64(1)), doc("a", "n", int64(1)), doc("b", "n", int64(1)), doc("d", "n", int64(0)))
			f.finds(store.Query{Order: "n"}, "d", "a", "b", "c")
			f.finds(store.Query{Order: "n", Desc: true}, "c", "b", "a", "d")
		}},
		{"documents without the order field come first, and last in falling order", func(f *fixture) {
			f.insert(doc("b", "n", int64(math.MinInt64)), doc("c"), doc("a", "n", nil))
			f.finds(store.Query{Order: "n"}, "a", "c", "b")
			f.finds(store.Query{Order: "n", Desc: true}, "b", "c", "a")
		}},
		{"a unique key is an order too", func(f *fixture) {
			f.insert(doc("1", "email", "z"), doc("2", "email", "y"), doc("3"), doc("0"))
			f.finds(store.Query{Order: "email"}, "0", "3", "2", "1")
		}},
		{"the expiry is an order too", func(f *fixture) {
			f.insert(doc("1", "gone", noon.Add(2*time.Hour)), doc("2", "gone", noon.Add(time.Hour)))
			f.finds(store.Query{Order: "gone"}, "2", "1")
		}},
		{"a limit takes the first of the order", func(f *fixture) {
			f.insert(doc("a", "n", int64(3)), doc("b", "n", int64(1)), doc("c", "n", int64(2)))
			f.finds(store.Query{Order: "n", Limit: 2}, "b", "c")
			f.finds(store.Query{Order: "n", Desc: true, Limit: 1}, "a")
			f.finds(store.Query{Order: "n", Limit: 9}, "b", "c", "a")
		}},
		{"an order that is not a key is an error", func(f *fixture) {
			_, err := ids(f.Context(), f.c, store.Query{Order: "colour"})
			f.refused(err)
		}},
		{"an order follows what Replace changed", func(f *fixture) {
			f.insert(doc("a", "n", int64(1)), doc("b", "n", int64(2)))
			f.replace(doc("a", "n", int64(3)))
			f.finds(store.Query{Order: "n"}, "b", "a")
		}},
	}
	for field, values := range sorted {
		cases = append(cases, testCase{fmt.Sprintf("%s orders %T values, both ways", field, values[0]), func(f *fixture) {
			want := insertShuffled(f, field, f.sorted(field))
			f.finds(store.Query{Order: field}, want...)
			slices.Reverse(want)
			f.finds(store.Query{Order: field, Desc: true}, want...)
		}})
	}
	return cases
}

// insertShuffled inserts one document for each value, not in order, and
// returns their ids in the order of the values.
func insertShuffled(f *fixture, field string, values []any) []string {
	f.Helper()
	want := make([]string, len(values))
	for i := range values {
		at := (i*7 + 3) % len(values) // 7 divides no length: each once
		if len(values)%7 == 0 {
			at = (i*5 + 3) % len(values)
		}
		want[at] = fmt.Sprintf("%c%d", 'z'-rune(at), at)
		f.insert(keyed(want[at], field, values[at]))
	}
	return want
}

// keyed makes a document with one key.
func keyed(id, field string, value any) store.Doc {
	if field == "owner.id" {
		return doc(id, "owner", bson.D{{Key: "id", Value: value}})
	}
	return doc(id, field, value)
}

func conditionCases() []testCase {
	cases := []testCase{
		{"a document without the field matches no comparison", func(f *fixture) {
			f.insert(doc("a"), doc("b", "n", nil), doc("c", "n", int64(0)))
			for _, op := range []store.Op{store.Lt, store.Le, store.Gt, store.Ge, store.Eq} {
				for _, id := range f.find(where("n", op, int64(0))) {
					if id != "c" {
						f.Fatalf("%s matches %s", op, id)
					}
				}
			}
		}},
		{"all conditions must hold", func(f *fixture) {
			f.insert(doc("a", "n", int64(1), "name", "x"), doc("b", "n", int64(2), "name", "x"), doc("c", "n", int64(2), "name", "y"))
			q := store.Query{Where: []store.Cond{{Field: "n", Op: store.Ge, Value: int64(2)}, {Field: "name", Op: store.Eq, Value: "x"}}}
			f.finds(q, "b")
		}},
		{"two conditions on one field make a range", func(f *fixture) {
			fill(f, 20)
			q := store.Query{Where: []store.Cond{{Field: "n", Op: store.Gt, Value: int64(4)}, {Field: "n", Op: store.Le, Value: int64(6)}}}
			f.finds(q, "000005", "000006")
		}},
		{"conditions, order and limit work together", func(f *fixture) {
			fill(f, 300)
			q := where("name", store.Eq, "0001")
			q.Order, q.Desc, q.Limit = "n", true, 2
			f.finds(q, "000199", "000198")
		}},
		{"a unique key finds its document", func(f *fixture) {
			f.insert(doc("a", "email", "x"), doc("b", "email", "y"))
			f.finds(where("email", store.Eq, "y"), "b")
			f.finds(where("email", store.Eq, "Y"))
		}},
		{"a key in an embedded document finds its document", func(f *fixture) {
			f.insert(keyed("a", "owner.id", "o1"), keyed("b", "owner.id", "o2"))
			f.finds(where("owner.id", store.Eq, "o2"), "b")
		}},
		{"a text that looks like SQL is only a text", func(f *fixture) {
			f.insert(doc("a", "name", `x' OR '1'='1`), doc("b", "name", "y"))
			f.finds(where("name", store.Eq, `x' OR '1'='1`), "a")
		}},
		{"a time of another zone compares by the instant", func(f *fixture) {
			f.insert(doc("a", "at", noon))
			f.finds(where("at", store.Eq, noon.In(time.FixedZone("east", 3600))), "a")
		}},
		{"a time compares by its millisecond", func(f *fixture) {
			f.insert(doc("a", "at", noon))
			f.finds(where("at", store.Eq, noon.Add(time.Microsecond)), "a")
		}},
		{"a field that is not a key, an unknown comparison and another type are errors", func(f *fixture) {
			for _, q := range []store.Query{
				where("colour", store.Eq, "red"), where("n", "!=", int64(1)), where("n", "", int64(1)), where("n", store.Eq, nil),
				where("n", store.Eq, 1), where("n", store.Eq, 1.5), where("n", store.Eq, []byte("x")), where("rev", store.Eq, int64(1)),
			} {
				_, err := ids(f.Context(), f.c, q)
				f.refused(err)
			}
		}},
		{"an empty collection finds nothing", func(f *fixture) {
			f.finds(store.Query{})
			f.finds(where("n", store.Ge, int64(math.MinInt64)))
		}},
	}
	for _, op := range []store.Op{store.Eq, store.Lt, store.Le, store.Gt, store.Ge} {
		for _, field := range []string{"name", "n", "at"} {
			cases = append(cases, testCase{fmt.Sprintf("%s %s compares with every value", field, op), func(f *fixture) { compareAll(f, field, op) }})
		}
		cases = append(cases, testCase{fmt.Sprintf("_id %s compares with an id", op), func(f *fixture) {
			f.insert(doc("a"), doc("b"), doc("c"))
			f.finds(where("_id", op, "b"), map[store.Op][]string{
				store.Eq: {"b"}, store.Lt: {"a"}, store.Le: {"a", "b"}, store.Gt: {"c"}, store.Ge: {"b", "c"},
			}[op]...)
		}})
	}
	return cases
}

// compareAll compares the field with each of its sorted values.
func compareAll(f *fixture, field string, op store.Op) {
	values := f.sorted(field)
	all := insertShuffled(f, field, values)
	for i, v := range values {
		if n, ok := v.(int32); ok {
			v = int64(n)
		}
		want := map[store.Op][]string{
			store.Eq: all[i : i+1], store.Lt: all[:i], store.Le: all[:i+1], store.Gt: all[i+1:], store.Ge: all[i:],
		}[op]
		q := where(field, op, v)
		q.Order = field
		f.finds(q, want...)
	}
}
