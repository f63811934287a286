package audit

import (
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/store/storetest"
)

func TestFiguresTellOfRecordsThatWaitAndThoseThatFailed(t *testing.T) {
	var clock atomic.Int64
	cfg := config(t)
	cfg.Now = func() time.Time { return time.UnixMilli(clock.Load()) }
	fault := storetest.NewFault(cfg.DB)
	cfg.DB = fault
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Written != 1 || s.Failed != 0 || s.Lag != 0 { // that it was opened
		t.Errorf("at first: %+v", s)
	}
	l.turn <- struct{}{} // nobody writes
	done := make(chan error)
	go func() { _, err := l.Begin(t.Context(), Entry{Act: "a"}); done <- err }()
	for l.Stats().Lag == 0 {
		clock.Add(1500)
	}
	<-l.turn
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	fault.Add(storetest.Rule{Op: storetest.Insert, Times: 1, Err: errDisk})
	if _, err := l.Begin(t.Context(), Entry{Act: "a"}); err == nil {
		t.Fatal("a record was written that was not")
	}
	if s := l.Stats(); s.Written != 2 || s.Failed != 1 || s.Lag != 0 {
		t.Errorf("at last: %+v", s)
	}
}
