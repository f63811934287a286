package tracing

import "ccms/internal/meter"

// Collectors show what became of spans.
func (e *Exporter) Collectors() []meter.Collector {
	count := func(name, help string, of *uint64) meter.Collector {
		return meter.Func(name, help, func() float64 {
			e.mu.Lock()
			defer e.mu.Unlock()
			return float64(*of)
		})
	}
	return []meter.Collector{
		count("ccms_spans_sent_total", "Spans that the collector took.", &e.sent),
		count("ccms_spans_dropped_total", "Spans that found no room, or that the collector did not take.", &e.dropped),
	}
}
