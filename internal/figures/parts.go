package figures

import (
	"context"
	"time"

	"ccms/internal/bearer"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/meter"
	"ccms/internal/outbox"
)

// Registry shows the registry's leases and whether it protects them.
func Registry(r *registry.Registry) meter.Collector {
	return meter.Of(func() []meter.Figure {
		s := r.Stats()
		parts := []meter.Figure{
			meter.NewFigure("ccms_eureka_applications", "Registered applications.", float64(s.Applications)),
			meter.NewFigure("ccms_eureka_renews_last_minute", "Heartbeats in the last minute.", float64(s.RenewsLastMinute)),
			meter.NewFigure("ccms_eureka_renew_threshold", "Heartbeats a minute below which leases do not expire.", float64(s.RenewThreshold)),
			meter.NewFigure("ccms_eureka_protected", "1 while self-preservation holds evictions back.", meter.Flag(s.Protected)),
			meter.NewFigure("ccms_eureka_evicted_total", "Leases that ran out.", float64(s.Evicted)),
			meter.NewFigure("ccms_eureka_delta_entries", "Changes that a delta answers with.", float64(s.Delta)),
			meter.NewFigure("ccms_eureka_size_bytes", "About what the instances take.", float64(s.Bytes)),
			meter.NewFigure("ccms_eureka_oldest_heartbeat_seconds", "Time since the heartbeat longest ago.", float64(s.OldestUnrenewedMS)/1000),
		}
		for _, status := range eureka.Statuses() {
			parts = append(parts, meter.NewFigure("ccms_eureka_instances", "Registered instances.", float64(s.Instances[status]), "status", string(status)))
		}
		return append(append(parts, readings(r)...), peers(r)...)
	})
}

// readings is what the registry's readers were answered.
func readings(r *registry.Registry) []meter.Figure {
	kinds, waiting := r.Traffic()
	parts := []meter.Figure{meter.NewFigure("ccms_eureka_waiting_readers", "Readers that wait for a change.", float64(waiting))}
	for _, k := range kinds {
		parts = append(parts,
			meter.NewFigure("ccms_eureka_fetches_total", "Readings answered.", float64(k.Answers), "kind", k.Kind),
			meter.NewFigure("ccms_eureka_fetched_bytes_total", "Bytes of these answers, as sent.", float64(k.Bytes), "kind", k.Kind))
	}
	return parts
}

// peers is how far the other registries are behind.
func peers(r *registry.Registry) []meter.Figure {
	var parts []meter.Figure
	for _, p := range r.Peers() {
		if p.Self {
			continue
		}
		peer := []string{"peer", p.URL}
		parts = append(parts,
			meter.NewFigure("ccms_eureka_peer_available", "1 while the peer answers.", meter.Flag(p.Available), peer...),
			meter.NewFigure("ccms_eureka_peer_queue", "Instances to tell the peer of.", float64(p.Waiting), peer...),
			meter.NewFigure("ccms_eureka_peer_lag_seconds", "Time since the oldest of these.", p.Lag.Seconds(), peer...),
			meter.NewFigure("ccms_eureka_peer_items_total", "Changes the peer took.", float64(p.Sent), peer...),
			meter.NewFigure("ccms_eureka_peer_dropped_total", "Changes the peer will not be told of.", float64(p.Dropped), peer...))
	}
	return parts
}

// Breaker shows the breaker to the login service under resilience4j's
// names.
func Breaker(b *bearer.Breaker) meter.Collector {
	return meter.Of(func() []meter.Figure {
		s := b.Stats()
		parts := []meter.Figure{meter.NewFigure("resilience4j_circuitbreaker_not_permitted_calls_total", "Calls refused while the breaker was open.",
			float64(s.NotPermitted), "name", "loginService", "kind", "not_permitted")}
		for _, state := range []string{bearer.Closed, bearer.Open, bearer.HalfOpen} {
			parts = append(parts, meter.NewFigure("resilience4j_circuitbreaker_state", "1 for the state the breaker is in.",
				meter.Flag(s.State == state), "name", "loginService", "state", state))
		}
		return parts
	})
}

// Queue shows what waits in a queue and what was given up; -1 when the store
// does not say.
func Queue(q *outbox.Queue, name string) meter.Collector {
	return meter.Of(func() []meter.Figure {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s, err := q.Stats(ctx)
		queued, dead, oldest := float64(s.Queued), float64(s.Dead), s.Oldest.Seconds()
		if err != nil {
			queued, dead, oldest = -1, -1, -1
		}
		queue := []string{"queue", name}
		return []meter.Figure{
			meter.NewFigure("ccms_outbox_queued", "Messages that wait.", queued, queue...),
			meter.NewFigure("ccms_outbox_dead", "Messages that were given up.", dead, queue...),
			meter.NewFigure("ccms_outbox_oldest_seconds", "Age of the oldest message that waits.", oldest, queue...),
		}
	})
}
