package boot

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/bearer"
	"ccms/internal/outbox"
)

// breakerMetrics shows the breaker to the login service under resilience4j's
// names.
func breakerMetrics(b *bearer.Breaker) []prometheus.Collector {
	labels := func(more ...string) prometheus.Labels {
		l := prometheus.Labels{"name": "loginService"}
		for i := 0; i < len(more); i += 2 {
			l[more[i]] = more[i+1]
		}
		return l
	}
	var all []prometheus.Collector
	for _, state := range []string{bearer.Closed, bearer.Open, bearer.HalfOpen} {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "resilience4j_circuitbreaker_state", Help: "1 for the state the breaker is in.", ConstLabels: labels("state", state),
		}, func() float64 {
			if b.State() == state {
				return 1
			}
			return 0
		}))
	}
	return append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "resilience4j_circuitbreaker_not_permitted_calls_total", Help: "Calls refused while the breaker was open.", ConstLabels: labels("kind", "not_permitted"),
	}, func() float64 { return float64(b.Stats().NotPermitted) }))
}

// queueMetrics shows what waits in a queue and what was given up.
func queueMetrics(q *outbox.Queue, name string) []prometheus.Collector {
	gauge := func(metric, help string, value func(outbox.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ccms_outbox_" + metric, Help: help, ConstLabels: prometheus.Labels{"queue": name},
		}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			s, err := q.Stats(ctx)
			if err != nil {
				return -1
			}
			return value(s)
		})
	}
	return []prometheus.Collector{
		gauge("queued", "Messages that wait.", func(s outbox.Stats) float64 { return float64(s.Queued) }),
		gauge("dead", "Messages that were given up.", func(s outbox.Stats) float64 { return float64(s.Dead) }),
		gauge("oldest_seconds", "Age of the oldest message that waits.", func(s outbox.Stats) float64 { return s.Oldest.Seconds() }),
	}
}
