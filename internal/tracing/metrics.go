package tracing

import "github.com/prometheus/client_golang/prometheus"

// Collectors show what became of spans.
func (e *Exporter) Collectors() []prometheus.Collector {
	count := func(name, help string, of *uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 {
			e.mu.Lock()
			defer e.mu.Unlock()
			return float64(*of)
		})
	}
	return []prometheus.Collector{
		count("ccms_spans_sent_total", "Spans that the collector took.", &e.sent),
		count("ccms_spans_dropped_total", "Spans that found no room, or that the collector did not take.", &e.dropped),
	}
}
