package sqlitestore_test

import (
	"testing"
	"time"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t testing.TB, path string, now func() time.Time) store.DB {
		return open(t, sqlitestore.Config{Path: path, Now: now})
	})
}

func open(t testing.TB, cfg sqlitestore.Config) *sqlitestore.DB {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
