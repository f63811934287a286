package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/limit"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// quotas are processes on one store, with a clock that a test moves.
type quotas struct {
	*clocktest.Clock
	t   *testing.T
	db  *storetest.Fault
	max int
}

func newQuotas(t *testing.T, max int) *quotas {
	return &quotas{Clock: clocktest.At(time.Now().Truncate(time.Minute)), t: t, db: storetest.NewFault(storetest.New(t)), max: max}
}

func (q *quotas) open() *limit.Quota {
	q.t.Helper()
	o, err := limit.OpenQuota(q.t.Context(), limit.QuotaConfig{DB: q.db, Max: q.max, Now: q.Now})
	if err != nil {
		q.t.Fatal(err)
	}
	return o
}

// taken takes until there is no more, and returns how often that went.
func (q *quotas) taken(o *limit.Quota, key string) int {
	q.t.Helper()
	for n := 0; ; n++ {
		switch err := o.Take(q.t.Context(), key); {
		case err == nil:
		case isLocked(err):
			return n
		default:
			q.t.Fatal(err)
		}
	}
}

func isLocked(err error) bool {
	_, ok := errors.AsType[*limit.Locked](err)
	return ok
}

func TestAQuotaIsUsedToTheLast(t *testing.T) {
	for _, max := range []int{1, 2, 7, 8, 9, 100, 5000} {
		q := newQuotas(t, max)
		if n := q.taken(q.open(), "a"); n != max {
			t.Errorf("%d of %d taken", n, max)
		}
		if n := q.taken(q.open(), "b"); n != max {
			t.Errorf("%d of %d taken of another key", n, max)
		}
		if n := q.taken(q.open(), "a"); n != 0 {
			t.Errorf("%d of %d taken after a restart", n, max)
		}
	}
}

