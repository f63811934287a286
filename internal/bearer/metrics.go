package bearer

import "ccms/internal/meter"

// newLag counts the requests let in on a remembered answer, by its age: had the
// session ended right after the answer, this is how late it would have shown.
// None is above 0.9 s (decision C1).
func newLag() *meter.Histogram {
	return meter.NewHistogram("ccms_revocation_lag_seconds", "Age of the answers about a session on which requests were let in without asking again.",
		0.1, 0.3, 0.5, 0.7, 0.9)
}

// Collectors are the metrics of the Checker but its Breaker's.
func (c *Checker) Collectors() []meter.Collector { return []meter.Collector{c.lag} }
