package limit

import (
	"sync"
	"time"
)

// RateConfig is what NewRate needs.
type RateConfig struct {
	// PerMinute is the lasting rate of one key, at least 1.
	PerMinute int
	// Burst is how many may come at once, default PerMinute.
	Burst int
	// Keys bounds the memory: past it the keys that lie furthest back are
	// forgotten, which errs on the side of letting through. Default 100,000.
	Keys int
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// Rate throttles keys by the generic cell rate algorithm (ITU-T I.371): one
// time per key says when its bucket is empty again. It lives in memory, is
// exact, and safe for concurrent use.
type Rate struct {
	gap, slack time.Duration
	keys       int
	now        func() time.Time

	mu        sync.Mutex
	empty     map[string]time.Time // theoretical arrival time
	old       map[string]time.Time // the generation before
	rotateDue time.Time
}

// NewRate returns a Rate without any count.
func NewRate(cfg RateConfig) *Rate {
	cfg.PerMinute = max(cfg.PerMinute, 1)
	if cfg.Burst <= 0 {
		cfg.Burst = cfg.PerMinute
	}
	if cfg.Keys <= 0 {
		cfg.Keys = 100_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	gap := time.Minute / time.Duration(cfg.PerMinute)
	return &Rate{
		gap: gap, slack: gap * time.Duration(cfg.Burst), keys: max(cfg.Keys/2, 1), now: cfg.Now,
		empty: map[string]time.Time{},
	}
}

// Allow counts one event of key. When it is too many, ok is false and nothing
// is counted; after wait one is allowed again.
func (r *Rate) Allow(key string) (wait time.Duration, ok bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(now)
	at, known := r.empty[key]
	if !known {
		at = r.old[key]
	}
	if at.Before(now) {
		at = now
	}
	next := at.Add(r.gap)
	if wait := next.Sub(now) - r.slack; wait > 0 {
		return wait, false
	}
	r.empty[key] = next
	return 0, true
}

// rotate keeps two generations of keys. A generation at rest for the whole
// slack holds only full buckets, so dropping it forgets nothing; dropping it
// earlier, because there are too many keys, forgets some counts.
func (r *Rate) rotate(now time.Time) {
	if now.Before(r.rotateDue) && len(r.empty) < r.keys {
		return
	}
	r.old, r.empty = r.empty, make(map[string]time.Time)
	r.rotateDue = now.Add(r.slack)
}
