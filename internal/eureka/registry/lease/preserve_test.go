package lease

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/eureka"
)

// running starts a registry in a bubble of its own time.
func running(t *testing.T, cfg Config) *Table {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	g := New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *Table) have() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.size
}

// pass lets d go by in the bubble.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble: takes no time
	synctest.Wait()
}

// T19
func TestALeaseThatNeverBeatLastsOneDurationAndTwoAfterAHeartbeat(t *testing.T) {
	for _, c := range []struct {
		name  string
		exact bool
		beats bool
		lasts time.Duration
	}{
		{"never beat", false, false, 90 * time.Second},
		{"beat", false, true, 180 * time.Second},
		{"beat, exact mode", true, true, 90 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := running(t, Config{Exact: c.exact})
				mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
				if c.beats {
					g.Heartbeat("SVC", "i", Beat{})
				}
				pass(c.lasts - time.Second)
				if g.have() != 1 {
					t.Fatal("gone too early")
				}
				pass(5 * time.Second)
				if g.have() != 0 {
					t.Error("still there")
				}
				if d := g.Delta(); len(d.Apps) != 1 || d.Apps[0].Instances[0].Action != eureka.Deleted || d.Hash != "" {
					t.Errorf("delta %+v", d)
				}
			})
		})
	}
}

func TestALeaseGoesByItsOwnDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := running(t, Config{})
		in := instance("SVC", "i", eureka.Up, 1)
		in.Lease.Duration = 10
		mustRegister(t, g, in, false)
		pass(13 * time.Second)
		if g.have() != 0 {
			t.Error("still there")
		}
	})
}

// 7.6: a single GET no longer shows it, a heartbeat brings it back.
func TestAnExpiredLeaseIsHiddenUntilAHeartbeatRevivesIt(t *testing.T) {
	g, at := quiet(t, Config{})
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	at.Advance(91 * time.Second)
	if _, ok := g.Instance("SVC", "i"); ok {
		t.Error("shown")
	}
	if g.SetStatus("SVC", "i", eureka.Down, nil) {
		t.Error("its status could be set")
	}
	if v, _ := g.Heartbeat("SVC", "i", Beat{}); v != Renewed {
		t.Errorf("heartbeat: %v", v)
	}
	if _, ok := g.Instance("SVC", "i"); !ok {
		t.Error("not revived")
	}
}

func TestTheEvictionLimitIsTheReferences(t *testing.T) {
	for size, want := range map[int]int{1: 1, 2: 1, 10: 2, 100: 15, 20: 3, 0: 0} {
		if got := evictable(size, 0.85); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}

func TestOnlyAShareIsEvictedInAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := running(t, Config{})
		chatty := instance("SVC", "chatty", eureka.Up, 1)
		mustRegister(t, g, chatty, false)
		for i := range 99 {
			mustRegister(t, g, instance("SVC", fmt.Sprint(i), eureka.Up, 1), false)
		}
		// Heartbeats of one keep the count above the threshold while the others
		// say nothing: protection is off, the limit alone holds.
		for range 80 {
			for range 20 {
				g.Heartbeat("SVC", "chatty", Beat{})
			}
			pass(time.Second)
		}
		for range 11 {
			for range 20 {
				g.Heartbeat("SVC", "chatty", Beat{})
			}
			pass(time.Second)
		}
		pass(2 * time.Second)
		if got := g.have(); got != 85 {
			t.Errorf("%d left, want 85: fifteen of a hundred go in a minute", got)
		}
	})
}

func TestAProcessThatStoodStillBlamesNobody(t *testing.T) {
	g, at := quiet(t, Config{})
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	at.Advance(5 * time.Minute)
	if gone := g.evict(at.Now(), 5*time.Minute-2*time.Second); len(gone) != 0 {
		t.Error("evicted for a pause of the registry's own")
	}
	at.Advance(91 * time.Second)
	if gone := g.evict(at.Now(), 0); len(gone) != 1 {
		t.Error("never evicted")
	}
}

