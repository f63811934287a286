package bearer

import "github.com/prometheus/client_golang/prometheus"

// newLag counts the requests let in on a remembered answer, by its age: had the
// session ended right after the answer, this is how late it would have shown.
// None is above 0.9 s (decision C1).
func newLag() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "ccms_revocation_lag_seconds",
		Help:    "Age of the answers about a session on which requests were let in without asking again.",
		Buckets: []float64{0.1, 0.3, 0.5, 0.7, 0.9},
	})
}

// Collectors are the metrics of the Checker but its Breaker's.
func (c *Checker) Collectors() []prometheus.Collector { return []prometheus.Collector{c.lag} }
