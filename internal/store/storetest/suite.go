package storetest

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/clocktest"
	"ccms/internal/store"
)

// Open opens the driver's store that belongs to path, a name in a folder of
// the test, and creates it when it is missing; opened again, it holds what was
// written before. now is the clock for expiry.
type Open func(t testing.TB, path string, now func() time.Time) store.DB

// Deviation is where a server behind a driver is known to differ from the
// contract, so that the rest of a case can be held against it.
type Deviation string

// UTF16Order: strings order by UTF-16, not by their bytes, which shows in
// characters beyond U+FFFF.
const UTF16Order Deviation = "strings order by UTF-16"

// Run runs the suite on a driver. Every case starts with a new store.
func Run(t *testing.T, open Open, known ...Deviation) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"documents", documentCases},
		{"unique keys", uniqueCases},
		{"revisions", revisionCases},
		{"order", orderCases()},
		{"conditions", conditionCases()},
		{"paging", pagingCases},
		{"values", valueCases()},
		{"expiry", expiryCases},
		{"model", modelCases},
		{"races", raceCases},
		{"specs", specCases},
		{"contexts", contextCases},
		{"lifetime", lifetimeCases},
		{"faults", faultCases()},
		{"dump", dumpCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newFixture(t, open, known))
				})
			}
		})
	}
}

// testCase is one meaning that drivers share. Its name is a sentence.
type testCase struct {
	name string
	run  func(f *fixture)
}

// noon is when the clock of a case starts. It is far from the present, so that
// a driver which asks another clock is found out.
var noon = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

// wide is the Spec of a case unless it opens its own.
var wide = store.Spec{
	Name:    "Thing",
	Unique:  []string{"email", "card.print"},
	Ordered: []string{"name", "n", "at"},
	Sparse:  []string{"owner.id"},
	Expires: "gone",
}

// fixture is what a case works with: a store, a collection, a clock.
type fixture struct {
	testing.TB
	open  Open
	known []Deviation
	path  string
	db    store.DB
	c     store.Collection
	clock *clocktest.Clock
}

func newFixture(t *testing.T, open Open, known []Deviation) *fixture {
	f := &fixture{TB: t, open: open, known: known, path: filepath.Join(t.TempDir(), "store.db"), clock: clocktest.At(noon)}
	f.reopen(wide)
	t.Cleanup(func() { f.db.Close() })
	return f
}

// reopen opens the store, after closing it if it was open, and a collection.
func (f *fixture) reopen(s store.Spec) {
	f.Helper()
	if f.db != nil {
		if err := f.db.Close(); err != nil {
			f.Fatalf("close: %v", err)
		}
	}
	f.db = f.open(f, f.path, f.clock.Now)
	f.c = f.collection(s)
}

func (f *fixture) collection(s store.Spec) store.Collection {
	f.Helper()
	c, err := f.db.Collection(f.Context(), s)
	if err != nil {
		f.Fatalf("open collection: %v", err)
	}
	return c
}

// doc makes a document of revision 1 from names and values in turn.
func doc(id string, fields ...any) store.Doc {
	d := make(bson.D, 0, len(fields)/2)
	for pair := range slices.Chunk(fields, 2) {
		d = append(d, bson.E{Key: pair[0].(string), Value: pair[1]})
	}
	return store.Doc{ID: id, Rev: 1, Body: raw(d)}
}

// raw encodes what the suite itself made, which cannot fail.
func raw(d bson.D) bson.Raw {
	b, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return b
}

// insert stores documents and fails the test when it cannot.
func (f *fixture) insert(docs ...store.Doc) {
	f.Helper()
	for _, d := range docs {
		if err := f.c.Insert(f.Context(), d); err != nil {
			f.Fatalf("insert %s: %v", d.ID, err)
		}
	}
}

func (f *fixture) replace(d store.Doc) {
	f.Helper()
	if err := f.c.Replace(f.Context(), d); err != nil {
		f.Fatalf("replace %s: %v", d.ID, err)
	}
}

func (f *fixture) delete(id string, rev int64) {
	f.Helper()
	if err := f.c.Delete(f.Context(), id, rev); err != nil {
		f.Fatalf("delete %s: %v", id, err)
	}
}

// holds fails unless the store returns exactly d.
func (f *fixture) holds(d store.Doc) {
	f.Helper()
	got, err := f.c.Get(f.Context(), d.ID)
	if err != nil {
		f.Fatalf("get %s: %v", d.ID, err)
	}
	if got.ID != d.ID || got.Rev != d.Rev || string(got.Body) != string(d.Body) {
		f.Fatalf("get %s: revision %d %v, want revision %d %v", d.ID, got.Rev, got.Body, d.Rev, d.Body)
	}
}

func (f *fixture) absent(id string) {
	f.Helper()
	_, err := f.c.Get(f.Context(), id)
	f.is(err, store.ErrNotFound)
}

// is fails unless err is want.
func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Fatalf("got error %v, want %v", err, want)
	}
}

// refused fails unless err is an error of none of the kinds a caller handles.
func (f *fixture) refused(err error) {
	f.Helper()
	for _, kind := range []error{nil, store.ErrExists, store.ErrNotFound, store.ErrStale, store.ErrClosed} {
		if errors.Is(err, kind) {
			f.Fatalf("got error %v, want a refusal", err)
		}
	}
}

// find returns the ids of q in order.
func (f *fixture) find(q store.Query) []string {
	f.Helper()
	ids, err := ids(f.Context(), f.c, q)
	if err != nil {
		f.Fatalf("find: %v", err)
	}
	return ids
}

// finds fails unless q yields these ids in this order.
func (f *fixture) finds(q store.Query, want ...string) {
	f.Helper()
	if got := f.find(q); !slices.Equal(got, want) {
		f.Fatalf("found %q, want %q", got, want)
	}
}

func ids(ctx context.Context, c store.Collection, q store.Query) (ids []string, err error) {
	for d, err := range c.Find(ctx, q) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, d.ID)
	}
	return ids, nil
}

func where(field string, op store.Op, value any) store.Query {
	return store.Query{Where: []store.Cond{{Field: field, Op: op, Value: value}}}
}
