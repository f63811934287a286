package audit

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"ccms/internal/problem"
)

// outcomeDelay is how long an outcome that nobody waits for may wait for
// another record to be written with: long enough to spare most of them a write
// of their own, too short to matter to who reads the log.
const outcomeDelay = 10 * time.Millisecond

// Do puts e on record, does the act, and returns the act's error. Without the
// record, which is durable before, the act does not happen; then the error is
// that of Begin. The outcome follows as a record of its own (decision D9): Do
// does not wait for it, so a crash in the next moment leaves an act without
// outcome. One that cannot be recorded is logged, and the act stands.
func (l *Log) Do(ctx context.Context, e Entry, do func(*Act) error) error {
	a, err := l.Begin(ctx, e)
	if err != nil {
		return err
	}
	err = do(a)
	a.once.Do(func() { l.queueOutcome(context.WithoutCancel(ctx), a.outcome(ResultOf(err))) })
	return err
}

// ResultOf is the result of an act that ended with err.
func ResultOf(err error) string {
	if err == nil {
		return Success
	}
	switch problem.From(err).Kind {
	case problem.Internal, problem.Unavailable, problem.Timeout:
		return Failed
	}
	return Refused
}

// outcome is the second record of an act.
func (a *Act) outcome(result string) record {
	rec := a.begin
	rec.Begin, rec.Result = a.begin.Number, clean(result)
	rec.Reason = cmp.Or(a.words, rec.Reason)
	return rec
}

// queueOutcome leaves an outcome to the next record to take along, or to the
// timer.
func (l *Log) queueOutcome(ctx context.Context, rec record) {
	w := &waiting{since: l.now(), rec: rec, done: make(chan struct{}), lost: func(err error) {
		l.log.LogAttrs(ctx, slog.LevelError, "outcome of an act was not recorded",
			slog.String("event.action", rec.Act), slog.String("error.message", err.Error()))
	}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, w)
	if l.late == nil {
		l.tail.Add(1)
		l.late = time.AfterFunc(outcomeDelay, func() {
			defer l.tail.Done()
			l.Settle()
		})
	}
}

// Settle returns when the outcome of every act that Do has ended is on record,
// or lost.
func (l *Log) Settle() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.mu.Lock()
	n := len(l.queue)
	if l.late != nil && l.late.Stop() {
		l.tail.Done()
	}
	l.late = nil // what comes now has a timer of its own
	l.mu.Unlock()
	for ; n > 0; n -= maxBatch {
		l.flush(context.Background())
	}
}
