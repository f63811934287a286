package snapshot_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/sqlitestore/snapshot"
)

// open opens a store with one collection.
func open(t testing.TB, path string) (*sqlitestore.DB, store.Collection) {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Ordered: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	return db, c
}

func insert(ctx context.Context, c store.Collection, n int) error {
	content := make([]byte, 300)
	_, _ = rand.Read(content)
	body, err := bson.Marshal(bson.D{{Key: "n", Value: int64(n)}, {Key: "content", Value: content}})
	if err != nil {
		return err
	}
	return c.Insert(ctx, store.Doc{ID: fmt.Sprintf("%08d", n), Body: body})
}

// fill inserts n documents, many at once: they share the price of durability.
func fill(t testing.TB, c store.Collection, documents int) {
	t.Helper()
	const writers = 50
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := w; n < documents; n += writers {
				if err := insert(t.Context(), c, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
}

func count(t testing.TB, c store.Collection) (n int) {
	t.Helper()
	for d, err := range c.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != fmt.Sprintf("%08d", n) {
			t.Fatalf("document %d is %s", n, d.ID)
		}
		n++
	}
	return n
}

// TestACopyIsThatOfOneMoment writes all the while, one document after the other.
// It would fail if the copy lacked what was acknowledged before it began, had a
// gap, or was no store.
func TestACopyIsThatOfOneMoment(t *testing.T) {
	dir := t.TempDir()
	db, c := open(t, filepath.Join(dir, "a.db"))
	defer db.Close()
	var written atomic.Int64
	var writing sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	enough := make(chan struct{})
	writing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if err := insert(ctx, c, n); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			if written.Store(int64(n + 1)); n == 50 {
				close(enough)
			}
		}
	})
	<-enough
	for i := range 3 {
		before := written.Load()
		to := filepath.Join(dir, fmt.Sprintf("copy-%d.db", i))
		if err := snapshot.Take(t.Context(), filepath.Join(dir, "a.db"), to); err != nil {
			t.Fatal(err)
		}
		after := written.Load()
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if err := snapshot.Check(t.Context(), to); err != nil {
			t.Error(err)
		}
		copied, docs := open(t, to)
		if n := int64(count(t, docs)); n < before || n > after+1 {
			t.Errorf("%d documents in the copy, %d were written before it and %d after", n, before, after)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	writing.Wait()
}

func TestACopyReplacesNothingAndLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	path, to := filepath.Join(dir, "a.db"), filepath.Join(dir, "copy.db")
	if err := snapshot.Take(t.Context(), path, to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no store: %v", err)
	}
	db, c := open(t, path)
	defer db.Close()
	fill(t, c, 500)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := snapshot.Take(ctx, path, to); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("a copy that failed is there")
	}
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Take(t.Context(), path, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "mine" {
		t.Errorf("the file there is %q, %v", b, err)
	}
}

// TestWhatWasErasedIsNotInTheCopy would fail if a backup kept a card that its
// owner had erased before.
func TestWhatWasErasedIsNotInTheCopy(t *testing.T) {
	dir := t.TempDir()
	db, c := open(t, filepath.Join(dir, "a.db"))
	defer db.Close()
	erased := bytes.Repeat([]byte("ERASED"), 20)
	body, err := bson.Marshal(bson.D{{Key: "content", Value: erased}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), store.Doc{ID: "x", Body: body}); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), "x", 1); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "copy.db")
	if err := snapshot.Take(t.Context(), filepath.Join(dir, "a.db"), to); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(to); err != nil || bytes.Contains(b, []byte("ERASED")) {
		t.Errorf("it is in the copy, %v", err)
	}
}

func TestAFileThatIsNotSoundIsFound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	db, c := open(t, path)
	fill(t, c, 2000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"not a database":        func([]byte) []byte { return []byte("not a database at all, but long enough for a header") },
		"cut in the middle":     func(b []byte) []byte { return b[:len(b)/2] },
		"a page of zeros":       func(b []byte) []byte { clear(b[len(b)/2:][:4096]); return b },
		"an index that differs": func(b []byte) []byte { return bytes.Replace(b, []byte("00001000"), []byte("0000100x"), 1) },
	} {
		spoilt := filepath.Join(t.TempDir(), "b.db")
		if err := os.WriteFile(spoilt, spoil(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := snapshot.Check(t.Context(), spoilt); !errors.Is(err, snapshot.ErrUnsound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := snapshot.Check(t.Context(), path); err != nil {
		t.Errorf("a sound one: %v", err)
	}
	if counts, err := snapshot.Count(t.Context(), path); err != nil || len(counts) != 1 || counts["Thing"] != 2000 {
		t.Errorf("it counts %v, %v", counts, err)
	}
}

// BenchmarkTake measures copies beside one writer, and how long a write takes at
// most meanwhile.
func BenchmarkTake(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "a.db")
	db, c := open(b, path)
	defer db.Close()
	const documents = 100_000
	fill(b, c, documents)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	ctx, stop := context.WithCancel(b.Context())
	var slowest, sum time.Duration
	var writes int
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := documents; ctx.Err() == nil; n++ {
			began := time.Now()
			if insert(ctx, c, n) == nil {
				took := time.Since(began)
				slowest, sum, writes = max(slowest, took), sum+took, writes+1
			}
		}
	})
	for b.Loop() {
		to := filepath.Join(dir, "copy.db")
		if err := snapshot.Take(b.Context(), path, to); err != nil {
			b.Fatal(err)
		}
		_ = os.Remove(to)
	}
	stop()
	writing.Wait()
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-write-ms")
	b.ReportMetric(float64(sum.Microseconds())/float64(max(writes, 1)), "µs/write")
}
