package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ccms/internal/store"
)

var specCases = []testCase{
	{"a Spec with more keys finds documents written before", func(f *fixture) {
		f.reopen(store.Spec{Name: "Old", Ordered: []string{"n"}})
		f.insert(doc("a", "n", int64(2), "name", "x", "email", "e1"), doc("b", "n", int64(1), "name", "y"))
		f.reopen(store.Spec{Name: "Old", Ordered: []string{"n", "name"}, Unique: []string{"email"}})
		f.finds(where("name", store.Eq, "x"), "a")
		f.finds(store.Query{Order: "n"}, "b", "a")
		f.finds(store.Query{Order: "name", Desc: true}, "b", "a")
		f.is(f.c.Insert(f.Context(), doc("c", "email", "e1")), store.ErrExists)
	}},
	{"a Spec with an expiry hides documents written before", func(f *fixture) {
		f.reopen(store.Spec{Name: "Old"})
		f.insert(doc("a", "gone", noon), doc("b", "gone", noon.Add(time.Hour)), doc("c"))
		f.reopen(store.Spec{Name: "Old", Expires: "gone"})
		f.finds(store.Query{}, "b", "c")
	}},
	{"expired documents do not hinder a new unique key", func(f *fixture) {
		f.reopen(store.Spec{Name: "Old", Expires: "gone"})
		f.insert(doc("a", "email", "x", "gone", noon.Add(time.Hour)), doc("b", "email", "x"))
		f.clock.Advance(time.Hour)
		f.reopen(store.Spec{Name: "Old", Expires: "gone", Unique: []string{"email"}})
		f.finds(where("email", store.Eq, "x"), "b")
	}},
	{"a new unique key on documents that share it is an error, and nothing is lost", func(f *fixture) {
		f.reopen(store.Spec{Name: "Old"})
		f.insert(doc("a", "email", "x"), doc("b", "email", "x"))
		_, err := reopened(f).Collection(f.Context(), store.Spec{Name: "Old", Unique: []string{"email"}})
		if err == nil {
			f.Fatal("the collection was opened")
		}
		f.c = f.collection(store.Spec{Name: "Old"})
		f.finds(store.Query{}, "a", "b")
	}},
	{"a thousand old documents get their keys", func(f *fixture) {
		f.reopen(store.Spec{Name: "Old"})
		fill(f, 1000)
		f.reopen(store.Spec{Name: "Old", Ordered: []string{"name"}, Unique: []string{"n"}})
		f.finds(where("n", store.Eq, int64(777)), "000777")
		if n := len(f.find(where("name", store.Eq, "0003"))); n != 100 {
			f.Fatalf("found %d documents", n)
		}
	}},
	{"a key that was away for a time is complete when it returns", func(f *fixture) {
		with, without := store.Spec{Name: "Old", Ordered: []string{"n"}}, store.Spec{Name: "Old"}
		f.reopen(with)
		f.insert(doc("a", "n", int64(1)), doc("b", "n", int64(2)))
		f.reopen(without)
		f.insert(doc("c", "n", int64(3)))
		f.replace(doc("a", "n", int64(4)))
		f.reopen(with)
		f.finds(store.Query{Order: "n"}, "b", "c", "a")
		f.finds(where("n", store.Eq, int64(1)))
		f.finds(where("n", store.Ge, int64(3)), "a", "c")
	}},
	{"names and fields may hold quotes, dots and words of query languages", func(f *fixture) {
		f.reopen(store.Spec{Name: `select "x".y'; --`, Ordered: []string{`"order" by`, "id", "doc", "owner.rev"}})
		f.insert(doc("a", `"order" by`, "x", "id", "other", "doc", int64(1)))
		f.finds(where(`"order" by`, store.Eq, "x"), "a")
		f.finds(where("id", store.Eq, "other"), "a")
		f.finds(where("doc", store.Eq, int64(1)), "a")
	}},
	{"the same Spec may be opened twice and is one collection", func(f *fixture) {
		f.insert(doc("a"))
		other := f.collection(wide)
		if _, err := other.Get(f.Context(), "a"); err != nil {
			f.Fatal(err)
		}
	}},
	{"a Spec without a name, or with an impossible key, is an error", func(f *fixture) {
		for _, s := range []store.Spec{
			{}, {Name: "X", Unique: []string{""}}, {Name: "X", Ordered: []string{"_id"}}, {Name: "X", Ordered: []string{"rev"}},
			{Name: "X", Ordered: []string{"a..b"}}, {Name: "X", Unique: []string{".a"}}, {Name: "X", Expires: "a."},
		} {
			if _, err := f.db.Collection(f.Context(), s); err == nil {
				f.Fatalf("%+v was opened", s)
			}
		}
	}},
}

