package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"ccms/internal/store"
)

var pagingCases = []testCase{
	{"pages by id hold every document once", func(f *fixture) {
		fill(f, 100)
		f.pages(store.Query{Limit: 7}, 100)
		f.pages(store.Query{Limit: 7, Desc: true}, 100)
	}},
	{"pages by a key with ties hold every document once", func(f *fixture) {
		fill(f, 350)
		f.pages(store.Query{Order: "name", Limit: 13}, 350)
		f.pages(store.Query{Order: "name", Limit: 13, Desc: true}, 350)
	}},
	{"pages by a key that some documents lack hold every document once", func(f *fixture) {
		for i := range 10 {
			f.insert(doc(fmt.Sprint("none", i)), doc(fmt.Sprint("some", i), "name", fmt.Sprint(i/4)))
		}
		f.pages(store.Query{Order: "name", Limit: 3}, 20)
		f.pages(store.Query{Order: "name", Limit: 3, Desc: true}, 20)
	}},
	{"pages obey the conditions", func(f *fixture) {
		fill(f, 200)
		q := where("n", store.Ge, int64(150))
		q.Order, q.Limit = "name", 7
		f.pages(q, 50)
		q.Desc = true
		f.pages(q, 50)
	}},
	{"a position needs no document", func(f *fixture) {
		fill(f, 10)
		f.finds(store.Query{After: &store.Position{ID: "0000075"}}, "000008", "000009")
		f.finds(store.Query{Order: "n", After: &store.Position{Value: int64(7), ID: "zzz"}}, "000008", "000009")
		f.finds(store.Query{Order: "n", Desc: true, After: &store.Position{Value: int64(2), ID: "0"}}, "000001", "000000")
	}},
	{"the value of a position does not matter in the order of ids", func(f *fixture) {
		fill(f, 3)
		f.finds(store.Query{After: &store.Position{Value: int64(99), ID: "000000"}}, "000001", "000002")
	}},
	{"behind the last document there is none", func(f *fixture) {
		fill(f, 3)
		f.finds(store.Query{After: &store.Position{ID: "000002"}})
		f.finds(store.Query{Order: "n", After: &store.Position{Value: int64(2), ID: "000002"}})
	}},
	{"a position of another type is an error", func(f *fixture) {
		_, err := ids(f.Context(), f.c, store.Query{Order: "n", After: &store.Position{Value: 2.5, ID: "a"}})
		f.refused(err)
	}},
	{"paging neither skips nor repeats a document while others write", pageWhileWriting},
	{"Find while others write yields every document at most once", findWhileWriting},
	{"a caller may read and write within an iteration", func(f *fixture) {
		fill(f, 300)
		seen := 0
		for d, err := range f.c.Find(f.Context(), store.Query{Order: "n"}) {
			if err != nil {
				f.Fatal(err)
			}
			seen++
			f.holds(d)
			f.replace(d)
		}
		if seen != 300 {
			f.Fatalf("saw %d documents", seen)
		}
	}},
	{"many iterations may stand open while others read and write", manyIterations},
	{"an iteration may end early, again and again", func(f *fixture) {
		fill(f, 300)
		for i := range 100 {
			seen := 0
			for _, err := range f.c.Find(f.Context(), store.Query{}) {
				if err != nil {
					f.Fatal(err)
				}
				if seen++; seen > i*3 {
					break
				}
			}
		}
		f.insert(doc("after"))
	}},
	{"an iteration can be run twice", func(f *fixture) {
		fill(f, 3)
		found := f.c.Find(f.Context(), store.Query{})
		for range 2 {
			seen := 0
			for _, err := range found {
				if err != nil {
					f.Fatal(err)
				}
				seen++
			}
			if seen != 3 {
				f.Fatalf("saw %d documents", seen)
			}
		}
	}},
}

// pages walks through q page by page and fails unless that gives the same
// documents as one Find, count of them.
func (f *fixture) pages(q store.Query, count int) {
	f.Helper()
	whole := q
	whole.Limit = 0
	want := f.find(whole)
	if len(want) != count {
		f.Fatalf("found %d documents, want %d", len(want), count)
	}
	if got := f.walk(q); !slices.Equal(got, want) {
		f.Fatalf("pages of %d hold %q, want %q", q.Limit, got, want)
	}
}

func (f *fixture) walk(q store.Query) (all []string) {
	f.Helper()
	for {
		before := len(all)
		for d, err := range f.c.Find(f.Context(), q) {
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, d.ID)
			q.After = &store.Position{ID: d.ID}
			if q.Order != "" {
				value, err := store.Key(d.Body, q.Order)
				if err != nil {
					f.Fatal(err)
				}
				q.After.Value = value
			}
		}
		if len(all)-before < q.Limit {
			return all
		}
	}
}

// churn inserts, changes and deletes documents between the even ones, which
// stay, until stop is called.
func churn(f *fixture) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	ctx := f.Context()
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; !done.Load(); i += 4 {
				d := doc(fmt.Sprintf("%06d-%d", i%200, worker), "n", int64(i%200), "name", fmt.Sprintf("%04d", i%7))
				err := f.c.Insert(ctx, d)
				if err == nil {
					d.Body = doc("", "n", int64((i+100)%200), "name", fmt.Sprintf("%04d", i%5)).Body
					err = f.c.Replace(ctx, d)
				}
				if err == nil {
					err = f.c.Delete(ctx, d.ID, 2)
				}
				if err != nil {
					f.Errorf("churn: %v", err)
					return
				}
			}
		})
	}
	return func() { done.Store(true); wg.Wait() }
}

func pageWhileWriting(f *fixture) {
	fill(f, 200)
	defer churn(f)()
	for i := range 20 {
		q := store.Query{Order: []string{"", "n", "name"}[i%3], Desc: i%2 == 0, Limit: 9}
		lasting(f, f.walk(q))
	}
}

func findWhileWriting(f *fixture) {
	fill(f, 200)
	defer churn(f)()
	for i := range 40 {
		got := f.find(store.Query{Order: []string{"", "n", "name"}[i%3], Desc: i%2 == 0})
		lasting(f, got)
		slices.Sort(got)
		if len(slices.Compact(got)) != len(got) {
			f.Fatal("a document came twice")
		}
	}
}

// lasting fails unless the 200 documents that nobody touches are there once.
func lasting(f *fixture, got []string) {
	f.Helper()
	seen := map[string]int{}
	for _, id := range got {
		seen[id]++
	}
	for i := range 200 {
		if id := fmt.Sprintf("%06d", i); seen[id] != 1 {
			f.Fatalf("document %s came %d times", id, seen[id])
		}
	}
}

// manyIterations opens more iterations than a driver may have connections,
// each reading on within, and writes meanwhile.
func manyIterations(f *fixture) {
	fill(f, 400)
	together(f, 48, func(worker int) error {
		seen := 0
		for d, err := range f.c.Find(f.Context(), store.Query{}) {
			if err != nil {
				return err
			}
			if seen++; seen%100 == 0 {
				if err := readAndWrite(f.Context(), f.c, d, fmt.Sprintf("w%d-%d", worker, seen)); err != nil {
					return err
				}
			}
			if seen == 400 {
				break
			}
		}
		return nil
	})
}

func readAndWrite(ctx context.Context, c store.Collection, d store.Doc, id string) error {
	if _, err := c.Get(ctx, d.ID); err != nil {
		return err
	}
	if _, err := ids(ctx, c, store.Query{Limit: 3}); err != nil {
		return err
	}
	return c.Insert(ctx, doc(id))
}
