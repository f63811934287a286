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
			{"ccms_eureka_evicted_total", "Leases that ran out.", float64(s.Evicted), nil},
			{"ccms_eureka_delta_entries", "Changes that a delta answers with.", float64(s.Delta), nil},
			{"ccms_eureka_size_bytes", "About what the instances take.", float64(s.Bytes), nil},
			{"ccms_eureka_oldest_heartbeat_seconds", "Time since the heartbeat longest ago.", float64(s.OldestUnrenewedMS) / 1000, nil},
		}
		for _, status := range eureka.Statuses() {
			parts = append(parts, Figure{"ccms_eureka_instances", "Registered instances.", float64(s.Instances[status]), []string{"status", string(status)}})
		}
		return append(append(parts, readings(r)...), peers(r)...)
	})
}

// readings is what the registry's readers were answered.
func readings(r *registry.Registry) []Figure {
	kinds, waiting := r.Traffic()
	parts := []Figure{{"ccms_eureka_waiting_readers", "Readers that wait for a change.", float64(waiting), nil}}
	for _, k := range kinds {
		parts = append(parts,
			Figure{"ccms_eureka_fetches_total", "Readings answered.", float64(k.Answers), []string{"kind", k.Kind}},
			Figure{"ccms_eureka_fetched_bytes_total", "Bytes of these answers, as sent.", float64(k.Bytes), []string{"kind", k.Kind}})
	}
	return parts
}

// peers is how far the other registries are behind.
func peers(r *registry.Registry) []Figure {
	var parts []Figure
	for _, p := range r.Peers() {
		if p.Self {
			continue
		}
		peer := []string{"peer", p.URL}
		parts = append(parts,
			Figure{"ccms_eureka_peer_available", "1 while the peer answers.", Flag(p.Available), peer},
			Figure{"ccms_eureka_peer_queue", "Instances to tell the peer of.", float64(p.Waiting), peer},
			Figure{"ccms_eureka_peer_lag_seconds", "Time since the oldest of these.", p.Lag.Seconds(), peer},
			Figure{"ccms_eureka_peer_items_total", "Changes the peer took.", float64(p.Sent), peer},
			Figure{"ccms_eureka_peer_dropped_total", "Changes the peer will not be told of.", float64(p.Dropped), peer})
	}
	return parts
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
