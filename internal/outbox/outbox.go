// Package outbox owns a durable queue of messages that must reach somebody
// later: mail, webhooks, work between services. It owns lease, back-off and
// dead letters; it does not know what a message says (a Handler does) and it
// stores no plaintext (a Sealer seals, decision B8). A message is handled at
// least once; its Handler makes a second time harmless by the message's ID.
//
// A lease is a due time in the future: who takes a message moves it ahead by
// comparing the revision, so two workers never take one message, and after a
// crash it is due again by itself.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
)

// Message is what is handed over.
type Message struct {
	ID      string // the same ID twice is one message while it is queued
	Kind    string // chooses the Handler
	Owner   string // whose message it is, for DropOwner; optional
	Payload []byte // sealed at rest; a Handler must not keep it
	// Delay is how long nobody may take it, for who tries himself first.
	Delay time.Duration
}

// Handler delivers a message. The message is gone when it returns nil, tried
// again later after any other error, and dead after Permanent. Errors are
// logged, so they name no person and no secret. ctx ends before the lease does.
type Handler func(ctx context.Context, m Message) error

// Sealer seals payloads; keyring.Ring is one.
type Sealer interface {
	Seal(ctx context.Context, purpose, id string, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, purpose, id string, sealed []byte) (secret.Bytes, error)
}

// Retry says when a failed message is tried again.
type Retry struct {
	// Delays are the waits after the first failure, the second and so on; the
	// last one repeats. Up to a fifth is added by chance. Default 5 s, 10 s,
	// 20 s, 45 s, so that what was held up moves within a minute of its
	// receiver's return.
	Delays []time.Duration
	// MaxAge is the time since Put past which a failed message is dead.
	// Default 24 h; Forever tries on.
	MaxAge time.Duration
}

// Forever as Retry.MaxAge means that only Permanent makes a message dead.
const Forever time.Duration = 1<<63 - 1

