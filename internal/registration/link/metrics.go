package link

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what an operator would watch.
type metrics struct{ acts *prometheus.CounterVec }

func newMetrics() metrics {
	m := metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ccms_links_total", Help: "Acts on one-time links that succeeded.",
	}, []string{"act"})}
	for _, act := range []string{actCreate, actRevoke, actSubmit} {
		m.acts.WithLabelValues(strings.TrimPrefix(act, "link."))
	}
	return m
}

// count adds one to an act's counter, which is labelled without its "link.".
func (m metrics) count(act string) { m.acts.WithLabelValues(strings.TrimPrefix(act, "link.")).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.acts}
}
