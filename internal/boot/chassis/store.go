package chassis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/store"
	"ccms/internal/store/mongostore"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/sqlitestore/snapshot"
)

// A process that starts before its database waits for it, so that a machine
// may start both at once, and gives up at last, so that somebody notices. It
// listens only then: until its database is there, no probe finds it ready.
const (
	databaseWithin = 2 * time.Minute
	databaseTick   = time.Second
	databaseLog    = 10 * time.Second // between two lines that say what is waited for
)

// OpenStore opens the store that store.url names (decision F3).
func (p *Process) OpenStore(ctx context.Context) (err error) {
	if p.Settings.Store.URL.Scheme() == "sqlite" {
		p.DB, err = SQLite(ctx, p.Dir)
		return err
	}
	p.DB, err = p.awaitMongo(ctx)
	return err
}

// SQLite opens the embedded store of a data folder.
func SQLite(ctx context.Context, dir *datadir.Dir) (store.DB, error) {
	db, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: dir.File("ccms.db")})
	if err != nil {
		return nil, Damaged(dir, fmt.Errorf("open store: %w", err))
	}
	return db, nil
}

// damaged is an error of the embedded store that is about its file.
type damaged struct {
	file string
	error
}

// Error says what to do; what SQLite said comes last.
func (d *damaged) Error() string {
	return fmt.Sprintf("the store %s is damaged: ccms doctor --deep looks what is left of it, ccms restore FILE --force puts a backup in its place (%v)", d.file, d.error)
}

// Unwrap returns what the store said.
func (d *damaged) Unwrap() error { return d.error }

// Damaged says what to do about err where the file of a data folder's embedded
// store is damaged. Any other error is returned as it is.
func Damaged(dir *datadir.Dir, err error) error {
	if _, told := errors.AsType[*damaged](err); told || !snapshot.Damaged(err) {
		return err
	}
	return &damaged{dir.File("ccms.db"), err}
}

// Mongo opens the database of the settings, and fails when it is away.
func Mongo(ctx context.Context, s config.Store) (store.DB, error) {
	db, err := mongostore.Open(ctx, mongostore.Config{URL: s.URL.Reveal(), AllowStandalone: s.AllowStandalone})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return db, nil
}

// awaitMongo opens the database as soon as it is there.
func (p *Process) awaitMongo(ctx context.Context) (store.DB, error) {
	tick := time.NewTicker(databaseTick)
	defer tick.Stop()
	began := time.Now()
	var told time.Time
	for {
		db, err := Mongo(ctx, p.Settings.Store)
		if !errors.Is(err, mongostore.ErrUnreachable) || time.Since(began) > databaseWithin {
			return db, err
		}
		if time.Since(told) > databaseLog {
			told = time.Now()
			p.Log.Warn("waiting for the database", "error.message", err.Error(), "ccms.store.url", p.Settings.Store.URL.String())
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