func TestAQuotaIsExactUnderManyTakersOfSeveralProcesses(t *testing.T) {
	q := newQuotas(t, 500)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		o := q.open()
		for range 64 {
			wg.Go(func() {
				for range 10 {
					switch err := o.Take(t.Context(), "a"); {
					case err == nil:
						taken.Add(1)
					case !isLocked(err):
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := taken.Load(); n > 500 || n < 490 {
		t.Errorf("%d of 500 taken", n)
	}
}

func TestATakeCostsFewWrites(t *testing.T) {
	q := newQuotas(t, 100_000)
	o := q.open()
	for range 10_000 {
		if err := o.Take(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := q.db.Collection(t.Context(), store.Spec{Name: "Quota", Expires: "expires"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := docs.Get(t.Context(), "a")
	if err != nil || d.Rev > 50 {
		t.Errorf("%d writes for 10,000 events, %v", d.Rev, err)
	}
}

// TestNoWindowSeesMoreThanTheQuota plays hours of random use by processes that
// come and go, and looks at every window.
func TestNoWindowSeesMoreThanTheQuota(t *testing.T) {
	const max = 40
	random := rand.New(rand.NewPCG(1, 2))
	q := newQuotas(t, max)
	processes := []*limit.Quota{q.open(), q.open()}
	var at []time.Time
	for range 2000 {
		i := random.IntN(2)
		if random.IntN(50) == 0 {
			processes[i] = q.open() // the one before was killed
		}
		switch err := processes[i].Take(t.Context(), "a"); {
		case err == nil:
			at = append(at, q.Now())
		case !isLocked(err):
			t.Fatal(err)
		}
		q.Advance(time.Duration(random.IntN(20_000)) * time.Millisecond)
	}
	first := 0
	for i := range at {
		for !at[first].After(at[i].Add(-time.Hour)) {
			first++
		}
		if n := i - first + 1; n > max {
			t.Fatalf("%d in the hour before %s, want at most %d", n, at[i], max)
		}
	}
	if len(at) < 200 {
		t.Errorf("only %d taken in five hours", len(at))
	}
}

func TestWhatIsLockedOpensAfterTheWindow(t *testing.T) {
	q := newQuotas(t, 10)
	o := q.open()
	q.taken(o, "a")
	locked, ok := errors.AsType[*limit.Locked](o.Take(t.Context(), "a"))
	if wait := locked.Until.Sub(q.Now()); !ok || wait <= 0 || wait > time.Hour {
		t.Errorf("locked for %s", wait)
	}
	q.Advance(time.Hour + 10*time.Second - time.Millisecond)
	if n := q.taken(o, "a"); n != 0 {
		t.Errorf("%d taken before", n)
	}
	q.Advance(time.Millisecond)
	if n := q.taken(o, "a"); n != 10 {
		t.Errorf("%d taken after, want 10", n)
	}
}

func TestASlowTakerWastesNothing(t *testing.T) {
	q := newQuotas(t, 100)
	o := q.open()
	for i := range 100 {
		if err := o.Take(t.Context(), "a"); err != nil {
			t.Fatalf("take %d: %v", i, err)
		}
		q.Advance(11 * time.Second)
	}
	if err := o.Take(t.Context(), "a"); !isLocked(err) {
		t.Errorf("got %v", err)
	}
}

func TestAWriteWhoseAnswerWasLostNeverGivesTooMuch(t *testing.T) {
	q := newQuotas(t, 50)
	o := q.open()
	n := 0
	for i := range 20 {
		q.db.Add(storetest.Rule{Collection: "Quota", Op: storetest.Replace, Skip: i % 3, Times: 1, After: true, Err: errors.New("lost")})
		for range 4 {
			if err := o.Take(t.Context(), "a"); err == nil {
				n++
			}
		}
		if i%5 == 4 {
			q.Advance(11 * time.Second)
		}
	}
	q.db.Clear()
	n += q.taken(o, "a")
	if n > 50 || n < 30 {
		t.Errorf("%d taken, want at most 50", n)
	}
}

func TestRunGivesBackWhatIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		open := func() *limit.Quota {
			o, err := limit.OpenQuota(t.Context(), limit.QuotaConfig{DB: db, Max: 80})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		idle, busy := open(), open()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- idle.Run(ctx) }()
		take := func(o *limit.Quota, want int) {
			t.Helper()
			n := 0
			for ; o.Take(t.Context(), "a") == nil; n++ {
			}
			if n != want {
				t.Errorf("%d taken, want %d", n, want)
			}
		}
		if err := idle.Take(t.Context(), "a"); err != nil { // takes a share of ten
			t.Fatal(err)
		}
		take(busy, 70)
		time.Sleep(2 * time.Minute)
		take(busy, 9)
		if err := idle.Take(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		n := 0
		for ; busy.Take(t.Context(), "b") == nil; n++ {
		}
		if n != 79 {
			t.Errorf("%d of the other key taken, want 79", n)
		}
	})
}

func TestAQuotaTellsFailures(t *testing.T) {
	q := newQuotas(t, 5)
	o := q.open()
	q.db.Add(storetest.Rule{Collection: "Quota", Err: errors.New("disk is gone")})
	if err := o.Take(t.Context(), "a"); err == nil || isLocked(err) {
		t.Errorf("got %v", err)
	}
	q.db.Clear()
	if n := q.taken(o, "a"); n != 5 {
		t.Errorf("%d taken, want 5", n)
	}
	if _, err := limit.OpenQuota(t.Context(), limit.QuotaConfig{DB: q.db}); err == nil {
		t.Error("a quota of nothing was opened")
	}
}

func TestATakeEndsWithItsContext(t *testing.T) {
	q := newQuotas(t, 5)
	o := q.open()
	ctx, cancel := context.WithCancel(t.Context())
	q.db.Add(storetest.Rule{Collection: "Quota", Op: storetest.Get, Delay: time.Hour})
	var first sync.WaitGroup
	first.Go(func() { _ = o.Take(ctx, "a") })
	first.Go(func() { _ = o.Take(ctx, "a") })
	cancel()
	first.Wait()
}

func BenchmarkQuotaTake(b *testing.B) {
	for _, keys := range []int{1, 16} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			o, err := limit.OpenQuota(b.Context(), limit.QuotaConfig{DB: storetest.New(b), Max: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				key := fmt.Sprint(n.Add(1) % int64(keys))
				for pb.Next() {
					if err := o.Take(b.Context(), key); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
