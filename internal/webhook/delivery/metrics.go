package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/webhook"
)

// metrics counts what an operator would watch.
type metrics struct {
	attempts *prometheus.CounterVec
	lag      prometheus.Histogram
	lost     prometheus.Counter
}

// delivered is the outcome of an attempt that succeeded, in metrics.
const delivered = "delivered"

func newMetrics() metrics {
	m := metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_webhook_attempts_total", Help: "Calls to endpoints of firms, by what came of them.",
		}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ccms_webhook_lag_seconds", Help: "From an event to the end of the first call, where that succeeded.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_webhook_given_up_total", Help: "Events that an endpoint did not take in any of its tries.",
		}),
	}
	for _, class := range []string{
		delivered, badStatus, webhook.Unacceptable, webhook.Guarded, webhook.Unknown, webhook.Unreachable,
		webhook.Untrusted, webhook.TooSlow, webhook.TooLarge,
	} {
		m.attempts.WithLabelValues(class)
	}
	return m
}

func (m metrics) attempt(a attempt) {
	class := a.Class
	if a.ok() {
		class = delivered
	}
	m.attempts.WithLabelValues(class).Inc()
}

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.attempts, s.metrics.lag, s.metrics.lost}
}
