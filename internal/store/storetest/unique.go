package storetest

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

var uniqueCases = []testCase{
	{"a second document with the same unique key exists already", func(f *fixture) {
		f.insert(doc("a", "email", "x@example.org"))
		f.is(f.c.Insert(f.Context(), doc("b", "email", "x@example.org")), store.ErrExists)
		f.absent("b")
	}},
	{"keys that differ in case are different", func(f *fixture) {
		f.insert(doc("a", "email", "x@example.org"), doc("b", "email", "X@example.org"))
	}},
	{"keys that differ after a NUL are different", func(f *fixture) {
		f.insert(doc("a", "email", "x\x00a"), doc("b", "email", "x\x00b"))
		f.is(f.c.Insert(f.Context(), doc("c", "email", "x\x00b")), store.ErrExists)
	}},
	{"an empty string is a key like any other", func(f *fixture) {
		f.insert(doc("a", "email", ""))
		f.is(f.c.Insert(f.Context(), doc("b", "email", "")), store.ErrExists)
	}},
	{"documents without the field are not compared", func(f *fixture) {
		f.insert(doc("a"), doc("b"), doc("c"))
	}},
	{"documents with null in the field are not compared", func(f *fixture) {
		f.insert(doc("a", "email", nil), doc("b", "email", nil), doc("c"))
	}},
	{"each of several unique keys counts", func(f *fixture) {
		f.insert(doc("a", "email", "x", "card", bson.D{{Key: "print", Value: "p"}}))
		f.is(f.c.Insert(f.Context(), doc("b", "email", "y", "card", bson.D{{Key: "print", Value: "p"}})), store.ErrExists)
		f.is(f.c.Insert(f.Context(), doc("c", "email", "x", "card", bson.D{{Key: "print", Value: "q"}})), store.ErrExists)
		f.insert(doc("d", "email", "y", "card", bson.D{{Key: "print", Value: "q"}}))
	}},
	{"a key in an embedded document is compared", func(f *fixture) {
		f.insert(doc("a", "card", bson.D{{Key: "print", Value: "p"}}))
		f.is(f.c.Insert(f.Context(), doc("b", "card", bson.D{{Key: "print", Value: "p"}})), store.ErrExists)
	}},
	{"an embedded document without the key is not compared", func(f *fixture) {
		f.insert(doc("a", "card", bson.D{}), doc("b", "card", bson.D{}), doc("c", "card", nil), doc("d", "card", "none"))
	}},
	{"a field whose name contains that of a key is not compared", func(f *fixture) {
		f.insert(doc("a", "email2", "x", "Email", "x"), doc("b", "email2", "x", "Email", "x"))
	}},
	{"int32 and int64 of one value are the same key", func(f *fixture) {
		f.insert(doc("a", "email", int32(7)))
		f.is(f.c.Insert(f.Context(), doc("b", "email", int64(7))), store.ErrExists)
	}},
	{"times within the same millisecond are the same key", func(f *fixture) {
		f.insert(doc("a", "email", noon.Add(time.Microsecond)))
		f.is(f.c.Insert(f.Context(), doc("b", "email", noon.Add(2*time.Microsecond))), store.ErrExists)
		f.insert(doc("c", "email", noon.Add(time.Millisecond)))
	}},
	{"a number and its text are different keys", func(f *fixture) {
		f.insert(doc("a", "email", int64(7)), doc("b", "email", "7"))
	}},
	{"Replace refuses the unique key of another document", func(f *fixture) {
		f.insert(doc("a", "email", "x"), doc("b", "email", "y"))
		f.is(f.c.Replace(f.Context(), doc("b", "email", "x")), store.ErrExists)
		f.holds(doc("b", "email", "y"))
	}},
	{"Replace with the document's own key succeeds", func(f *fixture) {
		f.insert(doc("a", "email", "x"))
		f.replace(doc("a", "email", "x", "name", "Ada"))
	}},
	{"a key changed by Replace is free for others", func(f *fixture) {
		f.insert(doc("a", "email", "x"))
		f.replace(doc("a", "email", "y"))
		f.insert(doc("b", "email", "x"))
		f.is(f.c.Insert(f.Context(), doc("c", "email", "y")), store.ErrExists)
	}},
	{"a key left out by Replace is free for others", func(f *fixture) {
		f.insert(doc("a", "email", "x"))
		f.replace(doc("a"))
		f.insert(doc("b", "email", "x"))
	}},
	{"a key is free after Delete", func(f *fixture) {
		f.insert(doc("a", "email", "x"))
		f.delete("a", 1)
		f.insert(doc("b", "email", "x"))
	}},
	{"a key of a refused document stays free", func(f *fixture) {
		f.insert(doc("a", "email", "x"))
		f.is(f.c.Insert(f.Context(), doc("a", "email", "y")), store.ErrExists)
		f.insert(doc("b", "email", "y"))
	}},
	{"a value that cannot be a key is refused", func(f *fixture) {
		f.insert(doc("z"))
		for _, v := range []any{true, 1.5, bson.D{}, bson.A{"x"}, []byte("x"), bson.NewObjectID()} {
			f.refused(f.c.Insert(f.Context(), doc("a", "email", v)))
			f.refused(f.c.Replace(f.Context(), doc("z", "email", v)))
			f.refused(f.c.Insert(f.Context(), doc("a", "n", v)))
		}
		f.refused(f.c.Insert(f.Context(), doc("a", "card", bson.A{bson.D{{Key: "print", Value: "p"}}})))
		f.finds(store.Query{}, "z")
	}},
	{"an expiry that is not a time is refused", func(f *fixture) {
		f.refused(f.c.Insert(f.Context(), doc("a", "gone", "tomorrow")))
		f.refused(f.c.Insert(f.Context(), doc("a", "gone", int64(1))))
	}},
}

