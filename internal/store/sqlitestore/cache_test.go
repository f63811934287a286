package sqlitestore

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

func openCached(t *testing.T, now func() time.Time, s store.Spec) *collection {
	t.Helper()
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "c.db"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c, err := db.Collection(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*collection)
}

func body(t *testing.T, v any) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *collection) remembers(id string) bool {
	_, _, ok := c.cache.get(id, c.db.cfg.Now())
	return ok
}

func TestADocumentReadIsRememberedUntilItIsWritten(t *testing.T) {
	c := openCached(t, nil, store.Spec{Name: "C"})
	if err := c.Insert(t.Context(), store.Doc{ID: "a", Body: body(t, bson.M{"n": int64(1)})}); err != nil {
		t.Fatal(err)
	}
	if c.remembers("a") {
		t.Error("remembered before anybody read it")
	}
	if _, err := c.Get(t.Context(), "a"); err != nil || !c.remembers("a") {
		t.Fatalf("not remembered after a read: %v", err)
	}
	if err := c.Replace(t.Context(), store.Doc{ID: "a", Rev: 1, Body: body(t, bson.M{"n": int64(2)})}); err != nil {
		t.Fatal(err)
	}
	if d, err := c.Get(t.Context(), "a"); err != nil || d.Rev != 2 {
		t.Errorf("after a write: revision %d, %v", d.Rev, err)
	}
	if err := c.Delete(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "a"); err != store.ErrNotFound {
		t.Errorf("after a delete: %v", err)
	}
}

func TestARememberedDocumentExpiresInTime(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	c := openCached(t, clock, store.Spec{Name: "C", Expires: "until"})
	if err := c.Insert(t.Context(), store.Doc{ID: "a", Body: body(t, bson.M{"until": now.Add(time.Minute)})}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "a"); err != nil || !c.remembers("a") {
		t.Fatal("not remembered", err)
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if _, err := c.Get(t.Context(), "a"); err != store.ErrNotFound {
		t.Errorf("an expired document: %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := openCached(t, nil, store.Spec{Name: "C"})
	for i := range 400 {
		id := fmt.Sprint(i)
		c.cache.put(cached{doc: store.Doc{ID: id, Body: make([]byte, 16<<10)}}, 0)
	}
	total := 0
	for _, v := range c.cache.docs {
		total += len(v.doc.Body)
	}
	if total > remembered || total == 0 {
		t.Errorf("%d bytes are remembered", total)
	}
	c.cache.put(cached{doc: store.Doc{ID: "large", Body: make([]byte, cacheable+1)}}, 0)
	if c.remembers("large") {
		t.Error("a large document is remembered")
	}
}

// TestAReaderNeverPutsBackWhatAWriteReplaced walks the one dangerous order: a
// read begins, a write ends, the read puts what it saw.
func TestAReaderNeverPutsBackWhatAWriteReplaced(t *testing.T) {
	c := newCache()
	_, seen, _ := c.get("a", time.Now())
	c.begin("a")
	c.put(cached{doc: store.Doc{ID: "a", Rev: 1}}, seen)
	if _, _, ok := c.get("a", time.Now()); ok {
		t.Error("put while a write goes on")
	}
	c.end("a")
	c.put(cached{doc: store.Doc{ID: "a", Rev: 1}}, seen)
	if _, _, ok := c.get("a", time.Now()); ok {
		t.Error("put after a write that the read did not see")
	}
}

// TestReadersSeeEveryAcknowledgedWrite races readers with a writer: once a
// write is acknowledged, no reader may see an older revision.
func TestReadersSeeEveryAcknowledgedWrite(t *testing.T) {
	c := openCached(t, nil, store.Spec{Name: "C"})
	if err := c.Insert(t.Context(), store.Doc{ID: "a", Body: body(t, bson.M{})}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acknowledged := int64(1)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				least := acknowledged
				mu.Unlock()
				if d, err := c.Get(context.Background(), "a"); err != nil || d.Rev < least {
					t.Errorf("revision %d after %d was acknowledged: %v", d.Rev, least, err)
					return
				}
			}
		})
	}
	for rev := int64(1); rev <= 300; rev++ {
		if err := c.Replace(t.Context(), store.Doc{ID: "a", Rev: rev, Body: body(t, bson.M{"n": rev})}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		acknowledged = rev + 1
		mu.Unlock()
	}
	stop()
	readers.Wait()
}

func TestADecodedValueDoesNotShareBytesWithTheMemory(t *testing.T) {
	type value struct {
		Blob []byte   `bson:"blob"`
		Text []string `bson:"text"`
	}
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "c.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	of, err := store.Open[value](t.Context(), db, store.Spec{Name: "C"})
	if err != nil {
		t.Fatal(err)
	}
	if err := of.Insert(t.Context(), "a", value{Blob: []byte("kept"), Text: []string{"kept"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := of.Get(t.Context(), "a")
		if err != nil || !bytes.Equal(r.Value.Blob, []byte("kept")) || r.Value.Text[0] != "kept" {
			t.Fatalf("%+v %v", r.Value, err)
		}
		clear(r.Value.Blob)
		r.Value.Text[0] = "gone"
	}
}
