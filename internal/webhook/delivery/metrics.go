package delivery

import (
	"ccms/internal/meter"
	"ccms/internal/webhook"
)

// metrics counts what an operator would watch.
type metrics struct {
	attempts *meter.Counters
	lag      *meter.Histogram
	lost     *meter.Counter
}

// delivered is the outcome of an attempt that succeeded, in metrics.
const delivered = "delivered"

func newMetrics() metrics {
	m := metrics{
		attempts: meter.NewCounters("ccms_webhook_attempts_total", "Calls to endpoints of firms, by what came of them.", "outcome"),
		lag: meter.NewHistogram("ccms_webhook_lag_seconds", "From an event to the end of the first call, where that succeeded.",
			.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
		lost: meter.NewCounter("ccms_webhook_given_up_total", "Events that an endpoint did not take in any of its tries."),
	}
	for _, class := range []string{
		delivered, badStatus, webhook.Unacceptable, webhook.Guarded, webhook.Unknown, webhook.Unreachable,
		webhook.Untrusted, webhook.TooSlow, webhook.TooLarge,
	} {
		m.attempts.With(class)
	}
	return m
}

func (m metrics) attempt(a attempt) {
	class := a.Class
	if a.ok() {
		class = delivered
	}
	m.attempts.With(class).Inc()
}

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector {
	return []meter.Collector{s.metrics.attempts, s.metrics.lag, s.metrics.lost}
}
