package link

import (
	"strings"

	"ccms/internal/meter"
)

// metrics counts what an operator would watch.
type metrics struct{ acts *meter.Counters }

func newMetrics() metrics {
	m := metrics{meter.NewCounters("ccms_links_total", "Acts on one-time links that succeeded.", "act")}
	for _, act := range []string{actCreate, actRevoke, actSubmit} {
		m.acts.With(strings.TrimPrefix(act, "link."))
	}
	return m
}

// count adds one to an act's counter, which is labelled without its "link.".
func (m metrics) count(act string) { m.acts.With(strings.TrimPrefix(act, "link.")).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector {
	return []meter.Collector{s.metrics.acts}
}