// reopened closes the store and returns it open again, without a collection.
func reopened(f *fixture) store.DB {
	f.Helper()
	if err := f.db.Close(); err != nil {
		f.Fatal(err)
	}
	f.db = f.open(f, f.path, f.clock.Now)
	return f.db
}

// everything calls each method once, with ctx, and returns their errors by name.
func everything(ctx context.Context, db store.DB, c store.Collection) map[string]error {
	errs := map[string]error{
		"Insert":  c.Insert(ctx, doc("new")),
		"Replace": c.Replace(ctx, doc("a", "n", int64(2))),
		"Delete":  c.Delete(ctx, "a", 1),
		"Ping":    db.Ping(ctx),
	}
	_, errs["Get"] = c.Get(ctx, "a")
	_, errs["Find"] = ids(ctx, c, store.Query{})
	_, errs["Collection"] = db.Collection(ctx, store.Spec{Name: "Another"})
	return errs
}

var contextCases = []testCase{
	{"with a cancelled context every method fails with its error and nothing changes", func(f *fixture) {
		f.insert(doc("a"))
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		for name, err := range everything(ctx, f.db, f.c) {
			if f.is(err, context.Canceled); f.Failed() {
				f.Fatal(name)
			}
		}
		f.holds(doc("a"))
		f.absent("new")
	}},
	{"with a deadline that has passed every method fails with its error", func(f *fixture) {
		f.insert(doc("a"))
		ctx, cancel := context.WithDeadline(f.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for name, err := range everything(ctx, f.db, f.c) {
			if f.is(err, context.DeadlineExceeded); f.Failed() {
				f.Fatal(name)
			}
		}
		f.holds(doc("a"))
	}},
	{"an iteration ends with the error of its context", func(f *fixture) {
		fill(f, 2000)
		ctx, cancel := context.WithCancel(f.Context())
		defer cancel()
		seen, last := 0, error(nil)
		for _, err := range f.c.Find(ctx, store.Query{}) {
			cancel()
			seen, last = seen+1, err
		}
		f.is(last, context.Canceled)
		if seen >= 2000 {
			f.Fatal("the iteration went on to the end")
		}
		f.holds(doc("000000", "n", int64(0), "name", "0000"))
	}},
	{"writes cancelled at any moment are done or not done, and those that returned nil are done", cancelledWrites},
	{"a cancelled write holds nobody up", func(f *fixture) {
		for range 200 {
			ctx, cancel := context.WithTimeout(f.Context(), 50*time.Microsecond)
			_ = f.c.Insert(ctx, doc("x", "blob", make([]byte, 1000))) // may or may not be in time
			cancel()
		}
		f.insert(doc("after"))
		f.holds(doc("after"))
	}},
}

// cancelledWrites counts by replacements of which many are cancelled on the
// way: the revision must be at least the number of those that returned nil,
// and the document whole.
func cancelledWrites(f *fixture) {
	for worker := range 8 {
		f.insert(doc(fmt.Sprint(worker), "n", int64(1)))
	}
	together(f, 8, func(worker int) error {
		rev := int64(1)
		for i := range 60 {
			ctx, cancel := context.WithTimeout(f.Context(), time.Duration(i*37%1500)*time.Microsecond)
			d := doc(fmt.Sprint(worker), "n", rev+1)
			d.Rev = rev
			err := f.c.Replace(ctx, d)
			cancel()
			got, gone := f.c.Get(f.Context(), d.ID)
			switch {
			case gone != nil:
				return gone
			case err == nil && got.Rev != rev+1, got.Rev < rev:
				return fmt.Errorf("revision %d after %d was written: %w", got.Rev, rev+1, err)
			}
			// An abandoned write may still be on its way: the one after it is
			// either before or behind, never between.
			if rev = got.Rev; string(got.Body) != string(doc("", "n", rev).Body) {
				return fmt.Errorf("revision %d holds %v", rev, got.Body)
			}
		}
		return nil
	})
}

var lifetimeCases = []testCase{
	{"what was written is there when the store is opened again", func(f *fixture) {
		f.insert(doc("a", "email", "x"), doc("b", "n", int64(2)), doc("c"))
		f.replace(doc("a", "email", "y"))
		f.delete("c", 1)
		f.reopen(wide)
		f.finds(store.Query{}, "a", "b")
		f.finds(where("email", store.Eq, "y"), "a")
		f.is(f.c.Insert(f.Context(), doc("d", "email", "y")), store.ErrExists)
		f.is(f.c.Replace(f.Context(), doc("a")), store.ErrStale)
	}},
	{"a store may be opened again many times", func(f *fixture) {
		for i := range 10 {
			f.insert(doc(fmt.Sprint(i)))
			f.reopen(wide)
		}
		if n := len(f.find(store.Query{})); n != 10 {
			f.Fatalf("found %d documents", n)
		}
	}},
	{"an open store answers Ping", func(f *fixture) {
		if err := f.db.Ping(f.Context()); err != nil {
			f.Fatal(err)
		}
	}},
	{"after Close every method fails with ErrClosed", func(f *fixture) {
		f.insert(doc("a"))
		if err := f.db.Close(); err != nil {
			f.Fatal(err)
		}
		for name, err := range everything(f.Context(), f.db, f.c) {
			if f.is(err, store.ErrClosed); f.Failed() {
				f.Fatal(name)
			}
		}
		f.is(f.db.Close(), store.ErrClosed)
	}},
	{"Close waits for the writes under way and loses none that was acknowledged", closeUnderLoad},
	{"Close waits for an iteration", func(f *fixture) {
		fill(f, 1000)
		var closing sync.WaitGroup
		seen := 0
		for _, err := range f.c.Find(f.Context(), store.Query{}) {
			if err != nil {
				f.Fatalf("after %d documents: %v", seen, err)
			}
			if seen++; seen == 1 {
				closing.Go(func() {
					if err := f.db.Close(); err != nil {
						f.Error(err)
					}
				})
			}
		}
		closing.Wait()
		if seen != 1000 {
			f.Fatalf("saw %d documents", seen)
		}
	}},
}

// closeUnderLoad closes while 16 writers insert as fast as they can.
func closeUnderLoad(f *fixture) {
	acknowledged, ends := make([][]string, 16), make([]error, 16)
	var wg sync.WaitGroup
	busy := make(chan struct{}, len(acknowledged))
	for w := range acknowledged {
		wg.Go(func() {
			for i := 0; ends[w] == nil; i++ {
				id := fmt.Sprintf("%02d-%06d", w, i)
				if ends[w] = f.c.Insert(f.Context(), doc(id)); ends[w] == nil {
					acknowledged[w] = append(acknowledged[w], id)
				}
				if i == 20 {
					busy <- struct{}{}
				}
			}
		})
	}
	for range acknowledged {
		<-busy
	}
	if err := f.db.Close(); err != nil {
		f.Fatal(err)
	}
	wg.Wait()
	for _, err := range ends {
		f.is(err, store.ErrClosed)
	}
	f.db = nil
	f.reopen(wide)
	want := slices.Concat(acknowledged...)
	slices.Sort(want)
	f.finds(store.Query{}, want...)
}
