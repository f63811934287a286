package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ccms/internal/store"
)

var errDisk = errors.New("disk on fire")

// faultCases show that the wrapper does to any driver what its rules say, and
// that documents are as the contract promises after each fault.
func faultCases() []testCase {
	var cases []testCase
	for _, w := range []struct {
		op    Op
		write func(ctx context.Context, c store.Collection) error
		done  func(f *fixture) bool
	}{
		{Insert, func(ctx context.Context, c store.Collection) error { return c.Insert(ctx, doc("b")) },
			func(f *fixture) bool { return len(f.find(where("_id", store.Eq, "b"))) == 1 }},
		{Replace, func(ctx context.Context, c store.Collection) error { return c.Replace(ctx, doc("a", "n", int64(2))) },
			func(f *fixture) bool { return len(f.find(where("n", store.Eq, int64(2)))) == 1 }},
		{Delete, func(ctx context.Context, c store.Collection) error { return c.Delete(ctx, "a", 1) },
			func(f *fixture) bool { return len(f.find(where("_id", store.Eq, "a"))) == 0 }},
	} {
		for _, after := range []bool{false, true} {
			cases = append(cases, testCase{
				fmt.Sprintf("a fault of %s, after its effect %t, leaves it whole", w.op, after),
				func(f *fixture) {
					f.insert(doc("a", "n", int64(1)))
					fault, c := f.faulty(Rule{Op: w.op, After: after, Err: errDisk})
					f.is(w.write(f.Context(), c), errDisk)
					if w.done(f) != after {
						f.Fatalf("the write was done: %t", !after)
					}
					fault.Clear()
					if err := w.write(f.Context(), c); (err == nil) == after {
						f.Fatalf("again: %v", err)
					}
				},
			})
		}
	}
	return append(cases, faultReads...)
}

var faultReads = []testCase{
	{"a fault of Get gives no document", func(f *fixture) {
		f.insert(doc("a"))
		_, c := f.faulty(Rule{Op: Get, After: true, Err: errDisk})
		d, err := c.Get(f.Context(), "a")
		f.is(err, errDisk)
		if d.ID != "" || d.Body != nil {
			f.Fatalf("got %v", d)
		}
	}},
	{"a fault of Find comes before the first document or behind the last", func(f *fixture) {
		f.insert(doc("a"), doc("b"))
		_, c := f.faulty(Rule{Op: Find, Err: errDisk, Times: 1}, Rule{Op: Find, After: true, Err: errDisk})
		for _, want := range []int{0, 2} {
			got, err := ids(f.Context(), c, store.Query{})
			f.is(err, errDisk)
			if len(got) != want {
				f.Fatalf("found %q", got)
			}
		}
	}},
	{"a fault may skip some operations and meet some", func(f *fixture) {
		_, c := f.faulty(Rule{Op: Insert, Skip: 2, Times: 3, Err: errDisk})
		for i := range 8 {
			want := error(nil)
			if i >= 2 && i < 5 {
				want = errDisk
			}
			f.is(c.Insert(f.Context(), doc(fmt.Sprint(i))), want)
		}
		f.finds(store.Query{}, "0", "1", "5", "6", "7")
	}},
	{"a fault of one collection leaves the others alone", func(f *fixture) {
		fault, c := f.faulty(Rule{Collection: "Other", Err: errDisk})
		if err := c.Insert(f.Context(), doc("a")); err != nil {
			f.Fatal(err)
		}
		_, err := fault.Collection(f.Context(), store.Spec{Name: "Other"})
		f.is(err, errDisk)
	}},
	{"a fault of Ping and Collection is returned", func(f *fixture) {
		fault, _ := f.faulty(Rule{Err: errDisk})
		f.is(fault.Ping(f.Context()), errDisk)
		_, err := fault.Collection(f.Context(), wide)
		f.is(err, errDisk)
	}},
	{"a slow operation ends with its context, done or not as the rule says", func(f *fixture) {
		_, c := f.faulty(Rule{Op: Insert, Delay: time.Hour, Times: 1}, Rule{Op: Insert, Delay: time.Hour, After: true})
		for _, id := range []string{"before", "after"} {
			ctx, cancel := context.WithTimeout(f.Context(), 100*time.Millisecond)
			f.is(c.Insert(ctx, doc(id)), context.DeadlineExceeded)
			cancel()
		}
		f.finds(store.Query{}, "after")
	}},
	{"a slow operation that is waited for succeeds", func(f *fixture) {
		_, c := f.faulty(Rule{Delay: time.Millisecond})
		if err := c.Insert(f.Context(), doc("a")); err != nil {
			f.Fatal(err)
		}
		if _, err := c.Get(f.Context(), "a"); err != nil {
			f.Fatal(err)
		}
	}},
}

// faulty opens the collection of f through a Fault with these rules.
func (f *fixture) faulty(rules ...Rule) (*Fault, store.Collection) {
	f.Helper()
	fault := NewFault(f.db)
	c, err := fault.Collection(f.Context(), wide)
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range rules {
		fault.Add(r)
	}
	return fault, c
}