// T20
func TestSelfPreservationBeginsAtItsThreshold(t *testing.T) {
	fill := func(g *Table, n int) {
		for i := range n {
			mustRegister(t, g, instance("SVC", fmt.Sprint(i), eureka.Up, 1), false)
		}
	}
	g, at := quiet(t, Config{})
	fill(g, 10) // 20 heartbeats a minute promised, threshold 17
	if s := g.Stats(); s.RenewThreshold != 17 || !s.Protected || s.LeaseExpiration {
		t.Errorf("at start: %+v", s)
	}
	for _, c := range []struct {
		beats     int
		protected bool
	}{{16, true}, {17, true}, {18, false}} {
		for range c.beats {
			g.Heartbeat("SVC", "1", Beat{})
		}
		if s := g.Stats(); s.RenewsLastMinute == int64(c.beats) {
			t.Error("an unfinished minute counts")
		}
		at.Advance(time.Minute)
		if s := g.Stats(); s.RenewsLastMinute != int64(c.beats) || s.Protected != c.protected {
			t.Errorf("%d heartbeats: %+v", c.beats, s)
		}
	}
	at.Advance(2 * time.Minute)
	if s := g.Stats(); s.RenewsLastMinute != 0 {
		t.Errorf("after two silent minutes: %d", s.RenewsLastMinute)
	}
	g.mu.Lock()
	g.cfg.NoSelfPreservation = true
	g.mu.Unlock()
	if g.Stats().Protected {
		t.Error("protected though switched off")
	}

	small, _ := quiet(t, Config{})
	fill(small, 9)
	if small.Stats().Protected {
		t.Error("nine instances are protected")
	}
}

func TestTheThresholdGoesByEachLeasesOwnInterval(t *testing.T) {
	g, _ := quiet(t, Config{})
	fast := instance("SVC", "fast", eureka.Up, 1)
	fast.Lease.RenewalInterval = 5
	mustRegister(t, g, fast, false)
	mustRegister(t, g, instance("SVC", "slow", eureka.Up, 1), false)
	if got := g.Stats().RenewThreshold; got != 11 { // 0.85 × (12 + 2)
		t.Errorf("got %d", got)
	}
	g.Cancel("SVC", "fast")
	if got := g.Stats().RenewThreshold; got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestAProtectedRegistryEvictsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := running(t, Config{})
		for i := range 12 {
			mustRegister(t, g, instance("SVC", fmt.Sprint(i), eureka.Up, 1), false)
		}
		pass(10 * time.Minute)
		if got := g.have(); got != 12 {
			t.Errorf("%d left", got)
		}
		if _, ok := g.Instance("SVC", "1"); !ok {
			t.Error("hidden though nobody expires")
		}
	})
}

func TestEightWritersAtOnceLeaveCountsThatAgree(t *testing.T) {
	g, _ := quiet(t, Config{})
	done := make(chan struct{})
	for w := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 200 {
				id := fmt.Sprint(i % 20)
				switch (i + w) % 5 {
				case 0, 1:
					_ = g.Register(instance("SVC", id, eureka.Up, int64(i)), false)
				case 2:
					g.Heartbeat("SVC", id, Beat{})
				case 3:
					g.SetStatus("SVC", id, eureka.OutOfService, nil)
				case 4:
					g.Cancel("SVC", id)
				}
				_ = g.Delta()
			}
		}()
	}
	for range 8 {
		<-done
	}
	counts := map[eureka.Status]int{}
	for _, app := range g.All().Apps {
		for _, in := range app.Instances {
			counts[in.Status]++
		}
	}
	if got, want := g.All().Hash, eureka.Hash(counts); got != want {
		t.Errorf("hash %s, counted %s", got, want)
	}
}

// 7.8: an operator may end self-preservation; it returns with the next outage.
func TestAnOperatorEndsSelfPreservation(t *testing.T) {
	g, at := quiet(t, Config{ProtectFrom: 1})
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	state := func(want Protection) {
		t.Helper()
		if s := g.Stats(); s.Protection != want || s.Protected != (want == Early || want == Holding) {
			t.Errorf("%+v, want %d", s, want)
		}
	}
	state(Early)
	at.Advance(3 * time.Minute)
	state(Holding)
	if gone := g.evict(at.Now(), 0); len(gone) != 0 {
		t.Fatal("evicted under protection")
	}
	g.Leave()
	state(Left)
	if gone := g.evict(at.Now(), 0); len(gone) != 1 {
		t.Error("not evicted after an operator's word")
	}
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	for range 5 {
		g.Heartbeat("SVC", "i", Beat{})
	}
	at.Advance(time.Minute)
	state(Watching)
	at.Advance(2 * time.Minute)
	state(Holding)
	g.cfg.ProtectFrom = 2
	state(TooSmall)
	g.cfg.NoSelfPreservation = true
	state(Off)
}
