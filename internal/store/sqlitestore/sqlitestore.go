// Package sqlitestore is the store driver for one machine: a single SQLite
// file, written in Go, opened by one process. It owns the file, its tables and
// the order of writes; what the methods mean is the contract of package store,
// and what a document means is the business of the domains. MongoDB, for
// several processes, is package mongostore.
//
// Each collection is a table: the document as BSON, and beside it one column
// for each key of its Spec, extracted from the BSON, so that SQLite's own
// indexes give uniqueness and order. The columns are derived data: opening a
// collection makes them equal to its Spec.
//
// One goroutine writes. It takes whatever waits, applies it in one
// transaction and acknowledges everything after one fsync (group commit), so
// writers share the price of durability. Readers have connections of their
// own (WAL), and never wait for the writer nor hold it up.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore/filelock"
)

// Config says where the store lies and how it behaves.
type Config struct {
	// Path of the database file. Files beside it have its name and one of the
	// endings -wal, -shm and -lock. The folder must exist. No default.
	Path string
	// Now is the clock for expiry. Default time.Now.
	Now func() time.Time
	// Sweep is how often expired documents are removed and the write-ahead log
	// is emptied. Default one minute.
	Sweep time.Duration
	// Readers is how many reads SQLite does at the same time. Default 4.
	Readers int
	// Queue is how many writes may wait; more block in their caller until
	// there is room or their context ends. Default 1024.
	Queue int
}

// DB is an open database; it implements store.DB.
type DB struct {
	cfg     Config
	path    string // absolute
	lock    io.Closer
	readers *sql.DB
	slots   chan struct{} // one for each read that SQLite is doing
	writer  *writer

	open       sync.RWMutex // held for reading by calls under way, for good by Close
	closed     atomic.Bool
	statements sync.Map // SQL text -> *sql.Stmt on readers

	mu          sync.Mutex
	collections map[string]*collection
}

// Open opens the database at cfg.Path and creates it when it is missing. It
// fails when another process, or another DB of this one, has it open.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sweep <= 0 {
		cfg.Sweep = time.Minute
	}
	if cfg.Readers <= 0 {
		cfg.Readers = 4
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 1024
	}
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", cfg.Path, err)
	}
	return db, nil
}

func open(ctx context.Context, cfg Config) (*DB, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, err
	}
	lock, err := filelock.Take(path + "-lock")
	if err != nil {
		return nil, err
	}
	db := &DB{
		cfg:         cfg,
		path:        path,
		lock:        lock,
		slots:       make(chan struct{}, cfg.Readers),
		collections: map[string]*collection{},
	}
	if err := createFile(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if db.writer, err = openWriter(ctx, path, cfg); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// The writer went first: it has made the file a WAL database.
	if db.readers, err = connect(path, readerPragmas); err != nil {
		return nil, errors.Join(err, db.writer.close(), lock.Close())
	}
	db.readers.SetMaxIdleConns(cfg.Readers)
	return db, nil
}

// createFile makes the database file and its name durable before SQLite sees
// it, with a mode that SQLite gives to the files beside it too.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Caches are small: the operating system's holds the file already, and the
// whole product is to idle in little memory.
const (
	writerPragmas = "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)" + // an erased ciphertext is overwritten, not only unlinked
		"&_pragma=journal_size_limit(16777216)" + // the log is overwritten in place: growing it makes fsync several times slower
		"&_pragma=wal_autocheckpoint(3500)" + // a page that many transactions change is copied once for all of them; 14 MB, below the limit
		"&_pragma=cache_size(-2048)&_pragma=temp_store(MEMORY)"
	readerPragmas = "_busy_timeout=1000&_query_only=1&_pragma=cache_size(-512)&_pragma=temp_store(MEMORY)"
)

func connect(path, pragmas string) (*sql.DB, error) {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	dsn := url.URL{Scheme: "file", Path: name, RawQuery: "_dqs=0&_defensive=1&_error_rc=1&" + pragmas}
	c, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// Collection opens the collection s: it creates the table when it is missing
// and adds or removes key columns and indexes until they are those of s. While
// db is open a collection has one Spec.
func (db *DB) Collection(ctx context.Context, s store.Spec) (store.Collection, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	db.mu.Lock()
	defer db.mu.Unlock()
	c, err := newCollection(db, s)
	if err != nil {
		return nil, err
	}
	if known, ok := db.collections[s.Name]; ok {
		if !c.same(known) {
			return nil, fmt.Errorf("store: collection %s is open with another Spec", s.Name)
		}
		return known, nil
	}
	if err := db.writer.do(ctx, job{apply: c.migrate}); err != nil {
		return nil, fmt.Errorf("store: prepare collection %s: %w", s.Name, err)
	}
	db.collections[s.Name] = c
	if s.Expires != "" {
		db.writer.sweeps.Store(c.sweep(), nil)
	}
	return c, nil
}

// Ping reports whether the store can be read and still takes writes.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	if err := db.writer.failure(); err != nil {
		return err
	}
	release, err := db.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	var tables int // a query that reads the file
	err = db.readers.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
	return unread(ctx, err)
}

// Close waits for the calls under way, an iteration of Find among them, and
// closes the file. It must not be called from within such an iteration.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return store.ErrClosed
	}
	db.open.Lock() // never unlocked, see enter
	return errors.Join(db.readers.Close(), db.writer.close(), db.lock.Close())
}

// enter begins a call; it must be followed by leave unless it fails.
func (db *DB) enter() error {
	if !db.open.TryRLock() { // only Close locks it
		return store.ErrClosed
	}
	return nil
}

func (db *DB) leave() { db.open.RUnlock() }

// slot waits until SQLite may do one more read.
func (db *DB) slot(ctx context.Context) (release func(), err error) {
	select {
	case db.slots <- struct{}{}:
		return func() { <-db.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// statement returns the prepared form of text, which database/sql keeps ready
// on each connection. There are as many texts as there are shapes of queries
// in the program.
func (db *DB) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := db.statements.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := db.readers.PrepareContext(ctx, text)
	if err != nil {
		return nil, unread(ctx, err)
	}
	if first, loaded := db.statements.LoadOrStore(text, s); loaded {
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}
