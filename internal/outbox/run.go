package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"ccms/internal/store"
)

// pageSize is how many due messages are read at once, at least.
const pageSize = 64

// Run handles messages until ctx ends, then lets handlers return and gives
// back what they did not finish. It returns nil. Run it once per Queue.
func (q *Queue) Run(ctx context.Context) error {
	var group sync.WaitGroup
	work := make(chan store.Record[letter])
	for range q.cfg.Workers {
		group.Go(func() {
			for r := range work {
				q.handle(ctx, r)
			}
		})
	}
	for ctx.Err() == nil {
		wait, err := q.dispatch(ctx, work)
		if err != nil && ctx.Err() == nil {
			q.cfg.Log.WarnContext(ctx, "outbox cannot be read", "error.message", err)
		}
		q.rest(ctx, wait)
	}
	close(work)
	group.Wait()
	return nil
}

// rest waits until something may be due.
func (q *Queue) rest(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-q.wake:
	case <-t.C:
	}
}

// dispatch gives the due messages to the workers and returns how long until
// the next may be due. While the store takes no writes it pauses, so that what
// stays due is not tried in a circle.
func (q *Queue) dispatch(ctx context.Context, work chan<- store.Record[letter]) (time.Duration, error) {
	for {
		due, wait, err := q.due(ctx)
		if err != nil || len(due) == 0 {
			return wait, err
		}
		for _, r := range due {
			select {
			case work <- r:
			case <-ctx.Done():
				return 0, nil
			}
		}
		if q.troubled() {
			return q.cfg.Poll, nil
		}
	}
}

// due reads a page of due messages, oldest first, that this process does not
// have in hand yet; without any it tells how long to wait.
func (q *Queue) due(ctx context.Context) (due []store.Record[letter], wait time.Duration, err error) {
	now, wait := q.now(), q.cfg.Poll
	ask := store.Query{
		Where: []store.Cond{{Field: "state", Op: store.Eq, Value: queued}},
		Order: "due", Limit: max(pageSize, 2*q.cfg.Workers),
	}
	for r, err := range q.docs.Find(ctx, ask) {
		if err != nil {
			return nil, wait, err
		}
		if r.Value.Due.After(now) {
			wait = min(wait, r.Value.Due.Sub(now))
			break
		}
		due = append(due, r)
	}
	return slices.DeleteFunc(due, func(r store.Record[letter]) bool { return !q.claim(r.ID) }), wait, nil
}

// claim notes that this process has the message in hand, unless it has already.
func (q *Queue) claim(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy[id] {
		return false
	}
	q.busy[id] = true
	return true
}

// release ends a claim; err is the store's refusal of a write.
func (q *Queue) release(id string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, id)
	q.trouble = q.trouble || err != nil
}

// troubled reports, once, that a write was refused.
func (q *Queue) troubled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.trouble
	q.trouble = false
	return t
}

// handle takes one message, delivers it, and settles it.
func (q *Queue) handle(ctx context.Context, r store.Record[letter]) {
	ctx = q.cfg.Resume(ctx, r.Value.Origin)
	log := q.cfg.Log.With("ccms.outbox.id", r.ID, "ccms.outbox.kind", r.Value.Kind, "ccms.outbox.try", r.Value.Tries+1)
	id := r.ID
	r, err := q.take(ctx, r)
	var failure error
	if err == nil {
		failure = q.deliver(ctx, r)
		err = q.settle(ctx, r, failure, log)
	}
	if errors.Is(err, store.ErrStale) {
		err = nil // somebody else has it, or its owner is gone
	}
	q.release(id, err)
	if err == nil && failure != nil {
		q.rouse() // the next due time may have come nearer
	}
	if err != nil && ctx.Err() == nil {
		// The lease runs out and the message is tried again.
		log.WarnContext(ctx, "outbox cannot be written", "error.message", err)
	}
}

// take leases the message to this worker, if nobody took it since it was read.
func (q *Queue) take(ctx context.Context, r store.Record[letter]) (store.Record[letter], error) {
	r.Value.Due, r.Value.Leased = q.now().Add(q.cfg.Lease), true
	r.Value.Tries++
	err := q.docs.Replace(ctx, r)
	r.Rev++
	return r, err
}

// deliver calls the handler; a panic is an error like others.
func (q *Queue) deliver(ctx context.Context, r store.Record[letter]) (err error) {
	h, ok := q.cfg.Handlers[r.Value.Kind]
	if !ok {
		return fmt.Errorf("no handler of kind %q", r.Value.Kind)
	}
	payload, err := q.cfg.Sealer.Open(ctx, q.purpose(), binding(r.ID, r.Value.Kind, r.Value.Owner), r.Value.Sealed)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer payload.Wipe()
	ctx, cancel := context.WithTimeout(ctx, q.cfg.Lease*3/4)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// The value is not shown: it may hold what the message says.
			err = fmt.Errorf("handler panicked with a %T\n%s", p, debug.Stack())
		}
	}()
	return h(ctx, Message{ID: r.ID, Kind: r.Value.Kind, Owner: r.Value.Owner, Payload: payload.Reveal()})
}

// settle erases what was delivered, and puts off or buries what was not. What
// failed only because Run was told to stop is given back unharmed.
func (q *Queue) settle(ctx context.Context, r store.Record[letter], failure error, log *slog.Logger) error {
	stopped := ctx.Err() != nil && errors.Is(failure, ctx.Err())
	ctx = context.WithoutCancel(ctx)
	if failure == nil {
		return q.docs.Delete(ctx, r.ID, r.Rev)
	}
	now := q.now()
	rule := q.retry(r.Value.Kind)
	_, final := errors.AsType[permanent](failure)
	r.Value.Leased = false
	if !stopped {
		r.Value.Failure = class(failure)
	}
	switch {
	case stopped && !final:
		r.Value.Due = now
		r.Value.Tries--
	case final, now.Sub(r.Value.since()) >= rule.MaxAge:
		r.Value.State = dead
		r.Value.Expires = new(now.Add(q.cfg.KeepDead))
		log.ErrorContext(ctx, "message is dead", "error.message", failure)
	default:
		wait := rule.Delays[min(r.Value.Tries, len(rule.Delays))-1]
		r.Value.Due = now.Add(wait + rand.N(wait/5+1))
		log.WarnContext(ctx, "message failed, trying again later", "error.message", failure, "ccms.outbox.due", r.Value.Due)
	}
	return q.docs.Replace(ctx, r)
}
