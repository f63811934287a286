package limit

import (
	"context"
	"errors"
	"sync"
	"time"

	"ccms/internal/problem"
)

// Attempt is counted and waits to be settled, once, by Fail, Succeed or
// Cancel; later calls do nothing. One that is never settled, as after a crash,
// becomes a failure. Settling goes on when the caller's context has ended.
type Attempt struct {
	c       *Counters
	id      string
	buckets []Bucket
	once    sync.Once
}

// Fail lets the attempt count. It reports whether this failure began a lock,
// true for one failure only, so that its owner is told once.
func (a *Attempt) Fail(ctx context.Context) (locked bool, err error) {
	a.once.Do(func() {
		began := map[string]bool{} // by rule; a run that lost the race is overwritten
		err = a.c.each(ctx, a.buckets, func(v *counter, b Bucket, now time.Time) (err error) {
			began[b.Rule.Name], err = v.fail(b.Rule, a.id, now)
			return err
		})
		for _, yes := range began {
			locked = locked || yes
		}
	})
	return locked, err
}

// Succeed takes the attempt back, and the failures before it where the rule
// forgives.
func (a *Attempt) Succeed(ctx context.Context) (err error) {
	a.once.Do(func() {
		err = a.c.each(ctx, a.buckets, func(v *counter, b Bucket, _ time.Time) error {
			if b.Rule.Forgive {
				return v.forgive(a.id)
			}
			return v.drop(a.id)
		})
	})
	return err
}

// Cancel takes the attempt back: it was not judged, as when the hash pool was
// full.
func (a *Attempt) Cancel(ctx context.Context) (err error) {
	a.once.Do(func() {
		err = a.c.each(ctx, a.buckets, func(v *counter, _ Bucket, _ time.Time) error { return v.drop(a.id) })
	})
	return err
}

// reserve adds e to the bucket. In this process one caller at a time stands at
// the head of a bucket's line, so that a crowd costs the store one reader and
// is served in the order it came.
func (c *Counters) reserve(ctx context.Context, b Bucket, e entry) error {
	id := c.id(b)
	l := c.gate.enter(id)
	defer c.gate.leave(id)
	late := time.NewTimer(c.wait)
	defer late.Stop()
	select {
	case l.head <- struct{}{}:
		defer func() { <-l.head }()
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return problem.Throttled(time.Second)
	}
	tick := time.NewTicker(c.poll)
	defer tick.Stop()
	for {
		settled := c.gate.next(l) // before the store is read, so that no settlement is missed
		err := c.change(ctx, b, func(v *counter, now time.Time) error {
			e.At = now
			return v.add(b.Rule, e)
		})
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-settled:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return problem.Throttled(time.Second)
		}
	}
}

// gate is where callers of this process wait for each other.
type gate struct {
	mu    sync.Mutex
	lines map[string]*line
}

// line is the queue of one bucket; it lives while somebody stands in it.
type line struct {
	users   int
	head    chan struct{} // held by the first
	settled chan struct{} // closed at the next settlement
}

func (g *gate) enter(id string) *line {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[id]
	if l == nil {
		if g.lines == nil {
			g.lines = map[string]*line{}
		}
		l = &line{head: make(chan struct{}, 1), settled: make(chan struct{})}
		g.lines[id] = l
	}
	l.users++
	return l
}

func (g *gate) leave(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.lines[id]; l.users > 1 {
		l.users--
	} else {
		delete(g.lines, id)
	}
}

func (g *gate) next(l *line) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return l.settled
}

func (g *gate) settled(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.lines[id]; l != nil {
		close(l.settled)
		l.settled = make(chan struct{})
	}
}
