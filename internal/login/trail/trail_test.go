package trail

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/audit"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
)

func TestADeviceIsPrintableAndShort(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("User-Agent", "ph\x1bone\xc3\xa9"+strings.Repeat("x", 500))
	if got := CallerOf(r).Device; !strings.HasPrefix(got, "phonexx") || len(got) != maxDevice {
		t.Errorf("got %q", got)
	}
}

func TestAnActIsOnRecordOrDoesNotHappen(t *testing.T) {
	t.Parallel()
	db := storetest.NewFault(storetest.New(t))
	record, err := audit.Open(t.Context(), audit.Config{DB: db, Key: secret.NewString(strings.Repeat("a", 32))})
	if err != nil {
		t.Fatal(err)
	}
	trail, done := New(record), 0
	do := func(err error) error {
		return trail.Do(t.Context(), Act{Name: "customer.test", Account: "1"}, func() error { done++; return err })
	}
	refusal := problem.NoToken()
	if err := do(nil); err != nil || done != 1 {
		t.Errorf("did it %d times, %v", done, err)
	}
	if err := do(refusal); !errors.Is(err, refusal) || done != 2 {
		t.Errorf("did it %d times, %v", done, err)
	}
	db.Add(storetest.Rule{Err: errors.New("disk is gone")})
	if err := do(nil); err == nil || done != 2 {
		t.Errorf("did it %d times, %v", done, err)
	}
	db.Clear()
	if err := record.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestNobodyWaitsForAnOutcome would fail if an answer were held up by the second
// of an act's records, which decision D9 does not ask for.
func TestNobodyWaitsForAnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.NewFault(storetest.New(t))
		record, err := audit.Open(t.Context(), audit.Config{DB: db, Key: secret.NewString(strings.Repeat("a", 32))})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = New(record).Do(t.Context(), Act{Name: "customer.test", Account: "1"}, func() error {
			db.Add(storetest.Rule{Op: storetest.Insert, Delay: time.Second})
			return nil
		})
		if err != nil || time.Since(began) != 0 {
			t.Errorf("it took %v, %v", time.Since(began), err)
		}
		record.Settle()
		if time.Since(began) < time.Second {
			t.Error("its outcome is not on record")
		}
	})
}
