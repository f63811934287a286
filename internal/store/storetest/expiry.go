package storetest

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// short is a document that expires after an hour.
func short(id string, fields ...any) store.Doc {
	return doc(id, append(fields, "gone", noon.Add(time.Hour))...)
}

var expiryCases = []testCase{
	{"a document is there until its time", func(f *fixture) {
		f.insert(short("a", "n", int64(1)))
		f.clock.Advance(time.Hour - time.Millisecond)
		f.holds(short("a", "n", int64(1)))
		f.finds(store.Query{Order: "n"}, "a")
	}},
	{"from its time on Get does not find it", func(f *fixture) {
		f.insert(short("a"))
		f.clock.Advance(time.Hour)
		f.absent("a")
	}},
	{"from its time on Find does not find it, by no order and no condition", func(f *fixture) {
		f.insert(short("a", "n", int64(1), "email", "x"), doc("b", "n", int64(1)))
		f.clock.Advance(time.Hour)
		f.finds(store.Query{}, "b")
		f.finds(store.Query{Order: "n", Desc: true}, "b")
		f.finds(store.Query{Order: "gone"}, "b")
		f.finds(where("n", store.Eq, int64(1)), "b")
		f.finds(where("email", store.Eq, "x"))
		f.finds(where("gone", store.Gt, noon))
	}},
	{"Replace of an expired document is stale", func(f *fixture) {
		f.insert(short("a"))
		f.clock.Advance(time.Hour)
		f.is(f.c.Replace(f.Context(), doc("a")), store.ErrStale)
		f.absent("a")
	}},
	{"Delete of an expired document is stale", func(f *fixture) {
		f.insert(short("a"))
		f.clock.Advance(time.Hour)
		f.is(f.c.Delete(f.Context(), "a", 1), store.ErrStale)
	}},
	{"an expired document does not stand in the way of its id", func(f *fixture) {
		f.insert(short("a", "n", int64(1)))
		f.replace(short("a", "n", int64(2)))
		f.clock.Advance(time.Hour)
		f.insert(doc("a", "n", int64(3)))
		f.holds(doc("a", "n", int64(3)))
	}},
	{"an expired document does not stand in the way of its key in Insert", func(f *fixture) {
		f.insert(short("a", "email", "x"))
		f.clock.Advance(time.Hour)
		f.insert(doc("b", "email", "x"))
		f.finds(where("email", store.Eq, "x"), "b")
	}},
	{"an expired document does not stand in the way of its key in Replace", func(f *fixture) {
		f.insert(short("a", "email", "x"), doc("b"))
		f.clock.Advance(time.Hour)
		f.replace(doc("b", "email", "x"))
		f.finds(where("email", store.Eq, "x"), "b")
	}},
	{"one insert may pass several expired documents", func(f *fixture) {
		print := bson.D{{Key: "print", Value: "p"}}
		f.insert(short("a", "email", "x"), short("b", "card", print), short("c"))
		f.clock.Advance(time.Hour)
		f.insert(doc("c", "email", "x", "card", print))
		f.finds(store.Query{}, "c")
	}},
	{"one live document is in the way, whatever else has expired", func(f *fixture) {
		print := bson.D{{Key: "print", Value: "p"}}
		f.insert(short("a", "email", "x"), doc("b", "card", print))
		f.clock.Advance(time.Hour)
		f.is(f.c.Insert(f.Context(), doc("c", "email", "x", "card", print)), store.ErrExists)
		f.absent("c")
	}},
	{"a live document blocks its key before the hour is over", func(f *fixture) {
		f.insert(short("a", "email", "x"))
		f.clock.Advance(time.Hour - time.Millisecond)
		f.is(f.c.Insert(f.Context(), doc("b", "email", "x")), store.ErrExists)
	}},
	{"a document without the field does not expire", func(f *fixture) {
		f.insert(doc("a"), doc("b", "gone", nil))
		f.clock.Advance(1e6 * time.Hour)
		f.finds(store.Query{}, "a", "b")
	}},
	{"Replace may put the expiry off", func(f *fixture) {
		f.insert(short("a"))
		later := doc("a", "gone", noon.Add(2*time.Hour))
		f.replace(later)
		f.clock.Advance(time.Hour)
		later.Rev = 2
		f.holds(later)
		f.clock.Advance(time.Hour)
		f.absent("a")
	}},
	{"Replace may take the expiry away", func(f *fixture) {
		f.insert(short("a"))
		f.replace(doc("a"))
		f.clock.Advance(2 * time.Hour)
		f.finds(store.Query{}, "a")
	}},
	{"a document that has expired at its insert is absent at once", func(f *fixture) {
		f.insert(doc("a", "gone", noon))
		f.absent("a")
		f.insert(doc("a", "gone", noon.Add(time.Hour)))
	}},
	{"an expiry is cut to the millisecond", func(f *fixture) {
		f.insert(doc("a", "gone", noon.Add(time.Millisecond+999*time.Microsecond)))
		f.clock.Advance(time.Millisecond)
		f.absent("a")
	}},
	{"expired documents stay absent when the store is opened again", func(f *fixture) {
		f.insert(short("a", "email", "x"), doc("b"))
		f.clock.Advance(time.Hour)
		f.reopen(wide)
		f.finds(store.Query{}, "b")
		f.insert(doc("c", "email", "x"))
	}},
}
