// Package storetest fixes what the contract of package store means: Run is
// the suite that every driver passes, Fault makes any store fail at chosen
// moments, and New gives other packages a real store for their tests. It is
// imported by tests only.
package storetest

import (
	"errors"
	"path/filepath"
	"testing"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

// New returns an empty store in a folder of the test, closed at its end.
func New(t testing.TB) store.DB {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Errorf("close store: %v", err)
		}
	})
	return db
}
