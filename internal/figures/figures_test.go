package figures

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/bearer"
	"ccms/internal/meter"
	"ccms/internal/upload"
)

// shown are the lines that Prometheus reads of collectors.
func shown(t *testing.T, parts ...meter.Collector) []string {
	t.Helper()
	var r meter.Registry
	r.Add(parts...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(meter.AppendText(nil, families)), "\n")
}

func TestABreakerIsInOneState(t *testing.T) {
	got := shown(t, Breaker(bearer.NewBreaker(bearer.BreakerConfig{})))
	for _, want := range []string{
		`resilience4j_circuitbreaker_state{name="loginService",state="` + bearer.Closed + `"} 1`,
		`resilience4j_circuitbreaker_state{name="loginService",state="` + bearer.Open + `"} 0`,
		`resilience4j_circuitbreaker_not_permitted_calls_total{kind="not_permitted",name="loginService"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}

func TestALogFileThatIsNotCopiedIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ccms.log")
	full := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if err := errors.Join(os.WriteFile(path+".1", []byte("x\n"), 0o600), os.Chtimes(path+".1", full, full)); err != nil {
		t.Fatal(err)
	}
	got := shown(t, Copies(&upload.Logs{Path: path, Now: func() time.Time { return full.Add(time.Hour) }}))
	for _, want := range []string{"ccms_upload_waiting 1.0", "ccms_upload_oldest_seconds 3600.0", "ccms_upload_files_total 0.0", "ccms_upload_failures_total 0.0"} {
		if !slices.Contains(got, want) && !slices.Contains(got, strings.TrimSuffix(want, ".0")) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}
