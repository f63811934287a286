package login

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/login/hashpool"
)

// metrics are what an operator watches: guesses, locks, probing, and how close
// the hash pool is to its bound.
type metrics struct {
	attempts *prometheus.CounterVec // by route and outcome
	lockouts prometheus.Counter
	probes   *prometheus.CounterVec // answers that tell whether an address is known
	hashing  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, pool *hashpool.Pool) (metrics, error) {
	m := metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_login_attempts_total", Help: "Checks of a password by route and outcome (success, wrong, locked).",
		}, []string{"route", "outcome"}),
		lockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_login_lockouts_total", Help: "Locks begun, for unknown addresses too.",
		}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_login_enumeration_probes_total", Help: "Answers that told whether an address is known, by route.",
		}, []string{"route"}),
		hashing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ccms_login_hash_seconds", Help: "Duration of one bcrypt run.",
			Buckets: []float64{.005, .025, .05, .1, .2, .4, .8, 1.6, 3.2},
		}),
	}
	if reg == nil {
		return m, nil
	}
	depth := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ccms_login_hash_queue_depth", Help: "Calls waiting for a slot of the hash pool.",
	}, func() float64 { return float64(pool.Depth()) })
	shed := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "ccms_login_hash_shed_total", Help: "Calls the hash pool refused.",
	}, func() float64 { return float64(pool.Shed()) })
	var errs []error
	for _, c := range []prometheus.Collector{m.attempts, m.lockouts, m.probes, m.hashing, depth, shed} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
