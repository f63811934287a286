package audit

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// TestEveryChangedByteIsFound flips a bit of each byte of some documents of a
// small log, as the store has them. It would fail if a change of what a record says went
// unnoticed; what the store refuses to take is none, and what reads the same
// afterwards is none either.
func TestEveryChangedByteIsFound(t *testing.T) {
	s := fill(t)
	refused, found, same := 0, 0, 0
	for name, spec := range map[string]store.Spec{
		"Audit":           {Name: "Audit", Ordered: []string{"at"}},
		"AuditCheckpoint": {Name: "AuditCheckpoint"},
	} {
		c, err := s.cfg.DB.Collection(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		docs := documents(t, c)
		for _, d := range docs[:2] {
			for i := range d.Body {
				altered := store.Doc{ID: d.ID, Body: bytes.Clone(d.Body)}
				altered.Body[i] ^= 1 << (i * 5 % 8)
				if err := c.Delete(t.Context(), d.ID, 1); err != nil {
					t.Fatal(err)
				}
				if err := c.Insert(t.Context(), altered); err != nil {
					refused++
				} else {
					if _, err := Verify(t.Context(), s.cfg); err != nil {
						found++
					} else if same++; !readsTheSame(t, name, d.Body, altered.Body) {
						t.Fatalf("byte %d of %s %s is not found: %x", i, name, d.ID, altered.Body)
					}
					if err := c.Delete(t.Context(), d.ID, 1); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.Insert(t.Context(), store.Doc{ID: d.ID, Body: d.Body}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if found < refused || found < 10*same {
		t.Errorf("%d found, %d refused by the store, %d without effect", found, refused, same)
	}
	verify(t, s.cfg)
}

func documents(t *testing.T, c store.Collection) (docs []store.Doc) {
	t.Helper()
	for d, err := range c.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	return docs
}

// readsTheSame reports whether two documents decode to the same: the index of an
// array's element, for one, says nothing.
func readsTheSame(t *testing.T, collection string, a, b bson.Raw) bool {
	t.Helper()
	if collection == "AuditCheckpoint" {
		var x, y checkpoint
		return bson.Unmarshal(a, &x) == nil && bson.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
	}
	var x, y page
	return bson.Unmarshal(a, &x) == nil && bson.Unmarshal(b, &y) == nil && slices.EqualFunc(x.Records, y.Records, func(p, q record) bool { return reflect.DeepEqual(p, q) })
}

func TestHeadsAreThoseOfTheCheck(t *testing.T) {
	s := fill(t)
	heads, err := Heads(t.Context(), s.cfg)
	if err != nil || !reflect.DeepEqual(heads, verify(t, s.cfg).Heads) {
		t.Errorf("%+v, %v", heads, err)
	}
	s.remove(docID("c", 3))
	if _, err := Verify(t.Context(), s.cfg, heads...); err == nil {
		t.Error("a cut is not found")
	}
}
