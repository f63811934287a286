package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ccms/internal/store"
)

// The largest batch: enough to spread an fsync thin, small enough that its
// first member does not wait long for its last, and that it fits in memory.
const (
	batchJobs  = 256
	batchBytes = 8 << 20
)

// writer owns the one connection that writes. Everything but do, failure and
// close runs in its goroutine.
type writer struct {
	db         *sql.DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	now        func() time.Time
	queue      chan *job
	stop       chan struct{}
	running    sync.WaitGroup

	sweeps sync.Map // SQL texts that remove expired documents
	logged bool     // something was written since the log was emptied

	failed atomic.Pointer[error]
	stats  counters
}

// job is one change on its way through the queue. Its context is kept because
// it travels with the job: a change whose caller has gone is not applied.
type job struct {
	ctx   context.Context
	of    *cache // of the collection, nil when no document changes
	id    string
	apply func(*writer) error
	size  int
	err   error
	done  chan struct{}
}

func openWriter(ctx context.Context, path string, cfg Config) (*writer, error) {
	db, err := connect(path, writerPragmas)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w := &writer{
		db:         db,
		conn:       conn,
		statements: map[string]*sql.Stmt{},
		now:        cfg.Now,
		queue:      make(chan *job, cfg.Queue),
		stop:       make(chan struct{}),
	}
	w.running.Go(func() { w.run(cfg.Sweep) })
	return w, nil
}

// do hands j to the writer and waits until it is durable, refused, or the
// context ends; then the outcome is unknown, unless j had not been begun.
func (w *writer) do(ctx context.Context, j job) error {
	if err := w.failure(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.ctx, j.done = ctx, make(chan struct{})
	select {
	case w.queue <- &j:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
	}
	select {
	case <-j.done: // both at once: what is known counts
		return j.err
	default:
		return ctx.Err()
	}
}

// failure returns the error that ended writing, if one did.
func (w *writer) failure() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// close ends the goroutine. No caller waits any more: what is left in the
// queue was abandoned.
func (w *writer) close() error {
	close(w.stop)
	w.running.Wait()
	for _, s := range w.statements {
		s.Close()
	}
	return errors.Join(w.conn.Close(), w.db.Close())
}

func (w *writer) run(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case j := <-w.queue:
			w.commit(w.gather(j))
		case <-tick.C:
			w.clean()
		case <-w.stop:
			return
		}
	}
}

// gather adds what waits to first. It lets other goroutines run before: those
// the last batch woke are about to send their next write.
func (w *writer) gather(first *job) []*job {
	runtime.Gosched()
	batch, size := []*job{first}, first.size
	for len(batch) < batchJobs && size < batchBytes {
		select {
		case j := <-w.queue:
			batch, size = append(batch, j), size+j.size
		default:
			return batch
		}
	}
	return batch
}

// commit makes a batch durable and then tells its callers. When one job
// spoils the transaction, each is tried again in one of its own, so that only
// the culprit fails.
func (w *writer) commit(batch []*job) {
	for _, j := range batch {
		j.begin()
	}
	err := w.transaction(func() error { return w.applyAll(batch) })
	if err != nil && len(batch) > 1 && w.failure() == nil {
		for i, j := range batch {
			w.commit(batch[i : i+1])
			j.end()
		}
		return
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		} else if j.err == nil {
			w.stats.writes.Add(1)
		}
		j.end()
		close(j.done)
	}
}

// begin and end tell the cache of the document that it is being written.
func (j *job) begin() {
	if j.of != nil {
		j.of.begin(j.id)
	}
}

func (j *job) end() {
	if j.of != nil {
		j.of.end(j.id)
	}
}

// applyAll fails only with what ends the transaction; what a job is refused
// for is its own and stays with it.
func (w *writer) applyAll(batch []*job) error {
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		j.err = j.apply(w)
		if j.err != nil && !errors.Is(j.err, store.ErrExists) && !errors.Is(j.err, store.ErrStale) {
			return j.err
		}
	}
	return nil
}

// transaction runs f and commits. An error that leaves doubt about the file is
// final: after a failed fsync the kernel may have dropped what was to be
// written, so that a second one that succeeds says nothing.
func (w *writer) transaction(f func() error) error {
	if err := w.failure(); err != nil {
		return err
	}
	start := time.Now()
	err := w.exec("BEGIN IMMEDIATE")
	if err == nil {
		if err = f(); err == nil {
			err = w.exec("COMMIT")
		}
		if err != nil {
			w.rollback()
		}
	}
	if err != nil {
		return w.judge(err)
	}
	w.logged = true
	w.stats.batches.Add(1)
	w.stats.busy.Add(int64(time.Since(start)))
	return nil
}

// rollback tolerates that SQLite has rolled back already, which some errors
// make it do.
func (w *writer) rollback() {
	_ = w.judge(w.exec("ROLLBACK")) // the caller returns the error that led here
}

// judge ends writing for good when err leaves doubt, and returns it.
func (w *writer) judge(err error) error {
	if doubtful(err) && w.failure() == nil {
		err = fmt.Errorf("sqlite: writing has ended until the store is opened again: %w", err)
		w.failed.Store(&err)
	}
	return err
}

// doubtful tells errors after which the file is in an unknown state from
// refusals (a full disk is one: SQLite takes the transaction back cleanly).
func doubtful(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_ERROR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return false
	}
	return true
}

// exec runs a statement that nobody needs the count of.
func (w *writer) exec(text string, args ...any) error {
	_, err := w.change(text, args...)
	return err
}

// change runs a statement and returns how many rows it changed. A statement
// is short and must not be torn, so it has no context.
func (w *writer) change(text string, args ...any) (int64, error) {
	s, err := w.prepare(text)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, failed(err)
	}
	return r.RowsAffected()
}

func (w *writer) prepare(text string) (*sql.Stmt, error) {
	if s, ok := w.statements[text]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, failed(err)
	}
	w.statements[text] = s
	return s, nil
}

// count returns the one number that a statement yields.
func (w *writer) count(text string, args ...any) (n int64, err error) {
	s, err := w.prepare(text)
	if err != nil {
		return 0, err
	}
	return n, failed(s.QueryRow(args...).Scan(&n))
}
