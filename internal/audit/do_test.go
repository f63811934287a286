package audit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// results are the results of an act's records, in their order.
func results(t *testing.T, l *Log, act string) (found []string) {
	t.Helper()
	for _, r := range all(t, l)[l.chain] {
		if r.Act == act {
			found = append(found, r.Result)
		}
	}
	return found
}

func TestDoHasAnActOnRecordBeforeAndItsOutcomeAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		result string
	}{
		"an act that succeeds":            {nil, Success},
		"an act that is refused":          {problem.Validation("no"), Refused},
		"an act that fails":               {problem.Database(errDisk), Failed},
		"an act that fails unexpectedly":  {errDisk, Failed},
		"an act that is nobody's to see":  {problem.Denied("no"), Refused},
		"an act whose answer is too late": {problem.TimedOut(errDisk), Failed},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			l := open(t, cfg)
			err := l.Do(t.Context(), Entry{Act: "a", Reason: "asked"}, func(a *Act) error {
				if got := results(t, l, "a"); len(got) != 1 || got[0] != "" {
					t.Errorf("on record while it happens: %q", got)
				}
				a.Explain("done so")
				return tt.err
			})
			if !errors.Is(err, tt.err) {
				t.Errorf("Do: %v, want %v", err, tt.err)
			}
			l.Settle()
			if got := results(t, l, "a"); len(got) != 2 || got[1] != tt.result {
				t.Errorf("on record: %q, want %q behind the beginning", got, tt.result)
			}
			recs := all(t, l)[l.chain]
			if last := recs[len(recs)-1]; last.Reason != "done so" || last.Begin == 0 {
				t.Errorf("outcome: %+v", last)
			}
			verify(t, cfg)
		})
	}
}

func TestWithoutARecordDoDoesNothing(t *testing.T) {
	cfg := config(t)
	fault := storetest.NewFault(cfg.DB)
	cfg.DB = fault
	l := open(t, cfg)
	fault.Add(storetest.Rule{Op: storetest.Insert, Err: errDisk})
	err := l.Do(t.Context(), Entry{Act: "a"}, func(*Act) error { t.Error("it happened"); return nil })
	if !errors.Is(err, ErrUnrecorded) || !errors.Is(err, problem.Database(nil)) {
		t.Errorf("Do: %v", err)
	}
}

func TestAnOutcomeTravelsWithTheNextRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, config(t))
		before := written(t, l)
		for range 3 {
			if err := l.Do(t.Context(), Entry{Act: "a"}, func(*Act) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n := written(t, l) - before; n != 3 {
			t.Errorf("%d documents for three acts, want 3: outcomes go with what follows", n)
		}
		time.Sleep(outcomeDelay)
		synctest.Wait()
		if n := written(t, l) - before; n != 4 {
			t.Errorf("%d documents after the delay, want 4", n)
		}
	})
}

func written(t *testing.T, l *Log) (n int) {
	t.Helper()
	for _, err := range l.records.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestCloseComesAfterEveryOutcome(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			for range 10 {
				if err := l.Do(t.Context(), Entry{Act: "a", Object: fmt.Sprint(i)}, func(*Act) error { return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	recs := all(t, l)[l.chain]
	if got := len(results(t, l, "a")); got != 640 || recs[len(recs)-1].Act != actClose {
		t.Errorf("%d records of 320 acts, the last one %q", got, recs[len(recs)-1].Act)
	}
	for _, r := range recs {
		if r.Begin > 0 && (r.Begin >= r.Number || recs[r.Begin-1].Object != r.Object || recs[r.Begin-1].Result != "") {
			t.Fatalf("outcome %d belongs to record %d, which is no beginning of it", r.Number, r.Begin)
		}
	}
	verify(t, cfg)
}

func TestAnOutcomeThatIsLostIsLoggedAndTheActStands(t *testing.T) {
	cfg := config(t)
	fault := storetest.NewFault(cfg.DB)
	var logged bytes.Buffer
	cfg.DB, cfg.Log = fault, slog.New(slog.NewTextHandler(&logged, nil))
	l := open(t, cfg)
	fault.Add(storetest.Rule{Op: storetest.Insert, Skip: 1, Times: 1, Err: errDisk})
	if err := l.Do(t.Context(), Entry{Act: "card.add"}, func(*Act) error { return nil }); err != nil {
		t.Fatal(err)
	}
	l.Settle()
	if text := logged.String(); !strings.Contains(text, "outcome of an act was not recorded") || !strings.Contains(text, "card.add") {
		t.Errorf("logged: %s", text)
	}
	if err := l.Do(t.Context(), Entry{Act: "card.add"}, func(*Act) error { return nil }); err != nil {
		t.Error(err)
	}
	l.Settle()
	if got := results(t, l, "card.add"); len(got) != 3 {
		t.Errorf("on record: %q, want two beginnings and an outcome", got)
	}
	verify(t, cfg)
}
