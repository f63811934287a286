package limit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ccms/internal/store"
)

// Quota bounds how many events of a key happen within a window, over any number
// of instances and restarts, and costs one write for many events: a process
// takes a share of what is left and hands it out from memory.
//
// No window, wherever it begins, sees more than Max. It may see fewer: what a
// killed process held is lost, and what another instance holds is out of reach
// until it is given back, within a minute. A share is an eighth of what is left
// and lives ten seconds, so both are little.
type Quota struct {
	docs   *store.Of[quotaDocument]
	max    int
	window time.Duration
	now    func() time.Time

	mu     sync.Mutex
	shares map[string]*share // by key
}

// QuotaConfig is what OpenQuota needs.
type QuotaConfig struct {
	DB store.DB
	// Collection, by default "Quota". Keys stand in it in clear.
	Collection string
	// Max is how many events a window holds, at least 1.
	Max int
	// Window, by default an hour.
	Window time.Duration
	// Now is the clock, by default time.Now. Documents vanish from the store by
	// the store's own clock.
	Now func() time.Time
}

const (
	// slot is how long a share lives. All shares of a slot count from its end,
	// when the last event of it may have been.
	slot = 10 * time.Second
	// maxShare bounds what a crash loses where Max is large.
	maxShare = 256
	// tidyEvery is how often Run gives back what is left of shares that ended.
	tidyEvery = time.Minute
)

// quotaDocument is what was taken of one key's quota.
type quotaDocument struct {
	Taken   []taken   `bson:"taken"` // oldest first
	Expires time.Time `bson:"expires"`
}

// taken is what one holder took in one slot. It is written as a whole, so that
// a write done twice counts once.
type taken struct {
	Holder string    `bson:"holder"`
	Slot   time.Time `bson:"slot"` // its beginning
	N      int       `bson:"n"`
}

// share is what this process holds of a key's quota; whoever has the turn may
// touch it.
type share struct {
	turn   chan struct{}
	holder string
	slot   time.Time
	total  int // taken in the slot
	left   int // of it
}

// OpenQuota opens the quota kept in cfg.DB.
func OpenQuota(ctx context.Context, cfg QuotaConfig) (*Quota, error) {
	if cfg.Max < 1 {
		return nil, fmt.Errorf("limit: a quota of %d, want at least 1", cfg.Max)
	}
	if cfg.Collection == "" {
		cfg.Collection = "Quota"
	}
	if cfg.Window == 0 {
		cfg.Window = time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	docs, err := store.Open[quotaDocument](ctx, cfg.DB, store.Spec{Name: cfg.Collection, Expires: "expires"})
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	return &Quota{docs: docs, max: cfg.Max, window: cfg.Window, now: cfg.Now, shares: map[string]*share{}}, nil
}

// Take counts one event of key. It fails with *Locked, whose Until is at most a
// window away, when the quota is used up, or with an error of the store or the
// context.
func (q *Quota) Take(ctx context.Context, key string) error {
	s := q.share(key)
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := q.now()
	if s.left == 0 || !s.slot.Equal(now.Truncate(slot)) {
		if err := q.renew(ctx, key, s, now); err != nil {
			return err
		}
	}
	s.left--
	return nil
}

func (q *Quota) share(key string) *share {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.shares[key]
	if s == nil {
		s = &share{turn: make(chan struct{}, 1), holder: rand.Text()}
		q.shares[key] = s
	}
	return s
}

// renew gives back what is left of s and takes a new share. The caller holds
// the turn. After an error s is as before; a share taken in a write whose
// answer was lost is lost with it.
func (q *Quota) renew(ctx context.Context, key string, s *share, now time.Time) error {
	next := share{slot: now.Truncate(slot)}
	err := q.update(ctx, key, func(d *quotaDocument) error {
		d.settle(s)
		left := q.max - d.sum(now.Add(-q.window))
		if left <= 0 {
			return &Locked{Rule: "quota", Until: q.until(d, now)}
		}
		next.left = min(max(left/8, 1), maxShare)
		next.total = next.left
		if next.slot.Equal(s.slot) {
			next.total += s.total - s.left
		}
		d.set(taken{s.holder, next.slot, next.total})
		d.Expires = now.Add(q.window + 2*slot)
		return nil
	})
	if err == nil {
		s.slot, s.total, s.left = next.slot, next.total, next.left
	}
	return err
}

// update changes the document of key, which the first event makes.
func (q *Quota) update(ctx context.Context, key string, change func(*quotaDocument) error) error {
	for {
		_, err := q.docs.Update(ctx, key, change)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		var d quotaDocument
		if err := change(&d); err != nil {
			return err
		}
		if err = q.docs.Insert(ctx, key, d); !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

// until is when something is left again.
func (q *Quota) until(d *quotaDocument, now time.Time) time.Time {
	end := now.Add(q.window)
	over := d.sum(now.Add(-q.window)) - q.max
	for _, t := range d.Taken {
		if over -= t.N; over < 0 {
			if at := t.Slot.Add(slot + q.window); at.Before(end) {
				return at
			}
			break
		}
	}
	return end
}

// settle notes how much of a share was used.
func (d *quotaDocument) settle(s *share) {
	if s.total > 0 {
		d.set(taken{s.holder, s.slot, s.total - s.left})
	}
}

// set replaces what a holder took in a slot.
func (d *quotaDocument) set(t taken) {
	d.Taken = slices.DeleteFunc(d.Taken, func(o taken) bool { return o.Holder == t.Holder && o.Slot.Equal(t.Slot) })
	if t.N == 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(d.Taken, t, func(a, b taken) int {
		return cmp.Or(a.Slot.Compare(b.Slot), cmp.Compare(a.Holder, b.Holder))
	})
	d.Taken = slices.Insert(d.Taken, at, t)
}

// sum forgets slots that ended before a time, and counts the others.
func (d *quotaDocument) sum(since time.Time) int {
	d.Taken = slices.DeleteFunc(d.Taken, func(t taken) bool { return !t.Slot.Add(slot).After(since) })
	n := 0
	for _, t := range d.Taken {
		n += t.N
	}
	return n
}

// Run gives back what is left of shares that ended, until ctx ends; then all
// that is left. It returns nil: what could not be given back comes back by
// itself, a window later.
func (q *Quota) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			q.tidy(context.WithoutCancel(ctx), func(*share) bool { return true })
			return nil
		case <-tick.C:
			q.tidy(ctx, func(s *share) bool { return !s.slot.Equal(q.now().Truncate(slot)) })
		}
	}
}

// tidy gives back and forgets the shares that ended says of. One in use is left
// to who uses it.
func (q *Quota) tidy(ctx context.Context, ended func(*share) bool) {
	q.mu.Lock()
	idle := map[string]*share{}
	for key, s := range q.shares {
		select {
		case s.turn <- struct{}{}:
			idle[key] = s
		default:
		}
	}
	q.mu.Unlock()
	for key, s := range idle {
		if ended(s) {
			q.giveBack(ctx, key, s)
		}
		<-s.turn
	}
}

// giveBack settles and empties s. Without an answer of the store s is empty all
// the same: a share is used once.
func (q *Quota) giveBack(ctx context.Context, key string, s *share) {
	if s.left > 0 {
		_ = q.update(ctx, key, func(d *quotaDocument) error { d.settle(s); return nil })
	}
	s.total, s.left = s.total-s.left, 0
	q.mu.Lock()
	defer q.mu.Unlock()
	if !s.slot.Equal(q.now().Truncate(slot)) {
		delete(q.shares, key)
	}
}
