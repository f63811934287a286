package peer

import (
	"sync"
	"time"

	"ccms/internal/eureka"
)

// key names an instance.
type key struct{ app, id string }

// pending is what a peer has yet to be told of an instance. What it says of the
// instance itself is read when it is sent, so that it is never out of date.
type pending struct {
	seq      uint64
	since    time.Time
	register bool
	beat     bool
	cancel   bool
	status   Action // StatusUpdate or DeleteStatusOverride; "" for neither
	value    eureka.Status
}

// queue is what waits for a peer: one entry for each instance, in the order of
// its latest change. Past its bound the oldest are dropped: a later heartbeat
// makes good for them.
type queue struct {
	now   func() time.Time
	max   int
	ready chan struct{} // says that there is something

	mu      sync.Mutex
	waiting map[key]pending
	order   []ordered
	seq     uint64
	dropped int64
}

type ordered struct {
	key key
	seq uint64
}

func newQueue(limit int, now func() time.Time) *queue {
	return &queue{now: now, max: limit, ready: make(chan struct{}, 1), waiting: map[key]pending{}}
}

// tell adds an action to what waits.
func (q *queue) tell(k key, a Action, value eureka.Status) {
	q.mu.Lock()
	p, known := q.waiting[k]
	if !known {
		p.since = q.now()
	}
	switch a {
	case Heartbeat:
		p.beat = true
	case Register:
		p.register, p.cancel = true, false
	case Cancel:
		p = pending{since: p.since, cancel: true}
	case StatusUpdate, DeleteStatusOverride:
		p.status, p.value = a, value
	}
	if !known || a != Heartbeat { // a heartbeat changes nothing in the order
		q.seq++
		p.seq = q.seq
		q.order = append(q.order, ordered{k, p.seq})
	}
	q.waiting[k] = p
	q.bound()
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// bound drops the oldest entries, and those of order that were overtaken when
// they become many.
func (q *queue) bound() {
	for len(q.waiting) > q.max {
		o := q.order[0]
		q.order = q.order[1:]
		if q.waiting[o.key].seq == o.seq {
			delete(q.waiting, o.key)
			q.dropped++
		}
	}
	if len(q.order) > 2*q.max {
		live := make([]ordered, 0, len(q.waiting))
		for _, o := range q.order {
			if q.waiting[o.key].seq == o.seq {
				live = append(live, o)
			}
		}
		q.order = live
	}
}

// task is an entry taken out of the queue.
type task struct {
	key key
	pending
}

// take removes up to n entries, the oldest first.
func (q *queue) take(n int) []task {
	q.mu.Lock()
	defer q.mu.Unlock()
	var tasks []task
	for len(q.order) > 0 && len(tasks) < n {
		o := q.order[0]
		q.order = q.order[1:]
		if p, ok := q.waiting[o.key]; ok && p.seq == o.seq {
			delete(q.waiting, o.key)
			tasks = append(tasks, task{o.key, p})
		}
	}
	return tasks
}

// back returns tasks that were not delivered, without undoing what was told
// since.
func (q *queue) back(tasks []task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range tasks {
		p, known := q.waiting[t.key]
		switch {
		case !known:
			p = t.pending
		case p.cancel:
		default:
			p.register = p.register || t.register
			p.beat = p.beat || t.beat
			if p.status == "" {
				p.status, p.value = t.status, t.value
			}
			p.since = t.since
		}
		q.seq++
		p.seq = q.seq
		q.waiting[t.key] = p
		q.order = append(q.order, ordered{t.key, p.seq})
	}
	q.bound()
}

// backlog is how many instances wait, since when, and how many were dropped.
func (q *queue) backlog() (n int, oldest time.Time, dropped int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.waiting {
		if oldest.IsZero() || p.since.Before(oldest) {
			oldest = p.since
		}
	}
	return len(q.waiting), oldest, q.dropped
}
