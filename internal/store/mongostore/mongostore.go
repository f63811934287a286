// Package mongostore is the store driver for several processes: a MongoDB
// reached by the official Go driver. It owns what is sent to the server: the
// shape of stored documents, the indexes, what counts as written and what as
// read. What the methods mean is the contract of package store; SQLite, for
// one process, is package sqlitestore.
//
// A document lies in its collection with "_id", "rev" and the fields of its
// body at top level, so that any MongoDB client can read it. Only what
// compatible servers have too is used: unique sparse indexes, single-document
// writes and their counts. There are no transactions, change streams, partial
// indexes, collations or pipeline updates.
//
// Every write carries w:majority and j:true and every read majority on the
// primary, whatever the URL says: a write that returned nil outlives the loss
// of a minority of servers. A write whose answer was lost returns an error and
// may have been done; what follows from that is the caller's business.
package mongostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"ccms/internal/store"
)

// The errors of Open that its caller may want to tell apart.
var (
	// ErrUnreachable: no server that takes writes answered in time. It may
	// come back.
	ErrUnreachable = errors.New("mongodb: no server that takes writes answers")
	// ErrStandalone: the server is alone and can lose what it acknowledged.
	ErrStandalone = errors.New("mongodb: the server is neither part of a replica set nor a mongos, so a failure of it can lose what it acknowledged: make it a replica set, or accept that with store.allow-standalone")
)

// closeWithin bounds the good-bye to the servers.
const closeWithin = 2 * time.Second

// Config says which database to use.
type Config struct {
	// URL is mongodb:// or mongodb+srv:// with the name of the database as its
	// path; user, TLS and the replica set stand in it too. It may hold a
	// password. No default.
	URL string
	// AllowStandalone takes a server that is no replica set (decision F3).
	// Default false.
	AllowStandalone bool
	// Now is the clock for expiry. Default time.Now.
	Now func() time.Time

	monitor *event.CommandMonitor // sees every command, in tests
}

// DB is a connection to a database; it implements store.DB.
type DB struct {
	cfg    Config
	client *mongo.Client
	db     *mongo.Database

	open   sync.RWMutex // held for reading by calls under way, for good by Close
	closed atomic.Bool

	mu          sync.Mutex
	collections map[string]*collection
}

// Open connects to the database and makes sure that a server takes writes, and
// that it is one of several. Its errors are ErrUnreachable, ErrStandalone, and
// what is wrong with the URL or with who we say we are; none holds a password.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	opts, err := clientOptions(cfg)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	db := &DB{cfg: cfg, client: client, db: client.Database(databaseName(cfg.URL)), collections: map[string]*collection{}}
	if err := db.greet(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// greet asks the server what it is. The command has its old name, which every
// server knows.
func (db *DB) greet(ctx context.Context) error {
	var is struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"` // "isdbgrid" of a mongos
	}
	if err := db.db.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&is); err != nil {
		return late(ctx, failed(ctx, err))
	}
	if is.SetName == "" && is.Msg != "isdbgrid" && !db.cfg.AllowStandalone {
		return ErrStandalone
	}
	return late(ctx, db.Ping(ctx)) // with the credentials of the URL, if any
}

// late takes a server that was too slow to greet, as one is that has just been
// started, for one that is not there yet: whoever waits for the one waits for
// the other too.
func late(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// Collection opens the collection s and makes its indexes. It is idempotent
// and takes at most indexWithin. While db is open a collection has one Spec.
func (db *DB) Collection(ctx context.Context, s store.Spec) (store.Collection, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.leave()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	c := &collection{db: db, spec: s, fields: s.Fields(), docs: db.db.Collection(s.Name)}
	if known, ok := db.collections[s.Name]; ok {
		if !c.same(known) {
			return nil, fmt.Errorf("store: collection %s is open with another Spec", s.Name)
		}
		return known, nil
	}
	if err := c.prepare(ctx); err != nil {
		return nil, fmt.Errorf("store: prepare collection %s: %w", s.Name, err)
	}
	db.collections[s.Name] = c
	return c, nil
}

// Ping reports whether a server that takes writes answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.leave()
	return failed(ctx, db.client.Ping(ctx, nil))
}

// Close waits for the calls under way, an iteration of Find among them, and
// ends all connections. It must not be called from within such an iteration.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return store.ErrClosed
	}
	db.open.Lock() // never unlocked, see enter
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return failed(ctx, db.client.Disconnect(ctx))
}

// enter begins a call; it must be followed by leave unless it fails.
func (db *DB) enter(ctx context.Context) error {
	if !db.open.TryRLock() { // only Close locks it
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		db.leave()
		return err
	}
	return nil
}

func (db *DB) leave() { db.open.RUnlock() }
