package sqlitestore_test

import (
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
)

// payload is a document of about the size of a stored card.
func payload(i int64) store.Doc {
	body, err := bson.Marshal(bson.D{
		{Key: "email", Value: fmt.Sprintf("user%d@example.org", i)},
		{Key: "n", Value: i},
		{Key: "at", Value: time.Unix(i, 0)},
		{Key: "sealed", Value: make([]byte, 500)},
	})
	if err != nil {
		panic(err)
	}
	return store.Doc{ID: fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15), Body: body}
}

// BenchmarkDurableInsert shows how far group commit spreads an fsync. Compare
// with BenchmarkBareSync of the same run:
//
//	go test -run - -bench 'DurableInsert|BareSync' ./internal/store/sqlitestore
func BenchmarkDurableInsert(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := open(b, sqlitestore.Config{Path: filepath.Join(b.TempDir(), "bench.db")})
			defer db.Close()
			c, err := db.Collection(b.Context(), store.Spec{Name: "Thing", Unique: []string{"email"}, Ordered: []string{"at"}})
			if err != nil {
				b.Fatal(err)
			}
			share(b, writers, func(i int64) error { return c.Insert(b.Context(), payload(i)) })
			s := db.Stats()
			b.ReportMetric(float64(s.Writes)/float64(s.Batches), "writes/batch")
		})
	}
}

// BenchmarkBareSync appends one document's worth of bytes and makes it
// durable: what the disk can do without a database.
func BenchmarkBareSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	share(b, 1, func(int64) error {
		if _, err := f.Write(page); err != nil {
			return err
		}
		return f.Sync()
	})
}

// BenchmarkGet reads one of ten thousand documents, from as many goroutines as
// there are processors.
func BenchmarkGet(b *testing.B) {
	db := open(b, sqlitestore.Config{Path: filepath.Join(b.TempDir(), "bench.db")})
	defer db.Close()
	c, err := db.Collection(b.Context(), store.Spec{Name: "Thing", Unique: []string{"email"}})
	if err != nil {
		b.Fatal(err)
	}
	const documents = 10_000
	fillWith(b, c, documents)
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Get(b.Context(), payload(next.Add(1)%documents).ID); err != nil {
				b.Error(err)
			}
		}
	})
}

// share does b.N operations by so many goroutines.
func share(b *testing.B, goroutines int, do func(i int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range goroutines {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "op/s")
}
