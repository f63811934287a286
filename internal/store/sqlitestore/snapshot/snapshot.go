// Package snapshot owns copies of a SQLite file that is in use, and the check and
// count of what is in a file. It knows no documents; those are sqlitestore's,
// whose process it runs in, since a store belongs to one process. What becomes of
// a copy is package backup's business.
package snapshot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Take writes a copy of the database at path, as of one moment, to the new file
// to, which only we may read. It is one read transaction: writers go on
// meanwhile, and what they acknowledge after it began is not in the copy. The
// copy is one file without a log, and holds nothing of what was erased. It is
// not synced: it is to be read at once, and made again after a crash. When Take
// fails there is no copy.
func Take(ctx context.Context, path, to string) (err error) {
	// Made first, so that it never was readable by others.
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("snapshot: %w", err), remove(to))
		}
	}()
	db, err := open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}

// ErrUnsound says that a file is no database, or not a whole one.
var ErrUnsound = errors.New("the database file is not sound")

// Damaged reports whether err, of whoever reads or writes a database, says that
// its file is none, or not a whole one any more.
func Damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// Check reads the whole database at path, compares every index with its table
// and returns ErrUnsound, saying what the first thing is that does not fit.
// Writers go on meanwhile.
func Check(ctx context.Context, path string) error {
	db, err := open(path)
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	defer db.Close()
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&says); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	if says != "ok" {
		return fmt.Errorf("%w: %s", ErrUnsound, says)
	}
	return nil
}

// Count returns how many rows each table of the database at path has: documents by
// collection.
func Count(ctx context.Context, path string) (map[string]int64, error) {
	db, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("count documents: %w", err)
	}
	defer db.Close()
	names, err := tables(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("count documents: %w", err)
	}
	counts := map[string]int64{}
	for _, name := range names {
		var n int64
		query := fmt.Sprintf(`SELECT count(*) FROM "%s"`, strings.ReplaceAll(name, `"`, `""`))
		if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return nil, fmt.Errorf("count documents: %w", err)
		}
		counts[name] = n
	}
	return counts, nil
}

func tables(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// open connects to a file that is there. Its cache is small: each page is read
// once.
func open(path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(5000)&_pragma=cache_size(-2048)&_pragma=temp_store(MEMORY)"}
	return sql.Open("sqlite", dsn.String())
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
