package hashpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/problem"
)

// hold occupies every slot of p until the returned function is called.
func hold(t *testing.T, p *Pool) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	var running, done sync.WaitGroup
	for range p.cfg.Slots {
		running.Add(1)
		done.Go(func() {
			if err := p.Do(t.Context(), "holder", func() { running.Done(); <-gate }); err != nil {
				t.Errorf("holder: %v", err)
			}
		})
	}
	running.Wait()
	return func() { close(gate); done.Wait() }
}

func TestNoMoreRunThanThereAreSlots(t *testing.T) {
	p := New(Config{Slots: 3, Queue: 100, Wait: time.Minute})
	var now, most atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := p.Do(t.Context(), fmt.Sprint(i%7), func() {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				now.Add(-1)
			})
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if m := most.Load(); m > 3 {
		t.Errorf("%d ran at once", m)
	}
	if p.free != 3 || p.depth != 0 || len(p.lanes) != 0 || len(p.turn) != 0 {
		t.Errorf("pool is not empty again: %+v", p)
	}
}

func TestAFullQueueRefusesWithRetryAfterAndTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1, Queue: 1, Linger: 40 * time.Millisecond})
		release := hold(t, p)
		var wg sync.WaitGroup
		wg.Go(func() { _ = p.Do(t.Context(), "a", func() {}) })
		synctest.Wait()
		for what, refused := range map[string]func() error{
			"Do":    func() error { return p.Do(t.Context(), "a", func() { t.Error("ran") }) },
			"Ready": func() error { return p.Ready(t.Context(), "a") },
		} {
			start := time.Now()
			if err := refused(); !errors.Is(err, problem.ServiceUnavailable(0)) || problem.From(err).RetryAfter == 0 {
				t.Errorf("%s: %v", what, err)
			}
			if took := time.Since(start); took != 40*time.Millisecond {
				t.Errorf("%s: refused after %v", what, took)
			}
		}
		release()
		wg.Wait()
		start := time.Now()
		if err := p.Ready(t.Context(), "a"); err != nil || time.Since(start) != 0 {
			t.Errorf("an empty pool is not ready: %v after %v", err, time.Since(start))
		}
		if p.Shed() != 2 {
			t.Errorf("shed %d", p.Shed())
		}
	})
}

func TestOnlySoManyRefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1, Queue: 1})
		release := hold(t, p)
		var wg sync.WaitGroup
		wg.Go(func() { _ = p.Do(t.Context(), "a", func() {}) })
		synctest.Wait()
		for range maxLinger {
			wg.Go(func() { _ = p.Ready(t.Context(), "a") })
		}
		synctest.Wait()
		start := time.Now()
		if err := p.Ready(t.Context(), "a"); err == nil || time.Since(start) != 0 {
			t.Errorf("one more: %v after %v", err, time.Since(start))
		}
		release()
		wg.Wait()
	})
}

func TestAWaitEndsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1, Queue: 5, Wait: time.Second})
		release := hold(t, p)
		start := time.Now()
		err := p.Do(t.Context(), "a", func() { t.Error("ran") })
		if !errors.Is(err, problem.ServiceUnavailable(0)) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if p.Depth() != 0 {
			t.Errorf("depth %d", p.Depth())
		}
		release()
	})
}

func TestACallerWhoLeavesGivesUpHisPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1})
		release := hold(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.Do(ctx, "a", func() { t.Error("ran") }); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		release()
		if p.free != 1 {
			t.Errorf("%d slots free", p.free)
		}
	})
}

func TestNetworksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1, Queue: 20, Wait: time.Minute})
		release := hold(t, p)
		var order []string
		var wg sync.WaitGroup
		for _, name := range []string{"flood", "flood", "flood", "flood", "quiet"} {
			wg.Go(func() { _ = p.Do(t.Context(), name, func() { order = append(order, name) }) })
			synctest.Wait()
		}
		release()
		wg.Wait()
		if order[1] != "quiet" {
			t.Errorf("the quiet network waited behind the flood: %v", order)
		}
	})
}

func TestAFloodCannotFillTheQueueForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Slots: 1, Queue: 4, Wait: time.Minute})
		release := hold(t, p)
		var flood, refused atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if p.Do(t.Context(), "flood", func() { flood.Add(1) }) != nil {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		wg.Go(func() {
			if err := p.Do(t.Context(), "quiet", func() {}); err != nil {
				t.Errorf("quiet network was refused: %v", err)
			}
		})
		synctest.Wait()
		release()
		wg.Wait()
		if flood.Load() != 3 || refused.Load() != 1 {
			t.Errorf("flood ran %d, refused %d", flood.Load(), refused.Load())
		}
	})
}

func TestAPanicGivesTheSlotBack(t *testing.T) {
	p := New(Config{Slots: 1})
	func() {
		defer func() { _ = recover() }()
		_ = p.Do(t.Context(), "a", func() { panic("x") })
	}()
	if err := p.Do(t.Context(), "a", func() {}); err != nil {
		t.Error(err)
	}
}
