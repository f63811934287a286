package keyring

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

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

// clock is a time that moves when told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// house is a store and a root that several rings share, as processes do.
type house struct {
	db    *countingDB
	fault *storetest.Fault
	root  Root
	clock *clock
}

func newHouse(t testing.TB) *house {
	t.Helper()
	fault := storetest.NewFault(storetest.New(t))
	return &house{db: &countingDB{DB: fault}, fault: fault, root: testRoot(t), clock: newClock()}
}

func (h *house) ring(t testing.TB) *Ring {
	t.Helper()
	r, err := Open(context.Background(), Config{Root: h.root, DB: h.db, Environment: "test", Now: h.clock.now})
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
