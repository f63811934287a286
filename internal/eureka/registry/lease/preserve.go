package lease

import (
	"context"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/eureka"
)

// renewals counts heartbeats in fixed minutes since the registry opened.
type renewals struct {
	opened  time.Time
	minute  atomic.Int64 // the one being counted
	current atomic.Int64
	last    atomic.Int64 // of the last completed minute
	turn    sync.Mutex
}

func (r *renewals) count(now time.Time) {
	r.roll(now)
	r.current.Add(1)
}

// lastMinute is the number of heartbeats in the last completed minute.
func (r *renewals) lastMinute(now time.Time) int64 {
	r.roll(now)
	return r.last.Load()
}

func (r *renewals) roll(now time.Time) {
	m := int64(now.Sub(r.opened) / time.Minute)
	if m <= r.minute.Load() {
		return
	}
	r.turn.Lock()
	defer r.turn.Unlock()
	was := r.minute.Load()
	if m <= was {
		return
	}
	n := r.current.Swap(0)
	if m > was+1 {
		n = 0 // a whole minute passed without a heartbeat
	}
	r.last.Store(n)
	r.minute.Store(m)
}

// perMinute is how many heartbeats a minute an instance promises.
func perMinute(in *eureka.Instance) float64 { return 60 / float64(max(in.Lease.RenewalInterval, 1)) }

// threshold is the number of heartbeats a minute above which leases expire:
// a share of what the living leases promise, each by its own interval. The
// caller holds the lock.
func (t *Table) threshold() int64 {
	return int64(math.Floor(t.perMin*t.cfg.RenewalPercent + 1e-9))
}

// protected reports self-preservation: when far fewer heartbeats arrive than
// promised, the network is likelier to have failed than the instances, and
// nobody is evicted. The caller holds the lock.
func (t *Table) protected() bool {
	if t.cfg.NoSelfPreservation || t.size < t.cfg.ProtectFrom {
		return false
	}
	if t.renewed.lastMinute(t.cfg.Now()) > t.threshold() {
		t.left.Store(false)
		return false
	}
	return !t.left.Load()
}

// Leave ends self-preservation by hand, until enough heartbeats have come and
// failed once more.
func (t *Table) Leave() { t.left.Store(true) }

// budget limits how many leases may be evicted in a minute.
type budget struct {
	since time.Time
	left  int
}

// evictionWindow is the reference's time between evictions; its limit holds
// for such a window however often ours looks.
const evictionWindow = time.Minute

// evictable is how many of size instances may go in one window.
func evictable(size int, percent float64) int {
	return size - int(math.Floor(float64(size)*percent+1e-9))
}

// evictLoop looks for expired leases until ctx ends.
func (t *Table) evictLoop(ctx context.Context) {
	tick := time.NewTicker(t.cfg.EvictEvery)
	defer tick.Stop()
	last := t.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := t.cfg.Now()
		t.Trim()
		late := now.Sub(last) - t.cfg.EvictEvery
		if late < t.cfg.EvictEvery {
			late = 0 // a tick never comes to the millisecond
		}
		for _, in := range t.evict(now, late) {
			t.note("instance evicted", in)
		}
		last = now
	}
}

// evict removes expired leases, at random within the window's budget, and
// returns their instances. compensation is how long this process itself stood
// still: a lease cannot be blamed for that. The search shares the lock with
// heartbeats; only removing takes it alone.
func (t *Table) evict(now time.Time, compensation time.Duration) []*eureka.Instance {
	if compensation > 0 {
		t.prolong(compensation)
	}
	due := t.due(now.UnixMilli())
	if len(due) == 0 {
		return nil
	}
	shuffle(due)
	t.mu.Lock()
	defer t.mu.Unlock()
	due = slices.DeleteFunc(due, func(l *lease) bool { // a heartbeat, or another registration, may have come
		still, ok := t.find(l.inst.App, l.inst.ID)
		return !ok || still != l || now.UnixMilli() <= l.deadline.Load()
	})
	if t.protected() {
		return nil
	}
	var gone []*eureka.Instance
	for _, l := range due[:t.allowance(now, len(due))] {
		t.remove(l, now.UnixMilli())
		gone = append(gone, l.inst)
	}
	t.evicted += int64(len(gone))
	return gone
}

// due is the leases that have run out.
func (t *Table) due(now int64) []*lease {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.protected() {
		return nil
	}
	var due []*lease
	for l := range t.leases() {
		if now > l.deadline.Load() {
			due = append(due, l)
		}
	}
	return due
}

// leases yields all leases; the caller holds the lock.
func (t *Table) leases() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		for _, a := range t.apps {
			for _, l := range a.leases {
				if !yield(l) {
					return
				}
			}
		}
	}
}

// prolong gives every lease the time this process missed.
func (t *Table) prolong(d time.Duration) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for l := range t.leases() {
		l.deadline.Add(d.Milliseconds())
	}
}

// allowance takes up to n evictions from the window's budget.
func (t *Table) allowance(now time.Time, n int) int {
	if n == 0 || t.cfg.NoSelfPreservation || t.size < t.cfg.ProtectFrom {
		return n
	}
	if now.Sub(t.budget.since) >= evictionWindow {
		t.budget = budget{now, evictable(t.size, t.cfg.RenewalPercent)}
	}
	n = min(n, t.budget.left)
	t.budget.left -= n
	return n
}

// Protection is what self-preservation is doing.
type Protection int

// The states of self-preservation.
const (
	Watching Protection = iota // enough heartbeats come
	TooSmall                   // the registry is too small to be protected
	Off                        // switched off by configuration
	Early                      // holding evictions back: no full minute was counted yet
	Holding                    // holding evictions back
	Left                       // too few heartbeats come, but an operator ended it
)

func (t *Table) protection(protected bool) Protection {
	switch {
	case t.cfg.NoSelfPreservation:
		return Off
	case t.size < t.cfg.ProtectFrom:
		return TooSmall
	case protected && t.cfg.Now().Sub(t.started) < 2*time.Minute:
		return Early
	case protected:
		return Holding
	case t.left.Load():
		return Left
	}
	return Watching
}

// Stats is the registry's condition, for metrics and the page.
type Stats struct {
	Instances         map[eureka.Status]int
	Applications      int
	Version           int64
	RenewsLastMinute  int64
	RenewThreshold    int64
	Protected         bool // self-preservation holds evictions back
	LeaseExpiration   bool // leases expire: the opposite of Protected
	Protection        Protection
	ProtectFrom       int   // instances
	Evicted           int64 // leases that ran out since the start
	Delta             int   // entries
	Bytes             int   // about what the instances hold
	Uptime            time.Duration
	OldestUnrenewedMS int64 // since the heartbeat longest ago
}

// Stats returns the present condition.
func (t *Table) Stats() Stats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	now := t.cfg.Now()
	s := Stats{
		Instances: maps.Clone(t.counts), Version: t.version.Load(), Evicted: t.evicted,
		RenewsLastMinute: t.renewed.lastMinute(now), RenewThreshold: t.threshold(), Protected: t.protected(),
		Delta: len(t.log.entries), Bytes: t.bytes, Uptime: now.Sub(t.started),
	}
	s.LeaseExpiration = !s.Protected
	s.Protection = t.protection(s.Protected)
	s.ProtectFrom = t.cfg.ProtectFrom
	for l := range t.leases() {
		s.OldestUnrenewedMS = max(s.OldestUnrenewedMS, now.UnixMilli()-l.renewed.Load())
	}
	for _, a := range t.apps {
		if len(a.leases) > 0 {
			s.Applications++
		}
	}
	return s
}
