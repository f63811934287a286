// Package audit owns the append-only record of who did what (decision D9,
// PCI DSS 10.2 and 10.3): records chained by HMAC, one chain per process, and
// the check that nothing was altered. It decides nothing: the domain says what
// an act is, and Do has it on record before it happens, and its outcome after.
// Without a writable record the act does not happen.
//
//	e := audit.Entry{Act: "card.add", Actor: sub, Owner: sub, From: addr, Request: id}
//	err := log.Do(ctx, e, func(*audit.Act) error { … act … }) // or 503 DATABASE_ERROR, and nothing happened
//
// # What is kept
//
// The collection of records holds, per document, the records that were waiting
// together; its id is the chain and the zero-padded number of the first, so
// that two writers can never both continue a chain. The collection of
// checkpoints, itself such a chain shared by all processes, names the first
// record of every chain and the last one of a chain that was closed. A record
// never changes: every document stays at revision 1.
package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// The results of an act (PCI DSS 10.2.2: success or failure).
const (
	Success = "success"
	Refused = "refused" // by a rule, a right or a wrong secret
	Failed  = "failed"  // for a reason of our own
)

// The acts the log itself records (PCI DSS 10.2.1.6).
const (
	actOpen  = "audit.open"
	actClose = "audit.close"
)

// Entry says who wants to do what to what (PCI DSS 10.2.2). Each field is
// optional, is cut at 512 bytes, and has its runs of digits masked, so that no
// card number can enter.
type Entry struct {
	Act     string // type of event, a dotted word: "card.add"
	Actor   string // opaque id of the account or client
	Object  string // id of the thing acted on
	Owner   string // account or firm whose thing it is
	From    string // the caller's address
	Request string // request id, as in the log lines
	Reason  string // what the caller gave as reason, or why it was refused
}

// Config is what Open and Verify need.
type Config struct {
	DB store.DB
	// Key is the audit key, at least 32 bytes.
	Key secret.Bytes
	// Collection of the records, by default "Audit"; checkpoints are in the
	// one named after it with "Checkpoint".
	Collection string
	// Chain names the chain, of letters, digits, "-" and "_"; by default
	// random. Processes that share a name share the chain.
	Chain string
	// Log is told of outcomes that Do could not put on record, by default
	// slog.Default().
	Log *slog.Logger
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// Log appends to one chain. It is safe for concurrent use.
type Log struct {
	books
	log   *slog.Logger
	now   func() time.Time
	chain string

	// turn is held by the caller who writes what all others wait for.
	turn chan struct{}
	head head // as far as we know; guarded by turn

	mu    sync.Mutex
	queue []*waiting
	late  *time.Timer    // writes outcomes that nobody waits for; nil when there are none
	tail  sync.WaitGroup // of late
	// writing is since when the oldest of the records being written waits;
	// zero while none is.
	writing time.Time
	stats   Stats // but for its Lag
}

// waiting is a record that is not written yet, and who waits for that.
type waiting struct {
	since time.Time
	rec   record
	done  chan struct{} // closed when rec.Number or err is known
	err   error
	lost  func(error) // called with err when nobody waits; else nil
}

// Act is an act whose beginning is on record.
type Act struct {
	log   *Log
	begin record
	words string // of Explain
	once  sync.Once
}

// ErrUnrecorded says that something is not on record, or may not be.
var ErrUnrecorded = errors.New("audit: not recorded")

var chainShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Open starts a chain, or goes on with one of the same name, and records that.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Chain == "" {
		cfg.Chain = rand.Text()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if !chainShape.MatchString(cfg.Chain) {
		return nil, fmt.Errorf("audit: chain name %q has other characters than letters, digits, - and _", cfg.Chain)
	}
	b, err := openBooks(ctx, cfg)
	if err != nil {
		return nil, err
	}
	l := &Log{books: b, log: cfg.Log, now: cfg.Now, chain: cfg.Chain, turn: make(chan struct{}, 1)}
	if l.head, err = b.headOf(ctx, cfg.Chain); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	rec, err := l.append(ctx, record{Act: actOpen})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := l.checkpoint(ctx, rec); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return l, nil
}

// Begin puts on record that e is about to happen. When it returns nil the
// record is durable. Its error is a problem.Error, 503 DATABASE_ERROR, or that
// of ctx; then the act must not happen, though it may be on record.
func (l *Log) Begin(ctx context.Context, e Entry) (*Act, error) {
	rec, err := l.append(ctx, newRecord(e, ""))
	if err != nil {
		return nil, err
	}
	return &Act{log: l, begin: rec}, nil
}

// Note puts an event and its result on record in one: for what is no act on
// data, such as a login refused.
func (l *Log) Note(ctx context.Context, e Entry, result string) error {
	_, err := l.append(ctx, newRecord(e, result))
	return err
}

// Explain puts words into the outcome, as its Reason: what came of the act
// beyond its result. Call it before End; without words nothing changes.
func (a *Act) Explain(words string) {
	if words != "" {
		a.words = clean(words)
	}
}

// End puts the outcome on record: Success, Refused or Failed. It goes on when
// ctx is cancelled, since the act has happened. Only the first call counts.
func (a *Act) End(ctx context.Context, result string) (err error) {
	a.once.Do(func() {
		_, err = a.log.append(context.WithoutCancel(ctx), a.outcome(result))
	})
	return err
}

// Close records that the chain ends here, so that a cut is found; outcomes that
// nobody waited for come before. The log must not be used by others any more.
func (l *Log) Close(ctx context.Context) error {
	rec, err := l.append(ctx, record{Act: actClose})
	l.tail.Wait()
	if err != nil {
		return err
	}
	return l.checkpoint(ctx, rec)
}

// append writes rec after the last record of the chain and returns it with its
// number. Whoever finds nobody writing writes all that wait, as one document:
// many callers share one fsync, and no goroutine is needed for it.
func (l *Log) append(ctx context.Context, rec record) (record, error) {
	if ctx.Err() != nil {
		return rec, fmt.Errorf("audit: %w", ctx.Err())
	}
	w := &waiting{since: l.now(), rec: rec, done: make(chan struct{})}
	l.mu.Lock()
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	select {
	case <-w.done:
	case l.turn <- struct{}{}:
		for !w.isDone() {
			l.flush(context.WithoutCancel(ctx))
		}
		<-l.turn
	case <-ctx.Done():
		return rec, l.abandon(ctx, w)
	}
	if w.err != nil {
		return rec, problem.Database(fmt.Errorf("%w: %w", ErrUnrecorded, w.err))
	}
	return w.rec, nil
}

// abandon takes w out of the queue, if it still is there.
func (l *Log) abandon(ctx context.Context, w *waiting) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, q := range l.queue {
		if q == w {
			l.queue = append(l.queue[:i:i], l.queue[i+1:]...)
			break
		}
	}
	return fmt.Errorf("audit: %w", ctx.Err())
}

