// Package hashpool bounds how many password hashes run at once, so that a
// flood of logins cannot hold up everything else on the machine (decision B7).
//
// It owns the slots, the short queue before them and its fairness. It does not
// know what runs in a slot, and it starts no goroutine: work runs in the
// caller's own.
//
// Fairness: waiting calls stand in one lane per network and the lanes take
// turns. When the queue is full, a newcomer takes the place of the last in the
// longest lane if his own lane is shorter, so one busy network cannot fill the
// queue for all others.
package hashpool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/patience"
	"ccms/internal/problem"
)

// Config describes a Pool.
type Config struct {
	// Slots is how many calls run at once. Default GOMAXPROCS-1, at least 1:
	// one processor stays free for everything that is not a hash.
	Slots int
	// Queue is how many calls may wait. Default 16 for each slot: a burst that
	// the machine works off in about a second.
	Queue int
	// Wait is how long a call waits for a slot. Default 2 s.
	Wait time.Duration
	// Linger is how long the refusal of a call that found the queue full is
	// held back. Who calls again at once, as a flood does, then costs a timer
	// and not a processor. Default 100 ms; below zero: not at all.
	Linger time.Duration
}

// Pool is safe for concurrent use.
type Pool struct {
	cfg   Config
	mu    sync.Mutex
	free  int
	lanes map[string]*lane
	turn  []*lane // lanes with someone waiting, the next to be served first
	depth int
	shed  atomic.Uint64

	lingering atomic.Int64
}

// lane holds those who wait from one network, the longest waiting first.
type lane struct {
	name    string
	waiting []*ticket
}

// ticket is one waiting call. Exactly one of the two outcomes is ever sent.
type ticket struct{ admitted chan bool }

// New returns an empty Pool.
func New(cfg Config) *Pool {
	if cfg.Slots == 0 {
		cfg.Slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 16 * cfg.Slots
	}
	if cfg.Wait == 0 {
		cfg.Wait = patience.Times * 2 * time.Second
	}
	if cfg.Linger == 0 {
		cfg.Linger = 100 * time.Millisecond
	}
	return &Pool{cfg: cfg, free: cfg.Slots, lanes: map[string]*lane{}}
}

// Do runs f in the caller's goroutine once a slot is free. name is the lane,
// the network the call comes from. When the queue is full or the wait too
// long, f does not run and Do returns SERVICE_UNAVAILABLE with a Retry-After;
// when ctx ends first, its error.
func (p *Pool) Do(ctx context.Context, name string, f func()) error {
	if err := p.acquire(ctx, name); err != nil {
		return err
	}
	defer p.release()
	f()
	return nil
}

// Ready returns what Do would return because the queue is full. It takes no
// place: it is for refusing before anything is spent on the call.
func (p *Pool) Ready(ctx context.Context, name string) error {
	if p.room(name) {
		return nil
	}
	p.linger(ctx)
	return p.full()
}

func (p *Pool) room(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free > 0 || p.depth < p.cfg.Queue || p.longest(name) != nil
}

// Depth is how many calls wait.
func (p *Pool) Depth() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.depth
}

// Shed is how many calls were refused so far.
func (p *Pool) Shed() uint64 { return p.shed.Load() }

func (p *Pool) acquire(ctx context.Context, name string) error {
	t, err := p.enter(name)
	if err != nil {
		p.linger(ctx)
	}
	if t == nil {
		return err
	}
	timer := time.NewTimer(p.cfg.Wait)
	defer timer.Stop()
	select {
	case ok := <-t.admitted:
		return p.verdict(ok)
	case <-timer.C:
	case <-ctx.Done():
	}
	if !p.leave(name, t) {
		return p.verdict(<-t.admitted) // decided while we were leaving
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.full()
}

// enter takes a slot (nil, nil), a place in the queue (a ticket), or neither.
func (p *Pool) enter(name string) (*ticket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free > 0 {
		p.free--
		return nil, nil
	}
	if p.depth >= p.cfg.Queue && !p.makeRoom(name) {
		return nil, p.full()
	}
	l := p.lanes[name]
	if l == nil {
		l = &lane{name: name}
		p.lanes[name] = l
		p.turn = append(p.turn, l)
	}
	t := &ticket{admitted: make(chan bool, 1)}
	l.waiting = append(l.waiting, t)
	p.depth++
	return t, nil
}

// longest is the lane that must make room for a newcomer, nil when his own
// would not be shorter.
func (p *Pool) longest(name string) *lane {
	var longest *lane
	for _, l := range p.turn {
		if longest == nil || len(l.waiting) > len(longest.waiting) {
			longest = l
		}
	}
	own := 0
	if l := p.lanes[name]; l != nil {
		own = len(l.waiting)
	}
	if longest == nil || own+1 >= len(longest.waiting) {
		return nil
	}
	return longest
}

// makeRoom refuses the last of the longest lane in a newcomer's favour.
func (p *Pool) makeRoom(name string) bool {
	l := p.longest(name)
	if l == nil {
		return false
	}
	at := len(l.waiting) - 1
	last := l.waiting[at]
	p.remove(l, at)
	last.admitted <- false
	return true
}

// leave takes t out of the queue and reports whether it was still there.
func (p *Pool) leave(name string, t *ticket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[name]
	if l == nil {
		return false
	}
	for i, w := range l.waiting {
		if w == t {
			p.remove(l, i)
			return true
		}
	}
	return false
}

// release hands the slot to the lane whose turn it is.
func (p *Pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.turn) == 0 {
		p.free++
		return
	}
	l := p.turn[0]
	p.turn = append(p.turn[1:], l)
	t := l.waiting[0]
	p.remove(l, 0)
	t.admitted <- true
}

func (p *Pool) remove(l *lane, i int) {
	l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
	p.depth--
	if len(l.waiting) > 0 {
		return
	}
	delete(p.lanes, l.name)
	for i, other := range p.turn {
		if other == l {
			p.turn = append(p.turn[:i], p.turn[i+1:]...)
			return
		}
	}
}

// maxLinger bounds the calls whose refusal is held back; more are refused at
// once, because each holds a connection.
const maxLinger = 2048

// linger waits before a refusal.
func (p *Pool) linger(ctx context.Context) {
	defer p.lingering.Add(-1)
	if p.lingering.Add(1) > maxLinger || p.cfg.Linger < 0 {
		return
	}
	t := time.NewTimer(p.cfg.Linger)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (p *Pool) verdict(admitted bool) error {
	if admitted {
		return nil
	}
	return p.full()
}

func (p *Pool) full() error {
	p.shed.Add(1)
	return problem.ServiceUnavailable(p.cfg.Wait)
}
