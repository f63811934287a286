package figures

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/bearer"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/outbox"
)

// Registry shows the registry's leases and whether it protects them.
func Registry(r *registry.Registry) prometheus.Collector {
	return Of(func() []Figure {
		s := r.Stats()
		parts := []Figure{
			{"ccms_eureka_applications", "Registered applications.", float64(s.Applications), nil},
			{"ccms_eureka_renews_last_minute", "Heartbeats in the last minute.", float64(s.RenewsLastMinute), nil},
			{"ccms_eureka_renew_threshold", "Heartbeats a minute below which leases do not expire.", float64(s.RenewThreshold), nil},
			{"ccms_eureka_protected", "1 while self-preservation holds evictions back.", Flag(s.Protected), nil},
			{"ccms_eureka_delta_entries", "Changes that a delta answers with.", float64(s.Delta), nil},
			{"ccms_eureka_size_bytes", "About what the instances take.", float64(s.Bytes), nil},
			{"ccms_eureka_oldest_heartbeat_seconds", "Time since the heartbeat longest ago.", float64(s.OldestUnrenewedMS) / 1000, nil},
		}
		for _, status := range eureka.Statuses() {
			parts = append(parts, Figure{"ccms_eureka_instances", "Registered instances.", float64(s.Instances[status]), []string{"status", string(status)}})
		}
		return parts
	})
}

// Breaker shows the breaker to the login service under resilience4j's
// names.
func Breaker(b *bearer.Breaker) []prometheus.Collector {
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
			return Flag(b.State() == state)
		}))
	}
	return append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "resilience4j_circuitbreaker_not_permitted_calls_total", Help: "Calls refused while the breaker was open.", ConstLabels: labels("kind", "not_permitted"),
	}, func() float64 { return float64(b.Stats().NotPermitted) }))
}

// Queue shows what waits in a queue and what was given up.
func Queue(q *outbox.Queue, name string) []prometheus.Collector {
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