func (w *waiting) isDone() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// flush writes the oldest waiting records, if there are any. The caller holds
// turn.
func (l *Log) flush(ctx context.Context) {
	l.mu.Lock()
	n := min(len(l.queue), maxBatch)
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	if n > 0 {
		l.writing = batch[0].since
	}
	l.mu.Unlock()
	if n == 0 {
		return
	}
	recs := make([]record, n)
	for i, w := range batch {
		recs[i] = w.rec
	}
	err := l.write(ctx, recs)
	l.count(n, err)
	for i, w := range batch {
		w.rec, w.err = recs[i], err
		close(w.done)
		if err != nil && w.lost != nil {
			w.lost(err)
		}
	}
}

// write appends recs and gives them their numbers. The id of the document makes
// it impossible to fork the chain: whatever wrote this number first, a twin of
// this process or a write of our own that was thought lost, is read and
// continued.
func (l *Log) write(ctx context.Context, recs []record) error {
	for range tries {
		doc, next := l.seal(l.head, recs, l.now())
		err := l.records.Insert(ctx, docID(l.chain, recs[0].Number), doc)
		if err == nil {
			l.head = next
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if err := l.catchUp(ctx); err != nil {
			return err
		}
		if l.head == next {
			return nil // the driver repeated a write that had happened
		}
	}
	return fmt.Errorf("audit: chain %s: others always came first, %d times", l.chain, tries)
}

// catchUp moves the head over documents that stand behind it.
func (l *Log) catchUp(ctx context.Context) error {
	for {
		doc, err := l.records.Get(ctx, docID(l.chain, l.head.number+1))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		next, err := l.follow(l.head, doc)
		if err != nil {
			return err
		}
		l.head = next
	}
}

const (
	// maxBatch keeps a document far below store.MaxDocument.
	maxBatch = 256
	// tries bounds the race with other writers of the same chain.
	tries = 100
	// keySize is that of HMAC-SHA-256 (PCI DSS 3.6, RFC 2104).
	keySize = sha256.Size
)
