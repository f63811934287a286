package boot

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/bearer"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/outbox"
	"ccms/internal/store/sqlitestore"
)

// figure is one figure of a part that keeps count itself.
type figure struct {
	name, help string
	value      float64
	labels     []string // name, value, …
}

// figures gives a part's figures, all of one moment.
type figures func() []figure

// Describe implements prometheus.Collector; nothing is known beforehand.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. A name that ends in _total counts up.
func (f figures) Collect(out chan<- prometheus.Metric) {
	for _, x := range f() {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(x.name, "_total") {
			kind = prometheus.CounterValue
		}
		labels := prometheus.Labels{}
		for pair := range slices.Chunk(x.labels, 2) {
			labels[pair[0]] = pair[1]
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(x.name, x.help, nil, labels), kind, x.value)
	}
}

// registryFigures shows the registry's leases and whether it protects them.
func registryFigures(r *registry.Registry) prometheus.Collector {
	return figures(func() []figure {
		s := r.Stats()
		all := []figure{
			{"ccms_eureka_applications", "Registered applications.", float64(s.Applications), nil},
			{"ccms_eureka_renews_last_minute", "Heartbeats in the last minute.", float64(s.RenewsLastMinute), nil},
			{"ccms_eureka_renew_threshold", "Heartbeats a minute below which leases do not expire.", float64(s.RenewThreshold), nil},
			{"ccms_eureka_protected", "1 while self-preservation holds evictions back.", oneIf(s.Protected), nil},
			{"ccms_eureka_delta_entries", "Changes that a delta answers with.", float64(s.Delta), nil},
			{"ccms_eureka_size_bytes", "About what the instances take.", float64(s.Bytes), nil},
			{"ccms_eureka_oldest_heartbeat_seconds", "Time since the heartbeat longest ago.", float64(s.OldestUnrenewedMS) / 1000, nil},
		}
		for _, status := range eureka.Statuses() {
			all = append(all, figure{"ccms_eureka_instances", "Registered instances.", float64(s.Instances[status]), []string{"status", string(status)}})
		}
		return all
	})
}

// watchStore shows the store's health and, of the embedded one, its figures. All
// services of a process show the same.
func (p *process) watchStore(s *service) {
	s.actuator.AddHealth("db", true, p.db.Ping)
	if db, ok := p.db.(*sqlitestore.DB); ok {
		s.actuator.Registry().MustRegister(storeFigures(db))
	}
}

func storeFigures(db *sqlitestore.DB) prometheus.Collector {
	return figures(func() []figure {
		s := db.Stats()
		return []figure{
			{"ccms_store_writes_total", "Writes acknowledged.", float64(s.Writes), nil},
			{"ccms_store_batches_total", "Transactions they took.", float64(s.Batches), nil},
			{"ccms_store_busy_seconds_total", "Time spent in transactions.", s.Busy.Seconds(), nil},
			{"ccms_store_expired_total", "Documents removed after their expiry.", float64(s.Expired), nil},
			{"ccms_store_queue", "Writes that wait.", float64(s.Queue), nil},
			{"ccms_store_reads", "Reads under way.", float64(s.Reads), nil},
			{"ccms_store_size_bytes", "Size of the database file.", float64(s.Size), nil},
			{"ccms_store_log_size_bytes", "Size of the write-ahead log.", float64(s.Log), nil},
			{"ccms_store_failed", "1 once the store takes no more writes.", oneIf(s.Failure != nil), nil},
		}
	})
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

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
			return oneIf(b.State() == state)
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
