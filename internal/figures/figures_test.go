package figures

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ccms/internal/bearer"
)

// gathered are the metrics of collectors by name and labels: "x{a=b} gauge 1".
func gathered(t *testing.T, parts ...prometheus.Collector) []string {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(parts...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetGauge().GetValue()
			if f.GetType() == dto.MetricType_COUNTER {
				value = m.GetCounter().GetValue()
			}
			lines = append(lines, f.GetName()+"{"+strings.Join(labels, ",")+"} "+strings.ToLower(f.GetType().String())+" "+string(rune('0'+int(value))))
		}
	}
	return lines
}

func TestAFigureIsAMetric(t *testing.T) {
	got := gathered(t, Of(func() []Figure {
		return []Figure{
			{Name: "x_total", Help: "Counts up.", Value: 2},
			{Name: "y", Help: "Goes up and down.", Value: Flag(true), Labels: []string{"status", "UP"}},
			{Name: "y", Help: "Goes up and down.", Value: Flag(false), Labels: []string{"status", "DOWN"}},
		}
	}))
	if want := []string{"x_total{} counter 2", "y{status=DOWN} gauge 0", "y{status=UP} gauge 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestABreakerIsInOneState(t *testing.T) {
	got := gathered(t, Breaker(bearer.NewBreaker(bearer.BreakerConfig{}))...)
	for _, want := range []string{
		"resilience4j_circuitbreaker_state{name=loginService,state=" + bearer.Closed + "} gauge 1",
		"resilience4j_circuitbreaker_state{name=loginService,state=" + bearer.Open + "} gauge 0",
		"resilience4j_circuitbreaker_not_permitted_calls_total{kind=not_permitted,name=loginService} counter 0",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}
