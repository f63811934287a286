package delivery

import (
	"sync/atomic"
	"time"

	"ccms/internal/meter"
	"ccms/internal/webhook"
)

// metrics counts what an operator would watch.
type metrics struct {
	attempts *meter.Counters
	lag      *meter.Histogram
	lost     *meter.Counter
	// oldest is when the oldest event happened that waits, as of the last look
	// into the store; the zero time when none does.
	oldest *atomic.Pointer[time.Time]
}

// delivered is the outcome of an attempt that succeeded, in metrics.
const delivered = "delivered"

func newMetrics() metrics {
	m := metrics{
		attempts: meter.NewCounters("ccms_webhook_attempts_total", "Calls to endpoints of firms, by what came of them.", "outcome"),
		lag: meter.NewHistogram("ccms_webhook_lag_seconds", "From an event to the end of the first call, where that succeeded.",
			.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
		lost:   meter.NewCounter("ccms_webhook_given_up_total", "Events that an endpoint did not take in any of its tries."),
		oldest: new(atomic.Pointer[time.Time]),
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
	oldest := meter.Func("ccms_webhook_oldest_seconds", "Age of the oldest event that is next at an endpoint, 0 when none waits.", func() float64 {
		at := s.metrics.oldest.Load()
		if at == nil || at.IsZero() {
			return 0
		}
		return max(0, s.now().Sub(*at).Seconds())
	})
	return []meter.Collector{s.metrics.attempts, s.metrics.lag, s.metrics.lost, oldest}
}
