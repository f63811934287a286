package main

import "container/heap"

// clock is a simulation: what happens when, in microseconds.
type clock struct {
	now   float64
	later events
	n     int
}

type event struct {
	at float64
	n  int // order among those of one moment
	do func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push and Pop implement heap.Interface.
func (e *events) Push(v any) { *e = append(*e, v.(event)) }
func (e *events) Pop() any {
	old := *e
	v := old[len(old)-1]
	*e = old[:len(old)-1]
	return v
}

// in has do happen after a time.
func (c *clock) in(d float64, do func()) {
	c.n++
	heap.Push(&c.later, event{c.now + d, c.n, do})
}

// run lets happen what comes before a moment.
func (c *clock) run(until float64) {
	for len(c.later) > 0 && c.later[0].at <= until {
		e := heap.Pop(&c.later).(event)
		c.now = e.at
		e.do()
	}
	c.now = until
}

// cores work on one thing each, in the order in which it came.
type cores struct {
	*clock
	free int
	// wake is what it takes to begin where nobody was working.
	wake  float64
	queue []task
	spent float64 // on tasks that count
}

type task struct {
	cost   float64
	counts bool
	then   func()
}

func (c *cores) use(cost float64, counts bool, then func()) {
	t := task{cost, counts, then}
	if c.free == 0 {
		c.queue = append(c.queue, t)
		return
	}
	t.cost += c.wake
	c.free--
	c.begin(t)
}

func (c *cores) begin(t task) {
	if t.counts {
		c.spent += t.cost
	}
	c.in(t.cost, func() {
		if len(c.queue) > 0 {
			next := c.queue[0]
			c.queue = c.queue[1:]
			c.begin(next)
		} else {
			c.free++
		}
		t.then()
	})
}

// journal makes documents durable, all that wait in one go (group commit).
type journal struct {
	*clock
	on           *cores
	base, each   float64 // computing: for one go, for a document in it
	sync         float64 // waiting for the disk, or for a majority
	calls        int     // of the system that one go takes; behind each it queues for a core again
	together     bool    // goes do not wait for each other, as at a server with a pipeline
	busy         bool
	waiting      []func()
	documents, n int // written, in how many goes
}

func (j *journal) write(then func()) {
	if j.together {
		j.documents++
		j.on.use(j.each, true, func() { j.in(j.sync, then) })
		return
	}
	j.waiting = append(j.waiting, then)
	if !j.busy {
		j.busy = true
		j.in(0, j.commit)
	}
}

func (j *journal) commit() {
	batch := j.waiting
	j.waiting = nil
	j.documents += len(batch)
	j.n++
	cost := j.base + j.each*float64(len(batch))
	var step func(left int)
	step = func(left int) {
		if left > 0 {
			j.on.use(cost/float64(j.calls), true, func() { j.in(j.sync/float64(j.calls), func() { step(left - 1) }) })
			return
		}
		for _, then := range batch {
			then()
		}
		if j.busy = len(j.waiting) > 0; j.busy {
			j.commit()
		}
	}
	step(j.calls)
}

// chain is the record of acts of one process: one document under way, with all
// records that waited (package audit).
type chain struct {
	*clock
	write   func(then func())
	busy    bool
	waiting []func() // nil: nobody waits for it
	timer   bool
}

const (
	mostRecords = 256    // in a document
	outcomeWait = 10_000 // microseconds until an outcome is written by itself
)

// record puts one on record.
func (c *chain) record(then func()) {
	c.waiting = append(c.waiting, then)
	if !c.busy {
		c.flush()
	}
}

// outcome leaves one to the next document.
func (c *chain) outcome() {
	c.waiting = append(c.waiting, nil)
	if !c.timer {
		c.timer = true
		c.in(outcomeWait, func() {
			c.timer = false
			if !c.busy && len(c.waiting) > 0 {
				c.flush()
			}
		})
	}
}

func (c *chain) flush() {
	n := min(len(c.waiting), mostRecords)
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	c.busy = true
	c.write(func() {
		c.busy = false
		awaited := false
		for _, then := range c.waiting {
			awaited = awaited || then != nil
		}
		if awaited {
			c.flush()
		}
		for _, then := range batch {
			if then != nil {
				then()
			}
		}
	})
}
