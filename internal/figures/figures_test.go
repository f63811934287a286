package figures

import (
	"slices"
	"strings"
	"testing"

	"ccms/internal/bearer"
	"ccms/internal/meter"
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
