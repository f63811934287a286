package audit

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

var errDisk = errors.New("disk on fire")

// acknowledged holds the objects of acts whose Begin returned nil.
type acknowledged struct {
	mu      sync.Mutex
	objects map[string]bool
}

func (a *acknowledged) begin(t *testing.T, l *Log, object string) {
	_, err := l.Begin(t.Context(), Entry{Act: "a", Object: object})
	switch {
	case err == nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.objects[object] = true
	case !errors.Is(err, problem.Database(nil)):
		t.Errorf("Begin: %v, want DATABASE_ERROR", err)
	}
}

// check holds the acknowledgements against the chain: all there, none twice.
func (a *acknowledged) check(t *testing.T, l *Log, cfg Config) {
	t.Helper()
	verify(t, cfg)
	count := map[string]int{}
	for _, r := range all(t, l)[l.chain] {
		count[r.Object]++
	}
	for object := range a.objects {
		if count[object] != 1 {
			t.Errorf("act %s was acknowledged and has %d records", object, count[object])
		}
	}
}

func TestAFaultNeitherForksNorGapsTheChain(t *testing.T) {
	tests := []struct {
		name  string
		rules []storetest.Rule
	}{
		{"a write that did not happen", []storetest.Rule{{Op: storetest.Insert, Times: 1, Err: errDisk}}},
		{"a write that happened and was not acknowledged", []storetest.Rule{{Op: storetest.Insert, Times: 1, After: true, Err: errDisk}}},
		{"three writes that did not happen", []storetest.Rule{{Op: storetest.Insert, Times: 3, Err: errDisk}}},
		{"three writes not acknowledged", []storetest.Rule{{Op: storetest.Insert, Times: 3, After: true, Err: errDisk}}},
		{"a write not acknowledged, then reads that fail", []storetest.Rule{
			{Op: storetest.Insert, Times: 1, After: true, Err: errDisk}, {Op: storetest.Get, Times: 2, Err: errDisk}}},
		{"a write not acknowledged, then one that did not happen", []storetest.Rule{
			{Op: storetest.Insert, Times: 1, After: true, Err: errDisk}, {Op: storetest.Insert, Times: 1, Err: errDisk}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t)
			fault := storetest.NewFault(cfg.DB)
			cfg.DB = fault
			l := open(t, cfg)
			acks := acknowledged{objects: map[string]bool{}}
			acks.begin(t, l, "before")
			for _, r := range tt.rules {
				fault.Add(r)
			}
			for i := range 8 {
				acks.begin(t, l, fmt.Sprint(i))
			}
			if len(acks.objects) < 4 || len(acks.objects) > 8 {
				t.Errorf("%d acts went through: the fault was not met, or lasted", len(acks.objects))
			}
			acks.check(t, l, cfg)
		})
	}
}

func TestFaultsUnderManyWriters(t *testing.T) {
	cfg := config(t)
	fault := storetest.NewFault(cfg.DB)
	cfg.DB, cfg.Chain = fault, "storm"
	logs := []*Log{open(t, cfg), open(t, cfg)}
	for i := range 10 {
		fault.Add(storetest.Rule{Op: storetest.Insert, Skip: 2, Times: 1, After: i%2 == 0, Err: errDisk})
		fault.Add(storetest.Rule{Op: storetest.Get, Skip: 1, Times: 1, Err: errDisk})
	}
	acks := acknowledged{objects: map[string]bool{}}
	var group sync.WaitGroup
	for w := range 32 {
		group.Go(func() {
			for i := range 10 {
				acks.begin(t, logs[w%2], fmt.Sprint(w, "/", i))
			}
		})
	}
	group.Wait()
	if n := len(acks.objects); n < 100 || n == 320 {
		t.Errorf("%d of 320 acts went through", n)
	}
	fault.Clear()
	acks.check(t, logs[0], cfg)
}

func TestAWriteTheDriverRepeatedIsOneRecord(t *testing.T) {
	cfg := config(t)
	fault := storetest.NewFault(cfg.DB)
	cfg.DB = fault
	l := open(t, cfg)
	fault.Add(storetest.Rule{Op: storetest.Insert, Times: 1, After: true, Err: store.ErrExists})
	acks := acknowledged{objects: map[string]bool{}}
	acks.begin(t, l, "1")
	acks.begin(t, l, "2")
	acks.check(t, l, cfg)
	if len(acks.objects) != 2 {
		t.Errorf("acknowledged: %v", acks.objects)
	}
}

func TestAnOpenThatFailsLeavesAnIntactLog(t *testing.T) {
	for _, after := range []bool{false, true} {
		for skip := range 2 { // the first record, then the checkpoint
			cfg := config(t)
			act(t, open(t, cfg), Entry{Act: "a"})
			fault := storetest.NewFault(cfg.DB)
			cfg.DB = fault
			fault.Add(storetest.Rule{Op: storetest.Insert, Skip: skip, Times: 1, After: after, Err: errDisk})
			if _, err := Open(t.Context(), cfg); err == nil {
				t.Fatal("Open went through")
			}
			verify(t, cfg)
			act(t, open(t, cfg), Entry{Act: "a"})
			verify(t, cfg)
		}
	}
}

func TestAChainThatWasAlteredIsNotContinued(t *testing.T) {
	cfg := config(t)
	cfg.Chain = "c"
	l := open(t, cfg)
	forged := record{Number: 2, Act: "forged", MAC: make([]byte, keySize)}
	if err := l.records.Insert(t.Context(), docID("c", 2), page{Records: []record{forged}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := l.Begin(t.Context(), Entry{Act: "a"})
		if b, ok := errors.AsType[*Broken](err); !ok || b.Number != 2 || !errors.Is(err, problem.Database(nil)) {
			t.Errorf("Begin: %v", err)
		}
	}
}
