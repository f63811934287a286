package keyring

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

// testRoot is a root key in a file of the test.
func testRoot(t testing.TB) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	root, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func newClock() *clocktest.Clock { return clocktest.At(time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)) }

// house is a store and a root that several rings share, as processes do.
type house struct {
	db    *countingDB
	fault *storetest.Fault
	root  Root
	clock *clocktest.Clock
}

func newHouse(t testing.TB) *house {
	t.Helper()
	fault := storetest.NewFault(storetest.New(t))
	return &house{db: &countingDB{DB: fault}, fault: fault, root: testRoot(t), clock: newClock()}
}

func (h *house) ring(t testing.TB) *Ring {
	t.Helper()
	r, err := Open(context.Background(), Config{Root: h.root, DB: h.db, Environment: "test", Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// records gives direct access to the stored keys, as somebody with the
// database in hand has.
func (h *house) records(t testing.TB) *store.Of[record] {
	t.Helper()
	of, err := store.Open[record](context.Background(), h.db, store.Spec{Name: "Key", Ordered: []string{"line"}})
	if err != nil {
		t.Fatal(err)
	}
	return of
}

func mustWrap(t testing.TB, r *Ring, owner, key, aad string) vault.Wrapped {
	t.Helper()
	w, err := r.Wrap(t.Context(), owner, []byte(key), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return w
}
