package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"ccms/internal/store"
)

var raceCases = []testCase{
	{"of 32 inserts of one id exactly one wins, in 50 rounds", func(f *fixture) {
		race(f, 50, func(round, worker int) store.Doc {
			return doc(fmt.Sprint(round), "n", int64(worker))
		})
	}},
	{"of 32 inserts of one unique key exactly one wins, in 200 rounds", func(f *fixture) {
		race(f, 200, func(round, worker int) store.Doc {
			return doc(fmt.Sprintf("%d-%d", round, worker), "email", fmt.Sprint(round))
		})
	}},
	{"of 32 inserts of the key of an expired document exactly one wins, in 50 rounds", func(f *fixture) {
		for round := range 50 {
			f.insert(doc(fmt.Sprintf("%d-old", round), "email", fmt.Sprint(round), "gone", noon))
		}
		race(f, 50, func(round, worker int) store.Doc {
			return doc(fmt.Sprintf("%d-%d", round, worker), "email", fmt.Sprint(round))
		})
	}},
	{"of 32 replacements of one revision exactly one wins, in 50 rounds", func(f *fixture) {
		f.insert(doc("a"))
		for round := range 50 {
			oneWinner(f, store.ErrStale, func(worker int) error {
				d := doc("a", "n", int64(worker))
				d.Rev = int64(round + 1)
				return f.c.Replace(f.Context(), d)
			})
		}
	}},
	{"of 32 deletions of one revision exactly one wins, in 50 rounds", func(f *fixture) {
		for range 50 {
			f.insert(doc("a"))
			oneWinner(f, store.ErrStale, func(int) error { return f.c.Delete(f.Context(), "a", 1) })
		}
	}},
	{"1,600 increments by 16 writers end at exactly 1,600", increments},
	{"a refused write spoils none of those that run beside it", func(f *fixture) {
		f.insert(doc("taken", "email", "x"))
		var inserted atomic.Int64
		together(f, 32, func(worker int) error {
			for i := range 20 {
				err := f.c.Insert(f.Context(), doc(fmt.Sprint(worker, i), "n", int64(i)))
				if err != nil {
					return err
				}
				inserted.Add(1)
				if err := f.c.Insert(f.Context(), doc(fmt.Sprint("no", worker, i), "email", "x")); !errors.Is(err, store.ErrExists) {
					return fmt.Errorf("got %v", err)
				}
				if err := f.c.Delete(f.Context(), "taken", 7); !errors.Is(err, store.ErrStale) {
					return fmt.Errorf("got %v", err)
				}
			}
			return nil
		})
		if n := len(f.find(store.Query{})); n != int(inserted.Load())+1 {
			f.Fatalf("found %d documents, %d were acknowledged", n, inserted.Load()+1)
		}
	}},
	{"a write is seen by every read that starts after it", func(f *fixture) {
		together(f, 16, func(worker int) error {
			for i := range 40 {
				d := doc(fmt.Sprint(worker, "-", i), "email", fmt.Sprint(worker, "-", i))
				if err := f.c.Insert(f.Context(), d); err != nil {
					return err
				}
				if _, err := f.c.Get(f.Context(), d.ID); err != nil {
					return fmt.Errorf("get: %w", err)
				}
				found, err := ids(f.Context(), f.c, where("email", store.Eq, d.ID))
				if err != nil || len(found) != 1 {
					return fmt.Errorf("find: %q %w", found, err)
				}
			}
			return nil
		})
	}},
	{"reads and replacements of one document are linearizable", linearizable},
}

// together runs work in so many goroutines and fails with their first error.
func together(f *fixture, workers int, work func(worker int) error) {
	f.Helper()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = work(w) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			f.Fatal(err)
		}
	}
}

// race inserts one document of each of 32 workers at the same time, in rounds.
func race(f *fixture, rounds int, make func(round, worker int) store.Doc) {
	for round := range rounds {
		oneWinner(f, store.ErrExists, func(worker int) error {
			return f.c.Insert(f.Context(), make(round, worker))
		})
	}
	if n := len(f.find(store.Query{})); n != rounds {
		f.Fatalf("found %d documents after %d rounds", n, rounds)
	}
}

// oneWinner runs 32 writes at the same time. All but one must get lost.
func oneWinner(f *fixture, lost error, write func(worker int) error) {
	f.Helper()
	var won atomic.Int64
	together(f, 32, func(worker int) error {
		err := write(worker)
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, lost) {
			return err
		}
		return nil
	})
	if won.Load() != 1 {
		f.Fatalf("%d writers won", won.Load())
	}
}

func increments(f *fixture) {
	type counter struct{ N int64 }
	of, err := store.Open[counter](f.Context(), f.db, store.Spec{Name: "Counter"})
	if err != nil {
		f.Fatal(err)
	}
	if err := of.Insert(f.Context(), "a", counter{}); err != nil {
		f.Fatal(err)
	}
	together(f, 16, func(int) error {
		for range 100 {
			if _, err := of.Update(f.Context(), "a", func(c *counter) error { c.N++; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	r, err := of.Get(f.Context(), "a")
	if err != nil || r.Value.N != 1600 || r.Rev != 1601 {
		f.Fatalf("ended at %d, revision %d, %v", r.Value.N, r.Rev, err)
	}
}

// register is the state of one document for the checker: a revision and a
// value. A Replace is a compare and swap.
type register struct {
	rev, n int64
}

type access struct {
	write bool
	rev   int64 // of a write
	n     int64
}

type outcome struct {
	register // of a read
	done     bool
}

var registerModel = porcupine.Model{
	Init: func() any { return register{rev: 1} },
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.(register), input.(access), output.(outcome)
		switch {
		case !in.write:
			return out.register == now, now
		case out.done:
			return in.rev == now.rev, register{rev: now.rev + 1, n: in.n}
		}
		return in.rev != now.rev, now
	},
}

func linearizable(f *fixture) {
	f.insert(doc("a", "n", int64(0)))
	history := make([][]porcupine.Operation, 8)
	start := time.Now()
	together(f, len(history), func(client int) error {
		known := register{rev: 1}
		for i := range 60 {
			in := access{write: rand.N(2) == 0, rev: known.rev, n: int64(client*1000 + i)}
			op := porcupine.Operation{ClientId: client, Input: in, Call: int64(time.Since(start))}
			out, err := perform(f.Context(), f.c, in)
			if err != nil {
				return err
			}
			op.Return, op.Output = int64(time.Since(start)), out
			history[client] = append(history[client], op)
			if !in.write {
				known = out.register
			}
		}
		return nil
	})
	var all []porcupine.Operation
	for _, ops := range history {
		all = append(all, ops...)
	}
	if r := porcupine.CheckOperationsTimeout(registerModel, all, 5*time.Second); r != porcupine.Ok {
		f.Fatalf("the history is %s", strings.ToLower(string(r)))
	}
}

func perform(ctx context.Context, c store.Collection, in access) (outcome, error) {
	if in.write {
		d := doc("a", "n", in.n)
		d.Rev = in.rev
		err := c.Replace(ctx, d)
		if errors.Is(err, store.ErrStale) {
			return outcome{}, nil
		}
		return outcome{done: err == nil}, err
	}
	d, err := c.Get(ctx, "a")
	if err != nil {
		return outcome{}, err
	}
	n, err := store.Key(d.Body, "n")
	if err != nil {
		return outcome{}, err
	}
	return outcome{register: register{rev: d.Rev, n: n.(int64)}}, nil
}
