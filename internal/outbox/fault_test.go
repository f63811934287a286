package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

var errDisk = errors.New("disk on fire")

// faulty is a fixture whose store fails when told.
func faulty(t *testing.T) (*fixture, *storetest.Fault) {
	var fault *storetest.Fault
	f := setUp(t, func(c *Config) {
		fault = storetest.NewFault(c.DB)
		c.DB = fault
	})
	return f, fault
}

func TestAPutWithoutAcknowledgementMayBeRepeated(t *testing.T) {
	for _, after := range []bool{false, true} {
		f, fault := faulty(t)
		fault.Add(storetest.Rule{Op: storetest.Insert, Times: 1, After: after, Err: errDisk})
		if err := f.Put(t.Context(), message("m")); !errors.Is(err, problem.Database(nil)) {
			t.Errorf("Put: %v", err)
		}
		put(t, f.Queue, message("m"))
		run(t, f.Queue)
		(<-f.calls).answer <- nil
		f.gone("m")
	}
}

func TestTheQueueGoesOnAfterAFault(t *testing.T) {
	tests := []struct {
		name  string
		rule  storetest.Rule
		calls int // of the handler until the message is gone
		lease bool
	}{
		{"reading failed", storetest.Rule{Op: storetest.Find, Times: 3, Err: errDisk}, 1, false},
		{"taking failed", storetest.Rule{Op: storetest.Replace, Times: 2, Err: errDisk}, 1, false},
		{"taking was not acknowledged", storetest.Rule{Op: storetest.Replace, Times: 1, After: true, Err: errDisk}, 1, true},
		{"erasing failed", storetest.Rule{Op: storetest.Delete, Times: 1, Err: errDisk}, 2, true},
		{"erasing was not acknowledged", storetest.Rule{Op: storetest.Delete, Times: 1, After: true, Err: errDisk}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, fault := faulty(t)
			put(t, f.Queue, message("m"))
			fault.Add(tt.rule)
			run(t, f.Queue)
			for i := range tt.calls {
				if tt.lease && i == tt.calls-1 {
					f.until("it is leased", func() bool {
						if f.has("m") {
							return false
						}
						l, there := f.letter("m")
						return there && l.Due.After(f.clock.Now())
					})
					f.clock.Advance(time.Minute)
				}
				(<-f.calls).answer <- nil
			}
			f.gone("m")
		})
	}
}

// While nothing can be written the queue does not run in a circle.
func TestAStoreThatTakesNoWritesIsLeftInPeace(t *testing.T) {
	f, fault := faulty(t)
	f.cfg.Poll = 20 * time.Millisecond
	f.Queue = connect(t, f.cfg)
	for i := range 200 {
		put(t, f.Queue, message(fmt.Sprint(i)))
	}
	fault.Add(storetest.Rule{Op: storetest.Replace, Err: errDisk})
	stop := run(t, f.Queue)
	<-time.After(200 * time.Millisecond)
	stop()
	// Ten polls of a page each, where a circle would make tens of thousands.
	if tries := strings.Count(f.log.String(), "cannot be written"); tries == 0 || tries > 20*pageSize {
		t.Errorf("%d tries in 200 ms", tries)
	}
}

func TestNoAcknowledgedMessageIsLostInAStorm(t *testing.T) {
	const messages = 200
	var mu sync.Mutex
	handled, acked := map[string]bool{}, map[string]bool{}
	f, fault := faulty(t)
	f.cfg.Workers = 8
	f.cfg.Handlers["k"] = func(_ context.Context, m Message) error {
		mu.Lock()
		defer mu.Unlock()
		if !handled[m.ID+"?"] { // the first try fails
			handled[m.ID+"?"] = true
			return errDown
		}
		handled[m.ID] = true
		return nil
	}
	f.Queue = connect(t, f.cfg)
	run(t, f.Queue)
	run(t, connect(t, f.cfg))
	for i := range 60 {
		op := []storetest.Op{storetest.Insert, storetest.Replace, storetest.Delete}[i%3]
		fault.Add(storetest.Rule{Op: op, Skip: 3, Times: 1, After: i%2 == 0, Err: errDisk})
	}
	for i := range messages {
		if err := f.Put(t.Context(), message(fmt.Sprint(i))); err == nil {
			mu.Lock()
			acked[fmt.Sprint(i)] = true
			mu.Unlock()
		}
	}
	f.until("all is handled", func() bool {
		f.clock.Advance(time.Second)
		for _, err := range f.docs.Find(t.Context(), store.Query{Limit: 1}) {
			return err != nil
		}
		return true
	})
	for id := range acked {
		if !handled[id] {
			t.Errorf("message %s was acknowledged and is lost", id)
		}
	}
	if n := len(acked); n == messages || n < messages/2 {
		t.Errorf("%d of %d acknowledged: the storm was no storm", n, messages)
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, workers := range []int{1, 4, 32} {
		b.Run(fmt.Sprint(workers, "workers"), func(b *testing.B) {
			var group sync.WaitGroup
			group.Add(b.N)
			q := connect(b, Config{DB: storetest.New(b), Sealer: newBox(b), Workers: workers, Handlers: map[string]Handler{
				"k": func(context.Context, Message) error { group.Done(); return nil },
			}})
			for i := range b.N {
				put(b, q, message(fmt.Sprint(i)))
			}
			b.ResetTimer()
			run(b, q)
			group.Wait()
		})
	}
}