// Config is what Open needs.
type Config struct {
	DB store.DB
	// Collection, by default "Outbox". Processes that share it have the same
	// handlers.
	Collection string
	Sealer     Sealer
	// Handlers by Kind. A queue without handlers can only Put.
	Handlers map[string]Handler
	// Retry is for kinds not in Retries.
	Retry   Retry
	Retries map[string]Retry
	// Workers is how many messages are handled at once, default 4.
	Workers int
	// Lease is how long a message belongs to its worker, default 1 min. A
	// Handler has three quarters of it.
	Lease time.Duration
	// Poll is how often messages put by other processes are looked for,
	// default 1 s. Those of this process are handled at once.
	Poll time.Duration
	// KeepDead is how long a dead letter is kept, default 30 days.
	KeepDead time.Duration
	// Origin says, as text, what a message is put for, and Resume makes what is
	// done for it part of that, so that log lines and calls of a Handler bear
	// the id of the request that began it. Default: nothing is kept.
	Origin func(context.Context) string
	Resume func(ctx context.Context, origin string) context.Context
	// Log, by default slog.Default.
	Log *slog.Logger
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// Queue is safe for concurrent use.
type Queue struct {
	cfg  Config
	docs *store.Of[letter]
	wake chan struct{}

	mu      sync.Mutex
	busy    map[string]bool // messages in the hands of this process
	trouble bool            // the store refused a worker's write
}

// letter is a message as it is stored.
type letter struct {
	Kind    string     `bson:"kind"`
	Owner   string     `bson:"owner,omitempty"`
	Origin  string     `bson:"origin,omitempty"` // see Config
	Sealed  []byte     `bson:"sealed"`
	State   string     `bson:"state"`
	Due     time.Time  `bson:"due"` // when it may be taken; while leased, when the lease ends
	Tries   int        `bson:"tries"`
	Created time.Time  `bson:"created"`
	Since   *time.Time `bson:"since,omitempty"`   // what MaxAge counts from, when Retry moved it
	Leased  bool       `bson:"leased,omitempty"`  // a worker has it until due
	Failure string     `bson:"failure,omitempty"` // class of the last one
	Expires *time.Time `bson:"expires,omitempty"` // of dead ones
}

const (
	queued = "queued"
	dead   = "dead"
)

// The defaults of Config that Retention has too.
const (
	defaultCollection = "Outbox"
	keepDead          = 30 * 24 * time.Hour
)

// Open opens the queue kept in cfg.DB. Nothing is handled before Run.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	if cfg.Sealer == nil {
		return nil, errors.New("outbox: no sealer")
	}
	if cfg.Collection == "" {
		cfg.Collection = defaultCollection
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 4
	}
	if cfg.Lease <= 0 {
		cfg.Lease = time.Minute
	}
	if cfg.Poll <= 0 {
		cfg.Poll = time.Second
	}
	if cfg.KeepDead <= 0 {
		cfg.KeepDead = keepDead
	}
	if cfg.Origin == nil || cfg.Resume == nil {
		cfg.Origin = func(context.Context) string { return "" }
		cfg.Resume = func(ctx context.Context, _ string) context.Context { return ctx }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	docs, err := store.Open[letter](ctx, cfg.DB, store.Spec{
		Name: cfg.Collection, Ordered: []string{"state", "due", "owner", "created"}, Expires: "expires",
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return &Queue{cfg: cfg, docs: docs, wake: make(chan struct{}, 1), busy: map[string]bool{}}, nil
}

// Put makes m durable before it returns; a message of the same ID that is
// queued or dead stays as it is. Its errors are those of the store.
func (q *Queue) Put(ctx context.Context, m Message) error {
	if m.ID == "" || m.Kind == "" || strings.ContainsRune(m.ID+m.Kind+m.Owner, 0) {
		return errors.New("outbox: a message needs an ID and a Kind, without NUL")
	}
	sealed, err := q.cfg.Sealer.Seal(ctx, q.purpose(), binding(m.ID, m.Kind, m.Owner), m.Payload)
	if err != nil {
		return fmt.Errorf("outbox: seal: %w", err)
	}
	now := q.now()
	err = q.docs.Insert(ctx, m.ID, letter{Kind: m.Kind, Owner: m.Owner, Origin: q.cfg.Origin(ctx), Sealed: sealed, State: queued, Due: now.Add(m.Delay), Created: now})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	q.rouse()
	return nil
}

// DropOwner erases every message of owner, dead ones too. One that is being
// handled may still arrive.
func (q *Queue) DropOwner(ctx context.Context, owner string) error {
	mine := store.Query{Where: []store.Cond{{Field: "owner", Op: store.Eq, Value: owner}}}
	for {
		stale := false
		for r, err := range q.docs.Find(ctx, mine) {
			if err != nil {
				return err
			}
			switch err := q.docs.Delete(ctx, r.ID, r.Rev); {
			case errors.Is(err, store.ErrStale):
				stale = true // it was taken or given back meanwhile, or is gone
			case err != nil:
				return err
			}
		}
		if !stale {
			return nil
		}
	}
}

// Stats is what an operator watches.
type Stats struct {
	Queued, Dead int           // counted up to 10,000
	Oldest       time.Duration // age of the oldest queued message
}

// readLimit bounds what Stats and List read of each state.
const readLimit = 10_000

// inState asks for the messages of a state, the oldest first.
func inState(state string) store.Query {
	return store.Query{
		Where: []store.Cond{{Field: "state", Op: store.Eq, Value: state}},
		Order: "created", Limit: readLimit,
	}
}

// Stats counts the messages.
func (q *Queue) Stats(ctx context.Context) (s Stats, err error) {
	if s.Dead, _, err = q.count(ctx, dead); err != nil {
		return s, err
	}
	var oldest time.Time
	if s.Queued, oldest, err = q.count(ctx, queued); err != nil || s.Queued == 0 {
		return s, err
	}
	s.Oldest = max(q.now().Sub(oldest), 0)
	return s, nil
}

func (q *Queue) count(ctx context.Context, state string) (n int, oldest time.Time, err error) {
	for r, err := range q.docs.Find(ctx, inState(state)) {
		if err != nil {
			return n, oldest, err
		}
		if n == 0 {
			oldest = r.Value.Created
		}
		n++
	}
	return n, oldest, nil
}

// permanent marks an error that no repetition mends.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent wraps err so that the message is dead at once.
func Permanent(err error) error { return permanent{err} }

// purpose keeps sealed payloads of different queues apart.
func (q *Queue) purpose() string { return "outbox/" + q.cfg.Collection }

// binding ties a payload to its message, so that none can be moved to another
// kind or owner in the store.
func binding(id, kind, owner string) string { return strings.Join([]string{id, kind, owner}, "\x00") }

func (q *Queue) now() time.Time { return q.cfg.Now().UTC().Truncate(time.Millisecond) }

// rouse tells Run to look now.
func (q *Queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// retry returns the rule for a kind with its defaults.
func (q *Queue) retry(kind string) Retry {
	r, ok := q.cfg.Retries[kind]
	if !ok {
		r = q.cfg.Retry
	}
	if len(r.Delays) == 0 {
		r.Delays = []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 45 * time.Second}
	}
	if r.MaxAge == 0 {
		r.MaxAge = 24 * time.Hour
	}
	return r
}
