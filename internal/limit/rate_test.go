package limit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/clocktest"
)

func TestRateLetsABurstThroughAndThenItsPace(t *testing.T) {
	c := clocktest.At(time.Now())
	r := NewRate(RateConfig{PerMinute: 60, Burst: 10, Now: c.Now})
	for i := range 10 {
		if _, ok := r.Allow("k"); !ok {
			t.Fatalf("event %d of the burst was refused", i+1)
		}
	}
	for range 3 {
		if wait, ok := r.Allow("k"); ok || wait != time.Second {
			t.Errorf("behind the burst: %s, %v; want 1 s", wait, ok)
		}
	}
	if _, ok := r.Allow("other"); !ok {
		t.Error("another key was refused")
	}
	c.Advance(999 * time.Millisecond)
	if wait, ok := r.Allow("k"); ok || wait != time.Millisecond {
		t.Errorf("too early: %s, %v", wait, ok)
	}
	c.Advance(time.Millisecond)
	if _, ok := r.Allow("k"); !ok {
		t.Error("refused after the wait it was told")
	}
	c.Advance(time.Hour)
	passed := 0
	for range 100 {
		if _, ok := r.Allow("k"); ok {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("after rest %d pass at once, want 10", passed)
	}
}

func TestRateOverTimeIsWhatWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(RateConfig{PerMinute: 120, Burst: 5})
		passed, end := 0, time.Now().Add(10*time.Minute)
		for time.Now().Before(end) {
			wait, ok := r.Allow("k")
			if ok {
				passed++
				continue
			}
			time.Sleep(wait)
		}
		if passed < 1200 || passed > 1205 {
			t.Errorf("%d passed in ten minutes, want 1200 and the burst", passed)
		}
	})
}

func TestRateForgetsNothingThatCounts(t *testing.T) {
	c := clocktest.At(time.Now())
	r := NewRate(RateConfig{PerMinute: 6, Burst: 6, Now: c.Now}) // one in 10 s
	passed := 0
	for range 600 { // ten minutes, over many rotations
		if _, ok := r.Allow("k"); ok {
			passed++
		}
		c.Advance(time.Second)
	}
	if passed < 60 || passed > 66 {
		t.Errorf("%d passed, want 60 and the burst", passed)
	}
}

func TestRateHoldsABoundedNumberOfKeys(t *testing.T) {
	r := NewRate(RateConfig{PerMinute: 1, Keys: 1000})
	for i := range 100_000 {
		r.Allow(fmt.Sprint(i))
		if n := len(r.empty) + len(r.old); n > 1000 {
			t.Fatalf("%d keys", n)
		}
	}
}

func TestRateIsExactUnderConcurrency(t *testing.T) {
	c := clocktest.At(time.Now())
	r := NewRate(RateConfig{PerMinute: 60, Burst: 100, Now: c.Now})
	var passed atomic.Int32
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 20 {
				if _, ok := r.Allow("k"); ok {
					passed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d passed, want 100", passed.Load())
	}
}

func BenchmarkRate(b *testing.B) {
	r := NewRate(RateConfig{PerMinute: 1 << 20})
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r.Allow("192.0.2.1")
		}
	})
}
