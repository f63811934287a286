package figures

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ccms/internal/audit"
	"ccms/internal/meter"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

// value is a series as it is shown now.
func value(t *testing.T, part meter.Collector, series string) float64 {
	t.Helper()
	for _, line := range shown(t, part) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no %s", series)
	return 0
}

// TestTheRecordShowsThatTheStoreIsSlowOrFails would fail if acts that wait for
// their record, or could not be recorded, did not show, or went on showing.
func TestTheRecordShowsThatTheStoreIsSlowOrFails(t *testing.T) {
	fault := storetest.NewFault(storetest.New(t))
	file := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(file); err != nil {
		t.Fatal(err)
	}
	root, err := keyring.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: root, DB: fault, Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.Context(), audit.Config{DB: fault, Key: secret.NewString(rand.Text() + rand.Text())})
	if err != nil {
		t.Fatal(err)
	}
	books := Books(log, ring)
	written := value(t, books, "ccms_audit_records_total")

	fault.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Times: 1, Delay: 100 * time.Millisecond})
	done := make(chan error, 1)
	go func() { _, err := log.Begin(t.Context(), audit.Entry{Act: "a"}); done <- err }()
	for value(t, books, "ccms_audit_lag_seconds") == 0 {
		if len(done) > 0 {
			t.Fatal("an act waited for its record, and that did not show")
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if lag, now := value(t, books, "ccms_audit_lag_seconds"), value(t, books, "ccms_audit_records_total"); lag != 0 || now != written+1 {
		t.Errorf("written, it shows a lag of %v and %v records", lag, now)
	}
	fault.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Times: 2, Err: errors.New("disk on fire")})
	for range 2 {
		if _, err := log.Begin(t.Context(), audit.Entry{Act: "a"}); err == nil {
			t.Error("a record was written that was not")
		}
	}
	if failed, now := value(t, books, "ccms_audit_failures_total"), value(t, books, "ccms_audit_records_total"); failed != 2 || now != written+1 {
		t.Errorf("it shows %v failures and %v records", failed, now)
	}
}