var revisionCases = []testCase{
	{"each Replace counts the revision up by one", func(f *fixture) {
		f.insert(doc("a", "n", int64(1)))
		for rev := int64(1); rev < 10; rev++ {
			d := doc("a", "n", rev)
			d.Rev = rev
			f.replace(d)
			d.Rev++
			f.holds(d)
		}
	}},
	{"Replace with an older revision is stale", func(f *fixture) {
		f.insert(doc("a", "n", int64(1)))
		f.replace(doc("a", "n", int64(2)))
		f.is(f.c.Replace(f.Context(), doc("a", "n", int64(3))), store.ErrStale)
		d := doc("a", "n", int64(2))
		d.Rev = 2
		f.holds(d)
	}},
	{"Replace with a revision of the future is stale", func(f *fixture) {
		f.insert(doc("a"))
		d := doc("a", "n", int64(1))
		d.Rev = 2
		f.is(f.c.Replace(f.Context(), d), store.ErrStale)
		f.holds(doc("a"))
	}},
	{"Replace with revision zero is stale", func(f *fixture) {
		f.insert(doc("a"))
		f.is(f.c.Replace(f.Context(), store.Doc{ID: "a", Body: raw(bson.D{})}), store.ErrStale)
		f.is(f.c.Replace(f.Context(), store.Doc{ID: "b", Body: raw(bson.D{})}), store.ErrStale)
		f.absent("b")
	}},
	{"Replace of a document that is gone is stale", func(f *fixture) {
		f.insert(doc("a"))
		f.delete("a", 1)
		f.is(f.c.Replace(f.Context(), doc("a")), store.ErrStale)
		f.absent("a")
	}},
	{"a stale Replace is stale, also with a key that is taken", func(f *fixture) {
		f.insert(doc("a", "email", "x"), doc("b", "email", "y"))
		d := doc("b", "email", "x")
		d.Rev = 9
		f.is(f.c.Replace(f.Context(), d), store.ErrStale)
	}},
	{"Delete with another revision is stale", func(f *fixture) {
		f.insert(doc("a"))
		f.is(f.c.Delete(f.Context(), "a", 2), store.ErrStale)
		f.is(f.c.Delete(f.Context(), "a", 0), store.ErrStale)
		f.holds(doc("a"))
	}},
	{"Delete of a document that is gone is stale", func(f *fixture) {
		f.is(f.c.Delete(f.Context(), "a", 1), store.ErrStale)
	}},
	{"a document inserted again starts with revision one", func(f *fixture) {
		f.insert(doc("a"))
		f.replace(doc("a", "n", int64(1)))
		f.delete("a", 2)
		f.insert(doc("a"))
		f.holds(doc("a"))
	}},
	{"Replace stores the new document whole", func(f *fixture) {
		f.insert(doc("a", "name", "Ada", "n", int64(1)))
		f.replace(doc("a", "n", int64(2)))
		d := doc("a", "n", int64(2))
		d.Rev = 2
		f.holds(d)
		f.finds(where("name", store.Eq, "Ada"))
		f.finds(where("n", store.Eq, int64(2)), "a")
	}},
}
