package storetest

import (
	"bytes"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

var documentCases = []testCase{
	{"an inserted document is returned with revision one", func(f *fixture) {
		f.insert(doc("a", "name", "Ada"))
		f.holds(doc("a", "name", "Ada"))
	}},
	{"a document that was never inserted is not found", func(f *fixture) {
		f.absent("a")
	}},
	{"a second document with the same id exists already", func(f *fixture) {
		f.insert(doc("a", "name", "Ada"))
		f.is(f.c.Insert(f.Context(), doc("a", "name", "Eve")), store.ErrExists)
		f.holds(doc("a", "name", "Ada"))
	}},
	{"an id is free again after its document was deleted", func(f *fixture) {
		f.insert(doc("a", "name", "Ada"))
		f.delete("a", 1)
		f.insert(doc("a", "name", "Eve"))
		f.holds(doc("a", "name", "Eve"))
	}},
	{"ids that differ in case are different", func(f *fixture) {
		f.insert(doc("a"), doc("A"))
		f.finds(store.Query{}, "A", "a")
	}},
	{"ids that differ in a trailing space are different", func(f *fixture) {
		f.insert(doc("a"), doc("a "))
		f.finds(store.Query{}, "a", "a ")
	}},
	{"an id may hold any character, NUL among them", func(f *fixture) {
		for _, id := range []string{"a\x00b", "a\x00", "a", `"'%_;--`, "ü", "🂡", strings.Repeat("x", 900)} {
			f.insert(doc(id, "name", id))
			f.holds(doc(id, "name", id))
		}
	}},
	{"a document without an id is refused", func(f *fixture) {
		f.refused(f.c.Insert(f.Context(), doc("")))
	}},
	{"an empty document is a document", func(f *fixture) {
		f.insert(doc("a"))
		f.holds(doc("a"))
	}},
	{"a document of the largest size is stored", func(f *fixture) {
		d := sized(store.MaxDocument)
		f.insert(d)
		f.holds(d)
	}},
	{"a document above the largest size is refused by Insert and Replace", func(f *fixture) {
		f.insert(doc("big", "name", "small"))
		d := sized(store.MaxDocument + 1)
		f.refused(f.c.Insert(f.Context(), store.Doc{ID: "other", Body: d.Body}))
		f.refused(f.c.Replace(f.Context(), d))
		f.holds(doc("big", "name", "small"))
		f.absent("other")
	}},
	{"malformed BSON is refused", func(f *fixture) {
		f.refused(f.c.Insert(f.Context(), store.Doc{ID: "a"}))
		f.refused(f.c.Insert(f.Context(), store.Doc{ID: "a", Body: bson.Raw("\x10\x00\x00\x00nonsense")}))
		f.refused(f.c.Insert(f.Context(), store.Doc{ID: "a", Body: append(raw(bson.D{}), "more"...)}))
		f.absent("a")
	}},
	{"a field named _id or rev is refused", func(f *fixture) {
		f.refused(f.c.Insert(f.Context(), doc("a", "_id", "b")))
		f.refused(f.c.Insert(f.Context(), doc("a", "rev", int64(7))))
		f.absent("a")
	}},
	{"the revision of a document given to Insert is ignored", func(f *fixture) {
		d := doc("a", "name", "Ada")
		d.Rev = 41
		f.insert(d)
		f.holds(doc("a", "name", "Ada"))
	}},
	{"a caller may reuse its buffer after a write", func(f *fixture) {
		d := doc("a", "name", "Ada")
		want := bytes.Clone(d.Body)
		f.insert(d)
		clear(d.Body)
		f.holds(store.Doc{ID: "a", Rev: 1, Body: want})
	}},
	{"collections do not share ids or keys", func(f *fixture) {
		other := f.collection(store.Spec{Name: "Other", Unique: []string{"email"}})
		f.insert(doc("a", "email", "x@example.org"))
		if err := other.Insert(f.Context(), doc("a", "email", "x@example.org", "of", "other")); err != nil {
			f.Fatal(err)
		}
		f.holds(doc("a", "email", "x@example.org"))
	}},
	{"ten thousand documents are found in order", func(f *fixture) {
		fill(f, 10_000)
		got := f.find(store.Query{})
		if len(got) != 10_000 {
			f.Fatalf("found %d documents", len(got))
		}
		for i, id := range got {
			if id != fmt.Sprintf("%06d", i) {
				f.Fatalf("document %d is %s", i, id)
			}
		}
	}},
}

// sized returns a document of exactly this many bytes.
func sized(bytes int) store.Doc {
	d := doc("big", "blob", []byte{})
	return doc("big", "blob", make([]byte, bytes-len(d.Body)))
}

// fill inserts documents 000000, 000001 … by several writers, so that a
// driver's group commit makes it quick. n is the number, name its hundreds.
func fill(f *fixture, count int) {
	f.Helper()
	together(f, 64, func(worker int) error {
		for i := worker; i < count; i += 64 {
			d := doc(fmt.Sprintf("%06d", i), "n", int64(i), "name", fmt.Sprintf("%04d", i/100))
			if err := f.c.Insert(f.Context(), d); err != nil {
				return err
			}
		}
		return nil
	})
}
