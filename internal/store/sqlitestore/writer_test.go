package sqlitestore_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

// held is a store whose writer stands still in the middle of a change, so that
// a test decides what waits behind it.
type held struct {
	db *sqlitestore.DB
	c  store.Collection

	mu     sync.Mutex
	gate   chan struct{} // now waits for it; nil: does not
	opened func()
	busy   sync.WaitGroup
}

// hold runs test in a bubble with a store of which the writer has begun to
// insert the document "first".
func hold(t *testing.T, queue int, test func(t *testing.T, h *held)) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{}
		h.db = open(t, sqlitestore.Config{Path: filepath.Join(t.TempDir(), "test.db"), Now: h.now, Queue: queue})
		defer h.db.Close()
		h.c = collection(t, h.db, store.Spec{Name: "Thing", Unique: []string{"email"}})
		gate := make(chan struct{})
		h.opened = sync.OnceFunc(func() { close(gate) })
		defer h.release()
		h.set(gate)
		h.start(func() error { return h.c.Insert(t.Context(), doc("first", bson.D{})) })
		h.set(nil)
		test(t, h)
	})
}

// now is the store's clock. The writer asks it before each change.
func (h *held) now() time.Time {
	h.mu.Lock()
	gate := h.gate
	h.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return time.Now()
}

func (h *held) set(gate chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = gate
}

// release lets the writer go on and waits for everything started.
func (h *held) release() {
	h.opened()
	h.busy.Wait()
}

// start runs do in a goroutine until it waits, and returns its later result.
func (h *held) start(do func() error) *error {
	err := new(error)
	h.busy.Go(func() { *err = do() })
	synctest.Wait()
	return err
}

func TestAWriteCancelledInTheQueueIsNotApplied(t *testing.T) {
	hold(t, 0, func(t *testing.T, h *held) {
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := h.start(func() error { return h.c.Insert(ctx, doc("cancelled", bson.D{})) })
		other := h.start(func() error { return h.c.Insert(t.Context(), doc("other", bson.D{})) })
		if n := h.db.Stats().Queue; n != 2 {
			t.Fatalf("%d writes wait", n)
		}
		cancel()
		h.release()
		if *other != nil || !errors.Is(*cancelled, context.Canceled) {
			t.Errorf("got %v and %v", *other, *cancelled)
		}
		if ids := all(t, h.c); ids != "first other" {
			t.Errorf("found %s", ids)
		}
	})
}

func TestAWriteAbandonedHalfWayIsAppliedAsItWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{}
		db := open(t, sqlitestore.Config{Path: filepath.Join(t.TempDir(), "test.db"), Now: h.now})
		defer db.Close()
		c := collection(t, db, store.Spec{Name: "Thing"})
		gate := make(chan struct{})
		h.set(gate)
		ctx, cancel := context.WithCancel(t.Context())
		d := doc("a", bson.D{{Key: "text", Value: "as given"}})
		want := string(d.Body)
		err := h.start(func() error { return c.Insert(ctx, d) })
		h.set(nil)
		cancel()
		h.busy.Wait()
		clear(d.Body) // the caller's own again
		close(gate)
		insert(t, c, doc("b", bson.D{})) // behind it in the queue
		if got, gone := c.Get(t.Context(), "a"); !errors.Is(*err, context.Canceled) || gone != nil || string(got.Body) != want {
			t.Errorf("got %v, %v, %v", *err, got, gone)
		}
	})
}

func TestAFullQueueHoldsItsCallersUntilTheirContextEnds(t *testing.T) {
	hold(t, 1, func(t *testing.T, h *held) {
		queued := h.start(func() error { return h.c.Insert(t.Context(), doc("queued", bson.D{})) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		late := h.start(func() error { return h.c.Insert(ctx, doc("late", bson.D{})) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if !errors.Is(*late, context.DeadlineExceeded) {
			t.Errorf("got %v", *late)
		}
		h.release()
		if ids := all(t, h.c); *queued != nil || ids != "first queued" {
			t.Errorf("found %s, %v", ids, *queued)
		}
	})
}

func TestAChangeThatFailsSpoilsNoneOfItsBatch(t *testing.T) {
	hold(t, 0, func(t *testing.T, h *held) {
		before := h.start(func() error { return h.c.Insert(t.Context(), doc("before", bson.D{{Key: "email", Value: "x"}})) })
		failing := h.start(func() error {
			_, err := h.db.Collection(t.Context(), store.Spec{Name: "THING"}) // SQLite cannot tell it from Thing
			return err
		})
		exists := h.start(func() error { return h.c.Insert(t.Context(), doc("exists", bson.D{{Key: "email", Value: "x"}})) })
		after := h.start(func() error { return h.c.Insert(t.Context(), doc("after", bson.D{})) })
		if n := h.db.Stats().Queue; n != 4 {
			t.Fatalf("%d writes wait", n)
		}
		h.release()
		if *before != nil || *failing == nil || !errors.Is(*exists, store.ErrExists) || *after != nil {
			t.Errorf("got %v, %v, %v, %v", *before, *failing, *exists, *after)
		}
		if ids := all(t, h.c); ids != "after before first" {
			t.Errorf("found %s", ids)
		}
	})
}

func TestWritesThatWaitShareOneBatch(t *testing.T) {
	hold(t, 0, func(t *testing.T, h *held) {
		before := h.db.Stats()
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			h.start(func() error { return h.c.Insert(t.Context(), doc(id, bson.D{})) })
		}
		h.release()
		after := h.db.Stats()
		if writes, batches := after.Writes-before.Writes, after.Batches-before.Batches; writes != 6 || batches != 2 {
			t.Errorf("%d writes in %d batches", writes, batches)
		}
	})
}
