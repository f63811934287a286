package limit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
)

// The rules of decision B5, and one without a lock (B9).
var (
	pair   = Rule{Name: "pair", Max: 5, Window: 15 * time.Minute, Lock: 30 * time.Minute, Forgive: true}
	wide   = Rule{Name: "wide", Max: 50, Window: 15 * time.Minute, Lock: 30 * time.Minute}
	resend = Rule{Name: "resend", Max: 1, Window: time.Minute}
)

type fixture struct {
	*testing.T
	*Counters
	clock *clocktest.Clock
	cfg   Config
}

func setUp(t *testing.T) fixture {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	c := clocktest.At(time.Now()) // the store lets documents expire by its own clock
	cfg := Config{DB: storetest.New(t), Key: secret.New(key), Wait: time.Minute, Now: c.Now}
	return fixture{t, connect(t, cfg), c, cfg}
}

func connect(t *testing.T, cfg Config) *Counters {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(r Rule, key string) Bucket { return Bucket{Rule: r, Key: key} }

func (f fixture) begin(b ...Bucket) *Attempt {
	f.Helper()
	a, err := f.Begin(f.Context(), b...)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

func (f fixture) fail(b ...Bucket) (locked bool) {
	f.Helper()
	locked, err := f.begin(b...).Fail(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return locked
}

func (f fixture) succeed(b ...Bucket) {
	f.Helper()
	if err := f.begin(b...).Succeed(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// locked checks that b is locked by rule for exactly d from now.
func (f fixture) locked(rule Rule, d time.Duration, b ...Bucket) {
	f.Helper()
	_, err := f.Begin(f.Context(), b...)
	l, ok := errors.AsType[*Locked](err)
	if !ok || l.Rule != rule.Name || !l.Until.Equal(f.clock.Now().Add(d).Truncate(time.Millisecond)) {
		f.Fatalf("got %v (%+v), want locked by %s for %s", err, l, rule.Name, d)
	}
}

func (f fixture) state(b Bucket, failed, open int) {
	f.Helper()
	s, err := f.Peek(f.Context(), b)
	if err != nil || s.Failed != failed || s.Open != open {
		f.Errorf("state %+v, %v; want %d failed, %d open", s, err, failed, open)
	}
}

func TestTheFifthFailureLocksForHalfAnHour(t *testing.T) {
	f := setUp(t)
	b := at(pair, "ann@example.com 192.0.2.0/24")
	for i := range 5 {
		if locked := f.fail(b); locked != (i == 4) {
			t.Errorf("failure %d began a lock: %v", i+1, locked)
		}
	}
	f.locked(pair, 30*time.Minute, b)
	f.clock.Advance(10 * time.Minute)
	f.locked(pair, 20*time.Minute, b) // tries during a lock do not extend it
	f.succeed(at(pair, "ann@example.com 198.51.100.0/24"))
	f.clock.Advance(20*time.Minute - time.Millisecond)
	f.locked(pair, time.Millisecond, b)
	f.clock.Advance(time.Millisecond)
	f.state(b, 0, 0)
	for range 4 {
		f.fail(b)
	}
	f.succeed(b) // the count began anew
}

func TestTheCountBeginsAnewWithTheLock(t *testing.T) {
	f := setUp(t)
	b := at(Rule{Name: "r", Max: 3, Window: time.Hour, Lock: time.Minute}, "k")
	for range 4 { // rounds, all of them inside one window
		for range 2 {
			f.fail(b)
		}
		if !f.fail(b) {
			t.Fatal("the third failure began no lock")
		}
		f.locked(b.Rule, time.Minute, b)
		f.clock.Advance(time.Minute)
	}
}

func TestFailuresLeaveTheWindow(t *testing.T) {
	f := setUp(t)
	b := at(pair, "k")
	for range 20 { // never five within 15 minutes
		f.fail(b)
		f.clock.Advance(4 * time.Minute)
	}
	f.state(b, 3, 0)
	f.fail(b)
	if !f.fail(b) {
		t.Error("the fifth inside the window began no lock")
	}
}

func TestASuccessClearsWhatForgives(t *testing.T) {
	f := setUp(t)
	p, w := at(pair, "k"), at(wide, "k")
	for range 4 {
		f.fail(p, w)
	}
	f.succeed(p, w)
	f.state(p, 0, 0)
	f.state(w, 4, 0)
}

func TestTheWideRuleLocksFromEverywhere(t *testing.T) {
	f := setUp(t)
	w := at(wide, "ann")
	for i := range 50 {
		if locked := f.fail(at(pair, fmt.Sprint("ann ", i/4)), w); locked != (i == 49) {
			t.Errorf("failure %d began a lock: %v", i+1, locked)
		}
	}
	fresh := at(pair, "ann elsewhere")
	f.locked(wide, 30*time.Minute, fresh, w)
	f.state(fresh, 0, 0) // refused by one, counted by none
	f.succeed(fresh)     // a network the wide lock spares
}

func TestAResetUnlocks(t *testing.T) {
	f := setUp(t)
	p, w := at(pair, "k"), at(wide, "k")
	for range 5 {
		f.fail(p, w)
	}
	under := f.begin(w)
	if err := f.Reset(t.Context(), p, w, at(pair, "never seen")); err != nil {
		t.Fatal(err)
	}
	f.state(p, 0, 0)
	f.state(w, 0, 1) // what is under way stays counted
	if _, err := under.Fail(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.state(w, 1, 0)
	f.succeed(p, w)
}

func TestACancelledAttemptDoesNotCount(t *testing.T) {
	f := setUp(t)
	b := at(pair, "k")
	for range 20 {
		a := f.begin(b)
		if err := a.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.state(b, 0, 0)
}

func TestAnAttemptIsSettledOnce(t *testing.T) {
	f := setUp(t)
	b := at(pair, "k")
	a := f.begin(b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the caller is gone; his failure counts
	if _, err := a.Fail(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Succeed(t.Context()), a.Cancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if locked, err := a.Fail(t.Context()); locked || err != nil {
		t.Error(locked, err)
	}
	f.state(b, 1, 0)
}

func TestWhatACrashLeftOpenCountsAsFailed(t *testing.T) {
	f := setUp(t)
	b := at(pair, "k")
	for range 5 {
		f.begin(b) // and nobody settles it
	}
	f.state(b, 0, 5)
	f.clock.Advance(30 * time.Second)
	f.locked(pair, 30*time.Minute-30*time.Second, b)
	f.clock.Advance(20 * time.Minute) // the attempts have left the window, the lock stands
	f.locked(pair, 10*time.Minute-30*time.Second, b)
	f.clock.Advance(10*time.Minute - 30*time.Second)
	f.succeed(b)
}

func TestTakeCountsEvents(t *testing.T) {
	f := setUp(t)
	b := at(resend, "ann@example.com")
	day := at(Rule{Name: "resend-day", Max: 3, Window: 24 * time.Hour}, "ann@example.com")
	for range 3 {
		if err := f.Take(t.Context(), b, day); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(20 * time.Second)
		err := f.Take(t.Context(), b, day)
		if l, ok := errors.AsType[*Locked](err); !ok || !l.Until.Equal(f.clock.Now().Add(40*time.Second).Truncate(time.Millisecond)) {
			t.Fatalf("Take after 20 s: %v", err)
		}
		f.clock.Advance(40 * time.Second)
	}
	f.locked(day.Rule, 24*time.Hour-3*time.Minute, b, day)
	f.state(b, 0, 0)
}

func TestTakeLocksWhereTheRuleDoes(t *testing.T) {
	f := setUp(t)
	b := at(Rule{Name: "r", Max: 2, Window: time.Minute, Lock: time.Hour}, "k")
	for range 2 {
		if err := f.Take(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	f.locked(b.Rule, time.Hour, b)
}

func TestLocksSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	f := fixture{T: t, clock: clocktest.At(time.Now())}
	f.cfg = Config{Key: secret.New(bytes.Repeat([]byte{9}, 32)), Now: f.clock.Now}
	reopen := func() {
		if f.cfg.DB != nil {
			if err := f.cfg.DB.Close(); err != nil {
				t.Fatal(err)
			}
		}
		db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		f.cfg.DB = db
		f.Counters = connect(t, f.cfg)
	}
	reopen()
	b := at(pair, "ann@example.com 192.0.2.0/24")
	for range 4 {
		f.fail(b)
	}
	reopen()
	f.state(b, 4, 0)
	f.fail(b)
	reopen()
	f.locked(pair, 30*time.Minute, b)
	if err := f.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(path + "*")
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{"ann@", "192.0.2"} {
			if bytes.Contains(content, []byte(clear)) {
				t.Errorf("%s holds %q in clear", filepath.Base(name), clear)
			}
		}
	}
}

func TestCountersVanishByThemselves(t *testing.T) {
	f := setUp(t)
	f.fail(at(Rule{Name: "short", Max: 9, Window: time.Nanosecond}, "k"))
	for r, err := range f.docs.Find(t.Context(), store.Query{}) {
		t.Errorf("left: %+v, %v", r, err)
	}
}

func TestStoreFailuresAreProblems(t *testing.T) {
	disk := errors.New("disk on fire")
	f := setUp(t)
	fault := storetest.NewFault(f.cfg.DB)
	f.cfg.DB = fault
	f.Counters = connect(t, f.cfg)
	p, w := at(pair, "k"), at(wide, "k")
	f.fail(p, w)
	for _, after := range []bool{false, true} {
		for skip := range 2 {
			fault.Add(storetest.Rule{Op: storetest.Replace, Skip: skip, Times: 1, After: after, Err: disk})
			if _, err := f.Begin(t.Context(), p, w); !errors.Is(err, problem.Database(nil)) {
				t.Errorf("Begin: %v", err)
			}
			fault.Clear()
			f.state(p, 1, 0) // what was counted has been taken back
			f.state(w, 1, 0)
		}
	}
	a := f.begin(p, w)
	fault.Add(storetest.Rule{Op: storetest.Replace, Times: 1, Err: disk})
	if _, err := a.Fail(t.Context()); !errors.Is(err, problem.Database(nil)) {
		t.Errorf("Fail: %v", err)
	}
	f.state(p, 1, 1) // counts as failed when its time is over
	f.state(w, 2, 0)
}

func TestOpenRefusesAShortKey(t *testing.T) {
	if _, err := Open(t.Context(), Config{DB: storetest.New(t), Key: secret.New(make([]byte, 31))}); err == nil {
		t.Error("taken")
	}
}

func TestParallelGuessesNeverExceedTheLimit(t *testing.T) {
	for _, instances := range []int{1, 3} {
		t.Run(fmt.Sprint(instances, " instances"), func(t *testing.T) {
			f := setUp(t)
			list := []*Counters{f.Counters}
			for len(list) < instances {
				list = append(list, connect(t, f.cfg))
			}
			var judged, refused, began atomic.Int32
			var group sync.WaitGroup
			for i := range 200 {
				group.Go(func() {
					a, err := list[i%instances].Begin(t.Context(), at(pair, "k"), at(wide, "k"))
					if _, ok := errors.AsType[*Locked](err); ok {
						refused.Add(1)
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					judged.Add(1)
					locked, err := a.Fail(t.Context())
					if err != nil {
						t.Error(err)
					}
					if locked {
						began.Add(1)
					}
				})
			}
			group.Wait()
			if judged.Load() != 5 || refused.Load() != 195 || began.Load() != 1 {
				t.Errorf("%d judged, %d refused, %d told of the lock; want 5, 195, 1", judged.Load(), refused.Load(), began.Load())
			}
			f.locked(pair, 30*time.Minute, at(pair, "k"), at(wide, "k"))
			f.state(at(wide, "k"), 5, 0)
		})
	}
}

func TestParallelLoginsOfTheOwnerAllGoThrough(t *testing.T) {
	for _, instances := range []int{1, 2} {
		f := setUp(t)
		list := []*Counters{f.Counters, connect(t, f.cfg)}
		var most, now atomic.Int32
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				a, err := list[i%instances].Begin(t.Context(), at(pair, "k"), at(wide, "k"))
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				now.Add(-1)
				if err := a.Succeed(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if most.Load() > 5 {
			t.Errorf("%d attempts at once", most.Load())
		}
		f.state(at(pair, "k"), 0, 0)
		f.state(at(wide, "k"), 0, 0)
	}
}

func TestAWaitForOthersEnds(t *testing.T) {
	f := setUp(t)
	f.cfg.Wait = 20 * time.Millisecond
	f.Counters = connect(t, f.cfg)
	b := at(Rule{Name: "one", Max: 1, Window: time.Minute, Lock: time.Minute}, "k")
	first := f.begin(b)
	if _, err := f.Begin(t.Context(), b); !errors.Is(err, problem.Throttled(0)) {
		t.Errorf("after Wait: %v, want TOO_MANY_REQUESTS", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Begin(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if err := first.Succeed(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.succeed(b)
	if n := len(f.gate.lines); n != 0 {
		t.Errorf("%d lines are left", n)
	}
}

func (c *Counters) waiting(b Bucket) bool {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	l := c.gate.lines[c.id(b)]
	return l != nil && len(l.head) == 1
}

func TestAWaitEndsWithTheSettlement(t *testing.T) {
	f := setUp(t)
	b := at(Rule{Name: "one", Max: 1, Window: time.Minute, Lock: time.Minute}, "k")
	f.poll = time.Hour                                                 // in one process nobody looks, he is told
	for _, other := range []*Counters{f.Counters, connect(t, f.cfg)} { // the same process, another one
		first := f.begin(b)
		done := make(chan error)
		go func() {
			a, err := other.Begin(t.Context(), b)
			if err == nil {
				err = a.Cancel(t.Context())
			}
			done <- err
		}()
		for read := 0; read < 20; { // until it stands in line, and a little longer
			if other.waiting(b) {
				read++
			}
			f.state(b, 0, 1)
		}
		if err := first.Succeed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
